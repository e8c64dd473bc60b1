"""Running a program on several threads at once: every thread calls the same entry, each with its own number.

A team is a set of workers that never return to Python: between jobs they look for the next one for a few dozen
microseconds and then sleep in the operating system, holding neither a core nor the interpreter lock. The thread that
calls is itself thread 0, so one thread needs no worker, and handing a job to workers that are awake takes two or three
hundred nanoseconds. Each call borrows a team nobody else uses.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from functools import lru_cache
from typing import Any

from backlight.compiler.build import Machine, compile_text
from backlight.compiler.processor import available_cores
from backlight.compiler.sync import INTERRUPTED, LINE, MAILBOXES, QUIT, RAISED, SIGNALS, pool_text
from backlight.errors import ArgumentError, message

__all__ = ["Team", "default_threads", "launch", "set_threads", "shutdown"]

MOST_THREADS = 256
# Python's functions with which a long run looks for signals: take the interpreter's lock, call the handlers, keep what
# they raised, give the lock back.
_LOOKING = ("PyGILState_Ensure", "PyErr_CheckSignals", "PyErr_Fetch", "PyGILState_Release")
_RAISING = ctypes.PYFUNCTYPE(None, *[ctypes.c_void_p] * 3)(("PyErr_Restore", ctypes.pythonapi))

_chosen: int | None = None
_idle: list[Team] = []
_main = threading.main_thread().ident  # the only thread in which Python calls handlers of signals


class _Native:
    """The pool's own machine code."""

    def __init__(self) -> None:
        # Referred to for ever: workers may be inside it until the very end of the process.
        self.machine: Machine = compile_text(pool_text(), ("work", "run", "tell"), name="threads")
        word, number = ctypes.c_void_p, ctypes.c_int64
        kinds: dict[str, tuple[Any, ...]] = {
            "work": (None, word, number),
            "tell": (None, word, number, ctypes.c_int32),
            "run": (number, word, word, word, number, word, number, ctypes.c_bool),
        }
        made = {name: ctypes.CFUNCTYPE(*kind)(self.machine[name]) for name, kind in kinds.items()}
        self.work, self.run, self.tell = made["work"], made["run"], made["tell"]
        self.looking = [ctypes.cast(getattr(ctypes.pythonapi, name), word).value for name in _LOOKING]


@lru_cache(maxsize=1)
def _native() -> _Native:
    return _Native()


class Team:
    """Workers, their sync area and their scratch memory. Each worker's frame holds it, so it lives as long as they."""

    def __init__(self) -> None:
        self.native = _native()
        self._area, self.sync = _aligned(MAILBOXES + LINE * MOST_THREADS)
        self.workers: list[threading.Thread] = []
        self._words(SIGNALS + 8, len(_LOOKING))[:] = self.native.looking
        self._scratch, self.scratch = _aligned(0)
        self.bytes_per_thread = 0
        self._room_for = 0

    def prepare(self, threads: int, workers: int, scratch: int) -> bool:
        """Have that many workers, and so many bytes of scratch memory for each thread; says whether there are."""
        while len(self.workers) < workers:
            worker = threading.Thread(target=self._work, args=(len(self.workers),), name="backlight", daemon=True)
            try:
                worker.start()
            except RuntimeError:  # the system has no more threads to give
                return False
            self.workers.append(worker)
        if scratch > self.bytes_per_thread or threads > self._room_for:
            # A line more than whole pages: equal places of two threads then do not compete for one place in the cache.
            self.bytes_per_thread = max(-(-scratch // 4096) * 4096 + LINE, self.bytes_per_thread)
            self._room_for = max(threads, self._room_for)
            self._scratch, self.scratch = _aligned(self.bytes_per_thread * self._room_for)
        return True

    def _work(self, number: int) -> None:
        self.native.work(self.sync, number)

    def _words(self, offset: int, count: int) -> Any:
        """Words of the sync area that hold addresses."""
        return (ctypes.c_void_p * count).from_address(self.sync + offset)

    def run(self, entry: int, arguments: Any, threads: int) -> int:
        """Run the job with the caller as thread 0. What a signal's handler raises ends it after a step, and is raised,
        unless the program itself has something to report."""
        watched = threading.get_ident() == _main
        status: int = self.native.run(
            self.sync, entry, arguments, threads, self.scratch, self.bytes_per_thread, watched
        )
        if status:
            raised = self._words(RAISED, 3)
            exception = [*raised]
            raised[:] = [None] * 3
            if exception[0] is not None:
                try:
                    _RAISING(*exception)
                except BaseException:
                    if status == INTERRUPTED:
                        raise
        return status

    def quit(self) -> None:
        """Let the workers end, and whoever may be about to become one."""
        for number in range(min(len(self.workers) + 1, MOST_THREADS)):
            self.native.tell(self.sync, number, QUIT)
        for worker in self.workers:
            worker.join(1.0)
        self.workers.clear()


def _aligned(size: int) -> tuple[Any, int]:
    """Memory, and the first address in it that begins a line."""
    memory = ctypes.create_string_buffer(size + LINE)
    return memory, -(-ctypes.addressof(memory) // LINE) * LINE


def launch(entry: int, arguments: Any, threads: int, scratch_bytes: int = 0) -> int:
    """Call the native ``entry(arguments, thread, threads, sync, scratch)`` on every thread; returns the status word.

    ``arguments`` is an address or a ctypes object. In the main thread, handlers of signals are called while a long
    program is between two steps that it says may be its last ones (``asked_text``); if one raises an exception, as that
    of Ctrl-C does, the program ends there and the exception is raised. Where the system refuses more threads, it runs
    on the calling one: programs give the same result on any number.
    """
    threads = max(1, min(threads, MOST_THREADS))
    try:
        team = _idle.pop()
    except IndexError:
        team = Team()
    try:
        if not team.prepare(threads, threads - 1, scratch_bytes):
            threads = 1
            team.prepare(1, 0, scratch_bytes)
    except BaseException:  # Ctrl-C: perhaps another worker has begun of which the team does not know
        team.quit()
        raise
    try:
        return team.run(entry, arguments, threads)
    finally:
        _idle.append(team)


def shutdown() -> None:
    """End the workers of every idle team."""
    while _idle:
        _idle.pop().quit()


def set_threads(threads: int | None) -> None:
    """Choose how many threads compiled functions run on; ``None`` goes back to the default.

    The results are the same bits for any number.
    """
    if threads is not None and (
        not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= MOST_THREADS
    ):
        raise ArgumentError(message("threads_number", came=repr(threads), most=MOST_THREADS))
    global _chosen
    _chosen = threads


def default_threads() -> int:
    """How many threads to run on: what ``set_threads`` or ``BACKLIGHT_THREADS`` says, or one for each core."""
    if _chosen is not None:
        return _chosen
    wanted = os.environ.get("BACKLIGHT_THREADS", "")
    if wanted.isdigit() and int(wanted):
        return min(int(wanted), MOST_THREADS)
    return available_cores()


def _forget() -> None:
    """In a forked child there are no workers, and the thread that forked is the main one."""
    global _main
    _main = threading.get_ident()
    _idle.clear()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
