"""Compiled pooling, its gradients and convolutions of single planes are the records, ties and nan too."""

from __future__ import annotations

import ctypes
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.compiler.build import compile_text
from backlight.compiler.depthwise import Depthwise, depthwise_pieces, emit_depthwise, is_depthwise
from backlight.compiler.expression import memory_kind
from backlight.compiler.ir import Function, Module, Value
from backlight.compiler.pooling import Pooling, emit_pool, emit_unpool, pool_pieces, tap_dtype, unpool_pieces
from backlight.primitive import REGISTRY

P = REGISTRY
GUARD = 4096  # bytes around an array that must stay as they are
WIDTHS = (4, 16)


class Memory:
    """An array between two guards; around an input they hold numbers that would win every maximum."""

    def __init__(self, array: Any, around: Any) -> None:
        margin = GUARD // array.itemsize
        self.around = np.full(margin, around, array.dtype)
        self.whole = np.concatenate([self.around, array.reshape(-1), self.around])
        self.array = self.whole[margin : margin + array.size].reshape(array.shape)

    def is_intact(self) -> bool:
        margin = len(self.around)
        ends = (self.whole[:margin], self.whole[-margin:])
        return all(end.tobytes() == self.around.tobytes() for end in ends)


def storing(b: Function, place: Value, lengths: tuple[int, ...], dtype: Any) -> Any:
    rows, columns = prod(lengths[:-1]), lengths[-1]

    def finish(results: Value, plane: Value, row: Value, column: Value, lanes: int, mask: Value | None) -> None:
        to = b.at(place, (plane * rows + row) * columns + column, memory_kind(dtype))
        if mask is None:
            b.store(results, to)
        else:
            b.masked_store(results, to, mask)

    return finish


def called(names: list[str], write: Any, pieces: int, arrays: list[Memory]) -> None:
    """Compile what ``write`` writes and run its pieces one by one, the last one first."""
    module = Module()
    b = module.function("kernel", [*((name, "ptr noalias") for name in names), ("piece", "i64")])
    write(b)
    b.end()
    machine = compile_text(str(module), ("kernel",), cached=False)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(names), ctypes.c_int64)(machine["kernel"])
    for piece in reversed(range(pieces)):
        run(*(memory.array.ctypes.data for memory in arrays), piece)
    assert all(memory.is_intact() for memory in arrays)


def pooled(pooling: Pooling, x: Any, width: int) -> tuple[Any, Any]:
    top = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    shape = (*x.shape[:2], *pooling.planes.outputs)
    told = pooling.winners if pooling.winners is not None else np.int64
    memories = [Memory(x, top), Memory(np.zeros(shape, x.dtype), 7), Memory(np.zeros(shape, told), 7)]

    def write(b: Function) -> None:
        finish = storing(b, b["y"], pooling.planes.outputs, x.dtype)
        emit_pool(b, pooling, b["x"], b["piece"], width, finish, b["who"] if pooling.winners is not None else None)

    called(["x", "y", "who"], write, pool_pieces(pooling, width), memories)
    return memories[1].array, memories[2].array


def unpooled(pooling: Pooling, g: Any, winners: Any, width: int) -> Any:
    dx = np.full((*g.shape[:2], *pooling.planes.inputs), np.nan, g.dtype)
    memories = [Memory(g, np.inf), Memory(winners, 0), Memory(dx, 7)]

    def write(b: Function) -> None:
        finish = storing(b, b["dx"], pooling.planes.inputs, g.dtype)
        emit_unpool(b, pooling, b["g"], b["who"], b["piece"], width, finish)

    called(["g", "who", "dx"], write, unpool_pieces(pooling, width), memories)
    return memories[2].array


def scattered(places: Any, g: Any, shape: tuple[int, ...]) -> Any:
    dx = np.zeros(prod(shape), g.dtype)
    np.add.at(dx, places.reshape(-1), g.reshape(-1))
    return dx.reshape(shape)


