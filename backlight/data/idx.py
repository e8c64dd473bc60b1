"""IDX, the format of MNIST and its relatives: two zero bytes, a type, the number of axes, their lengths, the numbers.

Specification: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import os
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

from backlight.data.files import opened, read_up_to, replaced
from backlight.errors import DataError, DTypeError, ShapeError, message

__all__ = ["read_idx", "write_idx"]

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_AXES = 8
LONGEST_HEAD = 4 + 4 * MOST_AXES
# Deflate cannot shrink anything below 1/1032 of its size (RFC 1951: at best 258 bytes from 2 bits), so the size of the
# compressed file bounds what an honest header can announce.
DEFLATE_LIMIT = 1032
MOST_BYTES = 8 << 30  # of numbers, whatever the file says; a larger set is read with np.memmap


def read_idx(path: str | os.PathLike[str], most: int = MOST_BYTES) -> np.ndarray[Any, np.dtype[Any]]:
    """The array in an IDX file, compressed (``.gz``) or not, of at most ``most`` bytes of numbers.

    The size that the header announces is checked against the file before memory is taken, and against the data after.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two-by-three.idx.gz"
    ...     _ = path.write_bytes(gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])))
    ...     read_idx(path)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)

    Raises ``DataError`` for a file that is missing, damaged, cut short, too long or not IDX.
    """
    path = Path(path)
    with opened(path, most + LONGEST_HEAD + 1) as file:
        return _read(path, file, min(DEFLATE_LIMIT * path.stat().st_size, most))


def write_idx(path: str | os.PathLike[str], array: Any) -> None:
    """Write an array as IDX, compressed if the name ends in ``.gz``; what ``read_idx`` gives back is equal to it.

    Raises ``DTypeError`` for numbers that the format has no type for (it has uint8, int8, int16, int32, float32 and
    float64), ``ShapeError`` for an array without axes, with more than 8, or longer than 2³²-1 along one.
    """
    array, path = np.asarray(array), Path(path)
    kind = next((kind for kind, name in TYPES.items() if np.dtype(name) == array.dtype.newbyteorder(">")), None)
    if kind is None:
        raise DTypeError(message("idx_dtype", came=array.dtype))
    if not 1 <= array.ndim <= MOST_AXES or max(array.shape) >= 1 << 32:
        raise ShapeError(message("idx_shape", came=array.shape))
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = head + array.astype(TYPES[kind]).tobytes()
    with replaced(path) as file:
        # Without the time, so that the same array always gives the same file.
        file.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _read(path: Path, file: IO[bytes], most: int) -> np.ndarray[Any, np.dtype[Any]]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not 1 <= head[3] <= MOST_AXES:
        raise DataError(message("idx_magic", file=path, head=head.hex(" ") or "—"))
    lengths = file.read(4 * head[3])
    if len(lengths) < 4 * head[3]:
        raise DataError(message("idx_short", file=path, expected=4 * head[3], came=len(lengths)))
    shape = struct.unpack(f">{head[3]}I", lengths)
    dtype = np.dtype(TYPES[head[2]])
    expected = math.prod(shape) * dtype.itemsize
    if expected > most:
        raise DataError(message("idx_too_large", file=path, shape=shape, expected=expected, most=most))
    data = read_up_to(file, expected + 1)
    if len(data) < expected:
        raise DataError(message("idx_short", file=path, expected=expected, came=len(data)))
    if len(data) > expected:
        raise DataError(message("idx_long", file=path, shape=shape, expected=expected))
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))
