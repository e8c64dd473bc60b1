"""What a compiled function is recorded as: the kind of its arguments, its graph, what Python read, what comes out."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array, as_array
from backlight.errors import ArgumentError, message
from backlight.graph import Graph, Node, Source
from backlight.lifting import argument_names, function_name, labels
from backlight.primitive import Elementwise, Move
from backlight.simplify import simplify
from backlight.trace import ROOT, Guard, Trace, input_node, state, user_source
from backlight.tree import Structure, flatten, unflatten

__all__ = ["Refused", "Traced", "is_data", "kind_of", "leaf_names", "trace_call"]

_DATA = (np.ndarray, np.generic)
_ARRAYS = (np.ndarray, np.memmap)
_INEXACT = (float, complex)
_PROGRAM = (bool, int, float, complex, str, bytes, slice, type, np.dtype, type(...))


class Refused(Exception):
    """Why a function has to run as it is, in the user's words, and where that shows."""

    def __init__(self, reason: str, source: Source | None = None) -> None:
        super().__init__(reason)
        self.source = source


# -- Kinds of arguments --------------------------------------------------------------------------------------------


def is_data(leaf: Any) -> bool:
    """Arrays and NumPy's scalars are what the plan computes with; anything else is part of the program."""
    return isinstance(leaf, _DATA)


def kind_of(function: Callable[..., Any], leaves: Sequence[Any], structure: Structure) -> Any:
    """What a plan depends on: nesting, shapes, dtypes, and the very values of what is no data."""
    kind = (structure, *map(_kind, leaves))
    try:
        hash(kind)
    except TypeError:
        names = leaf_names(function, structure)
        bad = next(k for k, leaf in enumerate(leaves) if not is_data(leaf) and not _hashable(leaf))
        came = type(leaves[bad]).__name__
        raise ArgumentError(message("compile_argument", str(user_source() or ""), name=names[bad], kind=came)) from None
    return kind


def _kind(leaf: Any) -> Any:
    if isinstance(leaf, _DATA):
        return type(leaf), leaf.shape, leaf.dtype
    if isinstance(leaf, _INEXACT):  # 0.0 equals -0.0, and nan not even itself
        return type(leaf), repr(leaf)
    return type(leaf), leaf


def _hashable(leaf: Any) -> bool:
    try:
        hash(leaf)
    except TypeError:
        return False
    return True


def leaf_names(function: Callable[..., Any], structure: Structure) -> list[str]:
    """What the user calls each leaf of ``(args, kwargs)``: ``params['W']``."""
    args, kwargs = structure.members
    names: list[str] = []
    for part, name in zip(args.members, argument_names(function, len(args.members)), strict=True):
        names += labels(part, name)
    for part, name in zip(kwargs.members, kwargs.keys, strict=True):
        names += labels(part, name)
    return names


# -- Tracing -------------------------------------------------------------------------------------------------------


class Traced(NamedTuple):
    """A function recorded: the last outputs of ``graph`` are what guards read.

    ``leaves`` are those of the result: the number of an output, whether it is one of NumPy's numbers rather than an
    array; or what is no data, and ``None``. ``written`` are the arguments that the function wrote into, by their
    number among the inputs; what they hold in the end are outputs, after the ``returned`` ones.
    """

    graph: Graph
    guards: tuple[Guard, ...]
    form: Structure
    leaves: tuple[tuple[Any, bool | None], ...]
    returned: int
    written: tuple[int, ...]


def trace_call(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Traced:
    """Run the function once on Arrays, every array among its arguments an input. Raises ``Refused``."""
    leaves, structure = flatten((tuple(args), kwargs))
    names = leaf_names(function, structure)
    trace = Trace(f"compile of {function_name(function)}")
    before, draws = state.postpone, _random_states()
    state.postpone = True  # a loop is recorded, not run
    try:
        with trace:
            lifted = [_lifted(leaf, name) if is_data(leaf) else leaf for leaf, name in zip(leaves, names, strict=True)]
            handles = [x for x in lifted if isinstance(x, Array)]
            inputs = [handle.node for handle in handles]
            given, named = unflatten(structure, lifted)
            members, form = flatten(function(*given, **named))
            outputs: list[Node] = []
            described: list[tuple[Any, bool | None]] = []
            for member in members:
                if isinstance(member, Array) or is_data(member):
                    described.append((len(outputs), _is_number(as_array(member).node)))
                    outputs.append(as_array(member).node)
                elif isinstance(member, _PROGRAM) or any(member is leaf for leaf in leaves):
                    described.append((member, None))
                else:
                    raise Refused(message("compile_result", kind=type(member).__name__))
            returned = len(outputs)
            written = [k for k, handle in enumerate(handles) if handle.node is not inputs[k]]
            outputs += [handles[k].node for k in written]
    finally:
        state.postpone = before
    if draws != _random_states():
        raise Refused(message("compile_draws"))
    guards = tuple(guard for guard in trace.guards if guard.node.kind != "constant")
    graph, _ = simplify(Graph(inputs, (*outputs, *(guard.node for guard in guards)), guards))
    outside = next((node for node in graph.nodes if node.trace is ROOT and node.kind != "constant"), None)
    if outside is not None:
        raise Refused(message("compile_outside", name=outside.name or outside.operation), outside.source)
    return Traced(graph, guards, form, tuple(described), returned, tuple(written))


def _lifted(leaf: Any, name: str) -> Array:
    if (type(leaf) not in _ARRAYS and not isinstance(leaf, np.generic)) or leaf.dtype.kind not in "biufc":
        came = f"{type(leaf).__name__} {leaf.dtype}"
        raise Refused(message("compile_kind", name=name, came=came))
    value = np.array(leaf, leaf.dtype.newbyteorder("="))
    return Array(input_node(value if isinstance(leaf, np.ndarray) else value[()], name))


def _is_number(node: Node) -> bool:
    """Whether the value would be one of NumPy's numbers: most mappings make one of 0-d arrays, views do not."""
    while node._value is None and node.primitive is not None and node.shape == ():
        primitive, inputs = node.primitive, node.inputs
        if not isinstance(primitive, Elementwise) and (
            None in [x.shape for x in inputs]
            or not isinstance(primitive.kernel(*[x.shape for x in inputs], **node.params), Move)
        ):
            return True
        arrays = [np.broadcast_to(np.ones((), x.dtype), x.shape) for x in inputs]
        with np.errstate(all="ignore"):
            of_arrays, of_numbers = (
                isinstance(primitive.value(*xs, **node.params), np.generic) for xs in (arrays, [x[()] for x in arrays])
            )
        if of_arrays == of_numbers:
            return of_arrays
        node = inputs[0]
    return node.is_scalar


def _random_states() -> Any:
    """Where the generators of random numbers stand that belong to the whole program."""
    numpys = sys.modules.get("numpy.random")
    if numpys is None:
        return random.getstate()
    _, key, position, *normal = numpys.get_state()
    return random.getstate(), key.tobytes(), position, normal
