"""Activations, initialisers, regularisers, constraints and small functions of data beside Keras's and PyTorch's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.parity import pytorch
from benchmarks.parity.cases import Case, Pair, compared, keras, ours, plain, rng, use
from benchmarks.parity.layers import same_law

__all__ = ["cases"]

ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in pytorch.ACTIVATIONS],
    ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5}),
    ("relu", {"max_value": 1.0}),
    ("leaky_relu", {"negative_slope": 0.05}),
    ("elu", {"alpha": 0.4}),
    ("gelu", {"approximate": True}),
    ("softmax", {"axis": 0}),
    ("log_softmax", {"axis": 0}),
]
CONSTANT: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Zeros", {}, (3, 4)),
    ("Ones", {}, (3, 4)),
    ("Constant", {}, (3, 4)),
    ("Constant", {"value": 2.5}, (3, 4)),
    ("Identity", {}, (4, 4)),
    ("Identity", {"gain": 0.5}, (3, 5)),
]
FANS = ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")
DRAWN: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in (*FANS, "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling")],
    ("RandomNormal", {"mean": 1.0, "stddev": 2.0}),
    ("RandomUniform", {"minval": -3.0, "maxval": 1.0}),
    ("TruncatedNormal", {"mean": 1.0, "stddev": 2.0}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "uniform"}),
]
PENALTIES: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in ("L1", "L2", "L1L2", "OrthogonalRegularizer")],
    ("L1", {"l1": 0.3}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.3, "l2": 0.2}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
LIMITS: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in ("MaxNorm", "UnitNorm", "NonNeg", "MinMaxNorm")],
    ("MaxNorm", {"max_value": 0.7, "axis": 1}),
    ("UnitNorm", {"axis": (0, 1)}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.8, "rate": 0.4, "axis": 1}),
]
SEQUENCES = [[1, 2, 3, 4], [5], [6, 7]]
DATA: list[tuple[str, dict[str, Any], Any]] = [
    ("pad_sequences", {}, SEQUENCES),
    ("pad_sequences", {"maxlen": 3, "padding": "post", "truncating": "post", "value": 9}, SEQUENCES),
    ("pad_sequences", {"maxlen": 3, "dtype": "float32", "value": 0.5}, SEQUENCES),
    ("to_categorical", {}, np.array([0, 2, 1, 2])),
    ("to_categorical", {"num_classes": 5}, np.array([[0], [2], [1]])),
]


def activation(name: str, options: dict[str, Any]) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        x = np.concatenate([np.linspace(-12, 12, 96), [-100.0, 0.003, 50.0, -0.003]]).astype(dtype).reshape(10, 10)
        x = x + (0.01 if name != "exponential" else -60)  # off the kinks
        mine, theirs = ours(f"activations.{name}"), keras(f"activations.{name}")
        yield from compared(lambda x: (mine(x, **options), []), lambda x: (theirs(x, **options), []), [x])
        other = pytorch.ACTIVATIONS[name]
        if pytorch.takes(other, options):
            yield from compared(lambda x: (mine(x, **options), []), lambda x: (other(x, **options), []), [x], "PyTorch")

    return Case("activations", name, options, found)


def constant(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        mine, theirs = (module(f"initializers.{name}")(**options)(shape, dtype=dtype) for module in (ours, keras))
        yield Pair("Keras", "value", mine, theirs)

    return Case("initializers", name, options, found)


def orthogonal(options: dict[str, Any], shape: tuple[int, ...]) -> Case:
    """QᵀQ, which does not depend on the draw."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        products = []
        for module in (ours, keras):
            q = np.asarray(plain(module("initializers.Orthogonal")(**options, seed=1)(shape, dtype=dtype)), np.float64)
            q = q.reshape(-1, shape[-1])
            products.append(q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T)
        yield Pair("Keras", "value", *products)

    return Case("initializers", "Orthogonal", options, found, f"of {shape}")


def weighed(family: str, name: str, options: dict[str, Any]) -> Case:
    """A penalty or a limit on a matrix."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        w = rng(name).normal(size=(6, 4)).astype(dtype)
        mine, theirs = (module(f"{family}.{name}")(**options) for module in (ours, keras))
        yield from compared(lambda x: (mine(x), []), lambda x: (theirs(x), []), [w], slopes=family == "regularizers")

    return Case(family, name, options, found)


def of_data(name: str, options: dict[str, Any], given: Any) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        mine, theirs = (module(f"utils.{name}")(given, **options) for module in (ours, keras))
        yield Pair("Keras", "value", [mine, str(mine.dtype)], [theirs, str(theirs.dtype)])

    return Case("utils", name, options, found, dtypes=("float32",))


def cases() -> Iterator[Case]:
    """All of this table."""
    for name, options in ACTIVATIONS:
        yield activation(name, options)
    for name, options, shape in CONSTANT:
        yield constant(name, options, shape)
    for options, shape in (({}, (6, 4)), ({"gain": 2.0}, (3, 2, 20))):
        yield orthogonal(options, shape)
    for name, options in DRAWN:
        draw = lambda module, n=name, o=options: plain(getattr(module, n)(**o, seed=1)((3, 4, 50, 400)))
        yield same_law("initializers", name, options, draw, "initializers")
    for name, options in PENALTIES:
        yield weighed("regularizers", name, options)
    for name, options in LIMITS:
        yield weighed("constraints", name, options)
    for name, options, given in DATA:
        yield of_data(name, options, given)
