"""How one number of a gradient came about: the chain rule, line by line, with the numbers that ran.

A ``Line`` says that one number of a gradient equals an expression of numbers that are known already: numbers of the
forward pass, and numbers of gradients that earlier lines derived. The expression is read out of the backward nodes,
one element at a time. Law under test: evaluating a line gives its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.explain.formula import formula
from backlight.explain.record import Explanation
from backlight.graph import Node
from backlight.primitive import REGISTRY, Elementwise

__all__ = ["Apply", "Derivation", "Leaf", "Line", "derive", "evaluate", "leaves"]

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A known number: an element of a forward value, of a gradient, or a constant (``step`` is ``None``)."""

    symbol: str
    value: Any
    step: int | None = None
    index: Index = ()
    gradient: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on numbers; ``sum`` takes any number of them, all others are elementwise primitives."""

    operation: str
    operands: tuple[Expression, ...]


Expression = Leaf | Apply


@dataclass(frozen=True, slots=True)
class Line:
    """``target`` = ``expression`` = ``value``; ``unchanged`` if the expression is nothing but one other gradient."""

    step: int
    label: str
    index: Index
    target: str  # "∂loss/∂W1[3,25]"
    expression: Expression
    value: Any
    edges: tuple[int, ...]  # positions in the record of the edges that this line adds up
    unchanged: bool


@dataclass(frozen=True, slots=True)
class Derivation:
    """From ∂loss/∂loss = 1 to the number asked for; every line uses only what lines above it gave."""

    label: str
    index: Index
    lines: tuple[Line, ...]
    value: Any


def evaluate(expression: Expression) -> Any:
    """Compute an expression from its leaves.

    >>> float(evaluate(Apply("multiply", (Leaf("a", 3.0), Leaf("b", 0.5)))))
    1.5
    """
    if isinstance(expression, Leaf):
        return expression.value
    numbers = [evaluate(operand) for operand in expression.operands]
    if expression.operation == "sum":
        return sum(numbers[1:], start=numbers[0])
    with np.errstate(all="ignore"):
        return getattr(REGISTRY, expression.operation).value(*numbers)


def leaves(expression: Expression) -> Iterator[Leaf]:
    """The leaves from left to right."""
    if isinstance(expression, Leaf):
        yield expression
    else:
        for operand in expression.operands:
            yield from leaves(operand)


def derive(explanation: Explanation, label: str, index: Index) -> Derivation:
    """Derive one number: element ``index`` of the gradient of the step called ``label``.

    >>> import backlight
    >>> from backlight.explain import explain
    >>> x = backlight.array([3.0, 4.0], name="x")
    >>> derivation = derive(explain((x * x).sum()), "x", (1,))
    >>> derivation.value
    np.float64(8.0)
    >>> [line.label for line in derivation.lines]
    ['sum', 'multiply', 'x']

    Raises ``ArgumentError`` if there is no such step, it has no gradient, or the index is outside it.
    """
    record = explanation.record
    step = next((step for step in record.steps if step.label == label and step.gradient is not None), None)
    if step is None or step.shape is None:
        known = ", ".join(s.label for s in record.steps if s.gradient is not None and s.shape is not None)
        raise ArgumentError(message("derive_label", label=repr(label), known=known))
    if len(index) != len(step.shape) or any(not 0 <= i < n for i, n in zip(index, step.shape, strict=True)):
        raise ArgumentError(message("derive_index", label=label, index=index, shape=step.shape))
    return _Deriver(explanation).derive(step.id, index)


class _Deriver:
    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation
        self.steps = explanation.record.steps
        self.ids = {node: k for k, node in enumerate(explanation.nodes)}
        self.edges: dict[int, list[int]] = {}
        for k, edge in enumerate(explanation.record.edges):
            self.edges.setdefault(edge.to, []).append(k)

    def derive(self, step: int, index: Index) -> Derivation:
        wanted: dict[int, set[Index]] = {step: {index}}
        lines: list[Line] = []
        for k in range(step, len(self.steps)):  # readers run later, so each step is complete when the walk arrives
            for position in sorted(wanted.get(k, ())):
                line = self.line(k, position)
                lines.append(line)
                for leaf in leaves(line.expression):
                    if leaf.gradient and leaf.step is not None:
                        wanted.setdefault(leaf.step, set()).add(leaf.index)
        lines.sort(key=lambda line: (-line.step, line.index))
        return Derivation(self.steps[step].label, index, tuple(lines), lines[-1].value)

    def line(self, k: int, index: Index) -> Line:
        step = self.steps[k]
        node = self.explanation.nodes[k]
        value = np.asarray(self.explanation.gradients[node].node.value)[index]
        edges = self.edges.get(k, [])
        terms = [term for edge in edges if (term := self.term(edge, index)) is not None]
        expression: Expression
        if not edges:
            expression = Leaf(f"{value:g}", value)  # the seed: the loss changes one to one with itself
        elif len(terms) == 1:
            expression = terms[0]
        else:
            expression = Apply("sum", tuple(terms)) if terms else Leaf("0", value)
        unchanged = isinstance(expression, Leaf) and expression.gradient
        return Line(k, step.label, index, self.target(k, index), expression, value, tuple(edges), unchanged)

    def term(self, k: int, index: Index) -> Expression | None:
        """One edge's contribution to element ``index``; ``None`` where nothing reaches it."""
        edge, passed = self.explanation.record.edges[k], self.explanation.edges[k]
        known = Known({}, {})
        for node in (*passed.node.inputs, passed.node):
            known.elements[node] = self.forward(self.ids[node])
            known.symbols[node] = self.steps[self.ids[node]].label
        for node, step in self.arriving(edge.step, passed.gradient):
            known.elements[node] = self.gradient(step)
            known.symbols[node] = self.target(step, ())
        return _element(passed.contribution.node, index, known)

    def arriving(self, step: int, gradient: Any) -> Iterator[tuple[Node, int]]:
        """The gradients that a rule receives, and whose they are: the step's own, or those of its several outputs."""
        if not isinstance(gradient, tuple):
            yield gradient.node, step
            return
        for node, k in self.ids.items():
            if node.operation == "item" and self.ids[node.inputs[0]] == step:
                yield gradient[node.params["k"]].node, k

    def forward(self, k: int) -> Callable[[Index], Expression]:
        step = self.steps[k]
        if step.kind == "constant" and step.shape == ():
            return lambda index: Leaf(step.label, step.value)
        return lambda index: Leaf(_symbol(step.label, index), np.asarray(step.value)[index], k, index)

    def gradient(self, k: int) -> Callable[[Index], Expression]:
        step = self.steps[k]
        return lambda index: Leaf(self.target(k, index), np.asarray(step.gradient)[index], k, index, True)

    def target(self, k: int, index: Index) -> str:
        return f"∂{self.steps[self.explanation.record.loss].label}/∂{_symbol(self.steps[k].label, index)}"


