"""Exponentials and hyperbolic functions as straight lines of vector instructions.

The coefficients are minimax fits with a relative weight, found by Remez's exchange in 45-digit arithmetic (``fit`` says
of what, on which interval, with which error). For single precision they were rounded from the lowest degree on, each
time fitting the rest again; so the rounding of a coefficient costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backlight.compiler.ir import Function, Value, scalar
from backlight.compiler.math_tools import SINGLE, Pair, at_least, at_most, form, integers, polynomial

__all__ = [
    "cosh",
    "exp",
    "exp2",
    "exp2_pair",
    "expm1",
    "one_less_exp2",
    "one_plus_exp",
    "sech_squared",
    "sinh",
    "tanh",
]

# -- Exponentials --------------------------------------------------------------------------------------------------
#
# exp(x) = 2ⁿ · exp(r) with n = rint(x / ln 2) and |r| <= ln 2 / 2 (Cody & Waite, 1980). Adding ``magic`` rounds, and
# leaves n in the lowest bits of the sum, from where a shift takes it into the exponent.


class Exponential(NamedTuple):
    """Coefficients and limits for one format."""

    series: Sequence[float]  # fit: (exp(r) - 1 - r) / r², |r| <= 0.3475
    powers: Sequence[float]  # fit: (2ʳ - 1) / r, |r| <= 0.501
    ln2: tuple[float, float]  # in two parts; products with n and the first part are exact in a fused step
    lowest: float  # below it exp is 0
    highest: float  # above it exp is ∞; one more does no harm
    spare: int  # 2^±spare shifts every result, subnormal ones too, into the range of full precision
    small: float  # expm1(x) = x to the last digit for |x| below


_EXPONENTIAL = {
    "float": Exponential(  # errors 2⁻²⁵·⁸ of exp(r) - 1, 2⁻²⁶
        series=(
            0.4999999701976776,
            0.1666654795408249,
            0.041667308658361435,
            0.008366560563445091,
            0.0013886995147913694,
        ),
        powers=(
            0.6931471824645996,
            0.24022650718688965,
            0.05550365522503853,
            0.009618057869374752,
            0.0013388452352955937,
            0.00015467974299099296,
        ),
        ln2=(0.6931471824645996, -1.9046542121259336e-09),
        lowest=-104.0,
        highest=89.0,
        spare=64,
        small=2.0**-26,
    ),
    "double": Exponential(  # errors 2⁻⁵⁷·⁹ of exp(r), 2⁻⁶³·⁹
        series=(
            0.5000000000000011,
            0.16666666666666405,
            0.041666666666527366,
            0.00833333333349779,
            0.001388888894447028,
            0.00019841269501400235,
            2.4801492135405682e-05,
            2.7557589124919897e-06,
            2.7630621053256353e-07,
            2.4999793761059946e-08,
        ),
        powers=(
            0.6931471805599453,
            0.24022650695910072,
            0.055504108664821736,
            0.009618129107628564,
            0.0013333558146380966,
            0.00015403530393168346,
            1.5252733865597994e-05,
            1.3215487006075706e-06,
            1.0178047214053099e-07,
            7.054814023895781e-09,
            4.457287445537465e-10,
            2.585599489747288e-11,
        ),
        ln2=(0.6931471805599453, 2.3190468138462996e-17),
        lowest=-746.0,
        highest=710.0,
        spare=512,
        small=2.0**-55,
    ),
}
_LOG2_E = 1.4426950408889634


class _Reduced(NamedTuple):
    """x = n / per + r: n plus a bias in the lowest bits, and r."""

    bits: Value
    r: Value


def _reduce(b: Function, x: Value, per: float, parts: Sequence[float], bias: int) -> _Reduced:
    """n = rint(x · per), r = x - n · (the sum of parts)."""
    magic = form(x).magic + bias
    rounded = b.fma(x, per, magic)
    n = rounded - magic
    r = x
    for part in parts:
        r = b.fma(n, -part, r)
    return _Reduced(integers(rounded), r)


def _scaled(b: Function, p: Value, bits: Value, x: Value) -> Value:
    """p · 2ⁿ for ``bits`` with the bias of an exponent, with gradual underflow; n has the sign of x.

    The exponent first goes to where the result is not subnormal and finite, then a product takes it back. Adding
    integers to the bits of a nan may make a number of it; x · 0 makes it nan again.
    """
    of, spare = form(p), _EXPONENTIAL[scalar(p.kind)].spare
    back = ((integers(x) >> 1) & (1 << (of.size - 2))) ^ ((of.bias + spare) << of.fraction)  # 2^±spare
    shifted = integers(p) - back + (bits << of.fraction)
    return b.fma(shifted.bitcast(of.kind), back.bitcast(of.kind), x * 0.0)


def _normal_exp(b: Function, x: Value, shift: int = 0) -> Value:
    """exp(x) · 2^shift, where that is neither subnormal nor infinite; of nan it is anything."""
    of, data = form(x), _EXPONENTIAL[scalar(x.kind)]
    reduced = _reduce(b, x, _LOG2_E, data.ln2, shift)
    p = polynomial(reduced.r, (1.0, 1.0, *data.series))
    return (integers(p) + (reduced.bits << of.fraction)).bitcast(of.kind)


def exp(b: Function, x: Value) -> Value:
    """eˣ, with gradual underflow."""
    of, data = form(x), _EXPONENTIAL[scalar(x.kind)]
    x = at_most(at_least(x, data.lowest), data.highest)
    reduced = _reduce(b, x, _LOG2_E, data.ln2, of.bias)
    return _scaled(b, polynomial(reduced.r, (1.0, 1.0, *data.series)), reduced.bits, x)


def exp2(b: Function, x: Value) -> Value:
    """2ˣ; x - n is exact."""
    of, data = form(x), _EXPONENTIAL[scalar(x.kind)]
    x = at_most(at_least(x, -(of.bias + of.fraction + 1.0)), of.bias + 2.0)
    reduced = _reduce(b, x, 1.0, (1.0,), of.bias)
    return _scaled(b, polynomial(reduced.r, (1.0, *data.powers)), reduced.bits, x)


def exp2_pair(b: Function, x: Pair) -> Value:
    """2^(high + low), with gradual underflow."""
    of = form(x.high)
    high = at_most(at_least(x.high, -1100.0), 1100.0)
    low = b.intrinsic("fabs", x.high).lt(1100.0).select(x.low, 0.0)  # of an overflow it is nan
    rounded = high + of.magic
    n = rounded - of.magic
    p = polynomial((high - n) + low, (1.0, *_EXPONENTIAL[of.kind].powers))
    # 2ⁿ in two halves: n may be beyond every exponent
    half = integers(n * 0.5 + (of.magic + of.bias))
    other = integers(rounded) - half + 2 * of.bias
    return p * (half << of.fraction).bitcast(of.kind) * (other << of.fraction).bitcast(of.kind)


def one_plus_exp(b: Function, x: Value) -> Value:
    """1 + eˣ, what a sigmoid divides by: what the 1 swallows needs no care."""
    x = at_most(at_least(x, -80.0), _EXPONENTIAL[scalar(x.kind)].highest)
    return b.fma(_normal_exp(b, x, -1), 2.0, b.fma(x, 0.0, 1.0))  # nan · 0 = nan


def _less_one(b: Function, r: Value, slope: Value, bits: Value, half: bool = False) -> Value:
    """2ⁿ · (1 + r · slope) - 1, rounded once more than the slope; -0 for r = -0. Or half of it, for n less 1."""
    of = form(r)
    power = (bits << of.fraction).bitcast(of.kind)
    return b.fma(r * power, slope, -((0.5 if half else 1.0) - power))


def expm1(b: Function, x: Value) -> Value:
    """eˣ - 1 = 2ⁿ · (exp(r) - 1) + (2ⁿ - 1), first half of it, so that 2ⁿ does not overflow before its time."""
    of, data = form(x), _EXPONENTIAL[scalar(x.kind)]
    inside = at_most(at_least(x, -0.75 * (of.fraction + 2)), data.highest)
    reduced = _reduce(b, inside, _LOG2_E, data.ln2, of.bias - 1)
    half = _less_one(b, reduced.r, polynomial(reduced.r, (1.0, *data.series)), reduced.bits, half=True)
    return b.intrinsic("fabs", x).lt(data.small).select(x, half + half)


def one_less_exp2(b: Function, y: Value) -> Value:
    """1 - 2⁻ʸ for y >= 0 that is not large, with all digits for small y."""
    of, data = form(y), _EXPONENTIAL[scalar(y.kind)]
    magic = of.magic + of.bias
    rounded = magic - y
    r = (magic - rounded) - y
    return -_less_one(b, r, polynomial(r, data.powers), integers(rounded))


# -- Hyperbolic functions ------------------------------------------------------------------------------------------

# fit: (sinh(x)/x - 1) / x² in x², |x| <= 1.0005; errors 2⁻³¹·⁶ and 2⁻⁶³·³
_SINH = {
    "float": (0.1666666716337204, 0.00833331048488617, 0.00019842891197185963, 2.782267074508127e-06),
    "double": (
        0.16666666666666669,
        0.008333333333333146,
        0.00019841269841432678,
        2.7557319156805367e-06,
        2.5052123180825382e-08,
        1.6057256208431564e-10,
        7.758860397581637e-13,
    ),
}


def tanh(b: Function, x: Value) -> Value:
    """tanh x = m / (m + 2) with m = exp(2x) - 1: one division, never beyond ±1, and -0 stays -0."""
    of, data = form(x), _EXPONENTIAL[scalar(x.kind)]
    end = 9.5 if of is SINGLE else 20.0  # where tanh has long been 1
    x = at_most(at_least(x, -end), end)
    # With n · ln 2 in one part, single precision loses nothing: where n is large, tanh hardly depends on it.
    parts = [0.5 * part for part in (data.ln2[:1] if of is SINGLE else data.ln2)]
    reduced = _reduce(b, x, 2.0 * _LOG2_E, parts, of.bias)
    doubled = [c * 2.0 ** (k + 1) for k, c in enumerate((1.0, *data.series))]  # the series of exp(2r)
    m = _less_one(b, reduced.r, polynomial(reduced.r, doubled), reduced.bits)
    return m / (m + 2.0)


def sech_squared(b: Function, x: Value) -> Value:
    """1 / cosh² x = 4e / (1 + e)², e = exp(-2|x|); the e above the line is enlarged, to fade gradually at the end."""
    data = _EXPONENTIAL[scalar(x.kind)]
    exponent = at_least(b.intrinsic("fabs", x) * -2.0, data.lowest - 4.0)
    large = _normal_exp(b, exponent, data.spare)
    below = b.fma(large, 2.0**-data.spare, b.fma(exponent, 0.0, 1.0))
    return large / (below * below) * (4.0 * 2.0**-data.spare)


def _half_exp(b: Function, size: Value) -> Value:
    """exp(size) / 2 for size >= 0: finite a little longer than exp itself."""
    data = _EXPONENTIAL[scalar(size.kind)]
    size = at_most(size, data.highest + 1.0)
    return b.fma(_normal_exp(b, size, -1 - data.spare), 2.0**data.spare, size * 0.0)


def cosh(b: Function, x: Value) -> Value:
    """cosh x = h + 1/(4h) with h = exp(|x|) / 2."""
    h = _half_exp(b, b.intrinsic("fabs", x))
    return h + 0.25 / h


def sinh(b: Function, x: Value) -> Value:
    """sinh |x| = h - 1/(4h); below 1, where that would cancel, x + x³ · q(x²)."""
    size = b.intrinsic("fabs", x)
    h = _half_exp(b, size)
    square = x * x
    near = b.fma(x * square, polynomial(square, _SINH[scalar(x.kind)]), x)
    return size.lt(1.0).select(near, b.intrinsic("copysign", h - 0.25 / h, x))
