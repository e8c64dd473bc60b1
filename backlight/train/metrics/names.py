"""Metrics by name, and the one that "accuracy" means for labels and predictions of given shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backlight.nn import losses
from backlight.nn.lookup import Names, snake
from backlight.train.metrics import accuracy, auc, base, confusion, overlap, regression
from backlight.train.metrics.base import MeanMetricWrapper, Metric

__all__ = ["deserialize", "get", "resolve", "serialize"]

_MODULES = (base, accuracy, regression, confusion, auc, overlap)
_CLASSES = {
    name: each
    for module in _MODULES
    for name in module.__all__
    if isinstance(each := getattr(module, name), type) and issubclass(each, Metric) and each is not Metric
}
_FUNCTIONS = {name: getattr(accuracy, name) for name in accuracy.__all__ if name.islower()}
_SHORT = {
    "mse": "MeanSquaredError",
    "MSE": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "MAE": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "MAPE": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "MSLE": "MeanSquaredLogarithmicError",
    "rmse": "RootMeanSquaredError",
    "RMSE": "RootMeanSquaredError",
    "bce": "BinaryCrossentropy",
    "BCE": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "KLD": "KLDivergence",
    "logcosh": "LogCoshError",
    "log_cosh": "LogCoshError",
    "auc": "AUC",
    "r2_score": "R2Score",
    "f1_score": "F1Score",
    "fbeta_score": "FBetaScore",
    "kl_divergence": "KLDivergence",
    "mean_io_u": "MeanIoU",
    "mean_iou": "MeanIoU",
    "binary_iou": "BinaryIoU",
    "iou": "IoU",
    "sparse_top_k_categorical_accuracy": "SparseTopKCategoricalAccuracy",
    "top_k_categorical_accuracy": "TopKCategoricalAccuracy",
}
NAMES = Names(
    "kind_metric",
    _CLASSES,
    {**{snake(name): name for name in _CLASSES if snake(name) not in _SHORT}, **_SHORT},
)


def get(identifier: Any) -> Any:
    """A name, a configuration, a class or an object -> a metric; ``None`` stays ``None``.

    A function of labels and predictions, a loss for instance, becomes the mean of its values.

    >>> get("mse"), get("AUC"), get(losses.huber)
    (<MeanSquaredError mean_squared_error>, <AUC auc>, <MeanMetricWrapper huber>)

    Raises ``ArgumentError`` for a name that is not known.
    """
    if isinstance(identifier, losses.FunctionLoss):
        return MeanMetricWrapper(identifier.fn, identifier.name, **identifier.options)
    if isinstance(identifier, losses.Loss):
        return MeanMetricWrapper(identifier.call, identifier.name)
    if isinstance(identifier, str) and identifier not in NAMES.things and identifier not in NAMES.aliases:
        known = losses.objects.NAMES.things.get(identifier)
        if callable(known) and not isinstance(known, type):
            return MeanMetricWrapper(known)
    found = NAMES.get(identifier)
    return found if found is None or isinstance(found, Metric) else MeanMetricWrapper(found)


def resolve(identifier: Any, y_true_shape: tuple[Any, ...], y_pred_shape: tuple[Any, ...]) -> Metric:
    """The metric for labels and predictions of these shapes: what "accuracy" and "crossentropy" mean depends on them.

    One probability for every label is binary; a last axis that the labels lack (or have with length 1) means that they
    are class numbers; otherwise they are one-hot. The metric keeps the name that was given.

    >>> [type(resolve("accuracy", *shapes)).__name__ for shapes in (((8, 1), (8, 1)), ((8,), (8, 3)), ((8, 3), (8, 3)))]
    ['BinaryAccuracy', 'SparseCategoricalAccuracy', 'CategoricalAccuracy']

    Raises ``ArgumentError`` for a name that is not known.
    """
    family = _BY_SHAPE.get(identifier) if isinstance(identifier, str) else None
    if family is None:
        found: Metric = get(identifier)
        return found
    rows, last = len(y_pred_shape), y_pred_shape[-1] if y_pred_shape else 1
    sparse = len(y_true_shape) < rows or (y_true_shape[-1:] == (1,) and last != 1)
    binary = last == 1 or rows < 2
    metric: Metric = family["binary" if binary else "sparse" if sparse else "one_hot"](name=identifier)
    return metric


_ACCURACY: dict[str, Any] = {
    "binary": accuracy.BinaryAccuracy,
    "sparse": accuracy.SparseCategoricalAccuracy,
    "one_hot": accuracy.CategoricalAccuracy,
}
_CROSSENTROPY: dict[str, Any] = {
    "binary": regression.BinaryCrossentropy,
    "sparse": regression.SparseCategoricalCrossentropy,
    "one_hot": regression.CategoricalCrossentropy,
}
_BY_SHAPE = {"accuracy": _ACCURACY, "acc": _ACCURACY, "crossentropy": _CROSSENTROPY, "ce": _CROSSENTROPY}


def serialize(metric: Any) -> Any:
    """Class and configuration of a metric.

    >>> serialize(get("mse"))["class_name"]
    'MeanSquaredError'
    """
    return NAMES.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What ``serialize`` wrote, made again; a metric of the user's is looked up in ``custom_objects``.

    >>> deserialize(serialize(get("precision")))
    <Precision precision>
    """
    return NAMES.deserialize(config, custom_objects)
