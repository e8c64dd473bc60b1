"""Statistics: quantiles, weighted means, covariance, counting into bins."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from backlight.array import Array
from backlight.errors import DTypeError, message
from backlight.numpy_api.common import (
    argument_error,
    as_inexact,
    axes_of,
    cast,
    deliver,
    here,
    implements,
    implements_strictly,
    kept,
    operand,
    promote,
    raveled,
    read,
    unsupported_option,
)
from backlight.numpy_api.reduce import mean
from backlight.primitive import REGISTRY as P
from backlight.refusal import describe

__all__ = ["average", "cov", "median", "percentile", "quantile"]


# -- Quantiles ---------------------------------------------------------------------------------------------------------


def _continuous(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    """Hyndman & Fan's family ("Sample Quantiles in Statistical Packages", 1996): a position between two elements."""
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


_POSITION: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda n, q: (n - 1) * q,
    "interpolated_inverted_cdf": _continuous(0, 1),
    "hazen": _continuous(0.5, 0.5),
    "weibull": _continuous(0, 0),
    "median_unbiased": _continuous(1 / 3, 1 / 3),
    "normal_unbiased": _continuous(3 / 8, 3 / 8),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.rint((n - 1) * q),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
    "inverted_cdf": lambda n, q: np.ceil(n * q) - 1,
    "averaged_inverted_cdf": lambda n, q: _halfway(n * q - 1),
    "closest_observation": lambda n, q: _even(n * q - 1.5),
}


_DISCRETE = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")
"""The methods that take one of the elements, and never a number between two."""


def _halfway(position: Any) -> Any:
    """The next element, or exactly between two where the position is exactly on the first of them."""
    below = np.floor(position)
    return np.where(np.equal(position, below), below + 0.5, below + 1)


def _even(position: Any) -> Any:
    """The next element, or the nearest of even number where the position is exactly on one."""
    below = np.floor(position)
    return np.where(np.logical_and(np.equal(position, below), np.equal(below % 2, 1)), below, below + 1)


def _quantile(
    function: str,
    a: Any,
    q: Any,
    axis: Any,
    out: Any,
    method: str,
    keepdims: Any,
    weights: Any,
    skip_nan: bool,
) -> Any:
    if weights is not None:
        return deliver(_weighted(function, a, q, axis, method, keepdims, weights), out)
    if method not in _POSITION:
        raise argument_error(function, "api_method", method=method, known=", ".join(_POSITION))
    x, level = operand(a), _level(q, a)
    if x.dtype.kind in "cb" and "median" not in function:
        key = "complex_refused" if x.dtype.kind == "c" else "api_boolean"
        raise DTypeError(message(key, here(), function=f"np.{function}", operand=describe(x)))
    if x.dtype.kind == "b" or (x.dtype.kind not in "fc" and method not in _DISCRETE):
        x = cast(x, float)
    numbers = np.asarray(level.node.value if isinstance(level, Array) else level)
    if not ((numbers >= 0) & (numbers <= 1)).all():
        raise argument_error(function, "api_quantile_range")
    axes = axes_of(axis, len(x.shape))
    rest = tuple(i for i in range(len(x.shape)) if i not in axes)
    shape = tuple(x.shape[i] for i in rest)
    count = prod(x.shape[i] for i in axes)
    lines = P.reshape(P.transpose(x, axes=(*axes, *rest)), shape=(count, prod(shape)))
    ordered = P.sort(lines, axis=0)
    y = _picked(ordered, raveled(level), method, skip_nan)
    full = (*level.shape, *(kept(x.shape, axes) if keepdims else shape))
    y = P.reshape(y, shape=full) if full else y[0, 0]
    return deliver(y, out)


def _weighted(function: str, a: Any, q: Any, axis: Any, method: str, keepdims: Any, weights: Any) -> Any:
    """Where elements have weights, a quantile is one of them: NumPy says which, and the gradient is all its own."""
    x = operand(a)
    share = {"quantile": 1, "nanquantile": 1}.get(function, 100)
    level = read(q) * share
    wanted = np.asarray(
        getattr(np, function)(read(x), level, axis, None, False, method, keepdims, weights=read(weights))
    )
    axes = axes_of(axis, len(x.shape))
    rest = tuple(i for i in range(len(x.shape)) if i not in axes)
    count, width = prod(x.shape[i] for i in axes), prod(x.shape[i] for i in rest)
    lines = P.reshape(P.transpose(x, axes=(*axes, *rest)), shape=(count, width))
    numbers = wanted.reshape(-1, 1, width)
    place = np.argmax(np.equal(read(lines), numbers), axis=1)
    y = P.where(np.isnan(numbers[:, 0]), np.nan, lines[place, np.arange(width)])
    return P.reshape(y, shape=wanted.shape) if wanted.shape else y[0, 0]


