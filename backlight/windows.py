"""Convolution and pooling as people call them: ints, pairs, ``"same"``, ``"valid"``, and errors that name the shapes.

Arrays are channels first: x (N, C, *S) with one, two or three spatial axes, filters (O, C/groups, *K). Convolution is
the cross-correlation of deep learning: the filter is not flipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.array import Array, plain
from backlight.errors import ArgumentError, message
from backlight.numpy_api.common import as_inexact, cast, here
from backlight.numpy_api.products import shape_error
from backlight.primitive import REGISTRY as P

__all__ = ["average_pool", "convolution", "convolution_transpose", "max_pool"]

Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


def convolution(x: Any, w: Any, strides: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Lay the filters over every place: ``y[n, o, p] = Σ w[o, c, k] · x[n, c, strides·p + dilation·k - lo]``.

    x (N, C, *S) and w (O, C/groups, *K) give y (N, O, *T), T = ⌊(S + lo + hi - dilation·(K - 1) - 1) / strides⌋ + 1.
    ``padding`` is an int, an int or a pair (lo, hi) per axis, ``"valid"`` (none), or ``"same"`` (T = ⌈S / strides⌉, the
    odd element after). With ``groups`` the channels are convolved in that many separate groups.

    Raises ``ShapeError`` where the channels do not agree or the window does not fit, ``ArgumentError`` for options.

    >>> import backlight
    >>> x = backlight.array([[[1.0, 2.0, 4.0, 8.0]]])
    >>> convolution(x, [[[-1.0, 1.0]]])
    backlight.array([[[1., 2., 4.]]])
    >>> convolution(x, [[[1.0, 1.0, 1.0]]], padding="same").shape
    (1, 1, 4)
    """
    x, w = _operands(x, w)
    d = _spatial_axes("convolution", x, w)
    strides, dilation = (
        _numbers("convolution", name, v, d) for name, v in (("strides", strides), ("dilation", dilation))
    )
    spatial, size = x.shape[2:], w.shape[2:]
    reach = tuple(e * (k - 1) + 1 for e, k in zip(dilation, size, strict=True))
    pads = _same(spatial, reach, strides) if _is_same(padding) else _pads("convolution", padding, d)
    _grouped("convolution", x, w, groups)
    if x.shape[1] != w.shape[1] * groups:
        wanted = f"(O, C{'' if groups == 1 else f'/{groups}'}, {_letters('K', d)})"
        raise shape_error(
            "convolution", (x, w), "window_channels", "fix_window_channels",
            axes=_letters("S", d), wanted=wanted, channels=x.shape[1] // groups, axis=1,
        )  # fmt: skip
    _fitting("convolution", (x, w), reach, pads)
    return P.convolution(x, w, strides=strides, padding=pads, dilation=dilation, groups=groups)


