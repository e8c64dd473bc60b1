"""How training is going: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from backlight.errors import message
from backlight.nn.lookup import Configured
from backlight.train.callbacks.base import Callback, rate_of, refuse, say
from backlight.train.callbacks.display import duration, number, picture

__all__ = ["ProgressBar"]

_clock = time.perf_counter
INTERVAL = 0.1  # seconds between two pictures: more often than people can read
SILENT, BAR, LINES = 0, 1, 2


class ProgressBar(Callback, Configured):
    """Show the epoch, a bar, the loss, the metrics, the learning rate, the time of a step and the time left.

    ``ProgressBar(verbose=None, console=None)``. ``verbose``: 0 shows nothing, 1 a bar on a terminal, 2 one line for
    every epoch, ``"auto"`` is 1 on a terminal and 2 elsewhere (as is 1), ``None`` what ``fit`` was asked for. The bar
    is drawn about ten times a second at most; of epochs that follow each other faster not every one is shown, but the
    last always is. It works from whatever is reported: every step, the last of several, or the end of an epoch alone.
    ``console`` is the terminal (``rich.console.Console``) to draw on, standard output's by default.

    >>> bar = ProgressBar(verbose=2)
    >>> bar.set_params({"epochs": 2, "steps": 100})
    >>> bar.on_train_begin()
    >>> bar.on_epoch_begin(0)
    >>> bar.on_epoch_end(0, {"loss": 0.5, "accuracy": 0.9})
    Epoch 1/2 - loss 0.5000 - accuracy 0.9000 - ... left

    Raises ``ArgumentError`` for another ``verbose``.
    """

    _config = ("verbose",)
    batch_interval = 0

    def __init__(self, verbose: Any = None, console: Any = None) -> None:
        self.verbose, self.console = verbose, console
        self._face = self._face_of(verbose, None)
        self._shown_on: Any = None
        self._live: Any = None  # what draws on the terminal at the moment
        self._fitting = self._unseen = False
        self._epochs, self._epoch, self._first = 1, 0, None
        self._title = self._doing = ""
        self._done, self._total, self._logs = 0, None, {}
        self._start = self._began = self._drawn = 0.0
        self._trained: float | None = None

    _first: int | None
    _total: int | None
    _logs: dict[str, Any]

    def _face_of(self, verbose: Any, console: Any) -> int:
        if isinstance(verbose, float) or verbose not in (0, 1, 2, "auto", None):
            raise refuse("callback_verbose", self, came=repr(verbose))
        if verbose in (0, 2):
            return int(verbose)
        drawing = console is not None and (console.is_terminal or console.is_jupyter) and not console.is_dumb_terminal
        return BAR if drawing else LINES

    # -- Beginnings ----------------------------------------------------------------------------------------------------

    def _open(self, first: str = "") -> None:
        """Training, testing or predicting begins."""
        params = self.params or {}
        verbose = params.get("verbose", "auto") if self.verbose is None else self.verbose
        self._shown_on = self.console
        if verbose not in (0, 2) and self._shown_on is None:
            from rich.console import Console

            self._shown_on = Console()
        self._face = self._face_of(verbose, self._shown_on)
        self._total, self._epochs, self._first = params.get("steps"), 1, None
        self._start, self._unseen = _clock(), False
        self._began = self._drawn = -math.inf
        if first:
            self._begin(0, message(first))

    def _begin(self, epoch: int, title: str) -> None:
        if self._first is None:
            self._first = epoch
        self._epoch, self._title, self._doing = epoch, title, ""
        now = _clock()
        slow = now - self._began >= INTERVAL  # this epoch may be one long call: say that it goes on
        self._done, self._logs, self._trained, self._began = 0, {}, None, now
        if self._face == BAR and slow:
            self._draw(now)

    def on_train_begin(self, logs: Any = None) -> None:
        """Choose how to show things."""
        self._open()
        self._fitting, self._epochs = True, (self.params or {}).get("epochs") or 1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Show which epoch begins."""
        self._begin(epoch, message("progress_epoch", epoch=epoch + 1, epochs=self._epochs) if self._face else "")

    def on_test_begin(self, logs: Any = None) -> None:
        """Show that a test begins; in the middle of training, that a validation does."""
        if not self._fitting:
            self._open("progress_testing")
            return
        now = _clock()
        self._trained = now - self._began
        if self._live is not None:  # this may be one long call as well
            self._doing = message("progress_validating")
            self._draw(now)

    def on_predict_begin(self, logs: Any = None) -> None:
        """Show that predicting begins."""
        self._open("progress_predicting")

    # -- Going on ------------------------------------------------------------------------------------------------------

    def on_progress(self, batch: int, logs: Any = None) -> None:
        """Show how far it is; this comes now and then, even where nobody wants to be told of batches."""
        if not (self._fitting and self._trained is not None):  # the steps of a validation are not shown
            self._update(batch, logs)

    def _update(self, batch: int, logs: Any) -> None:
        self._done, self._logs = batch + 1, logs or {}
        if self._face == BAR:
            self._draw_if_due()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Show how far the epoch is."""
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Show how far the test is."""
        if not self._fitting:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Show how far predicting is."""
        self._update(batch, None)

    # -- Ends ----------------------------------------------------------------------------------------------------------

    def _end(self, logs: Any) -> None:
        now = _clock()
        self._logs, self._doing = logs or {}, ""
        self._trained = now - self._began if self._trained is None else self._trained
        self._total = self._total or self._done or None  # a generator's length is known after its first epoch
        self._done = self._total or 0
        if self._face == LINES:
            say(" - ".join([self._title, *self._pieces(now, last=True)]))
        elif self._face == BAR and (self._live is not None or now - self._drawn >= INTERVAL):
            self._keep(now)
        else:
            self._unseen = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Show what the epoch reached."""
        self._end(logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Show what was found."""
        if not self._fitting:
            self._end(logs)
            self._close()
        else:
            self._doing = ""

    def on_predict_end(self, logs: Any = None) -> None:
        """Show that it is done."""
        self._end(None)
        self._close()

    def on_train_end(self, logs: Any = None) -> None:
        """Show the last epoch, if it is not on the screen yet."""
        self._close()

    def _close(self) -> None:
        if self._face == BAR and self._unseen:
            self._keep(_clock())
        self.release()

    def release(self) -> None:
        """Leave what is on the screen, and give the cursor back."""
        self._fitting = False
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    # -- Drawing -------------------------------------------------------------------------------------------------------

    def _draw_if_due(self) -> None:
        now = _clock()
        if now - self._drawn >= INTERVAL:
            self._draw(now)

    def _picture(self, now: float, last: bool = False) -> Any:
        letters = "━─" if (self._shown_on.encoding or "").lower().startswith("utf") else "=-"
        width = max(1, self._shown_on.width - 1)
        return picture(self._title, self._done, self._total, self._pieces(now, last=last), width, letters)

    def _draw(self, now: float) -> None:
        self._drawn = now
        if self._live is not None:
            self._live.update(self._picture(now), refresh=True)
            return
        from rich.errors import LiveError
        from rich.live import Live

        live = Live(self._picture(now), console=self._shown_on, auto_refresh=False)
        try:
            live.start(refresh=True)
        except LiveError:  # somebody else draws on this terminal
            self._face = LINES
            return
        self._live = live

    def _keep(self, now: float) -> None:
        """Draw what has ended, which stays on the screen."""
        self._drawn, self._unseen = now, False
        if self._live is None:
            self._shown_on.print(self._picture(now, last=True))
            return
        self._live.update(self._picture(now, last=True))
        live, self._live = self._live, None
        live.stop()

    def _pieces(self, now: float, last: bool) -> list[str]:
        """What is known: metrics, the loss first, the rate, times."""
        logs = {name: value for name, value in self._logs.items() if name != "learning_rate"}
        names = sorted(logs, key=lambda name: (name.startswith("val_"), not name.endswith("loss")))
        pieces = [f"{name} {_shown(logs[name])}" for name in names]
        rate = self._logs.get("learning_rate", rate_of(self.model) if self._fitting else None)
        if rate is not None:
            pieces.append(message("progress_rate", rate=f"{float(rate):.4g}"))
        if self._doing:
            pieces.append(self._doing)
        if self._done:
            step = (now - self._began if self._trained is None else self._trained) / self._done
            pieces.append(message("progress_step", time=duration(step)))
        if last:
            pieces.append(duration(now - self._began))
        left = self._left(now)
        if left is not None and not (last and self._face == BAR):  # what stays on the screen has nothing left
            pieces.append(message("progress_left", time=duration(max(1.0, left))))
        return pieces

    def _left(self, now: float) -> float | None:
        """The time until all epochs are done, if they go on as fast as so far."""
        past = self._epoch - (self._first or 0) + (min(1.0, self._done / self._total) if self._total else 0.0)
        whole = self._epochs - (self._first or 0)
        return (now - self._start) * (whole - past) / past if 0 < past < whole else None


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, str) else number(float(np.mean(value)))
