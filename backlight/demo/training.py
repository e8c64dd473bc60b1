"""The demo's training loop: gradient descent with momentum on small batches, in plain NumPy.

    velocity ← momentum · velocity + gradient
    parameter ← parameter − rate · velocity

The step size falls along half a cosine to zero (I. Loshchilov and F. Hutter, "SGDR", 2017), and every image is shown
with a little fresh noise, so that the network learns strokes and not single pixels (C. Bishop, "Training with Noise is
Equivalent to Tikhonov Regularization", 1995).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import backlight
from backlight.data import digits, mnist
from backlight.demo.network import Parameters, accuracy, cross_entropy, initial_parameters

__all__ = ["SETTINGS", "Data", "Progress", "Settings", "Training", "load"]


class Settings(NamedTuple):
    """How to train."""

    epochs: int
    batch: int
    rate: float
    momentum: float
    noise: float


SETTINGS = {
    "digits": Settings(epochs=60, batch=32, rate=0.5, momentum=0.9, noise=0.25),
    "mnist": Settings(epochs=5, batch=256, rate=1.5, momentum=0.9, noise=0.1),
}


class Data(NamedTuple):
    """Images as rows of pixels, ``side`` × ``side`` each, to learn from and to be examined on."""

    side: int
    x: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    held_out_x: np.ndarray[Any, Any]
    held_out_labels: np.ndarray[Any, Any]


def load(name: str, seed: int) -> Data:
    """The data set called ``name``; of the digits, a quarter of each class, chosen by ``seed``, is held out."""
    if name == "mnist":
        train, test = mnist("train"), mnist("test")
        rows = (train.images.reshape(-1, 784), train.labels, test.images.reshape(-1, 784), test.labels)
        return Data(28, *rows)
    images, labels = digits()
    x = images.reshape(len(images), -1)
    order = np.random.default_rng(seed).permutation(len(x))
    held_out, rest = [], []
    for digit in range(10):
        rows = order[labels[order] == digit]
        held_out.append(rows[: len(rows) // 4])
        rest.append(rows[len(rows) // 4 :])
    learnt, examined = np.concatenate(rest), np.concatenate(held_out)
    return Data(8, x[learnt], labels[learnt], x[examined], labels[examined])


class Progress(NamedTuple):
    """Where training stands after a batch; ``accuracy`` is measured on the held-out images once an epoch."""

    epoch: int
    loss: float
    accuracy: float | None


class Training:
    """One training run: iterate over it, and ``parameters`` holds what has been learnt so far."""

    def __init__(self, data: Data, settings: Settings, seed: int) -> None:
        self.data = data
        self.settings = settings
        self.rng = np.random.default_rng([seed, 1])
        dtype = data.x.dtype
        start = initial_parameters(self.rng, pixels=data.side**2)
        self.parameters: Parameters = {name: value.astype(dtype) for name, value in start.items()}
        self.batches = len(data.x) // settings.batch

    def __iter__(self) -> Iterator[Progress]:
        x, labels, settings, parameters = self.data.x, self.data.labels, self.settings, self.parameters
        loss_and_gradient = backlight.value_and_grad(cross_entropy)
        velocity = {name: np.zeros_like(value) for name, value in parameters.items()}
        steps = settings.epochs * self.batches
        for epoch in range(settings.epochs):
            order = self.rng.permutation(len(x))
            for batch in range(self.batches):
                rows = order[batch * settings.batch : (batch + 1) * settings.batch]
                noise = settings.noise * self.rng.standard_normal((len(rows), x.shape[1]), dtype=np.float32)
                loss, gradient = loss_and_gradient(parameters, x[rows] + noise, labels[rows])
                rate = settings.rate * (1 + math.cos(math.pi * (epoch * self.batches + batch) / steps)) / 2
                for name in parameters:
                    velocity[name] = settings.momentum * velocity[name] + gradient[name]
                    parameters[name] = parameters[name] - rate * velocity[name]
                last = batch == self.batches - 1
                examined = self.examine() if last else None
                yield Progress(epoch + 1, float(loss), examined)

    def examine(self) -> float:
        """The share of held-out images read rightly."""
        return accuracy(self.parameters, self.data.held_out_x, self.data.held_out_labels)
