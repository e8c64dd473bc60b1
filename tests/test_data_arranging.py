"""Padding, one-hot labels and a held-out part, against values worked out by hand and laws."""

from __future__ import annotations

import numpy as np
import pytest
from refused import names_all, said

from backlight.data import pad_sequences, to_categorical, train_test_split
from backlight.errors import ArgumentError, BacklightError, RangeError, ShapeError

PADDED = [
    ({}, [[1, 2, 3], [0, 0, 4], [0, 0, 0]]),
    ({"padding": "post"}, [[1, 2, 3], [4, 0, 0], [0, 0, 0]]),
    ({"maxlen": 2}, [[2, 3], [0, 4], [0, 0]]),
    ({"maxlen": 2, "truncating": "post"}, [[1, 2], [0, 4], [0, 0]]),
    ({"maxlen": 5, "value": 9}, [[9, 9, 1, 2, 3], [9, 9, 9, 9, 4], [9, 9, 9, 9, 9]]),
    ({"maxlen": 0}, [[], [], []]),
]


@pytest.mark.parametrize(("options", "expected"), PADDED)
def test_padding(options, expected):
    found = pad_sequences([[1, 2, 3], [4], []], **options)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.array(expected, np.int32).reshape(3, -1))


def test_padding_of_vectors_and_fractions():
    found = pad_sequences([[[1.5, 2.5]], [[3.0, 4.0], [5.0, 6.0]]], dtype="float32", value=-0.5)
    np.testing.assert_array_equal(found, np.array([[[-0.5, -0.5], [1.5, 2.5]], [[3, 4], [5, 6]]], np.float32))
    assert found.dtype == np.float32
    assert pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([0, 2], None, [[1, 0, 0], [0, 0, 1]]),
        ([[0], [2]], 4, [[1, 0, 0, 0], [0, 0, 1, 0]]),
        (1, 2, [0, 1]),
        ([[0, 1], [1, 1]], None, [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]),
        ([1.0, 0.0], None, [[0, 1], [1, 0]]),
        (np.array([True, False]), None, [[0, 1], [1, 0]]),
        ([], 3, np.zeros((0, 3))),
        ([0, 2], np.uint8(3), [[1, 0, 0], [0, 0, 1]]),
    ],
)
def test_one_hot_labels(labels, classes, expected):
    found = to_categorical(labels, classes)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


def test_small_integers_do_not_overflow():
    assert to_categorical(np.array([255], np.uint8)).shape == (1, 256)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [0.1, 0.25, 0.5, 7])
def test_every_example_is_on_one_side_and_rows_stay_together(seed, size):
    x = np.arange(40).reshape(20, 2)
    learnt, held_out, y_learnt, y_held_out = train_test_split(x, x[:, 0] // 2, test_size=size, key=seed)
    assert sorted([*y_learnt, *y_held_out]) == list(range(20))
    np.testing.assert_array_equal(learnt[:, 0], 2 * y_learnt)
    np.testing.assert_array_equal(held_out[:, 0], 2 * y_held_out)
    assert len(held_out) == (size if isinstance(size, int) else np.ceil(20 * size))
    np.testing.assert_array_equal(train_test_split(x, test_size=size, key=seed)[1], held_out)


@pytest.mark.parametrize("counts", [[50, 50], [90, 9, 1], [7, 11, 13, 17], [1, 1, 1, 1]])
@pytest.mark.parametrize("size", [1, 2, 0.2, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("shuffle", [True, False])
def test_strata_are_within_one_of_their_share(counts, size, shuffle):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    learnt, held_out = train_test_split(labels, stratify=labels, test_size=size, shuffle=shuffle)
    n = len(labels)
    expected = size if isinstance(size, int) else int(np.ceil(n * size))
    assert len(held_out) == expected
    found = np.bincount(held_out, minlength=len(counts))
    assert (np.abs(found - np.array(counts) * expected / n) < 1).all()
    np.testing.assert_array_equal(found + np.bincount(learnt, minlength=len(counts)), counts)


def test_not_shuffled_is_in_order():
    learnt, held_out = train_test_split(np.arange(8), shuffle=False)
    assert learnt.tolist() == [0, 1, 2, 3, 4, 5]
    assert held_out.tolist() == [6, 7]


BAD = [
    (lambda: pad_sequences([1, 2]), ArgumentError),
    (lambda: pad_sequences([[1]], padding="left"), ArgumentError),
    (lambda: pad_sequences([[1]], truncating="left"), ArgumentError),
    (lambda: pad_sequences([[1]], maxlen=-1), ArgumentError),
    (lambda: pad_sequences([[1]], value=0.5), ArgumentError),
    (lambda: pad_sequences([[1]], value=np.nan), ArgumentError),
    (lambda: pad_sequences([["a"]]), ArgumentError),
    (lambda: pad_sequences([[1]], dtype="no such"), ArgumentError),
    (lambda: pad_sequences(None), ArgumentError),
    (lambda: pad_sequences([[[1], [2, 3]]]), ShapeError),
    (lambda: pad_sequences([[[1]], [[2, 3]]]), ShapeError),
    (lambda: to_categorical([-1, 0]), RangeError),
    (lambda: to_categorical([3], 3), RangeError),
    (lambda: to_categorical([0.5]), ArgumentError),
    (lambda: to_categorical(["a"]), ArgumentError),
    (lambda: to_categorical([]), ArgumentError),
    (lambda: to_categorical([0], "a"), ArgumentError),
    (lambda: to_categorical([0], 1.5), ArgumentError),
    (lambda: to_categorical([0], 0), ArgumentError),
    (lambda: train_test_split(np.ones(3), key="a"), ArgumentError),
    (lambda: train_test_split(np.ones(3), test_size="a"), ArgumentError),
    (lambda: train_test_split(np.float64(3)), ShapeError),
    (lambda: train_test_split([[1], [1, 2]]), ShapeError),
    (lambda: train_test_split(np.ones(3), np.ones(4)), ShapeError),
    (lambda: train_test_split(np.ones(3), stratify=np.ones(4)), ShapeError),
    (lambda: train_test_split(), ShapeError),
    (lambda: train_test_split(np.ones(3), test_size=0), ArgumentError),
    (lambda: train_test_split(np.ones(3), test_size=3), ArgumentError),
    (lambda: train_test_split(np.ones(3), test_size=1.5), ArgumentError),
    (lambda: train_test_split(np.ones(1)), ArgumentError),
]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("call", "kind"), BAD, ids=range(len(BAD)))
def test_bad_input_is_refused(call, kind, lang, monkeypatch):
    names_all(said(call, kind, lang, monkeypatch), (), lang)
    assert issubclass(kind, BacklightError)
