"""From class numbers to vectors, and from places in a sequence to vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.array import as_array
from backlight.errors import ShapeError, message
from backlight.nn import constraints, initializers, regularizers
from backlight.nn.layer import InputSpec, Layer
from backlight.nn.layers.core import option_error, positive
from backlight.numpy_api.common import cast
from backlight.trace import user_source

__all__ = ["Embedding", "Masking", "PositionEmbedding", "SinePositionEncoding", "TokenAndPositionEmbedding"]


class Embedding(Layer):
    """``y = E[x]``: row x of a table of ``input_dim`` vectors with ``output_dim`` numbers each.

    With ``mask_zero`` the number 0 means that there is nothing: later layers skip those steps. ``weights`` may hold the
    first table.

    >>> layer = Embedding(3, 2, embeddings_initializer="ones")
    >>> layer(np.array([[0, 2]])).shape
    (1, 2, 2)

    Raises ``ArgumentError`` for sizes below 1, and ``RangeError`` for numbers outside the table, like any index.
    """

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None, embeddings_constraint: Any = None, mask_zero: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        given = kwargs.pop("weights", None)
        length = kwargs.pop("input_length", None)  # of older scripts: lengths are seen from the input
        super().__init__(**{"input_shape": None if length is None else (length,), **kwargs})
        self.input_dim = positive(self, "input_dim", input_dim)
        self.output_dim = positive(self, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        self.autocast = False
        self._given = given[0] if isinstance(given, list | tuple) else given

    def build(self, input_shape: Any = None) -> None:
        """Make ``embeddings``."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim), self.embeddings_initializer, name="embeddings",
            regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
        )  # fmt: skip
        self.built = True
        if self._given is not None:
            self.set_weights([self._given])
            self._given = None

    def call(self, inputs: Any) -> Any:
        """The rows."""
        return self.embeddings[_numbers(inputs)]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Where the number is not 0, with ``mask_zero``."""
        return np.not_equal(_numbers(inputs), 0) if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        """The arguments, ``input_dim`` among them, which for other layers is something else."""
        return {**super().get_config(), "input_dim": self.input_dim}


def _numbers(inputs: Any) -> Any:
    """Class numbers as whole numbers: data often holds them as floats."""
    x = as_array(inputs)
    return x if x.dtype.kind in "iu" else cast(x, "int32")


class Masking(Layer):
    """Steps whose numbers are all ``mask_value`` are left out by later layers, and become 0.

    >>> Masking(-1.0)(np.array([[[-1.0, -1.0], [-1.0, 2.0]]])).value
    array([[[ 0.,  0.],
            [-1.,  2.]]], dtype=float32)

    Raises ``ArgumentError`` for a value that is no number.
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(mask_value, int | float | np.number):
            raise option_error(self, "mask_value", mask_value, "expected_number")
        self.mask_value = mask_value
        self.input_spec = InputSpec(min_ndim=2)

    def call(self, inputs: Any) -> Any:
        """The input, 0 where it is masked."""
        return np.where(self.compute_mask(inputs, None)[..., None], inputs, np.zeros((), inputs.dtype))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Where a step holds anything else than the value."""
        return np.any(np.not_equal(inputs, self.mask_value), axis=-1)


class SinePositionEncoding(Layer):
    """Waves of different lengths, which tell places in a sequence apart: add them to the embeddings.

    ``y[…, t, 2k] = sin(t / L^(2k/d))`` and ``y[…, t, 2k+1] = cos(t / L^(2k/d))``, with L ``max_wavelength`` and d
    numbers a step; y has the shape of the inputs ``(…, steps, d)``. The first place is ``start_index``; ``positions``
    gives other places. A. Vaswani et al., arXiv:1706.03762.

    >>> SinePositionEncoding()(np.zeros((1, 2, 4))).value.round(2)
    array([[[0.  , 1.  , 0.  , 1.  ],
            [0.84, 0.54, 0.01, 1.  ]]], dtype=float32)

    Raises ``ArgumentError`` for a wavelength that is not positive.
    """

    supports_masking = True

    def __init__(self, max_wavelength: float = 10000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(max_wavelength, int | float | np.number) or not max_wavelength > 0:
            raise option_error(self, "max_wavelength", max_wavelength, "expected_positive")
        self.max_wavelength = max_wavelength
        self.input_spec = InputSpec(min_ndim=2)

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:
        """The waves."""
        length, width = inputs.shape[-2:]
        kind = np.dtype(self.dtype)
        pairs = np.arange(width) // 2 * 2
        rates = (1 / self.max_wavelength) ** (pairs / width)
        if positions is None and isinstance(start_index, int | np.integer):  # known beforehand: a constant
            angles: Any = np.multiply.outer(np.arange(length) + start_index, rates)
        else:
            places = np.arange(length) + start_index if positions is None else positions
            angles = cast(as_array(places), kind)[..., None] * rates.astype(kind)
        # cos(a) = sin(a + π/2) would lose digits where the angle is large
        waves = np.where(np.arange(width) % 2 == 1, np.cos(angles), np.sin(angles))
        return np.broadcast_to(cast(as_array(waves), kind), inputs.shape)


class PositionEmbedding(Layer):
    """``y[…, t, :] = P[t]``: a trained vector for each of ``sequence_length`` places, to be added to the embeddings.

    y has the shape of the inputs ``(…, steps, features)``, whose first step is at ``start_index``.

    >>> PositionEmbedding(10)(np.zeros((2, 4, 8))).shape
    (2, 4, 8)

    Raises ``ArgumentError`` for a length below 1, ``ShapeError`` for sequences that are longer.
    """

    supports_masking = True

    def __init__(self, sequence_length: int, initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sequence_length = positive(self, "sequence_length", sequence_length)
        self.initializer = initializers.get(initializer)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, inputs_shape: Any) -> None:
        """Make ``position_embeddings``."""
        width = inputs_shape[-1]
        if width is None:
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), layer=self.name, axis=-1))
        self.position_embeddings = self.add_weight((self.sequence_length, width), self.initializer, name="embeddings")

    def call(self, inputs: Any, start_index: int = 0) -> Any:
        """The vectors of the places."""
        end = start_index + inputs.shape[-2]
        if end > self.sequence_length:
            facts = {"layer": self.name, "end": end, "length": self.sequence_length}
            raise ShapeError(message("position_end", str(user_source() or ""), **facts))
        return np.broadcast_to(self.position_embeddings[start_index:end], inputs.shape)


class TokenAndPositionEmbedding(Layer):
    """``y[…, t, :] = E[x[…, t]] + P[t]``: an ``Embedding`` of class numbers plus a ``PositionEmbedding``.

    >>> TokenAndPositionEmbedding(5, 10, 8)(np.array([[1, 4, 2]])).shape
    (1, 3, 8)

    Raises ``ArgumentError`` for sizes below 1, ``ShapeError`` for sequences longer than ``sequence_length``.
    """

    def __init__(
        self, vocabulary_size: int, sequence_length: int, embedding_dim: int,
        embeddings_initializer: Any = "uniform", mask_zero: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.vocabulary_size = positive(self, "vocabulary_size", vocabulary_size)
        self.sequence_length = positive(self, "sequence_length", sequence_length)
        self.embedding_dim = positive(self, "embedding_dim", embedding_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        self.autocast = False
        common = {"dtype": self.dtype}
        self.token_embedding = Embedding(
            vocabulary_size, embedding_dim, embeddings_initializer, mask_zero=mask_zero,
            name=f"{self.name}/token_embedding", **common,
        )  # fmt: skip
        self.position_embedding = PositionEmbedding(
            sequence_length, embeddings_initializer, name=f"{self.name}/position_embedding", **common
        )

    def build(self, input_shape: Any) -> None:
        """Make both tables."""
        self.token_embedding.build(input_shape)
        self.position_embedding.build((*input_shape, self.embedding_dim))
        self.token_embedding.built = self.position_embedding.built = True

    def call(self, inputs: Any, start_index: int = 0) -> Any:
        """The sum of both vectors."""
        tokens = self.token_embedding(inputs)
        return tokens + self.position_embedding(tokens, start_index=start_index)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Where the number is not 0, with ``mask_zero``."""
        return self.token_embedding.compute_mask(inputs, previous_mask)
