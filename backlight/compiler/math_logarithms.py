"""Logarithms, what is made of them, powers and the cube root as straight lines of vector instructions.

The coefficients were found as those of ``math_exponentials``.
"""

from __future__ import annotations

from typing import NamedTuple

from backlight.compiler.ir import Function, Value, scalar
from backlight.compiler.math_exponentials import exp2_pair
from backlight.compiler.math_tools import (
    DOUBLE,
    SINGLE,
    Pair,
    at_least,
    at_most,
    bits_of,
    fast_sum,
    form,
    integers,
    polynomial,
    product,
)

__all__ = ["arccosh", "arcsinh", "arctanh", "cbrt", "log", "log1p", "log2", "log2_pair", "log10", "power"]

INF, NAN = float("inf"), float("nan")
_ROOT_HALF = {"float": 0x3F3504F3, "double": 0x3FE6A09E667F3BCD}  # the bits of √½

# fit: (log(1 + f) - f + f²/2) / f³, √½ - 1 <= f <= √2 - 1; error 2⁻²⁷·³
_LOG_SINGLE = (
    0.3333333134651184,
    -0.250008225440979,
    0.20001260936260223,
    -0.16623327136039734,
    0.14200915396213531,
    -0.13159601390361786,
    0.12767505645751953,
    -0.076436847448349,
)
# fit: (log((1 + s)/(1 - s))/s - 2) / s² in s², |s| <= (√2 - 1)/(√2 + 1); error 2⁻⁵⁸·⁵
_LOG_DOUBLE = (
    0.6666666666666734,
    0.39999999999414093,
    0.2857142874253033,
    0.22222198557312775,
    0.18183565211250322,
    0.15314026439052783,
    0.14796205022282377,
)
# The same with two terms kept apart, for log2_pair: (log((1 + s)/(1 - s))/s - 2 - 2s²/3) / s⁴; error 2⁻⁷³·⁵
_LOG_PAIR = (
    0.3999999999999998,
    0.2857142857144522,
    0.22222222217510612,
    0.18181818873491107,
    0.15384556653974213,
    0.1333632578123086,
    0.11674648495526568,
    0.11990431298688689,
)
# As _LOG_DOUBLE, for powers in single precision: error 2⁻³⁷·⁶
_LOG_SHORT = (0.66666665641292, 0.40000336219069044, 0.2853723835424651, 0.23583568085622317)
# fit: (2ʳ - 1) / r, |r| <= 0.501; error 2⁻³²
_POWER_SHORT = (
    0.6931471838559803,
    0.24022650923491384,
    0.05550400291395146,
    0.00961805633998153,
    0.0013341984388477064,
    0.00015461599500017888,
    1.335998446959848e-05,
)
# Constants in two parts, the first one as the format rounds it.
_LN_2 = {
    "float": (0.6931471824645996, -1.9046542121259336e-09),
    "double": (0.6931471805599453, 2.3190468138462996e-17),
}
_LOG2_E = {
    "float": (1.4426950216293335, 1.925963033500011e-08),
    "double": (1.4426950408889634, 2.0355273740931033e-17),
}
_LOG10_E = {
    "float": (0.4342944920063019, -1.0103049952192578e-08),
    "double": (0.4342944819032518, 1.098319650216765e-17),
}
_LOG10_2 = {
    "float": (0.3010300099849701, -1.432098883924482e-08),
    "double": (0.3010299956639812, -2.8037281277851704e-18),
}


# -- Logarithms ----------------------------------------------------------------------------------------------------
#
# x = 2ᵉ · (1 + f) with √½ <= 1 + f < √2, by arithmetic on the bits: what exceeds the bits of √½ has e in front.


class _Curve(NamedTuple):
    """log(1 + f) = f + (a · c + d), kept apart; d may be missing."""

    a: Value
    c: Value
    d: Value | None

    def above(self, b: Function, base: Value) -> Value:
        """base + log(1 + f) - f."""
        return b.fma(self.a, self.c, base) if self.d is None else base + self.alone(b)

    def alone(self, b: Function) -> Value:
        return self.a * self.c if self.d is None else b.fma(self.a, self.c, self.d)


def _curve(b: Function, f: Value) -> _Curve:
    """Single: f³ · q(f) - f²/2. Double: with s = f/(2 + f), f = 2s + s·f and log(1 + f) = 2s + s³ · q(s²) (fdlibm)."""
    if form(f) is SINGLE:
        return _Curve(polynomial(f, (-0.5, *_LOG_SINGLE)), f * f, None)
    s = f / (f + 2.0)
    square = s * s
    half = f * f * 0.5
    return _Curve(s, b.fma(square, polynomial(square, _LOG_DOUBLE), half), -half)


class _Split(NamedTuple):
    """A number's e, as a number of its format, and f."""

    e: Value
    f: Value


def _excess(x: Value) -> Value:
    """The bits of x less those of √½: e in front, wrapping round where it is negative."""
    return integers(x) - _ROOT_HALF[scalar(x.kind)]