def convolved(record: Any, x: Any, w: Any, params: dict[str, Any], width: int) -> Any:
    kernel, shape = record.kernel(x.shape, w.shape, **params), record.shape(x.shape, w.shape, **params)
    assert is_depthwise(kernel, w.shape)
    depthwise = Depthwise.of(kernel, x.shape, shape, x.dtype)
    memories = [Memory(x, 99), Memory(w, 99), Memory(np.full(shape, 9, x.dtype), 7)]

    def write(b: Function) -> None:
        emit_depthwise(b, depthwise, b["x"], b["w"], b["piece"], width, storing(b, b["y"], shape[2:], x.dtype))

    called(["x", "w", "y"], write, depthwise_pieces(depthwise, width), memories)
    return memories[2].array


def check(x: Any, params: dict[str, Any], width: int) -> None:
    """Maximum, winners and mean, and the gradient of the maximum, against the records."""
    kernel = P.max_pool.kernel(x.shape, **params)
    shape = P.max_pool.shape(x.shape, **params)
    best, places = P.max_pool.value(x, **params), P.max_pool_index.value(x, **params)
    g = np.random.default_rng(len(x)).normal(size=shape).astype(x.dtype)
    taps = tap_dtype(kernel.size, width)
    for winners in (None, np.int64, taps):
        pooling = Pooling.of(kernel, x.shape, shape, x.dtype, winners)
        y, who = pooled(pooling, x, width)
        np.testing.assert_array_equal(y, best)
        if winners is None:
            continue
        if winners == np.int64:
            np.testing.assert_array_equal(who, places)
        np.testing.assert_array_equal(unpooled(pooling, g, who, width), scattered(places, g, x.shape))
    if x.dtype.kind == "f":
        pooling = Pooling.of(P.average_pool.kernel(x.shape, **params), x.shape, shape, x.dtype)
        accurate = {"rtol": 8 * np.finfo(x.dtype).eps, "atol": 8 * np.finfo(x.dtype).eps}
        np.testing.assert_allclose(pooled(pooling, x, width)[0], P.average_pool.value(x, **params), **accurate)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("sample", [s for s in P.max_pool.samples() if prod(s.inputs[0].shape)])
def test_the_records_samples(sample: Any, width: int) -> None:
    check(sample.inputs[0], sample.params, width)


