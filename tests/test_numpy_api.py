"""Every NumPy function that the coverage table calls differentiable: values as NumPy's, derivatives as differences.

The table below says how each function is called. Floating-point arrays among the arguments, also those inside lists and
tuples, are differentiated by; everything else is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from laws import check_first_order, check_second_order

import backlight
from backlight.array import Array
from backlight.numpy_api import coverage
from backlight.tree import flatten, unflatten

V = np.array([0.7, -1.3, 2.1, 0.4, -0.6])
W = np.array([1.9, 0.3, -0.8, 1.1, 2.4])
POSITIVE = np.array([0.3, 1.7, 0.9, 2.6, 1.2])
UNIT = np.array([0.35, -0.6, 0.82, -0.15, 0.5])
A = np.array([[0.3, -1.2, 2.5], [1.7, 0.6, -0.4]])
B = np.array([[1.1, 0.8, -1.5], [0.2, 2.2, 0.9]])
C = np.sin(np.arange(1.0, 25.0)).reshape(2, 3, 4)
S = np.array([[2.0, 0.3, -0.5], [0.3, 1.5, 0.2], [-0.5, 0.2, 1.1]])
M = np.array([[1.2, -0.7, 0.4], [0.9, 2.1, -0.3], [0.1, 0.8, 1.6]])
Z = np.array([0.7 + 0.2j, -1.3 + 1.1j, 2.1 - 0.6j, 0.4 - 1.4j])
ZM = np.array([[0.7 + 0.2j, -1.3 + 1.1j, 0.5], [2.1 - 0.6j, 0.4 - 1.4j, -0.2j]])
N = np.array([0.7, np.nan, 2.1, 0.4, -0.6, 1.5])
NM = np.array([[0.3, np.nan, 2.5, 1.0], [1.7, 0.6, -0.4, np.nan]])
X = np.array([0.0, 0.7, 1.1, 2.4, 3.0])
PLACES = np.array([3, 0, 1])
MASK = np.array([True, False, True, True, False])
MASK2 = np.array([[True, False, True], [False, True, True]])


class Case(NamedTuple):
    """One call: the function's name in the coverage table, and its arguments."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    function: Callable[..., Any] | None = None

    def __str__(self) -> str:
        return f"{self.name}-{len(self.args)}-{'-'.join(map(str, self.kwargs))}"


def call(name: str, *args: Any, **kwargs: Any) -> Case:
    return Case(name, args, kwargs)


def function_of(name: str) -> Any:
    prefix, _, last = name.rpartition(".")
    return getattr(coverage.MODULES[prefix], last)


UNARY = [
    call(f"np.{name}", x)
    for names, x in (
        ("negative positive absolute abs fabs exp exp2 expm1 square sin cos tan arctan atan sinh cosh tanh arcsinh", V),
        ("asinh cbrt reciprocal deg2rad radians rad2deg degrees sinc i0 conj conjugate real imag", V),
        ("log log2 log10 log1p sqrt", POSITIVE),
        ("arcsin asin arccos acos arctanh atanh", UNIT),
        ("arccosh acosh", POSITIVE + 1),
        ("conj conjugate real imag angle absolute exp sin sqrt square negative", Z),
        ("modf real_if_close nan_to_num copy", V),
    )
    for name in names.split()
]

BINARY = [
    call(f"np.{name}", x, y)
    for names, x, y in (
        ("add subtract multiply divide true_divide maximum minimum fmax fmin arctan2 atan2 hypot logaddexp", V, W),
        ("logaddexp2 copysign remainder mod fmod divmod", V, W),
        ("add multiply divide subtract power", Z, Z[::-1] + 2),
        ("power pow float_power", POSITIVE, W),
        ("add multiply", A, V[:3]),
    )
    for name in names.split()
]

