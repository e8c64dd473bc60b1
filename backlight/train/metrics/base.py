"""What a metric is: a pure function from batches to a tree of sums, and from the sums to a number.

    state = metric.init()
    state = metric.update(state, y_true, y_pred, sample_weight)      for every batch
    value = metric.result(state)

These three change nothing and read no value, so that a compiled epoch carries the state from step to step. Keras's
``update_state``, ``result()`` and ``reset_state`` keep such a state in variables of the object. Sums are float64
whatever the data are, so that counts stay exact; the result has the metric's ``dtype``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.lookup import Configured, snake
from backlight.nn.losses import common as losses_common
from backlight.nn.losses.common import array_of, check_shapes, floating, here, same_rank
from backlight.numpy_api.common import cast
from backlight.variable import Variable, now

__all__ = ["Mean", "MeanMetricWrapper", "Metric", "State", "Sum", "option_error", "paired", "ratio", "weights_beside"]

State = dict[str, Any]
_LOSSES = losses_common.__name__.rsplit(".", 1)[0]


def ratio(above: Any, below: Any) -> Any:
    """``above / below``, and 0 where ``below`` is 0: nothing was counted there.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, 0. ])
    """
    nothing = below == 0
    return np.where(nothing, 0.0, above / np.where(nothing, 1.0, below))


def paired(metric: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels and predictions of one shape, as they are otherwise; raises ``ShapeError``."""
    y_true, y_pred = same_rank(array_of(y_true), array_of(y_pred))
    check_shapes(metric, y_true, y_pred)
    return y_true, y_pred


def weights_beside(metric: str, weights: Any, values: Any) -> Any:
    """The weights with axes for what they do not tell apart: they belong to the leading axes of ``values``."""
    weights = array_of(weights)
    weights = floating(weights, values.dtype if values.dtype.kind == "f" else None)
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights.reshape(weights.shape[:-1])
    ends = weights.shape == values.shape[: weights.ndim]
    column = 0 < weights.ndim == values.ndim and weights.shape[:-1] == values.shape[:-1] and weights.shape[-1] == 1
    if weights.ndim and not ends and not column:
        facts = {"weights": tuple(weights.shape), "values": tuple(values.shape)}
        raise ShapeError(message("metric_weights", here(), metric=metric, **facts))
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))


def option_error(metric: str, option: str, came: object, expected: str, **facts: Any) -> ArgumentError:
    """An option that makes no sense; ``expected`` names a message of the catalogue."""
    said = {"metric": metric, "option": option, "came": came, "expected": message(expected, **facts)}
    return ArgumentError(message("metric_option", here(), **said))


