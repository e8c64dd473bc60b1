"""Metrics beside Keras's: two batches of 20 and 44 examples, with and without weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.parity.cases import Case, Pair, keras, leaves, ours, rng, torch, use
from benchmarks.parity.losses import DATA, C, N

__all__ = ["cases"]

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
    ("FalsePositives", {}, ("binary",)),
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
    ("Mean", {}, ("values",)),
    ("Sum", {}, ("values",)),
    ("RootMeanSquaredError", {}, ("row",)),
    ("Precision", {"top_k": 2, "thresholds": 0.1}, ("one-hot",)),
    ("TruePositives", {"thresholds": [0.2, 0.7]}, ("binary",)),
    ("TrueNegatives", {"thresholds": [0.2, 0.7]}, ("binary",)),
    ("FalseNegatives", {"thresholds": [0.2, 0.7]}, ("binary",)),
    ("TopKCategoricalAccuracy", {"k": 5}, ("one-hot",)),
    ("SparseTopKCategoricalAccuracy", {}, ("sparse",)),
    ("TopKCategoricalAccuracy", {}, ("one-hot",)),
    ("CosineSimilarity", {"axis": 0}, ("numbers",)),
    ("CategoricalCrossentropy", {}, ("one-hot",)),
    ("FBetaScore", {}, ("one-hot",)),
    ("OneHotIoU", {"num_classes": C, "target_class_ids": [1, 2], "ignore_class": 0}, ("one-hot",)),
    ("OneHotMeanIoU", {"num_classes": C, "ignore_class": 1}, ("one-hot",)),
    ("IoU", {"num_classes": C, "target_class_ids": [0, 2], "ignore_class": 1}, ("classes",)),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, ("flat",)),
    ("MeanMetricWrapper", {}, ("numbers",)),
    ("MeanMetricWrapper", {"fn": "threshold"}, ("binary",)),
]
FUNCTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("binary_accuracy", {}, "binary"),
    ("binary_accuracy", {"threshold": 0.3}, "binary"),
    ("categorical_accuracy", {}, "one-hot"),
    ("sparse_categorical_accuracy", {}, "sparse"),
    ("top_k_categorical_accuracy", {}, "one-hot"),
    ("top_k_categorical_accuracy", {"k": 2}, "one-hot"),
    ("sparse_top_k_categorical_accuracy", {}, "sparse"),
    ("sparse_top_k_categorical_accuracy", {"k": 2}, "sparse"),
]
WIDE = ("Precision", "Recall", "AUC", "IoU", "MeanIoU")  # Keras wants a weight for every number of these


def made(module: Any, name: str, options: dict[str, Any]) -> Any:
    if name != "MeanMetricWrapper":
        return getattr(module.metrics, name)(**options)
    if options:
        return module.metrics.MeanMetricWrapper(module.metrics.binary_accuracy, threshold=0.3)
    return module.metrics.MeanMetricWrapper(module.losses.mean_squared_error)


def by_class(name: str, options: dict[str, Any], which: str) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        data = DATA["row"] if which == "values" else DATA[which]
        t, p = data[0], data[1].astype(dtype) if data[1].dtype.kind == "f" else data[1]
        draws = rng(f"{name} weights")
        # Keras's overlaps count in whole numbers
        weights = (draws.integers(0, 4, N) if "IoU" in name else draws.random(N)).astype(dtype)
        wide = t.ndim > 1 and (name in WIDE or name.endswith("ives")) and not {"multi_label", "class_id"} & set(options)
        # across the examples there is no weight for each; the moments of no data are 0 here and NaN there
        for weighted in (False, True) if options.get("axis") != 0 else (False,):
            mine, theirs = made(ours(""), name, options), made(keras(""), name, options)
            for part in (slice(0, 20), slice(20, N)):
                given = {"sample_weight": weights[part]} if weighted else {}
                known = {"sample_weight": np.repeat(weights[part, None], t.shape[1], 1)} if weighted and wide else given
                data = (t[part].astype(dtype),) if which == "values" else (t[part], p[part])
                mine.update_state(*data, **given)
                theirs.update_state(*data, **known)
            yield Pair("Keras", "value", mine.result(), theirs.result())
            mine.reset_state()
            theirs.reset_state()
            if name != "R2Score":
                yield Pair("Keras", "state", mine.result(), theirs.result())

    return Case("metrics", name, options, found, f"on {which}")


def by_function(name: str, options: dict[str, Any], which: str) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        t, p = DATA[which][0], DATA[which][1].astype(dtype)
        mine, theirs = ours(f"metrics.{name}"), keras(f"metrics.{name}")
        tensor = torch("tensor")
        yield Pair("Keras", "value", leaves(mine(t, p, **options)), [theirs(tensor(t), tensor(p), **options)])

    return Case("metrics", name, options, found, f"on {which}")


def cases() -> Iterator[Case]:
    """All of this table."""
    for name, options, sets in METRICS:
        for which in sets:
            yield by_class(name, options, which)
    for name, options, which in FUNCTIONS:
        yield by_function(name, options, which)
