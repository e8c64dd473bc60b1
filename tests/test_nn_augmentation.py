"""Random changes of images: what is done with what was drawn, pixel by pixel; what is drawn; where nothing is done."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from laws import plain, wave
from layered import check, numbers
from refused import names_all, said

import backlight
from backlight import random
from backlight.compiler.epoch import Epoch
from backlight.errors import ArgumentError, ShapeError
from backlight.nn import layers
from backlight.nn.symbol import Symbol
from backlight.train.model import Sequential

X = numbers(3, 5, 7, 2)
FILLS = ("constant", "nearest", "wrap", "reflect")

# -- Pixel by pixel --------------------------------------------------------------------------------------------------


def stands_for(i: int, n: int, fill: str) -> int | None:
    """The pixel that is seen at place ``i`` of a line of ``n``, by walking."""
    if fill == "constant":
        return i if 0 <= i < n else None
    if fill == "nearest":
        return min(max(i, 0), n - 1)
    while fill == "wrap" and not 0 <= i < n:
        i += n if i < 0 else -n
    while not 0 <= i < n:
        i = -1 - i if i < 0 else 2 * n - 1 - i
    return i


def pixel(image: Any, i: int, j: int, fill: str, value: float) -> Any:
    a, b = stands_for(i, image.shape[0], fill), stands_for(j, image.shape[1], fill)
    return np.full(image.shape[-1], value) if a is None or b is None else image[a, b]


def seen(image: Any, place: Any, fill: str, interpolation: str, value: float = 0.0) -> Any:
    """An image whose pixel (i, j) is what the given one has at ``place(i, j)``."""
    y = np.zeros_like(image)
    for i, j in np.ndindex(*image.shape[:2]):
        r, c = place(i, j)
        if interpolation == "nearest":
            whole = [math.floor(abs(p) + 0.5) * (1 if p >= 0 else -1) for p in (r, c)]
            y[i, j] = pixel(image, *whole, fill, value)
            continue
        top, left = math.floor(r), math.floor(c)
        for a in (0, 1):
            for b in (0, 1):
                share = (1 - abs(r - top - a)) * (1 - abs(c - left - b))
                y[i, j] += share * pixel(image, top + a, left + b, fill, value)
    return y


ANGLES, DOWN, RIGHT = np.array([0.4, -2.0, math.pi]), np.array([0.3, -6.25, 2.0]), np.array([-1.0, 0.6, 9.4])
TALL, WIDE = np.array([0.5, 1.7, 1.0]), np.array([1.3, 0.4, 2.0])


def turned(k: int) -> Any:
    cos, sin = math.cos(ANGLES[k]), math.sin(ANGLES[k])
    return lambda i, j: (2 + sin * (j - 3) + cos * (i - 2), 3 + cos * (j - 3) - sin * (i - 2))


def moved(k: int) -> Any:
    return lambda i, j: (i - DOWN[k], j - RIGHT[k])


def zoomed(k: int) -> Any:
    return lambda i, j: (2 + TALL[k] * (i - 2), 3 + WIDE[k] * (j - 3))


PLACES: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("RandomRotation", (0.5,), {"angle": ANGLES}, turned),
    ("RandomTranslation", (0.5, 0.5), {"down": DOWN, "right": RIGHT}, moved),
    ("RandomZoom", (0.5, 0.5), {"tall": TALL, "wide": WIDE}, zoomed),
]


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(("kind", "args", "drawn", "place"), PLACES, ids=[row[0] for row in PLACES])
def test_pixels_come_from_their_places(
    kind: str, args: Any, drawn: Any, place: Any, interpolation: str, fill: str
) -> None:
    layer = getattr(layers, kind)(*args, fill_mode=fill, interpolation=interpolation, fill_value=0.25, dtype="float64")
    wanted = np.stack([seen(x, place(k), fill, interpolation, 0.25) for k, x in enumerate(X)])
    np.testing.assert_allclose(plain(layer.transform(backlight.array(X), **drawn)), wanted, atol=1e-12)

    def loss(x: Any, drawn: Any) -> Any:
        return np.sum(layer.transform(x, **drawn) * wave(X, 3.0))

    both = backlight.value_and_grad(loss, argnums=(0, 1))
    value, slopes = both(X, drawn)
    way, step = wave(X, 5.0), 1e-6
    rise = (float(loss(X + step * way, drawn)) - float(loss(X - step * way, drawn))) / (2 * step)
    np.testing.assert_allclose(float(np.sum(plain(slopes[0]) * way)), rise, rtol=1e-6, atol=1e-8)
    fast, quick = backlight.compile(both)(X, drawn)
    np.testing.assert_allclose(float(fast), float(value), rtol=1e-10)
    np.testing.assert_allclose(plain(quick[0]), plain(slopes[0]), atol=1e-12)


def test_straight_lines_have_a_slope_by_the_angle() -> None:
    layer = layers.RandomRotation(0.5, dtype="float64")

    def loss(angle: Any) -> Any:
        return np.sum(layer.transform(backlight.array(X), angle) * wave(X, 3.0))

    slope, step = backlight.grad(loss)(ANGLES[:2].repeat(2)[:3]), 1e-6
    for k in range(3):
        ends = [float(loss(ANGLES[:2].repeat(2)[:3] + sign * step * (np.arange(3) == k))) for sign in (1, -1)]
        np.testing.assert_allclose(plain(slope)[k], (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-7)


def test_flips_contrasts_brightness_and_parts() -> None:
    x = backlight.array(200 * X)
    yes = np.array([True, False, True])
    ways = {"horizontal": X[:, :, ::-1], "vertical": X[:, ::-1], "horizontal_and_vertical": X[:, ::-1, ::-1]}
    for mode, mirrored in ways.items():
        y = plain(layers.RandomFlip(mode, dtype="float64").transform(x, flips=yes))
        np.testing.assert_array_equal(y, 200 * np.stack([mirrored[0], X[1], mirrored[2]]), err_msg=mode)
    factors = np.array([0.5, 1.0, 1.4])
    contrast = layers.RandomContrast(0.5, value_range=(-100, 150), dtype="float64")
    mean = 200 * X.mean(axis=(1, 2), keepdims=True)
    wanted = np.clip((200 * X - mean) * factors[:, None, None, None] + mean, -100, 150)
    np.testing.assert_allclose(plain(contrast.transform(x, contrast=factors)), wanted)
    bright = layers.RandomBrightness(0.5, value_range=(-100, 150), dtype="float64")
    wanted = np.clip(200 * X + factors[:, None, None, None], -100, 150)
    np.testing.assert_allclose(plain(bright.transform(x, more=factors)), wanted)
    crop = layers.RandomCrop(2, 3, dtype="float64")
    y = plain(crop.transform(x, top=np.array([0, 3, 1]), left=np.array([4, 0, 2])))
    wanted = 200 * np.stack([X[0, 0:2, 4:7], X[1, 3:5, 0:3], X[2, 1:3, 2:5]])
    np.testing.assert_array_equal(y, wanted)


# -- What is drawn ---------------------------------------------------------------------------------------------------

MANY = (4000, 10, 20, 1)
DRAWS: list[tuple[str, dict[str, Any], dict[str, tuple[float, float]]]] = [
    ("RandomRotation", {"factor": 0.25}, {"angle": (-math.pi / 2, math.pi / 2)}),
    ("RandomRotation", {"factor": (0.5, 0.25)}, {"angle": (math.pi / 2, math.pi)}),
    ("RandomTranslation", {"height_factor": 0.1, "width_factor": (0.2, 0.4)}, {"down": (-1, 1), "right": (4, 8)}),
    ("RandomZoom", {"height_factor": (-0.1, 0.3)}, {"tall": (0.9, 1.3), "wide": (0.9, 1.3)}),
    ("RandomZoom", {"height_factor": 0.1, "width_factor": 0.2}, {"tall": (0.9, 1.1), "wide": (0.8, 1.2)}),
    ("RandomContrast", {"factor": 0.3}, {"contrast": (0.7, 1.3)}),
    ("RandomContrast", {"factor": (0.3, 0.5)}, {"contrast": (0.7, 1.5)}),
    ("RandomBrightness", {"factor": (-0.1, 0.3)}, {"more": (-25.5, 76.5)}),
    ("RandomBrightness", {"factor": 0.2, "value_range": (0, 1)}, {"more": (-0.2, 0.2)}),
    ("RandomCrop", {"height": 7, "width": 20}, {"top": (0, 3), "left": (0, 0)}),
    ("RandomFlip", {}, {"flips": (0, 1)}),
    ("RandomFlip", {"mode": "vertical"}, {"flips": (0, 1)}),
]


@pytest.mark.parametrize(("kind", "options", "ranges"), DRAWS)
def test_draws_fill_their_ranges(kind: str, options: Any, ranges: Any) -> None:
    layer = getattr(layers, kind)(**options, seed=3)
    drawn = {name: np.asarray(plain(each), float) for name, each in layer.draw(MANY, np.dtype(np.float32)).items()}
    assert set(drawn) == set(ranges)
    for name, (low, high) in ranges.items():
        each, size = drawn[name], high - low
        assert each.shape == MANY[:1]
        assert low - 1e-5 <= each.min() <= low + 0.01 * size
        assert high - 0.01 * size <= each.max() <= high + 1e-5
        assert abs(each.mean() - (low + high) / 2) <= 0.03 * size
    if "down" in drawn:
        one, other = drawn.values()
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.06
    if kind == "RandomZoom" and "width_factor" not in options:
        np.testing.assert_array_equal(drawn["tall"], drawn["wide"])


RANDOM: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.2, "fill_mode": "constant"}),
    ("RandomZoom", {"height_factor": 0.3, "fill_mode": "wrap"}),
    ("RandomCrop", {"height": 3, "width": 4}),
    ("RandomContrast", {"factor": 0.9, "value_range": (-9, 9)}),
    ("RandomBrightness", {"factor": 0.5, "value_range": (-9, 9)}),
    ("GaussianNoise", {"stddev": 0.5}),
    ("GaussianDropout", {"rate": 0.4}),
    ("AlphaDropout", {"rate": 0.4}),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("kind", "options"), RANDOM, ids=[row[0] for row in RANDOM])
def test_random_layers(kind: str, options: Any, data_format: str) -> None:
    """At rest outside of training, new draws at every step, the same by the same seed, each example its own."""
    images = kind.startswith("Random")
    options = {**options, "seed": 5, **({"data_format": data_format} if images else {})}
    first = images and data_format == "channels_first"
    x = np.tile(X[:1], (8, 1, 1, 1)).astype(np.float32)
    x = np.moveaxis(x, -1, 1) if first else x
    layer, same = getattr(layers, kind)(**options), getattr(layers, kind)(**options)
    if kind != "RandomCrop":
        np.testing.assert_array_equal(plain(layer(x, training=False)), x)
    one, two, again = (plain(each(x, training=True)) for each in (layer, layer, same))
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, two)
    assert len({each.tobytes() for each in one}) > 1
    assert layer(Symbol((None, *x.shape[1:]), np.float32, "x")).shape == (None, *one.shape[1:])
    made = layers.deserialize(layers.serialize(layer))
    assert made.get_config() == layer.get_config()
    np.testing.assert_array_equal(plain(made(x, training=True)), one)


@pytest.mark.parametrize(("kind", "options"), RANDOM, ids=[row[0] for row in RANDOM])
def test_random_layers_compile_and_run_in_loops(kind: str, options: Any) -> None:
    layer = getattr(layers, kind)(**options, seed=5)
    x = np.tile(X[:1], (4, 1, 1, 1)).astype(np.float32)

    def step(key: Any, x: Any) -> Any:
        y, after = layer.stateless_call([], [key], x, training=True)
        return after[0], np.sum(y, axis=(1, 2, 3))

    start = np.asarray(random.key(9))
    expected, key = [], start
    for _ in range(3):
        key, y = step(key, x)
        key = plain(key)
        expected.append(plain(y))
    _, y = backlight.compile(step)(start, x)
    np.testing.assert_allclose(plain(y), expected[0], rtol=1e-4, atol=1e-4)
    again = np.stack([x, x, x])
    last, found = backlight.scan(step, start, again)
    np.testing.assert_allclose(plain(found), np.stack(expected), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(plain(last), key)
    found = Epoch(lambda key, number, x: step(key, x))(np.array(start), np.arange(3), x)
    np.testing.assert_allclose(np.asarray(plain(found)), np.stack(expected), rtol=1e-4, atol=1e-4)


def test_noise_has_its_moments() -> None:
    x = np.full((200, 500), 2.0)
    y = plain(layers.GaussianNoise(0.3, seed=1)(x, training=True))
    np.testing.assert_allclose([y.mean(), y.std()], [2.0, 0.3], atol=0.01)
    y = plain(layers.GaussianDropout(0.2, seed=1)(x, training=True))
    np.testing.assert_allclose([y.mean(), y.std()], [2.0, 2 * 0.5], atol=0.01)
    x = numbers(400, 500)
    x = (x - x.mean()) / x.std()
    y = plain(layers.AlphaDropout(0.3, seed=1)(x, training=True))
    np.testing.assert_allclose([y.mean(), y.std()], [0.0, 1.0], atol=0.01)
    y = plain(layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=1)(np.ones((50, 6)), training=True))
    assert (y == y[:, :1]).all()
    assert len(np.unique(y)) == 2
    assert layers.GaussianNoise(0.0).variables == []


IMAGES = [row for row in RANDOM if row[0].startswith("Random")] + [("CenterCrop", {"height": 3, "width": 4})]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("kind", "options"), IMAGES, ids=[row[0] for row in IMAGES])
def test_one_image_is_a_batch_of_one(kind: str, options: Any, data_format: str, monkeypatch: Any) -> None:
    options = options | {"data_format": data_format} | ({"seed": 5} if kind != "CenterCrop" else {})
    x = numbers(2, 6, 5) if data_format == "channels_first" else numbers(6, 5, 2)
    one, batch = getattr(layers, kind)(**options), getattr(layers, kind)(**options)
    y = plain(one(x))
    np.testing.assert_array_equal(y, plain(batch(x[None]))[0])
    assert one(Symbol(x.shape, np.float32, "x")).shape == y.shape
    assert one.compute_output_shape(x.shape) == y.shape
    for wrong in (x[0], x[None, None]):
        for language, least, most in (("en", "at least 3", "at most 4"), ("zh", "至少 3", "最多 4")):
            text = said(lambda x=wrong: one(x), ShapeError, language, monkeypatch)
            names_all(text, (str(wrong.shape), least if wrong.ndim == 2 else most), language)


class Apart(layers.Layer):
    """Somebody's layer around another, which says nothing of training."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


