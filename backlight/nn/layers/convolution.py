"""Convolutions: the same small filters laid over every place of a sequence, an image or a volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn import activations, constraints, initializers, regularizers
from backlight.nn.layer import InputSpec
from backlight.nn.layers.core import option_error, positive
from backlight.nn.layers.spatial import Ints, Lengths, Spatial, several
from backlight.trace import user_source
from backlight.variable import Variable
from backlight.windows import convolution, convolution_transpose

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
]


class _Convolution(Spatial):
    """The options of all convolutions; ``parts`` names the weights that have an initialiser and so on of their own."""

    _paddings: tuple[str, ...] = ("valid", "same")
    bias: Variable | None

    def _read(
        self, kernel_size: Any, strides: Any, padding: Any, dilation_rate: Any, activation: Any, use_bias: bool,
        **parts: tuple[Any, Any, Any],
    ) -> None:  # fmt: skip
        self.kernel_size = several(self, "kernel_size", kernel_size, self._axes)
        self.strides = several(self, "strides", strides, self._axes)
        self.dilation_rate = several(self, "dilation_rate", dilation_rate, self._axes)
        self.padding = padding.lower() if isinstance(padding, str) else padding
        if self.padding not in self._paddings:
            names = ", ".join(f'"{each}"' for each in self._paddings)
            raise option_error(self, "padding", padding, "expected_names", names=names)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise option_error(self, "strides", strides, "expected_undilated", dilation=self.dilation_rate)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        for part, (initializer, regularizer, constraint) in parts.items():
            setattr(self, f"{part}_initializer", initializers.get(initializer))
            setattr(self, f"{part}_regularizer", regularizers.get(regularizer))
            setattr(self, f"{part}_constraint", constraints.get(constraint))

    @property
    def reach(self) -> Ints:
        """The lengths that a filter spans, gaps included."""
        return tuple(rate * (size - 1) + 1 for rate, size in zip(self.dilation_rate, self.kernel_size, strict=True))

    def _channels(self, input_shape: Any) -> int:
        """The channels of the input, which the layer is then built for."""
        channels = input_shape[self.channel_axis]
        if channels is None:
            facts = {"layer": self.name, "axis": self.channel_axis}
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), **facts))
        self.input_spec = InputSpec(ndim=self._axes + 2, axes={self.channel_axis: channels})
        return int(channels)

    def _weight(self, name: str, shape: tuple[int, ...], part: str) -> Variable:
        return self.add_weight(
            shape, getattr(self, f"{part}_initializer"), name=name,
            regularizer=getattr(self, f"{part}_regularizer"), constraint=getattr(self, f"{part}_constraint"),
        )  # fmt: skip

    def _bias(self, filters: int) -> Variable | None:
        return self._weight("bias", (filters,), "bias") if self.use_bias else None

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """As many as there are places for the filter."""
        return self.windows(lengths, self.reach, self.strides, "same" if self.padding == "causal" else self.padding)

    def _pads(self) -> Any:
        return ((self.reach[0] - 1, 0),) if self.padding == "causal" else self.padding

    def _filters(self, kernel: Any) -> Any:
        """``(*kernel_size, in, out)`` as ``(out, in, *kernel_size)``."""
        d = self._axes
        return np.transpose(kernel, (d + 1, d, *range(d)))

    def _by_channel(self, x: Any, kernel: Any) -> Any:
        """Every channel with filters of its own: ``(*kernel_size, channels, multiplier)``."""
        d, channels = self._axes, x.shape[1]
        filters = np.transpose(kernel, (d, d + 1, *range(d)))
        filters = filters.reshape((channels * kernel.shape[-1], 1, *self.kernel_size))
        return convolution(x, filters, self.strides, self._pads(), self.dilation_rate, groups=channels)

    def _finish(self, y: Any) -> Any:
        """``f(y + b)``, the channels where they belong."""
        if self.bias is not None:
            y = y + self.bias.reshape((-1, *(1,) * self._axes))
        return self.activation(self.as_given(y))

    def _prepared(self, inputs: Any) -> Any:
        """The input in the layer's dtype, channels first; raises ``ShapeError`` where the filter does not fit."""
        self.compute_output_shape(inputs.shape)
        return self.channels_first(self.as_float(inputs))


