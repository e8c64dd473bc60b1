"""Generated matrix products against NumPy: every form, layout, dtype, width and edge, and what they may touch."""

from __future__ import annotations

import ctypes
import mmap
import random
import sys
from math import prod
from typing import Any

import numpy as np
import pytest

from backlight.compiler import cache, choice, tuning
from backlight.compiler.build import compile_text
from backlight.compiler.choice import tiles
from backlight.compiler.contract import (
    canonical,
    combine_pieces,
    emit_combine_piece,
    emit_piece,
    partial_elements,
    pieces,
    schedule,
    scratch_bytes,
    store_rows,
)
from backlight.compiler.ir import Module
from backlight.compiler.kernels import Access, Bound, Product
from backlight.compiler.processor import processor
from backlight.compiler.schedule import Schedule, layout_of
from backlight.compiler.tile import Parts, Tile

WIDTHS = (4, 8, 16)
GUARD = 4096
SINGLE = np.dtype(np.float32)


# -- The products ------------------------------------------------------------------------------------------------------


def dense(
    m: int,
    n: int,
    k: int,
    *,
    left_turned: bool = False,
    right_turned: bool = False,
    batch: int = 0,
    dtype: Any = SINGLE,
) -> Product:
    left = (1, m) if left_turned else (k, 1)
    right = (1, k) if right_turned else (n, 1)
    held = ((m * k,), (k * n,)) if batch else ((), ())
    accesses = Access(0, 0, (*held[0], *left)), Access(1, 0, (*held[1], *right))
    return Product((batch,) if batch else (), (m,), (n,), (k,), *accesses, np.dtype(dtype))


def convolution(n: int, c: int, h: int, w: int, o: int, k: int, pad: int, dtype: Any = SINGLE) -> Product:
    """y[n, o, p, q] = Σ weight[o, c, i, j] · x[n, c, p + i - pad, q + j - pad]"""
    rows, columns = h + 2 * pad - k + 1, w + 2 * pad - k + 1
    bounds = (Bound(-pad, (0, 0, 1, 0, 1, 0), h), Bound(-pad, (0, 0, 0, 1, 0, 1), w)) if pad else ()
    x = Access(1, -pad * w - pad, (c * h * w, h * w, w, 1, w, 1), bounds)
    return Product(
        (n,), (o,), (rows, columns), (c, k, k), Access(0, 0, (0, c * k * k, k * k, k, 1)), x, np.dtype(dtype)
    )


def weight_gradient(n: int, c: int, h: int, w: int, o: int, k: int, pad: int) -> Product:
    rows, columns = h + 2 * pad - k + 1, w + 2 * pad - k + 1
    bounds = (Bound(-pad, (0, 1, 0, 0, 1, 0), h), Bound(-pad, (0, 0, 1, 0, 0, 1), w)) if pad else ()
    x = Access(1, -pad * w - pad, (c * h * w, w, 1, h * w, w, 1), bounds)
    g = Access(0, 0, (rows * columns, o * rows * columns, columns, 1))
    return Product((), (o,), (c, k, k), (n, rows, columns), g, x, SINGLE)


def input_gradient(n: int, c: int, h: int, w: int, o: int, k: int, pad: int) -> Product:
    rows, columns = h + 2 * pad - k + 1, w + 2 * pad - k + 1
    bounds = (Bound(pad, (0, 0, -1, 0, 1, 0), rows), Bound(pad, (0, 0, 0, -1, 0, 1), columns))
    strides = (o * rows * columns, rows * columns, -columns, -1, columns, 1)
    g = Access(1, pad * columns + pad, strides, bounds)
    return Product((n,), (c,), (h, w), (o, k, k), Access(0, 0, (0, k * k, c * k * k, k, 1)), g, SINGLE)


