"""Mistakes that training has made once: each test fails where one of them comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from refused import names_all, said

import backlight
from backlight import keras
from backlight.errors import ArgumentError, DataError, TrainingWarning

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


def test_a_layer_may_call_itself_what_it_likes() -> None:
    class Scale(layers.Layer):
        def __init__(this, factor: float = 2.0, **options: Any) -> None:
            super().__init__(**options)
            this.factor = factor

        def call(this, inputs: Any) -> Any:
            return inputs * this.factor

    assert Scale(3.0).get_config()["factor"] == 3.0


# -- Steps of one's own, without labels ------------------------------------------------------------------------------


class Coder(keras.Model):
    """Learns to give back what came in; a metric as an attribute tells how well."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = layers.Dense(2), layers.Dense(6)
        self.far = keras.metrics.Mean(name="far")

    def call(self, inputs: Any) -> Any:
        return self.wide(self.narrow(inputs))

    def train_step(self, data: Any) -> dict[str, Any]:
        x = data[0] if isinstance(data, tuple) else data
        with backlight.GradientTape() as tape:
            loss = np.mean((self(x, training=True) - x) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.far.update_state(loss)
        return {"far": self.far.result()}


@pytest.mark.parametrize("native", [True, False])
def test_a_step_of_ones_own_needs_no_labels(native: bool) -> None:
    model = Coder()
    model.compile(keras.optimizers.Adam(0.01), jit_compile=native)
    history = model.fit(X, epochs=3, verbose=0).history
    assert list(history) == ["far"]
    assert history["far"][2] < history["far"][0]
    assert model.far in model.metrics


def test_losses_of_layers_alone_can_be_trained() -> None:
    class Small(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(np.mean(inputs**2))
            return inputs

    model = keras.Sequential([keras.Input((6,)), layers.Dense(3), Small()])
    model.compile(keras.optimizers.SGD(0.0))
    expected = np.mean(model.predict(X, verbose=0).astype(np.float64) ** 2)
    assert model.fit(X, batch_size=48, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="y: 0"):
        model.fit(X, verbose=0)


# -- Data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "steps", "seen"),
    [(16, 2, [15.5, 36.5, 15.5]), (16, 5, [20.5] * 3), (None, 2, [20.5] * 3), (32, 1, [15.5, 36.5, 15.5])],
    ids=str,
)
def test_steps_per_epoch_cut_a_pass_into_epochs(batch: Any, steps: int, seen: list[float]) -> None:
    """The mean of the numbers 0 to 41 that an epoch sees, as in Keras."""
    x = np.arange(42, dtype=np.float32)[:, None]
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    options: Any = {"batch_size": batch, "verbose": 0}
    if (batch, steps) == (16, 5):
        with pytest.warns(TrainingWarning, match="3 batches came of the 5"):
            history = model.fit(x, 0 * x, steps_per_epoch=steps, epochs=3, shuffle=False, **options)
    else:
        history = model.fit(x, 0 * x, steps_per_epoch=steps, epochs=3, shuffle=False, **options)
        assert len(model.predict(x, steps=1, **options)) == (batch or 42)
        assert model.evaluate(x, 0 * x, steps=steps, **options) == pytest.approx(seen[0])
    assert history.history["loss"] == pytest.approx(seen)


def test_classes_without_a_weight_weigh_1() -> None:
    model = set_weights(keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="softmax")]))
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    y = np.arange(48) % 3
    p = model.predict(X, verbose=0).astype(np.float64)
    expected = np.mean(-np.log(p[np.arange(48), y]) * np.where(y == 1, 5.0, 1.0))
    with pytest.warns(TrainingWarning, match=r"\[0, 2\]"):
        history = model.fit(X, y, class_weight={1: 5.0}, batch_size=48, verbose=0)
    assert history.history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_callbacks_see_the_batches_of_predict() -> None:
    seen: list[Any] = []

    class Watching(keras.callbacks.Callback):
        def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
            seen.append(batch)

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append((batch, logs["outputs"]))

    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    p = model.predict(X, batch_size=20, verbose=0, callbacks=[Watching()])
    assert [each if isinstance(each, int) else each[0] for each in seen] == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(np.concatenate([each[1] for each in seen[1::2]]), p)


def test_control_c_in_a_validation_leaves_the_epoch_in_the_history() -> None:
    class Impatient(keras.callbacks.Callback):
        def on_test_end(self, logs: Any = None) -> None:
            raise KeyboardInterrupt

    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    options: Any = {"epochs": 3, "verbose": 0, "validation_data": (X, COLUMN)}
    assert len(model.fit(X, COLUMN, callbacks=[Impatient()], **options).history["loss"]) == 1
    history = model.fit(X, COLUMN, resume=True, **options)
    assert history.epoch == [0, 1, 2]
    assert [len(history.history[name]) for name in ("loss", "val_loss")] == [3, 3]


# -- Bad input -------------------------------------------------------------------------------------------------------

