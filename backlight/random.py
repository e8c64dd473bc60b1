"""Random numbers without hidden state: the same key gives the same numbers, whatever ran before.

A key is a plain array of two 32-bit words. Use a key once; ``split`` it when more are needed:

    >>> import numpy as np
    >>> from backlight import random
    >>> key = random.key(0)
    >>> weights_key, noise_key = random.split(key)
    >>> random.normal(weights_key, (2, 2)).shape
    (2, 2)

The generator is Philox4x32-10 (Salmon et al. 2011): element i of a draw is a function of the key and of i alone, so a
longer draw begins with the shorter one, and parts can be drawn anywhere in any order. Parameters such as ``low``,
``mean`` and ``scale`` may be Arrays; gradients flow to them (the reparametrisation trick), not to the key.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from backlight.array import Array, plain
from backlight.errors import ArgumentError, DTypeError, ShapeError, message
from backlight.primitive import REGISTRY
from backlight.refusal import describe
from backlight.trace import user_source

__all__ = [
    "bernoulli",
    "bits",
    "categorical",
    "exponential",
    "fold_in",
    "gumbel",
    "key",
    "normal",
    "permutation",
    "randint",
    "split",
    "truncated_normal",
    "uniform",
]

P = REGISTRY

Shape = int | tuple[int, ...] | None
Key = Any


# -- Keys --------------------------------------------------------------------------------------------------------


def key(seed: int) -> np.ndarray[Any, Any]:
    """The key of a seed: its lower and its upper 32 bits.

    >>> key(42)
    array([42,  0], dtype=uint32)

    Raises ``ArgumentError`` for a seed that is not an integer from 0 to 2⁶⁴-1.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise ArgumentError(message("random_seed", _where(), came=repr(seed)))
    return np.array([number & 0xFFFFFFFF, number >> 32], np.uint32)


def split(key: Key, n: int = 2) -> Any:
    """``n`` new keys, shape ``(n, 2)``, independent of each other and of everything drawn with ``key``.

    Key i does not depend on ``n``.

    >>> split(key(0), 3).shape
    (3, 2)
    """
    return P.draw(_key(key), distribution="split", shape=(_count(n), 2), dtype=np.dtype(np.uint32))


def fold_in(key: Key, data: Any) -> Any:
    """The new key for ``key`` and an integer, such as the number of a step or a layer.

    ``data`` may be a traced integer (its lowest 64 bits count).

    >>> first, second = (normal(fold_in(key(0), step)) for step in (0, 1))
    >>> bool(first != second)
    True
    """
    low_bits = 0xFFFFFFFF
    if isinstance(data, Array) and data.dtype.kind in "iub" and data.shape == ():
        number = P.cast(data, dtype=np.dtype(np.int64))
        halves = [P.bitwise_and(number, low_bits), P.bitwise_and(P.right_shift(number, 32), low_bits)]
        words = [P.reshape(P.cast(half, dtype=np.dtype(np.uint32)), shape=(1,)) for half in halves]
    else:
        try:
            number = operator.index(data)
        except TypeError:
            raise ArgumentError(message("random_data", _where(), came=describe(data))) from None
        words = [np.array([number & low_bits, number >> 32 & low_bits], np.uint32)]
    return P.draw(P.concatenate(_key(key), *words, axis=0), distribution="fold", shape=(2,), dtype=np.dtype(np.uint32))


def _key(key: Key) -> Any:
    value = key if isinstance(key, Array) else np.asarray(key)
    if value.dtype != np.uint32 or value.shape != (2,):
        raise ArgumentError(message("random_key", _where(), came=describe(key if value.shape == () else value)))
    return value


def _where() -> str:
    return str(user_source() or "")


# -- Shapes and dtypes -------------------------------------------------------------------------------------------


def _count(n: Any) -> int:
    number = operator.index(n) if hasattr(n, "__index__") else -1
    if number < 0:
        raise ArgumentError(message("random_shape", _where(), came=n))
    return number


def _shape(shape: Shape, *parameters: Any) -> tuple[int, ...]:
    """The shape of a draw: as asked, or that of its parameters together, which must fit into what was asked."""
    wanted = None
    if shape is not None:
        wanted = tuple(map(_count, shape)) if isinstance(shape, tuple | list) else (_count(shape),)
    try:
        together = np.broadcast_shapes(*(np.shape(getattr(parameter, "value", parameter)) for parameter in parameters))
        if wanted is None or np.broadcast_shapes(wanted, together) == wanted:
            return together if wanted is None else wanted
    except ValueError:
        pass
    came = ", ".join(describe(parameter) for parameter in parameters)
    raise ShapeError(message("random_parameters", _where(), shape=wanted, came=came))


