"""Normalisation, embeddings and positions against plain NumPy, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from layering import RNG, compiled_agrees, gradients_hold, made_again, randomised, stays_single
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, RangeError, ShapeError
from backlight.nn import layers
from backlight.nn.layers import (
    BatchNormalization,
    Embedding,
    GroupNormalization,
    Input,
    LayerNormalization,
    Masking,
    PositionEmbedding,
    RMSNormalization,
    SinePositionEncoding,
    TokenAndPositionEmbedding,
    UnitNormalization,
)

IMAGE = RNG.normal(size=(4, 3, 5, 6)) * 2 + 1
SEQUENCE = RNG.normal(size=(3, 4, 6))
MASK = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]], bool)

Rows = list[tuple[str, dict[str, Any]]]


def spread(weight: Any, axes: list[int], ndim: int) -> Any:
    """A weight of these axes, in the order of the input's, beside the others."""
    return np.moveaxis(weight.reshape(weight.shape + (1,) * (ndim - len(axes))), range(len(axes)), sorted(axes))


def transcribed(kind: str, o: dict[str, Any], x: Any, weights: list[Any]) -> Any:
    """The formula, by the definition of each."""
    axis = o.get("axis", -1)
    axes = [a % x.ndim for a in (axis if isinstance(axis, list) else [axis])]
    epsilon = o.get("epsilon", 1e-6 if kind == "RMSNormalization" else 1e-3)
    gamma = spread(weights.pop(0), axes, x.ndim) if weights and o.get("scale", True) else 1.0
    beta = spread(weights.pop(0), axes, x.ndim) if weights and o.get("center", True) else 0.0
    if kind == "UnitNormalization":
        return x / np.sqrt((x**2).sum(tuple(axes), keepdims=True))
    if kind == "RMSNormalization":
        return gamma * x / np.sqrt((x**2).mean(tuple(axes), keepdims=True) + epsilon)
    y = np.empty_like(x)
    if kind == "LayerNormalization":
        over = tuple(axes)
        y = (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + epsilon)
        if o.get("rms_scaling"):
            return gamma * x / np.sqrt(x.var(over, keepdims=True) + epsilon)
    else:
        place = axes[0]
        channels = np.moveaxis(x, place, -1)
        groups = o.get("groups", 32) if o.get("groups") != -1 else channels.shape[-1]
        for n in range(len(x)):
            for block in np.split(np.arange(channels.shape[-1]), groups):
                part = channels[n][..., block]
                done = (part - part.mean()) / math.sqrt(part.var() + epsilon)
                np.moveaxis(y, place, -1)[n][..., block] = done
    return gamma * y + beta


EXAMPLES: Rows = [
    ("LayerNormalization", {}),
    ("LayerNormalization", {"axis": 1, "epsilon": 1e-5}),
    ("LayerNormalization", {"axis": [1, 3]}),
    ("LayerNormalization", {"axis": [-1, -2, 1], "center": False}),
    ("LayerNormalization", {"scale": False}),
    ("LayerNormalization", {"rms_scaling": True, "center": False}),
    ("GroupNormalization", {"groups": 3}),
    ("GroupNormalization", {"groups": -1, "axis": 2, "epsilon": 1e-5}),
    ("GroupNormalization", {"groups": 1, "center": False, "scale": False}),
    ("RMSNormalization", {}),
    ("RMSNormalization", {"axis": [2, 1], "epsilon": 0.1}),
    ("UnitNormalization", {}),
    ("UnitNormalization", {"axis": [1, 2]}),
]


@pytest.mark.parametrize(("kind", "options"), EXAMPLES, ids=[f"{k}-{n}" for n, (k, _) in enumerate(EXAMPLES)])
def test_what_is_normalised_by_example(kind: str, options: dict[str, Any]) -> None:
    layer = randomised(getattr(layers, kind)(dtype="float64", **options), IMAGE)
    expected = transcribed(kind, options, IMAGE, layer.get_weights())
    np.testing.assert_allclose(layer(IMAGE).value, expected, rtol=1e-11, atol=1e-12)
    gradients_hold(layer, (IMAGE,))
    compiled_agrees(layer, (IMAGE,), 1e-11)
    made_again(layer, (IMAGE,))
    stays_single(getattr(layers, kind)(**options), (IMAGE,))
    assert (
        getattr(layers, kind)(**options)(Input((None, 5, 6) if options.get("axis", -1) in (-1, 2) else (3, 5, 6))).ndim
        == 4
    )


