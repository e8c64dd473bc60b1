"""From a group to the text of its kernel: rows of vectors, folds along the rows, and the edges of products.

A kernel walks over an index space (rows, columns); vectors run along the columns. What a row's fold gives is a scalar
of that row; a row with folds is walked once per *stage*, and what a later stage needs again stays in registers when
the row is short, and otherwise is read again, computed again where that is cheap, or kept in a work area.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

from backlight.compiler.cut import price
from backlight.compiler.expression import combine, evaluate, identity, load_as, memory_kind, register_kind, store_as
from backlight.compiler.ir import Function, Value, lanes, scalar, vector
from backlight.compiler.kernels import merged
from backlight.compiler.plan import Group, Member, Tensor
from backlight.compiler.processor import LINE
from backlight.compiler.scatter import BAD_INDEX
from backlight.compiler.strips import pieces_for, share, short
from backlight.compiler.views import View, contiguous, over, refined, tidy
from backlight.locks import computed

__all__ = ["Body", "Edge", "RowKernel", "Space"]

UNROLLED = 8  # vectors in a row that stay in registers
GRAIN = 4096  # elements that are worth a piece of their own …
PLAIN = 8.0  # … where a mapping of this price is computed for each of them
FETCHED = 16 << 10  # bytes that a product's members read and that are asked for before they are needed
DEAR = 20.0  # price of members whose instructions wait for each other: two vectors at a time keep the units busy
CHEAP = 3  # operations that are rather done again than their result kept


@dataclass(slots=True)
class Body:
    """What every kernel has while it is written: the function, the pointers to the tensors' memory, a work area."""

    b: Function
    pointers: dict[Tensor, Value]
    width: int
    scratch: Value
    used: int = 0  # bytes of the work area

    def pointer(self, tensor: Tensor) -> Value:
        """Where the memory of ``tensor`` begins."""
        return self.pointers[tensor.memory()]

    def room(self, count: int) -> Value:
        """The next ``count`` bytes of the work area."""
        place = self.b.at(self.scratch, self.used, "i8")
        self.used += -(-count // 64) * 64
        return place


class Space:
    """The axes of a kernel's rows, its columns, and where each view stands in terms of them."""

    def __init__(self, rows: int, columns: int | None, views: Sequence[View]) -> None:
        size = rows * (columns or 1)
        lengths = refined(((rows, 1), (columns or 1, 1)), *(view.digits for view in views))
        assert lengths is not None
        strides = [over(view.digits, lengths) for view in views]
        split = len(lengths)
        if columns is None:
            together, maps = merged(lengths, (*strides, over(((size, 1),), lengths)))
            self.columns = together[-1] if together else 1
            self.rows = together[:-1]
            column_of = [each[-1] if together else 0 for each in maps]
            row_of = [each[:-1] for each in maps]
        else:
            split -= 1 if columns > 1 else 0
            self.columns = columns
            self.rows, row_of_all = merged(lengths[:split], tuple(each[:split] for each in strides))
            row_of = list(row_of_all)
            column_of = [each[split] if columns > 1 else 0 for each in strides]
        self.count = prod(self.rows)
        self.row_strides = dict(zip(views, row_of, strict=False))
        self.column_stride = dict(zip(views, column_of, strict=False))


@dataclass(slots=True)
class _Chunk:
    """Where a vector stands in its row: ``place`` the index of its first column, ``key`` names it."""

    place: Any
    mask: Value | None
    key: Any
    values: dict[Tensor, Value] = field(default_factory=dict)
    loads: dict[View, Value] = field(default_factory=dict)


class RowKernel:
    """The kernel of a group of kind ``"loops"``, or ``"reduce"``, whose core is a sum over axes outside the rows."""

    def __init__(self, group: Group, width: int) -> None:
        self.group = group
        self.element_views = list(
            dict.fromkeys(
                v if m.level == "element" or m.fold else _per_row(v, group.columns or 1)
                for m in group.members
                for v in m.inputs
                if v.tensor.group is not group
            )
        )
        self.folded: tuple[int, ...] = ()
        self.parts = {
            m.tensor: View(m.tensor, m.tensor.offset, m.tensor.digits) for m in group.members if m.tensor.home == "part"
        }
        views = [*self.element_views, *self.parts.values()]
        rows, columns = group.rows, group.columns
        if group.kind == "reduce":
            views, rows, columns = self._core_views(views), 1, None
            rows = group.size
        self.space = Space(rows if columns else group.size, columns, views)
        wide = 2 * width if group.price >= DEAR and self.space.columns % (2 * width) == 0 else width
        self.width = short(self.space.columns, wide)
        self.chunk_count = -(-self.space.columns // self.width)
        self.has_folds = any(m.fold for m in group.members)
        self.unrolled = self.chunk_count <= UNROLLED and self.has_folds
        self.by_rows = self.space.count >= 8 or self.has_folds or self.chunk_count == 1
        self.cached: set[Tensor] = set()
        if not self.unrolled:
            self._choose_cached()

    # -- The core of a reduction

    def _core_views(self, views: list[View]) -> list[View]:
        """The views of the kept space; the core's view is split into its kept and its folded part."""
        (view,) = self.group.reads
        size = self.group.size
        lengths = refined(view.digits, ((size, 1), (view.size // size, 1)))
        assert lengths is not None
        strides = over(view.digits, lengths)
        split, inner = len(lengths), view.size // size
        while inner > 1:
            split -= 1
            inner //= lengths[split]
        self.folded, (self.folded_strides,) = merged(lengths[split:], (strides[split:],))
        self.core_view = View(view.tensor, view.offset, tidy(tuple(zip(lengths[:split], strides[:split], strict=True))))
        return [*views, self.core_view]

    def _sum(self, chunk: _Chunk) -> Value:
        """The core's result at ``chunk``: a loop over the folded axes, four running sums against latency."""
        b, view = self.body.b, self.core_view
        dtype, name = view.tensor.dtype, self.group.core
        kind = vector(register_kind(dtype), self.width)
        start = b.const(kind, identity(name, dtype))
        sums = [b.variable(kind, start) for _ in range(4)]
        base = self._base(view)

        def step(index: Value, slot: int, before: Value) -> None:
            shift = index * self.folded_strides[-1] + before
            x = self._vector(view, b.at(base, shift, memory_kind(dtype)), chunk)
            sums[slot].set(combine(b, name, sums[slot].get(), x, dtype))

        def nest(axis: int, before: Value) -> None:
            length = self.folded[axis]
            if axis < len(self.folded) - 1:
                with b.loop(length) as i:
                    nest(axis + 1, before + i * self.folded_strides[axis])
                return
            with b.loop(length - length % 4, step=4) as i:
                for slot in range(4):
                    step(i + slot, slot, before)
            for rest in range(length % 4):
                step(b.const("i64", length - length % 4 + rest), rest, before)

        if self.folded:
            nest(0, b.const("i64", 0))
        else:
            sums[0].set(self._vector(view, base, chunk))
        a, c, d, e = (each.get() for each in sums)
        return combine(b, name, combine(b, name, a, c, dtype), combine(b, name, d, e, dtype), dtype)

    # -- Pieces

    @property
    def pieces(self) -> int:
        work = self.group.size * max(prod(self.folded), self.group.price / PLAIN, 1)
        return pieces_for(work, self.space.count if self.by_rows else self.chunk_count, GRAIN)

    def write(self, body: Body, piece: Value) -> None:
        """The code of one piece."""
        self.body = body
        b = body.b
        self.invariant: dict[View, Value] = {}
        for view in self.element_views:
            if view.is_scalar and not _immediate(view):
                self.invariant[view] = self._scalar(
                    view, b.at(body.pointer(view.tensor), view.offset, self._kind(view))
                )
        pieces = self.pieces
        if self.by_rows:
            first, last = share(piece, pieces, self.space.count)
            with b.loop(last, first) as row:
                self._row(row, None)
        else:
            first, last = share(piece, pieces, self.chunk_count)
            for number in range(self.space.count):
                self._row(b.const("i64", number), (first, last))

    def _row(self, row: Value, span: tuple[Value, Value] | None) -> None:
        b = self.body.b
        self.index: list[Value] = []
        rest = row
        for n in reversed(self.space.rows):
            self.index.insert(0, rest % n if len(self.index) < len(self.space.rows) - 1 else rest)
            rest = rest // n
        self.row = row
        self.bases: dict[View, Value] = {}
        self.per_row: dict[Tensor, Value] = {}
        self.row_loads: dict[View, Value] = {}
        self.kept: dict[tuple[Tensor | View, Any], Value] = {}
        self.areas: dict[Tensor, Value] = {}
        for view in self.parts.values():
            self._base(view)
        for view in (*self.element_views, *([self.core_view] if self.group.kind == "reduce" else [])):
            if not _immediate(view):
                self._base(view)
                if self.space.column_stride[view] == 0 and view not in self.invariant:
                    self.row_loads[view] = self._scalar(view, self._base(view))
        stages = max((m.stage + m.fold for m in self.group.members), default=0)
        for stage in range(stages + 1):
            for member in self.group.members:
                if member.level == "row" and not member.fold and member.stage == stage:
                    self.per_row[member.tensor] = self._row_value(member)
            self._stage(stage, span)
        for member in self.group.members:
            if member.level == "row" and member.tensor.is_stored:
                place = b.at(self.body.pointer(member.tensor), row, memory_kind(member.tensor.dtype))
                b.store(store_as(b, self.per_row[member.tensor], member.tensor.dtype), place)

    def _stage(self, stage: int, span: tuple[Value, Value] | None) -> None:
        b = self.body.b
        members = [m for m in self.group.members if m.stage == stage]
        stores = [m.tensor for m in members if m.level == "element" and (m.tensor.is_stored or m.tensor in self.cached)]
        result = self.group.result
        if result is not None and result.is_stored:
            stores.insert(0, result)
        folds = [m for m in members if m.fold]
        if not stores and not folds:
            return
        wanted = self._wanted(stores, folds, stage)
        slots = 1 if self.unrolled or not folds else 4
        sums = {
            m: [b.variable(self._register(m.tensor.dtype), identity(m.kernel, m.tensor.dtype)) for _ in range(slots)]
            for m in folds
        }
        trees: dict[Member, list[Value]] = {m: [] for m in folds}

        def work(chunk: _Chunk, slot: int) -> None:
            for tensor in wanted:
                self._value(tensor, chunk, stage)
            for tensor in stores:
                self._put(tensor, self._value(tensor, chunk, stage), chunk)
            for m in folds:
                x = self._input(m.inputs[0], chunk, stage)
                if chunk.mask is not None:
                    x = chunk.mask.select(x, b.const(x.kind, identity(m.kernel, m.tensor.dtype)))
                if self.unrolled:
                    trees[m].append(x)
                else:
                    sums[m][slot].set(combine(b, m.kernel, sums[m][slot].get(), x, m.tensor.dtype))

        self._chunks(work, span, slots)
        for m in folds:
            parts = trees[m] if self.unrolled else [each.get() for each in sums[m]]
            step = partial(_combined, b, m)
            while len(parts) > 1:
                parts = [step(*parts[k : k + 2]) if k + 1 < len(parts) else parts[k] for k in range(0, len(parts), 2)]
            self.per_row[m.tensor] = b.fold(parts[0], step)

    def _wanted(self, stores: Sequence[Tensor], folds: Sequence[Member], stage: int) -> list[Tensor]:
        """What has to be computed in a stage, in order: so that no chain of mappings is walked recursively."""
        waiting = [*stores, *(m.inputs[0].tensor for m in folds)]
        found: set[Tensor] = set()
        while waiting:
            tensor = waiting.pop()
            member = tensor.member
            if tensor.group is not self.group or member is None or member.level == "row" or tensor in found:
                continue
            found.add(tensor)
            if not (member.stage < stage and (tensor.is_stored or tensor in self.cached)):
                waiting += [view.tensor for view in member.inputs]
        return [m.tensor for m in self.group.members if m.tensor in found]

    def _chunks(self, work: Callable[[_Chunk, int], None], span: Any, slots: int) -> None:
        b, width, columns = self.body.b, self.width, self.space.columns
        full, tail = divmod(columns, width)
        mask = b.first_lanes(tail, width) if tail else None
        if self.unrolled or (full + (tail > 0) <= 2 and span is None):
            for k in range(full):
                work(_Chunk(b.const("i64", k * width), None, k), 0)
            if tail:
                work(_Chunk(b.const("i64", full * width), mask, full), 0)
            return
        if span is not None:
            first, last = span
            whole = last.lt(full).select(last, b.const("i64", full))
            with b.loop(whole, first) as number:
                work(_Chunk(number * width, None, None), 0)
            if tail:
                with b.when(last.gt(full)):
                    work(_Chunk(b.const("i64", full * width), mask, None), 0)
            return
        even = full - full % slots
        with b.loop(even * width, step=slots * width) as c:
            for slot in range(slots):
                work(_Chunk(c + slot * width, None, None), slot)
        for k in range(even, full):
            work(_Chunk(b.const("i64", k * width), None, None), k - even)
        if tail:
            work(_Chunk(b.const("i64", full * width), mask, None), 0)

    # -- Values

    def _register(self, dtype: Any) -> str:
        return vector(register_kind(dtype), self.width)

    def _kind(self, view: View) -> str:
        return memory_kind(view.tensor.dtype)

    def _base(self, view: View) -> Value:
        """The address of the row's first element."""
        if view not in self.bases:
            b = self.body.b
            place = b.at(self.body.pointer(view.tensor), view.offset, self._kind(view))
            for index, stride in zip(self.index, self.space.row_strides[view], strict=True):
                if stride:
                    place = b.at(place, index * stride, self._kind(view))
            self.bases[view] = place
        return self.bases[view]

    def _scalar(self, view: View, place: Value) -> Value:
        b = self.body.b
        return load_as(b, b.load(place, self._kind(view)), view.tensor.dtype)

    def _vector(self, view: View, base: Value, chunk: _Chunk) -> Value:
        b, stride, kind = self.body.b, self.space.column_stride[view], self._kind(view)
        return load_as(b, load_vector(b, base, kind, self.width, stride, chunk.place, chunk.mask), view.tensor.dtype)

    def _input(self, view: View, chunk: _Chunk, stage: int) -> Value:
        """What a member reads at ``chunk``."""
        b = self.body.b
        tensor = view.tensor
        if tensor.group is self.group:
            if tensor.member is not None and tensor.member.level == "row":
                return b.splat(self.per_row[tensor], self.width)
            return self._value(tensor, chunk, stage)
        if _immediate(view):
            return b.const(self._register(tensor.dtype), tensor.data[0])
        if view in self.invariant:
            return b.splat(self.invariant[view], self.width)
        if view in self.row_loads:
            return b.splat(self.row_loads[view], self.width)
        key = (view, chunk.key)
        if self.unrolled:
            if key not in self.kept:
                self.kept[key] = self._vector(view, self._base(view), chunk)
            return self.kept[key]
        if view not in chunk.loads:
            chunk.loads[view] = self._vector(view, self._base(view), chunk)
        return chunk.loads[view]

    def _value(self, tensor: Tensor, chunk: _Chunk, stage: int) -> Value:
        """An element-level value of this group at ``chunk``."""
        if self.unrolled and (tensor, chunk.key) in self.kept:
            return self.kept[tensor, chunk.key]
        if tensor in chunk.values:
            return chunk.values[tensor]
        member = tensor.member
        if member is None:
            value = self._sum(chunk)
        elif member.stage < stage and (tensor.is_stored or tensor in self.cached):
            value = self._again(tensor, chunk)
        else:
            inputs = [self._input(view, chunk, stage) for view in member.inputs]
            dtypes = [view.tensor.dtype for view in member.inputs]
            value = mapped(self.body.b, member.kernel, inputs, dtypes, tensor.dtype)
        if self.unrolled:
            self.kept[tensor, chunk.key] = value
        chunk.values[tensor] = value
        return value

    def _row_value(self, member: Member) -> Value:
        b = self.body.b
        inputs = []
        for view in member.inputs:
            wide = _per_row(view, self.group.columns or 1)
            if view.tensor.group is self.group:
                inputs.append(self.per_row[view.tensor])
            elif _immediate(view):
                inputs.append(b.const(register_kind(view.tensor.dtype), view.tensor.data[0]))
            elif wide in self.invariant:
                inputs.append(self.invariant[wide])
            else:
                inputs.append(self.row_loads[wide])
        return mapped(b, member.kernel, inputs, [v.tensor.dtype for v in member.inputs], member.tensor.dtype)

    def _place(self, tensor: Tensor, chunk: _Chunk) -> Value:
        """Where an element-level result stands: in its memory, or in the work area."""
        b, kind = self.body.b, memory_kind(tensor.dtype)
        if tensor.is_stored:
            base = b.at(self.body.pointer(tensor), self.row * self.space.columns, kind)
        else:
            if tensor not in self.areas:
                self.areas[tensor] = self.body.room(self.space.columns * tensor.dtype.itemsize)
            base = self.areas[tensor]
        return b.at(base, chunk.place, kind)

    def _put(self, tensor: Tensor, value: Value, chunk: _Chunk) -> None:
        b = self.body.b
        value = store_as(b, value, tensor.dtype)
        if tensor in self.parts:
            view = self.parts[tensor]
            place, stride = self._base(view), self.space.column_stride[view]
            store_vector(b, value, b.at(place, chunk.place * stride, self._kind(view)), chunk.mask, stride)
        else:
            store_vector(b, value, self._place(tensor, chunk), chunk.mask)

    def _again(self, tensor: Tensor, chunk: _Chunk) -> Value:
        b = self.body.b
        x = load_vector(b, self._place(tensor, chunk), memory_kind(tensor.dtype), self.width, 1, 0, chunk.mask)
        return load_as(b, x, tensor.dtype)

    def _choose_cached(self) -> None:
        """What a later stage needs and neither reads from memory nor computes cheaply again."""

        costs = self._costs()
        seen: set[tuple[Tensor, int]] = set()

        def visit(views: Sequence[View], stage: int) -> None:
            waiting = list(views)
            while waiting:
                tensor = waiting.pop().tensor
                member = tensor.member
                if tensor.group is not self.group or member is None or member.level == "row" or (tensor, stage) in seen:
                    continue
                seen.add((tensor, stage))
                if member.stage < stage and (tensor.is_stored or costs[tensor] > CHEAP):
                    if not tensor.is_stored:
                        self.cached.add(tensor)
                    continue
                waiting += member.inputs

        for member in self.group.members:
            if member.fold or (member.level == "element" and member.tensor.is_stored):
                visit(member.inputs, member.stage)
        for tensor in list(self.cached):
            assert tensor.member is not None
            visit(tensor.member.inputs, tensor.member.stage)

    def _costs(self) -> dict[Tensor, float]:
        """What it costs to compute each element-level member from what the group reads; more than cheap is enough."""
        costs: dict[Tensor, float] = {}
        for member in self.group.members:
            inside = sum(costs.get(view.tensor, 0.0) for view in member.inputs)
            if member.level == "element":
                costs[member.tensor] = min(price(member.kernel) + inside, CHEAP + 1)
        return costs


class Edge:
    """What happens to a core's results, a vector at a time, before they leave the registers."""

    def __init__(self, group: Group, body: Body, space: tuple[int, int, int] | None = None) -> None:
        self.group = group
        self.body = body
        assert group.space is not None
        self.counts = space or group.space
        self.parts = {
            m.tensor: View(m.tensor, m.tensor.offset, m.tensor.digits) for m in group.members if m.tensor.home == "part"
        }
        self.views = [*dict.fromkeys(group.external()), *self.parts.values()]
        lengths = refined(tuple(self.counts), *(view.digits for view in self.views))
        assert lengths is not None
        split = len(lengths) - (1 if self.counts[2] > 1 else 0)
        self.rows, maps = merged(lengths[:split], tuple(over(v.digits, lengths)[:split] for v in self.views))
        self.row_strides = dict(zip(self.views, maps, strict=True))
        self.column_stride = {v: over(v.digits, lengths)[split] if split < len(lengths) else 0 for v in self.views}
        self.memo: dict[Any, Value] = {}

    @computed
    def flat(self) -> Edge | None:
        """The same for results counted through from the first row to the last, where everything they meet stands so."""
        size = prod(self.counts)
        whole = all(view.is_scalar or view.digits == contiguous(size) for view in self.views)
        return Edge(self.group, self.body, (1, 1, size)) if whole else None

    def _index(self, flat: Value) -> list[Value]:
        """The entries of a row's number along the rows' axes."""
        index: list[Value] = []
        for n in reversed(self.rows):
            index.insert(0, flat % n if len(index) < len(self.rows) - 1 else flat)
            flat = flat // n
        return index

    @property
    def vectors(self) -> int:
        """How many vectors are best taken at once."""
        return 2 if self.group.price >= DEAR else 1

    @property
    def fetched(self) -> list[View]:
        """What the members read from memory, row by row, and so much of it that it does not stay in the near caches."""
        large = [v for v in dict.fromkeys(self.group.external()) if v.size * v.tensor.dtype.itemsize >= FETCHED]
        return [v for v in large if self.column_stride[v] == 1 and any(self.row_strides[v])]

    def fetch(self, batch: Value, row: Value, column: Value, count: int) -> None:
        """Ask for what ``count`` results from (batch, row, column) on will meet, while they are computed."""
        b = self.body.b
        index = self._index(batch * self.counts[1] + row)
        for view in self.fetched:
            kind = memory_kind(view.tensor.dtype)
            place = b.at(self._place(view, index), column, kind)
            size = count * view.tensor.dtype.itemsize
            for at in range(0, size, LINE):
                b.prefetch(b.at(place, at, "i8"))
            b.prefetch(b.at(place, size - 1, "i8"))

    def __call__(self, accumulator: Value, batch: Value, row: Value, column: Value, lanes: int, mask: Any) -> None:
        """Evaluate the members at (batch, row, column …) and store what has memory."""
        b = self.body.b
        flat = batch * self.counts[1] + row
        values: dict[Tensor, Value] = {}
        assert self.group.result is not None
        values[self.group.result] = accumulator
        index = self._index(flat)
        stored = flat * self.counts[2] + column
        for member in self.group.members:
            inputs = []
            for view in member.inputs:
                if view.tensor.group is self.group:
                    inputs.append(values[view.tensor])
                else:
                    inputs.append(self._load(view, index, column, lanes, mask))
            dtypes = [view.tensor.dtype for view in member.inputs]
            values[member.tensor] = mapped(b, member.kernel, inputs, dtypes, member.tensor.dtype)
        for tensor, value in values.items():
            if tensor in self.parts:
                view = self.parts[tensor]
                along, kind = self.column_stride[view], memory_kind(tensor.dtype)
                place = b.at(self._place(view, index), column * along, kind)
                store_vector(b, store_as(b, value, tensor.dtype), place, mask, along)
            elif tensor.is_stored:
                place = b.at(self.body.pointer(tensor), stored, memory_kind(tensor.dtype))
                store_vector(b, store_as(b, value, tensor.dtype), place, mask)

    def _place(self, view: View, index: list[Value]) -> Value:
        """Where the first element of the row stands."""
        b, kind = self.body.b, memory_kind(view.tensor.dtype)
        place = b.at(self.body.pointer(view.tensor), view.offset, kind)
        for i, stride in zip(index, self.row_strides[view], strict=True):
            if stride:
                place = b.at(place, i * stride, kind)
        return place

    def _load(self, view: View, index: list[Value], column: Value, lanes: int, mask: Any) -> Value:
        b, kind, dtype = self.body.b, memory_kind(view.tensor.dtype), view.tensor.dtype
        if _immediate(view):
            return b.const(vector(register_kind(dtype), lanes), view.tensor.data[0])
        if view.is_scalar:
            place = b.at(self.body.pointer(view.tensor), view.offset, kind)
            return b.splat(load_as(b, b.load(place, kind), dtype), lanes)
        strides, along = self.row_strides[view], self.column_stride[view]
        key = (view, b.block, column.text, mask.text if mask else "") if not any(strides) else None
        if key is not None and key in self.memo:
            return self.memo[key]
        place = self._place(view, index)
        if along == 0:
            x = b.splat(load_as(b, b.load(place, kind), dtype), lanes)
        else:
            x = load_as(b, load_vector(b, place, kind, lanes, along, column, mask), dtype)
        if key is not None:
            self.memo[key] = x
        return x


def _combined(b: Function, member: Member, x: Value, y: Value) -> Value:
    return combine(b, member.kernel, x, y, member.tensor.dtype)


def mapped(b: Function, expression: Any, xs: Sequence[Value], dtypes: Sequence[Any], dtype: Any) -> Value:
    """A member's expression; ``("inside", x, n)`` is an index for an axis of length n: counted from the start, and
    reported in the status word where it is out of range."""
    if not (isinstance(expression, tuple) and expression[0] == "inside"):
        return evaluate(b, expression, xs, dtypes, dtype)
    (x,), length, signed = xs, expression[2], dtypes[0].kind == "i"
    x = x.to_int("i64", signed)
    index = x.lt(0).select(x + length, x) if signed else x
    outside = ~index.below(length)
    with b.when(b.fold(outside, lambda a, c: a | c) if lanes(outside.kind) else outside):
        b.store(b.const("i64", BAD_INDEX), b["status"])
    return index.to_int(register_kind(dtype))


# -- Loads and stores ----------------------------------------------------------------------------------------------


def load_vector(b: Function, base: Value, kind: str, width: int, stride: int, place: Any, mask: Value | None) -> Value:
    """``width`` elements from ``base[place · stride]`` on, ``stride`` apart; masked lanes are 0."""
    if isinstance(place, int):
        place = b.const("i64", place)
    many = vector(kind, width)
    if stride == 1:
        start = b.at(base, place, kind)
        return b.load(start, many) if mask is None else b.masked_load(start, many, mask)
    start = b.at(base, place * stride, kind)
    steps = b.constants("i64", [lane * stride for lane in range(width)])
    addresses = b.write(f"<{width} x ptr>", f"getelementptr {kind}, ptr {start.text}, {steps.kind} {steps.text}")
    return b.gather(addresses, many, mask if mask is not None else b.constants("i1", [True] * width))


def store_vector(b: Function, value: Value, place: Value, mask: Value | None, stride: int = 1) -> None:
    """The lanes of ``value`` stored from ``place`` on, ``stride`` elements apart."""
    width = lanes(value.kind)
    if stride != 1 and width > 1:
        steps = b.constants("i64", [lane * stride for lane in range(width)])
        places = b.write(
            f"<{width} x ptr>", f"getelementptr {scalar(value.kind)}, ptr {place.text}, {steps.kind} {steps.text}"
        )
        b.scatter(value, places, mask if mask is not None else b.constants("i1", [True] * width))
    elif mask is None:
        b.store(value, place)
    else:
        b.masked_store(value, place, mask)


def _immediate(view: View) -> bool:
    return bool(view.tensor.home == "constant" and view.tensor.size == 1)


def _per_row(view: View, columns: int) -> View:
    """A view of one value per row as a view of the elements."""
    return View(view.tensor, view.offset, tidy((*view.digits, (columns, 0))))
