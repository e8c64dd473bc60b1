"""Every rule of Backlight, readable: the tables as text, their formulas printed from what the rules record.

Each record is called on one of its samples, the backward pass is run, and the nodes that its rule made are written
out. ``backlight primitives`` prints the result, ``docs/primitives.md`` holds it, and a test keeps it current.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from backlight.array import array
from backlight.differentiate import Edge, is_differentiable, pull_back
from backlight.errors import UnsupportedError
from backlight.explain.formula import plain, unfolded
from backlight.explain.record import traced_rule
from backlight.explain.words import choose
from backlight.graph import Node
from backlight.ops import special
from backlight.ops.samples import DOMAINS
from backlight.primitive import REGISTRY, Elementwise, Primitive, Structural, Why

__all__ = ["FAMILIES", "Entry", "Rule", "entries", "primitives_markdown", "rich_table"]

FAMILIES = {
    "elementwise": Why("Elementwise, of one number", "逐元素：一个数"),
    "binary": Why("Elementwise, of two or three numbers", "逐元素：两个或三个数"),
    "complexes": Why("Complex numbers", "复数"),
    "constant": Why("Derivative zero wherever it exists", "凡有导数处皆为零"),
    "reduce": Why("Reductions, running results and order", "归约、累积与排序"),
    "shape": Why("Shapes and slices", "形状与切片"),
    "index": Why("Look-ups and writes by index", "按下标读写"),
    "contract": Why("Sums of products", "乘积之和"),
    "window": Why("Convolution", "卷积"),
    "pooling": Why("Pooling", "池化"),
    "linalg": Why("Linear algebra", "线性代数"),
    "fourier": Why("Fourier transform", "傅里叶变换"),
    "random": Why("Random numbers", "随机数"),
    "loop": Why("Loops", "循环"),
    "flow": Why("Flow of gradients", "梯度的流动"),
    "scipy_special": Why("SciPy's special functions", "SciPy 的特殊函数"),
}
"""The families in the order in which they are shown; a record belongs to the file that its rules stand in."""

BODIES = ("body", "condition")  # what a loop repeats, itself a graph
LOOP = "the rules of the body, run from its last step to its first"
LONG = 90  # letters of a formula that a table still holds


class Rule(NamedTuple):
    """What flows to one input: a local derivative ∂y/∂x, or, with ``g`` in it, a whole contribution."""

    to: str
    text: str
    parts: tuple[tuple[str, str], ...]  # what stands for itself in ``text``: (name, formula)

    @property
    def long(self) -> bool:
        """Whether it is too long for a cell of a table."""
        return bool(self.parts) or len(self.text) > LONG


class Entry(NamedTuple):
    """One primitive as a reader sees it."""

    name: str
    family: str
    call: str  # "y = sum(x, axis=(0,))": the sample on which the rules were recorded
    structural: bool
    rules: tuple[Rule, ...]
    domain: str
    at_kink: str
    why: Why


def entries() -> list[Entry]:
    """An entry for every primitive, SciPy's special functions among them where SciPy is installed.

    >>> sine = next(entry for entry in entries() if entry.name == "sin")
    >>> sine.rules
    (Rule(to='x', text='cos(x)', parts=()),)
    """
    with suppress(ImportError):
        special.load()
    found = [_entry(record) for record in REGISTRY if not record.transient]
    order = list(FAMILIES)
    return sorted(found, key=lambda entry: (order.index(entry.family), entry.name))


def _family(record: Primitive) -> str:
    rules = record.partials if isinstance(record, Elementwise) else (record.shape,)
    modules = [rule.__module__ for rule in rules if rule is not None]
    return modules[0].rpartition(".")[2] if modules else "constant"


def _entry(record: Primitive) -> Entry:
    inputs, params = _sample(record)
    names = ["x"] if len(inputs) == 1 else [f"x{k + 1}" for k in range(len(inputs))]
    words = [*names, *(f"{key}={'…' if key in BODIES else plain(value)}" for key, value in params.items())]
    return Entry(
        record.name,
        _family(record),
        f"y = {record.name}({', '.join(words)})",
        isinstance(record, Structural),
        tuple(_rules(record, inputs, params, names)),
        ""
        if record.domain == "real"
        else DOMAINS[record.domain].condition
        if record.domain in DOMAINS
        else record.domain,
        record.at_kink,
        record.why,
    )


def _sample(record: Primitive) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs on which the record can be called; the first of its samples."""
    if record is REGISTRY.item:  # picks an output of another mapping, so it has no sample of its own
        return REGISTRY.slogdet.samples()[0].inputs, {"k": 0}
    if isinstance(record, Structural):
        sample = record.samples()[0]
        return sample.inputs, sample.params
    numbers: list[Any] = [np.asarray(numbers[0])[()] for numbers in record.samples]
    if record.operands == "condition":
        numbers[0] = np.bool_(numbers[0])
    return tuple(numbers), {}


