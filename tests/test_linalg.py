"""np.linalg on Arrays: NumPy's values, derivatives of what does not depend on LAPACK's phases, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from laws import check_first_order, check_second_order, close, inner, plain, several, vjp, wave

import backlight
from backlight.array import FUNCTIONS
from backlight.errors import ArgumentError, BacklightError, MatrixError, ShapeError
from backlight.primitive import REGISTRY as P

LA = np.linalg
DTYPES = [np.float64, np.complex128]


def numbers(*shape: int, phase: float = 0.0, dtype: Any = np.float64) -> Any:
    return np.asarray(wave(np.zeros(shape, dtype), phase))


def general(*shape: int, phase: float = 0.0, dtype: Any = np.float64) -> Any:
    """Well conditioned, with distinct singular values and eigenvalues."""
    return numbers(*shape, phase=phase, dtype=dtype) + np.eye(shape[-2], shape[-1]) * np.arange(2, 2 + shape[-1])


def hermitian(*shape: int, dtype: Any = np.float64) -> Any:
    """Positive definite, with distinct eigenvalues."""
    a = 0.4 * general(*shape, dtype=dtype)
    return a @ a.conj().swapaxes(-1, -2) + np.eye(shape[-1]) * np.arange(1, shape[-1] + 1)


def t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def same(f: Any, *xs: Any) -> None:
    """The value, its dtype and its container's fields are NumPy's."""
    expected, y = f(*xs), f(*[backlight.array(x) for x in xs])
    assert getattr(y, "_fields", None) == getattr(expected, "_fields", None)
    for a, b in zip(several(y), several(expected), strict=True):
        assert isinstance(a, backlight.Array)
        assert a.dtype == np.asarray(b).dtype
        assert a.shape == np.shape(b)
        np.testing.assert_allclose(plain(a), b, rtol=1e-11, atol=1e-12)


def right(f: Any, *xs: Any) -> None:
    """NumPy's value, and both orders of derivatives by finite differences, forward and reverse."""
    same(f, *xs)
    check_first_order(f, xs)
    check_second_order(f, xs)


# -- Solving and inverting -------------------------------------------------------------------------------------------

SOLVES = [
    ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 1)),
    ((2, 1, 2, 2), (3, 2, 2)), ((0, 2, 2), (2, 1)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", SOLVES, ids=str)
def test_solve(shapes: Any, dtype: Any) -> None:
    right(LA.solve, general(*shapes[0], dtype=dtype), numbers(*shapes[1], phase=1.0, dtype=dtype))


def test_solve_mixes_dtypes() -> None:
    same(LA.solve, general(2, 2), numbers(2, dtype=complex))
    same(LA.solve, np.array([[2, 1], [1, 3]]), np.array([1, 2]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2), (1, 1), (0, 2, 2)], ids=str)
