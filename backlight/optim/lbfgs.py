"""L-BFGS: a method for the whole loss, which remembers how the gradient has changed and searches along a line.

The direction is ``-H g``, where H stands for the inverse of the second derivatives and is never written down: two loops
over the last differences ``s = x⁺ - x`` and ``y = g⁺ - g`` apply it. The length of the step fulfils Wolfe's strong
conditions (J. Nocedal, S. Wright, "Numerical Optimization", algorithms 7.4, 3.5 and 3.6):

    f(x + a d) ≤ f(x) + 10⁻⁴ a g·d          far enough down
    |g(x + a d)·d| ≤ 0.9 |g·d|              and the slope is flatter there
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.lifting import labels
from backlight.optim.optimizer import Optimizer, State
from backlight.optim.rules import NOT_NEGATIVE, POSITIVE, Range, check_options
from backlight.optim.variable import check_dtype, check_variable, read, write
from backlight.trace import user_source
from backlight.transforms import value_and_grad
from backlight.tree import flatten, unflatten

__all__ = ["LBFGS", "Minimum", "minimize"]

ENOUGH, FLATTER = 1e-4, 0.9
TRIALS = 30  # in one search; each halves what is left at the least

Vector = np.ndarray[Any, np.dtype[np.float64]]

OPTIONS: dict[str, tuple[Any, Range | None]] = {
    "history": (10, (1, np.inf, "[)")),
    "max_iterations": (100, (0, np.inf, "[)")),
    "tolerance": (1e-6, NOT_NEGATIVE),
    "change": (1e-12, NOT_NEGATIVE),
}


class Minimum(NamedTuple):
    """Where ``minimize`` arrived: parameters, value, and the norm of the gradient.

    ``reason`` is ``"gradient"`` or ``"change"`` (then it has converged), ``"iterations"``, ``"callback"``, or
    ``"search"``, where no lower point was found along the line: the arithmetic ends there, or the gradient is wrong.
    """

    parameters: Any
    value: float
    gradient: float
    iterations: int
    evaluations: int
    converged: bool
    reason: str


class _Point(NamedTuple):
    """A point on the line: how far along, value and slope there, and where that is."""

    length: float
    value: float
    slope: float
    x: Vector
    gradient: Vector


def minimize(
    function: Callable[..., Any],
    parameters: Any,
    *data: Any,
    history: int = 10,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
    change: float = 1e-12,
    learning_rate: float = 1.0,
    jit_compile: bool = False,
    callback: Callable[[Any, float], Any] | None = None,
) -> Minimum:
    """The parameters, any tree of floating-point arrays, for which ``function(parameters, *data)`` is smallest nearby.

    ``history`` is how many differences are remembered. It ends where no component of the gradient is larger than
    ``tolerance``, where a step lowers the value by less than ``change`` of its size (or of 1), or after
    ``max_iterations``. ``learning_rate`` is the length first tried on every line but the first. ``jit_compile``
    compiles value and gradient. ``callback(parameters, value)`` is called after every step, and ends it by returning
    true. The arithmetic between evaluations is in float64; the parameters keep their dtypes.

    >>> def rosenbrock(p):
    ...     return (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
    >>> found = minimize(rosenbrock, {"x": np.array(-1.2), "y": np.array(1.0)})
    >>> found.converged, found.parameters["x"].round(6), found.parameters["y"].round(6)
    (True, np.float64(1.0), np.float64(1.0))

    Raises ``ArgumentError`` for an option out of its range or a start without a finite value and gradient,
    ``DTypeError`` for parameters that are no real floating-point numbers, ``NonScalarError`` for a function that does
    not return one number.
    """
    own = {"history": history, "max_iterations": max_iterations, "tolerance": tolerance, "change": change}
    _check("minimize", own, learning_rate)
    leaves, structure = flatten(parameters)
    for leaf, name in zip(leaves, labels(structure, "parameters"), strict=True):
        check_dtype(leaf, name)
    shapes, dtypes = [leaf.shape for leaf in leaves], [leaf.dtype for leaf in leaves]
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    differentiated: Callable[..., Any] = value_and_grad(function)
    if jit_compile:
        from backlight.compiler.run import compile as compiled

        differentiated = compiled(differentiated)

    def nested(x: Vector) -> Any:
        parts = zip(np.split(x, ends), shapes, dtypes, strict=True)
        return unflatten(structure, [part.reshape(shape).astype(dtype) for part, shape, dtype in parts])

    evaluations = 0

    def evaluate(x: Vector) -> tuple[float, Vector]:
        nonlocal evaluations
        evaluations += 1
        with np.errstate(all="ignore"):  # a trial step may leave the domain: its value is then no number
            value, gradient = differentiated(nested(x), *data)
        return float(value), _flat(flatten(gradient)[0])

    x = _flat(leaves)
    value, gradient = evaluate(x)
    if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
        facts = {"value": value, "norm": float(np.linalg.norm(gradient))}
        raise ArgumentError(message("optim_start", str(user_source() or ""), **facts))
    memory: deque[tuple[Vector, Vector, float]] = deque(maxlen=history)
    reason, done = "iterations", 0
    for done in range(max_iterations + 1):
        if np.max(np.abs(gradient), initial=0.0) <= tolerance:
            reason = "gradient"
            break
        if done == max_iterations:
            break
        point = _next(evaluate, x, value, gradient, memory, learning_rate)
        if point is None and memory:  # what is remembered may be of no use here: once more, straight down
            memory.clear()
            point = _next(evaluate, x, value, gradient, memory, learning_rate)
        if point is None:
            reason = "search"
            break
        s, y = point.x - x, point.gradient - gradient
        if (sy := float(s @ y)) > 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(y)):
            memory.append((s, y, sy))
        fallen = value - point.value
        x, value, gradient = point.x, point.value, point.gradient
        if callback is not None and callback(nested(x), value):
            reason, done = "callback", done + 1
            break
        if fallen <= change * max(abs(value), 1.0):
            reason, done = "change", done + 1
            break
    size = float(np.linalg.norm(gradient))
    return Minimum(nested(x), value, size, done, evaluations, reason in ("gradient", "change"), reason)


def _flat(leaves: Iterable[Any]) -> Vector:
    parts = [np.ravel(leaf).astype(np.float64) for leaf in leaves]
    return np.concatenate(parts) if parts else np.zeros(0)


def _direction(gradient: Vector, memory: Iterable[tuple[Vector, Vector, float]]) -> Vector:
    """``-H g`` by the two loops: back through the differences, a scale, and forward again."""
    pairs, q, factors = list(memory), gradient.copy(), []
    for s, y, sy in reversed(pairs):
        factors.append(float(s @ q) / sy)
        q -= factors[-1] * y
    if pairs:
        _, y, sy = pairs[-1]
        q *= sy / float(y @ y)
    for (s, y, sy), factor in zip(pairs, reversed(factors), strict=True):
        q += (factor - float(y @ q) / sy) * s
    return -q


def _next(
    evaluate: Callable[[Vector], tuple[float, Vector]],
    x: Vector,
    value: float,
    gradient: Vector,
    memory: deque[tuple[Vector, Vector, float]],
    rate: float,
) -> _Point | None:
    """The next point, or ``None`` where the line has no lower one."""
    d = _direction(gradient, memory)
    slope = float(gradient @ d)
    if not slope < 0:
        return None

    def at(length: float) -> _Point:
        there = x + length * d
        f, g = evaluate(there)
        return _Point(length, f, float(g @ d), there, g)

    first = rate if memory else rate * min(1.0, 1.0 / float(np.sum(np.abs(gradient))))
    start = _Point(0.0, value, slope, x, gradient)
    found = _search(at, start, first)
    return found if found.value < value else None


def _search(at: Callable[[float], _Point], start: _Point, length: float) -> _Point:
    """Go out until the strong conditions hold or a point beyond is found, then close in between the two."""
    before = start
    for _ in range(TRIALS):
        point = at(length)
        if not _low(point, start) or (before.length > 0 and point.value >= before.value):
            return _close_in(at, start, before, point)
        if abs(point.slope) <= -FLATTER * start.slope:
            return point
        if point.slope >= 0:
            return _close_in(at, start, point, before)
        before, length = point, 2 * length
    return before


def _close_in(at: Callable[[float], _Point], start: _Point, low: _Point, high: _Point) -> _Point:
    """Between ``low``, the best point so far that is low enough, and ``high``, beyond which it goes up again."""
    for _ in range(TRIALS):
        point = at(_between(low, high))
        if not _low(point, start) or point.value >= low.value:
            high = point
            continue
        if abs(point.slope) <= -FLATTER * start.slope:
            return point
        if point.slope * (high.length - low.length) >= 0:
            high = low
        low = point
    return low


def _low(point: _Point, start: _Point) -> bool:
    return bool(np.isfinite(point.value)) and point.value <= start.value + ENOUGH * point.length * start.slope


def _between(low: _Point, high: _Point) -> float:
    """Where the cubic through both points is lowest, at least a tenth away from the ends; else the middle."""
    width = high.length - low.length
    middle = low.length + width / 2
    if not (np.isfinite(high.value) and np.isfinite(high.slope)):
        return middle
    bend = low.slope + high.slope - 3 * (high.value - low.value) / width
    square = bend * bend - low.slope * high.slope
    if not square >= 0:
        return middle
    root = float(np.copysign(np.sqrt(square), width))
    below = high.slope - low.slope + 2 * root
    if below == 0:
        return middle
    found = high.length - width * (high.slope + root - bend) / below
    least, most = sorted((low.length + 0.1 * width, high.length - 0.1 * width))
    return found if least <= found <= most else middle


def _check(what: str, own: dict[str, Any], rate: Any) -> None:
    check_options(what, {**own, "learning_rate": rate}, {**OPTIONS, "learning_rate": (1.0, POSITIVE)})
    for key in ("history", "max_iterations"):
        if not isinstance(own[key], int | np.integer):
            facts = {"optimizer": what, "name": key, "came": repr(own[key]), "expected": "1, 2, 3, …"}
            raise ArgumentError(message("optim_range", str(user_source() or ""), **facts))


class LBFGS(Optimizer, rule="lbfgs", rate=1.0, arguments={**OPTIONS, "name": (None, None)}):
    """``p ← p - a H g``, with the length a from a line search: for a loss over all data, computed several times a step.

    ``LBFGS(learning_rate=1.0, history=10, max_iterations=100, tolerance=1e-6, change=1e-12, name=None)``, as in
    the function ``minimize``, which does the work. A gradient alone is not enough: ``apply_gradients`` raises
    ``ArgumentError``.

    >>> w = np.array([3.0, -2.0])
    >>> LBFGS().minimize(lambda values: np.sum((values[0] - 1) ** 2), [w]).converged, w.round(6)
    (True, array([1., 1.]))

    D. Liu, J. Nocedal, "On the limited memory BFGS method for large scale optimization", 1989.
    """

    weight_decay = clipnorm = clipvalue = global_clipnorm = None
    ema_overwrite_frequency = loss_scale_factor = gradient_accumulation_steps = None
    use_ema, ema_momentum = False, 0.99
    history: int
    max_iterations: int
    tolerance: float
    change: float

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        _check(type(self).__name__, {key: getattr(self, key) for key in OPTIONS}, float(self.learning_rate))

    def minimize(
        self, loss: Callable[..., Any], variables: Iterable[Any], *data: Any, jit_compile: bool = False
    ) -> Minimum:
        """Bring the variables to where ``loss(values, *data)`` is smallest; ``values`` are theirs, in the same order.

        Raises what ``minimize`` raises, and ``ArgumentError`` for something that is no variable.
        """
        variables = list(variables)
        for number, variable in enumerate(variables):
            check_variable(variable, number)
        options = {key: getattr(self, key) for key in OPTIONS} | {"learning_rate": float(self.learning_rate)}
        values = [np.asarray(read(variable)) for variable in variables]
        found = minimize(loss, values, *data, **options, jit_compile=jit_compile)
        for variable, value in zip(variables, found.parameters, strict=True):
            write(variable, value)
        self._state["iterations"].assign_add(found.iterations)
        return found

    def build(self, variables: Iterable[Any]) -> None:
        """Nothing to prepare: what is remembered belongs to one call of ``minimize``."""

    def init(self, parameters: Any) -> State:
        """Raises ``ArgumentError``: there is no state from step to step."""
        self._refuse()

    def stateless_apply(self, state: State, gradients: Any, parameters: Any) -> tuple[Any, State]:
        """Raises ``ArgumentError``: a gradient alone is not enough."""
        self._refuse()

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> Any:
        """Raises ``ArgumentError``: a gradient alone is not enough."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ArgumentError(message("optim_driver", str(user_source() or ""), optimizer=type(self).__name__))
