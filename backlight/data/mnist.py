"""MNIST, 70,000 handwritten digits of 28 × 28 pixels, from the four files as they were published."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from backlight.data.idx import read_idx
from backlight.data.images import Images
from backlight.errors import ArgumentError, DataError, message

__all__ = ["mnist"]

PARTS = {"train": "train", "test": "t10k"}
FILES = ("{part}-images-idx3-ubyte.gz", "{part}-labels-idx1-ubyte.gz")


def mnist(split: str = "train") -> Images:
    """MNIST's ``"train"`` (60,000) or ``"test"`` (10,000) part: images ``(n, 28, 28)`` float32 from 0 to 1, labels.

    The files are read from ``$BACKLIGHT_DATA/mnist`` (without ``BACKLIGHT_DATA``: from ``data/mnist`` where you are).

    Raises ``DataError`` that names the files to put there, or says what is wrong with one of them, and
    ``ArgumentError`` for another split.

    >>> mnist("validation")
    Traceback (most recent call last):
    backlight.errors.ArgumentError: ...
    """
    if split not in PARTS:
        raise ArgumentError(message("mnist_split", came=repr(split)))
    folder = Path(os.environ.get("BACKLIGHT_DATA") or "data") / "mnist"
    wanted = [folder / name.format(part=part) for part in PARTS.values() for name in FILES]
    missing = [path for path in wanted if not path.is_file()]
    if missing:
        listing = "".join(f"\n  {path}" for path in missing)
        raise DataError(message("mnist_missing", folder=folder.absolute(), files=listing))
    image_file, label_file = (folder / name.format(part=PARTS[split]) for name in FILES)
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(message("mnist_content", file=image_file, expected="uint8 (n, 28, 28)", came=_kind(images)))
    if labels.shape != images.shape[:1] or labels.dtype != np.uint8 or (labels.size and labels.max() > 9):
        expected = f"uint8 ({len(images)},), 0 … 9"
        raise DataError(message("mnist_content", file=label_file, expected=expected, came=_kind(labels)))
    return Images(images / np.float32(255), labels.astype(np.int64))


def _kind(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    largest = f", … {array.max()}" if array.size else ""
    return f"{array.dtype} {array.shape}{largest}"
