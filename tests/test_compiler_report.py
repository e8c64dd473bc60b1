"""What ``plan.explain()`` and ``backlight plan`` say of a plan: the numbers, the lines, and both languages."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled import graph_of, way
from rich.cells import cell_len
from rich.console import Console
from test_compiler_records import CASES

import backlight
from backlight.cli import main
from backlight.compiler import report as reports
from backlight.compiler.epoch import Epoch
from backlight.compiler.native import Native
from backlight.compiler.plan import Uncompilable
from backlight.compiler.report_counts import touched
from backlight.compiler.report_texts import amount, count, duration
from backlight.compiler.roofline import Peak
from backlight.compiler.views import View
from backlight.errors import ArgumentError
from backlight.primitive import Elementwise

RNG = np.random.default_rng(0)
PEAK = Peak(1e11, 1e10, 1e11, 2e11)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.fixture(autouse=True)
def english(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path_factory.getbasetemp() / "report-cache"))
    monkeypatch.setattr(reports, "peak", lambda threads, dtype: PEAK)
    monkeypatch.setattr(reports, "SECONDS", 0.0)
    monkeypatch.setattr(reports, "ROUNDS", 2)


def network(p, x):
    hidden = np.tanh(x @ p["W1"] + p["b1"])
    return hidden @ p["W2"]


def loss(p, x, y):
    return np.mean((network(p, x) - y) ** 2)


def step(p, x, y):
    value, gradient = backlight.value_and_grad(loss)(p, x, y)
    return value, {name: p[name] - np.float32(0.1) * gradient[name] for name in p}


def parameters():
    return {"W1": floats(40, 24), "b1": floats(24), "W2": floats(24, 8)}


def line(text):
    """The number of the line in this file that contains ``text`` first."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, each in enumerate(lines, 1) if text in each)


@pytest.fixture(scope="module")
def plan():
    compiled = backlight.compile(step, threads=2)
    compiled(parameters(), floats(32, 40), floats(32, 8))
    return compiled.plan


@pytest.fixture(scope="module")
def loop_plan():
    def run(p, xs, ys):
        def one(p, batch):
            value, p = step(p, *batch)
            return p, value

        return backlight.scan(one, p, (xs, ys))

    compiled = backlight.compile(run, threads=1)
    compiled(parameters(), floats(5, 32, 40), floats(5, 32, 8))
    return compiled.plan


# -- Numbers -------------------------------------------------------------------------------------------------------


def test_products_and_what_is_fused_into_them(plan):
    first = plan.explain(measure=False).kernels[0]
    assert first.what == "matrix product 32×40 · 40×24"
    assert [m.operation for m in first.mappings if not m.is_backward] == ["matmul", "add", "tanh"]
    assert first.mappings[0].operations == 2 * 32 * 40 * 24
    assert first.mappings[1].operations == 32 * 24
    tanh = next(m for m in first.mappings if m.operation == "tanh")
    assert (tanh.name, Path(tanh.file).name, tanh.line) == ("hidden", Path(__file__).name, line("hidden = np.tanh"))
    backward = next(m for m in first.mappings if m.is_backward)
    assert (backward.of, backward.name) == ("tanh", "hidden")
    assert first.read == 4 * (32 * 40 + 40 * 24 + 24)
    assert "tile" in first.why
    assert amount(first.kept) in first.why


def test_every_product_counts_two_operations_for_each_multiplication(plan):
    report = plan.explain(measure=False)
    products = [row for row in report.kernels if row.kind == "product"]
    sizes = sorted(m.operations for row in products for m in row.mappings if m.operation == "matmul")
    assert sizes == sorted([2 * 32 * 40 * 24] * 2 + [2 * 32 * 24 * 8] * 3)
    assert report.operations == sum(row.operations for row in report.kernels)


def test_bytes_of_simple_maps():
    with way("kernels"):
        compiled = backlight.compile(lambda x, y: np.exp(x) + y, threads=1)
        compiled(floats(64, 32), floats(32))
        (row,) = compiled.plan.explain(measure=False).kernels
    assert (row.read, row.written) == (4 * (64 * 32 + 32), 4 * 64 * 32)
    assert row.operations == 11 * 64 * 32  # a function counts 10
    assert row.kept == 4 * 64 * 32
    assert row.what == "elementwise, 2048 elements"


def test_what_is_only_a_view_is_not_copied():
    with way("kernels"):
        compiled = backlight.compile(lambda x: np.transpose(x)[::2].reshape(-1) * 2, threads=1)
        compiled(floats(16, 8))
        report = compiled.plan.explain(measure=False)
    assert report.views >= 3
    assert report.copies == 0
    assert sum(row.read for row in report.kernels) == 4 * 64
    assert report.memory.arena == 0