CLASSES = np.arange(48) % 3
ONE_BAD = np.where(np.arange(48) == 45, 7, CLASSES)
NOT_A_NUMBER = np.where(np.arange(288).reshape(48, 6) == 280, np.nan, X)


def classifier(loss: Any = "sparse_categorical_crossentropy", units: int = 3, activation: str = "softmax") -> Any:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(units, activation=activation)])
    model.compile("sgd", loss)
    return model


def trained() -> Any:
    model = classifier()
    model.fit(X, CLASSES, verbose=0)
    return model


def handed_out(x: Any, y: Any) -> Iterator[Any]:
    return ((x[k : k + 16], y[k : k + 16]) for k in range(0, 48, 16))


def aligned(worst: int) -> Any:
    model = keras.Sequential([keras.Input((5, 4)), layers.Dense(4)])
    model.compile("sgd", keras.losses.CTC())
    return model.fit(SEQUENCES, np.where(np.arange(96).reshape(48, 2) == 90, worst, 1), verbose=0)


def two_outputs(y: Any, **options: Any) -> Any:
    a = keras.Input((6,))
    model = keras.Model(a, [layers.Dense(1, name="one")(a), layers.Dense(1, name="two")(a)])
    model.compile("sgd", "mse")
    return model.fit(X, y, verbose=0, **options)


BAD: list[tuple[str, Callable[[], Any], Any, tuple[str, ...]]] = [
    ("labels", lambda: classifier().fit(X, np.where(CLASSES == 0, np.nan, 1), verbose=0), DataError, ("y",)),
    (
        "weights",
        lambda: classifier().fit(X, CLASSES, sample_weight=np.full(48, np.nan), verbose=0),
        DataError,
        ("sample_weight",),
    ),
    (
        "validation",
        lambda: classifier().fit(X, CLASSES, validation_data=(NOT_A_NUMBER, CLASSES), verbose=0),
        DataError,
        ("(46, 4)",),
    ),
    ("batch nan", lambda: classifier().fit(handed_out(NOT_A_NUMBER, CLASSES), verbose=0), DataError, ("3", "(14, 4)")),
    ("batch class", lambda: classifier().fit(handed_out(X, ONE_BAD), verbose=0), ArgumentError, ("7", "3")),
    ("evaluate", lambda: trained().evaluate(X, ONE_BAD, verbose=0), ArgumentError, ("7", "3")),
    ("on batch", lambda: trained().train_on_batch(X, ONE_BAD), ArgumentError, ("7", "3")),
    (
        "binary",
        lambda: classifier("binary_crossentropy", 1, "sigmoid").fit(X, ONE_BAD[:, None] // 3, verbose=0),
        ArgumentError,
        ("2", "(48, 1)"),
    ),
    ("ctc", lambda: aligned(5), ArgumentError, ("ctc", "5", ", 5, 4)")),
    ("names", lambda: two_outputs({"one": COLUMN, "tow": COLUMN}), ArgumentError, ("tow", "two")),
    ("classes", lambda: two_outputs([COLUMN, COLUMN], class_weight={0: 1.0}), ArgumentError, ("class_weight",)),
    (
        "split",
        lambda: classifier().fit(handed_out(X, CLASSES), validation_split=0.5, verbose=0),
        ArgumentError,
        ("validation_split", "generator"),
    ),
]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("call", "kind", "parts"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_told(call: Any, kind: Any, parts: Any, lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names_all(said(call, kind, lang, monkeypatch), parts, lang)


@pytest.mark.parametrize("native", [True, False])
def test_a_number_without_a_row_is_named_in_whatever_step_it_comes(native: bool) -> None:
    model = keras.Sequential([layers.Embedding(10, 4), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=native)
    numbers = np.where(np.arange(144).reshape(48, 3) == 140, 12, 1)
    with pytest.raises(backlight.errors.RangeError, match="index 12"):
        model.fit(numbers, COLUMN, batch_size=8, shuffle=False, verbose=0)
    assert np.all(np.isfinite(model.get_weights()[0]))


def test_steps_before_bad_data_count() -> None:
    model = classifier()
    start = model.get_weights()[0]
    watching = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with pytest.raises(DataError):
        model.fit(handed_out(NOT_A_NUMBER, CLASSES), verbose=0, callbacks=[watching])
    assert int(model.optimizer.iterations) == 2
    assert np.all(model.get_weights()[0] != start)


def test_an_error_tells_the_output_that_it_is_about() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, name="last")])
    model.compile("sgd", "mse")
    with pytest.raises(backlight.errors.ShapeError) as caught:
        model.fit(X, X[:, :2], verbose=0)
    assert any("last" in note for note in caught.value.__notes__)


def test_two_activations_and_a_row_against_a_column_are_warned_of() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="softmax"), layers.Activation("softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(TrainingWarning, match="softmax → softmax"):
        model.fit(X, CLASSES, verbose=0)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1), layers.Reshape(())])
    model.compile("sgd", "mse")
    with pytest.warns(TrainingWarning, match="column"):
        model.fit(X, COLUMN, verbose=0)
