"""Trees as people have them: keys in another order, odd containers, dataclasses with more than parameters."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

import backlight
from backlight import grad, jvp, tree_map, vjp, vmap
from backlight.errors import ArgumentError


def test_trees_are_matched_by_key() -> None:
    assert tree_map(lambda a, b: (a, b), {"a": 1, "b": 2}, {"b": 20, "a": 10}) == {"a": (1, 10), "b": (2, 20)}
    assert jvp(lambda d: d["a"] * 10 + d["b"], ({"a": 1.0, "b": 2.0},), ({"b": 0.0, "a": 1.0},)) == (12.0, 10.0)
    _, pullback = vjp(lambda x: {"a": x, "b": 10 * x}, 1.0)
    assert pullback({"b": 0.0, "a": 1.0}) == (1.0,)
    x = backlight.array(1.0)
    with backlight.GradientTape() as tape:
        target = {"a": x * 1, "b": x * 10}
    assert float(tape.gradient(target, x, {"b": 0.0, "a": 1.0})) == 1.0
    branches = vmap(lambda x: {"a": x, "b": 2 * x} if x > 0 else {"b": 2 * x, "a": x})(np.array([1.5, -1.0]))
    assert branches["a"].tolist() == [1.5, -1.0]


def test_trees_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArgumentError, match="nested differently"):
        tree_map(lambda a, b: a, {"a": 1, "b": 2}, {"a": 10})
    with pytest.raises(ArgumentError, match="nested differently"):
        tree_map(lambda a, b: a, {"a": 1}, {"b": 10})
    with pytest.raises(ArgumentError, match="nested differently"):
        jvp(lambda d: d[0] * d[1], ([1.0, 2.0],), ([1.0],))
    with pytest.raises(ArgumentError, match="nested differently"):
        vjp(lambda x: (x, x), 1.0)[1]((1.0, None))


def test_arguments_without_leaves() -> None:
    for empty in (None, {}, []):
        assert jvp(lambda nothing, x: 2 * x, (empty, 3.0), (empty, 1.0)) == (6.0, 2.0)


class Pair(NamedTuple):
    a: Any
    b: Any = 0.5


class Checked(Pair):
    def __new__(cls, a: Any) -> Checked:
        return super().__new__(cls, a, 2.0)


def test_containers_come_back_as_they_were() -> None:
    ragged = defaultdict(list, a=np.ones(2))
    found = grad(lambda d: np.sum(d["a"] ** 2) + len(d["missing"]))(ragged)
    assert type(found) is defaultdict
    assert found.default_factory is list
    assert found["a"].tolist() == [2.0, 2.0]
    assert grad(lambda d: d["a"] ** 2)(Counter(a=2.5)) == Counter(a=5.0)
    assert type(grad(lambda d: d["a"] ** 2)(OrderedDict(a=2.5))) is OrderedDict
    pair = grad(lambda p: p.a * p.b)(Checked(3.0))
    assert type(pair) is Checked
    assert tuple(pair) == (2.0, 3.0)


@dataclass
class Model:
    w: Any
    calls: int = field(init=False, default=0)
    scale: float = field(init=False, default=1.0)
    running: Any = field(init=False, default_factory=lambda: np.zeros(2))

    def __post_init__(self) -> None:
        self.w = np.asarray(self.w, float)


def test_fields_that_the_constructor_does_not_take() -> None:
    model = Model([1.0, 2.0])
    model.calls, model.scale, model.running = 3, 5.0, np.array([7.0, 11.0])
    seen = []

    def loss(m: Model) -> Any:
        seen.append((m.calls, m.scale))
        return np.sum(m.w * m.scale * m.running)

    found = grad(loss)(model)
    assert seen == [(3, 5.0)]
    assert found.w.tolist() == [35.0, 55.0]
    assert found.running.tolist() == [5.0, 10.0]
    assert (found.calls, found.scale) == (3, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    w: Any
    b: Any = None


def test_frozen_slotted_keyword_dataclass() -> None:
    assert grad(lambda m: m.w**2)(Frozen(w=3.0)) == Frozen(w=6.0)
