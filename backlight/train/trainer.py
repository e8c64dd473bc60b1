"""Training as Keras does it: ``compile``, ``fit``, ``evaluate``, ``predict``, on top of steps that anyone could write.

``train_step`` is the imperative program that a user would write by hand: a tape around the model's call, gradients,
``apply_gradients``. ``fit`` gives it to a ``Stepper``, which makes one native loop of an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight import random
from backlight.array import Array
from backlight.errors import ArgumentError, BacklightError, message
from backlight.nn.layer import calling
from backlight.nn.losses.common import here
from backlight.nn.naming import next_seed
from backlight.optim import get as optimizer_of
from backlight.tape import GradientTape
from backlight.train.callbacks import CallbackList, History, batch_interval
from backlight.train.feeding import ArrayFeed, StreamFeed, feed_of, parts_of, split
from backlight.train.metrics.base import Mean, Metric, Sum
from backlight.train.objectives import Objectives
from backlight.train.position import Position
from backlight.train.stepping import Stepper
from backlight.train.validation import check_finite, check_label_range, check_not_empty, validate
from backlight.tree import flatten, tree_map, unflatten
from backlight.variable import Bindings, now

__all__ = ["Trainer"]

TRIED = 8  # examples that go through the model before the first step, to see whether everything fits
WHOLE = 1 << 62  # as many as a batch has
Feed = ArrayFeed | StreamFeed


class Trainer:
    """What a model can do once it is compiled: see ``Model``."""

    optimizer: Any = None
    loss: Any = None
    stop_training = False
    history: Any = None
    _objectives: Objectives | None = None
    _told: CallbackList | None = None
    _first_examples: Any = None
    _tried: dict[Any, Any]
    _native = True

    # -- Compile ---------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train: an optimiser, a loss and metrics, by name or as objects.

        With ``jit_compile=False`` (or ``run_eagerly=True``) every step runs in Python; otherwise whole epochs run as
        native code wherever they can be compiled. How many steps run at once is decided by who wants to be told:
        ``steps_per_execution`` is accepted and not needed.

        Raises ``ArgumentError`` for names that are not known.
        """
        self.optimizer = optimizer_of(optimizer)
        self.loss = loss
        self._objectives = Objectives(loss, loss_weights, metrics, weighted_metrics)
        self._native = bool(jit_compile) and not run_eagerly
        self._steppers: dict[str, Stepper] = {}
        self._tried = {}
        self._position = Position([int(word) for word in random.key(next_seed())])
        self.stop_training = False

    @property
    def compiled(self) -> bool:
        """Whether ``compile`` has been called."""
        return self._objectives is not None

    def _compiled(self, what: str) -> Objectives:
        if self._objectives is None:
            raise ArgumentError(message("fit_not_compiled", here(), method=what))
        return self._objectives

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, the mean of the loss first; those that are attributes of the model are among them."""
        compiled = [] if self._objectives is None or not self._objectives.built else self._objectives.all
        return [*compiled, *self._own_metrics]

    @property
    def _own_metrics(self) -> list[Metric]:
        return [each for each in vars(self).values() if isinstance(each, Metric)]

    def _all_metrics(self) -> list[Metric]:
        """The metrics, and those that are none of them where somebody's ``metrics`` names others."""
        found = {id(each): each for each in (*Trainer.metrics.fget(self), *self.metrics)}  # type: ignore[attr-defined]
        return list(found.values())

    @property
    def metrics_names(self) -> list[str]:
        """The names of the metrics."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Forget what the metrics have seen."""
        for metric in self._all_metrics():
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The loss and the metrics so far, by name."""
        own = {metric.name: metric.result() for metric in self._own_metrics if metric.variables}
        return self._compiled("get_metrics_result").results() | own

    # -- Steps -----------------------------------------------------------------------------------------------------

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
        """The number to make small: the weighted losses, and what layers and regularisers add."""
        return self._losses_of(y, y_pred, sample_weight)[0]

    def _losses_of(self, y: Any, y_pred: Any, sample_weight: Any, masks: Any = ()) -> tuple[Any, list[Any]]:
        objectives = self._compiled("compute_loss")
        total, parts = objectives.value(y, y_pred, sample_weight, masks) if objectives.loss is not None else (None, [])
        for extra in self.losses:  # type: ignore[attr-defined]
            total = extra if total is None else total + extra
        if total is None:
            raise ArgumentError(message("objective_none", here()))
        return total, parts

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Take a batch into the metrics, and give what they are."""
        self._compiled("compute_metrics").update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training on ``(x, y, sample_weight)``: write your own to do something else in ``fit``.

        Everything in it may be plain imperative code that reads and assigns variables; it becomes part of the native
        loop. What it returns, numbers by name, is what the progress display shows.
        """
        self._learn(data)
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of ``evaluate``."""
        self._try(data)
        return self.get_metrics_result()

    def predict_step(self, data: Any) -> Any:
        """One step of ``predict``."""
        return self(parts_of(data)[0], training=False)  # type: ignore[operator]

    def _learn(self, data: Any) -> None:
        with GradientTape() as tape:
            loss = self._forward(data, training=True)
        variables = self.trainable_variables  # type: ignore[attr-defined]
        gradients = tape.gradient(self.optimizer.scale_loss(loss), variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def _try(self, data: Any) -> None:
        self._forward(data, training=False)

    def gradients_of(self, x: Any = None, y: Any = None, sample_weight: Any = None) -> list[Any]:
        """The gradients of the loss by the trainable variables, as the model is used and not as it is trained.

        Without examples, those of the first ones that ``fit`` was given. Nothing changes: metrics and random keys stay.

        Raises ``ArgumentError`` where ``fit`` has not been given any.
        """
        data = (x, y, sample_weight) if x is not None else self._first_examples
        if data is None:
            raise ArgumentError(message("fit_no_data", here()))
        with GradientTape() as tape:
            loss = self._loss_of(data, training=False)[0]
        return [now(g) for g in tape.gradient(loss, self.trainable_variables)]  # type: ignore[attr-defined]

    def _forward(self, data: Any, training: bool) -> Any:
        """The loss of a batch; the metrics have seen it."""
        x, y, sample_weight = parts_of(data)
        objectives = self._compiled("train_step")
        loss, parts, y_pred, masks = self._loss_of(data, training)
        count = flatten(x)[0][0].shape[0]
        objectives.update_losses(loss, parts if len(parts) > 1 else [], float(count))
        if type(self).compute_metrics is Trainer.compute_metrics:
            objectives.update(y, y_pred, sample_weight, masks)
        else:
            self.compute_metrics(x, y, y_pred, sample_weight)
        return loss

    def _loss_of(self, data: Any, training: bool) -> tuple[Any, list[Any], Any, list[Any]]:
        """The loss of a batch, its parts, what the model made of it, and the masks of that."""
        x, y, sample_weight = parts_of(data)
        self._forget_losses()  # type: ignore[attr-defined]
        with calling(training) as context:
            y_pred = self(x, training=training)  # type: ignore[operator]
            leaves = flatten(y_pred)[0]
            masks = [context.masks.get(leaf.node) for leaf in leaves]
        if type(self).compute_loss is Trainer.compute_loss:
            loss, parts = self._losses_of(y, y_pred, sample_weight, masks)
        else:
            loss, parts = self.compute_loss(x, y, y_pred, sample_weight), []
        return loss, parts, y_pred, masks

    # -- The loops -------------------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        resume: bool = False,
    ) -> Any:
        """Train for ``epochs``, and give the ``History``: ``history.history["loss"]`` is a list.

        ``x`` and ``y`` are arrays (lists or dictionaries of them for several inputs and outputs), pandas or Polars
        frames, memory-mapped files; or ``x`` alone hands out ``(x, y)`` or ``(x, y, sample_weight)``: ``Batches``, a
        generator, anything numbered. Ctrl-C ends training after a whole step; the history so far is returned.

        With ``resume=True`` training goes on where it was, in the middle of an epoch, too: after Ctrl-C, or in a model
        that was loaded from the file that ``save`` wrote. ``epochs`` is how many there are in all, and the history goes
        on. With the same data it is exactly what would have followed.

        Raises ``ArgumentError``, ``ShapeError``, ``DataError`` before the first step where data, labels, loss and
        metrics do not fit each other.
        """
        objectives = self._compiled("fit")
        epochs, initial_epoch = _count("epochs", epochs, 0), _count("initial_epoch", initial_epoch, 0)
        batch_size = None if batch_size is None else _count("batch_size", batch_size, 1)
        if validation_split:
            (x, y, sample_weight), last = split(validation_split, x, y, sample_weight)
            validation_data = last if validation_data is None else validation_data
        position = self._position
        feed = feed_of(
            x, y, sample_weight, batch_size, key=np.array(position.key, np.uint32), shuffle=bool(shuffle),
            steps=steps_per_epoch, class_weight=class_weight,
        )  # fmt: skip
        self._get_ready(feed, objectives)
        self._first_examples = self._few(feed, TRIED)
        valid = None
        if validation_data is not None:
            valid = self._validation_feed(validation_data, validation_batch_size or batch_size, validation_steps)
        if resume:
            position = self._position = self.position
            initial_epoch = position.epoch
            if position.seen or position.stream is not None:
                feed.go_to(position.stream)
        else:
            position.step, position.history, position.epochs = 0, {}, []
        self.stop_training = False
        self._told = told = CallbackList(
            callbacks, add_history=True, add_progbar=verbose not in (0, False), model=self,
            verbose=int(verbose) if isinstance(verbose, bool) else verbose, epochs=epochs, steps=feed.steps,
        )  # fmt: skip
        with told:
            told.on_train_begin()
            self.history.history, self.history.epoch = position.lists()
            logs: dict[str, Any] = {}
            train, past = self._steps_of("train", feed), 0
            test = train if valid is None else self._steps_of("test", valid)
            try:
                for epoch in range(initial_epoch, epochs):
                    told.on_epoch_begin(epoch)
                    if not position.step:
                        position.begin(epoch, feed.place())
                        self.reset_metrics()
                    logs = self._epoch("train", train, feed, told, position, past)
                    past += position.step
                    place = feed.place()
                    if valid is not None and _due(validation_freq, epoch):
                        try:
                            logs |= {f"val_{name}": value for name, value in self._evaluated(test, valid, told).items()}
                        except KeyboardInterrupt:
                            self.history.on_epoch_end(epoch, logs)  # it has been trained
                            raise
                    position.end(place)
                    told.on_epoch_end(epoch, logs)
                    if self.stop_training:
                        break
            except KeyboardInterrupt:
                self.stop_training = True
            if self.optimizer.use_ema:
                self.optimizer.finalize_variable_values(self.trainable_variables)  # type: ignore[attr-defined]
            told.on_train_end(logs)
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or ``[loss, *metrics]``, on these data; by name with ``return_dict=True``.

        Raises what ``fit`` raises.
        """
        objectives = self._compiled("evaluate")
        feed = feed_of(x, y, sample_weight, batch_size, steps=steps)
        self._get_ready(feed, objectives, check=not objectives.built)
        told = CallbackList(
            callbacks, add_progbar=verbose not in (0, False), model=self, verbose=verbose, epochs=1, steps=feed.steps
        )
        with told:
            logs = self._evaluated(self._steps_of("test", feed), feed, told)
        return _answer(logs, return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """What the model makes of ``x``, as plain arrays.

        Raises what calling the model raises.
        """
        feed = feed_of(x, None, None, batch_size, steps=steps)
        self._build_on(self._few(feed, 1))
        told = CallbackList(
            callbacks, add_progbar=verbose not in (0, False), model=self, verbose=verbose, epochs=1, steps=feed.steps
        )
        batch_of = type(feed).batch
        stepper = self._stepper(
            f"predict {type(feed).__name__}", lambda row, data: self.predict_step(batch_of(row, data)),
            self._remembered(), True,
        )  # fmt: skip
        found: list[Any] = []
        every, done = batch_interval(told, "predict"), 0

        with told:
            told.on_predict_begin()
            for rows in feed.pieces(0, lambda step: _together(step, every, stepper)):
                if every and done % every == 0:
                    told.on_predict_batch_begin(done)
                outputs = stepper.run(rows, feed.data)
                found.append(tree_map(lambda leaf: leaf.reshape((-1, *leaf.shape[2:])), outputs))
                done += stepper.finished
                if every and done % every == 0:
                    told.on_predict_batch_end(done - 1, {"outputs": tree_map(lambda leaf: leaf[-1], outputs)})
                else:
                    told.on_progress(done - 1)
            stepper.follow()
            told.on_predict_end()
        leaves = [flatten(each)[0] for each in found]
        joined = [np.concatenate(column) for column in zip(*leaves, strict=True)]
        return unflatten(flatten(found[0])[1], joined)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training on one batch: the loss, or ``[loss, *metrics]``."""
        return self._on_batch("train", x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss, or ``[loss, *metrics]``, on one batch."""
        return self._on_batch("test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """What the model makes of one batch."""
        return self.predict(x, batch_size=len(flatten(x)[0][0]), verbose=0)

    def _on_batch(self, what: str, x: Any, y: Any, w: Any, class_weight: Any, return_dict: bool) -> Any:
        objectives = self._compiled(f"{what}_on_batch")
        feed = feed_of(x, y, w, len(flatten(x)[0][0]), class_weight=class_weight)
        self._get_ready(feed, objectives, check=not objectives.built)
        self.reset_metrics()
        logs = self._epoch(what, self._steps_of(what, feed), feed, CallbackList(), Position([]))
        return _answer(logs, return_dict)

    # -- Inside the loops ------------------------------------------------------------------------------------------

    def _few(self, feed: Feed, count: int) -> Any:
        """The first ``count`` examples, or a whole batch for a model that takes nothing else."""
        fixed = any(each.shape and each.shape[0] is not None for each in self.inputs)  # type: ignore[attr-defined]
        return feed.first(WHOLE if fixed else count)

    def _build_on(self, inputs: Any) -> Any:
        """What the model makes of a few examples, which builds it. What its variables hold stays.

        Of examples of the same form the model is asked once: NumPy's products wake threads that keep the cores busy for
        a while afterwards, at the cost of the first steps.
        """
        x = parts_of(inputs)[0]
        leaves, structure = flatten(x)
        form = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        tried = self.__dict__.setdefault("_tried", {})
        if form not in tried:
            with Bindings() as bindings:
                variables = self.variables  # type: ignore[attr-defined]
                bindings.bind(variables, [Array(variable.node) for variable in variables])
                tried[form] = self(x, training=False)  # type: ignore[operator]
        return tried[form]

    def _get_ready(self, feed: Feed, objectives: Objectives, check: bool = True) -> None:
        """Build model, metrics and optimiser, and look at everything that would go wrong later."""
        self._look_at(feed)
        if check or not objectives.built:
            x, y, w = parts_of(self._few(feed, TRIED))
            y_pred = self._build_on((x, y, w))
            if not objectives.built:
                objectives.build(y, y_pred, self._output_names())
            self._fits(feed, objectives, y, y_pred)
        elif isinstance(feed, ArrayFeed):
            self._look(feed.tree)
        for metric in self._all_metrics():
            if not metric.variables and isinstance(metric, Mean | Sum):  # before a native loop is recorded
                metric.build()
        self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]

    def _look_at(self, feed: Feed, where: str | None = None) -> None:
        """See that the numbers of a set are finite, or of each batch as it comes; ``where`` is a text's name."""
        if isinstance(feed, StreamFeed):
            feed.look = self._look
            return
        for what, tree in zip(("x", "y", "sample_weight"), parts_of(feed.tree), strict=True):
            for leaf in flatten(tree)[0]:
                if not isinstance(leaf, np.memmap):  # a whole file would be read for it
                    named = what if where is None else message(where, what=what)
                    check_not_empty(named, leaf)
                    check_finite(named, leaf, what)

    def _look(self, batch: Any, number: int = 0) -> None:
        """See that the numbers of a batch are finite, and its labels such as the losses expect."""
        objectives = self._compiled("fit")
        x, y, w = parts_of(batch)
        for what, tree in (("x", x), ("y", y), ("sample_weight", w)) if number else ():
            for leaf in flatten(tree)[0]:
                check_finite(message("data_of_batch", what=what, number=number), leaf, what)
        if not objectives.built or y is None:
            return
        labels = objectives.labels(y, len(objectives.losses))
        for loss, one, (_, shape) in zip(objectives.losses, labels, objectives.shapes, strict=False):
            if loss is not None and one is not None:
                check_label_range(loss, one, shape)

    @property
    def position(self) -> Position:
        """Where training stands, the history included."""
        self._compiled("position")
        return self._position.with_history(self._told, self.history)

    @position.setter
    def position(self, position: Position) -> None:
        self._position, self.history = position, History()
        self.history.history, self.history.epoch = position.lists()

    def _fits(self, feed: Feed, objectives: Objectives, y: Any, y_pred: Any) -> None:
        """See that labels, predictions, losses and metrics fit each other, but for steps that the user wrote."""
        if y is None and not objectives.wants_labels:
            return
        if y is None:
            kind = type(self)
            if kind.train_step is not Trainer.train_step or kind.compute_loss is not Trainer.compute_loss:
                return
            facts = {"what": "y", "came": 0, "count": len(objectives.names), "names": ", ".join(objectives.names)}
            raise ArgumentError(message("objective_count", here(), **facts))
        whole = parts_of(feed.tree)[1] if isinstance(feed, ArrayFeed) else y
        count = len(objectives.losses)
        labels, shown = objectives.labels(whole, count), objectives.labels(y, count)
        for k, p in enumerate(flatten(y_pred)[0]):
            if objectives.losses[k] is not None:
                try:
                    validate(
                        objectives.losses[k], objectives.metrics_of(k), labels[k], labels[k], p, None, len(shown[k])
                    )
                except BacklightError as error:
                    error.add_note(message("fit_output", name=objectives.names[k], shape=np.shape(p)))
                    raise

    def _validation_feed(self, data: Any, batch_size: int | None, steps: int | None) -> Feed:
        if isinstance(data, tuple | list) and 2 <= len(data) <= 3:
            x, y, w = parts_of(data)
            feed = feed_of(x, y, w, batch_size, steps=steps)
        else:
            feed = feed_of(data, None, None, batch_size, steps=steps)
        objectives = self._compiled("fit")
        self._look_at(feed, "data_of_validation")
        x, y, w = parts_of(self._few(feed, TRIED))
        self._fits(feed, objectives, y, self._build_on((x, y, w)))
        return feed

    def _output_names(self) -> Sequence[str]:
        return ()

    def _stepper(self, name: str, step: Callable[..., Any], variables: Sequence[Any], keep: bool) -> Stepper:
        """The stepper of the last call, unless it was for other variables."""
        kept: dict[str, Stepper] = self.__dict__.setdefault("_steppers", {})
        if name not in kept or not kept[name].works_on(variables):
            what = f"{type(self).__name__}: {name}"
            kept[name] = Stepper(step, variables, native=self._native, what=what, keep=keep)
        return kept[name]

    def _steps_of(self, what: str, feed: Feed) -> tuple[Stepper, bool]:
        """What runs the steps of training or of a test, and whether the user wrote them, so that they say the logs."""
        train = what == "train"
        own = (type(self).train_step, Trainer.train_step) if train else (type(self).test_step, Trainer.test_step)
        custom = own[0] is not own[1]
        quiet, batch_of = (self._learn if train else self._try), type(feed).batch

        def step(row: Any, data: Any) -> Any:
            batch = batch_of(row, data)
            if custom:
                return (self.train_step if train else self.test_step)(batch)
            quiet(batch)
            return {}

        variables = self._metric_variables()
        if train:
            variables = [*self.variables, *self.optimizer.variables, *variables]  # type: ignore[attr-defined]
        else:
            variables = [*self._remembered(), *variables]
        return self._stepper(f"{what} {type(feed).__name__}", step, variables, custom), custom

    def _remembered(self) -> list[Any]:
        """The variables that a call may assign though nothing is learnt, such as the states of ``stateful`` layers."""
        return [variable for variable in self.variables if not variable.trainable]  # type: ignore[attr-defined]

    def _metric_variables(self) -> list[Any]:
        return [variable for metric in self._all_metrics() for variable in metric.variables]

    def _epoch(
        self, what: str, steps: tuple[Stepper, bool], feed: Feed, told: CallbackList, position: Position, past: int = 0
    ) -> dict[str, Any]:
        """The batches of an epoch from ``position`` on: the logs in the end. There were ``past`` steps before it."""
        stepper, custom = steps
        every = batch_interval(told, what)
        begin, end = getattr(told, f"on_{what}_batch_begin"), getattr(told, f"on_{what}_batch_end")

        def is_due() -> bool:
            """Whether somebody wants to be told of the steps that end or begin here."""
            return every > 0 and (past + position.step) % every == 0

        try:
            for rows in feed.pieces(position.seen, lambda step: _together(past + step, every, stepper), position.step):
                position.logs = {}
                if is_due():
                    begin(position.step)
                try:
                    found = stepper.run(rows, feed.data)
                finally:
                    position.step += stepper.finished
                if custom:
                    position.logs = {name: _plain(column[-1]) for name, column in found.items()}
                if is_due():
                    stepper.follow()
                    end(position.step - 1, position.logs if custom else self._results())
                    if self.stop_training and what == "train":
                        break
                elif told.watches and position.step != feed.steps:
                    stepper.follow(self._metric_variables())
                    told.on_progress(position.step - 1, position.logs if custom else self._results())
        finally:
            stepper.follow()  # what was trained counts, whatever happened to the rest of the data
        if not position.logs:  # they are there where training was interrupted in the validation that follows
            position.logs = self._results()
        return dict(position.logs)

    def _results(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.get_metrics_result().items()}

    def _evaluated(self, steps: tuple[Stepper, bool], feed: Feed, told: CallbackList) -> dict[str, Any]:
        self.reset_metrics()
        told.on_test_begin()
        logs = self._epoch("test", steps, feed, told, Position([]))
        told.on_test_end(logs)
        return logs


def _together(done: int, every: int, stepper: Stepper) -> int:
    """How many steps may run at once after ``done``, where somebody wants to be told after ``every`` (0: nobody)."""
    return min(every - done % every, stepper.most) if every else stepper.most


def _answer(logs: dict[str, Any], by_name: bool) -> Any:
    """The logs by name; otherwise a list of them, or the only one."""
    values = list(logs.values())
    return logs if by_name else values[0] if len(values) == 1 else values


def _plain(value: Any) -> Any:
    """A number as Python's, an array as it is."""
    value = getattr(value, "value", value)
    return value.item() if np.ndim(value) == 0 and hasattr(value, "item") else value


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(message("fit_number", here(), name=name, came=repr(value), least=least))
    return int(value)


def _due(frequency: Any, epoch: int) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency
