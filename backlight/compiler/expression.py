"""What a ``Map`` says, written as instructions on registers: NumPy's arithmetic on scalars and vectors.

Operands know their dtype, because the registers of LLVM do not know a sign; Python numbers are weak, as in NumPy 2:
they take the dtype of what they meet. Truth values are ``i1`` in registers and bytes in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler import math
from backlight.compiler.ir import Function, Value, bits, lanes, scalar, vector
from backlight.compiler.math import exp
from backlight.compiler.processor import processor

__all__ = [
    "combine",
    "compilable",
    "convert",
    "evaluate",
    "exp",
    "identity",
    "load_as",
    "memory_kind",
    "register_kind",
    "store_as",
    "unsupported",
]

BOOL, INT64, FLOAT64 = np.dtype(bool), np.dtype(np.int64), np.dtype(np.float64)


# -- Types ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def compilable(dtype: Any) -> bool:
    """Whether numbers of this dtype have a place in the processor's registers: booleans, integers, float32, float64."""
    dtype = np.dtype(dtype)
    return dtype.isnative and (dtype.kind in "iub" or (dtype.kind == "f" and dtype.itemsize in (4, 8)))


@lru_cache(maxsize=256)
def register_kind(dtype: Any) -> str:
    """The LLVM type of one number in a register."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return "float" if dtype.itemsize == 4 else "double"
    return "i1" if dtype.kind == "b" else f"i{8 * dtype.itemsize}"


def memory_kind(dtype: Any) -> str:
    """The LLVM type of one number in memory, where a truth value is a byte."""
    kind = register_kind(dtype)
    return "i8" if kind == "i1" else kind


def load_as(b: Function, x: Value, dtype: Any) -> Value:
    """What was read from memory, as it stands in a register."""
    return x.ne(0) if register_kind(dtype) == "i1" else x


def store_as(b: Function, x: Value, dtype: Any) -> Value:
    """A register as it is written to memory."""
    return x.to_int("i8", signed=False) if register_kind(dtype) == "i1" else x


def convert(b: Function, x: Value, source: Any, target: Any) -> Value:
    """NumPy's ``astype``. What no integer can hold becomes some integer, as in C, but nothing worse."""
    source, target = np.dtype(source), np.dtype(target)
    if source == target:
        return x
    kind = register_kind(target)
    if target.kind == "b":
        return x.ne(0)
    if source.kind == "b":
        return x.select(b.const(vector(kind, lanes(x.kind)), 1), 0)
    if target.kind == "f":
        return x.to_float(kind, signed=source.kind == "i")
    if source.kind == "f":
        return _truncated(b, x, target)
    return x.to_int(kind, signed=source.kind == "i")


def _truncated(b: Function, x: Value, target: Any) -> Value:
    """A floating-point number towards zero. What does not fit becomes what NumPy makes of it on this processor, where
    signed integers are concerned; large unsigned ones are put together from two halves, as compilers for x86 do it."""
    kind = "i64" if target.itemsize == 8 else "i32"
    if target.kind == "i" or target.itemsize < 4:
        return _nearest(b, x, kind).to_int(register_kind(target))
    top = 1 << bits(kind) - 1
    far = x.ge(float(top))
    whole = _nearest(b, far.select(x - float(top), x), kind)
    return far.select(whole ^ -top, whole)


def _nearest(b: Function, x: Value, kind: str) -> Value:
    """A signed integer; where none fits, the nearest, or on x86 always the smallest."""
    top, kind = 2.0 ** (bits(kind) - 1), vector(kind, lanes(x.kind))
    whole = b.intrinsic("fptosi.sat", x, returns=kind, overload=(kind, x.kind))
    return x.lt(top).select(whole, -int(top)) if processor().triple.startswith("x86") else whole


# -- Folds ---------------------------------------------------------------------------------------------------------


def identity(name: str, dtype: Any) -> Any:
    """What a fold starts from: it changes nothing it is combined with."""
    dtype = np.dtype(dtype)
    if name in ("maximum", "minimum"):
        low, high = (-np.inf, np.inf) if dtype.kind == "f" else (0, 1) if dtype.kind == "b" else _limits(dtype)
        return low if name == "maximum" else high
    return {"add": 0, "multiply": 1, "logical_or": 0, "logical_and": 1}[name]


