"""Random changes of examples, in training only: images turned, moved, cut; noise on numbers.

Layers for images that are called alone, outside of a model and without ``training``, take it that this is training.
Every example is changed in a way of its own. What is drawn (``draw``) and what is done with it (``transform``) are two
functions; the first alone is random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from backlight import random
from backlight.nn.activations import SELU_ALPHA, SELU_SCALE
from backlight.nn.layer import Layer, SeedGenerator
from backlight.nn.layers.core import option_error, positive
from backlight.nn.layers.resizing import fitted
from backlight.nn.layers.spatial import Lengths, Pictures
from backlight.numpy_api.common import cast

__all__ = [
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
]

Range = tuple[float, float]
FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("bilinear", "nearest")
SATURATED = -SELU_ALPHA * SELU_SCALE  # selu far to the left


def _numbers(value: Any) -> list[float] | None:
    given = list(value) if isinstance(value, tuple | list) else [value]
    good = all(isinstance(n, int | float | np.number) and not isinstance(n, bool) and math.isfinite(n) for n in given)
    return [float(n) for n in given] if good and len(given) in (1, 2) else None


def _range(layer: Layer, option: str, value: Any, least: float, most: float = 1.0) -> Range:
    """The smallest and the largest of what is drawn: a pair, or a number for both sides of 0.

    Raises ``ArgumentError``.
    """
    found = _numbers(value)
    if found is None or not all(least <= n <= most for n in found):
        raise option_error(layer, option, value, "expected_range", least=least, most=most)
    return (-abs(found[0]), abs(found[0])) if len(found) == 1 else (min(found), max(found))


def _chosen(layer: Layer, option: str, value: Any, names: tuple[str, ...]) -> str:
    if value not in names:
        raise option_error(layer, option, value, "expected_names", names=", ".join(f'"{each}"' for each in names))
    return str(value)


class _Augmentation(Pictures):
    """Images ``(examples, rows, columns, channels)`` or one without the first axis, each changed in its own way."""

    transform: Callable[..., Any]  # (images, channels last, **what was drawn) -> the images changed

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed, self.name)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """What is random for images of this shape, as arguments of ``transform``."""
        raise NotImplementedError

    def at_rest(self, x: Any) -> Any:
        """The images outside of training."""
        return x

    def changed(self, x: Any, training: bool) -> Any:
        """The images, changed in training."""
        return self.transform(x, **self.draw(x.shape, x.dtype)) if training else self.at_rest(x)

    def _uniform(self, count: int, between: Range, dtype: Any) -> Any:
        """One number for every example."""
        return random.uniform(self.seed_generator.next(), (count,), *between, dtype=dtype)


class RandomFlip(_Augmentation):
    """Images mirrored, each with probability 1/2: ``"horizontal"``, ``"vertical"``, or along both axes at once.

    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
    >>> layer = RandomFlip("horizontal", seed=1)
    >>> sorted({tuple(layer(x, training=True).value.ravel().tolist()) for _ in range(9)})
    [(0.0, 1.0, 2.0, 3.0), (3.0, 2.0, 1.0, 0.0)]

    Raises ``ArgumentError`` for another mode.
    """

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.mode = _chosen(self, "mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """Which images are mirrored."""
        return {"flips": random.bernoulli(self.seed_generator.next(), 0.5, shape[:1])}

    def transform(self, x: Any, flips: Any) -> Any:
        """Those of the images mirrored."""
        mirrored = x[:, :, ::-1] if "horizontal" in self.mode else x
        mirrored = mirrored[:, ::-1] if "vertical" in self.mode else mirrored
        return np.where(flips[:, None, None, None], mirrored, x)


class _Moved(_Augmentation):
    """Every pixel of the result is taken from a place of the image, which need not be one of its pixels."""

    def _read(self, fill_mode: str, interpolation: str, fill_value: float) -> None:
        self.fill_mode = _chosen(self, "fill_mode", fill_mode, FILL_MODES)
        self.interpolation = _chosen(self, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = float(fill_value)

    def _taken(self, x: Any, rows: Any, columns: Any) -> Any:
        """The images at these places, ``(examples, rows, columns)`` each, in pixels from the first one's middle."""
        if self.interpolation == "nearest":
            return self._pixels(x, _nearest(rows), _nearest(columns))
        top, left = np.floor(rows), np.floor(columns)
        down, right = (rows - top)[..., None], (columns - left)[..., None]
        upper = self._pixels(x, top, left) * (1 - right) + self._pixels(x, top, left + 1) * right
        lower = self._pixels(x, top + 1, left) * (1 - right) + self._pixels(x, top + 1, left + 1) * right
        return upper * (1 - down) + lower * down

    def _pixels(self, x: Any, rows: Any, columns: Any) -> Any:
        """The images at whole places; ``fill_mode`` says what is beyond the borders."""
        height, width = x.shape[1:3]
        examples = np.arange(x.shape[0])[:, None, None]
        found = x[examples, self._inside(rows, height), self._inside(columns, width)]
        if self.fill_mode != "constant":
            return found
        there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return np.where(there[..., None], found, np.asarray(self.fill_value, x.dtype))

    def _inside(self, places: Any, length: int) -> Any:
        """The pixels that stand for those at ``places``, as indices."""
        if self.fill_mode == "wrap":
            places = np.mod(places, length)
        elif self.fill_mode == "reflect":  # ... 1 0 | 0 1 ... n-1 | n-1 n-2 ...
            folded = np.mod(places, 2 * length)
            places = np.minimum(folded, 2 * length - 1 - folded)
        # a last rounding of the remainder must not lead out either
        return cast(np.clip(places, 0, length - 1), np.int64)