ELEMENTWISE = [
    call("np.frexp", V),
    call("np.ldexp", V, np.array([1, -2, 0, 3, 2])),
    call("np.nextafter", V, 10.0),
    call("np.clip", V, -0.5, 1.0),
    call("np.clip", V, W - 1, None),
    call("np.clip", A, a_min=None, a_max=V[:3]),
    call("np.clip", V, min=0.0),
    call("np.angle", Z, deg=True),
    call("np.nan_to_num", np.array([0.5, np.nan, np.inf, -np.inf]), nan=1.0, posinf=2.0, neginf=3.0),
    call("np.where", MASK, V, W),
    call("np.where", MASK2, A, 0.0),
    call("np.where", MASK2, V[:3], B),
    call("np.emath.sqrt", POSITIVE),
    call("np.emath.sqrt", V),
    call("np.emath.log", V),
    call("np.emath.log2", V),
    call("np.emath.log10", V),
    call("np.emath.logn", 3.0, POSITIVE),
    call("np.emath.power", V, 2.5),
    call("np.emath.arccos", V),
    call("np.emath.arccos", UNIT),
    call("np.emath.arcsin", UNIT),
    call("np.emath.arcsin", V),
    call("np.emath.arctanh", V + 0.1),
]

REDUCTIONS = [
    case
    for name in ("sum", "prod", "mean", "max", "min", "amax", "amin", "ptp", "std", "var", "median")
    for case in (
        call(f"np.{name}", A),
        call(f"np.{name}", A, axis=0),
        call(f"np.{name}", C, axis=(0, -1)),
        call(f"np.{name}", C, axis=-2, keepdims=True),
    )
] + [
    case
    for name in ("nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanstd", "nanvar", "nanmedian")
    for case in (call(f"np.{name}", NM), call(f"np.{name}", NM, axis=1), call(f"np.{name}", NM, axis=0, keepdims=True))
]

REDUCTION_OPTIONS = [
    call("np.sum", A, axis=1, where=MASK2, initial=2.0),
    call("np.prod", A, axis=1, where=MASK2, initial=2.0),
    call("np.mean", A, axis=0, where=MASK2),
    call("np.var", A, ddof=1, axis=1, keepdims=True),
    call("np.var", A, correction=1),
    call("np.var", A, where=MASK2),
    call("np.var", ZM, axis=0),
    call("np.std", ZM),
    call("np.std", A, axis=1, ddof=1),
    call("np.max", A, axis=0, initial=1.0),
    call("np.max", A, axis=1, where=MASK2, initial=-9.0),
    call("np.min", A, initial=0.0),
    call("np.nanmax", NM, axis=0, initial=0.9),
    call("np.sum", ZM, axis=0),
    call("np.mean", ZM),
    call("np.prod", ZM, axis=1),
    call("np.average", A),
    call("np.average", A, axis=0, weights=np.array([0.3, 0.9])),
    call("np.average", A, weights=B**2, axis=1, keepdims=True),
    call("np.average", V, weights=POSITIVE, returned=True),
    call("np.cumsum", A),
    call("np.cumsum", A, axis=1),
    call("np.cumprod", A),
    call("np.cumprod", A, axis=-1),
    call("np.nancumsum", N),
    call("np.nancumprod", NM, axis=1),
    call("np.cumulative_sum", V),
    call("np.cumulative_sum", A, axis=1, include_initial=True),
    call("np.cumulative_prod", V, include_initial=True),
]

METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "midpoint",
    "higher",
    "nearest",
]

