"""The catalogue of what errors and warnings say: key -> (English, Chinese)."""

from __future__ import annotations

__all__ = ["MESSAGES"]

MESSAGES: dict[str, tuple[str, str]] = {
    "shapes": (
        "{operation}: the shapes do not fit together: {operands}.\nExpected: {expected}\nWrite instead: {fix}",
        "{operation}：形状不匹配：{operands}。\n应为：{expected}\n改写为：{fix}",
    ),
    "failed": (
        "{operation} cannot be applied to {operands}.\nNumPy says: {reason}",
        "{operation} 不能用于 {operands}。\nNumPy 的说明：{reason}",
    ),
    "leak": (
        "{operand} belongs to a trace that has ended ({trace}), so it has no meaning here.\n"
        "Expected: values made inside a traced function stay inside it.\n"
        "Write instead: return the value from the function (use has_aux=True for extra results), or keep "
        "backlight.stop_gradient(x).value, a plain array.",
        "{operand} 属于一个已经结束的追踪（{trace}），在这里没有意义。\n"
        "应为：在被追踪的函数内产生的值只在函数内使用。\n"
        "改写为：把它作为函数的返回值（额外结果用 has_aux=True），或保存普通数组 backlight.stop_gradient(x).value。",
    ),
    "expected_matmul": (
        "the last axis of the first (length {k1}) and the last axis but one of the second (length {k2}) are equal, "
        "since they are multiplied and summed.",
        "第一个的最后一轴（长度 {k1}）与第二个的倒数第二轴（长度 {k2}）相等，因为它们要逐一相乘再求和。",
    ),
    "expected_matmul_axes": (
        "both operands have at least one axis.",
        "两个操作数都至少有一个轴。",
    ),
    "fix_matmul_scalar": ("x1 * x2 for a product with a number.", "与一个数相乘请用 x1 * x2。"),
    "fix_matmul_second": ("x1 @ x2.T, if the second is meant transposed.", "若第二个应当转置，则用 x1 @ x2.T。"),
    "fix_matmul_first": ("x1.T @ x2, if the first is meant transposed.", "若第一个应当转置，则用 x1.T @ x2。"),
    "fix_matmul_order": ("x2 @ x1, if the order was meant the other way round.", "若顺序写反了，则用 x2 @ x1。"),
    "fix_matmul_reshape": (
        "x1 @ w with w of shape ({k1}, n), or reshape one of them first.",
        "使用形状为 ({k1}, n) 的 w 计算 x1 @ w，或先用 reshape 调整其中一个。",
    ),
    "expected_labels": (
        "axes that are matched with each other have one length (or length 1), but here one is {a} and another {b}.",
        "相互对应的轴长度相同（或为 1），但这里一个是 {a}，另一个是 {b}。",
    ),
    "fix_match_axes": (
        "transpose or reshape one operand so that the axes which are multiplied together agree.",
        "对其中一个操作数做 transpose 或 reshape，使要相乘的轴长度一致。",
    ),
    "expected_einsum": (
        "a subscript string such as 'ij,jk->ik' with one group of letters for each of the {count} operands; {problem}.",
        "形如 'ij,jk->ik' 的下标字符串，{count} 个操作数各对应一组字母；{problem}。",
    ),
    "einsum_counts": (
        "the subscripts name {terms} operands",
        "下标中给出了 {terms} 个操作数",
    ),
    "einsum_axes": (
        "'{term}' names {named} axes but the operand has {axes}",
        "'{term}' 给出了 {named} 个轴，而该操作数有 {axes} 个轴",
    ),
    "einsum_output": (
        "the output label '{label}' must appear exactly once in the output and at least once in an operand",
        "输出标签 '{label}' 必须在输出中恰好出现一次，并至少出现在一个操作数中",
    ),
    "einsum_letter": (
        "'{label}' is not a letter, a comma, '...' or '->'",
        "'{label}' 不是字母、逗号、'...' 或 '->'",
    ),
    "graph_inputs": (
        "This graph has {expected} inputs, but {came} were given.",
        "这个图有 {expected} 个输入，却给了 {came} 个。",
    ),
    "graph_shape": (
        "Input {position} of this graph was recorded with shape {expected}, but came with shape {came}.\n"
        "Write instead: record the function again for the new shape.",
        "这个图的输入 {position} 记录时形状为 {expected}，现在给的形状是 {came}。\n"
        "改写为：用新的形状重新记录这个函数。",
    ),
    "graph_dtype": (
        "Input {position} of this graph was recorded as {expected}, but came as {came}.\n"
        "Write instead: convert it with .astype({expected!s}), or record the function again.",
        "这个图的输入 {position} 记录时类型为 {expected}，现在给的类型是 {came}。\n"
        "改写为：先用 .astype({expected!s}) 转换，或重新记录这个函数。",
    ),
    "digits_damaged": (
        "The digits that came with Backlight cannot be read: {file}\nReason: {reason}\n"
        "Write instead: install the package again, with pip install --force-reinstall backlight.",
        "Backlight 自带的数字数据无法读取：{file}\n原因：{reason}\n请重新安装：pip install --force-reinstall backlight。",
    ),
    "idx_magic": (
        "{file} is not an IDX file: it begins with the bytes {head}.\n"
        "Expected: 00 00, then the type (08, 09, 0b, 0c, 0d or 0e), then the number of axes (01 to 08).",
        "{file} 不是 IDX 文件：开头的字节是 {head}。\n应为：00 00，然后是类型（08、09、0b、0c、0d 或 0e），再是轴数（01 到 08）。",
    ),
    "idx_too_large": (
        "{file}: the header announces the shape {shape}, {expected} bytes, but a file of this size holds at most "
        "{most}.\nThe header is damaged. Fetch the file again.",
        "{file}：文件头声明的形状是 {shape}，共 {expected} 字节，而这样大小的文件最多只能容纳 {most} 字节。\n"
        "文件头已损坏，请重新下载。",
    ),
    "idx_short": (
        "{file} is cut short: {expected} bytes are announced, {came} are there. Fetch it again.",
        "{file} 不完整：应有 {expected} 字节，实有 {came} 字节。请重新下载。",
    ),
    "idx_long": (
        "{file} is longer than its header says: the shape {shape} needs {expected} bytes and more follow. "
        "Fetch it again.",
        "{file} 比文件头声明的更长：形状 {shape} 需要 {expected} 字节，其后还有多余内容。请重新下载。",
    ),
    "expected_broadcast": (
        "equal lengths on every axis, counted from the last, or a length of 1 that can be repeated.",
        "从最后一个轴数起，每个轴的长度相等，或其中一个为 1（可重复）。",
    ),
    "fix_newaxis": (
        "give operand {position} an axis of length 1, x[{index}], so that its shape is {shape}, if that is what you mean.",
        "若符合本意，给第 {position} 个操作数增加一个长度为 1 的轴：x[{index}]，其形状变为 {shape}。",
    ),
    "fix_reshape": (
        "reshape or slice one of them so that the lengths agree.",
        "用 reshape 或切片使各轴长度一致。",
    ),
    "write_shape": (
        "A value of shape {came} cannot be written into {target}.\n"
        "Expected: the shape of the target, or one that can be repeated to it.\n"
        "Write instead: x = x + y (a new array) if the result is meant to grow, or reshape the value.",
        "形状 {came} 的值不能写入 {target}。\n"
        "应为：与目标相同的形状，或可重复成该形状。\n"
        "改写为：若结果应当变大，用 x = x + y（新数组）；否则先 reshape 该值。",
    ),
    "write_dtype": (
        "A value of dtype {came} cannot be written into {target} without losing what it is.\n"
        "Expected: a dtype that the target can hold.\n"
        "Write instead: make the target with that dtype first, x = x.astype({came}).",
        "dtype 为 {came} 的值写入 {target} 会丢失信息。\n"
        "应为：目标能够容纳的 dtype。\n"
        "改写为：先转换目标，x = x.astype({came})。",
    ),
    "conversion": (
        "{operand} was about to become a plain NumPy array, and its history, hence its gradient, would be lost.\n"
        "Expected: NumPy functions called on the value itself, or assignment into an array made from a traced one.\n"
        "Write instead: np.stack([...]) instead of np.array([...]); np.zeros_like(x) or backlight.array(np.zeros(n)) "
        "for an array to write into; x.value or float(x) where you want plain numbers without a gradient.",
        "{operand} 将被转换成普通 NumPy 数组，其计算历史（从而梯度）会丢失。\n"
        "应为：直接对该值调用 NumPy 函数，或写入由被追踪的值生成的数组。\n"
        "改写为：用 np.stack([...]) 代替 np.array([...])；用 np.zeros_like(x) 或 backlight.array(np.zeros(n)) 作为被写入的数组；"
        "若只要不带梯度的数值，用 x.value 或 float(x)。",
    ),
    "not_numeric": (
        "A value of type {type} is not a number or an array of numbers.\n"
        "Expected: int, float, complex, bool, a NumPy array or a backlight.array.\n"
        "Write instead: np.asarray(value, dtype=float), if its members are numbers.",
        "类型 {type} 的值不是数字，也不是数字数组。\n"
        "应为：int、float、complex、bool、NumPy 数组或 backlight.array。\n"
        "改写为：若其成员是数字，用 np.asarray(value, dtype=float)。",
    ),
    "no_derivative": (
        "`{name}` is {came}: whole numbers and truth values have no derivative.\n"
        "Expected: a real or complex dtype, such as float64 or float32.\n"
        "Write instead: {name} as a float (3.0, not 3; x.astype(float)), or leave it out of argnums.",
        "`{name}` 是 {came}：整数与布尔值没有导数。\n"
        "应为：实数或复数 dtype，例如 float64 或 float32。\n"
        "改写为：把 {name} 写成浮点数（3.0 而非 3；x.astype(float)），或不要把它列入 argnums。",
    ),
    "has_aux": (
        "{function} must return (value, aux) when has_aux=True.\n"
        "Expected: a tuple of two, the value to differentiate and anything else.\n"
        "Write instead: return loss, extra.",
        "has_aux=True 时 {function} 必须返回 (值, 附加结果)。\n应为：两个元素的元组。\n改写为：return loss, extra。",
    ),
    "argnums": (
        "argnums={argnums} does not name an argument of {function}, which was called with {count} positional arguments.\n"
        "Expected: one position, or a tuple of them, from 0 to {count} - 1.\n"
        "Write instead: argnums=0 for the first; pass what is to be differentiated by position, not by keyword.",
        "argnums={argnums} 不对应 {function} 的参数；它被调用时有 {count} 个位置参数。\n"
        "应为：0 到 {count} - 1 之间的一个位置，或若干位置的元组。\n"
        "改写为：第一个参数用 argnums=0；要求导的参数按位置传入，不要用关键字。",
    ),
    "not_scalar": (
        "The gradient of {function} was asked for, but it returned {came}.\n"
        "Expected: one real number, shape ().\n"
        "Write instead: reduce it, np.sum(…) or np.mean(…); for all derivatives of many outputs use "
        "backlight.jacobian, for one combination of them backlight.vjp.",
        "要求 {function} 的梯度，但它返回了 {came}。\n"
        "应为：一个实数，形状为 ()。\n"
        "改写为：用 np.sum(…) 或 np.mean(…) 归约；多个输出的全部导数用 backlight.jacobian，其某个组合用 backlight.vjp。",
    ),
    "backward_scalar": (
        "backward() was called on a value that is {came}.\n"
        "Expected: one real number, shape ().\n"
        "Write instead: (…).sum().backward(), or backward(gradient) with the gradient arriving at this value.",
        "对 {came} 的值调用了 backward()。\n"
        "应为：一个实数，形状为 ()。\n"
        "改写为：(…).sum().backward()，或用 backward(gradient) 给出到达该值的梯度。",
    ),
    "tree_mismatch": (
        "{what} is nested differently from the value it belongs to: {came} leaves came, {count} were expected.\n"
        "Expected: the same containers with the same keys.\n"
        "Write instead: build it with backlight.tree_map over that value.",
        "{what} 的嵌套结构与其对应的值不同：有 {came} 个叶子，应为 {count} 个。\n"
        "应为：相同的容器与相同的键。\n"
        "改写为：用 backlight.tree_map 在该值上构造。",
    ),
    "like_shape": (
        "{what} has shape {came} where {expected} was expected.\n"
        "Expected: the shape of the value it belongs to.\n"
        "Write instead: np.broadcast_to({what}, {expected}), if repeating it is what you mean.",
        "{what} 的形状为 {came}，应为 {expected}。\n"
        "应为：与其对应的值相同的形状。\n"
        "改写为：若本意是重复它，用 np.broadcast_to({what}, {expected})。",
    ),
    "jvp_count": (
        "jvp got {primals} primals and {tangents} tangents.\nExpected: one tangent for every primal.\n"
        "Write instead: jvp(f, (x, w), (dx, dw)).",
        "jvp 得到 {primals} 个 primals 和 {tangents} 个 tangents。\n应为：每个 primal 对应一个 tangent。\n"
        "改写为：jvp(f, (x, w), (dx, dw))。",
    ),
    "jacobian_mode": (
        'mode={mode!r} is not a way to form a Jacobian.\nExpected: "forward", "reverse" or None.\n'
        "Write instead: leave mode out, and the cheaper one is taken.",
        'mode={mode!r} 不是计算雅可比矩阵的方式。\n应为："forward"、"reverse" 或 None。\n'
        "改写为：省略 mode，将自动选择更省的方式。",
    ),
    "jacobian_dtype": (
        "The Jacobian of a value of dtype {came} was asked for.\nExpected: real or complex outputs.\n"
        "Write instead: leave whole numbers and truth values out of what the function returns.",
        "要求 dtype 为 {came} 的值的雅可比矩阵。\n应为：实数或复数输出。\n改写为：不要让函数返回整数或布尔值。",
    ),
    "in_axes": (
        "vmap of {function}: in_axes={axes} does not fit a call with {count} arguments.\n"
        "Expected: one axis for all, or a tuple with an axis or None for each, not all of them None.\n"
        "Write instead: in_axes=(None, 0) for a shared first argument and examples in the second.",
        "{function} 的 vmap：in_axes={axes} 与 {count} 个参数的调用不符。\n"
        "应为：一个公共的轴，或每个参数一个轴或 None 的元组（不能全为 None）。\n"
        "改写为：第一个参数共享、第二个参数为样本时用 in_axes=(None, 0)。",
    ),
    "vmap_results": (
        "{what} differs in shape from example to example: {came}.\n"
        "Expected: results of one shape, since they are stacked.\n"
        "Write instead: np.where, which keeps the shape, in place of a branch or a boolean mask.",
        "{what} 的形状随样本而变：{came}。\n"
        "应为：形状相同的结果，因为它们要堆叠起来。\n"
        "改写为：用保持形状不变的 np.where 代替分支或布尔掩码。",
    ),
    "vmap_axis": (
        "vmap of {function}: an argument of shape {shape} has no axis {axis} for the examples.\n"
        "Expected: an axis that every leaf of the argument has.\n"
        "Write instead: in_axes=None in its place, if all examples share it.",
        "vmap（{function}）：形状为 {shape} 的参数没有样本轴 {axis}。\n"
        "应为：参数的每个叶子都有的轴。\n"
        "改写为：若所有样本共用该参数，则把它的 in_axes 写成 None。",
    ),
    "vmap_lengths": (
        "vmap of {function}: the arguments have different numbers of examples, {came}.\n"
        "Expected: the same length along the mapped axes.\n"
        "Write instead: in_axes=None for an argument that all examples share.",
        "{function} 的 vmap：各参数的样本数不同：{came}。\n"
        "应为：被映射的轴长度相同。\n"
        "改写为：所有样本共享的参数用 in_axes=None。",
    ),
    "derivative_missing": (
        "{function} was made with @custom_gradient but has no derivative yet.\n"
        "Expected: a rule(x…, y, g) that returns g · ∂y/∂x.\n"
        "Write instead: @{function}.derivative above a function that computes it.",
        "{function} 由 @custom_gradient 创建，但还没有导数。\n"
        "应为：一个返回 g · ∂y/∂x 的 rule(x…, y, g)。\n"
        "改写为：在计算它的函数上方写 @{function}.derivative。",
    ),
    "derivative_captured": (
        "{function}, which has a derivative of its own, used a traced value that is not one of its arguments; that "
        "value's gradient would be lost.\n"
        "Expected: everything it needs a gradient for among its arguments.\n"
        "Write instead: add the value to the arguments of {function} and of its derivative.",
        "{function} 带有自定义导数，却使用了不在其参数中的被追踪的值；该值的梯度会丢失。\n"
        "应为：需要梯度的一切都作为参数传入。\n"
        "改写为：把该值加入 {function} 及其导数的参数。",
    ),
    "derivative_count": (
        "The derivative of {function} returned {came} contributions.\n"
        "Expected: {expected}, one for each argument (None where no gradient flows).\n"
        "Write instead: return a tuple with one g · ∂y/∂x per argument.",
        "{function} 的导数返回了 {came} 个贡献。\n"
        "应为：{expected} 个，每个参数一个（不传梯度处为 None）。\n"
        "改写为：返回元组，每个参数一个 g · ∂y/∂x。",
    ),
    "derivative_shape": (
        "The derivative of {function} returned shape {came} for {name}.\n"
        "Expected: {expected}, the shape of that argument.\n"
        "Write instead: sum over the axes along which the argument was repeated, or reshape.",
        "{function} 的导数为 {name} 返回了形状 {came}。\n"
        "应为：{expected}，即该参数的形状。\n"
        "改写为：在该参数被重复的轴上求和，或 reshape。",
    ),
    "call_refused": (
        "{function} cannot be called with these arguments: {reason}.",
        "{function} 不能用这些参数调用：{reason}。",
    ),
    "custom_keyword": (
        "{function} was given a keyword argument that its derivative could not be given.\n"
        "Expected: arguments that have a place among the positional ones, since the derivative gets them in that order.\n"
        "Write instead: make it an ordinary parameter (without the * before it).",
        "{function} 收到一个无法传给其导数的关键字参数。\n"
        "应为：能按位置排列的参数，因为导数按该次序接收它们。\n"
        "改写为：把它定义为普通参数（前面不加 *）。",
    ),
    "checkpoint_changed": (
        "{function} was checkpointed, and an Array that it reads from outside was written to before the gradient was "
        "asked for, so running it again would give the gradient of something else.\n"
        "Expected: outer values that stay as they were until the gradient has been taken.\n"
        "Write instead: pass that Array as an argument of {function}, or write to it afterwards.",
        "{function} 设了检查点，但它从外部读取的某个 Array 在求梯度之前被改写，重新运行会得到另一个函数的梯度。\n"
        "应为：外部的值在梯度求出之前保持不变。\n"
        "改写为：把该 Array 作为 {function} 的参数传入，或在求梯度之后再改写。",
    ),
    "not_callable": (
        "A value of type {came} is not a function.\nExpected: a function to decorate.\n"
        "Write instead: @backlight.custom_gradient above `def f(x): …`.",
        "类型 {came} 的值不是函数。\n应为：要装饰的函数。\n改写为：在 `def f(x): …` 上方写 @backlight.custom_gradient。",
    ),
    "tape_source": (
        "A gradient was asked for with respect to {came}.\n"
        "Expected: a backlight.array of real or complex numbers; the tape cannot see what happens to plain arrays.\n"
        "Write instead: w = backlight.array(w) before the block.",
        "要求对 {came} 求梯度。\n"
        "应为：由实数或复数组成的 backlight.array；tape 看不到普通数组上发生的计算。\n"
        "改写为：在代码块之前写 w = backlight.array(w)。",
    ),
    "check_right": (
        "The derivative of {function} is right: reverse, forward and numerical derivatives agree at all {checked} of "
        "{elements} elements looked at ({method}, step {step}; {kinks} at a kink).\n"
        "The least certain is {place}: reverse {reverse}, forward {forward}, numerical {numerical}; "
        "difference {difference}, expected noise {allowed}.",
        "{function} 的导数正确：在检查的 {checked} 个元素（共 {elements} 个）上，反向、前向与数值导数一致"
        "（{method}，步长 {step}；{kinks} 个位于折点）。\n"
        "最不确定的是 {place}：反向 {reverse}，前向 {forward}，数值 {numerical}；差 {difference}，预期噪声 {allowed}。",
    ),
    "check_wrong": (
        "The derivative of {function} is wrong at {place}: reverse {reverse}, forward {forward}, "
        "but numerically {numerical}.\n"
        "Expected: a difference within the noise of {allowed} ({method}, step {step}); it is {difference}. "
        "Looked at {checked} of {elements} elements.\n"
        "Write instead: if {function} has a derivative of your own, correct its rule for {place} (the ratio of reverse "
        "to numerical often names the missing factor or sign).",
        "{function} 在 {place} 处的导数错误：反向 {reverse}，前向 {forward}，而数值结果为 {numerical}。\n"
        "应为：差在噪声 {allowed} 之内（{method}，步长 {step}）；实际差为 {difference}。检查了 {elements} 个元素中的 {checked} 个。\n"
        "改写为：若 {function} 带有自定义导数，请修正其中 {place} 的规则（反向与数值之比常能指出缺少的因子或符号）。",
    ),
    "check_empty": (
        "check({function}, …) found nothing to differentiate.\n"
        "Expected: at least one argument that is a real or complex array, number or tree of them, with elements.\n"
        "Write instead: check(f, 3.0) or check(f, np.array([1.0, 2.0])).",
        "check({function}, …) 没有可求导的内容。\n"
        "应为：至少一个参数是实数或复数（数组、数字或它们的嵌套），且非空。\n"
        "改写为：check(f, 3.0) 或 check(f, np.array([1.0, 2.0]))。",
    ),
    "einsum_refused": (
        "The subscripts of einsum do not fit its operands.\nExpected: {expected}",
        "einsum 的下标与操作数不符。\n应为：{expected}",
    ),
    "expected_tensordot": (
        "two lists of axes of one length, each axis existing in its operand; here they are {first} and {second}.",
        "两个长度相同的轴列表，且每个轴都存在于相应操作数中；这里是 {first} 和 {second}。",
    ),
    "fix_tensordot": (
        "np.tensordot(a, b, axes=([axes of a], [axes of b])).",
        "np.tensordot(a, b, axes=([a 的轴], [b 的轴]))。",
    ),
    "explain_scalar": (
        "explain: {operand} is not one real number, and only one number has a gradient to explain.\n"
        "Write instead: explain(np.sum(y)) or explain(np.mean(y)).",
        "explain：{operand} 不是一个实数，而只有一个数才有可解释的梯度。\n改写为：explain(np.sum(y)) 或 explain(np.mean(y))。",
    ),
    "derive_label": (
        "derive: there is no value called {label} with a gradient.\nExpected: one of {known}.",
        "derive：没有名为 {label} 且带梯度的值。\n应为：{known} 之一。",
    ),
    "derive_index": (
        "derive: {index} is not an index into {label}, whose shape is {shape}.\n"
        "Expected: one non-negative number for each axis, smaller than its length.",
        "derive：{index} 不是 {label} 的有效下标，其形状为 {shape}。\n应为：每个轴一个非负整数，且小于该轴的长度。",
    ),
    "no_order_derivative": (
        "{operation}: no closed form is known for the derivative with respect to the order (the first argument).\n"
        "Write instead: pass the order as a plain number, or backlight.stop_gradient(order).",
        "{operation}：对阶数（第一个参数）的导数没有已知的解析式。\n"
        "改写为：把阶数作为普通的数传入，或使用 backlight.stop_gradient(order)。",
    ),
    "index_range": (
        "{operand}: index {index} is outside axis {axis}, which has size {size}.\n"
        "Expected: an index from {low} to {high}.\nWrite instead: {high} (or -1) for the last element.",
        "{operand}：下标 {index} 超出了轴 {axis}，该轴长度为 {size}。\n"
        "应为：{low} 到 {high} 之间的下标。\n改写为：最后一个元素用 {high}（或 -1）。",
    ),
    "index_empty": (
        "{operand}: index {index} is outside axis {axis}, which has size 0: there is nothing to take.\n"
        "Write instead: a test such as `if x.size:` before indexing.",
        "{operand}：下标 {index} 超出了轴 {axis}，该轴长度为 0，没有元素可取。\n"
        "改写为：取下标之前先判断 `if x.size:`。",
    ),
    "index_count": (
        "{operand} has {axes} axes, but the key asks for {came}.\n"
        "Expected: at most one entry for each axis (None adds an axis and does not count).",
        "{operand} 有 {axes} 条轴，而下标给了 {came} 条。\n应为：每条轴至多一项（None 新增一条轴，不计入）。",
    ),
    "index_ellipsis": (
        "{operand}: a key can have one `...` only.\nWrite instead: `:` for each further axis.",
        "{operand}：一个下标里只能有一个 `...`。\n改写为：其余各轴用 `:`。",
    ),
    "index_kind": (
        "{operand} cannot be indexed with {came}.\n"
        "Expected: integers, slices, None, `...`, or arrays and lists of integers or of True and False.\n"
        "Write instead: x[i.astype(int)], if i holds whole numbers stored as floats.",
        "{operand} 不能用 {came} 作下标。\n"
        "应为：整数、切片、None、`...`，或由整数或真假值组成的数组和列表。\n"
        "改写为：若 i 是以浮点数存放的整数，用 x[i.astype(int)]。",
    ),
    "index_slice": (
        "{came} is not a slice that can be used.\nPython says: {reason}\n"
        "Expected: integers or nothing between the colons, and a step other than 0.",
        "{came} 不是可用的切片。\nPython 的说明：{reason}\n应为：冒号之间是整数或留空，且步长不为 0。",
    ),
    "index_shapes": (
        "{operand}: index arrays of the shapes {shapes} do not fit together.\n"
        "Expected: shapes that broadcast, since the arrays are read side by side, element by element.\n"
        "Write instead: x[np.ix_(i, j)] for all combinations of two lists of indices.",
        "{operand}：形状为 {shapes} 的下标数组彼此不匹配。\n"
        "应为：可以相互广播的形状，因为各数组逐元素配对。\n改写为：若要两组下标的所有组合，用 x[np.ix_(i, j)]。",
    ),
    "index_mask": (
        "{operand}: a mask of shape {came} does not fit the axes from {axis} on, which have shape {expected}.\n"
        "Expected: a mask with exactly the lengths of the axes it covers.",
        "{operand}：形状为 {came} 的掩码与从轴 {axis} 起的形状 {expected} 不符。\n"
        "应为：掩码与它覆盖的各轴长度完全相同。",
    ),
    "write_selection": (
        "A value of shape {came} cannot be written into the selected part of {target}, which has shape {shape}.\n"
        "Expected: that shape, or one that can be repeated to it.\n"
        "Write instead: value.reshape({shape}), if the numbers are the right ones.",
        "形状 {came} 的值不能写入 {target} 中被选中的部分，该部分形状为 {shape}。\n"
        "应为：这个形状，或可重复成它的形状。\n改写为：若数值正确，用 value.reshape({shape})。",
    ),
    "write_number": (
        "{target} is a single number, which cannot be written into (NumPy's numbers cannot either).\n"
        "Write instead: y = value, or np.array(…) with a shape where something is to be written.",
        "{target} 是单个数，不能写入（NumPy 的标量也不能）。\n改写为：y = value，或在需要写入时使用有形状的数组。",
    ),
    "read_only": (
        "{target} shows the same number in several places, or a part that NumPy does not let be written.\n"
        "Write instead: y = x.copy() first, then write into y.",
        "{target} 在多处显示同一个数，或是 NumPy 不允许写入的部分。\n改写为：先 y = x.copy()，再写入 y。",
    ),
    "empty_reduction": (
        "{operation} of an array of shape {shape} along axis {axis}: there is nothing to choose from.\n"
        "Expected: at least one element along the axis.\n"
        "Write instead: a test such as `if x.size:` before it, or (for max and min) a start value: initial=0.0.",
        "对形状 {shape} 的数组沿轴 {axis} 求 {operation}：没有元素可选。\n"
        "应为：该轴上至少有一个元素。\n改写为：之前先判断 `if x.size:`，或（对 max 和 min）给出初值 initial=0.0。",
    ),
    "carry_tree": (
        "{what}: the carry must keep its nesting from step to step.\n"
        "Expected: {expected}\n"
        "Came: {came}\n"
        "Write instead: return the new carry in the same containers, with the same keys in the same order, as init.",
        "{what}：进位值的嵌套结构在每一步都必须相同。\n"
        "应为：{expected}\n"
        "实际：{came}\n"
        "改写为：用与 init 相同的容器、相同次序的键返回新的进位值。",
    ),
    "carry_shape": (
        "{what}: {name} starts with shape {start} but comes back from the body with shape {came}.\n"
        "Expected: the carry keeps its shape from step to step.\n"
        "Write instead: start with an init of shape {came}, or return {name} with shape {start}.",
        "{what}：{name} 开始时形状为 {start}，经过循环体后形状变为 {came}。\n"
        "应为：进位值的形状在每一步保持不变。\n"
        "改写为：让 init 的形状为 {came}，或让返回的 {name} 形状为 {start}。",
    ),
    "carry_dtype": (
        "{what}: {name} starts as {start} but comes back from the body as {came}.\n"
        "Expected: the carry keeps its dtype from step to step.\n"
        "Write instead: start with init of dtype {came}, for example np.asarray(init, np.{came}), or return "
        "{name}.astype(np.{start}).",
        "{what}：{name} 开始时类型为 {start}，经过循环体后类型变为 {came}。\n"
        "应为：进位值的类型在每一步保持不变。\n"
        "改写为：用类型 {came} 的 init 开始，例如 np.asarray(init, np.{came})，或返回 {name}.astype(np.{start})。",
    ),
    "scan_pair": (
        "{what}: the body must return a pair (carry, y), but returned {came}.\n"
        "Write instead: return carry, y (return carry, None where there is nothing to collect).",
        "{what}：循环体必须返回一对值 (carry, y)，却返回了 {came}。\n"
        "改写为：return carry, y（没有要收集的结果时写 return carry, None）。",
    ),
    "scan_scalar": (
        "{name} is a single number, so scan cannot step through it.\n"
        "Expected: every leaf of xs has the steps along its first axis.\n"
        "Write instead: let the body read {name} from outside; only what changes from step to step belongs in xs.",
        "{name} 是单个数，scan 无法沿它逐步前进。\n"
        "应为：xs 的每个叶子的第一个轴就是步数。\n"
        "改写为：让循环体从外部读取 {name}；只有逐步变化的量才放进 xs。",
    ),
    "scan_length": (
        "scan does not know how many steps to take.\nWrite instead: give xs, or length=the number of steps.",
        "scan 不知道要走多少步。\n改写为：给出 xs，或用 length= 指定步数。",
    ),
    "scan_lengths": (
        "scan: the numbers of steps do not agree: {came}.\n"
        "Expected: the first axis of every leaf of xs, and length if given, are the same number, 0 or more.",
        "scan：步数不一致：{came}。\n应为：xs 每个叶子的第一个轴，以及给出的 length，都是同一个非负整数。",
    ),
    "scan_rows": (
        "{what}: what the body collects at step {step} differs in nesting, shape or dtype from the first step's, "
        "so it cannot be stacked.\n"
        "Write instead: return y with the same shape and dtype in every step.",
        "{what}：循环体在第 {step} 步收集的结果与第一步的嵌套、形状或类型不同，无法堆叠。\n"
        "改写为：让每一步返回的 y 形状和类型都相同。",
    ),
    "condition_shape": (
        "{what}: the condition must be one truth value, but it has shape {came}.\n"
        "Write instead: reduce it, for example with np.all(...) or np.any(...).",
        "{what}：条件必须是一个真假值，但它的形状是 {came}。\n改写为：先归约，例如用 np.all(...) 或 np.any(...)。",
    ),
    "random_seed": (
        "A seed is an integer from 0 to 2**64 - 1, not {came}.\nWrite instead: random.key(0).",
        "种子应为 0 到 2**64 - 1 的整数，不能是 {came}。\n改写为：random.key(0)。",
    ),
    "random_key": (
        "This is not a key: {came}.\n"
        "Expected: a uint32 array of shape (2,).\n"
        "Write instead: key = random.key(seed), or one row of random.split(key, n).",
        "这不是密钥：{came}。\n"
        "应为：形状为 (2,) 的 uint32 数组。\n"
        "改写为：key = random.key(seed)，或取 random.split(key, n) 的一行。",
    ),
    "random_data": (
        "fold_in takes one integer, not {came}.\n"
        "Write instead: fold_in(key, step) with the number of the step, layer or example.",
        "fold_in 接受一个整数，不能是 {came}。\n改写为：fold_in(key, step)，step 为步、层或样本的编号。",
    ),
    "random_shape": (
        "A shape holds lengths of 0 or more, not {came}.",
        "形状由非负的长度组成，不能是 {came}。",
    ),
    "random_parameters": (
        "The draw has shape {shape}, into which its parameters do not fit: {came}.\n"
        "Expected: parameters that broadcast to the shape of the draw.\n"
        "Write instead: leave out shape, or give one that the parameters broadcast to.",
        "抽样的形状是 {shape}，参数无法广播到它：{came}。\n"
        "应为：参数可以广播到抽样的形状。\n"
        "改写为：省略 shape，或给出参数可以广播到的形状。",
    ),
    "random_dtype": (
        "Numbers of dtype {came} cannot be drawn like this.\n"
        "Expected: float16, float32 or float64 (for bits: an unsigned integer).\n"
        "Write instead: draw them as float64 and convert with .astype.",
        "无法这样抽取类型为 {came} 的数。\n"
        "应为：float16、float32 或 float64（bits 则为无符号整数）。\n"
        "改写为：先抽取 float64，再用 .astype 转换。",
    ),
    "random_logits": (
        "categorical needs logits with the choices along the last axis, not {came}.\n"
        "Write instead: an array of at least one choice, for example np.log(probabilities).",
        "categorical 需要最后一个轴为各个选项的 logits，不能是 {came}。\n"
        "改写为：至少含一个选项的数组，例如 np.log(probabilities)。",
    ),
    "random_range": (
        "No whole number lies in low <= k < high: low = {low}, high = {high}.\n"
        "Write instead: integers with low < high.",
        "在 low <= k < high 之间没有整数：low = {low}，high = {high}。\n改写为：满足 low < high 的整数。",
    ),
    "random_rows": (
        "permutation takes an integer or an array with rows, not {came}.\n"
        "Write instead: permutation(key, n) for the numbers 0 to n-1.",
        "permutation 接受整数或带有行的数组，不能是 {came}。\n改写为：permutation(key, n) 得到 0 到 n-1 的排列。",
    ),
    "matrix": (
        "{operation} has no answer for {operands}.\nNumPy says: {reason}\nWrite instead: {fix}",
        "{operation} 对 {operands} 无解。\nNumPy 的说明：{reason}\n改写为：{fix}",
    ),
    "fix_singular": (
        "np.linalg.pinv(a) @ b or np.linalg.lstsq(a, b) for the solution of least length, or a + 1e-6 * np.eye(n) to "
        "stay clear of the singularity.",
        "用 np.linalg.pinv(a) @ b 或 np.linalg.lstsq(a, b) 求最短解，或用 a + 1e-6 * np.eye(n) 避开奇异点。",
    ),
    "fix_definite": (
        "a symmetric matrix with positive eigenvalues, for instance (a + a.T) / 2 + 1e-6 * np.eye(n).",
        "特征值均为正的对称矩阵，例如 (a + a.T) / 2 + 1e-6 * np.eye(n)。",
    ),
    "expected_square": (
        "square matrices in the last two axes.",
        "最后两个轴构成方阵。",
    ),
    "fix_square": (
        "np.linalg.pinv, svd or qr, which take matrices of any shape; or choose a square part a[..., :n, :n].",
        "使用可接受任意形状的 np.linalg.pinv、svd 或 qr；或取方形部分 a[..., :n, :n]。",
    ),
    "expected_matrix": (
        "at least two axes, the last two being rows and columns.",
        "至少两个轴，最后两个是行与列。",
    ),
    "fix_matrix": (
        "x[:, None] for a column, x[None, :] for a row.",
        "列用 x[:, None]，行用 x[None, :]。",
    ),
    "expected_solve": (
        "as many rows in b as in a ({n}); a 1-D b is one right-hand side.",
        "b 的行数与 a 相同（{n}）；一维的 b 是单个右端项。",
    ),
    "fix_solve": (
        "np.linalg.solve(a, b[..., None])[..., 0] for a stack of vectors b, or b.T for right-hand sides kept as rows.",
        "若 b 是一叠向量，用 np.linalg.solve(a, b[..., None])[..., 0]；若右端项按行存放，用 b.T。",
    ),
    "linalg_option": (
        "{function}: {option} must be one of {allowed}, but is {came!r}.",
        "{function}：{option} 必须是 {allowed} 之一，而这里是 {came!r}。",
    ),
    "window_channels": (
        "x of shape (N, C, {axes}) and w of shape {wanted}, with the same number of channels C in both.",
        "x 的形状为 (N, C, {axes})，w 的形状为 {wanted}，两者的通道数 C 相同。",
    ),
    "fix_window_channels": (
        "w with {channels} in its axis {axis}, or np.moveaxis(x, -1, 1) if the channels of x come last.",
        "让 w 的第 {axis} 轴长度为 {channels}；若 x 的通道在最后，用 np.moveaxis(x, -1, 1)。",
    ),
    "window_groups": (
        "groups={groups} divides the channels of x ({channels}) and the filters of w ({filters}).",
        "groups={groups} 能整除 x 的通道数（{channels}）和 w 的滤波器数（{filters}）。",
    ),
    "fix_window_groups": (
        "a number of groups that divides both, for instance groups=1.",
        "选取能同时整除两者的组数，例如 groups=1。",
    ),
    "window_axes": (
        "x of shape (N, C, *spatial) with {spatial}; one image alone needs an axis of examples in front.",
        "x 的形状为 (N, C, *空间轴)，其中{spatial}；单张图像需要在最前面补一个样本轴。",
    ),
    "window_spatial_some": ("one, two or three spatial axes", "有一到三个空间轴"),
    "window_spatial": ("{count} spatial axes, as many as w has", "有 {count} 个空间轴，与 w 相同"),
    "fix_window_axes": ("x[None] for one example.", "单个样本用 x[None]。"),
    "window_fits": (
        "along axis {axis} a window that reaches over {reach} elements, at most the {length} there with padding {pad}.",
        "沿第 {axis} 轴，窗口跨度为 {reach} 个元素，不得超过补零 {pad} 之后的长度 {length}。",
    ),
    "fix_window_fits": (
        "padding of at least {needed} along that axis, a smaller window, or a smaller dilation.",
        "沿该轴的填充至少为 {needed}，或减小窗口、减小 dilation。",
    ),
    "window_number": (
        "{function}: {option} must be {wanted} for {count} spatial axes, but is {came!r}.",
        "{function}：对 {count} 个空间轴，{option} 必须是{wanted}，而这里是 {came!r}。",
    ),
    "wanted_positive": ("one positive int or one per axis", "一个正整数或每轴一个正整数"),
    "wanted_natural": ("one int of at least 0 or one per axis", "一个非负整数或每轴一个非负整数"),
    "wanted_padding": (
        "an int, one int or one pair (before, after) per axis, 'same' or 'valid'",
        "一个整数、每轴一个整数或一对（前, 后）、'same' 或 'valid'",
    ),
    "wanted_below_size": ("smaller than the window along every axis", "在每个轴上都小于窗口"),
    "wanted_below_stride": ("smaller than the stride along every axis", "在每个轴上都小于步长"),
    "expected_vectors": ("two operands with one axis each.", "两个操作数各有一个轴。"),
    "fix_vectors": (
        "np.outer(x1, x2), which reads arrays of any shape as vectors.",
        "使用 np.outer(x1, x2)，它把任意形状的数组当作向量。",
    ),
    "made_at": (" (made at {source})", "（产生于 {source}）"),
    "complex_rule": (
        "{operation} has no derivative for complex numbers, and {operand} is complex.\n"
        "Expected: real numbers, or a function that is complex-differentiable.\n"
        "Write instead: {operation} of np.real(z), np.imag(z) or np.abs(z); or backlight.stop_gradient(z).",
        "{operation} 对复数没有导数，而 {operand} 是复数。\n"
        "应为：实数，或复可导的函数。\n"
        "改写为：对 np.real(z)、np.imag(z) 或 np.abs(z) 使用 {operation}；或使用 backlight.stop_gradient(z)。",
    ),
    "variable_body": (
        "`{name}` is assigned inside the body of a loop.\nWrite instead: carry its contents, and assign it afterwards.",
        "在循环体内给 `{name}` 赋值。\n改写为：让循环携带它的内容，循环之后再赋值。",
    ),
    "variable_traced": (
        "`{name}` is assigned inside a traced function, which knows nothing of it.\n"
        "Write instead: assign it outside, or in a function under backlight.compile, which follows variables.",
        "在被追踪的函数内给 `{name}` 赋值，而函数并不知道它。\n改写为：在外面赋值，或放在 backlight.compile 编译的函数里。",
    ),
}
