"""What a compiled function is recorded as: the kind of its arguments, its graph, what Python read, what comes out."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array, as_array
from backlight.custom import opened
from backlight.errors import ArgumentError, message
from backlight.graph import Graph, Node, Source
from backlight.interpret import Executor
from backlight.lifting import argument_names, function_name, labels
from backlight.primitive import Elementwise, Map, Move
from backlight.simplify import simplify
from backlight.trace import ROOT, Guard, Trace, input_node, is_user_file, state, user_source
from backlight.tree import Structure, flatten, unflatten
from backlight.variable import Bindings, Variable

__all__ = ["Refused", "Traced", "is_data", "kind_of", "leaf_names", "trace_call"]

_DATA = (np.ndarray, np.number, np.bool_)
_ARRAYS = (np.ndarray, np.memmap)
_INEXACT = (float, complex)
_PROGRAM = (bool, int, float, complex, str, bytes, slice, type, np.dtype, type(...), Enum)


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
    number among the inputs; what they hold in the end are outputs, after the ``returned`` ones. The last inputs are
    the ``captured`` variables, and behind what was written comes what the ``assigned`` ones of them hold in the end.
    ``swapped`` are the dtypes of outputs whose bytes stand in another order than the processor's, as in NumPy: those of
    arguments like that which were only moved.
    """

    graph: Graph
    guards: tuple[Guard, ...]
    form: Structure
    leaves: tuple[tuple[Any, bool | None], ...]
    returned: int
    written: tuple[int, ...]
    captured: tuple[Variable, ...]
    assigned: tuple[Variable, ...]
    swapped: dict[int, Any]


def trace_call(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Traced:
    """Run the function once on Arrays, every array among its arguments an input. Raises ``Refused``."""
    leaves, structure = flatten((tuple(args), kwargs))
    names = leaf_names(function, structure)
    trace = Trace(f"compile of {function_name(function)}")
    generators = _generators(function, leaves)
    before, draws = state.postpone, [*map(_state, generators)]
    state.postpone = True  # a loop is recorded, not run
    try:
        with trace, Bindings(capture=True) as bindings:
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
            swapped = _swapped(Graph(inputs, outputs), [leaf for leaf in leaves if is_data(leaf)])
            written = [k for k, handle in enumerate(handles) if handle.node is not inputs[k]]
            assigned = bindings.written()
            outputs = [*outputs, *(handles[k].node for k in written), *(node for _, node in assigned)]
            inputs += [node for _, node in bindings.captured]
            outputs = opened(outputs, inputs)
    finally:
        state.postpone = before
    if draws != [*map(_state, generators)]:
        raise Refused(message("compile_draws"))
    guards = tuple(guard for guard in trace.guards if guard.node.kind != "constant")
    graph, _ = simplify(Graph(inputs, (*outputs, *(guard.node for guard in guards)), guards))
    outside = next((node for node in graph.nodes if node.trace is ROOT and node.kind != "constant"), None)
    if outside is not None:
        raise Refused(message("compile_outside", name=outside.name or outside.operation), outside.source)
    captured = tuple(variable for variable, _ in bindings.captured)
    changed = tuple(variable for variable, _ in assigned)
    return Traced(graph, guards, form, tuple(described), returned, tuple(written), captured, changed, swapped)


def _lifted(leaf: Any, name: str) -> Array:
    if (type(leaf) not in _ARRAYS and not isinstance(leaf, np.generic)) or leaf.dtype.kind not in "biufc":
        came = f"{type(leaf).__name__} {leaf.dtype}"
        raise Refused(message("compile_kind", name=name, came=came))
    value = np.array(leaf, leaf.dtype.newbyteorder("="))
    return Array(input_node(value if isinstance(leaf, np.ndarray) else value[()], name))


def _swapped(graph: Graph, values: Sequence[Any]) -> dict[int, Any]:
    """The dtypes of outputs that for these inputs do not have the processor's order of bytes."""
    if all(value.dtype.isnative for value in values):
        return {}
    with np.errstate(all="ignore"):
        dtypes = [np.asarray(output).dtype for output in Executor(graph)(*values)]
    return {k: dtype for k, dtype in enumerate(dtypes) if not dtype.isnative}


def _is_number(node: Node) -> bool:
    """Whether the value would be one of NumPy's numbers: most mappings make one of 0-d arrays, views do not."""
    while node._value is None and node.primitive is not None and node.shape == ():
        primitive, inputs = node.primitive, node.inputs
        if not isinstance(primitive, Elementwise) and (
            None in [x.shape for x in inputs]
            or not isinstance(primitive.kernel(*[x.shape for x in inputs], **node.params), Move | Map)
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


# -- Random numbers ------------------------------------------------------------------------------------------------

_MOST_LOOKED_AT = 1000  # objects in which a generator is searched for


def _generators(function: Callable[..., Any], leaves: Sequence[Any]) -> list[Any]:
    """The generators of random numbers that the function may draw from: the global ones, and those it can reach."""
    numpys = sys.modules.get("numpy.random")
    found: list[Any] = [random.getstate.__self__]  # type: ignore[attr-defined]
    found += [] if numpys is None else [numpys.get_state.__self__]
    pending: list[Any] = [function, *leaves]
    known: set[int] = set()
    while pending and len(known) < _MOST_LOOKED_AT:
        x = pending.pop()
        if id(x) in known or isinstance(x, (*_DATA, *_PROGRAM, ModuleType, Array)):
            continue
        known.add(id(x))
        if hasattr(x, "bit_generator") or hasattr(x, "getstate") or hasattr(x, "get_state"):
            found.append(x)
        elif isinstance(x, FunctionType):
            names = _names_in(x.__code__) if is_user_file(x.__code__.co_filename) else ()
            pending += [x.__globals__[name] for name in names if name in x.__globals__]
            pending += [cell.cell_contents for cell in x.__closure__ or () if cell != CellType()]
            pending += x.__defaults__ or ()
        elif isinstance(x, MethodType):
            pending += (x.__self__, x.__func__)
        else:
            pending += x.values() if isinstance(x, dict) else x if isinstance(x, list | tuple) else ()
            pending += getattr(x, "__dict__", {}).values()
    return found


def _names_in(code: CodeType) -> set[str]:
    inside = (_names_in(x) for x in code.co_consts if isinstance(x, CodeType))
    return set(code.co_names).union(*inside)


def _state(generator: Any) -> Any:
    """Where a generator stands, as something that can be compared."""
    if hasattr(generator, "bit_generator"):
        return repr(generator.bit_generator.state)
    return generator.getstate() if hasattr(generator, "getstate") else repr(generator.get_state(legacy=False))
