"""How kernels walk over memory: shares of the work, and rows taken a vector at a time.

A *strip* is one vector of a row: the place of its first element, and a mask where the row ends inside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backlight.compiler.ir import Function, Value, bits, lanes, scalar, vector

__all__ = [
    "GRAIN",
    "PIECES",
    "lanes_of",
    "load_strip",
    "pieces_for",
    "share",
    "short",
    "split_index",
    "store_strip",
    "strips",
]

GRAIN = 8192  # elements that are worth a piece of their own
PIECES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)  # into so many a kernel is cut: two and four threads share them well


def pieces_for(work: float, units: int, grain: int = GRAIN) -> int:
    """Into how many pieces of about ``grain`` elements ``work`` is cut, which comes in ``units``."""
    wanted = next((count for count in PIECES if count >= int(work // grain)), PIECES[-1])
    return max(1, min(wanted, units))


def share(piece: Value, pieces: int, count: int) -> tuple[Value, Value]:
    """The part first … last - 1 of ``count`` that belongs to ``piece``."""
    if count % pieces == 0:
        first = piece * (count // pieces)
        return first, first + count // pieces
    return piece * count // pieces, (piece + 1) * count // pieces


def lanes_of(kind: str, width: int) -> int:
    """How many elements of type ``kind`` fill a register of ``width`` float32 numbers, and no more than that."""
    return max(1, min(width, width * 32 // bits(kind)))


def short(count: int, width: int) -> int:
    """The lanes to use for rows of ``count``: no more than the power of two above it."""
    wide = 1
    while wide < min(count, width):
        wide *= 2
    return wide


def split_index(index: Value, lengths: tuple[int, ...]) -> list[Value]:
    """The entries, one for each axis, of the index that is number ``index`` in reading order."""
    entries: list[Value] = []
    for axis in reversed(range(len(lengths))):
        entries.insert(0, index % lengths[axis] if axis else index)
        index = index // lengths[axis] if axis else index
    return entries


def strips(b: Function, count: Any, width: int, work: Callable[[Value, Value | None], None], together: int = 4) -> None:
    """``work(place, mask)`` for every strip of a row of ``count`` elements (a Python int, or an i64 Value).

    The mask is ``None`` where the strip is full. A step of the loop does ``together`` strips.
    """
    if isinstance(count, int):
        full, tail = divmod(count, width)
        looped = full - full % together if full > 2 * together else 0
        if looped:
            with b.loop(looped * width, step=together * width) as i:
                for k in range(together):
                    work(i + k * width, None)
        for k in range(looped, full):
            work(b.const("i64", k * width), None)
        if tail:
            work(b.const("i64", full * width), b.first_lanes(tail, width))
        return
    whole = count & -(width * together)
    with b.loop(whole, step=width * together) as i:
        for k in range(together):
            work(i + k * width, None)
    with b.loop(count, whole, step=width) as i:
        work(i, b.first_lanes(count - i, width))


def load_strip(b: Function, place: Value, kind: str, width: int, stride: int = 1, mask: Value | None = None) -> Value:
    """``width`` elements of type ``kind`` from ``place`` on, ``stride`` elements apart; masked lanes are 0."""
    many = vector(kind, width)
    if stride == 0:
        x = b.splat(b.load(place, kind), width)
        return x if mask is None else mask.select(x, 0)
    if stride == 1:
        return b.load(place, many) if mask is None else b.masked_load(place, many, mask)
    if stride == -1 and width > 1:
        backwards = range(width - 1, -1, -1)
        first = b.at(place, 1 - width, kind)
        x = b.load(first, many) if mask is None else b.masked_load(first, many, b.shuffle(mask, mask, backwards))
        return b.shuffle(x, x, backwards)
    return b.gather(_places(b, place, kind, width, stride), many, mask or b.const(vector("i1", width), 1))


def store_strip(b: Function, value: Value, place: Value, stride: int = 1, mask: Value | None = None) -> None:
    """The lanes of ``value`` stored from ``place`` on, ``stride`` elements apart."""
    width, kind = lanes(value.kind), scalar(value.kind)
    if stride == 1:
        if mask is None:
            b.store(value, place)
        else:
            b.masked_store(value, place, mask)
    else:
        b.scatter(value, _places(b, place, kind, width, stride), mask or b.const(vector("i1", width), 1))


def _places(b: Function, place: Value, kind: str, width: int, stride: int) -> Value:
    steps = b.constants("i64", [lane * stride for lane in range(width)])
    return b.write(f"<{width} x ptr>", f"getelementptr {kind}, ptr {place.text}, {steps.kind} {steps.text}")
