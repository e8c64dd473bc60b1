"""The benchmark of ``fit``: networks, arithmetic, streaming and processes, without any peer."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight import keras
from benchmarks import __main__ as command
from benchmarks.fit import report, streaming, suite, worker
from benchmarks.fit.contenders import FITTERS
from benchmarks.fit.jobs import JOBS, Job, made
from benchmarks.fit.keras_style import Backlight
from benchmarks.fit.results import Entry, Result
from benchmarks.workloads import GPT, LSTM, MLP, Convolutional, Workload

SMALL = [
    Job("squares", Workload("squares", "", MLP((2, 3, 1), "relu", "mse"), "sgd", 4, 3, 1.0), 10),
    Job("logits", Workload("logits", "", MLP((6, 5, 1), "relu", "bce"), "adam", 4, 3, 1.0), 12),
    Job("images", Workload("images", "", Convolutional(((2, 3, 1), (3, 2, 0)), (5, 4), side=9), "adam", 3, 3, 1.0), 7),
    Job("gates", Workload("gates", "", LSTM(7, 3, 4, 5), "adam", 3, 3, 1.0), 6),
    Job("blocks", Workload("blocks", "", GPT(2, 2, 6, 4, 7), "adam", 2, 3, 1.0), 4),
]
small = pytest.mark.parametrize("job", SMALL, ids=lambda job: job.name)


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_networks_have_as_many_weights_as_the_workloads(job: Job) -> None:
    x, y = job.data()
    assert {len(each) for each in (*x, y)} == {job.examples}
    wanted = sum(value.size for value in job.workload.initial().values())
    if isinstance(job.workload.model, GPT):  # Keras's attention has biases of queries, keys and values
        wanted += 3 * job.workload.model.width * job.workload.model.layers
    assert made(keras, job).count_params() == wanted


@small
def test_fit_and_the_steps_alone_train_the_same_network(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    entrant = Backlight(job)
    entrant.epochs(2)
    assert capsys.readouterr().out.count("loss") >= 2  # the progress is on
    before = [value.copy() for value in entrant.model.get_weights()]
    assert entrant.steps_alone(1) > 0
    stepper, pieces, _ = entrant.alone
    assert stepper.native
    assert sorted(np.concatenate([piece.ravel() for piece in pieces])) == list(range(job.examples))
    assert sum(len(piece) for piece in pieces) == job.steps
    assert all(np.array_equal(*pair) for pair in zip(before, entrant.model.get_weights(), strict=True))
    stepper.follow()
    assert len(stepper._variables) == len(entrant.model.variables) + len(entrant.model.optimizer.variables)


def entry(name: str, epochs: list[float], alone: list[float] | None = None) -> Entry:
    return Entry(name, name != "Backlight", epochs=epochs, alone=alone or [], memory={"peak": 1234.5})


def test_what_fit_adds_and_may_add() -> None:
    own = entry("Backlight", [0.011, 0.013], [0.010, 0.012])
    assert own.added() == pytest.approx(0.001)
    assert own.allowed() == pytest.approx(0.0015)
    assert entry("peer", [0.1]).added() is None
    found = Result(
        SMALL[0], [own, entry("fast", [0.022, 0.039]), entry("slow", [0.1, 0.1]), Entry("away", True, "gone")]
    )
    peer, ratio = found.fastest() or (own, 0)
    assert (peer.name, ratio) == ("fast", pytest.approx(2.5))
    text = report.job_text(found)
    assert "within the limit" in text
    assert "fast, takes 2.50 times" in text
    assert "away: gone" in text
    assert "1,234" in text
    own.epochs = [0.02, 0.02]
    assert "over the limit" in report.job_text(found)
    assert json.loads(json.dumps(found.data()))["entries"][0]["alone"] == [0.01, 0.012]
    assert report.overall([found]).count("fast") == 2
    assert "–" in report.overall([Result(SMALL[0], [])])
    assert Result(SMALL[0], [own]).fastest() is None


def test_who_is_far_behind_takes_no_more_turns() -> None:
    entries = [entry("Backlight", [9.0]), entry("fast", [1.0]), entry("near", [3.9]), entry("far", [4.1])]
    suite._leave_out(entries)
    assert [each.name for each in entries if each.done] == ["far"]


def test_how_much_was_hidden() -> None:
    assert streaming.hidden(1.0, 3.0, 3.0) == 1
    assert streaming.hidden(1.0, 3.0, 3.5) == pytest.approx(0.5)
    assert streaming.hidden(1.0, 3.0, 4.5) == 0
    row = {"way": "generator", "loader": 1.0, "steps": 3.0, "epoch": 3.5, "memory": {"peak": 99.0}}
    text = report.stream_text([row, {"way": "mapped file", "error": "no room"}], 5)
    assert "50 %" in text
    assert "no room" in text


@pytest.mark.parametrize("way", streaming.WAYS)
def test_streaming(tmp_path: Path, way: str) -> None:
    file = tmp_path / "bytes"
    count = streaming.write(file, 1)
    assert file.stat().st_size == count * streaming.FEATURES
    assert count % streaming.BATCH == 0
    read = np.concatenate([x for x, _ in streaming.generated(file)])
    mapped = np.concatenate([x for x, _ in streaming.batches_of(file, 0, shuffle=False)])
    np.testing.assert_array_equal(read, mapped)
    found = streaming.train(str(file), way, worker.memory)
    assert min(found[name] for name in ("loader", "steps", "epoch")) > 0


def test_every_fitter_has_a_class_where_the_table_says() -> None:
    folder = Path(suite.__file__).parent
    for fitter in FITTERS:
        tree = ast.parse((folder / f"{fitter.module}.py").read_text(encoding="utf-8"))
        assert fitter.kind in [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len({fitter.name for fitter in FITTERS}) == len(FITTERS)
    assert [fitter.name for fitter in FITTERS if not fitter.is_peer] == ["Backlight"]
    assert {fitter.environment().get("KERAS_BACKEND") for fitter in FITTERS} == {None, "jax", "torch"}


def test_who_is_not_installed_is_absent() -> None:
    missing = FITTERS[0]._replace(module="missing")
    reply = worker.answer(missing, {"do": "prepare", "job": "small", "seconds": 0.1}, [])
    assert "not installed" in reply["absent"]


def test_the_suite_runs_in_processes_with_progress_into_a_pipe() -> None:
    told: list[Result] = []
    found = suite.run(
        [JOBS["binary-1k"]], FITTERS[:1], cores=1, rounds=2, seconds=0.01, patience=120, say=lambda line: None,
        done=told.append,
    )  # fmt: skip
    assert found == told
    (own,) = found[0].entries
    assert own.note == ""
    assert len(own.epochs) == len(own.alone) == len(own.besides) == 2
    assert min(own.besides) > 0
    assert own.memory.get("peak", 99) > 10


def test_parts_of_the_command_line() -> None:
    options: Any = command.arguments(["fit", "--only", "binary-1k", "gpt", "--stream", "0"])
    assert (options.part, options.only, options.stream) == ("fit", ["binary-1k", "gpt"], 0)
