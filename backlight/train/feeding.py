"""What ``fit`` reads: arrays in memory or in a file through an index of rows, or batches that come one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np

from backlight.data.ahead import ahead
from backlight.data.batches import Batches, order_of_epoch
from backlight.data.sources import Arrays, source_of, stacked
from backlight.errors import ArgumentError, DataError, TrainingWarning, message
from backlight.nn.losses.common import here
from backlight.nn.naming import floatx
from backlight.refusal import warn
from backlight.tree import flatten, tree_map, unflatten

__all__ = ["ArrayFeed", "StreamFeed", "class_weights", "feed_of", "parts_of", "split"]

MOST_BYTES = 1 << 24  # of batches that are put together for one native call
MOST_BATCHES = 64
Most = Callable[[int], int]


def _numbers(leaf: Any) -> Any:
    """An array as the model reads it: floating-point numbers in ``floatx``, files as they are."""
    if isinstance(leaf, np.memmap):
        return leaf
    array = np.asarray(leaf)
    if array.dtype.kind not in "biuf":
        raise DataError(message("data_kind", here(), came=str(array.dtype)))
    if array.dtype.kind == "f" and array.dtype != floatx():
        array = array.astype(floatx())
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")) if array.ndim else array


def class_weights(y: Any, given: Any) -> Any:
    """The weight of every example's class: of class numbers, or of the largest entry of one-hot rows.

    Classes that are not named weigh 1, and a warning (``TrainingWarning``) tells which those are.
    """
    leaves = flatten(y)[0]
    if not isinstance(given, dict) or len(leaves) != 1:
        raise ArgumentError(message("fit_class_weight", here(), came=repr(given)[:80]))
    labels = np.asarray(leaves[0])
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    found, place = np.unique(labels.reshape(len(labels), -1)[:, 0].astype(np.int64), return_inverse=True)
    missing = [int(k) for k in found if int(k) not in given]
    if missing:
        warn(message("class_weight_missing", missing=missing[:20]), TrainingWarning)
    return np.array([given.get(int(k), 1.0) for k in found], floatx())[place]


class ArrayFeed:
    """Arrays of one length: a batch is a row of numbers, and the step picks the examples itself."""

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int | None, key: Any = None, shuffle: bool = False,
        steps: int | None = None,
    ) -> None:  # fmt: skip
        whole = Arrays((x, y, sample_weight))
        self.tree = unflatten(whole.structure, [_numbers(leaf) for leaf in whole.leaves])
        self.examples = whole.length
        if not self.examples:
            raise DataError(message("data_empty", here(), what="x", shape=tuple(np.shape(whole.leaves[0]))))
        if batch_size is None:
            batch_size = -(-self.examples // steps) if steps else 32
        self.batch_size = min(batch_size, self.examples)
        whole_pass = -(-self.examples // self.batch_size)
        if steps and steps > whole_pass:
            warn(message("fit_data_over", here(), came=whole_pass, wanted=steps), TrainingWarning)
        self._steps = min(steps or whole_pass, whole_pass)
        self._epochs = -(-whole_pass // self._steps)  # that one pass over the examples is enough for
        self.key, self.shuffle = key, shuffle
        self.data: Sequence[Any] = (self.tree,)

    @property
    def steps(self) -> int:
        """Batches in an epoch, the last one perhaps smaller."""
        return self._steps

    def first(self, count: int) -> Any:
        """The first ``count`` examples, no more than a batch has."""
        count = min(count, self.batch_size)
        return tree_map(lambda leaf: np.array(leaf[:count]), self.tree)

    def pieces(self, epoch: int, most: Most, done: int = 0) -> Iterator[Any]:
        """The batches of an epoch after ``done``: rows of numbers, at most ``most(at)`` together after ``at``."""
        n, size = self.examples, self.batch_size
        passes, part = divmod(epoch, self._epochs)
        order = order_of_epoch(self.key, passes, n) if self.shuffle else np.arange(n)
        order = order[part * self._steps * size :][: self._steps * size]  # of a pass that lasts for several epochs
        whole = len(order) // size
        rows = order[: whole * size].reshape(whole, size)
        at = done
        while at < whole:
            count = min(most(at), whole - at)
            yield rows[at : at + count]
            at += count
        if len(order) % size and at == whole:
            yield order[whole * size :].reshape(1, -1)

    def place(self) -> None:
        """Where the next epoch begins: that follows from its number."""

    def go_to(self, place: Any) -> None:
        """Nothing to do: see ``place``."""

    @staticmethod
    def batch(row: Any, data: Sequence[Any]) -> Any:
        """The examples of a row."""
        return tree_map(lambda leaf: leaf[row], data[0])


class StreamFeed:
    """Batches that come one by one; several of the same shape are handed over together."""

    data: Sequence[Any] = ()
    look: Callable[[Any, int], None] | None = None
    """What is to be done with every batch, and its number in the epoch, before it is used."""

    def __init__(self, batches: Any, steps: int | None = None, class_weight: Any = None) -> None:
        self._given = batches if isinstance(batches, Batches) else Batches(batches, None)
        self._wanted, self._class_weight = steps, class_weight
        self._iterator: Iterator[Any] | None = None
        self._ahead: list[Any] = []
        self._place = self._given.state()

    @property
    def steps(self) -> int | None:
        """Batches in an epoch, where that is known."""
        return self._wanted or self._given.batches_per_epoch

    def first(self, count: int) -> Any:
        """The first ``count`` examples, of the first batch; it is handed out again."""
        if not self._ahead:
            self._place = self._given.state()
            self._ahead = [next(self._stream(), None)]
        if self._ahead[0] is None:
            raise DataError(message("data_empty", here(), what="x", shape=()))
        return tree_map(lambda leaf: leaf[:count], self._ahead[0])

    def _stream(self) -> Iterator[Any]:
        if self._iterator is None:
            self._iterator = iter(self._given)
        return self._iterator

    def place(self) -> dict[str, Any]:
        """Where the next epoch begins."""
        return self._place if self._ahead else self._given.state()

    def go_to(self, place: Any) -> None:
        """Let the next epoch begin where ``place`` says.

        Raises ``ArgumentError`` for a place in other batches.
        """
        self._given.restore(place)
        self._iterator, self._ahead = None, []

    def _batches(self) -> Iterator[Any]:
        first, self._ahead = self._ahead, []
        return chain((each for each in first if each is not None), self._stream())  # a chain leaves the stream open

    def pieces(self, epoch: int, most: Most, done: int = 0) -> Iterator[Any]:
        """Batches stacked, at most ``most(at)`` together, after the first ``done``, which are read and left out.

        While they are used, a thread gets the next ones ready. Warns (``TrainingWarning``) where fewer come than was
        asked for, and raises ``DataError`` where none comes.
        """
        came = done
        groups = ahead(self._groups(most, done), 1)
        try:
            for group in groups:
                came += len(flatten(group)[0][0])
                yield group
                del group  # so that its memory is free while the next one is waited for
        finally:
            groups.close()
        if self._wanted and came < self._wanted:
            text = message("fit_data_over", here(), came=came, wanted=self._wanted)
            if not came:
                raise DataError(text)
            warn(text, TrainingWarning)

    def _groups(self, most: Most, done: int) -> Iterator[Any]:
        batches: Iterator[Any] = (_triple(batch, self._class_weight) for batch in self._batches())
        if self._wanted:
            batches = islice(batches, self._wanted)
        batches = islice(batches, done, None)
        group: list[Any] = []
        came = done
        for batch in batches:
            if self.look is not None:
                self.look(batch, came + 1)
            if group and _form(batch) != _form(group[0]):
                yield stacked(group)
                group = []
            group.append(batch)
            came += 1
            size = sum(leaf.nbytes for leaf in flatten(batch)[0])
            limit = max(1, min(most(came - len(group)), MOST_BATCHES, MOST_BYTES // max(size, 1)))
            if len(group) >= limit:
                yield stacked(group)
                group = []
        if group:
            yield stacked(group)
        if not self._wanted:
            self._iterator = None  # the next epoch is a new pass

    @staticmethod
    def batch(row: Any, data: Sequence[Any]) -> Any:
        """The batch itself."""
        return row


def _form(batch: Any) -> Any:
    leaves, structure = flatten(batch)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


def parts_of(batch: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of a batch; what is missing is ``None``."""
    if not isinstance(batch, tuple | list):
        return batch, None, None
    return (*batch, None, None)[:3]


