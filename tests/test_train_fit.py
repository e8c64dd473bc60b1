"""Training as Keras does it: ``fit`` against steps written by hand, native against interpreted, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
from backlight.compiler.epoch import Epoch
from backlight.data import Batches
from backlight.errors import ArgumentError, BacklightError, CompileError, CompileWarning, DataError, ShapeError
from backlight.nn import naming
from backlight.nn.layers import Activation, Dense, Dropout, Flatten, Input, Lambda, Layer
from backlight.optim import SGD, Adam
from backlight.optim.schedules import ExponentialDecay
from backlight.train.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ProgressBar,
    ReduceLROnPlateau,
)
from backlight.train.model import Model, Sequential
from backlight.train.stepping import Stepper

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6)).astype(np.float32)
Y = (X[:, :3].sum(1, keepdims=True) > 0).astype(np.float32)
CLASSES = RNG.integers(0, 4, 50)


def network(seed: int = 0, rate: float = 0.0) -> Sequential:
    naming.set_random_seed(seed)
    return Sequential([Dense(8, activation="relu", input_shape=(6,)), Dropout(rate), Dense(1, activation="sigmoid")])


def weights_of(model: Any) -> list[Any]:
    return [w.copy() for w in model.get_weights()]


# -- Against steps written by hand -----------------------------------------------------------------------------------


@pytest.mark.parametrize("native", [True, False])
def test_fit_is_gradient_descent_on_every_batch_in_order(native: bool) -> None:
    """A float64 transcription of the network, its gradient and the loop over batches, the last one smaller."""
    naming.set_random_seed(1)
    model = Sequential([Dense(5, activation="tanh", input_shape=(6,)), Dense(1)])
    w1, b1, w2, b2 = (w.astype(np.float64) for w in model.get_weights())
    model.compile(SGD(0.1), "mse", metrics=["mae"], jit_compile=native)
    history = model.fit(X, Y, batch_size=16, epochs=3, shuffle=False, verbose=0).history
    for epoch in range(3):
        losses, errors = [], []
        for start in range(0, 50, 16):
            x, t = X[start : start + 16].astype(np.float64), Y[start : start + 16].astype(np.float64)
            h = np.tanh(x @ w1 + b1)
            d = h @ w2 + b2 - t
            losses.append((d**2).sum())
            errors.append(np.abs(d).sum())
            g = 2 * d / len(x)
            gh = (g @ w2.T) * (1 - h**2)
            w2, b2 = w2 - 0.1 * h.T @ g, b2 - 0.1 * g.sum(0)
            w1, b1 = w1 - 0.1 * x.T @ gh, b1 - 0.1 * gh.sum(0)
        assert history["loss"][epoch] == pytest.approx(sum(losses) / 50, rel=1e-5)
        assert history["mae"][epoch] == pytest.approx(sum(errors) / 50, rel=1e-5)
    for got, expected in zip(model.get_weights(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_native_and_interpreted_training_agree(optimizer: str, rate: float) -> None:
    """Shuffling and dropout draw the same numbers either way."""
    found = []
    for native in (True, False):
        model = network(3, rate)
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy", "auc"], jit_compile=native)
        history = model.fit(X, Y, batch_size=16, epochs=3, validation_split=0.2, verbose=0).history
        found.append((weights_of(model), history, model.predict(X, verbose=0)))
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    for name, column in found[0][1].items():
        np.testing.assert_allclose(column, found[1][1][name], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-3, atol=1e-5)


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads() -> None:
    from backlight.compiler.threads import set_threads

    found = []
    try:
        for threads in (1, 2, 3):
            set_threads(threads)
            model = network(5, 0.25)
            model.compile(Adam(0.01), "binary_crossentropy")
            model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
            found.append(b"".join(w.tobytes() for w in model.get_weights()))
    finally:
        set_threads(None)
    assert found[0] == found[1] == found[2]


def test_two_fits_are_one_longer_fit() -> None:
    ends = []
    for parts in ((4,), (1, 3)):
        model = network(2, 0.25)
        model.compile(Adam(0.01), "binary_crossentropy")
        for epochs in parts:
            model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0)
        ends.append(weights_of(model))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


# -- Models ----------------------------------------------------------------------------------------------------------


class Own(Model):
    """A model written as a class."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = Dense(8, activation="relu")
        self.out = Dense(1, activation="sigmoid")

    def call(self, inputs: Any) -> Any:
        return self.out(self.hidden(inputs))


