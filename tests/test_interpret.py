"""The executor gives what was recorded; replayed graphs can be differentiated; the stepper shows every value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight
from backlight.array import Array
from backlight.differentiate import pull_back
from backlight.errors import ArgumentError, BacklightError, DTypeError, LeakError, ShapeError
from backlight.graph import Graph
from backlight.interpret import Executor, Stepper, replay, run
from backlight.loops import scan, while_loop
from backlight.primitive import REGISTRY
from backlight.trace import Trace, constant, input_node


def network(w: Any, x: Any) -> Any:
    hidden = np.tanh(x @ w)
    return np.mean((hidden[:, 0] - 0.5) ** 2) + np.sum(np.maximum(w, 0.1))


def gradient_graph(f: Any, *values: Any, order: int = 1) -> Graph:
    """The graph from the inputs of ``f`` to its value and its first ``order`` gradients by the first input."""
    leaves = [backlight.array(value) for value in values]
    y = f(*leaves)
    outputs = [y]
    for _ in range(order):
        seed = Array(constant(np.ones(y.shape, y.dtype)))
        found = pull_back([y.node], [seed], [leaves[0].node])
        outputs.append(found[leaves[0].node])
        y = np.sum(outputs[-1] * np.cos(outputs[-1]))
    return Graph([leaf.node for leaf in leaves], [output.node for output in outputs])


W = np.linspace(-1.0, 1.2, 6).reshape(3, 2)
X = np.cos(np.arange(12.0)).reshape(4, 3)


def several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


PROGRAMS = {
    "network": lambda order: gradient_graph(network, W, X, order=order),
    "scalars": lambda order: gradient_graph(lambda x: x * np.sin(x) / (1 + x * x), 0.7, order=order),
    "shapes": lambda order: gradient_graph(
        lambda x: np.sum(np.concatenate([x.T, 2.0 * x[::-1].T], axis=1).reshape(-1)[::3] ** 3), W, order=order
    ),
    "indices": lambda order: gradient_graph(
        lambda x: np.sum(x[np.array([0, 2, 2]), 1] ** 2 * x[1:, 0].max()), W, order=order
    ),
    "single precision": lambda order: gradient_graph(network, W.astype(np.float32), X.astype(np.float32), order=order),
    "scan": lambda order: gradient_graph(
        lambda w, x: scan(lambda h, r: (np.tanh(h @ w + r[:2]), h), W[0], x)[0][0], W[:2], X, order=order
    ),
    "while": lambda order: gradient_graph(
        lambda x: while_loop(lambda y: y < 50.0, lambda y: y * y * x, 1.7), 1.3, order=order
    ),
}


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", PROGRAMS)
def test_run_equals_what_was_recorded(name: str, order: int) -> None:
    graph = PROGRAMS[name](order)
    outputs = run(graph, *[node.value for node in graph.inputs])
    for output, node in zip(outputs, graph.outputs, strict=True):
        np.testing.assert_array_equal(output, node.value)
        assert output.dtype == node.dtype
        assert type(output) is type(node.value)


def test_run_on_other_inputs() -> None:
    graph = gradient_graph(network, W, X)
    other = np.sin(W)
    value, gradient = run(graph, other, X)
    assert value == pytest.approx(float(network(other, X)), rel=1e-14)
    np.testing.assert_allclose(gradient, backlight.grad(network)(other, X), rtol=1e-13)


def test_executor_runs_again_and_again_and_keeps_nothing() -> None:
    graph = gradient_graph(network, W, X)
    executor = Executor(graph)
    first = executor(W, X)
    executor(2 * W, X)
    for a, b in zip(first, executor(W, X), strict=True):
        np.testing.assert_array_equal(a, b)


def test_values_are_freed_after_their_last_reader() -> None:
    alive: list[int] = []
    counted = 0

    class Tracked(np.ndarray[Any, Any]):
        def __array_finalize__(self, source: Any) -> None:
            nonlocal counted
            counted += 1

        def __del__(self) -> None:
            nonlocal counted
            counted -= 1
            alive.append(counted)

    x = backlight.array(np.ones(4))
    y = x
    for _ in range(50):
        y = y + x
    executor = Executor(Graph([x.node], [y.node]))
    before = counted
    executor(np.ones(4).view(Tracked))
    assert len(alive) > 40
    assert max(alive) - before < 8


def test_a_graph_without_inputs_and_one_whose_output_is_an_input() -> None:
    x = backlight.array(2.0)
    y = x * 3.0
    assert run(Graph([], [y.node])) == (6.0,)
    assert run(Graph([x.node], [x.node, x.node]), 5.0) == (5.0, 5.0)
    assert run(Graph([y.node], [x.node]), 5.0) == (2.0,)


def test_an_intermediate_value_may_be_an_input() -> None:
    x = backlight.array(2.0)
    y = x * 3.0
    z = y * y + x
    assert run(Graph([y.node], [z.node]), 10.0) == (102.0,)


def test_bad_inputs_are_refused() -> None:
    graph = gradient_graph(network, W, X)
    with pytest.raises(ArgumentError, match="2 inputs, but 1"):
        run(graph, W)
    with pytest.raises(ShapeError, match=r"input 1.*\(4, 3\).*\(3, 4\)".replace("input", "Input")):
        run(graph, W, X.T)
    with pytest.raises(DTypeError, match="complex128"):
        run(graph, W + 0j, X)


@pytest.mark.parametrize("name", PROGRAMS)
def test_stepper_walks_every_node(name: str) -> None:
    graph = PROGRAMS[name](1)
    stepper = Stepper(graph, *[node.value for node in graph.inputs])
    seen = []
    for node, value in stepper:
        seen.append(node)
        assert stepper.values[node] is value
        for part, recorded in zip(several(value), several(node.value), strict=True):
            assert part.shape == recorded.shape
            np.testing.assert_array_equal(part, recorded)
    assert tuple(seen) == graph.nodes
    for output, node in zip(stepper.outputs, graph.outputs, strict=True):
        np.testing.assert_array_equal(output, node.value)


@pytest.mark.parametrize("name", PROGRAMS)
def test_replay_gives_the_same_values_and_gradients(name: str) -> None:
    graph = PROGRAMS[name](1)
    again = [backlight.array(node.value) for node in graph.inputs]
    outputs = replay(graph, again)
    for output, node in zip(outputs, graph.outputs, strict=True):
        np.testing.assert_array_equal(output.value, node.value)
    seed = Array(constant(np.ones(outputs[1].shape)))
    twice = pull_back([outputs[1].node], [seed], [again[0].node])[again[0].node]
    was = pull_back([graph.outputs[1]], [seed], [graph.inputs[0]])[graph.inputs[0]]
    np.testing.assert_allclose(twice.value, was.value, rtol=1e-14)


def test_replay_keeps_provenance() -> None:
    x = backlight.array([1.0, 2.0])
    squares = x * x
    graph = Graph([x.node], [squares.node])
    (again,) = replay(graph, [backlight.array([3.0, 4.0])])
    assert again.node.name == "squares"
    assert again.node.source == squares.node.source
    gradients = gradient_graph(lambda x: x * np.exp(x), 0.5)
    (_, gradient) = replay(gradients, [backlight.array(0.5)])
    fresh = Graph([], [gradient.node])
    origins = [node.origin for node in fresh if node.origin is not None]
    assert origins
    assert all(origin.node in fresh.nodes for origin in origins if origin.node.primitive is REGISTRY.exp)


def test_replay_flows_to_what_is_open_and_freezes_what_is_closed() -> None:
    with Trace("over") as trace:
        x = Array(input_node(np.array(2.0), "x"))
        y = x * np.exp(x)
        part = Graph([y.node], [(y * x).node])
    assert not trace.open
    (again,) = replay(part, [backlight.array(3.0)])
    assert float(again) == 6.0
    with pytest.raises(LeakError):
        replay(part, [x])
    with pytest.raises(BacklightError):
        replay(part, [backlight.array([3.0])])


def test_replay_casts_its_inputs_and_stays_differentiable() -> None:
    x = backlight.array(np.float32(2.0))
    graph = Graph([x.node], [(x * x).node])
    wide = backlight.array(3.0)
    (again,) = replay(graph, [wide])
    assert again.dtype == np.float32
    again.backward()
    assert float(wide.grad) == 6.0


def test_a_chain_of_100000_operations_runs() -> None:
    x = backlight.array(1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    graph = Graph([x.node], [y.node])
    assert run(graph, 2.0) == (200_002.0,)
    (again,) = replay(graph, [backlight.array(3.0)])
    assert float(again) == 300_003.0
