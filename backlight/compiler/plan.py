"""Graph -> plan: which nodes run together in one kernel, and what has to stand in memory between kernels.

Nodes are taken in execution order. What only rearranges becomes a view. An elementwise node joins the kernel that
makes its inputs whenever it reads them at the same places (the tile of a product, the row being folded); otherwise it
starts a kernel of its own. A value gets memory only if another kernel, or the caller, reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from backlight.compiler.cut import READ, TRAFFIC, price
from backlight.compiler.views import Digits, View, contiguous, refined, tidy
from backlight.graph import Node
from backlight.primitive import REGISTRY

__all__ = ["Group", "Member", "Plan", "Tensor", "Uncompilable", "constant", "expanded"]

SHARED = 3.0  # what keeping a value is worth from which several others can be made
LARGE = 256 << 10  # bytes: a value of this size has left the near caches when it is read …
FAR = 8.0  # … and costs so many times as much to write and read
PATIENCE = 32  # mappings in a chain that waits for its first reader
LARGEST = 1200.0  # price of what runs together: beyond, translating takes longer than a pass over memory is worth


class Uncompilable(Exception):
    """A node that no kernel can be made for: ``node``, and why in ``reason``."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


@dataclass(eq=False, slots=True)
class Tensor:
    """``size`` elements of one dtype: an input, a constant, or what a member of a group computes.

    ``home`` says where its memory is: ``"argument"``, ``"output"`` or ``"constant"`` number ``number``, a ``"row"`` of
    ``base`` at the current step of the loop ``number``, a ``"part"`` of ``base`` (the elements ``digits`` names), the
    ``"arena"``, or ``""`` while it only lives in registers.
    """

    size: int
    dtype: Any
    home: str = ""
    number: int = 0
    base: Tensor | None = None
    data: Any = None
    group: Group | None = None
    member: Member | None = None
    node: Node | None = None
    offset: int = 0  # in bytes, in the arena or, for a row, from one row to the next; in elements, of a part
    digits: Digits = ()
    donated: bool = False  # an argument that a loop may carry in place
    alias: Tensor | None = None  # the tensor whose memory this one takes over

    @property
    def is_stored(self) -> bool:
        return bool(self.home)

    def memory(self) -> Tensor:
        """The tensor whose memory holds this one."""
        return self if self.alias is None else self.alias.memory()

    def root(self) -> Tensor:
        """The tensor in whose memory this one, or the whole it is a row of, stands."""
        tensor = self.memory()
        return tensor if tensor.base is None else tensor.base.root()

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)


@dataclass(eq=False, slots=True)
class Member:
    """One mapping inside a group. ``level`` is ``"element"``, or ``"row"`` for what has one value per row."""

    kernel: Any  # a Map's expression, or the combine of a fold
    inputs: tuple[View, ...]
    tensor: Tensor
    level: str
    fold: bool = False
    node: Node | None = None
    stage: int = 0  # how many folds of the row must be finished before it can be computed


@dataclass(eq=False, slots=True)
class Group:
    """Nodes that run together. ``kind``: ``"loops"`` (elements, row by row), ``"reduce"``, ``"loop"`` (a scan with a
    plan of its own in ``core``), or another core. The members go on with the result of a reduction, and of a core that
    gives its results a vector at a time: ``space`` are then its (planes, rows, columns); vectors run along the last."""

    kind: str
    size: int
    rows: int = 1
    columns: int | None = None
    members: list[Member] = field(default_factory=list)
    core: Any = None
    result: Tensor | None = None  # what the core gives the members
    reads: tuple[View, ...] = ()  # what the core reads
    writes: tuple[Tensor, ...] = ()  # what the core itself stores
    node: Node | None = None
    position: int = 0
    space: tuple[int, int, int] | None = None
    schedule: Any = None  # how a product is computed, once that is chosen
    price: float = 0.0  # of the members, for one element
    read: dict[Tensor, None] = field(default_factory=dict)  # what members read from memory …
    digits: dict[Digits, None] = field(default_factory=dict)  # … and where those that run through all elements do

    def external(self) -> list[View]:
        """The views that members read from memory."""
        return [v for m in self.members for v in m.inputs if v.tensor.group is not self]


