"""Reductions and running totals: sum, mean, var, max, …, and their versions that leave NaN out."""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from backlight.array import Array, elementwise, structural
from backlight.numpy_api.common import (
    argument_error,
    as_inexact,
    axes_of,
    axis_of,
    cast,
    constant,
    deliver,
    fold,
    implements,
    kept,
    newer,
    operand,
    raveled,
)
from backlight.primitive import REGISTRY as P

__all__ = ["argmax", "argmin", "cumprod", "cumsum", "max", "mean", "min", "prod", "root", "std", "sum", "var"]


def _taken(a: Any, dtype: Any, where: Any, neutral: Any) -> Array:
    x = a if type(a) is Array else operand(a)
    if dtype is not None:
        x = cast(x, dtype)
    return x if where is True else P.where(where, x, neutral)


_WIDE = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


# -- Sums and products ---------------------------------------------------------------------------------------------


@implements(np.sum)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The sum over ``axis``."""
    if type(a) is Array and dtype is None and out is None and initial is None and where is True and not keepdims:
        return structural(P.sum, a, axis=axes_of(axis, len(a.shape)))  # the ordinary call, without detours
    x = _taken(a, dtype, where, 0)
    y = fold(P.sum, x, axes_of(axis, len(x.shape)), keepdims)
    if initial is not None:
        y = y + cast(operand(initial), y.dtype)
    return y if out is None else deliver(y, out)


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The product over ``axis``."""
    x = _taken(a, dtype, where, 1)
    y = fold(P.prod, x, axes_of(axis, len(x.shape)), keepdims)
    if initial is not None:
        y = y * cast(operand(initial), y.dtype)
    return y if out is None else deliver(y, out)


def _count(x: Any, axes: tuple[int, ...], where: Any, keepdims: Any) -> Any:
    """How many elements are taken along ``axes``: an int, or an array where a mask decides."""
    if where is True:
        return product([x.shape[axis] for axis in axes])
    mask = P.broadcast_to(cast(operand(where), bool), shape=x.shape)
    return fold(P.sum, cast(mask, x.real.dtype if x.dtype.kind == "c" else x.dtype), axes, keepdims)


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    """The sum over ``axis`` divided by the number of elements (half precision is added up in single).

    Integers are added up as float64, unless ``dtype`` says otherwise, which is then the result's too.
    """
    x = a if type(a) is Array else operand(a)
    if dtype is None and out is None and where is True and not keepdims and x.dtype in _WIDE:
        axes = axes_of(axis, len(x.shape))
        count = product([x.shape[i] for i in axes])
        return elementwise(P.divide, structural(P.sum, x, axis=axes), count)  # the ordinary call, without detours
    if dtype is not None:
        x = cast(x, dtype)
    elif x.dtype.kind not in "fc":
        x = P.cast(x, dtype=np.dtype(float))
    half = x.dtype.char == "e"
    if half:
        x = P.cast(x, dtype=np.dtype(np.float32))
    axes = axes_of(axis, len(x.shape))
    total = fold(P.sum, x if where is True else P.where(where, x, 0), axes, keepdims)
    if dtype is not None and not half:
        total = cast(total, dtype)  # small integers were added up in larger ones
    y = total / _count(x, axes, where, keepdims)
    return deliver(cast(y, np.float16 if half else y.dtype if dtype is None else dtype), out)


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """The mean squared distance from the mean, ``Σ|x - mean|² / (n - ddof)``."""
    x = as_inexact(operand(a)) if dtype is None else cast(operand(a), dtype)
    half = x.dtype == np.float16
    x = cast(x, np.float32) if half else x
    axes = axes_of(axis, len(x.shape))
    count = _count(x, axes, where, True)
    if mean is None:
        mean = fold(P.sum, x if where is True else P.where(where, x, 0), axes, True) / count
    squared = _squared(x - mean)
    if where is not True:
        squared = P.where(where, squared, 0)
    free: Any = count - (ddof if correction is None else correction)
    if isinstance(free, Array):
        free = np.maximum(free, 0)
        free = free if keepdims else P.reshape(free, shape=tuple(n for i, n in enumerate(x.shape) if i not in axes))
    else:
        free = free if free > 0 else 0
    y = fold(P.sum, squared, axes, keepdims) / free
    return deliver(cast(y, np.float16) if half else y, out)


