"""All steps of a loop at once: what depends on no carry, computed from stacked rows as ``vmap`` would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.compiler.cut import kernel_of
from backlight.compiler.opened import like
from backlight.graph import Node, Origin, reachable
from backlight.primitive import REGISTRY, Contract, Elementwise, Gather, Library, Map, Move, Reduce, Structural, Window
from backlight.trace import Trace, constant, deriving, input_node, state

__all__ = ["at_all_steps", "is_batchable"]


def is_batchable(node: Node) -> bool:
    """Whether the mapping can be computed for all steps at once."""
    primitive = node.primitive
    if isinstance(primitive, Elementwise):
        return True
    if not isinstance(primitive, Structural) or primitive.batch is None or primitive.outputs != 1:
        return False
    kernel = kernel_of(node)
    softmax = isinstance(kernel, Library) and kernel.routine == "softmax"
    return softmax or isinstance(kernel, Map | Move | Contract | Reduce | Gather | Window)


def at_all_steps(
    wanted: Sequence[Node], stacked: Mapping[Node, Node], fixed: Mapping[Node, Node], n: int
) -> list[Node]:
    """Nodes of a body for all ``n`` steps at once, from nodes of it that are known ``stacked``, or are always the same.

    Each new node stands at the line of the one that it computes for all steps.
    """
    leaves = [node for node in reachable(wanted, stop={*stacked, *fixed}) if node in stacked or node in fixed]
    before = state.postpone
    state.postpone = True
    try:
        with Trace("all steps of a loop"), np.errstate(all="ignore"):
            points = [_stand_in(node, (n,) if node in stacked else ()) for node in leaves]
            results = _recorded(wanted, dict(zip(leaves, points, strict=True)), stacked, n)
    finally:
        state.postpone = before
    sources = [stacked[node] if node in stacked else fixed[node] for node in leaves]
    fresh = dict(zip([point.node for point in points], sources, strict=True))
    for node in reachable([result.node for result in results], stop=set(fresh)):
        if node not in fresh:
            inputs = tuple(fresh[node_in] for node_in in node.inputs)
            fresh[node] = _at_its_line(node, inputs) if inputs else node
    return [fresh[result.node] for result in results]


def _stand_in(node: Node, lead: tuple[int, ...]) -> Array:
    return Array(input_node(np.broadcast_to(np.zeros((), node.dtype), (*lead, *node.shape)), None))


def _recorded(wanted: Sequence[Node], fed: dict[Node, Any], stacked: Mapping[Node, Node], n: int) -> list[Array]:
    batched = {node for node in fed if node in stacked}
    for node in reachable(wanted, stop=set(fed)):
        if node not in fed and any(node_in in fed for node_in in node.inputs):
            flags = tuple(node_in in batched for node_in in node.inputs)
            if any(flags):
                batched.add(node)
            with deriving(Origin(node, 0, "part")):
                fed[node] = _for_all(node, flags, [_fed(node_in, fed) for node_in in node.inputs])
    found = []
    for node in wanted:
        with deriving(Origin(node, 0, "part")):
            array = _fed(node, fed)
            found.append(array if node in batched else REGISTRY.broadcast_to(array, shape=(n, *node.shape)))
    return found


def _fed(node: Node, fed: Mapping[Node, Any]) -> Array:
    return fed[node] if node in fed else Array(constant(node.value))


def _for_all(node: Node, flags: tuple[bool, ...], xs: Sequence[Array]) -> Any:
    primitive = node.primitive
    assert primitive is not None
    if isinstance(primitive, Elementwise):
        return primitive(*xs)
    if not any(flags):
        return primitive(*xs, **node.params)
    assert primitive.batch is not None
    return primitive.batch(flags, *xs, **node.params)


def _at_its_line(node: Node, inputs: tuple[Node, ...]) -> Node:
    """``node`` of other inputs, standing where the node does that it was recorded for."""
    assert node.origin is not None
    return like(node.origin.node, node.primitive, inputs, node.params, node.shape, node.dtype)
