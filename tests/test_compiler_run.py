"""``compile``: the results are the function's own, whatever it is given, whatever way it goes, and whoever calls it."""

from __future__ import annotations

import enum
import linecache
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import backlight
from backlight import compile, grad, value_and_grad, vmap
from backlight import random as draws
from backlight.compiler import run
from backlight.errors import ArgumentError, CompileError, CompileWarning
from backlight.tree import flatten
from tests.compiled import WAYS, way

X = np.array([[0.3, -1.2, 2.0], [1.5, 0.1, -0.4]])
V = X[0]
W = np.sin(np.arange(12.0)).reshape(3, 4)
COUNTS = np.array([3, 1, 4, 1, 5])


def same(got: Any, want: Any) -> None:
    """Equal nesting, types, dtypes and shapes, and numbers that differ by rounding only."""
    (ours, form), (theirs, expected) = flatten(got), flatten(want)
    assert form == expected
    for a, b in zip(ours, theirs, strict=True):
        assert type(a) is type(b)
        if isinstance(b, np.ndarray | np.generic):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=1e-5 if b.dtype == np.float32 else 1e-12, atol=1e-7)
        else:
            assert a == b


def plans(compiled: Any) -> list[int | None]:
    """For every kind of arguments how many plans there are, or None where the function runs as it is."""
    return [None if variants is None else len(variants) for variants in compiled._kinds.values()]


def called(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
    return [function(*args) for args in calls]


def agrees(function: Callable[..., Any], *calls: tuple[Any, ...], made: list[int] | None = None) -> None:
    """The compiled function gives what the function gives, the first time and later."""
    compiled = compile(function)
    for args in (*calls, *calls):
        before = [np.array(leaf) for leaf in flatten(args)[0]]
        same(compiled(*args), function(*args))
        for leaf, old in zip(flatten(args)[0], before, strict=True):
            np.testing.assert_array_equal(leaf, old)
    assert plans(compiled) == (made or [1])


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "en")


# -- The same results ----------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class Layer:
    w: Any
    b: Any
    scale: float = 2.0


class Mode(enum.Enum):
    LOW = 1


def misaligned(x: np.ndarray[Any, Any]) -> Any:
    moved = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    assert not moved.flags.aligned
    return moved


def read_only(x: np.ndarray[Any, Any]) -> Any:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def fancy(x: Any) -> Any:
    return np.tanh(x) @ x.T + np.sum(x, axis=0)[0]


