"""Models as files: written whole or not at all, read only after all was checked. The format is in docs/state.md.

In the order in which they stand on each other: ``plain`` and ``container`` know JSON and bytes, ``paths`` and
``matching`` names and shapes, ``architecture`` and ``training`` what a model is; ``state`` and ``weights`` put them
together.
"""

from __future__ import annotations

from backlight.messages import MESSAGES
from backlight.train.saving.foreign import from_keras, from_torch
from backlight.train.saving.state import load, save
from backlight.train.saving.texts import TEXTS
from backlight.train.saving.weights import load_weights, save_weights

__all__ = ["from_keras", "from_torch", "load", "load_weights", "save", "save_weights"]

MESSAGES.update(TEXTS)
