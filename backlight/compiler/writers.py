"""From a group to its kernel: one entry per kind says how the text of a piece is written."""

from __future__ import annotations

from collections.abc import Callable

from backlight.compiler.contract import (
    combine_pieces,
    emit_combine_piece,
    emit_piece,
    partial_elements,
    pieces,
    schedule,
    scratch_bytes,
)
from backlight.compiler.depthwise import depthwise_pieces, emit_depthwise
from backlight.compiler.draw import draw_pieces, emit_draw
from backlight.compiler.emit import Body, Edge, RowKernel
from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Value
from backlight.compiler.looping import LoopCore
from backlight.compiler.plan import Group, Plan, Tensor
from backlight.compiler.pooling import emit_pool, emit_unpool, pool_pieces, unpool_pieces
from backlight.compiler.scatter import emit_gather, emit_scatter, gather_pieces, scatter_pieces
from backlight.compiler.sweep import emit_sweep, sweep_pieces
from backlight.compiler.views import View, contiguous

__all__ = ["WRITERS", "schedule_products"]


def schedule_products(plan: Plan, width: int) -> None:
    """Choose how every product is computed. One whose inner indices are cut becomes two groups: sums over the parts,
    and their combination, which the members go on with."""
    for group in list(plan.groups):
        if isinstance(group.core, LoopCore):
            for inner in group.core.plans:
                schedule_products(inner, width)
        elif group.kind == "product":
            group.schedule = schedule(group.core, width)
            if group.schedule.splits > 1:
                size = partial_elements(group.core, group.schedule)
                partial = Tensor(size, group.core.dtype, "arena", node=group.node)
                sums = Group("partial", size, core=group.core, reads=group.reads, writes=(partial,), node=group.node)
                sums.schedule, partial.group = group.schedule, sums
                plan.insert(sums, group.position - 1)
                group.kind, group.reads = "combine", (View(partial, 0, contiguous(size)),)


# -- Writers -------------------------------------------------------------------------------------------------------


def _each_piece(body: Body, count: int, write: Callable[[Value], None]) -> int:
    b = body.b
    if count == 1:
        write(b.const("i64", 0))
    else:
        with b.loop(b["last"], b["first"]) as piece:
            write(piece)
    return count


def _rows(group: Group, body: Body) -> int:
    kernel = RowKernel(group, body.width)
    return _each_piece(body, kernel.pieces, lambda piece: kernel.write(body, piece))


def _operands(group: Group, body: Body) -> tuple[Value, Value]:
    left, right = (body.pointer(group.reads[access.buffer].tensor) for access in (group.core.left, group.core.right))
    return left, right


def _product(group: Group, body: Body) -> int:
    product, plan = group.core, group.schedule
    scratch = body.room(scratch_bytes(product, plan))
    edge = Edge(group, body)
    write = lambda piece: emit_piece(body.b, product, plan, *_operands(group, body), piece, scratch, edge)
    return _each_piece(body, pieces(product, plan), write)


def _partial(group: Group, body: Body) -> int:
    product, plan = group.core, group.schedule
    scratch = body.room(scratch_bytes(product, plan))
    target = body.pointer(group.writes[0])
    nowhere = lambda *_: None
    write = lambda piece: emit_piece(
        body.b, product, plan, *_operands(group, body), piece, scratch, nowhere, target
    )  # fmt: skip
    return _each_piece(body, pieces(product, plan), write)


def _combine(group: Group, body: Body) -> int:
    product, plan = group.core, group.schedule
    edge = Edge(group, body)
    source = body.pointer(group.reads[0].tensor)
    write = lambda piece: emit_combine_piece(body.b, product, plan, body.width, source, piece, edge)
    return _each_piece(body, combine_pieces(product, plan), write)


def _places(group: Group, body: Body) -> list[Value]:
    """Where the results go, and where the operands begin."""
    places = [body.pointer(tensor) for tensor in group.writes]
    for view in group.reads:
        places.append(body.b.at(body.pointer(view.tensor), view.offset, memory_kind(view.tensor.dtype)))
    return places


def _alone(count: Callable[..., int], emit: Callable[..., None]) -> Callable[[Group, Body], int]:
    """The writer of a core that reads and writes memory without anything around it."""

    def write(group: Group, body: Body) -> int:
        b, core = body.b, group.core
        places = _places(group, body)
        one = lambda piece: emit(b, core, places, piece, body.width, body.scratch, b["status"])
        return _each_piece(body, count(core, body.width), one)

    return write


def _pool(group: Group, body: Body) -> int:
    b, core = body.b, group.core
    *winners, x = _places(group, body)
    edge = Edge(group, body)
    write = lambda piece: emit_pool(b, core, x, piece, body.width, edge, *winners)
    return _each_piece(body, pool_pieces(core, body.width), write)


def _unpool(group: Group, body: Body) -> int:
    b, core = body.b, group.core
    g, winners = _places(group, body)
    edge = Edge(group, body)
    write = lambda piece: emit_unpool(b, core, g, winners, piece, body.width, edge)
    return _each_piece(body, unpool_pieces(core, body.width), write)


def _depthwise(group: Group, body: Body) -> int:
    b, core = body.b, group.core
    x, w = _places(group, body)
    edge = Edge(group, body)
    write = lambda piece: emit_depthwise(b, core, x, w, piece, body.width, edge)
    return _each_piece(body, depthwise_pieces(core, body.width), write)


WRITERS: dict[str, Callable[[Group, Body], int]] = {
    "loops": _rows,
    "reduce": _rows,
    "product": _product,
    "partial": _partial,
    "combine": _combine,
    "gather": _alone(gather_pieces, emit_gather),
    "scatter": _alone(scatter_pieces, emit_scatter),
    "draw": _alone(draw_pieces, emit_draw),
    "sweep": _alone(sweep_pieces, emit_sweep),
    "pool": _pool,
    "unpool": _unpool,
    "depthwise": _depthwise,
}
