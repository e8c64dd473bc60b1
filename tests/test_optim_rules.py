"""Every row of the table of optimisers against formulas written here from the papers, and against the laws all obey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
from backlight.compiler.epoch import Epoch
from backlight.errors import ArgumentError, ShapeError
from backlight.optim import OPTIMIZERS, RULES, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from backlight.optim.clipping import norm
from backlight.optim.rules import transformation

STEPS = 12
SHAPES = {"wide": (2, 5), "tall": (4, 3), "square": (3, 3)}

# -- The formulas, in float64, each as a generator that is sent gradients and yields parameters -----------------------

Path = Iterator[np.ndarray]


def sgd(p: Any, gs: Any, rate: float, momentum: float = 0.0, nesterov: bool = False) -> Path:
    """Sutskever's velocity form: v = μ v - rate g; Nesterov looks ahead from where v has led."""
    v = 0.0
    for g in gs:
        v = momentum * v - rate * g
        p = p + (momentum * v - rate * g if nesterov else v)
        yield p


def adagrad(p: Any, gs: Any, rate: float, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7) -> Path:
    for t in range(len(gs)):
        p = p - rate * gs[t] * (initial_accumulator_value + sum(g * g for g in gs[: t + 1]) + epsilon) ** -0.5
        yield p


def running(values: Any, share: float) -> np.ndarray:
    """The running average Σ (1 - share) shareᵗ⁻ⁱ xᵢ, written out."""
    n = len(values)
    return sum((1 - share) * share ** (n - 1 - i) * values[i] for i in range(n))


def adadelta(p: Any, gs: Any, rate: float, rho: float = 0.95, epsilon: float = 1e-7) -> Path:
    deltas: list[Any] = []
    for t in range(len(gs)):
        a = running([g * g for g in gs[: t + 1]], rho)
        d = running([x * x for x in deltas], rho) if deltas else 0.0
        deltas.append(-np.sqrt(d + epsilon) / np.sqrt(a + epsilon) * gs[t])
        p = p + rate * deltas[-1]
        yield p


def rmsprop(
    p: Any,
    gs: Any,
    rate: float,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
) -> Path:
    v = 0.0
    for t in range(len(gs)):
        spread = running([g * g for g in gs[: t + 1]], rho) - centered * running(gs[: t + 1], rho) ** 2
        v = momentum * v + rate * gs[t] / (spread + epsilon) ** 0.5
        p = p - v
        yield p


def adam(
    p: Any,
    gs: Any,
    rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
) -> Path:
    """The paper's m̂ / (√v̂ + ε̂), with ε̂ = ε / √(1-β₂ᵗ): the place of ε before the paper's last section 2."""
    largest = 0.0
    for t in range(1, len(gs) + 1):
        v = running([g * g for g in gs[:t]], beta_2)
        largest = np.maximum(largest, v)
        used = largest if amsgrad else v
        m_hat, v_hat = running(gs[:t], beta_1) / (1 - beta_1**t), used / (1 - beta_2**t)
        p = p - rate * m_hat / (np.sqrt(v_hat) + epsilon / np.sqrt(1 - beta_2**t))
        yield p


def adamax(p: Any, gs: Any, rate: float, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7) -> Path:
    for t in range(1, len(gs) + 1):
        u = np.max([beta_2 ** (t - 1 - i) * np.abs(gs[i]) for i in range(t)], axis=0)
        p = p - rate / (1 - beta_1**t) * running(gs[:t], beta_1) / (u + epsilon)
        yield p


def nadam(p: Any, gs: Any, rate: float, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7) -> Path:
    def u(t: int) -> float:
        return beta_1 * (1 - 0.5 * 0.96**t)

    for t in range(1, len(gs) + 1):
        product = np.prod([u(i) for i in range(1, t + 1)])
        m_bar = u(t + 1) * running(gs[:t], beta_1) / (1 - product * u(t + 1)) + (1 - u(t)) * gs[t - 1] / (1 - product)
        v_hat = running([g * g for g in gs[:t]], beta_2) / (1 - beta_2**t)
        p = p - rate * m_bar / (np.sqrt(v_hat) + epsilon)
        yield p


def lion(p: Any, gs: Any, rate: float, beta_1: float = 0.9, beta_2: float = 0.99) -> Path:
    for t in range(len(gs)):
        before = running(gs[:t], beta_2) if t else 0.0
        p = p - rate * np.sign(beta_1 * before + (1 - beta_1) * gs[t])
        yield p


