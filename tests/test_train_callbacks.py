"""Callbacks: every decision against a transcription of its definition, what is called when, files, bad input."""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pretended import Model, Variable, fit
from refused import names_all, said

from backlight import optim
from backlight.errors import ArgumentError, BacklightError, TrainingError, TrainingWarning
from backlight.nn import losses
from backlight.train import callbacks, metrics
from backlight.train.callbacks import base, files, monitor

# -- What is called, and how -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", base.HOOKS)
def test_a_list_tells_all_of_its_callbacks_in_turn(hook: str) -> None:
    seen: list[Any] = []

    def first(*place: Any, logs: Any = None) -> None:
        seen.append(("first", *place, logs))

    def second(*place: Any, logs: Any = None) -> None:
        seen.append(("second", *place, logs))

    made = [callbacks.LambdaCallback(**{hook: each}) for each in (first, second)]
    place = (3,) if "batch" in hook or "epoch" in hook else ()
    getattr(callbacks.CallbackList([made[0], [made[1]]]), hook)(*place, {"loss": np.float32(0.5)})
    logs = {"loss": 0.5}
    by_name = "batch" in hook
    assert seen == [(name, *place, logs) if by_name else (name, *place, logs, None) for name in ("first", "second")]
    assert all(type(entry[-1 if by_name else -2]["loss"]) is float for entry in seen)


def test_logs_are_sorted_plain_and_shared() -> None:
    def add(epoch: int, logs: Any) -> None:
        logs["added"] = epoch

    history = callbacks.History()
    given = {"loss": np.float32(0.5), "acc": {"one": np.array(1), "many": np.arange(2)}, "name": "7"}
    model = fit([callbacks.LambdaCallback(on_epoch_end=add), history], [given])
    assert list(history.history) == ["many", "one", "loss", "name", "added"]
    assert history.history["one"] == [1.0]
    assert history.history["name"] == ["7"]
    assert model.history is history
    assert "added" not in given


def test_history_goes_on_and_counts_anew() -> None:
    history = callbacks.History()
    for _ in range(2):
        fit(history, [{"loss": 1.0}, {"loss": 0.5}])
    assert history.history == {"loss": [1.0, 0.5, 1.0, 0.5]}
    assert history.epoch == [0, 1]


def test_what_is_always_there_is_added_once() -> None:
    history = callbacks.History()
    every = callbacks.CallbackList([history], add_history=True, add_progbar=True, epochs=1)
    assert [type(each).__name__ for each in every.callbacks] == ["History", "ProgressBar"]
    assert every.history is history
    every.append("terminate_on_nan")
    assert callbacks.CallbackList(every).callbacks == every.callbacks
    assert [type(each).__name__ for each in callbacks.CallbackList(add_history=True).callbacks] == ["History"]
    assert history.params == {"epochs": 1}


def test_a_class_of_the_users_needs_no_constructor() -> None:
    class Mine(callbacks.Callback):
        def __init__(self) -> None:
            self.count = 0

        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            self.count += 1
            self.model.stop_training = self.count == 5

    mine = Mine()
    assert fit(mine, [{"loss": 1.0}] * 4, steps=3).stop_training is False  # set back by a later step of the epoch
    assert mine.count == 12


def test_everything_is_given_back_however_training_ends() -> None:
    released: list[str] = []

    class Holding(callbacks.Callback):
        def release(self) -> None:
            released.append("released")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Holding(), [{"loss": 1.0}])
    assert released == ["released"]


class Old(callbacks.Callback):
    def on_batch_begin(self, batch: int, logs: Any = None) -> None: ...


class Tests(callbacks.Callback):
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...


INTERVALS: list[tuple[str, Callable[[], Any], int]] = [
    ("none", list, 0),
    ("epochs", lambda: [callbacks.LambdaCallback(on_epoch_end=print), callbacks.History()], 0),
    ("usual", lambda: ["early_stopping", "reduce_lr_on_plateau", "terminate_on_nan", "progress_bar"], 0),
    ("files", lambda: [callbacks.CSVLogger("a"), callbacks.ModelCheckpoint("b"), callbacks.TensorBoard("c")], 0),
    ("lambda", lambda: callbacks.LambdaCallback(on_train_batch_end=print), 1),
    ("old name", lambda: Old(), 1),
    ("tests", lambda: Tests(), 0),
    ("saved", lambda: callbacks.ModelCheckpoint("b", save_freq=6), 6),
    ("both", lambda: [callbacks.ModelCheckpoint("b", save_freq=6), callbacks.TensorBoard("c", update_freq=4)], 2),
    (
        "every",
        lambda: [callbacks.ModelCheckpoint("b", save_freq=6), callbacks.TensorBoard("c", update_freq="batch")],
        1,
    ),
]


