"""When to stop: nothing improves any more, or the loss is no number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backlight.errors import TrainingError, message
from backlight.nn.lookup import Configured
from backlight.train.callbacks.base import Callback, check_number, say
from backlight.train.callbacks.monitor import Monitor

__all__ = ["EarlyStopping", "TerminateOnNaN"]


class EarlyStopping(Monitor):
    """Stop when ``monitor`` has not improved for ``patience`` epochs (Prechelt 1998, "Early Stopping – But When?").

    ``EarlyStopping(monitor="val_loss", min_delta=0, patience=0, verbose=0, mode="auto", baseline=None,
    restore_best_weights=False, start_from_epoch=0)``. An improvement is a change by more than ``min_delta``; with a
    ``baseline`` only epochs better than it start the count anew. ``restore_best_weights`` puts the weights of the best
    epoch back at the end; epochs before ``start_from_epoch`` do not count.

    >>> from types import SimpleNamespace
    >>> stopping, model = EarlyStopping(patience=2), SimpleNamespace(stop_training=False)
    >>> stopping.set_model(model)
    >>> stopping.on_train_begin()
    >>> for epoch, loss in enumerate([0.5, 0.25, 0.75, 0.5]):
    ...     stopping.on_epoch_end(epoch, {"val_loss": loss})
    >>> model.stop_training, stopping.stopped_epoch, stopping.best
    (True, 3, 0.25)

    Raises ``ArgumentError`` for options that make no sense; warns where the number is not in the logs.
    """

    _config = (
        "monitor",
        "min_delta",
        "patience",
        "verbose",
        "mode",
        "baseline",
        "restore_best_weights",
        "start_from_epoch",
    )

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        check_number(self, "patience", patience)
        check_number(self, "start_from_epoch", start_from_epoch)
        if baseline is not None:
            check_number(self, "baseline", baseline, None)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._begin()

    def _begin(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget what an earlier training was like."""
        super().on_train_begin(logs)
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look at this epoch's number, and set ``model.stop_training`` if it has been bad for too long."""
        value = self.value_of(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:  # as copies: training goes on in the same arrays
                self.best_weights = [np.array(weight) for weight in self.model.get_weights()]
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        """Put the best weights back, if that was asked for."""
        if self.stopped_epoch and self.verbose:
            say(message("callback_stopped", epoch=self.stopped_epoch + 1))
        if self.best_weights is not None:
            if self.verbose:
                say(message("callback_restored", epoch=self.best_epoch + 1))
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback, Configured):
    """Stop as soon as the loss is NaN or infinite: nothing is learnt from there on.

    ``TerminateOnNaN(raise_error=False)``. It looks whenever the model reports and does not ask it to report after
    every step: a loss that was NaN once is NaN to the end of its epoch. With ``raise_error`` a ``TrainingError`` comes
    at once and no other callback is told that training ended.

    >>> from types import SimpleNamespace
    >>> guard, model = TerminateOnNaN(), SimpleNamespace(stop_training=False)
    >>> guard.set_model(model)
    >>> guard.on_train_batch_end(7, {"loss": float("nan")})
    Batch 7: the loss is nan; training stops.
    >>> model.stop_training
    True
    """

    _config = ("raise_error",)
    batch_interval = 0

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error
        self._met = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget what an earlier training was like."""
        self._met = False

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the loss after a step."""
        self._look("callback_nan_batch", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look at the loss after an epoch."""
        self._look("callback_nan_epoch", epoch + 1, logs)

    def _look(self, key: str, place: int, logs: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss) or self._met:
            return
        self._met = True
        text = message(key, place=place, loss=float(loss))
        if self.raise_error:
            raise TrainingError(text)
        say(text)
        self.model.stop_training = True
