"""What watches one number: which way is better, and when is it an improvement."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from backlight.errors import TrainingWarning, message
from backlight.nn.lookup import Configured
from backlight.refusal import warn
from backlight.train import metrics
from backlight.train.callbacks.base import Callback, check_number, refuse
from backlight.train.metrics.names import NAMES as METRICS
from backlight.variable import now

__all__ = ["Monitor", "direction_of", "known_logs"]

MODES = ("auto", "min", "max")
_UP: tuple[Any, ...] = (
    metrics.AUC,
    metrics.Accuracy,
    metrics.BinaryAccuracy,
    metrics.BinaryIoU,
    metrics.CategoricalAccuracy,
    metrics.CosineSimilarity,
    metrics.FBetaScore,
    metrics.IoU,
    metrics.MeanIoU,
    metrics.OneHotIoU,
    metrics.OneHotMeanIoU,
    metrics.Precision,
    metrics.R2Score,
    metrics.Recall,
    metrics.SparseCategoricalAccuracy,
    metrics.SparseTopKCategoricalAccuracy,
    metrics.TopKCategoricalAccuracy,
)
_DOWN: tuple[Any, ...] = (
    metrics.BinaryCrossentropy,
    metrics.CategoricalCrossentropy,
    metrics.CategoricalHinge,
    metrics.Hinge,
    metrics.KLDivergence,
    metrics.LogCoshError,
    metrics.MeanAbsoluteError,
    metrics.MeanAbsolutePercentageError,
    metrics.MeanSquaredError,
    metrics.MeanSquaredLogarithmicError,
    metrics.Perplexity,
    metrics.Poisson,
    metrics.RootMeanSquaredError,
    metrics.SparseCategoricalCrossentropy,
    metrics.SquaredHinge,
)
_BY_SHAPE = {"accuracy": "max", "acc": "max", "crossentropy": "min", "ce": "min"}  # names whose class depends on data


def direction_of(name: str, model: Any = None) -> str | None:
    """``"min"`` or ``"max"``, whichever is better for the number of this name; ``None`` where nobody can tell.

    A loss is to be small; of a metric of the model's, or one with a well-known name, its class says so. A metric of the
    user's says so by an attribute ``_direction``, ``"up"`` or ``"down"``.

    >>> direction_of("val_loss"), direction_of("val_auc"), direction_of("mae"), direction_of("learning_rate")
    ('min', 'max', 'min', None)
    """
    bare = name.removeprefix("val_")
    if bare == "loss" or bare.endswith("_loss"):
        return "min"
    for metric in _metrics(model):
        if getattr(metric, "name", None) == bare:
            said = {"up": "max", "down": "min"}.get(getattr(metric, "_direction", ""))
            if said or (said := _of_class(type(metric))):
                return said
    bare = re.sub(r"_\d+$", "", bare)  # the second one of a name
    return _BY_SHAPE.get(bare) or _of_class(METRICS.things.get(METRICS.aliases.get(bare, bare), object))


def _of_class(kind: Any) -> str | None:
    return "max" if issubclass(kind, _UP) else "min" if issubclass(kind, _DOWN) else None


def _metrics(model: Any) -> Iterator[Any]:
    for metric in getattr(model, "metrics", None) or ():
        yield metric
        yield from _metrics(metric)  # Keras keeps them one level deeper


def known_logs(model: Any) -> list[str]:
    """The names that the logs of an epoch will have, as far as the model knows them beforehand.

    >>> known_logs(None)
    []
    """
    names = [str(name) for name in getattr(model, "metrics_names", None) or ()]
    return [*names, *(f"val_{name}" for name in names), "learning_rate"] if names else []


class Monitor(Callback, Configured):
    """A callback that watches the number ``monitor`` of the logs.

    A value v is an improvement on r if v + ``min_delta`` < r (``mode="min"``) or v - ``min_delta`` > r (``"max"``), in
    the precision in which v was computed; ``"auto"`` takes the direction from the name.

    >>> watch = Monitor("val_accuracy", min_delta=0.01)
    >>> watch.on_train_begin()
    >>> watch.improves(0.9, None), watch.improves(0.905, 0.9), watch.improves(0.95, 0.9)
    (True, False, True)

    Raises ``ArgumentError`` for an unknown mode, a ``min_delta`` that is no number, and at the beginning of training
    for a name whose direction is not known.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0) -> None:
        if mode not in MODES:
            raise refuse("callback_mode", self, came=repr(mode))
        if not isinstance(monitor, str):
            raise refuse("callback_monitor", self, came=repr(monitor))
        check_number(self, "min_delta", min_delta, None)
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: float | None = None
        self._direction: str | None = None if mode == "auto" else mode
        self._missed = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Settle which way is better."""
        self._missed = False
        self.settle()

    def settle(self) -> str:
        """``"min"`` or ``"max"``; raises ``ArgumentError`` where ``mode="auto"`` cannot tell."""
        if self._direction is None:
            self._direction = direction_of(self.monitor, self.model)
        if self._direction is None:
            names = ", ".join(known_logs(self.model)) or message("callback_names_later")
            raise refuse("callback_direction", self, monitor=self.monitor, names=names)
        return self._direction

    def improves(self, value: Any, reference: Any) -> bool:
        """Whether ``value`` is better than ``reference`` by more than ``min_delta``; than nothing, always."""
        if reference is None:
            return True
        down = self.settle() == "min"
        a, b = float(value), float(reference)
        moved = a + self.min_delta if down else a - self.min_delta
        with np.errstate(over="ignore"):
            if float(np.float32(a)) == a:  # the number of a float32 model: 0.7 as a baseline means its 0.7
                moved, b = float(np.float32(moved)), float(np.float32(b))
        return bool((operator.lt if down else operator.gt)(moved, b))

    def value_of(self, logs: Any) -> Any:
        """The number watched, or ``None`` with a warning, once in a training, that says what there is instead."""
        value = now((logs or {}).get(self.monitor))
        if value is None and not self._missed:
            self._missed = True
            names = ", ".join(logs or ()) or message("callback_no_logs")
            warn(
                message("callback_missing", callback=type(self).__name__, monitor=self.monitor, names=names),
                TrainingWarning,
            )
        return value
