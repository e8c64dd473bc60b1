"""Formulas printed from the nodes that a rule recorded, so that they cannot drift from what was computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backlight.graph import Node

__all__ = ["ATOM", "HELPERS", "PRODUCT", "SUM", "formula", "join", "plain", "unfolded"]

HELPERS = frozenset({"broadcast_to", "cast", "reshape"})
"""Mappings that only change how a value is laid out or stored: drawn small, and folded in formulas."""

SUM, PRODUCT, POWER, ATOM = range(1, 5)  # how tightly a written operation binds
INFIX = {
    "add": (" + ", SUM),
    "subtract": (" − ", SUM),
    "multiply": (" · ", PRODUCT),
    "chain": (" · ", PRODUCT),
    "divide": (" / ", PRODUCT),
    "matmul": (" @ ", PRODUCT),
    "equal": (" = ", SUM),
    "not_equal": (" ≠ ", SUM),
    "less": (" < ", SUM),
    "less_equal": (" ≤ ", SUM),
    "greater": (" > ", SUM),
    "greater_equal": (" ≥ ", SUM),
}
UNASSOCIATIVE = frozenset({"subtract", "divide"})  # a − (b + c) is not a − b + c
LONGEST = 160
WORTH_A_NAME = 14  # letters; anything shorter is written out each time
FEW = 4  # numbers of a constant array that are written out
NAMES = "abcdefhijklmnopqrstuvw"  # of parts of a long formula; g, x and y are taken


def join(operation: str, operands: list[tuple[str, int]]) -> tuple[str, int]:
    """``operation`` written out on operands that are (text, how tightly it binds), with parentheses where needed.

    >>> join("multiply", [("g", ATOM), ("1 − y", SUM)])
    ('g · (1 − y)', 2)
    """
    if operation in INFIX and len(operands) == 2:
        sign, binds = INFIX[operation]
        left = _wrap(operands[0], binds)
        right = _wrap(operands[1], binds + 1 if operation in UNASSOCIATIVE else binds)
        return f"{left}{sign}{f'({right})' if right.startswith('−') else right}", binds
    if operation == "negative":
        inside = _wrap(operands[0], PRODUCT)
        return (f"−({inside})" if inside.startswith("−") else f"−{inside}"), PRODUCT
    if operation == "square":
        return f"{_wrap(operands[0], ATOM)}²", POWER
    if operation == "reciprocal":
        return f"1 / {_wrap(operands[0], POWER)}", PRODUCT
    if operation == "power":
        return f"{_wrap(operands[0], ATOM)} ^ {_wrap(operands[1], ATOM)}", POWER
    if operation == "absolute":
        return f"|{operands[0][0]}|", ATOM
    if operation == "conjugate":
        return f"conj({operands[0][0]})", ATOM
    return f"{operation}({', '.join(text for text, _ in operands)})", ATOM


def _wrap(operand: tuple[str, int], binds: int) -> str:
    text, own = operand
    return text if own >= binds else f"({text})"


def formula(node: Node, symbols: Mapping[Node, str]) -> str:
    """What ``node`` computes, in terms of the nodes that have a symbol.

    >>> import backlight
    >>> x = backlight.array(0.5, name="x")
    >>> y = 3 * (1 - x)
    >>> formula(y.node, {x.node: "x"})
    '3 · (1 − x)'
    """
    text = _write(node, symbols)[0]
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def unfolded(node: Node, symbols: Mapping[Node, str]) -> tuple[str, list[tuple[str, str]]]:
    """The formula of ``node``, and (name, formula) of what occurs in it more than once and is long.

    >>> import backlight
    >>> x = backlight.array(0.5, name="x")
    >>> a = (1 - x) * (2 + x)
    >>> unfolded((a / (1 + a)).node, {x.node: "x"})
    ('a / (1 + a)', [('a', '(1 − x) · (2 + x)')])
    """
    known = dict(symbols)
    inner: dict[Node, int] = {}  # how often each node is read
    waiting = [node]
    while waiting:
        for node_in in waiting.pop().inputs:
            if node_in not in known:
                inner[node_in] = inner.get(node_in, 0) + 1
                if inner[node_in] == 1:
                    waiting.append(node_in)
    parts: list[tuple[str, str]] = []
    for part in sorted(inner, key=lambda one: one.index):
        if inner[part] > 1 and part.operation not in HELPERS and len(text := _write(part, known)[0]) >= WORTH_A_NAME:
            known[part] = NAMES[len(parts)]
            parts.append((known[part], text))
    return _write(node, known)[0], parts


def _write(node: Node, symbols: Mapping[Node, str]) -> tuple[str, int]:
    if node in symbols:
        return symbols[node], ATOM
    if node.primitive is None:
        return _constant(node.value), ATOM
    name = node.primitive.name
    operands = [_write(node_in, symbols) for node_in in node.inputs]
    if name == "cast":
        return operands[0]
    if name == "reshape":
        return _reshape(operands[0], node.inputs[0].shape, node.shape)
    if name == "item":
        return f"{_wrap(operands[0], ATOM)}[{node.params['k']}]", ATOM
    if name == "broadcast_to":
        quiet = node.inputs[0].primitive is None and node.inputs[0] not in symbols
        return operands[0] if quiet else (f"broadcast({operands[0][0]})", ATOM)
    if name == "transpose":
        return _transpose(operands[0], node.params["axes"])
    params = [f"{key}={plain(value)}" for key, value in node.params.items()]
    if params:
        return f"{name}({', '.join([text for text, _ in operands] + params)})", ATOM
    return join(name, operands)


def _transpose(operand: tuple[str, int], axes: tuple[int, ...]) -> tuple[str, int]:
    swapped = (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)
    if len(axes) >= 2 and tuple(axes) == swapped:
        return f"{_wrap(operand, ATOM)}ᵀ", ATOM
    return f"transpose({operand[0]}, axes={plain(tuple(axes))})", ATOM


def _reshape(operand: tuple[str, int], before: tuple[int, ...], after: tuple[int, ...]) -> tuple[str, int]:
    """New axes of length 1 as NumPy writes them, ``g[:, None]``; any other change of shape goes without saying."""
    kept = iter(before)
    wanted = next(kept, None)
    index = []
    for length in after:
        if length == wanted:
            index.append(":")
            wanted = next(kept, None)
        elif length == 1:
            index.append("None")
        else:
            return operand
    inner = index[index.index(":") :] if ":" in index else []  # leading new axes are what broadcasting adds by itself
    if wanted is not None or "None" not in inner:
        return operand
    return f"{_wrap(operand, ATOM)}[{', '.join(inner)}]", ATOM


def _constant(value: Any) -> str:
    array = np.asarray(value)
    if array.size == 1 or (array.size and (array == array.flat[0]).all()):
        number = array.flat[0].item()
        return f"{number:g}".replace("-", "−") if isinstance(number, int | float) else str(number)
    if 0 < array.size <= FEW and array.dtype.kind in "iufb":
        return str(array.tolist()).replace("-", "−").replace(".0,", ",").replace(".0]", "]")
    return f"constant{array.shape}"


def plain(value: Any) -> str:
    """A parameter as text: NumPy's numbers without their types.

    >>> plain((np.int64(0), 2))
    '(0, 2)'
    """
    if isinstance(value, tuple):
        inside = ", ".join(plain(member) for member in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return str(value)
