"""The table of dense linear algebra, over the last two axes; all axes before them are a batch.

Every pullback is the adjoint under ⟨u, v⟩ = Re Σ conj(u) v, written with ``ᴴ`` for the conjugate transpose. The
formulas of one matrix function each are derived in Giles, "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008); Murray, "Differentiation of the Cholesky decomposition" (2016); Walter and
Lehmann, "Algorithmic differentiation of linear algebra functions" (2010); Golub and Pereyra, "The differentiation of
pseudo-inverses" (1973).

``cholesky`` and ``eigh`` read the lower triangle alone, as NumPy does, so their gradient stands in the lower triangle.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from backlight.primitive import REGISTRY, Each, Library, Sample, Structural, Why

__all__: list[str] = []

P = REGISTRY
Shape = tuple[int, ...]


# -- Small helpers in Backlight's own operations -------------------------------------------------------------------


def _t(x: Any) -> Any:
    return P.transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _h(x: Any) -> Any:
    return _t(_conj(x))


def _conj(x: Any) -> Any:
    return P.conjugate(x) if x.dtype.kind == "c" else x


def _mm(*xs: Any) -> Any:
    product = xs[0]
    for x in xs[1:]:
        product = P.matmul(product, x)
    return product


def _real(x: Any) -> Any:
    return P.real(x) if x.dtype.kind == "c" else x


def _like(x: Any, dtype: Any) -> Any:
    """``x`` in ``dtype``, so that a real factor meets complex matrices without a change of precision."""
    return x if x.dtype == dtype else P.cast(x, dtype=dtype)


def _constant(mask: Any, x: Any) -> Any:
    """A mask of zeros and ones in the precision of ``x``."""
    return np.asarray(mask, x.dtype.type(0).real.dtype)


def _lower(x: Any, strictly: bool = False) -> Any:
    return x * _constant(np.tril(np.ones(x.shape[-2:]), -1 if strictly else 0), x)


def _diagonal(x: Any) -> Any:
    along = np.arange(min(x.shape[-2:]))
    front = P.transpose(x, axes=(x.ndim - 2, x.ndim - 1, *range(x.ndim - 2)))
    return P.transpose(P.gather(front, along, along), axes=(*range(1, x.ndim - 1), 0))


def _columns(x: Any, factors: Any) -> Any:
    """Every column of ``x`` times its factor."""
    return x * P.reshape(_like(factors, x.dtype), shape=(*factors.shape[:-1], 1, factors.shape[-1]))


def _rows(x: Any, factors: Any) -> Any:
    """Every row of ``x`` times its factor."""
    return x * P.reshape(_like(factors, x.dtype), shape=(*factors.shape, 1))


def _embedded(d: Any) -> Any:
    """Diagonal matrices with the vectors ``d`` on them."""
    return P.reshape(d, shape=(*d.shape, 1)) * _constant(np.eye(d.shape[-1]), d)


def _reciprocal(x: Any) -> Any:
    """1 / x, and 0 where x is 0: the convention for what repeated or vanishing values leave undetermined."""
    none = P.equal(x, 0)
    return P.where(none, 0, 1 / P.where(none, 1, x))


def _modulus(x: Any) -> Any:
    return P.hypot(P.real(x), P.imag(x)) if x.dtype.kind == "c" else P.absolute(x)


def _pairs(values: Any) -> tuple[Any, Any]:
    """``values`` along rows and along columns: element i, j of the first is value i, of the second value j."""
    *lead, n = values.shape
    return P.reshape(values, shape=(*lead, n, 1)), P.reshape(values, shape=(*lead, 1, n))


def _gaps(values: Any) -> Any:
    """1 / (values_j - values_i) in row i, column j; 0 on the diagonal and where two are equal up to rounding."""
    first, second = _pairs(values)
    gap = second - first
    rounding = P.sum(_modulus(values), axis=(values.ndim - 1,)) * float(np.finfo(values.dtype).eps)
    equal = P.less_equal(_modulus(gap), _per_matrix(rounding))
    return P.where(equal, 0, 1 / P.where(equal, 1, gap))


def _per_matrix(g: Any) -> Any:
    """One number per matrix, shaped to multiply the matrices."""
    return P.reshape(g, shape=(*g.shape, 1, 1))


def _lower_gradient(m: Any) -> Any:
    """The gradient of a mapping that reads A's lower triangle, from its gradient ``m`` with respect to the whole A."""
    strict = _lower(m + _h(m), strictly=True)
    return strict + _like(_embedded(_real(_diagonal(m))), m.dtype)


