"""From text to numbers and back: characters, words, and pairs of bytes.

All tokenisers have ``vocabulary_size``, ``encode(text)``, ``decode(numbers)`` and ``save(path)``; ``load_tokenizer``
reads any of them. The files are JSON, described in ``save``; whatever is malformed raises ``DataError``.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from backlight.data.files import read_small, replaced
from backlight.data.pairs import PIECE, apply_merges, learn_merges, token_bytes
from backlight.errors import ArgumentError, DataError, RangeError, message
from backlight.refusal import describe

__all__ = ["BytePairTokenizer", "CharacterTokenizer", "WordTokenizer", "load_tokenizer"]

FORMAT, VERSION = "backlight tokenizer", 1
MOST = 16 << 20  # bytes of a tokeniser's file, unpacked: a million words
PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class _Tokenizer:
    """What the three share: a kind, content that goes to a file and comes from it."""

    kind = ""

    def _content(self) -> dict[str, Any]:
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokeniser as JSON: ``format``, ``version``, ``kind``, and what this kind needs.

        ``character``: ``characters``, a list of code points. ``word``: ``words``, a list of strings, and ``lower``.
        ``byte_pair``: ``merges``, a list of pairs, the k-th of which makes token 256 + k.
        """
        content = {"format": FORMAT, "version": VERSION, "kind": self.kind, **self._content()}
        with replaced(Path(path)) as file:
            # Letter by letter rather than with \\u escapes, which would join two halves of a letter that stood apart.
            file.write(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))


class CharacterTokenizer(_Tokenizer):
    """Every character is a token; number k is the k-th of the characters in the order of Unicode.

    >>> tokenizer = CharacterTokenizer.train("hello")
    >>> tokenizer.encode("hole"), tokenizer.decode([1, 0, 2, 3])
    ([1, 3, 2, 0], 'helo')

    ``encode`` raises ``RangeError`` for a character that was not in the text it was trained on, ``decode`` for a number
    that is no token.
    """

    kind = "character"

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = [_text(character) for character in characters]
        self._numbers = {character: number for number, character in enumerate(self.characters)}
        if len(self._numbers) < len(self.characters) or any(len(character) != 1 for character in self.characters):
            raise ArgumentError(message("tokens_twice"))

    @classmethod
    def train(cls, text: str) -> CharacterTokenizer:
        """The tokeniser for all characters of ``text``."""
        return cls(sorted(set(_text(text))))

    @property
    def vocabulary_size(self) -> int:
        """How many different tokens there are."""
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """The numbers of the characters of ``text``."""
        try:
            return [self._numbers[character] for character in _text(text)]
        except KeyError as error:
            raise RangeError(message("tokens_unknown", came=repr(error.args[0]))) from None

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of these numbers."""
        return "".join(self.characters[number] for number in _checked(numbers, len(self.characters)))

    def _content(self) -> dict[str, Any]:
        return {"characters": [ord(character) for character in self.characters]}

    @classmethod
    def _from(cls, content: dict[str, Any]) -> CharacterTokenizer:
        return cls(chr(_whole(point, 0x110000)) for point in _list(content, "characters"))


class WordTokenizer(_Tokenizer):
    """Words between blanks, in small letters without ASCII punctuation, as Keras's ``TextVectorization`` has them.

    Token 0 stands for padding, 1 for every word not known; then the words follow, the most frequent first, equally
    frequent ones by alphabet. ``max_tokens`` bounds the vocabulary, both of these included. ``decode`` joins words with
    blanks, leaves out padding and writes ``[UNK]`` for what was not known.

    >>> tokenizer = WordTokenizer.train(["The cat sat.", "The dog!"])
    >>> tokenizer.encode("the bird sat"), tokenizer.decode([2, 4, 0])
    ([2, 1, 5], 'the dog')
    """

    kind = "word"

    def __init__(self, words: Iterable[str], lower: bool = True) -> None:
        self.words = ["", "[UNK]", *(_text(word) for word in words)]
        self.lower = lower
        self._numbers = {word: number for number, word in enumerate(self.words)}
        if len(self._numbers) < len(self.words):
            raise ArgumentError(message("tokens_twice"))

    @classmethod
    def train(cls, texts: str | Iterable[str], max_tokens: int | None = None, lower: bool = True) -> WordTokenizer:
        """The tokeniser for the words of ``texts``, or the ``max_tokens - 2`` most frequent of them."""
        if max_tokens is not None and max_tokens < 2:
            raise ArgumentError(message("tokens_size", least=2, came=max_tokens))
        counts: Counter[str] = Counter()
        for text in _texts(texts):
            counts.update(_split(text, lower))
        counts.pop("[UNK]", None)  # possible only with lower=False; it is token 1 already
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ordered if max_tokens is None else ordered[: max_tokens - 2], lower)

    @property
    def vocabulary_size(self) -> int:
        """How many different tokens there are, padding and unknown included."""
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """The numbers of the words of ``text``, 1 for those not known."""
        return [self._numbers.get(word, 1) for word in _split(text, self.lower)]

    def decode(self, numbers: Iterable[int]) -> str:
        """The words of these numbers with blanks between them, without padding."""
        return " ".join(self.words[number] for number in _checked(numbers, len(self.words)) if number)

    def _content(self) -> dict[str, Any]:
        return {"words": self.words[2:], "lower": self.lower}

    @classmethod
    def _from(cls, content: dict[str, Any]) -> WordTokenizer:
        words = _list(content, "words")
        if not all(isinstance(word, str) for word in words) or not isinstance(content.get("lower"), bool):
            raise ValueError("words, lower")
        return cls(words, content["lower"])


class BytePairTokenizer(_Tokenizer):
    """The bytes of UTF-8, of which the most frequent neighbours were joined again and again.

    R. Sennrich, B. Haddow, A. Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016; bytes as in
    A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. Tokens 0 … 255 are bytes, 256 + k is
    the k-th pair. Pairs never reach from one word into the next, so text is cut into words first, each with the
    blank before it.

    Every text can be encoded, and ``decode(encode(text)) == text``; numbers that are not the encoding of a text may
    decode to the replacement character.

    >>> tokenizer = BytePairTokenizer.train("low lower lowest", vocabulary_size=259)
    >>> tokenizer.encode("lower"), tokenizer.decode(tokenizer.encode("慢 slow"))
    ([257, 101, 114], '慢 slow')
    """

    kind = "byte_pair"

    def __init__(self, merges: Iterable[tuple[int, int]]) -> None:
        self.merges = [(int(left), int(right)) for left, right in merges]
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        if len(self._ranks) < len(self.merges):
            raise ArgumentError(message("tokens_twice"))
        try:
            self._bytes = token_bytes(self.merges)
        except ValueError as error:
            raise ArgumentError(message("tokens_merges", reason=error)) from None
        self._known: dict[str, list[int]] = {}

    @classmethod
    def train(cls, text: str | Iterable[str], vocabulary_size: int = 1000) -> BytePairTokenizer:
        """The tokeniser that shortens ``text`` most greedily; fewer tokens where no pair occurs twice any more."""
        if vocabulary_size < 256:
            raise ArgumentError(message("tokens_size", least=256, came=vocabulary_size))
        counts: Counter[bytes] = Counter()
        for part in _texts(text):
            for piece, count in Counter(PIECE.findall(part)).items():
                counts[piece.encode("utf-8", "surrogatepass")] += count
        return cls(learn_merges(counts, vocabulary_size - 256))

    @property
    def vocabulary_size(self) -> int:
        """How many different tokens there are, the 256 bytes included."""
        return 256 + len(self.merges)

    def encode(self, text: str) -> list[int]:
        """The numbers of the tokens of ``text``: in every word, the pair learnt first is joined first."""
        found: list[int] = []
        for piece in PIECE.findall(_text(text)):
            numbers = self._known.get(piece)
            if numbers is None:
                numbers = apply_merges(list(piece.encode("utf-8", "surrogatepass")), self._ranks)
                if len(self._known) < 1 << 16:
                    self._known[piece] = numbers
            found += numbers
        return found

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of these numbers."""
        data = b"".join(self._bytes[number] for number in _checked(numbers, len(self._bytes)))
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def _content(self) -> dict[str, Any]:
        return {"merges": self.merges}

    @classmethod
    def _from(cls, content: dict[str, Any]) -> BytePairTokenizer:
        merges = []
        for rank, pair in enumerate(_list(content, "merges")):
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError(f"merges[{rank}]")
            merges.append((_whole(pair[0], 256 + rank), _whole(pair[1], 256 + rank)))
        return cls(merges)


