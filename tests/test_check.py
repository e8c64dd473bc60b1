"""``check`` finds what is wrong, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight
from backlight import check, custom_gradient
from backlight.errors import ArgumentError, DerivativeError

X = np.array([0.3, -1.2, 2.0])
W = np.sin(np.arange(12.0)).reshape(3, 4)


def test_complex_step_where_everything_is_holomorphic() -> None:
    report = check(lambda x, w: np.sum(np.exp(np.sin(x @ w))), X, W)
    assert report.ok
    assert report.method == "complex step"
    assert report.difference < 1e-12
    assert report.checked == report.elements == 15


@pytest.mark.parametrize("f", [np.linalg.norm, np.ptp, lambda x: np.linalg.svd(np.outer(x, x) + np.diag(x))[1]])
def test_no_complex_step_through_what_is_not_holomorphic(f: Any) -> None:
    report = check(f, X)
    assert report.ok
    assert report.method == "central difference"


def test_central_difference_elsewhere() -> None:
    report = check(lambda x: np.sum(np.abs(x) ** 1.5 + np.maximum(x, 0)), X)
    assert report.ok
    assert report.method == "central difference"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_false_alarms(dtype: Any) -> None:
    """Honest functions of many kinds and scales, with single precision outside and inside."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4, 6)).astype(dtype)
    w = generator.normal(size=(6, 3)).astype(dtype)

    def network(x: Any, w: Any) -> Any:
        z = np.maximum(x @ w, 0)
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return -np.mean(np.log(e / np.sum(e, axis=1, keepdims=True))[:, 0])

    def single_inside(x: Any, w: Any) -> Any:
        return np.sum(np.tanh((x @ w).astype(np.float32)) * 1000)

    for f in (
        network,
        single_inside,
        lambda x, w: 1e-8 * np.sum(np.abs(x)) + 1e8 * np.sum(w**2),
        lambda x, w: np.cumsum(np.sort(x, axis=0)) @ np.ones(24) + np.linalg.norm(w),
        lambda x, w: np.sqrt(np.sum(x**2) + 1) / np.var(w),
    ):
        assert check(f, x, w).ok


def test_kinks_are_not_mistakes() -> None:
    report = check(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0, -1.0]))
    assert report.ok
    assert report.kinks == 1


def test_complex_inputs_and_outputs() -> None:
    z = np.array([1 + 2j, -0.5 + 0.3j])
    assert check(lambda z: np.sum(np.abs(z) ** 2), z).ok
    assert check(lambda z: z**2 * np.conj(z), z).ok


def test_trees_integers_and_many_outputs() -> None:
    report = check(lambda p, n: {"a": p["w"] * n, "b": [np.tanh(p["w"])]}, {"w": X}, 3)
    assert report.ok
    assert report.name == "p['w']"


@pytest.mark.parametrize("factor", [-1.0, 2.0, 1.001, 0.0])
def test_wrong_derivatives_are_found(factor: float) -> None:
    @custom_gradient
    def f(x: Any) -> Any:
        return x**3

    @f.derivative
    def rule(x: Any, y: Any, g: Any) -> Any:
        return factor * 3 * x**2 * g

    for x in (X, X.astype(np.float32)):
        with pytest.raises(DerivativeError, match=r"x\["):
            check(f, x)


def test_the_worst_element_is_named() -> None:
    @custom_gradient
    def f(x: Any) -> Any:
        return x * 1.0

    @f.derivative
    def rule(x: Any, y: Any, g: Any) -> Any:
        return g * np.array([1.0, 1.0, 1.5])

    report = check(f, X, raises=False)
    assert report.index == (2,)
    assert "x[2]" in str(report)


def test_report_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    assert "导数正确" in str(check(np.sin, 0.5))


def test_nothing_to_check_is_said() -> None:
    with pytest.raises(ArgumentError, match="nothing to differentiate"):
        check(lambda n: n * 2.0, 3)
    with pytest.raises(ArgumentError, match="nothing to differentiate"):
        check(lambda x: np.sum(x), np.zeros(0))


def test_large_inputs_are_sampled() -> None:
    report = check(lambda x: np.sum(x**2), np.ones(1000))
    assert report.checked < report.elements == 1000


def test_arrays_are_accepted() -> None:
    assert check(np.tanh, backlight.array(X)).ok
