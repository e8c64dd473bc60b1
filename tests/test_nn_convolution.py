"""Convolutions and pooling against sums written out one by one, in float64."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from laws import plain
from layered import check, leaves, numbers
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.graph import Graph
from backlight.nn import layers
from backlight.nn.symbol import Symbol
from backlight.simplify import simplify

# -- Numbers, one by one ---------------------------------------------------------------------------------------------


def tuple_of(value: Any, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)


def pads_of(padding: str, lengths: Any, size: Any, strides: Any, dilation: Any) -> list[tuple[int, int]]:
    """Zeros before and after, from the definition: as many places as ⌈length / stride⌉ for "same"."""
    found = []
    for n, k, s, e in zip(lengths, size, strides, dilation, strict=True):
        reach = e * (k - 1) + 1
        if padding == "valid":
            found.append((0, 0))
        elif padding == "causal":
            found.append((reach - 1, 0))
        else:
            places = (n + s - 1) // s
            missing = max((places - 1) * s + reach - n, 0)
            found.append((missing // 2, missing - missing // 2))
    return found


def places_of(lengths: Any, size: Any, strides: Any, dilation: Any, pads: Any) -> list[int]:
    rows = zip(lengths, size, strides, dilation, pads, strict=True)
    return [(n + sum(pad) - e * (k - 1) - 1) // s + 1 for n, k, s, e, pad in rows]


def correlate(x: Any, w: Any, strides: Any = 1, padding: str = "valid", dilation_rate: Any = 1, groups: int = 1) -> Any:
    """x (N, *S, C), w (*K, C / groups, O) -> (N, *T, O)."""
    d = x.ndim - 2
    size, strides, dilation = w.shape[:d], tuple_of(strides, d), tuple_of(dilation_rate, d)
    pads = pads_of(padding, x.shape[1:-1], size, strides, dilation)
    wide = np.pad(x, [(0, 0), *pads, (0, 0)])
    y = np.zeros((x.shape[0], *places_of(x.shape[1:-1], size, strides, dilation, pads), w.shape[-1]))
    inside, made = w.shape[-2], w.shape[-1] // groups
    for place in np.ndindex(*y.shape[1:-1]):
        for k in np.ndindex(*size):
            seen = wide[(slice(None), *(s * p + e * i for s, p, e, i in zip(strides, place, dilation, k, strict=True)))]
            for o in range(w.shape[-1]):
                first = o // made * inside
                y[(slice(None), *place, o)] += seen[:, first : first + inside] @ w[(*k, slice(None), o)]
    return y


def stamp(x: Any, w: Any, strides: Any, padding: str, output_padding: Any, dilation_rate: Any = 1) -> Any:
    """x (N, *T, C), w (*K, O, C): every place of x adds its multiple of the filters."""
    d = x.ndim - 2
    strides, dilation = tuple_of(strides, d), tuple_of(dilation_rate, d)
    reach = [e * (k - 1) + 1 for k, e in zip(w.shape[:d], dilation, strict=True)]
    whole = [(n - 1) * s + r for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
    y = np.zeros((x.shape[0], *(n + 10 for n in whole), w.shape[-2]))
    for place in np.ndindex(*x.shape[1:-1]):
        for k in np.ndindex(*w.shape[:d]):
            to = tuple(s * p + e * i for s, p, e, i in zip(strides, place, dilation, k, strict=True))
            y[(slice(None), *to)] += x[(slice(None), *place)] @ w[k].T
    kept = []
    for axis in range(d):
        n, s, r = x.shape[1 + axis], strides[axis], reach[axis]
        if output_padding is None:
            length = n * s if padding == "same" else (n - 1) * s + max(r, s)
        else:
            more = tuple_of(output_padding, d)[axis]
            length = whole[axis] + more - (2 * (r // 2) if padding == "same" else 0)
        low = max(whole[axis] - length, 0) // 2 if padding == "same" else 0
        kept.append(slice(low, low + length))
    return y[(slice(None), *kept)]


def by_channel(x: Any, w: Any, **options: Any) -> Any:
    """w (*K, C, m): channel c is seen by filters of its own alone."""
    parts = [correlate(x[..., c : c + 1], w[..., c : c + 1, :], **options) for c in range(x.shape[-1])]
    return np.concatenate(parts, axis=-1)


def pooled(x: Any, size: Any, strides: Any, padding: str, how: Any) -> Any:
    d = x.ndim - 2
    size = tuple_of(size, d)
    strides = size if strides is None else tuple_of(strides, d)
    pads = pads_of(padding, x.shape[1:-1], size, strides, (1,) * d)
    wide = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=np.nan)
    y = np.zeros((x.shape[0], *places_of(x.shape[1:-1], size, strides, (1,) * d, pads), x.shape[-1]))
    for place in np.ndindex(*y.shape[1:-1]):
        window = tuple(slice(s * p, s * p + k) for s, p, k in zip(strides, place, size, strict=True))
        y[(slice(None), *place)] = how(wide[(slice(None), *window)], axis=tuple(range(1, d + 1)))
    return y


def last(x: Any) -> Any:
    return np.moveaxis(x, 1, -1)


def first(x: Any) -> Any:
    return np.moveaxis(x, -1, 1)


# -- Tables ----------------------------------------------------------------------------------------------------------

X1, X2, X3 = numbers(2, 9, 4), numbers(2, 6, 5, 4), numbers(1, 4, 5, 3, 2)
OWN = ("strides", "padding", "dilation_rate", "groups")
CONVOLUTIONS: list[tuple[str, dict[str, Any], Any]] = [
    ("Conv1D", {}, X1),
    ("Conv1D", {"strides": 2, "padding": "same"}, X1),
    ("Conv1D", {"padding": "causal", "dilation_rate": 2}, X1),
    ("Conv1D", {"padding": "causal", "strides": 3, "use_bias": False}, X1),
    ("Conv1D", {"padding": "same", "dilation_rate": (3,), "groups": 2}, X1),
    ("Conv2D", {}, X2),
    ("Conv2D", {"kernel_size": (2, 3), "strides": (2, 1), "padding": "same"}, X2),
    ("Conv2D", {"kernel_size": (4, 2), "padding": "SAME", "groups": 4}, X2),
    ("Conv2D", {"dilation_rate": (2, 1), "groups": 2, "use_bias": False}, X2),
    ("Conv3D", {"kernel_size": 2}, X3),
    ("Conv3D", {"kernel_size": (1, 2, 3), "strides": (1, 2, 1), "padding": "same", "groups": 2}, X3),
]


@pytest.mark.parametrize(("kind", "options", "x"), CONVOLUTIONS)
def test_convolutions_are_sums_over_windows(kind: str, options: Any, x: Any) -> None:
    mapped = {name: value.lower() if name == "padding" else value for name, value in options.items() if name in OWN}

    def expected(x: Any, w: Any, b: Any = 0) -> Any:
        return np.tanh(correlate(x, w, **mapped) + b)

    check(kind, {"filters": 4, "kernel_size": 3, "activation": "tanh", **options}, x, expected)


@pytest.mark.parametrize(
    "kind", ["Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv1D"]
)
def test_channels_first_is_the_same_with_other_axes(kind: str) -> None:
    x = {"1": X1, "2": X2, "3": X3}[next(letter for letter in kind if letter.isdigit())]
    options = {"kernel_size": 2, "padding": "same", "activation": "tanh"}
    options |= {} if kind.startswith("Depthwise") else {"filters": 3}
    layer = getattr(layers, kind)(**options, dtype="float64")

    def expected(x: Any, *weights: Any) -> Any:
        layer(last(x))
        layer.set_weights(weights)
        return first(plain(layer(last(x))))

    check(kind, {**options, "data_format": "channels_first"}, first(x), expected, compiled=False)


@pytest.mark.parametrize("activation", ["softmax", "log_softmax"])
def test_an_activation_along_the_channels_keeps_its_axis(activation: str) -> None:
    layer = layers.Conv2D(3, 2, activation=activation, dtype="float64")
    y = plain(layer(X2))
    total = np.sum(y if activation == "softmax" else np.exp(y), axis=-1)
    np.testing.assert_allclose(total, np.ones((2, 5, 4)))


TRANSPOSED: list[tuple[str, dict[str, Any], Any]] = [
    *[
        ("Conv1DTranspose", {"kernel_size": k, "strides": s, "padding": padding, "output_padding": more}, X1[:, :3])
        for k, s, padding in itertools.product((1, 2, 3, 4), (1, 2, 3), ("valid", "same"))
        for more in (None, *range(s))
    ],
    ("Conv2DTranspose", {"strides": (2, 1), "padding": "same"}, X2),
    ("Conv2DTranspose", {"kernel_size": (2, 3), "strides": 2, "output_padding": (1, 0), "use_bias": False}, X2),
    ("Conv2DTranspose", {"kernel_size": 2, "dilation_rate": 2}, X2),
    ("Conv2DTranspose", {"kernel_size": 2, "dilation_rate": (1, 3), "padding": "same"}, X2),
    ("Conv3DTranspose", {"kernel_size": 2, "strides": (2, 1, 1), "padding": "same"}, X3),
]


@pytest.mark.parametrize(("kind", "options", "x"), TRANSPOSED)
def test_transposed_convolutions_are_stamps(kind: str, options: Any, x: Any) -> None:
    settings = {"strides": 1, "padding": "valid", "output_padding": None, "dilation_rate": 1}
    mapped = {name: options.get(name, value) for name, value in settings.items()}

    def expected(x: Any, w: Any, b: Any = 0) -> Any:
        return stamp(x, w, **mapped) + b

    whole = {"filters": 3, "kernel_size": 3, **options}
    check(kind, whole, x, expected, compiled=kind != "Conv1DTranspose" or options["kernel_size"] == 3)


DEPTHWISE: list[tuple[str, dict[str, Any], Any]] = [
    ("DepthwiseConv1D", {"padding": "causal", "dilation_rate": 2}, X1),
    ("DepthwiseConv1D", {"strides": 2, "depth_multiplier": 3, "padding": "same"}, X1),
    ("DepthwiseConv2D", {}, X2),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "depth_multiplier": 2, "strides": 2, "padding": "same"}, X2),
    ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": (2, 3), "use_bias": False}, X2),
]


@pytest.mark.parametrize(("kind", "options", "x"), DEPTHWISE)
def test_depthwise_convolutions_keep_channels_apart(kind: str, options: Any, x: Any) -> None:
    mapped = {name: value for name, value in options.items() if name in OWN}

    def expected(x: Any, w: Any, b: Any = 0) -> Any:
        return by_channel(x, w, **mapped) + b

    check(kind, {"kernel_size": 3, **options}, x, expected)


SEPARABLE: list[tuple[str, dict[str, Any], Any]] = [
    ("SeparableConv1D", {"padding": "causal"}, X1),
    ("SeparableConv1D", {"strides": 2, "depth_multiplier": 2}, X1),
    ("SeparableConv2D", {"padding": "same"}, X2),
    ("SeparableConv2D", {"kernel_size": (2, 3), "dilation_rate": (1, 2), "depth_multiplier": 2, "use_bias": False}, X2),
]


@pytest.mark.parametrize(("kind", "options", "x"), SEPARABLE)
def test_separable_convolutions_are_two(kind: str, options: Any, x: Any) -> None:
    mapped = {name: value for name, value in options.items() if name in OWN}

    def expected(x: Any, by_itself: Any, across: Any, b: Any = 0) -> Any:
        return correlate(by_channel(x, by_itself, **mapped), across) + b

    check(kind, {"filters": 5, "kernel_size": 3, **options}, x, expected)


WINDOWS: list[tuple[int, Any, dict[str, Any]]] = [
    (1, X1, {}),
    (1, X1, {"pool_size": 3, "strides": 2}),
    (1, X1, {"pool_size": 4, "padding": "same"}),
    (1, X1, {"pool_size": (3,), "strides": 1, "padding": "same"}),
    (2, X2, {}),
    (2, X2, {"pool_size": (3, 2), "strides": (1, 2)}),
    (2, X2, {"pool_size": (2, 3), "strides": 2, "padding": "same"}),
    (3, X3, {"pool_size": 2}),
    (3, X3, {"pool_size": (2, 3, 1), "strides": (2, 2, 1), "padding": "same"}),
]


@pytest.mark.parametrize("family", ["Max", "Average"])
@pytest.mark.parametrize(("axes", "x", "options"), WINDOWS)
def test_pooling(family: str, axes: int, x: Any, options: Any) -> None:
    how = np.nanmax if family == "Max" else np.nanmean
    size, strides = options.get("pool_size", 2), options.get("strides")

    def expected(x: Any) -> Any:
        return pooled(x, size, strides, options.get("padding", "valid"), how)

    def turned(x: Any) -> Any:
        return first(expected(last(x)))

    check(f"{family}Pooling{axes}D", options, x, expected)
    check(f"{family}Pooling{axes}D", {**options, "data_format": "channels_first"}, first(x), turned, compiled=False)


@pytest.mark.parametrize("family", ["Max", "Average"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("axes", "x"), [(1, X1), (2, X2), (3, X3)])
def test_global_pooling(family: str, keepdims: bool, axes: int, x: Any) -> None:
    how = np.max if family == "Max" else np.mean
    places = tuple(range(1, axes + 1))

    def expected(x: Any) -> Any:
        return how(x, axis=places, keepdims=keepdims)

    def turned(x: Any) -> Any:
        return how(x, axis=tuple(axis + 1 for axis in places), keepdims=keepdims)

    name, first_options = f"Global{family}Pooling{axes}D", {"keepdims": keepdims, "data_format": "channels_first"}
    check(name, {"keepdims": keepdims}, x, expected)
    check(name, first_options, first(x), turned, compiled=False)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_mean_of_the_steps_that_count(data_format: str, keepdims: bool) -> None:
    mask = np.arange(9)[None] < np.array([[4], [7]])
    wanted = np.stack([X1[0, :4].mean(0), X1[1, :7].mean(0)])
    layer = layers.GlobalAveragePooling1D(data_format, keepdims, dtype="float64")
    x = X1 if data_format == "channels_last" else first(X1)
    y = plain(layer(x, mask=mask))
    assert y.ndim == (3 if keepdims else 2)
    np.testing.assert_allclose(y.reshape(2, 4), wanted)
    assert layer.compute_mask(x, mask) is None


# -- What is still to come, and what cannot be -----------------------------------------------------------------------

UNKNOWN: list[tuple[str, dict[str, Any], tuple[Any, ...], tuple[Any, ...]]] = [
    ("Conv2D", {"filters": 8, "kernel_size": 3}, (None, None, 30, 3), (None, None, 28, 8)),
    ("Conv2D", {"filters": 8, "kernel_size": 99}, (None, None, None, 3), (None, None, None, 8)),
    ("Conv1D", {"filters": 8, "kernel_size": 3, "padding": "causal", "strides": 2}, (2, 9, 3), (2, 5, 8)),
    ("Conv2DTranspose", {"filters": 8, "kernel_size": 3, "strides": 2}, (None, 5, None, 3), (None, 11, None, 8)),
    ("MaxPooling2D", {"data_format": "channels_first"}, (None, None, 6, 7), (None, None, 3, 3)),
    ("GlobalMaxPooling2D", {}, (None, None, None, 7), (None, 7)),
    ("DepthwiseConv1D", {"kernel_size": 2, "depth_multiplier": 2}, (None, None, 7), (None, None, 14)),
]


@pytest.mark.parametrize(("kind", "options", "shape", "wanted"), UNKNOWN)
def test_lengths_that_are_not_known_stay_so(kind: str, options: Any, shape: Any, wanted: Any) -> None:
    layer = getattr(layers, kind)(**options)
    assert layer(Symbol(shape, np.float32, "x")).shape == wanted
    assert layer.compute_output_shape(shape) == wanted


def test_bytes_are_taken_as_numbers() -> None:
    layer = layers.Conv2D(2, 1, kernel_initializer="ones")
    image = np.full((1, 2, 2, 3), 200, np.uint8)
    assert layer(Symbol((None, 2, 2, 3), np.uint8, "x")).dtype == np.float32
    np.testing.assert_array_equal(plain(layer(image)), np.full((1, 2, 2, 2), 600, np.float32))


def test_regularisers_and_constraints_belong_to_their_weights() -> None:
    layer = layers.SeparableConv2D(
        2, 3, depthwise_regularizer="l2", pointwise_regularizer="l1", bias_constraint="non_neg"
    )
    layer.build((None, 8, 8, 3))
    names = {v.path.split("/")[-1]: v for v in layer.weights}
    assert list(names) == ["depthwise_kernel", "pointwise_kernel", "bias"]
    assert [v.regularizer is None for v in names.values()] == [False, False, True]
    assert [v.constraint is None for v in names.values()] == [True, True, False]
    assert len(layer.losses) == 2


def test_a_network_of_images_trains_compiled_as_interpreted() -> None:
    net = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(3, 2), layers.Flatten()]
    x = numbers(2, 9, 9, 1).astype(np.float32)
    y: Any = x
    for layer in net:
        y = layer(y)
    weights = [[v.numpy() for v in layer.weights] for layer in net]

    def loss(weights: Any, x: Any) -> Any:
        for layer, own in zip(net, weights, strict=True):
            x = layer.stateless_call(own, [], x)[0]
        return np.sum(np.square(x))

    both = backlight.value_and_grad(loss)
    value, slopes = both(weights, x)
    fast, quick = backlight.compile(both)(weights, x)
    np.testing.assert_allclose(float(fast), float(value), rtol=1e-5)
    for one, other in zip(leaves(quick), leaves(slopes), strict=True):
        assert plain(one).dtype == np.float32
        np.testing.assert_allclose(plain(one), plain(other), rtol=1e-4, atol=1e-5)


def test_nothing_is_transposed_between_layers() -> None:
    """Each transposes for its windows and back; one of them comes before the next undoes it, so none is computed."""
    net = [
        layers.Conv2D(4, 3),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], 0.5),
        layers.Activation("gelu"),
        layers.MaxPooling2D(),
        layers.Conv2D(3, 2, activation="relu"),
        layers.AveragePooling2D(2),
    ]
    x = backlight.array(numbers(2, 12, 12, 1).astype(np.float32))
    y: Any = x
    for layer in net:
        y = layer(y)
    weights = [v.node for layer in net for v in layer.weights]
    smaller, _ = simplify(Graph([x.node, *weights], [y.node]))
    ends = {x.node, *weights}
    moved = [n for n in smaller.nodes if n.operation == "transpose" and n.inputs[0] not in ends]
    computed = [n for n in moved if n.inputs[0].operation != "broadcast_to"]
    assert computed == [smaller.outputs[0]]


REFUSED: list[tuple[str, dict[str, Any], Any, Any, tuple[str, ...]]] = [
    ("Conv2D", {"filters": 0, "kernel_size": 3}, None, ArgumentError, ("Conv2D", "filters", "0")),
    ("Conv2D", {"filters": 4, "kernel_size": 0}, None, ArgumentError, ("kernel_size", "0", "2")),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 3, 3)}, None, ArgumentError, ("kernel_size", "(3, 3, 3)")),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "causal"}, None, ArgumentError, ("padding", "'causal'")),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": 1}, None, ArgumentError, ("padding", '"causal"')),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, None, ArgumentError, ("strides",)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 3}, None, ArgumentError, ("groups", "3", "4")),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 4}, (1, 6, 6, 3), ArgumentError, ("groups", "4", "3")),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "data_format": "nhwc"}, None, ArgumentError, ("data_format", "nhwc")),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "name": "c"}, (1, 2, 6, 3), ShapeError, ("c", "(3, 3)", "(2, 6)")),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "name": "c"}, (1, 6, 3), ShapeError, ("c", "(1, 6, 3)", "4")),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "output_padding": 1}, None, ArgumentError, ("(1, 1)", "1")),
    (
        "Conv1DTranspose",
        {"filters": 1, "kernel_size": 2, "padding": "same", "output_padding": 0, "name": "t"},
        (1, 1, 1),
        ShapeError,
        ("t", "(1,)", "(0,)"),
    ),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 0}, None, ArgumentError, ("depth_multiplier", "0")),
    ("MaxPooling2D", {"pool_size": 3, "name": "p"}, (1, 2, 6, 3), ShapeError, ("p", "(3, 3)", "(2, 6)")),
    ("AveragePooling1D", {"strides": -1}, None, ArgumentError, ("strides", "-1")),
    ("MaxPooling1D", {"padding": "causal"}, None, ArgumentError, ("padding", "'causal'", '"same"')),
    ("GlobalMaxPooling2D", {"name": "g"}, (1, 2, 6), ShapeError, ("g", "(1, 2, 6)")),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("kind", "options", "shape", "error", "parts"), REFUSED)
def test_bad_input_is_named(
    kind: str, options: Any, shape: Any, error: Any, parts: Any, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call() -> None:
        layer = getattr(layers, kind)(**options)
        layer(np.zeros(shape, np.float32))

    names_all(said(call, error, language, monkeypatch), parts, language)


def test_other_channels_than_the_first_ones_are_refused() -> None:
    layer = layers.Conv2D(2, 3)
    layer(np.zeros((1, 5, 5, 3), np.float32))
    with pytest.raises(ShapeError, match="3"):
        layer(np.zeros((1, 5, 5, 4), np.float32))
    with pytest.raises(ShapeError):
        layers.Conv2D(2, 3)(Symbol((None, 5, 5, None), np.float32, "x"))
