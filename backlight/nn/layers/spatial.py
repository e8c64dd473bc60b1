"""What layers over one, two or three spatial axes have in common: where the channels are, and how options are read."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn.layer import InputSpec, Layer
from backlight.nn.layers.core import data_format_of, option_error
from backlight.nn.symbol import Shape
from backlight.trace import user_source
from backlight.tree import LEAF, Structure

__all__ = ["Pictures", "Spatial", "natural", "pairs", "several"]

Ints = tuple[int, ...]
Lengths = tuple[int | None, ...]


def natural(value: Any, least: int = 0) -> int | None:
    """A whole number of at least ``least``; ``None`` for anything else."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    return operator.index(value) if whole and value >= least else None


def several(layer: Layer, option: str, value: Any, count: int, least: int = 1) -> Ints:
    """One whole number for every axis, given as such or as one for all.

    Raises ``ArgumentError``.
    """
    given = (
        tuple(value) if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else (value,) * count
    )
    numbers = [natural(each, least) for each in given]
    if len(numbers) != count or None in numbers:
        raise option_error(layer, option, value, "expected_counts", least=least, count=count)
    return tuple(number for number in numbers if number is not None)


def pairs(layer: Layer, option: str, value: Any, count: int) -> tuple[tuple[int, int], ...]:
    """For every axis how much before and after it: one number, one for every axis, or a pair for every axis.

    Raises ``ArgumentError``.
    """
    one = natural(value)
    given: Any = ((one, one),) * count if one is not None else value
    if count == 1 and isinstance(given, Sequence) and len(given) == 2 and natural(given[0]) is not None:
        given = (given,)
    found = []
    for each in given if isinstance(given, Sequence) and not isinstance(given, str) else ():
        pair = (each, each) if natural(each) is not None else each
        if isinstance(pair, Sequence) and len(pair) == 2 and all(natural(n) is not None for n in pair):
            found.append((operator.index(pair[0]), operator.index(pair[1])))
    if len(found) != count or len(given) != count:
        raise option_error(layer, option, value, "expected_pairs", count=count)
    return tuple(found)


class Spatial(Layer):
    """A layer on ``(examples, *lengths, channels)``; ``data_format="channels_first"`` has the channels before them.

    Who derives from it says what becomes of the lengths (``lengths_after``) and of the channels (``channels_after``).
    """

    _axes = 2

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(self, data_format)
        self.input_spec = InputSpec(ndim=self._axes + 2)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels: -1 or 1."""
        return 1 if self.data_format == "channels_first" else -1

    @property
    def spatial_axes(self) -> Ints:
        """The axes between examples and channels, or after both."""
        first = 2 if self.data_format == "channels_first" else 1
        return tuple(range(first, first + self._axes))

    def channels_first(self, x: Any) -> Any:
        """``x`` as ``(examples, channels, *lengths)``, which the library's functions of windows take."""
        return x if self.data_format == "channels_first" else np.transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))

    def as_given(self, y: Any) -> Any:
        """``(examples, channels, *lengths)`` as the layer gives it back."""
        return y if self.data_format == "channels_first" else np.transpose(y, (0, *range(2, y.ndim), 1))

    def along(self, numbers: Sequence[Any], other: Any) -> tuple[Any, ...]:
        """Something for every axis of the input: ``numbers`` for the spatial ones, ``other`` for the others."""
        whole = [other] * (self._axes + 2)
        for axis, number in zip(self.spatial_axes, numbers, strict=True):
            whole[axis] = number
        return tuple(whole)

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """The lengths of the output for an input of these."""
        return lengths

    def channels_after(self, channels: int | None) -> int | None:
        """The channels of the output for an input of so many."""
        return channels

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for an input of this shape; unknown lengths are ``None``."""
        after = list(self.along(self.lengths_after(tuple(input_shape[axis] for axis in self.spatial_axes)), None))
        after[0] = input_shape[0]
        after[self.channel_axis] = self.channels_after(input_shape[self.channel_axis])
        return tuple(after)

    def _output_spec(self, args: Any, kwargs: Any) -> tuple[list[tuple[Shape, Any]], Structure]:
        return [(self.compute_output_shape(args[0].shape), np.dtype(self.dtype))], LEAF

    def windows(self, lengths: Lengths, reach: Sequence[int], strides: Sequence[int], padding: Any) -> Lengths:
        """At how many places a window stands along each axis; ``padding`` is "valid", "same" or a total for each axis.

        Raises ``ShapeError`` where it stands nowhere.
        """
        if padding == "same":
            return tuple(None if n is None else -(-n // stride) for n, stride in zip(lengths, strides, strict=True))
        pads = (0,) * len(lengths) if padding == "valid" else padding
        rows = list(zip(lengths, reach, strides, pads, strict=True))
        if any(n is not None and n + pad < r for n, r, _, pad in rows):
            facts = {"layer": self.name, "kind": type(self).__name__, "reach": tuple(reach), "lengths": lengths}
            raise ShapeError(message("layer_window", str(user_source() or ""), **facts))
        return tuple(None if n is None else (n + pad - r) // stride + 1 for n, r, stride, pad in rows)


class Pictures(Spatial):
    """A layer on images ``(examples, rows, columns, channels)``, or on one image without the first axis."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.input_spec = InputSpec(min_ndim=3, max_ndim=4)

    def changed(self, x: Any, training: bool) -> Any:
        """The images, of which there may be one, channels last."""
        raise NotImplementedError

    def call(self, inputs: Any, training: bool = True) -> Any:
        """The images changed."""
        x = self.as_float(inputs)
        batch = x if x.ndim == 4 else x[None]
        first = self.data_format == "channels_first"
        y = self.changed(np.transpose(batch, (0, 2, 3, 1)) if first else batch, training)
        y = np.transpose(y, (0, 3, 1, 2)) if first else y
        return y if x.ndim == 4 else y[0]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the output for an input of this shape; unknown lengths are ``None``."""
        if len(input_shape) == 4:
            return super().compute_output_shape(input_shape)
        return super().compute_output_shape((None, *input_shape))[1:]
