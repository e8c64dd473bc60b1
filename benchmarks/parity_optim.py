"""The optimisers and schedules beside Keras's: the largest difference of the parameters after 20 steps, for each.

    KERAS_BACKEND=torch python -m benchmarks.parity_optim

In float64 both compute the same formulas and differ by rounding, apart from numbers that Keras holds in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import optimizers as peers

from backlight import optim

STEPS = 20
SHAPES = {"kernel": (4, 6), "tall": (7, 3), "bias": (6,), "cube": (3, 2, 2), "embeddings": (5, 3)}
COMMON: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.05},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.3},
    "global_clipnorm": {"global_clipnorm": 0.7},
    "ema": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation, ema, decay": {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 2,
        "weight_decay": 0.1,
    },
    "loss_scale": {"loss_scale_factor": 8.0},
}
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
SCHEDULES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("PiecewiseConstantDecay", ([3, 7], [1.0, 0.5, 0.1]), {}),
    ("ExponentialDecay", (0.1, 3, 0.5), {}),
    ("ExponentialDecay", (0.1, 3, 0.5), {"staircase": True}),
    ("PolynomialDecay", (0.1, 7), {}),
    ("PolynomialDecay", (0.1, 4, 0.01, 2.0), {"cycle": True}),
    ("InverseTimeDecay", (0.1, 3, 0.5), {}),
    ("InverseTimeDecay", (0.1, 3, 0.5), {"staircase": True}),
    ("CosineDecay", (0.1, 9), {}),
    ("CosineDecay", (0.1, 9, 0.1), {"warmup_target": 0.5, "warmup_steps": 4}),
    ("CosineDecayRestarts", (0.1, 3), {}),
    ("CosineDecayRestarts", (0.1, 4), {"t_mul": 1.5, "m_mul": 0.7, "alpha": 0.1}),
    ("CosineDecayRestarts", (0.1, 4), {"t_mul": 1.0, "m_mul": 0.7}),
]


def cases(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "defaults", {}
    for own in OWN[name]:
        yield ", ".join(f"{key}={value}" for key, value in own.items()), own
    yield from COMMON.items()


def difference(name: str, options: dict[str, Any], dtype: str) -> float:
    keras.config.set_floatx(dtype)
    rng = np.random.default_rng(0)
    start = {key: rng.normal(size=shape).astype(dtype) for key, shape in SHAPES.items()}
    theirs = [keras.Variable(value, name=key, dtype=dtype) for key, value in start.items()]
    ours = dict(start)
    options = {"learning_rate": 0.1, **options}
    peer, own = getattr(peers, name)(**options), getattr(optim, name)(**options)
    state = own.init(ours)
    worst = 0.0
    for _ in range(STEPS):
        gradients = {key: rng.normal(size=shape).astype(dtype) for key, shape in SHAPES.items()}
        tensors = [keras.ops.convert_to_tensor(g) for g in gradients.values()]
        peer.apply_gradients(list(zip(tensors, theirs, strict=True)))
        ours, state = own.stateless_apply(state, gradients, ours)
        for variable, value in zip(theirs, ours.values(), strict=True):
            found = keras.ops.convert_to_numpy(variable.value)
            worst = max(worst, float(np.max(np.abs(found - value))))
    return worst


def main() -> None:
    print(f"{'':60} float64   float32")
    for name in OWN:
        for label, options in cases(name):
            try:
                found = [difference(name, options, dtype) for dtype in ("float64", "float32")]
            except Exception as error:  # Keras refuses some combinations on some backends: say so and go on
                print(f"{name}: {label}: {type(error).__name__}: {error}")
                continue
            print(f"{f'{name}: {label}':60} {found[0]:.1e}   {found[1]:.1e}")
    keras.config.set_floatx("float64")
    for name, arguments, options in SCHEDULES:
        peer = getattr(peers.schedules, name)(*arguments, **options)
        own = getattr(optim.schedules, name)(*arguments, **options)
        theirs = [float(keras.ops.convert_to_numpy(peer(step))) for step in range(40)]
        worst = float(np.max(np.abs(own(np.arange(40)) - theirs)))
        print(f"{f'{name} {arguments} {options}':100} {worst:.1e}")


if __name__ == "__main__":
    main()
