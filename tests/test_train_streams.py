"""Streams that ``fit`` reads a part of in every epoch, and variables that lie in memory in another order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from refused import names_all, said

from backlight.errors import DataError, TrainingWarning
from backlight.nn import naming
from backlight.nn.layers import Dense
from backlight.optim import SGD
from backlight.train.callbacks import Callback, LambdaCallback
from backlight.train.model import Sequential

RNG = np.random.default_rng(0)
X = RNG.normal(size=(15, 4, 3)).astype(np.float32)  # 15 batches
Y = RNG.normal(size=(15, 4, 1)).astype(np.float32)


def model() -> Sequential:
    naming.set_random_seed(3)
    made = Sequential([Dense(1, input_shape=(3,))])
    made.compile(SGD(0.1), "mse")
    return made


def batches(count: int) -> Iterator[Any]:
    yield from zip(X[:count], Y[:count], strict=True)


@pytest.mark.parametrize("native", [True, False])
def test_each_epoch_goes_on_where_the_last_one_ended(native: bool) -> None:
    """One generator, five batches an epoch: as if all 15 had come one after the other."""
    parted, whole = model(), model()
    parted.compile(SGD(0.1), "mse", jit_compile=native)
    losses = parted.fit(batches(15), steps_per_epoch=5, epochs=3, verbose=0).history["loss"]
    expected = []
    for x, y in batches(15):
        whole.reset_metrics()
        expected.append(whole.train_on_batch(x, y))
    np.testing.assert_allclose(losses, np.mean(np.reshape(expected, (3, 5)), axis=1), rtol=1e-5)
    np.testing.assert_allclose(parted.get_weights()[0], whole.get_weights()[0], rtol=1e-5)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_data_that_end_too_early_are_told(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    with pytest.warns(TrainingWarning, match=r"(?s)\b2\b.*\b5\b|\b5\b.*\b2\b"):
        model().fit(batches(7), steps_per_epoch=5, epochs=2, verbose=0)
    trained = model()
    text = said(
        lambda: trained.fit(batches(5), steps_per_epoch=5, epochs=2, verbose=0), DataError, lang, monkeypatch
    )  # fmt: skip
    names_all(text, ("0", "5", "repeat=None", "test_train_streams.py"), lang)
    assert len(trained.history.history["loss"]) == 1


def test_a_variable_may_lie_in_memory_column_by_column() -> None:
    one, other = model(), model()
    kernel = RNG.normal(size=(3, 2)).astype(np.float32)
    for each, order in ((one, "C"), (other, "F")):
        each.pop()
        each.add(Dense(2, input_shape=(3,), kernel_initializer=lambda shape, dtype, o=order: np.array(kernel, order=o)))
        each.add(Dense(1, kernel_initializer="ones"))
        each.compile(SGD(0.1), "mse")
        each.fit(X.reshape(60, 3), Y.reshape(60, 1), shuffle=False, verbose=0)
    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])


@pytest.mark.parametrize("native", [True, False])
def test_the_next_batches_are_made_while_these_are_used(native: bool) -> None:
    """The callback is called where a step has ended, and waits there for the batch after the next one."""
    made = [threading.Event() for _ in range(8)]

    def slowly() -> Iterator[Any]:
        for k, batch in enumerate(batches(8)):
            made[k].set()
            yield batch

    class Waits(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            assert made[min(batch + 1, 7)].wait(20.0), "nobody makes the next batch"

    trained = model()
    trained.compile(SGD(0.1), "mse", jit_compile=native)
    trained.fit(slowly(), callbacks=[Waits()], verbose=0)


def test_what_the_loader_raises_comes_out_after_the_batches_before_it() -> None:
    def broken() -> Iterator[Any]:
        yield from batches(3)
        raise OSError("the disk is gone")

    seen: list[int] = []
    told = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    with pytest.raises(OSError, match="the disk is gone"):
        model().fit(broken(), callbacks=[told], verbose=0)
    assert seen == [0, 1, 2]
