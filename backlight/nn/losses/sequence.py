"""Connectionist temporal classification: the loss between a label and all the ways of spelling it over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight import functions
from backlight.errors import ShapeError, message
from backlight.loops import scan
from backlight.nn.losses.common import array_of, floating, here

__all__ = ["ctc"]

NEVER = -1e30  # the logarithm of a probability of 0: infinity would make NaN of differences


def ctc(y_true: Any, y_pred: Any) -> Any:
    """``L = -log Σ Π softmax(x)`` over all paths that spell the label once repeats and blanks are left out.

    ``y_pred`` are logits ``(batch, steps, classes)``, class 0 the blank; ``y_true`` are class numbers
    ``(batch, longest)``, filled up with 0. One number for every example; infinite where no path is long enough.
    The forward algorithm, with logarithms (Graves et al. 2006):

        a₍ₜ₎(s) = log pₜ(lₛ) + log(exp a₍ₜ₋₁₎(s) + exp a₍ₜ₋₁₎(s-1) + [lₛ ≠ lₛ₋₂, no blank] exp a₍ₜ₋₁₎(s-2))

    >>> ctc(np.array([[1]]), np.zeros((1, 2, 2))).round(4)  # three of four paths: 1 1, 1 -, - 1
    array([0.2877])

    Raises ``ShapeError`` for other shapes.
    """
    logits, labels = floating(y_pred), array_of(y_true)
    if logits.ndim != 3 or labels.ndim != 2 or labels.shape[0] != logits.shape[0]:
        facts = {"labels": tuple(labels.shape), "predictions": tuple(logits.shape)}
        raise ShapeError(message("ctc_shapes", here(), **facts))
    batch, steps, classes = logits.shape
    longest = labels.shape[1]
    lengths = np.sum(labels != 0, axis=1)
    # Blanks before, between and after the symbols: 0 l₁ 0 l₂ 0 …
    symbols = np.stack([labels * 0, labels], axis=2).reshape((batch, 2 * longest))
    symbols = np.concatenate([symbols, np.zeros((batch, 1), symbols.dtype)], axis=1)
    width = 2 * longest + 1
    two_before = np.concatenate([np.zeros((batch, min(2, width)), symbols.dtype), symbols[:, : width - 2]], axis=1)
    skips = np.where((symbols != 0) & (symbols != two_before), 0.0, NEVER)[:, :width]
    skips = floating(skips, logits.dtype)
    log_p = functions.log_softmax(logits, -1)
    hit = symbols[:, :, None] == np.arange(classes)
    # (steps, batch, width): the log-probability of every symbol of the spelling at every step
    seen = np.sum(np.where(hit[None], np.transpose(log_p, (1, 0, 2))[:, :, None, :], 0.0), axis=-1)
    never = np.full((batch, 2), NEVER, logits.dtype)
    place = np.arange(width)

    def step(reached: Any, emitted: Any) -> tuple[Any, None]:
        padded = np.concatenate([never, reached], axis=1)
        one, two = padded[:, 1:-1], padded[:, :-2] + skips
        best = np.logaddexp(np.logaddexp(reached, one), two) + emitted
        return np.maximum(best, NEVER), None

    first = np.where(place < 2, seen[0], NEVER)
    reached, _ = scan(step, first, seen[1:]) if steps > 1 else (first, None)
    last = 2 * lengths[:, None]
    ends = (place == last) | (place == last - 1)
    total = functions.logsumexp(np.where(ends, reached, NEVER), axis=1)
    return np.where(total > 0.5 * NEVER, -total, np.inf)
