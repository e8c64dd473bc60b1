"""A scan taken apart, so that parts of its body can be computed before or after it, and put together again.

Nodes are made without computing anything; each keeps the user's line and names of the node it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.cut import TRAFFIC, kernel_of, size_of
from backlight.graph import NO_PARAMS, Graph, Node, reachable
from backlight.loops import Body
from backlight.ops.loop import Layout
from backlight.primitive import (
    REGISTRY,
    Contract,
    Move,
    Primitive,
    Window,
)
from backlight.simplify import simplify

__all__ = [
    "CARRIED",
    "FIXED",
    "STEPPED",
    "Alive",
    "Opened",
    "copied",
    "is_product",
    "is_view",
    "levels",
    "like",
    "live",
    "rebuilt",
    "with_params",
    "written",
]

FIXED, STEPPED, CARRIED = 1, 2, 3  # what a value in a body depends on: what is captured, the step's rows, the carry


def like(
    node: Node, primitive: Primitive | None, inputs: tuple[Node, ...], params: dict[str, Any], shape: Any, dtype: Any
) -> Node:
    """A new node at the user's line of ``node``; its value is computed when somebody looks at it."""
    value = None if primitive is not None else np.broadcast_to(np.zeros((), dtype), shape)
    kind = "input" if primitive is None else node.kind
    origin = None if primitive is None else node.origin
    made = Node(
        primitive, inputs, params, shape, dtype, value, node.trace, node.code, node.lasti, node.scope, origin, kind
    )
    made.label = node.label
    return made


def with_params(node: Node, inputs: tuple[Node, ...], params: dict[str, Any]) -> Node:
    """The same mapping of other inputs, with other parameters."""
    if inputs == node.inputs and params is node.params:
        return node
    return like(node, node.primitive, inputs, params, node.shape, node.dtype)


def copied(wanted: Iterable[Node], known: Mapping[Node, Node]) -> dict[Node, Node]:
    """``known``, and in its terms everything that ``wanted`` is made from."""
    fresh = dict(known)
    for node in reachable(wanted, stop=fresh):
        if node not in fresh:
            fresh[node] = with_params(node, tuple(fresh[node_in] for node_in in node.inputs), node.params)
    return fresh


def is_view(node: Node) -> bool:
    """Whether the value is the input's, in another order or shape, a part of it or copies: it can be read there."""
    if node.primitive is None or node.primitive is REGISTRY.item or node.shape is None:
        return False
    kernel = kernel_of(node)
    return isinstance(kernel, Move) and len(kernel.pieces) == 1 and prod(kernel.pieces[0].shape) == prod(node.shape)


def is_product(node: Node) -> bool:
    """Whether it is a sum of products: matrices, or a convolution."""
    if node.primitive is None or node.primitive is REGISTRY.item or node.shape is None:
        return False
    kernel = kernel_of(node)
    return isinstance(kernel, Contract) or (isinstance(kernel, Window) and kernel.combine == "multiply_add")


def written(node: Node) -> float:
    """The price of writing a value and reading it again; what it is a view of is preferred at the same price."""
    return TRAFFIC * size_of(node) * (1.01 if is_view(node) else 1.0)


# -- What is alive -------------------------------------------------------------------------------------------------


class Alive(NamedTuple):
    """The nodes that the outputs of a graph depend on, and which outputs of each scan somebody reads."""

    nodes: set[Node]
    read: dict[Node, set[int]]


def live(graph: Graph) -> Alive:
    """What has to be computed, bodies of loops looked into: a carry that only feeds itself is not."""
    alive = set(graph.outputs)
    read: dict[Node, set[int]] = {}
    inputs = set(graph.inputs)
    for node in reversed(graph.nodes):
        if node not in alive or node in inputs:
            continue
        if node.primitive is REGISTRY.item and node.inputs[0].primitive is REGISTRY.scan:
            read.setdefault(node.inputs[0], set()).add(node.params["k"])
        if node.primitive is REGISTRY.scan:
            body = node.params["body"].graph
            used = set(_used(body, node.params["layout"], read[node]))
            alive.update(source for each, source in zip(body.inputs, node.inputs, strict=True) if each in used)
        else:
            alive.update(node.inputs)
    return Alive(alive, read)


