"""The table of convolutions: sums of products over sliding windows, channels first.

    convolution             y[n, o, p] = Σ_{c, k} w[o, c, k] · x[n, c, strides·p + dilation·k - lo]
    convolution_transpose   y[n, c, i] = Σ_{o, p, k : i = strides·p + dilation·k - lo} w[o, c, k] · x[n, o, p]

with x (N, C, *S), w (O, C/groups, *K), ``padding`` a pair (lo, hi) of zeros added per axis (negative: cropped). The
second is the adjoint of the first in x. Both are linear in x and in w, and the gradient of either is again one of the
two, so derivatives of every order stay within the table. ``output_padding`` is what the floor in the length of a
strided convolution's output has dropped, and what its adjoint has to put back.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backlight.primitive import REGISTRY, Sample, Structural, Why, Window

__all__ = ["output_length", "sliding", "transposed_length", "wave"]

P = REGISTRY
Pads = tuple[tuple[int, int], ...]
Ints = tuple[int, ...]


# -- Shapes --------------------------------------------------------------------------------------------------------


def output_length(length: int, size: int, stride: int, pad: tuple[int, int], dilation: int = 1) -> int:
    """How many windows of ``size`` fit; raises ``ValueError`` where none does."""
    room = length + sum(pad) - dilation * (size - 1) - 1
    if room < 0:
        reach = dilation * (size - 1) + 1
        raise ValueError(f"a window that reaches over {reach} elements does not fit into {length} padded by {pad}")
    return room // stride + 1


def transposed_length(length: int, size: int, stride: int, pad: tuple[int, int], dilation: int, extra: int) -> int:
    """The length whose windows ``length`` counts."""
    return (length - 1) * stride + dilation * (size - 1) + 1 + extra - sum(pad)


def _channels(sx: Ints, sw: Ints, groups: int, transposed: bool = False) -> None:
    held, wanted = (sx[1], sw[0]) if transposed else (sx[1], sw[1] * groups)
    if held != wanted or sw[0] % groups:
        raise ValueError(f"x has {held} channels where w {sw} with groups={groups} wants {wanted}")


def _convolution_shape(sx: Ints, sw: Ints, *, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Ints:
    _channels(sx, sw, groups)
    lengths = zip(sx[2:], sw[2:], strides, padding, dilation, strict=True)
    return (sx[0], sw[0], *(output_length(*each) for each in lengths))


def _transpose_shape(
    sx: Ints, sw: Ints, *, strides: Ints, padding: Pads, dilation: Ints, groups: int, output_padding: Ints
) -> Ints:
    _channels(sx, sw, groups, transposed=True)
    lengths = zip(sx[2:], sw[2:], strides, padding, dilation, output_padding, strict=True)
    return (sx[0], sw[1] * groups, *(transposed_length(*each) for each in lengths))


# -- Values --------------------------------------------------------------------------------------------------------


def sliding(x: Any, size: Ints, strides: Ints, padding: Pads, dilation: Ints, fill: Any = 0) -> Any:
    """A view of the windows of the trailing axes, (N, C, *outputs, *size), after padding with ``fill``."""
    if any(pad != (0, 0) for pad in padding):
        x = _padded(x, padding, fill)
    spatial = zip(x.shape[2:], size, strides, [(0, 0)] * len(size), dilation, strict=True)
    counts = [output_length(*each) for each in spatial]
    steps = x.strides[2:]
    jumps = [stride * step for stride, step in zip(strides, steps, strict=True)]
    reaches = [d * step for d, step in zip(dilation, steps, strict=True)]
    shape = (*x.shape[:2], *counts, *size)
    return np.lib.stride_tricks.as_strided(x, shape, (*x.strides[:2], *jumps, *reaches), writeable=False)


def _padded(x: Any, padding: Pads, fill: Any) -> Any:
    """``x`` with ``fill`` around it; negative padding takes elements away."""
    lengths = [n + lo + hi for n, (lo, hi) in zip(x.shape[2:], padding, strict=True)]
    whole = np.full((*x.shape[:2], *(max(n, 0) for n in lengths)), fill, x.dtype)
    into: list[Any] = [...]
    out_of: list[Any] = [...]
    for n, length, (lo, _) in zip(x.shape[2:], lengths, padding, strict=True):
        start, stop = max(lo, 0), min(lo + n, length)
        into.append(slice(start, max(stop, start)))
        out_of.append(slice(start - lo, max(stop, start) - lo))
    whole[tuple(into)] = x[tuple(out_of)]
    return whole


def _convolution(x: Any, w: Any, *, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Any:
    """All windows laid out as the columns of one matrix per group, times the filters as rows (im2col).

    The columns are copied so that the longer of outputs and filter taps runs along memory; the product takes either.
    """
    _channels(x.shape, w.shape, groups)
    d = len(strides)
    view = sliding(x, w.shape[2:], strides, padding, dilation)
    examples, channels, *outputs = view.shape[: 2 + d]
    rows, columns = channels // groups * prod(w.shape[2:]), examples * prod(outputs)
    view = view.reshape(examples, groups, channels // groups, *view.shape[2:])
    over, taps = (0, *range(3, 3 + d)), (2, *range(3 + d, 3 + 2 * d))
    if view.shape[2 + d] >= view.shape[2 + 2 * d]:
        matrix = view.transpose(1, *taps, *over).reshape(groups, rows, columns)
    else:
        matrix = view.transpose(1, *over, *taps).reshape(groups, columns, rows).swapaxes(1, 2)
    filters = w.reshape(groups, w.shape[0] // groups, rows)
    y = np.matmul(filters, matrix).reshape(w.shape[0], examples, *outputs)
    return np.ascontiguousarray(y.swapaxes(0, 1))


def _transpose(
    x: Any, w: Any, *, strides: Ints, padding: Pads, dilation: Ints, groups: int, output_padding: Ints
) -> Any:
    """One product gives every filter tap's share of every window; the shares are added where windows overlap.

    Tap k of window p lands at strides·p + dilation·k, one rule for both, so the loop runs over whichever are fewer.
    """
    shape = _transpose_shape(
        x.shape, w.shape, strides=strides, padding=padding, dilation=dilation, groups=groups,
        output_padding=output_padding,
    )  # fmt: skip
    examples, filters = x.shape[:2]
    windows = x.shape[2:]
    size = w.shape[2:]
    d = len(size)
    taps = w.reshape(groups, filters // groups, shape[1] // groups * prod(size)).swapaxes(1, 2)
    inputs = x.reshape(examples, groups, filters // groups, prod(windows)).transpose(1, 2, 0, 3)
    shares = np.matmul(taps, inputs.reshape(groups, filters // groups, examples * prod(windows)))
    shares = shares.reshape(shape[1], *size, examples, *windows)
    before = [max(-lo, 0) for lo, _ in padding]
    reach = [(n - 1) * s + e * (k - 1) + 1 for n, s, e, k in zip(windows, strides, dilation, size, strict=True)]
    whole = [b + max(r, lo + n) for b, r, (lo, _), n in zip(before, reach, padding, shape[2:], strict=True)]
    sums = np.zeros((shape[1], examples, *whole), shares.dtype)
    few, many, step_few, step_many = size, windows, dilation, strides
    if prod(windows) < prod(size):
        few, many, step_few, step_many = windows, size, strides, dilation
        shares = shares.transpose(0, *range(2 + d, 2 + 2 * d), 1 + d, *range(1, 1 + d))
    for k in np.ndindex(*few):
        starts = [b + e * i for b, e, i in zip(before, step_few, k, strict=True)]
        places: list[Any] = [slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, step_many, many, strict=True)]
        sums[(..., *places)] += shares[(slice(None), *k)]
    kept: list[Any] = [slice(b + lo, b + lo + n) for b, (lo, _), n in zip(before, padding, shape[2:], strict=True)]
    return np.ascontiguousarray(sums[(..., *kept)].swapaxes(0, 1))


# -- Rules ---------------------------------------------------------------------------------------------------------


def _conj(x: Any) -> Any:
    return P.conjugate(x) if x.dtype.kind == "c" else x


def _swapped(x: Any) -> Any:
    return P.transpose(x, axes=(1, 0, *range(2, x.ndim)))


def _left_over(length: int, size: int, stride: int, pad: tuple[int, int], dilation: int) -> int:
    """The elements at the end that no window has reached."""
    return (length + sum(pad) - dilation * (size - 1) - 1) % stride


def _to_input(w: Any, g: Any, spatial: Ints, *, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Any:
    lengths = zip(spatial, w.shape[2:], strides, padding, dilation, strict=True)
    extra = tuple(_left_over(*each) for each in lengths)
    return P.convolution_transpose(
        g, _conj(w), strides=strides, padding=padding, dilation=dilation, groups=groups, output_padding=extra
    )


def _to_filters(x: Any, g: Any, size: Ints, *, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Any:
    """Σ_{n, p} g[n, o, p] x[n, c, strides·p + dilation·k - lo]: a convolution of x with g in which examples and
    channels, and strides and dilation, have changed places."""
    examples, channels, *spatial = x.shape
    lengths = zip(spatial, size, strides, padding, dilation, strict=True)
    trimmed = tuple((pad[0], pad[1] - _left_over(n, k, s, pad, e)) for n, k, s, pad, e in lengths)
    d = len(size)
    split = P.reshape(x, shape=(examples, groups, channels // groups, *spatial))
    split = P.transpose(split, axes=(2, 1, 0, *range(3, 3 + d)))
    images = P.reshape(split, shape=(channels // groups, groups * examples, *spatial))
    found = P.convolution(images, _swapped(g), strides=dilation, padding=trimmed, dilation=strides, groups=groups)
    return _swapped(found)


def _convolution_x(x: Any, w: Any, y: Any, g: Any, **params: Any) -> Any:
    return _to_input(w, g, x.shape[2:], **params)


def _convolution_w(x: Any, w: Any, y: Any, g: Any, **params: Any) -> Any:
    return _to_filters(_conj(x), g, w.shape[2:], **params)


def _transpose_x(x: Any, w: Any, y: Any, g: Any, *, output_padding: Ints, **params: Any) -> Any:
    return P.convolution(g, _conj(w), **params)


def _transpose_w(x: Any, w: Any, y: Any, g: Any, *, output_padding: Ints, **params: Any) -> Any:
    return _to_filters(g, _conj(x), w.shape[2:], **params)


# -- Batches of examples: into N where only x has them, into groups or channels where the filters have them ----------


def _merged(x: Any, axis: int) -> Any:
    """Axes ``axis`` and ``axis + 1`` as one."""
    return P.reshape(x, shape=(*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


def _batch(name: str) -> Any:
    def batch(batched: tuple[bool, ...], x: Any, w: Any, *, groups: int, **params: Any) -> Any:
        primitive = getattr(P, name)
        if not batched[1]:
            examples, each = x.shape[:2]
            y = primitive(_merged(x, 0), w, groups=groups, **params)
            return P.reshape(y, shape=(examples, each, *y.shape[1:]))
        examples = w.shape[0]
        if not batched[0]:
            x = P.broadcast_to(x, shape=(examples, *x.shape))
        beside = P.transpose(x, axes=(1, 0, *range(2, x.ndim)))
        y = primitive(_merged(beside, 1), _merged(w, 0), groups=examples * groups, **params)
        y = P.reshape(y, shape=(y.shape[0], examples, y.shape[1] // examples, *y.shape[2:]))
        return P.transpose(y, axes=(1, 0, *range(2, y.ndim)))

    return batch


# -- Samples and the table -----------------------------------------------------------------------------------------


def wave(*shape: int, start: float = 0.0) -> np.ndarray[Any, Any]:
    """Distinct, deterministic numbers between -2 and 2."""
    return np.asarray(2 * np.sin(start + 0.9 * np.arange(prod(shape)) ** 1.1).reshape(shape))


def _sample(sx: Ints, sw: Ints, strides: Any, padding: Pads, dilation: Any, groups: int = 1, **more: Any) -> Sample:
    params = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    return Sample((wave(*sx), wave(*sw, start=0.4)), params | more)


def _convolution_samples() -> list[Sample]:
    return [
        _sample((1, 2, 5), (3, 2, 2), (1,), ((0, 0),), (1,)),
        _sample((2, 2, 6), (2, 1, 2), (2,), ((1, 0),), (2,), 2),
        _sample((1, 1, 4), (1, 1, 2), (3,), ((-1, 2),), (1,)),
        _sample((1, 2, 3, 4), (2, 2, 2, 2), (1, 2), ((1, 1), (0, 1)), (1, 1)),
        _sample((1, 1, 2, 3, 2), (2, 1, 1, 2, 2), (1, 1, 1), ((0, 0), (1, 0), (0, 0)), (1, 2, 1)),
        _sample((0, 1, 3), (1, 1, 2), (1,), ((0, 0),), (1,)),
    ]


def _transpose_samples() -> list[Sample]:
    return [
        _sample((1, 2, 3), (2, 3, 2), (1,), ((0, 0),), (1,), output_padding=(0,)),
        _sample((2, 2, 3), (2, 1, 2), (2,), ((1, 0),), (2,), 2, output_padding=(1,)),
        _sample((1, 1, 3), (1, 1, 2), (3,), ((-1, 2),), (1,), output_padding=(2,)),
        _sample((1, 2, 2, 2), (2, 2, 2, 2), (1, 2), ((1, 1), (0, 1)), (1, 1), output_padding=(0, 1)),
        _sample(
            (1, 1, 2, 1, 2), (1, 2, 1, 2, 2), (1, 1, 1), ((0, 0), (1, 0), (0, 0)), (1, 2, 1), output_padding=(0, 0, 0)
        ),
        _sample((1, 1, 2), (1, 1, 5), (1,), ((0, 0),), (1,), output_padding=(0,)),
    ]


REGISTRY.enter(
    Structural(
        name="convolution",
        value=_convolution,
        shape=_convolution_shape,
        pullback=(_convolution_x, _convolution_w),
        linear_in=(0, 1),
        kernel=lambda sx, sw, *, strides, padding, dilation, groups: Window(
            "multiply_add", sw[2:], strides, padding, dilation, groups
        ),
        why=Why(
            "The same small filter is laid over every place, so a pixel's gradient is gathered from all windows that "
            "saw it, and a filter tap's gradient from all places where it was used.",
            "同一个小滤波器被放在每个位置上，所以一个像素的梯度来自所有看到它的窗口，而滤波器一个抽头的梯度来自它被用到的所有位置。",
        ),
        samples=_convolution_samples,
        batch=_batch("convolution"),
        complex=True,
    ),
    Structural(
        name="convolution_transpose",
        value=_transpose,
        shape=_transpose_shape,
        pullback=(_transpose_x, _transpose_w),
        linear_in=(0, 1),
        kernel=lambda sx, sw, *, strides, padding, dilation, groups, output_padding: Window(
            "multiply_add", sw[2:], strides, padding, dilation, groups, True, output_padding
        ),
        why=Why(
            "Every input stamps its multiple of the filter onto the output, and overlapping stamps add up; so its "
            "gradient is read off by laying the same filter over the place that it stamped.",
            "每个输入把滤波器的若干倍“盖印”到输出上，重叠处相加；因此它的梯度就是把同一滤波器放回所盖的位置上读出的值。",
        ),
        samples=_transpose_samples,
        batch=_batch("convolution_transpose"),
        complex=True,
    ),
)
