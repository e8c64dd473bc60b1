"""Learning rates as functions of the step: pure, counted from 0, and traceable, so that a compiled epoch contains them.

A schedule is a small frozen record. Its formula is its class; its fields are its configuration. The step may be a
number, an array (then there is a rate for every step) or a traced value; the rate is computed in float64.

>>> import numpy as np
>>> CosineDecay(0.1, 4)(np.arange(6)).round(4)
array([0.1   , 0.0854, 0.05  , 0.0146, 0.    , 0.    ])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.optim.clipping import cast
from backlight.trace import user_source

__all__ = [
    "SCHEDULES",
    "ConstantSchedule",
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "LinearWarmup",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]


class LearningRateSchedule:
    """``rate = schedule(step)``. For one of your own, write ``__call__`` with NumPy functions and ``get_config``.

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5 ** step
    >>> Halving()(2)
    0.025
    """

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} says no rate: write `def __call__(self, step)`")

    def get_config(self) -> dict[str, Any]:
        """What ``from_config`` makes an equal schedule of: plain numbers, strings, lists and dictionaries."""
        own = fields(self) if hasattr(self, "__dataclass_fields__") else ()  # type: ignore[arg-type]
        return {field.name: _plain(getattr(self, field.name)) for field in own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """The schedule that ``get_config`` described."""
        inside = {k: deserialize(v) if isinstance(v, dict) and "class_name" in v else v for k, v in config.items()}
        return cls(**inside)

    def _check(self, positive: Sequence[str] = (), not_negative: Sequence[str] = ()) -> None:
        """Whether the fields are numbers above, or not below, 0."""
        for name in (*positive, *not_negative):
            value = getattr(self, name)
            good = isinstance(value, int | float | np.number) and not isinstance(value, bool) and value < math.inf
            if not good or not (value > 0 if name in positive else value >= 0):
                self._refuse(name, "> 0" if name in positive else ">= 0")

    def _refuse(self, name: str, expected: str) -> None:
        facts = {"optimizer": type(self).__name__, "name": name, "came": repr(getattr(self, name))}
        raise ArgumentError(message("optim_range", str(user_source() or ""), **facts, expected=expected))


def _plain(value: Any) -> Any:
    if isinstance(value, LearningRateSchedule):
        return serialize(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _number(step: Any) -> Any:
    return cast(step, np.float64) if not isinstance(step, list | tuple) else np.asarray(step, np.float64)


@dataclass(frozen=True)
class ConstantSchedule(LearningRateSchedule):
    """``rate = learning_rate``.

    >>> float(ConstantSchedule(0.1)(5))
    0.1

    Raises ``ArgumentError`` for a negative rate.
    """

    learning_rate: float
    name: str = "ConstantSchedule"

    def __post_init__(self) -> None:
        self._check(not_negative=("learning_rate",))

    def __call__(self, step: Any) -> Any:
        return _number(step) * 0.0 + self.learning_rate


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """``rate = values[k]``, k the number of boundaries below the step: a boundary still belongs to what is before it.

    >>> PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.1])(np.arange(6))
    array([1. , 1. , 1. , 0.5, 0.5, 0.1])

    Raises ``ArgumentError`` unless there is one value more than there are boundaries, and the boundaries ascend.
    """

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            self._refuse("values", f"{len(self.boundaries) + 1} = len(boundaries) + 1")
        if any(a >= b for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            self._refuse("boundaries", "b₀ < b₁ < …")
        if any(value < 0 for value in self.values):
            self._refuse("values", ">= 0")

    def __call__(self, step: Any) -> Any:
        step = _number(step)
        rate = step * 0.0 + self.values[-1]
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = np.where(step <= boundary, value, rate)
        return rate


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """``rate = initial · decay_rate^(step / decay_steps)``, the exponent rounded down if ``staircase``.

    >>> ExponentialDecay(0.1, 2, 0.5)(np.arange(0, 6, 2))
    array([0.1  , 0.05 , 0.025])

    Raises ``ArgumentError`` for a negative rate, or steps or a factor that are not positive.
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __post_init__(self) -> None:
        self._check(("decay_steps", "decay_rate"), ("initial_learning_rate",))

    def __call__(self, step: Any) -> Any:
        share = _number(step) / self.decay_steps
        return self.initial_learning_rate * np.power(self.decay_rate, np.floor(share) if self.staircase else share)


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """``rate = initial / (1 + decay_rate · step / decay_steps)``, the quotient rounded down if ``staircase``.

    >>> InverseTimeDecay(1.0, 1, 1.0)(np.arange(4)).round(4)
    array([1.    , 0.5   , 0.3333, 0.25  ])

    Raises ``ArgumentError`` for a negative rate or factor, or steps that are not positive.
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __post_init__(self) -> None:
        self._check(("decay_steps",), ("initial_learning_rate", "decay_rate"))

    def __call__(self, step: Any) -> Any:
        share = _number(step) / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (np.floor(share) if self.staircase else share))


@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """``rate = (initial - end) · (1 - s)^power + end``, with ``s = min(step, decay_steps) / decay_steps``.

    With ``cycle`` the length is the smallest multiple of ``decay_steps`` not below the step: the rate rises again.

    >>> PolynomialDecay(1.0, 2, 0.0)(np.arange(4))
    array([1. , 0.5, 0. , 0. ])

    Raises ``ArgumentError`` for negative rates, or steps that are not positive.
    """

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __post_init__(self) -> None:
        self._check(("decay_steps",), ("initial_learning_rate", "end_learning_rate", "power"))

    def __call__(self, step: Any) -> Any:
        share = _number(step) / self.decay_steps
        share = share / np.maximum(np.ceil(share), 1.0) if self.cycle else np.minimum(share, 1.0)
        fall = self.initial_learning_rate - self.end_learning_rate
        return fall * np.power(1 - share, self.power) + self.end_learning_rate


def _half_cosine(share: Any, alpha: float) -> Any:
    """From 1 at 0 down to ``alpha`` at 1."""
    return (1 - alpha) * 0.5 * (1 + np.cos(math.pi * share)) + alpha


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """``rate = top · ((1-α) (1 + cos π s) / 2 + α)``, with ``s = min(step, decay_steps) / decay_steps``.

    With ``warmup_target`` the rate first climbs in a line from ``initial_learning_rate`` to that target in
    ``warmup_steps``, and the step is counted from there (I. Loshchilov, F. Hutter, arXiv:1608.03983).

    >>> CosineDecay(0.0, 2, warmup_target=1.0, warmup_steps=2)(np.arange(5)).round(4)
    array([0. , 0.5, 1. , 0.5, 0. ])

    Raises ``ArgumentError`` for negative rates, or steps that are not positive.
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    def __post_init__(self) -> None:
        target = () if self.warmup_target is None else ("warmup_target",)
        self._check(("decay_steps",), ("initial_learning_rate", "alpha", "warmup_steps", *target))

    def __call__(self, step: Any) -> Any:
        step = _number(step)
        if self.warmup_target is None:
            return self.initial_learning_rate * _half_cosine(np.minimum(step / self.decay_steps, 1.0), self.alpha)
        share = np.minimum(np.maximum(step - self.warmup_steps, 0.0) / self.decay_steps, 1.0)
        fall = self.warmup_target * _half_cosine(share, self.alpha)
        slope = (self.warmup_target - self.initial_learning_rate) / max(self.warmup_steps, 1)
        return np.where(step < self.warmup_steps, self.initial_learning_rate + slope * step, fall)


