"""Keras's optimisers: each class names its row of the table, and what is special about it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.optim.clipping import cast
from backlight.optim.lbfgs import LBFGS
from backlight.optim.optimizer import COMMON, Optimizer
from backlight.optim.rules import ANY, MOMENTUM, NOT_NEGATIVE, POSITIVE, RULES, SHARE
from backlight.trace import user_source

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "deserialize",
    "get",
    "serialize",
]

DECAY = {"weight_decay": (0.004, NOT_NEGATIVE)}


class SGD(Optimizer, rule="sgd", rate=0.01):
    """``p ← p - rate g``; with momentum ``m ← μ m - rate g``, ``p ← p + m``, Nesterov's ``p ← p + μ m - rate g``.

    ``SGD(learning_rate=0.01, momentum=0.0, nesterov=False, …)``; the arguments of all optimisers follow. Raises
    ``ArgumentError`` for an argument that does not exist or is out of its range.

    >>> w = np.array([1.0])
    >>> SGD(0.1).apply_gradients([(np.array([2.0]), w)]), w
    (<Variable sgd/iteration: int64 () 1>, array([0.8]))

    I. Sutskever et al., "On the importance of initialization and momentum", ICML 2013.
    """


class Adagrad(Optimizer, rule="adagrad"):
    """``a ← a + g²``, ``p ← p - rate g / √(a + ε)``, a begins at ``initial_accumulator_value``.

    ``Adagrad(learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, …)``.

    >>> w = np.array([1.0])
    >>> _ = Adagrad(0.1, initial_accumulator_value=0.0).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.9])

    J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011.
    """


class Adadelta(Optimizer, rule="adadelta"):
    """``s = √(d + ε) / √(a + ε) g``, ``p ← p - rate s``, with a and d running averages of g² and s².

    ``Adadelta(learning_rate=0.001, rho=0.95, epsilon=1e-7, …)``; the paper's rate is 1.

    >>> w = np.array([1.0])
    >>> _ = Adadelta(1.0).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.9986])

    M. Zeiler, arXiv:1212.5701.
    """


class RMSprop(Optimizer, rule="rmsprop"):
    """``v ← ρ v + (1-ρ) g²``, ``p ← p - rate g / √(v + ε)``; with momentum the step itself is averaged.

    ``RMSprop(learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, …)``; ``centered`` divides by
    the spread of g, ``v - ḡ²``, in place of its square.

    >>> w = np.array([1.0])
    >>> _ = RMSprop(0.1, rho=0.0).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.9])

    G. Hinton, "Neural networks for machine learning", lecture 6e, 2012; A. Graves, arXiv:1308.0850.
    """


class Adam(Optimizer, rule="adam"):
    """``p ← p - rate √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)``, with m and v running averages of g and g².

    ``Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, …)``; ``amsgrad`` divides by the
    largest v so far.

    >>> w = np.array([1.0])
    >>> _ = Adam(0.1).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.9])

    D. Kingma, J. Ba, arXiv:1412.6980; S. Reddi, S. Kale, S. Kumar, arXiv:1904.09237.
    """


class AdamW(
    Optimizer,
    rule="adamw",
    arguments={**DECAY, **RULES["adamw"].options, **{k: v for k, v in COMMON.items() if k != "weight_decay"}},
):
    """``p ← p - rate λ p``, then as Adam: the decay of the weights is no part of the averages.

    ``AdamW(learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, …)``.

    >>> w = np.array([1.0])
    >>> _ = AdamW(0.1, weight_decay=0.5).apply_gradients([(np.array([0.0]), w)])
    >>> w.round(4)
    array([0.95])

    I. Loshchilov, F. Hutter, arXiv:1711.05101.
    """


class Adamax(Optimizer, rule="adamax"):
    """``p ← p - rate/(1-β₁ᵗ) m / (u + ε)``, with ``u ← max(β₂ u, |g|)``: Adam with the largest in place of the square.

    ``Adamax(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, …)``.

    >>> w = np.array([1.0])
    >>> _ = Adamax(0.1).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.9])

    D. Kingma, J. Ba, arXiv:1412.6980, section 7.
    """


class Nadam(Optimizer, rule="nadam"):
    """Adam that looks one step ahead: ``uₜ₊₁ m / (1-Πₜ₊₁) + (1-uₜ) g / (1-Πₜ)`` in place of ``m / (1-β₁ᵗ)``.

    ``uₜ = β₁ (1 - 0.96ᵗ/2)`` and ``Πₜ = u₁ … uₜ``. ``Nadam(learning_rate=0.001, beta_1=0.9, beta_2=0.999,
    epsilon=1e-7, …)``.

    >>> w = np.array([1.0])
    >>> _ = Nadam(0.1).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.8937])

    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """


class Lion(Optimizer, rule="lion"):
    """``p ← p - rate sign(β₁ m + (1-β₁) g)``, then ``m ← β₂ m + (1-β₂) g``: every number moves by the rate.

    ``Lion(learning_rate=0.001, beta_1=0.9, beta_2=0.99, …)``; a rate of a third to a tenth of Adam's is usual.

    >>> w = np.array([1.0])
    >>> _ = Lion(0.1).apply_gradients([(np.array([2.0]), w)])
    >>> w.round(4)
    array([0.9])

    X. Chen et al., arXiv:2302.06675.
    """


class Lamb(Optimizer, rule="lamb"):
    """Adam's step s, made as long as the parameter times the rate: ``p ← p - rate ‖p‖/‖s‖ s`` (1 where a norm is 0).

    ``Lamb(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, …)``.

    >>> w = np.array([3.0, 4.0])
    >>> _ = Lamb(0.1).apply_gradients([(np.array([1.0, 0.0]), w)])
    >>> w.round(4)
    array([2.5, 4. ])

    Y. You et al., arXiv:1904.00962.
    """


class Muon(
    Optimizer,
    rule="muon",
    arguments={
        "adam_beta_1": (0.9, SHARE),
        "adam_beta_2": (0.999, SHARE),
        "adam_weight_decay": (0.004, NOT_NEGATIVE),
        "epsilon": (1e-7, NOT_NEGATIVE),
        **DECAY,
        **{k: v for k, v in COMMON.items() if k != "weight_decay"},
        "exclude_layers": (None, ANY),
        "exclude_embeddings": (True, None),
        "muon_a": (3.4445, ANY),
        "muon_b": (-4.775, ANY),
        "muon_c": (2.0315, ANY),
        "adam_lr_ratio": (1, POSITIVE),
        "momentum": (0.95, MOMENTUM),
        "ns_steps": (5, (1, 100, "[]")),
        "nesterov": (True, None),
        "rms_rate": (0.2, POSITIVE),
    },
):
    """Matrices: ``m ← μ m + g``, ``p ← p - rate · rms_rate √max(rows, columns) · UVᵀ``, with USVᵀ the singular values
    of ``g + μ m``. Everything else, and embeddings, goes by Adam with ``rate · adam_lr_ratio``.

    UVᵀ comes from ``ns_steps`` steps of a Newton-Schulz iteration, nearly. ``exclude_layers`` are patterns for the
    paths of matrices that go by Adam too. ``weight_decay=0.004`` is for the matrices, ``adam_weight_decay=0.004`` for
    the rest.

    >>> w = np.zeros((2, 2))
    >>> _ = Muon(1.0, rms_rate=None, ns_steps=12).apply_gradients([(np.array([[2.0, 0.0], [0.0, 2.0]]), w)])
    >>> bool(abs(w[0, 0] + 1) < 0.35), w[0, 1].item()
    (True, 0.0)

    K. Jordan et al., "Muon: an optimizer for hidden layers", 2024; J. Liu et al., arXiv:2502.16982.
    """

    exclude_layers: list[str]
    exclude_embeddings: bool
    adam_beta_1: float
    adam_beta_2: float
    adam_weight_decay: float | None
    adam_lr_ratio: float
    epsilon: float

    def __init__(self, *values: Any, **named: Any) -> None:
        patterns = named.pop("exclude_layers", None)
        super().__init__(*values, **named)
        self.exclude_layers = [str(pattern) for pattern in patterns or ()]

    def _rule_of(self, path: str, shape: tuple[int, ...]) -> str:
        embedding = self.exclude_embeddings and "embedding" in path.lower()
        excluded = any(re.search(pattern, path) for pattern in self.exclude_layers)
        return "muon" if len(shape) == 2 and not embedding and not excluded else "adam"

    def _options(self, rule: str) -> SimpleNamespace:
        if rule == "muon":
            return super()._options(rule)
        return SimpleNamespace(beta_1=self.adam_beta_1, beta_2=self.adam_beta_2, epsilon=self.epsilon, amsgrad=False)

    def _rate_of(self, rule: str, rate: Any) -> Any:
        return rate if rule == "muon" else cast(rate, np.float64) * self.adam_lr_ratio

    def _decay_of(self, rule: str) -> float | None:
        return self.weight_decay if rule == "muon" else self.adam_weight_decay


OPTIMIZERS: dict[str, type[Optimizer]] = {
    each.__name__.lower(): each
    for each in (SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, Nadam, Lion, Lamb, Muon, LBFGS)
}
"""Every optimiser by its name, in small letters."""


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """An optimiser as plain data: ``{"class_name": …, "config": {…}}``, without its state.

    >>> serialize(SGD(0.5))["class_name"], serialize(SGD(0.5))["config"]["learning_rate"]
    ('SGD', 0.5)
    """
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """The optimiser of plain data; names are looked up in ``OPTIMIZERS`` and ``custom_objects`` alone.

    >>> deserialize(serialize(Adam(0.01))).get_config() == Adam(0.01).get_config()
    True

    Raises ``ArgumentError`` for a name that is in neither, or a configuration that is none.
    """
    name = config.get("class_name") if isinstance(config, dict) else None
    known = {kind.__name__: kind for kind in OPTIMIZERS.values()} | (custom_objects or {})
    kind = known.get(name, OPTIMIZERS.get(name.lower())) if isinstance(name, str) else None
    options = config.get("config", {}) if isinstance(config, dict) else None
    if kind is None or not isinstance(options, dict):
        raise _unknown(config if name is None else name)
    made: Optimizer = kind.from_config(options, custom_objects)
    return made


def get(identifier: Any) -> Optimizer:
    """An optimiser from its name (small or capital letters), its configuration, or as it is.

    >>> get("adam").get_config()["beta_1"], get("SGD").name
    (0.9, 'sgd')

    Raises ``ArgumentError`` for anything else.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str) and identifier.lower() in OPTIMIZERS:
        return OPTIMIZERS[identifier.lower()]()
    raise _unknown(identifier)


def _unknown(came: Any) -> ArgumentError:
    names = ", ".join(kind.__name__ for kind in OPTIMIZERS.values())
    return ArgumentError(message("optim_unknown", str(user_source() or ""), came=repr(came), names=names))
