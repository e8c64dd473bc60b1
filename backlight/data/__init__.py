"""Data sets as plain NumPy arrays: ``digits`` ships with Backlight, ``mnist`` is read from ``$BACKLIGHT_DATA``."""

from __future__ import annotations

from backlight.data.digits import digits
from backlight.data.idx import read_idx
from backlight.data.images import Images
from backlight.data.mnist import mnist

__all__ = ["Images", "digits", "mnist", "read_idx"]