def _nearest(places: Any) -> Any:
    """The whole number that is nearest; of two, the one that is further from 0."""
    return np.where(places < 0, np.ceil(places - 0.5), np.floor(places + 0.5))


def _grid(x: Any) -> tuple[Any, Any]:
    """Row and column of every pixel, as numbers of the images' dtype, to be broadcast."""
    height, width = x.shape[1:3]
    return np.arange(height, dtype=x.dtype)[None, :, None], np.arange(width, dtype=x.dtype)[None, None, :]


class RandomRotation(_Moved):
    """Images turned about their middle by an angle between ``factor[0]·2π`` and ``factor[1]·2π``.

    Positive angles turn counter-clockwise. One number means both signs of it. Beyond the borders lies what
    ``fill_mode`` says: the image mirrored (``"reflect"``, the outermost pixels twice), repeated (``"wrap"``), its last
    pixels (``"nearest"``), or ``fill_value`` (``"constant"``). Between pixels ``interpolation`` is ``"bilinear"`` or
    ``"nearest"``.

    >>> layer = RandomRotation(0.1, seed=1)
    >>> layer(np.ones((2, 8, 8, 3), np.float32), training=True).shape
    (2, 8, 8, 3)

    Raises ``ArgumentError`` for factors outside -1 … 1 and for unknown modes.
    """

    def __init__(
        self, factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear", seed: int | None = None,
        fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.factor = _range(self, "factor", factor, -1)
        self._read(fill_mode, interpolation, fill_value)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """The angles."""
        return {"angle": 2 * math.pi * self._uniform(shape[0], self.factor, dtype)}

    def transform(self, x: Any, angle: Any) -> Any:
        """The images turned."""
        rows, columns = _grid(x)
        middle_row, middle_column = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
        cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
        down, right = rows - middle_row, columns - middle_column
        return self._taken(x, sin * right + cos * down + middle_row, cos * right - sin * down + middle_column)


class RandomTranslation(_Moved):
    """Images moved down and to the right by a share of their height and width; negative: up and to the left.

    The shares lie between the two numbers of ``height_factor`` and ``width_factor``, or between both signs of one. The
    other options are those of ``RandomRotation``.

    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
    >>> layer = RandomTranslation(0, (0.25, 0.25), fill_mode="constant")
    >>> layer(x, training=True).value.ravel()
    array([0., 0., 1., 2.], dtype=float32)

    Raises ``ArgumentError`` for factors outside -1 … 1 and for unknown modes.
    """

    def __init__(
        self, height_factor: Any, width_factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: int | None = None, fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.height_factor = _range(self, "height_factor", height_factor, -1)
        self.width_factor = _range(self, "width_factor", width_factor, -1)
        self._read(fill_mode, interpolation, fill_value)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """How many pixels down and to the right."""
        return {
            "down": self._uniform(shape[0], self.height_factor, dtype) * shape[1],
            "right": self._uniform(shape[0], self.width_factor, dtype) * shape[2],
        }

    def transform(self, x: Any, down: Any, right: Any) -> Any:
        """The images moved."""
        rows, columns = _grid(x)
        return self._taken(x, *np.broadcast_arrays(rows - down[:, None, None], columns - right[:, None, None]))


class RandomZoom(_Moved):
    """Images of which a part ``1 + factor`` as high and wide is shown.

    What is in them becomes smaller for positive, larger for negative factors. Without ``width_factor`` the proportions
    stay. The other options are those of ``RandomTranslation``.

    >>> x = np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1)
    >>> RandomZoom((-0.5, -0.5))(x, training=True).value.ravel()
    array([1. , 1.5, 2. , 2.5, 3. ], dtype=float32)

    Raises ``ArgumentError`` for factors outside -1 < factor ≤ 1 and for unknown modes.
    """

    def __init__(
        self, height_factor: Any, width_factor: Any = None, fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: int | None = None, fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        above = -1 + 1e-6  # of an image nothing would be shown
        self.height_factor = _range(self, "height_factor", height_factor, above)
        self.width_factor = None if width_factor is None else _range(self, "width_factor", width_factor, above)
        self._read(fill_mode, interpolation, fill_value)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """How high and wide a part."""
        tall = 1 + self._uniform(shape[0], self.height_factor, dtype)
        return {
            "tall": tall,
            "wide": tall if self.width_factor is None else 1 + self._uniform(shape[0], self.width_factor, dtype),
        }

    def transform(self, x: Any, tall: Any, wide: Any) -> Any:
        """The parts of the images."""
        rows, columns = _grid(x)
        middle_row, middle_column = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
        rows = (rows - middle_row) * tall[:, None, None] + middle_row
        columns = (columns - middle_column) * wide[:, None, None] + middle_column
        return self._taken(x, *np.broadcast_arrays(rows, columns))


class RandomCrop(_Augmentation):
    """A part of every image, ``height`` × ``width``, somewhere in it.

    Outside of training, and for images that are smaller, it is the largest part in the middle that has these
    proportions, its size changed by straight lines between the pixels.

    >>> layer = RandomCrop(2, 3, seed=1)
    >>> x = np.zeros((4, 5, 6, 1), np.float32)
    >>> layer(x).shape, layer(x, training=False).shape
    ((4, 2, 3, 1), (4, 2, 3, 1))

    Raises ``ArgumentError`` for sizes below 1.
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.height, self.width = positive(self, "height", height), positive(self, "width", width)

    def lengths_after(self, lengths: Lengths) -> Lengths:
        """As asked."""
        return (self.height, self.width)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """The first row and column of every part."""
        spare = {"top": shape[1] - self.height, "left": shape[2] - self.width}
        if min(spare.values()) < 0:
            return {}
        return {
            name: random.randint(self.seed_generator.next(), shape[:1], 0, more + 1) for name, more in spare.items()
        }

    def transform(self, x: Any, top: Any = None, left: Any = None) -> Any:
        """The parts."""
        if top is None:
            return self.at_rest(x)
        rows = top[:, None, None] + np.arange(self.height)[None, :, None]
        columns = left[:, None, None] + np.arange(self.width)[None, None, :]
        return x[np.arange(x.shape[0])[:, None, None], rows, columns]

    def at_rest(self, x: Any) -> Any:
        """The middle, in the size."""
        return fitted(x, self.height, self.width)


class RandomContrast(_Augmentation):
    """``y = (x - m) · c + m``, kept within ``value_range``: m is the mean of each channel, c drawn for each image.

    c lies between ``1 - lower`` and ``1 + upper``, where ``factor`` is ``(lower, upper)``, or one number for both.

    >>> RandomContrast(0.5, seed=1)(np.full((1, 2, 2, 1), 7.0), training=True).value.ravel()
    array([7., 7., 7., 7.], dtype=float32)

    Raises ``ArgumentError`` for factors outside 0 … 1 and for a range that is none.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        found = _numbers(factor)
        if found is None or not all(0 <= n <= 1 for n in found):
            raise option_error(self, "factor", factor, "expected_range", least=0, most=1)
        self.factor = (found[0], found[-1])
        self.value_range = _bounds(self, value_range)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """The contrasts."""
        return {"contrast": self._uniform(shape[0], (1 - self.factor[0], 1 + self.factor[1]), dtype)}

    def transform(self, x: Any, contrast: Any) -> Any:
        """The images with these contrasts."""
        mean = np.mean(x, axis=(1, 2), keepdims=True)
        return np.clip((x - mean) * contrast[:, None, None, None] + mean, *self.value_range)


class RandomBrightness(_Augmentation):
    """``y = x + b``, kept within ``value_range``: b is drawn for each image, as a share of the range.

    The share lies between the two numbers of ``factor``, or between both signs of one.

    >>> RandomBrightness((0.1, 0.1), (0, 1))(np.array([0.5, 0.95]).reshape(1, 1, 2, 1), training=True).value.ravel()
    array([0.6, 1. ], dtype=float32)

    Raises ``ArgumentError`` for factors outside -1 … 1 and for a range that is none.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.factor = _range(self, "factor", factor, -1)
        self.value_range = _bounds(self, value_range)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
        """What is added."""
        low, high = self.value_range
        return {"more": self._uniform(shape[0], self.factor, dtype) * (high - low)}

    def transform(self, x: Any, more: Any) -> Any:
        """The images with that added."""
        return np.clip(x + more[:, None, None, None], *self.value_range)


def _bounds(layer: Layer, value: Any) -> Range:
    found = _numbers(value)
    if found is None or len(found) != 2 or found[0] >= found[1]:
        raise option_error(layer, "value_range", value, "expected_bounds")
    return (found[0], found[1])


# -- Noise -----------------------------------------------------------------------------------------------------------


class GaussianNoise(Layer):
    """``y = x + stddev · ε`` in training, ε normal and independent for every number; later ``y = x``.

    >>> y = GaussianNoise(0.1, seed=1)(np.zeros((1, 1000), np.float32), training=True).value
    >>> bool(0.09 < y.std() < 0.11)
    True

    Raises ``ArgumentError`` for a negative ``stddev``.
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        found = _numbers(stddev)
        if found is None or len(found) != 1 or found[0] < 0:
            raise option_error(self, "stddev", stddev, "expected_deviation")
        self.stddev, self.seed = found[0], seed
        self.seed_generator = SeedGenerator(seed, self.name) if self.stddev else None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The input, with noise in training."""
        x = self.as_float(inputs)
        if not training or self.seed_generator is None:
            return x
        return x + self.stddev * random.normal(self.seed_generator.next(), x.shape, dtype=x.dtype)


class _Dropout(Layer):
    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        found = _numbers(rate)
        if found is None or len(found) != 1 or not 0 <= found[0] < 1:
            raise option_error(self, "rate", rate, "expected_share_below")
        self.rate, self.seed = found[0], seed
        self.seed_generator = SeedGenerator(seed, self.name) if self.rate else None


class GaussianDropout(_Dropout):
    """``y = x · (1 + √(rate / (1 - rate)) · ε)`` in training, ε normal for every number; later ``y = x``.

    The same mean and variance as ``Dropout``. N. Srivastava et al., "Dropout: a simple way to prevent neural networks
    from overfitting", 2014.

    >>> y = GaussianDropout(0.5, seed=1)(np.ones((1, 1000), np.float32), training=True).value
    >>> bool(0.9 < y.std() < 1.1)
    True

    Raises ``ArgumentError`` for a rate outside 0 ≤ rate < 1.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The input, each number times a random one in training."""
        x = self.as_float(inputs)
        if not training or self.seed_generator is None:
            return x
        deviation = math.sqrt(self.rate / (1 - self.rate))
        return x * (1 + deviation * random.normal(self.seed_generator.next(), x.shape, dtype=x.dtype))


class AlphaDropout(_Dropout):
    """``y = a · (x or α) + b`` in training: α in place of a share ``rate`` of the numbers; later ``y = x``.

    α is the value at which ``selu`` saturates; a and b keep mean 0 and variance 1. G. Klambauer et al.,
    "Self-normalizing neural networks", 2017.

    >>> y = AlphaDropout(0.3, seed=1)(np.ones((1, 1000), np.float32), training=True).value
    >>> np.unique(y).round(3)
    array([-1.06 ,  1.315], dtype=float32)

    Raises ``ArgumentError`` for a rate outside 0 ≤ rate < 1.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = noise_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The input, with α in some places in training."""
        x = self.as_float(inputs)
        if not training or self.seed_generator is None:
            return x
        shape = x.shape if self.noise_shape is None else tuple(self.noise_shape)
        shape = tuple(size if n is None else n for n, size in zip(shape, x.shape, strict=True))
        kept = random.bernoulli(self.seed_generator.next(), 1 - self.rate, shape)
        a = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * SATURATED**2))
        return a * np.where(kept, x, np.asarray(SATURATED, x.dtype)) - a * SATURATED * self.rate
