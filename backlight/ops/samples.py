"""Numbers to test records on, and the domains that records name.

A sample set holds inputs of one kind: away from kinks, jumps and ties, so that finite differences make sense there.
Every combination of two sets is free of ties, too, and no quotient of ``REAL`` by ``OTHER`` is a whole number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "ABOVE_ONE",
    "DOMAINS",
    "FLAGS",
    "INTEGERS",
    "ORDERS",
    "OTHER",
    "OTHER_INTEGERS",
    "POSITIVE",
    "PROBABILITIES",
    "REAL",
    "SHIFTS",
    "UNIT",
    "Domain",
]

REAL = (-1.7, -0.6, 0.3, 0.9, 2.1)
OTHER = (-1.2, -0.4, 0.5, 1.6)  # a second input beside REAL or POSITIVE
POSITIVE = (0.2, 0.7, 1.3, 2.9)
ABOVE_ONE = (1.2, 1.9, 3.4)
UNIT = (-0.8, -0.3, 0.2, 0.55, 0.9)
PROBABILITIES = (0.1, 0.35, 0.6, 0.95)
ORDERS = (0, 1, 2)  # of a Bessel or polygamma function
FLAGS = (0.0, 1.0)  # a condition, as numbers
INTEGERS = (-3, 0, 1, 6)
OTHER_INTEGERS = (-2, 1, 5)
SHIFTS = (0, 1, 3)


class Domain(NamedTuple):
    """Where a mapping has a finite value: ``contains(x…)`` element by element, and the condition as it is written."""

    contains: Callable[..., Any]
    condition: str


DOMAINS: dict[str, Domain] = {
    "real": Domain(lambda *x: np.isfinite(sum(x)), "any finite number"),
    "positive": Domain(lambda x: x > 0, "x > 0"),
    "nonnegative": Domain(lambda x: x >= 0, "x >= 0"),
    "nonzero": Domain(lambda x: x != 0, "x != 0"),
    "unit interval": Domain(lambda x: (x >= -1) & (x <= 1), "-1 <= x <= 1"),
    "open unit interval": Domain(lambda x: (x > -1) & (x < 1), "-1 < x < 1"),
    "at least one": Domain(lambda x: x >= 1, "x >= 1"),
    "open probability": Domain(lambda x: (x > 0) & (x < 1), "0 < x < 1"),
    "between zero and two": Domain(lambda x: (x > 0) & (x < 2), "0 < x < 2"),
    "off the poles": Domain(lambda x: (x > 0) | (x != np.floor(x)), "x not 0, -1, -2, …"),
    "both positive": Domain(lambda x1, x2: (x1 > 0) & (x2 > 0), "x1 > 0 and x2 > 0"),
    "second off the poles": Domain(lambda n, x: (n >= 0) & ((x > 0) | (x != np.floor(x))), "x not 0, -1, -2, …"),
    "zeta": Domain(
        lambda x1, x2: (x1 > 1) & ((x2 > 0) | ((x1 == np.floor(x1)) & (x2 != np.floor(x2)))),
        "x1 > 1 and x2 > 0, or x1 a whole number > 1 and x2 not 0, -1, -2, …",
    ),
    "x log y": Domain(lambda x1, x2: (x2 > 0) | (x1 == 0), "x2 > 0, or x1 = 0"),
    "x log1p y": Domain(lambda x1, x2: (x2 > -1) | (x1 == 0), "x2 > -1, or x1 = 0"),
    "relative entropy": Domain(
        lambda x1, x2: ((x1 > 0) & (x2 > 0)) | ((x1 == 0) & (x2 >= 0)), "x1 > 0 and x2 > 0, or x1 = 0 and x2 >= 0"
    ),
    "above minus one": Domain(lambda x: x > -1, "x > -1"),
    "nonzero divisor": Domain(lambda x1, x2: (x2 != 0) & (x1 == x1), "x2 != 0"),
    "power": Domain(
        lambda x1, x2: (x1 > 0) | ((x1 == 0) & (x2 >= 0)) | ((x1 < 0) & (x2 == np.floor(x2))),
        "x1 > 0, or x1 = 0 and x2 >= 0, or x1 < 0 and x2 a whole number",
    ),
}
"""The domains a record can name."""
