"""What a kernel has to do, counted: bytes that it must read and write, and operations.

A byte counts once for being read and once for being written, however often a kernel comes back to it: what caches and
registers do with it in between is not the kernel's work but its luck. An operation is what has one on a processor
(adding, comparing, choosing); functions such as ``exp`` are polynomials and count 10, a random number 30.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import prod
from typing import Any

from backlight.compiler.cut import kernel_of, multiplications
from backlight.compiler.plan import Group, Member, Tensor
from backlight.compiler.views import View
from backlight.graph import Node
from backlight.primitive import Contract, Map, Reduce

__all__ = [
    "bytes_read", "bytes_written", "core_operations", "elements", "member_operations", "node_operations", "stored",
    "touched",
]  # fmt: skip

FUNCTION = 10
NUMBER = 30  # a random number: the rounds of Philox, shared among four, and what makes a distribution of them
_SIMPLE = frozenset(
    [
        "neg",
        "abs",
        "add",
        "sub",
        "mul",
        "div",
        "fmod",
        "copysign",
        "min",
        "max",
        "floor",
        "ceil",
        "rint",
        "trunc",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "isnan",
        "isinf",
        "isfinite",
        "signbit",
        "truth",
        "select",
        "and",
        "or",
        "xor",
        "not",
        "invert",
        "shl",
        "shr",
        "sqrt",
        "conj",
        "real",
        "imag",
        "complex",
    ]
)


# -- Bytes ---------------------------------------------------------------------------------------------------------


def touched(view: View) -> int:
    """How many different elements of memory a view shows: repeated ones, and windows that overlap, count once.

    >>> touched(View(None, 0, ((32, 0), (10, 1)))), touched(View(None, 0, ((8, 1), (3, 1))))
    (10, 10)
    """
    count, reach = 1, 0
    for n, stride in sorted(((n, abs(stride)) for n, stride in view.digits), key=lambda digit: digit[1]):
        if stride:
            count = count * n if stride > reach else min(count * n, reach + (n - 1) * stride + 1)
            reach += (n - 1) * stride
    return count


def bytes_read(group: Group) -> int:
    """The bytes of different elements that the core and the members of ``group`` read from memory."""
    views = [v for v in group.external() if not _is_immediate(v)]
    reads = list(group.reads)
    picked = 0
    if group.kind == "gather" and reads:  # of the array only what the indices name
        source = reads.pop(0)
        picked = min(group.core.places * group.core.row, touched(source)) * int(source.tensor.dtype.itemsize)
    seen: dict[Tensor, dict[tuple[int, Any], View]] = {}
    for view in (*reads, *views):
        seen.setdefault(view.tensor.memory(), {})[view.offset, view.digits] = view
    return picked + sum(
        min(sum(map(touched, each.values())), tensor.size) * int(tensor.dtype.itemsize) for tensor, each in seen.items()
    )


def _is_immediate(view: View) -> bool:
    """Whether the view is one known number, which stands in the instructions."""
    return bool(view.tensor.home == "constant" and view.tensor.size == 1)


def stored(group: Group) -> list[Tensor]:
    """What the core and the members of ``group`` leave in memory."""
    made = [*group.writes, *(m.tensor for m in group.members)]
    if group.result is not None:
        made.append(group.result)
    return [tensor for tensor in made if tensor.is_stored]


def bytes_written(group: Group) -> int:
    """The bytes of what ``group`` leaves in memory."""
    return sum(tensor.nbytes for tensor in stored(group))


# -- Operations ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _each(expression: Any) -> int:
    """The operations of an expression, for one element."""
    if not isinstance(expression, tuple):
        return 0
    return (1 if expression[0] in _SIMPLE else FUNCTION) + sum(map(_each, expression[1:]))


def elements(group: Group, member: Member) -> int:
    """How many elements ``member`` goes through."""
    return group.size if member.fold or member.level == "element" else group.rows


def member_operations(group: Group, member: Member) -> int:
    """The operations of one of the mappings fused into ``group``."""
    return elements(group, member) * (1 if member.fold else _each(member.kernel))


def core_operations(group: Group) -> int:
    """The operations of what stands at the heart of ``group``."""
    core, reads = group.core, group.reads
    if group.kind in ("product", "partial"):
        return int(core.flops)
    if group.kind in ("combine", "reduce", "sweep"):
        return _sizes(reads[:1])
    if group.kind in ("pool", "unpool", "depthwise"):
        planes = core.planes
        taps: int = planes.number * prod(planes.outputs) * prod(planes.size)
        return 2 * taps if group.kind == "depthwise" else taps
    if group.kind == "draw":
        return int(core.keys * core.each) * NUMBER
    if group.kind == "scatter" and core.combine == "add":
        return _sizes(reads[-1:])
    return 0


def node_operations(node: Node) -> int:
    """The operations of a node of a graph that has no kernels."""
    kernel = kernel_of(node)
    size = prod(node.shape) if node.shape is not None else 0
    if isinstance(kernel, Map):
        return size * _each(kernel.expression)
    if isinstance(kernel, Contract):
        return 2 * size * multiplications(node, kernel)
    if isinstance(kernel, Reduce):
        return prod(node.inputs[0].shape)
    return 0


def _sizes(views: Iterable[View]) -> int:
    return sum(view.size for view in views)
