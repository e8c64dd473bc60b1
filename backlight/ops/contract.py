"""The table of contractions: sums of products over labelled axes. Both are linear in every operand.

    matmul   y[…, i, j] = Σ_k x1[…, i, k] · x2[…, k, j]
    einsum   y[output] = Σ over the labels that are not in the output of Π_n xn[inputs_n]

``einsum`` is kept in a normal form in which its pullback is an einsum in normal form again: the labels within one
operand are distinct, and every label of an operand appears in the output or in another operand.
"""

from __future__ import annotations

from itertools import count
from math import prod
from typing import Any

import numpy as np

from backlight.primitive import REGISTRY, Contract, Each, Sample, Structural, Why

__all__: list[str] = []

P = REGISTRY
Labels = tuple[int, ...]


def _adjoint(x: Any) -> Any:
    """The conjugate transpose of the matrices in the last two axes."""
    axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    return P.transpose(P.conjugate(x) if x.dtype.kind == "c" else x, axes=axes)


# -- matmul ------------------------------------------------------------------------------------------------------


def _matmul(x1: Any, x2: Any) -> Any:
    return x1.dot(x2) if x1.ndim == 2 else np.matmul(x1, x2)  # the method skips the ufunc's set-up: half the time


def _matmul_shape(s1: tuple[int, ...], s2: tuple[int, ...]) -> tuple[int, ...]:
    return (*s1[:-1], s2[-1])


def _matmul_kernel(s1: tuple[int, ...], s2: tuple[int, ...]) -> Contract:
    batch = tuple(range(len(s1) - 2))
    i, j, k = len(batch), len(batch) + 1, len(batch) + 2
    return Contract(((*batch, i, k), (*batch, k, j)), (*batch, i, j))


def _matmul_batch(batched: tuple[bool, ...], x1: Any, x2: Any) -> Any:
    if all(batched):
        return P.matmul(x1, x2)
    if batched[1]:
        return P.matmul(P.broadcast_to(x1, shape=(x2.shape[0], *x1.shape)), x2)
    if x2.ndim > 2:
        return P.matmul(x1, P.broadcast_to(x2, shape=(x1.shape[0], *x2.shape)))
    examples, rows, inner = x1.shape
    flat = P.matmul(P.reshape(x1, shape=(examples * rows, inner)), x2)
    return P.reshape(flat, shape=(examples, rows, x2.shape[1]))


def _wave(*shape: int, start: float = 0.0) -> np.ndarray[Any, Any]:
    """Distinct, deterministic numbers between -2 and 2."""
    return np.asarray(2 * np.sin(start + 0.7 * np.arange(prod(shape))).reshape(shape))


def _matmul_samples() -> list[Sample]:
    shapes = [
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((3, 2, 2), (3, 2, 1)),
        ((2, 1, 1, 2), (2, 1, 2, 3)),
        ((2, 0), (0, 3)),
    ]
    return [Sample((_wave(*s1), _wave(*s2, start=0.3)), {}) for s1, s2 in shapes]


# -- einsum ------------------------------------------------------------------------------------------------------


def _pair(x1: Any, x2: Any, l1: Labels, l2: Labels, output: Labels) -> Any:
    """Two operands as one batched matrix product: (both kept, left, summed) @ (both kept, summed, right)."""
    both = [label for label in l1 if label in l2]
    batch = [label for label in both if label in output]
    summed = [label for label in both if label not in output]
    left = [label for label in l1 if label not in l2]
    right = [label for label in l2 if label not in l1]
    size = dict(zip((*l1, *l2), (*x1.shape, *x2.shape), strict=True))
    m, k, n = (prod(size[label] for label in labels) for labels in (left, summed, right))
    lead = [size[label] for label in batch]
    a = x1.transpose([l1.index(label) for label in (*batch, *left, *summed)]).reshape(*lead, m, k)
    b = x2.transpose([l2.index(label) for label in (*batch, *summed, *right)]).reshape(*lead, k, n)
    made = (*batch, *left, *right)
    y = np.matmul(a, b).reshape([size[label] for label in made])
    return y.transpose([made.index(label) for label in output])[()]


def _einsum(*xs: Any, inputs: tuple[Labels, ...], output: Labels) -> Any:
    if len(xs) == 1:
        return xs[0].transpose([inputs[0].index(label) for label in output])
    if len(xs) == 2:
        _sizes([x.shape for x in xs], inputs)
        return _pair(xs[0], xs[1], inputs[0], inputs[1], output)
    alternating = [part for pair in zip(xs, inputs, strict=True) for part in pair]
    return np.asarray(np.einsum(*alternating, output, optimize="greedy"))[()]


