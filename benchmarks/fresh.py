"""What a fresh process does for ``cold.py``: time one thing from its very beginning, and say how long it took."""

from __future__ import annotations

import json
import sys
import time

import backlight
from benchmarks.contenders.backlight_peer import Backlight
from benchmarks.models import initial_state, step_of
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["compiling", "first_step", "main"]

FIRST = "binary"  # 100-64-64-1


def first_step(begin: float) -> float:
    """Seconds from ``begin`` to the result of the first compiled step."""
    workload = WORKLOADS[FIRST]
    x, y, batches = workload.data()
    step = backlight.compile(step_of(workload), strict=True)
    step(initial_state(workload), x[batches[0]], y[batches[0]])
    return time.perf_counter() - begin


def compiling(workload: Workload) -> float:
    """Seconds that the first epoch takes longer than the fastest of the next: tracing, planning, building, loading."""
    data = workload.data()
    contender = Backlight(workload, data)
    batches = contender.prepared(data.batches[: workload.per_call])
    times = []
    for _ in range(4):
        start = time.perf_counter()
        contender.run(batches)
        times.append(time.perf_counter() - start)
    return times[0] - min(times[1:])


def main(begin: float) -> None:
    """``first``, or ``compile WORKLOAD``."""
    seconds = first_step(begin) if sys.argv[1] == "first" else compiling(WORKLOADS[sys.argv[2]])
    sys.stdout.write(json.dumps({"seconds": seconds}))
