"""First values of parameters, by name: ``get("glorot_uniform")``; names, defaults and distributions are Keras's.

An initialiser is a function of shape and key: ``initializer(shape, dtype, key)``. Without a key its own ``seed``
decides, so it gives the same numbers in every call; without either a seed is drawn when it is made. The numbers come
from ``backlight.random``, whose draws depend on key and position alone.

The *fans* of a shape ``(…, inputs, outputs)`` are how many numbers one output is made of, and how many one input
reaches: inputs and outputs, each times the size of the leading axes (the window of a convolution).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from backlight import random
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.lookup import Configured, Names
from backlight.nn.naming import next_seed
from backlight.trace import user_source

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "another",
    "deserialize",
    "fans",
    "get",
    "serialize",
]

Shape = tuple[int, ...]

# The standard deviation of a standard normal number that is known to lie between -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978


def _refuse(name: str, option: str, came: object, expected: str, **facts: Any) -> ArgumentError:
    said: dict[str, Any] = {"name": name, "option": option, "came": came, "expected": message(expected, **facts)}
    return ArgumentError(message("init_option", str(user_source() or ""), **said))


class Initializer(Configured):
    """``w = draw(key, shape)``: write ``draw`` in a class of your own.

    >>> class Halves(Initializer):
    ...     def draw(self, key, shape, dtype):
    ...         return np.full(shape, 0.5, dtype)
    >>> Halves()((2,))
    array([0.5, 0.5], dtype=float32)

    Raises ``ArgumentError`` for a seed that is no whole number from 0 to 2⁶⁴-1.
    """

    seed: int | None = None
    _chosen: int | None = None

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """An array of this shape and dtype that depends on nothing but the key."""
        raise NotImplementedError

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> Any:
        """An array of this shape (float32 unless told otherwise), drawn with ``key`` or, without one, the seed."""
        size = tuple(map(operator.index, shape)) if isinstance(shape, tuple | list) else (operator.index(shape),)
        own = random.key(self.seed or 0) if key is None else key
        return self.draw(own, size, np.dtype(np.float32 if dtype is None else dtype))

    def _seeded(self, seed: Any) -> int | None:
        """The seed as given; one that follows from ``set_random_seed``, or from chance, where none is."""
        if seed is None:
            return next_seed()
        if not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 64:
            raise _refuse(type(self).__name__, "seed", seed, "expected_seed")
        self._chosen = int(seed)
        return self._chosen

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again; without a seed that nobody chose, so that it draws others."""
        config = super().get_config()
        return {**config, "seed": self._chosen} if "seed" in config else config


def another(initializer: Any) -> Any:
    """An initialiser of the same kind with a seed of its own, unless one was chosen: for further weights.

    >>> first = RandomNormal()
    >>> bool((another(first)((3,)) == first((3,))).all())
    False
    """
    return (
        type(initializer).from_config(initializer.get_config()) if isinstance(initializer, Initializer) else initializer
    )


# -- Constant ------------------------------------------------------------------------------------------------------


class Zeros(Initializer):
    """``w = 0``.

    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Zeros."""
        return np.zeros(shape, dtype)


class Ones(Initializer):
    """``w = 1``.

    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Ones."""
        return np.ones(shape, dtype)


class Constant(Initializer):
    """``w = value``, a number or an array that is repeated to the shape.

    >>> Constant(3.0)((2,))
    array([3., 3.], dtype=float32)
    """

    _config = ("value",)

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """The value everywhere."""
        return np.array(np.broadcast_to(np.asarray(self.value, dtype), shape))


class Identity(Initializer):
    """``w = gain · I``, for two axes.

    >>> Identity(2.0)((2, 2))
    array([[2., 0.],
           [0., 2.]], dtype=float32)

    Raises ``ShapeError`` for another number of axes.
    """

    _config = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """The identity matrix, or as much of it as there is room for."""
        if len(shape) != 2:
            expected = message("expected_2d")
            where = str(user_source() or "")
            raise ShapeError(message("init_shape", where, name=type(self).__name__, shape=shape, expected=expected))
        return np.asarray(self.gain * np.eye(*shape), dtype)


