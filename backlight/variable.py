"""Variables: what a program keeps from one step to the next, and how a step that writes them becomes a pure function.

A ``Variable`` is an Array whose contents are replaced: a layer's weights, an optimiser's moments, the state of a metric
or of a random generator. Code that reads and assigns variables is an imperative program. While it is being recorded,
``Bindings`` stand between the variables and what they hold: reads find what is bound, writes go to the bindings, and
when the part is over the variables themselves are as before. What a step did to its variables is thus known without
its having been done, so the compiler can make one native function of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from backlight.array import Array, as_array, refuse_write
from backlight.errors import ArgumentError, message
from backlight.graph import Node
from backlight.primitive import REGISTRY
from backlight.trace import ROOT, constant, input_node, state, user_source

__all__ = ["Bindings", "Variable", "is_tracing", "now"]


def is_tracing() -> bool:
    """Whether a transformation (``grad``, ``compile``, ``scan`` …) is running the user's function now."""
    return state.trace is not ROOT


def now(x: Any) -> Any:
    """What a value is at this moment: with its history while a transformation runs, otherwise a plain array.

    >>> w = Variable(1.0)
    >>> now(w)
    array(1.)
    """
    if isinstance(x, Array):
        return Array(x.node) if is_tracing() else x.value
    return x


class Bindings:
    """``with Bindings() as bindings``: what variables hold in a part of a program, instead of what they hold otherwise.

    ``bind`` gives variables values; ``values`` reads what they hold in the end, if only after the block. Where the
    bindings ``capture``, every variable that is read or written inside, and bound nowhere, is entered in ``captured``
    with an input node of its own, so that a later run may begin with other contents. What a loop's ``body`` assigns
    would be lost: it is refused.

    >>> w = Variable(2.0)
    >>> with Bindings() as bindings:
    ...     bindings.bind([w], [np.array(5.0)])
    ...     _ = w.assign(w * 2)
    >>> bindings.values([w]), w
    ([backlight.array(10.)], <Variable: float64 () 2.0>)
    """

    def __init__(self, *, capture: bool = False, body: bool = False) -> None:
        self.captured: list[tuple[Variable, Node]] = []
        self._captures, self._is_body = capture, body
        self._nodes: dict[int, Node] = {}
        self._bound: list[Variable] = []  # an id means something only as long as the object lives
        self._outer: Bindings | None = None
        self._trace = state.trace
        self._index = 0

    def __enter__(self) -> Bindings:
        self._outer, self._trace = state.bindings, state.trace
        self._index = constant(0).index if self._captures else 0
        state.bindings = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        state.bindings = self._outer

    def bind(self, variables: Iterable[Variable], values: Iterable[Any]) -> None:
        """Let the variables hold these values here."""
        for variable, value in zip(variables, values, strict=True):
            self._enter(variable, as_array(value).node)

    def values(self, variables: Iterable[Variable]) -> list[Any]:
        """What the variables hold here."""
        return [Array(self.node_of(variable)) for variable in variables]

    def written(self) -> list[tuple[Variable, Node]]:
        """The captured variables that hold something else in the end, and what."""
        ends = [(variable, node, self._nodes[id(variable)]) for variable, node in self.captured]
        return [(variable, end) for variable, start, end in ends if end is not start]

    def node_of(self, variable: Variable) -> Node:
        """The node that the variable is on here."""
        holder = self.holder(variable)
        return variable._own if holder is None else holder._nodes[id(variable)]

    def holder(self, variable: Variable) -> Bindings | None:
        """The innermost bindings that hold the variable; ``None`` if it holds what it holds itself."""
        if id(variable) in self._nodes:
            return self
        if not self._captures:
            return None if self._outer is None else self._outer.holder(variable)
        before, state.trace = state.trace, self._trace
        try:
            node = input_node(np.array(variable._own.value), variable.path)
        finally:
            state.trace = before
        node.index = self._index  # it was there before anything that reads it, even if a loop's body is the first
        self.captured.append((variable, node))
        self._enter(variable, node)
        return self

    def write(self, variable: Variable, node: Node) -> bool:
        """Let the variable hold ``node`` in the bindings that hold it; says whether there are any."""
        holder = self.holder(variable)
        layer: Bindings | None = self
        while layer is not None and layer is not holder:
            if layer._is_body:
                raise _refusal("variable_body", variable)
            layer = layer._outer
        if holder is not None:
            holder._enter(variable, node)
        return holder is not None

    def _enter(self, variable: Variable, node: Node) -> None:
        if id(variable) not in self._nodes:
            self._bound.append(variable)
        self._nodes[id(variable)] = node


