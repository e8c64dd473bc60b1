"""The faces of a plan's report: lines of text for terminals of any width, with colour or without, and plain data.

Numbers come first in every line and in columns, so that the eye finds the long bars; the words that belong to them
follow, and below a kernel the user's lines that it computes. On narrow terminals columns are left out, on very narrow
ones only times and shares remain.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from os.path import basename
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple

from backlight.compiler.report import KernelRow, LineRow, Mapping, PlanReport
from backlight.compiler.report_texts import amount, count, duration, say, words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

__all__ = ["Face", "data", "plain"]

Part = str | tuple[str, str]  # text, or text with a style

WIDTH = 100  # columns where there is no terminal
WIDEST = 160
BAR = 10
ROOM, PART = 36, 0.45  # columns that the words behind the numbers need: so many, or this part of all of them
MOST_LINES = 12
MOST_KERNELS = 32  # of more, those that take longest are shown
# What may not be broken: a word with the space behind it, or one Chinese letter with the punctuation behind it.
_PIECES = re.compile(r"[\u2e80-\uffff][，。；：、）]*\s*|[^\s\u2e80-\uffff]+[，。；：、）]*\s*|\s+")
GOOD, FAIR = 0.5, 0.2  # shares of the roofline
ABOVE = 1.1  # a share that says that the roofline itself was measured too low


# -- Data ----------------------------------------------------------------------------------------------------------


def data(report: PlanReport) -> dict[str, Any]:
    """The report in plain dictionaries, lists, numbers and strings."""
    own = report._asdict()
    own["memory"] = report.memory._asdict()
    own["peak"] = None if report.peak is None else report.peak._asdict()
    own["written"] = [_mapping(mapping) for mapping in report.written]
    own["kernels"] = [
        {
            **row._asdict(),
            "facts": [list(fact) if isinstance(fact, tuple) else fact for fact in row.facts],
            "mappings": [_mapping(mapping) for mapping in row.mappings],
            "bytes": row.bytes,
            "roofline": row.roofline,
            "what": row.what,
            "why": row.why,
        }
        for row in report.kernels
    ]
    own["lines"] = [{**line._asdict(), "seconds": line.seconds, "text": _code(line)} for line in report.lines]
    return own | {"operations": report.operations, "bytes": report.bytes, "at_best": report.at_best}


def _mapping(mapping: Mapping) -> dict[str, Any]:
    return {**mapping._asdict(), "backward": mapping.is_backward}


# -- Text ----------------------------------------------------------------------------------------------------------


def plain(report: PlanReport, width: int | None = None) -> str:
    """The report as text without colour; ``width`` is the terminal's, or 100 columns, if it is not given."""
    from rich.console import Console

    width = width or min(get_terminal_size((WIDTH, 24)).columns, WIDEST)
    out = StringIO()
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(Face(report))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


class Face:
    """What rich prints: ``Console().print(Face(report))``, or the report itself."""

    def __init__(self, report: PlanReport) -> None:
        self.report = report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = min(options.max_width, WIDEST)
        report = self.report
        yield from _head(report, width)
        if report.kernels or report.written:
            yield _text("")
            yield from _lines(report, width)
        if report.kernels:
            yield _text("")
            yield from _kernels(report, width)
        yield _text("")
        yield from _memory(report, width)
        yield from _legend(report, width)


def _text(*parts: Part) -> Text:
    from rich.text import Text

    return Text.assemble(*parts)


def _paragraph(text: str, width: int, indent: int = 0, style: str = "", lead: str = "") -> Iterator[Text]:
    """``text`` in lines of at most ``width`` columns, all indented; ``lead`` stands bold before it."""
    from rich.cells import cell_len

    room = max(8, width - indent)
    lines = [""]
    for piece in _PIECES.findall(lead + text):
        if cell_len((lines[-1] + piece).rstrip()) > room and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
            piece = piece.lstrip()
        lines[-1] += piece
    bold = len(lead)
    for line in lines:
        yield _text(" " * indent, (line[:bold], "bold"), (line[bold:], style))
        bold = max(0, bold - len(line) - 1)


