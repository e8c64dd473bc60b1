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


# -- Losses and metrics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_do_not_count_what_a_mask_leaves_out(weighted: bool) -> None:
    """By hand: mean absolute errors of the steps that are there, over their number (or their weights)."""
    x = SEQUENCES.copy()
    x[::3, 3:] = 0
    there = np.any(x != 0, axis=-1).astype(np.float64)
    model = set_weights(keras.Sequential([keras.Input((5, 4)), layers.Masking(), layers.GRU(2, return_sequences=True)]))
    named: Any = {"weighted_metrics" if weighted else "metrics": ["mae"]}
    model.compile("sgd", "mse", **named)
    weights = np.linspace(0.0, 1.0, 48)
    found = model.evaluate(x, np.ones((48, 5, 2)), sample_weight=weights, verbose=0)[1]
    errors = np.abs(model.predict(x, verbose=0).astype(np.float64) - 1).mean(-1)
    w = there * (weights[:, None] if weighted else 1.0)
    assert found == pytest.approx(np.sum(errors * w) / np.sum(w), rel=1e-5)
    assert abs(found - errors.mean()) > 1e-3


def test_metrics_of_one_name_are_numbered_as_in_keras() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae", "mae"], weighted_metrics=["mae", "mae"])
    logs = model.evaluate(X, COLUMN, sample_weight=np.linspace(0, 1, 48), verbose=0, return_dict=True)
    assert list(logs) == ["loss", "mae", "mae_1", "weighted_mae", "weighted_mae_1"]
    assert logs["mae"] == logs["mae_1"] != logs["weighted_mae"] == logs["weighted_mae_1"]


def test_an_output_without_a_loss_has_none_in_the_history() -> None:
    a = keras.Input((6,))
    model = keras.Model(a, [layers.Dense(1, name="one")(a), layers.Dense(1, name="two")(a)])
    model.compile("sgd", ["mse", None])
    assert list(model.fit(X, [COLUMN, COLUMN], verbose=0).history) == ["loss"]


def test_train_on_batch_tells_of_its_own_batch_alone() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    model.train_on_batch(X, COLUMN)
    before = model.predict(X, verbose=0).astype(np.float64) - COLUMN
    loss, error = model.train_on_batch(X, COLUMN)
    assert loss == pytest.approx(np.mean(before**2), rel=1e-5)
    assert error == pytest.approx(np.mean(np.abs(before)), rel=1e-5)


def test_what_regularises_outputs_is_for_one_example() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activity_regularizer=keras.regularizers.L2(0.1))])
    model.compile("sgd", "mse")
    p = model.predict(X, verbose=0).astype(np.float64)
    expected = np.mean(p**2) + 0.1 * np.sum(p**2) / 48
    assert model.evaluate(X, np.zeros((48, 3)), batch_size=16, verbose=0) == pytest.approx(expected, rel=1e-5)
