"""Layers for images beside Keras's: what is done with the same draws, and the law of what is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import backlight
from benchmarks.parity.cases import Case, Pair, compared, keras, ours, plain, rng, torch, use
from benchmarks.parity.layers import layer, same_law

__all__ = ["cases"]

RNG = rng("images")
IMAGES = (255 * RNG.random((3, 7, 9, 2))).astype(np.float32)
DOWN, RIGHT = (RNG.normal(size=(2, 3)) * [[4], [6]]).astype(np.float32)
TALL, WIDE, FACTOR = (0.3 + RNG.random((3, 3))).astype(np.float32)
ANGLE = np.array([0.3, -2.0, 1.1], np.float32)
FLIPS = np.array([True, False, True])
FILLS: list[dict[str, Any]] = [
    {"fill_mode": fill, "interpolation": how, "fill_value": 9.0}
    for fill in ("reflect", "wrap", "constant", "nearest")
    for how in ("bilinear", "nearest")
]
HALF = {"height_factor": 0.5, "width_factor": 0.5}


def shaped(x: Any) -> Any:
    """One number for each image, as Keras multiplies it."""
    return torch("tensor")(x[:, None, None, None])


def transformed(name: str, options: Mapping[str, Any], drawn: Mapping[str, Any], known: Any) -> Case:
    """``drawn`` is what ``transform`` takes here, ``known`` what ``transform_images`` takes there."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        mine, theirs = ours(f"layers.{name}")(**options), keras(f"layers.{name}")(**options)
        given = known() if callable(known) else known
        there = {key: torch("tensor")(x) if isinstance(x, np.ndarray) else x for key, x in given.items()}
        yield from compared(
            lambda x: (mine.transform(backlight.array(x) if isinstance(x, np.ndarray) else x, **drawn), []),
            lambda x: (theirs.transform_images(x * 1, there), []),  # some of Keras's write into what they are given
            [IMAGES],
        )

    return Case("images", name, options, found, "with the same draws", ("float32",))


def moved() -> Iterator[Case]:
    size = {"input_shape": IMAGES.shape}
    for options in ({}, *FILLS):
        shift = {"translations": np.stack([RIGHT, DOWN], 1), **size}
        yield transformed("RandomTranslation", HALF | options, {"down": DOWN, "right": RIGHT}, shift)
        zoom = {"height_zoom": TALL[:, None], "width_zoom": WIDE[:, None], **size}
        yield transformed("RandomZoom", HALF | options, {"tall": TALL, "wide": WIDE}, zoom)
        yield transformed("RandomRotation", {"factor": 0.5} | options, {"angle": ANGLE}, turned)


def turned() -> dict[str, Any]:
    """Keras makes a matrix of the angles."""
    zeros, ones = torch("zeros")(3), torch("ones")(3)
    matrix = keras("layers.RandomRotation")(0.5)._compute_affine_matrix(
        center_x=0.5, center_y=0.5, angle=torch("tensor")(np.rad2deg(ANGLE)), translate_x=zeros, translate_y=zeros,
        scale=ones, shear_x=zeros, shear_y=zeros, height=IMAGES.shape[1], width=IMAGES.shape[2],
    )  # fmt: skip
    return {"rotation_matrix": matrix}


def coloured() -> Iterator[Case]:
    for more in ({}, {"value_range": (0, 100)}):
        contrast = lambda: {"contrast_factor": shaped(FACTOR)}
        yield transformed("RandomContrast", {"factor": 0.9} | more, {"contrast": FACTOR}, contrast)
        brightness = lambda: {"rgb_delta": shaped(99 * FACTOR)}
        yield transformed("RandomBrightness", {"factor": 0.9} | more, {"more": 99 * FACTOR}, brightness)


def flipped() -> Iterator[Case]:
    for mode in ("horizontal", "vertical", "horizontal_and_vertical"):
        options = {} if mode == "horizontal_and_vertical" else {"mode": mode}
        known = {"flips": FLIPS[:, None, None, None], "input_shape": IMAGES.shape}
        yield transformed("RandomFlip", options, {"flips": FLIPS}, known)


