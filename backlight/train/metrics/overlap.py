"""How classes are taken for each other: the confusion matrix, and the overlap (intersection over union) from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from backlight import functions
from backlight.nn.losses.common import array_of, floating
from backlight.train.metrics.base import Metric, State, option_error, paired, ratio, weights_beside

__all__ = ["BinaryIoU", "ConfusionMatrix", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]

_WIDE = np.dtype(np.float64)


class ConfusionMatrix(Metric):
    """``m[i, j] = Σ w`` over what has the label i and was predicted j; shape ``(num_classes, num_classes)``.

    ``sparse_y_true`` and ``sparse_y_pred`` say that class numbers are given; otherwise the largest along ``axis`` is
    the class. ``ignore_class`` is a label that does not count.

    >>> ConfusionMatrix(2)(np.array([0, 0, 1]), np.array([0, 1, 1]))
    array([[1., 1.],
           [0., 1.]], dtype=float32)

    Raises ``ArgumentError`` where there are fewer than two classes.
    """

    _config: ClassVar[tuple[str, ...]] = (
        "num_classes",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        if not isinstance(num_classes, int | np.integer) or num_classes < 2:
            raise option_error(type(self).__name__, "num_classes", num_classes, "expected_whole", least=2)
        self.num_classes, self.ignore_class, self.axis = int(num_classes), ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """A matrix of zeros."""
        return {"matrix": np.zeros((self.num_classes, self.num_classes))}

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The pairs of the batch added; classes that do not exist are left out."""
        t, p = array_of(y_true), array_of(y_pred)
        t = t if self.sparse_y_true else np.argmax(t, axis=self.axis)
        p = p if self.sparse_y_pred else np.argmax(p, axis=self.axis)
        t, p = paired(self.name, t, p)
        w = np.ones(t.shape)
        if sample_weight is not None:
            w = w * weights_beside(self.name, sample_weight, t)
        if self.ignore_class is not None:
            w = np.where(t == self.ignore_class, 0.0, w)
        t, p, w = t.reshape(-1), p.reshape(-1), floating(w, _WIDE).reshape(-1)
        labels = functions.one_hot(t, self.num_classes) * w[:, None]
        return {"matrix": state["matrix"] + np.transpose(labels) @ functions.one_hot(p, self.num_classes)}

    def compute(self, state: State) -> Any:
        """The matrix."""
        return state["matrix"]


class IoU(ConfusionMatrix):
    """The mean over ``target_class_ids`` of ``tp / (tp + fp + fn)``; classes that never occur do not count.

    >>> IoU(2, [0])(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])).round(4)
    np.float32(0.3333)

    Raises ``ArgumentError`` for a class that does not exist.
    """

    _config: ClassVar[tuple[str, ...]] = (
        "num_classes",
        "target_class_ids",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        name = "io_u" if name is None and type(self) is IoU else name
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        ids = [int(each) for each in target_class_ids]
        if not ids or max(ids) >= num_classes or min(ids) < 0:
            names = f"0 … {num_classes - 1}"
            raise option_error(type(self).__name__, "target_class_ids", ids, "expected_one_of", names=names)
        self.target_class_ids = ids

    def compute(self, state: State) -> Any:
        """The mean overlap."""
        matrix = state["matrix"]
        right = np.sum(matrix * np.eye(self.num_classes), axis=0)
        union = np.sum(matrix, axis=0) + np.sum(matrix, axis=1) - right
        wanted = np.isin(np.arange(self.num_classes), self.target_class_ids)
        present = floating((union > 0) & wanted, _WIDE)
        return ratio(np.sum(present * ratio(right, union)), np.sum(present))


class MeanIoU(IoU):
    """The mean over all classes that occur of ``tp / (tp + fp + fn)``.

    >>> MeanIoU(2)(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])).round(4)
    np.float32(0.3333)
    """

    _config: ClassVar[tuple[str, ...]] = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        name = "mean_io_u" if name is None else name
        ids = range(num_classes)
        super().__init__(num_classes, ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """``IoU`` for one-hot labels and probabilities (class numbers with ``sparse_y_pred``).

    >>> OneHotIoU(2, [0])(np.eye(2), np.array([[0.9, 0.1], [0.8, 0.2]]))
    np.float32(0.5)
    """

    _config: ClassVar[tuple[str, ...]] = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        name = "one_hot_io_u" if name is None else name
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """``MeanIoU`` for one-hot labels and probabilities (class numbers with ``sparse_y_pred``).

    >>> OneHotMeanIoU(2)(np.eye(2), np.array([[0.9, 0.1], [0.2, 0.8]]))
    np.float32(1.0)
    """

    _config: ClassVar[tuple[str, ...]] = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        name = "one_hot_mean_io_u" if name is None else name
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)


class BinaryIoU(IoU):
    """``IoU`` of two classes, the second being predicted where ``p >= threshold``.

    >>> BinaryIoU(threshold=0.3)(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.4, 0.7])).round(4)
    np.float32(0.3333)
    """

    _config: ClassVar[tuple[str, ...]] = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, "binary_io_u" if name is None else name, dtype)
        self.threshold = threshold

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The pairs of the batch added."""
        chosen = floating(array_of(y_pred) >= self.threshold, _WIDE)
        return super().update(state, y_true, chosen, sample_weight)
