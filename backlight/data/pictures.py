"""Pictures from folders: one folder per class, decoded by Pillow when they are asked for.

Pillow is an optional extra: ``pip install backlight[images]``.
"""

from __future__ import annotations

import io
import operator
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backlight.data.files import read_small
from backlight.errors import ArgumentError, DataError, RangeError, message

__all__ = ["SUFFIXES", "ImageFolder", "read_image"]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM")  # nothing that starts another program, as PostScript would
MODES = {"rgb": "RGB", "grayscale": "L", "rgba": "RGBA"}
MOST_PIXELS = 1 << 26
MOST_BYTES = 4 * MOST_PIXELS  # of a file

Array = np.ndarray[Any, np.dtype[Any]]


def read_image(
    path: str | os.PathLike[str], size: tuple[int, int] | None = None, color_mode: str = "rgb"
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture as uint8 ``(height, width, channels)``; ``size`` (height, width) resizes it, bilinear.

    ``color_mode`` is ``"rgb"``, ``"grayscale"`` (one channel) or ``"rgba"``.

    Raises ``DataError`` for a file that is missing, damaged or too large (more than 2²⁶ pixels), or without Pillow,
    ``ArgumentError`` for a ``color_mode`` or a size that does not exist.

    Formats: BMP, GIF (its first picture), JPEG, PNG, PGM and PPM. Of 16 bits the upper eight are kept.
    """
    path = Path(path)
    _check(size, color_mode)
    pillow = _pillow()
    data = read_small(path, MOST_BYTES)  # whole, so that no length in a damaged file makes room for what is not there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, about sizes that are refused below and metadata not used
            with pillow.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(f"{image.width} × {image.height} > {MOST_PIXELS}")
                plain = _eight_bits(image, pillow).convert(MODES[color_mode])
        if size is not None and (plain.height, plain.width) != tuple(size):
            plain = plain.resize((int(size[1]), int(size[0])), pillow.Resampling.BILINEAR)
    except Exception as error:  # Pillow's decoders raise whatever damaged files lead them to
        raise DataError(message("image_damaged", file=path, reason=error or type(error).__name__)) from None
    array = np.array(plain, np.uint8)
    return array if array.ndim == 3 else array[:, :, None]


class ImageFolder:
    """The pictures below a folder, whose sub-folders are the classes, in alphabetical order.

    ``len``, ``[k]`` and iteration give ``(image, label)``: float32 ``(height, width, channels)`` from 0 to 255, as
    Keras's ``image_dataset_from_directory``, and an int64. A picture is read when it is asked for, so
    ``Batches(ImageFolder(...), 32, shuffle=True, prefetch=2)`` trains from more than fits in memory.

    ``class_names``, ``paths`` and ``labels`` say what was found. ``size`` is (height, width), Keras's (256, 256) if not
    given.

    Raises ``DataError`` for a folder without classes or pictures, ``ArgumentError`` like ``read_image``.
    """

    def __init__(
        self, folder: str | os.PathLike[str], size: tuple[int, int] = (256, 256), color_mode: str = "rgb"
    ) -> None:
        root = Path(folder)
        _check(size, color_mode)
        self.size, self.color_mode = size, color_mode
        try:
            classes = sorted(item for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))
            found = [(path, k) for k, inner in enumerate(classes) for path in sorted(inner.rglob("*"))]
        except OSError as error:
            raise DataError(message("image_folder", folder=root.absolute(), reason=error)) from None
        kept = [(path, k) for path, k in found if path.suffix.lower() in SUFFIXES and path.is_file()]
        if not kept:
            reason = ", ".join(SUFFIXES)
            raise DataError(message("image_folder", folder=root.absolute(), reason=f"0 × {reason}"))
        self.class_names = [item.name for item in classes]
        self.paths = [path for path, _ in kept]
        self.labels = np.array([k for _, k in kept], np.int64)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Array, np.int64]:
        try:
            path, label = self.paths[operator.index(number)], self.labels[number]
        except IndexError:
            raise RangeError(message("image_number", came=number, count=len(self))) from None
        return read_image(path, self.size, self.color_mode).astype(np.float32), label

    def __iter__(self) -> Iterator[tuple[Array, np.int64]]:
        return (self[number] for number in range(len(self)))


def _check(size: tuple[int, int] | None, color_mode: str) -> None:
    if color_mode not in MODES:
        raise ArgumentError(message("image_mode", came=repr(color_mode), modes=", ".join(MODES)))
    sides: Sequence[Any] = size if isinstance(size, tuple | list) else ()
    whole = len(sides) == 2 and all(isinstance(n, int | np.integer) and n > 0 for n in sides)
    if size is not None and not (whole and int(sides[0]) * int(sides[1]) <= MOST_PIXELS):
        raise ArgumentError(message("image_size", came=repr(size)))


def _eight_bits(image: Any, pillow: Any) -> Any:
    """The picture itself, or the upper halves of 16 bits, which Pillow would cut off at 255."""
    if not image.mode.startswith("I"):
        return image
    return pillow.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise DataError(message("image_pillow")) from None
    return Image
