"""From nodes to groups: one entry per kind of kernel says how a plan computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.expression import compilable, unsupported
from backlight.compiler.looping import loop
from backlight.compiler.moves import Parts, added, move, transposed, written
from backlight.compiler.picking import draw, gather, pool, scatter, sweep
from backlight.compiler.plan import Plan, Uncompilable, constant, expanded
from backlight.compiler.products import contract, convolution
from backlight.compiler.views import View, distinct
from backlight.graph import Graph, Node
from backlight.primitive import (
    REGISTRY,
    Contract,
    Draw,
    Elementwise,
    Gather,
    Library,
    Loop,
    Map,
    Move,
    Reduce,
    Scatter,
    Window,
)

__all__ = ["check_ends", "plan"]

Shape = tuple[int, ...]

PARTS = 64  # into how many pieces a long reduction with few results is cut
LONG = 1 << 15  # elements from which that pays


def plan(graph: Graph, inputs: Sequence[View], outer: Plan | None = None, captured: Sequence[View] = ()) -> Plan:
    """The plan of ``graph`` with its inputs standing at ``inputs``. Raises ``Uncompilable``.

    For a step of a loop, ``outer`` is the plan around it, and ``captured`` what is the same in all steps.
    """
    made = Plan(readers=graph.readers(), ends=set(graph.outputs), outer=outer)
    made.captured = {view.tensor for view in captured}
    made.values.update(zip(graph.inputs, inputs, strict=True))
    moving = set(graph.inputs)
    check_ends(graph)
    for node in graph.nodes:
        if node.primitive is REGISTRY.item:
            made.read.setdefault(node.inputs[0], set()).add(node.params["k"])
    for node in graph.nodes:
        if node in made.values:  # an input, or computed together with another node
            moving.add(node)
        elif any(node_in in moving for node_in in node.inputs):
            moving.add(node)
            made.values[node] = _lowered(made, node)
        elif node.shape is not None:
            made.values[node] = constant(node.value, node)
        else:
            made.values[node] = tuple(constant(value, node) for value in node.value)
    made.outputs = [_view(made, node) for node in graph.outputs]
    return made


def check_ends(graph: Graph) -> None:
    """Raise ``Uncompilable`` where memory that comes in or goes out holds what has no place in registers."""
    for node in (*graph.inputs, *graph.outputs):
        if not compilable(node.dtype):
            raise Uncompilable(node, f"{node.dtype}")


def _lowered(made: Plan, node: Node) -> Any:
    primitive = node.primitive
    assert primitive is not None
    if primitive is REGISTRY.item:
        return made.values[node.inputs[0]][node.params["k"]]
    together = added(node, [made.values[node_in] for node_in in node.inputs])
    if together is not None:
        return together
    views = [_view(made, node_in) for node_in in node.inputs]
    for each in (*node.inputs, node):
        if each.dtype is not None and not compilable(each.dtype):
            raise Uncompilable(node, f"{each.dtype}")
    if isinstance(primitive, Elementwise):
        return _map(made, node, primitive.kernel, views)
    kernel = primitive.kernel(*[node_in.shape for node_in in node.inputs], **node.params)
    return _LOWERINGS[type(kernel)](made, node, kernel, views)


def _view(made: Plan, node: Node) -> Any:
    """Where the value of ``node`` stands."""
    if isinstance(made.values[node], Parts):
        made.values[node] = written(made, made.values[node])
    return made.values[node]


def _map(made: Plan, node: Node, kernel: Map, views: Sequence[View]) -> View:
    missing = unsupported(kernel.expression, [node_in.dtype for node_in in node.inputs])
    if missing:
        raise Uncompilable(node, missing)
    if kernel.expression == "x0" and node.inputs[0].dtype == node.dtype:
        return views[0]
    expression = kernel.expression
    if node.primitive is REGISTRY.chain:
        expression, views = _chained(made, node, views)
    size = prod(node.shape)
    once, digits = distinct([expanded(view, size) for view in views], size)
    count = prod(n for n, stride in digits if stride)
    return made.map(expression, once, node.dtype, count, node)._replace(digits=digits)


def _chained(made: Plan, node: Node, views: Sequence[View]) -> tuple[Any, Sequence[View]]:
    """The product of a gradient with a local derivative, without a choice that is decided.

    A number that is neither 0 nor infinite times nothing is nothing, so with such a number it is an ordinary product.
    Behind a rectifier, y = max(x, 0), the gradient passes where y is above 0; elsewhere y, 0 or nan, is what is left.
    """
    numbers = [v.tensor.data[0] for v in views if v.tensor.home == "constant" and v.tensor.size == 1]
    if any(np.isfinite(number) and number for number in numbers):
        return ("mul", "x0", "x1"), views
    _, local = node.inputs
    if local.primitive is REGISTRY.sign and local.inputs[0].primitive is REGISTRY.relu:
        rectified = _view(made, local.inputs[0])
        return ("select", ("gt", "x1", 0), "x0", ("select", ("eq", "x0", 0), 0, "x1")), [views[0], rectified]
    return REGISTRY.chain.kernel.expression, views


# -- Reductions ----------------------------------------------------------------------------------------------------


def _reduce(made: Plan, node: Node, kernel: Reduce, views: Sequence[View]) -> View:
    (x,) = node.inputs
    (view,) = views
    if kernel.scan or kernel.combine in ("argmax", "argmin"):
        return sweep(made, node, kernel, views)
    rows = _Rows(made, view, x.shape, kernel.axes, node)
    if kernel.combine == "logaddexp":
        top, _, total = _weighed(rows, node.dtype)
        return rows.per_row(("add", ("log", "x0"), "x1"), [total, top], node.dtype)
    if kernel.combine == "hypot":
        return _norm(rows, node.dtype)
    truth = kernel.combine.startswith("logical")
    if x.dtype != node.dtype or truth:
        rows.view = rows.map(("truth", "x0") if truth else "x0", [rows.view], node.dtype)
    return rows.fold(kernel.combine, rows.view, node.dtype)


def _weighed(rows: _Rows, dtype: Any) -> tuple[View, View, View]:
    """Of every row: the largest element, exp(x - largest), and the sum of that.

    Where the largest is -∞, nothing is subtracted. Where it is ∞, it takes all the weight, shared among the infinite
    ones.
    """
    top = rows.fold("maximum", rows.view, dtype)
    finite = rows.per_row(("select", ("isinf", "x0"), 0, "x0"), [top], dtype)
    infinite = ("select", ("ge", "x0", float("inf")), 1.0, 0.0)
    weight = ("select", ("eq", "x1", float("inf")), infinite, ("exp", ("sub", "x0", "x2")))
    weights = rows.map(weight, [rows.view, rows.spread(top), rows.spread(finite)], dtype)
    return top, weights, rows.fold("add", weights, dtype)


def _norm(rows: _Rows, dtype: Any) -> View:
    """The root of the sum of squares, each element divided by the largest one so that no square overflows."""
    sizes = rows.map(("abs", "x0"), [rows.view], dtype)
    top = rows.fold("maximum", sizes, dtype)
    scale = rows.per_row(("select", ("or", ("eq", "x0", 0.0), ("isinf", "x0")), 1.0, "x0"), [top], dtype)
    parts = rows.map(("div", "x0", "x1"), [sizes, rows.spread(scale)], dtype)
    squares = rows.map(("mul", "x0", "x0"), [parts], dtype)
    return rows.per_row(("mul", ("sqrt", "x0"), "x1"), [rows.fold("add", squares, dtype), scale], dtype)


class _Rows:
    """A value seen as rows: kept axes first, the folded ones inside."""

    def __init__(self, made: Plan, view: View, shape: Shape, axes: Shape, node: Node) -> None:
        kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
        self.made = made
        self.node = node
        self.shape = shape
        self.order = (*kept, *sorted(axes))
        self.count = prod(shape[axis] for axis in kept)
        self.length = prod(shape[axis] for axis in axes)
        self.view = transposed(made, view, shape, self.order, node)

    def map(self, expression: Any, views: Sequence[View], dtype: Any) -> View:
        return self.made.map(expression, views, dtype, self.count * self.length, self.node)

    def per_row(self, expression: Any, views: Sequence[View], dtype: Any) -> View:
        return self.made.map(expression, views, dtype, self.count, self.node)

    def spread(self, view: View) -> View:
        """One value per row, repeated along it."""
        return self.made.spread(view, self.length)

    def back(self, view: View) -> View:
        """Elements in the order of rows, in the order of the original axes again."""
        shape = tuple(self.shape[axis] for axis in self.order)
        inverse = tuple(int(k) for k in np.argsort(self.order))
        return transposed(self.made, view, shape, inverse, self.node)

    def fold(self, combine: str, view: View, dtype: Any) -> View:
        count, length = self.count, self.length
        if length == 1:
            return view
        parts = _parts(count, length)
        if parts > 1:
            first = self._fold(combine, view, count * parts, length // parts, dtype)
            return self._fold(combine, first, count, parts, dtype)
        return self._fold(combine, view, count, length, dtype)

    def _fold(self, combine: str, view: View, rows: int, columns: int, dtype: Any) -> View:
        inner = view.digits[-1][1] if view.digits else 1
        if abs(inner) == 1 or inner == 0 or rows == 1 or columns <= 4:
            return self.made.fold(combine, view, rows, columns, dtype, self.node)
        return self.made.reduce(combine, view, rows, dtype, self.node)


def _parts(count: int, length: int) -> int:
    """Into how many parts each of ``count`` long sums is cut, so that several threads can share the work."""
    if count * length < LONG or count >= PARTS:
        return 1
    return max(d for d in range(1, min(PARTS, length) + 1) if length % d == 0)


def _softmax(made: Plan, node: Node, views: Sequence[View]) -> View:
    axes = node.params["axis"]
    rows = _Rows(made, views[0], node.shape, (axes,) if isinstance(axes, int) else tuple(axes), node)
    _, weights, total = _weighed(rows, node.dtype)
    safe = rows.per_row(("select", ("eq", "x0", 0.0), 1.0, "x0"), [total], node.dtype)
    return rows.back(rows.map(("div", "x0", "x1"), [weights, rows.spread(safe)], node.dtype))


# -- The table -----------------------------------------------------------------------------------------------------


def _library(made: Plan, node: Node, kernel: Library, views: Sequence[View]) -> View:
    if kernel.routine == "softmax":
        return _softmax(made, node, views)
    raise Uncompilable(node, kernel.routine)


def _window(made: Plan, node: Node, kernel: Window, views: Sequence[View]) -> View:
    return (convolution if kernel.combine == "multiply_add" else pool)(made, node, kernel, views)


_LOWERINGS: dict[type, Callable[..., Any]] = {
    Map: _map,
    Move: move,
    Reduce: _reduce,
    Contract: contract,
    Window: _window,
    Gather: gather,
    Scatter: scatter,
    Draw: draw,
    Loop: partial(loop, plan),
    Library: _library,
}
