"""Backlight and Keras: the same text, with the one ``keras`` or the other; and Backlight's compiled steps alone."""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np

from benchmarks.fit.jobs import Job, made

__all__ = ["Backlight", "Keras"]


class _Fit:
    keras: str

    def __init__(self, job: Job) -> None:
        self.job = job
        self.module = importlib.import_module(self.keras)
        self.x, self.y = job.data()
        self.model = made(self.module, job)

    def epochs(self, count: int) -> float:
        """``fit``, with everything on: the seconds from the first epoch's beginning to the last one's end.

        What a call of ``fit`` does before, once for any number of epochs, is counted apart.
        """
        clock, at = time.perf_counter, [0.0, 0.0]
        watch = self.module.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: at.__setitem__(0, at[0] or clock()),
            on_train_end=lambda logs: at.__setitem__(1, clock()),
        )
        x = self.x if len(self.x) > 1 else self.x[0]
        batch = self.job.workload.batch
        self.model.fit(x, self.y, batch_size=batch, epochs=count, shuffle=True, verbose=1, callbacks=[watch])
        return at[1] - at[0]


class Keras(_Fit):
    """With the backend that the environment names."""

    keras = "keras"


class Backlight(_Fit):
    """Also ``steps_alone``: an epoch of the same batches by the stepper that ``fit`` uses, and nothing else."""

    keras = "backlight.keras"

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.alone: Any = None

    def _stepper(self) -> None:
        from backlight import GradientTape
        from backlight.nn.layer import calling
        from backlight.train.stepping import Stepper

        model = made(self.module, self.job, metrics=False)
        single = len(self.x) == 1
        data = [np.array(x) for x in self.x]
        model(data[0][:1] if single else [x[:1] for x in data])
        model.optimizer.build(model.trainable_variables)

        def step(rows: Any, data: Any) -> Any:
            *x, y = (each[rows] for each in data)
            with calling(True), GradientTape() as tape:
                loss = model.loss(y, model(x[0] if single else x, training=True))
            variables = model.trainable_variables
            model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return {}

        variables = [*model.variables, *model.optimizer.variables]
        stepper = Stepper(step, variables, native=True, what="train", keep=False)
        batch, count = self.job.workload.batch, self.job.examples
        order = np.random.default_rng(3).permutation(count)
        whole = count // batch * batch
        pieces = [order[:whole].reshape(-1, batch)] + ([order[whole:].reshape(1, -1)] if whole < count else [])
        self.alone = (stepper, pieces, [*data, self.y])

    def steps_alone(self, count: int) -> float:
        """Seconds an epoch."""
        if self.alone is None:
            self._stepper()
            self.steps_alone(1)
        stepper, pieces, data = self.alone
        start = time.perf_counter()
        for _ in range(count):
            for rows in pieces:
                stepper.run(rows, data)
        return (time.perf_counter() - start) / count
