"""How a matrix product is computed, as data: what is chosen about it, and the units of work that follow from that.

    y[b, i, j] = Σ_k left[b, i, k] · right[b, k, j]

There are three forms. In the first, a tile's vectors run along the columns. In the *turned* form they run along the
rows, and square blocks of results are transposed at the end: for few columns, or a right operand that would have to be
transposed although the left one is smaller. In the form of *dots* they run along the inner indices of both operands,
and every result is the sum of a vector's lanes: for long sums of few results, and nothing has to be copied first.
"""

from __future__ import annotations

from math import lcm, prod
from typing import Any, NamedTuple

from backlight.compiler import packing
from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import bits
from backlight.compiler.kernels import Access, Product, Shape, merged
from backlight.compiler.packing import Padding
from backlight.compiler.strips import pieces_for
from backlight.compiler.tile import Parts, Tile

__all__ = [
    "Layout", "Problem", "Schedule", "combine_pieces", "layout_of", "partial_elements", "pieces", "problem_of",
    "row_parts_of", "scratch_bytes", "turned",
]  # fmt: skip

ALIGN = 64
FLAT = 16 << 10  # bytes of results that are collected


# -- The problem ---------------------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """A product with its axes merged; the rows' axis along which tiles lie is their longest."""

    batch: Shape
    rows: Shape
    columns: Shape
    inner: Shape
    left: Access
    right: Access
    dtype: Any

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """How many indices batch, rows, columns and inner have."""
        return prod(self.batch), prod(self.rows), prod(self.columns), prod(self.inner)


def turned(product: Product) -> Product:
    """The transposed product: rows and columns, left and right exchange their roles."""
    nb, ni, nj, nk = (len(axes) for axes in (product.batch, product.rows, product.columns, product.inner))

    def moved(strides: Shape, first: int, second: int) -> Shape:
        return (*strides[:nb], *strides[nb + first : nb + first + second], *strides[nb : nb + first])

    def access(old: Access, first: int, second: int) -> Access:
        bounds = tuple(bound._replace(strides=moved(bound.strides, first, second)) for bound in old.bounds)
        return old._replace(strides=moved(old.strides, first, second), bounds=bounds)

    return product._replace(
        rows=product.columns,
        columns=product.rows,
        left=access(product.right, nk, nj),
        right=access(product.left, ni, nk),
    )


def problem_of(product: Product) -> Problem:
    """The product with neighbouring axes merged and axes of length 1 left out."""
    nb, ni, nk = len(product.batch), len(product.rows), len(product.inner)

    def parts(access: Access, split: int) -> tuple[list[Shape], list[Shape], list[Shape]]:
        maps = [access.strides, *(bound.strides for bound in access.bounds)]
        return [m[:nb] for m in maps], [m[nb:split] for m in maps], [m[split:] for m in maps]

    left_batch, left_rows, left_inner = parts(product.left, nb + ni)
    right_batch, right_inner, right_columns = parts(product.right, nb + nk)
    n = len(left_batch)
    batch, batch_maps = merged(product.batch, (*left_batch, *right_batch))
    inner, inner_maps = merged(product.inner, (*left_inner, *right_inner))
    rows, row_maps = merged(product.rows, tuple(left_rows))
    columns, column_maps = merged(product.columns, tuple(right_columns))
    left = [(*x, *y, *z) for x, y, z in zip(batch_maps[:n], row_maps, inner_maps[:n], strict=True)]
    right = [(*x, *y, *z) for x, y, z in zip(batch_maps[n:], inner_maps[n:], column_maps, strict=True)]

    def access(old: Access, maps: list[Shape]) -> Access:
        bounds = tuple(bound._replace(strides=m) for bound, m in zip(old.bounds, maps[1:], strict=True))
        return Access(old.buffer, old.offset, maps[0], bounds)

    return Problem(batch, rows, columns, inner, access(product.left, left), access(product.right, right), product.dtype)


# -- The schedule --------------------------------------------------------------------------------------------------


class Schedule(NamedTuple):
    """Everything that is chosen about a product."""

    tile: Tile  #: in the form of dots, rows times columns
    lanes: int
    turned: bool  #: whether the transposed product is computed, and its results are transposed
    packed: bool  #: whether the right operand is packed
    dots: bool  #: whether vectors run along the inner indices
    panels: int  #: how many panels are packed together
    cuts: tuple[int, int, int]  #: into how many parts batch, row blocks and column blocks (of the problem) are cut
    splits: int  #: into how many parts the inner indices are cut, whose sums are combined afterwards
    tiled: bool = False  #: whether the left operand is packed, too: tile by tile

    @property
    def form(self) -> tuple[bool, bool, bool, bool]:
        """What a way of computing is apart from sizes."""
        return self.turned, self.packed, self.dots, self.tiled


