"""Backlight: plain NumPy in, every gradient out, and every step of the way in the light.

一切皆是映射: everything is a mapping. A program is a chain of mappings; backpropagation walks the chain backwards.

>>> import backlight, numpy as np
>>> def loss(w, x, y):
...     return np.mean((np.tanh(x @ w) - y) ** 2)
>>> x, y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([0.5, -0.5])
>>> backlight.grad(loss)(np.zeros(2), x, y)
array([ 1. , -1.5])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backlight.array import Array, array
from backlight.batching import vmap
from backlight.custom import checkpoint, custom_gradient
from backlight.errors import BacklightError
from backlight.functions import (
    erf,
    gelu,
    log_softmax,
    logsumexp,
    one_hot,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from backlight.tape import GradientTape
from backlight.trace import scope
from backlight.transforms import grad, hessian, hvp, jacobian, jvp, stop_gradient, value_and_grad, vjp
from backlight.tree import tree_map

if TYPE_CHECKING:
    from backlight import keras, random
    from backlight.checking import CheckReport, check
    from backlight.compiler.run import compile
    from backlight.loops import cond, fori_loop, scan, while_loop
    from backlight.ops.special import polygamma
    from backlight.train.saving import load
    from backlight.windows import average_pool, convolution, convolution_transpose, max_pool

__all__ = [
    "Array",
    "BacklightError",
    "CheckReport",
    "GradientTape",
    "array",
    "average_pool",
    "check",
    "checkpoint",
    "compile",
    "cond",
    "convolution",
    "convolution_transpose",
    "custom_gradient",
    "erf",
    "fori_loop",
    "gelu",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "keras",
    "load",
    "log_softmax",
    "logsumexp",
    "max_pool",
    "one_hot",
    "polygamma",
    "random",
    "relu",
    "scan",
    "scope",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "stop_gradient",
    "tree_map",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]

__version__ = "0.1.0"

_LATER = {  # imported when first asked for, so that importing Backlight costs little more than importing NumPy
    "CheckReport": "checking",
    "average_pool": "windows",
    "check": "checking",
    "compile": "compiler.run",
    "cond": "loops",
    "convolution": "windows",
    "convolution_transpose": "windows",
    "fori_loop": "loops",
    "load": "train.saving",
    "max_pool": "windows",
    "polygamma": "ops.special",
    "scan": "loops",
    "while_loop": "loops",
}


def __getattr__(name: str) -> Any:
    if name in ("keras", "random"):
        return import_module(f"backlight.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'backlight' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"backlight.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
