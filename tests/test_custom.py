"""Derivatives of the user's own, and mappings that are computed again instead of remembered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight
from backlight import check, checkpoint, custom_gradient, grad, hessian, jacobian, jvp, vmap
from backlight.errors import ArgumentError, DerivativeError

X = np.array([0.3, -1.2, 2.0])


def line() -> Any:
    """y = w·x + b with its derivative by hand."""

    @custom_gradient
    def line(w: Any, x: Any, b: Any) -> Any:
        return w * x + b

    @line.derivative
    def line_derivative(w: Any, x: Any, b: Any, y: Any, g: Any) -> Any:
        return np.sum(g * x), g * w, np.sum(g)

    return line


def test_linear_regression_with_a_hand_made_derivative() -> None:
    model, x, y = line(), np.arange(1.0, 6.0), np.arange(2.0, 12.0, 2.0)
    w, b = np.float64(0.0), np.float64(0.0)
    step = grad(lambda w, b: np.mean((model(w, x, b) - y) ** 2), argnums=(0, 1))
    for _ in range(2000):
        dw, db = step(w, b)
        w, b = w - 0.02 * dw, b - 0.02 * db
    assert w == pytest.approx(2.0, abs=1e-4)
    assert b == pytest.approx(0.0, abs=1e-3)


def test_plain_values_give_plain_results() -> None:
    assert type(line()(2.0, X, 1.0)) is np.ndarray


def test_any_order_and_both_modes() -> None:
    @custom_gradient
    def softplus(x: Any) -> Any:
        return np.log1p(np.exp(x))

    @softplus.derivative
    def softplus_derivative(x: Any, y: Any, g: Any) -> Any:
        return g / (1 + np.exp(-x))

    sigmoid = 1 / (1 + np.exp(-X))
    np.testing.assert_allclose(grad(lambda x: np.sum(softplus(x)))(X), sigmoid)
    np.testing.assert_allclose(np.diag(hessian(lambda x: np.sum(softplus(x)))(X)), sigmoid * (1 - sigmoid))
    np.testing.assert_allclose(jvp(softplus, (X,), (np.ones(3),))[1], sigmoid)
    np.testing.assert_allclose(jacobian(softplus, mode="forward")(X), np.diag(sigmoid))
    np.testing.assert_allclose(vmap(grad(softplus))(X), sigmoid)
    assert check(lambda x: np.sum(softplus(x)), X).ok


def test_the_function_may_use_what_backlight_does_not_know() -> None:
    @custom_gradient
    def solve_cubic(a: Any) -> Any:
        """The real root of x³ + x = a, by a loop on plain floats."""
        x = 0.0
        for _ in range(60):
            x = x - (x**3 + x - float(a)) / (3 * x * x + 1)
        return np.float64(x)

    @solve_cubic.derivative
    def solve_cubic_derivative(a: Any, y: Any, g: Any) -> Any:
        return g / (3 * y * y + 1)  # the implicit function theorem

    assert grad(solve_cubic)(2.0) == pytest.approx(0.25)
    assert check(solve_cubic, 2.0).ok


def test_trees_and_other_arguments() -> None:
    @custom_gradient
    def scaled(parameters: Any, factor: Any, mode: Any) -> Any:
        return {"y": parameters["w"] * factor}

    @scaled.derivative
    def scaled_derivative(parameters: Any, factor: Any, mode: Any, y: Any, g: Any) -> Any:
        assert mode == "fast"
        return {"w": g["y"] * factor}, None, None

    found = grad(lambda p: np.sum(scaled(p, 3.0, "fast")["y"]))({"w": X})
    np.testing.assert_array_equal(found["w"], np.full(3, 3.0))


def test_gradient_is_taken_on_trust_and_check_tells() -> None:
    @custom_gradient
    def wrong(x: Any) -> Any:
        return x**2

    @wrong.derivative
    def wrong_derivative(x: Any, y: Any, g: Any) -> Any:
        return -2 * x * g

    np.testing.assert_array_equal(grad(lambda x: np.sum(wrong(x)))(X), -2 * X)
    with pytest.raises(DerivativeError, match=r"wrong at x\[\d\]: reverse .*numerically"):
        check(wrong, X)
    report = check(wrong, X, raises=False)
    assert not report.ok
    assert report.reverse == pytest.approx(-report.numerical)


def test_wrong_answers_are_refused() -> None:
    @custom_gradient
    def product(x: Any, w: Any) -> Any:
        return np.sum(x * w)

    with pytest.raises(DerivativeError, match=r"product.*no derivative yet"):
        grad(product)(X, X)

    @product.derivative
    def one_only(x: Any, w: Any, y: Any, g: Any) -> Any:
        return g * w

    with pytest.raises(DerivativeError, match=r"test_custom.py.*\n.*product.*1 contributions"):
        grad(product)(X, X)

    @product.derivative
    def wrong_shape(x: Any, w: Any, y: Any, g: Any) -> Any:
        return g, g * x

    with pytest.raises(DerivativeError, match=r"shape \(\) for x\.\n.*\(3,\)"):
        grad(product)(X, X)
    with pytest.raises(ArgumentError, match="not a function"):
        custom_gradient(3)  # type: ignore[arg-type]


def test_captured_values_are_refused() -> None:
    def loss(w: Any) -> Any:
        @custom_gradient
        def hidden(x: Any) -> Any:
            return np.sum(x * w)

        @hidden.derivative
        def hidden_derivative(x: Any, y: Any, g: Any) -> Any:
            return g * w

        return hidden(w * 1.0)

    with pytest.raises(DerivativeError, match=r"hidden.*not one of its arguments"):
        grad(loss)(X)


# -- checkpoint ---------------------------------------------------------------------------------------------------


def block(x: Any, w: Any) -> Any:
    return np.tanh(x @ w) * x


W = np.sin(np.arange(9.0)).reshape(3, 3)


def test_checkpoint_gives_the_same_gradients() -> None:
    def plain(x: Any, w: Any) -> Any:
        return np.sum(block(block(x, w), w))

    def saved(x: Any, w: Any) -> Any:
        return np.sum(checkpoint(block)(checkpoint(block)(x, w), w))

    for k in (0, 1):
        np.testing.assert_allclose(grad(saved, k)(X, W), grad(plain, k)(X, W), rtol=1e-14)
    np.testing.assert_allclose(hessian(saved)(X, W), hessian(plain)(X, W), rtol=1e-12)
    np.testing.assert_allclose(jvp(saved, (X, W), (X, W))[1], jvp(plain, (X, W), (X, W))[1], rtol=1e-13)


def test_checkpoint_of_captured_values_and_trees() -> None:
    def loss(w: Any) -> Any:
        inner = checkpoint(lambda t: {"y": np.tanh(t["x"] @ w), "n": 2})
        return np.sum(inner({"x": X})["y"] ** 2) * inner({"x": X})["n"]

    np.testing.assert_allclose(grad(loss)(W), grad(lambda w: 2 * np.sum(np.tanh(X @ w) ** 2))(W))


def test_checkpoint_runs_the_function_again_and_keeps_nothing() -> None:
    calls = []

    @checkpoint
    def counted(x: Any) -> Any:
        calls.append(x)
        return np.sin(np.cos(x))

    x = backlight.array(X)
    y = np.sum(counted(x))
    assert len(calls) == 1
    names = set()
    stack = [y.node]
    while stack:
        node = stack.pop()
        names.add(node.operation)
        stack.extend(node.inputs)
    assert "cos" not in names
    y.backward()
    assert len(calls) == 2
    np.testing.assert_allclose(x.grad.value, -np.cos(np.cos(X)) * np.sin(X))


def test_checkpoint_of_plain_values() -> None:
    np.testing.assert_array_equal(checkpoint(np.sin)(X), np.sin(X))
