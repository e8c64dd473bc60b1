"""Layers beside Keras's and PyTorch's: one mechanism for all that have weights, inputs, masks and states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.parity import pytorch
from benchmarks.parity.cases import Case, Pair, compared, keras, leaves, ours, plain, rng, torch, use

__all__ = ["LAW", "ROWS", "Make", "cases", "layer", "same_law"]

Make = Callable[[Any], Any]  # of a module of layers: the layer
LAW = 0.03  # of 200,000 draws: what the moments of the same distribution may differ by

STEPS, ROW = (3, 11, 4), (4, 5)
ROWS: list[tuple[str, dict[str, Any], Any]] = [
    ("Dense", {"units": 3}, ROW),
    ("Dense", {"units": 3, "activation": "relu", "use_bias": False}, STEPS),
    ("Activation", {"activation": "mish"}, STEPS),
    ("Flatten", {}, (2, 9, 8, 4)),
    ("Flatten", {"data_format": "channels_first"}, (2, 9, 8, 4)),
    ("Reshape", {"target_shape": (4, -1)}, STEPS),
    ("Permute", {"dims": (2, 1)}, STEPS),
    ("RepeatVector", {"n": 3}, ROW),
    ("Dropout", {"rate": 0.5}, ROW),
    ("SpatialDropout1D", {"rate": 0.5}, STEPS),
    ("SpatialDropout2D", {"rate": 0.5}, (2, 9, 8, 4)),
    ("SpatialDropout3D", {"rate": 0.5}, (2, 5, 6, 4, 4)),
    ("GaussianNoise", {"stddev": 0.5}, ROW),
    ("GaussianDropout", {"rate": 0.5}, ROW),
    ("AlphaDropout", {"rate": 0.5}, ROW),
    *[(name, {}, [STEPS] * 3) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")],
    *[(name, {}, [STEPS, (3, 4)]) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")],
    ("Subtract", {}, [STEPS] * 2),
    ("Concatenate", {"axis": 1}, [STEPS, (3, 2, 4)]),
    ("Dot", {"axes": 1}, [(3, 5), (3, 5)]),
    ("Dot", {"axes": -1, "normalize": True}, [(3, 5), (3, 5)]),
    ("Dot", {"axes": (2, 1)}, [(3, 6, 5), (3, 5, 4)]),
    ("Dot", {"axes": 1, "normalize": True}, [(3, 5, 2), (3, 5, 4)]),
    ("Dot", {"axes": (2, 1)}, [(3, 2, 5, 4), (3, 5, 6)]),
]
FUNCTIONS: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in ("add", "average", "concatenate", "maximum", "minimum", "multiply")],
    ("concatenate", {"axis": 1}),
    ("subtract", {}),
    ("dot", {"axes": 1}),
    ("dot", {"axes": 1, "normalize": True}),
]
DRAWN: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Dropout", {"rate": 0.3}, (500, 400)),
    ("Dropout", {"rate": 0.3, "noise_shape": (None, 1)}, (200000, 2)),
    ("SpatialDropout1D", {"rate": 0.3}, (500, 3, 400)),
    ("SpatialDropout2D", {"rate": 0.3}, (500, 1, 2, 400)),
    ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, (500, 400, 2, 1)),
    ("SpatialDropout3D", {"rate": 0.3}, (500, 1, 2, 1, 400)),
    ("SpatialDropout3D", {"rate": 0.3, "data_format": "channels_first"}, (500, 400, 2, 1, 1)),
    ("GaussianNoise", {"stddev": 0.5}, (500, 400)),
    ("GaussianDropout", {"rate": 0.3}, (500, 400)),
    ("AlphaDropout", {"rate": 0.3}, (500, 400)),
    ("AlphaDropout", {"rate": 0.3, "noise_shape": (None, 1)}, (200000, 2)),
]


def cast_all(tree: Any, dtype: str) -> Any:
    """The real numbers of a tree in this dtype."""
    if isinstance(tree, list | tuple):
        return type(tree)(cast_all(each, dtype) for each in tree)
    if isinstance(tree, Mapping):
        return {name: cast_all(each, dtype) for name, each in tree.items()}
    return tree.astype(dtype) if isinstance(tree, np.ndarray) and tree.dtype.kind == "f" else tree


def rebuilt(tree: Any, parts: Iterator[Any]) -> Any:
    """A tree of the same form with these leaves; a tuple becomes a list."""
    return [rebuilt(each, parts) for each in tree] if isinstance(tree, list | tuple) else next(parts)


def layer(
    name: str, options: Mapping[str, Any], args: tuple[Any, ...], given: Mapping[str, Any] | None = None,
    make: Make | None = None, note: str = "", shared: bool = False,
) -> Case:  # fmt: skip
    """A layer on inputs, all its weights moved a little; with ``shared``, the second input is the first."""
    given = given or {}

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        made = make or (lambda module: getattr(module, name)(**options))
        mine, peer = made(ours("layers")), made(keras("layers"))
        inputs, more = cast_all(args, dtype), cast_all(dict(given), dtype)
        handed = [more.get(key) for key in ("query_mask", "value_mask")]
        rest = {key: tensors(each) for key, each in more.items() if key not in ("query_mask", "value_mask")}

        def theirs(*arrays: Any) -> Any:
            count = len(peer.trainable_variables)
            points = rebuilt(inputs[:1] if shared else inputs, iter(arrays[count:])) * (2 if shared else 1)
            for point, mask in zip(points, handed, strict=False):
                if mask is not None:  # Keras reads these masks off the tensors, not off its arguments
                    point._keras_mask = torch("tensor")(mask)
            with keras("StatelessScope")(list(zip(peer.trainable_variables, arrays[:count], strict=True))) as scope:
                outputs = peer(*points, **rest)
            return outputs, [current(scope, v) for v in peer.non_trainable_weights]

        def own(*arrays: Any) -> Any:
            count = len(mine.trainable_variables)
            points = rebuilt(inputs[:1] if shared else inputs, iter(arrays[count:])) * (2 if shared else 1)
            outputs, after = mine.stateless_call(list(arrays[:count]), held, *points, **more)
            kept = dict(zip(map(id, mine.non_trainable_variables), after, strict=True))
            return outputs, [kept[id(v)] for v in mine.non_trainable_weights]

        peer(*(tensors(each) for each in inputs), **rest)
        mine(*inputs, **more)
        draws = rng(name)
        weights = [np.asarray(w.value.detach()) + 0.1 * draws.normal(size=tuple(w.shape)) for w in peer.weights]
        weights = [np.abs(w) if "variance" in v.name else w for w, v in zip(weights, peer.weights, strict=True)]
        peer.set_weights(weights)
        mine.set_weights(weights)
        held = [variable.numpy() for variable in mine.non_trainable_variables]
        trained = [variable.numpy() for variable in mine.trainable_variables]
        flat = leaves(inputs[:1] if shared else inputs)
        yield from compared(own, theirs, [*trained, *flat])
        other = pytorch.LAYERS.get(name) if not given and make is None and not shared else None
        if other is not None:
            count = len(trained)
            fixed = [torch("tensor")(each) for each in held]

            def torchs(*arrays: Any) -> Any:
                return other(list(arrays[:count]) + fixed, *arrays[count:], **options), []

            if pytorch.takes(other, options):
                yield from compared(lambda *arrays: (own(*arrays)[0], []), torchs, [*trained, *flat], "PyTorch")

    return Case("layers", name, dict(options) | dict(given), found, note)


def current(scope: Any, variable: Any) -> Any:
    """What a variable of Keras's holds after a call that may have changed it."""
    value = scope.get_current_value(variable)
    return variable.value if value is None else value


