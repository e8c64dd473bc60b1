"""A computation graph as SVG: values flow down in cards, gradients flow back up along the edges.

Layered drawing (K. Sugiyama, S. Tagawa, M. Toda, 1981): every node stands one layer above the first node that reads
it, and columns are chosen so that nodes stand near their readers, the longest chain straight.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise, permutations
from typing import Any, NamedTuple

import numpy as np

from backlight.explain.record import Edge, Record, Step
from backlight.explain.table import summary
from backlight.explain.words import number

__all__ = ["Layout", "draw", "layout", "visible"]

CARD_WIDTH, CARD_HEIGHT = 132, 62
PILL_WIDTH, PILL_HEIGHT = 92, 24
COLUMN, LAYER, MARGIN = 150, 112, 14
STRIP_COLUMNS, STRIP_ROWS, STRIP_HEIGHT = 32, 4, 12
GAP = 7  # between the line that carries the value and the one that carries the gradient back
PORT = 36  # how far beside the middle of a card a line from another column ends
MOST_PERMUTED = 6


class Layout(NamedTuple):
    """Where each drawn step stands: its column and layer; ``via`` are the columns that a long edge passes through."""

    column: dict[int, int]
    layer: dict[int, int]
    via: dict[tuple[int, int], list[int]]


def visible(record: Record) -> list[Step]:
    """The steps that are drawn: all but index arrays, plain numbers and what is made of these alone."""
    hidden: set[int] = set()
    for step in record.steps:
        quiet = step.kind == "constant" and (step.shape == () or not step.dtype.startswith(("float", "complex")))
        if quiet or (step.helper and set(step.inputs) <= hidden):
            hidden.add(step.id)
    return [step for step in record.steps if step.id not in hidden]


def layout(record: Record) -> Layout:
    """Layers by the longest way from the loss, columns by nearness to the readers."""
    steps = {step.id: step for step in visible(record)}
    readers: dict[int, list[int]] = {k: [] for k in steps}
    for step in steps.values():
        for k in dict.fromkeys(step.inputs):
            if k in steps:
                readers[k].append(step.id)
    height: dict[int, int] = {}
    for k in sorted(steps, reverse=True):  # readers run later
        height[k] = 1 + max((height[reader] for reader in readers[k]), default=-1)
    depth: dict[int, int] = {}
    for k in sorted(steps):
        depth[k] = 1 + max((depth[i] for i in steps[k].inputs if i in steps), default=-1)
    top = max(height.values(), default=0)
    layer = {k: top - height[k] for k in steps}

    column: dict[int, int] = {}
    via: dict[tuple[int, int], list[int]] = {}
    crossing: dict[int, list[tuple[int, int]]] = {}  # long edges by the layers they cross
    for k in steps:
        for reader in readers[k]:
            for between in range(layer[reader] - 1, layer[k], -1):
                crossing.setdefault(between, []).append((k, reader))
    for level in range(top, -1, -1):
        members: list[tuple[Any, float, int]] = []
        for k in (k for k in steps if layer[k] == level):
            wanted = [via[k, r][0] if via.get((k, r)) else column[r] for r in readers[k]]
            members.append((k, float(np.mean(wanted)) if wanted else 0.0, 2 + depth[k]))
        for edge in crossing.get(level, ()):
            members.append((edge, float(via[edge][0] if via.get(edge) else column[edge[1]]), 1))
        for member, place in _columns(members).items():
            if isinstance(member, tuple):
                via.setdefault(member, []).insert(0, place)
            else:
                column[member] = place
    return Layout(column, layer, via)


def _columns(members: list[tuple[Any, float, int]]) -> dict[Any, int]:
    """A column for each (member, wanted column, weight): all different, with little weighted displacement."""
    if len(members) > MOST_PERMUTED:
        ordered = sorted(members, key=lambda member: member[1])
        start = round(float(np.mean([wanted for _, wanted, _ in ordered])) - (len(ordered) - 1) / 2)
        return {member: start + k for k, (member, _, _) in enumerate(ordered)}
    center = round(float(np.mean([wanted for _, wanted, _ in members]))) if members else 0
    reach = (len(members) + 1) // 2
    places = sorted(range(center - reach, center + reach + 1), key=lambda place: (abs(place), -place))
    best = min(
        permutations(places, len(members)),
        key=lambda chosen: sum(w * abs(p - at) ** 2 for p, (_, at, w) in zip(chosen, members, strict=True)),
    )
    return {member: place for (member, _, _), place in zip(members, best, strict=True)}


def draw(record: Record) -> str:
    """The graph as one ``<svg>`` element; colours come from CSS variables, so that a page can have themes.

    >>> import backlight
    >>> from backlight.explain import explain
    >>> x = backlight.array(2.0, name="x")
    >>> draw(explain(x * x).record).startswith("<svg")
    True
    """
    found = layout(record)
    steps = {step.id: step for step in visible(record)}
    left = min(found.column.values(), default=0)
    for columns in found.via.values():
        left = min(left, *columns)
    right = max([*found.column.values(), *(c for columns in found.via.values() for c in columns)], default=0)
    width = (right - left) * COLUMN + CARD_WIDTH + 2 * MARGIN
    height = max(found.layer.values(), default=0) * LAYER + CARD_HEIGHT + 2 * MARGIN

    def center(column: int, layer: int) -> tuple[float, float]:
        return MARGIN + CARD_WIDTH / 2 + (column - left) * COLUMN, MARGIN + CARD_HEIGHT / 2 + layer * LAYER

    passed = {(edge.step, edge.input): (k, edge) for k, edge in enumerate(record.edges)}
    largest = max((_size(edge.contribution) for edge in record.edges), default=0.0)
    lines, cards = [], []
    for step in steps.values():
        here = center(found.column[step.id], found.layer[step.id])
        for position, k in enumerate(step.inputs):
            if k not in steps:
                continue
            crossed = found.via.get((k, step.id)) or [found.column[k]]
            same = step.inputs[:position].count(k)  # x * x reads x twice: the second line stands beside the first
            shift = PORT * (max(-1, min(1, crossed[-1] - found.column[step.id])) + same)
            points = [center(found.column[k], found.layer[k])]
            for offset, column in enumerate(found.via.get((k, step.id), ())):
                points.append(center(column, found.layer[k] + 1 + offset))
            points.append((here[0] + shift, here[1]))
            lines.append(_edge(points, steps[k], step, passed.get((step.id, position)), largest))
        cards.append(_card(step, here, step.id == record.loss))
    return (
        f'<svg class="graph" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group" '
        'aria-label="computation graph" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="forward" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" class="head-forward"/></marker>'
        '<marker id="back" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        '<path d="M0 0 8 4 0 8z" class="head-back"/></marker></defs>'
        f"{''.join(lines)}{''.join(cards)}</svg>"
    )


def _size(numbers: Any) -> float:
    array = np.abs(np.asarray(numbers, dtype=complex)) if not isinstance(numbers, tuple) else np.zeros(0)
    finite = array[np.isfinite(array)]
    return float(finite.max()) if finite.size else 0.0


def _half_height(step: Step) -> float:
    return (PILL_HEIGHT if step.helper else CARD_HEIGHT) / 2


def _curve(points: list[tuple[float, float]]) -> str:
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        bend = (y2 - y1) * 0.45
        text += f"C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    return text


def _edge(points: list[tuple[float, float]], x: Step, y: Step, passed: tuple[int, Edge] | None, largest: float) -> str:
    """The line that carries the value down and, where a gradient came back, the one that carries it up."""
    points = list(points)
    points[0] = (points[0][0], points[0][1] + _half_height(x))
    points[-1] = (points[-1][0], points[-1][1] - _half_height(y) - 2)
    if passed is None:
        return f'<path class="value-line" d="{_curve(points)}" marker-end="url(#forward)"/>'
    k, edge = passed
    shifted = [(px - GAP, py) for px, py in points]
    forward = f'<path class="value-line" d="{_curve(shifted)}" marker-end="url(#forward)"/>'
    returning = [(px + GAP, py + (4 if k == 0 else 0)) for k, (px, py) in enumerate(points)]
    size = _size(edge.contribution)
    share = np.sqrt(size / largest) if largest else 0.0
    middle = len(points) // 2
    (x1, y1), (x2, y2) = returning[middle - 1], returning[middle]
    text = (
        number(np.asarray(edge.contribution).flat[0], 3) if np.size(edge.contribution) == 1 else f"±{number(size, 3)}"
    )
    name = f"gradient from {y.label} to {x.label}: {summary(edge.contribution)}"
    at_x, at_y = (x1 + x2) / 2, (y1 + y2) / 2
    half = 3.4 * len(text) + 5
    return (
        f'{forward}<g class="back-edge" data-edge="{k}" tabindex="0" role="button" aria-label="{escape(name)}">'
        f"<title>{escape(name)}</title>"
        f'<path class="touch" d="{_curve(returning)}"/>'
        f'<path class="back-line" d="{_curve(returning)}" marker-start="url(#back)" '
        f'style="stroke-width:{1.2 + 2.4 * share:.2f}"/>'
        f'<rect class="label-box" x="{at_x - half + 16:.1f}" y="{at_y - 9:.1f}" '
        f'width="{2 * half:.1f}" height="18" rx="9"/>'
        f'<text class="back-label" x="{at_x + 16:.1f}" y="{at_y + 3.5:.1f}">{escape(text)}</text></g>'
    )


def _card(step: Step, at: tuple[float, float], is_loss: bool) -> str:
    name = f"{step.label}, {step.operation}, shape {step.shape}, value {summary(step.value)}"
    kind = "helper" if step.helper else "loss" if is_loss else step.kind
    open_tag = (
        f'<g class="node {kind}" data-step="{step.id}" tabindex="0" role="button" aria-label="{escape(name)}" '
        f'transform="translate({at[0]:.1f} {at[1]:.1f})"><title>{escape(name)}</title>'
    )
    if step.helper:
        return (
            f'{open_tag}<rect class="card" x="{-PILL_WIDTH / 2}" y="{-PILL_HEIGHT / 2}" width="{PILL_WIDTH}" '
            f'height="{PILL_HEIGHT}" rx="12"/>'
            f'<text class="pill" y="4">{escape(step.operation.split("_")[0])}</text></g>'
        )
    x, y = -CARD_WIDTH / 2, -CARD_HEIGHT / 2
    title = _short(step.name or _title(step), 14)
    role = step.operation if step.kind == "call" and title != step.operation else "×".join(map(str, step.shape or ()))
    if 8 * len(title) + 6 * len(role) > CARD_WIDTH - 20:  # roughly the widths of their letters
        role = ""
    body = f'<text class="value" y="{y + 44}">{escape(summary(step.value))}</text>'
    if isinstance(step.value, tuple):
        body = f'<text class="number" x="{x + 10}" y="{y + 40}">{len(step.value)} × …</text>'
    elif np.size(step.value) != 1:
        body = (
            f'<text class="number" x="{x + 10}" y="{y + 34}">{escape(_short(summary(step.value), 18))}</text>'
            f"{_strip(step.value, x + 10, y + 42, CARD_WIDTH - 20)}"
        )
    return (
        f'{open_tag}<rect class="card" x="{x}" y="{y}" width="{CARD_WIDTH}" height="{CARD_HEIGHT}" rx="10"/>'
        f'<text class="name" x="{x + 10}" y="{y + 18}">{escape(title)}</text>'
        f'<text class="operation" x="{-x - 10}" y="{y + 18}">{escape(role)}</text>{body}</g>'
    )


def _title(step: Step) -> str:
    """What an unnamed value is called in the drawing: how it is made where that is short, ``x @ W1``."""
    return step.formula if step.kind == "call" and len(step.formula) <= 14 else step.operation


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _strip(value: Any, x: float, y: float, width: float) -> str:
    """The numbers as a strip of colours: warm for positive, cool for negative, stronger for larger."""
    if isinstance(value, tuple) or np.asarray(value).dtype.kind not in "iuf" or not np.size(value):
        return ""
    array = np.asarray(value, dtype=float)
    table = array.reshape(1, -1) if array.ndim < 2 else array.reshape(-1, array.shape[-1])
    table = _coarse(_coarse(table, STRIP_ROWS).T, STRIP_COLUMNS).T
    largest = _size(table) or 1.0
    rows, columns = table.shape
    cell_width, cell_height = width / columns, STRIP_HEIGHT / rows
    cells = []
    for i, j in np.ndindex(rows, columns):
        share = min(abs(table[i, j]) / largest, 1.0) if np.isfinite(table[i, j]) else 1.0
        sign = "pos" if table[i, j] >= 0 else "neg"
        cells.append(
            f'<rect class="{sign}" x="{x + j * cell_width:.2f}" y="{y + i * cell_height:.2f}" '
            f'width="{cell_width:.2f}" height="{cell_height:.2f}" fill-opacity="{share:.2f}"/>'
        )
    return f'<rect class="strip" x="{x}" y="{y}" width="{width}" height="{STRIP_HEIGHT}"/>' + "".join(cells)


def _coarse(table: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    """At most ``most`` rows: of each group of rows the entry with the largest magnitude."""
    if len(table) <= most:
        return table
    groups = np.array_split(table, most)
    return np.array([np.take_along_axis(g, np.abs(g).argmax(0)[None], 0)[0] for g in groups])
