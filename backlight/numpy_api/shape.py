"""Shapes and the order of elements: reshape, transpose, join, split, repeat, flip, pad, …"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from backlight import views
from backlight.array import Array
from backlight.numpy_api.common import (
    argument_error,
    axes_of,
    axis_of,
    cast,
    constant,
    deliver,
    implements,
    implements_strictly,
    newer,
    operand,
    promote,
    raveled,
    read,
)
from backlight.primitive import REGISTRY as P

__all__ = ["along", "concatenate", "expand_dims", "moveaxis", "ravel", "reshape", "stack", "transpose"]


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The key that applies ``index`` to ``axis`` and takes the axes before it whole."""
    return (*(slice(None),) * axis, index)


# -- Views -----------------------------------------------------------------------------------------------------------


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Any:
    """The same elements in another shape; one length may be -1. Order ``F`` counts the first axis fastest."""
    x = operand(a)
    if order not in ("C", "F", "A"):
        raise argument_error("reshape", "api_mode", came=repr(order), known="'C', 'F', 'A'")
    shape = tuple(map(int, shape)) if isinstance(shape, tuple | list | np.ndarray) else (int(shape),)
    if -1 in shape:
        known = -prod(shape)
        if known > 0 and x.size % known == 0:
            shape = tuple(x.size // known if n == -1 else n for n in shape)
    if prod(shape) != x.size or min(shape, default=0) < 0:
        raise argument_error("reshape", "api_reshape", shape=x.shape, size=x.size, wanted=shape)
    if order == "F":
        reverse = views.transpose(x, tuple(range(len(x.shape)))[::-1])
        return views.transpose(views.reshape(reverse, shape[::-1]), tuple(range(len(shape)))[::-1])
    return Array(views.reshape(x, shape).node) if copy else views.reshape(x, shape)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """The elements along one axis."""
    x = operand(a)
    if order not in ("C", "F", "A", "K"):
        raise argument_error("ravel", "api_mode", came=repr(order), known="'C', 'F', 'A', 'K'")
    return reshape(x, (x.size,), "F") if order == "F" else views.ravel(x)


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """The axes in another order; reversed without ``axes``."""
    x = operand(a)
    ndim = len(x.shape)
    if axes is None:
        return views.transpose(x, tuple(range(ndim))[::-1])
    axes = axes_of(tuple(axes), ndim)
    if len(axes) != ndim:
        raise argument_error("transpose", "api_axes_count", ndim=ndim, axes=axes)
    return views.transpose(x, axes)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    x = operand(x)
    if len(x.shape) < 2:
        raise argument_error("matrix_transpose", "api_needs_matrix", shape=x.shape)
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Any:
    """Two axes exchanged."""
    x = operand(a)
    axes = list(range(len(x.shape)))
    i, j = axis_of(axis1, len(axes)), axis_of(axis2, len(axes))
    axes[i], axes[j] = axes[j], axes[i]
    return views.transpose(x, tuple(axes))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to new positions, the others in their order."""
    x = operand(a)
    ndim = len(x.shape)
    sources, targets = axes_of(source, ndim), axes_of(destination, ndim)
    if len(sources) != len(targets):
        raise argument_error("moveaxis", "api_axes_count", ndim=len(sources), axes=targets)
    order = [axis for axis in range(ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return views.transpose(x, tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: Any, start: Any = 0) -> Any:
    """One axis moved in front of position ``start``."""
    x = operand(a)
    axis = axis_of(axis, len(x.shape))
    start = start + len(x.shape) if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """New axes of length 1 at the positions ``axis`` of the result."""
    x = operand(a)
    ndim = len(x.shape) + (len(axis) if isinstance(axis, tuple | list) else 1)
    axes = axes_of(axis, ndim)
    rest = iter(x.shape)
    return views.reshape(x, tuple(1 if i in axes else next(rest) for i in range(ndim)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Without the axes of length 1 (all, or those named)."""
    x = operand(a)
    if axis is None:
        return views.reshape(x, tuple(n for n in x.shape if n != 1))
    axes = axes_of(axis, len(x.shape))
    if any(x.shape[i] != 1 for i in axes):
        raise argument_error("squeeze", "api_squeeze", shape=x.shape, axes=axes)
    return views.reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def _at_least(ndim: int, arrays: tuple[Any, ...]) -> Any:
    found = []
    for x in map(operand, arrays):
        missing = ndim - len(x.shape)
        if missing > 0:
            # NumPy's rule for three axes: (n,) -> (1, n, 1) and (m, n) -> (m, n, 1)
            behind = 1 if ndim == 3 and x.shape else 0
            x = views.reshape(x, (*(1,) * (missing - behind), *x.shape, *(1,) * behind))
        found.append(x)
    return found[0] if len(found) == 1 else tuple(found)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """With at least one axis."""
    return _at_least(1, arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """With at least two axes."""
    return _at_least(2, arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """With at least three axes."""
    return _at_least(3, arys)


# -- Broadcasting ----------------------------------------------------------------------------------------------------


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """The array repeated along new axes and axes of length 1 until it has ``shape``."""
    shape = tuple(shape) if isinstance(shape, tuple | list) else (int(shape),)
    x = operand(array)
    return views.broadcast_to(x, shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """All arrays in their common shape."""
    xs = [operand(x) for x in args]
    shape = np.broadcast_shapes(*[x.shape for x in xs])
    return tuple(broadcast_to(x, shape) for x in xs)


@implements_strictly(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """A grid of coordinates from one array of them for each axis."""
    xs = [raveled(operand(x)) for x in xi]
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[0], order[1] = 1, 0
    shape = [0] * len(xs)
    for x, axis in zip(xs, order, strict=True):
        shape[axis] = x.size
    found = [
        P.reshape(x, shape=tuple(x.size if i == axis else 1 for i in range(len(xs))))
        for x, axis in zip(xs, order, strict=True)
    ]
    return tuple(found if sparse else [broadcast_to(x, tuple(shape)) for x in found])


@constant(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """Index arrays that select a grid."""
    return np.ix_(*[read(x) for x in args])


# -- Joining ---------------------------------------------------------------------------------------------------------


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Arrays one after another along an existing axis (``None``: all raveled)."""
    xs = promote(*map(operand, arrays), dtype=dtype)
    if axis is None:
        xs, axis = [raveled(x) for x in xs], 0
    return deliver(P.concatenate(*xs, axis=axis_of(axis, len(xs[0].shape))), out, casting)


@implements(np.stack)
def stack(arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays of one shape side by side along a new axis."""
    xs = [operand(x) for x in arrays]
    shape = xs[0].shape
    if any(x.shape != shape for x in xs):
        raise argument_error("stack", "api_stack", shapes=[x.shape for x in xs])
    axis = axis_of(axis, len(shape) + 1)
    longer = (*shape[:axis], 1, *shape[axis:])
    return concatenate([P.reshape(x, shape=longer) for x in xs], axis, out, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Rows under one another."""
    return concatenate([atleast_2d(x) for x in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Columns beside one another (1-D arrays end to end)."""
    xs = [atleast_1d(x) for x in tup]
    return concatenate(xs, 0 if len(xs[0].shape) == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Along the third axis."""
    return concatenate([atleast_3d(x) for x in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """1-D arrays as the columns of a matrix."""
    xs = [operand(x) for x in tup]
    return concatenate([P.reshape(x, shape=(x.size, 1)) if len(x.shape) < 2 else x for x in xs], 1)


@implements(np.block)
def block(arrays: Any) -> Any:
    """A matrix from nested lists of blocks: the innermost lists are joined along the last axis."""

    def depth(x: Any) -> int:
        return 1 + max(map(depth, x), default=0) if isinstance(x, list) else 0

    def ndim(x: Any) -> int:
        return max(map(ndim, x)) if isinstance(x, list) else len(operand(x).shape)

    levels = depth(arrays)
    axes = max(levels, ndim(arrays))

    def join(x: Any, level: int) -> Any:
        if isinstance(x, list):
            return concatenate([join(member, level + 1) for member in x], axes - levels + level)
        x = operand(x)
        return P.reshape(x, shape=(*(1,) * (axes - len(x.shape)), *x.shape)) if len(x.shape) < axes else x

    return Array(join(arrays, 0).node)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """``values`` after ``arr``."""
    return concatenate((arr, values), axis)


# -- Splitting -------------------------------------------------------------------------------------------------------


@implements_strictly(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    """Pieces along an axis: that many (as equal as can be), or cut at the positions given."""
    x = operand(ary)
    axis = axis_of(axis, len(x.shape))
    count = x.shape[axis]
    if isinstance(indices_or_sections, int | np.integer):
        each, longer = divmod(count, int(indices_or_sections))
        sizes = [each + 1] * longer + [each] * (int(indices_or_sections) - longer)
        cuts = list(np.cumsum(sizes)[:-1])
    else:
        cuts = list(read(indices_or_sections))
    edges = [0, *map(int, cuts), count]
    return [x[along(axis, slice(i, j))] for i, j in pairwise(edges)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    """Equal pieces along an axis, or pieces cut at the positions given."""
    x = operand(ary)
    if isinstance(indices_or_sections, int | np.integer):
        count = x.shape[axis_of(axis, len(x.shape))]
        if count % indices_or_sections:
            raise argument_error("split", "api_split", count=count, sections=indices_or_sections)
    return array_split(x, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Pieces along the columns (of a 1-D array along its only axis)."""
    return split(ary, indices_or_sections, 0 if len(operand(ary).shape) == 1 else 1)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Pieces along the rows."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Pieces along the third axis."""
    return split(ary, indices_or_sections, 2)


@implements(*newer("unstack"))
def unstack(x: Any, /, *, axis: Any = 0) -> tuple[Any, ...]:
    """The members along an axis, which disappears."""
    x = operand(x)
    axis = axis_of(axis, len(x.shape))
    return tuple(x[along(axis, i)] for i in range(x.shape[axis]))


# -- Repeating and turning ---------------------------------------------------------------------------------------------


@implements_strictly(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """The array laid out ``reps`` times along each axis."""
    x = operand(A)
    counts = tuple(reps) if isinstance(reps, tuple | list | np.ndarray) else (int(reps),)
    counts = (*(1,) * (len(x.shape) - len(counts)), *counts)
    shape = (*(1,) * (len(counts) - len(x.shape)), *x.shape)
    pairs = tuple(n for length in shape for n in (1, length))
    copied = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    y = P.broadcast_to(P.reshape(x, shape=pairs), shape=tuple(map(int, copied)))
    return P.reshape(y, shape=tuple(int(r) * n for r, n in zip(counts, shape, strict=True)))


@implements_strictly(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """Each element ``repeats`` times in a row (one count for all, or one for each)."""
    x = operand(a)
    if axis is None:
        x, axis = raveled(x), 0
    axis = axis_of(axis, len(x.shape))
    counts = np.asarray(read(repeats))
    if counts.size == 1:
        n = int(counts.reshape(()))
        longer = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
        copied = (*x.shape[: axis + 1], n, *x.shape[axis + 1 :])
        y = P.broadcast_to(P.reshape(x, shape=longer), shape=copied)
        return P.reshape(y, shape=(*x.shape[:axis], x.shape[axis] * n, *x.shape[axis + 1 :]))
    if counts.shape != (x.shape[axis],):
        raise argument_error("repeat", "api_repeats", count=x.shape[axis], came=counts.shape)
    return x[along(axis, np.repeat(np.arange(x.shape[axis]), counts))]


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Elements moved along an axis; those pushed out at one end come back at the other."""
    x = operand(a)
    if axis is None:
        return P.reshape(roll(raveled(x), shift, 0), shape=x.shape)
    pairs = np.broadcast(shift, axis)
    for step, one in pairs:
        one = axis_of(one, len(x.shape))
        count = x.shape[one]
        cut = int(step) % count if count else 0
        if cut:
            x = P.concatenate(
                x[along(one, slice(count - cut, None))], x[along(one, slice(None, count - cut))], axis=one
            )
    return Array(x.node)


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """The order of elements reversed along ``axis``."""
    x = operand(m)
    axes = axes_of(axis, len(x.shape))
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(len(x.shape)))]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Left and right exchanged."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Up and down exchanged."""
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Turned by ``k`` right angles, from the first of the two axes towards the second."""
    x = operand(m)
    i, j = axes_of(tuple(axes), len(x.shape))
    if k % 4 == 0:
        return x[...]
    if k % 4 == 2:
        return flip(x, (i, j))
    return swapaxes(flip(x, j), i, j) if k % 4 == 1 else flip(swapaxes(x, i, j), j)


@implements_strictly(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """The elements repeated in order until ``new_shape`` is full."""
    x = raveled(operand(a))
    shape = tuple(new_shape) if isinstance(new_shape, tuple | list) else (int(new_shape),)
    if x.size == 0:
        return operand(np.resize(x.node.value, shape))
    return P.reshape(x[np.arange(prod(shape)) % x.size], shape=shape)


# -- Padding ---------------------------------------------------------------------------------------------------------

_BY_POSITION = ("edge", "reflect", "symmetric", "wrap")
_BY_STATISTIC = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def _pairs(value: Any, ndim: int) -> list[tuple[Any, Any]]:
    """A setting of ``np.pad`` for each axis: (before, after)."""
    if isinstance(value, dict):
        full: list[tuple[Any, Any]] = [(0, 0)] * ndim
        for axis, pair in value.items():
            full[axis_of(axis, ndim)] = tuple(pair) if isinstance(pair, tuple | list) else (pair, pair)
        return full
    rows = [_members(row) for row in _members(value)]
    if all(len(row) == 1 for row in rows) and not any(map(_is_row, _members(value))):
        rows = [[row[0] for row in rows]]  # one number, or (before, after), for all axes
    found = [(row[0], row[-1]) for row in rows]
    return found * ndim if len(found) == 1 else found


def _is_row(value: Any) -> bool:
    return isinstance(value, tuple | list) or (isinstance(value, np.ndarray | Array) and value.ndim > 0)


def _members(value: Any) -> list[Any]:
    return list(value) if _is_row(value) else [value]


@implements_strictly(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """The array with a border: of constants, of its own elements, of a ramp or of a statistic."""
    x = operand(array)
    ndim = len(x.shape)
    widths = [(int(before), int(after)) for before, after in _pairs(pad_width, ndim)]
    if mode in ("constant", "empty"):
        values = _pairs(kwargs.get("constant_values", 0), ndim)
        ends = [
            (np.full(1, before).astype(x.dtype), np.full(1, after).astype(x.dtype))
            if not isinstance(before, Array) and not isinstance(after, Array)
            else (before, after)
            for before, after in values
        ]
        return _bordered(x, widths, lambda x, axis: ends[axis])
    if mode in _BY_POSITION and kwargs.get("reflect_type", "even") == "even":
        for axis, pair in enumerate(widths):
            if any(pair):
                x = x[along(axis, np.pad(np.arange(x.shape[axis]), pair, mode))]
        return x
    if mode == "linear_ramp":
        goals = _pairs(kwargs.get("end_values", 0), ndim)
        return _ramped(x, widths, goals)
    if mode in _BY_STATISTIC:
        lengths = _pairs(kwargs.get("stat_length"), ndim)
        return _bordered(x, widths, lambda x, axis: _statistics(x, axis, lengths[axis], _BY_STATISTIC[mode]))
    if mode in _BY_POSITION:
        return _turned(x, widths, mode == "symmetric")
    raise argument_error("pad", "api_pad_mode", mode=mode)


def _bordered(x: Any, widths: Sequence[tuple[int, int]], border: Any) -> Any:
    """Axis by axis, a border whose two values come from ``border(x, axis)``."""
    for axis, (before, after) in enumerate(widths):
        if before or after:
            first, last = border(x, axis)
            shape = [*x.shape]
            parts = []
            for value, width in ((first, before), (None, 0), (last, after)):
                if value is None:
                    parts.append(x)
                elif width:
                    shape[axis] = width
                    value = cast(operand(value), x.dtype)
                    lifted = value if len(value.shape) == len(shape) else P.reshape(value, shape=(1,) * len(shape))
                    parts.append(P.broadcast_to(lifted, shape=tuple(shape)))
            x = P.concatenate(*parts, axis=axis)
    return x


def _turned(x: Any, widths: Sequence[tuple[int, int]], with_edge: bool) -> Any:
    """A border that goes on as the array would, turned by 180° about its end: ``2 · edge - reflected``.

    A border wider than the array is turned again and again, in pieces that are whole periods as in NumPy.
    """
    for axis, (before, after) in enumerate(widths):
        period = x.shape[axis]
        while before or after:
            size = x.shape[axis]
            skip = 0 if with_edge or period == 1 else 1
            most = size // period * period if not skip else (size - 1) // (period - 1) * (period - 1)
            left, right = min(before, most), min(after, most)
            first, last = x[along(axis, slice(0, 1))], x[along(axis, slice(-1, None))]
            head = np.flip(x[along(axis, slice(skip, skip + left))], axis)
            tail = np.flip(x[along(axis, slice(size - skip - right, size - skip))], axis)
            x = P.concatenate(2 * first - head, x, 2 * last - tail, axis=axis)
            before, after = before - left, after - right
    return x


def _statistics(x: Any, axis: int, lengths: tuple[Any, Any], statistic: Any) -> tuple[Any, Any]:
    count = x.shape[axis]
    before, after = (count if n is None else min(int(n), count) for n in lengths)
    first = statistic(x[along(axis, slice(0, before))], axis=axis, keepdims=True)
    last = statistic(x[along(axis, slice(count - after, None))], axis=axis, keepdims=True)
    if x.dtype.kind in "iu":
        first, last = np.rint(first), np.rint(last)
    return first, last


def _ramped(x: Any, widths: Sequence[tuple[int, int]], goals: Sequence[tuple[Any, Any]]) -> Any:
    """A border that runs in equal steps from the edge to its goal."""
    for axis, (before, after) in enumerate(widths):
        parts = [x]
        for width, goal, edge in ((before, goals[axis][0], 0), (after, goals[axis][1], -1)):
            if width:
                shape = tuple(width if i == axis else 1 for i in range(len(x.shape)))
                share = (np.arange(width) + (0 if edge == 0 else 1)) / width
                share = (share if edge == 0 else 1 - share).reshape(shape)
                start = x[along(axis, slice(0, 1) if edge == 0 else slice(-1, None))]
                ramp = goal + (start - goal) * share
                ramp = cast(np.floor(ramp) if x.dtype.kind in "iu" else ramp, x.dtype)
                parts.insert(0 if edge == 0 else len(parts), ramp)
        x = P.concatenate(*parts, axis=axis) if len(parts) > 1 else x
    return x
