"""One backward pass as plain data: what every node held, and what every edge passed back.

The numbers are read from the nodes that ran; nothing is computed a second time. Two laws hold, and are tested: the
contributions into a node sum to its gradient, and every number is the graph's own.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.differentiate import Edge as Passed
from backlight.differentiate import pull_back, zeros_like
from backlight.errors import NonScalarError, message
from backlight.explain.formula import HELPERS, formula
from backlight.graph import Node, Source, reachable
from backlight.primitive import Elementwise, Why
from backlight.refusal import describe
from backlight.source import statement
from backlight.trace import constant, user_source

__all__ = ["Edge", "Explanation", "Record", "Step", "explain", "rule_text", "traced_rule"]

SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
Numbers = Any  # an array of numbers, or a tuple of them for a mapping with several outputs


@dataclass(frozen=True, slots=True)
class Step:
    """One node: a mapping that ran, an input, or a constant."""

    id: int
    operation: str
    label: str  # the user's variable where one is known, else the operation; unique in the record
    name: str | None
    kind: str  # "input", "constant" or "call"
    params: dict[str, str]
    shape: tuple[int, ...] | None
    dtype: str
    value: Numbers
    gradient: Numbers | None  # None where no gradient was asked for
    inputs: tuple[int, ...]
    formula: str
    source: Source | None
    statement: str
    scope: tuple[str, ...]
    why: Why | None
    helper: bool  # a broadcast, cast or reshape: drawn small


@dataclass(frozen=True, slots=True)
class Edge:
    """One step of the chain rule: from ``step`` (y) back to its input number ``input`` (x), which is step ``to``."""

    step: int
    input: int
    to: int
    gradient: Numbers  # g, what arrived at y
    local: Numbers | float | None  # ∂y/∂x; None where the rule passes whole arrays
    rule: str  # the local derivative, or the whole contribution, as a formula of x, y and g
    contribution: Numbers
    running: Numbers  # what has arrived at x so far, this contribution included
    readers: int  # how many contributions x receives in all


@dataclass(frozen=True, slots=True)
class Record:
    """A backward pass: steps in execution order, edges in the order in which the chain rule walked them."""

    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    loss: int
    code: dict[str, dict[int, str]]  # for every source file: the lines of the functions that ran

    def step(self, label: str) -> Step:
        """The step that carries ``label``."""
        return next(step for step in self.steps if step.label == label)


class Explanation:
    """A record together with the nodes it was read from, so that single numbers can be derived from it."""

    def __init__(self, record: Record, nodes: Sequence[Node], edges: Sequence[Passed], gradients: dict[Node, Array]):
        self.record = record
        self.nodes = tuple(nodes)
        self.edges = tuple(edges)
        self.gradients = gradients


def explain(loss: Array, wrt: Sequence[Array] | None = None) -> Explanation:
    """Run the backward pass of ``loss`` and keep every edge of it.

    ``wrt`` are the arrays whose gradients are asked for; without it, every input that ``loss`` was made from.

    >>> import backlight, numpy as np
    >>> x = backlight.array([1.0, 2.0], name="x")
    >>> record = explain(np.sum(x * x)).record
    >>> [step.label for step in record.steps]
    ['x', 'multiply', 'sum']
    >>> record.step("x").gradient
    array([2., 4.])
    >>> [edge.contribution for edge in record.edges if record.steps[edge.to].label == "x"]
    [array([1., 2.]), array([1., 2.])]

    Raises ``NonScalarError`` if ``loss`` is not one real number.
    """
    output = loss.node
    if output.shape != () or output.dtype.kind != "f":
        raise NonScalarError(message("explain_scalar", str(user_source() or ""), operand=describe(loss)))
    leaves = [array.node for array in wrt or ()]
    nodes = reachable([output, *leaves])
    if wrt is None:
        leaves = [node for node in nodes if node.kind == "input"]
    passed: list[Passed] = []
    seed = Array(constant(np.ones((), output.dtype)[()]))
    gradients = pull_back([output], [seed], leaves, passed)
    for leaf in leaves:
        gradients.setdefault(leaf, zeros_like(leaf))
    labels = _labels(nodes)
    edges = tuple(_edges(passed, nodes, gradients))
    steps = tuple(_step(k, node, labels, nodes, gradients) for k, node in enumerate(nodes))
    record = Record(steps, edges, nodes.index(output), _code(nodes))
    return Explanation(record, nodes, passed, gradients)


def _step(k: int, node: Node, labels: list[str], nodes: list[Node], gradients: dict[Node, Any]) -> Step:
    primitive = node.primitive
    ids = {other: position for position, other in enumerate(nodes)}
    symbols = {node_in: labels[ids[node_in]] for node_in in node.inputs}
    return Step(
        id=k,
        operation=node.operation,
        label=labels[k],
        name=_own_name(node, nodes),
        kind=node.kind,
        params={key: str(value) for key, value in node.params.items()},
        shape=node.shape,
        dtype=str(node.dtype),
        value=node.value,
        gradient=_numbers(gradients.get(node), node),
        inputs=tuple(ids[node_in] for node_in in node.inputs),
        formula="" if primitive is None else formula(node, symbols),
        source=node.source,
        statement="" if node.code is None else statement(node.code, node.lasti),
        scope=node.scope,
        why=None if primitive is None else primitive.why,
        helper=node.operation in HELPERS,
    )


def _own_name(node: Node, nodes: list[Node]) -> str | None:
    """The user's name for this value: one call may make several nodes, and only the last of them receives the name."""
    if node.kind != "input" and any(
        node in reader.inputs and reader.code is node.code and reader.lasti == node.lasti for reader in nodes
    ):
        return None
    return node.name


