"""JAX: one jitted training step called for every batch, and one jitted scan over the whole epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax, nn
from jax import numpy as jnp

from benchmarks.contenders.layout import channels_first, channels_last
from benchmarks.workloads import BETA1, BETA2, EPSILON, GPT, LSTM, MLP, Convolutional, Data, Parameters, Workload

__all__ = ["EpochScan", "JitStep"]

HIDDEN = {"relu": nn.relu, "sigmoid": nn.sigmoid}


def cross_entropy(z: Any, y: Any) -> Any:
    return -jnp.mean(jnp.take_along_axis(nn.log_softmax(z), y[..., None], axis=-1))


def mlp(model: MLP, p: Parameters, x: Any, y: Any) -> Any:
    last = len(model.sizes) - 2
    for k in range(last):
        x = HIDDEN[model.hidden](x @ p[f"w{k}"] + p[f"b{k}"])
    z = x @ p[f"w{last}"] + p[f"b{last}"]
    if model.loss == "mse":
        return jnp.mean(jnp.square(z - y))
    if model.loss == "bce":
        return jnp.mean(nn.softplus(z) - y * z)
    return cross_entropy(z, y)


def max_pool(x: Any) -> Any:
    """Through a reshape: its gradient is a comparison, several times faster on a CPU than that of ``reduce_window``."""
    n, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return jnp.max(x.reshape(n, h // 2, 2, w // 2, 2, c), axis=(2, 4))


def convolutional(model: Convolutional, p: Parameters, x: Any, y: Any) -> Any:
    for k, (_, _, padding) in enumerate(model.filters):
        pads = ((padding, padding), (padding, padding))
        x = lax.conv_general_dilated(x, p[f"f{k}"], (1, 1), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = nn.relu(max_pool(x + p[f"c{k}"]))
    x = x.reshape(x.shape[0], -1)
    last = len(model.sizes) - 1
    for k in range(last):
        x = nn.relu(x @ p[f"w{k}"] + p[f"b{k}"])
    return cross_entropy(x @ p[f"w{last}"] + p[f"b{last}"], y)


def lstm(model: LSTM, p: Parameters, x: Any, y: Any) -> Any:
    """One product with both weights in every step: faster here than all inputs' products before the loop."""
    weights = jnp.concatenate([p["input"], p["state"]])

    def step(carry: Any, row: Any) -> Any:
        h, c = carry
        z = jnp.concatenate([row, h], axis=-1) @ weights + p["bias"]
        i, f, g, o = jnp.split(z, 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[0], model.hidden), jnp.float32)
    _, states = lax.scan(step, (zeros, zeros), p["embedding"][x.T])
    return cross_entropy(states @ p["w"] + p["b"], y.T)


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    return nn.standardize(x, axis=-1, epsilon=1e-5) * scale + shift


def gpt(model: GPT, p: Parameters, x: Any, y: Any) -> Any:
    count, length = x.shape
    h = p["symbols"][x] + p["places"]
    causal = jnp.tril(jnp.ones((length, length), bool))
    for k in range(model.layers):
        a = layer_norm(h, p[f"{k}.scale1"], p[f"{k}.shift1"])
        qkv = (a @ p[f"{k}.qkv"]).reshape(count, length, 3, model.heads, -1)
        q, key, v = qkv.transpose(2, 0, 3, 1, 4)
        scores = q @ key.swapaxes(-1, -2) * q.shape[-1] ** -0.5
        mixed = nn.softmax(jnp.where(causal, scores, -jnp.inf)) @ v
        joined = mixed.transpose(0, 2, 1, 3).reshape(count, length, model.width)
        h = h + joined @ p[f"{k}.w1"] + p[f"{k}.b1"]
        a = layer_norm(h, p[f"{k}.scale2"], p[f"{k}.shift2"])
        h = h + nn.gelu(a @ p[f"{k}.w2"] + p[f"{k}.b2"], approximate=True) @ p[f"{k}.w3"] + p[f"{k}.b3"]
    return cross_entropy(layer_norm(h, p["scale"], p["shift"]) @ p["w"] + p["b"], y)


LOSSES: dict[type, Any] = {MLP: mlp, Convolutional: convolutional, LSTM: lstm, GPT: gpt}


def step_of(workload: Workload) -> Callable[..., Any]:
    """``step(state, rows, x, y) -> (state, loss)``."""
    model, rate = workload.model, workload.rate
    slope = jax.value_and_grad(lambda p, x, y: LOSSES[type(model)](model, p, x, y))

    def taken(data: Any, rows: Any) -> Any:
        return data.at[rows].get(mode="promise_in_bounds")

    def sgd(state: Any, rows: Any, x: Any, y: Any) -> Any:
        (p,) = state
        loss, g = slope(p, taken(x, rows), taken(y, rows))
        return (jax.tree.map(lambda w, g: w - rate * g, p, g),), loss

    def adam(state: Any, rows: Any, x: Any, y: Any) -> Any:
        p, m, v, t = state
        loss, g = slope(p, taken(x, rows), taken(y, rows))
        t = t + 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
        a, b = rate / (1 - BETA1**t), 1 / (1 - BETA2**t)
        p = jax.tree.map(lambda w, m, v: w - a * m / (jnp.sqrt(v * b) + EPSILON), p, m, v)
        return (p, m, v, t), loss

    return sgd if workload.optimiser == "sgd" else adam


class _Jax:
    """State and data on the device; the state's buffers are donated to each call."""

    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        x = data.x.transpose(0, 2, 3, 1) if data.x.ndim == 4 else data.x
        self.x, self.y = jnp.asarray(x), jnp.asarray(data.y)
        self.step = step_of(workload)
        self.reset()

    def reset(self) -> None:
        p = jax.tree.map(jnp.array, channels_last(self.workload, self.workload.initial()))
        self.state: Any = (p,)
        if self.workload.optimiser == "adam":
            zeros = jax.tree.map(jnp.zeros_like, p)
            self.state = (p, zeros, jax.tree.map(jnp.zeros_like, p), jnp.float32(0))
        jax.block_until_ready(self.state)

    def parameters(self) -> Parameters:
        return channels_first(self.workload, {name: np.asarray(value) for name, value in self.state[0].items()})


class JitStep(_Jax):
    """A call of the compiled step for each batch; the calls are queued without waiting for the results."""

    whole_epochs = False

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        self.compiled = jax.jit(self.step, donate_argnums=0)

    def prepared(self, batches: Any) -> Any:
        return [jnp.asarray(rows) for rows in batches]

    def run(self, batches: Any) -> Any:
        state, losses = self.state, []
        for rows in batches:
            state, loss = self.compiled(state, rows, self.x, self.y)
            losses.append(loss)
        self.state = state
        return losses

    def losses(self, losses: Any) -> Any:
        jax.block_until_ready(self.state)
        return np.stack(losses)


class EpochScan(_Jax):
    """One call for all batches."""

    whole_epochs = True

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)

        def epoch(state: Any, batches: Any, x: Any, y: Any) -> Any:
            return lax.scan(lambda state, rows: self.step(state, rows, x, y), state, batches)

        self.compiled = jax.jit(epoch, donate_argnums=0)

    def prepared(self, batches: Any) -> Any:
        return jnp.asarray(batches)

    def run(self, batches: Any) -> Any:
        self.state, losses = self.compiled(self.state, batches, self.x, self.y)
        return losses

    def losses(self, losses: Any) -> Any:
        jax.block_until_ready(self.state)
        return np.asarray(losses)
