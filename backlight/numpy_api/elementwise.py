"""NumPy's elementwise functions that are not primitives themselves: compositions, number by number."""

from __future__ import annotations

from functools import partial
from math import pi
from typing import Any

import numpy as np

from backlight import views
from backlight.array import FUNCTIONS, Array, elementwise
from backlight.errors import DTypeError, message
from backlight.numpy_api.common import (
    CONSTANT,
    as_float,
    as_inexact,
    cast,
    constant,
    deliver,
    here,
    implements,
    operand,
    promote,
    read,
)
from backlight.primitive import REGISTRY as P
from backlight.primitive import Elementwise
from backlight.refusal import describe

__all__ = ["absolute", "clip", "register_primitives", "where"]


def register_primitives() -> None:
    """Every ufunc that has the name of an elementwise primitive is that primitive."""
    for ufunc in list(vars(np).values()):  # not dir(): asking for NumPy's lazy modules would import them
        if isinstance(ufunc, np.ufunc) and ufunc.__name__ in P and ufunc not in FUNCTIONS:
            record = getattr(P, ufunc.__name__)
            if isinstance(record, Elementwise):
                FUNCTIONS[ufunc] = partial(elementwise, record)
                if all(rule is None for rule in record.partials):
                    CONSTANT.add(ufunc)


# -- Parts of numbers ----------------------------------------------------------------------------------------------


@implements(np.absolute)
def absolute(x: Any) -> Any:
    """``|x|``; of a complex number ``hypot(real, imag)``, whose gradient at 0 is 0."""
    x = operand(x)
    return P.hypot(P.real(x), P.imag(x)) if x.dtype.kind == "c" else P.absolute(x)


@implements(np.fabs)
def fabs(x: Any) -> Any:
    """``|x|`` as a real floating-point number."""
    return P.absolute(as_float(operand(x), name="np.fabs"))


@implements(np.sign)
def sign(x: Any) -> Any:
    """-1, 0 or 1; of a complex number ``x / |x|``, and 0 at 0."""
    x = operand(x)
    if x.dtype.kind != "c":
        return P.sign(x)
    zero = P.equal(x, 0)
    return P.where(zero, 0, x / absolute(P.where(zero, 1, x)))


@implements(np.conjugate)
def conjugate(x: Any) -> Any:
    """The complex conjugate; a real number is its own."""
    x = operand(x)
    if x.dtype.kind == "b":
        return cast(x, np.int8)  # as NumPy's ufunc
    return P.conjugate(x) if x.dtype.kind == "c" else Array(x.node)


@implements(np.real)
def real(val: Any) -> Any:
    """The real part."""
    return views.real(operand(val))


@implements(np.imag)
def imag(val: Any) -> Any:
    """The imaginary part: zero for a real number."""
    return views.imag(operand(val))


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """The angle ``arctan2(imag, real)``."""
    z = operand(z)
    y = P.arctan2(imag(z), real(z)) if z.dtype.kind != "b" else P.arctan2(0.0, cast(z, float))
    return y * (180 / pi) if deg else y


@implements(np.positive)
def positive(x: Any) -> Any:
    """``+x``."""
    x = operand(x)
    if x.dtype.kind == "b":
        raise DTypeError(message("api_boolean", here(), function="np.positive"))
    return Array(x.node)


@implements(np.deg2rad, np.radians)
def radians(x: Any) -> Any:
    """Degrees to radians."""
    return as_float(operand(x), name="np.radians") * (pi / 180)


@implements(np.rad2deg, np.degrees)
def degrees(x: Any) -> Any:
    """Radians to degrees."""
    return as_float(operand(x), name="np.degrees") * (180 / pi)


@implements(np.float_power)
def float_power(x1: Any, x2: Any) -> Any:
    """``x1 ** x2`` in at least double precision."""
    x1, x2 = operand(x1), operand(x2)
    dtype = np.result_type(x1.dtype, x2.dtype, np.float64)
    return P.power(cast(x1, dtype), cast(x2, dtype))


@implements(np.divmod)
def divmod(x1: Any, x2: Any) -> Any:
    """``(x1 // x2, x1 % x2)``."""
    return P.floor_divide(x1, x2), P.remainder(x1, x2)


@implements(np.modf)
def modf(x: Any) -> Any:
    """The fractional and the whole part, both with the sign of ``x``."""
    x = as_float(operand(x), name="np.modf")
    whole = P.trunc(x)
    endless = P.isinf(x)
    return P.where(endless, P.copysign(0.0, x), x - P.where(endless, 0, whole)), whole


