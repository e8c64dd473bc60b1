"""Metrics: a table against transcriptions, and the laws that every one of them keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.nn import losses
from backlight.train import metrics
from backlight.train.metrics import names

RNG = np.random.default_rng(11)
N, C = 24, 4
NUMBERS = (RNG.normal(size=(N, C)), RNG.normal(size=(N, C)))
POSITIVE = (RNG.random((N, C)) * 3, RNG.random((N, C)) * 3 + 0.1)
BINARY = ((RNG.random((N, C)) > 0.5).astype(float), RNG.random((N, C)))
FLAT = ((RNG.random(N) > 0.5).astype(int), RNG.random(N))
LABELS = RNG.integers(0, C, N)
SIMPLEX = RNG.random((N, C)) + 0.1
SIMPLEX /= SIMPLEX.sum(1, keepdims=True)
ONE_HOT = (np.eye(C)[LABELS], SIMPLEX)
SPARSE = (LABELS, SIMPLEX)
CLASSES = (LABELS, RNG.integers(0, C, N))
TRUTH = (RNG.integers(0, 2, N), RNG.random(N))

Formula = Callable[[Any, Any, Any], Any]  # labels, predictions, one weight for every example


def mean(values: Callable[[Any, Any], Any]) -> Formula:
    def of(t: Any, p: Any, w: Any) -> Any:
        v = values(t, p)
        return (w * v.reshape(len(v), -1).mean(1)).sum() / w.sum()

    return of


def counts(t: Any, p: Any, w: Any, level: float) -> tuple[float, float, float, float]:
    """tp, fp, tn, fn, counted one by one."""
    found = [0.0, 0.0, 0.0, 0.0]
    for t_row, p_row, weight in zip(t.reshape(len(t), -1), p.reshape(len(p), -1), w, strict=True):
        for label, probability in zip(t_row, p_row, strict=True):
            above = probability > level
            found[(0 if label else 1) if above else (3 if label else 2)] += weight
    return found[0], found[1], found[2], found[3]


def precision(t: Any, p: Any, w: Any, level: float = 0.5) -> float:
    tp, fp, _, _ = counts(t, p, w, level)
    return tp / (tp + fp)


def recall(t: Any, p: Any, w: Any, level: float = 0.5) -> float:
    tp, _, _, fn = counts(t, p, w, level)
    return tp / (tp + fn)


def best(p: Any, k: int) -> Any:
    """The k largest of every row as 1, the others as 0."""
    chosen = np.zeros_like(p)
    for row, numbers in zip(chosen, p, strict=True):
        row[np.argsort(-numbers, kind="stable")[:k]] = 1
    return chosen


def f1(average: str | None, level: float | None = None, beta: float = 1.0) -> Formula:
    def of(t: Any, p: Any, w: Any) -> Any:
        p = best(p, 1) if level is None else (p > level).astype(float)
        columns = [(t[:, k : k + 1], p[:, k : k + 1]) for k in range(t.shape[1])]
        if average == "micro":
            columns = [(t, p)]
        scores = []
        for column in columns:
            tp, fp, _, fn = counts(*column, w, 0.5)
            scores.append((1 + beta**2) * tp / max((1 + beta**2) * tp + beta**2 * fn + fp, 1e-300))
        if average == "weighted":
            share = (t * w[:, None]).sum(0)
            return (np.array(scores) * share).sum() / share.sum()
        return scores[0] if average == "micro" else np.mean(scores) if average == "macro" else np.array(scores)

    return of


def area(levels: list[float], curve: str = "ROC", height: str = "interpolation") -> Formula:
    def of(t: Any, p: Any, w: Any) -> float:
        table = [counts(t, p, w, level) for level in [-1e-7, *levels, 1 + 1e-7]]
        total = 0.0
        for (tp1, fp1, tn1, fn1), (tp2, fp2, tn2, fn2) in pairwise(table):
            if curve == "ROC":
                x = fp1 / (fp1 + tn1) - fp2 / (fp2 + tn2)
                y1, y2 = tp1 / (tp1 + fn1), tp2 / (tp2 + fn2)
            else:
                x = tp1 / (tp1 + fn1) - tp2 / (tp2 + fn2)
                y1 = tp1 / (tp1 + fp1) if tp1 + fp1 else 0.0
                y2 = tp2 / (tp2 + fp2) if tp2 + fp2 else 0.0
            total += x * {"interpolation": (y1 + y2) / 2, "minoring": min(y1, y2), "majoring": max(y1, y2)}[height]
        return total

    return of


def integrated_pr(levels: list[float]) -> Formula:
    """∫ precision d recall by a fine sum, tp and fp being straight lines between two thresholds."""

    def of(t: Any, p: Any, w: Any) -> float:
        table = [counts(t, p, w, level) for level in [-1e-7, *levels, 1 + 1e-7]]
        total = 0.0
        for (tp1, fp1, _, fn1), (tp2, fp2, _, _) in pairwise(table):
            s = (np.arange(4000) + 0.5) / 4000
            tp, fp = tp2 + s * (tp1 - tp2), fp2 + s * (fp1 - fp2)
            if tp1 + fp1:
                total += float(np.mean(tp / (tp + fp))) * (tp1 - tp2) / (tp1 + fn1)
        return total

    return of


def matrix(t: Any, p: Any, w: Any) -> Any:
    found = np.zeros((C, C))
    for i, j, weight in zip(t, p, w, strict=True):
        found[i, j] += weight
    return found


def overlap(ids: list[int], ignored: int | None = None) -> Formula:
    def of(t: Any, p: Any, w: Any) -> float:
        w = w if ignored is None else np.where(t == ignored, 0, w)
        scores = []
        for k in ids:
            both, either = (w * ((t == k) & (p == k))).sum(), (w * ((t == k) | (p == k))).sum()
            scores += [both / either] if either else []
        return float(np.mean(scores))

    return of


def determination(aggregation: str | None, q: int = 0) -> Formula:
    def of(t: Any, p: Any, w: Any) -> Any:
        center = (w[:, None] * t).sum(0) / w.sum()
        total, left = (w[:, None] * (t - center) ** 2).sum(0), (w[:, None] * (t - p) ** 2).sum(0)
        score = 1 - left / total
        if aggregation == "uniform_average":
            score = score.mean()
        elif aggregation:
            score = (score * total).sum() / total.sum()
        return 1 - (1 - score) * (t.size - 1) / (t.size - q - 1)

    return of


def picked(t: Any, p: Any) -> Any:
    return -np.log(p[np.arange(len(t)), t])


LEVELS = [k / 199 for k in range(1, 199)]
MINUS_LOG = mean(lambda t, p: -(t * np.log(p) + (1 - t) * np.log(1 - p)))
TABLE: list[tuple[metrics.Metric, Any, Formula]] = [
    (metrics.Accuracy(), CLASSES, mean(lambda t, p: t == p)),
    (metrics.BinaryAccuracy(), BINARY, mean(lambda t, p: (p > 0.5) == t)),
    (metrics.BinaryAccuracy(threshold=0.3), FLAT, mean(lambda t, p: (p > 0.3) == t)),
    (metrics.CategoricalAccuracy(), ONE_HOT, mean(lambda t, p: t.argmax(1) == p.argmax(1))),
    (metrics.SparseCategoricalAccuracy(), SPARSE, mean(lambda t, p: t == p.argmax(1))),
    (metrics.TopKCategoricalAccuracy(2), ONE_HOT, mean(lambda t, p: (t * best(p, 2)).sum(1))),
    (metrics.SparseTopKCategoricalAccuracy(2), SPARSE, mean(lambda t, p: best(p, 2)[np.arange(len(t)), t])),
    (metrics.Precision(), BINARY, precision),
    (metrics.Precision(0.3), FLAT, lambda t, p, w: precision(t, p, w, 0.3)),
    (metrics.Precision([0.2, 0.7]), BINARY, lambda t, p, w: [precision(t, p, w, level) for level in (0.2, 0.7)]),
    (metrics.Precision(top_k=2), ONE_HOT, lambda t, p, w: precision(t, best(p, 2), w)),
    (
        metrics.Precision(top_k=2, class_id=1),
        ONE_HOT,
        lambda t, p, w: precision(t[:, 1], best(p, 2)[:, 1], w),
    ),
    (metrics.Recall(), BINARY, recall),
    (metrics.Recall(0.3, class_id=2), BINARY, lambda t, p, w: recall(t[:, 2], p[:, 2], w, 0.3)),
    (metrics.TruePositives(), BINARY, lambda t, p, w: counts(t, p, w, 0.5)[0]),
    (metrics.FalsePositives([0.2]), BINARY, lambda t, p, w: counts(t, p, w, 0.2)[1]),
    (metrics.TrueNegatives(), FLAT, lambda t, p, w: counts(t, p, w, 0.5)[2]),
    (metrics.FalseNegatives(), FLAT, lambda t, p, w: counts(t, p, w, 0.5)[3]),
    (metrics.F1Score(), ONE_HOT, f1(None)),
    (metrics.F1Score("micro", 0.4), BINARY, f1("micro", 0.4)),
    (metrics.F1Score("macro", 0.4), BINARY, f1("macro", 0.4)),
    (metrics.F1Score("weighted", 0.4), BINARY, f1("weighted", 0.4)),
    (metrics.FBetaScore("macro", 2.0), ONE_HOT, f1("macro", None, 2.0)),
    (metrics.AUC(), FLAT, area(LEVELS)),
    (metrics.AUC(thresholds=[0.1, 0.4, 0.8]), BINARY, area([0.1, 0.4, 0.8])),
    (metrics.AUC(7, summation_method="minoring"), BINARY, area([k / 6 for k in range(1, 6)], "ROC", "minoring")),
    (metrics.AUC(7, "PR", "majoring"), BINARY, area([k / 6 for k in range(1, 6)], "PR", "majoring")),
    (metrics.AUC(7, "PR"), BINARY, integrated_pr([k / 6 for k in range(1, 6)])),
    (
        metrics.AUC(9, multi_label=True, label_weights=[1.0, 2.0, 0.5, 1.0]),
        BINARY,
        lambda t, p, w: np.average(
            [area([k / 8 for k in range(1, 8)])(t[:, c], p[:, c], w) for c in range(C)], weights=[1.0, 2.0, 0.5, 1.0]
        ),
    ),
    (
        metrics.AUC(9, from_logits=True),
        (BINARY[0], NUMBERS[1]),
        lambda t, p, w: area([k / 8 for k in range(1, 8)])(t, 1 / (1 + np.exp(-p)), w),
    ),
    (metrics.MeanSquaredError(), NUMBERS, mean(lambda t, p: (t - p) ** 2)),
    (metrics.RootMeanSquaredError(), NUMBERS, lambda t, p, w: np.sqrt(mean(lambda t, p: (t - p) ** 2)(t, p, w))),
    (metrics.MeanAbsoluteError(), NUMBERS, mean(lambda t, p: abs(t - p))),
    (metrics.MeanAbsolutePercentageError(), NUMBERS, mean(lambda t, p: 100 * abs(t - p) / abs(t))),
    (metrics.MeanSquaredLogarithmicError(), POSITIVE, mean(lambda t, p: (np.log1p(t) - np.log1p(p)) ** 2)),
    (metrics.LogCoshError(), NUMBERS, mean(lambda t, p: np.log(np.cosh(t - p)))),
    (
        metrics.CosineSimilarity(),
        NUMBERS,
        mean(lambda t, p: (t * p).sum(1) / np.linalg.norm(t, axis=1) / np.linalg.norm(p, axis=1)),
    ),
    (metrics.KLDivergence(), (SIMPLEX[::-1], SIMPLEX), mean(lambda t, p: (t * np.log(t / p)).sum(1))),
    (metrics.Poisson(), POSITIVE, mean(lambda t, p: p - t * np.log(p + 1e-7))),
    (metrics.Hinge(), NUMBERS, mean(lambda t, p: np.maximum(1 - t * p, 0))),
    (metrics.SquaredHinge(), NUMBERS, mean(lambda t, p: np.maximum(1 - t * p, 0) ** 2)),
    (
        metrics.CategoricalHinge(),
        ONE_HOT,
        mean(lambda t, p: np.maximum(1 + ((1 - t) * p).max(1) - (t * p).sum(1), 0)),
    ),
    (metrics.BinaryCrossentropy(), BINARY, MINUS_LOG),
    (
        metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        (BINARY[0], NUMBERS[1]),
        lambda t, x, w: MINUS_LOG(0.8 * t + 0.1, 1 / (1 + np.exp(-x)), w),
    ),
    (metrics.CategoricalCrossentropy(), ONE_HOT, mean(lambda t, p: -(t * np.log(p)).sum(1))),
    (metrics.SparseCategoricalCrossentropy(), SPARSE, mean(picked)),
    (
        metrics.SparseCategoricalCrossentropy(ignore_class=2),
        SPARSE,
        lambda t, p, w: mean(picked)(t[t != 2], p[t != 2], w[t != 2]),
    ),
    (metrics.Perplexity(), SPARSE, lambda t, p, w: np.exp(mean(picked)(t, p, w))),
    (
        metrics.Perplexity(from_logits=True, ignore_class=2),
        (LABELS, np.log(SIMPLEX) + 3),
        lambda t, x, w: np.exp(mean(picked)(t[t != 2], np.exp(x - 3)[t != 2], w[t != 2])),
    ),
    (metrics.R2Score(), NUMBERS, determination("uniform_average")),
    (metrics.R2Score(None), NUMBERS, determination(None)),
    (metrics.R2Score("variance_weighted_average", 3), NUMBERS, determination("variance_weighted_average", 3)),
    (metrics.ConfusionMatrix(C), CLASSES, matrix),
    (metrics.IoU(C, [0, 2]), CLASSES, overlap([0, 2])),
    (metrics.MeanIoU(C), CLASSES, overlap([0, 1, 2, 3])),
    (metrics.MeanIoU(C, ignore_class=1), CLASSES, overlap([0, 1, 2, 3], 1)),
    (metrics.OneHotIoU(C, [1]), ONE_HOT, lambda t, p, w: overlap([1])(t.argmax(1), p.argmax(1), w)),
    (metrics.OneHotMeanIoU(C), ONE_HOT, lambda t, p, w: overlap([0, 1, 2, 3])(t.argmax(1), p.argmax(1), w)),
    (metrics.BinaryIoU(threshold=0.3), TRUTH, lambda t, p, w: overlap([0, 1])(t, (p >= 0.3).astype(int), w)),
    (metrics.MeanMetricWrapper(losses.huber, delta=10.0), NUMBERS, mean(lambda t, p: (t - p) ** 2 / 2)),
]
IDS = [f"{type(metric).__name__}-{k}" for k, (metric, *_) in enumerate(TABLE)]
EVERY = pytest.mark.parametrize(("metric", "sample", "formula"), TABLE, ids=IDS)


def single(x: Any) -> Any:
    return x if x.dtype.kind == "i" else x.astype(np.float32)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_the_formulas(metric: Any, sample: Any, formula: Formula, dtype: Any) -> None:
    t, p = (x if x.dtype.kind == "i" else x.astype(dtype) for x in sample)
    metric.reset_state()
    metric.update_state(t, p)
    wide = [x if x.dtype.kind == "i" else x.astype(np.float64) for x in (t, p)]
    assert metric.result().dtype == np.float32
    np.testing.assert_allclose(metric.result(), formula(*wide, np.ones(N)), rtol=3e-6, atol=1e-6)


@EVERY
def test_batches_and_weights(metric: Any, sample: Any, formula: Formula) -> None:
    """Batches of any size are one set, and a weight of 3 is the example three times."""
    t, p = sample
    w = np.random.default_rng(2).integers(1, 4, N)
    metric.reset_state()
    for part in (slice(0, 5), slice(5, 6), slice(6, N)):
        metric.update_state(t[part], p[part], sample_weight=w[part].astype(float))
    found = metric.result()
    if not getattr(metric, "num_regressors", 0):  # which counts the examples themselves
        metric.reset_state()
        metric.update_state(np.repeat(t, w, axis=0), np.repeat(p, w, axis=0))
        np.testing.assert_allclose(found, metric.result(), rtol=1e-6)
    np.testing.assert_allclose(found, formula(t, p, w.astype(float)), rtol=3e-6, atol=1e-6)


@EVERY
def test_pure_functions_in_a_compiled_scan(metric: Any, sample: Any, formula: Formula) -> None:
    t, p = (single(x).reshape(4, N // 4, *x.shape[1:]) for x in sample)
    w = np.random.default_rng(3).random((4, N // 4)).astype(np.float32)
    start = metric.init(t.shape[1:], p.shape[1:])

    def epoch(t: Any, p: Any, w: Any) -> Any:
        def step(state: Any, batch: Any) -> Any:
            return metric.update(state, *batch), None

        return metric.result(backlight.scan(step, start, (t, p, w))[0])

    metric.reset_state()
    for batch in zip(t, p, w, strict=True):
        metric.update_state(*batch)
    compiled = backlight.compile(epoch, strict=True)(t, p, w)
    assert compiled.dtype == np.float32
    np.testing.assert_allclose(compiled, metric.result(), rtol=2e-6, atol=1e-6)
    for leaf in start.values():
        assert not np.any(leaf)  # what init gave is as it was


@EVERY
def test_metrics_are_made_again_from_their_configuration(metric: Any, sample: Any, formula: Formula) -> None:
    written = json.loads(json.dumps(metrics.serialize(metric)))
    again = metrics.deserialize(written)
    assert type(again) is type(metric)
    assert again.name == metric.name
    assert again(*sample).tobytes() == type(metric).from_config(metric.get_config())(*sample).tobytes()
    metric.reset_state()
    assert again.result().tobytes() == metric(*sample).tobytes()


def test_every_metric_has_a_row() -> None:
    assert {type(metric).__name__ for metric, *_ in TABLE} == set(names._CLASSES) - {"Mean", "Sum"}


def test_sums_and_means() -> None:
    values, w = RNG.random((5, 3)), np.array([1.0, 0.0, 2.0, 1.0, 1.0])
    np.testing.assert_allclose(metrics.Sum()(values, sample_weight=w), (values * w[:, None]).sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics.Mean()(values, sample_weight=w), (values.mean(1) * w).sum() / 5, rtol=1e-6)
    each = RNG.random((5, 3))
    np.testing.assert_allclose(
        metrics.Mean()(values, sample_weight=each), (values * each).sum() / each.sum(), rtol=1e-6
    )
    assert metrics.Mean().result() == 0
    assert metrics.Mean(dtype="float64")(values).dtype == np.float64


def test_counts_stay_exact() -> None:
    """Beyond 2²⁴, where float32 has no odd numbers."""
    metric = metrics.Sum(dtype="float64")
    for _ in range(3):
        metric.update_state(np.float32(2**24))
        metric.update_state(np.float32(1))
    assert metric.result() == 3 * 2**24 + 3


def test_the_state_can_be_kept_and_put_back() -> None:
    metric = metrics.MeanSquaredError()
    metric.update_state(*NUMBERS)
    kept = metric.state
    metric.update_state(NUMBERS[0], NUMBERS[0])
    assert metric.result() != metric.result(kept)
    metric.state = kept
    assert metric.result() == metric.result(kept)
    metric.reset_state()
    assert metric.result() == 0


def test_arrays_leave_nothing_behind() -> None:
    metric = metrics.MeanSquaredError()
    metric.update_state(backlight.array(NUMBERS[0]), backlight.array(NUMBERS[1]))
    assert all(variable.node.primitive is None for variable in metric.variables)
    assert metric.result() == metrics.MeanSquaredError()(*NUMBERS)


def test_ties_and_broken_numbers_in_top_k() -> None:
    p = np.array([[0.3, 0.3, 0.3], [np.nan, 0.1, 0.2], [0.1, np.nan, 0.2]])
    found = metrics.sparse_top_k_categorical_accuracy(np.array([2, 0, 2]), p, k=1)
    assert found.tolist() == [1.0, 0.0, 1.0]
    assert metrics.sparse_top_k_categorical_accuracy(np.array([7, -1, 0]), p, k=3).tolist() == [0.0, 0.0, 1.0]
    ids = np.array([[2, 0, 1], [1, 0, 2]])
    assert metrics.sparse_top_k_categorical_accuracy(np.array([0, 2]), ids, 2, from_sorted_ids=True).tolist() == [1, 0]


def test_nothing_counted_is_zero() -> None:
    assert metrics.Precision()(np.array([1, 1]), np.array([0.1, 0.2])) == 0
    assert metrics.Recall()(np.array([0, 0]), np.array([0.1, 0.9])) == 0
    assert metrics.AUC()(np.array([1, 1]), np.array([0.1, 0.9])) == 0
    assert metrics.R2Score()(np.ones((3, 1)), np.zeros((3, 1))) == 0


RESOLVED: list[tuple[str, tuple[int, ...], tuple[int, ...], type]] = [
    ("accuracy", (8, 1), (8, 1), metrics.BinaryAccuracy),
    ("accuracy", (8,), (8, 1), metrics.BinaryAccuracy),
    ("accuracy", (8,), (8,), metrics.BinaryAccuracy),
    ("accuracy", (8,), (8, 3), metrics.SparseCategoricalAccuracy),
    ("acc", (8, 1), (8, 3), metrics.SparseCategoricalAccuracy),
    ("accuracy", (8, 5), (8, 5, 3), metrics.SparseCategoricalAccuracy),
    ("accuracy", (8, 3), (8, 3), metrics.CategoricalAccuracy),
    ("crossentropy", (8, 1), (8, 1), metrics.BinaryCrossentropy),
    ("ce", (8,), (8, 3), metrics.SparseCategoricalCrossentropy),
    ("crossentropy", (8, 3), (8, 3), metrics.CategoricalCrossentropy),
    ("mse", (8, 3), (8, 3), metrics.MeanSquaredError),
    ("auc", (8, 3), (8, 3), metrics.AUC),
    ("huber", (8, 3), (8, 3), metrics.MeanMetricWrapper),
]


@pytest.mark.parametrize(("name", "labels", "predictions", "kind"), RESOLVED)
def test_names_are_resolved_from_shapes(name: str, labels: Any, predictions: Any, kind: type) -> None:
    found = metrics.resolve(name, labels, predictions)
    assert type(found) is kind
    if kind.__name__.endswith(("Accuracy", "Crossentropy")):
        assert found.name == name


@pytest.mark.parametrize("name", sorted({*names.NAMES.aliases} - {"io_u", "iou"}))
def test_every_short_name_leads_somewhere(name: str) -> None:
    needs = {"num_classes", "fn"} & set(__import__("inspect").signature(names.NAMES.find(name).__init__).parameters)
    if not needs:
        assert isinstance(metrics.get(name), metrics.Metric)


def test_functions_and_objects_become_metrics() -> None:
    assert metrics.get(None) is None
    assert metrics.get(losses.Huber(0.3))(*NUMBERS) == metrics.MeanMetricWrapper(losses.huber, delta=0.3)(*NUMBERS)
    written = metrics.serialize(metrics.get(losses.Huber(0.3)))
    assert metrics.deserialize(written)(*NUMBERS) == metrics.get(losses.Huber(0.3))(*NUMBERS)
    own = metrics.get(lambda t, p: np.abs(t - p))
    np.testing.assert_allclose(own(*NUMBERS), np.abs(NUMBERS[0] - NUMBERS[1]).mean(), rtol=1e-6)


T = np.zeros((4, 3))
REFUSED: list[tuple[str, type[Exception], Callable[[], Any], tuple[str, ...]]] = [
    ("name", ArgumentError, lambda: metrics.get("acuracy"), ("acuracy",)),
    ("threshold", ArgumentError, lambda: metrics.BinaryAccuracy(threshold=2), ("threshold", "2")),
    ("thresholds", ArgumentError, lambda: metrics.Precision([0.1, 1.5]), ("thresholds", "1.5")),
    ("k", ArgumentError, lambda: metrics.TopKCategoricalAccuracy(0), ("k=0",)),
    ("curve", ArgumentError, lambda: metrics.AUC(curve="RO"), ("RO", "PR")),
    ("method", ArgumentError, lambda: metrics.AUC(summation_method="middle"), ("middle", "majoring")),
    ("average", ArgumentError, lambda: metrics.F1Score("mean"), ("mean", "macro")),
    ("aggregation", ArgumentError, lambda: metrics.R2Score("mean"), ("mean", "uniform_average")),
    ("classes", ArgumentError, lambda: metrics.MeanIoU(1), ("num_classes", "1")),
    ("ids", ArgumentError, lambda: metrics.IoU(3, [3]), ("[3]", "2")),
    ("option", ArgumentError, lambda: metrics.BinaryCrossentropy(alpha=1), ("alpha", "from_logits")),
    ("shapes", ShapeError, lambda: metrics.MeanSquaredError()(T, T[:, :2]), ("(4, 3)", "(4, 2)")),
    ("rows", ShapeError, lambda: metrics.SparseCategoricalAccuracy()(T, T), ("(4, 3)", "(4,)")),
    ("matrix", ShapeError, lambda: metrics.F1Score()(T[:, :, None], T[:, :, None]), ("(4, 3, 1)", "(N, C)")),
    ("weights", ShapeError, lambda: metrics.MeanSquaredError()(T, T, sample_weight=np.ones(3)), ("(3,)", "(4,)")),
    ("unknown", ShapeError, lambda: metrics.F1Score().init(), ("F1Score",)),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("case", "kind", "call", "says"), REFUSED, ids=[row[0] for row in REFUSED])
def test_bad_input_is_named(
    case: str, kind: Any, call: Any, says: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_all(said(call, kind, language, monkeypatch), says, language)
