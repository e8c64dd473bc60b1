"""The suite: every contender in a process of its own, taking turns; all others stand still meanwhile.

One workload after the other. First everyone builds, compiles and trains a few steps, which are compared with the
reference in float64; then rounds of turns, beginning with another contender each time, so that what disturbs the
machine disturbs all alike.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.by_hand import trajectory
from benchmarks.contenders import Contender
from benchmarks.results import LOSS_ERROR, PARAMETER_ERROR, Entry, Result, judge
from benchmarks.workloads import Parameters, Workload

__all__ = ["Process", "run"]

ROOT = Path(__file__).parent.parent
POSIX = os.name == "posix"
ENOUGH = 3  # rounds after which who takes
HOPELESS = 4.0  # times as long as the fastest peer is left out


class Process:
    """A contender's process, started when first asked and again if it ended; it runs only while it is asked."""

    def __init__(self, contender: Contender, cores: int, folder: Path) -> None:
        self.contender = contender
        self.command = [sys.executable, "-m", "benchmarks.worker", str(cores), contender.name]
        self.log = folder / f"{contender.name}.log"
        self.process: subprocess.Popen[str] | None = None

    def ask(self, patience: float, **request: Any) -> dict[str, Any]:
        """The answer; after ``patience`` seconds the process is ended and there is none."""
        process = self._awake()
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(patience, give_up)
        timer.start()
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timer.cancel()
        if line:
            self._signal("SIGSTOP")
            found: dict[str, Any] = json.loads(line)
            return found
        self.end()
        return {"error": f"not done after {patience:.0f} s" if late.is_set() else f"its process ended: {self._said()}"}

    def _awake(self) -> subprocess.Popen[str]:
        if self.process is None:
            environment = os.environ | self.contender.environment()
            with self.log.open("w") as log:
                self.process = subprocess.Popen(
                    self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
                    env=environment, start_new_session=POSIX,
                )  # fmt: skip
        self._signal("SIGCONT")
        return self.process

    def _signal(self, name: str) -> None:
        """To the process and all that it started; threads that wait by spinning would take a core from the others."""
        if POSIX and self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, getattr(signal, name))

    def kill(self) -> None:
        """Whoever waits for its answer will learn that it ended."""
        self._signal("SIGKILL")
        if (process := self.process) is not None:
            process.kill()

    def end(self) -> None:
        """End it and what it started."""
        self.kill()
        if self.process is not None:
            with suppress(OSError), self.process:  # waits, and closes the pipes
                pass
            self.process = None

    def _said(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:200] if lines else "without a word"


def run(
    workloads: Sequence[Workload], contenders: Sequence[Contender], *, cores: int, rounds: int, seconds: float,
    patience: float, peak: Callable[[], float], say: Callable[[str], None], done: Callable[[Result], None],
) -> list[Result]:  # fmt: skip
    """Measure; ``done`` is told each workload's result as soon as there is one.

    The ``peak`` is measured before every workload, as a shared machine may be busy at any time: the largest counts.
    """
    results: list[Result] = []
    highest = 0.0
    with tempfile.TemporaryDirectory() as name:
        processes = [Process(contender, cores, Path(name)) for contender in contenders]
        try:
            for workload in workloads:
                highest = max(highest, peak())
                entries = _prepared(workload, processes, cores, Path(name), patience, say)
                _rounds(workload, processes, entries, rounds, seconds, patience, say)
                results.append(Result(workload, list(entries.values()), highest))
                done(results[-1])
        finally:
            for process in processes:
                process.end()
    for result in results:
        result.peak = highest
    return results


def _prepared(
    workload: Workload, processes: Sequence[Process], cores: int, folder: Path, patience: float,
    say: Callable[[str], None],
) -> dict[str, Entry]:  # fmt: skip
    """Everyone's entry, after everyone is ready and was compared with the reference. Nobody is timed meanwhile."""
    say(f"{workload.name}: preparing")

    def prepare(process: Process) -> Entry:
        contender = process.contender
        entry = Entry(contender.name, contender.is_peer)
        if not contender.fits(workload):
            entry.note = "not written for this model"
            return entry
        file = folder / f"{contender.name}.npz"
        reply = process.ask(patience, do="prepare", workload=workload.name, file=str(file))
        entry.note = reply.get("absent") or reply.get("error") or ""
        if not entry.note:
            entry.first = reply["first"]
            with np.load(file) as found:
                losses, parameters = found["losses"], {key[2:]: found[key] for key in found if key[:2] == "p:"}
            _compare(entry, workload, losses, parameters, references[reply["steps"]].result())
        return entry

    # The longest first: compilers of PyTorch's.
    order = sorted(processes, key=lambda process: "compile" not in process.contender.name)
    with ThreadPoolExecutor(1) as aside, ThreadPoolExecutor(cores) as pool:
        lengths = {workload.checked(True), workload.checked(False)}
        references = {steps: aside.submit(trajectory, workload, steps) for steps in lengths}
        try:
            found = dict(zip((process.contender.name for process in order), pool.map(prepare, order), strict=True))
        except BaseException:  # Ctrl-C: nobody waits for compilers
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            raise
    return {process.contender.name: found[process.contender.name] for process in processes}


def _compare(
    entry: Entry, workload: Workload, losses: Any, parameters: Parameters, right: tuple[Any, Parameters]
) -> None:
    entry.loss_error, entry.parameter_error = judge(workload, losses, parameters, right)
    if entry.loss_error > LOSS_ERROR or entry.parameter_error > PARAMETER_ERROR:
        entry.note = f"wrong: losses off by {entry.loss_error:.1e}, parameters by {entry.parameter_error:.1e}"


def _rounds(
    workload: Workload, processes: Sequence[Process], entries: dict[str, Entry], rounds: int, seconds: float,
    patience: float, say: Callable[[str], None],
) -> None:  # fmt: skip
    for number in range(rounds):
        if number == ENOUGH:
            _leave_out(entries)
        say(f"{workload.name}: round {number + 1} of {rounds}")
        taking_part = [each for each in processes if entries[each.contender.name].takes_part]
        first = number % max(len(taking_part), 1)
        for process in taking_part[first:] + taking_part[:first]:
            entry = entries[process.contender.name]
            reply = process.ask(patience, do="turn", seconds=seconds)
            if "error" in reply:
                entry.note = reply["error"]
            else:
                entry.rounds.append(reply["samples"])


def _leave_out(entries: dict[str, Entry]) -> None:
    """Peers that are far from the fastest have had turns enough."""
    peers = [entry for entry in entries.values() if entry.is_peer and entry.counts]
    for peer in peers:
        peer.done = peer.best > HOPELESS * min(other.best for other in peers)
