"""Graph -> graph: from forward nodes to the backward nodes that carry gradients (or tangents) through them.

Every backward node is recorded with its ``Origin``: which forward node, which input, which part of the rule.
The rules are the records' own, called on Arrays, so a derivative is an ordinary graph and can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array
from backlight.errors import DTypeError, message
from backlight.graph import Node, Origin, reachable
from backlight.primitive import REGISTRY, All, Each, Elementwise, Structural
from backlight.refusal import describe
from backlight.trace import constant, input_node, state

__all__ = ["Edge", "active_nodes", "pull_back", "push_forward", "zeros_like"]


def zeros_like(node: Node) -> Array:
    """A gradient of zero, shaped like ``node``."""
    zero = np.zeros((), node.dtype)
    zero.flags.writeable = False  # so that nobody has to copy what is one number in memory
    return Array(constant(np.broadcast_to(zero, node.shape) if node.shape else zero[()]))


def is_differentiable(node: Node) -> bool:
    """Whether gradients flow through this node at all: real and complex numbers, not integers or booleans."""
    return node.dtype is None or node.dtype.kind in "fc"


def active_nodes(outputs: Iterable[Node], wrt: Sequence[Node], cut: bool = False) -> tuple[list[Node], set[Node]]:
    """The nodes behind ``outputs`` in execution order, and those among them that depend on ``wrt``.

    With ``cut`` the ``wrt`` count as independent of each other: nothing behind them is looked at.
    """
    since = min((node.index for node in wrt), default=0)
    order = reachable(outputs, stop=set(wrt) if cut else (), since=since)
    active = {node for node in wrt if is_differentiable(node)}
    for node in order:
        if node not in active and is_differentiable(node):
            for node_in in node.inputs:
                if node_in in active:
                    active.add(node)
                    break
    return order, active


class Edge(NamedTuple):
    """One step of the chain rule: what arrived at ``node``, and what it passed on to its input number ``input``.

    ``local`` is ∂node/∂input for an elementwise mapping (a Python number where it is a constant), ``None`` for a
    structural one, whose pullback gives the contribution in one go.
    """

    node: Node
    input: int
    gradient: Array
    local: Any
    contribution: Array


def pull_back(
    outputs: Sequence[Node],
    seeds: Sequence[Array],
    wrt: Sequence[Node],
    edges: list[Edge] | None = None,
    cut: bool = False,
) -> dict[Node, Array]:
    """Reverse mode: the gradient of ⟨seeds, outputs⟩ with respect to every active node.

    One walk in reverse execution order. Each node's gradient is the sum of the contributions of the edges that read
    it; it is complete when the walk arrives, since all readers ran later. ``edges`` collects every step of the walk.
    With ``cut`` the walk ends at ``wrt``, even where one of them was made from another.
    """
    order, active = active_nodes(outputs, wrt, cut)
    ends = set(wrt) if cut else ()
    gradients: dict[Node, Any] = {}
    before = state.origin
    with np.errstate(all="ignore"):
        try:
            for node, seed in zip(outputs, seeds, strict=True):
                if node in active:
                    _accumulate(gradients, node, seed)
            for node in reversed(order):
                if node in gradients and node.primitive is not None and node not in ends:
                    _pull_back_node(node, gradients, active, edges)
        finally:
            state.origin = before
    return gradients


def _require_complex_rule(node: Node, node_in: Node, primitive: Elementwise | Structural) -> None:
    """A rule made for real numbers would give complex ones a wrong gradient without a word: refuse instead."""
    dtype = node_in.dtype
    if dtype is not None and dtype.kind == "c" and not (primitive.complex or primitive.transient):
        where = str(node.source or "")
        raise DTypeError(message("complex_rule", where, operation=primitive.name, operand=describe(Array(node_in))))


def _pull_back_node(node: Node, gradients: dict[Node, Any], active: set[Node], edges: list[Edge] | None) -> None:
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        xs: list[Array] = []
        for i, (node_in, partial) in enumerate(zip(node.inputs, primitive.partials, strict=True)):
            if node_in in active and partial is not None:
                _require_complex_rule(node, node_in, primitive)
                xs = xs or [*map(Array, node.inputs), Array(node)]
                state.origin = Origin(node, i, "local")
                local = partial(*xs)
                state.origin = Origin(node, i, "contribution")
                passed = contribution(gradients[node], local, primitive)
                _accumulate(gradients, node_in, passed)
                if edges is not None:
                    edges.append(Edge(node, i, gradients[node], local, passed))
    elif primitive is REGISTRY.item:
        _accumulate(gradients.setdefault(node.inputs[0], {}), node.params["k"], gradients[node], node)
        if edges is not None:
            edges.append(Edge(node, 0, gradients[node], None, gradients[node]))
    elif isinstance(primitive, Structural):
        arguments = [*map(Array, node.inputs), *_output_and_gradient(node, primitive, gradients[node])]
        wanted = [i for i, node_in in enumerate(node.inputs) if node_in in active]
        for i, passed in _pulled_back(node, primitive, arguments, wanted):
            _accumulate(gradients, node.inputs[i], passed)
            if edges is not None:
                edges.append(Edge(node, i, arguments[-1], None, passed))


def _pulled_back(
    node: Node, primitive: Structural, arguments: list[Any], wanted: list[int]
) -> Iterator[tuple[int, Any]]:
    """The contributions to the ``wanted`` inputs of a structural node; ``arguments`` are its inputs, y and g."""
    rules = primitive.pullback
    for i in wanted:
        _require_complex_rule(node, node.inputs[i], primitive)
    if isinstance(rules, All):
        state.origin = Origin(node, wanted[0], "pullback")
        needed = [i in wanted for i in range(len(node.inputs))]
        together = rules.rule(arguments[:-2], *arguments[-2:], needed, **node.params)
    for i in wanted:
        state.origin = Origin(node, i, "pullback")
        if isinstance(rules, All):
            passed = together[i]
        elif isinstance(rules, Each):
            passed = rules.rule(i, arguments[:-2], *arguments[-2:], **node.params)
        else:
            rule = rules[i]
            passed = None if rule is None else rule(*arguments, **node.params)
        if passed is not None:
            yield i, passed


def _output_and_gradient(node: Node, primitive: Structural, g: Any) -> tuple[Any, Any]:
    """``y`` and ``g`` as the rules want them: tuples where there are several outputs, zeros where no gradient came."""
    if primitive.outputs == 1:
        return Array(node), g
    state.origin = Origin(node, 0, "pullback")
    ys = tuple(REGISTRY.item(Array(node), k=k) for k in range(_count(node)))
    return ys, tuple(g[k] if k in g else zeros_like(y.node) for k, y in enumerate(ys))


def _count(node: Node) -> int:
    """How many outputs a mapping with several has."""
    primitive = node.primitive
    if node._value is None and isinstance(primitive, Structural):  # not run yet: its rule knows
        return len(primitive.shape(*[node_in.shape for node_in in node.inputs], **node.params))
    return len(node.value)


def contribution(g: Array, local: Any, primitive: Elementwise, conjugate: bool = True) -> Array:
    """g · local, with 0 · ∞ = 0 where the record says that ``local`` may be infinite.

    A gradient uses the conjugate of a complex local derivative (steepest ascent), a tangent the derivative itself.
    """
    if isinstance(local, int | float):
        return g if local == 1 else -g if local == -1 else g * local
    if conjugate and local.dtype.kind == "c":
        local = REGISTRY.conjugate(local)
    return REGISTRY.chain(g, local) if primitive.singular else REGISTRY.multiply(g, local)  # type: ignore[no-any-return]


def _accumulate(gradients: dict[Any, Any], key: Any, value: Any, node: Node | None = None) -> None:
    if value is None:
        return
    so_far = gradients.get(key)
    if so_far is not None:
        state.origin = Origin(node or key, 0, "sum")
        value = so_far + value
    gradients[key] = value


def push_forward(outputs: Sequence[Node], primals: Sequence[Node], tangents: Sequence[Array]) -> list[Array]:
    """Forward mode: the change of ``outputs`` when ``primals`` change by ``tangents``; zeros where nothing changes."""
    order, active = active_nodes(outputs, primals)
    moved: dict[Node, Any] = dict(zip(primals, tangents, strict=True))
    before = state.origin
    with np.errstate(all="ignore"):
        try:
            for node in order:
                if node in active and node.primitive is not None and node not in moved:
                    _push_forward_node(node, moved)
        finally:
            state.origin = before
    return [moved[node] if node in moved else zeros_like(node) for node in outputs]


def _push_forward_node(node: Node, moved: dict[Node, Any]) -> None:
    primitive = node.primitive
    edges = [(i, node_in) for i, node_in in enumerate(node.inputs) if node_in in moved]
    if primitive is REGISTRY.item:
        k = node.params["k"]
        if edges and k in moved[edges[0][1]]:
            moved[node] = moved[edges[0][1]][k]
        return
    xs = [*map(Array, node.inputs)]
    if isinstance(primitive, Elementwise):
        for i, node_in in edges:
            state.origin = Origin(node, i, "pushforward")
            partial = primitive.partials[i]
            if partial is not None:
                _require_complex_rule(node, node_in, primitive)
                _accumulate(moved, node, contribution(moved[node_in], partial(*xs, Array(node)), primitive, False))
        return
    assert isinstance(primitive, Structural)
    linear = primitive.linear_in
    steps = []
    for i, node_in in edges:
        if linear == "all" or i in linear:
            state.origin = Origin(node, i, "pushforward")
            steps.append(primitive(*xs[:i], moved[node_in], *xs[i + 1 :], **node.params))
    bent = [i for i, _ in edges if linear != "all" and i not in linear]
    if bent:
        steps.append(_transposed(node, primitive, bent, xs, [moved[node.inputs[i]] for i in bent]))
    for step in steps:
        if primitive.outputs == 1:
            _accumulate(moved, node, step)
        else:
            for k, change in enumerate(step):
                _accumulate(moved.setdefault(node, {}), k, change, node)


def _transposed(node: Node, primitive: Structural, wanted: list[int], xs: list[Array], tangents: list[Array]) -> Any:
    """The pushforward of a mapping that is not linear: the transpose of its pullback, which is linear in ``g``."""
    state.origin = Origin(node, wanted[0], "pushforward")
    several = primitive.outputs != 1
    ys: Any = tuple(REGISTRY.item(Array(node), k=k) for k in range(_count(node))) if several else Array(node)
    probes = [Array(input_node(np.zeros(y.shape, y.dtype), None)) for y in (ys if several else (ys,))]
    pulled = dict(_pulled_back(node, primitive, [*xs, ys, tuple(probes) if several else probes[0]], wanted))
    ends = [
        (contribution.node, tangents[k]) for k, i in enumerate(wanted) if (contribution := pulled.get(i)) is not None
    ]
    found = pull_back([end for end, _ in ends], [tangent for _, tangent in ends], [probe.node for probe in probes])
    steps = tuple(found.get(probe.node, zeros_like(probe.node)) for probe in probes)
    return steps if several else steps[0]
