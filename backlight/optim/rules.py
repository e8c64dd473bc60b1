"""The optimisers as a table: one row says how a parameter p follows its gradient g.

A row is pure functions. ``slots`` makes what is remembered for one parameter; ``factors`` computes once what depends
on the step and the rate alone; ``update`` moves one parameter. Everything composes NumPy functions, so it traces and
compiles. Names, defaults and the places of ε are Keras 3's; sums that Keras takes of squares of float32 in float32 are
taken so here too, what belongs to the step alone is computed in float64.

    t      the step, counted from 1         ρ, β   how much of a running average is kept
    rate   the learning rate of the step    μ      momentum
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import ArgumentError, ShapeError, message
from backlight.optim.clipping import cast, norm
from backlight.trace import user_source

__all__ = ["RULES", "Rule", "Transformation", "check_options", "step_all", "transformation"]

Slots = dict[str, Any]
Range = tuple[float, float, str]

SHARE: Range = (0.0, 1.0, "[)")  # of a running average, whose correction 1 - βᵗ is divided by
MOMENTUM: Range = (0.0, 1.0, "[]")
POSITIVE: Range = (0.0, np.inf, "()")
NOT_NEGATIVE: Range = (0.0, np.inf, "[)")
ANY: Range = (-np.inf, np.inf, "()")
MAY_BE_NONE = ("weight_decay", "adam_weight_decay", "rms_rate")  # though their defaults are numbers


class Rule(NamedTuple):
    """One optimiser: ``options`` are names, defaults and the range that is allowed (``None``: true or false)."""

    equation: str
    source: str
    options: dict[str, tuple[Any, Range | None]]
    slots: Callable[[Any, Any], Slots]
    factors: Callable[[Any, Any, Any], dict[str, Any]]
    update: Callable[[Any, Any, Slots, Any, Any], tuple[Any, Slots]]


class Transformation(NamedTuple):
    """A rule with its options: ``init(parameters) -> slots`` and
    ``update(gradients, slots, parameters, step, rate) -> (parameters, slots)``, over flat lists."""

    init: Callable[[Sequence[Any]], list[Slots]]
    update: Callable[[Sequence[Any], Sequence[Slots], Sequence[Any], Any, Any], tuple[list[Any], list[Slots]]]


def _zeros(p: Any) -> Any:
    return np.zeros(p.shape, p.dtype)


def _slots(*names: str) -> Callable[[Any, Any], Slots]:
    return lambda p, o: {name: _zeros(p) for name in names}


def _average(old: Any, new: Any, share: float) -> Any:
    """``share · old + (1 - share) · new``; as ``old + …(new - old)``, an average once infinite would be no number."""
    return old * share + new * (1 - share)


def _rate(t: Any, rate: Any, o: Any) -> dict[str, Any]:
    return {"rate": rate}


# -- Plain descent -------------------------------------------------------------------------------------------------


def _sgd_slots(p: Any, o: Any) -> Slots:
    return {"momentum": _zeros(p)} if o.momentum else {}


def _sgd(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    if not o.momentum:
        return p - g * f.rate, slots
    m = slots["momentum"] * o.momentum - g * f.rate
    return (p + m * o.momentum - g * f.rate if o.nesterov else p + m), {"momentum": m}


def _lion(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    m = slots["momentum"]
    return p - f.rate * np.sign(m * o.beta_1 + g * (1 - o.beta_1)), {"momentum": m * o.beta_2 + g * (1 - o.beta_2)}


# -- A rate for every number ---------------------------------------------------------------------------------------


def _adagrad_slots(p: Any, o: Any) -> Slots:
    return {"accumulator": np.full(p.shape, o.initial_accumulator_value, p.dtype)}


def _adagrad(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    a = slots["accumulator"] + np.square(g)
    return p - f.rate * g / np.sqrt(a + o.epsilon), {"accumulator": a}


def _adadelta(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    a = slots["accumulated_grad"] * o.rho + np.square(g) * (1 - o.rho)
    d = slots["accumulated_delta_var"]
    step = g * (np.sqrt(d + o.epsilon) / np.sqrt(a + o.epsilon))
    d = d * o.rho + np.square(step) * (1 - o.rho)
    return p - f.rate * step, {"accumulated_grad": a, "accumulated_delta_var": d}


def _rmsprop_slots(p: Any, o: Any) -> Slots:
    names = ["velocity", *["momentum"] * bool(o.momentum), *["average_gradient"] * bool(o.centered)]
    return {name: _zeros(p) for name in names}


def _rmsprop(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    v = slots["velocity"] * o.rho + np.square(g) * (1 - o.rho)
    new, spread = {"velocity": v}, v
    if o.centered:
        mean = new["average_gradient"] = slots["average_gradient"] * o.rho + g * (1 - o.rho)
        spread = np.maximum(v - np.square(mean), 0)  # a variance: below 0 by rounding alone
    step = f.rate * g / np.sqrt(spread + o.epsilon)
    if o.momentum:
        step = new["momentum"] = slots["momentum"] * o.momentum + step
    return p - step, {name: new[name] for name in slots}


# -- Two averages --------------------------------------------------------------------------------------------------


def _adam_slots(p: Any, o: Any) -> Slots:
    names = ["momentum", "velocity", *["velocity_hat"] * bool(o.amsgrad)]
    return {name: _zeros(p) for name in names}


def _adam_factors(t: Any, rate: Any, o: Any) -> dict[str, Any]:
    """Both corrections for the start at 0 in one number."""
    return {"alpha": rate * np.sqrt(1 - np.power(o.beta_2, t)) / (1 - np.power(o.beta_1, t))}


def _adam(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    m = _average(slots["momentum"], g, o.beta_1)
    v = _average(slots["velocity"], np.square(g), o.beta_2)
    new = {"momentum": m, "velocity": v}
    if o.amsgrad:
        v = new["velocity_hat"] = np.maximum(slots["velocity_hat"], v)
    return p - m * f.alpha / (np.sqrt(v) + o.epsilon), new


def _adamax_factors(t: Any, rate: Any, o: Any) -> dict[str, Any]:
    return {"alpha": rate / (1 - np.power(o.beta_1, t))}


def _adamax(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    m = _average(slots["momentum"], g, o.beta_1)
    u = np.maximum(slots["norm"] * o.beta_2, np.abs(g))
    return p - m * f.alpha / (u + o.epsilon), {"momentum": m, "norm": u}


def _nadam_slots(p: Any, o: Any) -> Slots:
    return {"momentum": _zeros(p), "velocity": _zeros(p), "u_product": np.ones((), p.dtype)}


def _nadam_factors(t: Any, rate: Any, o: Any) -> dict[str, Any]:
    """The momentum of this step and of the next (0.96 is T. Dozat's), and the correction of the velocity."""
    now, then = (o.beta_1 * (1 - 0.5 * np.power(0.96, k)) for k in (t, t + 1))
    return {"rate": rate, "u": now, "u_next": then, "v_scale": 1 / (1 - np.power(o.beta_2, t))}


def _nadam(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    m = _average(slots["momentum"], g, o.beta_1)
    v = _average(slots["velocity"], np.square(g), o.beta_2)
    product = slots["u_product"] * f.u
    m_hat = m * (f.u_next / (1 - product * f.u_next)) + g * ((1 - f.u) / (1 - product))
    step = m_hat * f.rate / (np.sqrt(v * f.v_scale) + o.epsilon)
    return p - step, {"momentum": m, "velocity": v, "u_product": product}


def _lamb_factors(t: Any, rate: Any, o: Any) -> dict[str, Any]:
    return {
        "rate": rate,
        "m_scale": 1 / (1 - np.power(o.beta_1, t)),
        "v_scale": 1 / (1 - np.power(o.beta_2, t)),
    }


def _lamb(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    m = _average(slots["momentum"], g, o.beta_1)
    v = _average(slots["velocity"], np.square(g), o.beta_2)
    step = m * f.m_scale / (np.sqrt(v * f.v_scale) + o.epsilon)
    size, length = norm(p), norm(step)
    both = (size > 0) & (length > 0)
    trust = cast(np.where(both, size / np.where(both, length, 1.0), 1.0), p.dtype)
    return p - step * (f.rate * trust), {"momentum": m, "velocity": v}


# -- Matrices ------------------------------------------------------------------------------------------------------


def _orthogonal(x: Any, o: Any) -> Any:
    """Near to U Vᵀ of x = U S Vᵀ: ``x ← a x + (b A + c A²) x`` with A = x xᵀ, a few times.

    A polynomial of odd powers acts on the singular values alone; a, b and c are chosen to bring them quickly near 1.
    """
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else np.swapaxes(x, -1, -2)  # the product of the shorter side is the smaller one
    x = x * cast(1 / (norm(x) + 1e-7), x.dtype)
    for _ in range(o.ns_steps):
        a = x @ np.swapaxes(x, -1, -2)
        x = x * o.muon_a + (a * o.muon_b + (a @ a) * o.muon_c) @ x
    return x if wide else np.swapaxes(x, -1, -2)


def _muon(g: Any, p: Any, slots: Slots, f: Any, o: Any) -> tuple[Any, Slots]:
    m = slots["momentum"] * o.momentum + g
    step = _orthogonal(g + m * o.momentum if o.nesterov else m, o)
    scale = 1.0 if o.rms_rate is None else o.rms_rate * float(np.sqrt(max(p.shape[0], p.shape[1])))
    return p - step * (f.rate * scale), {"momentum": m}


# -- The table -----------------------------------------------------------------------------------------------------

_ADAM: dict[str, tuple[Any, Range | None]] = {
    "beta_1": (0.9, SHARE),
    "beta_2": (0.999, SHARE),
    "epsilon": (1e-7, NOT_NEGATIVE),
}
_AMSGRAD: dict[str, tuple[Any, Range | None]] = {**_ADAM, "amsgrad": (False, None)}

RULES: dict[str, Rule] = {
    "sgd": Rule(
        "m ← μ m - rate g;  p ← p + m;  Nesterov: p ← p + μ m - rate g",
        "Y. Nesterov, 1983; I. Sutskever et al., ICML 2013",
        {"momentum": (0.0, MOMENTUM), "nesterov": (False, None)},
        _sgd_slots,
        _rate,
        _sgd,
    ),
    "adagrad": Rule(
        "a ← a + g²;  p ← p - rate g / √(a + ε)",
        "J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011",
        {"initial_accumulator_value": (0.1, NOT_NEGATIVE), "epsilon": (1e-7, NOT_NEGATIVE)},
        _adagrad_slots,
        _rate,
        _adagrad,
    ),
    "adadelta": Rule(
        "a ← ρ a + (1-ρ) g²;  s = √(d + ε) / √(a + ε) g;  d ← ρ d + (1-ρ) s²;  p ← p - rate s",
        "M. Zeiler, arXiv:1212.5701",
        {"rho": (0.95, MOMENTUM), "epsilon": (1e-7, NOT_NEGATIVE)},
        _slots("accumulated_grad", "accumulated_delta_var"),
        _rate,
        _adadelta,
    ),
    "rmsprop": Rule(
        "v ← ρ v + (1-ρ) g²;  s ← μ s + rate g / √(v + ε);  p ← p - s;  "
        "centred: v - ḡ² in place of v, ḡ ← ρ ḡ + (1-ρ) g",
        "G. Hinton, lecture 6e, 2012; centred: A. Graves, arXiv:1308.0850",
        {
            "rho": (0.9, MOMENTUM),
            "momentum": (0.0, MOMENTUM),
            "epsilon": (1e-7, NOT_NEGATIVE),
            "centered": (False, None),
        },
        _rmsprop_slots,
        _rate,
        _rmsprop,
    ),
    "adam": Rule(
        "m ← β₁ m + (1-β₁) g;  v ← β₂ v + (1-β₂) g²;  p ← p - rate √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε);  "
        "AMSGrad: the largest v so far in place of v",
        "D. Kingma, J. Ba, arXiv:1412.6980; AMSGrad: S. Reddi et al., arXiv:1904.09237",
        _AMSGRAD,
        _adam_slots,
        _adam_factors,
        _adam,
    ),
    "adamw": Rule(
        "p ← p - rate λ p, then as Adam",
        "I. Loshchilov, F. Hutter, arXiv:1711.05101",
        _AMSGRAD,
        _adam_slots,
        _adam_factors,
        _adam,
    ),
    "adamax": Rule(
        "m ← β₁ m + (1-β₁) g;  u ← max(β₂ u, |g|);  p ← p - rate/(1-β₁ᵗ) m / (u + ε)",
        "D. Kingma, J. Ba, arXiv:1412.6980, section 7",
        _ADAM,
        _slots("momentum", "norm"),
        _adamax_factors,
        _adamax,
    ),
    "nadam": Rule(
        "m, v as in Adam;  uₜ = β₁ (1 - 0.96ᵗ/2);  Πₜ = u₁ … uₜ;  "
        "p ← p - rate (uₜ₊₁ m / (1-Πₜ₊₁) + (1-uₜ) g / (1-Πₜ)) / (√(v/(1-β₂ᵗ)) + ε)",
        "T. Dozat, ICLR workshop 2016",
        _ADAM,
        _nadam_slots,
        _nadam_factors,
        _nadam,
    ),
    "lion": Rule(
        "p ← p - rate sign(β₁ m + (1-β₁) g);  m ← β₂ m + (1-β₂) g",
        "X. Chen et al., arXiv:2302.06675",
        {"beta_1": (0.9, (0.0, 1.0, "(]")), "beta_2": (0.99, MOMENTUM)},
        _slots("momentum"),
        _rate,
        _lion,
    ),
    "lamb": Rule(
        "m, v as in Adam;  s = m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε);  p ← p - rate ‖p‖/‖s‖ s",
        "Y. You et al., arXiv:1904.00962",
        _ADAM,
        _slots("momentum", "velocity"),
        _lamb_factors,
        _lamb,
    ),
    "muon": Rule(
        "m ← μ m + g;  p ← p - rate · rms √max(rows, columns) · UVᵀ of g + μ m (without Nesterov: of m)",
        "K. Jordan et al., 2024; the scale: J. Liu et al., arXiv:2502.16982",
        {
            "momentum": (0.95, MOMENTUM),
            "nesterov": (True, None),
            "ns_steps": (5, (1, 100, "[]")),
            "muon_a": (3.4445, ANY),
            "muon_b": (-4.775, ANY),
            "muon_c": (2.0315, ANY),
            "rms_rate": (0.2, POSITIVE),
        },
        _slots("momentum"),
        _rate,
        _muon,
    ),
}
"""Every rule by its name. Muon's is for matrices; other parameters of a network go with Adam's."""


# -- Using a row ---------------------------------------------------------------------------------------------------


def check_options(name: str, given: dict[str, Any], allowed: dict[str, tuple[Any, Range | None]]) -> None:
    """Whether every option lies in its range; ``None`` switches off what it can.

    Raises ``ArgumentError`` naming the option, what came and what is allowed.
    """
    for option, value in given.items():
        default, limits = allowed[option]
        if value is None and (default is None or option in MAY_BE_NONE):
            continue
        if limits is None:
            good, expected = isinstance(value, bool | np.bool_), "True / False"
        else:
            low, high, ends = limits
            good = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            good = good and (low <= value if ends[0] == "[" else low < value)
            good = good and (value <= high if ends[1] == "]" else value < high)
            good = good and (option != "ns_steps" or isinstance(value, int | np.integer))
            expected = f"{ends[0]}{low:g}, {high:g}{ends[1]}"
        if not good:
            facts = {"optimizer": name, "name": option, "came": repr(value), "expected": expected}
            raise ArgumentError(message("optim_range", str(user_source() or ""), **facts))


def step_all(
    rule: Rule,
    gradients: Sequence[Any],
    slots: Sequence[Slots],
    parameters: Sequence[Any],
    step: Any,
    rate: Any,
    o: Any,
) -> tuple[list[Any], list[Slots]]:
    """One step of ``rule`` for every parameter of a list; ``step`` counts from 0.

    >>> o = SimpleNamespace(momentum=0.0, nesterov=False)
    >>> step_all(RULES["sgd"], [np.array([2.0])], [{}], [np.array([1.0])], 0, 0.1, o)
    ([array([0.8])], [{}])
    """
    factors = rule.factors(cast(step, np.float64) + 1, cast(rate, np.float64), o)
    by_dtype: dict[Any, SimpleNamespace] = {}
    moved, kept = [], []
    for g, p, own in zip(gradients, parameters, slots, strict=True):
        if p.dtype not in by_dtype:
            by_dtype[p.dtype] = SimpleNamespace(**{name: cast(x, p.dtype) for name, x in factors.items()})
        g = g if g.dtype == p.dtype else cast(g, p.dtype)
        new, memory = rule.update(g, p, own, by_dtype[p.dtype], o)
        moved.append(new)
        kept.append(memory)
    return moved, kept


def transformation(name: str, **options: Any) -> Transformation:
    """The rule ``name`` of ``RULES`` with these options, as two pure functions over flat lists of arrays.

    >>> init, update = transformation("adam")
    >>> parameters = [np.array([1.0, -1.0])]
    >>> slots = init(parameters)
    >>> parameters, slots = update([np.array([0.5, 2.0])], slots, parameters, 0, 0.001)
    >>> parameters[0].round(6)
    array([ 0.999, -1.001])

    Raises ``ArgumentError`` for a name that is not in the table, an option that the rule does not have or that is out
    of its range; ``update`` raises ``ShapeError`` where a gradient does not fit its parameter.
    """
    if name not in RULES:
        facts = {"came": repr(name), "names": ", ".join(RULES)}
        raise ArgumentError(message("optim_unknown", str(user_source() or ""), **facts))
    rule = RULES[name]
    unknown = [option for option in options if option not in rule.options]
    if unknown:
        facts = {"optimizer": name, "came": ", ".join(unknown), "names": ", ".join(rule.options) or "-"}
        raise ArgumentError(message("optim_option", str(user_source() or ""), **facts))
    check_options(name, options, rule.options)
    o = SimpleNamespace(**{option: default for option, (default, _) in rule.options.items()} | options)

    def init(parameters: Sequence[Any]) -> list[Slots]:
        return [rule.slots(p, o) for p in parameters]

    def update(
        gradients: Sequence[Any], slots: Sequence[Slots], parameters: Sequence[Any], step: Any, rate: Any
    ) -> tuple[list[Any], list[Slots]]:
        came = [tuple(g.shape) for g in gradients]
        expected = [tuple(p.shape) for p in parameters]
        if came != expected or len(slots) != len(expected):
            facts = {"came": came, "expected": expected}
            raise ShapeError(message("optim_shapes", str(user_source() or ""), **facts))
        return step_all(rule, gradients, slots, parameters, step, rate, o)

    return Transformation(init, update)