class Metric(Configured):
    """``value = result(Σ update(batch))``: write ``init``, ``update`` and ``compute`` in a class of your own.

    ``_config`` names the attributes that the constructor takes besides ``name`` and ``dtype``.

    >>> class Largest(Metric):
    ...     def init(self, y_true=None, y_pred=None):
    ...         return {"largest": np.zeros(())}
    ...     def update(self, state, y_true, y_pred, sample_weight=None):
    ...         return {"largest": np.maximum(state["largest"], np.max(np.abs(y_true - y_pred)))}
    ...     def compute(self, state):
    ...         return state["largest"]
    >>> metric = Largest()
    >>> metric.update_state(np.array([1.0, 2.0]), np.array([1.5, 5.0]))
    >>> metric.name, metric.result()
    ('largest', np.float32(3.0))
    """

    _held: dict[str, Variable] | None = None  # the state as variables, once its shapes are known
    _start: State

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name if name is not None else snake(type(self).__name__)
        self.dtype = np.dtype(np.float32 if dtype is None else dtype)

    # -- Pure ------------------------------------------------------------------------------------------------------

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """The state before the first batch. Some metrics need the shapes of labels and predictions for that."""
        raise NotImplementedError

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        """The state after one more batch."""
        raise NotImplementedError

    def compute(self, state: State) -> Any:
        """The metric of a state."""
        raise NotImplementedError

    def result(self, state: State | None = None) -> Any:
        """The metric of a state, or of what ``update_state`` has seen, in the metric's dtype."""
        value = self.compute(self.state if state is None else state)
        if isinstance(value, Array):
            return cast(value, self.dtype)
        return np.asarray(value, self.dtype)[()]

    # -- With a state inside ---------------------------------------------------------------------------------------

    def build(self, y_true: Any = None, y_pred: Any = None) -> None:
        """Make the variables of the state, for labels and predictions of these shapes."""
        self._make(self.init(y_true, y_pred))

    def _make(self, state: State) -> None:
        self._start = state
        self._held = {key: Variable(value, trainable=False, name=f"{self.name}/{key}") for key, value in state.items()}

    @property
    def state(self) -> State:
        """What ``update_state`` has seen so far; it can be kept and put back."""
        if self._held is None:
            self.build()
        assert self._held is not None
        return {key: now(variable) for key, variable in self._held.items()}

    @state.setter
    def state(self, state: State) -> None:
        if self._held is None:
            self._make({key: np.zeros_like(value) for key, value in state.items()})
        assert self._held is not None
        for key, variable in self._held.items():
            variable.assign(state[key])

    @property
    def variables(self) -> list[Variable]:
        """The variables of the state, once it is known what they are."""
        return [] if self._held is None else list(self._held.values())

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one more batch into the state: the arguments of ``update`` after the state."""
        if self._held is None:
            shapes = [np.shape(each) for each in (*args, *(kwargs[k] for k in ("y_true", "y_pred") if k in kwargs))]
            self.build(*shapes[:2])
        self.state = self.update(self.state, *args, **kwargs)

    def reset_state(self) -> None:
        """Forget every batch."""
        if self._held is not None:
            self.state = self._start

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """``update_state``, then ``result``."""
        self.update_state(*args, **kwargs)
        return self.result()

    # -- Written down ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        return {"name": self.name, "dtype": str(self.dtype), **super().get_config()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Sum(Metric):
    """``Σ wᵢ · vᵢ``.

    >>> Sum()(np.array([1.0, 2.0]))
    np.float32(3.0)
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """Zero."""
        return {"total": np.zeros(())}

    def update(self, state: State, values: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """The values added."""
        values = floating(values)
        if sample_weight is not None:
            values = values * weights_beside(self.name, sample_weight, values)
        return {"total": state["total"] + np.sum(values)}

    def compute(self, state: State) -> Any:
        """The sum."""
        return state["total"]


class Mean(Metric):
    """``Σ wᵢ · vᵢ / Σ wᵢ``; 0 before the first batch. The axes after the first are averaged for every example.

    >>> Mean()(np.array([1.0, 3.0]), sample_weight=np.array([3.0, 1.0]))
    np.float32(1.5)
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def init(self, y_true: Any = None, y_pred: Any = None) -> State:
        """Zeros."""
        return {"total": np.zeros(()), "count": np.zeros(())}

    def update(self, state: State, values: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """Weighted values and weights added."""
        total, count = self.sums(floating(values), sample_weight)
        return {"total": state["total"] + total, "count": state["count"] + count}

    def sums(self, values: Any, sample_weight: Any) -> tuple[Any, Any]:
        """The weighted sum over examples, and the sum of the weights."""
        rest = tuple(range(1, values.ndim))
        if sample_weight is None:
            return np.sum(np.mean(values, axis=rest)), float(values.shape[0] if values.ndim else 1)
        weights = weights_beside(self.name, sample_weight, values)
        return np.sum(np.mean(values * weights, axis=rest)), np.sum(np.mean(weights, axis=rest))

    def compute(self, state: State) -> Any:
        """The mean."""
        return ratio(state["total"], state["count"])


class MeanMetricWrapper(Mean):
    """The mean of ``fn(y_true, y_pred, **options)`` over all examples: any loss function as a metric.

    >>> MeanMetricWrapper(lambda t, p: np.abs(t - p), name="distance")(np.zeros(2), np.array([1.0, 3.0]))
    np.float32(2.0)
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name if name is not None else getattr(fn, "__name__", None), dtype)
        self.fn = fn
        self.options = kwargs

    def update(self, state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:  # type: ignore[override]
        """The function's values added."""
        return super().update(state, self.values(y_true, y_pred), sample_weight)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """One number for every example, or more."""
        y_true, y_pred = array_of(y_true), array_of(y_pred)
        if y_true.ndim == y_pred.ndim == 1 and self.fn.__module__.startswith(_LOSSES):
            y_true, y_pred = y_true.reshape((-1, 1)), y_pred.reshape((-1, 1))  # not the mean of all, but one by one
        return self.fn(y_true, y_pred, **self.options)

    def get_config(self) -> dict[str, Any]:
        """The function's name and its options."""
        return {**super().get_config(), "fn": self.fn.__name__, **self.options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The metric that these arguments make; the function is a loss, by name."""
        from backlight.nn import losses

        given = dict(config)
        if isinstance(given.get("fn"), str):
            given["fn"] = losses.get(given["fn"])
        return cls(**given)
