"""Models."""

from backlight.train.model import Model, Sequential

__all__ = ["Model", "Sequential"]