Tokenizer = CharacterTokenizer | WordTokenizer | BytePairTokenizer

_READERS: dict[str, Callable[[dict[str, Any]], Tokenizer]] = {
    "character": CharacterTokenizer._from,
    "word": WordTokenizer._from,
    "byte_pair": BytePairTokenizer._from,
}


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """The tokeniser in a file that ``save`` wrote.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     CharacterTokenizer.train("abc").save(Path(folder) / "letters.json")
    ...     load_tokenizer(Path(folder) / "letters.json").encode("cab")
    [2, 0, 1]

    Raises ``DataError`` for a file that is missing, too large, damaged or something else.
    """
    path = Path(path)
    try:
        content = json.loads(read_small(path, MOST).decode("utf-8", "surrogatepass"))
        if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
            raise ValueError(f'"format": "{FORMAT}", "version": {VERSION}')
        kind = content.get("kind")
        if not isinstance(kind, str) or kind not in _READERS:
            raise ValueError(f"kind: {kind!r:.40}")
        return _READERS[kind](content)
    except DataError:
        raise
    except (ValueError, RecursionError) as error:  # what JSON, the readers and the constructors object to
        raise DataError(message("tokens_file", file=path, reason=str(error)[:200])) from None


def _list(content: dict[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    if not isinstance(found, list):
        raise ValueError(name)
    return found


def _whole(value: Any, end: int) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError(f"{value!r:.40}, 0 … {end - 1}")
    return value


def _checked(numbers: Iterable[int], size: int) -> list[int]:
    try:
        array = np.asarray(numbers if isinstance(numbers, np.ndarray) else list(numbers))
    except (TypeError, ValueError):
        raise ArgumentError(message("tokens_numbers", came=describe(numbers))) from None
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(message("tokens_numbers", came=describe(array)))
    wrong = (array < 0) | (array >= size)
    if wrong.any():
        raise RangeError(message("tokens_range", came=int(array[wrong][0]), size=size))
    return [int(number) for number in array]


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise ArgumentError(message("tokens_text", came=type(text).__name__))
    return text


def _texts(texts: Any) -> Iterable[str]:
    """One text, or every one of several."""
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ArgumentError(message("tokens_text", came=type(texts).__name__))
    return (_text(text) for text in texts)


def _split(text: str, lower: bool) -> list[str]:
    text = _text(text)
    return PUNCTUATION.sub("", text.lower() if lower else text).split()