SAME: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "nothing": (lambda x: None, (X,)),
    "numbers and words": (lambda x: (1, 2.5, "a", True, None, b"b", {"k": [x]}, 1j, ...), (X,)),
    "an object passed through": (lambda x, mode: (mode, x), (X, Mode.LOW)),
    "the input": (lambda x: x, (X,)),
    "twice the same": (lambda x: (x, x, x + 1, x + 1), (X,)),
    "views": (lambda x: (x.T, x[::-1], x[:, 1], x.ravel(), x[1:0]), (X,)),
    "a constant": (lambda x: (np.arange(3.0), np.float32(2), x.shape, x.ndim, x.dtype), (X,)),
    "no arguments": (lambda: np.ones(3) * 2, ()),
    "an empty tuple": (lambda x: (), (X,)),
    "a number of NumPy's": (lambda x: (x, x * 2, -x), (np.float32(1.5),)),
    "0-d arrays": (lambda x: (x, x * 2, x.copy(), x.reshape(1), x.reshape(()), x.astype(np.float32)), (np.array(2.0),)),
    "views of 0 dimensions": (lambda x: (x[0, ...], x[0], x.reshape(()), np.squeeze(x)), (np.array([[2.0]]),)),
    "sums": (lambda x: (np.sum(x), x[0, 0], x[0] @ x[1], np.max(x)), (X,)),
    "nothing in it": (lambda x: (x + 1, np.sum(x), x @ x.T, x.T @ x), (np.zeros((0, 3)),)),
    "strides": (fancy, (np.arange(40.0).reshape(5, 8)[::2, ::-3],)),
    "columns first": (fancy, (np.asfortranarray(X),)),
    "read-only": (fancy, (read_only(X),)),
    "misaligned": (fancy, (misaligned(X),)),
    "broadcast": (fancy, (np.broadcast_to(V, (4, 3)),)),
    "byte-swapped": (fancy, (X.astype(">f8"),)),
    "byte-swapped, moved": (
        lambda x, n: (x, x.T, x[0], x[0, 0], x.reshape(-1), x[:, ::2], np.flip(n), x + 1, np.stack([n, n]), n.sum()),
        (X.astype(">f8"), COUNTS.astype(">i4")),
    ),
    "float32": (lambda x: (x * 2.5, x / 3, x + np.float64(1), x**2, x @ x.T), (X.astype(np.float32),)),
    "integers": (lambda x: (x * 2, x / 3, x + 1.5, x**2, x // 2, x % 3, x.sum(), x.mean()), (COUNTS - 3,)),
    "bytes": (lambda x: (x + np.uint8(250), x.sum(), x << 1), (COUNTS.astype(np.uint8),)),
    "truth": (lambda x: (x.sum(), x + x, x * 2, ~x, x.any(), x.mean()), (np.array([True, False, True]),)),
    "nan and infinity": (
        lambda x: (np.maximum(x, 0), x > 0, np.isnan(x), np.sum(x), np.nanmean(x[:2]), np.clip(x, -1, 1)),
        (np.array([1.0, np.nan, np.inf, -np.inf]),),
    ),
    "a dict": (lambda p, x: {"y": x @ p["w"] + p["b"][0], "b": p["b"]}, ({"w": W, "b": [np.ones(4)]}, X)),
    "tuples": (lambda p: Pair(p.second, (p.first, [p.second * 2])), (Pair(X, V),)),
    "a dataclass": (lambda p, x: Layer(x @ p.w * p.scale, p.b, p.scale + 1), (Layer(W, np.ones(4)), X)),
    "a defaultdict": (lambda p: p, (defaultdict(list, a=X, b=[V]),)),
    "no leaves": (lambda p: p, ({"a": None, "b": [], "c": ()},)),
    "a list to stack": (lambda xs: np.stack(xs) * 2, ([V, V + 1],)),
    "gather": (lambda x, i: (x[i], x[i[0]]), (X, np.array([-1, 0]))),
    "reading is no writing": (lambda x: np.add(x, 1, out=x * 0), (X,)),
    "softmax": (lambda x: backlight.softmax(x), (X,)),
    # Reading in Python:
    "float()": (lambda x: x * float(np.sum(x)), (X,)),
    "int()": (lambda x, n: sum((x * k for k in range(int(n))), x), (X, np.int64(3))),
    "item and tolist": (lambda x: (x.sum().item(), x.tolist()), (V,)),
    "nonzero": (lambda x: np.nonzero(x > 0), (X,)),
    "a mask": (lambda x: (x[x > 0], x[x > 0].sum()), (X,)),
    "unique": (lambda x: np.unique(x), (COUNTS,)),
    "interp": (lambda x: np.interp(x, np.arange(3.0), np.arange(3.0) ** 2), (X,)),
    # Transformations:
    "grad": (grad(lambda w, x: np.sum(np.tanh(x @ w) ** 2)), (W, X)),
    "value_and_grad": (value_and_grad(lambda p, x: np.sum(x @ p["w"])), ({"w": W}, X)),
    "hessian": (backlight.hessian(lambda x: np.sum(np.sin(x) ** 3)), (V,)),
    "jacobian": (backlight.jacobian(lambda x: np.sin(x) * x), (V,)),
    "vmap": (vmap(lambda x: np.tanh(x @ W).sum()), (X,)),
    "vmap of grad": (vmap(grad(lambda x: np.tanh(x @ W).sum())), (X,)),
    "grad of vmap": (grad(lambda x: np.sum(vmap(lambda v: np.sin(v) * v[0])(x))), (X,)),
    "jvp": (lambda x: backlight.jvp(np.sin, (x,), (x,)), (X,)),
    "vjp": (lambda x: backlight.vjp(np.sin, x)[1](x), (X,)),
    "hvp": (lambda x: backlight.hvp(lambda v: np.sum(np.sin(v) ** 3))(x, x), (V,)),
    "checkpoint": (grad(lambda x: np.sum(backlight.checkpoint(lambda u: np.sin(u) ** 2)(x))), (X,)),
    "compile inside": (compile(lambda x: compile(np.tanh)(x) * 2), (X,)),
    "grad of compile": (grad(compile(lambda x: np.sum(np.tanh(x)))), (X,)),
    "scan": (lambda x: backlight.scan(lambda c, r: (np.tanh(c + r), c.sum()), np.zeros(3), x), (X,)),
    "grad of scan": (grad(lambda x: backlight.scan(lambda c, r: (np.tanh(c + r), c), np.zeros(3), x)[0].sum()), (X,)),
    "while_loop": (lambda x: backlight.while_loop(lambda c: np.sum(c) < 100.0, lambda c: c * 2, x), (X,)),
    "fori_loop": (lambda x: backlight.fori_loop(0, 5, lambda i, c: c + i, x), (X,)),
    "cond": (lambda x: backlight.cond(np.sum(x) > 0, lambda u: u * 2, lambda u: u - 1, x), (X,)),
    "draws": (
        lambda k, x: (draws.normal(k, (4,)), draws.split(k), np.where(draws.uniform(k, x.shape) < 0.5, x, 0)),
        (draws.key(3), X),
    ),
}  # fmt: skip


@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("name", SAME)
def test_results_are_those_of_the_function(name: str, ways: str) -> None:
    function, args = SAME[name]
    with way(ways):
        agrees(function, args)


def test_unchanged_values_are_copies() -> None:
    compiled = compile(lambda x: (x, x, x.T, np.zeros(2)))
    x = np.round(8 * X)
    before = x.copy()
    for _ in range(2):
        first, second, turned, constant = compiled(x)
        for made in (first, second, turned, constant):
            made += 1.0
        np.testing.assert_array_equal(x, before)
        x += 1.0
        np.testing.assert_array_equal(first, before + 1)
        np.testing.assert_array_equal(second, before + 1)
        x -= 1.0
    np.testing.assert_array_equal(compiled(x)[3], np.zeros(2))


def test_custom_gradient() -> None:
    @backlight.custom_gradient
    def clipped(x: Any) -> Any:
        return np.minimum(x, 1.0)

    @clipped.derivative
    def through(x: Any, y: Any, g: Any) -> Any:
        return 7 * g

    compiled = compile(grad(lambda x: np.sum(clipped(x) ** 2)), strict=True)
    same(compiled(X), 14 * np.minimum(X, 1.0))


# -- Kinds of arguments --------------------------------------------------------------------------------------------


def test_another_shape_dtype_or_nesting_is_another_plan_and_the_old_one_stays() -> None:
    traces = 0

    def double(x: Any) -> Any:
        nonlocal traces
        traces += 1
        return backlight.tree_map(lambda leaf: leaf * 2, x)

    compiled = compile(double)
    kinds = [X, X.T, X.astype(np.float32), np.float64(3), [X], (X,), {"a": X}, {"b": X}, X[:0]]
    for number, x in enumerate(kinds, 1):
        compiled(x)
        assert traces == number
    assert plans(compiled) == [1] * len(kinds)
    for x in kinds:
        same(compiled(x), backlight.tree_map(lambda leaf: leaf * 2, x))
        traces -= 1  # for the comparison itself nothing is traced
    assert plans(compiled) == [1] * len(kinds)


def test_python_values_are_part_of_the_program() -> None:
    compiled = compile(
        lambda x, power=2, *, sign="+", flip=False: (-1 if sign == "-" else 1) * x[:: -1 if flip else 1] ** power
    )
    for _ in range(2):
        same(compiled(X), X**2)
        same(compiled(X, 3), X**3)
        same(compiled(X, power=3), X**3)
        same(compiled(X, True), X**True)
        same(compiled(X, 1), X**1)
        same(compiled(X, sign="-", flip=True), -(X[::-1] ** 2))
    assert plans(compiled) == [1] * 6


def test_signs_of_zeros_and_nan_among_python_values() -> None:
    compiled = compile(lambda x, sign: np.copysign(x, sign))
    np.testing.assert_array_equal(compiled(V, 0.0), np.abs(V))
    np.testing.assert_array_equal(compiled(V, -0.0), -np.abs(V))
    compiled(V, float("nan"))
    compiled(V, float("nan"))
    assert plans(compiled) == [1] * 3


def test_a_new_python_number_in_every_call_is_worth_a_warning() -> None:
    compiled = compile(lambda x, lr: x * lr)
    with pytest.warns(CompileWarning, match="`lr` came with something new in every call") as caught:
        called(compiled, [(X, 0.1 * k) for k in range(run.IN_A_ROW + 3)])
    assert len(caught) == 1
    steady = compile(lambda x, lr: x * lr)
    called(steady, [(X, np.float64(0.1 * k)) for k in range(run.IN_A_ROW + 3)])
    assert plans(steady) == [1]


def test_the_oldest_kind_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_KINDS", 3)
    compiled = compile(lambda x, k: x * k)
    for k in range(5):
        compiled(X, k)
    assert len(plans(compiled)) == 3
    same(compiled(X, 0), X * 0)


def test_arguments_that_cannot_be_remembered_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"`options\['names'\]` is a set"):
        compile(lambda x, options: x)(X, {"names": {1, 2}})
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    with pytest.raises(ArgumentError, match="`options` 是 set"):
        compile(lambda x, options: x)(X, options={1, 2})


