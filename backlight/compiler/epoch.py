"""An epoch as one native call: every step's forward, backward and update, over all its batches, in place."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

import numpy as np

from backlight.compiler.native import IndexOutside, Native, Planned, address
from backlight.compiler.plan import Uncompilable
from backlight.compiler.recording import Refused, is_data, kind_of, trace_call
from backlight.errors import (
    ArgumentError,
    CompileError,
    ConversionError,
    DTypeError,
    RangeError,
    ShapeError,
    UnsupportedError,
    message,
)
from backlight.lifting import function_name, labels
from backlight.loops import looped
from backlight.trace import state as tracing
from backlight.trace import user_source
from backlight.tree import Structure, flatten, leaves_of, tree_map, unflatten
from backlight.variable import Variable, now

__all__ = ["Epoch"]

NOMINAL = 64  # rows with which a loop is recorded that will run with any number of them
MANY = 1 << 62
TRACES = 2  # how often a loop's body is traced; a third time means that it cannot be one loop


class Epoch(Planned):
    """``step(state, batch, *data) -> (state, metrics)``, compiled into a loop over the rows of ``batches``.

    The arrays of ``state`` (parameters, the optimiser's, a random key) are updated where they are; ``batch`` is one row
    of every array in ``batches``, such as a row of a shuffled index; ``data`` is the same in all steps. Metrics come
    back stacked, one row a step. Arrays and NumPy's scalars may change from call to call; everything else among the
    arguments is part of the program.

    The number of rows may change from call to call. A call with more than any before, and more than ``room``, is
    compiled anew, except with ``keep=False``: then what the step gives besides its state is dropped.

    Ctrl-C ends the loop after a whole step: ``KeyboardInterrupt`` is raised, ``state`` is what it was after that step,
    ``finished`` says how many steps there were, and ``metrics`` holds theirs. So does whatever the handler of
    another signal raises. Handlers are called between steps, a few times a second, and only in the main thread. A step
    is never left half done, however long it takes. ``plan`` is what it became, as for a function of
    ``backlight.compile``: ``plan.explain()``, ``plan.llvm()``, ``plan.assembly()``.

    >>> import numpy as np
    >>> def step(w, row, x):
    ...     return w - 0.1 * x[row].sum(), w
    >>> w, x = np.array(1.0), np.arange(4.0)
    >>> epoch = Epoch(step)
    >>> epoch(w, np.array([[0, 1], [2, 3]]), x)
    array([1. , 0.9])
    >>> round(float(w), 12), epoch.finished
    (0.4, 2)
    """

    def __init__(
        self, step: Callable[..., tuple[Any, Any]], threads: int | None = None, *, keep: bool = True, room: int = 0
    ) -> None:
        super().__init__(step)
        self._threads, self._keep, self._room = threads, keep, room if keep else NOMINAL
        self._plans: dict[Any, _Plan] = {}
        self._last: _Plan | None = None
        self.finished = 0
        self.metrics: Any = None

    def __repr__(self) -> str:
        return f"<epoch of {function_name(self._function)}>"

    def __call__(self, state: Any, batches: Any, *data: Any) -> Any:
        """Run one epoch: the metrics.

        Raises ``CompileError`` where the step cannot be compiled, ``ArgumentError``, ``ShapeError`` or ``DTypeError``
        for a state that cannot be updated in place, and what indexing raises where an index is out of range; ``state``
        is as before then.
        """
        self.finished, self.metrics = 0, None
        arguments = (state, batches, *data)
        plan = self._last
        inputs, places = plan.as_before(arguments) if plan else ([], [])
        if plan is None or not inputs:
            everything, structure = flatten((arguments, {}))
            plan = self._last = self._plan(everything, structure, arguments)
            inputs, places = plan.prepared(everything, structure)
        self._native = plan.native
        leaves = inputs[: plan.leaves]
        outputs = plan.complete(inputs, places)
        before = plan.copies(leaves)
        try:
            plan.native.run(inputs, outputs, places, plan.count(inputs))
            metrics = self._end(leaves, outputs, plan.metrics)
        except IndexOutside:
            for leaf, old in zip(leaves, before, strict=True):
                leaf[...] = old
        except BaseException:  # Ctrl-C, or what another signal's handler raises, in the loop or right behind it
            self._end(leaves, outputs, plan.metrics)
            raise
        else:
            plan.spare.append(before)
            return metrics
        self._repeat(unflatten(plan.form, before), batches, data)
        raise RangeError(message("epoch_index", function=function_name(self._function)))

    def _plan(self, everything: list[Any], structure: Structure, arguments: Any) -> _Plan:
        """The plan for arguments like these."""
        form, batches = structure.members[0].members[:2]
        state, rows, *data = arguments
        first, stop = form.leaves, form.leaves + batches.leaves
        count = _check_batches(rows)
        one = [leaf[:1] if is_data(leaf) else leaf for leaf in everything[first:stop]]
        kind = kind_of(self._function, [*everything[:first], *one, *everything[stop:]], structure)
        known = self._plans.get(kind)
        if known is None or count > known.capacity:
            _check(everything[:first], form)
            if 1 < count < self._room:  # what a second step would be like is seen only if there is one
                rows = tree_map(lambda leaf: np.resize(leaf, (self._room, *np.shape(leaf)[1:])), rows)
            native, metrics, captured = self._compiled(form, (state, np.zeros((), np.int64), rows, *data))
            capacity = MANY if not self._keep and count > 1 else len(flatten(rows)[0][0])
            known = self._plans[kind] = _Plan(native, form, metrics, captured, capacity)
        return known

    def _end(self, leaves: Sequence[Any], outputs: Sequence[Any], form: Structure) -> Any:
        """After the loop: how far it came, and the metrics; what could not be updated in place is copied."""
        self.finished = finished = int(outputs[len(leaves)])
        self.metrics = metrics = unflatten(form, [rows[:finished] for rows in outputs[len(leaves) + 1 :]])
        for leaf, new in zip(leaves, outputs, strict=False):
            if finished and new is not leaf:
                leaf[...] = new
        return metrics

    def _repeat(self, state: Any, batches: Any, data: Sequence[Any]) -> None:
        """The same steps as plain Python, until one of them says what is wrong with an index."""
        rows, form = flatten(batches)
        with np.errstate(all="ignore"):
            for t in range(len(rows[0])):
                held = tree_map(lambda leaf: np.array(now(leaf)), state)
                state, _ = self._function(held, unflatten(form, [row[t] for row in rows]), *data)

    def _compiled(self, form: Structure, arguments: Sequence[Any]) -> tuple[Native, Structure, Sequence[Variable]]:
        """The plan for arguments of this kind, the first of which is a state of this form, to be updated in place."""
        name, calls = function_name(self._function), 0
        given: Sequence[Any] = ()

        def body(carry: Any, batch: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > TRACES:
                raise Refused(message("epoch_unlike"))
            state, steps = carry
            result = self._function(state, batch, *given)
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentError(message("epoch_pair", function=name, came=type(result).__name__))
            read = next((guard for guard in tracing.trace.guards if guard.node.kind != "constant"), None)
            if read is not None:
                raise Refused(message("epoch_reads"), read.source)
            _check_next(name, state, result[0])
            return (result[0], steps + 1), result[1] if self._keep else None

        def epoch(state: Any, steps: Any, batches: Any, *data: Any) -> Any:
            nonlocal given
            given = data
            return looped(body, (state, steps), batches, open_ended=True)

        epoch.__name__ = name
        since = time.perf_counter()
        try:
            traced = trace_call(epoch, arguments, {})
        except Refused as error:
            raise CompileError(message("epoch_refused", str(error.source or ""), function=name, reason=error)) from None
        except (ConversionError, UnsupportedError) as error:
            raise CompileError(message("epoch_refused", function=name, reason=error)) from error
        try:
            donated, own = range(form.leaves + 1), {form.leaves: np.zeros((), np.int64)}
            native = Native(traced.graph, self._threads, donated, own=own, since=since)
            return native, traced.form.members[1], traced.captured
        except Uncompilable as error:
            facts = {"function": name, "primitive": error.node.operation, "reason": error.reason}
            raise CompileError(message("epoch_unsupported", str(error.node.source or ""), **facts)) from None
        except Exception as error:  # a mistake of the compiler's own, which need not end the training
            reason = f"{type(error).__name__}: {error}"
            raise CompileError(message("epoch_refused", function=name, reason=reason)) from error


# -- Checks --------------------------------------------------------------------------------------------------------


Span = tuple[int, int, int]


def _check(leaves: Sequence[Any], form: Structure) -> list[Span]:
    """Whether every leaf of the state can be updated where it stands, and none overlaps with another: first byte, last
    byte + 1 and number of each, in order."""
    for k, leaf in enumerate(leaves):
        if type(leaf) is not np.ndarray and type(leaf) is not np.memmap:
            _refuse(form, k, "epoch_not_array", came=type(leaf).__name__)
        flags = leaf.flags
        if not flags.writeable:
            _refuse(form, k, "epoch_read_only")
        if not (flags.c_contiguous and flags.aligned and leaf.dtype.isnative):
            _refuse(form, k, "epoch_layout")
    spans = sorted((start := address(leaf), start + leaf.nbytes, k) for k, leaf in enumerate(leaves) if leaf.nbytes)
    for (_, stop, first), (start, _, second) in pairwise(spans):
        if start < stop:
            names = labels(form, "state")
            one, two = sorted((first, second))
            where = str(user_source() or "")
            raise ArgumentError(message("epoch_overlap", where, first=names[one], second=names[two]))
    return spans


def _refuse(form: Structure, number: int, words: str, **facts: Any) -> NoReturn:
    raise ArgumentError(message(words, str(user_source() or ""), name=labels(form, "state")[number], **facts))


def _check_batches(batches: Any) -> int:
    """How many steps there are, along the first axis of every array."""
    rows, form = flatten(batches)
    shapes = {name: np.shape(x) for name, x in zip(labels(form, "batches"), rows, strict=True)}
    if not shapes or () in shapes.values() or len({shape[0] for shape in shapes.values()}) > 1:
        came = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "None"
        raise ShapeError(message("epoch_batches", str(user_source() or ""), came=came))
    return int(next(iter(shapes.values()))[0])


def _check_next(function: str, old: Any, new: Any) -> None:
    """Whether the state that a step returns is like the one it was given."""
    (before, form), (after, came) = flatten(old), flatten(new)
    if form != came:
        expected, got = (", ".join(labels(each, "state")) or "None" for each in (form, came))
        raise ArgumentError(message("epoch_tree", function=function, expected=expected, came=got))
    for x, y, name in zip(before, after, labels(form, "state"), strict=True):
        if hasattr(y, "dtype") and (x.shape, x.dtype) != (y.shape, y.dtype):
            kind = ShapeError if x.shape != y.shape else DTypeError
            facts = {"start": f"{x.dtype} {x.shape}", "came": f"{y.dtype} {y.shape}"}
            raise kind(message("epoch_changes", function=function, name=name, **facts))


# -- A plan and its calls ------------------------------------------------------------------------------------------


class _Seen(NamedTuple):
    """The arguments of a call: how they are nested (``None`` if the loop read copies), and of each array what kind of
    array it was, what it looked like and where it stood.

    That is all that the preparation depends on. So another array that has taken the place of one is as good, and
    nothing that could be noticed, such as a reference, is kept of any.
    """

    structure: Structure | None
    kinds: list[type]
    forms: list[Any]  # of state and data, which stay where they are
    places: list[int]
    rows: list[Any]  # of the batches, new ones of which come with every call
    spans: Sequence[Span]  # of the state


class _Plan:
    """The native loop for one kind of arguments, and what a call can keep of the last one's preparation.

    Small epochs are over in a few dozen microseconds, and to prepare one takes as long. Training passes the same arrays
    again and again, so they are looked at once.
    """

    def __init__(
        self, native: Native, form: Structure, metrics: Structure, captured: Sequence[Variable], capacity: int
    ) -> None:
        self.native, self.form, self.metrics = native, form, metrics
        self.capacity = capacity  # the most rows that it can be given
        self._captured = captured  # variables that are read and belong to no state: they hold something new every time
        self.leaves = form.leaves
        self.spare: list[list[Any]] = []  # copies of states, to be written over
        self._seen = _Seen(None, [], [], [], [], [])

    def copies(self, leaves: Sequence[Any]) -> list[Any]:
        """The state as it is now, in memory of an earlier call: to get fresh memory takes longer than to copy."""
        try:
            kept = self.spare.pop()
        except IndexError:
            return [leaf.copy() for leaf in leaves]
        for copy, leaf in zip(kept, leaves, strict=True):
            np.copyto(copy, leaf)
        return kept

    def as_before(self, arguments: Any) -> tuple[list[Any], list[int]]:
        """State, batches and data with their places, if state and data are where those of the last call were, and all
        look as they did then; else nothing."""
        seen = self._seen  # another thread may put something else there
        given = leaves_of(arguments, seen.structure)
        if given is None or [*map(type, given)] != seen.kinds:
            return [], []
        first, stop = self.leaves, self.leaves + len(seen.rows)
        batches, others = given[first:stop], [*given[:first], *given[stop:]]
        if (
            _forms(others) != seen.forms
            or [address(each) for each in others] != seen.places
            or not all(leaf.flags.writeable for leaf in given[:first])
            or [_row_form(each) for each in batches] != seen.rows
            or not all(map(_is_plain, batches))
            or len({len(each) for each in batches}) > 1
            or len(batches[0]) > self.capacity
            or any(_meets(each, seen.spans) for each in batches)
        ):
            return [], []
        return given, [*seen.places[:first], *map(address, batches), *seen.places[first:]]

    def prepared(self, everything: Sequence[Any], structure: Structure) -> tuple[list[Any], list[int]]:
        """State and data, those copied that the loop cannot read as they are, with their places.

        Raises ``ArgumentError`` for a state that cannot be updated in place.
        """
        given = [each for each in everything if is_data(each)]
        leaves, nodes = given[: self.leaves], self.native.graph.inputs[self.leaves + 1 :]
        spans = _check(leaves, self.form)
        read = [*given[self.leaves :], *(variable.value for variable in self._captured)]
        data = [_apart(x, node.dtype, spans) for x, node in zip(read, nodes, strict=True)]
        inputs = leaves + data
        places = [address(each) for each in inputs]
        if len(given) == len(everything) == len(inputs) and all(
            ours is theirs for ours, theirs in zip(inputs, given, strict=True)
        ):
            arguments = structure.members[0]
            first, stop = self.leaves, self.leaves + arguments.members[1].leaves
            forms = _forms([*inputs[:first], *inputs[stop:]])
            rows = [_row_form(each) for each in inputs[first:stop]]
            still = [*places[:first], *places[stop:]]
            self._seen = _Seen(arguments, [*map(type, inputs)], forms, still, rows, spans)
        return inputs, places

    def count(self, inputs: Sequence[Any]) -> int:
        """How many rows there are."""
        return len(inputs[self.leaves + 1])

    def complete(self, inputs: list[Any], places: list[int]) -> list[Any]:
        """Add a counter of steps to the inputs and places. The arrays that the loop writes, which are the inputs where
        it works in place; their places follow."""
        steps = np.zeros((), np.int64)
        inputs.insert(self.leaves, steps)
        places.insert(self.leaves, address(steps))
        in_place, outputs = self.native.in_place, []
        for k, node in enumerate(self.native.graph.outputs):
            if k in in_place:
                outputs.append(inputs[in_place[k]])
                places.append(places[in_place[k]])
            else:
                outputs.append(np.zeros(node.shape, node.dtype))
                places.append(address(outputs[-1]))
        return outputs


def _forms(arrays: Sequence[Any]) -> list[Any]:
    """How the elements of arrays stand in memory, and what they mean."""
    return [(each.shape, each.dtype, each.strides) for each in arrays]


def _apart(value: Any, dtype: Any, spans: Sequence[Span]) -> Any:
    """The value as it is before the epoch, as the loop reads it, in memory that the epoch does not write to."""
    array = np.require(value, dtype, ["C", "A"])
    return array.copy() if _meets(array, spans) else array


def _meets(array: Any, spans: Sequence[Span]) -> bool:
    """Whether an array shares memory with what stands in these spans."""
    start = address(array)
    place = bisect_right(spans, (start, 0, 0))
    before = place > 0 and spans[place - 1][1] > start
    return before or (place < len(spans) and spans[place][0] < start + array.nbytes)


def _row_form(array: Any) -> Any:
    return array.shape[1:], array.dtype


def _is_plain(array: Any) -> bool:
    """Whether the loop reads the array as it is."""
    flags = array.flags
    return bool(flags.c_contiguous and flags.aligned)
