"""Penalties on parameters, by name: ``get("l2")``; names and defaults are Keras's. A regulariser maps w to a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.lookup import Configured, Names
from backlight.trace import user_source

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "serialize"]

EPSILON = 1e-7


class Regularizer(Configured):
    """``R(w)``, a number that is added to the loss: write ``__call__`` in a class of your own.

    >>> class Mean(Regularizer):
    ...     def __call__(self, w):
    ...         return np.mean(np.square(w))
    >>> Mean()(np.array([1.0, 3.0]))
    np.float64(5.0)
    """

    def __call__(self, w: Any) -> Any:
        """The penalty on these parameters."""
        raise NotImplementedError


def _weight(owner: str, option: str, value: Any) -> float:
    """A factor of a penalty; raises ``ArgumentError`` for one that is negative or no number."""
    number = value if isinstance(value, int | float | np.number) and not isinstance(value, bool) else math.nan
    if not (math.isfinite(number) and number >= 0):
        expected = message("expected_natural")
        facts = {"name": owner, "option": option, "came": value, "expected": expected}
        raise ArgumentError(message("regularizer_option", str(user_source() or ""), **facts))
    return float(number)


class L1(Regularizer):
    """``R = l1 · Σ |w|``.

    >>> L1(0.5)(np.array([1.0, -3.0]))
    np.float64(2.0)

    Raises ``ArgumentError`` for a factor that is not a finite number of at least 0.
    """

    _config = ("l1",)

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _weight("L1", "l1", l1)

    def __call__(self, w: Any) -> Any:
        return self.l1 * np.sum(np.abs(w))


class L2(Regularizer):
    """``R = l2 · Σ w²``.

    >>> L2(0.5)(np.array([1.0, -3.0]))
    np.float64(5.0)

    Raises ``ArgumentError`` for a factor that is not a finite number of at least 0.
    """

    _config = ("l2",)

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _weight("L2", "l2", l2)

    def __call__(self, w: Any) -> Any:
        return self.l2 * np.sum(np.square(w))


class L1L2(Regularizer):
    """``R = l1 · Σ |w| + l2 · Σ w²``.

    >>> L1L2(0.5, 0.5)(np.array([1.0, -3.0]))
    np.float64(7.0)

    Raises ``ArgumentError`` for a factor that is not a finite number of at least 0.
    """

    _config = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _weight("L1L2", "l1", l1 or 0.0)
        self.l2 = _weight("L1L2", "l2", l2 or 0.0)

    def __call__(self, w: Any) -> Any:
        first = self.l1 * np.sum(np.abs(w)) if self.l1 else 0.0
        return first + self.l2 * np.sum(np.square(w))


class OrthogonalRegularizer(Regularizer):
    """``R = factor · Σ |cos| / n``: the mean of the n cosines between two different rows (or columns) of a matrix.

    >>> OrthogonalRegularizer(1.0)(np.array([[1.0, 0.0], [1.0, 1.0]])).round(4)
    np.float64(0.7071)

    Raises ``ArgumentError`` for a mode that is not "rows" or "columns", ``ShapeError`` for what is not a matrix.
    """

    _config = ("factor", "mode")

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            expected = message("expected_choice", names='"rows", "columns"')
            facts = {"name": "OrthogonalRegularizer", "option": "mode", "came": mode, "expected": expected}
            raise ArgumentError(message("regularizer_option", str(user_source() or ""), **facts))
        self.factor, self.mode = _weight("OrthogonalRegularizer", "factor", factor), mode

    def __call__(self, w: Any) -> Any:
        if np.ndim(w) != 2:
            facts = {
                "name": "OrthogonalRegularizer",
                "shape": np.shape(w),
                "expected": message("expected_2d"),
            }
            raise ShapeError(message("init_shape", str(user_source() or ""), **facts))
        rows = w if self.mode == "rows" else np.transpose(w)
        unit = rows / np.sqrt(np.maximum(np.sum(np.square(rows), axis=1, keepdims=True), EPSILON**2))
        count = rows.shape[0]
        between = np.abs(unit @ np.transpose(unit)) * (1 - np.eye(count, dtype=unit.dtype))
        return self.factor * np.sum(between) / float(count * (count - 1) or 1)


NAMES = Names(
    "kind_regularizer",
    {each.__name__: each for each in (L1, L2, L1L2, OrthogonalRegularizer)},
    {
        "l1": "L1",
        "l2": "L2",
        "l1_l2": "L1L2",
        "orthogonal_regularizer": "OrthogonalRegularizer",
    },
)


def get(identifier: Any) -> Any:
    """A name, a configuration, a class, an object or a function -> a regulariser; ``None`` stays ``None``.

    >>> get("l2"), get(None)
    (L2(l2=0.01), None)

    Raises ``ArgumentError`` for a name that is not known.
    """
    return NAMES.get(identifier)


def serialize(regularizer: Any) -> Any:
    """Class and configuration of a regulariser.

    >>> serialize(L1(0.5))
    {'class_name': 'L1', 'config': {'l1': 0.5}}
    """
    return NAMES.serialize(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What ``serialize`` wrote, made again; a regulariser of the user's is looked up in ``custom_objects``.

    >>> deserialize({"class_name": "L1", "config": {"l1": 0.5}})
    L1(l1=0.5)
    """
    return NAMES.deserialize(config, custom_objects)