def _picked(ordered: Any, level: Any, method: str, skip_nan: bool) -> Any:
    """From sorted columns (n, m), the quantiles (levels, m): a weighted mean of two neighbours. NaN is sorted last."""
    count, width = ordered.shape
    missing = P.sum(P.isnan(ordered), axis=(0,))
    n: Any = count
    if skip_nan:
        n = P.reshape(cast(count - missing, level.dtype), shape=(1, width))
        level = P.reshape(level, shape=(level.size, 1))
    position = _POSITION[method](n, level)
    last = n - 1
    position = np.clip(position, 0, np.maximum(last, 0) if skip_nan else last)
    below = cast(np.floor(position), np.intp)
    if method in _DISCRETE:
        y = ordered[below, np.arange(width)[None, :]] if skip_nan else ordered[below]
        if ordered.dtype.kind != "f":
            return y  # integers are never missing
        return P.where(P.equal(missing, count) if skip_nan else P.greater(missing, 0), np.nan, y)
    above = np.minimum(below + 1, cast(np.maximum(last, 0), np.intp) if skip_nan else last)
    share = position - cast(below, position.dtype)
    if skip_nan:
        columns = np.arange(width)[None, :]
        low, high = ordered[below, columns], ordered[above, columns]
        hopeless = P.equal(missing, count)
    else:
        low, high = ordered[below], ordered[above]
        share = P.reshape(share, shape=(share.size, 1))
        hopeless = P.greater(missing, 0)
    y = low + P.where(P.equal(high, low), 0, high - low) * share  # equal infinities: their difference would be NaN
    return P.where(hopeless, np.nan, y)


def _level(q: Any, a: Any) -> Any:
    """``q`` as numbers; one Python number takes the dtype of the elements, as in NumPy."""
    if isinstance(q, Array):
        return as_inexact(q)
    weak = type(q) in (int, float) and operand(a).dtype.kind in "fc"
    level = np.asarray(q, operand(a).dtype.type(0).real.dtype if weak else None)
    return level if level.dtype.kind == "f" else level.astype(float)


def _percent(q: Any, a: Any) -> Any:
    level = _level(q, a)
    return level / level.dtype.type(100)


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    """The value below which the share ``q`` of the elements lies; differentiable in the elements and in ``q``."""
    return _quantile("quantile", a, q, axis, out, method, keepdims, weights, False)


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    """``quantile`` with ``q`` in per cent."""
    return _quantile("percentile", a, _percent(q, a), axis, out, method, keepdims, weights, False)


@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    """``quantile`` of the elements that are not NaN."""
    return _quantile("nanquantile", a, q, axis, out, method, keepdims, weights, True)


@implements(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    *,
    weights: Any = None,
) -> Any:
    """``percentile`` of the elements that are not NaN."""
    return _quantile("nanpercentile", a, _percent(q, a), axis, out, method, keepdims, weights, True)


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    """The middle element, or the mean of the two in the middle."""
    return _quantile("median", a, 0.5, axis, out, "midpoint", keepdims, None, False)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    """``median`` of the elements that are not NaN."""
    return _quantile("nanmedian", a, 0.5, axis, out, "midpoint", keepdims, None, True)


