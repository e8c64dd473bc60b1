"""``np.linalg`` on Arrays: each function is a primitive of the linear-algebra table, or a composition of them.

Results that NumPy returns as named tuples come as named tuples with the same fields.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import ArgumentError, message
from backlight.numpy_api.common import (
    as_inexact,
    axes_of,
    axis_of,
    constant,
    deliver,
    here,
    implements,
    kept,
    operand,
    promote,
    unsupported_option,
)
from backlight.numpy_api.products import conjugated, matmul, outer, shape_error
from backlight.primitive import REGISTRY as P

__all__ = [
    "EigResult",
    "EighResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "diagonal",
    "norm",
    "solve",
    "trace",
]


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


class QRResult(NamedTuple):
    Q: Any
    R: Any


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


# -- Operands ------------------------------------------------------------------------------------------------------


def _matrices(function: str, a: Any, square: bool = False) -> Any:
    """``a`` as a stack of real or complex matrices."""
    x = as_inexact(operand(a))
    if x.ndim < 2:
        raise shape_error(function, (x,), "expected_matrix", "fix_matrix")
    if square and x.shape[-1] != x.shape[-2]:
        raise shape_error(function, (x,), "expected_square", "fix_square")
    return x


def _choice(function: str, option: str, came: Any, allowed: Sequence[Any]) -> Any:
    if came not in allowed:
        facts = {"function": function, "option": option, "allowed": ", ".join(map(repr, allowed)), "came": came}
        raise ArgumentError(message("linalg_option", here(), **facts))
    return came


def _t(x: Any) -> Any:
    return P.transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _h(x: Any) -> Any:
    return _t(conjugated(x))


def _lower_of(function: str, a: Any, option: str, upper: bool) -> Any:
    """The matrix whose lower triangle the routine is to read: of ``a``, or of ``aᴴ`` for the upper one."""
    x = _matrices(function, a, square=True)
    return _h(x) if upper else x


# -- Diagonals and traces ------------------------------------------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements ``a[i, i + offset]`` of the two axes, along a new last axis.

    >>> import backlight
    >>> diagonal(backlight.array([[1.0, 2.0], [3.0, 4.0]]))
    backlight.array([1., 4.])
    """
    x = operand(a)
    first, second = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    if first == second:
        raise shape_error("diagonal", (x,), "expected_matrix", "fix_matrix")
    offset = operator.index(offset)
    rest = tuple(axis for axis in range(x.ndim) if axis not in (first, second))
    rows, columns = x.shape[first], x.shape[second]
    along = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    front = P.transpose(x, axes=(first, second, *rest))
    y = P.gather(front, along - min(offset, 0), along + max(offset, 0))
    return P.transpose(y, axes=(*range(1, y.ndim), 0))


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """The sum along a diagonal.

    >>> import backlight
    >>> trace(backlight.array([[1.0, 2.0], [3.0, 4.0]]))
    backlight.array(5.)
    """
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


@implements(np.linalg.diagonal)
def _linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes."""
    return diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def _linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The traces of the matrices in the last two axes."""
    return trace(x, offset, -2, -1, dtype)


