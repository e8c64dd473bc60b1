"""Optimisers and schedules beside Keras's and PyTorch's: parameters after each of 20 steps, rates of 40 steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.parity.cases import Case, Pair, keras, ours, torch, use

__all__ = ["cases"]

STEPS = 20
SHAPES = {"kernel": (4, 6), "tall": (7, 3), "bias": (6,), "cube": (3, 2, 2), "embeddings": (5, 3)}
COMMON: list[dict[str, Any]] = [
    {"weight_decay": 0.05},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 3},
    {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 2,
        "weight_decay": 0.1,
    },
    {"loss_scale_factor": 8.0},
]
OWN: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.8, "nesterov": True}],
    "Adagrad": [{"initial_accumulator_value": 0.0, "epsilon": 1e-3}],
    "Adadelta": [{"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-3}],
    "RMSprop": [{"momentum": 0.7}, {"centered": True}, {"rho": 0.6, "momentum": 0.5, "centered": True, "epsilon": 0.1}],
    "Adam": [{"amsgrad": True}, {"beta_1": 0.6, "beta_2": 0.7, "epsilon": 0.01, "amsgrad": True}],
    "AdamW": [{"weight_decay": 0.3, "amsgrad": True}],
    "Adamax": [{"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.01}],
    "Nadam": [{"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.01}],
    "Lion": [{"beta_1": 0.5, "beta_2": 0.7}],
    "Lamb": [{"beta_1": 0.5, "beta_2": 0.8, "epsilon": 0.01}],
    "Muon": [
        {"nesterov": False, "ns_steps": 3, "momentum": 0.5},
        {"rms_rate": None, "weight_decay": 0.2, "adam_weight_decay": 0.1, "adam_lr_ratio": 0.5},
        {"exclude_layers": ["tall"], "exclude_embeddings": False, "adam_beta_1": 0.6},
    ],
}
PYTORCH: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("SGD", {}, "SGD", {}),
    ("SGD", {"momentum": 0.9}, "SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True}, "SGD", {"momentum": 0.8, "nesterov": True}),
    ("Adagrad", {"epsilon": 1e-14}, "Adagrad", {"initial_accumulator_value": 0.1, "eps": 0.0}),
    ("Adadelta", {"rho": 0.8, "epsilon": 1e-3}, "Adadelta", {"rho": 0.8, "eps": 1e-3}),
    ("RMSprop", {"epsilon": 0.0}, "RMSprop", {"alpha": 0.9, "eps": 0.0}),
    ("RMSprop", {"epsilon": 0.0, "centered": True}, "RMSprop", {"alpha": 0.9, "eps": 0.0, "centered": True}),
    ("Adam", {"epsilon": 0.0}, "Adam", {"eps": 0.0}),
    ("AdamW", {"epsilon": 0.0, "weight_decay": 0.3}, "AdamW", {"eps": 0.0, "weight_decay": 0.3}),
    ("Adamax", {"epsilon": 0.0}, "Adamax", {"eps": 0.0}),
]
"""With ε = 0, as PyTorch adds it elsewhere."""
SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("PiecewiseConstantDecay", {"boundaries": [3, 7], "values": [1.0, 0.5, 0.1]}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5, "staircase": True}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 4, "end_learning_rate": 0.01, "power": 2.0, "cycle": True},
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5, "staircase": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 9}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 9, "alpha": 0.1, "warmup_target": 0.5, "warmup_steps": 4},
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3}),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.5, "m_mul": 0.7, "alpha": 0.1},
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.0, "m_mul": 0.7}),
]


def walked(name: str, options: Mapping[str, Any], dtype: str, gradients: list[Any], start: dict[str, Any]) -> list[Any]:
    """The parameters after each step, here."""
    optimizer, values = ours(f"optimizers.{name}")(**options), dict(start)
    state, found = optimizer.init(values), []
    for each in gradients:
        values, state = optimizer.stateless_apply(state, each, values)
        found.append(list(values.values()))
    return found


def given(dtype: str) -> tuple[dict[str, Any], list[Any]]:
    """Parameters, and a gradient for every step."""
    draws = np.random.default_rng(0)
    start, *gradients = (
        {key: draws.normal(size=shape).astype(dtype) for key, shape in SHAPES.items()} for _ in range(STEPS + 1)
    )
    return start, gradients


def optimizer(name: str, options: dict[str, Any]) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        start, gradients = given(dtype)
        optimizer = keras(f"optimizers.{name}")(**options)
        variables = [keras("Variable")(value, name=key, dtype=dtype) for key, value in start.items()]
        known = []
        for each in gradients:
            optimizer.apply_gradients(list(zip(map(torch("tensor"), each.values()), variables, strict=True)))
            known.append([variable.value.detach().numpy().copy() for variable in variables])
        yield Pair("Keras", "value", walked(name, options, dtype, gradients, start), known)

    return Case("optimizers", name, options, found)


def in_pytorch(name: str, options: dict[str, Any], peer: str, said: dict[str, Any]) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        start, gradients = given(dtype)
        tensors = [torch("tensor")(value.copy()).requires_grad_() for value in start.values()]
        optimizer, known = torch(f"optim.{peer}")(tensors, lr=0.1, **said), []
        for each in gradients:
            for tensor, gradient in zip(tensors, each.values(), strict=True):
                tensor.grad = torch("tensor")(gradient)
            optimizer.step()
            known.append([tensor.detach().numpy().copy() for tensor in tensors])
        yield Pair("PyTorch", "value", walked(name, {"learning_rate": 0.1, **options}, dtype, gradients, start), known)

    return Case("optimizers", name, options, found, "beside PyTorch")


def schedule(name: str, options: dict[str, Any]) -> Case:
    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        peer = keras(f"optimizers.schedules.{name}")(**options)
        known = np.array([float(keras("ops.convert_to_numpy")(peer(step))) for step in range(40)])
        mine = ours(f"optimizers.schedules.{name}")(**options)
        yield Pair("Keras", "value", mine(np.arange(40)), known)

    return Case("schedules", name, options, found)


def stepped(name: str, options: dict[str, Any], scheduler: Callable[[Any], Any], steps: int, rate: float) -> Case:
    """A schedule that PyTorch has."""

    def found(dtype: str) -> Iterator[Pair]:
        optimizer = torch("optim.SGD")([torch("zeros")(1)], lr=rate)
        plan, known = scheduler(optimizer), []
        for _ in range(steps):
            known.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            plan.step()
        yield Pair(
            "PyTorch", "value", ours(f"optimizers.schedules.{name}")(**options)(np.arange(steps)), np.array(known)
        )

    return Case("schedules", name, options, found, dtypes=("float32",))


def clipped(name: str, limit: float) -> Case:
    """Gradients made shorter, beside PyTorch."""

    def found(dtype: str) -> Iterator[Pair]:
        gradients = list(given(dtype)[1][0].values())
        mine = ours(f"optimizers.{name}")
        if name == "global_norm":
            yield Pair(
                "PyTorch",
                "value",
                mine(gradients),
                torch("nn.utils.get_total_norm")(list(map(torch("tensor"), gradients))),
            )
            return
        known = []
        tensors = [torch("zeros")(g.shape) for g in gradients]
        for tensor, gradient in zip(tensors, gradients, strict=True):
            tensor.grad = torch("tensor")(gradient.astype("float32"))
        for group in [tensors] if name == "clip_by_global_norm" else [[tensor] for tensor in tensors]:
            torch("nn.utils.clip_grad_value_" if name == "clip_by_value" else "nn.utils.clip_grad_norm_")(group, limit)
        known = [tensor.grad for tensor in tensors]
        yield Pair("PyTorch", "value", list(mine(gradients, limit)), known)

    return Case("optimizers", name, {} if name == "global_norm" else {"limit": limit}, found, dtypes=("float32",))


def rosenbrock(path: str, options: dict[str, Any]) -> Case:
    """The smallest value of a narrow valley, beside PyTorch's L-BFGS: both arrive at the same place."""

    def valley(p: Any) -> Any:
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    def found(dtype: str) -> Iterator[Pair]:
        p = torch("tensor")([-1.2, 1.0], dtype=torch("float64"), requires_grad=True)
        peer = torch("optim.LBFGS")(
            [p], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10, tolerance_change=0
        )

        def closure() -> Any:
            peer.zero_grad()
            loss = valley(p)
            loss.backward()
            return loss

        peer.step(closure)
        start = np.array([-1.2, 1.0])
        if path == "minimize":
            mine = ours("optimizers.minimize")(valley, start, **options).parameters
        else:
            ours("optimizers.LBFGS")(**options).minimize(lambda values: valley(values[0]), [start])
            mine = start
        yield Pair("PyTorch", "value", mine, p)

    return Case("optimizers", path, options, found, "of Rosenbrock's valley", ("float64",))