# -- Means and covariance ----------------------------------------------------------------------------------------------


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    """The weighted mean ``Σ w·x / Σ w``; with ``returned`` also ``Σ w``."""
    x = operand(a)
    axes = axes_of(axis, len(x.shape))
    if weights is None:
        y = mean(x, axis, keepdims=keepdims)
        total: Any = operand(np.full(y.shape, x.size / max(y.size, 1), y.dtype)[()])
        return (y, total) if returned else y
    w = operand(weights)
    kinds = (np.float64,) if x.dtype.kind in "iub" else ()
    x, w = promote(x, w, dtype=np.result_type(x.dtype, w.dtype, *kinds))
    if w.shape != x.shape:
        if axis is None or w.shape != tuple(x.shape[i] for i in axes):
            raise argument_error("average", "api_weights", shape=x.shape, weights=w.shape)
        order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
        w = P.transpose(w, axes=order)
        w = P.broadcast_to(
            P.reshape(w, shape=tuple(n if i in axes else 1 for i, n in enumerate(x.shape))), shape=x.shape
        )
    total = np.sum(w, axis=axes, keepdims=bool(keepdims))
    y = np.sum(x * w, axis=axes, keepdims=bool(keepdims)) / total
    return (y, total) if returned else y


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """The covariance matrix of the rows: mean products of distances from the mean."""
    x = _variables(m, rowvar)
    if y is not None:
        x = np.concatenate(promote(x, _variables(y, rowvar)), axis=0)
    x = cast(x, np.result_type(x.dtype, float) if dtype is None else dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    count = x.shape[1]
    w: Any = None if fweights is None else as_inexact(operand(fweights))
    if aweights is not None:
        w = as_inexact(operand(aweights)) if w is None else w * aweights
    if w is None:
        centred = x - mean(x, axis=1, keepdims=True)
        weighted, free = centred, count - ddof
    else:
        total = np.sum(w)
        centred = x - P.reshape(np.sum(x * w, axis=1) / total, shape=(x.shape[0], 1))
        weighted = centred * w
        free = total - ddof * (np.sum(w * aweights) / total if aweights is not None else 1)
    adjoint = P.transpose(np.conjugate(weighted), axes=(1, 0))
    return np.squeeze(P.matmul(*promote(centred, adjoint)) / free)


def _variables(m: Any, rowvar: bool) -> Any:
    x = operand(m)
    if len(x.shape) > 2:
        raise argument_error("cov", "api_cov", ndim=len(x.shape))
    if len(x.shape) < 2:
        return P.reshape(x, shape=(1, x.size))
    return x if rowvar or x.shape[0] == 1 else P.transpose(x, axes=(1, 0))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """The covariance matrix divided by the standard deviations: numbers from -1 to 1."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.shape:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    return c / P.reshape(spread, shape=(spread.size, 1)) / spread


# -- Counting ----------------------------------------------------------------------------------------------------------


@implements_strictly(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number occurs, or the sum of the weights of its occurrences; differentiable in the weights."""
    index = np.asarray(read(x))
    if weights is None:
        return operand(np.bincount(index, None, minlength))
    size = max(int(index.max(initial=-1)) + 1, minlength)
    return P.scatter_add(operand(np.zeros(size)), index, cast(operand(weights), float))


def _counted(index: list[Any], shape: tuple[int, ...], inside: Any, weights: Any) -> Any:
    """Weights (or ones) added up in the cells of a grid."""
    flat = np.ravel_multi_index([i[inside] for i in index], shape)
    w = np.ones(flat.size) if weights is None else raveled(operand(weights))[np.flatnonzero(inside)]
    totals = P.scatter_add(operand(np.zeros(prod(shape), w.dtype)), flat, w)
    return P.reshape(totals, shape=shape)


def _cells(values: Any, edges: Any) -> tuple[Any, Any]:
    """The bin of each value, and whether it lies in one: the last bin includes its upper edge."""
    index = np.searchsorted(edges, values, "right") - 1
    index = np.where(values == edges[-1], len(edges) - 2, index)
    inside = (index >= 0) & (index < len(edges) - 1)
    return np.where(inside, index, 0), inside


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins: equal steps from the smallest to the largest value, unless ``bins`` or ``range`` is given.

    Differentiable in the two extreme values; how many bins there are is constant.
    """
    x = raveled(as_inexact(operand(a)))
    plain = np.histogram_bin_edges(read(x), read(bins), range, read(weights))
    if not (isinstance(bins, int | str | np.integer) and range is None and x.size):
        return plain
    low, high = np.min(x), np.max(x)
    if plain[0] != low.node.value:  # all values are equal: NumPy takes half a unit on both sides
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, len(plain))


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Counts in bins, and the edges; the counts are differentiable in the weights and constant in the values."""
    values = np.asarray(read(a)).ravel()
    if isinstance(bins, str) and weights is not None:
        raise unsupported_option("np.histogram", "weights with bins by name", "bins=10")
    edges = histogram_bin_edges(a, bins, range)
    plain = np.histogram_bin_edges(values, read(bins), range)
    index, inside = _cells(values, plain)
    counts = _counted([index], (len(plain) - 1,), inside, weights)
    if density:
        return counts / np.diff(edges) / np.sum(counts), edges
    return counts if weights is not None else cast(counts, np.intp), edges


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Counts in the cells of a grid and its edges; differentiable in the weights, constant in the values."""
    points = read(sample)
    points = np.atleast_2d(points).T if isinstance(points, np.ndarray) and points.ndim == 1 else points
    points = np.stack(points, -1) if isinstance(points, list | tuple) else points
    _, edges = np.histogramdd(points, read(bins), range)
    found = [_cells(points[:, k], one) for k, one in enumerate(edges)]
    inside = np.logical_and.reduce([one for _, one in found])
    counts = _counted([index for index, _ in found], tuple(len(one) - 1 for one in edges), inside, weights)
    counts = cast(counts, np.result_type(counts.dtype, float))
    if density:
        for k, one in enumerate(edges):
            counts = counts / np.diff(one).reshape([-1 if i == k else 1 for i in np.arange(len(edges))])
        counts = counts / np.sum(_counted([i for i, _ in found], tuple(len(one) - 1 for one in edges), inside, weights))
    return counts, edges


@implements(np.histogram2d)
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Counts in the cells of a plane; differentiable in the weights, constant in the values."""
    bins = read(bins)
    if isinstance(bins, np.ndarray) or (isinstance(bins, list) and len(bins) not in (1, 2)):
        bins = [bins, bins]
    counts, edges = histogramdd([read(x), read(y)], bins, range, density, weights)
    return counts, edges[0], edges[1]
