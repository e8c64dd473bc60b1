"""Batches: every example once an epoch, the same order for the same key, exactly resumable, and threads that end."""

from __future__ import annotations

import gc
import json
import threading
import time
import traceback
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pytest
from bounded import bounded

import backlight
from backlight import random
from backlight.data import Batches, ImageFolder, order_of_epoch, train_test_split
from backlight.data.ahead import ahead
from backlight.errors import ArgumentError, BacklightError, CallError, DataError, ShapeError, TrainingWarning
from backlight.philox import words

X = np.arange(23, dtype=np.float32).reshape(23, 1)


class Numbered:
    """A collection that is no array."""

    def __init__(self, n):
        self.n, self.asked = n, []

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        self.asked.append(k)
        return np.float32(k).reshape(1)


SOURCES = {
    "array": lambda: X,
    "collection": lambda: Numbered(23),
    "stream": lambda: lambda: iter(X),
}
OPTIONS = [
    {},
    {"shuffle": True},
    {"shuffle": True, "drop_remainder": True},
    {"shuffle": True, "repeat": 2},
    {"shuffle": True, "prefetch": 2},
    {"prefetch": 1, "repeat": 3, "drop_remainder": True},
    {"shuffle": True, "map": lambda batch: batch * 2, "prefetch": 3},
]


def batches(source: str, **options: Any) -> Batches:
    if source == "stream" and options.get("shuffle"):
        options["shuffle"] = 7
    return Batches(SOURCES[source](), options.pop("batch_size", 4), **options)


def lists(found: Any) -> list[Any]:
    return [np.asarray(batch).ravel().tolist() for batch in found]


def flat(nested: Any) -> list[Any]:
    return list(chain.from_iterable(nested))


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "backlight-ahead"]


def no_threads() -> bool:
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.002)
    return not threads()


every_source = pytest.mark.parametrize("source", SOURCES)
every_option = pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")


# -- Laws ------------------------------------------------------------------------------------------------------------


