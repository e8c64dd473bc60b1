"""The compiler's functions keep their stated accuracy; its arithmetic is NumPy's, on every dtype and width of vectors.

``python tests/test_compiler_math.py`` measures again and writes ``docs/accuracy.md``.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest
from scipy import special as scipy

from backlight.compiler import expression as e
from backlight.compiler.build import compile_text
from backlight.compiler.ir import Module, Value, vector
from backlight.compiler.math import ACCURACY, FUNCTIONS, accuracy_markdown
from backlight.ops import special
from backlight.primitive import REGISTRY, Elementwise

special.load()

INF, NAN = np.inf, np.nan
FLOATS = [np.dtype(np.float32), np.dtype(np.float64)]
WHOLE = [np.dtype(f"{sign}{size}") for sign in "iu" for size in (1, 2, 4, 8)]
DTYPES = [np.dtype(bool), *WHOLE, *FLOATS]
WIDTHS = (0, 1, 4, 8, 16)  # lanes; 0 is a scalar
SPECIAL = (0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 2.0, -2.0, 0.5, -3.0, 1e-45, -1e-45, 5e-324, 1e30, -1e30)
DOCUMENT = Path(__file__).parent.parent / "docs" / "accuracy.md"

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


# -- Running what is written ---------------------------------------------------------------------------------------


class Task(NamedTuple):
    """``write(b, *registers)`` for arrays of ``dtypes``, giving one of ``out``, in vectors of ``lanes``."""

    write: Callable[..., Value]
    dtypes: Sequence[Any]
    out: Any
    lanes: int = 8


def built(tasks: dict[Any, Task]) -> dict[Any, Callable[..., Any]]:
    """All tasks in one module, each as a function of arrays."""
    module = Module()
    for number, task in enumerate(tasks.values()):
        names = [f"x{k}" for k in range(len(task.dtypes))]
        b = module.function(f"task{number}", [*((name, "ptr") for name in names), ("y", "ptr"), ("n", "i64")])
        with b.loop(b["n"], step=task.lanes or 1) as i:
            xs = []
            for name, dtype in zip(names, task.dtypes, strict=True):
                kind = e.memory_kind(dtype)
                xs.append(e.load_as(b, b.load(b.at(b[name], i, kind), vector(kind, task.lanes)), dtype))
            y = e.store_as(b, task.write(b, *xs), task.out)
            b.store(y, b.at(b["y"], i, e.memory_kind(task.out)))
        b.end()
    machine = compile_text(str(module), [f"task{number}" for number in range(len(tasks))], cached=False)
    return {key: _caller(machine, number, task) for number, (key, task) in enumerate(tasks.items())}


def _caller(machine: Any, number: int, task: Task) -> Callable[..., Any]:
    count = len(task.dtypes)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (count + 1), ctypes.c_int64)(machine[f"task{number}"])

    def call(*arrays: Any) -> Any:
        n = arrays[0].size
        padded = -(-n // 16) * 16
        xs = [np.concatenate([x, np.ones(padded - n, x.dtype)]) for x in arrays]
        assert [x.dtype for x in xs] == list(task.dtypes)
        y = np.empty(padded, task.out)
        run(*[x.ctypes.data for x in xs], y.ctypes.data, padded)
        assert machine is not None
        return y[:n]

    return call


def evaluated(expression: Any, dtypes: Sequence[Any], out: Any, lanes: int = 8) -> Task:
    return Task(lambda b, *xs: e.evaluate(b, expression, xs, dtypes, out), dtypes, out, lanes)


def compiled(expression: Any, *arrays: Any, out: Any, lanes: int = 8) -> Any:
    """An expression of arrays, computed."""
    return built({"it": evaluated(expression, [x.dtype for x in arrays], np.dtype(out), lanes)})["it"](*arrays)


# -- Accuracy ------------------------------------------------------------------------------------------------------


class Truth(NamedTuple):
    """A function in double precision, in any precision, and where most samples should be."""

    double: Callable[..., Any]
    exact: Callable[..., Any] | None  # None: double is exact
    around: float = 10.0  # samples up to this size, besides random bits from everywhere


TRUTHS: dict[str, Truth] = {
    "sqrt": Truth(np.sqrt, mp.sqrt),
    "cbrt": Truth(np.cbrt, lambda x: mp.sign(x) * mp.cbrt(abs(x))),
    "pow": Truth(np.power, mp.power),
    "fmod": Truth(np.fmod, None),
    "exp": Truth(np.exp, mp.exp, 110.0),
    "exp2": Truth(np.exp2, lambda x: mp.power(2, x), 155.0),
    "expm1": Truth(np.expm1, mp.expm1, 110.0),
    "one_plus_exp": Truth(lambda x: 1 + np.exp(x), lambda x: 1 + mp.exp(x), 110.0),
    "log": Truth(np.log, mp.log),
    "log1p": Truth(np.log1p, mp.log1p),
    "log2": Truth(np.log2, lambda x: mp.log(x) / mp.log(2)),
    "log10": Truth(np.log10, lambda x: mp.log(x) / mp.log(10)),
    "sin": Truth(np.sin, mp.sin, 4e4),
    "cos": Truth(np.cos, mp.cos, 4e4),
    "tan": Truth(np.tan, mp.tan, 4e4),
    "arcsin": Truth(np.arcsin, mp.asin),
    "arccos": Truth(np.arccos, mp.acos),
    "arctan": Truth(np.arctan, mp.atan),
    "atan2": Truth(np.arctan2, mp.atan2),
    "sinh": Truth(np.sinh, mp.sinh, 90.0),
    "cosh": Truth(np.cosh, mp.cosh, 90.0),
    "tanh": Truth(np.tanh, mp.tanh),
    "sech_squared": Truth(lambda x: 1 / np.cosh(x) ** 2, lambda x: 1 / mp.cosh(x) ** 2, 60.0),
    "arcsinh": Truth(np.arcsinh, mp.asinh),
    "arccosh": Truth(np.arccosh, mp.acosh),
    "arctanh": Truth(np.arctanh, mp.atanh),
    "erf": Truth(scipy.erf, mp.erf, 5.0),
    "erfc": Truth(scipy.erfc, lambda x: mp.erfc(x) if x < 100 else mp.mpf(0), 27.0),
    "erfcx": Truth(scipy.erfcx, lambda x: mp.exp(x * x) * mp.erfc(x) if x < 100 else _erfcx_far(x), 40.0),
    "erfinv": Truth(scipy.erfinv, lambda x: _inverse(x, scipy.erfinv, mp.erf, 1)),
    "erfcinv": Truth(scipy.erfcinv, lambda x: _inverse(x, scipy.erfcinv, mp.erfc, -1)),
    "log_ndtr": Truth(scipy.log_ndtr, lambda x: _log_ndtr(x), 40.0),
    "gamma": Truth(scipy.gamma, mp.gamma, 171.0),
    "gammaln": Truth(scipy.gammaln, mp.loggamma, 30.0),
    "digamma": Truth(scipy.psi, mp.digamma, 30.0),
}
BINARY = {"pow", "fmod", "atan2"}
SLOW = {"pow": 300, "log_ndtr": 300, "gamma": 500, "gammaln": 500, "digamma": 500}


def _erfcx_far(x: Any) -> Any:
    """The first terms of its asymptotic series (DLMF 7.12.1)."""
    u = 1 / (2 * x * x)
    return (1 - u * (1 - 3 * u * (1 - 5 * u * (1 - 7 * u * (1 - 9 * u))))) / (x * mp.sqrt(mp.pi))


def _inverse(x: Any, rough: Any, function: Any, sign: int) -> Any:
    """One step of Newton's method doubles the digits that SciPy's value has right."""
    y = mp.mpf(float(rough(float(x))))
    return y - sign * (function(y) - x) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)


def _log_ndtr(x: Any) -> Any:
    """log(erfc(-x/√2) / 2)."""
    if x < -200:
        size = -x / mp.sqrt(2)
        return mp.log(_erfcx_far(size) / 2) - x * x / 2
    if x > 200:
        return mp.mpf(0)
    with mp.workprec(400):
        return mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2) if x > 0 else mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def samples(name: str, dtype: Any, count: int) -> list[Any]:
    """Numbers of a function's domain: random bits, an even spread, both sides of its edges and of powers of two."""
    rng = np.random.default_rng(len(name))
    row, around = ACCURACY[name], TRUTHS[name].around
    found = []
    for _ in range(2 if name in BINARY else 1):
        unsigned = np.dtype(f"u{dtype.itemsize}")
        anything = rng.integers(0, np.iinfo(unsigned).max, count, unsigned, endpoint=True).view(dtype)
        wide = around * (8.0 if dtype.itemsize == 8 and around > 50 else 1.0)
        spread = [rng.uniform(-each, each, count) for each in (wide, around / 8.0)]
        towards = [
            row.low + np.exp(rng.uniform(-30, 0, count // 4)),
            row.high - np.exp(rng.uniform(-30, 0, count // 4)),
        ]
        powers = np.ldexp(1.0, np.arange(-20, 20)).astype(dtype)
        edges = np.array([row.low, row.high, *SPECIAL], dtype)
        near = [np.nextafter(np.concatenate([powers, edges]), dtype.type(to)) for to in (-INF, INF)]
        x = np.concatenate([each.astype(dtype) for each in (anything, *spread, *towards, powers, edges, *near)])
        found.append(rng.permuted(x))
    if name == "pow":  # most powers overflow
        small = rng.uniform(0.3, 3.0, count).astype(dtype)
        found = [
            np.concatenate([found[0], small]),
            np.concatenate([found[1], rng.uniform(-80, 80, count).astype(dtype)]),
        ]
    inside = np.isfinite(sum(abs(x.astype(np.longdouble)) for x in found))
    for x in found:
        inside &= (x >= row.low) & (x <= row.high)
    return [x[inside] for x in found]


def truth_of(name: str, xs: Sequence[Any]) -> Any:
    """The true values as long doubles: from double precision for single, from 120 bits for double."""
    exact = TRUTHS[name].exact
    if xs[0].dtype == np.float32 or exact is None:
        return TRUTHS[name].double(*[x.astype(np.float64) for x in xs]).astype(np.longdouble)
    out = np.empty(xs[0].size, np.longdouble)
    with mp.workprec(120):
        for i, row in enumerate(zip(*[x.tolist() for x in xs], strict=True)):
            try:
                value = exact(*map(mp.mpf, row))
            except (ValueError, ZeroDivisionError):
                value = mp.nan
            value = mp.nan if isinstance(value, mp.mpc) else value
            high = np.longdouble(float(value))
            finite = np.isfinite(high) and high != 0
            out[i] = high + np.longdouble(float(value - mp.mpf(float(value)))) if finite else high
    return out


def ulps(y: Any, truth: Any) -> Any:
    """The errors in units in the last place; a value beyond the largest number may be that or infinite."""
    limits = np.finfo(y.dtype)
    rounded = truth.astype(y.dtype)
    unit = np.spacing(np.minimum(abs(rounded), limits.max)).astype(np.longdouble)
    error = abs(y.astype(np.longdouble) - truth) / unit
    agreed = (
        (y == rounded) & ~np.isfinite(y) | (np.isinf(y) & (abs(truth) >= limits.max)) | (np.isnan(y) & np.isnan(truth))
    )
    return np.where(agreed, 0.0, np.where(np.isnan(error), INF, error)).astype(np.float64)


@cache
def kernels(name: str, dtype: Any) -> dict[int, Callable[..., Any]]:
    """The function in every width."""
    count = 2 if name in BINARY else 1
    return built({lanes: Task(FUNCTIONS[name], [dtype] * count, dtype, lanes) for lanes in WIDTHS})


def measured(name: str, dtype: Any) -> float:
    """The largest error found."""
    count = 100_000 if dtype == np.float32 else SLOW.get(name, 700)
    xs = samples(name, dtype, count)
    y, truth = kernels(name, dtype)[8](*xs), truth_of(name, xs)
    if name in ("gamma", "digamma", "gammaln", "log", "log2", "log10", "log1p", "arctanh", "erfinv", "erfcinv", "pow"):
        keep = ~np.isnan(truth) & np.isfinite(y)  # poles are special values
        y, truth = y[keep], truth[keep]
    return float(ulps(y, truth).max())


def test_every_function_is_in_the_table() -> None:
    assert set(ACCURACY) == set(FUNCTIONS) == set(TRUTHS)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", ACCURACY)
def test_errors_stay_within_the_bounds(name: str, dtype: Any) -> None:
    row = ACCURACY[name]
    assert measured(name, dtype) <= (row.single if dtype == np.float32 else row.double)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", ACCURACY)
def test_every_width_gives_the_same_bits(name: str, dtype: Any) -> None:
    xs = [x[:500] for x in samples(name, dtype, 200)]
    results = [kernel(*xs).tobytes() for kernel in kernels(name, dtype).values()]
    assert len(set(results)) == 1


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", sorted(set(ACCURACY) - {"one_plus_exp", "sech_squared"}))
def test_special_values_are_numpys(name: str, dtype: Any) -> None:
    numbers = np.array([x for x in SPECIAL if not (name == "gammaln" and x == -INF)], dtype)  # SciPy says -∞ there
    xs = [x.ravel() for x in np.meshgrid(*[numbers] * (2 if name in BINARY else 1))]
    y = kernels(name, dtype)[4](*xs)
    expected = TRUTHS[name].double(*xs)
    if name == "gammaln":  # SciPy's overflows before its time
        expected = np.where(abs(xs[0]) < 1e-300, np.where(xs[0] == 0, INF, y), expected)
    np.testing.assert_allclose(y, expected, rtol=20 * np.finfo(dtype).eps, atol=0)
    compared = ~np.isnan(expected)
    if name in ("erfinv", "erfcinv"):  # SciPy's zeros have lost their sign
        compared &= expected != 0
    np.testing.assert_array_equal(np.signbit(y[compared]), np.signbit(expected[compared]))


@pytest.mark.parametrize("name", ["gammaln", "digamma", "gamma"])
def test_the_gamma_family_left_of_zero(name: str) -> None:
    x = np.random.default_rng(0).uniform(-20, 0, 2000)
    np.testing.assert_allclose(kernels(name, x.dtype)[8](x), TRUTHS[name].double(x), rtol=1e-9, atol=1e-12)


def test_one_exceptional_angle_among_others_changes_no_other() -> None:
    x = np.array([0.5, 1e22, -0.25, 3.0, INF, -1e300, 7.0, 2.0**28] * 2)
    for name in ("sin", "cos", "tan"):
        np.testing.assert_allclose(kernels(name, x.dtype)[16](x), TRUTHS[name].double(x), rtol=1e-15)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_saturating_functions_never_pass_one(dtype: Any) -> None:
    x = np.linspace(-30, 30, 200_001).astype(dtype)
    for name in ("tanh", "erf"):
        y = kernels(name, dtype)[8](x)
        assert abs(y).max() == 1
        assert (np.diff(y) > -2 * np.finfo(dtype).eps).all()


def test_the_document_is_current() -> None:
    """Run ``python tests/test_compiler_math.py`` after a change of the bounds."""
    blank = {(name, str(dtype)): 0.0 for name in ACCURACY for dtype in FLOATS}
    found = r"\| \d+\.\d\d (?=\|)"
    written = re.sub(found, "", DOCUMENT.read_text("utf-8"))
    assert written == re.sub(found, "", accuracy_markdown(blank))


# -- The records' kernels ------------------------------------------------------------------------------------------


def supported(record: Any) -> bool:
    return isinstance(record, Elementwise) and not e.unsupported(record.kernel.expression, [])


RECORDS = [record for record in REGISTRY if supported(record)]
STAYS = {"polygamma", "zeta", "iv", "ive", "i0", "i1", "i0e", "i1e", "j0", "j1", "jv"}


def on_samples(record: Elementwise, dtype: Any) -> list[Any]:
    """Every combination of a record's samples, as its own arguments are."""
    sets = [np.array(numbers) for numbers in record.samples]
    sets = [x.astype(dtype) if x.dtype.kind == "f" else x for x in sets]
    if record.operands == "condition":
        sets[0] = sets[0] != 0
    return [x.ravel() for x in np.meshgrid(*sets, indexing="ij")]


@cache
def record_kernels(dtype: Any) -> dict[str, Callable[..., Any]]:
    tasks = {}
    for record in RECORDS:
        xs = on_samples(record, dtype)
        if record.operands == "same":
            xs = [x.astype(record.value(*xs).dtype) for x in xs]
        dtypes = [x.dtype for x in xs]
        tasks[record.name] = evaluated(record.kernel.expression, dtypes, record.value(*xs).dtype)
    return built(tasks)


def test_what_is_not_compiled_is_named() -> None:
    assert {record.name for record in REGISTRY if isinstance(record, Elementwise)} - {r.name for r in RECORDS} == STAYS
    assert e.unsupported(("mul", 2, ("zeta", "x0", "x1")), FLOATS) == "zeta"
    assert e.unsupported("x0", [np.dtype(np.float16)]) == "float16"
    assert e.unsupported("x0", [np.dtype(complex)]) == "complex128"
    assert e.unsupported(("pow", "x0", "x1"), [np.dtype(int)] * 2) == "pow of signed integers"
    assert not e.unsupported(("pow", "x0", 3), [np.dtype(int)])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_kernel_gives_its_records_value(record: Elementwise, dtype: Any) -> None:
    xs = on_samples(record, dtype)
    expected = record.value(*xs)
    if record.operands == "same":
        xs = [x.astype(expected.dtype) for x in xs]
    y = record_kernels(dtype)[record.name](*xs)
    assert y.dtype == expected.dtype
    if y.dtype.kind == "f":
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * abs(expected).max())
    else:
        np.testing.assert_array_equal(y, expected)


def whole_numbers(dtype: Any) -> Any:
    if dtype.kind == "b":
        return np.array([False, True])
    limits = np.iinfo(dtype)
    numbers = {0, 1, 2, 3, 7, 8, 31, 63, 64, 100, -1, -2, -7, limits.max, limits.min, limits.max - 1}
    return np.array(sorted(n for n in numbers if limits.min <= n <= limits.max), dtype)


@pytest.mark.parametrize("dtype", [np.dtype(bool), *WHOLE], ids=str)
def test_kernels_of_integers_and_booleans_are_numpys(dtype: Any) -> None:
    tasks, cases = {}, {}
    for record in RECORDS:
        xs = [x.ravel() for x in np.meshgrid(*[whole_numbers(dtype)] * len(record.samples))]
        if record.operands == "condition":
            xs[0] = xs[0] != 0
        if record.name == "reciprocal":  # what 1/0 is, as an integer, depends on the processor
            xs = [xs[0][xs[0] != 0]]
        try:
            expected = record.value(*xs)
        except (TypeError, ValueError):
            continue  # NumPy has none
        dtypes = [x.dtype for x in xs]
        if expected.dtype not in (dtype, bool) or e.unsupported(record.kernel.expression, dtypes):
            continue
        tasks[record.name] = evaluated(record.kernel.expression, dtypes, expected.dtype)
        cases[record.name] = xs, expected
    assert len(tasks) > 12
    kernels = built(tasks)
    for name, (xs, expected) in cases.items():
        np.testing.assert_array_equal(kernels[name](*xs), expected, err_msg=name)


# -- The vocabulary ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", DTYPES, ids=str)
def test_conversions_are_numpys(source: Any) -> None:
    kernels = built({to: evaluated("x0", [source], to, lanes) for to, lanes in zip(DTYPES, WIDTHS * 3, strict=False)})
    if source.kind == "f":
        numbers = np.array([0.0, -0.0, 0.4, -0.6, 1.5, 2.9, 100.7, 126.99], source)
    else:
        numbers = whole_numbers(source)
    for to, kernel in kernels.items():
        np.testing.assert_array_equal(kernel(numbers), numbers.astype(to), err_msg=str(to))
    if source.kind == "f":  # negative numbers, large ones, and those that no integer can hold
        np.testing.assert_array_equal(kernels[np.dtype("i8")](np.array([-(2.0**40), -1.5], source)), [-(2**40), -1])
        np.testing.assert_array_equal(kernels[np.dtype("u8")](np.array([2.0**63, 2.0**40], source)), [2**63, 2**40])
        np.testing.assert_array_equal(kernels[np.dtype("u4")](np.array([2.0**31, 3e9], source)), [2**31, 3 * 10**9])
        for to in WHOLE:
            kernels[to](np.array([NAN, INF, -INF, 1e30], source))
        np.testing.assert_array_equal(kernels[np.dtype(bool)](np.array([NAN, 0.0], source)), [True, False])


FOLDS = {
    "add": np.add,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "logical_or": np.logical_or,
    "logical_and": np.logical_and,
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_folds_are_numpys(dtype: Any) -> None:
    numbers = np.array([0.0, -1.5, INF, NAN, 3.0], dtype) if dtype.kind == "f" else whole_numbers(dtype)
    x, y = (each.ravel() for each in np.meshgrid(numbers, numbers))
    tasks = {}
    for name in FOLDS:
        step = lambda b, x, y, name=name: e.combine(b, name, x, y, dtype)
        start = lambda b, x, y, name=name: e.combine(b, name, b.const(x.kind, e.identity(name, dtype)), y, dtype)
        tasks[name, "step"] = Task(step, [dtype] * 2, dtype)
        tasks[name, "start"] = Task(start, [dtype] * 2, dtype)
    kernels = built(tasks)
    for name, function in FOLDS.items():
        np.testing.assert_array_equal(kernels[name, "step"](x, y), function(x, y).astype(dtype), err_msg=name)
        same = (y != 0).astype(dtype) if name.startswith("logical") else y
        np.testing.assert_array_equal(kernels[name, "start"](x, y), same, err_msg=name)


def test_python_numbers_take_the_dtype_they_meet() -> None:
    x = np.array([0.1, 0.7, 3.0], np.float32)
    np.testing.assert_array_equal(compiled(("add", "x0", 0.1), x, out=np.float32), x + 0.1)
    np.testing.assert_array_equal(compiled(("add", "x0", 0.1), x, out=np.float64), (x + 0.1).astype(np.float64))
    k = np.array([1, 2, 200], np.uint8)
    np.testing.assert_array_equal(compiled(("add", "x0", 100), k, out=np.uint8), k + 100)
    np.testing.assert_array_equal(compiled(("mul", "x0", 0.5), k, out=np.float64), k * 0.5)
    np.testing.assert_array_equal(compiled(("sqrt", "x0"), k, out=np.float64), np.sqrt(k.astype(np.float64)))
    np.testing.assert_array_equal(compiled(("lt", "x0", "x1"), k, k.astype(np.int8), out=bool), k < k.astype(np.int8))
    np.testing.assert_array_equal(compiled(("div", "x0", 8), x, out=np.float32), x / 8)


def test_unsigned_powers_wrap_round() -> None:
    x, y = (each.ravel() for each in np.meshgrid(np.arange(12, dtype=np.uint32), np.arange(40, dtype=np.uint32)))
    np.testing.assert_array_equal(compiled(("pow", "x0", "x1"), x, y, out=np.uint32), x**y)
    k = np.arange(-4, 5)
    np.testing.assert_array_equal(compiled(("pow", "x0", 3), k, out=k.dtype), k**3)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0, 4.0, -1.0, 0.5])
def test_constant_powers(exponent: float) -> None:
    x = np.array([-2.5, -0.0, 0.0, 0.3, 7.0, INF])
    np.testing.assert_allclose(compiled(("pow", "x0", exponent), x, out=x.dtype), x**exponent, rtol=1e-15)


def test_equal_parts_are_written_once() -> None:
    quotient = ("div", "x0", "x1")
    again = ("div", "x0", "x1")
    module = Module()
    b = module.function("f", [("x", "double"), ("y", "double")], "double")
    dtype = np.dtype(np.float64)
    expression = ("add", ("mul", quotient, quotient), ("mul", again, 2.0))
    b.end(e.evaluate(b, expression, [b["x"], b["y"]], [dtype] * 2, dtype))
    assert str(module).count("fdiv") == 1


def test_deep_expressions_of_shared_parts_are_quick() -> None:
    part: Any = "x0"
    for _ in range(60):
        part = ("mul", 0.5, ("add", part, part))
    x = np.array([1.0, 2.0])
    assert not e.unsupported(part, [x.dtype])
    np.testing.assert_array_equal(compiled(part, x, out=x.dtype), x)


def test_fused_operations_agree_with_their_parts() -> None:
    x = np.linspace(-100, 100, 4001)
    sigmoid = compiled(("div", 1, ("add", 1, ("exp", ("neg", "x0")))), x, out=x.dtype)
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-x)), rtol=1e-15)
    slope = compiled(("div", 1, ("mul", ("cosh", "x0"), ("cosh", "x0"))), x, out=x.dtype)
    np.testing.assert_allclose(slope, 1 / np.cosh(x) ** 2, rtol=2e-15)
    assert np.isnan(compiled(("add", 1, ("exp", "x0")), np.array([NAN]), out=x.dtype)).all()


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        errors = {(name, str(dtype)): measured(name, dtype) for name in ACCURACY for dtype in FLOATS}
    DOCUMENT.write_text(accuracy_markdown(errors), encoding="utf-8")
