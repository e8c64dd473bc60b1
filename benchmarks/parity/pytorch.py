"""What PyTorch calls the same: for each name a function of PyTorch's tensors with the options that it has a word for.

``torch.nn.functional`` wants channels first and kernels as ``(out, in, …)``; weights come as Keras lays them out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.parity.cases import torch

__all__ = ["ACTIVATIONS", "LAYERS", "LOSSES", "takes"]


def takes(function: Callable[..., Any], options: Mapping[str, Any]) -> bool:
    """Whether it has a word for all of these options, with these values."""
    parameters = inspect.signature(function).parameters
    allowed: Mapping[str, Any] = getattr(function, "allowed", {})
    given = {name: each.default for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY} | dict(options)
    return set(options) <= set(parameters) and all(given[name] in values for name, values in allowed.items())


def only(**values: tuple[Any, ...]) -> Callable[[Any], Any]:
    """The values of options that PyTorch can be asked for."""

    def mark(function: Any) -> Any:
        function.allowed = values
        return function

    return mark


def f(name: str) -> Any:
    """A function of ``torch.nn.functional``."""
    return torch(f"nn.functional.{name}")


def first(x: Any, data_format: str = "channels_last") -> Any:
    return x if data_format == "channels_first" else x.movedim(-1, 1)


def last(x: Any, data_format: str = "channels_last") -> Any:
    return x if data_format == "channels_first" else x.movedim(1, -1)


def activated(x: Any, name: str | None) -> Any:
    return x if name is None else f(name)(x)


SMOOTH = (None, "relu", "gelu", "tanh")


@only(activation=SMOOTH)
def dense(w: Any, x: Any, *, units: int, activation: str | None = None, use_bias: bool = True) -> Any:
    return activated(f("linear")(x, w[0].T, w[1] if use_bias else None), activation)


@only(padding=("valid",), activation=SMOOTH)
def convolution(
    w: Any, x: Any, *, filters: int = 0, kernel_size: Any, strides: Any = 1, padding: str = "valid",
    dilation_rate: Any = 1, groups: int = 1, use_bias: bool = True, activation: str | None = None,
    data_format: str = "channels_last",
) -> Any:  # fmt: skip
    kernel, axes = w[0].movedim((-1, -2), (0, 1)), x.ndim - 2
    apply = f(f"conv{axes}d")
    y = apply(first(x, data_format), kernel, w[1] if use_bias else None, strides, 0, dilation_rate, groups)
    return last(activated(y, activation), data_format)


@only(padding=("valid",), activation=SMOOTH)
def transposed(
    w: Any, x: Any, *, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
    output_padding: Any = None, dilation_rate: Any = 1, activation: str | None = None,
) -> Any:  # fmt: skip
    axes = x.ndim - 2
    sizes, steps = (np.broadcast_to(n, axes) for n in (kernel_size, strides))
    # Keras fills up to strides that are longer than the kernel, PyTorch only when told
    filled = tuple(int(max(step - size, 0)) for size, step in zip(sizes, steps, strict=True))
    more = filled if output_padding is None else output_padding
    apply, kernel = f(f"conv_transpose{axes}d"), w[0].movedim((-1, -2), (0, 1))
    y = apply(first(x), kernel, w[1], strides, 0, more, 1, dilation_rate)
    return last(activated(y, activation))


@only(padding=("valid",))
def depthwise(w: Any, x: Any, *, kernel_size: Any, padding: str = "valid", depth_multiplier: int = 1) -> Any:
    kernel = w[0].movedim((-2, -1), (0, 1)).flatten(0, 1)[:, None]
    return last(f(f"conv{x.ndim - 2}d")(first(x), kernel, w[1], groups=x.shape[-1]))


@only(padding=("valid",))
def separable(w: Any, x: Any, *, filters: int, kernel_size: Any, padding: str = "valid") -> Any:
    kernel = w[0].movedim((-2, -1), (0, 1)).flatten(0, 1)[:, None]
    apply = f(f"conv{x.ndim - 2}d")
    return last(apply(apply(first(x), kernel, groups=x.shape[-1]), w[1].movedim((-1, -2), (0, 1)), w[2]))


def pooling(kind: str) -> Callable[..., Any]:
    @only(padding=("valid",))
    def pool(w: Any, x: Any, *, pool_size: Any = 2, strides: Any = None, padding: str = "valid") -> Any:
        return last(f(f"{kind}_pool{x.ndim - 2}d")(first(x), pool_size, strides))

    return pool


def over_places(kind: str) -> Callable[..., Any]:
    def whole(w: Any, x: Any, *, keepdims: bool = False, data_format: str = "channels_last") -> Any:
        axes = tuple(range(2, x.ndim)) if data_format == "channels_first" else tuple(range(1, x.ndim - 1))
        return getattr(x, kind)(axes, keepdim=keepdims)

    return whole


def padded(w: Any, x: Any, *, padding: Any = 1, data_format: str = "channels_last") -> Any:
    axes = x.ndim - 2
    given = (padding,) if axes == 1 and not isinstance(padding, int) else padding
    each = [(n, n) if isinstance(n, int) else n for n in (given if isinstance(given, tuple) else (given,) * axes)]
    pads = [n for pair in reversed(each) for n in pair]
    return last(f("pad")(first(x, data_format), pads), data_format)


@only(interpolation=("nearest", "bilinear"))
def enlarged(
    w: Any, x: Any, *, size: Any = 2, interpolation: str = "nearest", data_format: str = "channels_last"
) -> Any:
    scale = tuple(map(float, size)) if isinstance(size, tuple) else float(size)
    return last(f("interpolate")(first(x, data_format), scale_factor=scale, mode=interpolation), data_format)


def batch_norm(w: Any, x: Any, *, epsilon: float = 1e-3, momentum: float = 0.99) -> Any:
    gamma, beta, mean, variance = w
    return last(f("batch_norm")(first(x), mean, variance, gamma, beta, False, 0.0, epsilon))


def layer_norm(w: Any, x: Any, *, epsilon: float = 1e-3) -> Any:
    return f("layer_norm")(x, x.shape[-1:], w[0], w[1], epsilon)


def rms_norm(w: Any, x: Any, *, epsilon: float = 1e-6) -> Any:
    return f("rms_norm")(x, x.shape[-1:], w[0], epsilon)


def group_norm(w: Any, x: Any, *, groups: int = 32, epsilon: float = 1e-3) -> Any:
    return last(f("group_norm")(first(x), groups if groups > 0 else x.shape[-1], w[0], w[1], epsilon))


def recurrent(kind: str, blocks: tuple[int, ...]) -> Callable[..., Any]:
    """``torch.nn``'s; ``blocks`` say at which place PyTorch has Keras's gates."""

    def run(w: Any, x: Any, *, units: int, return_sequences: bool = False) -> Any:
        module = torch(f"nn.{kind}")(x.shape[-1], units, batch_first=True)

        def ordered(weight: Any) -> Any:
            parts = weight.split(units, dim=-1)
            return torch("cat")([parts[k] for k in blocks], dim=-1)

        biases = w[2] if w[2].ndim == 2 else torch("stack")([w[2], torch("zeros_like")(w[2])])
        named = {"weight_ih_l0": ordered(w[0]).T, "weight_hh_l0": ordered(w[1]).T}
        named |= {"bias_ih_l0": ordered(biases[0]), "bias_hh_l0": ordered(biases[1])}
        y, _ = torch("func.functional_call")(module, named, (x,))
        return y if return_sequences else y[:, -1]

    return run


def attention(w: Any, q: Any, v: Any, k: Any = None, *, num_heads: int, key_dim: int) -> Any:
    query, key, value, out = (w[2 * n : 2 * n + 2] for n in range(4))

    def heads(x: Any, pair: Any) -> Any:
        return (torch("tensordot")(x, pair[0], dims=1) + pair[1]).movedim(-2, 1)

    mixed = f("scaled_dot_product_attention")(heads(q, query), heads(v if k is None else k, key), heads(v, value))
    return torch("tensordot")(mixed.movedim(1, -2), out[0], dims=2) + out[1]


def merged(name: str) -> Callable[..., Any]:
    def merge(w: Any, *x: Any) -> Any:
        found, *others = (each.reshape(len(each), *[1] * (x[0].ndim - each.ndim), *each.shape[1:]) for each in x)
        for other in others:
            found = torch(name)(found, other)
        return found

    return merge


LAYERS: dict[str, Callable[..., Any]] = {
    "Dense": dense,
    **{f"Conv{n}D": convolution for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": transposed for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": separable for n in (1, 2)},
    **{f"MaxPooling{n}D": pooling("max") for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": pooling("avg") for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": over_places("amax") for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": over_places("mean") for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": padded for n in (1, 2, 3)},
    **{f"UpSampling{n}D": enlarged for n in (1, 2, 3)},
    "Flatten": lambda w, x: x.flatten(1),
    "RepeatVector": lambda w, x, *, n: x[:, None].expand(-1, n, -1),
    "Permute": lambda w, x, *, dims: x.permute(0, *dims),
    "Embedding": lambda w, x, *, input_dim, output_dim: f("embedding")(x, w[0]),
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "UnitNormalization": lambda w, x: f("normalize")(x, dim=-1, eps=1e-12),
    "SimpleRNN": recurrent("RNN", (0,)),
    "LSTM": recurrent("LSTM", (0, 1, 2, 3)),
    "GRU": recurrent("GRU", (1, 0, 2)),
    "MultiHeadAttention": attention,
    "Attention": lambda w, q, v: f("scaled_dot_product_attention")(q, v, v, scale=1.0),
    "Add": merged("add"),
    "Subtract": merged("sub"),
    "Multiply": merged("mul"),
    "Maximum": merged("maximum"),
    "Minimum": merged("minimum"),
    "Concatenate": lambda w, *x, axis=-1: torch("cat")(x, dim=axis),
}

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "elu": lambda x, *, alpha=1.0: f("elu")(x, alpha),
    "exponential": lambda x: x.exp(),
    "gelu": lambda x, *, approximate=False: f("gelu")(x, approximate="tanh" if approximate else "none"),
    "hard_sigmoid": lambda x: f("hardsigmoid")(x),
    "leaky_relu": lambda x, *, negative_slope=0.2: f("leaky_relu")(x, negative_slope),
    "linear": lambda x: x,
    "log_softmax": lambda x, *, axis=-1: f("log_softmax")(x, axis),
    "mish": lambda x: f("mish")(x),
    "relu": lambda x: f("relu")(x),
    "relu6": lambda x: f("relu6")(x),
    "selu": lambda x: f("selu")(x),
    "sigmoid": lambda x: f("sigmoid")(x),
    "silu": lambda x: f("silu")(x),
    "swish": lambda x: f("silu")(x),
    "softmax": lambda x, *, axis=-1: f("softmax")(x, axis),
    "softplus": lambda x: torch("logaddexp")(x, x * 0),  # F.softplus is linear from 20 on
    "softsign": lambda x: f("softsign")(x),
    "tanh": lambda x: f("tanh")(x),
}


def binary(t: Any, p: Any, *, from_logits: bool = False) -> Any:
    return f("binary_cross_entropy" + "_with_logits" * from_logits)(p, t)


LOSSES: dict[str, Callable[..., Any]] = {
    "MeanSquaredError": lambda t, p: f("mse_loss")(p, t),
    "MeanAbsoluteError": lambda t, p: f("l1_loss")(p, t),
    "Huber": lambda t, p, *, delta=1.0: f("huber_loss")(p, t, delta=delta),
    "Poisson": lambda t, p: f("poisson_nll_loss")(p, t, log_input=False, eps=1e-7),
    "BinaryCrossentropy": binary,
    "CategoricalCrossentropy": only(from_logits=(True,))(
        lambda t, p, *, from_logits=False: f("cross_entropy")(p, t)
    ),
    "SparseCategoricalCrossentropy": only(from_logits=(True,))(
        lambda t, p, *, from_logits=False, ignore_class=None: f("cross_entropy")(p, t)
    ),
    "CosineSimilarity": lambda t, p: -f("cosine_similarity")(p, t, dim=-1).mean(),
    "KLDivergence": lambda t, p: f("kl_div")(p.clip(1e-7).log(), t.clip(1e-7), reduction="batchmean"),
}  # fmt: skip
"""Of predictions that are valid; PyTorch's ``cross_entropy`` takes logits alone."""
