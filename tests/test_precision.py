"""Derivatives up to the third order against mpmath, from the smallest numbers to the largest and on both sides of cuts.

mpmath evaluates central differences of the function itself in hundreds of digits, so that nothing here repeats a rule.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from laws import gradients_of, plain

import backlight
from backlight.errors import DTypeError
from backlight.ops import special
from backlight.primitive import REGISTRY as P

special.load()

INF, NAN = math.inf, math.nan
EPS = float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)
WEIGHTS = {
    1: ((-1, -0.5), (1, 0.5)),
    2: ((-1, 1.0), (0, -2.0), (1, 1.0)),
    3: ((-2, -0.5), (-1, 1.0), (1, -1.0), (2, 0.5)),
}


def exact(f: Callable[..., Any], x: Any, order: int) -> Any:
    """The derivative of that order: a central difference whose step is 1e-60 of ``x``."""
    step = (abs(x) or 1) * mpmath.mpf("1e-60")
    return sum(weight * f(x + k * step) for k, weight in WEIGHTS[order]) / step**order


def towers(f: Callable[..., Any], x: Any, dtype: Any, highest: int) -> list[Any]:
    """The derivatives of orders 1, 2, … of ``f`` at ``x``, each the gradient of the one before."""
    leaf = backlight.array(np.array([x], dtype))
    y, found = f(leaf), []
    for _ in range(highest):
        (g,) = gradients_of([y], [np.ones(1, dtype)], [leaf])
        y = P.conjugate(g) if leaf.dtype.kind == "c" else g  # the gradient of a holomorphic f is conj(f')
        found.append(plain(y)[0].item())
    return found


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def normal(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2 if abs(x) > 1 else (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2


BOTH = (0.3, -0.3, 1.0, -1.0, 2.5, -2.5, 1e-5, -1e-5, 1e-200, -1e-200, 5.0, -5.0, 20.0, -20.0, 26.0, -26.0, 40.0, -40.0)
BROAD = (*BOTH, 200.0, -200.0, 300.0, -300.0, 340.0, -340.0, 354.0, 700.0, -700.0)
ENDLESS = (*BOTH, 1e5, -1e5, 1e50, 1e100, -1e100, 1e155, 1e200, -1e200, 1e300)
POSITIVE = (1e-300, 1e-200, 1e-5, 0.3, 1.0, 1 + 1e-12, 2.5, 1e5, 1e100, 1e200)
UNIT = (0.3, -0.3, 1e-5, -1e-5, 1e-200, 0.999, 1 - 1e-12, -1 + 1e-12)

REAL: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "tanh": (mpmath.tanh, BROAD),
    "sech_squared": (lambda x: mpmath.cosh(x) ** -2, BROAD),
    "sigmoid": (sigmoid, BROAD),
    "log_expit": (lambda x: mpmath.log(sigmoid(x)), BROAD),
    "exp": (mpmath.exp, BROAD),
    "exp2": (lambda x: mpmath.mpf(2) ** x, BROAD),
    "expm1": (mpmath.expm1, BROAD),
    "sinh": (mpmath.sinh, BROAD),
    "cosh": (mpmath.cosh, BROAD),
    "erf": (mpmath.erf, BOTH),
    "erfc": (mpmath.erfc, BOTH),
    "ndtr": (normal, tuple(x for x in BOTH if abs(x) != 1)),  # the third derivative is 0 at ±1
    "arctan": (mpmath.atan, ENDLESS),
    "arcsinh": (mpmath.asinh, ENDLESS),
    "reciprocal": (lambda x: 1 / x, ENDLESS),
    "cbrt": (lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), tuple(x for x in ENDLESS if abs(x) > 1e-100)),
    "log": (mpmath.log, POSITIVE),
    "log2": (lambda x: mpmath.log(x) / mpmath.log(2), POSITIVE),
    "log10": (mpmath.log10, POSITIVE),
    "log1p": (mpmath.log1p, (*POSITIVE, -0.3, -1e-5, -1 + 1e-12)),
    "sqrt": (mpmath.sqrt, POSITIVE),
    "arccosh": (mpmath.acosh, (1 + 1e-12, 1.5, 3.0, 1e5, 1e100, 1e200)),
    "arcsin": (mpmath.asin, UNIT),
    "arccos": (mpmath.acos, UNIT),
    "arctanh": (mpmath.atanh, UNIT),
    "tan": (mpmath.tan, (0.3, -1.2, 1.5, 1e-5, 1e-200, 1.57079632679)),
    "logit": (lambda x: mpmath.log(x / (1 - x)), (1e-300, 1e-200, 1e-5, 0.3, 0.9, 1 - 1e-12)),
}
CANCELLING = {"sigmoid", "log_expit", "arcsin", "arccos", "arctanh"}
"""Odd derivatives of these vanish at 0 as a difference of two terms: exact to eps of the terms, not of the result."""


def agree(found: float, wanted: Any, rel: float, largest: float, smallest: float, absolute: float = 0.0) -> None:
    if abs(wanted) > largest:
        assert not abs(found) < 1e-3 * largest
    else:
        wanted = float(wanted)
        assert abs(found - wanted) <= rel * abs(wanted) + absolute + 100 * smallest


@pytest.mark.parametrize("name", REAL)
def test_real_derivatives_up_to_the_third(name: str) -> None:
    function, points = REAL[name]
    with mpmath.workdps(1100), np.errstate(all="ignore"):
        for x in points:
            found = towers(getattr(P, name), x, np.float64, 3)
            for order, value in enumerate(found, 1):
                absolute = 4 * EPS if name in CANCELLING and abs(x) < 1e-2 else 0.0
                wanted = exact(function, mpmath.mpf(x), order)
                agree(value, wanted, 1e-12, 1.7e308, TINY, absolute)


@pytest.mark.parametrize("name", REAL)
def test_real_derivatives_in_single_precision(name: str) -> None:
    function, points = REAL[name]
    limits = np.finfo(np.float32)
    edges = {"arctanh", "arcsin", "arccos", "logit", "arccosh", "log1p"}
    with mpmath.workdps(500), np.errstate(all="ignore"):
        for x in points:
            single = float(np.float32(x))
            if not 0 < abs(single) < INF or (name in edges and abs(abs(single) - 1) < 1e-5):
                continue
            found = towers(getattr(P, name), single, np.float32, 3)
            for order, value in enumerate(found, 1):
                absolute = 4 * float(limits.eps) if name in CANCELLING and abs(x) < 1e-2 else 0.0
                wanted = exact(function, mpmath.mpf(single), order)
                agree(value, wanted, 2e-4, float(limits.max), float(limits.tiny), absolute)


# -- Complex numbers ---------------------------------------------------------------------------------------------

COMPLEX: dict[str, Callable[..., Any]] = {
    "square": lambda z: z * z,
    "reciprocal": lambda z: 1 / z,
    "sqrt": mpmath.sqrt,
    "log": mpmath.log,
    "log2": lambda z: mpmath.log(z) / mpmath.log(2),
    "log10": lambda z: mpmath.log(z) / mpmath.log(10),
    "log1p": lambda z: mpmath.log(1 + z),
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh,
}
ENTIRE: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp,
    "exp2": lambda z: mpmath.exp(z * mpmath.log(2)),
    "expm1": mpmath.expm1,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "sech_squared": lambda z: mpmath.cosh(z) ** -2,
    "sigmoid": sigmoid,
}
SIZES = (0.0, 0.3, 1.0, 2.0, 40.0, 1e-9, 1e8, 1e100, 1e200)
PARTS = tuple(sign * size for size in SIZES for sign in (1.0, -1.0))
BRANCH_POINTS = {0, 1, -1, 1j, -1j}


def aside(z: complex) -> Any:
    """``z`` for mpmath, which has no signed zeros: a zero part is moved a little to the side its sign tells."""
    little = abs(mpmath.mpc(z)) * mpmath.mpf("1e-60")
    return mpmath.mpc(*(part or math.copysign(1.0, part) * little for part in (z.real, z.imag)))


@pytest.mark.parametrize("name", [*COMPLEX, *ENTIRE])
def test_complex_derivatives_on_both_sides_of_the_cuts(name: str) -> None:
    function = COMPLEX.get(name) or ENTIRE[name]
    parts = PARTS if name in COMPLEX else [part for part in PARTS if abs(part) < 100]
    for z in (complex(a, b) for a in parts for b in parts):
        if z in BRANCH_POINTS:
            continue
        digits, little = (300, "1e-90") if abs(z) < 1e9 else (900, "1e-270")
        with mpmath.workdps(digits), np.errstate(all="ignore"):
            first, second = towers(getattr(P, name), z, np.complex128, 2)
            for order, value in ((1, first), (2, second)):
                step = abs(aside(z)) * mpmath.mpf(little)  # stays on its side of a cut
                wanted = sum(w * function(aside(z) + k * step) for k, w in WEIGHTS[order]) / step**order
                if abs(wanted) < 1e290:
                    tolerance = 1e-8 * abs(complex(wanted)) + 4 * EPS + 100 * TINY
                    assert abs(value - complex(wanted)) <= tolerance, (z, order)


@pytest.mark.parametrize("exponent", [0.5, -1.5, 2.0, 0.3 + 0.7j])
def test_complex_power_on_both_sides_of_its_cut(exponent: complex) -> None:
    for z in (-2 + 0.0j, complex(-2, -0.0), 1 + 1j, -1 - 1e-9j, -1 + 1e-9j, 2j):
        found = towers(lambda x: P.power(x, exponent), z, np.complex128, 2)
        power = np.power(np.complex128(z), exponent)  # NumPy's own value says on which side it sees z
        np.testing.assert_allclose(found, [exponent * power / z, exponent * (exponent - 1) * power / z / z], rtol=1e-13)
        by_exponent = towers(lambda p, z=z: P.power(np.complex128(z), p), exponent, np.complex128, 2)
        log = np.log(np.complex128(z))
        np.testing.assert_allclose(by_exponent, [power * log, power * log**2], rtol=1e-13)


@pytest.mark.parametrize("name", ["arccos", "arcsin", "arccosh", "arctanh"])
def test_outside_the_real_domain(name: str) -> None:
    """np.emath takes a real number beyond the domain for one with an imaginary zero, whose sign is +."""
    function = getattr(np.emath, name, None) or (lambda x: getattr(np, name)(x + 0j))
    for x in (2.0, -2.0, 1e8):
        (first,) = towers(lambda z: getattr(np, name)(z), complex(x, 0.0), np.complex128, 1)
        leaf = backlight.array(np.array([x]))
        y = function(leaf)
        for seed in (1.0, 1j):
            (g,) = gradients_of([y], [np.full(1, seed, complex)], [leaf])
            assert plain(g)[0] == pytest.approx((seed * first.conjugate()).real, rel=1e-12)


REAL_ONLY = {
    "relu": lambda z: P.relu(z),
    "gamma": lambda z: P.gamma(z),
    "digamma": lambda z: P.digamma(z),
    "ndtr": lambda z: P.ndtr(z),
}


@pytest.mark.parametrize("name", REAL_ONLY)
def test_complex_input_to_a_rule_for_real_numbers_is_refused(name: str) -> None:
    """Either the call itself or, where NumPy has a value for it, the differentiation says so, with the user's line."""
    z = backlight.array(np.array([1.0 + 2.0j, -0.5 + 0.1j]))
    with pytest.raises(DTypeError, match=r"complex|real numbers|applied") as refused:
        np.sum(np.real(REAL_ONLY[name](z))).backward()
    assert __file__ in str(refused.value)


