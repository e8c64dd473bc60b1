"""A small executor for graphs: the oracle that faster executors are compared with, and the walk people step through.

``run`` computes a graph on plain values, each node by its primitive's ``value``, and lets go of a value once its last
reader has run. ``Stepper`` does the same one node at a time. ``replay`` records the graph again on new Arrays, so
that what a graph computes can be differentiated, nested in another graph, or differentiated once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array, as_array, leak
from backlight.errors import ArgumentError, DTypeError, ShapeError, message
from backlight.graph import Graph, Node, Origin
from backlight.primitive import REGISTRY
from backlight.trace import constant, state

__all__ = ["Executor", "Step", "Stepper", "replay", "run"]


class _Instruction(NamedTuple):
    """``slots[output] = value(slots[inputs]…)``; afterwards nobody needs the slots in ``last``."""

    value: Callable[..., Any]
    inputs: tuple[int, ...]
    output: int
    last: tuple[int, ...]


class Executor:
    """A graph made ready to run many times: each node is a slot, each call of a primitive one instruction.

    What does not depend on the graph's inputs is computed once, here. The path that was recorded is followed: the
    values that Python read while recording (``graph.guards``) are not read again.

    >>> import backlight, numpy as np
    >>> x = backlight.array([1.0, 2.0])
    >>> y = x * x + 1.0
    >>> double = Executor(Graph([x.node], [y.node]))
    >>> double(np.array([3.0, 4.0]))
    (array([10., 17.]),)
    """

    __slots__ = ("_instructions", "_outputs", "_slots")

    def __init__(self, graph: Graph) -> None:
        slot_of = {node: slot for slot, node in enumerate(graph.inputs)}
        moving = set(slot_of)
        calls = []
        for node in graph.nodes:
            slot_of.setdefault(node, len(slot_of))
            if node not in moving and any(node_in in moving for node_in in node.inputs):
                moving.add(node)
                calls.append(node)
        self._outputs = tuple(slot_of[node] for node in graph.outputs)
        self._slots = _fixed(graph, slot_of, moving, calls)
        unread = {slot_of[node] for node in moving} - set(self._outputs)
        instructions = []
        for node in reversed(calls):
            inputs = tuple(slot_of[node_in] for node_in in node.inputs)
            last = tuple(unread.intersection(inputs))
            unread.difference_update(last)
            instructions.append(_Instruction(_bound(node), inputs, slot_of[node], last))
        self._instructions = tuple(reversed(instructions))

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The graph's outputs on these plain inputs, which must have the shapes and dtypes that were recorded."""
        slots = self._slots.copy()
        slots[: len(inputs)] = inputs
        for value, sources, output, last in self._instructions:
            slots[output] = value(*[slots[source] for source in sources])
            for slot in last:
                slots[slot] = None
        return tuple([slots[slot] for slot in self._outputs])


def _bound(node: Node) -> Callable[..., Any]:
    assert node.primitive is not None
    return partial(node.primitive.value, **node.params) if node.params else node.primitive.value


def _fixed(graph: Graph, slot_of: dict[Node, int], moving: set[Node], calls: list[Node]) -> list[Any]:
    """The slots before the first instruction: leaves, and everything that depends on none of the inputs."""
    slots: list[Any] = [None] * len(slot_of)
    wanted = {node_in for node in calls for node_in in node.inputs}.union(graph.outputs)
    computed: dict[Node, Any] = {}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node not in moving:
                inputs = [computed[node_in] for node_in in node.inputs]
                computed[node] = node.value if node.primitive is None else _bound(node)(*inputs)
                if node in wanted:
                    slots[slot_of[node]] = _unwritable(computed[node])
    return slots


def _unwritable(value: Any) -> Any:
    """``value`` as something that nobody can change: it is used, and given out, in every run."""
    if isinstance(value, tuple):
        return tuple(map(_unwritable, value))
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def run(graph: Graph, *inputs: Any) -> tuple[Any, ...]:
    """The outputs of ``graph`` on plain ``inputs``, computed again from the primitives' own values.

    Raises ``ArgumentError`` for a wrong number of inputs, ``ShapeError`` and ``DTypeError`` where one of them is not
    what was recorded.

    >>> import backlight, numpy as np
    >>> x = backlight.array([1.0, 2.0, 3.0])
    >>> y = np.exp(x) - x
    >>> run(Graph([x.node], [y.node]), [0.0, 1.0, 2.0])
    (array([1.        , 1.71828183, 5.3890561 ]),)
    """
    values = _accepted(graph, inputs)
    with np.errstate(all="ignore"):
        return Executor(graph)(*values)


