"""Floating-point numbers become integers in compiled code as in NumPy, those that do not fit included."""

from __future__ import annotations

import platform

import numpy as np
import pytest

import backlight
from tests.compiled import WAYS, way

INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
FITTING = np.array([0.0, -0.0, 0.9, -0.9, 1.5, 100.7, 126.99])
NOT = [3e9, -3e9, 1e10, -1e10, 1e19, -1e19, 1e30, -1e30, np.nan, np.inf, -np.inf, -1.5, 300.7, -300.7, 7e4, -7e4]
NOT += [float(sign * 2**power) for power in (7, 8, 15, 16, 31, 32, 63, 64) for sign in (1, -1)]
NOT += [2.0**31 - 1, 2.0**32 + 5, 2.0**63 - 1024, 1.8e19]


def converted(x: np.ndarray, dtype: str, ways: str) -> np.ndarray:
    with way(ways):
        return backlight.compile(lambda x: x.astype(dtype), strict=True)(x)


@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("source", ["f4", "f8"])
@pytest.mark.parametrize("target", INTEGERS)
def test_fractions_are_dropped(target: str, source: str, ways: str) -> None:
    x = FITTING.astype(source)
    expected = np.array([0, 0, 0, 0, 1, 100, 126]) if target != "?" else np.array([False, False] + [True] * 5)
    made = converted(x, target, ways)
    assert made.dtype == np.dtype(target)
    np.testing.assert_array_equal(made, expected)


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="what x86 gives")
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("source", ["f4", "f8"])
@pytest.mark.parametrize("target", [each for each in INTEGERS if each != "u4"])
def test_what_does_not_fit_becomes_what_numpy_makes_of_it(target: str, source: str, ways: str) -> None:
    x = np.array(NOT).astype(source)
    np.testing.assert_array_equal(converted(x, target, ways), x.astype(target))


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="what x86 gives")
@pytest.mark.parametrize("ways", WAYS)
def test_unsigned_numbers_of_four_bytes(ways: str) -> None:
    x = np.array([3e9, -1.5, -(2.0**31), 1e10, np.inf, -1e10, -np.inf, np.nan])
    expected = [3_000_000_000, 2**32 - 1, 2**31, 0, 0, 2**31, 2**31, 2**31]
    np.testing.assert_array_equal(converted(x, "u4", ways), expected)
