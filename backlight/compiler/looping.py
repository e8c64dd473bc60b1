"""Loops: a scan becomes a group with a plan of its own for one step, whose carries have memory of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.plan import Group, Member, Plan, Tensor, constant, expanded
from backlight.compiler.views import View, contiguous, over, refined, tidy
from backlight.graph import Graph, Node
from backlight.primitive import Loop

__all__ = ["LoopCore", "loop", "own"]

MANY = 4  # steps for which it pays to copy what all of them read into the order in which they read it


@dataclass(eq=False, slots=True)
class LoopCore:
    """A loop: ``body`` is the plan of one step, whose carries have memory of their own.

    It runs ``length`` steps, if ``open_ended`` as many as it is told, or as long as the plan ``condition`` leaves
    something else than 0 in ``flag``.
    """

    body: Plan
    length: int = 0
    reverse: bool = False
    open_ended: bool = False
    rows: Sequence[Tensor] = ()  # what stands, in the body, at the current row of another tensor
    condition: Plan | None = None
    flag: Tensor | None = None
    offset: int = 0  # where the body's own memory begins, in that of the plan around it

    @property
    def plans(self) -> list[Plan]:
        return [self.body] if self.condition is None else [self.condition, self.body]

    @property
    def number(self) -> int:
        return id(self)


def loop(lowered: Callable[..., Plan], made: Plan, node: Node, kernel: Loop, views: Sequence[View]) -> Any:
    """A scan. Only what somebody reads is computed: unread rows, sums and histories leave no trace in the body."""
    if kernel.kind != "scan":
        return _while(lowered, made, node, views)
    whole, layout = node.params["body"].graph, node.params["layout"]
    carries, stepped, length = layout.carries, layout.carries + layout.sequences, layout.length
    ends, terms = len(whole.outputs), len(whole.outputs) - layout.sums
    read = [k for k in range(ends) if k < carries or k in made.read[node]]
    body = Graph(whole.inputs, [whole.outputs[k] for k in read])
    for view in views:
        made.store(view.tensor)
    summed = {k: whole.outputs[k] for k in read if k >= terms}
    kept = {k: Tensor(prod(each.shape), each.dtype, "arena", node=each) for k, each in enumerate(body.inputs[:carries])}
    kept |= {k: Tensor(prod(each.shape), each.dtype, "arena", node=each) for k, each in summed.items()}
    starts = dict(enumerate(views[:carries]))
    starts |= {k: constant(np.zeros(each.shape, each.dtype)) for k, each in summed.items()}
    _start(made, starts, kept)
    rows: list[Tensor] = []
    inputs = [_all_of(kept[k]) for k in range(carries)]
    for view, each in zip(views[carries:stepped], body.inputs[carries:], strict=False):
        inputs.append(_row_of(made, view, each, length, rows, node))
    same = views[stepped:] if length >= MANY else ()
    inner = lowered(body, [*inputs, *views[stepped:]], made, same)
    found = dict(zip(read, inner.outputs, strict=True))
    found |= {ends + k: inner.laid_out(_all_of(kept[k]), body.inputs[k]) for k in range(carries)}
    stacked: dict[int, Tensor] = {}
    for k, view in found.items():
        if k in made.read[node] and (carries <= k < terms or k >= ends):
            each = whole.outputs[k] if k < ends else body.inputs[k - ends]
            stacked[k] = Tensor(prod(each.shape) * length, each.dtype, "arena", node=each)
            row = own(inner, view, each)
            row.home, row.base, row.offset = "row", stacked[k], prod(each.shape) * each.dtype.itemsize
            rows.append(row)
    for k, each in summed.items():
        found[k] = inner.map(("add", "x0", "x1"), [_all_of(kept[k]), found[k]], each.dtype, kept[k].size, each)
    news = [own(inner, found[k], whole.outputs[k], for_carry=True) for k in kept]
    _carry(inner, list(kept.values()), news)
    core = LoopCore(inner, length, layout.reverse, layout.open_ended, tuple(rows))
    for row in rows:
        row.number = core.number
    read_rows = [_all_of(view.tensor.base) if view.tensor in rows else view for view in inputs[carries:]]
    reads = (*map(_all_of, kept.values()), *read_rows, *_outside(inner, rows))
    group = made.insert(Group("loop", 0, core=core, reads=reads, node=node))
    group.writes = (*kept.values(), *stacked.values())
    for tensor in group.writes:
        tensor.group = group
    return {k: _all_of(tensor) for k, tensor in (kept | stacked).items()}


def _while(lowered: Callable[..., Plan], made: Plan, node: Node, views: Sequence[View]) -> Any:
    """A loop that looks at its condition before every step; the last carry counts the steps."""
    condition, body = node.params["condition"].graph, node.params["body"].graph
    carries, watched = node.params["carries"], node.params["watched"]
    for view in views:
        made.store(view.tensor)
    inputs = body.inputs[:carries]
    kept = {k: Tensor(prod(each.shape), each.dtype, "arena", node=each) for k, each in enumerate(inputs)}
    kept[carries] = Tensor(1, np.dtype(np.int64), "arena", node=node)
    _start(made, {**dict(enumerate(views[:carries])), carries: constant(np.int64(0))}, kept)
    now = [_all_of(kept[k]) for k in range(carries)]
    test = lowered(condition, [*now, *views[carries : carries + watched]])
    flag = Tensor(1, np.dtype(bool), "arena", node=node)
    truth = test.map(("truth", "x0"), test.outputs, np.dtype(bool), 1, condition.outputs[0])
    _copied(test, truth, flag)
    inner = lowered(body, [*now, *views[carries + watched :]])
    counted = inner.map(("add", "x0", 1), [_all_of(kept[carries])], np.dtype(np.int64), 1, node)
    found = [*zip(inner.outputs, body.outputs, strict=True), (counted, node)]
    _carry(inner, list(kept.values()), [own(inner, view, each, for_carry=True) for view, each in found])
    core = LoopCore(inner, condition=test, flag=flag)
    reads = (*map(_all_of, kept.values()), *_outside(test, ()), *_outside(inner, ()))
    group = made.insert(Group("loop", 0, core=core, reads=reads, node=node))
    group.writes = (*kept.values(), flag)
    for tensor in group.writes:
        tensor.group = group
    return {k: _all_of(tensor) for k, tensor in kept.items()}


def _start(made: Plan, starts: dict[int, View], kept: dict[int, Tensor]) -> None:
    """Every carry begins as a copy, or where its start stands if that may be overwritten."""
    for k, tensor in kept.items():
        if starts[k].tensor.donated and starts[k].is_whole:
            tensor.alias = starts[k].tensor
        else:
            _copied(made, starts[k], tensor)


def _all_of(tensor: Tensor) -> View:
    return View(tensor, 0, contiguous(tensor.size))


def _row_of(made: Plan, view: View, each: Node, length: int, rows: list[Tensor], node: Node) -> View:
    """The view, in the body, of the row of ``view`` that the current step reads."""
    size = prod(each.shape)
    if length <= 1 or size == 0:
        made.store(view.tensor)
        return View(view.tensor, view.offset, view.digits) if length else constant(np.zeros(each.shape, each.dtype))
    lengths = refined(view.digits, ((length, 1), (size, 1)))
    if lengths is None or prod(lengths[1:]) != size:
        view = made.laid_out(view, node)
        lengths = (length, size) if size > 1 else (length,)
    made.store(view.tensor)
    strides = over(view.digits, lengths)
    row = Tensor(size, each.dtype, "row", base=view.tensor, offset=strides[0] * each.dtype.itemsize, node=each)
    rows.append(row)
    return View(row, view.offset, tidy(tuple(zip(lengths[1:], strides[1:], strict=True))))


def own(inner: Plan, view: View, each: Node, *, for_carry: bool = False) -> Tensor:
    """A tensor made in this plan that holds just ``view`` and has no other duty.

    What a loop leaves behind cannot become a carry: its memory is written before the loop begins.
    """
    tensor: Tensor = view.tensor
    inner.settle(tensor)
    mine = tensor.group is not None and inner.made_here(tensor)
    if for_carry and tensor.group is not None and tensor.group.kind in ("loop", "join"):
        mine = False
    if not (mine and view.is_whole and tensor.home in ("", "arena") and tensor.alias is None):
        tensor = inner.copied(view, each)
    tensor.home = "arena"
    return tensor


def _carry(inner: Plan, kept: Sequence[Tensor], news: Sequence[Tensor]) -> None:
    """Each new carry takes over the memory of the old one, or is copied there at the end of the step."""
    taken: set[Tensor] = set()
    for old, new in zip(kept, news, strict=True):
        if new not in taken and new.home == "arena" and _overwrites(inner, old, new):
            new.alias = old
            taken.add(new)
        else:
            _copied(inner, View(new, 0, contiguous(new.size)), old)


def _copied(made: Plan, source: View, target: Tensor) -> None:
    """A group that copies ``source`` into the memory of ``target``."""
    if target.size:
        group = made.insert(Group("loops", target.size))
        tensor = Tensor(target.size, target.dtype, "arena", group=group, alias=target, node=target.node)
        member = Member("x0", (expanded(source, target.size),), tensor, "element", node=target.node)
        made.enter(group, member)


def _overwrites(inner: Plan, old: Tensor, new: Tensor) -> bool:
    """Whether ``new`` may be written where ``old`` stands: everybody else must have read ``old`` by then."""
    group = new.group
    assert group is not None
    readers = [each for each in inner.reading.get(old, ()) if each is not group]
    last = max((each.position for each in readers), default=-1)
    if last > group.position and not _delayed(inner, group, last):
        return False
    if any(v.tensor is old for v in group.reads):
        return False
    own = [v for m in group.members for v in m.inputs if v.tensor is old]
    level = new.member.level if new.member is not None else "element"
    return all(v.is_whole for v in own) and (level == "element" or not own) and not _crosses(group, old, new)


def _crosses(group: Group, old: Tensor, new: Tensor) -> bool:
    """Whether some member reads ``old`` at a later stage than the one in which ``new`` is written over it."""
    stage = new.member.stage if new.member is not None else 0
    return any(m.stage > stage for m in group.members for v in m.inputs if v.tensor is old) or (
        any(m.level != "element" for m in group.members for v in m.inputs if v.tensor is old)
    )


def _delayed(inner: Plan, group: Group, last: int) -> bool:
    """Move ``group`` behind position ``last`` if nobody in between waits for it."""
    mine = {group.result, *group.writes, *(m.tensor for m in group.members)}
    between = inner.groups[group.position + 1 : last + 1]
    if any(v.tensor in mine for g in between for v in _views(g)):
        return False
    overwritten = {m.tensor.alias for g in between for m in g.members} | {g.result.alias for g in between if g.result}
    if any(v.tensor in overwritten for v in _views(group)):
        return False
    inner.groups.remove(group)
    inner.groups.insert(last, group)
    for position, each in enumerate(inner.groups):
        each.position = position
    return True


def _views(group: Group) -> list[View]:
    """Everything that the group reads from memory, loops inside it included."""
    return [*group.reads, *group.external()]


def _outside(inner: Plan, rows: Sequence[Tensor]) -> list[View]:
    """What the groups of a body read from memory that no group of the body made."""
    own = {t for g in inner.groups for t in (g.result, *g.writes, *(m.tensor for m in g.members))}.union(rows)
    found = [v for g in inner.groups for v in _views(g)]
    return [v for v in found if v.tensor not in own and v.tensor.home != "constant"]
