"""From a plan to one native function: memory by liveness, kernels emitted once each, barriers only where needed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from backlight.compiler.costs import alone
from backlight.compiler.emit import Body
from backlight.compiler.ir import Function, Module, Value
from backlight.compiler.looping import LoopCore
from backlight.compiler.plan import Group, Plan, Tensor
from backlight.compiler.sync import LINE, STATUS, STOP, asked_text, barrier_text, take_text
from backlight.compiler.unroll import constants, emit
from backlight.compiler.writers import WRITERS, schedule_products
from backlight.graph import Graph

__all__ = ["TICKS", "Kernel", "Program", "program", "written_out"]

ALIGN = 64
TICKS = 1 << 14  # kernels of a plan whose time can be taken, and a word for what lies between them
TAKERS = 16  # the most threads that help each other
TAKEN = 2e-6  # seconds of a piece from which on threads that are done early help the others


class Kernel(NamedTuple):
    """A native function for a group, and what it is called with."""

    name: str
    pieces: int
    tensors: tuple[Tensor, ...]


@dataclass(eq=False)
class Program:
    """The text of a plan's native function ``run`` and what it needs to be called."""

    text: str
    constants: list[Any]
    arena: int  # bytes of memory between kernels
    scratch: int  # bytes of work area per thread
    kernels: list[tuple[Group, Kernel]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)  # how often each of them runs
    barriers: int = 0  # how often threads wait for each other
    counters: int = 0  # bytes behind the arena, for who has taken what


# -- Memory --------------------------------------------------------------------------------------------------------


class _Region(NamedTuple):
    """A stretch of memory: of the arena (``number`` is -1) or of one argument or constant."""

    number: Any
    start: int
    stop: int

    def meets(self, other: _Region) -> bool:
        return bool(self.number == other.number and self.start < other.stop and other.start < self.stop)


def _reads(group: Group) -> list[Tensor]:
    return [v.tensor for v in (*group.reads, *group.external())]


def _writes(group: Group) -> list[Tensor]:
    made = [*group.writes, *(m.tensor for m in group.members)]
    if group.result is not None:
        made.append(group.result)
    return [tensor for tensor in made if tensor.is_stored]


def lay_out(plan: Plan) -> int:
    """Give every tensor of ``plan`` that lives in the arena an offset; the bytes needed.

    Tensors whose lives do not overlap share memory. Everything inside a loop's body lives as long as the loop, in a
    block of its own within which the body is laid out like a plan.
    """
    lives: dict[Tensor, list[int]] = {}
    blocks: dict[int, int] = {}
    for group in plan.groups:
        if isinstance(group.core, LoopCore):
            blocks[group.position] = max(map(lay_out, group.core.plans))
        for tensor in (*_reads(group), *_writes(group)):
            root = tensor.root()
            if root.home == "arena":
                lives.setdefault(root, [group.position, group.position])[1] = group.position
    inside = _own(plan)
    placed: list[tuple[int, int, int, int]] = []  # start, stop, first, last
    requests: list[tuple[int, int, int, Any]] = [
        (tensor.nbytes, first, last, tensor) for tensor, (first, last) in lives.items() if tensor in inside
    ]
    requests += [(size, position, position, plan.groups[position]) for position, size in blocks.items()]
    for size, first, last, owner in sorted(requests, key=lambda request: -request[0]):
        start = 0
        for a, b, other_first, other_last in placed:
            if a >= start + size:  # and so do all that follow
                break
            if other_first <= last and first <= other_last and start < b:
                start = b
        stop = start + -(-size // ALIGN) * ALIGN
        insort(placed, (start, stop, first, last))
        if isinstance(owner, Tensor):
            owner.offset = start
        else:
            owner.core.offset = start
    return max((stop for _, stop, _, _ in placed), default=0)


def _own(plan: Plan) -> set[Tensor]:
    """The tensors whose memory belongs to this plan and to none around it."""
    roots = {tensor.root() for group in plan.groups for tensor in _writes(group)}
    return {root for root in roots if plan.made_here(root)}


# -- Code ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes the function ``run`` and the kernels it calls."""

    def __init__(self, width: int, timed: bool = False) -> None:
        self.width = width
        self.timed = timed
        self.module = Module()
        self.kernels: list[tuple[Group, Kernel]] = []
        self.known: dict[Any, tuple[str, int]] = {}
        self.constants: list[Any] = []
        self.constant_of: dict[int, int] = {}
        self.scratch = 0
        self.pending: list[tuple[_Region, bool]] = []
        self.times: list[int] = []
        self.repeats = 1  # how often what is being written will run
        self.barriers = 0

    # -- Places

    def slot(self, tensor: Tensor) -> tuple[str, int]:
        """Which entry of the table of arguments ``tensor`` stands in."""
        if tensor.home == "constant":
            if id(tensor.data) not in self.constant_of:
                self.constant_of[id(tensor.data)] = len(self.constants)
                self.constants.append(tensor.data)
            return ("constant", self.constant_of[id(tensor.data)])
        return (tensor.home, tensor.number)

    def pointer(self, tensor: Tensor) -> Value:
        """The address of a tensor's memory at this point of the program."""
        b, tensor = self.b, tensor.memory()
        if tensor.home == "row":
            assert tensor.base is not None
            return b.at(self.pointer(tensor.base), self.steps[tensor.number] * tensor.offset, "i8")
        if tensor.home == "part":
            assert tensor.base is not None
            return self.pointer(tensor.base)
        if tensor.home == "arena":
            return b.at(b.at(self.arena, self.base_of.get(tensor, 0), "i8"), tensor.offset, "i8")
        slot = self.slot(tensor)
        if slot not in self.table:
            raise KeyError(slot)
        return self.table[slot]

    def region(self, tensor: Tensor) -> _Region:
        tensor = tensor.root()
        if tensor.home == "arena":
            start = self.base_of.get(tensor, 0) + tensor.offset
            return _Region("arena", start, start + max(tensor.nbytes, 1))
        return _Region(self.slot(tensor), 0, 1)

    # -- Synchronisation

    def meet(self, group: Group) -> None:
        """A barrier, if ``group`` touches what kernels since the last one have written, or writes what they read."""
        touched = [(self.region(t), False) for t in _reads(group) if t.home != "constant"]
        touched += [(self.region(t), True) for t in _writes(group)]
        if any(
            (writes or wrote) and region.meets(before) for region, writes in touched for before, wrote in self.pending
        ):
            self.barrier()
        self.pending += touched

    def barrier(self) -> None:
        b = self.b
        passed = f"ptr {b['sync'].text}, i64 {b['thread'].text}, i64 {b['threads'].text}"
        b.line(f"call void @barrier({passed})")
        self.pending = []
        self.barriers += self.repeats

    # -- Groups

    def groups(self, plan: Plan, base: int) -> None:
        for tensor in _own(plan):
            self.base_of.setdefault(tensor, base)
        for group in plan.groups:
            if isinstance(group.core, LoopCore):
                self.loop(group, base)
            elif group.kind == "join" or not any(t.is_stored and t.size for t in _writes(group)):
                continue
            else:
                self.call(group)

    def loop(self, group: Group, base: int) -> None:
        """All threads walk through the loop together; the outermost loop can be stopped after any of its steps."""
        core: LoopCore = group.core
        b = self.b
        outermost = not self.depth
        if self.pending:
            self.barrier()
        self.depth += 1
        if core.condition is not None:
            self.while_loop(core, core.condition, base, outermost)
            self.depth -= 1
            return
        before, self.repeats = self.repeats, self.repeats * core.length
        with b.loop(self.count if core.open_ended else core.length) as i:
            self.steps[core.number] = core.length - 1 - i if core.reverse else i
            self.groups(core.body, base + core.offset)
            if outermost:
                b.leave(i, self.agree(i))
            else:
                self.barrier()
        del self.steps[core.number]
        self.depth -= 1
        self.repeats = before

    def while_loop(self, core: LoopCore, condition: Plan, base: int, outermost: bool) -> None:
        """The condition, and as long as it leaves a flag, a step."""
        b = self.b
        steps = b.variable("i64", 0)
        name = b.new_label("while")
        b.line(f"br label %{name}")
        b.label(name)
        self.groups(condition, base + core.offset)
        self.barrier()
        assert core.flag is not None
        more = b.load(self.pointer(core.flag), "i8").ne(0)
        b.line(f"br i1 {more.text}, label %{name}.step, label %{name}.exit")
        b.label(f"{name}.step")
        self.groups(core.body, base + core.offset)
        if outermost:
            step = steps.get()
            steps.set(step + 1)
            b.line(f"br i1 {self.agree(step).text}, label %{name}.exit, label %{name}")
        else:
            self.barrier()
            b.line(f"br label %{name}")
        b.label(f"{name}.exit")

    def agree(self, i: Value) -> Value:
        """End the step; whether the loop shall end, too: for all threads, or none.

        Thread 0 alone asks and passes the answer on before the barrier, in one of two words by turns, so that nobody
        who reads late sees what belongs to the next step.
        """
        b = self.b
        word = b.at(b["sync"], STOP + LINE // 2, "i8")
        turn = b.at(word, i & 1, "i64")
        with b.when(b["thread"].eq(0)), b.when(b.write("i64", f"call i64 @asked(ptr {b['sync'].text})").ne(0)):
            b.store(b.const("i64", 1), turn)
        self.barrier()
        return b.load_atomic(turn, "i64").ne(0)

    def call(self, group: Group) -> None:
        kernel = self.kernel(group)
        b = self.b
        self.meet(group)
        self.take_time(0)
        pointers = [self.pointer(tensor) for tensor in kernel.tensors]
        thread, threads = b["thread"], b["threads"]
        if kernel.pieces == 1:
            with b.when(thread.eq(0)):
                self._call(kernel, pointers, b.const("i64", 0), b.const("i64", 1))
        else:
            first, last = thread * kernel.pieces // threads, (thread + 1) * kernel.pieces // threads
            if alone(group) < kernel.pieces * TAKEN:
                self._call(kernel, pointers, first, last)
            else:
                with b.when(~self.helping):
                    self._call(kernel, pointers, first, last)
                with b.when(self.helping):
                    self._take(kernel, pointers)
        self.take_time(len(self.kernels))

    def _take(self, kernel: Kernel, pointers: Sequence[Value]) -> None:
        """Piece after piece, as long as there are any. The thread's counter, which said that all of its pieces were
        taken, begins anew; who comes earlier leaves them alone."""
        b = self.b
        counters = b.at(self.counters, self.takes * TAKERS * LINE, "i8")
        self.takes += 1
        b.line(f"store atomic i64 0, ptr {b.at(counters, b['thread'] * LINE, 'i8').text} monotonic, align 8")
        name = b.new_label("take")
        b.line(f"br label %{name}")
        b.label(name)
        passed = f"ptr {counters.text}, i64 {kernel.pieces}, i64 {b['thread'].text}, i64 {b['threads'].text}"
        piece = b.write("i64", f"call i64 @take({passed})")
        b.line(f"br i1 {piece.lt(0).text}, label %{name}.exit, label %{name}.piece")
        b.label(f"{name}.piece")
        self._call(kernel, pointers, piece, piece + 1)
        b.line(f"br label %{name}")
        b.label(f"{name}.exit")

    def all_taken(self) -> None:
        """Before anything else: this thread's counters say that there is nothing to take."""
        b = self.b
        place = Value(b, "ptr", "@takes")
        with b.when(self.helping):
            with b.loop(b.load(place, "i64")) as site:
                own = b.at(self.counters, (site * TAKERS + b["thread"]) * LINE, "i8")
                b.line(f"store atomic i64 {1 << 62}, ptr {own.text} monotonic, align 8")
            self.barrier()

    def take_time(self, slot: int) -> None:
        """Add the processor's ticks since the last time to this thread's ``slot``: 0 is waiting, then come kernels."""
        if self.timed:
            b = self.b
            now = b.call("llvm.readcyclecounter", "i64")
            place = b.at(self.table["ticks", 0], b["thread"] * TICKS + slot, "i64")
            b.store(b.load(place, "i64") + (now - self.before.get()), place)
            self.before.set(now)

    def _call(self, kernel: Kernel, pointers: Sequence[Value], first: Value, last: Value) -> None:
        passed = ", ".join([f"ptr {p.text}" for p in pointers] + [f"i64 {first.text}", f"i64 {last.text}"])
        b = self.b
        b.line(f"call void @{kernel.name}({passed}, ptr {b['scratch'].text}, ptr {self.status.text})")

    def kernel(self, group: Group) -> Kernel:
        """The kernel of ``group``; groups that differ only in where their tensors stand share one."""
        order: dict[Tensor, int] = {}
        numbers = {v.tensor for v in group.external() if v.tensor.home == "constant" and v.tensor.size == 1}
        numbers.difference_update(v.tensor for v in group.reads)  # only members take a number as an immediate one
        for tensor in (*_reads(group), *_writes(group)):
            if tensor not in numbers:
                order.setdefault(tensor.memory(), len(order))
        key = signature(group, order)
        if key not in self.known:
            name = f"k{len(self.known)}"
            self.known[key] = (name, self.write(name, group, list(order)))
        name, pieces = self.known[key]
        made = Kernel(name, pieces, tuple(order))
        self.kernels.append((group, made))
        self.times.append(self.repeats)
        return made

    def write(self, name: str, group: Group, tensors: Sequence[Tensor]) -> int:
        parameters = [(f"p{k}", "ptr noalias") for k in range(len(tensors))]
        parameters += [("first", "i64"), ("last", "i64"), ("scratch", "ptr"), ("status", "ptr")]
        b = self.module.function(name, parameters, inline=False)
        pointers = {tensor: b[f"p{k}"] for k, tensor in enumerate(tensors)}
        body = Body(b, pointers, self.width, b["scratch"])
        pieces = WRITERS[group.kind](group, body)
        b.end()
        self.scratch = max(self.scratch, body.used)
        return pieces

    def program(self, plan: Plan, arguments: int, outputs: int, size: int) -> Program:
        b = self.module.function(
            "run", [("arguments", "ptr"), ("thread", "i64"), ("threads", "i64"), ("sync", "ptr"), ("scratch", "ptr")]
        )
        self.b: Function = b
        self.steps: dict[int, Value] = {}
        self.depth = 0
        self.base_of: dict[Tensor, int] = {}
        self.table: dict[tuple[str, int], Value] = {}
        slots = [("argument", k) for k in range(arguments)] + [("output", k) for k in range(outputs)]
        self.collect(plan)
        slots += [("constant", k) for k in range(len(self.constants))]
        self.arena = b.load(b["arguments"], "ptr")
        self.status = b.at(b["sync"], STATUS, "i8")
        slots += [("ticks", 0)]
        for k, slot in enumerate(slots):
            self.table[slot] = b.load(b.at(b["arguments"], k + 1, "ptr"), "ptr")
        self.count = b.load(b.at(b["arguments"], len(slots) + 1, "i64"), "i64")
        if self.timed:
            self.before = b.variable("i64", b.call("llvm.readcyclecounter", "i64"))
        self.helping = b["threads"].gt(1) & b["threads"].le(TAKERS)
        self.takes, self.counters = 0, b.at(self.arena, -(-size // LINE) * LINE, "i8")
        self.all_taken()
        self.groups(plan, 0)
        self.barrier()
        with b.when(b["thread"].eq(0)):
            for turn in range(2):
                b.store(b.const("i64", 0), b.at(b["sync"], STOP + LINE // 2 + 8 * turn, "i8"))
        b.end()
        self.module.constants["@takes"] = f"@takes = internal constant i64 {self.takes}"
        text = barrier_text() + asked_text() + take_text() + str(self.module)
        counters = self.takes * TAKERS * LINE + LINE
        return Program(text, self.constants, size, self.scratch, self.kernels, self.times, self.barriers, counters)

    def collect(self, plan: Plan) -> None:
        """Number the constants."""
        for group in plan.groups:
            for tensor in _reads(group):
                if tensor.home == "constant":
                    self.slot(tensor)
            if isinstance(group.core, LoopCore):
                for inner in group.core.plans:
                    self.collect(inner)


def signature(group: Group, order: dict[Tensor, int]) -> Any:
    """What a kernel's code depends on."""
    inside = {m.tensor: -1 - k for k, m in enumerate(group.members)}
    if group.result is not None:
        inside[group.result] = -1 - len(inside)

    def tensor(t: Tensor) -> Any:
        if t in inside:
            place = (t.offset, t.digits) if t.home == "part" else None
            return (inside[t], order.get(t.memory()) if t.is_stored else None, place)
        if t.home == "constant" and t.size == 1 and t not in order:
            return (repr(t.data[0]), t.dtype.str)
        return (order[t.memory()], t.dtype.str)

    members = tuple(
        (
            repr(m.kernel), m.level, m.fold, m.stage, m.tensor.dtype.str, tensor(m.tensor),
            tuple((tensor(v.tensor), v.offset, v.digits) for v in m.inputs),
        )
        for m in group.members
    )  # fmt: skip
    reads = tuple((tensor(v.tensor), v.offset, v.digits) for v in group.reads)
    writes = tuple(tensor(t) for t in group.writes)
    result = (tensor(group.result), group.result.dtype.str) if group.result is not None else None
    core = (repr(group.core), group.schedule)
    return (group.kind, group.size, group.rows, group.columns, core, members, reads, writes, result)


def program(plan: Plan, arguments: int, outputs: int, width: int, *, timed: bool = False) -> Program:
    """The native program of ``plan``, whose inputs and outputs stand in the table of arguments.

    A ``timed`` one takes one address more, of ``TICKS`` words for each thread, and adds up there how many of the
    processor's ticks each kernel took; the first word is the time between kernels.
    """
    schedule_products(plan, width)
    return _Writer(width, timed).program(plan, arguments, outputs, lay_out(plan))


def written_out(graph: Graph, in_place: dict[int, int], width: int) -> Program:
    """The native program of a small graph, scalar by scalar, for one thread."""
    module = Module()
    b = module.function(
        "run", [("arguments", "ptr"), ("thread", "i64"), ("threads", "i64"), ("sync", "ptr"), ("scratch", "ptr")]
    )
    held = constants(graph)
    slots = len(graph.inputs) + len(graph.outputs) + len(held)
    table = [b.load(b.at(b["arguments"], 1 + k, "ptr"), "ptr") for k in range(slots)]
    count = b.load(b.at(b["arguments"], slots + 2, "i64"), "i64")
    inputs, rest = table[: len(graph.inputs)], table[len(graph.inputs) :]
    outputs = [inputs[in_place[k]] if k in in_place else place for k, place in enumerate(rest[: len(graph.outputs)])]
    status = b.at(b["sync"], STATUS, "i8")
    places = rest[len(graph.outputs) :]
    with b.when(b["thread"].eq(0)):
        used = emit(
            b, graph, inputs, outputs, places,
            scratch=b["scratch"], status=status, sync=b["sync"], count=count, width=width,
        )  # fmt: skip
    b.end()
    return Program(asked_text() + str(module), held, 0, used)
