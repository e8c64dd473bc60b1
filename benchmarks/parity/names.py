"""Which public names have to be compared, which have no counterpart and why, and which differences are meant."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.parity.cases import Case, Pair, keras, only_keras, ours

__all__ = ["ALONE", "BESIDES", "MEANT", "arguments", "missing", "public"]

NAMESPACES = (
    "layers", "activations", "initializers", "losses", "metrics", "optimizers", "optimizers.schedules", "regularizers",
    "constraints", "utils", "callbacks",
)  # fmt: skip
PLAIN = "looks things up by name, or writes them down; has no numbers"
BASE = "the base of the others, which are compared"
OURS = "ours alone: neither Keras nor PyTorch has it; tested against numbers worked out apart from it"
BLOCKS = "Keras has none; PyTorch's blocks are not compared yet, their parts are: attention, normalisation, products"
ALONE: dict[str, str] = {
    **dict.fromkeys(("get", "serialize", "deserialize", "resolve", "OPTIMIZERS", "RULES", "SCHEDULES"), PLAIN),
    **dict.fromkeys(("Layer", "Loss", "Metric", "Optimizer", "Initializer", "Regularizer", "Constraint"), BASE),
    **dict.fromkeys(("Callback", "CallbackList", "LearningRateSchedule", "FunctionLoss"), BASE),
    **dict.fromkeys(("PositionEmbedding", "SinePositionEncoding", "TokenAndPositionEmbedding"), OURS),
    **dict.fromkeys(("Perplexity", "ConfusionMatrix"), OURS),
    **dict.fromkeys(("TransformerEncoder", "TransformerDecoder"), BLOCKS),
    "Input": "makes a symbol; has no numbers",
    "InputLayer": "makes a symbol; has no numbers",
    "InputSpec": "says which shapes a layer takes; has no numbers",
    "Operation": "any function of NumPy's as a layer; compared as functions are",
    "SeedGenerator": "keys of random draws, which are not Keras's",
    "another": "the same initialiser with another seed",
    "fans": "inside of the initialisers, which are compared",
    "Minimum": "(of `optimizers`) what `minimize` gives back",
    "transformation": "an optimiser's rule as pure functions; compared as the optimiser",
    "clear_session": "counts names anew; has no numbers",
    "set_random_seed": "draws are not those of Keras",
    "ProgressBar": "prints",
    "TensorBoard": "writes files, which the tests read back",
    "batch_interval": "inside of `fit`",
    "needs_batches": "inside of `fit`",
}
NO_DEFAULT = {**dict.fromkeys((f"AveragePooling{n}D" for n in (1, 2, 3)), "pool_size"), "dot": "axes"}
"""Options that have to be said in Keras alone."""

SAME_BORDER = (
    "PyTorch's backend of Keras counts some of the zeros beyond the borders; the means here are those of JAX and "
    "TensorFlow: of what is there"
)
LOST = "Keras's 1 - p cancels in float32: 7e-5 off the numbers in float64, here 4e-7"
IGNORED = "Keras counts ignored examples in the mean unless there are weights; here they never count, as in its loss"
BORDER = "at the step where a period begins, Keras's float32 is still in the one before"
CONTRAST = "Keras documents [1 - f, 1 + f] for one number f, and draws from [1, 1 + f]; here as documented"
CROP = "Keras documents the middle in the size outside of training, and gives the whole image; here as documented"
MEANT: dict[str, str] = {
    "AveragePooling1D(pool_size=4, padding='same')": SAME_BORDER,
    "BinaryFocalCrossentropy(from_logits=True, label_smoothing=0.1) on logits": LOST,
    "SparseCategoricalCrossentropy(from_logits=True, ignore_class=2) on sparse logits [metrics]": IGNORED,
    "CosineDecayRestarts(initial_learning_rate=0.1, first_decay_steps=4, t_mul=1.5, m_mul=0.7, alpha=0.1)": BORDER,
    "RandomContrast(factor=0.5) (drawn)": CONTRAST,
    "RandomCrop(height=4, width=5) outside of training": CROP,
    "RandomCrop(height=8, width=5) outside of training": CROP,
    "RandomCrop(height=4, width=2, data_format='channels_first') outside of training": CROP,
}
"""Differences that stay, and why. A label may name its family, where two have the same."""

BESIDES = (
    "RandomCrop draws a place for every image, Keras one for the whole batch.",
    "R2Score of no data is 0, Keras's NaN.",
)
"""… that no case shows."""

COMMON = {"name", "dtype", "seed", "reduction", "activity_regularizer", "trainable", "autocast", "input_shape"}
COMMON |= {"input_dim", "batch_input_shape", "default", "console", "custom_objects", "self", "kwargs", "args"}
"""Options that all of a kind have in common, and such as are no part of Keras's."""

PARTS = {"images": "layers", "schedules": "optimizers.schedules"}  # families of cases that belong to a namespace


def public() -> dict[str, list[str]]:
    """The public names of every namespace."""
    return {
        path: [name for name in ours(path).__all__ if name != "schedules" and not _second(ours(path), name)]
        for path in NAMESPACES
    }


def _second(namespace: Any, name: str) -> bool:
    """Whether this is another name of a class that is listed under its own."""
    kind = getattr(namespace, name)
    return isinstance(kind, type) and kind.__name__ != name and kind.__name__ in namespace.__all__


def parameters(thing: Any) -> dict[str, inspect.Parameter]:
    """What can be said when it is called."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: each for name, each in inspect.signature(thing).parameters.items() if each.kind not in kinds}


def missing(cases: Iterable[Case]) -> list[str]:
    """Public names without a case, with default arguments or with others, and names that have no reason to be here."""
    by_name: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        by_name.setdefault((PARTS.get(case.family, case.family), case.name), []).append(case)
    found = []
    for path, names in public().items():
        for name in names:
            mine = by_name.get((path, name), [])
            if not mine:
                if name not in ALONE:
                    found.append(f"{path}.{name} is not compared, and nothing says why")
                continue
            optional = {
                key
                for key, each in parameters(ours(f"{path}.{name}")).items()
                if each.default is not inspect.Parameter.empty and key not in COMMON and key != NO_DEFAULT.get(name)
            }
            if path == "callbacks":  # options at random
                continue
            if all(optional & set(case.options) for case in mine):
                found.append(f"{path}.{name} is not compared with its defaults")
            if optional and not any(optional & set(case.options) for case in mine):
                others = ", ".join(sorted(optional))
                found.append(f"{path}.{name} is compared with its defaults alone, not with {others}")
    unknown = sorted(ALONE.keys() - {name for names in public().values() for name in names})
    return found + [f"{name} is said to have no counterpart, but there is no such name" for name in unknown]


def arguments() -> Iterator[Case]:
    """The arguments that both have, in the order in which they can be given by place."""
    for path, names in public().items():
        for name in names:
            if name not in ALONE:
                yield _order(path, name)


def _order(path: str, name: str) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        where = f"{path}.{name}"
        mine = list(parameters(ours(where)))
        theirs = list(parameters(keras(where))) if only_keras(where) else []
        both = set(mine) & set(theirs) - {"name", "dtype"}
        yield Pair("Keras", "value", *([key for key in keys if key in both] for keys in (mine, theirs)))

    return Case("arguments", name, {}, found, f"of {path}", ("float32",))
