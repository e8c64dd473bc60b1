"""Models: networks of layers that can be trained, saved and summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backlight.errors import ArgumentError, message
from backlight.nn import layers as layer_names
from backlight.nn.layer import Layer
from backlight.nn.layers.core import InputLayer
from backlight.nn.losses.common import here
from backlight.nn.network import Network
from backlight.nn.symbol import Symbol
from backlight.train.summary import summary_of
from backlight.train.trainer import Trainer

__all__ = ["Model", "Sequential"]


class Model(Trainer, Layer):
    """``Model(inputs, outputs)``: the network between symbols; or a class of your own with ``call``.

    >>> import numpy as np
    >>> from backlight.nn.layers import Dense, Input
    >>> x = Input((4,))
    >>> model = Model(x, Dense(2, kernel_initializer="zeros")(x))
    >>> model(np.ones((1, 4))).value
    array([[0., 0.]], dtype=float32)

    >>> class Twice(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = Dense(1, kernel_initializer="ones")
    ...     def call(self, inputs):
    ...         return 2 * self.dense(inputs)
    >>> model = Twice()
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((8, 3)), np.zeros((8, 1)), verbose=0)
    >>> history.history["loss"]
    [36.0]

    Raises ``ArgumentError`` where the outputs depend on inputs that are not named.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        self._network: Network | None = None
        self._members: list[Layer] = []
        if (inputs is None) != (outputs is None):
            raise ArgumentError(message("model_ends", here()))
        if inputs is not None:
            self._join(Network(inputs, outputs))

    def _join(self, network: Network) -> None:
        self._network, self._members = network, network.layers
        self.built = True

    @property
    def inputs(self) -> list[Symbol]:
        """The symbols that go in; empty for a class of your own."""
        return [] if self._network is None else self._network.starts

    @property
    def outputs(self) -> list[Symbol]:
        """The symbols that come out."""
        return [] if self._network is None else self._network.ends

    @property
    def input(self) -> Any:
        """What goes in, nested as it was given."""
        return None if self._network is None else self._network.inputs

    @property
    def output(self) -> Any:
        """What comes out, nested as it was given."""
        return None if self._network is None else self._network.outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input."""
        return self.inputs[0].shape if len(self.inputs) == 1 else [each.shape for each in self.inputs]

    @property
    def output_shape(self) -> Any:
        """The shape of the output."""
        return self.outputs[0].shape if len(self.outputs) == 1 else [each.shape for each in self.outputs]

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside."""
        return list(self._members) if self._network is not None else self._layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place.

        Raises ``ArgumentError``.
        """
        found = self.layers
        if index is not None and -len(found) <= index < len(found):
            return found[index]
        for layer in found:
            if name is not None and layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in found)
        raise ArgumentError(message("model_layer", here(), came=name if index is None else index, names=names))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What comes out for these inputs."""
        if self._network is None:
            raise NotImplementedError(message("layer_call", layer=type(self).__name__))
        return self._network(inputs)

    def build(self, input_shape: Any) -> None:
        """Nothing to make: the layers inside build themselves when they are first called."""

    def _output_names(self) -> Sequence[str]:
        return [end.name for end in self.outputs]

    # -- Configuration ---------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The network as plain data; a class of your own writes its own, like any layer.

        Raises ``ArgumentError`` for what has no plain form.
        """
        if self._network is None or type(self) is not Model:
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **self._network.get_config(layer_names.serialize)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The model that ``get_config`` wrote down, with new weights."""
        if "calls" not in config:
            return super().from_config(config, custom_objects)
        network = Network.from_config(config, lambda each: layer_names.deserialize(each, custom_objects))
        return cls(network.inputs, network.outputs, name=config["name"], trainable=config.get("trainable", True))

    # -- Files -----------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True, **_: Any) -> None:
        """Write the model to a file, whole: architecture, weights, optimiser, metrics, random keys, history.

        ``backlight.load(path)`` makes the model again, and ``fit(…, resume=True)`` goes on where it was. The file is a
        safetensors file whatever its name ends in, and takes the place of an older one, which is kept beside it
        (``name.previous``), only once it is complete and on the disk. There is no code in it: classes of your own are
        named, and handed over in ``custom_objects`` by whoever loads it.

        Raises ``StateError`` for a model that has no form as plain data (``save_weights`` saves its numbers), and where
        the file cannot be written.
        """
        from backlight.train.saving import save

        save(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True, **_: Any) -> None:
        """Write the weights alone, by their places in the model (``dense/kernel``), to a plain safetensors file.

        Raises ``StateError`` for a model that has no weights yet, and where the file cannot be written.
        """
        from backlight.train.saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, name_map: Any = None, skip_mismatch: bool = False, **_: Any) -> None:
        """Take the weights from a safetensors file: of ``save_weights``, of ``save``, or of another library.

        ``name_map`` leads from the names in the file to the places here: a dictionary (or a function) with a name,
        ``(name, axes)`` to order the axes too, or ``None`` for what is not wanted; ``"torch"``, ``"keras"``, or
        ``saving.from_torch`` and ``saving.from_keras`` with the names of the layers. Everything is checked before
        anything is assigned; with ``skip_mismatch=True`` what fits is assigned, and a warning tells the rest.

        Raises ``StateError`` that names every weight which is missing, left over or of another shape.
        """
        from backlight.train.saving import load_weights

        load_weights(self, filepath, name_map, skip_mismatch)

    # -- Summary ---------------------------------------------------------------------------------------------------

    def summary(
        self, line_length: int | None = None, print_fn: Any = None, expand_nested: bool = False, **_: Any
    ) -> None:
        """Print layers, shapes and numbers of parameters; shared parameters are counted once."""
        text = summary_of(self, line_length, expand_nested)
        (print if print_fn is None else print_fn)(text)


