"""What every loss needs: labels and predictions of one rank and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.numpy_api.common import as_inexact, cast, here

__all__ = ["EPSILON", "array_of", "check_shapes", "floating", "here", "paired", "same_rank", "smoothing"]

EPSILON = 1e-7  # how near to 0 or 1 a probability may come before its logarithm is taken, as in Keras


def array_of(x: Any) -> Any:
    """An Array or a NumPy array."""
    return x if isinstance(x, Array) else np.asarray(x)


def floating(x: Any, dtype: Any = None) -> Any:
    """The numbers in ``dtype``; without one, whole numbers become float64 and others stay as they are."""
    x = array_of(x)
    if dtype is None:
        return as_inexact(x) if isinstance(x, Array) else x if x.dtype.kind in "fc" else x.astype(np.float64)
    if x.dtype == dtype:
        return x
    return cast(x, dtype) if isinstance(x, Array) else x.astype(dtype)


def same_rank(x: Any, y: Any) -> tuple[Any, Any]:
    """``(N, 1)`` and ``(N,)`` as two arrays of one rank: the column stays, the row becomes one.

    Of two arrays with more axes, the one with a last axis of length 1 too many loses it.

    >>> [each.shape for each in same_rank(np.zeros((5, 1)), np.zeros(5))]
    [(5, 1), (5, 1)]
    >>> [each.shape for each in same_rank(np.zeros((5, 3, 1)), np.zeros((5, 3)))]
    [(5, 3), (5, 3)]
    """
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, y.reshape((*y.shape, 1))) if y.ndim == 1 else (x.reshape(x.shape[:-1]), y)
    if y.ndim == x.ndim + 1 and y.shape[-1] == 1:
        return (x.reshape((*x.shape, 1)), y) if x.ndim == 1 else (x, y.reshape(y.shape[:-1]))
    return x, y


def check_shapes(loss: str, y_true: Any, y_pred: Any) -> None:
    """Raise ``ShapeError`` where one of the two would silently be repeated to fit the other."""
    if y_true.shape != y_pred.shape:
        facts = {"loss": loss, "labels": tuple(y_true.shape), "predictions": tuple(y_pred.shape)}
        fix = message("fix_same_shape", predictions=tuple(y_pred.shape))
        raise ShapeError(message("loss_shapes", here(), expected=message("expected_same_shape"), fix=fix, **facts))


def paired(loss: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels and predictions of one shape, in the dtype of the predictions."""
    y_pred = floating(y_pred)
    y_true, y_pred = same_rank(floating(y_true, y_pred.dtype), y_pred)
    check_shapes(loss, y_true, y_pred)
    return y_true, y_pred


def smoothing(label_smoothing: float) -> float:
    """The amount of label smoothing; raises ``ArgumentError`` outside 0 to 1."""
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(message("smoothing_range", here(), came=label_smoothing))
    return label_smoothing
