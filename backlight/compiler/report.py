"""What a plan does and how long it takes, as data: ``plan.explain()``.

Every kernel with the mappings that were fused into it, the user's lines they come from and why they run together; what
it reads, writes and computes; and, measured, how long it takes next to the least time that this machine could need for
that (the roofline). The faces, text, table and JSON, are in ``report_faces.py`` and show the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backlight.compiler.cut import kernel_of
from backlight.compiler.looping import LoopCore
from backlight.compiler.plan import Group, Member, Plan
from backlight.compiler.processor import processor
from backlight.compiler.report_counts import (
    bytes_read,
    bytes_written,
    core_operations,
    elements,
    member_operations,
    node_operations,
    stored,
)
from backlight.compiler.report_texts import reason_of, what_of, why_of
from backlight.compiler.roofline import Peak, peak
from backlight.compiler.unroll import cost
from backlight.compiler.views import View
from backlight.errors import ArgumentError, message
from backlight.graph import Node
from backlight.primitive import REGISTRY, Move
from backlight.tree import flatten

if TYPE_CHECKING:
    from backlight.compiler.native import Native

__all__ = ["KernelRow", "LineRow", "Mapping", "Memory", "PlanReport", "report", "traced_name"]

SECONDS = 0.25  # for measuring; as many runs as go into it
ROUNDS = 3  # but at least so many, unless one alone takes longer than that
PATIENCE = 2.0  # seconds that one run may take to be repeated


class Mapping(NamedTuple):
    """One mapping in a kernel, and where in the user's code it comes from."""

    operation: str  #: the primitive, or ``copy``
    name: str  #: the user's variable; of a backward mapping, that of the forward one it belongs to
    of: str  #: of a backward mapping: the forward primitive it belongs to
    file: str
    line: int  #: 0 where it is no line of the user's
    operations: int  #: of one call
    elements: int  #: that one call goes through

    @property
    def is_backward(self) -> bool:
        return bool(self.of)

    @property
    def weight(self) -> int:
        """Its part in the kernel's time, next to that of the others: moving an element is work too."""
        return max(self.operations, self.elements)


class KernelRow(NamedTuple):
    """One kernel. Bytes and operations are those of one call, seconds those of all calls of a run."""

    name: str  #: of the native function; kernels that differ only in what they are called with share one
    kind: str  #: what stands at its heart: ``loops``, ``product``, ``reduce``, ``gather``, …
    facts: tuple[Any, ...]  #: what there is to say about the heart: see ``report_texts.what_of``
    mappings: tuple[Mapping, ...]
    read: int
    written: int
    kept: int  #: bytes of values that live in registers alone, because what needs them runs here
    operations: int
    calls: int  #: of one run: in every step of a loop; 0 in a ``while_loop``, where only the condition knows
    threads: int  #: how many share it …
    of_threads: int  #: … of so many
    at_best: float | None  #: the least seconds that the machine could need
    limit: str  #: what sets that least time: ``arithmetic``, ``L1``, ``L2`` or ``memory``
    seconds: float | None

    @property
    def times(self) -> int:
        """How often it counts in a run."""
        return max(1, self.calls)

    @property
    def bytes(self) -> int:
        return self.read + self.written

    @property
    def roofline(self) -> float | None:
        """The least possible time as a share of the measured one: 1 is as fast as this machine can be."""
        return self.at_best / self.seconds if self.at_best and self.seconds else None

    @property
    def what(self) -> str:
        """What the kernel computes, in words."""
        return what_of(self)

    @property
    def reason(self) -> str:
        """Why these mappings run together, for its kind."""
        return reason_of(self)

    @property
    def why(self) -> str:
        """Why these mappings run together, and what that saves."""
        return why_of(self)


class LineRow(NamedTuple):
    """One line of the user's code: what was computed because of it.

    The time of a kernel that serves several lines is divided among them by operations.
    """

    file: str
    line: int
    operations: int  #: of a run
    forward: float | None  #: seconds
    backward: float | None

    @property
    def seconds(self) -> float | None:
        return None if self.forward is None or self.backward is None else self.forward + self.backward


class Memory(NamedTuple):
    """Bytes."""

    arena: int  #: its peak: all values between kernels, where those that never live together share a place
    unshared: int  #: what they would take without sharing
    inputs: int
    outputs: int
    constants: int
    work_area: int  #: of each thread
    code: int  #: of the machine code