class Variable(Array):
    """An array by name whose contents are replaced with ``assign`` (and ``+=`` …); it computes like any Array.

    ``initializer`` is an array or a number, or a function of shape and dtype, as Keras's initialisers are, and then
    ``shape`` is needed. What is not ``trainable`` is left alone by optimisers. ``regularizer`` and ``constraint`` are
    kept for those who train it.

    >>> w = Variable([1.0, 2.0], name="w")
    >>> w.assign_add([1.0, 1.0])
    <Variable w: float64 (2,) [2. 3.]>
    >>> float(np.sum(w * 2))
    10.0

    Raises ``ShapeError`` where a value of another shape is assigned, ``ArgumentError`` where a transformation that
    knows nothing of the variable is running.
    """

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        *,
        regularizer: Callable[[Any], Any] | None = None,
        constraint: Callable[[Any], Any] | None = None,
    ) -> None:
        self.path = name or ""
        self._name = self.path
        self.trainable = trainable
        self.regularizer, self.constraint = regularizer, constraint
        if callable(initializer):
            initializer = initializer(() if shape is None else tuple(shape), dtype=dtype)
        value = np.array(initializer.value if isinstance(initializer, Array) else initializer, dtype)
        if shape is not None and value.shape != tuple(shape):
            value = np.broadcast_to(value, tuple(shape)).copy()
        with _outside():
            super().__init__(input_node(value, self.path or None))

    @property
    def _node(self) -> Node:
        bindings = state.bindings
        return self._own if bindings is None else bindings.node_of(self)

    @_node.setter
    def _node(self, node: Node) -> None:
        if state.bindings is None or not state.bindings.write(self, node):
            self._own = node

    @property
    def name(self) -> str:
        """The variable's own name; ``path`` tells the layers around it too."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    def assign(self, value: Any) -> Any:
        """Replace the contents by ``value``, which must have the same shape, and give back the variable.

        Raises ``ShapeError`` and ``ArgumentError``.
        """
        if np.shape(value) != self.shape:
            raise refuse_write(self, np.shape(value))
        if state.bindings is not None and state.bindings.holder(self) is not None:
            new = as_array(value)
            same = new.dtype == self.dtype
            self.write(Array(new.node) if same else REGISTRY.cast(new, dtype=self.dtype))
        elif is_tracing() and not state.trace.lasting:
            raise _refusal("variable_traced", self)
        else:
            super().assign(value)
        return self

    def hold(self, value: np.ndarray[Any, Any]) -> None:
        """``assign`` for a plain array of this shape and dtype while nothing is recorded: quickly, for many of them."""
        self.write(Array(input_node(value.copy(), self.path)))

    def assign_add(self, value: Any) -> Any:
        """``assign(self + value)``."""
        return self.assign(Array(self.node) + value)

    def assign_sub(self, value: Any) -> Any:
        """``assign(self - value)``."""
        return self.assign(Array(self.node) - value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if is_tracing():
            return super().__array__(dtype, copy)
        return np.array(self.value, dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        return Variable(
            self.numpy(), trainable=self.trainable, name=self.path,
            regularizer=self.regularizer, constraint=self.constraint,
        )  # fmt: skip

    def __copy__(self) -> Variable:
        return self.__deepcopy__({})

    def __repr__(self) -> str:
        label = f"Variable {self.path}" if self.path else "Variable"
        return f"<{label}: {self.dtype} {self.shape} {np.asarray(self._seen())}>"


def _refusal(words: str, variable: Variable) -> ArgumentError:
    return ArgumentError(message(words, str(user_source() or ""), name=variable.path or "Variable"))


class _outside:
    """Where a variable is made, it belongs to no trace: a layer may be built while its first call is recorded."""

    def __enter__(self) -> None:
        self._before = state.trace, state.bindings, state.origin
        state.trace, state.bindings, state.origin = ROOT, None, None

    def __exit__(self, *error: object) -> None:
        state.trace, state.bindings, state.origin = self._before
