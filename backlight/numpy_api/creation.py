"""Making arrays in the image of an Array, copying, converting, and asking about it without changing it."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight import views
from backlight.array import Array
from backlight.numpy_api.common import (
    as_inexact,
    axis_of,
    cast,
    constant,
    implements,
    implements_strictly,
    newer,
    operand,
    promote,
    read,
)
from backlight.numpy_api.shape import along, expand_dims, moveaxis, stack
from backlight.primitive import REGISTRY as P

__all__ = ["copy"]


# -- In the image of an array --------------------------------------------------------------------------------------


def _like(a: Any, dtype: Any, shape: Any) -> tuple[Any, Any]:
    x = operand(a)
    shape = x.shape if shape is None else tuple(shape) if isinstance(shape, tuple | list) else (int(shape),)
    return shape, x.dtype if dtype is None else np.dtype(dtype)


@constant(np.zeros_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Array:
    """Zeros in the shape and dtype of ``a``: an Array that can be written into."""
    return operand(np.zeros(*_like(a, dtype, shape)))


@constant(np.empty_like)
def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Array:
    """An Array to be filled, in the shape and dtype of ``prototype`` (it holds zeros)."""
    return operand(np.zeros(*_like(prototype, dtype, shape)))


@constant(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Array:
    """Ones in the shape and dtype of ``a``."""
    return operand(np.ones(*_like(a, dtype, shape)))


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """``fill_value`` in the shape and dtype of ``a``."""
    shape, kind = _like(a, dtype, shape)
    value = operand(fill_value)
    return P.broadcast_to(cast(value, kind), shape=shape)


def _creator(function: Any) -> None:
    @constant(function)
    def create(*args: Any, **kwargs: Any) -> Array:
        """NumPy's own, as an Array (``like=`` is what brings the call here)."""
        kwargs.pop("like", None)
        return operand(function(*[read(x) for x in args], **kwargs))


for _function in (
    np.arange,
    np.empty,
    np.eye,
    np.frombuffer,
    np.fromfile,
    np.fromfunction,
    np.fromiter,
    np.fromstring,
    np.genfromtxt,
    np.identity,
    np.loadtxt,
    np.ones,
    np.tri,
    np.zeros,
):
    _creator(_function)


@implements(np.full)
def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None
) -> Any:
    """``fill_value`` everywhere."""
    value = operand(fill_value)
    shape = tuple(shape) if isinstance(shape, tuple | list) else (int(shape),)
    return P.broadcast_to(value if dtype is None else cast(value, dtype), shape=shape)


@implements(np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require)
def array(a: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    """An Array from an Array, or from nested lists of Arrays and numbers (``like=`` is what brings the call here)."""
    x = operand(a)
    missing = kwargs.get("ndmin", 0) - len(x.shape)
    if missing > 0:
        x = P.reshape(x, shape=(*(1,) * missing, *x.shape))
    return Array(x.node) if dtype is None else cast(x, dtype)


# -- Copies and conversions ------------------------------------------------------------------------------------------


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Array:
    """A new handle on the same numbers: writing to one does not change the other."""
    return views.copy(operand(a), order)


@implements(*newer("astype"))
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """The numbers in another dtype; the gradient comes back in the dtype of ``x``."""
    y = cast(operand(x), dtype)
    return Array(y.node) if copy else y


@implements_strictly(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: Any = 0,
    *,
    device: Any = None,
) -> Any:
    """``num`` numbers in equal steps; differentiable in both ends."""
    num = int(num)
    steps = num - 1 if endpoint else num
    first, last = map(as_inexact, promote(start, stop))
    width = last - first
    share = (np.arange(num) / steps if steps > 0 else np.zeros(num)).astype(first.real.dtype)
    shape = np.broadcast_shapes(first.shape, last.shape)
    y = first + width * share.reshape(num, *(1,) * len(shape))
    if endpoint and num > 1:
        y = np.concatenate((y[:-1], P.reshape(P.broadcast_to(last, shape=shape), shape=(1, *shape))))
    y = moveaxis(y, 0, axis)
    if dtype is not None:
        y = cast(np.floor(y) if np.dtype(dtype).kind in "iu" else y, dtype)
    return (y, width / steps if steps > 0 else width * np.nan) if retstep else y


@implements_strictly(np.logspace)
def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: Any = 0
) -> Any:
    """Numbers whose logarithms are in equal steps."""
    y = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else cast(y, dtype)


