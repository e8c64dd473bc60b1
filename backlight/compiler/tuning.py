"""Measuring the register tiles on this processor, once, and remembering what was found.

What a step of a tile costs depends on how many loads and multiply-adds the processor begins in a cycle and on what
LLVM makes of the tile; that is measured, not guessed. It takes a fraction of a second when the first large product is
planned, and the cache on the disk keeps the result. Only the shape of tiles follows from it, never the order in which
terms are added: no bit of any result depends on a measurement. ``BACKLIGHT_TUNING=off`` goes without.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from functools import lru_cache
from typing import Any

import numpy as np

from backlight.compiler import cache
from backlight.compiler.build import compile_text, llvm_version
from backlight.compiler.ir import Module
from backlight.compiler.processor import Processor, processor
from backlight.compiler.tile import InnerAxis, Tile, emit_tile
from backlight.locks import lock

__all__ = ["measured_steps"]

DEPTH = 256  # inner indices of a measured tile: its operands stay in the nearest cache
ROUNDS = 5
STEPS = 16_000  # inner indices in a round: about a tenth of a millisecond
SHAPES = {
    16: ((8, 1), (14, 1), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (13, 2), (14, 2), (4, 3), (5, 3), (6, 3), (7, 3),
         (8, 3), (9, 3), (3, 4), (4, 4), (5, 4), (6, 4), (3, 5), (4, 5), (5, 5)),
    8: ((8, 1), (10, 1), (12, 1), (3, 2), (4, 2), (5, 2), (6, 2), (2, 3), (3, 3), (4, 3), (2, 4)),
}  # fmt: skip

_LOCK = lock()


def measured_steps(width: int) -> dict[Tile, float] | None:
    """What one inner index costs for each measured tile, in multiply-adds of a vector at the best tile's pace.

    ``None`` where nothing is measured: tuning is off, or there is no cache that could keep the result.
    """
    if os.environ.get("BACKLIGHT_TUNING", "").lower() == "off" or cache.directory() is None:
        return None
    with _LOCK:
        return _steps(width, processor(width))


@lru_cache(maxsize=8)
def _steps(width: int, target: Processor) -> dict[Tile, float]:
    key = cache.key("tuning", str(width), target.key, llvm_version())
    found = cache.load(key)
    steps = _read(found.payload, width) if found else None
    if steps is None:
        steps = _measure(width, target)
        text = json.dumps({f"{tile.rows}x{tile.vectors}": round(cost, 3) for tile, cost in steps.items()})
        cache.store(key, text.encode(), {"name": f"tiles of width {width}"})
    return steps


def _shapes(width: int) -> list[Tile]:
    return [Tile(*shape) for shape in SHAPES[16 if width >= 16 else 8]]


def _read(payload: bytes, width: int) -> dict[Tile, float] | None:
    """The costs in what was remembered, or ``None`` if it is not a cost for every tile."""
    try:
        numbers = json.loads(payload)
        steps = {tile: float(numbers[f"{tile.rows}x{tile.vectors}"]) for tile in _shapes(width)}
    except (ValueError, TypeError, KeyError):
        return None
    return steps if all(0.5 <= cost / (tile.rows * tile.vectors) <= 100 for tile, cost in steps.items()) else None


def _measure(width: int, target: Processor) -> dict[Tile, float]:
    """Time every tile, in turn and several times over; the fastest time of each counts."""
    tiles = _shapes(width)
    names = [f"tile{k}" for k in range(len(tiles))]
    module = Module()
    for name, tile in zip(names, tiles, strict=True):
        _write(module, name, tile, width)
    machine = compile_text(str(module), names, target=target, cached=False)
    left = np.zeros(16 * (DEPTH + 16), np.float32)
    right, out = np.zeros(DEPTH * 5 * width, np.float32), np.zeros(32 * width, np.float32)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    entries = [kind(machine[name]) for name in names]

    def seconds(entry: Any, repeats: int) -> float:
        start = time.perf_counter()
        entry(left.ctypes.data, right.ctypes.data, out.ctypes.data, repeats)
        return time.perf_counter() - start

    for entry in entries:  # the code and the operands into the caches
        seconds(entry, 1)
    best = [float("inf")] * len(entries)
    for _ in range(ROUNDS):
        best = [min(before, seconds(entry, STEPS // DEPTH)) for before, entry in zip(best, entries, strict=True)]
    pace = min(spent / (tile.rows * tile.vectors) for spent, tile in zip(best, tiles, strict=True))
    return {tile: spent / pace for spent, tile in zip(best, tiles, strict=True)}


def _write(module: Module, name: str, tile: Tile, width: int) -> None:
    b = module.function(name, [("left", "ptr"), ("right", "ptr"), ("out", "ptr"), ("repeats", "i64")])
    dtype, pitch = np.dtype(np.float32), tile.vectors * width
    rights = [b.at(b["right"], v * width, "float") for v in range(tile.vectors)]
    with b.loop(b["repeats"]):
        inner = [InnerAxis(DEPTH, 1, pitch)]
        masks = [None] * tile.vectors
        results = emit_tile(b, dtype, width, tile, inner, b["left"], DEPTH + 16, rights, masks)
        for k, result in enumerate(result for row in results for result in row):
            b.store(result, b.at(b["out"], k * width, "float"))
    b.end()
