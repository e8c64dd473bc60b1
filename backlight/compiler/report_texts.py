"""The words of a plan's report, in English and Chinese: what a kernel is, why its mappings run together, headings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backlight.errors import language

if TYPE_CHECKING:
    from backlight.compiler.report import KernelRow

__all__ = ["amount", "count", "duration", "reason_of", "say", "what_of", "why_of", "words"]

Pair = tuple[str, str]


def say(english: str, chinese: str) -> str:
    """The one in the current language."""
    return chinese if language() == "zh" else english


def words(key: str) -> str:
    """The heading ``key`` in the current language."""
    return say(*_WORDS[key])


# -- Numbers -------------------------------------------------------------------------------------------------------


def duration(seconds: float | None) -> str:
    """A time with three digits, in the unit that reads best.

    >>> duration(3.21e-05), duration(0.0123), duration(4e-09), duration(None)
    ('32.1 µs', '12.3 ms', '4.00 ns', '')
    """
    if seconds is None:
        return ""
    if seconds <= 0:
        return "0 s"
    scale, unit = next(
        (s, u) for s, u in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")) if seconds >= s or s == 1e-9
    )
    return f"{_three(seconds / scale)} {unit}"


def count(number: int) -> str:
    """A number of things, in thousands and millions.

    >>> count(512), count(70656), count(3_200_000)
    ('512', '70.7 k', '3.20 M')
    """
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= scale:
            return f"{_three(number / scale)} {unit}"
    return str(number)


def amount(size: int) -> str:
    """Bytes in the unit that reads best.

    >>> amount(96), amount(49152)
    ('96 B', '48.0 KiB')
    """
    for bits, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << bits:
            return f"{_three(size / (1 << bits))} {unit}"
    return f"{size} B"


def _three(number: float) -> str:
    return f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f}"


# -- What ----------------------------------------------------------------------------------------------------------


def what_of(row: KernelRow) -> str:
    """What a kernel computes, in words."""
    if row.kind in _WHAT:
        return _WHAT[row.kind](row)
    return row.kind


def _product(row: KernelRow) -> str:
    operation, batch, rows, inner, columns, splits = row.facts
    sizes = f"{rows}×{inner} · {inner}×{columns}"
    sizes = f"{batch} × ({sizes})" if batch > 1 else sizes
    if operation.startswith("convol"):
        text = say(f"convolution as {sizes}", f"卷积，即 {sizes}")
    else:
        text = say(f"matrix product {sizes}", f"矩阵乘积 {sizes}")
    if row.kind == "partial":
        return say(f"{text}, cut in {splits} parts", f"{text}，分成 {splits} 段")
    if row.kind == "combine":
        return say(f"total of the {splits} parts of {rows}×{columns}", f"{rows}×{columns} 的 {splits} 段之和")
    return text


def _loops(row: KernelRow) -> str:
    if len(row.facts) == 2:
        rows, columns = row.facts
        if rows == 1:
            return say(f"fold of {columns} elements", f"{columns} 个元素的归并")
        return say(f"row by row, {rows}×{columns}", f"逐行，{rows}×{columns}")
    (size,) = row.facts
    if all(mapping.operation == "copy" for mapping in row.mappings):
        return say(f"copy of {size} element{'s' * (size != 1)}", f"复制 {size} 个元素")
    if size == 1:
        return say("a single number", "一个数")
    return say(f"elementwise, {size} elements", f"逐元素，{size} 个元素")


def _reduce(row: KernelRow) -> str:
    combine, folded, kept = row.facts
    name = say(*_FOLDS.get(combine, (combine, combine)))
    return say(f"{name} down the columns, {folded}×{kept}", f"沿列{name}，{folded}×{kept}")


def _picked(row: KernelRow) -> str:
    combine, rows, length = row.facts
    sizes = f"{rows}×{length}" if length > 1 else f"{rows}"
    if row.kind == "gather":
        return say(f"picks by index, {sizes}", f"按下标取 {sizes}")
    if combine == "add":
        return say(f"adds by index, {sizes}", f"按下标累加 {sizes}")
    return say(f"writes by index, {sizes}", f"按下标写入 {sizes}")


def _draw(row: KernelRow) -> str:
    distribution, number = row.facts
    return say(f"random numbers ({distribution}), {number}", f"随机数（{distribution}），{number} 个")


def _sweep(row: KernelRow) -> str:
    combine, scan, *shape = row.facts
    sizes = "×".join(map(str, shape))
    if scan:
        name = say(*_FOLDS.get(combine, (combine, combine)))
        return say(f"running {name}, {sizes}", f"累计{name}，{sizes}")
    return say(f"{combine}, {sizes}", f"{combine}，{sizes}")


def _windows(row: KernelRow) -> str:
    combine, planes, outputs, size = row.facts
    sizes = f"{planes} × {'×'.join(map(str, outputs))}"
    window = "×".join(map(str, size))
    if row.kind == "depthwise":
        return say(f"depthwise convolution {window}, {sizes}", f"逐通道卷积 {window}，{sizes}")
    if row.kind == "unpool":
        return say(f"back to the largest of windows {window}, {sizes}", f"回到窗口 {window} 的最大值，{sizes}")
    name = say("mean", "均值") if combine == "mean" else say("largest", "最大值")
    return say(f"{name} of windows {window}, {sizes}", f"窗口 {window} 的{name}，{sizes}")


_FOLDS: dict[str, Pair] = {
    "add": ("sum", "求和"),
    "multiply": ("product", "求积"),
    "maximum": ("largest", "取最大"),
    "minimum": ("smallest", "取最小"),
    "logical_or": ("any", "任一"),
    "logical_and": ("all", "全部"),
}
_WHAT = {
    "product": _product, "partial": _product, "combine": _product, "loops": _loops, "reduce": _reduce,
    "gather": _picked, "scatter": _picked, "draw": _draw, "sweep": _sweep, "pool": _windows, "unpool": _windows,
    "depthwise": _windows,
}  # fmt: skip


# -- Why -----------------------------------------------------------------------------------------------------------


def reason_of(row: KernelRow) -> str:
    """Why the mappings of a kernel run together."""
    kind, together = row.kind, len(row.mappings) > 1
    if kind == "loops":
        copies = all(mapping.operation == "copy" for mapping in row.mappings)
        kind = "copy" if copies else "rows" if len(row.facts) == 2 else "elements"
    if kind == "sweep" and not row.facts[1]:
        kind = "place"
    key = f"{kind}+" if together and f"{kind}+" in _WHY else kind
    return say(*_WHY.get(key, _WHY["alone"]))


def why_of(row: KernelRow) -> str:
    """The same, and what it saves."""
    if not row.kept:
        return row.reason
    size = amount(row.kept)
    return row.reason + say(f" {size} of values in between never go to memory.", f"中间的 {size} 不进内存。")


_WHY: dict[str, Pair] = {
    "product": (
        "Alone: what follows needs all of the product, or reads it in another order.",
        "单独运行：后面的运算需要整个乘积，或以别的次序读取它。",
    ),
    "product+": (
        "Each tile of the product goes through the rest while it is in registers.",
        "乘积的每一小块还在寄存器里时，就接着完成其余运算。",
    ),
    "partial": (
        "The sums are long and the results few, so the sums are cut in parts that threads can share.",
        "求和很长而结果很少，所以把求和分段，让各线程分担。",
    ),
    "combine": (
        "The parts are added in a fixed order, so that any number of threads gives the same bits.",
        "各段按固定次序相加，所以线程数不影响结果的任何一位。",
    ),
    "combine+": (
        "The parts are added in a fixed order (the same bits for any number of threads), and each total goes through "
        "the rest while it is in registers.",
        "各段按固定次序相加（线程数不影响结果的任何一位），每个总和还在寄存器里时就接着完成其余运算。",
    ),
    "elements": (
        "Alone: no kernel that makes or reads the same elements could take it in.",
        "单独运行：没有别的内核能在产生或读取同样元素时顺带完成它。",
    ),
    "elements+": (
        "All of them go through the same elements, so one walk over memory does them all.",
        "它们经过同样的元素，所以对内存走一遍就全部完成。",
    ),
    "rows": ("A fold along rows of elements.", "沿元素的行归并。"),
    "rows+": (
        "Row by row: what is folded is computed on the way, and what needs the fold follows while the row is at hand.",
        "逐行进行：被归并的值边走边算，需要归并结果的运算趁这一行还在手边接着做。",
    ),
    "copy": (
        "The elements are needed in a place of their own, or side by side where no view gives that.",
        "这些元素需要自己的位置，或需要连续排放，而视图做不到。",
    ),
    "reduce": (
        "The sums run down columns while vectors run along rows, as the elements lie in memory.",
        "沿列求和而向量沿行走，与元素在内存中的次序一致。",
    ),
    "reduce+": (
        "The sums run down columns while vectors run along rows, and each finished sum goes through the rest at once.",
        "沿列求和而向量沿行走，每个和一完成就接着完成其余运算。",
    ),
    "gather": (
        "Alone: where it reads is known only when the indices are.",
        "单独运行：读哪里要等下标已知才知道。",
    ),
    "scatter": (
        "Alone: several rows may go to one place, so they are taken in order.",
        "单独运行：几行可能落到同一处，所以按次序进行。",
    ),
    "draw": (
        "Each number is a function of its key and place alone; they are stored, because forward and backward both read "
        "them.",
        "每个数只由密钥和位置决定；存下来是因为前向和反向都要读。",
    ),
    "sweep": (
        "Alone: each result needs the one before it along the axis.",
        "单独运行：沿轴的每个结果都需要前一个。",
    ),
    "place": (
        "Alone: where the best element stands is known only at the end of the axis.",
        "单独运行：最佳元素在哪里，要到轴的末尾才知道。",
    ),
    "pool": ("Alone: windows overlap and have an order of their own.", "单独运行：窗口会重叠，且自有次序。"),
    "pool+": (
        "What comes out of the windows goes through the rest while it is in registers.",
        "窗口的结果还在寄存器里时，就接着完成其余运算。",
    ),
    "alone": ("Alone.", "单独运行。"),
}
_WHY |= {f"{kind}{end}": _WHY[f"pool{end}"] for kind in ("unpool", "depthwise") for end in ("", "+")}


# -- Headings ------------------------------------------------------------------------------------------------------

_WORDS: dict[str, Pair] = {
    "lines": ("Your lines", "你的代码行"),
    "kernels": ("Kernels, in the order they run", "内核，按运行次序"),
    "together": ("Why together", "为何一起运行"),
    "memory_heading": ("Memory", "内存"),
    "machine": ("Machine", "机器"),
    "time": ("time", "时间"),
    "share": ("share", "占比"),
    "forward": ("forward", "前向"),
    "backward": ("backward", "反向"),
    "roof": ("of roof", "达屋顶"),
    "operations": ("operations", "运算"),
    "bytes": ("bytes", "字节"),
    "at_best": ("at best", "理想"),
    "between": ("starting, waiting for each other", "启动、互相等待"),
    "start": ("starting", "启动"),
    "busy": (
        "Some kernels are faster than that: other programs were running when it was measured. backlight cache clear "
        "has it measured again.",
        "有的内核比这还快：测量时有别的程序在运行。用 backlight cache clear 可重新测量。",
    ),
    "elsewhere": ("not from a line of yours", "不来自你的代码行"),
    "arithmetic": ("arithmetic", "运算"),
    "L1": ("first cache", "一级缓存"),
    "L2": ("caches", "缓存"),
    "memory": ("memory", "内存"),
    "legend": (
        "at best: the least time in which this machine could do a kernel's operations and move its bytes; of roof: "
        "that as a share of the time measured. ∂tanh → h belongs to the gradient that goes back through tanh, which "
        "gave h. A kernel's time is that of its slowest thread; where it serves several lines, they share it by "
        "operations. exp and other functions count as 10 operations.",
        "理想：这台机器完成该内核的运算并搬运其字节至少需要的时间；达屋顶：它占实测时间的比例。∂tanh → h 属于"
        "经过 tanh（得到 h）往回走的梯度。内核的时间取最慢的线程，服务于几行时由它们按运算数分摊。"
        "exp 等函数算作 10 次运算。",
    ),
    "legend_counts": (
        "Not measured: explain() without measure=False runs the plan and adds times. ∂tanh → h belongs to the gradient "
        "that goes back through tanh, which gave h. exp and other functions count as 10 operations.",
        "未测量：不带 measure=False 的 explain() 会运行计划并给出时间。∂tanh → h 属于经过 tanh（得到 h）往回走的梯度。"
        "exp 等函数算作 10 次运算。",
    ),
}