# -- Decompositions ------------------------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """L with ``a = L Lᴴ``, lower triangular (``upper=True``: U with ``a = Uᴴ U``).

    Only one triangle of ``a`` is read, as in NumPy, and the gradient stands in that triangle. Raises ``MatrixError``
    where ``a`` is not positive definite.

    >>> import backlight
    >>> cholesky(backlight.array([[4.0, 2.0], [2.0, 5.0]]))
    backlight.array([[2., 0.],
           [1., 2.]])
    """
    factor = P.cholesky(_lower_of("cholesky", a, "upper", upper))
    return _h(factor) if upper else factor


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """``a = Q R`` with orthonormal columns in Q and R upper triangular; ``mode`` is reduced, complete or r."""
    _choice("qr", "mode", mode, ("reduced", "complete", "r"))
    q, r = P.qr(_matrices("qr", a), complete=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues (ascending) and orthonormal eigenvectors of a Hermitian matrix, read from one triangle."""
    upper = _choice("eigh", "UPLO", str(UPLO).upper(), ("L", "U")) == "U"
    return EighResult(*P.eigh(_lower_of("eigh", a, "UPLO", upper)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of a Hermitian matrix, ascending."""
    return eigh(a, UPLO).eigenvalues


@implements(np.linalg.eig)
def eig(a: Any) -> EigResult:
    """Eigenvalues and eigenvectors of length 1 of a general square matrix.

    Real results for a real matrix whose eigenvalues all happen to be real, as in NumPy; a trace notes that Python
    looked. A matrix without a full set of eigenvectors has no derivative, and its gradient raises ``MatrixError``.
    """
    x = _matrices("eig", a, square=True)
    w, v = P.eig(x)
    if x.dtype.kind == "f" and bool(P.all(P.equal(P.imag(w), 0), axis=tuple(range(w.ndim)))):
        return EigResult(P.real(w), P.real(v))
    return EigResult(w, v)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """The eigenvalues of a general square matrix."""
    return eig(a).eigenvalues


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """``a = U diag(S) Vh`` with S descending; only S with ``compute_uv=False``.

    ``hermitian=True`` promises a symmetry that changes no value: the general routine is used.
    """
    u, s, vh = P.svd(_matrices("svd", a), full_matrices=bool(full_matrices and compute_uv))
    return SVDResult(u, s, vh) if compute_uv else s


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """The singular values, descending."""
    return svd(x, compute_uv=False)


# -- Determinants, inverses and equations ----------------------------------------------------------------------------


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """The determinant; its gradient is the matrix of cofactors, right for singular matrices too."""
    return P.det(_matrices("det", a, square=True))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its modulus."""
    return SlogdetResult(*P.slogdet(_matrices("slogdet", a, square=True)))


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """The inverse. Raises ``MatrixError`` where there is none."""
    return P.inv(_matrices("inv", a, square=True))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """y with ``a y = b``. A 1-D ``b`` is one right-hand side; any other holds right-hand sides as columns.

    Raises ``ShapeError`` for rows that differ in number, ``MatrixError`` for a singular ``a``.

    >>> import backlight
    >>> solve(backlight.array([[2.0, 0.0], [0.0, 4.0]]), [2.0, 2.0])
    backlight.array([1. , 0.5])
    """
    x, y = promote(_matrices("solve", a, square=True), as_inexact(operand(b)))
    n = x.shape[-1]
    vector = y.ndim == 1
    if y.shape[0 if vector else -2] != n:
        raise shape_error("solve", (x, y), "expected_solve", "fix_solve", n=n)
    if vector:
        y = P.reshape(y, shape=(n, 1))
    lead = _common_batch("solve", x, y)
    x, y = (z if z.shape[:-2] == lead else P.broadcast_to(z, shape=(*lead, *z.shape[-2:])) for z in (x, y))
    found = P.solve(x, y)
    return P.reshape(found, shape=found.shape[:-1]) if vector else found


def _common_batch(function: str, *xs: Any) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*[x.shape[:-2] for x in xs])
    except ValueError:
        first, second = (x.shape[:-2] for x in xs)
        raise shape_error(function, xs, "expected_labels", "fix_match_axes", a=first, b=second) from None


_NUMPYS_OWN = object()


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _NUMPYS_OWN) -> Any:
    """The Moore-Penrose pseudo-inverse; singular values below ``rtol`` (1e-15) times the largest count as 0.

    The gradient is that for changes which keep the rank. ``hermitian=True`` promises a symmetry that changes no value.
    """
    x = _matrices("pinv", a)
    cut = rcond if rcond is not None else 1e-15 if rtol is _NUMPYS_OWN else rtol
    if cut is None:
        cut = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    if np.ndim(cut):
        raise unsupported_option("np.linalg.pinv", "rtol per matrix", "one number for all")
    return P.pinv(x, rtol=float(cut))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """The ``x`` of least length among those that minimise ``|a x - b|²``: ``x = a⁺ b``.

    Returns (x, residuals, rank, singular values) as NumPy does; ``residuals`` is empty unless ``a`` is tall and of full
    rank. The gradient goes through the pseudo-inverse, for changes that keep the rank.
    """
    x, y = promote(_matrices("lstsq", a), as_inexact(operand(b)))
    m, n = x.shape[-2:]
    if x.ndim != 2 or y.ndim not in (1, 2) or y.shape[0] != m:
        raise shape_error("lstsq", (x, y), "expected_solve", "fix_solve", n=m)
    eps = float(np.finfo(x.dtype).eps)
    cut = max(m, n) * eps if rcond is None else eps if rcond < 0 else float(rcond)
    s = svdvals(x)
    rank = _count_above(s, cut)
    found = matmul(P.pinv(x, rtol=cut), y)
    full = m > n and int(rank) == n
    residuals = P.sum(_squared(y - matmul(x, found)), axis=(0,)) if full else np.zeros(0, s.dtype)
    if full and y.ndim == 1:
        residuals = P.reshape(residuals, shape=(1,))
    return found, operand(residuals), rank, s


