"""Machine code kept on the disk between runs, found again by what it was made from.

The name of an entry is a SHA-256 of everything the code depends on: the program, the processor, the versions of
Backlight and LLVM and of this format. An entry holds a checksum over its name and content, so one that is damaged,
cut short or renamed is thrown away and made anew. ``BACKLIGHT_CACHE`` names the folder, or is ``off``;
``BACKLIGHT_CACHE_LIMIT`` bounds its size (``256 MiB``, to a few percent); what was used longest ago makes room. Where
nothing can be written, everything works without.

What is read here is executed, so it must come from nobody but the user. The folder and every entry have to belong to
the user and be writable for nobody else; otherwise they are treated as absent, and links are not followed. That
protects against other users of the computer. The checksum finds accidents, not forgery: whoever can write the user's
own files could as well change Backlight itself, and a secret beside the entries would be readable just the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Entry", "Listed", "clear", "directory", "entries", "key", "limit", "load", "own", "size", "store", "usable"]

FORMAT = 1
_MAGIC = b"BACKLIGHT CACHE\n"
_HEAD = struct.Struct("<16sIIQ32s")  # magic, format, length of the metadata, length of the payload, checksum
_LIMIT = 256 << 20
_MOST_METADATA = 64 << 10
_LOOKS = 64  # how often the folder is looked through while as much is stored as it may hold
_STALE = 3600.0  # a file half written for so many seconds has lost its writer
_NAME = re.compile(r"[0-9a-f]{64}")


class Entry(NamedTuple):
    """What was stored under a key."""

    payload: bytes
    metadata: dict[str, Any]


class Listed(NamedTuple):
    """An entry as a listing shows it, without reading or trusting its content."""

    key: str
    name: str
    size: int
    used: float  #: when it was stored or last read, in seconds since 1970


def directory() -> Path | None:
    """The folder of the cache; ``None`` where ``BACKLIGHT_CACHE`` is ``off`` or there is no home."""
    chosen = os.environ.get("BACKLIGHT_CACHE", "")
    if chosen.lower() == "off":
        return None
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "backlight" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "backlight"
        base = os.environ.get("XDG_CACHE_HOME", "")
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "backlight"
    except RuntimeError:
        return None


def limit() -> int:
    """The most bytes all entries may have together; ``BACKLIGHT_CACHE_LIMIT`` is ``1 GiB``, ``64M`` or ``4096``."""
    found = re.fullmatch(r"\s*(\d{1,12})\s*([KMG]?)(?:iB|B)?\s*", os.environ.get("BACKLIGHT_CACHE_LIMIT", ""), re.I)
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2].upper()] if found else _LIMIT


def key(*parts: str | bytes) -> str:
    """The name for what is made from exactly these ``parts`` by this version of Backlight."""
    from backlight import __version__

    digest = hashlib.sha256(f"backlight {__version__} {FORMAT}".encode())
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(struct.pack("<Q", len(data)))
        digest.update(data)
    return digest.hexdigest()


def load(key: str) -> Entry | None:
    """What is stored under ``key``, or ``None``. A damaged entry is removed."""
    folder = own()
    if folder is None or not _NAME.fullmatch(key):
        return None
    path = folder / key
    try:
        with _opened(path) as file:
            found = _read(file, key)
            with contextlib.suppress(OSError):
                os.utime(path)
    except OSError:
        return None
    except ValueError:
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    return found


def store(key: str, payload: bytes, metadata: dict[str, Any]) -> bool:
    """Keep ``payload`` under ``key``; says whether that worked. Nobody ever sees a half-written entry."""
    if not _NAME.fullmatch(key):
        return False
    words = json.dumps(metadata).encode()
    most = limit()
    if len(words) > _MOST_METADATA or _HEAD.size + len(words) + len(payload) > most:
        return False
    folder = own(create=True)
    if folder is None:
        return False
    temporary = folder / f"{key}.{os.getpid()}.{time.monotonic_ns()}.new"
    head = _HEAD.pack(_MAGIC, FORMAT, len(words), len(payload), _checksum(key, words, payload))
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.writelines((head, words, payload))
        os.replace(temporary, folder / key)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        return False
    if _looks(key, _HEAD.size + len(words) + len(payload), most):
        _make_room(folder, most)
    return True


def entries() -> list[Listed]:
    """Every entry, the one used last first."""
    found = []
    folder = own()
    for name, size, used in _files(folder):
        try:
            with _opened(Path(folder or "", name)) as file:
                words = file.read(_HEAD.unpack(file.read(_HEAD.size))[2] % _MOST_METADATA)
            title = str(json.loads(words).get("name", ""))
        except (OSError, ValueError, AttributeError, struct.error):
            title = ""
        found.append(Listed(name, "".join(letter for letter in title if letter.isprintable()), size, used))
    return sorted(found, key=lambda entry: -entry.used)


def size() -> int:
    """The bytes of all entries together."""
    return sum(size for _, size, _ in _files(own()))


def clear() -> int:
    """Remove every entry; returns how many there were."""
    count = 0
    folder = own()
    for name, _, _ in _files(folder):
        with contextlib.suppress(OSError):
            Path(folder or "", name).unlink()
            count += 1
    return count


def _mine(status: os.stat_result) -> bool:
    """Whether a file or folder is the user's own and nobody else can write to it."""
    if sys.platform == "win32":  # the folder for local data is the user's own there
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def usable() -> bool:
    """Whether entries can be read, or there are none yet: false where the folder is not the user's own."""
    folder = directory()
    return folder is not None and (own() is not None or not folder.exists())


