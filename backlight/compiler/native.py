"""A graph as machine code: planned, written, built, and called with plain arrays."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from backlight.compiler.build import Machine, compile_text, processor
from backlight.compiler.costs import worthwhile
from backlight.compiler.looping import own
from backlight.compiler.lower import plan
from backlight.compiler.plan import Plan, Tensor
from backlight.compiler.program import TICKS, program, written_out
from backlight.compiler.threads import default_threads, launch
from backlight.compiler.unroll import cost
from backlight.compiler.views import View, contiguous
from backlight.graph import Graph
from backlight.primitive import REGISTRY

if TYPE_CHECKING:
    from backlight.compiler.report import PlanReport

__all__ = ["IndexOutside", "Native"]

ALIGN = 64
WRITTEN_OUT = 2000  # scalar instructions up to which a graph is written out


class Native:
    """The compiled ``graph``: a call takes one plain array per input and gives one new array per output.

    ``donated`` inputs may be overwritten: where the graph carries one through a loop, the loop's last value takes its
    place, and no output is made for it.
    """

    def __init__(self, graph: Graph, threads: int | None = None, donated: Sequence[int] = ()) -> None:
        self.graph = graph
        self.threads = 1
        self._width = processor().width
        self.plan: Plan | None = None
        self.in_place: dict[int, int] = {}  # outputs that stand where an input stood
        if cost(graph, WRITTEN_OUT) is not None:
            self.in_place = _carried(graph, donated)
            self.program = written_out(graph, self.in_place, self._width)
        else:
            self.plan = self._planned(donated)
            self.program = program(self.plan, len(graph.inputs), len(graph.outputs), self._width)
            self.threads = threads or worthwhile(self.program, default_threads())
        self.machine: Machine = compile_text(self.program.text, ("run",))
        self._lock = threading.Lock()
        self._arena = ctypes.create_string_buffer(self.program.arena + ALIGN)
        constants = self.program.constants
        self._timed: Machine | None = None
        self._table = (ctypes.c_void_p * (2 + len(graph.inputs) + len(graph.outputs) + len(constants)))()
        self._table[0] = -(-ctypes.addressof(self._arena) // ALIGN) * ALIGN
        for k, value in enumerate(constants):
            self._table[1 + len(graph.inputs) + len(graph.outputs) + k] = value.ctypes.data

    def _planned(self, donated: Sequence[int]) -> Plan:
        graph = self.graph
        inputs = [_argument(k, node) for k, node in enumerate(graph.inputs)]
        readers = graph.readers()
        for k in donated:
            inputs[k].tensor.donated = len(readers[graph.inputs[k]]) == 1
        made = plan(graph, inputs)
        for k, (view, node) in enumerate(zip(made.outputs, graph.outputs, strict=True)):
            place = view.tensor.memory()
            if place.donated and view.is_whole:
                self.in_place[k] = place.number
            elif prod(node.shape):  # in a tensor of its own: kernels write straight into what the caller gets
                tensor = own(made, view, node)
                tensor.home, tensor.number = "output", k
        return made

    def __call__(self, values: Sequence[Any], *, interruptible: bool = False) -> list[Any]:
        """The outputs for these inputs, which must have the shapes and dtypes of the graph's.

        Raises ``IndexOutside`` where a computed index was outside its array (nothing outside was touched).
        """
        return self._run(self.machine["run"], values, interruptible)

    def _run(self, entry: int, values: Sequence[Any], interruptible: bool = False, ticks: Any = None) -> list[Any]:
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
            if ticks is not None:
                self._table[len(self._table) - 1] = ticks.ctypes.data
            status = launch(
                entry, self._table, self.threads, self.program.scratch, interruptible=interruptible,
                keep=(self, inputs, outputs),
            )  # fmt: skip
        if status:
            raise IndexOutside
        return outputs

    def timed(self, values: Sequence[Any]) -> Any:
        """Run once, and tell how long each kernel took: seconds for each thread (rows), the first for waiting."""
        assert self.plan is not None
        if self._timed is None:
            made = program(self.plan, len(self.graph.inputs), len(self.graph.outputs), self._width, timed=True)
            self._timed = compile_text(made.text, ("run",))
        ticks = np.zeros((self.threads, TICKS), np.int64)
        self._run(self._timed["run"], values, ticks=ticks)
        ticks[:] = 0
        start = time.perf_counter()
        self._run(self._timed["run"], values, ticks=ticks)
        return ticks[:, : len(self.program.kernels) + 1] * ((time.perf_counter() - start) / ticks.sum(1).max())

    def explain(self, *args: Any, measure: bool = True, **kwargs: Any) -> PlanReport:
        """What the plan does, kernel by kernel, and how long it takes: ``print`` it, or read its fields.

        It is run with these arguments, the same as the compiled function takes, or without any with those of the
        call that it was made for. ``measure=False`` runs nothing.
        """
        from backlight.compiler.report import report

        return report(self, args, kwargs, measure)

    def llvm(self) -> str:
        """The LLVM text of the plan."""
        return self.machine.llvm

    def assembly(self) -> str:
        """The machine code of the plan, readable."""
        return self.machine.assembly


class IndexOutside(Exception):
    """A computed index was outside its array."""


def _carried(graph: Graph, donated: Sequence[int]) -> dict[int, int]:
    """The outputs that are the last carry of a loop whose first one is a donated input, read by nobody else."""
    readers, numbers = graph.readers(), {graph.inputs[k]: k for k in donated}
    found: dict[int, int] = {}
    for k, node in enumerate(graph.outputs):
        if node.primitive is REGISTRY.item and node.inputs[0].primitive is REGISTRY.scan:
            loop, carry = node.inputs[0], node.params["k"]
            start = loop.inputs[carry] if carry < loop.params["layout"].carries else None
            if start in numbers and len(readers[start]) == 1 and numbers[start] not in found.values():
                found[k] = numbers[start]
    return found


def _argument(number: int, node: Any) -> View:
    size = prod(node.shape)
    return View(Tensor(size, node.dtype, "argument", number, node=node), 0, contiguous(size))
