"""The laws of every primitive, generated from the registry: a new record is tested the moment it is entered."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import kernels
import numpy as np
import pytest
from laws import STENCIL, STEP, check_first_order, check_second_order, close, is_smooth, plain, several, vjp, wave

import backlight
import backlight.loops  # scan and while_loop take their samples from here
from backlight.errors import UnsupportedError
from backlight.ops import scipy_special, special
from backlight.ops.samples import DOMAINS, INTEGERS, ORDERS
from backlight.primitive import REGISTRY, Elementwise, Map, Sample, Structural

special.load()

INF = np.inf
ELEMENTWISE = [record for record in REGISTRY if isinstance(record, Elementwise)]
STRUCTURAL = [record for record in REGISTRY if isinstance(record, Structural)]

NO_ORDER_DERIVATIVE = {"zeta", "iv", "ive", "jv"}  # by their first input; asking for it is an error
CUT = {"stop_gradient"}  # the derivative is zero by decree, so finite differences must differ
WEAK = {"xlogy", "xlog1py", "beta", "betaln"}  # SciPy takes a Python number beside a float32 for a float64
SCIPYS = {*scipy_special.UFUNCS, "digamma", "polygamma", "zeta"}  # their series here hold near their samples only
WITH_BODY = {"scan", "while_loop"}  # a traced graph, whose dtypes are those it was traced with
GAUGE = {"qr", "eigh", "eig", "svd"}  # complex factors are determined up to phases: see `without_phases`
PARTS = {"complex"}  # complex in what it gives, not in what it takes
WIDER = {"beta", "betaln"}  # SciPy continues them to where the domain in the record does not reach


def each(records: list[Any]) -> Any:
    return pytest.mark.parametrize("record", records, ids=lambda record: record.name)


# -- Elementwise -------------------------------------------------------------------------------------------------


def numpys(record: Elementwise) -> Any:
    """NumPy's function of the record's name (``np.identity`` and ``np.i0`` are something else), if there is one."""
    function = getattr(np, record.name, None)
    return function if isinstance(function, np.ufunc) or record.name == "where" else None


def sample_arrays(record: Elementwise, dtype: Any = np.float64) -> list[Any]:
    """The sample sets as arrays; whole numbers stay whole, a condition becomes boolean."""
    arrays: list[Any] = []
    for i, numbers in enumerate(record.samples):
        if i == 0 and record.operands == "condition":
            arrays.append(np.array(numbers, bool))
        elif numbers is ORDERS or all(type(number) is float for number in numbers):
            arrays.append(np.array(numbers, dtype))
        else:
            arrays.append(np.array(numbers))
    return arrays


def grid(record: Elementwise, dtype: Any = np.float64) -> list[Any]:
    """Every combination of the samples, one flat array per input."""
    arrays = np.meshgrid(*sample_arrays(record, dtype), indexing="ij")
    return [np.ascontiguousarray(x.ravel()) for x in arrays]


def differentiated(record: Elementwise) -> Any:
    """The record as a function of the inputs that have a derivative, and those inputs on the grid."""
    xs = grid(record)
    held = [i for i, numbers in enumerate(record.samples) if numbers is ORDERS or not is_smooth(xs[i])]
    if record.name in NO_ORDER_DERIVATIVE:
        held = [0]
    free = [i for i in range(len(xs)) if i not in held]

    def f(*inputs: Any) -> Any:
        whole = list(xs)
        for i, x in zip(free, inputs, strict=True):
            whole[i] = x
        return record(*whole)

    return f, [xs[i] for i in free]


SMOOTH = [r for r in ELEMENTWISE if r.name not in CUT and r.value(*grid(r)).dtype.kind == "f"]
HOLOMORPHIC = [record for record in SMOOTH if record.complex]


@each(ELEMENTWISE)
def test_value_is_numpys(record: Elementwise) -> None:
    oracle = numpys(record)
    for dtype in (np.float64, np.float32):
        xs = grid(record, dtype)
        y = plain(record(*[backlight.array(x) for x in xs]))
        if oracle is not None:
            expected = oracle(*xs)
            np.testing.assert_array_equal(y, expected)
            assert y.dtype == expected.dtype
        if y.dtype.kind == "f":
            assert y.dtype == dtype
            if not _held(record):
                assert {g.dtype for g in vjp(record, xs)} <= {np.dtype(dtype)}


def _held(record: Elementwise) -> bool:
    return record.name in NO_ORDER_DERIVATIVE


@each(ELEMENTWISE)
def test_value_of_integers_is_numpys(record: Elementwise) -> None:
    oracle = numpys(record)
    if oracle is None:
        return
    whole = [np.array([1, 2, 3]) + i for i in range(len(record.samples))]
    with np.errstate(all="ignore"):
        expected = oracle(*whole)
        y = record(*[backlight.array(x) for x in whole])
    np.testing.assert_array_equal(plain(y), expected)
    assert y.dtype == expected.dtype


@each(ELEMENTWISE)
def test_kernel_is_value(record: Elementwise) -> None:
    xs = grid(record)
    close(kernels.evaluate(record.kernel, xs, xs[0].shape), record.value(*xs), 2e-14)


@each([record for record in ELEMENTWISE if record.name not in SCIPYS and is_smooth(grid(record)[-1])])
def test_kernel_is_value_at_the_extremes(record: Elementwise) -> None:
    extremes = np.array([-INF, -800.0, -2.0, -1.0, -0.25, -1e-20, -0.0, 0.0, 1e-20, 0.25, 1.0, 2.0, 800.0, INF, np.nan])
    axes = [np.array([False, True]) if not is_smooth(x) else extremes for x in sample_arrays(record)]
    xs = [x.ravel() for x in np.meshgrid(*axes, indexing="ij")]
    with np.errstate(all="ignore"):
        expected = record.value(*xs)
    np.testing.assert_allclose(kernels.evaluate(record.kernel, xs, xs[0].shape), expected, rtol=1e-13)


@each([record for record in ELEMENTWISE if record.complex])
def test_kernel_is_value_for_complex_numbers(record: Elementwise) -> None:
    xs = complex_grid(record)
    close(kernels.evaluate(record.kernel, xs, xs[0].shape), record.value(*xs), 2e-14)


def complex_grid(record: Elementwise) -> list[Any]:
    return [x + 1j * (0.3 + 0.2 * wave(x, 1.0 + i)) if is_smooth(x) else x for i, x in enumerate(grid(record))]


@each(SMOOTH)
def test_first_order(record: Elementwise) -> None:
    f, xs = differentiated(record)
    check_first_order(f, xs)
    # A Jacobian that is diagonal can be checked whole: every element's own derivative by its own difference.
    for i in range(len(xs)):
        alone = [x if j == i else plain(x) for j, x in enumerate(xs)]
        exact = vjp(lambda x, i=i, alone=alone: f(*alone[:i], x, *alone[i + 1 :]), [xs[i]])[0]
        h = STEP
        numerical = sum(
            weight * (f(*alone[:i], xs[i] + k * h, *alone[i + 1 :]) - f(*alone[:i], xs[i] - k * h, *alone[i + 1 :])) / h
            for k, weight in STENCIL
        )
        np.testing.assert_allclose(exact, numerical, rtol=1e-8, atol=1e-10)


@each(SMOOTH)
def test_second_order(record: Elementwise) -> None:
    check_second_order(*differentiated(record))


@each(HOLOMORPHIC)
def test_complex(record: Elementwise) -> None:
    xs = complex_grid(record)
    check_first_order(record, xs)
    check_second_order(record, xs)
    single = [x.astype(np.complex64) if is_smooth(x) else x for x in xs]
    assert record(*[backlight.array(x) for x in single]).dtype == np.complex64
    assert {g.dtype for g in vjp(record, single)} == {np.dtype(np.complex64)}


def shaped(record: Elementwise, *shapes: tuple[int, ...]) -> list[Any]:
    """Samples cycled into the given shapes, one shape per input."""
    arrays = sample_arrays(record)
    return [np.resize(x, shape) for x, shape in zip(arrays, shapes, strict=True)]


@each(SMOOTH)
def test_broadcasting(record: Elementwise) -> None:
    count = len(record.samples)
    cases = [[(3, 1), (4,)], [(), (2, 3)], [(1,), (2, 1, 2)], [(0, 3), (1, 3)], [(), ()]]
    for shapes in cases:
        chosen = (shapes * 2)[:count]
        xs = shaped(record, *chosen)
        shape = np.broadcast_shapes(*chosen)
        full = [np.array(np.broadcast_to(x, shape)) for x in xs]
        if _held(record):
            together = vjp(lambda *x, xs=xs: record(xs[0], *x), xs[1:])
            copies = vjp(lambda *x, full=full: record(full[0], *x), full[1:])
            xs = xs[1:]
        else:
            together, copies = vjp(record, xs), vjp(record, full)
            xs = [x for x in xs if is_smooth(x)]
        np.testing.assert_array_equal(record.value(*full).shape, shape)
        for g, copy, x in zip(together, copies, xs, strict=True):
            lead = tuple(range(copy.ndim - x.ndim))
            stretched = tuple(
                i for i in range(copy.ndim) if i - len(lead) >= 0 and x.shape[i - len(lead)] != copy.shape[i]
            )
            expected = copy.sum((*lead, *stretched)).reshape(x.shape)
            np.testing.assert_allclose(g, expected, rtol=1e-12, atol=1e-12)


@each(SMOOTH)
def test_arrays_that_are_not_contiguous(record: Elementwise) -> None:
    xs = shaped(record, *[(4, 6)] * len(record.samples))
    strided = [np.asfortranarray(x)[::2, ::-3].T for x in xs]
    if _held(record):
        first, second = (lambda *x, a=a: record(a, *x) for a in (strided[0], np.ascontiguousarray(strided[0])))
        strided = strided[1:]
    else:
        first = second = record
    for g, expected in zip(vjp(first, strided), vjp(second, [np.ascontiguousarray(x) for x in strided]), strict=True):
        np.testing.assert_array_equal(g, expected)


@each(SMOOTH)
def test_python_numbers_and_numpy_scalars(record: Elementwise) -> None:
    numbers = [x.ravel()[0].item() for x in sample_arrays(record)]
    last = len(numbers) - 1
    single = record(*numbers[:last], backlight.array(np.float32(numbers[last])))
    assert single.dtype == (np.float64 if record.name in WEAK else np.float32)
    assert single.shape == ()
    expected = record.value(*[np.float32(number) if type(number) is float else number for number in numbers])
    np.testing.assert_allclose(plain(single), expected, rtol=1e-6)
    assert not isinstance(record(*numbers), backlight.Array)


@each(ELEMENTWISE)
def test_preserves_zero_is_true(record: Elementwise) -> None:
    zeros = [np.zeros(1, x.dtype) for x in sample_arrays(record)]
    with np.errstate(all="ignore"):
        y = record.value(*zeros)
    assert bool(np.all(y == 0)) == record.preserves_zero


@each([record for record in ELEMENTWISE if record.kinks])
def test_derivative_at_kinks(record: Elementwise) -> None:
    expected = float(re.match(r"-?\d+(\.\d+)?", record.at_kink)[0])  # type: ignore[index]
    for kink, start in itertools.product(record.kinks, (-1.5, 0.0, 2.0)):
        xs = [np.array([kink])] if len(record.samples) == 1 else [np.array([start + kink]), np.array([start])]
        for g in vjp(record, xs):
            np.testing.assert_array_equal(g, [expected])


@each(ELEMENTWISE)
def test_samples_stay_away_from_kinks(record: Elementwise) -> None:
    xs = grid(record)
    distance = xs[0] if len(xs) == 1 else xs[0] - xs[1] if is_smooth(xs[0]) else np.ones(1)
    for kink in record.kinks:
        assert np.all(np.abs(distance - kink) > 0.01)


@each(ELEMENTWISE)
def test_domain_is_where_values_are_finite(record: Elementwise) -> None:
    domain = DOMAINS[record.domain]
    xs = grid(record)
    assert np.all(domain.contains(*xs))
    assert np.all(np.isfinite(record.value(*xs)))
    real = np.array([-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
    probes = [
        x if not is_smooth(x) or n is ORDERS else real
        for x, n in zip(sample_arrays(record), record.samples, strict=True)
    ]
    if any(numbers is INTEGERS for numbers in record.samples):
        probes = sample_arrays(record)
    points = [x.ravel() for x in np.meshgrid(*probes, indexing="ij")]
    with np.errstate(all="ignore"):
        finite = np.isfinite(record.value(*points))
    inside = domain.contains(*points)
    assert np.all(finite[inside])
    if record.name not in WIDER:
        assert not np.any(finite[~inside])


@pytest.mark.parametrize("name", sorted(NO_ORDER_DERIVATIVE))
def test_derivative_by_an_order_is_refused(name: str) -> None:
    record = getattr(REGISTRY, name)
    with pytest.raises(UnsupportedError, match=name):
        vjp(record, [np.array([2.0]), np.array([1.5])])


def test_every_edge_that_can_be_wild_uses_chain() -> None:
    """A local derivative that is not a constant can be infinite or nan: such an edge must not multiply plainly."""
    for record in ELEMENTWISE:
        inputs = [backlight.array(x) if is_smooth(x) else backlight.array(x, dtype=bool) for x in grid(record)]
        if record.value(*grid(record)).dtype.kind != "f" or _held(record):
            continue
        y = record(*inputs)
        constant = [p is None or isinstance(p(*inputs, y), int | float) for p in record.partials]
        assert record.singular == (not all(constant)), record.name


# -- Structural --------------------------------------------------------------------------------------------------


def samples_of(record: Structural) -> list[Sample]:
    return list(record.samples())


def complex_samples(record: Structural) -> list[Sample]:
    """The complex samples of a record; where it brings none, the real ones with imaginary parts added."""
    samples = samples_of(record)
    own = [sample for sample in samples if any(np.asarray(x).dtype.kind == "c" for x in sample.inputs)]
    if own:
        return own
    return [
        Sample(
            tuple(x + 1j * wave(x, 2.0 + i) if is_smooth(x) else x for i, x in enumerate(sample.inputs)), sample.params
        )
        for sample in samples
    ]


def applied(record: Structural, params: dict[str, Any]) -> Any:
    return lambda *xs: record(*xs, **params)


BATCHED = [record for record in STRUCTURAL if record.batch is not None]


@each(STRUCTURAL)
def test_shape_rule(record: Structural) -> None:
    for sample in samples_of(record):
        y = record.value(*sample.inputs, **sample.params)
        shape = record.shape(*[np.shape(x) for x in sample.inputs], **sample.params)
        if record.outputs == 1:
            assert tuple(shape) == np.shape(y)
        else:
            assert [tuple(s) for s in shape] == [np.shape(each) for each in y]


@each(STRUCTURAL)
def test_structural_first_order(record: Structural) -> None:
    for sample in samples_of(record):
        check_first_order(applied(record, sample.params), sample.inputs)


@each(STRUCTURAL)
def test_structural_second_order(record: Structural) -> None:
    for sample in samples_of(record):
        check_second_order(applied(record, sample.params), sample.inputs)


def without_phases(record: Structural, params: dict[str, Any]) -> Any:
    """What is left of a factorisation when the phases of its columns are taken out: products of matching vectors."""

    def outer(u: Any, v: Any) -> Any:
        """u_ik v_jk for every k."""
        u = REGISTRY.reshape(u, shape=(*u.shape[:-1], 1, u.shape[-1]))
        return u * REGISTRY.reshape(v, shape=(*v.shape[:-2], 1, *v.shape[-2:]))

    def turned(v: Any) -> Any:
        return REGISTRY.transpose(v, axes=(*range(v.ndim - 2), v.ndim - 1, v.ndim - 2))

    def f(*xs: Any) -> Any:
        ys = record(*xs, **params)
        if record.name == "qr":
            return outer(ys[0], turned(ys[1]))
        if record.name == "svd":
            return ys[1], outer(ys[0], turned(ys[2]))
        return ys[0], outer(ys[1], REGISTRY.conjugate(ys[1]))

    return f


@each([record for record in STRUCTURAL if record.complex and record.name not in PARTS])
def test_structural_complex(record: Structural) -> None:
    for sample in complex_samples(record):
        f = without_phases(record, sample.params) if record.name in GAUGE else applied(record, sample.params)
        check_first_order(f, sample.inputs)
        check_second_order(f, sample.inputs)


@each([record for record in STRUCTURAL if record.name not in WITH_BODY])
def test_structural_single_precision(record: Structural) -> None:
    for sample in samples_of(record):
        if "dtype" in sample.params or any(np.asarray(x).dtype.kind == "c" for x in sample.inputs):
            continue
        xs = [x.astype(np.float32) if is_smooth(x) else x for x in sample.inputs]
        wide, single = (several(record.value(*inputs, **sample.params)) for inputs in (sample.inputs, xs))
        for a, b in zip(wide, single, strict=True):
            assert b.dtype == {"float64": "float32", "complex128": "complex64"}.get(a.dtype.name, a.dtype)
        for g in vjp(applied(record, sample.params), xs):
            assert g.dtype == np.float32


@each(STRUCTURAL)
def test_structural_kernel_is_value(record: Structural) -> None:
    complexes = complex_samples(record) if record.complex and record.name not in PARTS else []
    for sample in (*samples_of(record), *complexes):
        kernel = record.kernel(*[np.shape(x) for x in sample.inputs], **sample.params)
        assert isinstance(kernel, tuple)
        if isinstance(kernel, kernels.EXEMPT):
            continue
        y = np.asarray(record.value(*sample.inputs, **sample.params))
        found = kernels.evaluate(kernel, sample.inputs, y.shape)
        close(found.real if y.dtype.kind != "c" else found, y, 1e-14)


def stacked(sample: Sample, batched: tuple[bool, ...], count: int) -> list[list[Any]]:
    """``count`` versions of the inputs, those not batched the same in all of them."""
    versions = []
    for k in range(count):
        xs = []
        for x, varies in zip(sample.inputs, batched, strict=True):
            x = np.asarray(x)
            if not varies or k == 0:
                xs.append(x)
            else:
                xs.append(x * (1 + 0.1 * k) if is_smooth(x) else np.roll(x, k))
        versions.append(xs)
    return versions


@each(BATCHED)
def test_batch_rule(record: Structural) -> None:
    for sample in samples_of(record):
        inputs = sample.inputs
        choices = [c for c in itertools.product((False, True), repeat=len(inputs)) if any(c)]
        for batched, count in itertools.product(choices, (1, 3)):
            versions = stacked(sample, batched, count)
            xs = [
                backlight.array(np.stack([version[i] for version in versions]) if batched[i] else np.asarray(inputs[i]))
                for i in range(len(inputs))
            ]
            together = several(record.batch(batched, *xs, **sample.params))  # type: ignore[misc]
            alone = [several(record.value(*version, **sample.params)) for version in versions]
            assert len(together) == len(alone[0])
            for k, y in enumerate(together):
                close(plain(y), np.stack([ys[k] for ys in alone]), 1e-12)
                assert y.dtype == alone[0][k].dtype


@each(STRUCTURAL)
def test_structural_inputs_are_not_changed(record: Structural) -> None:
    for sample in samples_of(record):
        before = [np.array(x) for x in sample.inputs]
        record.value(*sample.inputs, **sample.params)
        for x, copy in zip(sample.inputs, before, strict=True):
            np.testing.assert_array_equal(x, copy)


def _softmax(x: Any, axis: tuple[int, ...]) -> Any:
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def _einsum(*xs: Any, inputs: Any, output: Any) -> Any:
    return np.einsum(*[part for pair in zip(xs, inputs, strict=True) for part in pair], output)


def _fft(x: Any, axes: tuple[int, ...], inverse: bool) -> Any:
    for axis in axes:
        k = np.arange(x.shape[axis])
        turns = np.exp((2j if inverse else -2j) * np.pi * np.outer(k, k) / len(k))
        x = np.moveaxis(np.tensordot(turns, x, (1, axis)), 0, axis)
    return x


def _adjugate(a: Any, *directions: Any) -> Any:
    """The matrix of cofactors, transposed; along m directions its mixed central difference, exact up to 3 by 3."""
    if directions:
        signs = list(itertools.product((1, -1), repeat=len(directions)))
        steps = [a + sum(s * e for s, e in zip(each, directions, strict=True)) for each in signs]
        return sum(np.prod(each) * _adjugate(step) for each, step in zip(signs, steps, strict=True)) / len(signs)
    n = a.shape[-1]
    out = np.empty_like(a)
    for i, j in np.ndindex(n, n):
        minor = np.delete(np.delete(a, i, axis=-2), j, axis=-1)
        out[..., j, i] = (-1) ** (i + j) * np.linalg.det(minor)
    return out


ORACLES: dict[str, Any] = {
    "fft": _fft,
    "adjugate": _adjugate,
    "reshape": lambda x, shape: np.reshape(x, shape),
    "pinv": lambda x, rtol: np.linalg.pinv(x, rtol=rtol),
    **{name: getattr(np, name) for name in ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "flip")},
    **{name: getattr(np, name) for name in ("cumsum", "cumprod", "sort", "broadcast_to", "transpose", "matmul")},
    **{name: getattr(np, name) for name in ("conjugate", "real", "imag")},
    **{name: getattr(np.linalg, name) for name in ("cholesky", "solve", "inv", "det", "slogdet", "eigh", "svd")},
    "argsort": lambda x, axis: np.argsort(x, axis=axis, stable=True),
    "concatenate": lambda *xs, axis: np.concatenate(xs, axis=axis),
    "einsum": _einsum,
    "softmax": _softmax,
    "logsumexp": lambda x, axis: np.log(np.sum(np.exp(x), axis=axis)),
    "qr": lambda x, complete: np.linalg.qr(x, "complete" if complete else "reduced"),
}
TESTED_ELSEWHERE = {
    "scan": "its body is a graph, run against Python loops in test_loops",
    "while_loop": "its body is a graph, run against Python loops in test_loops",
    "draw": "the generator is compared with its published vectors in test_random",
    "eig": "NumPy gives real numbers where no imaginary part is left: test_eigenvectors asks for A v = λ v instead",
}


@each([record for record in STRUCTURAL if record.name in ORACLES])
def test_structural_value_is_numpys(record: Structural) -> None:
    for sample in samples_of(record):
        expected = ORACLES[record.name](*sample.inputs, **sample.params)
        for a, b in zip(
            several(record.value(*sample.inputs, **sample.params)),
            several(tuple(expected) if record.outputs != 1 else expected),
            strict=True,
        ):
            close(a, b, 2e-14)
            assert np.asarray(a).dtype == np.asarray(b).dtype


def test_eigenvectors() -> None:
    for sample in [*samples_of(REGISTRY.eig), *complex_samples(REGISTRY.eig)]:
        (a,) = sample.inputs
        values, vectors = REGISTRY.eig.value(a)
        close(a @ vectors, vectors * values[..., None, :], 1e-13)
        close(np.linalg.norm(vectors, axis=-2), np.ones(values.shape), 1e-13)


def test_every_value_is_compared_with_something() -> None:
    for record in STRUCTURAL:
        samples = samples_of(record)
        if not samples:
            continue
        kernel = record.kernel(*[np.shape(x) for x in samples[0].inputs], **samples[0].params)
        if isinstance(kernel, kernels.EXEMPT):
            assert (record.name in ORACLES) != (record.name in TESTED_ELSEWHERE), record.name


def _operations(expression: Any) -> set[str]:
    if not isinstance(expression, tuple):
        return set()
    return {expression[0]}.union(*map(_operations, expression[1:]))


def test_vocabulary_is_closed_and_documented() -> None:
    """Every scalar operation is evaluated here, used by some record, and named in the docstring of ``Map``."""
    maps = [record.kernel for record in ELEMENTWISE]
    for record in STRUCTURAL:
        for sample in samples_of(record):
            kernel = record.kernel(*[np.shape(x) for x in sample.inputs], **sample.params)
            maps += [kernel] if isinstance(kernel, Map) else []
    used = set().union(*[_operations(kernel.expression) for kernel in maps])
    vocabulary = {*kernels.UNARY, *kernels.BINARY, "select"}
    assert used == vocabulary
    assert vocabulary <= set(re.findall(r"\w+", Map.__doc__ or ""))


# -- All records -------------------------------------------------------------------------------------------------


@each([*ELEMENTWISE, *STRUCTURAL])
def test_record_is_documented(record: Any) -> None:
    assert record.why.en.strip().endswith(".")
    assert record.why.zh.strip().endswith("。")
    assert re.search(r"[\u4e00-\u9fff]", record.why.zh)
    assert not re.search(r"[\u4e00-\u9fff]", record.why.en)
    assert record.domain in DOMAINS


@each([record for record in STRUCTURAL if record.name != "item"])
def test_structural_record_has_samples(record: Structural) -> None:
    samples = samples_of(record)
    assert len(samples) >= 2
    for sample in samples:
        for y in several(record.value(*sample.inputs, **sample.params)):
            assert np.all(np.isfinite(y))


def test_whys_are_distinct() -> None:
    for sentences in zip(*[record.why for record in REGISTRY], strict=True):
        repeated = [sentence for sentence, times in Counter(sentences).items() if times > 1]
        assert repeated == []