BATCHES: Rows = [
    ("last", {}),
    ("first", {"axis": 1, "momentum": 0.9, "epsilon": 1e-5}),
    ("bare", {"center": False, "scale": False}),
]


@pytest.mark.parametrize(("name", "options"), BATCHES, ids=[name for name, _ in BATCHES])
def test_batch_normalisation(name: str, options: dict[str, Any]) -> None:
    layer = randomised(BatchNormalization(dtype="float64", **options), IMAGE)
    place = options.get("axis", -1) % 4
    others = tuple(k for k in range(4) if k != place)
    weights = layer.get_weights()
    *affine, mean, variance = weights
    layer.set_weights([*affine, mean, variance**2])
    variance, epsilon, momentum = variance**2, options.get("epsilon", 1e-3), options.get("momentum", 0.99)
    gamma, beta = affine or (np.ones(()), np.zeros(()))
    wide = lambda v: spread(v, [place], 4) if v.ndim else v
    expected = wide(gamma) * (IMAGE - wide(mean)) / np.sqrt(wide(variance) + epsilon) + wide(beta)
    np.testing.assert_allclose(layer(IMAGE).value, expected, rtol=1e-11)
    gradients_hold(layer, (IMAGE,))
    gradients_hold(layer, (IMAGE,), training=True)
    made_again(layer, (IMAGE,))
    layer.set_weights([*affine, mean, variance])
    now, spreading = IMAGE.mean(others), IMAGE.var(others)
    expected = wide(gamma) * (IMAGE - wide(now)) / np.sqrt(wide(spreading) + epsilon) + wide(beta)
    np.testing.assert_allclose(layer(IMAGE, training=True).value, expected, rtol=1e-11, atol=1e-12)
    moved = [momentum * old + (1 - momentum) * new for old, new in ((mean, now), (variance, spreading))]
    for found, want in zip(layer.get_weights()[-2:], moved, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-12)
    layer.trainable = False
    frozen = layer.get_weights()
    np.testing.assert_array_equal(layer(IMAGE, training=True).value, layer(IMAGE).value)
    assert all((a == b).all() for a, b in zip(layer.get_weights(), frozen, strict=True))


def test_batch_normalisation_trains_alike_when_compiled() -> None:
    one, two = BatchNormalization(), BatchNormalization()
    one(IMAGE), two(IMAGE)
    compiled = backlight.compile(lambda x: one(x, training=True))
    for k in range(3):
        np.testing.assert_allclose(compiled(IMAGE + k), two(IMAGE + k, training=True).value, rtol=1e-4, atol=1e-5)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    stays_single(one, (IMAGE,), training=True)
    assert [w.path.rpartition("/")[2] for w in one.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert len(one.trainable_variables) == 2


def test_masked_steps_count_for_nothing() -> None:
    layer = BatchNormalization(momentum=0.0, dtype="float64")
    y = layer(SEQUENCE, training=True, mask=MASK).value
    seen = SEQUENCE[MASK]
    np.testing.assert_allclose(layer.moving_mean.numpy(), seen.mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), seen.var(0), rtol=1e-6)
    np.testing.assert_allclose(y, (SEQUENCE - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-3), rtol=1e-5, atol=1e-6)
    gradients_hold(layer, (SEQUENCE,), training=True, mask=MASK)
    layer(SEQUENCE, training=True, mask=np.zeros((3, 4), bool))
    np.testing.assert_array_equal(layer.moving_variance.numpy(), 0)


