"""What tests of the compiler share: a mapping recorded as a graph, compiled in every way, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.compiler import native
from backlight.compiler.native import Native
from backlight.graph import Graph
from backlight.trace import Trace, input_node

__all__ = ["WAYS", "alike", "compiled", "graph_of", "way"]

WAYS = ("kernels", "written out")
"""A plan of kernels, however small the graph; or scalar by scalar, where that is possible."""


@contextmanager
def way(name: str) -> Iterator[None]:
    """Compile everything in one of the ``WAYS``."""
    before = native.WRITTEN_OUT
    native.WRITTEN_OUT = -1 if name == "kernels" else 20_000
    try:
        yield
    finally:
        native.WRITTEN_OUT = before


def graph_of(function: Callable[..., Any], inputs: Sequence[Any]) -> Graph:
    """The graph of a mapping of arrays to an array, or to several."""
    with Trace("a test"), np.errstate(all="ignore"):
        nodes = [input_node(np.asarray(x)[()], None) for x in inputs]
        made = function(*map(Array, nodes))
        outputs = made if isinstance(made, tuple) else (made,)
        return Graph(nodes, [as_array(each).node for each in outputs])


def alike(compiled: Sequence[Any], expected: Sequence[Any], digits: float = 1.0, note: str = "") -> None:
    """Equal dtypes and shapes, and numbers that differ by rounding only; ``digits`` widens what rounding is."""
    assert len(compiled) == len(expected)
    for got, want in zip(compiled, expected, strict=True):
        got, want = np.asarray(got), np.asarray(want)
        assert (got.dtype, got.shape) == (want.dtype, want.shape), note
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want, note)
            continue
        scale = float(np.max(np.abs(want[np.isfinite(want)]), initial=1.0))
        tolerance = digits * 64 * float(np.finfo(want.dtype).eps)
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * scale, err_msg=note)


def compiled(graph: Graph, inputs: Sequence[Any], threads: int = 1) -> list[Any]:
    """What the compiled graph gives for these inputs."""
    return Native(graph, threads)([np.asarray(x, node.dtype) for x, node in zip(inputs, graph.inputs, strict=True)])
