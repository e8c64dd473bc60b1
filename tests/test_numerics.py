"""Derivatives where they are hard: large and tiny arguments, zeros, ties, infinities and masked branches.

Expected values are closed forms, never another way through Backlight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from laws import gradients_of, plain, vjp
from scipy import special as scipy

import backlight
from backlight.array import Array
from backlight.differentiate import push_forward
from backlight.ops import special
from backlight.primitive import REGISTRY as P
from backlight.trace import constant

special.load()

INF, NAN = math.inf, math.nan


def approx(expected: Any, rel: float = 1e-14) -> Any:
    """Relative closeness, with none of pytest's absolute tolerance: small numbers must be right, too."""
    return pytest.approx(expected, rel=rel, abs=0.0)


def slope(f: Callable[..., Any], *xs: float, dtype: Any = np.float64) -> list[float]:
    """The derivative of ``f`` by each of its numbers."""
    gradients = vjp(f, [np.array([x], dtype) for x in xs])
    assert {g.dtype for g in gradients} == {np.dtype(dtype)}
    return [float(g[0]) for g in gradients]


def curvature(f: Callable[..., Any], *xs: float) -> np.ndarray[Any, Any]:
    """All second derivatives of ``f`` at one point."""
    inputs = [backlight.array(np.array([x])) for x in xs]
    firsts = gradients_of([f(*inputs)], [np.ones(1)], inputs)
    rows = [gradients_of([first], [np.ones(1)], inputs) for first in firsts]
    return np.array([[float(plain(g)[0]) for g in row] for row in rows])


def tangent(f: Callable[..., Any], *xs: float) -> list[float]:
    """The derivative by each number once more, in forward mode."""
    found = []
    for i in range(len(xs)):
        inputs = [backlight.array(np.array([x])) for x in xs]
        (moved,) = push_forward([f(*inputs).node], [inputs[i].node], [Array(constant(np.ones(1)))])
        found.append(float(plain(moved)[0]))
    return found


# -- Saturation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.0, 3.0, 40.0, -40.0, 400.0, -400.0])
def test_sigmoid(x: float) -> None:
    e = math.exp(-abs(x))
    exact = e / (1 + e) ** 2
    assert slope(P.sigmoid, x)[0] == approx(exact, rel=1e-14)
    sign = 1 if x <= 0 else -1
    assert curvature(P.sigmoid, x)[0, 0] == approx(sign * exact * (1 - e) / (1 + e), rel=1e-13)
    value = 1 / (1 + e) if x >= 0 else e / (1 + e)
    assert float(P.sigmoid(x)) == approx(value, rel=1e-15)


def test_sigmoid_beyond_the_range_of_exp() -> None:
    for x in (800.0, -800.0, INF, -INF):
        assert float(P.sigmoid(x)) == (x > 0)
        assert slope(P.sigmoid, x) == [0.0]
    assert float(P.sigmoid(np.float32(-100.0))) == 0.0
    assert math.isnan(float(P.sigmoid(NAN)))
    assert float(P.sigmoid(np.uint8(3))) == approx(1 / (1 + math.exp(-3)), rel=1e-15)


@pytest.mark.parametrize("x", [0.0, 1.0, 40.0, -40.0, 200.0, -200.0, 300.0, -300.0])
def test_tanh(x: float) -> None:
    e = math.exp(-2 * abs(x))
    exact = 4 * e / (1 + e) ** 2
    assert slope(P.tanh, x)[0] == approx(exact, rel=1e-13)
    assert curvature(P.tanh, x)[0, 0] == approx(-2 * math.tanh(x) * exact, rel=1e-13)


@pytest.mark.parametrize("x", [400.0, -400.0, 1e5, INF, -INF])
def test_tanh_underflows_to_zero(x: float) -> None:
    assert slope(P.tanh, x) == [0.0]
    assert curvature(P.tanh, x)[0, 0] == 0.0


@pytest.mark.parametrize("x", [-30.0, -5.0, 0.0, 1e-9, 1.0, 5.0, 30.0, 1e3])
def test_log_expit(x: float) -> None:
    exact = 1 / (1 + math.exp(x)) if x < 700 else 0.0
    assert slope(P.log_expit, x)[0] == approx(exact, rel=1e-14)


