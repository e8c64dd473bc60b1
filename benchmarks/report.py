"""The suite's tables: for a terminal everyone's times, for the README one line a workload."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import GEOMETRIC_MEAN, LEAST, Entry, Result, geometric_mean

__all__ = ["amount", "markdown", "overall", "percent", "table", "workload_text"]


def amount(microseconds: float) -> str:
    """Three figures: ``0.0241``, ``23.9``, ``1,250``."""
    if microseconds >= 1000:
        return f"{microseconds:,.0f}"
    for digits, least in ((0, 100), (1, 10), (2, 1), (3, 0.1)):
        if microseconds >= least:
            return f"{microseconds:.{digits}f}"
    return f"{microseconds:.4f}"


def percent(share: float) -> str:
    """``0.02 %``, ``3.1 %``, ``45 %``."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %" if value >= 1 else f"{value:.2f} %"


def table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Rows, the first of them the head, as aligned Markdown; all columns but the first ``left`` are numbers."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) if k < left else cell.rjust(width) for k, (cell, width) in enumerate(each))
        + " |"
        for each in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    rule = (
        "|"
        + "|".join("-" * (width + 2) if k < left else "-" * (width + 1) + ":" for k, width in enumerate(widths))
        + "|"
    )
    return [lines[0], rule, *lines[1:]]


def workload_text(result: Result) -> str:
    """Everyone's times for one workload, the fastest first."""
    workload, own = result.workload, result.own()
    rows = [["contender", "best µs", "median µs", "÷ Backlight", "of peak", "first call s"]]
    counted = sorted((entry for entry in result.entries if entry.counts), key=lambda entry: entry.median)
    for entry in counted:
        ratio = f"{entry.median / own.median:.2f}" if own else "–"
        share = percent(result.share(entry))
        rows.append([entry.name, amount(entry.best), amount(entry.median), ratio, share, f"{entry.first:.1f}"])
    lines = [f"{workload.name}: {workload.title}", *table(rows)]
    notes = [entry for entry in result.entries if not entry.counts]
    lines += [f"  {entry.name}: {entry.note or 'too few rounds'}" for entry in notes]
    lines.append(f"  target: {amount(workload.target)} µs. {_verdict(result)}")
    return "\n".join(lines)


def _verdict(result: Result) -> str:
    fastest, best = result.fastest(), result.ratio_of_best()
    if fastest is None or best is None:
        return "Backlight and at least one peer are needed for a ratio."
    peer, ratio = fastest
    return f"The fastest peer, {peer.name}, takes {ratio:.2f} times as long (median of rounds; {best:.2f} by best)."


def overall(results: Sequence[Result]) -> str:
    """The geometric mean and the least of the ratios, and what they have to reach."""
    ratios = {result.workload.name: found[1] for result in results if (found := result.fastest())}
    bests = [found for result in results if (found := result.ratio_of_best())]
    if not ratios:
        return "No ratios: Backlight and at least one peer are needed."
    mean, worst = geometric_mean(ratios.values()), min(ratios, key=lambda name: ratios[name])
    missing = len(results) - len(ratios)
    return "\n".join(
        [
            f"Fastest peer / Backlight, {len(ratios)} workloads"
            + (f" ({missing} without a ratio)" * (missing > 0))
            + ":",
            f"  geometric mean {mean:.2f} (target {GEOMETRIC_MEAN}: {_reached(mean >= GEOMETRIC_MEAN)}), "
            f"by best {geometric_mean(bests):.2f}",
            f"  least {ratios[worst]:.2f}, {worst} (target {LEAST}: {_reached(ratios[worst] >= LEAST)}), "
            f"by best {min(bests):.2f}",
        ]
    )


def _reached(yes: bool) -> str:
    return "reached" if yes else "missed"


def markdown(results: Sequence[Result]) -> str:
    """One line a workload."""
    rows = [["training step", "Backlight µs", "fastest peer µs", "which", "ratio", "of peak", "peer's"]]
    for result in results:
        own, fastest = result.own(), result.fastest()
        cells = [_times(own)] if own else ["–"]
        if own and fastest:
            peer, ratio = fastest
            shares = [percent(result.share(entry)) for entry in (own, peer)]
            cells += [_times(peer), peer.name, f"{ratio:.2f}", *shares]
        else:
            cells += ["–"] * 5
        rows.append([result.workload.title, *cells])
    ratios = [found[1] for result in results if (found := result.fastest())]
    if ratios:
        rows.append(["geometric mean", "", "", "", f"{geometric_mean(ratios):.2f}", "", ""])
    return "\n".join(table(rows))


def _times(entry: Entry) -> str:
    return f"{amount(entry.best)} / {amount(entry.median)}"