def test_what_compile_itself_is_given() -> None:
    with pytest.raises(ArgumentError, match="type int is not a function"):
        compile(3)
    with pytest.raises(ArgumentError, match="number of threads is 0"):
        compile(np.sin, threads=0)
    with pytest.raises(ArgumentError, match="not been called"):
        compile(np.sin).plan
    assert repr(compile(fancy)) == "<compiled fancy>"
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        compile(lambda x, y: x)(X)


def test_methods() -> None:
    class Model:
        def __init__(self, scale: float) -> None:
            self.scale = scale

        @compile
        def forward(self, x: Any, shift: float = 0.0) -> Any:
            return np.tanh(x) * self.scale + shift

        @staticmethod
        @compile
        def double(x: Any) -> Any:
            return x * 2

        def plain(self, x: Any) -> Any:
            return x * self.scale

    one, two = Model(2.0), Model(3.0)
    for _ in range(2):
        same(one.forward(X), np.tanh(X) * 2)
        same(two.forward(X, shift=1.0), np.tanh(X) * 3 + 1)
        same(Model.forward(two, X), np.tanh(X) * 3)
    same(Model.double(X), X * 2)
    same(compile(one.plain)(X), X * 2)


def test_a_decorator_with_options_keeps_what_the_function_says() -> None:
    @compile(threads=1)
    def named(x: Any) -> Any:
        """What it says."""
        return x + 1

    assert (named.__name__, named.__doc__) == ("named", "What it says.")
    same(named(X), X + 1)
    assert named.plan.threads == 1


