"""A backward pass as a table in the terminal, or as plain lines where there is no terminal or little room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backlight.explain.record import Edge, Record
from backlight.explain.words import choose, number, place

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Row", "backward_lines", "backward_rows", "backward_table", "summary"]

DIGITS = 4


class Row(NamedTuple):
    """One edge of the backward pass in text."""

    node: str
    to: str
    shape: str
    value: str
    local: str  # in numbers; empty where the rule carries whole arrays
    rule: str  # as a formula; empty where the local derivative is one constant
    gradient: str
    contribution: str
    source: str


def summary(numbers: Any) -> str:
    """A number as it is; of an array the smallest and the largest.

    >>> summary(np.array([0.25, -1.5, 3.0]))
    '−1.5 … 3'
    >>> summary(np.float64(2.5))
    '2.5'
    """
    if isinstance(numbers, tuple):
        return "; ".join(map(summary, numbers))
    array = np.asarray(numbers)
    if array.size == 0:
        return "[]"
    if array.size == 1 or array.dtype.kind not in "iuf":
        return number(array.flat[0], DIGITS)
    low, high = np.nanmin(array) if not np.isnan(array).all() else np.nan, np.nanmax(array)
    text = number(low, DIGITS) if low == high else f"{number(low, DIGITS)} … {number(high, DIGITS)}"
    return f"{text}, NaN" if array.dtype.kind == "f" and np.isnan(array).any() else text


def backward_rows(record: Record) -> Iterator[Row]:
    """A row for every edge, from the loss backwards."""
    for edge in record.edges:
        step, to = record.steps[edge.step], record.steps[edge.to]
        shape = "×".join(map(str, to.shape)) if to.shape else ""
        local, rule = _local(edge)
        numbers = summary(edge.gradient), summary(edge.contribution)
        yield Row(step.label, to.label, shape, summary(step.value), local, rule, *numbers, place(step))


def _local(edge: Edge) -> tuple[str, str]:
    """The local derivative in numbers and as a formula, or the rule that passes ``g`` on where it is not a number."""
    if edge.local is None:
        return "", f"g ↦ {edge.rule}"
    numbers = summary(edge.local)
    return numbers, "" if edge.rule == numbers else edge.rule


def backward_table(record: Record) -> Table:
    """The rows as a table for a wide terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(choose("node y → input x", "节点 y → 输入 x"), no_wrap=True)
    table.add_column(choose("value y", "值 y"), justify="right", style="cyan", no_wrap=True)
    table.add_column(choose("local ∂y/∂x", "局部导数 ∂y/∂x"), justify="right", style="green", overflow="fold")
    table.add_column(choose("incoming g", "传入梯度 g"), justify="right", style="yellow", no_wrap=True)
    table.add_column(choose("contribution", "贡献"), justify="right", style="bold yellow", no_wrap=True)
    table.add_column(choose("source", "源代码行"), style="dim", no_wrap=True)
    for row in backward_rows(record):
        edge = Text.assemble((row.node, "bold"), " → ", row.to, (f" {row.shape}" if row.shape else "", "dim"))
        local = Text("\n").join([Text(text) for text in (row.rule, row.local) if text])
        table.add_row(edge, Text(row.value), local, Text(row.gradient), Text(row.contribution), Text(row.source))
    return table


def backward_lines(record: Record) -> Iterator[str]:
    """The rows as plain lines, a few for each edge, for narrow terminals and for files."""
    from rich.cells import cell_len, set_cell_size

    heads = (
        ("value y", "值 y"),
        ("local ∂y/∂x", "局部 ∂y/∂x"),
        ("incoming g", "传入 g"),
        ("contribution", "贡献"),
    )
    words = [choose(*head) for head in heads]
    width = max(map(cell_len, words)) + 2
    for row in backward_rows(record):
        yield f"{row.node} → {row.to} {row.shape}".rstrip() + (f"   {row.source}" if row.source else "")
        local = f"{row.local}   = {row.rule}" if row.local and row.rule else row.local or row.rule
        for word, text in zip(words, (row.value, local, row.gradient, row.contribution), strict=True):
            yield f"  {set_cell_size(word, width)}{text}"
