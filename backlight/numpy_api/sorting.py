"""Order, search and selection: sort, take, select, searchsorted, nonzero, and writing at chosen places."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import UnsupportedError, message
from backlight.numpy_api.common import (
    argument_error,
    axis_of,
    cast,
    constant,
    deliver,
    here,
    implements,
    implements_strictly,
    operand,
    promote,
    raveled,
    read,
    unsupported_option,
)
from backlight.numpy_api.shape import along
from backlight.primitive import REGISTRY as P
from backlight.refusal import describe

__all__ = ["argsort", "searchsorted", "sort", "take", "take_along_axis"]


# -- Order -----------------------------------------------------------------------------------------------------------


def _ordered(function: str, record: Any, a: Any, axis: Any, order: Any) -> Any:
    if order is not None:
        raise unsupported_option(f"np.{function}", "order", "axis=")
    x = operand(a)
    if axis is None:
        x, axis = raveled(x), 0
    return record(x, axis=axis_of(axis, len(x.shape)))


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """In ascending order along ``axis``; every element keeps its gradient. Always stable."""
    return _ordered("sort", P.sort, a, axis, order)


@constant(np.argsort)
def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """The positions that sort along ``axis``. Always stable."""
    return _ordered("argsort", P.argsort, a, axis, order)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None) -> Any:
    """With the ``kth`` smallest in its place: the fully sorted array is such a partition."""
    return _ordered("partition", P.sort, a, axis, order)


@constant(np.argpartition)
def argpartition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None) -> Any:
    """The positions that put the ``kth`` smallest in its place: those that sort are such."""
    return _ordered("argpartition", P.argsort, a, axis, order)


@constant(np.lexsort)
def lexsort(keys: Any, axis: Any = -1) -> Any:
    """The positions that sort by several keys, the last one first."""
    return operand(np.lexsort(read(keys), axis))


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Sorted by the real part, then the imaginary part, as complex numbers."""
    x = operand(a)
    dtype = np.result_type(x.dtype, np.complex64)
    return P.sort(cast(x, dtype), axis=axis_of(-1, len(x.shape)))


# -- Taking ----------------------------------------------------------------------------------------------------------


def _positions(indices: Any, mode: str, count: int) -> Any:
    """Index arrays with NumPy's treatment of positions outside: ``raise``, ``wrap`` or ``clip``."""
    index = indices if isinstance(indices, Array) else np.asarray(indices)
    if index.dtype.kind == "b":
        index = cast(index, np.intp) if isinstance(index, Array) else index.astype(np.intp)
    if mode == "raise":
        return index
    if mode not in ("wrap", "clip"):
        raise argument_error("take", "api_mode", came=repr(mode), known="'raise', 'wrap', 'clip'")
    return index % count if mode == "wrap" else np.clip(index, 0, count - 1)


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """The elements (or slices) at ``indices``."""
    x = operand(a)
    if axis is None:
        x, axis = raveled(x), 0
    axis = axis_of(axis, len(x.shape))
    return deliver(x[along(axis, _positions(indices, mode, x.shape[axis]))], out)


