"""What a run of the suite found, and the arithmetic on it: who computes the right thing, and how much faster."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.workloads import CHECKED, Parameters, Workload

__all__ = ["FEWEST", "GEOMETRIC_MEAN", "LEAST", "Entry", "Result", "geometric_mean", "judge"]

GEOMETRIC_MEAN, LEAST = 3.0, 1.3  # what the ratios to the fastest peer have to reach
FEWEST = 2  # rounds that a figure needs
LOSS_ERROR = 1e-3  # the largest relative error of a loss in the first steps
# … and of what the steps did to a parameter. Adam divides by the size of gradients, however small, so that rounding
# and where exactly ε is added soon show in parameters whose gradient almost vanishes: the losses are the sharper test.
PARAMETER_ERROR = 0.5


@dataclass
class Entry:
    """A contender in one workload: ``rounds`` holds the samples of each of its turns, in microseconds per step."""

    name: str
    is_peer: bool
    note: str = ""  #: why it does not count, if it does not
    first: float = 0.0  #: seconds that its first call took, compiling included
    loss_error: float = 0.0
    parameter_error: float = 0.0
    rounds: list[list[float]] = field(default_factory=list)
    done: bool = False  #: whether it takes no more turns

    @property
    def takes_part(self) -> bool:
        return not self.note and not self.done

    @property
    def counts(self) -> bool:
        return not self.note and len(self.rounds) >= FEWEST

    @property
    def best(self) -> float:
        return min(map(min, self.rounds))

    @property
    def turns(self) -> list[float]:
        """The median of each turn."""
        return [statistics.median(samples) for samples in self.rounds]

    @property
    def median(self) -> float:
        return statistics.median(self.turns)


@dataclass
class Result:
    """One workload: everyone's entry, and the machine's peak in operations per second."""

    workload: Workload
    entries: list[Entry]
    peak: float

    def own(self, name: str = "Backlight") -> Entry | None:
        found = [entry for entry in self.entries if entry.name == name and entry.counts]
        return found[0] if found else None

    def peers(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.is_peer and entry.counts]

    def fastest(self) -> tuple[Entry, float] | None:
        """The peer with the smallest ratio of its time to Backlight's in the same round (their median), and that.

        Who was left out took part in the first rounds, and is compared in those.
        """
        own, peers = self.own(), self.peers()
        if own is None or not peers:
            return None
        ratios = [(statistics.median(p / o for p, o in zip(peer.turns, own.turns, strict=False))) for peer in peers]
        return peers[ratios.index(min(ratios))], min(ratios)

    def ratio_of_best(self) -> float | None:
        """The best time of any peer, divided by Backlight's."""
        own, peers = self.own(), self.peers()
        return min(peer.best for peer in peers) / own.best if own and peers else None

    def share(self, entry: Entry) -> float:
        """Of the peak: only the products are counted, so that small networks have a small share."""
        return self.workload.operations / (entry.median * 1e-6) / self.peak

    def data(self) -> dict[str, Any]:
        """All of it for a file of JSON."""
        found = {"workload": self.workload.name, "peak": self.peak, "entries": [asdict(each) for each in self.entries]}
        if fastest := self.fastest():
            found |= {"fastest": fastest[0].name, "ratio": fastest[1], "ratio_of_best": self.ratio_of_best()}
        return found


def geometric_mean(values: Iterable[float]) -> float:
    return statistics.geometric_mean(values)


def judge(
    workload: Workload, losses: Any, parameters: Parameters, right: tuple[Any, Parameters]
) -> tuple[float, float]:
    """The relative errors of losses and of parameters against the reference; infinite where shapes differ.

    Who tells only the mean of several losses is compared with the mean. The error of a parameter is relative to how
    far training moved it.
    """
    found, expected = np.asarray(losses, float), right[0]
    shapes = {name: np.shape(value) for name, value in parameters.items()}
    if shapes != {name: value.shape for name, value in right[1].items()}:
        return np.inf, np.inf
    if not found.size or len(expected) % len(found):
        return np.inf, np.inf
    told_singly = len(found) == len(expected)
    expected = expected.reshape(len(found), -1).mean(1)
    losses_off = np.abs(found - expected) / np.abs(expected)
    start = workload.initial()
    moved = {name: np.linalg.norm(value - start[name]) for name, value in right[1].items()}
    off = [np.linalg.norm(parameters[name] - value) / max(moved[name], 1e-12) for name, value in right[1].items()]
    return _largest(losses_off[:CHECKED] if told_singly else losses_off), _largest(off)


def _largest(errors: Any) -> float:
    """nan, which compares with nothing, is the largest error of all."""
    found = float(np.max(errors))
    return found if found == found else np.inf