@every_source
@every_option
@pytest.mark.parametrize("size", [1, 4, 23])
def test_every_example_comes_once_an_epoch(source, options, size):
    found = lists(batches(source, batch_size=size, **options))
    factor = 2 if "map" in options else 1
    kept = 23 // size * size if options.get("drop_remainder") else 23
    epochs = options.get("repeat", 1)
    per_epoch = len(found) // epochs
    for epoch in range(epochs):
        values = flat(found[epoch * per_epoch : (epoch + 1) * per_epoch])
        assert len(values) == kept
        assert len(set(values)) == kept
        assert set(values) <= {float(factor * k) for k in range(23)}
    assert all(len(batch) == size for batch in found[: 23 // size])


@every_source
@every_option
def test_the_same_key_gives_the_same_order_and_another_key_another(source, options):
    first, second = lists(batches(source, key=5, **options)), lists(batches(source, key=5, **options))
    assert first == second
    assert (lists(batches(source, key=6, **options)) != first) == bool(options.get("shuffle"))


@every_source
def test_every_epoch_has_an_order_of_its_own_which_needs_no_epoch_before(source):
    stepped = batches(source, shuffle=True, key=1)
    orders = [lists(stepped) for _ in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    jumped = batches(source, shuffle=True, key=1)
    jumped.restore(jumped.state() | {"epoch": 2})
    assert lists(jumped) == orders[2]
    assert lists(batches(source, shuffle=True, key=1, repeat=3)) == flat(orders)


def test_the_order_is_the_documented_function():
    key = random.key(9)
    expected = np.asarray(random.permutation(random.fold_in(key, 3), 23))
    np.testing.assert_array_equal(order_of_epoch(key, 3, 23), expected)
    shuffled = Batches(X, 23, shuffle=True, key=9)
    shuffled.restore(shuffled.state() | {"epoch": 3})
    np.testing.assert_array_equal(next(iter(shuffled)).ravel(), X[expected, 0])
    np.testing.assert_array_equal(
        next(iter(Batches(X, 23, shuffle=True, key=random.key(9)))).ravel(), X[order_of_epoch(key, 0, 23), 0]
    )


@every_source
@every_option
@pytest.mark.parametrize("stop", [0, 1, 3, 5, 6, 8])
def test_resuming_equals_continuing(source, options, stop):
    whole = batches(source, key=2, **options)
    passes = [lists(whole) for _ in range(3)]
    broken = batches(source, key=2, **options)
    assert lists(broken) == passes[0]
    rest = iter(broken)
    begun = [next(rest, None) for _ in range(stop)]
    begun = lists(batch for batch in begun if batch is not None)
    state = json.loads(json.dumps(broken.state()))
    rest.close()
    again = batches(source, key=2, **options)
    again.restore(state)
    assert again.state() == state
    if len(begun) < stop:  # the pass was over, so the next one is due
        assert lists(again) == passes[2]
    else:
        assert begun + lists(again) == passes[1]
        assert lists(again) == passes[2]


def test_a_state_in_the_last_place_of_an_epoch_is_not_yet_the_next_epoch():
    first = Batches(X, 4, shuffle=True)
    walk = iter(first)
    for _ in range(6):
        next(walk)
    assert (first.state()["epoch"], first.state()["batch"]) == (0, 6)
    again = Batches(X, 4, shuffle=True)
    again.restore(first.state())
    assert lists(again) == []
    assert (again.state()["epoch"], again.state()["batch"]) == (1, 0)
    assert next(walk, None) is None
    assert (first.state()["epoch"], first.state()["batch"]) == (1, 0)


@pytest.mark.parametrize("prefetch", [0, 4])
def test_the_state_counts_what_was_handed_out_not_what_was_made(prefetch):
    some = Batches(X, 4, prefetch=prefetch)
    walk = iter(some)
    next(walk), next(walk)
    time.sleep(0.02)
    assert some.state()["batch"] == 2
    walk.close()


def test_a_loop_left_early_is_followed_by_the_next_epoch():
    some = Batches(X, 4, shuffle=True, key=3)
    for _ in some:
        break
    assert lists(some) == lists(Batches(X[order_of_epoch(random.key(3), 1, 23)], 4))


@every_source
def test_resuming_a_collection_reads_only_the_rest(source):
    if source == "collection":
        numbers = Numbered(23)
        some = Batches(numbers, 4)
        some.restore(some.state() | {"batch": 5})
        assert lists(some) == [[20, 21, 22]]
        assert numbers.asked == [20, 21, 22]


def test_a_repetition_without_end():
    walk = iter(Batches(X, 23, shuffle=True, repeat=None, prefetch=2))
    found = [next(walk) for _ in range(7)]
    assert len({tuple(batch.ravel()) for batch in found}) == 7
    walk.close()


# -- Kinds of data ---------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    x: Any
    y: Any


def test_nestings_keep_their_containers_and_rows_stay_together():
    tree = {"a": X, "b": (X[:, 0] * 2, [X.astype(np.int64)]), "c": Pair(X, None)}
    for batch in Batches(tree, 5, shuffle=True):
        assert type(batch["c"]) is Pair
        assert batch["c"].y is None
        np.testing.assert_array_equal(batch["b"][0], batch["a"][:, 0] * 2)
        np.testing.assert_array_equal(batch["b"][1][0], batch["a"])
        assert batch["b"][1][0].dtype == np.int64
        assert batch["a"].dtype == np.float32


@pytest.mark.parametrize("shuffle", [False, True])
def test_memory_mapped_files(tmp_path, shuffle):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    found = list(Batches(mapped, 4, shuffle=shuffle))
    assert lists(found) == lists(Batches(X, 4, shuffle=shuffle))
    assert all(type(batch) is np.ndarray and batch.flags.writeable for batch in found)


LAYOUTS = {
    "plain": np.array,
    "columns first": np.asfortranarray,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "other bytes": lambda x: x.astype(">f4"),
}


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_batch_is_the_callers_own_in_one_layout(kind, shuffle):
    whole = np.arange(46, dtype=np.float32).reshape(23, 2)
    x = LAYOUTS[kind](whole)
    for batch, rows in zip(Batches(x, 4, shuffle=shuffle), Batches(whole, 4, shuffle=shuffle), strict=True):
        np.testing.assert_array_equal(batch, rows)
        assert batch.flags.c_contiguous
        assert batch.dtype == np.float32
        batch[:] = -1
    np.testing.assert_array_equal(x, whole)


def test_arrays_of_backlight_are_taken_by_value():
    assert lists(Batches((backlight.array(X), X[:, 0]), 23, map=lambda batch: batch[0])) == [X[:, 0].tolist()]


def test_a_stream_may_have_a_length_that_refuses():
    inner = Batches(lambda: iter(X), 4)
    assert [len(batch) for batch in Batches(inner, None, prefetch=1)] == [4, 4, 4, 4, 4, 3]


class Series:
    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return self.values


class Frame:
    """What pandas and Polars have in common, as far as batches look."""

    def __init__(self, columns):
        self._columns = columns
        self.columns, self.shape = list(columns), (len(next(iter(columns.values()))), len(columns))

    def __getitem__(self, name):
        return Series(self._columns[name])

    def to_numpy(self):
        return np.stack(list(self._columns.values()), axis=1)


def test_a_frame_of_numbers_is_an_array_and_a_series_a_row_of_them():
    frame = Frame({"age": np.arange(5), "weight": np.arange(5) / 2})
    x, y = next(iter(Batches((frame, Series(np.arange(5.0))), 2)))
    np.testing.assert_array_equal(x, [[0, 0], [1, 0.5]])
    np.testing.assert_array_equal(y, [0, 1])
    assert len(Batches(frame, 2)) == 3


def test_a_frame_of_other_things_is_read_column_by_column():
    frame = Frame({"age": np.arange(5), "name": np.array(list("abcde"), object)})
    with pytest.raises(ArgumentError, match=r"'name'(.|\n)*for name in frame.columns"):
        Batches(frame, 2)
    batch = next(iter(Batches({name: frame[name] for name in frame.columns}, 2)))
    assert (batch["age"].tolist(), batch["name"].tolist()) == ([0, 1], ["a", "b"])


class Convertible:
    """Nothing but a way to become an array, as columns of Arrow have."""

    def __array__(self, dtype=None, copy=None):
        return np.arange(4.0)


def test_what_can_become_an_array_does():
    assert lists(batch["x"] for batch in Batches({"x": Convertible()}, 2)) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_real_frames(library, shuffle):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"age": [1.5, None, 3.0], "count": [1, 2, 3], "name": ["a", "b", "c"]})
    numbers, names = frame[["age", "count"]], frame["name"]
    x, y = next(iter(Batches((numbers, names), 3, shuffle=shuffle)))
    order = order_of_epoch(0, 0, 3) if shuffle else np.arange(3)
    np.testing.assert_array_equal(x, np.array([[1.5, 1], [np.nan, 2], [3, 3]])[order])
    assert y.tolist() == np.array(["a", "b", "c"])[order].tolist()
    with pytest.raises(ArgumentError, match="'name'"):
        Batches(frame, 3)
    _, held_out = train_test_split(numbers, test_size=1, shuffle=False)
    np.testing.assert_array_equal(held_out, [[3, 3]])


def test_streams_of_nested_examples_are_stacked():
    made = Batches(lambda: ({"x": np.full(2, k), "y": k} for k in range(3)), 2)
    first, second = made
    np.testing.assert_array_equal(first["x"], [[0, 0], [1, 1]])
    np.testing.assert_array_equal(second["y"], [2])


def test_streams_of_ready_batches_pass_through():
    ready = [X[:3], X[3:5]]
    assert lists(Batches(lambda: iter(ready), None)) == lists(ready)
    some = Batches(lambda: iter(ready), None)
    some.restore(some.state() | {"batch": 1})
    assert lists(some) == lists(ready[1:])


class Sequence:
    """Numbered batches, as Keras's PyDataset has them."""

    def __len__(self):
        return 4

    def __getitem__(self, k):
        if k >= 4:
            raise IndexError
        return X[5 * k : 5 * k + 5], X[5 * k : 5 * k + 5, 0] + 1


def test_numbered_batches_pass_through_in_any_order():
    assert [x[0, 0] for x, _ in Batches(Sequence(), None)] == [0, 5, 10, 15]
    shuffled = Batches(Sequence(), None, shuffle=True, key=1)
    assert len(shuffled) == 4
    assert [x[0, 0] / 5 for x, _ in shuffled] == order_of_epoch(1, 0, 4).tolist()
    again = Batches(Sequence(), None, shuffle=True, key=1)
    again.restore(again.state() | {"batch": 3})
    assert [x[0, 0] / 5 for x, _ in again] == order_of_epoch(1, 0, 4)[3:].tolist()


def test_sample_weights_go_with_their_examples():
    weights = X[:, 0] / 10
    for x, y, w in Batches((X, X[:, 0] * 2, weights), 4, shuffle=True):
        np.testing.assert_array_equal(x[:, 0] * 2, y)
        np.testing.assert_array_equal(x[:, 0] / 10, w)


def test_the_order_is_the_same_on_every_platform():
    # Worked out from the words of Philox, in whole numbers of Python's: 64 bits for each example decide its place.
    folded = words(np.array([3, 0, 5, 0], np.uint32), 2, domain=2)
    drawn = [int(word) for word in words(folded, 20)]
    numbers = [(drawn[2 * k] << 32) + drawn[2 * k + 1] for k in range(10)]
    assert order_of_epoch(3, 5, 10).tolist() == sorted(range(10), key=numbers.__getitem__)
    assert order_of_epoch(3, 5, 10).tolist() == [9, 4, 1, 0, 2, 6, 7, 8, 3, 5]


def test_a_file_is_not_read_into_memory(tmp_path):
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (200_000, 100))  # 80 MB
    with bounded(20 << 20):  # the order and what draws it; never the rows
        for shuffle in (False, True):
            for x, _ in islice(Batches((mapped, np.arange(200_000)), 64, shuffle=shuffle, prefetch=2), 20):
                assert x.shape == (64, 100)


