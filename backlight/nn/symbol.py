"""Values that are still to come: what layers are joined with before there is any data.

A ``Symbol`` has a shape, ``None`` where it is not known yet, and a dtype, and remembers the call that will make it.
NumPy's functions and operators work on it: each becomes a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from backlight.errors import ArgumentError, ConversionError, message
from backlight.trace import user_source
from backlight.tree import Structure, flatten, unflatten

__all__ = ["Call", "Shape", "Symbol", "calls_between", "layers_by_depth", "probed"]

Shape = tuple[int | None, ...]

# Lengths that stand for an unknown one while a layer is tried out: whatever differs between the two runs is unknown.
# The first is for the axis of examples; the others are long enough for windows.
PROBES = ((2, 37), (3, 41))


class Call(NamedTuple):
    """``layer(*args, **kwargs)``, recorded; what it gave is nested like ``form`` and held in ``outputs``."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    form: Structure
    outputs: tuple[Any, ...]

    @property
    def inputs(self) -> list[Symbol]:
        """The symbols among the arguments."""
        return symbols_in((self.args, self.kwargs))


class Symbol(NDArrayOperatorsMixin):
    """A value of this shape and dtype that ``call`` will make, as its output number ``number``.

    >>> x = Symbol((None, 4), np.float32, "x")
    >>> x.shape, x.ndim
    ((None, 4), 2)
    """

    call: Call | None = None
    number = 0

    def __init__(self, shape: Sequence[int | None], dtype: Any, name: str) -> None:
        self.shape: Shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.name = name

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise ArgumentError(message("symbol_method", str(user_source() or ""), name=f"{ufunc.__name__}.{method}"))
        return _operation()(ufunc)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _operation()(function)(*args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return _operation()("getitem")(self, key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise ConversionError(message("symbol_value", str(user_source() or ""), name=self.name, shape=self.shape))

    def __bool__(self) -> bool:
        raise ConversionError(message("symbol_value", str(user_source() or ""), name=self.name, shape=self.shape))

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<Symbol {self.name}: {self.dtype} {self.shape}>"


def _operation() -> Any:
    from backlight.nn.layers.operation import Operation  # a layer, and layers are made of what stands here

    return Operation


def symbols_in(tree: Any) -> list[Symbol]:
    """The symbols among the leaves of a tree."""
    return [leaf for leaf in flatten(tree)[0] if isinstance(leaf, Symbol)]


def probed(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[list[tuple[Shape, Any]], Structure]:
    """What ``function`` would give for symbols among its arguments: shape and dtype of every leaf, and the nesting.

    It is run on zeros of two different sizes wherever a length is unknown.
    """
    leaves, form = flatten((args, kwargs))
    found = []
    for first, other in PROBES:
        given = []
        for leaf in leaves:
            if isinstance(leaf, Symbol):
                size = [(other if k else first) if n is None else n for k, n in enumerate(leaf.shape)]
                leaf = np.zeros(size, leaf.dtype)
            given.append(leaf)
        inside = unflatten(form, given)
        outputs, structure = flatten(function(*inside[0], **inside[1]))
        found.append([(np.shape(each), each.dtype) for each in outputs])
    shapes = [
        (tuple(n if n == m else None for n, m in zip(one, two, strict=True)), dtype)
        for (one, dtype), (two, _) in zip(*found, strict=True)
    ]
    return shapes, structure


def calls_between(inputs: Iterable[Symbol], outputs: Iterable[Symbol]) -> list[Call]:
    """The calls that lead from ``inputs`` to ``outputs``, in an order in which they can run.

    Raises ``ArgumentError`` where an output depends on a symbol that is not among the inputs.
    """
    known = {id(symbol) for symbol in inputs}
    ordered: list[Call] = []
    done: set[int] = set()
    pending: list[tuple[Symbol, bool]] = [(symbol, False) for symbol in reversed(list(outputs))]
    while pending:
        symbol, ready = pending.pop()
        if id(symbol) in known or (symbol.call is not None and id(symbol.call) in done):
            continue
        call = symbol.call
        if call is None or not call.inputs:
            facts = {"name": symbol.name, "shape": symbol.shape}
            raise ArgumentError(message("symbol_unconnected", str(user_source() or ""), **facts))
        if ready:
            done.add(id(call))
            ordered.append(call)
        else:
            pending.append((symbol, True))
            pending += [(each, False) for each in reversed(call.inputs)]
    return ordered


def layers_by_depth(calls: Sequence[Call], outputs: Iterable[Symbol]) -> list[Any]:
    """The layers of ``calls`` (in an order in which they can run), those farthest from the outputs first, as in Keras.

    A layer is as far away as the longest way from any of its calls to an output; of those equally far the first is
    the one that is met first on the way back from the outputs. ``get_weights`` follows this order.
    """
    met: dict[int, int] = {}
    members = {id(call) for call in calls}
    pending = [symbol.call for symbol in reversed(list(outputs))]
    seen: set[int] = set()
    while pending:
        call = pending.pop()
        if call is None or id(call) not in members or id(call) in seen:
            continue
        seen.add(id(call))
        met.setdefault(id(call.layer), len(met))
        pending += [symbol.call for symbol in reversed(call.inputs)]
    of_call: dict[int, int] = {}
    of_layer: dict[int, int] = {}
    for call in reversed(calls):
        depth = max(of_call.get(id(call), 0), of_layer.get(id(call.layer), 0))
        of_layer[id(call.layer)] = depth
        for symbol in call.inputs:
            of_call[id(symbol.call)] = max(of_call.get(id(symbol.call), 0), depth + 1)
    found = {id(call.layer): call.layer for call in calls}
    return sorted(found.values(), key=lambda layer: (-of_layer[id(layer)], met[id(layer)]))
