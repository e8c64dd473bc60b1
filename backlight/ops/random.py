"""Random numbers as a mapping: ``draw`` turns a key into an array, each element a function of the key and its position.

No gradient flows into a draw, whose input is an integer key. What is drawn is standard (uniform on [0, 1), normal with
mean 0 and scale 1); other parameters are arithmetic on top of it, so that gradients flow to them: reparametrisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.philox import words
from backlight.primitive import REGISTRY, Draw, Elementwise, Map, Sample, Structural, Why

__all__ = ["DISTRIBUTIONS", "normal_quantile"]

P = REGISTRY

SQRT_2, SQRT_2PI = float(np.sqrt(2.0)), float(np.sqrt(2.0 * np.pi))

# Rational approximations of the normal quantile, numerator and denominator, highest power first: for p within 0.425 of
# 1/2, in the tails, and far out in them. M. Wichura, "Algorithm AS 241: the percentage points of the normal
# distribution", Applied Statistics 37 (1988), PPND16: about 1 part in 10^16.
_CENTRE = (
    (
        2509.0809287301227,
        33430.57558358813,
        67265.7709270087,
        45921.95393154987,
        13731.69376550946,
        1971.5909503065513,
        133.14166789178438,
        3.3871328727963665,
    ),
    (
        5226.495278852854,
        28729.085735721943,
        39307.89580009271,
        21213.794301586597,
        5394.196021424751,
        687.1870074920579,
        42.31333070160091,
        1.0,
    ),
)
_TAIL = (
    (
        0.0007745450142783414,
        0.022723844989269184,
        0.2417807251774506,
        1.2704582524523684,
        3.6478483247632045,
        5.769497221460691,
        4.630337846156546,
        1.4234371107496835,
    ),
    (
        1.0507500716444169e-09,
        0.0005475938084995345,
        0.015198666563616457,
        0.14810397642748008,
        0.6897673349851,
        1.6763848301838038,
        2.053191626637759,
        1.0,
    ),
)
_FAR = (
    (
        2.0103343992922881e-07,
        2.7115555687434876e-05,
        0.0012426609473880784,
        0.026532189526576124,
        0.29656057182850487,
        1.7848265399172913,
        5.463784911164114,
        6.657904643501103,
    ),
    (
        2.0442631033899397e-15,
        1.421511758316446e-07,
        1.8463183175100548e-05,
        0.0007868691311456133,
        0.014875361290850615,
        0.1369298809227358,
        0.599832206555888,
        1.0,
    ),
)


def _ratio(coefficients: tuple[tuple[float, ...], ...], r: Any) -> Any:
    above, below = (np.full_like(r, row[0]) for row in coefficients)
    for a, b in zip(coefficients[0][1:], coefficients[1][1:], strict=True):
        above *= r
        above += a
        below *= r
        below += b
    return above / below


def normal_quantile(p: Any) -> Any:
    """Φ⁻¹(p): the number below which a standard normal falls with probability ``p``; -∞ at 0, ∞ at 1, NaN outside.

    >>> float(normal_quantile(np.float64(0.5))), round(float(normal_quantile(np.float64(0.975))), 6)
    (0.0, 1.959964)
    """
    whole = np.atleast_1d(np.asarray(p, np.float64))
    q = whole - 0.5
    out = _ratio(_CENTRE, 0.180625 - q * q) * q
    tail = np.abs(q) > 0.425
    if tail.any():
        lower = np.where(q[tail] < 0, whole[tail], 0.5 - q[tail])
        with np.errstate(all="ignore"):
            r = np.sqrt(-np.log(lower))
            far = np.where(r <= 5.0, _ratio(_TAIL, r - 1.6), _ratio(_FAR, r - 5.0))
        out[tail] = np.copysign(np.where(np.isposinf(r), np.inf, far), q[tail])
    return out.astype(np.result_type(p, np.float16)).reshape(np.shape(p))[()]


def _integers(key: Any, count: int, bits: int, domain: int = 0) -> Any:
    """``count`` whole numbers of ``bits`` random bits: one word each up to 32 bits, two beyond."""
    if bits <= 32:
        return words(key, count, domain) >> np.uint32(32 - bits)
    pairs = words(key, 2 * count, domain).astype(np.uint64)
    return ((pairs[..., 0::2] << np.uint64(32)) | pairs[..., 1::2]) >> np.uint64(64 - bits)


_DIGITS = {2: 11, 4: 24, 8: 53}  # of the significand, by item size


def _uniform(key: Any, count: int, dtype: Any) -> Any:
    """k · 2⁻ᵈ for a whole number k of d bits, d the digits of the dtype: exact, never 1."""
    digits = _DIGITS[dtype.itemsize]
    return (_integers(key, count, digits) * np.float64(0.5**digits)).astype(dtype)


def _open_uniform(key: Any, count: int, dtype: Any) -> Any:
    """(k + 1/2) · 2⁻ᵈ with one bit less: exact, symmetric, never 0 and never 1."""
    digits = _DIGITS[dtype.itemsize] - 1
    return ((_integers(key, count, digits) + 0.5) * np.float64(0.5**digits)).astype(dtype)


def _normal(key: Any, count: int, dtype: Any) -> Any:
    """The quantile of an open uniform number of 32 or 52 bits; at most 6.3 or 8.2 in size."""
    bits = 52 if dtype.itemsize == 8 else 32
    return normal_quantile((_integers(key, count, bits) + 0.5) * np.float64(0.5**bits)).astype(dtype)


def _bits(key: Any, count: int, dtype: Any) -> Any:
    return _integers(key, count, 8 * dtype.itemsize).astype(dtype)


DISTRIBUTIONS: dict[str, Callable[[Any, int, Any], Any]] = {
    "uniform": _uniform,
    "open_uniform": _open_uniform,
    "normal": _normal,
    "bits": _bits,
    "split": lambda key, count, dtype: words(key, count, domain=1),
    "fold": lambda key, count, dtype: words(key, count, domain=2),
}
"""What can be drawn: ``function(key, count, dtype)`` gives the first ``count`` elements. ``split`` and ``fold`` make
new keys, from streams of their own."""


def _draw(key: Any, *, distribution: str, shape: tuple[int, ...], dtype: Any) -> Any:
    count = 1
    for length in shape:
        count *= length
    return DISTRIBUTIONS[distribution](key, count, np.dtype(dtype)).reshape((*key.shape[:-1], *shape))[()]


def _draw_samples() -> list[Sample]:
    key = np.array([7, 11], np.uint32)
    real = np.dtype(np.float64)
    kinds = [("uniform", real), ("open_uniform", real), ("normal", real), ("normal", np.dtype(np.float32))]
    integers = [("bits", np.dtype(np.uint64)), ("split", np.dtype(np.uint32)), ("fold", np.dtype(np.uint32))]
    samples = [
        Sample((key,), {"distribution": kind, "shape": (2, 3), "dtype": dtype}) for kind, dtype in (*kinds, *integers)
    ]
    samples.append(Sample((key,), {"distribution": "normal", "shape": (), "dtype": real}))
    samples.append(Sample((key,), {"distribution": "uniform", "shape": (0, 2), "dtype": real}))
    samples.append(Sample((np.stack([key, key + 1]),), {"distribution": "uniform", "shape": (3,), "dtype": real}))
    return samples


REGISTRY.enter(
    Structural(
        name="draw",
        value=_draw,
        shape=lambda key, *, shape, **rest: (*key[:-1], *shape),
        pullback=(None,),
        linear_in=(),
        kernel=lambda key, *, distribution, **rest: Draw(distribution),
        why=Why(
            "The numbers look like chance but are computed from the key, an integer: there is nothing to "
            "differentiate, and scale and shift around the draw take the gradient instead.",
            "这些数看似偶然，其实由整数密钥计算得出：这里没有什么可求导的，梯度由围绕抽样的缩放和平移来承担。",
        ),
        samples=_draw_samples,
        batch=lambda batched, key, **params: P.draw(key, **params),
    ),
    Elementwise(
        name="normal_quantile",
        value=normal_quantile,
        partials=(lambda p, y: SQRT_2PI * P.exp(0.5 * P.square(y)),),  # 1 / density(y)
        kernel=Map(("mul", -SQRT_2, ("erfcinv", ("mul", 2, "x0")))),
        why=Why(
            "It turns a probability back into the place on the bell curve that cuts it off; where the curve is low, a "
            "little more probability moves that place far: one over the density.",
            "它把概率变回钟形曲线上对应的分界点；曲线低的地方，概率多一点点，分界点就移动很远：导数是密度的倒数。",
        ),
        samples=((0.1, 0.35, 0.6, 0.95),),
        domain="open probability",
        singular=True,
    ),
)
