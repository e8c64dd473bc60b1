"""Every rewrite keeps every bit, and is told."""

from __future__ import annotations

import numpy as np
import pytest

import backlight
from backlight.graph import Graph
from backlight.interpret import run
from backlight.primitive import REGISTRY as P
from backlight.simplify import RULES, simplify

X = np.sin(np.arange(6.0)).reshape(2, 3)

PROGRAMS = {
    "drop identity": lambda x: np.exp(P.identity(x)),
    "drop unchanged": lambda x: P.reshape(P.cast(np.exp(x), dtype=np.dtype(float)), shape=(2, 3)),
    "merge reshapes": lambda x: np.exp(P.reshape(P.reshape(x, shape=(6,)), shape=(3, 2))),
    "merge transposes": lambda x: np.exp(P.transpose(P.transpose(x, axes=(1, 0)), axes=(1, 0))),
    "merge broadcasts": lambda x: P.broadcast_to(P.broadcast_to(x, shape=(2, 2, 3)), shape=(4, 2, 2, 3)),
    "cancel negatives": lambda x: np.exp(np.negative(-x)),
    "cancel conjugates": lambda x: P.conjugate(P.conjugate(x + 1j)),
    "compute once": lambda x: np.exp(x) * np.exp(x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_rule_fires_and_keeps_every_bit(name: str) -> None:
    x = backlight.array(X)
    graph = Graph([x.node], [PROGRAMS[name](x).node])
    smaller, log = simplify(graph)
    assert name in [rewrite.rule.name for rewrite in log]
    assert len(smaller) < len(graph)
    other = np.cos(X)
    (before,), (after,) = run(graph, other), run(smaller, other)
    assert before.dtype == after.dtype
    assert before.tobytes() == after.tobytes()


def test_every_rule_is_exercised_and_gives_a_reason() -> None:
    assert {rule.name for rule in RULES} < set(PROGRAMS)
    assert all(rule.reason for rule in RULES)


def test_outputs_and_inputs_stay() -> None:
    x = backlight.array(X)
    y = P.identity(x)
    smaller, _ = simplify(Graph([x.node], [y.node]))
    assert smaller.inputs == (x.node,)
    assert smaller.outputs == (x.node,)


def test_different_parameters_are_different_mappings() -> None:
    x = backlight.array(X)
    y = P.sum(x, axis=(0,)), P.sum(x, axis=(1,))
    smaller, log = simplify(Graph([x.node], [part.node for part in y]))
    assert not log
    assert [node.shape for node in smaller.outputs] == [(3,), (2,)]
