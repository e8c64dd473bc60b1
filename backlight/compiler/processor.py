"""The processor that will run the code: its vectors, its caches, and how many of its cores this process may use."""

from __future__ import annotations

import os
import sys
import threading
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from backlight.locks import held_by_forks

__all__ = ["LINE", "LLVM", "Processor", "available_cores", "available_threads", "native_llvm", "processor"]

LINE = 64  # bytes of a line of the cache
_SYSTEM = Path("/sys")

LLVM = held_by_forks(threading.RLock())  #: held while LLVM is imported, and while it works


class Processor(NamedTuple):
    """What the code generators have to know of the processor."""

    name: str
    features: str
    triple: str
    width: int  #: how many float32 numbers a vector register holds
    registers: int  #: how many vector registers there are
    fused: bool  #: whether x · y + z is one instruction
    l1: int  #: bytes of data cache of one core …
    l2: int
    l3: int  #: … and of the cache that cores share

    @property
    def key(self) -> str:
        """What code made for this processor depends on: with equal keys, either may run the other's code."""
        return " ".join(map(str, self))

    def lanes(self, bits: int) -> int:
        """How many numbers of ``bits`` bits a vector register holds."""
        return self.width * 32 // bits


def processor(width: int | None = None) -> Processor:
    """This computer's processor.

    ``width``, or ``BACKLIGHT_WIDTH``, narrows its vectors: 8 float32 is as if it had no AVX-512, 4 as on ARM.
    """
    wanted = os.environ.get("BACKLIGHT_WIDTH", "")
    return _processor(width or (int(wanted) if wanted.isdigit() else 0))


@lru_cache(maxsize=8)
def _processor(narrow: int) -> Processor:
    llvm = native_llvm()
    features = dict(llvm.get_host_cpu_features())
    if 0 < narrow < 16:
        features.update({name: False for name in features if name.startswith(("avx512", "evex512", "avx10"))})
    arm = bool(features.get("neon"))
    wide = bool(features.get("avx512f") and features.get("avx512vl"))
    fused = arm or wide or bool(features.get("avx2") and features.get("fma"))
    width = 4 if arm or not fused else 16 if wide else 8
    return Processor(
        name=llvm.get_host_cpu_name(),
        features=",".join(f"{'+' if present else '-'}{name}" for name, present in sorted(features.items())),
        # The loader reads ELF on Windows too; the calling convention stays Windows' own.
        triple=llvm.get_default_triple() + ("-elf" if sys.platform == "win32" else ""),
        width=min(width, max(4, narrow)) if narrow else width,
        registers=32 if arm or wide else 16,
        fused=fused,
        **_cache_sizes(),
    )


@lru_cache(maxsize=1)
def native_llvm() -> Any:
    """``llvmlite.binding``, ready to make code for this processor; imported when first needed."""
    with LLVM:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        held_by_forks(llvm.ffi.lib._lock)  # around every single call, those that let go of machine code included
    return llvm


def _cache_sizes() -> dict[str, int]:
    """The bytes of the data caches, or what is usual where the system does not tell."""
    sizes = {"l1": 32 << 10, "l2": 512 << 10, "l3": 8 << 20}
    for index in (_SYSTEM / "devices/system/cpu/cpu0/cache").glob("index[0-9]"):
        try:
            level, kind, size = ((index / name).read_text("ascii").strip() for name in ("level", "type", "size"))
            if kind != "Instruction" and f"l{level}" in sizes:
                sizes[f"l{level}"] = int(size.rstrip("KM")) << (20 if size.endswith("M") else 10)
        except (OSError, ValueError):
            continue
    return sizes


def available_threads() -> int:
    """How many threads can run at once: the processors this process may use, and no more than its quota grants."""
    return max(1, min(len(_allowed()), _quota()))


def available_cores() -> int:
    """As many threads as have a core of their own: two hardware threads of one core share its arithmetic units."""
    cores = set()
    for number in _allowed():
        siblings = _SYSTEM / f"devices/system/cpu/cpu{number}/topology/thread_siblings_list"
        try:
            cores.add(siblings.read_text("ascii"))
        except OSError:
            cores.add(str(number))
    return max(1, min(len(cores), _quota()))


def _allowed() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _quota() -> int:
    """The processors' worth of time that the container grants, rounded up; a large number where it is not limited."""
    try:
        quota, period = (_SYSTEM / "fs/cgroup/cpu.max").read_text("ascii").split()
        return ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return sys.maxsize
