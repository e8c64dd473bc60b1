"""Losses, as functions and as objects."""

from backlight.nn.losses import *  # noqa: F403
from backlight.nn.losses import __all__ as __all__
