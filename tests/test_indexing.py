"""``x[key]`` and ``x[key] = value`` against NumPy: shapes, values, memory, gradients and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import backlight
from backlight.errors import BacklightError, DTypeError, RangeError, ShapeError
from backlight.indexing import strides_of

settings.register_profile("indexing", deadline=None, max_examples=300)
settings.load_profile("indexing")


def numbers(shape: Any, phase: float = 0.0) -> Any:
    return np.sin(np.arange(1.0, np.prod(shape, dtype=int) + 1) + phase).reshape(shape)


def gradient(y: Any, u: Any, x: Any) -> Any:
    """The gradient of Σ u·y by ``x``."""
    (y * u).sum().backward()
    return x.grad.value


# -- Random keys -------------------------------------------------------------------------------------------------


@st.composite
def keys(draw: Any, shape: tuple[int, ...]) -> Any:
    """A key that mostly fits ``shape``: every kind of entry, mixed; sometimes one that NumPy refuses."""
    lead = draw(st.lists(st.integers(1, 3), max_size=2))
    entries: list[Any] = []
    axis = 0
    covered = draw(st.integers(0, len(shape)))
    dots = draw(st.booleans())
    while axis < covered:
        length = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "slice", "array", "list", "mask", "new", "truth", "zero_d"]))
        if kind in ("int", "zero_d"):
            assume(length)
            i = draw(st.integers(-length, length - 1))
            entries.append(i if kind == "int" else np.array(i))
        elif kind == "slice":
            bound = st.none() | st.integers(-length - 2, length + 2)
            entries.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2, 3]))))
        elif kind in ("array", "list"):
            shape_here = tuple(n if draw(st.booleans()) else 1 for n in lead[draw(st.integers(0, len(lead))) :])
            assume(length or 0 in shape_here)
            count = int(np.prod(shape_here))
            flat = draw(st.lists(st.integers(-length, length - 1), min_size=count, max_size=count))
            i = np.array(flat, int).reshape(shape_here)
            entries.append(i if kind == "array" or not shape_here else i.tolist())
        elif kind == "mask":
            ndim = draw(st.integers(1, covered - axis))
            inner = shape[axis : axis + ndim]
            count = int(np.prod(inner))
            flat = draw(st.lists(st.booleans(), min_size=count, max_size=count))
            entries.append(np.array(flat, bool).reshape(inner))
            axis += ndim - 1
        elif kind == "new":
            entries.append(None)
            continue
        else:
            entries.append(draw(st.booleans()))
            continue
        axis += 1
    if dots:
        entries.insert(draw(st.integers(0, len(entries))), Ellipsis)
    if len(entries) == 1 and draw(st.booleans()):
        return entries[0]
    return tuple(entries)


@st.composite
def shapes_and_keys(draw: Any) -> Any:
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 0]), max_size=4)))
    return shape, draw(keys(shape))


def traced(key: Any) -> Any:
    """The same key with its index arrays as Arrays."""
    if isinstance(key, tuple):
        return tuple(map(traced, key))
    return backlight.array(key) if isinstance(key, np.ndarray) else key


@given(shapes_and_keys())
@example(((2, 3, 4), (slice(None), [0, 1], Ellipsis, [0, 1])))
@example(((2, 3, 4), (0, slice(None), [0, 1])))
@example(((2, 3), (True, np.array([True, False]))))
@example(((), (Ellipsis, None, True)))
@example(((1, 1, 0), (Ellipsis, 0, False, np.array(0))))
@example(((1, 1, 0, 1), (Ellipsis, slice(None), np.array([0]), np.zeros(0, bool))))
def test_reading_is_numpys(case: Any) -> None:
    shape, key = case
    plain = numbers(shape)
    x = backlight.array(plain)
    try:
        expected = plain[key]
    except IndexError:
        with pytest.raises(RangeError):
            x[key]
        return
    for ours in (key, traced(key)):
        y = x[ours]
        np.testing.assert_array_equal(y.value, expected)
        assert y.shape == np.shape(expected)
        assert isinstance(y.node.value, np.ndarray) == isinstance(expected, np.ndarray)
        u = numbers(y.shape, 0.5)
        wanted = np.zeros(shape)
        np.add.at(wanted, key, u)
        np.testing.assert_allclose(gradient(y, u, x), wanted, rtol=1e-14, atol=1e-15)


@given(shapes_and_keys())
def test_what_is_a_view_is_numpys(case: Any) -> None:
    shape, key = case
    plain = numbers(shape)
    try:
        expected = plain[key]
    except IndexError:
        return
    x = backlight.array(plain)
    y = x[key]
    assert isinstance(y.node.value, np.ndarray) == isinstance(expected, np.ndarray)
    if isinstance(expected, np.ndarray) and expected.size:
        assert (y._root is x) == np.shares_memory(plain, expected)
        long = [k for k, n in enumerate(expected.shape) if n != 1]
        assert [strides_of(y)[k] for k in long] == [expected.strides[k] for k in long]


@given(shapes_and_keys(), st.data())
def test_writing_is_numpys(case: Any, data: Any) -> None:
    shape, key = case
    plain = numbers(shape)
    try:
        selected = np.shape(plain[key])
    except IndexError:
        with pytest.raises(RangeError):
            backlight.array(plain)[key] = 0.0
        return
    keep = data.draw(st.integers(0, len(selected)))
    came = tuple(n if data.draw(st.booleans()) else 1 for n in selected[keep:])
    mask = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    if isinstance(mask, np.ndarray) and mask.dtype == bool:
        came = came[-1:]  # NumPy takes at most one axis for a mask that covers everything
    v = numbers(came, 3.0)
    # Provenance: number every source, let NumPy move the numbers, and see where each went.
    origin = np.arange(plain.size).reshape(shape)
    origin[key] = plain.size + np.arange(v.size).reshape(came)
    plain[key] = v
    u = numbers(shape, 0.5)
    wanted = np.bincount(origin.ravel(), u.ravel(), u.size + v.size)
    for ours in (key, traced(key)):
        x, w = backlight.array(numbers(shape)), backlight.array(v)
        base = x.copy()
        base[ours] = w
        np.testing.assert_array_equal(base.value, plain)
        (base * u).sum().backward()
        np.testing.assert_allclose(x.grad.value.ravel(), wanted[: u.size], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(w.grad.value.ravel(), wanted[u.size :], rtol=1e-14, atol=1e-15)


@given(shapes_and_keys())
def test_adding_in_place_is_numpys(case: Any) -> None:
    shape, key = case
    plain = numbers(shape)
    x = backlight.array(plain)
    y = x.copy()
    try:
        plain[key] += 2.5
    except (IndexError, DeprecationWarning):  # older versions of NumPy announce the error with a warning
        return
    y[key] += 2.5
    np.testing.assert_array_equal(y.value, plain)
    reached = np.zeros(shape, bool)
    reached[key] = True
    u = numbers(shape, 0.5)
    got = gradient(y, u, x)
    counts = np.zeros(shape, int)
    np.add.at(counts, key, 1)
    once = counts < 2  # a place named twice keeps the last write only, whose history is one of the reads
    np.testing.assert_allclose(got[once], u[once], rtol=1e-14, atol=1e-15)


# -- Cases worth a name ------------------------------------------------------------------------------------------


def test_repeated_index_adds_up_when_read_and_last_write_wins() -> None:
    x = backlight.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(gradient(x[[0, 0, 2]], [1.0, 10.0, 100.0], x), [11.0, 0.0, 100.0])
    v = backlight.array([5.0, 6.0, 7.0])
    y = x * 1.0
    y[[1, 1, 0]] = v
    np.testing.assert_array_equal(y.value, [7.0, 6.0, 3.0])
    (y * np.array([1.0, 10.0, 100.0])).sum().backward()
    np.testing.assert_array_equal(v.grad.value, [0.0, 10.0, 1.0])
    np.testing.assert_array_equal(x.grad.value, [0.0, 0.0, 100.0])


def test_a_mask_written_with_one_value_is_where() -> None:
    x = backlight.array(numbers((2, 3)))
    for key, value in [
        (x > 0, 1.0),
        (np.array([True, False]), numbers((3,))),
        ((slice(None), np.array([True, False, True])), numbers((2, 1))),
        ((Ellipsis, np.array([True, False, True])), 2.0),
    ]:
        y = x * 1.0
        y[key] = value
        assert y.node.primitive.name == "where"


def test_a_masked_out_infinite_branch_leaves_the_gradient_finite() -> None:
    x = backlight.array([0.0, 4.0])
    y = np.sqrt(x)
    y[x == 0] = 0.0
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.value, [0.0, 0.25])


def test_second_order_through_indexing() -> None:
    def f(x: Any) -> Any:
        y = x * x
        y[1:] *= x[:-1]
        y[[0, 2]] += x[[2, 0]] ** 3
        return (y[::-1] * y[[0, 1, 2]]).sum()

    x = np.array([0.7, -1.2, 1.9])
    hessian = backlight.hessian(f)(x)
    step = 1e-5
    for k in range(3):
        d = step * np.eye(3)[k]
        numeric = (backlight.grad(f)(x + d) - backlight.grad(f)(x - d)) / (2 * step)
        np.testing.assert_allclose(hessian[k], numeric, rtol=1e-7, atol=1e-7)


def test_value_keeps_dtype_of_the_target() -> None:
    x = backlight.array(np.zeros(3, np.float32))
    x[1] = backlight.array(2.5)
    x[:1] = 1
    assert x.dtype == np.float32
    i = backlight.array(np.arange(3))
    i[0] = 7.9
    assert i.tolist() == [7, 1, 2]


# -- Errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("key", "facts"),
    [
        (5, ["5", "3", "axis 0", "轴 0"]),
        ((0, -5), ["-5", "4", "axis 1", "轴 1"]),
        ([0, 7], ["7", "3"]),
        (np.array([0, -9]), ["-9", "3"]),
        ((0, 0, 0), ["2", "3"]),
        (1.5, ["1.5"]),
        ("a", ["str"]),
        ([1.5], ["float64"]),
        ((Ellipsis, Ellipsis), ["..."]),
        (np.array([True, False]), ["(2,)", "(3,)"]),
        (([0, 1], [0, 1, 2]), ["(2,)", "(3,)"]),
        (slice(1.0), ["1.0"]),
        (slice(None, None, 0), ["0"]),
        ([None], ["None"]),
        ([[1, 2], [3]], ["[[1, 2], [3]]"]),
    ],
)
def test_a_bad_key_names_the_variable_the_index_and_the_line(
    key: Any, facts: list[str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    weights = backlight.array(numbers((3, 4)))
    for attempt in (lambda: weights[key], lambda: weights.__setitem__(key, 0.0)):
        with pytest.raises(RangeError) as caught:
            attempt()
        text = str(caught.value)
        assert "test_indexing.py:" in text
        assert "weights" in text or isinstance(key, slice)
        other = ("axis", "Expected") if language == "zh" else ("轴", "应为")
        assert all(fact in text for fact in facts if not any(word in fact for word in other))
        assert ("应为" in text) or ("改写为" in text) if language == "zh" else "Expected" in text or "Write" in text


def test_an_empty_axis_has_no_elements_to_take() -> None:
    with pytest.raises(RangeError, match="size 0"):
        backlight.array(np.zeros((0, 2)))[0]


@pytest.mark.parametrize(
    ("target", "value", "error"),
    [
        (np.arange(3), backlight.array(1.5), DTypeError),
        (np.zeros(3, bool), backlight.array(1.5), DTypeError),
        (np.zeros(3), backlight.array(1 + 2j), DTypeError),
        (np.zeros(3), 1 + 2j, DTypeError),
        (np.zeros((3, 2)), np.zeros(3), ShapeError),
        (np.zeros((3, 2)), backlight.array(np.zeros((5, 2))), ShapeError),
    ],
)
@pytest.mark.parametrize("key", [0, [0, 0], slice(0, 1), np.array([True, False, False])])
def test_a_value_that_cannot_be_written(target: Any, value: Any, error: type[BacklightError], key: Any) -> None:
    x = backlight.array(target)
    before = x.numpy()
    with pytest.raises(error, match=r"(?s)test_indexing.py:.*Expected"):
        x[key] = value
    np.testing.assert_array_equal(x.value, before)


def test_a_number_cannot_be_written_into() -> None:
    y = backlight.array([1.0, 2.0]).sum()
    with pytest.raises(DTypeError, match="single number"):
        y[...] = 3.0


def test_reading_a_traced_mask_is_noted_as_a_guard() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        y = x[x > 0].sum()
        seen.extend(guard.value for guard in backlight.trace.state.trace.guards)
        return y

    np.testing.assert_array_equal(backlight.grad(f)(np.array([1.0, -1.0, 2.0])), [1.0, 0.0, 1.0])
    assert seen == [[True, False, True]]
