"""Compiled random numbers are the numbers that the interpreter draws, whatever the width and the cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compiler_sweep import WIDTHS, run_pieces

from backlight.compiler.draw import Drawing, _quantile, draw_element, draw_pieces, draw_vector, emit_draw
from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import vector
from backlight.ops.random import DISTRIBUTIONS, normal_quantile
from backlight.philox import philox
from backlight.primitive import REGISTRY

P = REGISTRY
INTEGERS = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")
KINDS = [
    *((distribution, dtype) for distribution in ("uniform", "open_uniform", "normal") for dtype in ("f4", "f8")),
    *(("bits", dtype) for dtype in INTEGERS),
    ("split", "u4"),
    ("fold", "u4"),
]
QUANTILE_ULP = 8  # of a normal number: the logarithm in its tails is not the one that NumPy takes
DOMAINS = {"split": 1, "fold": 2}


def each_kind(*also: Any) -> Any:
    return pytest.mark.parametrize(("distribution", "dtype"), KINDS, ids=lambda each: str(each))


def same_numbers(distribution: str, got: Any, wanted: Any) -> None:
    """The same bits; a normal number may be off where its tail's logarithm is."""
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    if distribution == "normal":
        ulp = QUANTILE_ULP if got.dtype.itemsize == 8 else 1
        np.testing.assert_array_max_ulp(got, wanted, ulp)
        assert np.array_equal(np.signbit(got), np.signbit(wanted))
        centre = np.abs(wanted) < 1.43  # |p - 1/2| <= 0.425: no logarithm there
        got, wanted = got[centre], wanted[centre]
    assert got.tobytes() == wanted.tobytes()


def drawn(drawing: Drawing, key: Any, width: int) -> Any:
    out = np.zeros((drawing.keys, drawing.each), drawing.dtype)
    write = lambda b, pointers, piece: emit_draw(b, drawing, pointers, piece, width)
    return run_pieces(write, draw_pieces(drawing, width), [out, key])[0]


def keys(count: int, words: int, seed: int = 0) -> Any:
    """Keys with words of all sizes, the largest and 0 among them."""
    made = np.random.default_rng(seed).integers(0, 2**32, (count, words), np.uint32)
    made[0, 0], made[-1, -1] = 0, 2**32 - 1
    return made


def check(distribution: str, dtype: Any, key: Any, count: int, width: int) -> None:
    dtype = np.dtype(dtype)
    drawing = Drawing(distribution, len(key), key.shape[1], count, dtype)
    same_numbers(distribution, drawn(drawing, key, width), DISTRIBUTIONS[distribution](key, count, dtype))


def test_the_records_samples() -> None:
    for sample in P.draw.samples():
        (key,) = sample.inputs
        y = P.draw.value(key, **sample.params)
        rows = key.reshape(-1, key.shape[-1])
        drawing = Drawing(
            sample.params["distribution"], len(rows), key.shape[-1], np.size(y) // len(rows), sample.params["dtype"]
        )
        same_numbers(drawing.distribution, drawn(drawing, rows, 8).reshape(np.shape(y)), np.asarray(y))