PRODUCTS = {
    **{
        f"{m} x {n} over {k}": dense(m, n, k)
        for m, n, k in ((1, 1, 1), (1, 16, 3), (7, 1, 5), (17, 15, 1), (13, 33, 2), (32, 64, 10), (3, 17, 31))
    },
    "left transposed": dense(19, 33, 7, left_turned=True),
    "right transposed": dense(18, 35, 37, right_turned=True),
    "both transposed": dense(35, 20, 18, left_turned=True, right_turned=True),
    "a row with a transposed matrix": dense(1, 40, 50, right_turned=True),
    "few columns, long rows": dense(40, 3, 200, right_turned=True),
    "few columns, many rows": dense(83, 11, 9),
    "few columns of a transposed product": dense(83, 11, 90, left_turned=True),
    "many terms": dense(5, 9, 1100, left_turned=True),
    "batched": dense(9, 17, 6, batch=3, right_turned=True),
    "float64": dense(11, 19, 33, dtype=np.float64, right_turned=True),
    "int32": dense(11, 19, 33, dtype=np.int32),
    "int64": dense(5, 9, 20, dtype=np.int64, right_turned=True),
    "uint8": dense(6, 18, 9, dtype=np.uint8),
    "bool": dense(6, 18, 9, dtype=np.bool_, right_turned=True),
    "no terms": dense(3, 5, 0),
    "a scalar": Product((), (), (), (), Access(0, 2, ()), Access(0, 1, ()), SINGLE),
    "an outer product": Product((), (6,), (20,), (), Access(0, 0, (2,)), Access(0, 0, (1,)), SINGLE),
    "every other column": Product((), (5,), (18,), (9,), Access(0, 3, (20, 2)), Access(1, 1, (40, 2)), SINGLE),
    "backwards": Product((), (5,), (18,), (9,), Access(0, 44, (-9, -1)), Access(1, 161, (-18, -1)), SINGLE),
    "rows of two axes": Product((2,), (3, 7), (17,), (5, 4), Access(0, 0, (420, 20, 60, 4, 1)),
                                Access(1, 0, (0, 68, 17, 1)), SINGLE),
    "columns of two axes": Product((), (6,), (4, 5), (3, 7), Access(0, 0, (21, 7, 1)),
                                   Access(1, 0, (200, 1, 50, 8)), SINGLE),
    "inner indices far apart": Product((), (8,), (20,), (3, 20), Access(0, 0, (1, 300, 9)),
                                       Access(1, 0, (500, 1, 22)), SINGLE),
    "a repeated operand": Product((3,), (4,), (17,), (5,), Access(0, 0, (0, 5, 1)), Access(1, 0, (85, 0, 1)), SINGLE),
    "padded rows": Product((), (9,), (5,), (6,), Access(0, -6, (6, 1), (Bound(-1, (1, 0), 6),)),
                           Access(1, 0, (5, 1)), SINGLE),
    "a bound across axes": Product((), (4,), (20,), (6,), Access(0, 0, (6, 1)),
                                   Access(1, 0, (20, 1), (Bound(-3, (1, 1), 18),)), SINGLE),
    "bounds along an axis of one element": Product(
        (), (2,), (2, 2, 3), (1, 2, 2), Access(0, 3, (4, 0, -2, -1)),
        Access(1, -1, (2, 0, 1, 2, 0, 1), (Bound(-1, (0, 2, 0, 0, 1, 0), 1), Bound(-1, (0, 0, 1, 0, 0, 1), 2))), SINGLE,
    ),
    "a bound along the batch": Product((3,), (4,), (9,), (6,), Access(0, 0, (24, 6, 1)),
                                       Access(1, -54, (54, 9, 1), (Bound(-1, (1, 0, 0), 2),)), SINGLE),
    "nothing exists": Product((), (4,), (9,), (6,), Access(0, 0, (6, 1)),
                              Access(1, 0, (9, 1), (Bound(50, (1, 0), 6),)), SINGLE),
    "convolution": convolution(3, 3, 7, 9, 5, 3, 0),
    "padded convolution": convolution(2, 2, 8, 20, 4, 3, 1),
    "convolution of float64": convolution(2, 2, 6, 9, 3, 3, 1, np.float64),
    "weight gradient": weight_gradient(4, 3, 7, 9, 5, 3, 0),
    "padded weight gradient": weight_gradient(3, 2, 6, 18, 4, 3, 1),
    "input gradient": input_gradient(2, 3, 7, 9, 5, 3, 0),
}  # fmt: skip

LARGE = {
    "128, 512 over 784": dense(128, 512, 784),
    "784, 512 over 128": dense(784, 512, 128, left_turned=True),
    "768, 128 over 512": dense(768, 128, 512, right_turned=True),
    "48 times 64, 64 over 32": dense(64, 64, 32, right_turned=True, batch=48),
    "48 times 64, 32 over 64": dense(64, 32, 64, batch=48),
    "32, 128 over 512": dense(32, 128, 512, right_turned=True),
    "2048, 65 over 128": dense(2048, 65, 128),
    "128, 100 over 784": dense(128, 100, 784),
    "convolution": convolution(64, 32, 13, 13, 64, 3, 0),
    "weight gradient of one channel": weight_gradient(64, 1, 28, 28, 6, 5, 2),
    "weight gradient": weight_gradient(64, 32, 13, 13, 64, 3, 0),
    "input gradient": input_gradient(64, 32, 13, 13, 64, 3, 0),
}


