"""What stands between data and a trained model: metrics and the checks before the first step."""

from backlight.messages import MESSAGES
from backlight.train.texts import TEXTS

__all__: list[str] = []

MESSAGES.update(TEXTS)
