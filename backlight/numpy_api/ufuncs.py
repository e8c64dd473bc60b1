"""The ufunc protocol beyond a plain call: ``out=``, ``where=``, ``dtype=``; reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.array import FUNCTIONS, Array
from backlight.errors import UnsupportedError, message
from backlight.numpy_api.common import (
    argument_error,
    axes_of,
    axis_of,
    cast,
    deliver,
    here,
    operand,
    raveled,
    read,
    unsupported_option,
)
from backlight.numpy_api.shape import along
from backlight.primitive import HOOK
from backlight.primitive import REGISTRY as P
from backlight.refusal import describe

__all__ = ["apply"]


def apply(ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What ``__array_ufunc__`` does when a plain table look-up is not enough."""
    return _METHODS[method](ufunc, HOOK.known(ufunc), inputs, options)


# -- A call ------------------------------------------------------------------------------------------------------------


def _call(ufunc: Any, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    out = options.pop("out", None)
    where = options.pop("where", True)
    dtype = options.pop("dtype", None)
    casting = options.pop("casting", "same_kind")
    signature = options.pop("signature", options.pop("sig", None))
    np.zeros(0).astype(float, options.pop("order", "K"), casting)  # NumPy refuses what is no order and no casting rule
    options.pop("subok", None)
    if signature is not None:
        raise unsupported_option(f"np.{ufunc.__name__}", "signature", "dtype=")
    if dtype is not None:
        inputs = _in_dtype(ufunc, inputs, dtype, casting)
    if ufunc.signature is not None:  # a generalised ufunc such as matmul has options of its own: axes, axis, keepdims
        return deliver(function(*inputs, **options), out, casting)
    outs = out if isinstance(out, tuple) else (out,) * ufunc.nout
    if where is True:
        found = function(*inputs)
    else:
        with np.errstate(all="ignore"):  # NumPy does not compute where the mask is False
            found = function(*inputs)
    results = found if isinstance(found, tuple) else (found,)
    delivered = []
    for result, target in zip(results, outs, strict=True):
        if where is not True:
            result = _masked(result, where, target)
        delivered.append(deliver(result, target, casting, spread=True))
    return delivered[0] if len(delivered) == 1 else tuple(delivered)


def _masked(result: Any, where: Any, target: Any) -> Any:
    """Where the mask is False, what ``out`` held before (0 without ``out``: NumPy leaves such elements undefined)."""
    result = operand(result)
    before = np.zeros((), result.dtype)[()] if target is None else operand(target)
    return cast(P.where(where, result, before), result.dtype)


def _in_dtype(ufunc: Any, inputs: tuple[Any, ...], dtype: Any, casting: Any) -> tuple[Any, ...]:
    """The inputs in the dtypes in which NumPy computes when it is asked for a result of ``dtype``."""
    xs = [x if type(x) in (bool, int, float, complex) else operand(x) for x in inputs]
    given = [x.dtype if isinstance(x, Array) else type(x) for x in xs]
    wanted = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    found = ufunc.resolve_dtypes((*given, *(None,) * ufunc.nout), signature=wanted, casting=casting)
    return tuple(cast(operand(x), kind) for x, kind in zip(xs, found, strict=False))


# -- Folds -------------------------------------------------------------------------------------------------------------

_FOLDS = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
_SCANS = {np.add: np.cumsum, np.multiply: np.cumprod}


def _reduce(ufunc: Any, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``ufunc.reduce``: ``f(f(x0, x1), x2)…`` along an axis (the first by default)."""
    names = ("axis", "dtype", "out", "keepdims", "initial", "where")
    options = {**dict(zip(names, inputs[1:], strict=False)), **options}
    x, axis = operand(inputs[0]), options.get("axis", 0)
    dtype, out = options.get("dtype"), options.get("out")
    keepdims, initial, where = options.get("keepdims", False), options.get("initial"), options.get("where", True)
    if initial is np._NoValue:
        initial = None
    if dtype is not None:
        x = cast(x, dtype)
    out = out[0] if isinstance(out, tuple) else out
    if ufunc in (np.logical_and, np.logical_or):
        return FUNCTIONS[_FOLDS[ufunc]](x, axis, out, keepdims, where=where)
    if ufunc in (np.maximum, np.minimum):
        return FUNCTIONS[_FOLDS[ufunc]](x, axis, out, keepdims, initial, where)
    if ufunc in _FOLDS:
        return FUNCTIONS[_FOLDS[ufunc]](x, axis, None, out, keepdims, initial, where)
    if where is not True:
        raise unsupported_option(f"np.{ufunc.__name__}.reduce", "where", "np.where(mask, x, neutral)")
    axes = axes_of(axis, len(x.shape))
    shape = x.shape
    for one in sorted(axes, reverse=True):
        if x.shape[one] == 0 and initial is None:
            raise argument_error(f"np.{ufunc.__name__}.reduce", "api_empty")
        parts = [x[along(one, i)] for i in range(x.shape[one])]
        last = one == min(axes)
        if not parts:
            x = P.broadcast_to(operand(initial), shape=(*x.shape[:one], *x.shape[one + 1 :]))
            continue
        x = function(initial, parts[0]) if last and initial is not None else parts[0]
        for part in parts[1:]:
            x = function(x, part)
    if keepdims:
        x = P.reshape(x, shape=tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return deliver(x, out)


def _accumulate(ufunc: Any, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``ufunc.accumulate``: all the intermediate results of ``reduce``."""
    options = {**dict(zip(("axis", "dtype", "out"), inputs[1:], strict=False)), **options}
    x = operand(inputs[0])
    if options.get("dtype") is not None:
        x = cast(x, options["dtype"])
    axis = axis_of(options.get("axis", 0), len(x.shape))
    out = options.get("out")
    if ufunc in _SCANS:
        return deliver(FUNCTIONS[_SCANS[ufunc]](x, axis), out)
    parts = [x[along(axis, i)] for i in range(x.shape[axis])]
    for i in range(1, len(parts)):
        parts[i] = function(parts[i - 1], parts[i])
    return deliver(np.stack(parts, axis), out)


def _outer(ufunc: Any, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``ufunc.outer``: every element of the first with every element of the second."""
    a, b = map(operand, inputs)
    spread = P.reshape(a, shape=(*a.shape, *(1,) * len(b.shape))) if b.shape else a
    return _call(ufunc, function, (spread, b), options)


def _reduceat(ufunc: Any, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``ufunc.reduceat``: ``reduce`` over the stretches between consecutive indices."""
    options = {**dict(zip(("indices", "axis", "dtype", "out"), inputs[1:], strict=False)), **options}
    x = operand(inputs[0])
    axis = axis_of(options.get("axis", 0), len(x.shape))
    cuts = [int(i) for i in read(options["indices"])]
    parts = []
    for i, start in enumerate(cuts):
        end = cuts[i + 1] if i + 1 < len(cuts) else x.shape[axis]
        if start < end:
            part = x[along(axis, slice(start, end))]
            parts.append(_reduce(ufunc, function, (part,), {"axis": axis, "dtype": options.get("dtype")}))
        else:
            part = x[along(axis, start)]
            parts.append(part if options.get("dtype") is None else cast(part, options["dtype"]))
    return deliver(np.stack(parts, axis), options.get("out"))


def _at(ufunc: Any, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    """``ufunc.at``: ``a[indices] = f(a[indices], b)``, where an element named twice is changed twice."""
    a, indices, *others = inputs
    if not isinstance(a, Array):
        raise UnsupportedError(message("api_out_plain", here(), out=describe(a)))
    positions = operand(np.arange(a.size).reshape(a.shape))[indices]
    flat = raveled(a)
    if ufunc in (np.add, np.subtract):
        change = P.broadcast_to(cast(operand(others[0]), a.dtype), shape=positions.shape)
        change = change if ufunc is np.add else P.negative(change)
        flat = P.scatter_add(flat, raveled(positions), raveled(change))
    else:
        spots = read(raveled(positions))
        values = [raveled(P.broadcast_to(operand(b), shape=positions.shape)) for b in others]
        # the r-th time that each element is named: within one such round no element is named twice
        order = np.argsort(spots, kind="stable")
        sorted_spots = spots[order]
        rounds = np.empty(len(spots), int)
        rounds[order] = np.arange(len(spots)) - np.searchsorted(sorted_spots, sorted_spots)
        for r in range(rounds.max(initial=-1) + 1):
            chosen = np.flatnonzero(rounds == r)
            at = spots[chosen]
            new = function(flat[at], *[value[chosen] for value in values])
            flat = P.scatter_set(flat, at, cast(new, a.dtype))
    a.write(flat if len(a.shape) == 1 else P.reshape(flat, shape=a.shape))


_METHODS = {
    "__call__": _call,
    "reduce": _reduce,
    "accumulate": _accumulate,
    "outer": _outer,
    "reduceat": _reduceat,
    "at": _at,
}
