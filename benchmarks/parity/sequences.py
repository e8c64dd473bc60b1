"""Layers for sequences, attention, normalisation and embeddings: rows for ``layers.layer``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.parity.cases import Case, rng
from benchmarks.parity.layers import Make, layer

__all__ = ["cases"]

RNG = rng("sequences")
N, T, F = 3, 6, 4
MASK = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0]], bool)
SEQUENCE = RNG.normal(size=(N, T, F))
OTHER = RNG.normal(size=(N, T - 1, F + 1))
PAIRS = RNG.random((N, T, T - 1)) > 0.4
IMAGE = RNG.normal(size=(N, 5, 4, 6)) * 3 + 10
WIDE = RNG.normal(size=(N, 4, 64))
# Where a query sees nothing, Keras gives 0 if the scores are asked for, and else the mean of all values.
BOTH = {"query_mask": MASK, "value_mask": MASK, "use_causal_mask": True, "return_attention_scores": True}
IDS = RNG.integers(0, 7, (N, T))
MASKED: tuple[tuple[dict[str, Any], str], ...] = (({}, ""), ({"mask": MASK}, "masked"))


def recurrent() -> Iterator[Case]:
    for name in ("SimpleRNN", "LSTM", "GRU"):
        variants: list[dict[str, Any]] = [
            {},
            {"return_sequences": True},
            {"return_sequences": True, "return_state": True, "go_backwards": True},
            {"activation": "relu", "use_bias": False, "return_state": True},
            {"zero_output_for_mask": True, "return_sequences": True},
            {"unroll": True, "return_sequences": True},
        ]
        if name != "SimpleRNN":
            variants += [{"recurrent_activation": "hard_sigmoid", "return_sequences": True}]
        if name == "GRU":
            variants += [{"reset_after": False}]
        if name == "LSTM":
            variants += [{"unit_forget_bias": False}]
        for options in variants:
            for mask, note in MASKED:
                yield layer(name, {"units": 5, **options}, (SEQUENCE,), mask, note=note)
        states = [RNG.normal(size=(N, 5)) for _ in range(2 if name == "LSTM" else 1)]
        for mask, note in MASKED:
            given = {"initial_state": states, **mask}
            yield layer(
                name, {"units": 5, "return_state": True}, (SEQUENCE,), given, note=f"from a state {note}".strip()
            )


def cells() -> Iterator[Case]:
    """Single steps."""
    x, h = SEQUENCE[:, 0], RNG.normal(size=(N, 5))
    for name, states in (("SimpleRNNCell", [h]), ("LSTMCell", [h, h * 0.5]), ("GRUCell", [h])):
        for options in ({}, {"activation": "relu", "use_bias": False}):
            yield layer(name, {"units": 5, **options}, (x, states))
    stacked: Make = lambda module: module.StackedRNNCells([module.LSTMCell(3), module.GRUCell(4)])
    states = [[RNG.normal(size=(N, 3)), RNG.normal(size=(N, 3))], [RNG.normal(size=(N, 4))]]
    yield layer("StackedRNNCells", {}, (x, states), make=stacked)


INNER: dict[str, Make] = {
    "LSTM": lambda module: module.LSTM(3, return_sequences=True),
    "GRU": lambda module: module.GRU(3, return_state=True),
    "SimpleRNN": lambda module: module.SimpleRNN(3),
    "Dense": lambda module: module.Dense(3, activation="tanh"),
    "BatchNormalization": lambda module: module.BatchNormalization(),
    "cells": lambda module: [module.LSTMCell(3), module.GRUCell(4), module.SimpleRNNCell(2)],
}


def wrapped(name: str, inner: str, options: dict[str, Any], given: dict[str, Any], note: str = "") -> Case:
    make: Make = lambda module: getattr(module, name)(INNER[inner](module), **options)
    return layer(name, options, (SEQUENCE,), given, make=make, note=f"of {inner} {note}".strip())


def wrappers() -> Iterator[Case]:
    for options in ({}, *({"merge_mode": mode} for mode in ("sum", "mul", "ave", None))):
        for inner in ("LSTM", "GRU", "SimpleRNN"):
            for mask, note in MASKED:
                yield wrapped("Bidirectional", inner, options, mask, note)
    yield wrapped("TimeDistributed", "Dense", {}, {})
    yield wrapped("TimeDistributed", "BatchNormalization", {}, {})
    yield wrapped("TimeDistributed", "BatchNormalization", {}, {"training": True})
    yield wrapped("RNN", "cells", {}, {})
    yield wrapped("RNN", "cells", {}, {"mask": MASK}, "masked")
    yield wrapped("RNN", "cells", {"return_sequences": True, "return_state": True}, {})


def attention() -> Iterator[Case]:
    base, name = {"num_heads": 2, "key_dim": 3}, "MultiHeadAttention"
    for options in ({}, {"value_dim": 5}, {"use_bias": False}, {"output_shape": 7}):
        for given in (
            {},
            {"use_causal_mask": True},
            {"attention_mask": PAIRS},
            {"return_attention_scores": True, "query_mask": MASK, "value_mask": MASK[:, 1:]},
            {"return_attention_scores": True, "use_causal_mask": True, "value_mask": MASK[:, 1:]},
        ):
            yield layer(name, {**base, **options}, (SEQUENCE, OTHER), given)
        for given in ({}, {"use_causal_mask": True}, BOTH):
            yield layer(name, {**base, **options}, (SEQUENCE, SEQUENCE), given, note="of itself", shared=True)
    yield layer(name, base, (SEQUENCE, OTHER, RNG.normal(size=(N, T - 1, 2))), note="with keys of their own")
    inputs = [SEQUENCE, RNG.normal(size=(N, T - 1, F))]
    masks = [MASK, np.array([[1, 1, 0, 0, 0], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0]], bool)]
    for options in ({}, {"use_scale": True}, {"score_mode": "concat"}, {"score_mode": "concat", "use_scale": True}):
        for given in ({}, {"mask": masks}, {"return_attention_scores": True, "use_causal_mask": True}):
            yield layer("Attention", options, (inputs,), given, note="masked" * ("mask" in given))
    for options in ({}, {"use_scale": False}):
        for given in ({}, {"mask": masks}):
            yield layer("AdditiveAttention", options, (inputs,), given, note="masked" * ("mask" in given))


def normalization() -> Iterator[Case]:
    for options in ({}, {"axis": 1, "momentum": 0.9, "epsilon": 1e-5}, {"center": False}, {"scale": False}):
        for given in ({}, {"training": True}):
            yield layer("BatchNormalization", options, (IMAGE,), given)
    for given in ({"mask": MASK}, {"mask": MASK, "training": True}):
        yield layer("BatchNormalization", {}, (SEQUENCE,), given, note="masked")
    yield layer("BatchNormalization", {"trainable": False}, (IMAGE,), {"training": True})
    for name, variants in {
        "LayerNormalization": ({}, {"axis": [1, 2, 3]}, {"axis": [-2, -1]}, {"epsilon": 1e-6, "center": False}),
        "GroupNormalization": ({"groups": 3}, {"groups": -1}, {"groups": 2, "axis": 2}, {"groups": 1, "scale": False}),
        "RMSNormalization": ({}, {"axis": [2, 3]}, {"epsilon": 1e-2}),
        "UnitNormalization": ({}, {"axis": [1, 2]}),
    }.items():
        for options in variants:
            yield layer(name, options, (IMAGE,))
    yield layer("GroupNormalization", {}, (WIDE,))
    yield layer("LayerNormalization", {"rms_scaling": True}, (IMAGE,))


def embedding() -> Iterator[Case]:
    yield layer("Embedding", {"input_dim": 7, "output_dim": 3}, (IDS,))
    yield layer("Embedding", {"input_dim": 7, "output_dim": 3, "mask_zero": True}, (IDS,))
    yield layer("Masking", {}, (SEQUENCE * MASK[..., None],))
    yield layer("Masking", {"mask_value": 2.0}, (np.where(MASK[..., None], SEQUENCE, 2.0),))


def cases() -> Iterator[Case]:
    """All of this table."""
    for family in (recurrent, cells, wrappers, attention, normalization, embedding):
        yield from family()
