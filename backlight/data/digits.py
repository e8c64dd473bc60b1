"""The UCI handwritten digits, which ship with the package (see ``demo/DIGITS.md`` for their source and licence)."""

from __future__ import annotations

import gzip
import zlib
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from backlight.data.images import Images
from backlight.errors import DataError, message

__all__ = ["DigitSet", "digits"]

COUNT, SIDE, INK = 1797, 8, 16
LEARNT = 1347  # three quarters, from the first

Array = np.ndarray[Any, np.dtype[Any]]


class DigitSet(NamedTuple):
    """1,797 handwritten digits of 8 × 8 pixels.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0.

    >>> images, labels = digits()
    >>> images.shape, images.min(), images.max()
    ((1797, 8, 8), np.float64(0.0), np.float64(1.0))
    >>> labels[:5]
    array([0, 1, 2, 3, 4])
    """

    title: str

    def __call__(self) -> Images:
        """All of them: images ``(1797, 8, 8)`` float64 from 0 to 1, labels ``(1797,)`` int64 from 0 to 9.

        Raises ``DataError`` if the file in the package is missing or damaged.
        """
        table = self._table()
        return Images(table[:, :-1].reshape(COUNT, SIDE, SIDE) / INK, table[:, -1].copy())

    def load_data(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """``(x_train, y_train), (x_test, y_test)``: uint8 ``(n, 8, 8)`` from 0 to 16, uint8 ``(n,)`` from 0 to 9.

        The first three quarters of the file are there to learn from. Raises like calling it.
        """
        table = self._table().astype(np.uint8)
        x, y = table[:, :-1].reshape(COUNT, SIDE, SIDE), table[:, -1].copy()
        return (x[:LEARNT], y[:LEARNT]), (x[LEARNT:], y[LEARNT:])

    def _table(self) -> Array:
        file = files("backlight").joinpath("demo", "digits.csv.gz")
        try:
            text = gzip.decompress(file.read_bytes()).decode("ascii")
            table = np.array([line.split(",") for line in text.splitlines()], dtype=np.int64)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise DataError(message("digits_damaged", file=file, reason=error)) from None
        if table.shape != (COUNT, SIDE * SIDE + 1):
            reason = f"{table.shape} != {(COUNT, SIDE * SIDE + 1)}"
            raise DataError(message("digits_damaged", file=file, reason=reason))
        return table


digits = DigitSet("digits")
