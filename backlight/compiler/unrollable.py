"""Which graphs are small enough to be written out scalar by scalar, and what of them has to be in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.expression import compilable, unsupported
from backlight.compiler.scalar_indices import CHOICES
from backlight.compiler.scalars import SIMPLE, fills, is_simple, is_uniform
from backlight.graph import Graph, Node
from backlight.primitive import (
    REGISTRY,
    Contract,
    Draw,
    Elementwise,
    Gather,
    Kernel,
    Library,
    Loop,
    Map,
    Move,
    Reduce,
    Scatter,
    Window,
)

__all__ = ["constants", "cost", "kernel_of", "large_constants", "members_read", "step_of"]

LIMIT = 20_000  # instructions, from which on unrolling is out of the question
IMMEDIATE = 16  # elements of a constant that stand in the instructions
LANES = 8  # elements that share a vector, on most processors, where functions are computed
FUNCTION = 20  # instructions of a function such as exp


# -- The parts of a graph ------------------------------------------------------------------------------------------


def kernel_of(node: Node) -> Kernel | Map:
    """The kernel of a node that is a call."""
    primitive = node.primitive
    assert primitive is not None
    if isinstance(primitive, Elementwise):
        return primitive.kernel
    return primitive.kernel(*[node_in.shape for node_in in node.inputs], **node.params)


def members_read(graph: Graph) -> dict[Node, set[int]]:
    """Which outputs of a mapping with several are read."""
    read: dict[Node, set[int]] = {}
    for node in graph.nodes:
        if node.primitive is REGISTRY.item:
            read.setdefault(node.inputs[0], set()).add(node.params["k"])
    return read


def step_of(node: Node, read: Collection[int]) -> tuple[Graph, list[int]]:
    """The step of a scan without what nobody reads, and the numbers of the outputs it still has."""
    whole, carries = node.params["body"].graph, node.params["layout"].carries
    wanted = [k for k in range(len(whole.outputs)) if k < carries or k in read]
    return Graph(whole.inputs, [whole.outputs[k] for k in wanted]), wanted


def large_constants(graph: Graph) -> list[Node]:
    """The constants that are read from memory, those in the steps of loops included; a small one, or one whose
    elements are all the same, is part of the instructions."""
    found: dict[Node, None] = {}
    moving = set(graph.inputs)
    for node in graph.nodes:
        if node not in moving and any(node_in in moving for node_in in node.inputs):
            moving.add(node)
            found.update((each, None) for each in node.inputs if each not in moving and _large(each))
            for name in ("condition", "body"):
                if name in node.params and isinstance(kernel_of(node), Loop):
                    found.update((each, None) for each in large_constants(node.params[name].graph))
    found.update((node, None) for node in graph.outputs if node not in moving and _large(node))
    return list(found)


def _large(node: Node) -> bool:
    return node.shape is not None and prod(node.shape) > IMMEDIATE and not is_uniform(node.value)


def constants(graph: Graph) -> list[Any]:
    """The constant arrays that have to be in memory, in the order in which ``emit`` wants their addresses."""
    return [np.ascontiguousarray(node.value) for node in large_constants(graph)]


# -- The cost of a graph -------------------------------------------------------------------------------------------


class _Refused(Exception):
    """Something cannot be unrolled, or there is too much of it."""


def cost(graph: Graph, limit: int = LIMIT) -> int | None:
    """About how many scalar instructions ``graph`` becomes, the steps of loops counted once.

    ``None`` where something in it cannot be unrolled, or there are more than ``limit``.
    """
    counter = _Counter(limit)
    try:
        outputs = counter.graph(graph, [True] * len(graph.inputs))
        for node, in_memory in zip(graph.outputs, outputs, strict=True):
            counter.add(8 if in_memory else 2 * prod(node.shape))
    except _Refused:
        return None
    return counter.count


class _Counter:
    """Adds up instructions; a value is known by whether it is in memory."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0

    def add(self, count: int) -> None:
        self.count += count
        if self.count > self.limit:
            raise _Refused

    def graph(self, graph: Graph, inputs: Sequence[bool]) -> list[bool]:
        """Count all nodes; which outputs are in memory."""
        for node in graph.inputs:
            _check(node)
        in_memory: dict[Node, Any] = dict(zip(graph.inputs, inputs, strict=True))
        read = members_read(graph)
        loaded: set[Node] = set()
        for node in graph.nodes:
            if node in in_memory or not any(node_in in in_memory for node_in in node.inputs):
                continue
            if node.primitive is REGISTRY.item:
                in_memory[node] = in_memory[node.inputs[0]][node.params["k"]]
                continue
            where = [in_memory[each] if each in in_memory else _large(each) for each in node.inputs]
            for each in (*node.inputs, *([] if node.shape is None else [node])):
                _check(each)
            kernel = kernel_of(node)
            if node.shape is None and not isinstance(kernel, Loop):
                raise _Refused
            for position in _loaded(node, kernel, where):
                if node.inputs[position] not in loaded:
                    loaded.add(node.inputs[position])
                    self.add(2 * prod(node.inputs[position].shape))
            if isinstance(kernel, Loop):
                in_memory[node] = self.loop(node, kernel, where, read[node])
            else:
                moving = [each in in_memory for each in node.inputs]
                in_memory[node] = self.node(node, kernel, where, moving)
        return [in_memory[node] if node in in_memory else _large(node) for node in graph.outputs]

    def node(self, node: Node, kernel: Any, where: Sequence[bool], moving: Sequence[bool]) -> bool:
        """Count one node; whether its value is in memory."""
        size, shapes = prod(node.shape), [each.shape for each in node.inputs]
        if isinstance(kernel, Map):
            return self.map(node, kernel, where)
        if isinstance(kernel, Move):
            (first, *others) = kernel.pieces
            same = node.inputs[first.input].dtype == node.dtype
            if where[first.input] and same and not others and fills(first, size):
                return True
            self.add(sum(2 * prod(piece.shape) for piece in kernel.pieces if where[piece.input]))
        elif isinstance(kernel, Reduce):
            each = {"argmax": 4, "argmin": 4, "maximum": 2, "minimum": 2, "logaddexp": 15}.get(kernel.combine, 1)
            self.add(each * prod(shapes[0]))
        elif isinstance(kernel, Contract):
            pairs = zip(kernel.inputs, shapes, strict=True)
            lengths = {label: n for labels, shape in pairs for label, n in zip(labels, shape, strict=True)}
            self.add(prod(lengths.values()) * max(1, len(shapes) - 1))
        elif isinstance(kernel, Window):
            outer = shapes[0] if kernel.transposed else node.shape
            channels = shapes[1][1] if kernel.combine == "multiply_add" else 2
            self.add(prod(outer) * prod(kernel.size) * channels)
        elif isinstance(kernel, Gather):
            self.add(self.chosen(shapes[0], shapes[1], moving[1:], where[0], 1))
        elif isinstance(kernel, Scatter):
            in_memory = where[0] or _possible(shapes[0], moving[1:-1]) > CHOICES
            copied = 8 if where[0] or not moving[0] else size
            self.add((copied if in_memory else 0) + self.chosen(shapes[0], shapes[1], moving[1:-1], in_memory, 2))
            return in_memory
        elif isinstance(kernel, Draw):
            self.add((160 if kernel.distribution == "normal" else 60) * -(-size // LANES) + size)
        elif isinstance(kernel, Library) and kernel.routine == "softmax":
            self.add(12 * size)
        else:
            raise _Refused
        return False

    def map(self, node: Node, kernel: Map, where: Sequence[bool]) -> bool:
        (*inputs,) = node.inputs
        if kernel.expression == "x0" and inputs[0].dtype == node.dtype and inputs[0].shape == node.shape:
            return where[0]
        if unsupported(kernel.expression, [each.dtype for each in inputs]):
            raise _Refused
        size, length = prod(node.shape), max(1, _length(kernel.expression))
        self.add(size * length if is_simple(kernel.expression) else length * -(-size // LANES) + 3 * size)
        return False

    def chosen(
        self, shape: Sequence[int], lead: Sequence[int], moving: Sequence[bool], in_memory: bool, each: int
    ) -> int:
        """The instructions to find, or to change, rows of an array of ``shape`` at ``lead`` computed indices."""
        count, row, possible = prod(lead), prod(shape[len(moving) :]), _possible(shape, moving)
        indices = 6 * count * sum(moving)
        if in_memory:
            return indices + 6 * count * len(moving) + 2 * each * count * row
        if possible > CHOICES:
            return indices + 2 * prod(shape) + 2 * count * row
        return indices + each * count * row * (possible - 1)

    # -- Loops

    def loop(self, node: Node, kernel: Loop, where: Sequence[bool], read: Collection[int]) -> dict[int, bool]:
        """Count a loop's steps once; which of the outputs that are ``read`` are in memory."""
        shapes = [each.shape for each in node.inputs]
        carries = kernel.carries
        self.add(3 * sum(map(prod, shapes[:carries])))
        held = [False] * carries
        if kernel.kind == "while":
            watched = node.params["watched"]
            self.graph(node.params["condition"].graph, [*held, *where[carries : carries + watched]])
            self.carried(node.params["body"].graph, [*held, *where[carries + watched :]], carries)
            return dict.fromkeys(range(carries + 1), False)
        layout = node.params["layout"]
        body, wanted = step_of(node, read)
        stepped = carries + layout.sequences
        if layout.length:
            self.add(sum(2 * prod(shapes[k]) for k in range(carries, stepped) if not where[k]))
            self.carried(body, [*held, *[True] * layout.sequences, *where[stepped:]], carries)
        whole = node.params["body"].graph
        ends, terms = len(whole.outputs), len(whole.outputs) - layout.sums
        self.add(sum(2 * prod(whole.inputs[k - ends].shape) for k in read if k >= ends))
        self.add(sum(2 * prod(whole.outputs[k].shape) for k in wanted if k >= carries))
        return {k: carries <= k < terms or k >= ends for k in range(ends + carries)}

    def carried(self, body: Graph, inputs: Sequence[bool], carries: int) -> None:
        for node, in_memory in zip(body.outputs[:carries], self.graph(body, inputs), strict=False):
            self.add(prod(node.shape) * (2 if in_memory else 1))


def _check(node: Node) -> None:
    if node.dtype is not None and not compilable(node.dtype):
        raise _Refused


def _length(expression: Any) -> int:
    """The instructions of an expression."""
    if not isinstance(expression, tuple):
        return 0
    return (1 if expression[0] in SIMPLE else FUNCTION) + sum(map(_length, expression[1:]))


def _loaded(node: Node, kernel: Any, where: Sequence[bool]) -> list[int]:
    """The inputs in memory all of whose elements a node asks for."""
    positions = [k for k, in_memory in enumerate(where) if in_memory]
    if isinstance(kernel, Gather | Scatter):
        return [k for k in positions if k]
    if isinstance(kernel, Loop):
        return [k for k in positions if k < kernel.carries]
    if isinstance(kernel, Move):
        return [k for k in positions if node.inputs[k].dtype != node.dtype]  # of the rest, only what is moved
    if isinstance(kernel, Map) and kernel.expression == "x0" and node.inputs[0].dtype == node.dtype:
        return []
    return positions


def _possible(shape: Sequence[int], moving: Sequence[bool]) -> int:
    """How many places computed indices could mean; those that are known mean one."""
    return prod(n for n, unknown in zip(shape, moving, strict=False) if unknown)
