"""A graph as machine code: planned, written, built, and called with plain arrays."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.compiler.build import Machine, compile_text, processor
from backlight.compiler.lower import own, plan
from backlight.compiler.plan import Plan, Tensor
from backlight.compiler.program import Program, program
from backlight.compiler.threads import default_threads, launch
from backlight.compiler.views import View, contiguous
from backlight.graph import Graph

__all__ = ["IndexOutside", "Native"]

ALIGN = 64


class Native:
    """The compiled ``graph``: a call takes one plain array per input and gives one new array per output.

    ``donated`` inputs may be overwritten: where the graph carries one through a loop, the loop's last value takes its
    place, and no output is made for it.
    """

    def __init__(self, graph: Graph, threads: int | None = None, donated: Sequence[int] = ()) -> None:
        self.graph = graph
        inputs = [_argument(k, node) for k, node in enumerate(graph.inputs)]
        readers = graph.readers()
        for k in donated:
            inputs[k].tensor.donated = len(readers[graph.inputs[k]]) == 1
        self.plan: Plan = plan(graph, inputs)
        self.in_place: dict[int, int] = {}  # outputs that stand where an input stood
        for k, (view, node) in enumerate(zip(self.plan.outputs, graph.outputs, strict=True)):
            place = view.tensor.memory()
            if place.donated and view.is_whole:
                self.in_place[k] = place.number
            elif prod(node.shape):  # in a tensor of its own: kernels write straight into what the caller gets
                tensor = own(self.plan, view, node)
                tensor.home, tensor.number = "output", k
        self.program: Program = program(self.plan, len(graph.inputs), len(graph.outputs), processor().lanes(32))
        self.machine: Machine = compile_text(self.program.text, ("run",))
        self.threads = threads or default_threads()
        self._lock = threading.Lock()
        self._arena = ctypes.create_string_buffer(self.program.arena + ALIGN)
        constants = self.program.constants
        self._table = (ctypes.c_void_p * (1 + len(graph.inputs) + len(graph.outputs) + len(constants)))()
        self._table[0] = -(-ctypes.addressof(self._arena) // ALIGN) * ALIGN
        for k, value in enumerate(constants):
            self._table[1 + len(graph.inputs) + len(graph.outputs) + k] = value.ctypes.data

    def __call__(self, values: Sequence[Any], *, interruptible: bool = False) -> list[Any]:
        """The outputs for these inputs, which must have the shapes and dtypes of the graph's.

        Raises ``IndexOutside`` where a computed index was outside its array (nothing outside was touched).
        """
        inputs = [
            np.ascontiguousarray(value, node.dtype) for value, node in zip(values, self.graph.inputs, strict=True)
        ]
        outputs = [
            inputs[self.in_place[k]] if k in self.in_place else np.empty(node.shape, node.dtype)
            for k, node in enumerate(self.graph.outputs)
        ]
        with self._lock:  # the arena belongs to one call at a time
            for k, array in enumerate((*inputs, *outputs)):
                self._table[1 + k] = array.ctypes.data
            status = launch(
                self.machine["run"], self._table, self.threads, self.program.scratch, interruptible=interruptible,
                keep=(self, inputs, outputs),
            )  # fmt: skip
        if status:
            raise IndexOutside
        return outputs


class IndexOutside(Exception):
    """A computed index was outside its array."""


def _argument(number: int, node: Any) -> View:
    size = prod(node.shape)
    return View(Tensor(size, node.dtype, "argument", number, node=node), 0, contiguous(size))
