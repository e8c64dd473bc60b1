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
    "expected_matrix": ("two axes.", "两个轴。"),
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
}
