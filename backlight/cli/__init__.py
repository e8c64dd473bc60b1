"""The command line: ``backlight demo``, ``plan``, ``coverage``, ``primitives``, ``cache``, and ``--version``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from io import TextIOWrapper

from backlight.cli import commands
from backlight.cli.parser import COMMANDS, parsers, say
from backlight.cli.plan import plan
from backlight.errors import BacklightError

__all__ = ["main"]


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
    top, known = parsers()
    if words and words[0] in known:
        parser = known[words[0]]
        own = words[1:]
        script = next((k for k, word in enumerate(own) if not word.startswith("-")), len(own))
        rest = own[script:] if words[0] == "plan" else []  # the script, and what belongs to it
        options, unknown = parser.parse_known_args(own[: len(own) - len(rest)])
        options.script = rest
        if unknown:
            parser.refuse_unknown(unknown)
        if getattr(options, "clear", None) not in (None, "clear"):
            parser.refuse_unknown([options.clear])
        return _guarded(_RUN[words[0]], options, parser.prog)
    if words and not words[0].startswith("-"):
        near = get_close_matches(words[0], COMMANDS, 1, 0.5)
        text = say(f"there is no command {words[0]!r}.", f"没有命令 {words[0]!r}。")
        top.error(text + (say(f" Did you mean {near[0]}?", f"是否想输入 {near[0]}？") if near else ""))
    options, unknown = top.parse_known_args(words)
    if unknown or options.command:
        top.refuse_unknown(unknown or [options.command])
    if options.version:
        from importlib.metadata import version

        sys.stdout.write(f"backlight {version('backlight')}\n")
        return 0
    top.print_help()
    return 0


_RUN = {
    "demo": commands.demo,
    "plan": plan,
    "coverage": commands.coverage,
    "primitives": commands.primitives,
    "cache": commands.cache,
}


def _guarded(command: Callable[[argparse.Namespace], int | None], options: argparse.Namespace, prog: str) -> int:
    try:
        return command(options) or 0
    except (BacklightError, OSError) as error:
        sys.stderr.write(f"{prog}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(say("\nStopped.\n", "\n已停止。\n"))
        return 130
