"""Pooling: what a window, or the whole of an example, comes to."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.nn.layers.core import option_error
from backlight.nn.layers.spatial import Lengths, Spatial, several
from backlight.nn.symbol import Shape
from backlight.numpy_api.common import cast
from backlight.windows import average_pool, max_pool

__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]


class _Pooling(Spatial):
    """One number for every window of every channel."""

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data_format, **kwargs)
        self.pool_size = several(self, "pool_size", pool_size, self._axes)
        self.strides = self.pool_size if strides is None else several(self, "strides", strides, self._axes)
        self.padding = padding.lower() if isinstance(padding, str) else padding
        if self.padding not in ("valid", "same"):
            raise option_error(self, "padding", padding, "expected_names", names='"valid", "same"')

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """As many as there are places for the window."""
        return self.windows(lengths, self.pool_size, self.strides, self.padding)

    def call(self, inputs: Any) -> Any:
        """The windows' numbers."""
        self.compute_output_shape(inputs.shape)
        return self.as_given(self._pool(self.channels_first(self.as_float(inputs))))

    def _pool(self, x: Any) -> Any:
        raise NotImplementedError


class _MaxPooling(_Pooling):
    def _pool(self, x: Any) -> Any:
        return max_pool(x, self.pool_size, self.strides, self.padding)


class _AveragePooling(_Pooling):
    def _pool(self, x: Any) -> Any:
        return average_pool(x, self.pool_size, self.strides, self.padding, count_include_pad=False)


class MaxPooling1D(_MaxPooling):
    """The largest of every ``pool_size`` steps, channel by channel, windows ``strides`` apart (default: they tile).

    ``(examples, steps, channels)`` keeps its channels; with ``padding="same"`` there are ⌈steps / strides⌉ windows.

    >>> MaxPooling1D(2)(np.array([[[1.0], [3.0], [2.0], [0.0]]])).value.ravel()
    array([3., 2.], dtype=float32)

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for an input shorter than the window.
    """

    _axes = 1


class MaxPooling2D(_MaxPooling):
    """The largest of every window of images ``(examples, rows, columns, channels)``; see ``MaxPooling1D``.

    >>> MaxPooling2D()(np.zeros((1, 28, 28, 8), np.float32)).shape
    (1, 14, 14, 8)
    """


class MaxPooling3D(_MaxPooling):
    """The largest of every window of volumes; see ``MaxPooling1D``.

    >>> MaxPooling3D()(np.zeros((1, 8, 8, 8, 2), np.float32)).shape
    (1, 4, 4, 4, 2)
    """

    _axes = 3


class AveragePooling1D(_AveragePooling):
    """The mean of every ``pool_size`` steps; what ``padding="same"`` adds is not counted. Else like ``MaxPooling1D``.

    >>> AveragePooling1D(2, padding="same")(np.array([[[1.0], [3.0], [5.0]]])).value.ravel()
    array([2., 5.], dtype=float32)
    """

    _axes = 1


class AveragePooling2D(_AveragePooling):
    """The mean of every window of images; see ``AveragePooling1D``.

    >>> AveragePooling2D((2, 4))(np.zeros((1, 8, 8, 3), np.float32)).shape
    (1, 4, 2, 3)
    """


class AveragePooling3D(_AveragePooling):
    """The mean of every window of volumes; see ``AveragePooling1D``.

    >>> AveragePooling3D(2)(np.zeros((1, 4, 4, 4, 3), np.float32)).shape
    (1, 2, 2, 2, 3)
    """

    _axes = 3


class _GlobalPooling(Spatial):
    """One number for every channel of every example."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Examples and channels; with ``keepdims`` a 1 for every axis that went."""
        if self.keepdims:
            return super().compute_output_shape(input_shape)
        return (input_shape[0], input_shape[self.channel_axis])

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """1 each."""
        return (1,) * self._axes


class _GlobalMaxPooling(_GlobalPooling):
    def call(self, inputs: Any) -> Any:
        """The largest of all places."""
        return np.max(self.as_float(inputs), axis=self.spatial_axes, keepdims=self.keepdims)


class _GlobalAveragePooling(_GlobalPooling):
    def call(self, inputs: Any) -> Any:
        """The mean of all places."""
        return np.mean(self.as_float(inputs), axis=self.spatial_axes, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """``(examples, steps, channels)`` -> ``(examples, channels)``: the largest of all steps.

    ``keepdims=True`` keeps an axis of length 1.

    >>> GlobalMaxPooling1D()(np.array([[[1.0, 9.0], [3.0, 2.0]]])).value
    array([[3., 9.]], dtype=float32)
    """

    _axes = 1


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest of all pixels, channel by channel; see ``GlobalMaxPooling1D``.

    >>> GlobalMaxPooling2D(keepdims=True)(np.zeros((2, 5, 5, 3), np.float32)).shape
    (2, 1, 1, 3)
    """


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest of all places of a volume, channel by channel; see ``GlobalMaxPooling1D``.

    >>> GlobalMaxPooling3D()(np.zeros((2, 3, 3, 3, 4), np.float32)).shape
    (2, 4)
    """

    _axes = 3


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """``(examples, steps, channels)`` -> ``(examples, channels)``: the mean of all steps, or of those that count.

    With a mask ``(examples, steps)`` the mean is over the steps where it is true.

    >>> x = np.array([[[1.0], [3.0], [8.0]]])
    >>> GlobalAveragePooling1D()(x).value, GlobalAveragePooling1D()(x, mask=np.array([[True, True, False]])).value
    (array([[4.]], dtype=float32), array([[2.]], dtype=float32))
    """

    _axes = 1
    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The mean of the steps that count."""
        if mask is None:
            return super().call(inputs)
        x = self.as_float(inputs)
        counts = np.expand_dims(cast(mask, x.dtype), self.channel_axis)
        options: dict[str, Any] = {"axis": self.spatial_axes, "keepdims": self.keepdims}
        return np.sum(x * counts, **options) / np.sum(counts, **options)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: the steps are gone."""
        return None


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean of all pixels, channel by channel; see ``GlobalAveragePooling1D``.

    >>> GlobalAveragePooling2D()(np.ones((2, 5, 5, 3), np.float32)).shape
    (2, 3)

    M. Lin, Q. Chen, S. Yan, "Network in network", 2014.
    """


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean of all places of a volume, channel by channel; see ``GlobalAveragePooling1D``.

    >>> GlobalAveragePooling3D()(np.ones((2, 3, 3, 3, 4), np.float32)).shape
    (2, 4)
    """

    _axes = 3
