"""Layers by name, and the table in which a saved model's layers are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backlight.nn.layer import InputSpec, Layer, SeedGenerator
from backlight.nn.layers import (
    attention,
    augmentation,
    cells,
    convolution,
    core,
    embedding,
    merging,
    normalization,
    operation,
    pooling,
    preprocessing,
    recurrent,
    resizing,
)
from backlight.nn.layers.attention import *  # noqa: F403
from backlight.nn.layers.augmentation import *  # noqa: F403
from backlight.nn.layers.cells import *  # noqa: F403
from backlight.nn.layers.convolution import *  # noqa: F403
from backlight.nn.layers.core import *  # noqa: F403
from backlight.nn.layers.embedding import *  # noqa: F403
from backlight.nn.layers.merging import *  # noqa: F403
from backlight.nn.layers.normalization import *  # noqa: F403
from backlight.nn.layers.operation import *  # noqa: F403
from backlight.nn.layers.pooling import *  # noqa: F403
from backlight.nn.layers.preprocessing import *  # noqa: F403
from backlight.nn.layers.recurrent import *  # noqa: F403
from backlight.nn.layers.resizing import *  # noqa: F403
from backlight.nn.lookup import Names

FAMILIES = (
    core, convolution, pooling, resizing, normalization, embedding, cells, recurrent, attention, merging,
    augmentation, preprocessing, operation,
)  # fmt: skip

LAYERS: dict[str, type[Layer]] = {
    name: thing
    for family in FAMILIES
    for name, thing in vars(family).items()
    if name in family.__all__ and isinstance(thing, type) and issubclass(thing, Layer)
}
"""The layers that can be looked up by name."""

NAMES = Names("kind_layer", LAYERS)

__all__ = ["InputSpec", "Layer", "SeedGenerator", "deserialize", "serialize"]
__all__ += [name for family in FAMILIES for name in family.__all__ if name[0].isupper()]
__all__ += [name for name in merging.__all__ if name.islower()]


def serialize(layer: Layer) -> dict[str, Any]:
    """Class and configuration of a layer, as plain data.

    >>> serialize(core.InputLayer((3,)))["class_name"]
    'InputLayer'
    """
    config: dict[str, Any] = NAMES.serialize(layer)
    return config


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The layer that ``serialize`` wrote down; a class of the user's is looked up in ``custom_objects``.

    >>> deserialize({"class_name": "Dense", "config": {"units": 3, "name": "d"}})
    <Dense d, not built>

    Raises ``ArgumentError`` for a name that is not known.
    """
    layer: Layer = NAMES.deserialize(config, custom_objects)
    return layer