def test_a_shuffled_stream_moves_examples_only_inside_their_block():
    values = flat(lists(Batches(lambda: iter(X), 5, shuffle=10, key=4)))
    assert values != sorted(values)
    assert [set(values[k : k + 10]) for k in (0, 10, 20)] == [
        set(map(float, range(10))),
        set(map(float, range(10, 20))),
        {20.0, 21.0, 22.0},
    ]


def test_a_stream_is_read_no_further_than_needed():
    read = []

    def numbers():
        for k in range(10**9):
            read.append(k)
            yield np.float64(k)

    walk = iter(Batches(numbers, 4, shuffle=8))
    next(walk)
    assert len(read) == 8
    ahead_of_it = iter(Batches(numbers, 4, prefetch=2))
    next(ahead_of_it)
    time.sleep(0.02)
    assert len(read) <= 8 + 4 * 4
    ahead_of_it.close()


def test_lengths():
    assert len(Batches(X, 4)) == 6
    assert len(Batches(X, 4, drop_remainder=True)) == 5
    assert len(Batches(X, 4, repeat=3)) == 18
    assert len(Batches(Numbered(8), 4)) == 2
    for endless in (Batches(X, 4, repeat=None), Batches(lambda: iter(X), 4), Batches(iter(X), 4)):
        with pytest.raises(CallError):
            len(endless)
    assert len(list(Batches(lambda: iter(X), 4))) == 6


