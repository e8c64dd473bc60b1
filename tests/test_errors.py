"""Bad input gets one of Backlight's own exceptions: the user's line and variable, expected, came, what to write."""

from __future__ import annotations

import inspect
import re
import string
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backlight
from backlight import errors
from backlight.errors import (
    BacklightError,
    ConversionError,
    DerivativeError,
    DTypeError,
    LeakError,
    NonScalarError,
    RangeError,
    RecordError,
    ShapeError,
    UnsupportedError,
)
from backlight.messages import MESSAGES
from backlight.primitive import REGISTRY, Elementwise, Map, Why

X = np.ones((3, 4))


def shapes(weights: Any) -> Any:
    bias = np.ones(5)
    return np.sum(bias * weights)  # here


def products(weights: Any) -> Any:
    hidden = np.tanh(weights)
    return np.sum(hidden @ hidden)  # here


def unknown(weights: Any) -> Any:
    scaled = weights * 2
    np.save("scaled.npy", scaled)  # here
    return np.sum(scaled)


def not_scalar(weights: Any) -> Any:
    return weights * 2  # here


def out_of_range(weights: Any) -> Any:
    rows = weights * 2
    return np.sum(rows[7])  # here


def out_of_range_list(weights: Any) -> Any:
    rows = weights * 2
    return np.sum(rows[[0, 5]])  # here


def into_integers(weights: Any) -> Any:
    counts = backlight.array(np.zeros(4, int))
    counts[:] = weights[0]  # here
    return np.sum(counts)


def into_plain(weights: Any) -> Any:
    plain = np.zeros(4)
    plain[:] = weights[0]  # here
    return np.sum(plain)


def too_wide(weights: Any) -> Any:
    row = weights[0]
    row += weights  # here
    return np.sum(row)


CASES: list[tuple[Callable[..., Any], type[BacklightError], type[Exception], str]] = [
    (shapes, ShapeError, ValueError, "weights"),
    (products, ShapeError, ValueError, "hidden"),
    (unknown, UnsupportedError, TypeError, "np.save"),
    (not_scalar, NonScalarError, ValueError, "not_scalar"),
    (out_of_range, RangeError, IndexError, "rows"),
    (out_of_range_list, RangeError, IndexError, "rows"),
    (into_integers, DTypeError, TypeError, "counts"),
    (into_plain, ConversionError, TypeError, "float64"),
    (too_wide, ShapeError, ValueError, "row"),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("function", "kind", "builtin", "name"), CASES, ids=lambda x: getattr(x, "__name__", None))
def test_errors_speak_the_users_language(
    function: Any, kind: Any, builtin: Any, name: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    with pytest.raises(kind) as caught:
        backlight.grad(function)(X)
    text = str(caught.value)
    assert isinstance(caught.value, builtin)
    lines, start = inspect.getsourcelines(function)
    here = start + next(k for k, line in enumerate(lines) if "# here" in line)
    assert f"{__file__}:{here}" in text
    assert name in text
    assert ("改写为" if language == "zh" else "Write instead") in text
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, BacklightError)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_leaks(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    kept: list[Any] = []

    def keeper(x: Any) -> Any:
        secret = x * 2
        kept.append(secret)
        return np.sum(secret)

    backlight.grad(keeper)(np.ones(3))
    for use in (np.sum, np.tanh, float, lambda x: x + 1, lambda x: x[0], lambda x: x.reshape(3, 1)):
        with pytest.raises(LeakError, match=r"`secret`.*grad of keeper"):
            use(kept[0])
    with pytest.raises(LeakError, match=__file__):
        backlight.grad(lambda x: np.sum(x * kept[0]))(np.ones(3))


def test_plain_arrays_are_named_too() -> None:
    with pytest.raises(ShapeError, match=r"`bias` float64 \(5,\), `weights` float64 \(3, 4\)"):
        backlight.grad(shapes)(X)


def test_integer_arguments_are_named() -> None:
    with pytest.raises(DTypeError, match="`weights` is int64"):
        backlight.grad(shapes)(np.ones((3, 4), int))


def test_the_fix_for_shapes_helps() -> None:
    with pytest.raises(ShapeError, match=r"x\[:, None\]"):
        backlight.array(np.ones(3)) + np.ones((3, 4))


def test_wrong_custom_derivative() -> None:
    @backlight.custom_gradient
    def double(x: Any) -> Any:
        return 2 * x

    @double.derivative
    def double_derivative(x: Any, y: Any, g: Any) -> Any:
        return 3 * g

    with pytest.raises(DerivativeError, match="numerically"):
        backlight.check(double, 1.0)


def test_values_that_are_not_numbers() -> None:
    with pytest.raises(DTypeError, match="str"):
        backlight.array("text")
    with pytest.raises(DTypeError, match="object"):
        backlight.array(1.0) + object()
    with pytest.raises(BacklightError):
        backlight.grad(lambda x: x)("text")


def test_incomplete_records_fail_and_name_the_field() -> None:
    whole: dict[str, Any] = {
        "name": "nothing",
        "value": np.positive,
        "partials": (lambda x, y: 1,),
        "kernel": Map("x0"),
        "why": Why("It stays.", "不变。"),
        "samples": ((1.0,),),
    }
    for field in ("value", "kernel", "samples"):
        with pytest.raises(RecordError, match=field):
            Elementwise(**(whole | {field: None}))
    with pytest.raises(RecordError, match="Chinese"):
        Elementwise(**(whole | {"why": Why("It stays.", "")}))
    with pytest.raises(RecordError, match="at_kink"):
        Elementwise(**(whole | {"kinks": (0.0,)}))
    with pytest.raises(RecordError, match="twice"):
        REGISTRY.enter(REGISTRY.tanh)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"BACKLIGHT_LANG": "zh"}, "zh"),
        ({"BACKLIGHT_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_language(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BACKLIGHT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert errors.language() == expected


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_both_languages_tell_the_same_facts(key: str) -> None:
    english, chinese = MESSAGES[key]

    def facts(text: str) -> set[str]:
        return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(text) if name}

    assert facts(english) == facts(chinese)
    words = "".join(literal for literal, _, _, _ in string.Formatter().parse(english))
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese) or not any(map(str.isalpha, words))


def test_no_family_of_messages_takes_the_place_of_anothers() -> None:
    """All families are entered in one catalogue, so a key must stand for one text."""
    from pathlib import Path

    package = Path(backlight.__file__).parent
    found: dict[str, str] = {}
    for path in (package / "messages.py", *sorted(package.rglob("texts.py"))):
        for key in re.findall(r'^    "(\w+)": \(', path.read_text(encoding="utf-8"), re.M):
            assert key not in found, f"{key}: {path} and {found[key]}"
            found[key] = str(path)
