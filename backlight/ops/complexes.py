"""Conjugate, real and imaginary part: linear over the real numbers, but not complex-differentiable.

So they are structural, with the adjoint for the real inner product ⟨u, v⟩ = Re Σ conj(u) · v. Every mapping of complex
numbers that is not holomorphic (absolute value, angle, sign) is composed of these three and real functions; its
gradient is then the direction of steepest ascent (PyTorch's convention).
"""

from __future__ import annotations

import numpy as np

from backlight.primitive import REGISTRY as P
from backlight.primitive import Map, Sample, Structural, Why

__all__: list[str] = []


def _same(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape


def _samples() -> list[Sample]:
    flat = np.linspace(-1.3, 1.7, 6) + 1j * np.linspace(0.9, -2.1, 6)
    arrays = (flat, flat.reshape(2, 3).T, flat[:0], flat[0], flat.real)
    return [Sample((x,), {}) for x in arrays]


P.enter(
    Structural(
        name="conjugate",
        value=np.conjugate,
        shape=_same,
        pullback=(lambda x, y, g: P.conjugate(g),),
        linear_in="all",
        kernel=lambda shape: Map(("conj", "x0")),
        why=Why(
            "The plane is mirrored in the real axis, and mirroring the gradient once more brings it back.",
            "把复平面沿实轴镜像；再镜像一次梯度，就把它带了回来。",
        ),
        samples=_samples,
        batch=lambda batched, x: P.conjugate(x),
        complex=True,
    ),
    Structural(
        name="real",
        value=np.real,
        shape=_same,
        pullback=(lambda x, y, g: P.cast(g, dtype=x.dtype),),
        linear_in="all",
        kernel=lambda shape: Map(("real", "x0")),
        why=Why(
            "The shadow of a complex number on the real axis: only movement along that axis is seen.",
            "复数在实轴上的影子：只看得见沿实轴的移动。",
        ),
        samples=_samples,
        batch=lambda batched, x: P.real(x),
        complex=True,
    ),
    Structural(
        name="imag",
        value=np.imag,
        shape=_same,
        pullback=(lambda x, y, g: 1j * g if x.dtype.kind == "c" else None,),
        linear_in="all",
        kernel=lambda shape: Map(("imag", "x0")),
        why=Why(
            "The shadow on the imaginary axis: the gradient comes back turned by 90 degrees, that is, times i.",
            "在虚轴上的影子：梯度转过 90 度回来，也就是乘以 i。",
        ),
        samples=_samples,
        batch=lambda batched, x: P.imag(x),
        complex=True,
    ),
)
