"""Fair timing: every contender does a short stint in turn, many rounds, so that a noisy machine is noisy for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

__all__ = ["Timing", "interleaved"]


class Timing:
    """Microseconds per step, one figure for every round."""

    def __init__(self, rounds: list[float]) -> None:
        self.rounds = rounds

    @property
    def best(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def ratio(self, peer: Timing) -> float:
        """The median over the rounds of this time divided by the peer's in the same round."""
        return statistics.median(own / other for own, other in zip(self.rounds, peer.rounds, strict=True))


def interleaved(
    steps: dict[str, Callable[[], object]], *, seconds: float = 8.0, rounds: int = 100
) -> dict[str, Timing]:
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
    return {name: Timing(times) for name, times in samples.items()}
