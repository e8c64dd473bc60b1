"""Byte pairs: which neighbours to join, learnt from counted words, and joining them."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

__all__ = ["PIECE", "apply_merges", "learn_merges", "token_bytes"]

# A word, or signs, with the blank before them; or blanks, of which the last goes to the word that follows. Every
# character is a letter, a sign or a blank, so the pieces put together are the text. Joining costs the square of a
# piece's length, so what is longer than 64 letters (no word) is cut: the whole then costs no more than its length.
PIECE = re.compile(r" ?\w{1,64}| ?[^\w\s]{1,64}|\s{1,64}(?!\S)|\s")
MOST = 64 << 20  # bytes of all tokens together: forty pairs, each of two times the last, would be a terabyte

Pair = tuple[int, int]


def learn_merges(counts: Mapping[bytes, int], most: int) -> list[Pair]:
    """Up to ``most`` pairs: each the most frequent one after the ones before it were joined, and seen twice at least.

    Of equally frequent pairs the smallest comes first, so that the result depends on the counts alone.

    >>> learn_merges({b"aab": 3, b"ab": 2}, 2)
    [(97, 98), (97, 256)]
    """
    words = [list(word) for word in counts]
    weights = list(counts.values())
    totals: Counter[Pair] = Counter()
    places: dict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in pairwise(word):
            totals[pair] += weights[number]
            places[pair].add(number)
    queue = [(-count, pair) for pair, count in totals.items()]
    heapq.heapify(queue)
    merges: list[Pair] = []
    while len(merges) < most and queue:
        count, best = heapq.heappop(queue)
        if -count != totals[best]:  # an entry of the time when the pair was more or less frequent
            continue
        if -count < 2:
            break
        changed: Counter[Pair] = Counter()
        for number in places.pop(best):
            before = words[number]
            after = joined(before, best, 256 + len(merges))
            words[number] = after
            for pair in pairwise(before):
                changed[pair] -= weights[number]
            for pair in pairwise(after):
                changed[pair] += weights[number]
                places[pair].add(number)
        merges.append(best)
        for pair, change in changed.items():
            if change:
                totals[pair] += change
                if totals[pair] > 0:
                    heapq.heappush(queue, (-totals[pair], pair))
    return merges


def joined(tokens: Sequence[int], pair: Pair, made: int) -> list[int]:
    """``tokens`` with every occurrence of ``pair``, from left to right, replaced by ``made``.

    >>> joined([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    found: list[int] = []
    k, end = 0, len(tokens)
    while k < end:
        if k + 1 < end and tokens[k] == pair[0] and tokens[k + 1] == pair[1]:
            found.append(made)
            k += 2
        else:
            found.append(tokens[k])
            k += 1
    return found


def apply_merges(tokens: list[int], ranks: Mapping[Pair, int]) -> list[int]:
    """Join the pairs in ``tokens`` in the order in which they were learnt.

    What a pair makes has a larger number than its parts, so ranks only rise: at most one round for every pair.
    """
    while len(tokens) > 1:
        rank, best = min((ranks.get(pair, len(ranks)), pair) for pair in pairwise(tokens))
        if rank == len(ranks):
            break
        tokens = joined(tokens, best, 256 + rank)
    return tokens


def token_bytes(merges: Sequence[Pair]) -> list[bytes]:
    """What every token stands for. Raises ``ValueError`` for a pair of tokens that come later, or too many bytes."""
    found = [bytes([number]) for number in range(256)]
    total = 256
    for rank, (left, right) in enumerate(merges):
        if not (0 <= left < len(found) and 0 <= right < len(found)):
            raise ValueError(f"merges[{rank}] = {left, right}")
        total += len(found[left]) + len(found[right])
        if total > MOST:
            raise ValueError(f"merges[{rank}]: {total} > {MOST} bytes")
        found.append(found[left] + found[right])
    return found
