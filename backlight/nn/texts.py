"""What losses, activations and their kin say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "kind_activation": ("activation", "激活函数"),
    "kind_loss": ("loss", "损失函数"),
    "kind_metric": ("metric", "指标"),
    "kind_initializer": ("initializer", "初始化方法"),
    "kind_regularizer": ("regularizer", "正则项"),
    "kind_constraint": ("constraint", "约束"),
    "lookup_unknown": (
        "{came} is not a known {kind}.\nExpected: a function, an object, or one of these names: {names}.{fix}",
        "{came} 不是已知的{kind}。\n应为：函数、对象，或下列名称之一：{names}。{fix}",
    ),
    "lookup_close": ("\nPerhaps you meant {names}.", "\n也许是 {names}。"),
    "lookup_arguments": (
        "{name} cannot be made from its configuration {config}: {reason}\nExpected: the arguments of {name}.",
        "无法按配置 {config} 构造 {name}：{reason}\n应为：{name} 的参数。",
    ),
    "loss_arguments": (
        "{name} does not take the arguments ({came}).\nExpected: {names}.",
        "{name} 不接受参数 ({came})。\n应为：{names}。",
    ),
    "loss_reduction": (
        "{came} is not a way to reduce a loss.\nExpected: {names}, or None.",
        "{came} 不是损失的归约方式。\n应为：{names}，或 None。",
    ),
    "loss_weights": (
        "the sample weights have the shape {weights}, but the losses they weigh have the shape {values}.\n"
        "Expected: one weight for every example: the leading axes of {values}.",
        "样本权重形状为 {weights}，而要加权的损失形状为 {values}。\n应为：每个样本一个权重，即 {values} 的前几个轴。",
    ),
    "loss_shapes": (
        "{loss}: the labels have the shape {labels} and the predictions {predictions}.\nExpected: {expected}\n"
        "Write instead: {fix}",
        "{loss}：标签形状为 {labels}，预测形状为 {predictions}。\n应为：{expected}\n改写为：{fix}",
    ),
    "expected_same_shape": (
        "the same shape, or a last axis of length 1 that only one of them has.",
        "形状相同，或只有其中一个多出长度为 1 的最后一轴。",
    ),
    "fix_same_shape": (
        "reshape the labels to {predictions}, or give the last layer as many units as a label has numbers.",
        "把标签的形状改为 {predictions}，或让最后一层的单元数等于每个标签的数字个数。",
    ),
    "fix_class_numbers": (
        '"sparse_categorical_crossentropy" for class numbers, or backlight.one_hot(labels, {classes}).',
        '类别编号用 "sparse_categorical_crossentropy"，或 backlight.one_hot(labels, {classes})。',
    ),
    "expected_class_numbers": (
        "one class number for every row of predictions: the shape {shape}.",
        "每行预测对应一个类别编号：形状 {shape}。",
    ),
    "fix_one_hot": (
        '"categorical_crossentropy" for one-hot labels, or np.argmax(labels, axis=-1) as class numbers.',
        'one-hot 标签用 "categorical_crossentropy"，或用 np.argmax(labels, axis=-1) 得到类别编号。',
    ),
    "loss_labels": (
        "sparse_categorical_crossentropy: the labels hold the class {worst}, but the predictions have {classes} classes "
        "(shape {predictions}).\nExpected: whole numbers from 0 to {last}.\nWrite instead: {fix}",
        "sparse_categorical_crossentropy：标签中有类别 {worst}，而预测只有 {classes} 个类别（形状 {predictions}）。\n"
        "应为：0 到 {last} 的整数。\n改写为：{fix}",
    ),
    "fix_labels_from_one": ("labels - 1, if classes were counted from 1.", "若类别从 1 开始编号，用 labels - 1。"),
    "fix_labels_units": (
        "a last layer with {needed} units, or ignore_class={worst} if that label means that there is none.",
        "让最后一层有 {needed} 个单元；若该标签表示没有类别，用 ignore_class={worst}。",
    ),
    "fix_labels_whole": ("labels.astype(int), if nothing is lost that way.", "若不丢失信息，用 labels.astype(int)。"),
    "fix_labels_negative": (
        "ignore_class={worst}, if that label means that there is none.",
        "若该标签表示没有类别，用 ignore_class={worst}。",
    ),
    "ctc_shapes": (
        "ctc: the labels have the shape {labels} and the predictions {predictions}.\nExpected: labels (batch, longest "
        "label), filled up with 0, and logits (batch, steps, classes), where class 0 is the blank.",
        "ctc：标签形状为 {labels}，预测形状为 {predictions}。\n应为：标签 (批, 最长标签)，以 0 填充；logits (批, 步数, 类别数)，其中类别 0 为空白。",
    ),
    "smoothing_range": (
        "label_smoothing={came} makes no sense.\nExpected: a number from 0 to 1.",
        "label_smoothing={came} 没有意义。\n应为：0 到 1 的数。",
    ),
    "init_shape": (
        "{name} cannot make the shape {shape}.\nExpected: {expected}",
        "{name} 无法生成形状 {shape}。\n应为：{expected}",
    ),
    "expected_2d": ("two axes.", "两个轴。"),
    "expected_matrix_or_more": ("two axes or more.", "至少两个轴。"),
    "init_option": (
        "{name}: {option}={came!r} makes no sense.\nExpected: {expected}",
        "{name}：{option}={came!r} 没有意义。\n应为：{expected}",
    ),
    "expected_positive": ("a number above 0.", "大于 0 的数。"),
    "expected_seed": ("a whole number from 0 to 2⁶⁴-1, or None.", "0 到 2⁶⁴-1 的整数，或 None。"),
    "regularizer_option": (
        "{name}: {option}={came!r} makes no sense.\nExpected: {expected}",
        "{name}：{option}={came!r} 没有意义。\n应为：{expected}",
    ),
    "expected_natural": ("a finite number of at least 0.", "有限且不小于 0 的数。"),
    "expected_choice": ("one of {names}.", "{names} 之一。"),
    "kind_layer": ("layer", "层"),
    "nn_seed": (
        "{came} is not a seed.\nExpected: an integer from 0 to 4294967295.",
        "{came} 不是种子。\n应为：0 到 4294967295 的整数。",
    ),
    "nn_dtype": (
        'layers do not compute in {came}.\nExpected: "float32" or "float64".',
        '层不以 {came} 计算。\n应为："float32" 或 "float64"。',
    ),
    "layer_options": (
        "{layer} has no option {came}.\nExpected: {names}, or what every layer takes: name, dtype, trainable, "
        "input_shape, activity_regularizer.",
        "{layer} 没有选项 {came}。\n应为：{names}，或每个层都接受的 name、dtype、trainable、input_shape、activity_regularizer。",
    ),
    "layer_option": (
        "{layer}: {option} is {came}.\nExpected: {expected}",
        "{layer}：{option} 为 {came}。\n应为：{expected}",
    ),
    "layer_call": (
        "{layer} has no `call`.\nWrite instead: def call(self, inputs): ... with NumPy's functions.",
        "{layer} 没有 `call`。\n改写为：用 NumPy 函数写 def call(self, inputs): ...。",
    ),
    "layer_weights": (
        "{layer} has {expected} weights, but {count} arrays were given.\nExpected: as many as get_weights() gives.",
        "{layer} 有 {expected} 个权重，而给出了 {count} 个数组。\n应为：与 get_weights() 的个数相同。",
    ),
    "layer_weight": (
        "an array of shape {came} was given for {name}.\nExpected: the shape {expected}. Nothing was changed.",
        "给 {name} 的数组形状为 {came}。\n应为：形状 {expected}。未作任何更改。",
    ),
    "layer_input": (
        "layer {layer} ({kind}) cannot take an input of shape {shape}.\nExpected: {expected}.",
        "层 {layer}（{kind}）不能接受形状为 {shape} 的输入。\n应为：{expected}。",
    ),
    "spec_ndim": ("{count} axes, the first for the examples", "{count} 个轴，第一个轴是样本"),
    "spec_min_ndim": ("at least {count} axes, the first for the examples", "至少 {count} 个轴，第一个轴是样本"),
    "spec_max_ndim": ("at most {count} axes", "最多 {count} 个轴"),
    "spec_axis": (
        "a length of {length} along axis {axis}, which the layer was built for",
        "沿轴 {axis} 的长度为 {length}（层是为此构建的）",
    ),
    "layer_note": ("In layer {layer} ({kind}), called with {shapes}.", "在层 {layer}（{kind}）中，输入形状 {shapes}。"),
    "layer_unknown_length": (
        "layer {layer} needs to know the length of axis {axis} of its input, which is None.\n"
        "Write instead: Input(shape) with that length.",
        "层 {layer} 需要知道输入在轴 {axis} 上的长度，而它是 None。\n改写为：在 Input(shape) 中给出该长度。",
    ),
    "layer_stateless": (
        "{layer} has {expected} {what}, but {came} values were given.\nExpected: one for each; call or build it first.",
        "{layer} 有 {expected} 个 {what}，而给出了 {came} 个值。\n应为：每个一个值；请先调用或构建它。",
    ),
    "layer_config": (
        "{layer} takes the argument `{name}` but does not keep it under that name.\n"
        "Write instead: self.{name} = {name} in __init__, or a get_config of your own.",
        "{layer} 接受参数 `{name}`，但没有以该名称保存。\n改写为：在 __init__ 中写 self.{name} = {name}，或自己写 get_config。",
    ),
    "config_value": (
        "{place} is of type {came}, which cannot be written down as plain data.\n"
        "Write instead: a name, a function defined with def, or an object with get_config.",
        "{place} 的类型是 {came}，无法写成普通数据。\n改写为：名称、用 def 定义的函数，或带 get_config 的对象。",
    ),
    "symbol_value": (
        "`{name}` {shape} stands for a value that is still to come, so it has no numbers yet.\n"
        "Write instead: layers and NumPy functions of it; a Lambda layer for anything else.",
        "`{name}` {shape} 代表尚未到来的值，还没有数字。\n改写为：对它使用层和 NumPy 函数；其他情况用 Lambda 层。",
    ),
    "symbol_method": (
        "{name} does not work on a value that is still to come.\nWrite instead: a Lambda layer.",
        "{name} 不能用于尚未到来的值。\n改写为：Lambda 层。",
    ),
    "symbol_unconnected": (
        "the output depends on `{name}` {shape}, which is not among the inputs of the model.\n"
        "Write instead: Model(inputs=[..., {name}], outputs=...).",
        "输出依赖于 `{name}` {shape}，而它不在模型的输入之中。\n改写为：Model(inputs=[..., {name}], outputs=...)。",
    ),
    "operation_unknown": (
        "{name} is not one of NumPy's functions that Backlight differentiates.\nWrite instead: a Lambda layer.",
        "{name} 不是 Backlight 可求导的 NumPy 函数。\n改写为：Lambda 层。",
    ),
    "lambda_function": (
        "Lambda needs a function, but {came} was given.\n"
        "If a model is being loaded: hand the function over in custom_objects.",
        "Lambda 需要一个函数，而给出的是 {came}。\n若正在加载模型：请在 custom_objects 中给出该函数。",
    ),
    "expected_count": ("a whole number of at least 1.", "至少为 1 的整数。"),
    "expected_share": ("a number from 0 to 1.", "0 到 1 之间的数。"),
    "expected_shape": ("a tuple of whole numbers, None where a length is unknown.", "整数元组，未知的长度写 None。"),
    "expected_target": (
        "a tuple of whole numbers; one of them may be -1, which is then worked out.",
        "整数元组，其中一个可为 -1（自动计算）。",
    ),
    "expected_permutation": (
        "the numbers 1, 2, … of the axes after the first, each once.",
        "第一轴之后各轴的编号 1、2、…，每个一次。",
    ),
    "network_symbols": (
        "a model is made between symbols, but {came} was given.\n"
        "Write instead: x = Input(shape), outputs made by calling layers on x, then Model(x, outputs).",
        "模型由符号之间的计算组成，而给出的是 {came}。\n改写为：x = Input(shape)，对 x 调用层得到输出，再用 Model(x, outputs)。",
    ),
    "network_inputs": (
        "{count} inputs were given for {expected}: {names}.\nExpected: one for each, as a list or a dictionary by name.",
        "{expected} 个输入（{names}）给出了 {count} 个。\n应为：每个一个，列表或按名称的字典。",
    ),
    "network_names": (
        "the inputs are named {came}, but the model takes {names}.\nExpected: these names.",
        "给出的输入名为 {came}，而模型的输入是 {names}。\n应为：这些名称。",
    ),
    "network_shape": (
        "input {name} has the shape {came}.\nExpected: {expected}, where None may be any length.",
        "输入 {name} 的形状为 {came}。\n应为：{expected}，其中 None 可为任意长度。",
    ),
    "expected_data_format": (
        '"channels_last": (examples, ..., channels), or "channels_first": (examples, channels, ...).',
        '"channels_last"：(样本, …, 通道)，或 "channels_first"：(样本, 通道, …)。',
    ),
    "expected_counts": (
        "a whole number of at least {least}, or {count} of them, one for each axis.",
        "至少为 {least} 的整数，或 {count} 个这样的整数（每个轴一个）。",
    ),
    "expected_pairs": (
        "a whole number of at least 0, or {count} of them, or {count} pairs (before, after).",
        "至少为 0 的整数，或 {count} 个这样的整数，或 {count} 对 (前, 后)。",
    ),
    "expected_names": ("one of {names}.", "{names} 之一。"),
    "expected_undilated": (
        "strides above 1 or a dilation_rate above 1 ({dilation} was given), not both.",
        "strides 大于 1 或 dilation_rate 大于 1（给出的是 {dilation}），不能两者同时。",
    ),
    "expected_divisor": ("a divisor of the number of {what}, {number}.", "{what} 的数量 {number} 的约数。"),
    "expected_below": ("numbers below the strides {limit}.", "小于步幅 {limit} 的数。"),
    "expected_axis": ("the number of an axis, such as -1.", "轴的编号，例如 -1。"),
    "expected_two_axes": (
        "the number of an axis other than 0, which is that of the examples, or two of them, one for each input.",
        "一个轴的编号（0 是样本轴，不能用），或两个这样的编号（每个输入一个）。",
    ),
    "layer_window": (
        "layer {layer} ({kind}) has windows of the lengths {reach}, longer than its input, whose axes have the lengths "
        '{lengths}.\nExpected: an input at least as long.\nWrite instead: padding="same", or a smaller window.',
        "层 {layer}（{kind}）的窗口长度为 {reach}，比输入更长，输入各轴长度为 {lengths}。\n应为：输入至少与窗口一样长。\n"
        '改写为：padding="same"，或更小的窗口。',
    ),
    "layer_nothing_left": (
        "layer {layer} ({kind}) leaves nothing of an input whose axes have the lengths {lengths}: {after} would remain.\n"
        "Expected: at least 1 along each axis.",
        "层 {layer}（{kind}）使各轴长度为 {lengths} 的输入所剩无几：将剩下 {after}。\n应为：每个轴至少剩 1。",
    ),
    "merge_inputs": (
        "layer {layer} ({kind}) was called with {came}.\nExpected: {expected}",
        "层 {layer}（{kind}）的输入为 {came}。\n应为：{expected}",
    ),
    "merge_came": ("a list of {count} inputs", "含 {count} 个输入的列表"),
    "expected_inputs": ("a list of inputs: layer([a, b]).", "输入的列表：layer([a, b])。"),
    "expected_two_inputs": ("a list of two inputs: layer([a, b]).", "两个输入的列表：layer([a, b])。"),
    "merge_shapes": (
        "layer {layer} ({kind}) cannot merge inputs of the shapes {shapes}.\nExpected: {expected}",
        "层 {layer}（{kind}）无法合并形状为 {shapes} 的输入。\n应为：{expected}",
    ),
    "expected_equal": (
        "lengths that are equal, or 1 in one of them, along every axis.",
        "每个轴上的长度相等，或其中一个为 1。",
    ),
    "expected_joined": (
        "the same lengths along every axis but {axis}.",
        "除轴 {axis} 外，每个轴上的长度都相同。",
    ),
    "expected_dot": (
        "the same number of examples, and the same length along axis {first} of the first and axis {second} of the "
        "second input; axis 0 is that of the examples.",
        "样本数相同，且第一个输入的轴 {first} 与第二个输入的轴 {second} 长度相同；轴 0 是样本轴。",
    ),
    "expected_range": (
        "a number from {least} to {most}, or two of them, the smallest and the largest.",
        "{least} 到 {most} 之间的数，或两个这样的数（最小值和最大值）。",
    ),
    "expected_bounds": ("two numbers, the smaller one first, such as (0, 255).", "两个数，较小者在前，例如 (0, 255)。"),
    "expected_deviation": ("a number of at least 0.", "不小于 0 的数。"),
    "expected_share_below": ("a number from 0 to 1, but not 1.", "0 到 1 之间的数，但不包括 1。"),
    "expected_channel_numbers": ("a number, or one for each channel.", "一个数，或每个通道一个数。"),
    "expected_axes": (
        "the number of an axis other than 0, which is that of the examples, or several of them, or None.",
        "轴的编号（0 是样本轴，不能用），或多个这样的编号，或 None。",
    ),
    "expected_both": ("mean and variance, or neither of them.", "mean 和 variance 都给出，或都不给出。"),
    "expected_fitting": ("numbers that fit the shape {shape}.", "可广播到形状 {shape} 的数。"),
    "normalization_given": (
        "layer {layer} was given its mean and variance, so it has nothing to measure.\n"
        "Write instead: Normalization() without them, then adapt(data).",
        "层 {layer} 已给定均值和方差，无需再测量。\n改写为：不带这两个参数的 Normalization()，然后 adapt(data)。",
    ),
    "normalization_empty": (
        "layer {layer} cannot measure mean and variance: the data is empty.\nExpected: at least one example.",
        "层 {layer} 无法测量均值和方差：数据为空。\n应为：至少一个样本。",
    ),
    "expected_some_axes": ("a whole number, or a list of them: axes of the input.", "整数或整数列表：输入的轴。"),
    "expected_one_axis": ("one whole number: an axis of the input.", "一个整数：输入的轴。"),
    "expected_number": ("a number.", "一个数。"),
    "expected_groups": (
        "a whole number of at least 1, or -1 for groups of one channel each.",
        "至少为 1 的整数；-1 表示每个通道自成一组。",
    ),
    "spec_has_axis": ("an input that has axis {axis}", "有第 {axis} 轴的输入"),
    "layer_groups": (
        "layer {layer} cannot cut {width} channels into {groups} groups.\n"
        "Write instead: groups=n with an n that divides {width}.",
        "层 {layer} 无法把 {width} 个通道分成 {groups} 组。\n改写为：groups=n，其中 n 整除 {width}。",
    ),
    "layer_mask": (
        "layer {layer} got a mask of shape {mask} for an input of shape {shape}.\nExpected: the shape {expected}.",
        "层 {layer} 的掩码形状为 {mask}，而输入形状为 {shape}。\n应为：形状 {expected}。",
    ),
    "position_end": (
        "layer {layer} has vectors for {length} places, but the sequence reaches to place {end}.\n"
        "Write instead: sequence_length={end}, or shorter sequences.",
        "层 {layer} 只有 {length} 个位置的向量，而序列到达第 {end} 个位置。\n"
        "改写为：sequence_length={end}，或用更短的序列。",
    ),
    "expected_cell": (
        "a cell (LSTMCell, GRUCell, SimpleRNNCell, or a layer of your own with a state_size), or a list of cells.",
        "一个单元（LSTMCell、GRUCell、SimpleRNNCell，或带 state_size 的自定义层），或单元的列表。",
    ),
    "expected_cells": (
        "a list of cells, each a layer with a state_size.",
        "单元的列表，每个都是带 state_size 的层。",
    ),
    "expected_layer": ("a layer.", "一个层。"),
    "expected_recurrent": (
        "a recurrent layer: with go_backwards, return_sequences, return_state and stateful.",
        "循环层：带有 go_backwards、return_sequences、return_state 和 stateful。",
    ),
    "expected_backward": (
        "a layer that goes the other way (go_backwards) and agrees with the first about return_sequences, "
        "return_state and stateful.",
        "方向相反（go_backwards）、且 return_sequences、return_state 和 stateful 与前一层相同的层。",
    ),
    "rnn_stateful": (
        "layer {layer} is stateful, so it needs to know how many examples there are.\n"
        "Write instead: Input(shape, batch_size=n), or stateful=False.",
        "层 {layer} 是有状态的，因此需要知道样本个数。\n改写为：Input(shape, batch_size=n)，或 stateful=False。",
    ),
    "rnn_state": (
        "layer {layer} got initial states of the shapes {came}.\nExpected: {expected}.",
        "层 {layer} 的初始状态形状为 {came}。\n应为：{expected}。",
    ),
    "expected_attention_axes": (
        "None, 1 or -2: attention along the steps of (examples, steps, features).",
        "None、1 或 -2：沿 (样本, 步, 特征) 的步进行注意力计算。",
    ),
    "attention_shapes": (
        "layer {layer} got a query of shape {query}, a value {value} and a key {keys}.\n"
        "Expected: three axes (examples, steps, features) each, the same examples, and as many keys as values.",
        "层 {layer} 的 query 形状为 {query}，value 为 {value}，key 为 {keys}。\n"
        "应为：各有三个轴 (样本, 步, 特征)，样本数相同，且 key 与 value 的步数相同。",
    ),
    "attention_mask": (
        "layer {layer} got {name} of shape {came}.\nExpected: the shape {expected}, or fewer leading axes, or 1 in "
        "some places.",
        "层 {layer} 的 {name} 形状为 {came}。\n应为：形状 {expected}，或缺少前面的轴，或某些长度为 1。",
    ),
    "attention_list": (
        "layer {layer} takes a list of two or three inputs.\nWrite instead: layer([query, value]), or layer([query, "
        "value, key]).",
        "层 {layer} 接受两个或三个输入的列表。\n改写为：layer([query, value])，或 layer([query, value, key])。",
    ),
    "transformer_width": (
        "layer {layer} has {heads} heads, but its input has only {width} numbers a step.\n"
        "Write instead: num_heads=n with an n up to {width}.",
        "层 {layer} 有 {heads} 个头，而输入每步只有 {width} 个数。\n改写为：num_heads=n，其中 n 不超过 {width}。",
    ),
    "decoder_inputs": (
        "layer {layer} must be called with encoder_sequence always or never.\n"
        "Write instead: one TransformerDecoder for each of the two.",
        "层 {layer} 必须始终给出 encoder_sequence，或始终不给。\n改写为：两种情况各用一个 TransformerDecoder。",
    ),
}
