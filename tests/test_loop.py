"""Loops: their values are those of the Python loop, and so are all their derivatives."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import backlight
from backlight import batching
from backlight.array import Array
from backlight.errors import ArgumentError, DTypeError, LeakError, ShapeError
from backlight.graph import Graph, reachable
from backlight.interpret import run
from backlight.loops import cond, fori_loop, scan, while_loop
from backlight.simplify import simplify

XS = np.cos(1.7 * np.arange(10.0)).reshape(5, 2)
W = np.array([[0.4, -0.7], [0.3, 0.6]])
H = np.array([0.2, -0.5])


def python_scan(body: Any, init: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    carry, ys = init, {}
    steps = range(len(xs))
    for t in reversed(steps) if reverse else steps:
        carry, ys[t] = body(carry, xs[t])
    return carry, np.stack([ys[t] for t in steps])


def recurrent(loop: Any, reverse: bool = False) -> Callable[..., Any]:
    """A loss of a small recurrent network, whose weights the body captures."""

    def loss(h: Any, xs: Any, w: Any, b: Any) -> Any:
        def body(h: Any, x: Any) -> tuple[Any, Any]:
            h = np.tanh(h @ w + x + b)
            return h, h * x

        last, ys = loop(body, h, xs, reverse=reverse)
        return np.sum(last**2) + np.sum(np.sin(ys) * np.arange(10.0).reshape(5, 2))

    return loss


POINT = (H, XS, W, np.array([0.1, -0.2]))


def records(y: Any, name: str) -> int:
    return sum(node.operation == name for node in reachable([y.node]))


def is_one_node(loss: Any, *point: Any) -> bool:
    return records(loss(*[backlight.array(x) for x in point]), "scan") == 1


def assert_trees_close(a: Any, b: Any, rtol: float = 1e-11) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


# -- Values and gradients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_values_are_those_of_the_python_loop(reverse: bool) -> None:
    body = lambda h, x: (np.tanh(h @ W + x), h * x)
    for a, b in zip(scan(body, H, XS, reverse=reverse), python_scan(body, H, XS, reverse), strict=True):
        assert type(a) is np.ndarray
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("argnum", range(4))
def test_gradient_is_that_of_the_python_loop(argnum: int, reverse: bool) -> None:
    ours, theirs = (recurrent(loop, reverse) for loop in (scan, python_scan))
    assert is_one_node(ours, *POINT)
    a, b = (backlight.grad(f, argnum)(*POINT) for f in (ours, theirs))
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    v = np.sin(np.arange(POINT[argnum].size)).reshape(POINT[argnum].shape)
    h = 1e-5
    ahead, behind = (ours(*(x + s * v if k == argnum else x for k, x in enumerate(POINT))) for s in (h, -h))
    np.testing.assert_allclose(np.sum(a * v), (ahead - behind) / (2 * h), rtol=1e-8)


def test_forward_mode_is_that_of_the_python_loop() -> None:
    tangents = tuple(np.sin(1 + np.arange(x.size)).reshape(x.shape) for x in POINT)
    a, b = (backlight.jvp(recurrent(loop), POINT, tangents)[1] for loop in (scan, python_scan))
    np.testing.assert_allclose(a, b, rtol=1e-12)
    gradients = backlight.grad(recurrent(scan), (0, 1, 2, 3))(*POINT)
    np.testing.assert_allclose(a, sum(np.sum(g * t) for g, t in zip(gradients, tangents, strict=True)), rtol=1e-12)


def test_second_and_third_order() -> None:
    def directional(loop: Any) -> Any:
        f = lambda w: recurrent(loop)(H, XS, w, POINT[3])
        return lambda w: np.sum(backlight.grad(f)(w) * W.T)

    first, second = (directional(loop) for loop in (scan, python_scan))
    for _ in range(2):
        first, second = backlight.grad(first), backlight.grad(second)
        np.testing.assert_allclose(first(W), second(W), rtol=1e-10, atol=1e-11)
        first, second = ((lambda w, f=f: np.sum(f(w) * W)) for f in (first, second))
    ours, theirs = ((lambda w, loop=loop: recurrent(loop)(H, XS, w, POINT[3])) for loop in (scan, python_scan))
    np.testing.assert_allclose(backlight.hessian(ours)(W), backlight.hessian(theirs)(W), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(backlight.hvp(ours)(W, W.T), backlight.hvp(theirs)(W, W.T), rtol=1e-10, atol=1e-11)


def test_jacobian_of_a_scan_both_ways() -> None:
    f = lambda loop: lambda h: loop(lambda h, x: (np.tanh(h @ W + x), h * h), h, XS)[1]
    for mode in ("forward", "reverse"):
        ours, theirs = (backlight.jacobian(f(loop), mode=mode)(H) for loop in (scan, python_scan))
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_vmap_of_a_scan() -> None:
    f = lambda h: scan(lambda h, x: (np.tanh(h @ W + x), None), h, XS)[0]
    heads = np.stack([H, 2 * H, -H])
    np.testing.assert_allclose(backlight.vmap(f)(heads), np.stack([f(h) for h in heads]), rtol=1e-14)
    per_example = backlight.vmap(backlight.grad(lambda h: np.sum(f(h) ** 2)))(heads)
    single = [backlight.grad(lambda h: np.sum(f(h) ** 2))(h) for h in heads]
    np.testing.assert_allclose(per_example, np.stack(single), rtol=1e-12)


def test_complex_carries() -> None:
    z = np.array([0.3 + 0.4j, -0.2 + 0.1j])

    def loss(loop: Any) -> Any:
        def f(z: Any, w: Any) -> Any:
            last, ys = loop(lambda c, x: (c * c * w + x, c * w), z, XS)
            return np.sum(np.real(last * np.conj(last))) + np.sum(np.imag(ys))

        return f

    for argnum in (0, 1):
        a, b = (backlight.grad(loss(loop), argnum)(z, 0.5 * z) for loop in (scan, python_scan))
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_single_precision_stays_single() -> None:
    h, xs, w, b = (x.astype(np.float32) for x in POINT)
    last, ys = scan(lambda h, x: (np.tanh(h @ w + x + b), h), h, xs)
    assert last.dtype == ys.dtype == np.float32
    assert all(g.dtype == np.float32 for g in backlight.grad(recurrent(scan), (0, 1, 2, 3))(h, xs, w, b))


# -- What a loop may carry --------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass
class State:
    position: Any
    velocity: Any


def test_trees_of_all_kinds() -> None:
    def body(carry: dict[str, Any], x: tuple[Any, Pair]) -> tuple[dict[str, Any], Any]:
        state = carry["state"]
        state = State(state.position + 0.1 * state.velocity, state.velocity - 0.1 * np.sin(state.position) * x[0])
        carry = {"state": state, "sum": [carry["sum"][0] + x[1].a * x[1].b, None]}
        return carry, Pair(state.position, {"v": state.velocity * x[1].a})

    xs = (XS[:, 0], Pair(XS[:, 1], np.arange(5.0)))

    def loss(start: dict[str, Any], xs: Any, unrolled: bool) -> Any:
        if unrolled:
            carry, collected = start, []
            for t in range(5):
                carry, y = body(carry, (xs[0][t], Pair(xs[1].a[t], xs[1].b[t])))
                collected.append(y)
            ys = Pair(np.stack([y.a for y in collected]), {"v": np.stack([y.b["v"] for y in collected])})
        else:
            carry, ys = scan(body, start, xs)
        assert type(carry["state"]) is State
        return carry["state"].position * carry["sum"][0] + np.sum(ys.a * ys.b["v"])

    start = {"state": State(np.float64(1.0), np.float64(0.5)), "sum": [np.float64(0.2), None]}
    both = (partial(loss, unrolled=unrolled) for unrolled in (False, True))
    ours, theirs = (backlight.value_and_grad(f, (0, 1))(start, xs) for f in both)
    assert float(ours[0]) == pytest.approx(float(theirs[0]), rel=1e-14)
    for (a, b), (c, d) in [(ours[1], theirs[1])]:
        assert type(a["state"]) is State
        assert type(b[1]) is Pair
        np.testing.assert_allclose(a["state"].position, c["state"].position, rtol=1e-12)
        np.testing.assert_allclose(a["state"].velocity, c["state"].velocity, rtol=1e-12)
        np.testing.assert_allclose(a["sum"][0], c["sum"][0], rtol=1e-12)
        assert_trees_close((b[0], *b[1]), (d[0], *d[1]))


def test_integer_carries_and_rows() -> None:
    def f(loop: Any) -> Any:
        def loss(x: Any) -> Any:
            body = lambda c, k: ((c[0] + 1, c[1] * x + k), c[0] * k)
            if loop is scan:
                (count, y), ys = scan(body, (np.int64(0), x), np.arange(4))
                assert ys.dtype == count.dtype == np.int64
                np.testing.assert_array_equal(ys.value, [0, 1, 4, 9])
                return y * count
            c, y = 0, x
            for k in range(4):
                c, y = c + 1, y * x + k
            return y * c

        return loss

    assert is_one_node(f(scan), 1.3)
    a, b = (backlight.grad(f(loop))(1.3) for loop in (scan, None))
    assert float(a) == pytest.approx(float(b), rel=1e-13)


def test_a_carry_that_is_passed_on_and_outputs_that_are_inputs() -> None:
    def loss(a: Any, b: Any, xs: Any) -> Any:
        (a2, b2), (y1, y2) = scan(lambda c, x: ((c[1], c[0]), (x, b)), (a, b), xs)
        return np.sum(a2 * 2) + np.sum(b2 * 3) + np.sum(y1 * y1) + np.sum(y2)

    ga, gb, gx = backlight.grad(loss, (0, 1, 2))(1.0, 2.0, np.array([1.0, 2.0, 3.0]))
    assert (float(ga), float(gb)) == (3.0, 2.0 + 3.0)
    np.testing.assert_array_equal(gx, [2.0, 4.0, 6.0])


def test_no_carry_no_rows_no_xs() -> None:
    assert scan(lambda c, x: (None, x * 2), None, np.arange(3.0))[1].tolist() == [0.0, 2.0, 4.0]
    last, ys = scan(lambda c, x: (c * 2.0, None), 1.0, length=5)
    assert float(last) == 32.0
    assert ys is None
    assert scan(lambda c, x: (None, None), None, length=3) == (None, None)


@pytest.mark.parametrize("reverse", [False, True])
def test_zero_steps(reverse: bool) -> None:
    def f(h: Any, xs: Any, w: Any) -> Any:
        last, ys = scan(lambda h, x: (np.tanh(h @ w + x), (h * x, h[0] > 0)), h, xs, reverse=reverse)
        assert ys[0].shape == (0, 2)
        assert ys[0].dtype == np.float64
        assert ys[1].dtype == bool
        return np.sum(last**2) + np.sum(ys[0])

    none = np.zeros((0, 2))
    gh, gx, gw = backlight.grad(f, (0, 1, 2))(H, none, W)
    np.testing.assert_array_equal(gh, 2 * H)
    assert gx.shape == (0, 2)
    np.testing.assert_array_equal(gw, np.zeros((2, 2)))
    assert float(f(H, none, W)) == pytest.approx(np.sum(H**2))
    last, _ = scan(lambda h, x: (h + x, h[0] if h[1] > 0 else h[1]), H, none)
    last[0] = 9.0  # the caller's own
    assert H[0] == 0.2


def test_one_step() -> None:
    assert float(backlight.grad(lambda x: scan(lambda c, r: (c * r * x, None), x, np.array([3.0]))[0])(2.0)) == 12.0


def test_captured_values_are_inputs_of_the_loop_and_outer_gradients_meet() -> None:
    def loss(w: Any) -> Any:
        doubled = w * 2.0
        return scan(lambda c, x: (c * doubled + w, None), w, np.arange(3.0))[0] * doubled

    def unrolled(w: Any) -> Any:
        doubled, c = w * 2.0, w
        for _ in range(3):
            c = c * doubled + w
        return c * doubled

    assert is_one_node(loss, 0.7)
    for _ in range(4):
        assert float(loss(0.7)) == pytest.approx(float(unrolled(0.7)), rel=1e-12)
        loss, unrolled = backlight.grad(loss), backlight.grad(unrolled)


def test_captured_by_backward_and_by_the_tape() -> None:
    w = backlight.array(0.5)
    last, _ = scan(lambda c, x: (c * w + x, None), 1.0, np.array([1.0, 2.0]))
    last.backward()
    assert float(w.grad) == 2 * 0.5 + 1.0
    assert type(last) is Array


def test_gradient_inside_a_body() -> None:
    def descend(loop: Any) -> Any:
        def f(target: Any) -> Any:
            body = lambda x, rate: (x - rate * backlight.grad(lambda z: np.sum((z - target) ** 4))(x), None)
            if loop is scan:
                return np.sum(scan(body, H, np.array([0.1, 0.2, 0.1]))[0] ** 2)
            x = H
            for rate in (0.1, 0.2, 0.1):
                x = x - rate * 4 * (x - target) ** 3
            return np.sum(x**2)

        return f

    assert is_one_node(descend(scan), W[0])
    a, b = (backlight.value_and_grad(descend(loop))(W[0]) for loop in (scan, None))
    assert_trees_close(a, b)


def test_nested_scans() -> None:
    def loss(loop: Any) -> Any:
        def f(w: Any, h: Any, xs: Any) -> Any:
            def outer(h: Any, x: Any) -> tuple[Any, Any]:
                inner = lambda c, v: (np.tanh(c * w[0] + v * h), c * w[1])
                last, ys = loop(inner, x, x * np.ones((3, 2)))
                return h * 0.5 + last, np.sum(ys * h)

            last, ys = loop(outer, h, xs)
            return np.sum(last**2) + np.sum(ys**2)

        return f

    assert is_one_node(loss(scan), W, H, XS)
    for argnum in range(3):
        a, b = (backlight.grad(loss(loop), argnum)(W, H, XS) for loop in (scan, python_scan))
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
    a, b = (backlight.hessian(loss(loop), 1)(W, H, XS) for loop in (scan, python_scan))
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


# -- The way back to an ordinary loop ---------------------------------------------------------------------------------


def test_reading_a_value_in_the_body_unrolls_the_loop() -> None:
    def body(c: Any, x: Any) -> tuple[Any, Any]:
        c = c * 2.0 + x if x > 0 else c * c
        return c, c

    f = lambda loop: lambda c, xs: (lambda last, ys: last + np.sum(ys**2))(*loop(body, c, xs))
    xs = np.array([1.0, 2.0, -1.0, 1.0, -2.0])
    assert not is_one_node(f(scan), 0.3, xs)
    for argnum in (0, 1):
        a, b = (backlight.grad(f(loop), argnum)(0.3, xs) for loop in (scan, python_scan))
        np.testing.assert_allclose(a, b, rtol=1e-13)
    last, ys = scan(body, 0.3, xs)
    assert type(last) is np.float64
    assert type(ys) is np.ndarray


def test_reading_inside_an_inner_transformation_unrolls_the_loop() -> None:
    inner = backlight.grad(lambda z: z * z if z > 0 else 5.0 * z)
    xs = np.array([1.0, 2.0, 3.0, -1.0])
    assert float(scan(lambda c, x: (c + inner(x), None), 0.0, xs)[0]) == 2.0 + 4.0 + 6.0 + 5.0


def test_a_body_that_changes_from_step_to_step_is_not_taken_for_one_mapping() -> None:
    calls = iter(range(100))
    weights = [backlight.array(float(k)) for k in range(1, 100)]
    total, _ = scan(lambda c, x: (c + x * float(next(calls)), None), 0.0, np.ones(4))
    assert not np.isclose(float(total), 4.0 * float(total) / 10.0)  # whatever it saw, not one constant four times
    order = iter([0, 1, 0, 1, 2, 3])  # two for the traces, then the loop itself
    product, _ = scan(lambda c, x: (c * weights[next(order)], None), 1.0, np.ones(4))
    assert float(product) == 24.0
    product.backward()
    assert [float(w.grad) for w in weights[:4]] == [24.0, 12.0, 8.0, 6.0]


def test_plain_values_read_in_the_body_are_never_frozen() -> None:
    doubled = scan(lambda c, x: (c + 2.0 * x.value, None), 0.0, np.arange(4.0))[0]
    assert float(doubled) == 12.0


def test_a_loop_that_was_unrolled_inside_a_traced_one() -> None:
    def f(x: Any) -> Any:
        body = lambda c, k: (cond(k > 1.0, lambda c: c * x, lambda c: c + x, c), c)
        return scan(lambda c, _: (scan(body, c, np.arange(4.0))[0], None), x, length=2)[0]

    def unrolled(x: Any) -> Any:
        c = x
        for _ in range(2):
            c = ((c + x + x) * x) * x
        return c

    for _ in range(3):
        assert float(f(1.1)) == pytest.approx(float(unrolled(1.1)), rel=1e-12)
        f, unrolled = backlight.grad(f), backlight.grad(unrolled)


def test_leaking_the_value_of_a_step_is_an_error() -> None:
    kept = []
    scan(lambda c, x: (kept.append(c), (c + x, None))[1], 0.0, np.arange(3.0))
    with pytest.raises(LeakError, match="scan"):
        kept[0] + 1.0


# -- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "word"), [("en", "Write instead"), ("zh", "改写为")])
def test_a_carry_that_changes_is_refused(monkeypatch: pytest.MonkeyPatch, language: str, word: str) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    start = {"h": np.zeros(2), "n": 0}
    with pytest.raises(ShapeError, match=r"carry\['h'\].*\(2,\).*\(3, 2\)") as shape:
        scan(lambda c, x: ({"h": c["h"] + np.ones((3, 2)), "n": c["n"]}, None), start, XS)
    with pytest.raises(DTypeError, match=r"carry\['n'\].*int64.*float64") as dtype:
        scan(lambda c, x: ({"h": c["h"], "n": c["n"] + 0.5}, None), start, XS)
    with pytest.raises(ArgumentError, match=r"carry\['m'\]") as tree:
        scan(lambda c, x: ({"h": c["h"], "m": c["n"]}, None), start, XS)
    for error in (shape, dtype, tree):
        assert word in str(error.value)
        assert "test_loop.py" in str(error.value)


def test_a_carry_that_changes_in_an_unrolled_loop_is_refused() -> None:
    with pytest.raises(ShapeError, match="carry"):
        scan(lambda c, x: (c if x < 2 else np.ones(3), None), np.zeros(2), np.arange(4.0))
    with pytest.raises(ShapeError, match="step 2"):
        scan(lambda c, x: (c, np.ones(2) if x < 2 else np.ones(3)), 0.0, np.arange(4.0))


def test_bad_arguments_are_refused() -> None:
    keep = lambda c, x: (c, None)
    with pytest.raises(ArgumentError, match="pair"):
        scan(lambda c, x: c, 0.0, XS)
    with pytest.raises(ShapeError, match=r"xs\['b'\]: 4"):
        scan(keep, 0.0, {"a": np.zeros(3), "b": np.zeros(4)})
    with pytest.raises(ShapeError, match="length: 3"):
        scan(keep, 0.0, np.zeros(2), length=3)
    with pytest.raises(ShapeError, match=r"xs\['b'\] is a single number"):
        scan(keep, 0.0, {"a": np.zeros(3), "b": 1.0})
    with pytest.raises(ArgumentError, match="how many steps"):
        scan(keep, 0.0)
    with pytest.raises(ShapeError):
        scan(keep, 0.0, length=-1)
    with pytest.raises(ShapeError, match="truth value"):
        while_loop(lambda x: x > 0, lambda x: x - 1, np.ones(2))
    with pytest.raises(ShapeError, match="truth value"):
        cond(np.array([True, False]), lambda: 1, lambda: 2)
    with pytest.raises(DTypeError, match="carry"):
        while_loop(lambda x: x < 3, lambda x: x + 0.5, 1)


def test_python_numbers_returned_for_the_carry_take_its_dtype() -> None:
    last, _ = scan(lambda c, x: ((c[0] + x, 0.0), None), (np.float32(1.0), np.float32(2.0)), np.ones(3, np.float32))
    assert [leaf.dtype for leaf in last] == [np.float32, np.float32]


# -- while_loop, fori_loop, cond --------------------------------------------------------------------------------------


def python_while(condition: Any, body: Any, carry: Any) -> Any:
    while condition(carry):
        carry = body(carry)
    return carry


def newton(loop: Any) -> Callable[..., Any]:
    """√a by Newton's method, as many steps as it takes."""
    return lambda a: loop(lambda x: abs(x * x - a) > 1e-13 * a, lambda x: 0.5 * (x + a / x), a)


