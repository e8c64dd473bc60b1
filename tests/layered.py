"""What every layer must obey, as one function of a layer, its input and independent numbers; for tables of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from laws import plain, wave

import backlight
from backlight.nn import layers
from backlight.nn.symbol import Symbol
from backlight.tree import flatten, tree_map

STEP = 1e-6


def numbers(*shape: int, phase: float = 0.0) -> Any:
    """Irregular numbers, so that every mistake of place shows."""
    return wave(np.zeros(shape), phase)


def filled(layer: Any) -> None:
    """Give a built layer weights that are all different from zero and from one another."""
    layer.set_weights([0.5 * wave(v.numpy(), 1.0 + k) for k, v in enumerate(layer.weights)])


def check(
    kind: str,
    options: dict[str, Any],
    x: Any,
    expected: Callable[..., Any],
    *,
    compiled: bool = True,
    smooth: bool = True,
    call: dict[str, Any] | None = None,
) -> None:
    """The laws: numbers, dtype, gradients, compilation, symbols, configuration."""
    call = call or {}
    layer = getattr(layers, kind)(**options, dtype="float64")
    layer(x, **call)
    filled(layer)
    weights = layer.get_weights()
    wanted = expected(x, *weights)
    found = plain(layer(x, **call))
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)

    single = getattr(layers, kind)(**options)
    given = tree_map(lambda each: each.astype(np.float32), x)
    single(given, **call)
    single.set_weights(weights)
    y = plain(single(given, **call))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)

    if smooth:
        _gradients(layer, weights, x, found, call, compiled)
    _symbols(layer, x, found.shape)
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    again(x, **call)
    again.set_weights(weights)
    np.testing.assert_array_equal(plain(again(x, **call)), found)


def _gradients(layer: Any, weights: Any, x: Any, y: Any, call: Any, compiled: bool) -> None:
    """Slopes against differences along a direction; the compiled function gives the same numbers."""
    held = [v.numpy() for v in layer.non_trainable_variables]
    seed = wave(y, 4.0)

    def loss(weights: Any, x: Any) -> Any:
        return np.sum(layer.stateless_call(weights, held, x, **call)[0] * seed)

    value_and_slopes = backlight.value_and_grad(loss, argnums=(0, 1))
    _, slopes = value_and_slopes(weights, x)
    slopes = tree_map(plain, slopes)
    way = tree_map(lambda each: wave(each, 7.0), (weights, x))
    ends = []
    for sign in (1, -1):
        moved = tree_map(lambda at, along, h=sign * STEP: at + h * along, (weights, x), way)
        ends.append(float(loss(*moved)))
    rise = sum(float(np.sum(g * w)) for g, w in zip(leaves(slopes), leaves(way), strict=True))
    np.testing.assert_allclose(rise, (ends[0] - ends[1]) / (2 * STEP), rtol=1e-5, atol=1e-6)
    if compiled:
        value, fast = backlight.compile(value_and_slopes)(weights, x)
        np.testing.assert_allclose(float(value), float(loss(weights, x)), rtol=1e-9, atol=1e-10)
        for one, other in zip(leaves(fast), leaves(slopes), strict=True):
            np.testing.assert_allclose(plain(one), other, rtol=1e-8, atol=1e-10)


def leaves(tree: Any) -> list[Any]:
    return flatten(tree)[0]


def _symbols(layer: Any, x: Any, shape: tuple[int, ...]) -> None:
    """Shapes of what is still to come: the examples are unknown, everything else is not."""
    arrays = x if isinstance(x, list) else [x]
    symbols = [Symbol((None, *each.shape[1:]), np.float64, "x") for each in arrays]
    y = layer(symbols if isinstance(x, list) else symbols[0])
    assert y.shape == (None, *shape[1:])
    assert y.dtype == np.float64
