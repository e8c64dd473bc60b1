"""Gathering and scattering by computed indices, among scalars.

An index that is known costs nothing. Among a few elements in registers the one that is meant is selected, and every one
that could be meant is changed; more of them go through memory. Negative indices count from the end; one out of range
is replaced by 0 and remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.expression import combine, load_as, memory_kind, store_as
from backlight.compiler.ir import Value
from backlight.compiler.scalars import Held, Memory, Scalars, held
from backlight.layout import contiguous_strides

__all__ = ["CHOICES", "gather", "scatter"]

Shape = tuple[int, ...]

CHOICES = 16  # elements among which one is selected in registers


def gather(s: Scalars, x: Held | Memory, indices: Sequence[Held], dtypes: Sequence[Any], dtype: Any) -> Held:
    """``y[i…, j…] = x[index0[i…], index1[i…], …, j…]``."""
    count = len(indices)
    lead, tail, lengths = indices[0].shape, x.shape[count:], x.shape[:count]
    out = np.empty((prod(lead), prod(tail)), object)
    strides: Shape = ()
    if isinstance(x, Memory):
        x, strides = s.rows(x, count)
    for k, where in enumerate(zip(*[index.flat for index in indices], strict=True)):
        if not prod(lengths):
            s.outside.set(True)
            out[k] = s.number(0, dtype)
        elif isinstance(x, Memory):
            places = [_index(s, *each) for each in zip(where, dtypes, lengths, strict=True)]
            out[k] = s.elements(s.row(x, strides, places)).reshape(-1)
        else:
            out[k] = _chosen(s, x, where, dtypes, dtype).reshape(-1)
    return out.reshape((*lead, *tail))


def _chosen(s: Scalars, x: Held, where: Sequence[Value], dtypes: Sequence[Any], dtype: Any) -> Held:
    """The row of ``x`` at scalar indices: one of those that are possible."""
    possible, index = _possible(s, x.shape, where, dtypes)
    tail = x.shape[len(where) :]
    rows = x[possible].reshape(-1, *tail)
    if index is None:
        only: Held = rows.reshape(tail)
        return only
    if len(rows) > CHOICES:
        memory = s.in_memory(rows, dtype)
        return s.elements(s.row(memory, contiguous_strides(rows.shape)[:1], [index]))
    return held([_selected(s, column.tolist(), index) for column in rows.reshape(len(rows), -1).T], tail)


def _possible(s: Scalars, shape: Shape, where: Sequence[Value], dtypes: Sequence[Any]) -> tuple[Any, Value | None]:
    """Which leading indices are possible, and which of them, counted in order, it is (``None``: the only one)."""
    entries: list[slice] = []
    total: Value | None = None
    for x, dtype, length in zip(where, dtypes, shape, strict=False):
        known = _known(x, length)
        entries.append(slice(None) if known is None else slice(known, known + 1))
        if known is None:
            index = _index(s, x, dtype, length)
            total = index if total is None else total * length + index
    return tuple(entries), total


def _known(x: Value, length: int) -> int | None:
    """The index that ``x`` is known to be, if it is one of an axis of ``length``."""
    if x.text.startswith("%"):
        return None
    index = int(x.text)
    return index % length if -length <= index < length else None


def _index(s: Scalars, x: Value, dtype: Any, length: int) -> Value:
    """``x`` as an i64 from 0 to ``length`` - 1."""

    def written() -> Value:
        signed = dtype.kind == "i"
        index = x.to_int("i64", signed=signed)
        if signed:
            index = index.lt(0).select(index + length, index)
        fits = index.below(length)
        s.outside.set(s.outside.get() | ~fits)
        return fits.select(index, 0)

    return s.once(("index", dtype, x.text, length), written)


def _selected(s: Scalars, candidates: list[Value], index: Value) -> Value:
    """The candidate number ``index``: their number is halved by one bit of the index after the other."""
    bit = 1
    while len(candidates) > 1:
        odd = _bit(s, index, bit)
        pairs = list(zip(candidates[::2], candidates[1::2], strict=False))
        halved = [x if x.text == y.text else odd.select(y, x) for x, y in pairs]
        candidates = halved + candidates[2 * len(pairs) :]
        bit *= 2
    return candidates[0]


def _bit(s: Scalars, index: Value, bit: int) -> Value:
    return s.once(("bit", index.text, bit), lambda: (index & bit).ne(0))


def _is(s: Scalars, index: Value, number: int) -> Value:
    return s.once(("is", index.text, number), lambda: index.eq(number))


def scatter(
    s: Scalars,
    name: str,
    x: Held | Memory,
    indices: Sequence[Held],
    dtypes: Sequence[Any],
    v: Held,
    dtype: Any,
) -> Held | Memory:
    """``y = x``, then ``y[index0[i…], …, j…] = v[i…, j…]`` (``set``) or added to (``add``), in order."""
    lengths, tail = x.shape[: len(indices)], x.shape[len(indices) :]
    wheres = list(zip(*[index.flat for index in indices], strict=True))
    rows = v.reshape(len(wheres), prod(tail))
    if isinstance(x, Memory) or any(_choices(where, lengths) > CHOICES for where in wheres):
        return _scattered_in_memory(s, name, x, wheres, dtypes, rows, dtype)
    out = x.copy()
    for where, row in zip(wheres, rows, strict=True):
        possible, index = _possible(s, x.shape, where, dtypes)
        before = out[possible]
        after = before.reshape(-1, prod(tail)).copy()
        for c, j in np.ndindex(*after.shape):
            old: Value = after[c, j]
            came: Any = row[j]
            new: Value = came if name == "set" else s.combined("add", old, came, dtype)
            after[c, j] = new if index is None else _is(s, index, c).select(new, old)
        out[possible] = after.reshape(before.shape)
    return out


def _choices(where: Sequence[Value], lengths: Shape) -> int:
    """How many places scalar indices could mean."""
    return prod(n for x, n in zip(where, lengths, strict=True) if _known(x, n) is None)


def _scattered_in_memory(
    s: Scalars, name: str, x: Held | Memory, wheres: Sequence[Any], dtypes: Sequence[Any], rows: Held, dtype: Any
) -> Memory:
    b, kind = s.b, memory_kind(dtype)
    area = s.area(x.shape, dtype)
    s.fill(area, x)
    strides = contiguous_strides(x.shape)[: len(dtypes)]
    for where, row in zip(wheres, rows, strict=True):
        places = [_index(s, *each) for each in zip(where, dtypes, x.shape, strict=False)]
        target = s.row(area, strides, places).place
        for j, each in enumerate(row):
            place = b.at(target, j, kind)
            new = each if name == "set" else combine(b, "add", load_as(b, b.load(place, kind), dtype), each, dtype)
            b.store(store_as(b, new, dtype), place)
    return area
