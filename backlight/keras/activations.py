"""Activation functions by name."""

from backlight.nn.activations import *  # noqa: F403
from backlight.nn.activations import __all__ as __all__
