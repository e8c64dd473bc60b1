"""What is said of a mistake, in either language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def said(call: Callable[[], Any], kind: Any, language: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The words with which ``call`` is refused by an exception of this kind."""
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def names_all(text: str, parts: tuple[str, ...], language: str) -> None:
    """Every one of ``parts`` is in the text, which is in the language."""
    assert all(part in text for part in parts), text
    assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")
