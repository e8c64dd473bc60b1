"""What the errors about NumPy's functions say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "api_unsupported": (
        "{function} is not supported: {reason}.\nWrite instead: {nearest}",
        "不支持 {function}：{reason}。\n改写为：{nearest}",
    ),
    "api_option": (
        "{function}: the option {option} is not supported.\nWrite instead: {instead}",
        "{function}：不支持选项 {option}。\n改写为：{instead}",
    ),
    "api_out_plain": (
        "A traced result cannot be written into the plain array {out}: it could not remember where the numbers came "
        "from.\nExpected: a Backlight array as the target.\nWrite instead: y = f(x) without out=, y = y + x instead of "
        "y += x, or make the target with np.zeros_like(x) or backlight.array(...).",
        "不能把被追踪的结果写入普通数组 {out}：它无法记住这些数从何而来。\n应为：以 Backlight 数组为目标。\n"
        "改写为：不带 out= 的 y = f(x)；用 y = y + x 代替 y += x；"
        "或用 np.zeros_like(x)、backlight.array(...) 建立目标。",
    ),
    "api_argument": ("{function}: {problem}", "{function}：{problem}"),
    "api_axis": (
        "Axis {axis} is out of range: the array has {ndim} axes.\nExpected: a number from -{ndim} to {last}.",
        "轴 {axis} 超出范围：数组有 {ndim} 个轴。\n应为：从 -{ndim} 到 {last} 的数。",
    ),
    "api_axis_twice": ("{axis} names an axis twice; name each once.", "{axis} 中有轴重复；每个轴只写一次。"),
    "api_axes_count": (
        "{axes} does not fit; expected {ndim} axes, each once.",
        "{axes} 不合适；应为 {ndim} 个轴，每个一次。",
    ),
    "api_all_nan": (
        "a whole line is NaN, so that nothing is left to choose from; expected at least one number, or use "
        "np.nan_to_num(x) first.",
        "有一整行都是 NaN，没有可选的数；应至少有一个数，或先用 np.nan_to_num(x)。",
    ),
    "api_along_axis": (
        "the indices have {came} axes and the array has {ndim}; give them the same number, e.g. with np.expand_dims.",
        "索引有 {came} 个轴，数组有 {ndim} 个；应使二者相同，例如用 np.expand_dims。",
    ),
    "api_casting": (
        "{came} cannot be cast to {wanted} under casting={casting!r}; use casting='unsafe' if that is meant.",
        "在 casting={casting!r} 下不能把 {came} 转换为 {wanted}；若确实需要，用 casting='unsafe'。",
    ),
    "api_choose": (
        "the first argument names the choices 0 to {count} - 1; use mode='clip' or mode='wrap' for others.",
        "第一个参数的取值应为 0 到 {count} - 1；其他取值请用 mode='clip' 或 mode='wrap'。",
    ),
    "api_convolve_mode": (
        "mode is {mode!r}; expected 'full', 'same' or 'valid'.",
        "mode 为 {mode!r}；应为 'full'、'same' 或 'valid'。",
    ),
    "api_cov": (
        "the observations have {ndim} axes; expected 1 or 2: variables and observations.",
        "观测有 {ndim} 个轴；应为 1 或 2：变量与观测。",
    ),
    "api_cross": (
        "the shapes are {shapes}; expected vectors of 2 or 3 components along the axis.",
        "形状为 {shapes}；沿该轴应为 2 或 3 个分量的向量。",
    ),
    "api_diag": (
        "the array has {ndim} axes; expected 1 (a diagonal to place) or 2 (a matrix to read).",
        "数组有 {ndim} 个轴；应为 1（要放置的对角线）或 2（要读取的矩阵）。",
    ),
    "api_diff": ("n is {n}; expected 0 or more.", "n 为 {n}；应为 0 或更大。"),
    "api_empty": ("there is nothing in it; expected at least one element.", "其中没有元素；应至少有一个元素。"),
    "api_fft_length": ("n is {n}; expected at least 1.", "n 为 {n}；应至少为 1。"),
    "api_fft_norm": (
        "norm is {norm!r}; expected 'backward', 'ortho' or 'forward'.",
        "norm 为 {norm!r}；应为 'backward'、'ortho' 或 'forward'。",
    ),
    "api_fft_real": ("the input is complex; use np.fft.fft.", "输入是复数；请用 np.fft.fft。"),
    "api_gradient": (
        "{came} spacings for {axes} axes; expected one, or one for each axis.",
        "{axes} 个轴却给了 {came} 个间距；应为一个，或每轴一个。",
    ),
    "api_gradient_short": (
        "an axis has {count} elements; expected at least {needed}.",
        "某个轴有 {count} 个元素；至少应有 {needed} 个。",
    ),
    "api_gradient_spacing": (
        "the coordinates have shape {came}; expected ({count},), one for each element along the axis.",
        "坐标的形状为 {came}；应为 ({count},)，沿该轴每个元素一个。",
    ),
    "api_interp": (
        "xp has shape {xp} and fp {fp}; expected one axis of the same length, not empty.",
        "xp 的形状为 {xp}，fp 为 {fp}；应为等长的一维非空数组。",
    ),
    "api_method": ("method is {method!r}; expected one of {known}.", "method 为 {method!r}；应为 {known} 之一。"),
    "api_needs_axis": (
        "an array of shape {shape} needs axis=, or x.reshape(-1) first.",
        "形状为 {shape} 的数组需要 axis=，或先用 x.reshape(-1)。",
    ),
    "api_needs_initial": (
        "with where= there may be nothing to compare; give initial=, for instance -np.inf.",
        "使用 where= 时可能没有可比较的元素；请给出 initial=，例如 -np.inf。",
    ),
    "api_needs_matrix": (
        "the shape is {shape}; expected at least two axes.",
        "形状为 {shape}；应至少有两个轴。",
    ),
    "api_pad_mode": (
        "mode is {mode!r}; expected 'constant', 'edge', 'reflect', 'symmetric', 'wrap', 'linear_ramp', 'maximum', "
        "'mean', 'median', 'minimum' or 'empty'.",
        "mode 为 {mode!r}；应为 'constant'、'edge'、'reflect'、'symmetric'、'wrap'、'linear_ramp'、'maximum'、"
        "'mean'、'median'、'minimum' 或 'empty'。",
    ),
    "api_piecewise": (
        "{conditions} conditions and {functions} functions; expected as many functions, or one more for elsewhere.",
        "{conditions} 个条件、{functions} 个函数；函数应与条件一样多，或多一个用于其余处。",
    ),
    "api_quantile_range": (
        "q lies outside its range; expected 0 to 1 (0 to 100 for percentiles).",
        "q 超出范围；应为 0 到 1（百分位数为 0 到 100）。",
    ),
    "api_repeats": (
        "the counts have shape {came}; expected one number, or ({count},).",
        "次数的形状为 {came}；应为一个数，或 ({count},)。",
    ),
    "api_reshape": (
        "{size} elements of shape {shape} cannot take the shape {wanted}; expected lengths whose product is {size} "
        "(one of them may be -1).",
        "形状为 {shape} 的 {size} 个元素不能变成形状 {wanted}；各长度的乘积应为 {size}（其中一个可写 -1）。",
    ),
    "api_select": (
        "{conditions} conditions and {choices} choices; expected as many of both.",
        "{conditions} 个条件、{choices} 个选项；二者应一样多。",
    ),
    "api_split": (
        "{count} elements cannot be cut into {sections} equal pieces; use np.array_split for unequal ones.",
        "{count} 个元素不能切成 {sections} 等份；不等分请用 np.array_split。",
    ),
    "api_squeeze": (
        "the axes {axes} of shape {shape} are not all of length 1; only such axes can be dropped.",
        "形状 {shape} 的轴 {axes} 并非长度都为 1；只有长度为 1 的轴可以去掉。",
    ),
    "api_stack": (
        "the shapes are {shapes}; expected the same shape for all.",
        "形状为 {shapes}；所有数组的形状应相同。",
    ),
    "api_weights": (
        "the weights have shape {weights} and the array {shape}; expected the same shape, or that of axis=.",
        "权重的形状为 {weights}，数组为 {shape}；应为相同形状，或 axis= 所指轴的形状。",
    ),
    "numpy_refused": (
        "{function} cannot be called like this.\nNumPy says: {reason}\n"
        "Write instead: the arguments that np.{function} takes; help(np.{function}) lists them.",
        "{function} 不能这样调用。\nNumPy 的说明：{reason}\n"
        "改写为：np.{function} 所接受的参数；help(np.{function}) 列出了它们。",
    ),
    "numpy_unsupported": (
        "{function} is called in a way that NumPy allows, but that has no mapping here: {reason}\n"
        "Write instead: the same with other arguments, or with x.value where no gradient is needed.",
        "{function} 的这种调用 NumPy 允许，但这里没有对应的映射：{reason}\n"
        "改写为：换用其他参数；不需要梯度的地方用 x.value。",
    ),
    "complex_refused": (
        "{function} is defined for real numbers only, and {operand} is complex.\n"
        "Write instead: {function} of np.real(z), np.imag(z) or np.abs(z).",
        "{function} 只对实数有定义，而 {operand} 是复数。\n"
        "改写为：对 np.real(z)、np.imag(z) 或 np.abs(z) 使用 {function}。",
    ),
    "api_whole": (
        "{function} takes whole numbers here, and {operand} is none.\nWrite instead: n.astype(int).",
        "{function} 在此处要求整数，而 {operand} 不是。\n改写为：n.astype(int)。",
    ),
    "api_boolean": (
        "{function} is not defined for truth values.\nWrite instead: x.astype(float).",
        "{function} 对布尔值没有定义。\n改写为：x.astype(float)。",
    ),
    "api_polyfit": (
        "points of shapes {x} and {y} cannot be fitted with degree {deg}; expected one x and one y for each point, and "
        "a degree of 0 or more.",
        "形状为 {x} 和 {y} 的点无法用 {deg} 次多项式拟合；应为每个点各有一个 x 和一个 y，次数不小于 0。",
    ),
    "api_polyfit_cov": (
        "{points} points leave nothing over to estimate the errors of {order} coefficients from; expected more points, "
        'or cov="unscaled".',
        '{points} 个点不足以估计 {order} 个系数的误差；应有更多的点，或使用 cov="unscaled"。',
    ),
    "api_mode": (
        "{came} is not one of {known}.",
        "{came} 不是 {known} 之一。",
    ),
    "api_one_axis": (
        "arrays of shapes {shapes} came; expected sequences with one axis. Write instead: x.ravel().",
        "传入的数组形状为 {shapes}；应为只有一个轴的序列。改写为：x.ravel()。",
    ),
}
