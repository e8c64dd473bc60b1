"""Loops over traced values: ``scan``, ``while_loop``, ``fori_loop`` and ``cond``.

A Python ``for`` works too: it records every step as nodes of its own. ``scan`` records one node however many steps
there are, and its gradient is one node as well. The body is traced on the first step's values and, to be sure that it
is the same mapping every time, once more on the second step's. Where Python reads a traced value inside the body
(``if x > 0``), or the two traces differ, the loop runs as an ordinary Python loop instead: slower, and always right.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array, as_array
from backlight.batching import run_batched
from backlight.custom import opened
from backlight.differentiate import pull_back
from backlight.errors import ArgumentError, DTypeError, ShapeError, message
from backlight.graph import Graph, Node, reachable
from backlight.interpret import Executor, replay
from backlight.lifting import function_name, labels
from backlight.ops.loop import SAMPLES, Layout
from backlight.primitive import REGISTRY, Sample
from backlight.trace import Trace, constant, deriving, input_node, state, user_source
from backlight.tree import Structure, flatten, unflatten
from backlight.variable import Bindings

__all__ = ["Body", "cond", "fori_loop", "scan", "while_loop"]


# -- Bodies ------------------------------------------------------------------------------------------------------


class Back(NamedTuple):
    """The body of the reverse loop, and what its parts are in terms of the forward loop.

    ``carried`` are the carries whose gradients go from step to step, ``targets`` the inputs of the forward loop that
    the outputs of the reverse loop belong to, ``sums`` how many of those are summed over the steps.
    """

    body: Body
    carried: tuple[int, ...]
    targets: tuple[int, ...]
    sums: int


class Body:
    """One step of a loop: a graph from (carry…, x…, captured…) to (carry…, y…, term…), which can run many times."""

    __slots__ = ("_backward", "_batched", "_executor", "graph")
    __hash__ = None  # type: ignore[assignment]  # made anew for every trace: no key to remember anything by

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._executor: Executor | None = None  # not needed where the loop is compiled
        self._backward: dict[Any, Back | None] = {}
        self._batched: dict[Any, Body] = {}

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        if self._executor is None:
            self._executor = Executor(self.graph)
        return self._executor(*inputs)

    def __repr__(self) -> str:
        return f"<body of {len(self.graph)} nodes>"

    def batched(self, varying: tuple[bool, ...], size: int) -> Body:
        """The same step for ``size`` examples at once; the inputs that are ``varying`` have a leading axis of them."""
        key = (varying, size)
        if key not in self._batched:

            def step() -> tuple[list[Array], list[Array]]:
                points = _examples_of(self.graph.inputs, varying, size)
                return points, run_batched(self.graph, points, size, varying)

            self._batched[key] = _recorded(step)
        return self._batched[key]

    def for_each(self, condition: Body, varying: tuple[tuple[bool, ...], ...], size: int) -> tuple[Body, Body]:
        """A condition and a step for a ``while_loop`` over ``size`` examples, each of which runs as long as it has to.

        ``varying`` tells of the carries, of what the condition watches and of what the step captures, which examples
        share. The carries are followed by the number of steps that each example took, and the captured values by the
        watched ones: the step asks the condition which examples still run.
        """
        carried, seen, captured = varying
        count = len(carried)
        inputs, watched = self.graph.inputs, condition.graph.inputs[count:]

        def running(points: Sequence[Array], watching: Sequence[Array]) -> Array:
            (alive,) = run_batched(condition.graph, [*points, *watching], size, (*carried, *seen))
            return REGISTRY.cast(alive, dtype=np.dtype(bool))  # type: ignore[no-any-return]

        def start() -> list[Array]:
            steps = Array(input_node(np.zeros(size, np.int64), None))
            return [*_examples_of(inputs[:count], carried, size), steps]

        def test() -> tuple[list[Array], list[Array]]:
            points, watching = start(), _examples_of(watched, seen, size)
            return [*points, *watching], [REGISTRY.any(running(points[:count], watching), axis=(0,))]

        def step() -> tuple[list[Array], list[Array]]:
            points, watching = start(), _examples_of(watched, seen, size)
            own = _examples_of(inputs[count:], captured, size)
            alive = running(points[:count], watching)
            moved = run_batched(self.graph, [*points[:count], *own], size, (*carried, *captured))
            now = [_where_alive(alive, new, old) for new, old in zip(moved, points, strict=False)]
            counted = points[count] + REGISTRY.cast(alive, dtype=np.dtype(np.int64))
            return [*points, *own, *watching], [*now, counted]

        return _recorded(test), _recorded(step)

    def backward(self, layout: Layout, needed: tuple[bool, ...], present: tuple[bool, ...]) -> Back | None:
        """The body of the reverse loop for the inputs that are ``needed``, where gradients are ``present``.

        ``None`` where a rule read a value (a ``while_loop`` inside reads its number of steps), since that body holds
        for one step only.
        """
        key = (layout.carries, layout.sequences, layout.sums, needed, present)
        if key not in self._backward:
            self._backward[key] = self._reversed(layout, needed, present)
        return self._backward[key]

    def _reversed(self, layout: Layout, needed: tuple[bool, ...], present: tuple[bool, ...]) -> Back | None:
        inputs, outputs = self.graph.inputs, self.graph.outputs
        carries, terms = layout.carries, len(outputs) - layout.sums
        carried = tuple(k for k in range(carries) if inputs[k].dtype.kind in "fc")
        rest = tuple(k for k in range(carries, len(inputs)) if needed[k])
        with Trace("the reverse of a loop") as trace, deriving(None), np.errstate(all="ignore"):
            start = [_probe(inputs[k]) for k in carried]
            points = [Array(input_node(node.value, node.name)) for node in inputs]
            rows = {k: _probe(outputs[k]) for k in range(carries, terms) if present[k]}
            totals = {k: _probe(outputs[k]) for k in range(terms, len(outputs)) if present[k]}
            at_befores = {k: _probe(inputs[k]) for k in carried if present[len(outputs) + k]}
            seeds = {**dict(zip(carried, start, strict=True)), **rows, **totals}
            found = _pulled(replay(self.graph, points), seeds, [points[k] for k in (*carried, *rest)])
            for position, k in enumerate(carried):
                if k in at_befores:
                    found[position] = found[position] + at_befores[k]
            guarded = bool(trace.guards)
        trace.set_open(False)
        if guarded:
            return None
        stepped = carries + layout.sequences
        feeds = [*start, *points[:stepped], *rows.values(), *at_befores.values(), *points[stepped:], *totals.values()]
        graph = Graph([feed.node for feed in feeds], [gradient.node for gradient in found])
        return Back(Body(graph), carried, (*carried, *rest), sum(k >= stepped for k in rest))

    def backward_unrolled(
        self, layout: Layout, xs: Sequence[Array], befores: Sequence[Array], g: Sequence[Any], needed: Sequence[bool]
    ) -> list[Any]:
        """What ``backward`` does for all steps at once, step by step on the values each step had."""
        carries, terms, ends = layout.carries, len(self.graph.outputs) - layout.sums, len(self.graph.outputs)
        stepped = carries + layout.sequences
        carried = [k for k in range(carries) if xs[k].dtype.kind in "fc"]
        rest = [k for k in range(carries, len(xs)) if needed[k]]
        flowing = {k: g[k] for k in carried if g[k] is not None}
        fixed = {k: g[k] for k in range(terms, ends) if g[k] is not None}
        found: dict[int, Any] = {k: [None] * layout.length if k < stepped else None for k in rest}
        for t in reversed(layout.steps()):
            rows = {k: g[k][t] for k in range(carries, terms) if g[k] is not None}
            points = [before[t] for before in befores] + [x[t] for x in xs[carries:stepped]]
            points = [REGISTRY.identity(point) for point in (*points, *xs[stepped:])]
            wrt = [points[k] for k in (*carried, *rest)]
            pulled = dict(
                zip(
                    (*carried, *rest),
                    _pulled(replay(self.graph, points), {**flowing, **rows, **fixed}, wrt),
                    strict=True,
                )
            )
            flowing = {k: pulled[k] if g[ends + k] is None else pulled[k] + g[ends + k][t] for k in carried}
            for k in rest:
                if k < stepped:
                    found[k][t] = pulled[k]
                else:
                    found[k] = pulled[k] if found[k] is None else found[k] + pulled[k]
        contributions: list[Any] = [flowing.get(k) for k in range(len(xs))]
        for k in rest:
            contributions[k] = _stacked(found[k], xs[k]) if k < stepped else found[k]
        return contributions


def _probe(node: Node) -> Array:
    """A stand-in for the gradient arriving at ``node``."""
    return Array(input_node(np.zeros(node.shape, node.dtype)[()], None))


def _pulled(outputs: Sequence[Array], seeds: dict[int, Array], wrt: Sequence[Array]) -> list[Array]:
    """The gradients of ⟨seeds, outputs⟩ with respect to ``wrt``, zeros where none arrives."""
    found = pull_back([outputs[k].node for k in seeds], list(seeds.values()), [x.node for x in wrt])
    return [found[x.node] if x.node in found else as_array(np.zeros(x.shape, x.dtype)) for x in wrt]


def _stacked(rows: Sequence[Any], like: Any) -> Array:
    """The rows, one under the other; ``like`` has the shape and dtype of the result where there are none."""
    if not rows:
        return as_array(np.zeros(like.shape, like.dtype))
    return REGISTRY.concatenate(*[REGISTRY.reshape(row, shape=(1, *row.shape)) for row in rows], axis=0)  # type: ignore[no-any-return]


def _examples_of(nodes: Sequence[Node], varying: Sequence[bool], size: int) -> list[Array]:
    """Inputs like ``nodes``, those that are ``varying`` once for each example."""
    values = [
        np.broadcast_to(node.value, (size, *node.shape)) if flag else node.value
        for node, flag in zip(nodes, varying, strict=True)
    ]
    return [Array(input_node(value, node.name)) for value, node in zip(values, nodes, strict=True)]


def _where_alive(alive: Array, new: Array, old: Array) -> Array:
    """``new`` for the examples that still run, ``old`` for the others."""
    shape = (alive.shape[0], *(1,) * (new.ndim - 1))
    return REGISTRY.where(REGISTRY.reshape(alive, shape=shape), new, old)  # type: ignore[no-any-return]


def _recorded(step: Callable[[], tuple[Sequence[Array], Sequence[Array]]]) -> Body:
    """The body from the inputs to the outputs that ``step`` makes."""
    with Trace("a loop over examples") as trace, deriving(None), np.errstate(all="ignore"):
        inputs, outputs = step()
    trace.set_open(False)
    return Body(Graph([x.node for x in inputs], [y.node for y in outputs]))


# -- Tracing a body ----------------------------------------------------------------------------------------------


class _Traced(NamedTuple):
    """One step that ran on Arrays: its graph from (carry…, x…), and the nodes of outer traces that it read."""

    body: Body
    captured: tuple[Node, ...]
    form: Structure  # how the leaves that follow the carry are nested
    guarded: bool  # Python read a value made in this step


def _trace(name: str, function: Callable[..., Any], values: Sequence[Any], split: Callable[..., Any]) -> _Traced:
    """Run one step: ``split(function, leaves)`` calls it, checks what came back, and gives its leaves and form."""
    with Trace(name) as trace, Bindings(body=True), deriving(None), np.errstate(all="ignore"):
        since = constant(0).index
        inputs = [input_node(value, None) for value in values]
        leaves, form = split(function, [Array(node) for node in inputs])
        outputs = [as_array(leaf).node for leaf in leaves]
        if state.postpone:  # recorded to be compiled
            outputs = opened(outputs, inputs)
        guarded = any(guard.node.index > since for guard in trace.guards)
        trace.guards = [guard for guard in trace.guards if guard.node.index < since]
    trace.set_open(False)
    captured = _captured(outputs, since)
    return _Traced(Body(Graph((*inputs, *captured), outputs)), captured, form, guarded)


def _captured(outputs: Sequence[Node], since: int) -> tuple[Node, ...]:
    """The nodes older than ``since`` that ``outputs`` were made from, in execution order."""
    behind = dict.fromkeys(node for node in outputs if node.index < since)
    for node in reachable(outputs, since=since):
        behind.update(dict.fromkeys(node_in for node_in in node.inputs if node_in.index < since))
    return tuple(sorted((node for node in behind if node.kind != "constant"), key=lambda node: node.index))


def _same_step(first: _Traced, second: _Traced) -> bool:
    return first.captured == second.captured and _same(first.body, second.body)


def _same(first: Body, second: Body) -> bool:
    """Whether two traces are the same mapping: the same calls with the same parameters on the same constants."""
    one, two = first.graph, second.graph
    if len(one) != len(two) or len(one.inputs) != len(two.inputs):
        return False
    partner = dict(zip(one, two, strict=True))
    ends = ((*one.inputs, *one.outputs), (*two.inputs, *two.outputs))
    if [partner[node] for node in ends[0]] != list(ends[1]):
        return False
    inside = (pair for pair in partner.items() if pair[0] is not pair[1] and pair[0] not in one.inputs)
    return all(_same_node(a, b, partner) for a, b in inside)


def _same_node(a: Node, b: Node, partner: dict[Node, Node]) -> bool:
    if a.primitive is not b.primitive or a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.primitive is None:
        return bool(a.value.tobytes() == b.value.tobytes())
    same_inputs = [partner[node] for node in a.inputs] == list(b.inputs)
    return same_inputs and a.params.keys() == b.params.keys() and all(map(_alike, a.params.values(), b.params.values()))


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, Body) and isinstance(b, Body):
        return _same(a, b)
    return type(a) is type(b) and bool(np.all(a == b))


def _checked_carry(carry: Any, form: Structure, start: Sequence[Any], what: str) -> list[Array]:
    """The leaves of the carry that a body returned; each must be like the one it started from."""
    leaves, came = flatten(carry)
    where = str(user_source() or "")
    if came != form:
        expected, got = (", ".join(labels(structure, "carry")) or "None" for structure in (form, came))
        raise ArgumentError(message("carry_tree", where, what=what, expected=expected, came=got))
    arrays = []
    for leaf, like, name in zip(leaves, start, labels(form, "carry"), strict=True):
        if type(leaf) in (bool, int, float, complex) and np.result_type(like.dtype, leaf) == like.dtype:
            leaf = np.asarray(leaf, like.dtype)
        array = as_array(leaf)
        if array.shape != like.shape:
            raise ShapeError(message("carry_shape", where, what=what, name=name, start=like.shape, came=array.shape))
        if array.dtype != like.dtype:
            raise DTypeError(message("carry_dtype", where, what=what, name=name, start=like.dtype, came=array.dtype))
        arrays.append(array)
    return arrays


def _start(init: Any) -> tuple[list[Array], Structure, bool]:
    """The leaves of the first carry as Arrays, how they are nested, and whether all of them are plain values."""
    leaves, form = flatten(init)
    return [as_array(leaf) for leaf in leaves], form, not any(isinstance(leaf, Array) for leaf in leaves)


# -- Loops -------------------------------------------------------------------------------------------------------


def scan(
    body: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Run ``carry, y = body(carry, x)`` over the rows of ``xs``: returns the last carry and the ys, stacked.

        c₍ₜ₊₁₎, yₜ = body(cₜ, xₜ)   for t = 0 … T-1   (T-1 … 0 with ``reverse=True``)

    ``init``, ``xs``, the carry and ``y`` may be any nesting of dicts, lists, tuples and dataclasses of arrays, or
    ``None``. Every leaf of ``xs`` has the T steps along its first axis; without ``xs``, ``length`` says how many. The
    carry keeps its nesting, shapes and dtypes from step to step. Gradients flow to ``init``, to ``xs`` and to every
    Array that ``body`` reads from outside, such as weights, in reverse and forward mode and to any order. Memory: the
    carries of all steps are kept for the way back, nothing else of the body's.

    >>> import numpy as np
    >>> last, sums = scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(last), sums.tolist()
    (6.0, [1.0, 3.0, 6.0])

    Raises ``ShapeError`` and ``DTypeError`` where a leaf of the carry changes, or the leaves of ``xs`` disagree about
    T, and ``ArgumentError`` where ``body`` does not return a pair, the carry changes its nesting, or T is not given.
    """
    return looped(body, init, xs, length, reverse=reverse)


