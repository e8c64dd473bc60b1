"""Losses between regions: how far two of them are from being the same. ``t`` are the labels, ``p`` the predictions.

Raises ``ShapeError`` for shapes that do not fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.nn.losses.common import EPSILON, paired

__all__ = ["dice", "tversky"]


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """``L = 1 - 2 Σ t · p / (Σ t + Σ p + 10⁻⁷)`` over ``axis``, without one over everything (Dice 1945).

    >>> dice(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]])).round(4)
    np.float64(0.3333)
    """
    t, p = paired("dice", y_true, y_pred)
    both = np.sum(t * p, axis=axis)
    return 1.0 - 2.0 * both / (np.sum(t, axis=axis) + np.sum(p, axis=axis) + EPSILON)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """``L = 1 - Σ t · p / (Σ t · p + alpha Σ t · (1 - p) + beta Σ (1 - t) · p + 10⁻⁷)`` over ``axis``, or everything.

    ``alpha`` weighs what is there and was not found, ``beta`` what was found and is not there
    (Salehi et al. 2017, arXiv:1706.05721).

    >>> tversky(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]])).round(4)
    np.float64(0.3333)
    """
    t, p = paired("tversky", y_true, y_pred)
    both = np.sum(t * p, axis=axis)
    false, missed = np.sum((1.0 - t) * p, axis=axis), np.sum(t * (1.0 - p), axis=axis)
    return 1.0 - both / (both + alpha * missed + beta * false + EPSILON)