def _all_batched(record: str) -> Callable[..., Any]:
    """The batch rule of a mapping over the last two axes: examples are one more leading axis."""

    def batch(batched: tuple[bool, ...], *xs: Any, **params: Any) -> Any:
        examples = next(x.shape[0] for x, leads in zip(xs, batched, strict=True) if leads)
        full = [
            x if leads else P.broadcast_to(x, shape=(examples, *x.shape)) for x, leads in zip(xs, batched, strict=True)
        ]
        return getattr(P, record)(*full, **params)

    return batch


def _same(s: Shape, *rest: Shape, **params: Any) -> Shape:
    return s


# -- Samples -------------------------------------------------------------------------------------------------------


def _matrix(*shape: int, start: float = 0.0) -> np.ndarray[Any, Any]:
    """Distinct, deterministic numbers with well separated singular values."""
    size = int(np.prod(shape))
    wave = np.sin(start + 1.3 * np.arange(size) ** 1.2).reshape(shape)
    return np.asarray(wave + np.eye(shape[-2], shape[-1]) * np.arange(1, shape[-1] + 1))


def _definite(*shape: int) -> np.ndarray[Any, Any]:
    half = 0.4 * _matrix(*shape)
    return np.asarray(half @ half.swapaxes(-1, -2) + np.eye(shape[-1]) * np.arange(1, shape[-1] + 1))


def _square_samples() -> list[Sample]:
    return [Sample((_matrix(*shape),), {}) for shape in ((2, 2), (3, 3), (1, 1), (2, 2, 2), (0, 2, 2))]


def _definite_samples() -> list[Sample]:
    return [Sample((_definite(*shape),), {}) for shape in ((2, 2), (3, 3), (1, 1), (2, 2, 2), (0, 2, 2))]


# -- Rules ---------------------------------------------------------------------------------------------------------


def _cholesky_pullback(a: Any, y: Any, g: Any) -> Any:
    """S = L⁻ᴴ Φ(Lᴴ g) L⁻¹, where Φ keeps the lower triangle and halves the diagonal (Murray 2016)."""
    product = _mm(_h(y), _lower(g))
    half = _lower(product, strictly=True) + _like(_embedded(_real(_diagonal(product)) / 2), product.dtype)
    left = P.solve(_h(y), half)
    whole = _h(P.solve(_h(y), _h(left)))
    return _lower_gradient((whole + _h(whole)) / 2)


def _solve_a(a: Any, b: Any, y: Any, g: Any) -> Any:
    return -_mm(P.solve(_h(a), g), _h(y))


def _slogdet_pullback(a: Any, y: Any, g: Any) -> Any:
    """d log det A = tr(A⁻¹ dA): the modulus takes its real part; a complex sign turns with its imaginary part."""
    inverse = _h(P.inv(a))
    weight = _like(_per_matrix(g[1]), a.dtype)
    if a.dtype.kind == "c":
        turned = P.imag(P.conjugate(g[0]) * y[0])
        weight = weight - _per_matrix(turned) * a.dtype.type(1j)
    return inverse * weight


def _complement_folded(full: Any, g: Any, k: int) -> tuple[Any, Any]:
    """The first ``k`` columns of a square orthonormal matrix, and the gradient that reaches them.

    The other columns span the complement and turn with the first: U₁ᴴ dU₂ = -(U₂ᴴ dU₁)ᴴ, so that their gradient is
    -U₂ g₂ᴴ U₁ at the first. How they turn among themselves is a free choice, taken as not at all.
    """
    if full.shape[-1] == k:
        return full, g
    split = _column_range(0, k), _column_range(k, full.shape[-1] - k)
    first, others = (P.slice(full, index=index(full)) for index in split)
    g_first, g_others = (P.slice(g, index=index(g)) for index in split)
    return first, g_first - _mm(others, _h(g_others), first)


def _column_range(start: int, count: int) -> Callable[[Any], tuple[Any, ...]]:
    return lambda x: (*((0, n, 1) for n in x.shape[:-1]), (start, count, 1))


def _row_range(x: Any, count: int) -> Any:
    return P.slice(x, index=(*((0, n, 1) for n in x.shape[:-2]), (0, count, 1), (0, x.shape[-1], 1)))


