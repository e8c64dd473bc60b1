"""What every callback has: the moments of training, testing and predicting at which it is called."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.nn.losses.common import here
from backlight.variable import now

__all__ = [
    "BATCH_HOOKS",
    "HOOKS",
    "Callback",
    "LambdaCallback",
    "check_number",
    "interval_of",
    "plain_logs",
    "rate_of",
    "refuse",
    "say",
]

BATCH_HOOKS: dict[str, tuple[str, ...]] = {
    # What belongs to single batches, by what the model is doing; the short names are Keras's older ones for training.
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}
HOOKS: tuple[str, ...] = (
    *(f"on_{phase}_{moment}" for phase in ("train", "test", "predict", "epoch") for moment in ("begin", "end")),
    *(hook for hooks in BATCH_HOOKS.values() for hook in hooks),
)


class Callback:
    """Something that is told how training goes: write the ``on_…`` methods that you need in a class of your own.

    ``self.model`` is the model, ``self.params`` what ``fit`` was asked for (``verbose``, ``epochs``, ``steps``).
    ``logs`` holds the loss and the metrics by name; what a callback adds at the end of an epoch is seen by those after
    it. Setting ``self.model.stop_training = True`` ends the training after this epoch.

    ``batch_interval``: after how many training steps it wants to be called, 0 for never (nor for batches of tests);
    ``None``, the default, means 1 where a method for batches is written and 0 otherwise. Where nobody wants batches, a
    whole epoch is one native call.

    >>> class Epochs(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> Epochs().on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    model: Any = None
    params: Any = None
    batch_interval: int | None = None

    def set_model(self, model: Any) -> None:
        """Called once before anything else, with the model."""
        self.model = model

    def set_params(self, params: Any) -> None:
        """Called once before anything else, with what ``fit`` was asked for."""
        self.params = params

    def release(self) -> None:
        """Give back what is held (an open file, the terminal's cursor), however training ended."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Any = None) -> None:
        """Called after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called before every epoch; the first is number 0."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called after every epoch and its validation, whose numbers are named ``val_…``."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a training step; where several run in one native call, before the first of them."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a training step; where several run in one native call, with the number of the last of them."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Keras's older name for ``on_train_batch_begin``."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keras's older name for ``on_train_batch_end``."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Called before ``evaluate``, and before the validation of an epoch."""

    def on_test_end(self, logs: Any = None) -> None:
        """Called after ``evaluate`` and after a validation, with the numbers (not named ``val_…`` here)."""

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a batch of ``evaluate`` or of a validation."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a batch of ``evaluate`` or of a validation."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """Called before ``predict``."""

    def on_predict_end(self, logs: Any = None) -> None:
        """Called after ``predict``."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a batch of ``predict``."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a batch of ``predict``."""


class LambdaCallback(Callback):
    """A callback of functions, given by the names of the moments at which they are called.

    Those of epochs are called ``f(epoch, logs)``, those of batches ``f(batch, logs=logs)``, the others ``f(logs)``.

    >>> seen = []
    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)).on_epoch_end(3, {})
    >>> seen
    [3]

    Raises ``ArgumentError`` for a moment that does not exist, or something that cannot be called.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **others: Callable[..., Any] | None,
    ) -> None:
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **others,
        }
        for hook, function in hooks.items():
            if hook not in HOOKS:
                close = get_close_matches(hook, HOOKS, 1)
                raise refuse(
                    "callback_hook", self, came=hook, names=", ".join(HOOKS), fix=close[0] if close else HOOKS[0]
                )
            if function is not None:
                if not callable(function):
                    raise refuse("callback_callable", self, name=hook, came=repr(function))
                vars(self)[hook] = function


def overrides(callback: Any, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook, None) not in (None, getattr(Callback, hook))


def interval_of(callback: Any, phase: str = "train") -> int:
    """After how many batches a callback wants to be called: 0 for never.

    >>> interval_of(Callback()), interval_of(LambdaCallback(on_train_batch_end=print))
    (0, 1)
    """
    wanted = getattr(callback, "batch_interval", None)
    if wanted == 0 or (wanted is not None and phase == "train"):
        return int(wanted)
    return int(any(overrides(callback, hook) for hook in BATCH_HOOKS[phase]))


# -- What callbacks share ----------------------------------------------------------------------------------------------


def plain_logs(logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Logs as callbacks see them: sorted by name, numbers as Python's, what is nested laid flat.

    >>> plain_logs({"loss": np.float32(0.5), "all": {"acc": np.array(1)}})
    {'acc': 1.0, 'loss': 0.5}
    """
    found: dict[str, Any] = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, Mapping):
            found.update(plain_logs(value))
        else:
            value = now(value)
            if not isinstance(value, str | bytes | float):
                with contextlib.suppress(TypeError, ValueError):
                    value = float(value) if np.ndim(value) == 0 else value
            found[name] = value
    return found


def rate_of(model: Any) -> float | None:
    """The learning rate of a model's optimiser now; ``None`` where there is none.

    >>> rate_of(None) is None
    True
    """
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    return None if rate is None else float(rate)


def say(text: str) -> None:
    """Write a line to the screen, whatever letters it can show."""
    try:
        sys.stdout.write(f"{text}\n")
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(f"{text}\n".encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def refuse(key: str, callback: Any, **facts: Any) -> ArgumentError:
    """The error that a callback was given something it cannot use."""
    return ArgumentError(message(key, here(), callback=type(callback).__name__, **facts))


def check_number(
    callback: Any, name: str, value: Any, low: float | None = 0, *, below: float | None = None, whole: bool = False
) -> None:
    """Whether ``value`` is a number (a ``whole`` one), at least ``low`` and smaller than ``below``.

    >>> check_number(Callback(), "patience", 3, whole=True)

    Raises ``ArgumentError``.
    """
    kinds: Iterable[Any] = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    fits = isinstance(value, tuple(kinds)) and not isinstance(value, bool) and value == value
    if fits and (low is None or value >= low) and (below is None or value < below):
        return
    bounds = "any" if low is None else "from" if below is None else "range"
    key = "expected_whole_from" if whole else f"expected_number_{bounds}"
    fix = "10" if whole else "0.1"
    raise refuse(
        "callback_option", callback, name=name, came=repr(value), expected=message(key, low=low, below=below), fix=fix
    )
