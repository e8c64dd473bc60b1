"""y = w x + b through (1, 2) … (5, 10) by gradient descent, with a derivative that is written by hand.

Backlight would find the derivative itself; here it is told one, by decorator, and believes it. With the right one w
goes to 2 and b to 0. With its sign turned round, every step goes up the hill instead of down: the error grows without
end. ``backlight.check`` compares a derivative with numbers that need none, and says which entry is wrong. Takes 2 s.

    python examples/own_derivative.py
"""

import numpy as np

import backlight

x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
y = np.array([2.0, 4.0, 6.0, 8.0, 10.0])


@backlight.custom_gradient
def error(w, b):
    """The mean of the squared distances between line and points."""
    return np.mean((w * x + b - y) ** 2)


@error.derivative
def error_derivative(w, b, value, g):
    """∂error/∂w = 2 mean((w x + b - y) x) and ∂error/∂b = 2 mean(w x + b - y), times what arrives, g."""
    distance = w * x + b - y
    return g * 2 * np.mean(distance * x), g * 2 * np.mean(distance)


@backlight.custom_gradient
def wrong_error(w, b):
    """The same numbers, with a derivative that points the other way."""
    return error(w, b)


@wrong_error.derivative
def wrong_derivative(w, b, value, g):
    """∂error/∂w with the wrong sign."""
    distance = w * x + b - y
    return -g * 2 * np.mean(distance * x), g * 2 * np.mean(distance)


def descend(function, rate: float, steps: int) -> list[tuple[float, float, float]]:
    """(w, b, error) before every step, and in the end."""
    w, b = 0.0, 0.0
    path = [(w, b, float(function(w, b)))]
    gradient = backlight.grad(function, argnums=(0, 1))
    for _ in range(steps):
        dw, db = gradient(w, b)
        w, b = w - rate * dw, b - rate * db
        path.append((float(w), float(b), float(function(w, b))))
    return path


def stable_rate() -> float:
    """2 / the largest curvature: with a larger learning rate, steps overshoot by more than they gain."""
    curvature = np.array(backlight.hessian(lambda p: error(p[0], p[1]))(np.zeros(2)))
    return float(2 / np.max(np.linalg.eigvalsh(curvature)))


def main(steps: int = 1000):
    """The end of the descent with the right derivative, that with the wrong one, and what is said about each."""
    limit = stable_rate()
    rate = limit / 2
    print(f"learning rates below {limit:.4f} are stable; taken: {rate:.4f}")
    right = descend(error, rate, steps)
    for step in (0, 1, 10, 100, steps):
        print("step {:4d}: w {:.6f}, b {:.6f}, error {:.3g}".format(step, *right[step]))
    print(backlight.check(error, 0.5, 0.5))

    print("\n∂error/∂w with the wrong sign: up the hill")
    wrong = descend(wrong_error, rate, 40)
    for step in (0, 1, 2, 5, 10, 40):
        print("step {:4d}: w {:.4g}, b {:.4g}, error {:.3g}".format(step, *wrong[step]))
    report = backlight.check(wrong_error, 0.5, 0.5, raises=False)
    print(report)
    return right[-1], wrong[-1], report


if __name__ == "__main__":
    main()
