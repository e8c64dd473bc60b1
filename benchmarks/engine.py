"""The interpreter's speed: one training step of two small networks, Backlight beside HIPS autograd, on the same code.

Each step computes the gradient of the loss and subtracts it (SGD), in float32. autograd is an optional peer
(``pip install autograd``); without it only Backlight is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy

from backlight import grad
from benchmarks.timing import Timing, interleaved

__all__ = ["ROWS", "Row", "measure", "text"]

Parameters = list[tuple[Any, Any]]


def binary_classifier(np: ModuleType) -> Callable[..., Any]:
    """100-64-64-1, ReLU, sigmoid, binary cross-entropy: its loss written for any module that looks like NumPy."""

    def loss(parameters: Parameters, x: Any, y: Any) -> Any:
        h = x
        for w, b in parameters[:-1]:
            h = np.maximum(np.dot(h, w) + b, 0)
        w, b = parameters[-1]
        p = 1 / (1 + np.exp(-(np.dot(h, w) + b)))
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    return loss


def xor(np: ModuleType) -> Callable[..., Any]:
    """2-2-1, ReLU, mean squared error."""

    def loss(parameters: Parameters, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2) = parameters
        h = np.maximum(np.dot(x, w1) + b1, 0)
        return np.mean((np.dot(h, w2) + b2 - y) ** 2)

    return loss


def initial(sizes: tuple[int, ...]) -> Parameters:
    generator = numpy.random.default_rng(0)
    return [
        (generator.normal(0, 1 / numpy.sqrt(m), (m, n)).astype("f"), numpy.zeros(n, "f")) for m, n in pairwise(sizes)
    ]


def training_step(gradient: Callable[..., Any], sizes: tuple[int, ...], x: Any, y: Any) -> Callable[[], None]:
    parameters = initial(sizes)
    rate = numpy.float32(0.01)

    def step() -> None:
        for (w, b), (dw, db) in zip(parameters, gradient(parameters, x, y), strict=True):
            w -= rate * dw
            b -= rate * db

    return step


class Row:
    """One workload: its name, its network, its data, and how much of autograd's time it may take."""

    def __init__(self, name: str, loss: Callable[..., Any], sizes: tuple[int, ...], batch: int, allowed: float) -> None:
        self.name, self.loss, self.sizes, self.allowed = name, loss, sizes, allowed
        generator = numpy.random.default_rng(1)
        self.x = generator.normal(size=(batch, sizes[0])).astype("f")
        self.y = (generator.random((batch, sizes[-1])) < 0.5).astype("f")

    def steps(self) -> dict[str, Callable[[], None]]:
        found = {"Backlight": training_step(grad(self.loss(numpy)), self.sizes, self.x, self.y)}
        try:
            import autograd
            import autograd.numpy
        except ImportError:
            return found
        peer = autograd.grad(self.loss(autograd.numpy))
        return found | {"autograd": training_step(peer, self.sizes, self.x, self.y)}


ROWS = (
    Row("100-64-64-1, ReLU, BCE, SGD, batch 32", binary_classifier, (100, 64, 64, 1), 32, 1.0),
    Row("2-2-1, ReLU, MSE, SGD, batch 4", xor, (2, 2, 1), 4, 0.5),
)


def measure(seconds: float = 8.0) -> list[tuple[Row, dict[str, Timing]]]:
    """Time every row, contenders in turn."""
    return [(row, interleaved(row.steps(), seconds=seconds)) for row in ROWS]


def text() -> str:
    """The table, measured here and now."""
    lines = [
        "| training step | contender | best µs | median µs | of autograd's time | allowed |",
        "|---|---|---|---|---|---|",
    ]
    for row, timings in measure():
        peer = timings.get("autograd")
        for name, timing in timings.items():
            ratio = f"{timing.ratio(peer):.2f}" if peer else "not installed"
            allowed = f"{row.allowed:.1f}" if name == "Backlight" else ""
            lines.append(f"| {row.name} | {name} | {timing.best:.0f} | {timing.median:.0f} | {ratio} | {allowed} |")
    return "\n".join(lines)
