"""Nested parameters (dict, list, tuple, named tuple, dataclass, None) <-> flat leaves.

A ``Structure`` says how the leaves were nested; dictionaries are walked in insertion order, as the user wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Structure", "flatten", "tree_map", "unflatten"]


class Structure(NamedTuple):
    """One level of nesting: ``kind`` is ``leaf``, ``none``, or the container's type; ``keys`` name its members."""

    kind: Any
    keys: tuple[Any, ...] = ()
    members: tuple[Structure, ...] = ()

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
    if kind is dict or isinstance(tree, dict):
        return Structure(kind, tuple(tree), tuple(_flatten(member, leaves) for member in tree.values()))
    if kind is list or kind is tuple or isinstance(tree, list | tuple):
        return Structure(kind, (), tuple(_flatten(member, leaves) for member in tree))
    if is_dataclass(tree) and not isinstance(tree, type):
        keys = tuple(field.name for field in fields(tree) if field.init)
        return Structure(kind, keys, tuple(_flatten(getattr(tree, key), leaves) for key in keys))
    leaves.append(tree)
    return LEAF


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The nested value with these leaves, in the containers they came from."""
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Structure, leaves: Iterator[Any]) -> Any:
    kind = structure.kind
    if kind == "leaf":
        return next(leaves)
    if kind == "none":
        return None
    members = [_unflatten(member, leaves) for member in structure.members]
    if issubclass(kind, dict):
        return kind(zip(structure.keys, members, strict=True))
    if structure.keys:
        return kind(**dict(zip(structure.keys, members, strict=True)))
    return kind(*members) if hasattr(kind, "_fields") else kind(members)


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply ``function`` to every leaf of ``tree`` (and the corresponding leaves of ``others``).

    >>> tree_map(lambda w, g: w - 0.1 * g, {"w": 1.0}, {"w": 5.0})
    {'w': 0.5}
    """
    leaves, structure = flatten(tree)
    columns = [flatten(other)[0] for other in others]
    return unflatten(structure, [function(*row) for row in zip(leaves, *columns, strict=True)])
