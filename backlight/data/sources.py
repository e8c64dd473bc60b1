"""What batches can be made of: arrays, frames, collections of examples, streams of examples.

    arrays       a nesting of arrays (memory-mapped ones too) and of pandas or Polars frames; one length for all
    collection   an object with a length and numbered examples, such as a folder of images, or numbered batches
    stream       an iterable of examples or batches, or a function that makes one; read from front to back

A source hands out the examples of chosen numbers (``take``), or all in order (``stream``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.refusal import describe
from backlight.tree import Structure, flatten, unflatten

__all__ = ["Arrays", "Collection", "Stream", "plain_array", "source_of", "stacked"]

Indices = np.ndarray[Any, np.dtype[np.int64]]


def plain_array(data: Any) -> Any:
    """A frame of pandas or Polars as ``(n, columns)``, as Keras takes it, a series as ``(n,)``; anything else as it is.

    Neither library is imported: whatever has ``to_numpy``, or can become an array and is none, is asked for it. Of an
    Array of Backlight's the value is taken.

    Raises ``ArgumentError`` for a frame with columns that are not numbers.
    """
    if isinstance(data, Array):
        return data.value
    if not (hasattr(data, "to_numpy") or (hasattr(data, "__array__") and not hasattr(data, "shape"))):
        return data
    array = np.asarray(data if hasattr(data, "__array__") else data.to_numpy())
    if array.ndim > 1 and array.dtype.kind not in "biufc":
        kinds = {name: plain_array(data[name]).dtype for name in getattr(data, "columns", ())}
        others = ", ".join(f"{name!r}" for name, kind in kinds.items() if kind.kind not in "biufc")
        raise ArgumentError(message("batches_frame", columns=others or f"{array.dtype}"))
    return array


class Arrays:
    """Arrays of one length, nested as the user nested them."""

    def __init__(self, tree: Any) -> None:
        leaves, structure = flatten(tree)
        leaves = [plain_array(leaf) for leaf in leaves]
        for leaf in leaves:
            if not hasattr(leaf, "shape") or not hasattr(leaf, "__getitem__"):
                raise ArgumentError(message("batches_leaf", came=describe(leaf)))
            if not leaf.shape:
                raise ShapeError(message("batches_scalar", came=describe(leaf)))
        lengths = [int(leaf.shape[0]) for leaf in leaves]
        if len(set(lengths)) > 1:
            raise ShapeError(message("batches_lengths", shapes=", ".join(describe(leaf) for leaf in leaves)))
        self.leaves, self.structure = leaves, structure
        self.length = lengths[0] if lengths else 0

    def take(self, indices: Indices) -> Any:
        """The examples of these numbers, as arrays of the caller's own."""
        first, count = (int(indices[0]), len(indices)) if len(indices) else (0, 0)
        if count and indices[-1] - first == count - 1 and (np.diff(indices) == 1).all():
            rows: Any = slice(first, first + count)  # one piece of the file or memory, without an index per row
        else:
            rows = indices
        return unflatten(self.structure, [_own(leaf[rows], leaf) for leaf in self.leaves])


def _own(part: Any, whole: Any) -> Any:
    """``part`` as a plain array of its own memory, rows first and in native byte order: one layout for all plans."""
    copied = type(part) is np.ndarray and part.base is None and type(whole) in (np.ndarray, np.memmap)
    if copied and part.flags.c_contiguous and part.dtype.isnative:
        return part  # chosen rows are copies already
    made = np.array(part, order="C")
    return made if made.dtype.isnative else made.astype(made.dtype.newbyteorder("="))


class Collection:
    """Examples, or batches, that can be asked for by number."""

    def __init__(self, items: Any) -> None:
        self.items = items
        self.length = len(items)

    def take(self, indices: Indices) -> Any:
        """The examples of these numbers, stacked."""
        return stacked([self.item(index) for index in indices])

    def item(self, index: Any) -> Any:
        """What has this number, as it is."""
        return self.items[int(index)]


class Stream:
    """Examples one after the other; ``once`` where they can be read only once."""

    def __init__(self, items: Iterable[Any] | Callable[[], Iterable[Any]]) -> None:
        self.items = items
        self.once = isinstance(items, Iterator)
        self.length = _length(items)
        self.begun = False

    def stream(self) -> Iterator[Any]:
        """All examples, from the first."""
        if self.once and self.begun:
            raise ArgumentError(message("batches_once", came=type(self.items).__name__))
        self.begun = True
        made = self.items() if callable(self.items) else self.items
        if not isinstance(made, Iterable):
            raise ArgumentError(message("batches_leaf", came=describe(made)))
        return iter(made)


def _length(items: Any) -> int | None:
    """How many there are, where that is known: a stream of a stream has ``len``, which refuses."""
    try:
        return len(items) if isinstance(items, Sized) else None
    except TypeError:
        return None


def source_of(data: Any) -> Arrays | Collection | Stream:
    """What ``data`` is to batches: see the top of this file."""
    if isinstance(data, str | bytes | set | frozenset):  # a set has no order, or another one in every run
        raise ArgumentError(message("batches_leaf", came=describe(data)))
    simple = isinstance(data, dict | list | tuple) or hasattr(data, "shape") or hasattr(data, "to_numpy")
    if simple or hasattr(data, "__dataclass_fields__"):
        return Arrays(data)
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return Collection(data)
    if isinstance(data, Iterable) or callable(data):
        return Stream(data)
    raise ArgumentError(message("batches_leaf", came=describe(data)))


def stacked(examples: list[Any]) -> Any:
    """Examples, nested alike, as one example of arrays with a new first axis.

    >>> stacked([(1.0, "a"), (2.0, "b")])
    (array([1., 2.]), array(['a', 'b'], dtype='<U1'))

    Raises ``ShapeError`` for examples whose nesting or shapes differ.
    """
    columns: list[list[Any]] = []
    structure: Structure | None = None
    for number, example in enumerate(examples):
        leaves, found = flatten(example)
        if structure is None:
            structure, columns = found, [[] for _ in leaves]
        elif found != structure:
            raise ShapeError(message("batches_nesting", number=number))
        for column, leaf in zip(columns, leaves, strict=True):
            column.append(np.asarray(leaf))
    for column in columns:
        shapes = sorted({array.shape for array in column})
        if len(shapes) > 1:
            raise ShapeError(message("batches_examples", first=shapes[0], second=shapes[1]))
    return unflatten(structure or Structure("none"), [np.stack(column) for column in columns])
