"""Variables: arrays whose contents are replaced, followed by whatever records a program that reads and assigns them."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
from backlight.compiler.epoch import Epoch
from backlight.errors import ArgumentError, ShapeError
from backlight.variable import Bindings, Variable, is_tracing, now

X = np.arange(6.0).reshape(2, 3)


def test_a_variable_computes_like_the_array_it_holds() -> None:
    w = Variable(X, name="w")
    for got, expected in (
        (w + 1, X + 1),
        (1 - w, 1 - X),
        (X.T @ w, X.T @ X),
        (w @ X.T, X @ X.T),
        (np.sum(w, axis=0), X.sum(0)),
        (np.where(w > 2, w, 0.0), np.where(X > 2, X, 0.0)),
        (w[1:, ::2], X[1:, ::2]),
        (np.concatenate([w, X]), np.concatenate([X, X])),
        (np.stack([w, w]), np.stack([X, X])),
        (w.mean(), X.mean()),
        (backlight.relu(w), np.maximum(X, 0)),
        (np.multiply(w, [1.0, 2.0, 3.0]), X * [1.0, 2.0, 3.0]),
    ):
        assert type(got) is backlight.Array
        np.testing.assert_array_equal(got.value, expected)
    assert (w.shape, w.dtype, w.ndim, w.size, len(w)) == ((2, 3), np.float64, 2, 6, 2)
    np.testing.assert_array_equal(np.array(w), X)


def test_assigning_replaces_the_contents_and_nothing_that_was_computed_before() -> None:
    w = Variable(X, name="w")
    before = w * 2
    assert w.assign(np.ones((2, 3))) is w
    w.assign_add(X)
    w.assign_sub(np.ones((2, 3)))
    w += 1
    np.testing.assert_array_equal(w.value, X + 1)
    w[0, 0] = 7
    assert w.value[0, 0] == 7
    np.testing.assert_array_equal(before.value, X * 2)
    w.assign(X.astype(np.float32))
    assert w.dtype == np.float64


def test_a_tape_follows_variables() -> None:
    w, x = Variable(np.array([1.0, 2.0]), name="w"), np.array([3.0, 4.0])
    with backlight.GradientTape() as tape:
        loss = np.sum((w * x) ** 2)
    np.testing.assert_array_equal(tape.gradient(loss, w).value, [2 * 9.0, 2 * 2 * 16.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_compiled_function_reads_and_assigns_variables(dtype: Any) -> None:
    """The n-th call sees what the last one left, and what was assigned between the calls."""
    w, count = Variable(np.ones(3, dtype), name="w"), Variable(0, name="count")

    def step(x: Any) -> Any:
        loss = np.sum((w - x) ** 2)
        w.assign(w - 0.25 * 2 * (w - x))
        count.assign_add(1)
        return loss

    compiled = backlight.compile(step, strict=True)
    x, held = np.array([2.0, 0.0, 1.0], dtype), np.ones(3)
    for k in range(4):
        if k == 2:
            w.assign(np.full(3, 5.0))
            held = np.full(3, 5.0)
        assert float(compiled(x)) == pytest.approx(float(np.sum((held - x) ** 2)), rel=1e-6)
        held = held - 0.5 * (held - x)
        np.testing.assert_allclose(w.value, held, rtol=1e-6)
        assert w.dtype == dtype
    assert int(count) == 4


def test_a_compiled_gradient_reads_variables_inside_loops() -> None:
    w = Variable(2.0, name="w")

    def power(x: Any) -> Any:
        return backlight.scan(lambda c, _: (c * w * x, None), 1.0 * x, np.zeros(3))[0]

    for value in (2.0, 3.0):
        w.assign(value)
        got = backlight.compile(backlight.grad(power), strict=True)(np.float64(1.5))
        assert float(got) == pytest.approx(4 * value**3 * 1.5**3)


def test_bindings_leave_the_variables_alone() -> None:
    w, b = Variable(1.0, name="w"), Variable(2.0, name="b")
    with Bindings() as outer:
        outer.bind([w], [np.array(10.0)])
        with Bindings() as inner:
            inner.bind([b], [np.array(20.0)])
            w.assign(w + b)
            b.assign(b + 1)
        assert [float(x) for x in inner.values([b])] == [21.0]
        assert (float(w), float(b)) == (30.0, 2.0)
    assert (float(w), float(b)) == (1.0, 2.0)


def test_bindings_belong_to_one_thread() -> None:
    w = Variable(1.0, name="w")
    seen = []
    with Bindings() as bindings:
        bindings.bind([w], [np.array(5.0)])
        thread = threading.Thread(target=lambda: seen.append(float(w)))
        thread.start()
        thread.join()
        assert float(w) == 5.0
    assert seen == [1.0]


def test_an_epoch_reads_variables_outside_its_state_anew_each_time() -> None:
    w, rate = np.zeros(()), Variable(1.0, name="rate")
    epoch = Epoch(lambda w, row: (w + rate * row, None))
    epoch(w, np.ones(3))
    rate.assign(10.0)
    epoch(w, np.ones(3))
    assert w == 33.0


def test_an_epoch_refuses_to_assign_what_is_not_in_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    total = Variable(0.0, name="total")

    def step(w: Any, row: Any) -> Any:
        total.assign_add(row)
        return w + row, None

    for language in ("en", "zh"):
        text = said(lambda: Epoch(step)(np.zeros(()), np.ones(3)), ArgumentError, language, monkeypatch)
        assert "total" in text
    assert total.value == 0


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    w = Variable(np.ones(2), name="w")
    for language in ("en", "zh"):
        assert "(2,)" in said(lambda: w.assign(np.ones(3)), ShapeError, language, monkeypatch)
        assert "`w`" in said(
            lambda: backlight.grad(lambda x: w.assign(w * x).sum())(2.0), ArgumentError, language, monkeypatch
        )
    np.testing.assert_array_equal(w.value, np.ones(2))


def test_copies_are_variables_of_their_own() -> None:
    w = Variable(np.ones(2), trainable=False, name="w")
    twin = copy.deepcopy({"w": w})["w"]
    twin.assign(np.zeros(2))
    assert (twin.path, twin.trainable, w.value.sum()) == ("w", False, 2.0)


def test_now_is_plain_outside_and_recorded_inside() -> None:
    w = Variable(3.0, name="w")
    assert type(now(w)) is np.ndarray
    assert not is_tracing()

    def f(x: Any) -> Any:
        assert is_tracing()
        assert type(now(w)) is backlight.Array
        return now(w) * x

    assert float(backlight.grad(f)(1.0)) == 3.0


def test_a_loop_reads_variables_in_one_order() -> None:
    """What a step reads is found anew each time it is recorded; all of it was there before, none before the other."""
    many = [Variable(np.full(k + 1, 0.5), name=f"w{k}") for k in range(12)]
    for _ in range(10):
        epoch = Epoch(lambda total, row: (total + row * sum(np.sum(w * w) for w in many), None))
        total = np.zeros(())
        epoch(total, np.ones(3))
        assert total == pytest.approx(3 * 78 * 0.25)
