"""What was measured, and the arithmetic on it."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.fit.jobs import Job

__all__ = ["SHARE", "SPARE", "Entry", "Result"]

SHARE, SPARE = 0.05, 1e-3  # what ``fit`` may add to the compiled steps of an epoch: a share, and seconds


@dataclass
class Entry:
    """Somebody at a job: seconds an epoch in each round; of the compiled steps alone where there are such."""

    name: str
    is_peer: bool
    note: str = ""  #: why it does not count, if it does not
    first: float = 0.0  #: seconds until the first epoch was over, compiling included
    at_rest: float = 0.0  #: MB before there were data and a network
    epochs: list[float] = field(default_factory=list)
    besides: list[float] = field(default_factory=list)  #: seconds that a call needs, for any number of epochs
    alone: list[float] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    done: bool = False  #: whether it takes no more turns

    @property
    def counts(self) -> bool:
        return not self.note and bool(self.epochs)

    @property
    def best(self) -> float:
        return min(self.epochs)

    @property
    def median(self) -> float:
        return statistics.median(self.epochs)

    def added(self) -> float | None:
        """Seconds that ``fit`` adds to the compiled steps of an epoch, by the best rounds."""
        return min(self.epochs) - min(self.alone) if self.alone and self.epochs else None

    def allowed(self) -> float:
        return SHARE * min(self.alone) + SPARE


@dataclass
class Result:
    """Everyone at one job."""

    job: Job
    entries: list[Entry]

    def own(self) -> Entry | None:
        return next((entry for entry in self.entries if not entry.is_peer and entry.counts), None)

    def fastest(self) -> tuple[Entry, float] | None:
        """The peer with the smallest ratio of its time to Backlight's in the same round (their median), and that."""
        own, peers = self.own(), [entry for entry in self.entries if entry.is_peer and entry.counts]
        if own is None or not peers:
            return None
        ratios = [statistics.median(p / o for p, o in zip(peer.epochs, own.epochs, strict=False)) for peer in peers]
        return peers[ratios.index(min(ratios))], min(ratios)

    def data(self) -> dict[str, Any]:
        """All of it for a file of JSON."""
        return {"job": self.job.name, "entries": [asdict(entry) for entry in self.entries]}