def _squared(x: Any) -> Any:
    return P.square(P.real(x)) + P.square(P.imag(x)) if x.dtype.kind == "c" else P.square(x)


def root(x: Any) -> Any:
    """The square root of a sum of squares: its derivative is infinite at 0, but the squares change nothing there, so
    that their product is 0 (as the central difference says) and not NaN."""
    zero = P.equal(x, 0)
    return P.where(zero, x, P.sqrt(P.where(zero, 1, x)))


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """The square root of the variance; its gradient on constant data is 0."""
    spread = var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return deliver(root(spread), out)


# -- Extremes --------------------------------------------------------------------------------------------------------


def _extreme(
    name: str, reduction: Any, pick: Any, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any
) -> Any:
    x = a if type(a) is Array else operand(a)
    axes = axes_of(axis, len(x.shape))
    if where is not True:
        if initial is None:
            raise argument_error(name, "api_needs_initial")
        x = P.where(where, x, cast(operand(initial), x.dtype))
    if initial is None:
        y = fold(reduction, x, axes, keepdims)
    elif product([x.shape[i] for i in axes]) == 0:
        shape = kept(x.shape, axes) if keepdims else tuple(n for i, n in enumerate(x.shape) if i not in axes)
        y = P.broadcast_to(cast(operand(initial), x.dtype), shape=shape)
    else:
        y = pick(fold(reduction, x, axes, keepdims), cast(operand(initial), x.dtype))
    return y if out is None else deliver(y, out)


@implements(np.max, np.amax)
def max(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True
) -> Any:
    """The largest element along ``axis``."""
    return _extreme("max", P.max, P.maximum, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True
) -> Any:
    """The smallest element along ``axis``."""
    return _extreme("min", P.min, P.minimum, a, axis, out, keepdims, initial, where)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """The largest element minus the smallest."""
    return deliver(max(a, axis, None, keepdims) - min(a, axis, None, keepdims), out)


