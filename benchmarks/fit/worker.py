"""The process of one who trains: it answers lines of JSON, and its standard output, the progress, goes into a pipe.

``{"do": "prepare", "job": …, "seconds": …}`` builds, trains an epoch (which compiles) and finds how many epochs make a
turn. ``{"do": "turn"}`` trains so many, and says how long one took, and how much memory the process has needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from benchmarks.fit import streaming
from benchmarks.fit.contenders import FITTERS, Fitter, load
from benchmarks.fit.jobs import JOBS

__all__ = ["AtWork", "answer", "main", "memory"]

DRAIN = "import shutil, sys, os; shutil.copyfileobj(sys.stdin.buffer, open(os.devnull, 'wb'))"
MANY = 200  # epochs of a turn, at most


def memory() -> dict[str, float]:
    """MB that the process has needed at most, and that belong to mapped files now; nothing where nobody can say."""
    found: dict[str, float] = {}
    with suppress(ImportError):
        import resource

        scale = 1e6 if sys.platform == "darwin" else 1e3
        found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    with suppress(OSError), open("/proc/self/status", encoding="ascii") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name in ("RssAnon", "RssFile"):
                found[name] = float(value.split()[0]) / 1e3
    return found


class AtWork:
    """Somebody at one job."""

    def __init__(self, fitter: Fitter, job: str, seconds: float) -> None:
        kind = load(fitter)
        self.at_rest = memory().get("peak", 0.0)
        start = time.perf_counter()
        self.fit = kind(JOBS[job])
        self.fit.epochs(1)
        self.first = time.perf_counter() - start
        self.count = min(MANY, max(1, round(seconds / self._timed(1)[0])))
        self._alone(1)

    def _timed(self, count: int) -> tuple[float, float | None]:
        """Seconds an epoch, and what the call needs besides, where its epochs can be told apart from it."""
        start = time.perf_counter()
        inside = self.fit.epochs(count)
        whole = time.perf_counter() - start
        return (whole if inside is None else inside) / count, None if inside is None else whole - inside

    def _alone(self, count: int) -> float | None:
        return self.fit.steps_alone(count) if hasattr(self.fit, "steps_alone") else None

    def turn(self) -> dict[str, Any]:
        """Seconds an epoch of ``fit``, and of the compiled steps alone where somebody has them."""
        epoch, besides = self._timed(self.count)
        return {"epoch": epoch, "besides": besides, "alone": self._alone(self.count), "memory": memory()}


def answer(fitter: Fitter, request: dict[str, Any], at_work: list[AtWork]) -> dict[str, Any]:
    """Do one thing; ``at_work`` holds who is at work in between."""
    if request["do"] == "stream":
        return streaming.train(request["file"], request["way"], memory)
    if request["do"] == "prepare":
        try:
            at_work[:] = [AtWork(fitter, request["job"], request["seconds"])]
        except ImportError as error:
            return {"absent": f"not installed ({error})"}
        return {"first": at_work[0].first, "epochs": at_work[0].count, "at_rest": at_work[0].at_rest}
    return at_work[0].turn()


def main() -> None:
    """Serve the one that the command line names until the input ends."""
    (fitter,) = [each for each in FITTERS if each.name == sys.argv[1]]
    replies = os.fdopen(os.dup(1), "w")
    with subprocess.Popen([sys.executable, "-c", DRAIN], stdin=subprocess.PIPE) as reader:
        assert reader.stdin
        os.dup2(reader.stdin.fileno(), 1)
        reader.stdin.close()
        at_work: list[AtWork] = []
        for line in sys.stdin:
            try:
                reply = answer(fitter, json.loads(line), at_work)
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
            replies.write(json.dumps(reply) + "\n")
            replies.flush()
        sys.stdout.flush()
        os.close(1)


if __name__ == "__main__":
    main()
