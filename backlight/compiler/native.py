"""A graph as machine code: planned, written, built, and called with plain arrays."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from backlight.compiler.build import Machine, compile_text, load, processor
from backlight.compiler.costs import worthwhile
from backlight.compiler.hoist import hoisted
from backlight.compiler.kept import THREADS, Built, find, keep, key_of
from backlight.compiler.looping import own
from backlight.compiler.lower import check_ends, plan
from backlight.compiler.plan import Plan, Tensor
from backlight.compiler.program import TICKS, Program, program, written_out
from backlight.compiler.threads import default_threads, launch
from backlight.compiler.unroll import cost
from backlight.compiler.views import View, contiguous
from backlight.errors import ArgumentError, message
from backlight.graph import Graph
from backlight.lifting import function_name
from backlight.locks import computed
from backlight.ops.loop import Layout
from backlight.primitive import REGISTRY

if TYPE_CHECKING:
    from backlight.compiler.report import PlanReport

__all__ = ["WATCHERS", "IndexOutside", "Native", "Planned", "address"]

ALIGN = 64
WRITTEN_OUT = 2000  # scalar instructions up to which a graph is written out
WATCHERS: list[Callable[[Native], None]] = []  # told of every plan that is made


class Native:
    """The compiled ``graph``: a call takes one plain array per input and gives one new array per output.

    ``donated`` inputs may be overwritten: where the graph carries one through a loop, the loop's last value takes its
    place, and no output is made for it. ``own`` are the inputs that no caller of the function knows of, with what they
    start from. Making it began ``since`` (``time.perf_counter()``) if that was before this call, with the tracing.
    """

    def __init__(
        self, graph: Graph, threads: int | None = None, donated: Sequence[int] = (), *,
        own: Mapping[int, Any] = MappingProxyType({}), since: float | None = None,
    ) -> None:  # fmt: skip
        since = time.perf_counter() if since is None else since
        self.graph = graph
        self.own = own
        self._donated = tuple(donated)
        key = key_of(graph, self._donated, WRITTEN_OUT)
        found = find(key)
        if found is not None:
            code, self.built = found
            self.machine: Machine = load(code, ("run",), lambda: self.program.text)
        else:
            self.built = self._make()
            self.machine = compile_text(self.program.text, ("run",), cached=not key)
            keep(key, self.machine.code, self.built, _name(graph))
        self.is_kept = found is not None  #: whether it came from the disk
        self.threads = self.built.best[min(threads or default_threads(), len(self.built.best)) - 1]
        if threads is not None and self.built.best != [1]:
            self.threads = threads
        self._entry = self.machine["run"]
        self._count = next((each.length for each in _layouts(graph) if each.open_ended), 0)
        self._timed: Machine | None = None
        self._spare: list[tuple[Any, Any]] = []  # arenas and tables that no call is using
        self.making = (
            time.perf_counter() - since
        )  #: seconds that it took: tracing, and planning and building or loading
        for watch in WATCHERS:
            watch(self)

    @property
    def in_place(self) -> dict[int, int]:
        """The outputs that stand where an input stood: their numbers, and the inputs'."""
        return self.built.in_place

    @computed
    def planned(self) -> tuple[Plan | None, Program, dict[int, int]]:
        """The plan (``None`` where the graph is written out scalar by scalar), its program, and what is in place."""
        check_ends(self.graph)  # before rewriting, which keeps no byte order
        graph, width = hoisted(self.graph), processor().width
        if cost(graph, WRITTEN_OUT) is not None:
            in_place = _carried(graph, self._donated)
            return None, written_out(graph, in_place, width), in_place
        made, in_place = _planned(graph, self._donated)
        return made, program(made, len(graph.inputs), len(graph.outputs), width), in_place

    @property
    def plan(self) -> Plan | None:
        return self.planned[0]

    @property
    def program(self) -> Program:
        return self.planned[1]

    def _make(self) -> Built:
        made, program, in_place = self.planned
        best = [1] if made is None else worthwhile(program, THREADS)
        return Built(program.constants, program.arena + program.counters, program.scratch, in_place, best)

    def __call__(self, values: Sequence[Any]) -> list[Any]:
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
        self.run(inputs, outputs)
        return outputs

    def run(
        self, inputs: Sequence[Any], outputs: Sequence[Any], places: list[int] | None = None, count: int | None = None
    ) -> None:
        """Compute ``outputs`` from ``inputs``, contiguous arrays all of them, at these ``places`` if one knows them.

        ``count`` is how many steps an open-ended loop takes. Raises like a call. Ctrl-C ends a long run between two
        steps of its outermost loop.
        """
        self._run(self._entry, inputs, outputs, places, count)

    def _run(
        self, entry: int, inputs: Sequence[Any], outputs: Sequence[Any], places: list[int] | None = None,
        count: int | None = None, ticks: Any = None,
    ) -> None:  # fmt: skip
        if places is None:
            places = [address(each) for each in (*inputs, *outputs)]
        try:
            memory = self._spare.pop()
        except IndexError:  # all others are in use
            memory = self._memory()
        table = memory[1]
        table[1 : 1 + len(places)] = places
        table[len(table) - 1] = self._count if count is None else count
        if ticks is not None:
            table[len(table) - 2] = address(ticks)
        status = launch(entry, table, self.threads, self.built.scratch)
        self._spare.append(memory)
        if status:
            raise IndexOutside

    def _memory(self) -> tuple[Any, Any]:
        """What belongs to one call at a time: an arena, and the table of addresses that the program reads."""
        arena = np.empty(self.built.arena + ALIGN, np.uint8)
        ends, constants = len(self.graph.inputs) + len(self.graph.outputs), self.built.constants
        table = (ctypes.c_void_p * (3 + ends + len(constants)))()
        table[0] = -(-address(arena) // ALIGN) * ALIGN
        for k, value in enumerate(constants):
            table[1 + ends + k] = address(value)
        return arena, table

    def timed(self, values: Sequence[Any]) -> Any:
        """Run once, and tell how long each kernel took: seconds for each thread (rows), the first for waiting.

        Inputs that may be overwritten are.
        """
        made, usual, _ = self.planned
        assert made is not None
        graph = self.graph
        if self._timed is None:
            text = program(made, len(graph.inputs), len(graph.outputs), processor().width, timed=True).text
            self._timed = compile_text(text, ("run",))
        ticks = np.zeros((self.threads, TICKS), np.int64)
        inputs = [np.ascontiguousarray(value, node.dtype) for value, node in zip(values, graph.inputs, strict=True)]
        outputs = [np.empty(node.shape, node.dtype) for node in graph.outputs]
        self._run(self._timed["run"], inputs, outputs, ticks=ticks)
        ticks[:] = 0
        start = time.perf_counter()
        self._run(self._timed["run"], inputs, outputs, ticks=ticks)
        return ticks[:, : len(usual.kernels) + 1] * ((time.perf_counter() - start) / ticks.sum(1).max())

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


class Planned:
    """What has a plan once it was called: a compiled function, an epoch."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._native: Native | None = None

    @property
    def plan(self) -> Native:
        """The plan that ran last: ``explain()`` it, or read its ``llvm()`` or ``assembly()``."""
        if self._native is None:
            raise ArgumentError(message("compile_no_plan", function=function_name(self._function)))
        return self._native


class IndexOutside(Exception):
    """A computed index was outside its array."""


def _planned(graph: Graph, donated: Sequence[int]) -> tuple[Plan, dict[int, int]]:
    """The plan, and the outputs that stand where an input stood."""
    inputs = [_argument(k, node) for k, node in enumerate(graph.inputs)]
    readers = graph.readers()
    for k in donated:
        inputs[k].tensor.donated = len(readers[graph.inputs[k]]) == 1
    made = plan(graph, inputs)
    in_place: dict[int, int] = {}
    for k, (view, node) in enumerate(zip(made.outputs, graph.outputs, strict=True)):
        place = view.tensor.memory()
        if place.donated and view.is_whole:
            in_place[k] = place.number
        elif prod(node.shape):  # in a tensor of its own: kernels write straight into what the caller gets
            tensor = own(made, view, node)
            tensor.home, tensor.number = "output", k
    return made, in_place


_BYTE = ctypes.c_char.from_buffer


def address(array: Any) -> int:
    """Where the first element of a contiguous array stands."""
    try:
        return ctypes.addressof(_BYTE(array))  # a tenth of the time of any other way
    except (TypeError, ValueError, BufferError):  # read-only, or empty
        place: int = array.__array_interface__["data"][0]
        return place


def _layouts(graph: Graph) -> list[Layout]:
    return [node.params["layout"] for node in graph.nodes if node.primitive is REGISTRY.scan]


def _name(graph: Graph) -> str:
    """What ``backlight cache`` shows: the user's function, where one is known."""
    source = next((node.source for node in reversed(graph.nodes) if node.source is not None), None)
    return f"{source.function} {Path(source.file).name}:{source.line}" if source else "plan"


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
