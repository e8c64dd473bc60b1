"""Laws that hold for every layer: gradients, compilation, dtypes, configurations."""

from __future__ import annotations

from typing import Any

import numpy as np

import backlight
from backlight.nn import layers
from backlight.tree import flatten
from backlight.variable import Bindings

RNG = np.random.default_rng(7)


def leaves(tree: Any) -> list[Any]:
    """The arrays of an output, one after the other, as NumPy's."""
    return [np.asarray(leaf.value if isinstance(leaf, backlight.Array) else leaf) for leaf in flatten(tree)[0]]


def randomised(layer: Any, *args: Any, **given: Any) -> Any:
    """The layer, built for these arguments, with other weights than its first ones."""
    layer(*args, **given)
    layer.set_weights([0.6 * RNG.normal(size=w.shape) + 0.3 for w in layer.get_weights()])
    return layer


def gradients_hold(layer: Any, args: Any, **given: Any) -> None:
    """Along random directions of the weights and inputs, the gradient is the slope between two points nearby."""
    assert layer.dtype == "float64"
    trained, kept = layer.trainable_variables, layer.non_trainable_variables
    seeds = [RNG.normal(size=y.shape) for y in leaves(layer(*args, **given))]

    def loss(values: Any, inputs: Any) -> Any:
        with Bindings() as bindings:
            bindings.bind(trained, values)
            bindings.bind(kept, [v.numpy() for v in kept])
            outputs = flatten(layer(*inputs, **given))[0]
            return sum(np.sum(y * seed) for y, seed in zip(outputs, seeds, strict=True))

    points = ([v.numpy() for v in trained], list(args))
    floats = leaves(args)[0].dtype.kind == "f"
    found = backlight.grad(loss, argnums=(0, 1) if floats else 0)(*points)
    slopes = leaves(found if floats else (found, []))
    start = leaves(points if floats else points[0])
    form = flatten(points if floats else points[0])[1]
    for _ in range(3):
        direction = [RNG.normal(size=w.shape) for w in start]
        ends = []
        for sign in (1, -1):
            moved = [w + sign * 1e-6 * d for w, d in zip(start, direction, strict=True)]
            there = backlight.tree.unflatten(form, moved)
            ends.append(float(loss(*there) if floats else loss(there, list(args))))
        expected = (ends[0] - ends[1]) / 2e-6
        slope = sum(float(np.sum(g * d)) for g, d in zip(slopes, direction, strict=True))
        assert abs(slope - expected) <= 1e-6 * max(1.0, abs(expected)), (slope, expected)


def compiled_agrees(layer: Any, args: Any, tolerance: float = 1e-12, **given: Any) -> None:
    """A compiled call gives the numbers of an interpreted one (what cannot be compiled warns, which fails here)."""
    expected = leaves(layer(*args, **given))
    compiled = backlight.compile(lambda *inputs: layer(*inputs, **given))
    found = leaves(compiled(*args))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def made_again(layer: Any, args: Any, **given: Any) -> None:
    """A layer made from its configuration has the same one, the same weights' shapes and gives the same numbers."""
    config = layers.serialize(layer)
    again = layers.deserialize(config)
    assert layers.serialize(again) == config
    again(*args, **given)
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]
    again.set_weights(layer.get_weights())
    for a, b in zip(leaves(again(*args, **given)), leaves(layer(*args, **given)), strict=True):
        np.testing.assert_array_equal(a, b)


def stays_single(layer: Any, args: Any, **given: Any) -> None:
    """Weights and outputs of a layer of float32 are float32, whatever comes in."""
    outputs = flatten(layer(*args, **given))[0]
    assert {str(w.dtype) for w in layer.weights} | {str(y.dtype) for y in outputs} == {"float32"}
