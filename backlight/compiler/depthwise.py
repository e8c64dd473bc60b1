"""Convolutions in which every plane has a filter of its own: one channel in and one out of each group.

    y[n, c, p] = Σ_k w[c, k] · x[n, c, strides·p + dilation·k - lo]

and its transpose. A matrix product would have a single row. Here the windows slide over the planes as in pooling, with
a filter's tap in every lane. With one channel this is also how a mean's gradient is spread over its windows.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.ir import Function, Value, is_float
from backlight.compiler.kernels import Shape
from backlight.compiler.planes import Backward, Finish, Forward, Planes, Strip
from backlight.primitive import Window

__all__ = ["Depthwise", "depthwise_pieces", "emit_depthwise", "is_depthwise"]


class Depthwise(NamedTuple):
    """Planes, of which ``channels`` neighbouring ones have different filters."""

    planes: Planes
    channels: int
    transposed: bool

    @classmethod
    def of(cls, kernel: Window, x_shape: Shape, y_shape: Shape, dtype: Any) -> Depthwise:
        """The convolution that a kernel describes."""
        inputs, outputs = x_shape[2:], y_shape[2:]
        if kernel.transposed:
            inputs, outputs = outputs, inputs
        planes = Planes.of(kernel, prod(x_shape[:2]), inputs, outputs, np.dtype(dtype))
        return cls(planes, x_shape[1], kernel.transposed)


def is_depthwise(kernel: Window, w_shape: Shape) -> bool:
    """Whether filters of shape ``w_shape`` have one channel each and one group each."""
    return kernel.combine == "multiply_add" and w_shape[:2] == (kernel.groups, 1)


def depthwise_pieces(depthwise: Depthwise, width: int) -> int:
    """Into how many pieces the convolution is cut."""
    return depthwise.planes.backward_pieces if depthwise.transposed else depthwise.planes.forward_pieces


def emit_depthwise(
    b: Function, depthwise: Depthwise, x: Value, w: Value, piece: Value, width: int, finish: Finish
) -> None:
    """One piece: its rows go to ``finish``, a vector at a time. ``x`` and ``w`` are contiguous."""
    (_backward if depthwise.transposed else _forward)(b, depthwise, x, w, piece, width, finish)


def _tap(b: Function, depthwise: Depthwise, w: Value, plane: Value, tap: Any, lanes: int, kind: str) -> Value:
    """Tap number ``tap`` of the plane's filter in every lane."""
    place = b.at(w, plane % depthwise.channels * prod(depthwise.planes.size), kind) if depthwise.channels > 1 else w
    return b.splat(b.load(b.at(place, tap, kind), kind), lanes)


def _multiply_add(b: Function, x: Value, y: Value, total: Value) -> Value:
    return b.intrinsic("fmuladd", x, y, total) if is_float(x.kind) else x * y + total


def _forward(b: Function, depthwise: Depthwise, x: Value, w: Value, piece: Value, width: int, finish: Finish) -> None:
    windows = Forward(b, depthwise.planes, x, width)

    def strip(start: Any, column: Any, whole: bool) -> None:
        total = b.variable(windows.many, 0)

        def row(place: Value, tap: Any) -> None:
            vectors = windows.read(place, start, whole)
            for k in range(windows.taps):
                factor = _tap(b, depthwise, w, windows.plane, tap + k, windows.lanes, windows.kind)
                total.set(_multiply_add(b, factor, windows.tap(vectors, k), total.get()))

        windows.over_rows(row)
        mask = None if whole else windows.outside.mask(column)
        finish(total.get(), windows.plane, windows.row, windows.position(column), windows.lanes, mask)

    windows.write(piece, strip)


def _backward(b: Function, depthwise: Depthwise, x: Value, w: Value, piece: Value, width: int, finish: Finish) -> None:
    elements = Backward(b, depthwise.planes, width)

    def add(strip: Strip, window: Value, tap: Any) -> None:
        gs = elements.read(strip, x, elements.kind, window)
        for total, met in zip(strip.totals, elements.met, strict=True):
            for shift, k in met:
                factor = _tap(b, depthwise, w, elements.plane, tap + k, elements.lanes, elements.kind)
                total.set(_multiply_add(b, factor, gs[shift], total.get()))

    elements.write(piece, add, finish)