@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization", "GroupNormalization"])
def test_nothing_is_lost_far_from_zero(kind: str) -> None:
    """Numbers around 30,000 of which only the last digits differ, and others that are tiny."""
    options = {"groups": 1} if kind == "GroupNormalization" else {}
    layer = getattr(layers, kind)(epsilon=1e-12, **options)
    for shift, size in ((3e4, 1.0), (0.0, 1e-4)):
        x = (RNG.normal(size=(64, 64)) * size + shift).astype(np.float32)
        axis = 0 if kind == "BatchNormalization" else 1
        wide = x.astype(np.float64)
        expected = (wide - wide.mean(axis, keepdims=True)) / np.sqrt(wide.var(axis, keepdims=True) + 1e-12)
        found = layer(x, training=True).value if kind == "BatchNormalization" else layer(x).value
        assert np.abs(found - expected).max() < 4e-3
        assert not np.isnan(layer(np.full((4, 64), 3e4, np.float32)).value).any()


# -- Embeddings --------------------------------------------------------------------------------------------------

IDS = np.array([[1, 0, 3], [2, 2, 0]])


def test_embedding_looks_up_rows() -> None:
    layer = randomised(Embedding(4, 3, dtype="float64", embeddings_regularizer="l2"), IDS)
    table = layer.get_weights()[0]
    for ids in (IDS, IDS.astype(np.float32), IDS.astype(np.uint8)):
        np.testing.assert_array_equal(layer(ids).value, table[IDS])
    gradients_hold(layer, (IDS,))
    compiled_agrees(layer, (IDS,))
    made_again(layer, (IDS,))
    stays_single(Embedding(4, 3), (IDS,))
    assert layer.weights[0].path.endswith("/embeddings")
    assert len(layer.losses) == 1
    given = Embedding(4, 3, weights=[table], input_length=3)
    np.testing.assert_allclose(given(IDS).value, table[IDS], rtol=1e-6)
    assert Embedding(4, 3)(Input((None,), dtype="int32")).shape == (None, None, 3)
    assert Embedding(4, 3, mask_zero=True).compute_mask(IDS, None).value.tolist() == (IDS != 0).tolist()
    assert Embedding(4, 3).compute_mask(IDS, None) is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_numbers_outside_the_table_are_refused_interpreted_and_compiled(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Embedding(4, 3)
    layer(IDS)
    compiled = backlight.compile(layer)
    compiled(IDS)
    for call in (layer, compiled):
        names_all(
            said(lambda call=call: call(np.array([[1, 9, 0]])), RangeError, language, monkeypatch), ("9",), language
        )


def test_masking_leaves_steps_out() -> None:
    x = SEQUENCE * MASK[..., None]
    layer = Masking(dtype="float64")
    np.testing.assert_array_equal(layer(x).value, x)
    np.testing.assert_array_equal(layer.compute_mask(x, None), MASK)
    other = np.where(MASK[..., None], SEQUENCE, 7.0)
    np.testing.assert_array_equal(Masking(7.0, dtype="float64")(other).value, x)
    made_again(Masking(7.0), (other,))
    compiled_agrees(Masking(7.0), (other,))
    stays_single(Masking(), (x,))


def test_positions_as_waves() -> None:
    y = SinePositionEncoding(dtype="float64")(SEQUENCE).value
    for t in range(4):
        for k in range(3):
            angle = t / 10000 ** (2 * k / 6)
            np.testing.assert_allclose(
                y[1, t, 2 * k : 2 * k + 2], [math.sin(angle), math.cos(angle)], rtol=1e-12, atol=0
            )
    layer = SinePositionEncoding(max_wavelength=100)
    np.testing.assert_allclose(layer(SEQUENCE, start_index=2).value[0, :2], layer(SEQUENCE).value[0, 2:], rtol=1e-6)
    places = np.array([3, 1, 0, 2])
    np.testing.assert_allclose(layer(SEQUENCE, positions=places).value[0], layer(SEQUENCE).value[0, places], atol=1e-6)
    made_again(layer, (SEQUENCE,))
    compiled_agrees(layer, (SEQUENCE,), 1e-6)
    stays_single(layer, (SEQUENCE,), positions=places)
    assert layer(Input((None, 8))).shape == (None, None, 8)


def test_positions_that_are_trained() -> None:
    layer = randomised(PositionEmbedding(6, dtype="float64"), SEQUENCE)
    table = layer.get_weights()[0]
    np.testing.assert_array_equal(layer(SEQUENCE).value, np.broadcast_to(table[:4], SEQUENCE.shape))
    np.testing.assert_array_equal(layer(SEQUENCE, start_index=2).value[1], table[2:6])
    gradients_hold(layer, (SEQUENCE,))
    both = TokenAndPositionEmbedding(4, 5, 6, mask_zero=True, name="both")
    found = both(IDS).value
    tokens, places = both.get_weights()
    np.testing.assert_allclose(found, tokens[IDS] + places[:3], rtol=1e-6)
    paths = [w.path for w in both.weights]
    assert paths == ["both/token_embedding/embeddings", "both/position_embedding/embeddings"]
    assert np.abs(tokens[:4] - places[:4]).max() > 1e-3
    for each, args in ((layer, (SEQUENCE,)), (both, (IDS,))):
        made_again(each, args)
        compiled_agrees(each, args, 1e-6)
    stays_single(both, (IDS,))


REFUSED: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "axis": (lambda: LayerNormalization(axis="last"), ArgumentError, ("LayerNormalization", "axis", "'last'")),
    "no axes": (lambda: RMSNormalization(axis=[]), ArgumentError, ("RMSNormalization", "axis")),
    "axes": (lambda: BatchNormalization(axis=[1, 2]), ArgumentError, ("BatchNormalization", "[1, 2]")),
    "group axes": (lambda: GroupNormalization(axis=[1, 2]), ArgumentError, ("GroupNormalization", "[1, 2]")),
    "momentum": (lambda: BatchNormalization(momentum=1.5), ArgumentError, ("momentum", "1.5")),
    "epsilon": (lambda: LayerNormalization(epsilon=-1.0), ArgumentError, ("epsilon", "-1.0")),
    "rms epsilon": (lambda: RMSNormalization(epsilon=None), ArgumentError, ("epsilon", "None")),
    "groups": (lambda: GroupNormalization(0), ArgumentError, ("groups", "0", "-1")),
    "renorm": (lambda: BatchNormalization(renorm=True), ArgumentError, ("renorm", "momentum")),
    "uneven": (lambda: GroupNormalization(4, name="g")(SEQUENCE), ShapeError, ("g", "6", "4", "groups=n")),
    "missing": (lambda: LayerNormalization(axis=5, name="n")(SEQUENCE), ShapeError, ("n", "(3, 4, 6)", "5")),
    "missing unit": (lambda: UnitNormalization(axis=5, name="n")(SEQUENCE), ShapeError, ("n", "(3, 4, 6)", "5")),
    "unknown": (lambda: LayerNormalization(name="n")(Input((4, None))), ShapeError, ("n", "-1", "None")),
    "other width": (lambda: widened(), ShapeError, ("(3, 4, 5)", "6")),
    "mask": (
        lambda: BatchNormalization(name="n")(SEQUENCE, training=True, mask=np.ones(3, bool)),
        ShapeError,
        ("n", "(3,)", "(3, 4)"),
    ),
    "rows": (lambda: Embedding(0, 3), ArgumentError, ("Embedding", "input_dim", "0")),
    "columns": (lambda: Embedding(3, 2.5), ArgumentError, ("output_dim", "2.5")),
    "value": (lambda: Masking("x"), ArgumentError, ("mask_value", "'x'")),
    "wavelength": (lambda: SinePositionEncoding(0), ArgumentError, ("max_wavelength", "0")),
    "length": (lambda: PositionEmbedding(0), ArgumentError, ("sequence_length", "0")),
    "place": (lambda: PositionEmbedding(3, name="p")(SEQUENCE), ShapeError, ("p", "3", "4")),
    "place width": (lambda: PositionEmbedding(3, name="p")(Input((3, None))), ShapeError, ("p", "-1", "None")),
}


def widened() -> Any:
    layer = BatchNormalization()
    layer(SEQUENCE)
    return layer(SEQUENCE[..., :5])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, kind, parts = REFUSED[case]
    names_all(said(call, kind, language, monkeypatch), parts, language)
