"""The nine workloads in Backlight: plain NumPy code, a loss for each model and two optimisers over trees of arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import backlight
from benchmarks.workloads import BETA1, BETA2, EPSILON, GPT, LSTM, MLP, Convolutional, Parameters, Workload

__all__ = ["epoch", "initial_state", "loss_of", "step_of"]

Loss = Callable[[Parameters, Any, Any], Any]
HIDDEN = {"relu": backlight.relu, "sigmoid": backlight.sigmoid}


def cross_entropy(z: Any, y: Any) -> Any:
    """The mean of -log softmax(z)[y], z (N, classes)."""
    return np.mean(backlight.logsumexp(z, axis=-1) - z[np.arange(len(y)), y])


def mlp(model: MLP, p: Parameters, x: Any, y: Any) -> Any:
    last = len(model.sizes) - 2
    for k in range(last):
        x = HIDDEN[model.hidden](x @ p[f"w{k}"] + p[f"b{k}"])
    z = x @ p[f"w{last}"] + p[f"b{last}"]
    if model.loss == "mse":
        return np.mean((z - y) ** 2)
    if model.loss == "bce":
        return np.mean(backlight.softplus(z) - y * z)
    return cross_entropy(z, y)


def convolutional(model: Convolutional, p: Parameters, x: Any, y: Any) -> Any:
    for k, (_, _, padding) in enumerate(model.filters):
        x = backlight.convolution(x, p[f"f{k}"], padding=padding) + p[f"c{k}"][:, None, None]
        x = backlight.relu(backlight.max_pool(x, 2))
    x = x.reshape(len(x), -1)
    last = len(model.sizes) - 1
    for k in range(last):
        x = backlight.relu(x @ p[f"w{k}"] + p[f"b{k}"])
    return cross_entropy(x @ p[f"w{last}"] + p[f"b{last}"], y)


def lstm(model: LSTM, p: Parameters, x: Any, y: Any) -> Any:
    inputs = p["embedding"][x.T] @ p["input"] + p["bias"]  # (T, N, 4 hidden), for all steps at once

    def step(carry: Any, row: Any) -> Any:
        h, c = carry
        i, f, g, o = np.split(row + h @ p["state"], 4, axis=-1)
        c = backlight.sigmoid(f) * c + backlight.sigmoid(i) * np.tanh(g)
        h = backlight.sigmoid(o) * np.tanh(c)
        return (h, c), h

    zeros = np.zeros((len(x), model.hidden), p["state"].dtype)
    _, states = backlight.scan(step, (zeros, zeros), inputs)
    z = states.reshape(-1, model.hidden) @ p["w"] + p["b"]
    return cross_entropy(z, y.T.reshape(-1))


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * scale + shift


def attention(model: GPT, x: Any, qkv: Any) -> Any:
    count, length, width = x.shape
    heads = (x @ qkv).reshape(count, length, 3, model.heads, width // model.heads)
    q, k, v = np.transpose(heads, (2, 0, 3, 1, 4))  # each (N, heads, T, width of a head)
    scores = q @ np.swapaxes(k, -1, -2) / (width // model.heads) ** 0.5
    causal = np.tril(np.ones((length, length), bool))
    mixed = backlight.softmax(np.where(causal, scores, -np.inf)) @ v
    return np.transpose(mixed, (0, 2, 1, 3)).reshape(count, length, width)


def gpt(model: GPT, p: Parameters, x: Any, y: Any) -> Any:
    h = p["symbols"][x] + p["places"]
    for k in range(model.layers):
        a = layer_norm(h, p[f"{k}.scale1"], p[f"{k}.shift1"])
        h = h + attention(model, a, p[f"{k}.qkv"]) @ p[f"{k}.w1"] + p[f"{k}.b1"]
        a = layer_norm(h, p[f"{k}.scale2"], p[f"{k}.shift2"])
        a = backlight.gelu(a @ p[f"{k}.w2"] + p[f"{k}.b2"], approximate=True)
        h = h + a @ p[f"{k}.w3"] + p[f"{k}.b3"]
    z = layer_norm(h, p["scale"], p["shift"]) @ p["w"] + p["b"]
    return cross_entropy(z.reshape(-1, model.symbols), y.reshape(-1))


LOSSES: dict[type, Any] = {MLP: mlp, Convolutional: convolutional, LSTM: lstm, GPT: gpt}


def loss_of(workload: Workload) -> Loss:
    """``loss(parameters, x, y)`` of one batch."""
    return partial(LOSSES[type(workload.model)], workload.model)


# -- Optimisers: a state begins with the parameters, and a step gives the next state and the loss


def sgd(loss: Loss, rate: float, state: Any, x: Any, y: Any) -> Any:
    """w ← w - rate · g."""
    (parameters,) = state
    value, gradients = backlight.value_and_grad(loss)(parameters, x, y)
    return (backlight.tree_map(lambda w, g: w - rate * g, parameters, gradients),), value


def adam(loss: Loss, rate: float, state: Any, x: Any, y: Any) -> Any:
    """w ← w - rate · m̂ / (√v̂ + ε), the moments corrected for their start at 0 (Kingma & Ba, arXiv:1412.6980)."""
    parameters, m, v, t = state
    value, gradients = backlight.value_and_grad(loss)(parameters, x, y)
    t = t + 1
    m = backlight.tree_map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
    v = backlight.tree_map(lambda v, g: BETA2 * v + (1 - BETA2) * g**2, v, gradients)
    m_scale, v_scale = 1 / (1 - BETA1**t), 1 / (1 - BETA2**t)

    def update(w: Any, m: Any, v: Any) -> Any:
        return w - rate * (m * m_scale) / (np.sqrt(v * v_scale) + EPSILON)

    return (backlight.tree_map(update, parameters, m, v), m, v, t), value


def initial_state(workload: Workload) -> Any:
    parameters = workload.initial()
    if workload.optimiser == "sgd":
        return (parameters,)
    zeros = backlight.tree_map(np.zeros_like, parameters)
    return parameters, zeros, backlight.tree_map(np.zeros_like, parameters), np.float32(0)


def step_of(workload: Workload) -> Callable[..., Any]:
    """``step(state, x, y) -> (state, loss)`` on one batch."""
    return partial({"sgd": sgd, "adam": adam}[workload.optimiser], loss_of(workload), workload.rate)


def epoch(workload: Workload) -> Callable[..., Any]:
    """``epoch(state, batches, x, y) -> (state, losses)``: a step for every row of ``batches``, which index x and y."""
    step = step_of(workload)

    def run(state: Any, batches: Any, x: Any, y: Any) -> Any:
        return backlight.scan(lambda state, batch: step(state, x[batch], y[batch]), state, batches)

    return run
