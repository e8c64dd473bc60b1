"""What people write with PyTorch: a loop over shuffled batches, the mean loss, the accuracy, a line for every epoch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.fit.jobs import Job
from benchmarks.workloads import GPT, LSTM, MLP, Convolutional

__all__ = ["Loop"]

HIDDEN = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def mlp(model: MLP) -> Any:
    found: list[Any] = []
    for m, n in pairwise(model.sizes):
        found += [nn.Linear(m, n), HIDDEN[model.hidden]()]
    return nn.Sequential(*found[:-1])


def convolutional(model: Convolutional) -> Any:
    found: list[Any] = []
    for (out, size, padding), (channels, _, _) in zip(model.filters, model.planes(), strict=True):
        found += [nn.Conv2d(channels, out, size, padding=padding), nn.ReLU(), nn.MaxPool2d(2)]
    found.append(nn.Flatten())
    for m, n in pairwise(model.dense_sizes()):
        found += [nn.Linear(m, n), nn.ReLU()]
    return nn.Sequential(*found[:-1])


class Recurrent(nn.Module):
    def __init__(self, model: LSTM) -> None:
        super().__init__()
        self.embedding = nn.Embedding(model.symbols, model.embedding)
        self.lstm = nn.LSTM(model.embedding, model.hidden, batch_first=True)
        self.out = nn.Linear(model.hidden, model.symbols)

    def forward(self, x: Any) -> Any:
        return self.out(self.lstm(self.embedding(x))[0])


class Block(nn.Module):
    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(model.width), nn.LayerNorm(model.width)
        self.heads, self.qkv = model.heads, nn.Linear(model.width, 3 * model.width)
        self.mixed = nn.Linear(model.width, model.width)
        width = model.width
        self.wide = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Any) -> Any:
        count, length, width = x.shape
        heads = self.qkv(self.first(x)).reshape(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.mixed(mixed.transpose(1, 2).reshape(count, length, width))
        return x + self.wide(self.second(x))


class Transformer(nn.Module):
    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(model.symbols, model.width), nn.Embedding(model.context, model.width)
        self.blocks = nn.Sequential(*(Block(model) for _ in range(model.layers)))
        self.last, self.out = nn.LayerNorm(model.width), nn.Linear(model.width, model.symbols)

    def forward(self, x: Any, places: Any) -> Any:
        return self.out(self.last(self.blocks(self.symbols(x) + self.places(places))))


NETWORKS: dict[type, Any] = {MLP: mlp, Convolutional: convolutional, LSTM: Recurrent, GPT: Transformer}


class Loop:
    """Eager PyTorch, with as many threads as the environment says or as it takes by itself."""

    def __init__(self, job: Job) -> None:
        torch.manual_seed(1)
        self.job, workload = job, job.workload
        x, y = job.data()
        if isinstance(workload.model, Convolutional):
            x = [np.ascontiguousarray(np.moveaxis(each, -1, 1)) for each in x]
        self.x = [torch.from_numpy(each) for each in x]
        self.y = torch.from_numpy(y if y.dtype.kind == "f" else y.astype(np.int64))
        self.net = NETWORKS[type(workload.model)](workload.model)
        kind = torch.optim.SGD if workload.optimiser == "sgd" else torch.optim.Adam
        self.optimizer = kind(self.net.parameters(), lr=workload.rate)
        losses = {"mse": nn.MSELoss, "bce": nn.BCEWithLogitsLoss, "ce": nn.CrossEntropyLoss}
        self.loss = losses[job.loss]()

    def epochs(self, count: int) -> None:
        batch = self.job.workload.batch
        for epoch in range(count):
            order = torch.randperm(self.job.examples)
            total, right, seen = torch.zeros(()), torch.zeros(()), 0
            for start in range(0, self.job.examples, batch):
                rows = order[start : start + batch]
                x, y = [each[rows] for each in self.x], self.y[rows]
                self.optimizer.zero_grad()
                z = self.net(*x)
                loss = self.loss(z.flatten(0, -2), y.flatten()) if self.job.loss == "ce" else self.loss(z, y)
                loss.backward()
                self.optimizer.step()
                with torch.no_grad():
                    total += loss * len(rows)
                    right += ((z.argmax(-1) == y) if self.job.loss == "ce" else ((z > 0) == (y > 0.5))).sum()
                seen += y.numel()
            print(f"epoch {epoch + 1}: loss {total.item() / self.job.examples:.4f}, accuracy {right.item() / seen:.4f}")
