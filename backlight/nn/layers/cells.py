"""One step of a recurrent network: from an input and what is remembered to an output and what is remembered next.

A cell here tells the two halves of a step apart: ``projected`` depends on the input alone, so it is computed for all
steps at once before the loop, and ``advanced`` on what is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from backlight import random
from backlight.errors import ShapeError, message
from backlight.nn import activations, constraints, initializers, regularizers
from backlight.nn.layer import Layer, SeedGenerator
from backlight.nn.layers.core import option_error, positive
from backlight.trace import user_source

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"]
__all__ += ["build_cell", "output_size", "steps_of", "zero_states"]  # for the layers that walk


class _Cell(Layer):
    """What all cells share: a kernel for the inputs, one for the state, a bias, each with a block for every gate."""

    gates: ClassVar[int]
    output_is_state = True
    """Whether the output is also the first state."""

    def _options(
        self, units: int, activation: Any, use_bias: bool, kernel_initializer: Any, recurrent_initializer: Any,
        bias_initializer: Any, kernel_regularizer: Any, recurrent_regularizer: Any, bias_regularizer: Any,
        kernel_constraint: Any, recurrent_constraint: Any, bias_constraint: Any, dropout: float,
        recurrent_dropout: float, seed: int | None,
    ) -> None:  # fmt: skip
        self.units = positive(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        for option, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not isinstance(rate, int | float | np.number) or not 0 <= rate <= 1:
                raise option_error(self, option, rate, "expected_share")
        self.dropout, self.recurrent_dropout, self.seed = float(dropout), float(recurrent_dropout), seed
        drops = self.dropout or self.recurrent_dropout
        self.seed_generator = SeedGenerator(seed, self.name) if drops else None
        self.state_size: Any = self.units
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        """Make ``kernel``, ``recurrent_kernel`` and ``bias``."""
        width, columns = input_shape[-1], self.gates * self.units
        if width is None:
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), layer=self.name, axis=-1))
        self.kernel = self.add_weight(
            (width, columns), self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            (self.units, columns), self.recurrent_initializer, name="recurrent_kernel",
            regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(), self._first_bias, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        return self.bias_initializer(shape, dtype=dtype)

    def _input_bias(self) -> Any:
        """What is added to the inputs' part."""
        return self.bias

    def dropped(self, batch: int, width: int, dtype: Any, training: bool) -> Any:
        """What is kept of inputs and state, the same in all steps: factors, a pair of lists, or ``None``.

        One pattern for all gates, unless the state loses numbers too: then each gate has its own.
        """
        if not training or self.seed_generator is None:
            return None
        count = self.gates if self.recurrent_dropout else 1
        pair = ((self.dropout, width, count), (self.recurrent_dropout, self.units, self.gates))
        return [[self._kept(rate, (batch, size), dtype) for _ in range(n)] if rate else None for rate, size, n in pair]

    def _kept(self, rate: float, shape: tuple[int, int], dtype: Any) -> Any:
        assert self.seed_generator is not None
        kept = random.bernoulli(self.seed_generator.next(), 1 - rate, shape)
        return np.where(kept, np.asarray(1 / (1 - rate) if rate < 1 else 0, dtype), np.zeros((), dtype))

    def _product(self, x: Any, kernel: Any, factors: Any) -> Any:
        """``x @ kernel``, each gate's block with its own factors on x, if there are any."""
        if not factors:
            return x @ kernel
        if len(factors) == 1:
            return (x * factors[0]) @ kernel
        blocks = np.split(kernel, len(factors), axis=1)
        return np.concatenate([(x * f) @ block for f, block in zip(factors, blocks, strict=True)], axis=-1)

    def projected(self, x: Any, dropped: Any) -> Any:
        """The inputs' part of one step, or of many: ``x W + b``."""
        y, bias = self._product(x, self.kernel, dropped and dropped[0]), self._input_bias()
        return y if bias is None else y + bias

    def advanced(self, row: Any, states: Sequence[Any], dropped: Any) -> tuple[Any, list[Any]]:
        """Output and next states for the inputs' part of a step."""
        raise NotImplementedError

    def _recurrent(self, h: Any, dropped: Any) -> Any:
        return self._product(h, self.recurrent_kernel, dropped and dropped[1])

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Output and next states, for an input ``(examples, features)`` and a list of states."""
        x = self.as_float(inputs)
        nested = isinstance(states, list | tuple)
        dropped = self.dropped(x.shape[0], x.shape[-1], x.dtype, training)
        output, after = self.advanced(self.projected(x, dropped), states if nested else [states], dropped)
        return output, after if nested else after[0]

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Zeros."""
        return zero_states(self.state_size, batch_size, self.dtype)


