"""What may be typed: the words and options of every command, and errors that say what to type instead."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from backlight.errors import language

__all__ = ["COMMANDS", "Parser", "parsers", "say"]

COMMANDS = ("demo", "plan", "coverage", "primitives", "cache")
DATA = ("digits", "mnist")
LARGEST_SEED = 2**63 - 1
MOST_EPOCHS = 10_000


def say(english: str, chinese: str) -> str:
    """The sentence in the reader's language."""
    return chinese if language() == "zh" else english


class _Formatter(argparse.HelpFormatter):
    """argparse's help with Backlight's words around it."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=26, **options)

    def add_usage(
        self, usage: str | None, actions: Iterable[argparse.Action], groups: Iterable[Any], prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, say("Usage: ", "用法：") if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """argparse with errors in the reader's language that say what to type instead."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Formatter, add_help=False, allow_abbrev=False, **options)
        self.known: list[str] = ["--help"]
        self.options = self.add_argument_group(say("Options", "选项"))
        self.options.add_argument("-h", "--help", action="help", help=say("show this help", "显示本帮助"))

    def option(self, name: str, **settings: Any) -> None:
        """Add an option to the group that the help shows."""
        self.known.append(name)
        self.options.add_argument(name, **settings)

    def error(self, message: str) -> NoReturn:
        """End with what is wrong, in the reader's language, and with status 2."""
        if language() == "zh":
            message = re.sub(r"^argument (.+?): ", r"选项 \1：", message)
            message = message.replace("expected one argument", "后面需要一个值")
            message = re.sub(r"ignored explicit argument (.+)", r"不接受值 \1", message)
        else:
            message = re.sub(r"^argument ", "", message)
        hint = say(f"Try: {self.prog} --help", f"请试：{self.prog} --help")
        self.exit(2, f"{self.prog}: {message}\n{hint}\n")

    def refuse_unknown(self, unknown: Sequence[str]) -> NoReturn:
        """The error for arguments that mean nothing here, with the nearest option that does."""
        near = get_close_matches(unknown[0].partition("=")[0], self.known, 1, 0.5)
        text = say(f"{unknown[0]!r} is not known here.", f"不认识 {unknown[0]!r}。")
        self.error(text + (say(f" Did you mean {near[0]}?", f"是否想输入 {near[0]}？") if near else ""))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            expected = say(f"a whole number from {low} to {high}", f"{low} 到 {high} 之间的整数")
            raise argparse.ArgumentTypeError(
                say(f"expected {expected}, came {text!r}.", f"应为 {expected}，实为 {text!r}。")
            )
        return value

    return read


