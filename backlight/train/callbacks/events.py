"""The files that TensorBoard reads: records with checksums, each an Event message in protocol buffers' encoding.

A record is its length (8 bytes, little-endian), the masked CRC-32C of those, the bytes, and their masked CRC-32C.
A message is a mapping from field numbers to values: text, bytes and nested messages are written with their length,
whole numbers as varints, floats in 8 bytes; a list repeats its field.
"""

from __future__ import annotations

import itertools
import os
import struct
import time
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["EventWriter", "crc32c", "encode", "histogram", "image", "keras_graph", "png", "record", "scalar", "text"]

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
_CLASSES = {"scalars": 1, "histograms": 2, "text": 2, "images": 3}  # how TensorBoard stores what a plugin shows
_COUNTER = itertools.count()


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_crc_of_byte(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """The cyclic redundancy check of RFC 3720 (CRC-32C).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """``data`` with its length and checksums.

    >>> len(record(b"abc"))
    19
    """
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def encode(fields: Mapping[int, Any]) -> bytes:
    """A message in protocol buffers' encoding.

    >>> encode({1: 150, 2: "testing", 3: {1: 1}}).hex(" ")
    '08 96 01 12 07 74 65 73 74 69 6e 67 1a 02 08 01'
    """
    return b"".join(
        _field(number, each)
        for number, value in fields.items()
        for each in (value if isinstance(value, list) else [value])
    )


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    data = encode(value) if isinstance(value, Mapping) else value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


# -- Summaries: a tag, a tensor, and what shows it --------------------------------------------------------------------


def _shape(lengths: tuple[int, ...]) -> dict[int, Any]:
    return {2: [{1: length} for length in lengths]}


def _summary(tag: str, plugin: str, tensor: dict[int, Any], content: bytes = b"") -> dict[int, Any]:
    metadata = {1: {1: plugin, 2: content}} | ({4: _CLASSES[plugin]} if plugin in _CLASSES else {})
    return {1: tag, 8: tensor, 9: metadata}


def _numbers(values: np.ndarray[Any, Any]) -> dict[int, Any]:
    kind = {"<f4": 1, "<f8": 2}[values.dtype.str]
    return {1: kind, 2: _shape(values.shape), 4: values.tobytes()}


def _strings(values: list[Any], shape: tuple[int, ...]) -> dict[int, Any]:
    return {1: 7, 2: _shape(shape), 8: values}


def scalar(tag: str, value: Any) -> dict[int, Any]:
    """One number, as float32.

    >>> scalar("epoch_loss", 0.5)[1]
    'epoch_loss'
    """
    with np.errstate(over="ignore"):
        return _summary(tag, "scalars", _numbers(np.asarray(value, "<f4").reshape(())))


def histogram(tag: str, values: Any, buckets: int = 30) -> dict[int, Any]:
    """How often values fall into ``buckets`` intervals of equal width between the least and the largest of them.

    Rows of (left edge, right edge, count). NaN and infinity lie nowhere and are left out. Where all values are equal,
    all intervals are that point and the last has them all.

    >>> np.frombuffer(histogram("w", [0.0, 1.0, 1.0, 2.0], 2)[8][4]).reshape(2, 3)
    array([[0., 1., 1.],
           [1., 2., 3.]])
    """
    x = np.asarray(values, np.float64).ravel()
    x = x[np.isfinite(x)]
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
    if low == high:
        counts = np.zeros(buckets)
        counts[-1] = x.size
        edges = np.full(buckets + 1, low)
    else:
        counts, edges = np.histogram(x, buckets, (low, high))
    rows = np.stack([edges[:-1], edges[1:], counts], axis=1).astype("<f8")
    return _summary(tag, "histograms", _numbers(rows))


def text(tag: str, words: str) -> dict[int, Any]:
    """Words, which TensorBoard shows as Markdown.

    >>> text("model", "# Hello")[8][8]
    ['# Hello']
    """
    return _summary(tag, "text", _strings([words], ()))


def keras_graph(tag: str, config: str) -> dict[int, Any]:
    """A model's layers as Keras's JSON, from which TensorBoard draws the graph.

    >>> keras_graph("keras", "{}")[9]
    {1: {1: 'graph_keras_model', 2: b'1'}}
    """
    return _summary(tag, "graph_keras_model", _strings([config], ()), b"1")


def image(tag: str, pixels: Any) -> dict[int, Any]:
    """Images (count, height, width, 1, 3 or 4 channels), from 0 to 1.

    >>> image("w", np.zeros((2, 3, 4, 1)))[8][8][:2]
    ['4', '3']
    """
    x = np.asarray(pixels, np.float64)
    levels = np.round(np.clip(np.nan_to_num(x), 0, 1) * 255).astype(np.uint8)
    _, height, width, _ = x.shape
    return _summary(tag, "images", _strings([str(width), str(height), *map(png, levels)], (len(x) + 2,)))


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """Bytes (height, width, channels) as a picture in PNG (ISO/IEC 15948).

    >>> png(np.zeros((1, 1, 1), np.uint8))[1:4]
    b'PNG'
    """
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # every row unfiltered

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# -- Files -------------------------------------------------------------------------------------------------------------


class EventWriter:
    """An event file in a folder, made with the first summary; its name and its events hold the time of day.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writer = EventWriter(folder)
    ...     writer.add(0, [scalar("epoch_loss", 0.5)])
    ...     writer.close()
    ...     [name[:19] for name in os.listdir(folder)]
    ['events.out.tfevents']
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._file: Any = None

    def add(self, step: int, summaries: list[dict[int, Any]]) -> None:
        """Add the summaries of one step."""
        now = time.time()
        if self._file is None:
            os.makedirs(self.folder, exist_ok=True)
            name = f"events.out.tfevents.{int(now):010d}.{os.getpid()}.{next(_COUNTER)}.v2"
            self._file = open(os.path.join(self.folder, name), "xb")  # noqa: SIM115 - until training ends
            self._file.write(record(encode({1: now, 3: "brain.Event:2"})))
        for each in summaries:
            self._file.write(record(encode({1: now, 2: int(step), 5: {1: each}})))

    def flush(self) -> None:
        """Let readers see what was added."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file; what is added afterwards goes into another."""
        if self._file is not None:
            self._file.close()
            self._file = None
