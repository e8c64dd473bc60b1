"""Attention and transformer blocks against plain loops, their masks, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from layering import RNG, compiled_agrees, gradients_hold, leaves, made_again, randomised, stays_single
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.nn import layers
from backlight.nn.layers import (
    AdditiveAttention,
    Attention,
    Embedding,
    Input,
    LayerNormalization,
    MultiHeadAttention,
    TransformerDecoder,
    TransformerEncoder,
)

N, T, S, W = 3, 4, 5, 6
Q, V, K = RNG.normal(size=(N, T, W)), RNG.normal(size=(N, S, W + 1)), RNG.normal(size=(N, S, W + 2))
ROWS = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]], bool)
COLUMNS = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
PAIRS = RNG.random((N, T, S)) > 0.4


def shares(scores: Any, seen: Any) -> Any:
    """The softmax of one row over what is seen, 0 elsewhere."""
    row = np.zeros(len(scores))
    if seen.any():
        e = np.exp(scores[seen] - scores[seen].max())
        row[seen] = e / e.sum()
    return row


def transcribed(w: list[Any], q: Any, v: Any, k: Any, seen: Any) -> Any:
    """Outputs and shares, head by head and row by row; ``seen`` is (N, heads, T, S)."""
    w = [*w] if len(w) == 8 else [x for kernel in w for x in (kernel, np.zeros(kernel.shape[1:]))]
    if w[7].ndim > 1:
        w[7] = np.zeros(w[6].shape[-1])
    heads, width = w[0].shape[1:]
    output, scores = np.zeros((len(q), q.shape[1], w[6].shape[-1])), np.zeros((len(q), heads, q.shape[1], v.shape[1]))
    for n in range(len(q)):
        for h in range(heads):
            queries = q[n] @ w[0][:, h] + w[1][h]
            keys = k[n] @ w[2][:, h] + w[3][h]
            values = v[n] @ w[4][:, h] + w[5][h]
            for t in range(q.shape[1]):
                row = shares(keys @ queries[t] / math.sqrt(width), seen[n, h, t])
                scores[n, h, t] = row
                output[n, t] += (row @ values) @ w[6][h]
    return output + w[7], scores


def visible(heads: int, rows: int, columns: int, masks: dict[str, Any]) -> Any:
    seen = np.ones((N, heads, rows, columns), bool)
    for n, h, t, s in np.ndindex(*seen.shape):
        ok = not masks.get("use_causal_mask") or s <= t
        ok = ok and ("query_mask" not in masks or masks["query_mask"][n, t])
        ok = ok and ("value_mask" not in masks or masks["value_mask"][n, s])
        ok = ok and ("key_mask" not in masks or masks["key_mask"][n, s])
        if "attention_mask" in masks:
            mask = np.asarray(masks["attention_mask"])
            mask = mask if mask.ndim == 4 else np.expand_dims(mask, -3)
            ok = ok and np.broadcast_to(mask, seen.shape)[n, h, t, s]
        seen[n, h, t, s] = ok
    return seen


MASKS: dict[str, dict[str, Any]] = {
    "none": {},
    "causal": {"use_causal_mask": True},
    "columns": {"value_mask": COLUMNS},
    "rows and columns": {"query_mask": ROWS, "value_mask": COLUMNS, "key_mask": COLUMNS[:, ::-1]},
    "pairs": {"attention_mask": PAIRS},
    "pairs for all": {"attention_mask": PAIRS[0]},
    "pairs by head": {"attention_mask": RNG.random((N, 2, T, S)) > 0.4, "use_causal_mask": True},
    "numbers": {"attention_mask": PAIRS.astype(np.int64), "value_mask": COLUMNS.astype(np.float64)},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "values": {"value_dim": 5, "output_shape": 7},
    "bare": {"use_bias": False},
}


@pytest.mark.parametrize("masked", MASKS)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_row_takes_from_what_it_sees(name: str, masked: str) -> None:
    layer = randomised(MultiHeadAttention(2, 3, dtype="float64", **OPTIONS[name]), Q, V, K)
    given = MASKS[masked]
    expected = transcribed(layer.get_weights(), Q, V, K, visible(2, T, S, given))
    found = leaves(layer(Q, V, K, return_attention_scores=True, **given))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(layer(Q, V, K, **given).value, found[0])
    if name == "values":
        gradients_hold(layer, (Q, V, K), **given)
        compiled_agrees(layer, (Q, V, K), **given)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
def test_attention_to_itself_is_one_product_and_the_same(name: str, causal: bool) -> None:
    layer = randomised(MultiHeadAttention(2, 3, dtype="float64", **OPTIONS[name]), Q, Q)
    masks = {"use_causal_mask": True} if causal else {}
    expected = transcribed(layer.get_weights(), Q, Q, Q, visible(2, T, T, masks))[0]

    class Itself(layers.Layer):
        def __init__(self) -> None:
            super().__init__(dtype="float64")
            self.inner = layer

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs, inputs, **masks)

    np.testing.assert_allclose(Itself()(Q).value, expected, rtol=1e-11, atol=1e-12)
    gradients_hold(Itself(), (Q,))
    compiled_agrees(Itself(), (Q,))


def test_weights_are_named_shaped_and_first_drawn_apart() -> None:
    layer = MultiHeadAttention(2, 3, value_dim=5, name="mix")
    y = layer(Q, V)
    assert [(w.path, w.shape) for w in layer.weights] == [
        ("mix/query/kernel", (W, 2, 3)), ("mix/query/bias", (2, 3)),
        ("mix/key/kernel", (W + 1, 2, 3)), ("mix/key/bias", (2, 3)),
        ("mix/value/kernel", (W + 1, 2, 5)), ("mix/value/bias", (2, 5)),
        ("mix/attention_output/kernel", (2, 5, W)), ("mix/attention_output/bias", (W,)),
    ]  # fmt: skip
    assert y.shape == Q.shape
    itself = MultiHeadAttention(2, 3)
    itself(Q, Q)
    q, _, k, _, v, *_ = itself.get_weights()
    assert np.abs(q - k).max() > 0.01
    assert np.abs(v - k).max() > 0.01
    made_again(layer, (Q, V))
    stays_single(layer, (Q, V), value_mask=COLUMNS, use_causal_mask=True)
    stays_single(itself, (Q, Q), use_causal_mask=True)
    x = Input((None, 8))
    scores = MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)[1]
    assert (MultiHeadAttention(2, 3)(x, x).shape, scores.shape) == ((None, None, 8), (None, 2, None, None))


def test_huge_scores_and_rows_that_see_nothing_are_never_nan() -> None:
    layer = MultiHeadAttention(2, 3)
    layer(Q, Q)
    layer.set_weights([w + 1e3 for w in layer.get_weights()])
    big = (Q * 1e6).astype(np.float32)
    nothing = np.zeros((N, T, T), bool)
    for mask in (None, nothing):
        y = layer(big, big, attention_mask=mask, use_causal_mask=True).value
        assert np.isfinite(y).all()
    bias = layer.get_weights()[-1]
    np.testing.assert_array_equal(y, np.broadcast_to(bias, y.shape))
    gradient = backlight.grad(lambda x: np.sum(layer(x, x, attention_mask=nothing)))(Q.astype(np.float32))
    np.testing.assert_array_equal(np.asarray(gradient), 0)


def test_masks_are_handed_on_by_name() -> None:
    ids = np.array([[1, 2, 0, 0], [3, 0, 1, 2]])
    table, layer = Embedding(4, W, mask_zero=True), MultiHeadAttention(2, 3)

    class Chain(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [table, layer, LayerNormalization()]

        def call(self, inputs: Any) -> Any:
            x = table(inputs)
            y, scores = layer(x, x, return_attention_scores=True)
            return self.parts[2](y), scores

    _, scores = leaves(Chain()(ids))
    mask = ids != 0
    seen = mask[:, None, :, None] & mask[:, None, None, :]
    np.testing.assert_array_equal(scores > 0, np.broadcast_to(seen, scores.shape))


def test_dropout_of_shares_in_training() -> None:
    layer = MultiHeadAttention(1, 3, dropout=0.5, seed=4)
    x = RNG.normal(size=(8, 20, W))
    _, plain = leaves(layer(x, x, return_attention_scores=True))
    _, dropped = leaves(layer(x, x, return_attention_scores=True, training=True))
    kept = dropped != 0
    assert abs(kept.mean() - 0.5) < 0.05
    np.testing.assert_allclose(dropped[kept], 2 * plain[kept], rtol=1e-5)


SIMPLE: list[tuple[Any, dict[str, Any]]] = [
    (Attention, {}),
    (Attention, {"use_scale": True}),
    (Attention, {"score_mode": "concat"}),
    (Attention, {"score_mode": "concat", "use_scale": True}),
    (AdditiveAttention, {}),
    (AdditiveAttention, {"use_scale": False}),
]


@pytest.mark.parametrize("case", range(len(SIMPLE)), ids=[f"{k.__name__}-{n}" for n, (k, _) in enumerate(SIMPLE)])
def test_attention_without_heads(case: int) -> None:
    kind, options = SIMPLE[case]
    inputs = [Q, RNG.normal(size=(N, S, W)), RNG.normal(size=(N, S, W))]
    layer = randomised(kind(dtype="float64", **options), inputs)
    weights = {w.path.rpartition("/")[2]: w.numpy() for w in layer.weights}
    for causal, masks in ((False, None), (True, None), (True, [ROWS, COLUMNS])):
        expected, every = np.zeros((N, T, W)), np.zeros((N, T, S))
        for n in range(N):
            for t in range(T):
                q = inputs[0][n, t]
                row = np.empty(S)
                for s in range(S):
                    k = inputs[2][n, s]
                    if kind is AdditiveAttention:
                        row[s] = np.sum(weights.get("scale", 1.0) * np.tanh(q + k))
                    elif "score_mode" in options:
                        row[s] = weights["concat_score_weight"] * np.sum(np.tanh(weights.get("scale", 1.0) * (q + k)))
                    else:
                        row[s] = weights.get("scale", 1.0) * (q @ k)
                seen = np.arange(S) <= (t if causal else S)
                seen = seen & COLUMNS[n] if masks else seen
                every[n, t] = shares(row, seen)
                if not masks or ROWS[n, t]:
                    expected[n, t] = every[n, t] @ inputs[1][n]
        given = {"use_causal_mask": causal, **({"mask": masks} if masks else {})}
        found = leaves(layer(inputs, return_attention_scores=True, **given))
        for a, b in zip(found, [expected, every], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    gradients_hold(layer, (inputs,), mask=[ROWS, COLUMNS])
    compiled_agrees(layer, (inputs,))
    made_again(layer, (inputs,))
    stays_single(kind(**options), (inputs,))
    assert layer.compute_mask(inputs, [ROWS, None]) is ROWS


# -- Blocks ------------------------------------------------------------------------------------------------------


def norm(w: list[Any], x: Any) -> Any:
    return w[0] * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + w[1]


def block(weights: list[Any], x: Any, source: Any, first: bool, seen: Any, across: Any) -> Any:
    """Attention, perhaps attention to an encoder's output, and two dense layers, each with its sum around it."""
    w = list(weights)

    def around(x: Any, part: Any, scale: Any) -> Any:
        return x + part(norm(scale, x)) if first else norm(scale, x + part(x))

    def take(count: int) -> list[Any]:
        taken, w[:] = w[:count], w[count:]
        return taken

    attention, scale = take(8), take(2)
    x = around(x, lambda h: transcribed(attention, h, h, h, seen)[0], scale)
    if source is not None:
        crossing, scale = take(8), take(2)
        x = around(x, lambda h: transcribed(crossing, h, source, source, across)[0], scale)
    scale, dense = take(2), take(4)
    assert not w
    return around(x, lambda h: np.maximum(h @ dense[0] + dense[1], 0) @ dense[2] + dense[3], scale)