def _used(body: Graph, layout: Layout, read: Container[int]) -> list[Node]:
    """What is needed of a body, for the outputs that are ``read``."""
    ends = len(body.outputs)
    carried = {k for k in range(layout.carries) if k in read or ends + k in read}
    while True:
        wanted = [node for k, node in enumerate(body.outputs) if k in carried or (k >= layout.carries and k in read)]
        used = reachable([*wanted, *(body.inputs[k] for k in carried)], stop=set(body.inputs))
        reached = {k for k in range(layout.carries) if body.inputs[k] in used}
        if reached <= carried:
            return used
        carried |= reached


def rebuilt(graph: Graph, rule: Callable[[Opened], dict[int, Node]]) -> Graph:
    """The graph with every scan replaced by what ``rule`` makes of it: nodes for its outputs, by number."""
    alive = live(graph)
    fresh = {node: node for node in graph.inputs}
    moving = set(graph.inputs)
    found: dict[Node, dict[int, Node]] = {}
    for node in graph.nodes:
        if node in fresh or node not in alive.nodes:
            continue
        if node.primitive is not REGISTRY.scan and not moving.intersection(node.inputs):
            fresh[node] = node
            continue
        moving.add(node)
        if node.primitive is REGISTRY.scan:
            found[node] = rule(Opened.of(node, fresh, alive.read[node]))
        elif node.primitive is REGISTRY.item and node.inputs[0] in found:
            fresh[node] = found[node.inputs[0]][node.params["k"]]
        else:  # made anew, even if nothing about it has changed: the order of execution stays
            inputs = tuple(fresh[node_in] for node_in in node.inputs)
            fresh[node] = like(node, node.primitive, inputs, node.params, node.shape, node.dtype)
    return simplify(Graph(graph.inputs, [fresh[node] for node in graph.outputs], graph.guards))[0]


# -- Taking apart, putting together ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Carry:
    """What a carry is at first, what stands for it in the body, and what it is after a step."""

    start: Node
    input: Node
    new: Node


