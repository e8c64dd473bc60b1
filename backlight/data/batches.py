"""Batches: a data set cut into pieces, in an order that depends on nothing but a key and the number of the epoch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from backlight import random
from backlight.data.ahead import ahead
from backlight.data.sources import Arrays, Collection, Stream, source_of, stacked
from backlight.errors import ArgumentError, CallError, DataError, TrainingWarning, message
from backlight.refusal import warn

__all__ = ["Batches", "key_of", "order_of_epoch"]


class _Place(NamedTuple):
    """A place in the endless row of epochs: so many epochs are over, and so many batches of the next one."""

    epoch: int
    batch: int


def key_of(key: Any) -> Any:
    """The key of a seed; anything else as an array, for what draws with it to judge.

    >>> key_of(3)
    array([3, 0], dtype=uint32)
    """
    return random.key(int(key)) if isinstance(key, int | np.integer) else np.array(key)


def order_of_epoch(key: Any, epoch: int, length: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The order in which epoch ``epoch`` goes through ``length`` examples: a function of these three alone.

    ``permutation(fold_in(key, epoch), length)``, so any epoch can be reached without the ones before it, on any
    platform. ``key`` may be a seed.

    >>> order_of_epoch(0, 7, 5)
    array([1, 0, 3, 4, 2])

    Raises ``ArgumentError`` for what is no key, or a length that is no number of examples.
    """
    return np.asarray(random.permutation(random.fold_in(key_of(key), epoch), length), np.int64)