@implements(np.frexp)
def frexp(x: Any) -> Any:
    """The mantissa (0.5 ≤ |m| < 1) and the exponent of ``x = m · 2**e``; the exponent is constant."""
    x = as_float(operand(x), name="np.frexp")
    mantissa, exponent = np.frexp(read(x))
    nonzero = np.isfinite(mantissa) & (mantissa != 0)
    half = np.where(nonzero, exponent, 0) // 2  # in two steps: 2**-e alone overflows for the smallest numbers
    rest = np.where(nonzero, exponent, 0) - half
    return x * np.exp2(-half).astype(x.dtype) * np.exp2(-rest).astype(x.dtype), operand(exponent)


@implements(np.ldexp)
def ldexp(x1: Any, x2: Any) -> Any:
    """``x1 · 2**x2``."""
    x1, x2 = as_float(operand(x1), name="np.ldexp"), operand(x2)
    if x2.dtype.kind not in "biu":
        raise DTypeError(message("api_whole", here(), function="np.ldexp", operand=describe(x2)))
    return x1 * P.exp2(cast(x2, x1.dtype))


@implements(np.nextafter)
def nextafter(x1: Any, x2: Any) -> Any:
    """The next number after ``x1`` towards ``x2``: ``x1`` plus a constant too small to see."""
    x1, x2 = promote(x1, x2)
    start = read(x1)
    step = np.nextafter(start, read(x2)) - start
    return x1 + step


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """``sin(πx) / (πx)``, and 1 at 0; near 0 by its Taylor series, so that derivatives stay accurate there."""
    y = as_inexact(operand(x)) * pi
    near = P.less(absolute(y), 0.1)
    square = P.square(P.where(near, y, 0))
    series = 1 + square * (-1 / 6 + square * (1 / 120 + square * (-1 / 5040 + square / 362880)))
    far = P.where(near, 1, y)
    return P.where(near, series, P.sin(far) / far)


@implements(np.i0)
def i0(x: Any) -> Any:
    """The modified Bessel function ``1/2π ∫ exp(x cos t) dt`` over a whole turn.

    The trapezoidal rule with N points is off by a share of ``exp(-N²/2x)`` on a periodic function: nothing, for N = 256
    and every x whose result is finite.
    """
    x = as_inexact(operand(x))
    if x.dtype.kind == "c":
        raise DTypeError(message("complex_refused", here(), function="np.i0", operand=describe(x)))
    circle = np.cos(np.arange(256) * (2 * pi / 256)).astype(x.dtype)
    y = P.exp(P.reshape(x, shape=(*x.shape, 1)) * circle)
    return P.sum(y, axis=(len(x.shape),)) / 256


# -- Choosing ------------------------------------------------------------------------------------------------------


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    dtype: Any = None,
    where: Any = True,
) -> Any:
    """``x`` held between two bounds. On a bound the gradient is that of ``x``; beyond it, that of the bound."""
    x = operand(a) if dtype is None else cast(operand(a), dtype)
    low = a_min if min is None else min
    high = a_max if max is None else max
    y: Any = Array(x.node)
    if low is not None and not _out_of_reach(low, x.dtype, -1):
        y = P.where(P.less(y, low), low, y)
    if high is not None and not _out_of_reach(high, x.dtype, 1):
        y = P.where(P.greater(y, high), high, y)
    if where is not True:
        y = P.where(where, y, x if out is None else out)
    return deliver(y, out, spread=True)


def _out_of_reach(bound: Any, dtype: Any, side: int) -> bool:
    """Whether a Python integer lies beyond all that an integer dtype holds, so that it bounds nothing."""
    if type(bound) is not int or dtype.kind not in "iu":
        return False
    return bound > np.iinfo(dtype).max if side > 0 else bound < np.iinfo(dtype).min


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """NaN and the infinities replaced by numbers; the gradient passes where nothing was replaced."""
    x = operand(x)
    y: Any = Array(x.node)
    if x.dtype.kind == "c":
        parts = [_numbers(part, nan, posinf, neginf) for part in (P.real(x), P.imag(x))]
        y = parts[0] + 1j * parts[1]
    elif x.dtype.kind == "f":
        y = _numbers(x, nan, posinf, neginf)
    return y if copy else deliver(y, x)


