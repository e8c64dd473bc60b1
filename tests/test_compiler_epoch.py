"""An epoch in one native call: the state in place, the metrics stacked, whole steps only, and errors that say why."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backlight import random as draws
from backlight import tree_map, value_and_grad
from backlight.compiler.epoch import Epoch
from backlight.compiler.run import compile
from backlight.errors import ArgumentError, BacklightError, CompileError, DTypeError, ShapeError
from tests.compiled import WAYS, way

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype(np.float32)
Y = X[:, 0] - X[:, 1]
ROWS = RNG.permutation(64).reshape(8, 8)
STEPS = np.arange(3)
V = np.ones(2)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "en")


@pytest.fixture(params=WAYS)
def ways(request: pytest.FixtureRequest) -> Any:
    with way(request.param):
        yield request.param


def network() -> Any:
    weights = {"w": np.full((8, 5), 0.1, np.float32), "b": np.zeros(5, np.float32)}
    return {
        "p": weights,
        "m": tree_map(np.zeros_like, weights),
        "key": np.asarray(draws.key(0)),
        "t": np.zeros((), int),
    }


def step(state: Any, rows: Any, x: Any, y: Any, rate: Any = 0.05) -> Any:
    """A network with dropout, trained with momentum; the key and the number of the step are part of the state."""
    key, next_key = draws.split(state["key"])

    def loss(p: Any) -> Any:
        h = np.tanh(x[rows] @ p["w"] + p["b"])
        kept = np.where(draws.uniform(key, h.shape) < 0.8, h / np.float32(0.8), np.float32(0))
        return np.mean((kept.sum(1) - y[rows]) ** 2)

    value, gradient = value_and_grad(loss)(state["p"])
    m = tree_map(lambda m, g: 0.9 * m + g, state["m"], gradient)
    new = {"p": tree_map(lambda w, m: w - rate * m, state["p"], m), "m": m, "key": next_key, "t": state["t"] + 1}
    return new, {"loss": value, "large": np.max(np.abs(gradient["w"])) > 1, "t": state["t"]}


def one_by_one(function: Callable[..., Any], state: Any, batches: Any, *data: Any) -> tuple[Any, list[Any]]:
    rows = []
    for batch in batches:
        state, metrics = function(state, batch, *data)
        rows.append(metrics)
    return state, rows


def leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    tree_map(found.append, tree)
    return found


# -- The same as step by step --------------------------------------------------------------------------------------


def test_an_epoch_of_training_is_the_steps_one_by_one(ways: str) -> None:
    state = network()
    held = leaves(state)
    epoch = Epoch(step)
    for _ in range(2):
        expected, rows = one_by_one(step, tree_map(np.array, state), ROWS, X, Y)
        metrics = epoch(state, ROWS, X, Y)
        assert all(a is b for a, b in zip(leaves(state), held, strict=True))
        for ours, theirs in zip(held, leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(state["key"], expected["key"])
        np.testing.assert_allclose(metrics["loss"], [row["loss"] for row in rows], rtol=1e-5)
        np.testing.assert_array_equal(metrics["large"], [row["large"] for row in rows])
        np.testing.assert_array_equal(metrics["t"], [row["t"] for row in rows])
        assert (metrics["loss"].dtype, metrics["large"].dtype) == (np.float32, bool)
        assert epoch.finished == len(ROWS)
    assert len(epoch._plans) == 1


@pytest.mark.parametrize("keep", [True, False])
def test_any_number_of_rows_is_one_plan_with_the_same_bits(ways: str, keep: bool) -> None:
    whole, parts = network(), network()
    metrics = Epoch(step, keep=keep)(whole, ROWS, X, Y)
    epoch, found = Epoch(step, keep=keep, room=5), []
    for start, stop in ((0, 2), (2, 3), (3, 8)):
        found.append(epoch(parts, ROWS[start:stop], X, Y))
        assert epoch.finished == stop - start
    assert [leaf.tobytes() for leaf in leaves(parts)] == [leaf.tobytes() for leaf in leaves(whole)]
    assert len(epoch._plans) == 1
    if keep:
        joined = tree_map(lambda *rows: np.concatenate(rows), *found)
        assert [leaf.tobytes() for leaf in leaves(joined)] == [leaf.tobytes() for leaf in leaves(metrics)]
    else:
        assert metrics is None
        assert found == [None] * 3
        many = np.concatenate([ROWS] * 30)
        epoch(parts, many, X, Y)
        Epoch(step)(whole, many, X, Y)
        assert [leaf.tobytes() for leaf in leaves(parts)] == [leaf.tobytes() for leaf in leaves(whole)]


def test_more_rows_than_before_that_give_something_are_a_new_plan(ways: str) -> None:
    epoch, state = Epoch(lambda s, i: (s + i, (s, i))), np.zeros(())
    for rows in (3, 2, 9, 1):
        state[...] = 0
        sums, numbers = epoch(state, np.arange(rows))
        np.testing.assert_array_equal(numbers, np.arange(rows))
        np.testing.assert_array_equal(sums, [k * (k - 1) / 2 for k in range(rows)])
        assert state == rows * (rows - 1) / 2
    assert len(epoch._plans) == 1


def test_the_same_bits_for_any_number_of_threads_and_from_run_to_run(ways: str) -> None:
    found = []
    for threads in (1, 2, 3, 8):
        epoch = Epoch(step, threads=threads)
        for _ in range(2):
            state = network()
            metrics = epoch(state, ROWS, X, Y)
            found.append([leaf.tobytes() for leaf in (*leaves(state), *leaves(metrics))])
    assert all(bits == found[0] for bits in found)


CARRIES: dict[str, tuple[Callable[..., Any], Callable[[], Any]]] = {
    "exchanged": (lambda s, i: ((s[1], s[0]), s[0].sum()), lambda: (np.ones(3), np.arange(3.0))),
    "in a circle": (lambda s, i: ([s[1] + i, s[2], s[0]], s[0][0]), lambda: [np.full(3, k) for k in range(3)]),
    "unchanged": (lambda s, i: ((s[0], s[1] + s[0]), None), lambda: (np.arange(3.0), np.zeros(3))),
    "twice the same": (lambda s, i: ((s[0] + 1, s[0] + 1), s[1].sum()), lambda: (np.ones(3), np.zeros(3))),
    "one becomes both": (lambda s, i: ((s[0], s[0]), s[1].sum()), lambda: (np.ones(3), np.zeros(3))),
    "constant": (lambda s, i: (np.zeros_like(s), s.sum()), lambda: np.ones(3)),
    "broadcast": (lambda s, i: (np.broadcast_to(s.sum() / 2, (3,)), s), lambda: np.ones(3)),
    "a Python number": (lambda s, i: ((2.5, s[1] + s[0]), None), lambda: (np.ones(()), V.copy())),
    "turned": (lambda s, i: (s.T, s[0, 1]), lambda: np.arange(9.0).reshape(3, 3)),
    "shifted": (lambda s, i: (np.concatenate([s[1:], s[:1]]), s[0]), lambda: np.arange(5)),
    "dtypes": (
        lambda s, i: ([s[0] + i, ~s[1], s[2] / 2, s[3] * np.uint32(3), s[4] + np.uint8(200)], {"i": i, "c": 2.5}),
        lambda: [
            np.arange(3), np.array([True, False]), np.ones(2, np.float32), np.array([1, 2], np.uint32),
            np.ones((), np.uint8),
        ],
    ),
    "nothing": (lambda s, i: (s, i * 2), lambda: None),
    "nan": (lambda s, i: (s * np.inf, s), lambda: np.array([0.0, 1.0, -1.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", CARRIES)
def test_what_becomes_of_the_state(name: str, ways: str) -> None:
    function, start = CARRIES[name]
    for steps in (0, 1, 3):
        state = start()
        with np.errstate(all="ignore"):
            expected, rows = one_by_one(function, start(), np.arange(steps))
        metrics = Epoch(function)(state, np.arange(steps))
        for ours, theirs in zip(leaves(state), leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs)
        columns = [leaves(row) for row in rows]
        for k, ours in enumerate(leaves(metrics)):
            assert len(ours) == steps
            np.testing.assert_allclose(ours.reshape(-1), np.ravel([row[k] for row in columns]))


def test_an_empty_array_in_the_state() -> None:
    state = (np.ones((0, 3)), np.zeros(3))
    with way("written out"):
        Epoch(lambda s, i: ((s[0] + 1, s[1] + 1), None))(state, STEPS)
    np.testing.assert_array_equal(state[1], [3.0, 3.0, 3.0])


def test_several_arrays_of_batches_and_none_at_all(ways: str) -> None:
    state = np.zeros(2)
    metrics = Epoch(lambda s, b: (s + b["x"], b["k"]))(state, {"x": np.ones((4, 2)), "k": np.arange(4)[::-1]})
    np.testing.assert_array_equal(state, [4.0, 4.0])
    np.testing.assert_array_equal(metrics, [3, 2, 1, 0])


def test_data_may_change_and_python_numbers_are_part_of_the_program() -> None:
    epoch = Epoch(lambda s, i, rate, factor: (s - rate * factor, None))
    state = np.zeros(2, np.float32)
    epoch(state, STEPS, np.float32(0.5), 2)
    epoch(state, STEPS, np.float32(1.0), 2)
    assert len(epoch._plans) == 1
    epoch(state, STEPS, np.float32(1.0), 3)
    assert len(epoch._plans) == 2
    np.testing.assert_array_equal(state, np.full(2, -18.0))


def test_data_that_is_the_state_is_what_it_was_before(ways: str) -> None:
    state = np.ones(4)
    Epoch(lambda s, i, x: (s + x[i], None))(state, STEPS, state)
    np.testing.assert_array_equal(state, np.full(4, 4.0))


def test_arrays_that_take_the_place_of_those_of_the_last_call() -> None:
    epoch = Epoch(lambda s, i, x: ({"w": s["w"] + x[i]}, None))
    x, state = np.array([1.0, 2.0, 4.0]), {"w": np.zeros(2)}
    first = state["w"]
    for _ in range(2):
        epoch(state, np.arange(3), x)
    state["w"] = np.zeros(2)
    epoch(state, np.arange(3), x)
    np.testing.assert_array_equal(first, [14.0, 14.0])
    np.testing.assert_array_equal(state["w"], [7.0, 7.0])
    x[:] = 10.0  # the same array with other numbers
    epoch(state, np.arange(3), x)
    epoch(state, np.arange(3), np.ones(3))
    np.testing.assert_array_equal(state["w"], [40.0, 40.0])
    state["w"].shape = (1, 2)
    epoch(state, np.arange(3), x)
    assert state["w"].shape == (1, 2)
    np.testing.assert_array_equal(state["w"], [[70.0, 70.0]])
    state["w"].flags.writeable = False
    with pytest.raises(ArgumentError, match="read-only"):
        epoch(state, np.arange(3), x)


@pytest.mark.filterwarnings("ignore:Setting the strides:DeprecationWarning")
def test_strides_that_change_in_place_are_noticed() -> None:
    epoch = Epoch(lambda s, i, x: (s + x[i], None))
    x, state = np.arange(12.0).reshape(4, 3), np.zeros(3)
    epoch(state, np.arange(4), x)
    expected = state + 4 * x[0]
    x.strides = (0, 8)
    epoch(state, np.arange(4), x)
    np.testing.assert_array_equal(state, expected)


def test_what_is_trained_on_can_be_let_go() -> None:
    epoch, state, x = Epoch(lambda s, i, x: (s + x[i], None)), np.zeros(2), np.ones((3, 2))
    epoch(state, np.arange(3), x)
    gone = weakref.ref(x)
    del x
    assert gone() is None


def test_no_reference_of_any_kind_is_kept() -> None:
    """An array with weak references to it cannot be resized."""
    epoch, compiled = Epoch(lambda s, i, x: (s + x[i], None)), compile(lambda s, x: s + x.sum())
    state, x = np.zeros(2), np.ones((3, 2))
    for _ in range(2):
        epoch(state, np.arange(3), x)
        compiled(state, x)
    assert weakref.getweakrefcount(state) == weakref.getweakrefcount(x) == 0
    state.resize(4, refcheck=False)
    x.resize((5, 4), refcheck=False)
    epoch(state, np.arange(2), x)
    np.testing.assert_array_equal(state, [8.0, 8.0, 1.0, 1.0])


def test_other_arrays_in_the_same_place_are_as_good() -> None:
    """What was prepared depends on where the elements are, and what they mean, not on whose they are."""
    epoch, memory = Epoch(lambda s, i, x: (s + x[i], None)), np.zeros(6)
    rows = np.zeros(2, np.int64)
    for _ in range(3):
        epoch(memory[:2], rows, memory[2:].reshape(2, 2))
        memory[2:] += 1
    np.testing.assert_array_equal(memory[:2], [6.0, 6.0])
    epoch(memory[:2], rows, memory[2:].view(np.int64).reshape(2, 2) * 0 + 1)
    np.testing.assert_array_equal(memory[:2], [8.0, 8.0])
    same = memory[:2]
    same.flags.writeable = False
    with pytest.raises(ArgumentError, match="read-only"):
        epoch(same, rows, memory[2:].reshape(2, 2))
    masked = np.ma.masked_array(memory[:2])
    with pytest.raises(ArgumentError, match="MaskedArray"):
        epoch(masked, rows, memory[2:].reshape(2, 2))


def test_one_epoch_in_several_threads() -> None:
    epoch = Epoch(lambda s, i, x: (s + x[i], None), threads=1)
    states, data = [np.zeros(3) for _ in range(4)], [np.full(5, float(k)) for k in range(4)]

    def work(k: int) -> None:
        for _ in range(50):
            epoch(states[k], np.arange(5), data[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for k, state in enumerate(states):
        np.testing.assert_array_equal(state, np.full(3, 250.0 * k))


def test_a_call_gives_its_own_metrics_whatever_another_thread_does_meanwhile() -> None:
    epoch, rows = Epoch(lambda s, i: (s + i, s)), np.ones(3)
    epoch(np.zeros(()), rows)
    plan: Any = epoch._last

    class Meanwhile(list[Any]):
        def append(self, copies: Any) -> None:
            plan.spare = []
            np.testing.assert_array_equal(epoch(np.full((), 7.0), rows), [7, 8, 9])

    plan.spare = Meanwhile()
    np.testing.assert_array_equal(epoch(np.zeros(()), rows), [0, 1, 2])


# -- Errors --------------------------------------------------------------------------------------------------------


def test_indices_out_of_range_are_an_error_and_the_state_is_as_before(ways: str) -> None:
    state = network()
    bad = ROWS.copy()
    bad[5, 3] = 64
    with pytest.raises(IndexError, match=r"64 is out of (bounds|range)"):
        Epoch(step)(state, bad, X, Y)
    for ours, before in zip(leaves(state), leaves(network()), strict=True):
        np.testing.assert_array_equal(ours, before)
    epoch = Epoch(step)
    epoch(state, ROWS, X, Y)
    assert epoch.finished == len(ROWS)


def refused(kind: type[BaseException], text: str, function: Any, state: Any, batches: Any = STEPS) -> None:
    before = tree_map(np.array, state)
    with pytest.raises(kind, match=text) as caught:
        Epoch(function)(state, batches)
    assert isinstance(caught.value, BacklightError)
    for ours, theirs in zip(leaves(state), leaves(before), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_states_that_cannot_be_updated_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    same = lambda s, i: (s, None)
    w = np.arange(6.0)
    fixed = np.ones(3)
    fixed.flags.writeable = False
    refused(ArgumentError, r"`state\['a'\]` and `state\['b'\]` share memory", same, {"a": w, "b": w})
    refused(ArgumentError, r"`state\[0\]` and `state\[2\]` share memory", same, [w[:2], w[4:], w[1:3]])
    refused(ArgumentError, r"`state\['a'\]` is read-only", same, {"a": fixed})
    refused(ArgumentError, "one after the other", same, w[::2])
    refused(ArgumentError, "one after the other", same, np.asfortranarray(np.ones((2, 3))))
    refused(ArgumentError, "one after the other", same, w.astype(">f8"))
    refused(ArgumentError, r"`state\['lr'\]` is a float, which cannot be updated", same, {"lr": 0.1})
    refused(ArgumentError, "is a float64", same, {"lr": np.float64(0.1)})
    Epoch(same)((w[:3], w[3:]), STEPS)  # side by side is not shared
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    refused(ArgumentError, "共用内存", same, {"a": w, "b": w})


def test_steps_that_do_not_give_back_what_they_get() -> None:
    w = np.ones(3, np.float32)
    refused(
        DTypeError, r"`state` is float32 \(3,\) but comes back as float64", lambda s, i: (s * np.float64(2), None), w
    )
    refused(ShapeError, r"`state\[0\]` is float32 \(3,\) but comes back as", lambda s, i: ((s[0][:2],), None), (w,))
    refused(ArgumentError, "nested like the one", lambda s, i: ([s], None), w)
    refused(ArgumentError, r"a pair \(state, metrics\), but returned Array", lambda s, i: s, w)
    refused(ShapeError, r"batches\[0\] \(3,\), batches\[1\] \(4,\)", lambda s, i: (s, None), w, (STEPS, np.arange(4)))
    refused(ShapeError, r"their shapes are batches \(\)", lambda s, i: (s, None), w, np.array(3))
    refused(ShapeError, "their shapes are None", lambda s, i: (s, None), w, None)


def test_what_cannot_be_compiled_says_why_and_where() -> None:
    w = np.eye(3)
    calls = iter(range(100))
    refused(
        CompileError,
        r"test_compiler_epoch\.py:\d+\n.*because of `solve`",
        lambda s, i: (np.linalg.solve(s, s), None),
        w,
    )
    refused(
        CompileError,
        r"test_compiler_epoch\.py:\d+\n(.|\n)*Python reads",
        lambda s, i: (s if s[0, 0] > 0 else -s, None),
        w,
    )
    refused(CompileError, "something else in the second step", lambda s, i: (s + next(calls), None), w)
    refused(CompileError, "was about to become a plain NumPy array", lambda s, i: (np.asarray(s) + 1, None), w)
    refused(CompileError, "a key for backlight.random", lambda s, i: (s + np.random.rand(), None), w)


def test_an_error_of_the_users_comes_through() -> None:
    def failing(s: Any, i: Any) -> Any:
        raise LookupError("no such layer")

    with pytest.raises(LookupError, match="no such layer"):
        Epoch(failing)(np.ones(3), STEPS)


# -- Ctrl-C --------------------------------------------------------------------------------------------------------


def small_step(state: Any, rows: Any, x: Any, y: Any) -> Any:
    """Linear regression with noise: quick to compile in every way."""
    w, m, key = state
    value, gradient = value_and_grad(lambda w: np.mean((x[rows] @ w - y[rows]) ** 2))(w)
    m = np.float32(0.9) * m + gradient + np.float32(0.01) * draws.normal(key, (8,)).astype(np.float32)
    return [w - np.float32(0.01) * m, m, draws.split(key)[0]], (value, w[0])


def small_state() -> Any:
    return [np.zeros(8, np.float32), np.zeros(8, np.float32), np.array(draws.key(1))]


INTERRUPTED = """
import signal, sys, threading
import numpy as np
from backlight.compiler.epoch import Epoch
from backlight.compiler.run import compile
from tests.compiled import way
from tests.test_compiler_epoch import ROWS, X, Y, leaves, small_state, small_step