def test_repeated_elements_and_overlapping_windows_count_once():
    assert touched(View(None, 0, ((4, 0), (8, 2)))) == 8
    assert touched(View(None, 0, ((6, 1), (3, 1)))) == 8
    assert touched(View(None, 0, ())) == 1
    with way("kernels"):
        compiled = backlight.compile(lambda x: x[1:] - x[:-1], threads=1)
        compiled(floats(100))
        (row,) = compiled.plan.explain(measure=False).kernels
    assert row.read == 400


def test_kernels_of_a_loop_count_for_every_step(loop_plan):
    report = loop_plan.explain()
    inside = [row for row in report.kernels if row.kind == "product"]
    assert {row.calls for row in inside} == {5}
    assert [row.calls for row in report.kernels] == loop_plan.program.times
    assert report.steps == 5
    assert report.operations == sum(row.operations * row.calls for row in report.kernels)
    first = inside[0]
    assert first.at_best == pytest.approx(5 * max(first.operations / 1e11, first.bytes / 2e11))
    text = report.text(100)
    assert "5 steps of" in text
    assert "in a loop, 5 times" in text


def test_memory_is_that_of_the_program(plan):
    memory = plan.explain(measure=False).memory
    assert memory.arena == plan.program.arena > 0
    assert memory.unshared >= memory.arena - 64 * len(plan.program.kernels)
    assert memory.inputs == 4 * (40 * 24 + 24 + 24 * 8 + 32 * 40 + 32 * 8)
    assert memory.outputs == 4 * (1 + 40 * 24 + 24 + 24 * 8)
    assert memory.work_area == plan.program.scratch


def test_measured_times_and_the_roofline(plan):
    report = plan.explain(parameters(), floats(32, 40), floats(32, 8))
    assert report.seconds > 0
    assert report.between >= 0
    assert all(row.seconds >= 0 for row in report.kernels)
    assert report.spent == pytest.approx(report.between + sum(row.seconds for row in report.kernels))
    for row in report.kernels:
        assert row.at_best == pytest.approx(max(row.operations / 1e11, row.bytes / 2e11))
        if row.seconds:
            assert row.roofline == pytest.approx(row.at_best / row.seconds)
    assert sum(each.seconds for each in report.lines) == pytest.approx(sum(row.seconds for row in report.kernels))
    dearest = report.lines[0]
    assert Path(dearest.file).name == Path(__file__).name
    assert dearest.forward + dearest.backward == dearest.seconds


def test_nothing_runs_unless_it_is_measured(plan, monkeypatch):
    monkeypatch.setattr(type(plan), "_run", None)
    monkeypatch.setattr(reports, "peak", None)
    report = plan.explain(measure=False)
    assert report.seconds is report.between is report.peak is None
    assert all(row.seconds is row.roofline is None for row in report.kernels)
    assert "Not measured" in str(report)


def test_arguments_that_the_plan_was_not_made_for(plan):
    with pytest.raises(ArgumentError, match=r"float32 \(32, 40\)"):
        plan.explain(parameters(), floats(16, 40), floats(32, 8))


def test_indices_outside_of_the_array_cannot_be_measured():
    with way("kernels"):
        compiled = backlight.compile(lambda x, k: np.sum(x[k] * 2), threads=1)
        compiled(floats(50, 4), np.arange(20))
    assert compiled.plan.explain(floats(50, 4), np.arange(20)).seconds > 0
    with pytest.raises(ArgumentError, match="outside its array"):
        compiled.plan.explain(floats(50, 4), np.full(20, 50))


FIRST = [next(case for case in CASES if case[0] is record) for record in dict.fromkeys(case[0] for case in CASES)]
STRUCTURAL = [case for case in FIRST if not isinstance(case[0], Elementwise)]


@pytest.mark.parametrize(("record", "inputs", "params"), STRUCTURAL, ids=[case[0].name for case in STRUCTURAL])
def test_every_kind_of_kernel_has_words_and_numbers(record, inputs, params):
    with way("kernels"):
        try:
            native = Native(graph_of(lambda *xs: record(*xs, **params), [np.asarray(x) for x in inputs]), 1)
        except Uncompilable:
            return
    report = native.explain(measure=False)
    json.dumps(report.data())
    for row in report.kernels:
        assert row.what != row.kind
        assert row.why != "Alone."
        assert row.bytes > 0
    assert report.text(60)


def test_a_written_out_graph_has_no_kernels():
    compiled = backlight.compile(lambda w, x: np.sum(np.tanh(w * x)))
    compiled(floats(3), floats(3))
    report = compiled.plan.explain()
    assert compiled.plan.plan is None
    assert report.kernels == ()
    assert report.instructions > 0
    assert report.seconds > 0
    assert sum(each.operations for each in report.lines) == report.operations == 3 * (1 + 10 + 1)
    assert f"about {report.instructions} scalar instructions" in report.text()