STATISTICS = [
    *(
        Case(
            "np.quantile",
            (V, q),
            {"method": method, "axis": None},
            lambda x, q=q, m=method: np.quantile(x, q, method=m),
        )
        for method in METHODS
        for q in (0.0, 0.31, 0.5, 0.9, 1.0)
    ),
    call("np.quantile", A, np.array([0.13, 0.77]), axis=1),
    call("np.quantile", C, np.array([[0.13, 0.77], [0.5, 0.21]]), axis=(0, 2), keepdims=True),
    call("np.quantile", A, 0.4, axis=1, weights=np.array([1, 2, 1]), method="inverted_cdf"),
    call("np.percentile", A, [20, 70], weights=np.array([[1, 2, 0], [3, 1, 1]]), method="inverted_cdf"),
    call("np.percentile", A, 37.0, axis=0),
    call("np.percentile", V, [10, 90]),
    call("np.nanquantile", NM, 0.37, axis=1),
    call("np.nanquantile", NM, [0.2, 0.9], axis=0, keepdims=True),
    call("np.nanpercentile", NM, 61.0),
    call("np.cov", A),
    call("np.cov", V, W),
    call("np.cov", A, rowvar=False, bias=True),
    call("np.cov", ZM),
    call("np.cov", A, fweights=np.array([1, 2, 1]), aweights=np.array([0.3, 0.5, 0.9])),
    call("np.corrcoef", A),
    call("np.corrcoef", V, W),
    call("np.bincount", np.array([0, 2, 2, 1, 0]), V),
    call("np.bincount", np.array([0, 2, 2, 1, 0]), weights=V, minlength=5),
    Case("np.histogram", (V,), {}, lambda w: np.histogram(W, bins=3, weights=w)[0]),
    Case("np.histogram", (V,), {}, lambda x: np.histogram(x, bins=3)[1]),
    Case("np.histogram", (POSITIVE,), {}, lambda w: np.histogram(W, bins=4, weights=w, density=True, range=(0, 2))[0]),
    Case("np.histogram2d", (V,), {}, lambda w: np.histogram2d(W, POSITIVE, bins=2, weights=w)[0]),
    Case("np.histogramdd", (POSITIVE,), {}, lambda w: np.histogramdd((W, V), bins=(2, 3), weights=w, density=True)[0]),
    call("np.histogram_bin_edges", V, bins=4),
    call("np.histogram_bin_edges", V, bins="sturges"),
]

