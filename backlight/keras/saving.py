"""Models as files; whatever a path ends in, what is written is Backlight's safetensors file."""

from collections.abc import Mapping
from typing import Any

from backlight.nn.lookup import custom_object_scope

__all__ = ["custom_object_scope", "load_model", "save_model"]


def load_model(
    filepath: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """``backlight.load``: no file is ever read as code, so there is no mode that is less safe.

    Raises ``StateError``.
    """
    from backlight.train.saving import load

    return load(filepath, custom_objects, compile)


def save_model(model: Any, filepath: Any, overwrite: bool = True, **_: Any) -> None:
    """``model.save(filepath)``.

    Raises ``StateError``.
    """
    model.save(filepath, overwrite)
