"""Gradients in the order of a hand-written training loop: record first, ask afterwards."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from backlight.array import Array, as_array
from backlight.differentiate import pull_back, zeros_like
from backlight.errors import DTypeError, ShapeError, message
from backlight.graph import Node
from backlight.refusal import describe
from backlight.trace import constant, user_source
from backlight.tree import Structure, flatten, flatten_like, unflatten

__all__ = ["GradientTape"]


class GradientTape:
    """Records what happens to ``backlight.array``s, so that gradients can be asked for afterwards.

    Gradients are taken with respect to what the variables hold when they are asked for, or held when ``watch`` was
    called on them: watch a variable that is changed in place between the loss and the question.

    >>> import backlight, numpy as np
    >>> w = backlight.array([1.0, 2.0])
    >>> with backlight.GradientTape() as tape:
    ...     loss = np.sum(w ** 3)
    >>> tape.gradient(loss, w)
    backlight.array([ 3., 12.])

    A tape may be asked as often as wanted (Keras's ``persistent`` is accepted and needs no setting), and gradients of
    gradients are taken by asking a tape for the gradient of what another tape answered inside its block.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self.watch_accessed_variables = watch_accessed_variables
        self._watched: dict[int, tuple[Array, Node]] = {}

    def __enter__(self) -> GradientTape:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing to do: Arrays record all the time, the block only says what belongs together."""

    def watch(self, variables: Any) -> None:
        """Remember these Arrays as they are now: gradients will be taken with respect to their present contents."""
        for leaf in flatten(variables)[0]:
            array = _variable(leaf)
            self._watched[id(array)] = (array, array.node)

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None) -> Any:
        """∂target/∂sources, with the nesting of ``sources``; zeros for a source that the target does not depend on.

        ``target`` may be one Array or a tree of them: their sum is differentiated, weighted by ``output_gradients`` if
        given. Raises ``DTypeError`` when a source is not a floating-point ``backlight.array``.
        """
        leaves, form = flatten(target)
        targets = [as_array(leaf) for leaf in leaves]
        leaves, structure = flatten(sources)
        nodes = [self._node_of(leaf) for leaf in leaves]
        seeds = self._seeds(targets, form, output_gradients)
        found = pull_back([array.node for array in targets], seeds, nodes)
        return unflatten(structure, [found[node] if node in found else zeros_like(node) for node in nodes])

    def _node_of(self, source: Any) -> Node:
        array = _variable(source)
        return self._watched[id(array)][1] if id(array) in self._watched else array.node

    @staticmethod
    def _seeds(targets: list[Array], form: Structure, given: Any) -> list[Array]:
        if given is None:
            return [Array(constant(np.ones(array.shape, array.dtype))) for array in targets]
        where = str(user_source() or "")
        seeds = [as_array(leaf) for leaf in flatten_like(given, form, "output_gradients", where)]
        for seed, array in zip(seeds, targets, strict=True):
            if seed.shape != array.shape:
                raise ShapeError(
                    message(
                        "like_shape",
                        where,
                        what="output_gradients",
                        expected=array.shape,
                        came=seed.shape,
                    )
                )
        return seeds


def _variable(leaf: Any) -> Array:
    if not isinstance(leaf, Array) or leaf.dtype.kind not in "fc":
        raise DTypeError(message("tape_source", str(user_source() or ""), came=describe(leaf)))
    return leaf
