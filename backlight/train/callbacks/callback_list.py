"""All callbacks of a call as one, and what they ask of the loop that calls them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from backlight.train.callbacks.base import HOOKS, Callback, interval_of, plain_logs
from backlight.train.callbacks.history import History
from backlight.train.callbacks.names import get
from backlight.train.callbacks.progress import ProgressBar

__all__ = ["CallbackList", "batch_interval", "needs_batches"]


class CallbackList(Callback):
    """Callbacks as one: what it is told, all of them are told in turn, with numbers as Python's.

    ``callbacks`` is one, a list of them (nested as you like), or ``None``; a name or a configuration stands for an
    object. With ``add_history`` and ``add_progbar`` a ``History`` and a ``ProgressBar`` follow, unless there is one.
    ``params`` are what ``set_params`` is told. As a context manager it gives back what the callbacks hold (files, the
    terminal) however the loop ends:

    >>> from backlight.train.callbacks import LambdaCallback
    >>> said = []
    >>> with CallbackList(LambdaCallback(on_epoch_end=lambda epoch, logs: said.append(logs)), epochs=1) as callbacks:
    ...     callbacks.on_train_begin()
    ...     callbacks.on_epoch_end(0, {"loss": 0.5})
    >>> said
    [{'loss': 0.5}]

    Raises ``ArgumentError`` for something that is no callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks = _flat(callbacks)
        self.ending: dict[int, Any] = {}  # the epoch whose end is being told, and its logs so far
        if add_history and not any(isinstance(each, History) for each in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(each, ProgressBar) for each in self.callbacks):
            self.callbacks.append(ProgressBar())
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    @property
    def watches(self) -> bool:
        """Whether anybody shows how far it is."""
        return any(hasattr(callback, "on_progress") for callback in self.callbacks)

    def on_progress(self, batch: int, logs: Any = None) -> None:
        """Tell those who show how far it is, now and then, and nobody else."""
        for callback in self.callbacks:
            if hasattr(callback, "on_progress"):
                callback.on_progress(batch, plain_logs(logs))

    @property
    def history(self) -> History | None:
        """The ``History`` among the callbacks."""
        return next((each for each in self.callbacks if isinstance(each, History)), None)

    def append(self, callback: Any) -> None:
        """Add one more callback, which is called after the others."""
        self.callbacks += _flat(callback)

    def set_model(self, model: Any) -> None:
        """Tell all callbacks their model."""
        self.model = model
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: Any) -> None:
        """Tell all callbacks what was asked for."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def release(self) -> None:
        """Let every callback give back what it holds."""
        for callback in self.callbacks:
            getattr(callback, "release", lambda: None)()

    def __enter__(self) -> CallbackList:
        return self

    def __exit__(self, *reason: object) -> None:
        self.release()


def _flat(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return list(callbacks.callbacks)
    if isinstance(callbacks, list | tuple):
        return [each for part in callbacks for each in _flat(part)]
    return [get(callbacks)]


def _told_to_all(hook: str) -> Callable[..., None]:
    def of_batch(self: CallbackList, batch: int, logs: Any = None) -> None:
        seen = plain_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(batch, logs=seen)

    def of_epoch(self: CallbackList, epoch: int, logs: Any = None) -> None:
        seen = plain_logs(logs)
        self.ending = {epoch: seen} if hook == "on_epoch_end" else {}
        for callback in self.callbacks:
            getattr(callback, hook)(epoch, seen)
        self.ending = {}

    def of_all(self: CallbackList, logs: Any = None) -> None:
        seen = plain_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(seen)

    told = of_batch if "batch" in hook else of_epoch if "epoch" in hook else of_all
    told.__name__, told.__doc__ = hook, getattr(Callback, hook).__doc__
    return told


for _hook in HOOKS:
    setattr(CallbackList, _hook, _told_to_all(_hook))


def batch_interval(callbacks: Any, phase: str = "train") -> int:
    """The largest number of steps that can run in one native call so that every callback is called where it asks to be.

    0 where nobody asks for batches. Steps are counted from the beginning of training, over all epochs; the end of an
    epoch ends a call anyhow. ``phase`` is ``"train"``, ``"test"`` or ``"predict"``.

    >>> from backlight.train.callbacks import LambdaCallback
    >>> batch_interval([LambdaCallback(on_epoch_end=print)]), batch_interval(LambdaCallback(on_train_batch_end=print))
    (0, 1)
    """
    every: Iterable[Any] = callbacks.callbacks if isinstance(callbacks, CallbackList) else _flat(callbacks)
    return math.gcd(*(interval_of(callback, phase) for callback in every))


def needs_batches(callbacks: Any, phase: str = "train") -> bool:
    """Whether some callback wants to be called in the middle of an epoch; otherwise one native call can be an epoch.

    >>> needs_batches([History(), ProgressBar()])
    False
    """
    return batch_interval(callbacks, phase) > 0
