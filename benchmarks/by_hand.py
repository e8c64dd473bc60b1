"""The nine workloads in NumPy with every gradient written by hand: a peer in float32, the reference in float64.

Parameters and gradients are views into one long vector each, so that the optimiser is a few calls of NumPy for the
whole network; results are written in place wherever that saves an allocation. Images are channels last inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workloads import BETA1, BETA2, EPSILON, GPT, LSTM, MLP, Convolutional, Parameters, Workload

__all__ = ["ByHand", "trajectory"]


class ByHand:
    """A model, its gradients and its optimiser: ``step(x, y)`` is the loss before the update."""

    def __init__(self, workload: Workload, dtype: Any = np.float32) -> None:
        self.workload = workload
        self.model = workload.model
        start = workload.initial()
        self.flat = np.concatenate([value.ravel() for value in start.values()]).astype(dtype)
        self.slope = np.zeros_like(self.flat)
        self.p, self.g = _views(self.flat, start), _views(self.slope, start)
        self.m, self.v = np.zeros_like(self.flat), np.zeros_like(self.flat)
        self.spare, self.other = np.empty_like(self.flat), np.empty_like(self.flat)
        self.t = 0
        self._gradients = MODELS[type(self.model)]
        self._update = self._sgd if workload.optimiser == "sgd" else self._adam

    def gradients(self, x: Any, y: Any) -> Any:
        """The loss of one batch; its gradients are then in ``g``."""
        return self._gradients(self.model, self.p, self.g, x, y)

    def step(self, x: Any, y: Any) -> Any:
        loss = self.gradients(x, y)
        self._update()
        return loss

    def _sgd(self) -> None:
        np.multiply(self.slope, self.workload.rate, out=self.spare)
        self.flat -= self.spare

    def _adam(self) -> None:
        self.t += 1
        spare, other = self.spare, self.other
        self.m *= BETA1
        self.m += np.multiply(self.slope, 1 - BETA1, out=spare)
        self.v *= BETA2
        np.square(self.slope, out=spare)
        spare *= 1 - BETA2
        self.v += spare
        np.multiply(self.v, 1 / (1 - BETA2**self.t), out=spare)
        np.sqrt(spare, out=spare)
        spare += EPSILON
        np.multiply(self.m, self.workload.rate / (1 - BETA1**self.t), out=other)
        other /= spare
        self.flat -= other


def _views(flat: Any, like: Parameters) -> Parameters:
    found, start = {}, 0
    for name, value in like.items():
        found[name] = flat[start : start + value.size].reshape(value.shape)
        start += value.size
    return found


def trajectory(workload: Workload, steps: int) -> tuple[Any, Parameters]:
    """The losses of the first steps and the parameters after them, in float64."""
    x, y, batches = workload.data()
    reference = ByHand(workload, np.float64)
    real = x.dtype.kind == "f"
    losses = [reference.step(x[rows].astype(np.float64) if real else x[rows], y[rows]) for rows in batches[:steps]]
    return np.array(losses), reference.p


# -- Parts: forward, then the way back


def cross_entropy(z: Any, y: Any) -> tuple[Any, Any]:
    """The loss and the gradient at z, which is overwritten."""
    rows = np.arange(len(y))
    z -= z.max(axis=1, keepdims=True)
    target = z[rows, y]
    np.exp(z, out=z)
    total = np.add.reduce(z, axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - target).mean()
    z /= total
    z[rows, y] -= 1
    z /= len(y)
    return loss, z


def dense_back(x: Any, dz: Any, w: Any, dw: Any, db: Any, onwards: bool = True) -> Any:
    """Gradients of ``z = x @ w + b``: written to dw and db, and returned for x (where somebody asks)."""
    np.matmul(x.T, dz, out=dw)
    np.add.reduce(dz, axis=0, out=db)
    return dz @ w.T if onwards else None


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), in the place of z."""
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    return np.reciprocal(z, out=z)


