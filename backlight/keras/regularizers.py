"""Penalties on weights, under all the names that Keras has for them."""

from backlight.nn.regularizers import *  # noqa: F403
from backlight.nn.regularizers import L1 as l1
from backlight.nn.regularizers import L1L2 as l1_l2
from backlight.nn.regularizers import L2 as l2
from backlight.nn.regularizers import OrthogonalRegularizer as orthogonal_regularizer
from backlight.nn.regularizers import __all__ as _named

__all__ = [*_named, "l1", "l2", "l1_l2", "orthogonal_regularizer"]
