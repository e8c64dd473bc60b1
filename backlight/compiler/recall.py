"""What a loop has computed, a later loop over the same steps reads instead of computing it again.

The gradient of a scan is a scan whose body runs the forward body once more, from the carries that were kept. Which of
the forward values are kept as rows and read, and which are computed again, is a minimum cut (``cut.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from backlight.compiler.cut import READ, TRAFFIC, cheapest, constant_key, size_of, work
from backlight.compiler.opened import FIXED, Alive, Opened, is_view, levels, live, rebuilt, written
from backlight.compiler.sinking import factors
from backlight.graph import Graph, Node
from backlight.primitive import REGISTRY

__all__ = ["recalled"]

ROOM = 1 << 30  # bytes that may be kept for one loop; otherwise all is computed again


@dataclass(eq=False, slots=True)
class _Place:
    """A node of the body of a scan."""

    scan: Node
    node: Node


class _Numbering:
    """Numbers for the values of all steps, in whichever body: equal numbers mean equal values in equal steps."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}
        self.of: dict[Node, dict[Node, int]] = {}  # for each scan, the numbers of its body's nodes
        self._outputs: dict[tuple[Node, int], int] = {}  # of the rows and histories that scans give

    def number(self, key: Hashable) -> int:
        return self._known.setdefault(key, len(self._known))

    def enter(self, opened: Opened) -> dict[Node, int]:
        """Number the body of a scan, whose inputs come from earlier ones."""
        scan, ends = opened.node, len(opened.node.params["body"].graph.outputs)
        numbers = {each: self.stepped(source) for each, source in opened.columns.items()}
        numbers |= {each: self.number(("fixed", _outer(source))) for each, source in opened.captured.items()}
        numbers |= {carry.input: self.number(("carry", scan, k)) for k, carry in opened.carries.items()}
        for node in opened.order():
            if node not in numbers:
                numbers[node] = self.number(self._key(node, numbers))
        self._outputs |= {(scan, k): numbers[node] for k, node in opened.rows.items()}
        self._outputs |= {(scan, ends + k): numbers[carry.input] for k, carry in opened.carries.items()}
        self.of[scan] = numbers
        return numbers

    def stepped(self, source: Node) -> int:
        """The number of the rows of ``source``."""
        if source.primitive is REGISTRY.item:
            known = self._outputs.get((source.inputs[0], source.params["k"]))
            if known is not None:
                return known
        return self.number(("rows", _outer(source)))

    def _key(self, node: Node, numbers: dict[Node, int]) -> Hashable:
        if node.primitive is None:
            return _outer(node)
        key = (node.primitive, node.dtype, tuple(numbers[each] for each in node.inputs), *node.params.values())
        return key if node.shape is not None and _is_hashable(key) else (node,)


def _outer(node: Node) -> Hashable:
    """What makes a value from outside, or a constant, the same as another."""
    key = constant_key(node.value) if node.kind == "constant" else None
    return node if key is None else ("constant", *key)


def _is_hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


@dataclass(slots=True)
class _Plan:
    """Which nodes of each scan are kept as additional rows, and which are read from such rows (or others)."""

    kept: dict[Node, list[Node]] = field(default_factory=dict)
    read: dict[Node, dict[Node, _Place]] = field(default_factory=dict)


def recalled(graph: Graph) -> Graph:
    """The graph with what loops compute again read from the loops before them, where that is cheaper."""
    plan = _planned(graph, live(graph))
    if not plan.read:
        return graph
    given: dict[tuple[Node, Node], Node] = {}

    def rule(opened: Opened) -> dict[int, Node]:
        scan = opened.node
        kept = plan.kept.get(scan, [])
        opened.rows |= {-1 - k: node for k, node in enumerate(kept)}
        places = plan.read.get(scan, {})
        opened.substitute(
            {node: opened.feed(node, given[at.scan, at.node], stepped=True) for node, at in places.items()}
        )
        results = opened.results()
        given.update(((scan, node), results[-1 - k]) for k, node in enumerate(kept))
        return results

    return rebuilt(graph, rule)


def _planned(graph: Graph, alive: Alive) -> _Plan:
    plan, numbering = _Plan(), _Numbering()
    first: dict[int, _Place] = {}  # where a value is computed first
    stacked: set[int] = set()  # values that lie in memory for all steps
    readers = Counter(node_in for node in graph.nodes if node in alive.nodes for node_in in node.inputs)
    same = {node: node for node in graph.nodes}
    for scan in graph.nodes:
        if scan.primitive is not REGISTRY.scan or scan not in alive.nodes or scan in graph.inputs:
            continue
        opened = Opened.of(scan, same, alive.read[scan])
        numbers = numbering.enter(opened)
        loop = _Loop(opened, numbers, first, stacked)
        stacked.update(loop.columns(readers))
        chosen = loop.chosen()
        if sum(size_of(node) for node in chosen) * opened.length <= ROOM:
            for node in chosen:
                at = first[numbers[node]]
                plan.read.setdefault(scan, {})[node] = at
                kept = plan.kept.setdefault(at.scan, [])
                if at.node not in kept:
                    kept.append(at.node)
                stacked.add(numbers[node])
        stacked.update(numbers[node] for node in opened.rows.values())
        for node, number in numbers.items():
            first.setdefault(number, _Place(scan, node))
    return plan


class _Loop:
    """One loop, and what it may read from those before it."""

    def __init__(self, opened: Opened, numbers: dict[Node, int], first: dict[int, _Place], stacked: set[int]) -> None:
        self._opened = opened
        self._numbers = numbers
        self._stacked = stacked
        level = levels(opened)
        inputs = opened.inputs
        self._inside = {
            node
            for node in opened.order()
            if node not in inputs and level[node] > FIXED and node.shape is not None and numbers[node] in first
        }
        own = [node for node in opened.order() if node not in self._inside and node not in inputs]
        self._read = {node_in for node in own for node_in in node.inputs}.union(opened.ends)
        self._free = {node for node, depends in level.items() if depends <= FIXED}
        self._factors = factors(opened)

    def columns(self, readers: Counter[Node]) -> Iterator[int]:
        """Rows that are there in any case: somebody else reads them, or this loop does for another reason."""
        for each, source in self._opened.columns.items():
            if source.primitive is not REGISTRY.item or each in self._read or readers[source] > 1:
                yield self._numbers[each]

    def chosen(self) -> list[Node]:
        """The nodes to read instead of computing them."""
        needed = [node for node in self._opened.order() if node in self._inside and node in self._read]
        return [node for node in cheapest(needed, self._load, self._compute) if node in self._inside]

    def _load(self, node: Node) -> float:
        if node in self._free:
            return 0.0
        if node.shape is None:
            return inf
        return READ * size_of(node) if self._numbers[node] in self._stacked else written(node)

    def _compute(self, node: Node) -> float:
        """A factor of a sum over all steps would have to be written for them."""
        if node not in self._inside:
            return inf
        own = 0.01 * size_of(node) if is_view(node) else work(node)
        return own + (TRAFFIC * size_of(node) if node in self._factors else 0.0)
