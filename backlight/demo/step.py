"""One training step of the demo's network as one function, which ``backlight plan`` compiles and takes apart."""

from __future__ import annotations

from typing import Any

import numpy as np

import backlight
from backlight.demo.network import Parameters, cross_entropy
from backlight.demo.training import SETTINGS, Training, load

__all__ = ["example", "step"]

RATE, MOMENTUM = np.float32(0.5), np.float32(0.9)


def step(parameters: Parameters, velocity: Parameters, x: Any, labels: Any) -> tuple[Any, Parameters, Parameters]:
    """Gradient descent with momentum: the loss before, and the parameters and velocities after."""
    loss, gradient = backlight.value_and_grad(cross_entropy)(parameters, x, labels)
    velocity = {name: MOMENTUM * velocity[name] + gradient[name] for name in parameters}
    parameters = {name: parameters[name] - RATE * velocity[name] for name in parameters}
    return loss, parameters, velocity


def example() -> Any:
    """The compiled step after one call, on the first batch of the digits.

    >>> example().plan.explain(measure=False).function
    'step'
    """
    compiled = backlight.compile(step)
    training = Training(load("digits", 0), SETTINGS["digits"], 0)
    batch = slice(SETTINGS["digits"].batch)
    velocity = {name: np.zeros_like(value) for name, value in training.parameters.items()}
    compiled(training.parameters, velocity, training.data.x[batch], training.data.labels[batch])
    return compiled
