"""Backlight: NumPy code (``benchmarks/models.py``), compiled with the loop over the epoch into one native call."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight import tree_map
from backlight.compiler.epoch import Epoch
from benchmarks.models import initial_state, step_of
from benchmarks.workloads import Data, Parameters, Workload

__all__ = ["Backlight"]


class Backlight:
    """One call for all batches; the state is updated where it stands."""

    whole_epochs = True

    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.x, self.y = data.x, data.y
        step = step_of(workload)
        self.epoch = Epoch(lambda state, rows, x, y: step(state, x[rows], y[rows]))
        self.reset()

    def reset(self) -> None:
        self.state = tree_map(np.array, initial_state(self.workload))

    def prepared(self, batches: Any) -> Any:
        return np.ascontiguousarray(batches)

    def run(self, batches: Any) -> Any:
        return self.epoch(self.state, batches, self.x, self.y)

    def losses(self, losses: Any) -> Any:
        return losses

    def parameters(self) -> Parameters:
        parameters: Parameters = self.state[0]
        return parameters
