"""The tables: one record per primitive, family by family.

Importing this enters the families that every program needs; the others are imported when one of them is asked for.
"""

from __future__ import annotations

from backlight.ops import (
    binary,
    complexes,
    contract,
    elementwise,
    flow,
    index,
    reduce,
    shape,
)
from backlight.primitive import REGISTRY

__all__ = ["binary", "complexes", "contract", "elementwise", "flow", "index", "reduce", "shape"]

REGISTRY.enter_later(
    "backlight.ops.fourier",
    "backlight.ops.linalg",
    "backlight.ops.pooling",
    "backlight.ops.random",
    "backlight.ops.window",
    "backlight.loops",  # with ops.loop, whose samples it makes
)
