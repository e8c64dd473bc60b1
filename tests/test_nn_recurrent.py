"""Recurrent layers against plain loops, their masks, states, dropout, wrappers, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layering import RNG, compiled_agrees, gradients_hold, leaves, made_again, randomised, stays_single
from refused import names_all, said

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.nn import layers
from backlight.nn.layers import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, Input, SimpleRNN, TimeDistributed

N, T, F, U = 4, 5, 3, 2
X = RNG.normal(size=(N, T, F))
MASKS: dict[str, Any] = {
    "none": None,
    "some": np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], bool),
    "all": np.ones((N, T), bool),
}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x: Any) -> Any:
    return np.minimum(np.maximum(x / 6 + 0.5, 0), 1)


# -- Independent transcriptions: one example, one step -----------------------------------------------------------


def rnn_step(w: Any, x: Any, s: Any, o: Any) -> Any:
    h = o["activation"](x @ w[0] + (w[2] if len(w) > 2 else 0) + s[0] @ w[1])
    return [h]


def lstm_step(w: Any, x: Any, s: Any, o: Any) -> Any:
    h, c = s
    gates = []
    for k in range(4):
        block = slice(k * U, (k + 1) * U)
        z = x @ w[0][:, block] + h @ w[1][:, block] + (w[2][block] if len(w) > 2 else 0)
        gates.append(z)
    i, f, o_ = (o["recurrent_activation"](gates[k]) for k in (0, 1, 3))
    c = f * c + i * o["activation"](gates[2])
    return [o_ * o["activation"](c), c]


def gru_step(w: Any, x: Any, s: Any, o: Any) -> Any:
    (h,) = s
    a, b = [slice(k * U, (k + 1) * U) for k in range(3)], np.zeros((2, 3 * U))
    if len(w) > 2:
        b = w[2] if o["reset_after"] else np.stack([w[2], np.zeros(3 * U)])
    z, r = (o["recurrent_activation"](x @ w[0][:, a[k]] + b[0, a[k]] + h @ w[1][:, a[k]] + b[1, a[k]]) for k in (0, 1))
    inner = r * (h @ w[1][:, a[2]] + b[1, a[2]]) if o["reset_after"] else (r * h) @ w[1][:, a[2]]
    n = o["activation"](x @ w[0][:, a[2]] + b[0, a[2]] + inner)
    return [z * h + (1 - z) * n]


STEPS: dict[str, Any] = {"SimpleRNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}
FUNCTIONS: dict[str, Any] = {"tanh": np.tanh, "sigmoid": sigmoid, "hard_sigmoid": hard_sigmoid, "linear": lambda x: x}


def transcribed(kind: str, w: Any, x: Any, options: dict[str, Any], mask: Any, start: Any) -> Any:
    """Outputs of all steps and last states, computed for every example on its own."""
    o = {
        "activation": FUNCTIONS[options.get("activation", "tanh")],
        "recurrent_activation": FUNCTIONS[options.get("recurrent_activation", "sigmoid")],
        "reset_after": options.get("reset_after", True),
    }
    zero = options.get("zero_output_for_mask", False)
    count = 2 if kind == "LSTM" else 1
    outputs, ends = np.zeros((len(x), x.shape[1], U)), np.zeros((count, len(x), U))
    lasts = np.zeros((len(x), U))
    for n in range(len(x)):
        s = [np.zeros(U) if start is None else start[k][n] for k in range(count)]
        y = np.zeros(U)
        order = range(x.shape[1])
        for place, t in enumerate(reversed(order) if options.get("go_backwards") else order):
            if mask is None or mask[n, t]:
                s = STEPS[kind](w, x[n, t], s, o)
                y = outputs[n, place] = s[0]
            else:
                outputs[n, place] = 0 if zero else y
        lasts[n] = y
        ends[:, n] = s
    return outputs, lasts, list(ends)


OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "linear without bias": {"activation": "linear", "use_bias": False},
    "backwards": {"go_backwards": True},
    "zeros for masked": {"zero_output_for_mask": True},
    "hard": {"recurrent_activation": "hard_sigmoid"},
    "reset before": {"reset_after": False},
    "reset before, no bias": {"reset_after": False, "use_bias": False},
}
CASES = [
    (kind, name)
    for kind in STEPS
    for name, options in OPTIONS.items()
    if not ("recurrent_activation" in options and kind == "SimpleRNN")
    and not ("reset_after" in options and kind != "GRU")
]


@pytest.mark.parametrize("masked", MASKS)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_outputs_and_states_are_those_of_a_plain_loop(kind: str, name: str, masked: str) -> None:
    options, mask = OPTIONS[name], MASKS[masked]
    make = getattr(layers, kind)
    layer = randomised(make(U, return_sequences=True, return_state=True, dtype="float64", **options), X)
    last = make(U, dtype="float64", **options)
    last(X)
    last.set_weights(layer.get_weights())
    for start in (None, [RNG.normal(size=(N, U)) for _ in range(2 if kind == "LSTM" else 1)]):
        outputs, end, states = transcribed(kind, layer.get_weights(), X, options, mask, start)
        found = leaves(layer(X, initial_state=start, mask=mask))
        for a, b in zip(found, [outputs, *states], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(last(X, initial_state=start, mask=mask).value, end, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("masked", ["none", "some"])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_gradients_and_compiled_calls(kind: str, name: str, masked: str) -> None:
    given = {} if MASKS[masked] is None else {"mask": MASKS[masked]}
    layer = getattr(layers, kind)(U, return_sequences=name != "backwards", dtype="float64", **OPTIONS[name])
    randomised(layer, X)
    gradients_hold(layer, (X,), **given)
    if name in ("defaults", "reset before", "backwards"):
        compiled_agrees(layer, (X,), **given)


@pytest.mark.parametrize("kind", STEPS)
def test_weights_names_dtypes_and_configuration(kind: str) -> None:
    layer = getattr(layers, kind)(U, return_sequences=True, return_state=True, name="walk", kernel_regularizer="l2")
    layer(X)
    snake = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}[kind]
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind]
    bias = (2, gates * U) if kind == "GRU" else (gates * U,)
    assert [(w.path, w.shape) for w in layer.weights] == [
        (f"walk/{snake}_cell/kernel", (F, gates * U)),
        (f"walk/{snake}_cell/recurrent_kernel", (U, gates * U)),
        (f"walk/{snake}_cell/bias", bias),
    ]
    np.testing.assert_allclose(layer.get_weights()[1] @ layer.get_weights()[1].T, np.eye(U), atol=1e-5)
    assert layer.units == U
    assert len(layer.losses) == 1
    stays_single(layer, (X,))
    made_again(layer, (X,))
    first = layer.get_weights()[2]
    np.testing.assert_array_equal(first, np.repeat([0, 1, 0, 0], U) if kind == "LSTM" else np.zeros(bias))


def test_symbols_keep_lengths_open() -> None:
    x = Input((None, 8))
    assert LSTM(5)(x).shape == (None, 5)
    y, h, c = LSTM(5, return_sequences=True, return_state=True)(x)
    assert (y.shape, h.shape, c.shape) == ((None, None, 5), (None, 5), (None, 5))
    assert Bidirectional(GRU(5, return_sequences=True))(x).shape == (None, None, 10)
    assert TimeDistributed(Dense(3))(Input((None, 4, 8))).shape == (None, None, 4, 3)
    assert SimpleRNN(5)(x, initial_state=[Input((5,))]).shape == (None, 5)


def test_a_mask_is_handed_on_from_the_embedding_and_only_with_all_outputs() -> None:
    ids = np.array([[1, 2, 0, 0], [0, 3, 1, 0], [0, 0, 0, 0]])
    table, first, second = Embedding(4, F, mask_zero=True), GRU(U, return_sequences=True), LSTM(U)

    class Chain(layers.Layer):  # masks live as long as the outermost call
        def __init__(self) -> None:
            super().__init__()
            self.parts = [table, first, second]

        def call(self, inputs: Any) -> Any:
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    found = Chain()(ids).value
    mask = ids != 0
    np.testing.assert_array_equal(found, second(first(table(ids), mask=mask), mask=mask).value)
    assert np.abs(found - second(first(table(ids))).value).max() > 1e-4
    np.testing.assert_array_equal(found[2], 0)
    assert LSTM(U, return_state=True).compute_mask(None, mask) == [None, None, None]
    assert LSTM(U, return_sequences=True, return_state=True).compute_mask(None, mask)[0] is mask


# -- Dropout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STEPS)
def test_dropout_keeps_the_same_inputs_in_all_steps_and_only_in_training(kind: str) -> None:
    x = np.ones((N, T, 6))
    options = {"dropout": 0.5, "seed": 3, "return_sequences": True}
    layer = getattr(layers, kind)(U, **options)
    plain = getattr(layers, kind)(U, return_sequences=True)
    layer(x), plain(x)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x).value, plain(x).value)
    first = layer(x, training=True).value
    assert np.abs(first - layer(x, training=True).value).max() > 1e-3  # another draw
    candidates = {}
    for bits in range(64):  # what each example saw must be one pattern of six inputs, doubled
        pattern = 2.0 * np.array([bits >> k & 1 for k in range(6)])
        candidates[bits] = plain(np.broadcast_to(pattern, (1, T, 6))).value[0]
    for n in range(N):
        assert min(np.abs(first[n] - seen).max() for seen in candidates.values()) < 1e-6


def test_recurrent_dropout_acts_on_the_state() -> None:
    x = np.zeros((64, 2, 1))
    cell = {
        "activation": "linear",
        "use_bias": False,
        "kernel_initializer": "zeros",
        "recurrent_initializer": "identity",
    }
    layer = SimpleRNN(8, recurrent_dropout=0.25, seed=1, **cell)
    ones = np.ones((64, 8))
    found = layer(x, initial_state=[ones], training=True).value
    values = np.unique(found.round(5))
    np.testing.assert_allclose(values, [0, (4 / 3) ** 2], atol=1e-4)  # kept in both steps or in neither
    assert abs((found > 0).mean() - 0.75) < 0.08
    np.testing.assert_array_equal(layer(x, initial_state=[ones]).value, ones)
    for kind in (LSTM, GRU):
        first, second = (kind(U, recurrent_dropout=0.5, dropout=0.2, seed=5) for _ in range(2))
        first(X), second(X)
        second.set_weights(first.get_weights())
        np.testing.assert_array_equal(first(X, training=True).value, second(X, training=True).value)
        assert np.abs(first(X, training=True).value - first(X).value).max() > 1e-4


def test_dropout_compiles_and_goes_on_drawing() -> None:
    layer = GRU(U, dropout=0.5, recurrent_dropout=0.5, seed=2)
    layer(X)
    again = GRU(U, dropout=0.5, recurrent_dropout=0.5, seed=2)
    again(X)
    again.set_weights(layer.get_weights())
    compiled = backlight.compile(lambda x: layer(x, training=True))
    for _ in range(3):
        np.testing.assert_allclose(compiled(X), again(X, training=True).value, rtol=2e-5, atol=1e-6)


# -- State -------------------------------------------------------------------------------------------------------


def test_a_stateful_layer_goes_on_where_it_ended() -> None:
    whole = LSTM(U, return_sequences=True)
    expected = whole(X).value
    parts = LSTM(U, return_sequences=True, stateful=True)
    parts(X[:, :2])
    parts.set_weights(whole.get_weights())
    parts.reset_state()
    found = np.concatenate([parts(X[:, :2]).value, parts(X[:, 2:]).value], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert len(parts.get_weights()) == 3
    assert len(parts.variables) == 5
    parts.reset_states()
    compiled = backlight.compile(parts)
    halves = [np.asarray(compiled(X[:, :3])), np.asarray(compiled(X[:, 3:]))]
    np.testing.assert_allclose(np.concatenate(halves, axis=1), expected, rtol=1e-4, atol=1e-5)


# -- Cells -------------------------------------------------------------------------------------------------------


def test_stacked_cells_are_layers_one_after_the_other() -> None:
    kinds = ((layers.LSTMCell, U), (layers.GRUCell, 3), (layers.SimpleRNNCell, U))
    stack = RNN([kind(n, dtype="float64") for kind, n in kinds], return_sequences=True, dtype="float64")
    randomised(stack, X)
    weights, y = stack.get_weights(), X
    for part, kind, units in ((weights[:3], LSTM, U), (weights[3:6], GRU, 3), (weights[6:], SimpleRNN, U)):
        layer = kind(units, return_sequences=True, dtype="float64")
        layer(y)
        layer.set_weights(part)
        y = layer(y).value
    np.testing.assert_allclose(stack(X).value, y, rtol=1e-12)
    compiled_agrees(stack, (X,), mask=MASKS["some"])


def test_wrapped_layers_are_made_again_from_their_configuration() -> None:
    for layer in (
        RNN([layers.LSTMCell(U), layers.GRUCell(3)], return_state=True),
        RNN(layers.SimpleRNNCell(U), go_backwards=True),
        Bidirectional(LSTM(U, return_sequences=True), merge_mode="sum"),
        TimeDistributed(Dense(3)),
    ):
        layer(X)
        made_again(layer, (X,))


class Adding(layers.Layer):
    """A cell of the user's: the state is the sum of the inputs so far."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = self.state_size = width

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        total = states[0] + inputs * (2 if training else 1)
        return total * 10, [total]