# -- What NumPy says ---------------------------------------------------------------------------------------------------


def places(access: Access, lengths: tuple[int, ...]) -> tuple[Any, Any]:
    """Where each element stands, and whether it exists."""
    index = np.indices(lengths) if lengths else np.zeros((0,), int)

    def dot(offset: int, strides: tuple[int, ...]) -> Any:
        return offset + sum((i * s for i, s in zip(index, strides, strict=True)), np.zeros(lengths, int))

    exists = np.ones(lengths, bool)
    for bound in access.bounds:
        t = dot(bound.offset, bound.strides)
        exists &= (t >= 0) & (t < bound.size)
    return np.where(exists, dot(access.offset, access.strides), 0), exists


def both(product: Product) -> list[tuple[Access, tuple[int, ...]]]:
    return [
        (product.left, (*product.batch, *product.rows, *product.inner)),
        (product.right, (*product.batch, *product.inner, *product.columns)),
    ]


def operands(product: Product) -> list[Any]:
    """Buffers with numbers where an access reads, and nan everywhere else."""
    rng = np.random.default_rng(0)
    found = []
    for access, lengths in both(product):
        at, exists = places(access, lengths)
        size = int(at[exists].max()) + 1 if exists.any() else 1
        if product.dtype.kind == "f":
            buffer = np.full(size, np.nan, product.dtype)
            used = np.unique(at[exists])
            buffer[used] = rng.normal(size=len(used))
        elif product.dtype.kind == "b":
            buffer = rng.random(size) < 0.3
        else:
            buffer = rng.integers(0, 127, size).astype(product.dtype)
        found.append(buffer)
    return found


def expected(product: Product, buffers: list[Any]) -> tuple[Any, Any]:
    """The result in double precision, and how far rounding may lead from it."""
    counts = prod(product.batch), prod(product.rows), prod(product.columns), prod(product.inner)
    shapes = [(counts[0], counts[1], counts[3]), (counts[0], counts[3], counts[2])]
    x, y = (
        np.where(places(access, lengths)[1], buffer[places(access, lengths)[0]], np.zeros((), product.dtype)).reshape(s)
        for (access, lengths), buffer, s in zip(both(product), buffers, shapes, strict=True)
    )
    if product.dtype.kind != "f":
        return x @ y, 0
    x, y = x.astype(np.float64), y.astype(np.float64)
    return x @ y, (counts[3] + 1) * np.finfo(product.dtype).eps * (np.abs(x) @ np.abs(y))


# -- Running what was generated ----------------------------------------------------------------------------------------


class Guarded:
    """Memory that must not be touched outside: surrounded by a pattern or, for operands, ended by a forbidden page."""

    def __init__(self, count: int) -> None:
        raw = np.full(count + 2 * GUARD + 64, 0xAB, np.uint8)
        start = GUARD - raw.ctypes.data % 64
        self.raw, self.inside = raw, raw[start : start + count]
        self.outside = [raw[:start], raw[start + count :]]

    def check(self) -> None:
        assert all((part == 0xAB).all() for part in self.outside)