def expanded(view: View, size: int) -> View:
    """``view``, a single number repeated ``size`` times where it has to be."""
    return View(view.tensor, view.offset, tidy(((size, 0),))) if view.size == 1 != size else view


@dataclass(eq=False)
class Plan:
    """Groups in the order they run, and the views of the outputs. A loop's body is a plan inside a group."""

    groups: list[Group] = field(default_factory=list)
    outputs: list[View] = field(default_factory=list)
    values: dict[Node, Any] = field(default_factory=dict)
    read: dict[Node, set[int]] = field(default_factory=dict)  # which outputs of a mapping with several are read

    readers: dict[Node, list[tuple[Node, int]]] = field(default_factory=dict)
    ends: set[Node] = field(default_factory=set)
    outer: Plan | None = None  # around the loop whose step this is
    captured: set[Tensor] = field(default_factory=set)  # what is the same in all of many steps
    known: dict[Any, View] = field(default_factory=dict)  # what was computed before: by what it is made of
    waiting: dict[Tensor, int] = field(default_factory=dict)  # how long the chain is at whose end a value waits
    reading: dict[Tensor, list[Group]] = field(default_factory=dict)  # the groups that read a tensor from memory
    single: list[Group] = field(default_factory=list)  # the groups of one element

    def readers_of(self, node: Node) -> list[Node]:
        """The nodes that read ``node``; those that only give it another shape are looked through. An output of the
        graph counts as read by itself."""
        found = [node] if node in self.ends else []
        for each, _ in self.readers.get(node, ()):
            found += self.readers_of(each) if each.primitive is REGISTRY.reshape else [each]
        return found

    # -- Order

    def insert(self, group: Group, after: int | None = None) -> Group:
        """Add ``group`` behind position ``after``, or at the end."""
        if group.size == 1:
            self.single.append(group)
        for view in group.reads:
            self.reading.setdefault(view.tensor, []).append(group)
        place = len(self.groups) if after is None else after + 1
        self.groups.insert(place, group)
        for position in range(place, len(self.groups)):
            self.groups[position].position = position
        return group

    def ready(self, views: Sequence[View]) -> int:
        """The position of the last group of this plan that has to run before ``views`` can be read."""
        last = -1
        pending = [view.tensor for view in views]
        seen = set(pending)  # a value that waits may be read along very many ways
        while pending:
            tensor = pending.pop()
            if self.made_here(tensor):
                last = max(last, tensor.group.position)
            elif self.is_waiting(tensor):
                further = {view.tensor for view in tensor.member.inputs} - seen
                seen |= further
                pending += further
        return last

    def made_here(self, tensor: Tensor) -> bool:
        """Whether a group of this plan makes ``tensor``."""
        return tensor.group is not None and self._holds(tensor.group)

    def _holds(self, group: Group) -> bool:
        """Whether ``group`` belongs to this plan."""
        return group.position < len(self.groups) and self.groups[group.position] is group

    # -- Elementwise

    def map(
        self, expression: Any, views: Sequence[View], dtype: Any, size: int, node: Node | None, *, waits: bool = False
    ) -> View:
        """A new value, elementwise. What is made from inputs of the plan alone, or ``waits`` because a fold will be its
        only reader, is computed in its first reader's group."""
        inputs = tuple(expanded(view, size) for view in views)
        key = (expression, inputs, np.dtype(dtype), size)
        if key not in self.known:
            self.known[key] = self._mapped(expression, inputs, np.dtype(dtype), size, node, waits)
        return self.known[key]

    def _mapped(
        self, expression: Any, inputs: tuple[View, ...], dtype: Any, size: int, node: Node | None, waits: bool
    ) -> View:
        tensor = Tensor(size, dtype, node=node)
        tensor.member = Member(expression, inputs, tensor, "element", node=node)
        known = all(self._is_outside(view.tensor) or self.is_waiting(view.tensor) for view in inputs)
        waiting = (self.waiting.get(view.tensor, 0) for view in inputs if self.is_waiting(view.tensor))
        self.waiting[tensor] = depth = 1 + max(waiting, default=0)
        if not (waits or known) or size == 1 or depth > PATIENCE or all(view.is_scalar for view in inputs):
            self.settle(tensor)
        return View(tensor, 0, contiguous(size))

    def is_waiting(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` belongs to no group yet."""
        return tensor.group is None and tensor.member is not None

    def _is_outside(self, tensor: Tensor) -> bool:
        """Whether nothing can be computed where ``tensor`` is made."""
        if self.made_here(tensor):
            group = tensor.group
            return group is not None and group.kind not in ("loops", "reduce") and group.space is None
        return not self.is_waiting(tensor)

    def settle(self, tensor: Tensor, before: Group | None = None) -> None:
        """Put a value that waits into a group; if ``before`` is given, one that runs before it."""
        member = tensor.member
        if not self.is_waiting(tensor) or member is None:
            return
        at = self.ready(member.inputs)
        if before is None:
            group, level = self._host(member.inputs, tensor.size, at)
        else:
            group, level = self.insert(Group("loops", tensor.size), at), "element"
        member.level = level
        self._join(group, member)

    def _join(self, group: Group, member: Member) -> None:
        """Enter ``member``, and before it those of its inputs that wait and can be computed in the same place.

        What another reader behind ``member`` wants from elsewhere (shifted, backwards, one row for all) is made before.
        """
        for tensor in self._apart(group, member):
            self.settle(tensor, before=group)
        self._enter_all(group, member)

    def _apart(self, group: Group, member: Member) -> list[Tensor]:
        """What waits behind ``member`` and is read in ``group`` in a way that nothing computed there can be read."""
        found: dict[Tensor, str] = {}
        pending = [(view, member.level) for view in reversed(member.inputs)]
        while pending:
            view, at = pending.pop()
            tensor, source = view.tensor, view.tensor.member
            if not self.is_waiting(tensor) or source is None:
                continue
            level = _level_of(view, group, at)
            if tensor not in found and level and self._accepts(group, source.inputs, tensor.size) == level:
                found[tensor] = level
                pending += [(each, level) for each in reversed(source.inputs)]
            elif found.get(tensor) != level:
                found[tensor] = ""
        return [tensor for tensor, level in found.items() if not level]

    def _enter_all(self, group: Group, member: Member) -> None:
        """Enter ``member`` after those of its inputs that wait."""
        for view in member.inputs:
            tensor = view.tensor
            source = tensor.member
            if self.is_waiting(tensor) and source is not None:
                level = _level_of(view, group, member.level)
                if level and self._accepts(group, source.inputs, tensor.size) == level:
                    source.level = level
                    self._enter_all(group, source)
                else:
                    self.settle(tensor, before=group)
        self.enter(group, member)

    def _host(self, inputs: tuple[View, ...], size: int, at: int) -> tuple[Group, str]:
        if at >= 0:
            level = self._accepts(self.groups[at], inputs, size)
            if level:
                return self.groups[at], level
        near = self.single if size == 1 else self._reading_any(v.tensor for v in inputs if not v.is_scalar)
        for group in self._in_order(near):
            if group.position > at and group.kind == "loops" and group.size == size:
                level = self._accepts(group, inputs, size)
                if level == "element":
                    return group, level
        return self.insert(Group("loops", size), at if size == 1 else None), "element"

    def _reading_any(self, tensors: Iterable[Tensor]) -> list[Group]:
        """The groups that read one of ``tensors`` anyway."""
        return [group for tensor in dict.fromkeys(tensors) for group in self.reading.get(tensor, ())]

    def _in_order(self, groups: Iterable[Group]) -> list[Group]:
        """Those of ``groups`` that are still part of this plan, in the order they run."""
        return sorted(filter(self._holds, dict.fromkeys(groups)), key=lambda group: group.position)

    def _enter_reading(self, group: Group, tensor: Tensor) -> None:
        if tensor not in group.read:
            group.read[tensor] = None
            self.reading.setdefault(tensor, []).append(group)

    def _accepts(self, group: Group, inputs: tuple[View, ...], size: int) -> str:
        """The level at which ``group`` can compute a mapping of ``inputs``, or nothing."""
        if (group.kind not in ("loops", "reduce") and group.space is None) or group.price > LARGEST:
            return ""
        level = "element" if size == group.size else "row" if group.columns and size == group.rows else ""
        if not level:
            return ""
        for view in inputs:
            if view.tensor.group is group and not _aligned(view, group, level):
                return ""
        outside = [v.digits for v in inputs if v.tensor.group is not group]
        if level == "element" and not _fits(group, outside):
            return ""
        return level

    def enter(self, group: Group, member: Member) -> None:
        """Make ``member`` the last one of ``group``. What it reads from elsewhere gets memory, unless it costs less to
        compute it again here."""
        if member.level == "element" and not member.fold:
            member.inputs = tuple(self._again(view, group) for view in member.inputs)
        member.tensor.member = member
        member.tensor.group = group
        group.members.append(member)
        group.price += 1.0 if member.fold else price(member.kernel)
        stage = 0
        for view in member.inputs:
            source = view.tensor.member
            if view.tensor.group is not group:
                self.store(view.tensor)
                self._enter_reading(group, view.tensor)
                if member.level == "element":
                    group.digits[view.digits] = None
            elif source is not None:
                stage = max(stage, source.stage + source.fold)
        member.stage = stage
        if member.tensor.home == "part":
            group.digits[member.tensor.digits] = None

    def _again(self, view: View, group: Group) -> View:
        """``view``, or where ``group`` computes the same once more: from what is in memory, for less than writing and
        reading it would cost."""
        tensor = view.tensor
        if tensor.home or tensor.group is group or not self.made_here(tensor) or not view.is_whole:
            return view
        recipe = self._recipe(tensor, group)
        if recipe is None:
            return view
        made: dict[Tensor, View] = {}
        for source in recipe:
            inputs = tuple(made.get(each.tensor, each) if each.is_whole else each for each in source.inputs)
            key = (group, source.kernel, inputs, source.tensor.dtype)
            if key not in self.known:
                copy = Tensor(source.tensor.size, source.tensor.dtype, node=source.node)
                self.enter(group, Member(source.kernel, inputs, copy, "element", node=source.node))
                self.known[key] = View(copy, 0, contiguous(copy.size))
            made[source.tensor] = self.known[key]
        return made[tensor]

    def _recipe(self, tensor: Tensor, group: Group) -> list[Member] | None:
        """The mappings, in order, from what is in memory to ``tensor``; ``None`` if that cannot be had cheaply.

        It may be better to keep what ``tensor`` is made of, from which others can be made as well.
        """
        prices: dict[Tensor, float] = {}
        order: list[Tensor] = []

        def visit(view: View) -> float:
            each = view.tensor
            source = each.member
            if each.home:
                leaves.append(view)
                return 0.0 if view.is_scalar or each in group.read else READ
            if each in prices:
                return 0.0
            if not view.is_whole or source is None or source.fold or each.size != group.size or len(prices) >= PATIENCE:
                return inf
            if source.level != "element" or not self.made_here(each):
                return inf
            prices[each] = inf
            before = len(leaves)
            prices[each] = price(source.kernel) + sum(map(visit, source.inputs))
            if each is tensor or prices[each] < TRAFFIC * _distance(each):
                order.append(each)
                return prices[each]
            del leaves[before:]
            leaves.append(view)
            return TRAFFIC * _distance(each)

        leaves: list[View] = []
        most = TRAFFIC * _distance(tensor) + SHARED
        if visit(View(tensor, 0, contiguous(tensor.size))) >= most or not _fits(group, [v.digits for v in leaves]):
            return None
        for view in leaves:
            self.store(view.tensor)
        return [each.member for each in order if each.member is not None]

    def store(self, tensor: Tensor) -> None:
        """Give ``tensor`` memory: somebody reads it outside its group."""
        self.settle(tensor)
        if not tensor.home:
            tensor.home = "arena"

    def put(self, view: View, whole: Tensor, offset: int, digits: Digits, *, apart: bool) -> None:
        """Write the elements of ``view`` to those of ``whole`` that ``digits`` name; ``apart``: after all so far."""
        group = None
        self.settle(view.tensor)
        if not apart and view.tensor.group is not None and self.made_here(view.tensor):
            group, at = view.tensor.group, self.ready([view])
            takes = (group.kind == "loops" or group.space is not None) and group.position == at
            level = self._accepts(group, (view,), view.size) if takes else ""
            if level != "element" or not _fits(group, [view.digits, digits]):
                group = None
        if group is None:
            group = self.insert(Group("loops", view.size))
        tensor = Tensor(view.size, whole.dtype, "part", base=whole, offset=offset, digits=digits, group=group)
        self.enter(group, Member("x0", (view,), tensor, "element", node=whole.node))

    # -- Reductions

    def fold(self, combine: str, view: View, rows: int, columns: int, dtype: Any, node: Node | None) -> View:
        """``columns`` consecutive elements of each of ``rows`` rows combined into one."""
        key = ("fold", combine, view, rows, columns, np.dtype(dtype))
        if key in self.known:
            return self.known[key]
        source = view.tensor.member if self.is_waiting(view.tensor) and view.is_whole else None
        if source is not None and self._accepts(
            Group("loops", rows * columns, rows, columns), source.inputs, view.size
        ):
            source.level = "element"
        else:
            self.settle(view.tensor)
            source = None
        group = self._walker(view, source, rows, columns)
        if group is None:
            group = self.insert(Group("loops", rows * columns, rows, columns))
            if source is None and not _fits(group, [view.digits]):
                self.groups.pop()
                return self.fold(combine, self.laid_out(view, node), rows, columns, dtype, node)
        if source is not None:
            self._join(group, source)
        tensor = Tensor(rows, np.dtype(dtype), group=group, node=node)
        self.enter(group, Member(combine, (view,), tensor, "row", fold=True, node=node))
        self.known[key] = View(tensor, 0, contiguous(rows))
        return self.known[key]

    def _walker(self, view: View, source: Member | None, rows: int, columns: int) -> Group | None:
        """A group that walks along just these rows and makes what is folded, or reads it (or what it is made of, by
        ``source``) anyway."""
        at = self.ready([view])
        read = {each.tensor for each in (source.inputs if source else (view,)) if not each.is_scalar}
        makers = [tensor.group for tensor in read if tensor.group is not None]
        for group in self._in_order((*makers, *self._reading_any(read))):
            if group.kind != "loops" or group.size != rows * columns or group.columns not in (None, columns):
                continue
            if group.position < at or (group.position == at and group not in makers):
                continue
            before = (group.rows, group.columns)
            group.rows, group.columns = rows, columns
            if self._walks(group, view, source):
                return group
            group.rows, group.columns = before
        return None

    def _walks(self, group: Group, view: View, source: Member | None) -> bool:
        if source is not None:
            return self._accepts(group, source.inputs, view.size) == "element"
        if view.tensor.group is group:
            return view.digits == contiguous(view.size) and view.tensor.size == group.size and _fits(group, [])
        return _fits(group, [view.digits])

    def reduce(self, combine: str, view: View, kept: int, dtype: Any, node: Node | None) -> View:
        """The elements of ``view``, counted (kept, folded), combined over the second count: vectors run along the
        first."""
        self.store(view.tensor)
        tensor = Tensor(kept, np.dtype(dtype), node=node)
        group = self.insert(Group("reduce", kept, core=combine, result=tensor, reads=(view,), node=node))
        tensor.group = group
        return View(tensor, 0, contiguous(kept))

    def laid_out(self, view: View, node: Node | None) -> View:
        """``view`` copied into memory in its own order."""
        return self.map("x0", [view], view.tensor.dtype, view.size, node)

    def copied(self, view: View, node: Node | None) -> Tensor:
        """A new tensor that nobody else reads, with the elements of ``view`` in their own order."""
        tensor: Tensor = self._mapped("x0", (view,), view.tensor.dtype, view.size, node, False).tensor
        self.settle(tensor)
        return tensor

    def flat(self, view: View, node: Node | None) -> View:
        """``view`` where its elements stand side by side in their own order; copied if they do not."""
        return view if view.digits == contiguous(view.size) else self.laid_out(view, node)

    def spread(self, view: View, length: int) -> View:
        """One value per row, repeated along the row."""
        if length == 1:
            return view
        return View(view.tensor, view.offset, tidy((*view.digits, (length, 0))))

    def along(self, row: Any, count: int) -> View:
        """The same known row for each of ``count`` rows."""
        one = constant(row)
        return View(one.tensor, 0, tidy(((count, 0), *one.digits)))

    # -- Other cores

    def core(
        self, kind: str, core: Any, reads: Sequence[View], sizes: Sequence[tuple[int, Any]], node: Node | None,
        space: tuple[int, int, int] | None = None,
    ) -> list[View]:  # fmt: skip
        """A group of its own kind; its results are stored, except that the first of one with a ``space`` goes to its
        members first."""
        for view in reads:
            self.store(view.tensor)
        group = self.insert(
            Group(kind, sizes[0][0] if sizes else 0, core=core, reads=tuple(reads), node=node, space=space)
        )
        tensors = [Tensor(size, np.dtype(dtype), group=group, node=node) for size, dtype in sizes]
        stored = tensors
        if space is not None:
            group.result, *stored = tensors
        for tensor in stored:
            self.store(tensor)
        group.writes = tuple(stored)
        return [View(tensor, 0, contiguous(tensor.size)) for tensor in tensors]


def _aligned(view: View, group: Group, level: str) -> bool:
    """Whether ``view`` of one of the group's own values asks, at every place, for the value made at that place."""
    tensor = view.tensor
    own = tensor.member.level if tensor.member is not None else "element"
    if view.offset:
        return False
    if own == level:
        return bool(view.digits == contiguous(tensor.size))
    if own == "row" and level == "element":
        return bool(view.digits == tidy(((group.rows, 1), (group.columns or 1, 0))))
    return False


def _level_of(view: View, group: Group, level: str) -> str:
    """The level at which a value has to be computed in ``group`` so that ``view`` finds it; nothing if it cannot."""
    if view.is_whole and view.tensor.size == (group.size if level == "element" else group.rows):
        return level
    columns = group.columns or 1
    per_row = view.offset == 0 and view.digits == tidy(((group.rows, 1), (columns, 0)))
    return "row" if group.columns and level == "element" and per_row else ""


def _fits(group: Group, more: Sequence[Any]) -> bool:
    """Whether the index space of ``group`` can be split so that every view has strides, the vectors' axis whole."""
    digits = [*group.digits, *more]
    border = group.space or ((group.rows, group.columns) if group.columns else (group.size,))
    if refined(border, *digits) is None:
        return False
    if group.kind == "loops" and not group.columns:
        return True
    inner = group.columns or (group.space[-1] if group.space else group.size)
    return all(_one_stride(each, inner) for each in digits)


def _one_stride(digits: Any, inner: int) -> bool:
    """Whether the last ``inner`` elements of every row stand at even distances."""
    n, stride = digits[-1] if digits else (1, 0)
    if n % inner == 0 or inner == 1:
        return True
    return stride == 0 and len(digits) == 1


def _distance(tensor: Tensor) -> float:
    """How many times as much ``tensor`` costs to write and read as one that stays in the near caches."""
    return FAR if tensor.nbytes >= LARGE else 1.0


def constant(value: Any, node: Node | None = None) -> View:
    """A value known when the plan is made; one repeated number takes the memory of one."""
    array = np.asarray(value)
    if array.size and _is_one_number(array):
        one = array.reshape(-1)[:1].copy() if array.ndim else array.reshape(1)
        return View(Tensor(1, array.dtype, "constant", data=one, node=node), 0, tidy(((array.size, 0),)))
    tensor = Tensor(array.size, array.dtype, "constant", data=np.ascontiguousarray(array), node=node)
    return View(tensor, 0, contiguous(array.size))


def _is_one_number(array: np.ndarray[Any, Any]) -> bool:
    """Whether every element has the same bits."""
    if not any(array.strides[k] for k in range(array.ndim) if array.shape[k] > 1):
        return True
    if array.size > 1 << 16:
        return False
    data = np.ascontiguousarray(array).tobytes()
    return data == data[: array.itemsize] * array.size
