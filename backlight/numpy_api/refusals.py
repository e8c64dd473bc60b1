"""What is said when NumPy calls a function that has no mapping here."""

from __future__ import annotations

from typing import Any, NoReturn

from backlight.errors import UnsupportedError, language, message
from backlight.numpy_api.common import here

__all__ = ["unsupported"]


def unsupported(function: Any) -> NoReturn:
    """Raise ``UnsupportedError`` for a NumPy function, with the reason and the nearest supported one."""
    from backlight.numpy_api import coverage  # it looks through all of NumPy, so it is loaded when first needed

    row = coverage.find(function)
    reason = row.zh if language() == "zh" else row.en
    raise UnsupportedError(message("api_unsupported", here(), function=row.name, reason=reason, nearest=row.nearest))