def _cell(text: str, width: int, right: bool = True) -> str:
    from rich.cells import cell_len

    room = " " * max(0, width - cell_len(text))
    return room + text if right else text + room


def _share(part: float | None, whole: float | None) -> str:
    if part is None or not whole:
        return ""
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return "<0.1%"
    return f"{percent:.0f}%" if percent >= 9.5 or percent == 0 else f"{percent:.1f}%"


def _bar(part: float | None, longest: float) -> str:
    if part is None or not longest:
        return ""
    eighths = round(8 * BAR * min(1.0, part / longest))
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def _place(where: LineRow | Mapping) -> str:
    return f"{basename(where.file)}:{where.line}" if where.line else ""


def _code(line: LineRow) -> str:
    return linecache.getline(line.file, line.line).strip() if line.line else ""


# -- Head ----------------------------------------------------------------------------------------------------------


def _head(report: PlanReport, width: int) -> Iterator[Text]:
    """What it is, how long it takes, and where to look first."""
    threads = say(f"{report.threads} thread{'s' * (report.threads > 1)}", f"{report.threads} 个线程")
    kernels = len(report.kernels)
    if report.instructions is not None:
        said = say(
            f": {report.mappings} mappings written out as about {report.instructions} scalar instructions, {threads}; "
            "values live in registers, and there are no kernels",
            f"：{report.mappings} 个映射直接写成约 {report.instructions} 条标量指令，{threads}；"
            "值都在寄存器里，没有内核",
        )
    else:
        said = say(
            f": {report.mappings} mappings in {kernels} kernel{'s' * (kernels != 1)}, {threads}",
            f"：{report.mappings} 个映射合成 {kernels} 个内核，{threads}",
        )
    yield from _paragraph(said, width, lead=report.function or say("plan", "计划"))
    run = ""
    if report.seconds is not None:
        run = say(f"{duration(report.seconds)} a run", f"每次运行 {duration(report.seconds)}")
        if report.steps > 1:
            each = duration(report.seconds / report.steps)
            run += say(f", {report.steps} steps of {each}", f"，{report.steps} 步，每步 {each}")
    work = say(
        f"{count(report.operations)} operations, {amount(report.bytes)} read and written",
        f"{count(report.operations)} 次运算，读写 {amount(report.bytes)}",
    )
    joint = say(": ", "：") if run and kernels else ""
    if run or kernels:
        yield from _paragraph(joint + work if kernels else "", width, lead=run)
    took = duration(report.made)
    made = say(f"compiled in {took}", f"编译用时 {took}")
    if report.from_disk:
        made = say(f"compiled before: taken from the disk cache in {took}", f"先前已编译：从磁盘缓存取得，用时 {took}")
    yield from _paragraph(made, width)
    yield from _verdict(report, width)


def _verdict(report: PlanReport, width: int) -> Iterator[Text]:
    """Where to look first."""
    if not report.kernels or not report.spent:
        return
    slowest = max(report.kernels, key=lambda row: row.seconds or 0.0)
    places = "".join(f", {place}" for place in dict.fromkeys(_place(m) for m in slowest.mappings if m.line))
    share, reached = _share(slowest.seconds, report.spent), _share(slowest.at_best, slowest.seconds)
    said = say(f"Longest: {slowest.name}, {share}: ", f"最久：{slowest.name}，{share}：") + slowest.what + places
    said += say(f"; {reached} of the roofline", f"；达到屋顶线的 {reached}") if reached else ""
    yield from _paragraph(said, width)
    if report.between and report.between > 0.3 * report.spent:
        idle, more = _share(report.between, report.spent), report.threads > 1
        advice = say(
            f"{idle} of the time is spent between kernels" + more * "; compile(..., threads=1) may be faster",
            f"{idle} 的时间在内核之间" + more * "；compile(..., threads=1) 或许更快",
        )
        yield from _paragraph(advice, width, style="yellow")


# -- Columns -------------------------------------------------------------------------------------------------------


class _Column(NamedTuple):
    key: str
    width: int
    style: str = ""
    right: bool = True