def _data(text: str) -> str:
    if text not in DATA:
        expected = say(" or ", " 或 ").join(DATA)
        raise argparse.ArgumentTypeError(
            say(f"expected {expected}, came {text!r}.", f"应为 {expected}，实为 {text!r}。")
        )
    return text


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the first word, and one for each command."""
    top = Parser(
        prog="backlight",
        usage="backlight COMMAND [OPTIONS]",
        description=say(
            "Backpropagation you can see, trust and run fast: plain NumPy in, every gradient out.",
            "看得见、信得过、跑得快的反向传播：输入普通 NumPy 代码，输出每一个梯度。",
        ),
        epilog=say(
            "Set BACKLIGHT_LANG=zh for Chinese, BACKLIGHT_LANG=en for English.",
            "设置 BACKLIGHT_LANG=en 使用英文，BACKLIGHT_LANG=zh 使用中文。",
        ),
    )
    top.option("--version", action="store_true", help=say("print the version", "显示版本号"))
    top.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    listing = top.add_argument_group(say("Commands", "命令"))
    demo_help = say(
        "train a network on handwritten digits, explain one gradient, write a page about it",
        "在手写数字上训练网络，解释一个梯度，并写出网页",
    )
    coverage_help = say(
        "list every NumPy function: differentiable, constant or not supported",
        "列出每个 NumPy 函数：可求导、常数或不支持",
    )
    listing.add_argument("demo", nargs="?", help=demo_help)
    plan_help = say(
        "show what a script's compiled functions became: kernels, their time, your lines",
        "显示脚本中编译过的函数变成了什么：内核、用时、你的代码行",
    )
    listing.add_argument("plan", nargs="?", help=plan_help)
    listing.add_argument("coverage", nargs="?", help=coverage_help)
    listing.add_argument(
        "primitives", nargs="?", help=say("list every primitive with its rule", "列出每个基本映射及其规则")
    )
    listing.add_argument(
        "cache",
        nargs="?",
        help=say("show or clear the compiled programs kept on disk", "查看或清除磁盘上保存的已编译程序"),
    )

    demo = Parser(
        prog="backlight demo",
        usage="backlight demo [OPTIONS]",
        description=say(
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
        help=say(
            "digits (in the package, the default) or mnist (read from $BACKLIGHT_DATA/mnist)",
            "digits（随包附带，默认）或 mnist（从 $BACKLIGHT_DATA/mnist 读取）",
        ),
    )  # fmt: skip
    demo.option(
        "--seed", type=_whole(0, LARGEST_SEED), default=0, metavar="N",
        help=say(
            "what the split, the first weights and the order are drawn from (0)",
            "决定数据划分、初始权重与顺序的种子（0）",
        ),
    )  # fmt: skip
    demo.option(
        "--epochs", type=_whole(1, MOST_EPOCHS), metavar="N",
        help=say("how often every image is seen (digits 60, mnist 5)", "每幅图像看几遍（digits 60，mnist 5）"),
    )  # fmt: skip
    demo.option(
        "--out", type=Path, default=Path("backlight-demo.html"), metavar="FILE",
        help=say("where to write the page (backlight-demo.html)", "网页写到哪里（backlight-demo.html）"),
    )  # fmt: skip
    demo.option("--no-page", action="store_true", help=say("write no page", "不写网页"))

    plan = Parser(
        prog="backlight plan",
        usage="backlight plan [OPTIONS] [SCRIPT.py[:FUNCTION] [ARGUMENTS]]",
        description=say(
            "Runs a script as python would, with the arguments that stand behind it, and then shows every function "
            "that backlight.compile compiled on the way: its kernels, what was fused into each and why, how long each "
            "takes next to what this machine could do, which of your lines that comes from, and the memory. Ctrl-C "
            "ends the script and shows what there is. Without a script it shows a training step of the demo's network.",
            "像 python 一样运行脚本（脚本之后的参数交给它），然后显示其间由 backlight.compile 编译的每个函数："
            "各内核、其中融合了什么及原因、用时与本机极限之比、来自哪些代码行，以及内存。"
            "按 Ctrl-C 结束脚本并显示已有结果。"
            "不给脚本时，显示演示网络的一步训练。",
        ),
    )
    plan.option("--no-time", action="store_true", help=say("count only, run nothing again", "只计数，不再运行"))
    plan.option("--json", action="store_true", help=say("as JSON, a list of plans", "输出 JSON（计划的列表）"))
    plan.option("--llvm", action="store_true", help=say("the LLVM text instead", "改为输出 LLVM 文本"))
    plan.option("--assembly", action="store_true", help=say("the machine code instead", "改为输出机器码"))
    coverage = Parser(
        prog="backlight coverage",
        usage="backlight coverage [OPTIONS]",
        description=say(
            "Lists every function of NumPy's public namespace: differentiable, constant by nature, or not supported "
            "and why.",
            "列出 NumPy 公共命名空间中的每个函数：可求导、本质上是常数，或不支持及其原因。",
        ),
    )
    coverage.option(
        "--markdown",
        action="store_true",
        help=say("as Markdown, as in docs/coverage.md", "输出 Markdown（即 docs/coverage.md）"),
    )
    primitives = Parser(
        prog="backlight primitives",
        usage="backlight primitives [OPTIONS]",
        description=say(
            "Lists every primitive: its rule, printed from what the rule records when it runs, why it is so, and the "
            "derivative used at kinks and ties.",
            "列出每个基本映射：规则（由规则运行时的记录打印而成）、直觉，以及在尖点与并列处所用的导数。",
        ),
    )
    primitives.option(
        "--markdown",
        action="store_true",
        help=say("as Markdown, as in docs/primitives.md", "输出 Markdown（即 docs/primitives.md）"),
    )
    cache = Parser(
        prog="backlight cache",
        usage="backlight cache [clear]",
        description=say(
            "Shows where compiled programs are kept between runs, how much room they take, and the newest of them. "
            "BACKLIGHT_CACHE names another folder, or is off; BACKLIGHT_CACHE_LIMIT is the most room they may take.",
            "显示已编译程序保存在哪里、占用多少空间，以及其中最新的几个。"
            "BACKLIGHT_CACHE 指定另一个文件夹，或设为 off 关闭；BACKLIGHT_CACHE_LIMIT 是最多可占的空间。",
        ),
    )
    cache.known.append("clear")
    actions = cache.add_argument_group(say("Actions", "操作"))
    actions.add_argument("clear", nargs="?", help=say("remove every compiled program", "删除所有已编译程序"))
    return top, {"demo": demo, "plan": plan, "coverage": coverage, "primitives": primitives, "cache": cache}
