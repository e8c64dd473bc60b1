"""``compile``: a function is traced once for each kind of arguments, and from then on runs as native code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import update_wrapper
from itertools import combinations
from types import MethodType
from typing import Any, NamedTuple

import numpy as np

from backlight.array import Array
from backlight.compiler.native import IndexOutside, Native, Planned
from backlight.compiler.plan import Uncompilable
from backlight.compiler.recording import Refused, Traced, is_data, kind_of, leaf_names, trace_call
from backlight.compiler.threads import MOST_THREADS
from backlight.errors import ArgumentError, BacklightError, CompileError, CompileWarning, message
from backlight.lifting import function_name
from backlight.locks import lock
from backlight.refusal import warn
from backlight.trace import ROOT, Guard, state, user_source
from backlight.tree import flatten, unflatten

__all__ = ["Compiled", "compile"]

MOST_VARIANTS = 8  # plans of one kind of arguments, which differ in the way an `if` went
MOST_KINDS = 64  # kinds of arguments remembered; the oldest is forgotten first
IN_A_ROW = 16  # kinds of arguments that come one after the other, none a second time, before that is worth a warning

# -- Plans ---------------------------------------------------------------------------------------------------------


class _Variant(NamedTuple):
    """One way through the function: what it read on the way, and the plan of what it computed."""

    traced: Traced
    native: Native
    guards: tuple[Guard, ...]

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """What the plan computes of the arguments and of what the variables hold now."""
        return self.native([*values, *(variable.value for variable in self.traced.captured)])

    def seen(self, outputs: Sequence[Any]) -> list[Any]:
        """The values that Python read."""
        return [x[()] for x in outputs[len(outputs) - len(self.guards) :]]

    def holds(self, outputs: Sequence[Any]) -> bool:
        """Whether Python would have read the same again."""
        return not self.guards or all(map(_same_reading, self.guards, self.seen(outputs)))

    def settled(self, outputs: Sequence[Any]) -> _Variant | None:
        """The same, expecting to read what the plan computes, which differs from what NumPy does in the last digits.

        ``None`` where that decides something.
        """
        try:
            own = [
                guard._replace(value=guard.read(x)) for guard, x in zip(self.guards, self.seen(outputs), strict=True)
            ]
        except (ValueError, OverflowError):
            return None
        return self._replace(guards=tuple(own)) if all(map(_close, self.guards, own)) else None

    def writable(self, data: Sequence[Any]) -> bool:
        """Whether the function can write into its arguments as it does, and no argument shares memory with another."""
        own = [data[k] for k in self.traced.written]
        return all(x.flags.writeable for x in own) and not (
            own and any(np.may_share_memory(a, b) for a, b in combinations(data, 2))
        )

    def result(self, outputs: list[Any], data: Sequence[Any]) -> Any:
        """What the function returns, after what it writes into its arguments."""
        traced = self.traced
        after = traced.returned + len(traced.written)
        for k, dtype in traced.swapped.items():
            outputs[k] = outputs[k].astype(dtype)
        for k, output in zip(traced.written, outputs[traced.returned :], strict=False):
            data[k][...] = output
        for variable, output in zip(traced.assigned, outputs[after:], strict=False):
            variable.assign(output)
        leaves = [k if number is None else outputs[k][()] if number else outputs[k] for k, number in traced.leaves]
        return unflatten(traced.form, leaves)


def _same_reading(guard: Guard, value: Any) -> bool:
    """Whether Python, reading ``value`` the way the guard did, sees what it saw then, to the sign of a zero."""
    try:
        now = guard.read(value)
    except (ValueError, OverflowError):  # int(nan): the function will say it itself
        return False
    seen = guard.value
    if isinstance(seen, np.ndarray | np.generic):
        return bool(now.tobytes() == seen.tobytes())
    return bool(now == seen) if isinstance(seen, int) else repr(now) == repr(seen)


def _close(guard: Guard, other: Guard) -> bool:
    seen, now = np.asarray(guard.value), np.asarray(other.value)
    if seen.dtype.kind not in "fc":
        return bool(np.array_equal(seen, now))
    return bool(np.allclose(seen, now, rtol=1e-3, atol=1e-6, equal_nan=True))


def _aligned(leaf: Any) -> Any:
    return np.asarray(leaf) if leaf.flags.aligned else leaf.copy()


# -- Compiled functions --------------------------------------------------------------------------------------------


class Compiled(Planned):
    """What ``backlight.compile`` gives: called like the function itself."""

    def __init__(self, function: Callable[..., Any], strict: bool = False, threads: int | None = None) -> None:
        if not callable(function):
            raise ArgumentError(message("compile_function", str(user_source() or ""), came=type(function).__name__))
        if threads is not None and (type(threads) is not int or not 1 <= threads <= MOST_THREADS):
            raise ArgumentError(message("threads_number", came=repr(threads), most=MOST_THREADS))
        update_wrapper(self, function)
        super().__init__(function)
        self._strict = strict
        self._threads = threads
        self._kinds: dict[Any, tuple[_Variant, ...] | None] = {}  # None: it runs as it is
        self._lock = lock()
        self._in_a_row = 0
        self._said: set[str] = set()

    def __repr__(self) -> str:
        return f"<compiled {function_name(self._function)}>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, with the instance as its first argument."""
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        if state.trace is not ROOT or any(isinstance(leaf, Array) for leaf in leaves):
            return self._function(*args, **kwargs)  # inside another transformation it is part of what that records
        kind = kind_of(self._function, leaves, structure)
        data = [leaf for leaf in leaves if is_data(leaf)]
        values = [*map(_aligned, data)]
        found = self._known(kind, values)
        if found is _NEW:
            with self._lock:  # somebody else may have made it in the meantime
                found = self._known(kind, values)
                if found is _NEW:
                    found = self._made(kind, values, args, kwargs)
        if isinstance(found, str):
            result = self._function(*args, **kwargs)  # raises what it raises anyway
            self._refuse(kind, found)
            return result
        if found is None or (found[0].traced.written and not found[0].writable(data)):
            return self._function(*args, **kwargs)
        variant, outputs = found
        self._native = variant.native
        return variant.result(outputs, data)

    def _known(self, kind: Any, values: Sequence[Any]) -> Any:
        """The variant that holds for these values, and its outputs; ``None`` if the function has to run as it is."""
        variants = self._kinds.get(kind, ())
        if variants is None:
            return None
        for variant in variants:
            try:
                outputs = variant(values)
            except IndexOutside:
                if variant.guards:  # perhaps it does not go this way
                    continue
                return None  # the function itself says what is wrong, and where
            if variant.holds(outputs):
                if variant is not variants[0]:
                    self._kinds[kind] = (variant, *(other for other in variants if other is not variant))
                self._in_a_row = 0
                return variant, outputs
        return _NEW

    def _made(self, kind: Any, values: Sequence[Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The same for a new variant; or, if one cannot be made, why: unless the function itself is to blame."""
        name = function_name(self._function)
        variants = self._kinds.get(kind) or ()
        if len(variants) >= MOST_VARIANTS:
            pairs = zip(variants[0].guards, variants[1].guards, strict=False)
            guard = next((a for a, b in pairs if repr(a.value) != repr(b.value)), variants[0].guards[0])
            self._refuse(kind, message("compile_retraces", str(guard.source or ""), function=name, count=len(variants)))
            return None
        if kind not in self._kinds:
            self._expect(kind)
        since = time.perf_counter()
        try:
            traced = trace_call(self._function, args, kwargs)
            native = Native(traced.graph, self._threads, since=since)
        except Uncompilable as error:
            facts = {"function": name, "primitive": error.node.operation, "reason": error.reason}
            self._refuse(kind, message("compile_unsupported", str(error.node.source or ""), **facts))
            return None
        except Refused as error:
            return message("compile_refused", str(error.source or ""), function=name, reason=error)
        except Exception as error:
            reason = str(error) if isinstance(error, BacklightError) else f"{type(error).__name__}: {error}"
            return message("compile_refused", function=name, reason=reason)
        variant = _Variant(traced, native, traced.guards)
        try:
            outputs = variant(values)
        except IndexOutside:
            return None
        settled = variant.settled(outputs)
        if settled is not None:
            self._kinds[kind] = (settled, *variants)
        return settled and (settled, outputs)

    def _expect(self, kind: Any) -> None:
        """Make room for a new kind of arguments, and say so where every call brings another one."""
        self._in_a_row += 1
        if self._in_a_row == IN_A_ROW:
            other = next(reversed(self._kinds), kind)
            names = leaf_names(self._function, kind[0])
            alike = zip(names, kind[1:], other[1:], strict=False)
            changing = [name for name, now, before in alike if now != before] if kind[0] == other[0] else []
            quoted = ", ".join(f"`{name}`" for name in changing or names)
            self._say(message("compile_kinds", function=function_name(self._function), count=IN_A_ROW, names=quoted))
        while len(self._kinds) >= MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]

    def _refuse(self, kind: Any, text: str) -> None:
        """Run as it is from now on, and say so once."""
        if self._strict:
            raise CompileError(text)
        self._kinds[kind] = None
        self._say(f"{text}\n{message('compile_as_it_is')}")

    def _say(self, text: str) -> None:
        """A warning, once, at the line where the user calls the function."""
        if text not in self._said:
            self._said.add(text)
            warn(text, CompileWarning)


_NEW = object()


def compile(function: Callable[..., Any] | None = None, *, strict: bool = False, threads: int | None = None) -> Any:
    """``function`` as native code: traced once for each kind of arguments, then run without Python.

    The first call with arguments of new shapes, dtypes or nesting traces the function, which records what it does,
    and compiles that; later calls run it. Works for whatever Backlight can trace, ``grad(f)``, ``value_and_grad(f)``
    and loops (``scan``) included, and as a decorator, also of methods. Arrays and NumPy's numbers are data; Python's
    numbers, strings and everything else are part of the program, so a new value means a new trace: pass what changes
    as ``np.float32(lr)``. Arrays and attributes that the function reads from outside are taken as they are at the first
    call, and what it does besides computing (printing, appending to a list) happens while it is traced. What it writes
    into its arguments (``w -= g``) is written into them; everything it returns is new.

    Where Python reads a computed value (``if loss > 1:``), the way it went is checked in every call, and a new way is
    traced and compiled as well. What cannot be compiled runs as it is, after one ``CompileWarning`` that names the
    operation and the line; ``strict=True`` raises ``CompileError`` instead. ``threads`` is how many threads share the
    work (the results are the same bits for any number). Several threads may call one compiled function. Ctrl-C ends a
    long call between two steps of a ``scan`` or ``while_loop`` that is not inside another one: ``KeyboardInterrupt`` is
    raised and nothing has been written into the arguments; all else is computed to the end before it comes. Inside
    another transformation, or on Backlight Arrays, the function itself is recorded as ever.

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
