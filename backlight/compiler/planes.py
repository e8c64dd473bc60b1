"""Windows that slide over planes (one for each example and channel): the loops that pooling and its like share.

    forward    y[p, i] = what becomes of  x[p, strides·i + dilation·k - lo]            for every k of the window
    backward   dx[p, j] = Σ of what every (i, k) with strides·i + dilation·k - lo = j  gives to it, in order of i

Vectors hold neighbouring windows of a row. With strides s the elements of neighbouring windows alternate in memory: s
vectors are read and element k of every window is picked out of them. The backward form is gathered, not scattered: an
element adds up what is meant for it. So nothing is written twice, every row is independent of the others, and on the
way out s vectors are threaded into each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from math import prod
from typing import Any, NamedTuple

from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Value, Variable, vector
from backlight.compiler.kernels import Shape
from backlight.compiler.strips import lanes_of, load_strip, pieces_for, share, short, split_index
from backlight.layout import contiguous_strides
from backlight.primitive import Window

__all__ = ["Backward", "Finish", "Forward", "Planes", "Row"]

# finish(results, plane, row, column, lanes, mask): flat indices, of the first lane; lanes run along the columns.
Finish = Callable[[Value, Value, Value, Value, int, Value | None], None]

THREADED = 4  # up to these strides, vectors are read whole and picked apart
WRITTEN_OUT = 16  # elements of a window that are written out
FEW = 3  # strips of a row that are written out


class Planes(NamedTuple):
    """``number`` planes of x, of lengths ``inputs``, and their windows: ``outputs`` of them along each axis."""

    number: int
    inputs: Shape
    outputs: Shape
    size: Shape
    strides: Shape
    dilation: Shape
    low: Shape  #: how much padding there is before the first element
    dtype: Any

    @classmethod
    def of(cls, kernel: Window, number: int, inputs: Shape, outputs: Shape, dtype: Any) -> Planes:
        """The windows that ``kernel`` lays over planes of x; of a transposed one, x is what it makes."""
        low = tuple(pad[0] for pad in kernel.padding)
        return cls(number, inputs, outputs, kernel.size, kernel.strides, kernel.dilation, low, dtype)

    @property
    def padded(self) -> tuple[bool, ...]:
        """Along which axes windows reach outside of x."""
        axes = zip(self.inputs, self.outputs, self.size, self.strides, self.dilation, self.low, strict=True)
        return tuple(lo > 0 or (count - 1) * s + e * (k - 1) - lo >= n for n, count, k, s, e, lo in axes)

    @property
    def forward_pieces(self) -> int:
        work = self.number * max(prod(self.inputs), prod(self.outputs) * prod(self.size) // 8)
        return pieces_for(work, self.number * prod(self.outputs[:-1]))

    @property
    def backward_pieces(self) -> int:
        return pieces_for(self.number * prod(self.inputs), self.number * prod(self.inputs[:-1]))


class Row:
    """The last axis of an array in memory: vectors of neighbouring elements, of which those outside do not exist."""

    def __init__(self, b: Function, length: int, lanes: int) -> None:
        self.b, self.length, self.lanes = b, length, lanes

    def holds(self, start: int, step: int = 1) -> bool:
        """Whether all lanes of the vector from ``start`` on exist."""
        return start >= 0 and start + step * (self.lanes - 1) < self.length

    def mask(self, start: Any, step: int = 1) -> Value | None:
        """The lanes that exist, ``step`` elements apart from ``start`` (a Python int or an i64 Value) on."""
        b = self.b
        if not isinstance(start, int):
            steps = b.constants("i64", [lane * step for lane in range(self.lanes)])
            return (b.splat(start, self.lanes) + steps).below(self.length)
        if self.holds(start, step):
            return None
        return b.constants("i1", [0 <= start + lane * step < self.length for lane in range(self.lanes)])

    def load(self, place: Value, start: Any, kind: str, whole: bool, step: int = 1, fill: Any = 0) -> Value:
        """The elements from ``start`` of the row at ``place`` on; ``fill`` where there are none."""
        b = self.b
        mask = None if whole else self.mask(start, step)
        place = b.at(place, start, kind)
        if mask is not None and step == 1 and fill:
            return b.masked_load(place, vector(kind, self.lanes), mask, b.const(vector(kind, self.lanes), fill))
        x = load_strip(b, place, kind, self.lanes, step, mask)
        return x if mask is None or not fill else mask.select(x, b.const(x.kind, fill))


def _strips(
    b: Function, count: int, lanes: int, whole: Callable[[int], bool], work: Callable[[Any, bool], None]
) -> None:
    """``work(first index, whole)`` for every strip of ``count`` indices: an int, or a Value in a loop.

    The strips for which ``whole`` is true, all in one stretch, are a loop where they are many; so are the others.
    """
    starts = range(0, count, lanes)
    inside = [start for start in starts if whole(start)]
    first, last = (inside[0], inside[-1] + lanes) if inside else (count, count)
    for a, z, all_there in ((0, first, False), (first, last, True), (last, count, False)):
        stretch = range(a, z, lanes)
        if len(stretch) <= FEW:
            for start in stretch:
                work(start, all_there)
        else:
            with b.loop(z, a, step=lanes) as at:
                work(at, all_there)


def _chosen(b: Function, vectors: Sequence[Value], places: Sequence[int]) -> Value:
    """The elements at ``places`` of vectors that stand one behind the other."""
    lanes = len(places)
    made = b.shuffle(vectors[0], vectors[min(1, len(vectors) - 1)], [min(p, 2 * lanes - 1) for p in places])
    for number, each in enumerate(vectors[2:], 2):
        own = [p - number * lanes + lanes if p // lanes == number else lane for lane, p in enumerate(places)]
        if any(p >= lanes for p in own):
            made = b.shuffle(made, each, own)
    return made


@contextmanager
def _range(b: Function, first: Any, last: Any) -> Iterator[Any]:
    """A loop, or none where it would run once."""
    if isinstance(first, int) and isinstance(last, int) and last - first == 1:
        yield first
    else:
        with b.loop(last, first) as i:
            yield i


class Forward:
    """Rows of outputs. ``strip(start, column, whole)`` is called for every vector of them, and may go ``over_rows``."""

    def __init__(self, b: Function, planes: Planes, x: Value, width: int, fill: Any = 0) -> None:
        self.b, self.planes, self.x, self.fill = b, planes, x, fill
        self.kind = memory_kind(planes.dtype)
        self.columns, self.taps = planes.outputs[-1], planes.size[-1]
        self.stride, self.dilation = planes.strides[-1], planes.dilation[-1]
        self.lanes = short(self.columns, lanes_of(self.kind, width))
        self.many = vector(self.kind, self.lanes)
        self.inside, self.outside = Row(b, planes.inputs[-1], self.lanes), Row(b, self.columns, self.lanes)
        self.weights, self.tap_weights = contiguous_strides(planes.inputs), contiguous_strides(planes.size)
        self.written_out = prod(planes.size) <= WRITTEN_OUT
        #: whether rows of windows are all there and written out one by one
        self.plain = self.written_out and not any(planes.padded[:-1])
        # The vectors that hold the elements of a row of the windows: how far their first lane is from the first
        # window's first element, and how far lanes are apart.
        reach = [self.dilation * k for k in range(self.taps)]
        self.threaded = 1 < self.stride <= THREADED
        self.threads = sorted({shift // self.stride for shift in reach})
        self.reads = [(shift, self.stride) for shift in reach]
        if self.threaded:
            shifts = [(t, v) for t in self.threads for v in range(self.stride)]
            self.reads = [(self.stride * t + v * self.lanes, 1) for t, v in shifts]

    def write(self, piece: Value, strip: Callable[[Any, Any, bool], None]) -> None:
        """The code of one piece."""
        b, planes = self.b, self.planes
        outer = planes.outputs[:-1]
        first, last = share(piece, planes.forward_pieces, planes.number * prod(outer))
        with b.loop(last, first) as line:
            self.plane, *index = split_index(line, (planes.number, *outer))
            self.line, self.row = line, line - self.plane * prod(outer)
            self.first = self.plane * prod(planes.inputs)  # then: of the first window's first element, but for lo
            self.ranges: list[tuple[Any, Any]] = []
            for axis, i in enumerate(index):
                start = i * planes.strides[axis] - planes.low[axis]
                self.first = self.first + start * self.weights[axis]
                self.ranges.append(self.range(axis, start))
            self.place = b.at(self.x, self.first, self.kind)
            call = lambda column, whole: strip(column * self.stride - planes.low[-1], column, whole)
            _strips(b, self.columns, self.lanes, self.whole, call)

    def range(self, axis: int, start: Value) -> tuple[Any, Any]:
        """First and last + 1 of the taps that lie in x, of a window that starts at ``start``."""
        size, step, length = self.planes.size[axis], self.planes.dilation[axis], self.planes.inputs[axis]
        if not self.planes.padded[axis]:
            return 0, size
        before = start.lt(0).select(-start, 0)
        rest = start.lt(length).select(-start + length, 0)
        if step > 1:
            before, rest = (before + (step - 1)) // step, (rest + (step - 1)) // step
        return before, rest.lt(size).select(rest, size)

    def whole(self, column: int) -> bool:
        """Whether all that a strip reads and writes exists."""
        start = column * self.stride - self.planes.low[-1]
        return self.outside.holds(column) and all(self.inside.holds(start + shift, step) for shift, step in self.reads)

    def over_rows(self, work: Callable[[Value, Any], None]) -> None:
        """``work(place of the row, number of its first tap)`` for every row of the windows."""
        b, dilation = self.b, self.planes.dilation

        def nest(axis: int, place: Value, tap: Any) -> None:
            if axis == len(self.ranges):
                work(place, tap)
                return
            first, last = self.ranges[axis]
            weight, by_tap = dilation[axis] * self.weights[axis], self.tap_weights[axis]
            if isinstance(last, int) and self.written_out:
                for k in range(last):
                    nest(axis + 1, b.at(place, k * weight, self.kind), tap + k * by_tap)
            else:
                with _range(b, first, last) as k:
                    nest(axis + 1, b.at(place, k * weight, self.kind), k * by_tap + tap)

        nest(0, self.place, 0)

    def read(self, place: Value, start: Any, whole: bool) -> list[Value]:
        """The vectors in which a row of the windows stands."""
        return [self.inside.load(place, start + shift, self.kind, whole, step, self.fill) for shift, step in self.reads]

    def tap(self, vectors: Sequence[Value], k: int) -> Value:
        """Element ``k`` of every window's row, out of the vectors that were read."""
        if not self.threaded:
            return vectors[k]
        t, lane = divmod(self.dilation * k, self.stride)
        first = self.threads.index(t) * self.stride
        places = [self.stride * j + lane for j in range(self.lanes)]
        return _chosen(self.b, vectors[first : first + self.stride], places)

    def position(self, column: Any) -> Value:
        """A column as a Value."""
        return self.b.const("i64", column) if isinstance(column, int) else column


