"""What is said of files that models are kept in: key -> (English, Chinese)."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    "state_bad": (
        "{file} cannot be used. Where: {place}. What: {problem}",
        "无法使用 {file}。位置：{place}。问题：{problem}",
    ),
    "state_missing": (
        "There is no file {file}.\nWrite instead: the path of a file that model.save or model.save_weights wrote.",
        "没有文件 {file}。\n改写为：由 model.save 或 model.save_weights 写出的文件的路径。",
    ),
    "state_previous": (
        "What was saved there before is kept in {file}, and can be loaded.",
        "此前保存的内容保留在 {file} 中，可以加载。",
    ),
    "state_file": ("the file", "整个文件"),
    "state_length": ("bytes 0 to 7, the length of the header", "第 0 至 7 字节（文件头长度）"),
    "state_header": ("the header", "文件头"),
    "state_data": ("the arrays", "数组"),
    "state_short": (
        "a header of {length} bytes is announced, but the file has {size} bytes in all: it is cut short, or no "
        "safetensors file.",
        "声明的文件头为 {length} 字节，而整个文件只有 {size} 字节：文件不完整，或不是 safetensors 文件。",
    ),
    "state_long": (
        "a header of {length} bytes is announced; at most {most} are read.",
        "声明的文件头为 {length} 字节；最多只读取 {most} 字节。",
    ),
    "state_no_json": ("no JSON: {reason}", "不是 JSON：{reason}"),
    "state_depth": (
        "more than {most} brackets are open inside each other.",
        "嵌套的括号超过 {most} 层。",
    ),
    "state_twice": ("the name {name!r} comes twice.", "名称 {name!r} 出现了两次。"),
    "state_number": (
        "{came} is no number that a file may hold: 64 bits, neither NaN nor infinite.",
        "{came} 不是文件中允许的数：应在 64 位之内，且不是 NaN 或无穷。",
    ),
    "state_no_object": ("expected {{…}}.", "应为 {{…}}。"),
    "state_no_strings": ("expected an object of strings.", "应为由字符串组成的对象。"),
    "state_entry": (
        "expected an object of dtype, shape and data_offsets.",
        "应为含 dtype、shape 与 data_offsets 的对象。",
    ),
    "state_kind": ("numbers of kind {came}; known are {names}.", "数的类型为 {came}；已知的有 {names}。"),
    "state_shape": ("{came} is no shape.", "{came} 不是形状。"),
    "state_offsets": (
        "the bytes {came} do not lie within the {size} bytes of the arrays.",
        "字节范围 {came} 不在数组的 {size} 字节之内。",
    ),
    "state_bytes": (
        "{came} bytes are no {dtype} of shape {shape}.",
        "{came} 字节不是形状为 {shape} 的 {dtype}。",
    ),
    "state_gap": (
        "the array begins at {begin}, but the one before ends at {at}.",
        "该数组从 {begin} 开始，而前一个在 {at} 结束。",
    ),
    "state_rest": (
        "the header tells of {at} bytes, but there are {size}: the file is cut short or has been added to.",
        "文件头说明共 {at} 字节，实有 {size} 字节：文件不完整，或被追加了内容。",
    ),
    "state_cut": ("the file ended while it was read.", "读取过程中文件提前结束。"),
    "state_bool": ("a truth value that is neither 0 nor 1.", "布尔值既不是 0 也不是 1。"),
    "state_no_digest": ("no digest of 64 digits.", "没有 64 位的摘要。"),
    "state_digest": (
        "the file is damaged: its digest begins with {came}, and should with {expected}.",
        "文件已损坏：摘要以 {came} 开头，应以 {expected} 开头。",
    ),
    "state_other": ("{file} is no safetensors file: {problem}", "{file} 不是 safetensors 文件：{problem}"),
    "state_zip": (
        "it is a zip archive, as Keras (.keras) and PyTorch (.pt) write them, and may hold code.\nWrite instead, once, "
        "where that library is: safetensors.numpy.save_file({{v.path: np.array(v.numpy(), order='C') for v in model.weights}}, path) for "
        'Keras, and here model.load_weights(path, name_map="keras"); safetensors.torch.save_file(model.state_dict(), '
        'path) for PyTorch, and here name_map="torch".',
        "它是 zip 压缩包，Keras（.keras）和 PyTorch（.pt）用这种格式，其中可能含有代码。\n改写为：在装有该库的环境中执行一次。"
        "Keras：safetensors.numpy.save_file({{v.path: np.array(v.numpy(), order='C') for v in model.weights}}, path)，然后在这里 "
        'model.load_weights(path, name_map="keras")；PyTorch：safetensors.torch.save_file(model.state_dict(), path)，'
        '然后在这里用 name_map="torch"。',
    ),
    "state_hdf5": (
        "it is an HDF5 file, as Keras (.h5, .weights.h5) writes them.\nWrite instead, once, where Keras is: "
        "safetensors.numpy.save_file({{v.path: np.array(v.numpy(), order='C') for v in model.weights}}, path), and here "
        'model.load_weights(path, name_map="keras").',
        "它是 HDF5 文件，Keras（.h5、.weights.h5）用这种格式。\n改写为：在装有 Keras 的环境中执行一次 "
        "safetensors.numpy.save_file({{v.path: np.array(v.numpy(), order='C') for v in model.weights}}, path)，然后在这里 "
        'model.load_weights(path, name_map="keras")。',
    ),
    "state_pickle": (
        "it is a pickle, which runs code when it is read, and is never read here.\nWrite instead, once, where it was "
        "written: safetensors.torch.save_file(model.state_dict(), path), and here "
        'model.load_weights(path, name_map="torch").',
        "它是 pickle 文件，读取时会执行代码，这里绝不读取。\n改写为：在写出它的环境中执行一次 "
        'safetensors.torch.save_file(model.state_dict(), path)，然后在这里 model.load_weights(path, name_map="torch")。',
    ),
    "state_format": (
        "the format is {came}, not 'backlight.state': this is no model that model.save wrote.\n"
        "Write instead: model.load_weights(path) on a model that you make, if these are weights.",
        "格式为 {came}，而不是 'backlight.state'：这不是 model.save 写出的模型。\n"
        "改写为：若这些是权重，则先创建模型，再用 model.load_weights(path)。",
    ),
    "state_version": (
        "version {came!r} of the format; this Backlight reads {known!r}.",
        "格式版本为 {came!r}；当前的 Backlight 读取 {known!r}。",
    ),
    "state_form": ("not of the form that is expected: {came}", "不符合应有的形式：{came}"),
    "state_no_layer": ("the model has no such layer.", "模型中没有这样的层。"),
    "state_no_variable": ("the model has no variable {name!r}.", "模型中没有变量 {name!r}。"),
    "state_no_model": ("a {came} is no model.", "{came} 不是模型。"),
    "state_room": (
        "weights of shape {shape} are asked for, but the file holds {most} bytes of weights in all.",
        "要求形状为 {shape} 的权重，而文件中的权重总共只有 {most} 字节。",
    ),
    "state_custom": (
        "The model in {file} is made of things that are not Backlight's: {names}.\n"
        "Write instead: backlight.load(path, custom_objects={{name: thing}}) with each of them, which only you can have.",
        "{file} 中的模型用到了不属于 Backlight 的对象：{names}。\n"
        "改写为：backlight.load(path, custom_objects={{名称: 对象}})，逐一给出这些对象。",
    ),
    "state_not_plain": (
        "{came} has no form as plain data.",
        "{came} 无法写成普通数据。",
    ),
    "state_layer": (
        "The layer '{layer}' ({kind}) cannot be written down: {reason}\n"
        "Write instead: a class with get_config (a named function, not a lambda), which whoever loads the model hands over "
        "in custom_objects; or save the numbers alone, model.save_weights(path).",
        "层 '{layer}'（{kind}）无法写成普通数据：{reason}\n"
        "改写为：使用带 get_config 的类（用具名函数，不用 lambda），加载者通过 custom_objects 提供它；"
        "或只保存数值：model.save_weights(path)。",
    ),
    "state_two": (
        "{name} is the name of two different things; give one of them another name.",
        "{name} 是两个不同对象的名称；请给其中一个改名。",
    ),
    "state_unwritten": (
        "The model '{model}' cannot be written down: {reason}\n"
        "Expected: options, losses, metrics and history that are numbers, names and lists of them.\n"
        "Write instead: model.save_weights(path), which saves the numbers alone.",
        "模型 '{model}' 无法写成普通数据：{reason}\n"
        "应为：选项、损失、指标和历史由数、名称及其列表组成。\n"
        "改写为：model.save_weights(path)，只保存数值。",
    ),
    "state_unmakeable": (
        "The model '{model}' ({kind}) could not be made again from what was written down of it: {reason}\n"
        "Expected: get_config and from_config of your own classes that lead to the same model; no layer in two models.\n"
        "Write instead: model.save_weights(path), which saves the numbers alone.",
        "模型 '{model}'（{kind}）无法根据写下的内容重新构造：{reason}\n"
        "应为：你自己的类的 get_config 与 from_config 能得到同样的模型；同一层不出现在两个模型中。\n"
        "改写为：model.save_weights(path)，只保存数值。",
    ),
    "state_stranger": (
        "{optimizer} was built for a variable that is not the model's: {name}.\n"
        "Write instead: compile the model again, with an optimizer of its own.",
        "{optimizer} 是为不属于该模型的变量 {name} 建立的。\n改写为：用模型自己的优化器重新 compile。",
    ),
    "state_exists": (
        "{file} exists, and overwrite=False.\nWrite instead: another path, or overwrite=True.",
        "{file} 已存在，且 overwrite=False。\n改写为：换一个路径，或用 overwrite=True。",
    ),
    "state_unwritable": (
        "{file} could not be written: {reason}. What was there before is unchanged.",
        "无法写入 {file}：{reason}。原有内容未变。",
    ),
    "state_dtype": (
        "{name} holds {came}, which a safetensors file cannot hold.\nExpected: {names}.",
        "{name} 的类型为 {came}，safetensors 文件无法保存。\n应为：{names}。",
    ),
    "state_lacks": (
        "{name}: not in the file; {owner}expected {expected}",
        "{name}：文件中没有；{owner}应为 {expected}",
    ),
    "state_differs": (
        "{name}: the file has {came}; {owner}expected {expected}",
        "{name}：文件中为 {came}；{owner}应为 {expected}",
    ),
    "state_unexpected": (
        "{name}: in the file ({came}), but not in the model",
        "{name}：文件中有（{came}），模型中没有",
    ),
    "state_more": ("… and {count} more", "……另有 {count} 项"),
    "state_owner": ("layer '{layer}' ({kind}) ", "层 '{layer}'（{kind}）"),
    "state_mismatch": (
        "The weights in {file} are not those of the model '{model}', which is unchanged:\n{lines}\n"
        "Write instead: a model of the same layers; name_map={{theirs: ours}} where only the names differ; or "
        "skip_mismatch=True for what fits.",
        "{file} 中的权重与模型 '{model}' 不符，模型未改变：\n{lines}\n"
        "改写为：使用相同的层；若只是名称不同，用 name_map={{对方名称: 本方名称}}；或用 skip_mismatch=True 只加载相符的部分。",
    ),
    "state_skipped": (
        "Not everything in {file} fits; these were left as they are:\n{lines}",
        "{file} 中的内容并不完全相符；以下各项保持原样：\n{lines}",
    ),
    "state_empty": (
        "The model '{model}' has no weights yet.\n"
        "Write instead: call it on data first, or give its first layer an input_shape.",
        "模型 '{model}' 还没有权重。\n改写为：先用数据调用它，或给第一层指定 input_shape。",
    ),
    "state_map": (
        "name_map={came} is no map of names.\nExpected: a dictionary, a function, from_torch(…), from_keras(…), or one of "
        "{names}.",
        "name_map={came} 不是名称映射。\n应为：字典、函数、from_torch(…)、from_keras(…)，或 {names} 之一。",
    ),
    "state_axes": (
        "name_map orders the axes of {name} as {axes}, but it has the shape {shape}.\nExpected: every axis once.",
        "name_map 把 {name} 的轴排成 {axes}，但它的形状是 {shape}。\n应为：每个轴恰好出现一次。",
    ),
    "state_same": (
        "name_map gives the name {name} twice, the second time for {came}.\n"
        "Expected: a name of its own for each; None leaves one out.",
        "name_map 两次给出名称 {name}，第二次是给 {came} 的。\n应为：名称各不相同；None 表示略去。",
    ),
    "state_convert": (
        "{name} of shape {shape} cannot be converted: {reason}",
        "形状为 {shape} 的 {name} 无法转换：{reason}",
    ),
}
