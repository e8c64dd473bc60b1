"""Sine, cosine, tangent and their inverses as straight lines of vector instructions.

The coefficients were found as those of ``math_exponentials``. Very large angles alone leave the straight line: they
are reduced one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backlight.compiler.ir import Function, Value, lanes, scalar
from backlight.compiler.math_reduction import angle_reduction
from backlight.compiler.math_tools import SINGLE, form, integers, polynomial, sign_of

__all__ = ["arccos", "arcsin", "arctan", "arctan2", "cos", "sin", "sine_and_cosine_of_turns", "tan"]

INF, NAN = float("inf"), float("nan")


class Circle(NamedTuple):
    """Coefficients and constants for one format."""

    sine: Sequence[float]  # fit: (sin(r)/r - 1) / r² in r², |r| <= π/4
    cosine: Sequence[float]  # fit: (cos(r) - 1 + r²/2) / r⁴ in r²
    quarter: tuple[float, float, float]  # π/2 in three parts, for single precision all positive: -0 stays -0
    largest: float  # from here on, angles are reduced one by one
    arctangent: Sequence[float]  # fit: (arctan(t)/t - 1) / t² in t², |t| <= 1
    arcsine: Sequence[float]  # fit: (arcsin(x)/x - 1) / x² in x², |x| <= 1/2


_CIRCLE = {
    "float": Circle(  # errors 2⁻²⁷·⁹, 2⁻³³, 2⁻²⁸·⁵, 2⁻²⁷·⁶
        sine=(-0.16666655242443085, 0.008332188241183758, -0.0001951809535967186),
        cosine=(0.04166664555668831, -0.0013887309469282627, 2.4432327336398885e-05),
        quarter=(1.5707962512969971, 7.549789415861596e-08, 5.390302529957765e-15),
        largest=2.0**15,
        arctangent=(
            -0.33333298563957214,
            0.1999852955341339,
            -0.1426401436328888,
            0.10950860381126404,
            -0.08399202674627304,
            0.057878728955984116,
            -0.031093347817659378,
            0.010866153053939342,
            -0.0017821153160184622,
        ),
        arcsine=(
            0.16666752099990845,
            0.07495306432247162,
            0.045469772070646286,
            0.02418077178299427,
            0.042166419327259064,
        ),
    ),
    "double": Circle(  # errors 2⁻⁵⁷·⁹, 2⁻⁶⁴, 2⁻⁵⁷·⁶, 2⁻⁵⁵·⁹
        sine=(
            -0.1666666666666663,
            0.008333333333322063,
            -0.00019841269829542612,
            2.75573136045269e-06,
            -2.5050745037896054e-08,
            1.589606751842719e-10,
        ),
        cosine=(
            0.041666666666666595,
            -0.0013888888888872975,
            2.4801587288800143e-05,
            -2.75573141640102e-07,
            2.087569871299526e-09,
            -1.1358423741878981e-11,
        ),
        quarter=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
        largest=2.0**28,
        arctangent=(
            -0.3333333333333307,
            0.1999999999995146,
            -0.14285714282575046,
            0.11111111007024052,
            -0.09090907002952502,
            0.07692279838833745,
            -0.06666404053874722,
            0.058805277933395836,
            -0.05253518463087819,
            0.04722321932279031,
            -0.04219178268678076,
            0.03664189817538939,
            -0.029903840331905202,
            0.02198483358063556,
            -0.013900543898209205,
            0.007196493453176333,
            -0.002884914333447591,
            0.0008313207017566995,
            -0.00015216068290645432,
            1.3225063692396648e-05,
        ),
        arcsine=(
            0.16666666666665403,
            0.07500000000338743,
            0.04464285682684084,
            0.03038195920050902,
            0.022371756479350233,
            0.01735972910910447,
            0.01388498903381238,
            0.012170866209286013,
            0.006520670118388601,
            0.019548646063075537,
            -0.016256819791653738,
            0.0319349789161064,
        ),
    ),
}
_TWO_OVER_PI = 0.6366197723675814


# -- Reduction to a quarter turn -----------------------------------------------------------------------------------


class _Quarter(NamedTuple):
    """x = n · π/2 + r + low: n modulo 4 in the lowest bits of ``turns``; low is missing in single precision."""

    turns: Value
    r: Value
    low: Value | None


def _reduce(b: Function, x: Value) -> _Quarter:
    """Cody and Waite's reduction with fused products: the first one is exact, the others are rounded once."""
    of, circle = form(x), _CIRCLE[scalar(x.kind)]
    rounded = b.fma(x, _TWO_OVER_PI, of.magic)
    n = rounded - of.magic
    first, second, third = circle.quarter
    r = b.fma(n, -first, x)
    low: Value | None = None
    if of is SINGLE:
        r = b.fma(n, -third, b.fma(n, -second, r))
    else:
        step = n * second
        lost = b.fma(n, second, -step)
        r, low = _difference(r, step)
        low = b.fma(n, -third, low - lost)
    return _reduce_large(b, x, _Quarter(integers(rounded), r, low))


