"""Data for losses and metrics; losses beside Keras's and PyTorch's: classes with every reduction, and functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.parity import pytorch
from benchmarks.parity.cases import Case, Pair, compared, keras, ours, rng, torch, use

__all__ = ["DATA", "C", "N", "cases"]

RNG = rng("losses")
N, C = 64, 5


def probabilities(n: int = N, c: int = C) -> Any:
    p = RNG.random((n, c))
    return p / p.sum(axis=1, keepdims=True)


DATA: dict[str, tuple[Any, Any]] = {
    "numbers": (RNG.normal(size=(N, C)), RNG.normal(size=(N, C))),
    "positive": (RNG.random((N, C)) * 3, RNG.random((N, C)) * 3),
    "steps": (RNG.random((N, 3, C)), RNG.random((N, 3, C))),
    "parts": (RNG.random((N, 3, C)), RNG.random((N, 3, C))),
    "row": (RNG.normal(size=N), RNG.normal(size=(N, 1))),
    "flat": (RNG.random(N) > 0.5, RNG.random(N)),
    "binary": ((RNG.random((N, C)) > 0.5).astype(float), RNG.random((N, C))),
    "saturated": ((RNG.random((N, C)) > 0.5).astype(float), (RNG.random((N, C)) > 0.5).astype(float)),
    "one-hot": (np.eye(C)[RNG.integers(0, C, N)], probabilities()),
    "unnormalised": (np.eye(C)[RNG.integers(0, C, N)], RNG.random((N, C))),
    "logits": (np.eye(C)[RNG.integers(0, C, N)], 3 * RNG.normal(size=(N, C))),
    "sparse": (RNG.integers(0, C, N), probabilities()),
    "sparse logits": (RNG.integers(0, C, N), 3 * RNG.normal(size=(N, C))),
    "sparse column": (RNG.integers(0, C, (N, 1)), probabilities()),
    "sequence": (np.array([[1, 2, 0], [2, 2, 1], [3, 0, 0]]), RNG.normal(size=(3, 7, 4))),
    "classes": (RNG.integers(0, C, N), RNG.integers(0, C, N)),
    "truth": (RNG.integers(0, 2, N), RNG.integers(0, 2, N)),
}
NUMBERS = ("numbers", "steps", "row")
LOSSES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("MeanSquaredError", {}, NUMBERS),
    ("MeanAbsoluteError", {}, NUMBERS),
    ("MeanAbsolutePercentageError", {}, NUMBERS),
    ("MeanSquaredLogarithmicError", {}, ("numbers", "positive")),
    ("Huber", {}, NUMBERS),
    ("Huber", {"delta": 0.3}, NUMBERS),
    ("LogCosh", {}, NUMBERS),
    ("KLDivergence", {}, ("one-hot", "positive", "saturated")),
    ("Poisson", {}, ("positive",)),
    ("Hinge", {}, ("numbers", "binary")),
    ("SquaredHinge", {}, ("numbers", "binary")),
    ("CategoricalHinge", {}, ("one-hot", "logits")),
    ("CosineSimilarity", {}, NUMBERS[:2]),
    ("CosineSimilarity", {"axis": 0}, ("numbers",)),
    ("BinaryCrossentropy", {}, ("binary", "saturated", "parts")),
    ("BinaryCrossentropy", {"label_smoothing": 0.2, "axis": 0}, ("binary",)),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ("logits",)),
    ("BinaryFocalCrossentropy", {}, ("binary", "saturated")),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, ("binary",)),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ("logits",)),
    ("CategoricalCrossentropy", {}, ("one-hot", "unnormalised", "saturated")),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ("one-hot",)),
    ("CategoricalCrossentropy", {"from_logits": True}, ("logits",)),
    ("CategoricalCrossentropy", {"axis": 1}, ("steps",)),
    ("CategoricalFocalCrossentropy", {}, ("one-hot", "unnormalised")),
    ("CategoricalFocalCrossentropy", {"alpha": 0.6, "gamma": 3.0, "label_smoothing": 0.1}, ("one-hot",)),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, ("logits",)),
    ("SparseCategoricalCrossentropy", {}, ("sparse", "sparse column")),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, ("sparse",)),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, ("sparse logits",)),
    ("Dice", {}, ("binary", "one-hot")),
    ("Dice", {"axis": 1}, ("binary",)),
    ("Tversky", {}, ("binary",)),
    ("Tversky", {"alpha": 0.3, "beta": 0.8, "axis": 1}, ("binary",)),
    ("CTC", {}, ("sequence",)),
]
FUNCTIONS: list[tuple[str, dict[str, Any], str]] = [
    *[(name, {}, "numbers") for name in ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "hinge")],
    *[(name, {}, "numbers") for name in ("squared_hinge", "cosine_similarity")],
    *[(name, {}, "positive") for name in ("poisson", "mean_squared_logarithmic_error")],
    ("mean_absolute_percentage_error", {}, "positive"),
    ("huber", {"delta": 0.3}, "numbers"),
    ("cosine_similarity", {"axis": 0}, "numbers"),
    *[(name, {}, "one-hot") for name in ("categorical_hinge", "kl_divergence", "dice", "tversky")],
    *[(name, {}, "one-hot") for name in ("categorical_crossentropy", "categorical_focal_crossentropy")],
    ("categorical_crossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logits"),
    ("categorical_focal_crossentropy", {"from_logits": True, "gamma": 1.0}, "logits"),
    ("dice", {"axis": 1}, "one-hot"),
    ("tversky", {"alpha": 0.3, "beta": 0.8}, "one-hot"),
    *[(name, {}, "binary") for name in ("binary_crossentropy", "binary_focal_crossentropy")],
    ("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logits"),
    ("binary_focal_crossentropy", {"apply_class_balancing": True, "gamma": 1.0}, "binary"),
    ("sparse_categorical_crossentropy", {}, "sparse"),
    ("sparse_categorical_crossentropy", {"from_logits": True, "ignore_class": 2}, "sparse logits"),
    ("ctc", {}, "sequence"),
]
REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight")


def of(which: str, dtype: str) -> tuple[Any, Any]:
    """Truth and predictions, the real numbers in this dtype."""
    t, p = DATA[which]
    return t if t.dtype.kind == "i" else t.astype(dtype), p.astype(dtype)


def by_class(name: str, options: dict[str, Any], which: str) -> Case:
    """With every reduction, with and without weights of the examples; gradients by the predictions."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        t, p = of(which, dtype)
        tensor = torch("tensor")
        each = keras(f"losses.{name}")(**options, dtype=dtype).call(tensor(t), tensor(p))
        for reduction in REDUCTIONS:
            mine = ours(f"losses.{name}")(**options, reduction=reduction)
            theirs = keras(f"losses.{name}")(**options, reduction=reduction, dtype=dtype)
            for weighted in (False, True):
                if weighted and (which == "row" or not each.ndim):
                    continue
                shape = tuple(each.shape[:1]) + (1,) * (each.ndim - 1)
                weights = rng(f"{name} weights").random(shape).astype(dtype) if weighted else None
                heavy = tensor(weights) if weighted else None
                yield from compared(
                    lambda x, f=mine, w=weights: (f(t, x, sample_weight=w), []),
                    lambda x, f=theirs, w=heavy: (f(tensor(t), x, sample_weight=w), []),
                    [p],
                )
        other = pytorch.LOSSES.get(name)
        if other is not None and pytorch.takes(other, options) and (name, which) not in UNLIKE:
            mine, truth = (
                ours(f"losses.{name}")(**options),
                tensor(t).to(torch("int64")) if t.dtype.kind == "i" else tensor(t),
            )
            yield from compared(lambda x: (mine(t, x), []), lambda x: (other(truth, x, **options), []), [p], "PyTorch")

    return Case("losses", name, options, found, f"on {which}")


UNLIKE = {
    *((name, "row") for name in ("MeanSquaredError", "MeanAbsoluteError", "Huber")),  # PyTorch would broadcast
    ("BinaryCrossentropy", "saturated"),  # PyTorch limits the logarithm, not its argument
    ("KLDivergence", "saturated"),
    ("KLDivergence", "positive"),  # no probabilities
    ("SparseCategoricalCrossentropy", "sparse logits"),  # the class to ignore counts in Keras's mean
}


def by_function(name: str, options: dict[str, Any], which: str) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        t, p = of(which, dtype)
        mine, theirs, truth = ours(f"losses.{name}"), keras(f"losses.{name}"), torch("tensor")(t)
        yield from compared(lambda x: (mine(t, x, **options), []), lambda x: (theirs(truth, x, **options), []), [p])

    return Case("losses", name, options, found, f"on {which}")


def cases() -> Iterator[Case]:
    """All of this table."""
    for name, options, sets in LOSSES:
        for which in sets:
            yield by_class(name, options, which)
    for name, options, which in FUNCTIONS:
        yield by_function(name, options, which)
