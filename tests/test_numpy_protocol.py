"""The ufunc protocol (out, where, dtype, reduce, at, …), the methods of an Array, and what is refused."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from laws import check_first_order, check_second_order, vjp

import backlight
from backlight.array import FUNCTIONS, Array
from backlight.errors import ArgumentError, BacklightError, DTypeError, RangeError, ShapeError, UnsupportedError

V = np.array([0.7, -1.3, 2.1, 0.4, -0.6])
W = np.array([1.9, 0.3, -0.8, 1.1, 2.4])
A = np.array([[0.3, -1.2, 2.5], [1.7, 0.6, -0.4]])
B = np.array([[1.1, 0.8, -1.5], [0.2, 2.2, 0.9]])
MASK = np.array([True, False, True, True, False])


def same(mapping: Any, *inputs: Any) -> None:
    """Value and dtype as NumPy's own, derivatives as finite differences."""
    wanted = mapping(*inputs)
    got = mapping(*[backlight.array(x) for x in inputs])
    assert isinstance(got, Array)
    np.testing.assert_allclose(got.node.value, wanted, rtol=1e-13, atol=1e-13)
    assert got.shape == np.shape(wanted)
    assert got.dtype == np.asarray(wanted).dtype
    check_first_order(mapping, inputs)


# -- ufunc methods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.hypot, np.subtract])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_reduce_and_accumulate(ufunc: Any, axis: int) -> None:
    same(lambda x: ufunc.reduce(x, axis=axis), A)
    same(lambda x: ufunc.accumulate(x, axis=axis), A)
    same(lambda x: ufunc.reduce(x, axis, keepdims=True), A)


def test_reduce_over_several_axes_and_with_initial() -> None:
    same(lambda x: np.add.reduce(x, axis=None), A)
    same(lambda x: np.multiply.reduce(x, axis=(0, 1)), A)
    same(lambda x: np.logaddexp.reduce(x, axis=None, initial=1.0), A)
    same(lambda x: np.add.reduce(x, axis=0, where=A > 0, initial=2.0), A)
    assert np.logical_and.reduce(backlight.array(V) > -2)
    assert not np.logical_or.reduce(backlight.array(V) > 9)


def test_outer_and_reduceat() -> None:
    same(lambda x, y: np.multiply.outer(x, y), V, W)
    same(lambda x, y: np.subtract.outer(x, y), A, V)
    same(lambda x: np.add.reduceat(x, [0, 3, 1]), V)
    same(lambda x: np.multiply.reduceat(x, [1, 0, 2], axis=1), A)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum", "divide"])
def test_at_counts_every_mention(name: str) -> None:
    def mapping(x: Any, v: Any) -> Any:
        y = np.copy(x)
        getattr(np, name).at(y, [0, 2, 0, 4], v)
        return y

    same(mapping, V, W[:4])


def test_at_of_one_input_and_of_a_matrix() -> None:
    def negated(x: Any) -> Any:
        y = np.copy(x)
        np.negative.at(y, [0, 2])
        return y

    def added(x: Any, v: Any) -> Any:
        y = np.copy(x)
        np.add.at(y, (np.array([0, 1, 0]), np.array([2, 0, 2])), v)
        return y

    same(negated, V)
    same(added, A, V[:3])


# -- out, where, dtype -----------------------------------------------------------------------------------------------


def test_out_writes_into_an_array() -> None:
    def mapping(x: Any, y: Any) -> Any:
        out = np.zeros_like(x)
        returned = np.multiply(x, y, out=out)
        assert returned is out
        return out + 1

    same(mapping, V, W)


def test_out_writes_through_a_view() -> None:
    def mapping(x: Any) -> Any:
        y = np.copy(x)
        np.exp(x[:2], out=y[3:])
        return y

    same(mapping, V)


def test_out_of_a_function() -> None:
    def mapping(x: Any) -> Any:
        out = np.zeros_like(x)
        np.cumsum(x, out=out)
        np.sum(x, keepdims=True, out=out[:1])
        return out

    same(mapping, V)


def test_several_outputs_into_out() -> None:
    def mapping(x: Any) -> Any:
        whole = np.zeros_like(x)
        part, again = np.modf(x, None, whole)
        assert again is whole
        return part * 2 + whole

    same(mapping, V)


def test_where_keeps_what_out_held_and_does_not_poison() -> None:
    def mapping(x: Any, y: Any) -> Any:
        out = np.copy(y)
        np.log(x, out=out, where=x > 0)
        return out

    same(mapping, V, W)


def test_dtype_computes_in_that_dtype() -> None:
    x = backlight.array(np.array([1, 2, 3]))
    assert np.add(x, 1, dtype=np.float32).dtype == np.float32
    assert np.add(backlight.array(V), 1, dtype=np.float32).dtype == np.float32
    assert np.sqrt(backlight.array(V.astype(np.float32) ** 2), dtype=np.float64).dtype == np.float64
    assert np.sum(x, dtype=np.float32).dtype == np.float32


def test_out_of_the_wrong_kind_is_refused() -> None:
    x = backlight.array(V)
    with pytest.raises(UnsupportedError, match="plain array"):
        np.add(x, 1, out=np.zeros(5))
    plain = np.zeros(5)
    with pytest.raises(UnsupportedError, match="y = y \\+ x"):
        plain += x
    with pytest.raises(DTypeError):
        np.add(x, 1, out=backlight.array(np.zeros(5, int)))
    with pytest.raises(ShapeError):
        np.add(x, 1, out=backlight.array(np.zeros(3)))
    with pytest.raises(UnsupportedError, match="plain array"):
        np.add.at(np.zeros(5), [0], x[0])


def test_out_may_be_an_array_for_plain_inputs() -> None:
    out = backlight.array(np.zeros(5))
    np.add(V, W, out=out)
    np.testing.assert_array_equal(out.value, V + W)


# -- Methods ---------------------------------------------------------------------------------------------------------

METHODS = [
    ("sum", (), {"axis": 0}),
    ("prod", (1,), {}),
    ("mean", (), {"axis": 1, "keepdims": True}),
    ("var", (), {"ddof": 1}),
    ("std", (0,), {}),
    ("max", (), {}),
    ("min", (1,), {}),
    ("cumsum", (1,), {}),
    ("cumprod", (), {}),
    ("clip", (-0.5, 1.0), {}),
    ("clip", (), {"min": 0.0}),
    ("reshape", (3, 2), {}),
    ("reshape", ((3, -1),), {}),
    ("reshape", (6,), {"order": "F"}),
    ("ravel", (), {}),
    ("flatten", (), {}),
    ("transpose", (), {}),
    ("transpose", (1, 0), {}),
    ("transpose", ((1, 0),), {}),
    ("squeeze", (), {}),
    ("swapaxes", (0, 1), {}),
    ("repeat", (2,), {"axis": 0}),
    ("take", ([0, -1],), {"axis": 1}),
    ("diagonal", (1,), {}),
    ("trace", (), {}),
    ("compress", ([True, False, True],), {"axis": 1}),
    ("copy", (), {}),
    ("astype", (np.complex128,), {}),
    ("dot", (B.T,), {}),
    ("conj", (), {}),
    ("conjugate", (), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), METHODS, ids=lambda value: str(value)[:20])
def test_methods_are_those_of_ndarray(name: str, args: Any, kwargs: Any) -> None:
    same(lambda x: getattr(x, name)(*args, **kwargs), A)


@pytest.mark.parametrize("name", ["T", "mT", "real", "imag"])
def test_properties_are_those_of_ndarray(name: str) -> None:
    same(lambda z: getattr(z, name), np.array([[1 + 2j, 0.5j], [-1.5 + 1j, 2.0]]))


def test_constant_methods() -> None:
    x = backlight.array(A)
    assert int(x.argmax()) == A.argmax()
    np.testing.assert_array_equal(x.argmin(axis=1).value, A.argmin(axis=1))
    np.testing.assert_array_equal(x.argsort(axis=0).value, A.argsort(axis=0))
    np.testing.assert_array_equal(x.round(1).value, A.round(1))
    assert bool(x.any())
    assert bool(x.all())
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(x.nonzero(), A.nonzero(), strict=True))
    np.testing.assert_array_equal(backlight.array(np.sort(V)).searchsorted(0.5).value, np.sort(V).searchsorted(0.5))
    assert (x > 0).sum().dtype == np.intp
    assert vjp(lambda x: np.round(x) * 1.0, [V])[0].tolist() == [0.0] * 5


