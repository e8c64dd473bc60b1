"""Callbacks beside Keras's: the same made-up logs go through both, and every decision must be the same.

The numbers are those of float32 models, with many ties and a NaN now and then. One case is one callback with one set of
options, drawn at random, in one made-up training.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.parity.cases import Case, Pair, keras, ours, use

__all__ = ["cases"]

RNG = np.random.default_rng(0)
TRAININGS = 60
Trace = list[Any]


class Model:
    """What callbacks ask of a model; its only weight is the number of the epoch."""

    def __init__(self) -> None:
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.1, iterations=0)
        self.weights = [np.zeros(())]
        self.saved: list[tuple[str, float]] = []
        self.metrics: list[Any] = []

    def get_weights(self) -> list[Any]:
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        self.weights = [np.array(weight) for weight in weights]

    def save(self, path: str, overwrite: bool = True) -> None:
        self.saved.append((os.path.basename(path), float(self.weights[0])))

    save_weights = save


def numbers(length: int) -> Any:
    """A curve, or steps of a tenth with ties, or noise, with a NaN now and then; as float32."""
    kind = RNG.integers(0, 4)
    x = {
        0: np.exp(-np.arange(length) / 5) + 0.05 * RNG.normal(size=length),
        1: RNG.integers(0, 8, length) / 10,
        2: RNG.normal(size=length),
        3: np.cumsum(RNG.integers(-1, 2, length)) / 100,
    }[int(kind)].astype(np.float32)
    if RNG.random() < 0.1:
        x[RNG.integers(0, length)] = np.nan
    return x


def choose(**options: tuple[Any, ...]) -> dict[str, Any]:
    """Each option with one of its values."""
    return {name: values[RNG.integers(0, len(values))] for name, values in options.items()}


def train(callback: Any, rows: list[dict[str, float]], steps: int, look: Callable[[Any, Any], Any]) -> Trace:
    model = Model()
    callback.set_model(model)
    callback.set_params({"epochs": len(rows), "steps": steps, "verbose": 0})
    callback.on_train_begin({})
    seen: Trace = []
    logs: dict[str, float] = {}
    for epoch, row in enumerate(rows):
        model.weights = [np.array(float(epoch + 1))]
        callback.on_epoch_begin(epoch, {})
        for step in range(steps):
            callback.on_train_batch_begin(step, logs={})
            callback.on_train_batch_end(step, logs={"loss": row["loss"]})
        logs = dict(row)
        callback.on_epoch_end(epoch, logs)
        seen.append(look(callback, model))
        if model.stop_training:
            break
    callback.on_train_end(logs)
    return [*seen, float(model.weights[0]), sorted(logs)]


def stopping(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    options = choose(
        monitor=("val_loss", "loss"),
        min_delta=(0, 0.1, -0.01, 0.001),
        patience=(0, 1, 2, 5),
        mode=("auto", "min", "max"),
        baseline=(None, None, 0.3, 0.7),
        restore_best_weights=(False, True),
        start_from_epoch=(0, 0, 3),
    )
    return "EarlyStopping", options, lambda c, m: (c.best, c.wait, c.best_epoch, c.stopped_epoch, m.stop_training)


def plateau(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    options = choose(
        factor=(0.1, 0.5, 0.3),
        patience=(0, 1, 3),
        mode=("auto", "min", "max"),
        min_delta=(1e-4, 0, 0.1),
        cooldown=(0, 1, 2),
        min_lr=(0.0, 0.001, 0.01),
    )
    return "ReduceLROnPlateau", options, lambda c, m: (c.best, c.wait, c.cooldown_counter, m.optimizer.learning_rate)


def checkpoint(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    options = choose(
        monitor=("val_loss", "loss"),
        save_best_only=(True, False),
        save_weights_only=(True, False),
        mode=("min", "max"),
        save_freq=("epoch", "epoch", 1, 2, 7),
        initial_value_threshold=(None, 0.4),
    )
    ending = ".weights.h5" if options["save_weights_only"] else ".keras"
    if options["save_freq"] != "epoch":
        options |= {"save_best_only": False, "filepath": folder + "/{epoch}-{batch:03d}-{loss:.3f}" + ending}
    else:
        options["filepath"] = folder + "/{epoch:02d}-{val_loss:.2f}" + ending
    return "ModelCheckpoint", options, lambda c, m: (c.best, list(m.saved))


def scheduler(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    drop = float(RNG.random())
    rules = (lambda epoch, rate: rate * drop, lambda epoch: drop / (1 + epoch))
    return "LearningRateScheduler", choose(schedule=rules), lambda c, m: m.optimizer.learning_rate


def guard(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    return "TerminateOnNaN", {}, lambda c, m: m.stop_training


def history(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    return "History", {}, lambda c, m: (list(c.epoch), {k: list(v) for k, v in c.history.items()})


def csv_log(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    path = Path(folder) / "log.csv"
    if RNG.random() < 0.5:
        path.write_bytes(b"epoch,loss,val_loss\r\n0,0.5,0.75\r\n")
    options = choose(append=(True, False), separator=(",",)) | {"filename": str(path)}
    return "CSVLogger", options, lambda c, m: path.read_bytes()


def lambdas(folder: str) -> tuple[str, dict[str, Any], Callable[[Any, Any], Any]]:
    told: list[Any] = []
    options = {
        "on_epoch_end": lambda epoch, logs: told.append(("epoch", epoch, sorted(logs))),
        "on_train_begin": lambda logs: told.append("begin"),
        "on_train_batch_end": lambda step, logs: told.append(("batch", step, sorted(logs))),
    }
    return "LambdaCallback", {k: v for k, v in options.items() if RNG.random() < 0.7}, lambda c, m: list(told)


FAMILIES: tuple[Callable[[str], tuple[str, dict[str, Any], Callable[[Any, Any], Any]]], ...] = (
    stopping, plateau, checkpoint, scheduler, guard, history, csv_log, lambdas,
)  # fmt: skip


def single(x: Any) -> Any:
    """Numbers as float32, in which Keras keeps rates."""
    if isinstance(x, float):
        return np.float32(x)
    if isinstance(x, list | tuple):
        return [single(each) for each in x]
    return {key: single(each) for key, each in x.items()} if isinstance(x, dict) else x


def beside(family: Callable[[str], Any], name: str) -> Case:
    """Many trainings."""

    def found(dtype: str) -> Iterator[Pair]:
        use(dtype)
        RNG.bit_generator.state = np.random.default_rng(len(name)).bit_generator.state
        for _ in range(TRAININGS):
            length, steps = int(RNG.integers(1, 25)), int(RNG.integers(1, 5))
            curves = zip(numbers(length), numbers(length), strict=True)
            rows = [{"loss": float(a), "val_loss": float(b)} for a, b in curves]
            seed, traces = RNG.bit_generator.state, []
            for module in (ours, keras):
                RNG.bit_generator.state = seed
                with (
                    tempfile.TemporaryDirectory() as folder,
                    warnings.catch_warnings(),
                    open(os.devnull, "w") as nowhere,
                ):
                    warnings.simplefilter("ignore")
                    _, options, look = family(folder)
                    with redirect_stdout(nowhere):
                        traces.append(single(train(module(f"callbacks.{name}")(**options), rows, steps, look)))
            yield Pair("Keras", "decision", *traces)

    return Case("callbacks", name, {}, found, f"in {TRAININGS} trainings with options at random", ("float32",))


def cases() -> Iterator[Case]:
    """All of this table."""
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            name = family(folder)[0]
        yield beside(family, name)
