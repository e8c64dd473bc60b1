"""Activation functions by name: ``get("relu")``; names, options and defaults are Keras's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backlight import functions
from backlight.nn.lookup import Names

__all__ = [
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

# The fixed point at which mean 0 and variance 1 reproduce themselves (Klambauer et al. 2017, arXiv:1706.02515).
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def linear(x: Any) -> Any:
    """``y = x``.

    >>> linear(3.0)
    3.0
    """
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """``y = max(x, 0)``, element by element.

    With options: ``min(x, max_value)`` where ``x > threshold``, elsewhere ``negative_slope · (x - threshold)``.

    >>> relu(np.array([-2.0, 3.0])), relu(np.array([-2.0, 9.0]), negative_slope=0.5, max_value=6.0)
    (array([0., 3.]), array([-1.,  6.]))
    """
    if not negative_slope and not threshold:
        y = functions.relu(x)
        return y if max_value is None else np.minimum(y, max_value)
    above = x if max_value is None else np.minimum(x, max_value)
    return np.where(x > threshold, above, negative_slope * (x - threshold) if negative_slope else 0.0)


def relu6(x: Any) -> Any:
    """``y = min(max(x, 0), 6)``, element by element.

    >>> relu6(np.array([-1.0, 9.0]))
    array([0., 6.])
    """
    return np.minimum(functions.relu(x), 6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``y = x`` where ``x > 0``, elsewhere ``negative_slope · x``.

    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.2,  2. ])
    """
    return np.where(x > 0, x, negative_slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """``y = x`` where ``x > 0``, elsewhere ``alpha · (exp(x) - 1)`` (Clevert et al. 2015, arXiv:1511.07289).

    >>> elu(np.array([-800.0, 2.0]))
    array([-1.,  2.])
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))  # the branch not taken must not overflow


def selu(x: Any) -> Any:
    """``y = 1.0507 · elu(x, 1.6733)`` (Klambauer et al. 2017, arXiv:1706.02515).

    >>> selu(np.array([1.0])).round(4)
    array([1.0507])
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


def gelu(x: Any, approximate: bool = False) -> Any:
    """``y = x · Φ(x)`` with the normal distribution's Φ; ``approximate=True`` takes tanh for it.

    (Hendrycks & Gimpel 2016, arXiv:1606.08415.)

    >>> gelu(np.array([1.0])).round(4), gelu(np.array([1.0]), approximate=True).round(4)
    (array([0.8413]), array([0.8412]))
    """
    return functions.gelu(x, approximate)


def silu(x: Any) -> Any:
    """``y = x · sigmoid(x)``, also called swish (Ramachandran et al. 2017, arXiv:1710.05941).

    >>> silu(np.array([0.0, 100.0]))
    array([  0., 100.])
    """
    return functions.silu(x)


swish = silu


def sigmoid(x: Any) -> Any:
    """``y = 1 / (1 + exp(-x))``, without overflow.

    >>> sigmoid(np.array([0.0, -1e4]))
    array([0.5, 0. ])
    """
    return functions.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """``y = min(max(x + 3, 0), 6) / 6``.

    >>> hard_sigmoid(np.array([-9.0, 0.0, 9.0]))
    array([0. , 0.5, 1. ])
    """
    return relu6(x + 3.0) / 6.0


def tanh(x: Any) -> Any:
    """``y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))``.

    >>> tanh(np.array([0.0, 800.0]))
    array([0., 1.])
    """
    return np.tanh(x)


def softplus(x: Any) -> Any:
    """``y = log(1 + exp(x))``, without overflow.

    >>> softplus(np.array([0.0, 800.0])).round(4)
    array([6.931e-01, 8.000e+02])
    """
    return functions.softplus(x)


def softsign(x: Any) -> Any:
    """``y = x / (1 + |x|)``.

    >>> softsign(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """
    return x / (1.0 + np.abs(x))


def softmax(x: Any, axis: Any = -1) -> Any:
    """``y = exp(x) / Σ exp(x)`` along ``axis``: positive numbers that add up to 1.

    >>> softmax(np.array([[0.0, 0.0], [0.0, 1e4]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    return functions.softmax(x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """``y = x - log Σ exp(x)`` along ``axis``.

    >>> log_softmax(np.array([0.0, -1e4]))
    array([     0., -10000.])
    """
    return functions.log_softmax(x, axis)


def mish(x: Any) -> Any:
    """``y = x · tanh(log(1 + exp(x)))`` (Misra 2019, arXiv:1908.08681).

    >>> mish(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8651])
    """
    return x * np.tanh(functions.softplus(x))


def exponential(x: Any) -> Any:
    """``y = exp(x)``.

    >>> exponential(np.array([0.0]))
    array([1.])
    """
    return np.exp(x)


NAMES = Names(
    "kind_activation",
    {
        function.__name__: function
        for function in (
            linear,
            relu,
            relu6,
            leaky_relu,
            elu,
            selu,
            gelu,
            silu,
            sigmoid,
            hard_sigmoid,
            tanh,
            softplus,
            softsign,
            softmax,
            log_softmax,
            mish,
            exponential,
        )
    },
    {"swish": "silu"},
)


def get(identifier: Any) -> Callable[..., Any]:
    """A name, a function, a configuration or ``None`` (which is ``linear``) -> the function.

    >>> get("relu") is relu, get(None) is linear, get("swish") is silu
    (True, True, True)

    Raises ``ArgumentError`` for a name that is not known.
    """
    return linear if identifier is None else NAMES.get(identifier)


def serialize(activation: Callable[..., Any]) -> Any:
    """The name of an activation; class and configuration of an object that has one.

    >>> serialize(gelu)
    'gelu'
    """
    return NAMES.serialize(activation)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """What ``serialize`` wrote -> the function; a function of the user's is looked up in ``custom_objects``.

    >>> deserialize("gelu") is gelu
    True
    """
    return linear if config is None else NAMES.deserialize(config, custom_objects)
