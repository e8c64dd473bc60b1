"""What parameters are put back into after an update, by name: ``get("max_norm")``; names and defaults are Keras's.

The norm is that of a vector along ``axis``: with 0, the weights that come into one unit of a Dense kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backlight.nn.lookup import Configured, Names

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "serialize"]

EPSILON = 1e-7


class Constraint(Configured):
    """``w ← C(w)``: write ``__call__`` in a class of your own.

    >>> class Small(Constraint):
    ...     def __call__(self, w):
    ...         return np.clip(w, -1.0, 1.0)
    >>> Small()(np.array([3.0]))
    array([1.])
    """

    def __call__(self, w: Any) -> Any:
        """The nearest parameters that are allowed."""
        raise NotImplementedError


def _norm(w: Any, axis: Any) -> Any:
    axis = tuple(axis) if isinstance(axis, list) else axis
    return np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """``w ← w · min(|w|, max_value) / (|w| + 10⁻⁷)`` (Srivastava et al. 2014).

    >>> MaxNorm(1.0)(np.array([[3.0], [4.0]])).round(4)
    array([[0.6],
           [0.8]])
    """

    _config = ("max_value", "axis")

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        return w * (np.minimum(norm, float(self.max_value)) / (norm + EPSILON))


class UnitNorm(Constraint):
    """``w ← w / (|w| + 10⁻⁷)``.

    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(4)
    array([[0.6],
           [0.8]])
    """

    _config = ("axis",)

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (_norm(w, self.axis) + EPSILON)


class NonNeg(Constraint):
    """``w ← max(w, 0)``.

    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: Any) -> Any:
        return np.maximum(w, 0.0)


class MinMaxNorm(Constraint):
    """``w ← w · n / (|w| + 10⁻⁷)`` with ``n = rate · clip(|w|, min_value, max_value) + (1 - rate) · |w|``.

    >>> MinMaxNorm(0.0, 1.0, rate=0.5)(np.array([[3.0], [4.0]])).round(4)
    array([[1.8],
           [2.4]])
    """

    _config = ("min_value", "max_value", "rate", "axis")

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        held = np.clip(norm, float(self.min_value), float(self.max_value))
        return w * ((self.rate * held + (1.0 - self.rate) * norm) / (norm + EPSILON))


NAMES = Names(
    "kind_constraint",
    {each.__name__: each for each in (MaxNorm, UnitNorm, NonNeg, MinMaxNorm)},
    {"max_norm": "MaxNorm", "unit_norm": "UnitNorm", "non_neg": "NonNeg", "min_max_norm": "MinMaxNorm"},
)


def get(identifier: Any) -> Any:
    """A name, a configuration, a class, an object or a function -> a constraint; ``None`` stays ``None``.

    >>> get("max_norm"), get(None)
    (MaxNorm(max_value=2, axis=0), None)

    Raises ``ArgumentError`` for a name that is not known.
    """
    return NAMES.get(identifier)


def serialize(constraint: Any) -> Any:
    """Class and configuration of a constraint.

    >>> serialize(UnitNorm())
    {'class_name': 'UnitNorm', 'config': {'axis': 0}}
    """
    return NAMES.serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What ``serialize`` wrote, made again; a constraint of the user's is looked up in ``custom_objects``.

    >>> deserialize({"class_name": "UnitNorm", "config": {"axis": 1}})
    UnitNorm(axis=1)
    """
    return NAMES.deserialize(config, custom_objects)
