"""Mappings made at run time, compiled: what they are made of takes their place once all derivatives are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight
from backlight.compiler.epoch import Epoch
from backlight.errors import CompileWarning

X = np.linspace(-2.0, 2.0, 12).reshape(4, 3)
W = np.cos(np.arange(6.0)).reshape(3, 2)


@backlight.custom_gradient
def clipped(x: Any) -> Any:
    return np.clip(x, 0.0, 1.0)


@clipped.derivative
def clipped_derivative(x: Any, y: Any, g: Any) -> Any:
    return g


@backlight.custom_gradient
def both(x: Any, y: Any) -> Any:
    return x * y, {"sum": x + y}


@both.derivative
def both_derivative(x: Any, y: Any, ys: Any, gs: Any) -> Any:
    return gs[0] * y + gs[1]["sum"], None


@backlight.custom_gradient
def opaque(x: Any) -> Any:
    return np.exp(np.frombuffer(memoryview(x)))  # an Array is no buffer


opaque.derivative(lambda x, y, g: g * y)


def loss(w: Any, x: Any) -> Any:
    product, rest = both(clipped(x @ w), np.sin(x @ w))
    return np.sum(product * 3) + np.sum(rest["sum"] ** 2)


def forgetful(w: Any, x: Any) -> Any:
    return np.sum(backlight.checkpoint(lambda w: np.tanh(np.sin(x @ w)))(w) ** 2)


@pytest.mark.parametrize("function", [loss, forgetful])
def test_the_derivative_that_was_given_is_compiled(function: Any) -> None:
    compiled = backlight.compile(backlight.value_and_grad(function), strict=True)
    value, gradient = compiled(W, X)
    expected, wanted = backlight.value_and_grad(function)(W, X)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-13)


@pytest.mark.parametrize("function", [loss, forgetful])
def test_inside_a_training_loop(function: Any) -> None:
    def step(w: Any, rows: Any, x: Any) -> Any:
        value, gradient = backlight.value_and_grad(function)(w, x[rows])
        return w - 0.1 * gradient, value

    w, batches = W.copy(), np.array([[0, 1], [2, 3], [1, 3]])
    losses = Epoch(step)(w, batches, X)
    plain, expected = W, []
    for rows in batches:
        plain, value = step(plain, rows, X)
        expected.append(value)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    np.testing.assert_allclose(w, plain, rtol=1e-12)


def test_what_needs_plain_arrays_runs_interpreted_and_says_so() -> None:
    function = lambda x: np.sum(opaque(x))
    compiled = backlight.compile(backlight.grad(function))
    with pytest.warns(CompileWarning, match="opaque"):
        gradient = compiled(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(gradient, np.exp([1.0, 2.0]))
