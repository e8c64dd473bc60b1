"""``compile``: a function is traced once for each kind of arguments, and from then on runs as native code."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array, as_array
from backlight.compiler.native import IndexOutside, Native
from backlight.compiler.plan import Uncompilable
from backlight.errors import ArgumentError, CompileError, CompileWarning, message
from backlight.graph import Graph, Node
from backlight.lifting import argument_names, function_name, labels
from backlight.simplify import simplify
from backlight.trace import ROOT, Guard, Trace, input_node, state, user_source
from backlight.tree import Structure, flatten, unflatten

__all__ = ["Compiled", "compile", "trace_call"]

MOST_VARIANTS = 8  # plans of one kind of arguments, which differ in the way an `if` went
MOST_KINDS = 64  # kinds of arguments remembered; the oldest is forgotten first


class _Variant(NamedTuple):
    """One way through the function: what it read on the way, and the plan of what it computed."""

    native: Native
    guards: tuple[Guard, ...]
    form: Structure
    leaves: tuple[Any, ...]  # of the result: the number of an output, or something that is no array

    def holds(self, seen: Sequence[Any]) -> bool:
        """Whether Python would have read the same again."""
        return all(map(_same_reading, self.guards, seen))

    def result(self, outputs: Sequence[Any]) -> Any:
        return unflatten(self.form, [_plain(outputs[k]) if kind is _OUTPUT else k for kind, k in self.leaves])


_OUTPUT, _OTHER = object(), object()


def _plain(array: Any) -> Any:
    return array if array.ndim else array[()]


def _same_reading(guard: Guard, value: Any) -> bool:
    """Whether Python, reading ``value`` the way the guard did, sees what it saw then."""
    seen, now = guard.value, guard.read(_plain(value))
    if isinstance(seen, np.ndarray | np.generic):
        return bool(np.array_equal(now, seen, equal_nan=seen.dtype.kind in "fc"))
    return bool(now == seen or (now != now and seen != seen))


class Compiled:
    """What ``backlight.compile`` gives: called like the function itself."""

    def __init__(self, function: Callable[..., Any], strict: bool = False, threads: int | None = None) -> None:
        update_wrapper(self, function)
        self._function = function
        self._strict = strict
        self._threads = threads
        self._variants: dict[Any, list[_Variant] | None] = {}
        self._last: Native | None = None
        self._warned = False

    def __repr__(self) -> str:
        return f"<compiled {function_name(self._function)}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        if state.trace is not ROOT or any(isinstance(leaf, Array) for leaf in leaves):
            return self._function(*args, **kwargs)  # inside another transformation it is part of what that records
        key = self._key(leaves, structure)
        variants = self._variants.setdefault(key, [])
        if variants is None:
            return self._function(*args, **kwargs)
        values = [np.asarray(leaf) for leaf in leaves if _is_data(leaf)]
        for position, variant in enumerate(variants):
            try:
                outputs = variant.native(values)
            except IndexOutside:
                return self._function(*args, **kwargs)  # which says what is wrong, and where
            count = len(variant.guards)
            if variant.holds(outputs[len(outputs) - count :]):
                if position:
                    variants.insert(0, variants.pop(position))
                self._last = variant.native
                return variant.result(outputs)
        made = self._made(leaves, structure, key)
        if made is None:
            return self._function(*args, **kwargs)
        try:
            return made.result(made.native(values))
        except IndexOutside:
            return self._function(*args, **kwargs)

    def _key(self, leaves: Sequence[Any], structure: Structure) -> Any:
        key = (structure, *((leaf.shape, leaf.dtype) if _is_data(leaf) else (type(leaf), leaf) for leaf in leaves))
        try:
            hash(key)
        except TypeError:
            names = _names(self._function, structure)
            bad = next(k for k, leaf in enumerate(leaves) if not _is_data(leaf) and not _hashable(leaf))
            kind = type(leaves[bad]).__name__
            raise ArgumentError(
                message("compile_argument", str(user_source() or ""), name=names[bad], kind=kind)
            ) from None
        if key not in self._variants and len(self._variants) >= MOST_KINDS:
            self._variants.pop(next(iter(self._variants)))
        return key

    def _made(self, leaves: Sequence[Any], structure: Structure, key: Any) -> _Variant | None:
        """A new variant for these arguments; ``None`` if the function has to be run as it is."""
        variants = self._variants[key]
        assert variants is not None
        name = function_name(self._function)
        if len(variants) >= MOST_VARIANTS:
            source = variants[0].guards[0].source if variants[0].guards else None
            self._refuse(key, message("compile_retraces", str(source or ""), function=name, count=len(variants)))
            return None
        try:
            variant = _traced(self._function, leaves, structure, self._threads)
        except Uncompilable as error:
            node = error.node
            facts = {"function": name, "primitive": node.operation, "reason": error.reason}
            self._refuse(key, message("compile_unsupported", str(node.source or ""), **facts))
            return None
        variants.insert(0, variant)
        self._last = variant.native
        return variant

    def _refuse(self, key: Any, text: str) -> None:
        """Run interpreted from now on, and say so once."""
        if self._strict:
            raise CompileError(text)
        self._variants[key] = None
        if not self._warned:
            self._warned = True
            warnings.warn(text, CompileWarning, stacklevel=4)

    @property
    def plan(self) -> Native:
        """The plan that ran last."""
        if self._last is None:
            raise ArgumentError(message("compile_no_plan", function=function_name(self._function)))
        return self._last


def _is_data(leaf: Any) -> bool:
    """Arrays and NumPy's scalars are what the plan computes with; anything else is part of the program."""
    return isinstance(leaf, np.ndarray | np.generic)