# -- Small arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [1e-300, 1e-20, 1e-8, -1e-8, -1e-20, 0.0])
def test_log1p_and_expm1_near_zero(x: float) -> None:
    assert float(P.log1p(x)) == approx(x - x * x / 2, rel=1e-15)
    assert float(P.expm1(x)) == approx(x + x * x / 2, rel=1e-15)
    assert slope(P.log1p, x)[0] == approx(1 - x, rel=1e-15)
    assert slope(P.expm1, x)[0] == approx(1 + x, rel=1e-15)


def test_expm1_far_to_the_left() -> None:
    assert slope(P.expm1, -50.0)[0] == approx(math.exp(-50), rel=1e-14)


@pytest.mark.parametrize("x", [1e-12, -1e-12])
def test_arcsin_and_arctanh_near_one(x: float) -> None:
    edge = 1 - abs(x)
    gap = 1 - edge  # exact
    assert slope(P.arcsin, edge)[0] == approx(1 / math.sqrt(gap * (2 - gap)), rel=1e-14)
    assert slope(P.arccos, -edge)[0] == approx(-1 / math.sqrt(gap * (2 - gap)), rel=1e-14)
    assert slope(P.arctanh, edge)[0] == approx(1 / (gap * (2 - gap)), rel=1e-14)


def test_error_function_against_its_definition() -> None:
    for dtype, ulps in ((np.float64, 1.5), (np.float32, 1.0)):
        x = np.concatenate([np.linspace(-7, 7, 2801), np.logspace(-300, -1, 300)]).astype(dtype)
        exact = np.array([math.erf(v) for v in x.astype(float)])
        found = P.erf(x)
        assert found.dtype == dtype
        normal = np.abs(exact) >= np.finfo(dtype).tiny
        error = np.abs(found.astype(float) - exact)[normal] / (np.abs(exact[normal]) * np.finfo(dtype).eps)
        assert error.max() <= ulps
    np.testing.assert_array_equal(P.erf(np.array([INF, -INF, NAN, -0.0])), [1.0, -1.0, NAN, -0.0])
    assert np.signbit(P.erf(-0.0))
    with pytest.raises(TypeError):
        P.erf(backlight.array(1.0 + 1.0j))


# -- Powers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "exponent", "first", "second"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 2.0),
        (0.0, 3.0, 0.0, 0.0),
        (0.0, 2.5, 0.0, 0.0),
        (5.0, 0.0, 0.0, 0.0),
        (-5.0, 0.0, 0.0, 0.0),
        (INF, 0.0, 0.0, 0.0),
        (-2.0, 3.0, 12.0, -12.0),
        (-2.0, 2.0, -4.0, 2.0),
        (-2.0, -1.0, -0.25, -0.25),
        (-2.0, 1.0, 1.0, 0.0),
        (1e-200, 2.0, 2e-200, 2.0),
        (1e-320, 0.0, 0.0, 0.0),
    ],
)
def test_power_by_its_base(base: float, exponent: float, first: float, second: float) -> None:
    def f(x: Any) -> Any:
        return P.power(x, exponent)

    assert slope(f, base) == [approx(first, rel=1e-14)]
    assert tangent(f, base) == [approx(first, rel=1e-14)]
    assert curvature(f, base)[0, 0] == approx(second, rel=1e-14)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_power_at_base_zero_by_both(exponent: float) -> None:
    by_base, by_exponent = slope(P.power, 0.0, exponent)
    assert by_base == (INF if 0 < exponent < 1 else float(exponent == 1))
    assert by_exponent == 0.0
    if exponent >= 1:
        assert np.isfinite(curvature(P.power, 0.0, exponent)).all()


def test_power_by_its_exponent() -> None:
    assert slope(P.power, 2.0, 0.0)[1] == approx(math.log(2))
    assert slope(P.power, 2.0, -3.0)[1] == approx(math.log(2) / 8)
    mixed = curvature(P.power, 2.0, 0.0)  # ∂²/∂x1∂x2 of x1**x2 at x2 = 0 is 1/x1
    np.testing.assert_allclose(mixed, [[0.0, 0.5], [0.5, math.log(2) ** 2]], rtol=1e-14)


def test_negative_base_has_no_derivative_by_the_exponent() -> None:
    by_base, by_exponent = slope(P.power, -2.0, 3.0)
    assert by_base == 12.0
    assert math.isnan(by_exponent)


