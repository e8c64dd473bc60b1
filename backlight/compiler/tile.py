"""The register tile of a matrix product: a few rows times a few vectors of results that stay in registers.

    results[r][v] += left[r, k] · right[k, v]        for every k

One step broadcasts an element of every row and multiplies it with vectors of the right operand: rows · vectors
multiply-adds for rows + vectors loads. The tile is as large as the registers allow, so that arithmetic and not memory
sets the pace, and everything constant about the layout becomes a constant in the instructions' addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Value, is_float, scalar, vector

__all__ = ["InnerAxis", "Parts", "Tile", "call_tile", "emit_dots", "emit_tile", "store_tile", "totals"]

UNROLLED = 96  # multiply-adds for which a short loop is written out
BUSY = 12  # multiply-adds in one step of a loop that hide its counting

Sums = list[list[Value]]


class Tile(NamedTuple):
    """A register tile of ``rows`` times ``vectors``."""

    rows: int
    vectors: int


class Parts(NamedTuple):
    """``many`` parts of ``size``, and then ``others`` of ``rest``, one after the other."""

    size: int
    many: int
    rest: int
    others: int

    @classmethod
    def even(cls, count: int, most: int) -> Parts:
        """``count`` in as few parts as there can be of up to ``most`` each, which differ by one at most.

        A part that is much smaller than the others would take nearly as long.
        """
        number = -(-count // most)
        small, larger = divmod(count, max(1, number))
        return cls(small + 1, larger, small, number - larger) if larger else cls(small, number, 0, 0)

    @classmethod
    def full(cls, count: int, size: int) -> Parts:
        """``count`` in parts of ``size``, and what is left."""
        return cls(size, count // size, count % size, int(count % size > 0))

    @property
    def length(self) -> int:
        """How many parts there are."""
        return self.many + self.others

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(size, how many)."""
        return [each for each in ((self.size, self.many), (self.rest, self.others)) if all(each)]

    def start(self, number: Value) -> Value:
        """Where part ``number`` begins."""
        start = number * self.size
        if self.others > 1:
            beyond = number - self.many
            start = start - beyond.gt(0).select(beyond, 0) * (self.size - self.rest)
        return start


class InnerAxis(NamedTuple):
    """An axis that is summed over, and how far a step along it is in each operand; the length may be an i64 Value."""

    length: Any
    left: int
    right: int


def _multiply_add(b: Function, x: Value, y: Value, total: Value, dtype: Any) -> Value:
    """x · y + total, fused where the processor can; integers wrap around and bools are joined, as in NumPy."""
    if is_float(x.kind):
        return b.intrinsic("fmuladd", x, y, total)
    return total | (x & y) if dtype.kind == "b" else x * y + total


def emit_tile(
    b: Function,
    dtype: Any,
    lanes: int,
    tile: Tile,
    inner: Sequence[InnerAxis],
    left: Value,
    row_stride: int,
    rights: Sequence[Value],
    masks: Sequence[Value | None],
) -> list[list[Value]]:
    """The results of one tile, as ``rows`` lists of ``vectors`` Values.

    ``left`` points to the element of the first row, ``rights`` to the first element of each vector, for the first
    inner index; lanes outside a mask are not read.
    """
    one = memory_kind(dtype)
    many = vector(one, lanes)
    results = _Results(b, many, tile.rows, tile.vectors)

    def step(sums: Sums, left: Value, rights: Sequence[Value], left_shift: int, right_shift: int) -> Sums:
        along = []
        for place, mask in zip(rights, masks, strict=True):
            place = b.at(place, right_shift, one)
            along.append(b.load(place, many) if mask is None else b.masked_load(place, many, mask))
        made = []
        for r, row in enumerate(sums):
            x = b.splat(b.load(b.at(left, r * row_stride + left_shift, one), one), lanes)
            made.append([_multiply_add(b, x, y, total, dtype) for y, total in zip(along, row, strict=True)])
        return made

    def nest(axes: Sequence[InnerAxis], left: Value, rights: Sequence[Value]) -> None:
        size = tile.rows * tile.vectors
        if not axes:
            results.set(step(results.get(), left, rights, 0, 0))
            return
        (length, by_left, by_right), *rest = axes
        together = 1
        if not rest and isinstance(length, int):
            if not length:
                return
            if length <= 6 and length * size <= UNROLLED:
                together = length
            while together * size < BUSY and length % (2 * together) == 0:
                together *= 2
        with b.loop(length, step=together) if together != length else nullcontext(b.const("i64", 0)) as k:
            if together != length:
                shift = k * by_right
                left, rights = b.at(left, k * by_left, one), [b.at(right, shift, one) for right in rights]
            if rest:
                nest(rest, left, rights)
                return
            sums = results.get()
            for u in range(together):
                sums = step(sums, left, rights, u * by_left, u * by_right)
            results.set(sums)

    nest(inner, left, rights)
    return results.get()


