"""Running a graph on many examples at once: the mechanism behind ``vmap`` and ``jacobian``.

A graph traced on one example is run again with a leading axis of examples on whatever depends on the inputs.
Elementwise primitives need no rule for that; structural ones bring theirs (``batch``), or are run example by example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.graph import Graph, Node
from backlight.lifting import function_name
from backlight.primitive import REGISTRY, Elementwise, Structural
from backlight.trace import ROOT, Trace, input_node, state, user_source
from backlight.tree import flatten, unflatten

__all__ = ["run_batched", "vmap"]


def run_batched(graph: Graph, feeds: Sequence[Any], size: int) -> list[Array]:
    """The outputs of ``graph`` for ``size`` examples; each feed and each output has a leading axis of examples."""
    batched: dict[Node, Any] = {node: as_array(feed) for node, feed in zip(graph.inputs, feeds, strict=True)}
    for node in graph.nodes:
        if node not in batched and any(node_in in batched for node_in in node.inputs):
            batched[node] = _run_node(node, batched, size)
    return [batched[node] if node in batched else _repeated(Array(node), size) for node in graph.outputs]


def _run_node(node: Node, batched: dict[Node, Any], size: int) -> Any:
    primitive = node.primitive
    if primitive is REGISTRY.item:
        return batched[node.inputs[0]][node.params["k"]]
    flags = tuple(node_in in batched for node_in in node.inputs)
    xs = [batched[node_in] if flag else Array(node_in) for node_in, flag in zip(node.inputs, flags, strict=True)]
    if isinstance(primitive, Elementwise):
        return primitive(*xs)
    assert isinstance(primitive, Structural)
    if primitive.batch is not None:
        return primitive.batch(flags, *xs, **node.params)
    rows = [
        primitive(*[x[k] if flag else x for x, flag in zip(xs, flags, strict=True)], **node.params) for k in range(size)
    ]
    if primitive.outputs != 1:
        shapes = [(out.shape, out.dtype) for out in node.value]
        return tuple(_stacked([row[k] for row in rows], *like) for k, like in enumerate(shapes))
    return _stacked(rows, node.shape, node.dtype)


def _stacked(rows: list[Array], shape: tuple[int, ...], dtype: Any) -> Array:
    if not rows:
        return as_array(np.zeros((0, *shape), dtype))
    return REGISTRY.concatenate(*[REGISTRY.reshape(row, shape=(1, *row.shape)) for row in rows], axis=0)  # type: ignore[no-any-return]


def _repeated(array: Array, size: int) -> Array:
    return REGISTRY.broadcast_to(array, shape=(size, *array.shape))  # type: ignore[no-any-return]


def vmap(function: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """The function that applies ``f`` to every example along an axis, at the cost of one call on arrays.

    ``in_axes`` is the axis of examples of each argument (of all its leaves), ``None`` for an argument that all
    examples share; one number counts for all arguments. The results are stacked along ``out_axes``.
    ``vmap(grad(loss), in_axes=(None, 0, 0))(params, x, y)`` gives one gradient per example.

    >>> import numpy as np
    >>> vmap(lambda a, b: np.sum(a * b), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0)).tolist()
    [3.0, 3.0]

    A function whose Python code looks at traced values (``if x > 0``) is called once per example instead.
    Raises ``ShapeError`` when the arguments disagree about the number of examples.
    """

    @wraps(function)
    def mapped(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if len(axes) != len(args) or all(axis is None for axis in axes):
            name = function_name(function)
            raise ArgumentError(message("in_axes", function=name, axes=in_axes, count=len(args)))
        parts = [flatten(arg) for arg in args]
        columns = [
            [leaf if axis is None else np.moveaxis(_array_like(leaf), axis, 0) for leaf in leaves]
            for (leaves, _), axis in zip(parts, axes, strict=True)
        ]
        lengths = {
            leaf.shape[0] for column, axis in zip(columns, axes, strict=True) if axis is not None for leaf in column
        }
        if len(lengths) != 1:
            name = function_name(function)
            raise ShapeError(message("vmap_lengths", str(user_source() or ""), function=name, came=sorted(lengths)))
        size = lengths.pop()
        plain = state.trace is ROOT and not any(isinstance(leaf, Array) for leaves, _ in parts for leaf in leaves)
        structures = [structure for _, structure in parts]
        trace = Trace(f"vmap of {function_name(function)}", lasting=not plain)
        outputs, structure = _map_at_once(trace, function, structures, columns, axes, size)
        if outputs is None:
            outputs, structure = _map_one_by_one(function, structures, columns, axes, size)
        turned = [np.moveaxis(output, 0, out_axes) for output in outputs]
        return unflatten(structure, [output.numpy() if plain else output for output in turned])

    return mapped


def _array_like(leaf: Any) -> Any:
    return leaf if isinstance(leaf, Array) else np.asarray(leaf)


def _map_at_once(trace: Trace, function: Any, structures: Any, columns: Any, axes: Any, size: int) -> tuple[Any, Any]:
    """Trace ``function`` on the first example and run the graph on all; nothing where Python read a traced value."""
    inputs: list[Node] = []
    feeds: list[Any] = []
    with trace:
        arguments = []
        for structure, column, axis in zip(structures, columns, axes, strict=True):
            leaves = column
            if axis is not None:
                feeds += column
                leaves = [Array(input_node(_first(leaf), None)) for leaf in column]
                inputs += [leaf._node for leaf in leaves]
            arguments.append(unflatten(structure, leaves))
        results, structure = flatten(function(*arguments))
        if trace.guards:
            return None, None
        outputs = [as_array(result).node for result in results]
        trace.leave()
        return run_batched(Graph(inputs, outputs), feeds, size), structure


def _first(leaf: Any) -> Any:
    value = leaf.value if isinstance(leaf, Array) else leaf
    return value[0] if value.shape[0] else np.zeros(value.shape[1:], value.dtype)


def _map_one_by_one(function: Any, structures: Any, columns: Any, axes: Any, size: int) -> tuple[Any, Any]:
    rows: list[list[Array]] = []
    structure = None
    for k in range(size):
        arguments = [
            unflatten(form, column if axis is None else [leaf[k] for leaf in column])
            for form, column, axis in zip(structures, columns, axes, strict=True)
        ]
        results, structure = flatten(function(*arguments))
        rows.append([as_array(result) for result in results])
    return [_stacked(list(column), column[0].shape, column[0].dtype) for column in zip(*rows, strict=True)], structure
