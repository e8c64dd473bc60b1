"""Neighbours: differences, gradients on a grid, integrals, interpolation, convolution, phases."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from backlight.numpy_api.common import (
    argument_error,
    as_inexact,
    axes_of,
    axis_of,
    cast,
    implements,
    implements_strictly,
    operand,
    promote,
    raveled,
    read,
)
from backlight.numpy_api.shape import along, concatenate
from backlight.primitive import REGISTRY as P

__all__ = ["convolve", "correlate", "diff", "gradient", "interp", "trapezoid", "unwrap"]


# -- Differences -------------------------------------------------------------------------------------------------------


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: Any = -1, prepend: Any = None, append: Any = None) -> Any:
    """``x[i+1] - x[i]`` along ``axis``, ``n`` times."""
    x = operand(a)
    if n < 0:
        raise argument_error("diff", "api_diff", n=n)
    if not n:
        return x
    axis = axis_of(axis, len(x.shape))
    parts = [x]
    edge = tuple(1 if i == axis else length for i, length in enumerate(x.shape))
    for place, extra in ((0, prepend), (len(parts) + 1, append)):
        if extra is not None and extra is not np._NoValue:
            border = operand(extra)
            parts.insert(place, border if border.shape else P.broadcast_to(border, shape=edge))
    if len(parts) > 1:
        x = concatenate(parts, axis)
    for _ in range(n):
        after, before = x[along(axis, slice(1, None))], x[along(axis, slice(None, -1))]
        x = P.not_equal(after, before) if x.dtype.kind == "b" else after - before
    return x


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of the flattened array, with something before and after."""
    x = raveled(operand(ary))
    parts = [x[1:] - x[:-1]]
    if to_begin is not None:
        parts.insert(0, raveled(operand(to_begin)))
    if to_end is not None:
        parts.append(raveled(operand(to_end)))
    return concatenate([cast(part, x.dtype) for part in parts]) if len(parts) > 1 else parts[0]


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences on a grid (equal or unequal spacing), one-sided at the edges: an array for each axis."""
    f = as_inexact(operand(f))
    axes = axes_of(axis, len(f.shape))
    spacings = list(varargs) or [1.0]
    if len(spacings) == 1:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise argument_error("gradient", "api_gradient", axes=len(axes), came=len(varargs))
    found = [_slopes(f, h, one, edge_order) for h, one in zip(spacings, axes, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slopes(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    count = f.shape[axis]
    if count < edge_order + 1:
        raise argument_error("gradient", "api_gradient_short", count=count, needed=edge_order + 1)

    def at(start: int, stop: int | None) -> Any:
        return f[along(axis, slice(start, stop))]

    def shaped(x: Any) -> Any:
        return P.reshape(x, shape=tuple(x.size if i == axis else 1 for i in range(len(f.shape)))) if x.shape else x

    if np.ndim(h):
        h = operand(h)
        if h.shape != (count,):
            raise argument_error("gradient", "api_gradient_spacing", count=count, came=h.shape)
        steps = as_inexact(h)[1:] - as_inexact(h)[:-1]
        before, after = shaped(steps[:-1]), shaped(steps[1:])
        first, second = steps[0], steps[1] if count > 2 else steps[0]
        last, previous = steps[-1], steps[-2] if count > 2 else steps[-1]
        inner = (
            at(0, -2) * (-after / (before * (before + after)))
            + at(1, -1) * ((after - before) / (before * after))
            + at(2, None) * (before / (after * (before + after)))
        )
    else:
        first = second = last = previous = h
        inner = (at(2, None) - at(0, -2)) / (2.0 * h)
    if edge_order == 1:
        start = (at(1, 2) - at(0, 1)) / first
        end = (at(count - 1, None) - at(count - 2, -1)) / last
    else:
        start = _edge(at(0, 1), at(1, 2), at(2, 3), first, second)
        end = -_edge(at(count - 1, None), at(count - 2, -1), at(count - 3, -2), last, previous)
    return concatenate((start, inner, end), axis)


def _edge(y0: Any, y1: Any, y2: Any, h1: Any, h2: Any) -> Any:
    """The slope at ``y0`` of the parabola through three points with distances ``h1`` and ``h2``."""
    return y0 * (-(2.0 * h1 + h2) / (h1 * (h1 + h2))) + y1 * ((h1 + h2) / (h1 * h2)) + y2 * (-h1 / (h2 * (h1 + h2)))


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1) -> Any:
    """The integral by the trapezoidal rule: ``Σ (x[i+1] - x[i]) (y[i] + y[i+1]) / 2``."""
    y = operand(y)
    axis = axis_of(axis, len(y.shape))
    width: Any = dx
    if x is not None:
        grid = operand(x)
        if len(grid.shape) == 1:
            steps = grid[1:] - grid[:-1]
            width = P.reshape(steps, shape=tuple(steps.size if i == axis else 1 for i in range(len(y.shape))))
        else:
            width = diff(grid, axis=axis)
    total = (y[along(axis, slice(1, None))] + y[along(axis, slice(None, -1))]) * width / 2.0
    return np.sum(total, axis=axis)


# -- Interpolation -----------------------------------------------------------------------------------------------------


@implements_strictly(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The broken line through the points (xp, fp), read at ``x``; differentiable in ``x``, ``xp`` and ``fp``."""
    x, xp, fp = (as_inexact(operand(each)) for each in (x, xp, fp))
    if xp.shape != fp.shape or len(xp.shape) != 1 or not xp.size:
        raise argument_error("interp", "api_interp", xp=xp.shape, fp=fp.shape)
    x, xp = promote(x, xp, dtype=float)
    if period is not None:
        x, xp = x % abs(period), xp % abs(period)
        order = np.argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = concatenate((xp[-1:] - abs(period), xp, xp[:1] + abs(period)))
        fp = concatenate((fp[-1:], fp, fp[:1]))
        left = right = None
    fp = cast(fp, np.result_type(fp.dtype, float))
    low = fp[0] if left is None else left
    high = fp[-1] if right is None else right
    y = fp[0]
    if xp.size > 1:
        place = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, xp.size - 2)
        x0, y0, y1 = xp[place], fp[place], fp[place + 1]
        width = xp[place + 1] - x0
        step = P.equal(width, 0)  # a jump at the last point: no line leads there
        y = P.where(step, y1, y0 + (y1 - y0) / P.where(step, 1, width) * (x - x0))
    y = P.where(P.greater(x, xp[-1]), high, P.where(P.less(x, xp[0]), low, y))
    return P.where(P.isnan(x), x, y)