class Backward:
    """Rows of dx. Element c = strides·q + r of a row lies in the windows q + shift for a few shifts that r decides.

    ``add(strip, row of windows, tap)`` is called for every vector of windows, and adds to the ``strip.sums``.
    """

    def __init__(self, b: Function, planes: Planes, width: int) -> None:
        self.b, self.planes = b, planes
        self.kind = memory_kind(planes.dtype)
        self.columns, self.stride, self.dilation = planes.inputs[-1], planes.strides[-1], planes.dilation[-1]
        self.units = -(-self.columns // self.stride)
        self.lanes = short(self.units, lanes_of(self.kind, width))
        self.many = vector(self.kind, self.lanes)
        self.windows, self.out = Row(b, planes.outputs[-1], self.lanes), Row(b, self.columns, self.lanes)
        self.tap_weights = contiguous_strides(planes.size)
        # For every r, the windows that element r of a stride lies in, as (shift, tap); earlier windows first.
        self.met: list[list[tuple[int, int]]] = []
        for r in range(self.stride):
            away = ((r + planes.low[-1] - self.dilation * k, k) for k in reversed(range(planes.size[-1])))
            self.met.append([(a // self.stride, k) for a, k in away if a % self.stride == 0])
        self.shifts = sorted({shift for each in self.met for shift, _ in each})

    def write(self, piece: Value, add: Callable[[Strip, Value, Any], None], finish: Finish) -> None:
        """The code of one piece."""
        b, planes = self.b, self.planes
        outer = planes.inputs[:-1]
        first, last = share(piece, planes.backward_pieces, planes.number * prod(outer))
        with b.loop(last, first) as line:
            self.plane, *self.index = split_index(line, (planes.number, *outer))
            self.row = line - self.plane * prod(outer)
            self.first = line * self.columns  # element of dx
            _strips(b, self.units, self.lanes, self.whole, lambda unit, whole: self.strip(unit, whole, add, finish))

    def whole(self, unit: int) -> bool:
        """Whether all that the strip of units reads and writes exists."""
        start = unit * self.stride
        return all(self.windows.holds(unit + shift) for shift in self.shifts) and all(
            self.out.holds(start + v * self.lanes) for v in range(self.stride)
        )

    def strip(self, unit: Any, whole: bool, add: Callable[[Strip, Value, Any], None], finish: Finish) -> None:
        """Add up one vector of units, and hand over its elements."""
        b, lanes = self.b, self.lanes
        sums = Strip(unit, whole, [b.variable(self.many, 0) for _ in range(self.stride)])
        self.over_windows(lambda window, tap: add(sums, window, tap))
        vectors = [total.get() for total in sums.totals]
        for v in range(self.stride):
            column = unit * self.stride + v * lanes
            if isinstance(column, int) and column >= self.columns:
                continue
            places = [n // self.stride + n % self.stride * lanes for n in range(v * lanes, (v + 1) * lanes)]
            threaded = _chosen(b, vectors, places) if self.stride > 1 else vectors[0]
            mask = None if whole else self.out.mask(column)
            at = b.const("i64", column) if isinstance(column, int) else column
            finish(threaded, self.plane, self.row, at, lanes, mask)

    def read(self, strip: Strip, array: Value, kind: str, window: Value) -> dict[int, Value]:
        """What ``array`` has for the windows at every shift."""
        place = self.b.at(array, window * self.planes.outputs[-1], kind)
        return {shift: self.windows.load(place, strip.unit + shift, kind, strip.whole) for shift in self.shifts}

    def over_windows(self, work: Callable[[Value, Any], None]) -> None:
        """``work(row of windows, tap at which this row stands in them)``, earlier windows first."""
        b, planes = self.b, self.planes

        def nest(axis: int, window: Value, tap: Any) -> None:
            if axis == len(self.index):
                work(window, tap)
                return
            size, stride, count = planes.size[axis], planes.strides[axis], planes.outputs[axis]
            place, dilation = self.index[axis] + planes.low[axis], planes.dilation[axis]
            # Without dilation, every stride-th tap meets; otherwise they are all tried.
            skipped = stride if dilation == 1 else 1
            several = -(-size // skipped)
            with _range(b, 0, several) as back:
                k = (place % skipped if skipped > 1 else b.const("i64", 0)) + (several - 1 - back) * skipped
                start = place - k * dilation
                i = start // stride if stride > 1 else start
                reached = i.below(count) & k.lt(size)
                if dilation > 1 and stride > 1:
                    reached = reached & (start % stride).eq(0)
                with nullcontext() if self.always(axis) else b.when(reached):
                    nest(axis + 1, window * count + i, k * self.tap_weights[axis] + tap)

        nest(0, self.plane, self.b.const("i64", 0))

    def always(self, axis: int) -> bool:
        """Whether every row of dx lies in exactly one row of windows."""
        planes = self.planes
        size, stride, count = planes.size[axis], planes.strides[axis], planes.outputs[axis]
        tiled = size == stride and planes.dilation[axis] == 1
        return tiled and planes.low[axis] >= 0 and planes.low[axis] + planes.inputs[axis] <= count * stride


class Strip(NamedTuple):
    """A vector of neighbouring units of ``stride`` elements, and a sum for each element of the units."""

    unit: Any
    whole: bool
    totals: list[Variable]