def _exponent(excess: Value, x: Value) -> Value:
    """e as a number of x's format; doubles without a conversion of 64-bit integers, which not every processor has."""
    of = form(x)
    if of is SINGLE:
        return excess.ashr(of.fraction).to_float(of.kind)
    biased = (excess + of.one) >> of.fraction
    return (biased | bits_of(of.magic)).bitcast(of.kind) - (of.magic + of.bias)


def _split(x: Value) -> _Split:
    """For positive x, subnormal ones too."""
    of = form(x)
    small = x.lt(of.smallest)
    excess = _excess(small.select(x * 2.0 ** (of.fraction + 1), x))
    e = _exponent(excess, x) - small.select(x.b.const(x.kind, of.fraction + 1.0), 0.0)
    return _Split(e, ((excess & of.mask) + _ROOT_HALF[of.kind]).bitcast(of.kind) - 1.0)


def _settled(x: Value, y: Value, pole: float) -> Value:
    """The logarithm y of x - pole: -∞ at the pole, nan below it and for nan, ∞ for ∞."""
    y = x.lt(INF).select(y, x)
    return x.gt(pole).select(y, x.eq(pole).select(x.b.const(x.kind, -INF), NAN))


def log(b: Function, x: Value) -> Value:
    """The natural logarithm, e · ln 2 + log(1 + f)."""
    high, low = _LN_2[scalar(x.kind)]
    e, f = _split(x)
    base = f if form(x) is SINGLE else b.fma(e, low, f)  # single precision: the second part is 0.05 ULP
    return _settled(x, b.fma(e, high, _curve(b, f).above(b, base)), 0.0)


def log1p(b: Function, x: Value) -> Value:
    """log(1 + x): e is that of 1 + x, but f = x · 2⁻ᵉ + (2⁻ᵉ - 1) is made of x itself, rounded once."""
    of = form(x)
    high, low = _LN_2[of.kind]
    excess = _excess(x + 1.0)
    e = _exponent(excess, x)
    power = (((of.bias + 2) << of.fraction) - (excess & ~of.mask)).bitcast(of.kind)  # 4 · 2⁻ᵉ, never subnormal
    f = b.fma(x * 0.25, power, b.fma(power, 0.25, -1.0))
    base = f if of is SINGLE else b.fma(e, low, f)
    y = _settled(x, b.fma(e, high, _curve(b, f).above(b, base)), -1.0)
    return b.intrinsic("fabs", x).lt(2.0 ** -(of.fraction + 3)).select(x, y)


def log2(b: Function, x: Value) -> Value:
    """The logarithm to base 2: e + log(1 + f) · log₂ e, exact for powers of 2."""
    high, low = _LOG2_E[scalar(x.kind)]
    e, f = _split(x)
    rest = b.fma(_curve(b, f).alone(b), high, f * low)
    return _settled(x, b.fma(f, high, e) + rest, 0.0)


def log10(b: Function, x: Value) -> Value:
    """The logarithm to base 10: e · log₁₀ 2 + log(1 + f) · log₁₀ e."""
    high, low = _LOG10_E[scalar(x.kind)]
    e, f = _split(x)
    near = f * high
    lost = b.fma(f, low, b.fma(f, high, -near))
    two, rest = _LOG10_2[scalar(x.kind)]
    whole = e * two
    lost = lost + b.fma(e, rest, b.fma(e, two, -whole))
    total = fast_sum(whole, near)
    return _settled(x, total.high + (total.low + b.fma(_curve(b, f).alone(b), high, lost)), 0.0)


# -- Inverse hyperbolic functions -------------------------------------------------------------------------------------


