"""The UCI handwritten digits, which ship with the package (see ``demo/DIGITS.md`` for their source and licence)."""

from __future__ import annotations

import gzip
import zlib
from importlib.resources import files

import numpy as np

from backlight.data.images import Images
from backlight.errors import DataError, message

__all__ = ["digits"]

COUNT, SIDE, INK = 1797, 8, 16


def digits() -> Images:
    """1,797 handwritten digits of 8 × 8 pixels: images ``(1797, 8, 8)`` from 0 to 1, labels ``(1797,)`` from 0 to 9.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0.

    >>> images, labels = digits()
    >>> images.shape, images.min(), images.max()
    ((1797, 8, 8), np.float64(0.0), np.float64(1.0))
    >>> labels[:5]
    array([0, 1, 2, 3, 4])

    Raises ``DataError`` if the file in the package is missing or damaged.
    """
    file = files("backlight").joinpath("demo", "digits.csv.gz")
    try:
        text = gzip.decompress(file.read_bytes()).decode("ascii")
        table = np.array([line.split(",") for line in text.splitlines()], dtype=np.int64)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(message("digits_damaged", file=file, reason=error)) from None
    if table.shape != (COUNT, SIDE * SIDE + 1):
        raise DataError(message("digits_damaged", file=file, reason=f"{table.shape} != {(COUNT, SIDE * SIDE + 1)}"))
    return Images(table[:, :-1].reshape(COUNT, SIDE, SIDE) / INK, table[:, -1].copy())