@pytest.mark.parametrize("first", [False, True])
def test_encoder_block(first: bool) -> None:
    layer = randomised(TransformerEncoder(5, 2, normalize_first=first, dtype="float64"), Q)
    mask = RNG.random((N, T, T)) > 0.3
    seen = visible(2, T, T, {"attention_mask": mask & ROWS[:, None, :]})
    expected = block(layer.get_weights(), Q, None, first, seen, None)
    given = {"padding_mask": ROWS, "attention_mask": mask}
    np.testing.assert_allclose(layer(Q, **given).value, expected, rtol=1e-10, atol=1e-11)
    assert layer(Q, return_attention_scores=True)[1].shape == (N, 2, T, T)
    gradients_hold(layer, (Q,), **given)
    compiled_agrees(layer, (Q,), 1e-11, **given)
    made_again(layer, (Q,))
    stays_single(TransformerEncoder(5, 2, activation="gelu", dropout=0.1), (Q,), training=True)
    assert layer(Input((None, W))).shape == (None, None, W)


@pytest.mark.parametrize("first", [False, True])
def test_decoder_block_alone_and_with_an_encoder(first: bool) -> None:
    layer = randomised(TransformerDecoder(5, 2, normalize_first=first, dtype="float64"), Q)
    seen = visible(2, T, T, {"use_causal_mask": True})
    expected = block(layer.get_weights(), Q, None, first, seen, None)
    np.testing.assert_allclose(layer(Q).value, expected, rtol=1e-10, atol=1e-11)
    everything = visible(2, T, T, {})
    expected = block(layer.get_weights(), Q, None, first, everything, None)
    np.testing.assert_allclose(layer(Q, use_causal_mask=False).value, expected, rtol=1e-10, atol=1e-11)
    gradients_hold(layer, (Q,))
    compiled_agrees(layer, (Q,), 1e-11)
    made_again(layer, (Q,))
    changed = Q.copy()
    changed[:, -1] += 1
    np.testing.assert_array_equal(layer(changed).value[:, :-1], layer(Q).value[:, :-1])  # nothing sees a later step

    both = randomised(TransformerDecoder(5, 2, normalize_first=first, dtype="float64"), Q, V)
    given = {"decoder_padding_mask": ROWS, "encoder_padding_mask": COLUMNS, "encoder_attention_mask": PAIRS}
    seen = visible(2, T, T, {"use_causal_mask": True, "value_mask": ROWS})
    across = visible(2, T, S, {"attention_mask": PAIRS, "value_mask": COLUMNS})
    expected = block(both.get_weights(), Q, V, first, seen, across)
    np.testing.assert_allclose(both(Q, V, **given).value, expected, rtol=1e-10, atol=1e-11)
    gradients_hold(both, (Q, V), **given)
    compiled_agrees(both, (Q, V), 1e-11, **given)
    made_again(both, (Q, V))


