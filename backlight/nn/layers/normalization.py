"""Layers that bring numbers to mean 0 and variance 1: over a batch, over the features of an example, over groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn import constraints, initializers, regularizers
from backlight.nn.layer import InputSpec, Layer
from backlight.nn.layers.core import option_error
from backlight.trace import user_source
from backlight.transforms import stop_gradient

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
]

MASK_EPSILON = 1e-7  # keeps the mean over no steps at all at 0
SMALLEST_NORM = 1e-12


def _axes(layer: Layer, axis: Any) -> Any:
    """An axis, or a list of them, as it was given; raises ``ArgumentError``."""
    given = axis if isinstance(axis, list | tuple) else [axis]
    if not given or any(isinstance(a, bool) or not isinstance(a, int | np.integer) for a in given):
        raise option_error(layer, "axis", axis, "expected_some_axes")
    return [int(a) for a in axis] if isinstance(axis, list | tuple) else int(axis)


def _places(layer: Layer, axis: Any, shape: Sequence[int | None]) -> list[int]:
    """The axes counted from 0, in order, and their lengths must be known; raises ``ShapeError``."""
    count, found = len(shape), []
    for each in axis if isinstance(axis, list) else [axis]:
        if not -count <= each < count:
            expected = message("spec_has_axis", axis=each)
            facts = {"layer": layer.name, "kind": type(layer).__name__, "shape": tuple(shape), "expected": expected}
            raise ShapeError(message("layer_input", str(user_source() or ""), **facts))
        if shape[each] is None:
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), layer=layer.name, axis=each))
        found.append(each % count)
    return sorted(found)


def _along(values: Any, places: Sequence[int], ndim: int) -> Any:
    """Numbers for the axes at ``places``, with an axis of length 1 for each of the others."""
    if list(places) == list(range(ndim - len(places), ndim)):
        return values
    return values.reshape([values.shape[places.index(k)] if k in places else 1 for k in range(ndim)])


class _Normalization(Layer):
    """What is scaled by ``gamma`` and shifted by ``beta`` in the end."""

    supports_masking = True

    def _affine(
        self, axis: Any, epsilon: float, center: bool, scale: bool, beta_initializer: Any, gamma_initializer: Any,
        beta_regularizer: Any, gamma_regularizer: Any, beta_constraint: Any, gamma_constraint: Any,
    ) -> None:  # fmt: skip
        self.axis = _axes(self, axis)
        if not isinstance(epsilon, int | float | np.number) or not epsilon >= 0:
            raise option_error(self, "epsilon", epsilon, "expected_natural")
        self.epsilon, self.center, self.scale = float(epsilon), center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def _build_affine(self, shape: Sequence[int | None], gamma: bool, beta: bool) -> None:
        """Weights with the lengths of the layer's axes, which are remembered as places in the input."""
        self._places = _places(self, self.axis, shape)
        size: list[Any] = [shape[place] for place in self._places]
        self.gamma = self.beta = None
        if gamma:
            self.gamma = self.add_weight(
                size, self.gamma_initializer, name="gamma",
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )  # fmt: skip
        if beta:
            self.beta = self.add_weight(
                size, self.beta_initializer, name="beta",
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )  # fmt: skip

    def _scaled(self, x: Any) -> Any:
        """``gamma · x + beta``."""
        x = x if self.gamma is None else x * _along(self.gamma, self._places, x.ndim)
        return x if self.beta is None else x + _along(self.beta, self._places, x.ndim)