# -- Random ----------------------------------------------------------------------------------------------------------


class RandomUniform(Initializer):
    """``w`` uniform on [minval, maxval).

    >>> w = RandomUniform(seed=1)((1000,))
    >>> bool(abs(w).max() < 0.05), w.dtype
    (True, dtype('float32'))
    """

    _config = ("minval", "maxval", "seed")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, self._seeded(seed)

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Uniform numbers."""
        return random.uniform(key, shape, self.minval, self.maxval, dtype)


class RandomNormal(Initializer):
    """``w`` normal with ``mean`` and ``stddev``.

    >>> bool(abs(RandomNormal(seed=1)((1000,)).std() - 0.05) < 0.005)
    True
    """

    _config = ("mean", "stddev", "seed")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, self._seeded(seed)

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Normal numbers."""
        return random.normal(key, shape, self.mean, self.stddev, dtype)


class TruncatedNormal(Initializer):
    """``w`` normal with ``mean`` and ``stddev``, given that it lies within two ``stddev`` of the mean.

    >>> bool(abs(TruncatedNormal(seed=1)((1000,))).max() <= 0.1)
    True
    """

    _config = ("mean", "stddev", "seed")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, self._seeded(seed)

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Normal numbers without the far ones."""
        return random.truncated_normal(key, -2.0, 2.0, shape, self.mean, self.stddev, dtype)


def fans(shape: Shape) -> tuple[int, int]:
    """How many numbers one output is made of, and how many one input reaches.

    >>> fans((3, 3, 16, 32)), fans((16, 32)), fans((16,)), fans(())
    ((144, 288), (16, 32), (16, 16), (1, 1))
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


class VarianceScaling(Initializer):
    """``w`` with mean 0 and variance ``scale / n``; n is ``fan_in``, ``fan_out`` or their mean, ``fan_avg``.

    ``distribution`` is "truncated_normal" (within two deviations, then widened to the variance wanted),
    "untruncated_normal", or "uniform" on ±√(3 scale / n).

    >>> w = VarianceScaling(2.0, seed=1)((200, 50))
    >>> bool(abs(w.std() - 0.1) < 0.005)
    True

    Raises ``ArgumentError`` for other words, and a scale that is not above 0.
    """

    _config: ClassVar[tuple[str, ...]] = ("scale", "mode", "distribution", "seed")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if not scale > 0:
            raise _refuse("VarianceScaling", "scale", scale, "expected_positive")
        if mode not in _MODES:
            raise _refuse("VarianceScaling", "mode", mode, "expected_choice", names=", ".join(_MODES))
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in _DISTRIBUTIONS:
            names = ", ".join(_DISTRIBUTIONS)
            raise _refuse("VarianceScaling", "distribution", distribution, "expected_choice", names=names)
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, self._seeded(seed)

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """Numbers of this distribution and variance."""
        variance = self.scale / max(1.0, _MODES[self.mode](*fans(shape)))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(key, shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return random.normal(key, shape, 0.0, math.sqrt(variance), dtype)
        return random.truncated_normal(key, -2.0, 2.0, shape, 0.0, math.sqrt(variance) / TRUNCATED_STDDEV, dtype)


_MODES: dict[str, Callable[[int, int], float]] = {
    "fan_in": lambda fan_in, fan_out: float(fan_in),
    "fan_out": lambda fan_in, fan_out: float(fan_out),
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2.0,
}
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class _Named(VarianceScaling):
    """A ``VarianceScaling`` that has a name of its own."""

    _config = ("seed",)
    _made: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._made, seed)


