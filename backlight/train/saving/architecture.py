"""What a model is made of, as plain data, and a model made again from it, with weights that are still to be filled in.

    {"class_name": "Sequential", "config": {…}, "layers": {path: …}, "not_trainable": [path, …]}

``layers`` says what a configuration does not: for which shapes a layer was built, and whether it is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from backlight.errors import StateError, message
from backlight.nn import layers as layer_names
from backlight.nn.layer import Layer, current
from backlight.nn.losses.common import here
from backlight.train.saving.container import reason_of
from backlight.train.saving.paths import layers_by_path, places, variables_by_path
from backlight.train.saving.plain import Malformed, written

__all__ = ["described_model", "made_model"]

LONGEST_AXIS = 1 << 40


# -- Writing down ----------------------------------------------------------------------------------------------------


def described_model(model: Layer) -> dict[str, Any]:
    """The model as plain data.

    Raises ``StateError`` that names the layer which has no such form.
    """
    try:
        described = layer_names.serialize(model)
        written(described)
    except Exception as error:
        raise _culprit(model, error) from error
    layers: dict[str, Any] = {}
    for path, layer in layers_by_path(model).items():
        notes: dict[str, Any] = {} if layer._built_for is None else {"built_for": layer._built_for}
        if not layer._trainable:
            notes["trainable"] = False
        if notes:
            layers[path] = notes
    frozen = [path for path, variable in variables_by_path(model).items() if not variable.trainable]
    return {**described, "layers": layers, "not_trainable": frozen}


def _culprit(model: Layer, error: Exception) -> StateError:
    """The error that names the innermost layer that cannot be written down."""
    for layer in reversed(model._flatten_layers()):
        try:
            written(layer_names.serialize(layer))
        except Exception as reason:
            facts = {"layer": layer.name, "kind": type(layer).__name__, "reason": reason_of(reason)}
            return StateError(message("state_layer", here(), **facts))
    facts = {"layer": model.name, "kind": type(model).__name__, "reason": reason_of(error)}
    return StateError(message("state_layer", here(), **facts))


# -- Making again ----------------------------------------------------------------------------------------------------


def made_model(described: Mapping[str, Any], custom_objects: Mapping[str, Any], room: int) -> Any:
    """The model that was written down, its weights zeros that take up no more than about ``room`` bytes.

    Raises ``Malformed`` for what describes no model; whatever a class raises that cannot be made.
    """
    notes, frozen = described.get("layers"), described.get("not_trainable")
    if not isinstance(notes, dict) or not isinstance(frozen, list):
        raise Malformed("layers", message("state_form", came=f"{notes!r} {frozen!r}"[:80]))
    with _roomy(room):
        model = layer_names.deserialize({key: described.get(key) for key in ("class_name", "config")}, custom_objects)
        for path, layer in places(model):  # what is built on the way is found on the way
            if isinstance(layer, Layer) and path in notes:
                _restore(layer, path, notes[path])
    unknown = [path for path in notes if path not in layers_by_path(model)]
    if unknown:
        raise Malformed(f"layers.{unknown[0]}"[:200], message("state_no_layer"))
    for path, variable in variables_by_path(model).items():
        variable.trainable = path not in frozen
    return model


def _restore(layer: Layer, path: str, notes: Any) -> None:
    place = f"layers.{path}"[:200]
    if not isinstance(notes, dict) or not set(notes) <= {"built_for", "trainable"}:
        raise Malformed(place, message("state_form", came=repr(notes)[:80]))
    if "built_for" in notes:
        shapes = _shapes(notes["built_for"], f"{place}.built_for")
        if not isinstance(shapes, dict):
            raise Malformed(place, message("state_form", came=repr(notes)[:80]))
        if not layer.built:
            layer._build(shapes)
        layer._built_for = shapes
    layer._trainable = bool(notes.get("trainable", True))


def _shapes(tree: Any, place: str) -> Any:
    """Shapes as ``build`` takes them: a list of numbers is one shape."""
    if isinstance(tree, dict):
        return {name: _shapes(each, place) for name, each in tree.items()}
    if isinstance(tree, list) and all(n is None or (type(n) is int and 0 <= n < LONGEST_AXIS) for n in tree):
        return tuple(tree)
    if isinstance(tree, list) and all(isinstance(each, list | dict) for each in tree):
        return [_shapes(each, place) for each in tree]
    raise Malformed(place, message("state_shape", came=repr(tree)[:80]))


@contextmanager
def _roomy(room: int) -> Iterator[None]:
    """New weights are zeros, and no more than fit into ``room`` bytes: a file cannot ask for more than it holds."""
    left = 2 * room + (1 << 16)  # some layers make weights that others take the place of

    def zeros(shape: tuple[int, ...], dtype: Any) -> Any:
        nonlocal left
        left -= math.prod(shape) * dtype.itemsize
        if left < 0:
            raise Malformed("", message("state_room", shape=shape, most=room))
        return np.zeros(shape, dtype)

    before: Callable[..., Any] | None = current.first_weight
    current.first_weight = zeros
    try:
        yield
    finally:
        current.first_weight = before
