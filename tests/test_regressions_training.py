"""Mistakes that training has made once: each test fails where one of them comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refused import names_all, said

from backlight import keras
from backlight.errors import ArgumentError

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6)).astype(np.float32)
SEQUENCES = RNG.normal(size=(48, 5, 4)).astype(np.float32)
COLUMN = RNG.normal(size=(48, 1)).astype(np.float32)


def set_weights(model: Any) -> Any:
    """Weights that depend on their order and shapes alone."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.6, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


# -- Layers that remember --------------------------------------------------------------------------------------------


class Counting(layers.Layer):
    """Adds how often it has been called."""

    def build(self, shape: Any) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, inputs: Any) -> Any:
        self.calls.assign_add(1.0)
        return inputs + self.calls


@pytest.mark.parametrize("native", [True, False])
def test_a_layer_that_remembers_is_called_once_for_every_batch(native: bool) -> None:
    """Looking at examples before the first step leaves no trace; ``predict`` and ``evaluate`` remember, too."""
    model = keras.Sequential([keras.Input((6,)), Counting(), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", jit_compile=native)
    model.fit(X, COLUMN, batch_size=16, epochs=2, verbose=0)
    assert float(model.layers[0].calls) == 6
    model.predict(X, batch_size=16, verbose=0)
    assert float(model.layers[0].calls) == 9
    model.evaluate(X, COLUMN, batch_size=16, verbose=0)
    assert float(model.layers[0].calls) == 12


def test_a_stateful_layer_trains_with_the_batches_it_was_made_for() -> None:
    model = keras.Sequential([keras.Input(batch_shape=(16, 5, 4)), layers.LSTM(3, stateful=True), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(SEQUENCES, COLUMN, batch_size=16, shuffle=False, verbose=0)
    model.layers[0].reset_state()
    first, second = (model.predict(SEQUENCES[:16], batch_size=16, verbose=0) for _ in range(2))
    model.layers[0].reset_state()
    np.testing.assert_array_equal(model.predict(SEQUENCES[:16], batch_size=16, verbose=0), first)
    assert np.abs(second - first).max() > 1e-4


# -- Networks --------------------------------------------------------------------------------------------------------


def test_weights_are_in_the_order_of_keras() -> None:
    """Layers farther from the outputs come first; numbers taken over from Keras fall into the right places."""
    a, b = keras.Input((5,)), keras.Input((5,))
    shorter, longer = layers.Dense(3, name="d1")(b), layers.Dense(3, name="d3")(layers.Dense(3, name="d2")(a))
    model = keras.Model([a, b], layers.Add()([shorter, longer]))
    assert [weight.path for weight in model.weights[::2]] == ["d2/kernel", "d1/kernel", "d3/kernel"]
    h = layers.Dense(4, name="h")(a)
    model = keras.Model(a, {"z": layers.Dense(1, name="last")(h), "b": layers.Dense(2, name="first")(h)})
    assert [weight.path for weight in model.weights[::2]] == ["h/kernel", "first/kernel", "last/kernel"]
    again, other = layers.Dense(5, name="again"), layers.Dense(5, name="other")
    model = keras.Model(a, layers.Add()([other(a), again(again(a))]))
    assert [weight.path for weight in model.weights[::2]] == ["again/kernel", "other/kernel"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_inputs_by_other_names_are_refused(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    model = keras.Model([a, b], layers.Subtract()([a, b]))
    text = said(lambda: model({"a": X, "c": X}), ArgumentError, lang, monkeypatch)
    names_all(text, ("'c'", "'b'"), lang)
    np.testing.assert_array_equal(model({"b": X, "a": 2 * X}).value, X)