def _dtype(dtype: Any, *parameters: Any) -> Any:
    """The dtype of a draw: as asked, or that of the arrays among its parameters, or float64."""
    given = [p.dtype for p in parameters if isinstance(p, Array | np.ndarray | np.generic) and p.dtype.kind == "f"]
    found = np.dtype(dtype) if dtype is not None else np.result_type(*given) if given else np.dtype(np.float64)
    if found.kind != "f" or found.itemsize > 8:
        raise DTypeError(message("random_dtype", _where(), came=found))
    return found


def _operand(x: Any) -> Any:
    return x if isinstance(x, Array) else plain(x)


def _array_operand(x: Any) -> Any:
    operand = _operand(x)
    return operand if isinstance(operand, Array) else np.asarray(operand)


def _as(y: Any, dtype: Any) -> Any:
    if isinstance(y, Array):
        return y if y.dtype == dtype else P.cast(y, dtype=dtype)
    return np.asarray(y, dtype)[()]


def _standard(key: Key, distribution: str, shape: tuple[int, ...], dtype: Any) -> Any:
    return P.draw(_key(key), distribution=distribution, shape=shape, dtype=dtype)


# -- Draws -------------------------------------------------------------------------------------------------------


def uniform(key: Key, shape: Shape = None, low: Any = 0.0, high: Any = 1.0, dtype: Any = None) -> Any:
    """Uniform on [low, high): ``low + (high - low) · u``.

    ``u`` is a multiple of 2⁻²⁴ (float32) or 2⁻⁵³ (float64), never 1; where the floats near ``high`` are coarser than
    that, the result may round to ``high``, as NumPy's may. Without ``shape``, that of the parameters.

    >>> u = uniform(key(1), (1000,))
    >>> bool(0 <= u.min() and u.max() < 1), round(float(u.mean()), 1)
    (True, 0.5)

    Raises ``ArgumentError`` for something that is no key, ``ShapeError`` for parameters that do not fit ``shape``,
    ``DTypeError`` for a dtype that is not float16, float32 or float64.
    """
    low, high = _operand(low), _operand(high)
    dtype = _dtype(dtype, low, high)
    u = _standard(key, "uniform", _shape(shape, low, high), dtype)
    if type(low) in (int, float) and type(high) in (int, float) and (low, high) == (0, 1):
        return u
    return _as(low + (high - low) * u, dtype)


def normal(key: Key, shape: Shape = None, mean: Any = 0.0, scale: Any = 1.0, dtype: Any = None) -> Any:
    """Normal (Gaussian): ``mean + scale · z``; z is the normal quantile of one uniform number.

    >>> z = normal(key(1), (1000,), mean=3.0, scale=2.0)
    >>> abs(float(z.mean()) - 3.0) < 0.2, abs(float(z.std()) - 2.0) < 0.2
    (True, True)

    Raises like ``uniform``.
    """
    mean, scale = _operand(mean), _operand(scale)
    dtype = _dtype(dtype, mean, scale)
    z = _standard(key, "normal", _shape(shape, mean, scale), dtype)
    if type(mean) in (int, float) and type(scale) in (int, float) and (mean, scale) == (0, 1):
        return z
    return _as(mean + scale * z, dtype)


def truncated_normal(
    key: Key, low: Any, high: Any, shape: Shape = None, mean: Any = 0.0, scale: Any = 1.0, dtype: Any = None
) -> Any:
    """``mean + scale · z`` with z standard normal, given that low <= z <= high (in units of ``scale``).

    By the inverse distribution function, z = Φ⁻¹(Φ(low) + (Φ(high) - Φ(low)) · u): gradients flow to the bounds too.
    An interval beyond 5 on one side is drawn with less than full accuracy, since Φ is flat there.

    >>> z = truncated_normal(key(1), -2.0, 2.0, (1000,))
    >>> bool(-2 <= z.min() and z.max() <= 2)
    True

    Raises like ``uniform``.
    """
    low, high, mean, scale = _operand(low), _operand(high), _operand(mean), _operand(scale)
    dtype = _dtype(dtype, low, high, mean, scale)
    u = _standard(key, "open_uniform", _shape(shape, low, high, mean, scale), np.dtype(np.float64))
    flipped = P.greater(low, 0.0)  # the upper tail is drawn as the mirrored lower one, where probabilities are exact
    left, right = P.where(flipped, -high, low), P.where(flipped, -low, high)
    below, above = _probability(left), _probability(right)
    z = P.normal_quantile(below + (above - below) * u)
    z = P.minimum(P.maximum(P.where(flipped, -z, z), low), high)
    return _as(mean + scale * z, dtype)


def _probability(x: Any) -> Any:
    """Φ(x) = (1 + erf(x / √2)) / 2."""
    return 0.5 * (1.0 + P.erf(x * (1.0 / np.sqrt(2.0))))


