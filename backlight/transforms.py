"""Transformations of functions: gradients, products with Jacobians, Jacobians and Hessians.

Each runs the user's function once inside a ``Trace`` on Arrays, then differentiates the graph that ran. What they
return are plain NumPy arrays when plain NumPy came in, and Arrays, which can be differentiated again, inside another
transformation or when Arrays came in. An input that does not reach the output has gradient zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from types import TracebackType
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.batching import run_batched
from backlight.differentiate import pull_back, push_forward, zeros_like
from backlight.errors import ArgumentError, DTypeError, NonScalarError, ShapeError, message
from backlight.graph import Graph, Node
from backlight.lifting import argument_names, function_name, labels, lift
from backlight.memo import gradient_values
from backlight.primitive import HOOK, REGISTRY
from backlight.trace import ROOT, Trace, constant, input_node, state, user_source
from backlight.tree import Structure, flatten, flatten_like, tree_map, unflatten

__all__ = ["Traced", "grad", "hessian", "hvp", "jacobian", "jvp", "stop_gradient", "value_and_grad", "vjp"]


class Traced:
    """One run of a function on Arrays: ``with Traced("grad", f, args, kwargs, argnums) as run``.

    ``run.inputs`` are the nodes of the leaves of the chosen arguments, ``run.outputs`` those of the result's leaves.
    Its values may be used until the block ends.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Sequence[int],
        *,
        has_aux: bool = False,
        copy: bool = False,
    ) -> None:
        self.function = function
        parts = [flatten(args[k]) for k in argnums]
        self.plain = state.trace is ROOT and not any(isinstance(leaf, Array) for leaves, _ in parts for leaf in leaves)
        self.trace = Trace(f"{name} of {function_name(function)}", lasting=not self.plain)
        self.has_aux = has_aux
        self.structures = [structure for _, structure in parts]
        self.inputs: list[Node] = []
        self._arguments = (args, kwargs, argnums, [leaves for leaves, _ in parts], copy)

    def __enter__(self) -> Traced:
        args, kwargs, argnums, leaves_of, copy = self._arguments
        lifted = list(args)
        with_names = argument_names(self.function, len(args))
        with self.trace:
            for argnum, leaves, structure in zip(argnums, leaves_of, self.structures, strict=True):
                names = labels(structure, with_names[argnum])
                arrays = [lift(leaf, name, copy) for leaf, name in zip(leaves, names, strict=True)]
                self.inputs += [array._node for array in arrays]
                lifted[argnum] = unflatten(structure, arrays)
            result = self.function(*lifted, **kwargs)
        self.aux = None
        if self.has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentError(message("has_aux", function=function_name(self.function)))
            result, self.aux = result
        self.result = result
        leaves, self.result_structure = flatten(result)
        self.trace.set_open(True)
        self.outputs = [as_array(leaf).node for leaf in leaves]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.trace.close()

    def outward(self, arrays: Sequence[Array]) -> list[Any]:
        """Results as the caller wants them: plain arrays of his own, or Arrays of the enclosing trace."""
        if self.plain:
            return owned([_apart(array.node) for array in arrays])
        return list(arrays)

    def value(self) -> Any:
        """What the function returned."""
        return unflatten(self.result_structure, self.outward([Array(node) for node in self.outputs]))

    def auxiliary(self) -> Any:
        """The extra result of a function called with ``has_aux=True``, its Arrays taken out of the trace."""
        leaves, structure = flatten(self.aux)
        out = [self.outward([leaf])[0] if isinstance(leaf, Array) else leaf for leaf in leaves]
        return unflatten(structure, out)

    def nest(self, leaves: Sequence[Any]) -> list[Any]:
        """Leaves that correspond to the inputs, as one tree per chosen argument."""
        rest = iter(leaves)
        return [unflatten(structure, rest) for structure in self.structures]

    def pull_back(self, seeds: Sequence[Array]) -> list[Array]:
        """The gradient of each input leaf."""
        found = pull_back(self.outputs, seeds, self.inputs)
        return [found[node] if node in found else zeros_like(node) for node in self.inputs]


