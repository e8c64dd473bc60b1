"""A step over many batches: as one native loop that updates what the variables hold, or step by step in Python.

A step is an imperative program: it reads and assigns variables. For the native loop it is recorded with other values
bound to the variables, which makes it a function from what they hold before to what they hold after; the loop keeps
that in arrays of its own, in place, and the variables follow after every run.
"""

from __future__ import annotations

import operator
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.compiler.epoch import Epoch
from backlight.errors import CompileError, CompileWarning, message
from backlight.tree import flatten, tree_map
from backlight.variable import Bindings, Variable

__all__ = ["Stepper"]

SHOWN = 0.2  # seconds after which whoever watches wants to see how far it is
FIRST = 4  # rows of the first runs, while nobody knows how long a step takes
MOST = 1 << 30
KEPT = 64  # rows of a run whose steps return something

Step = Callable[[Any, Sequence[Any]], Any]


class Stepper:
    """``step(row, data)`` over the rows of ``batches``; ``variables`` are those that it may assign.

    ``native`` says whether to compile it. Where that cannot be done, it runs as it is, after one warning. ``keep`` says
    whether anybody wants what the steps return. ``most`` is how many rows should be run at once, so that there is
    something new to see a few times a second.
    """

    def __init__(self, step: Step, variables: Sequence[Variable], *, native: bool, what: str, keep: bool) -> None:
        self._step = step
        self._variables = list(variables)
        self._arrays: list[Any] = []
        self._nodes: list[Any] = []  # what the variables were on when they were looked at last
        self._behind = [False] * len(self._variables)  # whether the loop has gone on since
        self._epochs: dict[Any, Epoch] = {}
        self.native = native
        self._what, self._keep = what, keep
        self.most = FIRST
        self.finished = 0  # steps of the last run

    def works_on(self, variables: Sequence[Variable]) -> bool:
        """Whether these are the stepper's variables."""
        return len(variables) == len(self._variables) and all(map(operator.is_, variables, self._variables))

    def run(self, batches: Any, data: Sequence[Any]) -> Any:
        """Run all rows, and give what the steps returned, stacked; ``follow`` brings the variables up to date.

        ``KeyboardInterrupt`` comes out after a whole step, and the variables are then what they were after it.
        """
        self.finished = 0
        if self.native:
            try:
                return self._natively(batches, data)
            except CompileError as error:
                self.native = False
                self.follow()  # other rows may have run natively
                warnings.warn(message("fit_interpreted", what=self._what, reason=error), CompileWarning, stacklevel=2)
        return self._timed(lambda: self._plainly(batches, data), len(_first(batches)))

    def _timed(self, run: Callable[[], Any], count: int) -> Any:
        """What ``run`` returns; from the time that its ``count`` steps took follows how many come next."""
        since = time.perf_counter()
        returned = run()
        if count >= min(self.most, FIRST):  # a single row, smaller than the others, says little
            rate = count / max(time.perf_counter() - since, 1e-9)
            self.most = max(1, min(int(SHOWN * rate), self.most * 16, KEPT if self._keep else MOST))
        return returned

    def _natively(self, batches: Any, data: Sequence[Any]) -> Any:
        self._load()
        rows = np.shape(_first(batches))[1:]
        known = rows in self._epochs
        epoch = self._epochs.setdefault(rows, Epoch(self._pure, keep=self._keep, room=KEPT))
        run = partial(epoch, self._arrays, batches, *data)
        try:
            try:
                return self._timed(run, len(_first(batches))) if known else run()  # the first time it is compiled
            finally:
                self.finished = epoch.finished
                if epoch.finished:
                    self._behind = [True] * len(self._variables)
        except KeyboardInterrupt:
            self.follow()
            raise

    def _pure(self, state: Any, row: Any, *data: Any) -> Any:
        with Bindings() as bindings:
            bindings.bind(self._variables, state)
            returned = self._step(row, data)
        return bindings.values(self._variables), returned

    def _load(self) -> None:
        """Bring what was assigned to variables since the last run into the loop's arrays."""
        if not self._arrays:
            self._arrays = [np.array(variable.value, order="C") for variable in self._variables]
            self._nodes = [variable.node for variable in self._variables]
            self._behind = [False] * len(self._variables)
            return
        for k, (variable, array) in enumerate(zip(self._variables, self._arrays, strict=True)):
            if variable.node is not self._nodes[k]:  # somebody assigned it: that counts, whatever the loop has
                array[...] = variable.value
                self._nodes[k], self._behind[k] = variable.node, False

    def follow(self, some: Sequence[Variable] | None = None) -> None:
        """Let the variables, all or ``some``, hold what the loop has come to."""
        wanted = None if some is None else {id(variable) for variable in some}
        for k, (variable, behind) in enumerate(zip(self._variables, self._behind, strict=True)):
            if behind and (wanted is None or id(variable) in wanted):
                variable.hold(self._arrays[k])
                self._nodes[k], self._behind[k] = variable.node, False

    def _plainly(self, batches: Any, data: Sequence[Any]) -> Any:
        returned = []
        for t in range(len(_first(batches))):
            returned.append(tree_map(_value, self._step(tree_map(lambda rows, t=t: rows[t], batches), data)))
            self.finished += 1
        return tree_map(lambda *rows: np.stack(rows), *returned) if returned else None


def _first(tree: Any) -> Any:
    return flatten(tree)[0][0]


def _value(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, Array) else leaf
