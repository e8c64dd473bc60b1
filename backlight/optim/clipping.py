"""Gradients made no larger than asked: by value, by norm, by the norm of all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.trace import user_source

__all__ = ["cast", "clip_by_global_norm", "clip_by_norm", "clip_by_value", "global_norm", "norm"]


def cast(x: Any, dtype: Any) -> Any:
    """A number or an array, traced or not, as ``dtype``.

    >>> cast(0.1, np.dtype(np.float32)).dtype
    dtype('float32')
    """
    return x.astype(dtype) if hasattr(x, "astype") else np.dtype(dtype).type(x)


def norm(x: Any) -> Any:
    """``‖x‖ = √Σ x²`` over all elements, as float64, without overflow in the squares.

    Squares of float32 and float16 always fit into float64; float64 itself is divided by its largest number first.

    >>> round(float(norm(np.array([3e30, 4e30], np.float32))) / 1e30, 6)
    5.0
    >>> round(float(norm(np.array([3e200, 4e200]))) / 1e200, 6)
    5.0
    """
    if not np.size(x):
        return np.float64(0.0)
    if x.dtype.itemsize < 8:
        return np.sqrt(np.sum(np.square(cast(x, np.float64))))
    largest = np.max(np.abs(x))
    scale = np.where((largest > 0) & (largest < np.inf), largest, 1.0)
    return scale * np.sqrt(np.sum(np.square(x / scale)))


def global_norm(gradients: Sequence[Any]) -> Any:
    """``√(‖g₁‖² + ‖g₂‖² + …)``: the norm of all gradients as one long vector; ``None`` among them counts as 0.

    >>> float(global_norm([np.array([3.0]), None, np.array([[4.0]])]))
    5.0
    """
    norms = [norm(g) for g in gradients if g is not None]
    return norm(np.stack(norms)) if norms else np.float64(0.0)


def clip_by_value(gradients: Sequence[Any], limit: float) -> list[Any]:
    """``g ← min(max(g, -limit), limit)``, element by element.

    >>> clip_by_value([np.array([-3.0, 0.5])], 1.0)
    [array([-1. ,  0.5])]

    Raises ``ArgumentError`` for a limit that is not positive.
    """
    _positive("clipvalue", limit)
    return [None if g is None else np.minimum(np.maximum(g, -limit), limit) for g in gradients]


def clip_by_norm(gradients: Sequence[Any], limit: float) -> list[Any]:
    """``g ← g · limit / max(‖g‖, limit)``, for each gradient by itself.

    >>> clip_by_norm([np.array([3.0, 4.0]), np.array([0.5])], 1.0)
    [array([0.6, 0.8]), array([0.5])]

    Raises ``ArgumentError`` for a limit that is not positive.
    """
    _positive("clipnorm", limit)
    return [None if g is None else g * cast(limit / np.maximum(norm(g), limit), g.dtype) for g in gradients]


def clip_by_global_norm(gradients: Sequence[Any], limit: float) -> list[Any]:
    """``g ← g · limit / max(n, limit)`` with one n for all, the ``global_norm``: the direction of the step stays.

    Where n is infinite or no number, so is every result: a broken step is to be seen (R. Pascanu et al., "On the
    difficulty of training recurrent neural networks", arXiv:1211.5063).

    >>> clip_by_global_norm([np.array([3.0]), np.array([4.0])], 1.0)
    [array([0.6]), array([0.8])]

    Raises ``ArgumentError`` for a limit that is not positive.
    """
    _positive("global_clipnorm", limit)
    size = global_norm(gradients)
    factor = np.where(size < np.inf, limit / np.maximum(size, limit), np.nan)
    return [None if g is None else g * cast(factor, g.dtype) for g in gradients]


def _positive(name: str, limit: Any) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or not 0 < limit < np.inf:
        facts = {"name": name, "came": repr(limit)}
        raise ArgumentError(message("optim_limit", str(user_source() or ""), **facts))