def test_methods_that_write() -> None:
    def mapping(x: Any, v: Any) -> Any:
        y, z, w = np.copy(x), np.copy(x), np.copy(x)
        y.sort()
        z.put([0, -1], v)
        w.flat[3] = v[0]
        u = np.copy(x)
        u.fill(v[1])
        t = np.copy(x)
        t.partition(2)
        s = np.copy(x)
        s.flat = v[0] * 2
        return y * x + z + w + u * 3 + t[2] + s

    same(mapping, V, W[:2])
    same(lambda x: np.stack([v * v for v in x.flat]), A)


WITHOUT = {
    *("base", "byteswap", "ctypes", "data", "dump", "dumps", "flags", "getfield", "resize", "setfield", "setflags"),
    *("strides", "to_device", "tobytes", "tofile", "view"),
}
"""What an ndarray has and an Array has not: all of it is about bytes in memory."""


def test_an_array_has_the_attributes_of_ndarray() -> None:
    public = {name for name in dir(np.ndarray) if not name.startswith("_")}
    kept_to_explain = {"itemset", "newbyteorder", "tostring"}  # NumPy 2.0 still names them, only to raise an error
    assert public - set(dir(Array)) - kept_to_explain == WITHOUT
    assert backlight.array(V).device == "cpu"
    assert backlight.array(V).__array_namespace__() is np


def test_parts_of_complex_numbers_can_be_written() -> None:
    def mapping(z: Any, v: Any) -> Any:
        w = np.copy(z)
        w.real = v
        w.imag[1] = v[0]
        return w

    same(mapping, np.array([1 + 2j, 3 - 1j]), V[:2])


def test_python_functions_on_numbers() -> None:
    x = backlight.array(2.37)
    assert round(x) == 2
    assert float(round(x, 1)) == 2.4
    assert [float(part) for part in divmod(x, 2)] == [1.0, 2.37 % 2]


def test_scipy_ufuncs_arrive_through_the_protocol() -> None:
    from scipy import special

    same(special.gammaln, V**2)
    out = backlight.array(np.zeros(5))
    special.expit(backlight.array(V), out=out)
    np.testing.assert_allclose(out.value, special.expit(V), rtol=1e-14)


LEARNERS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "exp": np.exp,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_methods(name: str) -> None:
    got = getattr(backlight.array(A), name)()
    np.testing.assert_allclose(got.value, LEARNERS[name](A), rtol=1e-13)
    np.testing.assert_allclose(vjp(lambda x: getattr(x, name)(), [A])[0], vjp(LEARNERS[name], [A])[0], atol=1e-13)


def test_learners_methods_of_positive_numbers() -> None:
    same(lambda x: x.log() if isinstance(x, Array) else np.log(x), V**2)
    same(lambda x: x.sqrt() if isinstance(x, Array) else np.sqrt(x), V**2)


# -- The functions that networks are made of ---------------------------------------------------------------------------

SMOOTH = ["sigmoid", "softplus", "silu", "gelu", "erf", "softmax", "log_softmax", "logsumexp"]


@pytest.mark.parametrize("name", SMOOTH)
def test_functions_of_networks(name: str) -> None:
    function = getattr(backlight.functions, name)
    assert isinstance(function(A), np.ndarray | np.generic), "plain in, plain out"
    np.testing.assert_allclose(function(backlight.array(A)).value, function(A), rtol=1e-15)
    check_first_order(function, [A])
    check_second_order(function, [A])


def test_functions_of_networks_are_steady_for_large_inputs() -> None:
    x = np.array([-1000.0, 0.0, 1000.0])
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_array_equal(backlight.functions.softmax(x), [0, 0, 1])
        np.testing.assert_array_equal(backlight.functions.log_softmax(x), [-2000, -1000, 0])
        np.testing.assert_array_equal(backlight.functions.softplus(x), [0, np.log(2), 1000])
        assert backlight.functions.logsumexp(x) == 1000
    np.testing.assert_array_equal(vjp(backlight.functions.softplus, [x])[0], [0, 0.5, 1])
    np.testing.assert_array_equal(vjp(backlight.functions.logsumexp, [x])[0], [0, 0, 1])
    check_first_order(lambda x: backlight.functions.gelu(x, approximate=True), [A])


def test_one_hot() -> None:
    labels = np.array([[0, 2], [1, 1]])
    np.testing.assert_array_equal(backlight.functions.one_hot(labels, 3), np.eye(3)[labels])
    traced = backlight.functions.one_hot(backlight.array(labels), 3, np.float32)
    np.testing.assert_array_equal(traced.value, np.eye(3, dtype=np.float32)[labels])
    assert traced.dtype == np.float32