def _accepted(graph: Graph, inputs: Sequence[Any]) -> list[Any]:
    if len(inputs) != len(graph.inputs):
        raise ArgumentError(message("graph_inputs", expected=len(graph.inputs), came=len(inputs)))
    values = []
    for position, (x, node) in enumerate(zip(inputs, graph.inputs, strict=True)):
        value = np.asarray(x.node.value if isinstance(x, Array) else x)
        if value.shape != node.shape:
            raise ShapeError(message("graph_shape", position=position, expected=node.shape, came=value.shape))
        if not np.can_cast(value.dtype, node.dtype, "same_kind"):
            raise DTypeError(message("graph_dtype", position=position, expected=node.dtype, came=value.dtype))
        values.append(value.astype(node.dtype, copy=False)[()])
    return values


class Step(NamedTuple):
    """One node and the value it has in this run."""

    node: Node
    value: Any


class Stepper:
    """Walks through a graph node by node, in execution order, and keeps every value for looking at.

    >>> import backlight, numpy as np
    >>> x = backlight.array(3.0)
    >>> y = x * x
    >>> stepper = Stepper(Graph([x.node], [y.node]), 5.0)
    >>> for node, value in stepper:
    ...     print(node.operation, value)
    input 5.0
    multiply 25.0
    >>> stepper.outputs
    (np.float64(25.0),)
    """

    def __init__(self, graph: Graph, *inputs: Any) -> None:
        self.graph = graph
        self.values: dict[Node, Any] = {}
        self._given = dict(zip(graph.inputs, _accepted(graph, inputs), strict=True))
        self._position = 0

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self._position == len(self.graph.nodes):
            raise StopIteration
        node = self.graph.nodes[self._position]
        self._position += 1
        if node in self._given:
            value = self._given[node]
        elif node.primitive is None:
            value = node.value
        else:
            with np.errstate(all="ignore"):
                value = _bound(node)(*[self.values[node_in] for node_in in node.inputs])
        self.values[node] = value
        return Step(node, value)

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The graph's outputs, after walking what is left of it."""
        for _ in self:
            pass
        return tuple(self.values[node] for node in self.graph.outputs)


def replay(graph: Graph, arrays: Sequence[Any]) -> tuple[Array, ...]:
    """Record ``graph`` again on new ``arrays`` and return its outputs as Arrays.

    Only what depends on the inputs is recorded anew; each new node keeps the user's line and variable name, and a
    backward node points at the new forward node. The rest is read as it stands (as a constant once its trace is over).
    Raises like ``run`` where the arrays do not fit.

    >>> import backlight, numpy as np
    >>> x = backlight.array([1.0, 2.0])
    >>> (y,) = replay(Graph([x.node], [(x * x).node]), [backlight.array([3.0, 4.0])])
    >>> y
    backlight.array([ 9., 16.])
    """
    given = [as_array(x) for x in arrays]
    _accepted(graph, given)
    fresh: dict[Node, Node] = {}
    for node, x in zip(graph.inputs, given, strict=True):
        if not x.node.trace.open:
            raise leak(x)
        fresh[node] = x.node if x.dtype == node.dtype else REGISTRY.cast(x, dtype=node.dtype).node
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node not in fresh and any(node_in in fresh for node_in in node.inputs):
                fresh[node] = _again(node, tuple(_kept(node_in, fresh) for node_in in node.inputs), fresh)
    return tuple(Array(_kept(node, fresh)) for node in graph.outputs)


def _kept(node: Node, fresh: dict[Node, Node]) -> Node:
    if node in fresh:
        return fresh[node]
    return node if node.trace.open else constant(node.value)


def _again(node: Node, inputs: tuple[Node, ...], fresh: dict[Node, Node]) -> Node:
    value = _bound(node)(*[node_in.value for node_in in inputs])
    origin = state.origin
    if origin is None and node.origin is not None:
        origin = Origin(fresh.get(node.origin.node, node.origin.node), *node.origin[1:])
    shape, dtype = (None, None) if isinstance(value, tuple) else (value.shape, value.dtype)
    assert node.primitive is not None
    again = Node(
        node.primitive, inputs, node.params, shape, dtype, value, state.trace, node.code, node.lasti, node.scope, origin
    )
    again.label = node.label
    return again