def at_the_end_of_memory(values: Any) -> Any:
    """A copy behind which the processor allows no reading."""
    if not sys.platform.startswith("linux"):
        return values
    page = mmap.PAGESIZE
    size = -(-max(1, values.nbytes) // page) * page
    area = mmap.mmap(-1, size + page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + size), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(area, np.uint8, values.nbytes, size - values.nbytes).view(values.dtype)
    copy[:] = values
    return copy


def run_all(cases: list[tuple[Product, Schedule]], width: int, seed: int = 0) -> list[tuple[Any, Any, Any]]:
    """(results, expected, allowed error) of each case; pieces run in any order and change only their own memory."""
    module = Module()
    pointers = [(name, "ptr") for name in ("left", "right", "y", "partial", "scratch")]
    names = []
    for number, (product, plan) in enumerate(cases):
        for part in ("piece", "combine")[: 1 + (plan.splits > 1)]:
            b = module.function(f"{part}{number}", [*pointers, ("n", "i64")])
            finish = store_rows(b, product, b["y"])
            if part == "piece":
                partial = b["partial"] if plan.splits > 1 else None
                emit_piece(b, product, plan, b["left"], b["right"], b["n"], b["scratch"], finish, partial)
            else:
                emit_combine_piece(b, product, plan, width, b["partial"], b["n"], finish)
            b.end()
            names.append(b.name)
    machine = compile_text(str(module), names, cached=False, target=processor(width))
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, ctypes.c_int64)
    found = []
    order = random.Random(seed)
    for number, (product, plan) in enumerate(cases):
        buffers = [at_the_end_of_memory(values) for values in operands(product)]
        size = prod(product.batch) * prod(product.rows) * prod(product.columns)
        memory = [
            Guarded(size * product.dtype.itemsize),
            Guarded(partial_elements(product, plan) * product.dtype.itemsize),
            Guarded(scratch_bytes(product, plan)),
        ]
        addresses = [each.ctypes.data for each in (*buffers, *(area.inside for area in memory))]
        for part, count in (("piece", pieces(product, plan)), ("combine", combine_pieces(product, plan))):
            for piece in order.sample(range(count), count):
                kind(machine[f"{part}{number}"])(*addresses, piece)
        for area in memory:
            area.check()
        y = memory[0].inside.view(product.dtype)
        right, error = expected(product, buffers)
        found.append((y.reshape(right.shape), right, error))
    return found


def other_plans(product: Product, width: int, order: random.Random) -> list[Schedule]:
    """One plan of every form that is possible, with any tile and cut in any way."""
    found = []
    for form in choice._forms(product, width):
        layout = layout_of(product, form)
        tile = order.choice(tiles(width, dots=form.dots))
        widest = layout.problem.sizes[2] if form.dots else layout.units
        tile = Tile(min(tile.rows, max(1, layout.tiled)), min(tile.vectors, max(1, widest)))
        first = layout.problem.inner[0] if layout.problem.inner else 1
        splits = -(-first // -(-first // order.choice([1, 2, 3]))) if first else 1
        plan = form._replace(tile=tile, splits=max(1, splits), panels=order.choice([1, 2]) if form.packed else 1)
        layout = layout_of(product, plan)
        counts = layout.problem.sizes[0], layout.row_blocks, layout.column_blocks
        cuts = tuple(min(order.choice([1, 2, 3]), max(1, count)) for count in counts)
        found.append(plan._replace(cuts=cuts))
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_products_are_numpys(width: int) -> None:
    cases = [(product, schedule(product, width)) for product in PRODUCTS.values()]
    for name, (y, right, error) in zip(PRODUCTS, run_all(cases, width), strict=True):
        assert (np.abs(y - right) <= error).all() if y.dtype.kind == "f" else (y == right).all(), name


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("width", WIDTHS)
def test_every_way_to_compute_a_product_is_right(width: int, seed: int) -> None:
    order = random.Random(100 * width + seed)
    named = [(name, p, plan) for name, p in PRODUCTS.items() for plan in other_plans(p, width, order)]
    results = run_all([(p, plan) for _, p, plan in named], width, seed)
    for (name, _, plan), (y, right, error) in zip(named, results, strict=True):
        assert (np.abs(y - right) <= error).all() if y.dtype.kind == "f" else (y == right).all(), (name, plan)


def test_every_form_and_copy_is_covered() -> None:
    """The table reaches each form, with tiles that are and are not full, and every kind of copy."""
    seen = set()
    for product in PRODUCTS.values():
        for form in choice._forms(product, 16):
            layout = layout_of(product, form)
            seen |= {form.form, ("left_pad", layout.left_pad is not None), ("right_pad", layout.right_pad is not None)}
            seen |= {
                ("table", layout.table),
                ("left gathered", layout.left_gathered),
                ("tiled", form.tiled),
                ("alone", layout.right_alone),
            }
    kinds = {(turned, packed, False, False) for turned in (False, True) for packed in (False, True)}
    kinds |= {(False, False, True, False), (False, True, False, True), (True, True, False, True)}
    assert kinds <= seen
    assert {(name, True) for name in ("left_pad", "right_pad", "table", "left gathered", "tiled", "alone")} <= seen


def edges(width: int) -> list[int]:
    return [1, 2, width - 1, width, width + 1, 2 * width, 2 * width + 3]


@pytest.mark.parametrize("width", WIDTHS)
def test_edges_of_tiles(width: int) -> None:
    tile = Tile(3, 2)
    cases = []
    for m in (1, 2, 3, 4, 7):
        for n in edges(width):
            product = dense(m, n, 5, right_turned=n % 2 == 0)
            cases.append((product, schedule(product, width, tile)))
    for y, right, error in run_all(cases, width):
        assert (np.abs(y - right) <= error).all()


@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 0, 3), (0, 0, 0)])
def test_products_without_results_have_no_pieces(shape: tuple[int, int, int]) -> None:
    product = dense(*shape)
    plan = schedule(product, 16)
    assert pieces(product, plan) == 0
    assert combine_pieces(product, plan) == 0
    run_all([(product, plan)], 16)


