"""Layers for sequences, attention and normalisation beside Keras: the largest difference of each.

    python benchmarks/parity_sequence.py

Prints one line for every layer and set of options: the largest difference of outputs, of what is kept (moving averages)
and of the gradients of a random projection of the outputs by all weights and the inputs, relative to the size of
Keras's numbers (at least 1). Keras's weights are taken over with ``set_weights``. In float32 and float64 (Keras's
products of float64 numbers on torch are exact to about 1e-7).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import torch

import backlight
from backlight.nn import layers
from backlight.variable import Bindings

RNG = np.random.default_rng(0)
N, T, F = 3, 6, 4
MASK = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0]], bool)
SEQUENCE = RNG.normal(size=(N, T, F))
OTHER = RNG.normal(size=(N, T - 1, F + 1))
PAIRS = RNG.random((N, T, T - 1)) > 0.4
IMAGE = RNG.normal(size=(N, 5, 4, 6)) * 3 + 10
# Where a query sees nothing, Keras gives 0 if the scores are asked for, and else the mean of all values.
BOTH = {"query_mask": MASK, "value_mask": MASK, "use_causal_mask": True, "return_attention_scores": True}
IDS = RNG.integers(0, 7, (N, T))

Row = tuple[str, dict[str, Any], tuple[Any, ...], dict[str, Any]]


def recurrent() -> Iterator[Row]:
    for name in ("SimpleRNN", "LSTM", "GRU"):
        variants: list[dict[str, Any]] = [
            {},
            {"return_sequences": True},
            {"return_sequences": True, "return_state": True, "go_backwards": True},
            {"activation": "relu", "use_bias": False, "return_state": True},
            {"zero_output_for_mask": True, "return_sequences": True},
            {"bias_initializer": "random_normal", "kernel_initializer": "he_normal"},
        ]
        if name != "SimpleRNN":
            variants += [{"recurrent_activation": "hard_sigmoid", "return_sequences": True}]
        if name == "GRU":
            variants += [{"reset_after": False, "bias_initializer": "random_normal"}]
        if name == "LSTM":
            variants += [{"unit_forget_bias": False}]
        for options in variants:
            yield name, {"units": 5, **options}, (SEQUENCE,), {}
            yield name, {"units": 5, **options}, (SEQUENCE,), {"mask": MASK}
        states = [RNG.normal(size=(N, 5)) for _ in range(2 if name == "LSTM" else 1)]
        for mask in ({}, {"mask": MASK}):
            yield name, {"units": 5, "return_state": True}, (SEQUENCE,), {"initial_state": states, **mask}


def wrapped(module: Any, case: str, options: dict[str, Any]) -> Any:
    inner: dict[str, Any] = {
        "lstm": lambda: module.LSTM(3, return_sequences=True),
        "gru": lambda: module.GRU(3, return_state=True),
        "last": lambda: module.SimpleRNN(3),
        "dense": lambda: module.Dense(3, activation="tanh"),
        "norm": lambda: module.BatchNormalization(),
        "cells": lambda: [module.LSTMCell(3), module.GRUCell(4), module.SimpleRNNCell(2)],
    }
    kind, _, which = case.partition(" ")
    return getattr(module, kind)(inner[which](), **options)


def wrappers() -> Iterator[Row]:
    for mode in ("concat", "sum", "mul", "ave", None):
        for which in ("lstm", "gru", "last"):
            yield f"Bidirectional {which}", {"merge_mode": mode}, (SEQUENCE,), {}
            yield f"Bidirectional {which}", {"merge_mode": mode}, (SEQUENCE,), {"mask": MASK}
    yield "TimeDistributed dense", {}, (SEQUENCE,), {}
    yield "TimeDistributed norm", {}, (SEQUENCE,), {}
    yield "TimeDistributed norm", {}, (SEQUENCE,), {"training": True}
    yield "RNN cells", {"return_sequences": True, "return_state": True}, (SEQUENCE,), {}
    yield "RNN cells", {}, (SEQUENCE,), {"mask": MASK}


def attention() -> Iterator[Row]:
    base = {"num_heads": 2, "key_dim": 3}
    for options in (
        {},
        {"value_dim": 5},
        {"use_bias": False},
        {"output_shape": 7},
        {"bias_initializer": "random_normal"},
    ):
        for given in (
            {},
            {"use_causal_mask": True},
            {"attention_mask": PAIRS},
            {"return_attention_scores": True, "query_mask": MASK, "value_mask": MASK[:, 1:]},
            {"return_attention_scores": True, "use_causal_mask": True, "value_mask": MASK[:, 1:]},
        ):
            yield "MultiHeadAttention", {**base, **options}, (SEQUENCE, OTHER), given
        for given in ({}, {"use_causal_mask": True}, BOTH):
            yield "MultiHeadAttention (self)", {**base, **options}, (SEQUENCE, SEQUENCE), given
    yield "MultiHeadAttention", base, (SEQUENCE, OTHER, RNG.normal(size=(N, T - 1, 2))), {}
    inputs = [SEQUENCE, RNG.normal(size=(N, T - 1, F))]
    masks = [MASK, np.array([[1, 1, 0, 0, 0], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0]], bool)]
    for options in ({}, {"use_scale": True}, {"score_mode": "concat"}, {"score_mode": "concat", "use_scale": True}):
        yield "Attention", options, (inputs,), {}
        yield "Attention", options, (inputs,), {"mask": masks}
        yield "Attention", options, (inputs,), {"return_attention_scores": True, "use_causal_mask": True}
    for options in ({}, {"use_scale": False}):
        yield "AdditiveAttention", options, (inputs,), {}
        yield "AdditiveAttention", options, (inputs,), {"mask": masks}


def normalization() -> Iterator[Row]:
    for options in ({}, {"axis": 1, "momentum": 0.9, "epsilon": 1e-5}, {"center": False}, {"scale": False}):
        for training in (False, True):
            yield "BatchNormalization", options, (IMAGE,), {"training": training}
    for training in (False, True):
        yield "BatchNormalization", {}, (SEQUENCE,), {"training": training, "mask": MASK}
    yield "BatchNormalization", {"trainable": False}, (IMAGE,), {"training": True}
    for options in ({}, {"axis": [1, 2, 3]}, {"axis": [-2, -1]}, {"epsilon": 1e-6, "center": False}):  # as torch can
        yield "LayerNormalization", options, (IMAGE,), {}
    yield "LayerNormalization", {"rms_scaling": True}, (IMAGE,), {}
    for options in ({"groups": 3}, {"groups": -1}, {"groups": 2, "axis": 2}, {"groups": 1, "scale": False}):
        yield "GroupNormalization", options, (IMAGE,), {}
    for options in ({}, {"axis": [2, 3]}, {"epsilon": 1e-2}):
        yield "RMSNormalization", options, (IMAGE,), {}
    for options in ({}, {"axis": [1, 2]}):
        yield "UnitNormalization", options, (IMAGE,), {}


def embedding() -> Iterator[Row]:
    yield "Embedding", {"input_dim": 7, "output_dim": 3}, (IDS,), {}
    yield "Embedding", {"input_dim": 7, "output_dim": 3, "mask_zero": True}, (IDS,), {}
    yield "Masking", {}, (SEQUENCE * MASK[..., None],), {}
    yield "Masking", {"mask_value": 2.0}, (np.where(MASK[..., None], SEQUENCE, 2.0),), {}


FAMILIES = {
    "recurrent": recurrent,
    "wrappers": wrappers,
    "attention": attention,
    "normalization": normalization,
    "embedding": embedding,
}


def cast_all(tree: Any, dtype: str) -> Any:
    if isinstance(tree, list | tuple):
        return type(tree)(cast_all(each, dtype) for each in tree)
    if isinstance(tree, dict):
        return {name: cast_all(each, dtype) for name, each in tree.items()}
    return tree.astype(dtype) if isinstance(tree, np.ndarray) and tree.dtype.kind == "f" else tree


def plain(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x), np.float64)


def difference(ours: Any, theirs: Any) -> float:
    ours = np.asarray(ours.value if isinstance(ours, backlight.Array) else ours, np.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    if not theirs.size:
        return 0.0
    apart = np.where((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)), 0.0, np.abs(ours - theirs))
    return float(np.max(apart) / max(1.0, float(np.nanmax(np.abs(theirs)))))


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, list | tuple):
        return [leaf for each in tree for leaf in leaves(each)]
    return [tree]


def made(module: Any, name: str, options: dict[str, Any]) -> Any:
    if name.startswith(("Bidirectional", "TimeDistributed", "RNN")):
        return wrapped(module, name, options)
    return getattr(module, name.split()[0])(**options)


def beside(row: Row, dtype: str) -> float:
    name, options, args, given = row
    args, given = cast_all(args, dtype), cast_all(given, dtype)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    backlight.nn.naming.set_floatx(dtype)
    ours, theirs = made(layers, name, options), made(keras.layers, name, options)
    shared = name.endswith("(self)")

    def tensors(tree: Any, grad: bool) -> Any:
        if isinstance(tree, list | tuple):
            return [tensors(each, grad) for each in tree]
        if isinstance(tree, np.ndarray):
            tensor = torch.tensor(tree)
            return tensor.requires_grad_(grad and tree.dtype.kind == "f")
        return tree

    points = tensors(args[:1] if shared else args, True)
    points = points * 2 if shared else points
    more = {key: tensors(each, False) for key, each in given.items()}
    handed = [(point, more.pop(name, None)) for point, name in zip(points, ("query_mask", "value_mask"), strict=False)]

    def keras_call() -> Any:
        """Keras takes the masks of a query and a value from the tensors, not from its arguments."""
        for point, mask in handed:
            if mask is not None:
                keras.src.backend.set_keras_mask(point, mask)
        return theirs(*points, **more)

    keras_call()
    if "training" not in given:
        more["training"] = False
    weights = [plain(w) + RNG.normal(size=w.shape) * 0.1 for w in theirs.weights]
    theirs.set_weights(weights)
    ours(*args, **given)
    ours.set_weights(weights)
    outputs = leaves(keras_call())
    seeds = [RNG.normal(size=tuple(y.shape)).astype(dtype) for y in outputs]
    total = sum((y * torch.tensor(seed)).sum() for y, seed in zip(outputs, seeds, strict=True))
    trained = [w.value for w in theirs.trainable_weights]
    inside = [x for x in leaves(points) if isinstance(x, torch.Tensor) and x.requires_grad][: 1 if shared else None]
    wanted = [*trained, *inside]
    gradients = torch.autograd.grad(total, wanted, allow_unused=True) if wanted and total.requires_grad else []

    def loss(values: Any, inputs: Any) -> Any:
        with Bindings() as bindings:
            bindings.bind(ours.trainable_variables, values)
            bindings.bind(kept, [v.numpy() for v in kept])
            found = leaves(ours(*(inputs * 2 if shared else inputs), **given))
            return sum(np.sum(y * seed) for y, seed in zip(found, seeds, strict=True))

    kept = ours.non_trainable_variables
    start = [v.numpy() for v in ours.trainable_variables]
    floats = list(args[:1] if shared else args)
    is_float = leaves(args)[0].dtype.kind == "f"
    if is_float:
        mine = backlight.grad(loss, argnums=(0, 1))(start, floats)
        mine = leaves(mine)
    else:
        mine = leaves(backlight.grad(lambda values: loss(values, floats))(start))
    apart = (
        [difference(g, plain(h)) for g, h in zip(mine, gradients, strict=True) if h is not None]
        if len(gradients)
        else []
    )
    found = leaves(ours(*args, **given))
    apart += [difference(a, plain(b.detach())) for a, b in zip(found, outputs, strict=True)]
    apart += [difference(a, plain(b)) for a, b in zip(ours.get_weights(), theirs.weights, strict=True)]
    return max(apart)


def main() -> None:
    print(f"Backlight {backlight.__version__} beside Keras {keras.__version__} ({keras.backend.backend()})")
    for family in sys.argv[1:] or FAMILIES:
        print(f"\n{family}: float32, float64")
        largest: dict[str, list[float]] = {}
        for row in FAMILIES[family]():
            label = f"{row[0]} {row[1] or ''}"
            found = [beside(row, dtype) for dtype in ("float32", "float64")]
            largest[label] = [max(a, b) for a, b in zip(found, largest.get(label, [0.0, 0.0]), strict=True)]
        for label, (single, double) in largest.items():
            print(f"  {single:9.2e} {double:9.2e}  {label}")


if __name__ == "__main__":
    main()
