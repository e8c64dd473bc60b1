"""Constraints on weights."""

from backlight.nn.constraints import *  # noqa: F403
from backlight.nn.constraints import __all__ as __all__
