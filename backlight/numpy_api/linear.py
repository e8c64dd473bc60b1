"""Matrices by pattern (diagonals, triangles, Vandermonde), the cross product, and polynomials."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from backlight.array import FUNCTIONS, Array
from backlight.numpy_api.common import (
    argument_error,
    as_inexact,
    axis_of,
    cast,
    implements,
    implements_strictly,
    operand,
    promote,
    raveled,
    read,
)
from backlight.numpy_api.shape import concatenate, moveaxis, stack
from backlight.numpy_api.signal import convolve
from backlight.primitive import REGISTRY as P

__all__ = ["cross", "diag", "polyval", "tril", "triu"]


# -- Diagonals and triangles -------------------------------------------------------------------------------------------


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """A matrix with ``v`` on its ``k``-th diagonal, or the ``k``-th diagonal of a matrix."""
    x = operand(v)
    if len(x.shape) == 1:
        n, side = x.size, x.size + abs(k)
        first = k if k >= 0 else -k * side
        # in the flat matrix the elements of a diagonal are side + 1 places apart
        flat = (
            P.pad(x, shape=(side * side,), index=((first, n, side + 1),)) if n else operand(np.zeros(side**2, x.dtype))
        )
        return P.reshape(flat, shape=(side, side))
    if len(x.shape) == 2:
        return np.diagonal(x, k)
    raise argument_error("diag", "api_diag", ndim=len(x.shape))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """A matrix with the elements of ``v`` on its ``k``-th diagonal."""
    return diag(raveled(operand(v)), k)


def _triangle(x: Any, lower: bool, k: int) -> Any:
    x = operand(x)
    if len(x.shape) == 1:
        x = P.broadcast_to(x, shape=(x.size, x.size))
    mask = np.tri(x.shape[-2], x.shape[-1], k if lower else k - 1, dtype=bool)
    zero = x.dtype.type(0)
    return P.where(mask, x, zero) if lower else P.where(mask, zero, x)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """The lower triangle; zeros above the ``k``-th diagonal."""
    return _triangle(m, True, k)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """The upper triangle; zeros below the ``k``-th diagonal."""
    return _triangle(m, False, k)


@implements_strictly(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """The powers of each element as a row."""
    x = operand(x)
    count = x.size if N is None else int(N)
    dtype = np.promote_types(x.dtype, int)
    columns: list[Any] = []
    for _ in range(count):
        columns.append(cast(x, dtype) * columns[-1] if columns else operand(np.ones(x.shape, dtype)))
    if not columns:
        return operand(np.ones((x.size, 0), dtype))
    return stack(columns if increasing else columns[::-1], 1)


# -- Cross product -----------------------------------------------------------------------------------------------------


def cross(a: Any, b: Any, axisa: Any = -1, axisb: Any = -1, axisc: Any = -1, axis: Any = None) -> Any:
    """The vector at right angles to ``a`` and ``b``, as long as the area between them (3 components, or 2 and 3)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    xs = [moveaxis(x, one, -1) for x, one in zip(promote(a, b), (axisa, axisb), strict=True)]
    if any(x.shape[-1] not in (2, 3) for x in xs):
        raise argument_error("cross", "api_cross", shapes=[x.shape for x in xs])
    if all(x.shape[-1] == 2 for x in xs):
        return xs[0][..., 0] * xs[1][..., 1] - xs[0][..., 1] * xs[1][..., 0]
    (a1, a2, a3), (b1, b2, b3) = (
        (x[..., 0], x[..., 1], x[..., 2] if x.shape[-1] == 3 else x.dtype.type(0)) for x in xs
    )
    y = np.stack([a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1], -1)
    return moveaxis(y, -1, axis_of(axisc, len(y.shape)))


for _function in (np.cross, np.linalg.cross):
    FUNCTIONS.setdefault(_function, cross)


# -- Polynomials: coefficients from the highest power down -------------------------------------------------------------


def _coefficients(p: Any) -> Any:
    x = operand(p.coeffs if isinstance(p, np.poly1d) else p)
    return raveled(x)


