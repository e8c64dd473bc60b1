"""XOR with two ReLU units, and why it so often fails: units that are dead.

A 2-2-1 network can compute XOR, |a - b| = relu(a - b) + relu(b - a). From random weights, 10,000 epochs of gradient
descent find it in about a quarter of all runs. Mostly one unit is to blame: its input is negative for all four,
so it puts out 0 for each of them, and its slope there is 0, too. No gradient reaches its weights, and it stays as it
is for ever; the other unit alone cannot do it. (The remaining failures are valleys in which both units agree.)

What helps, in 200 runs each: a slope on the left side, too (leaky ReLU), biases that let every unit begin alive, or
simply more units, so that enough of them are left. 14 million epochs in all, in about 2 s.

    python examples/xor.py
"""

from typing import NamedTuple

import numpy as np

import backlight

x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([[0.0], [1.0], [1.0], [0.0]])


class Setting(NamedTuple):
    """What may be changed about the network."""

    name: str
    units: int = 2
    slope: float = 0.0  # of the activation where its input is negative
    bias: float = 0.0  # of the hidden units, at first


SETTINGS = [
    Setting("2-2-1, ReLU"),
    Setting("leaky ReLU, slope 0.1", slope=0.1),
    Setting("first biases 0.5", bias=0.5),
    Setting("both", slope=0.1, bias=0.5),
    Setting("8 hidden units", units=8),
    Setting("8 hidden units, leaky ReLU", units=8, slope=0.1),
    Setting("16 hidden units", units=16),
]


def first_weights(setting: Setting, seed: int) -> dict:
    """Uniform in ±√(6 / (inputs + outputs)): X. Glorot, Y. Bengio 2010."""
    rng, n = np.random.default_rng(seed), setting.units
    a, b = np.sqrt(6 / (2 + n)), np.sqrt(6 / (n + 1))
    weights = {"W1": rng.uniform(-a, a, (2, n)), "W2": rng.uniform(-b, b, (n, 1))}
    return weights | {"b1": np.full(n, setting.bias), "b2": np.zeros(1)}


def loss(p, setting: Setting):
    """The mean of the squared errors."""
    z = x @ p["W1"] + p["b1"]
    h = np.where(z > 0, z, setting.slope * z)
    return np.mean((h @ p["W2"] + p["b2"] - y) ** 2)


def training(setting: Setting, epochs: int, rate: float = 0.1):
    """All epochs as one compiled function of the first weights."""

    def epoch(_, p):
        return backlight.tree_map(lambda w, g: w - rate * g, p, backlight.grad(loss)(p, setting))

    return backlight.compile(lambda p: backlight.fori_loop(0, epochs, epoch, p))


def always_off(p) -> np.ndarray:
    """Which units are off for all examples."""
    return np.all(x @ p["W1"] + p["b1"] <= 0, axis=0)


def main(runs: int = 200, epochs: int = 10_000) -> dict[str, tuple[int, int]]:
    """For each setting: how many runs learn XOR, and in how many of the others a unit is off for all examples."""
    counted, shown = {}, False
    for setting in SETTINGS:
        train, learnt, off = training(setting, epochs), 0, 0
        for seed in range(runs):
            p = train(first_weights(setting, seed))
            if loss(p, setting) < 0.01:
                learnt += 1
            elif np.any(always_off(p)):
                off += 1
                if not shown:
                    shown = True
                    look_at(p, setting, seed)
        counted[setting.name] = (learnt, off)
        print(f"{setting.name:26} {learnt:4d} of {runs} runs learn it; {off:4d} end with a unit that is always off")
    return counted


def look_at(p, setting: Setting, seed: int) -> None:
    """One network with a dead unit."""
    unit = int(np.argmax(always_off(p)))
    gradient = backlight.grad(loss)(p, setting)
    print(f"run {seed} ends with an error of {loss(p, setting):.3f}; unit {unit} is dead:")
    print(f"  its input for the four examples: {(x @ p['W1'] + p['b1'])[:, unit].round(3)}, never above 0")
    into = [*gradient["W1"][:, unit], gradient["b1"][unit], *gradient["W2"][unit]]
    print(f"  the gradients of its weights in, bias and weight out: {np.array(into)}: nothing will change\n")


if __name__ == "__main__":
    main()