def mlp(model: MLP, p: Parameters, g: Parameters, x: Any, y: Any) -> Any:
    hidden = [x]
    last = len(model.sizes) - 2
    for k in range(last + 1):
        z = hidden[-1] @ p[f"w{k}"]
        z += p[f"b{k}"]
        if k < last:
            hidden.append(np.maximum(z, 0, out=z) if model.hidden == "relu" else sigmoid(z))
    if model.loss == "mse":
        z -= y
        loss = np.square(z).mean()
        z *= 2 / z.size
    elif model.loss == "bce":
        loss = (np.logaddexp(z, z.dtype.type(0)) - y * z).mean()
        z = sigmoid(z)
        z -= y
        z /= z.size
    else:
        loss, z = cross_entropy(z, y)
    for k in range(last, -1, -1):
        h = hidden[k]
        z = dense_back(h, z, p[f"w{k}"], g[f"w{k}"], g[f"b{k}"], onwards=k > 0)
        if k and model.hidden == "relu":
            z *= h > 0
        elif k:
            z *= h
            z *= 1 - h
    return loss


def _patches(x: Any, size: int) -> Any:
    """Every window of size x size of the images (N, H, W, C), as rows (N·H'·W', size·size·C)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * x.shape[3])


def _corners(x: Any) -> list[Any]:
    """The four elements of every 2x2 window; an odd last row or column is in none."""
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return [x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]


def convolutional(model: Convolutional, p: Parameters, g: Parameters, x: Any, y: Any) -> Any:
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    kept = []
    for k, (out, size, padding) in enumerate(model.filters):
        if padding:
            x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        rows = _patches(x, size)
        filters = np.ascontiguousarray(p[f"f{k}"].transpose(2, 3, 1, 0)).reshape(-1, out)
        z = rows @ filters
        z += p[f"c{k}"]
        side = x.shape[1] - size + 1
        z = z.reshape(len(x), side, side, out)
        a, b, c, d = _corners(z)
        most = np.maximum(np.maximum(a, b), np.maximum(c, d))
        kept.append((rows, filters, z, most, x.shape))
        x = np.maximum(most, 0)
    shape = x.shape
    hidden = [x.transpose(0, 3, 1, 2).reshape(len(x), -1)]
    last = len(model.sizes) - 1
    for k in range(last + 1):
        z = hidden[-1] @ p[f"w{k}"]
        z += p[f"b{k}"]
        if k < last:
            hidden.append(np.maximum(z, 0, out=z))
    loss, dz = cross_entropy(z, y)
    for k in range(last, -1, -1):
        dz = dense_back(hidden[k], dz, p[f"w{k}"], g[f"w{k}"], g[f"b{k}"])
        dz *= hidden[k] > 0
    dx = dz.reshape(shape[0], shape[3], *shape[1:3]).transpose(0, 2, 3, 1)
    for k in range(len(kept) - 1, -1, -1):
        out, size, padding = model.filters[k]
        rows, filters, z, most, shape = kept[k]
        dx = dx * (most > 0)
        spread = np.zeros_like(z)
        for corner, place in zip(_corners(z), _corners(spread), strict=True):
            np.multiply(dx, corner == most, out=place)
        dz = spread.reshape(-1, out)
        slope = (rows.T @ dz).reshape(size, size, shape[3], out)
        g[f"f{k}"][...] = slope.transpose(3, 2, 0, 1)
        np.add.reduce(dz, axis=0, out=g[f"c{k}"])
        if k:
            back = (dz @ filters.T).reshape(*z.shape[:3], size, size, shape[3])
            dx = np.zeros(shape, z.dtype)
            side = z.shape[1]
            for i in range(size):
                for j in range(size):
                    dx[:, i : i + side, j : j + side] += back[:, :, :, i, j]
            if padding:
                dx = dx[:, padding:-padding, padding:-padding]
    return loss


def _rows_added(numbers: Any, rows: Any, out: Any) -> None:
    """out[number] = the sum of its rows: a product with an indicator, much faster than ``np.add.at``."""
    indicator = (np.arange(len(out))[:, None] == numbers.reshape(-1)).astype(rows.dtype)
    np.matmul(indicator, rows, out=out)


def lstm(model: LSTM, p: Parameters, g: Parameters, x: Any, y: Any) -> Any:
    count, length, hidden = len(x), model.length, model.hidden
    symbols = x.T
    embedded = p["embedding"][symbols].reshape(-1, model.embedding)
    gates = embedded @ p["input"]
    gates += p["bias"]
    gates = gates.reshape(length, count, 4 * hidden)
    h = np.zeros((length + 1, count, hidden), gates.dtype)
    c = np.zeros_like(h)
    bent = np.empty_like(h)  # tanh of c
    for t in range(length):
        z = gates[t]
        z += h[t] @ p["state"]
        sigmoid(z[:, : 2 * hidden])
        np.tanh(z[:, 2 * hidden : 3 * hidden], out=z[:, 2 * hidden : 3 * hidden])
        sigmoid(z[:, 3 * hidden :])
        i, f, new, o = np.split(z, 4, axis=1)
        np.multiply(f, c[t], out=c[t + 1])
        c[t + 1] += i * new
        np.tanh(c[t + 1], out=bent[t + 1])
        np.multiply(o, bent[t + 1], out=h[t + 1])
    states = h[1:].reshape(-1, hidden)
    z = states @ p["w"]
    z += p["b"]
    loss, dz = cross_entropy(z, y.T.reshape(-1))
    at_states = dense_back(states, dz, p["w"], g["w"], g["b"]).reshape(length, count, hidden)
    slopes = np.empty_like(gates)
    dh, dc = np.zeros_like(h[0]), np.zeros_like(h[0])
    back = np.ascontiguousarray(p["state"].T)
    for t in range(length - 1, -1, -1):
        i, f, new, o = np.split(gates[t], 4, axis=1)
        di, df, dnew, do = np.split(slopes[t], 4, axis=1)
        dh += at_states[t]
        dc += dh * o * (1 - np.square(bent[t + 1]))
        np.multiply(dc * new, i * (1 - i), out=di)
        np.multiply(dc * c[t], f * (1 - f), out=df)
        np.multiply(dc * i, 1 - np.square(new), out=dnew)
        np.multiply(dh * bent[t + 1], o * (1 - o), out=do)
        dc *= f
        dh = slopes[t] @ back
    slopes = slopes.reshape(-1, 4 * hidden)
    np.matmul(h[:-1].reshape(-1, hidden).T, slopes, out=g["state"])
    _rows_added(symbols, dense_back(embedded, slopes, p["input"], g["input"], g["bias"]), g["embedding"])
    return loss


def normalise(x: Any, scale: Any, shift: Any) -> tuple[Any, Any]:
    """Layer normalisation, and what its way back needs."""
    centred = x - x.mean(axis=-1, keepdims=True)
    steep = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + 1e-5)
    centred *= steep
    return centred * scale + shift, (centred, steep)


def normalise_back(dy: Any, kept: Any, scale: Any, dscale: Any, dshift: Any) -> Any:
    unit, steep = kept
    np.einsum("ij,ij->j", dy, unit, out=dscale)
    np.add.reduce(dy, axis=0, out=dshift)
    d = dy * scale
    along = (d * unit).mean(axis=-1, keepdims=True)
    d -= d.mean(axis=-1, keepdims=True)
    d -= unit * along
    d *= steep
    return d


def attend(heads: Any) -> tuple[Any, Any]:
    """Causal attention of (3, N, heads, T, d): the mixed values, and the weights."""
    q, k, v = heads
    weights = q @ k.swapaxes(-1, -2)
    weights *= q.shape[-1] ** -0.5
    length = q.shape[-2]
    weights[..., ~np.tri(length, dtype=bool)] = -np.inf
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= np.add.reduce(weights, axis=-1, keepdims=True)
    return weights @ v, weights


def attend_back(dmixed: Any, heads: Any, weights: Any) -> Any:
    q, k, v = heads
    slopes = np.empty_like(heads)
    np.matmul(weights.swapaxes(-1, -2), dmixed, out=slopes[2])
    d = dmixed @ v.swapaxes(-1, -2)
    d *= weights
    d -= weights * np.add.reduce(d, axis=-1, keepdims=True)
    d *= q.shape[-1] ** -0.5
    np.matmul(d, k, out=slopes[0])
    np.matmul(d.swapaxes(-1, -2), q, out=slopes[1])
    return slopes


def gelu(x: Any) -> tuple[Any, Any]:
    """x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), and its derivative."""
    c = (2 / np.pi) ** 0.5
    square = np.square(x)
    bent = np.tanh(c * x * (1 + 0.044715 * square))
    local = 0.5 * (1 + bent) + 0.5 * x * (1 - np.square(bent)) * c * (1 + 3 * 0.044715 * square)
    return 0.5 * x * (1 + bent), local


def gpt(model: GPT, p: Parameters, g: Parameters, x: Any, y: Any) -> Any:
    (count, length), width, number = x.shape, model.width, model.heads
    split = (count, length, 3, number, width // number)
    h = (p["symbols"][x] + p["places"]).reshape(-1, width)
    kept = []
    for k in range(model.layers):
        a, norm1 = normalise(h, p[f"{k}.scale1"], p[f"{k}.shift1"])
        heads = np.ascontiguousarray((a @ p[f"{k}.qkv"]).reshape(split).transpose(2, 0, 3, 1, 4))
        mixed, weights = attend(heads)
        joined = mixed.transpose(0, 2, 1, 3).reshape(-1, width)
        h = h + joined @ p[f"{k}.w1"] + p[f"{k}.b1"]
        b, norm2 = normalise(h, p[f"{k}.scale2"], p[f"{k}.shift2"])
        wide, local = gelu(b @ p[f"{k}.w2"] + p[f"{k}.b2"])
        h = h + wide @ p[f"{k}.w3"] + p[f"{k}.b3"]
        kept.append((a, norm1, heads, weights, joined, b, norm2, wide, local))
    a, norm = normalise(h, p["scale"], p["shift"])
    loss, dz = cross_entropy(a @ p["w"] + p["b"], y.reshape(-1))
    da = dense_back(a, dz, p["w"], g["w"], g["b"])
    dh = normalise_back(da, norm, p["scale"], g["scale"], g["shift"])
    for k in range(model.layers - 1, -1, -1):
        a, norm1, heads, weights, joined, b, norm2, wide, local = kept[k]
        dwide = dense_back(wide, dh, p[f"{k}.w3"], g[f"{k}.w3"], g[f"{k}.b3"])
        dwide *= local
        db = dense_back(b, dwide, p[f"{k}.w2"], g[f"{k}.w2"], g[f"{k}.b2"])
        dh += normalise_back(db, norm2, p[f"{k}.scale2"], g[f"{k}.scale2"], g[f"{k}.shift2"])
        dmixed = dense_back(joined, dh, p[f"{k}.w1"], g[f"{k}.w1"], g[f"{k}.b1"])
        dmixed = dmixed.reshape(count, length, number, -1).transpose(0, 2, 1, 3)
        slopes = attend_back(dmixed, heads, weights).transpose(1, 3, 0, 2, 4).reshape(-1, 3 * width)
        np.matmul(a.T, slopes, out=g[f"{k}.qkv"])
        da = slopes @ p[f"{k}.qkv"].T
        dh += normalise_back(da, norm1, p[f"{k}.scale1"], g[f"{k}.scale1"], g[f"{k}.shift1"])
    _rows_added(x, dh, g["symbols"])
    np.add.reduce(dh.reshape(count, length, width), axis=0, out=g["places"])
    return loss


MODELS: dict[type, Any] = {MLP: mlp, Convolutional: convolutional, LSTM: lstm, GPT: gpt}