class PlanReport(NamedTuple):
    """What a plan consists of and, if it was measured, where its time goes. ``print`` it, or read its fields."""

    function: str
    made: float  #: seconds that tracing and compiling took, or tracing and loading
    from_disk: bool  #: whether it was compiled before and came from the disk cache
    threads: int
    kernels: tuple[KernelRow, ...]  #: in the order they run; none where the graph was written out
    memory: Memory
    mappings: int  #: nodes of the graph, those of loops included once
    instructions: int | None  #: about how many scalar ones, where the graph was written out
    written: tuple[Mapping, ...]  #: the mappings of such a graph, with the operations of a run
    steps: int  #: of its loops, where all have the same number; 1 where there is none
    barriers: int  #: how often threads wait for each other in a run
    views: int  #: rearrangements (transpose, reshape, broadcast, slice) that are only read through
    copies: int  #: those that had to be carried out
    peak: Peak | None  #: what the machine can do, of the dtype computed with most
    seconds: float | None  #: one run as the user sees it, the fastest of several
    between: float | None  #: of the seconds of a run, those outside of kernels: starting, and waiting for other threads

    @property
    def operations(self) -> int:
        """The operations of a run."""
        written = sum(mapping.operations for mapping in self.written)
        return written + sum(row.operations * row.times for row in self.kernels)

    @property
    def bytes(self) -> int:
        """The bytes that all kernels of a run read and write."""
        return sum(row.bytes * row.times for row in self.kernels)

    @property
    def spent(self) -> float | None:
        """The seconds of the run in which every kernel was timed; slightly more than those of an undisturbed one."""
        return None if self.between is None else self.between + sum(row.seconds or 0.0 for row in self.kernels)

    @property
    def at_best(self) -> float | None:
        """The least seconds that the machine could need for all kernels."""
        return None if self.peak is None else sum(row.at_best or 0.0 for row in self.kernels)

    @property
    def lines(self) -> tuple[LineRow, ...]:
        """The user's lines, the dearest first."""
        return _lines(self.kernels, self.written)

    def text(self, width: int | None = None) -> str:
        """The report as plain text, ``width`` columns wide: the terminal's, or 100."""
        from backlight.compiler.report_faces import plain

        return plain(self, width)

    def data(self) -> dict[str, Any]:
        """The report in plain dictionaries, lists, numbers and strings, for JSON."""
        from backlight.compiler.report_faces import data

        return data(self)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def __rich__(self) -> Any:
        from backlight.compiler.report_faces import Face

        return Face(self)


# -- Gathering -----------------------------------------------------------------------------------------------------


def report(
    native: Native, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None, measure: bool = True
) -> PlanReport:
    """The report of a plan. ``measure`` runs it, with what the compiled function would be called with; without
    arguments, with those of the call for which it was made. ``measure=False`` runs nothing.

    >>> import backlight, numpy as np
    >>> step = backlight.compile(lambda w, x: np.tanh(x @ w).sum())
    >>> value = step(np.ones((64, 32)), np.ones((16, 64)))
    >>> kernel = step.plan.explain(measure=False).kernels[0]
    >>> kernel.what, [mapping.operation for mapping in kernel.mappings], kernel.operations
    ('matrix product 16×64 · 64×32', ['matmul', 'tanh'], 70656)
    """
    values = _values(native, args, kwargs or {}) if measure else []
    program, plan = native.program, native.plan
    seconds = _fastest(native, values) if measure else None
    taken = _timed(native, values) if measure and plan is not None else None
    rows = tuple(_rows(native, plan, taken)) if plan is not None else ()
    bodies = [] if plan is None else list(_bodies(plan))
    moves = {node for body in bodies for node in _moves(body)}
    copied = [m.node for group, _ in program.kernels for m in group.members if _is_copy(m)]
    graph = native.graph
    return PlanReport(
        function=traced_name(native),
        made=native.making,
        from_disk=native.is_kept,
        threads=native.threads,
        kernels=rows,
        memory=Memory(
            arena=program.arena,
            unshared=_unshared([group for group, _ in program.kernels]),
            inputs=_bytes(graph.inputs),
            outputs=_bytes(node for k, node in enumerate(graph.outputs) if k not in native.in_place),
            constants=sum(int(np.asarray(value).nbytes) for value in program.constants),
            work_area=program.scratch,
            code=len(native.machine.code),
        ),
        mappings=_count(graph),
        instructions=cost(graph) if plan is None else None,
        written=tuple(_written(graph)) if plan is None else (),
        steps=_steps(graph),
        barriers=program.barriers,
        views=len(moves.difference(copied)),
        copies=len(copied),
        peak=peak(native.threads, _main_dtype(rows, program.kernels)) if measure and rows else None,
        seconds=seconds,
        between=None if taken is None else max(0.0, float(taken.sum(1).max() - taken[:, 1:].max(0).sum())),
    )


