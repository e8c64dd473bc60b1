"""Cross-entropy: how many nats a label surprises a prediction. ``t`` are the labels, ``p`` the probabilities.

Softmax or sigmoid followed by cross-entropy is computed from the logits, whichever way it was written: see
``backlight.nn.logits``. Probabilities of unknown origin are held between 10⁻⁷ and 1 - 10⁻⁷, as Keras does.
Raises ``ShapeError`` for shapes that do not fit, ``ArgumentError`` for smoothing outside 0 to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight import functions
from backlight.array import Array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.logits import log_probabilities, logits_of, origin_of
from backlight.nn.losses.common import EPSILON, array_of, floating, here, paired, smoothing

__all__ = [
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "check_labels",
    "sparse_categorical_crossentropy",
]


def _clipped(p: Any) -> Any:
    return np.clip(p, EPSILON, 1.0 - EPSILON)


# -- Two classes ---------------------------------------------------------------------------------------------------


def _smooth_binary(t: Any, label_smoothing: float) -> Any:
    return t * (1.0 - smoothing(label_smoothing)) + 0.5 * label_smoothing if label_smoothing else t


def _binary(t: Any, p: Any, x: Any) -> Any:
    """``-(t · log p + (1 - t) · log(1 - p))``, from the logits x where they are known."""
    if x is None:
        p = _clipped(p)
        return -(t * np.log(p) + (1.0 - t) * np.log(1.0 - p))
    return functions.softplus(x) - t * x


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: Any = -1
) -> Any:
    """``L = -mean (t · log p + (1 - t) · log(1 - p))`` over ``axis``; from logits x: ``log(1 + exp(x)) - t · x``.

    With smoothing s the label t counts as ``t · (1 - s) + s/2``. Shapes ``(…, n)`` twice.

    >>> binary_crossentropy(np.array([[1.0]]), np.array([[0.5]])).round(4)
    array([0.6931])
    >>> import backlight
    >>> binary_crossentropy(np.array([[1.0]]), backlight.sigmoid(backlight.array([[-1e4]])))
    backlight.array([10000.])
    """
    t, p = paired("binary_crossentropy", y_true, y_pred)
    x = p if from_logits else logits_of(p, "sigmoid")
    return np.mean(_binary(_smooth_binary(t, label_smoothing), p, x), axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Any = -1,
) -> Any:
    """``L = mean (1 - pₜ)^gamma · H(t, p)`` over ``axis``: binary cross-entropy H, less where it is right already.

    ``pₜ = t · p + (1 - t) · (1 - p)``; with ``apply_class_balancing`` times ``t · alpha + (1 - t) · (1 - alpha)``.
    (Lin et al. 2017, arXiv:1708.02002.)

    >>> binary_focal_crossentropy(np.array([[1.0]]), np.array([[0.5]])).round(4)
    array([0.1733])
    """
    t, p = paired("binary_focal_crossentropy", y_true, y_pred)
    x = p if from_logits else logits_of(p, "sigmoid")
    t = _smooth_binary(t, label_smoothing)
    if x is None:
        above, below = p, 1.0 - p
    else:
        above, below = functions.sigmoid(x), functions.sigmoid(-x)  # 1 - sigmoid(x), without losing digits
    wrong = t * below + (1.0 - t) * above  # 1 - pₜ
    loss = np.power(wrong, gamma) * _binary(t, p, x)
    if apply_class_balancing:
        loss = (t * alpha + (1.0 - t) * (1.0 - alpha)) * loss
    return np.mean(loss, axis=axis)


# -- Many classes --------------------------------------------------------------------------------------------------


def _log_probabilities(p: Any, from_logits: bool, axis: int) -> Any:
    """The logarithm of every probability, which add up to 1 along ``axis``."""
    origin = None if from_logits else origin_of(p)
    if origin is not None and origin.kind == "softmax" and axis in (-1, p.ndim - 1) and origin.keeps_rows:
        return functions.log_softmax(origin.moved(origin.logits), axis)  # in one pass
    x = p if from_logits else log_probabilities(p)
    if x is not None:
        return functions.log_softmax(x, axis)  # of logarithms that add up already: the same again
    return np.log(_clipped(p / np.sum(p, axis=axis, keepdims=True)))


def _smooth(t: Any, label_smoothing: float, axis: int) -> Any:
    if not label_smoothing:
        return t
    return t * (1.0 - smoothing(label_smoothing)) + label_smoothing / t.shape[axis]


def _one_hot_pair(loss: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    p = floating(y_pred)
    t = floating(y_true, p.dtype)
    if t.shape != p.shape:
        shape = tuple(p.shape)
        fix = message("fix_class_numbers", classes=shape[-1] if shape else 1)
        expected = message("expected_same_shape")
        facts = {"loss": loss, "labels": tuple(t.shape), "predictions": shape, "expected": expected, "fix": fix}
        raise ShapeError(message("loss_shapes", here(), **facts))
    return t, p


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``L = -Σ t · log(p / Σ p)`` along ``axis``; from logits x: ``-Σ t · log_softmax(x)``. One-hot labels.

    With smoothing s and C classes the label t counts as ``t · (1 - s) + s/C``. Shapes ``(…, C)`` twice.

    >>> categorical_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    >>> import backlight
    >>> categorical_crossentropy(np.array([[0.0, 1.0]]), backlight.softmax(backlight.array([[1e4, 0.0]])))
    backlight.array([10000.])
    """
    t, p = _one_hot_pair("categorical_crossentropy", y_true, y_pred)
    return -np.sum(_smooth(t, label_smoothing, axis) * _log_probabilities(p, from_logits, axis), axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``L = -Σ alpha · (1 - p)^gamma · t · log p`` along ``axis``; ``alpha`` is a number or one for every class.

    (Lin et al. 2017, arXiv:1708.02002.) Shapes ``(…, C)`` twice.

    >>> categorical_focal_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).round(4)
    array([0.0433])
    """
    t, p = _one_hot_pair("categorical_focal_crossentropy", y_true, y_pred)
    log_p = _log_probabilities(p, from_logits, axis)
    wrong = -np.expm1(log_p)  # 1 - p
    if not isinstance(alpha, int | float):
        alpha = floating(alpha, p.dtype)
    return -np.sum(alpha * np.power(wrong, gamma) * _smooth(t, label_smoothing, axis) * log_p, axis=axis)


def check_labels(
    y_true: Any, classes: int, predictions: tuple[int, ...], ignore_class: int | None = None,
    loss: str = "sparse_categorical_crossentropy",
) -> None:  # fmt: skip
    """Raise ``ArgumentError`` for labels that are no whole numbers from 0 to ``classes - 1``; ``loss`` wants them.

    >>> check_labels(np.array([0, 2, -1]), 3, (3, 3), ignore_class=-1)
    """
    labels = np.asarray(y_true)
    kept = labels if ignore_class is None else labels[labels != ignore_class]
    if not kept.size:
        return
    bad = kept[~((kept >= 0) & (kept < classes) & (np.trunc(kept) == kept))]
    if not bad.size:
        return
    worst = bad.flat[int(np.argmax(np.abs(bad)))].item()
    if worst != int(worst) if np.isfinite(worst) else True:
        fix = message("fix_labels_whole")
    elif worst < 0:
        fix = message("fix_labels_negative", worst=int(worst))
    elif worst == classes and kept.min() == 1:
        fix = message("fix_labels_from_one")
    else:
        fix = message("fix_labels_units", needed=int(worst) + 1, worst=int(worst))
    facts = {"worst": worst, "classes": classes, "last": classes - 1, "predictions": predictions, "fix": fix}
    facts["loss"] = loss
    raise ArgumentError(message("loss_labels", here(), **facts))


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """``L = -log(pₜ / Σ p)`` with the probability pₜ of the label's class along ``axis``; 0 for ``ignore_class``.

    Labels are class numbers, shape ``(…)`` or ``(…, 1)`` for predictions of shape ``(…, C)``. A label outside 0 to
    C - 1 raises ``ArgumentError`` where it is a plain number, and makes the loss NaN where it is traced.

    >>> sparse_categorical_crossentropy(np.array([1, 0]), np.array([[0.5, 0.5], [0.2, 0.8]])).round(4)
    array([0.6931, 1.6094])
    """
    p, labels = floating(y_pred), array_of(y_true)
    axis = axis % p.ndim if p.ndim else 0
    rows = p.shape[:axis] + p.shape[axis + 1 :]
    if labels.ndim == p.ndim and labels.shape[-1] == 1:
        labels = labels.reshape(labels.shape[:-1])
    if not p.ndim or labels.shape != rows:
        expected = message("expected_class_numbers", shape=tuple(rows))
        one_hot = labels.shape == p.shape
        fix = message("fix_one_hot") if one_hot else message("fix_same_shape", predictions=tuple(rows))
        facts = {"labels": tuple(labels.shape), "predictions": tuple(p.shape), "expected": expected, "fix": fix}
        raise ShapeError(message("loss_shapes", here(), loss="sparse_categorical_crossentropy", **facts))
    classes = p.shape[axis]
    if not isinstance(labels, Array):
        check_labels(labels, classes, tuple(p.shape), ignore_class)
    numbers = np.arange(classes).reshape((classes,) + (1,) * (p.ndim - 1 - axis))
    hit = np.expand_dims(labels, axis) == numbers
    log_p = _log_probabilities(p, from_logits, axis)
    loss = -np.sum(np.where(hit, log_p, 0.0), axis=axis)
    if isinstance(labels, Array):
        loss = np.where((labels >= 0) & (labels < classes), loss, np.nan)
    return loss if ignore_class is None else np.where(labels == ignore_class, 0.0, loss)
