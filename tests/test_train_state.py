"""A saved model is the model: every kind of layer and option, bit for bit, and training that goes on exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from laws import plain, wave
from refused import names_all, said

import backlight
from backlight import keras, optim
from backlight.errors import StateError
from backlight.nn import constraints, initializers, layers, losses, regularizers
from backlight.nn.layers import Dense, Dropout, Input, Lambda, Layer
from backlight.nn.naming import set_random_seed
from backlight.train import metrics
from backlight.train.model import Model, Sequential
from backlight.train.saving.paths import variables_by_path
from backlight.tree import flatten
from backlight.variable import Variable

ROOT = Path(__file__).resolve().parent.parent
PATH = "model.safetensors"


def numbers(*shape: int) -> Any:
    return wave(np.zeros(shape), 1.0).astype(np.float32)


X, Y = numbers(24, 4), numbers(24, 2)


def filled(model: Any) -> None:
    """Numbers of its own in every weight, positive where a variance wants to be."""
    model.set_weights([0.1 + 0.2 * abs(wave(v.numpy(), 1.0 + k)) for k, v in enumerate(model.weights)])


def bits(variables: Any) -> dict[str, Any]:
    """Dtype, shape and bytes of variables by name."""
    return {name: (str(v.dtype), v.shape, v.numpy().tobytes()) for name, v in variables.items()}


def same(model: Any, again: Any) -> None:
    """Every variable of two models has the same place, the same bits, and is trained or not."""
    one, other = variables_by_path(model), variables_by_path(again)
    assert bits(one) == bits(other)
    assert [v.trainable for v in one.values()] == [v.trainable for v in other.values()]
    assert [layer.trainable for layer in model.layers] == [layer.trainable for layer in again.layers]


# -- Every layer -------------------------------------------------------------------------------------------------------

LINE, WALK, IMAGE, SPACE = (4,), (5, 4), (6, 6, 4), (4, 4, 4, 2)
OF_AXES = {1: WALK, 2: IMAGE, 3: SPACE}
OPTIONS: dict[str, dict[str, Any]] = {
    "Dense": {"units": 3, "activation": "gelu", "kernel_regularizer": "l2", "bias_constraint": "non_neg"},
    "Activation": {"activation": "relu"},
    "Reshape": {"target_shape": (2, -1)},
    "Permute": {"dims": (2, 1)},
    "RepeatVector": {"n": 3},
    "Embedding": {"input_dim": 7, "output_dim": 3, "mask_zero": True},
    "PositionEmbedding": {"sequence_length": 5},
    "TokenAndPositionEmbedding": {"vocabulary_size": 7, "sequence_length": 4, "embedding_dim": 3},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "dropout": 0.2},
    "Attention": {"use_scale": True},
    "TransformerEncoder": {"intermediate_dim": 6, "num_heads": 2},
    "TransformerDecoder": {"intermediate_dim": 6, "num_heads": 2},
    "Dot": {"axes": -1},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": (0.0, 0.2)},
    "RandomCrop": {"height": 3, "width": 3},
    "CenterCrop": {"height": 3, "width": 3},
    "GaussianNoise": {"stddev": 0.3},
    "Rescaling": {"scale": 0.5, "offset": (0.0, 1.0, 2.0, 3.0)},
    "GroupNormalization": {"groups": 2},
    "Operation": {"function": "exp"},
}
SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("Permute", "Masking", "SinePositionEncoding", "PositionEmbedding", "SimpleRNN", "LSTM", "GRU"), WALK
    ),
    **dict.fromkeys(("RNN", "Bidirectional", "TimeDistributed", "TransformerEncoder", "GroupNormalization"), WALK),
    **{name: IMAGE for name in layers.LAYERS if name.startswith("Random") or name == "CenterCrop"},
}
PAIRS = {"MultiHeadAttention", "Attention", "AdditiveAttention", "TransformerDecoder"}
MERGED = {"Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum", "Concatenate", "Dot"}
INSIDE: dict[str, Any] = {
    "RNN": lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2, recurrent_dropout=0.1)], return_sequences=True),
    "StackedRNNCells": lambda: layers.RNN(layers.StackedRNNCells([layers.SimpleRNNCell(2), layers.LSTMCell(3)])),
    "Bidirectional": lambda: layers.Bidirectional(layers.GRU(2, dropout=0.2, seed=3), merge_mode="sum"),
    "TimeDistributed": lambda: layers.TimeDistributed(Dense(3)),
    "SimpleRNNCell": lambda: layers.RNN(layers.SimpleRNNCell(2)),
    "LSTMCell": lambda: layers.RNN(layers.LSTMCell(2)),
    "GRUCell": lambda: layers.RNN(layers.GRUCell(2)),
}
WHOLE = {"Embedding", "TokenAndPositionEmbedding"}


def guessed(name: str) -> dict[str, Any]:
    """Values for the arguments that a layer cannot do without."""
    usual = {"units": 3, "filters": 3, "kernel_size": 2, "rate": 0.4, "factor": 0.2, "height_factor": 0.1}
    needed = layers.LAYERS[name].__init__.__code__.co_varnames
    return {key: value for key, value in usual.items() if key in needed}


def one_layer(name: str) -> tuple[Any, list[Any]]:
    """A model around a layer of this kind, and inputs for it."""
    layer = INSIDE[name]() if name in INSIDE else layers.LAYERS[name](**OPTIONS.get(name, guessed(name)))
    axes = {"1D": 1, "2D": 2, "3D": 3}
    found = next((axes[part] for part in axes if part in name), 0)
    shape = OF_AXES[found] if found else SHAPES.get(name, WALK if name in PAIRS or "Cell" in name else LINE)
    count = 2 if name in PAIRS | MERGED else 1
    inputs = [Input(shape, dtype="int32" if name in WHOLE else None) for _ in range(count)]
    given = [np.arange(8).reshape(2, 4) % 7 if name in WHOLE else abs(numbers(2, *shape)) for _ in range(count)]
    outputs = layer(inputs) if name in MERGED | {"Attention", "AdditiveAttention"} else layer(*inputs)
    return Model(inputs if count > 1 else inputs[0], outputs), given


@pytest.mark.parametrize("name", [name for name in layers.LAYERS if name not in ("InputLayer", "Lambda")])
def test_a_layer_of_every_kind_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    model, given = one_layer(name)
    filled(model)
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH)
    same(model, again)
    for training in (False, True):  # with the same random numbers, too
        one, other = (each(given if len(given) > 1 else given[0], training=training) for each in (model, again))
        for left, right in zip(flatten(one)[0], flatten(other)[0], strict=True):
            assert plain(left).tobytes() == plain(right).tobytes()


# -- Every option of training ------------------------------------------------------------------------------------------


def small(*more: Any) -> Any:
    return Sequential([Dense(3, activation="tanh", input_shape=(4,)), *more, Dense(2)])


def trained(**options: Any) -> Any:
    model = small()
    model.compile(**options)
    model.fit(X, Y, batch_size=8, verbose=0)
    return model


def goes_on(model: Any, path: Path, **custom: Any) -> Any:
    """The model, saved and loaded: both go on in the same way."""
    model.save(path)
    again = backlight.load(path, **custom)
    same(model, again)
    pairs = [each.fit(X, Y, batch_size=8, epochs=2, verbose=0).history for each in (model, again)]
    assert pairs[0] == pairs[1]
    same(model, again)
    return again


SCHEDULES = {
    "ConstantSchedule": {"learning_rate": 0.1},
    "PiecewiseConstantDecay": {"boundaries": [2, 4], "values": [0.1, 0.05, 0.01]},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 5},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 2},
    "OneCycle": {"max_learning_rate": 0.1, "total_steps": 9},
    "LinearWarmup": {"after": optim.schedules.CosineDecay(0.1, 9), "warmup_steps": 3},
}
OPTIMIZERS = [name for name in optim.OPTIMIZERS if name != "lbfgs"]
EXTRAS = [
    {"clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 2},
    {"global_clipnorm": 0.5, "gradient_accumulation_steps": 2},
    {"clipvalue": 0.1, "weight_decay": 0.01, "loss_scale_factor": 8.0},
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on(name: str, tmp_path: Path) -> None:
    goes_on(trained(optimizer=optim.OPTIMIZERS[name](0.01), loss="mse", jit_compile=False), tmp_path / PATH)


@pytest.mark.parametrize("number", range(len(EXTRAS)))
def test_what_all_optimizers_have_goes_on(number: int, tmp_path: Path) -> None:
    goes_on(trained(optimizer=optim.Adam(0.01, **EXTRAS[number]), loss="mse", jit_compile=False), tmp_path / PATH)


@pytest.mark.parametrize("name", list(optim.schedules.SCHEDULES))
def test_every_schedule_goes_on(name: str, tmp_path: Path) -> None:
    schedule = optim.schedules.SCHEDULES[name](**SCHEDULES[name])
    again = goes_on(trained(optimizer=optim.SGD(schedule), loss="mse", jit_compile=False), tmp_path / PATH)
    assert again.optimizer.get_config()["learning_rate"]["class_name"] == name


def test_what_is_not_decayed_and_not_trained_stays_so(tmp_path: Path) -> None:
    model = small()
    optimizer = optim.AdamW(0.01)
    optimizer.exclude_from_weight_decay([model.weights[0]], ["bias"])
    model.compile(optimizer, "mse")
    model.layers[1].trainable = False
    model.fit(X, Y, verbose=0)
    again = goes_on(model, tmp_path / PATH)
    assert not again.layers[1].trainable
    assert [leaf.decay for leaf in again.optimizer._leaves] == [leaf.decay for leaf in optimizer._leaves]
    early = small()
    optimizer = optim.AdamW(0.01)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    early.compile(optimizer, "mse")  # not built yet
    goes_on(early, tmp_path / PATH)


LOSSES = {name: thing for name, thing in losses.objects.NAMES.things.items() if isinstance(thing, type)}
METRICS = {name: thing for name, thing in metrics.names.NAMES.things.items() if isinstance(thing, type)}
NEEDED = {
    "num_classes": 3, "target_class_ids": [0, 1], "fn": losses.huber, "thresholds": [0.25, 0.5], "beta": 0.5,
    "label_smoothing": 0.1, "delta": 0.7, "from_logits": True,
}  # fmt: skip


def made(kind: Any) -> Any:
    """An object with options that are not the defaults, where it has such."""
    taken = __import__("inspect").signature(kind).parameters
    wanted = {name: value for name, value in NEEDED.items() if name in taken}
    return kind(**wanted)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_comes_back(name: str, tmp_path: Path) -> None:
    model, loss = small(), made(LOSSES[name])
    model.compile("sgd", loss)
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH).loss
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_comes_back_with_what_it_has_seen(name: str, tmp_path: Path) -> None:
    metric = made(METRICS[name])
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "mse", metrics=[metric], weighted_metrics=["mae"])
    model._objectives.build(np.zeros((2, 3)), np.zeros((2, 3)), ["dense"])
    for k, variable in enumerate(v for each in model.metrics for v in each.variables):
        variable.assign(wave(variable.numpy(), 1.0 + k))
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH)
    assert [type(each) for each in again.metrics] == [type(each) for each in model.metrics]
    assert [each.get_config() for each in again.metrics] == [each.get_config() for each in model.metrics]
    pairs = [[v.numpy().tobytes() for each in one.metrics for v in each.variables] for one in (model, again)]
    assert pairs[0] == pairs[1]


PARTS = [
    (table.NAMES, argument, name)
    for table, argument in (
        (initializers, "kernel_initializer"),
        (regularizers, "kernel_regularizer"),
        (constraints, "kernel_constraint"),
    )
    for name, thing in table.NAMES.things.items()
    if isinstance(thing, type)
]


@pytest.mark.parametrize(("names", "argument", "name"), PARTS, ids=[name for _, _, name in PARTS])
def test_every_part_of_a_layer_comes_back(names: Any, argument: str, name: str, tmp_path: Path) -> None:
    part = names.things[name]()
    model = Sequential([Dense(3, input_shape=(3,), **{argument: part})])
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH)
    same(model, again)
    found = getattr(again.layers[0], argument)
    assert type(found) is type(part)
    assert found.get_config() == part.get_config()


def test_several_outputs_and_functions_of_tables(tmp_path: Path) -> None:
    x = Input((4,))
    model = Model(x, [Dense(2, name="a")(x), Dense(1, name="b")(x)])
    model.compile(
        "adam", {"a": losses.huber, "b": losses.Huber(0.3)}, {"a": 0.3, "b": 2.0},
        {"a": [losses.mean_squared_error, "mae"], "b": losses.LogCosh()}, {"b": [metrics.MeanSquaredError()]},
    )  # fmt: skip
    y = {"a": Y, "b": Y[:, :1]}
    model.fit(X, y, batch_size=8, verbose=0)
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH)
    assert again.metrics_names == model.metrics_names
    assert [each.fit(X, y, epochs=2, verbose=0).history for each in (model, again)][1] == model.history.history
    same(model, again)


# -- Models of every form ----------------------------------------------------------------------------------------------


class Scaled(Layer):
    """A layer of the user's, whose constructor hands nothing on."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor
        self.held = {"left": [Variable(numbers(3), name="same")], "right": Variable(np.zeros(()), name="same")}

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor


