"""Callbacks by name: an allow-list of those that can be written down as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backlight.nn.lookup import Names, snake
from backlight.train.callbacks.base import Callback
from backlight.train.callbacks.checkpoint import ModelCheckpoint
from backlight.train.callbacks.csv_logger import CSVLogger
from backlight.train.callbacks.history import History
from backlight.train.callbacks.progress import ProgressBar
from backlight.train.callbacks.rates import ReduceLROnPlateau
from backlight.train.callbacks.stopping import EarlyStopping, TerminateOnNaN
from backlight.train.callbacks.tensorboard import TensorBoard

__all__ = ["deserialize", "get", "serialize"]

_CLASSES = (
    CSVLogger,
    EarlyStopping,
    History,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
_ALIASES = {
    **{snake(each.__name__): each.__name__ for each in _CLASSES},
    "csv_logger": "CSVLogger",
    "reduce_lr_on_plateau": "ReduceLROnPlateau",
    "tensorboard": "TensorBoard",
    "terminate_on_nan": "TerminateOnNaN",
    "ProgbarLogger": "ProgressBar",
}
NAMES = Names("kind_callback", {each.__name__: each for each in _CLASSES}, _ALIASES)


def get(identifier: Any) -> Any:
    """A name, a configuration, a class or an object -> a callback.

    >>> get("terminate_on_nan"), get({"class_name": "EarlyStopping", "config": {"patience": 3}}).patience
    (TerminateOnNaN(raise_error=False), 3)

    Raises ``ArgumentError`` for a name that is not known, something that is no callback, and a class that needs
    arguments.
    """
    if isinstance(identifier, type) and issubclass(identifier, Callback):
        return NAMES.get(identifier)
    if hasattr(identifier, "set_model") and hasattr(identifier, "on_epoch_end"):
        return identifier
    if isinstance(identifier, str | Mapping):
        return NAMES.get(identifier)
    raise NAMES.unknown(f"{type(identifier).__name__} {identifier!r}")


def serialize(callback: Any) -> Any:
    """Class and configuration of a callback, as data; what it has seen is not part of it.

    >>> serialize(get("terminate_on_nan"))
    {'class_name': 'TerminateOnNaN', 'config': {'raise_error': False}}

    Raises ``ArgumentError`` for a callback that is a function's, which is not data.
    """
    if not hasattr(callback, "get_config"):
        raise NAMES.unknown(f"{type(callback).__name__} {callback!r}")
    return NAMES.serialize(callback)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What ``serialize`` wrote, made again; a class of the user's is looked up in ``custom_objects``.

    >>> deserialize(serialize(get("terminate_on_nan")))
    TerminateOnNaN(raise_error=False)
    """
    return NAMES.deserialize(config, custom_objects)
