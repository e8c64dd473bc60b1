"""Losses, metrics, activations, initialisers, regularisers, constraints beside Keras: the largest difference of each.

    python benchmarks/parity_losses.py

Prints one line for every function and set of options: the difference relative to the size of Keras's numbers (at least
1). Losses and activations are compared in float32 and float64, values alone; Keras gives no derivative of its own here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

import backlight
from backlight.nn import activations, constraints, initializers, losses, regularizers
from backlight.train import metrics

RNG = np.random.default_rng(0)
N, C = 64, 5


def probabilities(n: int = N, c: int = C) -> Any:
    p = RNG.random((n, c))
    return p / p.sum(axis=1, keepdims=True)


DATA: dict[str, tuple[Any, Any]] = {
    "numbers": (RNG.normal(size=(N, C)), RNG.normal(size=(N, C))),
    "positive": (RNG.random((N, C)) * 3, RNG.random((N, C)) * 3),
    "steps": (RNG.random((N, 3, C)), RNG.random((N, 3, C))),
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
    ("BinaryCrossentropy", {}, ("binary", "saturated", "steps")),
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
METRICS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("Accuracy", {}, ("classes",)),
    ("BinaryAccuracy", {}, ("binary", "flat")),
    ("BinaryAccuracy", {"threshold": 0.3}, ("binary",)),
    ("CategoricalAccuracy", {}, ("one-hot", "logits")),
    ("SparseCategoricalAccuracy", {}, ("sparse", "sparse column")),
    ("TopKCategoricalAccuracy", {"k": 2}, ("one-hot",)),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, ("sparse", "sparse column")),
    ("Precision", {}, ("binary", "flat")),
    ("Precision", {"thresholds": [0.2, 0.7]}, ("binary",)),
    ("Precision", {"top_k": 2}, ("one-hot",)),
    ("Precision", {"top_k": 2, "class_id": 1}, ("one-hot",)),
    ("Recall", {}, ("binary", "flat")),
    ("Recall", {"class_id": 2, "thresholds": 0.3}, ("binary",)),
    ("TruePositives", {}, ("binary",)),
    ("FalsePositives", {"thresholds": [0.2, 0.7]}, ("binary",)),
    ("TrueNegatives", {}, ("binary",)),
    ("FalseNegatives", {}, ("binary",)),
    ("F1Score", {}, ("one-hot",)),
    *[("F1Score", {"average": average, "threshold": 0.4}, ("binary",)) for average in ("micro", "macro", "weighted")],
    ("FBetaScore", {"beta": 2.0, "average": "macro"}, ("one-hot",)),
    ("AUC", {}, ("binary", "flat", "saturated")),
    ("AUC", {"curve": "PR"}, ("binary", "flat")),
    ("AUC", {"num_thresholds": 7, "summation_method": "minoring"}, ("binary",)),
    ("AUC", {"curve": "PR", "summation_method": "majoring"}, ("binary",)),
    ("AUC", {"thresholds": [0.1, 0.4, 0.8]}, ("binary",)),
    ("AUC", {"multi_label": True}, ("binary",)),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 2.0, 0.5, 1.0, 1.0], "curve": "PR"}, ("binary",)),
    ("AUC", {"from_logits": True}, ("logits",)),
    ("MeanSquaredError", {}, ("numbers", "steps", "row")),
    ("RootMeanSquaredError", {}, ("numbers", "steps")),
    ("MeanAbsoluteError", {}, ("numbers", "row")),
    ("MeanAbsolutePercentageError", {}, ("numbers",)),
    ("MeanSquaredLogarithmicError", {}, ("positive",)),
    ("LogCoshError", {}, ("numbers",)),
    ("CosineSimilarity", {}, ("numbers", "steps")),
    ("KLDivergence", {}, ("one-hot",)),
    ("Poisson", {}, ("positive",)),
    ("Hinge", {}, ("binary",)),
    ("SquaredHinge", {}, ("binary",)),
    ("CategoricalHinge", {}, ("one-hot",)),
    ("BinaryCrossentropy", {}, ("binary",)),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ("logits",)),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, ("one-hot",)),
    ("SparseCategoricalCrossentropy", {}, ("sparse",)),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, ("sparse logits",)),
    ("R2Score", {}, ("numbers",)),
    ("R2Score", {"class_aggregation": None}, ("numbers",)),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 3}, ("numbers",)),
    ("IoU", {"num_classes": C, "target_class_ids": [0, 2]}, ("classes",)),
    ("MeanIoU", {"num_classes": C}, ("classes",)),
    ("MeanIoU", {"num_classes": C, "ignore_class": 1}, ("classes",)),
    ("OneHotMeanIoU", {"num_classes": C}, ("one-hot",)),
    ("OneHotIoU", {"num_classes": C, "target_class_ids": [1]}, ("one-hot",)),
    ("BinaryIoU", {}, ("truth",)),
]
ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in activations.NAMES.things],
    ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5}),
    ("relu", {"max_value": 1.0}),
    ("leaky_relu", {"negative_slope": 0.05}),
    ("elu", {"alpha": 0.4}),
    ("gelu", {"approximate": True}),
    ("softmax", {"axis": 0}),
    ("log_softmax", {"axis": 0}),
]
INITIALIZERS: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")],
    ("RandomNormal", {}),
    ("RandomUniform", {}),
    ("TruncatedNormal", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("Orthogonal", {}),
]


def plain(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x), np.float64)


def difference(ours: Any, theirs: Any) -> float:
    ours, theirs = np.asarray(ours, np.float64), plain(theirs)
    if ours.shape != theirs.shape:
        return float("inf")
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return float(np.max(np.where(same, 0.0, np.abs(ours - theirs)) / max(1.0, float(np.nanmax(np.abs(theirs))))))


def losses_beside() -> Iterator[tuple[str, float]]:
    for name, options, sets in LOSSES:
        for which in sets:
            for dtype in (np.float32, np.float64):
                t, p = DATA[which]
                t, p = t if t.dtype.kind == "i" else t.astype(dtype), p.astype(dtype)
                for reduction in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight"):
                    for weighted in (False, True):
                        if weighted and which == "row":
                            continue
                        ours = getattr(losses, name)(**options, reduction=reduction)
                        theirs = getattr(keras.losses, name)(**options, reduction=reduction, dtype=np.dtype(dtype).name)
                        values = theirs.call(keras.ops.convert_to_tensor(t), keras.ops.convert_to_tensor(p))
                        weights = None
                        if weighted and values.ndim:
                            weights = RNG.random(values.shape[:1] + (1,) * (values.ndim - 1)).astype(dtype)
                        found = ours(t, p, sample_weight=weights)
                        yield f"{name} {options or ''}", difference(found, theirs(t, p, sample_weight=weights))


def metrics_beside() -> Iterator[tuple[str, float]]:
    for name, options, sets in METRICS:
        for which in sets:
            t, p = DATA[which]
            p = p.astype(np.float32) if p.dtype.kind == "f" else p
            for weighted in (False, True):
                ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
                for part in (slice(0, 20), slice(20, N)):
                    given: dict[str, Any] = {}
                    if weighted:
                        # Keras's overlaps count in whole numbers
                        weights = RNG.integers(0, 4, len(t[part])) if "IoU" in name else RNG.random(len(t[part]))
                        given["sample_weight"] = weights.astype(np.float32)
                    known = dict(given)
                    wide = name in ("Precision", "Recall", "IoU", "MeanIoU", "AUC") or name.endswith("ives")
                    if weighted and t.ndim > 1 and wide and not (options.get("multi_label") or "class_id" in options):
                        known["sample_weight"] = np.repeat(given["sample_weight"][:, None], t.shape[1], axis=1)
                    ours.update_state(t[part], p[part], **given)
                    theirs.update_state(t[part], p[part], **known)
                yield f"{name} {options or ''}", difference(ours.result(), theirs.result())


def activations_beside() -> Iterator[tuple[str, float]]:
    for name, options in ACTIVATIONS:
        for dtype in (np.float32, np.float64):
            x = np.concatenate([np.linspace(-12, 12, 97), [-100.0, 0.0, 50.0]]).astype(dtype).reshape(10, 10)
            theirs = getattr(keras.activations, name)(keras.ops.convert_to_tensor(x), **options)
            yield f"{name} {options or ''}", difference(getattr(activations, name)(x, **options), theirs)


def initializers_beside() -> Iterator[tuple[str, float]]:
    """The distributions: quantiles of 300,000 draws, in units of the standard deviation."""
    levels = np.linspace(0, 1, 201)
    for name, options in INITIALIZERS:
        shape = (3, 4, 50, 500) if name != "Orthogonal" else (300, 200)
        ours = np.ravel(getattr(initializers, name)(**options, seed=1)(shape))
        theirs = np.ravel(plain(getattr(keras.initializers, name)(**options, seed=1)(shape)))
        inner = slice(2, -2)
        apart = np.abs(np.quantile(ours, levels) - np.quantile(theirs, levels))[inner].max() / theirs.std()
        yield f"{name} {options or ''} (quantiles)", float(apart)


def others_beside() -> Iterator[tuple[str, float]]:
    w = RNG.normal(size=(6, 4)).astype(np.float32)
    tensor = keras.ops.convert_to_tensor(w)
    rows: list[tuple[Any, Any, str, dict[str, Any]]] = [
        *[(regularizers, keras.regularizers, name, {}) for name in ("L1", "L2", "L1L2", "OrthogonalRegularizer")],
        (regularizers, keras.regularizers, "L1", {"l1": 0.3}),
        (regularizers, keras.regularizers, "L1L2", {"l1": 0.3, "l2": 0.2}),
        (regularizers, keras.regularizers, "OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
        *[(constraints, keras.constraints, name, {}) for name in ("MaxNorm", "UnitNorm", "NonNeg", "MinMaxNorm")],
        (constraints, keras.constraints, "MaxNorm", {"max_value": 0.7, "axis": 1}),
        (constraints, keras.constraints, "UnitNorm", {"axis": (0, 1)}),
        (constraints, keras.constraints, "MinMaxNorm", {"min_value": 0.5, "max_value": 0.8, "rate": 0.4, "axis": 1}),
    ]
    for ours, theirs, name, options in rows:
        found = difference(getattr(ours, name)(**options)(w), getattr(theirs, name)(**options)(tensor))
        yield f"{name} {options or ''}", found


FAMILIES: dict[str, Callable[[], Iterator[tuple[str, float]]]] = {
    "losses": losses_beside,
    "metrics": metrics_beside,
    "activations": activations_beside,
    "initializers": initializers_beside,
    "regularizers and constraints": others_beside,
}


def main() -> None:
    print(f"Backlight {backlight.__version__} beside Keras {keras.__version__} ({keras.backend.backend()})")
    for family in sys.argv[1:] or FAMILIES:
        print(f"\n{family}")
        largest: dict[str, float] = {}
        for row, apart in FAMILIES[family]():
            largest[row] = max(largest.get(row, 0.0), apart)
        for row, apart in largest.items():
            print(f"  {apart:9.2e}  {row}")


if __name__ == "__main__":
    main()
