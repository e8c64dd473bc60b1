"""Losses between numbers, margins and directions. ``t`` are the labels, ``p`` the predictions, n the last axis.

Every function takes labels and predictions of one shape (a last axis of length 1 may be missing in one of them) and
gives one number for every position of the other axes. Raises ``ShapeError`` for shapes that do not fit.
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from backlight import functions
from backlight.nn.losses.common import EPSILON, paired

__all__ = [
    "categorical_hinge",
    "cosine_similarity",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "squared_hinge",
]


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``L = mean (t - p)²`` over the last axis.

    >>> mean_squared_error(np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]]))
    array([2.5])
    """
    t, p = paired("mean_squared_error", y_true, y_pred)
    return np.mean(np.square(t - p), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``L = mean |t - p|`` over the last axis.

    >>> mean_absolute_error(np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]]))
    array([1.5])
    """
    t, p = paired("mean_absolute_error", y_true, y_pred)
    return np.mean(np.abs(t - p), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """``L = 100 · mean |t - p| / max(|t|, 10⁻⁷)`` over the last axis.

    >>> mean_absolute_percentage_error(np.array([[2.0, 4.0]]), np.array([[1.0, 4.0]]))
    array([25.])
    """
    t, p = paired("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * np.mean(np.abs((t - p) / np.maximum(np.abs(t), EPSILON)), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """``L = mean (log(1 + t) - log(1 + p))²`` over the last axis; numbers below 10⁻⁷ count as 10⁻⁷.

    >>> mean_squared_logarithmic_error(np.array([[0.0]]), np.array([[np.e - 1]])).round(5)
    array([1.])
    """
    t, p = paired("mean_squared_logarithmic_error", y_true, y_pred)
    return np.mean(np.square(np.log1p(np.maximum(p, EPSILON)) - np.log1p(np.maximum(t, EPSILON))), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """``L = mean h(t - p)``, with ``h(e) = e²/2`` where ``|e| <= delta``, elsewhere ``delta · |e| - delta²/2``.

    (Huber 1964.) Over the last axis.

    >>> huber(np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]]))
    array([1.5])
    """
    t, p = paired("huber", y_true, y_pred)
    size = np.abs(p - t)
    near = np.minimum(size, delta)  # e²/2 and delta · |e| - delta²/2 in one: no square of a large e
    return np.mean(near * (size - 0.5 * near), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """``L = mean log cosh(p - t)`` over the last axis, computed as ``e + log(1 + exp(-2e)) - log 2``: no overflow.

    >>> log_cosh(np.array([[0.0, 0.0]]), np.array([[0.0, 1000.0]])).round(4)
    array([499.6534])
    """
    t, p = paired("log_cosh", y_true, y_pred)
    error = p - t
    return np.mean(error + functions.softplus(-2.0 * error) - log(2.0), axis=-1)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``L = Σ t · log(t / p)`` over the last axis, both held between 10⁻⁷ and 1 (Kullback & Leibler 1951).

    >>> kl_divergence(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    t, p = paired("kl_divergence", y_true, y_pred)
    t, p = np.clip(t, EPSILON, 1.0), np.clip(p, EPSILON, 1.0)
    return np.sum(t * np.log(t / p), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """``L = mean (p - t · log(p + 10⁻⁷))`` over the last axis: the count t is Poisson with mean p.

    >>> poisson(np.array([[2.0]]), np.array([[1.0]])).round(4)
    array([1.])
    """
    t, p = paired("poisson", y_true, y_pred)
    return np.mean(p - t * np.log(p + EPSILON), axis=-1)


def _signs(t: Any) -> Any:
    """Labels that are all 0 or 1 as -1 and 1; others as they are."""
    binary = np.all((t == 0) | (t == 1))
    return np.where(binary, 2.0 * t - 1.0, t)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """``L = mean max(1 - t · p, 0)`` over the last axis; labels -1 and 1, or 0 and 1, which are read as those.

    >>> hinge(np.array([[1.0, 0.0]]), np.array([[2.0, 0.5]]))
    array([0.75])
    """
    t, p = paired("hinge", y_true, y_pred)
    return np.mean(np.maximum(1.0 - _signs(t) * p, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """``L = mean max(1 - t · p, 0)²`` over the last axis; labels as for ``hinge``.

    >>> squared_hinge(np.array([[1.0, 0.0]]), np.array([[2.0, 0.5]]))
    array([1.125])
    """
    t, p = paired("squared_hinge", y_true, y_pred)
    return np.mean(np.square(np.maximum(1.0 - _signs(t) * p, 0.0)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``L = max(1 + max (1 - t) · p - Σ t · p, 0)`` over the last axis; one-hot labels.

    >>> categorical_hinge(np.array([[0.0, 1.0]]), np.array([[0.5, 1.0]]))
    array([0.5])
    """
    t, p = paired("categorical_hinge", y_true, y_pred)
    right, wrong = np.sum(t * p, axis=-1), np.max((1.0 - t) * p, axis=-1)
    return np.maximum(wrong - right + 1.0, 0.0)


def _unit(x: Any, axis: Any) -> Any:
    return x / np.sqrt(np.maximum(np.sum(np.square(x), axis=axis, keepdims=True), EPSILON**2))


def cosine_similarity(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """``L = -Σ t/|t| · p/|p|`` along ``axis``: -1 for the same direction, 0 for a right angle or a zero vector.

    >>> cosine_similarity(np.array([[0.0, 2.0]]), np.array([[3.0, 3.0]])).round(4)
    array([-0.7071])
    """
    t, p = paired("cosine_similarity", y_true, y_pred)
    return -np.sum(_unit(t, axis) * _unit(p, axis), axis=axis)
