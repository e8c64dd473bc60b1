"""``make parity`` compares the right thing, and no public name is left out; all of it without peers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import backlight
from benchmarks.parity import names
from benchmarks.parity.__main__ import TABLES
from benchmarks.parity.cases import TOLERANCE, Case, Pair, apart, difference, judge
from benchmarks.parity.report import show


def every_case() -> list[Case]:
    return [case for table in TABLES.values() for case in table()]


CASES = every_case()


def test_every_public_name_is_compared_with_defaults_and_with_other_arguments() -> None:
    assert names.missing(CASES) == []


def test_what_is_left_out_is_missed() -> None:
    rest = [case for case in CASES if case.name != "Dense"]
    assert names.missing(rest) == ["layers.Dense is not compared, and nothing says why"]
    plain = [case for case in CASES if case.name == "Dense" and len(case.options) == 1]
    (line,) = names.missing(rest + plain)
    assert line.startswith("layers.Dense is compared with its defaults alone, not with activation, bias_constraint")
    others = [case for case in CASES if case.name == "Dense" and len(case.options) > 1]
    assert names.missing(rest + others) == ["layers.Dense is not compared with its defaults"]


def test_differences_that_are_meant_are_cases_and_have_reasons() -> None:
    labels = {case.label for case in CASES} | {f"{case.label} [{case.family}]" for case in CASES}
    assert set(names.MEANT) <= labels
    assert all(map(str.strip, [*names.MEANT.values(), *names.ALONE.values(), *names.BESIDES]))


DIFFERENT: list[tuple[str, Any, Any, float]] = [
    ("equal", [np.ones(2), "a"], [np.ones(2), "a"], 0),
    ("by the largest", np.array([1.0, 4.0]), np.array([2.0, 4.0]), 0.25),
    ("of the small by a hundredth", np.array([1e-5]), np.array([0.0]), 1e-3),
    ("NaN and infinity where both are", np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), 0),
    ("NaN on one side", np.array([np.nan]), np.array([1.0]), np.inf),
    ("infinity on one side", np.array([np.inf, 1.0]), np.array([1.0, 1.0]), np.inf),
    ("other shapes", np.ones((2, 1)), np.ones(2), np.inf),
    ("other lengths", [1.0], [1.0, 1.0], np.inf),
    ("words", "a", "b", np.inf),
    ("nothing and 0", None, 0.0, np.inf),
    ("keys", {"a": 1.0}, {"b": 1.0}, np.inf),
    ("traced", backlight.array([3.0]), np.array([4.0]), 0.25),
]


@pytest.mark.parametrize(("found", "known", "much"), [row[1:] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT])
def test_how_far_apart(found: Any, known: Any, much: float) -> None:
    assert difference(found, known) == pytest.approx(much)


def test_gradients_are_compared_with_the_largest_among_them() -> None:
    ours, theirs = [np.array([10.0]), np.array([1e-5])], [np.array([10.0]), np.array([0.0])]
    assert apart(Pair("Keras", "gradient", ours, theirs)) == pytest.approx(1e-5)
    assert apart(Pair("Keras", "value", ours, theirs)) == pytest.approx(1e-3)


def case(label: str, much: float) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        if much < 0:
            raise ValueError("does not go\nat all")
        yield Pair("Keras", "value", np.ones(1) + much, np.ones(1))

    return Case("layers", label, {}, found)


def shown(cases: list[Case], meant: dict[str, str], missing: tuple[str, ...] = ()) -> tuple[bool, str]:
    out = io.StringIO()
    good = show(Console(file=out, width=150), list(map(judge, cases)), meant, {"get": "none"}, (), missing, "versions")
    return good, out.getvalue()


def test_the_report_ends_well_only_if_nothing_is_wrong() -> None:
    good, text = shown([case("Same", 0.0), case("Near", TOLERANCE / 2), case("Meant", 0.5)], {"Meant()": "better"})
    assert good
    assert all(word in text for word in ("Same()", "7.6e-06", "better", "get", "all within bounds, 1 meant"))
    for wrong, word in ((case("Far", 2 * TOLERANCE), "3.1e-05"), (case("Broken", -1), "ValueError: does not go")):
        good, text = shown([case("Same", 0.0), wrong], {})
        assert not good
        assert "Out of bounds: 1" in text
        assert word in text
    assert "No longer different" in shown([case("Same", 0.0)], {"Same()": "was"})[1]
    assert not shown([case("Same", 0.0)], {"Same()": "was"})[0]
    assert not shown([case("Same", 0.0)], {}, ("x is missing",))[0]
