"""Callbacks."""

from backlight.train.callbacks import *  # noqa: F403
from backlight.train.callbacks import __all__ as __all__
