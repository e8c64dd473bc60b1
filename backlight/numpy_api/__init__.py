"""NumPy's functions on Arrays: each is a primitive, or a composition of primitives.

Importing this registers the families that every program calls; ``complete`` registers the others, when a function is
met that is not registered yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backlight.array import FUNCTIONS
from backlight.numpy_api import elementwise, products, reduce, shape, ufuncs
from backlight.numpy_api.refusals import unsupported
from backlight.ops import special
from backlight.primitive import HOOK

__all__ = ["complete", "elementwise", "known", "products", "reduce", "shape", "ufuncs"]


def complete() -> None:
    """Register everything there is."""
    from backlight.numpy_api import (  # noqa: F401
        creation,
        fourier,
        linalg,
        linear,
        set_logic,
        signal,
        sorting,
        statistics,
    )


def known(function: Any) -> Callable[..., Any]:
    """Backlight's version of a function of NumPy's, or a ufunc of SciPy's.

    Raises ``UnsupportedError`` where there is none.
    """
    found = FUNCTIONS.get(function) or special.lookup(function)
    if found is None:
        complete()
        found = FUNCTIONS.get(function)
    return found or unsupported(function)


elementwise.register_primitives()
HOOK.ufunc = ufuncs.apply
HOOK.known = known