def _difference(x: Value, y: Value) -> tuple[Value, Value]:
    """x - y exactly, where x is a multiple of the last place of y (Dekker, 1971)."""
    high = x - y
    return high, (x - high) - y


def _reduce_large(b: Function, x: Value, quarter: _Quarter) -> _Quarter:
    """Take angles from ``largest`` on out of the straight line. Infinite ones have become nan already."""
    size = b.intrinsic("fabs", x)
    large = size.ge(_CIRCLE[scalar(x.kind)].largest) & size.lt(INF)
    results = [each for each in quarter if each is not None]
    variables = [b.variable(each.kind, each) for each in results]
    some = b.intrinsic("vector.reduce.or", large, returns="i1") if lanes(x.kind) else large
    with b.when(some):
        places = [b.variable(each).place for each in (x.kind, quarter.turns.kind, x.kind, x.kind)]
        b.store(x, places[0])
        b.call(angle_reduction(b.module, x.kind), "void", *places)
        for variable, place in zip(variables, places[1:], strict=False):
            variable.set(large.select(b.load(place, variable.kind), variable.get()))
    turns, r, *low = [variable.get() for variable in variables]
    return _Quarter(turns, r, low[0] if low else None)


# -- Sine, cosine, tangent -----------------------------------------------------------------------------------------


def _sine(b: Function, quarter: _Quarter) -> Value:
    """sin(r + low); in single precision r · (1 + r² · q) keeps the sign of -0."""
    r, low = quarter.r, quarter.low
    square = r * r
    coefficients = _CIRCLE[scalar(r.kind)].sine
    if low is None:
        return r * polynomial(square, (1.0, *coefficients))
    # sin(r + low) = sin r + low · cos r, where cos r = 1 - r²/2 is near enough
    correction = b.fma(low * -0.5, square, low)
    return r + b.fma(r * square, polynomial(square, coefficients), correction)


def _cosine(b: Function, quarter: _Quarter) -> Value:
    """cos(r + low) = 1 - r²/2 + r⁴ · q - r · low, the rounding of 1 - r²/2 kept."""
    r, low = quarter.r, quarter.low
    square = r * r
    coefficients = _CIRCLE[scalar(r.kind)].cosine
    if low is None:
        return polynomial(square, (1.0, -0.5, *coefficients))
    first = b.fma(square, -0.5, 1.0)
    lost = b.fma(square, -0.5, 1.0 - first)
    return first + b.fma(square * square, polynomial(square, coefficients), b.fma(-r, low, lost))


def _odd(turns: Value) -> Value:
    """Whether the number of quarters is odd: its lowest bit, moved to where processors choose by it."""
    return (turns << (_size(turns) - 1)).lt(0)


def _size(turns: Value) -> int:
    """The number of bits of a lane."""
    return 32 if scalar(turns.kind) == "i32" else 64


def _upper(turns: Value) -> Value:
    """The second lowest bit, where the sign of a number stands."""
    size = _size(turns)
    return (turns << (size - 2)) & -(1 << (size - 1))


def _flipped(x: Value, sign: Value) -> Value:
    return (integers(x) ^ sign).bitcast(form(x).kind)


def _exact_when_tiny(b: Function, x: Value, y: Value) -> Value:
    """x itself where the function's next term is beyond the last digit; -0 stays -0."""
    return b.intrinsic("fabs", x).lt(2.0**-30).select(x, y)


def sin(b: Function, x: Value) -> Value:
    """sin x: by quarters sin r, cos r, -sin r, -cos r."""
    quarter = _reduce(b, x)
    y = _odd(quarter.turns).select(_cosine(b, quarter), _sine(b, quarter))
    y = _flipped(y, _upper(quarter.turns))
    return y if quarter.low is None else _exact_when_tiny(b, x, y)


def cos(b: Function, x: Value) -> Value:
    """cos x: by quarters cos r, -sin r, -cos r, sin r."""
    quarter = _reduce(b, x)
    y = _odd(quarter.turns).select(_sine(b, quarter), _cosine(b, quarter))
    return _flipped(y, _upper(quarter.turns + 1))


