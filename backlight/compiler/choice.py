"""Choosing how a matrix product is computed: by a model of what each way costs.

The choice depends on the product's shape and on the processor, never on the number of threads, so the order in which
terms are added, and with it every bit of the result, is the same for any number of threads. Costs are counted in
multiply-adds of a vector; the constants are measured.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd, lcm, prod
from typing import NamedTuple

from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import bits
from backlight.compiler.kernels import Product, Shape
from backlight.compiler.processor import LINE, processor
from backlight.compiler.schedule import Layout, Schedule, layout_of, problem_of, row_parts_of, turned
from backlight.compiler.strips import lanes_of, short
from backlight.compiler.tile import Parts, Tile
from backlight.compiler.tuning import measured_steps

__all__ = ["schedule", "tiles"]

GRAIN = 4000.0  # multiply-adds that are worth a piece of their own
PIECES = 32  # into about so many pieces a large product is cut
OVERHEAD = 300.0  # of a piece
BARRIER = 2000.0  # of threads that wait for each other, and for the memory that others wrote
MEASURED = 10_000_000  # floating-point operations from which on measured tiles are used
THREADS = ((1, 0.2), (2, 0.8), (4, 1.0), (8, 1.2))  # how much the time on so many threads counts
LATENCY = 8.0  # multiply-adds that are begun until the first one is done
PAGES = 1024  # whose addresses the processor remembers
ROWS = 4096  # of several axes that are computed before they are transposed
CUTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32)


class _Way(NamedTuple):
    """A way to compute a product: what its parts cost, for the whole batch."""

    plan: Schedule
    main: float
    packing: float  #: of the right operand …
    tiling: float  #: … and of the left one

    @property
    def cost(self) -> float:
        return self.main + self.packing + self.tiling


@lru_cache(maxsize=1024)
def schedule(product: Product, width: int, tile: Tile | None = None) -> Schedule:
    """The schedule for ``product`` on a processor with vectors of ``width`` float32 numbers; or with this ``tile``.

    For a large product, tiles are compared by what was measured. That does not change the form, nor the parts of the
    inner indices, on which the order of additions depends.
    """
    found = _best(product, [way for form in _forms(product, width) for way in _ways(product, width, form, tile)])
    if product.flops < MEASURED or found.dots or tile is not None:
        return found
    steps = measured_steps(width)
    if steps is None:
        return found
    form = found._replace(tile=Tile(1, 1), panels=1, cuts=(1, 1, 1), splits=1)
    return _best(product, _ways(product, width, form, None, steps), found.splits)


def _best(product: Product, ways: list[_Way], splits: int | None = None) -> Schedule:
    """The way that serves one, two, four and eight threads best, of those that cost least."""
    ways.sort(key=lambda way: way.cost)
    close = [way for way in ways if way.cost <= 1.04 * ways[0].cost][:4]
    forms = {way.plan.form for way in close}
    for way in ways:  # and the best of every other form: some are easier to cut
        if way.cost <= 1.15 * ways[0].cost and way.plan.form not in forms:
            forms.add(way.plan.form)
            close.append(way)
    return min((_cut(product, way, splits) for way in close), key=lambda scored: scored[0])[1]


def tiles(width: int, *, dots: bool = False) -> list[Tile]:
    """The register tiles that fit: results, a vector of each column and a broadcast element in registers at once."""
    registers = _registers(width)
    found = []
    for vectors in (1, 2, 4, 8) if dots else (1, 2, 3, 4, 5):
        most = min(8 if dots else 16, (registers - 1) // vectors - 1)
        found += [Tile(rows, vectors) for rows in range(1, most + 1)]
    return found


def _registers(width: int) -> int:
    return 32 if width >= 16 else 16


def _forms(product: Product, width: int) -> list[Schedule]:
    """The forms that are possible, each with the smallest tile."""
    found = []
    for exchanged in (False, True):
        problem = problem_of(turned(product) if exchanged else product)
        lanes = lanes_of(memory_kind(product.dtype), width)
        plain = Schedule(Tile(1, 1), short(problem.sizes[2], lanes), exchanged, True, False, 1, (1, 1, 1), 1)
        fits = problem.sizes[1] > 1 and (len(problem.rows) <= 1 or problem.sizes[1] <= ROWS)
        if not exchanged or fits:
            found.append(plain)
            layout = layout_of(product, plain)
            held, right = len(problem.batch), layout.right
            if len(problem.rows) == 1 == layout.left.strides[held] and not layout.left.bounds and problem.sizes[3] > 1:
                found.append(plain._replace(tiled=True))
            if not right.bounds and (not problem.columns or right.strides[-1] == 1):
                found.append(plain._replace(packed=False))
        if not exchanged:
            dots = Schedule(Tile(1, 1), lanes, False, False, True, 1, (1, 1, 1), 1)
            layout = layout_of(product, dots)
            if layout.run >= 0 and not layout.left.bounds and not layout.right.bounds:
                found.append(dots)
    return found


# -- Costs ---------------------------------------------------------------------------------------------------------


def _ways(
    product: Product, width: int, form: Schedule, tile: Tile | None, steps: dict[Tile, float] | None = None
) -> list[_Way]:
    """A form with every tile that fits, or with this one, or with those for which the cost of a step is known."""
    layout = layout_of(product, form)
    batch, _, columns, _ = layout.problem.sizes
    widest = columns if form.dots else layout.units
    candidates = tiles(width, dots=form.dots)
    if tile is not None and not form.dots:
        candidates = [tile]
    if steps is not None:
        candidates = list(steps)
    if form.turned and len(layout.problem.rows) <= 1:  # results are transposed in square blocks
        candidates = [each for each in candidates if lcm(each.rows, form.lanes) <= 64] or candidates
    fitting = {Tile(min(each.rows, max(1, layout.tiled)), min(each.vectors, max(1, widest))) for each in candidates}
    times = 1 if layout.right_alone else batch
    pack = times * layout.depth * _pack_cost(layout, form.lanes) if form.packed else 0.0
    registers = _registers(width)
    far = 0.0 if form.tiled or form.dots else _left_far(layout)
    found = []
    for each in sorted(fitting):
        main = (
            _dots_cost(layout, each, form.lanes)
            if form.dots
            else _tiles_cost(layout, each, form, far, registers, steps or {})
        )
        strips = -(-layout.tiled // each.rows) * -(-each.rows // form.lanes)
        tiling = batch * layout.depth * strips * 4.5 if form.tiled else 0.0
        found.append(_Way(form._replace(tile=each), batch * main, pack, tiling))
    return found


def _tiles_cost(
    layout: Layout, tile: Tile, form: Schedule, left_far: float, registers: int, steps: dict[Tile, float]
) -> float:
    """The tiles of one batch index: multiply-adds, or loads where they are more, or waiting for the one before.

    ``left_far`` is what a step waits for the left operand.
    """
    problem = layout.problem
    _, rows, columns, _ = problem.sizes
    down = row_parts_of(layout.tiled, form._replace(tile=tile), len(problem.rows))
    across = Parts.even(layout.units, tile.vectors)
    short = not (form.packed or layout.right_pad) and bool(problem.columns) and problem.columns[-1] % form.lanes > 0
    held = len(problem.batch)
    strides = layout.right.strides[held : held + len(problem.inner)]
    crossing = any(stride % form.lanes for stride in strides)  # vectors that lie in two lines of the cache
    total = 0.0
    for height, many in down.sizes:
        far = 0.0 if form.tiled else _left_conflicts(layout, height) + left_far
        for width, panels in across.sizes:
            size = height * width
            step = steps.get(Tile(height, width)) or max(size, height + width + 1, LATENCY) + 0.1 * width + 0.1
            masked = short and (len(problem.columns) > 1 or width == across.sizes[-1][0])
            if masked and size + width + 2 > registers:  # the mask needs one, too
                step *= 1.25
            step += far + (0.0 if form.packed else _right_far(layout, width, form.lanes) + 0.25 * width * crossing)
            total += many * panels * (layout.depth * step + 12 + size * (8 if form.turned else 4))
    total *= rows // max(1, layout.tiled)
    # Two heights or widths are two loops that take turns; a result whose vector is not full is stored in parts.
    total *= 1.02 ** (len(down.sizes) + len(across.sizes))
    last, count = (problem.rows, columns) if form.turned else (problem.columns, rows)
    return total + (16.0 * count * prod(last[:-1]) if last and last[-1] % form.lanes else 0.0)


def _dots_cost(layout: Layout, tile: Tile, lanes: int) -> float:
    rows, columns = layout.problem.sizes[1:3]
    run = layout.problem.inner[layout.run]
    steps = layout.depth // run * -(-run // lanes) if run else 0
    others = rows // max(1, layout.tiled)
    total = 0.0
    for height, many in Parts.even(layout.tiled, tile.rows).sizes:
        width = tile.vectors
        step = (2.0 if run % lanes else 1.3) * max(height * width, height + width, 4.0) + 0.5
        total += many * others * -(-columns // width) * (steps * step + 20 + height * width)
    return total + rows * -(-columns // lanes) * (lanes * 2.8 + 5)


def _left_conflicts(layout: Layout, rows: int) -> float:
    """Rows a multiple of a page apart compete for the few places that a line of theirs may have in the cache."""
    held = len(layout.problem.batch)
    item = bits(memory_kind(layout.problem.dtype)) // 8
    strides = layout.left.strides[held : held + len(layout.problem.rows)]
    if not strides or layout.depth < 64:
        return 0.0
    apart = 4096 // gcd(strides[layout.along] * item, 4096)
    return 2.0 * max(0, -(-rows // apart) - processor().l1 // 4096) * apart


def _left_far(layout: Layout) -> float:
    """What a step waits for the left operand."""
    held, ni = len(layout.problem.batch), len(layout.problem.rows)
    return _far(layout, layout.left.strides[held + ni :], 1.0)


def _right_far(layout: Layout, vectors: int, lanes: int) -> float:
    """What a step waits for the right operand where it stands."""
    held = len(layout.problem.batch)
    lines = vectors * lanes * bits(memory_kind(layout.problem.dtype)) / 8 / LINE
    return _far(layout, layout.right.strides[held : held + len(layout.problem.inner)], lines)


def _far(layout: Layout, strides: Shape, lines: float) -> float:
    """What a step waits for the ``lines`` it reads from an operand that goes so far along each inner axis.

    A tile or panel is read again for every panel or tile that it meets. Where all of it has no room in a cache, it
    comes from the next one: lines a multiple of 64 bytes apart can stand in a few sets of the cache only.
    """
    item = bits(memory_kind(layout.problem.dtype)) // 8
    inner = (layout.chunk, *layout.problem.inner[1:])
    count, pages, common = lines, 1.0, 0
    for length, stride in zip(inner, strides, strict=False):
        step = abs(stride) * item
        if step >= LINE and length > 1:
            count *= length
            pages *= min(1.0, step / 4096) * length if step * length > 4096 else 1
            common = gcd(common, step // LINE if step % LINE == 0 else 1)
    wait, near = 0.0, processor()
    for size, sets, cost in ((near.l1, 64, 1.0), (near.l2, 1024, 4.0)):
        places = size // (LINE * sets) * (sets // gcd(sets, common or 1))
        wait += cost * min(1.0, max(0.0, 2 * count / places - 1))
    return lines * (wait + (25.0 if pages > PAGES else 0.0))


def _pack_cost(layout: Layout, lanes: int) -> float:
    """Packing one row."""
    problem, units = layout.problem, layout.units
    held, nk = len(problem.batch), len(problem.inner)
    if layout.right.bounds:
        return 8.0 * units * lanes
    columns, inner = layout.right.strides[held + nk :], layout.right.strides[held : held + nk]
    if not columns or columns[-1] == 1:
        if len(columns) <= 1:
            return 6.0 * units
        return prod(problem.columns[:-1]) * (2.0 + 5.0 * -(-problem.columns[-1] // lanes))
    along = max((n for n, stride in zip(problem.inner, inner, strict=True) if stride == 1), default=0)
    if along:
        return units * 6.0 * lanes * -(-along // lanes) / along
    return 1.5 * units * lanes


# -- Cuts ----------------------------------------------------------------------------------------------------------


def _cut(product: Product, way: _Way, given: int | None) -> tuple[float, Schedule]:
    """The way with the cuts that serve one, two, four and eight threads well (or ``given`` splits), and its score."""
    plan = way.plan
    layout = layout_of(product, plan)
    problem = layout.problem
    batch, rows, columns, depth = problem.sizes
    if not batch * rows * columns:
        return 0.0, plan
    item = bits(memory_kind(problem.dtype)) // 8
    first = problem.inner[0] if problem.inner and depth else 1
    wanted = max(1, min(PIECES, int(way.cost // GRAIN)))
    by_batch = _divided(batch, wanted)
    room = max(1, min(2 * wanted, 64) // by_batch) if wanted > 1 else 1
    fits = max(128 << 10, processor().l2 // 2)
    panel_row = plan.tile.vectors * plan.lanes * item  # bytes of a packed panel for one inner index
    mine = -(-batch // by_batch) / batch
    alone = layout.right_alone
    main, packing, tiling = way.main * mine, way.packing * (1 if alone else mine), way.tiling * mine
    adding = 10.0 * -(-batch // by_batch) * rows * columns / plan.lanes
    # What a piece reads for the first time comes from a cache that is further away, but not the panels of a loop, which
    # it has read a step ago. Then rows are cut: what follows row by row finds them in its own cache.
    first_read = (
        0.0
        if plan.packed or plan.dots or len(problem.columns) > 1
        else 2.0 * -(-batch // by_batch) * depth * layout.units
    )

    def cost(inner: float, part: float, share: float, crowded: float, splits: int) -> float:
        """Of a piece with these parts of the inner indices, rows and columns."""
        found = inner * (share * (crowded * (main * part + packing) + first_read) + tiling * part)
        return found + share * part * adding if splits > 1 else found

    best = None
    for splits in [given] if given else _cuts(first if depth >= 256 else 1, room):
        splits = -(-first // -(-first // splits))
        inner = -(-first // splits) / first
        crowded = 1.3 if plan.packed and depth * inner * panel_row > fits else 1.0
        for by_columns in _cuts(layout.column_panels, room // splits):
            share = -(-layout.column_panels // by_columns) / layout.column_panels
            for by_rows in _cuts(layout.row_blocks, room // splits // by_columns):
                part = -(-layout.row_blocks // by_rows) / layout.row_blocks
                largest = cost(inner, part, share, crowded, splits)
                usual = cost(inner, 1 / by_rows, 1 / by_columns, crowded, splits)
                count = by_batch * by_columns * by_rows * splits
                score = 3.2 * BARRIER if splits > 1 else 0.0
                for threads, weight in THREADS:
                    score += weight * (-(-count // threads) * (usual + OVERHEAD) + largest - usual)
                if best is None or score < best[0]:
                    best = score, splits, by_rows, by_columns
    assert best is not None
    score, splits, by_rows, by_columns = best
    panels = 1
    if plan.packed:
        deep = -(-first // splits) * prod(problem.inner[1:])
        panels = max(1, min(fits // max(1, deep * panel_row), -(-layout.column_panels // by_columns)))
        by_columns = min(by_columns, -(-layout.column_panels // panels))
    return score, plan._replace(panels=panels, cuts=(by_batch, by_rows, by_columns), splits=splits)


def _cuts(count: int, most: int) -> list[int]:
    """Into how many parts to try to cut ``count`` units: at most ``most``."""
    return [cut for cut in CUTS if cut <= min(count, most)] or [1]


def _divided(count: int, wanted: int) -> int:
    """Into how many parts to cut ``count`` units if ``wanted`` would do: equal parts where there are nearly enough."""
    if count <= wanted:
        return max(1, count)
    return next((parts for parts in range(wanted, wanted // 2, -1) if count % parts == 0), wanted)
