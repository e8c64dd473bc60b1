"""``python -m benchmarks.parity [TABLE …]``: every case of some tables, or of all. Ends with 1 if something differs."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

from rich.console import Console
from rich.progress import track

from benchmarks.parity import decisions, images, layers, losses, metrics, names, parts, rates, sequences
from benchmarks.parity.cases import Case, judge
from benchmarks.parity.report import show

__all__ = ["TABLES", "main"]

TABLES: dict[str, Callable[[], Iterator[Case]]] = {
    "arguments": names.arguments,
    "layers": layers.cases,
    "sequences": sequences.cases,
    "images": images.cases,
    "parts": parts.cases,
    "losses": losses.cases,
    "metrics": metrics.cases,
    "rates": rates.cases,
    "decisions": decisions.cases,
}


def main(given: Sequence[str] | None = None) -> int:
    """Compare, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)} (default: all)")
    wanted = parser.parse_args(given).tables or list(TABLES)
    if unknown := set(wanted) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    # A file or a pipe has no width of its own: labels are long
    console = Console(width=None if sys.stdout.isatty() else 180)
    cases = [case for table in wanted for case in TABLES[table]()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = Console(stderr=True)
        findings = [judge(case) for case in track(cases, "comparing", console=told, disable=not told.is_terminal)]
    missing = names.missing(cases) if set(wanted) == set(TABLES) else []
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "keras", "torch"))
    good = show(console, findings, names.MEANT, names.ALONE, names.BESIDES, missing, versions)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
