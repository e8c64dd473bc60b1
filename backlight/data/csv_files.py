"""CSV: text with commas becomes one array per column; numbers become floats, what is missing becomes nan.

A file is read twice where kinds of columns have to be found out, and never held in memory as text.
"""

from __future__ import annotations

import csv
import os
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from backlight.data.files import opened
from backlight.errors import ArgumentError, DataError, message

__all__ = ["MISSING", "csv_rows", "read_csv"]

MISSING = frozenset({"", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None", "?"})
MOST = 1 << 30  # bytes of unpacked text, unless asked for more
LONGEST = 1 << 20  # bytes of a line
TRUTH = {
    "true": True,
    "True": True,
    "TRUE": True,
    "1": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "0": False,
}

Row = tuple[int, list[str]]


class _Layout(NamedTuple):
    """Where the table is, and how its bytes become rows."""

    path: Path
    delimiter: str
    quote: str
    encoding: str
    header: bool
    names: Collection[str] | None
    most: int


class _Kind(NamedTuple):
    """How the cells of a column are read; ``missing`` is what an empty one is, ``None`` where that is an error."""

    name: str
    read: Callable[[str], Any]
    code: str  # of ``array.array``, empty for a list
    dtype: Any
    missing: Any = None


def _number(cell: str) -> float:
    if "_" in cell:  # Python reads 1_000 as a number, no table means it
        raise ValueError(cell)
    return float(cell)


def _whole(cell: str) -> int:
    number = int(cell)
    if "_" in cell or not -(1 << 63) <= number < 1 << 63:
        raise ValueError(cell)
    return number


KINDS = {
    float: _Kind("float", _number, "d", np.float64, float("nan")),
    int: _Kind("int", _whole, "q", np.int64),
    bool: _Kind("bool", TRUTH.__getitem__, "b", np.bool_),
    str: _Kind("str", str, "", object, ""),
}


def read_csv(
    path: str | os.PathLike[str],
    types: Mapping[str, type] | None = None,
    *,
    header: bool = True,
    names: Collection[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    missing: Collection[str] = MISSING,
    encoding: str = "utf-8",
    most: int = MOST,
) -> dict[str, np.ndarray[Any, Any]]:
    """The columns of a CSV file (``.gz`` too), ``{name: (n,)}``, in the order of the file.

    A column in which every cell is a number, or missing, becomes float64 with nan where it is missing; any other
    becomes an object array of strings with "" where it is missing. ``types`` says otherwise column by column:
    ``float``, ``int``, ``bool`` (true, false, 1, 0) or ``str``; a column of ``int`` or ``bool`` may miss nothing.
    Without a ``header`` the names are ``column_0``, ``column_1`` … or ``names``. Of text, unpacked, at most ``most``
    bytes are read (1 GiB).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cats.csv"
    ...     _ = path.write_text('name,weight\\n"Mia, the old one",4.5\\nTom,\\n', "utf-8")
    ...     table = read_csv(path)
    >>> table["weight"], table["name"]
    (array([4.5, nan]), array(['Mia, the old one', 'Tom'], dtype=object))

    Raises ``DataError``, which names the line, for a file that is missing, damaged, too large or not of this form, and
    ``ArgumentError`` for ``types`` of columns that are not there, or a way to write tables that does not exist.
    """
    layout = _Layout(Path(path), delimiter, quote, encoding, header, names, most)
    missing = frozenset(missing)
    found = _found_names(layout)
    kinds = _kinds(layout, found, types, missing)
    columns: list[Any] = [array(kind.code) if kind.code else [] for kind in kinds]
    for line, row in _table(layout, found):
        for name, cell, kind, column in zip(found, row, kinds, columns, strict=True):
            column.append(_cell(layout.path, line, name, cell, kind, missing))
    return {name: _column(c, kind) for name, c, kind in zip(found, columns, kinds, strict=True)}


def csv_rows(
    path: str | os.PathLike[str],
    types: Mapping[str, type] | None = None,
    *,
    header: bool = True,
    names: Collection[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    missing: Collection[str] = MISSING,
    encoding: str = "utf-8",
) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file one by one, ``{name: value}``, in the memory of one row: for files larger than memory.

    Like ``read_csv`` otherwise, without a bound. ``Batches(lambda: csv_rows(path), 32, shuffle=10_000)`` trains from
    it; ``types`` for every column save reading the file once more to find out its kinds.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cats.csv"
    ...     _ = path.write_text("name,weight\\nMia,4.5\\n", "utf-8")
    ...     next(csv_rows(path, {"name": str, "weight": float}))
    {'name': 'Mia', 'weight': 4.5}

    Raises like ``read_csv``, when the row is reached.
    """
    layout = _Layout(Path(path), delimiter, quote, encoding, header, names, sys.maxsize - 1)
    missing = frozenset(missing)
    found = _found_names(layout)
    kinds = _kinds(layout, found, types, missing)
    for line, row in _table(layout, found):
        cells = zip(found, row, kinds, strict=True)
        yield {name: _cell(layout.path, line, name, cell, kind, missing) for name, cell, kind in cells}


# -- Rows ----------------------------------------------------------------------------------------------------------


def _rows(layout: _Layout) -> Iterator[Row]:
    """Every row that is not blank, with the number of the line that it ends on."""
    path = layout.path
    try:
        if layout.delimiter == layout.quote or not {layout.delimiter, layout.quote}.isdisjoint("\r\n"):
            raise ValueError(f"{layout.delimiter!r}, {layout.quote!r}")
        _reader([], layout)
        if not "a\n".encode(layout.encoding).endswith(b"a\n"):
            raise ValueError(layout.encoding)
    except (TypeError, ValueError, LookupError, csv.Error) as error:
        raise ArgumentError(message("csv_layout", reason=error)) from None
    with opened(path, layout.most) as file:
        reader = _reader(_lines(path, file, layout.encoding), layout)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise DataError(message("csv_line", file=path, line=reader.line_num, reason=error)) from None


def _reader(lines: Iterable[str], layout: _Layout) -> Any:
    return csv.reader(lines, delimiter=layout.delimiter, quotechar=layout.quote, strict=True)


def _lines(path: Path, file: IO[bytes], encoding: str) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise DataError(message("csv_line_long", file=path, line=number, most=LONGEST))
        if number == 1 and encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            line = line.removeprefix(b"\xef\xbb\xbf")  # the mark that spreadsheets put first
        try:
            yield line.decode(encoding)
        except UnicodeError as error:
            raise DataError(message("csv_line", file=path, line=number, reason=error)) from None


def _found_names(layout: _Layout) -> list[str]:
    path, header, names = layout.path, layout.header, layout.names
    first = next(_rows(layout), None)
    if first is None:
        raise DataError(message("csv_empty", file=path))
    line, row = first
    if names is not None:
        found = list(names)
        if len(found) != len(row):
            raise DataError(message("csv_width", file=path, line=line, expected=len(found), came=len(row)))
    else:
        found = [cell.strip() for cell in row] if header else [""] * len(row)
    found = [name or f"column_{k}" for k, name in enumerate(found)]
    if len(set(found)) < len(found):
        twice = Counter(found).most_common(1)[0][0]
        raise DataError(message("csv_twice", file=path, line=line, name=twice))
    return found


def _table(layout: _Layout, names: list[str]) -> Iterator[Row]:
    """The rows below the header, each as wide as it."""
    rows = _rows(layout)
    if layout.header:
        next(rows, None)
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(message("csv_width", file=layout.path, line=line, expected=len(names), came=len(row)))
        yield line, row


# -- Columns -------------------------------------------------------------------------------------------------------


def _kinds(
    layout: _Layout, names: list[str], types: Mapping[str, type] | None, missing: Collection[str]
) -> list[_Kind]:
    """How each column is read: as asked, or as numbers where every cell that is there is one."""
    if types is not None and not isinstance(types, Mapping):
        raise ArgumentError(message("csv_types", came=repr(types)[:80]))
    wanted = dict(types or {})
    for name, kind in wanted.items():
        if name not in names:
            raise ArgumentError(message("csv_column", file=layout.path, name=name, names=", ".join(names)))
        if not isinstance(kind, type) or kind not in KINDS:
            raise ArgumentError(message("csv_type", name=name, came=kind))
    numbers = {k for k, name in enumerate(names) if name not in wanted}
    if numbers:
        for _, row in _table(layout, names):
            for k in list(numbers):
                cell = row[k].strip()
                if cell not in missing and not _is_number(cell):
                    numbers.remove(k)
            if not numbers:
                break
    return [KINDS[wanted.get(name, float if k in numbers else str)] for k, name in enumerate(names)]


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _cell(path: Path, line: int, name: str, cell: str, kind: _Kind, missing: Collection[str]) -> Any:
    stripped = cell.strip()
    if stripped in missing and kind.missing is not None:
        return kind.missing
    try:
        return kind.read(cell if kind.dtype is object else stripped)
    except (ValueError, KeyError):
        came = repr(cell[:60])
        raise DataError(message("csv_cell", file=path, line=line, name=name, kind=kind.name, came=came)) from None


def _column(values: Any, kind: _Kind) -> np.ndarray[Any, Any]:
    if kind.code:
        return np.array(values, kind.dtype)
    made = np.empty(len(values), object)
    made[:] = values
    return made