def convolution_transpose(
    x: Any,
    w: Any,
    strides: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    output_padding: Any = 0,
) -> Any:
    """Stamp multiples of the filters onto the output: the adjoint of ``convolution`` with the same ``w`` and options.

    x (N, O, *T) and w (O, C/groups, *K) give y (N, C, *S) with
    S = (T - 1)·strides + dilation·(K - 1) + 1 + output_padding - lo - hi. Several S have the same T under a strided
    convolution: ``output_padding`` (smaller than the stride) chooses one. ``padding="same"`` gives S = T·strides.

    >>> import backlight
    >>> convolution_transpose(backlight.array([[[1.0, 10.0]]]), [[[1.0, 2.0]]], strides=2)
    backlight.array([[[ 1.,  2., 10., 20.]]])
    """
    name = "convolution_transpose"
    x, w = _operands(x, w)
    d = _spatial_axes(name, x, w)
    strides, dilation = (_numbers(name, key, v, d) for key, v in (("strides", strides), ("dilation", dilation)))
    extra = _numbers(name, "output_padding", output_padding, d, least=0)
    if any(more >= stride for more, stride in zip(extra, strides, strict=True)):
        raise _refused(name, "output_padding", "wanted_below_stride", d, output_padding)
    reach = tuple(e * (k - 1) + 1 for e, k in zip(dilation, w.shape[2:], strict=True))
    if _is_same(padding):
        spatial = tuple(n * stride for n, stride in zip(x.shape[2:], strides, strict=True))
        pads = _same(spatial, reach, strides)
        extra = tuple(max(stride - r, 0) for stride, r in zip(strides, reach, strict=True))
    else:
        pads = _pads(name, padding, d)
    _grouped(name, x, w, groups)
    if x.shape[1] != w.shape[0]:
        raise shape_error(
            name, (x, w), "window_channels", "fix_window_channels",
            axes=_letters("T", d), wanted=f"(C, …, {_letters('K', d)})", channels=x.shape[1], axis=0,
        )  # fmt: skip
    lengths = zip(x.shape[2:], strides, reach, extra, pads, strict=True)
    for axis, (n, stride, r, more, pad) in enumerate(lengths, start=2):
        whole = (n - 1) * stride + r + more
        if whole <= sum(pad):
            raise shape_error(
                name, (x, w), "window_fits", "fix_window_fits",
                axis=axis, reach=sum(pad) + 1, length=whole, pad=0, needed=0,
            )  # fmt: skip
    return P.convolution_transpose(
        x, w, strides=strides, padding=pads, dilation=dilation, groups=groups, output_padding=extra
    )


def max_pool(x: Any, size: Any, strides: Any = None, padding: Any = 0) -> Any:
    """The largest element of every window of ``size``, ``strides`` apart (default: ``size``, so that they tile ``x``).

    Padding counts as -∞ and must be smaller than the window. The gradient of a window goes to its largest element; the
    first in reading order where several are equal.

    >>> import backlight
    >>> x = backlight.array([[[1.0, 3.0, 2.0, 2.0]]])
    >>> y = max_pool(x, 2)
    >>> y.sum().backward()
    >>> y, x.grad
    (backlight.array([[[3., 2.]]]), backlight.array([[[0., 1., 1., 0.]]]))
    """
    (x,) = _operands(x)
    return P.max_pool(x, **_pooling("max_pool", x, size, strides, padding))


def average_pool(x: Any, size: Any, strides: Any = None, padding: Any = 0, count_include_pad: bool = True) -> Any:
    """The mean of every window of ``size``, ``strides`` apart (default: ``size``).

    Zeros put in by ``padding`` count as elements; with ``count_include_pad=False`` the mean is over what is in ``x``.

    >>> import backlight
    >>> x = backlight.array([[[2.0, 4.0, 6.0]]])
    >>> average_pool(x, 2, padding=(1,))
    backlight.array([[[1., 5.]]])
    >>> average_pool(x, 2, padding=(1,), count_include_pad=False)
    backlight.array([[[2., 5.]]])
    """
    x = as_inexact(*_operands(x))
    options = _pooling("average_pool", x, size, strides, padding)
    y = P.average_pool(x, **options)
    if count_include_pad or not any(map(any, options["padding"])):
        return y
    inside = P.average_pool(np.ones((1, 1, *x.shape[2:]), x.dtype), **options)  # of each window, the share inside x
    return y / inside


# -- Reading the options -------------------------------------------------------------------------------------------


def _operands(*xs: Any) -> list[Any]:
    """The operands in one dtype; without an Array among them everything stays plain NumPy."""
    xs = tuple(x if isinstance(x, Array) else plain(x) for x in xs)
    xs = tuple(x if isinstance(x, Array) else np.asarray(x) for x in xs)
    dtype = np.result_type(*[x.dtype for x in xs])
    return [cast(x, dtype) for x in xs]


