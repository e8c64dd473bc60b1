"""What is looked at before the first step: every mistake is named, and nothing else is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, DataError, ShapeError
from backlight.nn import losses
from backlight.train import metrics, validation

RNG = np.random.default_rng(13)
N, C = 6, 3
X = RNG.normal(size=(N, 5))
LABELS = np.array([0, 1, 2, 0, 1, 2])
ONE_HOT = np.eye(C)[LABELS]
P = RNG.random((N, C)) + 0.1
P /= P.sum(1, keepdims=True)
LOGITS = 4 * RNG.normal(size=(N, C))
COLUMN = (RNG.random((N, 1)) > 0.5).astype(float)
SIGMOID = RNG.random((N, 1))
NUMBERS = RNG.normal(size=(N, 1))
broken = X.copy()
broken[2, 3] = np.nan
infinite = X.astype(np.float32)
infinite[0, 0] = np.inf

SPARSE = "sparse_categorical_crossentropy"
FROM_LOGITS = losses.SparseCategoricalCrossentropy(from_logits=True)
BINARY_LOGITS = losses.BinaryCrossentropy(from_logits=True)
FINE: list[tuple[Any, list[Any], Any, Any]] = [
    ("mse", ["mae", "rmse"], NUMBERS, NUMBERS + 1),
    ("mse", ["r2_score"], NUMBERS, NUMBERS + 1),
    ("mse", ["accuracy"], COLUMN, SIGMOID),  # classes fitted as numbers
    ("binary_crossentropy", ["accuracy", "auc", "precision", "recall"], COLUMN, SIGMOID),
    ("binary_crossentropy", ["accuracy"], COLUMN[:, 0], SIGMOID[:, 0]),
    (BINARY_LOGITS, ["accuracy"], COLUMN, LOGITS[:, :1]),
    (BINARY_LOGITS, [], COLUMN, SIGMOID),  # logits between 0 and 1 are nothing strange
    ("categorical_crossentropy", ["accuracy", "f1_score", "categorical_accuracy"], ONE_HOT, P),
    ("categorical_crossentropy", [], ONE_HOT * 0.9 + 0.1 / C, P),
    (losses.CategoricalCrossentropy(from_logits=True), ["accuracy"], ONE_HOT, LOGITS),
    ("sparse_categorical_crossentropy", ["accuracy"], LABELS, P),
    ("sparse_categorical_crossentropy", ["accuracy"], LABELS[:, None], P),
    ("sparse_categorical_crossentropy", [], LABELS.astype(float), P),
    (losses.SparseCategoricalCrossentropy(ignore_class=-1), [], LABELS - 1, P),
    (FROM_LOGITS, ["accuracy", metrics.SparseTopKCategoricalAccuracy(2)], LABELS, LOGITS),
    ("ctc", [], np.array([[1, 2]]), RNG.normal(size=(1, 5, 3))),
    (losses.Huber(), [lambda t, p: np.abs(t - p)], NUMBERS, NUMBERS),
    (lambda t, p: np.mean(t - p), [], LABELS, P),
]


@pytest.mark.parametrize(("loss", "named", "y", "p"), FINE, ids=range(len(FINE)))
def test_what_fits_passes_in_silence(loss: Any, named: Any, y: Any, p: Any) -> None:
    x = np.zeros((len(y), 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validation.validate(loss, named, x, y, p)
        validation.validate(loss, named, x, y, p[:1], sample_weight=np.ones(len(y)))
        validation.validate(loss, named, x, y.astype(y.dtype), p.astype(np.float32))


def checked(loss: Any, y: Any, p: Any, named: Any = ()) -> Callable[[], Any]:
    return lambda: validation.validate(loss, named, np.zeros((len(y), 2)), y, p)


def late() -> Any:
    """A label out of range that is not among the examples predicted."""
    labels = np.array([0, 1, 2, 0, 1, 7])
    return validation.validate("sparse_categorical_crossentropy", [], X, labels, P[:2])


softmaxed = backlight.softmax(backlight.array(LOGITS))
sigmoided = backlight.sigmoid(backlight.array(LOGITS[:, :1]))
REFUSED: list[tuple[str, type[Exception], Callable[[], Any], tuple[str, ...]]] = [
    ("empty", DataError, lambda: validation.check_data(X[:0], LABELS[:0]), ("x", "(0, 5)")),
    ("empty labels", DataError, lambda: validation.check_data(X, np.zeros((6, 0))), ("y", "(6, 0)")),
    ("nan", DataError, lambda: validation.check_data(broken), ("x", "(6, 5)", "1", "(2, 3)")),
    ("infinite", DataError, lambda: validation.check_data(X, infinite), ("y", "(0, 0)")),
    ("nan weight", DataError, lambda: validation.check_data(X, LABELS, broken[:, 3]), ("sample_weight", "(2,)")),
    ("lengths", ShapeError, lambda: validation.check_data(X, LABELS[:4]), ("y", "4", "6")),
    ("weights", ShapeError, lambda: validation.check_data(X, LABELS, np.ones(3)), ("sample_weight", "3")),
    (
        "label 3",
        ArgumentError,
        checked(SPARSE, LABELS + 1, P),
        ("3", "(6, 3)", "labels - 1"),
    ),
    ("label -1", ArgumentError, checked(FROM_LOGITS, LABELS - 1, LOGITS), ("-1", "ignore_class")),
    ("label late", ArgumentError, late, ("7", "8")),
    ("rank", ShapeError, checked(SPARSE, ONE_HOT, P), ("(6, 3)", '"categorical_cross')),
    ("rank one-hot", ShapeError, checked("categorical_crossentropy", LABELS, P), ("(6,)", "(6, 3)", "sparse_")),
    ("shapes", ShapeError, checked("mse", ONE_HOT, NUMBERS), ("(6, 3)", "(6, 1)")),
    ("shapes binary", ShapeError, checked("binary_crossentropy", LABELS, P), ("(6,)", "(6, 3)")),
    ("labels 0 1 2", ArgumentError, checked("binary_crossentropy", LABELS[:, None], SIGMOID), ("0", "2")),
    ("not one-hot", ArgumentError, checked("categorical_crossentropy", np.ones((6, 3)), P), ("one-hot",)),
    (
        "logits",
        ArgumentError,
        checked(SPARSE, LABELS, LOGITS),
        ("from_logits=True", "softmax"),
    ),
    ("logits binary", ArgumentError, checked("bce", COLUMN, LOGITS[:, :1]), ("from_logits=True", "sigmoid")),
    ("softmax twice", ArgumentError, checked(FROM_LOGITS, LABELS, softmaxed), ("softmax", "from_logits")),
    ("sigmoid twice", ArgumentError, checked(BINARY_LOGITS, COLUMN, sigmoided), ("sigmoid", "from_logits")),
    (
        "metric rows",
        ArgumentError,
        checked(SPARSE, LABELS, P, ["categorical_accuracy"]),
        ("categorical_accuracy", "accuracy", "(6,)"),
    ),
    (
        "metric one-hot",
        ArgumentError,
        checked("categorical_crossentropy", ONE_HOT, P, ["sparse_categorical_accuracy"]),
        ("sparse_categorical_accuracy", "(6, 3)"),
    ),
    (
        "metric binary",
        ArgumentError,
        checked(SPARSE, LABELS, P, ["binary_accuracy"]),
        ("binary_accuracy", "(6, 3)"),
    ),
    (
        "metric shapes",
        ShapeError,
        checked(SPARSE, LABELS, P, ["auc"]),
        ("auc", "(6,)", "(6, 3)"),
    ),
]
WARNED: list[tuple[str, Callable[[], Any], tuple[str, ...]]] = [
    ("column and row", checked("mse", NUMBERS[:, 0], NUMBERS), ("(6,)", "(6, 1)")),
    ("maybe softmax twice", checked(FROM_LOGITS, LABELS, P), ("from_logits", "(6, 3)")),
    ("one class", checked("categorical_crossentropy", COLUMN * 0 + 1, SIGMOID), ("(6, 1)", "binary_crossentropy")),
    ("accuracy of numbers", checked("mse", NUMBERS, NUMBERS, ["accuracy"]), ("accuracy", "mean_squared_error")),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("case", "kind", "call", "says"), REFUSED, ids=[row[0] for row in REFUSED])
def test_mistakes_are_named(
    case: str, kind: Any, call: Any, says: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_all(said(call, kind, language, monkeypatch), says, language)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("case", "call", "says"), WARNED, ids=[row[0] for row in WARNED])
def test_doubts_are_warned_of(
    case: str, call: Any, says: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    with pytest.warns(validation.TrainingWarning) as caught:
        call()
    assert len(caught) == 1
    text = str(caught[0].message)
    names_all(text, says, language)
    assert caught[0].filename == __file__


def test_large_finite_data_are_not_taken_for_infinite() -> None:
    validation.check_finite("x", np.full(100, 1e308))
    validation.check_finite("x", np.full(100, 3e38, np.float32))
    validation.check_finite("x", np.arange(3))