def _qr_pullback(a: Any, y: Any, g: Any, *, complete: bool) -> Any:
    m, n = a.shape[-2:]
    k = min(m, n)
    q, gq = _complement_folded(y[0], g[0], k)
    r, gr = _row_range(y[1], k), _row_range(g[1], k)
    if m >= n:
        return _tall_qr_pullback(q, r, gq, gr)
    square, wide = _column_range(0, k), _column_range(k, n - k)
    gy = P.slice(gr, index=wide(gr))
    gq = gq + _mm(P.slice(a, index=wide(a)), _h(gy))
    first = _tall_qr_pullback(q, P.slice(r, index=square(r)), gq, P.slice(gr, index=square(gr)))
    return P.concatenate(first, _mm(q, gy), axis=a.ndim - 1)


def _tall_qr_pullback(q: Any, r: Any, gq: Any, gr: Any) -> Any:
    """(g_Q + Q M) R⁻ᴴ, M the Hermitian matrix with the lower triangle of R g_Rᴴ - g_Qᴴ Q (Walter and Lehmann 2010)."""
    inside = _mm(r, _h(_upper(gr))) - _mm(_h(gq), q)
    strict = _lower(inside, strictly=True)
    hermitian = strict + _h(strict) + _like(_embedded(_real(_diagonal(inside))), inside.dtype)
    return _h(P.solve(r, _h(gq + _mm(q, hermitian))))


def _upper(x: Any) -> Any:
    return x * _constant(np.triu(np.ones(x.shape[-2:])), x)


def _qr_shape(s: Shape, *, complete: bool) -> tuple[Shape, Shape]:
    *lead, m, n = s
    k = m if complete else min(m, n)
    return (*lead, m, k), (*lead, k, n)


def _eigh_pullback(a: Any, y: Any, g: Any) -> Any:
    """V (diag g_w + E ∘ Vᴴ g_V) Vᴴ with E = 1 / (w_j - w_i) off the diagonal (Giles 2008, 3.1)."""
    w, v = y
    inside = _mm(_h(v), g[1]) * _like(_gaps(w), v.dtype) + _like(_embedded(g[0]), v.dtype)
    whole = _mm(v, inside, _h(v))
    return _lower_gradient((whole + _h(whole)) / 2)


def _svd_pullback(a: Any, y: Any, g: Any, *, full_matrices: bool) -> Any:
    """U [ E ∘ skew(Uᴴ g_U) S + S (E ∘ skew(Vᴴ g_V)) + diag g_s ] Vᴴ and the parts outside the spans of U and V,
    with E = 1 / (s_j² - s_i²) off the diagonal and, for complex A, the phase term of the diagonal."""
    m, n = a.shape[-2:]
    k = min(m, n)
    u, gu = _complement_folded(y[0], g[0], k)
    v, gv = _complement_folded(_h(y[2]), _h(g[2]), k)
    s, gs = y[1], g[1]
    gaps = _like(_gaps(s) * _reciprocal(P.add(*_pairs(s))), a.dtype)
    inverse = _reciprocal(s)
    left, right = _mm(_h(u), gu), _mm(_h(v), gv)
    skew_left, skew_right = left - _h(left), right - _h(right)
    inside = _columns(skew_left * gaps, s) + _rows(skew_right * gaps, s) + _like(_embedded(gs), a.dtype)
    if a.dtype.kind == "c":
        phase = P.imag(_diagonal(left)) * inverse
        inside = inside + _embedded(phase) * a.dtype.type(1j)
    whole = _mm(u, inside, _h(v))
    if m > k:
        whole = whole + _mm(_columns(gu - _mm(u, left), inverse), _h(v))
    if n > k:
        whole = whole + _mm(u, _h(_columns(gv - _mm(v, right), inverse)))
    return whole


def _svd_shape(s: Shape, *, full_matrices: bool) -> tuple[Shape, Shape, Shape]:
    *lead, m, n = s
    k = min(m, n)
    return (*lead, m, m if full_matrices else k), (*lead, k), (*lead, n if full_matrices else k, n)


def _pinv_pullback(a: Any, y: Any, g: Any, *, rtol: float | None) -> Any:
    """-Pᴴ g Pᴴ + (I - A P) gᴴ P Pᴴ + Pᴴ P gᴴ (I - P A), for changes that keep the rank (Golub and Pereyra 1973)."""
    yh, gh = _h(y), _h(g)
    right = _mm(gh, y, yh)
    left = _mm(yh, y, gh)
    return right - _mm(a, y, right) + left - _mm(left, y, a) - _mm(yh, g, yh)


