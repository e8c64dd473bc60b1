"""Loss objects: a loss function with its options, weights and a reduction.

Every object takes ``reduction`` ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none" or None),
``name`` and ``dtype`` after the options of its function, whose equation it computes, and can be written down with
``get_config`` and made again with ``from_config``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from backlight.errors import ArgumentError, CallError, ShapeError, message
from backlight.nn.lookup import Configured, Names, snake
from backlight.nn.losses import entropy, overlap, regression, sequence
from backlight.nn.losses.common import array_of, floating, here, same_rank

__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Dice",
    "FunctionLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "deserialize",
    "get",
    "serialize",
]

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


class Loss(Configured):
    """``L = Σ wᵢ · lᵢ / N`` over the values lᵢ that ``call(y_true, y_pred)`` gives for every example.

    ``reduction`` says what becomes of them: "sum_over_batch_size" and "mean" divide the weighted sum by their number,
    "mean_with_sample_weight" by the sum of the weights, "sum" by nothing; "none" or ``None`` leaves them. Write
    ``call`` in a class of your own.

    >>> class Offset(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return np.abs(y_true - y_pred + 1)
    >>> Offset(name="offset")(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    np.float64(1.5)

    Raises ``ArgumentError`` for another reduction.
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        if reduction is not None and reduction not in REDUCTIONS:
            raise ArgumentError(
                message("loss_reduction", here(), came=repr(reduction), names=", ".join(map(repr, REDUCTIONS)))
            )
        self.name = name if name is not None else snake(type(self).__name__)
        self.reduction = None if reduction == "none" else reduction
        self.dtype = dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number for every example."""
        raise NotImplementedError

    def kept(self, y_true: Any, values: Any) -> Any:
        """Which of the values count at all; ``None`` for all."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Any:
        """The reduced loss; ``sample_weight`` weighs examples (or steps), ``mask`` is 0 where nothing counts."""
        y_true, y_pred = array_of(y_true), array_of(y_pred)
        if self.dtype is not None:
            y_pred = floating(y_pred, np.dtype(self.dtype))
        if sample_weight is not None and y_pred.ndim == 1 and y_true.shape == y_pred.shape:
            y_true, y_pred = y_true.reshape((-1, 1)), y_pred.reshape((-1, 1))  # a weight for every number
        values = self.call(y_true, y_pred)
        if values.ndim == 0:
            sample_weight = None if sample_weight is None else np.mean(floating(sample_weight, values.dtype))
        for each in (mask, self.kept(y_true, values)):
            sample_weight = masked(sample_weight, each, self.reduction, values.dtype)
        return _reduced(values, sample_weight, self.reduction)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object again; what is as it was by default is left out for ``dtype``."""
        config: dict[str, Any] = {"name": self.name, "reduction": self.reduction}
        return config if self.dtype is None else {**config, "dtype": str(np.dtype(self.dtype))}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def _beside(weights: Any, values: Any) -> Any:
    """The weights with axes for what they do not tell apart: they belong to the leading axes of the values."""
    weights = floating(weights, values.dtype)
    came = weights.shape
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights.reshape(weights.shape[:-1])
    if weights.ndim < values.ndim:
        weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    if weights.ndim > values.ndim or any(one not in (1, n) for one, n in zip(weights.shape, values.shape, strict=True)):
        raise ShapeError(message("loss_weights", here(), weights=tuple(came), values=tuple(values.shape)))
    return weights


def masked(weights: Any, mask: Any, reduction: str | None, dtype: Any) -> Any:
    """The weights with a mask on them. A mean is over what counts, so what is left weighs as much as all."""
    if mask is None:
        return weights
    mask = floating(mask, dtype)
    if reduction in ("sum_over_batch_size", "mean"):
        mask = mask * (mask.size / np.maximum(np.sum(mask), 1.0))
    if weights is None:
        return mask
    weights, mask = same_rank(floating(weights, dtype), mask)
    return _beside(weights, mask) * mask if weights.ndim < mask.ndim else weights * _beside(mask, weights)


def _reduced(values: Any, weights: Any, reduction: str | None) -> Any:
    if weights is not None:
        weights = _beside(weights, values)
        values = values * weights
    if reduction is None:
        return values
    total = np.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weights is not None:
        count = np.sum(weights)
        return np.where(count == 0, 0.0, total / np.where(count == 0, 1.0, count))
    return total / float(np.size(values) or 1)


class FunctionLoss(Loss):
    """A loss object around ``function(y_true, y_pred, **options)``: the options are the function's, with its defaults.

    >>> FunctionLoss(lambda t, p, scale=1.0: scale * np.abs(t - p), scale=2.0)(np.zeros(2), np.ones(2))
    np.float64(2.0)

    Raises ``CallError`` for an option that the function does not have.
    """

    function: ClassVar[Callable[..., Any] | None] = None
    label: ClassVar[str] = ""
    order: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        own = type(self).function
        function: Callable[..., Any]
        function, args = (own, args) if own is not None else (args[0], args[1:])
        known = list(inspect.signature(function).parameters.values())[2:]
        defaults = {each.name: each.default for each in known if each.default is not each.empty}
        name = type(self).label or getattr(function, "__name__", None)
        given = _bound(type(self).__name__, self.order or (*defaults, "reduction", "name", "dtype"), args, options)
        shared = {key: given.pop(key, default) for key, default in _SHARED.items()}
        super().__init__(shared["name"] or name, shared["reduction"], shared["dtype"])
        self.fn = function
        self.options = {**defaults, **given}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.function is not None:
            known = inspect.signature(cls.function).parameters
            defaults = {**_SHARED, "name": cls.label, **{name: each.default for name, each in known.items()}}
            names = cls.order or (*list(known)[2:], "reduction", "name", "dtype")
            cls.order = names
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            parameters = [inspect.Parameter(name, kind, default=defaults[name]) for name in names]
            cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function's value for every example."""
        return self.fn(y_true, y_pred, **self.options)

    def get_config(self) -> dict[str, Any]:
        """The options of the function and of the reduction."""
        return {**super().get_config(), **self.options}


_SHARED: dict[str, Any] = {"reduction": "sum_over_batch_size", "name": None, "dtype": None}


def _bound(owner: str, order: tuple[str, ...], args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name; raises ``CallError`` for one too many or one that is not known."""
    given = {**dict(zip(order, args, strict=False)), **options}
    if len(args) > len(order) or not given.keys() <= set(order) or set(order[: len(args)]) & set(options):
        came = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in options.items())])
        raise CallError(message("loss_arguments", here(), name=owner, came=came, names=", ".join(order)))
    return given


class MeanSquaredError(FunctionLoss):
    """``mean (t - p)²``: ``mean_squared_error`` with weights and a reduction.

    >>> MeanSquaredError()(np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]]))
    np.float64(2.5)
    """

    function = regression.mean_squared_error
    label = "mean_squared_error"


class MeanAbsoluteError(FunctionLoss):
    """``mean |t - p|``: ``mean_absolute_error`` with weights and a reduction.

    >>> MeanAbsoluteError()(np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]]))
    np.float64(1.5)
    """

    function = regression.mean_absolute_error
    label = "mean_absolute_error"


class MeanAbsolutePercentageError(FunctionLoss):
    """``100 · mean |t - p| / |t|``: ``mean_absolute_percentage_error`` with weights and a reduction.

    >>> MeanAbsolutePercentageError()(np.array([[2.0, 4.0]]), np.array([[1.0, 4.0]]))
    np.float64(25.0)
    """

    function = regression.mean_absolute_percentage_error
    label = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(FunctionLoss):
    """``mean (log(1 + t) - log(1 + p))²``: ``mean_squared_logarithmic_error`` with weights and a reduction.

    >>> MeanSquaredLogarithmicError()(np.array([[1.0]]), np.array([[1.0]]))
    np.float64(0.0)
    """

    function = regression.mean_squared_logarithmic_error
    label = "mean_squared_logarithmic_error"


class Huber(FunctionLoss):
    """``mean h(t - p)``: a square within ``delta``, a line beyond: ``huber`` with weights and a reduction.

    >>> Huber()(np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]]))
    np.float64(1.5)
    """

    function = regression.huber
    label = "huber_loss"


class LogCosh(FunctionLoss):
    """``mean log cosh(p - t)``: ``log_cosh`` with weights and a reduction.

    >>> LogCosh()(np.array([[2.0]]), np.array([[2.0]]))
    np.float64(0.0)
    """

    function = regression.log_cosh
    label = "log_cosh"


class KLDivergence(FunctionLoss):
    """``Σ t · log(t / p)``: ``kl_divergence`` with weights and a reduction.

    >>> KLDivergence()(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]))
    np.float64(0.0)
    """

    function = regression.kl_divergence
    label = "kl_divergence"


class Poisson(FunctionLoss):
    """``mean (p - t · log p)``: ``poisson`` with weights and a reduction.

    >>> Poisson()(np.array([[0.0]]), np.array([[2.0]]))
    np.float64(2.0)
    """

    function = regression.poisson
    label = "poisson"


class Hinge(FunctionLoss):
    """``mean max(1 - t · p, 0)``: ``hinge`` with weights and a reduction.

    >>> Hinge()(np.array([[1.0, 0.0]]), np.array([[2.0, 0.5]]))
    np.float64(0.75)
    """

    function = regression.hinge
    label = "hinge"


class SquaredHinge(FunctionLoss):
    """``mean max(1 - t · p, 0)²``: ``squared_hinge`` with weights and a reduction.

    >>> SquaredHinge()(np.array([[1.0, 0.0]]), np.array([[2.0, 0.5]]))
    np.float64(1.125)
    """

    function = regression.squared_hinge
    label = "squared_hinge"


class CategoricalHinge(FunctionLoss):
    """``max(1 + max (1 - t) · p - Σ t · p, 0)``: ``categorical_hinge`` with weights and a reduction.

    >>> CategoricalHinge()(np.array([[0.0, 1.0]]), np.array([[0.5, 1.0]]))
    np.float64(0.5)
    """

    function = regression.categorical_hinge
    label = "categorical_hinge"


class CosineSimilarity(FunctionLoss):
    """``-Σ t/|t| · p/|p|`` along ``axis``: ``cosine_similarity`` with weights and a reduction.

    >>> CosineSimilarity()(np.array([[0.0, 2.0]]), np.array([[0.0, 3.0]]))
    np.float64(-1.0)
    """

    function = regression.cosine_similarity
    label = "cosine_similarity"


class BinaryCrossentropy(FunctionLoss):
    """``-mean (t · log p + (1 - t) · log(1 - p))``: ``binary_crossentropy`` with weights and a reduction.

    >>> BinaryCrossentropy()(np.array([[1.0]]), np.array([[0.0]]), sample_weight=np.array([0.0]))
    np.float64(0.0)
    """

    function = entropy.binary_crossentropy
    label = "binary_crossentropy"


class BinaryFocalCrossentropy(FunctionLoss):
    """``mean (1 - pₜ)^gamma · H(t, p)``: ``binary_focal_crossentropy`` with weights and a reduction.

    >>> BinaryFocalCrossentropy()(np.array([[1.0]]), np.array([[0.0]]), sample_weight=np.array([0.0]))
    np.float64(0.0)
    """

    function = entropy.binary_focal_crossentropy
    label = "binary_focal_crossentropy"


class CategoricalCrossentropy(FunctionLoss):
    """``-Σ t · log p`` with one-hot labels: ``categorical_crossentropy`` with weights and a reduction.

    >>> CategoricalCrossentropy(from_logits=True)(np.array([[0.0, 1.0]]), np.array([[0.0, 800.0]]))
    np.float64(0.0)
    """

    function = entropy.categorical_crossentropy
    label = "categorical_crossentropy"


class CategoricalFocalCrossentropy(FunctionLoss):
    """``-Σ alpha · (1 - p)^gamma · t · log p``: ``categorical_focal_crossentropy`` with weights and a reduction.

    >>> CategoricalFocalCrossentropy(from_logits=True)(np.array([[0.0, 1.0]]), np.array([[0.0, 800.0]]))
    np.float64(0.0)
    """

    function = entropy.categorical_focal_crossentropy
    label = "categorical_focal_crossentropy"


class SparseCategoricalCrossentropy(FunctionLoss):
    """``-log pₜ`` with class numbers as labels: ``sparse_categorical_crossentropy`` with weights and a reduction.

    >>> SparseCategoricalCrossentropy(from_logits=True)(np.array([1]), np.array([[0.0, 800.0]]))
    np.float64(0.0)
    """

    function = entropy.sparse_categorical_crossentropy
    label = "sparse_categorical_crossentropy"
    order = ("from_logits", "ignore_class", "reduction", "axis", "name", "dtype")

    def kept(self, y_true: Any, values: Any) -> Any:
        """A mean is over the examples that have a class."""
        if self.options["ignore_class"] is None:
            return None
        return y_true.reshape(values.shape) != self.options["ignore_class"]


class Dice(FunctionLoss):
    """``1 - 2 Σ t · p / (Σ t + Σ p)``: ``dice`` with weights and a reduction.

    >>> Dice()(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    np.float64(1.0)
    """

    function = overlap.dice
    label = "dice"
    order = ("reduction", "name", "axis", "dtype")


class Tversky(FunctionLoss):
    """``1 - Σ t · p / (Σ t · p + alpha Σ t · (1 - p) + beta Σ (1 - t) · p)``: ``tversky`` with weights and a reduction.

    >>> Tversky()(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    np.float64(1.0)
    """

    function = overlap.tversky
    label = "tversky"
    order = ("alpha", "beta", "reduction", "name", "axis", "dtype")


class CTC(FunctionLoss):
    """``-log Σ Π softmax(x)`` over the spellings of a label: ``ctc`` with weights and a reduction.

    >>> CTC()(np.array([[1]]), np.array([[[0.0, 800.0]]]))
    np.float64(0.0)
    """

    function = sequence.ctc
    label = "ctc"


_CLASSES = (
    MeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Huber,
    LogCosh,
    KLDivergence,
    Poisson,
    Hinge,
    SquaredHinge,
    CategoricalHinge,
    CosineSimilarity,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalCrossentropy,
    Dice,
    Tversky,
    CTC,
)

NAMES = Names(
    "kind_loss",
    {
        **{
            name: getattr(module, name)
            for module in (regression, entropy, overlap, sequence)
            for name in module.__all__
            if name != "check_labels"
        },
        **{each.__name__: each for each in _CLASSES},
    },
    {
        "mse": "mean_squared_error",
        "MSE": "mean_squared_error",
        "mae": "mean_absolute_error",
        "MAE": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "MAPE": "mean_absolute_percentage_error",
        "msle": "mean_squared_logarithmic_error",
        "MSLE": "mean_squared_logarithmic_error",
        "bce": "binary_crossentropy",
        "BCE": "binary_crossentropy",
        "kld": "kl_divergence",
        "KLD": "kl_divergence",
        "logcosh": "log_cosh",
    },
)


def get(identifier: Any) -> Any:
    """A name, a configuration, a class, an object or a function -> a loss; ``None`` stays ``None``.

    >>> get("mse").__name__, get("Huber")
    ('mean_squared_error', <Huber huber_loss>)

    Raises ``ArgumentError`` for a name that is not known.
    """
    return NAMES.get(identifier)


def serialize(loss: Any) -> Any:
    """The name of a loss function; class and configuration of a loss object.

    >>> serialize(get("mse")), serialize(Hinge())["class_name"]
    ('mean_squared_error', 'Hinge')
    """
    return NAMES.serialize(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What ``serialize`` wrote, made again; a loss of the user's is looked up in ``custom_objects``.

    >>> deserialize(serialize(Huber(0.5))).options
    {'delta': 0.5}
    """
    return NAMES.deserialize(config, custom_objects)
