"""Running a graph on many examples at once: the mechanism behind ``vmap`` and ``jacobian``.

A graph traced on one example is run again with a leading axis of examples on whatever depends on the inputs.
Elementwise primitives need no rule for that; structural ones bring theirs (``batch``), or are run example by example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper, wraps
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.graph import Graph, Node
from backlight.lifting import function_name
from backlight.primitive import REGISTRY, Elementwise, Structural
from backlight.trace import ROOT, Trace, constant, input_node, state, user_source
from backlight.tree import Structure, flatten, flatten_like, unflatten

__all__ = ["first_example", "run_batched", "vmap"]


def run_batched(graph: Graph, feeds: Sequence[Any], size: int, varying: Sequence[bool] | None = None) -> list[Array]:
    """The outputs of ``graph`` for ``size`` examples; each feed and each output has a leading axis of examples.

    ``varying`` says which feeds have one (default: all); the others are the same for all examples.
    """
    fed: dict[Node, Any] = {node: as_array(feed) for node, feed in zip(graph.inputs, feeds, strict=True)}
    flags = (True,) * len(feeds) if varying is None else varying
    batched = {node for node, flag in zip(graph.inputs, flags, strict=True) if flag}
    for node in graph.nodes:
        if node not in fed and any(node_in in fed for node_in in node.inputs):
            if any(node_in in batched for node_in in node.inputs):
                batched.add(node)
            fed[node] = _run_node(node, fed, batched, size)
    return [
        fed[node] if node in batched else _repeated(fed[node] if node in fed else _as_it_is(node), size)
        for node in graph.outputs
    ]


def _run_node(node: Node, fed: dict[Node, Any], batched: set[Node], size: int) -> Any:
    primitive = node.primitive
    if primitive is REGISTRY.item:
        return fed[node.inputs[0]][node.params["k"]]
    flags = tuple(node_in in batched for node_in in node.inputs)
    xs = [fed[node_in] if node_in in fed else _as_it_is(node_in) for node_in in node.inputs]
    if isinstance(primitive, Elementwise):
        return primitive(*xs)
    assert isinstance(primitive, Structural)
    if not any(flags):
        return primitive(*xs, **node.params)
    if primitive.batch is not None:
        return primitive.batch(flags, *xs, **node.params)
    rows = [
        primitive(*[x[k] if flag else x for x, flag in zip(xs, flags, strict=True)], **node.params) for k in range(size)
    ]
    if primitive.outputs != 1:
        shapes = [(out.shape, out.dtype) for out in node.value]
        return tuple(_stacked([row[k] for row in rows], *like) for k, like in enumerate(shapes))
    return _stacked(rows, node.shape, node.dtype)


def _as_it_is(node: Node) -> Array:
    """A value that depends on no feed; as a constant once its trace is over."""
    return Array(node if node.trace.open else constant(node.value))


def _stacked(rows: list[Array], shape: tuple[int, ...], dtype: Any) -> Array:
    if not rows:
        return as_array(np.zeros((0, *shape), dtype))
    return REGISTRY.concatenate(*[REGISTRY.reshape(row, shape=(1, *row.shape)) for row in rows], axis=0)  # type: ignore[no-any-return]


def _repeated(array: Array, size: int) -> Array:
    return REGISTRY.broadcast_to(array, shape=(size, *array.shape))  # type: ignore[no-any-return]


def vmap(function: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """The function that applies ``f`` to every example along an axis, at the cost of one call on arrays.

    ``in_axes`` is the axis of examples of each argument (of all its leaves), ``None`` for an argument that all
    examples share; one number counts for all arguments. All examples share keyword arguments as well. The results are
    stacked along ``out_axes``.
    ``vmap(grad(loss), in_axes=(None, 0, 0))(params, x, y)`` gives one gradient per example.

    >>> import numpy as np
    >>> vmap(lambda a, b: np.sum(a * b), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0)).tolist()
    [3.0, 3.0]

    A function whose Python code looks at traced values (``if x > 0``) is called once per example instead.
    Raises ``ShapeError`` when the arguments disagree about the number of examples, or results for them in shape.
    """

    @wraps(function)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        call = update_wrapper(partial(function, **kwargs), function) if kwargs else function
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if len(axes) != len(args) or all(axis is None for axis in axes):
            name = function_name(function)
            raise ArgumentError(message("in_axes", function=name, axes=in_axes, count=len(args)))
        parts = [flatten(arg) for arg in args]
        columns = [
            [leaf if axis is None else _examples_first(leaf, axis, function) for leaf in leaves]
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
        name = f"vmap of {function_name(function)}"
        trace = Trace(name, lasting=not plain)
        outputs, structure = _map_at_once(trace, call, structures, columns, axes, size)
        if outputs is None:
            trace = Trace(name, lasting=not plain)
            outputs, structure = _map_one_by_one(trace, call, structures, columns, axes, size)
            trace.set_open(True)
        turned = [np.moveaxis(output, 0, out_axes) for output in outputs]
        trace.close()
        return unflatten(structure, [output.numpy() if plain else output for output in turned])

    return mapped


def _examples_first(leaf: Any, axis: int, function: Any) -> Any:
    array: Any = leaf if isinstance(leaf, Array) else np.asarray(leaf)
    if not -array.ndim <= axis < array.ndim:
        where, name = str(user_source() or ""), function_name(function)
        raise ShapeError(message("vmap_axis", where, function=name, axis=axis, shape=array.shape))
    return np.moveaxis(array, axis, 0)


def _map_at_once(trace: Trace, function: Any, structures: Any, columns: Any, axes: Any, size: int) -> tuple[Any, Any]:
    """Trace ``function`` on the first example and run the graph on all; nothing where Python read a traced value."""
    inputs: list[Node] = []
    feeds: list[Any] = []
    with trace:
        arguments = []
        for structure, column, axis in zip(structures, columns, axes, strict=True):
            leaves = [_own(leaf) for leaf in column]
            if axis is not None:
                feeds += column
                leaves = [Array(input_node(first_example(leaf), None)) for leaf in column]
                inputs += [leaf._node for leaf in leaves]
            arguments.append(unflatten(structure, leaves))
        results, structure = flatten(function(*arguments))
        if trace.guards and size:
            return None, None
        outputs = [as_array(result).node for result in results]
        trace.leave()
        return run_batched(Graph(inputs, outputs), feeds, size), structure


def first_example(leaf: Any) -> Any:
    """The first of the examples, or zeros where there is none."""
    value = leaf.node.value if isinstance(leaf, Array) else leaf
    return value[0] if value.shape[0] else np.zeros(value.shape[1:], value.dtype)


def _map_one_by_one(trace: Trace, function: Any, structures: Any, columns: Any, axes: Any, size: int) -> Any:
    """One call per example, stacked: where Python's way through ``function`` depends on the values."""
    rows: list[list[Array]] = []
    form: Structure | None = None
    name = f"what {function_name(function)} returned"
    with trace:
        for k in range(size):
            arguments = [
                unflatten(structure, [_own(leaf) if axis is None else _example(leaf, k) for leaf in column])
                for structure, column, axis in zip(structures, columns, axes, strict=True)
            ]
            result = function(*arguments)
            if form is None:
                form = flatten(result)[1]
            rows.append([as_array(leaf) for leaf in flatten_like(result, form, name)])
        outputs = [_joined([*column], name) for column in zip(*rows, strict=True)]
    return outputs, form


def _own(leaf: Any) -> Any:
    """What ``function`` is given: writing to it leaves the caller's Array as it is."""
    return Array(leaf.node) if isinstance(leaf, Array) else leaf


def _example(leaf: Any, k: int) -> Array:
    return Array(leaf[k].node if isinstance(leaf, Array) else input_node(leaf[k], None))


def _joined(rows: list[Array], name: str) -> Array:
    """The results for all examples, in the dtype that holds them all."""
    shapes = {row.shape for row in rows}
    if len(shapes) > 1:
        came = ", ".join(map(str, sorted(shapes)))
        raise ShapeError(message("vmap_results", str(user_source() or ""), what=name, came=came))
    dtype = np.result_type(*[row.dtype for row in rows])
    rows = [row if row.dtype == dtype else REGISTRY.cast(row, dtype=dtype) for row in rows]
    return _stacked(rows, rows[0].shape, dtype)