@implements_strictly(np.geomspace)
def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: Any = 0) -> Any:
    """Numbers of which each is the same multiple of the one before."""
    start, stop = promote(start, stop, dtype=np.result_type(operand(start).dtype, operand(stop).dtype, float))
    sign = np.sign(start) if start.dtype.kind == "f" else 1.0
    y = np.exp(linspace(np.log(start * sign), np.log(stop * sign), num, endpoint, axis=axis)) * sign
    return y if dtype is None else cast(y, dtype)


# -- Applying a Python function --------------------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of a line applied to every line along ``axis``."""
    x = operand(arr)
    axis = axis_of(axis, len(x.shape))
    lines = moveaxis(x, axis, -1)
    lead = lines.shape[:-1]
    found = [operand(func1d(lines[place], *args, **kwargs)) for place in np.ndindex(*lead)]
    inner = found[0].shape
    y = P.reshape(stack(found), shape=(*lead, *inner))
    order = list(range(len(lead)))
    order[axis:axis] = range(len(lead), len(lead) + len(inner))
    return P.transpose(y, axes=tuple(order))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """A function of (array, axis) applied for one axis after another."""
    x = operand(a)
    for axis in np.atleast_1d(axes):
        place = axis_of(axis, len(x.shape))
        y = func(x, place)
        x = y if len(y.shape) == len(x.shape) else expand_dims(y, place)
    return x


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """Every window of the given size: new last axes run inside the window."""
    y = operand(x)
    ndim = len(y.shape)
    sizes = tuple(window_shape) if isinstance(window_shape, tuple | list) else (int(window_shape),)
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    for size, one in zip(sizes, axes, strict=True):
        place = axis_of(one, ndim)
        starts = np.arange(y.shape[place] - size + 1)
        windows = y[along(place, starts[:, None] + np.arange(size))]
        y = moveaxis(windows, place + 1, -1)
    return y


# -- Questions -------------------------------------------------------------------------------------------------------


@constant(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """The lengths of the axes."""
    return operand(a).shape


@constant(np.ndim)
def ndim(a: Any) -> int:
    """The number of axes."""
    return len(operand(a).shape)


@constant(np.size)
def size(a: Any, axis: Any = None) -> int:
    """The number of elements, or the length of one axis."""
    x = operand(a)
    if axis is None:
        return x.size
    length = 1
    for one in axis if isinstance(axis, tuple) else (axis,):
        length *= x.shape[axis_of(one, len(x.shape))]
    return length


def _as_dtype(x: Any) -> Any:
    return x.dtype if isinstance(x, Array) else x


def _about_dtype(function: Any) -> None:
    @constant(function)
    def ask(*args: Any, **kwargs: Any) -> Any:
        """NumPy's own answer, from the dtypes alone."""
        return function(*[_as_dtype(x) for x in args], **kwargs)


for _asked in (np.result_type, np.can_cast):
    _about_dtype(_asked)


def _about_value(function: Any) -> None:
    """A function whose answer is plain: indices, text, a dtype, a bool."""

    @constant(function)
    def ask(*args: Any, **kwargs: Any) -> Any:
        """NumPy's own answer, a plain value, from the plain values."""
        return function(*[read(x) for x in args], **{key: read(x) for key, x in kwargs.items()})


for _described in (
    np.array2string,
    np.array_repr,
    np.array_str,
    np.common_type,
    np.diag_indices_from,
    np.einsum_path,
    np.iscomplexobj,
    np.isrealobj,
    np.min_scalar_type,
    np.packbits,
    np.tril_indices_from,
    np.triu_indices_from,
    np.unpackbits,
):
    _about_value(_described)


def _plain_twin(x: Any, seen: dict[int, Any]) -> Any:
    """A plain array that stands for the memory of ``x``: views of one base get the same."""
    if not isinstance(x, Array):
        return x
    base = x if x._root is None else x._root
    return seen.setdefault(id(base), np.zeros(1))


def _about_memory(function: Any) -> None:
    @constant(function)
    def ask(a: Any, b: Any, max_work: Any = None) -> bool:
        """Whether writing to one may be seen in the other: views of one base are taken to overlap."""
        seen: dict[int, Any] = {}
        return bool(np.may_share_memory(_plain_twin(a, seen), _plain_twin(b, seen)))


for _compared in (np.shares_memory, np.may_share_memory):
    _about_memory(_compared)
