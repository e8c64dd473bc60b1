"""What the errors of data files and batches say: this family's part of the catalogue in ``messages.py``."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[str, str]] = {
    # -- Batches -------------------------------------------------------------------------------------------------------
    "batches_leaf": (
        "Batches cannot be made of {came}.\nExpected: arrays (or nestings of them) with one example per row, a pandas "
        "or Polars frame, an object with a length and numbered examples, an iterable of examples, or a function that "
        "makes one.\nWrite instead: np.asarray(...) for a list of numbers, lambda: iter(examples) for a list of "
        "examples.",
        "无法由 {came} 组成批次。\n应为：每行一个样本的数组（或其嵌套）、pandas 或 Polars 表、有长度且样本可按编号取得的对象、"
        "样本的可迭代对象，或返回它的函数。\n改写为：数的列表用 np.asarray(...)，样本的列表用 lambda: iter(examples)。",
    ),
    "batches_scalar": (
        "Batches were given {came}, a number without rows.\nExpected: every array has one row per example.",
        "批次得到 {came}，它是没有行的单个数。\n应为：每个数组每个样本一行。",
    ),
    "batches_lengths": (
        "The arrays have different numbers of examples: {shapes}.\nExpected: the same length along the first axis.\n"
        "Write instead: x[:n], y[:n], or look at how they were read.",
        "各数组的样本数不同：{shapes}。\n应为：第一个轴的长度都相同。\n改写为：x[:n], y[:n]，或检查读取的过程。",
    ),
    "batches_empty": (
        "The data set is empty: there is not a single example.\nLook at how it was read or selected.",
        "数据集是空的：一个样本也没有。\n请检查读取或筛选数据的过程。",
    ),
    "batches_larger": (
        "A batch of {size} examples is larger than the data set, which has {examples}: there is at most one batch.\n"
        "Write instead: batch_size={examples} or less.",
        "每批 {size} 个样本，多于数据集的全部 {examples} 个：至多只有一批。\n改写为：batch_size={examples} 或更小。",
    ),
    "batches_frame": (
        "A frame becomes one array, but not all of its columns are numbers: {columns}.\n"
        "Write instead: frame[[...]] with the columns of numbers, or {{name: frame[name] for name in frame.columns}} for "
        "a dictionary of columns.",
        "表会成为一个数组，但并非所有列都是数：{columns}。\n"
        "改写为：frame[[...]] 只取数值列，或用 {{name: frame[name] for name in frame.columns}} 得到各列的字典。",
    ),
    "batches_map": (
        "map is {came}, which cannot be called.\nExpected: a function of a batch.",
        "map 是 {came}，不能调用。\n应为：以批次为参数的函数。",
    ),
    "batches_number": (
        "Batches: {name} must be a whole number of at least {least}, but is {came}.",
        "Batches：{name} 应为不小于 {least} 的整数，而这里是 {came}。",
    ),
    "batches_stream_shuffle": (
        "What is read from front to back cannot be shuffled as a whole.\n"
        "Write instead: shuffle=1000, which shuffles blocks of 1000 examples.",
        "只能从头读到尾的数据无法整体打乱。\n改写为：shuffle=1000，即每 1000 个样本为一块，在块内打乱。",
    ),
    "batches_ready": (
        "batch_size=None is for data that comes in batches; arrays must be cut.\nWrite instead: batch_size=32.",
        "batch_size=None 只用于已分好批次的数据；数组需要切分。\n改写为：batch_size=32。",
    ),
    "batches_once": (
        "This {came} has been read already and can be read only once.\n"
        "Write instead: Batches(make) with the function that makes it, which every epoch calls anew.",
        "这个 {came} 已经读过，而它只能读一次。\n改写为：Batches(make)，传入产生它的函数，每轮重新调用。",
    ),
    "batches_no_length": (
        "How many batches there are is not known: the data is read from front to back, or repeated without end.\n"
        "Write instead: a data set with a length, or repeat=1.",
        "批次的数目未知：数据从头读到尾，或无限重复。\n改写为：使用有长度的数据集，或 repeat=1。",
    ),
    "batches_state": (
        "This is not a state of these batches: {came}\nExpected: what state() returned.",
        "这不是这些批次的状态：{came}\n应为：state() 的返回值。",
    ),
    "batches_other": (
        "The state is that of other batches: its {name} is {came}, here it is {expected}.\n"
        "Write instead: the same data and the same options as when the state was taken.",
        "该状态属于另外的批次：其中 {name} 是 {came}，这里是 {expected}。\n改写为：使用保存状态时相同的数据和选项。",
    ),
    "batches_nesting": (
        "Example {number} of the batch is nested differently from the first.\nExpected: all examples have the same keys "
        "and places.",
        "该批中第 {number} 个样本的嵌套方式与第一个不同。\n应为：所有样本有相同的键和位置。",
    ),
    "batches_examples": (
        "The examples of one batch have different shapes: {first} and {second}.\n"
        "Write instead: bring them to one shape first, for example with pad_sequences.",
        "同一批中的样本形状不同：{first} 与 {second}。\n改写为：先统一形状，例如用 pad_sequences。",
    ),
    # -- Files ---------------------------------------------------------------------------------------------------------
    "file_unreadable": (
        "{file} cannot be read: {reason}",
        "无法读取 {file}：{reason}",
    ),
    "file_large": (
        "{file} holds more than {most} bytes, unpacked, which is more than is read.\nWhere the reader has most=, a "
        "larger number reads it.",
        "{file}（解压后）超过 {most} 字节，超出读取上限。\n若读取函数有 most= 参数，可取更大的值。",
    ),
    "idx_dtype": (
        "IDX has no type for {came}.\nExpected: uint8, int8, int16, int32, float32 or float64.\n"
        "Write instead: array.astype(np.float32), for example.",
        "IDX 没有对应 {came} 的类型。\n应为：uint8、int8、int16、int32、float32 或 float64。\n"
        "改写为：例如 array.astype(np.float32)。",
    ),
    "idx_shape": (
        "IDX cannot hold an array of shape {came}.\nExpected: 1 to 8 axes, each shorter than 2³².",
        "IDX 无法保存形状为 {came} 的数组。\n应为：1 到 8 个轴，每个短于 2³²。",
    ),
    "csv_line": (
        "{file}, line {line}: {reason}\nExpected: text with one record a line, quoted where a cell holds a separator.",
        "{file} 第 {line} 行：{reason}\n应为：每行一条记录的文本，单元格含分隔符时加引号。",
    ),
    "csv_line_long": (
        "{file}, line {line} is longer than {most} bytes, so this is hardly a table.",
        "{file} 第 {line} 行超过 {most} 字节，不像是表格。",
    ),
    "csv_empty": ("{file} is empty: it has not a single row.", "{file} 是空的：一行也没有。"),
    "csv_width": (
        "{file}, line {line} has {came} cells.\nExpected: {expected}, one for every column. A cell that holds the "
        "separator must be quoted; another separator is given by delimiter=.",
        "{file} 第 {line} 行有 {came} 个单元格。\n应为：{expected} 个，每列一个。含分隔符的单元格要加引号；"
        "其他分隔符用 delimiter= 指定。",
    ),
    "csv_twice": (
        "{file}, line {line}: two columns are called {name!r}.\nWrite instead: names=[...] with a name for each.",
        "{file} 第 {line} 行：有两列都叫 {name!r}。\n改写为：用 names=[...] 为每列命名。",
    ),
    "csv_cell": (
        "{file}, line {line}, column {name!r}: {came} is not of type {kind}.\n"
        "Write instead: missing={{...}} if it stands for a missing value, or another type for the column.",
        "{file} 第 {line} 行，列 {name!r}：{came} 不是 {kind} 类型。\n"
        "改写为：若它表示缺失值，用 missing={{...}}；否则为该列选择别的类型。",
    ),
    "csv_types": (
        "types is {came}.\nExpected: a dictionary such as {{'age': int}}.",
        "types 是 {came}。\n应为：字典，如 {{'age': int}}。",
    ),
    "csv_column": (
        "{file} has no column {name!r}.\nExpected: one of {names}.",
        "{file} 中没有名为 {name!r} 的列。\n应为以下之一：{names}。",
    ),
    "csv_type": (
        "Column {name!r} cannot be read as {came!r}.\nExpected: float, int, bool or str.",
        "列 {name!r} 不能读作 {came!r}。\n应为：float、int、bool 或 str。",
    ),
    "csv_layout": (
        "This is no way to read a table: {reason}.\nExpected: delimiter and quote are two different characters, encoding "
        'is one in which a line ends with one byte, such as "utf-8", "gb18030" or "latin-1" (not UTF-16).',
        "这样无法读取表格：{reason}。\n应为：delimiter 与 quote 是两个不同的字符，encoding 是以单个字节换行的编码，"
        '如 "utf-8"、"gb18030" 或 "latin-1"（不能是 UTF-16）。',
    ),
    "wav_damaged": (
        "{file} cannot be read: {reason}\nExpected: a WAV file of whole numbers (PCM) of 8, 16, 24 or 32 bits, or of "
        "floats of 32 or 64 bits, not compressed.",
        "无法读取 {file}：{reason}\n应为：未压缩的 WAV 文件，8、16、24 或 32 位整数（PCM），或 32、64 位浮点数。",
    ),
    "wav_samples": (
        "These samples cannot be written: {came}.\nExpected: finite numbers from -1 to 1, (n,) or (n, channels), and a "
        "rate of at least 1.",
        "无法写入这些采样：{came}。\n应为：-1 到 1 的有限数，形状 (n,) 或 (n, 声道)，采样率至少为 1。",
    ),
    "image_pillow": (
        "Pictures are read by Pillow, which is not installed.\nWrite instead: pip install pillow "
        "(or pip install backlight[images]).",
        "读取图片需要 Pillow，但它没有安装。\n请运行：pip install pillow（或 pip install backlight[images]）。",
    ),
    "image_damaged": (
        "{file} cannot be read as a picture: {reason}",
        "无法把 {file} 读作图片：{reason}",
    ),
    "image_folder": (
        "{folder} holds no pictures in folders: {reason}\nExpected: one folder for every class, with the pictures in it.",
        "{folder} 中没有按文件夹存放的图片：{reason}\n应为：每个类别一个文件夹，图片放在其中。",
    ),
    "image_mode": (
        "There is no color_mode {came}.\nExpected: {modes}.",
        "没有 color_mode {came}。\n应为：{modes}。",
    ),
    "image_size": (
        "A picture cannot have the size {came}.\nExpected: (height, width), two positive whole numbers.",
        "图片的尺寸不能是 {came}。\n应为：(高, 宽)，两个正整数。",
    ),
    "image_number": (
        "There is no picture {came}; there are {count}, from 0.",
        "没有第 {came} 张图片；共有 {count} 张，从 0 起。",
    ),
    # -- Text and labels -----------------------------------------------------------------------------------------------
    "tokens_twice": (
        "A tokeniser cannot have the same token twice.",
        "分词器中不能有两个相同的词元。",
    ),
    "tokens_size": (
        "The vocabulary needs at least {least} tokens, but {came} are asked for.",
        "词表至少需要 {least} 个词元，而要求的是 {came} 个。",
    ),
    "tokens_unknown": (
        "The tokeniser does not know the character {came}.\nWrite instead: CharacterTokenizer.train(text) with a text "
        "that contains it, or BytePairTokenizer, which encodes every text.",
        "分词器不认识字符 {came}。\n改写为：用包含它的文本 CharacterTokenizer.train(text)，"
        "或使用能编码任何文本的 BytePairTokenizer。",
    ),
    "tokens_merges": (
        "These pairs cannot be joined: {reason}.\nExpected: pair k is made of two tokens below 256 + k.",
        "无法合并这些对：{reason}。\n应为：第 k 对由两个小于 256 + k 的词元组成。",
    ),
    "tokens_text": (
        "A tokeniser was given {came}.\nExpected: text, a str.\nWrite instead: data.decode() for bytes.",
        "分词器得到 {came}。\n应为：文本（str）。\n改写为：bytes 用 data.decode()。",
    ),
    "tokens_numbers": (
        "Tokens are whole numbers in one row, but {came} was given.",
        "词元应为一行整数，而这里是 {came}。",
    ),
    "tokens_range": (
        "There is no token {came}.\nExpected: 0 to {size} - 1.",
        "没有编号为 {came} 的词元。\n应为：0 到 {size} - 1。",
    ),
    "tokens_file": (
        "{file} is not a tokeniser: {reason}\nExpected: JSON as save() writes it.",
        "{file} 不是分词器文件：{reason}\n应为：save() 写出的 JSON。",
    ),
    "pad_option": (
        'pad_sequences: {name} is {came}.\nExpected: "pre" or "post".',
        'pad_sequences：{name} 是 {came}。\n应为："pre" 或 "post"。',
    ),
    "pad_dtype": (
        'pad_sequences: there is no dtype {came}.\nExpected: one of NumPy\'s, such as "int32".',
        'pad_sequences：没有 dtype {came}。\n应为：NumPy 的 dtype，如 "int32"。',
    ),
    "pad_length": (
        "pad_sequences: maxlen is {came}.\nExpected: a whole number of at least 0, or None for the longest length.",
        "pad_sequences：maxlen 是 {came}。\n应为：不小于 0 的整数，或 None（取最长的长度）。",
    ),
    "pad_sequence": (
        "pad_sequences: item {number} is {came}, which is no sequence.\nWrite instead: [[1, 2, 3], [4]], a list of lists.",
        "pad_sequences：第 {number} 项是 {came}，不是序列。\n改写为：列表的列表，如 [[1, 2, 3], [4]]。",
    ),
    "pad_ragged": (
        "pad_sequences: the items of sequence {number} have different shapes.",
        "pad_sequences：第 {number} 个序列中各项的形状不同。",
    ),
    "pad_shapes": (
        "pad_sequences: the items of sequence {number} have the shape {came}, those before it {expected}.",
        "pad_sequences：第 {number} 个序列的各项形状为 {came}，之前的是 {expected}。",
    ),
    "pad_value": (
        'pad_sequences: {value} cannot be stored as {dtype}.\nWrite instead: dtype="float32".',
        'pad_sequences：{value} 无法存为 {dtype}。\n改写为：dtype="float32"。',
    ),
    "labels_kind": (
        "to_categorical was given {came}.\nExpected: whole numbers from 0, and at least one of them without num_classes.",
        "to_categorical 得到 {came}。\n应为：从 0 起的整数；不给 num_classes 时至少一个。",
    ),
    "labels_classes": (
        "to_categorical: num_classes is {came}.\nExpected: a whole number of at least 1.",
        "to_categorical：num_classes 是 {came}。\n应为：不小于 1 的整数。",
    ),
    "labels_range": (
        "There is a label {came}.\nExpected: 0 to {count} - 1.\nWrite instead: a larger num_classes, or labels from 0.",
        "有一个标签是 {came}。\n应为：0 到 {count} - 1。\n改写为：更大的 num_classes，或从 0 起的标签。",
    ),
    "split_rows": (
        "train_test_split was given {came}.\nExpected: arrays, frames or lists with one example per row.",
        "train_test_split 得到 {came}。\n应为：每行一个样本的数组、表或列表。",
    ),
    "split_size": (
        "test_size={came} of {examples} examples leaves one part empty.\nExpected: a share between 0 and 1, or a number "
        "of examples below {examples}.",
        "{examples} 个样本中取 test_size={came}，会使其中一部分为空。\n应为：0 到 1 之间的比例，或小于 {examples} 的样本数。",
    ),
    # -- Published sets ------------------------------------------------------------------------------------------------
    "data_split": (
        '{title}: there is no part named {came}.\nExpected: "train" or "test".',
        '{title}：没有名为 {came} 的部分。\n应为："train" 或 "test"。',
    ),
    "data_missing": (
        "{title} is not in {folder}. These files are missing:{files}\n"
        "They were published at:{urls}\nThey could not be fetched: {reason}\n"
        "Put them there as published (they need not be unpacked), or set BACKLIGHT_DATA to the folder that holds the "
        "folder of the set.",
        "{folder} 中没有 {title}。缺少以下文件：{files}\n原始发布地址：{urls}\n自动下载失败：{reason}\n"
        "请把原始文件放到那里（无需解压），或将 BACKLIGHT_DATA 设为包含该数据集文件夹的文件夹。",
    ),
    "data_content": (
        "{file} does not hold what {title} holds.\nExpected: {expected}\nCame: {came}",
        "{file} 的内容不是 {title}。\n应为：{expected}\n实为：{came}",
    ),
    "download_begins": (
        "Fetching {file}, {mebibytes} MiB, from {url}",
        "正在下载 {file}，{mebibytes} MiB，来自 {url}",
    ),
    "download_failed": (
        "{url} did not answer as expected: {reason}",
        "{url} 没有正常响应：{reason}",
    ),
    "download_short": (
        "{url} broke off: {expected} bytes were published, {came} came.",
        "{url} 中断：应有 {expected} 字节，收到 {came} 字节。",
    ),
    "download_long": (
        "{url} sent more than the {expected} bytes that were published.",
        "{url} 发来的内容超过原始发布的 {expected} 字节。",
    ),
    "download_checksum": (
        "{url} sent other bytes than were published: SHA-256 {came} instead of {expected}.",
        "{url} 发来的内容与原始发布的不同：SHA-256 为 {came}，应为 {expected}。",
    ),
}
