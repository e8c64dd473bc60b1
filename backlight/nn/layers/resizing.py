"""Larger and smaller along the spatial axes: zeros around, borders cut off, every element repeated."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn.layers.core import option_error
from backlight.nn.layers.spatial import Lengths, Spatial, pairs, several
from backlight.trace import user_source

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "fitted",
    "linear_weights",
]


class _ZeroPadding(Spatial):
    """Zeros before and after."""

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = pairs(self, "padding", padding, self._axes)

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """Longer by the zeros."""
        return tuple(None if n is None else n + sum(pad) for n, pad in zip(lengths, self.padding, strict=True))

    def call(self, inputs: Any) -> Any:
        """The input with zeros around it."""
        return np.pad(self.as_float(inputs), self.along(self.padding, (0, 0)))


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after the steps of ``(examples, steps, channels)``: ``padding`` of each, or a pair.

    >>> ZeroPadding1D((1, 2))(np.ones((1, 2, 1), np.float32)).value.ravel()
    array([0., 1., 1., 0., 0.], dtype=float32)

    Raises ``ArgumentError`` for anything else.
    """

    _axes = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images: one number, one for rows and one for columns, or a pair ``(before, after)`` for each.

    >>> ZeroPadding2D(((1, 0), (2, 2)))(np.ones((1, 4, 4, 3), np.float32)).shape
    (1, 5, 8, 3)
    """


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes; see ``ZeroPadding2D``.

    >>> ZeroPadding3D()(np.ones((1, 2, 3, 4, 1), np.float32)).shape
    (1, 4, 5, 6, 1)
    """

    _axes = 3


class _Cropping(Spatial):
    """Less before and after."""

    _default: Any = 0

    def __init__(self, cropping: Any = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = pairs(self, "cropping", self._default if cropping is None else cropping, self._axes)

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """Shorter by what is cut off.

        Raises ``ShapeError`` where nothing is left.
        """
        after = tuple(None if n is None else n - sum(cut) for n, cut in zip(lengths, self.cropping, strict=True))
        if any(n is not None and n < 1 for n in after):
            facts = {"layer": self.name, "kind": type(self).__name__, "lengths": lengths, "after": after}
            raise ShapeError(message("layer_nothing_left", str(user_source() or ""), **facts))
        return after

    def call(self, inputs: Any) -> Any:
        """The inner part of the input."""
        after = self.lengths_after(tuple(inputs.shape[axis] for axis in self.spatial_axes))
        kept = [slice(low, low + (n or 0)) for (low, _), n in zip(self.cropping, after, strict=True)]
        return self.as_float(inputs)[self.along(kept, slice(None))]


class Cropping1D(_Cropping):
    """Without the first and the last steps of ``(examples, steps, channels)``: so many of each, or a pair.

    >>> Cropping1D((1, 2))(np.arange(5.0).reshape(1, 5, 1)).value.ravel()
    array([1., 2.], dtype=float32)

    Raises ``ArgumentError`` for anything else, ``ShapeError`` where nothing is left.
    """

    _axes = 1
    _default = 1


class Cropping2D(_Cropping):
    """Images without their borders: one number, one for rows and one for columns, or a pair for each.

    >>> Cropping2D(((1, 0), (2, 2)))(np.ones((1, 4, 5, 3), np.float32)).shape
    (1, 3, 1, 3)
    """


class Cropping3D(_Cropping):
    """Volumes without their borders; see ``Cropping2D``.

    >>> Cropping3D()(np.ones((1, 3, 4, 5, 1), np.float32)).shape
    (1, 1, 2, 3, 1)
    """

    _axes = 3
    _default = 1


class _UpSampling(Spatial):
    """Every element several times."""

    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.size = several(self, "size", size, self._axes)

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """Longer by the factors."""
        return tuple(None if n is None else n * times for n, times in zip(lengths, self.size, strict=True))

    def call(self, inputs: Any) -> Any:
        """Every element repeated."""
        y = self.as_float(inputs)
        for axis, times in zip(self.spatial_axes, self.size, strict=True):
            y = np.repeat(y, times, axis=axis) if times > 1 else y
        return y


class UpSampling1D(_UpSampling):
    """Every step of ``(examples, steps, channels)`` ``size`` times.

    >>> UpSampling1D(2)(np.array([[[1.0], [5.0]]])).value.ravel()
    array([1., 1., 5., 5.], dtype=float32)

    Raises ``ArgumentError`` for a size below 1.
    """

    _axes = 1


class UpSampling2D(_UpSampling):
    """Images enlarged: every pixel repeated (``"nearest"``), or straight lines between them (``"bilinear"``).

    Pixels are squares with their value in the middle, so at the borders ``"bilinear"`` gives the nearest value.

    >>> UpSampling2D((1, 2), interpolation="bilinear")(np.array([0.0, 4.0]).reshape(1, 1, 2, 1)).value.ravel()
    array([0., 1., 3., 4.], dtype=float32)

    Raises ``ArgumentError`` for another interpolation.
    """

    def __init__(
        self, size: Any = 2, data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        self.interpolation = interpolation.lower() if isinstance(interpolation, str) else interpolation
        if self.interpolation not in ("nearest", "bilinear"):
            raise option_error(self, "interpolation", interpolation, "expected_names", names='"nearest", "bilinear"')

    def call(self, inputs: Any) -> Any:
        """The larger images."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        x = self.as_float(inputs)
        axes = zip(self.spatial_axes, self.size, strict=True)
        rows, columns = (linear_weights(x.shape[axis], x.shape[axis] * times, x.dtype) for axis, times in axes)
        form = "ih,jw,nhwc->nijc" if self.channel_axis == -1 else "ih,jw,nchw->ncij"
        return np.einsum(form, rows, columns, x)


class UpSampling3D(_UpSampling):
    """Every element of a volume repeated; see ``UpSampling1D``.

    >>> UpSampling3D((1, 2, 3))(np.zeros((1, 2, 2, 2, 4), np.float32)).shape
    (1, 2, 4, 6, 4)
    """

    _axes = 3


def linear_weights(length: int, wanted: int, dtype: Any) -> np.ndarray[Any, Any]:
    """The matrix that takes ``length`` samples to ``wanted`` along straight lines, each in the middle of its stretch.

    >>> linear_weights(2, 4, np.float32)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]], dtype=float32)
    """
    places = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
    weights: np.ndarray[Any, Any] = np.maximum(1 - np.abs(places[:, None] - np.arange(length)), 0).astype(dtype)
    return weights


def fitted(x: Any, height: int, width: int) -> Any:
    """Images ``(examples, rows, columns, channels)`` as ``height`` × ``width``.

    The largest part in the middle that has these proportions, then straight lines between its pixels.

    >>> fitted(np.arange(8.0).reshape(1, 2, 4, 1), 1, 1).ravel()
    array([3.5])
    """
    rows, columns = x.shape[1:3]
    tall, wide = max(min(rows, columns * height // width), 1), max(min(columns, rows * width // height), 1)
    top, left = (rows - tall) // 2, (columns - wide) // 2
    part = x[:, top : top + tall, left : left + wide]
    down, across = linear_weights(tall, height, x.dtype), linear_weights(wide, width, x.dtype)
    return np.einsum("ih,jw,nhwc->nijc", down, across, part)
