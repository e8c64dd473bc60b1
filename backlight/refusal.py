"""What a primitive says when it cannot be applied: the user's line, variables, shapes, and what to write instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.errors import BacklightError, DTypeError, MatrixError, RangeError, ShapeError, message
from backlight.primitive import Elementwise, Primitive
from backlight.trace import user_source

__all__ = ["describe", "refuse"]


def describe(x: Any) -> str:
    """An operand in the user's terms: its variable name if known, dtype and shape."""
    node = getattr(x, "node", None)
    if node is not None:
        name = f"`{node.name}` " if node.name else ""
        source = node.source
        made = "" if node.name or source is None or source == user_source() else message("made_at", source=source)
        return f"{name}{node.dtype} {node.shape}{made}"
    if isinstance(x, np.ndarray | np.generic):
        return f"{x.dtype} {x.shape}"
    return f"{type(x).__name__} {x!r}" if isinstance(x, int | float | complex | bool) else type(x).__name__


def refuse(primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], error: Exception) -> BacklightError:
    """Turn NumPy's refusal into Backlight's error."""
    where = str(user_source() or "")
    operands = ", ".join(describe(x) for x in inputs)
    shapes = [tuple(np.shape(getattr(x, "value", x))) for x in inputs]
    if isinstance(error, IndexError):
        return RangeError(message("failed", where, operation=primitive.name, operands=operands, reason=error))
    if isinstance(error, np.linalg.LinAlgError):
        fix = message("fix_definite" if primitive.name == "cholesky" else "fix_singular")
        return MatrixError(message("matrix", where, operation=primitive.name, operands=operands, reason=error, fix=fix))
    if isinstance(primitive, Elementwise) and not _broadcastable(shapes):
        fix = _broadcast_fix(shapes)
        expected = message("expected_broadcast")
        return ShapeError(
            message("shapes", where, operation=primitive.name, operands=operands, expected=expected, fix=fix)
        )
    kind = DTypeError if isinstance(error, TypeError) else ShapeError
    return kind(message("failed", where, operation=primitive.name, operands=operands, reason=error))


def _broadcastable(shapes: list[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def _broadcast_fix(shapes: list[tuple[int, ...]]) -> str:
    """Adding one axis of length 1 is what is meant most often: say so when it helps."""
    for k, shape in enumerate(shapes):
        for axis in range(len(shape) + 1):
            longer = (*shape[:axis], 1, *shape[axis:])
            if _broadcastable([*shapes[:k], longer, *shapes[k + 1 :]]):
                index = ", ".join("None" if i == axis else ":" for i in range(len(longer)))
                return message("fix_newaxis", position=k + 1, index=index, shape=longer)
    return message("fix_reshape")
