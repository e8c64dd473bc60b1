"""Compiled running folds and positions agree with the records: bits, signs, ties and nan too, however they are cut."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.compiler.build import compile_text
from backlight.compiler.ir import Function, Module, Value
from backlight.compiler.sweep import Sweep, emit_sweep, sweep_pieces
from backlight.primitive import REGISTRY, Reduce

P = REGISTRY
WIDTHS = (4, 8, 16)
DTYPES = ("f4", "f8", "?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
GUARD = 4096  # bytes around an array that must stay as they are


# -- Running an emitter, which the tests of other emitters share ---------------------------------------------------


class Memory:
    """A copy of an array between two guards of bytes that, as numbers of any dtype, are large."""

    def __init__(self, array: Any) -> None:
        self.whole = np.full(2 * GUARD + array.nbytes, 0x7A, np.uint8)
        self.array = self.whole[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def is_intact(self) -> bool:
        return bool((self.whole[:GUARD] == 0x7A).all() and (self.whole[len(self.whole) - GUARD :] == 0x7A).all())


def run_pieces(
    write: Callable[[Function, list[Value], Value], None], pieces: int, arrays: Sequence[Any], outputs: int = 1
) -> list[Any]:
    """What the first ``outputs`` of the ``arrays`` hold after all pieces of the kernel that ``write`` writes.

    The pieces are run in three orders, which have to give the same bits, and nothing else may change.
    """
    module = Module()
    names = [f"p{number}" for number in range(len(arrays))]
    b = module.function("kernel", [*((name, "ptr noalias") for name in names), ("piece", "i64")])
    write(b, [b[name] for name in names], b["piece"])
    b.end()
    machine = compile_text(str(module), ("kernel",), cached=False)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(names), ctypes.c_int64)(machine["kernel"])
    forward = list(range(pieces))
    orders = [forward, forward[::-1], forward[1::2] + forward[::2]]
    first: list[Any] = []
    for order in orders if pieces > 1 else orders[:1]:
        memories = [Memory(array) for array in arrays]
        for piece in order:
            run(*(memory.array.ctypes.data for memory in memories), piece)
        assert all(memory.is_intact() for memory in memories), "written outside of an array"
        for memory, array in zip(memories[outputs:], arrays[outputs:], strict=True):
            assert memory.array.tobytes() == np.asarray(array).tobytes(), "an input was changed"
        results = [memory.array for memory in memories[:outputs]]
        assert not first or all(a.tobytes() == z.tobytes() for a, z in zip(first, results, strict=True))
        first = first or results
    return first


def same_bits(got: Any, wanted: Any) -> None:
    """Equal, the sign of 0 too; any nan is as good as another."""
    wanted = np.asarray(wanted)
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)
    if got.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(got) & ~np.isnan(got), np.signbit(wanted) & ~np.isnan(wanted))


# -- Sweeps --------------------------------------------------------------------------------------------------------


def swept(kernel: Reduce, x: Any, y: Any, width: int) -> Any:
    """What the compiled kernel makes of ``x``, in an array like ``y``."""
    sweep = Sweep(kernel.combine, x.shape, kernel.axes, kernel.scan, x.dtype, y.dtype)
    dirt = np.full(y.shape, 7, y.dtype)
    write = lambda b, pointers, piece: emit_sweep(b, sweep, pointers, piece, width)
    (got,) = run_pieces(write, sweep_pieces(sweep, width), [dirt, x])
    return got


def check(name: str, x: Any, axis: int, width: int) -> None:
    """A record's kernel gives the record's value."""
    record: Any = getattr(P, name)
    with np.errstate(all="ignore"):
        y = np.asarray(record.value(x, axis=axis))
    same_bits(swept(record.kernel(x.shape, axis=axis), x, y, width), y)


RECORDS = ("cumsum", "cumprod", "argmax", "argmin")


def numbers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    """Numbers over the whole range of the dtype, few of them different, with every special one."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "f":
        some = np.array([0.0, -0.0, 1.5, -2.25, 0.1, 3.0, -0.7, 1.1], dtype)
    elif dtype.kind == "b":
        some = np.array([True, False])
    else:
        limits = np.iinfo(dtype)
        some = np.array([limits.min, limits.max, limits.max // 2 + 1, 0, 1, 2, 3], dtype)
    return rng.choice(some, shape)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", RECORDS)
def test_the_records_samples(name: str, width: int) -> None:
    for sample in getattr(P, name).samples():
        check(name, *sample.inputs, sample.params["axis"], width)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RECORDS)
def test_every_dtype_along_and_across(name: str, dtype: str) -> None:
    width = WIDTHS[DTYPES.index(dtype) % 3]
    for shape, axis in (((21, 19), 1), ((9, 70), 0)):
        check(name, numbers(shape, dtype), axis, width)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((40_000,), 0),  # one long row
        ((3, 20_000), 1),  # fewer rows than a vector has lanes
        ((523, 61), 1),  # many rows, and some left over
        ((6000, 3), 1),
        ((61, 523), 0),
        ((20_000, 3), 0),
        ((7, 40, 131), 1),
        ((130, 1, 130), 1),
    ],
)
@pytest.mark.parametrize("name", ["cumsum", "argmax"])
def test_shapes_that_are_cut_into_pieces(name: str, shape: tuple[int, ...], axis: int) -> None:
    check(name, np.random.default_rng(1).normal(size=shape).astype("f4"), axis, 8)
    sweep = Sweep("argmax", (523, 61), (1,), False, np.dtype("f4"), np.dtype("i8"))
    assert sweep_pieces(sweep, 8) > 1


