"""Published data sets, with the shapes and dtypes of Keras's ``load_data``; ``backlight.data.fetch`` says from where.

>>> from backlight.data import digits
>>> (x_train, y_train), (x_test, y_test) = digits.load_data()
>>> x_train.shape, x_train.dtype, y_test.shape
((1347, 8, 8), dtype('uint8'), (450,))
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backlight.data.fetch import Published, find
from backlight.data.files import opened, read_small
from backlight.data.idx import read_idx
from backlight.data.images import Images
from backlight.errors import ArgumentError, DataError, message

__all__ = ["CifarSet", "LineSet", "MnistSet", "TextSet", "cifar10", "fashion_mnist", "mnist", "names", "shakespeare"]

Array = np.ndarray[Any, np.dtype[Any]]
Split = tuple[tuple[Array, Array], tuple[Array, Array]]

PARTS = ("train", "test")


class MnistSet(NamedTuple):
    """70,000 pictures of 28 × 28 pixels in ten classes, in four IDX files.

    MNIST: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits" (CC BY-SA 3.0). Fashion-MNIST:
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017 (MIT). Both with 60,000 pictures to learn from and 10,000 to
    be examined on.

    >>> mnist("validation")
    Traceback (most recent call last):
    backlight.errors.ArgumentError: ...
    """

    title: str
    folder: str
    files: tuple[Published, ...]  # images and labels to learn from, images and labels to be examined on

    def load_data(self) -> Split:
        """``(x_train, y_train), (x_test, y_test)``: uint8 ``(n, 28, 28)`` from 0 to 255, uint8 ``(n,)`` from 0 to 9.

        Raises ``DataError`` that names the files that are missing, or says what is wrong with one of them.
        """
        paths = find(self.title, self.folder, self.files)
        return self._read(*paths[:2]), self._read(*paths[2:])

    def __call__(self, split: str = "train") -> Images:
        """The ``"train"`` or the ``"test"`` part: images ``(n, 28, 28)`` float32 from 0 to 1, labels int64.

        Raises like ``load_data``, and ``ArgumentError`` for another part.
        """
        if split not in PARTS:
            raise ArgumentError(message("data_split", title=self.title, came=repr(split)))
        first = 2 * PARTS.index(split)
        images, labels = self._read(*find(self.title, self.folder, self.files)[first : first + 2])
        return Images(images / np.float32(255), labels.astype(np.int64))

    def _read(self, image_file: Path, label_file: Path) -> tuple[Array, Array]:
        images, labels = read_idx(image_file), read_idx(label_file)
        if images.shape[1:] != (28, 28) or images.dtype != np.uint8:
            raise self._content(image_file, "uint8 (n, 28, 28)", images)
        if labels.shape != images.shape[:1] or labels.dtype != np.uint8 or (labels.size and labels.max() > 9):
            raise self._content(label_file, f"uint8 ({len(images)},), 0 … 9", labels)
        return images, labels

    def _content(self, file: Path, expected: str, came: Array) -> DataError:
        largest = f", … {came.max()}" if came.size else ""
        kind = f"{came.dtype} {came.shape}{largest}"
        return DataError(message("data_content", title=self.title, file=file, expected=expected, came=kind))


class CifarSet(NamedTuple):
    """CIFAR-10: 60,000 colour pictures of 32 × 32 pixels in ten classes (A. Krizhevsky 2009), the binary version.

    Its records are plain bytes: a label, then 1,024 pixels each of red, green and blue. The version for Python is
    pickled, and so could run anything.
    """

    title: str
    folder: str
    files: tuple[Published, ...]

    def load_data(self) -> Split:
        """``(x_train, y_train), (x_test, y_test)``: uint8 ``(n, 32, 32, 3)`` from 0 to 255, uint8 ``(n, 1)``.

        Raises ``DataError`` that names the file that is missing, or says what is wrong with it.
        """
        (path,) = find(self.title, self.folder, self.files)
        parts = _cifar_records(path, self.title)
        train = np.concatenate([parts[f"data_batch_{k}.bin"] for k in range(1, 6)])
        return _pictures(train), _pictures(parts["test_batch.bin"])


_CIFAR_NAMES = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")
_CIFAR_RECORD = 1 + 3 * 32 * 32
_CIFAR_LARGEST = 10_000 * _CIFAR_RECORD  # bytes of one file, as published
_CIFAR_MOST = 200 << 20  # bytes unpacked; the published archive has 184,380,000 and its headers


def _cifar_records(path: Path, title: str) -> dict[str, Array]:
    """The six files of the archive as ``(n, 3073)``, of 10,000 records or fewer."""
    found: dict[str, Array] = {}
    try:
        with opened(path, _CIFAR_MOST) as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name not in _CIFAR_NAMES or not member.isfile():
                    continue
                # A sparse file announces bytes that are not there; twice the same name could go on for ever.
                plain = 0 < member.size <= _CIFAR_LARGEST and member.size % _CIFAR_RECORD == 0 and not member.issparse()
                content = archive.extractfile(member) if plain and name not in found else None
                data = content.read() if content else b""
                if not data or len(data) != member.size:
                    raise DataError(_cifar_wrong(path, title, f"{name}: {member.size}"))
                found[name] = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD)
            while file.read(1 << 20):  # to the end, where the checksum of all that was unpacked stands
                pass
    except (tarfile.TarError, EOFError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(_cifar_wrong(path, title, error)) from None
    missing = [name for name in _CIFAR_NAMES if name not in found]
    if missing or any(len(part) and part[:, 0].max() > 9 for part in found.values()):
        raise DataError(_cifar_wrong(path, title, ", ".join(missing) or "> 9"))
    return found


def _cifar_wrong(path: Path, title: str, came: object) -> str:
    expected = f"{', '.join(_CIFAR_NAMES)}: n × {_CIFAR_RECORD}, 0 … 9"
    return message("data_content", title=title, file=path, expected=expected, came=came)


def _pictures(records: Array) -> tuple[Array, Array]:
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, :1].copy()


class TextSet(NamedTuple):
    """One text: tiny Shakespeare, 1,115,394 characters of 65 kinds (A. Karpathy 2015; public domain)."""

    title: str
    folder: str
    files: tuple[Published, ...]

    def load_data(self) -> str:
        """The text as one string.

        Raises ``DataError`` that names the file that is missing, or says what is wrong with it.
        """
        (path,) = find(self.title, self.folder, self.files)
        try:
            return read_small(path, 64 << 20).decode("utf-8")
        except UnicodeDecodeError as error:
            expected = "UTF-8"
            raise DataError(
                message("data_content", title=self.title, file=path, expected=expected, came=error)
            ) from None


class LineSet(NamedTuple):
    """One word a line: 32,033 given names (A. Karpathy 2022; MIT)."""

    title: str
    folder: str
    files: tuple[Published, ...]

    def load_data(self) -> list[str]:
        """The lines that are not empty, in the order of the file.

        Raises ``DataError`` that names the file that is missing, or says what is wrong with it.
        """
        text = TextSet(self.title, self.folder, self.files).load_data()
        return [line.strip() for line in io.StringIO(text) if line.strip()]


def _mnist_files(rows: tuple[tuple[str, int, str], ...], *bases: str) -> tuple[Published, ...]:
    return tuple(Published(name, size, digest, tuple(base + name for base in bases)) for name, size, digest in rows)


mnist = MnistSet(
    "MNIST",
    "mnist",
    _mnist_files(
        (
            (
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            ("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            ("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

fashion_mnist = MnistSet(
    "Fashion-MNIST",
    "fashion_mnist",
    _mnist_files(
        (
            (
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            ("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ("t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
)

cifar10 = CifarSet(
    "CIFAR-10",
    "cifar10",
    (
        Published(
            "cifar-10-binary.tar.gz",
            170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
        ),
    ),
)

shakespeare = TextSet(
    "tiny Shakespeare",
    "tinyshakespeare",
    (
        Published(
            "input.txt",
            1115394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        ),
    ),
)

names = LineSet(
    "names",
    "names",
    (
        Published(
            "names.txt",
            228145,
            "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
            ("https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",),
        ),
    ),
)
