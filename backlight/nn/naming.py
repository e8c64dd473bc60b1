"""Names that nobody chose, seeds that nobody chose, and the dtype that everything has unless told otherwise."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.nn.lookup import snake
from backlight.trace import user_source

__all__ = ["clear_session", "floatx", "next_seed", "set_floatx", "set_random_seed", "unique_name"]

_count: Counter[str] = Counter()
_seeds = random.Random(secrets.randbits(64))
_floatx = "float32"


def unique_name(kind: str) -> str:
    """``dense``, ``dense_1``, ``dense_2`` … for a class ``Dense``.

    >>> clear_session()
    >>> unique_name("Dense"), unique_name("Dense"), unique_name("Conv2D")
    ('dense', 'dense_1', 'conv2d')
    """
    name = snake(kind)
    number = _count[name]
    _count[name] += 1
    return f"{name}_{number}" if number else name


def clear_session() -> None:
    """Let the names of layers start again from the beginning."""
    _count.clear()


def next_seed() -> int:
    """A seed for something that was given none; all of them follow from ``set_random_seed``."""
    return _seeds.randrange(1 << 32)


def set_random_seed(seed: int) -> None:
    """Let everything random that has no seed of its own (first weights, dropout, shuffling) follow from this one.

    Python's ``random`` and NumPy's old global generator are seeded too, as Keras does.

    >>> set_random_seed(1)
    >>> first = next_seed()
    >>> set_random_seed(1)
    >>> next_seed() == first
    True

    Raises ``ArgumentError`` for anything but an integer from 0 to 2³²-1.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 1 << 32:
        raise ArgumentError(message("nn_seed", str(user_source() or ""), came=repr(seed)))
    _seeds.seed(int(seed))
    random.seed(int(seed))
    np.random.seed(int(seed))


def floatx() -> str:
    """The dtype of weights and of the arithmetic of layers that name no other: ``"float32"`` unless it was set.

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(dtype: Any) -> None:
    """Make ``"float32"`` or ``"float64"`` what layers use that name no dtype.

    Raises ``ArgumentError`` for another dtype.
    """
    global _floatx
    if dtype not in ("float32", "float64"):
        raise ArgumentError(message("nn_dtype", str(user_source() or ""), came=repr(dtype)))
    _floatx = dtype