def test_square_matrix_functions(shape: Any, dtype: Any) -> None:
    a = general(*shape, dtype=dtype)
    for f in (LA.inv, LA.det, LA.slogdet, LA.pinv, lambda x: LA.matrix_power(x, 3), lambda x: LA.matrix_power(x, -2)):
        right(f, a)
    right(lambda x: LA.matrix_power(x, 1), a)
    np.testing.assert_array_equal(plain(LA.matrix_power(backlight.array(a), 0)), LA.matrix_power(a, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pinv_and_lstsq(dtype: Any) -> None:
    for shape in ((4, 2), (2, 4), (2, 3, 2), (3, 3)):
        right(LA.pinv, general(*shape, dtype=dtype))
    for shape, b in (((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 4), (2,)), ((3, 3), (3, 2))):
        x, y = general(*shape, dtype=dtype), numbers(*b, phase=2.0, dtype=dtype)
        found = LA.lstsq(backlight.array(x), backlight.array(y))
        for mine, numpys in zip(found, LA.lstsq(x, y), strict=True):
            assert mine.shape == np.shape(numpys)
            np.testing.assert_allclose(plain(mine), numpys, rtol=1e-11, atol=1e-12)
        check_first_order(lambda p, q: LA.lstsq(p, q)[0], (x, y))
        if shape == (4, 2):
            check_first_order(lambda p, q: LA.lstsq(p, q)[1], (x, y))


def test_pinv_of_deficient_rank_follows_changes_that_keep_it() -> None:
    """Along A(t) = u(t) v(t)ᵀ the rank stays 1: the gradient must predict the change of the pseudo-inverse."""
    u, v, du, dv = numbers(3), numbers(3, phase=1.0), numbers(3, phase=2.0), numbers(3, phase=3.0)
    weight = numbers(3, 3, phase=4.0)
    f = lambda s: np.sum(weight * LA.pinv(np.outer(u + s * du, v + s * dv), rtol=1e-10))
    numerical = (plain(f(1e-5)) - plain(f(-1e-5))) / 2e-5
    np.testing.assert_allclose(backlight.grad(f)(0.0), numerical, rtol=1e-8)


# -- Determinants ----------------------------------------------------------------------------------------------------

SINGULAR = {
    "rank 2 of 3": np.arange(9.0).reshape(3, 3),
    "rank 1": np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
    "zero": np.zeros((3, 3)),
    "one": np.ones((1, 1)) * 0,
    "complex": np.outer([1.0, 2j, 3.0], [1.0, -1.0, 2j]),
    "batch": np.stack([np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1.0, 0.0])]),
    "identity": np.eye(3),
    "rank 3 of 4": np.diag([1.0, 1.0, 1.0, 0.0])[[1, 0, 3, 2]],
}


@pytest.mark.parametrize("name", SINGULAR)
def test_det_of_singular_matrices(name: str) -> None:
    """The determinant is a polynomial: all its derivatives exist everywhere. The adjugate's second is its third."""
    a = SINGULAR[name]
    check_first_order(LA.det, [a])
    check_second_order(LA.det, [a])
    check_second_order(P.adjugate, [a])


def test_gradient_of_det_is_the_cofactor_matrix() -> None:
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(vjp(LA.det, [a])[0], [[4, -2], [-2, 1]], atol=1e-14)
    third = backlight.jacobian(backlight.hessian(LA.det))(np.zeros((3, 3)))
    levi_civita = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        levi_civita[i, j, k], levi_civita[k, j, i] = 1, -1
    np.testing.assert_allclose(third, np.einsum("ikm,jln->ijklmn", levi_civita, levi_civita), atol=1e-14)


def test_slogdet_of_a_singular_matrix() -> None:
    x = backlight.array(np.zeros((2, 2)))
    sign, logdet = LA.slogdet(x)
    assert plain(sign) == 0
    assert plain(logdet) == -np.inf
    with pytest.raises(MatrixError):
        logdet.backward()


# -- Factorisations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2), (1, 1)], ids=str)
def test_cholesky(shape: Any, dtype: Any) -> None:
    a = hermitian(*shape, dtype=dtype)
    right(LA.cholesky, a)
    right(lambda x: LA.cholesky(x, upper=True), a)


