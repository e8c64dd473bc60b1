"""WAV: sound as arrays of samples."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from backlight.data.files import opened, read_up_to, replaced
from backlight.errors import ArgumentError, DataError, message

__all__ = ["Sound", "read_wav", "write_wav"]

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
KINDS = {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)}
MOST = 1 << 30  # bytes, unpacked, unless asked for more
MOST_CHUNKS = 1000  # before the sound: a file of nothing but empty ones would take long to say nothing

Samples = np.ndarray[Any, np.dtype[np.float32]]


class Sound(NamedTuple):
    """Samples, float32 ``(n, channels)`` from -1 up to 1, and how many there are to a second."""

    samples: Samples
    rate: int


def read_wav(path: str | os.PathLike[str], most: int = MOST) -> Sound:
    """A WAV file: of whole numbers (PCM), sample k of b bits becomes k / 2ᵇ⁻¹; floats stay as they are.

    8, 16, 24 and 32 bits, or floats of 32 and 64; of at most ``most`` bytes. Specification: IBM and Microsoft,
    "Multimedia Programming Interface and Data Specifications 1.0", 1991, and ``WAVEFORMATEXTENSIBLE``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wav(Path(folder) / "a.wav", np.array([0.0, 0.5, -1.0]), 8000)
    ...     read_wav(Path(folder) / "a.wav")
    Sound(samples=array([[ 0. ],
           [ 0.5],
           [-1. ]], dtype=float32), rate=8000)

    Raises ``DataError`` for a file that is missing, damaged, cut short, too large or of another kind.
    """
    path = Path(path)
    with opened(path, most) as file:
        try:
            return _read(file)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(message("wav_damaged", file=path, reason=error)) from None


def _read(file: IO[bytes]) -> Sound:
    """The first ``data`` chunk, read as the ``fmt`` chunk before it says."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise ValueError(head.hex(" ") or "0")
    layout = None
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("data: 0")
        name, length = struct.unpack("<4sI", head)
        if name == b"data" and layout is None:
            raise ValueError("fmt: 0")
        content = read_up_to(file, length + (length & 1 if name != b"data" else 0))
        if len(content) < length:
            raise ValueError(f"{name!r}: {len(content)} < {length}")
        if name == b"fmt ":
            layout = _layout(content)
        elif name == b"data" and layout is not None:
            kind, bits, channels, rate = layout
            if length % (channels * bits // 8):
                raise ValueError(f"data: {length} / {channels} / {bits}")
            return Sound(_samples(content, kind, bits).reshape(-1, channels), rate)
    raise ValueError(f"data: > {MOST_CHUNKS}")


def _layout(content: bytearray) -> tuple[int, int, int, int]:
    """Kind of number, bits, channels and rate."""
    if len(content) < 16:
        raise ValueError(f"fmt: {len(content)}")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", content[:16])
    if kind == EXTENSIBLE and len(content) >= 26:
        kind = struct.unpack("<H", content[24:26])[0]
    if (kind, bits) not in KINDS or not channels or not rate or block != channels * bits // 8:
        raise ValueError(f"fmt: {kind}, {bits} × {channels}, {block}, {rate}")
    return kind, bits, channels, rate


def _samples(data: bytearray, kind: int, bits: int) -> Samples:
    """The numbers as float32, whole ones from -1 up to 1; three bytes are read as the upper three of four."""
    if kind == FLOAT:
        return np.frombuffer(data, f"<f{bits // 8}").astype(np.float32)
    if bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        whole = (wide.view("<i4")[:, 0] >> 8).astype(np.float32)
    elif bits == 8:
        whole = np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)
    else:
        whole = np.frombuffer(data, f"<i{bits // 8}").astype(np.float32)
    return whole / np.float32(2.0 ** (bits - 1))


def write_wav(path: str | os.PathLike[str], samples: Any, rate: int) -> None:
    """Write samples ``(n,)`` or ``(n, channels)`` as 16 bits: x becomes the whole number nearest to 32768 x, clipped.

    Raises ``ArgumentError`` for samples that are not finite numbers of that shape, or a rate that is not positive.
    """
    samples = np.asarray(samples)
    if samples.dtype.kind not in "fiu" or samples.ndim not in (1, 2) or not np.isfinite(samples).all():
        raise ArgumentError(message("wav_samples", came=f"{samples.dtype} {samples.shape}"))
    channels = samples.shape[1] if samples.ndim == 2 else 1
    if not 1 <= channels <= 0xFFFF or not 0 < rate < 1 << 31:
        raise ArgumentError(message("wav_samples", came=f"{samples.dtype} {samples.shape}, rate={rate}"))
    with replaced(Path(path)) as target, wave.open(target, "wb") as file:
        file.setparams((channels, 2, int(rate), len(samples), "NONE", ""))
        file.writeframes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())
