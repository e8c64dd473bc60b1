"""Saving the model as training goes on."""

from __future__ import annotations

import os
from difflib import get_close_matches
from string import Formatter
from typing import Any

import numpy as np

from backlight.errors import TrainingWarning, message
from backlight.refusal import warn
from backlight.train.callbacks.base import check_number, refuse, say
from backlight.train.callbacks.files import ready_folder, ready_path
from backlight.train.callbacks.monitor import Monitor, known_logs

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Monitor):
    """Save the model, or its weights alone, after every epoch or after so many steps.

    ``ModelCheckpoint(filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False,
    mode="auto", save_freq="epoch", initial_value_threshold=None)``. In ``filepath`` ``{epoch}`` (from 1),
    ``{val_loss:.2f}`` and the other names of the logs are filled in, and with ``save_freq=n`` (a number of steps)
    ``{batch}``. ``save_best_only`` saves where ``monitor`` is better than all before, and better than
    ``initial_value_threshold``. The file is written by ``model.save`` or ``model.save_weights``, which never leave half
    a file; its folder is made before the first step.

    >>> import tempfile
    >>> from types import SimpleNamespace
    >>> saved = []
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = ModelCheckpoint(folder + "/{epoch:02d}-{val_loss:.1f}.state", save_best_only=True)
    ...     checkpoint.set_model(SimpleNamespace(save=lambda path: saved.append(os.path.basename(path))))
    ...     checkpoint.on_train_begin()
    ...     for epoch, loss in enumerate([0.5, 0.7, 0.3]):
    ...         checkpoint.on_epoch_end(epoch, {"val_loss": loss})
    >>> saved
    ['01-0.5.state', '03-0.3.state']

    Raises ``ArgumentError`` for options and paths that make no sense or cannot be written, before the first step where
    that can be known by then.
    """

    _config = (
        "filepath",
        "monitor",
        "verbose",
        "save_best_only",
        "save_weights_only",
        "mode",
        "save_freq",
        "initial_value_threshold",
    )

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch":
            if isinstance(save_freq, str):
                raise refuse("callback_frequency", self, name="save_freq", came=repr(save_freq), names='"epoch"')
            check_number(self, "save_freq", save_freq, 1, whole=True)
        if initial_value_threshold is not None:
            check_number(self, "initial_value_threshold", initial_value_threshold, None)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq, self.initial_value_threshold = save_freq, initial_value_threshold
        self.batch_interval = 0 if save_freq == "epoch" else save_freq
        self.best = initial_value_threshold
        self._names = self._fields()
        self._epoch = self._unsaved = 0
        self._last: int | None = None

    def _fields(self) -> set[str]:
        try:
            fields = [field for _, field, *_ in Formatter().parse(self.filepath) if field is not None]
        except ValueError as error:
            raise refuse("callback_format", self, path=self.filepath, reason=error) from None
        if any(not field.isidentifier() for field in fields):
            reason = message("callback_field", field=next(f"{{{f}}}" for f in fields if not f.isidentifier()))
            raise refuse("callback_format", self, path=self.filepath, reason=reason)
        return set(fields)

    def on_train_begin(self, logs: Any = None) -> None:
        """See that the file can be written, and that the names in its path are known."""
        self._missed = False
        if self.save_best_only:
            self.settle()
        self._check_names()
        if "{" in self.filepath:
            start = os.path.dirname(self.filepath.split("{", 1)[0])
            ready_folder(self, start)
        else:
            ready_path(self, self.filepath)

    def _check_names(self) -> None:
        known = [*known_logs(self.model), "epoch", *(["batch"] if self.save_freq != "epoch" else [])]
        unknown = sorted(self._names - set(known))
        if unknown == [] or (len(known) < 3 and unknown != ["batch"]):
            return
        facts = {"path": self.filepath, "field": unknown[0], "names": ", ".join(known)}
        if unknown[0] == "batch" or get_close_matches(unknown[0], known, 1):
            raise refuse("callback_fields", self, **facts)
        warn(
            message("callback_fields", callback=type(self).__name__, **facts), TrainingWarning
        )  # another callback may yet add it

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Know which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Save, if ``save_freq`` steps have gone by since the last time."""
        if self.save_freq == "epoch":
            return
        fresh = self._last is None or batch <= self._last
        self._unsaved += batch + 1 if fresh else batch - (self._last or 0)
        self._last = batch
        if self._unsaved >= self.save_freq:
            self._unsaved = 0
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, if that is to be done after every epoch."""
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Any) -> None:
        path = self._path(epoch, batch, logs or {})
        if not self._wanted(epoch, logs, path):
            return
        if os.path.isdir(path):
            raise refuse("callback_path", self, path=path, reason=message("callback_is_folder"))
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)

    def _path(self, epoch: int, batch: int | None, logs: Any) -> str:
        facts = {**({} if batch is None else {"batch": batch + 1}), **logs, "epoch": epoch + 1}
        missing = sorted(self._names - set(facts))
        if missing:
            names = ", ".join(facts)
            raise refuse("callback_fields", self, path=self.filepath, field=missing[0], names=names)
        try:
            return str(self.filepath.format(**facts))
        except (ValueError, TypeError) as error:
            raise refuse("callback_format", self, path=self.filepath, reason=error) from None

    def _wanted(self, epoch: int, logs: Any, path: str) -> bool:
        facts = {"epoch": epoch + 1, "monitor": self.monitor, "path": path}
        if not self.save_best_only:
            return self._tell("callback_saving", facts)
        value = self.value_of(logs)
        if value is None:
            return True
        if np.ndim(value):
            shape = tuple(np.shape(value))
            warn(
                message("callback_not_scalar", callback=type(self).__name__, monitor=self.monitor, shape=shape),
                TrainingWarning,
            )
            return True
        before = message("callback_nothing") if self.best is None else f"{self.best:.5f}"
        if not self.improves(value, self.best):
            self._tell("callback_no_better", {**facts, "before": before})
            return False
        self.best = float(value)
        return self._tell("callback_better", {**facts, "before": before, "value": f"{value:.5f}"})

    def _tell(self, key: str, facts: dict[str, Any]) -> bool:
        if self.verbose:
            say(message(key, **facts))
        return True