class _Grid:
    """Lines that begin with a name and numbers in columns and end with words, cut where the terminal ends.

    Columns that would leave the words too little room are left out; times are the last to go, or counts without them.
    """

    def __init__(self, lead: int, width: int, columns: Sequence[_Column]) -> None:
        self.lead, self.width = lead, width
        self.columns: list[_Column] = []
        room = width - lead - 2 - min(ROOM, int(PART * width))
        timed = any(column.key == "time" for column in columns)
        for column in sorted(columns, key=lambda column: (_RANKS if timed else _RANKS[::-1]).index(column.key)):
            if column.width <= room:
                room -= column.width
                self.columns.append(column)
        if "backward" not in self:
            self.columns = [column for column in self.columns if column.key != "forward"]
        self.columns.sort(key=columns.index)

    def __contains__(self, key: str) -> bool:
        return any(column.key == key for column in self.columns)

    def head(self) -> Text:
        cells = [_cell(words(column.key) if column.key != "bar" else "", column.width) for column in self.columns]
        return _text(" " * self.lead, ("".join(cells), "dim"))

    def row(self, lead: Part, cells: dict[str, Part], *said: Part) -> Text:
        """One line; a cell is text, or text with a style of its own."""
        parts: list[Part] = [_padded(lead, self.lead, right=False)]
        for column in self.columns:
            cell = cells.get(column.key, "")
            cell = (cell, column.style) if isinstance(cell, str) else cell
            parts.append(_padded(cell, column.width, column.right))
        text = _text(*parts, "  ", *said)
        text.no_wrap = True
        text.truncate(self.width, overflow="ellipsis")
        return text


_RANKS = ("time", "share", "roof", "bar", "at_best", "bytes", "forward", "backward", "operations")
_TIME, _SHARE = _Column("time", 10, "bold"), _Column("share", 7)
_BAR = _Column("bar", BAR + 2, "cyan", right=False)


def _padded(part: Part, width: int, right: bool = True) -> Part:
    if isinstance(part, str):
        return _cell(part, width, right)
    return _cell(part[0], width, right), part[1]


# -- Lines ---------------------------------------------------------------------------------------------------------


def _lines(report: PlanReport, width: int) -> Iterator[Text]:
    """The user's lines, the dearest first."""
    lines, measured = report.lines, report.spent is not None
    whole = report.spent if measured else float(sum(line.operations for line in lines))
    columns = [_SHARE, _BAR]
    if measured:
        columns = [_TIME, *columns, _Column("forward", 10, "dim"), _Column("backward", 10, "dim")]
    else:
        columns = [_Column("operations", 12, "bold"), *columns]
    places = [_place(line) or "–" for line in lines]
    parts = [(line.seconds if measured else float(line.operations)) or 0.0 for line in lines]
    grid = _Grid(max(map(len, places), default=0), width, columns)
    yield _text((words("lines"), "bold"))
    yield grid.head()

    def row(lead: str, part: float, said: Part, line: LineRow | None = None) -> Text:
        cells: dict[str, Part] = {
            "time": duration(part),
            "operations": count(int(part)),
            "share": _share(part, whole),
            "bar": "  " + _bar(part, max(*parts, report.between or 0.0)),
        }
        if line is not None:
            cells |= {"forward": duration(line.forward or None), "backward": duration(line.backward or None)}
        return grid.row((lead, "cyan"), cells, said)

    for line, place, part in list(zip(lines, places, parts, strict=True))[:MOST_LINES]:
        yield row(place, part, _code(line) if line.line else (words("elsewhere"), "dim"), line)
    if lines[MOST_LINES:]:
        rest = len(lines) - MOST_LINES
        yield row("…", sum(parts[MOST_LINES:]), (say(f"{rest} more lines", f"另有 {rest} 行"), "dim"))
    if report.between:
        met = report.barriers
        said = say(f" ({met} time{'s' * (met != 1)})", f"（{met} 次）") if report.threads > 1 else ""
        yield row("–", report.between, (words("between" if report.threads > 1 else "start") + said, "dim"))


# -- Kernels -------------------------------------------------------------------------------------------------------


