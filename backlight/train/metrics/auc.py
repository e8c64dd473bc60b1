"""The area under the curve that all thresholds trace out."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backlight import functions
from backlight.nn.losses.common import floating
from backlight.train.metrics.base import Metric, State, option_error, paired, ratio
from backlight.train.metrics.confusion import confusion_counts
from backlight.train.metrics.regression import columns_of

__all__ = ["AUC"]

EPSILON = 1e-7
_NAMES = ("tp", "fp", "tn", "fn")


class AUC(Metric):
    """``Σ (xₖ - xₖ₊₁) · height(yₖ, yₖ₊₁)`` over the thresholds, along which the rates x and y fall.

    ``curve`` "ROC": x = fp / (fp + tn), y = tp / (tp + fn). "PR": x = tp / (tp + fn), y = tp / (tp + fp), and between
    two thresholds tp and fp are taken to be straight lines (Davis & Goadrich 2006). ``summation_method`` is
    "interpolation" (the mean of both heights), "minoring" or "majoring". ``num_thresholds`` are spread evenly from just
    below 0 to just above 1, or ``thresholds`` between 0 and 1 are given. With ``multi_label`` every column has an
    area of its own; the result is their mean, weighted by ``label_weights``.

    >>> AUC(num_thresholds=3)(np.array([0, 0, 1, 1]), np.array([0.0, 0.5, 0.3, 0.9]))
    np.float32(0.75)

    Raises ``ArgumentError`` for other options.
    """

    _config: ClassVar[tuple[str, ...]] = (
        "num_thresholds",
        "curve",
        "summation_method",
        "multi_label",
        "num_labels",
        "label_weights",
        "from_logits",
    )

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__("auc" if name is None else name, dtype)
        if curve not in ("ROC", "PR"):
            raise option_error("AUC", "curve", curve, "expected_one_of", names="'ROC', 'PR'")
        if summation_method not in _HEIGHTS:
            names = ", ".join(map(repr, _HEIGHTS))
            raise option_error("AUC", "summation_method", summation_method, "expected_one_of", names=names)
        if thresholds is None:
            if num_thresholds < 2:
                raise option_error("AUC", "num_thresholds", num_thresholds, "expected_whole", least=2)
            inner = [k / (num_thresholds - 1) for k in range(1, num_thresholds - 1)]
        else:
            inner = sorted(float(each) for each in thresholds)
            if any(not 0 <= each <= 1 for each in inner):
                raise option_error("AUC", "thresholds", thresholds, "expected_unit_interval")
        self.given = None if thresholds is None else list(inner)
        self.thresholds = np.array([-EPSILON, *inner, 1.0 + EPSILON])
        self.num_thresholds = len(self.thresholds)
        self.curve, self.summation_method, self.multi_label = curve, summation_method, multi_label
        self.num_labels, self.label_weights, self.from_logits = num_labels, label_weights, from_logits

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        config = super().get_config()
        return config if self.given is None else {**config, "thresholds": list(self.given)}

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """Zeros for every threshold (and label, whose number must be known)."""
        shape: tuple[int, ...] = (self.num_thresholds,)
        if self.multi_label:
            shape += (self.num_labels or columns_of("AUC", y_true, y_pred),)
        return {name: np.zeros(shape) for name in _NAMES}

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The counts of the batch added."""
        t, p = paired(self.name, y_true, floating(y_pred))
        if self.from_logits:
            p = functions.sigmoid(p)
        if not self.multi_label:
            counts = confusion_counts(t, p, self.thresholds, sample_weight, self.name)
        else:
            each = [
                confusion_counts(t[:, k], p[:, k], self.thresholds, sample_weight, self.name) for k in range(p.shape[1])
            ]
            counts = {name: np.stack([count[name] for count in each], axis=1) for name in _NAMES}
        return {name: state[name] + counts[name] for name in _NAMES}

    def compute(self, state: State) -> Any:
        """The area."""
        tp, fp, tn, fn = (state[name] for name in _NAMES)
        recall = ratio(tp, tp + fn)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr(tp, fp, fn)
        else:
            x, y = (ratio(fp, fp + tn), recall) if self.curve == "ROC" else (recall, ratio(tp, tp + fp))
            areas = np.sum((x[:-1] - x[1:]) * _HEIGHTS[self.summation_method](y[:-1], y[1:]), axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return np.mean(areas)
        weights = np.asarray(self.label_weights, np.float64)
        return ratio(np.sum(areas * weights), np.sum(weights))


_HEIGHTS: dict[str, Any] = {
    "interpolation": lambda first, second: (first + second) / 2.0,
    "minoring": np.minimum,
    "majoring": np.maximum,
}


def _interpolated_pr(tp: Any, fp: Any, fn: Any) -> Any:
    """∫ tp/(tp + fp) d recall where tp is a straight line over tp + fp between two thresholds.

    With ``tp = slope · n + offset`` over ``n = tp + fp`` that is ``slope · (Δtp + offset · log(n₁/n₂)) / (tp + fn)``.
    """
    n = tp + fp
    risen = tp[:-1] - tp[1:]
    slope = ratio(risen, np.maximum(n[:-1] - n[1:], 0.0))
    offset = tp[1:] - slope * n[1:]
    both = (n[:-1] > 0) & (n[1:] > 0)
    grown = np.where(both, n[:-1] / np.where(both, n[1:], 1.0), 1.0)
    return np.sum(ratio(slope * (risen + offset * np.log(grown)), np.maximum(tp[1:] + fn[1:], 0.0)), axis=0)