@pytest.mark.parametrize("width", WIDTHS)
def test_the_best_element_is_found_wherever_it_stands(width: int) -> None:
    n = 8 * width + 13
    for dtype in ("f4", "u1"):
        one = np.eye(n, dtype=dtype)
        for axis in (0, 1):
            check("argmax", one, axis, width)
            check("argmin", 1 - one, axis, width)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_of_equals_wins_and_nan_wins_over_all(name: str, axis: int) -> None:
    n = 77
    rows = np.zeros((14, n), np.float32)
    for k, (low, value) in enumerate([(0, np.nan), (40, np.nan), (76, np.nan), (5, np.inf), (70, -np.inf)]):
        rows[k, low:] = value
    rows[5] = -np.inf
    rows[6] = np.inf
    rows[7], rows[7, 50] = -np.inf, np.nan
    rows[8], rows[8, 75] = np.inf, np.nan
    rows[9, ::2] = -0.0  # equal to 0
    rows[10, 3:9], rows[10, 2] = np.nan, np.inf
    rows[11], rows[11, 60] = -np.inf, -1e38
    rows[12], rows[12, 61] = np.inf, 1e38
    for width in (4, 16):
        check(name, np.ascontiguousarray(rows if axis else rows.T), axis, width)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (3, 5), (40, 21)])
def test_a_running_sum_keeps_the_sign_of_zero_and_whatever_follows_a_nan(shape: tuple[int, ...]) -> None:
    x = np.full(shape, -0.0)
    for axis in range(len(shape)):
        for value in (-0.0, np.nan, np.inf):
            x[..., 1] = value
            check("cumsum", x, axis, 8)
            check("cumprod", x, axis, 8)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((3, 4, 5), (0, 1, 2)),
        ((3, 4, 5), (1, 2)),
        ((3, 4, 5), (0, 1)),
        ((3, 4, 5), (0, 2)),
        ((2, 3, 4, 5), (0, 2)),
        ((2, 3, 4, 5), (1, 3)),
        ((2, 3, 1, 5), (0, 2, 3)),
        ((1, 1), (0, 1)),
        ((1, 3), (0,)),
        ((2, 40, 3, 33), (1, 3)),
    ],
)
def test_a_position_over_several_axes_counts_in_reading_order(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
    out = tuple(shape[axis] for axis in kept)
    x = np.random.default_rng(2).integers(-9, 9, shape).astype(np.float64)
    for combine, function in (("argmax", np.argmax), ("argmin", np.argmin)):
        kernel = Reduce(combine, axes)
        got = swept(kernel, x, np.zeros(out, np.int64), 8)
        np.testing.assert_array_equal(got, function(x.transpose(*kept, *axes).reshape(*out, -1), axis=-1))
        if x.size < 1000:
            np.testing.assert_array_equal(got, kernels.evaluate(kernel, [x], out))


@pytest.mark.parametrize("combine", ["add", "multiply", "maximum", "minimum"])
def test_running_folds_agree_with_the_reference(combine: str) -> None:
    # Extremes too, which no record has yet: what they start with must not show.
    x = np.random.default_rng(3).normal(size=(9, 11)) * 3.0
    for axis in (0, 1):
        kernel = Reduce(combine, (axis,), scan=True)
        np.testing.assert_array_equal(swept(kernel, x, x, 16), kernels.evaluate(kernel, [x], x.shape))


@st.composite
def cases(draw: Any) -> tuple[str, Any, int]:
    shape = [*draw(st.lists(st.integers(1, 6), max_size=2)), draw(st.integers(1, 45))]
    shape = tuple(draw(st.permutations(shape)))
    x = numbers(shape, draw(st.sampled_from(DTYPES)), draw(st.integers(0, 99)))
    if x.dtype.kind == "f":
        x[np.random.default_rng(0).random(shape) < draw(st.sampled_from((0, 0.05, 0.5)))] = np.nan
    return draw(st.sampled_from(RECORDS)), x, draw(st.integers(0, len(shape) - 1))


@settings(max_examples=35, deadline=None)
@given(cases(), st.sampled_from(WIDTHS))
def test_random_shapes(case: tuple[str, Any, int], width: int) -> None:
    check(*case, width)


def test_nothing_to_do() -> None:
    for shape in ((0, 3), (3, 0)):
        for axis in (0, 1):
            x = np.zeros(shape, np.float32)
            assert swept(Reduce("add", (axis,), scan=True), x, x, 8).shape == shape
    assert prod(swept(Reduce("argmax", (1,)), np.zeros((0, 3)), np.zeros(0, np.int64), 8).shape) == 0
