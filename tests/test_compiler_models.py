"""The nine networks of the benchmarks, trained for 20 compiled steps: the same losses and weights as in float64."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import backlight
from backlight.compiler.epoch import Epoch
from backlight.tree import flatten
from benchmarks import models
from benchmarks.by_hand import trajectory
from benchmarks.workloads import WORKLOADS, Workload

STEPS = 20
NAMES = tuple(WORKLOADS)


def trained(workload: Workload, steps: int, threads: int | None = None) -> tuple[Any, Any]:
    """Losses, and the state after so many steps."""
    data, step = workload.data(), models.step_of(workload)
    state = backlight.tree_map(np.array, models.initial_state(workload))
    epoch = Epoch(lambda state, rows, x, y: step(state, x[rows], y[rows]), threads=threads)
    return epoch(state, data.batches[:steps], data.x, data.y), state


@lru_cache(maxsize=1)
def reference(name: str) -> Any:
    return trajectory(WORKLOADS[name], STEPS)


@pytest.mark.parametrize("name", NAMES)
def test_twenty_steps_are_those_of_the_hand_written_gradients_in_float64(name: str) -> None:
    workload = WORKLOADS[name]
    losses, state = trained(workload, STEPS)
    expected, parameters = reference(name)
    np.testing.assert_allclose(losses, expected, rtol=2e-4, atol=2e-5)
    for key, want in parameters.items():
        wrong = np.abs(state[0][key] - want)
        # Adam divides by the size of a gradient: where that is rounding, so is the direction of its whole steps.
        assert wrong.max() <= 2 * workload.rate * STEPS, key
        assert np.median(wrong) <= 1e-5, key


@pytest.mark.parametrize("name", ["xor", "binary", "small", "sigmoid", "lenet"])
def test_the_bits_are_the_same_on_any_number_of_threads_and_from_run_to_run(name: str) -> None:
    def bits(threads: int) -> list[bytes]:
        losses, state = trained(WORKLOADS[name], 4, threads)
        return [np.asarray(each).tobytes() for each in (losses, *flatten(state)[0])]

    first = bits(1)
    for threads in (1, 2, 3, 8):
        assert bits(threads) == first
