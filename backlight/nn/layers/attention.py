"""Attention: every step of a sequence takes from all others what it asks for; and the blocks made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight import functions
from backlight.array import as_array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn import activations, constraints, initializers, regularizers
from backlight.nn.layer import Layer
from backlight.nn.layers.core import Dense, Dropout, option_error, positive
from backlight.nn.layers.normalization import LayerNormalization
from backlight.numpy_api.common import cast
from backlight.trace import user_source

__all__ = ["AdditiveAttention", "Attention", "MultiHeadAttention", "TransformerDecoder", "TransformerEncoder"]


def _causal(rows: int, columns: int) -> Any:
    """Which of the columns each row may see: those up to its own place."""
    return np.arange(rows)[:, None] >= np.arange(columns)


def _together(masks: Sequence[Any]) -> Any:
    """What all masks let through; ``None`` where there are none."""
    found = None
    for mask in masks:
        if mask is not None:
            mask = cast(as_array(mask), "bool")
            found = mask if found is None else np.logical_and(found, mask)
    return found


def _shares(scores: Any, mask: Any, causal: bool) -> Any:
    """Softmax along the last axis of what the masks let through; a row of which nothing is left is 0, never NaN."""
    if causal:
        seen = _causal(*scores.shape[-2:])
        if mask is None:  # every row sees something: its own place
            return functions.softmax(np.where(seen, scores, np.asarray(-np.inf, scores.dtype)))
        mask = np.logical_and(mask, seen)
    if mask is None:
        return functions.softmax(scores)
    lowest = np.asarray(np.finfo(scores.dtype).min, scores.dtype)
    return np.where(mask, functions.softmax(np.where(mask, scores, lowest)), np.zeros((), scores.dtype))


def _alike(a: int | None, b: int | None) -> bool:
    """Whether two lengths can be the same."""
    return a == b or a is None or b is None


class _Projection(Layer):
    """``y = x W + b`` with W in the shape ``(*inputs, *outputs)``: the last axes of x become the axes ``outputs``."""

    def __init__(
        self, outputs: tuple[int, ...], bound: int, kernel: dict[str, Any], bias: dict[str, Any] | None, **kwargs: Any
    ) -> None:
        """``bound`` axes of the input are summed over; ``kernel`` and ``bias`` are options of ``add_weight``."""
        super().__init__(**kwargs)
        self.outputs, self.bound = outputs, bound
        self._options = {"kernel": kernel, "bias": bias}

    def build(self, input_shape: Any) -> None:
        """Make ``kernel`` and ``bias``."""
        inputs = tuple(input_shape[len(input_shape) - self.bound :])
        if None in inputs:
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), layer=self.name, axis=-1))
        kernel, bias = self._options["kernel"], self._options["bias"]
        self.kernel = self.add_weight((*inputs, *self.outputs), name="kernel", **(kernel or {}))
        self.bias = None if bias is None else self.add_weight(self.outputs, name="bias", **bias)
        self.built = True

    def matrix(self) -> tuple[Any, Any]:
        """The kernel as a matrix and the bias as a row."""
        columns = math.prod(self.outputs)
        return self.kernel.reshape(-1, columns), None if self.bias is None else self.bias.reshape(columns)

    def call(self, inputs: Any) -> Any:
        """The product."""
        matrix, bias = self.matrix()
        lead = inputs.shape[: inputs.ndim - self.bound]
        y = inputs.reshape(*lead, matrix.shape[0]) @ matrix
        return (y if bias is None else y + bias).reshape(*lead, *self.outputs)


class MultiHeadAttention(Layer):
    """``y = concat(softmax(Q Kᵀ / √d) V) W + b``: for each of ``num_heads`` a weighted mean of what the others hold.

    ``Q = query W_q + b_q``, ``K = key W_k + b_k`` (``key`` is ``value`` unless given), ``V = value W_v + b_v``, with d
    (``key_dim``) numbers a head, ``value_dim`` for V; ``output_shape`` is the width of y, that of the query by default.
    query ``(examples, T, features)``, value and key ``(examples, S, features)``. Masks of the query and the value,
    given or handed on, an ``attention_mask`` ``(examples, T, S)`` (or with heads in between) and ``use_causal_mask``
    (no step sees a later one) are all respected; a row that sees nothing takes nothing: 0 times V. With
    ``return_attention_scores`` the softmax ``(examples, heads, T, S)`` comes back too. A. Vaswani et al.,
    arXiv:1706.03762.

    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> x = np.zeros((3, 5, 8), np.float32)
    >>> y, scores = layer(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> y.shape, scores.value[0, 0, 1].tolist()
    ((3, 5, 8), [0.5, 0.5, 0.0, 0.0, 0.0])

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for inputs and masks that do not fit
    together.
    """

    supports_masking = True

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0, use_bias: bool = True,
        output_shape: Any = None, attention_axes: Any = None, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None,
        seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = positive(self, "num_heads", num_heads)
        self.key_dim = positive(self, "key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else positive(self, "value_dim", value_dim)
        self.use_bias = use_bias
        whole = output_shape if isinstance(output_shape, list | tuple | None) else [output_shape]
        self.output_shape = None if whole is None else tuple(positive(self, "output_shape", n) for n in whole)
        axes = attention_axes if isinstance(attention_axes, list | tuple) else (attention_axes,)
        if tuple(axes) not in ((None,), (1,), (-2,)):
            raise option_error(self, "attention_axes", attention_axes, "expected_attention_axes")
        self.attention_axes = attention_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.seed = seed
        self._dropout_layer = Dropout(dropout, seed=seed, name=f"{self.name}/dropout", dtype=self.dtype)
        self.dropout = self._dropout_layer.rate

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        """Make the four projections."""
        value_shape = value_shape or query_shape
        shapes = {"query": query_shape, "value": value_shape, "key": key_shape or value_shape}
        self._check_shapes(shapes)
        heads = self.num_heads
        self.query_dense = self._projection("query", (heads, self.key_dim), query_shape[-1:])
        self.key_dense = self._projection("key", (heads, self.key_dim), shapes["key"][-1:])
        self.value_dense = self._projection("value", (heads, self.value_dim), value_shape[-1:])
        outputs = self.output_shape or (query_shape[-1],)
        self.output_dense = self._projection("attention_output", outputs, (heads, self.value_dim))

    def _projection(self, name: str, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> _Projection:
        """A projection from the last axes ``inputs`` to ``outputs``, with its weights."""
        kernel, bias = (
            {
                "initializer": getattr(self, f"{which}_initializer"),
                "regularizer": getattr(self, f"{which}_regularizer"),
                "constraint": getattr(self, f"{which}_constraint"),
            }
            for which in ("kernel", "bias")
        )
        made = _Projection(
            outputs, len(inputs), kernel, bias if self.use_bias else None, name=f"{self.name}/{name}", dtype=self.dtype
        )
        made.build(inputs)
        return made

    def _check_shapes(self, shapes: dict[str, Any]) -> None:
        """Three axes each, with as many examples, and as many keys as values."""
        q, v, k = (tuple(shapes[name]) for name in ("query", "value", "key"))
        if (
            not len(q) == len(v) == len(k) == 3
            or not _alike(v[1], k[1])
            or not (_alike(q[0], v[0]) and _alike(q[0], k[0]))
        ):
            facts = {"layer": self.name, **{name: tuple(shape) for name, shape in shapes.items()}}
            raise ShapeError(message("attention_shapes", str(user_source() or ""), **facts))

    def call(
        self, query: Any, value: Any, key: Any = None, query_mask: Any = None, value_mask: Any = None,
        key_mask: Any = None, attention_mask: Any = None, return_attention_scores: bool = False,
        training: bool = False, use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        """What every step of the query takes from the values; and the shares, if they are asked for."""
        key = value if key is None else key
        self._check_shapes({"query": query.shape, "value": value.shape, "key": key.shape})
        mask = self._mask(
            (query.shape[0], query.shape[1], value.shape[1]), query_mask, value_mask, key_mask, attention_mask
        )
        q, k, v = self._projected(query, key, value)
        scores = q * np.asarray(1 / math.sqrt(self.key_dim), q.dtype) @ np.swapaxes(k, -1, -2)
        shares = self._dropout_layer(_shares(scores, mask, use_causal_mask), training=training)
        mixed = np.transpose(shares @ v, (0, 2, 1, 3))
        output = self.output_dense(mixed)
        return (output, shares) if return_attention_scores else output

    def _projected(self, query: Any, key: Any, value: Any) -> list[Any]:
        """Queries, keys and values, each ``(examples, heads, steps, numbers)``.

        What is projected from the same input is one product.
        """
        parts = [(query, self.query_dense), (key, self.key_dense), (value, self.value_dense)]
        if not (query.node is key.node is value.node):
            return [np.transpose(dense(x), (0, 2, 1, 3)) for x, dense in parts]
        matrices, biases = zip(*[dense.matrix() for _, dense in parts], strict=True)
        y = query @ np.concatenate(matrices, axis=1)
        y = y if biases[0] is None else y + np.concatenate(biases)
        found, start = [], 0
        for _, dense in parts:
            heads, width = dense.outputs
            block = y[..., start : start + heads * width].reshape(*y.shape[:-1], heads, width)
            found.append(np.transpose(block, (0, 2, 1, 3)))
            start += heads * width
        return found

    def _mask(self, size: tuple[int, int, int], query: Any, value: Any, key: Any, attention: Any) -> Any:
        """All masks together as one that fits ``(examples, heads, T, S)``."""
        count, rows, columns = size
        parts = []
        given = (("query_mask", query, rows, -1), ("value_mask", value, columns, -2), ("key_mask", key, columns, -2))
        for name, mask, length, axis in given:
            if mask is not None:
                self._check_mask(name, mask, [(count, length)])
                parts.append(np.expand_dims(cast(as_array(mask), "bool"), axis)[:, None])
        if attention is not None:
            whole = [(rows, columns), (count, rows, columns), (count, self.num_heads, rows, columns)]
            self._check_mask("attention_mask", attention, whole[::-1])
            parts.append(attention if np.ndim(attention) != 3 else as_array(attention)[:, None])
        return _together(parts)

    def _check_mask(self, name: str, mask: Any, fitting: list[tuple[int, ...]]) -> None:
        """The mask has one of these shapes, or 1 in some of its places."""
        shape = tuple(np.shape(mask))
        like = [each for each in fitting if len(each) == len(shape)]
        if not like or any(n not in (1, m) for n, m in zip(shape, like[0], strict=True)):
            facts = {"layer": self.name, "name": name, "came": shape, "expected": fitting[0]}
            raise ShapeError(message("attention_mask", str(user_source() or ""), **facts))


class Attention(Layer):
    """``y = softmax(Q Kᵀ) V`` for a list of inputs ``[query, value]`` or ``[query, value, key]``, without heads.

    query ``(examples, T, d)``, value and key ``(examples, S, d)``. With ``use_scale`` the scores are multiplied by a
    trained number; ``score_mode="concat"`` takes ``Σ tanh(q + k)`` for every pair, times a trained number. Where the
    mask of the query leaves a step out, y is 0. M.-T. Luong et al., arXiv:1508.04025.

    >>> Attention()([np.zeros((1, 2, 4)), np.ones((1, 3, 4))]).shape
    (1, 2, 4)

    Raises ``ArgumentError`` for anything but such a list and for options that make no sense.
    """

    supports_masking = True

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise option_error(self, "score_mode", score_mode, "expected_choice", names="'dot', 'concat'")
        self.use_scale, self.score_mode, self.seed = use_scale, score_mode, seed
        self._dropout_layer = Dropout(dropout, seed=seed, name=f"{self.name}/dropout", dtype=self.dtype)
        self.dropout = self._dropout_layer.rate

    def build(self, input_shape: Any) -> None:
        """Make ``scale``, and ``concat_score_weight`` for that mode."""
        self._checked(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _checked(self, inputs: Any) -> Any:
        if not isinstance(inputs, list | tuple) or len(inputs) not in (2, 3):
            raise ArgumentError(message("attention_list", str(user_source() or ""), layer=self.name))
        return inputs

    def _scores(self, q: Any, k: Any) -> Any:
        """A number for every pair of a query and a key."""
        if self.score_mode == "dot":
            scores = q @ np.swapaxes(k, -1, -2)
            return scores if self.scale is None else scores * self.scale
        pairs = q[..., :, None, :] + k[..., None, :, :]
        pairs = pairs if self.scale is None else pairs * self.scale
        return np.sum(np.tanh(pairs), axis=-1) * self.concat_score_weight

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False, return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        """What every step of the query takes from the values; and the shares, if they are asked for."""
        q, v, *rest = self._checked(inputs)
        seen, counted = (None, None) if mask is None else mask[:2]
        counted = None if counted is None else cast(as_array(counted), "bool")[:, None, :]
        shares = _shares(self._scores(q, rest[0] if rest else v), counted, use_causal_mask)
        shares = self._dropout_layer(shares, training=training)
        y = shares @ v
        if seen is not None:
            y = np.where(cast(as_array(seen), "bool")[..., None], y, np.zeros((), y.dtype))
        return (y, shares) if return_attention_scores else y

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """That of the query."""
        return previous_mask[0] if isinstance(previous_mask, list) else None


class AdditiveAttention(Attention):
    """``Attention`` with the scores ``Σ s · tanh(q + k)``, and with ``use_scale`` a trained s for every number.

    D. Bahdanau et al., arXiv:1409.0473.

    >>> AdditiveAttention()([np.zeros((1, 2, 4)), np.ones((1, 3, 4))]).shape
    (1, 2, 4)

    Raises ``ArgumentError`` for anything but a list of two or three inputs.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make ``scale``."""
        width = self._checked(input_shape)[0][-1]
        self.scale = self.add_weight((width,), "glorot_uniform", name="scale") if self.use_scale else None

    def _scores(self, q: Any, k: Any) -> Any:
        """A number for every pair of a query and a key."""
        pairs = np.tanh(q[..., :, None, :] + k[..., None, :, :])
        return np.sum(pairs if self.scale is None else pairs * self.scale, axis=-1)


# -- Blocks ----------------------------------------------------------------------------------------------------------


class _Transformer(Layer):
    """What both blocks share: parts with a sum and a normalisation around them."""

    supports_masking = True

    def __init__(
        self, intermediate_dim: int, num_heads: int, dropout: float = 0.0, activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        normalize_first: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.intermediate_dim = positive(self, "intermediate_dim", intermediate_dim)
        self.num_heads = positive(self, "num_heads", num_heads)
        self.dropout = Dropout(dropout).rate
        self.activation = activations.get(activation)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.normalize_first = normalize_first

    def _attention(self, name: str, query_shape: Any, value_shape: Any) -> MultiHeadAttention:
        width = query_shape[-1]
        if width is None:
            raise ShapeError(message("layer_unknown_length", str(user_source() or ""), layer=self.name, axis=-1))
        if width < self.num_heads:
            facts = {"layer": self.name, "width": width, "heads": self.num_heads}
            raise ShapeError(message("transformer_width", str(user_source() or ""), **facts))
        layer = MultiHeadAttention(
            self.num_heads, width // self.num_heads, dropout=self.dropout, output_shape=width,
            **self._first(), name=f"{self.name}/{name}",
        )  # fmt: skip
        layer.build(query_shape, value_shape)
        layer.built = True
        return layer

    def _first(self) -> dict[str, Any]:
        kernel, bias = self.kernel_initializer, self.bias_initializer
        return {"kernel_initializer": kernel, "bias_initializer": bias, "dtype": self.dtype}

    def _norm(self, name: str, shape: Any) -> LayerNormalization:
        layer = LayerNormalization(epsilon=self.layer_norm_epsilon, name=f"{self.name}/{name}", dtype=self.dtype)
        layer.build(shape)
        layer.built = True
        return layer

    def _drop(self, name: str) -> Dropout:
        return Dropout(self.dropout, name=f"{self.name}/{name}", dtype=self.dtype)

    def _build_feedforward(self, shape: Any) -> None:
        width = shape[-1]
        self.feedforward_layer_norm = self._norm("feedforward_layer_norm", shape)
        name = f"{self.name}/feedforward"
        self.feedforward_intermediate_dense = Dense(
            self.intermediate_dim, self.activation, name=f"{name}_intermediate_dense", **self._first()
        )
        self.feedforward_output_dense = Dense(width, name=f"{name}_output_dense", **self._first())
        self.feedforward_intermediate_dense.build(shape)
        self.feedforward_output_dense.build((*shape[:-1], self.intermediate_dim))
        self.feedforward_intermediate_dense.built = self.feedforward_output_dense.built = True
        self.feedforward_dropout = self._drop("feedforward_dropout")

    def _around(self, x: Any, part: Any, norm: Any, drop: Any, training: bool) -> Any:
        """``x + part(norm(x))``, or ``norm(x + part(x))``."""
        if self.normalize_first:
            return x + drop(part(norm(x)), training=training)
        return norm(x + drop(part(x), training=training))

    def _feedforward(self, x: Any, training: bool) -> Any:
        part = lambda h: self.feedforward_output_dense(self.feedforward_intermediate_dense(h))
        return self._around(x, part, self.feedforward_layer_norm, self.feedforward_dropout, training)


def _padding(padding: Any, attention: Any) -> Any:
    """A mask of keys ``(examples, S)`` and one of pairs ``(examples, T, S)`` as one."""
    rows = None if padding is None else as_array(padding)[:, None, :]
    return _together([rows, attention])


class TransformerEncoder(_Transformer):
    """``x ← norm(x + attention(x))``, ``x ← norm(x + dense(f(dense(x))))``: every step sees all others.

    With ``normalize_first``: ``x ← x + attention(norm(x))``, and so on. ``padding_mask`` ``(examples, steps)`` tells
    which steps count, ``attention_mask`` ``(examples, steps, steps)`` which steps see which. A. Vaswani et al.,
    arXiv:1706.03762.

    >>> TransformerEncoder(16, 2)(np.zeros((2, 5, 8))).shape
    (2, 5, 8)

    Raises ``ArgumentError`` for options that make no sense, ``ShapeError`` for a width below the number of heads.
    """

    def build(self, inputs_shape: Any) -> None:
        """Make the parts for this width."""
        self._self_attention_layer = self._attention("self_attention_layer", inputs_shape, inputs_shape)
        self._self_attention_layer_norm = self._norm("self_attention_layer_norm", inputs_shape)
        self._self_attention_dropout = self._drop("self_attention_dropout")
        self._build_feedforward(inputs_shape)

    def call(
        self, inputs: Any, padding_mask: Any = None, attention_mask: Any = None, training: bool = False,
        return_attention_scores: bool = False,
    ) -> Any:  # fmt: skip
        """The sequence after the block; and what its attention looked at, if it is asked for."""
        mask, scores = _padding(padding_mask, attention_mask), []

        def attended(x: Any) -> Any:
            y, shares = self._self_attention_layer(
                x, x, attention_mask=mask, training=training, return_attention_scores=True
            )
            scores.append(shares)
            return y

        norm, drop = self._self_attention_layer_norm, self._self_attention_dropout
        x = self._feedforward(self._around(self.as_float(inputs), attended, norm, drop, training), training)
        return (x, scores[0]) if return_attention_scores else x


class TransformerDecoder(_Transformer):
    """A ``TransformerEncoder`` whose steps do not see later ones, and which may look at an encoder's output in between.

    Called with one sequence it is a block of a GPT. Called with ``encoder_sequence`` too, a second attention takes from
    it, each with padding and attention masks of its own. A. Vaswani et al., arXiv:1706.03762; A. Radford et al.,
    "Improving language understanding by generative pre-training", 2018.

    >>> TransformerDecoder(16, 2, activation="gelu", normalize_first=True)(np.zeros((2, 5, 8))).shape
    (2, 5, 8)

    Raises ``ArgumentError`` for options that make no sense and an encoder's output that the layer was not built for,
    ``ShapeError`` for a width below the number of heads.
    """

    def build(self, decoder_sequence_shape: Any, encoder_sequence_shape: Any = None) -> None:
        """Make the parts for this width."""
        shape = decoder_sequence_shape
        self._self_attention_layer = self._attention("self_attention", shape, shape)
        self._self_attention_layer_norm = self._norm("self_attention_layer_norm", shape)
        self._self_attention_dropout = self._drop("self_attention_dropout")
        self._cross_attention_layer: MultiHeadAttention | None = None
        if encoder_sequence_shape is not None:
            self._cross_attention_layer = self._attention("cross_attention", shape, encoder_sequence_shape)
            self._cross_attention_layer_norm = self._norm("cross_attention_layer_norm", shape)
            self._cross_attention_dropout = self._drop("cross_attention_dropout")
        self._build_feedforward(shape)

    def call(
        self, decoder_sequence: Any, encoder_sequence: Any = None, decoder_padding_mask: Any = None,
        decoder_attention_mask: Any = None, encoder_padding_mask: Any = None, encoder_attention_mask: Any = None,
        use_causal_mask: bool = True, training: bool = False,
    ) -> Any:  # fmt: skip
        """The sequence after the block."""
        cross = self._cross_attention_layer
        if (cross is None) != (encoder_sequence is None):
            raise ArgumentError(message("decoder_inputs", str(user_source() or ""), layer=self.name))
        mask = _padding(decoder_padding_mask, decoder_attention_mask)
        attended = lambda x: self._self_attention_layer(
            x, x, attention_mask=mask, use_causal_mask=use_causal_mask, training=training
        )
        norm, drop = self._self_attention_layer_norm, self._self_attention_dropout
        x = self._around(self.as_float(decoder_sequence), attended, norm, drop, training)
        if cross is not None:
            seen = _padding(encoder_padding_mask, encoder_attention_mask)
            source = self.as_float(encoder_sequence)
            looked = lambda x: cross(x, source, attention_mask=seen, training=training)
            norm, drop = self._cross_attention_layer_norm, self._cross_attention_dropout
            x = self._around(x, looked, norm, drop, training)
        return self._feedforward(x, training)
