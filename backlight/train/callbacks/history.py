"""What training went through, epoch by epoch."""

from __future__ import annotations

from typing import Any

from backlight.nn.lookup import Configured
from backlight.train.callbacks.base import Callback

__all__ = ["History"]


class History(Callback, Configured):
    """Keeps the logs of every epoch: ``history`` is a list for every name, ``epoch`` the numbers of the epochs.

    ``fit`` makes one and returns it.

    >>> history = History()
    >>> history.on_train_begin()
    >>> history.on_epoch_end(0, {"loss": 0.5})
    >>> history.on_epoch_end(1, {"loss": 0.25})
    >>> history.history, history.epoch
    ({'loss': [0.5, 0.25]}, [0, 1])
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin to count epochs anew; the lists go on."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep this epoch's logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
