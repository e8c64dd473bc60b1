"""Broadcasting, whatever the shapes: the gradient of a repeated number is the sum over its copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from backlight import grad, hessian, jvp

BINARY = {
    "add": (np.add, lambda a, b: (1.0 + 0 * b, 1.0 + 0 * a)),
    "subtract": (np.subtract, lambda a, b: (1.0 + 0 * b, -1.0 + 0 * a)),
    "multiply": (np.multiply, lambda a, b: (b + 0 * a, a + 0 * b)),
    "divide": (np.divide, lambda a, b: (1 / b + 0 * a, -a / b**2)),
    "power": (np.power, lambda a, b: (b * a ** (b - 1), np.log(a) * a**b)),
    "hypot": (np.hypot, lambda a, b: (a / np.hypot(a, b), b / np.hypot(a, b))),
    "logaddexp": (np.logaddexp, lambda a, b: (1 / (1 + np.exp(b - a)), 1 / (1 + np.exp(a - b)))),
}


def numbers(shape: tuple[int, ...], start: float) -> Any:
    return np.linspace(start, start + 1.3, int(np.prod(shape))).reshape(shape)[()]


def summed_to(gradient: Any, shape: tuple[int, ...]) -> Any:
    """The sum over the axes along which an operand of ``shape`` was repeated."""
    lead = gradient.ndim - len(shape)
    repeated = [axis + lead for axis, length in enumerate(shape) if length == 1]
    return np.sum(gradient, axis=(*range(lead), *repeated), keepdims=True).reshape(shape)


@settings(max_examples=150, deadline=None)
@given(
    shapes=mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3),
    name=st.sampled_from(sorted(BINARY)),
    transposed=st.booleans(),
)
def test_gradients_sum_over_the_copies(shapes: Any, name: str, transposed: bool) -> None:
    function, partials = BINARY[name]
    a, b = (numbers(shape, start) for shape, start in zip(shapes.input_shapes, (0.6, 0.9), strict=True))
    if transposed:  # other memory order, same numbers
        a = np.asfortranarray(a)[()] if np.ndim(a) else a
    weights = np.cos(numbers(shapes.result_shape, 0.0))
    found = grad(lambda a, b: np.sum(weights * function(a, b)), argnums=(0, 1))(a, b)
    for gradient, x, local in zip(found, (a, b), partials(a, b), strict=True):
        expected = summed_to(np.broadcast_to(weights * local, shapes.result_shape), np.shape(x))
        assert np.shape(gradient) == np.shape(x)
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-13)


@settings(max_examples=60, deadline=None)
@given(shapes=mutually_broadcastable_shapes(num_shapes=3, min_side=1, max_side=3, max_dims=3))
def test_three_operands_both_modes_agree(shapes: Any) -> None:
    xs = [numbers(shape, 0.3 * k - 0.5) for k, shape in enumerate(shapes.input_shapes)]
    weights = np.sin(numbers(shapes.result_shape, 1.0))

    def f(a: Any, b: Any, c: Any) -> Any:
        return np.sum(weights * np.where(a > 0, a * b, np.maximum(b, c) * a))

    tangents = [np.cos(x) for x in xs]
    gradients = grad(f, argnums=(0, 1, 2))(*xs)
    moved = jvp(f, xs, tangents)[1]
    assert abs(sum(np.sum(g * t) for g, t in zip(gradients, tangents, strict=True)) - moved) < 1e-11


@settings(max_examples=40, deadline=None)
@given(shapes=mutually_broadcastable_shapes(num_shapes=2, min_side=1, max_side=2, max_dims=2))
def test_second_order(shapes: Any) -> None:
    a, b = (numbers(shape, start) for shape, start in zip(shapes.input_shapes, (0.6, 0.9), strict=True))

    def f(a: Any) -> Any:
        return np.sum((a * b) ** 2)

    copies = np.broadcast_to(2 * b**2, shapes.result_shape)
    expected = np.diag(summed_to(copies, np.shape(a)).ravel())
    np.testing.assert_allclose(np.reshape(hessian(f)(a), expected.shape), expected, rtol=1e-12)