def _rules(record: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], names: list[str]) -> Iterator[Rule]:
    """A rule for every input that a gradient reaches, each from a backward pass of its own."""
    if "body" in params:  # what is recorded are the rules of the sample's own body
        yield from (Rule(name, LOOP, ()) for name, x in zip(names, inputs, strict=True) if _smooth(x))
        return
    for i, x in enumerate(inputs):
        if not _smooth(x):
            continue
        arguments: list[Any] = list(inputs)
        arguments[i] = array(x)
        try:
            yield from (_rule(edge, names[i]) for edge in _edges(record, arguments, i, params))
        except UnsupportedError:
            yield Rule(names[i], "no closed form is known", ())


def _smooth(x: Any) -> bool:
    return np.asarray(x).dtype.kind in "fc"


def _edges(record: Primitive, arguments: list[Any], i: int, params: dict[str, Any]) -> list[Edge]:
    ys = REGISTRY.slogdet(*arguments) if record is REGISTRY.item else record(*arguments, **params)
    outputs = [y.node for y in (ys if isinstance(ys, tuple) else (ys,))]
    outputs = [node for node in outputs if is_differentiable(node)]
    passed: list[Edge] = []
    pull_back(outputs, [array(np.ones(node.shape, node.dtype)) for node in outputs], [arguments[i].node], passed)
    return [edge for edge in passed if edge.node.primitive is record][:1]


def _rule(edge: Edge, to: str) -> Rule:
    what, symbols = traced_rule(edge)
    if not isinstance(what, Node):
        return Rule(to, f"{what:g}".replace("-", "−"), ())
    text, parts = unfolded(what, symbols)
    return Rule(to, text, tuple(parts))


# -- Faces --------------------------------------------------------------------------------------------------------


def _lines(entry: Entry) -> list[str]:
    """The rules of one entry, a line each: ``∂y/∂x1 = …`` or ``g ↦ … for x1``."""
    lines = []
    for rule in entry.rules:
        lines.append(f"{rule.to} ← {rule.text}" if entry.structural else f"∂y/∂{rule.to} = {rule.text}")
        lines += [f"    {name} = {text}" for name, text in rule.parts]
    return lines


def primitives_markdown() -> str:
    """The tables as ``docs/primitives.md`` holds them."""
    found = entries()
    lines = [
        "# Every primitive and its rule",
        "",
        "Written by `backlight primitives --markdown`; a test keeps it current. No formula here was typed: each is",
        "printed from the nodes that the rule recorded when it ran on the sample that is shown.",
        "",
        "`x` is an input, `y` the output, `g` the gradient that arrives at `y`. An elementwise rule is the local",
        "derivative ∂y/∂x, and g · ∂y/∂x flows on; a rule with an arrow, `x ← …`, is the whole contribution to the",
        "gradient of `x`. An input without a rule receives no gradient. `@` is the matrix product, `ᵀ` the transpose,",
        "`·` is elementwise, `y[0]` the first of several outputs. Where a kink is named, the number is the derivative",
        "that is used there ([conventions](conventions.md#kinks-ties-and-jumps)).",
        "",
        f"{len(found)} primitives: "
        + ", ".join(f"[{text.en}](#{_anchor(family)})" for family, text in FAMILIES.items() if _of(found, family))
        + ".",
    ]
    for family, title in FAMILIES.items():
        members = _of(found, family)
        if not members:
            continue
        lines += ["", f'<a id="{_anchor(family)}"></a>', "", f"## {title.en} · {title.zh}", ""]
        lines += ["| mapping | rule | domain | at kinks and ties | why | 直觉 |", "|---|---|---|---|---|---|"]
        for entry in members:
            rule = "<br>".join(_cell(line) for line in _lines(entry)) if not _long(entry) else "below"
            cells = [_cell(entry.call), rule or "0", _escaped(entry.domain), _escaped(entry.at_kink), *entry.why]
            lines.append(f"| {' | '.join(cells)} |")
        for entry in members:
            if _long(entry):
                lines += ["", f"`{entry.call}`", "", "```text", *_lines(entry), "```"]
    return "\n".join(lines) + "\n"


def _of(found: list[Entry], family: str) -> list[Entry]:
    return [entry for entry in found if entry.family == family]


def _anchor(family: str) -> str:
    return family.replace("_", "-")


def _long(entry: Entry) -> bool:
    return any(rule.long for rule in entry.rules)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _cell(text: str) -> str:
    return f"`{_escaped(text)}`"


def rich_table() -> Any:
    """The tables for the terminal, in the reader's language."""
    from rich.table import Table
    from rich.text import Text

    found = entries()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for family, title in FAMILIES.items():
        members = _of(found, family)
        if members:
            table.add_row("", Text(f"\n{choose(*title)}\n", "bold yellow"))
        for entry in members:
            lines = [Text(line, "green") for line in _lines(entry)] or [Text(choose("no gradient", "无梯度"), "dim")]
            lines.append(Text(choose(*entry.why)))
            if entry.at_kink:
                lines.append(Text(f"{choose('at kinks and ties', '在尖点与并列处')}: {entry.at_kink}", "dim"))
            table.add_row(Text(entry.name), Text("\n").join(lines))
    return table