def test_a_loop_on_a_condition_is_counted_once():
    def halve(x):
        return backlight.while_loop(lambda x: np.max(x) > 1, lambda x: np.tanh(x) * np.float32(0.5), x)

    with way("kernels"):
        compiled = backlight.compile(halve, threads=1)
        compiled(floats(400) + np.float32(9))
        report = compiled.plan.explain(measure=False)
    assert 0 in {row.calls for row in report.kernels}
    assert "as long as its condition holds" in report.text(100)


# -- Faces ---------------------------------------------------------------------------------------------------------


def test_an_epoch_has_the_faces_of_a_compiled_function():
    def training(w, row, x):
        return w - 0.1 * np.mean(np.tanh(x[row] @ w)), np.sum(w)

    arguments = np.ones((30, 20)), np.arange(40).reshape(4, 10), np.ones((40, 30))
    epoch = Epoch(training, threads=1)
    with pytest.raises(ArgumentError, match="training has not been called"):
        epoch.plan
    epoch(*arguments)
    assert "define void @run" in epoch.plan.llvm()
    assert "run:" in epoch.plan.assembly()
    report = epoch.plan.explain()
    assert (report.function, report.steps) == ("training", 4)
    assert report.seconds > 0
    weights = arguments[0].copy()
    assert epoch.plan.explain(*arguments).seconds > 0
    np.testing.assert_array_equal(arguments[0], weights)
    with pytest.raises(ArgumentError, match=r"float64 \(30, 20\)"):
        epoch.plan.explain(np.ones((30, 21)), *arguments[1:])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_how_long_it_took_to_make_and_whether_it_was_on_the_disk(lang, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path))
    said = {"en": ("compiled in ", "disk cache in "), "zh": ("编译用时 ", "磁盘缓存取得，用时 ")}[lang]
    for from_disk in (False, True):
        compiled = backlight.compile(lambda x: np.exp(x) @ x, threads=1)
        compiled(floats(20, 20))
        report = compiled.plan.explain(measure=False)
        assert report.from_disk is report.data()["from_disk"] is from_disk
        assert 0 < report.made == report.data()["made"]
        assert said[from_disk] + duration(report.made) in report.text(160)
        assert said[not from_disk] not in report.text(160)


def test_the_same_numbers_in_text_and_data(plan):
    report = plan.explain()
    data = json.loads(json.dumps(report.data()))
    text = report.text(160)
    assert data["function"] == "step"
    assert data["memory"]["arena"] == plan.program.arena
    assert amount(data["memory"]["arena"]) in text
    assert count(data["operations"]) in text
    for row, kernel in zip(report.kernels, data["kernels"], strict=True):
        assert (kernel["what"], kernel["bytes"], kernel["operations"]) == (row.what, row.bytes, row.operations)
        printed = next(each for each in text.splitlines() if each.startswith(f"{row.name} ") and row.what in each)
        assert count(row.operations) in printed
        assert amount(row.bytes) in printed
    assert [each["text"] for each in data["lines"] if each["line"] == line("hidden = np.tanh")] == [
        'hidden = np.tanh(x @ p["W1"] + p["b1"])'
    ]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_rows_keep_whole_in_every_width(plan, loop_plan, lang, width, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    for each in (plan, loop_plan):
        report = each.explain()
        lines = report.text(width).splitlines()
        assert max(map(cell_len, lines)) <= width
        for row in report.kernels:
            assert any(text.startswith(f"{row.name} ") and row.what[:12] in text for text in lines)
        assert any(text.startswith(Path(__file__).name) and "hidden = np" in text for text in lines)
        head = "你的代码行" if lang == "zh" else "Your lines"
        assert head in lines
        if lang == "zh":
            assert not any(word in "\n".join(lines) for word in ("Kernels", "Memory", "one thread", "operations"))


def test_a_terminal_shows_the_same_as_the_text(plan):
    report = plan.explain(measure=False)
    out = io.StringIO()
    Console(width=90, file=out, force_terminal=True, color_system="truecolor", legacy_windows=False).print(report)
    shown = re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())
    assert [text.rstrip() for text in shown.splitlines()] == report.text(90).splitlines()
    assert "\x1b[" in out.getvalue()
    assert repr(report) == str(report)


def test_of_many_kernels_the_dearest_are_shown(plan, monkeypatch):
    from backlight.compiler import report_faces

    monkeypatch.setattr(report_faces, "MOST_KERNELS", 2)
    report = plan.explain()
    text = report.text(100)
    dearest = sorted(report.kernels, key=lambda row: -row.seconds)[:2]
    assert all(f"\n{row.name} " in text for row in dearest)
    assert "more kernel" in text


