"""What a mapping would give, without computing it: the shape and dtype of its output.

A compiler needs to know what a function does, not what comes out, so while it traces nothing is computed until Python
looks at a value (``state.postpone``). Shapes come from the records' rules; a dtype is found by running the record's
``value`` on one number. Where a rule has nothing to say, or objects, ``None`` asks for the value itself, which finds
the right words for what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.primitive import (
    REGISTRY,
    Contract,
    Draw,
    Elementwise,
    Gather,
    Library,
    Map,
    Move,
    Reduce,
    Scatter,
    Structural,
    Window,
)

__all__ = ["Form", "elementwise_form", "structural_form"]

_ROWWISE = ("softmax", "sort", "argsort")


class Form(NamedTuple):
    """The shape and dtype of a value."""

    shape: Any
    dtype: Any


def _probe(x: Any, shape: Any = ()) -> Any:
    return np.ones(shape, x.dtype) if hasattr(x, "dtype") else x


MOST_DTYPES = 4096
_dtypes: dict[Any, Any] = {}  # what an elementwise primitive makes of dtypes, and of Python numbers


def elementwise_form(primitive: Elementwise, operands: Sequence[Any]) -> Form | None:
    """The form of an elementwise mapping of ``operands``: nodes, arrays or Python numbers."""
    key = (primitive, *[getattr(x, "dtype", None) or (type(x), x) for x in operands])
    try:
        shapes = {getattr(x, "shape", ()) for x in operands}
        shape = next(iter(shapes)) if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        if key not in _dtypes:
            if len(_dtypes) >= MOST_DTYPES:
                _dtypes.clear()
            with np.errstate(all="ignore"):
                _dtypes[key] = primitive.value(*map(_probe, operands)).dtype
        return Form(shape, _dtypes[key])
    except (TypeError, ValueError, OverflowError, AttributeError):
        return None


def structural_form(primitive: Structural, operands: Sequence[Any], params: dict[str, Any]) -> Form | None:
    """The form of a structural mapping with one output."""
    if primitive is REGISTRY.item:
        return _member_form(operands[0], params["k"])
    shapes = [x.shape for x in operands]
    try:
        kernel = primitive.kernel(*shapes, **params)
        shape = primitive.shape(*shapes, **params)
        if not _fits(primitive, kernel, shapes, shape):
            return None
        dtype = _dtype(primitive, kernel, operands, params)
    except (TypeError, ValueError, IndexError):
        return None
    return None if dtype is None else Form(shape, dtype)


def _member_form(whole: Any, k: int) -> Form | None:
    """The form of one output of a mapping with several, which need not have run."""
    primitive = whole.primitive
    if primitive is None or primitive.dtypes is None:
        return None
    shapes = primitive.shape(*(each.shape for each in whole.inputs), **whole.params)
    dtypes = primitive.dtypes(*(each.dtype for each in whole.inputs), **whole.params)
    return Form(shapes[k], dtypes[k])


def _fits(primitive: Structural, kernel: Any, shapes: Sequence[Any], shape: Any) -> bool:
    """Whether the operands fit together, where the rule for the shape takes that for granted."""
    if isinstance(kernel, Contract):
        size: dict[int, int] = {}
        pairs = ((labels, own) for labels, own in zip(kernel.inputs, shapes, strict=True))
        return all(
            len(labels) == len(own)
            and all(size.setdefault(label, n) == n for label, n in zip(labels, own, strict=True))
            for labels, own in pairs
        )
    if isinstance(kernel, Move):
        inside = all(
            _reaches(piece.in_offset, piece.shape, piece.in_strides, prod(shapes[piece.input]))
            and _reaches(piece.out_offset, piece.shape, piece.out_strides, prod(shape))
            for piece in kernel.pieces
        )
        partial = primitive in (REGISTRY.pad, REGISTRY.update)
        return inside and (partial or sum(prod(piece.shape) for piece in kernel.pieces) == prod(shape))
    if isinstance(kernel, Library) and kernel.routine not in _ROWWISE:
        first = shapes[0]
        square = len(first) >= 2 and first[-1] == first[-2]
        return square and all(own[:-1] == first[:-1] and len(own) == len(first) for own in shapes)
    return True


def _reaches(offset: int, lengths: Sequence[int], strides: Sequence[int], size: int) -> bool:
    """Whether every place is one of ``size``."""
    if not prod(lengths):
        return True
    ends = [(n - 1) * stride for n, stride in zip(lengths, strides, strict=True)]
    return offset + sum(min(end, 0) for end in ends) >= 0 and offset + sum(max(end, 0) for end in ends) < size


def _dtype(primitive: Structural, kernel: Any, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    if isinstance(kernel, Move | Contract):
        return np.result_type(*[x.dtype for x in operands])
    if isinstance(kernel, Window):
        return np.dtype(np.int64) if kernel.combine == "argmax" else np.result_type(*[x.dtype for x in operands])
    if isinstance(kernel, Gather | Scatter):
        return operands[0].dtype
    if isinstance(kernel, Draw):
        return np.dtype(params["dtype"])
    if isinstance(kernel, Map):
        return primitive.value(*map(_probe, operands), **params).dtype
    if isinstance(kernel, Reduce | Library):
        return primitive.value(*[_probe(x, [min(n, 1) for n in x.shape]) for x in operands], **params).dtype
    return None