def looped(
    body: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None, **options: bool
) -> tuple[Any, Any]:
    """``scan`` with any ``options`` of its ``Layout``."""
    carry, form, plain_carry = _start(init)
    columns, x_form, plain_xs = _start(xs)
    layout = Layout(len(carry), len(columns), length=_length(columns, x_form, length), **options)
    name = f"scan of {function_name(body)}"

    def split(function: Any, leaves: Sequence[Array]) -> tuple[list[Any], Structure]:
        result = function(unflatten(form, leaves[: len(carry)]), unflatten(x_form, leaves[len(carry) :]))
        if not isinstance(result, tuple) or len(result) != 2:
            raise ArgumentError(message("scan_pair", what=name, came=type(result).__name__))
        rows, row_form = flatten(result[1])
        return [*_checked_carry(result[0], form, carry, name), *rows], row_form

    def values_at(t: int) -> list[Any]:
        return [
            column.node.value[t]
            if layout.length and not state.postpone
            else np.broadcast_to(np.zeros((), column.dtype), column.shape[1:])[()]
            for column in columns
        ]

    steps = layout.steps()
    traced = _trace(name, body, [*map(_example, carry), *values_at(steps[0] if steps else 0)], split)
    graph = traced.body.graph
    unrolled = bool(steps) and traced.guarded
    if len(steps) > 1 and not unrolled:
        after = [_example(Array(node)) for node in graph.outputs[: len(carry)]]
        again = _trace(name, body, [*after, *values_at(steps[1])], split)
        unrolled = again.guarded or not _same_step(traced, again)
    leaves: Sequence[Any]
    if unrolled:
        leaves, y_form, from_outside = _scan_unrolled(name, body, carry, columns, layout, split)
        if plain_carry and plain_xs and not from_outside:
            leaves = [_plain(leaf) for leaf in leaves]
    else:
        y_form = traced.form
        is_plain = plain_carry and plain_xs and not traced.captured
        inputs: list[Any] = [*carry, *columns, *map(Array, traced.captured)]
        if is_plain:
            inputs = [x.node.value for x in inputs]
        leaves = REGISTRY.scan(*inputs, body=traced.body, layout=layout._replace(history=not is_plain))
    return unflatten(form, leaves[: len(carry)]), unflatten(y_form, leaves[len(carry) :])