def _eig(a: Any) -> tuple[Any, Any]:
    """Always complex: NumPy gives real numbers when no imaginary part happens to be left, which is no fixed dtype."""
    w, v = np.linalg.eig(a)
    dtype = np.result_type(a.dtype, np.complex64)
    return w.astype(dtype), v.astype(dtype)


def _eig_pullback(a: Any, y: Any, g: Any) -> Any:
    """V⁻ᴴ [diag g_w + Ē ∘ (Vᴴ g_V - Vᴴ V diag Re(Vᴴ g_V))] Vᴴ: eigenvectors keep length 1 (Boeddeker et al. 2017)."""
    w, v = y
    vh = _h(v)
    inside = _mm(vh, g[1])
    inside = inside - _columns(_mm(vh, v), _real(_diagonal(inside)))
    inside = inside * _conj(_gaps(w)) + _embedded(g[0])
    whole = _mm(P.solve(vh, inside), vh)
    return whole if a.dtype.kind == "c" else P.real(whole)


# -- The determinant's derivatives, all orders, singular matrices too ------------------------------------------------


def _adjugate(a: Any, *directions: Any) -> Any:
    """The adjugate of ``a`` (the transposed gradient of det), or its derivative along ``directions``, one each.

    In the bases of A = U S Vᴴ only products of singular values that leave some out are needed, never a quotient, so a
    singular matrix is no special case: with P_{i…} = Π of the s that are not in {i…},
    det⁽ᵐ⁾(S)[E₁ … E_m] = Σ over distinct i₁ … i_m of P_{i₁…i_m} Σ_σ sgn σ Π_k E_k[i_k, i_σ(k)],
    and the adjugate is what multiplies the last E.
    """
    u, s, vh = np.linalg.svd(a)
    inside = [_dagger(u) @ e @ _dagger(vh) for e in directions]
    order = len(inside) + 1
    n = s.shape[-1]
    left_out = _products_without(s, order).astype(a.dtype)
    made = np.zeros_like(a)
    letters = list(range(1, order + 1))
    for turned in permutations(range(order)):
        factors: list[Any] = [left_out, [0, *letters]]
        flat = [x.reshape(-1, n, n) for x in inside]
        for k, e in enumerate(flat):
            factors += [e, [0, letters[k], letters[turned[k]]]]
        target = letters[turned[-1]], letters[-1]
        if target[0] == target[1]:
            term = np.einsum(*factors, [0, target[0]])[..., None] * np.eye(n, dtype=a.dtype)
        else:
            term = np.einsum(*factors, [0, *target])
        made += _sign(turned) * term.reshape(a.shape)
    scale = np.linalg.det(u) * np.linalg.det(vh)
    return scale[..., None, None] * (_dagger(vh) @ made @ _dagger(u))


def _dagger(x: Any) -> Any:
    return x.conj().swapaxes(-1, -2)


def _sign(order: tuple[int, ...]) -> int:
    crossings = sum(order[i] > order[j] for j in range(len(order)) for i in range(j))
    return -1 if crossings % 2 else 1


def _products_without(s: Any, order: int) -> Any:
    """For all distinct i₁ … i_order: the product of ``s`` without them; 0 where two coincide. Batch axes flattened."""
    flat = s.reshape(int(np.prod(s.shape[:-1])), s.shape[-1])
    n = flat.shape[1]
    grid = np.indices((n,) * order)
    distinct = np.ones((n,) * order, bool)
    for i in range(order):
        for j in range(i):
            distinct &= grid[i] != grid[j]
    products = np.broadcast_to(distinct.astype(s.dtype), (len(flat), *distinct.shape)).copy()
    for t in range(n):
        kept = ~np.any(grid == t, axis=0)
        products *= np.where(kept, flat[:, t].reshape(-1, *(1,) * order), 1)
    return products


def _adjugate_pullback(i: int, xs: Any, y: Any, g: Any) -> Any:
    """The next derivative of det is symmetric in its directions, and tr(adj⁽ᵏ⁾[b…] h) = det⁽ᵏ⁺¹⁾[b…, h]."""
    a, *directions = map(_conj, xs)
    others = [b for k, b in enumerate(directions, start=1) if k != i]
    return _t(P.adjugate(a, *others, _t(g)))


