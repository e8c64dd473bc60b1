"""Learning rates that change between epochs: by a rule, or when nothing improves."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.errors import message
from backlight.train.callbacks.base import Callback, check_number, rate_of, refuse, say
from backlight.train.callbacks.monitor import Monitor
from backlight.variable import now

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]


def _check_rate(callback: Callback) -> None:
    optimizer = getattr(callback.model, "optimizer", None)
    if not hasattr(optimizer, "learning_rate"):
        raise refuse("callback_no_rate", callback)
    schedule = getattr(optimizer, "schedule", None)
    if schedule is not None:
        raise refuse("callback_two_rates", callback, schedule=type(schedule).__name__)


def _log_rate(callback: Callback, logs: Any) -> None:
    if logs is not None:
        logs["learning_rate"] = rate_of(callback.model)


class LearningRateScheduler(Callback):
    """The rate of every epoch is ``schedule(epoch, rate)``: of its number, from 0, and of the rate so far.

    ``LearningRateScheduler(schedule, verbose=0)``; a function of the epoch alone will do. The rate is added to the logs
    as ``learning_rate``.

    >>> from types import SimpleNamespace
    >>> optimizer = SimpleNamespace(learning_rate=0.1)
    >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    >>> halve.set_model(SimpleNamespace(optimizer=optimizer))
    >>> for epoch in range(3):
    ...     halve.on_epoch_begin(epoch)
    >>> optimizer.learning_rate
    0.025

    Raises ``ArgumentError`` for a schedule that cannot be called or returns no rate, and a model without a rate or
    whose optimizer has a schedule.
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        if not callable(schedule):
            raise refuse("callback_callable", self, name="schedule", came=repr(schedule))
        self.schedule, self.verbose = schedule, verbose
        self._of_epoch_alone = _takes_one(schedule)

    def on_train_begin(self, logs: Any = None) -> None:
        """See that there is a rate to set."""
        _check_rate(self)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set this epoch's rate."""
        rate = self.schedule(epoch) if self._of_epoch_alone else self.schedule(epoch, rate_of(self.model))
        try:
            number = math.nan if isinstance(rate, str | bool) else float(now(rate))
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number < math.inf:
            raise refuse("callback_rate", self, epoch=epoch, came=repr(rate))
        self.model.optimizer.learning_rate = number
        if self.verbose:
            say(message("callback_scheduled", epoch=epoch + 1, rate=f"{number:g}"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the rate to the logs."""
        _log_rate(self, logs)


def _takes_one(function: Callable[..., Any]) -> bool:
    """Whether a function cannot take a second positional argument."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C do not say
        return False
    try:
        signature.bind(0, 0.0)
    except TypeError:
        return True
    return False


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by ``factor`` when ``monitor`` has not improved for ``patience`` epochs.

    ``ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=10, verbose=0, mode="auto", min_delta=1e-4, cooldown=0,
    min_lr=0.0)``. After a reduction ``cooldown`` epochs go by before bad ones count again; the rate does not fall below
    ``min_lr``. The rate is added to the logs as ``learning_rate``.

    >>> from types import SimpleNamespace
    >>> optimizer = SimpleNamespace(learning_rate=0.1)
    >>> plateau = ReduceLROnPlateau(factor=0.5, patience=2)
    >>> plateau.set_model(SimpleNamespace(optimizer=optimizer))
    >>> plateau.on_train_begin()
    >>> for epoch in range(4):
    ...     plateau.on_epoch_end(epoch, {"val_loss": 1.0})
    >>> optimizer.learning_rate
    0.05

    Raises ``ArgumentError`` for options that make no sense and a model without a rate or whose optimizer has a
    schedule.
    """

    _config = ("monitor", "factor", "patience", "verbose", "mode", "min_delta", "cooldown", "min_lr")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        check_number(self, "factor", factor, below=1)
        for name, value in (("patience", patience), ("cooldown", cooldown), ("min_lr", min_lr)):
            check_number(self, name, value)
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget what an earlier training was like."""
        super().on_train_begin(logs)
        _check_rate(self)
        self.best = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look at this epoch's number, and lower the rate if it has been bad for too long."""
        _log_rate(self, logs)
        value = self.value_of(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, epoch: int) -> bool:
        rate = rate_of(self.model) or 0.0
        if not np.float32(rate) > np.float32(self.min_lr):  # there already, whatever precision the rate is kept in
            return False
        rate = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            say(message("callback_reduced", epoch=epoch + 1, rate=f"{rate:g}"))
        return True