class Branched(Model):
    """A model of the user's, with layers in attributes, lists and dictionaries."""

    def __init__(self, width: int, name: str = "branched") -> None:
        super().__init__(name=name)
        self.width = width
        self._first = Dense(width, activation="relu")
        self.blocks = [Dense(width), Dropout(0.5), Scaled(3.0)]
        self.by_name = {"last": Sequential([Dense(2)])}

    def call(self, inputs: Any) -> Any:
        x = self._first(inputs)
        for block in self.blocks:
            x = block(x)
        return self.by_name["last"](x)


def shared() -> Any:
    x, y = Input((4,)), Input((4,))
    both = Dense(3, name="both")
    inner = Sequential([Dense(2, input_shape=(3,)), Dropout(0.3)], name="inner")
    return Model([x, y], inner(both(x)) + inner(both(y)) * 2.0 - np.float32(1.0))


def several() -> Any:
    x, other = Input((4,), name="one"), Input((4,), name="other", dtype="int32")
    return Model({"one": x, "other": other}, {"sum": Dense(2)(x), "count": layers.Embedding(5, 2)(other)})


FORMS = {
    "shared": (shared, [X, X[::-1].copy()], {}),
    "several": (several, {"one": X, "other": np.arange(96).reshape(24, 4) % 5}, {}),
    "deferred": (lambda: Sequential([Dense(3), Dropout(0.2), Dense(1)]), X, {}),
    "subclass": (lambda: Branched(5), X, {"Branched": Branched, "Scaled": Scaled}),
    "float64": (lambda: Sequential([Dense(3, dtype="float64", input_shape=(4,)), Dense(2)]), X, {}),
    "deep": (
        lambda: Sequential([Input((4,)), Sequential([Sequential([Dense(4)]), Dense(4), Sequential([Dense(4)])])]),
        X, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_models_of_every_form_come_back(form: str, tmp_path: Path) -> None:
    build, given, custom = FORMS[form]
    model = build()
    model(given, training=True)
    filled(model)
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH, custom)
    same(model, again)
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers] or form == "subclass"
    for one, other in zip(flatten(model(given))[0], flatten(again(given))[0], strict=True):
        assert plain(one).tobytes() == plain(other).tobytes()
    fresh = build()
    fresh(given)
    model.save_weights(tmp_path / "weights")
    fresh.load_weights(tmp_path / "weights")  # in the same session, where layers have other names by now
    assert [w.tobytes() for w in fresh.get_weights()] == [w.tobytes() for w in model.get_weights()]
    fresh.load_weights(tmp_path / PATH)