def arcsinh(b: Function, x: Value) -> Value:
    """sign(x) · log1p(a + a²/(1 + √(1 + a²))) with a = |x|; log(2a) where a² would overflow (fdlibm)."""
    size = b.intrinsic("fabs", x)
    far = size.gt(2.0 ** (form(x).fraction // 2 + 2))
    square = size * size
    inside = size + square / (b.intrinsic("sqrt", square + 1.0) + 1.0)
    return b.intrinsic("copysign", _log1p_of(b, far.select(size - 1.0, inside), far), x)


def arccosh(b: Function, x: Value) -> Value:
    """log1p(t + √(2t + t²)) with t = x - 1; log(2x) where t² would overflow."""
    far = x.gt(2.0 ** (form(x).fraction + 2))
    t = x - 1.0
    inside = t + b.intrinsic("sqrt", b.fma(t, t, t + t))
    y = _log1p_of(b, far.select(t, inside), far)
    return x.lt(1.0).select(NAN, y)


def _log1p_of(b: Function, x: Value, doubled: Value) -> Value:
    """log1p(x), and log 2 more where ``doubled``."""
    return log1p(b, x) + doubled.select(b.const(x.kind, 0.6931471805599453), 0.0)


def arctanh(b: Function, x: Value) -> Value:
    """log1p(2a/(1 - a)) / 2 with a = |x|."""
    size = b.intrinsic("fabs", x)
    return b.intrinsic("copysign", log1p(b, (size + size) / (1.0 - size)) * 0.5, x)


# -- Powers --------------------------------------------------------------------------------------------------------


def log2_pair(b: Function, x: Value) -> Pair:
    """log₂ of positive, finite doubles with an error below 2⁻⁶⁴, relative to the larger of e and the result."""
    e, f = _split(x)
    below = fast_sum(b.const(x.kind, 1.0), f + 1.0)
    inverse = 1.0 / below.high
    s = f * inverse
    s_pair = Pair(s, inverse * b.fma(-s, below.low, b.fma(-s, below.high, f)))
    square = product(b, s_pair, s_pair)
    third = product(b, square, Pair(b.const(x.kind, 2.0 / 3.0), b.const(x.kind, 3.700743415417188e-17)))
    sum_ = fast_sum(b.const(x.kind, 2.0), third.high)
    tail = square.high * square.high * polynomial(square.high, _LOG_PAIR)
    slope = Pair(sum_.high, sum_.low + (third.low + tail))
    per = Pair(*[b.const(x.kind, part) for part in _LOG2_E["double"]])
    y = product(b, product(b, s_pair, slope), per)
    total = fast_sum(e, y.high)
    return fast_sum(total.high, total.low + y.low)


def _short_power(b: Function, x: Value, y: Value) -> Value:
    """xʸ for positive singles x, computed in double and good enough to be rounded to single."""
    x, y = x.to_float("double"), y.to_float("double")
    excess = _excess(x)
    m = ((excess & DOUBLE.mask) + _ROOT_HALF["double"]).bitcast("double")
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    per = _LOG2_E["double"][0]
    z = y * b.fma(s, polynomial(square, (2.0 * per, *[per * c for c in _LOG_SHORT])), _exponent(excess, x))
    z = at_most(at_least(z, -300.0), 300.0)
    rounded = z + DOUBLE.magic
    p = polynomial(z - (rounded - DOUBLE.magic), (1.0, *_POWER_SHORT))
    return (integers(p) + (integers(rounded) << DOUBLE.fraction)).bitcast("double").to_float("float")


def power(b: Function, x: Value, y: Value) -> Value:
    """xʸ = 2^(y · log₂ |x|), with the special cases of C's ``pow``."""
    size, steep = b.intrinsic("fabs", x), b.intrinsic("fabs", y)
    if form(x) is SINGLE:
        result = _short_power(b, size, y)
    else:
        result = exp2_pair(b, product(b, Pair(y, b.const(y.kind, 0.0)), log2_pair(b, size)))
    whole = b.intrinsic("trunc", y).eq(y)
    half = y * 0.5
    odd = whole & b.intrinsic("trunc", half).ne(half)
    infinite = size.eq(INF)
    extreme = (infinite ^ y.lt(0.0)).select(b.const(x.kind, INF), 0.0)
    result = (infinite | size.eq(0.0)).select(extreme, result)
    result = odd.select(b.intrinsic("copysign", result, x), result)
    undefined = x.lt(0.0) & size.lt(INF) & ~whole
    result = (undefined | x.isnan() | y.isnan()).select(NAN, result)
    return (y.eq(0.0) | x.eq(1.0) | (size.eq(1.0) & steep.eq(INF))).select(1.0, result)


# -- Cube root -----------------------------------------------------------------------------------------------------


def cbrt(b: Function, x: Value) -> Value:
    """∛x = x · r², r = |x|^(-1/3): a third of the bits gives r to 4 %, three steps of Householder's method the rest."""
    of = form(x)
    size = b.intrinsic("fabs", x)
    small = size.lt(of.smallest)
    lift = 3 * (of.fraction // 3 + 1)
    a = small.select(size * 2.0**lift, size)
    r = _rough_inverse_root(a)
    for _ in range(2 if of is SINGLE else 3):
        error = b.fma(-(a * r * r), r, 1.0)
        r = b.fma(r * error, b.fma(error, 2.0 / 9.0, 1.0 / 3.0), r)
    y = a * r * r
    square = y * y
    missing = b.fma(-square, y, a) - b.fma(y, y, -square) * y
    y = b.fma(missing * (r * r), 1.0 / 3.0, y)
    y = small.select(y * 2.0 ** (-lift // 3), y)
    return (size.gt(0.0) & size.lt(INF)).select(b.intrinsic("copysign", y, x), x)


def _rough_inverse_root(a: Value) -> Value:
    """A number whose bits, taken as a logarithm, are -1/3 of those of ``a``."""
    of = form(a)
    if of is SINGLE:
        start = (4.0 / 3.0 * of.bias - 0.06) * 2.0**of.fraction
        return (integers(a).to_float(of.kind) * (-1.0 / 3.0) + start).to_int(of.integer).bitcast(of.kind)
    magic = bits_of(of.magic)  # the upper 32 bits are enough
    upper = ((integers(a) >> 32) | magic).bitcast(of.kind) - of.magic
    start = (4.0 / 3.0 * of.bias - 0.06) * 2.0 ** (of.fraction - 32)
    return (integers(upper * (-1.0 / 3.0) + (start + of.magic)) << 32).bitcast(of.kind)