def _symbol(label: str, index: Index) -> str:
    return f"{label}[{','.join(map(str, index))}]" if index else label


# -- Element by element through the backward nodes ------------------------------------------------------------------


class Known(NamedTuple):
    """The nodes that a term may be written in: what to call each, and how to name one of its elements."""

    symbols: dict[Node, str]
    elements: dict[Node, Callable[[Index], Expression]]


def _element(node: Node, index: Index, known: Known) -> Expression | None:
    """Element ``index`` of ``node`` in terms of known elements; ``None`` for a zero that stands for "nothing here"."""
    if node in known.elements:
        return known.elements[node](index)
    primitive = node.primitive
    if primitive is None:
        value = np.asarray(node.value)[index]
        return Leaf(f"{value:g}", value)
    if isinstance(primitive, Elementwise):
        operands = tuple(_element(node_in, _within(index, node_in.shape), known) for node_in in node.inputs)
        if any(operand is None for operand in operands):
            return None if primitive.name in ("multiply", "chain", "negative") else _read(node, index, known)
        return Apply(primitive.name, operands)  # type: ignore[arg-type]
    rule = ELEMENTS.get(primitive.name)
    return _read(node, index, known) if rule is None else rule(node, index, known)


def _read(node: Node, index: Index, known: Known) -> Leaf:
    """The number itself, where its operation has no entry in the table below."""
    return Leaf(_symbol(formula(node, known.symbols), index), np.asarray(node.value)[index])


def _sum(terms: list[Expression | None]) -> Expression | None:
    present = tuple(term for term in terms if term is not None)
    return present[0] if len(present) == 1 else Apply("sum", present) if present else None


