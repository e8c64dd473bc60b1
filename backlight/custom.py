"""Mappings with a derivative of the user's own, and mappings that are computed again instead of remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from types import MethodType
from typing import Any

import numpy as np

from backlight.array import Array, as_array, plain, structural
from backlight.batching import first_example, run_batched
from backlight.differentiate import pull_back
from backlight.errors import ArgumentError, DerivativeError, message
from backlight.graph import Graph, Node, reachable
from backlight.interpret import replay
from backlight.lifting import argument_names, function_name, labels
from backlight.primitive import REGISTRY, All, Library, Sample, Structural, Why
from backlight.simplify import rebuilt
from backlight.trace import Trace, constant, input_node, user_source
from backlight.tree import Structure, flatten, unflatten

__all__ = ["CustomGradient", "checkpoint", "custom_gradient", "opened"]

_WHY_CUSTOM = Why(
    "Its derivative was supplied by hand; the chain rule takes it on trust.",
    "它的导数由用户亲手给出；链式法则直接采用。",
)
_WHY_CHECKPOINT = Why(
    "The steps inside were forgotten to save memory and are walked again when the gradient comes back.",
    "内部步骤为节省内存而没有保存，梯度传回时再重新走一遍。",
)


def _record(
    name: str, value: Callable[..., Any], pullback: All, why: Why, inside: Callable[..., Any],
    batch: Callable[..., Any] | None = None,
) -> Structural:  # fmt: skip
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
        batch=batch,
        transient=True,
        inside=inside,
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

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: the instance is the first argument, of the function and of its derivative."""
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = _by_position(self.function, args, kwargs)
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

        def inside(xs: Sequence[Array]) -> list[Any]:
            filled = list(leaves)
            for k, x in zip(moving, xs, strict=True):
                filled[k] = x
            return flatten(self.function(*unflatten(structure, filled)))[0]

        record = _record(function_name(self.function), value, All(pullback), _WHY_CUSTOM, inside)
        outputs = record(*[leaves[k] for k in moving])
        return unflatten(form[0], outputs)

    def _contributions(self, given: Any, structure: Structure, count: int, leaves: list[Any]) -> list[Any]:
        """The rule's answer, checked: one contribution per argument, each shaped like its argument."""
        assert self.rule is not None
        code = getattr(self.rule, "__code__", None)
        where = "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"
        name = function_name(self.function)
        answers = given if isinstance(given, tuple) and (count != 1 or len(given) == 1) else (given,)
        if len(answers) != count:
            raise DerivativeError(message("derivative_count", where, function=name, expected=count, came=len(answers)))
        parameters = zip(structure.members, argument_names(self.function, count), strict=True)
        names = [label for member, parameter in parameters for label in labels(member, parameter)]
        found: list[Any] = []
        for answer, member in zip(answers, structure.members, strict=True):
            own = _answers(answer, member)
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


def _answers(answer: Any, structure: Structure) -> list[Any]:
    """What a rule answered for the leaves of one argument; ``None`` stands for no gradient to all that is below it."""
    if answer is None:
        return [None] * structure.leaves
    if isinstance(answer, dict) and answer.keys() == set(structure.keys):
        parts = [answer[key] for key in structure.keys]
    elif isinstance(answer, list | tuple) and len(answer) == len(structure.members):
        parts = list(answer)
    elif type(answer) is structure.kind and structure.keys:
        parts = [getattr(answer, key) for key in structure.keys]
    else:
        return flatten(answer)[0]
    return [leaf for part, member in zip(parts, structure.members, strict=True) for leaf in _answers(part, member)]


def _by_position(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments in the order of the function's parameters, with the defaults of those left out between them.

    Raises ``ArgumentError`` for a keyword that is not one of the positional parameters.
    """
    if not kwargs:
        return args
    from inspect import Parameter, signature  # needed only for keywords

    name = function_name(function)
    try:
        bound = signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(message("call_refused", str(user_source() or ""), function=name, reason=error)) from None
    named = [key for key in kwargs if key in bound.arguments]
    bound.apply_defaults()
    parameters = list(bound.signature.parameters.values())
    last = max((k for k, parameter in enumerate(parameters) if parameter.name in named), default=-1)
    placed = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if len(named) != len(kwargs) or any(parameter.kind not in placed for parameter in parameters[: last + 1]):
        raise ArgumentError(message("custom_keyword", str(user_source() or ""), function=name))
    return tuple(bound.arguments[parameter.name] for parameter in parameters[: max(last + 1, len(args))])


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
    (Griewank & Walther 2000; Chen et al. 2016). The values must not depend on anything that changes in between;
    an Array read from outside that was written to since raises ``ArgumentError``.

    >>> import numpy as np, backlight
    >>> backlight.grad(lambda x: checkpoint(np.sin)(x) ** 2)(0.5) == backlight.grad(lambda x: np.sin(x) ** 2)(0.5)
    np.True_
    """

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(args)
        moving = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Array)]
        form: list[Structure] = []

        def run(xs: Sequence[Array]) -> list[Node]:
            filled = list(leaves)
            for k, x in zip(moving, xs, strict=True):
                filled[k] = x
            results, result_form = flatten(function(*unflatten(structure, filled), **kwargs))
            form[:] = [result_form]
            return [as_array(result).node for result in results]

        outputs = _forgetful(function_name(function), run, [leaves[k] for k in moving])
        return unflatten(form[0], outputs)

    return update_wrapper(checkpointed, function)