def _rows(native: Native, plan: Plan, taken: Any) -> Iterator[KernelRow]:
    """The kernels in the order they run; ``taken`` are the seconds of threads (rows) between kernels and in each."""
    around = {id(group): (calls, id(of)) for group, calls, of in _walk(plan, 1)}
    working_sets: dict[int, int] = {}
    for group, _ in native.program.kernels:
        of = around[id(group)][1]
        working_sets[of] = working_sets.get(of, 0) + bytes_read(group) + bytes_written(group)
    for k, (group, kernel) in enumerate(native.program.kernels):
        calls, of = around[id(group)]
        row = KernelRow(
            name=kernel.name,
            kind=group.kind,
            facts=_facts(group),
            mappings=tuple(_mappings(group)),
            read=bytes_read(group),
            written=bytes_written(group),
            kept=_kept(group),
            operations=core_operations(group) + sum(member_operations(group, m) for m in group.members),
            calls=calls,
            threads=min(kernel.pieces, native.threads),
            of_threads=native.threads,
            at_best=None,
            limit="",
            seconds=None if taken is None else float(taken[:, k + 1].max()),
        )
        found = None if taken is None else peak(native.threads, _dtype(group))
        yield row if found is None else _under_the_roof(row, found, native.threads, working_sets[of])


def _walk(plan: Plan, calls: int) -> Iterator[tuple[Group, int, Plan]]:
    """Every group, how often a run calls it (0: as often as a condition holds), and the plan it belongs to."""
    for group in plan.groups:
        yield group, calls, plan
        if isinstance(group.core, LoopCore):
            for inner in group.core.plans:
                yield from _walk(inner, 0 if group.core.condition is not None else calls * group.core.length)


def _bodies(plan: Plan) -> Iterator[Plan]:
    yield plan
    for group in plan.groups:
        if isinstance(group.core, LoopCore):
            for inner in group.core.plans:
                yield from _bodies(inner)


def traced_name(native: Native) -> str:
    """The name of the function that was traced."""
    inputs = native.graph.inputs
    return inputs[0].trace.name.removeprefix("compile of ") if inputs else ""


def _bytes(nodes: Any) -> int:
    return sum(prod(node.shape) * int(node.dtype.itemsize) for node in nodes)


def _count(graph: Any) -> int:
    """The mappings of a graph and of the bodies of its loops."""
    count = 0
    for node in graph.nodes:
        count += node.primitive is not None
        count += sum(_count(node.params[key].graph) for key in ("body", "condition") if key in node.params)
    return count


def _written(graph: Any, times: int = 1) -> Iterator[Mapping]:
    """The mappings of a graph without kernels; those in a loop as often as it is known to run."""
    moving = set(graph.inputs)
    for node in graph.nodes:
        if moving.isdisjoint(node.inputs):
            continue
        moving.add(node)
        if node.primitive is REGISTRY.item:
            continue
        for key in ("body", "condition"):
            if key in node.params:
                steps = node.params["layout"].length if "layout" in node.params else 1
                yield from _written(node.params[key].graph, times * steps)
        if "body" not in node.params:
            yield _mapping(node, node.operation, times * node_operations(node), times * prod(node.shape or ()))


def _steps(graph: Any) -> int:
    """The steps of a run, where all loops have the same number."""
    lengths = {node.params["layout"].length for node in graph.nodes if "layout" in node.params}
    return max(1, *lengths) if len(lengths) == 1 else 1


