"""The logs of every epoch as a line of a CSV file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from backlight.errors import TrainingWarning, message
from backlight.nn.lookup import Configured
from backlight.refusal import warn
from backlight.train.callbacks.base import Callback, refuse
from backlight.train.callbacks.files import ready_path, replace_file

__all__ = ["CSVLogger"]

MISSING = "NA"


class CSVLogger(Callback, Configured):
    """Write every epoch's number (from 0) and logs as a line of a file that spreadsheets read.

    ``CSVLogger(filename, separator=",", append=False)``. The columns are ``epoch`` and the names of the first epoch's
    logs, with a ``val_…`` for each where there was no validation yet; ``NA`` stands for what is missing. A file that is
    there is replaced when the first epoch is done, as a whole, or with ``append`` goes on: a line that was cut short is
    taken out, and columns that it lacks are added to it.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = CSVLogger(folder + "/log.csv")
    ...     log.on_train_begin()
    ...     log.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    ...     log.on_train_end()
    ...     print(Path(folder, "log.csv").read_text())
    epoch,loss,val_loss
    0,0.5,0.75

    Raises ``ArgumentError`` before the first step for a path that cannot be written to, and for a file to go on with
    that is no such log.
    """

    _config = ("filename", "separator", "append")

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise refuse("callback_separator", self, came=repr(separator))
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._columns: list[str] = []
        self._file: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """See that the file can be written, and read what it goes on with."""
        self.release()
        fresh = not os.path.exists(self.filename)
        ready_path(self, self.filename)
        self._columns = []
        if self.append and not fresh:
            self._go_on()

    def _go_on(self) -> None:
        rows, torn = self._read()
        if rows and "epoch" not in rows[0]:
            first = self.separator.join(rows[0])[:80]
            raise refuse("callback_not_a_log", self, path=self.filename, first=first, separator=repr(self.separator))
        if torn:
            warn(
                message("callback_torn", callback=type(self).__name__, path=self.filename, line=torn[:80]),
                TrainingWarning,
            )
            replace_file(self.filename, self._text(rows))
        if rows:
            self._columns = rows[0]
            self._open()

    def _read(self) -> tuple[list[list[str]], str]:
        """The rows of the file, and the line at its end that is not finished."""
        with open(self.filename, encoding="utf-8", errors="replace", newline="") as file:
            whole, _, torn = file.read().rpartition("\n")
        try:
            rows = list(csv.reader(io.StringIO(whole), delimiter=self.separator))
        except csv.Error as error:
            raise refuse("callback_path", self, path=self.filename, reason=error) from None
        return [row for row in rows if row], torn

    def _text(self, rows: Iterable[Iterable[Any]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.separator).writerows(rows)
        return text.getvalue().encode()

    def _open(self) -> None:
        self._file = open(self.filename, "ab")  # noqa: SIM115 - until training ends

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write this epoch's line."""
        values = {"epoch": epoch, **(logs or {})}
        row = self._text([[_cell(values.get(name, MISSING)) for name in self._with(values)]])
        if self._file is None:
            replace_file(self.filename, self._text([self._columns]) + row)
            self._open()
            return
        self._file.write(row)
        self._file.flush()

    def _with(self, values: Any) -> list[str]:
        """The columns, with those that these values need."""
        names = sorted(name for name in values if name != "epoch")
        if not self._columns:
            seen = any(name.startswith("val_") for name in names)
            self._columns = ["epoch", *names, *([] if seen else [f"val_{name}" for name in names])]
        new = [name for name in names if name not in self._columns]
        if new:
            self._widen(new)
        return self._columns

    def _widen(self, new: list[str]) -> None:
        self.release()
        (header, *rows), _ = self._read()
        self._columns = [*header, *new]
        wide = [[*row, *[MISSING] * (len(self._columns) - len(row))] for row in rows]
        replace_file(self.filename, self._text([self._columns, *wide]))
        self._open()

    def on_train_end(self, logs: Any = None) -> None:
        """Close the file."""
        self.release()

    def release(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _cell(value: Any) -> Any:
    """Arrays in brackets, as Keras writes them."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