def _forgetful(name: str, run: Callable[[Sequence[Array]], list[Node]], operands: Sequence[Array]) -> Sequence[Any]:
    """The outputs of ``run(operands)`` as one mapping, which runs again when more than its outputs is needed.

    Its inputs are the operands and the values of enclosing traces that ``run`` used without being given them.
    """
    label = f"checkpoint of {name}"
    with Trace(label) as trace:
        inputs = [input_node(x.node.value, x.name) for x in operands]
        outputs = run([Array(node) for node in inputs])
        captured = _captured(outputs, inputs, trace)
    count = len(inputs)
    first = [tuple(node.value for node in outputs)]
    del inputs, outputs, trace

    def again(xs: Sequence[Array]) -> list[Node]:
        """``run`` on other values, those it captured included."""
        with Trace(label) as trace:
            outputs = run(xs[:count])
        trace.set_open(True)
        own = [x.node for x in xs[:count]]
        if _captured(outputs, own, trace) != captured:
            raise ArgumentError(message("checkpoint_changed", str(user_source() or ""), function=name))
        if all(x.node is node for x, node in zip(xs[count:], captured, strict=True)):
            return outputs
        return [x.node for x in replay(Graph([*own, *captured], outputs), xs)]

    def value(*xs: Any) -> tuple[Any, ...]:
        if first:
            return first.pop()
        with Trace(label):
            return tuple(node.value for node in again([Array(constant(x)) for x in xs]))

    def pullback(xs: list[Array], ys: Any, gs: Any, needed: list[bool]) -> list[Any]:
        given = [*(REGISTRY.identity(x) for x in xs[:count]), *xs[count:]]
        wrt = [x.node for x in given]
        found = pull_back(again(given), gs, wrt, cut=True)
        return [found.get(node) for node in wrt]

    def batch(batched: tuple[bool, ...], *xs: Array) -> Sequence[Any]:
        size = next(x.shape[0] for x, flag in zip(xs, batched, strict=True) if flag)

        def run_all(xs: Sequence[Array]) -> list[Node]:
            one = [
                Array(input_node(first_example(x), None)) if flag else x for x, flag in zip(xs, batched, strict=True)
            ]
            graph = Graph([x.node for x, flag in zip(one, batched, strict=True) if flag], again(one))
            feeds = [x for x, flag in zip(xs, batched, strict=True) if flag]
            return [x.node for x in run_batched(graph, feeds, size)]

        return _forgetful(name, run_all, xs)

    inputs_of_all = [*operands, *map(Array, captured)]
    if not inputs_of_all:
        return first[0]
    inside = lambda xs: [Array(node) for node in again(xs)]
    record = _record(f"checkpoint {name}", value, All(pullback), _WHY_CHECKPOINT, inside, batch)
    return structural(record, *inputs_of_all)  # type: ignore[no-any-return]


# -- Seen from inside ----------------------------------------------------------------------------------------------


def opened(outputs: Sequence[Node], inputs: Sequence[Node]) -> list[Node]:
    """``outputs`` recorded again with what the mappings made at run time are made of in their place.

    That is for whoever has to know how a value is computed, now that all derivatives are taken. Where a function does
    not run on Arrays, its mapping stays as it is.
    """
    order = reachable(outputs, stop=set(inputs))
    if not any(isinstance(node.primitive, Structural) and node.primitive.transient for node in order):
        return list(outputs)
    fresh: dict[Node, Node] = {node: node for node in inputs}
    members: dict[Node, list[Node]] = {}
    for node in order:
        if node in fresh or node.primitive is None:
            continue
        sources = tuple(fresh.get(node_in, node_in) for node_in in node.inputs)
        if isinstance(node.primitive, Structural) and node.primitive.inside is not None:
            found = _inside(node, sources)
            if found is not None:
                members[node] = found
                continue
        if node.primitive is REGISTRY.item and node.inputs[0] in members:
            fresh[node] = members[node.inputs[0]][node.params["k"]]
        elif sources != node.inputs:
            fresh[node] = rebuilt(node, sources, node.params)
    return [fresh.get(node, node) for node in outputs]


def _inside(node: Node, sources: Sequence[Node]) -> list[Node] | None:
    """The outputs of a mapping made at run time, recorded step by step, if it can be and they are like its own."""
    primitive = node.primitive
    assert isinstance(primitive, Structural)
    assert primitive.inside is not None
    try:
        made = [as_array(each).node for each in primitive.inside([Array(source) for source in sources])]
    except Exception:  # the function was made for plain arrays, and may do with them whatever it likes
        return None
    made = opened(made, sources)
    alike = len(made) == len(node.value) and all(
        (a.shape, a.dtype) == (np.shape(b), b.dtype) for a, b in zip(made, node.value, strict=True)
    )
    return made if alike else None


def _captured(outputs: Sequence[Node], own: Sequence[Node], trace: Trace) -> list[Node]:
    """The values that were made neither in ``trace``, nor in a trace inside it, and are not its ``own``."""
    inside = {trace}
    pending = [trace]
    while pending:
        inside.update(inner := pending.pop().inner)
        pending += inner
    seen = set(own)
    found: list[Node] = []
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if node.trace in inside:
                stack.extend(node.inputs)
            elif node.kind != "constant":
                found.append(node)
    return sorted(found, key=lambda node: node.index)
