"""What callbacks say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "kind_callback": ("callback", "回调"),
    # -- What is refused
    "callback_option": (
        "{callback}: {name}={came} makes no sense.\nExpected: {expected}\nWrite instead: {name}={fix}",
        "{callback}：{name}={came} 没有意义。\n应为：{expected}\n改写为：{name}={fix}",
    ),
    "expected_whole_from": ("a whole number of at least {low}.", "不小于 {low} 的整数。"),
    "expected_number_any": ("a number.", "一个数。"),
    "expected_number_from": ("a number of at least {low}.", "不小于 {low} 的数。"),
    "expected_number_range": ("a number of at least {low} and below {below}.", "不小于 {low} 且小于 {below} 的数。"),
    "callback_mode": (
        '{callback}: there is no mode {came}.\nExpected: "auto", "min" or "max".\n'
        'Write instead: mode="min" for what is to be small, a loss for instance; mode="max" for what is to be large.',
        '{callback}：没有模式 {came}。\n应为："auto"、"min" 或 "max"。\n'
        '改写为：越小越好（例如损失）用 mode="min"；越大越好用 mode="max"。',
    ),
    "callback_monitor": (
        '{callback}: monitor={came} is no name.\nExpected: the name of a number in the logs, such as "val_loss".\n'
        'Write instead: monitor="val_loss"',
        '{callback}：monitor={came} 不是名称。\n应为：logs 中某个数的名称，例如 "val_loss"。\n改写为：monitor="val_loss"',
    ),
    "callback_direction": (
        '{callback}: nobody can tell whether "{monitor}" is to be small or large.\n'
        "Expected: one of {names}, or a mode that says so.\n"
        'Write instead: the right name, or mode="max" for what is to be large, mode="min" for what is to be small.',
        '{callback}：无法判断 "{monitor}" 是越小越好还是越大越好。\n应为：{names} 之一，或用 mode 说明。\n'
        '改写为：正确的名称；或越大越好用 mode="max"，越小越好用 mode="min"。',
    ),
    "callback_names_later": ("the names that history.history has", "history.history 中的名称"),
    "callback_missing": (
        '{callback} watches "{monitor}", which is not among the logs of this epoch; it does nothing without it.\n'
        "There are: {names}.\n"
        "Write instead: one of these as monitor (names with val_ need validation_data).",
        '{callback} 监视 "{monitor}"，但这一轮的 logs 中没有它，因此不起作用。\n现有：{names}。\n'
        "改写为：把 monitor 设为其中之一（以 val_ 开头的名称需要 validation_data）。",
    ),
    "callback_no_logs": ("none at all", "一个也没有"),
    "callback_not_scalar": (
        '{callback} watches "{monitor}", which has the shape {shape} and not one number: the model is saved every time.',
        '{callback} 监视的 "{monitor}" 形状为 {shape}，不是一个数：每次都会保存模型。',
    ),
    "callback_frequency": (
        "{callback}: {name}={came} is no frequency.\nExpected: {names} or a number of steps.\n"
        'Write instead: {name}="epoch"',
        '{callback}：{name}={came} 不是频率。\n应为：{names} 或步数。\n改写为：{name}="epoch"',
    ),
    "callback_path": (
        "{callback}: {path} cannot be written to: {reason}.\nExpected: a file in a folder that you may write to.\n"
        "Write instead: another path.",
        "{callback}：无法写入 {path}：{reason}。\n应为：可写文件夹中的文件。\n改写为：另一个路径。",
    ),
    "callback_is_folder": ("it is a folder", "它是一个文件夹"),
    "callback_format": (
        "{callback}: the path {path} cannot be filled in: {reason}.\n"
        'Expected: names of the logs in braces, with a format if you like, such as "{{epoch:02d}}-{{val_loss:.2f}}".',
        "{callback}：无法填写路径 {path}：{reason}。\n"
        '应为：花括号中的 logs 名称，可带格式，例如 "{{epoch:02d}}-{{val_loss:.2f}}"。',
    ),
    "callback_field": ("{field} is no name", "{field} 不是名称"),
    "callback_fields": (
        '{callback}: the path {path} asks for "{field}", which is not there.\nExpected: of {names}.\n'
        "Write instead: one of these in braces ({{batch}} needs save_freq as a number of steps).",
        '{callback}：路径 {path} 需要 "{field}"，但没有它。\n应为：{names} 之一。\n'
        "改写为：花括号中写其中之一（{{batch}} 需要把 save_freq 设为步数）。",
    ),
    "callback_callable": (
        "{callback}: {name}={came} cannot be called.\nExpected: a function.\nWrite instead: {name}=lambda …: …",
        "{callback}：{name}={came} 不能被调用。\n应为：函数。\n改写为：{name}=lambda …: …",
    ),
    "callback_hook": (
        "{callback}: there is no moment {came}.\nExpected: one of {names}.\nWrite instead: {fix}=…",
        "{callback}：没有名为 {came} 的时机。\n应为：{names} 之一。\n改写为：{fix}=…",
    ),
    "callback_rate": (
        "{callback}: the schedule gave {came} for epoch {epoch}.\n"
        "Expected: a number that is neither negative nor infinite.\nWrite instead: return a float from the schedule.",
        "{callback}：轮次 {epoch} 的计划返回了 {came}。\n应为：非负的有限数。\n改写为：让计划函数返回浮点数。",
    ),
    "callback_no_rate": (
        "{callback}: the model has no optimizer with a learning_rate.\nExpected: a compiled model.\n"
        'Write instead: model.compile(optimizer="adam", loss=…) before fit.',
        "{callback}：模型没有带 learning_rate 的优化器。\n应为：已编译的模型。\n"
        '改写为：在 fit 之前调用 model.compile(optimizer="adam", loss=…)。',
    ),
    "callback_two_rates": (
        "{callback}: the optimizer already has a schedule for its learning_rate, {schedule}.\n"
        "Expected: an optimizer whose rate is a number.\n"
        "Write instead: leave out the callback, or give the optimizer a number.",
        "{callback}：优化器的 learning_rate 已有调度 {schedule}。\n应为：学习率是一个数的优化器。\n"
        "改写为：去掉该回调，或给优化器一个数。",
    ),
    "callback_separator": (
        "{callback}: separator={came} cannot separate columns.\nExpected: one letter, no quote and no line break.\n"
        'Write instead: separator=","',
        '{callback}：separator={came} 不能分隔各列。\n应为：一个字符，且不是引号或换行。\n改写为：separator=","',
    ),
    "callback_not_a_log": (
        "{callback}: {path} is not a log to go on with: its first line is {first}.\n"
        'Expected: columns separated by {separator}, "epoch" among them.\n'
        "Write instead: append=False to replace the file, the separator that it has, or another path.",
        "{callback}：{path} 不是可以续写的记录：第一行是 {first}。\n"
        '应为：以 {separator} 分隔的各列，其中有 "epoch"。\n'
        "改写为：用 append=False 替换该文件，或使用它的分隔符，或另一个路径。",
    ),
    "callback_torn": (
        "{callback}: the last line of {path} was cut short and is taken out: {line}",
        "{callback}：{path} 的最后一行不完整，已去掉：{line}",
    ),
    "callback_unsupported": (
        "{callback}: {name}={came} is not supported.\nExpected: {name}=0\nWrite instead: leave {name} out.",
        "{callback}：不支持 {name}={came}。\n应为：{name}=0\n改写为：去掉 {name}。",
    ),
    "callback_gradients": (
        "{callback}: write_gradients=True, but the model has no gradients_of() to ask.\n"
        "Expected: a function of the model that returns its gradients.\n"
        "Write instead: write_gradients=lambda model: … (a list in the order of model.trainable_variables, or a dict).",
        "{callback}：write_gradients=True，但模型没有可调用的 gradients_of()。\n应为：以模型为参数、返回其梯度的函数。\n"
        "改写为：write_gradients=lambda model: …（按 model.trainable_variables 顺序的列表，或字典）。",
    ),
    "callback_verbose": (
        'verbose={came} is not known.\nExpected: 0 (nothing), 1 (a bar), 2 (a line for every epoch) or "auto".\n'
        'Write instead: verbose="auto"',
        'verbose={came} 无法识别。\n应为：0（不显示）、1（进度条）、2（每轮一行）或 "auto"。\n改写为：verbose="auto"',
    ),
    # -- What is told
    "callback_stopped": ("Epoch {epoch}: early stopping.", "第 {epoch} 轮：提前停止。"),
    "callback_restored": (
        "The weights of the best epoch, {epoch}, are put back.",
        "恢复最好的一轮（第 {epoch} 轮）的权重。",
    ),
    "callback_nan_batch": (
        "Batch {place}: the loss is {loss}; training stops.",
        "第 {place} 批：损失为 {loss}，训练停止。",
    ),
    "callback_nan_epoch": (
        "Epoch {place}: the loss is {loss}; training stops.",
        "第 {place} 轮：损失为 {loss}，训练停止。",
    ),
    "callback_saving": ("Epoch {epoch}: saving to {path}.", "第 {epoch} 轮：保存到 {path}。"),
    "callback_better": (
        "Epoch {epoch}: {monitor} improved from {before} to {value}; saving to {path}.",
        "第 {epoch} 轮：{monitor} 由 {before} 改进到 {value}，保存到 {path}。",
    ),
    "callback_no_better": (
        "Epoch {epoch}: {monitor} did not improve from {before}.",
        "第 {epoch} 轮：{monitor} 未好于 {before}。",
    ),
    "callback_nothing": ("nothing", "无"),
    "callback_scheduled": ("Epoch {epoch}: the learning rate is {rate}.", "第 {epoch} 轮：学习率为 {rate}。"),
    "callback_reduced": (
        "Epoch {epoch}: the learning rate is reduced to {rate}.",
        "第 {epoch} 轮：学习率降为 {rate}。",
    ),
    "progress_epoch": ("Epoch {epoch}/{epochs}", "第 {epoch}/{epochs} 轮"),
    "progress_testing": ("Evaluating", "评估"),
    "progress_predicting": ("Predicting", "预测"),
    "progress_validating": ("validating", "验证中"),
    "progress_rate": ("rate {rate}", "学习率 {rate}"),
    "progress_step": ("{time}/step", "{time}/步"),
    "progress_left": ("{time} left", "剩余 {time}"),
}
