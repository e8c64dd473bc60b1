"""Tokenisers: round trips on any text, pairs worked out by hand, files that are refused."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import names_all, said

from backlight.data import BytePairTokenizer, CharacterTokenizer, WordTokenizer, load_tokenizer
from backlight.data.pairs import PIECE
from backlight.errors import ArgumentError, DataError, RangeError

ANY = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
TRAINED = BytePairTokenizer.train("the cat sat on the mat, the cat; 猫 猫 猫 naïve naïve\n\n  the end " * 3, 300)
KINDS = {
    "character": CharacterTokenizer.train("abc 猫\ud800\udc00é"),
    "word": WordTokenizer.train(["The cat, the DOG", "the bird 猫 \ud800\udc00"]),
    "byte_pair": TRAINED,
}


@given(ANY)
@settings(max_examples=300, deadline=None)
def test_byte_pairs_give_every_text_back(text):
    assert "".join(PIECE.findall(text)) == text
    numbers = TRAINED.encode(text)
    assert TRAINED.decode(numbers) == text
    assert all(0 <= number < TRAINED.vocabulary_size for number in numbers)


@given(ANY)
@settings(max_examples=100, deadline=None)
def test_characters_give_their_own_text_back(text):
    tokenizer = CharacterTokenizer.train(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.vocabulary_size == len(set(text))


def naive_merges(words, most):
    """Counts everything again before every merge."""
    words = {tuple(word.encode()): count for word, count in words.items()}
    merges = []
    for made in range(256, 256 + most):
        counts = {}
        for word, count in words.items():
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + count
        if not counts or max(counts.values()) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        after = {}
        for word, count in words.items():
            joined, k = [], 0
            while k < len(word):
                if word[k : k + 2] == best:
                    joined.append(made)
                    k += 2
                else:
                    joined.append(word[k])
                    k += 1
            after[tuple(joined)] = after.get(tuple(joined), 0) + count
        words = after
    return merges


@given(st.text("ab c", max_size=80))
@settings(max_examples=200, deadline=None)
def test_training_is_counting_again_and_again(text):
    words: dict[str, int] = {}
    for piece in PIECE.findall(text):
        words[piece] = words.get(piece, 0) + 1
    assert BytePairTokenizer.train(text, 276).merges == naive_merges(words, 20)


def test_a_merge_by_hand():
    # aaab occurs twice: (a, a) four times, then (aa, a) and (a, b) twice each, of which (97, 98) is smaller.
    tokenizer = BytePairTokenizer.train("aaab aaab", 258)
    assert tokenizer.merges == [(97, 97), (97, 98)]
    assert tokenizer.encode("aaab") == [256, 257]
    assert tokenizer.decode([256, 257, 98]) == "aaabb"


def test_words_by_hand():
    tokenizer = WordTokenizer.train(["B a b!", "a C."])
    assert tokenizer.words == ["", "[UNK]", "a", "b", "c"]
    assert tokenizer.encode("c x A") == [4, 1, 2]
    assert tokenizer.decode([4, 1, 2, 0, 0]) == "c [UNK] a"
    assert WordTokenizer.train("a a b", max_tokens=3).words == ["", "[UNK]", "a"]
    assert WordTokenizer.train("A a", lower=False).encode("a A") == [3, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_same_tokenizer(tmp_path, kind):
    tokenizer = KINDS[kind]
    tokenizer.save(tmp_path / "a.json")
    found = load_tokenizer(tmp_path / "a.json")
    assert type(found) is type(tokenizer)
    assert vars(found) | {"_known": 0} == vars(tokenizer) | {"_known": 0}
    assert json.loads((tmp_path / "a.json").read_bytes().decode("utf-8", "surrogatepass"))["kind"] == kind
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_long_words_take_no_quadratic_time():
    tokenizer = BytePairTokenizer.train("ab" * 50_000, 270)
    start = time.process_time()
    assert tokenizer.decode(tokenizer.encode("ab" * 50_000)) == "ab" * 50_000
    assert time.process_time() - start < 5


def test_words_that_no_language_has_are_cut():
    letters = np.random.default_rng(0).choice(list("abcdef"), 30_000)
    text = "".join(letters)
    start = time.process_time()
    tokenizer = BytePairTokenizer.train(text, 1256)
    assert tokenizer.decode(tokenizer.encode(text[::-1])) == text[::-1]
    assert time.process_time() - start < 8  # as one word of that length it took two minutes


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", [CharacterTokenizer, WordTokenizer, BytePairTokenizer])
@pytest.mark.parametrize("text", [b"bytes", None, 3, [1]], ids=["bytes", "none", "number", "numbers"])
def test_what_is_no_text_is_refused_in_words(kind, text, lang, monkeypatch):
    trained = KINDS[kind.kind]
    came = "int" if text == [1] and kind is not CharacterTokenizer else type(text).__name__
    names_all(said(lambda: kind.train(text), ArgumentError, lang, monkeypatch), (came, "data.decode()"), lang)
    names_all(said(lambda: trained.encode(text), ArgumentError, lang, monkeypatch), (type(text).__name__,), lang)
    if isinstance(text, int | None):
        names_all(said(lambda: trained.decode(text), ArgumentError, lang, monkeypatch), (), lang)
    names_all(said(lambda: trained.decode([1, [1, 2]]), ArgumentError, lang, monkeypatch), ("list",), lang)


HEAD = {"format": "backlight tokenizer", "version": 1}
BOMB = {"merges": [[97, 97]] + [[256 + k, 256 + k] for k in range(40)]}
BAD = [
    b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"1" * 10_000,
    *(json.dumps(HEAD | extra).encode() for extra in (
        {}, {"kind": 3}, {"kind": ["word"]}, {"kind": "other"}, {"kind": "word", "version": 2},
        {"kind": "character"}, {"kind": "character", "characters": "abc"}, {"kind": "character", "characters": [1, 1]},
        {"kind": "character", "characters": [-1]}, {"kind": "character", "characters": [0x110000]},
        {"kind": "character", "characters": [True]}, {"kind": "character", "characters": [1.0]},
        {"kind": "word", "words": ["a", "a"], "lower": True}, {"kind": "word", "words": [1], "lower": True},
        {"kind": "word", "words": ["a"], "lower": 1}, {"kind": "word", "words": ["[UNK]"], "lower": True},
        {"kind": "byte_pair", "merges": [[97]]}, {"kind": "byte_pair", "merges": [[97, 256]]},
        {"kind": "byte_pair", "merges": [[97, -1]]}, {"kind": "byte_pair", "merges": [[97, 98], [97, 98]]},
        {"kind": "byte_pair", "merges": [["a", "b"]]}, {"kind": "byte_pair", "merges": {}},
        {"kind": "byte_pair"} | BOMB,
    )),
]  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_damaged_files_are_refused(tmp_path, content, lang, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json"):
        load_tokenizer(tmp_path / "a.json")


def test_unknown_characters_and_numbers():
    letters = KINDS["character"]
    with pytest.raises(RangeError, match="'x'"):
        letters.encode("x")
    for tokenizer in KINDS.values():
        for wrong in (-1, tokenizer.vocabulary_size):
            with pytest.raises(RangeError):
                tokenizer.decode([0, wrong])
        with pytest.raises(ArgumentError):
            tokenizer.decode([0.5])
        assert tokenizer.decode([]) == ""
        assert tokenizer.decode(np.array([2], np.int32))
    assert TRAINED.decode([0xFF]) == "\ufffd"
    for call in (
        lambda: BytePairTokenizer.train("a", 255),
        lambda: WordTokenizer.train("a", 1),
        lambda: CharacterTokenizer(["a", "a"]),
        lambda: BytePairTokenizer([(0, 300)]),
    ):
        with pytest.raises(ArgumentError):
            call()
