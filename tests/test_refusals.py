"""Wrong calls: whatever NumPy refuses is refused, by an exception of Backlight's that is also one of NumPy's kind.

Every function of the coverage table is called as in test_numpy_api, with one thing wrong at a time.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import test_numpy_api as table

import backlight
from backlight.array import Array
from backlight.errors import AxisError, BacklightError, CallError, ConversionError, RangeError, UnsupportedError
from backlight.tree import flatten, unflatten

PACKAGE = os.path.dirname(backlight.__file__)

WRONG_OPTIONS: dict[str, tuple[Any, ...]] = {
    "axis": (7, -9, (0, 0), "x", 1.5),
    "shape": ((3, 7), "x", -2),
    "dtype": ("nonsense",),
    "where": (np.ones(7, bool),),
    "q": (2.0, -1.0),
    "method": ("nonsense",),
    "mode": ("nonsense",),
    "n": (-3,),
    "bins": (-1, "nonsense"),
    "out": (np.zeros((9, 9)), 3.0),
    "initial": ("x",),
    "ddof": ("x",),
    "ord": ("nonsense", 17.5),
    "deg": (-1,),
    "norm": ("nonsense",),
    "axes": ((0, 9),),
    "weights": (np.ones(17),),
    "pad_width": (-1,),
    "repeats": (-1,),
    "indexing": ("q",),
    "edge_order": (5,),
    "period": (0,),
}
WRONG_ARGUMENTS = (np.zeros((9, 7)), "x", None, np.zeros(0), -77, object())
NAMED = {case.name: case for case in table.CASES if case.function is None and not case.name.endswith("linalg.cross")}


GENEROUS = {"np.clip", "np.vsplit", "np.ediff1d", "np.astype", "np.lib.stride_tricks.sliding_window_view"}
"""These take something that NumPy's do not, and give what one would expect."""


def reached_backlight(error: Exception) -> bool:
    """Whether NumPy passed the call on at all: it looks at the number and names of arguments first."""
    step = error.__traceback__
    while step is not None and not step.tb_frame.f_code.co_filename.startswith(PACKAGE):
        step = step.tb_next
    return step is not None


def wrong_calls(case: table.Case) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for option, values in WRONG_OPTIONS.items():
        for value in values:
            yield case.args, {**case.kwargs, option: value}
    for i in range(len(case.args)):
        for value in WRONG_ARGUMENTS:
            yield (*case.args[:i], value, *case.args[i + 1 :]), case.kwargs
    yield case.args[:-1], case.kwargs


def outcome(function: Any, args: Any, kwargs: Any) -> Exception | None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            function(*args, **kwargs)
        except Exception as error:
            return error
    return None


@pytest.mark.parametrize("name", NAMED)
def test_whatever_numpy_refuses_is_refused(name: str) -> None:
    function = table.function_of(name)
    for args, kwargs in wrong_calls(NAMED[name]):
        leaves, structure = flatten((args, kwargs))
        smooth = [isinstance(x, np.ndarray) and x.dtype.kind in "fc" for x in leaves]
        if not any(smooth):
            continue
        plain = [x.copy() if isinstance(x, np.ndarray) else x for x in leaves]
        traced = [backlight.array(x) if is_smooth else x for x, is_smooth in zip(leaves, smooth, strict=True)]
        said = outcome(function, *unflatten(structure, plain))
        ours = outcome(function, *unflatten(structure, traced))
        if said is None:
            assert ours is None or isinstance(ours, BacklightError)
        elif ours is None:
            assert name in GENEROUS, (args, kwargs, said)
        elif reached_backlight(ours):
            kind = next(base for base in type(said).__mro__ if base.__module__ == "builtins")
            assert isinstance(ours, BacklightError), (args, kwargs, said)
            assert isinstance(ours, (kind, ConversionError, RangeError))
            assert __file__ in str(ours)


def test_an_axis_that_does_not_exist() -> None:
    x = backlight.array([1.0, 2.0])
    with pytest.raises(np.exceptions.AxisError) as refused:
        np.sum(x, axis=3)
    assert isinstance(refused.value, AxisError)
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, IndexError)


