"""How far numbers are from numbers, and every loss as a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from backlight.errors import ShapeError, message
from backlight.nn import losses
from backlight.nn.losses.common import array_of, floating, here
from backlight.train.metrics.base import (
    Mean,
    MeanMetricWrapper,
    Metric,
    State,
    option_error,
    paired,
    ratio,
    weights_beside,
)

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Perplexity",
    "Poisson",
    "R2Score",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
]


class _Loss(MeanMetricWrapper):
    """The mean of a loss function of the table below, under a name."""

    function: ClassVar[Callable[..., Any]]
    label: ClassVar[str]
    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        unknown = [option for option in options if option not in self.defaults]
        if unknown:
            names = ", ".join(self.defaults) or "name, dtype"
            raise option_error(
                type(self).__name__, unknown[0], options[unknown[0]], "expected_one_of", names=f"({names})"
            )
        super().__init__(type(self).function, name or self.label, dtype, **{**self.defaults, **options})

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": str(self.dtype), **self.options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        return cls(**config)


class MeanSquaredError(_Loss):
    """The mean of ``(t - p)²``.

    >>> MeanSquaredError()(np.array([0.0, 0.0]), np.array([1.0, 3.0]))
    np.float32(5.0)
    """

    function = losses.mean_squared_error
    label = "mean_squared_error"


class MeanAbsoluteError(_Loss):
    """The mean of ``|t - p|``.

    >>> MeanAbsoluteError()(np.array([0.0, 0.0]), np.array([1.0, 3.0]))
    np.float32(2.0)
    """

    function = losses.mean_absolute_error
    label = "mean_absolute_error"


class MeanAbsolutePercentageError(_Loss):
    """The mean of ``100 · |t - p| / |t|``.

    >>> MeanAbsolutePercentageError()(np.array([2.0, 4.0]), np.array([1.0, 4.0]))
    np.float32(25.0)
    """

    function = losses.mean_absolute_percentage_error
    label = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(_Loss):
    """The mean of ``(log(1 + t) - log(1 + p))²``.

    >>> MeanSquaredLogarithmicError()(np.array([1.0]), np.array([1.0]))
    np.float32(0.0)
    """

    function = losses.mean_squared_logarithmic_error
    label = "mean_squared_logarithmic_error"


class LogCoshError(_Loss):
    """The mean of ``log cosh(p - t)``.

    >>> LogCoshError()(np.array([2.0]), np.array([2.0]))
    np.float32(0.0)
    """

    function = losses.log_cosh
    label = "logcosh"


class KLDivergence(_Loss):
    """The mean of ``Σ t · log(t / p)``.

    >>> KLDivergence()(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]))
    np.float32(0.0)
    """

    function = losses.kl_divergence
    label = "kl_divergence"


class Poisson(_Loss):
    """The mean of ``p - t · log p``.

    >>> Poisson()(np.array([0.0]), np.array([2.0]))
    np.float32(2.0)
    """

    function = losses.poisson
    label = "poisson"


class Hinge(_Loss):
    """The mean of ``max(1 - t · p, 0)``.

    >>> Hinge()(np.array([[1.0, 0.0]]), np.array([[2.0, 0.5]]))
    np.float32(0.75)
    """

    function = losses.hinge
    label = "hinge"


class SquaredHinge(_Loss):
    """The mean of ``max(1 - t · p, 0)²``.

    >>> SquaredHinge()(np.array([[1.0, 0.0]]), np.array([[2.0, 0.5]]))
    np.float32(1.125)
    """

    function = losses.squared_hinge
    label = "squared_hinge"


class CategoricalHinge(_Loss):
    """The mean of ``max(1 + max (1 - t) · p - Σ t · p, 0)``.

    >>> CategoricalHinge()(np.array([[0.0, 1.0]]), np.array([[0.5, 1.0]]))
    np.float32(0.5)
    """

    function = losses.categorical_hinge
    label = "categorical_hinge"


class BinaryCrossentropy(_Loss):
    """The mean of ``-(t · log p + (1 - t) · log(1 - p))``; options ``from_logits`` and ``label_smoothing``.

    >>> BinaryCrossentropy()(np.array([1.0]), np.array([0.5])).round(4)
    np.float32(0.6931)
    """

    function = losses.binary_crossentropy
    label = "binary_crossentropy"
    defaults: ClassVar[dict[str, Any]] = {"from_logits": False, "label_smoothing": 0}


class CategoricalCrossentropy(_Loss):
    """The mean of ``-Σ t · log p``; options ``from_logits``, ``label_smoothing`` and ``axis``.

    >>> CategoricalCrossentropy()(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).round(4)
    np.float32(0.6931)
    """

    function = losses.categorical_crossentropy
    label = "categorical_crossentropy"
    defaults: ClassVar[dict[str, Any]] = {"from_logits": False, "label_smoothing": 0, "axis": -1}


class SparseCategoricalCrossentropy(_Loss):
    """The mean of ``-log pₜ`` over what has a class; options ``from_logits``, ``ignore_class`` and ``axis``.

    >>> SparseCategoricalCrossentropy()(np.array([1]), np.array([[0.5, 0.5]])).round(4)
    np.float32(0.6931)
    """

    function = losses.sparse_categorical_crossentropy
    label = "sparse_categorical_crossentropy"
    defaults: ClassVar[dict[str, Any]] = {"from_logits": False, "ignore_class": None, "axis": -1}

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """The surprises added; what is ignored does not count, so that the metric is the loss of that name."""
        ignored = self.options["ignore_class"]
        if ignored is not None:
            p = array_of(y_pred)
            axis = self.options["axis"] % p.ndim
            labels = array_of(y_true).reshape(p.shape[:axis] + p.shape[axis + 1 :])
            kept = floating(labels != ignored, floating(p).dtype)
            weights = 1.0 if sample_weight is None else weights_beside(self.name, sample_weight, kept)
            sample_weight = weights * kept
        return super().update(state, y_true, y_pred, sample_weight)


class CosineSimilarity(Mean):
    """The mean of ``Σ t/|t| · p/|p|`` along ``axis``: 1 for the same direction (the loss is its negative).

    >>> CosineSimilarity()(np.array([[0.0, 2.0]]), np.array([[0.0, 3.0]]))
    np.float32(1.0)
    """

    _config: ClassVar[tuple[str, ...]] = ("axis",)

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = axis

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """The similarities added."""
        return super().update(state, -losses.cosine_similarity(y_true, y_pred, self.axis), sample_weight)


class RootMeanSquaredError(Mean):
    """``√(mean (t - p)²)``.

    >>> RootMeanSquaredError()(np.array([0.0, 0.0]), np.array([3.0, 4.0])).round(4)
    np.float32(3.5355)
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """The squares added."""
        t, p = paired(self.name, y_true, floating(y_pred))
        return super().update(state, np.square(floating(t, p.dtype) - p), sample_weight)

    def compute(self, state: State) -> Any:
        """The root of their mean."""
        return np.sqrt(super().compute(state))


