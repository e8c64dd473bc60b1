"""Weights of other libraries: a table of how theirs become ours, read without those libraries.

PyTorch keeps a matrix as (out, in) and an image kernel as (out, in, height, width), Backlight, like Keras, as (in, out)
and (height, width, in, out); and each orders the gates of recurrent layers in its own way. Keras's arrays are laid out
as ours are, only their names differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import message
from backlight.nn.layer import Layer
from backlight.train.saving.paths import layers_by_path, names_by_path, weights_by_path

__all__ = ["READY", "TORCH", "Arranged", "Row", "from_keras", "from_torch"]

Arrays = Sequence[Any]


class Row(NamedTuple):
    """How the arrays ``theirs`` of a layer become the weight ``ours`` of a layer of one of the ``kinds``.

    Where axes are ``grouped``, ours has several for one of theirs: channels and multiplier, heads and their numbers.
    """

    kinds: tuple[str, ...]
    ours: str
    theirs: tuple[str, ...]
    made: Callable[..., Any]
    grouped: bool = False


def _same(x: Any) -> Any:
    return x


def _axes(*order: int) -> Callable[[Any], Any]:
    return lambda x: np.transpose(x, order)


def _sum(one: Any, other: Any) -> Any:
    return one + other


def _gates(x: Any) -> Any:
    """The blocks of a GRU: their r, z, n are our z, r, n."""
    r, z, n = np.split(x, 3)
    return np.concatenate([z, r, n])


def _turned_gates(x: Any) -> Any:
    return _gates(x).T


def _both_gates(one: Any, other: Any) -> Any:
    return np.stack([_gates(one), _gates(other)])


def _third(number: int) -> Callable[[Any], Any]:
    """Query, key or value, of a projection that makes all three."""
    return lambda x: np.split(x, 3)[number].T


NORMS = ("BatchNormalization", "LayerNormalization", "GroupNormalization")
BIASED = ("Dense", *(f"Conv{n}D{way}" for n in (1, 2, 3) for way in ("", "Transpose")))
BIASED += ("DepthwiseConv1D", "DepthwiseConv2D")
ATTENTION = ("MultiHeadAttention",)
WALKS = ("LSTM", "SimpleRNN")

TORCH: tuple[Row, ...] = (
    Row(("Dense",), "kernel", ("weight",), _axes(1, 0)),
    Row(("Conv1D", "Conv1DTranspose"), "kernel", ("weight",), _axes(2, 1, 0)),
    Row(("Conv2D", "Conv2DTranspose"), "kernel", ("weight",), _axes(2, 3, 1, 0)),
    Row(("Conv3D", "Conv3DTranspose"), "kernel", ("weight",), _axes(2, 3, 4, 1, 0)),
    Row(("DepthwiseConv1D",), "kernel", ("weight",), _axes(2, 0, 1), True),
    Row(("DepthwiseConv2D",), "kernel", ("weight",), _axes(2, 3, 0, 1), True),
    Row(BIASED, "bias", ("bias",), _same),
    Row(("Embedding",), "embeddings", ("weight",), _same),
    Row(NORMS, "gamma", ("weight",), _same),
    Row(NORMS, "beta", ("bias",), _same),
    Row(("BatchNormalization",), "moving_mean", ("running_mean",), _same),
    Row(("BatchNormalization",), "moving_variance", ("running_var",), _same),
    Row(WALKS, "cell/kernel", ("weight_ih_l0",), _axes(1, 0)),
    Row(WALKS, "cell/recurrent_kernel", ("weight_hh_l0",), _axes(1, 0)),
    Row(WALKS, "cell/bias", ("bias_ih_l0", "bias_hh_l0"), _sum),
    Row(("GRU",), "cell/kernel", ("weight_ih_l0",), _turned_gates),
    Row(("GRU",), "cell/recurrent_kernel", ("weight_hh_l0",), _turned_gates),
    Row(("GRU",), "cell/bias", ("bias_ih_l0", "bias_hh_l0"), _both_gates),
    *(
        row
        for k, part in enumerate(("query", "key", "value"))
        for row in (
            Row(ATTENTION, f"{part}_dense/kernel", ("in_proj_weight",), _third(k), True),
            Row(ATTENTION, f"{part}_dense/bias", ("in_proj_bias",), _third(k), True),
        )
    ),
    Row(ATTENTION, "output_dense/kernel", ("out_proj.weight",), _axes(1, 0), True),
    Row(ATTENTION, "output_dense/bias", ("out_proj.bias",), _same),
)
"""PyTorch's modules: ``weight`` of a ``Linear`` becomes ``kernel`` of a ``Dense``, and so on."""

NOT_NEEDED = ("num_batches_tracked",)


class Arranged:
    """A map for ``load_weights`` that knows the layers: ``arrange(model, arrays)`` gives arrays by our names."""

    def __init__(self, arrange: Callable[[Any, Mapping[str, Any]], dict[str, Any]]) -> None:
        self.arrange = arrange


