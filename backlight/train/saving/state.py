"""A model with all that its training depends on, as one file: ``save`` and ``load``. The format is in docs/state.md.

What is saved can be loaded: a model that is saved for the first time is made again from what was written down of it,
and compared. What is loaded is checked as a whole before any number of it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from backlight.errors import StateError, message
from backlight.nn.lookup import custom_object_scope, in_scope, name_of, naming
from backlight.nn.losses.common import here
from backlight.train.saving.architecture import described_model, made_model
from backlight.train.saving.container import Stored, bad, reason_of, stored, write
from backlight.train.saving.matching import assign, differences, listed
from backlight.train.saving.paths import variables_by_path
from backlight.train.saving.plain import Malformed, read_plain, written
from backlight.train.saving.training import checked_position, compiled_again, described_training, training_variables
from backlight.train.trainer import Trainer
from backlight.variable import Variable

__all__ = ["load", "save"]

FORMAT, VERSION = "backlight.state", "1"
PARTS = ("model", "training", "position")
"""What the metadata of a state hold, each as JSON; ``training`` and ``position`` of compiled models."""


def save(model: Any, path: Any, overwrite: bool = True) -> None:
    """Write the model to ``path``; ``model.save`` says more.

    Raises ``StateError`` where the model has no plain form, or the file cannot be written.
    """
    target = Path(os.fspath(path))
    if not overwrite and target.exists():
        raise StateError(message("state_exists", here(), file=target))
    found = _variables(model)
    try:
        with naming() as named:
            parts: dict[str, Any] = {"model": described_model(model)}
            if model.compiled:
                parts["training"] = described_training(model)
        custom = _customs(named)
        texts = {part: written(described, part) for part, described in parts.items()}
        texts["custom"] = written(sorted(custom))
        if model.compiled:
            texts["position"] = written(model.position.plain(), "position")
    except Malformed as error:
        raise StateError(message("state_unwritten", here(), model=model.name, reason=error)) from None
    _rehearse(model, parts, custom, found)
    metadata = {"format": FORMAT, "version": VERSION, **texts}
    write(target, {name: variable.value for name, variable in found.items()}, metadata)


def _customs(named: Iterable[Any]) -> dict[str, Any]:
    """The user's classes and functions among what has been named, which whoever loads the model has to bring along.

    Raises ``Malformed`` where one name stands for two of them.
    """
    custom: dict[str, Any] = {}
    for thing in named:
        origin = thing if isinstance(thing, type) or not hasattr(thing, "get_config") else type(thing)
        if str(getattr(origin, "__module__", "")).split(".")[0] == "backlight":
            continue
        name = name_of(origin)
        if custom.setdefault(name, origin) is not origin:
            raise Malformed("", message("state_two", name=name))
    return custom


def _variables(model: Any) -> dict[str, Variable]:
    found = {f"model/{path}": variable for path, variable in variables_by_path(model).items()}
    return found | training_variables(model) if model.compiled else found


def _rehearse(model: Any, parts: Mapping[str, Any], custom: Mapping[str, Any], found: Mapping[str, Variable]) -> None:
    """See whether what was written down makes such a model again; once for a model that stays as it is."""
    key = written({**parts, "variables": {name: [str(v.dtype), v.shape] for name, v in found.items()}})
    if "training" in parts:
        rate = written(parts["training"]["optimizer"]["config"].get("learning_rate"))
        key = key.replace(f'"learning_rate":{rate}', "")  # a number among those that are restored
    if model.__dict__.get("_rehearsed") == key:
        return
    facts = {"model": model.name, "kind": type(model).__name__}
    try:
        read = {part: read_plain(written(described)) for part, described in parts.items()}
        again = _made(read, custom, sum(variable.nbytes for variable in found.values()))
        wrong = differences(_variables(again), found, {}, exact=True)
    except Exception as error:
        raise StateError(message("state_unmakeable", here(), reason=reason_of(error), **facts)) from error
    if wrong:
        raise StateError(message("state_unmakeable", here(), reason="\n" + listed(wrong), **facts))
    model._rehearsed = key


def _made(parts: Mapping[str, Any], custom_objects: Mapping[str, Any], room: int) -> Any:
    with custom_object_scope(custom_objects):
        model = made_model(parts["model"], custom_objects, room)
        if "training" in parts:
            compiled_again(model, parts["training"], custom_objects)
    return model


def load(path: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Any:
    """The model that ``model.save`` wrote: architecture, weights, and where its training stands.

    ``custom_objects`` are the classes and functions of your own that it is made of, by name; names lead to these and
    to Backlight's own alone, and no code is in the file. With ``compile=False`` the training is left out.
    ``model.fit(…, resume=True)`` goes on as if it had never been interrupted; ``model.history`` holds what has been.

    >>> import os, tempfile
    >>> import numpy as np
    >>> from backlight import keras, load
    >>> model = keras.Sequential([keras.layers.Dense(1, input_shape=(2,), kernel_initializer="ones")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "model.safetensors"))
    ...     again = load(os.path.join(folder, "model.safetensors"))
    >>> again.predict(np.ones((1, 2)), verbose=0)
    array([[2.]], dtype=float32)

    Raises ``StateError`` for a file that is missing, damaged, no saved model, or made of things that are not known.
    """
    file = stored(path)
    _check_format(file)
    custom = {**in_scope(), **(custom_objects or {})}
    parts = _parts(file, ("model", "training", "position") if compile else ("model",))
    names = _part(file, "custom")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad(file.path, "__metadata__.custom", message("state_form", came=repr(names)[:80]))
    model = _made_from(file, parts, custom, names)
    variables = _variables(model)
    arrays = file.arrays if compile else {k: v for k, v in file.arrays.items() if k.startswith("model/")}
    wrong = differences(variables, arrays, {}, exact=True)
    if wrong:
        raise bad(file.path, message("state_data"), "\n" + listed(wrong))
    assign(variables, arrays)
    if "position" in parts and model.compiled:
        try:
            model.position = checked_position(parts["position"])
        except Malformed as error:
            raise bad(file.path, "__metadata__.position", str(error)) from None
    return model


def _check_format(file: Stored) -> None:
    came = file.metadata.get("format")
    if came != FORMAT:
        raise bad(file.path, "__metadata__.format", message("state_format", came=repr(came)[:40]))
    version = file.metadata.get("version", "")
    if version != VERSION:
        raise bad(file.path, "__metadata__.version", message("state_version", came=version[:40], known=VERSION))


def _parts(file: Stored, wanted: tuple[str, ...]) -> dict[str, Any]:
    found = {part: _part(file, part) for part in wanted if part == "model" or part in file.metadata}
    for part, described in found.items():
        if not isinstance(described, dict):
            raise bad(file.path, f"__metadata__.{part}", message("state_form", came=repr(described)[:80]))
    return found


def _part(file: Stored, part: str) -> Any:
    try:
        return read_plain(file.metadata.get(part, ""))
    except Malformed as error:
        raise bad(file.path, f"__metadata__.{part}", str(error)) from None


def _made_from(file: Stored, parts: Mapping[str, Any], custom: Mapping[str, Any], names: list[str]) -> Any:
    missing = [name for name in names if name not in custom]
    if missing:
        raise StateError(message("state_custom", here(), file=file.path, names=", ".join(missing)))
    room = sum(array.nbytes for name, array in file.arrays.items() if name.startswith("model/"))
    try:
        model = _made(parts, custom, room)
    except Exception as error:
        raise bad(file.path, "__metadata__", reason_of(error)) from error
    if not isinstance(model, Trainer):
        raise bad(file.path, "__metadata__.model", message("state_no_model", came=type(model).__name__))
    return model