class GlorotUniform(_Named):
    """``w`` uniform on ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    >>> bool(abs(GlorotUniform(seed=1)((4, 2))).max() < 1)
    True
    """

    _made = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """``w`` truncated normal with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010).

    >>> GlorotNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _made = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Named):
    """``w`` uniform on ±√(6 / fan_in) (He et al. 2015, arXiv:1502.01852).

    >>> bool(abs(HeUniform(seed=1)((6, 2))).max() < 1)
    True
    """

    _made = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """``w`` truncated normal with variance 2 / fan_in (He et al. 2015, arXiv:1502.01852).

    >>> HeNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _made = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """``w`` uniform on ±√(3 / fan_in) (LeCun et al. 1998, "Efficient BackProp").

    >>> bool(abs(LecunUniform(seed=1)((3, 2))).max() < 1)
    True
    """

    _made = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """``w`` truncated normal with variance 1 / fan_in (LeCun et al. 1998, "Efficient BackProp").

    >>> LecunNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _made = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """``wᵀ w = gain² · I``, or ``w wᵀ`` where there are fewer rows; leading axes count as rows (arXiv:1312.6120).

    The columns of a normal matrix are made orthogonal one after the other (Gram and Schmidt, twice: enough for full
    accuracy). Sums are taken row after row and not by a library for matrices, whose order differs between machines.

    >>> w = Orthogonal(seed=1)((3, 2), np.float64)
    >>> bool(abs(w.T @ w - np.eye(2)).max() < 1e-15)
    True

    Raises ``ShapeError`` for fewer than two axes.
    """

    _config = ("gain", "seed")

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain, self.seed = gain, self._seeded(seed)

    def draw(self, key: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
        """An orthogonal matrix times the gain."""
        if len(shape) < 2:
            expected = message("expected_matrix_or_more")
            where = str(user_source() or "")
            raise ShapeError(message("init_shape", where, name=type(self).__name__, shape=shape, expected=expected))
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = random.normal(key, (max(rows, columns), min(rows, columns)), dtype=np.float64)
        found = np.array(tall)
        for k in range(found.shape[1]):
            column = found[:, k : k + 1]
            for _ in range(2):
                before = found[:, :k]
                along = np.add.reduce(before * column, axis=0)
                column = column - np.add.reduce((before * along).T, axis=0)[:, None] if k else column
            found[:, k : k + 1] = column / np.sqrt(np.add.reduce(np.square(column), axis=0))
        matrix = found if rows >= columns else found.T
        return np.asarray(self.gain * matrix.reshape(shape), dtype)


_CLASSES = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomUniform,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    Orthogonal,
)
NAMES = Names(
    "kind_initializer",
    {each.__name__: each for each in _CLASSES},
    {
        "zeros": "Zeros",
        "ones": "Ones",
        "constant": "Constant",
        "identity": "Identity",
        "IdentityInitializer": "Identity",
        "OrthogonalInitializer": "Orthogonal",
        "random_uniform": "RandomUniform",
        "uniform": "RandomUniform",
        "random_normal": "RandomNormal",
        "normal": "RandomNormal",
        "truncated_normal": "TruncatedNormal",
        "variance_scaling": "VarianceScaling",
        "glorot_uniform": "GlorotUniform",
        "glorot_normal": "GlorotNormal",
        "he_uniform": "HeUniform",
        "he_normal": "HeNormal",
        "lecun_uniform": "LecunUniform",
        "lecun_normal": "LecunNormal",
        "orthogonal": "Orthogonal",
    },
)


def get(identifier: Any) -> Any:
    """A name, a configuration, a class, an object or a function -> an initialiser; ``None`` stays ``None``.

    >>> get("zeros"), get({"class_name": "HeNormal", "config": {"seed": 3}})
    (Zeros(), HeNormal(seed=3))

    Raises ``ArgumentError`` for a name that is not known.
    """
    return NAMES.get(identifier)


def serialize(initializer: Any) -> Any:
    """Class and configuration of an initialiser.

    >>> serialize(Constant(2.0))
    {'class_name': 'Constant', 'config': {'value': 2.0}}
    """
    return NAMES.serialize(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What ``serialize`` wrote, made again; an initialiser of the user's is looked up in ``custom_objects``.

    >>> deserialize({"class_name": "Constant", "config": {"value": 2.0}})
    Constant(value=2.0)
    """
    return NAMES.deserialize(config, custom_objects)