def _centred(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """What is left of x without its mean, the mean of its squares (nothing is lost if the mean is large), the mean."""
    mean = np.mean(x, axis=axes, keepdims=True)
    rest = x - mean
    return rest, np.mean(rest * rest, axis=axes, keepdims=True), mean


class BatchNormalization(_Normalization):
    """``y = γ (x - μ) / √(σ² + ε) + β``, with mean μ and variance σ² of each channel (``axis``).

    In training they are those of the batch, and moving averages of them are kept (``m ← momentum · m + (1 - momentum)
    · μ``); otherwise the moving averages are used. A layer that is not ``trainable`` always uses them and leaves them
    as they are. Steps that a ``mask`` of shape ``inputs.shape[:-1]`` leaves out count neither for μ nor for σ².
    S. Ioffe & C. Szegedy, arXiv:1502.03167.

    >>> layer = BatchNormalization(epsilon=0.0)
    >>> layer(np.array([[1.0], [3.0]]), training=True).value.tolist(), f"{float(layer.moving_mean[0]):.3f}"
    ([[-1.0], [1.0]], '0.020')

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for inputs without that axis and for a mask
    of another shape.
    """

    def __init__(
        self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones", beta_regularizer: Any = None, gamma_regularizer: Any = None,
        beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if isinstance(axis, list | tuple):
            raise option_error(self, "axis", axis, "expected_one_axis")
        if not isinstance(momentum, int | float | np.number) or not 0 <= momentum <= 1:
            raise option_error(self, "momentum", momentum, "expected_share")
        self._affine(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer,
            beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.momentum = float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        """Make ``gamma``, ``beta`` and the moving averages."""
        self._build_affine(input_shape, self.scale, self.center)
        width = input_shape[self.axis]
        self.moving_mean = self.add_weight((width,), self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            (width,), self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: width})

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """The normalised input."""
        x = self.as_float(inputs)
        if mask is not None and tuple(mask.shape) != tuple(x.shape[:-1]):
            facts = {"layer": self.name, "mask": tuple(mask.shape), "shape": tuple(x.shape), "expected": x.shape[:-1]}
            raise ShapeError(message("layer_mask", str(user_source() or ""), **facts))
        if training and self.trainable:
            rest, variance = self._moments(x, mask)
        else:
            rest = x - _along(self.moving_mean, self._places, x.ndim)
            variance = _along(self.moving_variance, self._places, x.ndim)
        return self._scaled(rest / np.sqrt(variance + self.epsilon))

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """The input without its mean, and its variance; the moving averages take a step towards both."""
        axes = tuple(k for k in range(x.ndim) if k not in self._places)
        if mask is None:
            # Sums over a batch are long: from one of the numbers on, they stay small where the mean is large
            first = stop_gradient(x[tuple(slice(1 if k in axes else None) for k in range(x.ndim))])
            rest, variance, beyond = _centred(x - first, axes)
            mean = first + beyond
        else:
            weights = np.broadcast_to(mask[..., None].astype(x.dtype), x.shape)
            count = np.sum(weights, axis=axes, keepdims=True) + MASK_EPSILON
            mean = np.sum(weights * x, axis=axes, keepdims=True) / count
            rest = x - mean
            variance = np.sum(weights * rest * rest, axis=axes, keepdims=True) / count
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + now.reshape(moving.shape) * (1 - self.momentum))
        return rest, variance


class LayerNormalization(_Normalization):
    """``y = γ (x - μ) / √(σ² + ε) + β``, with mean μ and variance σ² over ``axis`` (one or several) of each example.

    With ``rms_scaling`` only ``y = γ x / √(σ² + ε)``. J. L. Ba et al., arXiv:1607.06450.

    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0], [10.0, 30.0]])).value
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for inputs without those axes.
    """

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None,
        rms_scaling: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self._affine(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer,
            beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint,
        )  # fmt: skip
        self.rms_scaling = rms_scaling

    def build(self, input_shape: Any) -> None:
        """Make ``gamma`` and ``beta``."""
        self._build_affine(input_shape, self.scale or self.rms_scaling, self.center and not self.rms_scaling)

    def call(self, inputs: Any) -> Any:
        """The normalised input."""
        x = self.as_float(inputs)
        rest, variance, _ = _centred(x, tuple(self._places))
        return self._scaled((x if self.rms_scaling else rest) / np.sqrt(variance + self.epsilon))


class GroupNormalization(_Normalization):
    """``y = γ (x - μ) / √(σ² + ε) + β``, with mean and variance over an example's numbers in a group of channels.

    The channels (``axis``) are cut into ``groups``; -1 makes each of them a group of its own. Y. Wu & K. He,
    arXiv:1803.08494.

    >>> GroupNormalization(2, epsilon=0.0)(np.array([[1.0, 3.0, 10.0, 30.0]])).value
    array([[-1.,  1., -1.,  1.]], dtype=float32)

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` where the channels cannot be cut that way.
    """

    def __init__(
        self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if isinstance(axis, list | tuple):
            raise option_error(self, "axis", axis, "expected_one_axis")
        if isinstance(groups, bool) or not isinstance(groups, int | np.integer) or (groups < 1 and groups != -1):
            raise option_error(self, "groups", groups, "expected_groups")
        self.groups = int(groups)
        self._affine(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer,
            beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint,
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Make ``gamma`` and ``beta``."""
        self._build_affine(input_shape, self.scale, self.center)
        width = input_shape[self.axis]
        self._count = width if self.groups == -1 else self.groups
        if width % self._count:
            facts = {"layer": self.name, "groups": self._count, "width": width}
            raise ShapeError(message("layer_groups", str(user_source() or ""), **facts))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: width})

    def call(self, inputs: Any) -> Any:
        """The normalised input."""
        x, (place,) = self.as_float(inputs), self._places
        size = x.shape
        cut = x.reshape((*size[:place], self._count, size[place] // self._count, *size[place + 1 :]))
        rest, variance, _ = _centred(cut, tuple(k for k in range(1, cut.ndim) if k != place))
        return self._scaled((rest / np.sqrt(variance + self.epsilon)).reshape(size))


class RMSNormalization(Layer):
    """``y = s · x / √(mean(x²) + ε)`` over ``axis`` (one or several), with a trained ``scale`` s.

    B. Zhang & R. Sennrich, arXiv:1910.07467.

    >>> RMSNormalization(epsilon=0.0)(np.array([[3.0, 3.0, 3.0, -3.0]])).value
    array([[ 1.,  1.,  1., -1.]], dtype=float32)

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for inputs without those axes.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)
        if not isinstance(epsilon, int | float | np.number) or not epsilon >= 0:
            raise option_error(self, "epsilon", epsilon, "expected_natural")
        self.epsilon = float(epsilon)

    def build(self, input_shape: Any) -> None:
        """Make ``scale``."""
        self._places = _places(self, self.axis, input_shape)
        self.scale = self.add_weight([input_shape[place] for place in self._places], "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        """The input at its usual size."""
        x = self.as_float(inputs)
        size = np.mean(x * x, axis=tuple(self._places), keepdims=True)
        return x / np.sqrt(size + self.epsilon) * _along(self.scale, self._places, x.ndim)


class UnitNormalization(Layer):
    """``y = x / |x|``: vectors along ``axis`` (one or several) become vectors of length 1, and 0 stays 0.

    >>> UnitNormalization()(np.array([[3.0, 4.0], [0.0, 0.0]])).value
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)

    Raises ``ArgumentError`` for an axis that is none.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)

    def build(self, input_shape: Any) -> None:
        """Nothing is trained; the axes must be there."""
        self._places = _places(self, self.axis, [n or 1 for n in input_shape])

    def call(self, inputs: Any) -> Any:
        """Vectors of length 1."""
        x = self.as_float(inputs)
        square = np.sum(x * x, axis=tuple(self._places), keepdims=True)
        return x / np.sqrt(np.maximum(square, SMALLEST_NORM**2))
