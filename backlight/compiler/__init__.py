"""The compiler: a traced graph becomes one native function."""

from backlight.compiler.texts import TEXTS
from backlight.messages import MESSAGES

MESSAGES.update(TEXTS)
