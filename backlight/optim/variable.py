"""What an optimiser reads and writes: the user's variables, and the numbers of its own that people look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from backlight.array import Array
from backlight.errors import ArgumentError, DTypeError, ShapeError, message
from backlight.trace import ROOT, user_source
from backlight.trace import state as tracing

__all__ = ["StateVariable", "check_variable", "is_tracing", "name_of", "plain", "read", "write"]


class StateVariable(NDArrayOperatorsMixin):
    """An array of an optimiser's state by its name: it computes like the array, and ``assign`` writes into it.

    >>> rate = StateVariable("learning_rate", np.array(0.1))
    >>> rate.assign(0.2)
    >>> float(rate), round(float(rate * 0.5), 3)
    (0.2, 0.1)
    """

    def __init__(self, name: str, value: np.ndarray[Any, Any]) -> None:
        self.name = self.path = name
        self.value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.value.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the array."""
        dtype: np.dtype[Any] = self.value.dtype
        return dtype

    def assign(self, value: Any) -> None:
        """Write these numbers into the array.

        Raises ``ShapeError`` for another shape.
        """
        if np.shape(value) != self.shape:
            facts = {"name": self.name, "came": np.shape(value), "expected": self.shape}
            raise ShapeError(message("optim_assign", str(user_source() or ""), **facts))
        self.value[...] = value

    def numpy(self) -> np.ndarray[Any, Any]:
        """A copy of the array."""
        return self.value.copy()

    def item(self) -> Any:
        """The only number, as Python's."""
        return self.value.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.value, dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        return getattr(ufunc, method)(*(x.value if isinstance(x, StateVariable) else x for x in inputs), **named)

    __hash__ = object.__hash__  # by identity, as arrays are told apart here

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return self.value.__index__()

    def __bool__(self) -> bool:
        return bool(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value[()] if self.shape == () else self.value, spec)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.dtype} {self.shape} {self.value}>"


def is_tracing() -> bool:
    """Whether a transformation (``grad``, ``compile``, ``scan`` …) is running the user's function now."""
    return tracing.trace is not ROOT


def plain(x: Any) -> Any:
    """A value as a plain array, unless a transformation is running: then it keeps its history."""
    return x if is_tracing() or not isinstance(x, Array) else x.value


def read(variable: Any) -> Any:
    """What a variable holds."""
    if isinstance(variable, np.ndarray):
        return variable
    return plain(variable) if isinstance(variable, Array) else plain(variable.value)


def write(variable: Any, value: Any) -> None:
    """Put a value into a variable."""
    if isinstance(variable, np.ndarray):
        variable[...] = value
    else:
        variable.assign(value)


def name_of(variable: Any, number: int) -> str:
    """What to call a variable: its own name, or its place among the others."""
    return str(getattr(variable, "path", None) or getattr(variable, "name", None) or f"variables[{number}]")


def check_variable(variable: Any, number: int) -> None:
    """Whether this can be optimised.

    Raises ``ArgumentError`` for something that is no variable or cannot be written to, ``DTypeError`` for one that
    holds no real floating-point numbers.
    """
    array = isinstance(variable, np.ndarray)
    if (array and not variable.flags.writeable) or not (array or hasattr(variable, "assign")):
        came = "read-only array" if array else type(variable).__name__
        raise ArgumentError(message("optim_variable", str(user_source() or ""), came=came))
    check_dtype(variable, name_of(variable, number))


def check_dtype(leaf: Any, name: str) -> None:
    """Whether a leaf holds real floating-point numbers, which alone can change a little.

    Raises ``DTypeError``.
    """
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or np.dtype(dtype).kind != "f":
        came = type(leaf).__name__ if dtype is None else str(dtype)
        raise DTypeError(message("optim_dtype", str(user_source() or ""), name=name, came=came))
