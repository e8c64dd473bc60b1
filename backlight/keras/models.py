"""Models."""

from backlight.keras.saving import load_model, save_model
from backlight.train.model import Model, Sequential

__all__ = ["Model", "Sequential", "load_model", "save_model"]
