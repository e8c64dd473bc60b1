"""Constraints on weights, under all the names that Keras has for them."""

from backlight.nn.constraints import *  # noqa: F403
from backlight.nn.constraints import MaxNorm as max_norm
from backlight.nn.constraints import MinMaxNorm as min_max_norm
from backlight.nn.constraints import NonNeg as non_neg
from backlight.nn.constraints import UnitNorm as unit_norm
from backlight.nn.constraints import __all__ as _named

__all__ = [*_named, "max_norm", "min_max_norm", "non_neg", "unit_norm"]
