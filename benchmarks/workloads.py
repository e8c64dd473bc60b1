"""The nine training jobs: what is computed, on which numbers, and how long Backlight may take.

Everything here is data that all contenders share: initial parameters, examples, and the order in which they are
visited. Parameters are a flat dictionary in one layout (dense weights (inputs, outputs), filters (O, C, K, K)); a
contender that prefers another converts them before the clock starts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

__all__ = ["CHECKED", "GPT", "LSTM", "MLP", "WORKLOADS", "Convolutional", "Data", "Parameters", "Workload"]

Parameters = dict[str, Any]
RATES = {"sgd": 0.1, "adam": 1e-3}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
LONGEST_CALL = 160_000  # microseconds that a call may take if its steps meet the target
CHECKED = 20  # steps that are compared with the reference, at least


class Data(NamedTuple):
    """Examples x with answers y, and the examples of each step's batch: (steps, batch)."""

    x: Any
    y: Any
    batches: Any


class MLP(NamedTuple):
    """Dense layers, ``hidden`` between them; the loss is ``mse``, ``bce`` (of logits) or ``ce`` (softmax)."""

    sizes: tuple[int, ...]
    hidden: str
    loss: str

    def initial(self, random: np.random.Generator) -> Parameters:
        parameters: Parameters = {}
        for k, (m, n) in enumerate(pairwise(self.sizes)):
            dense(parameters, random, str(k), m, n)
        return parameters

    def examples(self, random: np.random.Generator, count: int) -> tuple[Any, Any]:
        """Points around a centre for each class (``ce``), or split by a product of two sums (XOR)."""
        features, outputs = self.sizes[0], self.sizes[-1]
        if self.loss == "ce":
            return clusters(random, count, (features,), outputs)
        x = random.normal(size=(count, features)).astype(np.float32)
        left, right = x[:, : features // 2].sum(1), x[:, features // 2 :].sum(1)
        return x, (left * right > 0).astype(np.float32)[:, None]

    def products(self, batch: int) -> int:
        """Multiply-adds of the products in one step: forward, into the weights, and back to all inputs but the data."""
        forward = [m * n for m, n in pairwise(self.sizes)]
        return batch * (3 * sum(forward) - forward[0])


class Convolutional(NamedTuple):
    """Filters (channels, size, padding), each followed by 2x2 max pooling and ReLU, then dense layers with ReLU."""

    filters: tuple[tuple[int, int, int], ...]
    sizes: tuple[int, ...]
    side: int = 28

    def planes(self) -> list[tuple[int, int, int]]:
        """Channels in, side of the image after the convolution, and after pooling, for each of the filters."""
        found, channels, side = [], 1, self.side
        for out, size, padding in self.filters:
            convolved = side + 2 * padding - size + 1
            found.append((channels, convolved, convolved // 2))
            channels, side = out, convolved // 2
        return found

    def dense_sizes(self) -> tuple[int, ...]:
        return (self.filters[-1][0] * self.planes()[-1][2] ** 2, *self.sizes)

    def initial(self, random: np.random.Generator) -> Parameters:
        parameters: Parameters = {}
        for k, ((out, size, _), (channels, _, _)) in enumerate(zip(self.filters, self.planes(), strict=True)):
            scale = np.sqrt(2 / (channels * size * size))
            parameters[f"f{k}"] = normal(random, (out, channels, size, size), scale)
            parameters[f"c{k}"] = np.zeros(out, np.float32)
        for k, (m, n) in enumerate(pairwise(self.dense_sizes())):
            dense(parameters, random, str(k), m, n)
        return parameters

    def examples(self, random: np.random.Generator, count: int) -> tuple[Any, Any]:
        return clusters(random, count, (1, self.side, self.side), self.sizes[-1])

    def products(self, batch: int) -> int:
        forward = [
            out * channels * size * size * convolved**2
            for (out, size, _), (channels, convolved, _) in zip(self.filters, self.planes(), strict=True)
        ]
        forward += [m * n for m, n in pairwise(self.dense_sizes())]
        return batch * (3 * sum(forward) - forward[0])


class LSTM(NamedTuple):
    """Symbols are embedded, pass one LSTM (gates i, f, g, o; one bias), and every state predicts the next symbol."""

    symbols: int
    embedding: int
    hidden: int
    length: int

    def initial(self, random: np.random.Generator) -> Parameters:
        scale = 1 / np.sqrt(self.hidden)
        return {
            "embedding": normal(random, (self.symbols, self.embedding), 1.0),
            "input": normal(random, (self.embedding, 4 * self.hidden), scale),
            "state": normal(random, (self.hidden, 4 * self.hidden), scale),
            "bias": np.zeros(4 * self.hidden, np.float32),
            "w": normal(random, (self.hidden, self.symbols), scale),
            "b": np.zeros(self.symbols, np.float32),
        }

    def examples(self, random: np.random.Generator, count: int) -> tuple[Any, Any]:
        return texts(random, count, self.length, self.symbols)

    def products(self, batch: int) -> int:
        forward = self.hidden * (4 * (self.embedding + self.hidden) + self.symbols)
        return batch * self.length * 3 * forward


class GPT(NamedTuple):
    """A decoder: pre-layer-norm blocks of causal attention and a four times wider GELU (tanh) layer.

    Queries, keys and values have no bias (a key's bias has gradient zero whatever the numbers).
    """

    layers: int
    heads: int
    width: int
    context: int
    symbols: int

    def initial(self, random: np.random.Generator) -> Parameters:
        width = self.width
        ones, zeros = (lambda n: np.ones(n, np.float32)), (lambda n: np.zeros(n, np.float32))
        parameters = {
            "symbols": normal(random, (self.symbols, width), 0.1),
            "places": normal(random, (self.context, width), 0.1),
        }
        for k in range(self.layers):
            parameters |= {
                f"{k}.scale1": ones(width), f"{k}.shift1": zeros(width),
                f"{k}.qkv": normal(random, (width, 3 * width), 1 / np.sqrt(width)),
                f"{k}.w1": normal(random, (width, width), 1 / np.sqrt(width)), f"{k}.b1": zeros(width),
                f"{k}.scale2": ones(width), f"{k}.shift2": zeros(width),
                f"{k}.w2": normal(random, (width, 4 * width), 1 / np.sqrt(width)), f"{k}.b2": zeros(4 * width),
                f"{k}.w3": normal(random, (4 * width, width), 0.5 / np.sqrt(width)), f"{k}.b3": zeros(width),
            }  # fmt: skip
        return parameters | {
            "scale": ones(width), "shift": zeros(width),
            "w": normal(random, (width, self.symbols), 1 / np.sqrt(width)), "b": zeros(self.symbols),
        }  # fmt: skip

    def examples(self, random: np.random.Generator, count: int) -> tuple[Any, Any]:
        return texts(random, count, self.context, self.symbols)

    def products(self, batch: int) -> int:
        """Attention is counted in full, as most implementations compute it, not only up to the diagonal."""
        width, context = self.width, self.context
        layer = 12 * width * width + 2 * context * width
        return batch * context * 3 * (self.layers * layer + width * self.symbols)


class Workload(NamedTuple):
    """One training job: ``steps`` batches make an epoch; ``target`` is the most microseconds a step may take."""

    name: str
    title: str
    model: Any
    optimiser: str
    batch: int
    steps: int
    target: float

    @property
    def rate(self) -> float:
        return RATES[self.optimiser]

    @property
    def operations(self) -> int:
        """Floating-point operations of the matrix products and convolutions in one step; the rest is not counted."""
        return 2 * int(self.model.products(self.batch))

    @property
    def per_call(self) -> int:
        """How many steps who computes whole epochs in one call is given at once: an epoch, or a part of a long one."""
        steps = self.steps
        while steps * self.target > LONGEST_CALL and steps % 2 == 0:
            steps //= 2
        return steps

    def checked(self, whole_epochs: bool) -> int:
        """How many steps are compared with the reference: whole calls of who computes whole epochs."""
        return -(-CHECKED // self.per_call) * self.per_call if whole_epochs else CHECKED

    def initial(self) -> Parameters:
        return dict(self.model.initial(np.random.default_rng(1)))

    def data(self) -> Data:
        random = np.random.default_rng(2)
        count = self.batch * self.steps
        x, y = self.model.examples(random, count)
        return Data(x, y, random.permutation(count).astype(np.int32).reshape(self.steps, self.batch))


def dense(parameters: Parameters, random: np.random.Generator, name: str, m: int, n: int) -> None:
    parameters[f"w{name}"] = normal(random, (m, n), np.sqrt(2 / m))
    parameters[f"b{name}"] = np.zeros(n, np.float32)


def normal(random: np.random.Generator, shape: tuple[int, ...], scale: Any) -> Any:
    return (random.standard_normal(shape, np.float32) * np.float32(scale)).astype(np.float32)


def clusters(random: np.random.Generator, count: int, shape: tuple[int, ...], classes: int) -> tuple[Any, Any]:
    """Examples around one random centre for each class, close enough together to be mistaken at times."""
    y = random.integers(classes, size=count).astype(np.int32)
    centres = normal(random, (classes, *shape), 0.1)
    return centres[y] + normal(random, (count, *shape), 1.0), y


def texts(random: np.random.Generator, count: int, length: int, symbols: int) -> tuple[Any, Any]:
    """Random symbols, half of which follow from the one before; the answer to each is the next."""
    text = random.integers(symbols, size=(count, length + 1))
    follows = random.random((count, length + 1)) < 0.5
    for place in range(1, length + 1):
        after = (3 * text[:, place - 1] + 1) % symbols
        text[:, place] = np.where(follows[:, place], after, text[:, place])
    return text[:, :-1].astype(np.int32), text[:, 1:].astype(np.int32)


WORKLOADS: dict[str, Workload] = {
    each.name: each
    for each in (
        Workload("xor", "2-2-1 ReLU, MSE, SGD, batch 4",
                 MLP((2, 2, 1), "relu", "mse"), "sgd", 4, 1024, 0.2),
        Workload("binary", "100-64-64-1 ReLU, sigmoid BCE, Adam, batch 32",
                 MLP((100, 64, 64, 1), "relu", "bce"), "adam", 32, 256, 16),
        Workload("sigmoid", "784-100-10 sigmoid, softmax CE, SGD, batch 128",
                 MLP((784, 100, 10), "sigmoid", "ce"), "sgd", 128, 64, 240),
        Workload("small", "784-10-10 ReLU, CE, Adam, batch 32",
                 MLP((784, 10, 10), "relu", "ce"), "adam", 32, 256, 22),
        Workload("wide", "784-512-512-10 ReLU, CE, Adam, batch 128",
                 MLP((784, 512, 512, 10), "relu", "ce"), "adam", 128, 64, 2400),
        Workload("lenet", "LeNet-5, max pooling, ReLU, Adam, batch 64",
                 Convolutional(((6, 5, 2), (16, 5, 0)), (120, 84, 10)), "adam", 64, 64, 1800),
        Workload("cnn", "CNN 32@3x3, 64@3x3, 128-10, Adam, batch 64",
                 Convolutional(((32, 3, 0), (64, 3, 0)), (128, 10)), "adam", 64, 32, 8000),
        Workload("lstm", "LSTM, 65 symbols, 64-128, 64 steps, Adam, batch 32",
                 LSTM(65, 64, 128, 64), "adam", 32, 32, 8000),
        Workload("gpt", "GPT, 4 layers, 4 heads, 128 wide, context 64, Adam, batch 12",
                 GPT(4, 4, 128, 64, 65), "adam", 12, 32, 28000),
    )
}  # fmt: skip
