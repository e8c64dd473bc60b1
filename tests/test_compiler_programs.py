"""Random small programs, and their gradients: compiled and interpreted agree, on any number of threads to the bit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from compiled import WAYS, alike, compiled, way
from hypothesis import HealthCheck, given, settings
from programs import Program, programs, recorded

import backlight
from backlight.compiler.native import Native
from backlight.interpret import run

X = np.array([0.375, 0.1], np.float32)
QUIET = settings(
    deadline=None, print_blob=False, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def checked(program: Program, name: str, digits: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what NumPy says about the numbers themselves
        graph = recorded(program.function, program.inputs)
        expected = run(graph, *program.inputs)
    with way(name):
        alike(compiled(graph, program.inputs), expected, digits, repr(program))


@pytest.mark.parametrize("name", WAYS)
def test_small_programs(name: str) -> None:
    @settings(QUIET, max_examples=120)
    @given(programs())
    def law(program: Program) -> None:
        checked(program, name, 64)

    law()


def test_larger_arrays() -> None:
    """Rows that are longer than a vector, and than what is unrolled."""

    @settings(QUIET, max_examples=40)
    @given(programs(side=19, largest=3000))
    def law(program: Program) -> None:
        checked(program, "kernels", 256)

    law()


def test_the_bits_are_the_same_on_any_number_of_threads() -> None:
    @settings(QUIET, max_examples=25)
    @given(programs(side=40, largest=20_000))
    def law(program: Program) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = recorded(program.function, program.inputs)
        native = Native(graph, threads=1)
        first = native(program.inputs)
        for threads in (1, 2, 3, 8):
            native.threads = threads
            for got, want in zip(native(program.inputs), first, strict=True):
                assert np.asarray(got).tobytes() == np.asarray(want).tobytes(), repr(program)

    law()


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("read", ["repeat", "columns", "diagonal"])
def test_what_a_loop_reads_in_an_order_of_its_own_stays_until_the_last_loop_has_read_it(name: str, read: str) -> None:
    """Rows that stand in no even steps are laid out anew once, for the loop and for the one that goes back."""
    ways = {
        "repeat": lambda x: np.repeat(x, 2),
        "columns": lambda x: np.broadcast_to(x[:, None], (2, 3)).reshape(-1),
        "diagonal": lambda x: (x[:, None] * np.ones((2, 2), np.float32)).T.reshape(-1),
    }

    def total(x: Any) -> Any:
        rows = backlight.scan(lambda c, r: (c + r, r * r * c), np.float32(0.5), ways[read](x))[1]
        return np.sum(np.sin(rows))

    gradient = backlight.grad(total)
    with way(name):
        found = backlight.compile(gradient, threads=1)(X)
    np.testing.assert_allclose(found, gradient(X), rtol=1e-5)
