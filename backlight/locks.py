"""Locks that a forked child can use, and properties computed once without a lock.

``os.fork`` copies memory but only the thread that calls it. A lock that another thread holds at that moment is held for
ever in the child: nobody is there who would release it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload
from weakref import WeakSet

__all__ = ["computed", "held_by_forks", "lock"]

Result = TypeVar("Result")


_all: WeakSet[Any] = WeakSet()


def lock() -> Any:
    """A ``threading.RLock`` that is free in a forked child, unless the very thread that forked holds it.

    The child sees what the lock guards as it was in the middle of some statement of the thread that held it, so that
    must be something that every statement leaves right.

    >>> guard = lock()
    >>> with guard, guard:
    ...     print("held twice")
    held twice
    """
    made = threading.RLock()  # as it is: in a class around it, Ctrl-C could come between taking it and saying so
    _all.add(made)
    return made


_waited: list[Any] = []
_held: list[Any] = []


def held_by_forks(lock: Any) -> Any:
    """The ``lock``, for which a fork waits: nobody else is at what it guards when the child comes into being.

    For what may not stop in the middle, such as foreign code with locks of its own.
    """
    _waited.append(lock)
    return lock


def _hold() -> None:
    for each in _waited:
        each.__enter__()
        _held.append(each)


def _let_go() -> None:
    while _held:
        _held.pop().__exit__(None, None, None)


def _renew() -> None:
    """In a forked child: let go what only a thread that is not there could release."""
    for each in _all:
        if each.acquire(blocking=False):
            each.release()
        else:
            each._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


class computed(Generic[Result]):
    """A property that is computed when it is first asked for, and then kept.

    ``functools.cached_property`` holds one lock for all instances while it computes (until Python 3.12), which a child
    would inherit. Here two threads may compute the same; what comes last is kept.

    >>> class Square:
    ...     side = 3
    ...     @computed
    ...     def area(self):
    ...         print("once")
    ...         return self.side**2
    >>> square = Square()
    >>> square.area + square.area
    once
    18
    """

    def __init__(self, function: Callable[[Any], Result]) -> None:
        self._function = function
        self._name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: Any = None) -> computed[Result]: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> Result: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The value; of the class itself, the property."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._function(instance)
        return value