@pytest.mark.parametrize("a", [0.5, 2.0, 1e6])
def test_while_loop_and_its_derivatives(a: float) -> None:
    ours, theirs = newton(while_loop), newton(python_while)
    x = backlight.array(a)
    assert records(ours(x), "while_loop") == 1
    for _ in range(3):
        assert float(ours(a)) == pytest.approx(float(theirs(a)), rel=1e-9)
        ours, theirs = backlight.grad(ours), backlight.grad(theirs)
    assert float(backlight.grad(newton(while_loop))(a)) == pytest.approx(0.5 / np.sqrt(a), rel=1e-12)
    tangent = backlight.jvp(newton(while_loop), (a,), (1.0,))[1]
    assert float(tangent) == pytest.approx(0.5 / np.sqrt(a), rel=1e-12)


def test_while_loop_over_a_tree_with_counter_and_captured_values() -> None:
    def f(loop: Any) -> Any:
        def loss(w: Any, limit: Any) -> Any:
            condition = lambda c: np.sum(c["x"]) < limit
            body = lambda c: {"n": c["n"] + 1, "x": c["x"] * w + c["n"]}
            last = loop(condition, body, {"n": 0, "x": w})
            return np.sum(last["x"] ** 2) * last["n"]

        return loss

    w = np.array([1.2, 1.4])
    for argnum in (0, 1):
        a, b = (backlight.grad(f(loop), argnum)(w, 30.0) for loop in (while_loop, python_while))
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_while_loop_that_never_runs() -> None:
    f = lambda x: while_loop(lambda y: y < 0.0, lambda y: 1.0 / (y - y), x) * 3.0
    assert float(backlight.grad(f)(2.0)) == 3.0
    assert float(while_loop(lambda y: y < 0.0, lambda y: y, 2.0)) == 2.0


