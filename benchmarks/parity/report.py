"""The report: what is out of bounds first, then every case's largest differences, then what is not compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.parity.cases import EPSILON, TOLERANCE, Finding
from benchmarks.parity.layers import LAW

__all__ = ["show"]


def number(value: float | None) -> str:
    """``1.2e-07``; nothing where nothing was compared."""
    return "" if value is None else "0" if value == 0 else f"{value:.1e}"


def worst(finding: Finding, peer: str, what: Iterable[str]) -> float | None:
    """The largest difference in float32 (or in the only kind of number)."""
    dtype = finding.case.dtypes[0]
    kinds = set(what)
    return max((x for (d, p, w), x in finding.apart.items() if (d, p) == (dtype, peer) and w in kinds), default=None)


def double(finding: Finding) -> float | None:
    return max((x for (d, _, _), x in finding.apart.items() if d == "float64"), default=None)


COLUMNS = (
    ("Keras: value", lambda f: worst(f, "Keras", ("value", "state", "law", "decision"))),
    ("gradient", lambda f: worst(f, "Keras", ("gradient",))),
    ("PyTorch: value", lambda f: worst(f, "PyTorch", ("value", "state"))),
    ("gradient", lambda f: worst(f, "PyTorch", ("gradient",))),
    ("in float64", double),
)


def rows(findings: Sequence[Finding], title: str) -> Table:
    """One line for every case."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("case", overflow="fold", ratio=1)
    for head, _ in COLUMNS:
        table.add_column(head, justify="right", no_wrap=True)
    for finding in findings:
        cells = [number(read(finding)) for _, read in COLUMNS]
        style = None if finding.within else "red"
        label = finding.case.label + f": {finding.error}" * bool(finding.error)
        table.add_row(escape(label), *cells, style=style)
    return table


def by_family(findings: Sequence[Finding]) -> Table:
    """One line for every family: how many cases, and the largest differences within the bounds."""
    table = Table(title="The largest difference of each family", title_justify="left", title_style="bold", box=None)
    for head in ("family", "names", "cases", *(head for head, _ in COLUMNS), "of"):
        table.add_column(head, justify="left" if head in ("family", "of") else "right", overflow="fold")
    for family, group in groupby(findings, key=lambda finding: finding.case.family):
        found = list(group)
        largest = [max((x for f in found if (x := read(f)) is not None), default=None) for _, read in COLUMNS]
        top = max(found, key=lambda f: f.largest if f.apart else -1)
        names = len({finding.case.name for finding in found})
        table.add_row(family, str(names), str(len(found)), *map(number, largest), escape(top.case.label))
    return table


def meant_for(finding: Finding, meant: Mapping[str, str]) -> str | None:
    """Why a case may differ."""
    label = finding.case.label
    return meant.get(label, meant.get(f"{label} [{finding.case.family}]"))


def show(
    console: Console, findings: Sequence[Finding], meant: Mapping[str, str], alone: Mapping[str, str],
    besides: Sequence[str], missing: Sequence[str], versions: str,
) -> bool:  # fmt: skip
    """Print it all; whether everything is as it has to be. ``meant`` says which differences are deliberate, and why."""
    beyond = [finding for finding in findings if not finding.within]
    wrong = [finding for finding in beyond if meant_for(finding, meant) is None]
    stale = [f for f in findings if f.within and f.case.family != "arguments" and meant_for(f, meant) is not None]
    console.print(versions)
    console.print(
        f"Tolerance: {TOLERANCE / EPSILON:.0f} roundings of float32 ({TOLERANCE:.1e}), relative to the peer's largest "
        f"number; {LAW} for the moments of what is drawn at random."
    )
    if wrong:
        console.print(rows(wrong, f"Out of bounds: {len(wrong)}"))
    for line in missing:
        console.print(line, style="red", markup=False)
    for finding in stale:
        console.print(f"No longer different, but said to be: {finding.case.label}", style="red", markup=False)
    for family, group in groupby(findings, key=lambda finding: finding.case.family):
        found = list(group)
        if family != "arguments":
            console.print()
            console.print(rows(found, family))
    console.print()
    console.print(by_family([finding for finding in findings if finding.within]))
    reasons = Table(title="Meant to differ", title_justify="left", title_style="bold", box=None)
    for head in ("case", "difference", "reason"):
        reasons.add_column(head, overflow="fold")
    for finding in beyond:
        if reason := meant_for(finding, meant):
            reasons.add_row(escape(finding.case.label), number(finding.largest), reason)
    for line in besides:
        reasons.add_row("", "", line)
    console.print()
    console.print(reasons)
    console.print("\nWithout a counterpart", style="bold")
    for reason, group in groupby(sorted(alone.items(), key=lambda row: row[1]), key=lambda row: row[1]):
        console.print(f"  {reason}: {', '.join(name for name, _ in group)}", markup=False, highlight=False)
    verdict = "all within bounds" if not wrong else f"{len(wrong)} out of bounds"
    console.print(f"\n{len(findings)} cases: {verdict}, {len(beyond) - len(wrong)} meant to differ.", style="bold")
    return not (wrong or missing or stale)
