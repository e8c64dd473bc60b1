"""Layers that merge, and those that make longer or shorter, against NumPy's own functions in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from laws import plain
from layered import check, numbers
from refused import names_all, said

from backlight.errors import ArgumentError, ShapeError
from backlight.nn import layers
from backlight.nn.layer import calling, current
from backlight.nn.symbol import Symbol

X1, X2, X3 = numbers(2, 5, 3), numbers(2, 4, 5, 3), numbers(1, 4, 3, 5, 2)

# -- Longer and shorter ----------------------------------------------------------------------------------------------

BORDERS: list[tuple[str, Any, Any, Any]] = [
    ("1D", X1, 2, ((2, 2),)),
    ("1D", X1, (1, 2), ((1, 2),)),
    ("2D", X2, 1, ((1, 1), (1, 1))),
    ("2D", X2, (1, 2), ((1, 1), (2, 2))),
    ("2D", X2, ((0, 1), (2, 0)), ((0, 1), (2, 0))),
    ("3D", X3, 1, ((1, 1), (1, 1), (1, 1))),
    ("3D", X3, ((1, 0), (0, 2), (1, 1)), ((1, 0), (0, 2), (1, 1))),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("axes", "x", "option", "whole"), BORDERS)
def test_borders_are_added_and_cut_off(axes: str, x: Any, option: Any, whole: Any, data_format: str) -> None:
    last = data_format == "channels_last"
    widths = [(0, 0), *whole, (0, 0)] if last else [(0, 0), (0, 0), *whole]
    given = x if last else np.moveaxis(x, -1, 1)

    def padded(x: Any) -> Any:
        return np.pad(x, widths)

    def cut(x: Any) -> Any:
        return x[tuple(slice(low, n - high) for n, (low, high) in zip(x.shape, widths, strict=True))]

    check(f"ZeroPadding{axes}", {"padding": option, "data_format": data_format}, given, padded, compiled=last)
    wide = np.pad(given, widths, constant_values=0.5)
    check(f"Cropping{axes}", {"cropping": option, "data_format": data_format}, wide, cut, compiled=last)


def test_borders_by_default() -> None:
    shapes = {
        "ZeroPadding1D": (2, 7, 3), "ZeroPadding2D": (2, 6, 7, 3), "ZeroPadding3D": (1, 6, 5, 7, 2),
        "Cropping1D": (2, 3, 3), "Cropping2D": (2, 4, 5, 3), "Cropping3D": (1, 2, 1, 3, 2),
    }  # fmt: skip
    for kind, shape in shapes.items():
        x = {"1": X1, "2": X2, "3": X3}[kind[-2]]
        assert getattr(layers, kind)()(x).shape == shape


REPEATED: list[tuple[str, Any, Any]] = [
    ("1D", X1, 3),
    ("2D", X2, 2),
    ("2D", X2, (1, 3)),
    ("3D", X3, 2),
    ("3D", X3, (2, 1, 3)),
]


@pytest.mark.parametrize(("axes", "x", "size"), REPEATED)
def test_elements_are_repeated(axes: str, x: Any, size: Any) -> None:
    times = (1, *((size,) * (x.ndim - 2) if isinstance(size, int) else size), 1)

    def expected(x: Any) -> Any:
        return np.kron(x, np.ones(times))

    check(f"UpSampling{axes}", {"size": size}, x, expected)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("size", [2, (3, 1), (2, 5)])
def test_straight_lines_between_pixels(size: Any, data_format: str) -> None:
    rows, columns = (size, size) if isinstance(size, int) else size
    first = 1 if data_format == "channels_last" else 2

    def stretched(x: Any, axis: int, times: int) -> Any:
        """Sample i of the result lies at (i + 1/2) / times - 1/2 between the old ones."""
        n = x.shape[axis]
        places = (np.arange(n * times) + 0.5) / times - 0.5
        return np.apply_along_axis(lambda line: np.interp(places, np.arange(n), line), axis, x)

    def expected(x: Any) -> Any:
        return stretched(stretched(x, first, rows), first + 1, columns)

    options = {"size": size, "interpolation": "bilinear", "data_format": data_format}
    check("UpSampling2D", options, X2 if first == 1 else np.moveaxis(X2, -1, 1), expected)


# -- Merging ---------------------------------------------------------------------------------------------------------

A, B, C = numbers(2, 4, 3), numbers(2, 4, 3, phase=1.0), numbers(2, 4, 3, phase=2.0)
ELEMENTWISE: list[tuple[str, Any]] = [
    ("Add", lambda xs: xs[0] + sum(xs[1:])),
    ("Multiply", lambda xs: np.prod(xs, axis=0)),
    ("Average", lambda xs: np.mean(xs, axis=0)),
    ("Maximum", lambda xs: np.max(xs, axis=0)),
    ("Minimum", lambda xs: np.min(xs, axis=0)),
]
NAMES = [name for name, _ in ELEMENTWISE]


@pytest.mark.parametrize(("kind", "formula"), ELEMENTWISE, ids=NAMES)
def test_element_by_element(kind: str, formula: Any) -> None:
    check(kind, {}, [A, B, C], formula)
    check(kind, {}, [A, B], formula, compiled=False)
    check(kind, {}, [A], formula, compiled=False)
    np.testing.assert_allclose(plain(getattr(layers, kind.lower())([A, B], dtype="float64")), formula([A, B]))


@pytest.mark.parametrize(("kind", "formula"), ELEMENTWISE, ids=NAMES)
def test_missing_axes_come_after_that_of_the_examples(kind: str, formula: Any) -> None:
    short = numbers(2, 3, phase=3.0)

    def expected(xs: Any) -> Any:
        return formula(np.broadcast_arrays(xs[0], xs[1][:, None, :]))

    check(kind, {}, [A, short], expected)
    check(kind, {}, [A, A[:, :1]], lambda xs: formula(np.broadcast_arrays(*xs)), compiled=False)


def test_differences() -> None:
    check("Subtract", {}, [A, B], lambda xs: xs[0] - xs[1])
    np.testing.assert_allclose(plain(layers.subtract([A, B], dtype="float64")), A - B)


@pytest.mark.parametrize("axis", [-1, 1, 2, -2])
def test_one_after_the_other(axis: int) -> None:
    other = numbers(2, 4, 5) if axis in (-1, 2) else numbers(2, 1, 3)
    check("Concatenate", {"axis": axis}, [A, other, B], lambda xs: np.concatenate(xs, axis))
    found = layers.concatenate([A, B], axis=axis, dtype="float64")
    np.testing.assert_array_equal(plain(found), np.concatenate([A, B], axis))


R, S = numbers(2, 5), numbers(2, 5, phase=1.0)
DOTS: list[tuple[Any, Any, Any, str]] = [
    (R, S, 1, "nk,nk->n"),
    (R, S, -1, "nk,nk->n"),
    (numbers(2, 3, 5), numbers(2, 3, 4), 1, "nka,nkb->nab"),
    (numbers(2, 3, 5), numbers(2, 5, 4), (2, 1), "nak,nkb->nab"),
    (numbers(2, 3, 5), S, (2, 1), "nak,nk->na"),
    (S, numbers(2, 3, 5), (1, 2), "nk,nak->na"),
    (numbers(2, 3, 5, 4), numbers(2, 5, 6), (2, 1), "nakb,nkc->nabc"),
    (numbers(2, 2, 3, 4), numbers(2, 2, 3, 4, phase=1.0), 2, "nakb,nckd->nabcd"),
]


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("a", "b", "axes", "form"), DOTS)
def test_products_of_examples(a: Any, b: Any, axes: Any, form: str, normalize: bool) -> None:
    pair = (axes, axes) if isinstance(axes, int) else axes

    def expected(xs: Any) -> Any:
        if normalize:
            xs = [x / np.linalg.norm(x, axis=axis, keepdims=True) for x, axis in zip(xs, pair, strict=True)]
        y = np.einsum(form, *xs)
        return y[:, None] if y.ndim == 1 else y

    check("Dot", {"axes": axes, "normalize": normalize}, [a, b], expected)


def test_the_direction_of_nothing_is_nothing() -> None:
    y = layers.dot([np.zeros((1, 3)), np.ones((1, 3))], axes=1, normalize=True)
    np.testing.assert_array_equal(plain(y), [[0.0]])


# -- Masks -----------------------------------------------------------------------------------------------------------

MA = np.array([[True, True, False, False], [True, False, True, True]])
MB = np.array([[False, True, True, False], [True, True, True, True]])


def merged(kind: str, masks: Any) -> tuple[Any, Any]:
    """What a layer gives for the inputs with masks, and the mask of that."""
    layer = getattr(layers, kind)(dtype="float64")
    return plain(layer([A, B], mask=masks)), layer.compute_mask([A, B], masks)


@pytest.mark.parametrize("kind", ["Add", "Average", "Subtract", "Multiply", "Maximum", "Minimum"])
def test_what_counts_in_one_counts(kind: str) -> None:
    np.testing.assert_array_equal(plain(merged(kind, [MA, MB])[1]), MA | MB)
    assert merged(kind, [MA, None])[1] is None


def test_what_does_not_count_is_left_out() -> None:
    a, b = MA[..., None], MB[..., None]
    y, _ = merged("Multiply", [MA, MB])
    np.testing.assert_allclose(y, np.where(a, A, 1) * np.where(b, B, 1) * (a | b))
    y, _ = merged("Multiply", [None, MB])
    np.testing.assert_allclose(y, A * np.where(b, B, 1))
    for kind, function in (("Maximum", np.maximum), ("Minimum", np.minimum)):
        y, _ = merged(kind, [MA, MB])
        np.testing.assert_allclose(y[MA & MB], function(A, B)[MA & MB])
        np.testing.assert_allclose(y[MA & ~MB], A[MA & ~MB])
        np.testing.assert_allclose(y[MB & ~MA], B[MB & ~MA])


def test_masks_in_a_row() -> None:
    layer = layers.Concatenate(axis=1)
    np.testing.assert_array_equal(plain(layer.compute_mask([A, B], [MA, MB])), np.concatenate([MA, MB], 1))
    wanted = np.concatenate([MA, np.ones_like(MB)], 1)
    np.testing.assert_array_equal(plain(layer.compute_mask([A, B], [MA, None])), wanted)
    np.testing.assert_array_equal(plain(layers.Concatenate().compute_mask([A, B], [MA, MB])), MA & MB)
    assert layer.compute_mask([A, B], None) is None


def test_masks_are_handed_on() -> None:
    with calling(False):
        layer = layers.Add()
        x = layers.Activation("linear")(A)
        current.masks[x.node] = MA
        y = layer([x, x])
        np.testing.assert_array_equal(plain(current.masks[y.node]), MA)


# -- What is still to come, and what cannot be -----------------------------------------------------------------------


def test_symbols_merge() -> None:
    a, b = Symbol((None, None, 3), np.float32, "a"), Symbol((None, 3), np.float32, "b")
    assert layers.add([a, b]).shape == (None, None, 3)
    assert layers.concatenate([a, a]).shape == (None, None, 6)
    assert layers.dot([a, b], axes=(2, 1)).shape == (None, None)
    assert layers.ZeroPadding1D(2)(a).shape == (None, None, 3)
    assert layers.Cropping1D(50)(a).shape == (None, None, 3)


REFUSED: list[tuple[str, dict[str, Any], Any, Any, tuple[str, ...]]] = [
    ("ZeroPadding2D", {"padding": -1}, None, ArgumentError, ("padding", "-1")),
    ("ZeroPadding2D", {"padding": (1, 2, 3)}, None, ArgumentError, ("padding", "(1, 2, 3)", "2")),
    ("Cropping3D", {"cropping": "a"}, None, ArgumentError, ("cropping", "'a'", "3")),
    ("Cropping1D", {"cropping": 3, "name": "c"}, A, ShapeError, ("c", "(4,)", "(-2,)")),
    ("UpSampling2D", {"size": 0}, None, ArgumentError, ("size", "0")),
    ("UpSampling2D", {"interpolation": "cubic"}, None, ArgumentError, ("interpolation", "cubic", '"bilinear"')),
    ("Add", {"name": "a"}, A, ArgumentError, ("a", "(2, 4, 3)")),
    ("Add", {"name": "a"}, [], ArgumentError, ("a", "0")),
    ("Subtract", {"name": "a"}, [A, A, A], ArgumentError, ("a", "3")),
    ("Add", {"name": "a"}, [A, numbers(2, 5, 3)], ShapeError, ("a", "(2, 4, 3)", "(2, 5, 3)")),
    ("Concatenate", {"axis": 1.5}, None, ArgumentError, ("axis", "1.5")),
    ("Concatenate", {"name": "a"}, [A, numbers(2, 5, 3)], ShapeError, ("a", "(2, 5, 3)", "-1")),
    ("Concatenate", {"axis": 7}, [A, A], ShapeError, ("7",)),
    ("Concatenate", {}, [A, R], ShapeError, ("(2, 5)",)),
    ("Dot", {"axes": 0}, None, ArgumentError, ("axes", "0")),
    ("Dot", {"axes": (1, 2, 3)}, None, ArgumentError, ("axes", "(1, 2, 3)")),
    ("Dot", {"axes": "a"}, None, ArgumentError, ("axes", "'a'")),
    ("Dot", {"axes": (1, 2), "name": "d"}, [A, B], ShapeError, ("d", "(2, 4, 3)", "1", "2")),
    ("Dot", {"axes": 5, "name": "d"}, [A, B], ShapeError, ("d", "5")),
    ("Dot", {"axes": 1, "name": "d"}, [A], ArgumentError, ("d", "1")),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("kind", "options", "x", "error", "parts"), REFUSED, ids=[f"{row[0]}-{k}" for k, row in enumerate(REFUSED)]
)
def test_bad_input_is_named(
    kind: str, options: Any, x: Any, error: Any, parts: Any, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call() -> None:
        getattr(layers, kind)(**options)(x)

    names_all(said(call, error, language, monkeypatch), parts, language)