def test_roots_at_zero() -> None:
    for root in (P.sqrt, P.cbrt, lambda x: P.power(x, 0.5), lambda x: x**0.5):
        assert slope(root, 0.0) == [INF]
    assert slope(lambda x: P.sqrt(P.square(x)), 0.0) == [0.0]


def test_square_root_of_a_sum_of_squares_at_zero() -> None:
    x = np.zeros(3)
    np.testing.assert_array_equal(vjp(lambda x: P.sqrt(P.sum(P.square(x), axis=(0,))), [x])[0], x)
    np.testing.assert_array_equal(vjp(lambda x: P.sqrt(P.sum(x * x, axis=(0,))), [x])[0], x)


@pytest.mark.parametrize(
    ("x", "y"), [(0.0, 0.0), (3.0, 4.0), (0.0, 2.0), (1e200, 1e200), (1e-200, 1e-200), (-3.0, 0.0)]
)
def test_hypot(x: float, y: float) -> None:
    length = math.hypot(x, y)
    expected = [x / length, y / length] if length else [0.0, 0.0]
    assert slope(P.hypot, x, y) == approx(expected, rel=1e-15)
    assert np.isfinite(curvature(P.hypot, x, y)).all()


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0.0, 1.0, [1.0, 0.0]),
        (0.0, -2.0, [-0.5, 0.0]),
        (1.0, 0.0, [0.0, -1.0]),
        (-4.0, 0.0, [0.0, 0.25]),
        (0.0, 0.0, [0.0, 0.0]),
        (1e200, 1e200, [0.5e-200, -0.5e-200]),
        (3e-200, 4e-200, [4e-200 / 5e-200 / 5e-200, -3e-200 / 5e-200 / 5e-200]),
    ],
)
def test_arctan2(x: float, y: float, expected: list[float]) -> None:
    assert slope(P.arctan2, x, y) == approx(expected, rel=1e-14)
    assert tangent(P.arctan2, x, y) == approx(expected, rel=1e-14)
    if not 0 < math.hypot(x, y) < 1e-150:  # there the second derivative itself overflows
        assert np.isfinite(curvature(P.arctan2, x, y)).all()


# -- Kinks and ties ----------------------------------------------------------------------------------------------


def test_absolute_value_and_sign_at_zero() -> None:
    assert slope(P.absolute, 0.0) == [0.0]
    assert slope(P.absolute, -0.0) == [0.0]
    assert slope(P.absolute, -3.0) == [-1.0]
    assert slope(P.absolute, -INF) == [-1.0]
    for x in (-2.0, 0.0, 2.0):
        assert slope(P.sign, x) == [0.0]


def test_relu() -> None:
    assert [slope(P.relu, x)[0] for x in (-2.0, -0.0, 0.0, 1e-300, INF)] == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert curvature(P.relu, 2.0)[0, 0] == 0.0


@pytest.mark.parametrize("record", [P.maximum, P.minimum, P.fmax, P.fmin], ids=str)
def test_ties_are_shared(record: Any) -> None:
    for x in (-2.0, 0.0, 3.0, INF, -INF):
        assert slope(record, x, x) == [0.5, 0.5]
    assert slope(record, 0.0, -0.0) == [0.5, 0.5]
    lower = [0.0, 1.0] if record in (P.maximum, P.fmax) else [1.0, 0.0]
    assert slope(record, 1.0, 2.0) == lower
    assert slope(record, -INF, INF) == lower
    both = backlight.array(np.array([2.0]))
    assert plain(gradients_of([record(both, both)], [np.ones(1)], [both])[0]) == [1.0]


def test_missing_values_lose() -> None:
    for record in (P.fmax, P.fmin):
        assert slope(record, NAN, 2.0) == [0.0, 1.0]
        assert slope(record, 2.0, NAN) == [1.0, 0.0]