def test_while_loop_whose_body_reads_values() -> None:
    f = lambda loop: lambda x: loop(lambda y: y < 100.0, lambda y: y * x if y < 10.0 else y + x * x, x)
    a, b = (backlight.grad(f(loop))(1.9) for loop in (while_loop, python_while))
    assert float(a) == pytest.approx(float(b), rel=1e-13)
    assert float(f(while_loop)(1.9)) == float(f(python_while)(1.9))


def test_while_loops_of_different_lengths_inside_a_scan() -> None:
    def f(loop: Any) -> Any:
        def loss(x: Any) -> Any:
            def body(c: Any, limit: Any) -> tuple[Any, Any]:
                grown = loop(lambda y: y < limit, lambda y: y * x, c)
                return grown * 0.3, grown

            if loop is python_while:
                return np.sum(python_scan(body, x, limits)[1] ** 2)
            return np.sum(scan(body, x, limits)[1] ** 2)

        return loss

    limits = np.array([10.0, 50.0, 5.0, 500.0])
    assert is_one_node(f(while_loop), 1.7)
    ours, theirs = f(while_loop), f(python_while)
    for _ in range(3):
        assert float(ours(1.7)) == pytest.approx(float(theirs(1.7)), rel=1e-11)
        ours, theirs = backlight.grad(ours), backlight.grad(theirs)
    many = np.array([1.3, 1.7, 2.9])
    separate = [float(backlight.grad(f(python_while))(x)) for x in many]
    np.testing.assert_allclose(backlight.vmap(backlight.grad(f(while_loop)))(many), separate, rtol=1e-12)


