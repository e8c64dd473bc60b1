"""Pooling, and the gradient of the largest.

    maximum   y[p, i] = max_k x[p, strides·i + k - lo]             winners[p, i] = the first k that gives it
    mean      y[p, i] = Σ_k x[p, strides·i + k - lo] / size
    gradient  dx[p, j] = Σ_i g[p, i] over the windows i that element j has won

Who has won is told either as ``max_pool_index`` does it, by the place in x read as one row, or, in an eighth of the
memory, by the number of the tap. The gradient only ever compares winners, so indices from anywhere do no harm. The
gradient of the mean is a convolution of single planes (``depthwise``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Value, is_float, vector
from backlight.compiler.kernels import Shape
from backlight.compiler.planes import Backward, Finish, Forward, Planes, Strip
from backlight.compiler.strips import split_index
from backlight.primitive import Window

__all__ = ["Pooling", "emit_pool", "emit_unpool", "pool_pieces", "tap_dtype", "unpool_pieces"]

_PLACE = np.dtype(np.int64)


class Pooling(NamedTuple):
    """What is pooled. ``winners`` is the dtype in which the winner of a window is told, if it is:

    int64 for its place in x read as one row, any other integer for the number of its tap in the window.
    """

    combine: str  #: "maximum" or "mean"
    planes: Planes
    winners: Any = None

    @classmethod
    def of(cls, kernel: Window, x_shape: Shape, y_shape: Shape, dtype: Any, winners: Any = None) -> Pooling:
        """The pooling that a kernel ("maximum", "argmax" or "mean") describes."""
        planes = Planes.of(kernel, prod(x_shape[:2]), x_shape[2:], y_shape[2:], np.dtype(dtype))
        told = None if winners is None else np.dtype(winners)
        return cls("mean" if kernel.combine == "mean" else "maximum", planes, told)

    @property
    def lowest(self) -> Any:
        """What padding counts as."""
        if self.combine == "mean":
            return 0
        return -np.inf if self.planes.dtype.kind == "f" else int(np.iinfo(self.planes.dtype).min)


def tap_dtype(size: Shape, width: int) -> Any:
    """The dtype of winners that are told by the number of their tap: bytes where vectors of bytes can be masked."""
    return np.dtype(np.uint8 if width >= 16 and prod(size) < 255 else np.int32)


def pool_pieces(pooling: Pooling, width: int) -> int:
    """Into how many pieces the pooling is cut."""
    return pooling.planes.forward_pieces


def unpool_pieces(pooling: Pooling, width: int) -> int:
    """Into how many pieces the gradient of the pooling is cut."""
    return pooling.planes.backward_pieces


# -- Forward -------------------------------------------------------------------------------------------------------


def emit_pool(
    b: Function, pooling: Pooling, x: Value, piece: Value, width: int, finish: Finish | None = None,
    winners: Value | None = None,
) -> None:  # fmt: skip
    """One piece: the pooled rows go to ``finish``, a vector at a time, and who won to memory at ``winners``."""
    windows = Forward(b, pooling.planes, x, width, pooling.lowest if pooling.planes.padded[-1] else 0)

    def strip(start: Any, column: Any, whole: bool) -> None:
        mask = None if whole else windows.outside.mask(column)
        if winners is None:
            results = _folded(windows, pooling, start, whole)
        else:
            results, code = _won(windows, pooling, start, whole)
            _tell(windows, pooling, code, winners, start, column, mask)
        if finish is not None:
            finish(results, windows.plane, windows.row, windows.position(column), windows.lanes, mask)

    windows.write(piece, strip)


def _folded(windows: Forward, pooling: Pooling, start: Any, whole: bool) -> Value:
    """Row on row first, then along the row: the order in which the axes are folded one by one."""
    b, mean, dtype = windows.b, pooling.combine == "mean", pooling.planes.dtype
    totals: list[Value] = []
    sums = [] if windows.plain else [b.variable(windows.many, pooling.lowest) for _ in windows.reads]

    def combine(x: Value, y: Value) -> Value:
        return x + y if mean else _larger(x, y, dtype)

    def row(place: Value, _: Any) -> None:
        xs = windows.read(place, start, whole)
        if windows.plain:
            totals[:] = [combine(total, x) for total, x in zip(totals, xs, strict=True)] if totals else xs
        for total, x in zip(sums, xs, strict=False):
            total.set(combine(total.get(), x))

    windows.over_rows(row)
    vectors = totals if windows.plain else [total.get() for total in sums]
    result = windows.tap(vectors, 0)
    for k in range(1, windows.taps):
        result = combine(result, windows.tap(vectors, k))
    return result / prod(pooling.planes.size) if mean else result


def _won(windows: Forward, pooling: Pooling, start: Any, whole: bool) -> tuple[Value, Value]:
    """The largest elements, taken in reading order, and what tells who they are: -1 where there was none."""
    b, planes = windows.b, pooling.planes
    kind = "i64" if prod(planes.inputs) >= 1 << 31 else "i32"
    best, code = b.variable(windows.many, pooling.lowest), b.variable(vector(kind, windows.lanes), -1)
    certain = not any(planes.padded) and windows.plain  # the first element is there, and simply taken

    def row(place: Value, tap: Any) -> None:
        vectors = windows.read(place, start, whole)
        for k in range(windows.taps):
            x, number = windows.tap(vectors, k), _number(windows, pooling, tap, k, kind)
            if certain and isinstance(tap, int) and tap + k == 0:
                best.set(x)
                code.set(number)
                continue
            taken = _exceeds(x, best.get(), planes.dtype)
            if not certain:
                taken = taken | code.get().lt(0)
            exists = None if whole or not planes.padded[-1] else windows.inside.mask(start + k, windows.stride)
            if exists is not None:
                taken = taken & exists
            best.set(taken.select(x, best.get()))
            code.set(taken.select(number, code.get()))

    windows.over_rows(row)
    return best.get(), code.get()


def _number(windows: Forward, pooling: Pooling, tap: Any, k: int, kind: str) -> Value:
    """What tells element ``k`` of this row: its tap, or how far it is from its window's first element."""
    b, size = windows.b, pooling.planes.size
    told: Any
    if pooling.winners != _PLACE:
        told = tap + k
    elif isinstance(tap, int):
        index: Sequence[Any] = [tap // by_tap % n for by_tap, n in zip(windows.tap_weights, size, strict=True)]
        told = k + sum(i * weight for i, weight in zip(index, windows.weights, strict=True))
    else:
        told = b.const("i64", k)
        index = split_index(tap // windows.tap_weights[-2], size[:-1])
        for i, weight in zip(index, windows.weights, strict=False):
            told = told + i * weight
    if isinstance(told, int):
        return b.const(vector(kind, windows.lanes), told)
    return b.splat(told.to_int(kind), windows.lanes)


def _tell(
    windows: Forward, pooling: Pooling, code: Value, winners: Value, start: Any, column: Any, mask: Value | None
) -> None:
    """Store who has won."""
    b, lanes = windows.b, windows.lanes
    kind = memory_kind(pooling.winners)
    told = code.to_int(kind)
    if pooling.winners == _PLACE:
        told = told + b.splat(windows.first + start, lanes)
        told = told + b.constants("i64", [lane * windows.stride for lane in range(lanes)])
        if any(pooling.planes.padded):  # a window that lies in the padding altogether names its plane's first element
            nowhere = b.splat(windows.plane * prod(pooling.planes.inputs), lanes)
            told = code.lt(0).select(nowhere, told)
    to = b.at(b.at(winners, windows.line * windows.columns, kind), column, kind)
    if mask is None:
        b.store(told, to)
    else:
        b.masked_store(told, to, mask)


def _larger(x: Value, y: Value, dtype: Any) -> Value:
    """The larger one; nan if either is."""
    if is_float(x.kind):
        return x.isnan().select(x, x.gt(y).select(x, y))
    return (y.below(x) if dtype.kind == "u" else x.gt(y)).select(x, y)


def _exceeds(x: Value, best: Value, dtype: Any) -> Value:
    """Whether ``x`` takes the place of ``best``: it is larger, or the first nan."""
    if is_float(x.kind):
        return ~x.le(best) & ~best.isnan()
    return best.below(x) if dtype.kind == "u" else x.gt(best)


# -- Backward ------------------------------------------------------------------------------------------------------


def emit_unpool(
    b: Function, pooling: Pooling, g: Value, winners: Value, piece: Value, width: int, finish: Finish
) -> None:
    """One piece of the gradient by x: its rows go to ``finish``, a vector at a time.

    ``winners`` are what ``emit_pool`` has told, or the places that ``max_pool_index`` names.
    """
    elements = Backward(b, pooling.planes, width)
    kind, lanes = memory_kind(pooling.winners), elements.lanes

    def own(codes: Value, unit: Any, r: int, tap: Any, k: int) -> Value:
        """Which of the windows say that this row's elements ``r`` have won."""
        if pooling.winners != _PLACE:
            return codes.eq(b.splat((tap + k).to_int(kind), lanes))
        steps = b.constants("i64", [lane * elements.stride for lane in range(lanes)])
        return codes.eq(b.splat(elements.first + unit * elements.stride + r, lanes) + steps)

    def add(strip: Strip, window: Value, tap: Any) -> None:
        gs = elements.read(strip, g, elements.kind, window)
        codes = elements.read(strip, winners, kind, window)
        for r, (total, met) in enumerate(zip(strip.totals, elements.met, strict=True)):
            for shift, k in met:
                total.set(total.get() + own(codes[shift], strip.unit, r, tap, k).select(gs[shift], 0))

    elements.write(piece, add, finish)