def _count_above(s: Any, cut: float) -> Any:
    """How many singular values exceed ``cut`` times the largest, which is the first."""
    largest = P.slice(s, index=(*((0, n, 1) for n in s.shape[:-1]), (0, min(1, s.shape[-1]), 1)))
    return P.sum(P.greater(s, largest * cut), axis=(s.ndim - 1,))


@constant(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """The number of singular values above ``tol`` (default: rounding error); an integer, so without a derivative."""
    x = as_inexact(operand(A))
    if x.ndim < 2:
        return P.cast(P.any(P.not_equal(x, 0), axis=tuple(range(x.ndim))), dtype=np.dtype(int))
    s = svdvals(x)
    if tol is not None:
        tol = operand(tol)
        return P.sum(P.greater(s, P.reshape(tol, shape=(*tol.shape, 1))), axis=(s.ndim - 1,))
    return _count_above(s, max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else float(rtol))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """``a @ a @ …``, ``n`` times, by repeated squaring; powers of the inverse for negative ``n``."""
    n = operator.index(n)
    x = operand(a)
    x = _matrices("matrix_power", x, square=True) if n < 0 or x.ndim < 2 or x.shape[-1] != x.shape[-2] else x
    if n == 0:
        return P.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), shape=x.shape)
    if n < 0:
        x, n = inv(x), -n
    result = None
    while n:
        if n & 1:
            result = x if result is None else P.matmul(result, x)
        n >>= 1
        x = P.matmul(x, x) if n else x
    return result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: Any = None) -> Any:
    """The product of several matrices, in the order of multiplication that costs least."""
    xs = promote(*[operand(x) for x in arrays])
    if len(xs) < 2:
        raise shape_error("multi_dot", xs, "expected_matrix", "fix_matrix")
    first, last = xs[0].ndim == 1, xs[-1].ndim == 1
    xs[0] = P.reshape(xs[0], shape=(1, *xs[0].shape)) if first else xs[0]
    xs[-1] = P.reshape(xs[-1], shape=(*xs[-1].shape, 1)) if last else xs[-1]
    if any(x.ndim != 2 for x in xs):
        raise shape_error("multi_dot", xs, "expected_matrix", "fix_matrix")
    sides = [xs[0].shape[0], *(x.shape[1] for x in xs)]
    y = _chained(xs, _cheapest(sides), 0, len(xs) - 1)
    if first or last:
        y = P.reshape(y, shape=y.shape[int(first) : 2 - int(last)])
    return deliver(y, out)


