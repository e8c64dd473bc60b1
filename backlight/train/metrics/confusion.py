"""What is counted when a probability is held against a threshold: true and false, positive and negative."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn.losses.common import floating, here
from backlight.train.metrics.base import Metric, State, option_error, paired, ratio, weights_beside
from backlight.train.metrics.regression import columns_of

__all__ = [
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "Recall",
    "TrueNegatives",
    "TruePositives",
    "confusion_counts",
    "top_k_only",
]

_WIDE = np.dtype(np.float64)


def top_k_only(p: Any, k: int) -> Any:
    """The ``k`` largest numbers of every row, the first of equals; the others become -10¹⁰, which no threshold lets by.

    >>> top_k_only(np.array([[0.5, 0.1, 0.5]]), 1)
    array([[ 5.e-01, -1.e+10, -1.e+10]])
    """
    classes = np.arange(p.shape[-1])
    own, other = p[..., :, None], p[..., None, :]
    before = (other > own) | ((other == own) & (classes[None, :] < classes[:, None]))
    return np.where(np.sum(floating(before, p.dtype), axis=-1) < k, p, -1e10)


def confusion_counts(y_true: Any, y_pred: Any, thresholds: Any, weights: Any = None, metric: str = "") -> State:
    """``tp, fp, tn, fn`` for every threshold: the sums of the weights where ``p > threshold`` and t is, or is not.

    >>> counts = confusion_counts(np.array([0, 1, 1]), np.array([0.6, 0.7, 0.2]), [0.5])
    >>> {name: count.tolist() for name, count in counts.items()}
    {'tp': [1.0], 'fp': [1.0], 'tn': [0.0], 'fn': [1.0]}
    """
    t, p = paired(metric or "confusion_counts", y_true, floating(y_pred))
    w = 1.0 if weights is None else weights_beside(metric, weights, p)
    w = floating(w + np.zeros(p.shape, p.dtype), p.dtype).reshape(-1)
    positive = np.where(t.reshape(-1) != 0, w, 0.0)
    negative = w - positive
    above = p.reshape(-1) > np.asarray(thresholds, p.dtype).reshape((-1, 1))
    tp = np.sum(np.where(above, positive, 0.0), axis=1, dtype=_WIDE)
    fp = np.sum(np.where(above, negative, 0.0), axis=1, dtype=_WIDE)
    tn = np.sum(np.where(above, 0.0, negative), axis=1, dtype=_WIDE)
    fn = np.sum(np.where(above, 0.0, positive), axis=1, dtype=_WIDE)
    return {"tp": tp, "fp": fp, "tn": tn, "fn": fn}


class _Counts(Metric):
    """Sums of ``confusion_counts`` over batches, for one threshold or several."""

    _kept: ClassVar[tuple[str, ...]] = ()
    _config: ClassVar[tuple[str, ...]] = ("thresholds",)

    def __init__(
        self, thresholds: Any = None, name: str | None = None, dtype: Any = None, default: float = 0.5
    ) -> None:
        super().__init__(name, dtype)
        given = [] if thresholds is None else list(np.ravel(thresholds))
        if any(not 0 <= each <= 1 for each in given):
            raise option_error(type(self).__name__, "thresholds", thresholds, "expected_unit_interval")
        self.thresholds = thresholds
        self._levels = [float(each) for each in given] or [default]

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """Zeros for every threshold."""
        return {name: np.zeros(len(self._levels)) for name in self._kept}

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The counts of the batch added."""
        counts = confusion_counts(y_true, y_pred, self._levels, sample_weight, self.name)
        return {name: state[name] + counts[name] for name in self._kept}

    def _shown(self, values: Any) -> Any:
        return values[0] if len(self._levels) == 1 else values

    def compute(self, state: State) -> Any:
        """The count; one for every threshold if there are several."""
        return self._shown(state[self._kept[0]])


class TruePositives(_Counts):
    """The number of positive labels with ``p > threshold``.

    >>> TruePositives()(np.array([0, 1, 1]), np.array([0.6, 0.7, 0.2]))
    np.float32(1.0)
    """

    _kept: ClassVar[tuple[str, ...]] = ("tp",)


class FalsePositives(_Counts):
    """The number of negative labels with ``p > threshold``.

    >>> FalsePositives()(np.array([0, 1, 1]), np.array([0.6, 0.7, 0.2]))
    np.float32(1.0)
    """

    _kept: ClassVar[tuple[str, ...]] = ("fp",)


class TrueNegatives(_Counts):
    """The number of negative labels without ``p > threshold``.

    >>> TrueNegatives()(np.array([0, 1, 1]), np.array([0.6, 0.7, 0.2]))
    np.float32(0.0)
    """

    _kept: ClassVar[tuple[str, ...]] = ("tn",)


class FalseNegatives(_Counts):
    """The number of positive labels without ``p > threshold``.

    >>> FalseNegatives()(np.array([0, 1, 1]), np.array([0.6, 0.7, 0.2]))
    np.float32(1.0)
    """

    _kept: ClassVar[tuple[str, ...]] = ("fn",)


