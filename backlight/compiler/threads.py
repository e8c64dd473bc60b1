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
from backlight.compiler.sync import LINE, MAILBOXES, QUIT, STATUS, STOP, pool_text
from backlight.errors import ArgumentError, message

__all__ = ["Team", "default_threads", "launch", "set_threads", "shutdown"]

MOST_THREADS = 256
_CHECK_MILLISECONDS = 50  # how often an interruptible wait lets Python look for signals, at least

_chosen: int | None = None
_idle: list[Team] = []


class _Native:
    """The pool's own machine code."""

    def __init__(self) -> None:
        # Referred to for ever: workers may be inside it until the very end of the process.
        self.machine: Machine = compile_text(pool_text(), ("work", "post", "run", "wait", "tell"), name="threads")
        word, number = ctypes.c_void_p, ctypes.c_int64
        kinds: dict[str, tuple[Any, ...]] = {
            "work": (None, word, number),
            "tell": (None, word, number, ctypes.c_int32),
            "post": (None, word, word, word, number, word, number, number),
            "run": (number, word, word, word, number, word, number),
            "wait": (ctypes.c_int32, word, number),
        }
        made = {name: ctypes.CFUNCTYPE(*kind)(self.machine[name]) for name, kind in kinds.items()}
        self.work, self.tell, self.post = made["work"], made["tell"], made["post"]
        self.run, self.wait = made["run"], made["wait"]


@lru_cache(maxsize=1)
def _native() -> _Native:
    return _Native()


class Team:
    """Workers, their sync area and their scratch memory. Each worker's frame holds it, so it lives as long as they."""

    def __init__(self) -> None:
        self.native = _native()
        self._area, self.sync = _aligned(MAILBOXES + LINE * MOST_THREADS)
        self.workers: list[threading.Thread] = []
        self.kept: Any = None  # what the running job needs
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

    def word(self, offset: int) -> ctypes.c_int64:
        """A 64-bit word of the sync area."""
        return ctypes.c_int64.from_address(self.sync + offset)

    def run(self, entry: int, arguments: Any, threads: int) -> int:
        """Run the job with the caller as thread 0."""
        return int(self.native.run(self.sync, entry, arguments, threads, self.scratch, self.bytes_per_thread))

    def run_watched(self, entry: int, arguments: Any, threads: int) -> int:
        """Run the job on workers alone. An exception, such as Ctrl-C, tells it to stop, and is raised when it has."""
        stop, status = self.word(STOP), self.word(STATUS)
        stop.value = status.value = 0
        try:
            self.native.post(self.sync, entry, arguments, threads, self.scratch, self.bytes_per_thread, 0)
            while self.busy(_CHECK_MILLISECONDS):
                pass
        except BaseException:
            while self._stopping(stop):
                pass
            raise
        return status.value

    def _stopping(self, stop: ctypes.c_int64) -> bool:
        try:
            stop.value = 1
            return self.busy(_CHECK_MILLISECONDS)
        except BaseException:  # asked to stop once more: it is about to
            return True

    def busy(self, milliseconds: int = 0) -> bool:
        """Whether workers are still at a job after so long, or when a signal came."""
        return bool(self.native.wait(self.sync, milliseconds))

    def quit(self) -> None:
        """Let the workers end."""
        for number in range(len(self.workers)):
            self.native.tell(self.sync, number, QUIT)
        for worker in self.workers:
            worker.join(1.0)
        self.workers.clear()


def _aligned(size: int) -> tuple[Any, int]:
    """Memory, and the first address in it that begins a line."""
    memory = ctypes.create_string_buffer(size + LINE)
    return memory, -(-ctypes.addressof(memory) // LINE) * LINE


def launch(
    entry: int, arguments: Any, threads: int, scratch_bytes: int = 0, *, interruptible: bool = False, keep: Any = None
) -> int:
    """Call the native ``entry(arguments, thread, threads, sync, scratch)`` on every thread; returns the status word.

    ``arguments`` is an address or a ctypes object. ``interruptible`` is for long jobs: Ctrl-C then sets the stop word,
    which the program reads between its steps, and ``KeyboardInterrupt`` is raised when it has stopped. ``keep`` is
    what the job needs (its machine, its buffers), held until the job has really ended. Where the system refuses more
    threads, it runs on the calling one: programs give the same result on any number.
    """
    threads = max(1, min(threads, MOST_THREADS))
    try:
        team = _idle.pop()
    except IndexError:
        team = Team()
    team.kept = keep
    try:
        if interruptible and team.prepare(threads, threads, scratch_bytes):
            return team.run_watched(entry, arguments, threads)
        if not team.prepare(threads, threads - 1, scratch_bytes):
            threads = 1
            team.prepare(1, 0, scratch_bytes)
        return team.run(entry, arguments, threads)
    finally:
        if not team.busy():
            team.kept = None
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
    """In a forked child there are no workers."""
    _idle.clear()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