def functional() -> Model:
    x = Input((6,))
    return Model(x, Dense(1, activation="sigmoid")(Dense(8, activation="relu")(x)))


@pytest.mark.parametrize("make", [lambda: network(0), functional, Own], ids=["sequential", "functional", "subclass"])
def test_three_styles_are_one_network(make: Any) -> None:
    reference = network(0)
    model = make()
    model(X[:2])
    model.set_weights(reference.get_weights())
    for each in (reference, model):
        each.compile(SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    one, other = (each.fit(X, Y, epochs=2, shuffle=False, verbose=0).history for each in (reference, model))
    assert one == other
    assert reference.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert len(model.trainable_variables) == 4
    assert model.count_params() == 6 * 8 + 8 + 8 + 1


def test_several_inputs_and_outputs() -> None:
    a, b = Input((6,), name="a"), Input((2,), name="b")
    h = Dense(4, activation="relu")(np.concatenate([a, b], axis=1))
    model = Model([a, b], [Dense(1, name="one")(h), Dense(4, activation="softmax", name="two")(h)])
    model.compile(
        "adam",
        {"one": "mse", "two": "sparse_categorical_crossentropy"},
        loss_weights={"one": 0.5, "two": 2.0},
        metrics={"two": ["accuracy"]},
    )
    extra = RNG.normal(size=(50, 2))
    history = model.fit([X, extra], [Y, CLASSES], epochs=2, verbose=0).history
    assert set(history) == {"loss", "one_loss", "two_loss", "two_accuracy"}
    for total, one, two in zip(history["loss"], history["one_loss"], history["two_loss"], strict=True):
        assert total == pytest.approx(0.5 * one + 2 * two, rel=1e-5)
    again = model.evaluate({"a": X, "b": extra}, {"one": Y, "two": CLASSES}, verbose=0, return_dict=True)
    assert set(again) == set(history)
    one, two = model.predict([X, extra], verbose=0)
    assert (one.shape, two.shape) == ((50, 1), (50, 4))


def test_shared_layers_are_counted_once() -> None:
    shared = Dense(6, name="shared")
    x = Input((6,))
    model = Model(x, shared(shared(x)))
    assert model.count_params() == 42
    said: list[str] = []
    model.summary(print_fn=said.append)
    assert "42" in said[0]
    assert len(model.weights) == 2


@pytest.mark.parametrize("width", [40, 80])
def test_a_summary_fits_the_width(width: int) -> None:
    lines: list[str] = []
    network(0).summary(line_length=width, print_fn=lines.append)
    assert all(len(line) <= width for line in lines[0].splitlines())


@pytest.mark.parametrize("make", [lambda: network(0), functional], ids=["sequential", "functional"])
def test_a_model_is_made_again_from_its_configuration(make: Any) -> None:
    import json

    model = make()
    twin = type(model).from_config(json.loads(json.dumps(model.get_config())))
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(X).value, model(X).value)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]


# -- A step of one's own ---------------------------------------------------------------------------------------------


