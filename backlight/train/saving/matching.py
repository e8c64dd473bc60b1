"""Arrays of a file and variables of a model: everything that does not fit is told at once, before any change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backlight.errors import message

__all__ = ["assign", "differences", "listed"]

FIRST, LAST = 16, 8  # lines of what does not fit


def differences(
    variables: Mapping[str, Any], arrays: Mapping[str, Any], owners: Mapping[str, str], exact: bool
) -> dict[str, str]:
    """What does not fit, by name: what is missing, what is left over, and what has another shape or kind of numbers.

    ``owners`` says whose a variable is. Unless it is to be ``exact``, numbers of one kind (all floating-point numbers,
    all whole numbers) may be of another precision.
    """
    found = {}
    for name, variable in variables.items():
        facts: dict[str, Any] = {"name": name, "owner": owners.get(name, ""), "expected": _form(variable)}
        if name not in arrays:
            found[name] = message("state_lacks", **facts)
            continue
        array = arrays[name]
        fits = array.dtype == variable.dtype if exact else np.can_cast(array.dtype, variable.dtype, "same_kind")
        if not fits or tuple(array.shape) != tuple(variable.shape):
            found[name] = message("state_differs", came=_form(array), **facts)
    for name in arrays:
        if name not in variables:
            found[name] = message("state_unexpected", name=name, came=_form(arrays[name]))
    return found


def _form(array: Any) -> str:
    return f"{array.dtype} {tuple(array.shape)}"


def listed(lines: Mapping[str, str]) -> str:
    """Lines of a message; of many the first and the last, and how many there are besides."""
    said = [f"  {line}" for line in lines.values()]
    more = len(said) - FIRST - LAST
    return "\n".join(said if more <= 0 else [*said[:FIRST], f"  {message('state_more', count=more)}", *said[-LAST:]])


def assign(variables: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Put arrays that fit into the variables of the same names."""
    for name, variable in variables.items():
        if name in arrays:
            variable.assign(np.asarray(arrays[name], variable.dtype))
