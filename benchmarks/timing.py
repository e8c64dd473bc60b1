"""Fair timing: every contender does a short stint in turn, many rounds, so that a noisy machine is noisy for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Timing", "interleaved"]


class Timing(NamedTuple):
    """Microseconds per step: the best round and the median one."""

    best: float
    median: float


def interleaved(steps: dict[str, Callable[[], object]], *, seconds: float = 6.0, rounds: int = 30) -> dict[str, Timing]:
    """Time every step function in turn for about ``seconds`` in all; each round runs each of them equally long."""
    repeats = {}
    for name, step in steps.items():
        for _ in range(5):
            step()
        start = time.perf_counter()
        step()
        once = max(time.perf_counter() - start, 1e-7)
        repeats[name] = max(1, round(seconds / rounds / len(steps) / once))
    samples: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                step()
            samples[name].append((time.perf_counter() - start) / repeats[name] * 1e6)
    return {name: Timing(min(times), statistics.median(times)) for name, times in samples.items()}
