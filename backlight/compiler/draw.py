"""Random numbers as machine code: Philox4x32-10 in vector registers, the same words as ``backlight.philox`` makes.

A block is four words c0 c1 c2 c3; a round multiplies c0 and c2 and crosses the products:

    hi0 lo0 = M0 · c0,  hi1 lo1 = M1 · c2;   c0, c1, c2, c3 = hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0

Seen as two lanes of 64 bits, c0 and c2 are the lower halves, which the processor's 32 x 32 -> 64 bit multiplication
takes, and the two products read backwards are the new state but for the xor. So a round is four instructions for as
many blocks as fit into a register, and the words come out in the order of the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.expression import evaluate, memory_kind
from backlight.compiler.ir import Function, Value, lanes, vector
from backlight.compiler.strips import pieces_for, share, short, store_strip, strips
from backlight.ops.random import _CENTRE, _FAR, _TAIL

__all__ = ["Drawing", "Stream", "draw_element", "draw_pieces", "draw_vector", "emit_draw"]

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_DOMAINS = {"split": 1, "fold": 2}
_CHUNK = 4096  # numbers of one key that are drawn in one go
_FLOAT64 = np.dtype(np.float64)


class Drawing(NamedTuple):
    """``each`` numbers of a distribution for each of ``keys`` keys of ``key_words`` (2 or 4) words.

    Pointers: the numbers, the keys.
    """

    distribution: str
    keys: int
    key_words: int
    each: int
    dtype: Any


def draw_pieces(drawing: Drawing, width: int) -> int:
    """Into how many pieces the draw is cut."""
    return pieces_for(2 * drawing.keys * drawing.each, drawing.keys * _chunks(drawing))


def _chunks(drawing: Drawing) -> int:
    """Into how many parts the numbers of one key are cut."""
    return -(-drawing.each // _CHUNK) if drawing.keys < 16 else 1


def emit_draw(
    b: Function, drawing: Drawing, pointers: Sequence[Value], piece: Value, width: int,
    scratch: Any = None, status: Any = None,
) -> None:  # fmt: skip
    """One piece of a draw."""
    if not drawing.keys * drawing.each:
        return
    out, keys = pointers
    kind = memory_kind(drawing.dtype)
    chunks = _chunks(drawing)
    wide = max(4, short(drawing.each, width))
    first, last = share(piece, draw_pieces(drawing, width), drawing.keys * chunks)
    with b.loop(last, first) as unit:
        row = unit // chunks if chunks > 1 else unit
        key = b.at(keys, row * drawing.key_words, "i32")
        words = [b.load(b.at(key, k, "i32"), "i32") for k in range(drawing.key_words)]
        stream = Stream(b, drawing.distribution, drawing.dtype, words, wide)
        place = b.at(out, row * drawing.each, kind)
        start = b.const("i64", 0)
        count: Any = drawing.each
        if chunks > 1:
            start = (unit % chunks) * _CHUNK
            rest = drawing.each - start
            count = rest.lt(_CHUNK).select(rest, _CHUNK) if drawing.each % _CHUNK else _CHUNK

        def work(at: Value, mask: Value | None) -> None:
            store_strip(b, stream(start + at), b.at(place, start + at, kind), 1, mask)

        strips(b, count, wide, work, together=1)


# -- Numbers in registers ------------------------------------------------------------------------------------------


class Stream:
    """The numbers of one key in registers, ``width`` (a power of two) at a time.

    Made before a loop, it computes there what depends on the key alone. Within the loop ``stream(first)`` are the
    numbers ``first`` … ``first + width - 1``, where ``first`` is a multiple of ``width``.
    """

    def __init__(self, b: Function, distribution: str, dtype: Any, key_words: Sequence[Value], width: int) -> None:
        self.b = b
        self.distribution = distribution
        self.dtype = np.dtype(np.uint32 if distribution in _DOMAINS else dtype)
        self.width = width
        self.words_each = 2 if self.dtype.itemsize == 8 else 1
        words = width * self.words_each
        self.words = max(4, words)
        self.domain = _DOMAINS.get(distribution, 0)
        self.keys = self._round_keys(key_words[0], key_words[1])
        self.branch = self._pairs(key_words[2], key_words[3]) if len(key_words) == 4 else None

    def _round_keys(self, k0: Value, k1: Value) -> list[Value]:
        """For every round, k0 0 k1 0 in each block."""
        b = self.b
        place = b.put_lane(b.put_lane(b.constants("i32", [0] * 4), 0, k0), 2, k1)
        key = b.shuffle(place, place, [lane % 4 for lane in range(self.words)])
        growth = b.constants("i32", [_signed([_W0, 0, _W1, 0][lane % 4]) for lane in range(self.words)])
        keys = [key]
        for _ in range(_ROUNDS - 1):
            keys.append(keys[-1] + growth)
        return keys

    def _pairs(self, c2: Value, c3: Value) -> Value:
        """0 0 c2 c3 in each block, as lanes of 64 bits."""
        b = self.b
        place = b.put_lane(b.put_lane(b.constants("i32", [0] * 4), 2, c2), 3, c3)
        return _as_lanes(b.shuffle(place, place, [lane % 4 for lane in range(self.words)]), "i64")

    def _philox(self, block: Value) -> Value:
        """The words of the blocks from number ``block`` on."""
        b, pairs = self.b, self.words // 2
        number = block + (self.domain << 56) if self.domain else block
        state = b.splat(number, pairs) + b.constants("i64", [lane // 2 for lane in range(pairs)])
        state = state & b.constants("i64", [-1, 0] * (pairs // 2))
        if self.branch is not None:
            state = state | self.branch
        factors = b.constants("i64", [_M0, _M1] * (pairs // 2))
        backwards = [lane ^ 3 for lane in range(self.words)]
        for key in self.keys:
            products = _as_lanes((state & 0xFFFFFFFF) * factors, "i32")
            crossed = b.shuffle(products, products, backwards)
            state = _as_lanes(crossed ^ _as_lanes(state >> 32, "i32") ^ key, "i64")
        return _as_lanes(state, "i32")

    def __call__(self, first: Value) -> Value:
        b = self.b
        wanted = self.width * self.words_each
        if wanted >= 4:
            words = self._philox((first * self.words_each) >> 2)
        else:
            at = first * self.words_each
            block = self._philox(at >> 2)
            offset = at & 3
            words = b.const(vector("i32", wanted), 0)
            for lane in range(wanted):
                one = b.write("i32", f"extractelement {block.kind} {block.text}, i64 {(offset + lane).text}")
                words = b.put_lane(words, lane, one)
        return self._number(words)

    def _number(self, words: Value) -> Value:
        """What the distribution makes of the words."""
        dtype = self.dtype
        if self.distribution in _DOMAINS:
            return words
        if self.distribution == "bits":
            size = 8 * dtype.itemsize
            return _swapped(words) if size == 64 else (words >> (32 - size)).to_int(memory_kind(dtype))
        if self.distribution == "normal":
            return self._normal(words)
        open_ended = self.distribution == "open_uniform"
        if dtype.itemsize == 8:
            return _open_fraction(_swapped(words) >> 12) if open_ended else _fraction(_as_lanes(words, "i64"))
        if open_ended:
            return ((words >> 9).to_float("float") + 0.5) * 0.5**23
        return (words >> 8).to_float("float") * 0.5**24

    def _normal(self, words: Value) -> Value:
        if self.dtype.itemsize == 8:
            return _quantile(self.b, _open_fraction(_swapped(words) >> 12), far=True)
        # 2²⁰ + k · 2⁻³², whose significand ends in k, less what makes it (k + 1/2) · 2⁻³².
        wide = words.to_int("i64", signed=False) | 0x4130000000000000
        p = wide.bitcast("double") - (2.0**20 - 0.5**33)
        return _quantile(self.b, p, far=False).to_float("float")


def draw_vector(
    b: Function, distribution: str, dtype: Any, key_words: Sequence[Value], first: Value, width: int
) -> Value:
    """The numbers ``first`` … ``first + width - 1`` of a key's stream, ``first`` a multiple of ``width``."""
    return Stream(b, distribution, dtype, key_words, width)(first)


