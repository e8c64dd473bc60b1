"""Mappings with a derivative of the user's own, and mappings that are computed again instead of remembered."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from backlight.array import Array, as_array, plain, structural
from backlight.differentiate import pull_back
from backlight.errors import ArgumentError, DerivativeError, message
from backlight.graph import Node
from backlight.lifting import function_name, labels
from backlight.primitive import REGISTRY, All, Library, Sample, Structural, Why
from backlight.trace import Trace, input_node, user_source
from backlight.tree import Structure, flatten, unflatten

__all__ = ["CustomGradient", "checkpoint", "custom_gradient"]

_WHY_CUSTOM = Why(
    "Its derivative was supplied by hand; the chain rule takes it on trust.",
    "它的导数由用户亲手给出；链式法则直接采用。",
)
_WHY_CHECKPOINT = Why(
    "The steps inside were forgotten to save memory and are walked again when the gradient comes back.",
    "内部步骤为节省内存而没有保存，梯度传回时再重新走一遍。",
)


def _record(name: str, value: Callable[..., Any], pullback: All, why: Why) -> Structural:
    """A structural record made at run time: it works like any other, but belongs to no table."""
    return Structural(
        name=name,
        value=value,
        shape=lambda *shapes, **params: None,
        pullback=pullback,
        linear_in=(),
        kernel=lambda *shapes, **params: Library(name),
        why=why,
        samples=lambda: [Sample((np.zeros(()),), {})],
        outputs=0,
        transient=True,
    )


class CustomGradient:
    """A function of arrays that brings its own derivative; made by ``custom_gradient``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.rule: Callable[..., Any] | None = None
        update_wrapper(self, function)

    def derivative(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Attach the derivative: ``rule(x…, y, g)`` returns g · ∂y/∂x for each argument (a tuple for several).

        ``x…`` are the arguments, ``y`` what the function returned and ``g`` the gradient arriving at ``y``.
        ``None`` says that no gradient flows to that argument.
        """
        self.rule = rule
        return rule

    def __call__(self, *args: Any) -> Any:
        leaves, structure = flatten(args)
        if not any(isinstance(leaf, Array) for leaf in leaves):
            return self.function(*args)
        if self.rule is None:
            name = function_name(self.function)
            raise DerivativeError(message("derivative_missing", str(user_source() or ""), function=name))
        moving = [k for k, leaf in enumerate(leaves) if _is_numeric(leaf)]
        form: list[Structure] = []

        def value(*xs: Any) -> tuple[Any, ...]:
            filled = list(leaves)
            for k, x in zip(moving, xs, strict=True):
                filled[k] = x
            results, result_structure = flatten(self.function(*unflatten(structure, filled)))
            if any(isinstance(result, Array) for result in results):
                name = function_name(self.function)
                raise DerivativeError(message("derivative_captured", str(user_source() or ""), function=name))
            form[:] = [result_structure]
            return tuple(plain(np.asarray(result)[()] if np.ndim(result) == 0 else result) for result in results)

        def pullback(xs: list[Array], ys: Any, gs: Any, needed: list[bool]) -> list[Any]:
            filled = list(leaves)
            for k, x in zip(moving, xs, strict=True):
                filled[k] = x
            assert self.rule is not None
            given = self.rule(*unflatten(structure, filled), unflatten(form[0], ys), unflatten(form[0], gs))
            found = self._contributions(given, structure, len(args), filled)
            return [found[k] for k in moving]

        record = _record(function_name(self.function), value, All(pullback), _WHY_CUSTOM)
        outputs = record(*[leaves[k] for k in moving])
        return unflatten(form[0], outputs)

    def _contributions(self, given: Any, structure: Structure, count: int, leaves: list[Any]) -> list[Any]:
        """The rule's answer, checked: one contribution per argument, each shaped like its argument."""
        assert self.rule is not None
        where = f"{self.rule.__code__.co_filename}:{self.rule.__code__.co_firstlineno}"
        name = function_name(self.function)
        answers = given if isinstance(given, tuple) and (count != 1 or len(given) == 1) else (given,)
        if len(answers) != count:
            raise DerivativeError(message("derivative_count", where, function=name, expected=count, came=len(answers)))
        names = labels(structure, "arguments")
        found: list[Any] = []
        for answer, member in zip(answers, structure.members, strict=True):
            own = [None] * member.leaves if answer is None else flatten(answer)[0]
            if len(own) != member.leaves:
                raise DerivativeError(
                    message("derivative_count", where, function=name, expected=member.leaves, came=len(own))
                )
            found += own
        for k, (leaf, answer) in enumerate(zip(leaves, found, strict=True)):
            if answer is not None and _is_numeric(leaf):
                shape = as_array(leaf).shape
                came = as_array(answer)
                if came.shape != shape:
                    raise DerivativeError(
                        message(
                            "derivative_shape", where, function=name, name=names[k], expected=shape, came=came.shape
                        )
                    )
                dtype = as_array(leaf).dtype
                found[k] = REGISTRY.cast(came, dtype=dtype) if dtype.kind in "fc" and came.dtype != dtype else came
        return found


def _is_numeric(leaf: Any) -> bool:
    return isinstance(leaf, Array | np.ndarray | np.generic | float | complex)


def custom_gradient(function: Callable[..., Any]) -> CustomGradient:
    """Give a function a derivative of your own.

    The function itself runs on plain NumPy values, so it may use anything, Backlight or not.

    >>> import numpy as np, backlight
    >>> @backlight.custom_gradient
    ... def clipped(x):
    ...     return np.clip(x, 0.0, 1.0)
    >>> @clipped.derivative
    ... def clipped_derivative(x, y, g):  # let the gradient through everywhere: the straight-through estimator
    ...     return g
    >>> backlight.grad(lambda x: clipped(x) * 3.0)(5.0)
    np.float64(3.0)

    Raises ``DerivativeError`` when there is no derivative yet, when it returns the wrong number of contributions or
    wrong shapes, or when the function uses a traced value that is not one of its arguments. Whether the numbers are
    right is what ``backlight.check`` tells.
    """
    if not callable(function):
        raise ArgumentError(message("not_callable", came=type(function).__name__))
    return CustomGradient(function)


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which forgets its intermediate values and computes them again when the gradient comes back.

    Memory for the steps inside is needed only while their own gradient is computed; the price is one more forward run
    (Griewank & Walther 2000; Chen et al. 2016). The values must not depend on anything that changes in between.

    >>> import numpy as np, backlight
    >>> backlight.grad(lambda x: checkpoint(np.sin)(x) ** 2)(0.5) == backlight.grad(lambda x: np.sin(x) ** 2)(0.5)
    np.True_
    """

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(args)
        moving = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Array)]

        def run(xs: list[Array]) -> tuple[list[Node], Structure]:
            filled = list(leaves)
            for k, x in zip(moving, xs, strict=True):
                filled[k] = x
            results, form = flatten(function(*unflatten(structure, filled), **kwargs))
            return [as_array(result).node for result in results], form

        trace = Trace(f"checkpoint of {function_name(function)}")
        with trace:
            inputs = [input_node(leaves[k].node.value, leaves[k].name) for k in moving]
            outputs, form = run([Array(node) for node in inputs])
            captured = _captured(outputs, inputs, trace)
        values = tuple(node.value for node in outputs)
        count = len(inputs)
        del inputs, outputs

        def pullback(xs: list[Array], ys: Any, gs: Any, needed: list[bool]) -> list[Any]:
            own = [REGISTRY.identity(x) for x in xs[:count]]
            repeated, _ = run(own)
            wrt = [*(x.node for x in own), *captured]
            found = pull_back(repeated, gs, wrt)
            return [found.get(node) for node in wrt]

        record = _record(f"checkpoint {function_name(function)}", lambda *xs: values, All(pullback), _WHY_CHECKPOINT)
        operands = [*(leaves[k] for k in moving), *map(Array, captured)]
        if not operands:
            return unflatten(form, values)
        return unflatten(form, structural(record, *operands))

    return update_wrapper(checkpointed, function)


def _captured(outputs: list[Node], inputs: list[Node], trace: Trace) -> list[Node]:
    """The values of enclosing traces that the function used without being given them."""
    seen: set[Node] = set()
    found: list[Node] = []
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if node.trace is trace:
                stack.extend(node.inputs)
            elif node.kind != "constant":
                found.append(node)
    return sorted(found, key=lambda node: node.index)