class Batches:
    """A data set in batches of ``batch_size`` examples; every ``for`` loop over it is one pass.

    ``data``
        a nesting of arrays of one length, such as ``(x, y)`` or ``(x, y, sample_weight)``, memory-mapped ones and
        pandas or Polars frames included (a frame of numbers is one array, as for Keras); or an object with a length and
        numbered examples; or an iterable of examples, or a function that makes one.
    ``batch_size``
        ``None`` where the numbered object or the iterable holds batches already, as Keras's ``PyDataset`` does.
    ``shuffle``
        ``True``: every epoch in an order of its own, ``order_of_epoch(key, epoch, n)``. A stream is shuffled in blocks
        of so many examples: ``shuffle=1000``. The numbers come from Philox (``backlight.random``), so the order is the
        same on every platform.
    ``key``
        a seed, or a key of ``backlight.random``.
    ``repeat``
        how many epochs a pass has; ``None``: no end.
    ``map``
        a function of a batch; what it returns is handed out instead.
    ``prefetch``
        so many batches are made ahead, by a thread, while the last one is used; it ends with the loop.
    ``drop_remainder``
        leave out the last batch of an epoch if it is smaller than the others.

    >>> batches = Batches({"x": np.arange(5), "y": np.arange(5) ** 2}, batch_size=2)
    >>> len(batches), [batch["y"].tolist() for batch in batches]
    (3, [[0, 1], [4, 9], [16]])

    ``state()`` is the place after the last batch handed out, a dictionary of plain numbers. ``restore`` goes there, so
    that the next pass hands out exactly what would have followed; a stream is read again up to there. A loop that is
    left early does not go on: the next loop is the next pass.

    >>> shuffled = Batches(np.arange(6), batch_size=2, shuffle=True, key=3)
    >>> rest = iter(shuffled)
    >>> _, place = next(rest), shuffled.state()
    >>> again = Batches(np.arange(6), batch_size=2, shuffle=True, key=3)
    >>> again.restore(place)
    >>> [batch.tolist() for batch in again] == [batch.tolist() for batch in rest]
    True

    Warns (``TrainingWarning``) of a batch larger than the set, which then is the only batch. Raises ``ShapeError`` for
    arrays of different lengths, ``DataError`` for an empty set, ``ArgumentError`` for a batch larger than the set where
    it would be dropped, data that is none of the above or a state of other batches, ``CallError`` where the length is
    asked of batches that have none. What ``data`` or ``map`` raises comes out of the loop as it is.
    """

    def __init__(
        self,
        data: Any,
        batch_size: int | None = 32,
        *,
        shuffle: bool | int = False,
        key: Any = 0,
        repeat: int | None = 1,
        map: Callable[[Any], Any] | None = None,
        prefetch: int = 0,
        drop_remainder: bool = False,
    ) -> None:
        self._source = source_of(data)
        self._size = None if batch_size is None else _natural("batch_size", batch_size, 1)
        self._repeat = None if repeat is None else _natural("repeat", repeat, 1)
        self._prefetch = _natural("prefetch", prefetch, 0)
        self._shuffle = int(shuffle) if isinstance(shuffle, bool | np.bool_) else _natural("shuffle", shuffle, 0)
        self._key = key_of(key)
        random.fold_in(self._key, 0)  # refuses what is no key
        if map is not None and not callable(map):
            raise ArgumentError(message("batches_map", came=repr(map)[:80]))
        self._map, self._drop = map, bool(drop_remainder)
        if isinstance(self._source, Stream):
            if isinstance(shuffle, bool | np.bool_) and shuffle:
                raise ArgumentError(message("batches_stream_shuffle"))
        elif self._size is None and isinstance(self._source, Arrays):
            raise ArgumentError(message("batches_ready"))
        self._examples = self._source.length
        self._check_size(self._examples)
        self._next = self._place = _Place(0, 0)
        self._pass = 0

    # -- What is known -----------------------------------------------------------------------------------------------

    @property
    def batch_size(self) -> int | None:
        """How many examples a full batch has; ``None`` where the data comes in batches."""
        return self._size

    @property
    def examples(self) -> int | None:
        """How many examples the data has; ``None`` where that is not known before it is read."""
        return self._examples

    @property
    def batches_per_epoch(self) -> int | None:
        """How many batches an epoch has; ``None`` where that is not known."""
        if self._examples is None or self._size is None:
            return self._examples
        return self._examples // self._size if self._drop else -(-self._examples // self._size)

    def __len__(self) -> int:
        """How many batches a whole pass has."""
        count = self.batches_per_epoch
        if count is None or self._repeat is None:
            raise CallError(message("batches_no_length"))
        return count * self._repeat

    # -- The place in the shuffled data --------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Where the newest pass stands: plain numbers, fit for JSON."""
        return {"epoch": self._place.epoch, "batch": self._place.batch, **self._identity()}

    def restore(self, state: dict[str, Any]) -> None:
        """The next pass goes on from ``state``, to the end of the pass that it was taken in.

        Raises ``ArgumentError`` for something else than a state, or the state of other batches.
        """
        found = [state.get(name) if isinstance(state, dict) else None for name in _Place._fields]
        place = [number for number in found if type(number) is int and number >= 0]
        if len(place) < len(found):
            raise ArgumentError(message("batches_state", came=repr(state)[:200]))
        for name, expected in self._identity().items():
            if state.get(name) != expected:
                raise ArgumentError(
                    message("batches_other", name=name, expected=expected, came=repr(state.get(name))[:80])
                )
        most = self.batches_per_epoch
        if most is not None and place[1] > most:
            raise ArgumentError(message("batches_state", came=repr(state)[:200]))
        self._next = self._place = _Place(*place)
        self._pass += 1

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a place to mean the same examples."""
        return {
            "examples": self._examples,
            "batch_size": self._size,
            "shuffle": self._shuffle,
            "drop_remainder": self._drop,
            "key": [int(word) for word in self._key],
        }

    # -- A pass --------------------------------------------------------------------------------------------------------

    def __iter__(self) -> Generator[Any]:
        """One pass, from where ``restore`` says or the first epoch that no pass has begun."""
        first = self._next
        repeat = self._repeat
        last = None if repeat is None else (first.epoch // repeat + 1) * repeat
        self._pass += 1
        this = self._pass
        self._place = first
        self._next = after = _Place(first.epoch + 1 if last is None else last, 0)
        items: Generator[tuple[_Place, Any]] = self._from(first, last)
        if self._prefetch:
            items = ahead(items, self._prefetch)
        try:
            for place, batch in items:
                if self._pass == this:
                    self._place = place
                yield batch
                del batch
            if self._pass == this:
                self._place = after
        finally:
            items.close()

    def _from(self, first: _Place, last: int | None) -> Generator[tuple[_Place, Any]]:
        """Batches from ``first`` until epoch ``last``, each with the place after it."""
        epoch, skip = first
        while last is None or epoch < last:
            for number, batch in enumerate(self._epoch(epoch, skip), skip):
                yield _Place(epoch, number + 1), batch if self._map is None else self._map(batch)
            epoch, skip = epoch + 1, 0

    def _epoch(self, epoch: int, skip: int) -> Iterator[Any]:
        if isinstance(self._source, Stream):
            return self._streamed(self._source, epoch, skip)
        return self._chosen(self._source, epoch, skip)

    def _chosen(self, source: Arrays | Collection, epoch: int, skip: int) -> Iterator[Any]:
        n, size = source.length, self._size or 1
        order = order_of_epoch(self._key, epoch, n) if self._shuffle else None
        for number in range(skip, self.batches_per_epoch or 0):
            start, stop = number * size, min((number + 1) * size, n)
            chosen = np.arange(start, stop) if order is None else order[start:stop]
            if self._size is None and isinstance(source, Collection):
                yield source.item(chosen[0])
            else:
                yield source.take(chosen)

    def _streamed(self, source: Stream, epoch: int, skip: int) -> Iterator[Any]:
        examples = source.stream()
        if self._shuffle > 1:
            examples = self._in_blocks(examples, random.fold_in(self._key, epoch))
        size = self._size
        if size is None:
            found = skip
            for item in islice(examples, skip, None):
                found += 1
                yield item
            if not found:
                raise DataError(message("batches_empty"))
            return
        found = sum(1 for _ in islice(examples, skip * size))
        while group := list(islice(examples, size)):
            found += len(group)
            if found < size:
                self._check_size(found)
            if len(group) == size or not self._drop:
                yield stacked(group)
        if not found:
            self._check_size(found)

    def _in_blocks(self, examples: Iterator[Any], key: Any) -> Iterator[Any]:
        number = 0
        while block := list(islice(examples, self._shuffle)):
            for index in order_of_epoch(key, number, len(block)):
                yield block[index]
            number += 1

    def _check_size(self, examples: int | None) -> None:
        """Refuses a set that is empty or gives no batch, warns of one that is smaller than a batch."""
        if examples == 0:
            raise DataError(message("batches_empty"))
        if examples is not None and self._size is not None and self._size > examples:
            text = message("batches_larger", size=self._size, examples=examples)
            if self._drop:
                raise ArgumentError(text)
            warn(text, TrainingWarning)


def _natural(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ArgumentError(message("batches_number", name=name, least=least, came=repr(value)))
    return number
