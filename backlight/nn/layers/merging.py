"""Several values made one: sums, products, the larger of two, one after the other."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.layer import Layer
from backlight.nn.layers.core import option_error
from backlight.nn.layers.spatial import natural
from backlight.trace import user_source

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class _Merge(Layer):
    """A function of a list of inputs."""

    supports_masking = True
    _count: int | None = None  # of the inputs, if it must be one number

    def _listed(self, inputs: Any) -> list[Any]:
        """The inputs; raises ``ArgumentError`` where they are no list, or not as many as the layer takes."""
        least = 1 if self._count is None else self._count
        whole = isinstance(inputs, list | tuple)
        if not whole or len(inputs) < least or (self._count is not None and len(inputs) != self._count):
            expected = message("expected_inputs" if self._count is None else "expected_two_inputs")
            came = message("merge_came", count=len(inputs)) if whole else str(tuple(np.shape(inputs)))
            facts = {"layer": self.name, "kind": type(self).__name__, "came": came, "expected": expected}
            raise ArgumentError(message("merge_inputs", str(user_source() or ""), **facts))
        return [self.as_float(x) for x in inputs]

    def _refused(self, inputs: Sequence[Any], expected: str, **facts: Any) -> ShapeError:
        shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
        said = {"layer": self.name, "kind": type(self).__name__, "shapes": shapes}
        return ShapeError(
            message("merge_shapes", str(user_source() or ""), **said, expected=message(expected, **facts))
        )


class _Elementwise(_Merge):
    """Element by element; axes of length 1 are stretched, missing ones are put in after that of the examples."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """All inputs merged."""
        xs = self._aligned(self._listed(inputs))
        return self._merged(xs, self._masks(xs, mask))

    def _aligned(self, xs: list[Any]) -> list[Any]:
        axes = max(x.ndim for x in xs)
        fitted = [x if x.ndim == axes else x.reshape((*x.shape[:1], *(1,) * (axes - x.ndim), *x.shape[1:])) for x in xs]
        try:
            np.broadcast_shapes(*(x.shape for x in fitted))
        except ValueError:
            raise self._refused(xs, "expected_equal") from None
        return fitted

    def _masks(self, xs: list[Any], mask: Any) -> list[Any]:
        """For every input where it counts, in its shape; ``None`` where everything does."""
        masks = mask if isinstance(mask, list) else [mask] * len(xs)
        return [
            None if m is None else np.broadcast_to(np.expand_dims(m, -1), x.shape)
            for x, m in zip(xs, masks, strict=True)
        ]

    def _merged(self, xs: list[Any], masks: list[Any]) -> Any:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """What counts in any of the inputs, if all have masks."""
        masks = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        return None if any(m is None for m in masks) else functools.reduce(np.logical_or, masks)


class Add(_Elementwise):
    """``x₁ + x₂ + …``, for a list of inputs.

    >>> Add()([np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])]).value
    array([[4., 7.]], dtype=float32)

    Raises ``ShapeError`` where the shapes do not fit together, ``ArgumentError`` where there is no list of inputs.
    """

    def _merged(self, xs: list[Any], masks: list[Any]) -> Any:
        return functools.reduce(np.add, xs)


class Average(_Elementwise):
    """The mean of the inputs; see ``Add``.

    >>> Average()([np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])]).value
    array([[2. , 3.5]], dtype=float32)
    """

    def _merged(self, xs: list[Any], masks: list[Any]) -> Any:
        return functools.reduce(np.add, xs) / len(xs)


class Subtract(_Elementwise):
    """``x₁ - x₂``, for a list of two inputs; see ``Add``.

    >>> Subtract()([np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])]).value
    array([[-2., -3.]], dtype=float32)
    """

    _count = 2

    def _merged(self, xs: list[Any], masks: list[Any]) -> Any:
        return xs[0] - xs[1]


class Multiply(_Elementwise):
    """``x₁ · x₂ · …``; what does not count according to an input's mask is not multiplied by. See ``Add``.

    >>> Multiply()([np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])]).value
    array([[ 3., 10.]], dtype=float32)
    """

    def _merged(self, xs: list[Any], masks: list[Any]) -> Any:
        one = np.ones((), xs[0].dtype)
        parts = [x if m is None else np.where(m, x, one) for x, m in zip(xs, masks, strict=True)]
        y = functools.reduce(np.multiply, parts)
        if any(m is None for m in masks):
            return y
        return np.where(functools.reduce(np.logical_or, masks), y, np.zeros((), y.dtype))


class _Extremum(_Elementwise):
    """The largest or smallest of what counts."""

    _function: Any = None

    def _merged(self, xs: list[Any], masks: list[Any]) -> Any:
        y, known = xs[0], masks[0]
        for x, m in zip(xs[1:], masks[1:], strict=True):
            other = x if m is None else np.where(m, x, y)
            mine = y if known is None else np.where(known, y, x)
            known = None if m is None or known is None else np.logical_or(known, m)
            y = self._function(mine, other)
        return y


class Maximum(_Extremum):
    """The largest of the inputs, element by element; what does not count according to a mask is left out. See ``Add``.

    >>> Maximum()([np.array([[1.0, 7.0]]), np.array([[3.0, 5.0]])]).value
    array([[3., 7.]], dtype=float32)
    """

    _function = staticmethod(np.maximum)


class Minimum(_Extremum):
    """The smallest of the inputs, element by element; see ``Maximum``.

    >>> Minimum()([np.array([[1.0, 7.0]]), np.array([[3.0, 5.0]])]).value
    array([[1., 5.]], dtype=float32)
    """

    _function = staticmethod(np.minimum)


class Concatenate(_Merge):
    """The inputs one after the other along ``axis``; all other lengths are the same.

    >>> Concatenate()([np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32)]).shape
    (2, 4)

    Raises ``ArgumentError`` for an axis that is no whole number, ``ShapeError`` where the other lengths differ.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int | np.integer) or isinstance(axis, bool):
            raise option_error(self, "axis", axis, "expected_axis")
        self.axis = int(axis)

    def call(self, inputs: Any) -> Any:
        """All inputs in a row."""
        xs = self._listed(inputs)
        axes = xs[0].ndim
        if any(x.ndim != axes for x in xs) or not -axes <= self.axis < axes:
            raise self._refused(xs, "expected_joined", axis=self.axis)
        others = {(*x.shape[: self.axis % axes], *x.shape[self.axis % axes + 1 :]) for x in xs}
        if len(others) > 1:
            raise self._refused(xs, "expected_joined", axis=self.axis)
        return np.concatenate(xs, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The masks one after the other; where an input has none, all of it counts."""
        masks = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        if all(m is None for m in masks):
            return None
        whole = []
        for x, m in zip(inputs, masks, strict=True):
            wide = np.ones((1,) * x.ndim, bool) if m is None else m.reshape((*m.shape, *(1,) * (x.ndim - m.ndim)))
            whole.append(np.broadcast_to(wide, x.shape))
        return np.all(np.concatenate(whole, axis=self.axis), axis=-1)


class Dot(_Merge):
    """Products of two inputs, example by example, summed along ``axes``: one axis of both, or one of each.

    ``(examples, a, b)`` and ``(examples, a, c)`` with ``axes=1`` give ``(examples, b, c)``; two rows give one number.
    With ``normalize`` the vectors along these axes are first made 1 long: the cosine of their angle.

    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])]).value
    array([[13.]], dtype=float32)

    Raises ``ArgumentError`` for axes that are none, ``ShapeError`` where the two lengths differ.
    """

    _count = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        both = (axes, axes) if not isinstance(axes, list | tuple) else tuple(axes)
        if len(both) != 2 or any(not hasattr(axis, "__index__") or natural(abs(axis), 1) is None for axis in both):
            raise option_error(self, "axes", axes, "expected_two_axes")
        self.axes, self.normalize = axes, normalize
        self._pair = both

    def call(self, inputs: Any) -> Any:
        """The sums of products."""
        xs = self._listed(inputs)
        pair = [axis % x.ndim if -x.ndim <= axis < x.ndim else 0 for axis, x in zip(self._pair, xs, strict=True)]
        lengths = [x.shape[axis] for axis, x in zip(pair, xs, strict=True)]
        if 0 in pair or lengths[0] != lengths[1] or xs[0].shape[0] != xs[1].shape[0]:
            raise self._refused(xs, "expected_dot", first=self._pair[0], second=self._pair[1])
        if self.normalize:
            xs = [_unit(x, axis) for axis, x in zip(pair, xs, strict=True)]
        # axis 0 of the labels is that of the examples, axis 1 the one that is summed
        labels, free = [], 2
        for axis, x in zip(pair, xs, strict=True):
            labels.append([0 if k == 0 else 1 if k == axis else (free := free + 1) for k in range(x.ndim)])
        kept = [label for row in labels for label in row if label > 1]
        y = np.einsum(xs[0], labels[0], xs[1], labels[1], [0, *kept])
        return y if kept else y[:, None]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None."""
        return None


def _unit(x: Any, axis: int) -> Any:
    """Vectors of length 1; those shorter than 1e-7 are divided by that."""
    return x / np.sqrt(np.maximum(np.sum(np.square(x), axis=axis, keepdims=True), 1e-14))


# -- Functions -------------------------------------------------------------------------------------------------------


def add(inputs: Any, **kwargs: Any) -> Any:
    """``Add()(inputs)``."""
    return Add(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """``Average()(inputs)``."""
    return Average(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """``Subtract()(inputs)``."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """``Multiply()(inputs)``."""
    return Multiply(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """``Maximum()(inputs)``."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """``Minimum()(inputs)``."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """``Concatenate(axis)(inputs)``."""
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: Any, axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """``Dot(axes)(inputs)``."""
    return Dot(axes, **kwargs)(inputs)
