"""What only rearranges elements: views where strides can say it, otherwise parts written in place."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.cut import kernel_of
from backlight.compiler.plan import Group, Plan, Tensor, constant
from backlight.compiler.views import Digits, View, contiguous, rearranged, tidy
from backlight.graph import Node
from backlight.layout import contiguous_strides
from backlight.primitive import REGISTRY, Move, Piece

__all__ = ["Parts", "added", "move", "rearrange", "transposed", "written"]

Shape = tuple[int, ...]


def move(made: Plan, node: Node, kernel: Move, views: Sequence[View]) -> View | Parts:
    """The pieces as a view where one is all there is; otherwise each writes its part of the result."""
    if len(kernel.pieces) == 1:
        (piece,) = kernel.pieces
        if piece.out_offset == 0 and _fills(piece, prod(node.shape)):
            return rearrange(made, views[piece.input], piece, node)
    parts = []
    for piece in kernel.pieces:
        if prod(piece.shape):
            source = rearrange(made, views[piece.input], piece._replace(out_offset=0), node)
            parts.append(Part(source, piece.out_offset, tidy(tuple(zip(piece.shape, piece.out_strides, strict=True)))))
    moved = Parts(tuple(parts), prod(node.shape), kernel.fill, node)
    added = node not in made.ends and all(each.primitive is REGISTRY.add for each, _ in made.readers.get(node, ()))
    return moved if added and kernel.fill == 0 and moved.apart else written(made, moved)


class Part(NamedTuple):
    """The elements of ``source`` at the places ``offset`` plus what the digits of the count say."""

    source: View
    offset: int
    digits: Digits


class Parts(NamedTuple):
    """A value of ``size`` elements that are ``fill`` but for its parts, later ones over earlier ones. It gets memory
    when somebody reads it: until then, others like it may be added to it."""

    parts: tuple[Part, ...]
    size: int
    fill: float
    node: Node

    @property
    def apart(self) -> bool:
        """Whether no place is written twice."""
        if len(self.parts) <= 1:
            return True
        count = np.zeros(self.size, np.int8)
        for _, offset, digits in self.parts:
            at = np.asarray(offset)
            for n, stride in digits:
                at = at[..., None] + np.arange(n) * stride
            count[at.reshape(-1)] += 1
        return bool((count <= 1).all())


def added(node: Node, values: Sequence[Any]) -> Parts | None:
    """The sum of two values that are zero where the other one is not: the parts of both."""
    if node.primitive is not REGISTRY.add or not all(isinstance(value, Parts) for value in values):
        return None
    first, second = values
    together = Parts((*first.parts, *second.parts), first.size, 0.0, node)
    return together if together.apart else None


def written(made: Plan, moved: Parts) -> View:
    """A value in memory, each of its parts written by the group that makes it, if that is possible."""
    node = moved.node
    whole = Tensor(moved.size, node.dtype, "arena", node=node)
    full = sum(part.source.size for part in moved.parts) == whole.size and moved.apart
    if not full:
        fill = constant(np.broadcast_to(np.asarray(moved.fill, node.dtype), (whole.size,)))
        made.put(fill, whole, 0, contiguous(whole.size), apart=True)
    view = View(whole, 0, _order_of_reading(made, node, whole.size))
    places = [_place(view, part) for part in moved.parts]
    if None in places:
        view = View(whole, 0, contiguous(whole.size))
        places = [_place(view, part) for part in moved.parts]
    for part, place in zip(moved.parts, places, strict=True):
        assert place is not None
        made.put(part.source, whole, place.offset, place.digits, apart=not full)
    whole.group = made.insert(Group("join", whole.size, writes=(whole,), node=node))
    return view


def _place(whole: View, part: Part) -> View | None:
    """Where a part stands in the memory of ``whole``."""
    lengths, strides = tuple(n for n, _ in part.digits), tuple(stride for _, stride in part.digits)
    return rearranged(whole, Piece(0, lengths, part.offset, strides, 0, contiguous_strides(lengths)))


def _order_of_reading(made: Plan, node: Node, size: int) -> Digits:
    """Digits for a value that stands in memory as its readers want it, where all of them permute its axes alike."""
    wanted = set()
    for reader, _ in made.readers.get(node, ()):
        kernel = kernel_of(reader)
        pieces = kernel.pieces if isinstance(kernel, Move) else ()
        if node in made.ends or len(pieces) != 1 or pieces[0].in_offset or not _fills(pieces[0], size):
            return contiguous(size)
        wanted.add((pieces[0].shape, pieces[0].in_strides))
    if len(wanted) != 1:
        return contiguous(size)
    ((lengths, strides),) = wanted
    steps = contiguous_strides(lengths)
    axes = sorted((axis for axis, n in enumerate(lengths) if n > 1), key=lambda axis: -strides[axis])
    inner = tuple(lengths[axis] for axis in axes)
    whole = all(strides[axis] == step for axis, step in zip(axes, contiguous_strides(inner), strict=True))
    return tidy([(lengths[axis], steps[axis]) for axis in axes]) if whole else contiguous(size)


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