def test_any_kind_of_numbers_comes_back(tmp_path: Path) -> None:
    class Holds(Layer):
        def build(self, input_shape: Any) -> None:
            kinds = [
                "float16",
                "float32",
                "float64",
                "bool",
                "complex64",
                *[f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)],
            ]
            self.held = [Variable(np.zeros(shape, kind), trainable=False) for kind in kinds for shape in SIZES]

        def call(self, inputs: Any) -> Any:
            return inputs

    model = Sequential([Input((1,)), Holds()])
    rng = np.random.default_rng(1)
    for variable in model.variables:
        raw = rng.integers(0, 2 if variable.dtype == bool else 256, variable.nbytes, np.uint8)  # NaNs of all kinds
        variable.assign(raw.view(variable.dtype).reshape(variable.shape))
    model.save(tmp_path / PATH)
    same(model, backlight.load(tmp_path / PATH, {"Holds": Holds}))


SIZES = [(), (0,), (3,), (2, 0, 3), (2, 3)]


def test_what_is_no_finite_number_comes_back(tmp_path: Path) -> None:
    model = small(layers.Activation("relu"), Dense(3, kernel_constraint=constraints.MinMaxNorm(0.0, np.inf)))
    model.compile(optim.Adam(clipvalue=1e30), "mse")
    model.fit(X, Y, verbose=0)
    model.history.history |= {"odd": [np.nan, -np.inf, np.inf, np.float32(0.1), np.arange(3.0), 1 << 60, True, None]}
    model.save(tmp_path / PATH)
    found = backlight.load(tmp_path / PATH).history.history["odd"]
    assert str(found) == str([np.nan, -np.inf, np.inf, float(np.float32(0.1)), np.arange(3.0), 1 << 60, True, None])
    assert found[4].dtype == np.float64


