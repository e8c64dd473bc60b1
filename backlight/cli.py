"""The command line: ``backlight demo``, ``coverage``, ``primitives``, ``cache``, and ``backlight --version``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from backlight.errors import BacklightError, language

__all__ = ["main"]

COMMANDS = ("demo", "coverage", "primitives", "cache")
DATA = ("digits", "mnist")
LARGEST_SEED = 2**63 - 1
MOST_EPOCHS = 10_000
CACHE_ROWS = 15


def _say(english: str, chinese: str) -> str:
    return chinese if language() == "zh" else english


class _Formatter(argparse.HelpFormatter):
    """argparse's help with Backlight's words around it."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=26, **options)

    def add_usage(
        self, usage: str | None, actions: Iterable[argparse.Action], groups: Iterable[Any], prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, _say("Usage: ", "用法：") if prefix is None else prefix)


class _Parser(argparse.ArgumentParser):
    """argparse with errors in the reader's language that say what to type instead."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Formatter, add_help=False, allow_abbrev=False, **options)
        self.known: list[str] = ["--help"]
        self.options = self.add_argument_group(_say("Options", "选项"))
        self.options.add_argument("-h", "--help", action="help", help=_say("show this help", "显示本帮助"))

    def option(self, name: str, **settings: Any) -> None:
        """Add an option to the group that the help shows."""
        self.known.append(name)
        self.options.add_argument(name, **settings)

    def error(self, message: str) -> NoReturn:
        if language() == "zh":
            message = re.sub(r"^argument (.+?): ", r"选项 \1：", message)
            message = message.replace("expected one argument", "后面需要一个值")
            message = re.sub(r"ignored explicit argument (.+)", r"不接受值 \1", message)
        else:
            message = re.sub(r"^argument ", "", message)
        hint = _say(f"Try: {self.prog} --help", f"请试：{self.prog} --help")
        self.exit(2, f"{self.prog}: {message}\n{hint}\n")

    def refuse_unknown(self, unknown: Sequence[str]) -> NoReturn:
        """The error for arguments that mean nothing here, with the nearest option that does."""
        near = get_close_matches(unknown[0].partition("=")[0], self.known, 1, 0.5)
        text = _say(f"{unknown[0]!r} is not known here.", f"不认识 {unknown[0]!r}。")
        self.error(text + (_say(f" Did you mean {near[0]}?", f"是否想输入 {near[0]}？") if near else ""))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            expected = _say(f"a whole number from {low} to {high}", f"{low} 到 {high} 之间的整数")
            raise argparse.ArgumentTypeError(
                _say(f"expected {expected}, came {text!r}.", f"应为 {expected}，实为 {text!r}。")
            )
        return value

    return read


def _data(text: str) -> str:
    if text not in DATA:
        expected = _say(" or ", " 或 ").join(DATA)
        raise argparse.ArgumentTypeError(
            _say(f"expected {expected}, came {text!r}.", f"应为 {expected}，实为 {text!r}。")
        )
    return text


def _parser() -> tuple[_Parser, dict[str, _Parser]]:
    """The parser of the first word, and one for each command."""
    top = _Parser(
        prog="backlight",
        usage="backlight COMMAND [OPTIONS]",
        description=_say(
            "Backpropagation you can see, trust and run fast: plain NumPy in, every gradient out.",
            "看得见、信得过、跑得快的反向传播：输入普通 NumPy 代码，输出每一个梯度。",
        ),
        epilog=_say(
            "Set BACKLIGHT_LANG=zh for Chinese, BACKLIGHT_LANG=en for English.",
            "设置 BACKLIGHT_LANG=en 使用英文，BACKLIGHT_LANG=zh 使用中文。",
        ),
    )
    top.option("--version", action="store_true", help=_say("print the version", "显示版本号"))
    top.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    listing = top.add_argument_group(_say("Commands", "命令"))
    demo_help = _say(
        "train a network on handwritten digits, explain one gradient, write a page about it",
        "在手写数字上训练网络，解释一个梯度，并写出网页",
    )
    coverage_help = _say(
        "list every NumPy function: differentiable, constant or not supported",
        "列出每个 NumPy 函数：可求导、常数或不支持",
    )
    listing.add_argument("demo", nargs="?", help=demo_help)
    listing.add_argument("coverage", nargs="?", help=coverage_help)
    listing.add_argument(
        "primitives", nargs="?", help=_say("list every primitive with its rule", "列出每个基本映射及其规则")
    )
    listing.add_argument(
        "cache",
        nargs="?",
        help=_say("show or clear the compiled programs kept on disk", "查看或清除磁盘上保存的已编译程序"),
    )

    demo = _Parser(
        prog="backlight demo",
        usage="backlight demo [OPTIONS]",
        description=_say(
            "Trains a network with 32 sigmoid units on handwritten digits, prints how well it reads images it has "
            "never seen, then takes one more training step apart: every edge of the backward pass, and one "
            "weight's gradient derived number by number. Last it writes a web page that shows the same graph and "
            "needs no network.",
            "用手写数字训练一个含 32 个 sigmoid 单元的网络，打印它识别未见过图像的准确率，"
            "然后拆解再走一步的训练：反向传播的每条边，以及一个权重的梯度逐数推导。"
            "最后写出一个无需联网的网页，展示同一张计算图。",
        ),
    )
    demo.option(
        "--data", type=_data, default="digits", metavar="NAME",
        help=_say(
            "digits (in the package, the default) or mnist (read from $BACKLIGHT_DATA/mnist)",
            "digits（随包附带，默认）或 mnist（从 $BACKLIGHT_DATA/mnist 读取）",
        ),
    )  # fmt: skip
    demo.option(
        "--seed", type=_whole(0, LARGEST_SEED), default=0, metavar="N",
        help=_say(
            "what the split, the first weights and the order are drawn from (0)",
            "决定数据划分、初始权重与顺序的种子（0）",
        ),
    )  # fmt: skip
    demo.option(
        "--epochs", type=_whole(1, MOST_EPOCHS), metavar="N",
        help=_say("how often every image is seen (digits 60, mnist 5)", "每幅图像看几遍（digits 60，mnist 5）"),
    )  # fmt: skip
    demo.option(
        "--out", type=Path, default=Path("backlight-demo.html"), metavar="FILE",
        help=_say("where to write the page (backlight-demo.html)", "网页写到哪里（backlight-demo.html）"),
    )  # fmt: skip
    demo.option("--no-page", action="store_true", help=_say("write no page", "不写网页"))

    coverage = _Parser(
        prog="backlight coverage",
        usage="backlight coverage [OPTIONS]",
        description=_say(
            "Lists every function of NumPy's public namespace: differentiable, constant by nature, or not supported "
            "and why.",
            "列出 NumPy 公共命名空间中的每个函数：可求导、本质上是常数，或不支持及其原因。",
        ),
    )
    coverage.option(
        "--markdown",
        action="store_true",
        help=_say("as Markdown, as in docs/coverage.md", "输出 Markdown（即 docs/coverage.md）"),
    )
    primitives = _Parser(
        prog="backlight primitives",
        usage="backlight primitives [OPTIONS]",
        description=_say(
            "Lists every primitive: its rule, printed from what the rule records when it runs, why it is so, and the "
            "derivative used at kinks and ties.",
            "列出每个基本映射：规则（由规则运行时的记录打印而成）、直觉，以及在尖点与并列处所用的导数。",
        ),
    )
    primitives.option(
        "--markdown",
        action="store_true",
        help=_say("as Markdown, as in docs/primitives.md", "输出 Markdown（即 docs/primitives.md）"),
    )
    cache = _Parser(
        prog="backlight cache",
        usage="backlight cache [clear]",
        description=_say(
            "Shows where compiled programs are kept between runs, how much room they take, and the newest of them. "
            "BACKLIGHT_CACHE names another folder, or is off; BACKLIGHT_CACHE_LIMIT is the most room they may take.",
            "显示已编译程序保存在哪里、占用多少空间，以及其中最新的几个。"
            "BACKLIGHT_CACHE 指定另一个文件夹，或设为 off 关闭；BACKLIGHT_CACHE_LIMIT 是最多可占的空间。",
        ),
    )
    cache.known.append("clear")
    actions = cache.add_argument_group(_say("Actions", "操作"))
    actions.add_argument("clear", nargs="?", help=_say("remove every compiled program", "删除所有已编译程序"))
    return top, {"demo": demo, "coverage": coverage, "primitives": primitives, "cache": cache}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for an error while running, 2 for one in what was typed.

    >>> main(["coverage", "--markdown"])
    # What of NumPy is covered
    ...
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ∂ or 中文 shows ? instead
    words = list(sys.argv[1:] if arguments is None else arguments)
    top, parsers = _parser()
    if words and words[0] in parsers:
        parser = parsers[words[0]]
        options, unknown = parser.parse_known_args(words[1:])
        if unknown:
            parser.refuse_unknown(unknown)
        if getattr(options, "clear", None) not in (None, "clear"):
            parser.refuse_unknown([options.clear])
        commands = {"demo": _demo, "coverage": _coverage, "primitives": _primitives, "cache": _cache}
        return _guarded(commands[words[0]], options, parser.prog)
    if words and not words[0].startswith("-"):
        near = get_close_matches(words[0], COMMANDS, 1, 0.5)
        text = _say(f"there is no command {words[0]!r}.", f"没有命令 {words[0]!r}。")
        top.error(text + (_say(f" Did you mean {near[0]}?", f"是否想输入 {near[0]}？") if near else ""))
    options, unknown = top.parse_known_args(words)
    if unknown or options.command:
        top.refuse_unknown(unknown or [options.command])
    if options.version:
        from importlib.metadata import version

        sys.stdout.write(f"backlight {version('backlight')}\n")
        return 0
    top.print_help()
    return 0


def _guarded(command: Callable[[argparse.Namespace], None], options: argparse.Namespace, prog: str) -> int:
    try:
        command(options)
    except (BacklightError, OSError) as error:
        sys.stderr.write(f"{prog}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(_say("\nStopped.\n", "\n已停止。\n"))
        return 130
    return 0


def _demo(options: argparse.Namespace) -> None:
    from rich.console import Console

    from backlight.demo.run import run

    out: Path | None = None if options.no_page else options.out
    if out is not None:
        _check_writable(out)
    run(Console(), options.data, options.seed, options.epochs, out)


def _check_writable(out: Path) -> None:
    """Say now, not after the training, that the page cannot be written."""
    if not out.parent.is_dir():
        raise FileNotFoundError(_say(f"the folder {out.parent} does not exist.", f"文件夹 {out.parent} 不存在。"))
    try:
        if out.is_dir():
            text = _say(f"{out} is a folder; give --out a file name.", f"{out} 是文件夹；请给 --out 一个文件名。")
            raise IsADirectoryError(text)
        new = not out.exists()
        out.open("ab").close()
    except OSError as error:
        reason = error.strerror
        if reason is None:
            raise
        raise OSError(_say(f"{out} cannot be written: {reason}.", f"无法写入 {out}：{reason}。")) from None
    if new:
        out.unlink()


def _coverage(options: argparse.Namespace) -> None:
    from backlight.numpy_api.coverage import coverage_markdown, rich_table

    if options.markdown:
        sys.stdout.write(coverage_markdown())
        return
    from rich.console import Console

    Console().print(rich_table())


def _primitives(options: argparse.Namespace) -> None:
    from backlight.explain.primitives import primitives_markdown, rich_table

    if options.markdown:
        sys.stdout.write(primitives_markdown())
        return
    from rich.console import Console

    Console().print(rich_table())


def _cache(options: argparse.Namespace) -> None:
    from backlight.compiler import cache

    folder = cache.directory()
    if folder is None:
        sys.stdout.write(_say("The cache is off (BACKLIGHT_CACHE).\n", "缓存已关闭（BACKLIGHT_CACHE）。\n"))
        return
    if options.clear:
        count = cache.clear()
        sys.stdout.write(
            _say(f"Removed {count} compiled programs from {folder}\n", f"已从 {folder} 删除 {count} 个已编译程序\n")
        )
        return
    entries = cache.entries()
    total, most = _amount(sum(entry.size for entry in entries)), _amount(cache.limit())
    sys.stdout.write(_say(f"Folder: {folder}\n", f"文件夹：{folder}\n"))
    sys.stdout.write(
        _say(f"Programs: {len(entries)}, {total} of {most}\n", f"程序：{len(entries)} 个，{total}，上限 {most}\n")
    )
    if not cache.usable():
        warning = _say(
            "Not used: the folder belongs to someone else, or others may write to it.",
            "未使用：该文件夹属于他人，或他人可以写入。",
        )
        sys.stdout.write(warning + "\n")
    elif entries:
        _list_cache(entries[:CACHE_ROWS])


def _list_cache(entries: Sequence[Any]) -> None:
    """The programs of the cache as a table."""
    import time

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(_say("Program", "程序"), overflow="fold")
    table.add_column(_say("Size", "大小"), justify="right")
    table.add_column(_say("Last used", "上次使用"), justify="right")
    now = time.time()
    for entry in entries:
        table.add_row(Text(entry.name or entry.key[:12]), _amount(entry.size), _age(now - entry.used))
    console = Console()
    console.print()
    console.print(table)


def _amount(size: int) -> str:
    """Bytes in the unit that reads best."""
    if size < 1 << 10:
        return f"{size} B"
    return next(
        f"{size / (1 << bits):.1f} {unit}"
        for bits, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB"))
        if size >= 1 << bits
    )


def _age(seconds: float) -> str:
    """How long ago something was."""
    for length, english, chinese in ((86400, "d", "天"), (3600, "h", "小时"), (60, "min", "分钟")):
        if seconds >= length:
            return _say(f"{seconds / length:.0f} {english} ago", f"{seconds / length:.0f} {chinese}前")
    return _say("just now", "刚刚")
