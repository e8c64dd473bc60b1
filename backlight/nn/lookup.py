"""Things that people call by name: the table behind every ``get``, ``serialize`` and ``deserialize``.

A table is an allow-list: a name in a file can only lead to what stands in it, or to what the caller hands over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any, ClassVar

from backlight.errors import ArgumentError, message
from backlight.trace import user_source

__all__ = ["Configured", "Names", "snake"]


def snake(name: str) -> str:
    """The name of a class in small letters, with _ between its words; several capitals in a row are one word.

    >>> snake("MeanSquaredError"), snake("Conv2DTranspose"), snake("RMSNormalization")
    ('mean_squared_error', 'conv2d_transpose', 'rms_normalization')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


class Configured:
    """Something that can be written down as ``{"class_name": …, "config": …}`` and made again from it.

    ``_config`` names the attributes that the constructor takes; two objects of one class with equal configurations
    are the same mapping.

    >>> class Scale(Configured):
    ...     _config = ("factor",)
    ...     def __init__(self, factor=2.0):
    ...         self.factor = factor
    >>> Scale(3.0), Scale.from_config({"factor": 3.0}).get_config()
    (Scale(factor=3.0), {'factor': 3.0})
    """

    _config: ClassVar[tuple[str, ...]] = ()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again."""
        return {name: getattr(self, name) for name in self._config}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The object that these arguments make."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"


class Names:
    """Functions and classes of one ``kind`` (a key of the catalogue) by name, with other ``aliases`` for some.

    >>> names = Names("kind_activation", {"double": abs})
    >>> names.get("double") is abs, names.serialize(abs)
    (True, 'double')
    """

    def __init__(self, kind: str, things: Mapping[str, Any], aliases: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.things = dict(things)
        self.aliases = dict(aliases or {})

    def find(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """What stands under ``name``; raises ``ArgumentError`` for a name that is not known."""
        if custom_objects and name in custom_objects:
            return custom_objects[name]
        known = self.things.get(self.aliases.get(name, name))
        if known is None:
            raise self.unknown(repr(name), name)
        return known

    def get(self, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """A name, a configuration, a class or an object -> something to call; ``None`` stays ``None``.

        Raises ``ArgumentError`` for anything else.
        """
        if identifier is None:
            return None
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier, custom_objects)
        found = self.find(identifier, custom_objects) if isinstance(identifier, str) else identifier
        if isinstance(found, type):
            return self._made(found, {})
        if not callable(found):
            raise self.unknown(f"{type(found).__name__} {found!r}")
        return found

    def serialize(self, thing: Any) -> Any:
        """The name of a function of the table; class and configuration of an object."""
        if hasattr(thing, "get_config"):
            return {"class_name": type(thing).__name__, "config": thing.get_config()}
        for name, known in self.things.items():
            if known is thing:
                return name
        return thing.__name__

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """What ``serialize`` wrote, made again; names outside the table are looked up in ``custom_objects`` alone."""
        if not isinstance(config, Mapping):
            return self.get(config, custom_objects)
        name, inside = config.get("class_name"), config.get("config")
        if name == "function" and isinstance(inside, str):  # as Keras writes a function
            return self.get(inside, custom_objects)
        if not isinstance(name, str) or not isinstance(inside, Mapping):
            raise self.unknown(repr(dict(config)))
        found = self.find(name, custom_objects)
        return self._made(found, inside, custom_objects) if isinstance(found, type) else found

    def _made(self, kind: Any, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        make: Any = getattr(kind, "from_config", lambda arguments: kind(**arguments))
        nested = "custom_objects" in signature(make).parameters
        try:
            return make(config, custom_objects=custom_objects) if nested else make(config)
        except TypeError as error:
            here = str(user_source() or "")
            name = getattr(kind, "__name__", str(kind))
            raise ArgumentError(
                message("lookup_arguments", here, name=name, config=dict(config), reason=error)
            ) from None

    def unknown(self, came: str, name: str = "") -> ArgumentError:
        """The error that what ``came`` is not in the table, with the names that are close to ``name``."""
        names = sorted({*self.things, *self.aliases})
        close = get_close_matches(name, names, 3) or get_close_matches(name.lower(), names, 3)
        fix = message("lookup_close", names=", ".join(map(repr, close))) if close else ""
        known = ", ".join(name for name in names if name.islower())
        facts = {"kind": message(self.kind), "came": came, "names": known, "fix": fix}
        return ArgumentError(message("lookup_unknown", str(user_source() or ""), **facts))