# -- Going on exactly --------------------------------------------------------------------------------------------------

SCRIPT = """
import os, signal, sys
import numpy as np
import backlight
from backlight import keras
from backlight.train.callbacks import Callback, ModelCheckpoint

path, out, stop, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
rng = np.random.default_rng(5)
x, y = rng.normal(size=(70, 6)).astype("f"), rng.normal(size=(70, 1)).astype("f")
if os.path.exists(path):
    model = backlight.load(path)
else:
    keras.utils.set_random_seed(11)
    model = keras.Sequential([
        keras.layers.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.4),
        keras.layers.BatchNormalization(), keras.layers.GaussianNoise(0.1), keras.layers.Dense(1),
    ])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])

class Killed(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == stop:
            os.kill(os.getpid(), signal.SIGKILL)

begin = int(model.optimizer.iterations) // 9
model.fit(x, y, batch_size=8, epochs=50, initial_epoch=begin, verbose=0,
          callbacks=[ModelCheckpoint(path), Killed()])
np.savez(out, *[v.numpy() for v in [*model.variables, *model.optimizer.variables]])
"""


def run(code: str, *arguments: Any, **environment: str) -> int:
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert found.returncode <= 0, found.stderr
    return found.returncode


def test_fifty_epochs_are_twenty_a_kill_and_thirty_more(tmp_path: Path) -> None:
    results = []
    for name, stops in (("whole", [(0, 1)]), ("parts", [(20, 2), (0, 1)])):
        for stop, threads in stops:
            code = run(SCRIPT, tmp_path / name, tmp_path / f"{name}.npz", stop, threads, BACKLIGHT_THREADS=str(threads))
            assert code == (-9 if stop else 0)
        with np.load(tmp_path / f"{name}.npz") as found:
            results.append([found[key].tobytes() for key in found.files])
    assert results[0] == results[1]
    assert int(backlight.load(tmp_path / "parts").optimizer.iterations) == 50 * 9
    assert backlight.load(tmp_path / "parts").history.epoch[-1] == 49