def draw_element(b: Function, distribution: str, dtype: Any, key_words: Sequence[Value], index: Value) -> Value:
    """Number ``index`` of a key's stream, a scalar."""
    return b.lane(Stream(b, distribution, dtype, key_words, 1)(index), 0)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _as_lanes(x: Value, kind: str) -> Value:
    """The same register seen as lanes of another size."""
    count = lanes(x.kind) * (32 if "i32" in x.kind else 64) // (32 if kind == "i32" else 64)
    return x.b.write(vector(kind, count), f"bitcast {x.kind} {x.text} to {vector(kind, count)}")


def _swapped(words: Value) -> Value:
    """Pairs of words as numbers of 64 bits, the first word on top."""
    pairs = _as_lanes(words, "i64")
    return (pairs << 32) | (pairs >> 32)


def _fraction(pairs: Value) -> Value:
    """k · 2⁻⁵³ for the upper 53 bits k of a pair of words, whose first word is the lower half of the lane.

    A word put at the end of the significand of 2²⁰, or of 1/2, stands for itself times 2⁻³², or 2⁻⁵³; all exact, and
    on every processor faster than converting integers of 64 bits.
    """
    upper = ((pairs & 0xFFFFFFFF) | 0x4130000000000000).bitcast("double") - 2.0**20
    lower = ((pairs >> 43) | 0x3FE0000000000000).bitcast("double") - 0.5
    return upper + lower


def _open_fraction(k: Value) -> Value:
    """(k + 1/2) · 2⁻⁵² for numbers k of 52 bits: the significand of a number from 1 to 2."""
    return (k | 0x3FF0000000000000).bitcast("double") - (1.0 - 0.5**53)


def _quantile(b: Function, p: Value, far: bool) -> Value:
    """Φ⁻¹(p) for 0 < p < 1 as ``normal_quantile`` computes it; ``far``: whether p may be below e⁻²⁵."""
    kind = p.kind
    q = p - 0.5
    size = b.intrinsic("fabs", q)
    tail = size.gt(0.425)
    lower = q.lt(0.0).select(p, 0.5 - q)
    r = b.intrinsic("sqrt", -evaluate(b, ("log", "x0"), [lower], [_FLOAT64], _FLOAT64))
    argument = tail.select(r - 1.6, 0.180625 - q * q)
    above, below = (
        _polynomial(argument, [tail.select(b.const(kind, t), b.const(kind, c)) for t, c in zip(*rows, strict=True)])
        for rows in zip(_TAIL, _CENTRE, strict=True)
    )
    result = b.variable(kind, above / below)
    if far:
        beyond = r.gt(5.0) & tail
        with b.when(b.intrinsic("vector.reduce.or", beyond, returns="i1")):
            above, below = (_polynomial(r - 5.0, [b.const(kind, c) for c in row]) for row in _FAR)
            result.set(beyond.select(above / below, result.get()))
    return result.get() * tail.select(b.intrinsic("copysign", b.const(kind, 1.0), q), q)


def _polynomial(x: Value, coefficients: Sequence[Value]) -> Value:
    total = coefficients[0]
    for each in coefficients[1:]:
        total = total * x + each
    return total