def _of_broadcast(node: Node, index: Index, known: Known) -> Expression | None:
    (source,) = node.inputs
    return _element(source, _within(index, source.shape), known)


def _within(index: Index, shape: tuple[int, ...]) -> Index:
    """Where the element that ends up at ``index`` stands before it is broadcast."""
    own = index[len(index) - len(shape) :]
    return tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))


def _of_reshape(node: Node, index: Index, known: Known) -> Expression | None:
    (source,) = node.inputs
    flat = np.ravel_multi_index(index, node.shape) if index else 0
    return _element(source, tuple(int(i) for i in np.unravel_index(flat, source.shape)), known)


def _of_transpose(node: Node, index: Index, known: Known) -> Expression | None:
    (source,) = node.inputs
    axes = node.params["axes"]
    return _element(source, tuple(index[axes.index(axis)] for axis in range(len(axes))), known)


def _of_sum(node: Node, index: Index, known: Known) -> Expression | None:
    (source,) = node.inputs
    axes = node.params["axis"]
    kept = iter(index)
    ranges = [range(n) if axis in axes else (next(kept),) for axis, n in enumerate(source.shape)]
    return _sum([_element(source, position, known) for position in product(*ranges)])


def _of_matmul(node: Node, index: Index, known: Known) -> Expression | None:
    left, right = node.inputs
    *batch, i, j = index
    terms: list[Expression | None] = []
    for k in range(left.shape[-1]):
        one, other = _element(left, (*batch, i, k), known), _element(right, (*batch, k, j), known)
        terms.append(None if one is None or other is None else Apply("multiply", (one, other)))
    return _sum(terms)


def _of_gather(node: Node, index: Index, known: Known) -> Expression | None:
    source, *indices = node.inputs
    axes = len(indices[0].shape)
    chosen = tuple(int(np.asarray(one.value)[index[:axes]]) for one in indices)
    return _element(source, (*chosen, *index[axes:]), known)


def _of_scatter_add(node: Node, index: Index, known: Known) -> Expression | None:
    base, *indices, added = node.inputs
    count, axes = len(indices), len(indices[0].shape)
    hits = np.logical_and.reduce([np.asarray(one.value) == i for one, i in zip(indices, index, strict=False)])
    positions = [tuple(int(i) for i in position) for position in np.argwhere(hits)] if axes else [()] * int(hits)
    terms = [_nonzero(base, index, known)]
    terms += [_element(added, (*position, *index[count:]), known) for position in positions]
    return _sum(terms)


def _of_pad(node: Node, index: Index, known: Known) -> Expression | None:
    (source,) = node.inputs
    inner: list[int] = []
    for i, part in zip(index, node.params["index"], strict=True):
        if isinstance(part, int):
            if i != part:
                return None
            continue
        start, count, step = part
        place, rest = divmod(i - start, step)
        if rest or not 0 <= place < count:
            return None
        inner.append(place)
    return _element(source, tuple(inner), known)


def _of_slice(node: Node, index: Index, known: Known) -> Expression | None:
    (source,) = node.inputs
    kept = iter(index)
    parts = node.params["index"]
    where = tuple(p if isinstance(p, int) else p[0] + next(kept) * p[2] for p in parts)
    return _element(source, where, known)


def _nonzero(node: Node, index: Index, known: Known) -> Expression | None:
    """Element ``index``, or ``None`` if it is a zero that was only put there to be added to."""
    start = node
    while start.primitive is not None and start.primitive.name in ("broadcast_to", "reshape", "cast"):
        start = start.inputs[0]
    blank = start.primitive is None and start not in known.elements and not np.asarray(start.value).any()
    return None if blank else _element(node, index, known)


ELEMENTS: dict[str, Callable[[Node, Index, Known], Expression | None]] = {
    "broadcast_to": _of_broadcast,
    "cast": lambda node, index, known: _element(node.inputs[0], index, known),
    "reshape": _of_reshape,
    "transpose": _of_transpose,
    "sum": _of_sum,
    "matmul": _of_matmul,
    "gather": _of_gather,
    "scatter_add": _of_scatter_add,
    "pad": _of_pad,
    "slice": _of_slice,
}
"""Which elements of its inputs an element of a structural mapping is made of."""
