"""A case: one public name with some of its options, and the numbers that both sides find for it.

Everything that is compared is one: rows of the tables become cases, cases yield pairs, and one function says how far
the two of a pair are apart. Peers are imported where they are first needed: the tables can be read without them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

import backlight
from backlight import keras as own
from backlight.nn.naming import set_floatx

__all__ = [
    "DTYPES", "EPSILON", "TOLERANCE", "Case", "Finding", "Pair", "apart", "compared", "difference", "judge", "keras",
    "leaves", "only_keras", "ours", "plain", "rng", "text", "torch", "use",
]  # fmt: skip

DTYPES = ("float32", "float64")
EPSILON = float(np.finfo(np.float32).eps)
TOLERANCE = 128 * EPSILON
"""How far apart two values may be, relative to the largest of Keras's: 1.5e-5.

Sums of some hundred terms in another order, and a dozen functions good to a few units in the last place, differ by some
ten units of float32; no formula that is another stays below a hundred. The same bound holds in float64, where Keras
keeps constants, rates and some products in float32.
"""
SMALLEST = 0.01  # of what is smaller than this everywhere, the rounding of what it was made of is what differs

Tree = Any


class Pair(NamedTuple):
    """What the two sides found: trees of the same form."""

    peer: str
    what: str  #: "value", "gradient", "state", "decision"
    ours: Tree
    theirs: Tree


class Case(NamedTuple):
    """``found(dtype)`` yields what is to be compared."""

    family: str
    name: str  #: as ``backlight.keras`` calls it
    options: Mapping[str, Any]  #: those that are given
    found: Callable[[str], Iterator[Pair]]
    note: str = ""  #: what else is special: the data, a mask
    dtypes: Sequence[str] = DTYPES
    tolerance: float = TOLERANCE

    @property
    def label(self) -> str:
        given = ", ".join(f"{name}={text(value)}" for name, value in self.options.items())
        return f"{self.name}({given})" + f" {self.note}" * bool(self.note)


class Finding(NamedTuple):
    """The largest difference of a case for each peer and kind of number; ``error`` where there is none."""

    case: Case
    apart: dict[tuple[str, str, str], float]  #: (dtype, peer, what) -> difference
    error: str = ""

    @property
    def largest(self) -> float:
        return max(self.apart.values(), default=np.inf)

    @property
    def within(self) -> bool:
        return not self.error and self.largest <= self.case.tolerance


def text(value: Any) -> str:
    """An option as the report prints it."""
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    return repr(value) if not callable(value) or isinstance(value, type) else getattr(value, "__name__", "function")


def named(module: Any, path: str) -> Any:
    return attrgetter(path)(module) if path else module


def keras(path: str) -> Any:
    """``keras("layers.Dense")``."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return named(import_module("keras"), path)


def only_keras(path: str) -> bool:
    """Whether Keras has it."""
    try:
        keras(path)
    except AttributeError:
        return False
    return True


def torch(path: str) -> Any:
    """``torch("nn.functional.relu")``."""
    return named(import_module("torch"), path)


def ours(path: str) -> Any:
    """The same name here."""
    return named(own, path)


def use(dtype: str) -> None:
    """Let both compute with numbers of this kind where nothing else is said."""
    keras("config.set_floatx")(dtype)
    keras("config.set_dtype_policy")(dtype)
    set_floatx(dtype)


def rng(case: str) -> np.random.Generator:
    """The random numbers of a case, the same in every run and whichever cases run before."""
    return np.random.default_rng(list(case.encode()))


def leaves(tree: Tree) -> list[Any]:
    """What a nested list or tuple holds."""
    return [leaf for each in tree for leaf in leaves(each)] if isinstance(tree, list | tuple) else [tree]


def plain(x: Any) -> Any:
    """An array of NumPy's of anybody's array."""
    if hasattr(x, "detach"):
        return x.detach().cpu().numpy()
    if isinstance(x, backlight.Array):
        return x.value
    return np.asarray(keras("ops.convert_to_numpy")(x) if type(x).__module__.startswith("keras") else x)