def test_cholesky_gradient_stands_in_the_triangle_that_is_read() -> None:
    a = hermitian(3, 3)
    lower = vjp(LA.cholesky, [a])[0]
    upper = vjp(lambda x: LA.cholesky(x, upper=True), [a])[0]
    np.testing.assert_array_equal(np.triu(lower, 1), 0)
    np.testing.assert_allclose(upper, lower.T, rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("uplo", ["L", "U", "l"])
def test_eigh(uplo: str, dtype: Any) -> None:
    for shape in ((3, 3), (2, 2, 2), (1, 1)):
        a = hermitian(*shape, dtype=dtype)
        weight = numbers(*shape[-2:], phase=3.0, dtype=dtype)

        def f(x: Any, weight: Any = weight) -> Any:
            w, v = LA.eigh(x, UPLO=uplo)
            seen = np.conj(t(v)) @ weight @ v
            return w, seen * t(seen)  # the phase of every eigenvector cancels

        values, vectors = LA.eigh(backlight.array(a), UPLO=uplo)
        close(plain(vectors) * plain(values)[..., None, :] @ t(plain(vectors)).conj(), a, 1e-13)
        same(lambda x: LA.eigvalsh(x, UPLO=uplo), a)
        check_first_order(f, [a])
        check_second_order(f, [a])
    assert LA.eigh(backlight.array(a))._fields == LA.eigh(a)._fields


@pytest.mark.parametrize("matrix", [np.eye(3), np.diag([1.0, 1.0, 2.0]), np.zeros((2, 2))], ids=["I", "pair", "0"])
def test_repeated_eigenvalues(matrix: Any) -> None:
    """Nothing is nan, and symmetric functions of the eigenvalues keep their gradient."""
    g = vjp(lambda x: sum(np.sum(y) for y in LA.eigh(x)), [matrix])[0]
    assert np.all(np.isfinite(g))
    for f, derivative in ((np.exp, np.exp), (np.square, lambda w: 2 * w)):
        found = vjp(lambda x, f=f: np.sum(f(LA.eigvalsh(x))), [matrix])[0]
        np.testing.assert_allclose(found, np.diag(derivative(np.diag(matrix))), atol=1e-13)
    g = vjp(lambda x: sum(np.sum(y) for y in LA.svd(x)), [matrix])[0]
    assert np.all(np.isfinite(g))


def test_projector_on_a_repeated_eigenvalue() -> None:
    """The space of a repeated eigenvalue is well defined, though its eigenvectors are not."""
    a = hermitian(3, 3)
    v = LA.eigh(a)[1]
    a = v @ np.diag([1.0, 1.0, 3.0]) @ v.T
    weight = numbers(3, 3)
    found = vjp(lambda x: np.sum(weight * (LA.eigh(x)[1][:, :2] @ LA.eigh(x)[1][:, :2].T)), [a])[0]

    def last(x: Any) -> Any:
        u = LA.eigh(x)[1][:, 2:]
        return np.sum(weight * (np.eye(3) - u @ u.T))

    close(found, vjp(last, [a])[0], 1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1)], ids=str)
def test_qr(shape: Any, dtype: Any) -> None:
    a = general(*shape, dtype=dtype)
    right(lambda x: LA.qr(x), a)  # LAPACK's R has a real diagonal, so that Q and R are smooth as they are
    right(lambda x: LA.qr(x, mode="r"), a)
    same(lambda x: LA.qr(x, "complete"), a)

    def beyond(x: Any) -> Any:
        q, r = LA.qr(x, "complete")
        others = q[..., x.shape[-1] :]
        return others @ np.conj(t(others)), r

    check_first_order(beyond, [a])
    check_second_order(beyond, [a])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1)], ids=str)
def test_svd(shape: Any, full: bool, dtype: Any) -> None:
    a = general(*shape, dtype=dtype)
    k = min(shape[-2:])
    same(lambda x: LA.svd(x, full), a)
    right(lambda x: LA.svd(x, compute_uv=False), a)
    right(LA.svdvals, a)

    def f(x: Any) -> Any:
        u, s, vh = LA.svd(x, full_matrices=full)
        left, right = u[..., k:], vh[..., k:, :]
        pairs = u[..., :, None, :k] * t(vh[..., :k, :])[..., None, :, :]  # u_i conj(v_i): one phase cancels the other
        return s, pairs, left @ np.conj(t(left)), np.conj(t(right)) @ right

    check_first_order(f, [a])
    check_second_order(f, [a])
    product = lambda x: (lambda u, s, vh: u[..., :k] * s[..., None, :] @ vh[..., :k, :])(*LA.svd(x, full))
    weight = numbers(*shape, phase=5.0, dtype=dtype)
    close(vjp(product, [a], [weight])[0], weight, 1e-11)  # U S Vᴴ is A itself