def test_recursion() -> None:
    @compile
    def power(x: Any, n: int) -> Any:
        return x if n == 1 else x * power(x, n - 1)

    same(power(X, 5), X * X * X * X * X)
    assert plans(power) == [1]


def test_arrays_from_outside_are_taken_as_they_are_at_the_first_call() -> None:
    big = np.linspace(0.0, 1.0, 50_000)
    compiled = compile(lambda x: (x * big).sum())
    first = compiled(np.ones(50_000))
    big[:] = 0.0
    same(compiled(np.ones(50_000)), first)


def test_backlight_arrays_are_recorded_as_ever() -> None:
    compiled = compile(lambda x: np.sum(x * x))
    x = backlight.array(X)
    compiled(x).backward()
    same(x.grad.numpy(), 2 * X)
    assert plans(compiled) == []
    outside = backlight.array(V)
    reads = compile(lambda x: np.sum(x * outside))
    with pytest.warns(CompileWarning, match="reads the backlight.array `outside` from outside"):
        reads(X).backward()
    same(outside.grad.numpy(), X.sum(0))


# -- Ways through the code -----------------------------------------------------------------------------------------


def test_both_ways_of_an_if_stay_compiled() -> None:
    traces = 0

    def choose(x: Any) -> Any:
        nonlocal traces
        traces += 1
        if np.sum(x) > 0:
            return {"up": x * 2}
        return x - 1, "down"

    compiled = compile(choose)
    for _ in range(3):
        same(compiled(X), {"up": X * 2})
        same(compiled(-X), (-X - 1, "down"))
    assert traces == 2
    assert plans(compiled) == [2]


