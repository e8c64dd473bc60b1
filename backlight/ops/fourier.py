"""The discrete Fourier transform: one linear mapping, and its own adjoint but for the sign of the angle."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.primitive import REGISTRY as P
from backlight.primitive import Library, Sample, Structural, Why

__all__: list[str] = []


def _value(x: Any, *, axes: tuple[int, ...], inverse: bool) -> Any:
    return np.fft.ifftn(x, axes=axes, norm="forward") if inverse else np.fft.fftn(x, axes=axes, norm="backward")


def _pullback(x: Any, y: Any, g: Any, *, axes: tuple[int, ...], inverse: bool) -> Any:
    back = P.fft(g, axes=axes, inverse=not inverse)
    return back if x.dtype.kind == "c" else P.real(back)


def _samples() -> list[Sample]:
    x = np.sin(np.arange(1.0, 13.0))
    return [
        Sample((x[:5],), {"axes": (0,), "inverse": False}),
        Sample((x[:6],), {"axes": (0,), "inverse": True}),
        Sample((x.reshape(3, 4),), {"axes": (1,), "inverse": False}),
        Sample((x.reshape(3, 4),), {"axes": (0, 1), "inverse": True}),
        Sample((x[:1],), {"axes": (0,), "inverse": False}),
    ]


P.enter(
    Structural(
        name="fft",
        value=_value,
        shape=lambda x, *, axes, inverse: x,
        pullback=(_pullback,),
        linear_in=(0,),
        kernel=lambda x, *, axes, inverse: Library("fft"),
        why=Why(
            "Every frequency listens to every number through a turning factor; on the way back each number collects "
            "from every frequency, turned the other way.",
            "每个频率都通过一个旋转因子听到每个数；回传时，每个数再从每个频率收集，旋转方向相反。",
        ),
        samples=_samples,
        batch=lambda batched, x, *, axes, inverse: P.fft(x, axes=tuple(axis + 1 for axis in axes), inverse=inverse),
        complex=True,
    ),
)
