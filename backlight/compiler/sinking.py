"""What only feeds the rows and sums of a loop is computed after it, for all steps at once.

A weight's gradient is a sum of products over the steps; with the factors stacked, it is one product:

    Σₜ hₜᵀ dzₜ = Hᵀ dZ   (H and dZ: the rows of all steps under each other)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from backlight.compiler.all_steps import at_all_steps, is_batchable
from backlight.compiler.cut import PRODUCT, READ, TRAFFIC, cheapest, kernel_of, size_of, work
from backlight.compiler.opened import (
    FIXED,
    STEPPED,
    Opened,
    Sealed,
    copied,
    is_product,
    is_view,
    levels,
    like,
    with_params,
    written,
)
from backlight.graph import Node, reachable
from backlight.primitive import REGISTRY, Contract

__all__ = ["factors", "stepwise", "sunk"]

ROOM = 1 << 28  # bytes that the rows of one factor may take
DEEPEST = 10  # mappings that a sum is looked for behind
_LINEAR = ("negative", "reshape", "transpose", "slice", "pad", "broadcast_to", "sum")


class _Total(NamedTuple):
    """How Σₜ of a node is had.

    ``loop``: added up in the loop; ``stack``: its rows added up; ``product``: one product of stacked factors;
    ``linear``: the node's mapping of the totals in ``parts``, the other inputs being the same in all steps.
    """

    kind: str
    node: Node
    parts: tuple[_Total, ...] = ()

    def walk(self) -> Iterator[_Total]:
        yield self
        for part in self.parts:
            yield from part.walk()


class _Totals:
    """Ways to have the sums of one scan; ``stacked`` are the nodes whose rows lie in memory."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._level = levels(opened)
        self.stacked = {*opened.columns, *opened.rows.values()}
        self.stacked |= {carry.input for k, carry in opened.carries.items() if k in opened.befores}
        self.found: dict[int, _Total] = {}
        count = -1
        while count != len(self.stacked):  # what one product needs as rows, another sum may read
            count = len(self.stacked)
            self.found = {k: self._total(node) or _Total("loop", node) for k, node in opened.sums.items()}
            self.stacked |= self.factors()

    def factors(self) -> set[Node]:
        """The nodes whose rows the products need."""
        products = (part.node for total in self.found.values() for part in total.walk() if part.kind == "product")
        return {self.root(node_in) for node in products for node_in in self._stepped(node)}

    def root(self, node: Node) -> Node:
        """What a factor is a view of: its rows are kept."""
        while node not in self.stacked and _is_reordered(node):
            (node,) = node.inputs
        return node

    def in_loop(self) -> set[Node]:
        """What is still added up step by step."""
        return {part.node for total in self.found.values() for part in total.walk() if part.kind == "loop"}

    def _stepped(self, node: Node) -> list[Node]:
        return [node_in for node_in in node.inputs if self._level[node_in] > FIXED]

    def _total(self, node: Node, depth: int = 0) -> _Total | None:
        """A better way than adding up in the loop."""
        if depth > DEEPEST:
            return None
        if node in self.stacked:
            return _Total("stack", node)
        stepped = self._stepped(node)
        if node.primitive is None or not stepped or node.dtype.kind not in "fc" or not size_of(node):
            return None
        if is_product(node) and isinstance(kernel_of(node), Contract):
            return self._product(node, stepped, depth)
        if node.primitive.name in ("add", "subtract") and all(each.shape == node.shape for each in node.inputs):
            return self._linear(node, node.inputs, depth)
        if node.primitive.name in _LINEAR:
            return self._linear(node, node.inputs, depth)
        return None

    def _linear(self, node: Node, inputs: Iterable[Node], depth: int) -> _Total | None:
        totals = [(each, self._total(each, depth + 1)) for each in inputs]
        if all(total is None for _, total in totals):
            return None
        return _Total("linear", node, tuple(total or _Total("loop", each) for each, total in totals))

    def _product(self, node: Node, stepped: list[Node], depth: int) -> _Total | None:
        """All steps' products as one, where keeping the factors costs less than adding up the products."""
        if any(each.dtype != node.dtype for each in node.inputs):
            return None
        saved = (READ + TRAFFIC + PRODUCT) * size_of(node)
        if len(stepped) == 1:
            (only,) = stepped
            total = self._total(only, depth + 1)
            if total is None and (READ + TRAFFIC) * size_of(only) >= saved + work(node):
                return None
            return _Total("linear", node, (total or _Total("loop", only),))
        roots = {self.root(each) for each in stepped}
        new = roots - self.stacked
        if any(size_of(root) * self._opened.length > ROOM for root in new):
            return None
        price = sum((READ if root in self.stacked else TRAFFIC) * size_of(root) for root in roots)
        return _Total("product", node) if price < saved else None


def factors(opened: Opened) -> set[Node]:
    """The nodes of the body whose rows the sums will be made from."""
    return _Totals(opened).factors()


def stepwise(opened: Opened) -> list[Node]:
    """The nodes of the body that are needed in every step: new carries, and what is added up in the loop."""
    return [*(carry.new for carry in opened.carries.values()), *_Totals(opened).in_loop()]


def sunk(opened: Opened) -> dict[int, Node]:
    """The outputs of the scan, with what need not be computed step by step computed after it."""
    return _After(opened).results()


