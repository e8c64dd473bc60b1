"""A backward pass that is remembered gives the bits of one that is derived anew, whatever the numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight
from backlight.array import Array
from backlight.differentiate import pull_back
from backlight.memo import _memory, gradient_values
from backlight.primitive import REGISTRY, Elementwise, Primitive
from backlight.trace import constant

RECORDS = sorted(REGISTRY, key=lambda record: record.name)


def samples(record: Primitive) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    if isinstance(record, Elementwise):
        length = min(len(numbers) for numbers in record.samples)
        return [(tuple(np.array(numbers[:length]) for numbers in record.samples), {})]
    return [(tuple(np.asarray(x) for x in sample.inputs), sample.params) for sample in record.samples()]


def refuses(record: Primitive, k: int) -> bool:
    """Whether no derivative is known by this input: the order of some special functions."""
    return isinstance(record, Elementwise) and getattr(record.partials[k], "__name__", "") == "refuse"


def loss(record: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> tuple[Any, list[Any]]:
    leaves = [
        backlight.array(x) if x.dtype == np.float64 and not refuses(record, k) else x for k, x in enumerate(inputs)
    ]
    ys = record(*leaves, **params)
    total = None
    for y in ys if isinstance(ys, tuple) else (ys,):
        if isinstance(y, Array) and y.dtype.kind == "f":
            term = np.sum(y * np.sin(np.arange(y.size) + 1.0).reshape(y.shape))
            total = term if total is None else total + term
    return total, [leaf.node for leaf in leaves if isinstance(leaf, Array)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_the_same_bits(record: Primitive) -> None:
    for inputs, params in samples(record):
        for scale in (1.0, 1.0, 0.9375, 1.0):
            moved = tuple(x * scale if x.dtype == np.float64 else x for x in inputs)
            total, leaves = loss(record, moved, params)
            if total is None or not leaves:
                continue
            found = pull_back([total.node], [Array(constant(np.float64(1.0)))], leaves)
            for node, value in zip(leaves, gradient_values(total.node, leaves), strict=True):
                expected = found[node].node.value if node in found else np.zeros(node.shape)
                assert np.asarray(value).dtype == node.dtype
                assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()


def test_what_is_remembered_is_bounded() -> None:
    for n in range(1, 200):
        for _ in range(2):
            backlight.grad(lambda x: np.sum(x * 2.0))(np.ones(n))
    assert len(_memory) <= 64


def test_functions_with_captured_arrays_of_changing_shape() -> None:
    gradient = backlight.grad(lambda x: np.sum(x * captured))
    for n in (2, 3, 2, 3, 2):
        captured = backlight.array(np.arange(float(n)))
        np.testing.assert_array_equal(gradient(np.ones(n)), np.arange(float(n)))


def test_nothing_behind_an_input_of_the_backward_graph_is_remembered() -> None:
    """A transpose of a transpose becomes what stood before both, which another call computes anew."""
    random = np.random.default_rng(0)
    gradient = backlight.grad(lambda q, h, k: np.sum(q @ (h @ k).T))
    for _ in range(4):
        q, h, k = random.normal(size=(3, 4, 4))
        np.testing.assert_allclose(gradient(q, h, k), np.ones((4, 4)) @ (h @ k), rtol=1e-12)
