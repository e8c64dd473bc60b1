"""Activations, initialisers, regularisers and constraints: tables against formulas, laws, names, bad input."""

from __future__ import annotations

import inspect
import math
import string
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refused import names_all, said

import backlight
from backlight import random
from backlight.errors import ArgumentError, ShapeError
from backlight.messages import MESSAGES
from backlight.nn import activations, constraints, initializers, regularizers
from backlight.nn import texts as nn_texts
from backlight.train import texts as train_texts
from backlight.train.callbacks import texts as callback_texts

# -- Activations -----------------------------------------------------------------------------------------------------

ERF = np.vectorize(math.erf)
ACTIVATIONS: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
    ("linear", {}, lambda x: x),
    ("relu", {}, lambda x: np.where(x > 0, x, 0)),
    ("relu", {"max_value": 1.5}, lambda x: np.clip(x, 0, 1.5)),
    (
        "relu",
        {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5},
        lambda x: np.where(x > 0.5, np.where(x > 2, 2, x), 0.1 * (x - 0.5)),
    ),
    ("relu", {"threshold": 0.5}, lambda x: np.where(x > 0.5, x, 0)),
    ("relu6", {}, lambda x: np.clip(x, 0, 6)),
    ("leaky_relu", {}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("leaky_relu", {"negative_slope": 0.05}, lambda x: np.where(x > 0, x, 0.05 * x)),
    ("elu", {}, lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)),
    ("elu", {"alpha": 0.4}, lambda x: np.where(x > 0, x, 0.4 * (np.exp(np.minimum(x, 0)) - 1))),
    (
        "selu",
        {},
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(np.minimum(x, 0)) - 1)),
    ),
    ("gelu", {}, lambda x: x * (1 + ERF(x / np.sqrt(2))) / 2),
    (
        "gelu",
        {"approximate": True},
        lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
    ),
    ("silu", {}, lambda x: x / (1 + np.exp(-x))),
    ("sigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
    ("hard_sigmoid", {}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ("tanh", {}, lambda x: 1 - 2 / (1 + np.exp(2 * x))),
    ("softplus", {}, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))),
    ("softsign", {}, lambda x: x / (1 + abs(x))),
    ("softmax", {}, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    ("softmax", {"axis": 0}, lambda x: np.exp(x) / np.exp(x).sum(0)),
    ("log_softmax", {}, lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
    ("mish", {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ("exponential", {}, np.exp),
]
IDS = [f"{name}-{k}" for k, (name, *_) in enumerate(ACTIVATIONS)]
X = np.random.default_rng(3).normal(size=(5, 7)) * 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options", "expected"), ACTIVATIONS, ids=IDS)
def test_activations_are_their_formulas(name: str, options: Any, expected: Any, dtype: Any) -> None:
    x = X.astype(dtype)
    found = activations.get(name)(x, **options)
    assert found.dtype == dtype
    tolerance = 2e-6 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(found, expected(x.astype(np.float64)), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options", "expected"), ACTIVATIONS, ids=IDS)
def test_slopes_and_compiled_activations(name: str, options: Any, expected: Any) -> None:
    weights = np.random.default_rng(4).normal(size=X.shape)

    def total(x: Any) -> Any:
        return np.sum(activations.get(name)(x, **options) * weights.astype(x.dtype))

    gradient = backlight.grad(total)(X)
    step, direction = 1e-6, np.random.default_rng(5).normal(size=X.shape)
    slope = (total(X + step * direction) - total(X - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6, atol=1e-7)
    x = X.astype(np.float32)
    compiled = backlight.compile(backlight.value_and_grad(total), strict=True)(x)
    for one, other in zip(compiled, backlight.value_and_grad(total)(x), strict=True):
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("name", [name for name in activations.NAMES.things if name != "exponential"])
def test_activations_far_out_are_finite_and_so_are_their_gradients(name: str) -> None:
    x = np.array([[-1e4, -90.0, 0.0, 90.0, 1e4]], np.float32)
    value, gradient = backlight.value_and_grad(lambda x: np.sum(activations.get(name)(x)))(x)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", activations.NAMES.things)
def test_activations_have_names(name: str) -> None:
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.deserialize(activations.serialize(function)) is function
    assert {row[0] for row in ACTIVATIONS} == set(activations.NAMES.things)


# -- Initialisers ----------------------------------------------------------------------------------------------------

SHAPE = (4, 5, 20, 60)
FAN_IN, FAN_OUT = 400, 1200
DRAWN: list[tuple[str, dict[str, Any], float, float]] = [  # options, standard deviation, bound in those
    ("GlorotUniform", {}, np.sqrt(2 / (FAN_IN + FAN_OUT)), 3**0.5),
    ("GlorotNormal", {}, np.sqrt(2 / (FAN_IN + FAN_OUT)), 2 / 0.8796),
    ("HeUniform", {}, np.sqrt(2 / FAN_IN), 3**0.5),
    ("HeNormal", {}, np.sqrt(2 / FAN_IN), 2 / 0.8796),
    ("LecunUniform", {}, np.sqrt(1 / FAN_IN), 3**0.5),
    ("LecunNormal", {}, np.sqrt(1 / FAN_IN), 2 / 0.8796),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out"}, np.sqrt(3 / FAN_OUT), 2 / 0.8796),
    ("VarianceScaling", {"distribution": "untruncated_normal"}, np.sqrt(1 / FAN_IN), np.inf),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform"}, np.sqrt(1 / 800), 3**0.5),
    ("RandomUniform", {}, 0.1 / 12**0.5, 3**0.5),
    ("RandomNormal", {"stddev": 0.3}, 0.3, np.inf),
    ("TruncatedNormal", {"stddev": 0.3}, 0.3 * 0.8796, 2 / 0.8796),
]


@pytest.mark.parametrize(("name", "options", "deviation", "bound"), DRAWN)
def test_initialisers_have_their_moments(name: str, options: Any, deviation: float, bound: float) -> None:
    w = getattr(initializers, name)(**options, seed=5)(SHAPE)
    assert w.shape == SHAPE
    assert w.dtype == np.float32
    assert abs(w.mean()) < 5 * deviation / np.sqrt(w.size)
    assert abs(w.std() / deviation - 1) < 0.02
    largest = np.abs(w).max() / deviation
    assert 0.97 * min(bound, 4.0) < largest < 1.001 * bound


@pytest.mark.parametrize(("name", "options", "deviation", "bound"), DRAWN)
def test_a_draw_is_a_function_of_seed_or_key(name: str, options: Any, deviation: float, bound: float) -> None:
    kind = getattr(initializers, name)
    one = kind(**options, seed=5)
    np.testing.assert_array_equal(one((3, 4)), one((3, 4)))
    np.testing.assert_array_equal(one((3, 4)), kind(**options, seed=5)((3, 4)))
    assert (one((3, 4)) != kind(**options, seed=6)((3, 4))).any()
    np.testing.assert_array_equal(one((3, 4)), kind(**options, seed=9)((3, 4), key=random.key(5)))
    assert (kind(**options)((3, 4)) != kind(**options)((3, 4))).any()
    again = initializers.deserialize(initializers.serialize(one))
    np.testing.assert_array_equal(again((3, 4), np.float64), one((3, 4), np.float64))
    assert one((3, 4), np.float64).dtype == np.float64


def test_draws_are_the_same_on_every_machine() -> None:
    """Numbers as they were first drawn."""
    np.testing.assert_allclose(initializers.RandomUniform(0.0, 1.0, seed=1)((4,), np.float64), PINNED_UNIFORM, rtol=0)
    np.testing.assert_allclose(initializers.GlorotUniform(seed=1)((2, 2)), PINNED_GLOROT, rtol=0)
    np.testing.assert_allclose(initializers.HeNormal(seed=1)((2, 2), np.float64), PINNED_HE, rtol=1e-13)
    np.testing.assert_allclose(initializers.Orthogonal(seed=1)((2, 2), np.float64), PINNED_ORTHOGONAL, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (7, 3), (3, 7), (3, 3, 2, 5), (1, 4)])
def test_orthogonal_matrices(shape: tuple[int, ...]) -> None:
    w = initializers.Orthogonal(gain=2.0, seed=3)(shape, np.float64)
    flat = w.reshape(-1, shape[-1])
    square = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    np.testing.assert_allclose(square, 4 * np.eye(len(square)), atol=1e-14)
    tall = random.normal(random.key(3), (max(flat.shape), min(flat.shape)))
    q, r = np.linalg.qr(tall)
    q = 2 * q * np.sign(np.diag(r))
    np.testing.assert_allclose(flat if flat.shape[0] >= flat.shape[1] else flat.T, q, atol=1e-13)


def test_constant_initialisers() -> None:
    np.testing.assert_array_equal(initializers.get("zeros")((2, 3)), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(initializers.get("ones")(3), np.ones(3, np.float32))
    np.testing.assert_array_equal(initializers.Constant([1, 2])((2, 2)), np.array([[1, 2], [1, 2]], np.float32))
    np.testing.assert_array_equal(initializers.Identity(3)((2, 3)), 3 * np.eye(2, 3, dtype=np.float32))
    assert (
        type(initializers.get({"module": "keras.initializers", "class_name": "Zeros", "config": {}})).__name__
        == "Zeros"
    )


@pytest.mark.parametrize("alias", initializers.NAMES.aliases)
def test_initialisers_have_names(alias: str) -> None:
    found = initializers.get(alias)
    again = initializers.deserialize(initializers.serialize(found))
    assert repr(again) == repr(found)


# -- Regularisers and constraints ------------------------------------------------------------------------------------

W = np.random.default_rng(8).normal(size=(6, 4)) * 2


def cosines(w: Any) -> float:
    pairs = [(a, b) for a in range(len(w)) for b in range(a)]
    norm = np.linalg.norm
    return float(np.mean([abs(w[a] @ w[b]) / norm(w[a]) / norm(w[b]) for a, b in pairs]))


PENALTIES: list[tuple[Any, Callable[[Any], Any]]] = [
    (regularizers.L1(), lambda w: 0.01 * abs(w).sum()),
    (regularizers.L1(0.3), lambda w: 0.3 * abs(w).sum()),
    (regularizers.L2(), lambda w: 0.01 * (w**2).sum()),
    (regularizers.L1L2(), lambda w: 0.0),
    (regularizers.L1L2(0.3, 0.2), lambda w: 0.3 * abs(w).sum() + 0.2 * (w**2).sum()),
    (regularizers.OrthogonalRegularizer(), lambda w: 0.01 * cosines(w)),
    (regularizers.OrthogonalRegularizer(0.5, "columns"), lambda w: 0.5 * cosines(w.T)),
]


def norms(w: Any, axis: Any) -> Any:
    return np.linalg.norm(w, axis=axis, keepdims=True)


PROJECTIONS: list[tuple[Any, Callable[[Any], Any]]] = [
    (constraints.MaxNorm(), lambda w: w * np.minimum(1, 2 / norms(w, 0))),
    (constraints.MaxNorm(0.7, axis=1), lambda w: w * np.minimum(1, 0.7 / norms(w, 1))),
    (constraints.UnitNorm(), lambda w: w / norms(w, 0)),
    (constraints.UnitNorm(axis=[0, 1]), lambda w: w / np.sqrt((w**2).sum())),
    (constraints.NonNeg(), lambda w: np.where(w > 0, w, 0)),
    (constraints.MinMaxNorm(), lambda w: w * np.minimum(1, 1 / norms(w, 0))),
    (
        constraints.MinMaxNorm(6.0, 7.0, rate=0.4, axis=1),
        lambda w: w / norms(w, 1) * (0.4 * np.clip(norms(w, 1), 6, 7) + 0.6 * norms(w, 1)),
    ),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("made", "expected"), PENALTIES + PROJECTIONS, ids=lambda made: "" if inspect.isfunction(made) else repr(made)[:50]
)
def test_penalties_and_projections_are_their_formulas(made: Any, expected: Any, dtype: Any) -> None:
    found = made(W.astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected(W.astype(dtype).astype(np.float64)), rtol=2e-6, atol=1e-7)
    compiled = backlight.compile(made, strict=True)(W.astype(dtype))
    np.testing.assert_allclose(compiled, found, rtol=1e-5, atol=1e-7)
    zeros = np.zeros_like(W.astype(dtype))
    assert np.isfinite(made(zeros)).all()
    module = regularizers if isinstance(made, regularizers.Regularizer) else constraints
    again = module.deserialize(module.serialize(made))
    assert repr(again) == repr(made)
    np.testing.assert_array_equal(again(W), made(W))


@pytest.mark.parametrize(
    ("made", "expected"), PENALTIES, ids=lambda made: "" if inspect.isfunction(made) else repr(made)[:50]
)
def test_gradients_of_penalties(made: Any, expected: Any) -> None:
    gradient = backlight.grad(lambda w: made(w) * 1.0)(W)
    direction, step = np.random.default_rng(9).normal(size=W.shape), 1e-6
    slope = (made(W + step * direction) - made(W - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6, atol=1e-9)


# -- What is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted({**nn_texts.TEXTS, **train_texts.TEXTS, **callback_texts.TEXTS}))
def test_both_languages_tell_the_same_facts(key: str) -> None:
    english, chinese = MESSAGES[key]

    def facts(text: str) -> set[str]:
        return {name.split("!")[0] for _, name, _, _ in string.Formatter().parse(text) if name}

    assert facts(english) == facts(chinese)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


# -- Bad input -------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, type[Exception], Callable[[], Any], tuple[str, ...]]] = [
    ("activation", ArgumentError, lambda: activations.get("rleu"), ("rleu", "relu")),
    ("number", ArgumentError, lambda: activations.get(3), ("int 3",)),
    ("initializer", ArgumentError, lambda: initializers.get("glorot"), ("glorot", "glorot_uniform")),
    ("regularizer", ArgumentError, lambda: regularizers.get("L3"), ("L3", "l1")),
    ("constraint", ArgumentError, lambda: constraints.get("max"), ("max_norm",)),
    ("mode", ArgumentError, lambda: initializers.VarianceScaling(mode="fan"), ("mode", "fan_avg")),
    ("distribution", ArgumentError, lambda: initializers.VarianceScaling(distribution="n"), ("uniform",)),
    ("scale", ArgumentError, lambda: initializers.VarianceScaling(scale=0), ("scale", "0")),
    ("seed", ArgumentError, lambda: initializers.HeNormal(seed=-1), ("seed", "-1")),
    ("identity", ShapeError, lambda: initializers.Identity()((3,)), ("(3,)",)),
    ("orthogonal", ShapeError, lambda: initializers.Orthogonal()((3,)), ("(3,)",)),
    ("factor", ArgumentError, lambda: regularizers.L2(-1), ("l2", "-1")),
    ("factor nan", ArgumentError, lambda: regularizers.L1(float("nan")), ("l1", "nan")),
    ("rows", ArgumentError, lambda: regularizers.OrthogonalRegularizer(mode="row"), ("row", "columns")),
    ("matrix", ShapeError, lambda: regularizers.OrthogonalRegularizer()(W[0]), ("(4,)",)),
    ("config", ArgumentError, lambda: initializers.get({"class_name": "Zeros", "config": {"value": 3}}), ("value",)),
    ("class", ArgumentError, lambda: initializers.get({"class_name": "os", "config": {}}), ("'os'",)),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("case", "kind", "call", "says"), REFUSED, ids=[row[0] for row in REFUSED])
def test_bad_input_is_named(
    case: str, kind: Any, call: Any, says: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_all(said(call, kind, language, monkeypatch), says, language)


PINNED_UNIFORM = [0.8902591729757107, 0.5857259483801359, 0.6719982688953429, 0.4755932259503992]
PINNED_GLOROT = [[0.9559358358383179, 0.9667760133743286], [0.20998477935791016, 0.5174989700317383]]
PINNED_HE = [[1.2940726328431222, 0.23483341205506386], [0.48188358725143515, -0.06642403971716382]]
PINNED_ORTHOGONAL = [[0.9400572513986354, 0.34101666248563706], [0.341016662485637, -0.9400572513986355]]