# -- Where derivatives are hard ----------------------------------------------------------------------------------------


def test_std_of_constant_data_has_gradient_zero() -> None:
    for x in (np.full(4, 1.5), np.full((2, 3), -0.1)):
        np.testing.assert_allclose(vjp(np.std, [x])[0], 0, atol=1e-16)
        np.testing.assert_allclose(vjp(lambda x: np.std(x, axis=-1), [x])[0], 0, atol=1e-16)


def test_second_derivatives() -> None:
    for mapping in (np.var, np.std, np.mean, lambda x: np.quantile(x, 0.3), np.sinc, np.i0, np.corrcoef):
        check_second_order(mapping, [A])


def test_sinc_is_accurate_near_zero() -> None:
    x = np.array([0.0, 1e-9, 1e-4, 0.03, 0.2])
    slope = [0.0, -(np.pi**2) / 3 * 1e-9, -(np.pi**2) / 3 * 1e-4 * (1 - np.pi**2 * 1e-8 / 10)]
    np.testing.assert_allclose(vjp(np.sinc, [x])[0][:3], slope, rtol=1e-12)


def test_clip_passes_the_gradient_on_its_bounds() -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_array_equal(vjp(lambda x: np.clip(x, 0, 1), [x])[0], [0, 1, 1, 1, 0])


def test_repeated_abscissas_in_interp() -> None:
    xp, fp = np.array([0.0, 1.0, 1.0, 2.0, 2.0]), np.array([0.0, 1.0, 5.0, 6.0, 9.0])
    x = np.array([0.5, 1.0, 1.5, 2.0, 2.5])
    np.testing.assert_array_equal(np.interp(backlight.array(x), xp, fp).value, np.interp(x, xp, fp))


def test_nan_where_numpy_has_nan() -> None:
    x = np.array([[1.0, np.nan, 2.0], [3.0, 4.0, 0.5]])
    functions = (np.median, np.max, np.mean, np.std, np.sort, lambda x, axis: np.quantile(x, 0.2, axis))
    for function in functions:
        np.testing.assert_array_equal(function(backlight.array(x), axis=1).value, function(x, axis=1))
    lost = np.array([[np.nan, np.nan], [1.0, np.nan]])
    np.testing.assert_array_equal(np.nanmax(backlight.array(lost), axis=1).value, [np.nan, 1.0])
    with pytest.raises(ArgumentError, match="NaN"):
        np.nanargmax(backlight.array(lost), axis=1)
    assert int(np.nanargmin(backlight.array(x))) == 5


# -- Constant by nature, and questions ---------------------------------------------------------------------------------

CONSTANTS = [
    lambda x: np.isclose(x, x + 1e-9),
    lambda x: np.isclose(x * np.inf, np.inf),
    lambda x: np.allclose(x, x),
    lambda x: np.array_equal(x, x),
    lambda x: np.array_equiv(x, x),
    lambda x: int(np.count_nonzero(x > 0)),  # NumPy 2.0 gives a Python number
    lambda x: np.argwhere(x > 0),
    lambda x: np.flatnonzero(x > 0),
    lambda x: np.nonzero(x)[0],
    lambda x: np.where(x > 0)[0],
    lambda x: np.digitize(x, [-1.0, 0.0, 1.0]),
    lambda x: np.searchsorted(np.array([-1.0, 0.0, 1.0]), x, side="right"),
    lambda x: np.lexsort((x, np.round(x))),
    lambda x: np.isin(x, [0.7, 2.1]),
    lambda x: np.argpartition(x, 2)[2],
    lambda x: np.fix(x),
    lambda x: np.around(x, 1),
    lambda x: np.round(x * 100, -1),
    lambda x: np.isreal(x),
    lambda x: np.iscomplex(x),
    lambda x: np.isposinf(x),
    lambda x: np.isneginf(x / 0.0),
    lambda x: np.spacing(x),
    lambda x: np.histogram(x, bins=3)[0],
    lambda x: np.shape(x),
    lambda x: np.ndim(x),
    lambda x: np.size(x),
    lambda x: np.size(x, 0),
    lambda x: np.iscomplexobj(x),
    lambda x: np.isrealobj(x),
    lambda x: np.result_type(x, np.float32),
    lambda x: np.can_cast(x.dtype, np.float32),
    lambda x: np.array2string(x),
    lambda x: np.array_str(x),
    lambda x: np.zeros_like(x),
    lambda x: np.ones_like(x, dtype=int),
    lambda x: np.empty_like(x, shape=(2, 0)),
    lambda x: np.shares_memory(x, x[1:]),
    lambda x: np.may_share_memory(x, np.copy(x)),
    lambda x: x[np.ix_(x > 0)],
    lambda x: np.bitwise_count(np.array([3, 5])),
    lambda x: np.unravel_index(np.argmax(x), (5,))[0],
]


