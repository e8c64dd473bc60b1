"""The benchmarks measure the right thing: data, reference, verdicts, arithmetic and tables, without any peer."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backlight
from benchmarks import __main__ as command
from benchmarks import cold, report, suite
from benchmarks.by_hand import ByHand, trajectory
from benchmarks.contenders import Contender, contenders
from benchmarks.contenders.layout import channels_first, channels_last
from benchmarks.models import initial_state, loss_of, step_of
from benchmarks.results import Entry, Result, geometric_mean, judge
from benchmarks.worker import Entrant, answer
from benchmarks.workloads import CHECKED, GPT, LSTM, MLP, WORKLOADS, Convolutional, Workload

SMALL = [
    Workload("squares", "", MLP((2, 3, 1), "relu", "mse"), "sgd", 4, 3, 1.0),
    Workload("logits", "", MLP((6, 5, 4, 1), "relu", "bce"), "adam", 4, 3, 1.0),
    Workload("classes", "", MLP((6, 5, 3), "sigmoid", "ce"), "sgd", 4, 3, 1.0),
    Workload("images", "", Convolutional(((2, 3, 1), (3, 2, 0)), (5, 4), side=9), "adam", 3, 3, 1.0),
    Workload("gates", "", LSTM(7, 3, 4, 5), "adam", 3, 3, 1.0),
    Workload("blocks", "", GPT(2, 2, 6, 4, 7), "adam", 2, 3, 1.0),
]
small = pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.name)
every = pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)


# -- Workloads ---------------------------------------------------------------------------------------------------------


@every
def test_data_have_the_shapes_that_were_promised(workload: Workload) -> None:
    x, y, batches = workload.data()
    count = workload.batch * workload.steps
    assert len(x) == len(y) == count
    assert batches.shape == (workload.steps, workload.batch)
    assert sorted(batches.reshape(-1)) == list(range(count))
    assert {x.dtype, y.dtype, batches.dtype} <= {np.dtype(np.float32), np.dtype(np.int32)}
    assert all(value.dtype == np.float32 for value in workload.initial().values())


@every
def test_everybody_gets_the_same_numbers_each_time(workload: Workload) -> None:
    first, again = workload.initial(), workload.initial()
    assert list(first) == list(again)
    assert all(np.array_equal(first[name], again[name]) for name in first)


@every
def test_a_call_is_an_equal_part_of_an_epoch(workload: Workload) -> None:
    assert workload.steps % workload.per_call == 0
    assert workload.checked(True) % workload.per_call == 0
    assert workload.checked(False) == CHECKED <= workload.checked(True) <= workload.steps


def test_operations_are_those_of_the_products() -> None:
    assert WORKLOADS["binary"].operations == 2 * 32 * (3 * (100 * 64 + 64 * 64 + 64) - 100 * 64)
    lenet = 6 * 25 * 28**2 * 2 + 3 * (16 * 6 * 25 * 10**2 + 400 * 120 + 120 * 84 + 84 * 10)
    assert WORKLOADS["lenet"].operations == 2 * 64 * lenet


# -- The reference -----------------------------------------------------------------------------------------------------


def by_hand(workload: Workload) -> tuple[ByHand, Any, Any]:
    """The reference in float64 on the first batch, away from the initial biases of 0."""
    x, y, batches = workload.data()
    reference = ByHand(workload, np.float64)
    reference.flat += 0.05 * np.random.default_rng(3).normal(size=reference.flat.shape)
    rows = batches[0]
    return reference, x[rows].astype(np.float64) if x.dtype.kind == "f" else x[rows], y[rows]


@small
def test_gradients_by_hand_are_finite_differences(workload: Workload) -> None:
    reference, x, y = by_hand(workload)
    along = np.random.default_rng(4).normal(size=reference.flat.shape)
    reference.gradients(x, y)
    expected, step, here = reference.slope @ along, 1e-6, reference.flat.copy()
    reference.flat[:] = here + step * along
    above = reference.gradients(x, y)
    reference.flat[:] = here - step * along
    assert (above - reference.gradients(x, y)) / (2 * step) == pytest.approx(expected, rel=1e-5, abs=1e-8)


@small
def test_gradients_by_hand_are_those_of_backlight(workload: Workload) -> None:
    reference, x, y = by_hand(workload)
    loss = reference.gradients(x, y)
    value, gradients = backlight.value_and_grad(loss_of(workload))(reference.p, x, y)
    assert float(value) == pytest.approx(float(loss), rel=1e-12)
    assert set(gradients) == set(reference.g)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, reference.g[name], rtol=1e-8, atol=1e-10, err_msg=name)


@small
def test_steps_of_the_models_are_those_of_the_reference(workload: Workload) -> None:
    losses, parameters = trajectory(workload, 3)
    x, y, batches = workload.data()
    step, state, found = step_of(workload), initial_state(workload), []
    for rows in batches:
        state, loss = step(state, x[rows], y[rows])
        found.append(float(loss))
    for loss_error, parameter_error in [judge(workload, found, state[0], (losses, parameters))]:
        assert loss_error < 1e-5
        assert parameter_error < 1e-3


# -- Verdicts ----------------------------------------------------------------------------------------------------------


def test_what_is_right_is_judged_right_and_what_is_not_wrong() -> None:
    workload = SMALL[1]
    right = losses, parameters = trajectory(workload, 3)
    assert judge(workload, losses, parameters, right) == (0, 0)
    assert judge(workload, [np.mean(losses)], parameters, right)[0] < 1e-12
    assert judge(workload, losses * [1, 1, 1.01], parameters, right)[0] == pytest.approx(0.01)
    assert judge(workload, losses, workload.initial(), right)[1] == pytest.approx(1)
    for wrong in ([], losses[:2], losses * np.nan):
        assert judge(workload, wrong, parameters, right)[0] == np.inf
    assert judge(workload, losses, parameters | {"w0": parameters["w0"].T}, right) == (np.inf, np.inf)
    assert judge(workload, losses, {"w0": parameters["w0"]}, right) == (np.inf, np.inf)
    assert judge(workload, losses, parameters | {"w0": parameters["w0"] * np.nan}, right)[1] == np.inf


def test_another_optimiser_is_wrong() -> None:
    workload = SMALL[1]
    right = trajectory(workload, 3)
    losses, parameters = trajectory(workload._replace(optimiser="sgd"), 3)
    entry = Entry("peer", True)
    suite._compare(entry, workload, losses, parameters, right)
    assert entry.note.startswith("wrong")
    assert not entry.counts


# -- Arithmetic and tables ---------------------------------------------------------------------------------------------


def result(**figures: Any) -> Result:
    """Entries with these turns."""
    entries = [Entry(name, name != "Backlight", rounds=rounds) for name, rounds in figures.items()]
    return Result(WORKLOADS["binary"], entries, 1e11)


def test_ratios_are_those_of_the_same_round() -> None:
    # The machine is slow in the second round and everyone with it; the median of the ratios does not notice.
    found = result(
        Backlight=[[10, 12, 11], [100, 100], [10, 10]], fast=[[33], [300], [31]], slow=[[60, 60], [50], [60]]
    )
    own = found.own()
    assert own is not None
    assert own.best == 10
    assert own.turns == [11, 100, 10]
    assert own.median == 11
    peer, ratio = found.fastest() or (None, 0)
    assert peer is not None
    assert (peer.name, ratio) == ("fast", 3)
    assert found.ratio_of_best() == 3.1
    assert found.share(own) == pytest.approx(WORKLOADS["binary"].operations / 11e-6 / 1e11)


def test_who_does_not_count_is_no_peer() -> None:
    found = result(Backlight=[[10], [10]], wrong=[[1], [1]], interrupted=[[1]], fair=[[20], [20]])
    found.entries[1].note = "wrong"
    assert [peer.name for peer in found.peers()] == ["fair"]
    assert found.ratio_of_best() == 2
    assert json.loads(json.dumps(found.data()))["ratio"] == 2


@pytest.mark.parametrize("figures", [{"Backlight": [[1], [1]]}, {"peer": [[1], [1]]}, {}])
def test_without_somebody_to_compare_with_there_is_no_ratio(figures: Any) -> None:
    found = result(**figures)
    assert found.fastest() is None
    assert found.ratio_of_best() is None
    assert "ratio" not in found.data()
    assert "needed" in report.workload_text(found)
    assert "No ratios" in report.overall([found])
    assert "–" in report.markdown([found])


def test_geometric_mean() -> None:
    assert geometric_mean([1, 100]) == pytest.approx(10)


@pytest.mark.parametrize(
    ("microseconds", "text"), [(0.02409, "0.0241"), (0.2, "0.200"), (3.14159, "3.14"), (23.94, "23.9"), (999, "999"),
                               (1250.4, "1,250"), (28000, "28,000")],
)  # fmt: skip
def test_times_have_three_figures(microseconds: float, text: str) -> None:
    assert report.amount(microseconds) == text


@pytest.mark.parametrize(("share", "text"), [(0.0002, "0.02 %"), (0.031, "3.1 %"), (0.449, "45 %")])
def test_shares(share: float, text: str) -> None:
    assert report.percent(share) == text


def test_tables_are_aligned() -> None:
    lines = report.table([["name", "µs"], ["a", "1,250"], ["longer", "3"]])
    assert lines == ["| name   |    µs |", "|--------|------:|", "| a      | 1,250 |", "| longer |     3 |"]


def test_the_report_says_who_is_fastest_who_fell_out_and_whether_it_is_enough() -> None:
    found = result(Backlight=[[10], [10]], peer=[[20], [20]], other=[[40], [40]], absent=[])
    found.entries[-1].note = "not installed (No module named 'absent')"
    text = report.workload_text(found)
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["contender", "Backlight", "peer", "other"]
    assert "absent: not installed" in text
    assert "peer, takes 2.00 times as long (median of rounds; 2.00 by best)" in text
    assert "geometric mean 2.00 (target 3.0: missed)" in report.overall([found])
    assert "least 2.00, binary (target 1.3: reached)" in report.overall([found])
    assert "10.0 / 10.0 |" in report.markdown([found])


def test_cold_starts_are_held_against_their_limits() -> None:
    good, slow = cold.Start("a", 0.5, 0.1, (2, 0.2)), cold.Start("b", 0.5, 0.3, (2, 0.2))
    failed, first = cold.Start("c", None, None, (2, 0.2), "out of memory"), cold.Start("d", 0.9, 5.0, (1, None))
    assert [start.within for start in (good, slow, failed, first)] == [True, False, False, True]
    lines = cold.text([good, slow, failed, first]).splitlines()
    assert [word in line for word, line in zip(("0.50", "too long", "out of memory", "5.00"), lines[2:], strict=True)]
    assert "too long" not in lines[2] + lines[5]


# -- Contenders and their processes ------------------------------------------------------------------------------------


def test_every_contender_has_a_class_where_the_table_says() -> None:
    folder = Path(suite.__file__).parent / "contenders"
    for contender in contenders(2):
        tree = ast.parse((folder / f"{contender.module}.py").read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        assert contender.kind in names


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_everyone_runs_on_one_thread_and_on_all(cores: int) -> None:
    found = contenders(cores)
    assert len({each.name for each in found}) == len(found)
    assert {each.threads for each in found if "PyTorch" in each.name} == {1, cores}
    assert [each.name for each in found if not each.is_peer and not each.threads] == ["Backlight"]
    assert all(each.environment().get("OMP_NUM_THREADS", "0") == str(each.threads) for each in found)


def test_peers_are_chosen_by_a_word_of_their_names() -> None:
    assert {each.package for each in command.chosen(["jax", "numpy"], 2)} == {"backlight", "jax", "numpy"}
    assert command.chosen(None, 2) == contenders(2)
    options = command.arguments(["suite", "--quick", "--only", "xor", "gpt", "--rounds", "9"])
    assert (options.part, options.only, options.rounds, options.seconds) == ("suite", ["xor", "gpt"], 3, 0.1)


@pytest.mark.parametrize("name", ["lenet", "cnn"])
def test_the_other_layout_and_back(name: str) -> None:
    workload = WORKLOADS[name]
    parameters = workload.initial()
    other = channels_last(workload, parameters)
    assert other["f1"].shape == parameters["f1"].shape[2:] + parameters["f1"].shape[1::-1]
    back = channels_first(workload, other)
    assert all(np.array_equal(back[key], parameters[key]) for key in parameters)


def numpy_contender() -> Contender:
    return next(each for each in contenders(1) if each.package == "numpy")


def test_an_entrant_prepares_and_takes_its_turn(tmp_path: Path) -> None:
    entrant = Entrant(numpy_contender(), "binary")
    file = tmp_path / "found.npz"
    assert entrant.prepare(str(file))["first"] > 0
    with np.load(file) as found:
        assert found["losses"].shape == (CHECKED,)
        assert {key for key in found if key != "losses"} == {f"p:{name}" for name in WORKLOADS["binary"].initial()}
    samples = entrant.turn(0.01)["samples"]
    assert samples
    assert min(samples) > 0


def test_a_peer_that_is_not_installed_is_absent() -> None:
    missing = numpy_contender()._replace(module="missing_peer")
    reply = answer(missing, {"do": "prepare", "workload": "xor", "file": ""}, [])
    assert "not installed" in reply["absent"]


def test_the_suite_runs_in_processes() -> None:
    told: list[Result] = []
    found = suite.run(
        [WORKLOADS["xor"]], [numpy_contender()], cores=1, rounds=2, seconds=0.01, patience=60, peak=lambda: 1e11,
        say=lambda line: None, done=told.append,
    )  # fmt: skip
    assert found == told
    (entry,) = found[0].entries
    assert entry.note == ""
    assert entry.counts
    assert 0 < entry.loss_error < 1e-5
    assert len(entry.rounds) == 2


def test_peers_far_from_the_fastest_are_left_out() -> None:
    rounds = {"Backlight": 1, "fast": 10, "near": 39, "far": 41, "wrong": 2}
    entries = {name: Entry(name, name != "Backlight", rounds=[[time], [time]]) for name, time in rounds.items()}
    entries["wrong"].note = "wrong"
    suite._leave_out(entries)
    assert [name for name, entry in entries.items() if entry.takes_part] == ["Backlight", "fast", "near"]
    assert entries["far"].counts


def test_a_process_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    process = suite.Process(numpy_contender(), 1, tmp_path)
    process.command = [process.command[0], "-c", "import time; time.sleep(60)"]
    assert process.ask(0.3, do="turn", seconds=1)["error"] == "not done after 0 s"
    process.command = [process.command[0], "-c", "raise MemoryError('too large')"]
    assert "too large" in process.ask(30, do="turn", seconds=1)["error"]
    assert process.process is None
