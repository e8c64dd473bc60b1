"""What every record must obey, as functions of a mapping ``f`` and its inputs; ``test_tables.py`` applies them to all.

Inner products are the real ones, ⟨u, v⟩ = Re Σ conj(u)·v, so that the same laws hold for complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import backlight
from backlight.array import Array
from backlight.differentiate import pull_back, push_forward
from backlight.trace import constant

STEP = 2e-4
STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))  # central differences of sixth order


def is_smooth(x: Any) -> bool:
    return np.asarray(x).dtype.kind in "fc"


def several(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


def wave(like: Any, phase: float) -> Any:
    """Irregular numbers between -1 and 1, shaped like ``like``, complex where it is."""
    like = np.asarray(like)
    t = np.arange(like.size, dtype=np.float64).reshape(like.shape)
    u = np.sin(1.0 + phase + 2.3 * t)
    if like.dtype.kind == "c":
        u = u + 1j * np.cos(0.4 + 1.7 * phase + 3.1 * t)
    return u.astype(like.dtype)[()]


def inner(us: Sequence[Any], vs: Sequence[Any]) -> float:
    return float(sum(np.sum((np.conj(u) * v).real) for u, v in zip(us, vs, strict=True)))


def plain(y: Any) -> Any:
    return y.value if isinstance(y, Array) else np.asarray(y)


def leaves(xs: Sequence[Any]) -> list[Any]:
    """Smooth inputs as leaves, the others (indices, conditions) as they are."""
    return [backlight.array(x) if is_smooth(x) else x for x in xs]


def smooth_outputs(y: Any) -> list[Array]:
    return [each for each in several(y) if isinstance(each, Array) and each.dtype.kind in "fc"]


def gradients_of(ys: Sequence[Array], us: Sequence[Any], xs: Sequence[Any]) -> list[Array]:
    """Jᵀu by each smooth input, as Arrays with their history."""
    wrt = [x for x in xs if isinstance(x, Array)]
    seeds = [Array(constant(np.asarray(u)[()])) for u in us]
    found = pull_back([y.node for y in ys], seeds, [x.node for x in wrt])
    zero = [Array(constant(np.zeros(x.shape, x.dtype))) for x in wrt]
    return [found.get(x.node, nothing) for x, nothing in zip(wrt, zero, strict=True)]


def vjp(f: Callable[..., Any], xs: Sequence[Any], us: Sequence[Any] | None = None) -> list[Any]:
    """Jᵀu as plain arrays; ``us`` are ones where not given."""
    inputs = leaves(xs)
    ys = smooth_outputs(f(*inputs))
    seeds = [np.ones(y.shape, y.dtype) for y in ys] if us is None else us
    return [plain(g) for g in gradients_of(ys, seeds, inputs)]


def jvp(f: Callable[..., Any], xs: Sequence[Any], vs: Sequence[Any]) -> list[Any]:
    """Jv of every smooth output as plain arrays."""
    inputs = leaves(xs)
    ys = smooth_outputs(f(*inputs))
    wrt = [x for x in inputs if isinstance(x, Array)]
    moved = push_forward([y.node for y in ys], [x.node for x in wrt], [Array(constant(v)) for v in vs])
    return [plain(v) for v in moved]


def moved(xs: Sequence[Any], vs: Sequence[Any], h: float) -> list[Any]:
    """The inputs, the smooth ones moved by ``h`` times ``vs``."""
    steps = iter(vs)
    return [x + h * next(steps) if is_smooth(x) else x for x in xs]


def differences(f: Callable[..., Sequence[Any]], xs: Sequence[Any], vs: Sequence[Any]) -> list[Any]:
    """Jv by central differences of sixth order."""
    total: list[Any] = []
    for k, weight in STENCIL:
        ahead, behind = f(*moved(xs, vs, k * STEP)), f(*moved(xs, vs, -k * STEP))
        terms = [weight / STEP * (np.asarray(a) - np.asarray(b)) for a, b in zip(ahead, behind, strict=True)]
        total = terms if not total else [s + t for s, t in zip(total, terms, strict=True)]
    return total


def close(a: Any, b: Any, rtol: float, scale: float = 0.0) -> None:
    """``a`` equals ``b`` to ``rtol`` of the largest number around, or of ``scale``."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    largest = max([scale, *np.abs(a[np.isfinite(a)]).ravel(), *np.abs(b[np.isfinite(b)]).ravel()], default=0.0)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(float(largest), 1e-3))


def check_first_order(f: Callable[..., Any], xs: Sequence[Any]) -> None:
    """Finite differences along two directions, forward and reverse mode: three ways to one number."""
    values = [y for y in several(f(*xs)) if is_smooth(y)]
    smooth = [x for x in xs if is_smooth(x)]
    if not smooth:
        return  # nothing to differentiate by
    us = [wave(y, 0.1 + k) for k, y in enumerate(values)]
    gradients = vjp(f, xs, us)
    for g, x in zip(gradients, smooth, strict=True):
        assert g.shape == np.shape(x)
        assert g.dtype == np.asarray(x).dtype
    for phase in (0.0, 5.0):
        vs = [wave(x, phase + k) for k, x in enumerate(smooth)]
        numerical = differences(lambda *x: [y for y in several(f(*x)) if is_smooth(y)], xs, vs)
        forward = jvp(f, xs, vs)
        for a, b, y in zip(forward, numerical, values, strict=True):
            close(a, b, 2e-9, scale=_size([y]))
        close(inner(us, forward), inner(gradients, vs), 1e-11, scale=_size(us) * _size(forward))


def check_second_order(f: Callable[..., Any], xs: Sequence[Any]) -> None:
    """The laws of the first order for the gradient x -> J(x)ᵀu, which is a mapping like any other."""
    values = [y for y in several(f(*xs)) if is_smooth(y)]
    us = [wave(y, 0.1 + k) for k, y in enumerate(values)]
    smooth = [x for x in xs if is_smooth(x)]
    if not smooth:
        return
    ws = [wave(x, 0.7 + k) for k, x in enumerate(smooth)]
    vs = [wave(x, 3.0 + k) for k, x in enumerate(smooth)]
    numerical = differences(lambda *x: vjp(f, x, us), xs, vs)
    inputs = leaves(xs)
    wrt = [x for x in inputs if isinstance(x, Array)]
    firsts = gradients_of(smooth_outputs(f(*inputs)), us, inputs)
    seconds = [plain(s) for s in gradients_of(firsts, ws, inputs)]
    forward = push_forward([g.node for g in firsts], [x.node for x in wrt], [Array(constant(v)) for v in vs])
    size = _size([plain(g) for g in firsts])
    for a, b in zip(forward, numerical, strict=True):
        close(plain(a), b, 2e-8, scale=size)
    close(inner(ws, [plain(a) for a in forward]), inner(seconds, vs), 1e-10, scale=size + _size(seconds))


def _size(arrays: Sequence[Any]) -> float:
    return max((float(np.max(np.abs(a), initial=0.0)) for a in arrays), default=0.0)