class Layout(NamedTuple):
    """What follows from a product and its schedule: units of work, and places in the work area."""

    problem: Problem
    left: Access  #: of the operand, or of its padded copy; it has bounds only where the operand is packed by elements
    right: Access
    left_pad: Padding | None
    right_pad: Padding | None
    along: int  #: the axis of the rows along which tiles lie
    row_parts: Parts  #: tiles along it
    row_units: int  #: tiles in all
    block: int  #: how many of them are computed before their results are consumed
    row_blocks: int
    units: int  #: vectors of columns
    panel_parts: Parts  #: panels of columns, in vectors
    column_blocks: int
    run: int  #: the inner axis along which vectors run in the form of dots
    chunk: int  #: indices of the first inner axis that a piece sums over
    depth: int  #: inner indices that it sums over
    pitch: int  #: elements from one packed row to the next
    margin: int  #: elements before the first column of a packed row
    panel: int  #: elements from one packed panel to the next, which has rows of its own; or 0
    left_tile: int  #: elements from one packed tile of the left operand to the next
    table: bool  #: whether the offsets of the columns are written down
    flat: bool  #: whether results can be handed over row after row without a gap, though rows are no whole vectors
    places: dict[str, int]
    size: int

    @property
    def column_panels(self) -> int:
        return self.panel_parts.length

    @property
    def left_gathered(self) -> bool:
        """Whether the left operand is copied element by element, because its bounds are no box."""
        return bool(self.left.bounds)

    @property
    def right_alone(self) -> bool:
        """Whether the right operand is the same for every batch index."""
        own, held = self.problem.right, len(self.problem.batch)
        return not any(any(strides[:held]) for strides in (own.strides, *(bound.strides for bound in own.bounds)))

    @property
    def tiled(self) -> int:
        """The length of the axis along which tiles lie."""
        rows = self.problem.rows
        return self.problem.sizes[1] if self.left_gathered or not rows else rows[self.along]