def _unshared(groups: Sequence[Group]) -> int:
    roots = {tensor.root() for group in groups for tensor in stored(group)}
    return sum(root.nbytes for root in roots if root.home == "arena")


# -- One kernel ----------------------------------------------------------------------------------------------------


def _facts(group: Group) -> tuple[Any, ...]:
    """What the words for a kernel need: see ``report_texts.what_of``."""
    core = group.core
    if group.kind in ("product", "partial", "combine"):
        sizes = tuple(prod(part) for part in (core.batch, core.rows, core.inner, core.columns))
        return (group.node.operation if group.node else "", *sizes, group.schedule.splits if group.schedule else 1)
    if group.kind == "reduce":
        return (core, group.reads[0].size // max(1, group.size), group.size)
    if group.kind == "loops":
        return (group.rows, group.columns) if group.columns else (group.size,)
    if group.kind in ("gather", "scatter"):
        return (getattr(core, "combine", ""), core.places, core.row)
    if group.kind == "draw":
        return (core.distribution, core.keys * core.each)
    if group.kind == "sweep":
        return (core.combine, core.scan, *core.shape)
    if group.kind in ("pool", "unpool", "depthwise"):
        return (getattr(core, "combine", ""), core.planes.number, core.planes.outputs, core.planes.size)
    return ()


def _kept(group: Group) -> int:
    made = [m.tensor for m in group.members] + ([group.result] if group.result is not None else [])
    return sum(tensor.nbytes for tensor in made if not tensor.is_stored)


def _mappings(group: Group) -> Iterator[Mapping]:
    """What is computed here, in order; a mapping that became several steps counts once."""
    found: dict[Any, Mapping] = {}
    entries: list[tuple[Node | None, str, int, int]] = []
    if group.core is not None and group.node is not None:
        size = group.size if group.kind != "reduce" else group.reads[0].size
        entries.append((group.node, group.node.operation, core_operations(group), size))
    for member in group.members:
        operation = "copy" if _is_copy(member) or member.node is None else member.node.operation
        entries.append((member.node, operation, member_operations(group, member), elements(group, member)))
    for node, operation, operations, size in entries:
        mapping = _mapping(node, operation, operations, size)
        key = (node, operation)
        if key in found:
            before = found[key]
            mapping = before._replace(operations=before.operations + operations, elements=max(before.elements, size))
        found[key] = mapping
    yield from found.values()


def _mapping(node: Node | None, operation: str, operations: int, size: int) -> Mapping:
    if node is None:
        return Mapping(operation, "", "", "", 0, operations, size)
    source, origin = node.source, node.origin
    forward = node if origin is None else origin.node
    of = "" if origin is None else forward.operation
    file, line = ("", 0) if source is None else (source.file, source.line)
    return Mapping(operation, forward.name or "", of, file, line, operations, size)


def _is_copy(member: Member) -> bool:
    """Whether elements are only put in another place."""
    return bool(member.kernel == "x0" and not member.fold and member.inputs[0].tensor.dtype == member.tensor.dtype)


def _moves(plan: Plan) -> Iterator[Node]:
    """The nodes of ``plan`` that only rearrange elements."""
    for node, view in plan.values.items():
        computed = isinstance(view, View) and view.tensor.home != "constant"
        if computed and node.primitive not in (None, REGISTRY.item) and isinstance(kernel_of(node), Move):
            yield node


# -- The roofline --------------------------------------------------------------------------------------------------


def _dtype(group: Group) -> Any:
    """The dtype whose pace counts: that of the heart, or of the last value."""
    dtype = getattr(group.core, "dtype", None)
    if dtype is None:
        tensors = [m.tensor for m in group.members if m.tensor.dtype.kind == "f"] or stored(group)
        dtype = tensors[-1].dtype if tensors else np.float32
    return np.float64 if np.dtype(dtype).itemsize == 8 else np.float32


def _main_dtype(rows: Sequence[KernelRow], kernels: Sequence[Any]) -> Any:
    totals: dict[Any, int] = {}
    for row, (group, _) in zip(rows, kernels, strict=True):
        totals[_dtype(group)] = totals.get(_dtype(group), 0) + row.operations * row.times + 1
    return max(totals, key=lambda dtype: totals[dtype])


def _under_the_roof(row: KernelRow, found: Peak, threads: int, working_set: int) -> KernelRow:
    """The row with the least time for its work.

    Bytes are counted at the pace of the smallest cache that holds everything the kernels around it touch, since there
    they find what others have left; the pace of the second cache stands for the third's too, which is not measured.
    """
    if not row.calls:
        return row
    target = processor()
    paces = (
        (target.l1 * threads, "L1", found.l1_bytes_per_second),
        (max(target.l2 * threads, target.l3), "L2", found.l2_bytes_per_second),
    )
    place = next(((name, pace) for size, name, pace in paces if working_set <= size), None)
    limit, pace = place or ("memory", found.bytes_per_second)
    moving, computing = row.bytes / pace, row.operations / found.flops_per_second
    least = max(moving, computing) * row.calls
    return row._replace(at_best=least, limit="arithmetic" if computing >= moving else limit)


# -- Measuring -----------------------------------------------------------------------------------------------------


def _values(native: Native, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arrays to run with: those given, or those of the call that was traced."""
    inputs = native.graph.inputs
    if not args and not kwargs:
        return [np.asarray(node.value) for node in inputs]
    asked = [node for k, node in enumerate(inputs) if k not in native.own]
    leaves, _ = flatten((tuple(args), kwargs))
    values = [np.asarray(leaf) for leaf in leaves if isinstance(leaf, np.ndarray | np.generic)]
    came = [(value.shape, value.dtype) for value in values]
    if came != [(node.shape, node.dtype) for node in asked]:
        expected = ", ".join(f"{node.name or k}: {node.dtype} {node.shape}" for k, node in enumerate(asked))
        given = ", ".join(f"{dtype} {shape}" for shape, dtype in came)
        raise ArgumentError(message("report_arguments", expected=expected, came=given or "–"))
    remaining = iter(values)
    return [np.asarray(native.own[k]) if k in native.own else next(remaining) for k in range(len(inputs))]


def _fresh(native: Native, values: Sequence[Any]) -> list[Any]:
    """``values``, with copies of those that a run overwrites."""
    taken = set(native.in_place.values())
    return [value.copy() if k in taken else value for k, value in enumerate(values)]


def _fastest(native: Native, values: Sequence[Any]) -> float:
    """The seconds of the fastest of several runs."""
    from backlight.compiler.native import IndexOutside

    best, rounds, begin = float("inf"), 0, time.perf_counter()
    while rounds == 0 or (best < PATIENCE and (rounds < ROUNDS or time.perf_counter() < begin + SECONDS)):
        given = _fresh(native, values)
        start = time.perf_counter()
        try:
            native(given)
        except IndexOutside:
            raise ArgumentError(message("report_index")) from None
        best = min(best, time.perf_counter() - start)
        rounds += 1
    return best


def _timed(native: Native, values: Sequence[Any]) -> Any:
    """Seconds of every thread (rows) between kernels and in each (columns), in the fastest of several runs."""
    best: Any = None
    rounds, begin = 0, time.perf_counter()
    while best is None or (best.sum(1).max() < PATIENCE and (rounds < ROUNDS or time.perf_counter() < begin + SECONDS)):
        taken = native.timed(_fresh(native, values))
        if best is None or taken.sum(1).max() < best.sum(1).max():
            best = taken
        rounds += 1
    return best


# -- The user's lines ----------------------------------------------------------------------------------------------


def _lines(kernels: Sequence[KernelRow], written: Sequence[Mapping]) -> tuple[LineRow, ...]:
    found: dict[tuple[str, int], list[float]] = {}
    measured = any(row.seconds is not None for row in kernels)
    for row in kernels:
        total = sum(mapping.weight for mapping in row.mappings) or 1
        for mapping in row.mappings:
            entry = found.setdefault((mapping.file, mapping.line), [0, 0.0, 0.0])
            entry[0] += mapping.operations * row.times
            entry[1 + mapping.is_backward] += (row.seconds or 0.0) * mapping.weight / total
    for mapping in written:
        found.setdefault((mapping.file, mapping.line), [0, 0.0, 0.0])[0] += mapping.operations
    lines = [
        LineRow(*place, int(operations), forward if measured else None, backward if measured else None)
        for place, (operations, forward, backward) in found.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-(line.seconds or 0.0), -line.operations, line.file, line.line)))
