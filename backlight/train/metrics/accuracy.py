"""How often a prediction is right."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn.losses.common import array_of, floating, here
from backlight.train.metrics.base import Mean, State, option_error, paired

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def _counted(right: Any, like: Any) -> Any:
    return floating(right, like.dtype if like.dtype.kind == "f" else np.dtype(np.float64))


def _numbers(metric: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Class numbers, one for every row of predictions; raises ``ShapeError``."""
    labels, p = array_of(y_true), array_of(y_pred)
    rows = tuple(p.shape[:-1])
    if labels.ndim == p.ndim and labels.shape[-1:] == (1,):
        labels = labels.reshape(labels.shape[:-1])
    if not p.ndim or labels.shape != rows:
        facts = {"labels": tuple(labels.shape), "predictions": tuple(p.shape)}
        expected = message("expected_metric_rows", shape=rows)
        raise ShapeError(message("metric_shapes", here(), metric=metric, expected=expected, **facts))
    return labels, p


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where ``(p > threshold) == t``, else 0, for every number.

    >>> binary_accuracy(np.array([0, 1, 1]), np.array([0.2, 0.7, 0.5]))
    array([1., 1., 0.])
    """
    t, p = paired("binary_accuracy", y_true, y_pred)
    return _counted(_counted(p > threshold, p) == t, p)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest probability is that of the one-hot label, else 0.

    >>> categorical_accuracy(np.array([[0, 1], [1, 0]]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    array([1., 0.])
    """
    t, p = paired("categorical_accuracy", y_true, y_pred)
    return _counted(np.argmax(t, axis=-1) == np.argmax(p, axis=-1), p)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest probability is that of the class number, else 0.

    >>> sparse_categorical_accuracy(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    array([1., 0.])
    """
    labels, p = _numbers("sparse_categorical_accuracy", y_true, y_pred)
    return _counted(np.argmax(p, axis=-1) == labels, p)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where fewer than ``k`` probabilities are larger than that of the class number, else 0.

    ``from_sorted_ids`` says that ``y_pred`` holds class numbers, the most likely first.

    >>> sparse_top_k_categorical_accuracy(np.array([2, 0]), np.array([[0.5, 0.1, 0.4], [0.1, 0.2, 0.7]]), k=2)
    array([1., 0.])
    """
    labels, p = _numbers("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if from_sorted_ids:
        return _counted(np.any(labels[..., None] == p[..., :k], axis=-1), p)
    hit = labels[..., None] == np.arange(p.shape[-1])
    own = np.sum(np.where(hit, p, 0), axis=-1, keepdims=True)
    above = np.sum(_counted(p > own, p), axis=-1)
    known = np.any(hit & np.isfinite(p), axis=-1)
    return _counted((above < k) & known, p)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where fewer than ``k`` probabilities are larger than that of the one-hot label's class, else 0.

    >>> top_k_categorical_accuracy(np.array([[0, 0, 1]]), np.array([[0.5, 0.1, 0.4]]), k=2)
    array([1.])
    """
    t, p = paired("top_k_categorical_accuracy", y_true, y_pred)
    return sparse_top_k_categorical_accuracy(np.argmax(t, axis=-1), p, k)


class _Right(Mean):
    """The mean of how often something is right."""

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        return super().update(state, self.right(y_true, y_pred), sample_weight)

    def right(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError


class Accuracy(_Right):
    """The share of predictions that equal their label.

    >>> Accuracy()(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5]))
    np.float32(0.75)
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def right(self, y_true: Any, y_pred: Any) -> Any:
        """1 where both are equal."""
        t, p = paired("accuracy", y_true, y_pred)
        return _counted(t == p, p)


class BinaryAccuracy(_Right):
    """The share of probabilities on the label's side of ``threshold``.

    >>> BinaryAccuracy()(np.array([0, 1, 1]), np.array([0.2, 0.7, 0.1])).round(4)
    np.float32(0.6667)

    Raises ``ArgumentError`` for a threshold that is not between 0 and 1.
    """

    _config: ClassVar[tuple[str, ...]] = ("threshold",)

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        if threshold is None or not 0 <= threshold <= 1:
            raise option_error("BinaryAccuracy", "threshold", threshold, "expected_unit_interval")
        self.threshold = threshold

    def right(self, y_true: Any, y_pred: Any) -> Any:
        """1 where the probability is on the right side."""
        return binary_accuracy(y_true, y_pred, self.threshold)


class CategoricalAccuracy(_Right):
    """The share of rows whose largest probability is that of the one-hot label.

    >>> CategoricalAccuracy()(np.array([[0, 1], [1, 0]]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    np.float32(0.5)
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def right(self, y_true: Any, y_pred: Any) -> Any:
        """1 where the classes are equal."""
        return categorical_accuracy(y_true, y_pred)


class SparseCategoricalAccuracy(_Right):
    """The share of rows whose largest probability is that of the class number.

    >>> SparseCategoricalAccuracy()(np.array([1, 0]), np.array([[0.1, 0.9], [0.2, 0.8]]))
    np.float32(0.5)
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def right(self, y_true: Any, y_pred: Any) -> Any:
        """1 where the classes are equal."""
        return sparse_categorical_accuracy(y_true, y_pred)


class TopKCategoricalAccuracy(_Right):
    """The share of rows whose one-hot label is among the ``k`` most likely classes.

    >>> TopKCategoricalAccuracy(k=2)(np.array([[0, 0, 1]]), np.array([[0.5, 0.1, 0.4]]))
    np.float32(1.0)
    """

    _config: ClassVar[tuple[str, ...]] = ("k",)

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = _at_least_one("TopKCategoricalAccuracy", k)

    def right(self, y_true: Any, y_pred: Any) -> Any:
        """1 where the class is among them."""
        return top_k_categorical_accuracy(y_true, y_pred, self.k)


class SparseTopKCategoricalAccuracy(_Right):
    """The share of rows whose class number is among the ``k`` most likely classes.

    >>> SparseTopKCategoricalAccuracy(k=2)(np.array([2]), np.array([[0.5, 0.1, 0.4]]))
    np.float32(1.0)
    """

    _config: ClassVar[tuple[str, ...]] = ("k", "from_sorted_ids")

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = _at_least_one("SparseTopKCategoricalAccuracy", k), from_sorted_ids

    def right(self, y_true: Any, y_pred: Any) -> Any:
        """1 where the class is among them."""
        return sparse_top_k_categorical_accuracy(y_true, y_pred, self.k, self.from_sorted_ids)


def _at_least_one(metric: str, k: Any) -> int:
    if not isinstance(k, int | np.integer) or k < 1:
        raise option_error(metric, "k", k, "expected_whole", least=1)
    return int(k)
