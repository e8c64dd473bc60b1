"""Where in a model a variable is, as a path that the next process finds again: ``encoder/blocks/0/dense/kernel``.

A layer of a network is called by its name, where nobody chose one (``dense_7``) by its kind and its number in that
network (``dense``, ``dense_1``). Everything else is called by the attribute it stands in. Two things of one path in
one place get numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from backlight.nn.layer import Layer, Remembered
from backlight.nn.lookup import snake
from backlight.variable import Variable

__all__ = [
    "Place",
    "layers_by_path",
    "names_by_path",
    "owner_of",
    "places",
    "unique",
    "variables_by_path",
    "weights_by_path",
]

MEMBERS = "_members/"  # the layers of a network, which have names that somebody chose
Place = tuple[str, Any]


def unique(name: str, taken: set[str]) -> str:
    """The name, or with the next number that is free; it is taken from then on.

    >>> taken = {"a"}
    >>> unique("a", taken), unique("a", taken), unique("b", taken)
    ('a_1', 'a_2', 'b')
    """
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def places(layer: Layer, path: str = "") -> Iterator[Place]:
    """Every layer, variable and remembered state inside, each once and with its path, from the outside in.

    What is built while this goes on is found too.
    """
    yield from _places(layer, path, set())


def _places(layer: Layer, path: str, seen: set[int]) -> Iterator[Place]:
    seen.add(id(layer))
    yield path, layer
    taken: set[str] = set()
    for place, part in list(layer._own_by_place()):
        name = unique(_name(place, part), taken)
        if id(part) in seen:
            continue
        inside = f"{path}/{name}" if path else name
        if isinstance(part, Layer):
            yield from _places(part, inside, seen)
        else:
            seen.add(id(part))
            yield inside, part


def _name(place: str, part: Any) -> str:
    if not place.startswith(MEMBERS):
        return place.lstrip("_")
    kind = snake(type(part).__name__)
    return kind if re.fullmatch(rf"{re.escape(kind)}(_\d+)?", part.name) else str(part.name)


def owner_of(path: str, layers: Collection[str]) -> str:
    """The path of the layer that something belongs to, among those of all layers.

    >>> owner_of("blocks/0/kernel", ["", "blocks/0"]), owner_of("blocks/0", ["", "blocks/0"])
    ('blocks/0', '')
    """
    while path:
        path = path.rpartition("/")[0]
        if path in layers:
            return path
    return ""


def layers_by_path(model: Layer) -> dict[str, Layer]:
    """Every layer inside a model, and the model itself under ``""``."""
    return {path: part for path, part in places(model) if isinstance(part, Layer)}


def variables_by_path(model: Layer) -> dict[str, Variable]:
    """Every variable of a model: weights, and what layers remember from call to call."""
    found = {path: part.state if isinstance(part, Remembered) else part for path, part in places(model)}
    return {path: part for path, part in found.items() if isinstance(part, Variable)}


def weights_by_path(model: Layer) -> dict[str, Variable]:
    """The variables that make up the mapping: ``model.weights``.

    >>> from backlight.nn.layers import Dense
    >>> from backlight.train.model import Sequential
    >>> list(weights_by_path(Sequential([Dense(2, input_shape=(3,)), Dense(1, name="last")])))
    ['dense/kernel', 'dense/bias', 'last/kernel', 'last/bias']
    """
    return {path: part for path, part in places(model) if isinstance(part, Variable)}


def names_by_path(model: Layer) -> dict[str, str]:
    """For every weight, the path that Keras would give it: the names of the layers around it, and its own.

    >>> from backlight.nn.layers import LSTM
    >>> from backlight.train.model import Sequential
    >>> model = Sequential([LSTM(2, name="walk", input_shape=(None, 3))])
    >>> names_by_path(model)["walk/cell/kernel"]
    'walk/lstm_cell/kernel'
    """
    found, around = {}, {"": ""}
    for path, part in places(model):
        outer = around[owner_of(path, around)]
        if isinstance(part, Layer) and path:
            inside = outer and not part.name.startswith(f"{outer}/")
            around[path] = f"{outer}/{part.name}" if inside else part.name
        elif isinstance(part, Variable):
            own = part.path.rpartition("/")[2]
            found[path] = f"{outer}/{own}" if outer else own
    return found