def test_repeated_gradients_follow_the_number_of_steps() -> None:
    gradient = backlight.grad(lambda x: while_loop(lambda y: y < 100.0, lambda y: y * x, x))
    for x in (1.5, 1.5, 1.5, 3.0, 1.1, 1.1, 20.0):
        power = next(n for n in range(1, 100) if x**n >= 100.0)
        assert float(gradient(x)) == pytest.approx(power * x ** (power - 1), rel=1e-12)


def test_fori_loop() -> None:
    f = lambda x: fori_loop(2, 6, lambda i, c: c * x + i, x)

    def unrolled(x: Any) -> Any:
        c = x
        for i in range(2, 6):
            c = c * x + i
        return c

    assert is_one_node(f, 1.3)
    assert float(f(1.3)) == pytest.approx(unrolled(1.3), rel=1e-14)
    assert float(backlight.grad(f)(1.3)) == pytest.approx(float(backlight.grad(unrolled)(1.3)), rel=1e-13)
    assert fori_loop(5, 5, lambda i, c: c * 0.0, 2.5) == 2.5
    rows = fori_loop(0, 5, lambda i, c: c + np.sin(backlight.array(XS)[i]), np.zeros(2))
    np.testing.assert_allclose(rows, np.sin(XS).sum(axis=0), rtol=1e-14)


