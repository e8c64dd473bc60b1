"""The commands that show what the package has: ``demo``, ``coverage``, ``primitives`` and ``cache``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backlight.cli.parser import say

__all__ = ["cache", "coverage", "demo", "primitives"]

CACHE_ROWS = 15


def demo(options: argparse.Namespace) -> None:
    """Train, explain one step, write the page."""
    from rich.console import Console

    from backlight.demo.run import run

    out: Path | None = None if options.no_page else options.out
    if out is not None:
        _check_writable(out)
    run(Console(), options.data, options.seed, options.epochs, out)


def _check_writable(out: Path) -> None:
    """Say now, not after the training, that the page cannot be written."""
    if not out.parent.is_dir():
        raise FileNotFoundError(say(f"the folder {out.parent} does not exist.", f"文件夹 {out.parent} 不存在。"))
    try:
        if out.is_dir():
            text = say(f"{out} is a folder; give --out a file name.", f"{out} 是文件夹；请给 --out 一个文件名。")
            raise IsADirectoryError(text)
        new = not out.exists()
        out.open("ab").close()
    except OSError as error:
        reason = error.strerror
        if reason is None:
            raise
        raise OSError(say(f"{out} cannot be written: {reason}.", f"无法写入 {out}：{reason}。")) from None
    if new:
        out.unlink()


def coverage(options: argparse.Namespace) -> None:
    """What of NumPy is covered, as a table or as Markdown."""
    from backlight.numpy_api.coverage import coverage_markdown, rich_table

    if options.markdown:
        sys.stdout.write(coverage_markdown())
        return
    from rich.console import Console

    Console().print(rich_table())


def primitives(options: argparse.Namespace) -> None:
    """Every primitive with its rule, as a table or as Markdown."""
    from backlight.explain.primitives import primitives_markdown, rich_table

    if options.markdown:
        sys.stdout.write(primitives_markdown())
        return
    from rich.console import Console

    Console().print(rich_table())


def cache(options: argparse.Namespace) -> None:
    """The compiled programs on the disk: list them, or remove them."""
    from backlight.compiler import cache as programs

    folder = programs.directory()
    if folder is None:
        sys.stdout.write(say("The cache is off (BACKLIGHT_CACHE).\n", "缓存已关闭（BACKLIGHT_CACHE）。\n"))
        return
    if options.clear:
        count = programs.clear()
        sys.stdout.write(
            say(f"Removed {count} compiled programs from {folder}\n", f"已从 {folder} 删除 {count} 个已编译程序\n")
        )
        return
    entries = programs.entries()
    total, most = _amount(sum(entry.size for entry in entries)), _amount(programs.limit())
    sys.stdout.write(say(f"Folder: {folder}\n", f"文件夹：{folder}\n"))
    sys.stdout.write(
        say(f"Programs: {len(entries)}, {total} of {most}\n", f"程序：{len(entries)} 个，{total}，上限 {most}\n")
    )
    if not programs.usable():
        warning = say(
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
    table.add_column(say("Program", "程序"), overflow="fold")
    table.add_column(say("Size", "大小"), justify="right")
    table.add_column(say("Last used", "上次使用"), justify="right")
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
            return say(f"{seconds / length:.0f} {english} ago", f"{seconds / length:.0f} {chinese}前")
    return say("just now", "刚刚")