def _triple(batch: Any, class_weight: Any = None) -> Any:
    """``(x, y, sample_weight)`` of what a stream hands out: ``x``, ``(x, y)`` or all three."""
    if isinstance(batch, tuple | list) and not 1 <= len(batch) <= 3:
        raise ArgumentError(message("fit_batch", here(), came=len(batch)))
    x, y, w = (tree_map(_numbers, each) for each in parts_of(batch))
    if class_weight is not None and y is not None:
        own = class_weights(y, class_weight)
        w = own if w is None else w * own
    return x, y, w


def feed_of(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, *, key: Any = None, shuffle: bool = False,
    steps: int | None = None, class_weight: Any = None,
) -> ArrayFeed | StreamFeed:  # fmt: skip
    """What to read: arrays, with labels and weights beside them; anything else hands out batches itself.

    Raises ``ArgumentError`` for labels beside something that hands out batches, ``DataError`` for an empty set,
    ``ShapeError`` for arrays of different lengths.
    """
    if x is None:
        raise ArgumentError(message("fit_no_data", here()))
    source = x if isinstance(x, Batches) else source_of(x)
    if not isinstance(source, Arrays):
        if y is not None or sample_weight is not None:
            raise ArgumentError(message("fit_labels_twice", here(), came=type(x).__name__))
        return StreamFeed(x, steps, class_weight)
    if class_weight is not None and y is not None:
        own = class_weights(y, class_weight)
        sample_weight = own if sample_weight is None else np.asarray(sample_weight) * own
    return ArrayFeed(x, y, sample_weight, batch_size, key, shuffle, steps)


def split(share: float, *trees: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Arrays cut in two: the first part, and the last ``share`` of the examples, in the order given.

    Raises ``ArgumentError`` for a share outside 0 < share < 1, or one that leaves nothing on a side.
    """
    if trees and not isinstance(trees[0] if isinstance(trees[0], Batches) else source_of(trees[0]), Arrays):
        raise ArgumentError(message("fit_split_stream", here(), came=type(trees[0]).__name__))
    whole = Arrays(trees)
    at = int(np.floor(whole.length * (1.0 - share))) if 0 < share < 1 else 0
    if not 0 < at < whole.length:
        raise ArgumentError(message("fit_split", here(), came=share, examples=whole.length))
    first, last = ([leaf[:at] for leaf in whole.leaves], [leaf[at:] for leaf in whole.leaves])
    return unflatten(whole.structure, first), unflatten(whole.structure, last)