def _adjugate_samples() -> list[Sample]:
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    return [
        *_square_samples()[:4],
        Sample((singular,), {}),
        Sample((_matrix(3, 3), _matrix(3, 3, start=0.4)), {}),
        Sample((singular, _matrix(2, 2)), {}),
        Sample((np.diag([1.0, 0.0, 0.0]), _matrix(3, 3)), {}),
        Sample((_matrix(3, 3), _matrix(3, 3, start=0.4), _matrix(3, 3, start=0.8)), {}),
    ]


# -- The table -----------------------------------------------------------------------------------------------------


def _record(name: str, value: Callable[..., Any], why: Why, routine: str | None = None, **fields: Any) -> Structural:
    """What the records of this table have in common."""
    common: dict[str, Any] = {
        "shape": _same,
        "linear_in": (),
        "kernel": lambda *shapes, **params: Library(routine or name),
        "batch": _all_batched(name),
        "samples": _square_samples,
        "complex": True,
    }
    return Structural(name=name, value=value, why=why, **(common | fields))


def _svd_samples() -> list[Sample]:
    shapes = ((2, 2), (3, 2), (2, 3), (1, 3), (2, 2, 2), (0, 2, 2))
    return [Sample((_matrix(*shape),), {"full_matrices": False}) for shape in shapes]


