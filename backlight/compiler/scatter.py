"""Reading and writing at places that index arrays name.

    gather    y[i…, j…] = x[a[i…], b[i…], …, j…]
    scatter   y = x;  then y[a[i…], b[i…], …, j…] += v[i…, j…], or = v[i…, j…], in the order of i

A *row* is what one index position names: the trailing axes j…. Rows are moved a vector at a time; where a row is one
number, a gather takes a vector of numbers at once. A scatter is cut so that all that meets in one place is done by one
piece, in order: into blocks of columns, each of which goes through the whole list of indices, or, for short rows and
for long tables, into ranges of rows, each of which picks its own out of the list.

Negative indices count from the end. One that is out of range is reported in the status word; the gather then reads row
0 in its place and the scatter leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.expression import combine, load_as, memory_kind, store_as
from backlight.compiler.ir import Function, Value, bits, vector
from backlight.compiler.kernels import merged
from backlight.compiler.strips import load_strip, pieces_for, share, short, split_index, store_strip, strips
from backlight.layout import contiguous_strides

__all__ = ["BAD_INDEX", "Gathering", "Scattering", "emit_gather", "emit_scatter", "gather_pieces", "scatter_pieces"]

Shape = tuple[int, ...]

BAD_INDEX = 1
"""The status of a program that met an index out of range."""


class Gathering(NamedTuple):
    """``places`` rows taken out of an array of ``shape`` by one index array for each of its first axes.

    ``strides`` (in elements) say how the array lies in memory where it is not contiguous. Pointers: the result, the
    array, the index arrays.
    """

    shape: Shape
    places: int
    index_dtypes: tuple[Any, ...]
    dtype: Any
    strides: Shape | None = None

    @property
    def row(self) -> int:
        return prod(self.shape[len(self.index_dtypes) :])


class Scattering(NamedTuple):
    """``places`` rows added (``combine="add"``) or written (``"set"``) to an array of ``shape``.

    The array starts as a copy of another, or filled with the number ``fill``, or is ``kept`` as it stands in the
    result. Pointers: the result, the array that is copied (if one is), the index arrays, the rows.
    """

    combine: str
    shape: Shape
    places: int
    index_dtypes: tuple[Any, ...]
    dtype: Any
    fill: float | None = None
    kept: bool = False

    @property
    def rows(self) -> int:
        return prod(self.shape[: len(self.index_dtypes)])

    @property
    def row(self) -> int:
        return prod(self.shape[len(self.index_dtypes) :])


# -- Indices -------------------------------------------------------------------------------------------------------


def _place(
    b: Function, sizes: Shape, strides: Shape, indices: Sequence[Value], dtypes: Sequence[Any], position: Value,
    width: int = 0, mask: Value | None = None,
) -> tuple[Value, Value]:  # fmt: skip
    """What the indices at ``position`` (and the ``width - 1`` behind it) add up to, and whether they are in range."""
    total: Value | None = None
    fits: Value | None = None
    for size, stride, index, dtype in zip(sizes, strides, indices, dtypes, strict=True):
        kind, signed = memory_kind(dtype), np.dtype(dtype).kind == "i"
        where = b.at(index, position, kind)
        i = load_strip(b, where, kind, width, 1, mask) if width else b.load(where, kind)
        i = i.to_int("i64", signed)
        if signed:
            i = i.lt(0).select(i + size, i)
        inside = i.below(size)
        fits = inside if fits is None else fits & inside
        part = i * stride if stride != 1 else i
        total = part if total is None else total + part
    assert total is not None
    assert fits is not None
    return total, fits


def _report(b: Function, status: Value, bad: Value) -> None:
    with b.when(bad):
        b.store(b.const("i64", BAD_INDEX), status)


# -- Gather --------------------------------------------------------------------------------------------------------

_PART = 4096  # elements of a row that are copied in one go where there are few rows
AHEAD = 4  # rows, which may stand anywhere, that are asked for before they are copied
MOST_FETCHED = 8192  # bytes of a row that are
LINE = 64


def _parts(gathering: Gathering) -> int:
    return -(-gathering.row // _PART) if gathering.places < 8 and gathering.row and not gathering.strides else 1


def gather_pieces(gathering: Gathering, width: int) -> int:
    """Into how many pieces the gather is cut."""
    work = gathering.places * gathering.row
    if gathering.row == 1:
        return pieces_for(4 * work, -(-gathering.places // 64))
    return pieces_for(work, gathering.places * _parts(gathering))


def emit_gather(
    b: Function, gathering: Gathering, pointers: Sequence[Value], piece: Value, width: int,
    scratch: Any = None, status: Any = None,
) -> None:  # fmt: skip
    """One piece of a gather."""
    axes = len(gathering.index_dtypes)
    sizes = gathering.shape[:axes]
    if not gathering.places:
        return
    if not prod(sizes):
        b.store(b.const("i64", BAD_INDEX), status)
        return
    target, source, *indices = pointers
    strides = gathering.strides or contiguous_strides(gathering.shape)
    name: Callable[..., tuple[Value, Value]] = lambda position, *wide: _place(
        b, sizes, strides[:axes], indices, gathering.index_dtypes, position, *wide
    )
    if gathering.row == 1:
        _gather_numbers(b, gathering, target, source, name, piece, width, status)
    else:
        _gather_rows(b, gathering, strides[axes:], target, source, name, piece, width, status)


def _gather_rows(
    b: Function, gathering: Gathering, strides: Shape, target: Value, source: Value, name: Callable[..., Any],
    piece: Value, width: int, status: Value,
) -> None:  # fmt: skip
    kind, row, parts = memory_kind(gathering.dtype), gathering.row, _parts(gathering)
    trailing = gathering.shape[len(gathering.index_dtypes) :]
    lengths, (came, to) = merged(trailing, (strides, contiguous_strides(trailing)))
    first, last = share(piece, gather_pieces(gathering, width), gathering.places * parts)
    ahead = AHEAD if parts == 1 and came == (1,) and row * bits(kind) // 8 <= MOST_FETCHED else 0
    with b.loop(last, first) as unit:
        position = unit // parts if parts > 1 else unit
        place, fits = name(position)
        _report(b, status, ~fits)
        start = b.at(source, fits.select(place, b.const("i64", 0)), kind)
        end = b.at(target, position * row, kind)
        if ahead:
            following, there = name((position + ahead).lt(gathering.places).select(position + ahead, position))
            _fetch(b, b.at(source, there.select(following, b.const("i64", 0)), kind), row * bits(kind) // 8)
        if parts > 1:
            begin = (unit % parts) * _PART
            rest = row - begin
            _copy(b, b.at(end, begin, kind), b.at(start, begin, kind), kind, rest.lt(_PART).select(rest, _PART), width)
        elif len(lengths) == 1:
            _copy(b, end, start, kind, row, width, came[0])
        else:
            with b.loop(prod(lengths[:-1])) as j:
                inner, outer = start, end
                for entry, a, c in zip(split_index(j, lengths[:-1]), came, to, strict=False):
                    inner, outer = b.at(inner, entry * a, kind), b.at(outer, entry * c, kind)
                _copy(b, outer, inner, kind, lengths[-1], width, came[-1])


def _fetch(b: Function, place: Value, size: int) -> None:
    """Ask for ``size`` bytes: the next rows are on their way while this one is copied."""
    with b.loop(size + LINE - 1, step=LINE) as at:
        b.prefetch(b.at(place, at, "i8"))


def _copy(b: Function, target: Value, source: Value, kind: str, count: Any, width: int, stride: int = 1) -> None:
    wide = short(count, width) if isinstance(count, int) else width

    def work(place: Value, mask: Value | None) -> None:
        x = load_strip(b, b.at(source, place * stride, kind), kind, wide, stride, mask)
        store_strip(b, x, b.at(target, place, kind), 1, mask)

    strips(b, count, wide, work)


def _gather_numbers(
    b: Function, gathering: Gathering, target: Value, source: Value, name: Callable[..., Any], piece: Value,
    width: int, status: Value,
) -> None:  # fmt: skip
    kind, count = memory_kind(gathering.dtype), gathering.places
    wide = short(count, width)
    every = b.const(vector("i1", wide), 1)
    bad = b.variable(every.kind, 0)

    def work(place: Value, mask: Value | None) -> None:
        position = start + place
        at, fits = name(position, wide, mask)
        bad.set(bad.get() | (~fits if mask is None else ~fits & mask))
        at = fits.select(at, b.const(at.kind, 0))
        if not gathering.strides and prod(gathering.shape) < 1 << 31:
            at = at.to_int("i32")
        where = b.write(f"<{wide} x ptr>", f"getelementptr {kind}, ptr {source.text}, {at.kind} {at.text}")
        store_strip(b, b.gather(where, vector(kind, wide), mask or every), b.at(target, position, kind), 1, mask)

    pieces = gather_pieces(gathering, width)
    if pieces == 1:
        start: Value = b.const("i64", 0)
        strips(b, count, wide, work, together=1)
    else:
        blocks = -(-count // wide)
        first, last = share(piece, pieces, blocks)
        start, stop = first * wide, last * wide
        if count % wide:
            stop = stop.lt(count).select(stop, b.const("i64", count))
        strips(b, stop - start, wide, work, together=1)
    _report(b, status, b.intrinsic("vector.reduce.or", bad.get(), returns="i1"))


# -- Scatter -------------------------------------------------------------------------------------------------------

_LINE = 64  # bytes that are written together
_BLOCKS = 8  # into how many blocks of columns rows are cut


def _block(scattering: Scattering) -> int:
    """The columns of a block; 0 where the pieces are ranges of rows."""
    line = max(1, _LINE * 8 // bits(memory_kind(scattering.dtype)))
    if scattering.row < 2 * line or scattering.rows > 4 * scattering.places:
        return 0
    return -(-scattering.row // (_BLOCKS * line)) * line


def scatter_pieces(scattering: Scattering, width: int) -> int:
    """Into how many pieces the scatter is cut."""
    block = _block(scattering)
    if block:
        return -(-scattering.row // block)
    # Every piece goes through all the indices: that has to be little beside the rows it begins and those it adds.
    work = (
        scattering.row
        * (scattering.rows * (not scattering.kept) + scattering.places)
        // (1 + scattering.places // 2048)
    )
    return min(_BLOCKS, pieces_for(work, max(scattering.rows, 1)))


def emit_scatter(
    b: Function, scattering: Scattering, pointers: Sequence[Value], piece: Value, width: int,
    scratch: Any = None, status: Any = None,
) -> None:  # fmt: skip
    """One piece of a scatter."""
    axes = len(scattering.index_dtypes)
    row, dtype = scattering.row, scattering.dtype
    kind = memory_kind(dtype)
    target, *rest = pointers
    begun = rest.pop(0) if scattering.fill is None and not scattering.kept else None
    *indices, values = rest
    pieces, block = scatter_pieces(scattering, width), _block(scattering)
    zero = b.const("i64", 0)
    if block:
        begin: Any = piece * block if pieces > 1 else zero
        columns: Any = block
        if row % block:
            columns = (row - begin).lt(block).select(row - begin, b.const("i64", block))
        first, last = zero, b.const("i64", scattering.rows)
    else:
        begin, columns = zero, row
        first, last = share(piece, pieces, scattering.rows) if pieces > 1 else (zero, b.const("i64", scattering.rows))

    def start(place: Value, count: Any) -> None:
        if begun is not None:
            _copy(b, b.at(target, place, kind), b.at(begun, place, kind), kind, count, width)
        elif scattering.fill is not None:
            wide = short(count, width) if isinstance(count, int) else width
            x = b.const(vector(kind, wide), np.dtype(dtype).type(scattering.fill))
            strips(b, count, wide, lambda at, mask: store_strip(b, x, b.at(target, place + at, kind), 1, mask))

    if not scattering.kept:
        if block and pieces > 1:
            with b.loop(scattering.rows) as r:
                start(r * row + begin, columns)
        else:
            start(first * row, (last - first) * row if pieces > 1 else scattering.rows * row)

    sizes = scattering.shape[:axes]
    wide = short(columns, width) if isinstance(columns, int) else width
    added = "logical_or" if np.dtype(dtype).kind == "b" else "add"  # NumPy's sum of truth values
    with b.loop(scattering.places) as position:
        number, fits = _place(b, sizes, contiguous_strides(sizes), indices, scattering.index_dtypes, position)
        _report(b, status, ~fits)
        if not block and pieces > 1:
            fits = (number - first).below(last - first) & fits
        with b.when(fits):
            to = b.at(target, number * row + begin, kind)
            came = b.at(values, position * row + begin, kind)

            def work(place: Value, mask: Value | None) -> None:
                x = load_strip(b, b.at(came, place, kind), kind, wide, 1, mask)
                here = b.at(to, place, kind)
                if scattering.combine == "add":
                    before = load_as(b, load_strip(b, here, kind, wide, 1, mask), dtype)
                    x = store_as(b, combine(b, added, before, load_as(b, x, dtype), dtype), dtype)
                store_strip(b, x, here, 1, mask)

            strips(b, columns, wide, work)
