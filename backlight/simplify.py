"""Graph -> graph: named rewrite rules, each with its reason; the log says which fired where.

Every rule keeps each value to the last bit, so that a simplified graph can stand in for the original anywhere. A rule
looks at one node whose inputs are simplified already and names the node that can replace it, or nothing. It never looks
behind an input of the graph: whatever made that, another run gives another value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from backlight.graph import Graph, Node
from backlight.primitive import REGISTRY

__all__ = ["RULES", "Rewrite", "Rule", "rebuilt", "simplify"]


class Rule(NamedTuple):
    """``apply(node, before)`` gives the simpler node with the same value, or ``None``.

    ``before`` is the node's first input where it is the same operation and no input of the graph.
    """

    name: str
    reason: str
    apply: Callable[[Node, Node | None], Node | None]


class Rewrite(NamedTuple):
    """One application of a rule: ``node`` was replaced by ``by``."""

    rule: Rule
    node: Node
    by: Node

    def __str__(self) -> str:
        return f"%{self.node.index} {self.node.operation} -> %{self.by.index}: {self.rule.name} ({self.rule.reason})"


def _drop_identity(node: Node, before: Node | None) -> Node | None:
    return node.inputs[0] if node.primitive is REGISTRY.identity else None


def _drop_unchanged(node: Node, before: Node | None) -> Node | None:
    source = node.inputs[0]
    if node.primitive is REGISTRY.cast:
        return source if source.dtype == node.dtype else None
    if node.primitive is REGISTRY.reshape or node.primitive is REGISTRY.broadcast_to:
        return source if source.shape == node.shape else None
    if node.primitive is REGISTRY.transpose:
        return source if node.params["axes"] == tuple(range(len(node.shape))) else None
    if node.primitive is REGISTRY.sum:
        return source if node.params["axis"] == () else None
    return None


def _merge_reshapes(node: Node, before: Node | None) -> Node | None:
    if before is not None and node.primitive is REGISTRY.reshape:
        return rebuilt(node, (before.inputs[0],), node.params)
    return None


def _merge_transposes(node: Node, before: Node | None) -> Node | None:
    if before is not None and node.primitive is REGISTRY.transpose:
        axes = tuple(before.params["axes"][axis] for axis in node.params["axes"])
        return rebuilt(node, before.inputs, {"axes": axes})
    return None


def _merge_broadcasts(node: Node, before: Node | None) -> Node | None:
    if before is not None and node.primitive is REGISTRY.broadcast_to:
        return rebuilt(node, before.inputs, node.params)
    return None


def _cancel_negatives(node: Node, before: Node | None) -> Node | None:
    return before.inputs[0] if before is not None and node.primitive is REGISTRY.negative else None


def _cancel_conjugates(node: Node, before: Node | None) -> Node | None:
    return before.inputs[0] if before is not None and node.primitive is REGISTRY.conjugate else None


RULES = (
    Rule("drop identity", "it changes nothing", _drop_identity),
    Rule("drop unchanged", "the shape, order or dtype asked for is the one it has", _drop_unchanged),
    Rule("merge reshapes", "only the last shape counts", _merge_reshapes),
    Rule("merge transposes", "two permutations make one", _merge_transposes),
    Rule("merge broadcasts", "copies of copies are copies", _merge_broadcasts),
    Rule("cancel negatives", "the opposite of the opposite is the number itself", _cancel_negatives),
    Rule("cancel conjugates", "mirroring twice brings the number back", _cancel_conjugates),
)


def rebuilt(node: Node, inputs: tuple[Node, ...], params: dict[str, Any]) -> Node:
    """The node with other inputs or parameters; its value, line, names and origin stay."""
    copy = Node(
        node.primitive,
        inputs,
        params,
        node.shape,
        node.dtype,
        node._value,
        node.trace,
        node.code,
        node.lasti,
        node.scope,
        node.origin,
        node.kind,
    )
    copy.label = node.label
    return copy


def simplify(graph: Graph) -> tuple[Graph, list[Rewrite]]:
    """The graph with every rule applied until none fires, equal nodes computed once, and the log of what was done.

    >>> import backlight, numpy as np
    >>> x = backlight.array([[1.0, 2.0]])
    >>> y = np.exp(x.T.T) + np.exp(x)
    >>> smaller, log = simplify(Graph([x.node], [y.node]))
    >>> len(smaller), [rewrite.rule.name for rewrite in log]
    (3, ['merge transposes', 'drop unchanged', 'compute once'])
    """
    log: list[Rewrite] = []
    kept: dict[Node, Node] = {node: node for node in graph.inputs}
    known: dict[Any, Node] = {}
    ends = set(graph.inputs)
    for node in graph.nodes:
        if node in kept:
            continue
        new = node
        if node.inputs:
            inputs = tuple(kept[node_in] for node_in in node.inputs)
            if inputs != node.inputs:
                new = rebuilt(node, inputs, node.params)
            new = _rewritten(new, ends, log)
            new = _computed_once(new, known, log)
        kept[node] = new
    return Graph(graph.inputs, [kept[node] for node in graph.outputs], graph.guards), log


def _rewritten(node: Node, ends: set[Node], log: list[Rewrite]) -> Node:
    changed = True
    while changed and node.inputs and node not in ends:
        changed = False
        before = node.inputs[0]
        same = before if before.primitive is node.primitive and before not in ends else None
        for rule in RULES:
            by = rule.apply(node, same)
            if by is not None:
                log.append(Rewrite(rule, node, by))
                node, changed = by, True
                break
    return node


_ONCE = Rule("compute once", "the same mapping of the same inputs has the same value", lambda node, before: None)


def _computed_once(node: Node, known: dict[Any, Node], log: list[Rewrite]) -> Node:
    if not node.inputs:
        return node
    key = (node.primitive, node.inputs, node.dtype, *node.params.values())
    try:
        first = known.setdefault(key, node)
    except TypeError:  # parameters that cannot be compared
        return node
    if first is not node:
        log.append(Rewrite(_ONCE, node, first))
    return first