with way(sys.argv[1]):
    epoch, many, delay = Epoch(small_step, threads=2), np.tile(ROWS[:, :2], (1 << 18, 1)), 0.2
    while not 0 < epoch.finished < len(many):  # until it comes neither during the compilation nor after the end
        state, timer = small_state(), threading.Timer(delay, signal.raise_signal, (signal.SIGINT,))
        try:
            timer.start()
            epoch(state, many, X, Y)
            timer.join()
        except KeyboardInterrupt:
            delay *= 0.5 if epoch.finished == len(many) else 2
    steps, metrics = epoch.finished, epoch.metrics
    expected = small_state()
    other = Epoch(small_step)(expected, many[:steps], X, Y)
    print([a.tobytes() == b.tobytes() for a, b in zip(leaves(state), leaves(expected), strict=True)])
    print([a.tobytes() == b.tobytes() for a, b in zip(leaves(metrics), leaves(other), strict=True)])
    epoch(state, many[steps : steps + 8], X, Y)
    Epoch(small_step)(expected, many[steps : steps + 8], X, Y)
    print(epoch.finished, [a.tobytes() == b.tobytes() for a, b in zip(leaves(state), leaves(expected), strict=True)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("ways", WAYS)
def test_ctrl_c_leaves_whole_steps_and_says_how_many(ways: str) -> None:
    made = subprocess.run([sys.executable, "-c", INTERRUPTED, ways], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines() == [
        str([True] * 3),
        str([True] * 2),
        f"8 {[True] * 3}",
    ], made.stderr


def test_ctrl_c_during_the_compilation_changes_nothing() -> None:
    def interrupted(s: Any, i: Any) -> Any:
        raise KeyboardInterrupt

    epoch, w = Epoch(lambda s, i: (s + 1, None)), np.ones(3)
    epoch(w, STEPS)
    epoch._function = interrupted
    with pytest.raises(KeyboardInterrupt):
        epoch(w, np.arange(4))
    assert epoch.finished == 0
    np.testing.assert_array_equal(w, np.full(3, 4.0))


def test_what_it_is_called() -> None:
    assert repr(Epoch(step)) == "<epoch of step>"


def test_empty_rows_are_steps_too(ways: str) -> None:
    """A batch of no examples: a sum over nothing is 0, an empty metric stays one, and state may be empty as well."""
    epoch = Epoch(lambda s, i, x: ((s[0] - np.sum(x[i] @ s[0]), s[1] * 2), (np.sum(s[0]), x[i])))
    w, none = np.ones(6), np.zeros((0, 2))
    sums, rows = epoch((w, none), np.zeros((2, 0), int), np.ones((5, 6)))
    np.testing.assert_array_equal(w, np.ones(6))
    np.testing.assert_array_equal(sums, [6.0, 6.0])
    assert (rows.shape, epoch.finished) == ((2, 0, 6), 2)
