"""Views: results that show the numbers of another array, so that writing to either is seen by both, as in NumPy.

``x[1:]`` and its like are made by ``indexing``; here are those that functions make. Each says how it is read out of
its base, how a new value is put back, and which strides NumPy's view would have: they decide what is a view of a view.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array
from backlight.indexing import read_only, strides_of
from backlight.layout import (
    contiguous_strides,
    dense_strides,
    inverse_permutation,
    is_contiguous,
    reshaped_strides,
)
from backlight.primitive import HOOK
from backlight.primitive import REGISTRY as P

__all__ = ["broadcast_to", "copy", "diagonal", "flat", "imag", "ravel", "real", "reshape", "transpose"]

Shape = tuple[int, ...]


class View(NamedTuple):
    """A lens that knows its memory layout: ``strides`` are in bytes."""

    get: Callable[[Array], Array]
    put: Callable[[Array, Array], Array]
    strides: Shape


def _view(x: Array, get: Any, put: Any, strides: Shape) -> Array:
    shown: Array = get(x)
    if x.node.is_scalar:
        return shown  # NumPy's numbers are immutable and have no views
    return shown.as_view(x, View(get, put, strides))  # type: ignore[arg-type]


def reshape(x: Array, shape: Shape) -> Array:
    """``x`` counted in another shape (C order): a view where NumPy can give one, else a copy.

    >>> import backlight
    >>> x = backlight.array([[1.0, 2.0], [3.0, 4.0]])
    >>> flat = reshape(x, (4,))
    >>> flat[3] = 0.0
    >>> x
    backlight.array([[1., 2.],
           [3., 0.]])
    """
    strides = reshaped_strides(x.shape, strides_of(x), shape, x.dtype.itemsize)
    if strides is None:
        return P.reshape(x, shape=shape)  # type: ignore[no-any-return]
    before = x.shape
    return _view(x, lambda base: P.reshape(base, shape=shape), lambda base, new: P.reshape(new, shape=before), strides)


def ravel(x: Array) -> Array:
    """The numbers of ``x`` along one axis (C order): a view only of an array that is contiguous, as in NumPy."""
    if is_contiguous(x.shape, strides_of(x), x.dtype.itemsize):
        return reshape(x, (x.size,))
    return P.reshape(x, shape=(x.size,))  # type: ignore[no-any-return]


def copy(x: Array, order: str = "K") -> Array:
    """A copy, laid out in memory in C or F order, or as NumPy's ``K`` and ``A`` say: writing to one leaves the other.

    It costs no node, since nodes never change.

    >>> import backlight
    >>> x = backlight.array([1.0, 2.0])
    >>> copy(x)[0] = 5.0
    >>> x
    backlight.array([1., 2.])
    """
    strides, itemsize = strides_of(x), x.dtype.itemsize
    columns = tuple(reversed(contiguous_strides(tuple(reversed(x.shape)), itemsize)))
    if order == "A":
        is_f = is_contiguous(tuple(reversed(x.shape)), tuple(reversed(strides)), itemsize)
        order = "F" if is_f and not is_contiguous(x.shape, strides, itemsize) else "C"
    copied = Array(x.node)
    if order == "K":
        copied._layout = dense_strides(x.shape, strides, itemsize)
    else:
        copied._layout = columns if order == "F" else contiguous_strides(x.shape, itemsize)
    return copied


def transpose(x: Array, axes: Shape) -> Array:
    """A view of ``x`` with its axes in another order.

    >>> import backlight
    >>> x = backlight.array([[1.0, 2.0], [3.0, 4.0]])
    >>> transpose(x, (1, 0))[0, 1] = 7.0
    >>> x
    backlight.array([[1., 2.],
           [7., 4.]])
    """
    back = inverse_permutation(axes)
    strides = strides_of(x)
    return _view(
        x,
        lambda base: P.transpose(base, axes=axes),
        lambda base, new: P.transpose(new, axes=back),
        tuple([strides[axis] for axis in axes]),
    )


def broadcast_to(x: Array, shape: Shape) -> Array:
    """``x`` repeated to ``shape``, to be read only: several places show one number.

    Writing to it raises ``ArgumentError``.
    """
    lead = len(shape) - x.ndim
    moves = [0 if length == 1 else stride for length, stride in zip(x.shape, strides_of(x), strict=True)]
    return _view(x, partial(P.broadcast_to, shape=shape), read_only, (*(0,) * lead, *moves))


def real(x: Array) -> Array:
    """The real part: a view of a complex array, ``x`` itself if it is real.

    >>> import backlight
    >>> z = backlight.array([1 + 2j, 3 + 4j])
    >>> real(z)[0] = 9.0
    >>> z
    backlight.array([9.+2.j, 3.+4.j])
    """
    if x.dtype.kind != "c":
        return x
    return _view(x, P.real, lambda base, new: P.complex(new, P.imag(base)), strides_of(x))


def imag(x: Array) -> Array:
    """The imaginary part: a view of a complex array, zeros that cannot be written for a real one."""
    if x.dtype.kind != "c":
        return _view(x, lambda base: P.imag(base), read_only, strides_of(x))
    return _view(x, P.imag, lambda base, new: P.complex(P.real(base), new), strides_of(x))


def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The numbers whose positions along two axes differ by ``offset``, on a new last axis; read only, as in NumPy."""
    rows, columns = x.shape[axis1], x.shape[axis2]
    first, second = max(0, -offset), max(0, offset)
    steps = np.arange(max(0, min(rows - first, columns - second)))
    rest = tuple([axis for axis in range(x.ndim) if axis not in (axis1, axis2)])
    back = (*range(1, x.ndim - 1), 0)
    old = strides_of(x)

    def get(base: Any) -> Any:
        found = P.gather(P.transpose(base, axes=(axis1, axis2, *rest)), steps + first, steps + second)
        return P.transpose(found, axes=back) if rest else found

    return _view(x, get, read_only, (*[old[axis] for axis in rest], old[axis1] + old[axis2]))


def flat(x: Array) -> Any:
    """The elements along one axis as a view, however the memory of ``x`` is laid out: what ``x.flat`` is."""
    shape = x.shape
    view = View(
        lambda base: P.reshape(base, shape=(base.size,)), lambda base, new: P.reshape(new, shape=shape), (x.itemsize,)
    )
    return view.get(x).as_view(x, view)  # type: ignore[arg-type]


HOOK.flat = flat
