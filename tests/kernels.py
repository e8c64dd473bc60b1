"""A slow reference evaluator for the neutral kernels: plain Python loops over plain Python numbers.

It is written from the descriptions in ``primitive.py`` and from nothing else, so that a record's ``kernel`` and its
``value`` are two independent statements of one function. ``evaluate(kernel, inputs, shape)`` gives a float64,
complex128, integer or boolean array of that shape.

The scalar vocabulary of ``Map`` is the key set of ``UNARY``, ``BINARY`` and ``select``. Special functions are
computed from their series here, so that SciPy is not compared with itself.

``Library`` (dense linear algebra and sorting: a routine's name says nothing that could be evaluated), ``Draw`` (the
generator has published test vectors of its own) and ``Loop`` (its body is a graph, run by the interpreter) are left
out: ``EXEMPT`` names them.
"""

from __future__ import annotations

import cmath
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.primitive import Contract, Draw, Gather, Kernel, Library, Loop, Map, Move, Reduce, Scatter, Window

EXEMPT = (Library, Draw, Loop)

INF, NAN = math.inf, math.nan


# -- Scalar functions --------------------------------------------------------------------------------------------


def _of(real: Callable[..., Any], complex_: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A scalar function of math (or cmath) in which overflow is ∞ and what is undefined nan."""

    def function(*x: Any) -> Any:
        if any(isinstance(v, complex) for v in x):
            assert complex_ is not None
            return complex_(*x)
        try:
            return real(*x)
        except OverflowError:
            return INF
        except (ValueError, ZeroDivisionError):
            return NAN

    return function


def _logarithm(
    function: Callable[[float], float], complex_: Callable[..., Any], pole: float = 0.0
) -> Callable[..., Any]:
    """A logarithm: -∞ at its pole, nan to the left of it."""
    return lambda x: -INF if x == pole else _of(function, complex_)(x)


def _odd(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: math.copysign(function(abs(x)), x)


def _div(x1: Any, x2: Any) -> Any:
    if x2 != 0:
        return x1 / x2
    return NAN if x1 == 0 or x1 != x1 else math.copysign(INF, x1) * math.copysign(1.0, x2)


def _pow(x1: Any, x2: Any) -> Any:
    if isinstance(x1, complex) or isinstance(x2, complex):
        return x1**x2
    odd = math.isfinite(x2) and x2 % 2 == 1
    if x1 == 0 and x2 < 0:
        return math.copysign(INF, x1) if odd else INF
    size = _of(math.pow)(abs(x1), x2)
    if x1 < 0 and (x2 != x2 or (math.isfinite(x1) and math.isfinite(x2) and x2 != math.floor(x2))):
        return NAN
    return -size if math.copysign(1.0, x1) < 0 and odd else size


def _min(x1: Any, x2: Any) -> Any:
    return NAN if x1 != x1 or x2 != x2 else min(x1, x2, key=_lexicographic)


def _max(x1: Any, x2: Any) -> Any:
    return NAN if x1 != x1 or x2 != x2 else max(x1, x2, key=_lexicographic)


def _rounded(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: float(function(x)) if isinstance(x, float) and math.isfinite(x) else x


def _hurwitz(s: float, q: float) -> float:
    """ζ(s, q) = Σ (k + q)^-s: twenty terms, then Euler and Maclaurin's formula (DLMF 25.11.28)."""
    shift = 20
    total = math.fsum((k + q) ** -s for k in range(shift))
    a = shift + q
    total += a ** (1 - s) / (s - 1) + 0.5 * a**-s
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)
    term = s * a ** (-s - 1)
    for k, b in enumerate(bernoulli, 1):
        total += b / math.factorial(2 * k) * term
        term *= (s + 2 * k - 1) * (s + 2 * k) / a**2
    return total


def _digamma(x: float) -> float:
    """ψ(x) by its recurrence and its asymptotic series (DLMF 5.5.2, 5.11.2)."""
    total = 0.0
    while x < 12:
        total -= 1 / x
        x += 1
    series = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)
    return total + math.log(x) - 0.5 / x - math.fsum(c / x ** (2 * k) for k, c in enumerate(series, 1))


def _polygamma(n: float, x: float) -> float:
    return _digamma(x) if n == 0 else (-1) ** (round(n) + 1) * math.factorial(round(n)) * _hurwitz(n + 1, x)


