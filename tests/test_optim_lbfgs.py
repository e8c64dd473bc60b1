"""L-BFGS: the line search keeps its promise, minima are where they must be, and what cannot work is said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
from backlight import optim
from backlight.errors import ArgumentError, BacklightError, DTypeError, NonScalarError
from backlight.optim import LBFGS, minimize
from backlight.optim.lbfgs import _direction, _Point, _search


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("size", [2, 5, 20])
def test_rosenbrock(size: int) -> None:
    start = np.tile([-1.2, 1.0], size)[:size]
    found = minimize(rosenbrock, start, max_iterations=300)
    assert found.converged
    np.testing.assert_allclose(found.parameters, 1.0, atol=1e-5)
    assert found.value < 1e-10
    assert found.evaluations < 2 * found.iterations + 20


@pytest.mark.parametrize("history", [1, 3, 10])
def test_a_quadratic_is_solved(history: int) -> None:
    rng = np.random.default_rng(0)
    m = rng.normal(size=(8, 8))
    a, b = m @ m.T + np.eye(8), rng.normal(size=8)
    found = minimize(
        lambda x: 0.5 * x @ a @ x - b @ x, np.zeros(8), history=history, max_iterations=500, tolerance=1e-8
    )
    assert found.converged
    np.testing.assert_allclose(found.parameters, np.linalg.solve(a, b), rtol=1e-5, atol=1e-6)


def test_the_two_loops_are_the_matrix() -> None:
    """H⁺ = (I - s yᵀ/sy) H (I - y sᵀ/sy) + s sᵀ/sy, begun from a multiple of I: written out with matrices."""
    rng = np.random.default_rng(1)
    m = rng.normal(size=(5, 5))
    a, pairs = m @ m.T + np.eye(5), []
    for _ in range(3):
        s = rng.normal(size=5)
        pairs.append((s, a @ s, float(s @ a @ s)))
    s, y, sy = pairs[-1]
    h = np.eye(5) * sy / (y @ y)
    for s, y, sy in pairs:
        left = np.eye(5) - np.outer(s, y) / sy
        h = left @ h @ left.T + np.outer(s, s) / sy
    g = rng.normal(size=5)
    np.testing.assert_allclose(_direction(g, pairs), -h @ g, rtol=1e-10)
    np.testing.assert_array_equal(_direction(g, []), -g)


LINES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "parabola": (lambda a: (a - 3) ** 2, lambda a: 2 * (a - 3)),
    "quartic": (lambda a: (a - 1) ** 4 - a, lambda a: 4 * (a - 1) ** 3 - 1),
    "Moré and Thuente 1": (lambda a: -a / (a * a + 2), lambda a: (a * a - 2) / (a * a + 2) ** 2),
    "waves": (lambda a: -a + np.sin(3 * a) / 6 + a * a / 50, lambda a: -1 + np.cos(3 * a) / 2 + a / 25),
    "steep wall": (lambda a: -a + np.exp(20 * (a - 1)), lambda a: -1 + 20 * np.exp(20 * (a - 1))),
    "a domain that ends": (
        lambda a: -a - np.log(1 - a / 2) if a < 2 else np.nan,
        lambda a: -1 + 0.5 / (1 - a / 2) if a < 2 else np.nan,
    ),
}


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", LINES)
def test_the_search_fulfils_the_strong_conditions(name: str, first: float) -> None:
    f, slope = LINES[name]

    def at(length: float) -> _Point:
        with np.errstate(all="ignore"):
            return _Point(length, float(f(length)), float(slope(length)), np.array([length]), np.array([slope(length)]))

    start = at(0.0)
    assert start.slope < 0
    found = _search(at, start, first)
    assert found.length > 0
    assert found.value <= start.value + 1e-4 * found.length * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_the_search_turns_back_where_it_goes_up_again() -> None:
    """At 1.95 the parabola is lower than at 0, but steep the other way: the minimum lies before."""

    def at(length: float) -> _Point:
        return _Point(length, (length - 1) ** 2, 2 * (length - 1), np.array([length]), np.array([0.0]))

    assert _search(at, at(0.0), 1.95).length == pytest.approx(1.0)


def test_a_loss_without_a_bottom_stays_a_number() -> None:
    found = minimize(lambda x: np.sum(np.log(x)), np.array([1.0]))
    assert np.isfinite(found.value)
    assert 0 < found.parameters[0] < 1
    endless = minimize(lambda x: np.sum(x), np.array([1.0]), max_iterations=20)
    assert endless.value < -1e6
    assert not endless.converged


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_logistic_regression(dtype: Any, jit_compile: bool) -> None:
    """Against Newton's method in float64, written out."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 3))
    y = (x @ [1.0, -2.0, 0.5] + rng.normal(size=60) > 0).astype(float)
    w = np.zeros(4)
    full = np.column_stack([x, np.ones(60)])
    for _ in range(30):
        p = 1 / (1 + np.exp(-full @ w))
        hessian = (full.T * (p * (1 - p))) @ full / 60 + 0.01 * np.eye(4)
        w = w - np.linalg.solve(hessian, full.T @ (p - y) / 60 + 0.01 * w)

    def loss(p: Any, x: Any, y: Any) -> Any:
        z = x @ p["w"] + p["b"]
        return np.mean(backlight.softplus(z) - y * z) + 0.005 * (np.sum(p["w"] ** 2) + p["b"] ** 2)

    start = {"w": np.zeros(3, dtype), "b": np.zeros((), dtype)}
    found = minimize(loss, start, x.astype(dtype), y.astype(dtype), jit_compile=jit_compile)
    near = 1e-5 if dtype == np.float64 else 3e-3
    assert found.parameters["w"].dtype == dtype
    np.testing.assert_allclose(found.parameters["w"], w[:3], atol=near)
    np.testing.assert_allclose(found.parameters["b"], w[3], atol=near)
    assert found.converged or dtype == np.float32
    np.testing.assert_array_equal(start["w"], 0)


