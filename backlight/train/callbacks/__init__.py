"""Callbacks: what is told how training goes, and may act on it. Names, options and decisions are Keras's.

>>> from backlight.train import callbacks
>>> stopping = callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
>>> callbacks.needs_batches([stopping])
False
"""

from __future__ import annotations

from backlight.messages import MESSAGES
from backlight.train.callbacks.base import Callback, LambdaCallback
from backlight.train.callbacks.callback_list import CallbackList, batch_interval, needs_batches
from backlight.train.callbacks.checkpoint import ModelCheckpoint
from backlight.train.callbacks.csv_logger import CSVLogger
from backlight.train.callbacks.history import History
from backlight.train.callbacks.names import deserialize, get, serialize
from backlight.train.callbacks.progress import ProgressBar
from backlight.train.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau
from backlight.train.callbacks.stopping import EarlyStopping, TerminateOnNaN
from backlight.train.callbacks.tensorboard import TensorBoard
from backlight.train.callbacks.texts import TEXTS

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "batch_interval",
    "deserialize",
    "get",
    "needs_batches",
    "serialize",
]

ProgbarLogger = ProgressBar  # Keras's name

MESSAGES.update(TEXTS)