def test_complex_input_refused_in_forward_mode() -> None:
    with pytest.raises(DTypeError, match=r"relu.*complex"):
        backlight.jvp(lambda z: np.real(P.relu(z)), (np.array([1.0 + 2.0j]),), (np.array([1.0 + 0.0j]),))


@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_the_larger_complex_number_takes_the_gradient(function: Any) -> None:
    """NumPy orders complex numbers by their real parts first: the chosen one passes on, the other one does not."""
    z, w = np.array([1 + 2j, 3 - 1j, 2 + 2j, 1 + 1j]), np.array([2 - 1j, 1 + 5j, 2 + 1j, 1 + 1j])
    chosen = function(z, w) == z
    seed = np.array([1 + 2j, 3j, -1.0, 2.0])
    leaves = [backlight.array(z), backlight.array(w)]
    y = function(*leaves)
    np.testing.assert_array_equal(y.value, function(z, w))
    by_z, by_w = (plain(g) for g in gradients_of([y], [seed], leaves))
    tie = z == w
    np.testing.assert_array_equal(by_z, np.where(tie, seed / 2, np.where(chosen, seed, 0)))
    np.testing.assert_array_equal(by_w, np.where(tie, seed / 2, np.where(chosen, 0, seed)))


@pytest.mark.parametrize("function", [np.floor, np.ceil, np.rint, np.trunc, np.cbrt, np.hypot, np.arctan2, np.copysign])
def test_what_numpy_refuses_of_complex_numbers_is_refused(function: Any) -> None:
    z = np.array([1 + 2j, -0.5 + 0.1j])
    args = (z,) * function.nin
    try:
        expected = function(*args)
    except TypeError:
        with pytest.raises(DTypeError, match=function.__name__):
            function(*map(backlight.array, args))
    else:
        np.testing.assert_array_equal(plain(function(*map(backlight.array, args))), expected)


