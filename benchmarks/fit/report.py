"""The tables of ``fit``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.fit.results import SHARE, SPARE, Entry, Result
from benchmarks.fit.streaming import hidden
from benchmarks.report import amount, percent, table

__all__ = ["job_text", "overall", "stream_text"]

KINDS = ("peak", "RssAnon", "RssFile")


def milliseconds(seconds: float | None) -> str:
    """Three figures."""
    return "–" if seconds is None else f"-{amount(-1e3 * seconds)}" if seconds < 0 else amount(1e3 * seconds)


def megabytes(entry: Entry, name: str = "peak") -> str:
    return f"{entry.memory[name]:,.0f}" if name in entry.memory else "–"


def job_text(result: Result) -> str:
    """Everyone's epochs, the fastest first."""
    own = result.own()
    rows = [
        [
            "contender",
            "best ms",
            "median ms",
            "÷ Backlight",
            "steps alone ms",
            "adds ms",
            "a call ms",
            "first s",
            "peak MB",
        ]
    ]
    for entry in sorted((entry for entry in result.entries if entry.counts), key=lambda entry: entry.median):
        ratio = f"{entry.median / own.median:.2f}" if own else "–"
        alone = milliseconds(min(entry.alone)) if entry.alone else "–"
        rows.append(
            [
                entry.name, milliseconds(entry.best), milliseconds(entry.median), ratio, alone,
                milliseconds(entry.added()), milliseconds(min(entry.besides, default=None)),
                f"{entry.first:.1f}", megabytes(entry),
            ]
        )  # fmt: skip
    notes = [f"  {entry.name}: {entry.note}" for entry in result.entries if not entry.counts]
    return "\n".join(
        [f"{result.job.name}: {result.job.title}; an epoch of fit", *table(rows), *notes, _verdict(result)]
    )


def _verdict(result: Result) -> str:
    own, fastest = result.own(), result.fastest()
    said = []
    if own and (added := own.added()) is not None:
        verdict = "within" if added <= own.allowed() else "over"
        share = f"{100 * added / min(own.alone):+.1f} %"
        said.append(
            f"  fit adds {milliseconds(added)} ms ({share}) to the steps of an epoch: {verdict} the limit of "
            f"{percent(SHARE)} and {milliseconds(SPARE)} ms."
        )
    if fastest:
        said.append(f"  The fastest peer, {fastest[0].name}, takes {fastest[1]:.2f} times as long.")
    return "\n".join(said)


def overall(results: Sequence[Result]) -> str:
    """One line a job; times in milliseconds."""
    head = [
        "an epoch of fit",
        "Backlight ms",
        "fastest peer ms",
        "which",
        "ratio",
        "fit adds ms",
        "limit ms",
        "peak MB",
    ]
    rows = [head]
    for result in results:
        own, fastest = result.own(), result.fastest()
        if own is None:
            rows.append([result.job.title, *["–"] * 7])
            continue
        peer = [f"{milliseconds(fastest[0].median)}", fastest[0].name, f"{fastest[1]:.2f}"] if fastest else ["–"] * 3
        limit = milliseconds(own.allowed()) if own.alone else "–"
        rows.append(
            [result.job.title, milliseconds(own.median), *peer, milliseconds(own.added()), limit, megabytes(own)]
        )
    return "\n".join(table(rows))


def stream_text(rows: Sequence[dict[str, Any]], size: int) -> str:
    """Loader, steps and both; how much was hidden, and the memory."""
    head = ["from a", "loader alone s", "steps alone s", "epoch s", "hidden", "peak MB", "own MB", "mapped MB"]
    lines, notes = [head], []
    for row in rows:
        if "error" in row:
            notes.append(f"  {row['way']}: {row['error']}")
            continue
        share = hidden(row["loader"], row["steps"], row["epoch"])
        memory = [f"{row['memory'][key]:,.0f}" if key in row["memory"] else "–" for key in KINDS]
        seconds = [f"{row[key]:.2f}" for key in ("loader", "steps", "epoch")]
        lines.append([row["way"], *seconds, percent(share), *memory])
    title = f"Streaming {size} MB of bytes into 784-100-10, batch 128; the peak counts pages of the mapped file, too"
    return "\n".join([title, *table(lines), *notes])