# -- Convolution -------------------------------------------------------------------------------------------------------


def _slide(x: Any, kernel: Any, mode: str) -> Any:
    """``y[i] = Σ x[i + k] kernel[k]`` over the windows that ``mode`` keeps."""
    n, k = x.size, kernel.size
    pads = {"full": (k - 1, k - 1), "valid": (0, 0), "same": (k // 2, k - 1 - k // 2)}
    if mode not in pads:
        raise argument_error("convolve", "api_convolve_mode", mode=mode)
    before, after = pads[mode]
    size = n + before + after
    if before or after:
        x = P.pad(x, shape=(size,), index=((before, n, 1),))
    windows = np.arange(size - k + 1)[:, None] + np.arange(k)
    return P.reshape(P.matmul(P.gather(x, windows), P.reshape(kernel, shape=(k, 1))), shape=(size - k + 1,))


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """``y[n] = Σ a[m] v[n - m]``: one sequence slides, reversed, over the other."""
    a, v = promote(a, v)
    if len(a.shape) > 1 or len(v.shape) > 1:
        raise argument_error("convolve", "api_one_axis", shapes=[a.shape, v.shape])
    a, v = raveled(a), raveled(v)
    if not a.size or not v.size:
        raise argument_error("convolve", "api_empty")
    if v.size > a.size:
        a, v = v, a
    return _slide(a, v[::-1], mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """``y[n] = Σ a[n + m] conj(v[m])``: one sequence slides over the other."""
    a, v = promote(a, v)
    if len(a.shape) != 1 or len(v.shape) != 1:
        raise argument_error("correlate", "api_one_axis", shapes=[a.shape, v.shape])
    v = np.conjugate(v)
    if not a.size or not v.size:
        raise argument_error("correlate", "api_empty")
    if v.size > a.size:
        # the shorter one slides: the same products in reverse order
        return _slide(v, a, mode)[::-1]
    return _slide(a, v, mode)


# -- Phases ------------------------------------------------------------------------------------------------------------


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: Any = -1, *, period: Any = 2 * pi) -> Any:
    """Jumps larger than half a period taken out by adding whole periods: constants, so the gradient passes through."""
    p = operand(p)
    axis = axis_of(axis, len(p.shape))
    unwrapped = np.unwrap(read(p), discont, axis, period=period)
    return cast(p, unwrapped.dtype) + (unwrapped - p.node.value)