@pytest.mark.parametrize(
    ("shape", "size", "strides", "padding"),
    [
        ((2, 3, 28, 28), (2, 2), (2, 2), 0),
        ((2, 3, 26, 26), (2, 2), (2, 2), 0),
        ((2, 3, 11, 11), (2, 2), (2, 2), 0),
        ((2, 2, 40, 150), (2, 2), (2, 2), 0),  # many strips: a loop
        ((1, 2, 19, 140), (3, 3), (2, 2), 1),
        ((1, 2, 9, 70), (3, 2), (1, 1), 1),
        ((2, 5, 7, 7), (7, 7), (7, 7), 0),
        ((2, 5, 31), (5,), (6,), 2),
        ((1, 2, 5, 6, 37), (2, 3, 3), (2, 1, 3), 1),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_usual_and_unusual_shapes(
    shape: tuple[int, ...], size: tuple[int, ...], strides: tuple[int, ...], padding: int, dtype: Any
) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    check(x, {"size": size, "strides": strides, "padding": ((padding, padding),) * len(size)}, 16)


@st.composite
def cases(draw: Any) -> tuple[Any, dict[str, Any]]:
    d = draw(st.sampled_from((1, 2, 2, 3)))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(d))
    size = each(1, 4 if d < 3 else 2)
    spatial = (*each(1, 6)[1:], draw(st.integers(1, 45)))
    strides = each(1, 5)
    padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in size)
    if any(n + sum(pad) < k for n, k, pad in zip(spatial, size, padding, strict=True)):
        spatial = tuple(max(n, k) for n, k in zip(spatial, size, strict=True))
    dtype = draw(st.sampled_from(["f4", "f4", "f8", "i4", "u1", "i8"]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.integers(0, 4, (draw(st.integers(1, 2)), 2, *spatial)).astype(dtype)  # few numbers, so that many are equal
    if x.dtype.kind == "f":
        x[rng.random(x.shape) < draw(st.sampled_from((0, 0.1, 0.5)))] = np.nan
        x[rng.random(x.shape) < 0.1] = -np.inf
    return x, {"size": size, "strides": strides, "padding": padding}


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from(WIDTHS))
def test_random_windows_with_ties_and_nan(case: Any, width: int) -> None:
    x, params = case
    with np.errstate(invalid="ignore"):
        check(x, params, width)


def test_indices_from_anywhere_do_no_harm() -> None:
    params: dict[str, Any] = {"size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    shape = (2, 3, 11, 10)
    kernel, outputs = P.max_pool.kernel(shape, **params), P.max_pool.shape(shape, **params)
    g = np.ones(outputs, np.float32)
    for low, high in ((-(2**62), 2**62), (-700, 1400)):
        places = np.random.default_rng(3).integers(low, high, outputs)
        dx = unpooled(Pooling.of(kernel, shape, outputs, g.dtype, np.int64), g, places, 16)
        assert set(np.unique(dx)) <= {0.0, 1.0}


def test_a_window_of_nothing_but_padding() -> None:
    params: dict[str, Any] = {"size": (2,), "strides": (2,), "padding": ((4, 0),)}
    x = np.array([[[3.0, 1.0], [5.0, 6.0]]])
    kernel, shape = P.max_pool.kernel(x.shape, **params), P.max_pool.shape(x.shape, **params)
    y, places = pooled(Pooling.of(kernel, x.shape, shape, x.dtype, np.int64), x, 16)
    np.testing.assert_array_equal(y, P.max_pool.value(x, **params))
    np.testing.assert_array_equal(places, P.max_pool_index.value(x, **params))


# -- Convolutions of single planes ---------------------------------------------------------------------------------


@st.composite
def convolutions(draw: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    d = draw(st.sampled_from((1, 2, 2, 3)))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(d))
    size, strides, dilation = each(1, 4 if d < 3 else 2), each(1, 5), each(1, 3)
    padding = tuple(zip(each(-2, 3), each(-2, 3), strict=True))
    spatial = (*each(1, 7)[1:], draw(st.integers(1, 45)))
    params = {"strides": strides, "padding": padding, "dilation": dilation, "groups": draw(st.integers(1, 3))}
    record = draw(st.sampled_from((P.convolution, P.convolution_transpose)))
    if record is P.convolution_transpose:
        params["output_padding"] = tuple(draw(st.integers(0, stride - 1)) for stride in strides)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    dtype = draw(st.sampled_from(["f4", "f8", "i4"]))
    x = rng.integers(-9, 9, (2, params["groups"], *spatial)).astype(dtype)
    w = rng.integers(-9, 9, (params["groups"], 1, *size)).astype(dtype)
    return record, x, w, params


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.sampled_from(WIDTHS))
def test_random_convolutions_of_single_planes(case: Any, width: int) -> None:
    record, x, w, params = case
    try:
        shape = record.shape(x.shape, w.shape, **params)
    except ValueError:
        return
    if min(shape) < 1:
        return
    np.testing.assert_array_equal(convolved(record, x, w, params, width), record.value(x, w, **params))


@pytest.mark.parametrize("length", [11, 28, 150])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (7, 7)])
def test_the_gradient_of_the_mean_is_spread_over_the_windows(length: int, size: int, stride: int) -> None:
    outputs = (length - size) // stride + 1
    g = np.random.default_rng(2).integers(-9, 9, (6, 1, outputs, outputs)).astype(np.float32)
    params: dict[str, Any] = {"strides": (stride,) * 2, "padding": ((0, 0),) * 2, "dilation": (1, 1), "groups": 1}
    params["output_padding"] = ((length - size) % stride,) * 2
    taps = np.full((1, 1, size, size), 0.25, np.float32)
    got = convolved(P.convolution_transpose, g, taps, params, 16)
    np.testing.assert_array_equal(got, P.convolution_transpose.value(g, taps, **params))