@pytest.mark.parametrize(("made", "interval"), [row[1:] for row in INTERVALS], ids=[row[0] for row in INTERVALS])
def test_batches_are_reported_where_somebody_listens(made: Callable[[], Any], interval: int) -> None:
    assert callbacks.batch_interval(made()) == interval
    assert callbacks.batch_interval(callbacks.CallbackList(made())) == interval
    assert callbacks.needs_batches(made()) == (interval > 0)


def test_batches_of_tests_are_asked_for_apart() -> None:
    assert callbacks.needs_batches(Tests(), "test")
    assert not callbacks.needs_batches(Tests(), "predict")
    usual = [row[1]() for row in INTERVALS if row[0] in ("usual", "files", "saved")]
    assert not any(callbacks.needs_batches(usual, phase) for phase in ("test", "predict"))


# -- Decisions -------------------------------------------------------------------------------------------------------

SEEDS = range(60)


def levels(seed: int) -> tuple[Any, list[float]]:
    """Multiples of 1/64, exact in either precision, so that ties are ties."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(2, 30))
    x = rng.integers(0, 12, length) if seed % 2 else np.cumsum(rng.integers(-2, 2, length)) + 40
    return rng, [float(value) / 64 for value in x]


def direction(mode: str) -> int:
    return -1 if mode == "max" else 1


@pytest.mark.parametrize("seed", SEEDS)
def test_early_stopping(seed: int) -> None:
    """The epoch it stops after and the weights it leaves, from the definition."""
    rng, values = levels(seed)
    mode = str(rng.choice(["min", "max", "auto"]))
    delta, patience, start = float(rng.choice([0, 1 / 64, 3 / 64])), int(rng.integers(0, 5)), int(rng.choice([0, 0, 2]))
    baseline = float(rng.choice([4 / 64, 8 / 64])) if rng.random() < 0.5 else None
    sign = direction(mode)
    best, best_epoch, last_good, stop = math.inf, None, start - 1, len(values) - 1
    for epoch in range(start, len(values)):
        cost = sign * values[epoch]
        if cost + delta < best:
            best, best_epoch = cost, epoch
            if baseline is None or cost + delta < sign * baseline:
                last_good = epoch
        elif epoch - last_good >= patience and epoch > 0:
            stop = epoch
            break
    model = Model()
    stopping = callbacks.EarlyStopping(
        "loss", delta, patience, mode=mode, baseline=baseline, restore_best_weights=True, start_from_epoch=start
    )
    history = callbacks.History()
    fit([stopping, history], [{"loss": value} for value in values], model=model)
    assert len(history.epoch) - 1 == stop
    assert model.steps == (len(history.epoch) if best_epoch is None else best_epoch + 1)
    assert best_epoch is None or (stopping.best == sign * best and stopping.best_epoch == best_epoch)


@pytest.mark.parametrize("seed", SEEDS)
def test_reduce_on_plateau(seed: int) -> None:
    rng, values = levels(seed + 1000)
    mode, factor, patience = str(rng.choice(["min", "max"])), float(rng.choice([0.5, 0.1])), int(rng.integers(0, 4))
    delta, cooldown, least = float(rng.choice([0, 1 / 64])), int(rng.integers(0, 3)), float(rng.choice([0, 0.01]))
    rate, rates, best, bad, resting = 0.1, [], math.inf, 0, 0
    for value in values:
        rates.append(rate)  # what the logs of the epoch show: before the reduction
        resting -= resting > 0
        cost = direction(mode) * value
        if cost + delta < best:
            best, bad = cost, 0
        elif resting == 0:
            bad += 1
            if bad >= patience and rate > least:
                rate, bad, resting = max(rate * factor, least), 0, cooldown
        else:
            bad = 0
    history = callbacks.History()
    plateau = callbacks.ReduceLROnPlateau("loss", factor, patience, 0, mode, delta, cooldown, least)
    model = fit([plateau, history], [{"loss": value} for value in values])
    np.testing.assert_allclose(history.history["learning_rate"], rates, rtol=1e-12)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), rate, rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_checkpoints_of_the_best(seed: int, tmp_path: Path) -> None:
    rng, values = levels(seed + 2000)
    mode, threshold = str(rng.choice(["min", "max"])), float(rng.choice([0.1, 0.5])) if seed % 3 else None
    sign = direction(mode)
    best = math.inf if threshold is None else sign * threshold
    wanted = []
    for epoch, value in enumerate(values):
        if sign * value < best:
            best = sign * value
            wanted.append((f"weights of {tmp_path}/sub/{epoch + 1:02d}-{value:.2f}", epoch + 1))
    path = tmp_path / "sub" / "{epoch:02d}-{val_loss:.2f}"
    saving = callbacks.ModelCheckpoint(path, "val_loss", 0, True, True, mode, initial_value_threshold=threshold)
    assert fit(saving, [{"val_loss": value} for value in values]).saved == wanted
    assert (tmp_path / "sub").is_dir()


def test_numbers_of_a_float32_model_are_compared_as_such() -> None:
    watch = monitor.Monitor("loss", "max")
    single = float(np.float32(0.7))
    assert not watch.improves(single, 0.7)
    assert not watch.improves(0.7, 0.7)
    assert watch.improves(0.7 + 1e-12, 0.7)
    tenth = monitor.Monitor("loss", "min", 0.1)
    assert not tenth.improves(float(np.float32(0.7)), float(np.float32(0.8)))
    assert not watch.improves(math.nan, 0.5)
    assert watch.improves(math.nan, None)


DIRECTIONS: list[tuple[str, str | None]] = [
    ("loss", "min"),
    ("val_loss", "min"),
    ("digit_loss", "min"),
    ("val_accuracy", "max"),
    ("acc", "max"),
    ("crossentropy", "min"),
    ("binary_accuracy", "max"),
    ("val_auc_1", "max"),
    ("f1_score", "max"),
    ("rmse", "min"),
    ("perplexity", "min"),
    ("r2_score", "max"),
    ("mean_io_u", "max"),
    ("false_positives", None),
    ("mean", None),
    ("learning_rate", None),
    ("nonsense", None),
]


@pytest.mark.parametrize(("name", "way"), DIRECTIONS)
def test_which_way_is_better(name: str, way: str | None) -> None:
    assert monitor.direction_of(name) == way


def test_which_way_is_better_is_said_by_the_models_metrics() -> None:
    class Mine(metrics.Mean):
        _direction = "up"

    deeper = [Mine(name="mine"), metrics.AUC(name="area")]
    model = Model()
    model.metrics = [metrics.MeanSquaredError(name="error"), SimpleNamespace(metrics=deeper)]
    assert [monitor.direction_of(f"val_{name}", model) for name in ("error", "mine", "area")] == ["min", "max", "max"]


def test_every_metric_has_a_direction_or_is_known_to_have_none() -> None:
    neutral = {"Mean", "Sum", "MeanMetricWrapper", "ConfusionMatrix"}
    neutral |= {f"{a}{b}" for a in ("True", "False") for b in ("Positives", "Negatives")}
    classes = {
        name for name, kind in vars(metrics).items() if isinstance(kind, type) and issubclass(kind, metrics.Metric)
    }
    without = {name for name in classes - {"Metric"} if monitor._of_class(getattr(metrics, name)) is None}
    assert without == neutral


def test_a_missing_number_is_named_once() -> None:
    stopping = callbacks.EarlyStopping("val_loss")
    with pytest.warns(TrainingWarning, match="val_loss.*\nThere are: accuracy, loss") as caught:
        fit(stopping, [{"loss": 1.0, "accuracy": 0.5}] * 3)
    assert len(caught) == 1


def test_losses_that_are_no_numbers_end_training(capsys: pytest.CaptureFixture[str]) -> None:
    for value in (math.nan, math.inf, -math.inf):
        history = callbacks.History()
        model = fit([callbacks.TerminateOnNaN(), history], [{"loss": 1.0}, {"loss": value}, {"loss": 1.0}], chunk=0)
        assert model.stop_training
        assert history.epoch == [0, 1]
        assert capsys.readouterr().out.count("Epoch 2") == 1
        with pytest.raises(TrainingError, match="Epoch 1"):
            fit(callbacks.TerminateOnNaN(raise_error=True), [{"loss": value}])
    assert not fit(callbacks.TerminateOnNaN(), [{"loss": 1.0}, {}]).stop_training


def test_actions_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "model"
    made = [
        callbacks.EarlyStopping("loss", patience=2, verbose=1, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", 0.5, 1, verbose=1),
        callbacks.ModelCheckpoint(path, "loss", 1, True),
        callbacks.LearningRateScheduler(lambda epoch: 0.1, verbose=1),
    ]
    fit(made, [{"loss": 0.5}, {"loss": 0.75}, {"loss": 0.75}])
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: the learning rate is 0.1.",
        f"Epoch 1: loss improved from nothing to 0.50000; saving to {path}.",
        "Epoch 2: the learning rate is 0.1.",
        "Epoch 2: the learning rate is reduced to 0.05.",
        "Epoch 2: loss did not improve from 0.50000.",
        "Epoch 3: the learning rate is 0.1.",
        "Epoch 3: the learning rate is reduced to 0.05.",
        "Epoch 3: loss did not improve from 0.50000.",
        "Epoch 3: early stopping.",
        "The weights of the best epoch, 1, are put back.",
    ]


# -- Checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2, 3, 5, 7])
def test_checkpoints_after_so_many_steps(every: int, tmp_path: Path) -> None:
    steps, epochs = 5, 4
    for chunk in {1, every}:
        saving = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=every)
        model = fit(saving, [{"loss": 1.0}] * epochs, steps, chunk)
        marks = [step for step in range(1, steps * epochs + 1) if step % every == 0]
        wanted = [(f"{tmp_path}/{(m - 1) // steps + 1}-{(m - 1) % steps + 1}", m) for m in marks]
        assert model.saved == wanted


def test_checkpoints_without_a_number_to_go_by_are_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "model")
    with pytest.warns(TrainingWarning, match="val_loss"):
        assert len(fit(callbacks.ModelCheckpoint(path, save_best_only=True), [{"loss": 1.0}] * 3).saved) == 3
    many = [{"val_loss": np.zeros(2)}] * 2
    with pytest.warns(TrainingWarning, match=r"\(2,\)"):
        assert fit(callbacks.ModelCheckpoint(path, save_best_only=True), many).saved == [(path, 1), (path, 2)]


def test_names_that_another_callback_adds_are_filled_in(tmp_path: Path) -> None:
    def add(epoch: int, logs: Any) -> None:
        logs["speed"] = 7

    made = [callbacks.LambdaCallback(on_epoch_end=add), callbacks.ModelCheckpoint(tmp_path / "{speed}-{epoch}")]
    with pytest.warns(TrainingWarning, match="speed"):
        assert fit(made, [{"loss": 1.0}]).saved == [(f"{tmp_path}/7-1", 1)]


# -- Rates -----------------------------------------------------------------------------------------------------------

SCHEDULES: list[tuple[str, Any, list[float]]] = [
    ("two", lambda epoch, rate: rate / 2, [0.05, 0.025, 0.0125]),
    ("one", lambda epoch: 1.0 / (1 + epoch), [1.0, 0.5, 1 / 3]),
    ("default", lambda epoch, rate=9, factor=2: rate * factor, [0.2, 0.4, 0.8]),
    ("named", lambda epoch, *, rate=0.5: rate, [0.5, 0.5, 0.5]),
    ("whole", lambda epoch: epoch, [0.0, 1.0, 2.0]),
    ("array", lambda epoch, rate: np.float32(0.5), [0.5, 0.5, 0.5]),
    ("schedule", optim.schedules.ExponentialDecay(1.0, 1, 0.5), [1.0, 0.5, 0.25]),
]


@pytest.mark.parametrize(("schedule", "rates"), [row[1:] for row in SCHEDULES], ids=[row[0] for row in SCHEDULES])
def test_schedules_set_the_rate(schedule: Any, rates: list[float]) -> None:
    history = callbacks.History()
    model = fit([callbacks.LearningRateScheduler(schedule), history], [{"loss": 1.0}] * 3)
    np.testing.assert_allclose(history.history["learning_rate"], rates, rtol=1e-6)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), rates[-1], rtol=1e-6)


def test_a_mistake_inside_a_schedule_is_the_users_to_see() -> None:
    def schedule(epoch: int, rate: float) -> Any:
        return rate + None  # type: ignore[operator]

    with pytest.raises(TypeError, match="NoneType"):
        fit(callbacks.LearningRateScheduler(schedule), [{"loss": 1.0}])


# -- CSV -------------------------------------------------------------------------------------------------------------


def rows_of(path: Path, separator: str = ",") -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_csv_has_a_line_for_every_epoch(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.csv"
    fit(callbacks.CSVLogger(path, ";"), [{"loss": 0.5, "acc": 1}, {"loss": 0.25, "acc": np.arange(2)}])
    header = ["epoch", "acc", "loss", "val_acc", "val_loss"]
    assert rows_of(path, ";") == [header, ["0", "1.0", "0.5", "NA", "NA"], ["1", '"[0, 1]"', "0.25", "NA", "NA"]]


def test_csv_replaces_a_file_only_when_there_is_something_to_write(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("precious")
    path.chmod(0o640)
    log = callbacks.CSVLogger(path)
    log.on_train_begin()
    assert path.read_text() == "precious"
    log.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
    rows = [["epoch", "loss", "val_loss"], ["0", "1.0", "2.0"]]
    assert rows_of(path) == rows  # before training has ended
    log.on_epoch_end(1, {"loss": 0.5, "val_loss": 1.0})
    assert rows_of(path) == [*rows, ["1", "0.5", "1.0"]]
    assert path.stat().st_mode & 0o777 == 0o640
    log.on_train_end()
    assert os.listdir(tmp_path) == ["log.csv"]


def test_csv_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = callbacks.CSVLogger(path, append=True)
    fit(log, [{"val_loss": 2.0, "loss": 1.0}])
    fit(callbacks.CSVLogger(path, append=True), [{"loss": 0.5}, {"loss": 0.25, "val_loss": 3.0}])
    assert rows_of(path) == [
        ["epoch", "loss", "val_loss"],
        ["0", "1.0", "2.0"],
        ["0", "0.5", "NA"],
        ["1", "0.25", "3.0"],
    ]


def test_csv_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("loss,epoch\n9,7\n")
    fit(callbacks.CSVLogger(path, append=True), [{"loss": 0.5}, {"loss": 0.25, "b": 1.0, "a": 2.0}, {"loss": 0.125}])
    wanted = [["loss", "epoch", "a", "b"], ["9", "7", "NA", "NA"], ["0.5", "0", "NA", "NA"]]
    assert rows_of(path) == [*wanted, ["0.25", "1", "2.0", "1.0"], ["0.125", "2", "NA", "NA"]]


CUT = b"epoch,loss,val_loss\r\n0,0.5,0.25\r\n1,0.125,0.75\r\n"


@pytest.mark.parametrize("length", range(len(CUT) + 1))
def test_csv_goes_on_wherever_it_was_cut(length: int, tmp_path: Path) -> None:
    """Whole lines stay, what was cut short goes, and the file is a table again."""
    path = tmp_path / "log.csv"
    path.write_bytes(CUT[:length])
    with warnings.catch_warnings(record=True, action="always") as caught:
        fit(callbacks.CSVLogger(path, append=True), [{"loss": 2.0, "val_loss": 4.0}])
    whole = CUT[:length].count(b"\n")
    header = [["epoch", "loss", "val_loss"]]
    kept = [["0", "0.5", "0.25"], ["1", "0.125", "0.75"]][: max(0, whole - 1)]
    assert rows_of(path) == [*header, *kept, ["0", "2.0", "4.0"]]
    assert len(caught) == (length not in (0, 21, 33, len(CUT)))


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    path.write_text("precious")

    def fails(*paths: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(files.os, "replace", fails)
    with pytest.raises(OSError, match="no"):
        fit(callbacks.CSVLogger(path), [{"loss": 1.0}])
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["log.csv"]


# -- Names -----------------------------------------------------------------------------------------------------------

WRITTEN: list[Any] = [
    callbacks.CSVLogger("log.csv", ";", True),
    callbacks.EarlyStopping("val_auc", 0.1, 3, 1, "max", 0.5, True, 2),
    callbacks.History(),
    callbacks.ModelCheckpoint("{epoch}", "loss", 1, True, True, "min", 7, 0.5),
    callbacks.ProgressBar(2),
    callbacks.ReduceLROnPlateau("loss", 0.5, 3, 1, "min", 0.1, 2, 0.01),
    callbacks.TensorBoard("runs", 2, False, True, True, 5, write_gradients=True),
    callbacks.TerminateOnNaN(True),
]


@pytest.mark.parametrize("made", WRITTEN, ids=[type(each).__name__ for each in WRITTEN])
def test_what_is_data_can_be_written_down(made: Any) -> None:
    again = callbacks.deserialize(callbacks.serialize(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert callbacks.get(callbacks.serialize(made)).get_config() == made.get_config()


def test_names_stand_for_callbacks() -> None:
    assert [type(callbacks.get(name)).__name__ for name in ("early_stopping", "TensorBoard", "ProgbarLogger")] == [
        "EarlyStopping",
        "TensorBoard",
        "ProgressBar",
    ]


# -- Bad input -------------------------------------------------------------------------------------------------------


def trained(made: Callable[[], Any], logs: Any = None, model: Any = None) -> Callable[[], Any]:
    return lambda: fit(made(), [{"loss": 1.0} if logs is None else logs], model=model)


class Bare:
    """A model that was not compiled."""

    stop_training = False
    metrics_names: tuple[str, ...] = ()

    def step(self) -> None: ...


REFUSED: list[tuple[str, Callable[[], Any], tuple[str, ...]]] = [
    ("mode", lambda: callbacks.EarlyStopping(mode="mni"), ("EarlyStopping", "'mni'", '"min"', '"auto"')),
    ("checkpoint mode", lambda: callbacks.ModelCheckpoint("a", mode="maximum"), ("ModelCheckpoint", "'maximum'")),
    ("monitor", lambda: callbacks.EarlyStopping(monitor=7), ("monitor=7",)),
    ("patience", lambda: callbacks.EarlyStopping(patience=-1), ("patience=-1", "0", "patience=")),
    ("patience text", lambda: callbacks.ReduceLROnPlateau(patience="3"), ("patience='3'",)),
    ("min_delta", lambda: callbacks.EarlyStopping(min_delta=math.nan), ("min_delta=nan",)),
    ("baseline", lambda: callbacks.EarlyStopping(baseline="0.5"), ("baseline='0.5'",)),
    ("start", lambda: callbacks.EarlyStopping(start_from_epoch=-2), ("start_from_epoch=-2",)),
    ("factor", lambda: callbacks.ReduceLROnPlateau(factor=1.0), ("ReduceLROnPlateau", "factor=1.0", "1")),
    ("cooldown", lambda: callbacks.ReduceLROnPlateau(cooldown=-1), ("cooldown=-1",)),
    ("min_lr", lambda: callbacks.ReduceLROnPlateau(min_lr=-0.1), ("min_lr=-0.1",)),
    ("save_freq", lambda: callbacks.ModelCheckpoint("a", save_freq="batch"), ("save_freq='batch'", '"epoch"')),
    ("save_freq 0", lambda: callbacks.ModelCheckpoint("a", save_freq=0), ("save_freq=0", "1")),
    ("save_freq half", lambda: callbacks.ModelCheckpoint("a", save_freq=1.5), ("save_freq=1.5",)),
    ("threshold", lambda: callbacks.ModelCheckpoint("a", initial_value_threshold="x"), ("'x'",)),
    ("braces", lambda: callbacks.ModelCheckpoint("{epoch"), ("{epoch", "{epoch:02d}")),
    ("position", lambda: callbacks.ModelCheckpoint("{}-{epoch}"), ("{}",)),
    ("attribute", lambda: callbacks.ModelCheckpoint("{epoch.real}"), ("{epoch.real}",)),
    ("field", trained(lambda: callbacks.ModelCheckpoint("{val_los:.2f}")), ('"val_los"', "val_loss", "accuracy")),
    ("batch", trained(lambda: callbacks.ModelCheckpoint("{batch}")), ('"batch"', "save_freq")),
    ("folder", trained(lambda: callbacks.ModelCheckpoint(os.curdir)), ("ModelCheckpoint",)),
    ("under a file", trained(lambda: callbacks.ModelCheckpoint(__file__ + "/a/{epoch}")), (__file__,)),
    ("csv under a file", trained(lambda: callbacks.CSVLogger(__file__ + "/a")), ("CSVLogger", __file__)),
    ("csv folder", trained(lambda: callbacks.CSVLogger(os.curdir)), ("CSVLogger",)),
    ("board under a file", trained(lambda: callbacks.TensorBoard(__file__)), ("TensorBoard", __file__)),
    ("not a log", trained(lambda: callbacks.CSVLogger(__file__, append=True)), (__file__, "epoch", "append=False")),
    ("separator", lambda: callbacks.CSVLogger("a", ""), ("separator=''",)),
    ("direction", trained(lambda: callbacks.EarlyStopping("val_los")), ('"val_los"', "val_accuracy", 'mode="max"')),
    ("direction later", trained(lambda: callbacks.EarlyStopping("val_los"), model=Bare()), ('"val_los"',)),
    ("schedule", lambda: callbacks.LearningRateScheduler(0.1), ("schedule=0.1",)),  # type: ignore[arg-type]
    ("rate", trained(lambda: callbacks.LearningRateScheduler(lambda epoch: -1.0)), ("-1.0", "0")),
    ("rate text", trained(lambda: callbacks.LearningRateScheduler(lambda epoch: "0.1")), ("'0.1'",)),
    ("rate none", trained(lambda: callbacks.LearningRateScheduler(lambda epoch: None)), ("None",)),
    ("uncompiled", trained(lambda: callbacks.LearningRateScheduler(lambda e: 0.1), model=Bare()), ("compile(",)),
    ("uncompiled plateau", trained(lambda: callbacks.ReduceLROnPlateau("loss"), model=Bare()), ("compile(",)),
    ("hook", lambda: callbacks.LambdaCallback(on_epoch_ends=print), ("on_epoch_ends", "on_epoch_end=")),
    ("no function", lambda: callbacks.LambdaCallback(on_epoch_end=3), ("on_epoch_end=3",)),  # type: ignore[arg-type]
    ("update_freq", lambda: callbacks.TensorBoard(update_freq="step"), ("update_freq='step'", '"batch"')),
    ("histogram_freq", lambda: callbacks.TensorBoard(histogram_freq=-1), ("histogram_freq=-1",)),
    ("profile", lambda: callbacks.TensorBoard(profile_batch=2), ("profile_batch=2",)),
    ("gradients", trained(lambda: callbacks.TensorBoard("unmade", write_gradients=True)), ("gradients_of()",)),
    ("verbose", lambda: callbacks.ProgressBar(3), ("verbose=3", '"auto"')),
    ("unknown", lambda: callbacks.get("early_stoping"), ("early_stoping", "early_stopping")),
    ("no callback", lambda: callbacks.CallbackList([losses.MeanSquaredError()]), ("MeanSquaredError",)),
    ("class", lambda: callbacks.CallbackList(callbacks.ModelCheckpoint), ("ModelCheckpoint", "filepath")),
    ("functions", lambda: callbacks.serialize(callbacks.LambdaCallback()), ("LambdaCallback",)),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("call", "parts"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_bad_input_is_named(
    call: Callable[[], Any], parts: tuple[str, ...], language: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    names_all(said(call, ArgumentError, language, monkeypatch), parts, language)


@pytest.mark.parametrize(("call", "parts"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_bad_input_is_found_before_the_first_step(
    call: Callable[[], Any], parts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def step(self: Any) -> None:
        raise AssertionError("a step was taken")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Model, "step", step)
    monkeypatch.setattr(Bare, "step", step)
    with pytest.raises(BacklightError):
        call()


@pytest.mark.parametrize(
    ("path", "logs", "part"), [("{other}", {}, "other"), ("{loss:d}", {"loss": 0.5}, "'d'"), ("{epoch}", {}, "folder")]
)
def test_a_path_that_turns_out_wrong_is_named(path: str, logs: Any, part: str, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    model = Model()
    model.metrics_names = []
    with pytest.raises(ArgumentError, match=part):
        fit(callbacks.ModelCheckpoint(tmp_path / path), [logs], model=model)
    assert model.saved == []


def test_weights_are_kept_as_copies() -> None:
    model = Model()
    model.trainable_variables = [Variable("steps", np.zeros(()))]
    values = [0.5, 0.25, 0.75]
    fit(
        callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True),
        [{"loss": v} for v in values],
        model=model,
    )
    assert model.steps == 2
