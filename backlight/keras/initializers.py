"""First values of weights."""

from backlight.nn.initializers import *  # noqa: F403
from backlight.nn.initializers import __all__ as __all__
