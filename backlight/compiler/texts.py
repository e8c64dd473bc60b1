"""What the compiler's errors and warnings say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "compile_argument": (
        "`{name}` is a {kind}, which is neither an array nor something that can be remembered.\n"
        "Expected: arrays, numbers, strings, or nestings of them.\nWrite instead: a tuple in place of a list inside an "
        "object, or make the {kind} a part of the function.",
        "`{name}` 是 {kind}，既不是数组，也不是可以记住（可哈希）的值。\n应为：数组、数、字符串，或它们的嵌套。\n"
        "改写为：让这个 {kind} 成为函数的一部分，而不是参数。",
    ),
    "compile_retraces": (
        "{function} takes another way through its code in nearly every call: {count} plans have been made for the same "
        "kind of arguments. It runs as it is from now on.\nWrite instead: np.where(...) for a choice between numbers, "
        "or keep the decision outside the compiled function.",
        "{function} 几乎每次调用都走不同的分支：同一类参数已经编译了 {count} 份计划。从现在起按原样运行。\n"
        "改写为：用 np.where(...) 在数之间选择，或把判断放到被编译的函数之外。",
    ),
    "compile_unsupported": (
        "{function} cannot be compiled because of `{primitive}` ({reason}); it runs as it is.",
        "{function} 无法编译，原因是 `{primitive}`（{reason}）；按原样运行。",
    ),
    "compile_no_plan": (
        "{function} has not been called yet, so there is no plan to show.\nWrite instead: call it once first.",
        "{function} 尚未被调用，没有计划可看。\n改写为：先调用一次。",
    ),
    "threads_number": (
        "the number of threads is {came}.\nExpected: a whole number from 1 to {most}, or None for one for each core.",
        "线程数为 {came}。\n应为：1 到 {most} 之间的整数，或用 None 表示每个核心一个线程。",
    ),
}
