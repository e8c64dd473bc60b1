"""From nodes to groups: one entry per kind of kernel says how a plan computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.expression import compilable, unsupported
from backlight.compiler.kernels import Access, Product, merged
from backlight.compiler.moves import move, rearrange, transposed
from backlight.compiler.plan import Group, Member, Plan, Tensor, Uncompilable, constant, expanded
from backlight.compiler.views import View, contiguous, over, refined, tidy
from backlight.graph import Graph, Node
from backlight.primitive import (
    REGISTRY,
    Contract,
    Elementwise,
    Library,
    Loop,
    Map,
    Move,
    Piece,
    Reduce,
)

__all__ = ["LoopCore", "plan"]

Shape = tuple[int, ...]

PARTS = 64  # into how many pieces a long reduction with few results is cut
LONG = 1 << 15  # elements from which that pays


def plan(graph: Graph, inputs: Sequence[View]) -> Plan:
    """The plan of ``graph`` with its inputs standing at ``inputs``. Raises ``Uncompilable``."""
    made = Plan()
    made.values.update(zip(graph.inputs, inputs, strict=True))
    moving = set(graph.inputs)
    for node in graph.nodes:
        if node.primitive is REGISTRY.item:
            made.read.setdefault(node.inputs[0], set()).add(node.params["k"])
    for node in graph.nodes:
        if node in moving:
            continue
        if any(node_in in moving for node_in in node.inputs):
            moving.add(node)
            made.values[node] = _lowered(made, node)
        elif node.shape is not None:
            made.values[node] = constant(node.value, node)
        else:
            made.values[node] = tuple(constant(value, node) for value in node.value)
    made.outputs = [made.values[node] for node in graph.outputs]
    return made


def _lowered(made: Plan, node: Node) -> Any:
    primitive = node.primitive
    assert primitive is not None
    views = [made.values[node_in] for node_in in node.inputs]
    if primitive is REGISTRY.item:
        return views[0][node.params["k"]]
    for each in (*node.inputs, node):
        if each.dtype is not None and not compilable(each.dtype):
            raise Uncompilable(node, f"{each.dtype}")
    if node.shape is not None and prod(node.shape) == 0:
        return constant(np.zeros(node.shape, node.dtype), node)
    if isinstance(primitive, Elementwise):
        return _map(made, node, primitive.kernel, views)
    kernel = primitive.kernel(*[node_in.shape for node_in in node.inputs], **node.params)
    return _LOWERINGS[type(kernel)](made, node, kernel, views)


def _map(made: Plan, node: Node, kernel: Map, views: Sequence[View]) -> View:
    missing = unsupported(kernel.expression, [node_in.dtype for node_in in node.inputs])
    if missing:
        raise Uncompilable(node, missing)
    if kernel.expression == "x0" and node.inputs[0].dtype == node.dtype:
        return views[0]
    return made.map(kernel.expression, views, node.dtype, prod(node.shape), node)


# -- Reductions ----------------------------------------------------------------------------------------------------


def _reduce(made: Plan, node: Node, kernel: Reduce, views: Sequence[View]) -> View:
    (x,) = node.inputs
    (view,) = views
    if prod(x.shape) == 0:
        assert node.primitive is not None
        return constant(node.primitive.value(np.zeros(x.shape, x.dtype), **node.params), node)
    if kernel.scan or kernel.combine in ("argmax", "argmin"):
        return made.core("sweep", (kernel, x.shape), [view], [(prod(node.shape), node.dtype)], node)[0]
    rows = _Rows(made, view, x.shape, kernel.axes, node)
    if kernel.combine == "logaddexp":
        top, finite = _finite_top(rows, node.dtype)
        weights = rows.map(("exp", ("sub", "x0", "x1")), [rows.view, rows.spread(finite)], node.dtype)
        total = rows.fold("add", weights, node.dtype)
        return rows.per_row(("add", ("log", "x0"), "x1"), [total, finite], node.dtype)
    if kernel.combine == "hypot":
        squares = rows.map(("mul", "x0", "x0"), [rows.view], node.dtype)
        return rows.per_row(("sqrt", "x0"), [rows.fold("add", squares, node.dtype)], node.dtype)
    truth = kernel.combine.startswith("logical")
    if x.dtype != node.dtype or truth:
        rows.view = rows.map(("truth", "x0") if truth else "x0", [rows.view], node.dtype)
    return rows.fold(kernel.combine, rows.view, node.dtype)


def _finite_top(rows: _Rows, dtype: Any) -> tuple[View, View]:
    """The largest element of every row, and the same with 0 in place of ±∞, so that subtracting it is harmless."""
    top = rows.fold("maximum", rows.view, dtype)
    return top, rows.per_row(("select", ("isinf", "x0"), 0, "x0"), [top], dtype)


class _Rows:
    """A value seen as rows: kept axes first, the folded ones inside."""

    def __init__(self, made: Plan, view: View, shape: Shape, axes: Shape, node: Node) -> None:
        kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
        self.made = made
        self.node = node
        self.shape = shape
        self.order = (*kept, *sorted(axes))
        self.count = prod(shape[axis] for axis in kept)
        self.length = prod(shape[axis] for axis in axes)
        self.view = transposed(made, view, shape, self.order, node)

    def map(self, expression: Any, views: Sequence[View], dtype: Any) -> View:
        return self.made.map(expression, views, dtype, self.count * self.length, self.node)

    def per_row(self, expression: Any, views: Sequence[View], dtype: Any) -> View:
        return self.made.map(expression, views, dtype, self.count, self.node)

    def spread(self, view: View) -> View:
        """One value per row, repeated along it."""
        piece = Piece(0, (self.count, self.length), 0, (1, 0), 0, (self.length, 1))
        return rearrange(self.made, view, piece, self.node)

    def back(self, view: View) -> View:
        """Elements in the order of rows, in the order of the original axes again."""
        shape = tuple(self.shape[axis] for axis in self.order)
        inverse = tuple(int(k) for k in np.argsort(self.order))
        return transposed(self.made, view, shape, inverse, self.node)

    def fold(self, combine: str, view: View, dtype: Any) -> View:
        count, length = self.count, self.length
        if length == 1:
            return view
        parts = _parts(count, length)
        if parts > 1:
            first = self._fold(combine, view, count * parts, length // parts, dtype)
            return self._fold(combine, first, count, parts, dtype)
        return self._fold(combine, view, count, length, dtype)

    def _fold(self, combine: str, view: View, rows: int, columns: int, dtype: Any) -> View:
        inner = view.digits[-1][1] if view.digits else 1
        if abs(inner) == 1 or inner == 0 or rows == 1 or columns <= 4:
            return self.made.fold(combine, view, rows, columns, dtype, self.node)
        return self.made.reduce(combine, view, rows, dtype, self.node)


def _parts(count: int, length: int) -> int:
    """Into how many parts each of ``count`` long sums is cut, so that several threads can share the work."""
    if count * length < LONG or count >= PARTS:
        return 1
    return max(d for d in range(1, min(PARTS, length) + 1) if length % d == 0)


def _softmax(made: Plan, node: Node, views: Sequence[View]) -> View:
    axes = node.params["axis"]
    rows = _Rows(made, views[0], node.shape, (axes,) if isinstance(axes, int) else tuple(axes), node)
    top, finite = _finite_top(rows, node.dtype)
    infinite = ("select", ("ge", "x0", float("inf")), 1.0, 0.0)  # ∞ takes all, shared among the infinite ones
    weight = ("select", ("eq", "x1", float("inf")), infinite, ("exp", ("sub", "x0", "x2")))
    weights = rows.map(weight, [rows.view, rows.spread(top), rows.spread(finite)], node.dtype)
    total = rows.fold("add", weights, node.dtype)
    safe = rows.per_row(("select", ("eq", "x0", 0.0), 1.0, "x0"), [total], node.dtype)
    return rows.back(rows.map(("div", "x0", "x1"), [weights, rows.spread(safe)], node.dtype))


# -- Products ------------------------------------------------------------------------------------------------------


def _contract(made: Plan, node: Node, kernel: Contract, views: Sequence[View]) -> View:
    operands = [
        (view, labels, node_in.shape) for view, labels, node_in in zip(views, kernel.inputs, node.inputs, strict=True)
    ]
    if node.dtype.kind not in "fiu":
        raise Uncompilable(node, f"{node.dtype}")
    if any(node_in.dtype != node.dtype for node_in in node.inputs):
        raise Uncompilable(node, "operands of several dtypes")
    while len(operands) > 1:
        first, second, *rest = operands
        wanted = set(kernel.output).union(*(labels for _, labels, _ in rest))
        operands = [product(made, node, first, second, kernel.output if not rest else None, wanted), *rest]
    ((view, labels, shape),) = operands
    return transposed(made, view, shape, [labels.index(label) for label in kernel.output], node)


def product(
    made: Plan, node: Node, first: Any, second: Any, output: Shape | None, wanted: set[int]
) -> tuple[View, Shape, Shape]:
    """Two labelled operands contracted over the labels that are not ``wanted``; the result with its labels."""
    if output and output[-1] in first[1] and output[-1] not in second[1]:
        first, second = second, first  # vectors run along the last axis of the output
    (x, x_labels, x_shape), (w, w_labels, w_shape) = first, second
    size = dict(zip((*x_labels, *w_labels), (*x_shape, *w_shape), strict=True))
    order = output or tuple(sorted(wanted.intersection(size)))
    batch = tuple(k for k in order if k in x_labels and k in w_labels)
    rows = tuple(k for k in order if k in x_labels and k not in w_labels)
    columns = tuple(k for k in order if k in w_labels and k not in x_labels)
    inner = tuple(k for k in x_labels if k in w_labels and k not in order)
    x_digits, w_digits = _by_label(x, x_labels, x_shape), _by_label(w, w_labels, w_shape)
    if x_digits is None:
        x = made.laid_out(x, node)
        x_digits = _by_label(x, x_labels, x_shape)
    if w_digits is None:
        w = made.laid_out(w, node)
        w_digits = _by_label(w, w_labels, w_shape)
    assert x_digits is not None
    assert w_digits is not None
    axes: dict[int, Shape] = {}
    for label, length in size.items():
        both = [tuple(n for n, _ in digits[label]) for digits in (x_digits, w_digits) if label in digits]
        split = refined(*both, (length,))
        if split is None:  # the operands split this axis in ways that do not go together
            return product(made, node, (made.laid_out(x, node), x_labels, x_shape), second, output, wanted)
        axes[label] = split

    def strides(digits: dict[int, Any], labels: Shape) -> Shape:
        return tuple(s for label in labels for s in over(digits[label], axes[label]))

    def lengths(labels: Shape) -> Shape:
        return tuple(n for label in labels for n in axes[label])

    b, (xb, wb) = merged(lengths(batch), (strides(x_digits, batch), strides(w_digits, batch)))
    i, (xi,) = merged(lengths(rows), (strides(x_digits, rows),))
    j, (wj,) = merged(lengths(columns), (strides(w_digits, columns),))
    k, (xk, wk) = merged(lengths(inner), (strides(x_digits, inner), strides(w_digits, inner)))
    left, right = Access(0, x.offset, (*xb, *xi, *xk)), Access(1, w.offset, (*wb, *wk, *wj))
    core = Product(b, i, j, k, left, right, node.dtype)
    (y,) = made.core("product", core, [x, w], [(prod(size[k] for k in order), node.dtype)], node)
    labels = (*batch, *rows, *columns)
    return y, labels, tuple(size[label] for label in labels)


def _by_label(view: View, labels: Shape, shape: Shape) -> dict[int, Any] | None:
    """The digits of each labelled axis; ``None`` where a digit runs across several axes."""
    lengths = refined(view.digits, shape)
    if lengths is None:
        return None
    strides = list(over(view.digits, lengths))
    rest = list(lengths)
    found: dict[int, Any] = {}
    for label, length in reversed(list(zip(labels, shape, strict=True))):
        digits: list[tuple[int, int]] = []
        while length > 1:
            n = rest.pop()
            digits.append((n, strides.pop()))
            length //= n
        found[label] = tuple(reversed(digits))
    return found


# -- Loops ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class LoopCore:
    """A loop of ``length`` steps: ``body`` is the plan of one, whose carries have memory of their own."""

    body: Plan
    length: int
    reverse: bool
    rows: list[Tensor]  # what stands, in the body, at the current row of another tensor
    offset: int = 0  # where the body's own memory begins, in that of the plan around it

    @property
    def number(self) -> int:
        return id(self)


def _loop(made: Plan, node: Node, kernel: Loop, views: Sequence[View]) -> Any:
    """A scan. Only what somebody reads is computed: unread rows, sums and histories leave no trace in the body."""
    if kernel.kind != "scan":
        raise Uncompilable(node, "while_loop")
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
    for k, tensor in kept.items():
        if starts[k].tensor.donated and starts[k].is_whole:
            tensor.alias = starts[k].tensor
        else:
            _copied(made, starts[k], tensor)
    rows: list[Tensor] = []
    inputs = [_all_of(kept[k]) for k in range(carries)]
    for view, each in zip(views[carries:stepped], body.inputs[carries:], strict=False):
        inputs.append(_row_of(made, view, each, length, rows, node))
    inner = plan(body, [*inputs, *views[stepped:]])
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
    core = LoopCore(inner, length, layout.reverse, rows)
    for row in rows:
        row.number = core.number
    reads = (*map(_all_of, kept.values()), *views[carries:stepped], *_outside(inner, rows))
    group = made.insert(Group("loop", 0, core=core, reads=reads, node=node))
    group.writes = (*kept.values(), *stacked.values())
    for tensor in group.writes:
        tensor.group = group
    return {k: _all_of(tensor) for k, tensor in (kept | stacked).items()}


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
    tensor = view.tensor
    inner.settle(tensor)
    mine = tensor.group is not None and inner.made_here(tensor)
    if for_carry and tensor.group is not None and tensor.group.kind in ("loop", "join"):
        mine = False
    if not (mine and view.is_whole and tensor.home in ("", "arena") and tensor.alias is None):
        tensor = inner.laid_out(view, each).tensor
        inner.settle(tensor)
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
    readers = [g for g in inner.groups if g is not group and any(v.tensor is old for v in _views(g))]
    last = max((g.position for g in readers), default=-1)
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


# -- The table -----------------------------------------------------------------------------------------------------


def _library(made: Plan, node: Node, kernel: Library, views: Sequence[View]) -> View:
    if kernel.routine == "softmax":
        return _softmax(made, node, views)
    raise Uncompilable(node, kernel.routine)


_LOWERINGS: dict[type, Callable[..., Any]] = {
    Map: _map,
    Move: move,
    Reduce: _reduce,
    Contract: _contract,
    Loop: _loop,
    Library: _library,
}
