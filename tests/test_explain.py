"""The laws of an explanation: contributions sum to gradients, numbers are the graph's own, derivations evaluate."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import backlight
from backlight.demo.network import cross_entropy, initial_parameters
from backlight.errors import ArgumentError, NonScalarError
from backlight.explain import derive, explain
from backlight.explain.derivation import evaluate, leaves
from backlight.explain.draw import draw, layout, visible
from backlight.explain.formula import formula, unfolded
from backlight.explain.page import Both, Story, page, page_data
from backlight.explain.table import backward_lines, backward_rows, backward_table
from backlight.explain.words import derivation_text
from backlight.primitive import REGISTRY

STORY = Story(Both("A title", "标题"), Both("An introduction", "介绍"))


def network_loss(images=3):
    rng = np.random.default_rng(0)
    parameters = {k: backlight.array(v, name=k) for k, v in initial_parameters(rng, 6, 4, 3).items()}
    x = rng.uniform(size=(images, 6))
    return cross_entropy(parameters, x, np.arange(images) % 3), list(parameters.values())


def residual_loss():
    x = backlight.array([[0.5, -1.0], [2.0, 0.25]], name="x")
    y = np.tanh(x) * x + x.T[::-1]
    return np.sum(y[0] * y[1:] + np.exp(-(y**2))), [x]


def split_loss():
    x = backlight.array(np.linspace(0.5, 2.0, 6), name="x")
    low, high = np.split(x, 2)
    return np.mean(np.concatenate([low * high, high, np.sqrt(low)])), [x]


def single_precision_loss():
    w = backlight.array(np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), name="w")
    return np.sum(np.tanh(np.array([[0.5, 2.0]], np.float32) @ w) ** 2), [w]


def several_outputs_loss():
    a = backlight.array([[2.0, 0.5], [0.5, 1.0]], name="a")
    values, vectors = np.linalg.eigh(a)
    return np.sum(values**3) + np.sum(vectors[:, 0] ** 4), [a]


def one_image_loss():
    return network_loss(images=1)


LOSSES = [network_loss, one_image_loss, residual_loss, split_loss, single_precision_loss, several_outputs_loss]


@pytest.fixture(params=LOSSES, ids=lambda make: make.__name__)
def explanation(request):
    loss, wrt = request.param()
    return explain(loss, wrt)


def members(numbers):
    return numbers if isinstance(numbers, tuple) else (numbers,)


def test_contributions_sum_to_the_gradient(explanation):
    record = explanation.record
    for step in record.steps:
        arriving = [edge for edge in record.edges if edge.to == step.id]
        if isinstance(step.gradient, tuple):
            for edge in arriving:
                k = int(record.steps[edge.step].params["k"])
                np.testing.assert_array_equal(edge.contribution, step.gradient[k])
        elif arriving:
            total = sum(np.asarray(edge.contribution) for edge in arriving)
            noise = 10 * np.finfo(step.dtype).eps
            np.testing.assert_allclose(total, step.gradient, rtol=noise, atol=noise)
            np.testing.assert_array_equal(arriving[-1].running, step.gradient)
            np.testing.assert_array_equal(arriving[0].running, arriving[0].contribution)


def test_local_times_incoming_is_the_contribution(explanation):
    seen = 0
    for edge in explanation.record.edges:
        if edge.local is not None:
            expected = np.asarray(edge.gradient) * np.asarray(edge.local)
            np.testing.assert_allclose(np.broadcast_to(expected, np.shape(edge.contribution)), edge.contribution)
            seen += 1
    assert seen


def test_numbers_are_the_graphs_own(explanation):
    record = explanation.record
    for step, node in zip(record.steps, explanation.nodes, strict=True):
        assert step.value is node.value
        if step.shape is not None and node in explanation.gradients:
            assert step.gradient is explanation.gradients[node].node.value


def test_gradients_agree_with_backward():
    loss, wrt = network_loss()
    found = explain(loss, wrt).record
    loss.backward()
    for array in wrt:
        np.testing.assert_array_equal(found.step(array.name).gradient, array.grad.value)


def test_every_edge_has_words_and_a_place(explanation):
    record = explanation.record
    for edge in record.edges:
        step = record.steps[edge.step]
        assert step.why is not None
        assert step.why.en.strip()
        assert step.why.zh.strip()
        assert edge.rule
        assert step.source is not None
        assert step.statement in record.code[step.source.file][step.source.line]


def test_labels_are_unique_and_know_the_users_names():
    loss, wrt = network_loss()
    record = explain(loss, wrt).record
    labels = [step.label for step in record.steps]
    assert len(set(labels)) == len(labels)
    assert {"W1", "b1", "W2", "b2", "z", "h", "scores", "loss"} <= set(labels)


def test_rules_are_printed_from_what_was_traced():
    loss, wrt = network_loss()
    record = explain(loss, wrt).record
    rules = {(record.steps[e.step].label, record.steps[e.to].label): e.rule for e in record.edges}
    assert rules["h", "z"] == "y · sigmoid(−x)"
    assert rules["matmul₁", "W1"] == "x1ᵀ @ g"
    assert rules["matmul₂", "h"] == "g @ x2ᵀ"


def test_an_input_that_does_not_reach_the_loss_has_gradient_zero():
    x, idle = backlight.array(2.0, name="x"), backlight.array([1.0, 2.0], name="idle")
    record = explain(x * x, [x, idle]).record
    np.testing.assert_array_equal(record.step("idle").gradient, [0.0, 0.0])


# -- Derivations -----------------------------------------------------------------------------------------------------


def derivations(explanation):
    for step in explanation.record.steps:
        if step.gradient is not None and step.shape is not None:
            for index in np.ndindex(step.shape):
                yield derive(explanation, step.label, index)


def test_every_line_evaluates_to_its_value(explanation):
    for derivation in derivations(explanation):
        for line in derivation.lines:
            scale = sum(abs(leaf.value) for leaf in leaves(line.expression)) + abs(line.value)
            noise = 50 * float(np.finfo(line.value.dtype).eps)
            assert evaluate(line.expression) == pytest.approx(line.value, rel=noise, abs=float(noise * scale)), (
                line.target
            )


def test_lines_use_only_what_stands_above(explanation):
    for derivation in derivations(explanation):
        known = set()
        for line in derivation.lines:
            for leaf in leaves(line.expression):
                if leaf.gradient:
                    assert (leaf.step, leaf.index) in known
            known.add((line.step, line.index))
        assert derivation.lines[-1].label == derivation.label
        assert derivation.lines[-1].index == derivation.index
        step = explanation.record.step(derivation.label)
        assert derivation.value == np.asarray(step.gradient)[derivation.index]


def calculate(text):
    """Evaluate a printed formula with the registry's own functions."""
    names = {
        record.name: lambda *v, f=record.value: f(*map(np.float64, v)) for record in REGISTRY if record.name in text
    }
    code = text.replace("−", "-").replace("·", "*").replace("²", "**2").replace("^", "**")
    assert re.fullmatch(r"[\w\s.+*/()-]*", code), text
    return eval(code, {"__builtins__": {}}, names)  # noqa: S307  numbers and known names only


