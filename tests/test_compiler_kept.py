"""Plans on the disk: found again, told apart by everything that matters, and never believed when damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled import WAYS, alike, graph_of, way

import backlight
from backlight.compiler import cache, kept
from backlight.compiler.kept import key_of
from backlight.compiler.native import Native
from backlight.interpret import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
W = np.sin(np.arange(18.0)).astype(np.float32).reshape(6, 3)
TABLE = np.cos(np.arange(40.0)).astype(np.float32)


def layer(x: Any, w: Any) -> Any:
    return np.tanh(x @ w) * TABLE[:3] + TABLE[5:17].reshape(4, 3)


@pytest.mark.parametrize("name", WAYS)
def test_the_second_time_nothing_is_planned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with way(name):
        first = Native(graph_of(layer, (X, W)))
        again = graph_of(layer, (X, W))
        monkeypatch.setattr("backlight.compiler.native.hoisted", None)  # planning would call it
        second = Native(again)
    assert (first.is_kept, second.is_kept) == (False, True)
    expected = run(again, X, W)
    for native in (first, second):
        alike(native([X, W]), expected)
    assert second.threads == first.threads
    assert second.machine.code == first.machine.code


def test_what_was_kept_can_still_be_explained() -> None:
    Native(graph_of(layer, (X, W)))
    native = Native(graph_of(layer, (X, W)))
    assert native.is_kept
    assert "define void @run" in native.llvm()
    assert str(native.explain(measure=False))


VARIANTS = {
    "another constant": lambda x, w: np.tanh(x @ w) * TABLE[1:4] + TABLE[5:17].reshape(4, 3),
    "another number": lambda x, w: np.tanh(x @ w) * 1.5,
    "nearly that number": lambda x, w: np.tanh(x @ w) * np.nextafter(1.5, 2),
    "another function": lambda x, w: np.sinh(x @ w) * 1.5,
    "another order of inputs": lambda x, w: np.tanh((w.T @ x.T).T) * 1.5,
    "another axis": lambda x, w: np.sum(x @ w, axis=0),
    "the other axis": lambda x, w: np.sum(x @ w, axis=1),
    "a loop": lambda x, w: backlight.scan(lambda c, r: (c + r, c), x[0], x)[1],
    "another loop": lambda x, w: backlight.scan(lambda c, r: (c - r, c), x[0], x)[1],
}


def test_different_graphs_have_different_keys() -> None:
    graphs = [graph_of(function, (X, W)) for function in (layer, *VARIANTS.values())]
    for inputs in ((X[:3], W), (X.astype(np.float64), W.astype(np.float64))):
        graphs.append(graph_of(VARIANTS["another number"], inputs))
    keys = [key_of(graph, donated, 2000) for graph in graphs for donated in ((), (0,))]
    assert "" not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(graphs[0], (), 2000) == key_of(graph_of(layer, (X, W)), (), 2000)


def test_a_derivative_with_code_of_its_own_has_no_key() -> None:
    @backlight.custom_gradient
    def twice(x: Any) -> Any:
        return 2 * x

    twice.derivative(lambda x, y, g: 3 * g)
    graph = graph_of(twice, (X,))
    assert any(getattr(node.primitive, "transient", False) for node in graph.nodes)
    assert key_of(graph, (), 2000) == ""


def test_a_damaged_plan_is_built_anew(folder: Path) -> None:
    graph = graph_of(layer, (X, W))
    expected = run(graph, X, W)
    Native(graph)
    name = key_of(graph, (), 2000)
    whole = (folder / name).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << random.integers(8)
        (folder / name).write_bytes(damaged)
        (folder / name).chmod(0o600)
        native = Native(graph_of(layer, (X, W)))
        assert not native.is_kept
        alike(native([X, W]), expected)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:length])
        assert not Native(graph_of(layer, (X, W))).is_kept


@pytest.mark.parametrize(
    "metadata", [{}, {"code": "x"}, {"code": 10, "constants": [["nonsense", 3]]}, {"code": 1, "constants": 5}]
)
def test_facts_that_make_no_sense_are_not_believed(metadata: Any) -> None:
    name = "0" * 64
    cache.store(name, b"payload", metadata)
    assert kept.find(name) is None


def test_large_constants_are_not_copied_to_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 16)
    Native(graph_of(layer, (X, W)))
    with way("kernels"):
        assert not Native(graph_of(layer, (X, W))).is_kept


def test_without_a_cache_everything_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_CACHE", "off")
    graph = graph_of(layer, (X, W))
    for _ in range(2):
        native = Native(graph)
        assert not native.is_kept
        alike(native([X, W]), run(graph, X, W))
