"""Cheaper loops compute the same: forward, backward, twice backward, nested, of any length, and with any body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backlight
from backlight.compiler.hoist import hoisted
from backlight.compiler.native import Native
from backlight.compiler.recording import trace_call
from backlight.graph import Graph, Node
from backlight.interpret import run
from backlight.primitive import REGISTRY
from benchmarks import models
from benchmarks.workloads import LSTM

Pair = tuple[Graph, Graph]


def numbers(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def traced(function: Callable[..., Any], *args: Any) -> Graph:
    return trace_call(function, args, {}).graph


def leaves(args: Sequence[Any]) -> list[Any]:
    return [np.asarray(leaf) for leaf in backlight.tree.flatten(tuple(args))[0]]


def checked(function: Callable[..., Any], *args: Any) -> Pair:
    """The graph before and after, which give the same."""
    graph = traced(function, *args)
    made = hoisted(graph)
    values = leaves(args)
    for old, new in zip(run(graph, *values), run(made, *values), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype)
        close = 2e-4 if old.dtype == np.float32 else 1e-10
        np.testing.assert_allclose(new, old, close, close * max(1.0, np.abs(old).max(initial=0.0)))
    return graph, made


def scans(graph: Graph) -> list[Node]:
    return [node for node in graph if node.primitive is REGISTRY.scan and node not in graph.inputs]


def inside(node: Node, *names: str) -> int:
    """How many such mappings a step takes."""
    return sum(each.operation in (names or ("matmul", "einsum")) for each in node.params["body"].graph)


def everywhere(graph: Graph) -> Iterator[Node]:
    for node in graph:
        yield node
        if node.primitive is REGISTRY.scan and node not in graph.inputs:
            yield from everywhere(node.params["body"].graph)


# -- Networks ------------------------------------------------------------------------------------------------------

T, N, IN, H = 5, 3, 4, 6


def rnn(p: Any, h: Any, x: Any) -> Any:
    h = np.tanh(x @ p["in"] + h @ p["state"] + p["bias"])
    return h, h @ p["out"]


def gru(p: Any, h: Any, x: Any) -> Any:
    r, z, n = np.split(x @ p["in"], 3, axis=-1)
    hr, hz, hn = np.split(h @ p["state"] + p["bias"], 3, axis=-1)
    r, z = backlight.sigmoid(r + hr), backlight.sigmoid(z + hz)
    n = np.tanh(n + r * hn)
    h = (1 - z) * n + z * h
    return h, h @ p["out"]


def lstm(p: Any, carry: Any, x: Any) -> Any:
    h, c = carry
    i, f, g, o = np.split(x @ p["in"] + h @ p["state"] + p["bias"], 4, axis=-1)
    c = backlight.sigmoid(f) * c + backlight.sigmoid(i) * np.tanh(g)
    h = backlight.sigmoid(o) * np.tanh(c)
    return (h, c), h @ p["out"]


CELLS = {"rnn": (rnn, 1), "gru": (gru, 3), "lstm": (lstm, 4)}


def network(cell: str, dtype: Any = np.float64, length: int = T) -> tuple[Any, Any, Any, Any]:
    """The cell, its parameters, first carry and sequence."""
    step, gates = CELLS[cell]
    p = {
        "in": numbers(IN, gates * H, dtype=dtype),
        "state": numbers(H, gates * H, dtype=dtype) / 2,
        "bias": numbers(gates * H, dtype=dtype),
        "out": numbers(H, 2, dtype=dtype),
    }
    h = numbers(N, H, dtype=dtype)
    return step, p, (h, h / 2) if cell == "lstm" else h, numbers(length, N, IN, dtype=dtype)


def loss(step: Any, p: Any, carry: Any, x: Any, reverse: bool = False) -> Any:
    last, ys = backlight.scan(partial(step, p), carry, x, reverse=reverse)
    last = last[0] if isinstance(last, tuple) else last
    return np.sum(np.sin(ys)) + np.sum(last**2)


def gradients(step: Any, reverse: bool = False) -> Callable[..., Any]:
    """The loss and its gradients with respect to parameters, first carry and sequence."""

    def function(p: Any, carry: Any, x: Any) -> Any:
        return backlight.value_and_grad(lambda all: loss(step, *all, reverse=reverse))((p, carry, x))

    return function


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cell", CELLS)
def test_networks_and_their_gradients(cell: str, dtype: Any) -> None:
    step, *point = network(cell, dtype)
    _, forward = checked(partial(loss, step), *point)
    assert [inside(node) for node in scans(forward)] == [1]  # only h @ state has to be computed step by step
    _, both = checked(gradients(step), *point)
    assert [inside(node) for node in scans(both)] == [1, 1]  # and dz @ stateᵀ on the way back
    assert [node.params["layout"].sums for node in scans(both)] == [0, 0]


@pytest.mark.parametrize("cell", CELLS)
def test_loops_from_the_end(cell: str) -> None:
    step, *point = network(cell)
    _, made = checked(gradients(step, reverse=True), *point)
    assert [inside(node) for node in scans(made)] == [1, 1]


@pytest.mark.parametrize("length", [0, 1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_short_loops(cell: str, length: int) -> None:
    step, *point = network(cell, length=length)
    checked(partial(loss, step), *point)
    checked(gradients(step), *point)


def test_a_gradient_of_a_gradient() -> None:
    step, *point = network("rnn", length=3)

    def twice(*point: Any) -> Any:
        def size(all: Any) -> Any:
            found = backlight.grad(lambda each: loss(step, *each))(all)
            return sum(np.sum(leaf**2) for leaf in backlight.tree.flatten(found)[0])

        return backlight.grad(size)(point)

    old, new = checked(twice, *point)
    before, after = (sum(inside(node) for node in scans(graph)) for graph in (old, new))
    assert after < before / 2


def test_activations_are_read_on_the_way_back() -> None:
    step, *point = network("lstm")
    old, new = checked(gradients(step), *point)
    assert inside(scans(old)[1], "sigmoid") > inside(scans(new)[1], "sigmoid")
    assert inside(scans(old)[1], "tanh") > 0 == inside(scans(new)[1], "tanh")


def test_weight_gradients_are_one_product() -> None:
    step, p, h, x = network("rnn")
    _, made = checked(backlight.grad(lambda p: loss(step, p, h, x)), p)
    products = [node for node in made if node.operation == "einsum" and node.inputs[0].shape[0] == T]
    assert {node.shape for node in products} == {(IN, H), (H, H), (H, 2)}


# -- Bodies that are special ---------------------------------------------------------------------------------------


def test_integers_and_rows_that_nobody_reads() -> None:
    def function(w: Any, x: Any, chosen: Any) -> Any:
        def body(carry: Any, row: Any) -> Any:
            count, h, unused = carry
            x, k = row
            h = np.tanh(h @ w + x[k] * w[0])
            return (count + k, h, unused * 2.0), (h * 2, count, x @ w)

        (count, h, _), (ys, counts, _) = backlight.scan(body, (np.int64(0), x[0], x[1]), (x, chosen))
        return count, counts, backlight.grad(lambda w: np.sum(np.sin(w) @ np.ones(3)))(w), np.sum(ys), h

    x = numbers(4, 3)
    _, made = checked(function, numbers(3, 3), x, np.array([0, 2, 1, 1]))
    (loop,) = scans(made)
    assert loop.params["layout"].carries == 2
    assert loop.params["layout"].history  # the row of counts is one
    assert len(loop.params["body"].graph.outputs) == 3


def test_what_is_always_the_same_is_computed_once() -> None:
    def function(w: Any, x: Any) -> Any:
        return backlight.scan(lambda h, x: (h * np.exp(w).sum(0) + x, np.exp(w)), x[0], x)

    _, made = checked(function, numbers(3, 3), numbers(4, 3))
    assert inside(scans(made)[0], "exp", "sum") == 0


def test_a_loop_of_nothing_but_rows_is_no_loop() -> None:
    def function(w: Any, x: Any) -> Any:
        return backlight.scan(lambda _, x: (None, np.tanh(x @ w) @ w), None, x)[1]

    _, made = checked(function, numbers(3, 3), numbers(4, 2, 3))
    assert not scans(made)


def test_a_history_and_a_sequence_as_they_are() -> None:
    def function(h: Any, x: Any) -> Any:
        return backlight.scan(lambda h, x: (h + x, (h, x, np.ones(3))), h, x)

    checked(function, numbers(3), numbers(4, 3))


def test_a_weight_used_twice() -> None:
    def function(w: Any, b: Any, x: Any) -> Any:
        def loss(w: Any, b: Any) -> Any:
            def body(h: Any, x: Any) -> Any:
                return np.tanh(np.tanh(h @ w + b) @ w.T - x * b), h @ w.T

            last, ys = backlight.scan(body, x[0], x)
            return np.sum(last) + np.sum(ys**2)

        return backlight.value_and_grad(lambda both: loss(*both))((w, b))

    _, made = checked(function, numbers(3, 3), numbers(3), numbers(5, 2, 3))
    assert all(inside(node) <= 2 for node in scans(made))


def test_einsum_attention_and_gather() -> None:
    def function(w: Any, table: Any, words: Any) -> Any:
        def loss(w: Any, table: Any) -> Any:
            def body(h: Any, word: Any) -> Any:
                x = table[word] @ w
                scores = backlight.softmax(np.einsum("nd,nd->n", h, x) / 2)
                h = np.tanh(h + scores[:, None] * x)
                return h, np.einsum("nd,de->ne", h, w)

            last, ys = backlight.scan(body, np.zeros((2, 3)) + w[:2], words)
            return np.sum(last**2) + np.sum(np.sin(ys))

        return backlight.value_and_grad(lambda both: loss(*both))((w, table))

    checked(function, numbers(3, 3), numbers(5, 3), np.array([[0, 1], [4, 1], [2, 2], [3, 0]]))


def test_complex_numbers() -> None:
    def function(w: Any, x: Any) -> Any:
        def loss(w: Any) -> Any:
            last, ys = backlight.scan(lambda h, x: (h @ w * 0.5 + x, h @ w), x[0], x)
            return np.sum(np.abs(last) ** 2) + np.sum(np.real(ys))

        return backlight.value_and_grad(loss)(w)

    checked(function, numbers(3, 3) + 1j * numbers(3, 3, seed=1), numbers(4, 2, 3) + 1j * numbers(4, 2, 3, seed=1))


def test_loops_in_loops() -> None:
    step, p, h, _ = network("rnn")

    def training(p: Any, h: Any, batches: Any) -> Any:
        def update(p: Any, x: Any) -> Any:
            value, found = backlight.value_and_grad(lambda p: loss(step, p, h, x))(p)
            return backlight.tree_map(lambda w, g: w - 0.01 * g, p, found), value

        return backlight.scan(update, p, batches)

    _, made = checked(training, p, h, numbers(3, T, N, IN))
    assert [inside(node) for node in everywhere(made) if node.primitive is REGISTRY.scan and inside(node, "scan") == 0]

    def through(p: Any, h: Any, chunks: Any) -> Any:
        def all(p: Any) -> Any:
            def chunk(h: Any, x: Any) -> Any:
                return backlight.scan(partial(step, p), h, x)

            last, ys = backlight.scan(chunk, h, chunks)
            return np.sum(last**2) + np.sum(np.sin(ys))

        return backlight.value_and_grad(all)(p)

    checked(through, p, h, numbers(2, T, N, IN))


def test_lines_and_names_stay() -> None:
    step, *point = network("rnn")
    old, new = checked(gradients(step), *point)
    lines = {node.source for node in everywhere(old)}
    assert {node.source for node in everywhere(new)} <= lines
    loop = scans(new)[0]
    assert loop.source == scans(old)[0].source


def test_nothing_is_computed() -> None:
    """A compiler has no values: those a graph was traced with stand for any others."""
    step, *point = network("lstm")
    _, made = checked(gradients(step), *point)
    made = hoisted(traced(gradients(step), *point))
    assert all(node._value is None for node in scans(made))


def test_graphs_without_loops_stay() -> None:
    graph = traced(lambda x: np.exp(x) @ x, numbers(3))
    assert [node.operation for node in hoisted(graph)] == [node.operation for node in graph]


def test_the_benchmark_in_small() -> None:
    model = LSTM(symbols=5, embedding=4, hidden=6, length=4)
    p = backlight.tree_map(lambda x: x.astype(np.float64), model.initial(np.random.default_rng(0)))
    x, y = (np.random.default_rng(k).integers(0, 5, (3, 4)) for k in range(2))
    _, made = checked(lambda p: backlight.value_and_grad(lambda p: models.lstm(model, p, x, y))(p), p)
    assert [inside(node) for node in scans(made)] == [1, 1]


@pytest.mark.parametrize("cell", CELLS)
def test_compiled(cell: str) -> None:
    step, *point = network(cell, np.float32)
    graph = traced(gradients(step), *point)
    values = leaves(point)
    for old, new in zip(run(graph, *values), Native(hoisted(graph))(values), strict=True):
        np.testing.assert_allclose(new, old, 2e-4, 2e-4 * max(1.0, np.abs(old).max()))


# -- Any body ------------------------------------------------------------------------------------------------------

Value = Any
UNARY: tuple[Callable[[Any], Any], ...] = (
    np.tanh,
    np.sin,
    lambda x: -x,
    lambda x: x.T.copy() if x.ndim == 2 else x,
    lambda x: x[::-1],
    lambda x: x * 0.5 + 1.0,
    lambda x: x - x.mean(axis=0),
    lambda x: np.sum(x, axis=-1, keepdims=True) * np.ones(2),
    backlight.softmax,
)
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y / 2,
    lambda x, y: x @ y / 2,
    lambda x, y: x.T @ y / 2,
    lambda x, y: np.concatenate([x[:1], y[:1]]),
    lambda x, y: np.where(x > 0, x, y),
    lambda x, y: np.einsum("ij,kj->ik", x, y) / 2,
)
CHOICES = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=9
)


def made_body(choices: Sequence[tuple[int, int, int]], ends: Sequence[int], w: Any) -> Callable[..., Any]:
    """A step on matrices of 2 by 2: each choice makes one value from those before it."""

    def body(carry: Any, row: Any) -> Any:
        values = [*carry, *row, w]
        for operation, first, second in choices:
            x, y = values[first % len(values)], values[second % len(values)]
            number = operation % (len(UNARY) + len(BINARY))
            values.append(UNARY[number](x) if number < len(UNARY) else BINARY[number - len(UNARY)](x, y))
        a, b, c, d = (values[end % len(values)] for end in ends)
        return (np.tanh(a), np.tanh(b)), (c, d)

    return body


@settings(max_examples=60, deadline=None)
@given(
    CHOICES,
    st.tuples(*[st.integers(0, 10**6)] * 4),
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from(["value", "gradient", "last", "first row", "second order"]),
)
def test_any_body(choices: Any, ends: Any, length: int, reverse: bool, what: str) -> None:
    xs = (numbers(length, 2, 2), numbers(length, 2, 2, seed=1))
    start = (numbers(2, 2, seed=2), numbers(2, 2, seed=3))
    w = numbers(2, 2, seed=4)

    def forward(start: Any, xs: Any, w: Any) -> Any:
        return backlight.scan(made_body(choices, ends, w), start, xs, reverse=reverse)

    def total(all: Any) -> Any:
        last, (ys, zs) = forward(*all)
        if what == "last":
            return np.sum(last[0] ** 2)
        if what == "first row":
            return np.sum(np.sin(ys))
        return np.sum(last[0] * last[1]) + np.sum(np.sin(ys)) + np.sum(zs * zs)

    def twice(all: Any) -> Any:
        found = backlight.grad(total)(all)
        return sum(np.sum(leaf * np.cos(leaf)) for leaf in backlight.tree.flatten(found)[0])

    if what == "value":
        checked(forward, start, xs, w)
    elif what == "second order":
        checked(backlight.grad(twice), (start, xs, w))
    else:
        checked(backlight.value_and_grad(total), (start, xs, w))
