"""Gathering from and scattering to positions given by integer arrays.

``indices`` are k integer arrays of one common shape S; together they address the first k axes. An index may be negative
and then counts from the end, as in NumPy.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backlight.ops.shape import with_examples, zeros
from backlight.primitive import REGISTRY as P
from backlight.primitive import Each, Gather, Sample, Scatter, Structural, Why

__all__: list[str] = []

Shape = tuple[int, ...]


def _scatter_add(x: Any, *rest: Any) -> Any:
    *indices, v = rest
    out = np.array(x)
    np.add.at(out, tuple(indices), v)
    return out


def _scatter_set(x: Any, *rest: Any) -> Any:
    *indices, v = rest
    out = np.array(x)
    out[tuple(indices)] = v
    return out


def _gather_pullback(i: int, xs: Any, y: Any, g: Any) -> Any:
    return P.scatter_add(zeros(xs[0].shape, g.dtype), *xs[1:], g) if i == 0 else None


def _scatter_add_pullback(i: int, xs: Any, y: Any, g: Any) -> Any:
    if i == 0:
        return g
    return P.gather(g, *xs[1:-1]) if i == len(xs) - 1 else None


def _scatter_set_pullback(i: int, xs: Any, y: Any, g: Any) -> Any:
    _, *indices, v = xs
    if i == 0:
        return P.scatter_set(g, *indices, zeros(v.shape, g.dtype))
    if i < len(xs) - 1:
        return None
    # Where several writes meet, the last one stays: write the number of each write and see whose number is left.
    shape = indices[0].shape
    number = np.arange(prod(shape)).reshape(shape)
    owner = P.scatter_set(zeros(xs[0].shape[: len(indices)], number.dtype), *indices, number)
    won = P.equal(P.gather(owner, *indices), number)
    if won.ndim != v.ndim:
        won = P.reshape(won, shape=(*shape, *(1,) * (v.ndim - len(shape))))
    return P.where(won, P.gather(g, *indices), 0)


def _with_example_index(batched: Any, x: Any, indices: Any) -> list[Any]:
    """Index arrays with the leading axis of examples; first of all which example, if ``x`` has that axis too."""
    every = with_examples(batched, (x, *indices))[1:]
    if not batched[0]:
        return every
    count, shape = x.shape[0], every[0].shape
    example = np.arange(count).reshape(count, *(1,) * (len(shape) - 1))
    return [np.broadcast_to(example, shape), *every]


def _gather_batch(batched: Any, x: Any, *indices: Any) -> Any:
    return P.gather(x, *_with_example_index(batched, x, indices))


def _scatter_batch(name: str) -> Any:
    def batch(batched: Any, x: Any, *rest: Any) -> Any:
        x, *indices, v = with_examples(batched, (x, *rest))
        return getattr(P, name)(x, *_with_example_index((True,) * (1 + len(indices)), x, indices), v)

    return batch


def _gather_samples() -> list[Sample]:
    x = np.sin(np.arange(1.0, 13.0))
    return [
        Sample((x[:5], np.array([3, 0, 3])), {}),
        Sample((x.reshape(3, 4), np.array([[2, 0], [1, 2]])), {}),
        Sample((x.reshape(3, 4), np.array([0, 2, -1]), np.array([1, 3, 1])), {}),
        Sample((x.reshape(3, 4), np.array(1)), {}),
        Sample((x.reshape(3, 4), np.zeros(0, int)), {}),
    ]


def _scatter_samples() -> list[Sample]:
    return [
        Sample((*s.inputs, 2 + np.cos(np.arange(1.0, v.size + 1)).reshape(v.shape)), {})
        for s in _gather_samples()
        if (v := s.inputs[0][s.inputs[1:]]) is not None
    ]


def _scatter_shape(x: Shape, *rest: Shape) -> Shape:
    return x


P.enter(
    Structural(
        name="gather",
        value=lambda x, *indices: x[indices],
        shape=lambda x, *indices: (*indices[0], *x[len(indices) :]),
        pullback=Each(_gather_pullback),
        linear_in=(0,),
        kernel=lambda x, *indices: Gather(len(indices)),
        why=Why(
            "A number looked up several times answers for every look-up, so their gradients add up at its place.",
            "一个数被查了几次，就要为几次负责，所以这些梯度在它的位置上累加。",
        ),
        samples=_gather_samples,
        batch=_gather_batch,
        complex=True,
    ),
    Structural(
        name="scatter_add",
        value=_scatter_add,
        shape=_scatter_shape,
        pullback=Each(_scatter_add_pullback),
        linear_in=(),  # jointly linear in x and v
        kernel=lambda x, *rest: Scatter("add", len(rest) - 1),
        why=Why(
            "A value was added into some place, and adding passes gradients on: look up what arrived there.",
            "每个值被加到某个位置，加法让梯度原样通过，所以到那个位置把梯度取回来。",
        ),
        samples=_scatter_samples,
        batch=_scatter_batch("scatter_add"),
        complex=True,
    ),
    Structural(
        name="scatter_set",
        value=_scatter_set,
        shape=_scatter_shape,
        pullback=Each(_scatter_set_pullback),
        linear_in=(),  # jointly linear in x and v
        kernel=lambda x, *rest: Scatter("set", len(rest) - 1),
        why=Why(
            "A written value takes the gradient of its place; whatever was overwritten there gets zero.",
            "写入的值得到那个位置的梯度；在那里被覆盖掉的数得到零。",
        ),
        samples=_scatter_samples,
        batch=_scatter_batch("scatter_set"),
        complex=True,
        at_kink="where an index occurs twice, the last write has the gradient",
    ),
)
