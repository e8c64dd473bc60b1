"""A network of layers: the calls between its inputs and its outputs, run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backlight.array import as_array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.nn.layer import Layer, plain_config
from backlight.nn.symbol import Call, Symbol, calls_between, layers_by_depth
from backlight.trace import user_source
from backlight.tree import flatten, tree_map, unflatten

__all__ = ["Network"]


def _is_flat(tree: Any) -> bool:
    """Whether this is a dictionary of symbols."""
    return isinstance(tree, dict) and all(isinstance(each, Symbol) for each in tree.values())


class Network:
    """``outputs = f(inputs)`` for symbols that layers join.

    >>> from backlight.nn.layers import Dense, Input
    >>> x = Input((2,))
    >>> network = Network(x, Dense(3)(x) + 1)
    >>> [layer.name.split("_")[0] for layer in network.layers]
    ['input', 'dense', 'add']

    Raises ``ArgumentError`` where an output depends on an input that is not named, or inputs are no symbols.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.inputs, self.outputs = inputs, outputs
        starts, self._form = flatten(inputs)
        ends, self._shape = flatten(outputs)
        for each in (*starts, *ends):
            if not isinstance(each, Symbol):
                facts = {"came": type(each).__name__}
                raise ArgumentError(message("network_symbols", str(user_source() or ""), **facts))
        self.starts: list[Symbol] = starts
        self.ends: list[Symbol] = ends
        self.calls: list[Call] = calls_between(starts, ends)
        found = {id(each.call.layer): each.call.layer for each in starts if each.call is not None}
        order = layers_by_depth(self.calls, [outputs[name] for name in sorted(outputs)] if _is_flat(outputs) else ends)
        found |= {id(layer): layer for layer in order}
        self.layers: list[Layer] = list(found.values())

    def __call__(self, inputs: Any) -> Any:
        """The outputs for these inputs, nested as the symbols were; a dictionary is matched by the inputs' names."""
        values = {
            id(start): self._fit(start, value) for start, value in zip(self.starts, self._given(inputs), strict=True)
        }

        def put(leaf: Any) -> Any:
            return values[id(leaf)] if isinstance(leaf, Symbol) else leaf

        for call in self.calls:
            results = call.layer(*tree_map(put, call.args), **tree_map(put, call.kwargs))
            values |= {id(symbol): value for symbol, value in zip(call.outputs, flatten(results)[0], strict=True)}
        return unflatten(self._shape, [values[id(end)] for end in self.ends])

    def _given(self, inputs: Any) -> list[Any]:
        leaves, form = flatten(inputs)
        if isinstance(inputs, dict) and form != self._form:
            names = [start.name for start in self.starts]
            for wanted in ([*self.inputs] if _is_flat(self.inputs) else names, names):
                if set(wanted) <= set(inputs):
                    return [inputs[name] for name in wanted]
            facts: dict[str, Any] = {"came": ", ".join(map(repr, inputs)), "names": ", ".join(map(repr, names))}
            raise ArgumentError(message("network_names", str(user_source() or ""), **facts))
        if len(leaves) != len(self.starts):
            shapes = ", ".join(f"{start.name} {start.shape}" for start in self.starts)
            facts = {"count": len(leaves), "expected": len(self.starts), "names": shapes}
            raise ArgumentError(message("network_inputs", str(user_source() or ""), **facts))
        return leaves

    def _fit(self, start: Symbol, value: Any) -> Any:
        """The input, with a last axis of 1 added or taken away where only that is missing, as Keras does."""
        array: Any = value if isinstance(value, Symbol) else as_array(value)
        shape, wanted = tuple(array.shape), start.shape
        if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            array = array.reshape((*shape, 1))
        elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
            array = array.reshape(shape[:-1])
        if len(array.shape) != len(wanted) or any(n not in (None, m) for n, m in zip(wanted, array.shape, strict=True)):
            facts = {"name": start.name, "came": shape, "expected": wanted}
            raise ShapeError(message("network_shape", str(user_source() or ""), **facts))
        return array

    # -- Configuration ---------------------------------------------------------------------------------------------

    def get_config(self, serialize: Callable[[Layer], Any]) -> dict[str, Any]:
        """Layers and calls as plain data; a symbol is written as the number of its call and its place in the result."""
        number = {id(layer): k for k, layer in enumerate(self.layers)}
        places: dict[int, list[int]] = {}
        for k, start in enumerate(self.starts):
            places[id(start)] = [-1, k]
        for k, call in enumerate(self.calls):
            for place, symbol in enumerate(call.outputs):
                places[id(symbol)] = [k, place]

        def written(tree: Any) -> Any:
            if isinstance(tree, Symbol):
                return {"symbol": places[id(tree)]}
            if isinstance(tree, list | tuple):
                return [written(each) for each in tree]
            if isinstance(tree, dict):
                return {"dict": {name: written(each) for name, each in tree.items()}}
            return plain_config(tree, "call")

        return {
            "layers": [serialize(layer) for layer in self.layers],
            "calls": [
                {"layer": number[id(call.layer)], "args": written(list(call.args)), "kwargs": written(call.kwargs)}
                for call in self.calls
            ],
            "inputs": written(self.inputs)
            if isinstance(self.inputs, dict)
            else [number[id(start.call.layer)] for start in self.starts if start.call is not None],
            "single_input": isinstance(self.inputs, Symbol),
            "outputs": written(self.outputs),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], deserialize: Callable[[Any], Layer]) -> Network:
        """The network that ``get_config`` wrote down, with new weights."""
        layers: list[Any] = [deserialize(each) for each in config["layers"]]
        results: list[list[Any]] = []
        if isinstance(config["inputs"], dict):
            named = config["inputs"]["dict"]
            order = sorted(named, key=lambda name: named[name]["symbol"][1])
            starts = [layers[k].output for k in range(len(order))]
            inputs: Any = dict(zip(order, starts, strict=True))
        else:
            starts = [layers[k].output for k in config["inputs"]]
            inputs = starts[0] if config["single_input"] else starts

        def read(tree: Any) -> Any:
            if isinstance(tree, Mapping):
                if "symbol" in tree:
                    call, place = tree["symbol"]
                    return starts[place] if call < 0 else results[call][place]
                return {name: read(each) for name, each in tree["dict"].items()}
            return [read(each) for each in tree] if isinstance(tree, list) else tree

        for call in config["calls"]:
            results.append(flatten(layers[call["layer"]](*read(call["args"]), **read(call["kwargs"])))[0])
        return cls(inputs, read(config["outputs"]))
