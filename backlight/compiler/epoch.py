"""An epoch as one native call: every step's forward, backward and update, over all its batches, in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.compiler.native import Native
from backlight.compiler.run import trace_call
from backlight.loops import scan
from backlight.tree import flatten, unflatten

__all__ = ["Epoch"]


class Epoch:
    """``step(state, batch, *data) -> (state, metrics)``, compiled into a loop over the rows of ``batches``.

    The arrays of ``state`` (parameters, the optimiser's, a random key) are updated where they are. Metrics come back
    stacked, one row a step. Ctrl-C ends the loop after a whole step: ``KeyboardInterrupt`` is raised, and ``state``
    is what it was after that step.

    >>> import numpy as np
    >>> def step(w, row, x):
    ...     return w - 0.1 * x[row].sum(), w
    >>> w, x = np.array(1.0), np.arange(4.0)
    >>> Epoch(step)(w, np.array([[0, 1], [2, 3]]), x)
    array([1. , 0.9])
    >>> round(float(w), 12)
    0.4
    """

    def __init__(self, step: Callable[..., tuple[Any, Any]], threads: int | None = None) -> None:
        self._step = step
        self._threads = threads
        self._plans: dict[Any, Any] = {}

    def __call__(self, state: Any, batches: Any, *data: Any) -> Any:
        """Run one epoch. Raises ``Uncompilable`` where the step cannot be compiled."""
        leaves, form = flatten(state)
        rest, rest_form = flatten((batches, data))
        values = [*leaves, *map(np.asarray, rest)]
        _check(leaves)
        key = (form, rest_form, tuple((value.shape, value.dtype) for value in values))
        if key not in self._plans:
            self._plans[key] = self._compiled(len(leaves), state, batches, data)
        native, metrics_form = self._plans[key]
        outputs = native(values, interruptible=True)
        for k, leaf in enumerate(leaves):
            if k not in native.in_place:
                leaf[...] = outputs[k]
        return unflatten(metrics_form, outputs[len(leaves) :])

    def _compiled(self, count: int, state: Any, batches: Any, data: Sequence[Any]) -> tuple[Native, Any]:
        def epoch(state: Any, batches: Any, *data: Any) -> Any:
            return scan(lambda state, batch: self._step(state, batch, *data), state, batches)

        graph, guards, form, _ = trace_call(epoch, (state, batches, *data), {})
        if guards:
            raise ValueError("the step reads values in Python")
        return Native(graph, self._threads, range(count)), form.members[1]


def _check(leaves: Sequence[Any]) -> None:
    for leaf in leaves:
        if not (isinstance(leaf, np.ndarray) and leaf.flags.c_contiguous and leaf.flags.writeable):
            raise TypeError("the state of an epoch must be writable, contiguous arrays")