READING: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "float()": (lambda x: x * float(np.sum(x)), [X, -X]),
    "the sign of a zero": (lambda x: np.copysign(x, float(x[0, 0] * 0)), [X, -X]),
    "int()": (lambda x: x[: int(x[1, 0])], [X, X + 1]),
    "an index in range one way only": (lambda x: x[int(x[1, 0]) % 2] if x[0, 0] > 0 else x, [X, -X]),
    "nonzero": (lambda x: np.nonzero(x > 0), [X, -X]),
    "a mask": (lambda x: x[x > 0], [X, -X, X * np.nan]),
    "unique": (lambda x: np.unique(np.round(x)), [X, X * 2]),
    "interp": (lambda x: np.interp(x, np.arange(3.0), np.arange(3.0) ** 2), [X, -X]),
    "steps of a loop": (
        grad(lambda x: np.sum(backlight.while_loop(lambda c: np.sum(c) < 100.0, lambda c: c * 2, x))),
        [X, X * 30],
    ),
    "an if in vmap": (lambda x: vmap(lambda v: v * 2)(x) if x[0, 0] > 0 else x, [X, -X]),
    "an if in grad": (grad(lambda x: np.sum(x**2) if np.sum(x) > 0 else np.sum(x**3)), [X, -X]),
    "an if in scan": (
        lambda x: backlight.scan(lambda c, r: (c + r if r[0] > 1 else c, c), np.zeros(3), x),
        [X, X[::-1]],
    ),
}


@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("name", READING)
def test_what_python_reads_decides_which_plan_runs(name: str, ways: str) -> None:
    function, values = READING[name]
    with way(ways):
        agrees(function, *[(x,) for x in values], made=[len(values)])


def test_a_value_read_may_differ_in_the_last_digits() -> None:
    x = np.linspace(0.1, 7.0, 10_001, dtype=np.float32)
    compiled = compile(lambda x: x * float(np.sum(np.exp(np.sin(x)))))
    for _ in range(3):
        compiled(x)
    assert plans(compiled) == [1]


def test_another_way_in_every_call_is_worth_a_warning_and_then_runs_as_it_is() -> None:
    def steady(x: Any, n: Any) -> Any:
        if np.sum(x) > 0:
            return x * int(n)  # the line that is to blame
        return x

    compiled = compile(steady)
    calls = [(X, np.int64(n)) for n in range(run.MOST_VARIANTS + 3)]
    with pytest.warns(CompileWarning, match="takes another way through its code") as caught:
        same(called(compiled, calls), called(steady, calls))
    assert len(caught) == 1
    line = int(str(caught[0].message).split("\n")[0].rsplit(":", 1)[1])
    assert "to blame" in linecache.getline(__file__, line)
    assert plans(compiled) == [None]
    with pytest.raises(CompileError, match="takes another way"):
        called(compile(steady, strict=True), calls)


# -- What cannot be compiled ---------------------------------------------------------------------------------------


def solved(a: Any, b: Any) -> Any:
    shifted = a + 1.0
    return np.linalg.solve(shifted, b)  # the line of solve


def test_a_library_routine_runs_as_it_is_after_one_warning() -> None:
    compiled = compile(solved)
    a, b = np.diag([1.0, 2.0, 3.0]), np.ones(3)
    with pytest.warns(CompileWarning, match="`solve`") as caught:
        same(compiled(a, b), solved(a, b))  # the call
    (warning,) = caught
    assert (warning.filename, "# the call" in linecache.getline(__file__, warning.lineno)) == (__file__, True)
    where = str(warning.message).split("\n")[0]
    assert "line of solve" in linecache.getline(__file__, int(where.rsplit(":", 1)[1]))
    same(compiled(a, b), solved(a, b))
    same(compiled(a + 1, b), solved(a + 1, b))
    with pytest.raises(CompileError, match="`solve`"):
        compile(solved, strict=True)(a, b)


