"""What a layer is: weights by name, and a function of its inputs and them.

A layer makes its variables in ``build``, once it knows the shapes of its inputs, and computes in ``call``, which is
plain NumPy code. What is inside (variables, other layers, in attributes, lists and dictionaries) is found by looking,
so nothing needs to be registered.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from backlight import random
from backlight.array import Array, as_array
from backlight.errors import ArgumentError, BacklightError, ShapeError, message
from backlight.graph import Node
from backlight.nn import activations, constraints, initializers, regularizers
from backlight.nn.lookup import name_of
from backlight.nn.naming import floatx, next_seed, unique_name
from backlight.nn.symbol import Call, Shape, Symbol, probed, symbols_in
from backlight.numpy_api.common import cast
from backlight.trace import scope, user_source
from backlight.tree import LEAF, Structure, flatten, tree_map, unflatten
from backlight.variable import Bindings, Variable

__all__ = ["InputSpec", "Layer", "Remembered", "SeedGenerator", "calling", "current", "plain_config"]


class InputSpec(NamedTuple):
    """What a layer needs of an input: number of axes, at least or at most so many, and the lengths of some of them."""

    ndim: int | None = None
    max_ndim: int | None = None
    min_ndim: int | None = None
    axes: Mapping[int, int] = {}


class Remembered:
    """A variable that a layer carries from call to call, but that is no weight: no part of ``get_weights``.

    >>> Remembered(Variable(0.0, trainable=False)).state
    <Variable: float64 () 0.0>
    """

    def __init__(self, state: Variable) -> None:
        self.state = state


class SeedGenerator(Remembered):
    """Keys for random draws, one after the other: a variable holds the key that the next ones follow from.

    >>> a, b = SeedGenerator(7), SeedGenerator(7)
    >>> bool((a.next() == b.next()).all()), bool((a.next() == SeedGenerator(7).next()).all())
    (True, False)
    """

    def __init__(self, seed: int | None = None, name: str = "seed_generator") -> None:
        self.seed = next_seed() if seed is None else seed
        key = random.key(self.seed)
        super().__init__(Variable(key, trainable=False, name=f"{name}/seed_generator_state"))

    def next(self) -> Any:
        """A new key."""
        keys = random.split(self.state, 2)
        self.state.assign(keys[0])
        return keys[1]


class _Current(threading.local):
    """The outermost call of a layer that is running in this thread."""

    def __init__(self) -> None:
        self.depth = 0
        self.training: bool | None = None
        self.masks: dict[Node, Any] = {}
        self.first_weight: Callable[[tuple[int, ...], np.dtype[Any]], Any] | None = None
        """What new weights hold, whatever their initialisers say: while a saved model is made again."""


current = _Current()


@contextmanager
def calling(training: bool | None) -> Iterator[_Current]:
    """Calls of layers inside belong together: masks are handed on from one to the next.

    Where nobody has said whether it is training, the layers inside decide for themselves.
    """
    before, current.training = current.training, training
    current.depth += 1
    try:
        yield current
    finally:
        current.depth -= 1
        current.training = before
        if not current.depth:
            current.masks = {}


class Layer:
    """The base of all layers. Write ``build(input_shape)`` with ``add_weight`` and ``call(inputs)``.

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> layer = Scale(name="scale")
    >>> layer(np.array([[1.0, 2.0]])).value, [v.path for v in layer.weights]
    (array([[1., 2.]], dtype=float32), ['scale/factor'])

    ``call`` may take ``training`` (whether it is a step of training) and ``mask`` (which steps of a sequence count).
    The arguments of ``__init__`` that are kept under their own names are the layer's configuration.

    Raises ``ShapeError`` where the inputs do not fit what the layer was built for, ``ArgumentError`` for a dtype other
    than float32 and float64 and for options that it does not have.
    """

    input_spec: Any = None
    supports_masking = False
    layer_arguments: ClassVar[tuple[str, ...]] = ()
    """Which arguments are layers, or lists of them."""

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        name: str | None = None,
        autocast: bool = True,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            known = ", ".join(_parameters(type(self)))
            facts = {"layer": type(self).__name__, "came": ", ".join(unknown), "names": known}
            raise ArgumentError(message("layer_options", str(user_source() or ""), **facts))
        wanted = floatx() if dtype is None else np.dtype(dtype).name if not isinstance(dtype, str) else dtype
        if wanted not in ("float32", "float64"):
            raise ArgumentError(message("nn_dtype", str(user_source() or ""), came=repr(dtype)))
        self.name = name if name is not None else unique_name(type(self).__name__)
        self.dtype = wanted
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = False
        self._trainable = bool(trainable)
        self._losses: list[Any] = []
        self._built_for: dict[str, Any] | None = None
        if batch_input_shape is None and (input_shape is not None or input_dim is not None):
            batch_input_shape = (None, *((input_dim,) if input_shape is None else input_shape))
        self._batch_input_shape = None if batch_input_shape is None else tuple(batch_input_shape)

    # -- For those who write layers --------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What comes out for what goes in."""
        raise NotImplementedError(message("layer_call", layer=type(self).__name__))

    def add_weight(
        self,
        shape: Sequence[int] | int | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of this layer; numbers drawn the Glorot way unless an ``initializer`` says otherwise."""
        size = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        kind = np.dtype(self.dtype if dtype is None else dtype)
        if initializer is None:
            initializer = "glorot_uniform" if kind.kind == "f" and len(size) > 1 else "zeros"
        start = initializers.get(initializer) if current.first_weight is None else current.first_weight(size, kind)
        return Variable(
            start, size, kind, trainable, f"{self.name}/{name or 'variable'}",
            regularizer=regularizers.get(regularizer), constraint=constraints.get(constraint),
        )  # fmt: skip

    def add_loss(self, loss: Any) -> None:
        """Add a number to the loss that is being computed in this call."""
        self._losses += loss if isinstance(loss, list | tuple) else [loss]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Which steps of the output count: those of the input, for a layer that supports masks.

        A list tells it of each of several outputs.
        """
        return previous_mask

    # -- What is inside --------------------------------------------------------------------------------------------

    def _own(self) -> Iterator[Any]:
        """Variables, layers and what is remembered in the attributes, each once, in the order they were set."""
        for _, part in self._own_by_place():
            yield part

    def _own_by_place(self) -> Iterator[tuple[str, Any]]:
        """The same, each with the attribute it stands in: ``kernel``, ``blocks/0``."""
        seen: set[int] = set()
        for name, value in self.__dict__.items():
            if name in _NOT_INSIDE:
                continue
            for place, part in _parts(value, name):
                if id(part) not in seen:
                    seen.add(id(part))
                    yield place, part

    @property
    def _layers(self) -> list[Layer]:
        return [part for part in self._own() if isinstance(part, Layer)]

    def _flatten_layers(self) -> list[Layer]:
        """This layer and all inside it, each once."""
        found: dict[int, Layer] = {}
        pending: list[Layer] = [self]
        while pending:
            layer = pending.pop()
            if id(layer) not in found:
                found[id(layer)] = layer
                pending += reversed(layer._layers)
        return list(found.values())

    @property
    def variables(self) -> list[Variable]:
        """Every variable, those of random generators included, each once."""
        found: dict[int, Variable] = {}
        for layer in self._flatten_layers():
            for part in layer._own():
                part = part.state if isinstance(part, Remembered) else part
                if isinstance(part, Variable):
                    found[id(part)] = part
        return list(found.values())

    @property
    def weights(self) -> list[Variable]:
        """The variables that make up the mapping: of each layer first those that are trained, then the others."""
        found: dict[int, Variable] = {}
        for layer in self._flatten_layers():
            own = [part for part in layer._own() if isinstance(part, Variable)]
            found |= {id(v): v for v in sorted(own, key=lambda v: not v.trainable)}
        return list(found.values())

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes: those of layers that are ``trainable``."""
        found: dict[int, Variable] = {}
        pending = [self] if self.trainable else []
        while pending:
            layer = pending.pop()
            found |= {id(v): v for v in layer._own() if isinstance(v, Variable) and v.trainable and id(v) not in found}
            pending += reversed([inner for inner in layer._layers if inner.trainable])
        return list(found.values())

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other variables."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The same as ``trainable_variables``."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The ``weights`` that training does not change."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.weights if id(variable) not in trained]

    @property
    def trainable(self) -> bool:
        """Whether training may change the layer; setting it sets that of all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._layers:
            layer.trainable = value

    @property
    def losses(self) -> list[Any]:
        """What ``add_loss`` and the regularisers add to the loss, as numbers."""
        found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return found + [v.regularizer(Array(v.node)) for v in self.trainable_variables if v.regularizer is not None]

    def count_params(self) -> int:
        """How many numbers the weights hold, shared ones once."""
        return sum(variable.size for variable in self.weights)

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """The weights as plain arrays, copies."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assign arrays in the order of ``get_weights``; nothing is changed unless all fit.

        Raises ``ShapeError``.
        """
        own, given = self.weights, [np.asarray(each) for each in weights]
        if len(given) != len(own):
            facts = {"layer": self.name, "count": len(given), "expected": len(own)}
            raise ShapeError(message("layer_weights", str(user_source() or ""), **facts))
        for variable, value in zip(own, given, strict=True):
            if variable.shape != value.shape:
                facts = {"name": variable.path, "came": value.shape, "expected": variable.shape}
                raise ShapeError(message("layer_weight", str(user_source() or ""), **facts))
        for variable, value in zip(own, given, strict=True):
            variable.assign(value)

    # -- Calls -----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if symbols_in((args, kwargs)):
            return self._symbolic(args, kwargs)
        if not current.depth:
            self._forget_losses()
        args = tuple(self._received(each) for each in args)
        kwargs = {name: self._received(each) for name, each in kwargs.items()}
        training = current.training if kwargs.get("training") is None else bool(kwargs["training"])
        training = _default_of_training(type(self)) if training is None else training
        with calling(training):
            takes = _parameters(type(self), "call")
            if "training" in takes:
                kwargs["training"] = training
            else:
                kwargs.pop("training", None)
            mask = self._mask_of(args)
            if mask is not None and "mask" in takes and "mask" not in kwargs and "mask" not in takes[: len(args)]:
                kwargs["mask"] = mask
            kwargs |= self._masks_by_name(takes, args, kwargs)
            try:
                with scope(self.name):
                    self._prepare(args, kwargs)
                    outputs = self.call(*args, **kwargs)
            except BacklightError as error:
                self._note(error, args)
                raise
            if self.activity_regularizer is not None:
                for each in flatten(outputs)[0]:  # for one example, whatever the size of the batch
                    self._losses.append(self.activity_regularizer(each) / max(each.shape[0] if each.shape else 1, 1))
            self._hand_on(args, outputs, mask)
        return outputs

    def _forget_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses = []

    def _received(self, value: Any) -> Any:
        """An argument as the layer computes with it: an Array, of the layer's dtype where it holds real numbers."""
        nested = isinstance(value, list | tuple | dict)
        return tree_map(self._received_leaf, value) if nested else self._received_leaf(value)

    def _received_leaf(self, leaf: Any) -> Any:
        if not isinstance(leaf, Array | np.ndarray | np.generic):
            return leaf
        array = as_array(leaf)
        return cast(array, self.dtype) if self.autocast and array.dtype.kind == "f" else array

    def as_float(self, x: Any) -> Any:
        """``x`` in the layer's dtype, whatever kind of numbers it holds: an image of bytes, class numbers."""
        return x if isinstance(x, Array) and x.dtype.kind == "f" else cast(as_array(x), self.dtype)

    def _mask_of(self, args: Any) -> Any:
        masks = [current.masks.get(x.node) for x in flatten(args[:1])[0] if isinstance(x, Array)]
        return None if not masks or all(each is None for each in masks) else masks[0] if len(masks) == 1 else masks

    def _masks_by_name(self, takes: tuple[str, ...], args: Any, kwargs: Any) -> dict[str, Any]:
        """For a ``call`` with an argument ``x_mask`` beside ``x``: the mask that came with x, unless one was given."""
        given = dict(zip(takes, args, strict=False)) | kwargs
        wanted = [name for name in takes if name.endswith("_mask") and given.get(name) is None]
        masks = {name: self._mask_of([given.get(name.removesuffix("_mask"))]) for name in wanted}
        return {name: mask for name, mask in masks.items() if mask is not None and name not in takes[: len(args)]}

    def _hand_on(self, args: Any, outputs: Any, mask: Any) -> None:
        new = self.compute_mask(args[0] if args else None, mask) if self.supports_masking else None
        leaves = flatten(outputs)[0] if new is not None else []
        for output, its in zip(leaves, new if isinstance(new, list) else [new] * len(leaves), strict=True):
            if isinstance(output, Array) and its is not None:
                current.masks[output.node] = its

    def _prepare(self, args: Any, kwargs: Any) -> None:
        """Build the layer for its first inputs; check the others against what it was built for."""
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        self._check(inputs)
        if not self.built:
            self._build_for(args, kwargs)
            self._check(inputs)

    def _build_for(self, args: Any, kwargs: Any) -> None:
        wanted = [name for name in _parameters(type(self), "build") if name.endswith("_shape")]
        names = _parameters(type(self), "call")
        given = dict(zip(names, args, strict=False)) | kwargs
        if len(wanted) > 1 or (wanted and wanted[0] != "input_shape" and wanted[0].removesuffix("_shape") in names):
            present = {name: given.get(name.removesuffix("_shape")) for name in wanted}
            shapes = {name: _shapes(x) for name, x in present.items() if x is not None}
        else:
            shapes = {"": _shapes(args[0] if args else next(iter(kwargs.values()), None))}
        self._build(shapes)

    def _build(self, shapes: Mapping[str, Any]) -> None:
        """Build the layer for inputs of these shapes, by the names of ``build``'s arguments; "" is the only one."""
        self._built_for = dict(shapes)
        if set(shapes) == {""}:
            self.build(shapes[""])
        else:
            self.build(**shapes)
        self.built = True

    def _check(self, inputs: Any) -> None:
        if isinstance(self.input_spec, InputSpec) and isinstance(inputs, Array | Symbol):
            spec, shape = self.input_spec, tuple(inputs.shape)
            expected = ""
            if spec.ndim is not None and len(shape) != spec.ndim:
                expected = message("spec_ndim", count=spec.ndim)
            elif spec.min_ndim is not None and len(shape) < spec.min_ndim:
                expected = message("spec_min_ndim", count=spec.min_ndim)
            elif spec.max_ndim is not None and len(shape) > spec.max_ndim:
                expected = message("spec_max_ndim", count=spec.max_ndim)
            else:
                for axis, length in spec.axes.items():
                    if shape[axis] not in (length, None):
                        expected = message("spec_axis", axis=axis, length=length)
            if expected:
                facts = {"layer": self.name, "kind": type(self).__name__, "shape": shape, "expected": expected}
                raise ShapeError(message("layer_input", str(user_source() or ""), **facts))

    def _note(self, error: BacklightError, args: Any) -> None:
        """Say in which layer an error came up, the innermost one first."""
        if getattr(error, "__notes__", None) is None:
            shapes = ", ".join(str(tuple(x.shape)) for x in flatten(args)[0] if isinstance(x, Array))
            error.add_note(message("layer_note", layer=self.name, kind=type(self).__name__, shapes=shapes))

    # -- Calls on symbols ------------------------------------------------------------------------------------------

    def _symbolic(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record the call. The shapes that come out are found by trying it out, whose traces are then undone."""
        with scope(self.name):
            self._prepare(args, kwargs)
        found, form = self._output_spec(args, kwargs)
        outputs = tuple(Symbol(shape, dtype, self.name) for shape, dtype in found)
        call = Call(self, args, kwargs, form, outputs)
        for number, symbol in enumerate(outputs):
            symbol.call, symbol.number = call, number
        return unflatten(form, outputs)

    def _output_spec(self, args: Any, kwargs: Any) -> tuple[list[tuple[Shape, Any]], Structure]:
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            given = symbols_in(args)[0].dtype
            dtype = np.dtype(self.dtype) if given.kind == "f" else given
            return [(tuple(self.compute_output_shape(_shapes(args[0]))), dtype)], LEAF
        with Bindings(capture=True):
            return probed(self, args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for an input of this shape; unknown lengths are ``None``."""
        nested = isinstance(input_shape, list)
        symbols = [Symbol(shape, self.dtype, "input") for shape in (input_shape if nested else [input_shape])]
        output = self._symbolic((symbols if nested else symbols[0],), {})
        return _shapes(output)

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The layer as a pure function: outputs, and what ``non_trainable_variables`` hold afterwards.

        The values stand for the variables of the same names, in the same order; no variable is changed.

        >>> from backlight.nn.layers import Dense
        >>> layer = Dense(1, kernel_initializer="ones")
        >>> _ = layer(np.zeros((1, 2)))
        >>> outputs, _ = layer.stateless_call([np.full((2, 1), 3.0), np.ones(1)], [], np.ones((1, 2)))
        >>> outputs.value
        array([[7.]])

        Raises ``ArgumentError`` where the layer has not been built or the numbers of values do not fit.
        """
        trained, others = self.trainable_variables, self.non_trainable_variables
        for what, own, given in (
            ("trainable_variables", trained, trainable_variables),
            ("non_trainable_variables", others, non_trainable_variables),
        ):
            if len(own) != len(given):
                facts = {"layer": self.name, "what": what, "came": len(given), "expected": len(own)}
                raise ArgumentError(message("layer_stateless", str(user_source() or ""), **facts))
        with Bindings() as bindings:
            bindings.bind([*trained, *others], [*trainable_variables, *non_trainable_variables])
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else None
        after = bindings.values(others)
        return (outputs, after, losses) if return_losses else (outputs, after)

    # -- Configuration ---------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as plain data.

        Raises ``ArgumentError`` for an argument that is not kept under its own name, or has no plain form.
        """
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        for name in _parameters(type(self)):
            if name in config:
                continue
            if not hasattr(self, name):
                facts = {"layer": type(self).__name__, "name": name}
                raise ArgumentError(message("layer_config", str(user_source() or ""), **facts))
            config[name] = plain_config(getattr(self, name), f"{type(self).__name__}.{name}")
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = plain_config(self.activity_regularizer, "activity_regularizer")
        if self._batch_input_shape is not None:
            config["batch_input_shape"] = list(self._batch_input_shape)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The layer that ``get_config`` described, without its weights; layers inside it are looked up by name."""
        inside = {name: _layers_of(config[name], custom_objects) for name in cls.layer_arguments if name in config}
        arguments = {**config, **inside}
        rest = {name: arguments.pop(name) for name in _left_out(cls) if name in arguments}
        layer = cls(**arguments)
        for name, value in rest.items():
            setattr(layer, "_trainable" if name == "trainable" else name, value)
        return layer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}{'' if self.built else ', not built'}>"


def _left_out(kind: Any) -> tuple[str, ...]:
    """Which of the arguments of all layers the constructor of a class of the user's does not hand on."""
    taken = inspect.signature(kind).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values()):
        return ()
    return tuple(name for name in ("name", "trainable", "dtype") if name not in taken)


def _layers_of(described: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    """Layers for their descriptions; what is no description is a layer already."""
    from backlight.nn.layers import deserialize  # the table of all layers, which stand on what stands here

    if isinstance(described, list | tuple):
        return [_layers_of(each, custom_objects) for each in described]
    return deserialize(described, custom_objects) if isinstance(described, Mapping) else described


_NOT_INSIDE = frozenset({"_losses", "input_spec", "_built_for"})


def _parts(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Variable | Layer | Remembered):
        yield place, value
    elif isinstance(value, list | tuple):
        for number, member in enumerate(value):
            yield from _parts(member, f"{place}/{number}")
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _parts(member, f"{place}/{key}")


@lru_cache(maxsize=1024)
def _parameters_of(kind: Any, method: str) -> tuple[str, ...]:
    """The names of the arguments of a method, without those that are collected."""
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    given = inspect.signature(getattr(kind, method)).parameters.values()
    names = tuple(p.name for p in given if p.kind not in skipped and p.name != "self")
    if method == "__init__" and kind is not Layer:
        common = set(inspect.signature(Layer.__init__).parameters)
        return tuple(name for name in names if name not in common)
    return names


@lru_cache(maxsize=1024)
def _training_unless_said(kind: Any) -> bool | None:
    """What ``training`` is in a call that does not say so: the default of the argument of ``call``."""
    given = inspect.signature(kind.call).parameters.get("training")
    return None if given is None or given.default in (None, inspect.Parameter.empty) else bool(given.default)


def _default_of_training(kind: Any) -> bool | None:
    return _training_unless_said(kind)


def _parameters(kind: Any, method: str = "__init__") -> tuple[str, ...]:
    return _parameters_of(kind, method)


def _shapes(tree: Any) -> Any:
    """The shape of an input, or a nesting of shapes; unknown lengths are ``None``."""
    if isinstance(tree, list | tuple):
        return [_shapes(each) for each in tree]
    if isinstance(tree, dict):
        return {name: _shapes(each) for name, each in tree.items()}
    return tuple(np.shape(tree)) if not isinstance(tree, Symbol) else tree.shape


def plain_config(value: Any, place: str) -> Any:
    """A value of a configuration as plain data: what JSON can hold.

    Raises ``ArgumentError`` for a value that has no name and no ``get_config``.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain_config(each, place) for each in value]
    if isinstance(value, dict):
        return {str(key): plain_config(each, place) for key, each in value.items()}
    if isinstance(value, np.dtype | type):
        return np.dtype(value).name
    if hasattr(value, "get_config"):
        return {"class_name": name_of(value), "config": plain_config(value.get_config(), place)}
    if callable(value) and value in activations.NAMES.things.values():
        return activations.serialize(value)
    if callable(value) and getattr(value, "__name__", "").isidentifier():
        return name_of(value)
    raise ArgumentError(message("config_value", str(user_source() or ""), place=place, came=type(value).__name__))
