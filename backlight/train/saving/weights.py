"""Weights alone, in and out of plain safetensors files, Backlight's or anybody's: ``save_weights``, ``load_weights``.

Which array goes where is settled for all of them, and told for all of them, before the first is assigned.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, StateError, TrainingWarning, message
from backlight.nn.losses.common import here
from backlight.refusal import warn
from backlight.train.saving.container import Stored, bad, stored, write
from backlight.train.saving.foreign import READY, Arranged
from backlight.train.saving.matching import assign, differences, listed
from backlight.train.saving.paths import layers_by_path, owner_of, variables_by_path, weights_by_path

__all__ = ["load_weights", "save_weights"]

VERSION = "1"
IN_STATE = "model/"  # what the weights' names begin with in a file that holds a whole state


def save_weights(model: Any, path: Any, overwrite: bool = True) -> None:
    """Write the weights to ``path`` by their places in the model; ``model.save_weights`` says more.

    Raises ``StateError``.
    """
    target, weights = Path(os.fspath(path)), weights_by_path(model)
    if not overwrite and target.exists():
        raise StateError(message("state_exists", here(), file=target))
    if not weights:
        raise StateError(message("state_empty", here(), model=model.name))
    metadata = {"format": "backlight.weights", "version": VERSION}
    write(target, {name: variable.value for name, variable in weights.items()}, metadata)


def load_weights(model: Any, path: Any, name_map: Any = None, skip_mismatch: bool = False) -> None:
    """Assign the arrays of a file to the weights of their places; ``model.load_weights`` says more.

    Raises ``StateError``, ``ArgumentError``.
    """
    file, weights = stored(path), weights_by_path(model)
    if not weights:
        raise StateError(message("state_empty", here(), model=model.name))
    arrays = _arranged(model, file, name_map)
    wrong = differences(weights, arrays, _owners(model, weights), exact=False)
    if wrong and not skip_mismatch:
        raise StateError(message("state_mismatch", here(), file=file.path, model=model.name, lines=listed(wrong)))
    assign(weights, {name: array for name, array in arrays.items() if name not in wrong})
    if wrong:
        warn(message("state_skipped", file=file.path, lines=listed(wrong)), TrainingWarning)


def _owners(model: Any, weights: Iterable[str]) -> dict[str, str]:
    """The layer, by its name and kind, that each weight belongs to."""
    layers = layers_by_path(model)
    found = {}
    for path in weights:
        layer = layers[owner_of(path, layers)]
        found[path] = message("state_owner", layer=layer.name, kind=type(layer).__name__)
    return found


def _arranged(model: Any, file: Stored, name_map: Any) -> dict[str, Any]:
    """The arrays by the places in the model that they are for."""
    arrays: dict[str, Any] = dict(file.arrays)
    if file.metadata.get("format") == "backlight.state":
        others = set(variables_by_path(model)) - set(weights_by_path(model))
        inside = {k.removeprefix(IN_STATE): v for k, v in arrays.items() if k.startswith(IN_STATE)}
        arrays = {name: array for name, array in inside.items() if name not in others}
    if name_map is None:
        return arrays
    if isinstance(name_map, str):
        if name_map not in READY:
            raise ArgumentError(message("state_map", here(), came=repr(name_map), names=", ".join(map(repr, READY))))
        name_map = READY[name_map]()
    if isinstance(name_map, Arranged):
        try:
            return name_map.arrange(model, arrays)
        except ValueError as error:
            raise bad(file.path, message("state_data"), str(error)) from None
    if not callable(name_map) and not isinstance(name_map, Mapping):
        raise ArgumentError(message("state_map", here(), came=repr(name_map)[:80], names=", ".join(map(repr, READY))))
    return _renamed(arrays, name_map)


def _renamed(arrays: Mapping[str, Any], name_map: Callable[[str], Any] | Mapping[str, Any]) -> dict[str, Any]:
    """The arrays by the names that a dictionary or a function gives for theirs; ``None`` leaves one out.

    ``(name, axes)`` names the axes of theirs in the order of ours, too.
    """
    found: dict[str, Any] = {}
    for theirs, array in arrays.items():
        ours = name_map.get(theirs, theirs) if isinstance(name_map, Mapping) else name_map(theirs)
        if ours is None:
            continue
        if isinstance(ours, tuple) and len(ours) == 2:
            ours, axes = ours
            if sorted(axes) != list(range(array.ndim)):
                facts = {"name": theirs, "axes": axes, "shape": tuple(array.shape)}
                raise ArgumentError(message("state_axes", here(), **facts))
            array = np.transpose(array, axes)
        if ours in found:
            raise ArgumentError(message("state_same", here(), name=ours, came=theirs))
        found[str(ours)] = array
    return found
