"""Optimisers, and their schedules."""

from backlight.optim import *  # noqa: F403
from backlight.optim import __all__ as __all__