def _limits(dtype: Any) -> tuple[int, int]:
    """The smallest and the largest integer; LLVM writes the largest unsigned one as -1."""
    limits = np.iinfo(dtype)
    return (0, -1) if dtype.kind == "u" else (limits.min, limits.max)


def combine(b: Function, name: str, x: Value, y: Value, dtype: Any) -> Value:
    """One step of a fold: ``add multiply maximum minimum logical_or logical_and``; nan wins a maximum or minimum."""
    dtype = np.dtype(dtype)
    if name.startswith("logical"):
        both = [convert(b, each, dtype, BOOL) for each in (x, y)]
        return convert(b, both[0] | both[1] if name == "logical_or" else both[0] & both[1], BOOL, dtype)
    return _ARITHMETIC[_FOLDS[name]](b, x, y, dtype)


_FOLDS = {"add": "add", "multiply": "mul", "maximum": "max", "minimum": "min"}


# -- Arithmetic on two registers of one dtype ------------------------------------------------------------------------

Binary = Callable[[Function, Value, Value, Any], Value]


def _compare(word: str) -> Binary:
    """A comparison by name: ordered for floating point, by sign for integers; false is less than true."""

    def compare(b: Function, x: Value, y: Value, dtype: Any) -> Value:
        if dtype.kind == "f":
            instruction = f"fcmp o{word}"
        elif word == "eq":
            instruction = "icmp eq"
        else:
            instruction = f"icmp {'s' if dtype.kind == 'i' else 'u'}{word}"
        return b.write(vector("i1", lanes(x.kind)), f"{instruction} {x.kind} {x.text}, {y.text}")

    return compare


def _extreme(word: str) -> Binary:
    """max (``gt``) or min (``lt``). For floating point one instruction that gives y if there is a nan, then x's nan."""
    compare = _compare(word)

    def extreme(b: Function, x: Value, y: Value, dtype: Any) -> Value:
        if dtype.kind == "b":
            return x | y if word == "gt" else x & y
        if dtype.kind != "f":
            return compare(b, x, y, dtype).select(x, y)
        if y.text[0] != "%":  # a constant must not be the last: x's nan comes out by itself
            x, y = y, x
        better = compare(b, x, y, dtype).select(x, y)
        return better if x.text[0] != "%" and not _is_nan_text(x) else x.isnan().select(x, better)

    return extreme


def _is_nan_text(x: Value) -> bool:
    """Whether there is a nan in a constant, as LLVM writes it."""
    return "0x7FF8" in x.text or "0xFFF8" in x.text