def _bessel(sign: float) -> Callable[[float, float], float]:
    """Σ sign^k (x/2)^(2k+n) / (k! (n+k)!) for whole n >= 0 (DLMF 10.2.2, 10.25.2)."""

    def function(n: float, x: float) -> float:
        order = round(n)
        terms = ((x / 2) ** (2 * k + order) / math.factorial(k) / math.factorial(order + k) for k in range(40))
        return math.fsum(sign**k * term for k, term in enumerate(terms))

    return function


def _inverse(function: Callable[[float], float], low: float, high: float) -> Callable[[float], float]:
    """The inverse of a monotonic function, by bisection down to neighbouring numbers; ±∞ at the ends of its range."""

    def found(y: float) -> float:
        a, b = low, high
        rising = function(b) > function(a)
        bottom, top = sorted((function(a), function(b)))
        if not bottom < y < top:
            return NAN if not bottom <= y <= top else INF if (y == top) == rising else -INF
        while True:
            middle = 0.5 * (a + b)
            if middle in (a, b):
                return middle
            a, b = (middle, b) if (function(middle) < y) == rising else (a, middle)

    return found


UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": lambda x: -x,
    "abs": abs,
    "floor": _rounded(math.floor),
    "ceil": _rounded(math.ceil),
    "rint": _rounded(round),
    "trunc": _rounded(math.trunc),
    "isnan": lambda x: x != x,
    "isinf": lambda x: cmath.isinf(x),
    "isfinite": lambda x: cmath.isfinite(x),
    "signbit": lambda x: math.copysign(1.0, x) < 0,
    "truth": lambda x: x != 0,
    "not": lambda x: not x,
    "invert": lambda x: ~x,
    "sqrt": _of(math.sqrt, cmath.sqrt),
    "cbrt": _odd(lambda x: math.exp(math.log(x) / 3) if x else 0.0),
    "exp": _of(math.exp, cmath.exp),
    "exp2": _of(lambda x: 2.0**x, lambda x: cmath.exp(x * math.log(2))),
    "expm1": _of(math.expm1, lambda x: cmath.exp(x) - 1),
    "log": _logarithm(math.log, cmath.log),
    "log1p": _logarithm(math.log1p, lambda x: cmath.log(1 + x), -1.0),
    "log2": _logarithm(math.log2, lambda x: cmath.log(x) / math.log(2)),
    "log10": _logarithm(math.log10, cmath.log10),
    "sin": _of(math.sin, cmath.sin),
    "cos": _of(math.cos, cmath.cos),
    "tan": _of(math.tan, cmath.tan),
    "arcsin": _of(math.asin, cmath.asin),
    "arccos": _of(math.acos, cmath.acos),
    "arctan": _of(math.atan, cmath.atan),
    "sinh": lambda x: cmath.sinh(x) if isinstance(x, complex) else _odd(_of(math.sinh))(x),
    "cosh": _of(math.cosh, cmath.cosh),
    "tanh": _of(math.tanh, cmath.tanh),
    "arcsinh": _of(math.asinh, cmath.asinh),
    "arccosh": _of(math.acosh, cmath.acosh),
    "arctanh": lambda x: math.copysign(INF, x) if x in (-1, 1) else _of(math.atanh, cmath.atanh)(x),
    "conj": lambda x: x.conjugate(),
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "erf": math.erf,
    "erfc": math.erfc,
    "erfcx": lambda x: math.exp(x * x) * math.erfc(x),
    "erfinv": _inverse(math.erf, -6.0, 6.0),
    "erfcinv": _inverse(math.erfc, -6.0, 28.0),
    "log_ndtr": lambda x: math.log(0.5 * math.erfc(-x / math.sqrt(2.0))),
    "gamma": math.gamma,
    "gammaln": math.lgamma,
    "digamma": _digamma,
}

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x1, x2: x1 + x2,
    "sub": lambda x1, x2: x1 - x2,
    "mul": lambda x1, x2: x1 * x2,
    "div": _div,
    "pow": _pow,
    "fmod": _of(math.fmod),
    "copysign": math.copysign,
    "atan2": math.atan2,
    "complex": complex,
    "min": _min,
    "max": _max,
    "lt": lambda x1, x2: x1 < x2,
    "le": lambda x1, x2: x1 <= x2,
    "gt": lambda x1, x2: x1 > x2,
    "ge": lambda x1, x2: x1 >= x2,
    "eq": lambda x1, x2: x1 == x2,
    "and": lambda x1, x2: x1 & x2,
    "or": lambda x1, x2: x1 | x2,
    "xor": lambda x1, x2: x1 ^ x2,
    "shl": lambda x1, x2: x1 << x2,
    "shr": lambda x1, x2: x1 >> x2,
    "polygamma": _polygamma,
    "zeta": _hurwitz,
    "iv": _bessel(1.0),
    "jv": _bessel(-1.0),
}