def test_cond_runs_one_branch() -> None:
    f = lambda x: cond(x > 1.0, lambda x: np.log(x), lambda x: x * x, x)
    assert float(backlight.grad(f)(2.0)) == 0.5
    assert float(backlight.grad(f)(0.5)) == 1.0
    assert float(backlight.grad(f)(-3.0)) == -6.0  # log is never asked


# -- Size and speed ---------------------------------------------------------------------------------------------------


def test_ten_thousand_steps() -> None:
    xs = np.linspace(0.0, 1.0, 10_000)
    f = lambda w: scan(lambda c, x: (np.tanh(c * w + x), None), 0.5, xs)[0]
    gradient = backlight.grad(f)(0.3)
    numerical = (f(0.3 + 1e-6) - f(0.3 - 1e-6)) / 2e-6
    assert float(gradient) == pytest.approx(numerical, rel=1e-7)
    second = backlight.grad(backlight.grad(f))(0.3)
    assert float(second) == pytest.approx(
        (backlight.grad(f)(0.3 + 1e-5) - backlight.grad(f)(0.3 - 1e-5)) / 2e-5, rel=1e-6
    )


def test_plain_loops_keep_no_history() -> None:
    tracemalloc.start()
    last = scan(lambda c, x: (c + x, None), np.zeros(1000), np.ones((2000, 1)))[0]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last.base is None
    assert float(last[0]) == 2000.0
    assert peak < 2_000_000  # all 2,000 carries would be 16 MB


