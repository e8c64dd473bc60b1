"""Built plans on the disk: found again by what the graph looks like, without planning or writing anything.

The key is a digest of the whole graph (primitives, parameters, shapes, dtypes, the bytes of every constant, the bodies
of loops), of what may be overwritten, of the processor, of LLVM, and of Backlight's own files. An entry holds the
machine code, the constants it reads and what is needed to call it. The cache (``cache.py``) sees to it that a damaged
one is not believed. A graph whose looks do not tell what it does (a derivative made by the user has code of its own)
has no key and is built anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler import cache
from backlight.compiler.build import llvm_version, processor
from backlight.graph import Graph, Node

__all__ = ["Built", "find", "keep", "key_of"]

MOST = 8 << 20  # bytes of constants that an entry may hold
THREADS = 64  # up to how many threads it is known what they are worth


class Built(NamedTuple):
    """All that calling a plan needs, besides its machine code."""

    constants: list[Any]
    arena: int  #: bytes
    scratch: int  #: bytes for each thread
    in_place: dict[int, int]  #: outputs that stand where an input stood
    best: list[int]  #: the number of threads to use, where 1, 2, 3, … are there


# -- Keys ----------------------------------------------------------------------------------------------------------


class _Unknown(Exception):
    """A parameter whose looks do not tell what it is."""


def key_of(graph: Graph, donated: Sequence[int], limit: int) -> str:
    """The name under which the plan of ``graph`` is kept; nothing if its looks do not tell what it does.

    ``limit`` is the size up to which a graph is written out scalar by scalar.
    """
    if cache.directory() is None:
        return ""
    try:
        digest = _digest(graph, {})
    except _Unknown:
        return ""
    return cache.key("plan", digest, repr((*donated,)), str(limit), processor().key, llvm_version(), _own_files())


def _digest(graph: Graph, known: dict[int, bytes]) -> bytes:
    """What a graph computes, in 32 bytes."""
    if id(graph) in known:
        return known[id(graph)]
    whole = hashlib.sha256()
    number: dict[Node, int] = {node: k for k, node in enumerate(graph.inputs)}
    words = [f"{node.shape} {node.dtype.str}" for node in graph.inputs]
    for node in graph.nodes:
        if node in number:
            continue
        number[node] = len(number)
        form = f"{node.shape} {node.dtype.str if node.dtype is not None else None}"
        if node.primitive is None:
            words.append(f"constant {form} {hashlib.sha256(_bytes(node.value)).hexdigest()}")
            continue
        if getattr(node.primitive, "transient", False):
            raise _Unknown
        inputs = " ".join(str(number[node_in]) for node_in in node.inputs)
        params = " ".join(f"{name}={_looks(value, known)}" for name, value in node.params.items())
        words.append(f"{node.primitive.name} {inputs} {form} {params}")
    words.append(" ".join(str(number[node]) for node in graph.outputs))
    whole.update("\n".join(words).encode())
    known[id(graph)] = whole.digest()
    return known[id(graph)]


def _bytes(value: Any) -> Any:
    """The elements of a constant; of one number repeated, that number."""
    array = np.asarray(value)
    if array.size and not any(array.strides):
        array = array.reshape(-1)[:1]
    return np.ascontiguousarray(array).tobytes()


def _looks(value: Any, known: dict[int, bytes]) -> str:
    """A parameter in words that two different ones never share."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value)
    if isinstance(value, np.dtype):
        return f"dtype {value.str}"
    if isinstance(value, np.ndarray | np.generic):
        return f"array {value.shape} {value.dtype.str} {hashlib.sha256(_bytes(value)).hexdigest()}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__}({', '.join(_looks(each, known) for each in value)})"
    if isinstance(value, slice):
        return repr(value)
    if isinstance(graph := getattr(value, "graph", None), Graph):
        return f"body {_digest(graph, known).hex()}"
    raise _Unknown


@lru_cache(maxsize=1)
def _own_files() -> str:
    """Size and date of Backlight's own files: another state of them may write other code."""
    folder = Path(__file__).parents[1]
    found = []
    for path in sorted(folder.rglob("*.py")):
        status = os.stat(path)
        found.append(f"{path.relative_to(folder)} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


# -- Entries -------------------------------------------------------------------------------------------------------


def keep(key: str, code: bytes, built: Built, name: str) -> None:
    """Store what was built, if its constants are not too large."""
    if not key or sum(each.nbytes for each in built.constants) > MOST:
        return
    facts = {
        "name": name,
        "code": len(code),
        "arena": built.arena,
        "scratch": built.scratch,
        "in_place": sorted(built.in_place.items()),
        "best": built.best,
        "constants": [[each.dtype.str, each.size] for each in built.constants],
    }
    cache.store(key, b"".join([code, *(each.tobytes() for each in built.constants)]), facts)


def find(key: str) -> tuple[bytes, Built] | None:
    """The machine code and the rest of what was kept under ``key``."""
    entry = cache.load(key) if key else None
    if entry is None:
        return None
    facts = entry.metadata
    try:
        start = int(facts["code"])
        constants = []
        for name, size in facts["constants"]:
            dtype = np.dtype(name)
            constants.append(np.frombuffer(entry.payload, dtype, int(size), start).copy())
            start += int(size) * dtype.itemsize
        in_place = {int(k): int(number) for k, number in facts["in_place"]}
        best = [int(threads) for threads in facts["best"]]
        built = Built(constants, int(facts["arena"]), int(facts["scratch"]), in_place, best)
    except (KeyError, TypeError, ValueError):
        return None  # stored by some other version of this format
    return entry.payload[: int(facts["code"])], built