@dataclass(eq=False, slots=True)
class Opened:
    """The parts of a scan that somebody needs; carries, rows and sums by the number of their output.

    ``columns`` and ``captured`` give, for an input of the body, what it is fed from. ``befores`` are the carries whose
    history is read, ``lasts`` those whose last value is.
    """

    node: Node
    layout: Layout
    carries: dict[int, Carry]
    columns: dict[Node, Node]
    captured: dict[Node, Node]
    rows: dict[int, Node]
    sums: dict[int, Node]
    lasts: set[int]
    befores: set[int]

    @classmethod
    def of(cls, node: Node, fresh: Mapping[Node, Node], read: set[int]) -> Opened:
        """The scan ``node``, of which the outputs ``read`` are read, fed from what is now ``fresh`` for its inputs."""
        body, layout = node.params["body"].graph, node.params["layout"]
        ends, stepped = len(body.outputs), layout.carries + layout.sequences
        used = set(_used(body, layout, read))
        feeds = [(k, each, fresh[node.inputs[k]]) for k, each in enumerate(body.inputs) if each in used]
        return cls(
            node,
            layout,
            {k: Carry(source, each, body.outputs[k]) for k, each, source in feeds if k < layout.carries},
            {each: source for k, each, source in feeds if layout.carries <= k < stepped},
            {each: source for k, each, source in feeds if k >= stepped},
            {k: body.outputs[k] for k in sorted(read) if layout.carries <= k < ends - layout.sums},
            {k: body.outputs[k] for k in sorted(read) if ends - layout.sums <= k < ends},
            {k for k in read if k < layout.carries},
            {k - ends for k in read if k >= ends},
        )

    @property
    def length(self) -> int:
        return self.layout.length

    @property
    def inputs(self) -> set[Node]:
        """All inputs of the body."""
        return {carry.input for carry in self.carries.values()}.union(self.columns, self.captured)

    @property
    def ends(self) -> list[Node]:
        """All outputs of the body."""
        return [*(carry.new for carry in self.carries.values()), *self.rows.values(), *self.sums.values()]

    def order(self) -> list[Node]:
        """The nodes of the body in execution order."""
        return reachable(self.ends, stop=self.inputs)

    def feed(self, node: Node, source: Node, *, stepped: bool) -> Node:
        """A new input of the body that stands for ``node``: the rows of ``source``, or ``source`` itself."""
        made = like(node, None, (), NO_PARAMS, node.shape, node.dtype)
        (self.columns if stepped else self.captured)[made] = source
        return made

    def substitute(self, by: Mapping[Node, Node]) -> None:
        """Let the body read others in place of some of its nodes."""
        if by:
            fresh = copied(self.ends, {**{node: node for node in self.inputs}, **by})
            self.carries = {k: replace(carry, new=fresh[carry.new]) for k, carry in self.carries.items()}
            self.rows = {k: fresh[node] for k, node in self.rows.items()}
            self.sums = {k: fresh[node] for k, node in self.sums.items()}

    def sealed(self, rows: Iterable[Node], sums: Iterable[Node], befores: Iterable[int]) -> Sealed:
        """The scan that gives these nodes of the body stacked and summed, and these histories."""
        rows, sums, befores = list(dict.fromkeys(rows)), list(dict.fromkeys(sums)), set(befores)
        numbers = self._needed(rows, sums, befores)
        carries = [self.carries[k] for k in numbers]
        outputs = [*(carry.new for carry in carries), *rows, *sums]
        used = set(reachable(outputs, stop=self.inputs))
        columns = {each: source for each, source in self.columns.items() if each in used}
        captured = {each: source for each, source in self.captured.items() if each in used}
        graph = Graph([*(carry.input for carry in carries), *columns, *captured], outputs)
        sources = (*(carry.start for carry in carries), *columns.values(), *captured.values())
        layout = self.layout._replace(
            carries=len(carries), sequences=len(columns), sums=len(sums), history=bool(befores)
        )
        scan = like(self.node, REGISTRY.scan, sources, {"body": Body(graph), "layout": layout}, None, None)

        def item(k: int, node: Node, *lead: int) -> Node:
            return like(self.node, REGISTRY.item, (scan,), {"k": k}, (*lead, *node.shape), node.dtype)

        place = {k: position for position, k in enumerate(numbers)}
        first = len(carries)
        return Sealed(
            {k: item(place[k], self.carries[k].new) for k in self.lasts},
            {node: item(first + k, node, self.length) for k, node in enumerate(rows)},
            {node: item(first + len(rows) + k, node) for k, node in enumerate(sums)},
            {k: item(len(outputs) + place[k], self.carries[k].input, self.length) for k in befores},
        )

    def _needed(self, rows: Sequence[Node], sums: Sequence[Node], befores: set[int]) -> list[int]:
        """The carries that have to be carried."""
        needed = self.lasts | befores
        while True:
            ends = [*rows, *sums, *(self.carries[k].new for k in needed)]
            used = set(reachable(ends, stop=self.inputs))
            reached = {k for k, carry in self.carries.items() if carry.input in used}
            if reached <= needed:
                return sorted(needed)
            needed |= reached

    def results(self) -> dict[int, Node]:
        """What the outputs of the scan are now, by their numbers."""
        direct = dict(self.columns)
        numbers = {carry.input: k for k, carry in self.carries.items()}
        befores = self.befores | {numbers[node] for node in self.rows.values() if node in numbers}
        rows = [node for node in self.rows.values() if node not in direct and node not in numbers]
        sealed = self.sealed(rows, self.sums.values(), befores)
        direct |= sealed.rows | {self.carries[k].input: node for k, node in sealed.befores.items()}
        found_rows = {k: direct[node] for k, node in self.rows.items()}
        return self.numbered(sealed, found_rows, {k: sealed.sums[node] for k, node in self.sums.items()})

    def numbered(self, sealed: Sealed, rows: dict[int, Node], sums: dict[int, Node]) -> dict[int, Node]:
        """All outputs by their numbers in the scan that was taken apart."""
        ends = len(self.node.params["body"].graph.outputs)
        return {**sealed.lasts, **rows, **sums, **{ends + k: sealed.befores[k] for k in self.befores}}


class Sealed(NamedTuple):
    """What a scan gives: last carries and histories by number, rows and sums by the node of the body."""

    lasts: dict[int, Node]
    rows: dict[Node, Node]
    sums: dict[Node, Node]
    befores: dict[int, Node]


def levels(opened: Opened) -> dict[Node, int]:
    """For every node of the body what it depends on: 0 (nothing), ``FIXED``, ``STEPPED`` or ``CARRIED``."""
    found = dict.fromkeys(opened.captured, FIXED) | dict.fromkeys(opened.columns, STEPPED)
    found |= {carry.input: CARRIED for carry in opened.carries.values()}
    for node in opened.order():
        if node not in found:
            found[node] = max((found[node_in] for node_in in node.inputs), default=0)
    return found