def _kernels(report: PlanReport, width: int) -> Iterator[Text]:
    """Every kernel: its numbers, what it computes and the lines it comes from; then why they run together."""
    measured = report.spent is not None
    columns = [_Column("operations", 12), _Column("bytes", 11)]
    if measured:
        columns = [_TIME, _SHARE, _BAR, _Column("at_best", 10, "dim"), _Column("roof", 9), *columns]
    rows = report.kernels
    grid = _Grid(max(len(row.name) for row in rows), width, columns)
    yield _text((words("kernels"), "bold"))
    yield grid.head()
    dearest = sorted(range(len(rows)), key=lambda k: (-(rows[k].seconds or 0.0), -rows[k].operations, k))
    shown = set(dearest[:MOST_KERNELS])
    left_out: list[KernelRow] = []
    calls = 1
    for k, row in enumerate(rows):
        if k not in shown:
            left_out.append(row)
            continue
        if left_out:
            yield _left_out(left_out, report)
            left_out = []
        if row.calls != calls:
            calls = row.calls
            yield _text((_loop(calls), "bold dim"))
        yield _numbers(grid, row, report)
        yield from _details(row, grid)
    if left_out:
        yield _left_out(left_out, report)
    yield _text("")
    yield _text((words("together"), "bold"))
    reasons: dict[str, list[str]] = {}
    for row in rows:
        names = reasons.setdefault(row.reason, [])
        names += [row.name] if row.name not in names else []
    for reason, names in reasons.items():
        yield from _paragraph(say(": ", "：") + reason, width, 2, lead=" ".join(names))


def _loop(calls: int) -> str:
    if calls == 1:
        return say("after the loop", "循环之后")
    if not calls:
        return say("in a loop, as long as its condition holds", "循环内，条件成立时反复运行")
    return say(f"in a loop, {calls} times; the numbers are those of one", f"循环内，共 {calls} 次；数字为一次的")


def _left_out(rows: Sequence[KernelRow], report: PlanReport) -> Text:
    part = _share(sum(row.seconds or 0.0 for row in rows), report.spent)
    said = say(f"… {len(rows)} more kernels", f"… 另有 {len(rows)} 个内核")
    return _text((said + (say(f", {part} of the time", f"，占时间 {part}") if part else ""), "dim"))


def _numbers(grid: _Grid, row: KernelRow, report: PlanReport) -> Text:
    style = ""
    if row.roofline is not None and row.seconds and report.spent and row.seconds > 0.03 * report.spent:
        style = "green" if row.roofline >= GOOD else "yellow" if row.roofline >= FAIR else "red"
    cells: dict[str, Part] = {
        "time": duration(None if row.seconds is None else row.seconds / row.times),
        "share": _share(row.seconds, report.spent),
        "bar": "  " + _bar(row.seconds, max(each.seconds or 0.0 for each in report.kernels)),
        "at_best": duration(None if row.at_best is None else row.at_best / row.times),
        "roof": (_share(row.at_best, row.seconds), style),
        "operations": count(row.operations),
        "bytes": amount(row.bytes),
    }
    return grid.row((row.name, "bold"), cells, (row.what, "bold"))


def _details(row: KernelRow, grid: _Grid) -> Iterator[Text]:
    """The user's lines with what was fused of each, and what the columns had no room for."""
    places = {mapping: _place(mapping) or "–" for mapping in row.mappings}
    wide = max(map(len, places.values()), default=0)
    groups: dict[str, list[str]] = {}
    for mapping in row.mappings:
        found = groups.setdefault(places[mapping], [])
        text = _operation(mapping)
        if text not in found:
            found.append(text)
    indent = grid.lead + 2
    for place, operations in groups.items():
        if place == "–" and operations == ["copy"]:
            continue
        lead = " " * indent + _cell(place, wide, right=False)
        for line in _paragraph(", ".join(operations), grid.width, indent + wide + 2):
            yield _text((lead, "cyan"), line.plain[indent + wide :])
            lead = " " * len(lead)
    facts = []
    if "operations" not in grid:
        facts += [say(f"{count(row.operations)} operations", f"{count(row.operations)} 次运算")] * bool(row.operations)
    if "bytes" not in grid:
        facts.append(say(f"{amount(row.bytes)} moved", f"搬运 {amount(row.bytes)}"))
    if row.limit and "at_best" not in grid:
        best = duration((row.at_best or 0.0) / row.times)
        facts.append(say(f"at best {best}", f"理想 {best}"))
    if row.limit:
        facts.append(say(f"limit: {words(row.limit)}", f"上限：{words(row.limit)}"))
    if row.kept:
        facts.append(say(f"{amount(row.kept)} stay in registers", f"{amount(row.kept)} 留在寄存器里"))
    if row.threads == 1 and row.of_threads > 1:
        facts.append(say("one thread", "单线程"))
    for each in _packed(facts, grid.width - grid.lead - 2):
        yield _text(" " * (grid.lead + 2), (each, "dim"))