class _Share(_Counts):
    """``tp / (tp + other)``, of the ``top_k`` classes and of one class alone where asked."""

    _config: ClassVar[tuple[str, ...]] = ("thresholds", "top_k", "class_id")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, 0.5 if top_k is None else -1e10)
        if top_k is not None and top_k < 1:
            raise option_error(type(self).__name__, "top_k", top_k, "expected_whole", least=1)
        self.top_k, self.class_id = top_k, class_id

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        t, p = paired(self.name, y_true, floating(y_pred))
        if self.top_k is not None:
            p = top_k_only(p, self.top_k)
        if self.class_id is not None:
            t, p = t[..., self.class_id], p[..., self.class_id]
        return super().update(state, t, p, sample_weight)

    def compute(self, state: State) -> Any:
        right, wrong = (state[name] for name in self._kept)
        return self._shown(ratio(right, right + wrong))


class Precision(_Share):
    """``tp / (tp + fp)``: how much of what was called positive is. Thresholds 0.5, or every class of the ``top_k``.

    >>> Precision()(np.array([0, 1, 1, 1]), np.array([1.0, 0.0, 1.0, 1.0])).round(4)
    np.float32(0.6667)

    Raises ``ArgumentError`` for thresholds outside 0 to 1.
    """

    _kept: ClassVar[tuple[str, ...]] = ("tp", "fp")


class Recall(_Share):
    """``tp / (tp + fn)``: how much of what is positive was called so.

    >>> Recall()(np.array([0, 1, 1, 1]), np.array([1.0, 0.0, 1.0, 1.0])).round(4)
    np.float32(0.6667)

    Raises ``ArgumentError`` for thresholds outside 0 to 1.
    """

    _kept: ClassVar[tuple[str, ...]] = ("tp", "fn")


class FBetaScore(Metric):
    """``F = (1 + beta²) · precision · recall / (beta² · precision + recall)`` for every class; shapes ``(N, C)``.

    ``average`` is ``None`` (one number a class), "micro" (counts of all classes together), "macro" (their mean) or
    "weighted" (by how often a class is the label). Without ``threshold`` the largest probability counts as positive.

    >>> FBetaScore(average="micro", threshold=0.5)(np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.9], [0.2, 0.3]]))
    np.float32(0.5)

    Raises ``ArgumentError`` for other options, ``ShapeError`` for other shapes.
    """

    _config: ClassVar[tuple[str, ...]] = ("average", "beta", "threshold")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if average not in (None, "micro", "macro", "weighted"):
            names = "None, 'micro', 'macro', 'weighted'"
            raise option_error(type(self).__name__, "average", average, "expected_one_of", names=names)
        if not beta > 0:
            raise option_error(type(self).__name__, "beta", beta, "expected_positive")
        if threshold is not None and not 0 < threshold <= 1:
            raise option_error(type(self).__name__, "threshold", threshold, "expected_unit_interval")
        self.average, self.beta, self.threshold = average, beta, threshold

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """Zeros for every class; needs the shape of the predictions unless ``average`` is "micro"."""
        micro = self.average == "micro"
        shape = () if micro else (columns_of(type(self).__name__, y_true, y_pred),)
        return {name: np.zeros(shape) for name in ("tp", "fp", "fn", "labels")}

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The counts of the batch added."""
        t, p = paired(self.name, y_true, floating(y_pred))
        if t.ndim != 2:
            facts = {"labels": tuple(t.shape), "predictions": tuple(p.shape)}
            expected = message("expected_metric_matrix")
            raise ShapeError(message("metric_shapes", here(), metric=self.name, expected=expected, **facts))
        t = floating(t, p.dtype)
        if self.threshold is None:
            chosen = (p >= np.max(p, axis=-1, keepdims=True)) & (np.abs(p) > 1e-9)
        else:
            chosen = p > self.threshold
        p = floating(chosen, p.dtype)
        w = 1.0 if sample_weight is None else weights_beside(self.name, sample_weight, p)
        axis = None if self.average == "micro" else 0
        new = {"tp": t * p, "fp": (1.0 - t) * p, "fn": t * (1.0 - p), "labels": t}
        return {name: state[name] + np.sum(value * w, axis=axis, dtype=_WIDE) for name, value in new.items()}

    def compute(self, state: State) -> Any:
        """The score, averaged as asked."""
        precision = ratio(state["tp"], state["tp"] + state["fp"])
        recall = ratio(state["tp"], state["tp"] + state["fn"])
        square = self.beta**2
        score = ratio((1.0 + square) * precision * recall, square * precision + recall)
        if self.average == "weighted":
            return np.sum(score * ratio(state["labels"], np.sum(state["labels"])))
        return np.mean(score) if self.average == "macro" else score


class F1Score(FBetaScore):
    """``F = 2 · precision · recall / (precision + recall)``: ``FBetaScore`` with ``beta`` 1.

    >>> F1Score(average="macro", threshold=0.5)(np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.1], [0.2, 0.3]]))
    np.float32(0.5)
    """

    _config: ClassVar[tuple[str, ...]] = ("average", "threshold")

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
