"""Convolutions as matrix products: sliding windows are strides, padding is bounds, nothing is copied.

    convolution             y[n, o, p] = Σ_{c, k} w[o, c, k] · x[n, c, strides·p + dilation·k - lo]
    convolution_transpose   y[n, c, i] = Σ_{o, p, k : i = strides·p + dilation·k - lo} w[o, c, k] · x[n, o, p]

The filters are the left operand, the windows the right one. In a transposed convolution an output i = strides·q + r
meets every ``strides / gcd(strides, dilation)``-th tap only, and which ones depends on the class r alone. For a fixed r
that is a correlation of x with the reversed taps; classes whose numbers go evenly are a batch axis of one product.

Products with few output positions, such as gradients by filters, take the examples among the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as combinations
from math import gcd, prod
from typing import Any, NamedTuple

from backlight.compiler.kernels import Access, Bound, Product, Shape
from backlight.layout import contiguous_strides
from backlight.primitive import Window

__all__ = ["Axes", "Lowered", "lower"]

FEW = 64  # output positions below which the examples are columns too


class Axes(NamedTuple):
    """The lengths of a convolution's axes; all but the spatial ones may be several axes each in memory."""

    examples: Shape
    groups: Shape
    channels: Shape  #: of a group
    filters: Shape  #: of a group
    spatial: Shape  #: of x

    @classmethod
    def of(cls, kernel: Window, x_shape: Shape, w_shape: Shape) -> Axes:
        """The axes as the shapes (N, C, *S) of x and (O, C / groups, *K) of w have them."""
        per_group = w_shape[0] // kernel.groups
        return cls((x_shape[0],), (kernel.groups,), (w_shape[1],), (per_group,), x_shape[2:])

    def of_x(self, kernel: Window) -> Shape:
        """The axes of x, in order."""
        held = self.filters if kernel.transposed else self.channels
        return (*self.examples, *self.groups, *held, *self.spatial)

    def of_w(self, kernel: Window) -> Shape:
        """The axes of w, in order."""
        return (*self.groups, *self.filters, *self.channels, *kernel.size)


class Lowered(NamedTuple):
    """A product, and where its results belong: an access over its axes (*batch, *rows, *columns) to y, contiguous."""

    product: Product
    output: Access


class _Line(NamedTuple):
    """A spatial axis. Class r, position q and tap t name the elements

    start + by_class·r + by_position·q + by_tap·t    (0 where one does not matter)

    of x, w and y: each of the three is such a (start, by_class, by_position, by_tap).
    """

    classes: int
    positions: int
    taps: int
    x: tuple[int, int, int, int]
    w: tuple[int, int, int, int]
    y: tuple[int, int, int, int]


def lower(kernel: Window, axes: Axes, outputs: Shape, x: Access, w: Access, dtype: Any) -> list[Lowered]:
    """The products that together write every element of y, of spatial lengths ``outputs``, once.

    ``x`` is an access over ``axes.of_x(kernel)`` and ``w`` one over ``axes.of_w(kernel)``. A convolution gives one
    product; a transposed one a few where it has strides.
    """
    spatial = zip(kernel.size, kernel.strides, kernel.padding, kernel.dilation, outputs, strict=True)
    lines = [_transposed(*each) if kernel.transposed else [_forward(*each)] for each in spatial]
    return [_lowered(kernel, axes, outputs, x, w, dtype, each) for each in combinations(*lines)]


def _forward(size: int, stride: int, pad: tuple[int, int], dilation: int, length: int) -> _Line:
    return _Line(1, length, size, (-pad[0], 0, stride, dilation), (0, 0, 0, 1), (0, 0, 1, 0))