def difference(found: Tree, known: Tree, least: float = SMALLEST) -> float:
    """How far apart two trees are: the largest difference of an array, divided by the largest number of the known one.

    That is at least ``least``. Infinite for another form, and for what is no number and not equal.
    """
    if isinstance(found, Mapping) and isinstance(known, Mapping):
        found, known = list(found.items()), list(known.items())
    if isinstance(found, list | tuple) and isinstance(known, list | tuple):
        if len(found) != len(known):
            return np.inf
        return max((difference(one, other, least) for one, other in zip(found, known, strict=True)), default=0.0)
    if any(isinstance(x, str | bytes | type(None) | list | tuple | Mapping | type) for x in (found, known)):
        return 0.0 if type(found) is type(known) and found == known else np.inf
    found, known = (np.asarray(plain(x), np.float64) for x in (found, known))
    if found.shape != known.shape:
        return np.inf
    same = (found == known) | (np.isnan(found) & np.isnan(known))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(found - known))
    largest = float(np.max(apart, initial=0.0)) / max(least, size(known))
    return largest if largest == largest else np.inf


def size(x: Any) -> float:
    """The largest finite number."""
    x = np.abs(np.asarray(plain(x), np.float64))
    return float(np.max(x[np.isfinite(x)], initial=0.0))


def apart(pair: Pair) -> float:
    """How far apart the two sides are.

    Among the gradients of one projection some are 0 but for rounding (of a bias that softmax does not notice, say): of
    each, differences below a tenth of the largest count as relative to that.
    """
    gradients = pair.what == "gradient"
    least = max([SMALLEST, *(0.1 * size(each) for each in pair.theirs)]) if gradients else SMALLEST
    return difference(pair.ours, pair.theirs, least)


def judge(case: Case) -> Finding:
    """Compare what both sides find."""
    found: dict[tuple[str, str, str], float] = {}
    try:
        for dtype in case.dtypes:
            for pair in case.found(dtype):
                key = (dtype, pair.peer, pair.what)
                found[key] = max(found.get(key, 0.0), apart(pair))
    except Exception as error:  # of either side: a case that cannot be compared counts as a difference
        line = str(error).strip().splitlines()
        return Finding(case, found, f"{type(error).__name__}: {line[0] if line else ''}")
    return Finding(case, found)


def compared(
    mine: Callable[..., Any],
    theirs: Callable[..., Any],
    arrays: Sequence[Any],
    peer: str = "Keras",
    slopes: bool = True,
) -> Iterator[Pair]:
    """Values, and the gradients of a random projection of them by every array of real numbers.

    Both take the arrays, and give ``(outputs, what is kept)``.
    """
    tensor, flags = torch("tensor"), [x.dtype.kind == "f" for x in arrays]
    tensors = [tensor(x).requires_grad_(slopes and real) for x, real in zip(arrays, flags, strict=True)]
    known, kept = theirs(*tensors)
    known = leaves(known)
    found, states = mine(*arrays)
    yield Pair(peer, "value", leaves(found), known)
    if kept:
        yield Pair(peer, "state", states, kept)
    inner = [number for number, y in enumerate(known) if getattr(y, "requires_grad", False)]
    if not slopes or not inner:
        return
    draws = np.random.default_rng(7)
    seeds = [draws.normal(size=tuple(known[k].shape)).astype(plain(known[k]).dtype) for k in inner]
    total = sum((known[k] * tensor(seed)).sum() for k, seed in zip(inner, seeds, strict=True))
    wanted = [x for x, real in zip(tensors, flags, strict=True) if real]
    gradients = torch("autograd.grad")(total, wanted, allow_unused=True)
    known = [np.zeros(tuple(x.shape)) if g is None else g for g, x in zip(gradients, wanted, strict=True)]

    def projected(*floats: Any) -> Any:
        rest = iter(floats)
        outputs = leaves(mine(*(next(rest) if real else x for x, real in zip(arrays, flags, strict=True)))[0])
        return sum(np.sum(outputs[k] * seed) for k, seed in zip(inner, seeds, strict=True))

    floats = [x for x, real in zip(arrays, flags, strict=True) if real]
    found = backlight.grad(projected, argnums=tuple(range(len(floats))))(*floats)
    yield Pair(peer, "gradient", list(found), known)