def _position(reduction: Any, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    x = operand(a)
    if axis is None:
        y = reduction(raveled(x), axis=0)
        axes = axes_of(None, len(x.shape))
    else:
        axes = (axis_of(axis, len(x.shape)),)
        y = reduction(x, axis=axes[0])
    return deliver(P.reshape(y, shape=kept(x.shape, axes)) if keepdims else y, out)


@constant(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """The position of the (first) largest element."""
    return _position(P.argmax, a, axis, out, keepdims)


@constant(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """The position of the (first) smallest element."""
    return _position(P.argmin, a, axis, out, keepdims)


@constant(np.any)
def any(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True) -> Any:
    """Whether any element is not zero."""
    x = _taken(cast(operand(a), bool), None, where, False)
    return deliver(fold(P.any, x, axes_of(axis, len(x.shape)), keepdims), out)


@constant(np.all)
def all(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True) -> Any:
    """Whether all elements are not zero."""
    x = _taken(cast(operand(a), bool), None, where, True)
    return deliver(fold(P.all, x, axes_of(axis, len(x.shape)), keepdims), out)


@constant(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """How many elements are not zero."""
    x = P.not_equal(operand(a), 0)
    return fold(P.sum, x, axes_of(axis, len(x.shape)), keepdims)


# -- Running totals --------------------------------------------------------------------------------------------------


def _running(scan: Any, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    x = operand(a) if dtype is None else cast(operand(a), dtype)
    if axis is None or not x.shape:
        x = raveled(x)
        axis = 0
    return deliver(scan(x, axis=axis_of(axis, len(x.shape))), out)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum along ``axis``."""
    return _running(P.cumsum, a, axis, dtype, out)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product along ``axis``."""
    return _running(P.cumprod, a, axis, dtype, out)


def _cumulative(scan: Any, neutral: int, x: Any, axis: Any, dtype: Any, out: Any, include_initial: bool) -> Any:
    x = operand(x)
    if axis is None and len(x.shape) != 1:
        raise argument_error("cumulative_sum", "api_needs_axis", shape=x.shape)
    axis = axis_of(0 if axis is None else axis, len(x.shape))
    y = _running(scan, x, axis, dtype, None)
    if include_initial:
        first = np.full(kept(x.shape, (axis,)), neutral, y.dtype)
        y = P.concatenate(operand(first), y, axis=axis)
    return deliver(y, out)


@implements(*newer("cumulative_sum"))
def cumulative_sum(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """The running sum, optionally with the empty sum 0 in front."""
    return _cumulative(P.cumsum, 0, x, axis, dtype, out, include_initial)


@implements(*newer("cumulative_prod"))
def cumulative_prod(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """The running product, optionally with the empty product 1 in front."""
    return _cumulative(P.cumprod, 1, x, axis, dtype, out, include_initial)


# -- Leaving NaN out -------------------------------------------------------------------------------------------------


def _valid(a: Any, where: Any = True) -> tuple[Array, Any]:
    """The operand, and the mask of its elements that are not NaN (and that ``where`` takes)."""
    x = operand(a)
    mask = P.logical_not(P.isnan(x))
    return x, mask if where is True else P.logical_and(mask, where)


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The sum of the elements that are not NaN."""
    x, mask = _valid(a, where)
    return sum(x, axis, dtype, out, keepdims, initial, mask)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """The product of the elements that are not NaN."""
    x, mask = _valid(a, where)
    return prod(x, axis, dtype, out, keepdims, initial, mask)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum with NaN counted as 0."""
    x, mask = _valid(a)
    return cumsum(P.where(mask, x, 0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product with NaN counted as 1."""
    x, mask = _valid(a)
    return cumprod(P.where(mask, x, 1), axis, dtype, out)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    """The mean of the elements that are not NaN."""
    x, mask = _valid(a, where)
    return mean(x, axis, dtype, out, keepdims, where=mask)


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """The variance of the elements that are not NaN."""
    x, mask = _valid(a, where)
    return var(x, axis, dtype, out, ddof, keepdims, where=mask, mean=mean, correction=correction)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """The standard deviation of the elements that are not NaN."""
    spread = nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return deliver(root(spread), out)


def _nan_extreme(pick: Any, worst: float, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any) -> Any:
    x, mask = _valid(a)
    if x.dtype.kind != "f":
        return pick(x, axis, out, keepdims, initial, where)
    y = pick(P.where(mask, x, worst), axis, None, keepdims, initial, where)
    if initial is None:
        y = P.where(fold(P.any, mask, axes_of(axis, len(x.shape)), keepdims), y, np.nan)
    return deliver(y, out)


@implements(np.nanmax)
def nanmax(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True
) -> Any:
    """The largest element that is not NaN (NaN where there is none)."""
    return _nan_extreme(max, -np.inf, a, axis, out, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True
) -> Any:
    """The smallest element that is not NaN (NaN where there is none)."""
    return _nan_extreme(min, np.inf, a, axis, out, keepdims, initial, where)


def _nan_position(name: str, reduction: Any, worst: float, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    x, mask = _valid(a)
    if not np.all(np.any(mask.node.value, axis)):
        raise argument_error(name, "api_all_nan")
    return _position(reduction, P.where(mask, x, worst) if x.dtype.kind == "f" else x, axis, out, keepdims)


@constant(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """The position of the largest element that is not NaN."""
    return _nan_position("nanargmax", P.argmax, -np.inf, a, axis, out, keepdims)


@constant(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """The position of the smallest element that is not NaN."""
    return _nan_position("nanargmin", P.argmin, np.inf, a, axis, out, keepdims)


# -- The sum, seen through the exponential ---------------------------------------------------------------------------


def logsumexp(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """``log(Σ exp(x))`` over ``axis`` without overflow."""
    x = as_inexact(operand(x))
    return fold(P.logsumexp, x, axes_of(axis, len(x.shape)), keepdims)
