"""Arithmetic of shapes, strides and positions: what lies where in memory. No arrays here, only tuples of integers.

An ``index`` has one entry per axis: an integer (that axis is dropped) or ``(start, count, step)``, where ``start`` is
the first element taken and ``step`` may be negative.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

__all__ = [
    "contiguous_strides",
    "dense_strides",
    "inverse_permutation",
    "is_contiguous",
    "reshaped_strides",
    "selected_shape",
    "whole",
]

Shape = tuple[int, ...]
Index = tuple[Any, ...]


def whole(shape: Shape) -> Index:
    """The index that takes everything.

    >>> whole((2, 3))
    ((0, 2, 1), (0, 3, 1))
    """
    return tuple([(0, length, 1) for length in shape])


def selected_shape(index: Index) -> Shape:
    """The shape that ``index`` selects.

    >>> selected_shape((0, (1, 2, 1), (4, 3, -2)))
    (2, 3)
    """
    return tuple([entry[1] for entry in index if type(entry) is tuple])


@lru_cache(maxsize=1024)
def inverse_permutation(axes: Shape) -> Shape:
    """The order of axes that undoes ``axes``.

    >>> inverse_permutation((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def contiguous_strides(shape: Shape, itemsize: int = 1) -> Shape:
    """Strides of a C-contiguous array: in elements, or in bytes with ``itemsize``.

    >>> contiguous_strides((2, 3, 4)), contiguous_strides((2, 3), 8)
    ((12, 4, 1), (24, 8))
    """
    strides = []
    for length in reversed(shape):
        strides.append(itemsize)
        itemsize *= length
    return tuple(reversed(strides))


def dense_strides(shape: Shape, strides: Shape, itemsize: int) -> Shape:
    """Strides of a copy without holes whose axes keep their order in memory (NumPy's order ``K``).

    >>> dense_strides((2, 3), (-8, 64), 8)
    (8, 16)
    """
    found = [0] * len(shape)
    for axis in sorted(range(len(shape)), key=lambda axis: (abs(strides[axis]), -axis)):
        found[axis] = itemsize
        itemsize *= shape[axis]
    return tuple(found)


def is_contiguous(shape: Shape, strides: Shape, itemsize: int) -> bool:
    """Whether these strides, in bytes, lay the numbers side by side in C order (axes of length 1 do not matter).

    >>> is_contiguous((2, 1, 3), (24, 7, 8), 8), is_contiguous((2, 3), (8, 16), 8)
    (True, False)
    """
    if 0 in shape:
        return True
    lengths = zip(shape, strides, contiguous_strides(shape, itemsize), strict=True)
    return all(length == 1 or stride == expected for length, stride, expected in lengths)


def reshaped_strides(shape: Shape, strides: Shape, wanted: Shape, itemsize: int) -> Shape | None:
    """The strides with which ``wanted`` shows the same memory in the same order, or ``None`` if none can.

    Axes are matched in the smallest groups of equal size; within a group the old axes must lie evenly in memory, each
    stride the next one times the next length (NumPy's rule for reshaping without a copy).

    >>> reshaped_strides((2, 3, 4), (96, 32, 8), (6, 2, 2), 8)
    (32, 16, 8)
    >>> reshaped_strides((2, 3), (8, 16), (6,), 8) is None
    True
    """
    if 0 in shape:
        return contiguous_strides(wanted, itemsize)
    old = [(length, stride) for length, stride in zip(shape, strides, strict=True) if length != 1]
    found: list[int] = []
    i = j = 0
    while i < len(old) and j < len(wanted):
        first, start = i, j
        old_size, new_size = old[i][0], wanted[j]
        while old_size != new_size:
            if new_size < old_size:
                j += 1
                new_size *= wanted[j]
            else:
                i += 1
                old_size *= old[i][0]
        if any(old[k][1] != old[k + 1][1] * old[k + 1][0] for k in range(first, i)):
            return None
        group: list[int] = []
        stride = old[i][1]
        for length in reversed(wanted[start : j + 1]):
            group.append(stride)
            stride *= length
        found += reversed(group)
        i, j = i + 1, j + 1
    last = found[-1] if found else itemsize
    return (*found, *(last,) * (len(wanted) - len(found)))  # what is left are axes of length 1
