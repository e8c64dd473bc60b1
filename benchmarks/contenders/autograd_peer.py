"""HIPS autograd: NumPy code traced at every step. It has no fast convolution, so images are left to the others."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy
from autograd import numpy as np
from autograd import value_and_grad

from benchmarks.contenders.stepping import Stepping
from benchmarks.workloads import BETA1, BETA2, EPSILON, GPT, LSTM, MLP, Data, Parameters, Workload

__all__ = ["Autograd"]

HIDDEN = {"relu": lambda x: np.maximum(x, 0), "sigmoid": lambda x: 1 / (1 + np.exp(-x))}


def indicator(numbers: Any, count: int) -> Any:
    """Rows of an identity matrix: a product with it has a much faster gradient than an index."""
    return numpy.eye(count, dtype=numpy.float32)[numbers]


def cross_entropy(z: Any, y: Any) -> Any:
    z = z - np.max(z, axis=-1, keepdims=True)
    picked = np.sum(z * indicator(y, z.shape[-1]), axis=-1)
    return np.mean(np.log(np.sum(np.exp(z), axis=-1)) - picked)


def mlp(model: MLP, p: Parameters, x: Any, y: Any) -> Any:
    last = len(model.sizes) - 2
    for k in range(last):
        x = HIDDEN[model.hidden](np.dot(x, p[f"w{k}"]) + p[f"b{k}"])
    z = np.dot(x, p[f"w{last}"]) + p[f"b{last}"]
    if model.loss == "mse":
        return np.mean((z - y) ** 2)
    if model.loss == "bce":
        return np.mean(np.logaddexp(z, numpy.float32(0)) - y * z)
    return cross_entropy(z, y)


def lstm(model: LSTM, p: Parameters, x: Any, y: Any) -> Any:
    inputs = np.dot(np.dot(indicator(x.T, model.symbols), p["embedding"]), p["input"]) + p["bias"]
    h = c = numpy.zeros((len(x), model.hidden), numpy.float32)
    states, sigmoid, size = [], HIDDEN["sigmoid"], model.hidden
    for t in range(model.length):
        z = inputs[t] + np.dot(h, p["state"])
        gates = sigmoid(z[:, : 2 * size])
        c = gates[:, size:] * c + gates[:, :size] * np.tanh(z[:, 2 * size : 3 * size])
        h = sigmoid(z[:, 3 * size :]) * np.tanh(c)
        states.append(h)
    z = np.dot(np.concatenate(states), p["w"]) + p["b"]
    return cross_entropy(z, y.T.reshape(-1))


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * scale + shift


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh((2 / numpy.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


def gpt(model: GPT, p: Parameters, x: Any, y: Any) -> Any:
    (count, length), width = x.shape, model.width
    h = np.reshape(np.dot(indicator(x, model.symbols), p["symbols"]) + p["places"], (-1, width))
    above = numpy.where(numpy.tri(length, dtype=bool), 0, -numpy.inf).astype(numpy.float32)
    for k in range(model.layers):
        a = layer_norm(h, p[f"{k}.scale1"], p[f"{k}.shift1"])
        heads = np.reshape(np.dot(a, p[f"{k}.qkv"]), (count, length, 3, model.heads, -1))
        q, key, v = np.transpose(heads, (2, 0, 3, 1, 4))
        scores = np.matmul(q, np.swapaxes(key, -1, -2)) * (width // model.heads) ** -0.5 + above
        weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
        mixed = np.matmul(weights / np.sum(weights, axis=-1, keepdims=True), v)
        joined = np.reshape(np.transpose(mixed, (0, 2, 1, 3)), (-1, width))
        h = h + np.dot(joined, p[f"{k}.w1"]) + p[f"{k}.b1"]
        a = layer_norm(h, p[f"{k}.scale2"], p[f"{k}.shift2"])
        h = h + np.dot(gelu(np.dot(a, p[f"{k}.w2"]) + p[f"{k}.b2"]), p[f"{k}.w3"]) + p[f"{k}.b3"]
    z = np.dot(layer_norm(h, p["scale"], p["shift"]), p["w"]) + p["b"]
    return cross_entropy(z, y.reshape(-1))


LOSSES: dict[type, Any] = {MLP: mlp, LSTM: lstm, GPT: gpt}


class Autograd(Stepping):
    """Gradients from autograd, updates in place by NumPy."""

    def __init__(self, workload: Workload, data: Data) -> None:
        loss = partial(LOSSES[type(workload.model)], workload.model)
        self.slope = value_and_grad(loss)
        super().__init__(workload, data)

    def reset(self) -> None:
        self.p = self.workload.initial()
        self.m = {name: numpy.zeros_like(value) for name, value in self.p.items()}
        self.v = {name: numpy.zeros_like(value) for name, value in self.p.items()}
        self.t = 0

    def step(self, x: Any, y: Any) -> Any:
        loss, g = self.slope(self.p, x, y)
        rate = self.workload.rate
        if self.workload.optimiser == "sgd":
            for name, w in self.p.items():
                w -= rate * g[name]
            return loss
        self.t += 1
        a, b = rate / (1 - BETA1**self.t), 1 / (1 - BETA2**self.t)
        for name, w in self.p.items():
            m, v = self.m[name], self.v[name]
            m *= BETA1
            m += (1 - BETA1) * g[name]
            v *= BETA2
            v += (1 - BETA2) * numpy.square(g[name])
            w -= a * m / (numpy.sqrt(v * b) + EPSILON)
        return loss

    def parameters(self) -> Parameters:
        return self.p
