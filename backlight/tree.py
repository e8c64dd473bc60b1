"""Nested parameters (dict, list, tuple, named tuple, dataclass, None) <-> flat leaves.

A ``Structure`` says how the leaves were nested; dictionaries are walked in insertion order, as the user wrote them.
Trees that belong together, such as parameters and their gradients, are matched by key and not by that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import ArgumentError, message

__all__ = ["Structure", "flatten", "flatten_like", "leaves_of", "tree_map", "unflatten"]


class Structure(NamedTuple):
    """One level of nesting: ``kind`` is ``leaf``, ``none``, ``fixed``, or the container's type; ``keys`` name members.

    ``extra`` is what else the container needs to be made again: the factory of a ``defaultdict``, the value of a
    ``fixed`` member, which is kept as it is.
    """

    kind: Any
    keys: tuple[Any, ...] = ()
    members: tuple[Structure, ...] = ()
    extra: Any = None

    @property
    def leaves(self) -> int:
        """How many leaves there are."""
        return 1 if self.kind == "leaf" else sum(member.leaves for member in self.members)


LEAF = Structure("leaf")
NONE = Structure("none")


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves from left to right, and the structure that puts them back together.

    >>> leaves, structure = flatten({"w": 1.0, "layers": [2.0, (3.0, None)]})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> unflatten(structure, [10 * leaf for leaf in leaves])
    {'w': 10.0, 'layers': [20.0, (30.0, None)]}
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    kind = type(tree)
    if kind is np.ndarray:  # by far the most frequent leaf
        leaves.append(tree)
        return LEAF
    if tree is None:
        return NONE
    if kind is tuple or kind is list or isinstance(tree, list | tuple):
        return Structure(kind, (), tuple([_flatten(member, leaves) for member in tree]))
    if kind is dict or isinstance(tree, dict):
        members = tuple([_flatten(member, leaves) for member in tree.values()])
        return Structure(kind, tuple(tree), members, getattr(tree, "default_factory", None))
    if is_dataclass(tree) and not isinstance(tree, type):
        present = [field for field in fields(tree) if field.init or hasattr(tree, field.name)]
        members = tuple(_flatten_field(getattr(tree, field.name), field.init, leaves) for field in present)
        return Structure(kind, tuple(field.name for field in present), members)
    leaves.append(tree)
    return LEAF


class _Fixed(NamedTuple):
    """A value that is compared as the object it is, so that a ``Structure`` can be compared whatever it holds."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fixed) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _flatten_field(value: Any, parameter: bool, leaves: list[Any]) -> Structure:
    """A field of a dataclass; what its constructor does not take is a parameter only where it can have a gradient."""
    if parameter:
        return _flatten(value, leaves)
    inside: list[Any] = []
    structure = _flatten(value, inside)
    if not all(getattr(getattr(leaf, "dtype", None), "kind", "") in ("f", "c") for leaf in inside):
        return Structure("fixed", extra=_Fixed(value))
    leaves += inside
    return structure


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The nested value with these leaves, in the containers they came from."""
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Structure, leaves: Iterator[Any]) -> Any:
    kind = structure.kind
    if kind == "leaf":
        return next(leaves)
    if kind == "none":
        return None
    if kind == "fixed":
        return structure.extra.value
    members = [_unflatten(member, leaves) for member in structure.members]
    if issubclass(kind, dict):
        made = kind.__new__(kind)
        if structure.extra is not None:
            made.default_factory = structure.extra
        for key, member in zip(structure.keys, members, strict=True):
            made[key] = member
        return made
    if is_dataclass(kind):
        # Without its constructor, which may check or convert what it is given, and has run on these values before.
        made = object.__new__(structure.kind)
        for key, member in zip(structure.keys, members, strict=True):
            object.__setattr__(made, key, member)
        return made
    return kind._make(members) if hasattr(kind, "_make") else kind(members)


def leaves_of(tree: Any, structure: Structure | None) -> list[Any] | None:
    """The leaves of ``tree``, or nothing where it is not nested in tuples, lists and dictionaries just like this.

    Quicker than ``flatten``, and less thorough: what stands where a leaf did counts as a leaf.

    >>> leaves_of({"w": 1.0, "b": [2.0, None]}, flatten({"w": 0.0, "b": [0.0, None]})[1])
    [1.0, 2.0]
    """
    leaves: list[Any] = []
    return leaves if structure is not None and _collected(tree, structure, leaves) else None


def _collected(tree: Any, structure: Structure, leaves: list[Any]) -> bool:
    kind, keys, members, _ = structure
    if type(tree) is not kind or len(tree) != len(members):
        return False
    if kind is dict:
        if tuple(tree) != keys:
            return False
        tree = tree.values()
    elif kind is not tuple and kind is not list:
        return False
    for part, member in zip(tree, members, strict=True):
        if member is LEAF:
            leaves.append(part)
        elif not (part is None if member is NONE else _collected(part, member, leaves)):
            return False
    return True


def flatten_like(tree: Any, structure: Structure, what: str, where: str = "") -> list[Any]:
    """The leaves of ``tree`` in the order of ``structure``: dictionaries are matched by key, lists and tuples by place.

    Raises ``ArgumentError``, which calls the tree ``what``, when it is nested differently.

    >>> flatten_like({"b": 2.0, "w": [1.0]}, flatten({"w": (0.0,), "b": 0.0})[1], "gradients")
    [1.0, 2.0]
    """
    leaves: list[Any] = []
    if not _matched(tree, structure, leaves):
        came = len(flatten(tree)[0])
        raise ArgumentError(message("tree_mismatch", where, what=what, count=structure.leaves, came=came))
    return leaves


def _matched(tree: Any, structure: Structure, leaves: list[Any]) -> bool:
    kind, keys, members = structure[:3]
    if kind == "leaf":
        leaves.append(tree)
        return _flatten(tree, []) is LEAF
    if kind == "none":
        return tree is None
    if kind == "fixed":
        return True
    if issubclass(kind, dict):
        if not isinstance(tree, dict) or tree.keys() != set(keys):
            return False
        inside = [tree[key] for key in keys]
    elif is_dataclass(kind):
        if type(tree) is not kind:
            return False
        inside = [getattr(tree, key) for key in keys]
    else:
        if not isinstance(tree, list | tuple) or len(tree) != len(members):
            return False
        inside = list(tree)
    return all(_matched(part, member, leaves) for part, member in zip(inside, members, strict=True))


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply ``function`` to every leaf of ``tree`` (and the corresponding leaves of ``others``).

    >>> tree_map(lambda w, g: w - 0.1 * g, {"w": 1.0}, {"w": 5.0})
    {'w': 0.5}

    Raises ``ArgumentError`` when one of ``others`` is nested differently.
    """
    leaves, structure = flatten(tree)
    columns = [flatten_like(other, structure, f"tree {k}") for k, other in enumerate(others, 2)]
    return unflatten(structure, [function(*row) for row in zip(leaves, *columns, strict=True)])
