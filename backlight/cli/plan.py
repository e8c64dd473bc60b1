"""``backlight plan``: run a script, and show what its compiled functions and epochs became."""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backlight.cli.parser import say
from backlight.errors import ArgumentError, message

if TYPE_CHECKING:
    from backlight.compiler.native import Native

__all__ = ["plan"]


def plan(options: argparse.Namespace) -> int:
    """Show the plans of a script, or that of the demo's training step; returns the exit status."""
    from backlight.compiler.report import traced_name

    with _watching() as plans:
        if options.script:
            path, function = _target(options.script[0])
            data = options.json or options.llvm or options.assembly
            with redirect_stdout(sys.stderr) if data else nullcontext():
                status = _run(path, options.script[1:])
        else:
            path, function, status = "backlight plan", "", 0
            _example()
    if not plans and status:
        return status
    named = [each for each in plans if not function or traced_name(each) == function]
    if not named:
        names = ", ".join(dict.fromkeys(map(traced_name, plans)))
        key = "plan_none" if plans else "plan_nothing"
        raise ArgumentError(message(key, script=path, function=function, names=names))
    _show(named, options)
    return status


def _target(word: str) -> tuple[str, str]:
    """The script and the function that ``script.py:step`` names."""
    path, colon, function = word.rpartition(":")
    if not (colon and function.isidentifier() and path) or Path(word).is_file():
        path, function = word, ""
    if Path(path).is_dir():
        text = say(f"{path} is a folder; give a Python script.", f"{path} 是文件夹；请给出 Python 脚本。")
        raise IsADirectoryError(text)
    if not Path(path).is_file():
        raise FileNotFoundError(say(f"there is no script {path}.", f"没有脚本 {path}。"))
    return path, function


@contextmanager
def _watching() -> Iterator[list[Native]]:
    """Every plan that is made meanwhile, in order."""
    from backlight.compiler.native import WATCHERS

    plans: list[Native] = []
    WATCHERS.append(plans.append)
    try:
        yield plans
    finally:
        WATCHERS.remove(plans.append)


def _run(path: str, arguments: list[str]) -> int:
    """Run a script as ``python`` would; an error in it is shown, and what was compiled before it is still there."""
    before = sys.argv, sys.path[:]
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).absolute().parent))
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as stop:
        if isinstance(stop.code, str):
            sys.stderr.write(stop.code + "\n")
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        sys.stderr.write(say("\nStopped; what was compiled until then:\n", "\n已停止；到此为止编译的有：\n"))
        return 130
    except Exception as error:
        _show_error(error, path)
        return 1
    finally:
        sys.argv, sys.path[:] = before
    return 0


def _show_error(error: Exception, path: str) -> None:
    """The traceback, from the script's own lines on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != path:
        trace = trace.tb_next
    sys.stderr.write("".join(traceback.format_exception(type(error), error, trace)))


def _show(plans: list[Native], options: argparse.Namespace) -> None:
    measure = not options.no_time
    if options.json:
        reports = [each.explain(measure=measure).data() for each in plans]
        json.dump(reports, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    for number, each in enumerate(plans):
        if options.llvm or options.assembly:
            sys.stdout.write(each.llvm() if options.llvm else each.assembly())
            continue
        if number:
            sys.stdout.write("\n\n")
        report = each.explain(measure=measure)
        if sys.stdout.isatty():
            from rich.console import Console

            Console().print(report)
        else:
            sys.stdout.write(report.text() + "\n")


def _example() -> Any:
    """One training step of the demo's network, compiled and run."""
    from backlight.demo.step import example

    return example()
