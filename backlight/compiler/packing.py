"""Operands of a matrix product copied into the order in which its register tiles read them.

A *padded copy* takes the place of an operand whose access has bounds: the elements that do not exist become zeros in
memory, and reading needs no test any more. A *packed* operand has a row of neighbouring columns for every inner index:
``target[k · pitch + j] = source[k, j]``. How rows are made depends on what lies side by side in memory: stretches of
columns are copied, stretches of inner indices are transposed in registers, anything else is gathered. A left operand
whose rows lie side by side can be packed *tile by tile*, so that every tile is one stretch of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from backlight.compiler.ir import Function, Module, Value, bits, vector
from backlight.compiler.kernels import Access, Bound, Shape
from backlight.compiler.processor import LINE
from backlight.compiler.strips import load_strip, split_index, strips
from backlight.compiler.tile import Parts
from backlight.compiler.transpose import transpose_block

__all__ = [
    "Padding",
    "Walk",
    "emit_offsets",
    "emit_pack",
    "emit_pack_tiles",
    "emit_padded",
    "emit_scalar_pack",
    "emit_zeros",
    "padding",
    "walk",
]


AHEAD = 8  # rows that are asked for before they are packed …
FAR = 4096  # … where that many are this many bytes away, which the processor does not do by itself


class Walk(NamedTuple):
    """An axis to walk along, and how far a step is in the source and in the target; the length may be a Value."""

    length: Any
    source: int
    target: int


def walk(
    b: Function, axes: Sequence[Walk], kind: str, source: Value, target: Value, work: Callable[[Value, Value], None],
    unroll: bool = True,
) -> None:  # fmt: skip
    """``work(place in the source, place in the target)`` for every index of ``axes``."""
    if not axes:
        work(source, target)
        return
    (length, by_source, by_target), *rest = axes
    if unroll and not rest and isinstance(length, int) and length <= 3:
        for k in range(length):
            work(b.at(source, k * by_source, kind), b.at(target, k * by_target, kind))
        return
    with b.loop(length) as i:
        walk(b, rest, kind, b.at(source, i * by_source, kind), b.at(target, i * by_target, kind), work, unroll)


# -- Padded copies -------------------------------------------------------------------------------------------------


class Padding(NamedTuple):
    """A box in memory in which every element that an access names exists.

    Along each axis of the box stands a coordinate from ``low`` on, of which 0 … size - 1 exist in the source, ``step``
    elements apart from ``offset`` on; ``access`` is the access in terms of the box.
    """

    lengths: Shape
    low: Shape
    sizes: Shape
    steps: Shape
    offset: int
    access: Access
    cut: int | None  #: the axis of the box that is the cut axis of the product, of which only a part is copied

    @property
    def size(self) -> int:
        return prod(self.lengths)


def padding(access: Access, lengths: Shape, held: int, cut: int | None, chunk: int) -> Padding | None:
    """The padded copy for ``access`` over axes of ``lengths``, the first ``held`` of which stand still.

    Only ``chunk`` of axis ``cut`` is copied if no bound runs along it. ``None`` if the bounds cannot be told apart by
    the access's strides: then every element has to be tested.

    A bound's value t = offset + Σ strides·i is the coordinate of an axis of the source. The address must be a sum of
    steps along those coordinates and along axes without bounds.
    """
    bounds = [bound for bound in access.bounds if any(bound.strides)]
    if any(any(bound.strides[:held]) for bound in bounds) or any(
        not 0 <= bound.offset < bound.size for bound in access.bounds if not any(bound.strides)
    ):
        return None
    steps = []
    for bound in bounds:
        alone = [
            a for a, s in enumerate(bound.strides) if s and not any(o.strides[a] for o in bounds if o is not bound)
        ]
        if not alone or access.strides[alone[0]] % bound.strides[alone[0]]:
            return None
        steps.append(access.strides[alone[0]] // bound.strides[alone[0]])
    free: list[int] = []
    for a in range(held, len(lengths)):
        explained = sum(step * bound.strides[a] for step, bound in zip(steps, bounds, strict=True))
        if not any(bound.strides[a] for bound in bounds):
            free.append(a)
        elif explained != access.strides[a]:
            return None
    box: list[Any] = []  # step, length, low, size, the strides of the coordinate, and the axis if it is one
    for step, bound in zip(steps, bounds, strict=True):
        reach = [(n - 1) * s for n, s in zip(lengths, bound.strides, strict=True)]
        low = bound.offset + sum(min(0, r) for r in reach)
        high = bound.offset + sum(max(0, r) for r in reach)
        box.append((step, high - low + 1, low, bound.size, bound.strides, None))
    for a in free:
        n = chunk if a == cut else lengths[a]
        if access.strides[a] and (n > 1 or a == cut):
            alone_a = tuple(int(k == a) for k in range(len(lengths)))
            box.append((access.strides[a], n, 0, n, alone_a, a))
    box.sort(key=lambda axis: -abs(axis[0]))
    sizes = [axis[1] for axis in box]
    inside = [prod(sizes[k + 1 :]) for k in range(len(box))]
    strides = tuple(sum(w * axis[4][a] for w, axis in zip(inside, box, strict=True)) for a in range(len(lengths)))
    start = -sum(w * axis[2] for w, axis in zip(inside, box, strict=True))
    start += sum(w * bound.offset for w, bound in _weights(inside, box, bounds))
    offset = access.offset - sum(step * bound.offset for step, bound in zip(steps, bounds, strict=True))
    whole = Access(access.buffer, start, tuple(0 if a < held else s for a, s in enumerate(strides)))
    where = [k for k, axis in enumerate(box) if axis[5] == cut and cut is not None]
    return Padding(
        tuple(sizes), tuple(axis[2] for axis in box), tuple(axis[3] for axis in box), tuple(axis[0] for axis in box),
        offset, whole, where[0] if where else None,
    )  # fmt: skip


def _weights(inside: list[int], box: list[Any], bounds: list[Bound]) -> list[tuple[int, Bound]]:
    by_strides = {axis[4]: w for w, axis in zip(inside, box, strict=True) if axis[5] is None}
    return [(by_strides[bound.strides], bound) for bound in bounds]


def emit_zeros(b: Function, place: Value, kind: str, width: int, count: int) -> None:
    """Make ``count`` elements zero, and up to a vector more."""
    zero = b.const(vector(kind, width), 0)
    with b.loop(count, step=width) as i:
        b.store(zero, b.at(place, i, kind))


def emit_padded(b: Function, made: Padding, kind: str, width: int, source: Value, target: Value, part: Any) -> None:
    """Copy what exists into the box at ``target``, zero elsewhere; ``part`` is the length of the cut axis.

    A vector that is longer than its row writes zeros behind it: over zeros, or over what is copied later. Up to a
    vector behind the box is overwritten.
    """
    axes = []
    for k, (n, low, size, step) in enumerate(zip(made.lengths, made.low, made.sizes, made.steps, strict=True)):
        first, last = max(low, 0), min(low + n, size)
        if last <= first:
            return
        weight = prod(made.lengths[k + 1 :])
        source = b.at(source, first * step, kind)
        target = b.at(target, (first - low) * weight, kind)
        axes.append(Walk(part if k == made.cut else last - first, step, weight))
    *outer, along = axes or [Walk(1, 1, 1)]

    def copy(source: Value, target: Value) -> None:
        def strip(place: Value, mask: Value | None) -> None:
            x = load_strip(b, b.at(source, place * along.source, kind), kind, width, along.source, mask)
            b.store(x, b.at(target, place, kind))

        strips(b, along.length, width, strip)

    walk(b, outer, kind, source, target, copy)


# -- Packed rows ---------------------------------------------------------------------------------------------------


class Columns(NamedTuple):
    """The columns ``first`` … first + count - 1 of axes ``lengths``, as they stand in memory; count may be an int."""

    lengths: Shape
    strides: Shape
    first: Value
    count: Any


def emit_offsets(b: Function, lengths: Shape, strides: Shape, table: Value, extra: int) -> None:
    """Write where each of the columns stands into ``table``; the last one ``extra`` times more."""
    weights = [prod(lengths[k + 1 :]) for k in range(len(lengths))]

    def nest(axis: int, place: Value, offset: Value) -> None:
        if axis == len(lengths):
            b.store(offset, place)
            return
        with b.loop(lengths[axis]) as i:
            nest(axis + 1, b.at(place, i * weights[axis], "i64"), offset + i * strides[axis])

    nest(0, table, b.const("i64", 0))
    last = b.const("i64", sum((n - 1) * stride for n, stride in zip(lengths, strides, strict=True)))
    with b.loop(extra) as i:
        b.store(last, b.at(table, i + prod(lengths), "i64"))


def emit_pack(
    b: Function, kind: str, width: int, columns: Columns, inner: Sequence[Walk], source: Value, target: Value,
    table: Value | None,
) -> None:  # fmt: skip
    """Pack ``columns`` (of which the first goes to ``target``) for all of ``inner``; offsets of columns in ``table``.

    Up to ``width`` columns and one stretch of columns on either side of the target are overwritten with anything.
    """
    if columns.strides[-1] == 1:
        _pack_stretches(b, kind, width, columns, inner, source, target)
        return
    if any(axis.source == 1 for axis in inner):
        _pack_transposed(b, kind, width, columns, inner, source, target, table)
    else:
        assert table is not None
        _pack_gathered(b, kind, width, columns, inner, source, target, table)


def _pack_stretches(
    b: Function, kind: str, width: int, columns: Columns, inner: Sequence[Walk], source: Value, target: Value
) -> None:
    """Stretches of columns that lie side by side in the source.

    A vector that is longer than its stretch writes over the beginning of the next one, which is copied later.
    """
    *outer, length = columns.lengths

    ahead = inner[-1].source * AHEAD if inner else 0
    far = abs(ahead) * bits(kind) // 8 >= FAR

    def stretch(source: Value, target: Value, count: Any) -> None:
        if far:
            with b.loop(count, step=LINE * 8 // bits(kind)) as place:
                b.prefetch(b.at(source, place + ahead, kind))

        def strip(place: Value, mask: Value | None) -> None:
            x = load_strip(b, b.at(source, place, kind), kind, width, 1, mask)
            b.store(x, b.at(target, place, kind))

        strips(b, count, width, strip, together=2)

    def row(source: Value, target: Value) -> None:
        if not outer:
            stretch(b.at(source, columns.first, kind), target, columns.count)
            return
        with b.loop((columns.first + columns.count + (length - 1)) // length, columns.first // length) as number:
            place = source
            for i, stride in zip(split_index(number, tuple(outer)), columns.strides, strict=False):
                place = b.at(place, i * stride, kind)
            stretch(place, b.at(target, number * length - columns.first, kind), length)

    walk(b, inner, kind, source, target, row)


def _pack_transposed(
    b: Function, kind: str, width: int, columns: Columns, inner: Sequence[Walk], source: Value, target: Value,
    table: Value | None,
) -> None:  # fmt: skip
    """Stretches of inner indices: a block of as many columns as a vector has lanes is transposed in registers."""
    along = max((k for k, axis in enumerate(inner) if axis.source == 1), key=lambda k: _known(inner[k].length))
    others, axis = [each for k, each in enumerate(inner) if k != along], inner[along]

    def stretch(source: Value, target: Value) -> None:
        with b.loop(axis.length, step=width) as i, b.loop(columns.count, step=width) as j:
            column = columns.first + j
            k, count = i, b.const("i64", width)
            if not isinstance(axis.length, int) or axis.length < width:
                rest = b.const("i64", axis.length) - i if isinstance(axis.length, int) else axis.length - i
                count = _held(rest, width)
            elif axis.length % width:  # the last block overlaps the one before
                k = _held(i, axis.length - width)
            place, offsets = b.at(source, k, kind), table
            if offsets is None:  # whole vectors, evenly spaced
                place = b.at(place, column * columns.strides[0], kind)
                offsets = even_offsets(b, width, columns.strides[0])
            else:
                offsets = b.at(offsets, column, "i64")
            to = b.at(b.at(target, k * axis.target, kind), column - columns.first, kind)
            emit_transposed(b, kind, width, place, offsets, to, axis.target, count)

    walk(b, others, kind, source, target, stretch, unroll=False)


def even_offsets(b: Function, count: int, step: int) -> Value:
    """The address of a table of the multiples of ``step``."""
    name = f"@offsets.{count}.{'down' if step < 0 else 'up'}.{abs(step)}"
    numbers = ", ".join(f"i64 {k * step}" for k in range(count))
    b.module.constants[name] = f"{name} = private unnamed_addr constant [{count} x i64] [{numbers}]"
    return Value(b, "ptr", name)


def emit_transposed(
    b: Function, kind: str, width: int, source: Value, offsets: Value, target: Value, pitch: int, count: Value
) -> None:
    """``target[k · pitch + t] = source[offsets[t] + k]`` for every t below ``width`` and k below ``count``.

    A function of its own in the module: its many shuffles are dear to compile.
    """
    name = f"k.transposed.{width}.{kind}"
    if b.module.first_use(name):
        _write_transposed(b.module, name, kind, width)
    b.call(name, "void", source, offsets, target, b.const("i64", pitch), count)


def _write_transposed(module: Module, name: str, kind: str, width: int) -> None:
    parameters = [("source", "ptr"), ("offsets", "ptr"), ("target", "ptr"), ("pitch", "i64"), ("count", "i64")]
    b = module.function(name, parameters)
    mask = b.first_lanes(b["count"], width)
    rows = []
    for t in range(width):
        place = b.at(b["source"], b.load(b.at(b["offsets"], t, "i64"), "i64"), kind)
        rows.append(b.masked_load(place, vector(kind, width), mask))
    columns = transpose_block(b, rows)
    place = b["target"]
    with b.when(b["count"].eq(width)):
        for column in columns:
            b.store(column, place)
            place = b.at(place, b["pitch"], kind)
    with b.when(b["count"].lt(width)):  # what does not exist is written where the last one comes afterwards
        last = b["count"] - 1
        for k in reversed(range(width)):
            b.store(columns[k], b.at(b["target"], _held(b.const("i64", k), last) * b["pitch"], kind))
    b.end()


def _pack_gathered(
    b: Function, kind: str, width: int, columns: Columns, inner: Sequence[Walk], source: Value, target: Value,
    table: Value,
) -> None:  # fmt: skip
    """Elements from anywhere."""
    with b.loop(columns.count, step=width) as j:
        column = columns.first + j
        offsets = b.load(b.at(table, column, "i64"), f"<{width} x i64>")
        places = b.write(f"<{width} x ptr>", f"getelementptr {kind}, ptr {source.text}, {offsets.kind} {offsets.text}")
        every = b.const(f"<{width} x i1>", 1)

        def nest(axes: Sequence[Walk], places: Value, to: Value) -> None:
            if not axes:
                b.store(b.gather(places, vector(kind, width), every), to)
                return
            with b.loop(axes[0].length) as i:
                shift = b.splat(i * axes[0].source, width)
                moved = b.write(
                    places.kind, f"getelementptr {kind}, {places.kind} {places.text}, {shift.kind} {shift.text}"
                )
                nest(axes[1:], moved, b.at(to, i * axes[0].target, kind))

        nest(inner, places, b.at(target, j, kind))


def emit_pack_tiles(
    b: Function, kind: str, width: int, tiles: Parts, pitch: int, apart: int, first: Any, last: Any,
    inner: Sequence[Walk], source: Value, target: Value,
) -> None:  # fmt: skip
    """The ``tiles`` from ``first`` to last - 1 of rows that lie side by side in the source, for all of ``inner``:

    ``target[(n - first) · apart + k · pitch + r] = source[k, start of n + r]``

    A vector that is longer than a row of its tile writes over the beginning of the next one, which is copied later.
    """
    starts = range(0, tiles.size, width)
    total = sum(size * many for size, many in tiles.sizes)
    reach = starts[-1] + width
    # Tiles of which vectors do not reach behind the end.
    whole = sum(n * tiles.size + reach <= total for n in range(tiles.many))
    whole += sum(total - (tiles.others - n) * tiles.rest + reach <= total for n in range(tiles.others))

    ahead = inner[-1].source * AHEAD if inner else 0
    item = bits(kind) // 8

    def row(source: Value, target: Value) -> None:
        if ahead:
            with b.loop(tiles.start(b.number(last)), tiles.start(b.number(first)), step=LINE // item) as place:
                b.prefetch(b.at(source, place + ahead, kind))
        for masked, (start, stop) in enumerate(((first, _most(last, whole)), (_least(first, whole), last))):
            with b.loop(stop, start) as n:
                row = tiles.start(n)
                for s in starts:
                    place = b.at(source, row + s, kind)
                    if masked:
                        x = b.masked_load(place, vector(kind, width), b.first_lanes(total - s - row, width))
                    else:
                        x = b.load(place, vector(kind, width))
                    b.store(x, b.at(target, (n - first) * apart + s, kind))

    walk(b, inner, kind, source, target, row, unroll=False)


def emit_scalar_pack(
    b: Function, kind: str, access: Access, index: Sequence[Value], lengths: Shape, first: Any, count: Any,
    inner: Shape, start: Value, inner_count: Any, source: Value, target: Value, step: int, inner_steps: Shape,
    inner_first: bool,
) -> None:  # fmt: skip
    """Any access with bounds, element by element: the fallback.

    Copies the flat indices ``first`` … of axes ``lengths``, ``step`` apart in the target, for the inner indices
    from ``start`` on along the first inner axis. ``inner_first`` tells in which order the access has its axes.
    """
    with b.loop(count) as n:
        own = split_index(first + n, lengths)

        def element(inner_index: list[Value], to: Value) -> None:
            whole = [*index, *inner_index, *own] if inner_first else [*index, *own, *inner_index]
            inside = b.const("i1", 1)
            for bound in access.bounds:
                inside = inside & _dot(b, bound.offset, whole, bound.strides).below(bound.size)
            b.store(b.const(kind, 0), to)
            with b.when(inside):
                b.store(b.load(b.at(source, _dot(b, access.offset, whole, access.strides), kind), kind), to)

        def nest(axis: int, so_far: list[Value], to: Value) -> None:
            if axis == len(inner):
                element(so_far, to)
                return
            with b.loop(inner_count if axis == 0 else inner[axis]) as i:
                at = start + i if axis == 0 else i
                nest(axis + 1, [*so_far, at], b.at(to, i * inner_steps[axis], kind))

        nest(0, [], b.at(target, n * step, kind))


def _known(length: Any) -> int:
    return length if isinstance(length, int) else 1 << 30


def _most(place: Any, most: int) -> Any:
    return min(place, most) if isinstance(place, int) else _held(place, most)


def _least(place: Any, least: int) -> Any:
    return max(place, least) if isinstance(place, int) else place.gt(least).select(place, least)


def _held(place: Value, most: Any) -> Value:
    return place.lt(most).select(place, most)


def _dot(b: Function, offset: int, index: Sequence[Value], strides: Shape) -> Value:
    total = b.const("i64", offset)
    for i, stride in zip(index, strides, strict=True):
        if stride:
            total = total + i * stride
    return total