def test_a_model_that_was_never_trained_goes_on_too(tmp_path: Path) -> None:
    set_random_seed(3)
    model = small(Dropout(0.5))
    model.compile("adam", "mse", metrics=["mae"])
    goes_on(model, tmp_path / PATH)


def test_without_training(tmp_path: Path) -> None:
    model = trained(optimizer="adam", loss="mse")
    model.save(tmp_path / PATH)
    again = backlight.load(tmp_path / PATH, compile=False)
    same(model, again)
    assert not again.compiled
    uncompiled = small()
    uncompiled.save(tmp_path / PATH)
    assert not keras.models.load_model(tmp_path / PATH).compiled


# -- Things of the user's ----------------------------------------------------------------------------------------------


def doubled(x: Any) -> Any:
    return 2 * x


def distance(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.abs(y_true - y_pred), axis=-1)


class Slower(optim.SGD):
    """An optimiser of the user's."""


CUSTOM = {"doubled": doubled, "distance": distance, "Slower": Slower}


def test_functions_and_classes_of_the_users_are_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(Lambda(doubled), layers.Activation(doubled))
    model.compile(Slower(0.1), distance, metrics=[distance])
    model.fit(X, Y, verbose=0)
    again = goes_on(model, tmp_path / PATH, custom_objects=CUSTOM)
    assert type(again.optimizer) is Slower
    with keras.saving.custom_object_scope(CUSTOM):
        same(again, backlight.load(tmp_path / PATH, compile=False) and again)
    for language in ("en", "zh"):
        text = said(lambda: backlight.load(tmp_path / PATH, {"distance": distance}), StateError, language, monkeypatch)
        names_all(text, ("Slower, doubled", "custom_objects"), language)


