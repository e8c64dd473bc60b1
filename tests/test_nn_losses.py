"""Losses: tables of functions against what they are in float64, laws of objects, and logits whichever way written."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, CallError, ShapeError
from backlight.nn import losses
from backlight.nn.logits import log_probabilities, logits_of, origin_of
from backlight.nn.losses import objects

RNG = np.random.default_rng(7)
N, C = 6, 4
EPS = 1e-7
NUMBERS = (RNG.normal(size=(N, C)), RNG.normal(size=(N, C)))
POSITIVE = (RNG.random((N, C)) * 3, RNG.random((N, C)) * 3 + 0.1)
BINARY = ((RNG.random((N, C)) > 0.5).astype(float), 0.05 + 0.9 * RNG.random((N, C)))
LABELS = RNG.integers(0, C, N)
SIMPLEX = RNG.random((N, C)) + 0.1
SIMPLEX /= SIMPLEX.sum(1, keepdims=True)
ONE_HOT = (np.eye(C)[LABELS], SIMPLEX)
SPARSE = (LABELS, SIMPLEX)
LOGITS = (np.eye(C)[LABELS], 3 * RNG.normal(size=(N, C)))
SPELLED = (np.array([[1, 2, 0], [2, 2, 1], [3, 0, 0]]), RNG.normal(size=(3, 6, 4)))


def smooth(t: Any, s: float) -> Any:
    return t * (1 - s) + s / t.shape[-1]


def soft(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def entropy(t: Any, p: Any) -> Any:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def cosine(t: Any, p: Any) -> Any:
    return -(t * p).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1)


def picked(t: Any, p: Any) -> Any:
    return -np.log(np.array([row[k] for row, k in zip(p, t, strict=True)]))


def spellings(label: list[int], steps: int, classes: int) -> list[tuple[int, ...]]:
    """All paths that spell the label: every path, collapsed."""
    found = []
    for path in product(range(classes), repeat=steps):
        kept = [c for k, c in enumerate(path) if k == 0 or c != path[k - 1]]
        if [c for c in kept if c] == label:
            found.append(path)
    return found


def all_paths(t: Any, x: Any) -> Any:
    """CTC as it is defined: the sum over every path."""
    losses_found = []
    for label, logits in zip(t, x, strict=True):
        p = soft(logits.astype(np.float64))
        paths = spellings([int(c) for c in label if c], *p.shape)
        losses_found.append(-np.log(sum(np.prod(p[np.arange(len(path)), path]) for path in paths)))
    return np.array(losses_found)


TABLE: list[tuple[str, dict[str, Any], Any, Callable[..., Any]]] = [
    ("mean_squared_error", {}, NUMBERS, lambda t, p: ((t - p) ** 2).mean(-1)),
    ("mean_absolute_error", {}, NUMBERS, lambda t, p: abs(t - p).mean(-1)),
    ("mean_absolute_percentage_error", {}, NUMBERS, lambda t, p: 100 * (abs(t - p) / abs(t)).mean(-1)),
    (
        "mean_squared_logarithmic_error",
        {},
        POSITIVE,
        lambda t, p: ((np.log(1 + t) - np.log(1 + p)) ** 2).mean(-1),
    ),
    (
        "huber",
        {"delta": 0.7},
        NUMBERS,
        lambda t, p: np.where(abs(t - p) <= 0.7, (t - p) ** 2 / 2, 0.7 * abs(t - p) - 0.245).mean(-1),
    ),
    ("log_cosh", {}, NUMBERS, lambda t, p: np.log(np.cosh(t - p)).mean(-1)),
    ("kl_divergence", {}, ONE_HOT, lambda t, p: (t.clip(EPS) * np.log(t.clip(EPS) / p)).sum(-1)),
    ("poisson", {}, POSITIVE, lambda t, p: (p - t * np.log(p + EPS)).mean(-1)),
    ("hinge", {}, BINARY, lambda t, p: np.maximum(1 - (2 * t - 1) * p, 0).mean(-1)),
    ("hinge", {}, NUMBERS, lambda t, p: np.maximum(1 - t * p, 0).mean(-1)),
    ("squared_hinge", {}, BINARY, lambda t, p: (np.maximum(1 - (2 * t - 1) * p, 0) ** 2).mean(-1)),
    (
        "categorical_hinge",
        {},
        LOGITS,
        lambda t, p: np.maximum(1 + ((1 - t) * p).max(-1) - (t * p).sum(-1), 0),
    ),
    ("cosine_similarity", {}, NUMBERS, cosine),
    ("cosine_similarity", {"axis": 0}, NUMBERS, lambda t, p: cosine(t.T, p.T)),
    ("binary_crossentropy", {}, BINARY, lambda t, p: entropy(t, p).mean(-1)),
    ("binary_crossentropy", {"label_smoothing": 0.2}, BINARY, lambda t, p: entropy(0.8 * t + 0.1, p).mean(-1)),
    (
        "binary_crossentropy",
        {"from_logits": True},
        (BINARY[0], LOGITS[1]),
        lambda t, x: entropy(t, 1 / (1 + np.exp(-x))).mean(-1),
    ),
    (
        "binary_focal_crossentropy",
        {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5},
        BINARY,
        lambda t, p: ((0.4 * t + 0.6 * (1 - t)) * (1 - (t * p + (1 - t) * (1 - p))) ** 1.5 * entropy(t, p)).mean(-1),
    ),
    (
        "binary_focal_crossentropy",
        {"from_logits": True},
        (BINARY[0], LOGITS[1]),
        lambda t, x: (
            np.where(t == 1, 1 / (1 + np.exp(x)), 1 / (1 + np.exp(-x))) ** 2 * entropy(t, 1 / (1 + np.exp(-x)))
        ).mean(-1),
    ),
    ("categorical_crossentropy", {}, ONE_HOT, lambda t, p: -(t * np.log(p)).sum(-1)),
    (
        "categorical_crossentropy",
        {},
        (ONE_HOT[0], 5 * SIMPLEX),
        lambda t, p: -(t * np.log(p / p.sum(-1, keepdims=True))).sum(-1),
    ),
    (
        "categorical_crossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        LOGITS,
        lambda t, x: -(smooth(t, 0.1) * np.log(soft(x))).sum(-1),
    ),
    (
        "categorical_focal_crossentropy",
        {"alpha": 0.6, "gamma": 3.0},
        ONE_HOT,
        lambda t, p: -(0.6 * (1 - p) ** 3 * t * np.log(p)).sum(-1),
    ),
    (
        "categorical_focal_crossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        LOGITS,
        lambda t, x: -(0.25 * (1 - soft(x)) ** 2 * smooth(t, 0.1) * np.log(soft(x))).sum(-1),
    ),
    ("sparse_categorical_crossentropy", {}, SPARSE, picked),
    ("sparse_categorical_crossentropy", {"from_logits": True}, (LABELS, LOGITS[1]), lambda t, x: picked(t, soft(x))),
    (
        "sparse_categorical_crossentropy",
        {"ignore_class": 1},
        (np.where(np.arange(N) < 2, 1, LABELS), SIMPLEX),
        lambda t, p: np.where(t == 1, 0, picked(t, p)),
    ),
    ("dice", {}, BINARY, lambda t, p: 1 - 2 * (t * p).sum() / (t.sum() + p.sum())),
    ("dice", {"axis": 1}, (1 - 0.5 * BINARY[0], BINARY[1]), lambda t, p: 1 - 2 * (t * p).sum(1) / (t + p).sum(1)),
    (
        "tversky",
        {"alpha": 0.3, "beta": 0.8},
        BINARY,
        lambda t, p: 1 - (t * p).sum() / ((t * p) + 0.3 * t * (1 - p) + 0.8 * (1 - t) * p).sum(),
    ),
    ("ctc", {}, SPELLED, all_paths),
]
IDS = [f"{name}-{k}" for k, (name, *_) in enumerate(TABLE)]


def total(name: str, options: dict[str, Any], t: Any, projection: Any) -> Callable[[Any], Any]:
    def weighted(p: Any) -> Any:
        return np.sum(getattr(losses, name)(t, p, **options) * projection)

    return weighted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options", "sample", "expected"), TABLE, ids=IDS)
def test_values_are_the_formulas(name: str, options: Any, sample: Any, expected: Any, dtype: Any) -> None:
    t, p = (x if x.dtype.kind == "i" else x.astype(dtype) for x in sample)
    found = getattr(losses, name)(t, p, **options)
    assert found.dtype == dtype
    wide = [x if x.dtype.kind == "i" else x.astype(np.float64) for x in (t, p)]
    np.testing.assert_allclose(found, expected(*wide), rtol=2e-4 if dtype is np.float32 else 2e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "options", "sample", "expected"), TABLE, ids=IDS)
def test_gradients_are_the_slopes(name: str, options: Any, sample: Any, expected: Any) -> None:
    t, p = sample
    shape = np.shape(expected(*sample))
    loss = total(name, options, t, np.random.default_rng(1).normal(size=shape))
    gradient = backlight.grad(loss)(p)
    direction = np.random.default_rng(2).normal(size=p.shape)
    step = 1e-6
    slope = (loss(p + step * direction) - loss(p - step * direction)) / (2 * step)
    assert np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "options", "sample", "expected"), TABLE, ids=IDS)
def test_compiled_equals_interpreted(name: str, options: Any, sample: Any, expected: Any) -> None:
    t, p = (x if x.dtype.kind == "i" else x.astype(np.float32) for x in sample)
    projection = np.random.default_rng(1).normal(size=np.shape(expected(*sample))).astype(np.float32)

    def loss(p: Any, t: Any) -> Any:
        return np.sum(getattr(losses, name)(t, p, **options) * projection)

    value, gradient = backlight.value_and_grad(loss)(p, t)
    compiled_value, compiled_gradient = backlight.compile(backlight.value_and_grad(loss), strict=True)(p, t)
    assert compiled_gradient.dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(compiled_value, value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compiled_gradient, gradient, rtol=1e-4, atol=1e-6)


def test_every_loss_has_a_row() -> None:
    functions = {name for name, thing in objects.NAMES.things.items() if not isinstance(thing, type)}
    assert functions == {name for name, *_ in TABLE}


# -- From the logits, whichever way it was written -----------------------------------------------------------------

SIGMOIDS: dict[str, Callable[[Any], Any]] = {
    "backlight.sigmoid": backlight.sigmoid,
    "1 / (1 + exp(-x))": lambda x: 1 / (1 + np.exp(-x)),
    "(1 + exp(-x)) ** -1": lambda x: (np.exp(-x) + 1.0) ** -1.0,
    "reciprocal": lambda x: np.reciprocal(1 + np.exp(-x)),
    "1 / (1 + exp(-1 · x))": lambda x: 1 / (1 + np.exp(-1.0 * x)),
    "reshaped": lambda x: backlight.sigmoid(x.reshape(-1)).reshape(x.shape),
    "cast": lambda x: backlight.sigmoid(x).astype(np.float64),
    "a slice of more": lambda x: backlight.sigmoid(np.concatenate([x, x]))[: x.shape[0]],
    "transposed": lambda x: backlight.sigmoid(x.T).T,
}
SOFTMAXES: dict[str, Callable[[Any], Any]] = {
    "backlight.softmax": backlight.softmax,
    "e / sum e": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    "exp twice": lambda x: np.exp(x) / np.sum(np.exp(x), axis=1)[:, None],
    "shifted": lambda x: (lambda e: e / e.sum(1, keepdims=True))(np.exp(x - x.max(1, keepdims=True))),
    "exp(log_softmax)": lambda x: np.exp(backlight.log_softmax(x)),
    "transposed": lambda x: backlight.softmax(x.T, axis=0).T,
    "reshaped": lambda x: backlight.softmax(x.reshape(1, *x.shape)).reshape(x.shape),
    "cast": lambda x: backlight.softmax(x).astype(np.float64),
}
EXTREME = np.array([[1e4, -1e4, 0.0], [-1e4, 2e4, 1.0], [3.0, 2.0, 1.0]])


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", SIGMOIDS)
def test_binary_crossentropy_sees_through_every_sigmoid(way: str, dtype: Any) -> None:
    x = EXTREME.astype(dtype)
    t = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]], dtype)
    exact = np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x.astype(np.float64))))

    def loss(x: Any) -> Any:
        return np.sum(losses.binary_crossentropy(t, SIGMOIDS[way](x)))

    value, gradient = backlight.value_and_grad(loss)(x)
    np.testing.assert_allclose(value, exact.mean(-1).sum(), rtol=1e-6)
    np.testing.assert_allclose(gradient, (backlight.sigmoid(x) - t) / 3, atol=1e-7)
    assert gradient.dtype == dtype


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("way", SOFTMAXES)
def test_categorical_crossentropy_sees_through_every_softmax(way: str, sparse: bool, dtype: Any) -> None:
    x, labels = EXTREME.astype(dtype), np.array([1, 0, 2])
    rows = x.astype(np.float64)
    top = rows.max(1, keepdims=True)
    exact = top[:, 0] + np.log(np.exp(rows - top).sum(1)) - rows[np.arange(3), labels]

    def loss(x: Any) -> Any:
        p = SOFTMAXES[way](x)
        if sparse:
            return np.sum(losses.sparse_categorical_crossentropy(labels, p))
        return np.sum(losses.categorical_crossentropy(np.eye(3, dtype=dtype)[labels], p))

    value, gradient = backlight.value_and_grad(loss)(x)
    np.testing.assert_allclose(value, exact.sum(), rtol=1e-6)
    np.testing.assert_allclose(gradient, backlight.softmax(x) - np.eye(3)[labels], atol=1e-6)


@pytest.mark.parametrize("name", ["binary_focal_crossentropy", "categorical_focal_crossentropy"])
def test_focal_losses_see_through_too(name: str) -> None:
    binary = name.startswith("binary")
    make = backlight.sigmoid if binary else backlight.softmax
    t = np.array([[0.0, 1.0, 0.0]])
    value = backlight.value_and_grad(lambda x: np.sum(getattr(losses, name)(t, make(x))))(EXTREME[:1])[0]
    np.testing.assert_allclose(value, (2e4 + 0.25 * np.log(2)) / 3 if binary else 0.25 * 2e4)


def test_what_is_no_softmax_is_not_taken_for_one() -> None:
    x = backlight.array(EXTREME[2:] / 3)
    e = np.exp(x)
    lookalikes = [
        x,
        x.value,
        2 / (1 + np.exp(-x)),
        1 / (2 + np.exp(-x)),
        e / np.exp(2 * x).sum(1, keepdims=True),
        e / e.sum(),
        np.clip(backlight.softmax(x), 0.1, 0.9),
        backlight.stop_gradient(backlight.softmax(x)),
        e / (e.sum(1, keepdims=True) + 1),
    ]
    for p in lookalikes[:4] + lookalikes[4:5] + lookalikes[6:]:
        assert origin_of(p) is None, p
    assert origin_of(lookalikes[5]).axis == (0, 1)  # type: ignore[union-attr]


def test_values_behind_the_moves_are_the_logarithms() -> None:
    x = backlight.array(RNG.normal(size=(4, 6)))
    for make, axis in ((backlight.softmax, -1), (backlight.softmax, 0), (lambda x, axis: backlight.sigmoid(x), 0)):
        p = make(x, axis)
        for moved in (p, p.T, p.reshape(2, 12), p[1:, ::2], p.T[2:].reshape(-1), p[0], np.broadcast_to(p, (3, 4, 6))):
            found = log_probabilities(moved)
            assert found.shape == moved.shape
            np.testing.assert_allclose(found.value, np.log(moved.value), rtol=1e-12)
    assert logits_of(backlight.softmax(x), "sigmoid") is None


MOVES: list[Callable[[Any], Any]] = [
    lambda p: p,
    lambda p: p.T,
    lambda p: p.reshape(2, 2, 6),
    lambda p: p.reshape(2, 12),
    lambda p: p.reshape(6, 4),
    lambda p: p[1:, ::2],
    lambda p: p[:, ::-1],
    lambda p: p[::-1, None],
    lambda p: p.reshape(2, 2, 6).transpose(1, 0, 2),
    lambda p: p.reshape(2, 2, 6).transpose(2, 0, 1),
    lambda p: np.broadcast_to(p, (3, 4, 6)),
    lambda p: p.astype(np.float32),
]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("move", MOVES, ids=range(len(MOVES)))
def test_moved_probabilities_give_the_loss_that_they_give_unseen(move: Any, axis: int) -> None:
    x = np.random.default_rng(5).normal(size=(4, 6))
    unseen = move(backlight.softmax(x, axis))
    t = np.random.default_rng(6).random(unseen.shape)
    for along in (-1, 0):
        found = losses.categorical_crossentropy(t, move(backlight.softmax(backlight.array(x), axis)), axis=along)
        expected = losses.categorical_crossentropy(t, unseen, axis=along)
        np.testing.assert_allclose(found.value, expected, rtol=1e-5 if unseen.dtype == np.float32 else 1e-12)


def test_a_softmax_over_other_axes_is_normalised_along_the_loss_axis() -> None:
    x = RNG.normal(size=(3, C))
    t = np.eye(C)[:3]
    plain = losses.categorical_crossentropy(t, backlight.softmax(x, axis=0))
    traced = losses.categorical_crossentropy(t, backlight.softmax(backlight.array(x), axis=0))
    np.testing.assert_allclose(traced.value, plain, rtol=1e-6)


def test_probabilities_of_unknown_origin_are_clipped_as_keras_does() -> None:
    found = losses.binary_crossentropy(np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]]))
    np.testing.assert_allclose(found, -np.log(EPS), rtol=1e-6)
    sparse = losses.sparse_categorical_crossentropy(np.array([1]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(sparse, -np.log(EPS), rtol=1e-6)


def test_saturated_logits_compile_too() -> None:
    def loss(x: Any, t: Any) -> Any:
        return np.sum(losses.sparse_categorical_crossentropy(t, backlight.softmax(x)))

    x, t = EXTREME.astype(np.float32), np.array([1, 0, 2])
    value, gradient = backlight.compile(backlight.value_and_grad(loss), strict=True)(x, t)
    np.testing.assert_allclose(value, 2e4 + 3e4 + loss(x[2:].astype(float), t[2:]), rtol=1e-6)
    np.testing.assert_allclose(gradient, backlight.softmax(x) - np.eye(3)[t], atol=1e-6)


# -- Single functions at their edges -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_large_errors_do_not_overflow(size: float) -> None:
    t, p = np.zeros((1, 2), np.float32), np.array([[size, -size]], np.float32)
    wide = np.float64(size)
    np.testing.assert_allclose(
        losses.log_cosh(t, p), wide + np.log1p(np.exp(-2 * wide)) - np.log(2), atol=2e-7 * max(size, 1)
    )
    np.testing.assert_allclose(losses.huber(t, p), [wide**2 / 2 if wide <= 1 else wide - 0.5], rtol=1e-6)


def test_ctc_of_what_cannot_be_spelled_is_infinite_and_has_no_gradient() -> None:
    x = RNG.normal(size=(2, 3, 3))
    labels = np.array([[1, 1, 1], [1, 2, 0]])  # 1 1 1 needs blanks between: five steps
    value = losses.ctc(labels, x)
    assert np.isinf(value[0])
    np.testing.assert_allclose(value[1], all_paths(labels[1:], x[1:])[0])
    gradient = backlight.grad(lambda x: np.sum(np.where(np.isinf(losses.ctc(labels, x)), 0, losses.ctc(labels, x))))(x)
    assert np.isfinite(gradient).all()
    assert not gradient[0].any()
    assert gradient[1].any()


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_ctc_of_few_steps_and_of_no_symbols(steps: int) -> None:
    x = RNG.normal(size=(2, steps, 3))
    labels = np.array([[0, 0], [2, 0]])
    np.testing.assert_allclose(losses.ctc(labels, x), all_paths(labels, x), rtol=1e-12)


def test_a_traced_label_out_of_range_makes_the_loss_nan() -> None:
    found = losses.sparse_categorical_crossentropy(backlight.array(np.array([0, 7])), backlight.array(SIMPLEX[:2]))
    assert np.isnan(found.value).tolist() == [False, True]


# -- Objects ---------------------------------------------------------------------------------------------------------

CLASSES = [thing for thing in objects.NAMES.things.values() if isinstance(thing, type)]
SAMPLES: dict[str, Any] = {"SparseCategoricalCrossentropy": SPARSE, "CTC": SPELLED}
REDUCED: dict[Any, Callable[..., Any]] = {
    "sum_over_batch_size": lambda v, w: (v * w).sum() / v.size,
    "mean": lambda v, w: (v * w).sum() / v.size,
    "sum": lambda v, w: (v * w).sum(),
    "mean_with_sample_weight": lambda v, w: (v * w).sum() / w.sum(),
    "none": lambda v, w: v * w,
    None: lambda v, w: v * w,
}


@pytest.mark.parametrize("reduction", REDUCED, ids=str)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_objects_weigh_and_reduce(kind: Any, reduction: Any) -> None:
    t, p = SAMPLES.get(kind.__name__, ONE_HOT)
    loss = kind(reduction=reduction)
    values = loss.call(t, p)
    weights = RNG.random(values.shape)
    np.testing.assert_allclose(loss(t, p), REDUCED[reduction](values, np.ones(values.shape)), rtol=1e-12)
    np.testing.assert_allclose(loss(t, p, sample_weight=weights), REDUCED[reduction](values, weights), rtol=1e-12)
    assert loss(t, p.astype(np.float32), sample_weight=weights).dtype == np.float32


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_objects_are_made_again_from_their_configuration(kind: Any) -> None:
    t, p = SAMPLES.get(kind.__name__, ONE_HOT)
    numbers = {"delta": 0.3, "alpha": 0.4, "gamma": 1.0, "beta": 0.2, "label_smoothing": 0.1, "ignore_class": 1}
    first = kind()
    changed = {name: numbers.get(name, value) for name, value in first.options.items()}
    loss = kind(**changed, reduction="sum", name="mine")
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is kind
    assert again.get_config() == loss.get_config() == {"name": "mine", "reduction": "sum", **changed}
    assert again(t, p) == loss(t, p)
    if changed != first.options:
        assert loss(t, p) != kind(reduction="sum")(t, p)


def test_a_weight_of_an_example_reaches_all_its_steps() -> None:
    t, p, w = RNG.random((3, 3, 2)), RNG.random((3, 3, 2)), np.array([1.0, 10.0, 100.0])
    values = losses.MeanSquaredError(reduction=None)(t, p)
    weighted = losses.MeanSquaredError(reduction=None)
    np.testing.assert_allclose(weighted(t, p, sample_weight=w), values * w[:, None])
    np.testing.assert_allclose(weighted(t, p, sample_weight=w[:, None]), values * w[:, None])
    flat = losses.MeanSquaredError(reduction=None)(t[:, 0, 0], p[:, 0, 0], sample_weight=w)
    np.testing.assert_allclose(flat, (t - p)[:, 0, 0] ** 2 * w)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_what_is_masked_does_not_count(reduction: str) -> None:
    t, p, w = RNG.random((4, 3)), RNG.random((4, 3)), np.array([1.0, 2.0, 3.0, 4.0])
    mask = np.array([True, False, True, True])
    loss = losses.MeanAbsoluteError(reduction=reduction)
    np.testing.assert_allclose(loss(t, p, sample_weight=w, mask=mask), loss(t[mask], p[mask], sample_weight=w[mask]))
    np.testing.assert_allclose(loss(t, p, mask=mask), loss(t[mask], p[mask]))


def test_a_mean_is_over_what_is_not_ignored() -> None:
    labels = np.array([1, 0, 2, 1])
    kept = labels != 1
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1)
    plain = losses.SparseCategoricalCrossentropy()
    np.testing.assert_allclose(loss(labels, SIMPLEX[:4]), plain(labels[kept], SIMPLEX[:4][kept]))
    np.testing.assert_allclose(loss(labels[:, None], SIMPLEX[:4]), plain(labels[kept], SIMPLEX[:4][kept]))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("mse", "mean_squared_error"),
        ("MAE", "mean_absolute_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("msle", "mean_squared_logarithmic_error"),
        ("bce", "binary_crossentropy"),
        ("kld", "kl_divergence"),
    ],
)
def test_short_names(name: str, function: str) -> None:
    assert losses.get(name) is getattr(losses, function)
    assert losses.serialize(losses.get(name)) == function
    keras_writes = {"module": "builtins", "class_name": "function", "config": function, "registered_name": "function"}
    assert losses.deserialize(keras_writes) is getattr(losses, function)


def test_get_takes_anything_that_is_a_loss() -> None:
    loss = losses.Huber(0.5)
    assert losses.get(loss) is loss
    assert losses.get(None) is None
    assert losses.get(losses.Huber).options == {"delta": 1.0}
    assert losses.get("Huber").name == "huber_loss"
    assert losses.BinaryCrossentropy(True, 0.1, 0).options == {"from_logits": True, "label_smoothing": 0.1, "axis": 0}
    assert losses.SparseCategoricalCrossentropy(False, 3, "sum").reduction == "sum"
    assert losses.deserialize("mine", {"mine": abs}) is abs


T, P = np.zeros((4, 3)), np.full((4, 3), 0.3)
sparse = losses.sparse_categorical_crossentropy
REFUSED: list[tuple[str, type[Exception], Callable[[], Any], tuple[str, ...]]] = [
    ("name", ArgumentError, lambda: losses.get("mean_square_error"), ("mean_squared_error",)),
    ("reduction", ArgumentError, lambda: losses.Huber(reduction="average"), ("average", "sum_over_batch_size")),
    ("option", CallError, lambda: losses.Huber(gamma=3), ("gamma", "delta")),
    ("arguments", CallError, lambda: losses.MeanSquaredError("sum", "name", None, 4), ("reduction",)),
    ("config", ArgumentError, lambda: losses.get({"class_name": "Huber"}), ("Huber",)),
    ("shapes", ShapeError, lambda: losses.mean_squared_error(T, P[:, :2]), ("(4, 3)", "(4, 2)")),
    (
        "shapes one-hot",
        ShapeError,
        lambda: losses.categorical_crossentropy(LABELS[:4], P),
        ("(4,)", "(4, 3)", "sparse"),
    ),
    ("shapes sparse", ShapeError, lambda: losses.sparse_categorical_crossentropy(T, P), ("(4, 3)", '"categorical')),
    (
        "labels high",
        ArgumentError,
        lambda: sparse([1, 2, 3, 1], P),
        ("3", "labels - 1"),
    ),
    ("labels far", ArgumentError, lambda: sparse([0, 2, 9, 1], P), ("9", "10")),
    (
        "labels low",
        ArgumentError,
        lambda: sparse([0, -1, 0, 1], P),
        ("ignore_class=-1",),
    ),
    ("labels broken", ArgumentError, lambda: sparse([0, 0.5, 0, 1], P), ("0.5",)),
    ("smoothing", ArgumentError, lambda: losses.binary_crossentropy(T, P, label_smoothing=2), ("2",)),
    ("weights", ShapeError, lambda: losses.Huber()(T, P, sample_weight=np.ones(3)), ("(3,)", "(4,)")),
    ("ctc", ShapeError, lambda: losses.ctc(T, P), ("(4, 3)",)),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("case", "kind", "call", "says"), REFUSED, ids=[row[0] for row in REFUSED])
def test_bad_input_is_named(
    case: str, kind: Any, call: Any, says: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(call, kind, language, monkeypatch)
    names_all(text, says, language)
    assert "test_nn_losses.py" in text