def _pooling(function: str, x: Any, size: Any, strides: Any, padding: Any) -> dict[str, Any]:
    d = _spatial_axes(function, x)
    size = _numbers(function, "size", size, d)
    strides = size if strides is None else _numbers(function, "strides", strides, d)
    pads = _same(x.shape[2:], size, strides) if _is_same(padding) else _pads(function, padding, d)
    if any(max(pad) >= n for pad, n in zip(pads, size, strict=True)):
        raise _refused(function, "padding", "wanted_below_size", d, padding)
    _fitting(function, (x,), size, pads)
    return {"size": size, "strides": strides, "padding": pads}


def _spatial_axes(function: str, x: Any, w: Any = None) -> int:
    d: int = x.ndim - 2
    if w is None:
        if not 1 <= d <= 3:
            raise shape_error(function, (x,), "window_axes", "fix_window_axes", spatial=message("window_spatial_some"))
    elif not 1 <= d <= 3 or w.ndim != x.ndim:
        known = w.ndim - 2
        spatial = message("window_spatial", count=known) if 1 <= known <= 3 else message("window_spatial_some")
        raise shape_error(function, (x, w), "window_axes", "fix_window_axes", spatial=spatial)
    return d


def _letters(letter: str, count: int) -> str:
    return ", ".join(f"{letter}{axis}" for axis in range(1, count + 1))


def _numbers(function: str, option: str, value: Any, count: int, least: int = 1) -> Ints:
    given = (
        tuple(value) if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else (value,) * count
    )
    if len(given) != count or any(not _is_int(n) or n < least for n in given):
        raise _refused(function, option, "wanted_positive" if least else "wanted_natural", count, value)
    return tuple(int(n) for n in given)


def _is_int(n: Any) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool)


def _pads(function: str, padding: Any, count: int) -> Pads:
    if isinstance(padding, str):
        if padding != "valid":
            raise _refused(function, "padding", "wanted_padding", count, padding)
        return ((0, 0),) * count
    per_axis = tuple(padding) if isinstance(padding, Sequence | np.ndarray) else (padding,) * count
    pairs = tuple((one, one) if _is_int(one) else tuple(one) if np.ndim(one) == 1 else () for one in per_axis)
    if len(pairs) != count or any(len(pair) != 2 or not all(_is_int(n) and n >= 0 for n in pair) for pair in pairs):
        raise _refused(function, "padding", "wanted_padding", count, padding)
    return tuple((int(lo), int(hi)) for lo, hi in pairs)


def _is_same(padding: Any) -> bool:
    return isinstance(padding, str) and padding == "same"


def _refused(function: str, option: str, wanted: str, count: int, came: Any) -> ArgumentError:
    facts = {"function": function, "option": option, "wanted": message(wanted), "count": count, "came": came}
    return ArgumentError(message("window_number", here(), **facts))


def _same(spatial: Ints, reach: Ints, strides: Ints) -> Pads:
    """The padding with which a window stands at every stride-th element: ⌈S / stride⌉ windows."""
    total = (max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(spatial, reach, strides, strict=True))
    return tuple((zeros // 2, zeros - zeros // 2) for zeros in total)


def _grouped(function: str, x: Any, w: Any, groups: Any) -> None:
    if not _is_int(groups) or groups < 1 or x.shape[1] % groups or w.shape[0] % groups:
        raise shape_error(
            function, (x, w), "window_groups", "fix_window_groups",
            groups=groups, channels=x.shape[1], filters=w.shape[0],
        )  # fmt: skip


def _fitting(function: str, operands: Sequence[Any], reach: Ints, pads: Pads) -> None:
    for axis, (n, r, pad) in enumerate(zip(operands[0].shape[2:], reach, pads, strict=True), start=2):
        if n + sum(pad) < r:
            raise shape_error(
                function, operands, "window_fits", "fix_window_fits",
                axis=axis, reach=r, length=n + sum(pad), pad=pad, needed=-(-(r - n) // 2),
            )  # fmt: skip