SHAPES = [
    call("np.reshape", A, (3, 2)),
    call("np.reshape", A, -1),
    call("np.reshape", C, (4, -1), order="F"),
    call("np.ravel", A),
    call("np.ravel", A, order="F"),
    call("np.transpose", C),
    call("np.transpose", C, (1, -1, 0)),
    call("np.permute_dims", C, (2, 0, 1)),
    call("np.matrix_transpose", C),
    call("np.linalg.matrix_transpose", C),
    call("np.swapaxes", C, 0, -1),
    call("np.moveaxis", C, (0, 1), (-1, 0)),
    call("np.moveaxis", C, 2, 0),
    call("np.rollaxis", C, 2, 1),
    call("np.rollaxis", C, 0, 3),
    call("np.expand_dims", A, (0, -1)),
    call("np.expand_dims", A, 1),
    call("np.squeeze", A[:, None, :, None]),
    call("np.squeeze", A[:, None, :, None], axis=1),
    call("np.atleast_1d", V),
    call("np.atleast_2d", V, A),
    call("np.atleast_3d", A),
    call("np.atleast_3d", V),
    call("np.broadcast_to", V, (2, 5)),
    call("np.broadcast_arrays", A, V[:3]),
    call("np.meshgrid", V, W[:3]),
    call("np.meshgrid", V, W[:3], indexing="ij", sparse=True),
    call("np.concatenate", [A, B], axis=1),
    call("np.concatenate", (A, V), axis=None),
    call("np.concat", [A, B]),
    call("np.stack", [A, B], axis=-1),
    call("np.vstack", [V, W]),
    call("np.hstack", [V, W]),
    call("np.hstack", [A, B]),
    call("np.dstack", [A, B]),
    call("np.column_stack", [V, W]),
    call("np.block", [[A, B], [B, A]]),
    call("np.block", [V, W]),
    call("np.append", A, B, axis=0),
    call("np.append", A, 3.0),
    call("np.split", A, 3, axis=1),
    call("np.split", V, [1, 4]),
    call("np.array_split", V, 3),
    call("np.hsplit", A, 3),
    call("np.vsplit", A, 2),
    call("np.dsplit", C, 2),
    call("np.unstack", A, axis=1),
    call("np.tile", A, (2, 1, 2)),
    call("np.tile", V, 3),
    call("np.repeat", A, 2),
    call("np.repeat", A, 3, axis=1),
    call("np.repeat", A, [2, 0, 1], axis=1),
    call("np.roll", A, 2),
    call("np.roll", A, -1, axis=1),
    call("np.roll", A, (1, 2), axis=(0, 1)),
    *(call("np.rot90", A, k) for k in range(-1, 4)),
    call("np.flip", A),
    call("np.flip", A, axis=1),
    call("np.fliplr", A),
    call("np.flipud", A),
    call("np.resize", A, (3, 4)),
    call("np.pad", A, 1),
    call("np.pad", A, ((1, 0), (2, 3)), constant_values=((0.5, 1.0), (2.0, 3.0))),
    *(call("np.pad", A, ((1, 0), (2, 1)), mode=mode) for mode in ("edge", "symmetric", "wrap", "linear_ramp")),
    *(call("np.pad", A, ((1, 0), (2, 1)), mode=mode) for mode in ("maximum", "minimum", "mean", "median")),
    call("np.pad", A, ((1, 1), (2, 1)), mode="reflect"),
    call("np.pad", A, ((1, 4), (5, 3)), mode="reflect", reflect_type="odd"),
    call("np.pad", A, ((1, 4), (5, 3)), mode="symmetric", reflect_type="odd"),
    call("np.pad", V, (2, 3), mode="linear_ramp", end_values=(5.0, -4.0)),
    call("np.pad", V, (2, 3), constant_values=np.array([0.5, 1.5])),
    call("np.pad", A, ((1,), (2,)), constant_values=((0.5,), (2.0,))),
    call("np.pad", A, [[1, 0], [2, 3]], mode="edge"),
    call("np.pad", A, {1: (1, 2)}),
    Case(
        "np.pad", (V,), {}, lambda x: np.pad(x, 2, constant_values=(x[0], 2.0)) if isinstance(x, Array) else _padded(x)
    ),
    call("np.pad", V, (2, 3), mode="mean", stat_length=2),
    call("np.lib.stride_tricks.sliding_window_view", V, 3),
    call("np.lib.stride_tricks.sliding_window_view", A, (2, 2)),
    call("np.lib.stride_tricks.sliding_window_view", A, 2, axis=1),
]


def _padded(x: Any) -> Any:
    """What ``np.pad`` gives, for numbers of ``x`` itself in the border."""
    return np.concatenate([x[:1], x[:1], x, np.full(2, 2.0, x.dtype)])


