"""The explanation as one self-contained HTML page: drawing, numbers, words and code from one JSON record.

The page loads nothing: styles, script and data are inside it, and its content security policy forbids the rest.
Everything that comes from the user's code is escaped.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import language
from backlight.explain.derivation import Derivation
from backlight.explain.draw import draw
from backlight.explain.record import Edge, Explanation, Step
from backlight.explain.words import derivation_text

__all__ = ["Bars", "Both", "Curve", "Picture", "Story", "page", "page_data"]


class Both(NamedTuple):
    """A text in English and in Chinese."""

    en: str
    zh: str


class Picture(NamedTuple):
    """What went in: a grey image, 0 for paper and 1 for ink."""

    pixels: np.ndarray[Any, Any]
    caption: Both


class Bars(NamedTuple):
    """What came out: a share for every class, before and after the step."""

    names: tuple[str, ...]
    before: np.ndarray[Any, Any]
    after: np.ndarray[Any, Any]
    truth: int
    caption: Both


class Curve(NamedTuple):
    """How training went: the loss and the held-out accuracy after every epoch."""

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    caption: Both


class Story(NamedTuple):
    """What stands around the graph: title, introduction, and the pictures that belong to it."""

    title: Both
    introduction: Both
    picture: Picture | None = None
    bars: Bars | None = None
    curve: Curve | None = None


def page(explanation: Explanation, story: Story, derivation: Derivation | None = None) -> str:
    """The whole page as HTML text.

    >>> import backlight
    >>> from backlight.explain import explain
    >>> x = backlight.array(3.0, name="x")
    >>> html = page(explain(x * x), Story(Both("A square", "平方"), Both("", "")))
    >>> html.startswith("<!doctype html>"), "http://" in html.replace("http://www.w3.org/2000/svg", "")
    (True, False)
    """
    folder = files("backlight.explain")
    # `<` never stands in the JSON, so that no text in it can end the script element or start a comment.
    data = json.dumps(page_data(explanation, story, derivation), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "lang": language(),
        "title": escape(story.title.zh if language() == "zh" else story.title.en),
        "heading": _both(story.title),
        "introduction": _both(story.introduction),
        "graph": draw(explanation.record),
        "css": folder.joinpath("page.css").read_text("utf-8"),
        "js": folder.joinpath("page.js").read_text("utf-8"),
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    }
    html = ""
    for piece in folder.joinpath("page.html").read_text("utf-8").split("{{"):
        name, found, rest = piece.partition("}}")
        html += parts[name] + rest if found else piece
    return html


def _both(text: Both) -> str:
    return f'<span lang="en">{escape(text.en)}</span><span lang="zh">{escape(text.zh)}</span>'


def page_data(explanation: Explanation, story: Story, derivation: Derivation | None = None) -> dict[str, Any]:
    """The record as JSON holds it; every array is stored once, and steps and edges refer to it by its number."""
    record = explanation.record
    arrays = _Arrays()
    return {
        "loss": record.loss,
        "steps": [_step(step, arrays) for step in record.steps],
        "edges": [_edge(edge, arrays) for edge in record.edges],
        "code": {_short(file): [[k, text] for k, text in lines.items()] for file, lines in record.code.items()},
        "derivation": None if derivation is None else _derivation(explanation, derivation),
        "story": {
            "picture": story.picture
            and {"pixels": arrays.enter(story.picture.pixels), "caption": story.picture.caption._asdict()},
            "bars": story.bars
            and {
                "names": story.bars.names,
                "before": [float(share) for share in story.bars.before],
                "after": [float(share) for share in story.bars.after],
                "truth": story.bars.truth,
                "caption": story.bars.caption._asdict(),
            },
            "curve": story.curve and story.curve._asdict() | {"caption": story.curve.caption._asdict()},
        },
        "arrays": arrays.stored,
    }


class _Arrays:
    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []
        self.known: dict[tuple[Any, ...], int] = {}

    def enter(self, numbers: Any) -> int | list[int] | None:
        """The number under which an array is stored (a list of them for a tuple)."""
        if numbers is None:
            return None
        if isinstance(numbers, tuple):
            return [k for member in numbers if isinstance(k := self.enter(member), int)]
        array = np.asarray(numbers)
        key = (array.shape, array.dtype.str, array.tobytes())
        if key not in self.known:
            self.known[key] = len(self.stored)
            self.stored.append({"shape": array.shape, "data": [_plain(number) for number in array.ravel().tolist()]})
        return self.known[key]


def _plain(number: Any) -> Any:
    """JSON has no NaN, infinity or complex numbers: they travel as text."""
    if isinstance(number, float) and not np.isfinite(number):
        return {np.inf: "Infinity", -np.inf: "-Infinity"}.get(number, "NaN")
    return str(number) if isinstance(number, complex) else number


def _short(file: str) -> str:
    return file.replace("\\", "/").rsplit("/", 1)[-1]


def _step(step: Step, arrays: _Arrays) -> dict[str, Any]:
    source = step.source
    return {
        "label": step.label,
        "operation": step.operation,
        "kind": step.kind,
        "helper": step.helper,
        "shape": step.shape,
        "dtype": step.dtype,
        "params": step.params,
        "value": arrays.enter(step.value),
        "gradient": arrays.enter(step.gradient),
        "inputs": step.inputs,
        "formula": step.formula,
        "source": source and {"file": _short(source.file), "line": source.line, "function": source.function},
        "statement": step.statement,
        "scope": step.scope,
        "why": step.why and step.why._asdict(),
    }


def _edge(edge: Edge, arrays: _Arrays) -> dict[str, Any]:
    return {
        "step": edge.step,
        "input": edge.input,
        "to": edge.to,
        "gradient": arrays.enter(edge.gradient),
        "local": arrays.enter(edge.local),
        "rule": edge.rule,
        "contribution": arrays.enter(edge.contribution),
        "running": arrays.enter(edge.running),
        "readers": edge.readers,
    }


def _derivation(explanation: Explanation, derivation: Derivation) -> dict[str, Any]:
    english = derivation_text(explanation, derivation, "en")
    chinese = derivation_text(explanation, derivation, "zh")
    lines = [{"role": role, "en": en, "zh": zh} for (role, en), (_, zh) in zip(english, chinese, strict=True)]
    value = _plain(np.asarray(derivation.value).item())
    return {"label": derivation.label, "index": derivation.index, "value": value, "lines": lines}