@pytest.mark.parametrize("width", WIDTHS)
@each_kind()
def test_every_distribution_and_dtype(distribution: str, dtype: str, width: int) -> None:
    check(distribution, dtype, keys(3, 2 + 2 * (KINDS.index((distribution, dtype)) + width // 4 & 1)), 101, width)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64])
def test_every_count(count: int) -> None:
    distribution, dtype = (("uniform", "f4"), ("uniform", "f8"), ("bits", "u2"))[count % 3]
    check(distribution, dtype, keys(2, 2), count, 16)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (1, 50_001),  # one key, cut into parts
        (1, 16_384),  # parts without a rest
        (15, 4097),
        (16, 4097),  # a part for each key
        (5000, 3),
        (700, 50),
    ],
)
@pytest.mark.parametrize(("distribution", "dtype"), [("uniform", "f4"), ("open_uniform", "f8"), ("bits", "u1")])
def test_draws_that_are_cut_into_pieces(distribution: str, dtype: str, rows: int, count: int) -> None:
    assert draw_pieces(Drawing(distribution, rows, 4, count, np.dtype(dtype)), 8) > 1
    check(distribution, dtype, keys(rows, 4), count, 8)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_many_normal_numbers_have_their_tails(dtype: str) -> None:
    key = keys(1, 2, 5)
    wanted = DISTRIBUTIONS["normal"](key, 200_000, np.dtype(dtype))
    assert np.abs(wanted).max() > 4.2
    check("normal", dtype, key, 200_000, 16)


@pytest.mark.parametrize("far", [True, False])
def test_quantiles_far_out(far: bool) -> None:
    # So far out that no draw gets there in a test's time, beside others in one register.
    least = 0.5**53 if far else 0.5**33
    p = np.concatenate([[least, 1e-12, 1.3e-11, 1.4e-11, 0.4, 0.075, 0.925], np.geomspace(least, 0.5, 57)])
    p = p[p >= least]
    p = np.resize(np.concatenate([p, 1 - p]), 128)

    def write(b: Any, pointers: list[Any], piece: Any) -> None:
        with b.loop(128, step=8) as k:
            made = _quantile(b, b.load(b.at(pointers[1], k, "double"), vector("double", 8)), far)
            b.store(made, b.at(pointers[0], k, "double"))

    same_numbers("normal", run_pieces(write, 1, [np.zeros(128), p])[0], normal_quantile(p))


def words_at(key: Any, first: int, count: int, domain: int = 0) -> Any:
    """Words of a stream, by the definition of its counters."""
    number = range(first // 4, (first + count) // 4 + 1)
    stream = [0, 0] if len(key) == 2 else [int(word) for word in key[2:]]
    counters = [[block & 0xFFFFFFFF, (block >> 32) | domain << 24, *stream] for block in number]
    return philox(np.array(counters, np.uint32), key[:2]).reshape(-1)[first % 4 :][:count]


FIRST = (0, 16, 4096, 2**32 - 16, 2**34 - 32, 2**34, 2**40 + 48)


@pytest.mark.parametrize("words", [2, 4])
@pytest.mark.parametrize("distribution", ["bits", "split", "fold"])
def test_far_out_in_a_stream(distribution: str, words: int) -> None:
    (key,) = keys(1, words, 3)
    for width in (1, 2, 4, 16):

        def write(b: Any, pointers: list[Any], piece: Any, width: int = width) -> None:
            loaded = [b.load(b.at(pointers[2], k, "i32"), "i32") for k in range(words)]
            with b.loop(len(FIRST)) as k:
                first = b.load(b.at(pointers[1], k, "i64"), "i64")
                made = draw_vector(b, distribution, np.dtype(np.uint32), loaded, first, width)
                b.store(made, b.at(pointers[0], k * width, "i32"))

        out = np.zeros((len(FIRST), width), np.uint32)
        (got,) = run_pieces(write, 1, [out, np.array(FIRST), key])
        for row, first in zip(got, FIRST, strict=True):
            np.testing.assert_array_equal(row, words_at(key, first, width, DOMAINS.get(distribution, 0)))


@each_kind()
def test_single_numbers(distribution: str, dtype: str) -> None:
    (key,) = keys(1, 4, 7)
    count, kind = 9, np.dtype(dtype)

    def write(b: Any, pointers: list[Any], piece: Any) -> None:
        words = [b.load(b.at(pointers[1], k, "i32"), "i32") for k in range(4)]
        with b.loop(count) as k:
            b.store(draw_element(b, distribution, kind, words, k), b.at(pointers[0], k, memory_kind(kind)))

    (got,) = run_pieces(write, 1, [np.zeros(count, kind), key])
    same_numbers(distribution, got, DISTRIBUTIONS[distribution](key, count, kind))


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(KINDS), st.sampled_from((2, 4)), st.integers(1, 20), st.integers(0, 300), st.integers(0, 99),
    st.sampled_from(WIDTHS),
)  # fmt: skip
def test_random_draws(kind: tuple[str, str], words: int, rows: int, count: int, seed: int, width: int) -> None:
    check(*kind, keys(rows, words, seed), count, width)