MANY = np.broadcast_to(np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1), (20000, 2, 3, 1))
LAWS: list[tuple[str, dict[str, Any], Any]] = [
    ("RandomFlip", {}, MANY),
    ("RandomFlip", {"mode": "horizontal"}, MANY),
    ("RandomBrightness", {"factor": 0.5}, MANY + 100),
    ("RandomBrightness", {"factor": (0.1, 0.3)}, MANY + 100),
    ("RandomContrast", {"factor": 0.5}, 10 * MANY),
    ("RandomContrast", {"factor": (0.2, 0.5)}, 10 * MANY),
    ("RandomTranslation", {"height_factor": 0.5, "width_factor": (-0.3, 0.1)}, MANY),
    ("RandomZoom", {"height_factor": 0.5}, MANY),
    ("RandomZoom", {"height_factor": (0.1, 0.3), "width_factor": 0.4}, MANY),
    ("RandomRotation", {"factor": 0.5}, MANY),
    ("RandomRotation", {"factor": (0.1, 0.2), "fill_mode": "constant"}, MANY),
    ("RandomCrop", {"height": 1, "width": 2}, MANY),
]


def law(name: str, options: dict[str, Any], images: Any) -> Case:
    """Called as it stands, without ``training``."""

    def draw(module: Any) -> Any:
        made = getattr(module, name)(**options, seed=1)
        if name == "RandomCrop":  # one place for a whole batch there: many batches
            return np.stack([plain(made(images[:1])) for _ in range(3000)])
        # each example times what tells the places apart
        return plain(made(images)) * (1 + np.arange(images[0].size, dtype=np.float32).reshape(images[:1].shape))

    return same_law("images", name, options, draw, "layers")


ALONE: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {}),
    ("RandomFlip", {"data_format": "channels_first"}),
    ("RandomBrightness", {"factor": 0.5}),
    ("RandomContrast", {"factor": 0.5}),
    ("RandomTranslation", HALF),
    ("RandomZoom", {"height_factor": 0.5}),
    ("RandomRotation", {"factor": 0.5}),
    ("RandomCrop", {"height": 4, "width": 5}),
    ("RandomCrop", {"height": 8, "width": 5}),
    ("RandomCrop", {"height": 4, "width": 2, "data_format": "channels_first"}),
]


def alone(name: str, options: dict[str, Any], training: bool) -> Case:
    """One image without an axis of examples, and a batch, outside of training; in training the shape."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        for x in (IMAGES, IMAGES[0]):
            mine, theirs = (
                plain(module(f"layers.{name}")(**options)(x, training=training)) for module in (ours, keras)
            )
            yield Pair("Keras", "value", *((mine.shape, theirs.shape) if training else (mine, theirs)))

    note = "shape in training" if training else "outside of training"
    return Case("images", name, options, found, note, ("float32",))


SCALES: list[tuple[str, dict[str, Any]]] = [
    ("Rescaling", {"scale": 1 / 255}),
    ("Rescaling", {"scale": 2.0, "offset": -1.0}),
    ("CenterCrop", {"height": 4, "width": 5}),
    ("CenterCrop", {"height": 12, "width": 5}),
    ("CenterCrop", {"height": 4, "width": 5, "data_format": "channels_first"}),
    ("Normalization", {}),
    ("Normalization", {"axis": None, "mean": 1.5, "variance": 2.5}),
    ("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 3.0], "invert": True}),
]


def adapted(options: dict[str, Any]) -> Case:
    """``Normalization`` that has seen data."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        results = []
        for module in (ours, keras):
            made = module("layers.Normalization")(**options)
            made.adapt(IMAGES)
            results.append([plain(made(IMAGES)), plain(made.mean), plain(made.variance)])
        yield Pair("Keras", "value", *results)

    return Case("images", "Normalization", options, found, "adapted", ("float32",))


def cases() -> Iterator[Case]:
    """All of this table."""
    for family in (moved, coloured, flipped):
        yield from family()
    for row in LAWS:
        yield law(*row)
    for name, options in ALONE:
        for training in (False, True):
            yield alone(name, options, training)
    for name, options in SCALES:
        yield layer(name, options, (IMAGES.astype(np.float64),))._replace(family="images")
    yield layer("CenterCrop", {"height": 4, "width": 5}, (IMAGES[0].astype(np.float64),), note="of one image")._replace(
        family="images"
    )
    for options in ({}, {"axis": None}, {"axis": (1, 3)}):
        yield adapted(options)
