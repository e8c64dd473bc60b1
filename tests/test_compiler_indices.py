"""Compiled gathers and scatters do what NumPy's indexing does, report what is out of range and touch nothing else."""

from __future__ import annotations

from math import prod
from typing import Any

import kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compiler_sweep import WIDTHS, run_pieces, same_bits

from backlight.compiler.scatter import (
    BAD_INDEX,
    Gathering,
    Scattering,
    emit_gather,
    emit_scatter,
    gather_pieces,
    scatter_pieces,
)
from backlight.primitive import REGISTRY, Scatter

P = REGISTRY
DTYPES = ("f4", "f8", "?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
INDEX_DTYPES = ("i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")
DIRT = 7

# -- What has to come out ------------------------------------------------------------------------------------------


def in_range(sizes: tuple[int, ...], indices: list[Any]) -> Any:
    """For every position, whether all of its indices are."""
    fits = np.ones(indices[0].shape, bool)
    for n, index in zip(sizes, indices, strict=True):
        fits &= np.array([-n <= int(i) < n for i in index.reshape(-1)], bool).reshape(index.shape)
    return fits


def valid(fits: Any, indices: list[Any]) -> tuple[Any, ...]:
    """The indices, 0 in place of those at positions that are out of range."""
    return tuple(np.where(fits, index, index.dtype.type(0)).astype(np.int64) for index in indices)


def scattered(combine: str, x: Any, indices: list[Any], v: Any) -> Any:
    """``x`` after one write after another, in the order of the positions."""
    out = np.array(x)
    fits = in_range(x.shape[: len(indices)], indices)
    places = tuple(index[fits] for index in valid(fits, indices))
    if combine == "add":
        np.add.at(out, places, v[fits])
        return out
    for *place, row in zip(*places, v[fits], strict=True):
        out[tuple(place)] = row
    return out


# -- What comes out ------------------------------------------------------------------------------------------------


def gather(x: Any, indices: list[Any], width: int) -> tuple[Any, int]:
    """What is gathered from an array that may lie in memory in any way, and the status."""
    base = x
    while base.base is not None:
        base = base.base
    strides = tuple(stride // x.itemsize for stride in x.strides)
    first = (x.ctypes.data - base.ctypes.data) // x.itemsize
    contiguous = None if x.flags.c_contiguous else strides
    gathering = Gathering(x.shape, indices[0].size, tuple(i.dtype for i in indices), x.dtype, contiguous)

    def write(b: Any, pointers: list[Any], piece: Any) -> None:
        out, status, source, *others = pointers
        place = b.at(source, first, f"i{8 * x.itemsize}")
        emit_gather(b, gathering, [out, place, *others], piece, width, status=status)

    y = np.full((*indices[0].shape, *x.shape[len(indices) :]), DIRT, x.dtype)
    arrays = [y, np.zeros(1, np.int64), base, *indices]
    y, status = run_pieces(write, gather_pieces(gathering, width), arrays, outputs=2)
    return y, int(status[0])


def scatter(
    combine: str, x: Any, indices: list[Any], v: Any, width: int, start: str = "copied", fill: float = 0.0
) -> tuple[Any, int]:
    """What the array is after the scatter, and the status; it starts ``copied``, ``filled`` or ``kept``."""
    scattering = Scattering(
        combine, x.shape, indices[0].size, tuple(i.dtype for i in indices), x.dtype,
        fill if start == "filled" else None, start == "kept",
    )  # fmt: skip

    def write(b: Any, pointers: list[Any], piece: Any) -> None:
        out, status, *others = pointers
        emit_scatter(b, scattering, [out, *others], piece, width, status=status)

    out = x if start == "kept" else np.full(x.shape, DIRT, x.dtype)
    arrays = [out, np.zeros(1, np.int64), *([x] if start == "copied" else []), *indices, v]
    out, status = run_pieces(write, scatter_pieces(scattering, width), arrays, outputs=2)
    return out, int(status[0])


def check_gather(x: Any, indices: list[Any], width: int) -> None:
    y, status = gather(x, indices, width)
    fits = in_range(x.shape[: len(indices)], indices)
    assert status == (0 if fits.all() else BAD_INDEX)
    if prod(x.shape[: len(indices)]):
        same_bits(y, x[valid(fits, indices)])


def check_scatter(combine: str, x: Any, indices: list[Any], v: Any, width: int, start: str = "copied") -> None:
    got, status = scatter(combine, x, indices, v, width, start, fill=3.0)
    assert status == (0 if in_range(x.shape[: len(indices)], indices).all() else BAD_INDEX)
    begun = np.full(x.shape, 3.0).astype(x.dtype) if start == "filled" else x
    same_bits(got, scattered(combine, begun, indices, v))


def numbers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    """Numbers whose floating-point sum depends on the order, and integers whose sum overflows."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "f":
        return (rng.normal(size=shape) * 10.0 ** rng.integers(-6, 7, shape)).astype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def places(sizes: tuple[int, ...], count: int, dtype: Any = "i8", seed: int = 0) -> list[Any]:
    """Index arrays within range, negative ones too where the dtype has them."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return [rng.integers(max(-n, low), min(n - 1, high), count, dtype, endpoint=True) for n in sizes]


# -- Tests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_the_records_samples(width: int) -> None:
    for sample in P.gather.samples():
        x, *indices = sample.inputs
        same_bits(gather(x, list(indices), width)[0], np.asarray(P.gather.value(*sample.inputs)))
    for record in (P.scatter_add, P.scatter_set):
        for sample in record.samples():
            x, *indices, v = sample.inputs
            combine = record.kernel(*(each.shape for each in sample.inputs)).combine
            got, status = scatter(combine, x, list(indices), v, width)
            assert status == 0
            same_bits(got, record.value(*sample.inputs))
            np.testing.assert_array_equal(got, kernels.evaluate(Scatter(combine, len(indices)), sample.inputs, x.shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    number = DTYPES.index(dtype)
    width, index_dtype = WIDTHS[number % 3], INDEX_DTYPES[number % len(INDEX_DTYPES)]
    for shape in ((9,), (9, 21)):
        x, indices = numbers(shape, dtype), places(shape[:1], 53, index_dtype, number)
        check_gather(x, indices, width)
        v = numbers((53, *shape[1:]), dtype, 1)
        for combine in ("set", "add"):
            check_scatter(combine, x, indices, v, width)


@pytest.mark.parametrize("index_dtype", INDEX_DTYPES)
def test_every_dtype_of_indices(index_dtype: str) -> None:
    limits = np.iinfo(index_dtype)
    rng = np.random.default_rng(4)
    for n in (100, 200, 40_000):  # 200 is beyond int8, 40000 beyond int16
        x = np.arange(n, dtype=np.float32)
        index = rng.integers(max(limits.min, -2 * n), min(limits.max, 2 * n), 70, index_dtype, endpoint=True)
        index[3], index[5] = limits.max, limits.min
        check_gather(x, [index], 8)
        check_scatter("add", x[:200], [index], numbers((70,), "f4"), 8)
        check_gather(np.ascontiguousarray(x.reshape(-1, 4)), [index], 8)


LARGE = {
    "numbers": ((1000,), 30_001, 1),
    "pairs": ((30, 40), 20_000, 2),
    "rows": ((50, 300), 200, 1),
    "short rows": ((2000, 5), 9000, 1),
    "few long rows": ((4, 30_000), 3, 1),
    "rows of matrices": ((6, 7, 9, 31), 150, 2),
    "a long table": ((20_000, 3), 500, 1),
    "a long table of long rows": ((500, 70), 60, 1),
    "rows in blocks": ((40, 1100), 60, 1),
}


@pytest.mark.parametrize("case", LARGE)
def test_arrays_that_are_cut_into_pieces(case: str) -> None:
    shape, count, axes = LARGE[case]
    indices = places(shape[:axes], count)
    x, v = numbers(shape, "f4"), numbers((count, *shape[axes:]), "f4", 1)
    dtypes = tuple(index.dtype for index in indices)
    assert gather_pieces(Gathering(shape, count, dtypes, x.dtype), 8) > 1 or case.startswith("a long")
    whole = case in ("numbers", "pairs", "short rows")  # every piece would go through too long a list
    assert (scatter_pieces(Scattering("add", shape, count, dtypes, x.dtype), 8) == 1) == whole
    check_gather(x, indices, 8)
    check_scatter("add", x, indices, v, 8)
    check_scatter("set", x, indices, v, 16, "filled")
    check_scatter("add", x, indices, v, 4, "kept")
    for index in indices:
        index[[1, count // 2, -1]] = [shape[0], -shape[0] - 1, 2**62]
    check_gather(x, indices, 16)
    check_scatter("add", x, indices, v, 16)


@pytest.mark.parametrize("start", ["copied", "filled", "kept"])
@pytest.mark.parametrize("combine", ["add", "set"])
@pytest.mark.parametrize("row", [(), (3,), (16,), (150,)])
def test_where_many_meet_the_order_of_positions_holds(combine: str, row: tuple[int, ...], start: str) -> None:
    x, v = numbers((4, *row), "f4"), numbers((90, *row), "f4", 1)
    (index,) = places((4,), 90)
    index[40:] = 2
    check_scatter(combine, x, [index], v, 8, start)


FAR = (5, -6, 2**31, -(2**31), 2**32, 2**62, 2**63 - 1, -(2**63))


@pytest.mark.parametrize("row", [(), (3,), (40,)])
def test_one_index_out_of_range_among_good_ones(row: tuple[int, ...]) -> None:
    x, v = numbers((5, *row), "f4"), numbers((17, *row), "f4", 1)
    (good,) = places((5,), 17)
    check_gather(x, [good], 8)
    check_scatter("set", x, [good], v, 8)
    for number, bad in enumerate(FAR):
        index = good.copy()
        index[(0, 7, 8, 16)[number % 4]] = bad
        check_gather(x, [index], 8)
        check_scatter("add", x, [index], v, 8)


def test_the_wrong_one_of_several_indices() -> None:
    x, v = numbers((5, 5, 3), "f8"), numbers((9, 3), "f8", 1)
    for axis in (0, 1):
        indices = places((5, 5), 9)
        indices[axis][4] = 5  # within the array if it were one row of numbers
        check_gather(x, indices, 8)
        check_gather(x[:, :, 0].copy(), indices, 8)
        check_scatter("add", x, indices, v, 8)


def test_empty_arrays() -> None:
    none, some = np.zeros(0, np.int64), np.zeros(3, np.int64)
    for shape in ((4,), (4, 3), (4, 0)):
        x = numbers(shape, "f4")
        check_gather(x, [none], 8)
        for start in ("copied", "filled", "kept"):
            check_scatter("add", x, [none], np.zeros((0, *shape[1:]), "f4"), 8, start)
    for shape in ((0,), (0, 3)):
        x = np.zeros(shape, np.float32)
        assert gather(x, [some], 8)[1] == BAD_INDEX
        assert scatter("add", x, [some], np.ones((3, *shape[1:]), "f4"), 8)[1] == BAD_INDEX
    assert gather(np.zeros((0, 3), np.float32), [none], 8)[1] == 0


@pytest.mark.parametrize("row", [(0,), (0, 3), (3, 0)])
def test_rows_without_numbers_have_indices_to_check(row: tuple[int, ...]) -> None:
    x = np.zeros((4, *row), np.float32)
    for index in (np.array([0, -4, 3]), np.array([0, 4, 3])):
        check_gather(x, [index], 8)
        check_scatter("add", x, [index], np.zeros((3, *row), np.float32), 8)


VIEWS = {
    "transposed": lambda x: x.T,
    "every second row": lambda x: x[::2],
    "every third column": lambda x: x[:, 1::3],
    "rows backwards": lambda x: x[::-1],
    "columns backwards": lambda x: x[:, ::-1],
    "all backwards": lambda x: x[::-2, ::-2],
    "a column": lambda x: x[:, 3],
    "a row in every row": lambda x: np.broadcast_to(x[2], x.shape),
    "a column in every column": lambda x: np.broadcast_to(x[:, 3:4], x.shape),
    "matrices": lambda x: x.reshape(3, 7, 40, -1).transpose(1, 3, 0, 2),
    "matrices cut out": lambda x: x.reshape(3, 7, 10, -1)[:, ::-1, 1:9:2, ::-2],
}


@pytest.mark.parametrize("name", VIEWS)
def test_arrays_that_lie_in_memory_in_other_ways(name: str) -> None:
    view = VIEWS[name](np.array(numbers((21, 40), "f4")))
    for axes in range(1, view.ndim + 1):
        check_gather(view, places(view.shape[:axes], 19, "i4"), 8)


@st.composite
def cases(draw: Any) -> tuple[Any, list[Any], Any]:
    sizes = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    row = tuple(draw(st.lists(st.integers(1, 70), max_size=2)))
    count = draw(st.integers(0, 50))
    seed = draw(st.integers(0, 99))
    indices = [places((n,), count, draw(st.sampled_from(INDEX_DTYPES)), seed + axis)[0] for axis, n in enumerate(sizes)]
    if count and draw(st.booleans()):
        draw(st.sampled_from(indices))[draw(st.integers(0, count - 1))] = draw(st.integers(9, 127))
    dtype = draw(st.sampled_from(DTYPES))
    return numbers((*sizes, *row), dtype, seed), indices, numbers((count, *row), dtype, seed + 1)


@settings(max_examples=25, deadline=None)
@given(cases(), st.sampled_from(("add", "set")), st.sampled_from(("copied", "filled", "kept")), st.sampled_from(WIDTHS))
def test_random_indices(case: tuple[Any, list[Any], Any], combine: str, start: str, width: int) -> None:
    x, indices, v = case
    check_gather(x, indices, width)
    check_scatter(combine, x, indices, v, width, start)