def _sizes(shapes: Any, inputs: tuple[Labels, ...]) -> dict[int, int]:
    size: dict[int, int] = {}
    for shape, labels in zip(shapes, inputs, strict=True):
        for length, label in zip(shape, labels, strict=True):
            if size.setdefault(label, length) != length:
                raise ValueError(f"axis label {label} has length {size[label]} in one operand and {length} in another")
    return size


def _einsum_shape(*shapes: tuple[int, ...], inputs: tuple[Labels, ...], output: Labels) -> tuple[int, ...]:
    size = _sizes(shapes, inputs)
    return tuple(size[label] for label in output)


def _einsum_pullback(i: int, xs: Any, y: Any, g: Any, *, inputs: tuple[Labels, ...], output: Labels) -> Any:
    others = [n for n in range(len(xs)) if n != i]
    factors = [P.conjugate(xs[n]) if xs[n].dtype.kind == "c" else xs[n] for n in others]
    return P.einsum(g, *factors, inputs=(output, *(inputs[n] for n in others)), output=inputs[i])


def _einsum_batch(batched: tuple[bool, ...], *xs: Any, inputs: tuple[Labels, ...], output: Labels) -> Any:
    used = {label for labels in inputs for label in labels}
    example = next(label for label in count() if label not in used)
    led = tuple((example, *labels) if leads else labels for leads, labels in zip(batched, inputs, strict=True))
    return P.einsum(*xs, inputs=led, output=(example, *output))


def _einsum_samples() -> list[Sample]:
    cases: list[tuple[tuple[tuple[int, ...], ...], tuple[Labels, ...], Labels]] = [
        (((2, 3), (3, 4)), ((0, 1), (1, 2)), (0, 2)),
        (((3,), (3,)), ((0,), (0,)), ()),
        (((2,), (3,)), ((0,), (1,)), (1, 0)),
        (((2, 3, 2), (3, 2, 2)), ((0, 1, 2), (1, 2, 3)), (3, 0)),
        (((2, 2, 3), (3, 2, 2)), ((0, 1, 2), (2, 0, 3)), (3, 0, 1)),
        (((2, 3), (3, 2), (2,)), ((0, 1), (1, 2), (0,)), (2, 0)),
        (((2, 3, 4),), ((0, 1, 2),), (2, 0, 1)),
        (((), (2,)), ((), (0,)), (0,)),
        (((2, 0), (0, 3)), ((0, 1), (1, 2)), (0, 2)),
    ]
    return [
        Sample(
            tuple(_wave(*shape, start=0.5 * n) for n, shape in enumerate(shapes)), {"inputs": inputs, "output": output}
        )
        for shapes, inputs, output in cases
    ]


REGISTRY.enter(
    Structural(
        name="matmul",
        value=_matmul,
        shape=_matmul_shape,
        pullback=(
            lambda x1, x2, y, g: P.matmul(g, _adjoint(x2)),
            lambda x1, x2, y, g: P.matmul(_adjoint(x1), g),
        ),
        linear_in=(0, 1),
        kernel=_matmul_kernel,
        why=Why(
            "Each output is a weighted sum of one row's entries, so a weight's gradient is what flowed through it "
            "(its input) times what was wanted at its output, summed over all rows it served.",
            "每个输出都是一行元素的加权和，因此一个权重的梯度，就是流经它的输入乘以其输出端收到的梯度，再对它服务过的所有行求和。",
        ),
        samples=_matmul_samples,
        batch=_matmul_batch,
        complex=True,
    ),
    Structural(
        name="einsum",
        value=_einsum,
        shape=_einsum_shape,
        pullback=Each(_einsum_pullback),
        linear_in="all",
        kernel=lambda *shapes, inputs, output: Contract(inputs, output),
        why=Why(
            "Every term is a product of one element from each operand, so an element's gradient is the sum, over the "
            "terms it took part in, of the other factors times the gradient of the output that the term fell into.",
            "每一项都是从各操作数中各取一个元素相乘，因此某个元素的梯度，就是在它参与的所有项上，把其余因子与该项所落入输出的梯度相乘后求和。",
        ),
        samples=_einsum_samples,
        batch=_einsum_batch,
        complex=True,
    ),
)
