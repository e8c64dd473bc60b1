"""Contractions and convolutions as matrix products, which read their operands through any strides."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.contract import canonical
from backlight.compiler.depthwise import Depthwise, is_depthwise
from backlight.compiler.kernels import Access, Product, merged
from backlight.compiler.moves import rearrange, transposed
from backlight.compiler.plan import Group, Plan, Tensor, constant
from backlight.compiler.processor import processor
from backlight.compiler.views import Digits, View, contiguous, over, refined, tidy
from backlight.compiler.window import Axes, Lowered, lower
from backlight.graph import Node
from backlight.layout import contiguous_strides
from backlight.primitive import Contract, Piece, Window

__all__ = ["contract", "convolution"]

Shape = tuple[int, ...]

PANEL = 2  # vectors of columns in a panel: a line of the cache, or two
DEEP = 16  # inner indices from which panels pay


def contract(made: Plan, node: Node, kernel: Contract, views: Sequence[View]) -> View:
    """The products that a contraction is made of, two operands at a time."""
    if not all(prod(node_in.shape) for node_in in node.inputs):
        return constant(np.zeros(node.shape, node.dtype), node)
    operands = [
        (_cast(made, view, node), labels, node_in.shape)
        for view, labels, node_in in zip(views, kernel.inputs, node.inputs, strict=True)
    ]
    while len(operands) > 1:
        first, second, *rest = operands
        wanted = set(kernel.output).union(*(labels for _, labels, _ in rest))
        operands = [_product(made, node, first, second, kernel.output if not rest else None, wanted), *rest]
    ((view, labels, shape),) = operands
    return transposed(made, view, shape, [labels.index(label) for label in kernel.output], node)


def _product(
    made: Plan, node: Node, first: Any, second: Any, output: Shape | None, wanted: set[int]
) -> tuple[View, Shape, Shape]:
    """Two labelled operands contracted over the labels that are not ``wanted``; the result with its labels."""
    if output and output[-1] in first[1] and output[-1] not in second[1]:
        first, second = second, first  # vectors run along the last axis of the output
    (x, x_labels, x_shape), (w, w_labels, w_shape) = first, second
    size = dict(zip((*x_labels, *w_labels), (*x_shape, *w_shape), strict=True))
    order = output or tuple(sorted(wanted.intersection(size)))
    batch = tuple(k for k in order if k in x_labels and k in w_labels)
    rows = tuple(k for k in order if k in x_labels and k not in w_labels)
    columns = tuple(k for k in order if k in w_labels and k not in x_labels)
    inner = tuple(k for k in x_labels if k in w_labels and k not in order)
    if w.tensor in made.captured and not batch and len(columns) == 1:
        w = _in_panels(made, w, w_labels, w_shape, columns[0], node)
    x_digits, w_digits = _by_label(x, x_labels, x_shape), _by_label(w, w_labels, w_shape)
    if x_digits is None:
        x = made.laid_out(x, node)
        x_digits = _by_label(x, x_labels, x_shape)
    if w_digits is None:
        w = made.laid_out(w, node)
        w_digits = _by_label(w, w_labels, w_shape)
    assert x_digits is not None
    assert w_digits is not None
    axes: dict[int, Shape] = {}
    for label, length in size.items():
        both = [tuple(n for n, _ in digits[label]) for digits in (x_digits, w_digits) if label in digits]
        split = refined(*both, (length,))
        if split is None:  # the operands split this axis in ways that do not go together
            return _product(made, node, (made.laid_out(x, node), x_labels, x_shape), second, output, wanted)
        axes[label] = split

    def strides(digits: dict[int, Any], labels: Shape) -> Shape:
        return tuple(s for label in labels for s in over(digits[label], axes[label]))

    def lengths(labels: Shape) -> Shape:
        return tuple(n for label in labels for n in axes[label])

    b, (xb, wb) = merged(lengths(batch), (strides(x_digits, batch), strides(w_digits, batch)))
    i, (xi,) = merged(lengths(rows), (strides(x_digits, rows),))
    j, (wj,) = merged(lengths(columns), (strides(w_digits, columns),))
    k, (xk, wk) = merged(lengths(inner), (strides(x_digits, inner), strides(w_digits, inner)))
    left, right = Access(0, x.offset, (*xb, *xi, *xk)), Access(1, w.offset, (*wb, *wk, *wj))
    y = _made(made, Product(b, i, j, k, left, right, node.dtype), x, w, node)
    labels = (*batch, *rows, *columns)
    return y, labels, tuple(size[label] for label in labels)


def _in_panels(made: Plan, w: View, labels: Shape, shape: Shape, column: int, node: Node) -> View:
    """An operand that all steps of a loop read, copied once before the loop: panels of a few vectors of columns, in
    each of which the inner indices follow one another, so that every step reads memory from front to back."""
    axis = labels.index(column)
    wide = PANEL * max(1, processor().width * 4 // node.dtype.itemsize)
    if made.outer is None or shape[axis] % wide or prod(shape) // shape[axis] < DEEP:
        return w
    count, strides = shape[axis] // wide, contiguous_strides(shape)
    others = [k for k in range(len(shape)) if k != axis]
    lengths = (count, *(shape[k] for k in others), wide)
    piece = Piece(
        0,
        lengths,
        0,
        (wide * strides[axis], *(strides[k] for k in others), strides[axis]),
        0,
        contiguous_strides(lengths),
    )
    tensor = made.outer.laid_out(rearrange(made.outer, w, piece, node), node).tensor
    made.outer.store(tensor)
    steps = contiguous_strides(lengths)
    of_axis: dict[int, Digits] = {k: ((shape[k], steps[1 + n]),) for n, k in enumerate(others)}
    of_axis[axis] = ((count, steps[0]), (wide, 1))
    return View(tensor, 0, tidy([digit for k in range(len(shape)) for digit in of_axis[k]]))


def _by_label(view: View, labels: Shape, shape: Shape) -> dict[int, Any] | None:
    """The digits of each labelled axis; ``None`` where a digit runs across several axes."""
    lengths = refined(view.digits, shape)
    if lengths is None:
        return None
    strides = list(over(view.digits, lengths))
    rest = list(lengths)
    found: dict[int, Any] = {}
    for label, length in reversed(list(zip(labels, shape, strict=True))):
        digits: list[tuple[int, int]] = []
        while length > 1:
            n = rest.pop()
            digits.append((n, strides.pop()))
            length //= n
        found[label] = tuple(reversed(digits))
    return found


def _cast(made: Plan, view: View, node: Node) -> View:
    """``view`` in the dtype of the result."""
    return view if view.tensor.dtype == node.dtype else made.map("x0", [view], node.dtype, view.size, node)


def _made(made: Plan, product: Product, left: View, right: View, node: Node) -> View:
    """A group for the product; ``left`` and ``right`` are what its accesses call buffers 0 and 1."""
    core = canonical(product)
    space = prod(core.batch), prod(core.rows), prod(core.columns)
    (y,) = made.core("product", core, [left, right], [(prod(space), node.dtype)], node, space)
    return y


# -- Convolutions --------------------------------------------------------------------------------------------------


def convolution(made: Plan, node: Node, kernel: Window, views: Sequence[View]) -> View:
    """A convolution, or a transposed one: products that each write a part of the result."""
    if not all(prod(node_in.shape) for node_in in node.inputs):
        return constant(np.zeros(node.shape, node.dtype), node)
    x, w = (_cast(made, view, node) for view in views)
    x_shape, w_shape = (node_in.shape for node_in in node.inputs)
    if is_depthwise(kernel, w_shape):
        core = Depthwise.of(kernel, x_shape, node.shape, node.dtype)
        operands = [made.flat(x, node), made.flat(w, node)]
        *rows, columns = node.shape[2:]
        space = prod(node.shape[:2]), prod(rows), columns
        return made.core("depthwise", core, operands, [(prod(node.shape), node.dtype)], node, space)[0]
    per_group = w_shape[0] // kernel.groups
    across = (per_group, w_shape[1]) if kernel.transposed else (w_shape[1], per_group)
    x, of_x = _by_axis(made, x, (x_shape[0], kernel.groups, across[0], *x_shape[2:]), node)
    w, of_w = _by_axis(made, w, (kernel.groups, per_group, *w_shape[1:]), node)
    n, groups, held = of_x[:3]
    own_groups, filters, channels = of_w[:3]
    shared = filters if kernel.transposed else channels
    if [_lengths(groups), _lengths(held)] != [_lengths(own_groups), _lengths(shared)]:
        return convolution(made, node, kernel, [made.laid_out(x, node), made.laid_out(w, node)])
    axes = Axes(_lengths(n), _lengths(groups), _lengths(channels), _lengths(filters), x_shape[2:])
    w_access = Access(0, w.offset, tuple(stride for digits in of_w for _, stride in digits))
    x_access = Access(1, x.offset, tuple(stride for digits in of_x for _, stride in digits))
    parts = lower(kernel, axes, node.shape[2:], x_access, w_access, node.dtype)
    if len(parts) == 1:
        return _in_order(_made(made, parts[0].product, w, x, node), parts[0])
    whole = Tensor(prod(node.shape), node.dtype, "arena", node=node)
    for part in parts:
        if prod((*part.product.batch, *part.product.rows, *part.product.columns)):
            y = _made(made, part.product, w, x, node)
            lengths = (*part.product.batch, *part.product.rows, *part.product.columns)
            digits = tidy(tuple(zip(lengths, part.output.strides, strict=True)))
            made.put(y, whole, part.output.offset, digits, apart=False)
    whole.group = made.insert(Group("join", whole.size, writes=(whole,), node=node))
    return View(whole, 0, contiguous(whole.size))


def _lengths(digits: Digits) -> Shape:
    return tuple(n for n, _ in digits)


def _by_axis(made: Plan, view: View, shape: Shape, node: Node) -> tuple[View, list[Digits]]:
    """The digits of each axis; those behind the first three, which windows slide along, have one digit each."""
    found = _by_label(view, tuple(range(len(shape))), shape)
    if found is None or any(len(found[axis]) > 1 for axis in range(3, len(shape))):
        view = made.laid_out(view, node)
        found = _by_label(view, tuple(range(len(shape))), shape)
    assert found is not None
    return view, [found[axis] if axis < 3 or found[axis] else ((1, 0),) for axis in range(len(shape))]


def _in_order(y: View, lowered: Lowered) -> View:
    """The results of the only product, which come in its own order, in the order of the convolution's."""
    product, output = lowered
    lengths = (*product.batch, *product.rows, *product.columns)
    strides = contiguous_strides(lengths)
    order = sorted(range(len(lengths)), key=lambda axis: -output.strides[axis])
    return View(y.tensor, 0, tidy(tuple((lengths[axis], strides[axis]) for axis in order if lengths[axis] > 1)))
