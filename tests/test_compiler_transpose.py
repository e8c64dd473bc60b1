"""Compiled copies put every element where it belongs, whatever the strides and bounds, and touch nothing else."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compiler_sweep import WIDTHS, run_pieces

from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import vector
from backlight.compiler.kernels import Access, Bound
from backlight.compiler.transpose import Copy, copy_pieces, emit_copy, transpose_block
from backlight.layout import contiguous_strides

DTYPES = ("f4", "f8", "?", "i1", "u2", "i4", "i8")
Shape = tuple[int, ...]


def span(space: Shape, strides: Shape) -> tuple[int, int]:
    """The least offset from which no index goes below 0, and the elements that are needed then."""
    reach = [(n - 1) * stride for n, stride in zip(space, strides, strict=True)]
    low = -sum(min(each, 0) for each in reach)
    return low, low + sum(max(each, 0) for each in reach) + 1


def access(number: int, space: Shape, strides: Shape, extra: int = 0) -> tuple[Access, int]:
    """An access with these strides that starts ``extra`` elements late, and the elements that it needs."""
    low, size = span(space, strides)
    return Access(number, low + extra, strides), size + extra


def expected(copy: Copy, target: Any, source: Any) -> Any:
    """The definition of a copy."""
    index = np.indices(copy.space).reshape(len(copy.space), prod(copy.space))
    dot = lambda offset, strides: offset + (np.array(strides, int).reshape(-1, 1) * index).sum(0)
    exists = np.ones(prod(copy.space), bool)
    for bound in copy.source.bounds:
        place = dot(bound.offset, bound.strides)
        exists &= (place >= 0) & (place < bound.size)
    came, to = dot(copy.source.offset, copy.source.strides), dot(copy.target.offset, copy.target.strides)
    out = target.copy()
    out[to] = np.where(exists, source[np.where(exists, came, 0)], np.asarray(copy.fill).astype(copy.dtype))
    return out


def numbers(count: int, dtype: Any) -> Any:
    """Different numbers, as far as the dtype has them, none of them 0."""
    if np.dtype(dtype).kind == "b":
        return np.random.default_rng(count).random(count) < 0.5
    return (1 + np.arange(count) % 120 + (np.arange(count) // 120 if np.dtype(dtype).itemsize > 1 else 0)).astype(dtype)


def check(copy: Copy, target_size: int, source_size: int, width: int) -> None:
    target, source = np.zeros(target_size, copy.dtype), numbers(source_size, copy.dtype)
    write = lambda b, pointers, piece: emit_copy(b, copy, pointers, piece, width)
    (got,) = run_pieces(write, copy_pieces(copy, width), [target, source])
    np.testing.assert_array_equal(got, expected(copy, target, source))


def check_strides(space: Shape, source: Shape, target: Shape, dtype: Any, width: int) -> None:
    came, source_size = access(1, space, source, extra=2)
    to, target_size = access(0, space, target, extra=3)
    check(Copy(space, came, to, np.dtype(dtype)), target_size, source_size, width)


def permuted(lengths: Shape, order: Shape) -> tuple[Shape, Shape]:
    """The space and the source strides of an array of ``lengths`` whose axes are put into this order."""
    strides = contiguous_strides(lengths)
    return tuple(lengths[axis] for axis in order), tuple(strides[axis] for axis in order)


@pytest.mark.parametrize(("count", "kind"), [(c, k) for c in (1, 2, 4, 8, 16) for k in ("f4", "f8", "i1")])
def test_a_block_is_turned_in_registers(count: int, kind: str) -> None:
    x = numbers(count * count, kind).reshape(count, count)
    one = memory_kind(np.dtype(kind))

    def write(b: Any, pointers: list[Any], piece: Any) -> None:
        rows = [b.load(b.at(pointers[1], k * count, one), vector(one, count)) for k in range(count)]
        for k, each in enumerate(transpose_block(b, rows)):
            b.store(each, b.at(pointers[0], k * count, one))

    (got,) = run_pieces(write, 1, [np.zeros_like(x), x])
    np.testing.assert_array_equal(got, x.T)


SHAPES = [
    ((64, 48), (1, 0)),
    ((37, 53), (1, 0)),
    ((5, 4), (1, 0)),
    ((3, 200), (1, 0)),
    ((200, 3), (1, 0)),
    ((4, 19, 23), (0, 2, 1)),
    ((19, 4, 23), (1, 0, 2)),
    ((11, 12, 13), (2, 1, 0)),
    ((11, 12, 13), (1, 2, 0)),
    ((3, 5, 6, 17), (2, 3, 0, 1)),
    ((3, 5, 6, 17), (3, 1, 0, 2)),
    ((2, 1, 9, 1, 7), (4, 3, 2, 1, 0)),
]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("lengths", "order"), SHAPES)
def test_permuted_axes(lengths: Shape, order: Shape, width: int) -> None:
    space, source = permuted(lengths, order)
    dtype = DTYPES[(SHAPES.index((lengths, order)) + width) % len(DTYPES)]
    check_strides(space, source, contiguous_strides(space), dtype, width)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_turned_and_straight(dtype: str) -> None:
    for width in (4, 16):
        check_strides((21, 35), (1, 21), (35, 1), dtype, width)
    check_strides((7, 35), (40, 1), (37, 1), dtype, 8)


@pytest.mark.parametrize(
    ("space", "source", "target"),
    [
        ((50_000,), (1,), (1,)),  # a long row
        ((50_000,), (3,), (1,)),
        ((50_000,), (-1,), (1,)),
        ((50_000,), (1,), (2,)),
        ((50_000,), (1,), (-1,)),
        ((3, 20_000), (20_001, 1), (20_003, 1)),
        ((5, 20_000), (0, 1), (20_000, 1)),  # one row, many times
        ((20_000, 5), (1, 0), (5, 1)),
        ((300, 200), (1, 300), (200, 1)),
        ((301, 203), (1, 305), (207, 1)),
        ((203, 301), (301, 1), (1, 203)),  # the target's axes the other way round
        ((4, 90, 110), (9900, 1, 90), (9900, 110, 1)),
        ((90, 4, 110), (1, 9900, 90), (440, 110, 1)),
        ((6000, 4), (1, 6000), (4, 1)),
        ((36, 6000), (1, 36), (6000, 1)),
    ],
)
def test_copies_that_are_cut_into_pieces(space: Shape, source: Shape, target: Shape) -> None:
    copy = Copy(space, Access(1, 0, source), Access(0, 0, target), np.dtype("f4"))
    assert copy_pieces(copy, 8) > 1
    check_strides(space, source, target, "f4", 8)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((1, 30), (-40, 1)),
        ((-1, 30), (40, 1)),
        ((1, -30), (40, 1)),
        ((-1, -30), (-40, -1)),
        ((1, 30), (40, -1)),
        ((30, 1), (40, -1)),
        ((30, -1), (40, -1)),
        ((30, -2), (-80, 2)),
        ((0, 1), (40, 1)),
        ((1, 0), (40, 1)),
        ((0, 0), (1, 30)),
        ((2, 60), (40, 1)),
        ((1, 2), (40, 1)),  # overlapping windows
        ((1, 1), (40, 1)),
        ((1, 30), (1, 30)),
        ((1, 30), (-1, -30)),
    ],
)
def test_backward_repeated_and_overlapping(source: Shape, target: Shape) -> None:
    for width, dtype in ((8, "f4"), (16, "i1")):
        check_strides((27, 30), source, target, dtype, width)


def padded(shape: Shape, low: Shape, high: Shape, order: Shape) -> tuple[Shape, Access]:
    """The access to an array of ``shape`` with padding around, its axes put into an order."""
    strides, space = contiguous_strides(shape), tuple(a + n + z for a, n, z in zip(low, shape, high, strict=True))
    bounds = []
    for axis, n in enumerate(shape):
        if low[axis] > 0 or high[axis] > 0:
            bounds.append(Bound(-low[axis], tuple(int(axis == each) for each in order), n))
    offset = -sum(a * stride for a, stride in zip(low, strides, strict=True))
    source = Access(1, offset, tuple(strides[axis] for axis in order), tuple(bounds))
    return tuple(space[axis] for axis in order), source


@pytest.mark.parametrize("fill", [0.0, 3.0, -np.inf, np.nan])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [
        ((9, 30), (1, 2), (2, 1)),
        ((9, 30), (0, 17), (0, 40)),
        ((9, 30), (3, 0), (2, 0)),
        ((9, 30), (-2, -3), (4, -1)),
    ],
)
def test_padding(shape: Shape, low: Shape, high: Shape, order: Shape, fill: float) -> None:
    space, source = padded(shape, low, high, order)
    copy = Copy(space, source, Access(0, 0, contiguous_strides(space)), np.dtype("f4"), fill)
    check(copy, prod(space), prod(shape), 8)


@pytest.mark.parametrize("dtype", ["f8", "?", "i1", "i4"])
def test_padding_of_other_dtypes(dtype: str) -> None:
    space, source = padded((5, 21), (1, 2), (1, 20), (0, 1))
    for fill in (0, 1):
        copy = Copy(space, source, Access(0, 0, contiguous_strides(space)), np.dtype(dtype), fill)
        check(copy, prod(space), 105, 16)


@pytest.mark.parametrize(
    ("strides", "offset", "bound"),
    [
        ((-1,), 32, Bound(-3, (1,), 30)),  # backwards, with padding
        ((0,), 4, Bound(-3, (1,), 30)),  # one number where the bound holds
        ((0,), 4, Bound(33, (-1,), 30)),
        ((2,), -6, Bound(-6, (2,), 30)),
        ((-2,), 35, Bound(35, (-2,), 30)),
        ((0,), 7, Bound(5, (0,), 30)),  # holds everywhere
        ((1,), 10**15, Bound(30, (0,), 30)),  # holds nowhere: nothing may be read
        ((0,), 10**15, Bound(30, (0,), 30)),
        ((-1,), 10**15, Bound(30, (0,), 30)),
        ((1,), 0, Bound(0, (1,), 1)),
    ],
)
def test_bounds_along_a_row(strides: Shape, offset: int, bound: Bound) -> None:
    for space in ((20,), (43,)):
        for width, fill in ((4, 0.0), (16, 5.0)):
            copy = Copy(space, Access(1, offset, strides, (bound,)), Access(0, 0, (1,)), np.dtype("f4"), fill)
            check(copy, space[0], 30, width)


def test_a_long_padded_row_in_pieces() -> None:
    space, source = padded((40_000,), (100,), (9000,), (0,))
    copy = Copy(space, source, Access(0, 0, (1,)), np.dtype("f4"), 2.0)
    assert copy_pieces(copy, 8) > 1
    check(copy, prod(space), 40_000, 8)


def test_the_smallest_copies() -> None:
    for space in ((), (1,), (1, 1)):
        zeros = tuple(0 for _ in space)
        for bounds in ((), (Bound(0, zeros, 1),), (Bound(1, zeros, 1),)):
            copy = Copy(space, Access(1, 1, zeros, bounds), Access(0, 2, zeros), np.dtype("f8"), 9.0)
            check(copy, 4, 3, 8)
    nothing = Copy((3, 0), Access(1, 0, (1, 1)), Access(0, 0, (1, 1)), np.dtype("f4"))
    target, source = np.ones(3, np.float32), np.zeros(3, np.float32)
    (got,) = run_pieces(
        lambda b, p, piece: emit_copy(b, nothing, p, piece, 8), copy_pieces(nothing, 8), [target, source]
    )
    assert (got == 1).all()


@st.composite
def cases(draw: Any) -> tuple[Copy, int, int]:
    """Any strides of the source; a target in any order of its axes, in any direction, with gaps; perhaps padding."""
    space = tuple(draw(st.lists(st.integers(1, 40), min_size=1, max_size=2)))
    space = tuple(draw(st.permutations([*space, *draw(st.lists(st.integers(1, 6), max_size=2))])))
    axes = range(len(space))
    target, step = [0] * len(space), draw(st.sampled_from((1, 1, 1, 2)))
    for axis in draw(st.permutations(axes)):
        target[axis] = step * draw(st.sampled_from((1, 1, 1, -1)))
        step *= space[axis] + draw(st.sampled_from((0, 0, 3)))
    source, step = [0] * len(space), 1
    for axis in draw(st.permutations(axes)):
        source[axis] = draw(st.sampled_from((step, step, step, step, -step, 0, 1, -1, 2)))
        step *= space[axis]
    to, target_size = access(0, space, tuple(target), 1)
    came, source_size = access(1, space, tuple(source), 1)
    dtype, fill = np.dtype(draw(st.sampled_from(DTYPES))), 0
    if draw(st.booleans()):
        # The space grows along one axis, at both ends; what is new is out of bounds.
        axis, low, high = draw(st.sampled_from(axes)), draw(st.integers(0, 20)), draw(st.integers(1, 20))
        bound = Bound(-low, tuple(int(each == axis) for each in axes), space[axis])
        came = Access(1, came.offset - low * source[axis], tuple(source), (bound,))
        wide = tuple(n + low + high if each == axis else n for each, n in enumerate(space))
        to, target_size = access(0, wide, contiguous_strides(wide), 1)
        space, fill = wide, draw(st.sampled_from((0, 1)))
    return Copy(space, came, to, dtype, fill), target_size, source_size


@settings(max_examples=50, deadline=None)
@given(cases(), st.sampled_from(WIDTHS))
def test_random_strides(case: tuple[Copy, int, int], width: int) -> None:
    check(*case, width)
