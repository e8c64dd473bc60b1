"""Files that callbacks write: whether that will work, before training begins, and replacing one as a whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from backlight.data.files import replaced
from backlight.errors import message
from backlight.train.callbacks.base import refuse

__all__ = ["ready_folder", "ready_path", "replace_file"]


def ready_folder(callback: Any, folder: str) -> None:
    """Make a folder and try to write in it; raises ``ArgumentError`` where that fails.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ready_folder(None, os.path.join(folder, "runs"))
    ...     os.listdir(folder)
    ['runs']
    """
    try:
        os.makedirs(folder or ".", exist_ok=True)
        with tempfile.TemporaryFile(dir=folder or "."):
            pass
    except OSError as error:
        raise refuse("callback_path", callback, path=folder, reason=error.strerror or error) from None


def ready_path(callback: Any, path: str) -> None:
    """Whether a file can be written at ``path``; its folder is made.

    Raises ``ArgumentError`` for a folder in its place and for one that cannot be written to.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ready_path(None, os.path.join(folder, "log.csv"))
    """
    if os.path.isdir(path):
        raise refuse("callback_path", callback, path=path, reason=message("callback_is_folder"))
    ready_folder(callback, os.path.dirname(path))
    if os.path.exists(path):
        try:
            with open(path, "ab"):
                pass
        except OSError as error:
            raise refuse("callback_path", callback, path=path, reason=error.strerror or error) from None


def replace_file(path: str, content: bytes) -> None:
    """Put ``content`` in the place of a file: whoever reads it sees the old one or the new one, never a part.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(os.path.join(folder, "a"), b"new")
    ...     Path(folder, "a").read_bytes()
    b'new'
    """
    with replaced(Path(path)) as file:
        file.write(content)