def test_copysign() -> None:
    assert slope(P.copysign, 3.0, -2.0) == [-1.0, 0.0]
    assert slope(P.copysign, -3.0, -2.0) == [1.0, 0.0]
    assert slope(P.copysign, -3.0, 0.0) == [-1.0, 0.0]
    assert slope(P.copysign, -3.0, -0.0) == [1.0, 0.0]
    assert slope(P.copysign, 0.0, 2.0) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("x", "y"), [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.5, -2.0), (0.3, 0.1), (1e17, 3.0), (6.0, 3.0)]
)
def test_remainders(x: float, y: float) -> None:
    assert slope(P.remainder, x, y) == [1.0, -float(np.floor_divide(x, y))]
    whole = (x - math.fmod(x, y)) / y
    assert slope(P.fmod, x, y) == [1.0, -round(whole)]
    assert slope(P.floor_divide, x, y) == [0.0, 0.0]


def test_divide() -> None:
    assert slope(P.divide, 1.0, 4.0) == [0.25, -0.0625]
    assert slope(P.divide, 1e-200, 1e-200) == approx([1e200, -1e200], rel=1e-15)
    assert slope(P.divide, 1e300, 1e200) == approx([1e-200, -1e-100], rel=1e-15)  # the square of x2 would overflow
    with np.errstate(divide="ignore"):
        assert slope(P.divide, 1.0, 0.0) == [INF, -INF]


# -- Logarithms of sums ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (1000.0, -1000.0, [1.0, 0.0]),
        (-1000.0, 1000.0, [0.0, 1.0]),
        (1000.0, 1000.0, [0.5, 0.5]),
        (-1000.0, -1000.0, [0.5, 0.5]),
        (-INF, -INF, [0.5, 0.5]),
        (INF, INF, [0.5, 0.5]),
        (-INF, 3.0, [0.0, 1.0]),
        (3.0, -INF, [1.0, 0.0]),
        (INF, 3.0, [1.0, 0.0]),
        (-INF, INF, [0.0, 1.0]),
        (0.0, 50.0, [math.exp(-50.0), 1.0]),
    ],
)
def test_logaddexp(x: float, y: float, expected: list[float]) -> None:
    assert slope(P.logaddexp, x, y) == approx(expected, rel=1e-14)
    assert tangent(P.logaddexp, x, y) == approx(expected, rel=1e-14)
    assert np.isfinite(curvature(P.logaddexp, x, y)).all()
    scaled = slope(P.logaddexp2, x / math.log(2), y / math.log(2))
    assert scaled == approx(expected, rel=1e-13)


def test_logaddexp_bends_at_a_tie() -> None:
    np.testing.assert_allclose(curvature(P.logaddexp, 2.0, 2.0), [[0.25, -0.25], [-0.25, 0.25]], rtol=1e-15)


# -- Masked branches ---------------------------------------------------------------------------------------------