def test_the_wrong_kinds_of_arguments() -> None:
    x = backlight.array([1.0, 2.0])
    with pytest.raises(CallError, match="NumPy says"):
        np.split(x, "x")
    with pytest.raises(OverflowError) as refused:
        backlight.array(np.array([1, 2], np.int8)) + 300
    assert isinstance(refused.value, BacklightError)


def test_what_numpy_allows_and_backlight_does_not_tells_the_cause() -> None:
    with pytest.raises(UnsupportedError) as refused:
        np.add(backlight.array([1.0, 2.0]), 1.0, signature="dd->d")
    assert __file__ in str(refused.value)


def test_exceptions_of_the_users_own_functions_stay_as_they_are() -> None:
    class Mine(ValueError):
        pass

    def row(x: Any) -> Any:
        raise Mine("not today")

    for call in (
        lambda x: np.apply_along_axis(row, 0, x),
        lambda x: np.piecewise(x, [x < 9.0], [row]),
    ):
        with pytest.raises(Mine, match=r"^not today$"):
            call(backlight.array([1.0, 2.0]))


def test_warnings_made_errors_stay_warnings() -> None:
    x = backlight.array([0.0])
    with pytest.raises(RuntimeWarning):
        np.log(x)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.int64])
@pytest.mark.parametrize("number", [300, 200, -1, 2**63, 2**70, -(2**70), 1e300, 1 + 2j])
@pytest.mark.parametrize(
    "name", ["less", "greater_equal", "equal", "add", "subtract", "multiply", "floor_divide", "maximum"]
)
def test_python_numbers_out_of_range(name: str, number: Any, dtype: Any) -> None:
    """Values, dtypes and refusals are NumPy's, with the number on either side."""
    function = getattr(np, name)
    x = np.array([1, 0, 1], dtype)
    for args in ((x, number), (number, x)):
        said = outcome(function, args, {})
        traced = [backlight.array(a) if a is x else a for a in args]
        if said is None:
            with np.errstate(all="ignore"):
                wanted, got = function(*args), function(*traced)
            np.testing.assert_array_equal(got.value, wanted)
            assert got.dtype == wanted.dtype
        else:
            ours = outcome(function, traced, {})
            assert isinstance(ours, BacklightError)
            assert isinstance(ours, next(base for base in type(said).__mro__ if base.__module__ == "builtins"))


SMALL = ("fabs", "radians", "degrees", "modf", "frexp", "angle", "conj", "sign", "sqrt", "cbrt", "exp", "mean", "var")
OTHERS = ("std", "median", "poly", "nan_to_num", "emath.sqrt", "emath.log", "emath.arccos", "emath.arctanh", "fft.rfft")


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.int64, np.float16, np.float32, np.complex64])
@pytest.mark.parametrize("name", [*SMALL, *OTHERS])
def test_small_dtypes_stay_as_small_as_numpys(name: str, dtype: Any) -> None:
    function: Any = np
    for part in name.split("."):
        function = getattr(function, part)
    x = np.array([1, 0, 1, 1], dtype)
    said = outcome(function, (x,), {})
    if said is not None:
        assert isinstance(outcome(function, (backlight.array(x),), {}), BacklightError)
        return
    with np.errstate(all="ignore"):
        wanted, got = function(x), function(backlight.array(x))
    for ours, theirs in zip(*(y if isinstance(y, tuple) else (y,) for y in (got, wanted)), strict=True):
        value = ours.node.value if isinstance(ours, Array) else ours
        assert np.asarray(value).dtype == np.asarray(theirs).dtype
        np.testing.assert_allclose(value, theirs, rtol=2e-3)


def test_lists_that_hold_arrays() -> None:
    """NumPy hands lists with Arrays in them on where it can; where it cannot, the error says what to write."""
    x = backlight.array([1.0, 2.0])
    for function in (np.stack, np.concatenate, np.hstack):
        found = function([x, x * 2])
        assert isinstance(found, Array)
    for function in (np.sum, np.mean, np.max):
        with pytest.raises(ConversionError, match=r"np\.stack"):
            function([x[0], 2.0])
    with pytest.raises(ValueError, match="same shape"):
        np.stack([x, x[:1]])
