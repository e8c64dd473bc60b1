"""Schedules against their closed forms, step by step in plain Python; in arrays, compiled, and made again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
from backlight.compiler.epoch import Epoch
from backlight.errors import ArgumentError
from backlight.optim import SGD, schedules
from backlight.optim.schedules import (
    SCHEDULES,
    ConstantSchedule,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    LinearWarmup,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
)


def cosine(share: float, alpha: float = 0.0) -> float:
    return (1 - alpha) * (1 + math.cos(math.pi * share)) / 2 + alpha


def warm_cosine(t: int) -> float:
    return 0.1 + (0.5 - 0.1) * t / 4 if t < 4 else 0.5 * cosine(min((t - 4) / 9, 1), 0.1)


def restarts(t: int, first: float, t_mul: float, m_mul: float, alpha: float) -> float:
    """Walk through the periods one by one."""
    length, height = first, 1.0
    while t >= length:
        t, length, height = t - length, length * t_mul, height * m_mul
    return 0.1 * ((1 - alpha) * height * (1 + math.cos(math.pi * t / length)) / 2 + alpha)


def one_cycle(t: int) -> float:
    """Of 21 steps a quarter goes up: to the step 5.25 - 1, counted from 0."""
    t = min(t, 20)
    if t < 4.25:
        return 0.05 + (1.0 - 0.05) * (1 - math.cos(math.pi * t / 4.25)) / 2
    return 0.005 + (1.0 - 0.005) * (1 + math.cos(math.pi * (t - 4.25) / 15.75)) / 2


def cycling(t: int) -> float:
    length = 4 * max(math.ceil(t / 4), 1)
    return (0.1 - 0.01) * (1 - t / length) ** 2 + 0.01


CASES: list[tuple[LearningRateSchedule, Callable[[int], float]]] = [
    (ConstantSchedule(0.3), lambda t: 0.3),
    (PiecewiseConstantDecay([3, 7], [1.0, 0.5, 0.1]), lambda t: 1.0 if t <= 3 else 0.5 if t <= 7 else 0.1),
    (PiecewiseConstantDecay([], [0.2]), lambda t: 0.2),
    (ExponentialDecay(0.1, 3, 0.5), lambda t: 0.1 * 0.5 ** (t / 3)),
    (ExponentialDecay(0.1, 3, 0.5, staircase=True), lambda t: 0.1 * 0.5 ** (t // 3)),
    (InverseTimeDecay(0.1, 3, 0.5), lambda t: 0.1 / (1 + 0.5 * t / 3)),
    (InverseTimeDecay(0.1, 3, 0.5, staircase=True), lambda t: 0.1 / (1 + 0.5 * (t // 3))),
    (PolynomialDecay(0.1, 7), lambda t: (0.1 - 1e-4) * (1 - min(t, 7) / 7) + 1e-4),
    (PolynomialDecay(0.1, 7, 0.01, power=0.5), lambda t: (0.1 - 0.01) * (1 - min(t, 7) / 7) ** 0.5 + 0.01),
    (PolynomialDecay(0.1, 4, 0.01, power=2.0, cycle=True), cycling),
    (CosineDecay(0.1, 9), lambda t: 0.1 * cosine(min(t / 9, 1))),
    (CosineDecay(0.1, 9, alpha=0.2), lambda t: 0.1 * cosine(min(t / 9, 1), 0.2)),
    (CosineDecay(0.1, 9, alpha=0.1, warmup_target=0.5, warmup_steps=4), warm_cosine),
    (CosineDecay(0.1, 9, warmup_steps=4), lambda t: 0.1 * cosine(min(t / 9, 1))),
    (CosineDecayRestarts(0.1, 3), lambda t: restarts(t, 3, 2.0, 1.0, 0.0)),
    (CosineDecayRestarts(0.1, 4, t_mul=1.5, m_mul=0.7, alpha=0.1), lambda t: restarts(t, 4, 1.5, 0.7, 0.1)),
    (CosineDecayRestarts(0.1, 4, t_mul=1.0, m_mul=0.7), lambda t: restarts(t, 4, 1.0, 0.7, 0.0)),
    (CosineDecayRestarts(0.1, 1, t_mul=10.0), lambda t: restarts(t, 1, 10.0, 1.0, 0.0)),
    (OneCycle(1.0, 21, warmup_share=0.25, div_factor=20.0, final_div_factor=10.0), one_cycle),
    (LinearWarmup(0.4, 5), lambda t: 0.4 * min(t / 5, 1)),
    (
        LinearWarmup(ExponentialDecay(0.1, 3, 0.5), 4, start=0.02),
        lambda t: 0.02 + (0.1 - 0.02) * t / 4 if t < 4 else 0.1 * 0.5 ** ((t - 4) / 3),
    ),
]
NAMES = [repr(schedule) for schedule, _ in CASES]
STEPS = 1200


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=NAMES)
def test_a_schedule_is_its_closed_form(schedule: LearningRateSchedule, formula: Callable[[int], float]) -> None:
    expected = [formula(t) for t in range(STEPS)]
    np.testing.assert_allclose([schedule(t) for t in range(40)], expected[:40], rtol=1e-12, atol=1e-15)
    together = schedule(np.arange(STEPS))
    assert together.dtype == np.float64
    np.testing.assert_allclose(together, expected, rtol=1e-10, atol=1e-14)
    assert np.min(together) >= 0


@pytest.mark.parametrize("t_mul", [1.3, 2.0, 3.0, 10.0])
def test_a_restart_is_neither_early_nor_late(t_mul: float) -> None:
    """The logarithm that tells the period is a rounding off at the very steps where a period begins."""
    schedule = CosineDecayRestarts(1.0, 1000, t_mul=t_mul)
    start, length = 0.0, 1000.0
    for _ in range(9):
        start, length = start + length, length * t_mul
        if start == int(start):
            assert schedule(int(start)) == pytest.approx(1.0, abs=1e-6)
        assert schedule(math.ceil(start) - 1) < 1e-2


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=NAMES)
def test_a_schedule_compiles(schedule: LearningRateSchedule, formula: Callable[[int], float]) -> None:
    del formula

    def step(state: Any, _: Any) -> Any:
        return state + 1, schedule(state)

    rates = Epoch(step)(np.zeros((), np.int64), np.zeros(40))
    np.testing.assert_allclose(rates, schedule(np.arange(40)), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=NAMES)
def test_a_schedule_comes_back_from_its_configuration(schedule: Any, formula: Callable[[int], float]) -> None:
    del formula
    data = schedules.serialize(schedule)
    again = schedules.deserialize(data)
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(again(np.arange(20)), schedule(np.arange(20)))
    assert schedules.get(data).get_config() == schedule.get_config()
    assert schedules.get(schedule) is schedule


def test_every_schedule_is_tested() -> None:
    assert {type(schedule).__name__ for schedule, _ in CASES} == set(SCHEDULES)


def test_an_optimiser_follows_its_schedule() -> None:
    w = np.array([0.0])
    optimizer = SGD(PiecewiseConstantDecay([0, 1], [1.0, 2.0, 4.0]))
    seen = []
    for _ in range(4):
        optimizer.apply_gradients([(np.array([-1.0]), w)])
        seen.append(w.item())
    assert seen == [1.0, 3.0, 7.0, 11.0]
    assert float(optimizer.learning_rate) == 4.0
    optimizer.learning_rate = 0.5
    optimizer.apply_gradients([(np.array([-1.0]), w)])
    assert w.item() == 11.5
    optimizer.learning_rate = ConstantSchedule(0.25)
    optimizer.apply_gradients([(np.array([-1.0]), w)])
    assert w.item() == 11.75


def test_a_schedule_of_the_users_own() -> None:
    class Square(LearningRateSchedule):
        def __init__(self, top: float) -> None:
            self.top = top

        def __call__(self, step: Any) -> Any:
            return self.top / (1 + step) ** 2

        def get_config(self) -> dict[str, Any]:
            return {"top": self.top}

    data = SGD(Square(2.0)).get_config()
    assert data["learning_rate"] == {"class_name": "Square", "config": {"top": 2.0}}
    with pytest.raises(ArgumentError, match="Square"):
        SGD.from_config(data)
    again = SGD.from_config(data, {"Square": Square})
    assert float(again.learning_rate) == 2.0


def test_a_rate_can_be_differentiated() -> None:
    found = backlight.grad(lambda t: CosineDecay(0.1, 9)(t))(3.0)
    assert found == pytest.approx(-0.1 * math.pi / 9 * math.sin(math.pi / 3) / 2, rel=1e-12)


BAD: list[tuple[str, Callable[[], Any], str]] = [
    ("a negative rate", lambda: CosineDecay(-0.1, 10), "initial_learning_rate"),
    ("no steps", lambda: ExponentialDecay(0.1, 0, 0.5), "decay_steps"),
    ("a factor of 0", lambda: ExponentialDecay(0.1, 3, 0.0), "decay_rate"),
    ("a value too few", lambda: PiecewiseConstantDecay([1, 2], [0.1, 0.2]), "values"),
    ("a negative value", lambda: PiecewiseConstantDecay([1], [0.1, -0.2]), "-0.2"),
    ("boundaries in disorder", lambda: PiecewiseConstantDecay([5, 2], [0.1, 0.2, 0.3]), "boundaries"),
    ("shrinking periods", lambda: CosineDecayRestarts(0.1, 10, t_mul=0.5), "t_mul"),
    ("one step", lambda: OneCycle(0.1, 1), "total_steps"),
    ("a share of 1", lambda: OneCycle(0.1, 10, warmup_share=1.0), "warmup_share"),
    ("no warm-up", lambda: LinearWarmup(0.1, 0), "warmup_steps"),
    ("a text", lambda: LinearWarmup("0.1", 5), "'0.1'"),
    ("nan", lambda: ConstantSchedule(float("nan")), "nan"),
    ("a bool", lambda: PolynomialDecay(True, 5), "True"),
    ("an unknown name", lambda: schedules.deserialize({"class_name": "Cosine", "config": {}}), "Cosine"),
    ("no configuration", lambda: schedules.get("cosine"), "cosine"),
    ("an unknown field", lambda: schedules.get({"class_name": "OneCycle", "config": {"steps": 3}}), "steps"),
]


@pytest.mark.parametrize(("call", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_schedules_are_named(
    call: Callable[[], Any], part: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(call, ArgumentError, language, monkeypatch)
    assert part in text
    assert ("应为" if language == "zh" else "Expected") in text