# -- The thread --------------------------------------------------------------------------------------------------------


def test_the_thread_keeps_the_order_and_ends_with_the_loop():
    assert list(ahead(iter(range(1000)), 3)) == list(range(1000))
    assert not threads()  # joined, not only told to end


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_work_is_done_ahead_and_no_further(depth):
    made: list[int] = []

    def numbers():
        for k in range(100):
            made.append(k)
            yield k

    walk = ahead(numbers(), depth)
    assert next(walk) == 0
    deadline = time.monotonic() + 5
    while len(made) < depth + 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.01)
    assert len(made) == depth + 2  # taken, on the shelf, and in the thread's hand
    walk.close()
    assert no_threads()


def test_work_overlaps_with_use():
    made = [threading.Event() for _ in range(5)]

    def numbers():
        for k in range(5):
            made[k].set()
            yield k

    for k in ahead(numbers(), 1):
        assert made[min(k + 1, 4)].wait(10)  # the next one is made while this one is in use


class Broken(Exception):
    pass


@pytest.mark.parametrize("where", ["source", "map"])
def test_an_exception_comes_where_its_batch_would_have_come(where):
    def numbers():
        for k in range(8):
            if k == 6 and where == "source":
                raise Broken
            yield np.float64(k)

    def double(batch):
        if batch[0] == 6:
            raise Broken
        return 2 * batch

    found = []
    with pytest.raises(Broken) as caught:
        found.extend(batch.tolist() for batch in Batches(numbers, 2, map=double, prefetch=3))
    assert found == [[0, 2], [4, 6], [8, 10]]
    last = traceback.extract_tb(caught.tb)[-1]
    assert (last.filename, last.line) == (__file__, "raise Broken")
    assert no_threads()


