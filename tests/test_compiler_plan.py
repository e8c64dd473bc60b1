"""What runs together: how many kernels pieces of networks become, what they keep, and what is only a view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import alike, way

import backlight
from backlight.compiler.lower import plan
from backlight.compiler.native import Native
from backlight.compiler.plan import Group, Plan, Tensor
from backlight.compiler.recording import trace_call
from backlight.compiler.views import View, contiguous
from backlight.errors import RangeError

F = np.float32


def native_of(function: Any, *inputs: Any) -> Native:
    with way("kernels"):
        native = Native(trace_call(function, inputs, {}).graph, 1)
        native.program  # planned in the same way that it was built
    return native


def kernels(function: Any, *inputs: Any) -> list[Group]:
    """The groups, in order; what they compute is right."""
    native = native_of(function, *inputs)
    expected = function(*inputs)
    alike(native(inputs), expected if isinstance(expected, tuple) else (expected,), 16)
    return [group for group, _ in native.program.kernels]


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(F)


X, W, B = numbers(48, 40), numbers(40, 24, seed=1), numbers(24, seed=2)


def test_bias_and_activation_leave_with_the_product() -> None:
    (group,) = kernels(lambda x, w, b: backlight.relu(x @ w + b), X, W, B)
    assert group.kind == "product"
    assert group.result is not None
    assert not group.result.is_stored


def test_transposes_slices_and_broadcasts_are_read_where_they_are() -> None:
    (group,) = kernels(
        lambda x, w: x.T[4:20] @ np.broadcast_to(w.T[::2, None], (48, 1, 24))[:, 0] * 2, X, numbers(24, 96)
    )
    assert group.kind == "product"


def test_a_layer_norm_is_one_walk_over_the_rows() -> None:
    def norm(x: Any, scale: Any) -> Any:
        centred = x - np.mean(x, axis=-1, keepdims=True)
        return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + F(1e-5)) * scale

    assert len(kernels(norm, X, numbers(40))) == 1


def test_softmax_its_loss_and_its_gradient_are_one_walk_over_the_rows() -> None:
    def loss(z: Any, y: Any) -> Any:
        return np.mean(backlight.logsumexp(z, axis=-1) - z[np.arange(len(y)), y])

    y = np.arange(48) % 24
    groups = kernels(lambda z, y: backlight.grad(loss)(z, y), numbers(48, 24), y)
    assert len(groups) == 1
    native = native_of(lambda z, y: backlight.value_and_grad(loss)(z, y), numbers(48, 24), y)
    assert len(native.program.kernels) == 2  # and the mean over all rows


@pytest.mark.parametrize("bad", [24, -25, 2**40])
def test_an_index_out_of_range_is_an_error_and_no_crash(bad: int) -> None:
    y = np.arange(48) % 24
    y[17] = bad
    pick = backlight.compile(lambda z, y: z[np.arange(48), y] + np.sum(z), strict=True)
    pick(numbers(48, 24), np.arange(48) % 24)
    with pytest.raises((RangeError, IndexError)):
        pick(numbers(48, 24), y)


def test_what_costs_little_is_computed_again_rather_than_kept() -> None:
    def gelu(x: Any, w: Any, v: Any) -> Any:
        return np.sum(backlight.gelu(x @ w, approximate=True) @ v)

    x, w, v = numbers(64, 32), numbers(32, 64, seed=1), numbers(64, 16, seed=2)
    groups = kernels(lambda *a: backlight.grad(gelu)(*a), x, w, v)
    first = next(group for group in groups if group.kind == "product")
    kept = [m.tensor for m in first.members if m.tensor.is_stored] + [first.result] * bool(
        first.result and first.result.is_stored
    )
    assert len(kept) <= 3, "its input, tanh and the derivative of tanh"


def test_the_sum_of_padded_parts_is_written_part_by_part() -> None:
    def split(x: Any, w: Any) -> Any:
        q, k, v = np.split(x @ w, 3, axis=-1)
        return np.sum(np.tanh(q) * k + v**2)

    groups = kernels(lambda x, w: backlight.grad(split, 1)(x, w), X, W)
    stored = [t.size for g in groups for t in (*g.writes, *(m.tensor for m in g.members)) if t.home == "part"]
    assert sum(stored) == 48 * 24
    assert not any(g.kind == "loops" and len(g.members) == 1 and g.members[0].kernel == "x0" for g in groups)


def test_pooling_its_winners_and_what_follows_are_one_walk() -> None:
    images = numbers(2, 3, 8, 8)
    groups = kernels(
        lambda x: backlight.grad(lambda x: np.sum(backlight.relu(backlight.max_pool(x, 2)) ** 2))(x), images
    )
    assert sorted({group.kind for group in groups}) == ["loops", "pool", "unpool"] or len(groups) == 2


def test_an_operand_that_all_steps_read_is_copied_into_panels_once() -> None:
    w = numbers(32, 64) / F(8)

    def run(w: Any, xs: Any) -> Any:
        return backlight.scan(lambda h, x: (np.tanh(h @ w[:, :32] + x), h), xs[0], xs)[0]

    native = native_of(run, w, numbers(6, 5, 32))
    inside = [g for (g, _), n in zip(native.program.kernels, native.program.times, strict=True) if n == 6]
    (product,) = [g for g in inside if g.kind == "product"]
    assert len(product.core.columns) == 2 or product.core.columns[0] < 16
    alike(native([w, numbers(6, 5, 32)]), [run(w, numbers(6, 5, 32))], 64)


def test_memory_is_shared_by_what_does_not_live_at_the_same_time() -> None:
    def chain(x: Any, w: Any) -> Any:
        for _ in range(8):
            x = np.tanh(x @ w)
        return x

    native = native_of(chain, numbers(64, 64), numbers(64, 64) / F(8))
    assert native.program.arena <= 2 * 64 * 64 * 4 + 256


def test_a_long_chain_is_cut_and_no_recursion_breaks() -> None:
    def chain(x: Any) -> Any:
        for k in range(700):
            x = x * F(0.999) + F(0.001) * (k % 3)
        return x

    assert 1 <= len(kernels(chain, numbers(64, 8))) <= 20


def choices(x: Any) -> Any:
    for _ in range(40):
        x = np.where(x > 0, x * F(0.9), x + 1)
    return x


def neighbours(x: Any) -> Any:
    for _ in range(40):
        x = (x[1:] + x[:-1]) / 2
    return x


@pytest.mark.parametrize("function", [choices, neighbours])
def test_values_read_along_very_many_ways_are_planned(function: Any) -> None:
    assert kernels(function, numbers(200))  # 2 to the power 40 ways lead from the result to the input
    assert kernels(backlight.grad(lambda x: np.sum(np.tanh(function(x)))), numbers(200))


def looked_at(function: Any, monkeypatch: Any) -> int:
    """At how many groups planning has looked to find one where a mapping can be computed."""
    count, accepts = 0, Plan._accepts

    def counted(*arguments: Any) -> str:
        nonlocal count
        count += 1
        return accepts(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Plan, "_accepts", counted)
        patch.setattr(Group, "external", None)  # goes through all members: too much for every mapping
        trace = trace_call(function, [numbers(200)], {}).graph
        plan(trace, [View(Tensor(200, np.dtype(F), "argument"), 0, contiguous(200))])
    return count


def test_planning_a_long_chain_takes_time_in_proportion_to_its_length(monkeypatch: Any) -> None:
    def chain(length: int) -> Any:
        def loss(x: Any) -> Any:
            for _ in range(length):
                x = np.sin(x)
            return np.sum(x)

        return backlight.grad(loss)

    assert looked_at(chain(400), monkeypatch) <= 2.2 * looked_at(chain(200), monkeypatch)


def test_behind_a_rectifier_zero_still_wins_against_anything() -> None:
    x, g = np.meshgrid(F([1, -1, 0, -0.0, np.nan, np.inf, -np.inf]), F([1, -2, 0, np.inf, np.nan]))
    gradient = backlight.grad(lambda x, g: np.sum(backlight.relu(x) * g))
    with np.errstate(all="ignore"):
        expected = gradient(x, g)
    np.testing.assert_array_equal(native_of(gradient, x, g)([x, g])[0], expected)


def test_what_is_the_same_along_a_row_is_computed_once_for_it() -> None:
    def normalised(x: Any) -> Any:
        return x * np.broadcast_to(1 / np.sqrt(np.mean(x * x, axis=1, keepdims=True)), x.shape)

    (group,) = kernels(normalised, X)
    assert [member.tensor.size for member in group.members if member.level == "row"].count(len(X)) >= 3
    assert sum(member.tensor.size == X.size for member in group.members) == 2  # x · x, and the product


def test_parts_are_joined_in_the_order_of_their_reader() -> None:
    def heads(x: Any, g: Any) -> Any:
        def split(x: Any) -> Any:
            q, k, v = np.transpose(x.reshape(4, 6, 3, 2, 5), (2, 0, 3, 1, 4))
            return np.sum((np.tanh(q) * k + v) * g)

        return backlight.grad(split)(x) @ W[:30]

    x, g = numbers(4, 6, 30), numbers(4, 2, 6, 5, seed=1)
    groups = kernels(heads, x, g)
    (product,) = (group for group in groups if group.kind == "product")
    assert all(view.is_whole for view in product.reads)


SHIFTED: dict[str, Any] = {
    "itself and one row": lambda y: y - y[:1],
    "itself and one row beyond": lambda y: y * y[5],
    "itself and a column": lambda y: y * y[:, :1],
    "itself backwards": lambda y: np.sum(y * y[::-1], axis=1),
    "a mapping and one row": lambda y: np.sin(y) - y[:1],
    "a mapping and one of a row": lambda y: np.sin(y) - np.cos(y[:1]),
    "a mapping and one backwards": lambda y: np.sin(y) - np.cos(y[::-1]),
    "the other way round": lambda y: np.cos(y[::-1]) - np.sin(y),
    "several": lambda y: np.sin(y) * np.tanh(y + 1) - np.cos(y[::-1]) * y[:1],
    "below a quotient": lambda y: (y - y[:1]) / (y * y + 1 + y[::-1] ** 2),
    "behind a choice": lambda y: np.where(y[::-1] > 1, np.sin(y), np.cos(y) * y[5]),
}


@pytest.mark.parametrize("case", SHIFTED)
def test_what_is_read_in_place_and_from_elsewhere_is_made_before(case: str) -> None:
    kernels(lambda x: SHIFTED[case](np.exp(x)), numbers(60, 6).astype(np.float64))