@dataclass(frozen=True)
class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after the other, period i of length ``first_decay_steps · t_mulⁱ`` and height ``m_mulⁱ``.

    ``rate = initial · ((1-α) m_mulⁱ (1 + cos π s) / 2 + α)``, s the share of period i that has passed (I. Loshchilov,
    F. Hutter, "SGDR", arXiv:1608.03983).

    >>> CosineDecayRestarts(1.0, 2)(np.arange(7)).round(4)
    array([1.    , 0.5   , 1.    , 0.8536, 0.5   , 0.1464, 1.    ])

    Raises ``ArgumentError`` for negative rates, steps or factors that are not positive, or ``t_mul`` below 1.
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __post_init__(self) -> None:
        self._check(("first_decay_steps", "t_mul", "m_mul"), ("initial_learning_rate", "alpha"))
        if self.t_mul < 1:
            self._refuse("t_mul", ">= 1")

    def __call__(self, step: Any) -> Any:
        share, t_mul = _number(step) / self.first_decay_steps, self.t_mul
        if t_mul == 1:
            period = np.floor(share)
            share = share - period
        else:
            # Period i begins at (t_mulⁱ - 1) / (t_mul - 1). The logarithm guesses i; that start is rounded too.
            period = np.round(np.log1p(share * (t_mul - 1)) / math.log(t_mul))
            start = (np.power(t_mul, period) - 1) / (t_mul - 1)
            period = np.where(start * (1 - 1e-12) > share, period - 1, period)
            start = (np.power(t_mul, period) - 1) / (t_mul - 1)
            share = np.maximum(share - start, 0.0) / np.power(t_mul, period)
        fall = (1 - self.alpha) * np.power(self.m_mul, period) * 0.5 * (1 + np.cos(math.pi * share))
        return self.initial_learning_rate * (fall + self.alpha)


