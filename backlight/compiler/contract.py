"""Matrix products in machine code.

    y[b, i, j] = Σ_k left[b, i, k] · right[b, k, j]

A piece is a part of the batch, of the rows and of the columns (and, where few results are sums of many terms, of the
inner indices). Its columns are cut into panels of a few vectors, and its rows into tiles. Panels that are packed
together are walked over for every tile, otherwise tiles for every panel. The results are handed over a vector at a time
to the function that consumes them, so that a bias, an activation or an optimiser's update costs no pass over memory.

    plan = schedule(product, width)
    for piece in range(pieces(product, plan)):
        emit_piece(b, product, plan, left, right, piece, scratch, finish)

Where ``plan.splits`` is more than 1, pieces leave sums over parts of the inner indices in a buffer of
``partial_elements`` and ``emit_combine_piece`` adds them up for ``finish``.
"""

from __future__ import annotations

from math import prod

from backlight.compiler.choice import schedule
from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Value, vector
from backlight.compiler.kernels import Product
from backlight.compiler.piece import DotsPiece, Finish, Piece, TurnedPiece, digits
from backlight.compiler.schedule import (
    Schedule,
    combine_pieces,
    layout_of,
    partial_elements,
    pieces,
    scratch_bytes,
    turned,
)
from backlight.compiler.strips import lanes_of, share, short

__all__ = [
    "Finish", "Schedule", "canonical", "combine_pieces", "emit_combine_piece", "emit_piece", "partial_elements",
    "pieces", "schedule", "scratch_bytes", "store_rows",
]  # fmt: skip


def canonical(product: Product) -> Product:
    """The same results in the same order, as the product that is computed best.

    Batch axes that the right operand does not have are rows, and a single column is better a single row.
    """
    free = held = len(product.batch)
    accesses = (product.right.strides, *(bound.strides for bound in product.right.bounds))
    while free and not any(strides[free - 1] for strides in accesses):
        free -= 1
    if free < held:
        cut = tuple(strides[:free] + strides[held:] for strides in accesses)
        bounds = tuple(bound._replace(strides=s) for bound, s in zip(product.right.bounds, cut[1:], strict=True))
        product = product._replace(
            batch=product.batch[:free],
            rows=product.batch[free:] + product.rows,
            right=product.right._replace(strides=cut[0], bounds=bounds),
        )
    return turned(product) if prod(product.columns) == 1 and prod(product.rows) > 1 else product


def emit_piece(
    b: Function,
    product: Product,
    plan: Schedule,
    left: Value,
    right: Value,
    piece: Value,
    scratch: Value,
    finish: Finish,
    partial: Value | None = None,
) -> None:
    """One piece; its results go to ``finish``, or as sums over a part of the inner indices to ``partial``.

    ``finish(results, batch, row, column, lanes, mask)`` gets ``lanes`` results for neighbouring columns from (batch,
    row, column) on, all flat indices; those outside ``mask`` do not exist.
    """
    if not pieces(product, plan):
        return
    if plan.splits > 1:
        assert partial is not None
        size = prod(product.batch) * prod(product.rows) * prod(product.columns)
        *_, split = digits(b, piece, (*plan.cuts, plan.splits))
        finish = store_rows(b, product, b.at(partial, split * size, memory_kind(product.dtype)))
    form = TurnedPiece if plan.turned else DotsPiece if plan.dots else Piece
    operands = (right, left) if plan.turned else (left, right)
    form(b, plan, layout_of(product, plan), *operands, scratch, finish).write(piece)


def store_rows(b: Function, product: Product, place: Value) -> Finish:
    """The plain way to finish: the results are stored at ``place``, row after row."""
    rows, columns = prod(product.rows), prod(product.columns)
    kind = memory_kind(product.dtype)

    def finish(result: Value, batch: Value, row: Value, column: Value, lanes: int, mask: Value | None) -> None:
        if product.dtype.kind == "b":
            result = result.to_int(kind)
        to = b.at(place, (batch * rows + row) * columns + column, kind)
        if mask is None:
            b.store(result, to)
        else:
            b.masked_store(result, to, mask)

    finish.flat = finish  # type: ignore[attr-defined]  # counted through, a result has the same place
    return finish


def emit_combine_piece(
    b: Function, product: Product, plan: Schedule, width: int, partial: Value, piece: Value, finish: Finish
) -> None:
    """Add up the sums over parts for one piece of the rows, always in the same order; the totals go to ``finish``."""
    rows, columns = prod(product.rows), prod(product.columns)
    kind = memory_kind(product.dtype)
    lanes = short(columns, lanes_of(kind, width))
    many = vector(kind, lanes)
    size = prod(product.batch) * rows * columns
    logical = product.dtype.kind == "b"
    first, last = share(piece, combine_pieces(product, plan), prod(product.batch) * rows)

    def add(place: Value, mask: Value | None) -> Value:
        total = b.variable(many, 0)
        with b.loop(plan.splits) as split:
            each = b.at(place, split * size, kind)
            x = b.load(each, many) if mask is None else b.masked_load(each, many, mask)
            total.set(total.get() | x if logical else total.get() + x)
        return total.get().ne(0) if logical else total.get()

    flat = getattr(finish, "flat", None) if columns % lanes else None
    if flat is not None:
        with b.loop(last * columns, first * columns, step=lanes) as place:
            some = b.first_lanes(last * columns - place, lanes)
            flat(add(b.at(partial, place, kind), some), b.const("i64", 0), b.const("i64", 0), place, lanes, some)
        return
    with b.loop(last, first) as line, b.loop(columns, step=lanes) as column:
        mask = b.first_lanes(columns - column, lanes) if columns % lanes else None
        total = add(b.at(partial, line * columns + column, kind), mask)
        batch, row = digits(b, line, (prod(product.batch), rows))
        finish(total, batch, row, column, lanes, mask)
