"""How many threads a program is worth: its kernels' work shared out, against the price of waiting for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backlight.compiler.plan import Group
from backlight.compiler.report_counts import bytes_read, bytes_written, core_operations, member_operations

if TYPE_CHECKING:
    from backlight.compiler.program import Program

__all__ = ["alone", "seconds", "worthwhile"]

# Rates that a core reaches on small things, whose data stand in its caches, and the price of meeting. Only their ratio
# matters, and that roughly: it is that of small networks' steps, on one thread and on two in turn. New processors do
# everything in half of these times.
OPERATIONS = 30e9
BYTES = 30e9
CALL = 10e-9
MEETING = 1.6e-6  # of two threads at a barrier, with what the other wrote to be fetched and its share not quite half
MORE = 0.05e-6  # for each further thread


def alone(group: Group) -> float:
    """About how many seconds a group takes on one thread."""
    operations = core_operations(group) + sum(member_operations(group, member) for member in group.members)
    return max(operations / OPERATIONS, (bytes_read(group) + bytes_written(group)) / BYTES)


def seconds(program: Program, most: int) -> list[float]:
    """About how long a run takes on 1, 2, … ``most`` threads that have a core each."""
    totals = [0.0, *(program.barriers * (MEETING + MORE * extra) for extra in range(most - 1))]
    for (group, kernel), times in zip(program.kernels, program.times, strict=True):
        work = alone(group)
        for k in range(most):
            share = -(-kernel.pieces // (k + 1)) / kernel.pieces if kernel.pieces else 0.0
            totals[k] += times * (CALL + share * work)
    return totals


def worthwhile(program: Program, most: int) -> list[int]:
    """The number of threads on which the program is done soonest, where there are up to 1, 2, … ``most``."""
    times = seconds(program, most)
    return [min(range(available), key=lambda k: (times[k], k)) + 1 for available in range(1, most + 1)]
