"""What a plan consists of, as data: buffers, where elements stand in them, and the kernels that read and write them.

Nothing here knows a processor. An index space is a tuple of axis lengths; an ``Access`` says, as an affine map, where
in a buffer the element for an index of that space stands, so transposes, slices, broadcasts and sliding windows are
different numbers in one record and copy nothing.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

__all__ = ["Access", "Bound", "Product", "merged"]

Shape = tuple[int, ...]


class Bound(NamedTuple):
    """``0 <= offset + Σ strides·i < size`` must hold for the element to exist; elsewhere it reads as 0 (padding)."""

    offset: int
    strides: Shape
    size: int


class Access(NamedTuple):
    """The element of buffer number ``buffer`` at ``offset + Σ strides·i``, for an index i of the kernel's space."""

    buffer: int
    offset: int
    strides: Shape
    bounds: tuple[Bound, ...] = ()


class Product(NamedTuple):
    """``y[b, i, j] = Σ_k left[b, i, k] · right[b, k, j]``, each of b, i, j, k an index of several axes.

    ``left`` is an access over the axes ``(*batch, *rows, *inner)``, ``right`` over ``(*batch, *inner, *columns)``.
    """

    batch: Shape
    rows: Shape
    columns: Shape
    inner: Shape
    left: Access
    right: Access
    dtype: Any

    @property
    def flops(self) -> int:
        return 2 * prod(self.batch) * prod(self.rows) * prod(self.columns) * prod(self.inner)


def merged(lengths: Shape, maps: tuple[Shape, ...]) -> tuple[Shape, tuple[Shape, ...]]:
    """Neighbouring axes as one wherever every one of ``maps`` (strides per axis) steps through them evenly.

    >>> merged((2, 3, 4), ((12, 4, 1), (0, 4, 1)))
    ((2, 12), ((12, 1), (0, 1)))
    """
    kept: list[int] = []
    strides: list[list[int]] = [[] for _ in maps]
    for axis, length in enumerate(lengths):
        if length == 1:
            continue
        if kept and all(own[-1] == each[axis] * length for own, each in zip(strides, maps, strict=True)):
            kept[-1] *= length
            for own, each in zip(strides, maps, strict=True):
                own[-1] = each[axis]
        else:
            kept.append(length)
            for own, each in zip(strides, maps, strict=True):
                own.append(each[axis])
    return tuple(kept), tuple(map(tuple, strides))
