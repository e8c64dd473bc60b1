"""One entry per kind of kernel: what it writes for arrays of scalars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.draw import draw_vector
from backlight.compiler.ir import Value
from backlight.compiler.scalar_indices import gather, scatter
from backlight.compiler.scalars import BOOL, INDEX, Held, Scalars, held
from backlight.graph import Node
from backlight.primitive import Contract, Draw, Gather, Library, Map, Move, Reduce, Scatter, Window

__all__ = ["KERNELS", "taps"]

Shape = tuple[int, ...]


def _map(s: Scalars, node: Node, kernel: Map, xs: Sequence[Any]) -> Any:
    dtypes = [node_in.dtype for node_in in node.inputs]
    if kernel.expression == "x0" and dtypes[0] == node.dtype and xs[0].shape == node.shape:
        return xs[0]
    return s.map(kernel.expression, [s.elements(x) for x in xs], dtypes, node.dtype, node.shape)


def _move(s: Scalars, node: Node, kernel: Move, xs: Sequence[Any]) -> Any:
    same = [
        x if node_in.dtype == node.dtype else s.convert(s.elements(x), node_in.dtype, node.dtype)
        for x, node_in in zip(xs, node.inputs, strict=True)
    ]
    return s.move(kernel.pieces, kernel.fill, same, node.shape, node.dtype)


# -- Folds ---------------------------------------------------------------------------------------------------------


def _by_rows(x: Held, axes: Shape) -> Held:
    """The folded axes last, as one."""
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    lengths = tuple(x.shape[axis] for axis in kept)
    return x.transpose(*kept, *sorted(axes)).reshape(*lengths, prod(x.shape[axis] for axis in axes))


def _reduce(s: Scalars, node: Node, kernel: Reduce, xs: Sequence[Any]) -> Held:
    (node_in,) = node.inputs
    x, dtype, combine = s.elements(xs[0]), node_in.dtype, kernel.combine
    if combine in ("argmax", "argmin"):
        return _each_row(_by_rows(x, kernel.axes), lambda row: _position(s, row, combine, dtype))
    if combine == "logaddexp":
        return _log_sum_exp(s, s.convert(x, dtype, node.dtype), kernel.axes, node.dtype)
    if combine == "hypot":
        squares = s.map(("mul", "x0", "x0"), [x], [dtype], node.dtype, x.shape)
        return _root(
            s, _each_row(_by_rows(squares, kernel.axes), lambda row: s.tree(row, "add", node.dtype)), node.dtype
        )
    if combine.startswith("logical"):
        x = s.map(("truth", "x0"), [x], [dtype], node.dtype, x.shape)
    else:
        x = s.convert(x, dtype, node.dtype)
    if kernel.scan:
        return _running(s, x, kernel.axes[0], combine, node.dtype)
    return _each_row(_by_rows(x, kernel.axes), lambda row: s.tree(row, combine, node.dtype))


def _each_row(rows: Held, fold: Callable[[list[Value]], Value]) -> Held:
    folded = [fold(row.tolist()) for row in rows.reshape(prod(rows.shape[:-1]), rows.shape[-1])]
    return held(folded, rows.shape[:-1])


def _root(s: Scalars, x: Held, dtype: Any) -> Held:
    return s.map(("sqrt", "x0"), [x], [dtype], dtype, x.shape)


def _running(s: Scalars, x: Held, axis: int, combine: str, dtype: Any) -> Held:
    out = x.copy()
    moved = np.moveaxis(out, axis, -1)
    for place in np.ndindex(*moved.shape[:-1]):
        for k in range(1, moved.shape[-1]):
            moved[(*place, k)] = s.tree([moved[(*place, k - 1)], moved[(*place, k)]], combine, dtype)
    return out


def _wins(name: str, dtype: Any) -> Any:
    """Whether x0 takes the place of x1, the best one before it: nan wins, and the first of equals stays."""
    if dtype == BOOL:
        return ("and", "x0", ("not", "x1")) if name == "argmax" else ("and", ("not", "x0"), "x1")
    better = ("gt" if name == "argmax" else "lt", "x0", "x1")
    if dtype.kind != "f":
        return better
    return ("or", better, ("and", ("isnan", "x0"), ("not", ("isnan", "x1"))))


def _position(s: Scalars, row: Sequence[Value], name: str, dtype: Any, places: Sequence[int] = ()) -> Value:
    """Where the best element stands: its number, or what ``places`` says."""
    best, where = row[0], s.number(places[0] if places else 0, INDEX)
    for k, x in enumerate(row[1:], 1):
        wins = s.value(_wins(name, dtype), [x, best], [dtype, dtype], BOOL)
        best, where = wins.select(x, best), wins.select(s.number(places[k] if places else k, INDEX), where)
    return where


def _finite_top(s: Scalars, rows: Held, dtype: Any) -> tuple[Held, Held]:
    """The largest element of every row, and the same with 0 for ±∞, so that subtracting it is harmless."""
    top = _each_row(rows, lambda row: s.tree(row, "maximum", dtype))
    finite = s.map(("select", ("isinf", "x0"), 0, "x0"), [top], [dtype], dtype, top.shape)
    return top[..., None], finite[..., None]


def _log_sum_exp(s: Scalars, x: Held, axes: Shape, dtype: Any) -> Held:
    rows = _by_rows(x, axes)
    _, finite = _finite_top(s, rows, dtype)
    weights = s.map(("exp", ("sub", "x0", "x1")), [rows, finite], [dtype, dtype], dtype, rows.shape)
    total = _each_row(weights, lambda row: s.tree(row, "add", dtype))
    return s.map(("add", ("log", "x0"), "x1"), [total, finite[..., 0]], [dtype, dtype], dtype, total.shape)


def _softmax(s: Scalars, node: Node, x: Held) -> Held:
    dtype, axis = node.dtype, node.params["axis"]
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    rows = _by_rows(s.convert(x, node.inputs[0].dtype, dtype), axes)
    top, finite = _finite_top(s, rows, dtype)
    infinite = ("select", ("ge", "x0", float("inf")), 1.0, 0.0)  # ∞ takes all, shared among the infinite ones
    weight = ("select", ("eq", "x1", float("inf")), infinite, ("exp", ("sub", "x0", "x2")))
    weights = s.map(weight, [rows, top, finite], [dtype] * 3, dtype, rows.shape)
    total = _each_row(weights, lambda row: s.tree(row, "add", dtype))
    safe = s.map(("select", ("eq", "x0", 0.0), 1.0, "x0"), [total], [dtype], dtype, total.shape)
    shares = s.map(("div", "x0", "x1"), [weights, safe[..., None]], [dtype] * 2, dtype, rows.shape)
    order = (*(k for k in range(x.ndim) if k not in axes), *sorted(axes))
    return shares.reshape([x.shape[k] for k in order]).transpose(np.argsort(order))


def _library(s: Scalars, node: Node, kernel: Library, xs: Sequence[Any]) -> Held:
    assert kernel.routine == "softmax"
    return _softmax(s, node, s.elements(xs[0]))


# -- Products ------------------------------------------------------------------------------------------------------


def _contract(s: Scalars, node: Node, kernel: Contract, xs: Sequence[Any]) -> Held:
    operands = [s.convert(s.elements(x), each.dtype, node.dtype) for x, each in zip(xs, node.inputs, strict=True)]
    size = {
        label: n
        for x, labels in zip(operands, kernel.inputs, strict=True)
        for label, n in zip(labels, x.shape, strict=True)
    }
    order = (*kernel.output, *(label for label in size if label not in kernel.output))
    space = tuple(size[label] for label in order)
    grid = dict(zip(order, np.ogrid[tuple(slice(n) for n in space)], strict=True))
    count = prod(node.shape)
    spread = [
        np.broadcast_to(x[tuple(grid[label] for label in labels)] if labels else x, space).reshape(count, -1)
        for x, labels in zip(operands, kernel.inputs, strict=True)
    ]
    rows = zip(*[x.tolist() for x in spread], strict=True)
    return held([s.dot(list(zip(*row, strict=True)), node.dtype) for row in rows], node.shape)


# -- Windows -------------------------------------------------------------------------------------------------------


def _window(s: Scalars, node: Node, kernel: Window, xs: Sequence[Any]) -> Held:
    inputs = [s.elements(x) for x in xs]
    if kernel.combine == "multiply_add":
        same = [s.convert(x, each.dtype, node.dtype) for x, each in zip(inputs, node.inputs, strict=True)]
        return _correlate(s, node, kernel, *same)
    (x,) = inputs
    dtype = node.inputs[0].dtype
    if kernel.combine == "mean" and dtype != node.dtype:
        x, dtype = s.convert(x, dtype, node.dtype), node.dtype
    out = []
    for index in product(*map(range, node.shape)):
        inside = [(*index[:2], *place) for _, place in taps(kernel, index[2:], x.shape[2:])]
        row = [x[place] for place in inside]
        if kernel.combine == "argmax":
            places = [int(np.ravel_multi_index(place, x.shape)) for place in inside]
            out.append(_position(s, row, "argmax", dtype, places))
        elif kernel.combine == "mean":
            total = s.tree(row, "add", dtype)
            out.append(s.value(("div", "x0", prod(kernel.size)), [total], [dtype], node.dtype))
        else:
            out.append(s.tree(row, "maximum", dtype))
    return held(out, node.shape)


def taps(kernel: Window, p: Sequence[int], lengths: Sequence[int]) -> Iterator[tuple[Shape, Shape]]:
    """The taps of window ``p`` that lie within an array of ``lengths``, and where: strides·p + dilation·k - lo."""
    for k in product(*map(range, kernel.size)):
        axes = zip(p, k, kernel.strides, kernel.dilation, kernel.padding, strict=True)
        place = tuple(stride * i + reach * tap - lo for i, tap, stride, reach, (lo, _) in axes)
        if all(0 <= i < n for i, n in zip(place, lengths, strict=True)):
            yield k, place


def _correlate(s: Scalars, node: Node, kernel: Window, x: Held, w: Held) -> Held:
    """The factors that meet in every element of the output, then their products summed."""
    terms: dict[Shape, list[tuple[Value, Value]]] = defaultdict(list)
    windows, outside = (x, node.shape) if kernel.transposed else (np.empty(node.shape, bool), x.shape)
    for n, o, *p in product(*map(range, windows.shape)):
        first = o // (w.shape[0] // kernel.groups) * w.shape[1]
        for k, place in taps(kernel, p, outside[2:]):
            for c in range(w.shape[1]):
                far, near = (n, first + c, *place), (n, o, *p)
                source, target = (near, far) if kernel.transposed else (far, near)
                terms[target].append((w[(o, c, *k)], x[source]))
    return held([s.dot(terms[index], node.dtype) for index in product(*map(range, node.shape))], node.shape)


# -- Indices and random numbers ------------------------------------------------------------------------------------


def _gather(s: Scalars, node: Node, kernel: Gather, xs: Sequence[Any]) -> Held:
    x, *indices = xs
    dtypes = [each.dtype for each in node.inputs[1:]]
    return gather(s, x, [s.elements(each) for each in indices], dtypes, node.dtype)


def _scatter(s: Scalars, node: Node, kernel: Scatter, xs: Sequence[Any]) -> Any:
    x, *indices, v = xs
    before, *between, after = node.inputs
    if before.dtype != node.dtype:
        x = s.convert(s.elements(x), before.dtype, node.dtype)
    v = s.convert(s.elements(v), after.dtype, node.dtype)
    places = [s.elements(each) for each in indices]
    return scatter(s, kernel.combine, x, places, [each.dtype for each in between], v, node.dtype)


def _draw(s: Scalars, node: Node, kernel: Draw, xs: Sequence[Any]) -> Held:
    keys = s.elements(xs[0])
    words = keys.reshape(-1, keys.shape[-1])
    count = prod(node.shape) // len(words)
    lanes = min(1 << (count - 1).bit_length(), max(2, s.width * 4 // node.dtype.itemsize))
    drawn = []
    for key in words:
        for first in range(0, count, lanes):
            place = s.number(first, INDEX)
            numbers = draw_vector(s.b, kernel.distribution, node.dtype, key.tolist(), place, lanes)
            drawn += [s.b.lane(numbers, k) for k in range(min(lanes, count - first))]
    return held(drawn, node.shape)


KERNELS: dict[type, Callable[..., Any]] = {
    Map: _map,
    Move: _move,
    Reduce: _reduce,
    Contract: _contract,
    Window: _window,
    Gather: _gather,
    Scatter: _scatter,
    Draw: _draw,
    Library: _library,
}
