"""Numbers brought to a scale, images to a size: what comes before the first weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.layer import InputSpec, Layer, plain_config
from backlight.nn.layers.core import option_error, positive
from backlight.nn.layers.resizing import fitted
from backlight.nn.layers.spatial import Lengths, Pictures
from backlight.trace import user_source

__all__ = ["CenterCrop", "Normalization", "Rescaling"]

SMALLEST = 1e-7  # a deviation below this divides as this one


class Rescaling(Layer):
    """``y = x · scale + offset``: bytes to numbers from 0 to 1 with ``Rescaling(1 / 255)``.

    >>> Rescaling(1 / 127.5, offset=-1)(np.array([0, 255], np.uint8)).value
    array([-1.,  1.], dtype=float32)

    ``scale`` and ``offset`` may be one number for each channel. Raises ``ArgumentError`` for anything but numbers.
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for option, value in (("scale", scale), ("offset", offset)):
            if np.asarray(value).dtype.kind not in "fiu":
                raise option_error(self, option, value, "expected_channel_numbers")
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Any:
        """The numbers on the other scale."""
        x = self.as_float(inputs)
        return x * np.asarray(self.scale, x.dtype) + np.asarray(self.offset, x.dtype)


class CenterCrop(Pictures):
    """The middle of every image ``(examples, rows, columns, channels)``, or of one, ``height`` × ``width``.

    Of images that are smaller it is the largest part that has these proportions, enlarged by straight lines.

    >>> CenterCrop(2, 2)(np.arange(16.0).reshape(1, 4, 4, 1)).value.ravel()
    array([ 5.,  6.,  9., 10.], dtype=float32)

    Raises ``ArgumentError`` for sizes below 1.
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = positive(self, "height", height), positive(self, "width", width)

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """As asked."""
        return (self.height, self.width)

    def changed(self, x: Any, training: bool) -> Any:
        """The middle."""
        top, left = (x.shape[1] - self.height) // 2, (x.shape[2] - self.width) // 2
        if top >= 0 and left >= 0:
            return x[:, top : top + self.height, left : left + self.width]
        return fitted(x, self.height, self.width)


class Normalization(Layer):
    """``y = (x - mean) / √variance``: mean 0 and variance 1 along ``axis``, as measured by ``adapt`` or as given.

    ``axis`` names the axes that have a mean each (the last by default; ``None`` for one mean of everything). With
    ``invert`` the layer goes the other way.

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> layer(np.array([[3.0, 20.0]])).value
    array([[1., 0.]], dtype=float32)

    Raises ``ArgumentError`` where only one of ``mean`` and ``variance`` is given, or the data is empty, ``ShapeError``
    for data of other lengths.
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        axes = () if axis is None else tuple(axis) if isinstance(axis, tuple | list) else (axis,)
        if any(not isinstance(n, int | np.integer) or isinstance(n, bool) or n == 0 for n in axes):
            raise option_error(self, "axis", axis, "expected_axes")
        if (mean is None) != (variance is None):
            given = ("mean", mean) if variance is None else ("variance", variance)
            raise option_error(self, *given, "expected_both")
        self.axis = tuple(map(int, axes))
        self.invert = bool(invert)
        self.input_mean, self.input_variance = mean, variance
        self._lengths: tuple[int, ...] = ()
        self._wide: tuple[int, ...] = ()
        self._axes: tuple[int, ...] = ()

    def build(self, input_shape: Any) -> None:
        """Make ``mean``, ``variance`` and ``count``, unless the first two are given."""
        axes = len(input_shape)
        if any(not -axes <= axis < axes or axis % axes == 0 for axis in self.axis):
            raise option_error(self, "axis", self.axis, "expected_axes")
        kept = self._axes = tuple(sorted({axis % axes for axis in self.axis}))
        for axis in kept:
            if input_shape[axis] is None:
                facts = {"layer": self.name, "axis": axis}
                raise ShapeError(message("layer_unknown_length", str(user_source() or ""), **facts))
        self._lengths = tuple(input_shape[axis] for axis in kept)
        self._wide = tuple(n if axis in kept else 1 for axis, n in enumerate(input_shape))
        self.input_spec = InputSpec(ndim=axes, axes={axis: input_shape[axis] for axis in kept})
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(self._lengths, "zeros", name="mean", trainable=False)
            self.adapt_variance = self.add_weight(self._lengths, "ones", name="variance", trainable=False)
            self.count = self.add_weight((), "zeros", np.int32, name="count", trainable=False)
        else:
            for option, value in (("mean", self.input_mean), ("variance", self.input_variance)):
                try:
                    np.broadcast_to(value, self._wide)
                except ValueError:
                    raise option_error(self, option, value, "expected_fitting", shape=self._wide) from None

    def _kept(self, given: Any, name: str) -> Any:
        if given is None:
            variable: Any = getattr(self, name)
            return variable.reshape(self._wide)
        return np.broadcast_to(np.asarray(given, self.dtype), self._wide)

    @property
    def mean(self) -> Any:
        """The means, to be broadcast against the input; ``None`` before the layer is built."""
        return self._kept(self.input_mean, "adapt_mean") if self.built else self.input_mean

    @property
    def variance(self) -> Any:
        """The variances, to be broadcast against the input; ``None`` before the layer is built."""
        return self._kept(self.input_variance, "adapt_variance") if self.built else self.input_variance

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Measure mean and variance of the data: an array, or batches of it, of which ``steps`` are read.

        What was measured before is forgotten. Sums are in float64, whatever ``batch_size`` is.
        """
        if self.input_mean is not None:
            raise ArgumentError(message("normalization_given", str(user_source() or ""), layer=self.name))
        whole = isinstance(data, np.ndarray | Array | list | tuple | np.generic)
        batches: Iterable[Any] = [data] if whole else data
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for number, batch in enumerate(batches):
            if steps is not None and number >= steps:
                break
            x = np.asarray(batch.value if isinstance(batch, Array) else batch, np.float64)
            self._prepare((as_array(x),), {})
            others = tuple(axis for axis in range(x.ndim) if axis not in self._axes)
            more = x.size // max(int(np.prod(self._lengths)), 1)
            if more:
                m, v = x.mean(axis=others), x.var(axis=others)
                # two sets put together (Chan, Golub, LeVeque 1979)
                share, apart = more / (count + more), m - mean
                variance = (1 - share) * variance + share * v + share * (1 - share) * apart**2
                mean, count = mean + share * apart, count + more
        if not count:
            raise ArgumentError(message("normalization_empty", str(user_source() or ""), layer=self.name))
        self.adapt_mean.assign(mean.astype(self.dtype))
        self.adapt_variance.assign(variance.astype(self.dtype))

    def call(self, inputs: Any) -> Any:
        """The numbers on the other scale."""
        x = self.as_float(inputs)
        deviation = np.maximum(np.sqrt(self.variance), np.asarray(SMALLEST, self.dtype))
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation

    def get_config(self) -> dict[str, Any]:
        """The arguments, with mean and variance as they were given."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        config |= {"axis": list(self.axis) or None, "invert": self.invert}
        config["mean"] = plain_config(self.input_mean, "Normalization.mean")
        config["variance"] = plain_config(self.input_variance, "Normalization.variance")
        if self._batch_input_shape is not None:
            config["batch_input_shape"] = list(self._batch_input_shape)
        return config
