"""Reading with bounds: packed or not, never more than was agreed; writing so that nobody sees half a file."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from backlight.errors import DataError, message

__all__ = ["Bounded", "opened", "read_small", "read_up_to", "replaced"]

GZIP = b"\x1f\x8b"
BLOCK = 1 << 20


class Bounded(io.RawIOBase):
    """A stream of at most ``most`` bytes; reading past them raises ``DataError``."""

    def __init__(self, file: Any, path: Path, most: int) -> None:
        super().__init__()
        self._file, self._path, self._most, self._left = file, path, most, most

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what comes next."""
        view = memoryview(buffer).cast("B")
        if not self._left and self._file.read(1):
            raise DataError(message("file_large", file=self._path, most=self._most))
        data = self._file.read(min(len(view), self._left))  # not one more, which a buffer may ask for without need
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def opened(path: Path, most: int) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked if it is packed with gzip, and at most ``most`` bytes of it.

    Raises ``DataError`` for a file that is missing, cannot be read, is damaged, or is larger.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            with gzip.open(raw) if packed else contextlib.nullcontext(raw) as file:
                yield io.BufferedReader(Bounded(file, path, most))
    except DataError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(message("file_unreadable", file=path, reason=error)) from None


def read_up_to(file: IO[bytes], most: int) -> bytearray:
    """At most ``most`` bytes; memory grows with what is there, not with what was announced."""
    data = bytearray()
    while len(data) < most and (block := file.read(min(most - len(data), BLOCK))):
        data += block
    return data


def read_small(path: Path, most: int) -> bytes:
    """The whole content of a file of at most ``most`` bytes, unpacked if it is packed."""
    with opened(path, most) as file:
        return file.read()


@contextlib.contextmanager
def replaced(path: Path, keep: Path | None = None) -> Iterator[IO[bytes]]:
    """A new file, which takes the place of ``path`` once it is complete and on the disk.

    Whoever opens ``path`` finds the old file or the new one, never a part, even if the machine stops in between. With
    ``keep`` what stood at ``path`` is kept there. A link is followed; the rights of the file stay as they were.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.new")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            os.chmod(temporary, path.stat().st_mode & 0o777)
            if keep is not None:
                _kept(path, keep, temporary.with_suffix(".old"))
        os.replace(temporary, path)
        _synced(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _kept(path: Path, keep: Path, link: Path) -> None:
    """Let ``keep`` be the file at ``path`` too, which stays; where there are no links, ``keep`` alone."""
    try:
        os.link(path, link)
    except OSError:
        os.replace(path, keep)
    else:
        os.replace(link, keep)


def _synced(folder: Path) -> None:
    """Have the names in a folder written to the disk, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