def test_it_says_why_it_ends() -> None:
    start = np.array([-1.2, 1.0])
    assert minimize(rosenbrock, np.ones(2))[3:7] == (0, 1, True, "gradient")
    few = minimize(rosenbrock, start, max_iterations=3)
    assert (few.iterations, few.converged, few.reason) == (3, False, "iterations")
    none = minimize(rosenbrock, start, max_iterations=0)
    assert (none.iterations, none.evaluations, none.reason) == (0, 1, "iterations")
    np.testing.assert_array_equal(none.parameters, start)
    assert minimize(rosenbrock, start, tolerance=0.0, change=1e-3).reason == "change"
    seen: list[float] = []

    def watch(x: Any, value: float) -> bool:
        assert rosenbrock(x) == pytest.approx(value, rel=1e-12)
        seen.append(value)
        return len(seen) == 4

    stopped = minimize(rosenbrock, start, callback=watch)
    assert (stopped.reason, stopped.iterations, stopped.value) == ("callback", 4, seen[-1])
    assert all(b < a for a, b in pairwise(seen))


def test_a_wrong_gradient_ends_the_search() -> None:
    @backlight.custom_gradient
    def uphill(x: Any) -> Any:
        return np.sum(x**2)

    @uphill.derivative
    def rule(x: Any, y: Any, g: Any) -> Any:
        return -2 * x * g

    found = minimize(uphill, np.ones(2))
    assert (found.reason, found.converged) == ("search", False)
    np.testing.assert_array_equal(found.parameters, 1.0)


def test_a_loss_that_is_not_defined_everywhere() -> None:
    found = minimize(lambda x: np.sum(x - np.log(x)), np.array([0.01, 5.0, 40.0]))
    np.testing.assert_allclose(found.parameters, 1.0, atol=1e-5)


def test_the_class_moves_variables() -> None:
    w, b = np.array([3.0, -2.0]), backlight.array(5.0)
    optimizer = LBFGS()
    found = optimizer.minimize(lambda values: np.sum((values[0] - 1) ** 2) + (values[1] + 2) ** 2, [w, b])
    assert found.converged
    np.testing.assert_allclose(w, 1.0, atol=1e-6)
    assert float(b) == pytest.approx(-2.0, abs=1e-6)
    assert int(optimizer.iterations) == found.iterations
    again = optim.deserialize(optim.serialize(LBFGS(0.5, history=3, name="mine")))
    assert again.get_config() == LBFGS(0.5, history=3, name="mine").get_config()
    assert type(optim.get("lbfgs")) is LBFGS


BAD: list[tuple[str, Callable[[], Any], type[BacklightError], str]] = [
    ("a gradient alone", lambda: LBFGS().apply_gradients([(np.ones(2), np.ones(2))]), ArgumentError, "minimize"),
    ("a pure step", lambda: LBFGS().stateless_apply({}, [np.ones(2)], [np.ones(2)]), ArgumentError, "minimize"),
    ("a state", lambda: LBFGS().init([np.ones(2)]), ArgumentError, "minimize"),
    ("no history", lambda: minimize(rosenbrock, np.ones(2), history=0), ArgumentError, "history"),
    ("half an iteration", lambda: LBFGS(max_iterations=2.5), ArgumentError, "2.5"),
    ("a negative length", lambda: minimize(rosenbrock, np.ones(2), learning_rate=-1.0), ArgumentError, "-1.0"),
    ("integers", lambda: minimize(rosenbrock, np.arange(2)), DTypeError, "int64"),
    ("no number", lambda: minimize(lambda x: np.sum(np.log(x)), -np.ones(2)), ArgumentError, "nan"),
    ("many numbers", lambda: minimize(lambda x: x**2, np.ones(2)), NonScalarError, "(2,)"),
    ("no variable", lambda: LBFGS().minimize(lambda v: v[0], ["w"]), ArgumentError, "str"),
    ("an argument of another", lambda: LBFGS(momentum=0.9), ArgumentError, "momentum"),
]


@pytest.mark.parametrize(("call", "kind", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_input_is_named(
    call: Callable[[], Any], kind: type[BacklightError], part: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(call, kind, language, monkeypatch)
    assert part in text
    assert ("应为" in text or "改写为" in text) if language == "zh" else ("Expected" in text or "Write instead" in text)