ORDER = [
    call("np.sort", V),
    call("np.sort", A, axis=0),
    call("np.sort", A, axis=None),
    call("np.sort_complex", Z),
    Case("np.partition", (V,), {}, lambda x: np.partition(x, 2)[2]),
    Case("np.partition", (A,), {}, lambda x: np.partition(x, 1, axis=0)[1]),
    call("np.take", A, PLACES % 3, axis=1),
    call("np.take", A, [[0, -1], [4, 2]]),
    call("np.take", V, [7, -9], mode="wrap"),
    call("np.take", V, [7, -9], mode="clip"),
    call("np.take_along_axis", A, np.argsort(A, axis=1), axis=1),
    call("np.take_along_axis", A, np.array([[0, 1, 1]]), axis=0),
    call("np.take_along_axis", A, np.array([4, 0]), axis=None),
    call("np.compress", MASK, V),
    call("np.compress", [True, False, True], A, axis=1),
    call("np.extract", MASK2, A),
    call("np.select", [MASK, ~MASK], [V, W], default=0.0),
    call("np.select", [MASK2, A > 1], [A, V[:3]], default=7.0),
    call("np.choose", np.array([0, 1, 1, 0, 1]), [V, W]),
    call("np.choose", np.array([0, 3, -1, 0, 1]), [V, W], mode="clip"),
    Case("np.piecewise", (V,), {}, lambda x: np.piecewise(x, [x < 0, x > 1], [np.exp, np.sin, lambda t: t**2])),
    Case("np.piecewise", (V,), {}, lambda x: np.piecewise(x, [x < 0], [2.0, lambda t: 3 * t])),
    Case("np.trim_zeros", (V,), {}, lambda x: np.trim_zeros(np.concatenate([[0.0], x, [0.0, 0.0]]), "b")),
    call("np.unique", np.array([2.0, 1.0, 3.0])),
    call("np.unique_values", np.array([2.0, 1.0, 3.0])),
    call("np.unique_counts", np.array([2.0, 1.0, 3.0])),
    call("np.unique_inverse", np.array([2.0, 1.0, 3.0])),
    call("np.unique_all", np.array([2.0, 1.0, 3.0])),
    call("np.union1d", V, np.array([3.3, 0.1])),
    Case("np.intersect1d", (V,), {}, lambda x: np.intersect1d(x, x[::-1])),
    call("np.setdiff1d", V, np.array([9.0])),
    call("np.setxor1d", V, np.array([9.0, 0.2])),
    call("np.delete", V, 1),
    call("np.delete", A, [0, 2], axis=1),
    call("np.delete", V, slice(1, 4, 2)),
    call("np.insert", V, 1, 5.0),
    call("np.insert", V, [1, 3], np.array([5.0, 6.0])),
    call("np.insert", A, 1, np.array([5.0, 6.0]), axis=1),
    call("np.insert", A, [1, 2], np.array([[5.0], [6.0]]), axis=1),
    call("np.insert", A, 1, V[:3], axis=0),
    call("np.insert", V, 2, np.array([5.0, 6.0])),
]

SIGNALS = [
    call("np.diff", V),
    call("np.diff", A, n=2, axis=1),
    call("np.diff", V, prepend=0.5, append=W[:2]),
    call("np.ediff1d", A),
    call("np.ediff1d", V, to_begin=np.array([9.0]), to_end=W[:2]),
    call("np.gradient", V),
    call("np.gradient", A, axis=1),
    call("np.gradient", V, 0.5, edge_order=2),
    call("np.gradient", V, X, edge_order=2),
    call("np.gradient", V, X),
    call("np.gradient", C, 0.5, X[:3], 2.0),
    call("np.trapezoid", V),
    call("np.trapezoid", A, dx=0.5, axis=0),
    call("np.trapezoid", V, X),
    call("np.trapezoid", A, B, axis=1),
    call("np.interp", np.array([-1.0, 0.3, 1.9, 2.7, 5.0]), X, V),
    call("np.interp", np.array([-1.0, 0.3, 5.0]), X, V, left=7.0, right=8.0),
    call("np.interp", np.array([-1.2, 0.31, 5.03]), X[:4], V[:4], period=2.9),
    call("np.interp", 1.9, X, V),
    *(call("np.convolve", V, W[:3], mode) for mode in ("full", "same", "valid")),
    *(call("np.convolve", W[:2], V, mode) for mode in ("full", "same", "valid")),
    call("np.convolve", Z, Z[:2]),
    *(call("np.correlate", V, W[:3], mode) for mode in ("full", "same", "valid")),
    *(call("np.correlate", W[:2], V, mode) for mode in ("full", "same", "valid")),
    *(call("np.correlate", W[:3], V, mode) for mode in ("full", "same", "valid")),
    call("np.correlate", Z, Z[:2] * 1j),
    call("np.unwrap", np.array([0.1, 3.0, 6.4, -0.1, 3.3])),
    call("np.unwrap", A * 4, axis=0, period=5.0),
    call("np.polyval", V, W[:3]),
    call("np.polyval", V, A),
    call("np.polyadd", V, W[:2]),
    call("np.polysub", V[:2], W),
    call("np.polymul", V, W[:3]),
    call("np.polyder", V),
    call("np.polyder", V, 2),
    call("np.polyint", V, 2, k=np.array([1.0, 2.0])),
    call("np.polyint", V),
    call("np.polydiv", V, W[:3]),
    call("np.poly", V[:3]),
    call("np.poly", Z[:2]),
    call("np.poly", M),
    call("np.roots", V),
    call("np.roots", np.array([1.0, -3.5, 1.2])),
    Case("np.roots", (V[:4],), {}, lambda p: np.roots(np.concatenate([[0.0], p, [0.0, 0.0]]))),
    call("np.polyfit", X, V, 2),
    call("np.polyfit", X, V, 1, w=POSITIVE),
    call("np.polyfit", X, np.stack([V, W], 1), 2, cov=True),
    call("np.polyfit", X, V, 1, cov="unscaled"),
    Case("np.polyfit", (X, V), {}, lambda x, y: np.polyfit(x, y, 2, full=True)[:2]),
    Case("np.polyfit", (V,), {}, lambda y: np.polyfit(np.array([1.0, 1.0, 1.0, 2.0, 2.0]), y, 2, full=True)[0]),
    call("np.vander", V, 3),
    call("np.vander", V[:3], increasing=True),
    call("np.diag", V),
    call("np.diag", V[:3], 2),
    call("np.diag", V[:3], -1),
    call("np.diag", A, 1),
    call("np.diagflat", A, -1),
    call("np.tril", M),
    call("np.tril", C, -1),
    call("np.triu", M, 1),
    call("np.triu", V),
    call("np.cross", A, B),
    call("np.cross", A.T, B.T, axis=0),
    call("np.linalg.cross", A, B),
]

