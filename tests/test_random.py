"""Random numbers: the published vectors, the laws of a counter-based generator, and statistics with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import backlight
from backlight import random
from backlight.errors import ArgumentError, BacklightError, DTypeError, ShapeError
from backlight.loops import scan
from backlight.ops.random import normal_quantile
from backlight.philox import philox, words

KEY = random.key(20260)
N = 20_000
FAIR = 1e-3  # the smallest p-value a fixed seed may give by chance

# Random123's known-answer tests, philox4x32-10: counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]

DRAWS: dict[str, Callable[..., Any]] = {
    "uniform": random.uniform,
    "uniform32": lambda key, shape: random.uniform(key, shape, dtype=np.float32),
    "uniform16": lambda key, shape: random.uniform(key, shape, dtype=np.float16),
    "normal": random.normal,
    "normal32": lambda key, shape: random.normal(key, shape, dtype=np.float32),
    "truncated": lambda key, shape: random.truncated_normal(key, -1.0, 2.0, shape),
    "exponential": random.exponential,
    "gumbel": random.gumbel,
    "bernoulli": lambda key, shape: random.bernoulli(key, 0.3, shape),
    "categorical": lambda key, shape: random.categorical(key, np.array([0.0, 1.0, 0.5]), shape),
    "randint": lambda key, shape: random.randint(key, shape, -5, 17),
    "bits": random.bits,
    "bits64": lambda key, shape: random.bits(key, shape, np.uint64),
}


def hexes(text: str) -> np.ndarray[Any, Any]:
    return np.array([int(word, 16) for word in text.split()], np.uint32)


# -- The generator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_published_vectors(counter: str, key: str, result: str) -> None:
    np.testing.assert_array_equal(philox(hexes(counter), hexes(key)), hexes(result))


def test_philox_broadcasts_counters_and_keys() -> None:
    counters, keys = (np.stack([hexes(row[i]) for row in KNOWN]) for i in (0, 1))
    table = philox(counters[:, None], keys[None])
    for i, row in enumerate(KNOWN):
        np.testing.assert_array_equal(table[i, i], hexes(row[2]))
    assert len({tuple(block) for block in table.reshape(-1, 4)}) == 9


def test_words_are_the_blocks_of_the_counter_in_order() -> None:
    key = np.array([5, 6], np.uint32)
    counters = np.zeros((9000, 4), np.uint64)
    counters[:, 0] = np.arange(9000)
    np.testing.assert_array_equal(words(key, 36_000), philox(counters, key).ravel())
    counters[:, 1] = 3 << 24
    counters[:, 2:] = [7, 8]
    np.testing.assert_array_equal(words(np.array([5, 6, 7, 8]), 35_999, domain=3), philox(counters, key).ravel()[:-1])


def test_words_of_many_keys_are_those_of_each() -> None:
    keys = words(KEY, 60).reshape(5, 6, 2)
    together = words(keys, 7)
    assert together.shape == (5, 6, 7)
    np.testing.assert_array_equal(together[3, 4], words(keys[3, 4], 7))
    assert words(keys, 0).shape == (5, 6, 0)


# -- A draw is a function of key and position -------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWS)
def test_a_longer_draw_begins_with_the_shorter(name: str) -> None:
    draw = DRAWS[name]
    long, short = draw(KEY, (2000,)), draw(KEY, (1000,))
    np.testing.assert_array_equal(long[:1000], short)
    np.testing.assert_array_equal(draw(KEY, (40, 25)), short.reshape(40, 25))
    np.testing.assert_array_equal(draw(KEY, 1000), short)
    assert draw(KEY, (1,))[0] == draw(KEY, ()) == short[0]
    assert draw(KEY, (0, 3)).shape == (0, 3)


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_key_gives_the_same_numbers_and_another_key_others(name: str) -> None:
    draw = DRAWS[name]
    np.testing.assert_array_equal(draw(KEY, (50,)), draw(KEY.copy(), (50,)))
    assert (draw(KEY, (200,)) != draw(random.key(20261), (200,))).any()
    assert (draw(KEY, (200,)) != draw(random.fold_in(KEY, 1), (200,))).any()


@pytest.mark.parametrize("name", DRAWS)
def test_traced_and_mapped_draws_are_the_plain_ones(name: str) -> None:
    draw = DRAWS[name]
    traced = draw(backlight.array(KEY), (9,))
    np.testing.assert_array_equal(traced.value, draw(KEY, (9,)))
    assert traced.dtype == draw(KEY, (9,)).dtype
    keys = random.split(KEY, 4)
    mapped = backlight.vmap(lambda key: draw(key, (9,)))(keys)
    np.testing.assert_array_equal(mapped, np.stack([draw(key, (9,)) for key in keys]))
    rows = scan(lambda carry, key: (carry, draw(key, (9,))), None, keys)[1]
    np.testing.assert_array_equal(rows, mapped)


# -- Keys -------------------------------------------------------------------------------------------------------------


def test_keys() -> None:
    assert random.key(0).tolist() == [0, 0]
    assert random.key(2**64 - 1).tolist() == [2**32 - 1] * 2
    assert random.key(np.int64(5)).tolist() == [5, 0]
    assert random.key(5).dtype == np.uint32
    assert random.key(5).shape == (2,)


def test_split_keys_do_not_depend_on_their_number_and_differ() -> None:
    many = random.split(KEY, 1000)
    np.testing.assert_array_equal(many[:2], random.split(KEY))
    assert many.dtype == np.uint32
    assert len({tuple(key) for key in [*many, KEY]}) == 1001
    assert random.split(KEY, 0).shape == (0, 2)


def test_fold_in() -> None:
    folded = {tuple(random.fold_in(KEY, data)) for data in (*range(-3, 1000), 2**32, 2**63, 2**64 - 7)}
    assert len(folded) == 1006
    assert not folded & {tuple(key) for key in random.split(KEY, 1000)}
    for data in (0, 3, -1, 2**40 + 5):
        traced = random.fold_in(KEY, backlight.array(np.int64(data)))
        np.testing.assert_array_equal(traced.value, random.fold_in(KEY, data))
        np.testing.assert_array_equal(random.fold_in(backlight.array(KEY), np.int64(data)).value, traced.value)
    np.testing.assert_array_equal(random.fold_in(KEY, -1), random.fold_in(KEY, 2**64 - 1))


def test_the_number_of_a_step_folded_in_inside_a_scan() -> None:
    body = lambda carry, t: (carry + random.normal(random.fold_in(KEY, t), (3,)), None)
    total = scan(body, np.zeros(3), np.arange(5))[0]
    plain = sum(random.normal(random.fold_in(KEY, t), (3,)) for t in range(5))
    np.testing.assert_allclose(total, plain, rtol=1e-14)


# -- Statistics, with fixed seeds -------------------------------------------------------------------------------------


def fair(draws: Any, distribution: Any) -> None:
    assert stats.kstest(np.asarray(draws, np.float64), distribution.cdf).pvalue > FAIR


CONTINUOUS = {
    "uniform": stats.uniform(),
    "uniform32": stats.uniform(),
    "normal": stats.norm(),
    "normal32": stats.norm(),
    "truncated": stats.truncnorm(-1.0, 2.0),
    "exponential": stats.expon(),
    "gumbel": stats.gumbel_r(),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", CONTINUOUS)
def test_distributions(name: str, seed: int) -> None:
    draws, distribution = DRAWS[name](random.key(seed), (N,)), CONTINUOUS[name]
    fair(draws, distribution)
    mean, variance, skewness = (float(m) for m in distribution.stats("mvs"))
    spread = np.sqrt(variance)
    standard = (np.asarray(draws, np.float64) - mean) / spread
    assert abs(standard.mean()) < 4 / np.sqrt(N)
    fourth = float(distribution.stats("k")) + 3
    assert abs((standard**2).mean() - 1) < 4 * np.sqrt((fourth - 1) / N)
    assert abs((standard**3).mean() - skewness) < 0.3


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 8, 64])
@pytest.mark.parametrize("name", ["uniform", "uniform32", "normal", "normal32"])
def test_neighbours_are_uncorrelated(name: str, lag: int) -> None:
    draws = np.asarray(DRAWS[name](KEY, (N,)), np.float64)
    assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 4 / np.sqrt(N)


def test_split_and_neighbouring_keys_are_independent() -> None:
    keys = [
        *random.split(KEY, 6),
        KEY,
        random.key(20261),
        random.key(20262),
        *(random.fold_in(KEY, k) for k in range(4)),
    ]
    table = np.stack([random.normal(key, (N,)) for key in keys])
    correlations = np.corrcoef(table) - np.eye(len(keys))
    assert np.abs(correlations).max() < 4.5 / np.sqrt(N)
    first = np.array([random.uniform(key) for key in random.split(KEY, N // 10)])
    fair(first, stats.uniform())
    fair(np.array([random.uniform(random.key(seed)) for seed in range(N // 10)]), stats.uniform())


def test_every_bit_is_fair() -> None:
    for dtype, count in ((np.uint8, 8), (np.uint16, 16), (np.uint32, 32), (np.uint64, 64)):
        drawn = random.bits(KEY, (N,), dtype)
        assert drawn.dtype == dtype
        ones = [((drawn >> dtype(bit)) & dtype(1)).mean() for bit in range(count)]
        assert np.abs(np.array(ones) - 0.5).max() < 4.5 * 0.5 / np.sqrt(N)


def test_bernoulli_categorical_and_randint_frequencies() -> None:
    assert random.bernoulli(KEY, 0.3, (N,)).dtype == bool
    assert stats.binomtest(int(random.bernoulli(KEY, 0.3, (N,)).sum()), N, 0.3).pvalue > FAIR
    assert not random.bernoulli(KEY, 0.0, (N,)).any()
    assert random.bernoulli(KEY, 1.0, (N,)).all()
    p = np.array([0.5, 0.1, 0.0, 0.4])
    with np.errstate(divide="ignore"):
        counts = np.bincount(random.categorical(KEY, np.log(p), (N,)), minlength=4)
    assert counts[2] == 0
    assert stats.chisquare(counts[p > 0], N * p[p > 0]).pvalue > FAIR
    dice = random.randint(KEY, (N,), 1, 7)
    assert dice.dtype == np.int64
    assert stats.chisquare(np.bincount(dice, minlength=7)[1:]).pvalue > FAIR
    wide = random.randint(KEY, (N,), -(2**62), 2**62)
    fair((wide / 2**63) + 0.5, stats.uniform())
    assert random.randint(KEY, (9,), 3, 4).tolist() == [3] * 9


def test_permutations_are_uniform() -> None:
    order = {
        tuple(p): k for k, p in enumerate(sorted(map(tuple, [p for p in np.ndindex(3, 3, 3) if len(set(p)) == 3])))
    }
    counts = np.zeros(6)
    for key in random.split(KEY, 3000):
        counts[order[tuple(random.permutation(key, 3).tolist())]] += 1
    assert stats.chisquare(counts).pvalue > FAIR
    assert sorted(random.permutation(KEY, 1000).tolist()) == list(range(1000))
    assert random.permutation(KEY, 0).shape == (0,)
    rows = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(random.permutation(KEY, rows), rows[random.permutation(KEY, 4)])


# -- The floats themselves --------------------------------------------------------------------------------------------


def test_uniforms_stay_below_one_and_use_every_digit() -> None:
    for name, digits in (("uniform16", 11), ("uniform32", 24), ("uniform", 53)):
        u = DRAWS[name](KEY, (1_000_000,))
        assert 0 <= u.min() < u.max() < 1
        scaled = u.astype(np.float64) * 2.0**digits
        np.testing.assert_array_equal(scaled, np.floor(scaled))
        assert (scaled % 2 == 1).mean() == pytest.approx(0.5, abs=0.01)  # the last digit is random


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_bits_give_the_largest_uniform_below_one(monkeypatch: pytest.MonkeyPatch, dtype: Any) -> None:
    ones = lambda key, count, domain=0: np.full(count, 0xFFFFFFFF, np.uint32)
    monkeypatch.setattr("backlight.ops.random.words", ones)
    assert random.uniform(KEY, dtype=dtype) == np.nextafter(dtype(1), dtype(0))
    assert np.isfinite(random.exponential(KEY, dtype=dtype))
    assert np.isfinite(random.gumbel(KEY, dtype=dtype))
    high = random.normal(KEY, dtype=dtype)
    zeros = lambda key, count, domain=0: np.zeros(count, np.uint32)
    monkeypatch.setattr("backlight.ops.random.words", zeros)
    assert random.uniform(KEY, dtype=dtype) == 0
    assert np.isfinite(random.exponential(KEY, dtype=dtype))
    assert np.isfinite(random.gumbel(KEY, dtype=dtype))
    assert random.normal(KEY, dtype=dtype) == -high
    assert 6 < high < 9


def test_normal_quantile_is_scipys() -> None:
    p = np.concatenate([np.linspace(0, 1, 10_001), 10.0 ** -np.arange(1, 308), 1 - 2.0 ** -np.arange(1, 53)])
    np.testing.assert_allclose(normal_quantile(p), special.ndtri(p), rtol=4e-15, atol=1e-16)
    assert np.isnan(normal_quantile(np.array([-0.1, 1.1, np.nan]))).all()
    assert normal_quantile(np.float32(0.9)).dtype == np.float32


# -- Parameters -------------------------------------------------------------------------------------------------------


def test_gradients_flow_to_the_parameters() -> None:
    u, z = random.uniform(KEY, (50,)), random.normal(KEY, (50,))
    total = lambda f: lambda *parameters: np.sum(f(*parameters) * np.arange(50.0))
    weights = np.arange(50.0)
    low, high = backlight.grad(total(lambda a, b: random.uniform(KEY, (50,), a, b)), (0, 1))(-1.0, 2.0)
    assert float(low) == pytest.approx(np.sum((1 - u) * weights))
    assert float(high) == pytest.approx(np.sum(u * weights))
    mean, scale = backlight.grad(total(lambda a, b: random.normal(KEY, (50,), a, b)), (0, 1))(-1.0, 2.0)
    assert float(mean) == pytest.approx(np.sum(weights))
    assert float(scale) == pytest.approx(np.sum(z * weights))
    for f in (
        lambda a, b: random.gumbel(KEY, (50,), a, b),
        lambda a, b: random.exponential(KEY, (50,), a * b),
        lambda a, b: random.truncated_normal(KEY, -a, b, (50,), a, b),
        lambda a, b: random.truncated_normal(KEY, a, a + b, (50,)),
    ):
        assert backlight.check(total(f), 0.7, 1.9)
        hessian = backlight.hessian(lambda ab, f=f: total(f)(ab[0], ab[1]))(np.array([0.7, 1.9]))
        gradient = lambda ab, f=f: np.array(backlight.grad(total(f), (0, 1))(*ab))
        for k, step in enumerate(np.eye(2) * 1e-6):
            slope = (gradient(np.array([0.7, 1.9]) + step) - gradient(np.array([0.7, 1.9]) - step)) / 2e-6
            np.testing.assert_allclose(hessian[k], slope, rtol=1e-6, atol=1e-6)


def test_gradients_flow_through_a_permutation_and_not_to_probabilities() -> None:
    x = np.arange(4.0)
    gradient = backlight.grad(lambda x: np.sum(random.permutation(KEY, x) * np.arange(4.0)))(x)
    np.testing.assert_array_equal(gradient[random.permutation(KEY, 4)], np.arange(4.0))
    assert float(backlight.grad(lambda p: p + np.sum(random.bernoulli(KEY, p, (10,)) * 1.0))(0.3)) == 1.0
    logits = np.array([0.1, 0.2])
    np.testing.assert_array_equal(
        backlight.grad(lambda w: np.sum(random.categorical(KEY, w, (9,)) * w[0]))(logits)[1], 0
    )


def test_arrays_of_parameters() -> None:
    low, high = np.zeros(3), np.array([[1.0], [10.0]])
    assert random.uniform(KEY, low=low, high=high).shape == (2, 3)
    assert random.uniform(KEY, (5, 2, 3), low, high).shape == (5, 2, 3)
    assert random.normal(KEY, mean=[1.0, 2.0], scale=[0.0, 0.0]).tolist() == [1.0, 2.0]
    assert random.normal(KEY, mean=backlight.array([1.0, 2.0]).value).shape == (2,)
    assert random.bernoulli(KEY, np.array([0.0, 1.0])).tolist() == [False, True]
    assert random.categorical(KEY, np.array([[0.0, 50.0], [50.0, 0.0]])).tolist() == [1, 0]
    assert random.categorical(KEY, np.zeros((2, 4)), (3, 2)).shape == (3, 2)
    assert random.randint(KEY, (4, 2), np.array([0, 100]), np.array([10, 110])).max(axis=0)[1] >= 100
    tail = random.truncated_normal(KEY, 2.0, 4.0, (N,))
    fair(tail, stats.truncnorm(2.0, 4.0))


def test_dtypes_follow_the_parameters_or_the_request() -> None:
    single = np.zeros(2, np.float32)
    assert random.normal(KEY, (2,)).dtype == np.float64
    assert random.normal(KEY, (2,), mean=single).dtype == np.float32
    assert random.normal(KEY, (2,), mean=single, dtype=np.float64).dtype == np.float64
    assert random.normal(KEY, (2,), mean=np.zeros(2), dtype=np.float32).dtype == np.float32
    assert random.uniform(KEY, (2,), backlight.array(single)).dtype == np.float32
    assert random.truncated_normal(KEY, -1, 1, (2,), dtype=np.float32).dtype == np.float32
    assert random.randint(KEY, (2,), 0, 5, np.int32).dtype == np.int32


# -- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 42, [0, 1], np.zeros(2), np.zeros(2, np.int64), np.zeros((3, 2), np.uint32), None])
def test_something_that_is_no_key(bad: Any) -> None:
    for use in (lambda: random.uniform(bad), lambda: random.split(bad), lambda: random.fold_in(bad, 1)):
        with pytest.raises(BacklightError, match=r"test_random\.py"):
            use()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "seed", None])
def test_something_that_is_no_seed(seed: Any) -> None:
    with pytest.raises(ArgumentError, match=r"random\.key\(0\)"):
        random.key(seed)


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Expected|Write instead|lengths"), ("zh", "应为|改写为|整数|长度")]
)
def test_bad_arguments_are_refused(monkeypatch: pytest.MonkeyPatch, language: str, word: str) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    refused: list[tuple[type[Exception], Callable[[], Any]]] = [
        (ArgumentError, lambda: random.uniform(0)),
        (ArgumentError, lambda: random.fold_in(KEY, 1.5)),
        (ArgumentError, lambda: random.split(KEY, -1)),
        (ArgumentError, lambda: random.uniform(KEY, (-1,))),
        (ArgumentError, lambda: random.uniform(KEY, 2.5)),
        (ShapeError, lambda: random.uniform(KEY, (2,), np.zeros(3))),
        (ShapeError, lambda: random.normal(KEY, (), np.zeros(3))),
        (ShapeError, lambda: random.normal(KEY, None, np.zeros(2), np.zeros(3))),
        (DTypeError, lambda: random.uniform(KEY, (2,), dtype=np.int64)),
        (DTypeError, lambda: random.normal(KEY, (2,), dtype=np.complex128)),
        (DTypeError, lambda: random.bits(KEY, (2,), np.int64)),
        (ShapeError, lambda: random.categorical(KEY, 1.0)),
        (ShapeError, lambda: random.categorical(KEY, np.zeros((2, 0)))),
        (ShapeError, lambda: random.categorical(KEY, np.zeros((2, 4)), (3,))),
        (ArgumentError, lambda: random.randint(KEY, (2,), 5, 5)),
        (ArgumentError, lambda: random.randint(KEY, (2,), 0.0, 5.0)),
        (ShapeError, lambda: random.permutation(KEY, 2.5)),
    ]
    for kind, call in refused:
        with pytest.raises(kind, match=word):
            call()