def _transposed(size: int, stride: int, pad: tuple[int, int], dilation: int, length: int) -> list[_Line]:
    """The outputs of every class of remainders, those that go evenly together.

    Class r is reached by the taps k with dilation·k = r + lo modulo the stride. They are taken from the last one on,
    so that x is walked through forwards.
    """
    common = gcd(stride, dilation)
    apart = stride // common
    lines: list[_Line] = []
    for r in range(min(stride, length)):
        fitting = (k for k in range(min(apart, size)) if (r + pad[0] - dilation * k) % stride == 0)
        taps = range(next(fitting, size), size, apart)
        last = taps[-1] if taps else 0
        start = (r + pad[0] - dilation * last) // stride if taps else 0
        positions = len(range(r, length, stride))
        line = _Line(
            1, positions, len(taps), (start, 0, 1, dilation // common), (last, 0, 0, -apart), (r, 1, stride, 0)
        )
        both = _together(lines[-1], line) if lines else None
        if both is not None:
            lines[-1] = both
        else:
            lines.append(line)
    return lines


def _together(line: _Line, other: _Line) -> _Line | None:
    """``line`` with ``other`` as its next class, if x and w go on evenly."""
    if (line.positions, line.taps) != (other.positions, other.taps):
        return None
    steps = []
    for before, after in ((line.x, other.x), (line.w, other.w)):
        step = after[0] - before[0] - (line.classes - 1) * before[1]
        if line.classes > 1 and step != before[1]:
            return None
        steps.append((before[0], step, *before[2:]))
    x, w = steps
    return line._replace(classes=line.classes + 1, x=x, w=w)


def _lowered(
    kernel: Window, axes: Axes, outputs: Shape, x: Access, w: Access, dtype: Any, lines: Sequence[_Line]
) -> Lowered:
    rows, inner = axes.filters, axes.channels
    if kernel.transposed:
        rows, inner = inner, rows
    ahead = len(axes.examples) + len(axes.groups)
    classed = [k for k, line in enumerate(lines) if line.classes > 1]
    batch = (*axes.examples, *axes.groups, *(lines[k].classes for k in classed))
    taps, positions = tuple(line.taps for line in lines), tuple(line.positions for line in lines)

    def of_x(strides: Shape) -> tuple[int, Shape]:
        """Strides over x's axes as a start and strides over (*batch, *inner, *taps, *positions)."""
        start, by_class, by_position, by_tap = _along([line.x for line in lines], strides[ahead + len(inner) :])
        front, channels = strides[:ahead], strides[ahead : ahead + len(inner)]
        return start, (*front, *(by_class[k] for k in classed), *channels, *by_tap, *by_position)

    def of_w(strides: Shape) -> tuple[int, Shape]:
        """Strides over w's axes as a start and strides over (*batch, *rows, *inner, *taps)."""
        groups, filters = len(axes.groups), len(axes.groups) + len(axes.filters)
        channels = filters + len(axes.channels)
        start, by_class, _, by_tap = _along([line.w for line in lines], strides[channels:])
        across, down = strides[groups:filters], strides[filters:channels]
        if kernel.transposed:
            across, down = down, across
        front = ((0,) * len(axes.examples), strides[:groups], tuple(by_class[k] for k in classed))
        return start, (*sum(front, ()), *across, *down, *by_tap)

    y = contiguous_strides((*axes.examples, *axes.groups, *rows, *outputs))
    start, by_class, by_position, _ = _along([line.y for line in lines], y[ahead + len(rows) :])
    held = y[ahead : ahead + len(rows)]
    output = Access(0, start, (*y[:ahead], *(by_class[k] for k in classed), *held, *by_position))
    right = _moved(x, of_x)
    first = ahead + len(inner)
    for axis, (line, length) in enumerate(zip(lines, axes.spatial, strict=True), first):
        if not _inside(line, length):
            start, strides = of_x(tuple(int(k == axis) for k in range(first + len(lines))))
            right = right._replace(bounds=(*right.bounds, Bound(start, strides, length)))
    made = Product(batch, rows, positions, (*inner, *taps), _moved(w, of_w), right, dtype)
    lowered = Lowered(made, output)
    return _merged_examples(lowered, len(axes.examples)) if prod(positions) < FEW else lowered


def _along(maps: Sequence[tuple[int, int, int, int]], strides: Shape) -> tuple[int, Shape, Shape, Shape]:
    """Strides over the spatial axes as a start and strides over classes, positions and taps."""
    starts, by_class, by_position, by_tap = (
        tuple(each[part] * stride for each, stride in zip(maps, strides, strict=True)) for part in range(4)
    )
    return sum(starts), by_class, by_position, by_tap


def _moved(access: Access, walk: Any) -> Access:
    """``access`` in terms of other axes: ``walk(strides)`` gives start and strides over those."""
    start, strides = walk(access.strides)
    bounds = []
    for bound in access.bounds:
        shift, own = walk(bound.strides)
        bounds.append(Bound(bound.offset + shift, own, bound.size))
    return Access(access.buffer, access.offset + start, strides, tuple(bounds))


def _inside(line: _Line, length: int) -> bool:
    """Whether all that the windows name exists in x."""
    start, *steps = line.x
    counts = (line.classes, line.positions, line.taps)
    if not all(counts):
        return True
    reach = [(count - 1) * step for count, step in zip(counts, steps, strict=True)]
    return start + sum(min(0, r) for r in reach) >= 0 and start + sum(max(0, r) for r in reach) < length


def _merged_examples(lowered: Lowered, examples: int) -> Lowered:
    """The examples among the columns: in front of the positions."""
    product, output = lowered
    inner, rows = len(product.batch) + len(product.inner), len(product.batch) + len(product.rows)

    def right(strides: Shape) -> tuple[int, Shape]:
        return 0, (*strides[examples:inner], *strides[:examples], *strides[inner:])

    made = product._replace(
        batch=product.batch[examples:],
        columns=product.batch[:examples] + product.columns,
        left=_moved(product.left, lambda strides: (0, strides[examples:])),
        right=_moved(product.right, right),
    )
    y = output.strides
    return Lowered(made, output._replace(strides=(*y[examples:rows], *y[:examples], *y[rows:])))
