"""What an optimiser reads and writes: the user's variables, Backlight's own or anything that looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import ArgumentError, DTypeError, message
from backlight.trace import user_source
from backlight.variable import now

__all__ = ["check_dtype", "check_variable", "name_of", "read", "write"]


def read(variable: Any) -> Any:
    """What a variable holds."""
    return now(variable if isinstance(variable, np.ndarray | Array) else variable.value)


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