def _example(x: Array) -> Any:
    """A value to trace a step with: the one that is there, or any, while values are not asked for."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)[()] if state.postpone else x.node.value


def _plain(x: Array) -> Any:
    return x.numpy() if x.shape else x.node.value


def _length(columns: Sequence[Array], form: Structure, length: int | None) -> int:
    """The number of steps, on which ``length`` and all leaves of xs must agree."""
    where = str(user_source() or "")
    names = labels(form, "xs")
    for column, name in zip(columns, names, strict=True):
        if not column.shape:
            raise ShapeError(message("scan_scalar", where, name=name))
    lengths = {name: column.shape[0] for column, name in zip(columns, names, strict=True)}
    if length is not None:
        lengths["length"] = operator.index(length)
    if not lengths:
        raise ArgumentError(message("scan_length", where))
    if len(set(lengths.values())) > 1 or min(lengths.values()) < 0:
        came = ", ".join(f"{name}: {count}" for name, count in lengths.items())
        raise ShapeError(message("scan_lengths", where, came=came))
    return next(iter(lengths.values()))


def _scan_unrolled(
    name: str, body: Any, carry: Sequence[Array], columns: Sequence[Array], layout: Layout, split: Callable[..., Any]
) -> tuple[list[Array], Structure, bool]:
    """The same by an ordinary Python loop; also whether something from outside was read."""
    since = constant(0).index
    rows: dict[int, list[Array]] = {}
    forms = []
    now = list(carry)
    for t in layout.steps():
        leaves, form = split(body, [*now, *[column[t] for column in columns]])
        now = leaves[: layout.carries]
        rows[t] = [as_array(leaf) for leaf in leaves[layout.carries :]]
        forms.append(form)
        first = rows[layout.steps()[0]]
        if form != forms[0] or [(x.shape, x.dtype) for x in rows[t]] != [(x.shape, x.dtype) for x in first]:
            raise ShapeError(message("scan_rows", str(user_source() or ""), what=name, step=t))
    stacked = [_stacked(list(column), None) for column in zip(*[rows[t] for t in range(layout.length)], strict=True)]
    known = {x.node for x in (*carry, *columns)}
    outside = set(_captured([x.node for x in (*now, *stacked)], since)) - known
    return [*now, *stacked], forms[0], bool(outside)


def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """Run ``carry = body(carry)`` as long as ``condition(carry)`` is true, and return the last carry.

    The carry may be any nesting of arrays, and keeps its nesting, shapes and dtypes. How many steps it takes depends on
    the values; gradients flow back through just the steps that ran. Nothing is remembered on the way forward: when a
    gradient is asked for, the loop (whose length is known by then) runs once more as a ``scan`` that keeps its carries.

    >>> import numpy as np
    >>> while_loop(lambda x: x < 100.0, lambda x: x * x, 3.0)
    np.float64(6561.0)

    Raises ``ShapeError`` where the condition is not one truth value; for the carry as ``scan``.
    """
    carry, form, is_plain = _start(init)
    name = f"while_loop of {function_name(body)}"

    def test(function: Any, leaves: Sequence[Array]) -> tuple[list[Any], Structure]:
        truth = as_array(function(unflatten(form, leaves)))
        if truth.shape != ():
            raise ShapeError(message("condition_shape", str(user_source() or ""), what=name, came=truth.shape))
        return [truth], form

    def step(function: Any, leaves: Sequence[Array]) -> tuple[list[Any], Structure]:
        return list(_checked_carry(function(unflatten(form, leaves)), form, carry, name)), form

    values = [x.node.value for x in carry]
    tests = [_trace(name, condition, values, test)]
    steps: list[_Traced] = []
    while len(steps) < 2 and tests[-1].body.graph.outputs[0].value:
        steps.append(_trace(name, body, values, step))
        values = [node.value for node in steps[-1].body.graph.outputs]
        tests.append(_trace(name, condition, values, test))
    guarded = any(traced.guarded for traced in (*tests, *steps))
    unlike = any(not _same_step(a, b) for traces in (tests, steps) for a, b in itertools.pairwise(traces))
    if guarded or unlike or not steps:
        since = constant(0).index
        now = list(carry)
        while bool(test(condition, now)[0][0]):
            now = step(body, now)[0]
        outside = set(_captured([x.node for x in now], since)) - {x.node for x in carry}
        return unflatten(form, [_plain(x) for x in now] if is_plain and not outside else now)
    captured = (*tests[0].captured, *steps[0].captured)
    inputs: list[Any] = [*carry, *map(Array, captured)]
    if is_plain and not captured:
        inputs = [x.node.value for x in inputs]
    leaves = REGISTRY.while_loop(
        *inputs, condition=tests[0].body, body=steps[0].body, carries=len(carry), watched=len(tests[0].captured)
    )
    return unflatten(form, leaves[: len(carry)])


def fori_loop(lower: int, upper: int, body: Callable[[Any, Any], Any], init: Any) -> Any:
    """Run ``carry = body(i, carry)`` for i = lower … upper-1 and return the last carry: a ``scan`` over the integers.

    >>> import numpy as np
    >>> fori_loop(1, 5, lambda i, product: product * i, 1.0)
    np.float64(24.0)

    Raises like ``scan``.
    """
    numbers = np.arange(operator.index(lower), operator.index(upper))

    def numbered(carry: Any, i: Any) -> tuple[Any, None]:
        return body(i, carry), None

    return scan(update_wrapper(numbered, body), init, numbers)[0]


def cond(predicate: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any) -> Any:
    """``true_fn(*operands)`` if ``predicate`` else ``false_fn(*operands)``: only the chosen branch runs.

    The trace notes which way it went (a guard), so a ``scan`` with a ``cond`` in its body runs as a Python loop. To
    choose number by number, use ``np.where``.

    >>> cond(True, lambda x: x + 1, lambda x: x - 1, 10)
    11

    Raises ``ShapeError`` where the predicate is not one truth value.
    """
    if np.shape(getattr(predicate, "value", predicate)) != ():
        raise ShapeError(message("condition_shape", str(user_source() or ""), what="cond", came=predicate.shape))
    return true_fn(*operands) if bool(predicate) else false_fn(*operands)


# -- Samples -----------------------------------------------------------------------------------------------------


def _sample(body: Any, values: Sequence[Any], layout: Layout, sums: int = 0) -> Sample:
    """A scan of ``body``, whose arguments are the leaves themselves."""
    rows = [x if k < layout.carries or k >= layout.carries + layout.sequences else x[0] for k, x in enumerate(values)]
    traced = _trace("a sample", body, rows, lambda function, leaves: (list(function(*leaves)), None))
    return Sample(tuple(values), {"body": traced.body, "layout": layout._replace(sums=sums)})


def _scan_samples() -> list[Sample]:
    h, w = np.array([0.3, -0.7]), np.array([1.2, 0.4])
    xs = np.linspace(-1.0, 1.3, 6).reshape(3, 2)
    rnn = lambda h, x, w: (P.tanh(h * w + x), h * x)
    return [
        _sample(rnn, (h, xs, w), Layout(1, 1, length=3)),
        _sample(rnn, (h, xs, w), Layout(1, 1, length=3, reverse=True)),
        _sample(rnn, (h, xs, w), Layout(1, 1, length=3), sums=1),
        _sample(lambda a, b: (a * b, a + b), (np.array(0.5), np.array(1.5)), Layout(2, 0, length=4)),
        _sample(lambda x, w: (P.sin(x * w),), (xs, w), Layout(0, 1, length=3)),
        _sample(lambda a: (a * a,), (h,), Layout(1, 0, length=0)),
        _sample(rnn, (h + 0.2j, xs - 0.1j, w * 1j), Layout(1, 1, length=3)),
    ]


def _while_samples() -> list[Sample]:
    def sample(condition: Any, body: Any, *values: Any) -> Sample:
        split = lambda function, leaves: (list(function(*leaves)), None)
        test, step = (_trace("a sample", function, values, split).body for function in (condition, body))
        return Sample(values, {"condition": test, "body": step, "carries": len(values), "watched": 0})

    return [
        sample(lambda x: (x < 20.0,), lambda x: (x * x,), np.array(1.7)),
        sample(lambda x: (P.real(x) < 5.0,), lambda x: (x * x,), np.array(1.7 + 0.2j)),
        sample(lambda x, k: (P.sum(x, axis=(0,)) < 3.0,), lambda x, k: (x * k, k), np.array([0.3, 0.5]), np.array(1.4)),
    ]


P = REGISTRY
SAMPLES["scan"] = _scan_samples
SAMPLES["while_loop"] = _while_samples
