"""Convolutions lowered to products agree with their records, whatever the strides, padding, dilation and groups."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.compiler.kernels import Access
from backlight.compiler.window import Axes, Lowered, lower
from backlight.layout import contiguous_strides
from backlight.primitive import REGISTRY, Sample

P = REGISTRY
RECORDS = (P.convolution, P.convolution_transpose)


def places(access: Access, lengths: tuple[int, ...]) -> tuple[Any, Any]:
    """Where every element stands, and whether it exists."""
    index = np.indices(lengths)
    at = (
        access.offset
        + sum(i * stride for i, stride in zip(index, access.strides, strict=True))
        + np.zeros(lengths, int)
    )
    exists = np.ones(lengths, bool)
    for bound in access.bounds:
        t = bound.offset + sum(i * stride for i, stride in zip(index, bound.strides, strict=True))
        exists &= (t >= 0) & (t < bound.size)
    return at, exists


def operand(memory: Any, access: Access, lengths: tuple[int, ...]) -> Any:
    at, exists = places(access, lengths)
    assert ((at >= 0) & (at < memory.size))[exists].all(), "an element that exists stands outside of the buffer"
    return np.where(exists, memory[np.where(exists, at, 0)], 0) if memory.size else np.zeros(lengths)


def computed(lowered: list[Lowered], x: Any, w: Any, shape: tuple[int, ...]) -> Any:
    """y, by the products' definition; every element must be written once."""
    y = np.zeros(prod(shape))
    times = np.zeros(prod(shape), int)
    for product, output in lowered:
        batch, rows, columns, inner = product.batch, product.rows, product.columns, product.inner
        left = operand(w, product.left, (*batch, *rows, *inner)).reshape(prod(batch), prod(rows), prod(inner))
        right = operand(x, product.right, (*batch, *inner, *columns)).reshape(prod(batch), prod(inner), prod(columns))
        at, _ = places(output, (*batch, *rows, *columns))
        y[at.reshape(-1)] = (left @ right).reshape(-1)
        np.add.at(times, at.reshape(-1), 1)
    assert (times == 1).all()
    return y.reshape(shape)


def lowered_of(record: Any, x: Any, w: Any, params: dict[str, Any]) -> tuple[list[Lowered], Any, tuple[int, ...]]:
    """For operands that lie contiguous in memory."""
    kernel = record.kernel(x.shape, w.shape, **params)
    shape = record.shape(x.shape, w.shape, **params)
    axes = Axes.of(kernel, x.shape, w.shape)
    x_access = Access(0, 0, contiguous_strides(axes.of_x(kernel)))
    w_access = Access(1, 0, contiguous_strides(axes.of_w(kernel)))
    return lower(kernel, axes, shape[2:], x_access, w_access, x.dtype), kernel, shape


SAMPLES = [(record, sample) for record in RECORDS for sample in record.samples()]


@pytest.mark.parametrize(("record", "sample"), SAMPLES, ids=lambda each: getattr(each, "name", ""))
def test_products_are_the_record(record: Any, sample: Sample) -> None:
    x, w = sample.inputs
    lowered, _, shape = lowered_of(record, x, w, sample.params)
    np.testing.assert_allclose(
        computed(lowered, x.reshape(-1), w.reshape(-1), shape), record.value(x, w, **sample.params)
    )


@st.composite
def cases(draw: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    d = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(d))
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    channels, filters = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size, strides, dilation = each(1, 4 if d < 3 else 2), each(1, 4), each(1, 3)
    padding = tuple(zip(each(-2, 3), each(-2, 3), strict=True))
    transposed = draw(st.booleans())
    held = filters if transposed else channels
    examples, spatial = draw(st.integers(1, 3)), each(1, 7 if d < 3 else 4)
    params = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    record = P.convolution
    if transposed:
        record = P.convolution_transpose
        params["output_padding"] = tuple(draw(st.integers(0, stride - 1)) for stride in strides)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.integers(-9, 9, (examples, groups * held, *spatial)).astype(float)
    w = rng.integers(-9, 9, (groups * filters, channels, *size)).astype(float)
    return record, x, w, params


