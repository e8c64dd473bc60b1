"""Checkpoints and custom derivatives in other people's company: closures, vmap, replay, methods, keywords, trees."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import backlight
from backlight import checkpoint, custom_gradient, grad, jvp, vmap
from backlight.errors import ArgumentError, DerivativeError
from backlight.graph import Graph
from backlight.interpret import run

WS, XS = np.array([0.3, 0.4]), np.array([0.1, 0.2])


def plain(w: Any, x: Any) -> Any:
    return np.sin(x * w * w) * w


def kept(w: Any, x: Any) -> Any:
    return checkpoint(lambda x: np.sin(x * w) * w)(x * w)


def test_what_is_captured_and_given_is_counted_once() -> None:
    assert grad(lambda w: checkpoint(lambda x: x * w)(w * 3))(2.0) == 12.0
    assert grad(lambda w: checkpoint(lambda x: x * w)(w))(2.0) == 4.0
    assert grad(grad(lambda w: checkpoint(lambda x: x * w * w)(w * 3)))(2.0) == 36.0


def test_gradient_inside_a_checkpoint() -> None:
    inner = lambda w: lambda x: grad(lambda y: np.sin(y) * y * w)(x)
    assert np.isclose(grad(lambda w: checkpoint(inner(w))(w))(2.0), grad(lambda w: inner(w)(w))(2.0), rtol=1e-14)


@pytest.mark.parametrize("of", [lambda f: f, lambda f: grad(f, (0, 1)), lambda f: grad(grad(f), 1)])
def test_vmap_of_a_checkpoint(of: Any) -> None:
    np.testing.assert_allclose(vmap(of(kept))(WS, XS), vmap(of(plain))(WS, XS), rtol=1e-14)
    np.testing.assert_allclose(
        vmap(of(kept), in_axes=(None, 0))(0.3, XS), vmap(of(plain), in_axes=(None, 0))(0.3, XS), rtol=1e-14
    )


def test_gradient_of_a_vmapped_checkpoint() -> None:
    loss = lambda f: lambda w, x: np.sum(vmap(f)(w, x) ** 2)
    for k in (0, 1):
        np.testing.assert_allclose(grad(loss(kept), k)(WS, XS), grad(loss(plain), k)(WS, XS), rtol=1e-14)


def test_forward_mode_through_a_checkpoint() -> None:
    np.testing.assert_allclose(jvp(kept, (0.3, 0.1), (1.0, 2.0)), jvp(plain, (0.3, 0.1), (1.0, 2.0)), rtol=1e-14)


def test_a_graph_with_a_checkpoint_runs_on_other_values() -> None:
    w, x = backlight.array(0.5), backlight.array(0.3)
    y = kept(w, x)
    (again,) = run(Graph([w.node, x.node], [y.node]), 0.7, 0.9)
    assert np.isclose(again, plain(0.7, 0.9), rtol=1e-15)


def test_writing_to_what_a_checkpoint_read_is_refused() -> None:
    w, x = backlight.array(2.0), backlight.array(3.0)
    y = checkpoint(lambda x: x * w)(x)
    w.assign(5.0)
    with pytest.raises(ArgumentError, match="written to"):
        y.backward()


def test_view_read_by_a_checkpoint_while_stale() -> None:
    base = backlight.array([1.0, 2.0, 3.0])
    view = base[1:]
    base[1] = 7.0
    assert grad(lambda x: np.sum(checkpoint(lambda x: x * view)(x)))(np.ones(2)).tolist() == [7.0, 3.0]


class Scaled:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    @custom_gradient
    def apply(self, x: Any) -> Any:
        return x * self.factor

    @apply.derivative
    def apply_derivative(self, x: Any, y: Any, g: Any) -> Any:
        return None, g * self.factor


def test_custom_gradient_of_a_method() -> None:
    assert grad(lambda x: Scaled(3.0).apply(x))(2.0) == 3.0
    assert Scaled(3.0).apply(2.0) == 6.0


def test_custom_gradient_with_keywords() -> None:
    @custom_gradient
    def scaled(x: Any, shift: float = 1.0, factor: float = 2.0) -> Any:
        return x * factor + shift

    @scaled.derivative
    def rule(x: Any, shift: Any, factor: Any, y: Any, g: Any) -> Any:
        return g * factor, None, None

    assert grad(lambda x: scaled(x, factor=5.0))(2.0) == 5.0
    assert scaled(2.0, factor=5.0) == 11.0
    with pytest.raises(ArgumentError, match="scaled cannot be called"):
        scaled(2.0, power=3)

    @custom_gradient
    def named(x: Any, *, factor: float = 2.0) -> Any:
        return x * factor

    with pytest.raises(ArgumentError, match="positional"):
        named(2.0, factor=3.0)


def test_rule_that_is_no_plain_function() -> None:
    @custom_gradient
    def tripled(x: Any) -> Any:
        return 3 * x

    tripled.derivative(functools.partial(lambda factor, x, y, g: g * factor, 7.0))
    assert grad(tripled)(2.0) == 7.0
    tripled.derivative(functools.partial(lambda factor, x, y, g: (g, g), 7.0))
    with pytest.raises(DerivativeError, match="2 contributions"):
        grad(tripled)(2.0)


def test_answers_are_matched_by_key_and_may_leave_leaves_out() -> None:
    @custom_gradient
    def product(p: Any) -> Any:
        return p["a"] * p["b"]

    product.derivative(lambda p, y, g: {"b": g * p["a"], "a": g * p["b"]})
    assert grad(product)({"a": 2.0, "b": 3.0}) == {"a": 3.0, "b": 2.0}
    product.derivative(lambda p, y, g: {"a": g * p["b"], "b": None})
    assert grad(product)({"a": 2.0, "b": 3.0}) == {"a": 3.0, "b": 0.0}
