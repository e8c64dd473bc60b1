"""What only rearranges elements: views where strides can say it, otherwise parts written in place."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.plan import Group, Plan, Tensor, constant
from backlight.compiler.views import View, contiguous, rearranged, tidy
from backlight.graph import Node
from backlight.layout import contiguous_strides
from backlight.primitive import Move, Piece

__all__ = ["move", "rearrange", "transposed"]

Shape = tuple[int, ...]


def move(made: Plan, node: Node, kernel: Move, views: Sequence[View]) -> View:
    """The pieces as a view where one is all there is; otherwise each writes its part of the result."""
    if len(kernel.pieces) == 1:
        (piece,) = kernel.pieces
        if piece.out_offset == 0 and _fills(piece, prod(node.shape)):
            return rearrange(made, views[piece.input], piece, node)
    whole = Tensor(prod(node.shape), node.dtype, "arena", node=node)
    disjoint = sum(prod(piece.shape) for piece in kernel.pieces) == whole.size and _apart(kernel.pieces)
    if not disjoint:
        fill = constant(np.broadcast_to(np.asarray(kernel.fill, node.dtype), (whole.size,)))
        made.put(fill, whole, 0, contiguous(whole.size), apart=True)
    for piece in kernel.pieces:
        if prod(piece.shape):
            source = rearrange(made, views[piece.input], piece._replace(out_offset=0), node)
            made.put(source, whole, *_target(piece), apart=not disjoint)
    whole.group = made.insert(Group("join", whole.size, writes=(whole,), node=node))
    return View(whole, 0, contiguous(whole.size))


def _target(piece: Piece) -> tuple[int, Any]:
    """Offset and digits of the places that a piece writes."""
    return piece.out_offset, tidy(tuple(zip(piece.shape, piece.out_strides, strict=True)))


def _apart(pieces: Sequence[Piece]) -> bool:
    """Whether no place is written twice; pieces that go along one axis, as in a concatenation, are seen to be."""
    if len(pieces) == 1:
        return True
    size = sum(prod(piece.shape) for piece in pieces)
    places = np.zeros(size, bool)
    for piece in pieces:
        at = np.asarray(piece.out_offset)
        for n, stride in zip(piece.shape, piece.out_strides, strict=True):
            at = at[..., None] + np.arange(n) * stride
        if at.size and (at.min() < 0 or at.max() >= size):
            return False
        places[at.reshape(-1)] = True
    return bool(places.all())


def _fills(piece: Piece, size: int) -> bool:
    """Whether the piece writes all of the output in order."""
    inner = contiguous_strides(piece.shape)
    steps = zip(piece.shape, piece.out_strides, inner, strict=True)
    return prod(piece.shape) == size and all(n == 1 or a == b for n, a, b in steps)


def rearrange(made: Plan, view: View, piece: Piece, node: Node | None) -> View:
    """The view of what ``piece`` copies; laid out first where no strides can say it."""
    found = rearranged(view, piece)
    if found is None:
        found = rearranged(made.laid_out(view, node), piece)
    assert found is not None
    return found


def transposed(made: Plan, view: View, shape: Shape, axes: Sequence[int], node: Node | None) -> View:
    """The elements of a value of ``shape`` in the order of permuted ``axes``."""
    strides = contiguous_strides(shape)
    order = tuple(shape[axis] for axis in axes)
    piece = Piece(0, order, 0, tuple(strides[axis] for axis in axes), 0, contiguous_strides(order))
    return rearrange(made, view, piece, node)