def layout_of(product: Product, plan: Schedule) -> Layout:
    """The layout of a product's pieces."""
    problem = problem_of(turned(product) if plan.turned else product)
    _, rows, columns, _ = problem.sizes
    nb, ni, nk = len(problem.batch), len(problem.rows), len(problem.inner)
    item = bits(memory_kind(problem.dtype)) // 8
    chunk = -(-problem.inner[0] // plan.splits) if nk else 1
    depth = chunk * prod(problem.inner[1:])
    left, left_pad = _existing(
        problem.left, (*problem.batch, *problem.rows, *problem.inner), nb, nb + ni if nk else None, chunk
    )
    right, right_pad = _existing(
        problem.right, (*problem.batch, *problem.inner, *problem.columns), nb, nb if nk else None, chunk
    )

    own_rows = (rows,) if left.bounds else problem.rows
    along = max(range(len(own_rows)), key=lambda axis: own_rows[axis], default=0)
    tiled = own_rows[along] if own_rows else 1
    row_parts = row_parts_of(tiled, plan, len(own_rows))
    row_units = row_parts.length * (rows // tiled if tiled else 0)
    block = 1
    if plan.turned:  # blocks that are square: as many rows as vectors have lanes, or all of them
        block = min(row_units, lcm(plan.tile.rows, plan.lanes) // plan.tile.rows) if len(own_rows) <= 1 else row_units
    block_rows = min(rows, block * plan.tile.rows) if len(own_rows) <= 1 else rows

    if plan.packed or plan.dots or len(problem.columns) <= 1:
        units = -(-columns // plan.lanes)
    else:
        units = prod(problem.columns[:-1]) * -(-problem.columns[-1] // plan.lanes)
    vectors = 1 if plan.dots else plan.tile.vectors
    panel_parts = Parts.even(units, vectors)
    column_panels = panel_parts.length
    runs = right.strides[nb : nb + nk]
    run = max(
        (k for k in range(nk) if runs[k] == 1 == left.strides[nb + ni + k]), key=lambda k: problem.inner[k], default=-1
    )

    # Columns of one axis are packed a panel after the other. Those of several are copied in stretches, which may begin
    # before a block of panels and end after it; what they overwrite behind it is written later.
    column_blocks = -(-column_panels // plan.panels)
    stretched = len(problem.columns) > 1 or bool(right.bounds)
    beyond = -(-problem.columns[-1] // plan.lanes) * plan.lanes if stretched and problem.columns else 0
    margin = beyond if column_blocks > 1 else 0
    pitch = vectors * plan.lanes
    if stretched:
        pitch = _spread(margin + min(plan.panels, column_panels) * pitch, plan.lanes, item)
    panel = 0 if stretched else depth * pitch
    left_tile = depth * plan.tile.rows + plan.lanes
    table = len(problem.columns) > 1
    if plan.packed:
        beside = not problem.columns or right.strides[-1] == 1
        # Whole vectors of columns that are evenly spaced need no table to be transposed.
        counts = (chunk, *problem.inner[1:])
        stretches = any(step == 1 and n > 1 for step, n in zip(runs, counts, strict=False))
        evenly = len(problem.columns) == 1 and columns % plan.lanes == 0 and stretches
        table = not (right.bounds or beside or evenly)

    places: dict[str, int] = {}
    size = 0

    def room(name: str, count: int) -> None:
        nonlocal size
        places[name] = size
        size += -(-count // ALIGN) * ALIGN

    if plan.dots:
        room("tile", plan.tile.rows * (plan.lanes + plan.tile.vectors) * plan.lanes * item)
    else:
        room("tile", (block_rows + (plan.lanes if plan.turned else plan.tile.rows)) * vectors * plan.lanes * item)
    if plan.turned:
        room("turned", plan.lanes * plan.lanes * item)
    if left_pad:
        room("left_pad", (left_pad.size + plan.lanes) * item)
    if right_pad:
        room("right_pad", (right_pad.size + plan.lanes) * item)
    if left.bounds:
        room("left", rows * depth * item)
    if table and (plan.packed or plan.dots):
        room("table", (columns + plan.lanes * vectors) * 8)
    row_blocks = -(-row_units // max(1, block))
    if plan.turned:  # rows to the outside are columns here
        many = plan.lanes * rows
        flat = row_blocks == 1 and rows % plan.lanes > 0
    else:
        many = -(-row_blocks // plan.cuts[1]) * plan.tile.rows * columns
        flat = column_panels == 1 and columns % plan.lanes > 0 and len(problem.rows) <= 1 and not plan.dots
    flat = flat and (plan.packed or len(problem.columns) <= 1) and many * item <= FLAT
    if flat:
        room("flat", (many + vectors * plan.lanes) * item)
    if plan.tiled:
        room("left", min(row_units, -(-row_blocks // plan.cuts[1]) * block) * left_tile * item)
    if plan.packed:
        room("right", (max(depth * pitch, plan.panels * panel) + margin + beyond) * item)
    return Layout(
        problem, left, right, left_pad, right_pad, along, row_parts, row_units, block, row_blocks, units, panel_parts,
        column_blocks, run, chunk, depth, pitch, margin, panel, left_tile, "table" in places, flat, places, size,
    )  # fmt: skip


def row_parts_of(tiled: int, plan: Schedule, axes: int) -> Parts:
    """The tiles along an axis of ``tiled`` rows, where rows have so many axes."""
    if plan.turned and axes <= 1:  # results are transposed in blocks of as many rows as vectors have lanes
        return Parts.full(tiled, plan.tile.rows)
    return Parts.even(tiled, plan.tile.rows)


def _spread(pitch: int, lanes: int, item: int) -> int:
    """At least ``pitch`` elements, so that rows that far apart do not compete for the same lines of a cache."""
    return pitch + lanes if pitch * item % 512 == 0 else pitch


def _existing(access: Access, lengths: Shape, held: int, cut: int | None, chunk: int) -> tuple[Access, Padding | None]:
    """The access through a padded copy, where it has bounds that can be had that way."""
    made = packing.padding(access, lengths, held, cut, chunk) if access.bounds else None
    return (made.access if made else access), made


def pieces(product: Product, plan: Schedule) -> int:
    """Into how many pieces the product is cut: by its shape alone."""
    empty = not (prod(product.batch) and prod(product.rows) and prod(product.columns))
    return 0 if empty else prod(plan.cuts) * plan.splits


def scratch_bytes(product: Product, plan: Schedule) -> int:
    """The bytes of work area that a piece needs."""
    return layout_of(product, plan).size


def partial_elements(product: Product, plan: Schedule) -> int:
    """How many elements the partial sums take, which pieces leave behind if the inner indices are split."""
    return plan.splits * prod(product.batch) * prod(product.rows) * prod(product.columns) if plan.splits > 1 else 0


def combine_pieces(product: Product, plan: Schedule) -> int:
    """Into how many pieces the adding up of partial sums is cut."""
    rows = prod(product.batch) * prod(product.rows)
    return pieces_for(partial_elements(product, plan), rows) if plan.splits > 1 and pieces(product, plan) else 0