def tensors(tree: Any) -> Any:
    """Arrays as PyTorch's."""
    if isinstance(tree, list | tuple):
        return [tensors(each) for each in tree]
    return torch("tensor")(tree) if isinstance(tree, np.ndarray) else tree


def moments(x: Any) -> Any:
    """Mean, and what the powers of the deviation from it are on average; the numbers are spread by about 1."""
    z = x - x.mean()
    return np.asarray([x.mean(), np.mean(z**2), np.mean(np.abs(z)), np.mean(z**3), np.mean(z**4) ** 0.5])


def same_law(family: str, name: str, options: Mapping[str, Any], draw: Callable[[Any], Any], path: str) -> Case:
    """Something random, by the moments of many draws: the draws themselves are not those of Keras."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        one, other = (np.asarray(draw(module), np.float64) for module in (ours(path), keras(path)))
        spread = max(float(other.std()), 1e-12)
        yield Pair("Keras", "law", moments(one / spread), moments(other / spread))

    return Case(family, name, options, found, "(drawn)", ("float32",), LAW)


def drawn(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> Case:
    """A layer in training on ones."""

    def draw(module: Any) -> Any:
        made = getattr(module, name)(**options, seed=3)
        return plain(made(np.ones(shape, np.float32), training=True))

    return same_law("layers", name, options, draw, "layers")


def function(name: str, options: dict[str, Any]) -> Case:
    """A merging layer called as a function."""
    count = 2 if name in ("subtract", "dot") else 3

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        arrays = [rng(name).normal(size=(3, 5)).astype(dtype) + k for k in range(count)]
        mine, theirs = ours(f"layers.{name}"), keras(f"layers.{name}")
        yield from compared(
            lambda *x: (mine(list(x), **options), []), lambda *x: (theirs(list(x), **options), []), arrays
        )

    return Case("layers", name, options, found)


def on_shapes(name: str, options: dict[str, Any], shapes: Any) -> Case:
    """A layer on normal numbers."""
    draws = rng(f"{name} inputs")
    nested = isinstance(shapes, list)
    arrays = [draws.normal(size=shape) for shape in (shapes if nested else [shapes])]
    note = "broadcast" if nested and len({len(shape) for shape in shapes}) > 1 and name != "Dot" else ""
    return layer(name, options, (arrays,) if nested else tuple(arrays), note=note)


def lambdas() -> Iterator[Case]:
    """Functions of the user's: the same NumPy code on one side, PyTorch's on the other."""
    x = rng("Lambda").normal(size=(3, 4))
    scaled = {"arguments": {"factor": 3.0}}
    yield layer("Lambda", {}, (x,), make=lambda module: module.Lambda(lambda t: t * 2.0 + 1.0))
    yield layer("Lambda", scaled, (x,), make=lambda module: module.Lambda(lambda t, factor: t * factor, **scaled))


def cases() -> Iterator[Case]:
    """All of this table."""
    from benchmarks.parity import windows

    for row in [*ROWS, *windows.ROWS]:
        yield on_shapes(*row)
    yield from lambdas()
    for name, options in FUNCTIONS:
        yield function(name, options)
    for name, options, shape in DRAWN:
        yield drawn(name, options, shape)
