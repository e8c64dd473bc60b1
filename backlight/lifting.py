"""From the user's arguments to the input nodes of a trace, with the names the user knows them by."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import DTypeError, message
from backlight.primitive import REGISTRY
from backlight.trace import input_node, user_source
from backlight.tree import Structure

__all__ = ["argument_names", "function_name", "labels", "leaf_value", "lift"]


def function_name(function: Callable[..., Any]) -> str:
    """What to call the user's function in a message."""
    return getattr(function, "__name__", None) or type(function).__name__


def argument_names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of the first ``count`` positional parameters, as the user wrote them."""
    inner = function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    code = getattr(inner, "__code__", None)
    names: tuple[str, ...] = ()
    if code is not None:
        names = code.co_varnames[: code.co_argcount]
        if hasattr(inner, "__self__"):  # a bound method has got its first argument already
            names = names[1:]
    return (*names, *(f"argument {k}" for k in range(len(names), count)))[:count]


@lru_cache(maxsize=512)
def labels(structure: Structure, name: str) -> tuple[str, ...]:
    """A name for every leaf: ``params['W1']``, ``layers[0][1]``, ``model.weight``.

    >>> from backlight.tree import flatten
    >>> labels(flatten({"W": 1.0, "b": [2.0]})[1], "params")
    ("params['W']", "params['b'][0]")
    """
    if structure.kind == "leaf":
        return (name,)
    found: list[str] = []
    for k, member in enumerate(structure.members):
        if not structure.keys:
            path = f"{name}[{k}]"
        elif isinstance(structure.kind, type) and issubclass(structure.kind, dict):
            path = f"{name}[{structure.keys[k]!r}]"
        else:
            path = f"{name}.{structure.keys[k]}"
        found += labels(member, path)
    return tuple(found)


def leaf_value(leaf: Any, name: str) -> Any:
    """A plain leaf as a NumPy value that has a derivative."""
    value = leaf if isinstance(leaf, np.ndarray | np.generic) else np.asarray(leaf)[()]
    if value.dtype.kind not in "fc":
        came = f"{type(leaf).__name__} {leaf!r}" if value.ndim == 0 else f"{value.dtype} {value.shape}"
        raise DTypeError(message("no_derivative", str(user_source() or ""), name=name, came=came))
    return value


def lift(leaf: Any, name: str, copy: bool = False) -> Array:
    """A leaf as an input of the trace; an Array of an outer trace stays connected to its history."""
    if isinstance(leaf, Array):
        if leaf.dtype.kind not in "fc":
            came = f"{leaf.dtype} {leaf.shape}"
            raise DTypeError(message("no_derivative", str(user_source() or ""), name=name, came=came))
        inner: Array = REGISTRY.identity(leaf)
        inner._node.label = name
        return inner
    value = leaf_value(leaf, name)
    return Array(input_node(value.copy() if copy else value, name))