def test_first_weights_of_a_block_differ_and_paths_tell_the_block() -> None:
    layer = TransformerDecoder(W, 2, name="block")
    layer(Q)
    paths = [w.path for w in layer.weights]
    assert len(set(paths)) == len(paths) == 16
    assert paths[0] == "block/self_attention/query/kernel"
    one, two = (layer.get_weights()[k] for k in (12, 14))
    assert np.abs(one - two).max() > 0.01


def test_dropout_of_a_block_compiles() -> None:
    one, two = (TransformerDecoder(5, 2, dropout=0.3) for _ in range(2))
    one(Q), two(Q)
    two.set_weights(one.get_weights())
    for mine, other in zip(one.non_trainable_variables, two.non_trainable_variables, strict=True):
        other.assign(mine.numpy())
    compiled = backlight.compile(lambda x: one(x, training=True))
    for _ in range(2):
        np.testing.assert_allclose(compiled(Q), two(Q, training=True).value, rtol=1e-4, atol=1e-5)


REFUSED: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "heads": (lambda: MultiHeadAttention(0, 3), ArgumentError, ("MultiHeadAttention", "num_heads", "0")),
    "width": (lambda: MultiHeadAttention(2, -1), ArgumentError, ("key_dim", "-1")),
    "value width": (lambda: MultiHeadAttention(2, 3, value_dim=0), ArgumentError, ("value_dim", "0")),
    "output": (lambda: MultiHeadAttention(2, 3, output_shape=0), ArgumentError, ("output_shape", "0")),
    "rate": (lambda: MultiHeadAttention(2, 3, dropout=2), ArgumentError, ("rate", "2")),
    "axes": (
        lambda: MultiHeadAttention(2, 3, attention_axes=(1, 2)),
        ArgumentError,
        ("attention_axes", "(1, 2)", "-2"),
    ),
    "option": (lambda: MultiHeadAttention(2, 3, flash_attention=True), ArgumentError, ("flash_attention", "num_heads")),
    "flat": (lambda: MultiHeadAttention(2, 3, name="m")(Q[0], Q[0]), ShapeError, ("m", "(4, 6)")),
    "examples": (lambda: MultiHeadAttention(2, 3, name="m")(Q, V[:2]), ShapeError, ("m", "(3, 4, 6)", "(2, 5, 7)")),
    "keys": (lambda: MultiHeadAttention(2, 3, name="m")(Q, V, K[:, :2]), ShapeError, ("m", "(3, 2, 8)", "(3, 5, 7)")),
    "mask": (
        lambda: MultiHeadAttention(2, 3, name="m")(Q, V, attention_mask=np.ones((N, S, T), bool)),
        ShapeError,
        ("m", "attention_mask", "(3, 5, 4)", "(3, 2, 4, 5)"),
    ),
    "value mask": (
        lambda: MultiHeadAttention(2, 3, name="m")(Q, V, value_mask=np.ones((N, T), bool)),
        ShapeError,
        ("m", "value_mask", "(3, 4)", "(3, 5)"),
    ),
    "unknown": (lambda: MultiHeadAttention(2, 3, name="m")(*[Input((4, None))] * 2), ShapeError, ("m", "-1", "None")),
    "list": (lambda: Attention(name="a")(Q), ArgumentError, ("a", "layer([query, value])")),
    "long list": (lambda: AdditiveAttention(name="a")([Q] * 4), ArgumentError, ("a", "layer([query, value])")),
    "mode": (lambda: Attention(score_mode="sum"), ArgumentError, ("score_mode", "'sum'", "'concat'")),
    "many heads": (lambda: TransformerEncoder(4, 9, name="t")(Q), ShapeError, ("t", "9", "6")),
    "dense": (lambda: TransformerDecoder(0, 2), ArgumentError, ("intermediate_dim", "0")),
    "block rate": (lambda: TransformerEncoder(4, 2, dropout=3), ArgumentError, ("TransformerEncoder", "dropout", "3")),
    "block width": (lambda: TransformerEncoder(4, 2, name="t")(Input((4, None))), ShapeError, ("t", "-1", "None")),
    "encoder": (lambda: built_decoder()(Q, V), ArgumentError, ("t", "encoder_sequence")),
}


def built_decoder() -> Any:
    layer = TransformerDecoder(4, 2, name="t")
    layer(Q)
    return layer


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, kind, parts = REFUSED[case]
    names_all(said(call, kind, language, monkeypatch), parts, language)
