"""``np.fft``: every transform from one complex one, which has no scale of its own."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backlight.numpy_api.common import (
    argument_error,
    axes_of,
    axis_of,
    cast,
    deliver,
    implements,
    implements_strictly,
    operand,
)
from backlight.numpy_api.shape import along, concatenate, roll
from backlight.primitive import REGISTRY as P

__all__ = ["fft", "fftn", "hfft", "ifft", "ifftn", "ihfft", "irfft", "irfftn", "rfft", "rfftn"]


def _fitted(x: Any, n: int, axis: int) -> Any:
    """Cut, or filled up with zeros, to length ``n``."""
    count = x.shape[axis]
    if n < 1:
        raise argument_error("fft", "api_fft_length", n=n)
    if count > n:
        return x[along(axis, slice(0, n))]
    if count == n:
        return x
    shape = tuple(n if i == axis else length for i, length in enumerate(x.shape))
    return P.pad(x, shape=shape, index=tuple((0, length, 1) for length in x.shape))


def _complex(x: Any) -> Any:
    return cast(x, np.result_type(x.dtype, np.complex64 if x.dtype.kind in "fc" else np.complex128))


def _scale(norm: Any, size: int, inverse: bool) -> float:
    if norm == "ortho":
        return 1 / float(np.sqrt(size))
    if norm not in (None, "backward", "forward"):
        raise argument_error("fft", "api_fft_norm", norm=norm)
    return 1 / size if (norm == "forward") != inverse else 1.0


def _transform(x: Any, lengths: tuple[int, ...], axes: tuple[int, ...], norm: Any, inverse: bool) -> Any:
    x = _complex(x)
    for n, axis in zip(lengths, axes, strict=True):
        x = _fitted(x, n, axis)
    y = P.fft(x, axes=axes, inverse=inverse) if axes else x
    scale = _scale(norm, prod(lengths), inverse)
    return y if scale == 1.0 else y * scale


def _several(x: Any, s: Any, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lengths and axes of a transform over several axes (the last ones, if only lengths are given)."""
    ndim = len(x.shape)
    if axes is None:
        found = tuple(range(ndim))[-len(s) :] if s is not None else tuple(range(ndim))
    else:
        found = axes_of(tuple(axes), ndim)
    lengths = tuple(x.shape[axis] for axis in found) if s is None else tuple(int(n) for n in s)
    return tuple(x.shape[axis] if n == -1 else n for n, axis in zip(lengths, found, strict=True)), found


def _single(a: Any, n: Any, axis: Any, norm: Any, inverse: bool, out: Any) -> Any:
    x = operand(a)
    axis = axis_of(axis, len(x.shape))
    return deliver(_transform(x, (x.shape[axis] if n is None else int(n),), (axis,), norm, inverse), out)


@implements(np.fft.fft)
def fft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """``y[k] = Σ x[j] exp(-2πi jk/n)``."""
    return _single(a, n, axis, norm, False, out)


@implements(np.fft.ifft)
def ifft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """``y[j] = 1/n Σ x[k] exp(2πi jk/n)``."""
    return _single(a, n, axis, norm, True, out)


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """``fft`` along several axes."""
    x = operand(a)
    return deliver(_transform(x, *_several(x, s, axes), norm, False), out)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """``ifft`` along several axes."""
    x = operand(a)
    return deliver(_transform(x, *_several(x, s, axes), norm, True), out)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """``fft`` along two axes."""
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """``ifft`` along two axes."""
    return ifftn(a, s, axes, norm, out)


# -- Real input or output: half of the spectrum says it all ------------------------------------------------------------


@implements(np.fft.rfft)
def rfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """The frequencies 0 … n//2 of real numbers; the others are their conjugates."""
    x = operand(a)
    if x.dtype.kind == "c":
        raise argument_error("rfft", "api_fft_real")
    axis = axis_of(axis, len(x.shape))
    y = fft(x, n, axis, norm)
    return deliver(y[along(axis, slice(0, y.shape[axis] // 2 + 1))], out)


@implements(np.fft.irfft)
def irfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """Real numbers from their frequencies 0 … n//2."""
    x = operand(a)
    axis = axis_of(axis, len(x.shape))
    n = 2 * (x.shape[axis] - 1) if n is None else int(n)
    half = _fitted(_complex(x), n // 2 + 1, axis)
    mirrored = np.conjugate(half[along(axis, slice((n - 1) // 2, 0, -1))])
    return deliver(P.real(ifft(concatenate((half, mirrored), axis), n, axis, norm)), out)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """``rfft`` along the last of several axes, ``fft`` along the others."""
    x = operand(a)
    lengths, axes = _several(x, s, axes)
    y = rfft(x, lengths[-1], axes[-1], norm)
    return deliver(_transform(y, lengths[:-1], axes[:-1], norm, False), out)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """``ifft`` along several axes, and ``irfft`` along the last of them."""
    x = operand(a)
    lengths, axes = _several(x, s, axes)
    last = lengths[-1] if s is not None and s[-1] != -1 else 2 * (x.shape[axes[-1]] - 1)
    return deliver(irfft(_transform(x, lengths[:-1], axes[:-1], norm, True), last, axes[-1], norm), out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """``rfftn`` along two axes."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """``irfftn`` along two axes."""
    return irfftn(a, s, axes, norm, out)


_SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


@implements(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """The real spectrum of a signal with Hermitian symmetry, given by its first half."""
    return deliver(irfft(np.conjugate(operand(a)), n, axis, _swapped(norm)), out)


@implements(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """The inverse of ``hfft``."""
    return deliver(np.conjugate(rfft(a, n, axis, _swapped(norm))), out)


def _swapped(norm: Any) -> str:
    if norm not in _SWAPPED:
        raise argument_error("fft", "api_fft_norm", norm=norm)
    return _SWAPPED[norm]


# -- Order of frequencies ----------------------------------------------------------------------------------------------


def _shifted(x: Any, axes: Any, sign: int) -> Any:
    x = operand(x)
    chosen = axes_of(axes, len(x.shape))
    steps = tuple(x.shape[axis] // 2 if sign > 0 else -(x.shape[axis] // 2) for axis in chosen)
    return roll(x, steps, chosen)


@implements_strictly(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Frequency zero moved to the middle."""
    return _shifted(x, axes, 1)


@implements_strictly(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Frequency zero moved back to the front."""
    return _shifted(x, axes, -1)