FOURIER = [
    *(call(f"np.fft.{name}", x) for name in ("fft", "ifft", "hfft") for x in (V, Z)),
    *(call(f"np.fft.{name}", V) for name in ("rfft", "irfft", "ihfft", "fftshift", "ifftshift")),
    *(
        call(f"np.fft.{name}", A, n=n, axis=axis, norm=norm)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for n, axis, norm in ((2, 1, "ortho"), (5, 0, "forward"), (4, 1, "backward"))
    ),
    *(call(f"np.fft.{name}", C) for name in ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")),
    *(call(f"np.fft.{name}", C, s=(3, 2), axes=(0, 2), norm="ortho") for name in ("fftn", "ifftn", "rfftn", "irfftn")),
    *(call(f"np.fft.{name}", ZM) for name in ("fft2", "irfft2", "irfftn")),
    call("np.fft.fftshift", A, axes=1),
]

CREATION = [
    Case("np.full_like", (V,), {}, lambda x: np.full_like(x, x[1])),
    Case("np.full", (np.array(2.5),), {}, lambda v: _full(v)),
    call("np.astype", A, np.dtype(np.complex128)),
    call("np.linspace", 1.0, np.array(3.5), 4),
    call("np.linspace", V, W, 3, axis=1, endpoint=False),
    call("np.logspace", np.array(0.5), np.array(1.5), 3),
    call("np.geomspace", np.array(0.5), np.array(7.5), 4),
    Case("np.apply_along_axis", (A,), {}, lambda x: np.apply_along_axis(lambda row: row * row.sum(), 1, x)),
    Case("np.apply_along_axis", (C,), {}, lambda x: np.apply_along_axis(lambda row: row.sum(), 1, x)),
    Case("np.apply_over_axes", (C,), {}, lambda x: np.apply_over_axes(np.sum, x, [0, 2])),
]


def _full(value: Any) -> Any:
    return np.full((2, 2), value, like=value) if isinstance(value, Array) else np.full((2, 2), value)


def in_place(name: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """The function applied to a copy of its first argument."""

    def mapping(x: Any, *values: Any) -> Any:
        y = np.copy(x)
        function_of(name)(y, *args, *values, **kwargs)
        return y

    return mapping


WRITES = [
    Case("np.copyto", (V, W), {}, in_place("np.copyto")),
    Case("np.copyto", (A, B), {}, in_place("np.copyto", where=MASK2)),
    Case("np.copyto", (A, V[:3]), {}, in_place("np.copyto")),
    Case("np.fill_diagonal", (M, V[:3]), {}, in_place("np.fill_diagonal")),
    Case("np.fill_diagonal", (C[0].T, V[:2]), {}, in_place("np.fill_diagonal", wrap=True)),
    Case("np.fill_diagonal", (C[:, :2, :2], V[:2]), {}, in_place("np.fill_diagonal")),
    Case("np.put", (A, W[:2]), {}, in_place("np.put", [0, 4, -1])),
    Case("np.put", (A, W[:2]), {}, in_place("np.put", [7, -9], mode="wrap")),
    Case("np.putmask", (A, W), {}, in_place("np.putmask", MASK2)),
    Case("np.place", (A, W[:2]), {}, in_place("np.place", MASK2)),
    Case("np.put_along_axis", (A, B[:, :1]), {}, lambda x, v: _put_along(x, v, 1)),
    Case("np.put_along_axis", (A, W[:2]), {}, lambda x, v: _put_along(x, v, None)),
]


def _put_along(x: Any, values: Any, axis: Any) -> Any:
    y = np.copy(x)
    np.put_along_axis(y, np.array([4, 0]) if axis is None else np.array([[2], [0]]), values, axis)
    return y


PRODUCTS = [
    *(call(f"np.{name}", V, W) for name in ("dot", "vdot", "inner", "outer", "kron", "vecdot")),
    *(call(f"np.{name}", Z, Z[::-1]) for name in ("dot", "vdot", "inner", "vecdot")),
    *(call(f"np.{name}", A, B.T) for name in ("matmul", "dot")),
    call("np.matvec", A, V[:3]),
    call("np.vecmat", V[:2], A),
    call("np.tensordot", C, B, axes=([0, 1], [0, 1])),
    call("np.einsum", "ij,kj->ik", A, B),
    call("np.trace", M),
    call("np.diagonal", C, 1, 0, 2),
    call("np.linalg.cholesky", S),
    call("np.linalg.cond", M),
    call("np.linalg.det", M),
    call("np.linalg.diagonal", C),
    Case("np.linalg.eigh", (M,), {}, lambda m: np.linalg.eigh(m @ m.T)[0]),
    Case("np.linalg.eigvalsh", (M,), {}, lambda m: np.linalg.eigvalsh(m + m.T)),
    Case("np.linalg.eig", (M,), {}, lambda m: np.linalg.eig(m)[0]),
    call("np.linalg.eigvals", M),
    call("np.linalg.inv", M),
    Case("np.linalg.lstsq", (A.T, V[:3]), {}, lambda a, b: np.linalg.lstsq(a, b)[0]),
    call("np.linalg.matmul", A, B.T),
    call("np.linalg.matrix_norm", M),
    call("np.linalg.matrix_power", M, 3),
    call("np.linalg.matrix_power", M, -2),
    call("np.linalg.multi_dot", [A, M, B.T]),
    call("np.linalg.norm", A),
    call("np.linalg.norm", V, 3),
    call("np.linalg.outer", V, W),
    call("np.linalg.pinv", M),
    call("np.linalg.qr", M),
    call("np.linalg.slogdet", M),
    call("np.linalg.solve", M, V[:3]),
    Case("np.linalg.svd", (M,), {}, lambda m: np.linalg.svd(m)[1]),
    call("np.linalg.svdvals", M),
    call("np.linalg.tensordot", A, B, axes=([0], [0])),
    Case("np.linalg.tensorinv", (M,), {}, lambda m: np.linalg.tensorinv(m.reshape(3, 3, 1), ind=1)),
    call("np.linalg.tensorsolve", M, V[:3]),
    call("np.linalg.trace", M),
    call("np.linalg.vecdot", V, W),
    call("np.linalg.vector_norm", V),
]

EVERY_CASE = [
    *UNARY,
    *BINARY,
    *ELEMENTWISE,
    *REDUCTIONS,
    *REDUCTION_OPTIONS,
    *STATISTICS,
    *SHAPES,
    *ORDER,
    *SIGNALS,
    *FOURIER,
    *CREATION,
    *WRITES,
    *PRODUCTS,
]


def is_there(case: Case) -> bool:
    """Whether this version of NumPy has the function, with such arguments."""
    prefix, _, last = case.name.rpartition(".")
    if not hasattr(coverage.MODULES[prefix], last):
        return False
    recent = np.lib.NumpyVersion(np.__version__) >= "2.2.0"
    return recent or not ("min" in case.kwargs or any(isinstance(x, dict) for x in case.args))


CASES = [case for case in EVERY_CASE if is_there(case)]


def prepared(case: Case) -> tuple[Callable[..., Any], list[Any]]:
    """The call as a mapping of its floating-point arrays, with a tuple as result."""
    if case.function is not None:
        inputs = [x for x in case.args if isinstance(x, np.ndarray | np.generic)]
        return lambda *xs: _tuple(case.function(*xs)), inputs
    leaves, structure = flatten((case.args, case.kwargs))
    places = [i for i, x in enumerate(leaves) if isinstance(x, np.ndarray) and x.dtype.kind in "fc"]

    def mapping(*xs: Any) -> Any:
        filled = list(leaves)
        for place, x in zip(places, xs, strict=True):
            filled[place] = x
        args, kwargs = unflatten(structure, filled)
        return _tuple(function_of(case.name)(*args, **kwargs))

    return mapping, [leaves[i] for i in places]


def _tuple(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, tuple | list) else (y,)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradient(case: Case) -> None:
    """The value, dtype and shape are NumPy's, and the first and second derivatives those of finite differences."""
    mapping, inputs = prepared(case)
    wanted = mapping(*inputs)
    got = mapping(*[backlight.array(x) for x in inputs])
    assert len(got) == len(wanted)
    for ours, theirs in zip(got, wanted, strict=True):
        value = ours.node.value if isinstance(ours, Array) else ours
        np.testing.assert_allclose(value, theirs, rtol=1e-13, atol=1e-13)
        assert np.shape(value) == np.shape(theirs)
        assert np.asarray(value).dtype == np.asarray(theirs).dtype
        assert isinstance(value, np.ndarray) == isinstance(theirs, np.ndarray), "a number where NumPy gives a number"
    check_first_order(mapping, inputs)
    check_second_order(mapping, inputs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_single_precision_stays_single(case: Case) -> None:
    """float32 in, and out comes the dtype that NumPy gives: Python's numbers do not widen anything."""
    mapping, inputs = prepared(case)
    single = [x.astype(np.complex64 if x.dtype.kind == "c" else np.float32) for x in inputs]
    wanted = mapping(*single)
    for ours, theirs in zip(mapping(*[backlight.array(x) for x in single]), wanted, strict=True):
        value = ours.node.value if isinstance(ours, Array) else ours
        assert np.asarray(value).dtype == np.asarray(theirs).dtype
        np.testing.assert_allclose(value, theirs, rtol=2e-4, atol=2e-4)


def test_every_differentiable_function_is_called() -> None:
    """A function that claims to be differentiable stands in the table above."""
    called = {function_of(case.name) for case in CASES}
    missing = [
        row.name for row in coverage.table() if row.status == "differentiable" and function_of(row.name) not in called
    ]
    assert missing == []