def _apart(node: Node) -> Any:
    """The value of ``node``, copied where it is the very array that somebody put in."""
    value = node.value
    if node.primitive is None or any(value is node_in._value for node_in in node.inputs):
        return value.copy()
    return value


def owned(values: Sequence[Any]) -> list[Any]:
    """Arrays that are the caller's alone: writable, and sharing memory with nothing."""
    taken: set[int] = set()
    out = []
    for value in values:
        if isinstance(value, np.ndarray):
            if value.base is not None or not value.flags.writeable or id(value) in taken:
                value = value.copy()
            taken.add(id(value))
        out.append(value)
    return out


def _positions(argnums: int | Sequence[int], count: int, function: Callable[..., Any]) -> tuple[int, ...]:
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not wanted or any(not -count <= k < count for k in wanted):
        raise ArgumentError(message("argnums", argnums=argnums, function=function_name(function), count=count))
    return tuple(k % count for k in wanted)


def _scalar_output(run: Traced) -> Node:
    """The one real number the function must have returned."""
    name = function_name(run.function)
    if len(run.outputs) != 1 or not isinstance(run.result, Array | np.ndarray | np.generic | float | int):
        raise NonScalarError(message("not_scalar", function=name, came=type(run.result).__name__))
    node = run.outputs[0]
    if node.shape != () or node.dtype.kind not in "fiub":
        raise NonScalarError(
            message("not_scalar", str(node.source or ""), function=name, came=f"{node.dtype} {node.shape}")
        )
    return node


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns ``(f(x), ∇f(x))``.

    ``f`` must return one real number, or ``(number, anything)`` with ``has_aux=True`` (then the value is that pair).
    ``argnums`` chooses the arguments to differentiate; each may be an array or any nesting of dicts, lists, tuples and
    dataclasses of arrays, and its gradient has the same nesting, shapes and dtypes. For a complex input the gradient
    is ∂f/∂a + i ∂f/∂b (z = a + ib): the direction of steepest ascent, PyTorch's convention.

    >>> import numpy as np
    >>> value, gradient = value_and_grad(lambda w: np.sum(w ** 2))(np.array([1.0, -2.0]))
    >>> float(value), gradient.tolist()
    (5.0, [2.0, -4.0])

    Raises ``NonScalarError`` when ``f`` returns anything but one real number, ``DTypeError`` for integer inputs.
    """

    @wraps(function)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        chosen = _positions(argnums, len(args), function)
        with Traced("grad", function, args, kwargs, chosen, has_aux=has_aux) as run:
            output = _scalar_output(run)
            if run.plain:
                gradients = run.nest(owned(gradient_values(output, run.inputs)))
            else:
                seed = Array(constant(np.ones((), output.dtype)[()]))
                gradients = run.nest(run.pull_back([seed]))
            value = run.value()
            if has_aux:
                value = (value, run.auxiliary())
        return value, gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return gradient_of


def grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient of ``f`` as a function: ``grad(f)(x) = ∇f(x)``; with ``has_aux=True``, ``(∇f(x), aux)``.

    >>> import numpy as np
    >>> grad(np.tanh)(0.0)
    np.float64(1.0)
    >>> grad(grad(lambda x: x ** 3))(2.0)
    np.float64(12.0)

    See ``value_and_grad`` for arguments, conventions and errors.
    """
    both = value_and_grad(function, argnums, has_aux=has_aux)

    @wraps(function)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient_of


