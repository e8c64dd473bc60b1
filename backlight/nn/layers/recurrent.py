"""Layers that walk along a sequence: recurrent networks, both ways at once, and any layer step by step."""

from __future__ import annotations

from functools import lru_cache
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from backlight.array import as_array
from backlight.errors import ShapeError, message
from backlight.loops import scan
from backlight.nn.layer import InputSpec, Layer, Remembered, plain_config
from backlight.nn.layers.cells import (
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    build_cell,
    output_size,
    steps_of,
    zero_states,
)
from backlight.nn.layers.core import option_error
from backlight.nn.naming import unique_name
from backlight.numpy_api.common import cast
from backlight.trace import user_source
from backlight.tree import flatten, tree_map, unflatten
from backlight.variable import Variable

__all__ = ["GRU", "LSTM", "RNN", "Bidirectional", "SimpleRNN", "TimeDistributed"]


class RNN(Layer):
    """``yₜ, sₜ = cell(xₜ, sₜ₋₁)`` along the steps of ``(examples, steps, features)``: the last y, or all of them.

    ``cell`` has a ``state_size`` and gives output and next states for an input and a list of states; a list of cells is
    stacked. What comes back is the last output, with ``return_sequences`` all of them, ``(examples, steps, units)``;
    with ``return_state`` the last states follow. ``go_backwards`` begins at the end, and gives the outputs in that
    order. A ``stateful`` layer goes on where it ended, until ``reset_state()``. A step that the ``mask`` ``(examples,
    steps)`` leaves out changes nothing and repeats the output before it; with ``zero_output_for_mask`` it gives zeros.
    However many steps there are, they are one ``backlight.scan``.

    >>> layer = RNN(SimpleRNNCell(4), return_sequences=True)
    >>> layer(np.zeros((2, 5, 3))).shape
    (2, 5, 4)

    Raises ``ArgumentError`` for something that is no cell, ``ShapeError`` for inputs without three axes or more and for
    states and masks that do not fit them.
    """

    supports_masking = True
    layer_arguments: ClassVar[tuple[str, ...]] = ("cell",)

    def __init__(
        self, cell: Any, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        stateful: bool = False, unroll: bool = False, zero_output_for_mask: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        if not callable(cell) or not hasattr(cell, "state_size"):
            raise option_error(self, "cell", cell, "expected_cell")
        self.cell = cell
        self._steps = steps_of(cell)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful
        self.unroll, self.zero_output_for_mask = unroll, zero_output_for_mask
        self.states: Any = None
        self.input_spec = InputSpec(min_ndim=3)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell, and make room for the states of a ``stateful`` layer."""
        build_cell(self.cell, (sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            if sequences_shape[0] is None:
                raise ShapeError(message("rnn_stateful", str(user_source() or ""), layer=self.name))
            start = self.get_initial_state(sequences_shape[0])
            self.states = tree_map(
                lambda zeros: Remembered(Variable(zeros, trainable=False, name=f"{self.name}/rnn_state")), start
            )
        axes = {k: n for k, n in enumerate(sequences_shape) if n is not None and (k > 1 or (k == 0 and self.stateful))}
        self.input_spec = InputSpec(ndim=len(sequences_shape), axes=axes)

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states before the first step: zeros, unless the cell says otherwise."""
        own = getattr(self.cell, "get_initial_state", None)
        start = zero_states(self.cell.state_size, batch_size, self.dtype) if own is None else own(batch_size)
        return list(start) if isinstance(start, list | tuple) else [start]

    def reset_state(self) -> None:
        """Let a ``stateful`` layer begin with zeros again."""
        for held in flatten(self.states)[0] if self.states is not None else ():
            held.state.assign(np.zeros(held.state.shape, held.state.dtype))

    reset_states = reset_state

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """The last output, or all, and the last states if they are asked for."""
        x = self.as_float(sequences)
        start = self._start(initial_state, x.shape[0])
        rows = np.transpose(x, (1, 0, *range(2, x.ndim)))
        counts = None if mask is None else self._mask_rows(mask, x.shape)
        if self.go_backwards:
            rows, counts = rows[::-1], None if counts is None else counts[::-1]
        dropped = self._steps.dropped(x.shape[0], x.shape[-1], x.dtype, training)
        last, outputs, states = self._walked(self._steps.projected(rows, dropped), counts, start, dropped)
        if self.stateful:
            for held, state in zip(flatten(self.states)[0], flatten(states)[0], strict=True):
                held.state.assign(state)
        output = np.transpose(outputs, (1, 0, *range(2, outputs.ndim))) if self.return_sequences else last
        return (output, *states) if self.return_state else output

    def _start(self, given: Any, batch: int) -> list[Any]:
        """The states before the first step, of the shapes that the cell wants."""
        like = self.get_initial_state(batch)
        if given is None:
            return like if self.states is None else tree_map(lambda held: held.state, self.states)
        leaves, (wanted, form) = flatten(given)[0], flatten(like)
        came, needed = [np.shape(leaf) for leaf in leaves], [np.shape(leaf) for leaf in wanted]
        if came != needed:
            facts = {"layer": self.name, "came": came, "expected": needed}
            raise ShapeError(message("rnn_state", str(user_source() or ""), **facts))
        return unflatten(form, [cast(as_array(leaf), self.dtype) for leaf in leaves])  # type: ignore[no-any-return]

    def _mask_rows(self, mask: Any, shape: tuple[int, ...]) -> Any:
        """One row of the mask for every step, ``(steps, examples, 1)``."""
        if tuple(np.shape(mask)) != tuple(shape[:2]):
            facts = {"layer": self.name, "mask": np.shape(mask), "shape": shape, "expected": shape[:2]}
            raise ShapeError(message("layer_mask", str(user_source() or ""), **facts))
        return np.transpose(cast(as_array(mask), "bool"))[..., None]

    def _walked(self, rows: Any, counts: Any, start: list[Any], dropped: Any) -> tuple[Any, Any, Any]:
        """Last output, all outputs, last states. An output that is the first state need not be carried twice."""
        steps, every = self._steps, self.return_sequences
        if counts is None:

            def step(states: Any, row: Any) -> Any:
                output, after = steps.advanced(row, states, dropped)
                return after, output if every or not steps.output_is_state else None

            states, outputs = scan(step, start, rows)
            return states[0] if steps.output_is_state else outputs[-1], outputs, states

        def masked(carry: Any, row: Any) -> Any:
            (states, before), (x, counted) = carry, row
            output, after = steps.advanced(x, states, dropped)
            after = tree_map(lambda new, old: np.where(counted, new, old), after, states)
            repeated = np.where(counted, output, before)
            shown = np.where(counted, output, np.zeros((), output.dtype)) if self.zero_output_for_mask else repeated
            return (after, repeated), shown if every else None

        zeros = np.zeros((counts.shape[1], output_size(self.cell)), self.dtype)
        (states, last), outputs = scan(masked, (start, zeros), (rows, counts))
        return last, outputs, states

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """That of the input where all outputs are given, none for the states."""
        own = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        own = own if self.return_sequences else None
        count = len(flatten(zero_states(self.cell.state_size, 0, self.dtype))[0])
        return [own, *[None] * count] if self.return_state else own


class _Recurrent(RNN):
    """A layer with the arguments of one kind of cell beside those of ``RNN``; both can be read from the layer."""

    layer_arguments = ()
    _cell_kind: ClassVar[Any]
    _cell_name: ClassVar[str]

    def _options(self, given: dict[str, Any]) -> None:
        """Begin with the arguments of ``__init__``, by name: those of the cell, of ``RNN``, and ``kwargs``."""
        common = given["kwargs"]
        own = {name: value for name, value in given.items() if name not in ("self", "kwargs")}
        names = _cell_names(self._cell_kind)
        title = common.get("name") or unique_name(type(self).__name__)
        cell = self._cell_kind(
            **{name: own.pop(name) for name in names}, dtype=common.get("dtype"),
            name=f"{title}/{self._cell_name}",
        )  # fmt: skip
        RNN.__init__(self, cell, **own, **{**common, "name": title})

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("cell")
        if cell is not None and name in _cell_names(self._cell_kind):
            return getattr(cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        config = super().get_config()
        return {**config, "zero_output_for_mask": True} if self.zero_output_for_mask else config


@lru_cache(maxsize=16)
def _cell_names(kind: Any) -> tuple[str, ...]:
    return tuple(name for name in signature(kind).parameters if name != "kwargs")


class SimpleRNN(_Recurrent):
    """``hₜ = f(xₜ W + b + hₜ₋₁ U)`` along the steps of ``(examples, steps, features)``: see ``SimpleRNNCell``, ``RNN``.

    >>> SimpleRNN(4)(np.zeros((2, 5, 3))).shape
    (2, 4)

    Raises ``ArgumentError`` for ``units`` below 1 and rates of dropout outside 0 ≤ rate ≤ 1, ``ShapeError`` for inputs
    without three axes and for states and masks that do not fit them.
    """

    _cell_kind, _cell_name = SimpleRNNCell, "simple_rnn_cell"

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None, bias_constraint: Any = None,
        dropout: float = 0.0, recurrent_dropout: float = 0.0, return_sequences: bool = False,
        return_state: bool = False, go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
        seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        self._options(locals())


class LSTM(_Recurrent):
    """Long short-term memory along the steps of ``(examples, steps, features)``: see ``LSTMCell`` and ``RNN``.

    The weights are ``kernel`` (features, 4 units), ``recurrent_kernel`` (units, 4 units) and ``bias`` (4 units,) with
    blocks for i, f, g, o; the states are h and c.

    >>> y, h, c = LSTM(4, return_sequences=True, return_state=True)(np.zeros((2, 5, 3)))
    >>> y.shape, h.shape, c.shape
    ((2, 5, 4), (2, 4), (2, 4))

    Raises ``ArgumentError`` for ``units`` below 1 and rates of dropout outside 0 ≤ rate ≤ 1, ``ShapeError`` for inputs
    without three axes and for states and masks that do not fit them.
    """

    _cell_kind, _cell_name = LSTMCell, "lstm_cell"

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True, kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None, bias_constraint: Any = None,
        dropout: float = 0.0, recurrent_dropout: float = 0.0, seed: int | None = None,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        stateful: bool = False, unroll: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        self._options(locals())


class GRU(_Recurrent):
    """Gated recurrent unit along the steps of ``(examples, steps, features)``: see ``GRUCell`` and ``RNN``.

    The weights are ``kernel`` (features, 3 units), ``recurrent_kernel`` (units, 3 units) and ``bias``, (2, 3 units)
    with ``reset_after`` and else (3 units,), with blocks for z, r and the new state.

    >>> GRU(4, return_sequences=True)(np.zeros((2, 5, 3))).shape
    (2, 5, 4)

    Raises ``ArgumentError`` for ``units`` below 1 and rates of dropout outside 0 ≤ rate ≤ 1, ``ShapeError`` for inputs
    without three axes and for states and masks that do not fit them.
    """

    _cell_kind, _cell_name = GRUCell, "gru_cell"

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, seed: int | None = None, return_sequences: bool = False,
        return_state: bool = False, go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
        reset_after: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        self._options(locals())


# -- Around other layers ---------------------------------------------------------------------------------------------

MERGES: dict[str | None, Any] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    None: lambda a, b: (a, b),
}


class Bidirectional(Layer):
    """A recurrent layer from the beginning and one from the end, with what they give put together.

    ``layer`` is made twice, with weights of their own, unless ``backward_layer`` is given too. ``merge_mode`` is
    ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"`` or ``None``, for both outputs as they are. Outputs of all steps are in
    the order of the input, and 0 where a mask leaves a step out. Of ``initial_state`` the first half is for the forward
    layer.
    M. Schuster & K. Paliwal, "Bidirectional recurrent neural networks", 1997.

    >>> Bidirectional(LSTM(4, return_sequences=True))(np.zeros((2, 5, 3))).shape
    (2, 5, 8)

    Raises ``ArgumentError`` for layers that do not fit together and for another ``merge_mode``.
    """

    supports_masking = True
    layer_arguments = ("layer", "backward_layer")

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", weights: Any = None, backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        options = ("go_backwards", "return_sequences", "return_state", "stateful")
        for option, each in (("layer", layer), ("backward_layer", backward_layer or layer)):
            if not isinstance(each, Layer) or not all(hasattr(each, name) for name in options):
                raise option_error(self, option, each, "expected_recurrent")
        if not isinstance(merge_mode, str | None) or merge_mode not in MERGES:
            raise option_error(self, "merge_mode", merge_mode, "expected_choice", names=", ".join(map(repr, MERGES)))
        back: Any = layer if backward_layer is None else backward_layer
        self.forward_layer = self._made(layer, "forward", layer.go_backwards)
        self.backward_layer = self._made(back, "backward", backward_layer is None or back.go_backwards)
        forward, backward = ([getattr(x, name) for name in options] for x in (self.forward_layer, self.backward_layer))
        if forward[0] == backward[0] or forward[1:] != backward[1:]:
            raise option_error(self, "backward_layer", back, "expected_backward")
        self.merge_mode = merge_mode
        self.return_sequences, self.return_state, self.stateful = forward[1:]
        self._given = weights
        self.input_spec = layer.input_spec

    def _made(self, layer: Any, side: str, go_backwards: bool) -> Any:
        """The layer again, with weights of its own."""
        title = layer.name.rpartition("/")[2].removeprefix(f"{side}_")
        config = {**layer.get_config(), "name": f"{self.name}/{side}_{title}", "go_backwards": go_backwards}
        made = type(layer).from_config(config)
        if hasattr(made, "zero_output_for_mask"):
            made.zero_output_for_mask = made.return_sequences
        return made

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build both layers."""
        for layer in (self.forward_layer, self.backward_layer):
            layer.build(sequences_shape)
            layer.built = True
        if self._given is not None:
            self.set_weights(self._given)
            self._given = None

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """The merged outputs, and the states of both if they are asked for."""
        half = 0 if initial_state is None else len(initial_state) // 2
        starts = (None, None) if initial_state is None else (list(initial_state[:half]), list(initial_state[half:]))
        sides = [
            layer(sequences, initial_state=start, mask=mask, training=training)
            for layer, start in zip((self.forward_layer, self.backward_layer), starts, strict=True)
        ]
        outputs = [side[0] if self.return_state else side for side in sides]
        states = [state for side in sides for state in side[1:]] if self.return_state else []
        if self.return_sequences:
            late = 0 if self.forward_layer.go_backwards else 1
            outputs[late] = outputs[late][:, ::-1]
        merged = MERGES[self.merge_mode](*outputs)
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    def reset_state(self) -> None:
        """Let ``stateful`` layers begin with zeros again."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """That of the input where all outputs are given, none for the states."""
        side = self.forward_layer.compute_mask(inputs, previous_mask)
        own, rest = (side[0], side[1:]) if self.return_state else (side, [])
        if self.merge_mode is None:
            return [own, own, *rest, *rest]
        return [own, *rest, *rest] if self.return_state else own

    def get_config(self) -> dict[str, Any]:
        """Both layers and how their outputs are merged."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        sides = {"layer": self.forward_layer, "backward_layer": self.backward_layer}
        config |= {name: plain_config(side, f"Bidirectional.{name}") for name, side in sides.items()}
        return {**config, "merge_mode": self.merge_mode}


class TimeDistributed(Layer):
    """``yₜ = layer(xₜ)`` for every step of ``(examples, steps, …)``, with the same weights.

    All steps are computed at once, as further examples; in training a layer that keeps averages of what it sees is
    called for one step after the other.

    >>> from backlight.nn.layers import Dense
    >>> TimeDistributed(Dense(4))(np.zeros((2, 5, 3))).shape
    (2, 5, 4)

    Raises ``ArgumentError`` for something that is no layer, ``ShapeError`` for inputs without three axes or more and
    for a mask that does not begin with the shape (examples, steps).
    """

    supports_masking = True
    layer_arguments = ("layer",)

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise option_error(self, "layer", layer, "expected_layer")
        self.layer = layer
        self.input_spec = InputSpec(min_ndim=3)

    def build(self, input_shape: Any) -> None:
        """Build the layer for one step."""
        if not self.layer.built:
            self.layer.build((input_shape[0], *input_shape[2:]))
            self.layer.built = True

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """What the layer gives for every step."""
        shape = tuple(inputs.shape)
        if mask is not None and tuple(np.shape(mask)[:2]) != shape[:2]:
            facts = {"layer": self.name, "mask": np.shape(mask), "shape": shape, "expected": shape[:2]}
            raise ShapeError(message("layer_mask", str(user_source() or ""), **facts))
        masked = mask is not None and np.ndim(mask) > 2 and "mask" in signature(self.layer.call).parameters

        def called(x: Any, its: Any) -> Any:
            return self.layer(x, training=training, **({"mask": its} if masked else {}))

        keeps = training and any(not variable.trainable for variable in self.layer.weights)
        if keeps:
            rows = [called(inputs[:, t], mask[:, t] if masked else None) for t in range(shape[1])]
            return tree_map(lambda *steps: np.stack(steps, axis=1), *rows)
        flat = (shape[0] * shape[1],)
        whole = called(inputs.reshape(flat + shape[2:]), mask.reshape(flat + mask.shape[2:]) if masked else None)
        return tree_map(lambda y: y.reshape(shape[:2] + y.shape[1:]), whole)
