"""The loops of one piece of a matrix product, from the batch down to the register tile, and the way of its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from math import prod
from typing import Any

from backlight.compiler import packing
from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Value, lanes, vector
from backlight.compiler.kernels import Access, Shape, merged
from backlight.compiler.packing import Columns, Padding, Walk
from backlight.compiler.processor import processor
from backlight.compiler.schedule import Layout, Schedule
from backlight.compiler.strips import share, split_index
from backlight.compiler.tile import InnerAxis, Parts, Tile, call_tile, emit_dots, emit_tile, store_tile, totals

__all__ = ["DotsPiece", "Finish", "Piece", "TurnedPiece", "digits"]

DEEP = 48  # inner indices for which a tile is worth a call

# finish(results, batch, row, column, lanes, mask): flat indices, of the first lane; lanes run along the columns.
Finish = Callable[[Value, Value, Value, Value, int, Value | None], None]


class Piece:
    """A piece whose vectors run along the columns: blocks of panels, panels and blocks of rows, tiles.

    The results of a tile go through the work area, so that the code that consumes a vector of results is written once
    whatever the shapes of the tiles are.
    """

    def __init__(
        self, b: Function, plan: Schedule, layout: Layout, left: Value, right: Value, scratch: Value, finish: Finish
    ) -> None:
        self.b, self.plan, self.layout, self.finish = b, plan, layout, finish
        self.problem = layout.problem
        self.kind = memory_kind(self.problem.dtype)
        self.many = vector(self.kind, plan.lanes)
        self.left, self.right = left, right
        self.places = {name: b.at(scratch, place, "i8") for name, place in layout.places.items()}
        self.vectors = 1 if plan.dots else plan.tile.vectors
        self.row_weights = [prod(self.problem.rows[k + 1 :]) for k in range(len(self.problem.rows))]
        if layout.left_gathered or not self.row_weights:
            self.row_weights = [1]
        self.row_weight = self.row_weights[layout.along]  # flat rows from one row of a tile to the next
        self.flat: Finish | None = getattr(finish, "flat", None) if layout.flat else None

    def write(self, piece: Value) -> None:
        """The code of piece number ``piece``."""
        b, plan, layout, problem = self.b, self.plan, self.layout, self.problem
        batch, rows, columns, split = digits(b, piece, (*plan.cuts, plan.splits))
        self._choose_inner(split)
        for name, pad in (("left_pad", layout.left_pad), ("right_pad", layout.right_pad)):
            if pad is not None:
                packing.emit_zeros(b, self.places[name], self.kind, plan.lanes, pad.size)
        if layout.table:
            strides = layout.right.strides[len(problem.batch) + len(problem.inner) :]
            packing.emit_offsets(b, problem.columns, strides, self.places["table"], plan.lanes * self.vectors)
        self.row_part = _part(b, rows, plan.cuts[1], layout.row_blocks)
        column_part = _part(b, columns, plan.cuts[2], layout.column_blocks)
        batch_part = _part(b, batch, plan.cuts[0], problem.sizes[0])
        if plan.packed and layout.right_alone and problem.batch:  # packed once for the whole batch
            self.index = digits(b, b.const("i64", 0), problem.batch)
            right = self._operand(self.right, problem.right, layout.right_pad, "right_pad", 0)
            with _range(b, *column_part) as block:
                packed = self._packed(right, block)
                with _range(b, *batch_part) as number:
                    self._take_batch(number)
                    self._panels(right, packed, block)
            return
        with _range(b, *batch_part) as number:
            self._take_batch(number)
            right = self._operand(self.right, problem.right, layout.right_pad, "right_pad", 0)
            with _range(b, *column_part) as block:
                self._panels(right, self._packed(right, block) if plan.packed else None, block)

    def _take_batch(self, number: Value) -> None:
        b, problem = self.b, self.problem
        self.batch, self.index = number, digits(b, number, problem.batch)
        self._take_left(self._operand(self.left, problem.left, self.layout.left_pad, "left_pad", len(problem.rows)))

    # -- Operands

    def _choose_inner(self, split: Value) -> None:
        """The part of the first inner axis that this piece sums over: from ``start`` on, ``part`` long."""
        b, plan, layout, inner = self.b, self.plan, self.layout, self.problem.inner
        self.start = split * layout.chunk if plan.splits > 1 else b.const("i64", 0)
        self.part: Any = inner[0] if inner else 1
        if plan.splits > 1:
            self.part = layout.chunk
            if inner[0] != layout.chunk * plan.splits:
                self.part = _least(inner[0] - self.start, layout.chunk)
        self.inner_weights = tuple(prod(inner[k + 1 :]) for k in range(len(inner)))

    def _operand(self, place: Value, access: Access, pad: Padding | None, name: str, before: int) -> Value:
        """The operand's element for this batch index and the piece's first inner index, otherwise zeros."""
        b, kind, held = self.b, self.kind, len(self.problem.batch)
        if pad is None and access.bounds:  # it is packed element by element, from its own address
            return place
        place = b.at(place, pad.offset if pad else access.offset, kind)
        for i, stride in zip(self.index, access.strides, strict=False):
            place = b.at(place, i * stride, kind) if stride else place
        shift = self.plan.splits > 1
        if pad is not None:
            if pad.cut is not None and shift:
                place, shift = b.at(place, self.start * access.strides[held + before], kind), False
            packing.emit_padded(b, pad, kind, self.plan.lanes, place, self.places[name], self.part)
            place, access = b.at(self.places[name], pad.access.offset, kind), pad.access
        return b.at(place, self.start * access.strides[held + before], kind) if shift else place

    def _take_left(self, left: Value) -> None:
        """Where the left operand's rows stand; it is packed if it has to be read element by element."""
        b, layout, problem = self.b, self.layout, self.problem
        held, ni = len(problem.batch), len(problem.rows)
        self.left_place, self.left_inner = left, layout.left.strides[held + ni :]
        self.row_strides = layout.left.strides[held : held + ni] or (0,)
        if layout.left_gathered:
            self.left_place, self.left_inner = self.places["left"], self.inner_weights
            self.row_strides = (layout.depth,)
            packing.emit_scalar_pack(
                b, self.kind, layout.left, self.index, problem.rows, b.const("i64", 0), problem.sizes[1],
                problem.inner, self.start, self.part, left, self.left_place, layout.depth, self.inner_weights, False,
            )  # fmt: skip
        if self.plan.tiled:
            self._pack_left(left)

    def _pack_left(self, left: Value) -> None:
        """Pack the tiles of this piece, a row of each for every inner index."""
        b, plan, layout = self.b, self.plan, self.layout
        rows, units = plan.tile.rows, layout.row_units
        first, last = (part * layout.block if layout.block > 1 else part for part in self.row_part)
        weights = tuple(weight * rows for weight in self.inner_weights)
        inner = [Walk(*axis) for axis in self._merged(self.left_inner, weights)]
        if layout.block > 1:
            last = min(last, units) if isinstance(last, int) else _least(last, units)
        packing.emit_pack_tiles(
            b, self.kind, plan.lanes, layout.row_parts, rows, layout.left_tile, first, last, inner, left,
            self.places["left"],
        )  # fmt: skip
        self.left_place = b.at(self.places["left"], first * -layout.left_tile, self.kind)
        self.left_inner = weights

    def _pack_right(self, right: Value, first: Value, last: Value) -> Value:
        """Pack the panels first … last - 1; the place of their first column."""
        b, plan, layout, problem = self.b, self.plan, self.layout, self.problem
        target = b.at(self.places["right"], layout.margin, self.kind)
        held, nk = len(problem.batch), len(problem.inner)
        parts, total = layout.panel_parts, problem.sizes[2]
        start = parts.start(first) * plan.lanes
        count: Any = total
        if layout.column_blocks > 1:
            count = _least(parts.start(last) * plan.lanes, count) - start
        weights = tuple(weight * layout.pitch for weight in self.inner_weights)
        if layout.right.bounds:
            packing.emit_scalar_pack(
                b, self.kind, layout.right, self.index, problem.columns, start, count, problem.inner, self.start,
                self.part, right, target, 1, weights, True,
            )  # fmt: skip
            return target
        strides = layout.right.strides
        inner = [Walk(*axis) for axis in self._merged(strides[held : held + nk], weights)]
        columns = Columns(problem.columns or (1,), strides[held + nk :] or (1,), start, count)

        def pack(columns: Columns, target: Value) -> None:
            packing.emit_pack(b, self.kind, plan.lanes, columns, inner, right, target, self.places.get("table"))

        if not layout.panel:
            pack(columns, target)
            return target
        with nullcontext(first) if plan.panels == 1 else b.loop(last, first) as panel:
            to = b.at(target, (panel - first) * layout.panel, self.kind) if plan.panels > 1 else target
            begin = parts.start(panel) * plan.lanes
            # The first panels are full, and then their length is a constant.
            full = parts.many - (total % plan.lanes > 0 and not parts.others)
            rest = _least(total - begin, parts.size * plan.lanes)
            counts = [parts.size * plan.lanes, rest]
            _either(b, panel.ge(full), counts, lambda n: pack(columns._replace(first=begin, count=n), to))
        return target

    def _merged(self, *maps: Shape) -> list[tuple[Any, ...]]:
        """The inner axes of this piece with strides in every map, neighbours merged."""
        inner = self.problem.inner
        if isinstance(self.part, int) or not inner:
            lengths, strides = merged((self.part, *inner[1:]) if inner else (), maps)
            return list(zip(lengths, *strides, strict=True))
        lengths, strides = merged(inner[1:], tuple(each[1:] for each in maps))
        return [(self.part, *(each[0] for each in maps)), *zip(lengths, *strides, strict=True)]

    # -- Panels, rows and tiles

    def _block(self, block: Value) -> tuple[Value, Value]:
        """First and last + 1 of the panels that are packed together."""
        first = block * self.plan.panels
        last = _least(first + self.plan.panels, self.layout.column_panels) if self.plan.panels > 1 else first + 1
        return first, last

    def _packed(self, right: Value, block: Value) -> Value:
        return self._pack_right(right, *self._block(block))

    def _panels(self, right: Value, packed: Value | None, block: Value) -> None:
        first, last = self._block(block)
        self.first_panel = first
        if self.plan.panels == 1 or self.layout.column_panels == 1:
            self._panel(right, packed, first)
            with _range(self.b, *self.row_part) as block:
                self._rows(block)
            if self.flat is not None and not self.plan.turned:
                start, stop = map(self._row_of, self.row_part)
                self._hand_over_flat(start, _least(stop, self.problem.sizes[1]) - start, self.problem.sizes[2])
            return
        # What the results are combined with is walked through in rows, and a tile's rows stay in the nearest cache.
        with _range(self.b, *self.row_part) as block, self.b.loop(last, first) as panel:
            self._panel(right, packed, panel)
            self._rows(block)

    def _panel(self, right: Value, packed: Value | None, panel: Value) -> None:
        """Where the vectors of a panel stand."""
        b, plan, layout = self.b, self.plan, self.layout
        self.widths, self.rest_panel = _kinds(layout.panel_parts, panel)
        self.first_unit = layout.panel_parts.start(panel)
        self.column_index = self._rows_of_columns()
        if packed is not None and plan.panels > 1:
            if layout.panel:
                apart = (panel - self.first_panel) * layout.panel
            else:
                apart = (self.first_unit - layout.panel_parts.start(self.first_panel)) * plan.lanes
            packed = b.at(packed, apart, self.kind)
        self.rights: list[Value] = []
        self.masks: list[Value | None] = []
        for v in range(self.widths[0]):
            place, mask = self._direct(right, v) if packed is None else (packed, None)
            if packed is not None:
                place = b.at(packed, v * plan.lanes, self.kind)
            self.rights.append(place)
            self.masks.append(mask)

    def _rows(self, block: Value) -> None:
        """A block of rows: here, one tile."""
        if self.flat is None:
            self._tile(block, self.places["tile"], self.vectors * self.plan.lanes)
            self._hand_over_tile()
            return
        columns = self.problem.sizes[2]
        row = self._row_of(block) - self._row_of(self.row_part[0])
        self._tile(block, self.b.at(self.places["flat"], row * columns, self.kind), columns)

    def _row_of(self, block: Any) -> Value:
        """The first row of a block, where blocks are tiles along the only axis of rows; behind the last one, anything
        beyond the rows."""
        return self.layout.row_parts.start(self.b.number(block))

    def _hand_over_flat(self, row: Value, count: Any, columns: int) -> None:
        """Give ``count`` rows of ``columns`` results, which stand one after the other, to ``finish``."""
        b, lanes = self.b, self.plan.lanes
        rows = self.problem.sizes[2] if self.plan.turned else self.problem.sizes[1]
        flat = self.flat
        assert flat is not None
        nothing, total = b.const("i64", 0), b.number(count) * columns
        place = (self.batch * rows + row) * columns

        def give(i: Value, mask: Value | None) -> None:
            result = b.load(b.at(self.places["flat"], i, self.kind), self.many)
            flat(result, nothing, nothing, place + i, lanes, mask)

        whole = total - total % lanes
        with b.loop(whole, step=lanes) as i:
            give(i, None)
        with b.when(whole.lt(total)):
            give(whole, b.first_lanes(total - whole, lanes))

    def _column(self, unit: Value) -> tuple[list[Value], Value, Value, Value | None]:
        """Of a vector of columns: its index along the outer axes, its place along the last one, its first flat column,
        and the lanes that exist."""
        b, plan, problem = self.b, self.plan, self.problem
        if plan.packed or plan.dots or len(problem.columns) <= 1:
            place = unit * plan.lanes
            total = problem.sizes[2]
            return [], place, place, b.first_lanes(total - place, plan.lanes) if total % plan.lanes else None
        *outer, length = problem.columns
        *index, number = digits(b, unit, (*outer, -(-length // plan.lanes)))
        place = number * plan.lanes
        column = place
        for k, i in enumerate(index):
            column = column + i * prod(problem.columns[k + 1 :])
        return index, place, column, b.first_lanes(length - place, plan.lanes) if length % plan.lanes else None

    def _rows_of_columns(self) -> list[Value]:
        """The index of the panel along the outer axes of the columns, where it is the same for all of its vectors."""
        plan, columns = self.plan, self.problem.columns
        if plan.packed or plan.dots or len(columns) <= 1 or -(-columns[-1] // plan.lanes) % self.widths[0]:
            return []
        return self._column(self.first_unit)[0] if len(self.widths) == 1 else []

    def _direct(self, right: Value, v: int) -> tuple[Value, Value | None]:
        """Where a vector of the panel stands in the operand itself, and the lanes that may be read."""
        b, problem = self.b, self.problem
        index, place, _, mask = self._column(self.first_unit + v)
        for i, stride in zip(index, self.layout.right.strides[len(problem.batch) + len(problem.inner) :], strict=False):
            right = b.at(right, i * stride, self.kind)
        if self.layout.right_pad or (len(problem.columns) <= 1 and v < self.widths[-1] - 1):
            mask = None  # behind a copy there is room; otherwise only the last vector can be short
        return b.at(right, place, self.kind), mask

    def _tile_start(self, unit: Value) -> tuple[Value, Value, Value]:
        """Where the left operand stands for a tile of rows, its first flat row, and its number along the tiled axis."""
        b, layout = self.b, self.layout
        axes = range(len(self.row_strides))
        others = [axis for axis in axes if axis != layout.along]
        *index, number = digits(b, unit, (*(self.problem.rows[axis] for axis in others), layout.row_parts.length))
        start = layout.row_parts.start(number)
        apart = number * layout.left_tile if self.plan.tiled else start * self.row_strides[layout.along]
        place = b.at(self.left_place, apart, self.kind)
        row = start * self.row_weight
        self.row_index = dict(zip(others, index, strict=True)) if len(axes) == len(self.problem.rows) else {}
        for axis, i in zip(others, index, strict=True):
            place = b.at(place, i * self.row_strides[axis], self.kind)
            row = row + i * self.row_weights[axis]
        return place, row, number

    def _tile(self, unit: Value, area: Value, pitch: int) -> None:
        """Compute a tile of rows, and put them into ``area``, ``pitch`` elements apart."""
        b, plan = self.b, self.plan
        place, self.first_row, number = self._tile_start(unit)
        heights, rest_tile = _kinds(self.layout.row_parts, number)
        self._fetch(_either_of(b, rest_tile, heights))
        inner, place, all_rights = self._inner(place)
        whole = len(self.problem.columns) <= 1
        step = self.row_strides[self.layout.along]

        def compute(height: int, width: int) -> None:
            rights, masks = all_rights[:width], self.masks[:width]
            if whole and width == self.widths[0] and self.rest_panel is not None:
                masks = [None] * width  # the columns end in a panel of the other size
            tile = Tile(height, width)
            crowded = height * width + width + 2 >= processor().registers and self.layout.depth >= DEEP
            if crowded and not any(masks):
                beside = self.plan.packed or whole
                ends = rights[:1] if beside else rights
                call_tile(b, self.problem.dtype, plan.lanes, tile, inner, place, step, ends, area, pitch)
                return
            results = emit_tile(b, self.problem.dtype, plan.lanes, tile, inner, place, step, rights, masks)
            store_tile(b, results, plan.lanes, area, pitch)

        _either(
            b, rest_tile, heights, lambda height: _either(b, self.rest_panel, self.widths, lambda w: compute(height, w))
        )
        self.height = _either_of(b, rest_tile, heights)

    def _inner(self, place: Value) -> tuple[list[InnerAxis], Value, list[Value]]:
        """The inner axes of the tile, and where both operands stand for the first index: at the border of an image,
        terms for which a whole row of a filter has left it are passed over."""
        maps = (self.left_inner, self._right_inner())
        rights = self.rights
        spans = list(self._spans())
        if not spans:
            return [InnerAxis(*axis) for axis in self._merged(*maps)], place, rights
        inner = [InnerAxis(*axis) for axis in zip((self.part, *self.problem.inner[1:]), *maps, strict=True)]
        for axis, first, last in spans:
            _, left, right = inner[axis]
            inner[axis] = InnerAxis(last - first, left, right)
            place = self.b.at(place, first * left, self.kind)
            rights = [self.b.at(each, first * right, self.kind) for each in rights]
        return inner, place, rights

    def _spans(self) -> Iterator[tuple[int, Value, Value]]:
        """Inner axes of which not all indices can exist for this tile, with the first and the last + 1 that do."""
        problem, layout = self.problem, self.layout
        nb, ni, nk = len(problem.batch), len(problem.rows), len(problem.inner)
        sides = []
        if layout.left_pad is not None:
            sides.append((problem.left, nb + ni, {nb + axis: i for axis, i in self.row_index.items()}))
        if layout.right_pad is not None and self.column_index:
            sides.append((problem.right, nb, {nb + nk + axis: i for axis, i in enumerate(self.column_index)}))
        done: set[int] = set()
        for access, start, fixed in sides:
            for bound in access.bounds:
                moving = [k for k, stride in enumerate(bound.strides) if stride]
                inner = [k for k in moving if start <= k < start + nk]
                outer = [k for k in moving if k in fixed]
                if len(moving) != 2 or len(inner) != 1 or len(outer) != 1 or abs(bound.strides[inner[0]]) != 1:
                    continue
                axis = inner[0] - start
                if axis in done or (axis == 0 and self.plan.splits > 1):
                    continue
                done.add(axis)
                at = fixed[outer[0]] * bound.strides[outer[0]] + bound.offset
                low, high = (at - bound.size + 1, at + 1) if bound.strides[inner[0]] < 0 else (-at, -at + bound.size)
                length = problem.inner[axis]
                first, last = _least(low.gt(0).select(low, 0), length), _least(high, length)
                yield axis, first, last.gt(first).select(last, first)

    def _fetch(self, height: Any) -> None:
        """Let what the results of this tile will meet come from memory while they are computed."""
        fetch = None if self.plan.turned else getattr(self.finish, "fetch", None)
        if fetch is None or not self.finish.fetched:  # type: ignore[attr-defined]
            return
        b = self.b
        _, _, column, _ = self._column(self.first_unit)
        with _range(b, 0, height) as r:
            row = self.first_row + r * self.row_weight
            fetch(self.batch, row, column, self.vectors * self.plan.lanes)

    def _right_inner(self) -> Shape:
        if self.plan.packed:
            return tuple(weight * self.layout.pitch for weight in self.inner_weights)
        held = len(self.problem.batch)
        return self.layout.right.strides[held : held + len(self.problem.inner)]

    # -- Results

    def _hand_over_tile(self) -> None:
        """Give what stands in the work area to ``finish``, a vector at a time."""
        b, plan = self.b, self.plan
        beside = plan.packed or len(self.problem.columns) <= 1
        whole = beside and self.problem.sizes[2] % plan.lanes == 0 and not any(n % 2 for n in self.widths)
        together = getattr(self.finish, "vectors", 1) if whole else 1
        width = _either_of(b, self.rest_panel, self.widths)
        many = vector(self.kind, together * plan.lanes)
        with b.loop(width, step=together) if together != width else nullcontext(b.const("i64", 0)) as v:
            line = b.at(self.places["tile"], v * plan.lanes, self.kind)
            _, _, column, mask = self._column(self.first_unit + v)
            with _range(b, 0, self.height) as r:
                result = b.load(b.at(line, r * (self.vectors * plan.lanes), self.kind), many)
                self._hand_over(result, self.first_row + r * self.row_weight, column, mask)

    def _hand_over(self, result: Value, row: Value, column: Value, mask: Value | None) -> None:
        if self.problem.dtype.kind == "b":
            result = result.ne(0)
        self.finish(result, self.batch, row, column, lanes(result.kind), mask)


class TurnedPiece(Piece):
    """A piece of the transposed product: vectors run along what are rows to the outside."""

    def _rows(self, block: Value) -> None:
        b, layout = self.b, self.layout
        pitch = self.vectors * self.plan.lanes
        first = block * layout.block
        block_row = first * self.plan.tile.rows if layout.row_blocks > 1 else b.const("i64", 0)
        with b.loop(_least(first + layout.block, layout.row_units), first) as unit:
            _, row, _ = self._tile_start(unit)
            area = b.at(self.places["tile"], (row - block_row) * pitch, self.kind)
            self._tile(unit, area, pitch * self.row_weight)
        count = self.problem.sizes[1]
        self._hand_over_block(block_row, _least(count - block_row, layout.block * self.plan.tile.rows)
            if layout.row_blocks > 1 else count)  # fmt: skip

    def _hand_over_block(self, first: Value, height: Any) -> None:
        """Transpose what stands in the work area a square block at a time, and give it to ``finish``."""
        b, lanes, pitch = self.b, self.plan.lanes, self.vectors * self.plan.lanes
        _, rows, columns, _ = self.problem.sizes
        flat = self.plan.packed or len(self.problem.columns) <= 1
        stretch = columns if flat else self.problem.columns[-1]
        with _range(b, 0, _either_of(b, self.rest_panel, self.widths)) as v:
            _, place, row, _ = self._column(self.first_unit + v)
            count: Any = _least(stretch - place, lanes) if stretch % lanes else lanes
            if self.flat is not None:
                self._collect(b.at(self.places["tile"], v * lanes, self.kind), pitch)
                self._hand_over_flat(row, count, rows)
                return
            with b.loop(height, step=lanes) as j:
                corner = b.at(b.at(self.places["tile"], j * pitch, self.kind), v * lanes, self.kind)
                square, turned = packing.even_offsets(b, lanes, pitch), self.places["turned"]
                packing.emit_transposed(b, self.kind, lanes, corner, square, turned, lanes, b.const("i64", lanes))
                mask = b.first_lanes(height - j, lanes) if rows % lanes else None
                with b.loop(count) as i:
                    result = b.load(b.at(self.places["turned"], i * lanes, self.kind), self.many)
                    self._hand_over(result, row + i, first + j, mask)

    def _collect(self, area: Value, pitch: int) -> None:
        """Transpose a vector's worth of results, which become rows without a gap.

        What is longer than its row writes over the beginning of the next one, which comes later: from the last block
        to the first.
        """
        b, lanes, rows = self.b, self.plan.lanes, self.problem.sizes[1]
        square, blocks = packing.even_offsets(b, lanes, pitch), -(-rows // lanes)
        with b.loop(blocks) as k:
            j = (b.const("i64", blocks - 1) - k) * lanes
            corner, to = b.at(area, j * pitch, self.kind), b.at(self.places["flat"], j, self.kind)
            packing.emit_transposed(b, self.kind, lanes, corner, square, to, rows, b.const("i64", lanes))


class DotsPiece(Piece):
    """A piece whose vectors run along the inner indices of both operands."""

    def _panel(self, right: Value, packed: Value | None, panel: Value) -> None:
        """A vector's worth of columns."""
        self.first_unit = panel
        self.right_place = right

    def _rows(self, block: Value) -> None:
        b, plan, lanes = self.b, self.plan, self.plan.lanes
        columns = self.problem.sizes[2]
        room = lanes + plan.tile.vectors  # vectors for a row of results, and some before them
        area = b.at(self.places["tile"], plan.tile.vectors * lanes, self.kind)
        place, first_row, number = self._tile_start(block)
        heights, rest_tile = _kinds(self.layout.row_parts, number)
        start = self.first_unit * lanes
        count = _least(columns - start, lanes) if columns % lanes else b.const("i64", lanes)
        inner = [InnerAxis(*axis) for axis in self._dots_inner()]
        run = InnerAxis(*self._run())
        step = self.row_strides[self.layout.along]
        with b.loop(count, step=plan.tile.vectors) as shift:
            column = start + shift
            if columns % plan.tile.vectors:  # the last tile overlaps the one before
                column = _least(column, columns - plan.tile.vectors)
            rights = self._starts(column)

            def compute(height: int) -> None:
                results = emit_dots(b, self.problem.dtype, lanes, height, inner, run, place, step, rights)
                to = b.at(area, (column - start) * lanes, self.kind)
                for r, row in enumerate(results):
                    for c, result in enumerate(row):
                        b.store(result, b.at(to, (r * room + c) * lanes, self.kind))

            _either(b, rest_tile, heights, compute)
        mask = b.first_lanes(columns - start, lanes) if columns % lanes else None
        with _range(b, 0, _either_of(b, rest_tile, heights)) as r:
            line = b.at(area, r * (room * lanes), self.kind)
            sums = [b.load(b.at(line, c * lanes, self.kind), self.many) for c in range(lanes)]
            self._hand_over(totals(b, sums, self.problem.dtype), first_row + r * self.row_weight, start, mask)

    def _starts(self, column: Value) -> list[Value]:
        """Where the right operand's neighbouring columns stand."""
        b, problem = self.b, self.problem
        count = self.plan.tile.vectors
        if self.layout.table:
            table = b.at(self.places["table"], column, "i64")
            return [b.at(self.right_place, b.load(b.at(table, c, "i64"), "i64"), self.kind) for c in range(count)]
        step = self.layout.right.strides[-1] if problem.columns else 0
        first = b.at(self.right_place, column * step, self.kind)
        return [b.at(first, c * step, self.kind) for c in range(count)]

    def _run(self) -> tuple[Any, int, int]:
        """The inner axis along which vectors run."""
        run = self.layout.run
        return self.part if run == 0 else self.problem.inner[run], 1, 1

    def _dots_inner(self) -> list[tuple[Any, int, int]]:
        """The other inner axes."""
        lengths = [self.part, *self.problem.inner[1:]]
        axes = zip(lengths, self.left_inner, self._right_inner(), strict=True)
        return [axis for k, axis in enumerate(axes) if k != self.layout.run]


# -- Small things --------------------------------------------------------------------------------------------------


def digits(b: Function, index: Value, lengths: Sequence[int]) -> list[Value]:
    """The entries of a flat index; axes of length 1 cost nothing."""
    kept = tuple(n for n in lengths if n != 1)
    found = iter(split_index(index, kept) if kept else [])
    return [next(found) if n != 1 else b.const("i64", 0) for n in lengths]


def _part(b: Function, number: Value, cuts: int, count: int) -> tuple[Any, Any]:
    """First and last + 1 of a part: Python ints where there is only one."""
    return (0, count) if cuts == 1 else share(number, cuts, count)


@contextmanager
def _range(b: Function, first: Any, last: Any) -> Iterator[Value]:
    """A loop, or no loop where it would run once."""
    if isinstance(first, int) and isinstance(last, int) and last - first == 1:
        yield b.const("i64", first)
    else:
        with b.loop(last, first) as i:
            yield i


def _least(x: Value, most: int) -> Value:
    return x.lt(most).select(x, most)


def _kinds(parts: Parts, number: Value) -> tuple[list[int], Value | None]:
    """The sizes that parts have, and whether part ``number`` is of the second one."""
    sizes = [size for size, _ in parts.sizes]
    return sizes or [parts.size], number.ge(parts.many) if len(sizes) > 1 else None


def _either(b: Function, second: Value | None, cases: Sequence[Any], write: Callable[[Any], None]) -> None:
    """``write`` the first case, and where the i1 ``second`` is true the second one."""
    if second is None:
        write(cases[0])
        return
    name = b.new_label("either")
    b.line(f"br i1 {second.text}, label %{name}.second, label %{name}.first")
    for word, case in zip(("first", "second"), cases, strict=True):
        b.label(f"{name}.{word}")
        write(case)
        b.line(f"br label %{name}.exit")
    b.label(f"{name}.exit")


def _either_of(b: Function, second: Value | None, cases: Sequence[int]) -> Any:
    return cases[0] if second is None else second.select(b.const("i64", cases[1]), cases[0])
