"""Everyone takes turns at every job, each in a process of its own that begins with the job."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.fit import streaming
from benchmarks.fit.contenders import FITTERS, Fitter
from benchmarks.fit.jobs import Job
from benchmarks.fit.results import Entry, Result
from benchmarks.suite import HOPELESS, Process

__all__ = ["run", "stream"]


def process_of(fitter: Fitter, folder: Path) -> Process:
    process = Process(fitter, 0, folder)
    process.command = [sys.executable, "-m", "benchmarks.fit.worker", fitter.name]
    return process


def run(
    jobs: Sequence[Job], fitters: Sequence[Fitter], *, cores: int, rounds: int, seconds: float, patience: float,
    say: Callable[[str], None], done: Callable[[Result], None],
) -> list[Result]:  # fmt: skip
    """Measure; ``done`` is told each job's result as soon as there is one."""
    results = []
    with tempfile.TemporaryDirectory() as name:
        for job in jobs:
            processes = [process_of(fitter, Path(name)) for fitter in fitters if fitter.fits(job)]
            try:
                results.append(_job(job, processes, cores, rounds, seconds, patience, say))
            finally:
                for process in processes:
                    process.end()
            done(results[-1])
    return results


def _job(
    job: Job, processes: Sequence[Process], cores: int, rounds: int, seconds: float, patience: float,
    say: Callable[[str], None],
) -> Result:  # fmt: skip
    say(f"fit {job.name}: preparing")

    def prepare(process: Process) -> Entry:
        entry = Entry(process.contender.name, process.contender.is_peer)
        reply = process.ask(patience, do="prepare", job=job.name, seconds=seconds)
        entry.note = reply.get("absent") or reply.get("error") or ""
        entry.first, entry.at_rest = reply.get("first", 0.0), reply.get("at_rest", 0.0)
        return entry

    with ThreadPoolExecutor(cores) as pool:
        entries = list(pool.map(prepare, processes))
    for number in range(rounds):
        say(f"fit {job.name}: round {number + 1} of {rounds}")
        pairs = list(zip(processes, entries, strict=True))
        first = number % len(pairs)
        for process, entry in pairs[first:] + pairs[:first]:
            if not entry.note and not entry.done:
                _turn(process, entry, patience)
        _leave_out(entries)
    return Result(job, entries)


def _turn(process: Process, entry: Entry, patience: float) -> None:
    reply = process.ask(patience, do="turn")
    if "error" in reply:
        entry.note = reply["error"]
        return
    entry.epochs.append(reply["epoch"])
    if reply["besides"] is not None:
        entry.besides.append(reply["besides"])
    if reply["alone"] is not None:
        entry.alone.append(reply["alone"])
    entry.memory = reply["memory"]


def _leave_out(entries: Sequence[Entry]) -> None:
    """Peers that are far from the fastest have had turns enough."""
    peers = [entry for entry in entries if entry.is_peer and entry.counts]
    for peer in peers:
        peer.done = peer.best > HOPELESS * min(other.best for other in peers)


def stream(megabytes: int, patience: float, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Training from a file of this size, in each of the ways."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "examples.bytes"
        say(f"fit: writing {megabytes} MB of examples")
        streaming.write(file, megabytes)
        for way in streaming.WAYS:
            say(f"fit from a {way}")
            process = process_of(FITTERS[0], Path(name))
            try:
                found.append({"way": way} | process.ask(patience, do="stream", file=str(file), way=way))
            finally:
                process.end()
    return found
