"""What metrics and the checks before training say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "metric_shapes": (
        "{metric}: the labels have the shape {labels} and the predictions {predictions}.\nExpected: {expected}",
        "{metric}：标签形状为 {labels}，预测形状为 {predictions}。\n应为：{expected}",
    ),
    "expected_metric_rows": (
        "one class number for every row of predictions: the shape {shape}.",
        "每行预测对应一个类别编号：形状 {shape}。",
    ),
    "expected_metric_matrix": ("two arrays of the shape (N, C).", "两个形状为 (N, C) 的数组。"),
    "metric_weights": (
        "{metric}: the sample weights have the shape {weights}, the values they weigh {values}.\n"
        "Expected: the shape of the leading axes of the values, such as {values}.",
        "{metric}：样本权重形状为 {weights}，而要加权的值形状为 {values}。\n应为：与值的前几个轴一致，例如 {values}。",
    ),
    "metric_option": (
        "{metric}: {option}={came!r} makes no sense.\nExpected: {expected}",
        "{metric}：{option}={came!r} 没有意义。\n应为：{expected}",
    ),
    "expected_unit_interval": ("numbers from 0 to 1.", "0 到 1 之间的数。"),
    "expected_whole": ("a whole number of at least {least}.", "不小于 {least} 的整数。"),
    "expected_one_of": ("one of {names}.", "{names} 之一。"),
    "metric_unknown_shape": (
        "{metric} has as many numbers as the predictions have columns, which are not known yet.\n"
        "Write instead: init(y_true_shape, y_pred_shape), or update_state(...) first.",
        "{metric} 的状态大小取决于预测的列数，目前未知。\n改写为：init(标签形状, 预测形状)，或先调用 update_state(...)。",
    ),
    "data_empty": (
        "{what} is empty: its shape is {shape}.\nExpected: at least one example.\nWrite instead: check what was read or "
        "selected before it came here.",
        "{what} 是空的：形状为 {shape}。\n应为：至少一个样本。\n改写为：检查此前的读取或筛选。",
    ),
    "data_not_finite": (
        "{what} (shape {shape}) holds {count} values that are NaN or infinite; the first is at {place}.\n"
        "Expected: finite numbers: one NaN makes every weight NaN.\n"
        "Write instead: np.nan_to_num({name}), or leave those examples out.",
        "{what}（形状 {shape}）含有 {count} 个 NaN 或无穷值，第一个位于 {place}。\n应为：有限的数，一个 NaN 会使所有权重变成 NaN。\n"
        "改写为：np.nan_to_num({name})，或去掉这些样本。",
    ),
    "data_lengths": (
        "{what} has {count} examples, but {other} has {expected}.\nExpected: one label (and weight) for every example.",
        "{what} 有 {count} 个样本，而 {other} 有 {expected} 个。\n应为：每个样本各有一个标签（及权重）。",
    ),
    "column_against_row": (
        "the labels have the shape {labels} and the predictions {predictions}: a column against a row. They are compared "
        "one by one. Write y.reshape{predictions} to say so.",
        "标签形状为 {labels}，预测形状为 {predictions}：一个是列，一个是行。将逐个比较。可写 y.reshape{predictions} 明确表示。",
    ),
    "probabilities_as_logits": (
        "{loss} expects logits (from_logits=True), but the predictions were made by {maker}: it would be applied twice.\n"
        "Write instead: {loss} without from_logits, or a last layer without activation.",
        "{loss} 需要 logits（from_logits=True），但预测已经过 {maker}：它会被应用两次。\n"
        "改写为：去掉 {loss} 的 from_logits，或让最后一层不带激活函数。",
    ),
    "maybe_probabilities": (
        "{loss} expects logits (from_logits=True), but every row of the predictions (shape {predictions}) lies between 0 "
        "and 1 and adds up to 1. If they are probabilities already, leave from_logits out.",
        "{loss} 需要 logits（from_logits=True），但预测（形状 {predictions}）的每一行都在 0 与 1 之间且和为 1。"
        "若已经是概率，请去掉 from_logits。",
    ),
    "activation_twice": (
        "{loss}: the predictions (shape {predictions}) went through two activations, {makers}, and can no longer come near "
        "0 and 1. Leave one of them out.",
        "{loss}：预测（形状 {predictions}）经过了两次激活 {makers}，已无法接近 0 与 1。请去掉其中一个。",
    ),
    "data_of_batch": ("{what} of batch {number}", "第 {number} 批的 {what}"),
    "data_of_validation": ("{what} of the validation data", "验证数据的 {what}"),
    "fit_output": (
        "output {name}, shape {shape}",
        "输出 {name}，形状 {shape}",
    ),
    "logits_as_probabilities": (
        "{loss} expects probabilities, but the predictions (shape {predictions}) reach from {low} to {high}.\n"
        'Write instead: {loss} with from_logits=True, or a last layer with activation="{activation}".',
        "{loss} 需要概率，但预测（形状 {predictions}）的范围是 {low} 到 {high}。\n"
        '改写为：给 {loss} 设 from_logits=True，或让最后一层使用 activation="{activation}"。',
    ),
    "labels_not_probabilities": (
        "{loss}: the labels (shape {labels}) reach from {low} to {high}.\nExpected: {expected}",
        "{loss}：标签（形状 {labels}）的范围是 {low} 到 {high}。\n应为：{expected}",
    ),
    "expected_binary_labels": ("0 and 1, or numbers between them.", "0 与 1，或二者之间的数。"),
    "expected_one_hot": (
        "one-hot rows: numbers from 0 to 1 that add up to 1.",
        "one-hot 行：0 到 1 之间且和为 1 的数。",
    ),
    "single_class": (
        "{loss} over a single class is always 0 (predictions of shape {predictions}).\n"
        'Write instead: "binary_crossentropy" and a last layer with activation="sigmoid", or a unit for every class.',
        "只有一个类别时 {loss} 恒为 0（预测形状 {predictions}）。\n"
        '改写为："binary_crossentropy" 与 activation="sigmoid" 的最后一层，或每个类别一个单元。',
    ),
    "metric_for_loss": (
        "the metric {metric} compares class numbers or truth values, but the loss {loss} is one between numbers: it is "
        'nearly always 0. Perhaps you meant "mean_absolute_error".',
        '指标 {metric} 比较的是类别或真假，而损失 {loss} 是数值之间的损失：它几乎总是 0。也许你想用 "mean_absolute_error"。',
    ),
    "metric_labels": (
        "the metric {metric} expects {expected}, but the labels have the shape {labels} and the predictions {predictions}.\n"
        'Write instead: metrics=["accuracy"], which is chosen by the shapes.',
        "指标 {metric} 需要{expected}，但标签形状为 {labels}，预测形状为 {predictions}。\n"
        '改写为：metrics=["accuracy"]，它会按形状选择。',
    ),
    "expected_class_labels": ("class numbers", "类别编号"),
    "expected_one_hot_labels": ("one-hot labels", "one-hot 标签"),
    "expected_two_classes": ("one probability for every label", "每个标签对应一个概率"),
    "data_kind": (
        "the data hold values of dtype {came}.\nExpected: real numbers, whole numbers or booleans.",
        "数据的 dtype 为 {came}。\n应为：实数、整数或布尔值。",
    ),
    "fit_class_weight": (
        "class_weight={came}.\nExpected: a dictionary from class numbers to weights, for a model with one output.",
        "class_weight={came}。\n应为：从类别编号到权重的字典，且模型只有一个输出。",
    ),
    "class_weight_missing": (
        "class_weight does not name the classes {missing}, which are among the labels: they weigh 1.",
        "class_weight 没有给出标签中的类别 {missing}：它们的权重为 1。",
    ),
    "fit_batch": (
        "a batch has {came} parts.\nExpected: x, (x, y) or (x, y, sample_weight).",
        "一个批次有 {came} 个部分。\n应为：x、(x, y) 或 (x, y, sample_weight)。",
    ),
    "fit_no_data": (
        "no data were given.\nExpected: arrays x and y, or batches that hold both.",
        "没有给出数据。\n应为：数组 x 和 y，或同时包含两者的批次。",
    ),
    "fit_labels_twice": (
        "{came} hands out whole batches, so y and sample_weight cannot be given beside it.\n"
        "Write instead: let it hand out (x, y) or (x, y, sample_weight).",
        "{came} 给出完整的批次，因此不能再另外给出 y 和 sample_weight。\n改写为：让它给出 (x, y) 或 (x, y, sample_weight)。",
    ),
    "fit_data_over": (
        "The data are over: {came} batches came of the {wanted} that an epoch is to have.\n"
        "Write instead: a generator that does not end (while True: yield ...), Batches(..., repeat=None), or fewer steps.",
        "数据已经用完：每轮应有 {wanted} 个批次，只得到 {came} 个。\n"
        "改写为：不会结束的生成器（while True: yield ...）、Batches(..., repeat=None)，或减少步数。",
    ),
    "fit_split": (
        "validation_split={came} of {examples} examples leaves a side empty.\n"
        "Expected: a share between 0 and 1 that leaves examples on both sides.",
        "从 {examples} 个样本中取 validation_split={came} 会使一边为空。\n应为：0 到 1 之间、两边都留有样本的比例。",
    ),
    "fit_split_stream": (
        "validation_split needs arrays or frames, but {came} hands out its batches one by one.\n"
        "Write instead: validation_data=..., other batches of the same kind.",
        "validation_split 需要数组或数据框，而 {came} 逐个给出批次。\n改写为：validation_data=...，即同类的其他批次。",
    ),
    "fit_not_compiled": (
        "{method} needs to know how to train.\nWrite instead: model.compile(optimizer, loss, metrics) first.",
        "{method} 需要知道如何训练。\n改写为：先调用 model.compile(optimizer, loss, metrics)。",
    ),
    "fit_number": (
        "{name}={came}.\nExpected: a whole number of at least {least}.",
        "{name}={came}。\n应为：至少为 {least} 的整数。",
    ),
    "fit_interpreted": (
        "{what} runs step by step in Python, because it cannot be compiled: {reason}",
        "{what} 无法编译，因此在 Python 中逐步运行：{reason}",
    ),
    "objective_names": (
        "{what} names {came}, but the outputs of the model are {names}.\nExpected: these names.",
        "{what} 中有 {came}，而模型的输出是 {names}。\n应为：这些名称。",
    ),
    "objective_count": (
        "{what}: {came} for {count} outputs ({names}).\nExpected: one for each output.",
        "{what}：{count} 个输出（{names}）对应 {came}。\n应为：每个输出一个。",
    ),
    "objective_none": (
        "there is nothing to make small.\nWrite instead: model.compile(optimizer, loss=...), or add_loss in a layer.",
        "没有要最小化的东西。\n改写为：model.compile(optimizer, loss=...)，或在层中使用 add_loss。",
    ),
    "model_ends": (
        "a model between symbols needs both inputs and outputs.\nWrite instead: Model(inputs=..., outputs=...).",
        "由符号组成的模型需要输入和输出。\n改写为：Model(inputs=..., outputs=...)。",
    ),
    "model_layer": (
        "there is no layer {came}.\nExpected: a place, or one of these names: {names}.",
        "没有层 {came}。\n应为：位置，或下列名称之一：{names}。",
    ),
    "model_empty": (
        "{model} has no layer to take away.\nWrite instead: add one first.",
        "{model} 没有可以去掉的层。\n改写为：先添加一层。",
    ),
    "model_not_layer": (
        "{came} is not a layer.\nExpected: layers such as Dense(10), or Input(shape) first.",
        "{came} 不是层。\n应为：层，例如 Dense(10)，或首先是 Input(shape)。",
    ),
    "model_name": (
        "there is a layer {name} already.\nWrite instead: another name=....",
        "已有名为 {name} 的层。\n改写为：另取 name=...。",
    ),
    "summary_layer": ("Layer", "层"),
    "summary_shape": ("Output shape", "输出形状"),
    "summary_parameters": ("Parameters", "参数"),
    "summary_unbuilt": ("not built", "未构建"),
    "summary_totals": (
        "Total parameters: {total} ({size}); trained: {trained}; not trained: {others}",
        "参数总数：{total}（{size}）；可训练：{trained}；不可训练：{others}",
    ),
    "summary_optimizer": ("The optimizer holds {count} more.", "优化器另外保存 {count} 个。"),
}
