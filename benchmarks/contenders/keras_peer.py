"""Keras on JAX, with its own layers, losses, optimisers and ``fit``. Its attention layer is another than the GPT's."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

from benchmarks.contenders.layout import channels_first, channels_last
from benchmarks.workloads import BETA1, BETA2, EPSILON, LSTM, MLP, Convolutional, Data, Parameters, Workload

__all__ = ["Keras"]


def mlp(model: MLP) -> list[Any]:
    hidden = [layers.Dense(size, activation=model.hidden) for size in model.sizes[1:-1]]
    return [keras.Input(model.sizes[:1]), *hidden, layers.Dense(model.sizes[-1])]


def convolutional(model: Convolutional) -> list[Any]:
    found: list[Any] = [keras.Input((model.side, model.side, 1))]
    for out, size, padding in model.filters:
        found += [layers.Conv2D(out, size, padding="same" if padding else "valid"), layers.MaxPooling2D(2)]
        found.append(layers.ReLU())
    hidden = [layers.Dense(size, activation="relu") for size in model.sizes[:-1]]
    return [*found, layers.Flatten(), *hidden, layers.Dense(model.sizes[-1])]


def lstm(model: LSTM) -> list[Any]:
    return [
        keras.Input((model.length,), dtype="int32"),
        layers.Embedding(model.symbols, model.embedding),
        layers.LSTM(model.hidden, return_sequences=True),
        layers.Dense(model.symbols),
    ]


LAYERS: dict[type, Any] = {MLP: mlp, Convolutional: convolutional, LSTM: lstm}


def loss_of(model: Any) -> Any:
    kind = model.loss if isinstance(model, MLP) else "ce"
    if kind == "mse":
        return keras.losses.MeanSquaredError()
    if kind == "bce":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Keras:
    """``fit`` over the batches in their order; it tells only the mean of their losses."""

    whole_epochs = True

    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.x = data.x.transpose(0, 2, 3, 1) if data.x.ndim == 4 else data.x
        self.y = data.y
        self.model = keras.Sequential(LAYERS[type(workload.model)](workload.model))
        if workload.optimiser == "sgd":
            optimiser = keras.optimizers.SGD(workload.rate)
        else:
            # Keras adds ε to a root that is still to be corrected for its start at 0: a tenth comes close.
            optimiser = keras.optimizers.Adam(workload.rate, BETA1, BETA2, EPSILON / 10)
        self.model.compile(optimiser, loss_of(workload.model))
        optimiser.build(self.model.trainable_variables)
        self.start = [np.array(variable) for variable in optimiser.variables]
        self.reset()

    def reset(self) -> None:
        self.model.set_weights(list(channels_last(self.workload, self.workload.initial()).values()))
        for variable, value in zip(self.model.optimizer.variables, self.start, strict=True):
            variable.assign(value)

    def prepared(self, batches: Any) -> Any:
        order = batches.reshape(-1)
        return self.x[order], self.y[order]

    def run(self, batches: Any) -> Any:
        history = self.model.fit(*batches, batch_size=self.workload.batch, shuffle=False, verbose=0)
        return history.history["loss"]

    def losses(self, losses: Any) -> Any:
        return np.array(losses)

    def parameters(self) -> Parameters:
        names = self.workload.initial()
        return channels_first(self.workload, dict(zip(names, self.model.get_weights(), strict=True)))
