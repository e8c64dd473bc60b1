"""Graph -> graph: a value without elements is a constant, so that what is made from such values alone is known before.

No later stage has to think of arrays of size 0: sums over them, products along them and rows of them are constants that
the records' own values give.
"""

from __future__ import annotations

from math import prod

import numpy as np

from backlight.graph import NO_PARAMS, Graph, Node
from backlight.loops import Body
from backlight.simplify import rebuilt

__all__ = ["filled"]


def filled(graph: Graph) -> Graph:
    """The graph without readers of values that have no elements, in the bodies of loops too; only loops are still given
    such values, and the outputs may be such.

    >>> import backlight, numpy as np
    >>> x, y = backlight.array(np.ones((2, 0))), backlight.array(np.ones(2))
    >>> z = np.sum(np.exp(x), axis=1) + y
    >>> [node.operation for node in filled(Graph([x.node, y.node], [z.node]))]
    ['input', 'input', 'constant', 'sum', 'add']
    """
    return _filled(graph, {})


def _filled(graph: Graph, bodies: dict[int, Body]) -> Graph:
    fresh = {node: _nothing(node) if _is_empty(node) else node for node in graph.inputs}
    for node in graph.nodes:
        if node in fresh:
            continue
        params = node.params
        for name, old in node.params.items():
            if isinstance(old, Body):
                if id(old) not in bodies:
                    inside = _filled(old.graph, bodies)
                    bodies[id(old)] = old if inside is old.graph else Body(inside)
                params = params if bodies[id(old)] is old else {**params, name: bodies[id(old)]}
        inputs = tuple(fresh[node_in] for node_in in node.inputs)
        if _is_empty(node):
            fresh[node] = _nothing(node)
        elif inputs != node.inputs or params is not node.params:
            fresh[node] = rebuilt(node, inputs, params)
        else:
            fresh[node] = node
    if all(node is each for node, each in fresh.items()):
        return graph
    return Graph(graph.inputs, [fresh[node] for node in graph.outputs], graph.guards)


def _is_empty(node: Node) -> bool:
    return node.shape is not None and prod(node.shape) == 0


def _nothing(node: Node) -> Node:
    """The constant of the shape and dtype of ``node``, which is its value whatever it is made from."""
    if node.kind == "constant":
        return node
    value = np.empty(node.shape, node.dtype)
    return Node(
        None,
        (),
        NO_PARAMS,
        node.shape,
        node.dtype,
        value,
        node.trace,
        node.code,
        node.lasti,
        node.scope,
        None,
        "constant",
    )