def lamb(p: Any, gs: Any, rate: float, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7) -> Path:
    for t in range(1, len(gs) + 1):
        m_hat = running(gs[:t], beta_1) / (1 - beta_1**t)
        v_hat = running([g * g for g in gs[:t]], beta_2) / (1 - beta_2**t)
        step = m_hat / (np.sqrt(v_hat) + epsilon)
        p = p - rate * np.linalg.norm(p) / np.linalg.norm(step) * step
        yield p


def muon(
    p: Any,
    gs: Any,
    rate: float,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_steps: int = 5,
    muon_a: float = 3.4445,
    muon_b: float = -4.775,
    muon_c: float = 2.0315,
    rms_rate: float | None = 0.2,
) -> Path:
    """By singular values: the iteration is the polynomial a s + b s³ + c s⁵ on each of them."""
    m = 0.0
    for g in gs:
        m = momentum * m + g
        direction = g + momentum * m if nesterov else m
        u, s, vt = np.linalg.svd(direction, full_matrices=False)
        s = s / (np.sqrt(np.sum(s**2)) + 1e-7)
        for _ in range(ns_steps):
            s = muon_a * s + muon_b * s**3 + muon_c * s**5
        scale = 1.0 if rms_rate is None else rms_rate * max(p.shape) ** 0.5
        p = p - rate * scale * (u * s) @ vt
        yield p


FORMULAS: dict[str, Callable[..., Path]] = {
    "sgd": sgd,
    "adagrad": adagrad,
    "adadelta": adadelta,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adam,
    "adamax": adamax,
    "nadam": nadam,
    "lion": lion,
    "lamb": lamb,
    "muon": muon,
}
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in FORMULAS),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.8, "nesterov": True}),
    ("adagrad", {"initial_accumulator_value": 0.0, "epsilon": 1e-2}),
    ("adadelta", {"rho": 0.8, "epsilon": 1e-2}),
    ("rmsprop", {"rho": 0.5, "momentum": 0.7, "epsilon": 1e-2}),
    ("rmsprop", {"centered": True, "epsilon": 1e-3}),
    ("rmsprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-3}),
    ("adam", {"amsgrad": True}),
    ("adam", {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2, "amsgrad": True}),
    ("adamw", {"beta_1": 0.7}),
    ("adamax", {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2}),
    ("nadam", {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2}),
    ("lion", {"beta_1": 0.5, "beta_2": 0.6}),
    ("lamb", {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2}),
    ("muon", {"momentum": 0.5, "nesterov": False, "ns_steps": 3}),
    ("muon", {"rms_rate": None, "muon_a": 2.0, "muon_b": -1.5, "muon_c": 0.5}),
]
NAMES = [f"{name} {options}" if options else name for name, options in CASES]


def problem(dtype: Any, seed: int = 0) -> tuple[list[Any], list[list[Any]]]:
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape).astype(dtype) for shape in SHAPES.values()]
    gradients = [[rng.normal(size=shape).astype(dtype) for shape in SHAPES.values()] for _ in range(STEPS)]
    return start, gradients


def followed(name: str, options: dict[str, Any], dtype: Any, rate: float) -> Iterator[tuple[list[Any], list[Any]]]:
    parameters, gradients = problem(dtype)
    init, update = transformation(name, **options)
    slots = init(parameters)
    for t, g in enumerate(gradients):
        parameters, slots = update(g, slots, parameters, t, rate)
        yield parameters, slots


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_a_rule_is_its_formula(name: str, options: dict[str, Any]) -> None:
    start, gradients = problem(np.float64)
    paths = [FORMULAS[name](p, [g[k] for g in gradients], 0.1, **options) for k, p in enumerate(start)]
    steps = 0
    for (parameters, _), *expected in zip(followed(name, options, np.float64, 0.1), *paths, strict=True):
        steps += 1
        for got, want in zip(parameters, expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)
    assert steps >= 10


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_float32_stays_float32_and_near(name: str, options: dict[str, Any]) -> None:
    near = 2e-5 if name != "muon" else 2e-4
    exact, single = (followed(name, options, dtype, 0.01) for dtype in (np.float64, np.float32))
    for (wide, _), (parameters, slots) in zip(exact, single, strict=True):
        for got, want in zip(parameters, wide, strict=True):
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, want, rtol=near, atol=near)
        assert {array.dtype for own in slots for array in own.values()} <= {np.dtype(np.float32)}


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_the_parameter_decides_the_dtype(name: str, options: dict[str, Any]) -> None:
    init, update = transformation(name, **options)
    start = [np.ones((2, 3), np.float32)]
    gradient = np.array([[0.1, 0.2, -0.3], [1.0, 2.0, 3.0]])
    slots = init(start)
    wide, own = update([gradient], slots, start, 0, np.float64(0.1))
    single, same = update([gradient.astype(np.float32)], slots, start, 0, 0.1)
    assert wide[0].dtype == np.float32
    np.testing.assert_array_equal(wide[0], single[0])
    assert all(own[0][key].dtype == same[0][key].dtype == np.float32 for key in same[0])


