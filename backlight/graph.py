"""The one data structure all stages share: nodes in execution order.

A ``Node`` is one mapping that ran: which primitive, on which nodes, with which parameters, what came out, and which
line of the user's code asked for it. A backward node also says which forward node, input and rule it came from.
Nodes are never changed after they are made (``gradient`` alone is filled in by ``backward()``).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import count
from operator import attrgetter
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backlight.primitive import Primitive
from backlight.source import assigned_name, line_of

if TYPE_CHECKING:
    from backlight.trace import Trace

__all__ = ["Graph", "Node", "Origin", "Source", "reachable"]

_indices = count()
NO_PARAMS: dict[str, Any] = {}


class Origin(NamedTuple):
    """Where a backward node comes from: the edge it differentiates and the rule it is part of.

    ``rule`` is ``seed`` (the gradient put in), ``local`` (part of a local derivative), ``contribution`` (g · local),
    ``pullback`` (part of a structural rule), ``sum`` (contributions of several edges added), or ``pushforward``.
    """

    node: Node
    input: int
    rule: str


class Source(NamedTuple):
    """A place in the user's code."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Node:
    """One mapping that ran.

    ``primitive`` is ``None`` for a leaf: an input of the trace (``kind == "input"``) or a constant.
    ``shape`` and ``dtype`` are those of the value; for a mapping with several outputs ``shape`` is ``None``, the
    value is a tuple, and ``item`` nodes pick its members. ``kind`` is ``call`` for what the user called, ``part`` for
    the steps inside it. Broadcasts and casts that NumPy would do on the way hold no value until someone looks.
    """

    __slots__ = (
        "__weakref__",
        "_value",
        "code",
        "dtype",
        "gradient",
        "index",
        "inputs",
        "kind",
        "label",
        "lasti",
        "origin",
        "params",
        "primitive",
        "scope",
        "shape",
        "trace",
    )

    def __init__(
        self,
        primitive: Primitive | None,
        inputs: tuple[Node, ...],
        params: dict[str, Any],
        shape: Any,
        dtype: Any,
        value: Any,
        trace: Trace,
        code: CodeType | None,
        lasti: int,
        scope: tuple[str, ...],
        origin: Origin | None,
        kind: str = "call",
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.shape = shape
        self.dtype = dtype
        self._value = value
        self.trace = trace
        self.code = code
        self.lasti = lasti
        self.scope = scope
        self.origin = origin
        self.kind = kind
        self.label: str | None = None
        self.gradient: Any = None
        self.index = next(_indices)

    @property
    def value(self) -> Any:
        """What the mapping gave: a NumPy array, a NumPy scalar, or a tuple of them."""
        if self._value is None:
            _compute(self)
        return self._value

    @property
    def is_scalar(self) -> bool:
        """Whether the value is one of NumPy's numbers, which nobody can write to, rather than an array."""
        return self.shape == () if self._value is None else not isinstance(self._value, np.ndarray)

    @property
    def name(self) -> str | None:
        """The user's variable this value was given to, where one can be known."""
        if self.label is None and self.code is not None and self.origin is None and self.kind != "part":
            return assigned_name(self.code, self.lasti)
        return self.label

    @property
    def source(self) -> Source | None:
        """The user's file and line, or ``None`` for a value that came from outside."""
        if self.code is None:
            return None
        return Source(self.code.co_filename, line_of(self.code, self.lasti), self.code.co_qualname)

    @property
    def operation(self) -> str:
        """The primitive's name, or the kind of leaf."""
        return self.kind if self.primitive is None else self.primitive.name

    def __repr__(self) -> str:
        inputs = ", ".join(f"%{node.index}" for node in self.inputs)
        name = f"  # {self.name}" if self.name else ""
        return f"%{self.index} = {self.operation}({inputs}) {self.dtype} {self.shape}{name}"


def _compute(node: Node) -> None:
    """Compute a value nobody has looked at so far, and first those it is made from."""
    waiting = [node]
    while waiting:
        node = waiting[-1]
        before = [each for each in node.inputs if each._value is None]
        if before and node._value is None:
            waiting += before
            continue
        waiting.pop()
        if node._value is None:
            assert node.primitive is not None
            with np.errstate(all="ignore"):
                node._value = node.primitive.value(*[each._value for each in node.inputs], **node.params)


def reachable(outputs: Iterable[Node], stop: Container[Node] = (), since: int = 0) -> list[Node]:
    """The nodes that ``outputs`` were made from, in execution order; ``stop`` are not walked behind, and nodes older
    than index ``since`` are left out.

    Execution order is a topological order, which is what the chain rule needs: a node's gradient is complete only
    when every node that used it has passed its contribution back. Any other order would pass on partial sums.
    """
    seen: dict[Node, None] = {}  # in the order found, which decides between variables: they share an index
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen and node.index >= since:
            seen[node] = None
            if node not in stop:
                stack.extend(node.inputs)
    return sorted(seen, key=_index)


_index = attrgetter("index")


class Graph:
    """An immutable list of nodes in execution order, from ``inputs`` to ``outputs``.

    Nodes that do not depend on the inputs are part of it too: a graph is complete and can be run again.
    """

    __slots__ = ("guards", "inputs", "nodes", "outputs")
    __hash__ = None  # type: ignore[assignment]  # two graphs are never taken for the same mapping

    def __init__(self, inputs: Iterable[Node], outputs: Iterable[Node], guards: Iterable[Any] = ()) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.nodes = tuple(reachable((*self.inputs, *self.outputs), stop=set(self.inputs)))
        self.guards = tuple(guards)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return "\n".join(repr(node) for node in self.nodes)

    def readers(self) -> dict[Node, list[tuple[Node, int]]]:
        """For every node, the edges that read it: (node, input position)."""
        found: dict[Node, list[tuple[Node, int]]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for position, node_in in enumerate(node.inputs):
                if node_in in found:
                    found[node_in].append((node, position))
        return found
