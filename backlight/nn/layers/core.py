"""The layers that nearly every network has: inputs, dense layers, activations, and what only rearranges."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight import random
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn import activations, constraints, initializers, regularizers
from backlight.nn.layer import InputSpec, Layer, SeedGenerator
from backlight.nn.naming import floatx, unique_name
from backlight.nn.symbol import Call, Symbol
from backlight.trace import user_source
from backlight.tree import LEAF

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Permute",
    "RepeatVector",
    "Reshape",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "option_error",
    "positive",
]


def option_error(layer: Layer | type, option: str, came: object, expected: str, **facts: Any) -> ArgumentError:
    """An option that makes no sense; ``expected`` names a message of the catalogue."""
    kind = layer if isinstance(layer, type) else type(layer)
    said = {"layer": kind.__name__, "option": option, "came": repr(came), "expected": message(expected, **facts)}
    return ArgumentError(message("layer_option", str(user_source() or ""), **said))


def data_format_of(layer: Layer, value: Any) -> str:
    """``"channels_last"`` (also where nothing is said) or ``"channels_first"``; raises ``ArgumentError``."""
    if value not in (None, "channels_last", "channels_first"):
        raise option_error(layer, "data_format", value, "expected_data_format")
    return value or "channels_last"


def positive(layer: Layer, option: str, value: Any) -> int:
    """A whole number of at least 1; raises ``ArgumentError``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise option_error(layer, option, value, "expected_count")
    return number