def test_every_rule_has_a_formula_and_a_class() -> None:
    assert set(FORMULAS) == set(RULES) == {name for name in OPTIMIZERS if name in RULES}
    for rule in RULES.values():
        assert rule.equation
        assert rule.source


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_a_gradient_of_zero_moves_nothing(name: str, options: dict[str, Any]) -> None:
    init, update = transformation(name, **options)
    start = [np.array([[1.0, -2.0], [0.0, 3.0]])]
    parameters, slots = start, init(start)
    for t in range(3):
        parameters, slots = update([np.zeros((2, 2))], slots, parameters, t, 0.1)
    np.testing.assert_array_equal(parameters[0], start[0])
    assert all(np.all(np.isfinite(array)) for array in slots[0].values())


LARGE = [(name, options, size) for name, options in CASES for size in (1e15, 1e30)]
LARGE = [case for case in LARGE if case[2] < 1e20 or not case[1].get("centered")]  # centred: ∞ - ∞ is no number


@pytest.mark.parametrize(("name", "options", "size"), LARGE)
def test_large_gradients_give_numbers(name: str, options: dict[str, Any], size: float) -> None:
    """The squares overflow at 1e30; the steps become 0 then, and nothing worse."""
    init, update = transformation(name, **options)
    parameters = [np.ones((2, 2), np.float32)]
    slots = init(parameters)
    gradient = np.array([[1, -1], [2, 1]], np.float32) * np.float32(size)
    with np.errstate(all="ignore"):
        for t in range(4):
            parameters, slots = update([gradient], slots, parameters, t, 0.01)
    assert np.all(np.isfinite(parameters[0]))
    if name != "sgd":
        assert np.all(np.abs(parameters[0] - 1) < 1)


RATES = {"sgd": 0.1, "adadelta": 10.0, "lion": 0.01, "lamb": 0.05, "muon": 0.2, "adagrad": 0.5}


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_a_quadratic_is_minimised(name: str, options: dict[str, Any]) -> None:
    """f(p) = ½ Σ c p², started at 3.25, ends below a hundredth of it; the rate falls so that nothing circles."""
    c = np.array([[1.0, 2.0], [0.5, 1.5]])
    init, update = transformation(name, **options)
    parameters = [np.array([[1.0, -1.0], [2.0, -1.0]])]
    slots = init(parameters)
    rate = RATES.get(name, 0.05)
    for t in range(400):
        parameters, slots = update([c * parameters[0]], slots, parameters, t, rate * (1 - t / 400))
    assert 0.5 * np.sum(c * parameters[0] ** 2) < 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_compiled_equals_interpreted(name: str, options: dict[str, Any], dtype: Any) -> None:
    start, gradients = problem(dtype)
    init, update = transformation(name, **options)

    def step(state: Any, row: Any, *all_gradients: Any) -> Any:
        parameters, slots, t, rate = state
        parameters, slots = update([g[row] for g in all_gradients], slots, parameters, t, rate)
        return (parameters, slots, t + 1, rate), None

    state = ([p.copy() for p in start], init(start), np.zeros((), np.int64), np.array(0.01))
    stacked = [np.stack([g[k] for g in gradients]) for k in range(len(start))]
    Epoch(step)(state, np.arange(STEPS), *stacked)
    interpreted = list(followed(name, options, dtype, 0.01))[-1]
    near = 1e-11 if dtype == np.float64 else 2e-5 if name != "muon" else 2e-4
    for got, want in zip(state[0], interpreted[0], strict=True):
        assert got.dtype == want.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=near, atol=near)
    for got, want in zip(state[1], interpreted[1], strict=True):
        assert got.keys() == want.keys()
        for key in want:
            np.testing.assert_allclose(got[key], want[key], rtol=near, atol=near)


def test_a_step_can_be_differentiated() -> None:
    """The loss after an Adam step, as a function of the rate: what it says agrees with finite differences."""
    init, update = transformation("adam")
    start, target = [np.array([1.0, -2.0])], np.array([0.5, 0.5])

    def after(rate: Any) -> Any:
        parameters, slots = start, init(start)
        for t in range(3):
            parameters, slots = update([parameters[0] - target], slots, parameters, t, rate)
        return np.sum((parameters[0] - target) ** 2)

    numeric = (after(0.1 + 1e-6) - after(0.1 - 1e-6)) / 2e-6
    assert backlight.grad(after)(0.1) == pytest.approx(numeric, rel=1e-7)