def _matching(tree: Any, structure: Structure, nodes: Sequence[Node], what: str) -> list[Array]:
    """The leaves of ``tree`` as Arrays with the shapes and dtypes of ``nodes``."""
    leaves = flatten_like(tree, structure, what, str(user_source() or ""))
    arrays = []
    for leaf, node in zip(leaves, nodes, strict=True):
        array = as_array(leaf)
        if array.shape != node.shape:
            raise ShapeError(
                message("like_shape", str(user_source() or ""), what=what, expected=node.shape, came=array.shape)
            )
        arrays.append(array if array.dtype == node.dtype else REGISTRY.cast(array, dtype=node.dtype))
    return arrays


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """``f(x)`` and its pullback: ``pullback(g)`` is the tuple of gᵀ·J, one per argument.

    ``g`` has the structure and shapes of ``f(x)``. With ``has_aux=True`` the result is ``(value, pullback, aux)``.

    >>> import numpy as np
    >>> value, pullback = vjp(lambda x, w: x * w, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> [g.tolist() for g in pullback(np.array([1.0, 10.0]))]
    [[3.0, 40.0], [1.0, 20.0]]
    """
    run = Traced("vjp", function, primals, {}, range(len(primals)), has_aux=has_aux, copy=True)
    with run:
        value = run.value()
        aux = run.auxiliary() if has_aux else None

    def pullback(g: Any) -> tuple[Any, ...]:
        plain = run.plain
        run.plain = plain and state.trace is ROOT and not any(isinstance(leaf, Array) for leaf in flatten(g)[0])
        run.trace.set_open(True)
        try:
            seeds = _matching(g, run.result_structure, run.outputs, "g")
            return tuple(run.nest(run.outward(run.pull_back(seeds))))
        finally:
            if run.plain:
                run.trace.close()
            elif state.trace is ROOT:
                run.trace.lasting = True  # what comes out still reads its values
            elif not run.trace.lasting:
                state.trace.inner.append(run.trace)
            run.plain = plain

    return (value, pullback, aux) if has_aux else (value, pullback)


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
    """``f(x)`` and J·t, the change of ``f`` when the arguments ``primals`` change in the direction ``tangents``.

    >>> import numpy as np
    >>> value, change = jvp(lambda x: x ** 3, (2.0,), (1.0,))
    >>> float(value), float(change)
    (8.0, 12.0)
    """
    if len(primals) != len(tangents):
        raise ArgumentError(message("jvp_count", primals=len(primals), tangents=len(tangents)))
    with Traced("jvp", function, tuple(primals), {}, range(len(primals)), has_aux=has_aux) as run:
        run.plain = run.plain and not any(isinstance(leaf, Array) for leaf in flatten(tuple(tangents))[0])
        moved: list[Array] = []
        rest = list(run.inputs)
        for tangent, structure in zip(tangents, run.structures, strict=True):
            moved += _matching(tangent, structure, rest[: structure.leaves], "tangents")
            rest = rest[structure.leaves :]
        changes = run.outward(push_forward(run.outputs, run.inputs, moved))
        value = run.value()
        aux = run.auxiliary() if has_aux else None
    change = unflatten(run.result_structure, changes)
    return (value, change, aux) if has_aux else (value, change)


