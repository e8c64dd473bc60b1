"""Damaged files of every kind: nothing but Backlight's exceptions, in bounded memory and time."""

from __future__ import annotations

import gzip
import json
import time

import numpy as np
import pytest
from bounded import bounded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight.data import (
    BytePairTokenizer,
    CharacterTokenizer,
    WordTokenizer,
    load_tokenizer,
    read_csv,
    read_idx,
    read_wav,
    write_idx,
    write_wav,
)
from backlight.errors import DataError

MEMORY = 16 << 20
TEXT = "the cat sat on the mat"


def csv_seed(path):
    path.write_text('a,b,"c"\n1,2.5,"x, y"\n,nan,"line\nbreak"\n3,-1e9,\n', "utf-8")


SEEDS = {
    "idx": (lambda path: write_idx(path, np.arange(12, dtype=np.int16).reshape(3, 4)), read_idx),
    "csv": (csv_seed, read_csv),
    "wav": (lambda path: write_wav(path, np.linspace(-1, 1, 30).reshape(15, 2), 8000), read_wav),
    "character": (CharacterTokenizer.train(TEXT).save, load_tokenizer),
    "word": (WordTokenizer.train(TEXT).save, load_tokenizer),
    "byte_pair": (BytePairTokenizer.train(TEXT, 265).save, load_tokenizer),
}

NASTY = [b"\xff" * 4, b"\0" * 4, b'"', b"\n", b"[", b"9" * 8]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "delete", "repeat"]),
        st.integers(0, 10_000),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(NASTY)),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


def edited(data, edits):
    for what, place, extra in edits:
        k = place % (len(data) + 1)
        if what == "flip":
            data = data[:k] + extra + data[k + len(extra) :]
        elif what == "cut":
            data = data[:k]
        elif what == "insert":
            data = data[:k] + extra + data[k:]
        elif what == "delete":
            data = data[:k] + data[k + len(extra) :]
        else:
            data = data[:k] + data[max(k - 20, 0) : k] * 5 + data[k:]
    return data


def refuses_or_reads(read, path):
    """Runs a reader; every other exception, too much memory or time is a failure."""
    said = path.name
    with bounded(MEMORY):
        try:
            read(path)
        except DataError as error:
            said = str(error)
    assert path.name in said


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", SEEDS)
def test_edited_files(kind, packed, tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "file.bin"
    make, read = SEEDS[kind]
    make(path)
    good = path.read_bytes()

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(EDITS, st.booleans())
    def check(edits, inside):
        if not packed:
            path.write_bytes(edited(good, edits))
        elif inside:
            path.write_bytes(gzip.compress(edited(good, edits), 1))
        else:
            path.write_bytes(edited(gzip.compress(good, 1), edits))
        refuses_or_reads(read, path)

    check()


@pytest.mark.parametrize("kind", SEEDS)
def test_every_prefix(kind, tmp_path):
    path = tmp_path / "file.bin"
    make, read = SEEDS[kind]
    make(path)
    good = path.read_bytes()
    for k in range(len(good)):
        path.write_bytes(good[:k])
        refuses_or_reads(read, path)


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize("data", [b"\0" * (100 << 20), b"[" * (10 << 20), b"1," * (5 << 20)], ids=["0", "[", "1,"])
def test_bombs(kind, data, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(gzip.compress(data, 1))
    if kind in ("character", "word", "byte_pair") and data[:1] != b"\0":
        return  # below the bound of these files, so it is held once in memory
    start = time.process_time()
    with pytest.raises(DataError):
        SEEDS[kind][1](path)
    assert time.process_time() - start < 10


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(data)
    for _, read in SEEDS.values():
        refuses_or_reads(read, path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["character", "word", "byte_pair"]), JSON, JSON, JSON)
@settings(max_examples=100, deadline=None)
def test_any_json(tmp_path_factory, kind, characters, words, merges):
    path = tmp_path_factory.getbasetemp() / "any.json"
    content = {"format": "backlight tokenizer", "version": 1, "kind": kind, "lower": True}
    path.write_text(json.dumps(content | {"characters": characters, "words": words, "merges": merges}))
    refuses_or_reads(load_tokenizer, path)
