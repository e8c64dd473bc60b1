"""Distinct elements, membership, insertion, deletion: which elements are chosen is constant, their values are not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backlight.numpy_api.common import axis_of, cast, constant, implements, operand, promote, raveled, read
from backlight.numpy_api.shape import along, concatenate
from backlight.primitive import REGISTRY as P

__all__ = ["delete", "insert", "isin", "unique"]


class UniqueAll(NamedTuple):
    """What ``np.unique_all`` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What ``np.unique_counts`` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What ``np.unique_inverse`` returns."""

    values: Any
    inverse_indices: Any


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """The distinct elements in ascending order; the gradient goes to the first occurrence of each."""
    x = operand(ar)
    _, index, inverse, counts = np.unique(read(x), True, True, True, axis, equal_nan=equal_nan)
    values = raveled(x)[index] if axis is None else x[along(axis_of(axis, len(x.shape)), index)]
    extra = [
        found for wanted, found in ((return_index, index), (return_inverse, inverse), (return_counts, counts)) if wanted
    ]
    return (values, *extra) if extra else values


@implements(np.unique_values)
def unique_values(x: Any, /) -> Any:
    """The distinct elements."""
    return unique(x, equal_nan=False)


@implements(np.unique_counts)
def unique_counts(x: Any, /) -> UniqueCounts:
    """The distinct elements and how often each occurs."""
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any, /) -> UniqueInverse:
    """The distinct elements and where each element is among them."""
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_all)
def unique_all(x: Any, /) -> UniqueAll:
    """The distinct elements, where each first occurs, where each element is among them, and the counts."""
    return UniqueAll(*unique(x, True, True, True, equal_nan=False))


@constant(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    """Which elements occur in ``test_elements``."""
    return operand(np.isin(read(element), read(test_elements), assume_unique, invert, kind=kind))


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """The distinct elements of both."""
    return unique(concatenate((ar1, ar2), None))


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The distinct elements that occur in both; the gradient goes to the first array."""
    x1, x2 = promote(ar1, ar2)
    _, first, second = np.intersect1d(read(x1), read(x2), assume_unique, True)
    common = raveled(x1)[first]
    return (common, first, second) if return_indices else common


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements of the first that are not in the second."""
    x1 = raveled(operand(ar1)) if assume_unique else unique(ar1)
    return x1[np.flatnonzero(np.isin(read(x1), read(ar2), invert=True))]


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements that occur in exactly one of the two."""
    x1, x2 = (raveled(operand(x)) if assume_unique else unique(x) for x in (ar1, ar2))
    return P.sort(concatenate((setdiff1d(x1, x2, True), setdiff1d(x2, x1, True))), axis=0)


# -- Inserting and deleting --------------------------------------------------------------------------------------------


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """Without the elements (or slices) at the positions ``obj``."""
    x = operand(arr)
    if axis is None:
        x, axis = raveled(x), 0
    axis = axis_of(axis, len(x.shape))
    return x[along(axis, np.delete(np.arange(x.shape[axis]), read(obj)))]


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """With ``values`` in front of the positions ``obj``."""
    x = operand(arr)
    if axis is None:
        x, axis = raveled(x), 0
    axis = axis_of(axis, len(x.shape))
    count, ndim = x.shape[axis], len(x.shape)
    places = read(obj)
    new = cast(operand(values), x.dtype)
    single = not isinstance(places, slice) and np.asarray(places).ndim == 0
    if (single and new.shape and len(new.shape) == ndim and ndim > 1) or (single and ndim == 1):
        added = new.shape[axis] if len(new.shape) == ndim else 1
        marks = np.insert(np.arange(count), places, count + np.arange(added))
    elif single:
        added = 1
        marks = np.insert(np.arange(count), places, count)
        if len(new.shape) == ndim - 1:
            new = P.reshape(new, shape=(*new.shape[:axis], 1, *new.shape[axis:]))
    else:
        added = len(np.arange(count)[places]) if isinstance(places, slice) else _count(places)
        marks = np.insert(np.arange(count), places, count + np.arange(added))
    shape = (*x.shape[:axis], added, *x.shape[axis + 1 :])
    new = P.broadcast_to(new, shape=shape)
    return P.concatenate(x, new, axis=axis)[along(axis, marks)]


def _count(places: Any) -> int:
    places = np.asarray(places)
    return int(places.sum()) if places.dtype.kind == "b" else places.size