@pytest.mark.parametrize("end", ["break", "close", "forget", "exception"])
def test_the_thread_ends_with_a_loop_left_early(end):
    closed = []

    def numbers():
        try:
            for k in range(10**9):
                yield np.float64(k)
        finally:
            closed.append(True)

    some = Batches(numbers, 2, prefetch=2)
    if end == "break":
        for _ in some:
            break
    elif end == "exception":

        def use():
            for _ in some:
                raise Broken

        with pytest.raises(Broken):
            use()
    else:
        walk = iter(some)
        next(walk)
        if end == "close":
            walk.close()
        del walk
    assert no_threads()
    gc.collect()
    assert closed


# -- Bad input -------------------------------------------------------------------------------------------------------


BAD = {
    "empty": (lambda: Batches(X[:0], 2), DataError, "empty", "空"),
    "empty tree": (lambda: Batches({}, 2), DataError, "empty", "空"),
    "empty stream": (lambda: list(Batches(lambda: iter(()), 2)), DataError, "empty", "空"),
    "empty ready": (lambda: list(Batches(lambda: iter(()), None)), DataError, "empty", "空"),
    "larger": (lambda: Batches(X, 24, drop_remainder=True), ArgumentError, "batch_size=23", "batch_size=23"),
    "larger stream": (
        lambda: list(Batches(lambda: iter(X), 24, drop_remainder=True)), ArgumentError, "batch_size=23", "batch_size=23"
    ),
    "map": (lambda: Batches(X, 2, map=3), ArgumentError, "map", "map"),
    "frame": (lambda: Batches(Frame({"a": np.array(["x"], object)}), 1), ArgumentError, "'a'", "表"),
    "no iterable": (lambda: list(Batches(lambda: 5, 2)), ArgumentError, "int 5", "int 5"),
    "lengths": (lambda: Batches((X, X[:5]), 2), ShapeError, r"float32 \(23, 1\), float32 \(5, 1\)", r"\(23, 1\)"),
    "numbers": (lambda: Batches([1, 2, 3], 2), ArgumentError, "np.asarray", "np.asarray"),
    "text": (lambda: Batches("text", 2), ArgumentError, "made of str", "由 str"),
    "set": (lambda: Batches({1, 2, 3}, 2), ArgumentError, "set", "set"),
    "nothing": (lambda: Batches(None, 2), ArgumentError, "NoneType", "NoneType"),
    "scalar": (lambda: Batches(np.float64(3), 2), ShapeError, "row", "行"),
    "size": (lambda: Batches(X, 0), ArgumentError, "batch_size", "batch_size"),
    "size kind": (lambda: Batches(X, 2.5), ArgumentError, "2.5", "2.5"),
    "prefetch": (lambda: Batches(X, 2, prefetch=-1), ArgumentError, "prefetch", "prefetch"),
    "repeat": (lambda: Batches(X, 2, repeat=0), ArgumentError, "repeat", "repeat"),
    "key": (lambda: Batches(X, 2, key="a"), ArgumentError, "key", "key"),
    "ready arrays": (lambda: Batches(X, None), ArgumentError, "batch_size=32", "batch_size=32"),
    "stream shuffle": (lambda: Batches(iter(X), 2, shuffle=True), ArgumentError, "shuffle=1000", "shuffle=1000"),
    "stream NumPy shuffle": (lambda: Batches(iter(X), 2, shuffle=np.True_), ArgumentError, "1000", "1000"),
    "ragged": (
        lambda: list(Batches(lambda: iter([np.ones(2), np.ones(3)]), 2)), ShapeError, "pad_sequences", "pad_sequences"
    ),
    "nesting": (lambda: list(Batches(lambda: iter([{"a": 1}, {"b": 1}]), 2)), ShapeError, "1", "1"),
    "no state": (lambda: Batches(X, 2).restore(3), ArgumentError, "state", "状态"),
    "half a state": (lambda: Batches(X, 2).restore({"epoch": 0}), ArgumentError, "state", "状态"),
    "beyond": (lambda: Batches(X, 2).restore(Batches(X, 2).state() | {"batch": 13}), ArgumentError, "state", "状态"),
    "other size": (lambda: Batches(X, 2).restore(Batches(X, 3).state()), ArgumentError, "batch_size is 3", "是 3"),
    "other data": (lambda: Batches(X, 2).restore(Batches(X[:9], 2).state()), ArgumentError, "examples", "examples"),
    "other key": (lambda: Batches(X, 2).restore(Batches(X, 2, key=1).state()), ArgumentError, "key", "key"),
}  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_words(case, lang, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    call, kind, *words = BAD[case]
    with pytest.raises(kind, match=words[lang == "zh"]) as error:
        call()
    assert isinstance(error.value, BacklightError)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("source", SOURCES)
def test_a_batch_larger_than_the_set_is_the_only_one_and_said_at_the_line(source, prefetch, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    with pytest.warns(TrainingWarning, match="batch_size=23 or less") as caught:
        found = lists(batches(source, batch_size=32, prefetch=prefetch))
    assert [sorted(batch) for batch in found] == [list(range(23))]
    if source != "stream":  # which is not known to be short before it is read
        assert caught[0].filename == __file__


def test_arrays_of_different_lengths_are_called_by_their_names(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    images, labels = np.zeros((7, 2)), np.zeros(6, np.int32)
    with pytest.raises(ShapeError, match=r"`images` float64 \(7, 2\), `labels` int32 \(6,\)"):
        Batches((images, labels), 2)


def test_what_can_be_read_once_is_not_read_twice():
    once = Batches(iter(X), 4)
    assert len(list(once)) == 6
    with pytest.raises(ArgumentError, match="once"):
        list(once)


def test_a_folder_of_images_is_a_collection(tmp_path):
    with pytest.raises(BacklightError):
        Batches(ImageFolder(tmp_path), 2)