def scalar(expression: Any, xs: Sequence[Any]) -> Any:
    """The value of a ``Map`` expression for one number per input."""
    if isinstance(expression, str):
        return xs[int(expression[1:])]
    if not isinstance(expression, tuple):
        return expression
    operation, *arguments = expression
    if operation == "select":
        condition, then, otherwise = arguments
        return scalar(then if scalar(condition, xs) else otherwise, xs)
    values = [scalar(argument, xs) for argument in arguments]
    return UNARY[operation](*values) if len(values) == 1 else BINARY[operation](*values)


# -- Kernels over arrays -----------------------------------------------------------------------------------------


def evaluate(kernel: Kernel, inputs: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """What ``kernel`` makes of ``inputs``: an array of the given shape."""
    return _EVALUATORS[type(kernel)](kernel, [np.asarray(x) for x in inputs], shape)


def _indices(shape: Sequence[int]) -> Any:
    return itertools.product(*(range(length) for length in shape))


def _filled(shape: tuple[int, ...], value: Callable[[tuple[int, ...]], Any]) -> np.ndarray[Any, Any]:
    out = [value(index) for index in _indices(shape)]
    return np.array(out).reshape(shape)


def _map(kernel: Map, xs: list[Any], shape: tuple[int, ...]) -> Any:
    wide = [np.broadcast_to(x, shape) for x in xs]
    return _filled(shape, lambda index: scalar(kernel.expression, [x[index].item() for x in wide]))


def _logaddexp(x1: float, x2: float) -> float:
    if x1 == x2:
        return x1 + math.log(2.0)
    return max(x1, x2) + math.log1p(math.exp(-abs(x1 - x2)))


def _lexicographic(x: Any) -> tuple[float, float]:
    return (complex(x).real, complex(x).imag)


FOLDS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "add": (lambda total, x: total + x, 0),
    "multiply": (lambda total, x: total * x, 1),
    "maximum": (lambda total, x: x if total is None or _lexicographic(x) > _lexicographic(total) else total, None),
    "minimum": (lambda total, x: x if total is None or _lexicographic(x) < _lexicographic(total) else total, None),
    "logaddexp": (lambda total, x: _logaddexp(total, x), -INF),
    "hypot": (lambda total, x: math.hypot(total, abs(x)), 0.0),
    "logical_or": (lambda total, x: bool(total or x), False),
    "logical_and": (lambda total, x: bool(total and x), True),
}


def _fold(combine: str, values: Sequence[Any]) -> Any:
    if combine in ("argmax", "argmin"):
        sign = 1 if combine == "argmax" else -1
        best = 0
        for k, x in enumerate(values):
            here, there = _lexicographic(x), _lexicographic(values[best])
            if (here > there) if sign > 0 else (here < there):
                best = k
        return best
    step, total = FOLDS[combine]
    for x in values:
        total = step(total, x)
    return total


def _reduce(kernel: Reduce, xs: list[Any], shape: tuple[int, ...]) -> Any:
    (x,) = xs
    lengths = [x.shape[axis] for axis in kernel.axes]

    def value(index: tuple[int, ...]) -> Any:
        if kernel.scan:
            (axis,) = kernel.axes
            inner = [(*index[:axis], k, *index[axis + 1 :]) for k in range(index[axis] + 1)]
        else:
            inner = [_merged(index, kernel.axes, position, x.ndim) for position in _indices(lengths)]
        return _fold(kernel.combine, [x[place].item() for place in inner])

    return _filled(shape, value)


