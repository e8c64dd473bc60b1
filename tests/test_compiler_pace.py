"""The number of threads by measurement: simulated machines, quiet and busy, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from backlight import compile
from backlight.compiler.pace import MOST_WAIT, Pace

Machine = Callable[[int, float], float]  # seconds of a run, by threads and time


def lived(machine: Machine, until: float, many: int = 2) -> list[tuple[float, int, float]]:
    """Every run until then: when it began, on how many threads, how long it took."""
    pace, now, runs = Pace(many), 0.0, []
    while now < until:
        threads = pace.threads(now)
        seconds = machine(threads, now)
        runs.append((now, threads, seconds))
        now += seconds
        pace.took(threads, seconds, now)
    return runs


def share(runs: list[tuple[float, int, float]], threads: int, since: float = 0.0) -> float:
    """The share of the time that was spent on so many threads."""
    return sum(s for t, k, s in runs if k == threads and t >= since) / sum(s for t, _, s in runs if t >= since)


@pytest.mark.parametrize("run", [2e-5, 1e-3, 0.1])
def test_where_cores_are_free_all_threads_work(run: float) -> None:
    runs = lived(lambda threads, now: run * (1.8 if threads == 1 else 1.0), min(30.0, 2e5 * run))
    assert share(runs, 2) > 0.97


@pytest.mark.parametrize("run", [2e-5, 1e-3, 0.1])
def test_where_others_use_the_cores_one_thread_is_enough(run: float) -> None:
    noise = np.random.default_rng(0)
    runs = lived(lambda threads, now: run * (2.0 if threads == 1 else noise.uniform(20, 60)), min(200.0, 2e6 * run))
    assert share(runs, 1, runs[-1][0] / 6) > 0.85


def test_when_the_others_are_done_all_threads_come_back_and_so_on() -> None:
    runs = lived(lambda threads, now: 1e-3 * (1.8 if threads == 1 else 50.0 if 10 < now < 20 else 1.0), 60.0)
    assert share([run for run in runs if 11 < run[0] < 20], 1) > 0.8
    back = next(t for t, threads, _ in runs if t > 20 and threads == 2)
    assert back < 20 + MOST_WAIT + 1
    assert share(runs, 2, back) > 0.97


def test_long_runs_are_tried_on_one_thread_only_once_they_are_slow() -> None:
    runs = lived(lambda threads, now: 5.0 * (1.8 if threads == 1 else 3.0 if now > 100 else 1.0), 200.0)
    assert all(threads == 2 for t, threads, _ in runs if t < 100)
    assert any(threads == 1 for t, threads, _ in runs if t > 100)


def test_little_is_lost_to_noise() -> None:
    noise = np.random.default_rng(1)
    runs = lived(lambda threads, now: 1e-3 * (1.5 if threads == 1 else 1.0) * noise.lognormal(0, 0.3), 60.0)
    assert share(runs, 2) > 0.8


def test_a_number_of_threads_that_was_asked_for_is_kept() -> None:
    function = compile(lambda x: np.tanh(x @ x.T) @ x, threads=2)
    x = np.ones((256, 256), np.float32)
    function(x)
    assert function.plan._pace is None
    free = compile(lambda x: np.tanh(x @ x.T) @ x)
    expected = free(x)
    assert all((free(x) == expected).all() for _ in range(5))
