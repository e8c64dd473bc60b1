"""``python -m benchmarks``: Backlight and its peers on the nine workloads, measured here and now.

``python -m benchmarks suite`` times compiled steps alone, ``fit`` whole epochs of ``fit`` and streaming, ``cold`` cold
starts, and ``engine`` compares the interpreter with HIPS autograd. ``suite --quick --only xor gpt --peers jax`` gives a
first impression.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backlight.compiler.processor import available_cores, processor
from backlight.compiler.roofline import Peak, measure
from benchmarks import cold, engine, report, suite
from benchmarks.contenders import Contender, contenders
from benchmarks.fit import report as fit_report
from benchmarks.fit import suite as fit_suite
from benchmarks.fit.contenders import FITTERS
from benchmarks.fit.jobs import JOBS
from benchmarks.results import Result
from benchmarks.workloads import WORKLOADS

__all__ = ["main"]

FIT_ROUNDS = 3  # epochs are long


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="?", default="all", choices=("all", "suite", "fit", "cold", "engine"))
    names = [*WORKLOADS, *(name for name in JOBS if name not in WORKLOADS)]
    parser.add_argument("--only", nargs="+", default=names, choices=names, metavar="WORKLOAD")
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="only those whose name contains one of these words")
    parser.add_argument("--rounds", type=int, default=7, help="turns of everyone (default 7)")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a turn, at least (default 0.2)")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds until a peer is given up (default 300)")
    parser.add_argument("--stream", type=int, default=200, metavar="MB", help="size of what is streamed (default 200)")
    parser.add_argument("--quick", action="store_true", help="3 short rounds, cold starts once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--markdown", action="store_true", help="print the table of the README at the end")
    found = parser.parse_args(given)
    if found.quick:
        found.rounds, found.seconds = min(found.rounds, 3), min(found.seconds, 0.1)
    return found


def chosen(peers: Sequence[str] | None, cores: int) -> list[Contender]:
    """Backlight, and the peers whose name contains one of the words."""
    words = [word.lower() for word in peers or [""]]
    everyone = contenders(cores)
    return [each for each in everyone if not each.is_peer or any(word in each.name.lower() for word in words)]


def say(line: str) -> None:
    """What goes on, beside the results."""
    print(line, file=sys.stderr, flush=True)


def peak_text(peaks: dict[int, Peak]) -> str:
    """The machine, and what was measured of it."""
    target = processor()
    lines = [f"{target.name}, {platform.system()} {platform.machine()}, vectors of {32 * target.width} bits"]
    for threads, peak in peaks.items():
        memory, l2, l1 = (f"{pace / 1e9:.0f} GB/s" for pace in peak[1:])
        flops = f"{peak.flops_per_second / 1e9:.1f} GFLOP/s of float32 in registers"
        lines.append(f"  {threads} thread{'s' * (threads > 1)}: {flops}, {memory} of memory, {l2} of L2, {l1} of L1")
    most = max(peaks)
    if peaks[most].flops_per_second < 0.75 * most * peaks[1].flops_per_second:
        lines.append(
            "  Others keep this machine busy: whoever lets several threads wait for each other looks slower than it is."
        )
    return "\n".join(lines)


def run_suite(options: argparse.Namespace, cores: int) -> list[Result]:
    """Measure, and print each workload's table as soon as there is one."""
    peaks = {threads: measure(threads)["float32"] for threads in sorted({1, cores})}
    print(peak_text(peaks), flush=True)
    results = suite.run(
        [WORKLOADS[name] for name in options.only if name in WORKLOADS],
        chosen(options.peers, cores),
        cores=cores,
        rounds=options.rounds,
        seconds=options.seconds,
        patience=options.patience,
        peak=lambda: measure(cores)["float32"].flops_per_second,
        say=say,
        done=lambda result: print("\n" + report.workload_text(result), flush=True),
    )
    print("\n" + report.overall(results))
    if options.markdown:
        print("\n" + report.markdown(results))
    return results


def run_fit(options: argparse.Namespace, cores: int) -> dict[str, Any]:
    """Whole epochs, then streaming."""
    words = [word.lower() for word in options.peers or [""]]
    results = fit_suite.run(
        [job for name, job in JOBS.items() if name in options.only],
        [each for each in FITTERS if not each.is_peer or any(word in each.name.lower() for word in words)],
        cores=cores,
        rounds=min(options.rounds, FIT_ROUNDS),
        seconds=options.seconds,
        patience=options.patience,
        say=say,
        done=lambda result: print("\n" + fit_report.job_text(result), flush=True),
    )
    print("\n" + fit_report.overall(results), flush=True)
    streamed = fit_suite.stream(options.stream, options.patience, say) if options.stream else []
    if streamed:
        print("\n" + fit_report.stream_text(streamed, options.stream))
    return {"jobs": [result.data() for result in results], "streamed": streamed}


def main(given: Sequence[str] | None = None) -> None:
    """Run what was asked for."""
    options = arguments(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the processes that it started
    found: dict[str, Any] = {}
    if options.part == "engine":
        print(engine.text())
        return
    if options.part in ("all", "suite"):
        results = run_suite(options, available_cores())
        found["suite"] = [result.data() for result in results]
    if options.part in ("all", "fit"):
        found["fit"] = run_fit(options, available_cores())
    if options.part in ("all", "cold"):
        workloads = [WORKLOADS[name] for name in options.only if name in WORKLOADS]
        starts = cold.cold_starts(workloads, say, 1 if options.quick else 2)
        print("\n" + cold.text(starts))
        found["cold"] = [start._asdict() for start in starts]
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
