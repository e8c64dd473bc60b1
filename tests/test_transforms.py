"""Transformations: what they return, how they nest, and what they refuse."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import backlight
from backlight import (
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from backlight.errors import (
    ArgumentError,
    ConversionError,
    DTypeError,
    LeakError,
    NonScalarError,
    ShapeError,
)

X = np.array([0.3, -1.2, 2.0])
W = np.sin(np.arange(12.0)).reshape(3, 4)


def two_layers(x: Any, w: Any) -> Any:
    return np.sum(np.tanh(x @ w) ** 2) + np.sum(np.exp(-x * x))


def difference_quotient(f: Any, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    found = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[index] = step
        found[index] = (f(x + moved) - f(x - moved)) / (2 * step)
    return found


# -- grad ---------------------------------------------------------------------------------------------------------


def test_gradient_of_each_argument() -> None:
    by_x, by_w = grad(two_layers, argnums=(0, 1))(X, W)
    np.testing.assert_allclose(by_x, difference_quotient(lambda x: two_layers(x, W), X), atol=1e-8)
    np.testing.assert_allclose(by_w, difference_quotient(lambda w: two_layers(X, w), W), atol=1e-8)
    np.testing.assert_array_equal(grad(two_layers, argnums=-1)(X, W), by_w)


def test_value_is_that_of_plain_numpy() -> None:
    value, _ = value_and_grad(two_layers)(X, W)
    assert value == two_layers(X, W)
    assert type(value) is np.float64


def test_results_are_plain_writable_arrays_that_share_nothing() -> None:
    a, b = np.ones(3), np.ones(3)
    by_a, by_b = grad(lambda a, b: np.sum(a + b), argnums=(0, 1))(a, b)
    assert type(by_a) is np.ndarray
    by_a *= 7.0
    np.testing.assert_array_equal(by_b, np.ones(3))
    value, _ = value_and_grad(lambda x: x)(np.array(2.0))
    value += 1.0
    original = np.array([1.0, 2.0])
    same, _ = vjp(lambda x: x, original)
    same[0] = 9.0
    np.testing.assert_array_equal(original, [1.0, 2.0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gradient_keeps_the_dtype(dtype: Any) -> None:
    found = grad(lambda x: np.sum(np.exp(x) * 2.0 + 1))(np.ones(3, dtype))
    assert found.dtype == dtype


@dataclass
class Layer:
    weight: Any
    bias: Any


def test_trees_keep_their_nesting() -> None:
    tree = {"a": X, "b": [W, (np.float64(2.0), None)], "c": Layer(W, X)}

    def loss(t: Any) -> Any:
        return np.sum(t["a"]) * t["b"][1][0] + np.sum(t["b"][0] ** 2) + np.sum(t["c"].bias @ t["c"].weight)

    found = grad(loss)(tree)
    np.testing.assert_array_equal(found["a"], np.full(3, 2.0))
    np.testing.assert_array_equal(found["b"][0], 2 * W)
    assert found["b"][1][1] is None
    assert float(found["b"][1][0]) == pytest.approx(X.sum())
    assert isinstance(found["c"], Layer)
    np.testing.assert_allclose(found["c"].bias, W.sum(axis=1))


def test_an_input_that_does_not_matter_has_gradient_zero() -> None:
    found = grad(lambda x, y: np.sum(x), argnums=(0, 1))(X, W)
    np.testing.assert_array_equal(found[1], np.zeros((3, 4)))
    np.testing.assert_array_equal(grad(lambda x: 3.0)(X), np.zeros(3))
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.floor(x)))(X), np.zeros(3))


def test_aux_comes_out_plain() -> None:
    gradient, aux = grad(lambda x: (np.sum(x * x), {"double": 2 * x, "text": "note"}), has_aux=True)(X)
    np.testing.assert_array_equal(gradient, 2 * X)
    np.testing.assert_array_equal(aux["double"], 2 * X)
    assert type(aux["double"]) is np.ndarray
    assert aux["text"] == "note"


def test_python_control_flow_follows_the_values() -> None:
    def f(x: Any) -> Any:
        total = x * 0.0
        for k in range(3):
            total = total + x**k if x > 0 else total - x
        return total

    assert grad(f)(2.0) == 5.0
    assert grad(f)(-2.0) == -3.0
    assert grad(f)(2.0) == 5.0


def test_the_same_structure_with_other_numbers() -> None:
    """The backward pass that is remembered must not remember numbers."""

    def f(x: Any, w: Any, c: Any) -> Any:
        return np.sum(np.maximum(np.tanh(x @ w) * c, 0.1) / np.sum(np.abs(w)))

    gradient = grad(f, argnums=(0, 1))
    generator = np.random.default_rng(0)
    for _ in range(5):
        x, w, c = generator.normal(size=3), generator.normal(size=(3, 4)), generator.normal(size=4)
        by_x, by_w = gradient(x, w, c)
        np.testing.assert_allclose(by_x, difference_quotient(lambda x: f(x, w, c), x), atol=1e-7)  # noqa: B023
        np.testing.assert_allclose(by_w, difference_quotient(lambda w: f(x, w, c), w), atol=1e-7)  # noqa: B023


def test_closed_over_arrays_may_change_between_calls() -> None:
    scale = backlight.array(2.0)
    gradient = grad(lambda x: np.sum(x * x * scale))
    for k in range(4):
        scale.assign(float(k))
        np.testing.assert_array_equal(gradient(X), 2 * X * k)


def test_a_constant_changed_in_place_after_use() -> None:
    buffer = np.zeros(3)

    def f(x: Any) -> Any:
        total = 0.0
        for k in range(3):
            buffer[:] = k
            total = total + np.sum(x * buffer)
        return total

    np.testing.assert_array_equal(grad(f)(X), np.full(3, 3.0))


def test_complex_gradient_points_uphill() -> None:
    z = np.array([1 + 2j, -0.5 + 0.1j])
    found = grad(lambda z: np.sum(np.abs(z) ** 2))(z)
    np.testing.assert_allclose(found, 2 * z)
    holomorphic = grad(lambda z: np.sum(np.real(z**2)))(z)
    np.testing.assert_allclose(holomorphic, np.conj(2 * z))


def test_long_chains_are_no_problem() -> None:
    def f(x: Any) -> Any:
        for _ in range(100_000):
            x = x * 1.00001
        return x

    assert grad(f)(1.0) == pytest.approx(1.00001**100_000)


def test_threads_do_not_disturb_each_other() -> None:
    failures: list[Any] = []

    def work(k: int) -> None:
        for _ in range(20):
            found = grad(lambda x: np.sum(np.sin(x) * k))(X)
            if not np.allclose(found, np.cos(X) * k):
                failures.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# -- Higher order and other transformations --------------------------------------------------------------------------


def test_any_order() -> None:
    f: Any = np.sin
    for expected in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7), np.cos(0.7)):
        f = grad(f)
        assert f(0.7) == pytest.approx(expected)


def test_inner_gradient_sees_the_outer_variable() -> None:
    """d/dx [x · d/dy (x·y²)] at y = 3: no confusion of the two perturbations."""
    assert grad(lambda x: x * grad(lambda y: x * y * y)(3.0))(2.0) == 24.0
    assert grad(lambda x: x * jvp(lambda y: x * y * y, (3.0,), (1.0,))[1])(2.0) == 24.0
    assert jvp(lambda x: x * grad(lambda y: x * y * y)(3.0), (2.0,), (1.0,))[1] == 24.0


def test_modes_agree_on_jacobians() -> None:
    def f(x: Any) -> Any:
        return np.tanh(x @ W) * x[0]

    forward, reverse = jacobian(f, mode="forward")(X), jacobian(f, mode="reverse")(X)
    np.testing.assert_allclose(forward, reverse, rtol=1e-13)
    assert forward.shape == (4, 3)
    numerical = np.stack([difference_quotient(lambda x: f(x)[k], X) for k in range(4)])  # noqa: B023
    np.testing.assert_allclose(forward, numerical, atol=1e-8)


def test_jacobian_of_trees() -> None:
    found = jacobian(lambda p: {"sum": np.sum(p["a"]), "out": p["a"] * p["b"]})({"a": X, "b": np.float64(2.0)})
    assert found["sum"]["a"].shape == (3,)
    np.testing.assert_array_equal(found["out"]["a"], 2 * np.eye(3))
    np.testing.assert_array_equal(found["out"]["b"], X)


def test_jacobian_of_complex_functions() -> None:
    z = np.array([1 + 2j, 0.5 - 1j])
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(jacobian(lambda z: z**2, mode=mode)(z), np.diag(2 * z))
    np.testing.assert_allclose(jacobian(lambda x: x * (1 + 2j))(X), np.eye(3) * (1 + 2j))


def test_empty_jacobian() -> None:
    assert jacobian(lambda x: x * 2)(np.zeros(0)).shape == (0, 0)


def test_hessian_and_its_product_with_a_vector() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.exp(x) * x[0]) + np.prod(x)

    h = hessian(f)(X)
    np.testing.assert_allclose(h, h.T, atol=1e-14)
    numerical = np.stack([difference_quotient(lambda x: grad(f)(x)[k], X) for k in range(3)])  # noqa: B023
    np.testing.assert_allclose(h, numerical, atol=1e-7)
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(hvp(f)(X, v), h @ v, rtol=1e-12)


def test_pullback_may_be_called_again_and_later() -> None:
    x = X.copy()
    value, pullback = vjp(lambda x, w: np.tanh(x @ w), x, W)
    x[:] = 0.0  # what the caller does with his array afterwards is his business
    first = pullback(np.ones(4))
    second = pullback(np.ones(4))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_allclose(first[0], (1 - value**2) @ W.T)


def test_forward_and_reverse_are_transposes() -> None:
    generator = np.random.default_rng(1)

    def f(x: Any, w: Any) -> Any:
        return np.cumprod(np.sort(x @ w)), np.max(w, axis=1)

    t = generator.normal(size=3), generator.normal(size=(3, 4))
    u = generator.normal(size=4), generator.normal(size=3)
    _, moved = jvp(f, (X, W), t)
    _, pullback = vjp(f, X, W)
    pulled = pullback(u)
    assert sum(np.vdot(a, b) for a, b in zip(u, moved, strict=True)) == pytest.approx(
        sum(np.vdot(a, b) for a, b in zip(pulled, t, strict=True))
    )


def test_stop_gradient_stops() -> None:
    assert grad(lambda x: stop_gradient({"v": x})["v"] * x)(3.0) == 3.0
    np.testing.assert_array_equal(stop_gradient(X), X)


# -- vmap ---------------------------------------------------------------------------------------------------------


def test_per_example_gradients() -> None:
    x, y = np.sin(np.arange(15.0)).reshape(5, 3), np.cos(np.arange(20.0)).reshape(5, 4)

    def loss(w: Any, x: Any, y: Any) -> Any:
        return np.sum((np.tanh(x @ w) - y) ** 2)

    found = vmap(grad(loss), in_axes=(None, 0, 0))(W, x, y)
    expected = np.stack([grad(loss)(W, a, b) for a, b in zip(x, y, strict=True)])
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_vmap_axes_and_trees() -> None:
    x = np.arange(6.0).reshape(2, 3)
    found = vmap(lambda t: {"s": t["x"] * 2, "c": np.ones(2)}, in_axes=1, out_axes=1)({"x": x})
    np.testing.assert_array_equal(found["s"], 2 * x)
    np.testing.assert_array_equal(found["c"], np.ones((2, 3)))


def test_vmap_of_python_branches_runs_example_by_example() -> None:
    found = vmap(lambda x: x * 2 if x > 0 else -x)(np.array([1.0, -3.0, 2.0]))
    np.testing.assert_array_equal(found, [2.0, 3.0, 4.0])


def test_vmap_of_masks_runs_example_by_example() -> None:
    x = np.array([[1.0, -1.0, 2.0], [-1.0, -2.0, 3.0]])
    found = vmap(lambda row: np.sum(row[row > 0]))(x)
    np.testing.assert_array_equal(found, [3.0, 3.0])


def test_vmap_nests_and_differentiates() -> None:
    x = np.sin(np.arange(6.0)).reshape(2, 3)
    table = vmap(lambda a: vmap(lambda b: np.exp(a * b))(X))(X)
    np.testing.assert_allclose(table, np.exp(np.outer(X, X)))
    found = grad(lambda x: np.sum(vmap(lambda row: np.prod(row))(x)))(x)
    expected = grad(lambda x: np.sum(np.prod(x, axis=1)))(x)
    np.testing.assert_allclose(found, expected)


def test_vmap_of_no_examples() -> None:
    assert vmap(lambda row: np.sum(row))(np.zeros((0, 3))).shape == (0,)


# -- Arrays and backward ------------------------------------------------------------------------------------------


def test_backward_reaches_every_intermediate() -> None:
    x = backlight.array(X)
    h = np.tanh(x)
    loss = np.sum(h * h)
    loss.backward()
    np.testing.assert_allclose(h.grad.value, 2 * np.tanh(X))
    np.testing.assert_allclose(x.grad.value, 2 * np.tanh(X) * (1 - np.tanh(X) ** 2))
    assert float(loss.grad) == 1.0


def test_second_backward_gives_the_same_and_accumulates_when_asked() -> None:
    x = backlight.array(X)
    loss = np.sum(x**3)
    loss.backward()
    loss.backward()
    np.testing.assert_array_equal(x.grad.value, 3 * X**2)
    loss.backward(accumulate=True)
    np.testing.assert_array_equal(x.grad.value, 6 * X**2)


def test_unreached_array_has_gradient_zero() -> None:
    x, y = backlight.array(X), backlight.array(W)
    np.sum(x).backward()
    np.testing.assert_array_equal(y.grad.value, np.zeros((3, 4)))


def test_backward_with_a_given_gradient_and_create_graph() -> None:
    x = backlight.array(X)
    (x * x).backward(np.array([1.0, 0.0, 2.0]))
    np.testing.assert_array_equal(x.grad.value, 2 * X * [1, 0, 2])
    np.sum(x**3).backward(create_graph=True)
    np.sum(x.grad).backward()
    np.testing.assert_allclose(x.grad.value, 6 * X)


def test_methods_and_scalars_on_either_side() -> None:
    x = backlight.array(X)
    y = (2 * x.relu() + 1 - x / 3 + 3 / (x * x) - (1 - x).tanh().exp()) ** 2
    y.sum().backward()

    def plain(x: Any) -> Any:
        return np.sum((2 * np.maximum(x, 0) + 1 - x / 3 + 3 / (x * x) - np.exp(np.tanh(1 - x))) ** 2)

    np.testing.assert_allclose(x.grad.value, difference_quotient(plain, X), rtol=1e-6)


def test_training_by_assignment() -> None:
    w = backlight.array(np.zeros(2))
    for _ in range(200):
        loss = np.sum((w - np.array([1.0, -2.0])) ** 2)
        loss.backward()
        w.assign(w.value - 0.1 * w.grad.value)
    np.testing.assert_allclose(w.value, [1.0, -2.0], atol=1e-8)


def test_tape() -> None:
    w, b = backlight.array(W), backlight.array(np.float64(0.5))
    with backlight.GradientTape() as tape:
        loss = np.sum(np.tanh(X @ w) + b)
    by_w, by = tape.gradient(loss, [w, {"b": b}])
    np.testing.assert_allclose(by_w.value, grad(lambda w: np.sum(np.tanh(X @ w)))(W))
    assert float(by["b"]) == 4.0
    other = backlight.array(X)
    np.testing.assert_array_equal(tape.gradient(loss, other).value, np.zeros(3))


def test_tape_of_a_tape() -> None:
    x = backlight.array(2.0)
    with backlight.GradientTape() as outer:
        with backlight.GradientTape() as inner:
            y = x**3
        first = inner.gradient(y, x)
    assert float(first) == 12.0
    assert float(outer.gradient(first, x)) == 12.0


def test_tape_remembers_what_was_watched() -> None:
    w = backlight.array([1.0, 2.0])
    with backlight.GradientTape() as tape:
        tape.watch(w)
        loss = np.sum(w * w)
        w -= 1.0
    np.testing.assert_array_equal(tape.gradient(loss, w).value, [2.0, 4.0])


def test_tape_wants_arrays() -> None:
    with pytest.raises(DTypeError, match=r"backlight\.array"):
        backlight.GradientTape().gradient(backlight.array(1.0), X)


# -- Refusals -----------------------------------------------------------------------------------------------------


def test_gradient_of_many_numbers_is_refused() -> None:
    with pytest.raises(NonScalarError, match=r"float64 \(3,\)"):
        grad(lambda x: x * 2)(X)
    with pytest.raises(NonScalarError, match="complex128"):
        grad(lambda x: np.sum(x) * 1j)(X)
    with pytest.raises(NonScalarError, match="tuple"):
        grad(lambda x: (np.sum(x), x))(X)
    with pytest.raises(NonScalarError, match=r"\(3,\)"):
        backlight.array(X).backward()


def test_integers_have_no_derivative() -> None:
    with pytest.raises(DTypeError, match="`count` is int 3"):
        grad(lambda count: count * 2.0)(3)
    with pytest.raises(DTypeError, match=r"params\['n'\]"):
        grad(lambda params: params["n"] * 1.0)({"n": np.arange(3)})


def test_leaked_values_are_refused() -> None:
    kept = []

    def f(x: Any) -> Any:
        hidden = x * 2
        kept.append(hidden)
        return np.sum(hidden)

    grad(f)(X)
    with pytest.raises(LeakError, match=r"`hidden`.*grad of f"):
        kept[0] + 1
    with pytest.raises(LeakError, match="hidden"):
        np.sum(kept[0])
    with pytest.raises(LeakError, match="hidden"):
        float(kept[0][0])


def test_losing_history_is_refused() -> None:
    def writes_into_plain(x: Any) -> Any:
        out = np.zeros(3)
        out[:] = x
        return np.sum(out)

    with pytest.raises(ConversionError, match="zeros_like"):
        grad(writes_into_plain)(X)
    with pytest.raises(ConversionError, match="stack"):
        grad(lambda x: np.sum(np.array([x[0], x[1]])))(X)


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentError, match="argnums=2"):
        grad(two_layers, argnums=2)(X, W)
    with pytest.raises(ArgumentError, match="has_aux"):
        grad(lambda x: np.sum(x), has_aux=True)(X)
    with pytest.raises(ArgumentError, match="sideways"):
        jacobian(two_layers, mode="sideways")
    with pytest.raises(ShapeError, match=r"\(2,\)"):
        jvp(np.sin, (X,), (np.ones(2),))
    with pytest.raises(ShapeError, match=r"\(5,\)"):
        vjp(np.sin, X)[1](np.ones(5))
    with pytest.raises(ShapeError, match=r"\[2, 3\]"):
        vmap(lambda a, b: a + b)(np.ones(2), np.ones(3))
    with pytest.raises(ArgumentError, match="in_axes"):
        vmap(lambda a: a, in_axes=None)(X)