def _cheapest(sides: Sequence[int]) -> dict[tuple[int, int], int]:
    """For every stretch i…j of the chain, the place to cut it (Cormen et al., matrix-chain order)."""
    count = len(sides) - 1
    cost = {(i, i): 0 for i in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            ways = ((cost[i, k] + cost[k + 1, j] + sides[i] * sides[k + 1] * sides[j + 1], k) for k in range(i, j))
            cost[i, j], cut[i, j] = min(ways)
    return cut


def _chained(xs: Sequence[Any], cut: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return xs[i]
    k = cut[i, j]
    return matmul(_chained(xs, cut, i, k), _chained(xs, cut, k + 1, j))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """y with ``tensordot(a, y, y.ndim) = b``."""
    x, y = promote(as_inexact(operand(a)), as_inexact(operand(b)))
    if axes is not None:
        moved = axes_of(tuple(axes), x.ndim)
        x = P.transpose(x, axes=(*(axis for axis in range(x.ndim) if axis not in moved), *moved))
    shape = x.shape[y.ndim :]
    if prod(shape) != y.size or x.shape[: y.ndim] != y.shape:
        raise shape_error("tensorsolve", (x, y), "expected_solve", "fix_match_axes", n=prod(shape))
    found = solve(P.reshape(x, shape=(y.size, y.size)), P.reshape(y, shape=(y.size,)))
    return P.reshape(found, shape=shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of ``tensordot`` with ``a`` over its last axes; the first ``ind`` axes are the rows."""
    x = as_inexact(operand(a))
    rows, columns = x.shape[:ind], x.shape[ind:]
    if ind <= 0 or prod(rows) != prod(columns):
        raise shape_error("tensorinv", (x,), "expected_square", "fix_match_axes")
    found = inv(P.reshape(x, shape=(prod(rows), prod(columns))))
    return P.reshape(found, shape=(*columns, *rows))


# -- Norms ---------------------------------------------------------------------------------------------------------


def _modulus(x: Any) -> Any:
    return np.abs(x)


def _squared(x: Any) -> Any:
    """|x|², without the square root that |x| takes for complex numbers."""
    return P.square(P.real(x)) + P.square(P.imag(x)) if x.dtype.kind == "c" else P.square(x)


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...]) -> Any:
    if order is None or order == 2:
        return P.norm(x, axis=axes)
    if order == np.inf:
        return P.max(_modulus(x), axis=axes)
    if order == -np.inf:
        return P.min(_modulus(x), axis=axes)
    if order == 0:
        return P.sum(P.cast(P.not_equal(x, 0), dtype=_modulus(x).dtype), axis=axes)
    if order == 1:
        return P.sum(_modulus(x), axis=axes)
    if isinstance(order, str):
        _choice("norm of vectors", "ord", order, (None, 0, 1, 2, np.inf, -np.inf, "p"))
    size = _modulus(x)
    powers = P.sum(P.power(size, float(order)), axis=axes)
    zero = P.equal(powers, 0)
    return P.where(zero, 0, P.power(P.where(zero, 1, powers), 1 / float(order)))


def _matrix_norm(x: Any, order: Any, rows: int, columns: int) -> Any:
    if order in (None, "fro", "f"):
        return P.norm(x, axis=tuple(sorted((rows, columns))))
    if order in (2, -2, "nuc"):
        rest = tuple(axis for axis in range(x.ndim) if axis not in (rows, columns))
        s = svdvals(P.transpose(x, axes=(*rest, rows, columns)))
        fold = {2: P.max, -2: P.min, "nuc": P.sum}[order]
        return fold(s, axis=(s.ndim - 1,))
    _choice("norm", "ord", order, (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf))
    summed, kept_axis = (rows, columns) if abs(order) == 1 else (columns, rows)
    sums = P.sum(_modulus(x), axis=(summed,))
    axis = kept_axis - (kept_axis > summed)
    return (P.max if order > 0 else P.min)(sums, axis=(axis,))


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors (one axis) or matrices (two axes), every ``ord`` of NumPy's.

    The gradient of a 2-norm or Frobenius norm at 0, where it has a kink, is 0.

    >>> import backlight
    >>> x = backlight.array([3.0, 4.0])
    >>> length = norm(x)
    >>> length.backward()
    >>> length, x.grad
    (backlight.array(5.), backlight.array([0.6, 0.8]))
    """
    a = as_inexact(operand(x))
    if axis is None and (ord is None or (ord in ("fro", "f") and a.ndim == 2) or (ord == 2 and a.ndim == 1)):
        axes = tuple(range(a.ndim))
        y = P.norm(a, axis=axes)
    else:
        given = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
        axes = axes_of(tuple(given), a.ndim)
        if len(axes) not in (1, 2):
            raise shape_error("norm", (a,), "expected_matrix", "fix_matrix")
        y = _vector_norm(a, ord, axes) if len(axes) == 1 else _matrix_norm(a, ord, *axes)
    return P.reshape(y, shape=kept(a.shape, axes)) if keepdims else y


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm over all the given axes (default: all) read as one vector."""
    a = as_inexact(operand(x))
    axes = tuple(sorted(axes_of(axis, a.ndim)))
    y = _vector_norm(a, ord, axes)
    return P.reshape(y, shape=kept(a.shape, axes)) if keepdims else y


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of the matrices in the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """The condition number: how much a relative error can grow; ``p`` chooses the norm.

    Infinite for a singular matrix in the 2-norm; ``MatrixError`` in the others, which need the inverse.
    """
    a = _matrices("cond", x)
    if p in (None, 2, -2):
        s = svdvals(a)
        ends = [P.slice(s, index=(*((0, n, 1) for n in s.shape[:-1]), end)) for end in (0, s.shape[-1] - 1)]
        with np.errstate(all="ignore"):
            y = ends[1] / ends[0] if p == -2 else ends[0] / ends[1]
        return P.where(P.isnan(y), np.inf, y)
    a = _matrices("cond", x, square=True)
    return matrix_norm(a, ord=p) * matrix_norm(inv(a), ord=p)


@implements(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Any:
    """The outer product of two vectors."""
    a, b = operand(x1), operand(x2)
    if a.ndim != 1 or b.ndim != 1:
        raise shape_error("outer", (a, b), "expected_vectors", "fix_vectors")
    return outer(a, b)
