"""Where a published file is: in ``$BACKLIGHT_DATA``, in the cache, or fetched into the cache and checked.

``BACKLIGHT_DOWNLOAD=off`` forbids to fetch anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from backlight.compiler import cache
from backlight.data.files import replaced
from backlight.errors import DataError, message

__all__ = ["Published", "cached", "download", "find", "given"]

SECONDS = 30  # without a byte, before a server counts as gone
BLOCK = 1 << 16


class Published(NamedTuple):
    """A file as it was published: its size and SHA-256 decide whether what came is that file."""

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


def given(folder: str) -> Path:
    """The folder that the user has for this set: in ``$BACKLIGHT_DATA``, without it in ``data`` where you are."""
    root = os.path.expanduser(os.environ.get("BACKLIGHT_DATA") or "data")
    return Path(root) / folder


def cached(folder: str) -> Path | None:
    """The folder of this set in the cache; ``None`` where there is no cache (``BACKLIGHT_CACHE=off``)."""
    root = cache.directory()
    return None if root is None else root / "data" / folder


def find(title: str, folder: str, files: tuple[Published, ...]) -> list[Path]:
    """Every file of a set: where the user has it, where it was fetched to before, or fetched now.

    Raises ``DataError`` that names the files that are nowhere, the folder to put them in, and why they did not come.
    """
    here, kept = given(folder).absolute(), cached(folder)
    found: dict[str, Path] = {}
    for file in files:
        mine, fetched = here / file.name, kept / file.name if kept else None
        if os.path.isfile(mine):
            found[file.name] = mine
        elif fetched is not None and _is_published(fetched, file):
            found[file.name] = fetched
    missing = [file for file in files if file.name not in found]
    reason = ""
    if missing and kept is not None:
        cache.own(create=True)  # made as plans need it, by whoever comes first
    if missing and (os.environ.get("BACKLIGHT_DOWNLOAD", "").lower() == "off" or kept is None):
        reason = "BACKLIGHT_DOWNLOAD=off" if kept else "BACKLIGHT_CACHE=off"
    for file in missing:
        if not reason and kept is not None:
            try:
                download(file, kept / file.name)
                found[file.name] = kept / file.name
            except DataError as error:
                reason = str(error)
    left = [file for file in files if file.name not in found]
    if left:
        listing = "".join(f"\n  {here / file.name}" for file in left)
        sources = "".join(f"\n  {file.urls[0]}" for file in left)
        raise DataError(message("data_missing", title=title, folder=here, files=listing, urls=sources, reason=reason))
    return [found[file.name] for file in files]


def _is_published(path: Path, file: Published) -> bool:
    """Whether these are the published bytes: a disk can fail, and other programs clean caches."""
    try:
        with path.open("rb") as content:
            if os.fstat(content.fileno()).st_size != file.size:
                return False
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def download(file: Published, target: Path) -> None:
    """Fetch ``file`` to ``target``: from the first of its addresses that has exactly the published bytes.

    Nothing is at ``target`` before all of it is there and its checksum right, and no more bytes are read than it has.

    Raises ``DataError`` that says what went wrong at the last address.
    """
    reason = "no address"
    for url in file.urls:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replaced(target) as out:
                _fetch(file, url, out)
            return
        except DataError as error:
            reason = str(error)
        except (OSError, ValueError) as error:
            reason = message("download_failed", url=url, reason=error)
    raise DataError(reason)


def _fetch(file: Published, url: str, out: IO[bytes]) -> None:
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    digest, came = hashlib.sha256(), 0
    request = Request(url, headers={"User-Agent": "backlight", "Accept-Encoding": "identity"})
    try:
        with urlopen(request, timeout=SECONDS) as answer, _progress(file, url) as advance:
            while block := answer.read(min(BLOCK, file.size + 1 - came)):  # one byte too many is enough to know
                came += len(block)
                digest.update(block)
                out.write(block)
                advance(len(block))
    except HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    if came != file.size:
        key = "download_long" if came > file.size else "download_short"
        raise DataError(message(key, url=url, expected=file.size, came=came))
    if digest.hexdigest() != file.sha256:
        raise DataError(message("download_checksum", url=url, expected=file.sha256, came=digest.hexdigest()))


@contextlib.contextmanager
def _progress(file: Published, url: str) -> Iterator[Any]:
    """A bar on a terminal and in a notebook, one line elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal and not console.is_jupyter:
        text = message("download_begins", file=file.name, mebibytes=f"{file.size / 2**20:.1f}", url=url)
        sys.stderr.write(f"{text}\n")
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(file.name, total=file.size)
        yield lambda count: progress.advance(task, count)