def jacobian(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, *, mode: str | None = None
) -> Callable[..., Any]:
    """All partial derivatives, of shape ``(…out, …in)`` for an output of shape ``(…out)`` and an input ``(…in)``.

    ``mode`` is ``"forward"`` (a column for every input element), ``"reverse"`` (a row for every output element) or
    ``None``: whichever needs fewer. Trees give trees of the output's structure with the input's inside. On complex
    inputs ``f`` is taken to be holomorphic and the entries are the complex derivatives.

    >>> import numpy as np
    >>> jacobian(lambda x: x ** 2)(np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    if mode not in (None, "forward", "reverse"):
        raise ArgumentError(message("jacobian_mode", mode=mode))

    @wraps(function)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen = _positions(argnums, len(args), function)
        with Traced("jacobian", function, args, kwargs, chosen) as run:
            blocks = _jacobian_blocks(run, mode)
            rows = [run.nest(run.outward(row)) for row in blocks]
        picked = [row[0] if isinstance(argnums, int) else tuple(row) for row in rows]
        return unflatten(run.result_structure, picked)

    return jacobian_of


def _jacobian_blocks(run: Traced, mode: str | None) -> list[list[Array]]:
    """∂output/∂input for every pair of leaves, by running one linear graph on all basis vectors at once."""
    for node in run.outputs:
        if node.dtype.kind not in "fc":
            raise DTypeError(message("jacobian_dtype", str(node.source or ""), came=node.dtype))
    sizes = [sum(int(np.prod(node.shape)) for node in nodes) for nodes in (run.inputs, run.outputs)]
    mixed = any(node.dtype.kind == "c" for node in run.outputs) != any(node.dtype.kind == "c" for node in run.inputs)
    forward = mode == "forward" if mode else mixed or sizes[0] < sizes[1]
    ends = (run.inputs, run.outputs) if forward else (run.outputs, run.inputs)
    probes = [Array(input_node(np.zeros(node.shape, node.dtype), None)) for node in ends[0]]
    linear = push_forward(run.outputs, run.inputs, probes) if forward else run.pull_back(probes)
    graph = Graph([probe.node for probe in probes], [array.node for array in linear])
    table: list[list[Array]] = []
    for k, probe in enumerate(probes):
        basis = np.eye(probe.size, dtype=probe.dtype).reshape(probe.size, *probe.shape)
        feeds = [
            basis if j == k else np.zeros((probe.size, *other.shape), other.dtype) for j, other in enumerate(probes)
        ]
        table.append(list(run_batched(graph, feeds, probe.size)))
    if forward:
        return [
            [_basis_last(table[i][o], node_in.shape, node_out.shape) for i, node_in in enumerate(run.inputs)]
            for o, node_out in enumerate(run.outputs)
        ]
    return [
        [
            REGISTRY.conjugate(block) if block.dtype.kind == "c" else block
            for block in (
                REGISTRY.reshape(table[o][i], shape=(*node_out.shape, *node_in.shape))
                for i, node_in in enumerate(run.inputs)
            )
        ]
        for o, node_out in enumerate(run.outputs)
    ]


def _basis_last(columns: Array, inner: tuple[int, ...], outer: tuple[int, ...]) -> Array:
    turned = REGISTRY.transpose(columns, axes=(*range(1, columns.ndim), 0))
    return REGISTRY.reshape(turned, shape=(*outer, *inner))  # type: ignore[no-any-return]


def hessian(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """All second derivatives of a scalar function: the Jacobian of its gradient, shape ``(…in, …in)``.

    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0])).tolist()
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The product of the Hessian with a vector, ``hvp(f)(x, v) = ∇²f(x)·v``, without forming the Hessian.

    ``v`` comes last and has the structure of the differentiated argument. One forward derivative of the gradient
    (Pearlmutter 1994), at a small multiple of the gradient's cost.

    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x ** 3))(np.array([1.0, 2.0]), np.array([1.0, 10.0])).tolist()
    [6.0, 120.0]
    """

    @wraps(function)
    def product(*args: Any, **kwargs: Any) -> Any:
        *point, vector = args
        k = _positions(argnums, len(point), function)[0]

        def gradient_at(x: Any) -> Any:
            return grad(function, k)(*point[:k], x, *point[k + 1 :], **kwargs)

        return jvp(gradient_at, (point[k],), (vector,))[1]

    return product


def stop_gradient(tree: Any) -> Any:
    """The same values, through which no gradient flows: for differentiation they are constants.

    >>> import numpy as np
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree_map(lambda leaf: REGISTRY.stop_gradient(leaf) if isinstance(leaf, Array) else leaf, tree)


def _backward(output: Array, gradient: Any, accumulate: bool, create_graph: bool) -> None:
    """``Array.backward``: leave its gradient on every node behind ``output``."""
    from backlight.graph import reachable

    node = output.node
    if gradient is None:
        if node.shape != () or node.dtype.kind != "f":
            came = f"{node.dtype} {node.shape}"
            raise NonScalarError(message("backward_scalar", str(user_source() or ""), came=came))
        seeds = [Array(constant(np.ones((), node.dtype)[()]))]
    else:
        seeds = _matching(gradient, flatten(0.0)[1], [node], "gradient")
    leaves = [found for found in reachable([node]) if found.primitive is None and found.kind == "input"]
    for found, value in pull_back([node], seeds, leaves).items():
        if found.shape is None:
            continue
        kept = value if create_graph else Array(constant(value.node.value))
        found.gradient = found.gradient + kept if accumulate and found.gradient is not None else kept


HOOK.backward = _backward
