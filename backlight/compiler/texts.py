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
        "kind of arguments.\nWrite instead: np.where(...) for a choice between numbers, "
        "or keep the decision outside the compiled function.",
        "{function} 几乎每次调用都走不同的分支：同一类参数已经编译了 {count} 份计划。\n"
        "改写为：用 np.where(...) 在数之间选择，或把判断放到被编译的函数之外。",
    ),
    "compile_unsupported": (
        "{function} cannot be compiled because of `{primitive}` ({reason}).",
        "{function} 无法编译，原因是 `{primitive}`（{reason}）。",
    ),
    "compile_no_plan": (
        "{function} has not been called yet, so there is no plan to show.\nWrite instead: call it once first.",
        "{function} 尚未被调用，没有计划可看。\n改写为：先调用一次。",
    ),
    "report_arguments": (
        "the plan was given other arguments than it was made for.\nExpected: {expected}\nCame: {came}\n"
        "Write instead: explain(...) with what the compiled function was called with, or explain() for the arguments "
        "of the call that made the plan.",
        "给计划的参数与编译它时的不同。\n应为：{expected}\n实为：{came}\n"
        "改写为：explain(...) 并给出调用编译函数时的参数，或用 explain() 沿用编译那次调用的参数。",
    ),
    "report_index": (
        "a computed index was outside its array, so the plan cannot be measured.\nWrite instead: explain(...) with "
        "arguments for which the function works.",
        "算出的下标超出数组范围，无法测量。\n改写为：给 explain(...) 能正常运行的参数。",
    ),
    "plan_nothing": (
        "{script} has compiled nothing.\nExpected: a call of a function made by backlight.compile, or an epoch of training.\n"
        "Write instead: step = backlight.compile(step)",
        "{script} 没有编译任何函数。\n应为：调用由 backlight.compile 得到的函数，或训练一个周期。\n"
        "改写为：step = backlight.compile(step)",
    ),
    "plan_none": (
        "{script} has compiled no function {function}.\nExpected: one of {names}.",
        "{script} 没有编译名为 {function} 的函数。\n应为：{names} 之一。",
    ),
    "compile_refused": (
        "{function} cannot be compiled. The reason:\n{reason}",
        "{function} 无法编译。原因：\n{reason}",
    ),
    "compile_as_it_is": ("It runs as it is from now on.", "从现在起按原样运行。"),
    "compile_kind": (
        "`{name}` is a {came}.\nExpected: plain arrays and numbers.\nWrite instead: np.asarray({name}), if nothing is lost "
        "that way.",
        "`{name}` 是 {came}。\n应为：普通的数组和数。\n改写为：若不丢失信息，用 np.asarray({name})。",
    ),
    "compile_result": (
        "it returns a {kind}, which cannot be made again in every call.\n"
        "Expected: arrays, numbers, strings, or nestings of them in dicts, lists, tuples and dataclasses.",
        "返回值中有 {kind}，无法在每次调用时重新生成。\n应为：数组、数、字符串，或它们在 dict、list、tuple、dataclass 中的嵌套。",
    ),
    "compile_draws": (
        "it draws from a generator of random numbers outside of itself, and would get the same numbers in every "
        "call.\nWrite instead: pass a key, and draw with backlight.random.",
        "函数从自身之外的随机数生成器取数，编译后每次调用都会得到同样的数。\n改写为：传入一个 key，用 backlight.random 取随机数。",
    ),
    "compile_outside": (
        "it reads the backlight.array `{name}` from outside, whose value and history may change.\n"
        "Write instead: pass `{name}` as an argument, as a plain array.",
        "函数从外部读取 backlight.array `{name}`，它的值和历史可能会变。\n改写为：把 `{name}` 作为参数传入普通数组。",
    ),
    "compile_function": (
        "A value of type {came} is not a function.\nExpected: a function to compile.\n"
        "Write instead: @backlight.compile above `def f(x): …`, or backlight.compile(f).",
        "类型 {came} 的值不是函数。\n应为：要编译的函数。\n改写为：在 `def f(x): …` 上方写 @backlight.compile，或 backlight.compile(f)。",
    ),
    "compile_kinds": (
        "{function} has been compiled {count} times in a row, because {names} came with something new in every call.\n"
        "Write instead: np.float32(lr) for a number that changes (Python's numbers are part of the program), and arrays of "
        "few different shapes.",
        "{function} 已连续编译 {count} 次，因为 {names} 在每次调用时都不同。\n"
        "改写为：会变的数写成 np.float32(lr)（Python 的数是程序的一部分），并让数组只有少数几种形状。",
    ),
    "epoch_unsupported": (
        "{function} cannot be compiled into an epoch because of `{primitive}` ({reason}).",
        "{function} 无法编译为一个训练周期，原因是 `{primitive}`（{reason}）。",
    ),
    "epoch_refused": (
        "{function} cannot be compiled into an epoch. The reason:\n{reason}",
        "{function} 无法编译为一个训练周期。原因：\n{reason}",
    ),
    "epoch_reads": (
        "Python reads a computed value here (`if`, int(), float()), which may be another one in every step.\n"
        "Write instead: np.where(...) for a choice between numbers, and return what is to be looked at as a metric.",
        "Python 在这里读取计算出的值（`if`、int()、float()），而它在每一步都可能不同。\n"
        "改写为：在数之间选择用 np.where(...)；要查看的值作为指标返回。",
    ),
    "epoch_unlike": (
        "it does something else in the second step than in the first.\n"
        "Expected: the same computation in every step.\n"
        "Write instead: keep what changes from step to step (a counter, a learning rate, a key for backlight.random) in the state.",
        "第二步所做的计算与第一步不同。\n应为：每一步都是同样的计算。\n"
        "改写为：把逐步变化的量（计数器、学习率、backlight.random 的 key）放进 state。",
    ),
    "epoch_batches": (
        "an epoch takes a step for every row of the batches, but their shapes are {came}.\n"
        "Expected: arrays whose first axis is the number of steps, the same for all.\n"
        "Write instead: batches of shape (steps, batch size, …); what is the same in all steps comes after them.",
        "一个周期对 batches 的每一行走一步，但它们的形状是 {came}。\n应为：第一轴为步数且都相同的数组。\n"
        "改写为：形状为 (步数, 批大小, …) 的 batches；每一步都相同的数据放在其后。",
    ),
    "epoch_pair": (
        "{function} must return a pair (state, metrics), but returned {came}.\n"
        "Write instead: return state, metrics (return state, None where there is nothing to collect).",
        "{function} 必须返回一对值 (state, metrics)，却返回了 {came}。\n"
        "改写为：return state, metrics（没有指标时写 return state, None）。",
    ),
    "epoch_tree": (
        "{function} must return a state that is nested like the one it is given.\nExpected: {expected}\nCame: {came}\n"
        "Write instead: return the new state in the same containers, with the same keys in the same order.",
        "{function} 返回的 state 必须与收到的嵌套方式相同。\n应为：{expected}\n实际：{came}\n"
        "改写为：用同样的容器、同样顺序的键返回新的 state。",
    ),
    "epoch_changes": (
        "{function}: `{name}` is {start} but comes back as {came}.\n"
        "Expected: the state keeps its shapes and dtypes from step to step, since it is updated in place.\n"
        "Write instead: start with {came}, or return it as {start}.",
        "{function}：`{name}` 是 {start}，返回时却是 {came}。\n应为：state 就地更新，因此每一步都保持形状和 dtype。\n"
        "改写为：从 {came} 开始，或返回 {start}。",
    ),
    "epoch_not_array": (
        "`{name}` is a {came}, which cannot be updated in place.\nExpected: NumPy arrays.\n"
        "Write instead: np.array({name}).",
        "`{name}` 是 {came}，无法就地更新。\n应为：NumPy 数组。\n改写为：np.array({name})。",
    ),
    "epoch_read_only": (
        "`{name}` is read-only, so it cannot be updated in place.\nWrite instead: {name}.copy().",
        "`{name}` 是只读的，无法就地更新。\n改写为：{name}.copy()。",
    ),
    "epoch_layout": (
        "`{name}` cannot be updated in place, because its numbers do not stand one after the other in memory, in the "
        'processor\'s own format.\nWrite instead: np.array({name}, order="C"), with a dtype such as np.float32.',
        "`{name}` 无法就地更新，因为它的数在内存中不是以处理器自身的格式连续存放的。\n"
        '改写为：np.array({name}, order="C")，dtype 用 np.float32 之类。',
    ),
    "epoch_overlap": (
        "`{first}` and `{second}` share memory, so that updating one would change the other.\n"
        "Expected: every array of the state has memory of its own.\nWrite instead: {second}.copy().",
        "`{first}` 和 `{second}` 共用内存，更新其中一个会改变另一个。\n应为：state 的每个数组都有自己的内存。\n"
        "改写为：{second}.copy()。",
    ),
    "epoch_index": (
        "{function}: an index is outside the array it points into. The state is as it was before the epoch.",
        "{function}：索引超出了所指数组的范围。state 保持这一周期开始之前的样子。",
    ),
    "threads_number": (
        "the number of threads is {came}.\nExpected: a whole number from 1 to {most}, or None for one for each core.",
        "线程数为 {came}。\n应为：1 到 {most} 之间的整数，或用 None 表示每个核心一个线程。",
    ),
}