@settings(max_examples=300, deadline=None)
@given(cases())
def test_products_of_random_windows(case: Any) -> None:
    record, x, w, params = case
    try:
        shape = record.shape(x.shape, w.shape, **params)
    except ValueError:
        return
    if min(shape) < 1:
        return
    lowered, _, shape = lowered_of(record, x, w, params)
    got = computed(lowered, x.reshape(-1), w.reshape(-1), shape)
    np.testing.assert_array_equal(got, record.value(x, w, **params))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("strides", "padding", "dilation"), [(1, (0, 0), 1), (2, (1, 1), 1), (1, (2, 2), 2), (3, (2, -1), 2)]
)
def test_the_gradient_by_the_filters_reads_transposed_images_where_they_are(
    groups: int, strides: int, padding: tuple[int, int], dilation: int
) -> None:
    """Examples and channels have changed places in both operands: other strides, not other memory."""
    examples, channels, filters, size, length = 3, 2, 2, 3, 9
    rng = np.random.default_rng(1)
    x = rng.integers(-9, 9, (examples, groups * channels, length, length)).astype(float)
    params = {"strides": (strides,) * 2, "padding": (padding,) * 2, "dilation": (dilation,) * 2, "groups": groups}
    shape = P.convolution.shape(x.shape, (groups * filters, channels, size, size), **params)
    g = rng.integers(-9, 9, shape).astype(float)

    left = (length + sum(padding) - dilation * (size - 1) - 1) % strides
    trimmed = (padding[0], padding[1] - left)
    kernel = P.convolution.kernel(
        x.shape, (groups * filters, examples, *shape[2:]), strides=(dilation,) * 2, padding=(trimmed,) * 2,
        dilation=(strides,) * 2, groups=groups,
    )  # fmt: skip
    axes = Axes((channels,), (groups,), (examples,), (filters,), x.shape[2:])
    by_x = contiguous_strides((examples, groups, channels, length, length))
    by_g = contiguous_strides((examples, groups, filters, *shape[2:]))
    x_access = Access(0, 0, (by_x[2], by_x[1], by_x[0], *by_x[3:]))
    g_access = Access(1, 0, (by_g[1], by_g[2], by_g[0], *by_g[3:]))
    lowered = lower(kernel, axes, (size, size), x_access, g_access, x.dtype)
    assert not any(product.batch != ((groups,) if groups > 1 else (1,)) for product, _ in lowered)
    got = computed(lowered, x.reshape(-1), g.reshape(-1), (channels, groups * filters, size, size))

    for o in range(groups * filters):
        for c in range(channels):
            for i in range(size):
                for j in range(size):
                    w = np.zeros((groups * filters, channels, size, size))
                    w[o, c, i, j] = 1.0
                    assert got[c, o, i, j] == np.sum(g * P.convolution.value(x, w, **params))


def test_only_what_is_needed() -> None:
    """Bounds only where windows reach outside; one product unless an output's class decides which taps it meets."""
    x, w = np.zeros((2, 3, 8, 8)), np.zeros((4, 3, 3, 3))

    def products(record: Any, **params: Any) -> list[Lowered]:
        params = {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1} | params
        filters = np.zeros((3, 4, *params.pop("size", (3, 3)))) if record is P.convolution_transpose else w
        return lowered_of(record, x, filters, params)[0]

    assert [len(each.product.right.bounds) for each in products(P.convolution)] == [0]
    assert [len(each.product.right.bounds) for each in products(P.convolution, padding=((0, 0), (1, 1)))] == [1]
    assert [len(each.product.right.bounds) for each in products(P.convolution, padding=((-1, -1), (-2, 0)))] == [0]
    nothing: dict[str, Any] = {"output_padding": (0, 0)}
    assert len(products(P.convolution_transpose, **nothing)) == 1
    assert len(products(P.convolution_transpose, **nothing, strides=(2, 2))) == 4
    assert len(products(P.convolution_transpose, **nothing, strides=(2, 2), size=(4, 4))) == 1
    assert len(products(P.convolution_transpose, **nothing, strides=(16, 16), size=(16, 16))) == 1
