"""What contenders that compute with NumPy's arrays, one batch after the other, have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workloads import Data, Parameters, Workload

__all__ = ["Stepping"]


class Stepping:
    """Needs ``reset``, ``step(x, y) -> loss`` and ``parameters``; gathers each batch and collects the losses."""

    whole_epochs = False

    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.x = data.x
        self.y = data.y if data.y.dtype.kind == "f" else data.y.astype(np.intp)
        if data.x.dtype.kind != "f":
            self.x = data.x.astype(np.intp)
        self.reset()

    def reset(self) -> None:
        raise NotImplementedError

    def step(self, x: Any, y: Any) -> Any:
        raise NotImplementedError

    def parameters(self) -> Parameters:
        raise NotImplementedError

    def prepared(self, batches: Any) -> Any:
        return list(batches.astype(np.intp))

    def run(self, batches: Any) -> Any:
        return [self.step(self.x[rows], self.y[rows]) for rows in batches]

    def losses(self, losses: Any) -> Any:
        return np.array(losses)