class Calm(Apart):
    """… and one that says it is none."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.inner(inputs)


def test_called_alone_images_are_changed_unless_somebody_says_otherwise() -> None:
    x = np.tile(X[:1], (20, 1, 1, 1)).astype(np.float32)

    def still(call: Any, **given: Any) -> bool:
        return bool(np.array_equal(plain(call(x, **given)), x))

    flip, noise = layers.RandomFlip(seed=1), layers.GaussianNoise(0.5, seed=1)
    assert (still(flip), still(flip, training=False), still(flip, training=None)) == (False, True, False)
    assert (still(noise), still(noise, training=True)) == (True, False)
    model = Sequential([flip, noise])
    assert (still(model), still(model, training=False)) == (False, True)
    assert np.array_equal(model.predict(x, verbose=0), x)
    assert (still(Apart(flip)), still(Apart(noise)), still(Calm(flip)), still(Calm(flip), training=True)) == (
        False, True, True, False,
    )  # fmt: skip


# -- Sizes and scales ------------------------------------------------------------------------------------------------


def resized(x: Any, height: int, width: int) -> Any:
    """The largest part in the middle of these proportions, along straight lines."""
    rows, columns = x.shape[1:3]
    tall, wide = min(rows, int(columns * height / width)), min(columns, int(rows * width / height))
    top, left = int((rows - tall) / 2), int((columns - wide) / 2)
    y = x[:, top : top + tall, left : left + wide]
    for axis, n in ((1, height), (2, width)):
        old = y.shape[axis]
        places = (np.arange(n) + 0.5) * old / n - 0.5
        y = np.apply_along_axis(lambda line, p=places, m=old: np.interp(p, np.arange(m), line), axis, y)
    return y


@pytest.mark.parametrize("size", [(3, 3), (8, 5), (4, 9), (10, 12)])
def test_parts_of_a_size(size: tuple[int, int]) -> None:
    height, width = size

    def cut(x: Any) -> Any:
        if height > 5 or width > 7:
            return resized(x, height, width)
        return x[:, (5 - height) // 2 :, (7 - width) // 2 :][:, :height, :width]

    def turned(x: Any) -> Any:
        return np.moveaxis(cut(np.moveaxis(x, 1, -1)), -1, 1)

    options = {"height": height, "width": width}
    check("CenterCrop", options, X, cut)
    check("CenterCrop", {**options, "data_format": "channels_first"}, np.moveaxis(X, -1, 1), turned, compiled=False)
    layer = layers.RandomCrop(height, width, dtype="float64")
    np.testing.assert_allclose(plain(layer(X, training=False)), resized(X, height, width))
    if height > 5 or width > 7:
        np.testing.assert_allclose(plain(layer(X, training=True)), resized(X, height, width))


def test_scales() -> None:
    check("Rescaling", {"scale": 1 / 255}, X, lambda x: x / 255)
    check("Rescaling", {"scale": [2.0, 3.0], "offset": -1}, X, lambda x: x * [2.0, 3.0] - 1)
    y = layers.Rescaling(1 / 255)(np.array([[51, 255]], np.uint8))
    assert y.dtype == np.float32
    np.testing.assert_allclose(plain(y), [[0.2, 1.0]])
    assert layers.Rescaling(2.0)(Symbol((None, 3), np.uint8, "x")).dtype == np.float32


@pytest.mark.parametrize("axis", [-1, None, (1, 3), 2, (-1, -2)])
def test_adapted_to_data(axis: Any) -> None:
    axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
    others = tuple(k for k in range(4) if k not in {a % 4 for a in axes})
    data = 3 * numbers(6, 5, 7, 2) + 100
    mean, variance = data.mean(axis=others, keepdims=True), data.var(axis=others, keepdims=True)
    whole, parts = layers.Normalization(axis, dtype="float64"), layers.Normalization(axis, dtype="float64")
    whole.adapt(data[::-1])
    whole.adapt(data)  # forgets the first
    parts.adapt(iter([data[:1], data[1:4], data[4:], data]), steps=3)
    for layer in (whole, parts):
        np.testing.assert_allclose(plain(layer(data)), (data - mean) / np.sqrt(variance), atol=1e-9)
        np.testing.assert_allclose(plain(layer.mean), mean)
        np.testing.assert_allclose(plain(layer.variance), variance)
        assert [v.path.split("/")[1] for v in layer.weights] == ["mean", "variance", "count"]
        assert layer.trainable_variables == []
    again = layers.deserialize(layers.serialize(whole))
    again(data)
    again.set_weights(whole.get_weights())
    np.testing.assert_array_equal(plain(again(data)), plain(whole(data)))
    back = layers.Normalization(axis, mean=plain(whole.mean), variance=plain(whole.variance), invert=True)
    np.testing.assert_allclose(plain(back(plain(whole(data)))), data, rtol=1e-5)


def test_given_means() -> None:
    check("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 9.0]}, X, lambda x: (x - [1, 2]) / [2, 3])
    check("Normalization", {"axis": None, "mean": 1, "variance": 4}, X, lambda x: (x - 1) / 2)
    check(
        "Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 9.0], "invert": True}, X, lambda x: x * [2, 3] + [1, 2]
    )
    np.testing.assert_allclose(plain(layers.Normalization(None, mean=2, variance=0)(np.array([[1.0, 2]]))), [[-1e7, 0]])


REFUSED: list[tuple[str, dict[str, Any], Any, Any, tuple[str, ...]]] = [
    ("RandomFlip", {"mode": "sideways"}, None, ArgumentError, ("mode", "sideways", '"vertical"')),
    ("RandomRotation", {"factor": 2}, None, ArgumentError, ("factor", "2", "-1", "1")),
    ("RandomRotation", {"factor": "a"}, None, ArgumentError, ("factor", "'a'")),
    ("RandomRotation", {"factor": 0.1, "fill_mode": "mirror"}, None, ArgumentError, ("fill_mode", '"reflect"')),
    ("RandomRotation", {"factor": 0.1, "interpolation": "cubic"}, None, ArgumentError, ("interpolation", "cubic")),
    ("RandomRotation", {"factor": 0.1, "name": "r"}, np.zeros((5, 3)), ShapeError, ("r", "(5, 3)", "3")),
    ("RandomTranslation", {"height_factor": 0.1, "width_factor": 1.5}, None, ArgumentError, ("width_factor", "1.5")),
    ("RandomZoom", {"height_factor": -1}, None, ArgumentError, ("height_factor", "-1")),
    ("RandomZoom", {"height_factor": (0.1, 0.2, 0.3)}, None, ArgumentError, ("height_factor", "0.3")),
    ("RandomCrop", {"height": 0, "width": 2}, None, ArgumentError, ("height", "0")),
    ("CenterCrop", {"height": 2, "width": 2.5}, None, ArgumentError, ("width", "2.5")),
    ("RandomContrast", {"factor": -0.1}, None, ArgumentError, ("factor", "-0.1", "0", "1")),
    ("RandomBrightness", {"factor": 0.1, "value_range": (1, 0)}, None, ArgumentError, ("value_range", "(1, 0)")),
    ("GaussianNoise", {"stddev": -1}, None, ArgumentError, ("stddev", "-1")),
    ("GaussianDropout", {"rate": 1}, None, ArgumentError, ("rate", "1")),
    ("AlphaDropout", {"rate": float("nan")}, None, ArgumentError, ("rate", "nan")),
    ("Rescaling", {"scale": "a"}, None, ArgumentError, ("scale", "'a'")),
    ("Normalization", {"mean": 1.0}, None, ArgumentError, ("mean", "1.0", "variance")),
    ("Normalization", {"axis": 0}, None, ArgumentError, ("axis", "0")),
    ("Normalization", {"axis": 5}, np.zeros((2, 3)), ArgumentError, ("axis", "5")),
    ("Normalization", {"mean": [1, 2], "variance": [1, 2]}, np.zeros((2, 3)), ArgumentError, ("mean", "(1, 3)")),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("kind", "options", "x", "error", "parts"), REFUSED, ids=[f"{row[0]}-{k}" for k, row in enumerate(REFUSED)]
)
def test_bad_input_is_named(
    kind: str, options: Any, x: Any, error: Any, parts: Any, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_all(said(lambda: getattr(layers, kind)(**options)(x), error, language, monkeypatch), parts, language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_to_adapt_to(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = layers.Normalization(name="scale")
    names_all(said(lambda: layer.adapt(np.zeros((0, 3))), ArgumentError, language, monkeypatch), ("scale",), language)
    given = layers.Normalization(mean=1, variance=1, name="scale")
    names_all(said(lambda: given.adapt(np.ones((2, 3))), ArgumentError, language, monkeypatch), ("adapt",), language)
    layer.adapt(np.ones((2, 3)))
    names_all(said(lambda: layer.adapt(np.ones((2, 4))), ShapeError, language, monkeypatch), ("scale", "4"), language)
