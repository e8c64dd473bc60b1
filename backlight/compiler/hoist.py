"""Graph -> graph: loops whose steps do only what has to be done step by step.

    fill     what has no elements is a constant (``empty.py``)
    recall   what the forward loop computed, the backward loop reads instead of computing it again (``recall.py``)
    before   what is the same in every step is computed once, what depends on the step's row alone for all steps at once
    after    products that only feed rows or sums are taken for all steps at once (``sinking.py``)

Everything keeps its value, up to rounding where a sum is taken in another order.
"""

from __future__ import annotations

from math import inf

from backlight.compiler.all_steps import at_all_steps, is_batchable
from backlight.compiler.cut import READ, cheapest, size_of
from backlight.compiler.empty import filled
from backlight.compiler.opened import (
    FIXED,
    STEPPED,
    Opened,
    copied,
    is_product,
    is_view,
    levels,
    rebuilt,
    with_params,
    written,
)
from backlight.compiler.recall import recalled
from backlight.compiler.sinking import stepwise, sunk
from backlight.graph import Graph, Node, reachable
from backlight.loops import Body
from backlight.primitive import REGISTRY
from backlight.simplify import simplify

__all__ = ["hoisted"]

SMALL = 1 << 20  # bytes of one step's value up to which taking all steps at once pays: more keeps a processor busy
ROOM = 1 << 26  # bytes that one such value may take for all steps


def hoisted(graph: Graph) -> Graph:
    """The graph with cheaper loops (``scan``), those in the bodies of others first.

    >>> import backlight, numpy as np
    >>> x, w = backlight.array(np.ones((5, 2, 3))), backlight.array(np.ones((3, 3)))
    >>> last, _ = backlight.scan(lambda h, x: (np.tanh(h + x @ w), None), np.zeros((2, 3)), x)
    >>> [node.operation for node in hoisted(Graph([x.node, w.node], [last.node]))]
    ['input', 'input', 'constant', 'reshape', 'matmul', 'reshape', 'scan', 'item']
    """
    return _hoisted(simplify(filled(graph))[0], {})


def _hoisted(graph: Graph, bodies: dict[int, Body]) -> Graph:
    if not any(node.primitive is REGISTRY.scan for node in graph.nodes):
        return graph
    graph = recalled(_with_bodies(graph, bodies))
    return rebuilt(rebuilt(graph, _before), _after)


def _with_bodies(graph: Graph, bodies: dict[int, Body]) -> Graph:
    """The graph with the bodies of its loops simplified and improved; ``bodies`` are those met so far."""
    fresh = {node: node for node in graph.inputs}
    for node in graph.nodes:
        if node not in fresh:
            params = node.params
            if node.primitive is REGISTRY.scan:
                old = params["body"]
                if id(old) not in bodies:
                    bodies[id(old)] = Body(_hoisted(simplify(old.graph)[0], bodies))
                params = {**params, "body": bodies[id(old)]}
            fresh[node] = with_params(node, tuple(fresh[node_in] for node_in in node.inputs), params)
    return Graph(graph.inputs, [fresh[node] for node in graph.outputs], graph.guards)


# -- Before the loop -----------------------------------------------------------------------------------------------


def _before(opened: Opened) -> dict[int, Node]:
    """The outputs of the scan, with whatever does not depend on its carries computed before it."""
    if opened.length:
        _lift_fixed(opened)
        if not opened.layout.open_ended:
            _lift_stepped(opened)
    return opened.results()


def _lift_fixed(opened: Opened) -> None:
    """Compute once what depends on captured values alone. A mere view of one stays where it is read."""
    level = levels(opened)
    computed = {node for node, depends in level.items() if depends == FIXED} - opened.captured.keys()
    for node in sorted(computed, key=lambda node: node.index):
        if is_view(node) and not computed.intersection(node.inputs):
            computed.discard(node)
    pending = [node_in for node, depends in level.items() if depends > FIXED for node_in in node.inputs] + opened.ends
    pending = [node for node in pending if node in computed]
    wanted = set()
    while pending:
        node = pending.pop()
        if is_view(node):
            pending += computed.intersection(node.inputs)
        else:
            wanted.add(node)
    fresh = copied(wanted, opened.captured)
    ordered = sorted(wanted, key=lambda node: node.index)
    opened.substitute({node: opened.feed(node, fresh[node], stepped=False) for node in ordered})


def _lift_stepped(opened: Opened) -> None:
    """Take products of the step's row alone, and what is fused onto them, for all steps at once.

    Where to stop is a minimum cut: as little as possible is written for the loop to read. What only rows and products
    of all steps are made from is left to the time after the loop.
    """
    level = levels(opened)
    liftable = set(opened.columns)
    product: set[Node] = set()
    for node in opened.order():
        if node in liftable or level[node] != STEPPED or not _fits(opened, node):
            continue
        if all(level[node_in] <= FIXED or node_in in liftable for node_in in node.inputs):
            liftable.add(node)
            if is_product(node) or product.intersection(node.inputs):
                product.add(node)
    ends = stepwise(opened)
    readers = [node for node in reachable(ends, stop=opened.inputs) if node not in liftable | opened.inputs]
    needed = product.intersection([*ends, *(node_in for node in readers for node_in in node.inputs)])

    def load(node: Node) -> float:
        if level[node] <= FIXED:
            return 0.0
        if node in opened.columns:
            return READ * size_of(node)
        return written(node) if node in product else inf

    def compute(node: Node) -> float:
        if node in opened.columns:
            return inf
        return (1000.0 if is_product(node) else 0.01) * size_of(node)

    lifted = [node for node in cheapest(needed, load, compute) if node in product]
    sources = at_all_steps(lifted, opened.columns, opened.captured, opened.length)
    pairs = zip(lifted, sources, strict=True)
    opened.substitute({node: opened.feed(node, source, stepped=True) for node, source in pairs})


def _after(opened: Opened) -> dict[int, Node]:
    """The outputs of the scan, with what need not be computed step by step computed after it."""
    return sunk(opened) if opened.length and not opened.layout.open_ended else opened.results()


def _fits(opened: Opened, node: Node) -> bool:
    return is_batchable(node) and size_of(node) <= SMALL and size_of(node) * opened.length <= ROOM