@pytest.mark.parametrize("make", [network_loss, one_image_loss, residual_loss])
def test_every_printed_line_evaluates_to_the_number_printed(make):
    loss, wrt = make()
    explanation = explain(loss, wrt)
    checked = 0
    for derivation in derivations(explanation):
        terms = []
        for role, text in derivation_text(explanation, derivation):
            if role == "term":
                work, result = text.split("   ⟵ ")[0].split(" = ")
                terms.append(calculate(result))
            elif role == "numbers":
                _, *middle, result = text.split(" = ")
                work = middle[-1] if middle and "∂" not in middle[-1] else result
                if terms:
                    scale = sum(map(abs, terms))
                    assert sum(terms) == pytest.approx(calculate(result), rel=1e-5, abs=1e-5 * scale), text
                    terms = []
            else:
                continue
            scale = sum(abs(calculate(number)) for number in re.findall(r"\d[\d.]*(?:e[+−]\d+)?", work))
            assert calculate(work) == pytest.approx(calculate(result), rel=3e-5, abs=3e-6 * scale), text
            checked += 1
    assert checked > 10


def test_derive_refuses_what_is_not_there():
    loss, wrt = network_loss()
    explanation = explain(loss, wrt)
    with pytest.raises(ArgumentError, match="W1"):
        derive(explanation, "W9", (0, 0))
    with pytest.raises(ArgumentError, match=r"\(6, 4\)"):
        derive(explanation, "W1", (6, 0))
    with pytest.raises(ArgumentError, match="W1"):
        derive(explanation, "W1", (0,))


