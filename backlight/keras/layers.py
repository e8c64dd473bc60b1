"""Layers."""

from backlight.nn.layers import *  # noqa: F403
from backlight.nn.layers import __all__ as __all__
