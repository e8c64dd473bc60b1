"""What this processor can do at most: multiply-adds in registers alone, and bytes from and to each kind of memory.

A kernel can be no faster than its arithmetic at the one pace and its bytes at the other (Williams, Waterman and
Patterson, "Roofline", 2009). Both are measured once for each number of threads, in a fraction of a second, and the
cache on the disk keeps them. ``BACKLIGHT_TUNING=off`` goes without.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler import cache
from backlight.compiler.build import Machine, compile_text, llvm_version
from backlight.compiler.ir import Function, Module
from backlight.compiler.processor import Processor, available_cores, processor
from backlight.compiler.threads import launch
from backlight.locks import lock

__all__ = ["Peak", "measure", "peak"]

KINDS = {"float32": "float", "float64": "double"}
UNROLLED = 8  # vectors that one turn of the loop over memory reads and writes
TURNS = 100_000  # turns of the loop over registers in a round: a fraction of a millisecond
MOST_MEMORY = 256 << 20  # bytes: the largest buffer that is filled to find the pace of memory
MOVED = 4 << 20  # bytes that a thread moves in a round within a cache
SECONDS = 0.03  # for each of the five figures; as many rounds as go into it
ROUNDS = 3  # but at least so many
EACH = 0.55  # what every one of several threads does at least of what one does alone: a full processor's clock is lower

_LOCK = lock()


class Peak(NamedTuple):
    """The best pace that was measured, of all threads together; bytes are those read plus those written."""

    flops_per_second: float  #: a multiply-add counts as two
    bytes_per_second: float  #: of memory, in buffers larger than every cache
    l2_bytes_per_second: float  #: in buffers that fit half of each core's second cache
    l1_bytes_per_second: float  #: … and its first

    def seconds(self, flops: float, bytes_moved: float) -> float:
        """The least time for so many operations and bytes of memory: the longer of the two, as they overlap."""
        return max(flops / self.flops_per_second, bytes_moved / self.bytes_per_second)


def peak(threads: int = 1, dtype: Any = np.float32) -> Peak | None:
    """The peak of so many threads at once in ``float32`` or ``float64``, measured the first time it is asked for.

    ``None`` where ``BACKLIGHT_TUNING`` is ``off``.
    """
    if os.environ.get("BACKLIGHT_TUNING", "").lower() == "off":
        return None
    with _LOCK:
        return _peaks(threads, processor())[np.dtype(dtype).name]


@lru_cache(maxsize=8)
def _peaks(threads: int, target: Processor) -> dict[str, Peak]:
    key = cache.key("roofline", str(threads), target.key, llvm_version())
    found = cache.load(key)
    peaks = _read(found.payload) if found else None
    if peaks is None:
        peaks = measure(threads, target)
        if _undisturbed(threads, target, peaks):
            cache.store(key, json.dumps(peaks).encode(), {"name": f"peak of {threads} thread{'s' * (threads > 1)}"})
    return peaks


def _undisturbed(threads: int, target: Processor, peaks: dict[str, Peak]) -> bool:
    """Whether each thread had a core: several do much more than one, unless others kept the cores busy meanwhile."""
    together = min(threads, available_cores())
    if together == 1:
        return True
    single = _peaks(1, target)["float32"].flops_per_second
    return peaks["float32"].flops_per_second > EACH * together * single


def _read(payload: bytes) -> dict[str, Peak] | None:
    """The peaks in what was remembered, or ``None`` if they are not what a processor could do."""
    try:
        numbers = json.loads(payload)
        peaks = {dtype: Peak(*map(float, numbers[dtype])) for dtype in KINDS}
    except (ValueError, TypeError, KeyError):
        return None
    plausible = all(1e6 < figure < 1e18 for peak in peaks.values() for figure in peak)
    return peaks if plausible else None


def measure(threads: int, target: Processor | None = None) -> dict[str, Peak]:
    """The peak for each dtype, measured now; the fastest of many short rounds counts."""
    target = target or processor()
    machine = _machine(target)
    register = target.width * 4
    flops = {}
    for dtype in KINDS:
        addends = (ctypes.c_double * (2 * 8 * threads))()  # where the sums go, so that somebody needs them
        arguments = (ctypes.c_int64 * 2)(ctypes.addressof(addends), TURNS)
        work = 2 * TURNS * _sums(target) * register // np.dtype(dtype).itemsize * threads
        flops[dtype] = work / _best(machine, dtype, arguments, threads)
    turn = UNROLLED * register
    paces = []
    for size in (min(2 * max(target.l3, target.l2), MOST_MEMORY) // threads, target.l2 // 2, target.l1 // 2):
        each = max(size // turn, 1) * turn
        buffer = np.ones((each * threads + 64) // 4, np.float32)  # written, so that its pages are there
        repeats = max(MOVED // each, 1)
        start = -(-buffer.ctypes.data // 64) * 64
        arguments = (ctypes.c_int64 * 3)(start, each // turn, repeats)
        paces.append(2 * each * threads * repeats / _best(machine, "memory", arguments, threads))
    return {dtype: Peak(found, *paces) for dtype, found in flops.items()}


def _best(machine: Machine, entry: str, arguments: Any, threads: int) -> float:
    """Seconds of the fastest round."""
    best, rounds, begin = float("inf"), 0, time.perf_counter()
    while rounds < ROUNDS or time.perf_counter() < begin + SECONDS:
        start = time.perf_counter()
        launch(machine[entry], arguments, threads)
        best = min(best, time.perf_counter() - start)
        rounds += 1
    return best


@lru_cache(maxsize=2)
def _machine(target: Processor) -> Machine:
    module = Module()
    for name, kind in KINDS.items():
        _write_arithmetic(module, name, kind, target)
    _write_memory(module, target)
    return compile_text(str(module), [*KINDS, "memory"], target=target, name="roofline")


def _sums(target: Processor) -> int:
    """How many sums grow side by side: more than a processor has begun before the first is done."""
    return target.registers - 4


def _entry(module: Module, name: str) -> Function:
    parameters = [("arguments", "ptr"), ("thread", "i64"), ("threads", "i64"), ("sync", "ptr"), ("scratch", "ptr")]
    return module.function(name, parameters)


def _write_arithmetic(module: Module, name: str, kind: str, target: Processor) -> None:
    """Each sum becomes sum · ½ + ½, again and again: numbers that neither grow nor vanish."""
    b = _entry(module, name)
    lanes = target.lanes(32 if kind == "float" else 64)
    place = b.load(b["arguments"], "ptr")
    turns = b.load(b.at(b["arguments"], 1, "i64"), "i64")
    out = b.at(place, b["thread"] * 16, "double")
    half = b.splat(b.load(out, kind) + 0.5, lanes)  # read from memory, where LLVM cannot know that it is 0
    sums = [b.variable(half.kind, half * float(k)) for k in range(_sums(target))]
    with b.loop(turns):
        for each in sums:
            x = each.get()
            each.set(b.fma(x, half, half) if target.fused else x * half + half)
    total = sums[0].get()
    for each in sums[1:]:
        total = total + each.get()
    b.store(b.fold(total, lambda x, y: x + y), b.at(out, 8, "double"))
    b.end()


def _write_memory(module: Module, target: Processor) -> None:
    """Every thread reads its own part of the buffer and writes it back with the other sign."""
    b = _entry(module, "memory")
    kind = f"<{target.width} x float>"
    buffer = b.load(b["arguments"], "ptr")
    turns, repeats = (b.load(b.at(b["arguments"], k, "i64"), "i64") for k in (1, 2))
    step = UNROLLED * target.width
    own = b.at(buffer, b["thread"] * turns * step, "float")
    with b.loop(repeats), b.loop(turns) as turn:
        for k in range(UNROLLED):
            place = b.at(b.at(own, turn * step, "float"), k * target.width, "float")
            b.store(-b.load(place, kind, 64 if target.width >= 16 else 4 * target.width), place, 4 * target.width)
    b.end()