# -- Lengths, sums and shares at the ends of the range --------------------------------------------------------------


def gradient(f: Callable[..., Any], x: Any) -> Any:
    leaf = backlight.array(x)
    y = f(leaf)
    (g,) = gradients_of([y], [np.ones(y.shape, y.dtype)], [leaf])
    return plain(g)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e-42, 1e-200, 1e-300, 1e10, 1e100, 0.0])
def test_gradient_of_a_length(scale: float, dtype: Any) -> None:
    """x / ‖x‖, also where NumPy's length, which is kept bit for bit, has underflown to 0."""
    scale = min(scale, 1e10) if dtype == np.float32 else scale
    x = (np.array([3.0, -4.0, 12.0]) * scale).astype(dtype)
    length = math.hypot(*np.abs(x).astype(float))
    for norm in (np.linalg.norm, np.linalg.vector_norm):
        np.testing.assert_array_max_ulp(float(norm(backlight.array(x))), float(norm(x)), 1)  # BLAS sums in any order
        wide = x.astype(np.result_type(dtype, float))
        wanted = wide / length if length else wide
        np.testing.assert_allclose(gradient(norm, x), wanted, rtol=1e-6 if dtype == np.float32 else 1e-15)
    for order in (1, np.inf, -np.inf, 3, 0.5):
        found = float(np.linalg.norm(backlight.array(x), order))
        assert found == pytest.approx(float(np.linalg.norm(x, order)), rel=1e-6 if dtype == np.float32 else 1e-14)
        assert np.isfinite(gradient(lambda v, order=order: np.linalg.norm(v, order), x)).all()


