"""Small helpers between data and model: padding, one-hot labels, and a part held out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from backlight import random
from backlight.data.batches import key_of
from backlight.data.sources import plain_array
from backlight.errors import ArgumentError, RangeError, ShapeError, message
from backlight.refusal import describe

__all__ = ["pad_sequences", "to_categorical", "train_test_split"]


def pad_sequences(
    sequences: Iterable[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray[Any, Any]:
    """Sequences of different lengths as one array ``(n, maxlen, …)``, short ones filled up with ``value``.

    ``maxlen`` is the longest length if not given. ``"pre"`` fills, and cuts, at the beginning, ``"post"`` at the end.

    >>> pad_sequences([[1, 2, 3], [4]])
    array([[1, 2, 3],
           [0, 0, 4]], dtype=int32)
    >>> pad_sequences([[1, 2, 3], [4]], maxlen=2, padding="post", value=-1)
    array([[ 2,  3],
           [ 4, -1]], dtype=int32)

    Raises ``ArgumentError`` for something that is no list of sequences or an option that does not exist,
    ``ShapeError`` for sequences whose items have different shapes.
    """
    for name, option in (("padding", padding), ("truncating", truncating)):
        if option not in ("pre", "post"):
            raise ArgumentError(message("pad_option", name=name, came=repr(option)))
    if maxlen is not None and (not isinstance(maxlen, int | np.integer) or maxlen < 0):
        raise ArgumentError(message("pad_length", came=repr(maxlen)))
    if not isinstance(sequences, Iterable):
        raise ArgumentError(message("pad_sequence", number=0, came=describe(sequences)))
    rows = []
    for number, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ArgumentError(message("pad_sequence", number=number, came=describe(sequence)))
        try:
            rows.append(np.asarray(sequence))
        except ValueError:
            raise ShapeError(message("pad_ragged", number=number)) from None
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise ArgumentError(message("pad_dtype", came=repr(dtype))) from None
    if kind.kind in "iu" and np.asarray(value).dtype.kind == "f" and not float(value).is_integer():
        raise ArgumentError(message("pad_value", value=value, dtype=kind))
    length = max((len(row) for row in rows), default=0) if maxlen is None else int(maxlen)
    inner = next((row.shape[1:] for row in rows if len(row)), ())
    made = np.full((len(rows), length, *inner), value, dtype=kind)
    for number, row in enumerate(rows):
        if not len(row) or not length:
            continue
        if row.shape[1:] != inner:
            raise ShapeError(message("pad_shapes", number=number, expected=inner, came=row.shape[1:]))
        kept = row[-length:] if truncating == "pre" else row[:length]
        place = slice(length - len(kept), None) if padding == "pre" else slice(len(kept))
        try:
            made[number, place] = kept
        except (TypeError, ValueError):
            raise ArgumentError(message("pad_value", value=repr(kept.flat[0]), dtype=kind)) from None
    return made


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Labels as rows with a single 1: ``(…,)`` or ``(…, 1)`` integers become ``(…, num_classes)`` float64.

    ``num_classes`` is the largest label plus 1 if not given.

    >>> to_categorical([0, 2], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]])

    Raises ``RangeError`` for a label that is negative or too large, ``ArgumentError`` for labels that are not whole
    numbers, or none where their count decides, or a ``num_classes`` that is no number of classes.
    """
    labels = np.asarray(x)
    if labels.dtype.kind == "f" and (labels == np.trunc(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iub" or (num_classes is None and not labels.size):
        raise ArgumentError(message("labels_kind", came=describe(labels)))
    if num_classes is not None and (not isinstance(num_classes, int | np.integer) or num_classes < 1):
        raise ArgumentError(message("labels_classes", came=repr(num_classes)))
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    count = int(labels.max()) + 1 if num_classes is None else int(num_classes)
    wrong = (labels < 0) | (labels >= count)
    if wrong.any():
        raise RangeError(message("labels_range", count=count, came=int(labels[wrong].flat[0])))
    made = np.zeros((*labels.shape, count))
    np.put_along_axis(made, labels[..., None], 1.0, axis=-1)
    return made


def train_test_split(
    *arrays: Any, test_size: float = 0.25, stratify: Any = None, shuffle: bool = True, key: Any = 0
) -> tuple[Any, ...]:
    """Hold a part out: ``x_train, x_test, y_train, y_test = train_test_split(x, y)``.

    ``test_size`` is a share (rounded up) or a number of examples. ``stratify``, labels ``(n,)``, gives every class its
    share of the part held out, to within one example, and their sum is exactly as asked (largest remainders).

    >>> labels = np.array([0] * 8 + [1] * 4)
    >>> learnt, held_out = train_test_split(labels, stratify=labels)
    >>> np.bincount(held_out)
    array([2, 1])

    Raises ``ShapeError`` for arrays of different lengths, ``ArgumentError`` for a part that would be empty or all.
    """
    kept = [_rows(array) for array in arrays]
    labels = [] if stratify is None else [_rows(stratify)]
    lengths = {len(array) for array in kept + labels}
    if len(lengths) != 1:
        raise ShapeError(message("batches_lengths", shapes=", ".join(describe(each) for each in kept + labels) or "-"))
    n = lengths.pop()
    share = isinstance(test_size, float | np.floating) and 0 < test_size < 1
    count = int(np.ceil(test_size * n)) if share else test_size
    if not isinstance(count, int | np.integer) or not 0 < count < n:
        raise ArgumentError(message("split_size", came=test_size, examples=n))
    order = np.asarray(random.permutation(key_of(key), n)) if shuffle else np.arange(n)
    if stratify is None:
        learnt, held_out = order[: n - count], order[n - count :]
    else:
        learnt, held_out = _stratified(labels[0], order, int(count))
    return tuple(part for array in kept for part in (array[learnt], array[held_out]))


def _rows(data: Any) -> Any:
    """An array, frame, series or list as an array with rows."""
    array = plain_array(data)
    if not hasattr(array, "shape") or not hasattr(array, "__getitem__"):
        try:
            array = np.asarray(array)
        except ValueError:
            raise ShapeError(message("split_rows", came=describe(data))) from None
    if not array.shape:
        raise ShapeError(message("split_rows", came=describe(data)))
    return array


def _stratified(labels: Any, order: Any, count: int) -> tuple[Any, Any]:
    """The last of every class in ``order``, as many as its share; both parts stay in that order."""
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    held, rest = np.divmod(sizes * count, len(labels))
    held[np.argsort(-rest, kind="stable")[: count - held.sum()]] += 1
    chosen = np.zeros(len(labels), bool)
    ordered = classes[order]
    for label, number in enumerate(held):
        chosen[np.flatnonzero(ordered == label)[sizes[label] - number :]] = True
    return order[~chosen], order[chosen]
