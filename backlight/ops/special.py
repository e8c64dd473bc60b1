"""SciPy's special functions, met through NumPy's protocol: ``scipy.special.gammaln(x)`` on an Array lands here.

Their records stand in ``scipy_special.py`` and are entered when one of them is first needed: whoever does not use
SciPy does not pay for its import, and need not have it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from backlight.primitive import REGISTRY

__all__ = ["load", "lookup", "polygamma"]

OTHER_NAMES = {"expit": "sigmoid", "psi": "digamma", "_zeta": "zeta"}
"""SciPy's name of a ufunc -> Backlight's, where they differ."""

SHARED = ("erf", "exp2", "expm1", "log1p", "cbrt")
"""Ufuncs of SciPy's that Backlight has a mapping for without SciPy."""

_found: dict[Any, Callable[..., Any]] = {}


def load() -> None:
    """Enter the records of SciPy's special functions in the registry. Raises ``ImportError`` without SciPy."""
    if _found:
        return
    from scipy.special import _ufuncs

    from backlight.ops import scipy_special

    theirs = {name: name for name in (*SHARED, *scipy_special.UFUNCS)} | OTHER_NAMES
    for name, ours in theirs.items():
        _found[getattr(_ufuncs, name)] = getattr(REGISTRY, ours)


def lookup(ufunc: Any) -> Callable[..., Any] | None:
    """The mapping for one of SciPy's ufuncs, or ``None`` for any other.

    >>> import numpy as np
    >>> lookup(np.sin) is None
    True
    """
    if "scipy.special" not in sys.modules:
        return None  # nobody can hold one of its ufuncs
    load()
    return _found.get(ufunc)


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function, ψ⁽ⁿ⁾(x), for whole n >= 0.

    SciPy's function of this name is no ufunc and takes plain arrays only; this one takes Arrays as well.

    >>> round(float(polygamma(1, 1.0)), 12)  # π²/6
    1.644934066848
    """
    load()
    return REGISTRY.polygamma(n, x)
