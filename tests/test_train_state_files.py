"""A state file that is damaged in any way is refused, and a save that is cut off at any point leaves a whole state."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bounded import bounded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import plain, wave
from refused import names_all, said
from safetensors.numpy import save_file

import backlight
from backlight.errors import ArgumentError, StateError, TrainingWarning
from backlight.nn import layers
from backlight.nn.layers import Dense, Dropout, Input
from backlight.train.model import Model, Sequential
from backlight.train.saving import from_keras, from_torch
from backlight.train.saving.container import stored, write
from backlight.train.saving.paths import layers_by_path
from backlight.train.saving.plain import parsed

ROOT = Path(__file__).resolve().parent.parent


def numbers(*shape: int, phase: float = 0.0) -> Any:
    return wave(np.zeros(shape), phase).astype(np.float32)


def small(width: int = 3) -> Any:
    model = Sequential([Dense(width, input_shape=(2,)), Dropout(0.5, seed=1), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], jit_compile=False)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state after an epoch, as a file."""
    path = tmp_path_factory.mktemp("state") / "model.safetensors"
    model = small()
    model.fit(numbers(8, 2), numbers(8, 1), verbose=0)
    model.save(path)
    return path


def header_of(data: bytes) -> tuple[int, Any]:
    length = struct.unpack("<Q", data[:8])[0]
    return 8 + length, json.loads(data[8 : 8 + length])


# -- Saves that are cut off --------------------------------------------------------------------------------------------

KILLS = """
import os, shutil, sys
from pathlib import Path
import numpy as np
import backlight
from backlight import keras

folder, links = Path(sys.argv[1]), sys.argv[2] == "links"
path, previous = folder / "m", folder / "m.previous"
model = keras.Sequential([keras.layers.Dense(3, input_shape=(2,))])
if not links:
    def refuse(*_):
        raise OSError("no links here")
    os.link = refuse

def filled(number):
    for v in model.weights:
        v.assign(np.full(v.shape, number, "float32"))

def number_in(path):
    found = {float(n) for v in backlight.load(path).weights for n in v.numpy().ravel()}
    assert len(found) == 1, found
    return found.pop()

for number in (1.0, 2.0):
    filled(number)
    model.save(folder / f"start{number:.0f}")

def begin():
    for each in folder.iterdir():
        if not each.name.startswith("start"):
            each.unlink()
    shutil.copy(folder / "start1", previous)
    shutil.copy(folder / "start2", path)

def killed_at(k):
    '''Whether the save was still going on at its k-th call of C code.'''
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    left, watched = k, ("data/files.py", "saving/container.py")
    def watch(frame, event, argument):
        nonlocal left
        if event in ("c_call", "c_return") and frame.f_code.co_filename.endswith(watched):
            left -= 1
            if left < 0:
                os._exit(9)
    filled(3.0)
    sys.setprofile(watch)
    model.save(path)
    sys.setprofile(None)
    os._exit(0)

found, k = [], 0
while True:
    begin()
    alive = killed_at(k)
    if path.exists():
        found.append((number_in(path), number_in(previous)))
    else:
        try:
            backlight.load(path)
        except backlight.BacklightError as error:
            assert str(previous) in "".join(error.__notes__), error
        found.append((None, number_in(previous)))
    if not alive:
        break
    k += 1
    model.save(path)
    number_in(path)
seen = [pair for n, pair in enumerate(found) if pair not in found[:n]]
print(k, seen)
"""


@pytest.mark.parametrize("links", ["links", "none"])
def test_a_save_that_is_killed_anywhere_leaves_a_whole_state(links: str, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path), links], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BACKLIGHT_LANG": "en"},
    )  # fmt: skip
    assert not found.returncode, found.stderr
    count, seen = found.stdout.split(" ", 1)
    assert int(count) > 30
    wanted = {
        "links": [(2.0, 1.0), (2.0, 2.0), (3.0, 2.0)],  # the new file stands there before the old one's name goes
        "none": [(2.0, 1.0), (None, 2.0), (3.0, 2.0)],
    }
    assert seen.strip() == str(wanted[links])