def test_svd_of_deficient_rank() -> None:
    a = np.outer(numbers(3), numbers(2, phase=1.0))
    g = vjp(lambda x: LA.svd(x, full_matrices=False)[1][0], [a])[0]
    close(g, a / LA.norm(a), 1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eig(dtype: Any) -> None:
    for shape in ((3, 3), (2, 3, 3)):
        turning = numbers(*shape, dtype=dtype) + np.array([[0.0, -3, 0], [3, 0, 0], [0, 0, 1]])
        weight = numbers(3, 3, phase=1.0, dtype=complex)

        def f(x: Any, weight: Any = weight) -> Any:
            w, v = LA.eig(x)
            return w, np.sum(np.conj(v) * (weight @ v), axis=-2)

        same(LA.eig, turning)
        same(LA.eigvals, turning)
        check_first_order(f, [turning])
        check_second_order(f, [turning])
        assert plain(LA.eigvals(backlight.array(turning))).dtype == complex


def test_eig_of_real_eigenvalues_is_real() -> None:
    a = hermitian(3, 3) + 0.1 * numbers(3, 3)
    same(LA.eig, a)
    assert LA.eig(backlight.array(a)).eigenvalues.dtype == np.float64
    check_first_order(lambda x: LA.eig(x).eigenvalues, [a])
    check_second_order(LA.eigvals, [a])


# -- Norms -----------------------------------------------------------------------------------------------------------

VECTOR_ORDERS = [None, 2, 1, np.inf, -np.inf, 0, 3, 2.5, 0.5, -1, -2]
MATRIX_ORDERS = [None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", VECTOR_ORDERS, ids=str)
def test_vector_norms(order: Any, dtype: Any) -> None:
    x = numbers(2, 3, dtype=dtype)
    for f in (
        lambda z: LA.norm(z[0], order),
        lambda z: LA.norm(z, order, axis=1),
        lambda z: LA.norm(z, order, axis=(0,), keepdims=True),
        lambda z: LA.vector_norm(z, ord=2 if order is None else order),
        lambda z: LA.vector_norm(z, ord=2 if order is None else order, axis=-1, keepdims=True),
    ):
        same(f, x)
        if order != 0:
            check_first_order(f, [x])
            check_second_order(f, [x])
    np.testing.assert_array_equal(vjp(lambda z: LA.norm(z, 0, axis=1), [x])[0], 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", MATRIX_ORDERS, ids=str)
def test_matrix_norms(order: Any, dtype: Any) -> None:
    x = np.sinh(2 * numbers(3, 2, 4, dtype=dtype))  # of full rank: at the singular value 0 the norms have kinks
    for f in (
        lambda z: LA.norm(z[0], order),
        lambda z: LA.norm(z, order, axis=(1, 2)),
        lambda z: LA.norm(z, order, axis=(2, 0), keepdims=True),
        lambda z: LA.norm(z, order, axis=(-1, -3)),
        lambda z: LA.matrix_norm(z, ord="fro" if order is None else order, keepdims=True),
    ):
        same(f, x)
        check_first_order(f, [x])
        check_second_order(f, [x])


def test_norm_of_everything() -> None:
    for shape in ((), (3,), (2, 2), (2, 2, 2), (0,), (2, 0)):
        same(LA.norm, numbers(*shape))
    same(LA.norm, np.array([3, 4]))
    same(lambda x: LA.norm(x, keepdims=True), numbers(2, 2, 2))


def test_norms_at_zero() -> None:
    zero = np.zeros((2, 3))
    for f in (
        LA.norm,
        lambda x: LA.norm(x, axis=1),
        lambda x: LA.norm(x, "fro"),
        lambda x: LA.norm(x, 1),
        lambda x: LA.norm(x, 3, axis=0),
        LA.vector_norm,
        LA.matrix_norm,
    ):
        np.testing.assert_array_equal(plain(f(backlight.array(zero))), f(zero))
        np.testing.assert_array_equal(vjp(f, [zero])[0], 0)
    one = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(vjp(lambda x: LA.norm(x, axis=1), [one])[0], [[0, 0], [0.6, 0.8]], rtol=1e-15)
    curvature = backlight.hessian(lambda x: np.sum(LA.norm(x, axis=1)))(one)
    assert np.all(np.isfinite(curvature))
    complex_zero = vjp(LA.norm, [np.zeros(2, complex)])[0]
    np.testing.assert_array_equal(complex_zero, 0)


@pytest.mark.parametrize("p", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"], ids=str)
def test_cond(p: Any) -> None:
    right(lambda x: LA.cond(x, p), general(3, 3))
    right(lambda x: LA.cond(x, p), general(2, 2, 2))


def test_cond_of_singular_and_flat_matrices() -> None:
    right(LA.cond, general(3, 2))
    for a in (np.zeros((2, 2)), np.diag([1.0, 0.0])):
        assert plain(LA.cond(backlight.array(a))) == LA.cond(a) == np.inf


# -- The rest --------------------------------------------------------------------------------------------------------


def test_matrix_rank_is_constant() -> None:
    for a in (np.eye(3), np.diag([1.0, 0.0]), np.zeros((2, 2)), np.ones((3, 2, 2)), numbers(3), np.zeros(2)):
        same(LA.matrix_rank, a)
    same(lambda x: LA.matrix_rank(x, rtol=0.6), np.diag([2.0, 1.0]))
    same(lambda x: LA.matrix_rank(x, tol=1.5), np.diag([2.0, 1.0]))
    assert LA.matrix_rank(backlight.array(np.eye(2))).dtype.kind == "i"


def test_multi_dot() -> None:
    shapes = [(10, 2), (2, 30), (30, 1), (1, 4)]
    xs = [numbers(*shape, phase=k) for k, shape in enumerate(shapes)]
    right(lambda *m: LA.multi_dot(m), *[numbers(*s, phase=k) for k, s in enumerate([(2, 3), (3, 1), (1, 2)])])
    y = LA.multi_dot([backlight.array(x) for x in xs])
    close(plain(y), LA.multi_dot(xs), 1e-13)
    for first, last in ((True, False), (False, True), (True, True)):
        ends = [xs[0][0] if first else xs[0], *xs[1:3], xs[3][:, 0] if last else xs[3]]
        same(lambda *m: LA.multi_dot(m), *ends)


def test_tensor_equations() -> None:
    a = numbers(2, 3, 6) + 3 * np.eye(6).reshape(2, 3, 6)
    right(LA.tensorsolve, a, numbers(2, 3, phase=1.0))
    right(lambda x, y: LA.tensorsolve(x, y, axes=(0,)), np.moveaxis(a, 2, 0).copy(), numbers(2, 3, phase=1.0))
    right(LA.tensorinv, a)
    right(lambda x: LA.tensorinv(x, ind=1), a.reshape(6, 2, 3))


@pytest.mark.parametrize("offset", range(-4, 5))
def test_diagonal_and_trace(offset: int) -> None:
    x = numbers(3, 2, 4)
    for f in (
        lambda z: np.diagonal(z, offset),
        lambda z: np.diagonal(z, offset, 2, 0),
        lambda z: np.trace(z, offset, axis1=-1, axis2=1),
        lambda z: LA.diagonal(z, offset=offset),
        lambda z: LA.trace(z, offset=offset),
    ):
        right(f, x)
    same(lambda z: np.trace(z, offset), np.arange(12).reshape(3, 4))


def test_small_functions() -> None:
    right(LA.outer, numbers(2), numbers(3, phase=1.0))
    right(LA.matrix_transpose, numbers(2, 3))
    right(LA.cross, numbers(2, 3), numbers(3, phase=1.0))


def test_every_function_of_numpy_linalg_is_there() -> None:
    public = [getattr(LA, name) for name in LA.__all__]
    missing = [f.__name__ for f in public if callable(f) and f not in FUNCTIONS and not isinstance(f, type)]
    assert set(missing) <= {"test"}


def test_single_precision_stays_single() -> None:
    a = hermitian(3, 3).astype(np.float32)
    for f in (
        LA.cholesky, LA.inv, LA.det, LA.slogdet, LA.qr, LA.eigh, LA.svd, LA.pinv, LA.norm, LA.cond, LA.svdvals,
        lambda x: LA.norm(x, 2), lambda x: LA.norm(x, 3, axis=0), lambda x: LA.solve(x, x), lambda x: LA.eig(x)[0],
    ):  # fmt: skip
        for y in several(f(backlight.array(a))):
            assert y.dtype == np.float32
        assert vjp(f, [a])[0].dtype == np.float32


def test_vmap() -> None:
    a = hermitian(4, 3, 3)
    for f in (LA.inv, LA.det, LA.cholesky, LA.eigvalsh, LA.svdvals, lambda x: LA.solve(x, np.ones(3))):
        loss = lambda x, f=f: np.sum(np.sin(f(x)))
        together = backlight.vmap(backlight.grad(loss))(a)
        for k in range(4):
            close(together[k], backlight.grad(loss)(a[k]), 1e-12)


def test_adjoint_of_a_long_composition() -> None:
    """⟨u, J v⟩ = ⟨Jᴴ u, v⟩ through several factorisations at once, complex."""
    a = hermitian(3, 3, dtype=complex)

    def f(x: Any) -> Any:
        lower = LA.cholesky(x)
        q, r = LA.qr(LA.inv(lower) + x)
        return LA.solve(r, np.conj(t(q)) @ x) * LA.det(r)

    check_first_order(f, [a])
    u = numbers(3, 3, phase=1.0, dtype=complex)
    assert np.isfinite(inner(vjp(f, [a], [u]), [u]))


# -- Refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: LA.inv(m @ np.zeros((2, 2))), MatrixError, ["inv", "Singular matrix", "pinv"]),
        (lambda m: LA.solve(m * 0, np.ones(2)), MatrixError, ["solve", "lstsq"]),
        (lambda m: LA.cholesky(m - 5 * np.eye(2)), MatrixError, ["cholesky", "positive definite", "(a + a.T) / 2"]),
        (lambda m: LA.cholesky(m[0]), ShapeError, ["two axes"]),
        (lambda m: LA.det(m[:1]), ShapeError, ["square", "(1, 2)"]),
        (lambda m: LA.solve(m, np.ones(3)), ShapeError, ["rows", "(2)", "[..., None]"]),
        (lambda m: LA.solve(np.ones((3, 2, 2)) * m, np.ones((4, 2, 1))), ShapeError, ["(3,)", "(4,)"]),
        (lambda m: LA.qr(m, mode="economic"), ArgumentError, ["'complete'", "'economic'"]),
        (lambda m: LA.eigh(m, UPLO="X"), ArgumentError, ["'L'", "'X'"]),
        (lambda m: LA.norm(m, "max"), ArgumentError, ["'nuc'", "'max'"]),
        (lambda m: LA.norm(m[0], "fro"), ArgumentError, ["'fro'"]),
        (lambda m: LA.norm(m, 3), ArgumentError, ["3"]),
        (lambda m: LA.norm(m[None], 1), ShapeError, ["norm"]),
        (lambda m: LA.tensorsolve(m, np.ones(3)), ShapeError, ["tensorsolve"]),
        (lambda m: LA.tensorinv(m, ind=0), ShapeError, ["tensorinv"]),
        (lambda m: LA.multi_dot([m]), ShapeError, ["multi_dot"]),
        (lambda m: LA.outer(m, m), ShapeError, ["np.outer"]),
    ],
)
def test_refusals(call: Any, kind: Any, words: list[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    matrix = backlight.array([[2.0, 1.0], [1.0, 3.0]])
    with pytest.raises(kind) as caught:
        call(matrix)
    assert isinstance(caught.value, BacklightError)
    for word in (*words, __file__):
        assert word in str(caught.value)
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    with pytest.raises(kind) as caught:
        call(matrix)
    assert any("一" <= letter <= "鿿" for letter in str(caught.value))


def test_matrix_error_is_numpys_too() -> None:
    with pytest.raises(LA.LinAlgError):
        LA.inv(backlight.array(np.zeros((2, 2))))