REGISTRY.enter(
    _record(
        "cholesky",
        np.linalg.cholesky,
        Why(
            "L is a square root of A: changing A changes the product L Lᴴ, and the change is shared between the two "
            "equal factors, half of it to each, kept triangular.",
            "L 是 A 的“平方根”：A 的变化就是乘积 L Lᴴ 的变化，由两个相同的因子各分担一半，并保持三角形状。",
        ),
        pullback=(_cholesky_pullback,),
        samples=_definite_samples,
    ),
    _record(
        "solve",
        np.linalg.solve,
        Why(
            "The solution of A y = b answers b linearly, so its gradient comes back by solving with the transposed "
            "matrix; A is felt through the solution that it multiplies, with a minus sign since more A means less y.",
            "A y = b 的解对 b 是线性的，梯度用转置矩阵再解一次方程传回；A 通过它所乘的解起作用，符号为负：A 增 y 减。",
        ),
        shape=lambda sa, sb: sb,
        pullback=(_solve_a, lambda a, b, y, g: P.solve(_h(a), g)),
        linear_in=(1,),
        samples=lambda: [
            Sample((_matrix(*sa), _matrix(*sb, start=0.5)), {})
            for sa, sb in (
                ((2, 2), (2, 3)),
                ((3, 3), (3, 1)),
                ((1, 1), (1, 2)),
                ((2, 2, 2), (2, 2, 1)),
                ((2, 2), (2, 0)),
            )
        ],
    ),
    _record(
        "inv",
        np.linalg.inv,
        Why(
            "As 1/x falls by dx/x², the inverse falls by A⁻¹ dA A⁻¹: the change of A, seen through the inverse from "
            "both sides.",
            "正如 1/x 减少 dx/x²，逆矩阵减少 A⁻¹ dA A⁻¹：即从两侧透过逆矩阵看到的 A 的变化。",
        ),
        pullback=(lambda a, y, g: -_mm(_h(y), g, _h(y)),),
    ),
    _record(
        "det",
        np.linalg.det,
        Why(
            "The determinant is a volume: moving one entry changes it by that entry's cofactor, the volume of what is "
            "left when its row and column are taken away.",
            "行列式是体积：改变一个元素时，体积按该元素的代数余子式变化，也就是去掉其所在行和列后剩余部分的体积。",
        ),
        shape=lambda s: s[:-2],
        pullback=(lambda a, y, g: _per_matrix(g) * _t(P.adjugate(_conj(a))),),
        samples=lambda: [
            *_square_samples(),
            Sample((np.array([[1.0, 2.0], [2.0, 4.0]]),), {}),
            Sample((np.eye(3),), {}),
        ],
    ),
    _record(
        "adjugate",
        _adjugate,
        Why(
            "It collects all cofactors, each a smaller determinant; their changes are determinants of matrices smaller "
            "still, so the derivatives of every order have one form and need no division.",
            "它汇集所有代数余子式，每个都是更小的行列式；它们的变化又是再小一阶的行列式，所以各阶导数形式相同，且无需除法。",
        ),
        pullback=Each(_adjugate_pullback),
        samples=_adjugate_samples,
    ),
    _record(
        "slogdet",
        lambda a: tuple(np.linalg.slogdet(a)),
        Why(
            "The logarithm of a volume grows by the relative change of the volume, so its gradient is the inverse, "
            "transposed; the sign does not move at all, unless it is a complex phase.",
            "体积的对数按体积的相对变化增长，因此梯度就是逆矩阵的转置；符号本身不变，除非它是复数相位。",
        ),
        shape=lambda s: (s[:-2], s[:-2]),
        pullback=(_slogdet_pullback,),
        outputs=2,
    ),
    _record(
        "qr",
        lambda a, *, complete: tuple(np.linalg.qr(a, "complete" if complete else "reduced")),
        Why(
            "A change of A either stays within the span of Q and is taken up by R and a rotation of Q, or leads out of "
            "it and tilts Q; the two parts travel back separately.",
            "A 的变化要么留在 Q 张成的空间内，由 R 和 Q 的旋转吸收；要么离开该空间，使 Q 倾斜；两部分分别回传。",
        ),
        shape=_qr_shape,
        pullback=(_qr_pullback,),
        outputs=2,
        at_kink="columns of Q beyond the span of A do not turn among themselves",
        kernel=lambda s, *, complete: Library("qr_complete" if complete else "qr"),
        samples=lambda: [
            Sample((_matrix(*shape),), {"complete": False}) for shape in ((2, 2), (3, 2), (2, 3), (1, 1), (2, 3, 2))
        ],
    ),
    _record(
        "eigh",
        lambda a: tuple(np.linalg.eigh(a)),
        Why(
            "An eigenvalue moves by what the change of A does along its own eigenvector; an eigenvector tilts towards "
            "another in proportion to the coupling between them, and the more so the closer their eigenvalues are.",
            "特征值随 A 的变化在自身特征向量方向上的分量而变；特征向量按耦合强弱彼此倾斜，特征值越接近倾斜越大。",
        ),
        shape=lambda s: (s[:-1], s),
        pullback=(_eigh_pullback,),
        outputs=2,
        at_kink="eigenvectors of one repeated eigenvalue do not turn among themselves: that part counts as 0",
        samples=_definite_samples,
    ),
    _record(
        "svd",
        lambda a, *, full_matrices: tuple(np.linalg.svd(a, full_matrices)),
        Why(
            "A singular value grows by the part of the change that lies along its own pair of directions; the other "
            "parts turn the directions, faster where two singular values nearly agree.",
            "奇异值按变化中沿自身一对方向的部分增长；其余部分使这些方向转动，两个奇异值越接近转得越快。",
        ),
        shape=_svd_shape,
        pullback=(_svd_pullback,),
        outputs=3,
        at_kink="singular vectors of one repeated value, or of 0, do not turn among themselves: that part counts as 0",
        kernel=lambda s, *, full_matrices: Library("svd_full" if full_matrices else "svd"),
        samples=_svd_samples,
    ),
    _record(
        "pinv",
        lambda a, *, rtol: np.linalg.pinv(a, rtol=rtol),
        Why(
            "Within the directions that A reaches it changes as an inverse does, A⁺ dA A⁺ with a minus; two further "
            "terms tell how those directions themselves tilt.",
            "在 A 能到达的方向内，它像逆矩阵那样变化，即负的 A⁺ dA A⁺；另外两项说明这些方向本身如何倾斜。",
        ),
        shape=lambda s, *, rtol: (*s[:-2], s[-1], s[-2]),
        pullback=(_pinv_pullback,),
        at_kink="changes keep the rank: where the rank is about to rise the pseudo-inverse jumps and has no derivative",
        samples=lambda: [
            Sample((_matrix(*shape),), {"rtol": None}) for shape in ((2, 2), (3, 2), (2, 3), (1, 1), (2, 3, 2))
        ],
    ),
    _record(
        "eig",
        _eig,
        Why(
            "As for a symmetric matrix, only the eigenvectors are not at right angles here, so what arrives at them is "
            "read in the basis that their inverse gives.",
            "与对称矩阵类似，只是这里特征向量不再相互垂直，所以到达它们的梯度要在其逆矩阵给出的基中来读。",
        ),
        shape=lambda s: (s[:-1], s),
        pullback=(_eig_pullback,),
        outputs=2,
        at_kink="eigenvectors of one repeated eigenvalue do not turn among themselves: that part counts as 0",
        samples=lambda: [
            Sample((_definite(*shape) + 0.1 * _matrix(*shape),), {}) for shape in ((2, 2), (3, 3), (1, 1), (2, 2, 2))
        ],
    ),
)