def test_traces_of_repeated_gradients_are_let_go() -> None:
    made = []

    def loss(w: Any) -> Any:
        big = np.tanh(w)
        made.append(weakref.ref(big.node))
        return np.sum(scan(lambda h, x: (h * big + x, None), np.ones(3), np.ones((4, 3)))[0])

    for _ in range(10):
        backlight.grad(loss)(np.full(3, 0.1))
    gc.collect()
    assert sum(node() is not None for node in made) <= 1


def test_simplifying_a_graph_with_loops_changes_no_number() -> None:
    w, h = backlight.array(W), backlight.array(H)
    loss = recurrent(scan)(h, XS, w, POINT[3])
    seed = Array(loss.node) * 0 + 1.0
    found = backlight.differentiate.pull_back([loss.node], [seed], [w.node, h.node])
    graph = Graph([w.node, h.node], [found[w.node].node, found[h.node].node])
    shorter, _ = simplify(graph)
    for a, b in zip(run(graph, W, H), run(shorter, W, H), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_a_gradient_of_captured_weights_is_summed_not_stacked() -> None:
    w = backlight.array(np.eye(50) * 0.9)
    last, _ = scan(lambda h, x: (h @ w + x, None), np.ones(50), np.ones((200, 50)))
    loss = np.sum(last)
    found = backlight.differentiate.pull_back([loss.node], [Array(loss.node) * 0 + 1.0], [w.node])[w.node]
    sizes = [part.size for node in reachable([found.node]) if isinstance(node.value, tuple) for part in node.value]
    assert max(sizes) <= 200 * 50


# -- An example -------------------------------------------------------------------------------------------------------


def test_a_recurrent_network_learns_to_remember() -> None:
    """Output the first input at the end of the sequence: the gradient must travel all the way back."""
    numbers = np.random.default_rng(0)
    xs = numbers.choice([-1.0, 1.0], size=(8, 32))  # time first, then examples
    params = {"u": numbers.normal(0, 0.5, (1, 8)), "w": np.eye(8) * 0.9, "v": numbers.normal(0, 0.5, (8, 1))}

    def loss(params: dict[str, Any]) -> Any:
        step = lambda h, x: (np.tanh(h @ params["w"] + x[:, None] @ params["u"]), None)
        last, _ = scan(step, np.zeros((32, 8)), xs)
        return np.mean(((last @ params["v"])[:, 0] - xs[0]) ** 2)

    before = float(loss(params))
    for _ in range(200):
        gradient = backlight.grad(loss)(params)
        params = {name: params[name] - 0.1 * gradient[name] for name in params}
    assert float(loss(params)) < 0.05 < before


# -- Many examples at once ---------------------------------------------------------------------------------------


def test_gradients_of_a_recurrent_network_for_every_example_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """vmap(grad(loss)) batches the body of the scan: each step runs once, not once for each example."""
    rng = np.random.default_rng(3)
    params = {"W": rng.normal(size=(4, 4)) * 0.3, "U": rng.normal(size=(2, 4))}
    xs, start = rng.normal(size=(6, 5, 2)), rng.normal(size=(6, 4))

    def loss(params: Any, x: Any, h: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            h = np.tanh(h @ params["W"] + row @ params["U"])
            return h, h**2

        h, squares = backlight.scan(step, h, x, reverse=True)
        return np.sum(squares) + np.sum(h[0])

    alone = [backlight.grad(loss)(params, x, h) for x, h in zip(xs, start, strict=True)]
    monkeypatch.setattr(batching, "_stacked", lambda *rows: pytest.fail("the examples ran one by one"))
    together = backlight.vmap(backlight.grad(loss), in_axes=(None, 0, 0))(params, xs, start)
    for name, found in together.items():
        np.testing.assert_allclose(found, np.stack([gradient[name] for gradient in alone]), rtol=1e-12, atol=1e-14)
    shared = backlight.vmap(backlight.grad(loss, argnums=1), in_axes=(None, 0, None))(params, xs, start[0])
    for found, x in zip(shared, xs, strict=True):
        np.testing.assert_allclose(found, backlight.grad(loss, argnums=1)(params, x, start[0]), rtol=1e-12, atol=1e-14)


def test_every_example_of_a_while_loop_takes_its_own_number_of_steps() -> None:
    def grown(x: Any, factor: Any) -> Any:
        return backlight.while_loop(lambda c: c[0] < 100.0, lambda c: (c[0] * c[0] * factor, c[1] + 1), (x, 0))

    x, factor = np.array([1.5, 3.0, 50.0, 200.0, 1.1]), 1.1
    values, steps = backlight.vmap(grown, in_axes=(0, None))(x, factor)
    alone = [grown(each, factor) for each in x]
    np.testing.assert_array_equal(values, [value for value, _ in alone])
    np.testing.assert_array_equal(steps, [4, 2, 1, 0, 5])
    total = backlight.grad(lambda x, f: np.sum(backlight.vmap(grown, in_axes=(0, None))(x, f)[0]), argnums=(0, 1))
    by_x, by_factor = total(x, factor)
    wanted = [backlight.grad(lambda x, f: grown(x, f)[0], argnums=(0, 1))(each, factor) for each in x]
    np.testing.assert_allclose(by_x, [g for g, _ in wanted], rtol=1e-13)
    np.testing.assert_allclose(by_factor, sum(g for _, g in wanted), rtol=1e-13)


def test_a_finished_example_warns_of_nothing_and_gets_no_false_gradient() -> None:
    """The first example overflows if it goes on after it has finished; the second takes longer."""

    def squared(x: Any) -> Any:
        return backlight.while_loop(lambda v: v < 1e160, lambda v: v * v, x)

    x = np.array([1e100, 1.5])
    np.testing.assert_array_equal(backlight.vmap(squared)(x), [squared(each) for each in x])
    gradient = backlight.grad(lambda x: np.sum(backlight.vmap(squared)(x)[:1]))(x)
    np.testing.assert_allclose(gradient, [2e100, 0.0], rtol=1e-13)
