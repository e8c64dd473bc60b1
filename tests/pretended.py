"""A model that learns nothing, with what callbacks ask of one, and the loop of ``fit`` around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight import optim
from backlight.train.callbacks import CallbackList


class Variable:
    """A weight of a model: a name and an array."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = self.path = name
        self.value = np.asarray(value)
        self.shape, self.dtype = self.value.shape, self.value.dtype


class Model:
    """Its only weight is the number of steps taken; ``saved`` holds what was saved where."""

    def __init__(self, rate: float = 0.1) -> None:
        self.stop_training = False
        self.optimizer = optim.SGD(rate)
        self.trainable_variables = [Variable("steps", np.zeros(()))]
        self.metrics_names = ["loss", "accuracy"]
        self.metrics: list[Any] = []
        self.saved: list[tuple[str, int]] = []
        self.history: Any = None

    @property
    def steps(self) -> int:
        return int(self.trainable_variables[0].value)

    def step(self) -> None:
        self.trainable_variables[0].value += 1  # in place, as a compiled epoch does

    def get_weights(self) -> list[Any]:
        return [variable.value for variable in self.trainable_variables]

    def set_weights(self, weights: list[Any]) -> None:
        for variable, weight in zip(self.trainable_variables, weights, strict=True):
            variable.value[...] = weight

    def save(self, path: str) -> None:
        self.saved.append((path, self.steps))

    def save_weights(self, path: str) -> None:
        self.saved.append((f"weights of {path}", self.steps))


def fit(
    callbacks: Any, epochs: Sequence[dict[str, Any]], steps: int = 1, chunk: int = 1, model: Any = None, **params: Any
) -> Any:
    """Train for ``epochs``, whose logs are given; report after every ``chunk`` steps (counted from the beginning), or,
    with 0, not at all."""
    model = Model() if model is None else model
    taken = 0
    with CallbackList(
        callbacks, model=model, **{"epochs": len(epochs), "steps": steps, "verbose": 0} | params
    ) as every:
        every.on_train_begin()
        logs: dict[str, Any] = {}
        for epoch, logs in enumerate(epochs):
            every.on_epoch_begin(epoch)
            for step in range(steps):
                if chunk and (taken % chunk == 0 or step == 0):
                    every.on_train_batch_begin(step)
                model.step()
                taken += 1
                if chunk and (taken % chunk == 0 or step == steps - 1):
                    every.on_train_batch_end(step, {"loss": 1 / taken})
            if any(name.startswith("val_") for name in logs):
                every.on_test_begin()
                every.on_test_end({name[4:]: value for name, value in logs.items() if name.startswith("val_")})
            every.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        every.on_train_end(logs)
    return model