def test_a_name_of_ours_does_not_stand_for_a_class_of_the_users(tmp_path: Path) -> None:
    kind = type("Dense", (Scaled,), {})
    Sequential([Input((4,)), kind()]).save(tmp_path / PATH)
    with pytest.raises(StateError, match="Dense"):
        backlight.load(tmp_path / PATH)
    assert type(backlight.load(tmp_path / PATH, {"Dense": kind}).layers[0]) is kind


class Forgets(Layer):
    """What it is made of is not kept."""

    def __init__(self, width: int) -> None:
        super().__init__(name="forgets")
        self.dense = Dense(width)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def stranger() -> Any:
    model = trained(optimizer="sgd", loss="mse")
    other = trained(optimizer="sgd", loss="mse")
    model.optimizer = other.optimizer
    return model


def changed() -> Any:
    class Changing(Scaled):
        def get_config(self) -> Any:
            return {"factor": "a lot"}

        @classmethod
        def from_config(cls, config: Any) -> Any:
            raise KeyError(config["factor"])

    return Sequential([Input((4,)), Changing()])


def twice() -> Any:
    dense = Dense(4, name="dense_shared")
    return Sequential([Input((4,)), Sequential([dense], name="a"), Sequential([dense], name="b")])


def homonyms() -> Any:
    return Sequential([Input((4,)), type("Scaled", (Scaled,), {})(), Scaled()])


def scheduled() -> Any:
    return trained(optimizer=optim.SGD(lambda: 0.1), loss="mse", jit_compile=False)


UNSAVABLE = {
    "lambda": (
        lambda: small(Lambda(lambda x: x, name="nameless")),
        ("'nameless'", "Lambda.function", "def", "save_weights"),
    ),
    "forgets": (lambda: small(Forgets(3)), ("'forgets'", "Forgets", "width", "save_weights")),
    "changed": (changed, ("a lot", "get_config", "save_weights")),
    "twice": (twice, ("b/dense", "save_weights")),
    "loss": (
        lambda: trained(optimizer="sgd", loss=lambda y, p: np.mean((y - p) ** 2, -1)),
        ("<lambda>", "save_weights"),
    ),
    "schedule": (scheduled, ("training.optimizer.config.learning_rate", "save_weights")),
    "homonyms": (homonyms, ("Scaled", "save_weights")),
    "stranger": (stranger, ("SGD", "kernel", "compile")),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("what", UNSAVABLE)
def test_what_cannot_be_written_down_is_said_when_it_is_saved(
    what: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, parts = UNSAVABLE[what]
    model = build()
    model(X)
    names_all(said(lambda: model.save(tmp_path / PATH), StateError, language, monkeypatch), parts, language)
    assert list(tmp_path.iterdir()) == []
    model.save_weights(tmp_path / PATH)


# -- Callbacks and Keras's names ---------------------------------------------------------------------------------------


def test_checkpoints_hold_the_epoch_that_ends(tmp_path: Path) -> None:
    model = small()
    model.compile("adam", "mse")
    path = tmp_path / "{epoch}.keras"
    full = keras.callbacks.ModelCheckpoint(path, save_freq="epoch")
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.weights.h5", "loss", save_best_only=True, save_weights_only=True
    )
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[full, best]).history
    found = [keras.models.load_model(tmp_path / f"{k}.keras") for k in (1, 2, 3)]
    assert [int(each.optimizer.iterations) for each in found] == [1, 2, 3]
    assert [each.history.history for each in found] == [{"loss": history["loss"][:k]} for k in (1, 2, 3)]
    other = small()
    other.load_weights(tmp_path / "best.weights.h5")
    assert np.array_equal(other.get_weights()[0], model.get_weights()[0])


def test_keras_says_it_otherwise(tmp_path: Path) -> None:
    model = trained(optimizer="adam", loss="mse")
    keras.models.save_model(model, tmp_path / "a.keras")
    same(model, keras.saving.load_model(tmp_path / "a.keras", safe_mode=True))
    with pytest.raises(StateError, match=r"a\.keras"):
        model.save(tmp_path / "a.keras", overwrite=False)
