"""Layers beside Keras: the largest difference of each, in what comes out and in its gradients.

    python benchmarks/parity_layers.py [windows | borders | merging | images | others]

Every layer gets Keras's weights by ``set_weights``. Printed are the differences of the outputs and of the gradients by
inputs and weights, relative to the size of Keras's numbers (at least 1), in float32 and float64 apart. Layers that
change images at random are given the same draws. ``KERAS_BACKEND`` chooses the backend (torch); with another than torch
only outputs are compared.

Keras computes sums and products in float32 here and there in a layer of float64 too: differences around 1e-8 are that.
Its backends differ in two places: ``AveragePooling`` with ``padding="same"`` where the zeros of both sides are not
equally many (PyTorch's counts some of them; the numbers here are those of JAX), and ``interpolation="nearest"`` halfway
between two pixels.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

import backlight
from backlight.nn import layers
from backlight.tree import flatten

RNG = np.random.default_rng(0)
Row = tuple[str, dict[str, Any], Any]
STEPS, IMAGES, VOLUMES = (3, 11, 4), (2, 9, 8, 4), (2, 5, 6, 4, 4)

WINDOWS: list[Row] = [
    ("Conv1D", {"filters": 6, "kernel_size": 3}, STEPS),
    ("Conv1D", {"filters": 6, "kernel_size": 2, "padding": "causal", "dilation_rate": 3, "activation": "gelu"}, STEPS),
    ("Conv1D", {"filters": 6, "kernel_size": 4, "padding": "same", "strides": 3, "groups": 2}, STEPS),
    ("Conv2D", {"filters": 6, "kernel_size": 3}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": (2, 3), "padding": "same", "strides": (2, 1), "groups": 2}, IMAGES),
    (
        "Conv2D",
        {"filters": 6, "kernel_size": 2, "dilation_rate": (1, 3), "use_bias": False, "activation": "softmax"},
        IMAGES,
    ),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "data_format": "channels_first", "activation": "relu"}, IMAGES),
    ("Conv3D", {"filters": 3, "kernel_size": 2}, VOLUMES),
    ("Conv3D", {"filters": 4, "kernel_size": (3, 2, 1), "padding": "same", "strides": 2, "groups": 2}, VOLUMES),
    *[
        (
            "Conv1DTranspose",
            {"filters": 3, "kernel_size": size, "strides": stride, "padding": padding, "output_padding": more},
            STEPS,
        )
        for size in (1, 2, 3, 4)
        for stride in (1, 2, 3)
        for padding in ("valid", "same")
        for more in (None, *range(stride))
    ],
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, STEPS),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "dilation_rate": 3, "padding": "same"}, STEPS),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3}, IMAGES),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 2), "strides": (2, 3), "padding": "same"}, IMAGES),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1, "activation": "tanh"},
        IMAGES,
    ),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2}, VOLUMES),
    ("DepthwiseConv1D", {"kernel_size": 3}, STEPS),
    ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2}, STEPS),
    ("DepthwiseConv2D", {"kernel_size": 3}, IMAGES),
    ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": 2, "padding": "same", "depth_multiplier": 3}, IMAGES),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3}, STEPS),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 2, "padding": "same", "depth_multiplier": 2}, STEPS),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3}, IMAGES),
    (
        "SeparableConv2D",
        {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"},
        IMAGES,
    ),
    *[
        (f"{family}Pooling{axes}D", options, shape)
        for family in ("Max", "Average")
        for axes, shape in ((1, STEPS), (2, IMAGES), (3, VOLUMES))
        for options in (
            {"pool_size": 2},
            {"pool_size": 3, "strides": 2},
            {"pool_size": 3, "strides": 1, "padding": "same"},
        )
    ],
    ("AveragePooling2D", {"pool_size": 2, "padding": "same"}, IMAGES),
    ("AveragePooling1D", {"pool_size": 4, "padding": "same"}, STEPS),
    *[
        (f"Global{family}Pooling{axes}D", options, shape)
        for family in ("Max", "Average")
        for axes, shape in ((1, STEPS), (2, IMAGES), (3, VOLUMES))
        for options in ({}, {"keepdims": True, "data_format": "channels_first"})
    ],
]
BORDERS: list[Row] = [
    ("ZeroPadding1D", {}, STEPS),
    ("ZeroPadding1D", {"padding": (1, 3)}, STEPS),
    ("ZeroPadding2D", {}, IMAGES),
    ("ZeroPadding2D", {"padding": (2, 1)}, IMAGES),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3)), "data_format": "channels_first"}, IMAGES),
    ("ZeroPadding3D", {}, VOLUMES),
    ("Cropping1D", {}, STEPS),
    ("Cropping1D", {"cropping": (2, 3)}, STEPS),
    ("Cropping2D", {}, IMAGES),
    ("Cropping2D", {"cropping": ((0, 1), (2, 3))}, IMAGES),
    ("Cropping3D", {}, VOLUMES),
    ("UpSampling1D", {}, STEPS),
    ("UpSampling2D", {}, IMAGES),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGES),
    ("UpSampling2D", {"size": (3, 1), "data_format": "channels_first"}, IMAGES),
    ("UpSampling3D", {"size": (1, 2, 3)}, VOLUMES),
]
MERGING: list[Row] = [
    *[
        (name, {}, [STEPS, STEPS, STEPS])
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    ],
    *[(name, {}, [STEPS, (3, 4)]) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")],
    ("Subtract", {}, [STEPS, STEPS]),
    ("Concatenate", {"axis": 1}, [STEPS, (3, 2, 4)]),
    ("Dot", {"axes": 1}, [(3, 5), (3, 5)]),
    ("Dot", {"axes": -1, "normalize": True}, [(3, 5), (3, 5)]),
    ("Dot", {"axes": (2, 1)}, [(3, 6, 5), (3, 5, 4)]),
    ("Dot", {"axes": 1, "normalize": True}, [(3, 5, 2), (3, 5, 4)]),
    ("Dot", {"axes": (2, 1)}, [(3, 2, 5, 4), (3, 5, 6)]),
]
OTHERS: list[Row] = [
    ("Rescaling", {"scale": 1 / 255}, IMAGES),
    ("Rescaling", {"scale": 2.0, "offset": -1.0}, IMAGES),
    ("CenterCrop", {"height": 4, "width": 5}, IMAGES),
    ("CenterCrop", {"height": 12, "width": 5}, IMAGES),
    ("Normalization", {}, IMAGES),
    ("Normalization", {"axis": None, "mean": 1.5, "variance": 2.5}, IMAGES),
    ("Normalization", {"mean": [1.0, 2.0, 3.0, 4.0], "variance": [4.0, 1.0, 2.0, 3.0], "invert": True}, IMAGES),
    ("Dense", {"units": 3}, (4, 5)),
    ("Dense", {"units": 3, "activation": "relu", "use_bias": False}, STEPS),
    ("Flatten", {}, IMAGES),
    ("Reshape", {"target_shape": (4, -1)}, STEPS),
    ("Permute", {"dims": (2, 1)}, STEPS),
    ("RepeatVector", {"n": 3}, (3, 4)),
    ("Activation", {"activation": "mish"}, STEPS),
]
FILLS = [
    {"fill_mode": fill, "interpolation": how}
    for fill in ("reflect", "wrap", "constant", "nearest")
    for how in ("bilinear", "nearest")
]


def plain(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x))


def apart(ours: Any, theirs: Any) -> float:
    ours, theirs = np.asarray(getattr(ours, "value", ours), np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.max(np.abs(ours - theirs), initial=0.0) / max(1.0, float(np.max(np.abs(theirs), initial=0.0))))


def weighed(layer: Any, weights: Any, arrays: Any, seed: Any, nested: bool) -> Any:
    """Gradients of Σ seed · layer(inputs) by inputs and trained weights."""
    held = [v.numpy() for v in layer.non_trainable_variables]

    def total(arrays: Any, weights: Any) -> Any:
        y, _ = layer.stateless_call(weights, held, arrays if nested else arrays[0])
        return np.sum(y * seed)

    return flatten(backlight.grad(total, argnums=(0, 1))(arrays, weights))[0]


def weighed_by_torch(layer: Any, arrays: Any, seed: Any, nested: bool) -> Any:
    """The same by Keras on PyTorch."""
    tensors = [keras.ops.convert_to_tensor(x).clone().requires_grad_(True) for x in arrays]
    y = layer(tensors if nested else tensors[0])
    (y * keras.ops.convert_to_tensor(seed)).sum().backward()
    sources = [*tensors, *(v.value for v in layer.trainable_weights)]
    return [np.zeros(tuple(t.shape)) if t.grad is None else t.grad.cpu().numpy() for t in sources]


def beside(rows: list[Row]) -> Iterator[tuple[str, float, float]]:
    for name, options, shapes in rows:
        nested = isinstance(shapes, list)
        for dtype in ("float32", "float64"):
            arrays = [RNG.normal(size=shape).astype(dtype) for shape in (shapes if nested else [shapes])]
            theirs = getattr(keras.layers, name)(**options, dtype=dtype)
            ours = getattr(layers, name)(**options, dtype=dtype)
            given = arrays if nested else arrays[0]
            theirs(given), ours(given)
            weights = [RNG.normal(size=w.shape).astype(w.dtype) for w in theirs.get_weights()]
            if name == "Normalization" and weights:
                weights[1] = np.abs(weights[1])
            theirs.set_weights(weights)
            ours.set_weights(weights)
            label = f"{dtype} {name} {options or ''}"
            known = plain(theirs(given))
            values = apart(ours(given), known)
            slopes = float("nan")
            if keras.backend.backend() == "torch":
                seed = RNG.normal(size=known.shape).astype(dtype)
                trained = [v.numpy() for v in ours.trainable_variables]
                found = weighed(ours, trained, arrays, seed, nested)
                pairs = zip(found, weighed_by_torch(theirs, arrays, seed, nested), strict=True)
                slopes = max(apart(one, other) for one, other in pairs)
            yield label, values, slopes


def images_beside() -> Iterator[tuple[str, float, float]]:
    x = (255 * RNG.random((3, 7, 9, 2))).astype(np.float32)
    down, right = RNG.normal(size=(2, 3)).astype(np.float32) * [[4], [6]]
    tall, wide, factor = (0.3 + RNG.random((3, 3))).astype(np.float32)
    size = {"input_shape": x.shape}
    for options in FILLS:
        made: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
            (
                {"height_factor": 0.5, "width_factor": 0.5},
                {"down": down, "right": right},
                {"translations": np.stack([right, down], 1), **size},
            ),
            (
                {"height_factor": 0.5, "width_factor": 0.5},
                {"tall": tall, "wide": wide},
                {"height_zoom": tall[:, None], "width_zoom": wide[:, None], **size},
            ),
        ]
        for name, (args, drawn, known) in zip(("RandomTranslation", "RandomZoom"), made, strict=True):
            settings = {**args, **options, "fill_value": 9.0}
            yield compared(name, settings, x, drawn, known)
        theirs = keras.layers.RandomRotation(0.5, **options)
        known = theirs.get_random_transformation(x, training=True)
        drawn = {"angle": np.deg2rad(plain(known["angle"]))}
        found = layers.RandomRotation(0.5, **options).transform(backlight.array(x), **drawn)
        yield f"float32 RandomRotation {options}", apart(found, plain(theirs.transform_images(x, known))), float("nan")
    tensor = keras.ops.convert_to_tensor
    shaped = factor[:, None, None, None]
    yield compared("RandomContrast", {"factor": 0.9}, x, {"contrast": factor}, {"contrast_factor": tensor(shaped)})
    yield compared("RandomBrightness", {"factor": 0.9}, x, {"more": 99 * factor}, {"rgb_delta": tensor(99 * shaped)})
    flips = np.array([True, False, True])
    for mode in ("horizontal", "vertical", "horizontal_and_vertical"):
        drawn = {way: flips for way in ("horizontal", "vertical") if way in mode}
        known = {"flips": tensor(flips[:, None, None, None]), **size}
        yield compared("RandomFlip", {"mode": mode}, x, drawn, known)


def compared(name: str, settings: Any, x: Any, drawn: Any, known: Any) -> tuple[str, float, float]:
    theirs = getattr(keras.layers, name)(**settings).transform_images(keras.ops.convert_to_tensor(x), known)
    drawn = {key: value.astype(np.float32) if value.dtype.kind == "f" else value for key, value in drawn.items()}
    found = getattr(layers, name)(**settings).transform(backlight.array(x), **drawn)
    return f"float32 {name} {settings}", apart(found, plain(theirs)), float("nan")


FAMILIES: dict[str, Callable[[], Iterator[tuple[str, float, float]]]] = {
    "windows": lambda: beside(WINDOWS),
    "borders": lambda: beside(BORDERS),
    "merging": lambda: beside(MERGING),
    "images": images_beside,
    "others": lambda: beside(OTHERS),
}


def main() -> None:
    print(f"Backlight {backlight.__version__} beside Keras {keras.__version__} ({keras.backend.backend()})")
    for family in sys.argv[1:] or FAMILIES:
        print(f"\n{family}: outputs, gradients")
        for row, values, slopes in FAMILIES[family]():
            print(f"  {values:9.2e}  {slopes:9.2e}  {row}")


if __name__ == "__main__":
    main()
