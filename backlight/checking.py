"""Is this gradient right? Reverse mode, forward mode and numbers computed without any derivative, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.batching import run_batched
from backlight.differentiate import active_nodes, push_forward
from backlight.errors import ArgumentError, DerivativeError, language, message
from backlight.graph import Graph, Node
from backlight.interpret import Executor
from backlight.lifting import argument_names, function_name, labels
from backlight.primitive import REGISTRY, Structural
from backlight.trace import constant, input_node, user_source
from backlight.transforms import Traced
from backlight.tree import flatten, unflatten

__all__ = ["CheckReport", "check"]

_COMPLEX_STEP = 1e-30  # no subtraction, so no cancellation: the step can be far below the rounding error
_MOST_ELEMENTS = 256


@dataclass(frozen=True)
class CheckReport:
    """What ``check`` found at the worst of the elements it looked at."""

    ok: bool
    function: str
    name: str  #: the argument and leaf, as the user wrote it
    index: tuple[int, ...]
    reverse: complex
    forward: complex
    numerical: complex
    difference: float  #: the largest disagreement with the numerical derivative, or between the modes
    allowed: float  #: the noise to be expected of the numbers compared, beyond which something is wrong
    method: str  #: "complex step" or "central difference"
    step: float
    kinks: int  #: elements left out since the function has a corner there
    checked: int
    elements: int

    def __str__(self) -> str:
        place = f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name
        facts: dict[str, Any] = {
            "function": self.function,
            "place": place,
            "reverse": f"{self.reverse:.10g}",
            "forward": f"{self.forward:.10g}",
            "numerical": f"{self.numerical:.10g}",
            "difference": f"{self.difference:.3g}",
            "allowed": f"{self.allowed:.3g}",
            "method": _METHODS[self.method] if language() == "zh" else self.method,
            "step": f"{self.step:.3g}",
            "kinks": self.kinks,
            "checked": self.checked,
            "elements": self.elements,
        }
        return message("check_right" if self.ok else "check_wrong", **facts)


_METHODS = {"complex step": "复数步长", "central difference": "中心差分"}


def check(
    function: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] | None = None,
    raises: bool = True,
    seed: int = 0,
) -> CheckReport:
    """Compare the derivatives of ``f`` by reverse mode, forward mode and numerical differentiation.

    The function is evaluated in float64 whatever the arguments' precision. An output that is not one number is
    reduced by a fixed random projection, φ(x) = Re⟨u, f(x)⟩, and every element of ∇φ is compared (256 of them, drawn by
    ``seed``, where there are more). The numerical derivative is Im φ(x + ih)/h, exact to rounding (Squire & Trapp
    1998), where every mapping that ran is holomorphic; otherwise a central difference with Richardson's extrapolation,
    whose error is estimated from the step's halving. An element at a kink is right if it lies between the one-sided
    derivatives. ``allowed`` combines that estimate with the rounding noise of the lowest precision used inside ``f``.

    Returns a ``CheckReport`` about the worst element; with ``raises`` a wrong derivative is a ``DerivativeError``.

    >>> import numpy as np
    >>> check(lambda x: np.sum(np.sin(x) * x), np.array([0.5, 2.0])).ok
    True
    """
    chosen = _chosen(args, argnums, function)
    wide = [_widened(arg) if k in chosen else arg for k, arg in enumerate(args)]
    if not any(np.size(leaf) for k in chosen for leaf in flatten(wide[k])[0]):
        raise ArgumentError(message("check_empty", str(user_source() or ""), function=function_name(function)))
    with Traced("check", function, wide, {}, chosen) as run:
        seeds = _projection(run.outputs, seed)
        reverse = [array.node.value for array in run.pull_back([Array(constant(u)) for u in seeds])]
        places = _places(run.inputs, seed)
        forward = _forward(run, seeds, places)
        numeric = _Numeric(function, wide, chosen, seeds, run)
        epsilon = _lowest_precision(run)
        scale = max((float(np.max(np.abs(g), initial=0.0)) for g in reverse), default=0.0)
        rows = [numeric.derivative(k, index, direction) for k, index, direction in places]
    names = [
        label
        for k, structure in zip(chosen, run.structures, strict=True)
        for label in labels(structure, argument_names(function, len(args))[k])
    ]
    reports: list[tuple[float, CheckReport]] = []
    kinks = sum(row.kink for row in rows)
    total = sum(_directions(node) * int(np.prod(node.shape)) for node in run.inputs)
    for (k, index, direction), along, row in zip(places, forward, rows, strict=True):
        by_reverse = float(np.real(np.asarray(reverse[k])[index] * np.conj(direction)))
        allowed = row.noise + epsilon ** (2 / 3) * (scale + abs(row.value))
        difference = max(_outside(by_reverse, row), abs(by_reverse - along))
        if not np.isfinite(difference):
            difference = 0.0 if _agree(by_reverse, along, row.value) else np.inf
        report = CheckReport(
            difference <= allowed,
            function_name(function),
            names[k],
            index,
            by_reverse,
            along,
            row.value,
            difference,
            allowed,
            numeric.method,
            row.step,
            kinks,
            len(places),
            total,
        )
        reports.append((difference / allowed if allowed else (np.inf if difference else 0.0), report))
    worst = max(reports, key=lambda entry: entry[0])[1]
    if raises and not worst.ok:
        raise DerivativeError(str(worst))
    return worst


def _chosen(args: Sequence[Any], argnums: int | Sequence[int] | None, function: Any) -> tuple[int, ...]:
    if isinstance(argnums, int):
        return (argnums % len(args),)
    if argnums is not None:
        return tuple(k % len(args) for k in argnums)
    found = tuple(
        k
        for k, arg in enumerate(args)
        if (leaves := flatten(arg)[0]) and all(np.asarray(getattr(x, "value", x)).dtype.kind in "fc" for x in leaves)
    )
    if not found:
        raise ArgumentError(message("check_empty", str(user_source() or ""), function=function_name(function)))
    return found


def _widened(tree: Any) -> Any:
    """The tree in double precision."""
    leaves, structure = flatten(tree)
    values = [np.asarray(leaf.value if isinstance(leaf, Array) else leaf) for leaf in leaves]
    return unflatten(structure, [v.astype(np.complex128 if v.dtype.kind == "c" else np.float64)[()] for v in values])


def _projection(outputs: Sequence[Node], seed: int) -> list[Any]:
    """Fixed random weights for every output element; 1 for a single number."""
    generator = np.random.default_rng(seed)
    weights = []
    for node in outputs:
        u = generator.uniform(0.5, 1.5, node.shape) * generator.choice([-1.0, 1.0], node.shape)
        if node.dtype.kind == "c":
            u = u + 1j * generator.uniform(0.5, 1.5, node.shape)
        if len(outputs) == 1 and node.shape == ():
            u = np.ones(())
        weights.append(np.asarray(u).astype(node.dtype)[()] if node.dtype.kind in "fc" else np.zeros(node.shape))
    return weights


def _directions(node: Node) -> int:
    return 2 if node.dtype.kind == "c" else 1


def _places(inputs: Sequence[Node], seed: int) -> list[tuple[int, tuple[int, ...], complex]]:
    """Which elements to look at, as (input, index, direction); a complex number moves along 1 and along i."""
    every = [
        (k, tuple(int(i) for i in index), direction)
        for k, node in enumerate(inputs)
        for index in np.ndindex(*node.shape)
        for direction in ((1.0, 1j) if node.dtype.kind == "c" else (1.0,))
    ]
    if len(every) > _MOST_ELEMENTS:
        picked = np.random.default_rng(seed).choice(len(every), _MOST_ELEMENTS, replace=False)
        every = [every[i] for i in sorted(picked)]
    return every


def _forward(run: Traced, seeds: Sequence[Any], places: Sequence[tuple[int, tuple[int, ...], complex]]) -> list[float]:
    """Re⟨u, J·direction⟩ for every place, all at once."""
    probes = [Array(input_node(np.zeros(node.shape, node.dtype), None)) for node in run.inputs]
    pushed = push_forward(run.outputs, run.inputs, probes)
    graph = Graph([probe.node for probe in probes], [array.node for array in pushed])
    feeds = [np.zeros((len(places), *probe.shape), probe.dtype) for probe in probes]
    for row, (k, index, direction) in enumerate(places):
        feeds[k][(row, *index)] = direction
    moved = run_batched(graph, feeds, len(places))
    along = np.zeros(len(places))
    for u, change in zip(seeds, moved, strict=True):
        value = np.conj(u) * change.node.value
        along = along + np.real(value).reshape(len(places), -1).sum(axis=1)
    return [float(x) for x in along]


def _lowest_precision(run: Traced) -> float:
    """The machine epsilon of the coarsest floating-point dtype on the way from the inputs to the outputs."""
    _, active = active_nodes(run.outputs, run.inputs)
    return max((float(np.finfo(node.dtype).eps) for node in active if node.dtype is not None), default=2.0**-52)


@dataclass(frozen=True)
class _Row:
    """A numerical derivative, the error to expect of it, and the one-sided derivatives it lies between."""

    value: float
    noise: float
    step: float
    low: float
    high: float
    kink: bool = False


def _outside(x: float, row: _Row) -> float:
    if row.kink and row.low <= x <= row.high:
        return 0.0
    return abs(x - row.value)


def _agree(*values: float) -> bool:
    return all(np.isnan(v) for v in values) or len(set(values)) == 1


def _is_analytic(node: Node) -> bool:
    """Whether the mapping is holomorphic, not just defined, on complex numbers: lengths and real parts are not.

    Of the structural ones those are taken that are linear in each of their inputs.
    """
    primitive = node.primitive
    if isinstance(primitive, Structural):
        linear = primitive.linear_in
        moving = [i for i, node_in in enumerate(node.inputs) if node_in.dtype is None or node_in.dtype.kind in "fc"]
        split = (REGISTRY.cast, REGISTRY.conjugate, REGISTRY.real, REGISTRY.imag)
        return primitive not in split and (linear == "all" or all(i in linear for i in moving))
    return primitive is None or primitive.complex


class _Numeric:
    """Derivatives from values alone."""

    def __init__(self, function: Any, args: list[Any], chosen: Sequence[int], seeds: list[Any], run: Traced) -> None:
        self.function, self.args, self.chosen, self.seeds = function, args, chosen, seeds
        self.executor = Executor(Graph(run.inputs, run.outputs))
        self.values = [np.array(node.value) for node in run.inputs]
        self.structures = run.structures
        self.epsilon = _lowest_precision(run)
        self.method = "complex step" if self._is_holomorphic(run) else "central difference"

    def _is_holomorphic(self, run: Traced) -> bool:
        _, active = active_nodes(run.outputs, run.inputs)
        return all(node.dtype == np.float64 and _is_analytic(node) for node in active)

    def _at(self, k: int, index: tuple[int, ...], moved: complex) -> float:
        """φ with one element moved, by the user's own code on plain arrays."""
        leaves = [value.copy() for value in self.values]
        leaves[k][index] += moved
        rest = iter(leaf[()] if leaf.ndim == 0 else leaf for leaf in leaves)
        args = list(self.args)
        for position, structure in zip(self.chosen, self.structures, strict=True):
            args[position] = unflatten(structure, rest)
        results = [np.asarray(as_array(leaf).value) for leaf in flatten(self.function(*args))[0]]
        return float(sum(np.sum(np.real(np.conj(u) * y)) for u, y in zip(self.seeds, results, strict=True)))

    def derivative(self, k: int, index: tuple[int, ...], direction: complex) -> _Row:
        with np.errstate(all="ignore"):
            if self.method == "complex step":
                return self._complex_step(k, index)
            return self._central_difference(k, index, direction)

    def _complex_step(self, k: int, index: tuple[int, ...]) -> _Row:
        leaves = [value.astype(complex) for value in self.values]
        leaves[k][index] += 1j * _COMPLEX_STEP
        results = self.executor(*leaves)
        value = sum(float(np.sum(u * np.imag(y))) for u, y in zip(self.seeds, results, strict=True)) / _COMPLEX_STEP
        return _Row(value, 0.0, _COMPLEX_STEP, value, value)

    def _central_difference(self, k: int, index: tuple[int, ...], direction: complex) -> _Row:
        step = 2.0 ** np.round(np.log2(self.epsilon ** (1 / 4) * max(1.0, abs(self.values[k][index]))))
        middle = self._at(k, index, 0.0)
        estimates, gaps = [], []
        for h in (step, step / 2, step / 4):
            above, below = self._at(k, index, h * direction), self._at(k, index, -h * direction)
            estimates.append((above - below) / (2 * h))
            gaps.append((above - 2 * middle + below) / h)
        better = [(4 * fine - coarse) / 3 for coarse, fine in pairwise(estimates)]
        rounding = 8 * self.epsilon * (abs(middle) + abs(estimates[-1]) * step) / (step / 4)
        noise = 2 * abs(better[1] - better[0]) + rounding
        # Where the function is smooth the one-sided derivatives meet as the step halves; at a corner they do not.
        kink = abs(gaps[2]) > 0.75 * abs(gaps[0]) and abs(gaps[2]) > 100 * rounding
        low, high = sorted((estimates[2] - gaps[2] / 2, estimates[2] + gaps[2] / 2))
        if kink:
            return _Row(estimates[2], noise, float(step), low - noise, high + noise, True)
        return _Row(better[1], noise, float(step), better[1], better[1])