BRANCHES = {
    "log": (P.log, [0.0, -1.0]),
    "sqrt": (P.sqrt, [0.0, -1.0]),
    "reciprocal": (P.reciprocal, [0.0]),
    "divide": (lambda x: 1 / x, [0.0]),
    "quotient": (lambda x: x / x, [0.0]),
    "x log x": (lambda x: x * P.log(x), [0.0, -1.0]),
    "exp": (P.exp, [1000.0, INF]),
    "exp of exp": (lambda x: P.exp(P.exp(x)), [1000.0]),
    "square": (P.square, [INF, 1e300]),
    "power": (lambda x: x**-1.5, [0.0, -1.0]),
    "exponent": (lambda x: P.power(-2.0, x), [0.5]),
    "sin of 1/x": (lambda x: P.sin(1 / x), [0.0]),
    "tanh of nan": (lambda x: P.tanh(x - x), [INF]),
    "sigmoid of nan": (lambda x: P.sigmoid(x * 0), [INF]),
    "arcsin": (P.arcsin, [1.0, 2.0]),
    "arctanh": (P.arctanh, [1.0, 2.0]),
    "arccosh": (P.arccosh, [1.0, 0.5]),
    "log1p": (P.log1p, [-1.0, -2.0]),
    "cbrt": (P.cbrt, [0.0]),
    "hypot": (lambda x: P.hypot(x, 0.0), [INF, NAN]),
    "logit": (lambda x: P.logit(x), [0.0, 1.0, 2.0]),
    "nan": (lambda x: x, [NAN]),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_masked_branch_does_not_poison(name: str) -> None:
    branch, bad = BRANCHES[name]
    for x in bad:
        with np.errstate(all="ignore"):

            def f(x: Any) -> Any:
                return P.square(P.where([False], branch(x), 3.0)) + 2.0 * P.where([True], 1.0, branch(x))

            assert float(plain(f(backlight.array(np.array([x]))))[0]) == 11.0
            assert slope(f, x) == [0.0]
            assert tangent(f, x) == [0.0]
            assert curvature(f, x)[0, 0] == 0.0


def test_chosen_branch_keeps_its_derivative() -> None:
    x = np.array([-1.0, 0.0, 4.0])

    def f(x: Any) -> Any:
        return P.where(x > 0, P.sqrt(x), 0.0)

    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(vjp(f, [x])[0], [0.0, 0.0, 0.25])


def test_gradient_of_infinity_stays_on_its_branch() -> None:
    """log(where(m, a, b)) at a = 0: ∂/∂a is infinite, ∂/∂b is 0 and not 0 · ∞ = nan."""
    with np.errstate(divide="ignore"):
        assert slope(lambda a, b: P.log(P.where([True], a, b)), 0.0, 5.0) == [INF, 0.0]


# -- Precision ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [
    lambda x: 2 * x + 1, lambda x: x**2.5, lambda x: 1 / x, lambda x: P.exp2(x), lambda x: P.log10(x), P.erf, P.sigmoid,
    lambda x: P.maximum(x, 0), lambda x: P.where(x > 1, x, 0), P.hypot, P.arctan2, P.logaddexp, P.logaddexp2,
    P.remainder, P.fmod, P.copysign, P.heaviside, P.erfcx, P.ndtr, P.log_ndtr, P.xlogy, P.polygamma,
])  # fmt: skip
def test_single_precision_stays_single(function: Any) -> None:
    count = (
        1 if function in (P.erf, P.sigmoid, P.erfcx, P.ndtr, P.log_ndtr) else len(getattr(function, "partials", [0]))
    )
    inputs = [backlight.array(np.array([2.0, 3.0], np.float32)) for _ in range(count)]
    y = function(*inputs)
    assert y.dtype == np.float32
    firsts = gradients_of([y], [np.ones(2, np.float32)], inputs)
    assert {g.dtype for g in firsts} == {np.dtype(np.float32)}
    for first in firsts:
        assert {g.dtype for g in gradients_of([first], [np.ones(2, np.float32)], inputs)} == {np.dtype(np.float32)}


def test_single_precision_where_double_would_not_overflow() -> None:
    assert slope(P.tanh, 60.0, dtype=np.float32) == [0.0]
    assert slope(P.sigmoid, -80.0, dtype=np.float32)[0] == approx(math.exp(-80), rel=1e-5)
    assert slope(P.hypot, 3e30, 4e30, dtype=np.float32) == approx([0.6, 0.8], rel=1e-6)
    assert slope(P.arctan2, 3e30, 4e30, dtype=np.float32) == approx([0.16e-30, -0.12e-30], rel=1e-6)
    assert slope(P.divide, 1e30, 1e25, dtype=np.float32) == approx([1e-25, -1e-20], rel=1e-6)