def _grid(x: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """Index arrays for ``take_along_axis``: the given ones along ``axis``, every position along the others."""
    ndim = len(x.shape)
    if len(indices.shape) != ndim:
        raise argument_error("take_along_axis", "api_along_axis", ndim=ndim, came=len(indices.shape))
    return tuple(
        indices if i == axis else np.arange(x.shape[i]).reshape(tuple(x.shape[i] if j == i else 1 for j in range(ndim)))
        for i in range(ndim)
    )


def _index(indices: Any) -> Any:
    return indices if isinstance(indices, Array) else np.asarray(indices)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """For each line along ``axis``, the elements at that line's own indices (as ``argsort`` gives them)."""
    x, index = operand(arr), _index(indices)
    if axis is None:
        x, axis = raveled(x), 0
    return x[_grid(x, index, axis_of(axis, len(x.shape)))]


@implements_strictly(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    """The slices along ``axis`` where the condition holds."""
    return take(a, np.flatnonzero(read(condition)), axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The elements where the condition holds."""
    return take(arr, np.flatnonzero(read(condition)))


@implements_strictly(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first choice whose condition holds, element by element."""
    if len(condlist) != len(choicelist):
        raise argument_error("select", "api_select", conditions=len(condlist), choices=len(choicelist))
    xs = promote(*choicelist, default)
    shape = np.broadcast_shapes(*[operand(c).shape for c in condlist], *[x.shape for x in xs])
    y: Any = P.broadcast_to(xs[-1], shape=shape)
    for condition, choice in zip(condlist[::-1], xs[-2::-1], strict=True):
        y = P.where(condition, choice, y)
    return y


@implements_strictly(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """From a list of arrays, the one that ``a`` names, element by element."""
    xs = promote(*choices)
    number = operand(_positions(a, mode, len(xs)))
    named = number.node.value
    if mode == "raise" and named.size and not 0 <= int(named.min()) <= int(named.max()) < len(xs):
        raise argument_error("choose", "api_choose", count=len(xs))
    shape = np.broadcast_shapes(number.shape, *[x.shape for x in xs])
    y: Any = P.broadcast_to(xs[0], shape=shape)
    for k, choice in enumerate(xs[1:], 1):
        y = P.where(P.equal(number, k), choice, y)
    return deliver(y, out)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """A function for each region; one more than there are conditions is used elsewhere."""
    x = operand(x)
    single = not isinstance(condlist, list | tuple) or (
        x.shape and len(condlist) and not isinstance(condlist[0], list | np.ndarray | Array)
    )
    conditions = [operand(condlist)] if single else [operand(c) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(P.logical_not(reduce(P.logical_or, conditions)))
    if len(funclist) != len(conditions):
        raise argument_error("piecewise", "api_piecewise", conditions=len(conditions), functions=len(funclist))
    y: Any = operand(np.zeros(x.shape, x.dtype))
    for condition, function in zip(conditions, funclist, strict=True):
        where = np.flatnonzero(read(P.broadcast_to(cast(condition, bool), shape=x.shape)))
        if where.size:
            piece = function(raveled(x)[where], *args, **kw) if callable(function) else function
            piece = P.broadcast_to(cast(operand(piece), x.dtype), shape=where.shape)
            y = P.reshape(P.scatter_set(raveled(y), where, piece), shape=x.shape)
    return y


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Without the zeros at the ends."""
    x = operand(filt)
    found = np.nonzero(read(x))
    chosen = range(len(x.shape)) if axis is None else [axis_of(one, len(x.shape)) for one in np.atleast_1d(axis)]
    key: list[Any] = [slice(None)] * len(x.shape)
    for one in chosen:
        if not found[one].size:
            key[one] = slice(0, 0)
            continue
        first = int(found[one].min()) if "f" in trim.lower() else 0
        last = int(found[one].max()) + 1 if "b" in trim.lower() else x.shape[one]
        key[one] = slice(first, last)
    return x[tuple(key)]


# -- Positions -------------------------------------------------------------------------------------------------------


@constant(np.nonzero)
def nonzero(a: Any) -> Any:
    """The positions of the elements that are not zero, as plain arrays."""
    return np.nonzero(read(a))


@constant(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """The flat positions of the elements that are not zero, as a plain array."""
    return np.flatnonzero(read(a))


@constant(np.argwhere)
def argwhere(a: Any) -> Any:
    """The positions of the elements that are not zero, one row each, as a plain array."""
    return np.argwhere(read(a))


@constant(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where ``v`` would have to be inserted into the sorted ``a``: how many elements of ``a`` lie before it."""
    x = operand(a)
    if sorter is not None:
        x = take(x, sorter)
    return operand(np.searchsorted(read(x), read(v), side))  # type: ignore[call-overload]


@constant(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """The number of the bin each element falls into."""
    return operand(np.digitize(read(x), read(bins), right))


@constant(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: Any = "C") -> Any:
    """Flat positions as one array for each axis."""
    return np.unravel_index(read(indices), shape, order)


@constant(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C") -> Any:
    """Positions, one array for each axis, as flat ones."""
    return np.ravel_multi_index(read(multi_index), dims, mode, order)


# -- Writing in place --------------------------------------------------------------------------------------------------


def _target(a: Any) -> Array:
    if not isinstance(a, Array):
        raise UnsupportedError(message("api_out_plain", here(), out=describe(a)))
    return a


def _write_flat(x: Array, index: Any, values: Any) -> None:
    """Write at flat positions (in C order, however the memory of ``x`` is laid out)."""
    flat = P.scatter_set(raveled(x), index, cast(operand(values), x.dtype))
    x.write(P.reshape(flat, shape=x.shape))


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    """Write ``values`` where ``take_along_axis`` reads."""
    x = _target(arr)
    if axis is None:
        places = np.arange(x.size)[read(_index(indices))]
        _write_flat(x, places, P.broadcast_to(operand(values), shape=places.shape))
    else:
        x[_grid(x, _index(indices), axis_of(axis, len(x.shape)))] = values


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Write ``v`` at flat positions, repeating it as often as needed."""
    x = _target(a)
    index = np.ravel(_positions(read(ind), mode, x.size))
    values = raveled(operand(v))
    if index.size and values.size:
        _write_flat(x, index, values[np.arange(index.size) % values.size])


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Write ``values[n]`` at every flat position ``n`` where the mask holds."""
    x = _target(a)
    index = np.flatnonzero(read(mask))
    source = raveled(operand(values))
    if index.size and source.size:
        _write_flat(x, index, source[index % source.size])


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Write the first values of ``vals`` where the mask holds, repeating them as often as needed."""
    put(arr, np.flatnonzero(read(mask)), vals)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Write ``src`` into ``dst`` where the mask holds."""
    x = _target(dst)
    new = P.broadcast_to(operand(src), shape=x.shape)
    if where is not True:
        new = cast(P.where(where, new, x), np.result_type(new.dtype, x.dtype) if casting != "unsafe" else x.dtype)
        new = cast(new, x.dtype) if np.can_cast(operand(src).dtype, x.dtype, casting) else new  # type: ignore[arg-type]
    deliver(new, x, casting)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Write ``val`` on the main diagonal."""
    x = _target(a)
    step = 1 + int(np.cumprod(x.shape[:0:-1]).sum()) if len(x.shape) > 2 else x.shape[1] + 1
    end = None if wrap or len(x.shape) > 2 else x.shape[1] * x.shape[1]
    places = np.arange(x.size)[:end:step]
    values = raveled(operand(val))
    _write_flat(x, places, values[np.arange(places.size) % values.size])