def test_cells_of_the_users_and_their_configuration() -> None:
    layer = RNN(Adding(F), return_sequences=True, return_state=True)
    y, total = leaves(layer(X))
    np.testing.assert_allclose(y, 10 * np.cumsum(X, axis=1), rtol=1e-5)
    np.testing.assert_allclose(total, X.sum(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(leaves(layer(X, training=True))[1], 2 * X.sum(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(RNN(Adding(F))(X).value, y[:, -1], rtol=1e-6)
    masked = RNN(Adding(F))(X, mask=MASKS["some"]).value
    np.testing.assert_allclose(masked, 10 * (X * MASKS["some"][..., None]).sum(axis=1), rtol=1e-4, atol=1e-5)
    again = layers.deserialize(layers.serialize(layer), {"Adding": Adding})
    np.testing.assert_array_equal(leaves(again(X))[0], y)
    with pytest.raises(ArgumentError):
        layers.deserialize(layers.serialize(layer))


# -- Both ways, and step by step ---------------------------------------------------------------------------------

MERGED: dict[Any, Any] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": np.add,
    "mul": np.multiply,
    "ave": lambda a, b: (a + b) / 2,
}


@pytest.mark.parametrize("masked", ["none", "some"])
@pytest.mark.parametrize("mode", [*MERGED, None])
def test_bidirectional_is_a_layer_each_way(mode: Any, masked: str) -> None:
    mask = MASKS[masked]
    for sequences in (True, False):
        layer = Bidirectional(
            LSTM(U, return_sequences=sequences, return_state=True, dtype="float64"), mode, dtype="float64"
        )
        randomised(layer, X)
        w = layer.get_weights()
        zero = {"zero_output_for_mask": sequences}
        ahead = transcribed("LSTM", w[:3], X, zero, mask, None)
        back = transcribed("LSTM", w[3:], X, {"go_backwards": True, **zero}, mask, None)
        pair = (ahead[0], back[0][:, ::-1]) if sequences else (ahead[1], back[1])
        expected = [*([MERGED[mode](*pair)] if mode else pair), *ahead[2], *back[2]]
        for a, b in zip(leaves(layer(X, mask=mask)), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    gradients_hold(layer, (X,), **({} if mask is None else {"mask": mask}))
    if mode == "concat":
        compiled_agrees(layer, (X,), **({} if mask is None else {"mask": mask}))
        starts = [RNG.normal(size=(N, U)) for _ in range(4)]
        ends = leaves(layer(X, initial_state=starts))[1:]
        np.testing.assert_allclose(
            ends[2], transcribed("LSTM", w[3:], X, {"go_backwards": True}, None, starts[2:])[2][0]
        )


def test_bidirectional_names_seeds_and_given_weights() -> None:
    layer = Bidirectional(GRU(U, name="walk"), name="both", backward_layer=SimpleRNN(3, go_backwards=True))
    assert layer(X).shape == (N, U + 3)
    paths = [w.path for w in layer.weights]
    assert paths[0] == "both/forward_walk/gru_cell/kernel"
    assert paths[3].startswith("both/backward_simple_rnn")
    both = Bidirectional(GRU(U))
    both(X)
    a, b = both.get_weights()[0], both.get_weights()[3]
    assert np.abs(a - b).max() > 1e-3  # not the same first numbers twice
    copy = Bidirectional(GRU(U), weights=both.get_weights())
    np.testing.assert_array_equal(copy(X).value, both(X).value)


def test_time_distributed_is_the_layer_for_every_step() -> None:
    dense = Dense(2, dtype="float64")
    layer = TimeDistributed(dense, dtype="float64")
    expected = np.stack([dense(X[:, t]).value for t in range(T)], axis=1)
    np.testing.assert_allclose(layer(X).value, expected, rtol=1e-12)
    gradients_hold(layer, (X,))
    compiled_agrees(layer, (X,))
    inner = LSTM(U)
    deep = RNG.normal(size=(2, 3, T, F))
    mask = RNG.random((2, 3, T)) > 0.4
    found = TimeDistributed(inner)(deep, mask=mask).value
    for n in range(3):
        np.testing.assert_allclose(found[:, n], inner(deep[:, n], mask=mask[:, n]).value, rtol=1e-5, atol=1e-6)
    norm = layers.BatchNormalization(momentum=0.5)
    rows = TimeDistributed(norm)(X, training=True).value
    moving = np.zeros(F)
    for t in range(T):  # one step after the other, as batches of their own
        step = (X[:, t] - X[:, t].mean(0)) / np.sqrt(X[:, t].var(0) + 1e-3)
        np.testing.assert_allclose(rows[:, t], step, rtol=1e-4, atol=1e-5)
        moving = 0.5 * moving + 0.5 * X[:, t].mean(0)
    np.testing.assert_allclose(norm.moving_mean.numpy(), moving, rtol=1e-4, atol=1e-6)


# -- What is refused ---------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "units": (lambda: LSTM(0), ArgumentError, ("LSTMCell", "units", "0")),
    "rate": (lambda: GRU(2, dropout=1.5), ArgumentError, ("dropout", "1.5")),
    "recurrent rate": (lambda: SimpleRNN(2, recurrent_dropout=-1), ArgumentError, ("recurrent_dropout", "-1")),
    "option": (lambda: LSTM(2, depth=3), ArgumentError, ("LSTM", "depth", "return_sequences")),
    "cell": (lambda: RNN(3), ArgumentError, ("RNN", "cell", "LSTMCell")),
    "cells": (lambda: RNN([Dense(3)]), ArgumentError, ("StackedRNNCells", "cells")),
    "axes": (lambda: LSTM(2, name="r")(np.zeros((2, 3))), ShapeError, ("r", "LSTM", "(2, 3)", "3")),
    "width": (lambda: built_lstm()(np.zeros((2, 3, 9))), ShapeError, ("(2, 3, 9)", str(F))),
    "state": (lambda: LSTM(2, name="r")(X, initial_state=[np.zeros((N, 2))]), ShapeError, ("r", "(4, 2)")),
    "mask": (lambda: GRU(2, name="r")(X, mask=np.ones((2, 2), bool)), ShapeError, ("r", "(2, 2)", "(4, 5)")),
    "stateful": (lambda: LSTM(2, stateful=True, name="r")(Input((3, 4))), ShapeError, ("r", "batch_size")),
    "batch": (lambda: stateful()(X[:2]), ShapeError, ("r", "(2, 5, 3)", "4")),
    "unknown width": (lambda: LSTM(2, name="r")(Input((3, None))), ShapeError, ("r", "-1", "None")),
    "both": (lambda: Bidirectional(Dense(2)), ArgumentError, ("Bidirectional", "go_backwards")),
    "merge": (lambda: Bidirectional(LSTM(2), merge_mode="max"), ArgumentError, ("merge_mode", "'max'", "'concat'")),
    "one way": (
        lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2)),
        ArgumentError,
        ("backward_layer", "go_backwards"),
    ),
    "steps": (lambda: TimeDistributed(3), ArgumentError, ("TimeDistributed", "3")),
    "steps' axes": (lambda: TimeDistributed(Dense(2))(np.zeros((2, 3))), ShapeError, ("(2, 3)",)),
    "steps' mask": (lambda: TimeDistributed(Dense(2), name="r")(X, mask=np.ones(4, bool)), ShapeError, ("r", "(4,)")),
}


def built_lstm() -> Any:
    layer = LSTM(2)
    layer(X)
    return layer


def stateful() -> Any:
    layer = LSTM(2, stateful=True, name="r")
    layer(X)
    return layer


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, kind, parts = REFUSED[case]
    names_all(said(call, kind, language, monkeypatch), parts, language)
