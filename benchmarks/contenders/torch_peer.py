"""PyTorch as its users write it: eager, and with the whole training step compiled by ``torch.compile``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from benchmarks.workloads import BETA1, BETA2, EPSILON, GPT, LSTM, MLP, Convolutional, Data, Parameters, Workload

__all__ = ["CompiledLoss", "CompiledStep", "Eager", "compiled"]

Loss = Callable[[Parameters, Any, Any], Any]
HIDDEN = {"relu": torch.relu, "sigmoid": torch.sigmoid}


def mlp(model: MLP, p: Parameters, x: Any, y: Any) -> Any:
    last = len(model.sizes) - 2
    for k in range(last):
        x = HIDDEN[model.hidden](functional.linear(x, p[f"w{k}"], p[f"b{k}"]))
    z = functional.linear(x, p[f"w{last}"], p[f"b{last}"])
    if model.loss == "mse":
        return functional.mse_loss(z, y)
    if model.loss == "bce":
        return functional.binary_cross_entropy_with_logits(z, y)
    return functional.cross_entropy(z, y)


def convolutional(model: Convolutional, p: Parameters, x: Any, y: Any) -> Any:
    for k, (_, _, padding) in enumerate(model.filters):
        x = functional.conv2d(x, p[f"f{k}"], p[f"c{k}"], padding=padding)
        x = torch.relu(functional.max_pool2d(x, 2))
    x = x.flatten(1)
    last = len(model.sizes) - 1
    for k in range(last):
        x = torch.relu(functional.linear(x, p[f"w{k}"], p[f"b{k}"]))
    return functional.cross_entropy(functional.linear(x, p[f"w{last}"], p[f"b{last}"]), y)


@torch.compiler.disable  # its own kernel is faster than what the compiler makes of 64 unrolled steps
def lstm_kernel(*arguments: Any) -> Any:
    return torch.lstm(*arguments)


def lstm(model: LSTM, p: Parameters, x: Any, y: Any) -> Any:
    embedded = functional.embedding(x.t(), p["embedding"])
    zeros = embedded.new_zeros(1, x.shape[0], model.hidden)
    weights = [p["input"], p["state"], p["bias"], torch.zeros_like(p["bias"])]
    states = lstm_kernel(embedded, (zeros, zeros), weights, True, 1, 0.0, True, False, False)[0]
    z = functional.linear(states, p["w"], p["b"])
    return functional.cross_entropy(z.view(-1, model.symbols), y.t().reshape(-1))


def gpt(model: GPT, p: Parameters, x: Any, y: Any) -> Any:
    count, length = x.shape
    width = (model.width,)
    h = functional.embedding(x, p["symbols"]) + p["places"]
    for k in range(model.layers):
        a = functional.layer_norm(h, width, p[f"{k}.scale1"], p[f"{k}.shift1"])
        qkv = functional.linear(a, p[f"{k}.qkv"]).view(count, length, 3, model.heads, -1)
        q, key, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, key, v, is_causal=True)
        joined = mixed.transpose(1, 2).reshape(count, length, model.width)
        h = h + functional.linear(joined, p[f"{k}.w1"], p[f"{k}.b1"])
        a = functional.layer_norm(h, width, p[f"{k}.scale2"], p[f"{k}.shift2"])
        a = functional.gelu(functional.linear(a, p[f"{k}.w2"], p[f"{k}.b2"]), approximate="tanh")
        h = h + functional.linear(a, p[f"{k}.w3"], p[f"{k}.b3"])
    z = functional.linear(functional.layer_norm(h, width, p["scale"], p["shift"]), p["w"], p["b"])
    return functional.cross_entropy(z.view(-1, model.symbols), y.view(-1))


LOSSES: dict[type, Any] = {MLP: mlp, Convolutional: convolutional, LSTM: lstm, GPT: gpt}


def loss_of(workload: Workload) -> Loss:
    model, loss = workload.model, LOSSES[type(workload.model)]
    return lambda p, x, y: loss(model, p, x, y)


def turned(name: str, value: Any) -> bool:
    """Whether PyTorch keeps this parameter the other way round: the weights of its dense layers, (outputs, inputs)."""
    return value.ndim == 2 and name not in ("embedding", "symbols", "places")


def arranged(x: Any) -> Any:
    """In memory one row after the other; images and filters with their channels last, nearly twice as fast on a CPU."""
    return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x.contiguous()


class Eager:
    """Operation by operation, with the fused optimiser (one call for all parameters, the fastest of its three)."""

    whole_epochs = False

    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.loss = loss_of(workload)
        self.x = arranged(torch.from_numpy(data.x))
        self.y = torch.from_numpy(data.y)
        if self.x.dtype == torch.int32:
            self.x = self.x.long()
        if self.y.dtype == torch.int32:
            self.y = self.y.long()
        self.reset()

    def reset(self) -> None:
        self.p = {
            name: arranged(torch.tensor(value.T if turned(name, value) else value)).requires_grad_()
            for name, value in self.workload.initial().items()
        }
        leaves, rate = list(self.p.values()), self.workload.rate
        if self.workload.optimiser == "sgd":
            self.optimiser: Any = torch.optim.SGD(leaves, rate, fused=True)
        else:
            self.optimiser = torch.optim.Adam(leaves, rate, (BETA1, BETA2), EPSILON, fused=True)

    def prepared(self, batches: Any) -> Any:
        return list(torch.from_numpy(batches).long())

    def run(self, batches: Any) -> Any:
        losses = []
        for rows in batches:
            self.optimiser.zero_grad(set_to_none=True)
            loss = self.loss(self.p, self.x.index_select(0, rows), self.y.index_select(0, rows))
            loss.backward()
            self.optimiser.step()
            losses.append(loss.detach())
        return losses

    def losses(self, losses: Any) -> Any:
        return torch.stack(losses).numpy()

    def parameters(self) -> Parameters:
        plain = {name: value.detach().numpy() for name, value in self.p.items()}
        return {name: value.T if turned(name, value) else value for name, value in plain.items()}


class CompiledLoss(Eager):
    """The loss and its gradients compiled, then the fused optimiser: how ``torch.compile`` is mostly used."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        torch.compiler.reset()  # or it gives up after a few workloads, taking them for one function's many shapes
        loss = self.loss
        x, y = self.x, self.y

        def gathered(p: Parameters, rows: Any) -> Any:
            return loss(p, x.index_select(0, rows), y.index_select(0, rows))

        self.compiled = torch.compile(gathered, dynamic=False)

    def run(self, batches: Any) -> Any:
        losses = []
        for rows in batches:
            self.optimiser.zero_grad(set_to_none=True)
            loss = self.compiled(self.p, rows)
            loss.backward()
            self.optimiser.step()
            losses.append(loss.detach())
        return losses


