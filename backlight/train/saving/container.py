"""Safetensors files: written whole or not at all, and read only after everything has been checked.

The library writes; before it (or anything here) reads, the header is checked against the size of the file, so that
nothing is allocated that the file does not hold. Files of Backlight's own carry a digest: BLAKE2b, 32 bytes, over the
whole file with the 64 digits of the digest itself as zeros.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from backlight.data.files import replaced
from backlight.errors import BacklightError, StateError, message
from backlight.nn.losses.common import here
from backlight.train.saving.plain import Malformed, parsed

__all__ = ["FORMATS", "Stored", "Tensor", "bad", "previous_of", "reason_of", "stored", "write"]

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
    "BF16": "uint16",  # the upper half of a float32, made one when it is read
}
"""The kinds of numbers in a safetensors file, and how NumPy holds their bytes."""

WRITABLE = frozenset(DTYPES.values())
FORMATS = ("backlight.state", "backlight.weights")
LONGEST_HEADER = 1 << 25
MOST_AXES = 64
NO_DIGEST = "0" * 64
BLOCK = 1 << 20

OTHERS = {b"PK\x03\x04": "state_zip", b"\x89HDF\r\n\x1a\n": "state_hdf5", b"\x80": "state_pickle"}
"""Files that people have instead: how they begin, and what to do with them."""


class Tensor(NamedTuple):
    """What a header says of one array: its kind, its shape, and where its bytes are."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Stored(NamedTuple):
    """A checked file: what its header says, and its arrays."""

    path: Path
    metadata: dict[str, str]
    tensors: dict[str, Tensor]
    arrays: dict[str, np.ndarray[Any, Any]]


def bad(path: Any, place: str, problem: str) -> StateError:
    """The error that something is wrong at a ``place`` in the file."""
    return StateError(message("state_bad", here(), file=path, place=place, problem=problem))


def reason_of(error: BaseException) -> str:
    """What an error says, without the user's line, which ours will tell."""
    kind = "" if isinstance(error, BacklightError | Malformed) else f"{type(error).__name__}: "
    return kind + str(error).removeprefix(f"{here()}\n")


def previous_of(path: Path) -> Path:
    """Where the file is kept that a save has replaced."""
    return path.with_name(path.name + ".previous")


# -- Writing ---------------------------------------------------------------------------------------------------------


def write(path: Any, tensors: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str]) -> None:
    """Put a file with these arrays in the place of ``path``; the one that was there is kept beside it.

    Raises ``StateError`` where the file cannot be written, or an array has numbers that such a file cannot hold.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    target = Path(path)
    for name, array in tensors.items():
        if array.dtype.name not in WRITABLE:
            raise StateError(message("state_dtype", here(), name=name, came=array.dtype, names=", ".join(WRITABLE)))
    rows = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    try:
        content = memoryview(save(rows, {**metadata, "digest": NO_DIGEST}))
        length = int.from_bytes(content[:8], "little")
        at = 8 + _place_of_digest(bytes(content[8 : 8 + length]), NO_DIGEST)
        with replaced(target, keep=previous_of(target)) as file:
            for part in (content[:at], _digest(content, at).encode(), content[at + len(NO_DIGEST) :]):
                file.write(part)
    except (OSError, SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise StateError(message("state_unwritable", here(), file=target, reason=reason)) from None


def _place_of_digest(header: bytes, digest: str) -> int:
    """Where the digits of the digest stand in a header; -1 unless exactly once."""
    entry = f'"digest":"{digest}"'.encode()
    return header.find(entry) + 10 if header.count(entry) == 1 else -1


def _digest(content: memoryview, at: int) -> str:
    """The digest of a file in which the digits of the digest stand at ``at``."""
    found = blake2b(digest_size=len(NO_DIGEST) // 2)
    for part in (content[:at], NO_DIGEST.encode(), content[at + len(NO_DIGEST) :]):
        found.update(part)
    return found.hexdigest()


# -- Reading ---------------------------------------------------------------------------------------------------------


def stored(path: Any) -> Stored:
    """What is in a file, once all of it has been checked.

    Raises ``StateError`` for a file that is missing, is something else, is damaged or does not say what it holds.
    """
    place = Path(path)
    try:
        return _stored(place)
    except StateError as error:
        before = previous_of(place)
        if before.is_file():
            error.add_note(message("state_previous", file=before))
        raise


def _stored(path: Path) -> Stored:
    if not path.is_file():
        raise StateError(message("state_missing", here(), file=path))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            _check_kind(path, file, size)
            header, start = _header(path, file, size)
            metadata, tensors = _entries(path, header, size - start)
            if metadata.get("format") in FORMATS:
                _check_digest(path, file, header, metadata.get("digest", ""))
            _check_with_library(path)
            arrays = {name: _array(path, file, start, name, each) for name, each in tensors.items()}
    except (OSError, MemoryError) as error:
        raise bad(path, message("state_file"), str(error) or type(error).__name__) from None
    return Stored(path, metadata, tensors, arrays)


def _check_kind(path: Path, file: IO[bytes], size: int) -> None:
    head = file.read(8)
    for start, words in OTHERS.items():
        if head.startswith(start) and not _plausible(head, size):
            raise StateError(message("state_other", here(), file=path, problem=message(words)))


def _plausible(head: bytes, size: int) -> bool:
    """Whether the first bytes can be the length of a header in a file of this size."""
    return len(head) == 8 and 8 + int.from_bytes(head, "little") <= size


def _header(path: Path, file: IO[bytes], size: int) -> tuple[bytes, int]:
    """The text of the header, and where the arrays begin."""
    file.seek(0)
    head = file.read(8)
    if not _plausible(head, size):
        length = int.from_bytes(head, "little") if len(head) == 8 else "?"
        raise bad(path, message("state_length"), message("state_short", length=length, size=size))
    length = int.from_bytes(head, "little")
    if length > LONGEST_HEADER:
        raise bad(path, message("state_length"), message("state_long", length=length, most=LONGEST_HEADER))
    return file.read(length), 8 + length


def _entries(path: Path, header: bytes, size: int) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and arrays that a header names, checked against the ``size`` of what follows it."""
    try:
        found = parsed(header.decode())
    except (UnicodeDecodeError, Malformed) as error:
        raise bad(path, message("state_header"), str(error)) from None
    if not isinstance(found, dict):
        raise bad(path, message("state_header"), message("state_no_object"))
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(each, str) for each in metadata.values()):
        raise bad(path, "__metadata__", message("state_no_strings"))
    tensors = {name: _tensor(path, name, each, size) for name, each in found.items()}
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at:
            raise bad(path, name, message("state_gap", begin=tensor.begin, at=at))
        at = tensor.end
    if at != size:
        raise bad(path, message("state_data"), message("state_rest", size=size, at=at))
    return metadata, tensors