def exponential(key: Key, shape: Shape = None, scale: Any = 1.0, dtype: Any = None) -> Any:
    """Exponential with mean ``scale``: ``-scale · log u``.

    >>> bool(exponential(key(1), (1000,)).min() > 0)
    True

    Raises like ``uniform``.
    """
    scale = _operand(scale)
    dtype = _dtype(dtype, scale)
    return _as(-scale * P.log(_standard(key, "open_uniform", _shape(shape, scale), dtype)), dtype)


def gumbel(key: Key, shape: Shape = None, mean: Any = 0.0, scale: Any = 1.0, dtype: Any = None) -> Any:
    """Gumbel, the distribution of the largest of many: ``mean - scale · log(-log u)``.

    >>> gumbel(key(1), (3,)).shape
    (3,)

    Raises like ``uniform``.
    """
    mean, scale = _operand(mean), _operand(scale)
    dtype = _dtype(dtype, mean, scale)
    u = _standard(key, "open_uniform", _shape(shape, mean, scale), dtype)
    return _as(mean - scale * P.log(P.negative(P.log(u))), dtype)


def bernoulli(key: Key, p: Any = 0.5, shape: Shape = None) -> Any:
    """``True`` with probability ``p``: booleans. No gradient flows to ``p``: a truth value cannot change a little.

    >>> round(float(bernoulli(key(1), 0.3, (10000,)).mean()), 1)
    0.3

    Raises like ``uniform``.
    """
    p = _operand(p)
    return P.less(_standard(key, "uniform", _shape(shape, p), np.dtype(np.float64)), p)


def categorical(key: Key, logits: Any, shape: Shape = None) -> Any:
    """The index k with probability softmax(logits)ₖ along the last axis, by the Gumbel-max trick (Gumbel 1954).

    Without ``shape`` one index for every row of ``logits``; otherwise ``shape``, into which the rows must fit.

    >>> draws = categorical(key(1), np.log(np.array([0.2, 0.8])), (10000,))
    >>> round(float(draws.mean()), 1)
    0.8

    Raises like ``uniform``, and ``ShapeError`` for logits without an axis.
    """
    logits = _array_operand(logits)
    if not logits.shape or not logits.shape[-1]:
        raise ShapeError(message("random_logits", _where(), came=describe(logits)))
    rows = _shape(shape, np.empty(logits.shape[:-1]))
    noisy = P.add(logits, gumbel(key, (*rows, logits.shape[-1]), dtype=np.float64))
    return P.argmax(noisy, axis=len(rows))


def bits(key: Key, shape: Shape = None, dtype: Any = np.uint32) -> Any:
    """Random bits: unsigned integers, every value equally likely.

    >>> bits(key(1), (2,)).dtype
    dtype('uint32')

    Raises ``DTypeError`` for a dtype that is not an unsigned integer.
    """
    if np.dtype(dtype).kind != "u":
        raise DTypeError(message("random_dtype", _where(), came=np.dtype(dtype)))
    return _standard(key, "bits", _shape(shape), np.dtype(dtype))


def randint(key: Key, shape: Shape, low: Any, high: Any, dtype: Any = np.int64) -> Any:
    """Whole numbers from ``low`` to ``high - 1``: 64 random bits modulo the range (a bias below range / 2⁶⁴).

    >>> sorted(set(randint(key(1), (100,), 1, 7).tolist()))
    [1, 2, 3, 4, 5, 6]

    Raises ``ArgumentError`` where no number lies between ``low`` and ``high``; otherwise like ``uniform``.
    """
    ends = [np.asarray(end.node.value if isinstance(end, Array) else end) for end in (low, high)]
    if any(end.dtype.kind not in "iu" for end in ends) or bool(np.any(ends[0] >= ends[1])):
        raise ArgumentError(message("random_range", _where(), low=low, high=high))
    wide = np.dtype(np.uint64)
    number = bits(key, _shape(shape, low, high), wide)
    offset = P.remainder(number, P.cast(_integer(high) - _integer(low), dtype=wide))
    return P.cast(P.cast(offset, dtype=np.dtype(np.int64)) + low, dtype=np.dtype(dtype))


def _integer(x: Any) -> Any:
    return x if isinstance(x, Array) else np.asarray(x, np.int64)


def permutation(key: Key, n_or_array: Any) -> Any:
    """The numbers 0 … n-1 in random order, or the rows of an array in random order (gradients flow to the array).

    >>> sorted(permutation(key(1), 5).tolist())
    [0, 1, 2, 3, 4]

    Raises ``ShapeError`` for an array without rows to reorder.
    """
    if isinstance(n_or_array, int | np.integer):
        return P.argsort(bits(key, _count(n_or_array), np.uint64), axis=0)
    rows = _array_operand(n_or_array)
    if not rows.shape:
        raise ShapeError(message("random_rows", _where(), came=describe(n_or_array)))
    return P.gather(rows, permutation(key, rows.shape[0]))