def test_explain_refuses_what_is_not_one_number():
    with pytest.raises(NonScalarError, match="x"):
        explain(backlight.array([1.0, 2.0], name="x") * 2)


# -- Faces -----------------------------------------------------------------------------------------------------------


def test_table_has_a_row_for_every_edge(explanation):
    rows = list(backward_rows(explanation.record))
    assert len(rows) == len(explanation.record.edges)
    assert backward_table(explanation.record).row_count == len(rows)
    assert len(list(backward_lines(explanation.record))) == 5 * len(rows)


def test_layout_puts_every_step_above_its_readers_and_apart(explanation):
    found = layout(explanation.record)
    drawn = visible(explanation.record)
    for step in drawn:
        assert all(found.layer[k] < found.layer[step.id] for k in step.inputs if k in found.layer)
    places = [(found.layer[step.id], found.column[step.id]) for step in drawn]
    assert len(set(places)) == len(places)


def test_drawing_shows_every_visible_step_and_edge(explanation):
    svg = draw(explanation.record)
    for step in visible(explanation.record):
        assert f'data-step="{step.id}"' in svg
    drawn = {step.id for step in visible(explanation.record)}
    for k, edge in enumerate(explanation.record.edges):
        assert (f'data-edge="{k}"' in svg) == (edge.step in drawn and edge.to in drawn)


def test_page_holds_the_same_numbers(explanation):
    label = next(s.label for s in explanation.record.steps if s.kind == "input")
    index = (0,) * len(explanation.record.step(label).shape)
    html = page(explanation, STORY, derive(explanation, label, index))
    data = json.loads(re.search(r'<script type="application/json" id="record">(.*?)</script>', html, re.S).group(1))
    for step, held in zip(explanation.record.steps, data["steps"], strict=True):
        numbers = [data["arrays"][k] for k in (held["value"] if isinstance(held["value"], list) else [held["value"]])]
        for array, expected in zip(numbers, members(step.value), strict=True):
            np.testing.assert_array_equal(np.reshape(array["data"], array["shape"]), expected)
    for edge, held in zip(explanation.record.edges, data["edges"], strict=True):
        np.testing.assert_array_equal(data["arrays"][held["contribution"]]["data"], np.ravel(edge.contribution))


def test_page_loads_nothing_from_outside():
    loss, wrt = network_loss()
    html = page(explain(loss, wrt), STORY)
    assert "default-src 'none'" in html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\s\"'<)]+", html)) <= {"http://www.w3.org/2000/svg"}


def test_page_escapes_what_users_write():
    evil = "</script><img src=x onerror=alert(1)>"
    x = backlight.array(2.0, name=evil)
    html = page(explain(x * x), Story(Both(evil, evil), Both(evil, evil)))
    assert evil not in html
    assert "<img" not in html
    assert html.count("</script>") == 2


def test_numbers_that_json_lacks_travel_as_text():
    x = backlight.array([0.0, 1.0], name="x")
    with np.errstate(all="ignore"):
        loss = np.sum(x / np.array([0.0, 1.0]) + x * np.array([0.0, np.inf]))
    data = page_data(explain(loss), STORY)
    text = json.dumps(data, allow_nan=False)
    assert '"NaN"' in text
    assert '"Infinity"' in text


def test_long_formulas_name_their_parts():
    x = backlight.array(0.5, name="x")
    part = (1 - x) * (2 + x)
    assert unfolded((part / (1 + part)).node, {x.node: "x"}) == ("a / (1 + a)", [("a", "(1 − x) · (2 + x)")])


@pytest.mark.parametrize(
    ("shape", "expected"), [((2, 1), "x[:, None]"), ((1, 2), "x"), ((2,), "x"), ((1, 2, 1), "x[:, None]")]
)
def test_new_axes_are_written_where_broadcasting_needs_them(shape, expected):
    x = backlight.array([1.0, 2.0], name="x")
    assert formula(np.reshape(x, shape).node, {x.node: "x"}) == expected


def test_the_graph_can_be_zoomed_and_stepped_without_a_mouse():
    html = page(explain(network_loss()[0]), STORY)
    for control in ("zoom-in", "zoom-out", "zoom-fit", "previous", "play", "next"):
        assert f'id="{control}"' in html
    assert html.count('tabindex="0"') > 10
