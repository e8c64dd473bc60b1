"""The table of pooling: the largest element, or the mean, of every sliding window, channels first."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backlight.ops.window import output_length, sliding, wave
from backlight.primitive import REGISTRY, Sample, Structural, Why, Window

__all__: list[str] = []

P = REGISTRY
Pads = tuple[tuple[int, int], ...]
Ints = tuple[int, ...]


def _shape(s: Ints, *, size: Ints, strides: Ints, padding: Pads) -> Ints:
    return (*s[:2], *(output_length(*each) for each in zip(s[2:], size, strides, padding, strict=True)))


def _kernel(combine: str) -> Any:
    return lambda s, *, size, strides, padding: Window(combine, size, strides, padding, (1,) * len(size))


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _folded(x: Any, combine: Any, size: Ints, strides: Ints, padding: Pads, fill: Any) -> Any:
    """Fold axis by axis: the maximum (or sum) over a box is that over its rows, then over the row results."""
    for i, (n, stride, pad) in enumerate(zip(size, strides, padding, strict=True)):
        axis = 2 + i
        if pad != (0, 0):
            around = [(0, 0)] * x.ndim
            around[axis] = pad
            x = np.pad(x, around, constant_values=fill)
        count = output_length(x.shape[axis], n, stride, (0, 0))
        front = (slice(None),) * axis
        parts = [x[(*front, slice(k, k + stride * (count - 1) + 1, stride))] for k in range(n)]
        y = parts[0].copy()
        for part in parts[1:]:
            combine(y, part, out=y)
        x = y
    return x


def _max_pool(x: Any, *, size: Ints, strides: Ints, padding: Pads) -> Any:
    return _folded(x, np.maximum, size, strides, padding, _lowest(x.dtype))


def _winners(x: Any, *, size: Ints, strides: Ints, padding: Pads) -> Any:
    """Where every window's first largest element (or nan) stands in ``x`` read as one row; never in the padding."""
    d = len(size)
    best = _max_pool(x, size=size, strides=strides, padding=padding)
    view = sliding(x, size, strides, padding, (1,) * d, _lowest(x.dtype))
    place = np.zeros(best.shape, np.int64)
    for taps in reversed(list(np.ndindex(*size))):  # later ones are overwritten by earlier ones
        here: Any = np.zeros((1,) * d, np.int64)
        inside: Any = np.ones((1,) * d, bool)
        for i, (tap, stride, (lo, _), length) in enumerate(zip(taps, strides, padding, x.shape[2:], strict=True)):
            along = np.arange(best.shape[2 + i]).reshape(-1, *(1,) * (d - 1 - i)) * stride + tap - lo
            here = here * length + along
            inside = inside & (along >= 0) & (along < length)
        seen = view[(..., *taps)]
        np.copyto(place, here, where=((seen == best) | (seen != seen)) & inside)
    rows = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *(1,) * d)
    return place + rows * prod(x.shape[2:])


def _max_pool_pullback(x: Any, y: Any, g: Any, **params: Any) -> Any:
    """Each window's gradient goes to the element that won it; a winner of several windows adds theirs up."""
    places = P.reshape(P.max_pool_index(x, **params), shape=(prod(g.shape),))
    nothing = np.zeros(prod(x.shape), x.dtype)
    return P.reshape(P.scatter_add(nothing, places, P.reshape(g, shape=(prod(g.shape),))), shape=x.shape)


def _average_pool(x: Any, *, size: Ints, strides: Ints, padding: Pads) -> Any:
    x = x if x.dtype.kind in "fc" else x.astype(float)  # before adding, which may overflow
    return _folded(x, np.add, size, strides, padding, 0) / x.dtype.type(prod(size))


def _average_pool_pullback(x: Any, y: Any, g: Any, *, size: Ints, strides: Ints, padding: Pads) -> Any:
    """Every window hands 1/size of its gradient to each of its elements: a transposed convolution with equal taps."""
    extra = tuple(
        (n + sum(pad) - k) % stride for n, k, stride, pad in zip(x.shape[2:], size, strides, padding, strict=True)
    )
    examples, channels, *outputs = g.shape
    taps = np.full((1, 1, *size), 1 / prod(size), x.dtype)
    spread = P.convolution_transpose(
        P.reshape(g, shape=(examples * channels, 1, *outputs)),
        taps,
        strides=strides,
        padding=padding,
        dilation=(1,) * len(size),
        groups=1,
        output_padding=extra,
    )
    return P.reshape(spread, shape=x.shape)


def _batch(name: str) -> Any:
    """Examples join the first axis."""

    def batch(batched: tuple[bool, ...], x: Any, **params: Any) -> Any:
        merged = P.reshape(x, shape=(x.shape[0] * x.shape[1], *x.shape[2:]))
        y = getattr(P, name)(merged, **params)
        return P.reshape(y, shape=(*x.shape[:2], *y.shape[1:]))

    return batch


def _index_batch(batched: tuple[bool, ...], x: Any, **params: Any) -> Any:
    """Places are counted within each example."""
    places = _batch("max_pool_index")(batched, x, **params)
    before = np.arange(x.shape[0]) * prod(x.shape[1:])
    return places - before.reshape(-1, *(1,) * (places.ndim - 1))


def _samples() -> list[Sample]:
    def sample(shape: Ints, size: Ints, strides: Ints, padding: Pads) -> Sample:
        return Sample((wave(*shape),), {"size": size, "strides": strides, "padding": padding})

    return [
        sample((1, 2, 6), (2,), (2,), ((0, 0),)),
        sample((2, 1, 5), (3,), (1,), ((1, 2),)),
        sample((1, 1, 4, 5), (2, 2), (2, 1), ((1, 0), (0, 1))),
        sample((1, 2, 3, 3), (2, 2), (3, 3), ((1, 1), (1, 1))),
        sample((1, 1, 2, 3, 3), (2, 2, 2), (1, 1, 2), ((0, 0), (0, 0), (1, 1))),
        sample((0, 1, 4), (2,), (2,), ((0, 0),)),
    ]


REGISTRY.enter(
    Structural(
        name="max_pool",
        value=_max_pool,
        shape=_shape,
        pullback=(_max_pool_pullback,),
        linear_in=(),
        kernel=_kernel("maximum"),
        why=Why(
            "Only the largest element of a window reached the output, so it alone is told about the gradient.",
            "每个窗口中只有最大的元素到达输出，所以梯度也只传给它。",
        ),
        samples=_samples,
        at_kink="among equal largest elements of a window the first, in reading order, takes the whole gradient",
        batch=_batch("max_pool"),
    ),
    Structural(
        name="max_pool_index",
        value=_winners,
        shape=_shape,
        pullback=(None,),
        linear_in=(),
        kernel=_kernel("argmax"),
        why=Why(
            "It names the winner of every window; a name does not change when the numbers change a little.",
            "它给出每个窗口胜出者的位置；数值稍有变化时，位置不变。",
        ),
        samples=_samples,
        at_kink="among equal largest elements the first, in reading order, is named",
        batch=_index_batch,
    ),
    Structural(
        name="average_pool",
        value=_average_pool,
        shape=_shape,
        pullback=(_average_pool_pullback,),
        linear_in=(0,),
        kernel=_kernel("mean"),
        why=Why(
            "Every element of a window moved the mean by an equal share, so each receives that share of the gradient.",
            "窗口中的每个元素对平均值的影响相同，所以各得到梯度的同等一份。",
        ),
        samples=_samples,
        batch=_batch("average_pool"),
        complex=True,
    ),
)