def tan(b: Function, x: Value) -> Value:
    """tan x = sin r / cos r, or -cos r / sin r in odd quarters."""
    quarter = _reduce(b, x)
    odd = _odd(quarter.turns)
    sine, cosine = _sine(b, quarter), _cosine(b, quarter)
    y = odd.select(-cosine, sine) / odd.select(sine, cosine)
    return y if quarter.low is None else _exact_when_tiny(b, x, y)


def sine_and_cosine_of_turns(b: Function, x: Value) -> tuple[Value, Value]:
    """sin πx and cos πx for doubles |x| < 2⁵⁰: 2x is reduced without any error, so zeros are exact."""
    of = form(x)
    rounded = b.fma(x, 2.0, of.magic)
    rest = b.fma(rounded - of.magic, -0.5, x)
    first, second, _ = _CIRCLE[of.kind].quarter
    r = rest * (2.0 * first)
    low = b.fma(rest, 2.0 * second, b.fma(rest, 2.0 * first, -r))
    turns = integers(rounded)
    quarter = _Quarter(turns, r, low)
    odd, sine, cosine = _odd(turns), _sine(b, quarter), _cosine(b, quarter)
    return (
        _flipped(odd.select(cosine, sine), _upper(turns)),
        _flipped(odd.select(sine, cosine), _upper(turns + 1)),
    )


# -- Inverses ------------------------------------------------------------------------------------------------------


def _arctangent(b: Function, t: Value) -> Value:
    """arctan t for 0 <= t <= 1."""
    square = t * t
    return b.fma(t * square, polynomial(square, _CIRCLE[scalar(t.kind)].arctangent), t)


def arctan(b: Function, x: Value) -> Value:
    """arctan x = π/2 - arctan(1/x) beyond 1."""
    high, low, _ = _CIRCLE[scalar(x.kind)].quarter
    size = b.intrinsic("fabs", x)
    steep = size.gt(1.0)
    angle = _arctangent(b, steep.select(1.0 / size, size))
    return b.intrinsic("copysign", steep.select(high - (angle - low), angle), x)


def arctan2(b: Function, y: Value, x: Value) -> Value:
    """The angle of the point (x, y), from the octant next to the x axis to the others by reflection."""
    high, low, _ = _CIRCLE[scalar(x.kind)].quarter
    rise, run = b.intrinsic("fabs", y), b.intrinsic("fabs", x)
    steep = rise.gt(run)
    above, below = steep.select(run, rise), steep.select(rise, run)
    infinite = above.eq(INF)  # both are: the diagonal
    above = infinite.select(1.0, above)
    below = (infinite | below.eq(0.0)).select(1.0, below)
    angle = _arctangent(b, above / below)
    angle = steep.select(high - (angle - low), angle)
    angle = integers(x).lt(0).select(2.0 * high - (angle - 2.0 * low), angle)
    angle = b.intrinsic("copysign", angle, y)
    return (x.isnan() | y.isnan()).select(NAN, angle)


def _arcsine(b: Function, t: Value, square: Value) -> Value:
    """arcsin t for |t| <= 1/2."""
    return b.fma(t * square, polynomial(square, _CIRCLE[scalar(t.kind)].arcsine), t)


class _Inner(NamedTuple):
    """Beyond 1/2, arcsin is taken of t = √((1 - |x|)/2)."""

    size: Value
    far: Value
    angle: Value


def _inner(b: Function, x: Value) -> _Inner:
    size = b.intrinsic("fabs", x)
    far = size.gt(0.5)
    half = size * -0.5 + 0.5
    square = far.select(half, x * x)
    t = far.select(b.intrinsic("sqrt", half), size)
    return _Inner(size, far, _arcsine(b, t, square))


def arcsin(b: Function, x: Value) -> Value:
    """arcsin |x| = π/2 - 2 arcsin √((1 - |x|)/2) beyond 1/2."""
    high, low, _ = _CIRCLE[scalar(x.kind)].quarter
    _, far, angle = _inner(b, x)
    return b.intrinsic("copysign", far.select(high - (angle * 2.0 - low), angle), x)


def arccos(b: Function, x: Value) -> Value:
    """arccos x = π/2 - arcsin x, or 2 arcsin √((1 - |x|)/2) beyond 1/2, or π less that for negative x."""
    high, low, _ = _CIRCLE[scalar(x.kind)].quarter
    _, far, angle = _inner(b, x)
    signed = _flipped(angle, sign_of(x))
    negative = integers(x).lt(0)
    double = angle * 2.0
    outer = negative.select(2.0 * high - (double - 2.0 * low), double)
    return far.select(outer, high - (signed - low))
