"""What every layer has: weights by name, symbols, masks, configuration; and the layers of every network."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.nn import layers, naming
from backlight.nn.layer import Layer, SeedGenerator, calling

RNG = np.random.default_rng(3)
X = RNG.normal(size=(4, 5)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "softmax"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (0, 5)], ids=str)
def test_dense_is_an_affine_map_and_a_function(dtype: str, activation: Any, use_bias: bool, shape: Any) -> None:
    layer = layers.Dense(3, activation=activation, use_bias=use_bias, bias_initializer="random_normal", dtype=dtype)
    x = RNG.normal(size=shape)
    y = layer(x)
    z = x @ layer.kernel.value.astype(np.float64) + (layer.bias.value if use_bias else 0)
    shifted = np.exp(z - z.max(-1, keepdims=True)) if z.size else z
    expected = {
        None: z,
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "softmax": shifted / shifted.sum(-1, keepdims=True) if z.size else z,
    }[activation]
    assert y.dtype == dtype
    np.testing.assert_allclose(y.value, expected, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
    assert [w.path.split("/")[1] for w in layer.weights] == ["kernel", "bias"][: 1 + use_bias]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_])
def test_whole_numbers_go_in_as_the_layers_dtype(dtype: Any) -> None:
    layer = layers.Dense(2)
    x = np.array([[0, 1, 1]], dtype)
    assert layer(x).dtype == np.float32
    np.testing.assert_array_equal(layer(x).value, layer(x.astype(np.float32)).value)


LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...], Any]] = [
    ("Activation", {"activation": "relu"}, (4, 5), lambda x: np.maximum(x, 0)),
    ("Flatten", {}, (2, 3, 4), lambda x: x.reshape(2, 12)),
    ("Flatten", {}, (3,), lambda x: x.reshape(3, 1)),
    ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 5), lambda x: x.transpose(0, 2, 3, 1).reshape(2, 60)),
    ("Reshape", {"target_shape": (2, -1)}, (3, 8), lambda x: x.reshape(3, 2, 4)),
    ("Permute", {"dims": (2, 1)}, (2, 3, 4), lambda x: x.transpose(0, 2, 1)),
    ("RepeatVector", {"n": 3}, (2, 4), lambda x: np.stack([x] * 3, 1)),
    ("Dropout", {"rate": 0.5}, (2, 4), lambda x: x),
]


@pytest.mark.parametrize(("name", "options", "shape", "expected"), LAYERS, ids=[f"{c[0]}{c[2]}" for c in LAYERS])
def test_layers_without_weights(name: str, options: dict[str, Any], shape: Any, expected: Any) -> None:
    layer, x = getattr(layers, name)(**options), RNG.normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(layer(x).value, expected(x))
    symbol = layer(layers.Input(shape[1:]))
    if len(shape) > 1:
        assert symbol.shape == (None, *expected(x).shape[1:])
    twin = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    np.testing.assert_array_equal(twin(x).value, expected(x))
    compiled = backlight.compile(lambda x: layer(x), strict=True)
    np.testing.assert_array_equal(compiled(x), expected(x))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_draws_anew(rate: float) -> None:
    layer, x = layers.Dropout(rate, seed=1), np.ones((200, 200), np.float32)
    one, other = layer(x, training=True).value, layer(x, training=True).value
    assert set(np.unique(one)) <= {np.float32(0), np.float32(1) / np.float32(1 - rate)}
    assert abs(one.mean() - 1) < 5 * np.sqrt(rate / (1 - rate)) / 200  # five standard deviations
    assert (one != other).any()
    np.testing.assert_array_equal(layers.Dropout(rate, seed=1)(x, training=True).value, one)
    np.testing.assert_array_equal(layer(x).value, x)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_spatial_dropout_keeps_or_drops_whole_channels(axes: int) -> None:
    layer = getattr(layers, f"SpatialDropout{axes}D")(0.5, seed=4)
    y = layer(np.ones((3, *(2,) * axes, 8), np.float32), training=True).value
    first = y.reshape(3, -1, 8)[:, :1]
    np.testing.assert_array_equal(y.reshape(3, -1, 8), np.broadcast_to(first, (3, 2**axes, 8)))
    assert set(np.unique(y)) == {0.0, 2.0}


@pytest.mark.parametrize("axes", [2, 3])
def test_spatial_dropout_finds_channels_that_come_first(axes: int) -> None:
    layer = getattr(layers, f"SpatialDropout{axes}D")(0.5, "channels_first", 4)
    y = layer(np.ones((3, 8, *(2,) * axes), np.float32), training=True).value.reshape(3, 8, -1)
    np.testing.assert_array_equal(y, np.broadcast_to(y[..., :1], y.shape))
    assert set(np.unique(y)) == {0.0, 2.0}
    assert layers.deserialize(layers.serialize(layer)).data_format == "channels_first"


# Where Keras's positional arguments stand, beyond those that every layer of the kind has in the same places.
PLACES = [
    ("Dense", 7, "activity_regularizer"),
    ("Dense", 8, "kernel_constraint"),
    ("Conv2DTranspose", 4, "output_padding"),
    ("Conv3DTranspose", 4, "data_format"),
    ("Conv3DTranspose", 5, "output_padding"),
    ("Conv3DTranspose", 7, "activation"),
    ("SpatialDropout1D", 1, "seed"),
    ("SpatialDropout2D", 1, "data_format"),
]


@pytest.mark.parametrize(("kind", "place", "name"), PLACES, ids=[f"{kind}-{name}" for kind, _, name in PLACES])
def test_positional_arguments_stand_where_keras_has_them(kind: str, place: int, name: str) -> None:
    assert list(inspect.signature(getattr(layers, kind)).parameters)[place] == name


def test_options_by_place_in_three_dimensions() -> None:
    layer = layers.Conv3DTranspose(2, 3, 2, "same", "channels_first", 1)
    assert (layer.data_format, layer.output_padding) == ("channels_first", (1, 1, 1))
    assert layers.deserialize(layers.serialize(layer)).get_config() == layer.get_config()


# -- What every layer has --------------------------------------------------------------------------------------------


class Block(Layer):
    """Layers in attributes, lists and dictionaries."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units)
        self.rest = [layers.Dense(units), {"last": layers.Dense(units)}]
        self.again = self.first

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight((self.units,), "ones", name="scale", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.rest[1]["last"](self.rest[0](self.first(inputs)))  # type: ignore[index]
        return x * self.scale * (2.0 if training else 1.0)


def test_what_is_inside_is_found_once_each() -> None:
    block = Block(5)
    block(X)
    assert len(block.weights) == 7
    assert len(block.trainable_variables) == 6
    assert [v.path.split("/")[-1] for v in block.non_trainable_variables] == ["scale"]
    assert block.count_params() == 3 * 30 + 5
    block.trainable = False
    assert not block.trainable_variables
    assert len(block.non_trainable_variables) == 7
    block.first.trainable = True
    assert not block.trainable_variables
    block.trainable = True
    assert len(block.trainable_variables) == 6


def test_training_reaches_the_layers_inside() -> None:
    block = Block(5)
    quiet, training = block(X), block(X, training=True)
    np.testing.assert_allclose(training.value, 2 * quiet.value)
    with calling(training=True):
        np.testing.assert_array_equal(block(X).value, training.value)


def test_a_layer_is_a_pure_function_of_its_variables() -> None:
    layer = layers.Dropout(0.5, seed=0)
    dense = layers.Dense(2)
    dense(X)
    values = [np.ones((5, 2), np.float32), np.zeros(2, np.float32)]
    before = dense.get_weights()
    outputs, after = dense.stateless_call(values, [], X)
    np.testing.assert_allclose(outputs.value, X.sum(1, keepdims=True) * [1, 1], rtol=1e-5)
    assert after == []
    for one, other in zip(before, dense.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    (key,) = [v.numpy() for v in layer.non_trainable_variables]
    _, (moved,) = layer.stateless_call([], [key], X, training=True)
    assert (moved.value != key).any()
    np.testing.assert_array_equal(layer.non_trainable_variables[0].value, key)


def test_gradients_of_a_layer_are_those_of_its_formula() -> None:
    layer = layers.Dense(3, activation="tanh", dtype="float64")
    layer(X)
    kernel, bias = layer.get_weights()

    def loss(kernel: Any, bias: Any) -> Any:
        return np.sum(layer.stateless_call([kernel, bias], [], X)[0] ** 2)

    got = backlight.grad(loss, argnums=(0, 1))(kernel, bias)
    expected = backlight.grad(lambda k, b: np.sum(np.tanh(X.astype(float) @ k + b) ** 2), argnums=(0, 1))(kernel, bias)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_numpy_works_on_what_is_still_to_come() -> None:
    from backlight.train.model import Model

    x = layers.Input((5,))
    y = np.concatenate([np.tanh(x) * 2 + 1, x[:, 1:3], np.mean(x, axis=1, keepdims=True) - x[:, :1]], axis=1)
    model = Model(x, y)
    expected = np.concatenate([np.tanh(X) * 2 + 1, X[:, 1:3], X.mean(1, keepdims=True) - X[:, :1]], axis=1)
    assert y.shape == (None, 8)
    np.testing.assert_allclose(model(X).value, expected, rtol=1e-6)
    twin = Model.from_config(json.loads(json.dumps(model.get_config())))
    np.testing.assert_array_equal(twin(X).value, model(X).value)


def test_a_configuration_of_a_class_of_ones_own() -> None:
    block = Block(5, name="b")
    twin = Block.from_config(json.loads(json.dumps(block.get_config())))
    twin(X)
    block(X)
    twin.set_weights(block.get_weights())
    np.testing.assert_array_equal(twin(X).value, block(X).value)
    assert layers.deserialize({"class_name": "Block", "config": {"units": 2}}, {"Block": Block}).units == 2


def test_names_and_seeds_follow_from_the_beginning() -> None:
    found = []
    for _ in range(2):
        naming.clear_session()
        naming.set_random_seed(5)
        layer = layers.Dense(2)
        layer(X)
        found.append((layer.name, layer.get_weights()[0], SeedGenerator().next().value))
    assert found[0][0] == found[1][0] == "dense"
    for k in (1, 2):
        np.testing.assert_array_equal(found[0][k], found[1][k])


BAD: list[tuple[str, Any, Any, str]] = [
    ("units", lambda: layers.Dense(0), ArgumentError, "units"),
    ("option", lambda: layers.Dense(2, activ="relu"), ArgumentError, "activ"),
    ("dtype", lambda: layers.Dense(2, dtype="float16"), ArgumentError, "float16"),
    ("rank", lambda: layers.Dense(2)(np.ones(3)), ShapeError, "(3,)"),
    ("rate", lambda: layers.Dropout(1.5), ArgumentError, "1.5"),
    ("target", lambda: layers.Reshape((-1, -1)), ArgumentError, "target_shape"),
    ("elements", lambda: layers.Reshape((7,))(X), ArgumentError, "reshape"),
    ("permutation", lambda: layers.Permute((1, 3)), ArgumentError, "dims"),
    ("layer by name", lambda: layers.deserialize({"class_name": "Dens", "config": {}}), ArgumentError, "Dense"),
    ("values of a symbol", lambda: bool(layers.Input((2,))), TypeError, "(None, 2)"),
    ("stateless", lambda: layers.Dense(2).stateless_call([X], [], X), ArgumentError, "trainable_variables"),
    ("lambda", lambda: layers.serialize(layers.Lambda(lambda x: x)), ArgumentError, "Lambda.function"),
]


@pytest.mark.parametrize(("call", "kind", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_input_is_named(call: Any, kind: Any, part: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = said(call, kind, language, monkeypatch)
    assert part in text
    assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")


def test_an_error_says_in_which_layer_it_came_up() -> None:
    with pytest.raises(ArgumentError) as caught:
        layers.Reshape((7,), name="wrong")(X)
    assert "wrong" in "".join(caught.value.__notes__)