@pytest.mark.parametrize("mapping", CONSTANTS, ids=range(len(CONSTANTS)))
def test_constant_functions_answer_as_numpy(mapping: Any) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted, got = mapping(V), mapping(backlight.array(V))
    value = got.node.value if isinstance(got, Array) else got
    assert np.array_equal(value, wanted)
    assert np.asarray(value).dtype == np.asarray(wanted).dtype
    if isinstance(wanted, bool | str | int | tuple):
        assert type(got) is type(wanted)


def test_integers() -> None:
    i, j = np.array([12, 18]), np.array([8, 27])
    for function in (np.gcd, np.lcm, operator.and_, operator.or_, operator.xor, operator.floordiv, operator.mod):
        np.testing.assert_array_equal(function(backlight.array(i), j).value, function(i, j))
    np.testing.assert_array_equal(np.packbits(backlight.array(MASK)), np.packbits(MASK))


def test_creation_with_like() -> None:
    x = backlight.array(V)
    for made in (np.zeros(3, like=x), np.arange(3.0, like=x), np.eye(2, like=x), np.array([1.0, x[0]], like=x)):
        assert isinstance(made, Array)
    same(lambda x: np.array([x[0], 2.0], like=x) if isinstance(x, Array) else np.array([x[0], 2.0]), V)


# -- Refusals ----------------------------------------------------------------------------------------------------------

REFUSED = [
    (RangeError, lambda x: np.sum(x, axis=3)),
    (RangeError, lambda x: np.concatenate([x, x], axis=1)),
    (ArgumentError, lambda x: np.sum(x, axis=(0, 0))),
    (ArgumentError, lambda x: np.reshape(x, (2, 3))),
    (ArgumentError, lambda x: np.reshape(x, (-1, 3))),
    (ArgumentError, lambda x: np.squeeze(x, axis=0)),
    (ArgumentError, lambda x: np.stack([x, x[:2]])),
    (ArgumentError, lambda x: np.split(x, 2)),
    (ArgumentError, lambda x: np.quantile(x, 1.5)),
    (ArgumentError, lambda x: np.quantile(x, 0.5, method="guess")),
    (ArgumentError, lambda x: np.convolve(x, x, "half")),
    (ArgumentError, lambda x: np.transpose(x, (0, 1)) if x.ndim == 2 else np.transpose(x[None], (0,))),
    (ArgumentError, lambda x: np.pad(x, 1, mode="mirror")),
    (ArgumentError, lambda x: np.choose(np.array([7]), [x])),
    (ArgumentError, lambda x: np.max(x, where=MASK)),
    (ArgumentError, lambda x: np.fft.fft(x, norm="none")),
    (ArgumentError, lambda x: np.fft.rfft(x * 1j)),
    (ArgumentError, lambda x: np.subtract.reduce(x[:0])),
    (ArgumentError, lambda x: x.astype(int, casting="safe")),
    (UnsupportedError, lambda x: np.add(x, x, signature="dd->d")),
    (UnsupportedError, lambda x: np.subtract.reduce(x, where=x.value > 0, initial=0.0)),
    (UnsupportedError, lambda x: np.histogram(x, "auto", weights=x)),
    (UnsupportedError, lambda x: np.sort(x, order="name")),
    (UnsupportedError, lambda x: np.busday_count(x, x)),
    (UnsupportedError, lambda x: np.save("never-written.npy", x)),
    (UnsupportedError, lambda x: np.frompyfunc(lambda v: v, 1, 1)(x)),
]


@pytest.mark.parametrize(("kind", "mapping"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_refusals_name_the_line(kind: type[Exception], mapping: Any, language: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    with pytest.raises(kind) as caught:
        mapping(backlight.array(V))
    assert isinstance(caught.value, BacklightError)
    assert __file__ in str(caught.value)


def test_every_registered_function_is_documented() -> None:
    undocumented = [f for f, ours in FUNCTIONS.items() if callable(ours) and not (ours.__doc__ or "").strip()]
    assert undocumented == []
