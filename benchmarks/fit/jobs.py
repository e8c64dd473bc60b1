"""The networks of the suite as layers, in one text for Backlight and for Keras, and as many examples as are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workloads import GPT, LSTM, MLP, WORKLOADS, Convolutional, Workload

__all__ = ["JOBS", "Job", "made"]


class Job(NamedTuple):
    """A workload's network and batches, for so many examples."""

    name: str
    workload: Workload
    examples: int

    @property
    def title(self) -> str:
        return f"{self.workload.title}, {self.examples:,} examples"

    @property
    def steps(self) -> int:
        """In an epoch; the last may be smaller."""
        return -(-self.examples // self.workload.batch)

    @property
    def loss(self) -> str:
        """``"bce"``, ``"ce"`` or ``"mse"``, of logits."""
        return self.workload.model.loss if isinstance(self.workload.model, MLP) else "ce"

    def data(self) -> tuple[list[Any], Any]:
        """Inputs (of GPTs two: symbols and their places) and labels; images have their channels last."""
        model = self.workload.model
        x, y = model.examples(np.random.default_rng(2), self.examples)
        x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if isinstance(model, Convolutional) else x
        if isinstance(model, GPT):
            places = np.broadcast_to(np.arange(model.context, dtype=np.int32), x.shape)
            return [x, np.ascontiguousarray(places)], y
        return [x], y


def mlp(keras: Any, model: MLP) -> Any:
    hidden = [keras.layers.Dense(size, activation=model.hidden) for size in model.sizes[1:-1]]
    return keras.Sequential([keras.Input(model.sizes[:1]), *hidden, keras.layers.Dense(model.sizes[-1])])


def convolutional(keras: Any, model: Convolutional) -> Any:
    found = [keras.Input((model.side, model.side, 1))]
    for out, size, padding in model.filters:
        found.append(keras.layers.Conv2D(out, size, padding="same" if padding else "valid", activation="relu"))
        found.append(keras.layers.MaxPooling2D(2))
    hidden = [keras.layers.Dense(size, activation="relu") for size in model.sizes[:-1]]
    return keras.Sequential([*found, keras.layers.Flatten(), *hidden, keras.layers.Dense(model.sizes[-1])])


def lstm(keras: Any, model: LSTM) -> Any:
    return keras.Sequential(
        [
            keras.Input((model.length,), dtype="int32"),
            keras.layers.Embedding(model.symbols, model.embedding),
            keras.layers.LSTM(model.hidden, return_sequences=True),
            keras.layers.Dense(model.symbols),
        ]
    )


def gpt(keras: Any, model: GPT) -> Any:
    layers = keras.layers
    symbols, places = (keras.Input((model.context,), dtype="int32") for _ in range(2))
    h = layers.add(
        [layers.Embedding(model.symbols, model.width)(symbols), layers.Embedding(model.context, model.width)(places)]
    )
    for _ in range(model.layers):
        a = layers.LayerNormalization(epsilon=1e-5)(h)
        a = layers.MultiHeadAttention(model.heads, model.width // model.heads)(a, a, use_causal_mask=True)
        h = layers.add([h, a])
        a = layers.LayerNormalization(epsilon=1e-5)(h)
        a = layers.Dense(4 * model.width, activation="gelu")(a)
        h = layers.add([h, layers.Dense(model.width)(a)])
    h = layers.LayerNormalization(epsilon=1e-5)(h)
    return keras.Model([symbols, places], layers.Dense(model.symbols)(h))


NETWORKS: dict[type, Callable[[Any, Any], Any]] = {MLP: mlp, Convolutional: convolutional, LSTM: lstm, GPT: gpt}


def made(keras: Any, job: Job, metrics: bool = True) -> Any:
    """The network, compiled; ``keras`` is Keras, or ``backlight.keras``."""
    network = NETWORKS[type(job.workload.model)](keras, job.workload.model)
    losses, rate = keras.losses, job.workload.rate
    loss = {
        "mse": losses.MeanSquaredError,
        "bce": lambda: losses.BinaryCrossentropy(from_logits=True),
        "ce": lambda: losses.SparseCategoricalCrossentropy(from_logits=True),
    }[job.loss]()
    optimizer = keras.optimizers.SGD(rate) if job.workload.optimiser == "sgd" else keras.optimizers.Adam(rate)
    network.compile(optimizer, loss, metrics=["accuracy"] if metrics else None)
    return network


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("binary-1k", WORKLOADS["binary"], 1000),
        Job("binary-10k", WORKLOADS["binary"], 10000),
        Job("sigmoid", WORKLOADS["sigmoid"], 8192),
        Job("small", WORKLOADS["small"], 8192),
        Job("wide", WORKLOADS["wide"], 4096),
        Job("lenet", WORKLOADS["lenet"], 2048),
        Job("cnn", WORKLOADS["cnn"], 640),
        Job("lstm", WORKLOADS["lstm"], 320),
        Job("gpt", WORKLOADS["gpt"], 72),
    )
}
