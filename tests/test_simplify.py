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
    "transpose last": lambda x: P.transpose(np.exp(P.transpose(x, axes=(1, 0))) * 2, axes=(1, 0)),
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


def test_transposes_go_last_together_with_what_is_the_same_along_them() -> None:
    x, b = backlight.array(X.reshape(1, 2, 3)), backlight.array([1.0, 2.0])
    turned = P.transpose(x, axes=(2, 0, 1))
    y = np.where(turned > 0, turned * b, np.exp(turned) - 1)
    graph = Graph([x.node, b.node], [P.transpose(y, axes=(1, 2, 0)).node])
    smaller, _ = simplify(graph)
    assert [node for node in smaller.nodes if node.primitive is P.transpose and node.inputs[0] is x.node] == []
    assert smaller.outputs[0].primitive is not P.transpose
    other = np.cos(X.reshape(1, 2, 3)), np.array([3.0, -1.0])
    assert run(graph, *other)[0].tobytes() == run(smaller, *other)[0].tobytes()


def test_what_is_transposed_in_two_ways_stays_as_it_is() -> None:
    x = backlight.array(X.reshape(1, 2, 3))
    one, other = P.transpose(x, axes=(0, 1, 2)[::-1]), backlight.array(np.ones((3, 2, 1)))
    for y in (one + other, one + P.transpose(P.transpose(other, axes=(1, 0, 2)), axes=(1, 0, 2))):
        _, log = simplify(Graph([x.node, other.node], [y.node]))
        assert "transpose last" not in [rewrite.rule.name for rewrite in log]


def test_nothing_is_looked_for_behind_an_input() -> None:
    x = backlight.array(X)
    turned = P.transpose(x, axes=(1, 0))
    smaller, log = simplify(Graph([turned.node], [np.exp(turned).node]))
    assert not log
    assert smaller.inputs == (turned.node,)


def test_what_is_rewritten_is_still_computed_once() -> None:
    x = backlight.array(X)
    turned = P.transpose(x, axes=(1, 0))
    y = np.exp(turned) * np.exp(turned)
    smaller, _ = simplify(Graph([x.node], [y.node]))
    assert sum(node.operation == "exp" for node in smaller.nodes) == 1