def own(create: bool = False) -> Path | None:
    """The folder of the cache if it is there and the user's own; with ``create`` it is made, for nobody else."""
    folder = directory()
    if folder is None:
        return None
    try:
        if create:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        status = folder.stat()
    except OSError:
        return None
    return folder if stat.S_ISDIR(status.st_mode) and _mine(status) else None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file for reading, if it is a plain file of the user's own."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _mine(status):
            raise PermissionError(path)
        yield file


def _read(file: Any, key: str) -> Entry:
    """The entry in an open file; ``ValueError`` if it is not exactly what was once stored under ``key``."""
    head = file.read(_HEAD.size)
    if len(head) != _HEAD.size:
        raise ValueError("cut short")
    magic, version, words_length, payload_length, checksum = _HEAD.unpack(head)
    expected = _HEAD.size + words_length + payload_length
    if magic != _MAGIC or version != FORMAT or words_length > _MOST_METADATA:
        raise ValueError("not an entry")
    if os.fstat(file.fileno()).st_size != expected:  # before anything of that length is made room for
        raise ValueError("wrong length")
    words, payload = file.read(words_length), file.read(payload_length)
    if checksum != _checksum(key, words, payload):
        raise ValueError("damaged")
    metadata = json.loads(words)
    if not isinstance(metadata, dict):
        raise ValueError("damaged")
    return Entry(payload, metadata)


def _checksum(key: str, words: bytes, payload: bytes) -> bytes:
    digest = hashlib.sha256(f"{FORMAT} {key} {len(words)} ".encode())
    digest.update(words)
    digest.update(payload)
    return digest.digest()


def _files(folder: Path | None) -> list[tuple[str, int, float]]:
    """Name, size and time of last use of every entry; what writers left behind is removed on the way."""
    found: list[tuple[str, int, float]] = []
    if folder is None:
        return found
    with contextlib.suppress(OSError), os.scandir(folder) as listing:
        for item in listing:
            with contextlib.suppress(OSError):
                status = item.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    continue
                if _NAME.fullmatch(item.name):
                    found.append((item.name, status.st_size, status.st_mtime))
                elif item.name.endswith(".new") and time.time() - status.st_mtime > _STALE:
                    os.unlink(item.path)
    return found


def _looks(key: str, size: int, most: int) -> bool:
    """Whether to look through the folder after an entry of this size: once for every few MiB that anybody stores.

    To look at tens of thousands of files takes as long as to compile a large plan. Names are as good as random, so
    they decide without any memory of what was stored; small limits are looked after every time.
    """
    return int(key[:8], 16) * most <= size * _LOOKS << 32


def _make_room(folder: Path, most: int) -> None:
    files = _files(folder)
    total = sum(size for _, size, _ in files)
    for name, size, _ in sorted(files, key=lambda file: file[2]):
        if total <= most:
            break
        with contextlib.suppress(OSError):
            (folder / name).unlink()
        total -= size
