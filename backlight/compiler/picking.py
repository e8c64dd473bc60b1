"""Nodes that have a kernel of their own to write: gathers, scatters, draws, what goes along an axis, and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.draw import Drawing
from backlight.compiler.plan import Plan
from backlight.compiler.pooling import Pooling, tap_dtype
from backlight.compiler.processor import processor
from backlight.compiler.scatter import Gathering, Scattering
from backlight.compiler.sweep import Sweep
from backlight.compiler.views import View
from backlight.graph import Node
from backlight.primitive import REGISTRY, Draw, Gather, Reduce, Scatter, Window

__all__ = ["draw", "gather", "pool", "scatter", "sweep"]

LONGEST_ROW = 256  # elements that are walked along rather than jumped over


def gather(made: Plan, node: Node, kernel: Gather, views: Sequence[View]) -> View:
    """``y[i…, j…] = x0[x1[i…], …, j…]``."""
    source, *indices = node.inputs
    if _picks_from_rows(source, indices):
        return _picked_from_rows(made, node, views)
    dtypes = tuple(each.dtype for each in indices)
    core = Gathering(source.shape, prod(indices[0].shape), dtypes, node.dtype)
    return _alone(made, "gather", core, views, node)


def scatter(made: Plan, node: Node, kernel: Scatter, views: Sequence[View]) -> View:
    """``y = x0``, then rows are added or written where the indices say."""
    start, *indices, _ = node.inputs
    cast = [
        view if view.tensor.dtype == node.dtype or k in range(1, len(views) - 1) else
        made.map("x0", [view], node.dtype, view.size, node)
        for k, view in enumerate(views)
    ]  # fmt: skip
    winners = unpooled(node)
    if winners is not None:
        return _unpool(made, node, winners, cast[2])
    fill = _number(cast[0])
    if fill == 0 and not np.signbit(fill) and _picks_from_rows(start, indices):
        return _put_into_rows(made, node, cast)
    dtypes = tuple(each.dtype for each in indices)
    core = Scattering(kernel.combine, start.shape, prod(indices[0].shape), dtypes, node.dtype, fill)
    return _alone(made, "scatter", core, cast if fill is None else cast[1:], node)


# One element of every row, such as the probability of the right class: a walk along the row, which joins whatever
# else walks along it, in place of a kernel that jumps.


def _picks_from_rows(source: Node, indices: Sequence[Node]) -> bool:
    """Whether the indices are every row's number, once and in order, and one column of each."""
    if len(source.shape) != 2 or len(indices) != 2 or not 0 < source.shape[1] <= LONGEST_ROW:
        return False
    rows, columns = indices
    count = source.shape[0]
    known = rows.primitive is None and rows.kind == "constant"
    return known and rows.shape == columns.shape == (count,) and bool((rows.value == np.arange(count)).all())


def _columns(made: Plan, node: Node, view: View) -> tuple[View, View]:
    """The numbers of the columns along every row, and the one that is meant in each, repeated along the row."""
    count, length = node.shape if len(node.shape) == 2 else node.inputs[0].shape
    meant = made.map(("inside", "x0", length), [view], np.dtype(np.int32), count, node)
    return made.along(np.arange(length, dtype=np.int32), count), made.spread(meant, length)


def _picked_from_rows(made: Plan, node: Node, views: Sequence[View]) -> View:
    x, _, columns = views
    count, length = node.inputs[0].shape
    numbers, meant = _columns(made, node, columns)
    one = ("select", ("eq", "x1", "x2"), "x0", 0)
    chosen = made.map(one, [x, numbers, meant], node.dtype, count * length, node, waits=True)
    return made.fold("add", chosen, count, length, node.dtype, node) if length > 1 else chosen


def _put_into_rows(made: Plan, node: Node, views: Sequence[View]) -> View:
    *_, columns, values = views
    count, length = node.shape
    numbers, meant = _columns(made, node, columns)
    one = ("select", ("eq", "x0", "x1"), "x2", 0)
    return made.map(one, [numbers, meant, made.spread(values, length)], node.dtype, count * length, node)


def _is_zero(node: Node) -> bool:
    return node.primitive is None and node.kind == "constant" and not node.value.any()