def from_torch(
    layers: Mapping[str, str] | None = None, flattened: Mapping[str, Sequence[int]] | None = None
) -> Arranged:
    """For ``load_weights(path, name_map=from_torch({"fc1": "dense"}))``: a file of PyTorch's ``state_dict()``.

    ``layers`` leads from the names of their modules to the paths of our layers; what it does not name is looked for
    under the same path (``encoder.proj`` is ``encoder/proj``). A ``Dense`` behind a ``Flatten`` of images gets its
    inputs in another order than PyTorch's, where channels come first: ``flattened={"dense": (7, 7, 64)}`` says what
    images, as (height, width, channels).

    >>> import numpy as np
    >>> from backlight.train.model import Sequential
    >>> from backlight.nn.layers import Dense
    >>> model = Sequential([Dense(1, use_bias=False, input_shape=(2,))])
    >>> from_torch({"0": "dense"}).arrange(model, {"0.weight": np.array([[1.0, 2.0]])})
    {'dense/kernel': array([[1.],
           [2.]])}
    """
    return Arranged(lambda model, arrays: _from_torch(model, arrays, layers or {}, flattened or {}))


def _from_torch(
    model: Any, arrays: Mapping[str, Any], layers: Mapping[str, str], flattened: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    modules = {ours: theirs for theirs, ours in layers.items()}
    weights, left = weights_by_path(model), dict(arrays)
    found: dict[str, Any] = {}
    for path, layer in layers_by_path(model).items():
        module = modules.get(path, path.replace("/", "."))
        for row in TORCH:
            ours, theirs = f"{path}/{row.ours}", [f"{module}.{name}" for name in row.theirs]
            if type(layer).__name__ in row.kinds and ours in weights and all(name in arrays for name in theirs):
                found[ours] = _converted(row, [arrays[name] for name in theirs], theirs)
                if row.grouped and found[ours].size == weights[ours].size:
                    found[ours] = found[ours].reshape(weights[ours].shape)
                if path in flattened and row.ours == "kernel":
                    found[ours] = _channels_last(found[ours], flattened[path], theirs[0])
                for name in theirs:
                    left.pop(name, None)
    return found | {name: array for name, array in left.items() if name.rsplit(".", 1)[-1] not in NOT_NEEDED}


def _converted(row: Row, given: Arrays, names: Sequence[str]) -> Any:
    try:
        return np.ascontiguousarray(row.made(*given))
    except ValueError as error:
        shapes = ", ".join(str(tuple(each.shape)) for each in given)
        raise ValueError(message("state_convert", name=", ".join(names), shape=shapes, reason=error)) from None


def _channels_last(kernel: Any, image: Sequence[int], name: str) -> Any:
    height, width, channels = image
    if kernel.shape[0] != height * width * channels:
        raise ValueError(message("state_convert", name=name, shape=tuple(kernel.shape), reason=f"{tuple(image)}"))
    return kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)


# -- Keras -----------------------------------------------------------------------------------------------------------


def from_keras(layers: Mapping[str, str] | None = None) -> Arranged:
    """For ``load_weights(path, name_map=from_keras())``: Keras's weights by the paths of its variables.

    Such a file is written, where Keras is, by ``safetensors.numpy.save_file({v.path: np.array(v.numpy(), order="C")
    for v in model.weights}, path)``, in C order because it writes memory as it lies there. Names that Keras gave by
    itself count on through a session (``dense_7``), so they are compared without their numbers, and layers of one name
    in the order of these. ``layers`` leads from the beginning of a path of theirs to that of ours, where names differ
    otherwise.

    >>> import numpy as np
    >>> from backlight.train.model import Sequential
    >>> from backlight.nn.layers import Dense
    >>> model = Sequential([Dense(1, use_bias=False, input_shape=(2,))])
    >>> list(from_keras().arrange(model, {"sequential_3/dense_7/kernel": np.ones((2, 1))}))
    ['dense/kernel']
    """
    return Arranged(lambda model, arrays: _from_keras(model, arrays, layers or {}))


def _from_keras(model: Layer, arrays: Mapping[str, Any], layers: Mapping[str, str]) -> dict[str, Any]:
    ours = _by_stem({name: path for path, name in names_by_path(model).items()})
    named = {_moved(name, layers): name for name in arrays}
    inside = {name.partition("/")[2]: own for name, own in named.items()}  # without the name of the model itself
    shared = len({name.partition("/")[0] for name in named}) == 1 and "" not in inside
    readings = [_by_stem(each) for each in ([named, inside] if shared else [named])]
    theirs = max(readings, key=lambda each: sum(len(names) == len(ours.get(stem, ())) for stem, names in each.items()))
    found: dict[str, Any] = {}
    for stem, names in theirs.items():
        paths = ours.get(stem, [])
        for k, name in enumerate(names):
            found[paths[k] if len(paths) == len(names) else name] = arrays[name]
    return found


def _moved(name: str, layers: Mapping[str, str]) -> str:
    for theirs, ours in layers.items():
        if name == theirs or name.startswith(f"{theirs}/"):
            return ours + name[len(theirs) :]
    return name


def _by_stem(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Values by their keys without the numbers at the ends of the parts, in the order of these numbers."""
    found: dict[str, list[tuple[list[int], str]]] = {}
    for name, value in names.items():
        parts = [re.fullmatch(r"(.*?)(?:_(\d{1,9}))?", part, re.DOTALL) for part in name.split("/")]
        stem = "/".join(part[1] for part in parts if part is not None)
        found.setdefault(stem, []).append(([int(part[2] or 0) for part in parts if part is not None], value))
    return {stem: [value for _, value in sorted(each, key=lambda pair: pair[0])] for stem, each in found.items()}


READY: dict[str, Callable[[], Arranged]] = {"torch": from_torch, "keras": from_keras}
"""What ``name_map`` may be called."""