# -- Bits --------------------------------------------------------------------------------------------------------------


def test_the_tile_does_not_change_a_bit() -> None:
    """Which tile is best may be measured, because results do not depend on it."""
    for product in (dense(21, 37, 50), PRODUCTS["padded convolution"], PRODUCTS["right transposed"]):
        cases = []
        for form in choice._forms(product, 16):
            if not form.dots:
                for tile in (Tile(1, 1), Tile(3, 2), Tile(4, 1)):
                    units = layout_of(product, form).units
                    cases.append((product, form._replace(tile=Tile(tile.rows, min(tile.vectors, units)), splits=2)))
        results = [y for y, _, _ in run_all(cases, 16)]
        assert all((y == results[0]).all() for y in results)


@pytest.mark.parametrize("product", LARGE.values(), ids=LARGE)
def test_measuring_changes_no_order_of_additions(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_TUNING", "off")
    plain = choice.schedule.__wrapped__(product, 16)
    costs = {Tile(8, 1): 30.0, Tile(2, 4): 7.0, Tile(3, 3): 9.5}
    monkeypatch.setattr(choice, "measured_steps", lambda width: costs)
    tuned = choice.schedule.__wrapped__(product, 16)
    assert (tuned.form, tuned.splits, tuned.lanes) == (plain.form, plain.splits, plain.lanes)
    if not plain.dots and product.flops >= choice.MEASURED:
        layout = layout_of(product, tuned)
        assert tuned.tile in {Tile(min(t.rows, layout.tiled), min(t.vectors, layout.units)) for t in costs}


# -- Schedules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("product", LARGE.values(), ids=LARGE)
def test_large_products_occupy_eight_threads(product: Product, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_TUNING", "off")
    plan = choice.schedule.__wrapped__(product, width)
    assert 8 <= pieces(product, plan) <= 64
    assert scratch_bytes(product, plan) <= 2 << 20


@pytest.mark.parametrize("most", range(1, 8))
def test_even_parts_differ_by_one_at_most(most: int) -> None:
    for count in range(1, 40):
        parts = Parts.even(count, most)
        lengths = [parts.size] * parts.many + [parts.rest] * parts.others
        assert sum(lengths) == count
        assert len(lengths) == parts.length == -(-count // most)
        assert max(lengths) - min(lengths) <= 1
        assert max(lengths) <= most
        full = Parts.full(count, most)
        assert sum(size * many for size, many in full.sizes) == count


def test_operands_far_apart_in_memory_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of 2 KB end up in a few sets of the cache; reading them again and again would mean waiting each time."""
    monkeypatch.setenv("BACKLIGHT_TUNING", "off")
    plan = choice.schedule.__wrapped__(dense(128, 512, 784), 8)
    assert plan.packed or plan.dots
    assert choice.schedule.__wrapped__(dense(512, 512, 768, left_turned=True), 8).tiled
    near = choice.schedule.__wrapped__(dense(32, 64, 100), 8)
    assert not near.packed
    assert not near.tiled


def test_small_products_are_one_piece() -> None:
    for product in (dense(32, 64, 10), dense(4, 2, 2), dense(1, 100, 10)):
        assert pieces(product, schedule(product, 16)) == 1


@pytest.mark.parametrize("name", LARGE)
def test_text_is_short(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time to compile is the number of lines; what consumes the results is written only once."""
    monkeypatch.setenv("BACKLIGHT_TUNING", "off")
    product = LARGE[name]
    plan = choice.schedule.__wrapped__(product, 16)
    module = Module()
    b = module.function("piece", [(each, "ptr") for each in ("left", "right", "y", "scratch")] + [("n", "i64")])
    calls = []

    def finish(*results: Any) -> None:
        calls.append(results)
        store_rows(b, product, b["y"])(*results)

    partial = b["y"] if plan.splits > 1 else None
    emit_piece(b, product, plan, b["left"], b["right"], b["n"], b["scratch"], finish, partial)
    b.end()
    assert str(module).count("\n") < 1250
    assert len(calls) == (0 if plan.splits > 1 else 1)


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_canonical_product_is_the_same(name: str) -> None:
    product = PRODUCTS[name]
    other = canonical(product)
    buffers = operands(product)
    swapped = buffers
    if prod(product.columns) == 1 and prod(product.rows) > 1:
        assert prod(other.rows) == 1
        swapped = buffers[::-1]
    np.testing.assert_allclose(expected(other, swapped)[0].ravel(), expected(product, buffers)[0].ravel())


def test_batch_axes_of_the_left_operand_alone_are_rows() -> None:
    product = Product((5, 3), (7,), (20,), (4,), Access(0, 0, (84, 28, 4, 1)), Access(1, 0, (80, 0, 20, 1)), SINGLE)
    assert canonical(product).batch == (5,)
    assert canonical(product).rows == (3, 7)
    assert canonical(product).right.strides == (80, 20, 1)


def test_results_are_handed_over_with_their_places() -> None:
    """y = product · row + column, in every form."""
    product = dense(18, 35, 20, right_turned=True, batch=2)
    for plan in other_plans(product, 16, random.Random(3)):
        plan = plan._replace(splits=1)
        module = Module()
        b = module.function("run", [(each, "ptr") for each in ("left", "right", "y", "scratch")])

        def finish(result: Any, batch: Any, row: Any, column: Any, lanes: int, mask: Any, b: Any = b) -> None:
            lane = b.splat(column, lanes) + b.constants("i64", range(lanes))
            scale = b.splat((batch * 18 + row).to_float("float"), lanes)
            store_rows(b, product, b["y"])(result * scale + lane.to_float("float"), batch, row, column, lanes, mask)

        with b.loop(pieces(product, plan)) as piece:
            emit_piece(b, product, plan, b["left"], b["right"], piece, b["scratch"], finish)
        b.end()
        machine = compile_text(str(module), ["run"], cached=False, target=processor(16))
        buffers = operands(product)
        y, scratch = np.zeros((36, 35), np.float32), Guarded(scratch_bytes(product, plan))
        addresses = [each.ctypes.data for each in (*buffers, y, scratch.inside)]
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(machine["run"])(*addresses)
        right, _ = expected(product, buffers)
        right = right.reshape(36, 35) * np.arange(36)[:, None] + np.arange(35)
        np.testing.assert_allclose(y, right, rtol=1e-5, atol=1e-3)


# -- Tuning ------------------------------------------------------------------------------------------------------------


def test_tiles_are_measured_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BACKLIGHT_TUNING", raising=False)
    tuning._steps.cache_clear()
    first = tuning.measured_steps(4)
    assert first is not None
    assert min(cost / (tile.rows * tile.vectors) for tile, cost in first.items()) == 1
    monkeypatch.setattr(tuning, "_measure", lambda width, target: pytest.fail("measured again"))
    tuning._steps.cache_clear()
    again = tuning.measured_steps(4)
    assert again == {tile: pytest.approx(cost, abs=1e-3) for tile, cost in first.items()}
    tuning._steps.cache_clear()


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"null", b"\xff", b'{"8x1": "fast"}'])
def test_damaged_measurements_are_not_believed(payload: bytes) -> None:
    assert tuning._read(payload, 16) is None


def test_absurd_measurements_are_not_believed() -> None:
    import json

    costs = {f"{tile.rows}x{tile.vectors}": float(tile.rows * tile.vectors) for tile in tuning._shapes(16)}
    assert tuning._read(json.dumps(costs).encode(), 16) is not None
    for wrong in (0.0, -1.0, float("nan"), 1e9):
        assert tuning._read(json.dumps(costs | {"8x2": wrong}).encode(), 16) is None


def test_tuning_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_steps", lambda *_: pytest.fail("measured"))
    monkeypatch.setenv("BACKLIGHT_TUNING", "off")
    assert tuning.measured_steps(16) is None
    monkeypatch.delenv("BACKLIGHT_TUNING")
    monkeypatch.setenv("BACKLIGHT_CACHE", "off")
    assert cache.directory() is None
    assert tuning.measured_steps(16) is None