def test_softmax_and_its_logarithm_with_infinities() -> None:
    for x, share in (
        ([0.0, -INF, 1.0], [1 / (1 + math.e), 0.0, math.e / (1 + math.e)]),
        ([1.0, INF, 2.0], [0.0, 1.0, 0.0]),
        ([1e308, -1e308, 1e308], [0.5, 0.0, 0.5]),
        ([-1e5, -1e5, -1e5 - 745], [0.5, 0.5, 0.0]),
    ):
        np.testing.assert_allclose(backlight.softmax(np.array(x)), share, atol=1e-300, rtol=1e-15)
        np.testing.assert_allclose(gradient(backlight.logsumexp, np.array(x)), share, atol=1e-300, rtol=1e-15)
        assert np.isfinite(gradient(lambda v: backlight.softmax(v)[0], np.array(x))).all()
        np.testing.assert_array_equal(
            gradient(lambda v: backlight.log_softmax(v)[2], np.array([0.0, -INF, 0.0]))[1], 0.0
        )


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (3,), (0, 1, 2, 3)])
def test_running_products_through_zeros(zeros: tuple[int, ...]) -> None:
    """Each partial derivative of a running product is a product of the other factors, whatever is zero."""
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[list(zeros)] = 0.0
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    wanted = [sum(weights[k] * np.prod(np.delete(x[: k + 1], i)) for k in range(i, 4)) for i in range(4)]
    np.testing.assert_allclose(gradient(lambda v: np.sum(np.cumprod(v) * weights), x), wanted, rtol=1e-15)
    np.testing.assert_allclose(gradient(np.prod, x), [np.prod(np.delete(x, i)) for i in range(4)], rtol=1e-15)
    hessian = backlight.hessian(np.prod)(x)
    for i in range(4):
        for j in range(4):
            assert hessian[i, j] == (0.0 if i == j else np.prod(np.delete(x, [i, j])))


def test_ties_in_order_statistics() -> None:
    """The gradient of an order statistic adds up to one, and reaches elements of that value only."""
    x = np.array([2.0, 1.0, 2.0, 2.0, 5.0])
    for f in (np.median, lambda v: np.percentile(v, 50), lambda v: np.quantile(v, 0.5), np.max, np.min):
        g = gradient(f, x)
        assert g.sum() == pytest.approx(1.0, rel=1e-15)
        assert set(x[g != 0]) == {float(f(x))}
    constant = np.full(4, 3.0)
    np.testing.assert_array_equal(gradient(np.var, constant), np.zeros(4))
    np.testing.assert_array_equal(gradient(np.std, constant), np.zeros(4))


def test_interpolation_at_a_knot() -> None:
    """At a knot the slope is that of one of the two pieces, and the value's gradient is the knot's own."""
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([1.0, 5.0, 2.0])
    for x in (0.0, 1.0, 3.0):
        leaf, values = backlight.array(np.array(x)), backlight.array(fp)
        y = np.interp(leaf, xp, values)
        by_x, by_values = (plain(g) for g in gradients_of([y], [np.ones(())], [leaf, values]))
        assert by_x in (4.0, -1.5, 0.0)
        np.testing.assert_array_equal(by_values, xp == x)


def test_phases_of_an_imaginary_zero() -> None:
    assert cmath.asin(2 + 0j).imag == -cmath.asin(complex(2, -0.0)).imag
    above, below = (towers(P.arcsin, complex(2, zero), np.complex128, 1)[0] for zero in (0.0, -0.0))
    assert above == below.conjugate() == pytest.approx(1j / math.sqrt(3), rel=1e-15)
