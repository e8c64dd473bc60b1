"""What the polynomial kernels share: the two floating-point formats, polynomials, and sums that keep their rounding."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from backlight.compiler.ir import Function, Value, lanes, scalar, vector

__all__ = [
    "DOUBLE",
    "SINGLE",
    "Format",
    "Pair",
    "at_least",
    "at_most",
    "bits_of",
    "fast_sum",
    "form",
    "in_double",
    "integers",
    "polynomial",
    "product",
    "refined",
    "sign_of",
]


class Format(NamedTuple):
    """A binary floating-point format: 1 sign bit, the exponent with its bias, ``fraction`` bits."""

    kind: str
    integer: str
    fraction: int
    bias: int
    magic: float  # 1.5 · 2^fraction: adding it rounds to a whole number, which then stands in the lowest bits
    smallest: float  # the smallest number that is not subnormal
    sign: int  # the sign bit, as a signed integer

    @property
    def size(self) -> int:
        """The number of bits."""
        return 32 if self.kind == "float" else 64

    @property
    def one(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.fraction

    @property
    def mask(self) -> int:
        """The bits of the fraction."""
        return (1 << self.fraction) - 1


SINGLE = Format("float", "i32", 23, 127, 1.5 * 2.0**23, 2.0**-126, -(1 << 31))
DOUBLE = Format("double", "i64", 52, 1023, 1.5 * 2.0**52, 2.0**-1022, -(1 << 63))


def form(x: Value) -> Format:
    """The format of a value's lanes."""
    return SINGLE if scalar(x.kind) == "float" else DOUBLE


def integers(x: Value) -> Value:
    """The bits of a floating-point number."""
    return x.bitcast(form(x).integer)


def bits_of(number: float) -> int:
    """The bits of a double."""
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """c0 + c1·x + c2·x² + … by Horner's scheme, each step rounded once."""
    total = x.b.const(x.kind, coefficients[-1])
    for each in coefficients[-2::-1]:
        total = x.b.fma(total, x, each)
    return total


def at_least(x: Value, low: float) -> Value:
    """max(x, low) as one instruction; nan stays."""
    bound = x.b.const(x.kind, low)
    return bound.gt(x).select(bound, x)


def at_most(x: Value, high: float) -> Value:
    """min(x, high) as one instruction; nan stays."""
    bound = x.b.const(x.kind, high)
    return bound.lt(x).select(bound, x)


def sign_of(x: Value) -> Value:
    """The sign bit alone, in place."""
    return integers(x) & form(x).sign


def refined(function: Callable[..., Value]) -> Callable[..., Value]:
    """A function of doubles that takes singles too: computed in double, rounded once more."""

    def either(b: Function, *xs: Value) -> Value:
        if scalar(xs[0].kind) == "double":
            return function(b, *xs)
        return function(b, *[x.to_float("double") for x in xs]).to_float("float")

    either.__doc__ = function.__doc__
    return either


def in_double(x: Value) -> str:
    """The kind with as many doubles as ``x`` has lanes."""
    return vector("double", lanes(x.kind))


class Pair(NamedTuple):
    """An unevaluated sum ``high + low``, where low is a rounding error of high: twice the digits."""

    high: Value
    low: Value


def fast_sum(x: Value, y: Value) -> Pair:
    """x + y exactly, for |x| >= |y| (or x = 0): Dekker's sum (1971)."""
    high = x + y
    return Pair(high, (x - high) + y)


def product(b: Function, x: Pair, y: Pair) -> Pair:
    """x · y, with an error of some units of the low part."""
    high = x.high * y.high
    low = b.fma(x.high, y.high, -high)
    return Pair(high, b.fma(x.high, y.low, b.fma(x.low, y.high, low)))
