"""Cold starts: fresh processes with an empty disk cache, timed to the first result, and again with the cache filled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import table
from benchmarks.workloads import Workload

__all__ = ["HIT", "MOST", "MOST_TO_FIRST", "Start", "cold_starts", "text"]

MOST_TO_FIRST, MOST, HIT = 1.0, 2.0, 0.2  # seconds that each may take


class Start(NamedTuple):
    """Seconds: ``cold`` with an empty cache, ``warm`` with what that left there; ``limits`` is what they may be."""

    what: str
    cold: float | None
    warm: float | None
    limits: tuple[float, float | None]
    note: str = ""

    @property
    def within(self) -> bool:
        pairs = zip((self.cold, self.warm), self.limits, strict=True)
        return all(found is not None and found <= limit for found, limit in pairs if limit is not None)


def cold_starts(workloads: Sequence[Workload], say: Callable[[str], None], repeats: int = 3) -> list[Start]:
    """Import to the first compiled step, then compiling each workload's epoch; of ``repeats`` the fastest counts."""
    say("cold start: import to the first step")
    found = [_start("import to the first step", ["first"], (MOST_TO_FIRST, None), repeats)]
    for workload in workloads:
        say(f"cold start: {workload.name}")
        found.append(_start(f"compiling {workload.name}", ["compile", workload.name], (MOST, HIT), repeats))
    return found


def _start(what: str, arguments: list[str], limits: tuple[float, float | None], repeats: int) -> Start:
    cold, warm = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for seconds in (cold, warm):
                try:
                    seconds.append(_fresh(arguments, cache))
                except RuntimeError as error:
                    return Start(what, None, None, limits, str(error))
    return Start(what, min(cold), min(warm), limits)


def _fresh(arguments: list[str], cache: str) -> float:
    code = "import time; begin = time.perf_counter(); from benchmarks.fresh import main; main(begin)"
    command = [sys.executable, "-c", code, *arguments]
    environment = os.environ | {"BACKLIGHT_CACHE": cache}
    root = Path(__file__).parent.parent
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["failed"])[-1][:200])
    return float(json.loads(done.stdout)["seconds"])


def text(starts: Sequence[Start]) -> str:
    """A table of seconds."""
    rows = [["cold start", "empty cache s", "may be", "cache hit s", "may be", ""]]
    for start in starts:
        times = ["–" if seconds is None else f"{seconds:.2f}" for seconds in (start.cold, start.warm)]
        most = ["" if limit is None else f"{limit:g}" for limit in start.limits]
        verdict = start.note or ("" if start.within else "too long")
        rows.append([start.what, times[0], most[0], times[1], most[1], verdict])
    return "\n".join(table(rows))
