"""What networks are made of, as compositions of the functions below it: no derivative is written here."""

from backlight.messages import MESSAGES
from backlight.nn.texts import TEXTS

__all__: list[str] = []

MESSAGES.update(TEXTS)
