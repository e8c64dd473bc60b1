"""What goes along axes in order: running folds, and the position of the largest or smallest element.

    scan      y[i, k, j] = x[i, 0, j] ∘ x[i, 1, j] ∘ … ∘ x[i, k, j],  from left to right
    argmax    y[i, j] = the first k for which x[i, k, j] is the largest, or nan;  argmin likewise

Where axes lie behind the ones that are folded, vectors run along those and every lane walks on its own. Where the last
axis is folded, a running fold takes as many rows as a vector has lanes and transposes blocks of them in registers, so
each number is still combined in reading order; a position is sought in every lane by itself, and of the lanes that have
found the best element the one that met it first decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import cycle
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.expression import combine, convert, identity, load_as, memory_kind, register_kind, store_as
from backlight.compiler.ir import Function, Value, bits, is_float, lanes, vector
from backlight.compiler.kernels import merged
from backlight.compiler.strips import lanes_of, load_strip, pieces_for, share, short, split_index, store_strip, strips
from backlight.compiler.transpose import transpose_block
from backlight.layout import contiguous_strides

__all__ = ["Sweep", "emit_sweep", "sweep_pieces"]

Shape = tuple[int, ...]

_TOGETHER = 4  # vectors that are walked side by side, so that one need not wait for another


class Sweep(NamedTuple):
    """``combine`` along ``axes`` of an array x of ``shape``.

    A ``scan`` goes along one axis and keeps every result of ``combine``, in the dtype ``out``. Otherwise ``combine`` is
    ``"argmax"`` or ``"argmin"``, and a position is counted over ``axes`` in their order in x. Pointers: the result,
    then x, both contiguous.
    """

    combine: str
    shape: Shape
    axes: Shape
    scan: bool
    dtype: Any
    out: Any


class _Walk(NamedTuple):
    """The axes of x, neighbours merged that are folded alike: their lengths, strides, and which ones are folded."""

    lengths: Shape
    strides: Shape
    folded: tuple[bool, ...]

    @property
    def along(self) -> bool:
        """Whether vectors run along a folded axis."""
        return self.folded[-1]

    def axes(self, folded: bool) -> tuple[Shape, Shape]:
        """Lengths and strides of the axes that are folded, or of those that are not, but for the last axis of all."""
        kept = [k for k, each in enumerate(self.folded[:-1]) if each == folded]
        return tuple(self.lengths[k] for k in kept), tuple(self.strides[k] for k in kept)


def _walk(sweep: Sweep) -> _Walk:
    strides = contiguous_strides(sweep.shape)
    maps = [
        tuple(stride if (axis in sweep.axes) == folded else 0 for axis, stride in enumerate(strides))
        for folded in (True, False)
    ]
    lengths, (along, across) = merged(sweep.shape, (maps[0], maps[1]))
    if not lengths:
        return _Walk((1,), (1,), (False,))
    return _Walk(lengths, tuple(a + c for a, c in zip(along, across, strict=True)), tuple(a > 0 for a in along))


def _lanes(sweep: Sweep, width: int) -> int:
    """The most lanes of a vector: as many as fit of the wider numbers that are combined."""
    kinds = [memory_kind(sweep.dtype), memory_kind(sweep.out)]
    return min(lanes_of(kind, width) for kind in (kinds if sweep.scan else kinds[:1]))


def sweep_pieces(sweep: Sweep, width: int) -> int:
    """Into how many pieces a sweep is cut: into rows, and where vectors run across them into blocks of columns."""
    work = prod(sweep.shape)
    if not work:
        return 1
    walk = _walk(sweep)
    rows = prod(walk.axes(False)[0])
    if not walk.along:
        return pieces_for(work, rows * -(-walk.lengths[-1] // _block(sweep, walk, width)))
    return pieces_for(work, -(-rows // _band(sweep, walk, width)) if sweep.scan else rows)


def emit_sweep(
    b: Function, sweep: Sweep, pointers: Sequence[Value], piece: Value, width: int,
    scratch: Any = None, status: Any = None,
) -> None:  # fmt: skip
    """One piece of a sweep."""
    if not prod(sweep.shape):
        return
    out, x = pointers
    walk, pieces = _walk(sweep), sweep_pieces(sweep, width)
    if not walk.along:
        _emit_across(b, sweep, walk, out, x, piece, pieces, width)
    elif sweep.scan:
        _scan_along(b, sweep, walk, out, x, piece, pieces, width)
    else:
        _seek_along(b, sweep, walk, out, x, piece, pieces, width)


# -- Across the rows -----------------------------------------------------------------------------------------------


def _block(sweep: Sweep, walk: _Walk, width: int) -> int:
    """The columns that are walked together."""
    return _TOGETHER * short(walk.lengths[-1], _lanes(sweep, width))


def _emit_across(
    b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, piece: Value, pieces: int, width: int
) -> None:
    columns, block = walk.lengths[-1], _block(sweep, walk, width)
    wide = block // _TOGETHER
    lengths, strides = walk.axes(False)
    blocks, (whole, rest) = -(-columns // block), divmod(columns, block)
    emit = _scan_columns if sweep.scan else _seek_columns
    first, last = share(piece, pieces, prod(lengths) * blocks)
    with b.loop(last, first) as unit:
        row, number = (unit // blocks, unit % blocks) if blocks > 1 else (unit, b.const("i64", 0))
        place = _dot(b, split_index(row, lengths) if lengths else [], strides)
        if whole:
            with b.when(number.lt(whole)):
                emit(b, sweep, walk, out, x, row, place, number * block, wide, [None] * _TOGETHER)
        if rest:
            masks: list[Value | None] = [None] * (rest // wide)
            if rest % wide:
                masks.append(b.first_lanes(rest % wide, wide))
            with b.when(number.eq(whole)):
                emit(b, sweep, walk, out, x, row, place, b.const("i64", whole * block), wide, masks)


def _scan_columns(
    b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, row: Value, place: Value, column: Value,
    wide: int, masks: Sequence[Value | None],
) -> None:  # fmt: skip
    """The running fold of some columns; there is one folded axis, and the result lies like x."""
    lengths, strides = walk.axes(True)
    totals = [b.variable(vector(register_kind(sweep.out), wide), _neutral(sweep)) for _ in masks]
    with b.loop(prod(lengths)) as k:
        at = place + column + (k * strides[0] if strides else 0)
        for number, (total, mask) in enumerate(zip(totals, masks, strict=True)):
            here = at + number * wide
            each = load_strip(b, b.at(x, here, memory_kind(sweep.dtype)), memory_kind(sweep.dtype), wide, 1, mask)
            total.set(_next(b, sweep, total.get(), each))
            result = store_as(b, total.get(), sweep.out)
            store_strip(b, result, b.at(out, here, memory_kind(sweep.out)), 1, mask)


def _seek_columns(
    b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, row: Value, place: Value, column: Value,
    wide: int, masks: Sequence[Value | None],
) -> None:  # fmt: skip
    """The positions of the best elements of some columns."""
    lengths, strides = walk.axes(True)
    seekers = [_Seeker(b, sweep, prod(lengths), wide) for _ in masks]
    kind = memory_kind(sweep.dtype)
    with b.loop(prod(lengths)) as k:
        at = place + column + _dot(b, split_index(k, lengths) if lengths else [], strides)
        for number, (seeker, mask) in enumerate(zip(seekers, masks, strict=True)):
            seeker.meet(load_strip(b, b.at(x, at + number * wide, kind), kind, wide, 1, mask), k)
    to = row * walk.lengths[-1] + column
    for number, (seeker, mask) in enumerate(zip(seekers, masks, strict=True)):
        found = seeker.code.get().to_int(memory_kind(sweep.out))
        store_strip(b, found, b.at(out, to + number * wide, memory_kind(sweep.out)), 1, mask)


# -- Running folds along the rows ----------------------------------------------------------------------------------


def _band(sweep: Sweep, walk: _Walk, width: int) -> int:
    """The rows that are transposed together; 1 where there are too few of them."""
    rows = prod(walk.axes(False)[0])
    band = short(walk.lengths[-1], _lanes(sweep, width))
    return band if rows >= band else 1


def _scan_along(
    b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, piece: Value, pieces: int, width: int
) -> None:
    rows, band = prod(walk.axes(False)[0]), _band(sweep, walk, width)
    first, last = share(piece, pieces, -(-rows // band))
    if band == 1:
        with b.loop(last, first) as row:
            _scan_row(b, sweep, walk, out, x, row)
        return
    with b.loop(last, first) as number:
        with b.when(number.lt(rows // band)):
            _scan_band(b, sweep, walk, out, x, number * band, band)
        if rows % band:
            with b.when(number.eq(rows // band)), b.loop(rows, rows - rows % band) as row:
                _scan_row(b, sweep, walk, out, x, row)


def _scan_row(b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, row: Value) -> None:
    """One row, number by number."""
    columns = walk.lengths[-1]
    came, to = memory_kind(sweep.dtype), memory_kind(sweep.out)
    total = b.variable(register_kind(sweep.out), _neutral(sweep))
    with b.loop(columns) as k:
        at = row * columns + k
        total.set(_next(b, sweep, total.get(), b.load(b.at(x, at, came), came)))
        b.store(store_as(b, total.get(), sweep.out), b.at(out, at, to))


def _scan_band(b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, row: Value, band: int) -> None:
    """``band`` rows, a lane each: blocks of as many columns are turned on the way in and on the way out."""
    columns = walk.lengths[-1]
    came, to = memory_kind(sweep.dtype), memory_kind(sweep.out)
    totals = b.variable(vector(register_kind(sweep.out), band), _neutral(sweep))

    def block(place: Value, mask: Value | None) -> None:
        at = row * columns + place
        rows = [load_strip(b, b.at(x, at + k * columns, came), came, band, 1, mask) for k in range(band)]
        results = []
        for each in transpose_block(b, rows)[: columns % band if mask is not None else band]:
            totals.set(_next(b, sweep, totals.get(), each))
            results.append(store_as(b, totals.get(), sweep.out))
        results += [results[-1]] * (band - len(results))
        for k, each in enumerate(transpose_block(b, results)):
            store_strip(b, each, b.at(out, at + k * columns, to), 1, mask)

    whole = columns - columns % band
    if whole:
        with b.loop(whole, step=band) as place:
            block(place, None)
    if columns % band:
        block(b.const("i64", whole), b.first_lanes(columns % band, band))


def _next(b: Function, sweep: Sweep, total: Value, x: Value) -> Value:
    """What the running fold becomes with the elements ``x``, as they stand in memory."""
    here = convert(b, load_as(b, x, sweep.dtype), sweep.dtype, sweep.out)
    return combine(b, sweep.combine, total, here, sweep.out)


def _neutral(sweep: Sweep) -> Any:
    """What leaves every number as it is, bit for bit: 0 + -0 is 0, but -0 + x is x."""
    if sweep.combine == "add" and np.dtype(sweep.out).kind == "f":
        return -0.0
    return identity(sweep.combine, sweep.out)


# -- Positions -----------------------------------------------------------------------------------------------------


class _Seeker:
    """The best element that every lane has met, and the number under which it was met; the first of equals stays.

    It starts as if number 0 were the worst element there is: if nothing better comes, that is the answer.
    """

    def __init__(self, b: Function, sweep: Sweep, count: int, wide: int) -> None:
        dtype = np.dtype(np.uint8) if np.dtype(sweep.dtype).kind == "b" else np.dtype(sweep.dtype)
        self.b, self.dtype, self.sign = b, dtype, 1 if sweep.combine == "argmax" else -1
        self.best = b.variable(vector(memory_kind(dtype), wide), self.worst)
        self.kind = "i32" if count < 1 << 31 else "i64"
        self.code = b.variable(vector(self.kind, wide), 0)

    @property
    def worst(self) -> Any:
        if self.dtype.kind == "f":
            return -self.sign * np.inf
        return int(np.iinfo(self.dtype).min if self.sign > 0 else np.iinfo(self.dtype).max)

    def meet(self, x: Value, number: Value) -> None:
        """Every lane meets its element of ``x`` under ``number``."""
        best, code = self.best.get(), self.code.get()
        wins = self.exceeds(x, best)
        self.best.set(wins.select(x, best))
        self.code.set(wins.select(self.b.splat(number.to_int(self.kind), lanes(x.kind)), code))

    def exceeds(self, x: Value, y: Value) -> Value:
        """Whether ``x`` is better than ``y``; a nan is better than any number."""
        if is_float(x.kind):
            return ~(x.le(y) if self.sign > 0 else x.ge(y)) & ~y.isnan()
        low, high = (y, x) if self.sign > 0 else (x, y)
        return low.below(high) if self.dtype.kind == "u" else low.lt(high)


def _seek_along(
    b: Function, sweep: Sweep, walk: _Walk, out: Value, x: Value, piece: Value, pieces: int, width: int
) -> None:
    columns, kind = walk.lengths[-1], memory_kind(sweep.dtype)
    wide = short(columns, _lanes(sweep, width))
    (kept, by_row), (lengths, strides) = walk.axes(False), walk.axes(True)
    together = _TOGETHER if columns >= 2 * _TOGETHER * wide else 1
    first, last = share(piece, pieces, prod(kept))
    with b.loop(last, first) as row:
        start = b.at(x, _dot(b, split_index(row, kept) if kept else [], by_row), kind)
        seekers = [_Seeker(b, sweep, prod(lengths) * columns, wide) for _ in range(together)]
        turn = cycle(seekers)

        def meet(place: Value, number: Value) -> Callable[[Value, Value | None], None]:
            def work(column: Value, mask: Value | None) -> None:
                seeker = next(turn)
                each = load_strip(b, b.at(place, column, kind), kind, wide, 1, mask)
                if mask is not None:
                    each = mask.select(each, b.const(each.kind, seeker.worst))
                seeker.meet(each, number + column)

            return work

        if lengths:
            with b.loop(prod(lengths)) as k:
                place = b.at(start, _dot(b, split_index(k, lengths), strides), kind)
                strips(b, columns, wide, meet(place, k * columns), together)
        else:
            strips(b, columns, wide, meet(start, b.const("i64", 0)), together)
        b.store(_first_best(b, seekers).to_int("i64"), b.at(out, row, "i64"))


def _first_best(b: Function, seekers: Sequence[_Seeker]) -> Value:
    """The smallest number under which one of all the lanes has met the best of all elements."""
    bests = [seeker.best.get() for seeker in seekers]
    wide = lanes(bests[0].kind)

    def better(x: Value, y: Value) -> Value:
        return seekers[0].exceeds(y, x).select(y, x)

    def smaller(x: Value, y: Value) -> Value:
        return x.lt(y).select(x, y)

    top = b.splat(b.fold(reduce(better, bests), better), wide)
    numbers = []
    for best, seeker in zip(bests, seekers, strict=True):
        is_top = best.eq(top) | (best.isnan() & top.isnan()) if is_float(top.kind) else best.eq(top)
        number = seeker.code.get() + b.constants(seeker.kind, range(wide))
        numbers.append(is_top.select(number, b.const(number.kind, (1 << bits(number.kind) - 1) - 1)))
    return b.fold(reduce(smaller, numbers), smaller)


def _dot(b: Function, index: Sequence[Value], strides: Shape) -> Value:
    total = b.const("i64", 0)
    for i, stride in zip(index, strides, strict=True):
        total = total + i * stride
    return total