def _numbers(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    limits = np.finfo(x.dtype)
    x = P.where(P.isnan(x), nan, x)
    x = P.where(P.equal(x, np.inf), limits.max if posinf is None else posinf, x)
    return P.where(P.equal(x, -np.inf), limits.min if neginf is None else neginf, x)


# -- Constant by nature ----------------------------------------------------------------------------------------------


@constant(np.round, np.around)
def round(a: Any, decimals: Any = 0, out: Any = None) -> Any:
    """Rounded to ``decimals``: a staircase, whose derivative is zero wherever it exists."""
    x = operand(a)
    if x.dtype.kind == "c":
        return deliver(round(P.real(x), decimals) + 1j * round(P.imag(x), decimals), out)
    if x.dtype.kind != "f":
        return deliver(operand(np.round(read(x), decimals)), out)
    if decimals == 0:
        return deliver(P.rint(x), out)
    scale = 10.0 ** abs(decimals)
    return deliver(P.rint(x * scale) / scale if decimals > 0 else P.rint(x / scale) * scale, out)


@constant(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """Rounded towards zero."""
    return deliver(P.trunc(operand(x)), out)


@constant(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """``|a - b| <= atol + rtol · |b|``; infinities are close to themselves."""
    a, b = operand(a), operand(b)
    with np.errstate(invalid="ignore"):
        near = P.less_equal(absolute(as_inexact(a - b)), atol + rtol * absolute(b))
        close = P.logical_or(P.logical_and(near, P.isfinite(b)), P.equal(a, b))
    return P.logical_or(close, P.logical_and(P.isnan(a), P.isnan(b))) if equal_nan else close


@constant(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: a Python bool."""
    return bool(np.all(isclose(a, b, rtol, atol, equal_nan)))


@constant(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Whether shapes and elements are equal: a Python bool."""
    return np.array_equal(read(a1), read(a2), equal_nan)


@constant(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    """Whether the elements are equal after broadcasting: a Python bool."""
    return np.array_equiv(read(a1), read(a2))


@constant(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """Where ``x`` is minus infinity."""
    return deliver(P.equal(x, -np.inf), out)


@constant(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """Where ``x`` is plus infinity."""
    return deliver(P.equal(x, np.inf), out)


@constant(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Where the imaginary part is not zero."""
    return P.not_equal(imag(x), 0)


@constant(np.isreal)
def isreal(x: Any) -> Any:
    """Where the imaginary part is zero."""
    return P.equal(imag(x), 0)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: Any = 100) -> Any:
    """The real part, if every imaginary part is within ``tol`` machine epsilons of zero."""
    x = operand(a)
    if x.dtype.kind != "c":
        return x
    close = np.isrealobj(np.real_if_close(read(x), tol))
    return P.real(x) if close else x


def _integers(ufunc: Any) -> None:
    @constant(ufunc)
    def apply(*xs: Any) -> Any:
        """NumPy's own, on the plain values."""
        return operand(ufunc(*[read(x) for x in xs]))


for _ufunc in (np.gcd, np.lcm, np.spacing, np.bitwise_count):
    _integers(_ufunc)


def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """``x`` where the condition holds and ``y`` elsewhere; with one argument, the positions where it holds."""
    if x is None and y is None:
        return np.nonzero(condition)
    return elementwise(P.where, condition, x, y)


FUNCTIONS[np.where] = where


# -- np.emath: leaving the real numbers where a function is not defined on them ----------------------------------------


def _widened(x: Any, outside: Any) -> Any:
    """``x`` as complex numbers, if any of them lies outside the real domain."""
    x = as_float(operand(x))
    complex_dtype = np.complex64 if x.dtype in (np.float16, np.float32) else np.result_type(x.dtype, np.complex128)
    return cast(x, complex_dtype) if x.dtype.kind == "f" and np.any(outside(read(x))) else x


def _real_or_complex(function: Any, name: str, outside: Any) -> None:
    @implements(function)
    def apply(x: Any) -> Any:
        """The primitive of that name, on complex numbers where real ones lie outside its domain."""
        return getattr(P, name)(_widened(x, outside))


for _name in ("sqrt", "log", "log2", "log10"):
    _real_or_complex(getattr(np.emath, _name), _name, lambda x: x < 0)
for _name in ("arccos", "arcsin", "arctanh"):
    _real_or_complex(getattr(np.emath, _name), _name, lambda x: abs(x) > 1)


@implements(np.emath.logn)
def logn(n: Any, x: Any) -> Any:
    """The logarithm of ``x`` to the base ``n``, complex where ``x`` is negative."""
    return P.log(_widened(x, lambda v: v < 0)) / P.log(_widened(n, lambda v: v < 0))


@implements(np.emath.power)
def power(x: Any, p: Any) -> Any:
    """``x ** p``, complex where ``x`` is negative."""
    x, p = operand(x), operand(p)
    return P.power(_widened(x, lambda v: v < 0) if np.any(np.less(read(x), 0)) else x, p)
