"""What the optimisers' errors and warnings say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "optim_limit": (
        "{name} is {came}, which is no limit for gradients.\nExpected: a positive number, or None for no limit.\n"
        "Write instead: {name}=1.0",
        "{name} 为 {came}，不能作为梯度的上限。\n应为：正数，或用 None 表示不限制。\n改写为：{name}=1.0",
    ),
    "optim_limits": (
        "{optimizer}: more than one limit for gradients was given: {came}.\n"
        "Expected: at most one of clipnorm, clipvalue and global_clipnorm.\nWrite instead: keep only one of them.",
        "{optimizer}：给出了多个梯度上限：{came}。\n应为：clipnorm、clipvalue、global_clipnorm 至多一个。\n改写为：只保留其中一个。",
    ),
    "optim_range": (
        "{optimizer}: {name} is {came}.\nExpected: {expected}.\nWrite instead: {name}= a value from there.",
        "{optimizer}：{name} 为 {came}。\n应为：{expected}。\n改写为：{name}= 该范围内的值。",
    ),
    "optim_unknown": (
        "There is no optimiser {came}.\nExpected: one of {names}; an optimiser; or what serialize gave.\n"
        "Write instead: the name of one of them.",
        "没有名为 {came} 的优化器。\n应为：{names} 之一；或一个优化器对象；或 serialize 的结果。\n改写为：其中一个的名称。",
    ),
    "optim_schedule": (
        "There is no schedule {came}.\nExpected: one of {names}, as serialize gave it.\n"
        "Write instead: custom_objects={{name: class}}, if it is a class of your own.",
        "没有学习率计划 {came}。\n应为：{names} 之一，形式同 serialize 的结果。\n"
        "改写为：若是自己的类，用 custom_objects={{名称: 类}}。",
    ),
    "optim_config": (
        "{name} cannot be made from this configuration.\nReason: {reason}\n"
        "Expected: the arguments of {name}, as get_config gives them.",
        "无法由该配置生成 {name}。\n原因：{reason}\n应为：{name} 的参数，形式同 get_config 的结果。",
    ),
    "optim_option": (
        "{optimizer} has no argument {came}.\nExpected: {names}.\nWrite instead: one of these, or leave it out.",
        "{optimizer} 没有参数 {came}。\n应为：{names}。\n改写为：其中之一，或去掉它。",
    ),
    "optim_arguments": (
        "{optimizer}: {reason}.\nExpected: {signature}",
        "{optimizer}：{reason}。\n应为：{signature}",
    ),
    "optim_rate": (
        "{optimizer}: the learning rate is {came}.\n"
        "Expected: a number that is not negative and not infinite, a schedule, or a function that returns the rate.\n"
        "Write instead: learning_rate=0.001. (Descent goes against the gradient by itself; to climb, change the sign of "
        "the loss.)",
        "{optimizer}：学习率为 {came}。\n应为：非负的有限数、学习率计划，或返回学习率的函数。\n"
        "改写为：learning_rate=0.001。（下降法本身就沿负梯度方向；若要上升，请改变损失的符号。）",
    ),
    "optim_shapes": (
        "The gradients do not fit the parameters.\nExpected the shapes: {expected}\nCame: {came}\n"
        "Write instead: one gradient for every parameter, in the same order, each of its parameter's shape.",
        "梯度与参数不匹配。\n应为的形状：{expected}\n实为：{came}\n改写为：每个参数一个梯度，顺序相同，形状与参数一致。",
    ),
    "optim_shape": (
        "The gradient of `{name}` has the shape {came}, but the parameter has {expected}.\n"
        "Expected: the same shape.\nWrite instead: the gradients in the order of the variables.",
        "`{name}` 的梯度形状为 {came}，而参数的形状为 {expected}。\n应为：相同的形状。\n改写为：按变量的顺序给出梯度。",
    ),
    "optim_dtype": (
        "`{name}` is {came}, which cannot be optimised in small steps.\nExpected: float16, float32 or float64.\n"
        "Write instead: {name} as float32, or leave it out.",
        "`{name}` 是 {came}，不能逐小步优化。\n应为：float16、float32 或 float64。\n改写为：把 {name} 转为 float32，或不要传入它。",
    ),
    "optim_variable": (
        "A {came} cannot be optimised.\nExpected: an object with value, assign, name, shape and dtype, or a NumPy array "
        "that can be written to.\nWrite instead: a variable of the model, backlight.array(x), or np.array(x).",
        "{came} 无法优化。\n应为：具有 value、assign、name、shape、dtype 的对象，或可写的 NumPy 数组。\n"
        "改写为：模型的变量、backlight.array(x) 或 np.array(x)。",
    ),
    "optim_stranger": (
        "`{name}` is not among the {count} variables that this {optimizer} was built for.\n"
        "Expected: the same variables in every step.\n"
        "Write instead: a new {optimizer} for the new variables, or build(variables) with all of them first.",
        "`{name}` 不在这个 {optimizer} 所构建的 {count} 个变量之中。\n应为：每一步使用同样的变量。\n"
        "改写为：为新变量新建一个 {optimizer}，或先对全部变量调用 build(variables)。",
    ),
    "optim_count": (
        "{optimizer}: {came} came, but there are {expected} parameters.\nExpected: one for every parameter.\n"
        "Write instead: the gradients and parameters that belong together, in the same order.",
        "{optimizer}：给出了 {came} 个，而参数有 {expected} 个。\n应为：每个参数一个。\n改写为：按同样的顺序给出对应的梯度和参数。",
    ),
    "optim_twice": (
        "{optimizer}: the same variable came twice in one step.\nExpected: every variable once, with its whole gradient.\n"
        "Write instead: one pair (g1 + g2, variable), if the gradients are meant to be added.",
        "{optimizer}：同一步中同一个变量出现了两次。\n应为：每个变量一次，并带有完整的梯度。\n"
        "改写为：若梯度应当相加，用一对 (g1 + g2, variable)。",
    ),
    "optim_no_gradients": (
        "{optimizer}: there is no gradient for any variable.\nExpected: at least one that is not None.\n"
        "Write instead: take the gradient of a loss that is computed from these variables, inside the tape.",
        "{optimizer}：没有任何变量的梯度。\n应为：至少一个不是 None。\n改写为：在 tape 内由这些变量计算损失，再求其梯度。",
    ),
    "optim_some_gradients": (
        "{optimizer}: there is no gradient for {names}; they stay as they are.",
        "{optimizer}：{names} 没有梯度，保持不变。",
    ),
    "optim_not_built": (
        "{optimizer} has no state yet, because it does not know its variables.\n"
        "Write instead: optimizer.build(variables) first.",
        "{optimizer} 还没有状态，因为它不知道自己的变量。\n改写为：先调用 optimizer.build(variables)。",
    ),
    "optim_built": (
        "{optimizer} has been built; what is excluded from weight decay is part of that.\n"
        "Write instead: exclude_from_weight_decay(...) before build(variables) and before the first step.",
        "{optimizer} 已经构建，权重衰减的例外须在此之前确定。\n"
        "改写为：在 build(variables) 和第一步之前调用 exclude_from_weight_decay(...)。",
    ),
    "optim_rebuilt": (
        "{optimizer} was built for other variables than it is now given.\nExpected: the same variables.\n"
        "Write instead: a new {optimizer} for every model.",
        "{optimizer} 已为其他变量构建。\n应为：同样的变量。\n改写为：为每个模型新建一个 {optimizer}。",
    ),
    "optim_state": (
        "{optimizer}: this is not a state of this optimiser: {problem}.\n"
        "Expected: what its `state` or `init(parameters)` gave, with the same options and parameters.",
        "{optimizer}：这不是该优化器的状态：{problem}。\n"
        "应为：由它的 `state` 或 `init(parameters)` 得到、选项和参数都相同的状态。",
    ),
    "optim_driver": (
        "{optimizer} chooses the length of its steps by evaluating the loss, so a gradient alone is not enough.\n"
        "Write instead: optimizer.minimize(loss, variables) or backlight.optim.minimize(loss, parameters).",
        "{optimizer} 通过计算损失来选择步长，因此只有梯度是不够的。\n"
        "改写为：optimizer.minimize(loss, variables) 或 backlight.optim.minimize(loss, parameters)。",
    ),
    "optim_start": (
        "minimize: at the starting point the loss is {value} and the norm of its gradient {norm}.\n"
        "Expected: finite numbers, from which to go down.\nWrite instead: a starting point where the loss is defined.",
        "minimize：在起点处损失为 {value}，梯度的范数为 {norm}。\n应为：有限的数，才能由此下降。\n改写为：选择损失有定义的起点。",
    ),
}
