"""The measured peak: plausible, measured once, and only believed where it could be true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backlight.compiler import cache, roofline
from backlight.compiler.build import compile_text, processor
from backlight.compiler.ir import Module
from backlight.compiler.roofline import KINDS, Peak, measure, peak

GOOD = {dtype: [1e11, 1e10, 1e11, 2e11] for dtype in KINDS}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, and short rounds."""
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BACKLIGHT_TUNING", raising=False)
    monkeypatch.setattr(roofline, "SECONDS", 0.005)
    monkeypatch.setattr(roofline, "MOST_MEMORY", 8 << 20)
    roofline._peaks.cache_clear()
    yield tmp_path
    roofline._peaks.cache_clear()


def test_the_peak_is_plausible(folder: Path) -> None:
    found = measure(1)
    assert set(found) == set(KINDS)
    single, double = found["float32"], found["float64"]
    assert 1e8 < double.flops_per_second < 1e13
    # Twice as many lanes in a vector; a shared machine may be in the way of either.
    assert 1.2 < single.flops_per_second / double.flops_per_second < 3.5
    assert single.bytes_per_second == double.bytes_per_second > 1e8
    assert single.l1_bytes_per_second > 0.5 * single.bytes_per_second
    assert single.l2_bytes_per_second > 0.5 * single.bytes_per_second


@pytest.mark.parametrize("threads", [2, 3])
def test_several_threads_are_counted_together(folder: Path, threads: int) -> None:
    assert all(figure > 1e8 for figure in measure(threads)["float32"])


def test_every_vector_width_can_be_measured(folder: Path) -> None:
    assert measure(1, processor(4))["float32"].flops_per_second > 1e8


def test_the_products_are_not_optimised_away() -> None:
    """The loop over registers holds every multiply-add, and the loop over memory every load and store."""
    target, module = processor(), Module()
    roofline._write_arithmetic(module, "sums", "float", target)
    roofline._write_memory(module, target)
    assembly = compile_text(str(module), ["sums", "memory"], cached=False).assembly
    if target.fused and "x86_64" in target.triple:
        products = sum("fmadd" in line for line in assembly.splitlines())
        assert products >= roofline._sums(target)


def test_it_is_measured_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = peak(1), peak(1, np.float64)
    monkeypatch.setattr(roofline, "measure", lambda *_: pytest.fail("measured again"))
    assert (peak(1, "float32"), peak(1, np.dtype(np.float64))) == first
    roofline._peaks.cache_clear()
    assert (peak(1), peak(1, np.float64)) == first
    assert any(entry.name == "peak of 1 thread" for entry in cache.entries())


def test_it_is_measured_for_each_number_of_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    made = {dtype: Peak(*figures) for dtype, figures in GOOD.items()}
    monkeypatch.setattr(roofline, "measure", lambda threads, target: asked.append(threads) or made)
    assert peak(1) == peak(2) == peak(1)
    assert asked == [1, 2]


@pytest.mark.parametrize(("pace", "remembered"), [(1e11, False), (1.9e11, True)])
def test_what_a_busy_machine_did_is_not_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pace: float, remembered: bool
) -> None:
    monkeypatch.setattr(roofline, "available_cores", lambda: 2)
    pace_of = {1: 1e11, 2: pace}
    monkeypatch.setattr(
        roofline,
        "measure",
        lambda threads, target: {dtype: Peak(pace_of[threads], 1e10, 1e11, 2e11) for dtype in KINDS},
    )
    found = peak(2)
    assert found is not None
    assert found.flops_per_second == pace
    assert ("peak of 2 threads" in {entry.name for entry in cache.entries()}) is remembered


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"null", b"\xff", b'{"float32": [1e11, 1e10, 1e11, 1e11]}', b'{"float32": 1, "float64": 1}',
     b'{"float32": [1e11], "float64": [1e11]}', b'{"float32": "fast", "float64": "slow"}'],
)  # fmt: skip
def test_damaged_figures_are_not_believed(payload: bytes) -> None:
    assert roofline._read(payload) is None


def test_absurd_figures_are_not_believed() -> None:
    assert roofline._read(json.dumps(GOOD).encode()) == {dtype: Peak(*figures) for dtype, figures in GOOD.items()}
    for wrong in (0.0, -1.0, float("nan"), float("inf"), 1e30):
        assert roofline._read(json.dumps(GOOD | {"float64": [1e11, wrong, 1e11, 1e11]}).encode()) is None


def test_a_damaged_entry_is_measured_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peak(1)
    for entry in cache.entries():
        cache.store(entry.key, b"{}", {"name": "damaged"})
    made = {dtype: Peak(*figures) for dtype, figures in GOOD.items()}
    monkeypatch.setattr(roofline, "measure", lambda *_: made)
    roofline._peaks.cache_clear()
    assert peak(1) == made["float32"]


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "_peaks", lambda *_: pytest.fail("measured"))
    monkeypatch.setenv("BACKLIGHT_TUNING", "off")
    assert peak(1) is None


def test_without_a_cache_it_is_measured_in_every_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_CACHE", "off")
    assert peak(1) == peak(1)


def test_the_longer_of_arithmetic_and_memory_counts() -> None:
    both = Peak(flops_per_second=100.0, bytes_per_second=10.0, l2_bytes_per_second=20.0, l1_bytes_per_second=40.0)
    assert both.seconds(200, 10) == 2
    assert both.seconds(100, 50) == 5
