"""Layers whose windows move over images and sequences, and those that change sizes: rows for ``layers.layer``."""

from __future__ import annotations

from typing import Any

__all__ = ["ROWS"]

STEPS, IMAGES, VOLUMES = (3, 11, 4), (2, 9, 8, 4), (2, 5, 6, 4, 4)
SHAPES = {1: STEPS, 2: IMAGES, 3: VOLUMES}

CONVOLUTIONS: list[tuple[str, dict[str, Any], Any]] = [
    ("Conv1D", {"filters": 6, "kernel_size": 3}, STEPS),
    ("Conv1D", {"filters": 6, "kernel_size": 2, "padding": "causal", "dilation_rate": 3, "activation": "gelu"}, STEPS),
    ("Conv1D", {"filters": 6, "kernel_size": 4, "padding": "same", "strides": 3, "groups": 2}, STEPS),
    ("Conv2D", {"filters": 6, "kernel_size": 3}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": (2, 3), "padding": "same", "strides": (2, 1), "groups": 2}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "dilation_rate": (1, 3), "use_bias": False}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "activation": "softmax"}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "data_format": "channels_first", "activation": "relu"}, IMAGES),
    ("Conv3D", {"filters": 3, "kernel_size": 2}, VOLUMES),
    ("Conv3D", {"filters": 4, "kernel_size": (3, 2, 1), "padding": "same", "strides": 2, "groups": 2}, VOLUMES),
    *[
        ("Conv1DTranspose", {"filters": 3, "kernel_size": size, "strides": stride, "padding": padding} | more, STEPS)
        for size in (1, 2, 3, 4)
        for stride in (1, 2, 3)
        for padding in ("valid", "same")
        for more in ({}, *({"output_padding": n} for n in range(stride)))
    ],
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3}, STEPS),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, STEPS),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "dilation_rate": 3, "padding": "same"}, STEPS),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3}, IMAGES),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 2), "strides": (2, 3), "padding": "same"}, IMAGES),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1, "activation": "tanh"},
        IMAGES,
    ),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 2}, VOLUMES),
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
]  # fmt: skip
POOLING: list[tuple[str, dict[str, Any], Any]] = [
    *[
        (f"{kind}Pooling{axes}D", options, shape)
        for kind in ("Max", "Average")
        for axes, shape in SHAPES.items()
        for options in (
            {"pool_size": 2},
            {"pool_size": 3, "strides": 2},
            {"pool_size": 3, "strides": 1, "padding": "same"},
            {"pool_size": 2, "padding": "same"},
        )
    ],
    *[(f"MaxPooling{axes}D", {}, shape) for axes, shape in SHAPES.items()],
    ("AveragePooling1D", {"pool_size": 4, "padding": "same"}, STEPS),
    *[
        (f"Global{kind}Pooling{axes}D", options, shape)
        for kind in ("Max", "Average")
        for axes, shape in SHAPES.items()
        for options in ({}, {"keepdims": True, "data_format": "channels_first"})
    ],
]
SIZES: list[tuple[str, dict[str, Any], Any]] = [
    ("ZeroPadding1D", {}, STEPS),
    ("ZeroPadding1D", {"padding": (1, 3)}, STEPS),
    ("ZeroPadding2D", {}, IMAGES),
    ("ZeroPadding2D", {"padding": (2, 1)}, IMAGES),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3)), "data_format": "channels_first"}, IMAGES),
    ("ZeroPadding3D", {}, VOLUMES),
    ("ZeroPadding3D", {"padding": (2, 0, 1)}, VOLUMES),
    ("Cropping1D", {}, STEPS),
    ("Cropping1D", {"cropping": (2, 3)}, STEPS),
    ("Cropping2D", {}, IMAGES),
    ("Cropping2D", {"cropping": ((0, 1), (2, 3))}, IMAGES),
    ("Cropping3D", {}, VOLUMES),
    ("Cropping3D", {"cropping": ((0, 1), (2, 0), (1, 1))}, VOLUMES),
    ("UpSampling1D", {}, STEPS),
    ("UpSampling1D", {"size": 3}, STEPS),
    ("UpSampling2D", {}, IMAGES),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGES),
    ("UpSampling2D", {"size": (3, 1), "data_format": "channels_first"}, IMAGES),
    ("UpSampling3D", {}, VOLUMES),
    ("UpSampling3D", {"size": (1, 2, 3)}, VOLUMES),
]
ROWS = CONVOLUTIONS + POOLING + SIZES