@dataclass(frozen=True)
class OneCycle(LearningRateSchedule):
    """Up half a cosine to ``max_learning_rate`` in the first ``warmup_share`` of ``total_steps``, then down another.

    From ``max / div_factor`` up, which takes the first ``warmup_share · total_steps`` steps, and down to
    ``max / div_factor / final_div_factor`` at the last step, where it stays: the rates of PyTorch's ``OneCycleLR``
    (L. Smith, N. Topin, "Super-Convergence", arXiv:1708.07120).

    >>> OneCycle(1.0, 6, warmup_share=0.5, div_factor=10, final_div_factor=10)(np.arange(6))
    array([0.1   , 0.55  , 1.    , 0.7525, 0.2575, 0.01  ])

    Raises ``ArgumentError`` for a negative rate, factors that are not positive, fewer than 2 steps, or a share that is
    not between 0 and 1.
    """

    max_learning_rate: float
    total_steps: int
    warmup_share: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    name: str = "OneCycle"

    def __post_init__(self) -> None:
        self._check(("total_steps", "div_factor", "final_div_factor"), ("max_learning_rate",))
        if self.total_steps < 2:
            self._refuse("total_steps", ">= 2")
        if not 0 < self.warmup_share < 1:
            self._refuse("warmup_share", "(0, 1)")

    def __call__(self, step: Any) -> Any:
        last, peak = self.total_steps - 1, self.warmup_share * self.total_steps - 1  # the steps of the end and the top
        top, step = self.max_learning_rate, np.minimum(_number(step), float(last))
        low, end = top / self.div_factor, top / self.div_factor / self.final_div_factor
        up = low + (top - low) * (1 - _half_cosine(np.minimum(step / max(peak, 1e-9), 1.0), 0.0))
        down = end + (top - end) * _half_cosine(np.maximum(step - peak, 0.0) / (last - peak), 0.0)
        return np.where(step < peak, up, down)


@dataclass(frozen=True)
class LinearWarmup(LearningRateSchedule):
    """In a line from ``start`` to the first rate of ``after`` in ``warmup_steps`` steps, then ``after`` from its 0.

    ``after`` is a schedule or a number (P. Goyal et al., arXiv:1706.02677).

    >>> LinearWarmup(0.4, 4)(np.arange(6))
    array([0. , 0.1, 0.2, 0.3, 0.4, 0.4])

    Raises ``ArgumentError`` for a negative rate or steps that are not positive.
    """

    after: Any
    warmup_steps: float
    start: float = 0.0
    name: str = "LinearWarmup"

    def __post_init__(self) -> None:
        if not callable(self.after):
            self._check(not_negative=("after",))
        self._check(("warmup_steps",), ("start",))

    def __call__(self, step: Any) -> Any:
        step = _number(step)
        after = self.after if callable(self.after) else ConstantSchedule(self.after)
        share = np.minimum(step / self.warmup_steps, 1.0)
        top = after(np.float64(0))
        climb = self.start + (top - self.start) * share
        return np.where(step < self.warmup_steps, climb, after(np.maximum(step - self.warmup_steps, 0.0)))


SCHEDULES: dict[str, type[LearningRateSchedule]] = {
    each.__name__: each
    for each in (
        ConstantSchedule,
        PiecewiseConstantDecay,
        ExponentialDecay,
        PolynomialDecay,
        InverseTimeDecay,
        CosineDecay,
        CosineDecayRestarts,
        OneCycle,
        LinearWarmup,
    )
}
"""The schedules by the names of their classes."""


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """A schedule as plain data: ``{"class_name": …, "config": {…}}``.

    >>> deserialize(serialize(CosineDecay(0.1, 10))) == CosineDecay(0.1, 10)
    True
    """
    return {"class_name": type(schedule).__name__, "config": schedule.get_config()}


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> LearningRateSchedule:
    """The schedule of plain data; names are looked up in ``SCHEDULES`` and ``custom_objects`` alone.

    >>> deserialize({"class_name": "ConstantSchedule", "config": {"learning_rate": 0.1}})
    ConstantSchedule(learning_rate=0.1, name='ConstantSchedule')

    Raises ``ArgumentError`` for a name that is in neither, or a configuration that is none.
    """
    known = {**SCHEDULES, **(custom_objects or {})}
    name = config.get("class_name") if isinstance(config, dict) else None
    if not isinstance(name, str) or name not in known:
        came = repr(config if name is None else name)
        raise ArgumentError(message("optim_schedule", str(user_source() or ""), came=came, names=", ".join(known)))
    try:
        made: LearningRateSchedule = known[name].from_config(dict(config.get("config", {})))
    except (TypeError, AttributeError) as error:
        facts = {"name": name, "reason": error}
        raise ArgumentError(message("optim_config", str(user_source() or ""), **facts)) from None
    return made


def get(identifier: Any) -> LearningRateSchedule:
    """A schedule as it is, from its configuration, or the constant one of a number.

    >>> get(0.1)
    ConstantSchedule(learning_rate=0.1, name='ConstantSchedule')

    Raises ``ArgumentError`` for anything else.
    """
    if isinstance(identifier, LearningRateSchedule):
        return identifier
    if isinstance(identifier, int | float) and not isinstance(identifier, bool):
        return ConstantSchedule(identifier)
    return deserialize(identifier)
