"""Products of arrays: NumPy's values for every form of call, derivatives by finite differences, and clear refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import check_first_order, check_second_order, plain, wave

import backlight
from backlight.errors import ArgumentError, ShapeError
from backlight.graph import reachable
from backlight.primitive import REGISTRY

SIZES = {"a": 2, "b": 3, "c": 1, "d": 2}


def numbers(shape: tuple[int, ...], phase: float = 0.0, dtype: Any = np.float64) -> Any:
    return np.asarray(wave(np.zeros(shape, dtype), phase))


def traced(xs: list[Any]) -> list[Any]:
    return [backlight.array(x) for x in xs]


def same(function: Any, *xs: Any, **options: Any) -> None:
    """Backlight's value, shape and dtype are NumPy's."""
    expected = function(*xs, **options)
    y = function(*traced(list(xs)), **options)
    assert y.dtype == np.asarray(expected).dtype
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(plain(y), expected, rtol=1e-12, atol=1e-12)


def operations(y: Any) -> list[str]:
    return [node.operation for node in reachable([y.node]) if node.primitive is not None]


# -- einsum ------------------------------------------------------------------------------------------------------


@st.composite
def einsums(draw: Any) -> tuple[str, list[tuple[int, ...]]]:
    """Subscripts with repeated labels, labels of one operand alone, axes of length 1, ellipses, explicit outputs."""
    terms, shapes = [], []
    dotted = draw(st.booleans())
    for _ in range(draw(st.integers(1, 3))):
        letters = draw(st.lists(st.sampled_from("abcd"), max_size=3))
        dots = dotted and draw(st.booleans())
        stretched = draw(st.sampled_from(["", "a", "b", "ab"]))
        shape = [1 if letter in stretched else SIZES[letter] for letter in letters]
        if shape and draw(st.integers(0, 9)) == 0:
            shape[0] = 1
        place = draw(st.integers(0, len(letters)))
        if dots:
            hidden = draw(st.sampled_from([(), (2,), (1, 2), (3, 1)]))
            shape[place:place] = hidden
            letters.insert(place, "...")
        terms.append("".join(letters))
        shapes.append(tuple(shape))
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        used = sorted({letter for term in terms for letter in term} - {"."})
        output = draw(st.permutations(used).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: list(p[:n]))))
        if "..." in subscripts:
            output.insert(draw(st.integers(0, len(output))), "...")
        subscripts += "->" + "".join(output)
    return subscripts, shapes


@given(einsums())
@settings(max_examples=300, deadline=None)
def test_einsum_is_numpys(case: tuple[str, list[tuple[int, ...]]]) -> None:
    subscripts, shapes = case
    xs = [numbers(shape, 0.3 * k) for k, shape in enumerate(shapes)]
    try:
        expected = np.einsum(subscripts, *xs)
    except ValueError:
        with pytest.raises((ArgumentError, ShapeError)):
            np.einsum(subscripts, *traced(xs))
        return
    y = np.einsum(subscripts, *traced(xs))
    assert y.shape == expected.shape
    np.testing.assert_allclose(plain(y), expected, rtol=1e-12, atol=1e-12)


@given(einsums())
@settings(max_examples=100, deadline=None)
def test_einsum_differentiates(case: tuple[str, list[tuple[int, ...]]]) -> None:
    subscripts, shapes = case
    for dtype in (np.float64, np.complex128):
        xs = [numbers(shape, 0.3 * k, dtype) for k, shape in enumerate(shapes)]
        try:
            np.einsum(subscripts, *xs)
        except ValueError:
            return
        check_first_order(lambda *operands: np.einsum(subscripts, *operands), xs)


@given(einsums())
@settings(max_examples=100, deadline=None)
def test_einsum_stays_in_normal_form(case: tuple[str, list[tuple[int, ...]]]) -> None:
    """Every einsum node, forward and backward: no label twice in an operand, none that is in one operand alone."""
    subscripts, shapes = case
    leaves = traced([numbers(shape, 0.3 * k) for k, shape in enumerate(shapes)])
    try:
        y = np.sum(np.einsum(subscripts, *leaves))
    except (ArgumentError, ShapeError):
        return
    y.backward(create_graph=True)
    ends = [y.node, *(x.grad.node for x in leaves)]
    for node in reachable(ends):
        if node.primitive is REGISTRY.einsum:
            inputs, output = node.params["inputs"], node.params["output"]
            for k, labels in enumerate(inputs):
                others = {label for other in (*inputs[:k], *inputs[k + 1 :], output) for label in other}
                assert len(set(labels)) == len(labels)
                assert set(labels) <= others


def test_einsum_interleaved() -> None:
    a, b = numbers((2, 3)), numbers((3, 4), 1.0)
    for form in (
        (a, [0, 1], b, [1, 2], [0, 2]),
        (a, [0, 1], b, [1, 2]),
        (a, [5, 0]),
        (a, [..., 0], b, [0, 2], [..., 2]),
    ):
        y = np.einsum(*[backlight.array(part) if isinstance(part, np.ndarray) else part for part in form])
        np.testing.assert_allclose(plain(y), np.einsum(*form), rtol=1e-13)


def test_einsum_options_and_dtypes() -> None:
    a, b = numbers((2, 3)), numbers((3, 2), 1.0)
    for dtypes in (
        (np.float32, np.float64),
        (np.int32, np.int32),
        (bool, bool),
        (np.float32, np.complex64),
        (np.int8, float),
    ):
        xs = [(10 * x).astype(dtype) for x, dtype in zip((a, b), dtypes, strict=True)]
        for subscripts in ("ij,jk->ik", "ij,kl->i", "ij,jk->"):
            y = np.einsum(subscripts, *traced(xs), optimize=True)
            expected = np.einsum(subscripts, *xs)
            assert y.dtype == expected.dtype
            np.testing.assert_allclose(plain(y), expected, rtol=1e-5, atol=1e-5)
    y = np.einsum("ij->j", backlight.array(a.astype(np.float32)), dtype=np.float64)
    assert y.dtype == np.float64
    out = backlight.array(np.zeros((2, 2)))
    assert np.einsum("ij,jk->ik", backlight.array(a), b, out=out) is out
    np.testing.assert_allclose(plain(out), a @ b)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "words"),
    [
        ("ij,jk", [(2, 3)], "2 operands"),
        ("ij", [(2, 3, 4)], "'ij' names 2 axes but the operand has 3"),
        ("ij->ik", [(2, 3)], "label 'k'"),
        ("ij->ii", [(2, 3)], "label 'i'"),
        ("i1", [(2, 3)], "'1' is not a letter"),
        ("...i->i", [(2, 3)], "label '...'"),
        ("i......", [(2, 3)], "not a letter"),
    ],
)
def test_einsum_refuses_subscripts(subscripts: str, shapes: Any, words: str, monkeypatch: Any) -> None:
    xs = [numbers(shape) for shape in shapes]
    with pytest.raises(ValueError, match=r"."):
        np.einsum(subscripts, *xs)
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    with pytest.raises(ArgumentError) as caught:
        np.einsum(subscripts, *traced(xs))
    assert words in str(caught.value)
    assert __file__ in str(caught.value)


def test_einsum_refuses_lengths(monkeypatch: Any) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    x = backlight.array(numbers((2, 3)))
    with pytest.raises(ShapeError, match="one is 3 and another 4"):
        np.einsum("ij,jk->ik", x, np.zeros((4, 2)))
    with pytest.raises(ShapeError):
        np.einsum("ii->i", x)
    with pytest.raises(ShapeError):
        np.einsum("ii->i", backlight.array(np.ones((1, 3))))


# -- matmul ------------------------------------------------------------------------------------------------------

MATMULS = [
    ((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2)),
    ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 1)), ((2, 1, 2, 3), (3, 3, 2)), ((1, 2, 3), (2, 3, 1)),
    ((2, 0), (0, 3)), ((0, 2, 3), (3, 2)), ((4, 1, 2, 3), (1, 2, 3, 2)), ((1, 3), (3, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(shapes: Any) -> None:
    xs = [numbers(shape, 0.5 * k) for k, shape in enumerate(shapes)]
    same(np.matmul, *xs)
    same(lambda a, b: a @ b, *xs)
    check_first_order(lambda a, b: a @ b, xs)
    check_second_order(lambda a, b: a @ b, xs)
    check_first_order(lambda a, b: a @ b, [numbers(shape, 0.5 * k, complex) for k, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    "dtypes", list(itertools.product((np.float32, np.float64, np.int32, np.complex64, bool), repeat=2)), ids=str
)
def test_matmul_dtypes(dtypes: Any) -> None:
    xs = [(3 * numbers((2, 2), k)).astype(dtype) for k, dtype in enumerate(dtypes)]
    expected = xs[0] @ xs[1]
    y = backlight.array(xs[0]) @ xs[1]
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(plain(y), expected, rtol=1e-5, atol=1e-5)
    again = xs[0] @ backlight.array(xs[1])
    np.testing.assert_array_equal(plain(again), plain(y))


def test_matrices_of_one_dtype_are_one_node() -> None:
    x, w = backlight.array(numbers((2, 3))), backlight.array(numbers((3, 4)))
    assert operations(x @ w) == ["matmul"]
    assert operations(x @ numbers((3, 4))) == ["matmul"]
    assert operations(backlight.array(numbers((5, 2, 3))) @ numbers((5, 3, 1))) == ["matmul"]


def test_matmul_takes_lists_and_gives_scalars() -> None:
    y = backlight.array([1.0, 2.0]) @ [3.0, 4.0]
    assert plain(y) == 11.0
    assert isinstance(y.node.value, np.float64)


@pytest.mark.parametrize(
    ("shapes", "fix"),
    [
        (((2, 3), (4, 3)), "x1 @ x2.T"),
        (((3, 2), (3, 4)), "x1.T @ x2"),
        (((2, 3), (4, 2)), "x2 @ x1"),
        (((2, 3), (4, 5)), "(3, n)"),
        (((2, 3), ()), "x1 * x2"),
    ],
)
def test_matmul_refuses(shapes: Any, fix: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    weights = backlight.array(np.zeros(shapes[0]))
    with pytest.raises(ShapeError) as caught:
        weights @ np.zeros(shapes[1])
    text = str(caught.value)
    assert fix in text
    assert "`weights`" in text
    assert __file__ in text
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    with pytest.raises(ShapeError, match="改写为"):
        weights @ np.zeros(shapes[1])


def test_matmul_refuses_batches_that_do_not_broadcast() -> None:
    with pytest.raises(ShapeError):
        backlight.array(np.zeros((2, 2, 3))) @ np.zeros((3, 3, 2))


# -- NumPy's other products --------------------------------------------------------------------------------------

PRODUCTS: dict[Any, list[Any]] = {
    np.dot: [
        [(), (2, 3)], [(3,), (3,)], [(2, 3), (3,)], [(2, 3), (3, 2)],
        [(3,), (2, 3, 2)], [(2, 2, 3), (2, 3, 2)], [(2, 2, 3), (3,)],
    ],
    np.inner: [[(3,), (3,)], [(2, 3), (4, 3)], [(), (3,)], [(2, 2, 3), (3,)]],
    np.outer: [[(2,), (3,)], [(2, 2), ()]],
    np.vdot: [[(3,), (3,)], [(2, 3), (2, 3)], [(2, 3), (6,)]],
    np.kron: [[(2,), (3,)], [(2, 2), (1, 3)], [(2,), (2, 2)], [(2, 1, 2), (2,)], [(), (2,)]],
    np.tensordot: [
        [(2, 3), (2, 3)], [(2, 3), (3, 2), {"axes": 1}], [(2,), (3,), {"axes": 0}],
        [(2, 3, 4), (4, 2), {"axes": ([0, -1], [1, 0])}], [(2, 3), (3, 4), {"axes": (1, 0)}],
    ],
    np.vecdot: [[(2, 3), (3,)], [(2, 1, 3), (4, 3)], [(3, 2), (3, 2), {"axis": 0}]],
    np.linalg.vecdot: [[(3, 2), (3, 2), {"axis": 0}]],
    np.linalg.matmul: [[(2, 3), (3, 2)]],
    np.linalg.tensordot: [[(2, 3), (3, 2), {"axes": 1}]],
}  # fmt: skip
if hasattr(np, "matvec"):
    PRODUCTS |= {np.matvec: [[(2, 2, 3), (3,)], [(2, 3), (4, 3)]], np.vecmat: [[(3,), (2, 3, 2)], [(4, 3), (3, 2)]]}
CALLS = [
    (function, case[:2], case[2] if len(case) > 2 else {}) for function, cases in PRODUCTS.items() for case in cases
]


@pytest.mark.parametrize(("function", "shapes", "options"), CALLS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_products(function: Any, shapes: Any, options: Any) -> None:
    for dtype in (np.float64, np.complex128):
        xs = [numbers(shape, 0.5 * k, dtype) for k, shape in enumerate(shapes)]
        same(function, *xs, **options)
        check_first_order(lambda *operands: function(*operands, **options), xs)
    same(function, *[np.asarray(10 * numbers(shape)).astype(np.int32) for shape in shapes], **options)


@pytest.mark.parametrize(
    ("function", "shapes", "options"),
    [
        (np.tensordot, [(2, 3), (2, 3)], {"axes": 1}), (np.tensordot, [(2, 3), (2, 3)], {"axes": 3}),
        (np.tensordot, [(2, 1), (3, 2)], {"axes": 1}), (np.tensordot, [(2, 3), (2, 3)], {"axes": ([0], [0, 1])}),
        (np.inner, [(2, 3), (2, 4)], {}), (np.inner, [(2, 1), (2, 4)], {}), (np.vdot, [(2,), (3,)], {}),
        (np.dot, [(2, 2, 3), (2, 3)], {}), (np.dot, [(2, 2, 1), (3, 3)], {}), (np.vecdot, [(2, 3), (4,)], {}),
        (np.vecdot, [(2, 3), (1,)], {}),
    ],
    ids=lambda v: getattr(v, "__name__", str(v)),
)  # fmt: skip
def test_products_refuse(function: Any, shapes: Any, options: Any) -> None:
    xs = [numbers(shape) for shape in shapes]
    with pytest.raises((ValueError, IndexError)):
        function(*xs, **options)
    with pytest.raises(ShapeError):
        function(*traced(xs), **options)


def test_products_write_to_out() -> None:
    x = backlight.array(numbers((2, 2)))
    for function in (np.dot, np.matmul):
        out = backlight.array(np.zeros((2, 2)))
        assert function(x, x, out=out) is out
        np.testing.assert_allclose(plain(out), plain(x) @ plain(x))