def _divide(b: Function, x: Value, y: Value, dtype: Any) -> Value:
    """x / y; of integers the quotient towards zero, 0 for y = 0 and wrapping round for the smallest by -1."""
    if dtype.kind == "f":
        return x / y
    if dtype.kind == "b":
        return x & y
    nothing = y.eq(0)
    if dtype.kind == "u":
        return nothing.select(0, x // nothing.select(1, y))
    minus = y.eq(-1)
    return nothing.select(0, minus.select(-x, x / (nothing | minus).select(1, y)))


def _remainder(b: Function, x: Value, y: Value, dtype: Any) -> Value:
    """C's remainder of integers, with the sign of x; 0 for y = 0."""
    if dtype.kind == "b":
        return x & ~x
    if dtype.kind == "u":
        nothing = y.eq(0)
        return nothing.select(0, x % nothing.select(1, y))
    y = (y.eq(0) | y.eq(-1)).select(1, y)
    return b.write(x.kind, f"srem {x.kind} {x.text}, {y.text}")


def _copysign(b: Function, x: Value, y: Value, dtype: Any) -> Value:
    """The size of x with the sign of y."""
    if dtype.kind == "f":
        return b.intrinsic("copysign", x, y)
    size = _absolute(b, x, dtype)
    return y.lt(0).select(-size, size) if dtype.kind == "i" else size


def _shift_left(b: Function, x: Value, y: Value, dtype: Any) -> Value:
    """x · 2ʸ; by all bits or more it is 0, and a negative y counts as more."""
    inside = y.below(bits(x.kind))
    return inside.select(x << inside.select(y, 0), 0)


def _shift_right(b: Function, x: Value, y: Value, dtype: Any) -> Value:
    inside = y.below(bits(x.kind))
    if dtype.kind == "i":
        return x.ashr(inside.select(y, bits(x.kind) - 1))
    return inside.select(x >> inside.select(y, 0), 0)


def _power(b: Function, x: Value, y: Value, dtype: Any) -> Value:
    """xʸ of integers, by squaring, bit by bit of y."""
    result, factor, rest = (b.variable(x.kind, start) for start in (1, x, y))
    with b.loop(bits(x.kind)):
        odd = (rest.get() & 1).ne(0)
        result.set(odd.select(result.get() * factor.get(), result.get()))
        factor.set(factor.get() * factor.get())
        rest.set(rest.get() >> 1)
    return result.get()


_ARITHMETIC: dict[str, Binary] = {
    "add": lambda b, x, y, dtype: x | y if dtype.kind == "b" else x + y,
    "sub": lambda b, x, y, dtype: x ^ y if dtype.kind == "b" else x - y,
    "mul": lambda b, x, y, dtype: x & y if dtype.kind == "b" else x * y,
    "div": _divide,
    "pow": _power,
    "fmod": _remainder,
    "copysign": _copysign,
    "min": _extreme("lt"),
    "max": _extreme("gt"),
    "and": lambda b, x, y, dtype: x & y,
    "or": lambda b, x, y, dtype: x | y,
    "xor": lambda b, x, y, dtype: x ^ y,
    "shl": _shift_left,
    "shr": _shift_right,
}
_COMPARISONS: dict[str, Binary] = {word: _compare(word) for word in ("lt", "le", "gt", "ge", "eq")}


# -- One register --------------------------------------------------------------------------------------------------

Unary = Callable[[Function, Value, Any], Value]


def _absolute(b: Function, x: Value, dtype: Any) -> Value:
    if dtype.kind == "f":
        return b.intrinsic("fabs", x)
    if dtype.kind != "i":
        return x
    false = b.const("i1", 0)
    suffix = f"v{lanes(x.kind)}{scalar(x.kind)}" if lanes(x.kind) else x.kind
    return b.call(f"llvm.abs.{suffix}", x.kind, x, false)


def _rounded(intrinsic: str) -> Unary:
    return lambda b, x, dtype: b.intrinsic(intrinsic, x) if dtype.kind == "f" else x


def _constant_like(b: Function, x: Value, value: bool) -> Value:
    return b.const(vector("i1", lanes(x.kind)), value)


def _size_against_infinity(compare: str) -> Unary:
    """isinf (``oeq``) or isfinite (``one``, ordered and not equal): |x| beside ∞; integers are finite."""

    def ask(b: Function, x: Value, dtype: Any) -> Value:
        if dtype.kind != "f":
            return _constant_like(b, x, compare == "one")
        size, infinity = b.intrinsic("fabs", x), b.const(x.kind, np.inf)
        return b.write(vector("i1", lanes(x.kind)), f"fcmp {compare} {x.kind} {size.text}, {infinity.text}")

    return ask


def _sign_bit(b: Function, x: Value, dtype: Any) -> Value:
    if dtype.kind == "f":
        return x.bitcast("i32" if scalar(x.kind) == "float" else "i64").lt(0)
    return x.lt(0) if dtype.kind == "i" else _constant_like(b, x, False)


_UNARY: dict[str, Unary] = {
    "neg": lambda b, x, dtype: ~x if dtype.kind == "b" else -x,
    "abs": _absolute,
    "floor": _rounded("floor"),
    "ceil": _rounded("ceil"),
    "rint": _rounded("rint"),
    "trunc": _rounded("trunc"),
    "invert": lambda b, x, dtype: ~x,
    "conj": lambda b, x, dtype: x,
    "real": lambda b, x, dtype: x,
    "imag": lambda b, x, dtype: b.const(x.kind, 0),
}
_QUESTIONS: dict[str, Unary] = {
    "isnan": lambda b, x, dtype: x.isnan() if dtype.kind == "f" else _constant_like(b, x, False),
    "isinf": _size_against_infinity("oeq"),
    "isfinite": _size_against_infinity("one"),
    "signbit": _sign_bit,
    "truth": lambda b, x, dtype: convert(b, x, dtype, BOOL),
    "not": lambda b, x, dtype: ~convert(b, x, dtype, BOOL),
}
_OPERATIONS = {"select", *_ARITHMETIC, *_COMPARISONS, *_UNARY, *_QUESTIONS, *math.FUNCTIONS}


# -- Expressions ---------------------------------------------------------------------------------------------------


def unsupported(expression: Any, dtypes: Sequence[Any]) -> str:
    """Why an expression of inputs of these dtypes cannot be compiled: an operation or a dtype; "" if it can."""
    for dtype in dtypes:
        if not compilable(np.dtype(dtype)):
            return str(np.dtype(dtype))
    seen: set[int] = set()

    def search(part: Any) -> str:
        if not isinstance(part, tuple) or id(part) in seen:
            return ""
        seen.add(id(part))
        name, *arguments = part
        if name not in _OPERATIONS:
            return str(name)
        if name == "pow" and all(np.dtype(dtype).kind != "f" for dtype in dtypes) and _may_be_negative(part, dtypes):
            return "pow of signed integers"  # NumPy refuses negative exponents when it meets one
        return next((found for each in arguments if (found := search(each))), "")

    return search(expression)


def _may_be_negative(power: Any, dtypes: Sequence[Any]) -> bool:
    exponent = power[2]
    if isinstance(exponent, (int, float)):
        return exponent < 0
    return any(np.dtype(dtype).kind == "i" for dtype in dtypes)


class _Operand(NamedTuple):
    """A register and the dtype of what it holds."""

    x: Value
    dtype: Any


def evaluate(b: Function, expression: Any, xs: Sequence[Value], dtypes: Sequence[Any], out_dtype: Any) -> Value:
    """The value of a ``Map`` expression of the registers ``xs``, which hold numbers of ``dtypes``, as ``out_dtype``."""
    return _Evaluation(b, xs, dtypes, np.dtype(out_dtype)).result(expression)


class _Evaluation:
    """One expression being written; equal parts of it are written once."""

    def __init__(self, b: Function, xs: Sequence[Value], dtypes: Sequence[Any], out: Any) -> None:
        self.b = b
        self.inputs = [_Operand(x, np.dtype(dtype)) for x, dtype in zip(xs, dtypes, strict=True)]
        self.out = out
        self.lanes = lanes(xs[0].kind) if xs else 0
        self.parts: dict[int, Any] = {}  # by identity: expressions share their parts
        self.written: dict[Any, _Operand] = {}  # by operation and operands

    def result(self, expression: Any) -> Value:
        return self.as_dtype(self.of(expression), self.out)

    def of(self, part: Any) -> Any:
        """An operand, or a number that is still weak."""
        if isinstance(part, str):
            return self.inputs[int(part[1:])]
        if not isinstance(part, tuple):
            return part
        if id(part) not in self.parts:
            name, arguments = _fused(part)
            self.parts[id(part)] = self.operation(name, [self.of(each) for each in arguments])
        return self.parts[id(part)]

    def operation(self, name: str, operands: list[Any]) -> _Operand:
        key = (name, *[(each.x.text, each.dtype) if isinstance(each, _Operand) else repr(each) for each in operands])
        if key not in self.written:
            self.written[key] = self.write(name, operands)
        return self.written[key]

    def write(self, name: str, operands: list[Any]) -> _Operand:
        b = self.b
        if name == "select":
            condition = self.as_dtype(operands[0], BOOL)
            dtype, (then, otherwise) = self.together(operands[1:])
            return _Operand(condition.select(then, otherwise), dtype)
        if name in math.FUNCTIONS and (name not in _ARITHMETIC or self.together(operands)[0].kind == "f"):
            return self.function(name, operands)
        if name == "copysign":
            operands = self.whole_size(operands)
        dtype, values = self.together(operands)
        if name == "div" and dtype.kind != "f" and self.out.kind == "f":
            dtype, values = self.out, [self.as_dtype(each, self.out) for each in operands]
        if name == "div" and dtype.kind == "f" and (inverse := _exact_inverse(operands[1])):
            return _Operand(values[0] * inverse, dtype)
        if name in _COMPARISONS:
            return _Operand(_COMPARISONS[name](b, values[0], values[1], dtype), BOOL)
        if name in _ARITHMETIC:
            return _Operand(_ARITHMETIC[name](b, values[0], values[1], dtype), dtype)
        if name in _QUESTIONS:
            return _Operand(_QUESTIONS[name](b, values[0], dtype), BOOL)
        return _Operand(_UNARY[name](b, values[0], dtype), dtype)

    def function(self, name: str, operands: list[Any]) -> _Operand:
        """A function of real numbers, in floating point."""
        dtype, values = self.together(operands)
        if dtype.kind != "f":
            dtype = self.out if self.out.kind == "f" else FLOAT64
            values = [self.as_dtype(each, dtype) for each in operands]
        if name == "pow" and values[1].text[0] != "%" and (power := _small_power(values[0], values[1])):
            return _Operand(power, dtype)
        return _Operand(math.FUNCTIONS[name](self.b, *values), dtype)

    # -- Dtypes

    def together(self, operands: Sequence[Any]) -> tuple[Any, list[Value]]:
        """The dtype that NumPy computes in, and the operands in it."""
        strong = [each.dtype for each in operands if isinstance(each, _Operand)]
        weak = [each for each in operands if not isinstance(each, _Operand)]
        if strong:
            dtype = strong[0]
            for each in strong[1:]:
                dtype = dtype if each == dtype else np.promote_types(dtype, each)
        else:
            dtype = self.out
        if dtype.kind != "f" and any(isinstance(each, float) for each in weak):
            dtype = self.out if self.out.kind == "f" else FLOAT64
        elif dtype.kind == "b" and any(each not in (0, 1) for each in weak):
            dtype = INT64
        return dtype, [self.as_dtype(each, dtype) for each in operands]

    def as_dtype(self, operand: Any, dtype: Any) -> Value:
        if isinstance(operand, _Operand):
            if operand.dtype == dtype:
                return operand.x
            key = ("", operand.x.text, operand.dtype, dtype)
            if key not in self.written:
                self.written[key] = _Operand(convert(self.b, operand.x, operand.dtype, dtype), dtype)
            return self.written[key].x
        if dtype.kind == "u":  # LLVM writes integers with a sign
            operand = int(operand)
            operand -= (operand >> (8 * dtype.itemsize - 1)) << (8 * dtype.itemsize)
        return self.b.const(vector(register_kind(dtype), self.lanes), operand)

    def whole_size(self, operands: list[Any]) -> list[Any]:
        """Of ``copysign``: a whole number beside an integer is an integer too, whatever it is written as."""
        size, sign = operands
        if isinstance(sign, _Operand) and sign.dtype.kind in "iub" and isinstance(size, float) and size.is_integer():
            return [int(size), sign]
        return operands


def _fused(part: Any) -> tuple[str, Sequence[Any]]:
    """The operation and its arguments, or a kernel for two operations in one."""
    match part:
        case ("add", 1, ("exp", x)) | ("add", ("exp", x), 1):
            return "one_plus_exp", (x,)
        case ("div", 1, ("mul", ("cosh", x), ("cosh", y))) if x == y:
            return "sech_squared", (x,)
        case (name, *arguments):
            return name, arguments
    raise TypeError(f"no expression: {part!r}")


def _exact_inverse(number: Any) -> float:
    """1/number where number is a power of two, so that dividing by it is multiplying by that; else 0."""
    if isinstance(number, _Operand) or not isinstance(number, (int, float)) or number == 0:
        return 0.0
    inverse = 1.0 / number
    significand, exponent = np.frexp(float(number))
    return inverse if abs(significand) == 0.5 and abs(exponent) < 64 else 0.0


def _small_power(x: Value, y: Value) -> Value | None:
    """xʸ for constant y = 1, 2, 3, 4, -1 or 1/2, by products, a quotient or a root."""
    for exponent, power in _SMALL_POWERS.items():
        if y.text == x.b.const(y.kind, exponent).text:
            return power(x.b, x)
    return None


def _square_root(b: Function, x: Value) -> Value:
    """x to the power 1/2, which differs from √x at -0 and -∞."""
    return x.eq(-np.inf).select(np.inf, b.intrinsic("sqrt", x + 0.0))


_SMALL_POWERS: dict[float, Callable[[Function, Value], Value]] = {
    1.0: lambda b, x: x,
    2.0: lambda b, x: x * x,
    3.0: lambda b, x: x * x * x,
    4.0: lambda b, x: (x * x) * (x * x),
    -1.0: lambda b, x: 1.0 / x,
    0.5: _square_root,
}
