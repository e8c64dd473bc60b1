"""Graph -> graph: named rewrite rules, each with its reason; the log says which fired where.

Every rule keeps each value to the last bit, so that a simplified graph can stand in for the original anywhere. A rule
looks at one node whose inputs are simplified already and names the node that can replace it, or nothing. It never looks
behind an input of the graph: whatever made that, another run gives another value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from backlight.graph import Graph, Node
from backlight.primitive import REGISTRY, Elementwise, Primitive

__all__ = ["RULES", "Rewrite", "Rule", "rebuilt", "simplify"]


Made = tuple[Node | None, ...]


class Rule(NamedTuple):
    """``apply(node, made)`` gives the simpler node with the same value, or ``None``.

    ``made`` are the node's inputs, ``None`` in place of those that are inputs of the graph.
    """

    name: str
    reason: str
    apply: Callable[[Node, Made], Node | None]


class Rewrite(NamedTuple):
    """One application of a rule: ``node`` was replaced by ``by``."""

    rule: Rule
    node: Node
    by: Node

    def __str__(self) -> str:
        return f"%{self.node.index} {self.node.operation} -> %{self.by.index}: {self.rule.name} ({self.rule.reason})"


def _drop_identity(node: Node, made: Made) -> Node | None:
    return node.inputs[0] if node.primitive is REGISTRY.identity else None


def _drop_unchanged(node: Node, made: Made) -> Node | None:
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


def _repeated(node: Node, made: Made) -> Node | None:
    """The node's first input, if it is the same operation again."""
    return made[0] if made[0] is not None and made[0].primitive is node.primitive else None


def _merge_reshapes(node: Node, made: Made) -> Node | None:
    before = _repeated(node, made)
    if before is not None and node.primitive is REGISTRY.reshape:
        return rebuilt(node, (before.inputs[0],), node.params)
    return None


def _merge_transposes(node: Node, made: Made) -> Node | None:
    before = _repeated(node, made)
    if before is not None and node.primitive is REGISTRY.transpose:
        axes = tuple(before.params["axes"][axis] for axis in node.params["axes"])
        return rebuilt(node, before.inputs, {"axes": axes})
    return None


def _merge_broadcasts(node: Node, made: Made) -> Node | None:
    before = _repeated(node, made)
    if before is not None and node.primitive is REGISTRY.broadcast_to:
        return rebuilt(node, before.inputs, node.params)
    return None


def _cancel_negatives(node: Node, made: Made) -> Node | None:
    before = _repeated(node, made)
    return before.inputs[0] if before is not None and node.primitive is REGISTRY.negative else None


def _cancel_conjugates(node: Node, made: Made) -> Node | None:
    before = _repeated(node, made)
    return before.inputs[0] if before is not None and node.primitive is REGISTRY.conjugate else None


def _transpose_last(node: Node, made: Made) -> Node | None:
    """f(xᵀ) = f(x)ᵀ for what takes number by number, so that the next transpose may cancel this one.

    All operands are transposed alike, or the same along what is transposed: numbers and broadcasts, which cost nothing
    to be read in another order.
    """
    turned = [x.params["axes"] for x in made if x is not None and x.primitive is REGISTRY.transpose]
    if not isinstance(node.primitive, Elementwise) or not turned or any(axes != turned[0] for axes in turned):
        return None
    back = tuple(turned[0].index(axis) for axis in range(len(turned[0])))
    inputs = []
    for x, own in zip(node.inputs, made, strict=True):
        if x.shape == ():
            inputs.append(x)
        elif own is None or own.primitive not in (REGISTRY.transpose, REGISTRY.broadcast_to):
            return None
        elif own.primitive is REGISTRY.transpose:
            inputs.append(own.inputs[0])
        else:
            inputs.append(_turned(own, own, back))
    return _turned(node, rebuilt(node, tuple(inputs), node.params, tuple(node.shape[axis] for axis in back)), turned[0])


def _turned(node: Node, x: Node, axes: tuple[int, ...]) -> Node:
    """The transpose of ``x``, on the line of ``node``."""
    shape = tuple(x.shape[axis] for axis in axes)
    return rebuilt(node, (x,), {"axes": axes}, shape, REGISTRY.transpose)


RULES = (
    Rule("drop identity", "it changes nothing", _drop_identity),
    Rule("drop unchanged", "the shape, order or dtype asked for is the one it has", _drop_unchanged),
    Rule("merge reshapes", "only the last shape counts", _merge_reshapes),
    Rule("merge transposes", "two permutations make one", _merge_transposes),
    Rule("merge broadcasts", "copies of copies are copies", _merge_broadcasts),
    Rule("cancel negatives", "the opposite of the opposite is the number itself", _cancel_negatives),
    Rule("cancel conjugates", "mirroring twice brings the number back", _cancel_conjugates),
    Rule("transpose last", "numbers that are taken one by one may be in any order", _transpose_last),
)


def rebuilt(
    node: Node,
    inputs: tuple[Node, ...],
    params: dict[str, Any],
    shape: Any = None,
    primitive: Primitive | None = None,
) -> Node:
    """The node with other inputs or parameters; its line, names and origin stay.

    So does its value, unless another ``shape`` is given, whose value is computed when someone looks.
    """
    copy = Node(
        node.primitive if primitive is None else primitive,
        inputs,
        params,
        node.shape if shape is None else shape,
        node.dtype,
        node._value if shape is None else None,
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
            new = _simplified(new, ends, known, log)
        kept[node] = new
    return Graph(graph.inputs, [kept[node] for node in graph.outputs], graph.guards), log


def _simplified(node: Node, ends: set[Node], known: dict[Any, Node], log: list[Rewrite]) -> Node:
    """The node after all rules; what was met before, as it came or as it became, is not made again."""
    first = _computed_once(node, known, log)
    if first is not node:
        return first
    by = _rewritten(node, ends, log)
    if by is not node:
        by = _computed_once(by, known, log)
        known[_mapping(node)] = by
    return by


def _rewritten(node: Node, ends: set[Node], log: list[Rewrite]) -> Node:
    changed = True
    while changed and node.inputs and node not in ends:
        changed = False
        made = tuple(None if x in ends else x for x in node.inputs)
        for rule in RULES:
            by = rule.apply(node, made)
            if by is not None:
                log.append(Rewrite(rule, node, by))
                node, changed = by, True
                break
    return node


_ONCE = Rule("compute once", "the same mapping of the same inputs has the same value", lambda node, made: None)


def _mapping(node: Node) -> Any:
    """What two nodes with the same value have in common."""
    return (node.primitive, node.inputs, node.dtype, *node.params.values())


def _computed_once(node: Node, known: dict[Any, Node], log: list[Rewrite]) -> Node:
    if not node.inputs:
        return node
    try:
        first = known.setdefault(_mapping(node), node)
    except TypeError:  # parameters that cannot be compared
        return node
    if first is not node:
        log.append(Rewrite(_ONCE, node, first))
    return first