OTHERS: dict[str, tuple[Callable[..., Any], Any, str]] = {
    "complex numbers": (lambda x: x * 2j, X, "complex128"),
    "half precision": (lambda x: x * 2, X.astype(np.float16), "float16"),
    "plain conversion": (lambda x: np.asarray(x) + 1, X, "was about to become a plain NumPy array"),
    "a masked array": (lambda x: x.sum(), np.ma.masked_array(V, V > 1), "`x` is a MaskedArray float64"),
    "words": (lambda x: x, np.array(["a", "b"]), "`x` is a ndarray <U1"),
    "a set": (lambda x: {1, 2}, X, "returns a set"),
    "global randomness": (lambda x: x + 0 * np.random.rand(), X, "random numbers"),
    "Python's randomness": (lambda x: x + 0 * random.random(), X, "random numbers"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_cannot_be_compiled_runs_as_it_is(name: str) -> None:
    function, x, reason = OTHERS[name]
    compiled = compile(function)
    with pytest.warns(CompileWarning, match=reason) as caught:
        made = compiled(x)
    assert len(caught) == 1
    want = function(x)
    assert type(made) is type(want)
    assert np.all(np.asarray(made == want))
    assert np.all(np.asarray(compiled(x) == want))
    assert plans(compiled) == [None]
    with pytest.raises(CompileError, match=reason):
        compile(function, strict=True)(x)


GENERATOR = np.random.default_rng(0)


class Noisy:
    def __init__(self) -> None:
        self.draws = random.Random(0)

    def __call__(self, x: Any) -> Any:
        return x * self.draws.random()


def from_a_cell() -> Callable[..., Any]:
    generator = np.random.RandomState(1)
    return lambda x: x * generator.rand()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * GENERATOR.random(),
        grad(lambda x: np.sum(x * GENERATOR.random(x.shape))),
        lambda x, generator=GENERATOR: x * generator.normal(),
        from_a_cell(),
        Noisy(),
        Noisy().__call__,
    ],
)
def test_numbers_drawn_from_outside_are_not_frozen(function: Any) -> None:
    compiled = compile(function)
    with pytest.warns(CompileWarning, match="draws from a generator"):
        first = compiled(X)
    assert np.any(first != compiled(X))


def test_a_generator_that_is_there_but_not_used_does_not_matter() -> None:
    agrees(lambda x: x * 2 if GENERATOR is not None else x, (X,))
    with pytest.warns(CompileWarning, match="draws from a generator"):
        compile(lambda x, generator: x * generator.normal())(X, GENERATOR)


def test_warnings_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    with pytest.warns(CompileWarning, match="solved 无法编译，原因是 `solve`(.|\n)*按原样运行"):
        compile(solved)(np.diag([1.0, 2.0, 3.0]), np.ones(3))


def test_a_mistake_of_the_compiler_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("no register left")

    monkeypatch.setattr(run, "Native", broken)
    with pytest.warns(CompileWarning, match="AssertionError: no register left"):
        same(compile(fancy)(X), fancy(X))


# -- Errors --------------------------------------------------------------------------------------------------------


def test_an_index_out_of_range_is_the_same_error() -> None:
    def pick(x: Any, i: Any) -> Any:
        return x[i]

    compiled = compile(pick)
    same(compiled(X, np.array([0, 1])), X)
    for bad in ([0, 2], [-3, 0], [2**62, 0]):
        with pytest.raises(IndexError) as plain:
            pick(X, np.array(bad))
        with pytest.raises(IndexError) as ours:
            compiled(X, np.array(bad))
        assert str(ours.value) == str(plain.value)
        assert "return x[i]" in str(ours.traceback[-1].statement)
    gradient = compile(grad(lambda x, i: np.sum(x[i])))
    same(gradient(X, np.array([1, 1])), np.array([[0.0] * 3, [2.0] * 3]))
    with pytest.raises(IndexError, match=r"test_compiler_run\.py"):
        gradient(X, np.array([1, 9]))
    same(compiled(X, np.array([1, 0])), X[::-1])
    assert plans(compiled) == [1]


def test_the_first_call_may_bring_the_bad_index() -> None:
    compiled = compile(lambda x, i: x[i])
    with pytest.raises(IndexError):
        compiled(X, np.array([0, 7]))
    same(compiled(X, np.array([0, 1])), X)


def test_the_users_exceptions_come_through_and_nothing_is_left_half_way() -> None:
    def checked(x: Any) -> Any:
        if np.any(x > 5):
            raise ValueError("too big")
        return x * 2

    compiled = compile(checked)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^too big$"):
            compiled(X * 10)
        same(compiled(X), X * 2)
    assert plans(compiled) == [1]
    with pytest.raises(ValueError, match="core dimension"):
        compile(lambda x: x @ x)(X)
    with pytest.raises(ValueError, match="cannot convert float NaN"):
        called(compile(lambda x: x * int(np.sum(x))), [(X,), (X * np.nan,)])

    def endless(x: Any) -> Any:
        return endless(x + 1)

    with pytest.raises(RecursionError):
        compile(endless)(X)
    with pytest.raises(KeyboardInterrupt):
        compile(lambda x: signalled())(X)
    same(compile(fancy)(X), fancy(X))