def test_large_products_do_not_lose_their_gradient() -> None:
    """`chain` asks whether its products are finite by their squares; those may overflow without harm."""
    g, local = np.array([1e30, 0.0, -2e30], np.float32), np.array([3.0, INF, 1.0], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(P.chain(g, local), np.array([g[0] * local[0], 0.0, g[2]]))
        np.testing.assert_array_equal(P.chain(np.float64(0.0), np.float64(NAN)), 0.0)
        assert math.isnan(float(P.chain(np.float64(1.0), np.float64(NAN))))


# -- Special functions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [-1e5, -1e3, -40.0, -5.0, 0.0, 5.0, 40.0])
def test_log_ndtr(x: float) -> None:
    if x <= -40:
        exact = -x - 1 / x + 2 / x**3 - 10 / x**5 + 74 / x**7  # the inverse Mills ratio's asymptotic series
        assert slope(P.log_ndtr, x)[0] == approx(exact, rel=1e-12)
    else:
        density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        assert slope(P.log_ndtr, x)[0] == approx(density / (0.5 * math.erfc(-x / math.sqrt(2))), rel=1e-12)


@pytest.mark.parametrize("x", [19.0, 21.0, 100.0, 1e8, 1e100])
def test_erfcx_falls_like_one_over_x(x: float) -> None:
    tail = Fraction(x)  # √π erfcx(x) = 1/(x + ½/(x + 1/(x + 3/2 /(x + …)))) (DLMF 7.9.1), in exact arithmetic
    for k in range(40, 0, -1):
        tail = Fraction(x) + Fraction(k, 2) / tail
    exact = 2 / math.sqrt(math.pi) * float(Fraction(x) / tail - 1)
    assert slope(P.erfcx, x)[0] == approx(exact, rel=1e-12)


def test_logarithms_with_zero_weight() -> None:
    assert slope(P.xlogy, 0.0, 0.0) == [0.0, 0.0]
    assert slope(P.xlogy, 0.0, 2.0) == [math.log(2.0), 0.0]
    assert slope(P.xlog1py, 0.0, -1.0) == [0.0, 0.0]
    assert slope(P.xlog1py, 2.0, 1e-20) == approx([1e-20, 2.0], rel=1e-15)
    assert slope(P.rel_entr, 0.0, 0.0) == [0.0, 0.0]
    assert slope(P.kl_div, 0.0, 0.0) == [0.0, 1.0]
    assert slope(P.kl_div, 0.5, 0.5) == [0.0, 0.0]
    assert slope(P.entr, 0.0) == [INF]


def test_bessel_functions_at_zero() -> None:
    assert slope(P.i1, 0.0) == [0.5]
    assert slope(P.j1, 0.0) == [0.5]
    assert curvature(P.i0, 0.0)[0, 0] == 0.5
    assert curvature(P.j0, 0.0)[0, 0] == -0.5
    assert slope(P.i1e, 0.0) == [0.5]


def test_scipys_ufuncs_are_found() -> None:
    assert special.lookup(scipy.expit) is P.sigmoid
    assert special.lookup(scipy.digamma) is P.digamma
    assert special.lookup(scipy.erf) is P.erf
    assert special.lookup(scipy.log1p) is P.log1p
    assert special.lookup(scipy.airy) is None
    assert special.lookup(np.exp) is None


def test_polygamma_takes_arrays() -> None:
    x = backlight.array(np.array([1.0, 2.5]))
    np.testing.assert_allclose(plain(special.polygamma(2, x)), scipy.polygamma(2, [1.0, 2.5]), rtol=1e-14)
    (g,) = vjp(lambda x: special.polygamma(2, x), [np.array([1.0, 2.5])])
    np.testing.assert_allclose(g, scipy.polygamma(3, [1.0, 2.5]), rtol=1e-14)


def test_scipy_is_imported_only_when_used() -> None:
    import subprocess
    import sys

    code = "import sys, numpy, backlight; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- Complex numbers ---------------------------------------------------------------------------------------------


def test_steepest_ascent() -> None:
    """The gradient of |z|² is 2z: moving along it increases the value fastest."""
    z = np.array([3.0 - 4.0j])
    (g,) = vjp(lambda z: P.square(P.real(z)) + P.square(P.imag(z)), [z])
    np.testing.assert_array_equal(g, 2 * z)
    (g,) = vjp(lambda z: P.hypot(P.real(z), P.imag(z)), [z])
    np.testing.assert_allclose(g, z / 5, rtol=1e-15)
    (g,) = vjp(lambda z: P.hypot(P.real(z), P.imag(z)), [0 * z])
    np.testing.assert_array_equal(g, 0 * z)
    (g,) = vjp(lambda z: P.real(P.exp(z)), [z])
    np.testing.assert_allclose(g, np.conj(np.exp(z)), rtol=1e-15)


def test_real_and_imaginary_part_of_real_numbers() -> None:
    x = np.array([1.0, 2.0], np.float32)
    y = P.real(backlight.array(x))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(vjp(P.real, [x])[0], np.ones(2, np.float32))
    np.testing.assert_array_equal(vjp(P.imag, [x])[0], np.zeros(2, np.float32))
    z = backlight.array(x.astype(np.complex64))
    assert P.imag(z).dtype == np.float32
    assert vjp(P.imag, [z.value])[0].dtype == np.complex64


def test_complex_tangent_far_from_the_real_axis() -> None:
    z = np.array([0.3 + 20.0j])
    (g,) = vjp(P.tan, [z])
    e = np.exp(2j * z)
    np.testing.assert_allclose(g, np.conj(4 * e / (1 + e) ** 2), rtol=1e-12)