def cases() -> Iterator[Case]:
    """All of this table."""
    for name, own in OWN.items():
        yield optimizer(name, {})
        for options in [{"learning_rate": 0.1, **more} for more in ({}, *own, *COMMON)]:
            yield optimizer(name, options)
    for row in PYTORCH:
        yield in_pytorch(*row)
    for name in ("clip_by_norm", "clip_by_global_norm", "clip_by_value", "global_norm"):
        yield clipped(name, 0.4)
    for path in ("LBFGS", "minimize"):
        yield rosenbrock(path, {})
        yield rosenbrock(path, {"history": 5, "tolerance": 1e-10})
    for name, options in SCHEDULES:
        yield schedule(name, options)
    for more, said in (({}, {}), ({"warmup_share": 0.5, "div_factor": 10.0, "final_div_factor": 10.0},) * 2):
        names = {"warmup_share": "pct_start", "div_factor": "div_factor", "final_div_factor": "final_div_factor"}
        kinds = {names[key]: value for key, value in said.items()}
        plan = lambda o, k=kinds: torch("optim.lr_scheduler.OneCycleLR")(
            o, 0.4, total_steps=20, cycle_momentum=False, **k
        )
        yield stepped("OneCycle", {"max_learning_rate": 0.4, "total_steps": 20, **more}, plan, 20, 0.4)
    for start in (0.0, 0.1):
        plan = lambda o, s=start: torch("optim.lr_scheduler.LinearLR")(o, max(s / 0.4, 1e-12), total_iters=5)
        options = {"after": 0.4, "warmup_steps": 5} | ({"start": start} if start else {})
        yield stepped("LinearWarmup", options, plan, 12, 0.4)
    constant = lambda o: torch("optim.lr_scheduler.ConstantLR")(o, 1.0)
    yield stepped("ConstantSchedule", {"learning_rate": 0.3}, constant, 6, 0.3)
