"""Views against NumPy: random programs that read, reshape and write through views of views give NumPy's values.

Gradients are compared with the complex step (Squire and Trapp, 1998): the same program in NumPy on x + i·h·d gives the
derivative in the direction d as its imaginary part over h, without any cancellation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backlight
from backlight import views
from backlight.array import Array
from backlight.errors import ArgumentError
from backlight.indexing import strides_of
from backlight.layout import reshaped_strides

settings.register_profile("views", deadline=None, max_examples=200)
settings.load_profile("views")

STEP = 1e-30


def numbers(shape: Any, phase: float = 0.0) -> Any:
    return np.sin(np.arange(1.0, np.prod(shape, dtype=int) + 1) + phase).reshape(shape)


# One function per kind of view, for arrays of either kind -------------------------------------------------------


def reshape(x: Any, shape: Any) -> Any:
    return views.reshape(x, shape) if isinstance(x, Array) else x.reshape(shape)


def ravel(x: Any) -> Any:
    return views.ravel(x) if isinstance(x, Array) else x.ravel()


def transpose(x: Any, axes: Any) -> Any:
    return views.transpose(x, axes) if isinstance(x, Array) else x.transpose(axes)


def copy(x: Any, order: str = "C") -> Any:
    return views.copy(x, order) if isinstance(x, Array) else x.copy(order)


def take(x: Any, key: Any) -> Any:
    return x[key]


# -- Random programs ---------------------------------------------------------------------------------------------


@st.composite
def basic_keys(draw: Any, shape: tuple[int, ...]) -> Any:
    entries: list[Any] = []
    for length in shape:
        kind = draw(st.sampled_from(["all", "all", "slice", "flip", "int", "new"]))
        if kind == "int":
            entries.append(draw(st.integers(-length, length - 1)))
        elif kind == "slice":
            start = draw(st.integers(0, length - 1))
            entries.append(slice(start, draw(st.integers(start + 1, length)), draw(st.sampled_from([1, 2]))))
        else:
            entries += [None] if kind == "new" else []
            entries.append(slice(None, None, -1 if kind == "flip" else None))
    return (*entries, Ellipsis)


@st.composite
def write_keys(draw: Any, shape: tuple[int, ...]) -> Any:
    """What to write to: everything, a basic part, chosen rows (some twice) or the places of a mask."""
    kind = draw(st.sampled_from(["all", "basic", "rows", "mask"]))
    if kind == "all" or not shape:
        return Ellipsis
    if kind == "basic":
        return draw(basic_keys(shape))
    if kind == "rows":
        return draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=3))
    flat = draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(flat).reshape(shape)


@st.composite
def programs(draw: Any) -> Any:
    """Steps on a growing list of handles; handle 0 is the array that everything shows or was copied from.

    The shapes are followed by running the program in NumPy while it is drawn.
    """
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    handles = [numbers(shape)]
    steps: list[Any] = []
    for _ in range(draw(st.integers(2, 9))):
        k = draw(st.integers(0, len(handles) - 1))
        x = handles[k]
        kind = draw(
            st.sampled_from(["take", "reshape", "transpose", "ravel", "copy", "write", "write", "add", "scale"])
        )
        if kind == "take":
            step: Any = (kind, k, draw(basic_keys(x.shape)))
        elif kind == "reshape":
            flat = (x.size,)
            options = [flat, (1, *x.shape), tuple(reversed(x.shape)), (*x.shape[:-2], -1) if x.ndim > 1 else flat]
            wanted = draw(st.sampled_from(options))
            step = (kind, k, x.reshape(wanted).shape)
        elif kind == "transpose":
            step = (kind, k, tuple(draw(st.permutations(range(x.ndim)))))
        elif kind == "ravel":
            step = (kind, k, None)
        elif kind == "copy":
            step = (kind, k, draw(st.sampled_from("CFKA")))
        else:
            key = draw(write_keys(x.shape))
            step = (kind, k, (key, draw(st.integers(0, len(handles) - 1)), draw(st.booleans())))
        steps.append(step)
        handles = run(steps, handles[0].shape, numbers(shape))
    return shape, steps


def run(steps: list[Any], shape: Any, x: Any) -> list[Any]:
    """Run the program on ``x``, a NumPy array or an Array; the list of its handles."""
    handles = [copy(x)]
    for kind, k, detail in steps:
        target = handles[k]
        if kind == "take":
            handles.append(take(target, detail))
        elif kind == "reshape":
            handles.append(reshape(target, detail))
        elif kind == "transpose":
            handles.append(transpose(target, detail))
        elif kind == "ravel":
            handles.append(ravel(target))
        elif kind == "copy":
            handles.append(copy(target, detail))
        else:
            key, other, whole = detail
            value = handles[other].sum() * 0.1
            if whole and handles[other].shape == np.empty(target.shape)[key].shape:
                value = handles[other] * 1.5
            if kind == "write":
                target[key] = value
            elif kind == "add":
                target[key] += value
            elif key is Ellipsis:
                target *= value
            else:
                target[key] *= target[key] - value
    return handles


def loss(handles: list[Any]) -> Any:
    total = 0.0
    for k, handle in enumerate(handles):
        total = total + (handle * handle * numbers(handle.shape, k)).sum()
    return total


@given(programs())
def test_programs_of_views_and_writes_are_numpys(case: Any) -> None:
    shape, steps = case
    start = numbers(shape)
    direction = np.cos(3 * start + 0.2)
    plain = run(steps, shape, start)
    x = backlight.array(start)
    ours = run(steps, shape, x)
    for a, b in zip(plain, ours, strict=True):
        np.testing.assert_allclose(b.value, a, rtol=1e-13, atol=1e-13)
    loss(ours).backward()
    moved = loss(run(steps, shape, start + 1j * STEP * direction)).imag / STEP
    assert float((x.grad.value * direction).sum()) == pytest.approx(moved, rel=1e-11, abs=1e-11)


@given(programs())
def test_what_shares_memory_is_numpys(case: Any) -> None:
    shape, steps = case
    plain = run(steps, shape, numbers(shape))
    ours = run(steps, shape, backlight.array(numbers(shape)))
    owners = [owner(handle) for handle in plain]
    roots = [handle if handle._root is None else handle._root for handle in ours]
    for i, handle in enumerate(plain):
        long = [k for k, n in enumerate(handle.shape) if n != 1]
        assert [strides_of(ours[i])[k] for k in long] == [handle.strides[k] for k in long]
        assert [roots[i] is root for root in roots] == [owners[i] is other for other in owners]


def owner(x: Any) -> Any:
    """The NumPy array that holds the memory which ``x`` shows."""
    return x if x.base is None else owner(x.base)


@given(st.data())
def test_reshaped_strides_are_numpys(data: Any) -> None:
    base = np.zeros(tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 0]), min_size=1, max_size=4))))
    x = base.transpose(data.draw(st.permutations(range(base.ndim))))
    x = x[tuple(slice(None, None, data.draw(st.sampled_from([1, 1, 2, -1]))) for _ in range(x.ndim))]
    factors = [f for n in x.shape for f in ((2, 2) if n == 4 else (n,))]
    factors = data.draw(st.permutations([*factors, *data.draw(st.sampled_from([[], [1], [1, 1]]))]))
    wanted: list[int] = []
    for factor in factors:
        if wanted and data.draw(st.booleans()):
            wanted[-1] *= factor
        else:
            wanted.append(factor)
    found = reshaped_strides(x.shape, x.strides, tuple(wanted), x.itemsize)
    shown = x.reshape(wanted)
    if x.size == 0:
        assert found is not None
        return
    assert (found is not None) == np.shares_memory(x, shown)
    if found is not None:
        long = [k for k, n in enumerate(wanted) if n != 1]
        assert [found[k] for k in long] == [shown.strides[k] for k in long]


# -- Cases worth a name ------------------------------------------------------------------------------------------


def test_a_write_to_the_base_is_seen_by_every_view() -> None:
    x = backlight.array(numbers((2, 3)))
    flat, row, turned = views.reshape(x, (6,)), x[0], views.transpose(x, (1, 0))
    last = flat[::-1][:2]
    x[1, 2] = 50.0
    assert last[0] == 50.0
    assert turned[2, 1] == 50.0
    last[1] = 7.0
    assert x[1, 1] == 7.0
    row += 1.0
    np.testing.assert_array_equal(x.value[0], numbers((2, 3))[0] + 1.0)


def test_reshape_of_a_transposed_array_is_a_copy() -> None:
    x = backlight.array(numbers((2, 3)))
    copied = views.reshape(views.transpose(x, (1, 0)), (6,))
    copied[...] = 0.0
    np.testing.assert_array_equal(x.value, numbers((2, 3)))


def test_ravel_copies_what_is_not_contiguous() -> None:
    x = backlight.array(numbers((6,)))
    views.ravel(x[::2])[0] = 9.0
    assert x[0] != 9.0
    views.ravel(x)[0] = 9.0
    assert x[0] == 9.0


def test_one_number_with_an_ellipsis_is_a_view() -> None:
    x = backlight.array([1.0, 2.0])
    y = x * 3.0
    y[1, ...] *= 10.0
    shown = y[0, ...]
    shown += 1.0
    shown += 1.0
    np.testing.assert_array_equal(y.value, [5.0, 60.0])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.value, [3.0, 30.0])


def test_adding_in_place_twice_to_an_array_of_no_axes() -> None:
    x = backlight.array(1.0)
    same = x
    x += 1.0
    x += 1.0
    assert same == 3.0


def test_a_number_written_into_an_array_of_no_axes_leaves_an_array() -> None:
    x = backlight.array([1.0, 2.0])
    y = backlight.array(0.0)
    same = y
    y[...] = x.sum()
    y += 1.0
    assert same == 4.0
    y.backward()
    np.testing.assert_array_equal(x.grad.value, [1.0, 1.0])


def test_a_transposed_copy_reshapes_as_a_view() -> None:
    x = backlight.array(numbers((2, 3)))
    y = views.copy(views.transpose(x, (1, 0)), "C")
    views.reshape(y, (6,))[0] = 9.0
    assert y[0, 0] == 9.0
    y[...] = views.reshape(x, (3, 2))
    views.reshape(y, (6,))[1] = 8.0
    assert y[0, 1] == 8.0
    assert x[0, 1] != 8.0


def test_adding_through_a_view_makes_one_update() -> None:
    x = backlight.array(numbers((3,)))
    y = x * 1.0
    before = backlight.graph.reachable([y.node])
    y[1:] += 5.0
    after = backlight.graph.reachable([y.node])
    calls = [node.operation for node in after if node not in before and node.kind == "call"]
    assert sorted(set(calls) - {"broadcast_to"}) == ["add", "slice", "update"]
    assert calls.count("update") == 1


def test_real_and_imaginary_parts_are_views() -> None:
    z0 = np.array([1 + 2j, 3 - 1j, np.inf + 1j])
    z = backlight.array(z0)
    y = z.copy()
    re, im = views.real(y), views.imag(y)
    assert isinstance(re.node.value, np.ndarray)
    re[2] = 0.5
    im[:2] += 10.0
    np.testing.assert_array_equal(y.value, [1 + 12j, 3 + 9j, 0.5 + 1j])
    u = np.array([1.0, 2.0, 3.0])
    (views.real(y) * u + views.imag(y) * 10 * u).sum().backward()
    np.testing.assert_array_equal(z.grad.value, [1 + 10j, 2 + 20j, 0 + 30j])


def test_real_of_an_uninitialised_complex_array_can_be_filled() -> None:
    y = backlight.array(np.full(2, complex(np.nan, np.nan)))
    views.real(y)[...] = 1.0
    views.imag(y)[...] = np.array([np.inf, 2.0])
    np.testing.assert_array_equal(y.value, [complex(1, np.inf), 1 + 2j])


@pytest.mark.parametrize(
    "show", [lambda x: views.broadcast_to(x, (2, 3)), lambda x: views.diagonal(views.reshape(x, (1, 3))), views.imag]
)
def test_what_numpy_makes_read_only_cannot_be_written(show: Any) -> None:
    x = backlight.array(numbers((3,)))
    y = show(x)
    before = y.numpy()
    writes = [lambda: y.__setitem__(Ellipsis, 1.0), lambda: y.__setitem__([0], 1.0), lambda: y.__iadd__(1.0)]
    for write in (*writes, lambda: y[..., :1].__iadd__(1.0)):
        with pytest.raises(ArgumentError, match=r"(?s)test_views.py:.*copy"):
            write()
        np.testing.assert_array_equal(y.value, before)


def test_a_diagonal_and_a_repeated_row_show_later_writes() -> None:
    x = backlight.array(numbers((3, 3)))
    diagonal_, rows = views.diagonal(x, -1), views.broadcast_to(x[0], (2, 3))
    x[1, 0] = 4.0
    x[0] = 5.0
    assert diagonal_[0] == 4.0
    np.testing.assert_array_equal(rows.value, np.full((2, 3), 5.0))
    rows.sum().backward()
    np.testing.assert_array_equal(x.grad.value, np.array([[2.0] * 3, [0.0] * 3, [0.0] * 3]))


def test_advanced_indexing_is_a_copy() -> None:
    x = backlight.array(numbers((4,)))
    chosen = x[[0, 1]]
    chosen[...] = 0.0
    np.testing.assert_array_equal(x.value, numbers((4,)))
    x[[0, 1]] += 1.0
    np.testing.assert_array_equal(x.value[:2], numbers((4,))[:2] + 1.0)


def test_swapping_rows_through_views() -> None:
    x = backlight.array(numbers((2, 2)))
    y = x * 1.0
    y[[0, 1]] = y[[1, 0]]
    np.testing.assert_array_equal(y.value, numbers((2, 2))[::-1])
    y[1:] = y[:-1]
    (y * np.array([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    np.testing.assert_array_equal(x.grad.value, [[0.0, 0.0], [4.0, 6.0]])
