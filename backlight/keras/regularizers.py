"""Penalties on weights."""

from backlight.nn.regularizers import *  # noqa: F403
from backlight.nn.regularizers import __all__ as __all__