def zero_states(size: Any, batch_size: int, dtype: Any) -> list[Any]:
    """Zeros for a state of this size, or a nesting of sizes."""
    sizes = size if isinstance(size, list | tuple) else [size]
    return [
        zero_states(n, batch_size, dtype) if isinstance(n, list | tuple) else np.zeros((batch_size, n), dtype)
        for n in sizes
    ]


class SimpleRNNCell(_Cell):
    """``h ← f(x W + b + h U)``: one step of a ``SimpleRNN``. The output is h.

    >>> cell = SimpleRNNCell(2)
    >>> y, states = cell(np.ones((1, 3)), [np.zeros((1, 2))])
    >>> y.shape, len(states)
    ((1, 2), 1)

    Raises ``ArgumentError`` for ``units`` below 1 and rates of dropout outside 0 ≤ rate ≤ 1.
    """

    gates = 1

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self._options(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed,
        )  # fmt: skip

    def advanced(self, row: Any, states: Sequence[Any], dropped: Any) -> tuple[Any, list[Any]]:
        """``f(row + h U)``."""
        h = self.activation(row + self._recurrent(states[0], dropped))
        return h, [h]


class LSTMCell(_Cell):
    """One step of an ``LSTM``, with gates i, f, o between 0 and 1 and σ the ``recurrent_activation``.

        i, f, g, o = σ(·), σ(·), a(·), σ(·)   of the four blocks of x W + b + h U
        c ← f c + i g,   h ← o a(c)

    The states are h and c, the output is h. With ``unit_forget_bias`` the bias of f starts at 1 (R. Jozefowicz et al.,
    2015). S. Hochreiter & J. Schmidhuber, "Long short-term memory", 1997.

    >>> y, (h, c) = LSTMCell(2)(np.ones((1, 3)), [np.zeros((1, 2)), np.zeros((1, 2))])
    >>> y.shape, c.shape
    ((1, 2), (1, 2))

    Raises ``ArgumentError`` for ``units`` below 1 and rates of dropout outside 0 ≤ rate ≤ 1.
    """

    gates = 4

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True, kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self._options(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _first_bias(self, shape: Any, dtype: Any = None) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        n = self.units
        rest = [self.bias_initializer((size,), dtype=dtype) for size in (n, 2 * n)]
        return np.concatenate([np.asarray(rest[0]), np.ones(n, dtype), np.asarray(rest[1])])

    def advanced(self, row: Any, states: Sequence[Any], dropped: Any) -> tuple[Any, list[Any]]:
        """h, and h and c."""
        h, c = states
        i, f, g, o = np.split(row + self._recurrent(h, dropped), 4, axis=-1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]


class GRUCell(_Cell):
    """One step of a ``GRU``, with gates z, r between 0 and 1 and σ the ``recurrent_activation``.

        z, r = σ(x W + b + h U)   of the first two blocks
        n = a(x W + b + r (h U + b′))   of the third; with ``reset_after=False``  a(x W + b + (r h) U)
        h ← z h + (1 - z) n

    With ``reset_after`` the bias has two rows, b for the inputs and b′ for the state. K. Cho et al., arXiv:1406.1078.

    >>> y, states = GRUCell(2)(np.ones((1, 3)), [np.zeros((1, 2))])
    >>> y.shape
    (1, 2)

    Raises ``ArgumentError`` for ``units`` below 1 and rates of dropout outside 0 ≤ rate ≤ 1.
    """

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, reset_after: bool = True,
        seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self._options(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _input_bias(self) -> Any:
        return self.bias if self.bias is None or not self.reset_after else self.bias[0]

    def advanced(self, row: Any, states: Sequence[Any], dropped: Any) -> tuple[Any, list[Any]]:
        """h, and h again as the state."""
        h, n = states[0], self.units
        x_z, x_r, x_n = np.split(row, 3, axis=-1)
        gate = self.recurrent_activation
        if self.reset_after:
            inner = self._recurrent(h, dropped)
            inner = inner if self.bias is None else inner + self.bias[1]
            h_z, h_r, h_n = np.split(inner, 3, axis=-1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            new = self.activation(x_n + r * h_n)
        else:
            factors = dropped[1] if dropped and dropped[1] else None
            kernel = self.recurrent_kernel
            h_z, h_r = np.split(self._product(h, kernel[:, : 2 * n], factors and factors[:2]), 2, axis=-1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            new = self.activation(x_n + self._product(r * h, kernel[:, 2 * n :], factors and factors[2:]))
        h = z * h + (1 - z) * new
        return h, [h]


class StackedRNNCells(Layer):
    """Several cells, one on top of the other, as one: each gets the output of the one before.

    >>> cell = StackedRNNCells([LSTMCell(2), GRUCell(4)])
    >>> y, states = cell(np.ones((1, 3)), cell.get_initial_state(1))
    >>> y.shape
    (1, 4)

    Raises ``ArgumentError`` for something that is no cell.
    """

    layer_arguments = ("cells",)
    output_is_state = False

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        good = isinstance(cells, list | tuple) and cells and all(hasattr(c, "state_size") for c in cells)
        if not good:
            raise option_error(self, "cells", cells, "expected_cells")
        self.cells = list(cells)
        self._steps = [steps_of(cell) for cell in self.cells]

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states of every cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The width of the last cell's output."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        """Build every cell for the output of the one before."""
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def dropped(self, batch: int, width: int, dtype: Any, training: bool) -> Any:
        """What each cell keeps of its inputs and its state."""
        widths = [width, *map(output_size, self.cells[:-1])]
        return [s.dropped(batch, n, dtype, training) for s, n in zip(self._steps, widths, strict=True)]

    def projected(self, x: Any, dropped: Any) -> Any:
        """The inputs' part of the first cell's step."""
        return self._steps[0].projected(x, dropped[0])

    def advanced(self, row: Any, states: Sequence[Any], dropped: Any) -> tuple[Any, list[Any]]:
        """The last cell's output, and the states of all."""
        after, output = [], row
        for number, (cell, state) in enumerate(zip(self._steps, states, strict=True)):
            if number:
                row = cell.projected(output, dropped[number])
            output, new = cell.advanced(row, state if isinstance(state, list | tuple) else [state], dropped[number])
            after.append(new)
        return output, after

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Output and next states, for an input ``(examples, features)`` and the states of every cell."""
        x = self.as_float(inputs)
        dropped = self.dropped(x.shape[0], x.shape[-1], x.dtype, training)
        return self.advanced(self.projected(x, dropped), states, dropped)

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Zeros for every cell."""
        return [zero_states(cell.state_size, batch_size, self.dtype) for cell in self.cells]


class _AnyCell:
    """A cell of the user's: the whole step depends on what is remembered."""

    output_is_state = False

    def __init__(self, cell: Any) -> None:
        self.cell = cell

    def dropped(self, batch: int, width: int, dtype: Any, training: bool) -> Any:
        """Nothing is drawn beforehand."""
        return None

    def projected(self, x: Any, dropped: Any) -> Any:
        """The inputs themselves."""
        return x

    def advanced(self, row: Any, states: Sequence[Any], dropped: Any) -> tuple[Any, list[Any]]:
        """What the cell makes of inputs and states."""
        output, after = self.cell(row, list(states))
        return output, list(after) if isinstance(after, list | tuple) else [after]


def steps_of(cell: Any) -> Any:
    """The cell as something whose steps have two halves."""
    return cell if hasattr(cell, "advanced") else _AnyCell(cell)


def output_size(cell: Any) -> int:
    """The width of what the cell gives: of its first state, unless it says otherwise."""
    size = getattr(cell, "output_size", None) or cell.state_size
    return int(size[0] if isinstance(size, list | tuple) else size)


def build_cell(cell: Any, input_shape: Any) -> None:
    """Build a cell, unless it has been."""
    if isinstance(cell, Layer) and not cell.built:
        cell.build(input_shape)
        cell.built = True
