"""Mistakes that training has made once: each test fails where one of them comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backlight import keras

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
    """Looking at the first examples before the first step leaves no trace; ``predict`` and ``evaluate`` remember, too."""
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