def _merged(index: tuple[int, ...], axes: tuple[int, ...], position: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    kept, reduced = iter(index), dict(zip(axes, position, strict=True))
    return tuple(reduced[axis] if axis in reduced else next(kept) for axis in range(ndim))


def _contract(kernel: Contract, xs: list[Any], shape: tuple[int, ...]) -> Any:
    size = {
        label: n for x, labels in zip(xs, kernel.inputs, strict=True) for label, n in zip(labels, x.shape, strict=True)
    }
    summed = [label for label in size if label not in kernel.output]

    def value(index: tuple[int, ...]) -> Any:
        total: Any = 0.0
        for inner in _indices([size[label] for label in summed]):
            place = dict(zip((*kernel.output, *summed), (*index, *inner), strict=True))
            product: Any = 1
            for x, labels in zip(xs, kernel.inputs, strict=True):
                product *= x[tuple(place[label] for label in labels)].item()
            total += product
        return total

    return _filled(shape, value)


def _move(kernel: Move, xs: list[Any], shape: tuple[int, ...]) -> Any:
    flat = [x.reshape(-1) for x in xs]
    out = np.full(math.prod(shape), kernel.fill, np.result_type(*(x.dtype for x in xs)))
    for piece in kernel.pieces:
        for index in _indices(piece.shape):
            source = piece.in_offset + sum(i * stride for i, stride in zip(index, piece.in_strides, strict=True))
            target = piece.out_offset + sum(i * stride for i, stride in zip(index, piece.out_strides, strict=True))
            assert 0 <= source < flat[piece.input].size
            assert 0 <= target < out.size
            out[target] = flat[piece.input][source]
    return out.reshape(shape)


def _gather(kernel: Gather, xs: list[Any], shape: tuple[int, ...]) -> Any:
    x, *indices = xs
    assert len(indices) == kernel.indices
    lead = indices[0].ndim

    def value(index: tuple[int, ...]) -> Any:
        place = tuple(int(i[index[:lead]]) for i in indices)
        return x[(*place, *index[lead:])].item()

    return _filled(shape, value)


def _scatter(kernel: Scatter, xs: list[Any], shape: tuple[int, ...]) -> Any:
    x, *indices, v = xs
    assert len(indices) == kernel.indices
    out = np.array(x, np.result_type(x, v))
    for index in _indices(indices[0].shape):
        place = tuple(int(i[index]) for i in indices)
        for rest in _indices(out.shape[len(place) :]):
            before = out[(*place, *rest)] if kernel.combine == "add" else 0
            out[(*place, *rest)] = before + v[(*index, *rest)]
    return out.reshape(shape)


def _window(kernel: Window, xs: list[Any], shape: tuple[int, ...]) -> Any:
    if kernel.combine == "multiply_add":
        return _stamp(kernel, *xs, shape) if kernel.transposed else _correlate(kernel, *xs, shape)
    (x,) = xs

    def value(index: tuple[int, ...]) -> Any:
        places = [_place(kernel, index[2:], k) for k in _indices(kernel.size)]
        inside = [(*index[:2], *place) for place in places if _within(place, x.shape[2:])]
        found = [x[place].item() for place in inside]
        if kernel.combine == "mean":
            return sum(found) / math.prod(kernel.size)
        best = found.index(max(found))
        return found[best] if kernel.combine == "maximum" else int(np.ravel_multi_index(inside[best], x.shape))

    return _filled(shape, value)


def _place(kernel: Window, p: Sequence[int], k: Sequence[int]) -> tuple[int, ...]:
    """Where tap ``k`` of window ``p`` lies: strides·p + dilation·k - lo."""
    axes = zip(p, k, kernel.strides, kernel.dilation, kernel.padding, strict=True)
    return tuple(stride * i + reach * tap - lo for i, tap, stride, reach, (lo, _) in axes)


def _within(place: Sequence[int], shape: Sequence[int]) -> bool:
    return all(0 <= i < length for i, length in zip(place, shape, strict=True))


def _correlate(kernel: Window, x: Any, w: Any, shape: tuple[int, ...]) -> Any:
    def value(index: tuple[int, ...]) -> Any:
        n, o, *p = index
        first = o // (w.shape[0] // kernel.groups) * w.shape[1]
        total: Any = 0.0
        for c, *k in _indices(w.shape[1:]):
            place = _place(kernel, p, k)
            if _within(place, x.shape[2:]):
                total += w[(o, c, *k)].item() * x[(n, first + c, *place)].item()
        return total

    return _filled(shape, value)


def _stamp(kernel: Window, x: Any, w: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, np.result_type(x, w))
    for n, o, *p in _indices(x.shape):
        first = o // (w.shape[0] // kernel.groups) * w.shape[1]
        for c, *k in _indices(w.shape[1:]):
            place = _place(kernel, p, k)
            if _within(place, shape[2:]):
                out[(n, first + c, *place)] += w[(o, c, *k)] * x[(n, o, *p)]
    return out


_EVALUATORS: dict[type, Callable[..., Any]] = {
    Map: _map,
    Reduce: _reduce,
    Contract: _contract,
    Move: _move,
    Gather: _gather,
    Scatter: _scatter,
    Window: _window,
}