class CompiledStep(Eager):
    """Gathering, loss, gradients and update as one compiled graph: the least overhead ``torch.compile`` can have."""

    def __init__(self, workload: Workload, data: Data) -> None:
        super().__init__(workload, data)
        torch.compiler.reset()
        slope = torch.func.grad_and_value(self.loss)
        rate = workload.rate

        def sgd(state: Any, x: Any, y: Any, rows: Any) -> Any:
            (p,) = state
            g, loss = slope(p, x.index_select(0, rows), y.index_select(0, rows))
            for name, w in p.items():
                w.sub_(rate * g[name])
            return loss

        def adam(state: Any, x: Any, y: Any, rows: Any) -> Any:
            p, m, v, t = state
            g, loss = slope(p, x.index_select(0, rows), y.index_select(0, rows))
            t.add_(1)
            a, b = rate / (1 - BETA1**t), 1 / (1 - BETA2**t)
            for name, w in p.items():
                m[name].mul_(BETA1).add_(g[name], alpha=1 - BETA1)
                v[name].mul_(BETA2).addcmul_(g[name], g[name], value=1 - BETA2)
                w.sub_(a * m[name] / ((v[name] * b).sqrt() + EPSILON))
            return loss

        self.compiled = torch.compile(sgd if workload.optimiser == "sgd" else adam, dynamic=False, fullgraph=True)

    def reset(self) -> None:
        super().reset()
        self.p = {name: value.detach() for name, value in self.p.items()}
        self.state: Any = (self.p,)
        if self.workload.optimiser == "adam":
            zeros = [{name: torch.zeros_like(value) for name, value in self.p.items()} for _ in range(2)]
            self.state = (self.p, *zeros, torch.zeros(()))

    def run(self, batches: Any) -> Any:
        return [self.compiled(self.state, self.x, self.y, rows) for rows in batches]


def compiled(workload: Workload, data: Data) -> Any:
    """The better of the two; PyTorch's own LSTM cannot be a part of a compiled step."""
    return (CompiledLoss if isinstance(workload.model, LSTM) else CompiledStep)(workload, data)
