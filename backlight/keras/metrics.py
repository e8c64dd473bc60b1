"""Metrics."""

from backlight.train.metrics import *  # noqa: F403
from backlight.train.metrics import __all__ as __all__