def _labels(nodes: list[Node]) -> list[str]:
    """A label for every node, unique: the user's name if there is one, the operation if not, numbered if repeated."""
    plain = [_own_name(node, nodes) or _described(node) for node in nodes]
    seen: dict[str, int] = {}
    labels = []
    for text in plain:
        seen[text] = seen.get(text, 0) + 1
        labels.append(text if plain.count(text) == 1 else text + str(seen[text]).translate(SUBSCRIPT))
    return labels


def _described(node: Node) -> str:
    if node.kind == "constant" and node.shape == ():
        return f"{node.value:g}" if node.dtype.kind in "iuf" else str(node.value)
    return node.operation.removesuffix("_to")  # broadcast_to reads as "broadcast"


def _numbers(gradient: Any, node: Node) -> Numbers | None:
    """The values of a gradient: of one Array, or of the Arrays that arrived at the outputs of a node with several."""
    if gradient is None:
        return None
    if isinstance(gradient, dict):
        outputs = [np.asarray(value) for value in node.value]
        return tuple(gradient[k].value if k in gradient else np.zeros_like(y) for k, y in enumerate(outputs))
    if isinstance(gradient, tuple):
        return tuple(member.value for member in gradient)
    return gradient.node.value


def _edges(passed: list[Passed], nodes: list[Node], gradients: dict[Node, Any]) -> Iterator[Edge]:
    ids = {node: position for position, node in enumerate(nodes)}
    arriving: dict[Node, list[Passed]] = {}
    for one in passed:
        arriving.setdefault(one.node.inputs[one.input], []).append(one)
    for one in passed:
        node, target = one.node, one.node.inputs[one.input]
        several = arriving[target]
        position = next(k for k, other in enumerate(several) if other is one)
        local = one.local
        yield Edge(
            step=ids[node],
            input=one.input,
            to=ids[target],
            gradient=_numbers(one.gradient, node),
            local=local.node.value if isinstance(local, Array) else local,
            rule=rule_text(one),
            contribution=one.contribution.node.value,
            running=_running(gradients[target], several, position),
            readers=len(several),
        )


def rule_text(one: Passed) -> str:
    """The local derivative of an elementwise mapping, or the contribution of a structural one, as a formula."""
    what, symbols = traced_rule(one)
    return formula(what, symbols) if isinstance(what, Node) else f"{what:g}".replace("-", "−")


def traced_rule(one: Passed) -> tuple[Node | float, dict[Node, str]]:
    """What a rule recorded (a number if it is constant), and what ``x``, ``y`` and ``g`` are in it."""
    node = one.node
    names = ["x"] if len(node.inputs) == 1 else [f"x{k + 1}" for k in range(len(node.inputs))]
    symbols = dict(zip(node.inputs, names, strict=True)) | {node: "y"}
    if isinstance(node.primitive, Elementwise):
        return one.local.node if isinstance(one.local, Array) else one.local, symbols
    if isinstance(one.gradient, tuple):
        symbols |= {member.node: f"g[{k}]" for k, member in enumerate(one.gradient)}
    else:
        symbols[one.gradient.node] = "g"
    return one.contribution.node, symbols


def _running(gradient: Any, several: list[Passed], position: int) -> Numbers:
    """The sum of the contributions up to ``position``, read from the additions that made the gradient."""
    if isinstance(gradient, dict):  # each output of a mapping with several has a gradient of its own
        return several[position].contribution.node.value
    total = gradient.node
    for _ in several[position + 1 :]:
        total = total.inputs[0]
    return total.value


def _code(nodes: list[Node]) -> dict[str, dict[int, str]]:
    """The source lines of every function that a node was made in."""
    found: dict[str, dict[int, str]] = {}
    for code in {node.code for node in nodes if node.code is not None}:
        numbers = [line for _, _, line in code.co_lines() if line]
        lines = {k: linecache.getline(code.co_filename, k).rstrip("\n") for k in range(min(numbers), max(numbers) + 1)}
        found.setdefault(code.co_filename, {}).update(lines)
    return {file: dict(sorted(lines.items())) for file, lines in found.items()}
