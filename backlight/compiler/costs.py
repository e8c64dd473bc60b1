"""How many threads a program is worth: its kernels' work shared out, against the price of waiting for each other."""

from __future__ import annotations

from backlight.compiler.program import Program
from backlight.compiler.report_counts import bytes_read, bytes_written, core_operations, member_operations

__all__ = ["seconds", "worthwhile"]

# Rates that a core reaches on small things, whose data stand in its caches, and the price of meeting: measured on
# processors of 2020 to 2024. Only their ratio matters, and that roughly.
OPERATIONS = 30e9
BYTES = 30e9
CALL = 10e-9
MEETING = 0.25e-6  # of two threads at a barrier, with what the other wrote to be fetched; each thread more adds to it
MORE = 0.05e-6


def seconds(program: Program, threads: int) -> float:
    """About how long a run takes on so many threads that have a core each."""
    total = program.barriers * (MEETING + MORE * (threads - 2)) if threads > 1 else 0.0
    for (group, kernel), times in zip(program.kernels, program.times, strict=True):
        operations = core_operations(group) + sum(member_operations(group, member) for member in group.members)
        moved = bytes_read(group) + bytes_written(group)
        share = -(-kernel.pieces // threads) / kernel.pieces if kernel.pieces else 0.0
        total += times * (CALL + share * max(operations / OPERATIONS, moved / BYTES))
    return total


def worthwhile(program: Program, most: int) -> int:
    """The number of threads, up to ``most``, on which the program is done soonest."""
    return min(range(1, most + 1), key=lambda threads: (seconds(program, threads), threads))
