"""Where the elements of a value stand in memory when it is only a rearrangement of another: nothing is copied.

The elements of a value, counted in reading order, are counted by *digits*: ``((2, 12), (3, 1))`` says that the count
has a digit running to 2 that moves 12 elements in memory and, inside it, a digit running to 3 that moves 1. A shape
does not appear: reshaping changes nothing here. Transposes, slices, flips and broadcasts give other digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

from backlight.primitive import Piece

__all__ = ["Digits", "View", "contiguous", "distinct", "over", "rearranged", "refined"]

Digits = tuple[tuple[int, int], ...]


class View(NamedTuple):
    """The elements of ``tensor`` at ``offset`` plus what the digits of the count say."""

    tensor: Any
    offset: int
    digits: Digits

    @property
    def size(self) -> int:
        return prod(n for n, _ in self.digits)

    @property
    def is_whole(self) -> bool:
        """Whether these are all elements of the tensor in their own order."""
        return self.offset == 0 and self.digits == contiguous(self.tensor.size)

    @property
    def is_scalar(self) -> bool:
        """Whether every element is the same one."""
        return all(stride == 0 for _, stride in self.digits)


def contiguous(size: int) -> Digits:
    """All of ``size`` elements in order."""
    return ((size, 1),) if size != 1 else ()


def tidy(digits: Sequence[tuple[int, int]]) -> Digits:
    """The fewest digits that say the same."""
    kept: list[tuple[int, int]] = []
    for n, stride in digits:
        if n == 1:
            continue
        if kept and kept[-1][1] == stride * n:
            kept[-1] = (kept[-1][0] * n, stride)
        else:
            kept.append((n, stride))
    return tuple(kept)


def rearranged(view: View, piece: Piece) -> View | None:
    """The view of what ``piece`` copies out of ``view``, in the order of the piece's axes; ``None`` if no digits can
    say it (the value must be laid out first).

    The piece counts the input's elements in their own order, so each of its axes has to run along one digit of
    ``view``, or along several whole ones: an axis that would carry from one digit into the next in mid-way has no
    stride.
    """
    lengths = [n for n, _ in view.digits]
    if prod(piece.shape) == 0:
        return View(view.tensor, 0, ((0, 1),))
    weights = [prod(lengths[d + 1 :]) for d in range(len(lengths))]
    low = [piece.in_offset // weight % n for weight, n in zip(weights, lengths, strict=True)]
    high = list(low)
    offset = view.offset + sum(c * stride for c, (_, stride) in zip(low, view.digits, strict=True))
    out: list[tuple[int, int]] = []
    for count, step in zip(piece.shape, piece.in_strides, strict=True):
        parts = _along(count, step, view.digits, weights, low, high)
        if parts is None:
            return None
        out += parts
    if any(c < 0 for c in low) or any(c >= n for c, n in zip(high, lengths, strict=True)):
        return None
    return View(view.tensor, offset, tidy(out))


def _along(
    count: int, step: int, digits: Digits, weights: list[int], low: list[int], high: list[int]
) -> list[tuple[int, int]] | None:
    """One axis of a piece as digits: the innermost first digit that its step falls on, and the ones above it."""
    parts: list[tuple[int, int]] = []
    while count > 1:
        if step == 0:
            parts.append((count, 0))
            break
        fits = [d for d, weight in enumerate(weights) if abs(step) % weight == 0]
        if not fits:
            return None
        d = fits[0]
        times = abs(step) // weights[d]
        length, stride = digits[d]
        reach = high[d] + times * (count - 1) if step > 0 else low[d] - times * (count - 1)
        if 0 <= reach < length:
            parts.append((count, times * stride if step > 0 else -times * stride))
            if step > 0:
                high[d] = reach
            else:
                low[d] = reach
            break
        if step > 0 and times == 1 and high[d] == 0 and count % length == 0 and d > 0:
            parts.append((length, stride))
            high[d] = length - 1
            count //= length
            step = weights[d - 1]
        else:
            return None
    return parts[::-1]


def refined(*counts: Sequence[Any]) -> tuple[int, ...] | None:
    """The lengths of the coarsest digits into which all of ``counts`` can be split; ``None`` if there are none.

    >>> refined(((6, 4), (4, 1)), ((2, 0), (12, 1)))
    (2, 3, 4)
    """
    weights = {1}
    for digits in counts:
        weight = 1
        for each in reversed(digits):
            weights.add(weight)
            weight *= each[0] if isinstance(each, tuple) else each
        weights.add(weight)
    steps = list(pairwise(sorted(weights)))
    if any(b % a for a, b in steps):
        return None
    return tuple(b // a for a, b in steps)[::-1]


def over(digits: Digits, lengths: Sequence[int]) -> tuple[int, ...]:
    """The strides of ``digits`` along axes of ``lengths``, a refinement of them."""
    strides: list[int] = []
    rest = list(digits)
    length, stride = rest.pop() if rest else (1, 0)
    for n in reversed(lengths):
        while length == 1 and rest:
            length, stride = rest.pop()
        strides.append(stride if n > 1 else 0)
        if n > 1:
            length //= n
            stride *= n
    return tuple(reversed(strides))


def distinct(views: Sequence[View], size: int) -> tuple[list[View], Digits]:
    """Views of ``size`` elements without the repetitions that all of them have in common, and the digits with which
    what is made of these elements stands for all of them.

    >>> rows = View("x", 0, ((4, 1), (3, 0)))
    >>> distinct([rows, rows], 12)
    ([View(tensor='x', offset=0, digits=((4, 1),)), View(tensor='x', offset=0, digits=((4, 1),))], ((4, 1), (3, 0)))
    """
    lengths = refined(*(view.digits for view in views))
    if lengths is None or prod(lengths) != size or all(view.is_scalar for view in views):
        return list(views), contiguous(size)
    strides = [over(view.digits, lengths) for view in views]
    kept = [k for k in range(len(lengths)) if any(each[k] for each in strides)]
    digits = [(n, prod(lengths[j] for j in kept if j > k) if k in kept else 0) for k, n in enumerate(lengths)]
    pairs = zip(views, strides, strict=True)
    few = [View(view.tensor, view.offset, tidy([(lengths[k], each[k]) for k in kept])) for view, each in pairs]
    return few, tidy(digits)
