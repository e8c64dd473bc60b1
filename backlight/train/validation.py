"""What is looked at before the first step: what would fail later, without a word about why, or never fail at all.

Every check takes plain arrays (a set, or its first batch) and raises in the user's terms, or warns where Keras accepts
it. None of them changes anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import ArgumentError, BacklightError, DataError, ShapeError, TrainingWarning, message
from backlight.nn import losses
from backlight.nn.logits import origin_of
from backlight.nn.losses.common import here
from backlight.nn.losses.entropy import check_labels
from backlight.refusal import warn
from backlight.train.metrics import accuracy, confusion
from backlight.train.metrics.auc import AUC
from backlight.train.metrics.base import MeanMetricWrapper
from backlight.train.metrics.names import resolve

__all__ = [
    "TrainingWarning",
    "check_data",
    "check_finite",
    "check_label_range",
    "check_lengths",
    "check_loss",
    "check_metric",
    "check_not_empty",
    "loss_function",
    "validate",
]


def _plain(x: Any) -> np.ndarray[Any, Any]:
    return x.value if isinstance(x, Array) else np.asarray(x)


# -- Data ------------------------------------------------------------------------------------------------------------


def check_not_empty(what: str, x: Any) -> None:
    """Raise ``DataError`` for a set without examples, or whose examples hold nothing.

    >>> check_not_empty("x", np.zeros((3, 2)))
    """
    if not np.shape(x) or not np.size(x):
        raise DataError(message("data_empty", here(), what=what, shape=tuple(np.shape(x))))


def check_finite(what: str, x: Any, name: str | None = None) -> None:
    """Raise ``DataError`` for NaN and infinity, naming how many there are and where the first is.

    ``name`` is what the user's code calls it, if that is not ``what``.

    >>> check_finite("x", np.zeros((3, 2)))
    """
    x = _plain(x)
    if x.dtype.kind not in "fc":
        return
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(x)):
            return  # a sum is finite only if everything in it is, and costs a fraction of looking at each
    bad = ~np.isfinite(x)
    if bad.any():
        place = tuple(int(k) for k in np.argwhere(bad)[0])
        facts = {"what": what, "name": name or what, "shape": x.shape, "count": int(bad.sum()), "place": place}
        raise DataError(message("data_not_finite", here(), **facts))


def check_lengths(what: str, x: Any, other: str, reference: Any) -> None:
    """Raise ``ShapeError`` where two sets do not have the same number of examples.

    >>> check_lengths("y", np.zeros(3), "x", np.zeros((3, 2)))
    """
    if len(x) != len(reference):
        facts = {"what": what, "count": len(x), "other": other, "expected": len(reference)}
        raise ShapeError(message("data_lengths", here(), **facts))


def check_data(x: Any, y: Any = None, sample_weight: Any = None) -> None:
    """Every check of data alone: not empty, as many labels (and weights) as examples, all finite.

    >>> check_data(np.zeros((3, 2)), np.zeros(3))

    Raises ``DataError`` and ``ShapeError``.
    """
    named = {"x": x, "y": y, "sample_weight": sample_weight}
    for name, each in named.items():
        if each is not None:
            check_not_empty(name, each)
            check_lengths(name, each, "x", x)
            check_finite(name, each)


# -- Labels, predictions and the loss ------------------------------------------------------------------------------


def loss_function(loss: Any) -> tuple[Any, dict[str, Any]]:
    """The function behind a loss given by name, as a function or as an object, and its options.

    >>> loss_function(losses.Huber(0.5))[1]
    {'delta': 0.5}
    """
    found = losses.get(loss)
    if isinstance(found, losses.FunctionLoss):
        return found.fn, found.options
    return found, {}


_BINARY = (losses.binary_crossentropy, losses.binary_focal_crossentropy)
_ONE_HOT = (losses.categorical_crossentropy, losses.categorical_focal_crossentropy)
_SPARSE = (losses.sparse_categorical_crossentropy,)
_CLASSIFYING = (
    *_BINARY,
    *_ONE_HOT,
    *_SPARSE,
    losses.hinge,
    losses.squared_hinge,
    losses.categorical_hinge,
    losses.kl_divergence,
    losses.dice,
    losses.tversky,
)


def check_loss(loss: Any, y_true: Any, y_pred: Any) -> None:
    """Whether labels and first predictions fit the loss.

    Raises ``ShapeError`` for a wrong rank and shapes that do not fit, ``ArgumentError`` for class numbers out of range,
    for labels and probabilities outside 0 to 1, and where softmax or sigmoid is applied twice (``y_pred`` as the Array
    that the model gave). Warns (``TrainingWarning``) of a column against a row, of logits that look like probabilities,
    and of a cross-entropy over a single class.

    >>> check_loss("mse", np.zeros((4, 1)), np.zeros((4, 1)))
    """
    function, options = loss_function(loss)
    name = getattr(function, "__name__", type(function).__name__)
    labels, p = _plain(y_true), _plain(y_pred)
    if function in _SPARSE:
        _check_sparse(function, options, labels, p)
    elif getattr(function, "__module__", "").startswith(losses.__name__):
        function(labels, p, **options)
    check_label_range(loss, labels, p.shape)
    if {labels.ndim, p.ndim} == {1, 2} and (labels.shape[1:] or p.shape[1:]) == (1,) and function not in _SPARSE:
        warn(message("column_against_row", labels=labels.shape, predictions=p.shape), TrainingWarning)
    if function in (*_BINARY, *_ONE_HOT, *_SPARSE):
        _check_range(name, function, options, y_pred, p)


def _check_sparse(function: Any, options: dict[str, Any], labels: Any, p: Any) -> None:
    squeezed = _class_numbers(labels, p.ndim)
    one_hot = labels.shape == p.shape and labels.shape[-1:] != (1,)
    function(labels if one_hot else np.zeros(squeezed.shape, np.int64), p, **options)  # shapes


def _class_numbers(labels: Any, axes: int) -> Any:
    return labels.reshape(labels.shape[:-1]) if labels.ndim == axes and labels.shape[-1] == 1 else labels


def check_label_range(loss: Any, y_true: Any, predictions: tuple[int, ...]) -> None:
    """Whether labels are classes that predictions of this shape have, or probabilities, where the loss wants them.

    Raises ``ArgumentError``.

    >>> check_label_range("sparse_categorical_crossentropy", np.array([0, 2]), (2, 3))
    """
    function, options = loss_function(loss)
    labels = _plain(y_true)
    if function in _SPARSE:
        classes = predictions[options.get("axis", -1)]
        check_labels(_class_numbers(labels, len(predictions)), classes, predictions, options.get("ignore_class"))
    elif function in (*_BINARY, *_ONE_HOT) and labels.size:
        _check_probable_labels(function.__name__, labels, function in _ONE_HOT)


def _check_probable_labels(name: str, labels: Any, one_hot: bool) -> None:
    low, high = float(labels.min()), float(labels.max())
    rows = np.sum(labels, axis=-1) if one_hot else 1.0
    if low < 0 or high > 1 or np.any(np.abs(rows - 1.0) > 1e-3):
        expected = message("expected_one_hot" if one_hot else "expected_binary_labels")
        facts = {"loss": name, "labels": labels.shape, "low": f"{low:g}", "high": f"{high:g}", "expected": expected}
        raise ArgumentError(message("labels_not_probabilities", here(), **facts))


def _check_range(name: str, function: Any, options: dict[str, Any], y_pred: Any, p: Any) -> None:
    many = function not in _BINARY
    axis = options.get("axis", -1)
    low, high = float(p.min()), float(p.max())
    if many and p.shape[axis] == 1:
        warn(message("single_class", loss=name, predictions=p.shape), TrainingWarning)
        return
    if options.get("from_logits"):
        origin = origin_of(y_pred)
        if origin is not None and origin.kind in ("softmax", "sigmoid"):
            raise ArgumentError(message("probabilities_as_logits", here(), loss=name, maker=origin.kind))
        if many and low >= 0 and high <= 1 and np.all(np.abs(p.sum(axis=axis) - 1.0) < 1e-3):
            warn(message("maybe_probabilities", loss=name, predictions=p.shape), TrainingWarning)
    elif _twice(y_pred):
        warn(message("activation_twice", loss=name, predictions=p.shape, makers=_twice(y_pred)), TrainingWarning)
    elif low < 0 or high > 1 + 1e-3:
        activation = "softmax" if many else "sigmoid"
        facts = {"loss": name, "predictions": p.shape, "low": f"{low:g}", "high": f"{high:g}"}
        raise ArgumentError(message("logits_as_probabilities", here(), activation=activation, **facts))


def _twice(y_pred: Any) -> str:
    """The two activations where predictions are probabilities of probabilities."""
    outer = origin_of(y_pred)
    inner = None if outer is None else origin_of(outer.logits)
    makers = [each.kind for each in (inner, outer) if each is not None and each.kind != "exp"]
    return " → ".join(makers) if len(makers) == 2 else ""


# -- Metrics -----------------------------------------------------------------------------------------------------------


_COUNTING = (
    accuracy.Accuracy,
    accuracy.BinaryAccuracy,
    accuracy.CategoricalAccuracy,
    accuracy.SparseCategoricalAccuracy,
    confusion.Precision,
    confusion.Recall,
    confusion.FBetaScore,
    AUC,
)


def check_metric(metric: Any, loss: Any, y_true: Any, y_pred: Any) -> None:
    """Whether a metric (by name or object) fits the loss, the labels and the first predictions.

    Raises ``ShapeError`` where the metric cannot be computed from them, ``ArgumentError`` for class numbers given to a
    metric for one-hot labels or the reverse; warns (``TrainingWarning``) where it counts what a loss between numbers
    does not aim at.

    >>> check_metric("mae", "mse", np.zeros((4, 1)), np.zeros((4, 1)))
    """
    labels, p = _plain(y_true), _plain(y_pred)
    found = resolve(metric, labels.shape, p.shape)
    wanted = _wanted_labels(found, labels, p)
    if wanted:
        facts = {"metric": found.name, "labels": labels.shape, "predictions": p.shape}
        raise ArgumentError(message("metric_labels", here(), expected=message(wanted), **facts))
    if isinstance(found, MeanMetricWrapper) and not found.fn.__module__.startswith("backlight."):
        return  # the user's own function: what it accepts is the user's business
    function, _ = loss_function(loss) if loss is not None else (None, {})
    between_numbers = (
        function is not None
        and getattr(function, "__module__", "").startswith(losses.__name__)
        and function not in _CLASSIFYING
        and function is not losses.ctc
    )
    if isinstance(found, _COUNTING) and between_numbers and not _whole(labels):
        warn(message("metric_for_loss", metric=found.name, loss=getattr(function, "__name__", "")), TrainingWarning)
    try:
        found.result(found.update(found.init(labels.shape, p.shape), labels, p))
    except BacklightError:
        raise
    except Exception as error:
        facts = {"metric": found.name, "labels": labels.shape, "predictions": p.shape}
        raise ShapeError(message("metric_shapes", here(), expected=f"{error}", **facts)) from error


def _whole(labels: Any) -> bool:
    return labels.dtype.kind in "iub" or bool(np.all(np.trunc(labels) == labels))


def _wanted_labels(metric: Any, labels: Any, p: Any) -> str:
    """The kind of labels that the metric needs and did not get, as a key of the catalogue."""
    rows = labels.shape == p.shape[:-1] or (labels.shape == (*p.shape[:-1], 1) and p.shape[-1] > 1)
    if isinstance(metric, accuracy.CategoricalAccuracy | accuracy.TopKCategoricalAccuracy):
        return "expected_one_hot_labels" if rows else ""
    if isinstance(metric, accuracy.SparseCategoricalAccuracy | accuracy.SparseTopKCategoricalAccuracy):
        return "expected_class_labels" if labels.shape == p.shape and p.ndim > 1 and p.shape[-1] > 1 else ""
    if isinstance(metric, accuracy.BinaryAccuracy):
        return "expected_two_classes" if rows and p.ndim > 1 and p.shape[-1] > 1 else ""
    return ""


def validate(
    loss: Any, metrics: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, first: int | None = None
) -> None:
    """Every check in turn, on a whole set ``x, y`` and on the predictions ``y_pred`` for its first ``first`` examples.

    Labels are looked at in the whole set, the rest in the examples predicted (all of ``y_pred`` without ``first``).

    >>> validate("mse", ["mae"], np.zeros((4, 3)), np.zeros((4, 1)), np.zeros((2, 1)))

    Raises what the checks raise.
    """
    check_data(x, y, sample_weight)
    p = _plain(y_pred)
    labels = _plain(y)
    seen = labels[: len(p) if first is None else first]
    check_loss(loss, seen, y_pred)
    check_label_range(loss, labels, tuple(p.shape))
    for metric in metrics or ():
        check_metric(metric, loss, seen, p)