def test_what_was_there_before_is_kept_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m"
    model = small()
    model.save(path)
    first = path.read_bytes()
    os.chmod(path, 0o640)
    model.weights[0].assign(np.zeros((2, 3)))
    model.save(path)
    assert (tmp_path / "m.previous").read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m", "m.previous"]
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    with pytest.raises(StateError) as caught:
        backlight.load(path)
    assert str(tmp_path / "m.previous") in "".join(caught.value.__notes__)
    (tmp_path / "link").symlink_to(path)
    model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    backlight.load(path)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_that_cannot_be_written_is_an_error(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small()
    for path in (tmp_path / "none" / "m", tmp_path):
        names_all(said(lambda p=path: model.save(p), StateError, language, monkeypatch), (str(path),), language)

    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    model.save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    names_all(said(lambda: model.save(tmp_path / "m"), StateError, language, monkeypatch), ("No space left",), language)
    assert (tmp_path / "m").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["m"]


# -- Files that are damaged --------------------------------------------------------------------------------------------


def refused(path: Path, data: bytes) -> str:
    """What is said of a file with these bytes, which is no state."""
    path.write_bytes(data)
    with pytest.raises(StateError) as caught:
        backlight.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_cut_anywhere(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    start, header = header_of(data)
    ends = {start + end for entry in header.values() if "dtype" in entry for end in entry["data_offsets"]}
    marks = {m.end() for m in re.finditer(rb'[{}\[\]:,"]', data[:start])}
    for place in sorted({*range(9), start - 1, *ends, *marks, *range(9, len(data), 37)} - {len(data)}):
        refused(tmp_path / "m", data[:place])
    refused(tmp_path / "m", data + b"\0")


def test_any_byte_that_is_not_what_it_was(tmp_path: Path) -> None:
    model = Sequential([Dense(2, input_shape=(1,))])
    model.save(tmp_path / "m")
    data = bytearray((tmp_path / "m").read_bytes())
    for place in range(len(data)):
        before = data[place]
        data[place] ^= 1 << place % 8
        refused(tmp_path / "m", data)
        data[place] = before


def built(header: Any, size: int = 24, start: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if start is None else start) + text + b"\0" * size


A = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
HEADERS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "bytes 0 to 7"),
    "short": (b"\x10\0\0", "bytes 0 to 7"),
    "length": (built({"a": A}, start=1 << 20), "1048576"),
    "huge length": (built({"a": A}, start=(1 << 64) - 1), "18446744073709551615"),
    "no JSON": (built(b"{a"), "JSON"),
    "no object": (built(b"[1]"), "{…}"),
    "no text": (built(b'{"\xff": 1}'), "utf-8"),
    "deep": (built(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"), "200"),
    "deep objects": (built(b'{"a":' * 5000 + b"1" + b"}" * 5000), "200"),
    "twice": (built(b'{"a":1,"b":2,"a":3}'), "'a'"),
    "NaN": (built(b'{"a":NaN}'), "NaN"),
    "infinite": (built(b'{"a":1e999}'), "1e999"),
    "endless number": (built(b'{"a":' + b"9" * 6000 + b"}"), "9999"),
    "more": (built({"a": {**A, "code": "x"}}), "a."),
    "dtype": (built({"a": {**A, "dtype": "F7"}}), "F7"),
    "dtype number": (built({"a": {**A, "dtype": 4}}), "4"),
    "shape": (built({"a": {**A, "shape": [2, -3]}}), "-3"),
    "shape true": (built({"a": {**A, "shape": [True, 6]}}), "True"),
    "shape float": (built({"a": {**A, "shape": [2.0, 3]}}), "2.0"),
    "axes": (built({"a": {**A, "shape": [1] * 65}}), "[1, 1"),
    "overflow": (built({"a": {**A, "shape": [1 << 62, 1 << 62]}}), "24"),
    "zero and huge": (built({"a": {**A, "shape": [0, 1 << 62, 4], "data_offsets": [0, 0]}}, 0), "4611686018427387904"),
    "offsets": (built({"a": {**A, "data_offsets": [0, 25]}}), "25"),
    "backwards": (built({"a": {**A, "data_offsets": [24, 0]}}), "[24, 0]"),
    "offsets three": (built({"a": {**A, "data_offsets": [0, 24, 24]}}), "[0, 24, 24]"),
    "too few bytes": (built({"a": {**A, "shape": [2, 4]}}), "(2, 4)"),
    "overlap": (built({"a": A, "b": A}), "24"),
    "gap": (built({"a": {**A, "shape": [3], "data_offsets": [12, 24]}}), "12"),
    "rest": (built({"a": A}, 30), "30"),
    "metadata": (built({"__metadata__": {"a": 1}, "a": A}), "__metadata__"),
    "metadata list": (built({"__metadata__": [], "a": A}), "__metadata__"),
    "no state": (built({"a": A}), "load_weights"),
    "other format": (built({"__metadata__": {"format": "pt"}, "a": A}), "'pt'"),
    "no digest": (built({"__metadata__": {"format": "backlight.state"}, "a": A}), "digest"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_headers_that_make_no_sense(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, part = HEADERS[what]
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    with bounded(4 << 20):
        assert part in refused(tmp_path / "m", data)


def test_other_peoples_files_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "m.pt").write_bytes(pickle.dumps({"a": [1.0]}))
    words = {"m.keras": ("state_dict", "keras", "torch"), "m.h5": ("HDF5", "keras"), "m.pt": ("pickle", "torch")}
    for language in ("en", "zh"):
        for name, parts in words.items():
            names_all(
                said(lambda n=name: backlight.load(tmp_path / n), StateError, language, monkeypatch), parts, language
            )
            small_one = small()
            said(lambda n=name, m=small_one: m.load_weights(tmp_path / n), StateError, language, monkeypatch)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe"):
        with pytest.raises(StateError):
            backlight.load(path)


# -- Files that are whole, and make no sense ---------------------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 2, 3, 1000, 1 << 40, 0.5, -0.0, "", "adam", "Dense", "Lambda", "exec", "os.system"]),
    st.sampled_from(
        [[], {}, [[]], {"class_name": "Dense", "config": {}}, {"$float": "nan"}, {"$array": [1], "dtype": "int8"}]
    ),
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["set", "drop", "copy", "insert"]), st.integers(0, 9999), st.integers(0, 9999), ODD),
    min_size=1, max_size=4,
)  # fmt: skip


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in nested data, as container and key."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in items for place in ((tree, key), *places(value))]


def edited(tree: Any, edits: Any) -> Any:
    tree = [copy.deepcopy(tree)]
    for what, one, other, odd in edits:
        found, odd = places(tree), copy.deepcopy(odd)
        container, key = found[one % len(found)]
        if what == "copy":
            source, name = found[other % len(found)]
            odd = copy.deepcopy(source[name])
        if what == "drop" and isinstance(container, dict):
            del container[key]
        elif what == "insert" and isinstance(container, list) and container is not tree:
            container.insert(key, odd)
        else:
            container[key] = odd
    return tree[0]


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(part=st.sampled_from(["model", "training", "position", "custom", "version"]), edits=EDITS)
def test_whatever_else_a_file_says(
    saved: Path, tmp_path_factory: pytest.TempPathFactory, part: str, edits: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    file = stored(saved)
    metadata = dict(file.metadata)
    metadata[part] = json.dumps(edited(json.loads(metadata[part]), edits))
    write(path, file.arrays, metadata)
    with bounded(32 << 20), contextlib.suppress(StateError):
        backlight.load(path)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_refused_in_bounded_memory_and_time(
    saved: Path, tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    content = bytearray(saved.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path.write_bytes(content)
    with bounded(16 << 20):
        try:
            backlight.load(path)
        except StateError:
            return
    assert content == saved.read_bytes()


def test_a_file_cannot_ask_for_more_weights_than_it_holds(saved: Path, tmp_path: Path) -> None:
    file = stored(saved)
    metadata = dict(file.metadata)
    metadata["model"] = metadata["model"].replace('"units":3', '"units":500000000')
    write(tmp_path / "m", file.arrays, metadata)
    with bounded(4 << 20), pytest.raises(StateError, match="500000000"):
        backlight.load(tmp_path / "m")


def test_arrays_that_are_not_the_models(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stored(saved)
    arrays = dict(file.arrays)
    arrays["model/other"] = arrays.pop("model/dense/bias")
    arrays["model/dense/kernel"] = arrays["model/dense/kernel"].T.copy()
    arrays["optimizer/iterations"] = arrays["optimizer/iterations"].astype(np.int32)
    write(tmp_path / "m", arrays, file.metadata)
    parts = ("model/other", "model/dense/bias", "model/dense/kernel", "(3, 2)", "(2, 3)", "int32", "int64")
    for language in ("en", "zh"):
        names_all(said(lambda: backlight.load(tmp_path / "m"), StateError, language, monkeypatch), parts, language)


def test_versions_that_are_not_known(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = stored(saved)
    write(tmp_path / "m", file.arrays, {**file.metadata, "version": "2"})
    for language in ("en", "zh"):
        names_all(
            said(lambda: backlight.load(tmp_path / "m"), StateError, language, monkeypatch), ("'2'", "'1'"), language
        )


def test_json_is_read_as_it_should() -> None:
    assert parsed('{"a":[1,-2.5,"[\\"{",null,true]}') == {"a": [1, -2.5, '["{', None, True]}
    assert parsed('"' + "[" * 500 + '"') == "[" * 500


# -- What the documentation says of the format -------------------------------------------------------------------------


def test_the_format_can_be_read_by_what_its_description_says(saved: Path) -> None:
    """With struct, json and BLAKE2b alone, step by step as docs/state.md has it."""
    text = (ROOT / "docs" / "state.md").read_text("utf-8")
    data = saved.read_bytes()
    start, header = header_of(data)
    metadata = header.pop("__metadata__")
    for key in metadata:
        assert f"`{key}`" in text, key
    digest = metadata["digest"]
    at = data.index(f'"digest":"{digest}"'.encode()) + len('"digest":"')
    assert blake2b(data[:at] + b"0" * 64 + data[at + 64 :], digest_size=32).hexdigest() == digest
    model, training, position = (json.loads(metadata[part]) for part in ("model", "training", "position"))
    for part in (model, training, position):
        for key in part:
            assert f"`{key}`" in text, key
    again = backlight.load(saved)
    for name, variable in zip(("dense/kernel", "dense/bias"), again.weights, strict=False):
        entry = header[f"model/{name}"]
        begin, end = (start + n for n in entry["data_offsets"])
        assert entry["dtype"] == "F32"
        raw = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        np.testing.assert_array_equal(np.reshape(raw, entry["shape"]), variable.numpy())
    assert struct.unpack("<q", data[slice(*(start + n for n in header["optimizer/iterations"]["data_offsets"]))]) == (
        1,
    )
    assert {name.split("/")[0] for name in header} == {"model", "optimizer", "metrics"}


# -- Weights -----------------------------------------------------------------------------------------------------------


def changed(model: Any, call: Any) -> bool:
    before = [w.tobytes() for w in model.get_weights()]
    call()
    return before != [w.tobytes() for w in model.get_weights()]


def test_weights_of_another_model_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(4).save_weights(tmp_path / "m")
    model = small(3)
    parts = ("Dense", "dense/kernel", "(2, 4)", "(2, 3)", "dense_1/kernel", "(4, 1)", "(3, 1)", model.layers[0].name)
    for language in ("en", "zh"):

        def refused_here(language: str = language) -> None:
            names_all(
                said(lambda: model.load_weights(tmp_path / "m"), StateError, language, monkeypatch), parts, language
            )

        assert not changed(model, refused_here)
    with pytest.warns(TrainingWarning, match="dense/kernel"):
        model.load_weights(tmp_path / "m", skip_mismatch=True)
    deeper = Sequential([Dense(4, input_shape=(2,)), Dense(4), Dense(1)])
    with pytest.raises(StateError, match="dense_2/kernel"):
        deeper.load_weights(tmp_path / "m")


def test_names_and_axes_by_a_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"w": numbers(3, 2), "b": numbers(3), "junk": numbers(1)}
    save_file(theirs, tmp_path / "m")
    model = Sequential([Dense(3, input_shape=(2,))])
    by_name = {"w": ("dense/kernel", (1, 0)), "b": "dense/bias", "junk": None}
    for name_map in (by_name, by_name.get):
        model.set_weights([np.zeros((2, 3)), np.zeros(3)])
        model.load_weights(tmp_path / "m", name_map)
        np.testing.assert_array_equal(model.get_weights()[0], theirs["w"].T)
    wrong = {
        "junk left": ({**by_name, "junk": "junk"}, StateError, "junk"),
        "twice": ({**by_name, "junk": "dense/bias"}, ArgumentError, "dense/bias"),
        "axes": ({**by_name, "w": ("dense/kernel", (0, 0))}, ArgumentError, "(0, 0)"),
        "shape": ({**by_name, "w": "dense/kernel"}, StateError, "(3, 2)"),
        "number": (7, ArgumentError, "7"),
        "library": ("jax", ArgumentError, "'jax'"),
    }
    for language in ("en", "zh"):
        for name_map, kind, part in wrong.values():
            text = said(lambda m=name_map: model.load_weights(tmp_path / "m", m), kind, language, monkeypatch)
            names_all(text, (part,), language)
    unbuilt = Sequential([Dense(3)])
    for call in (unbuilt.save_weights, unbuilt.load_weights):
        for language in ("en", "zh"):
            names_all(
                said(lambda c=call: c(tmp_path / "m"), StateError, language, monkeypatch), ("input_shape",), language
            )


def test_numbers_of_another_precision_are_converted_and_others_are_not(tmp_path: Path) -> None:
    model = Sequential([Dense(3, use_bias=False, input_shape=(2,))])
    save_file({"dense/kernel": numbers(2, 3).astype(np.float64)}, tmp_path / "m")
    model.load_weights(tmp_path / "m")
    np.testing.assert_array_equal(model.get_weights()[0], numbers(2, 3))
    save_file({"dense/kernel": np.ones((2, 3), np.complex64)}, tmp_path / "m")
    with pytest.raises(StateError, match="complex64"):
        model.load_weights(tmp_path / "m")
    upper = numbers(2, 3).view(np.uint32) >> 16
    header = {"dense/kernel": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}
    (tmp_path / "m").write_bytes(built(header, 0) + upper.astype("<u2").tobytes())
    model.load_weights(tmp_path / "m")
    np.testing.assert_array_equal(model.get_weights()[0], (upper << 16).view(np.float32))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def test_a_state_of_pytorch(tmp_path: Path) -> None:
    """Convolution, normalisation, flattening and a linear layer, with sums written out."""
    theirs = {
        "features.0.weight": numbers(3, 2, 2, 2), "features.0.bias": numbers(3, phase=1.0),
        "features.1.weight": numbers(3, phase=2.0), "features.1.bias": numbers(3, phase=3.0),
        "features.1.running_mean": numbers(3, phase=4.0), "features.1.running_var": 1 + numbers(3, phase=5.0) ** 2,
        "features.1.num_batches_tracked": np.array(7), "head.weight": numbers(4, 12, phase=6.0),
        "head.bias": numbers(4, phase=7.0),
    }  # fmt: skip
    save_file(theirs, tmp_path / "m")
    t = {name: value.astype(np.float64) for name, value in theirs.items()}
    x = numbers(2, 2, 3, 3, phase=8.0).astype(np.float64)  # examples, channels, height, width
    y = np.zeros((2, 3, 2, 2))
    for i, o, r, c in np.ndindex(y.shape):
        y[i, o, r, c] = np.sum(x[i, :, r : r + 2, c : c + 2] * t["features.0.weight"][o]) + t["features.0.bias"][o]
    scale = t["features.1.weight"] / np.sqrt(t["features.1.running_var"] + 1e-5)
    y = (y - t["features.1.running_mean"][:, None, None]) * scale[:, None, None] + t["features.1.bias"][:, None, None]
    wanted = y.reshape(2, -1) @ t["head.weight"].T + t["head.bias"]
    model = Sequential([
        Input((3, 3, 2)), layers.Conv2D(3, 2, name="conv"), layers.BatchNormalization(epsilon=1e-5), layers.Flatten(),
        Dense(4, name="head"),
    ])  # fmt: skip
    names = {"features.0": "conv", "features.1": "batch_normalization"}
    model.load_weights(tmp_path / "m", from_torch(names, flattened={"head": (2, 2, 3)}))
    np.testing.assert_allclose(plain(model(x.transpose(0, 2, 3, 1))), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(StateError, match=re.escape("features.0.weight")):
        model.load_weights(tmp_path / "m", "torch")
    with pytest.raises(StateError, match=re.escape("(5, 2, 3)")):
        model.load_weights(tmp_path / "m", from_torch(names, flattened={"head": (5, 2, 3)}))


def walked(kind: str, t: Any, x: Any) -> Any:
    """PyTorch's recurrent layers, as its documentation has them."""
    n = t["r.weight_hh_l0"].shape[1]
    h, c = np.zeros((len(x), n)), np.zeros((len(x), n))
    for step in range(x.shape[1]):
        a = x[:, step] @ t["r.weight_ih_l0"].T + t["r.bias_ih_l0"]
        b = h @ t["r.weight_hh_l0"].T + t["r.bias_hh_l0"]
        if kind == "SimpleRNN":
            h = np.tanh(a + b)
        elif kind == "LSTM":
            i, f, g, o = np.split(a + b, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ar, az, an), (br, bz, bn) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            z = sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + sigmoid(ar + br) * bn) + z * h
    return h


@pytest.mark.parametrize(("kind", "gates"), [("SimpleRNN", 1), ("LSTM", 4), ("GRU", 3)])
def test_recurrent_layers_of_pytorch(kind: str, gates: int, tmp_path: Path) -> None:
    shapes = {"weight_ih_l0": (gates * 3, 2), "weight_hh_l0": (gates * 3, 3), "bias_ih_l0": (gates * 3,)}
    shapes["bias_hh_l0"] = shapes["bias_ih_l0"]
    theirs = {f"r.{name}": numbers(*shape, phase=k) for k, (name, shape) in enumerate(shapes.items())}
    save_file(theirs, tmp_path / "m")
    x = numbers(2, 4, 2, phase=9.0)
    model = Sequential([getattr(layers, kind)(3, name="r", input_shape=(4, 2))])
    model.load_weights(tmp_path / "m", "torch")
    wanted = walked(kind, {name: value.astype(np.float64) for name, value in theirs.items()}, x.astype(np.float64))
    np.testing.assert_allclose(plain(model(x)), wanted, rtol=1e-4, atol=1e-5)


KERNELS: dict[str, tuple[Any, Any, Any, Any, Any]] = {
    # a layer, its input, the shape of PyTorch's weight, and one entry of it: theirs and ours
    "Conv1D": (lambda: layers.Conv1D(3, 4), (9, 2), (3, 2, 4), (1, 0, 3), (3, 0, 1)),
    "Conv3D": (lambda: layers.Conv3D(3, (4, 5, 6)), (9, 9, 9, 2), (3, 2, 4, 5, 6), (2, 1, 3, 4, 0), (3, 4, 0, 1, 2)),
    "Conv1DTranspose": (lambda: layers.Conv1DTranspose(3, 4), (9, 2), (2, 3, 4), (1, 2, 3), (3, 2, 1)),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, (4, 5)), (9, 9, 2), (2, 3, 4, 5), (1, 2, 3, 0), (3, 0, 2, 1)),
    "DepthwiseConv1D": (lambda: layers.DepthwiseConv1D(4), (9, 2), (2, 1, 4), (1, 0, 3), (3, 1, 0)),
    "DepthwiseConv2D": (
        lambda: layers.DepthwiseConv2D((4, 5), depth_multiplier=3), (9, 9, 2), (6, 1, 4, 5), (5, 0, 3, 2), (3, 2, 1, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KERNELS)
def test_kernels_of_pytorch_have_their_axes_in_another_order(kind: str, tmp_path: Path) -> None:
    build, shape, theirs, entry, ours = KERNELS[kind]
    model, w = Sequential([Input(shape), build()]), numbers(*theirs)
    path = next(name for name in layers_by_path(model) if "conv" in name)
    save_file({f"{path}.weight": w, f"{path}.bias": numbers(*model.get_weights()[1].shape)}, tmp_path / "m")
    model.load_weights(tmp_path / "m", "torch")
    assert model.get_weights()[0][ours] == w[entry]


def test_embedding_and_normalisation_of_pytorch(tmp_path: Path) -> None:
    model = Sequential([Input((3,)), layers.Embedding(5, 2, name="e"), layers.LayerNormalization(name="n")])
    theirs = {"e.weight": numbers(5, 2), "n.weight": numbers(2), "n.bias": numbers(2, phase=1.0)}
    save_file(theirs, tmp_path / "m")
    model.load_weights(tmp_path / "m", "torch")
    for found, wanted in zip(model.get_weights(), theirs.values(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_attention_of_pytorch(tmp_path: Path) -> None:
    """Two heads of three numbers, head by head."""
    t = {
        "a.in_proj_weight": numbers(18, 6), "a.in_proj_bias": numbers(18, phase=1.0),
        "a.out_proj.weight": numbers(6, 6, phase=2.0), "a.out_proj.bias": numbers(6, phase=3.0),
    }  # fmt: skip
    save_file(t, tmp_path / "m")
    x = numbers(2, 4, 6, phase=4.0)
    q, k, v = np.split(x @ t["a.in_proj_weight"].T + t["a.in_proj_bias"], 3, axis=-1)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        scores = np.exp(q[..., part] @ k[..., part].transpose(0, 2, 1) / np.sqrt(3))
        heads.append(scores / scores.sum(-1, keepdims=True) @ v[..., part])
    wanted = np.concatenate(heads, -1) @ t["a.out_proj.weight"].T + t["a.out_proj.bias"]
    symbol = Input((4, 6))
    model = Model(symbol, layers.MultiHeadAttention(2, 3, name="a")(symbol, symbol))
    model.load_weights(tmp_path / "m", "torch")
    np.testing.assert_allclose(plain(model(x)), wanted, rtol=1e-4, atol=1e-5)


def test_a_state_of_keras(tmp_path: Path) -> None:
    """Names as Keras gives them, counted on through a session, which no two layers here share."""
    x = Input((6, 4))
    y = layers.LSTM(3, return_sequences=True)(x)
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True))(y)
    y = layers.MultiHeadAttention(2, 3)(y, y)
    y = layers.TimeDistributed(Dense(3))(y)
    y = Dense(3)(y)
    y = layers.BatchNormalization()(Dense(3)(y))
    model = Model(x, y)
    cell = ("kernel", "recurrent_kernel", "bias")
    names = [
        *(f"lstm_4/lstm_cell/{v}" for v in cell),
        *(f"bidirectional_2/{way}_gru_7/gru_cell/{v}" for way in ("forward", "backward") for v in cell),
        *(
            f"multi_head_attention/{p}/{v}"
            for p in ("query", "key", "value", "attention_output")
            for v in ("kernel", "bias")
        ),
        *(f"time_distributed_1/dense_8/{v}" for v in ("kernel", "bias")),
        *(f"dense_{k}/{v}" for k in (9, 10) for v in ("kernel", "bias")),
        *(f"batch_normalization_3/{v}" for v in ("gamma", "beta", "moving_mean", "moving_variance")),
    ]
    values = [numbers(*w.shape, phase=k) for k, w in enumerate(model.weights)]
    for prefix in ("", "functional_5/"):
        save_file(dict(zip((prefix + name for name in names), values, strict=True)), tmp_path / "m")
        model.set_weights([np.zeros(w.shape) for w in model.weights])
        model.load_weights(tmp_path / "m", "keras")
        for found, value in zip(model.get_weights(), values, strict=True):
            np.testing.assert_array_equal(found, value)
    nested = Sequential([Dense(2, input_shape=(4,)), Sequential([Dense(2), Dense(5)]), Dense(2)])
    names = ["dense_3", "sequential/dense_4", "sequential/dense_5", "dense_6"]
    names = [f"sequential_1/{name}/{part}" for name in names for part in ("kernel", "bias")]
    values = [numbers(*w.shape, phase=k) for k, w in enumerate(nested.weights)]
    save_file(dict(zip(names, values, strict=True)), tmp_path / "m")
    nested.load_weights(tmp_path / "m", "keras")
    for found, value in zip(nested.get_weights(), values, strict=True):
        np.testing.assert_array_equal(found, value)
    save_file({"enc/dense_1/kernel": numbers(2, 3), "enc/dense_1/bias": numbers(3)}, tmp_path / "m")
    one = Sequential([Dense(3, input_shape=(2,), name="first")])
    one.load_weights(tmp_path / "m", from_keras({"enc/dense_1": "first"}))
    np.testing.assert_array_equal(one.get_weights()[0], numbers(2, 3))
