"""NumPy with gradients written by hand (``benchmarks/by_hand.py``)."""

from __future__ import annotations

from typing import Any

from benchmarks.by_hand import ByHand
from benchmarks.contenders.stepping import Stepping
from benchmarks.workloads import Parameters

__all__ = ["NumPy"]


class NumPy(Stepping):
    """As many threads as its BLAS is given."""

    def reset(self) -> None:
        self.model = ByHand(self.workload)

    def step(self, x: Any, y: Any) -> Any:
        return self.model.step(x, y)

    def parameters(self) -> Parameters:
        return self.model.p