def _number(view: View) -> float | None:
    """The number that all elements are, where that is known."""
    known = view.tensor.home == "constant" and view.tensor.size == 1
    return view.tensor.data[0].item() if known else None


def draw(made: Plan, node: Node, kernel: Draw, views: Sequence[View]) -> View:
    """Random numbers for each key."""
    (key,) = node.inputs
    keys = prod(key.shape[:-1])
    core = Drawing(kernel.distribution, keys, key.shape[-1], prod(node.shape) // keys, node.dtype)
    return _alone(made, "draw", core, views, node)


def sweep(made: Plan, node: Node, kernel: Reduce, views: Sequence[View]) -> View:
    """Running folds, and where the best element stands."""
    (x,) = node.inputs
    (view,) = views
    dtype = x.dtype
    if kernel.scan and dtype != node.dtype:
        view, dtype = made.map("x0", [view], node.dtype, view.size, node), node.dtype
    core = Sweep(kernel.combine, x.shape, kernel.axes, kernel.scan, dtype, node.dtype)
    return _alone(made, "sweep", core, [view], node)


def pool(made: Plan, node: Node, kernel: Window, views: Sequence[View]) -> View:
    """The largest element or the mean of every window; in the same walk, who won, where somebody asks.

    Only gradients ask who won, and each compares winners with places only: so a winner is told by the number of its
    tap, unless the place itself is read.
    """
    (x,) = node.inputs
    if kernel.combine == "argmax":
        core = Pooling.of(kernel, x.shape, node.shape, x.dtype, np.dtype(np.int64))
        return _pooled(made, core, views[0], node)[1]
    asks = next((each for each in made.readers_of(x) if _asks(each, node)), None)
    if kernel.combine == "mean" or asks is None:
        view = views[0] if x.dtype == node.dtype else made.map("x0", views, node.dtype, views[0].size, node)
        return _pooled(made, Pooling.of(kernel, x.shape, node.shape, node.dtype), view, node)[0]
    taps = all(unpooled(each) is asks for each in made.readers_of(asks))
    told = tap_dtype(kernel.size, processor().width) if taps else np.dtype(np.int64)
    y, made.values[asks] = _pooled(made, Pooling.of(kernel, x.shape, node.shape, x.dtype, told), views[0], node)
    return y


def _asks(each: Node, node: Node) -> bool:
    return each.primitive is REGISTRY.max_pool_index and each.params == node.params


def _pooled(made: Plan, core: Pooling, view: View, node: Node) -> list[View]:
    size, (*rows, columns) = prod(node.shape), node.shape[2:]
    results = [(size, core.planes.dtype)] + ([(size, core.winners)] if core.winners else [])
    space = prod(node.shape[:2]), prod(rows), columns
    return made.core("pool", core, [made.flat(view, node)], results, node, space)


def unpooled(node: Node) -> Node | None:
    """The winners of a pooling, if ``node`` adds up, for every element, what is meant for the windows it has won."""
    if node.primitive is not REGISTRY.scatter_add or len(node.inputs) != 3:
        return None
    start, places, g = node.inputs
    while places.primitive is REGISTRY.reshape:
        (places,) = places.inputs
    if places.primitive is not REGISTRY.max_pool_index or not _is_zero(start):
        return None
    (x,) = places.inputs
    return places if start.shape == (prod(x.shape),) and prod(g.shape) == prod(places.shape) else None


def _unpool(made: Plan, node: Node, winners: Node, g: View) -> View:
    view = made.values[winners]
    (x,) = winners.inputs
    kernel = REGISTRY.max_pool_index.kernel(x.shape, **winners.params)
    core = Pooling.of(kernel, x.shape, winners.shape, node.dtype, view.tensor.dtype)
    *rows, columns = x.shape[2:]
    space = prod(x.shape[:2]), prod(rows), columns
    operands = [made.flat(g, node), made.flat(view, node)]
    return made.core("unpool", core, operands, [(prod(node.shape), node.dtype)], node, space)[0]


def _alone(made: Plan, kind: str, core: Any, views: Sequence[View], node: Node) -> View:
    """A group that does just this, reading its operands in their own order."""
    operands = [made.flat(view, node) for view in views]
    return made.core(kind, core, operands, [(prod(node.shape), node.dtype)], node)[0]
