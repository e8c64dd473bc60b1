"""Where training stands: what, beside the variables, has to be known to go on as if nothing had happened."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from backlight.train.callbacks import CallbackList, History

__all__ = ["Position"]


@dataclass
class Position:
    """After ``step`` steps of epoch ``epoch``: numbers, texts and lists alone, fit for JSON.

    ``epoch`` counts as ``fit`` does, from 0. ``seen`` counts the epochs since ``compile``: the order of the examples
    depends on it and on ``key``. ``stream`` is where a stream of batches was when the epoch began, ``history`` the
    lists of ``History``, ``epochs`` the numbers of the epochs in them, ``logs`` what the last step of the epoch said.

    >>> Position([1, 2]).plain()
    {'key': [1, 2], 'epoch': 0, 'step': 0, 'seen': 0, 'stream': None, 'history': {}, 'epochs': [], 'logs': {}}
    """

    key: list[int]
    epoch: int = 0
    step: int = 0
    seen: int = 0
    stream: dict[str, Any] | None = None
    history: dict[str, list[Any]] = field(default_factory=dict)
    epochs: list[int] = field(default_factory=list)
    logs: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)

    def begin(self, epoch: int, stream: dict[str, Any] | None) -> None:
        """A new epoch begins, with the stream of batches at this place."""
        self.epoch, self.stream = epoch, stream

    def end(self, stream: dict[str, Any] | None) -> None:
        """The epoch's steps are done; the next one begins with the stream at this place."""
        self.epoch, self.step, self.seen, self.stream = self.epoch + 1, 0, self.seen + 1, stream
        self.logs = {}

    def lists(self) -> tuple[dict[str, list[Any]], list[int]]:
        """The history and the numbers of its epochs, to be gone on with: an epoch that has not ended comes again."""
        lists, epochs = {name: list(values) for name, values in self.history.items()}, list(self.epochs)
        if epochs[-1:] == [self.epoch] and self.step:  # its validation was interrupted
            epochs.pop()
            for name in self.logs:
                lists[name].pop()
        return {name: values for name, values in lists.items() if values}, epochs

    def with_history(self, told: CallbackList | None, history: History | None) -> Position:
        """With what ``history`` holds now, and the epoch whose end the callbacks are being told of."""
        now = self if history is None else replace(self, history=history.history, epochs=history.epoch)
        lists, epochs = now.lists()
        for epoch, logs in ({} if told is None else told.ending).items():
            if epoch not in epochs[-1:]:
                epochs.append(epoch)
                for name, value in logs.items():
                    lists.setdefault(name, []).append(value)
        return replace(self, history=lists, epochs=epochs)
