"""Folds, scans and sorts where it is hard: zeros in products, ties, infinities, empty axes, complex numbers, dtypes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backlight
from backlight.errors import ShapeError
from backlight.primitive import REGISTRY as P

INF, NAN = np.inf, np.nan


def gradient(f: Any, x: Any) -> Any:
    return backlight.grad(f)(np.asarray(x))


def total(name: str, weights: Any = None, **params: Any) -> Any:
    """x ↦ Σ w·P.name(x)."""

    def f(x: Any) -> Any:
        y = getattr(P, name)(x, **params)
        w = np.cos(np.arange(y.size)).reshape(y.shape) if weights is None else np.asarray(weights)
        y = y * w
        return P.sum(y, axis=tuple(range(y.ndim)))

    return f


# -- Products ----------------------------------------------------------------------------------------------------

ZEROS = [[2.0, 3.0, 5.0, -7.0], [2.0, 0.0, 5.0, -7.0], [0.0, 3.0, 0.0, -7.0], [0.0, 0.0, 0.0, 4.0], [3.0], [0.0]]


def exclusive(x: Any, *left_out: int) -> float:
    """The product of all but some; the exact derivative of a product by those."""
    return (
        float(np.prod([v for k, v in enumerate(x) if k not in left_out]))
        if len(set(left_out)) == len(left_out)
        else 0.0
    )


@pytest.mark.parametrize("x", ZEROS)
def test_prod_is_exact_with_zeros_to_third_order(x: list[float]) -> None:
    n = range(len(x))
    f = total("prod", 1.0, axis=(0,))
    assert gradient(f, x).tolist() == [exclusive(x, i) for i in n]
    assert backlight.hessian(f)(np.array(x)).tolist() == [[exclusive(x, i, j) for j in n] for i in n]
    for i, j in itertools.product(n, n):
        third = gradient(lambda v, i=i, j=j: backlight.hessian(f)(v)[i, j], x)  # type: ignore[misc]
        np.testing.assert_array_equal(third, [exclusive(x, i, j, k) for k in n])


@pytest.mark.parametrize("x", ZEROS)
def test_cumprod_is_exact_with_zeros_to_second_order(x: list[float]) -> None:
    n = len(x)
    w = np.arange(1.0, n + 1)
    f = total("cumprod", w, axis=0)
    first = [sum(w[k] * exclusive(x[: k + 1], i) for k in range(i, n)) for i in range(n)]
    second = [
        [sum(w[k] * exclusive(x[: k + 1], i, j) for k in range(max(i, j), n)) for j in range(n)] for i in range(n)
    ]
    np.testing.assert_allclose(gradient(f, x), first, rtol=1e-15)
    np.testing.assert_allclose(backlight.hessian(f)(np.array(x)), second, rtol=1e-15)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.5, -2.0, 1.5, 3.0]), min_size=1, max_size=12))
def test_cumprod_gradient_is_the_sum_over_later_products(x: list[float]) -> None:
    n = len(x)
    w = np.cos(np.arange(n))
    expected = [sum(w[k] * exclusive(x[: k + 1], i) for k in range(i, n)) for i in range(n)]
    np.testing.assert_allclose(gradient(total("cumprod", w, axis=0), x), expected, rtol=1e-12, atol=1e-12)


def test_cumprod_of_one_step_does_not_see_an_overflow_further_on() -> None:
    x = np.array([1e-300, 1e200, 1e200, 2.0])
    got = gradient(lambda v: P.slice(P.cumprod(v, axis=0), index=(0,)), x)
    np.testing.assert_array_equal(got, [1.0, 0.0, 0.0, 0.0])


def test_products_over_several_axes_and_in_any_order() -> None:
    x = np.sin(np.arange(1.0, 25.0)).reshape(2, 3, 4)
    x[0, 1, 2] = 0.0
    for axis in ((0,), (1,), (0, 2), (1, 2), (0, 1, 2)):
        expected = np.empty_like(x)
        w = np.cos(np.arange(np.prod(x, axis).size)).reshape(np.prod(x, axis).shape)
        for place in np.ndindex(x.shape):
            others = x.copy()
            others[place] = 1.0
            kept = tuple(i for k, i in enumerate(place) if k not in axis)
            expected[place] = np.prod(others, axis)[kept] * w[kept]
        np.testing.assert_allclose(gradient(total("prod", w, axis=axis), x), expected, rtol=1e-13, atol=1e-15)


# -- Extrema -----------------------------------------------------------------------------------------------------


def test_equal_extrema_share_evenly() -> None:
    x = [3.0, 1.0, 3.0, 1.0, 1.0]
    np.testing.assert_array_equal(gradient(total("max", 1.0, axis=(0,)), x), [0.5, 0.0, 0.5, 0.0, 0.0])
    np.testing.assert_array_equal(gradient(total("min", 6.0, axis=(0,)), x), [0.0, 2.0, 0.0, 2.0, 2.0])


def test_extrema_share_within_each_row_only() -> None:
    x = [[1.0, 1.0], [1.0, 0.0]]
    np.testing.assert_array_equal(gradient(total("max", [1.0, 1.0], axis=(1,)), x), [[0.5, 0.5], [1.0, 0.0]])
    np.testing.assert_array_equal(gradient(total("max", [1.0, 1.0], axis=(0,)), x), [[0.5, 1.0], [0.5, 0.0]])
    np.testing.assert_array_equal(gradient(total("max", 1.0, axis=(0, 1)), x), np.array([[1, 1], [1, 0]]) / 3)


def test_infinite_extrema_have_a_gradient() -> None:
    np.testing.assert_array_equal(gradient(total("max", 1.0, axis=(0,)), [-INF, INF, 0.0]), [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(gradient(total("min", 1.0, axis=(0,)), [-INF, INF, 0.0]), [1.0, 0.0, 0.0])


def test_an_unused_extremum_of_nan_does_not_poison() -> None:
    def f(x: Any) -> Any:
        worst = P.max(x, axis=(1,))
        return total("sum", 1.0, axis=(0,))(P.where(np.array([True, False]), worst, 0.0))

    np.testing.assert_array_equal(gradient(f, [[1.0, 2.0], [NAN, 3.0]]), [[0.0, 1.0], [0.0, 0.0]])


# -- logsumexp and softmax ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "share"),
    [
        ([1000.0, 1000.0], 1000.0 + np.log(2.0), [0.5, 0.5]),
        ([-1000.0, -1000.0], -1000.0 + np.log(2.0), [0.5, 0.5]),
        ([1e308, -1e308], 1e308, [1.0, 0.0]),
        ([-INF, 0.0], 0.0, [0.0, 1.0]),
        ([-INF, -INF], -INF, [0.0, 0.0]),
        ([INF, 0.0], INF, [1.0, 0.0]),
        ([INF, INF, 3.0], INF, [0.5, 0.5, 0.0]),
        ([INF, -INF], INF, [1.0, 0.0]),
        ([3.0], 3.0, [1.0]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logsumexp_of_huge_and_infinite_numbers(x: Any, y: float, share: Any, dtype: Any) -> None:
    with np.errstate(over="ignore"):
        x, y = np.array(x, dtype), dtype(y)
    f = total("logsumexp", 1.0, axis=(0,))
    tolerance = {"rtol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(P.logsumexp(x, axis=(0,)), y, **tolerance)
    if np.isfinite(x[np.isfinite(x)]).all() and not (dtype == np.float32 and np.isinf(x).any() and np.isfinite(y)):
        np.testing.assert_allclose(gradient(f, x), share, **tolerance)
    second = backlight.hessian(f)(x)
    assert np.isfinite(second).all()
    s = P.softmax(x, axis=(0,))
    np.testing.assert_allclose(second, np.diag(s) - np.outer(s, s), atol=4 * np.finfo(dtype).eps)


def test_logsumexp_with_nan_is_nan() -> None:
    assert np.isnan(P.logsumexp(np.array([NAN, 1.0]), axis=(0,)))
    assert np.isnan(P.softmax(np.array([NAN, 1.0]), axis=(0,))).all()


def test_softmax_rows_are_independent() -> None:
    x = np.array([[0.0, 1.0], [-INF, -INF], [INF, 2.0], [NAN, 0.0]])
    rows = [P.softmax(row, axis=(0,)) for row in x]
    np.testing.assert_array_equal(P.softmax(x, axis=(1,)), rows)


def test_a_fully_masked_row_of_attention_has_zero_gradient() -> None:
    score = np.array([[1.0, 2.0], [3.0, 4.0]])
    mask = np.array([[True, False], [False, False]])

    def f(x: Any) -> Any:
        return total("softmax", axis=(1,))(P.where(mask, x, -INF)) + total("logsumexp", 1.0, axis=(0, 1))(x)

    assert np.isfinite(gradient(f, score)).all()
    assert np.isfinite(backlight.hessian(f)(score)).all()


def test_logsumexp_and_softmax_of_nothing() -> None:
    assert P.logsumexp(np.zeros((0,)), axis=(0,)) == -INF
    assert P.softmax(np.zeros((2, 0)), axis=(1,)).shape == (2, 0)


# -- Sorting -----------------------------------------------------------------------------------------------------


def test_sort_sends_the_gradient_through_the_stable_permutation() -> None:
    x = [[2.0, 1.0, 2.0], [0.0, 0.0, -1.0]]
    w = [[10.0, 20.0, 30.0], [1.0, 2.0, 3.0]]
    np.testing.assert_array_equal(gradient(total("sort", w, axis=1), x), [[20.0, 10.0, 30.0], [2.0, 3.0, 1.0]])
    order = P.argsort(np.array(x), axis=1)
    np.testing.assert_array_equal(order, [[1, 0, 2], [2, 0, 1]])


def test_sorting_nan_and_complex_numbers_as_numpy() -> None:
    x = np.array([NAN, 1.0, -INF])
    np.testing.assert_array_equal(P.sort(backlight.array(x), axis=0).value, np.sort(x))
    np.testing.assert_array_equal(gradient(total("sort", [1.0, 2.0, 3.0], axis=0), x), [3.0, 2.0, 1.0])
    z = np.array([1 + 2j, 1 - 1j, 0j])
    np.testing.assert_array_equal(P.sort(backlight.array(z), axis=0).value, np.sort(z))


# -- Dtypes and empty arrays -------------------------------------------------------------------------------------

NUMPY = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all}
SCANS = {"cumsum": np.cumsum, "cumprod": np.cumprod, "sort": np.sort, "argmax": np.argmax, "argmin": np.argmin}


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.float32, np.complex64])
def test_results_and_dtypes_are_numpys(dtype: Any) -> None:
    x = np.array([[1, 0, 3], [2, 2, 0]]).astype(dtype)
    for name, function in NUMPY.items():
        for axis in ((0,), (1,), (0, 1)):
            y, expected = getattr(P, name)(backlight.array(x), axis=axis), function(x, axis=axis)
            np.testing.assert_array_equal(y.value, expected)
            assert y.dtype == expected.dtype, name
    for name, function in SCANS.items():
        for axis in (0, 1):
            y, expected = getattr(P, name)(backlight.array(x), axis=axis), function(x, axis=axis)
            np.testing.assert_array_equal(y.value, expected)
            assert y.dtype == expected.dtype, name


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "logsumexp", "softmax"])
def test_half_precision_stays_half(name: str) -> None:
    x = np.array([[1.0, 2.0], [0.5, 0.25]], np.float16)
    y = getattr(P, name)(backlight.array(x), axis=(0,))
    assert y.dtype == np.float16
    got = gradient(total(name, np.ones(y.shape, np.float16), axis=(0,)), x)
    assert got.dtype == np.float16


def test_sum_and_prod_of_nothing() -> None:
    assert P.sum(np.zeros((0,)), axis=(0,)) == 0.0
    assert P.prod(np.zeros((0,)), axis=(0,)) == 1.0
    assert gradient(total("prod", 1.0, axis=(0,)), np.zeros(0)).shape == (0,)
    assert gradient(total("sum", axis=(0,)), np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_choosing_from_nothing_is_refused(name: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    x = backlight.array(np.zeros((2, 0)))
    axis = 1 if name.startswith("arg") else (1,)
    with pytest.raises(
        ShapeError, match="(?s)test_reduce.py:.*" + ("nothing" if language == "en" else "没有元素")
    ) as caught:
        getattr(P, name)(x, axis=axis)
    assert name in str(caught.value)
    assert "(2, 0)" in str(caught.value)


def test_choosing_for_no_rows_is_fine() -> None:
    assert P.max(np.zeros((0, 3)), axis=(1,)).shape == (0,)
    assert P.argmax(np.zeros((0, 3)), axis=1).shape == (0,)


# -- Complex numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "cumprod"])
def test_complex_gradients_ascend_steepest(name: str) -> None:
    z = np.array([1 + 2j, 0j, -0.5 + 1j])
    params: dict[str, Any] = {"axis": 0} if name.startswith("cum") else {"axis": (0,)}

    def f(v: Any) -> Any:
        y = getattr(P, name)(v, **params) * np.array(0.7 - 0.2j)
        y = P.real(y)
        return P.sum(y, axis=tuple(range(y.ndim)))

    got = gradient(f, z)
    step = 1e-6
    for k, turn in itertools.product(range(3), (1.0, 1j)):
        d = step * turn * np.eye(3)[k]
        slope = (f(z + d) - f(z - d)) / (2 * step)
        assert (np.conj(got[k]) * turn).real == pytest.approx(slope, rel=1e-8, abs=1e-8)


# -- Casting -----------------------------------------------------------------------------------------------------


def test_cast_drops_the_imaginary_part_and_what_does_not_fit_silently() -> None:
    assert P.cast(np.array([1 + 2j]), dtype=np.dtype(np.float32)).tolist() == [1.0]
    assert np.isinf(P.cast(np.array([1e30]), dtype=np.dtype(np.float16))).all()
    assert P.cast(np.array([1j, 0j]), dtype=np.dtype(bool)).tolist() == [True, False]
    P.cast(np.array([NAN, INF]), dtype=np.dtype(np.int32))


def test_gradient_through_complex_and_back_is_real() -> None:
    def f(x: Any) -> Any:
        z = P.cast(x, dtype=np.dtype(complex))
        return total("sum", 1.0, axis=(0,))(P.cast(z * z * np.array(1 + 1j), dtype=np.dtype(float)))

    got = gradient(f, [1.0, -3.0])
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [2.0, -6.0])


@pytest.mark.parametrize("size", [257, 1000, 4096, 100_000])
@pytest.mark.parametrize("bits", [64, 40, 12, 1], ids="{} bits".format)
def test_the_order_of_words_is_that_of_a_stable_sort(size: int, bits: int) -> None:
    """Words that differ high up, low down, or hardly at all."""
    words = np.random.default_rng(size).integers(0, 1 << bits, size, dtype=np.uint64)
    for x in (words, words << np.uint64(64 - bits), words[::2], np.sort(words)[::-1]):
        found = P.argsort(x, axis=0)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, np.argsort(x, kind="stable"))