@implements_strictly(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """``p[0] x**(n-1) + … + p[n-1]`` by Horner's rule."""
    p, x = _coefficients(p), operand(x)
    y: Any = operand(np.zeros(x.shape, x.dtype)[()])
    for k in range(p.size):
        y = y * x + p[k]
    return y


def _lengthened(p: Any, size: int) -> Any:
    return p if p.size == size else P.pad(p, shape=(size,), index=((size - p.size, p.size, 1),))


def _sum(a1: Any, a2: Any, sign: int) -> Any:
    p, q = _coefficients(a1), _coefficients(a2)
    size = max(p.size, q.size)
    p, q = _lengthened(p, size), _lengthened(q, size)
    return p + q if sign > 0 else p - q


@implements_strictly(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    return _sum(a1, a2, 1)


@implements_strictly(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    return _sum(a1, a2, -1)


@implements_strictly(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials: the convolution of their coefficients."""
    return convolve(_coefficients(a1), _coefficients(a2))


@implements_strictly(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """The ``m``-th derivative of a polynomial."""
    p = _coefficients(p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.size - 1, 0, -1)
    return p


@implements_strictly(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The ``m``-th integral of a polynomial, with the constants ``k``."""
    p = as_inexact(_coefficients(p))
    constants = np.zeros(m) if k is None else k
    given = raveled(operand(constants))
    if given.size == 1 and m > 1:
        given = P.broadcast_to(given, shape=(m,))
    for step in range(m):
        p = concatenate((p / np.arange(p.size, 0, -1), P.reshape(given[step], shape=(1,))))
    return p


@implements_strictly(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """Quotient and remainder of two polynomials."""
    u, v = promote(as_inexact(_coefficients(u)), as_inexact(_coefficients(v)))
    steps = u.size - v.size + 1
    rest: Any = Array(u.node)
    quotient = []
    for k in range(max(steps, 0)):
        d = rest[k] / v[0]
        quotient.append(d)
        rest = concatenate((rest[:k], rest[k : k + v.size] - d * v, rest[k + v.size :]))
    y = stack(quotient) if quotient else operand(np.zeros(1, u.dtype))
    numbers = np.asarray(read(rest))
    first = 0
    while first < numbers.size - 1 and np.allclose(numbers[first], 0, rtol=1e-14):
        first += 1
    return y, rest[first:]


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """The polynomial with these roots: the product of ``(x - root)``."""
    roots = as_inexact(operand(seq_of_zeros))
    roots = cast(roots, float) if roots.dtype == np.float16 else roots
    if len(roots.shape) == 2:
        roots = np.linalg.eigvals(roots)  # the characteristic polynomial of a matrix
    y: Any = operand(np.ones(1, roots.dtype))
    zero = operand(np.zeros(1, roots.dtype))
    for k in range(roots.size):
        y = concatenate((y, zero)) - roots[k] * concatenate((zero, y))
    if roots.dtype.kind == "c" and np.array_equal(np.sort(read(roots)), np.sort(np.conjugate(read(roots)))):
        return P.real(y)  # roots in conjugate pairs: the coefficients are real
    return y


@implements_strictly(np.roots)
def roots(p: Any) -> Any:
    """The roots of a polynomial: the eigenvalues of its companion matrix.

    A double root has no derivative, and its gradient raises ``MatrixError``.
    """
    p = _coefficients(p)
    places = np.flatnonzero(read(p))
    if not places.size:
        return operand(np.array([]))
    first, last = int(places[0]), int(places[-1])
    zeros = p.size - 1 - last
    p = as_inexact(p[first : last + 1])
    if p.size == 1:
        return operand(np.zeros(zeros, p.dtype))
    shifted = np.eye(p.size - 2, p.size - 1, dtype=p.dtype)
    companion = concatenate((P.reshape(-p[1:] / p[0], shape=(1, p.size - 1)), operand(shifted)))
    found = np.linalg.eigvals(companion)
    return concatenate((found, operand(np.zeros(zeros, found.dtype)))) if zeros else found


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """The polynomial of degree ``deg`` closest to the points: least squares, of least norm where several are.

    With ``full`` also the residuals, rank, singular values and ``rcond``, with ``cov`` the covariance of the
    coefficients. Warns like NumPy where the points do not determine the polynomial.
    """
    x, y = promote(as_inexact(operand(x)), as_inexact(operand(y)))
    order = operator.index(deg) + 1
    if order < 1 or len(x.shape) != 1 or not x.size or len(y.shape) not in (1, 2) or y.shape[0] != x.size:
        raise argument_error("polyfit", "api_polyfit", x=x.shape, y=y.shape, deg=deg)
    left, right = vander(x, order), y
    if w is not None:
        w = as_inexact(operand(w))
        column = P.reshape(w, shape=(w.size, 1))
        left, right = left * column, right * (column if len(right.shape) > 1 else w)
    rcond = x.size * np.finfo(x.dtype).eps if rcond is None else rcond
    scale = np.sqrt(np.sum(np.square(left), axis=0))
    left = left / scale
    c, residuals, rank, s = np.linalg.lstsq(left, right, rcond)
    c = c / (P.reshape(scale, shape=(order, 1)) if len(c.shape) > 1 else scale)
    if full:
        return c, residuals, rank, s, rcond
    if read(rank) != order:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=4)
    if not cov:
        return c
    spread = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    noise: Any = 1
    if cov != "unscaled":
        if x.size <= order:
            raise argument_error("polyfit", "api_polyfit_cov", points=x.size, order=order)
        noise = residuals / (x.size - order)
    return c, (spread if len(y.shape) == 1 else P.reshape(spread, shape=(order, order, 1))) * noise