def _packed(facts: Sequence[str], width: int) -> Iterator[str]:
    """Lines with as many whole facts as fit."""
    from rich.cells import cell_len

    line = ""
    for fact in facts:
        longer = f"{line} · {fact}" if line else fact
        if line and cell_len(longer) > width:
            yield line
            longer = fact
        line = longer
    if line:
        yield line


def _operation(mapping: Mapping) -> str:
    """``tanh → h``, or ``∂tanh → h`` for what belongs to the gradient that goes back through it."""
    name = f" → {mapping.name}" if mapping.name else ""
    return f"∂{mapping.of}{name}" if mapping.is_backward else f"{mapping.operation}{name}"


# -- Foot ----------------------------------------------------------------------------------------------------------


def _memory(report: PlanReport, width: int) -> Iterator[Text]:
    memory = report.memory
    yield _text((words("memory_heading"), "bold"))
    if report.kernels:
        arena = say(
            f"arena: {amount(memory.arena)} at its peak for all values between kernels",
            f"内存池峰值 {amount(memory.arena)}，存放内核之间的所有值",
        )
        if memory.unshared > memory.arena:
            apart = amount(memory.unshared)
            arena += say(f"; {apart} if none shared a place", f"；若各占其位需 {apart}")
        yield from _paragraph(arena, width, 2)
    parts = [
        (say("inputs", "输入"), memory.inputs), (say("outputs", "输出"), memory.outputs),
        (say("constants", "常数"), memory.constants), (say("work area of a thread", "每线程工作区"), memory.work_area),
        (say("machine code", "机器码"), memory.code),
    ]  # fmt: skip
    for each in _packed([f"{name} {amount(size)}" for name, size in parts if size], width - 2):
        yield _text("  " + each)
    if report.views or report.copies:
        said = say(
            f"transposes, reshapes, broadcasts, slices: {report.views} only read through; copies: {report.copies}",
            f"转置、变形、广播、切片：{report.views} 个只是换一种读法；复制：{report.copies} 个",
        )
        yield from _paragraph(said, width, 2)


def _legend(report: PlanReport, width: int) -> Iterator[Text]:
    """What the machine can do, and how to read the columns."""
    if report.peak is not None:
        found = report.peak
        yield _text((words("machine"), "bold"))
        paces = (found.bytes_per_second, found.l2_bytes_per_second, found.l1_bytes_per_second)
        memory, second, first = (f"{count(int(pace))}B/s" for pace in paces)
        arithmetic = f"{count(int(found.flops_per_second))}flop/s"
        said = say(
            f"measured with {report.threads} thread{'s' * (report.threads > 1)}: {arithmetic}; memory {memory}, "
            f"second cache {second}, first cache {first}",
            f"以 {report.threads} 个线程实测：{arithmetic}；内存 {memory}，二级缓存 {second}，一级缓存 {first}",
        )
        yield from _paragraph(said, width, 2)
        if any((row.roofline or 0.0) > ABOVE for row in report.kernels):
            yield from _paragraph(words("busy"), width, 2, "yellow")
    if report.kernels:
        yield _text("")
        yield from _paragraph(words("legend" if report.spent is not None else "legend_counts"), width, style="dim")
