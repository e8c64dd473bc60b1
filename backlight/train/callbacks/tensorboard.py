"""What TensorBoard shows of a training, written as it goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from backlight.nn.lookup import Configured
from backlight.optim.variable import name_of, read
from backlight.train.callbacks import events
from backlight.train.callbacks.base import Callback, check_number, rate_of, refuse
from backlight.train.callbacks.files import ready_folder
from backlight.variable import now

__all__ = ["TensorBoard"]

_clock = time.perf_counter


class TensorBoard(Callback, Configured):
    """Write losses, metrics and learning rate, the distributions of weights and gradients, and the model's layers.

    ``TensorBoard(log_dir="logs", histogram_freq=0, write_graph=True, write_images=False,
    write_steps_per_second=False, update_freq="epoch", profile_batch=0, embeddings_freq=0, embeddings_metadata=None,
    write_gradients=False)``. Look at them with ``tensorboard --logdir logs``.

    - Every epoch ``epoch_loss`` and the other numbers, in the runs ``train`` and ``validation``; with ``update_freq=n``
      (``"batch"`` is 1) ``batch_loss`` and so on after every n-th step too.
    - ``histogram_freq=n``: every n-th epoch a histogram of every weight, with ``write_images`` also an image, and with
      ``write_gradients`` a histogram of every gradient: ``model.gradients_of()``, or what a function of the model
      given here returns, by names or in the order of ``model.trainable_variables``.
    - ``write_graph``: the layers as a graph (``model.to_json()``) and as text (``model.summary()``), where the model
      has these.
    - ``write_steps_per_second``: how many steps are taken in a second.

    Files are named by the time, so none is ever written over.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = TensorBoard(folder)
    ...     board.on_train_begin()
    ...     board.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    ...     board.on_train_end()
    ...     sorted(os.listdir(folder))
    ['train', 'validation']

    Raises ``ArgumentError`` for options that make no sense, before the first step also for a folder that cannot be
    written to and a model without gradients to show.
    """

    _config = (
        "log_dir",
        "histogram_freq",
        "write_graph",
        "write_images",
        "write_steps_per_second",
        "update_freq",
        "write_gradients",
    )

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
        write_gradients: bool | Callable[[Any], Any] = False,
    ) -> None:
        if update_freq not in ("epoch", "batch"):
            if isinstance(update_freq, str):
                names = '"epoch", "batch"'
                raise refuse("callback_frequency", self, name="update_freq", came=repr(update_freq), names=names)
            check_number(self, "update_freq", update_freq, 1, whole=True)
        check_number(self, "histogram_freq", histogram_freq, whole=True)
        for name, value in (("profile_batch", profile_batch), ("embeddings_freq", embeddings_freq)):
            if value:
                raise refuse("callback_unsupported", self, name=name, came=repr(value))
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second, self.write_gradients = write_steps_per_second, write_gradients
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.batch_interval = 0 if self.update_freq == "epoch" else self.update_freq
        self._train = events.EventWriter(os.path.join(self.log_dir, "train"))
        self._validation = events.EventWriter(os.path.join(self.log_dir, "validation"))
        self._training = False
        self._steps = self._before = self._written = 0
        self._began = self._last = 0.0

    # -- When ----------------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """See that files can be written, and write what the model is made of."""
        if self.write_gradients and not callable(self._gradients()):
            raise refuse("callback_gradients", self)
        ready_folder(self, self.log_dir)
        self._training, self._steps, self._before, self._written = True, 0, 0, 0
        if self.write_graph:
            self._train.add(0, list(self._layers()))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Look at the clock."""
        self._before = self._steps
        self._began = self._last = _clock()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Write this step's numbers, if it is one of those asked for."""
        taken, self._steps = self._before + batch + 1 - self._steps, self._before + batch + 1
        if self.update_freq == "epoch" or self._steps // self.update_freq == self._written:
            return
        self._written = self._steps // self.update_freq
        shown = {f"batch_{name}": value for name, value in (logs or {}).items()}
        if self.write_steps_per_second:
            now = _clock()
            shown["batch_steps_per_second"], self._last = taken / max(now - self._last, 1e-9), now
        self._train.add(self._steps, _scalars(shown))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write this epoch's numbers, and distributions if it is one of those asked for."""
        logs = logs or {}
        if self._steps == self._before:  # nobody told of batches
            self._steps += (self.params or {}).get("steps") or 0
        shown = {name: value for name, value in logs.items() if not name.startswith("val_")}
        held_out = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        rate = rate_of(self.model)
        if rate is not None:
            shown["learning_rate"] = rate
        if self.write_steps_per_second:
            shown["steps_per_second"] = (self._steps - self._before) / max(_clock() - self._began, 1e-9)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._train.add(epoch, list(self._distributions()))
        for writer, values in ((self._train, shown), (self._validation, held_out)):
            if values:
                writer.add(epoch, _scalars({f"epoch_{name}": value for name, value in values.items()}))
            writer.flush()

    def on_test_end(self, logs: Any = None) -> None:
        """Write what was found, over the number of steps that the optimiser has taken."""
        steps = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        if steps is not None and logs:
            shown = {f"evaluation_{name}_vs_iterations": value for name, value in logs.items()}
            self._validation.add(int(steps), _scalars(shown))
        if not self._training:
            self.release()

    def on_train_end(self, logs: Any = None) -> None:
        """Close the files."""
        self.release()

    def release(self) -> None:
        """Close the files."""
        self._training = False
        self._train.close()
        self._validation.close()

    # -- What ----------------------------------------------------------------------------------------------------------

    def _gradients(self) -> Any:
        if callable(self.write_gradients):
            return lambda: self.write_gradients(self.model)
        return getattr(self.model, "gradients_of", None)

    def _layers(self) -> Iterator[dict[int, Any]]:
        if hasattr(self.model, "to_json"):
            yield events.keras_graph("keras", self.model.to_json())
        if hasattr(self.model, "summary"):
            lines: list[str] = []
            self.model.summary(print_fn=lambda line, *_, **__: lines.append(str(line)))
            yield events.text("model", "\n".join(f"    {line}" for part in lines for line in part.split("\n")))

    def _distributions(self) -> Iterator[dict[int, Any]]:
        weights = getattr(self.model, "weights", None) or self.model.trainable_variables
        for number, weight in enumerate(weights):
            name, values = name_of(weight, number).replace(":", "_"), np.asarray(read(weight))
            yield events.histogram(f"{name}/histogram", values)
            if self.write_images and (pixels := _pixels(values)) is not None:
                yield events.image(f"{name}/image", pixels)
        if self.write_gradients:
            found = self._gradients()()
            if not isinstance(found, Mapping):
                names = [name_of(each, number) for number, each in enumerate(self.model.trainable_variables)]
                found = dict(zip(names, found, strict=True))
            for name, values in found.items():
                if values is not None:
                    yield events.histogram(f"{name.replace(':', '_')}/gradient", now(values))


def _scalars(values: Mapping[str, Any]) -> list[dict[int, Any]]:
    """What is one number; TensorBoard draws no curve of anything else."""
    return [
        events.scalar(name, value)
        for name, value in values.items()
        if not isinstance(value, str) and np.size(value) == 1
    ]


def _pixels(weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """A weight as images: a matrix lying down is one, kernels of a convolution are one each."""
    x = np.squeeze(weight)
    if x.ndim == 1:
        return x.reshape(1, -1, 1, 1)
    if x.ndim == 2:
        x = x.T if x.shape[0] > x.shape[1] else x
        return x.reshape(1, *x.shape, 1)
    if x.ndim == 3:
        return np.transpose(x, (2, 0, 1))[..., None]
    return x if x.ndim == 4 and x.shape[-1] in (1, 3, 4) else None
