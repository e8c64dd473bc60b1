"""Every public name of NumPy: differentiable, constant by nature, or not supported and why.

The table is generated from what is registered; the reasons are written here once. ``backlight coverage`` prints it,
``docs/coverage.md`` holds it, and the error for an unsupported call reads its reason from it.
"""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from backlight.array import FUNCTIONS
from backlight.errors import language
from backlight.numpy_api import complete
from backlight.numpy_api.common import CONSTANT
from backlight.numpy_api.reasons import CATEGORIES, UNSUPPORTED, category_of
from backlight.primitive import Elementwise

__all__ = ["MODULES", "STATUSES", "Row", "coverage_markdown", "find", "rich_table", "table"]

MODULES: dict[str, Any] = {
    "np": np,
    "np.linalg": np.linalg,
    "np.fft": np.fft,
    "np.random": np.random,
    "np.emath": np.emath,
    "np.polynomial": np.polynomial,
    "np.strings": np.strings,
    "np.lib.stride_tricks": np.lib.stride_tricks,
}

STATUSES = {
    "differentiable": ("differentiable", "可求导"),
    "constant": ("constant by nature", "本质上是常数"),
    "unsupported": ("not supported", "不支持"),
}


class Row(NamedTuple):
    """One public name: its status (a key of ``STATUSES``), why, in English and Chinese, and what to use instead."""

    name: str
    status: str
    en: str
    zh: str
    nearest: str = ""


def _public(module: Any) -> list[str]:
    return sorted(name for name in dir(module) if not name.startswith("_") and callable(getattr(module, name)))


def _row(prefix: str, name: str, found: Any) -> Row:
    full = f"{prefix}.{name}"
    if full in UNSUPPORTED:
        return Row(full, "unsupported", *UNSUPPORTED[full])
    try:
        implementation = FUNCTIONS.get(found)
    except TypeError:  # not hashable, so not registered
        implementation = None
    category = category_of(prefix, name, found)
    if implementation is not None and found not in CONSTANT and category is None:
        if isinstance(implementation, partial) and isinstance(implementation.args[0], Elementwise):
            record = implementation.args[0].name
            return Row(full, "differentiable", f"the primitive {record}", f"基本映射 {record}")
        return Row(full, "differentiable", "composed of primitives", "由基本映射组合而成")
    if category is not None:
        return Row(full, "constant", *CATEGORIES[category])
    reason = UNSUPPORTED.get(f"{prefix}.*", UNSUPPORTED["*"])
    return Row(full, "unsupported", *reason)


@cache
def _rows() -> tuple[Row, ...]:
    complete()
    return tuple(
        _row(prefix, name, getattr(module, name)) for prefix, module in MODULES.items() for name in _public(module)
    )


def table() -> list[Row]:
    """A row for every public callable of the installed NumPy.

    >>> {row.name: row.status for row in table()}["np.tanh"]
    'differentiable'
    """
    return list(_rows())


def find(function: Any) -> Row:
    """The row of a NumPy function, also of one that is not in the table, with the nearest supported name."""
    for row in _rows():
        prefix, _, name = row.name.rpartition(".")
        if getattr(MODULES[prefix], name) is function:
            return row if row.nearest or row.status != "unsupported" else row._replace(nearest=_nearest(name))
    name = getattr(function, "__name__", str(function))
    en, zh, _ = UNSUPPORTED["*"]
    return Row(name, "unsupported", en, zh, _nearest(name))


def _nearest(name: str) -> str:
    supported = {row.name.rpartition(".")[2]: row.name for row in _rows() if row.status == "differentiable"}
    close = get_close_matches(name, supported, 1)
    return supported[close[0]] if close else "backlight.custom_gradient"


def counts() -> dict[str, int]:
    """How many names have each status."""
    found = Counter(row.status for row in _rows())
    return {status: found[status] for status in STATUSES}


def coverage_markdown() -> str:
    """The table as ``docs/coverage.md`` holds it."""
    numbers = counts()
    version = ".".join(np.__version__.split(".")[:2])
    lines = [
        "# What of NumPy is covered",
        "",
        f"For NumPy {version}. Written by `backlight coverage --markdown`; a test keeps it current.",
        "",
        *(f"- {STATUSES[status][0]} ({STATUSES[status][1]}): {number}" for status, number in numbers.items()),
        "",
        "The special functions of SciPy (`scipy.special.gammaln`, …) are ufuncs and work too. Of `np.char`, `np.ma`,",
        "`np.rec` and the other submodules nothing is mapped: they hold text, masked arrays and records.",
    ]
    for prefix in MODULES:
        rows = [row for row in _rows() if row.name.rpartition(".")[0] == prefix]
        lines += ["", f"## {prefix}", "", "| name | | why | 原因 | use instead |", "|---|---|---|---|---|"]
        lines += [
            f"| `{row.name}` | {STATUSES[row.status][0]} | {row.en} | {row.zh} | {_code(row.nearest)} |" for row in rows
        ]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def rich_table(status: str | None = None) -> Any:
    """The table for the terminal, in the reader's language; of one status only, if one is given."""
    from rich.table import Table

    chinese = language() == "zh"
    colours = {"differentiable": "green", "constant": "cyan", "unsupported": "yellow"}
    numbers = counts()
    title = " · ".join(f"{STATUSES[one][chinese]} {number}" for one, number in numbers.items())
    found = Table(title=title)
    for heading in ("名称", "状态", "原因", "可改用") if chinese else ("name", "status", "why", "use instead"):
        found.add_column(heading)
    for row in _rows():
        if status in (None, row.status):
            label = f"[{colours[row.status]}]{STATUSES[row.status][chinese]}[/]"
            found.add_row(row.name, label, row.zh if chinese else row.en, row.nearest)
    return found