class Sequential(Model):
    """One layer after the other.

    >>> from backlight.nn.layers import Dense
    >>> model = Sequential([Dense(3, activation="relu", input_shape=(2,)), Dense(1)])
    >>> model.output_shape, model.count_params()
    ((None, 1), 13)

    Without a shape on the first layer, the weights are made when the first data come.

    Raises ``ArgumentError`` for something that is no layer, or two layers of one name.
    """

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name, trainable=trainable)
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Add a layer at the end."""
        self._append(layer)
        self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer away.

        Raises ``ArgumentError`` where there is none.
        """
        if not self._members:
            raise ArgumentError(message("model_empty", here(), model=self.name))
        layer = self._members.pop()
        self._rebuild()
        return layer

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Symbol) and layer.call is not None and isinstance(layer.call.layer, InputLayer):
            layer = layer.call.layer
        if not isinstance(layer, Layer):
            raise ArgumentError(message("model_not_layer", here(), came=repr(layer)[:80]))
        if any(layer.name == other.name for other in self._members):
            raise ArgumentError(message("model_name", here(), name=layer.name))
        if not self._members and not isinstance(layer, InputLayer):
            shape = layer._batch_input_shape
            if shape is None and isinstance(layer, Model) and layer.inputs:
                shape = layer.inputs[0].shape
            if shape is not None:
                self._members.append(InputLayer(batch_shape=shape, dtype=None))
        self._members.append(layer)

    def _rebuild(self) -> None:
        """Join the layers into a network, as soon as it is known what goes in."""
        self._network, self.built, self._tried = None, False, {}
        if len(self._members) > 1 and isinstance(self._members[0], InputLayer):
            start = self._members[0].output
            symbol: Any = start
            for layer in self._members[1:]:
                symbol = layer(symbol)
            self._network = Network(start, symbol)
            self.built = True

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._members if not isinstance(layer, InputLayer)]

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, the axis of examples included."""
        if self._network is None and input_shape is not None and not isinstance(self._members[0], InputLayer):
            self._members.insert(0, InputLayer(batch_shape=(None, *tuple(input_shape)[1:])))
            self._rebuild()

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The layers one after the other."""
        if self._network is not None:
            return self._network(inputs)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The layers as plain data."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [layer_names.serialize(layer) for layer in self._members],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The model that ``get_config`` wrote down, with new weights."""
        found = [layer_names.deserialize(each, custom_objects) for each in config["layers"]]
        return cls(found, config.get("trainable", True), config["name"])


layer_names.NAMES.things |= {"Model": Model, "Functional": Model, "Sequential": Sequential}  # models inside models
