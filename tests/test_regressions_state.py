"""Nothing remembered may be wrong the next time: backward programs, stale views, plain memory, what vmap has read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight
from backlight import grad, jvp, value_and_grad, vjp, vmap
from backlight.errors import ArgumentError, ConversionError, ShapeError

X = np.array([1.0, 2.0])


def test_input_that_is_not_reached_keeps_its_own_shape_and_dtype() -> None:
    f = lambda a, b: np.sum(a * 2)
    for b in (np.ones(3), np.ones(3), np.ones(3), np.ones(5), np.ones((2, 2), np.float32)):
        found = grad(f, (0, 1))(X, b)[1]
        assert found.shape == b.shape
        assert found.dtype == b.dtype
        assert not found.any()
    for n in (3, 3, 3, 5):
        assert grad(lambda x: np.float64(3.0))(np.ones(n)).shape == (n,)


def test_a_gradient_is_the_callers_to_change() -> None:
    f = lambda x: np.sum(x + x)
    for _ in range(5):
        found = grad(f)(X)
        assert found.tolist() == [2.0, 2.0]
        found *= 0.0


def test_results_share_no_memory_with_arguments() -> None:
    x = X.copy()
    (_, kept), _ = value_and_grad(lambda x: (np.sum(x), backlight.stop_gradient(x)), has_aux=True)(x)
    assert not np.shares_memory(kept, x)
    value, change = jvp(backlight.stop_gradient, (x,), (x,))
    assert not np.shares_memory(value, x)
    assert change.tolist() == [0.0, 0.0]


def test_pullback_inside_other_transformations() -> None:
    _, pullback = vjp(lambda x: np.sin(x) * x, X)
    slope = np.cos(X) * X + np.sin(X)
    g = np.array([1.0, 3.0])
    np.testing.assert_allclose(grad(lambda g: np.sum(pullback(g)[0] ** 2))(g), 2 * slope**2 * g)
    np.testing.assert_allclose(vmap(lambda g: pullback(g)[0])(np.eye(2)), np.diag(slope))
    eager = backlight.array(g)
    squares = np.sum(pullback(eager)[0] ** 2)
    pullback(g)  # a plain call ends no use of what an earlier one gave
    squares.backward()
    np.testing.assert_allclose(eager.grad.value, 2 * slope**2 * g)


def test_view_read_first_inside_a_trace() -> None:
    base = backlight.array([1.0, 2.0, 3.0])
    view = base[1:]
    base[1] = 7.0
    assert grad(lambda x: np.sum(x * view))(np.ones(2)).tolist() == [7.0, 3.0]
    np.sum(view * view).backward()
    assert base.grad.value.tolist() == [0.0, 14.0, 6.0]


def test_read_only_window_on_memory_that_changes() -> None:
    memory = np.ones(3)
    window = memory.view()
    window.flags.writeable = False
    for constant in (window, np.broadcast_to(memory[:1], (3,))):
        memory[:] = 1.0
        w = backlight.array(np.ones(3))
        loss = np.sum(w * constant)
        memory[:] = 50.0
        loss.backward()
        assert w.grad.value.tolist() == [1.0, 1.0, 1.0]


def test_storing_a_traced_number_in_a_plain_array_is_refused() -> None:
    def f(x: Any) -> Any:
        out = np.zeros(3)
        out[0] = x[0]
        return out.sum()

    with pytest.raises(ConversionError, match="history"):
        grad(f)(X)

    def whole(x: Any) -> Any:
        out = np.zeros(3, int)
        out[0] = x[0]
        return out.sum()

    with pytest.raises(ConversionError, match="history"):
        grad(whole)(X)
    record = np.zeros(2)
    record[0] = float(backlight.array(3.0))  # reading it is not storing it
    record[backlight.array(1)] = 4.0
    assert record.tolist() == [3.0, 4.0]


ROWS = np.arange(6.0).reshape(3, 2)


def test_vmap_notices_values_that_were_read() -> None:
    assert vmap(lambda x: x * x.value.max())(ROWS).tolist() == (ROWS * ROWS.max(1, keepdims=True)).tolist()
    assert vmap(lambda x: x * x.numpy().max())(ROWS).tolist() == (ROWS * ROWS.max(1, keepdims=True)).tolist()
    picked = vmap(lambda x, i: x[i])(ROWS, np.array([0, 1, 1]))
    assert picked.tolist() == [0.0, 3.0, 5.0]


def test_vmap_one_by_one() -> None:
    f = lambda x: x.relu() if x.sum() > 1 else x * 0  # Array's own methods, on plain rows
    assert vmap(f)(ROWS).tolist() == [[0.0, 0.0], [2.0, 3.0], [4.0, 5.0]]
    assert vmap(f)(np.zeros((0, 2))).shape == (0, 2)
    assert vmap(lambda x: x if x > 0 else 0)(np.array([1.5, -1.0])).tolist() == [1.5, 0.0]
    with pytest.raises(ShapeError, match="from example to example"):
        vmap(lambda x: x[x > 2])(ROWS)


def test_vmap_leaves_arguments_as_they_are() -> None:
    def overwrite(x: Any, w: Any) -> Any:
        x[0] = 5.0
        w[0] = x[1]
        return x.sum() + w.sum()

    def guarded(x: Any, w: Any) -> Any:
        return overwrite(x, w) if x[0] > -1 else x.sum()

    for f in (overwrite, guarded):
        xs, w = backlight.array(ROWS), backlight.array([1.0, 1.0])
        assert vmap(f, in_axes=(0, None))(xs, w).value.tolist() == [8.0, 12.0, 16.0]
        assert xs.value.tolist() == ROWS.tolist()
        assert w.value.tolist() == [1.0, 1.0]


def test_vmap_arguments() -> None:
    assert vmap(lambda x, k=1: x * k)(ROWS, k=3).tolist() == (3 * ROWS).tolist()
    assert vmap(lambda x, k=1: x * k if x[0] > 0 else x)(ROWS, k=3)[1].tolist() == [6.0, 9.0]
    for argument, axes in ((3.0, 0), (ROWS, 2), (ROWS, -3)):
        with pytest.raises(ShapeError, match="no axis"):
            vmap(lambda x: x, in_axes=axes)(argument)
    with pytest.raises(ArgumentError):
        vmap(lambda x: x, in_axes=(None,))(ROWS)
