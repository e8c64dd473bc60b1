"""Training on more data than are held at once: from a mapped file, and from a generator that has work to do.

The network is 784-100-10. The file holds examples as bytes; whoever reads a batch turns it into numbers between 0 and
1. Beside the epoch, the loader alone and the steps alone are timed: of the shorter of the two, the share that took no
time of its own was hidden behind the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fit.jobs import Job, made
from benchmarks.workloads import WORKLOADS

__all__ = ["BATCH", "FEATURES", "WAYS", "hidden", "train", "write"]

FEATURES, BATCH, TURNS = 784, 128, 2
WAYS = ("mapped file", "generator")


def write(file: Path, megabytes: int) -> int:
    """Examples as bytes, written in pieces; how many."""
    count = megabytes * 1_000_000 // FEATURES // BATCH * BATCH
    draws = np.random.default_rng(5)
    with file.open("wb") as out:
        for start in range(0, count, 1 << 14):
            out.write(draws.integers(256, size=(min(1 << 14, count - start), FEATURES), dtype=np.uint8).tobytes())
    return count


def scaled(batch: Any) -> Any:
    """What has to be done to a batch: bytes to numbers, and labels from their sums."""
    (x,) = batch
    x = x.astype(np.float32) / np.float32(255)
    return x - x.mean(axis=1, keepdims=True), (x.sum(axis=1) * 7).astype(np.int64) % 10


def batches_of(file: Path, prefetch: int, shuffle: bool) -> Any:
    from backlight.data import Batches

    mapped = np.memmap(file, np.uint8, "r").reshape(-1, FEATURES)
    return Batches((mapped,), BATCH, shuffle=shuffle, map=scaled, prefetch=prefetch)


def generated(file: Path) -> Iterator[Any]:
    """The same in a generator of the user's: read, prepared and forgotten batch by batch."""
    with file.open("rb") as lines:
        while len(read := lines.read(BATCH * FEATURES)) == BATCH * FEATURES:
            yield scaled((np.frombuffer(read, np.uint8).reshape(BATCH, FEATURES),))


def hidden(loader: float, steps: float, epoch: float) -> float:
    """The share of the shorter of two works that took no time of its own."""
    return min(1.0, max(0.0, (loader + steps - epoch) / min(loader, steps)))


def train(file: str, way: str, memory: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """An epoch, and its parts."""
    from backlight import keras
    from backlight.data import Batches

    path, clock = Path(file), time.perf_counter
    model = made(keras, Job("stream", WORKLOADS["sigmoid"], BATCH))
    few = [each for each, _ in zip(generated(path), range(64), strict=False)]
    x, y = (np.concatenate(part) for part in zip(*few, strict=True))
    model.fit(Batches((x, y), BATCH), verbose=1)  # compiles

    def source() -> Any:
        if way == "mapped file":
            return batches_of(path, 4, shuffle=True)
        return Batches(lambda: generated(path), None, prefetch=4)

    def timed(work: Callable[[], Any]) -> float:
        start = clock()
        work()
        return clock() - start

    count = sum(1 for _ in source())
    parts: dict[str, list[float]] = {"loader": [], "steps": [], "epoch": []}
    peak, kept = {}, Batches((x, y), BATCH)
    for _ in range(TURNS):
        parts["loader"].append(timed(lambda: [None for _ in source()]))
        parts["epoch"].append(timed(lambda: model.fit(source(), epochs=1, verbose=1)))
        peak = peak or memory()
        parts["steps"].append(timed(lambda: model.fit(kept, epochs=4, verbose=1)) / (4 * len(few)) * count)
    return {"way": way, "memory": peak} | {name: min(times) for name, times in parts.items()}
