"""Optimisers: a table of rules, Keras's classes on top of it, schedules, clipping, and L-BFGS.

``rules`` holds the mathematics as pure functions; ``optimizer`` what all have in common and the pure step
``stateless_apply``; ``optimizers`` the classes with Keras's names and defaults; ``lbfgs`` the one method that needs the
whole loss and not only a gradient.
"""

from backlight.messages import MESSAGES
from backlight.optim import schedules
from backlight.optim.clipping import clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from backlight.optim.lbfgs import LBFGS, Minimum, minimize
from backlight.optim.optimizer import Optimizer
from backlight.optim.optimizers import (
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    deserialize,
    get,
    serialize,
)
from backlight.optim.rules import RULES, transformation
from backlight.optim.texts import TEXTS

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "RULES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lamb",
    "Lion",
    "Minimum",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "deserialize",
    "get",
    "global_norm",
    "minimize",
    "schedules",
    "serialize",
    "transformation",
]

MESSAGES.update(TEXTS)
