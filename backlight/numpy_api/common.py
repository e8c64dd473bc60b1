"""What every NumPy function here needs: registration, axes, common dtypes, ``out=``, and reading plain values.

``implements`` enters a composition that gradients flow through; ``constant`` one whose result is an index, a count, a
boolean or a decision, so that its derivative is zero wherever it exists.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from backlight.array import FUNCTIONS, Array, as_array, refuse_write
from backlight.errors import ArgumentError, AxisError, DTypeError, ShapeError, UnsupportedError, message
from backlight.messages import MESSAGES
from backlight.numpy_api.texts import TEXTS
from backlight.primitive import REGISTRY as P
from backlight.refusal import call_plainly, describe
from backlight.trace import user_source

__all__ = [
    "CONSTANT",
    "argument_error",
    "as_float",
    "as_inexact",
    "axes_of",
    "axis_of",
    "cast",
    "constant",
    "deliver",
    "fold",
    "here",
    "implements",
    "implements_strictly",
    "kept",
    "newer",
    "operand",
    "promote",
    "raveled",
    "read",
    "unsupported_option",
]

MESSAGES.update(TEXTS)

CONSTANT: set[Any] = set()
"""The NumPy functions in ``FUNCTIONS`` that are constant by nature: no gradient flows through them."""

F = TypeVar("F", bound=Callable[..., Any])

_ALL = tuple(tuple(range(ndim)) for ndim in range(65))


def implements(*functions: Any) -> Callable[[F], F]:
    """Enter the decorated function as Backlight's version of NumPy's ``functions``."""

    def enter(implementation: F) -> F:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return enter


def implements_strictly(*functions: Any) -> Callable[[F], F]:
    """Enter the decorated function like ``implements``; NumPy is asked first whether it takes such arguments.

    For functions that cost little, and whose arguments can be wrong in many ways.
    """

    def enter(implementation: F) -> F:
        @wraps(implementation)
        def strict(*args: Any, **kwargs: Any) -> Any:
            call_plainly(functions[0], args, kwargs)
            return implementation(*args, **kwargs)

        implements(*functions)(strict)
        return implementation

    return enter


def constant(*functions: Any) -> Callable[[F], F]:
    """Enter the decorated function like ``implements``, and note that no gradient flows through it."""
    CONSTANT.update(functions)
    return implements(*functions)


def newer(name: str) -> list[Any]:
    """The function of that name, for ``implements``: nothing under a NumPy that does not have it yet."""
    return [getattr(np, name)] if hasattr(np, name) else []


# -- Errors ------------------------------------------------------------------------------------------------------------


def here() -> str:
    """The user's line, as the first line of a message."""
    return str(user_source() or "")


def argument_error(function: str, problem: str, **facts: Any) -> ArgumentError:
    """An argument that makes no sense: ``problem`` names a message of the catalogue."""
    return ArgumentError(message("api_argument", here(), function=function, problem=message(problem, **facts)))


def unsupported_option(function: str, option: str, instead: str) -> UnsupportedError:
    """An option of a supported function that has no mapping here."""
    return UnsupportedError(message("api_option", here(), function=function, option=option, instead=instead))


# -- Axes and shapes -----------------------------------------------------------------------------------------------


def axis_of(axis: Any, ndim: int) -> int:
    """One axis as a non-negative int; raises ``AxisError`` outside the array."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise AxisError(message("api_axis", here(), axis=axis, ndim=ndim, last=ndim - 1))
    return axis % ndim  # type: ignore[no-any-return]


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """``None`` (all), one axis or several, as a tuple of non-negative ints; each axis once."""
    if axis is None:
        return _ALL[ndim]
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if isinstance(axis, tuple | list):
        axes = tuple(axis_of(one, ndim) for one in axis)
        if len(set(axes)) != len(axes):
            raise argument_error("axis", "api_axis_twice", axis=tuple(axis))
        return axes
    return (axis_of(axis, ndim),)


def kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """``shape`` with length 1 along ``axes``: what ``keepdims=True`` gives."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def fold(reduction: Any, x: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """Reduce over ``axes`` (in any order, named once each), keeping them with length 1 where asked."""
    y = reduction(x, axis=axes if len(axes) < 2 else tuple(sorted(axes)))
    return P.reshape(y, shape=kept(x.shape, axes)) if keepdims else y


def raveled(x: Any) -> Any:
    """``x`` with one axis."""
    return x if len(x.shape) == 1 else P.reshape(x, shape=(x.size,))


# -- Operands ------------------------------------------------------------------------------------------------------


def operand(x: Any) -> Array:
    """``x`` as an Array."""
    return x if type(x) is Array else as_array(x)


def cast(x: Any, dtype: Any) -> Any:
    """``x`` with ``dtype``, as it is where it has it already."""
    dtype = np.dtype(dtype)
    return x if x.dtype == dtype else P.cast(x, dtype=dtype)


def as_inexact(x: Any) -> Any:
    """Integers and booleans as float64; real and complex numbers as they are."""
    return x if x.dtype.kind in "fc" else P.cast(x, dtype=np.dtype(float))


def as_float(x: Any, *, name: str = "") -> Any:
    """What NumPy's floating-point ufuncs make of their input: small integers become small floats.

    Of a function with a ``name``, complex numbers are refused.
    """
    if x.dtype.kind == "c" and name:
        raise DTypeError(message("complex_refused", here(), function=name, operand=describe(x)))
    return x if x.dtype.kind in "fc" else P.cast(x, dtype=np.result_type(x.dtype, np.float16))


def promote(*xs: Any, dtype: Any = None) -> list[Array]:
    """The operands as Arrays of one dtype: NumPy's rules, in which Python's numbers have no dtype of their own."""
    if dtype is None:
        weak = (bool, int, float, complex)
        xs = tuple(x if type(x) in weak else operand(x) for x in xs)
        dtype = np.result_type(*[x.dtype if type(x) is Array else x for x in xs])
    return [cast(operand(x), dtype) if type(x) is Array else operand(np.asarray(x, dtype)[()]) for x in xs]


def read(x: Any) -> Any:
    """The plain value of ``x``: the trace notes that Python has looked, since what follows depends on it."""
    if type(x) is Array:
        return x._read(np.asarray)
    if isinstance(x, list | tuple):
        return type(x)(read(member) for member in x) if type(x) in (list, tuple) else x
    return x


def deliver(result: Any, out: Any, casting: Any = "same_kind", *, spread: bool = False) -> Any:
    """Write ``result`` into ``out`` where one was given, with NumPy's check of the dtype.

    Ufuncs ``spread`` a result over a larger ``out``; for other functions the shapes must be the same.
    Raises ``UnsupportedError`` for a traced result and a plain array: the array could not remember where it came from.
    """
    if isinstance(out, tuple):
        (out,) = out
    if out is None:
        return result
    if not isinstance(out, Array):
        if isinstance(result, Array):
            raise UnsupportedError(message("api_out_plain", here(), out=describe(out)))
        out[...] = result
        return out
    result = operand(result)
    if result.shape != out.shape:
        if not spread:
            raise refuse_write(out, result.shape)
        try:
            result = P.broadcast_to(result, shape=out.shape)
        except ShapeError:
            raise refuse_write(out, result.shape) from None
    if not np.can_cast(result.dtype, out.dtype, casting):
        raise DTypeError(message("write_dtype", here(), target=describe(out), came=result.dtype))
    out.write(cast(result, out.dtype))
    return out