def call_tile(
    b: Function,
    dtype: Any,
    lanes: int,
    tile: Tile,
    inner: Sequence[InnerAxis],
    left: Value,
    row_stride: int,
    rights: Sequence[Value],
    area: Value,
    pitch: int,
) -> None:
    """The results of one tile, put into ``area``, rows ``pitch`` elements apart; one of ``rights`` stands for vectors
    side by side.

    A function of its own in the module: what surrounds the tile then takes none of its registers, and all products
    with such tiles share it.
    """
    lengths = [axis.length for axis in inner if not isinstance(axis.length, int)]
    known = [f"{axis.length if isinstance(axis.length, int) else 'n'}_{axis.left}_{axis.right}" for axis in inner]
    facts = (dtype.str[1:], lanes, f"{tile.rows}x{tile.vectors}", row_stride, len(rights), pitch, *known)
    name = ".".join(map(str, ("k.tile", *facts))).replace("-", "m")
    if b.module.first_use(name):
        parameters = [("left", "ptr"), ("area", "ptr"), *((f"right{v}", "ptr") for v in range(len(rights)))]
        f = b.module.function(name, parameters + [(f"n{k}", "i64") for k in range(len(lengths))])
        given = iter([f[f"n{k}"] for k in range(len(lengths))])
        axes = [axis if isinstance(axis.length, int) else axis._replace(length=next(given)) for axis in inner]
        kind = memory_kind(dtype)
        places = [f[f"right{v}"] for v in range(len(rights))]
        if len(places) == 1:
            places = [f.at(places[0], v * lanes, kind) for v in range(tile.vectors)]
        results = emit_tile(f, dtype, lanes, tile, axes, f["left"], row_stride, places, [None] * tile.vectors)
        store_tile(f, results, lanes, f["area"], pitch)
        f.end()
    b.call(name, "void", left, area, *rights, *lengths)


def store_tile(b: Function, results: Sums, lanes: int, area: Value, pitch: int) -> None:
    """Put the results of a tile into ``area``, rows ``pitch`` elements apart."""
    for r, row in enumerate(results):
        for v, result in enumerate(row):
            b.store(result, b.at(area, r * pitch + v * lanes, scalar(result.kind)))


class _Results:
    """The sums of a tile, which its loops carry in registers."""

    def __init__(self, b: Function, kind: str, rows: int, columns: int) -> None:
        self.places = [[b.variable(kind, 0) for _ in range(columns)] for _ in range(rows)]

    def get(self) -> Sums:
        return [[place.get() for place in row] for row in self.places]

    def set(self, sums: Sums) -> None:
        for places, row in zip(self.places, sums, strict=True):
            for place, total in zip(places, row, strict=True):
                place.set(total)


def emit_dots(
    b: Function,
    dtype: Any,
    lanes: int,
    rows: int,
    inner: Sequence[InnerAxis],
    run: InnerAxis,
    left: Value,
    row_stride: int,
    rights: Sequence[Value],
) -> list[list[Value]]:
    """Dot products of ``rows`` rows with as many columns as there are ``rights``, each a vector of sums to be added up.

    Vectors run along ``run``, whose elements lie side by side in both operands, for every index of ``inner``.
    """
    one = memory_kind(dtype)
    many = vector(one, lanes)
    results = _Results(b, many, rows, len(rights))

    def step(left: Value, rights: Sequence[Value], shift: Value, mask: Value | None) -> None:
        def load(place: Value) -> Value:
            return b.load(place, many) if mask is None else b.masked_load(place, many, mask)

        along = [load(b.at(place, shift, one)) for place in rights]
        left = b.at(left, shift, one)
        sums = []
        for r, row in enumerate(results.get()):
            x = load(b.at(left, r * row_stride, one))
            sums.append([_multiply_add(b, x, y, total, dtype) for y, total in zip(along, row, strict=True)])
        results.set(sums)

    def nest(axes: Sequence[InnerAxis], left: Value, rights: Sequence[Value]) -> None:
        if axes:
            (length, by_left, by_right), *rest = axes
            with b.loop(length) as k:
                shift = k * by_right
                nest(rest, b.at(left, k * by_left, one), [b.at(right, shift, one) for right in rights])
            return
        if isinstance(run.length, int):
            whole: Any = run.length - run.length % lanes
            if whole > lanes:
                with b.loop(whole, step=lanes) as k:
                    step(left, rights, k, None)
            elif whole:
                step(left, rights, b.const("i64", 0), None)
            if run.length % lanes:
                step(left, rights, b.const("i64", whole), b.first_lanes(run.length % lanes, lanes))
        else:
            whole = run.length - run.length % lanes
            with b.loop(whole, step=lanes) as k:
                step(left, rights, k, None)
            step(left, rights, whole, b.first_lanes(run.length - whole, lanes))

    nest(inner, left, rights)
    return results.get()


def totals(b: Function, rows: Sequence[Value], dtype: Any) -> Value:
    """The sum of the lanes of each of as many vectors as they have lanes, in one vector.

    Adding the even lanes of two vectors to their odd ones leaves half of each in one vector.
    """
    width = len(rows)
    while len(rows) > 1:
        pairs = zip(rows[0::2], rows[1::2], strict=True)
        halves = [(b.shuffle(x, y, range(0, 2 * width, 2)), b.shuffle(x, y, range(1, 2 * width, 2))) for x, y in pairs]
        rows = [x | y if dtype.kind == "b" else x + y for x, y in halves]
    return rows[0]
