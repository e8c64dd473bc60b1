"""NumPy's functions and operators on values that are still to come, and functions of the user's, as layers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backlight.array import FUNCTIONS
from backlight.errors import ArgumentError, message
from backlight.nn.layer import Layer
from backlight.nn.lookup import in_scope
from backlight.nn.naming import unique_name
from backlight.nn.symbol import Symbol
from backlight.trace import user_source
from backlight.tree import flatten, unflatten

__all__ = ["Lambda", "Operation"]


class Operation(Layer):
    """``y = f(x, …)`` for one of NumPy's functions (by name), or ``x[key]`` for ``"getitem"``.

    Made by writing ``x + y``, ``np.mean(x, axis=1)`` or ``x[:, 0]`` with symbols; what is no symbol among the arguments
    is part of the layer.

    >>> layer = Operation("add")
    >>> layer(np.ones(2, np.float32), np.ones(2, np.float32)).value
    array([2., 2.], dtype=float32)

    Raises ``ArgumentError`` for a function that is not known.
    """

    supports_masking = True

    def __init__(self, function: Any, args: Any = None, **kwargs: Any) -> None:
        name = function if isinstance(function, str) else getattr(function, "__name__", repr(function))
        found = None if name == "getitem" else getattr(np, name, None)
        if name != "getitem" and found not in FUNCTIONS:
            raise ArgumentError(message("operation_unknown", str(user_source() or ""), name=name))
        super().__init__(**{"name": unique_name(name), **kwargs})
        self.function = name
        self.args = args  # the arguments: ``{"symbol": number}`` where an input belongs
        self._call: Callable[..., Any] = operator.getitem if found is None else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, form = flatten((args, kwargs))
        places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Symbol)]
        if not places:
            return super().__call__(*args, **kwargs)
        if self.args is not None:
            return super().__call__(*args)
        numbered = iter(range(len(places)))
        marked = [{"symbol": next(numbered)} if k in places else _written(leaf) for k, leaf in enumerate(leaves)]
        self.args = unflatten(form, marked)
        return super().__call__(*(leaves[k] for k in places))

    def call(self, *inputs: Any, **kwargs: Any) -> Any:
        """The function of the inputs, each in its place."""
        if self.args is None:
            return self._call(*inputs, **kwargs)
        args, named = _put(self.args, inputs)
        return self._call(*args, **named)


def _written(leaf: Any) -> Any:
    if isinstance(leaf, slice):
        return {"slice": [leaf.start, leaf.stop, leaf.step]}
    if leaf is Ellipsis:
        return {"ellipsis": True}
    return leaf


def _put(tree: Any, inputs: Any) -> Any:
    if isinstance(tree, Mapping):
        if set(tree) == {"symbol"}:
            return inputs[tree["symbol"]]
        if set(tree) == {"slice"}:
            return slice(*tree["slice"])
        if set(tree) == {"ellipsis"}:
            return Ellipsis
        return {key: _put(each, inputs) for key, each in tree.items()}
    if isinstance(tree, list | tuple):
        return tuple(_put(each, inputs) for each in tree)
    return tree


def _brought(given: Any) -> Any:
    """A function for its name, if whoever loads a model has brought it along."""
    return in_scope().get(given, given) if isinstance(given, str) else given


class Lambda(Layer):
    """``y = function(x)`` for any function of the user's, which is written with NumPy.

    A saved model names the function; whoever loads it hands it over in ``custom_objects``.

    >>> Lambda(lambda x: x * 2)(np.array([1.0], np.float32)).value
    array([2.], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        function, output_shape, mask = (_brought(each) for each in (function, output_shape, mask))
        if not callable(function):
            raise ArgumentError(message("lambda_function", str(user_source() or ""), came=repr(function)))
        self.function, self.output_shape, self.mask, self.arguments = (
            function,
            output_shape,
            mask,
            dict(arguments or {}),
        )

    def call(self, inputs: Any) -> Any:
        """The function of the input."""
        return self.function(inputs, **self.arguments)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask as given, or of the input."""
        if self.mask is None:
            return previous_mask
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask
