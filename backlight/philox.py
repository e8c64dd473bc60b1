"""Philox4x32-10: random bits as a function of a counter and a key.

Ten rounds of multiplying, crossing and adding turn a 128-bit counter and a 64-bit key into 128 bits that pass every
statistical test known (BigCrush), with no state in between: any block can be computed on its own, in any order, on
any machine, and is the same. J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["philox", "words"]

_M0, _M1 = 0xD2511F53, 0xCD9E8D57  # the multipliers
_W0, _W1 = 0x9E3779B9, 0xBB67AE85  # what the key grows by each round: the golden ratio and √3 - 1
_LOW, _HALF = 0xFFFFFFFF, 32
_ROUNDS = 10
_CHUNK = 1 << 13  # blocks at a time, so that the eight working rows stay in the cache


def philox(counter: Any, key: Any) -> Any:
    """The 4 words of every counter: ``counter`` (…, 4) and ``key`` (…, 2) of 32-bit words, broadcast over ``…``.

    >>> import numpy as np
    >>> [hex(word) for word in philox(np.zeros(4, np.uint32), np.zeros(2, np.uint32))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    counter, key = np.asarray(counter, np.uint64), np.asarray(key, np.uint64)
    batch = np.broadcast_shapes(counter.shape[:-1], key.shape[:-1])
    c = [np.broadcast_to(counter[..., i], batch).copy() for i in range(4)]
    k = [key[..., i] for i in range(2)]
    return np.stack(_rounds(c, k), axis=-1).astype(np.uint32)


def _rounds(c: Sequence[Any], k: Sequence[Any]) -> list[Any]:
    """Ten rounds on four rows of words, each held in 64 bits so that a product keeps its upper half; or on four words
    as Python's integers, which for a single block is many times quicker."""
    c0, c1, c2, c3 = c
    k0, k1 = k
    for round_number in range(_ROUNDS):
        if round_number:
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        p0, p1 = c0 * _M0, c2 * _M1
        c1 ^= p1 >> _HALF
        c1 ^= k0
        c3 ^= p0 >> _HALF
        c3 ^= k1
        c0, c1, c2, c3 = c1, p1 & _LOW, c3, p0 & _LOW
    return [c0, c1, c2, c3]


def words(key: Any, count: int, domain: int = 0) -> Any:
    """The first ``count`` words of the stream of ``key``: word i is word i % 4 of block i // 4.

    ``key`` is (…, 2), or (…, 4) where two more words choose among the streams of one key; the result is (…, count).
    ``domain`` (0 … 255) keeps apart what the words are for. The counter of a block is its number (56 bits), the domain
    and the two stream words.

    >>> import numpy as np
    >>> key = np.array([1, 2], np.uint32)
    >>> bool((words(key, 10) == words(key, 1000)[:10]).all())
    True
    """
    key = np.asarray(key, np.uint64)
    keys = key.reshape(-1, key.shape[-1])
    blocks = -(-count // 4)
    out = np.empty((len(keys) * blocks, 4), np.uint32)
    if len(out) == 1:
        k0, k1, *stream = map(int, keys[0])
        out[0] = _rounds([0, domain << 24, *(stream or (0, 0))], [k0, k1])
        return out.reshape(*key.shape[:-1], 4)[..., :count]
    for first in range(0, len(out), _CHUNK):
        row, block = np.divmod(
            np.arange(first, min(first + _CHUNK, len(out)), dtype=np.uint64), np.uint64(max(blocks, 1))
        )
        k0, k1, *stream = keys[row].T.copy() if len(keys) > 1 else keys[0]
        c2, c3 = (np.full(len(block), word) for word in (stream or (np.uint64(0), np.uint64(0))))
        counter = [block & _LOW, (block >> _HALF) | np.uint64(domain << 24), c2, c3]
        for i, made in enumerate(_rounds(counter, [k0, k1])):
            out[first : first + len(block), i] = made
    return out.reshape(*key.shape[:-1], blocks * 4)[..., :count]