class InputLayer(Layer):
    """What comes in from outside: ``y = x``."""

    supports_masking = True

    def __init__(
        self, shape: Sequence[int | None] | None = None, batch_size: int | None = None, dtype: Any = None,
        batch_shape: Sequence[int | None] | None = None, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if shape is None and batch_shape is None:
            raise option_error(self, "shape", shape, "expected_shape")
        whole = (batch_size, *_lengths(self, "shape", shape)) if batch_shape is None else batch_shape
        self.batch_shape = _lengths(self, "batch_shape", whole)
        self.input_dtype = np.dtype(floatx() if dtype is None else dtype)
        super().__init__(name=name or unique_name("InputLayer"), **kwargs)
        self.built = True
        self.output = Symbol(self.batch_shape, self.input_dtype, self.name)
        self.output.call = Call(self, (), {}, LEAF, (self.output,))

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Shape, dtype and name."""
        return {"batch_shape": list(self.batch_shape), "dtype": self.input_dtype.name, "name": self.name}


def _lengths(layer: Layer, option: str, shape: Any) -> tuple[int | None, ...]:
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    good = isinstance(shape, tuple | list) and all(n is None or (hasattr(n, "__index__") and n >= 0) for n in shape)
    if not good:
        raise option_error(layer, option, shape, "expected_shape")
    return tuple(None if n is None else operator.index(n) for n in shape)


def Input(
    shape: Sequence[int | None] | None = None, batch_size: int | None = None, dtype: Any = None,
    batch_shape: Sequence[int | None] | None = None, name: str | None = None,
) -> Symbol:  # fmt: skip
    """A value that will come in from outside, to call layers on; ``shape`` is that of one example.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)

    Raises ``ArgumentError`` for something that is no shape.
    """
    return InputLayer(shape, batch_size, dtype, batch_shape, name).output


class Dense(Layer):
    """``y = f(x W + b)``: every output a weighted sum of all numbers along the last axis.

    ``W`` (``kernel``) has the shape ``(inputs, units)``, ``b`` (``bias``) the shape ``(units,)``, f is ``activation``.

    >>> layer = Dense(2, kernel_initializer="ones")
    >>> layer(np.array([[1.0, 2.0]])).value
    array([[3., 3.]], dtype=float32)

    Raises ``ArgumentError`` for ``units`` below 1, ``ShapeError`` for inputs of another width than the first ones.
    """

    supports_masking = True

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        """Make ``kernel`` and ``bias``."""
        width = input_shape[-1]
        if width is None:
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), layer=self.name, axis=-1))
        self.kernel = self.add_weight(
            (width, self.units), self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: width})

    def call(self, inputs: Any) -> Any:
        """``f(x W + b)``."""
        y = self.as_float(inputs) @ self.kernel
        return self.activation(y if self.bias is None else y + self.bias)


class Activation(Layer):
    """``y = f(x)``, for an activation by name or a function.

    >>> Activation("relu")(np.array([-1.0, 2.0], np.float32)).value
    array([0., 2.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """The activation of the input."""
        return self.activation(inputs)


# -- Rearranging -----------------------------------------------------------------------------------------------------


class Flatten(Layer):
    """All axes after the first become one; ``data_format="channels_first"`` puts the second axis last before.

    >>> Flatten()(np.zeros((2, 3, 4), np.float32)).shape
    (2, 12)

    Raises ``ArgumentError`` for another ``data_format``.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(self, data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        """The same numbers in rows."""
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = np.moveaxis(inputs, 1, -1)
        return inputs.reshape((inputs.shape[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """The same numbers in the shape ``(examples, *target_shape)``; one length may be -1.

    >>> Reshape((2, -1))(np.zeros((5, 6), np.float32)).shape
    (5, 2, 3)

    Raises ``ArgumentError`` for something that is no shape, or for one that holds more or fewer numbers.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        shape = target_shape if isinstance(target_shape, tuple | list) else None
        if shape is None or any(not hasattr(n, "__index__") or n < -1 for n in shape) or list(shape).count(-1) > 1:
            raise option_error(self, "target_shape", target_shape, "expected_target")
        self.target_shape = tuple(map(operator.index, shape))

    def call(self, inputs: Any) -> Any:
        """The same numbers in the other shape."""
        return inputs.reshape((inputs.shape[0], *self.target_shape))


class Permute(Layer):
    """The axes after the first in another order: ``dims`` counts them from 1.

    >>> Permute((2, 1))(np.zeros((5, 6, 7), np.float32)).shape
    (5, 7, 6)

    Raises ``ArgumentError`` where ``dims`` is no permutation of 1, 2, …
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims) if isinstance(dims, tuple | list) else ()
        if not self.dims or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise option_error(self, "dims", dims, "expected_permutation")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """The transposed input."""
        return np.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """``(examples, features)`` -> ``(examples, n, features)``: every row n times.

    >>> RepeatVector(3)(np.zeros((2, 4), np.float32)).shape
    (2, 3, 4)

    Raises ``ArgumentError`` for ``n`` below 1.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive(self, "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        """The rows repeated."""
        return np.repeat(inputs[:, None, :], self.n, axis=1)


# -- Dropout ---------------------------------------------------------------------------------------------------------


class Dropout(Layer):
    """``y = x · k / (1 - rate)`` in training, where k is 1 with probability ``1 - rate`` and else 0; later ``y = x``.

    ``noise_shape`` has 1 where the same k is used along a whole axis. N. Srivastava et al., "Dropout: a simple way to
    prevent neural networks from overfitting", 2014.

    >>> y = Dropout(0.5, seed=1)(np.ones((1, 1000), np.float32), training=True).value
    >>> sorted(set(y.ravel().tolist())), bool(0.9 < y.mean() < 1.1)
    ([0.0, 2.0], True)

    Raises ``ArgumentError`` for a rate outside 0 ≤ rate ≤ 1.
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, int | float | np.number) or not 0 <= rate <= 1:
            raise option_error(self, "rate", rate, "expected_share")
        self.rate, self.noise_shape, self.seed = float(rate), noise_shape, seed
        self.seed_generator = SeedGenerator(seed, self.name) if self.rate else None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Some of the numbers, in training."""
        if not training or self.seed_generator is None:
            return inputs
        if self.rate == 1:
            return inputs * 0
        kept = random.bernoulli(self.seed_generator.next(), 1 - self.rate, self._noise(inputs.shape))
        return np.where(kept, inputs / (1 - self.rate), np.zeros((), inputs.dtype))

    def _noise(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.noise_shape is None:
            return shape
        return tuple(size if given is None else given for size, given in zip(shape, self.noise_shape, strict=True))


class _SpatialDropout(Dropout):
    """Dropout of whole channels: all positions of an example share what is kept."""

    _axes = 1
    data_format = "channels_last"

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        self.input_spec = InputSpec(ndim=self._axes + 2)

    def _noise(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        ones = (1,) * self._axes
        return (*shape[:2], *ones) if self.data_format == "channels_first" else (shape[0], *ones, shape[-1])


class _SpatialDropoutOfImages(_SpatialDropout):
    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        self.data_format = data_format_of(self, data_format)


class SpatialDropout1D(_SpatialDropout):
    """``Dropout`` of whole channels of sequences ``(examples, steps, channels)``.

    >>> y = SpatialDropout1D(0.5, seed=2)(np.ones((1, 4, 8), np.float32), training=True).value
    >>> bool((y == y[:, :1]).all())
    True

    J. Tompson et al., "Efficient object localization using convolutional networks", 2015.
    """


class SpatialDropout2D(_SpatialDropoutOfImages):
    """``Dropout`` of whole channels of images ``(examples, rows, columns, channels)``; see ``SpatialDropout1D``.

    With ``data_format="channels_first"`` the channels are the second axis.

    >>> y = SpatialDropout2D(0.5, "channels_first", seed=2)(np.ones((1, 8, 2, 2), np.float32), training=True).value
    >>> bool((y == y[:, :, :1, :1]).all())
    True

    Raises ``ArgumentError`` for another ``data_format``.
    """

    _axes = 2


class SpatialDropout3D(_SpatialDropoutOfImages):
    """``Dropout`` of whole channels of ``(examples, depth, rows, columns, channels)``; see ``SpatialDropout2D``."""

    _axes = 3
