"""The process of one contender: it does what a line of JSON on its standard input says, and answers with another.

``{"do": "prepare", "workload": …, "file": …}`` builds and compiles, trains the first steps, and writes their losses
and the parameters after them into the file. ``{"do": "turn", "seconds": …}`` trains on, and says how long it took.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from typing import Any

import numpy as np

from benchmarks.contenders import Contender, contenders, load
from benchmarks.workloads import CHECKED, WORKLOADS

__all__ = ["Entrant", "main"]

SAMPLE = 0.03  # seconds: a figure is the mean over at least so long, or over one call
LONG = 0.05  # a call of so many seconds needs no warming up


class Entrant:
    """A contender at work on one workload."""

    def __init__(self, contender: Contender, name: str) -> None:
        self.kind = load(contender)
        self.workload = WORKLOADS[name]
        self.data = self.workload.data()

    def prepare(self, file: str) -> dict[str, Any]:
        """Build, compile, and train the first steps; their losses and the parameters after them go into ``file``."""
        start = time.perf_counter()
        workload, batches = self.workload, self.data.batches
        self.contender: Any = self.kind(workload, self.data)
        whole_epochs = self.contender.whole_epochs
        self.unit = workload.per_call if whole_epochs else CHECKED
        steps = workload.checked(whole_epochs)
        calls = [self.contender.prepared(batches[k : k + self.unit]) for k in range(0, steps, self.unit)]
        losses = [self._call(calls[0])]
        first = time.perf_counter() - start
        losses += [self._call(each) for each in calls[1:]]
        parameters = {f"p:{name}": value for name, value in self.contender.parameters().items()}
        np.savez(file, losses=np.concatenate(losses), **parameters)
        start = time.perf_counter()
        self._call(calls[0])
        pace = (time.perf_counter() - start) / self.unit
        if not whole_epochs:  # as many steps as make a sample
            self.unit = min(workload.per_call, max(1, round(SAMPLE / pace)))
        self.calls = [self.contender.prepared(batches[k : k + self.unit]) for k in self._starts()]
        self.next, self.call_seconds = 0, pace * self.unit
        return {"first": first, "steps": steps}

    def _starts(self) -> range:
        return range(0, self.workload.steps - self.unit + 1, self.unit)

    def _call(self, batches: Any) -> Any:
        return np.asarray(self.contender.losses(self.contender.run(batches)), np.float64).reshape(-1)

    def turn(self, seconds: float) -> dict[str, Any]:
        """Microseconds per step of each sample. Everyone begins a turn with the initial parameters."""
        contender, calls = self.contender, self.calls
        contender.reset()
        if self.call_seconds < LONG:
            contender.losses(contender.run(calls[0]))
        samples, total, clock = [], 0.0, time.perf_counter
        while total < seconds:
            count, spent, start = 0, 0.0, clock()
            while spent < SAMPLE:
                contender.losses(contender.run(calls[self.next]))
                self.next = (self.next + 1) % len(calls)
                count += self.unit
                spent = clock() - start
            total += spent
            samples.append(spent / count * 1e6)
        return {"samples": samples}


def answer(contender: Contender, request: dict[str, Any], at_work: list[Entrant]) -> dict[str, Any]:
    """Do one thing; ``at_work`` holds the entrant in between."""
    if request["do"] == "prepare":
        at_work.clear()
        gc.collect()
        try:
            at_work.append(Entrant(contender, request["workload"]))
        except ImportError as error:
            return {"absent": f"not installed ({error})"}
        return at_work[0].prepare(request["file"])
    return at_work[0].turn(request["seconds"])


def main() -> None:
    """Serve the contender that the command line names until the input ends."""
    (contender,) = [each for each in contenders(int(sys.argv[1])) if each.name == sys.argv[2]]
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    at_work: list[Entrant] = []
    for line in sys.stdin:
        try:
            reply = answer(contender, json.loads(line), at_work)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
