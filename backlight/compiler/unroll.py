"""Small graphs unrolled completely: one stretch of scalar instructions, and loops that carry their state in registers.

Where a whole training step is a few hundred operations, vectors, threads and memory between kernels cost more than the
arithmetic. Evaluating the graph on scalars that are still to be computed (``scalars.py``) writes the step out; a
``scan`` becomes one native loop whose carries are registers, a ``while_loop`` likewise.

    if cost(graph) is not None:
        used = emit(b, graph, inputs, outputs, constants, scratch=…, status=…, sync=…, width=…)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf, prod
from typing import Any

import numpy as np

from backlight.compiler.expression import combine
from backlight.compiler.ir import Function, Value
from backlight.compiler.scalar_kernels import KERNELS
from backlight.compiler.scalars import BOOL, Held, Memory, Scalars, held
from backlight.compiler.scatter import BAD_INDEX
from backlight.compiler.unrollable import constants, cost, kernel_of, large_constants, members_read, step_of
from backlight.graph import Graph, Node
from backlight.primitive import REGISTRY, Loop

__all__ = ["constants", "cost", "emit"]

HELD = 64  # elements of a captured array that are loaded before a loop rather than in it
OFTEN = 64  # steps, those of inner loops included, between two questions whether to go on: some microseconds


def emit(
    b: Function,
    graph: Graph,
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constant_places: Sequence[Value],
    *,
    scratch: Value,
    status: Value,
    sync: Value | None = None,
    count: Value | None = None,
    width: int = 4,
) -> int:
    """Write ``graph`` into ``b``; returns how many bytes of the work area at ``scratch`` (aligned to 64) it uses.

    ``inputs``, ``outputs`` and ``constant_places`` are addresses of arrays in order: the graph's inputs, its outputs,
    and what ``constants(graph)`` lists. No output may overlap an input, except that one may stand exactly where an
    input stands that is only the first carry of a loop. An index out of range stores a code at ``status``. Where
    ``sync`` is given, outermost loops ask between steps whether to go on (``sync.py``); one that is ended has carries
    that are those after a whole number of steps, and leaves later rows as they were.
    ``count`` is how many steps an open-ended loop takes. ``width`` is how many float32 numbers a vector register holds.
    """
    places = dict(zip(large_constants(graph), constant_places, strict=True))
    unroller = _Unroller(Scalars(b, width, scratch), places, sync, count)
    targets = _targets(graph, outputs)
    values = [Memory.at(place, node.shape, node.dtype) for place, node in zip(inputs, graph.inputs, strict=True)]
    for value, node, place in zip(unroller.evaluate(graph, values, targets), graph.outputs, outputs, strict=True):
        if not (isinstance(value, Memory) and value.place is place) and prod(node.shape):
            unroller.scalars.fill(Memory.at(place, node.shape, node.dtype), value)
    with b.when(unroller.scalars.outside.get()):
        b.store(b.const("i64", BAD_INDEX), status)
    return unroller.scalars.used


def _targets(graph: Graph, outputs: Sequence[Value]) -> dict[tuple[Node, int], Value]:
    """Which outputs are members of a mapping with several, such as the rows that a loop stacks."""
    found: dict[tuple[Node, int], Value] = {}
    for node, place in zip(graph.outputs, outputs, strict=True):
        if node.primitive is REGISTRY.item:
            found.setdefault((node.inputs[0], node.params["k"]), place)
    return found


class _Unroller:
    """Walks through a graph and writes each node's scalars."""

    def __init__(self, scalars: Scalars, places: dict[Node, Value], sync: Value | None, count: Value | None) -> None:
        self.scalars = scalars
        self.b = scalars.b
        self.places = places
        self.sync = sync
        self.count = count

    def evaluate(self, graph: Graph, inputs: Sequence[Any], targets: dict[tuple[Node, int], Value]) -> list[Any]:
        """The values of the outputs, held or in memory; rows that a loop stacks go to their ``targets``."""
        values: dict[Node, Any] = dict(zip(graph.inputs, inputs, strict=True))
        read = members_read(graph)
        for node in graph.nodes:
            if node not in values and any(node_in in values for node_in in node.inputs):
                xs = [values[node_in] if node_in in values else self.constant(node_in) for node_in in node.inputs]
                values[node] = self.node(node, xs, read, targets)
        return [values[node] if node in values else self.constant(node) for node in graph.outputs]

    def constant(self, node: Node) -> Any:
        if node.shape is None:
            return {k: self.scalars.constant(value) for k, value in enumerate(node.value)}
        if node in self.places:
            return Memory.at(self.places[node], node.shape, node.dtype)
        return self.scalars.constant(node.value)

    def node(self, node: Node, xs: Sequence[Any], read: dict[Node, set[int]], targets: dict[Any, Value]) -> Any:
        if node.primitive is REGISTRY.item:
            return xs[0][node.params["k"]]
        kernel = kernel_of(node)
        if isinstance(kernel, Loop):
            write = self.scan if kernel.kind == "scan" else self.while_loop
            return write(node, xs, {k: targets.get((node, k)) for k in read[node]})
        return KERNELS[type(kernel)](self.scalars, node, kernel, xs)

    # -- Loops

    def scan(self, node: Node, xs: Sequence[Any], read: dict[int, Value | None]) -> dict[int, Any]:
        """A native loop. Only what somebody reads is computed: unread rows, sums and histories leave no trace."""
        scalars, layout = self.scalars, node.params["layout"]
        carries, stepped, length = layout.carries, layout.carries + layout.sequences, layout.length
        body, wanted = step_of(node, read)
        whole = node.params["body"].graph
        ends, terms = len(whole.outputs), len(whole.outputs) - layout.sums
        kept = {k: self.variables(xs[k], each) for k, each in enumerate(body.inputs[:carries])}
        kept |= {k: self.variables(None, whole.outputs[k]) for k in read if terms <= k < ends}
        stacked: dict[int, Memory] = {}
        for k, target in read.items():
            if carries <= k < terms or k >= ends:
                each = whole.outputs[k] if k < ends else whole.inputs[k - ends]
                shape = (length, *each.shape)
                stacked[k] = Memory.at(target, shape, each.dtype) if target else scalars.area(shape, each.dtype)
        if length:
            sequences = [
                scalars.rows(scalars.in_memory(x, each.dtype), 1)
                for x, each in zip(xs[carries:stepped], body.inputs[carries:], strict=False)
            ]
            captured = [self.captured(x) for x in xs[stepped:]]
            with self.loop(self.count if layout.open_ended else length, body) as i, scalars.scope():
                t = length - 1 - i if layout.reverse else i
                carry = [_current(kept[k]) for k in range(carries)]
                rows = [scalars.row(x, strides, [t]) for x, strides in sequences]
                found = dict(zip(wanted, self.evaluate(body, [*carry, *rows, *captured], {}), strict=True))
                found.update((ends + k, x) for k, x in enumerate(carry))
                for k, rows_k in stacked.items():
                    if rows_k.size:
                        scalars.fill(scalars.row(rows_k, [rows_k.size // length], [t]), found[k])
                self.go_on(kept, found, terms, whole)
        return {k: _current(variables) for k, variables in kept.items()} | stacked

    def while_loop(self, node: Node, xs: Sequence[Any], read: dict[int, Value | None]) -> dict[int, Any]:
        """A native loop that looks at its condition before every step; last comes the number of steps."""
        b, scalars = self.b, self.scalars
        condition, body, carries = node.params["condition"].graph, node.params["body"].graph, node.params["carries"]
        kept = {k: self.variables(xs[k], each) for k, each in enumerate(body.inputs[:carries])}
        steps = b.variable("i64", 0)
        captured = [self.captured(x) for x in xs[carries:]]
        watched, own = captured[: node.params["watched"]], captured[node.params["watched"] :]
        sync, self.sync = self.sync, None
        name = b.new_label("while")
        b.line(f"br label %{name}")
        b.label(name)
        with scalars.scope():
            carry = [_current(kept[k]) for k in range(carries)]
            (truth,) = self.evaluate(condition, [*carry, *watched], {})
            dtype = condition.outputs[0].dtype
            more = scalars.value(("truth", "x0"), [scalars.elements(truth).item()], [dtype], BOOL)
            b.line(f"br i1 {more.text}, label %{name}.step, label %{name}.exit")
            b.label(f"{name}.step")
            found = dict(enumerate(self.evaluate(body, [*carry, *own], {})))
            self.go_on(kept, found, carries, body)
            done = steps.get() + 1
            steps.set(done)
            if sync is not None:
                self.ask(sync, done, condition, body, leave=f"{name}.exit")
            b.line(f"br label %{name}")
        b.label(f"{name}.exit")
        self.sync = sync
        return {k: _current(variables) for k, variables in kept.items()} | {carries: held([steps.get()], ())}

    @contextmanager
    def loop(self, length: Any, body: Graph) -> Iterator[Value]:
        """A loop of ``length`` steps; an outermost one can be stopped between them."""
        b = self.b
        sync, self.sync = self.sync, None
        with b.loop(length) as i:
            yield i
            if sync is not None:
                self.ask(sync, i + 1, body, leave=f"{i.text[1:-2]}.exit")
        self.sync = sync

    def ask(self, sync: Value, steps: Value, *graphs: Graph, leave: str) -> None:
        """Go to ``leave`` if after so many ``steps`` of these graphs the program shall end."""
        b = self.b
        often = 1 << (int(OFTEN / sum(map(_steps, graphs))) or 1).bit_length() - 1
        with b.when((steps & (often - 1)).eq(0)):
            answer, go = b.write("i64", f"call i64 @asked(ptr {sync.text})"), b.new_label("go")
            b.line(f"br i1 {answer.ne(0).text}, label %{leave}, label %{go}")
            b.label(go)

    def variables(self, start: Any, like: Node) -> Held:
        """A register for each element of a carry, or of a sum, which starts from 0."""
        if start is None:
            start = self.scalars.constant(np.zeros(like.shape, like.dtype))
        values = self.scalars.elements(start)
        return held([self.b.variable(x.kind, x) for x in values.flat], values.shape)

    def go_on(self, kept: dict[int, Held], found: dict[int, Any], terms: int, body: Graph) -> None:
        """End a step: every carry takes its new value, every sum its term."""
        news = {k: self.scalars.elements(found[k]) for k in kept}
        for k, variables in kept.items():
            for variable, new in zip(variables.flat, news[k].flat, strict=True):
                if k >= terms:
                    new = combine(self.b, "add", variable.get(), new, body.outputs[k].dtype)
                variable.set(new)

    def captured(self, x: Any) -> Any:
        """What a loop reads in every step: a little of it is loaded before."""
        if isinstance(x, Memory) and x.size <= HELD:
            self.scalars.elements(x)
        return x


def _steps(graph: Graph) -> float:
    """How many steps a graph takes in all, with those of the loops in it: without end where numbers decide that."""
    steps = 1.0
    for node in graph.nodes:
        if node.primitive is REGISTRY.scan:
            steps += node.params["layout"].length * _steps(node.params["body"].graph)
        elif node.primitive is REGISTRY.while_loop:
            steps = inf
    return steps


def _current(variables: Held) -> Held:
    return held([variable.get() for variable in variables.flat], variables.shape)
