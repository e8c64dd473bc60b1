"""Every record's samples: compiled and interpreted agree, in kernels and written out, for float32 and float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from compiled import WAYS, alike, compiled, graph_of, way

import backlight
from backlight.compiler.native import Native
from backlight.compiler.plan import Uncompilable
from backlight.errors import BacklightError
from backlight.interpret import run
from backlight.primitive import REGISTRY, Elementwise, Library, Loop

# What stays interpreted besides sorting and linear algebra beyond products: functions without a polynomial here.
STAYS = {"iv", "jv", "zeta", "polygamma"}


def inputs_of(record: Any) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    if isinstance(record, Elementwise):
        return [(tuple(np.resize(np.array(each), 11) for each in record.samples), {})]
    return [(sample.inputs, sample.params) for sample in record.samples()]


def is_complex(inputs: Any) -> bool:
    return any(np.asarray(x).dtype.kind == "c" for x in inputs)


CASES = [
    (record, inputs, params) for record in REGISTRY for inputs, params in inputs_of(record) if not is_complex(inputs)
]


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("record", "inputs", "params"), CASES, ids=[case[0].name for case in CASES])
def test_compiled_is_interpreted(record: Any, inputs: Any, params: Any, dtype: Any, name: str) -> None:
    loop = not isinstance(record, Elementwise) and isinstance(
        record.kernel(*[np.shape(x) for x in inputs], **params), Loop
    )
    if loop and dtype == np.float32:
        return  # the bodies of the samples are made for float64
    cast = [np.asarray(x, dtype) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs]
    try:
        graph = graph_of(lambda *xs: record(*xs, **params), cast)
    except TypeError:
        return  # bit operations on floating-point numbers and the like
    if any(node.dtype is not None and node.dtype.kind == "c" for node in graph.nodes):
        return
    kernel = None if isinstance(record, Elementwise) else record.kernel(*[np.shape(x) for x in inputs], **params)
    with way(name):
        found, reason = attempt(graph, cast)
    if found is None:
        assert isinstance(kernel, Library) or reason in STAYS, f"{record.name} cannot be compiled: {reason}"
        assert reason != "softmax"
    else:
        alike(found, run(graph, *cast), 4.0, record.name)


def attempt(graph: Any, inputs: Any) -> tuple[Any, str]:
    """What the compiled graph gives, or why it cannot be compiled."""
    try:
        return compiled(graph, inputs), ""
    except Uncompilable as error:
        return None, error.reason


# -- Integers near the ends of their range -------------------------------------------------------------------------

ENDS = np.iinfo(np.int64)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("axis", [None, 0, 1], ids=str)
@pytest.mark.parametrize("ends", [(ENDS.max,), (ENDS.min,), (ENDS.max, ENDS.max, ENDS.min)], ids=["max", "min", "both"])
@pytest.mark.parametrize("asked", [None, "int64", "uint8", "float64"])
def test_a_mean_of_large_integers_is_numpys(asked: Any, ends: Any, axis: Any, name: str) -> None:
    """Added up in float64, where no sum overflows; in integers only if one asks for them."""
    x = np.resize(np.array(ends, np.int64), (8, 5))
    expected = np.asarray(np.mean(x, axis=axis, dtype=asked))
    graph = graph_of(lambda x: np.mean(x, axis=axis, dtype=asked), [x])
    with way(name):
        found = [*compiled(graph, [x]), *map(np.asarray, run(graph, x))]
    for each in found:
        assert (each.dtype, each.shape) == (expected.dtype, expected.shape)
        if expected.dtype.kind == "f":  # to the rounding of the largest number that is added
            np.testing.assert_allclose(each, expected, rtol=0, atol=2.0**63 * 1e-14)
        else:
            np.testing.assert_array_equal(each, expected)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_the_mean_of_a_window_of_integers_is_numpys(dtype: str, name: str) -> None:
    x = np.resize(np.array([ENDS.max, ENDS.max, ENDS.max, 5, ENDS.max]).astype(dtype), (2, 1, 4, 6))
    params = {"size": (2, 3), "strides": (2, 3), "padding": ((0, 0), (0, 0))}
    expected = x.reshape(2, 1, 2, 2, 2, 3).mean(axis=(3, 5))
    graph = graph_of(lambda x: REGISTRY.average_pool(x, **params), [x])
    with way(name):
        found = [*compiled(graph, [x]), *run(graph, x)]
    for each in found:
        assert each.dtype == np.float64
        np.testing.assert_allclose(each, expected, rtol=1e-14)


# -- Arrays without elements ---------------------------------------------------------------------------------------


def without_elements(inputs: Any, params: dict[str, Any]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """The inputs with one axis cut to nothing, and with all axes of a length (in a shape asked for, too)."""
    arrays = [np.asarray(x) for x in inputs]
    for k, x in enumerate(arrays):
        for axis in range(x.ndim):
            yield [*arrays[:k], x[(slice(None),) * axis + (slice(0),)], *arrays[k + 1 :]], params
    for length in dict.fromkeys(n for x in arrays for n in x.shape):
        cut = [x[tuple(slice(0 if n == length else None) for n in x.shape)] for x in arrays]
        yield cut, params
        if "shape" in params:
            yield cut, {**params, "shape": tuple(0 if n == length else n for n in params["shape"])}


def gradient_of(function: Callable[..., Any], inputs: Any) -> Callable[..., Any] | None:
    """The gradient of the sum of squares of what ``function`` gives, by all inputs that have one."""
    smooth = tuple(k for k, x in enumerate(inputs) if np.asarray(x).dtype.kind == "f")

    def total(*xs: Any) -> Any:
        found = function(*xs)
        squares = [y * y for y in (found if isinstance(found, tuple) else (found,)) if y.dtype.kind == "f"]
        return sum(map(np.sum, squares), 0.0)

    return (lambda *xs: tuple(backlight.grad(total, smooth)(*xs))) if smooth else None


def recorded(function: Callable[..., Any] | None, inputs: Any) -> Any:
    """The graph, and what it gives; nothing where the function does not take such inputs."""
    if function is None:
        return None
    try:
        graph = graph_of(function, inputs)
        return graph, run(graph, *inputs)
    except (BacklightError, ValueError, TypeError, IndexError, ZeroDivisionError):
        return None


FORMS = 4  # ways to have no elements that are compiled for each record: all of them take minutes


@pytest.mark.parametrize("record", dict.fromkeys(case[0] for case in CASES), ids=lambda record: record.name)
def test_without_elements_compiled_is_interpreted(record: Any) -> None:
    known = set()
    for inputs, params in ((inputs, params) for each, inputs, params in CASES if each is record):
        for cut, cut_params in without_elements(inputs, params):
            form = (*(x.shape for x in cut), repr(cut_params))
            if form in known or len(known) == FORMS:
                continue
            known.add(form)
            pairs = (lambda *xs, p=params: record(*xs, **p)), (lambda *xs, p=cut_params: record(*xs, **p))
            check_without_elements(pairs, inputs, cut)
            check_without_elements([gradient_of(pairs[0], inputs), gradient_of(pairs[1], cut)], inputs, cut)


def check_without_elements(pair: Any, inputs: Any, cut: Any) -> None:
    """Where the first function of full ``inputs`` can be compiled, so can the second one of ``cut``."""
    with np.errstate(all="ignore"):
        full, empty = recorded(pair[0], inputs), recorded(pair[1], cut)
    if full is None or empty is None:
        return
    for name in WAYS:
        with way(name):
            try:
                found = compiled(empty[0], cut)
            except Uncompilable:
                with pytest.raises(Uncompilable):
                    Native(full[0], 1)
            else:
                alike(found, empty[1], 4.0, f"{[x.shape for x in cut]}, {name}")