def signalled() -> None:
    raise KeyboardInterrupt


# -- Writing into arguments ----------------------------------------------------------------------------------------


def test_arguments_written_into_are_written_into() -> None:
    def update(p: Any, g: Any) -> Any:
        p["w"] -= 0.5 * g
        p["b"][1:] *= 2.0
        return np.sum(p["w"])

    ours, theirs = ({"w": X.copy(), "b": V.copy(), "c": V.copy()} for _ in range(2))
    compiled = compile(update)
    for _ in range(3):
        same(compiled(ours, X), update(theirs, X))
        same(ours, theirs)
    assert plans(compiled) == [1]


def test_writing_where_it_shows_elsewhere_or_is_not_allowed() -> None:
    def add(x: Any, y: Any) -> Any:
        x += 1.0
        return x + y

    compiled = compile(add)
    compiled(V.copy(), V)
    x = V.copy()
    same(compiled(x, x), 2 * (V + 1))
    same(x, V + 1)
    with pytest.raises(ValueError, match="read-only"):
        compiled(read_only(V), V)
    strided = np.zeros((3, 2))[:, 0]
    same(compiled(strided, V), V + 1)
    same(strided, np.ones(3))
    same(compiled(np.float64(1), np.float64(1)), np.float64(3))


# -- Threads -------------------------------------------------------------------------------------------------------


def test_the_same_bits_for_any_number_of_threads_and_from_run_to_run() -> None:
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(96, 80)).astype(np.float32), rng.normal(size=(64, 96)).astype(np.float32)
    loss = lambda w, x: np.mean(backlight.softmax(np.tanh(x @ w)) ** 2) + np.std(w)
    made = []
    with way("kernels"):
        for threads in (1, 2, 3, 8):
            compiled = compile(value_and_grad(loss), threads=threads)
            made += [compiled(w, x) for _ in range(3)]
    for value, gradient in made[1:]:
        assert value.tobytes() == made[0][0].tobytes()
        assert gradient.tobytes() == made[0][1].tobytes()
    expected = value_and_grad(loss)(w, x)
    np.testing.assert_allclose(made[0][1], expected[1], atol=1e-7)


def test_threads_that_call_one_function_make_one_plan_and_get_their_own_results() -> None:
    traces = 0

    def choose(x: Any, k: Any) -> Any:
        nonlocal traces
        traces += 1
        return np.tanh(x) * k if k > 0 else x + k

    compiled = compile(choose)
    failures: list[Any] = []
    start = threading.Barrier(4)

    def caller(number: int) -> None:
        try:
            start.wait()
            for n in range(40):
                k = np.float64((number + 1) * (-1) ** n)
                x = X * (n + 1)
                same(compiled(x, k), np.tanh(x) * k if k > 0 else x + k)
        except BaseException as error:
            failures.append(error)

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert not failures
    assert traces == 2
    assert plans(compiled) == [2]


@pytest.mark.parametrize("dtype", ["f2", "c8", ">f8", ">i4", "g"])
def test_what_has_no_place_in_registers_runs_as_it_is(dtype: str) -> None:
    odd = np.arange(1, 7).astype(dtype)
    with pytest.warns(CompileWarning, match="constant"):
        doubled, every_other = backlight.compile(lambda x: (x * 2, odd[::2]))(np.ones(3))
    np.testing.assert_array_equal(doubled, [2, 2, 2])
    np.testing.assert_array_equal(every_other, odd[::2])


def test_a_loop_whose_rows_have_no_place_in_registers_runs_as_it_is() -> None:
    odd = np.arange(1, 7).astype(">f8")
    with pytest.warns(CompileWarning, match=">f8"):
        _, rows = backlight.compile(lambda x: backlight.scan(lambda s, i: (s + x, odd[:2]), x, np.arange(3)))(
            np.ones(2)
        )
    np.testing.assert_array_equal(rows, [[1, 2]] * 3)
