"""A derivation in words: plain text whose every line, evaluated again, gives the number printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from backlight.errors import language
from backlight.explain.derivation import Derivation, Expression, Leaf, Line, evaluate
from backlight.explain.formula import ATOM, PRODUCT, SUM, join
from backlight.explain.record import Explanation, Step

__all__ = ["choose", "derivation_text", "number", "place", "symbolic", "with_numbers"]

DIGITS = 6
SHORT = 3  # a sum of more terms than this is written one term a line
LIST = "Σ"


def choose(english: str, chinese: str, lang: str | None = None) -> str:
    """The sentence in the language ``lang``, or the current one."""
    return chinese if (lang or language()) == "zh" else english


def number(value: Any, digits: int = DIGITS) -> str:
    """A number with ``digits`` significant digits and a proper minus sign.

    >>> number(-0.000123456789)
    '−0.000123457'
    >>> number(2.0), number(1234567.0), number(True)
    ('2', '1.23457e+06', 'True')
    """
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
        return str(bool(value))
    if isinstance(value, complex) or getattr(getattr(value, "dtype", None), "kind", "") == "c":
        sign = "+" if value.imag >= 0 else "−"
        return f"({number(value.real, digits)} {sign} {number(abs(value.imag), digits)}i)"
    return f"{float(value):.{digits}g}".replace("-", "−")


def symbolic(expression: Expression) -> str:
    """The expression in symbols: ``∂loss/∂h[0,3] · h[0,3]``."""
    return _write(expression, lambda leaf: (leaf.symbol, ATOM))[0]


def with_numbers(expression: Expression, digits: int = DIGITS) -> str:
    """The expression with its numbers put in: ``0.25 · 0.5``."""

    def leaf_number(leaf: Leaf) -> tuple[str, int]:
        text = number(leaf.value, digits)
        return text, PRODUCT if text.startswith("−") else ATOM

    return _write(expression, leaf_number)[0]


def _write(expression: Expression, leaf: Callable[[Leaf], tuple[str, int]]) -> tuple[str, int]:
    if isinstance(expression, Leaf):
        return leaf(expression)
    operands = [_write(operand, leaf) for operand in expression.operands]
    if expression.operation != "sum":
        return join(expression.operation, operands)
    terms = [f"({text})" if text.startswith("−") and k else text for k, (text, _) in enumerate(operands)]
    return " + ".join(terms), SUM


def place(step: Step) -> str:
    """``file:line`` with the folder left out, or an empty string."""
    return (
        "" if step.source is None else f"{step.source.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{step.source.line}"
    )


def derivation_text(
    explanation: Explanation, derivation: Derivation, lang: str | None = None
) -> Iterator[tuple[str, str]]:
    """The derivation from the loss to the number asked for: lines of text, each with its role.

    Roles are ``head`` (what is derived, from which line of the code), ``why`` (a sentence of intuition), ``symbols``,
    ``term`` (one term of a long sum), ``numbers`` (the same with numbers, and the result) and ``same`` (gradients that
    are passed on unchanged).

    >>> import backlight
    >>> from backlight.explain import derive, explain
    >>> x = backlight.array(3.0, name="x")
    >>> explanation = explain(x * x)
    >>> for role, line in derivation_text(explanation, derive(explanation, "x", ())):
    ...     if role in ("symbols", "numbers"):
    ...         print(line)
    ∂multiply/∂multiply = 1
    ∂multiply/∂x = ∂multiply/∂multiply · x + ∂multiply/∂multiply · x
    ∂multiply/∂x = 1 · 3 + 1 · 3 = 6
    """
    record = explanation.record
    for k, group in groupby(derivation.lines, key=lambda line: line.step):
        lines = list(group)
        step = record.steps[k]
        readers = [record.steps[record.edges[edge].step] for edge in lines[0].edges]
        source = next((place(reader) for reader in readers if reader.source), place(step))
        yield "head", f"{step.label}   {source}".rstrip()
        for reader in {reader.operation: reader for reader in readers}.values():
            if reader.why is not None:
                yield "why", choose(reader.why.en, reader.why.zh, lang)
        if len(lines) > 1 and all(line.unchanged for line in lines):
            yield "same", _unchanged(lines)
            continue
        for position, line in enumerate(lines):
            before = lines[position - 1] if position else None
            yield from _line(line, quiet=before is not None and _form(before) == _form(line))


def _unchanged(lines: list[Line]) -> str:
    first, last = lines[0], lines[-1]
    assert isinstance(first.expression, Leaf)
    assert isinstance(last.expression, Leaf)
    return f"{first.target} … {last.target} = {first.expression.symbol} … {last.expression.symbol}"


def _form(line: Line) -> object:
    """What two lines have in common when they differ in their numbers only."""

    def shape(expression: Expression) -> object:
        if isinstance(expression, Leaf):
            return expression.step, expression.gradient
        return expression.operation, *map(shape, expression.operands)

    return shape(line.expression)


def _line(line: Line, quiet: bool) -> Iterator[tuple[str, str]]:
    value, expression = number(line.value), line.expression
    if isinstance(expression, Leaf):
        symbol = f"{expression.symbol} = " if expression.gradient else ""
        yield "numbers", f"{line.target} = {symbol}{value}"
    elif expression.operation == "sum" and len(expression.operands) > SHORT:
        yield "symbols", f"{line.target} = {LIST}"
        for operand in expression.operands:
            yield "term", f"{with_numbers(operand)} = {number(evaluate(operand))}   ⟵ {symbolic(operand)}"
        yield "numbers", f"{line.target} = {value}"
    else:
        if not quiet:
            yield "symbols", f"{line.target} = {symbolic(expression)}"
        worked = with_numbers(expression)
        yield "numbers", f"{line.target} = {worked}" + (f" = {value}" if worked != value else "")