def _hashable(leaf: Any) -> bool:
    try:
        hash(leaf)
    except TypeError:
        return False
    return True


def _names(function: Callable[..., Any], structure: Structure) -> list[str]:
    args, kwargs = structure.members
    names: list[str] = []
    for part, name in zip(args.members, argument_names(function, len(args.members)), strict=True):
        names += labels(part, name)
    for part, name in zip(kwargs.members, kwargs.keys, strict=True):
        names += labels(part, name)
    return names


def _traced(function: Callable[..., Any], leaves: Sequence[Any], structure: Structure, threads: int | None) -> _Variant:
    args, kwargs = unflatten(structure, list(leaves))
    graph, guards, form, described = trace_call(function, args, kwargs)
    return _Variant(Native(graph, threads), guards, form, described)


def trace_call(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run the function once on Arrays, every array an input: the graph (whose last outputs are what guards read), the
    guards, how the result is nested, and what its leaves are."""
    leaves, structure = flatten((tuple(args), kwargs))
    names = _names(function, structure)
    trace = Trace(f"compile of {function_name(function)}")
    before = state.postpone
    state.postpone = True  # a loop is recorded, not run
    try:
        with trace:
            nodes: list[Node] = []
            lifted = []
            for leaf, name in zip(leaves, names, strict=True):
                if _is_data(leaf):
                    nodes.append(input_node(np.array(leaf)[()], name))
                    lifted.append(Array(nodes[-1]))
                else:
                    lifted.append(leaf)
            given, named = unflatten(structure, lifted)
            members, form = flatten(function(*given, **named))
            outputs: list[Node] = []
            described = []
            for member in members:
                if isinstance(member, Array) or _is_data(member):
                    described.append((_OUTPUT, len(outputs)))
                    outputs.append(as_array(member).node)
                else:
                    described.append((_OTHER, member))
    finally:
        state.postpone = before
    guards = tuple(guard for guard in trace.guards if guard.node.kind != "constant")
    graph, _ = simplify(Graph(nodes, (*outputs, *(guard.node for guard in guards)), guards))
    return graph, guards, form, tuple(described)


def compile(function: Callable[..., Any] | None = None, *, strict: bool = False, threads: int | None = None) -> Any:
    """``function`` as native code: traced once for each kind of arguments, then run without Python.

    The first call with arguments of new shapes, dtypes or nesting traces the function, which records what it does,
    and compiles that; later calls run it. Works for whatever Backlight can trace, ``grad(f)``, ``value_and_grad(f)``
    and loops (``scan``) included, and as a decorator. Arrays and NumPy's scalars are data; Python numbers, strings
    and everything else are part of the program, so a new value means a new trace: pass what changes as
    ``np.float32(lr)``. Arrays that the function reads from outside are taken as they are at the first call.

    Where Python reads a computed value (``if loss > 1:``), the way it went is checked in every call, and a new way is
    traced and compiled as well. What cannot be compiled runs as it is, after one ``CompileWarning`` that names the
    operation and the line; ``strict=True`` raises ``CompileError`` instead. ``threads`` is how many threads share the
    work (the results are the same bits for any number).

    >>> import backlight, numpy as np
    >>> step = compile(backlight.value_and_grad(lambda w, x: np.sum(np.tanh(x @ w))))
    >>> value, gradient = step(np.zeros(3), np.ones((2, 3)))
    >>> gradient
    array([2., 2., 2.])

    Raises ``ArgumentError`` for an argument that is neither an array nor can be remembered (hashed).
    """
    if function is None:
        return lambda function: Compiled(function, strict, threads)
    return Compiled(function, strict, threads)
