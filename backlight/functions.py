"""The functions that networks are made of, beyond NumPy's own: compositions, steady for large and small inputs."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.numpy_api.common import as_inexact, axes_of, cast, operand
from backlight.numpy_api.reduce import logsumexp as _logsumexp
from backlight.primitive import HOOK
from backlight.primitive import REGISTRY as P

__all__ = [
    "erf",
    "gelu",
    "log_softmax",
    "logsumexp",
    "one_hot",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]


def _same(x: Any, y: Any) -> Any:
    """Plain in, plain out; traced in, traced out."""
    return y if isinstance(x, Array) or not isinstance(y, Array) else y.node.value


def relu(x: Any) -> Any:
    """``y = max(x, 0)``, element by element; at 0 the derivative used is 0.

    >>> import backlight
    >>> relu(backlight.array([-1.0, 2.0]))
    backlight.array([0., 2.])
    """
    return P.relu(x)


def sigmoid(x: Any) -> Any:
    """``y = 1 / (1 + exp(-x))``, element by element, without overflow.

    >>> import backlight
    >>> sigmoid(backlight.array([0.0, 800.0]))
    backlight.array([0.5, 1. ])
    """
    return P.sigmoid(x)


def erf(x: Any) -> Any:
    """``y = 2/√π ∫₀ˣ exp(-t²) dt``, element by element.

    >>> import backlight
    >>> erf(backlight.array([0.0]))
    backlight.array([0.])
    """
    return P.erf(x)


def softplus(x: Any) -> Any:
    """``y = log(1 + exp(x))``, element by element, computed as ``logaddexp(x, 0)``: no overflow, no loss near 0.

    >>> import backlight, numpy as np
    >>> softplus(backlight.array([-800.0, 0.0, 800.0]))
    backlight.array([0.00000000e+00, 6.93147181e-01, 8.00000000e+02])
    """
    return P.logaddexp(x, 0.0)


def silu(x: Any) -> Any:
    """``y = x · sigmoid(x)``, element by element (also called swish).

    >>> import backlight
    >>> silu(backlight.array([0.0]))
    backlight.array([0.])
    """
    return P.multiply(x, P.sigmoid(x))


def gelu(x: Any, approximate: bool = False) -> Any:
    """``y = x · Φ(x)`` with the normal distribution's Φ: ``x/2 · (1 + erf(x/√2))``, element by element.

    ``approximate=True`` takes ``x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`` (Hendrycks & Gimpel, arXiv:1606.08415).

    >>> import backlight
    >>> gelu(backlight.array([0.0, 1.0])).value.round(4)
    array([0.    , 0.8413])
    """
    if approximate:
        inner = P.multiply(sqrt(2 / pi), P.add(x, P.multiply(0.044715, P.multiply(x, P.square(x)))))
        return P.multiply(P.multiply(0.5, x), P.add(1.0, P.tanh(inner)))
    return P.multiply(P.multiply(0.5, x), P.add(1.0, P.erf(P.multiply(x, sqrt(0.5)))))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """``y = log Σ exp(x)`` over ``axis`` (all axes without one), without overflow.

    >>> import backlight
    >>> logsumexp(backlight.array([1000.0, 1000.0]))
    backlight.array(1000.69314718)
    """
    return _same(x, _logsumexp(x, axis, keepdims))


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """``y = x - log Σ exp(x)`` along ``axis``: the logarithm of ``softmax``, accurate where softmax is tiny.

    >>> import backlight
    >>> log_softmax(backlight.array([0.0, -1000.0]))
    backlight.array([    0., -1000.])
    """
    z = as_inexact(operand(x))
    return _same(x, z - _logsumexp(z, axis, True))


def softmax(x: Any, axis: Any = -1) -> Any:
    """``y = exp(x) / Σ exp(x)`` along ``axis``: positive numbers that add up to 1.

    Computed from the differences to the largest: nothing overflows.

    >>> import backlight
    >>> softmax(backlight.array([0.0, 1000.0]))
    backlight.array([0., 1.])
    """
    z = as_inexact(operand(x))
    return _same(x, P.softmax(z, axis=axes_of(axis, z.ndim)))


def one_hot(labels: Any, classes: int, dtype: Any = np.float64) -> Any:
    """``y[…, c] = 1`` where ``labels[…] == c``, else 0: class numbers as rows of an identity matrix.

    >>> one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    numbers = labels if isinstance(labels, Array) else np.asarray(labels)
    shape = tuple(numbers.shape)
    column = P.reshape(numbers, shape=(*shape, 1))
    return (
        cast(P.equal(column, np.arange(classes)), dtype)
        if isinstance(column, Array)
        else P.equal(column, np.arange(classes)).astype(dtype)
    )


HOOK.softmax = softmax
HOOK.log_softmax = log_softmax
