"""Recording: every call of a primitive becomes a Node that knows which line of the user's code asked for it.

The tracer knows nothing of gradients. A ``Trace`` is the stretch of time in which a transformation runs the user's
function; outside all of them the root trace, which never ends, records what happens to ``backlight.array``s.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import BacklightError
from backlight.graph import NO_PARAMS, Node, Origin, Source
from backlight.source import line_of

__all__ = [
    "Guard",
    "Trace",
    "constant",
    "deriving",
    "input_node",
    "is_user_file",
    "scope",
    "state",
    "user_frame",
    "user_source",
    "user_variable",
]

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_DEMO = os.path.join(_HERE, "demo") + os.sep  # the demo's network is user code like any other
_NUMPY = os.path.dirname(np.__file__) + os.sep
_foreign: dict[str, bool] = {}  # file -> whether it is the user's


class Guard(NamedTuple):
    """A place where Python read a traced value (``if``, ``int()``, ``float()``), what it saw there, and how it read."""

    node: Node
    value: Any
    source: Source | None
    read: Callable[[Any], Any]


class Trace:
    """The stretch of time in which ``name`` runs the user's function: ``with Trace("grad of loss") as trace``.

    Its values may be used as long as it is open: until it ends or, when it runs inside another, until that one ends.
    A ``lasting`` trace works on the user's own Arrays and stays open like the root.
    """

    __slots__ = ("guards", "inner", "lasting", "name", "open", "outer")

    def __init__(self, name: str, *, lasting: bool = False) -> None:
        self.name = name
        self.open = True
        self.lasting = lasting
        self.guards: list[Guard] = []
        self.inner: list[Trace] = []
        self.outer: Trace = self

    def __enter__(self) -> Trace:
        self.outer = state.trace
        state.trace = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.leave()
        self.close()
        if isinstance(error, ValueError) and isinstance(error.__cause__, BacklightError):
            raise error.__cause__  # NumPy hides what we said behind "setting an array element with a sequence"

    def leave(self) -> None:
        """Record in the outer trace from here on; values of this one may still be used until it is closed."""
        if state.trace is self:
            state.trace = self.outer
            if self.outer is not ROOT:
                self.outer.guards += self.guards
                self.outer.inner.append(self)

    def close(self) -> None:
        """End the use of its values, unless an enclosing trace still needs them."""
        if self.outer is ROOT and not self.lasting:
            self.set_open(False)

    def set_open(self, is_open: bool) -> None:
        """Allow or end the use of the values of this trace and of those that ran inside it."""
        pending = [self]
        while pending:
            trace = pending.pop()
            trace.open = is_open
            pending += trace.inner


ROOT = Trace("the root trace")


class _State(threading.local):
    """What each thread records into, and as what."""

    def __init__(self) -> None:
        self.trace: Trace = ROOT
        self.scope: tuple[str, ...] = ()
        self.origin: Origin | None = None
        self.kind = "call"  # "part" while one of NumPy's functions is being composed
        self.postpone = False  # whether loops are only recorded, and run when somebody looks at what they give
        self.bindings: Any = None  # what variables hold here instead of what they hold otherwise


state = _State()


def is_user_file(file: str) -> bool:
    """Whether code in ``file`` is neither Backlight's nor NumPy's."""
    return file.startswith(_DEMO) or not file.startswith((_HERE, _NUMPY))


def user_frame() -> FrameType | None:
    """The innermost frame that is neither Backlight's nor NumPy's: where the user's code is now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        foreign = _foreign.get(file)
        if foreign is None:
            foreign = _foreign[file] = is_user_file(file)
        if foreign:
            return frame
        frame = frame.f_back
    return None


def user_variable(value: Any) -> str | None:
    """The name by which the user's innermost function knows this very object."""
    frame = user_frame()
    names = [] if frame is None else [name for name, held in frame.f_locals.items() if held is value]
    return names[0] if names else None


def user_source() -> Source | None:
    """The user's file and line that is being executed."""
    frame = user_frame()
    if frame is None:
        return None
    code = frame.f_code
    return Source(code.co_filename, line_of(code, frame.f_lasti), code.co_qualname)


def constant(value: Any, dtype: Any = None) -> Node:
    """A leaf that no gradient is asked of. Writable memory is copied: what it holds now is what was used."""
    if isinstance(value, np.ndarray):
        if value.flags.writeable or is_window(value):
            value = value.copy()
    elif not isinstance(value, np.generic) or (dtype is not None and value.dtype != dtype):
        value = np.asarray(value, dtype)[()]
    return Node(
        None, (), NO_PARAMS, value.shape, value.dtype, value, state.trace, None, 0, (), state.origin, "constant"
    )


def is_window(value: np.ndarray[Any, Any]) -> bool:
    """Whether the array, read-only itself, shows memory of an array that can be written to."""
    base = value.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return False


def input_node(value: Any, label: str | None) -> Node:
    """A leaf that gradients may be asked of."""
    node = Node(None, (), NO_PARAMS, value.shape, value.dtype, value, state.trace, None, 0, state.scope, None, "input")
    node.label = label
    return node


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Name a part of the computation: nodes recorded inside carry the path of names, ``("encoder", "layer1")``.

    >>> import backlight
    >>> with backlight.scope("layer1"):
    ...     y = backlight.array([1.0, 2.0]) * 3
    >>> y.node.scope
    ('layer1',)
    """
    before = state.scope
    state.scope = (*before, name)
    try:
        yield
    finally:
        state.scope = before


@contextmanager
def deriving(origin: Origin | None) -> Iterator[None]:
    """Nodes recorded inside are backward nodes of ``origin``."""
    before = state.origin
    state.origin = origin
    try:
        yield
    finally:
        state.origin = before