class _Conv(_Convolution):
    """Filters that see all channels, or those of a group."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
        dilation_rate: Any = 1, groups: int = 1, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data_format, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive(self, "filters", filters)
        self.groups = positive(self, "groups", groups)
        if self.filters % self.groups:
            raise option_error(self, "groups", groups, "expected_divisor", what="filters", number=self.filters)
        self._read(
            kernel_size, strides, padding, dilation_rate, activation, use_bias,
            kernel=(kernel_initializer, kernel_regularizer, kernel_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Make ``kernel`` and ``bias``."""
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise option_error(self, "groups", self.groups, "expected_divisor", what="channels", number=channels)
        self.kernel = self._weight("kernel", (*self.kernel_size, channels // self.groups, self.filters), "kernel")
        self.bias = self._bias(self.filters)

    def channels_after(self, channels: int | None) -> int | None:
        """One for every filter."""
        return self.filters

    def call(self, inputs: Any) -> Any:
        """``f(x * W + b)``."""
        x = self._prepared(inputs)
        filters = self._filters(self.kernel)
        return self._finish(convolution(x, filters, self.strides, self._pads(), self.dilation_rate, self.groups))


class Conv1D(_Conv):
    """``y[n, t, o] = f(Σ x[n, strides·t + dilation_rate·k, c] · W[k, c, o] + b[o])``: filters along a sequence.

    ``x`` is ``(examples, steps, channels)``, ``kernel`` W is ``(kernel_size, channels / groups, filters)``.
    ``padding="same"`` puts zeros on both sides so that ⌈steps / strides⌉ places remain, ``"causal"`` puts all of them
    before, so that no output sees later steps. ``groups`` splits the channels into groups convolved on their own.

    >>> layer = Conv1D(1, 2, kernel_initializer="ones")
    >>> layer(np.array([[[1.0], [2.0], [4.0]]])).value.ravel()
    array([3., 6.], dtype=float32)
    >>> Conv1D(8, 3, padding="causal")(np.zeros((2, 10, 4), np.float32)).shape
    (2, 10, 8)

    Raises ``ArgumentError`` for options that make no sense (strides together with dilation among them), ``ShapeError``
    for inputs of other channels than the first ones, or shorter than the filter.
    """

    _axes = 1
    _paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    """Filters over images ``(examples, rows, columns, channels)``; otherwise like ``Conv1D``, without ``"causal"``.

    ``kernel`` has the shape ``(*kernel_size, channels / groups, filters)``.

    >>> Conv2D(8, (3, 5), activation="relu")(np.zeros((2, 28, 28, 1), np.float32)).shape
    (2, 26, 24, 8)

    Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998.
    """


class Conv3D(_Conv):
    """Filters over volumes ``(examples, depth, rows, columns, channels)``; see ``Conv2D``.

    >>> Conv3D(4, 3, strides=2, padding="same")(np.zeros((1, 8, 8, 7, 2), np.float32)).shape
    (1, 4, 4, 4, 4)
    """

    _axes = 3


class _ConvTranspose(_Convolution):
    """The linear mapping that a convolution's gradient is: from few places to many."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data_format, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive(self, "filters", filters)
        self._read(
            kernel_size, strides, padding, dilation_rate, activation, use_bias,
            kernel=(kernel_initializer, kernel_regularizer, kernel_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
        )  # fmt: skip
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = several(self, "output_padding", output_padding, self._axes, least=0)
            if any(more >= stride for more, stride in zip(self.output_padding, self.strides, strict=True)):
                raise option_error(self, "output_padding", output_padding, "expected_below", limit=self.strides)

    def build(self, input_shape: Any) -> None:
        """Make ``kernel`` and ``bias``."""
        channels = self._channels(input_shape)
        self.kernel = self._weight("kernel", (*self.kernel_size, self.filters, channels), "kernel")
        self.bias = self._bias(self.filters)

    def _dropped(self) -> Ints:
        """How much less than the whole of what the filters reach is given back; negative where zeros are added."""
        same = self.padding == "same"
        rows = zip(self.reach, self.strides, strict=True)
        if self.output_padding is None:
            return tuple(reach - stride if same else min(reach - stride, 0) for reach, stride in rows)
        return tuple(
            (2 * (reach // 2) if same else 0) - more
            for reach, more in zip(self.reach, self.output_padding, strict=True)
        )

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """All that the filters reach, less what the padding takes away.

        Raises ``ShapeError`` where nothing is left.
        """
        rows = zip(lengths, self.strides, self.reach, self._dropped(), strict=True)
        after = tuple(None if n is None else (n - 1) * stride + reach - less for n, stride, reach, less in rows)
        if any(n is not None and n < 1 for n in after):
            facts = {"layer": self.name, "kind": type(self).__name__, "lengths": lengths, "after": after}
            raise ShapeError(message("layer_nothing_left", str(user_source() or ""), **facts))
        return after

    def channels_after(self, channels: int | None) -> int | None:
        """One for every filter."""
        return self.filters

    def call(self, inputs: Any) -> Any:
        """``f(Wᵀ x + b)``."""
        x = self._prepared(inputs)
        less = [max(n, 0) for n in self._dropped()]
        pads, more = [(n // 2, n - n // 2) for n in less], [max(-n, 0) for n in self._dropped()]
        filters = self._filters(self.kernel)
        y = convolution_transpose(x, filters, self.strides, pads, self.dilation_rate, output_padding=more)
        return self._finish(y)


class Conv1DTranspose(_ConvTranspose):
    """Every step of the input stamps its multiple of the filters onto the output, ``strides`` steps apart.

    The adjoint of ``Conv1D`` with the same options. ``x`` is ``(examples, steps, channels)``, ``kernel`` is
    ``(kernel_size, filters, channels)``; there are ``steps·strides`` places in the output for ``padding="same"``,
    ``(steps - 1)·strides + max(kernel_size, strides)`` for ``"valid"``. With ``output_padding`` there are
    ``(steps - 1)·strides + kernel_size + output_padding``, for ``"same"`` less ``2·⌊kernel_size / 2⌋``.

    >>> layer = Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
    >>> layer(np.array([[[1.0], [2.0]]])).value.ravel()
    array([1., 1., 2., 2.], dtype=float32)

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for inputs of other channels than the first
    ones.
    """

    _axes = 1


class Conv2DTranspose(_ConvTranspose):
    """The adjoint of ``Conv2D``: enlarges images ``(examples, rows, columns, channels)``; see ``Conv1DTranspose``.

    >>> Conv2DTranspose(3, 3, strides=2, padding="same")(np.zeros((1, 7, 7, 8), np.float32)).shape
    (1, 14, 14, 3)

    M. D. Zeiler et al., "Deconvolutional networks", 2010.
    """


class Conv3DTranspose(_ConvTranspose):
    """The adjoint of ``Conv3D``; see ``Conv1DTranspose``.

    >>> Conv3DTranspose(2, 3, strides=2)(np.zeros((1, 3, 3, 3, 1), np.float32)).shape
    (1, 7, 7, 7, 2)
    """

    _axes = 3

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
        output_padding: Any = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        # Keras has data_format and output_padding the other way round in three dimensions
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, **kwargs,
        )  # fmt: skip


class _DepthwiseConv(_Convolution):
    """Filters that see one channel each."""

    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: str = "valid", depth_multiplier: int = 1,
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data_format, activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = positive(self, "depth_multiplier", depth_multiplier)
        self._read(
            kernel_size, strides, padding, dilation_rate, activation, use_bias,
            depthwise=(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Make ``kernel`` and ``bias``."""
        channels = self._channels(input_shape)
        self.kernel = self._weight("kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise")
        self.bias = self._bias(channels * self.depth_multiplier)

    def channels_after(self, channels: int | None) -> int | None:
        """``depth_multiplier`` for every one."""
        return None if channels is None else channels * self.depth_multiplier

    def call(self, inputs: Any) -> Any:
        """``f(x * W + b)``, channel by channel."""
        return self._finish(self._by_channel(self._prepared(inputs), self.kernel))


class DepthwiseConv1D(_DepthwiseConv):
    """``y[n, t, c·m + j] = f(Σ x[n, strides·t + dilation_rate·k, c] · W[k, c, j] + b)``: channels stay apart.

    m is ``depth_multiplier``, ``kernel`` is ``(kernel_size, channels, m)``; the other options are those of ``Conv1D``.

    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.zeros((1, 10, 4), np.float32)).shape
    (1, 8, 8)
    """

    _axes = 1
    _paddings = ("valid", "same", "causal")


class DepthwiseConv2D(_DepthwiseConv):
    """Filters over images, every channel with its own; see ``DepthwiseConv1D``.

    >>> DepthwiseConv2D(3, padding="same")(np.zeros((1, 9, 9, 4), np.float32)).shape
    (1, 9, 9, 4)
    """


class _SeparableConv(_Convolution):
    """Filters for every channel, then weighted sums of what they gave at each place."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
        dilation_rate: Any = 1, depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform", pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", depthwise_regularizer: Any = None, pointwise_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None,
        pointwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data_format, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive(self, "filters", filters)
        self.depth_multiplier = positive(self, "depth_multiplier", depth_multiplier)
        self._read(
            kernel_size, strides, padding, dilation_rate, activation, use_bias,
            depthwise=(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
            pointwise=(pointwise_initializer, pointwise_regularizer, pointwise_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Make ``depthwise_kernel``, ``pointwise_kernel`` and ``bias``."""
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self._weight("depthwise_kernel", shape, "depthwise")
        shape = (*(1,) * self._axes, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self._weight("pointwise_kernel", shape, "pointwise")
        self.bias = self._bias(self.filters)

    def channels_after(self, channels: int | None) -> int | None:
        """One for every filter."""
        return self.filters

    def call(self, inputs: Any) -> Any:
        """``f(x * D * P + b)``."""
        y = self._by_channel(self._prepared(inputs), self.depthwise_kernel)
        return self._finish(convolution(y, self._filters(self.pointwise_kernel)))


class SeparableConv1D(_SeparableConv):
    """A ``DepthwiseConv1D`` followed by a ``Conv1D`` of width 1: fewer weights than one convolution of both.

    >>> layer = SeparableConv1D(8, 3)
    >>> layer(np.zeros((1, 10, 4), np.float32)).shape, [v.shape for v in layer.weights]
    ((1, 8, 8), [(3, 4, 1), (1, 4, 8), (8,)])

    F. Chollet, "Xception: deep learning with depthwise separable convolutions", 2017.
    """

    _axes = 1
    _paddings = ("valid", "same", "causal")


class SeparableConv2D(_SeparableConv):
    """A ``DepthwiseConv2D`` followed by a ``Conv2D`` of 1 × 1; see ``SeparableConv1D``.

    >>> SeparableConv2D(8, 3, padding="same", activation="relu")(np.zeros((1, 9, 9, 4), np.float32)).shape
    (1, 9, 9, 8)
    """
