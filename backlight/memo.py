"""The backward pass of a function that runs again and again is derived once.

A training step traces the same structure thousands of times with new numbers. The gradient of that structure is a
graph of its own, which depends on the forward values but not on anything else, since rules never look at values. So
the second time a structure is met its backward graph is kept as an ``Executor``, and from then on a gradient costs
the tracing and the arithmetic, not the derivation. The numbers are the same: the same primitives in the same order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.differentiate import pull_back, zeros_like
from backlight.graph import Graph, Node, reachable
from backlight.interpret import Executor
from backlight.locks import lock
from backlight.primitive import Primitive
from backlight.simplify import simplify
from backlight.trace import constant

__all__ = ["gradient_values"]

_MOST = 64  # structures remembered; the least recently used is forgotten first
_memory: OrderedDict[Any, tuple[Executor, tuple[int, ...]] | None] = OrderedDict()
_lock = lock()


def gradient_values(output: Node, inputs: Sequence[Node]) -> list[Any]:
    """The gradients of one number with respect to ``inputs``, as plain values that may share memory."""
    key, forward = _structure(output, inputs)
    known = _recall(key)
    if isinstance(known, tuple):
        executor, used = known
        with np.errstate(all="ignore"):
            return list(executor(*[forward[k].value for k in used]))
    found = pull_back([output], [Array(constant(np.ones((), output.dtype)[()]))], inputs)
    gradients = [found[node].node if node in found else zeros_like(node).node for node in inputs]
    if key is not None:
        _remember(key, _derived(forward, gradients) if known == "seen" else None)
    return [node.value for node in gradients]


def _structure(output: Node, inputs: Sequence[Node]) -> tuple[Any, list[Node]]:
    """What the backward graph depends on, as a key (``None``: not to be remembered), and the nodes it may read."""
    position: dict[Node, int] = {}
    forward: list[Node] = []
    parts: list[Any] = []
    for node in reachable([output], since=min(node.index for node in inputs)):
        sources = []
        for node_in in node.inputs:
            at = position.get(node_in)
            if at is None:  # older than the inputs: its history does not matter, its value does
                at = position[node_in] = len(forward)
                forward.append(node_in)
                parts += ("older", node_in.shape, node_in.dtype)
            sources.append(at)
        position[node] = len(forward)
        forward.append(node)
        primitive: Primitive | None = node.primitive
        if primitive is None:
            parts += (node.kind, node.shape, node.dtype)
        elif primitive.transient:
            return None, forward
        else:
            parts += (primitive, *sources, node.shape, node.dtype, *node.params.items())
    # An input that does not reach the output has a gradient of zeros, whose shape and dtype are its own.
    key = (*parts, *[position.get(node, (node.shape, node.dtype)) for node in inputs])
    try:
        hash(key)
    except TypeError:  # a parameter that cannot be compared, such as the graph of a loop's body
        return None, forward
    return key, forward


def _recall(key: Any) -> Any:
    with _lock:
        if key is None or key not in _memory:
            return None
        _memory.move_to_end(key)
        return _memory[key] or "seen"


def _remember(key: Any, program: tuple[Executor, tuple[int, ...]] | None) -> None:
    with _lock:
        _memory[key] = program
        while len(_memory) > _MOST:
            _memory.popitem(last=False)


def _derived(forward: list[Node], gradients: list[Node]) -> tuple[Executor, tuple[int, ...]]:
    """The backward graph alone, as a program from the forward values it reads to the gradients."""
    own = set(forward)
    nodes = set(reachable(gradients, stop=own))
    used = tuple(k for k, node in enumerate(forward) if node in nodes)
    graph, _ = simplify(Graph([forward[k] for k in used], gradients))
    return Executor(graph), used