class R2Score(Metric):
    """``R² = 1 - Σ (t - p)² / Σ (t - mean t)²`` for every output; shapes ``(N, outputs)``.

    ``class_aggregation`` is "uniform_average", "variance_weighted_average" (by Σ (t - mean t)²) or ``None``;
    ``num_regressors`` q above 0 adjusts it to ``1 - (1 - R²)(n - 1) / (n - q - 1)``, n being the number of labels of
    all outputs. 0 for labels that are all equal.

    >>> R2Score()(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [2.0]]))
    np.float32(0.5)

    Raises ``ArgumentError`` for other options.
    """

    _config: ClassVar[tuple[str, ...]] = ("class_aggregation", "num_regressors")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        names = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in names:
            shown = ", ".join(map(repr, names))
            raise option_error("R2Score", "class_aggregation", class_aggregation, "expected_one_of", names=shown)
        if not isinstance(num_regressors, int) or num_regressors < 0:
            raise option_error("R2Score", "num_regressors", num_regressors, "expected_whole", least=0)
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """Zeros for every output; needs the shape of the predictions."""
        outputs = (columns_of("R2Score", y_true, y_pred),)
        sums = {name: np.zeros(outputs) for name in ("sum", "squared_sum", "residual", "count")}
        return {**sums, "num_samples": np.zeros(())}

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The moments of the labels and the squared errors added."""
        t, p = paired(self.name, y_true, floating(y_pred))
        if t.ndim == 1:
            t, p = t.reshape((-1, 1)), p.reshape((-1, 1))
        t, p = floating(t, np.dtype(np.float64)), floating(p, np.dtype(np.float64))  # the moments nearly cancel
        weights = np.ones((1, 1)) if sample_weight is None else weights_beside(self.name, sample_weight, t)
        weights = weights + np.zeros(t.shape)
        new = {
            "sum": np.sum(t * weights, axis=0),
            "squared_sum": np.sum(np.square(t) * weights, axis=0),
            "residual": np.sum(np.square(t - p) * weights, axis=0),
            "count": np.sum(weights, axis=0),
            "num_samples": float(t.size),
        }
        return {name: state[name] + value for name, value in new.items()}

    def compute(self, state: State) -> Any:
        """R², aggregated and adjusted."""
        total = state["squared_sum"] - state["sum"] * ratio(state["sum"], state["count"])
        flat = total <= 0.0
        raw: Any = np.where(flat, 0.0, 1.0 - state["residual"] / np.where(flat, 1.0, total))
        if self.class_aggregation == "uniform_average":
            raw = np.mean(raw)
        elif self.class_aggregation == "variance_weighted_average":
            raw = ratio(np.sum(total * raw), np.sum(total))
        if self.num_regressors:
            free = state["num_samples"] - self.num_regressors - 1.0
            adjusted = 1.0 - (1.0 - raw) * (state["num_samples"] - 1.0) / np.where(free > 0, free, 1.0)
            raw = np.where(free > 0, adjusted, raw)
        return raw


def columns_of(metric: str, y_true: Any, y_pred: Any) -> int:
    """The number of outputs, from an example or a shape of the predictions; raises ``ShapeError`` without one."""
    shape = _shape(y_pred)
    if shape is None:
        raise ShapeError(message("metric_unknown_shape", here(), metric=metric))
    return int(shape[-1]) if len(shape) > 1 else 1


def _shape(x: Any) -> tuple[Any, ...] | None:
    if x is None:
        return None
    return tuple(x) if isinstance(x, tuple | list) else tuple(x.shape)


class Perplexity(Mean):
    """``exp(mean(-log pₜ))`` over all tokens: among how many equally likely ones the choice would be as hard.

    Labels are class numbers ``(…)`` for predictions ``(…, C)``; ``ignore_class`` marks tokens that do not count.

    >>> Perplexity()(np.array([1, 0]), np.full((2, 4), 0.25)).round(4)
    np.float32(4.0)
    """

    _config: ClassVar[tuple[str, ...]] = ("from_logits", "ignore_class")

    def __init__(
        self,
        name: str | None = "perplexity",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits, self.ignore_class = from_logits, ignore_class

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """The surprise of every token added."""
        values = losses.sparse_categorical_crossentropy(y_true, y_pred, self.from_logits, self.ignore_class)
        weights = values * 0.0 + 1.0
        if sample_weight is not None:
            weights = weights * weights_beside(self.name, sample_weight, values)
        if self.ignore_class is not None:
            labels = array_of(y_true).reshape(values.shape)
            weights = np.where(labels == self.ignore_class, 0.0, weights)
        total, count = np.sum(values * weights), np.sum(weights)
        return {"total": state["total"] + total, "count": state["count"] + count}

    def compute(self, state: State) -> Any:
        """The exponential of the mean."""
        return np.exp(super().compute(state))
