"""What to keep and what to compute again: the price of a node, and the cheapest way to have the values one needs.

Prices are vector instructions per vector of results, roughly: one for an addition, sixteen for an ``exp``. A value that
is written by one loop and read by another costs eight, whatever it took to compute it; so a product or a ``tanh`` is
kept, and a sum of two kept values is added up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from math import inf, prod
from typing import Any

import numpy as np

from backlight.graph import Node
from backlight.primitive import REGISTRY, Contract, Draw, Elementwise, Gather, Loop, Map, Move, Reduce, Window

__all__ = [
    "PRODUCT", "READ", "TRAFFIC", "cheapest", "constant_key", "kernel_of", "multiplications", "price", "size_of",
    "work",
]  # fmt: skip

READ = 4.0  # a value that lies in memory anyway
TRAFFIC = 8.0  # a value that is written for this purpose, and read
PRODUCT = 64.0  # what a product costs besides its multiplications: it ends the fusion of what surrounds it
HEAVY = 1024.0  # loops, sorting, linear algebra: never computed twice
TRANSCENDENTAL = 16.0
_PRICES = dict.fromkeys(("neg", "abs", "add", "sub", "mul", "min", "max", "floor", "ceil", "rint", "trunc"), 1.0)
_PRICES |= dict.fromkeys(("copysign", "lt", "le", "gt", "ge", "eq", "isnan", "isinf", "isfinite", "signbit"), 1.0)
_PRICES |= dict.fromkeys(("truth", "select", "and", "or", "xor", "not", "invert", "shl", "shr"), 1.0)
_PRICES |= {"div": 4.0, "sqrt": 4.0, "real": 0.0, "imag": 0.0, "conj": 1.0, "complex": 0.0}


def size_of(node: Node) -> int:
    """The bytes of one value of ``node``."""
    return int(prod(node.shape) * node.dtype.itemsize)


def kernel_of(node: Node) -> Any:
    """The kernel of a call; of a mapping with several outputs too."""
    primitive = node.primitive
    assert primitive is not None
    if isinstance(primitive, Elementwise):
        return primitive.kernel
    return primitive.kernel(*[node_in.shape for node_in in node.inputs], **node.params)


@lru_cache(maxsize=512)
def price(expression: Any) -> float:
    """What it costs to compute a ``Map`` expression for one element."""
    if not isinstance(expression, tuple):
        return 0.0
    own = _PRICES.get(expression[0], TRANSCENDENTAL)
    return own + sum(price(part) for part in expression[1:])


def multiplications(node: Node, kernel: Any) -> int:
    """How many products are summed for each element of a contraction or convolution."""
    if isinstance(kernel, Window):
        return int(prod(node.inputs[1].shape[1:]))
    pairs = zip(kernel.inputs, node.inputs, strict=True)
    sizes = {label: n for labels, node_in in pairs for label, n in zip(labels, node_in.shape, strict=True)}
    return prod(n for label, n in sizes.items() if label not in kernel.output)


def work(node: Node) -> float:
    """What it costs to compute one value of ``node`` from its inputs."""
    if node.primitive is REGISTRY.item:
        return 0.0
    kernel = kernel_of(node)
    if node.shape is None or isinstance(kernel, Loop):
        return inf
    if isinstance(kernel, Map):
        each = min(price(kernel.expression), 4 * TRANSCENDENTAL)
    elif isinstance(kernel, Move):
        each = 0.25  # most are read through; counted so that no more of them are repeated than need be
    elif isinstance(kernel, Gather):
        each = READ
    elif isinstance(kernel, Reduce):
        each = (TRANSCENDENTAL if "log" in kernel.combine else 2.0) * _ratio(node.inputs[0], node)
    elif isinstance(kernel, Contract) or (isinstance(kernel, Window) and kernel.combine == "multiply_add"):
        each = PRODUCT + multiplications(node, kernel)
    elif isinstance(kernel, Draw):
        each = PRODUCT
    else:
        each = HEAVY
    return float(each * size_of(node))


def _ratio(before: Node, after: Node) -> float:
    return float(max(1.0, prod(before.shape) / max(1, prod(after.shape))))


def cheapest(needed: Iterable[Node], load: Callable[[Node], float], compute: Callable[[Node], float]) -> list[Node]:
    """Which values to load, oldest first, so that all ``needed`` ones can be had at the least total price; the others
    are computed.

    Every needed value is loaded, or computed from inputs that are loaded or computed in turn; an infinite price forbids
    it. This is a minimum cut. Each node v is an edge "v is loaded" between "v is had" and "v is computed"; whoever
    computes v pays for it (an edge to the end) and must have v's inputs (edges that cannot be cut):

        start -∞-> had(v) -load-> computed(v) -compute-> end,   computed(v) -∞-> had(input)

    A node without a way costs infinitely much, and the caller sees to it that there is one.
    """
    network = _Network()
    start, end = network.vertex(), network.vertex()
    had: dict[Node, int] = {}
    computed: dict[Node, int] = {}
    pending = list(dict.fromkeys(needed))
    wanted = set(pending)
    while pending:
        node = pending.pop()
        if node in computed:
            continue
        had.setdefault(node, -1)
        if had[node] < 0:
            had[node] = network.vertex()
        computed[node] = network.vertex()
        if node in wanted:
            network.edge(start, had[node], inf)
        price = compute(node)
        network.edge(had[node], computed[node], load(node))
        network.edge(computed[node], end, price)
        if price == inf:
            continue
        for node_in in node.inputs:
            if load(node_in) == 0.0:
                continue
            if node_in not in had:
                had[node_in] = network.vertex()
            network.edge(computed[node], had[node_in], inf)
            pending.append(node_in)
    reached = network.cut(start, end)
    loaded = (node for node, at in had.items() if at in reached and computed[node] not in reached)
    return sorted(loaded, key=lambda node: node.index)


class _Network:
    """Vertices and edges with capacities, for one maximum flow (Dinic 1970) and the cut that limits it."""

    def __init__(self) -> None:
        self._out: list[list[int]] = []  # of each vertex, its edges; edge e ^ 1 goes the other way
        self._to: list[int] = []
        self._room: list[float] = []

    def vertex(self) -> int:
        self._out.append([])
        return len(self._out) - 1

    def edge(self, a: int, b: int, capacity: float) -> None:
        for tail, head, room in ((a, b, capacity), (b, a, 0.0)):
            self._out[tail].append(len(self._to))
            self._to.append(head)
            self._room.append(room)

    def cut(self, start: int, end: int) -> set[int]:
        """The vertices on the side of ``start`` of the smallest cut that lies nearest to it."""
        while True:
            distance = self._distances(start)
            if distance[end] < 0:
                return {vertex for vertex, far in enumerate(distance) if far >= 0}
            following = [0] * len(self._out)
            while (pushed := self._push(start, end, distance, following)) > 0:
                if pushed == inf:
                    raise ValueError("a value is needed that can neither be loaded nor computed")

    def _distances(self, start: int) -> list[int]:
        distance = [-1] * len(self._out)
        distance[start] = 0
        layer = [start]
        while layer:
            further = []
            for vertex in layer:
                for edge in self._out[vertex]:
                    head = self._to[edge]
                    if self._room[edge] > 0 and distance[head] < 0:
                        distance[head] = distance[vertex] + 1
                        further.append(head)
            layer = further
        return distance

    def _push(self, start: int, end: int, distance: Sequence[int], following: list[int]) -> float:
        """Send as much as fits along one shortest path; 0 where there is none left."""
        path: list[int] = []
        vertex = start
        while vertex != end:
            edges = self._out[vertex]
            while following[vertex] < len(edges):
                edge = edges[following[vertex]]
                if self._room[edge] > 0 and distance[self._to[edge]] == distance[vertex] + 1:
                    break
                following[vertex] += 1
            else:
                if not path:
                    return 0.0
                vertex = self._to[path.pop() ^ 1]
                following[vertex] += 1
                continue
            path.append(edge)
            vertex = self._to[edge]
        amount = min(self._room[edge] for edge in path)
        for edge in path:
            self._room[edge] -= amount
            self._room[edge ^ 1] += amount
        return amount


def constant_key(value: Any) -> Any:
    """What two constants have in common that are the same number for number; ``None`` where that is costly to say."""
    array = np.asarray(value)
    if not any(array.strides):
        return array.dtype, array.shape, array.ravel()[:1].tobytes()
    return (array.dtype, array.shape, array.tobytes()) if array.nbytes <= 1 << 14 else None