class Careful(Sequential):
    """Clips the loss, and reports something of its own."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, _ = data
        with backlight.GradientTape() as tape:
            loss = np.mean((self(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"squared": loss, "norm": np.sqrt(sum(np.sum(g**2) for g in gradients))}


def test_a_step_of_ones_own_becomes_part_of_the_native_loop() -> None:
    histories = []
    for native in (True, False):
        naming.set_random_seed(0)
        model = Careful([Dense(4, activation="tanh", input_shape=(6,)), Dense(1)])
        model.compile(SGD(0.1), "mse", jit_compile=native)
        histories.append(model.fit(X, Y, epochs=3, shuffle=False, verbose=0).history)
    assert set(histories[0]) == {"squared", "norm"}
    for name, column in histories[0].items():
        np.testing.assert_allclose(column, histories[1][name], rtol=1e-4)


def test_a_step_by_hand_with_a_tape_can_be_compiled() -> None:
    results = []
    for compiled in (True, False):
        model, optimizer = network(4), Adam(0.01)
        optimizer.build(model.trainable_variables)

        def step(x: Any, y: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            with backlight.GradientTape() as tape:
                loss = np.mean((model(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return loss

        run = backlight.compile(lambda x, y, step=step: step(x, y), strict=True) if compiled else step
        results.append([float(run(X, Y)) for _ in range(4)])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4)
    assert results[0][-1] < results[0][0]


# -- Weights of examples, regularisation, callbacks ------------------------------------------------------------------


def test_weights_of_examples_and_classes() -> None:
    """Classes weighted by 0 and 2 are examples weighted so."""
    labels = Y[:, 0].astype(int)
    ends = []
    for options in ({"class_weight": {0: 0.0, 1: 2.0}}, {"sample_weight": np.where(labels == 1, 2.0, 0.0)}):
        model = network(6)
        model.compile(SGD(0.1), "binary_crossentropy")
        model.fit(X, Y, shuffle=False, verbose=0, **options)
        ends.append(weights_of(model))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(one != start) for one, start in zip(ends[0], weights_of(network(6)), strict=True))


def test_regularisers_and_losses_of_layers_are_part_of_the_loss() -> None:
    class Busy(Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(3.0 * np.mean(np.abs(inputs)))
            return inputs

    model = Sequential([Busy(input_shape=(6,)), Dense(1, kernel_regularizer="l2", activity_regularizer="l1")])
    model.compile(SGD(0.0), "mse")
    kernel = model.get_weights()[0].astype(np.float64)
    p = X @ kernel
    expected = np.mean((p - Y) ** 2) + 3 * np.mean(np.abs(X)) + 0.01 * np.sum(kernel**2) + 0.01 * np.sum(np.abs(p)) / 50
    assert model.fit(X, Y, batch_size=50, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_callbacks_see_every_batch_and_may_change_what_is_trained() -> None:
    seen: list[Any] = []

    class Watch(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append((batch, logs["loss"], self.model.get_weights()[0][0, 0]))
            if batch == 1:
                self.model.set_weights([np.zeros_like(w) for w in self.model.get_weights()])
                self.model.optimizer.learning_rate = 0.0

    model = network(7)
    model.compile(SGD(0.1), "mse")
    model.fit(X, Y, batch_size=16, shuffle=False, callbacks=[Watch()], verbose=0)
    assert [batch for batch, *_ in seen] == [0, 1, 2, 3]
    assert len({weight for _, _, weight in seen[:2]}) == 2
    assert seen[2][2] == seen[3][2] == 0.0


def test_early_stopping_brings_the_best_weights_back() -> None:
    model = network(8)
    model.compile(SGD(0.0), "mse")
    start = weights_of(model)
    stopping = EarlyStopping(monitor="loss", patience=2, restore_best_weights=True)
    history = model.fit(X, Y, epochs=20, callbacks=[stopping], verbose=0)
    assert len(history.history["loss"]) == 3
    for one, other in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("native", [True, False])
def test_control_c_gives_back_the_history_and_a_model_that_can_be_used(native: bool) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    model = network(9)
    model.compile("sgd", "mse", jit_compile=native)
    history = model.fit(X, Y, epochs=5, callbacks=[LambdaCallback(on_epoch_begin=stop)], verbose=0)
    assert len(history.history["loss"]) == 1
    assert np.isfinite(model.predict(X, verbose=0)).all()
    assert len(model.fit(X, Y, epochs=1, verbose=0).history["loss"]) >= 1


# -- Data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["batches", "generator", "memmap", "float64", "list"])
def test_whatever_holds_the_same_examples_trains_the_same(kind: str, tmp_path: Any) -> None:
    def end(x: Any, y: Any = None, **options: Any) -> Any:
        model = network(10)
        model.compile(SGD(0.1), "mse")
        history = model.fit(x, y, shuffle=False, verbose=0, epochs=2, **options)
        return history.history["loss"], weights_of(model)

    expected = end(X, Y, batch_size=10)
    if kind == "batches":
        got = end(Batches((X, Y), 10, prefetch=2))
    elif kind == "generator":
        got = end(lambda: ((X[k : k + 10], Y[k : k + 10]) for k in range(0, 50, 10)))
    elif kind == "memmap":
        np.save(tmp_path / "x.npy", X)
        got = end(np.load(tmp_path / "x.npy", mmap_mode="r"), Y, batch_size=10)
    elif kind == "float64":
        got = end(X.astype(np.float64), Y.astype(np.float64), batch_size=10)
    else:
        got = end(np.asarray(X.tolist()), np.asarray(Y.tolist()), batch_size=10)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-6)
    for one, other in zip(got[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_batch_at_a_time() -> None:
    one, other = network(11), network(11)
    for model in (one, other):
        model.compile(SGD(0.1), "mse", metrics=["mae"])
    one.fit(X, Y, batch_size=50, verbose=0)
    loss, mae = other.train_on_batch(X, Y)
    assert loss == pytest.approx(one.history.history["loss"][0], rel=1e-6)
    assert mae == pytest.approx(one.history.history["mae"][0], rel=1e-6)
    np.testing.assert_allclose(other.get_weights()[0], one.get_weights()[0], rtol=1e-6)
    np.testing.assert_allclose(one.predict_on_batch(X[:3]), one.predict(X, verbose=0)[:3], rtol=1e-5)


def test_what_cannot_be_compiled_trains_all_the_same() -> None:
    def odd(x: Any) -> Any:
        return x if float(np.sum(x)) > 1e9 else x * 1.0

    model = Sequential([Dense(3, input_shape=(6,)), Lambda(odd), Dense(1)])
    model.compile(SGD(0.01), "mse")
    with pytest.warns(CompileWarning):
        history = model.fit(X, Y, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]


def test_what_ran_natively_counts_where_the_rest_cannot_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last batch, which is smaller, runs in Python after the others: as if all had run natively."""
    whole, parted = network(12), network(12)
    for model in (whole, parted):
        model.compile(SGD(0.1), "mse")
    whole.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    natively = Stepper._natively

    def refuse_small(self: Any, batches: Any, data: Any) -> Any:
        if np.shape(batches)[1] < 16:
            raise CompileError("not this one")
        return natively(self, batches, data)

    monkeypatch.setattr(Stepper, "_natively", refuse_small)
    with pytest.warns(CompileWarning, match="not this one"):
        parted.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    for one, other in zip(whole.get_weights(), parted.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_an_interrupted_epoch_leaves_what_its_steps_have_done(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Epoch.__call__

    def interrupted(self: Any, state: Any, batches: Any, *data: Any) -> Any:
        call(self, state, batches, *data)
        raise KeyboardInterrupt

    whole, stopped = network(13), network(13)
    for model in (whole, stopped):
        model.compile(SGD(0.1), "mse")
    whole.fit(X, Y, batch_size=50, shuffle=False, verbose=0)
    monkeypatch.setattr(Epoch, "__call__", interrupted)
    stopped.fit(X, Y, batch_size=50, shuffle=False, verbose=0)
    for one, other in zip(whole.get_weights(), stopped.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# -- Pieces of an epoch, and going on ----------------------------------------------------------------------------------


class Squared(Sequential):
    """A model with a step of its own."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data) | {"sum": np.sum(self.trainable_variables[0])}


SOURCES = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 16},
    "batches": lambda: {"x": Batches((X, Y), 16, shuffle=True, key=3, prefetch=2)},
    "generator": lambda: {"x": lambda: ((X[k : k + 10], Y[k : k + 10]) for k in range(0, 50, 10))},
    "steps": lambda: {"x": Batches((X, Y), 16, shuffle=True, key=4, repeat=None), "steps_per_epoch": 7},
}


def trained(source: str, kind: type, native: bool, *cuts: int) -> Any:
    """The weights and the history of three epochs that were interrupted after so many steps."""

    class Cut(Callback):
        def __init__(self, after: int) -> None:
            self.left = after

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    naming.set_random_seed(5)
    model = kind([Dense(8, activation="relu", input_shape=(6,)), Dropout(0.3), Dense(1, activation="sigmoid")])
    model.compile(Adam(0.01), "binary_crossentropy", metrics=["accuracy"], jit_compile=native)
    history: Any = None
    for k, after in enumerate((*cuts, 0)):
        history = model.fit(**SOURCES[source](), epochs=3, callbacks=[Cut(after)], resume=k > 0, verbose=0)
    return [w.tobytes() for w in model.get_weights()], history.history, history.epoch


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("kind", [Sequential, Squared])
@pytest.mark.parametrize("source", SOURCES)
def test_training_that_was_interrupted_goes_on_exactly(source: str, kind: type, native: bool) -> None:
    weights, history, epochs = trained(source, kind, native)
    assert epochs == [0, 1, 2]
    assert trained(source, kind, native, 2, 1, 4) == (weights, history, epochs)


@pytest.mark.parametrize("kind", [Sequential, Squared])
def test_a_validation_that_was_interrupted_is_done_again(kind: type) -> None:
    def ended(*moments: str) -> Any:
        naming.set_random_seed(6)
        model = kind([Dense(1, input_shape=(6,))])
        model.compile(SGD(0.1), "mse", metrics=["mae"])
        history: Any = None
        for moment in (*moments, ""):
            waiting = [moment]

            def stop(*_: Any, waiting: Any = waiting, **__: Any) -> None:
                if waiting.pop() == "":
                    waiting.append("")
                else:
                    raise KeyboardInterrupt

            told = LambdaCallback(**({moment: stop} if moment else {}))
            history = model.fit(
                X, Y, batch_size=16, epochs=3, validation_data=(X[:9], Y[:9]), callbacks=[told], verbose=0, resume=True
            )
        return [w.tobytes() for w in model.get_weights()], history.history, history.epoch

    assert ended("on_test_begin", "on_test_batch_end", "on_test_end", "on_epoch_begin") == ended()


def test_an_epoch_in_pieces_has_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for shown in (0.2, 0.0):  # seconds after which there is something to see
        monkeypatch.setattr("backlight.train.stepping.SHOWN", shown)
        model = network(14, 0.3)
        model.compile(Adam(0.01), "mse", metrics=["mae"])
        history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0).history
        found.append(([w.tobytes() for w in model.get_weights()], history))
    assert found[0] == found[1]


def test_progress_is_shown_within_an_epoch_and_nobody_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backlight.train.stepping.SHOWN", 0.0)
    shown: list[Any] = []
    told: list[int] = []
    monkeypatch.setattr(ProgressBar, "on_progress", lambda self, batch, logs=None: shown.append((batch, sorted(logs))))
    every = LambdaCallback(on_train_batch_end=lambda batch, logs: told.append(batch))
    every.batch_interval = 5
    model = network(15)
    model.compile(SGD(0.1), "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=4, epochs=2, callbacks=[every], verbose=2)
    assert told == [4, 9, 1, 6, 11]  # 13 steps an epoch
    assert len(shown) > 10
    assert all(names == ["loss", "mae"] for _, names in shown)


def test_training_can_be_stopped_in_the_middle_of_an_epoch() -> None:
    class Stop(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = batch == 1

    one, other = network(16), network(16)
    for model in (one, other):
        model.compile(SGD(0.1), "mse")
    history = one.fit(X, Y, batch_size=16, shuffle=False, epochs=4, callbacks=[Stop()], verbose=0)
    other.fit(X[:32], Y[:32], batch_size=16, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 1
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "callback",
    [LearningRateScheduler(lambda epoch: 0.1), ReduceLROnPlateau("loss")],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_two_schedules_are_one_too_many(callback: Any, lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(17)
    model.compile(SGD(ExponentialDecay(0.1, 10, 0.5)), "mse")
    text = said(lambda: model.fit(X, Y, callbacks=[callback], verbose=0), ArgumentError, lang, monkeypatch)
    assert "ExponentialDecay" in text


# -- Bad input -------------------------------------------------------------------------------------------------------


def fitted(x: Any, y: Any, loss: Any = "mse", units: int = 1, activation: Any = None, **options: Any) -> Any:
    model = Sequential([Dense(units, activation=activation)])
    model.compile("sgd", loss, metrics=options.pop("metrics", None))
    return model.fit(x, y, verbose=0, **options)


NAN = X.copy()
NAN[3, 2] = np.nan
BAD: list[tuple[str, Any, type[BacklightError], str]] = [
    ("not compiled", lambda: Sequential([Dense(1)]).fit(X, Y), ArgumentError, "compile"),
    ("no data", lambda: fitted(None, None), ArgumentError, "x"),
    ("empty", lambda: fitted(X[:0], Y[:0]), DataError, "x"),
    ("nan in the data", lambda: fitted(NAN, Y), DataError, "(3, 2)"),
    ("lengths", lambda: fitted(X, Y[:40]), ShapeError, "40"),
    ("labels out of range", lambda: fitted(X, CLASSES + 9, "sparse_categorical_crossentropy", 4, "softmax"),
     ArgumentError, "12"),
    ("rank", lambda: fitted(X, np.zeros((50, 2, 2)), "categorical_crossentropy", 2, "softmax"), ShapeError, ", 2, 2)"),
    ("softmax twice", lambda: fitted(X, CLASSES, _from_logits(), 4, "softmax"), ArgumentError, "softmax"),
    ("logits where probabilities are expected", lambda: fitted(X * 9, Y, "binary_crossentropy"), ArgumentError,
     "sigmoid"),
    ("batch size", lambda: fitted(X, Y, batch_size=0), ArgumentError, "batch_size"),
    ("split", lambda: fitted(X, Y, validation_split=1.5), ArgumentError, "1.5"),
    ("class weight", lambda: fitted(X, Y, class_weight=[1.0, 2.0]), ArgumentError, "class_weight"),
    ("loss by name", lambda: fitted(X, Y, "mean_square"), ArgumentError, "mean_squared_error"),
    ("metric by name", lambda: fitted(X, Y, metrics=["acuracy"]), ArgumentError, "accuracy"),
    ("width of the input", lambda: functional()(X[:, :4]), ShapeError, "(50, 4)"),
    ("not a layer", lambda: Sequential([3]), ArgumentError, "3"),
    ("two layers of one name", lambda: Sequential([Flatten(name="a"), Activation("relu", name="a")]), ArgumentError,
     "a"),
    ("number of weights", lambda: network().set_weights([X]), ShapeError, "4"),
    ("shape of weights", lambda: network().set_weights([X] * 4), ShapeError, "(6, 8)"),
]  # fmt: skip


def _from_logits() -> Any:
    from backlight.nn.losses import SparseCategoricalCrossentropy

    return SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(("call", "kind", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_input_is_named_before_the_first_step(
    call: Any, kind: Any, part: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(call, kind, language, monkeypatch)
    assert part in text
    assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")
