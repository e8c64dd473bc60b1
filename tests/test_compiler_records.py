"""Every record's samples: compiled and interpreted agree, in kernels and written out, for float32 and float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import WAYS, alike, compiled, graph_of, way

from backlight.compiler.plan import Uncompilable
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