class _After:
    """What is left to the time after the loop."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._level = levels(opened)
        self._totals = _Totals(opened)
        self._inputs = opened.inputs
        self._loops = self._totals.in_loop()
        carried = [*(carry.new for carry in opened.carries.values()), *self._loops]
        self._inside = set(reachable(carried, stop=self._inputs))
        factors = sorted(self._totals.factors(), key=lambda node: node.index)
        self._wanted = list(dict.fromkeys([*opened.rows.values(), *factors, *self._summed()]))
        self._products = self._late_products()
        self._rows = self._chosen()

    def _summed(self) -> list[Node]:
        return [p.node for total in self._totals.found.values() for p in total.walk() if p.kind == "stack"]

    def _late_products(self) -> dict[Node, float]:
        """The price of the products behind each node that no carry waits for."""
        behind: dict[Node, set[Node]] = {}
        for node in reachable(self._wanted, stop=self._inputs):
            found = set().union(*(behind.get(node_in, ()) for node_in in node.inputs if node not in self._inputs))
            if node not in self._inside and node not in self._inputs and is_product(node):
                found.add(node)
            behind[node] = found
        return {node: sum(PRODUCT * size_of(each) for each in found) for node, found in behind.items() if found}

    def _chosen(self) -> list[Node]:
        """The nodes whose rows the loop has to give; everything else that is wanted is made from those."""
        plain = [node for node in self._wanted if node not in self._products]
        given = [node for node in plain if self._level[node] > FIXED]
        self._given = set(given)
        late = [node for node in self._wanted if node in self._products]
        rows = cheapest(late, self._load, self._compute) if late else []
        return [*given, *(node for node in rows if node not in self._given)]

    def _load(self, node: Node) -> float:
        if self._level[node] <= FIXED:
            return 0.0
        if node.shape is None:
            return inf
        ready = node in self._given or (self._level[node] == STEPPED and node in self._inputs)
        return (READ * size_of(node) if ready else written(node)) + self._products.get(node, 0.0)

    def _compute(self, node: Node) -> float:
        if node in self._inputs or not is_batchable(node) or (node in self._inside and not is_view(node)):
            return inf
        return 0.01 * size_of(node)

    def results(self) -> dict[int, Node]:
        opened = self._opened
        numbers = {carry.input: k for k, carry in opened.carries.items()}
        rows = [node for node in self._rows if node not in self._inputs]
        befores = opened.befores | {numbers[node] for node in self._rows if node in numbers}
        sealed = opened.sealed(rows, self._loops, befores)
        stacked = {**opened.columns, **sealed.rows}
        stacked |= {opened.carries[k].input: node for k, node in sealed.befores.items()}
        made = _Made(opened, stacked, sealed, self._level)
        made.stack(self._wanted)
        rows_found = {k: made.stacked[node] for k, node in opened.rows.items()}
        return opened.numbered(sealed, rows_found, {k: made.total(total) for k, total in self._totals.found.items()})


class _Made:
    """The nodes after the loop."""

    def __init__(self, opened: Opened, stacked: Mapping[Node, Node], sealed: Sealed, level: Mapping[Node, int]) -> None:
        self._opened = opened
        self._sealed = sealed
        self._level = level
        self._fixed = dict(opened.captured)
        self.stacked = dict(stacked)

    def stack(self, nodes: Iterable[Node]) -> None:
        """Make the rows of these nodes, all steps at once."""
        missing = [node for node in dict.fromkeys(nodes) if node not in self.stacked]
        found = at_all_steps(missing, self.stacked, self._fixed, self._opened.length) if missing else []
        self.stacked.update(zip(missing, found, strict=True))

    def total(self, total: _Total) -> Node:
        """Σₜ of a node."""
        node = total.node
        if total.kind == "loop":
            return self._sealed.sums[node]
        if total.kind == "stack":
            return self._added(node, ())
        if total.kind == "product":
            return self._product(node)
        (part, *_) = total.parts
        if part.kind == "stack" and node.primitive is REGISTRY.sum:
            return self._added(part.node, node.params["axis"], node)
        if len(total.parts) == len(node.inputs):
            return with_params(node, tuple(self.total(part) for part in total.parts), node.params)
        self._fixed = copied([each for each in node.inputs if self._level[each] <= FIXED], self._fixed)
        inputs = tuple(self._fixed[x] if self._level[x] <= FIXED else self.total(part) for x in node.inputs)
        return with_params(node, inputs, node.params)

    def _added(self, node: Node, axes: tuple[int, ...], at: Node | None = None) -> Node:
        """The rows of ``node`` added up, over ``axes`` of each too."""
        at = at or node
        params = {"axis": (0, *(axis + 1 for axis in axes))}
        return like(at, REGISTRY.sum, (self.stacked[node],), params, at.shape, at.dtype)

    def _product(self, node: Node) -> Node:
        """One contraction over the steps too: a label more for the factors that change from step to step."""
        kernel = kernel_of(node)
        step = 1 + max(label for labels in kernel.inputs for label in labels)
        inputs, labels = [], []
        self._fixed = copied([each for each in node.inputs if self._level[each] <= FIXED], self._fixed)
        self.stack([each for each in node.inputs if self._level[each] > FIXED])
        for each, own in zip(node.inputs, kernel.inputs, strict=True):
            changes = self._level[each] > FIXED
            inputs.append(self.stacked[each] if changes else self._fixed[each])
            labels.append((step, *own) if changes else own)
        params = {"inputs": tuple(labels), "output": kernel.output}
        return like(node, REGISTRY.einsum, tuple(inputs), params, node.shape, node.dtype)


def _is_reordered(node: Node) -> bool:
    """Whether it holds just its input's elements, in another order or shape."""
    return node.primitive in (REGISTRY.reshape, REGISTRY.transpose)
