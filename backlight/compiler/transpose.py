"""Copies between two layouts of the same elements, by transposing blocks in registers where their rows cross.

A transpose that reads along rows and writes along columns touches a cache line once for every element; done a block at
a time, a whole vector of every line is used whenever the line is in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Value, bits, lanes, vector
from backlight.compiler.kernels import Access, Bound, merged
from backlight.compiler.strips import (
    GRAIN,
    lanes_of,
    load_strip,
    pieces_for,
    share,
    short,
    split_index,
    store_strip,
    strips,
)

__all__ = ["Copy", "copy_pieces", "emit_copy", "transpose_block"]

Shape = tuple[int, ...]


# -- In registers --------------------------------------------------------------------------------------------------


def transpose_block(b: Function, rows: Sequence[Value]) -> list[Value]:
    """``W`` vectors of ``W`` lanes, W a power of two, as the columns of the block they are the rows of.

    Taking the even lanes of two rows, and the odd ones, halves the number of rows that a column is spread over. Done
    within each 128 bits first and then on whole groups of 128 bits, every step is one instruction of the processor.
    """
    width = len(rows)
    if width == 1:
        return list(rows)
    assert all(lanes(row.kind) == width for row in rows)
    group = min(width, max(2, 128 // bits(rows[0].kind)))
    inside = [_columns(b, rows[k : k + group], 1, group) for k in range(0, width, group)]
    result: list[list[Value]] = [_columns(b, [each[j] for each in inside], group, width) for j in range(group)]
    return [result[c % group][c // group] for c in range(width)]


def _columns(b: Function, rows: Sequence[Value], unit: int, span: int) -> list[Value]:
    """Transpose blocks of ``len(rows)`` units of ``unit`` lanes, side by side in each ``span`` lanes."""
    if len(rows) == 1:
        return list(rows)
    width = lanes(rows[0].kind)

    def halves(odd: int) -> list[int]:
        places: list[int] = []
        for start in range(0, width, span):
            for source in (0, width):
                for k in range(odd, span // unit, 2):
                    places += range(source + start + k * unit, source + start + (k + 1) * unit)
        return places

    pairs = list(zip(rows[0::2], rows[1::2], strict=True))
    found: list[list[Value]] = []
    for odd in (0, 1):
        places = halves(odd)
        found.append(_columns(b, [b.shuffle(x, y, places) for x, y in pairs], unit, span))
    return [each for pair in zip(*found, strict=True) for each in pair]


# -- Copies --------------------------------------------------------------------------------------------------------


class Copy(NamedTuple):
    """``target[i] = source[i]`` for every index i of ``space``, and ``fill`` where a bound of the source is broken.

    Target and source are pointers number 0 and 1 of the kernel.
    """

    space: Shape
    source: Access
    target: Access
    dtype: Any
    fill: float = 0.0


class _Layout(NamedTuple):
    """A copy with its axes merged and put into the order in which the target is written."""

    lengths: Shape
    source: Shape
    target: Shape
    bounds: tuple[Bound, ...]
    across: int | None  # the axis along which the source is contiguous, where blocks are to be transposed


def _layout(copy: Copy) -> _Layout:
    order = sorted(range(len(copy.space)), key=lambda axis: -abs(copy.target.strides[axis]))
    maps = [copy.source.strides, copy.target.strides, *(bound.strides for bound in copy.source.bounds)]
    lengths, (source, target, *rest) = merged(
        tuple(copy.space[axis] for axis in order), tuple(tuple(each[axis] for axis in order) for each in maps)
    )
    if not lengths:
        lengths, source, target, rest = (1,), (1,), (1,), [(0,) for _ in rest]
    bounds = tuple(bound._replace(strides=own) for bound, own in zip(copy.source.bounds, rest, strict=True))
    across = None
    if not bounds and target[-1] == 1 and source[-1] not in (0, 1, -1) and lengths[-1] >= 4:
        across = next((k for k, stride in enumerate(source[:-1]) if stride == 1 and lengths[k] >= 4), None)
    return _Layout(lengths, source, target, bounds, across)


def _block(layout: _Layout, kind: str, width: int) -> tuple[int, int]:
    """The lanes of the vectors that are transposed, and how many rows of the target to take together.

    Those rows are a cache line of the source, so that a line is used up when it is read.
    """
    assert layout.across is not None
    rows = layout.lengths[layout.across]
    tile = _power(min(lanes_of(kind, width), layout.lengths[-1], rows))
    return tile, max(tile, _power(min(rows, 512 // bits(kind))))


def _power(count: int) -> int:
    """The largest power of two up to ``count``."""
    return 1 << (count.bit_length() - 1)


def _chunk(layout: _Layout) -> int:
    """The elements of a row that are copied in one go: rows are cut where there are few."""
    return layout.lengths[-1] if prod(layout.lengths[:-1]) >= 16 else min(layout.lengths[-1], GRAIN)


def copy_pieces(copy: Copy, width: int) -> int:
    """Into how many pieces the copy is cut."""
    if not prod(copy.space):
        return 1
    layout = _layout(copy)
    size = prod(layout.lengths)
    if layout.across is not None:
        rows = layout.lengths[layout.across]
        _, band = _block(layout, memory_kind(copy.dtype), width)
        return pieces_for(size, size // layout.lengths[-1] // rows * (rows // band))
    chunk = _chunk(layout)
    return pieces_for(size, prod(layout.lengths[:-1]) * -(-layout.lengths[-1] // chunk))


def emit_copy(
    b: Function,
    copy: Copy,
    pointers: Sequence[Value],
    piece: Value,
    width: int,
    scratch: Any = None,
    status: Any = None,
) -> None:
    """One piece of a copy."""
    if not prod(copy.space):
        return
    layout = _layout(copy)
    kind = memory_kind(copy.dtype)
    target = b.at(pointers[0], copy.target.offset, kind)
    source = b.at(pointers[1], copy.source.offset, kind)
    pieces = copy_pieces(copy, width)
    if layout.across is not None:
        _emit_blocks(b, layout, kind, target, source, piece, pieces, *_block(layout, kind, width))
    else:
        _emit_rows(b, layout, kind, copy.fill, target, source, piece, pieces, width)


def _emit_rows(
    b: Function, layout: _Layout, kind: str, fill: float, target: Value, source: Value,
    piece: Value, pieces: int, width: int,
) -> None:  # fmt: skip
    *outer, columns = layout.lengths
    chunk = _chunk(layout)
    chunks = -(-columns // chunk)
    wide = short(min(chunk, columns), width)
    source_step, target_step = layout.source[-1], layout.target[-1]
    first, last = share(piece, pieces, prod(outer) * chunks)
    with b.loop(last, first) as unit:
        row = unit // chunks if chunks > 1 else unit
        index = split_index(row, tuple(outer)) if outer else []
        to, came = _moved(b, target, kind, index, layout.target), _moved(b, source, kind, index, layout.source)
        places = [_dot(b, bound.offset, index, bound.strides) for bound in layout.bounds]
        count: Any = columns
        start = None
        if chunks > 1:
            start = (unit % chunks) * chunk
            to, came = b.at(to, start * target_step, kind), b.at(came, start * source_step, kind)
            rest = columns - start
            count = rest.lt(chunk).select(rest, chunk)

        def work(place: Value, mask: Value | None) -> None:
            inside = mask
            column = place if start is None else start + place
            for bound, at in zip(layout.bounds, places, strict=True):
                step = bound.strides[-1]
                along = b.splat(at + column * step, wide) + b.constants("i64", [step * k for k in range(wide)])
                fits = along.below(bound.size)
                inside = fits if inside is None else inside & fits
            where = b.at(came, place * source_step, kind)
            if inside is not None and layout.bounds and source_step in (0, -1):  # the vector may not be read as a whole
                x = b.gather(_spread(b, where, kind, wide, source_step), vector(kind, wide), inside)
            else:
                x = load_strip(b, where, kind, wide, source_step, inside)
            if layout.bounds and fill:
                x = inside.select(x, b.const(x.kind, fill))  # type: ignore[union-attr]
            store_strip(b, x, b.at(to, place * target_step, kind), target_step, mask)

        strips(b, count, wide, work)


def _spread(b: Function, place: Value, kind: str, width: int, stride: int) -> Value:
    steps = b.constants("i64", [lane * stride for lane in range(width)])
    return b.write(f"<{width} x ptr>", f"getelementptr {kind}, ptr {place.text}, {steps.kind} {steps.text}")


def _emit_blocks(
    b: Function, layout: _Layout, kind: str, target: Value, source: Value, piece: Value, pieces: int,
    tile: int, band: int,
) -> None:  # fmt: skip
    across = layout.across
    assert across is not None
    others = tuple(axis for axis in range(len(layout.lengths) - 1) if axis != across)
    outer = tuple(layout.lengths[axis] for axis in others)
    rows, columns = layout.lengths[across], layout.lengths[-1]
    # The last block of a row or column overlaps the one before, so that every block is full; both belong to one piece.
    whole, bands = rows // band, -(-rows // band)
    first, last = share(piece, pieces, prod(outer) * whole)
    with b.loop(last, first) as unit:
        index = split_index(unit // whole, outer) if outer else []
        number = unit % whole if outer else unit
        to = _moved(b, target, kind, index, tuple(layout.target[axis] for axis in others))
        came = _moved(b, source, kind, index, tuple(layout.source[axis] for axis in others))
        stop = number.eq(whole - 1).select(b.const("i64", bands), number + 1)
        with b.loop(stop, number) as j, b.loop(columns, step=tile) as i:
            row = _held(j * band, rows - band) if rows % band else j * band
            column = _held(i, columns - tile) if columns % tile else i
            start = b.at(b.at(came, row, kind), column * layout.source[-1], kind)
            end = b.at(b.at(to, row * layout.target[across], kind), column, kind)
            for part in range(0, band, tile):
                block = [
                    b.load(b.at(start, k * layout.source[-1] + part, kind), vector(kind, tile)) for k in range(tile)
                ]
                for k, each in enumerate(transpose_block(b, block)):
                    b.store(each, b.at(end, (part + k) * layout.target[across], kind))


def _held(place: Value, most: int) -> Value:
    return place.lt(most).select(place, most)


def _moved(b: Function, place: Value, kind: str, index: Sequence[Value], strides: Shape) -> Value:
    for i, stride in zip(index, strides, strict=False):
        if stride:
            place = b.at(place, i * stride, kind)
    return place


def _dot(b: Function, offset: int, index: Sequence[Value], strides: Shape) -> Value:
    total = b.const("i64", offset)
    for i, stride in zip(index, strides, strict=False):
        if stride:
            total = total + i * stride
    return total
