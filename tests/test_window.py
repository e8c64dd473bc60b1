"""Convolution and pooling against plain loops over every index, finite differences, and the law of the adjoint."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import check_first_order, check_second_order, close, inner, plain, vjp, wave

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.primitive import REGISTRY as P
from backlight.windows import average_pool, convolution, convolution_transpose, max_pool


def numbers(shape: tuple[int, ...], phase: float = 0.0, dtype: Any = np.float64) -> Any:
    return np.asarray(wave(np.zeros(shape, dtype), phase))


# -- References: the definition, index by index ----------------------------------------------------------------------


def windows_of(lengths: Any, size: Any, strides: Any, pads: Any, dilation: Any) -> Any:
    """Every window p, every tap k, and the place in x (``None`` in the padding)."""
    counts = [
        len(range(-lo, n + hi - e * (k - 1), s))
        for n, k, s, (lo, hi), e in zip(lengths, size, strides, pads, dilation, strict=True)
    ]
    for p in itertools.product(*map(range, counts)):
        for k in itertools.product(*map(range, size)):
            place = tuple(s * i + e * j - lo for s, i, e, j, (lo, _) in zip(strides, p, dilation, k, pads, strict=True))
            inside = all(0 <= i < n for i, n in zip(place, lengths, strict=True))
            yield p, k, place if inside else None


def looped_convolution(x: Any, w: Any, strides: Any, pads: Any, dilation: Any, groups: int) -> Any:
    found: dict[tuple[int, ...], Any] = {}
    filters, each = w.shape[0], w.shape[1]
    for p, k, place in windows_of(x.shape[2:], w.shape[2:], strides, pads, dilation):
        for n, o in itertools.product(range(x.shape[0]), range(filters)):
            group = o // (filters // groups)
            total = found.setdefault((n, o, *p), 0.0)
            if place is not None:
                total += sum(w[(o, c, *k)] * x[(n, group * each + c, *place)] for c in range(each))
            found[(n, o, *p)] = total
    y = np.zeros([max(index) + 1 for index in zip(*found, strict=True)], np.result_type(x, w))
    for index, value in found.items():
        y[index] = value
    return y


def looped_pool(x: Any, size: Any, strides: Any, pads: Any, fold: Any, keep_padding: bool) -> Any:
    found: dict[tuple[int, ...], list[float]] = {}
    for p, _, place in windows_of(x.shape[2:], size, strides, pads, (1,) * len(size)):
        for n, c in itertools.product(*map(range, x.shape[:2])):
            members = found.setdefault((n, c, *p), [])
            if place is not None:
                members.append(x[(n, c, *place)])
            elif keep_padding:
                members.append(0.0)
    y = np.zeros([max(index) + 1 for index in zip(*found, strict=True)])
    for index, members in found.items():
        y[index] = fold(members)
    return y


# -- Convolution ---------------------------------------------------------------------------------------------------


@st.composite
def convolutions(draw: Any) -> dict[str, Any]:
    d = draw(st.integers(1, 3))

    def each(strategy: Any) -> Any:
        return tuple(draw(strategy) for _ in range(d))

    size, strides, dilation = each(st.integers(1, 3 if d < 3 else 2)), each(st.integers(1, 3)), each(st.integers(1, 2))
    pads = each(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    reach = [e * (k - 1) + 1 for e, k in zip(dilation, size, strict=True)]
    lengths = tuple(
        max(r - lo - hi, 1) + draw(st.integers(0, 4 if d == 1 else 2)) for r, (lo, hi) in zip(reach, pads, strict=True)
    )
    groups, channels, filters = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    examples = draw(st.integers(1, 2))
    return {
        "x": (examples, groups * channels, *lengths),
        "w": (groups * filters, channels, *size),
        "strides": strides,
        "padding": pads,
        "dilation": dilation,
        "groups": groups,
    }


def split(case: dict[str, Any], dtype: Any = np.float64) -> tuple[list[Any], dict[str, Any]]:
    options = {k: v for k, v in case.items() if k not in ("x", "w")}
    return [numbers(case["x"], 0.0, dtype), numbers(case["w"], 1.0, dtype)], options


@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_convolution_is_its_definition(case: dict[str, Any]) -> None:
    for dtype in (np.float64, np.complex128):
        (x, w), options = split(case, dtype)
        expected = looped_convolution(
            x, w, options["strides"], options["padding"], options["dilation"], options["groups"]
        )
        y = convolution(backlight.array(x), w, **options)
        assert y.shape == expected.shape
        close(plain(y), expected, 1e-13)


@given(convolutions())
@settings(max_examples=25, deadline=None)
def test_convolution_differentiates(case: dict[str, Any]) -> None:
    for dtype in (np.float64, np.complex128):
        xs, options = split(case, dtype)
        check_first_order(partial(convolution, **options), xs)
        check_second_order(partial(convolution, **options), xs)


@given(convolutions(), st.data())
@settings(max_examples=25, deadline=None)
def test_convolution_transpose_differentiates(case: dict[str, Any], data: Any) -> None:
    (x, w), options = split(case)
    y = convolution(x, w, **options)
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in options["strides"])
    whole = [(n - 1) * s + e * (k - 1) + 1 + m for n, s, e, k, m in zip(
        y.shape[2:], options["strides"], options["dilation"], w.shape[2:], extra, strict=True)]  # fmt: skip
    if any(n <= lo + hi for n, (lo, hi) in zip(whole, options["padding"], strict=True)):
        with pytest.raises(ShapeError):
            convolution_transpose(plain(y), w, **options, output_padding=extra)
        return
    f = lambda a, b: convolution_transpose(a, b, **options, output_padding=extra)
    check_first_order(f, [numbers(y.shape, 0.2), w])
    check_second_order(f, [numbers(y.shape, 0.2), w])


@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_transposed_convolution_is_the_adjoint(case: dict[str, Any]) -> None:
    """⟨u, conv(x, w)⟩ = ⟨conv_transpose(u, conj w), x⟩ for every u and x."""
    (x, w), options = split(case, np.complex128)
    y = plain(convolution(x, w, **options))
    u = numbers(y.shape, 2.0, np.complex128)
    lengths = zip(
        x.shape[2:], y.shape[2:], w.shape[2:], *(options[k] for k in ("strides", "padding", "dilation")), strict=True
    )
    extra = tuple(n - ((t - 1) * s + e * (k - 1) + 1 - sum(pad)) for n, t, k, s, pad, e in lengths)
    back = plain(convolution_transpose(u, w.conj(), **options, output_padding=extra))
    assert back.shape == x.shape
    np.testing.assert_allclose(inner([u], [y]), inner([back], [x]), rtol=1e-12, atol=1e-12)
    close(vjp(lambda z: convolution(z, w, **options), [x], [u])[0], back, 1e-13)


def test_options_in_every_form() -> None:
    x, w = numbers((1, 2, 5, 6)), numbers((3, 2, 3, 2), 1.0)
    reference = plain(convolution(x, w, strides=(2, 2), padding=((1, 1), (1, 1))))
    for options in (
        {"strides": 2, "padding": 1},
        {"strides": [2, 2], "padding": (1, 1)},
        {"strides": np.array([2, 2]), "padding": [(1, 1), [1, 1]]},
        {"strides": (np.int64(2), 2), "padding": np.array([[1, 1], [1, 1]])},
        {"strides": 2, "padding": (1, (1, 1)), "dilation": 1, "groups": np.int64(1)},
    ):
        np.testing.assert_array_equal(plain(convolution(x, w, **options)), reference)
    valid = plain(convolution(x, w, padding="valid"))
    np.testing.assert_array_equal(valid, plain(convolution(x, w)))


@pytest.mark.parametrize("length", range(1, 8))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding(length: int, stride: int) -> None:
    for size, dilation in itertools.product((1, 2, 3, 4), (1, 2)):
        y = convolution(numbers((1, 1, length)), numbers((1, 1, size)), stride, "same", dilation)
        assert y.shape[2] == -(-length // stride)
        z = convolution_transpose(numbers((1, 1, length)), numbers((1, 1, size)), stride, "same", dilation)
        assert z.shape[2] == length * stride
        assert max_pool(numbers((1, 1, length)), size, stride, "same").shape[2] == -(-length // stride)
    odd = plain(convolution(np.ones((1, 1, 4)), np.array([[[1.0, 10.0]]]), padding="same"))
    np.testing.assert_array_equal(odd, [[[11, 11, 11, 1]]])  # the odd zero stands after


def test_plain_arrays_stay_plain() -> None:
    x, w = numbers((1, 1, 4)), numbers((1, 1, 2))
    for y in (convolution(x, w), convolution_transpose(x, w), max_pool(x, 2), average_pool(x, 2, None, 1, False)):
        assert isinstance(y, np.ndarray)
    assert isinstance(convolution(x.tolist(), [[[backlight.array(1.0)]]]), backlight.Array)


def test_precision_and_promotion() -> None:
    x, w = numbers((1, 1, 4)), numbers((1, 1, 2))
    assert convolution(backlight.array(x.astype(np.float32)), w.astype(np.float32)).dtype == np.float32
    assert convolution(backlight.array(x.astype(np.float32)), w).dtype == np.float64
    whole = convolution(np.arange(4).reshape(1, 1, 4), np.ones((1, 1, 2), int))
    np.testing.assert_array_equal(plain(whole), [[[1, 3, 5]]])
    assert average_pool(np.arange(4).reshape(1, 1, 4), 2).dtype == np.float64


def test_large_windows_take_the_short_loop() -> None:
    """More taps than windows: the transposed convolution adds window by window and must agree."""
    w = numbers((1, 1, 9), 1.0)
    x = numbers((1, 1, 2))
    expected = np.zeros(10)
    for p in range(2):
        expected[p : p + 9] += x[0, 0, p] * w[0, 0]
    close(plain(convolution_transpose(x, w)), expected.reshape(1, 1, 10), 1e-14)


# -- Pooling -------------------------------------------------------------------------------------------------------


@st.composite
def pools(draw: Any) -> tuple[tuple[int, ...], dict[str, Any]]:
    d = draw(st.integers(1, 3))
    size = tuple(draw(st.integers(1, 3 if d < 3 else 2)) for _ in range(d))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(d))
    pads = tuple((draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))) for n in size)
    lengths = tuple(n + draw(st.integers(0, 3 if d < 3 else 1)) for n in size)
    return (draw(st.integers(1, 2)), 2, *lengths), {"size": size, "strides": strides, "padding": pads}


@given(pools())
@settings(max_examples=60, deadline=None)
def test_pools_are_their_definitions(case: tuple[tuple[int, ...], dict[str, Any]]) -> None:
    shape, options = case
    x = numbers(shape)
    args = options["size"], options["strides"], options["padding"]
    mean = lambda members: sum(members) / len(members)
    np.testing.assert_array_equal(plain(max_pool(x, **options)), looped_pool(x, *args, max, False))
    close(plain(average_pool(x, **options)), looped_pool(x, *args, mean, True), 1e-14)
    close(plain(average_pool(x, **options, count_include_pad=False)), looped_pool(x, *args, mean, False), 1e-14)
    places = P.max_pool_index(x, **options)
    np.testing.assert_array_equal(x.ravel()[places], plain(max_pool(x, **options)))


@given(pools())
@settings(max_examples=25, deadline=None)
def test_pools_differentiate(case: tuple[tuple[int, ...], dict[str, Any]]) -> None:
    shape, options = case
    x = 0.1 * numbers(shape).ravel().argsort().argsort().reshape(shape)  # in disorder, and well apart: no ties
    for f in (max_pool, average_pool, lambda z, **o: average_pool(z, **o, count_include_pad=False)):
        check_first_order(lambda z, f=f: f(z, **options), [x])
        check_second_order(lambda z, f=f: f(np.exp(z / 9), **options) ** 2, [x])


def test_max_pool_ties_and_overlaps() -> None:
    x = np.array([[[2.0, 2.0, 1.0, 5.0, 5.0, 5.0]]])
    np.testing.assert_array_equal(vjp(lambda z: max_pool(z, 2), [x])[0], [[[1, 0, 0, 1, 1, 0]]])
    np.testing.assert_array_equal(vjp(lambda z: max_pool(z, 3, 1), [x])[0], [[[1, 0, 0, 3, 0, 0]]])
    plane = np.zeros((1, 1, 2, 2))
    np.testing.assert_array_equal(vjp(lambda z: max_pool(z, 2), [plane])[0], [[[[1, 0], [0, 0]]]])


def test_max_pool_of_integers_and_nan() -> None:
    whole = np.array([[[-5, -7, -3]]])
    np.testing.assert_array_equal(plain(max_pool(whole, 2, 1, 1)), [[[-5, -5, -3, -3]]])
    y = plain(max_pool(np.array([[[1.0, np.nan, 2.0, 3.0]]]), 2))
    np.testing.assert_array_equal(y, [[[np.nan, 3.0]]])


def test_winners_are_never_in_the_padding() -> None:
    """An element of -∞ equals the padding, and a nan wins its window: the gradient stays with elements of x."""
    x = np.array([[[-np.inf, -np.inf, np.nan, 1.0]], [[-np.inf, 0.0, 0.0, np.nan]]])
    places = P.max_pool_index(x, size=(2,), strides=(2,), padding=((1, 1),))
    np.testing.assert_array_equal(places, [[[0, 2, 3]], [[4, 5, 7]]])
    lowest = np.full((1, 1, 2), np.iinfo(np.int32).min, np.int32)
    places = P.max_pool_index(lowest, size=(2,), strides=(1,), padding=((1, 1),))
    np.testing.assert_array_equal(places, [[[0, 0, 1]]])


def test_hessian_through_max_pool() -> None:
    x = np.array([[[1.0, 3.0, 2.0, 0.5]]])
    found = backlight.hessian(lambda z: np.sum(max_pool(z, 2) ** 3))(x).reshape(4, 4)
    np.testing.assert_allclose(found, np.diag([0, 18.0, 12.0, 0]))


def test_per_example_gradients() -> None:
    x, w = numbers((3, 1, 2, 5, 4)), numbers((2, 2, 2, 3), 1.0)

    def loss(filters: Any, image: Any) -> Any:
        return np.sum(max_pool(convolution(image, filters, padding=1), 2) ** 2)

    together = backlight.vmap(backlight.grad(loss), in_axes=(None, 0))(w, x)
    for k in range(3):
        close(together[k], backlight.grad(loss)(w, x[k]), 1e-12)


# -- Refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (
            lambda x: convolution(x, np.zeros((4, 2, 3, 3))),
            ShapeError,
            ["`picture`", "(1, 3, 6, 6)", "axis 1", "moveaxis"],
        ),
        (lambda x: convolution(x, np.zeros((4, 3, 3))), ShapeError, ["1 spatial axes"]),
        (lambda x: convolution(x[0], np.zeros((4, 3, 3, 3))), ShapeError, ["x[None]", "2 spatial axes"]),
        (lambda x: convolution(x, np.zeros((4, 3, 7, 3))), ShapeError, ["axis 2", "7", "padding of at least 1"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), dilation=3), ShapeError, ["reaches over 7"]),
        (lambda x: convolution(x, np.zeros((4, 1, 3, 3)), groups=2), ShapeError, ["groups=2 divides"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), strides=0), ArgumentError, ["strides must be", "0"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), strides=(1, 2, 3)), ArgumentError, ["2 spatial axes"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), strides=1.5), ArgumentError, ["1.5"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), padding="full"), ArgumentError, ["'same'", "'full'"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), padding=-1), ArgumentError, ["-1"]),
        (lambda x: convolution(x, np.zeros((4, 3, 3, 3)), padding=((1, 2, 3), 1)), ArgumentError, ["pair"]),
        (lambda x: convolution_transpose(x, np.zeros((4, 2, 3, 3))), ShapeError, ["axis 0"]),
        (lambda x: convolution_transpose(x, np.zeros((3, 2, 3, 3)), 2, output_padding=2), ArgumentError, ["stride"]),
        (lambda x: convolution_transpose(x, np.zeros((3, 2, 1, 1)), padding=4), ShapeError, ["axis 2"]),
        (lambda x: max_pool(x, 2, padding=2), ArgumentError, ["smaller than the window"]),
        (lambda x: max_pool(x, 7), ShapeError, ["axis 2"]),
        (lambda x: max_pool(x[0, 0], 2), ShapeError, ["x[None]"]),
        (lambda x: average_pool(x, (2, 2, 2)), ArgumentError, ["size"]),
    ],
)
def test_refusals(call: Any, kind: Any, words: list[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    picture = backlight.array(np.zeros((1, 3, 6, 6)))
    with pytest.raises(kind) as caught:
        call(picture)
    text = str(caught.value)
    for word in (*words, __file__):
        assert word in text
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    with pytest.raises(kind) as caught:
        call(picture)
    assert any("一" <= letter <= "鿿" for letter in str(caught.value))
