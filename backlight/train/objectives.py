"""What ``compile`` was asked for: losses and metrics, for one output or for several, matched with the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.nn import losses
from backlight.nn.losses.common import here
from backlight.nn.losses.objects import masked
from backlight.train.metrics.base import Mean, MeanMetricWrapper, Metric
from backlight.train.metrics.names import resolve
from backlight.tree import flatten

__all__ = ["Objectives"]


class Objectives:
    """``loss = Σ weight · lossₖ(yₖ, pₖ)`` over the outputs, and the metrics of each.

    Losses, weights, metrics and labels are one thing for one output, otherwise a list in the order of the outputs or a
    dictionary by their names.
    """

    def __init__(self, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any) -> None:
        self.loss, self.loss_weights = loss, loss_weights
        self.metrics, self.weighted_metrics = metrics, weighted_metrics
        self.names: list[str] = []
        self._named = False  # by the model, not by numbers
        self.losses: list[Any] = []
        self.weights: list[float] = []
        self.total = Mean(name="loss")
        self.parts: list[Mean] = []
        self._of_output: list[list[Metric]] = []
        self._weighted: list[list[Metric]] = []
        self.shapes: list[tuple[Any, Any]] = []
        """The shapes of labels and predictions for which losses and metrics were made, output by output."""
        self.built = False

    def build(self, y: Any, y_pred: Any, names: Sequence[str]) -> None:
        """Make losses and metrics for labels and predictions like these; ``names`` are those of the outputs."""
        predictions = flatten(y_pred)[0]
        count = len(predictions)
        if isinstance(y_pred, dict) and len(y_pred) == count:
            names = list(y_pred)
        self._named = len(names) == count
        self.names = list(names) if self._named else [f"output_{k + 1}" for k in range(count)]
        self.losses = [_loss(each) for each in self._each("loss", self.loss, count)]
        labels = self.labels(y, count)
        self.shapes = [(np.shape(one), np.shape(other)) for one, other in zip(labels, predictions, strict=True)]
        weights = self._each("loss_weights", self.loss_weights, count)
        self.weights = [1.0 if each is None else float(each) for each in weights]
        trained = [name for name, loss in zip(self.names, self.losses, strict=True) if loss is not None]
        self.parts = [Mean(name=f"{name}_loss") for name in trained] if len(trained) > 1 else []
        self._of_output = [
            [self._metric(each, y, p) for each in _listed(given)]
            for given, y, p in zip(self._each("metrics", self.metrics, count), labels, predictions, strict=True)
        ]
        self._weighted = [
            [self._metric(each, y, p) for each in _listed(given)]
            for given, y, p in zip(
                self._each("metrics", self.weighted_metrics, count), labels, predictions, strict=True
            )
        ]
        for mean in (self.total, *self.parts):
            mean.build()
        self.built = True

    def _metric(self, given: Any, y: Any, p: Any) -> Metric:
        metric = resolve(given, np.shape(y), np.shape(p))
        if isinstance(given, str):
            metric.name = given  # as it is called, so it is shown
        if not metric.variables:
            metric.build(np.shape(y), np.shape(p))
        return metric

    def _each(self, what: str, given: Any, count: int) -> list[Any]:
        """What was given, one for each output."""
        if isinstance(given, dict):
            unknown = [name for name in given if name not in self.names]
            if unknown:
                facts: dict[str, Any] = {
                    "what": what,
                    "came": ", ".join(map(str, unknown)),
                    "names": ", ".join(self.names),
                }
                raise ArgumentError(message("objective_names", here(), **facts))
            return [given.get(name) for name in self.names]
        if count == 1:
            single = what != "metrics" and isinstance(given, list | tuple) and len(given) == 1
            return [given[0] if single else given]
        if given is None or (what == "loss" and not isinstance(given, list | tuple)):
            return [given] * count
        if not isinstance(given, list | tuple) or len(given) != count:
            came = len(given) if isinstance(given, list | tuple) else repr(given)
            facts = {"what": what, "came": came, "count": count, "names": ", ".join(self.names)}
            raise ArgumentError(message("objective_count", here(), **facts))
        return list(given)

    def labels(self, y: Any, count: int) -> list[Any]:
        """The labels, one for each of ``count`` predictions; ``None`` for each where there are none.

        Raises ``ArgumentError`` for labels by other names than the outputs', and for more or fewer of them.
        """
        if y is None:
            return [None] * count
        if isinstance(y, dict) and self._named and count > 1:
            missing = [n for n, loss in zip(self.names, self.losses, strict=True) if loss is not None and n not in y]
            if missing:
                facts: dict[str, Any] = {"what": "y", "came": ", ".join(map(str, y)), "names": ", ".join(self.names)}
                raise ArgumentError(message("objective_names", here(), **facts))
            return [y.get(name) for name in self.names]
        found = flatten(y)[0]
        if len(found) != count:
            facts = {"what": "y", "came": len(found), "count": count, "names": ", ".join(self.names)}
            raise ArgumentError(message("objective_count", here(), **facts))
        return found

    @property
    def wants_labels(self) -> bool:
        """Whether there is a loss or a metric."""
        return any(each is not None for each in (self.loss, self.metrics, self.weighted_metrics))

    def metrics_of(self, number: int) -> list[Metric]:
        """The metrics of one output."""
        return [*self._of_output[number], *self._weighted[number]]

    def _weights_of(self, sample_weight: Any) -> list[Any]:
        if sample_weight is None:
            return [None] * len(self.losses)
        if isinstance(sample_weight, dict):
            return [sample_weight.get(name) for name in self.names]
        if isinstance(sample_weight, list | tuple):
            return list(sample_weight)
        return [sample_weight] * len(self.losses)

    def value(self, y: Any, y_pred: Any, sample_weight: Any = None, masks: Sequence[Any] = ()) -> tuple[Any, list[Any]]:
        """The weighted sum of the losses, and those of the outputs that have one."""
        parts = []
        predictions = flatten(y_pred)[0]
        given = zip(
            self.losses, self.labels(y, len(predictions)), predictions, self._weights_of(sample_weight),
            masks or [None] * len(predictions), strict=True,
        )  # fmt: skip
        for loss, labels, p, weights, mask in given:
            parts.append(None if loss is None else loss(labels, p, sample_weight=weights, mask=mask))
        weighted = [
            part * w if w != 1 else part for part, w in zip(parts, self.weights, strict=True) if part is not None
        ]
        if not weighted:
            raise ArgumentError(message("objective_none", here()))
        total = weighted[0]
        for part in weighted[1:]:
            total = total + part
        return total, [part for part in parts if part is not None]

    def update(self, y: Any, y_pred: Any, sample_weight: Any = None, masks: Sequence[Any] = ()) -> None:
        """Take a batch into all metrics; what a mask leaves out does not count in means."""
        predictions = flatten(y_pred)[0]
        given = zip(
            self.labels(y, len(predictions)), predictions, self._weights_of(sample_weight),
            masks or [None] * len(predictions), self._of_output, self._weighted, strict=True,
        )  # fmt: skip
        for labels, p, weights, mask, plain, weighted in given:
            for metric, own in [*((each, None) for each in plain), *((each, weights) for each in weighted)]:
                if isinstance(metric, MeanMetricWrapper):
                    own = masked(own, mask, "sum", metric.dtype)
                metric.update_state(labels, p, sample_weight=own)

    def update_losses(self, total: Any, parts: Sequence[Any], count: Any) -> None:
        """Take the losses of a batch of ``count`` examples into their means."""
        self.total.update_state(total, sample_weight=count)
        for mean, part in zip(self.parts, parts, strict=False):  # a compute_loss of one's own has none
            mean.update_state(part, sample_weight=count)

    @property
    def all(self) -> list[Metric]:
        """Every metric, the loss first."""
        own = [m for plain, weighted in zip(self._of_output, self._weighted, strict=True) for m in (*plain, *weighted)]
        return [self.total, *self.parts, *own]

    def results(self) -> dict[str, Any]:
        """The losses and metrics so far, by name: another one of the same name is numbered, as in Keras."""
        found: dict[str, Any] = {}
        for mean in (self.total, *self.parts):
            found[mean.name] = mean.result()
        for lists, kind in ((self._of_output, ""), (self._weighted, "weighted_")):
            for output, metrics in zip(self.names, lists, strict=True):
                before = f"{output}_" if len(self.names) > 1 else ""
                for metric in metrics:
                    result = metric.result()
                    if isinstance(result, dict):
                        found |= result
                    else:
                        found[_free(found, before + metric.name, f"{before}{kind}{metric.name}")] = result
        return found


def _free(taken: dict[str, Any], name: str, other: str) -> str:
    """The name, or the other one, with the first number that makes it a new one."""
    if name not in taken:
        return name
    numbered = (other if not k else f"{other}_{k}" for k in range(len(taken) + 1))
    return next(each for each in numbered if each not in taken)


def _loss(given: Any) -> Any:
    found = losses.get(given)
    return found if found is None or isinstance(found, losses.Loss) else losses.FunctionLoss(found)


def _listed(given: Any) -> list[Any]:
    return [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