# -- Clipping ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("limit", [0.1, 1.0, 1e3])
def test_clipping_is_what_it_says(dtype: Any, limit: float) -> None:
    gradients = [g.astype(dtype) for g in problem(np.float64)[1][0]]
    norms = [float(np.linalg.norm(g.astype(np.float64))) for g in gradients]
    whole = float(np.linalg.norm(norms))
    near = {"rtol": 1e-6 if dtype == np.float32 else 1e-13}
    for got, g, size in zip(clip_by_norm(gradients, limit), gradients, norms, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, g * min(1.0, limit / size), **near)
    for got, g in zip(clip_by_global_norm(gradients, limit), gradients, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, g * min(1.0, limit / whole), **near)
    for got, g in zip(clip_by_value(gradients, limit), gradients, strict=True):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, np.clip(g, -limit, limit))
    assert float(global_norm(gradients)) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("values", [[3e38, -3e38], [0.0, 0.0], [1e-38, 0.0], [5.0]])
def test_the_norm_neither_overflows_nor_vanishes(values: list[float]) -> None:
    x = np.array(values, np.float32)
    assert float(norm(x)) == pytest.approx(float(np.hypot.reduce(x.astype(np.float64))), rel=1e-12)
    wide = np.array(values) * 1e150  # where float64's own squares overflow
    assert float(norm(wide)) == pytest.approx(float(np.hypot.reduce(wide)), rel=1e-12)
    with np.errstate(all="ignore"):
        clipped = clip_by_norm([x], 1.0)[0]
    assert float(norm(clipped)) <= 1 + 1e-6


def test_clipping_of_what_is_no_number() -> None:
    broken = [np.array([np.inf, 1.0]), np.array([1.0])]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(clip_by_norm(broken, 1.0)[0], [np.nan, 0.0])
        assert all(np.all(np.isnan(g)) for g in clip_by_global_norm(broken, 1.0))
        np.testing.assert_array_equal(clip_by_value(broken, 1.0)[0], [1.0, 1.0])
        assert np.all(np.isnan(clip_by_global_norm([np.array([np.nan, 1.0])], 1.0)[0]))
    assert clip_by_global_norm([None, np.array([2.0])], 1.0)[0] is None
    assert float(norm(np.zeros((0, 3)))) == 0


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value, clip_by_global_norm])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_compiles(clip: Any, dtype: Any) -> None:
    gradients = [g.astype(dtype) for g in problem(np.float64)[1][0]]
    compiled = backlight.compile(lambda gs: clip(gs, 0.5), strict=True)
    for got, want in zip(compiled(gradients), clip(gradients, 0.5), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=1e-6 if dtype == np.float32 else 1e-13)


# -- Bad arguments -------------------------------------------------------------------------------------------------

BAD: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("an unknown rule", lambda: transformation("adm"), ArgumentError, "'adm'"),
    ("an unknown option", lambda: transformation("adam", beta1=0.9), ArgumentError, "beta1"),
    ("a share of 1", lambda: transformation("adam", beta_1=1.0), ArgumentError, "beta_1"),
    ("a negative ε", lambda: transformation("adam", epsilon=-1e-7), ArgumentError, "-1e-07"),
    ("momentum above 1", lambda: transformation("sgd", momentum=1.5), ArgumentError, "momentum"),
    ("a number for a switch", lambda: transformation("sgd", nesterov=1), ArgumentError, "nesterov"),
    ("half a step", lambda: transformation("muon", ns_steps=2.5), ArgumentError, "ns_steps"),
    ("no number", lambda: transformation("sgd", momentum="0.9"), ArgumentError, "'0.9'"),
    ("Lion without a memory", lambda: transformation("lion", beta_1=0.0), ArgumentError, "(0, 1]"),
    ("a limit of 0", lambda: clip_by_norm([np.ones(2)], 0.0), ArgumentError, "clipnorm"),
    ("a negative limit", lambda: clip_by_global_norm([np.ones(2)], -1.0), ArgumentError, "-1.0"),
    ("a limit of nan", lambda: clip_by_value([np.ones(2)], np.nan), ArgumentError, "nan"),
    (
        "another shape",
        lambda: transformation("sgd").update([np.ones(2)], [{}], [np.ones(3)], 0, 0.1),
        ShapeError,
        "(2,)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_arguments_are_named(
    call: Callable[[], Any], kind: type[Exception], part: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(call, kind, language, monkeypatch)
    assert part in text
    assert ("应为" if language == "zh" else "Expected") in text