def test_llvm_and_assembly(plan):
    assert "define void @run" in plan.llvm()
    assert "\nrun:" in plan.assembly()


# -- The command line ----------------------------------------------------------------------------------------------

SCRIPT = """
import sys
import numpy as np
import backlight

def double(x):
    total = np.sum(np.exp(x) * 2)
    return total

compiled = backlight.compile(double)
compiled(np.ones((100, 100)))
print("arguments:", *sys.argv[1:])
"""


@pytest.fixture
def script(tmp_path):
    def written(text):
        path = tmp_path / "script.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


def test_a_script_is_run_and_its_plans_are_shown(script, capsys):
    assert main(["plan", "--no-time", script(SCRIPT), "--no-time", "3"]) == 0
    out = capsys.readouterr().out
    assert "arguments: --no-time 3" in out
    assert "double: " in out
    assert "script.py:7" in out
    assert "total = np.sum(np.exp(x) * 2)" in out


EPOCH = """
import numpy as np
from backlight.compiler.epoch import Epoch

def training(w, row, x):
    return w - 0.1 * np.mean(np.tanh(x[row] @ w)), np.sum(w)

Epoch(training)(np.ones((30, 20)), np.arange(40).reshape(4, 10), np.ones((40, 30)))
"""


def test_the_epochs_of_a_script_are_shown(script, capsys):
    assert main(["plan", "--no-time", script(EPOCH)]) == 0
    out = capsys.readouterr().out
    assert "training: " in out
    assert "script.py:6" in out


def test_a_script_as_json(script, capsys):
    assert main(["plan", "--json", script(SCRIPT)]) == 0
    said = capsys.readouterr()
    (found,) = json.loads(said.out)
    assert found["function"] == "double"
    assert found["seconds"] > 0
    assert "arguments:" in said.err


@pytest.mark.parametrize(("option", "text"), [("--llvm", "define void @run"), ("--assembly", "run:")])
def test_a_script_as_code(option, text, script, capsys):
    assert main(["plan", option, script(SCRIPT)]) == 0
    assert text in capsys.readouterr().out


def test_one_function_of_a_script(script, capsys):
    path = script(SCRIPT + "backlight.compile(lambda x: np.sum(x))(np.ones((100, 100)))\n")
    assert main(["plan", "--no-time", f"{path}:double"]) == 0
    out = capsys.readouterr().out
    assert "double: " in out
    assert "<lambda>: " not in out
    assert main(["plan", f"{path}:triple"]) == 1
    assert "double, <lambda>" in capsys.readouterr().err


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_cannot_be_run_is_said(lang, script, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    assert main(["plan", str(tmp_path / "missing.py")]) == 1
    assert "missing.py" in capsys.readouterr().err
    assert main(["plan", str(tmp_path)]) == 1
    assert ("文件夹" if lang == "zh" else "folder") in capsys.readouterr().err
    assert main(["plan", script("x = 1\n")]) == 1
    assert "step = backlight.compile(step)" in capsys.readouterr().err


def test_a_script_that_raises_still_shows_what_it_compiled(script, capsys):
    assert main(["plan", "--no-time", script(SCRIPT + "raise ValueError('too bad')\n")]) == 1
    said = capsys.readouterr()
    assert "double: " in said.out
    assert "ValueError: too bad" in said.err
    assert "runpy" not in said.err
    assert main(["plan", script("import sys\nsys.exit('no data')\n")]) == 1
    assert capsys.readouterr().err == "no data\n"
    assert main(["plan", script("def broken(:\n")]) == 1
    assert "SyntaxError" in capsys.readouterr().err


def test_ctrl_c_ends_the_script_and_shows_what_there_is(script, capsys):
    assert main(["plan", "--no-time", script(SCRIPT + "raise KeyboardInterrupt\n")]) == 130
    assert "double: " in capsys.readouterr().out


def test_scripts_that_end_themselves_and_import_their_neighbours(script, tmp_path, capsys):
    (tmp_path / "neighbour.py").write_text("import sys\ndone = lambda: sys.exit(0)\n", encoding="utf-8")
    before = sys.argv[:], sys.path[:]
    assert main(["plan", "--no-time", script("from neighbour import done\n" + SCRIPT + "done()\n")]) == 0
    assert "double: " in capsys.readouterr().out
    assert (sys.argv, sys.path) == before


def test_without_a_script_the_demo_is_shown(capsys):
    assert main(["plan", "--no-time"]) == 0
    out = capsys.readouterr().out
    assert "step: " in out
    assert "network.py" in out


def test_the_help_of_plan(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["plan", "--help"])
    text = capsys.readouterr().out
    assert all(option in text for option in ("--json", "--llvm", "--assembly", "--no-time", "SCRIPT.py"))
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "--jsno"])
    assert "--json" in capsys.readouterr().err