def _tensor(path: Path, name: str, entry: Any, size: int) -> Tensor:
    place = name[:200]
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise bad(path, place, message("state_entry"))
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise bad(path, place, message("state_kind", came=str(dtype)[:40], names=", ".join(DTYPES)))
    if not _lengths(shape) or len(shape) > MOST_AXES:
        raise bad(path, place, message("state_shape", came=str(shape)[:80]))
    if not _lengths(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= size:
        raise bad(path, place, message("state_offsets", came=str(offsets)[:80], size=size))
    item = np.dtype(DTYPES[dtype]).itemsize
    if math.prod(shape) * item != offsets[1] - offsets[0] or math.prod(n or 1 for n in shape) * item >= 1 << 63:
        facts = {"dtype": dtype, "shape": tuple(shape), "came": offsets[1] - offsets[0]}
        raise bad(path, place, message("state_bytes", **facts))
    return Tensor(dtype, tuple(shape), *offsets)


def _lengths(given: Any) -> bool:
    return isinstance(given, list) and all(type(n) is int and n >= 0 for n in given)


def _check_digest(path: Path, file: IO[bytes], header: bytes, digest: str) -> None:
    at = _place_of_digest(header, digest) if len(digest) == len(NO_DIGEST) else -1
    if at < 0:
        raise bad(path, "__metadata__.digest", message("state_no_digest"))
    found = _digest_of_file(file, 8 + at)
    if found != digest:
        raise bad(path, message("state_file"), message("state_digest", expected=digest[:16], came=found[:16]))


def _digest_of_file(file: IO[bytes], at: int) -> str:
    file.seek(0)
    found = blake2b(digest_size=len(NO_DIGEST) // 2)
    found.update(file.read(at))
    found.update(NO_DIGEST.encode())
    file.seek(at + len(NO_DIGEST))
    while block := file.read(BLOCK):
        found.update(block)
    return found.hexdigest()


def _check_with_library(path: Path) -> None:
    """What the library has against the file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np"):
            pass
    except SafetensorError as error:
        raise bad(path, message("state_header"), str(error)) from None


def _array(path: Path, file: IO[bytes], start: int, name: str, tensor: Tensor) -> np.ndarray[Any, Any]:
    array = np.empty(tensor.shape, np.dtype(DTYPES[tensor.dtype]).newbyteorder("<"))
    file.seek(start + tensor.begin)
    if array.size and file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:  # type: ignore[attr-defined]
        raise bad(path, name, message("state_cut"))
    if tensor.dtype == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    if tensor.dtype == "BOOL" and array.size and array.view(np.uint8).max() > 1:
        raise bad(path, name, message("state_bool"))
    return array.astype(array.dtype.newbyteorder("="), copy=False)
