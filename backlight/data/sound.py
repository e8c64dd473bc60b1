"""WAV: sound as arrays of samples."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backlight.data.files import replaced
from backlight.errors import ArgumentError, DataError, message

__all__ = ["Sound", "read_wav", "write_wav"]


class Sound(NamedTuple):
    """Samples, float32 ``(n, channels)`` from -1 up to 1, and how many there are to a second."""

    samples: np.ndarray[Any, np.dtype[np.float32]]
    rate: int


def read_wav(path: str | os.PathLike[str]) -> Sound:
    """A WAV file of 8, 16, 24 or 32 bits (PCM): sample k of b bits becomes k / 2ᵇ⁻¹.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wav(Path(folder) / "a.wav", np.array([0.0, 0.5, -1.0]), 8000)
    ...     read_wav(Path(folder) / "a.wav")
    Sound(samples=array([[ 0. ],
           [ 0.5],
           [-1. ]], dtype=float32), rate=8000)

    Raises ``DataError`` for a file that is missing, damaged, cut short or of another kind.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with wave.open(str(path), "rb") as file:
            count, channels, width = file.getnframes(), file.getnchannels(), file.getsampwidth()
            rate, expected = file.getframerate(), count * channels * width
            if expected > size or not 1 <= width <= 4 or not channels or not rate:
                raise DataError(message("wav_damaged", file=path, reason=f"{count} × {channels} × {width} > {size}"))
            data = file.readframes(count)
    except DataError:
        raise
    except (OSError, EOFError, ValueError, ArithmeticError, RuntimeError, struct.error, wave.Error) as error:
        raise DataError(message("wav_damaged", file=path, reason=error or type(error).__name__)) from None
    if len(data) != expected:
        raise DataError(message("wav_damaged", file=path, reason=f"{len(data)} < {expected}"))
    return Sound((_whole(data, width) / np.float32(2.0 ** (8 * width - 1))).reshape(count, channels), rate)


def _whole(data: bytes, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The samples as numbers around 0; three bytes are read as the upper three of four."""
    if width == 1:
        return np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (wide.view("<i4")[:, 0] >> 8).astype(np.float32)
    return np.frombuffer(data, f"<i{width}").astype(np.float32)


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
