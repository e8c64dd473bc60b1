"""Mappings that fold, scan or order numbers along axes.

Reductions take a tuple of axes and drop them; scans and sorts take one axis.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backlight.errors import ShapeError, message
from backlight.primitive import REGISTRY as P
from backlight.primitive import Library, Reduce, Sample, Structural, Why
from backlight.trace import user_source

__all__: list[str] = []

Shape = tuple[int, ...]


def _kept(shape: Shape, axis: Shape) -> Shape:
    """``shape`` with the reduced axes of length 1."""
    return tuple([1 if i in axis else length for i, length in enumerate(shape)])


def _dropped(shape: Shape, *, axis: Shape) -> Shape:
    return tuple([length for i, length in enumerate(shape) if i not in axis])


def _restore(y: Any, shape: Shape, axis: Shape) -> Any:
    """A reduced result with its axes back at length 1, so that it broadcasts against what was reduced."""
    return P.reshape(y, shape=_kept(shape, axis)) if y.shape and axis != tuple(range(len(axis))) else y


# -- Values ------------------------------------------------------------------------------------------------------


def _extremum(name: str, ufunc: Any) -> Any:
    def value(x: Any, *, axis: Shape) -> Any:
        _refuse_empty(name, x, axis)
        return ufunc.reduce(x, axis=axis)

    return value


def _position(name: str, function: Any) -> Any:
    def value(x: Any, *, axis: int) -> Any:
        _refuse_empty(name, x, (axis,))
        return function(x, axis=axis)

    return value


def _refuse_empty(name: str, x: Any, axis: Shape) -> None:
    if any(x.shape[i] == 0 for i in axis):
        raise ShapeError(message("empty_reduction", str(user_source() or ""), operation=name, shape=x.shape, axis=axis))


def _norm(x: Any, *, axis: Shape) -> Any:
    if len(axis) == x.ndim:
        return np.linalg.norm(x)  # a dot product: the sums of NumPy's two ways differ in their last bits
    return np.sqrt(np.add.reduce((np.conjugate(x) * x).real if x.dtype.kind == "c" else x * x, axis=axis))


def _finite_maximum(x: Any, axis: Shape) -> Any:
    """The maximum along ``axis``, which is kept; 0 where it is infinite or there is nothing to compare."""
    if x.dtype.kind == "c":
        raise TypeError("it is defined for real numbers only")
    if x.dtype.kind != "f":
        x = x.astype(float)
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isinf(top), top.dtype.type(0), top)


def _logsumexp(x: Any, *, axis: Shape) -> Any:
    with np.errstate(all="ignore"):
        top = _finite_maximum(x, axis)
        total = np.log(np.add.reduce(np.exp(x - top), axis=axis))
        return total + top.reshape(total.shape)


def _softmax(x: Any, *, axis: Shape) -> Any:
    with np.errstate(all="ignore"):
        weight = np.exp(x - _finite_maximum(x, axis))
        infinite = np.isinf(weight)
        if infinite.any():
            weight = np.where(
                np.logical_or.reduce(infinite, axis=axis, keepdims=True), infinite | np.isnan(weight), weight
            )
        total = np.add.reduce(weight, axis=axis, keepdims=True)
        return weight / (total + (total == 0))  # all -inf: 0/1


# -- Pullbacks ---------------------------------------------------------------------------------------------------


def _sum_pullback(x: Any, y: Any, g: Any, *, axis: Shape) -> Any:
    return P.broadcast_to(_restore(g, x.shape, axis), shape=x.shape) if axis else g


def _extremum_pullback(x: Any, y: Any, g: Any, *, axis: Shape) -> Any:
    tied = P.cast(P.equal(x, _restore(y, x.shape, axis)), dtype=g.dtype)
    share = P.divide(tied, _restore(P.sum(tied, axis=axis), x.shape, axis))
    return P.chain(_restore(g, x.shape, axis), share)  # a nan has no tie: 0/0, which must not spread where g is 0


def _conjugated(x: Any) -> Any:
    return P.conjugate(x) if x.dtype.kind == "c" else x


def _part(x: Any, axis: int, start: int, count: int) -> Any:
    """``count`` elements of ``x`` along ``axis``."""
    index = tuple([(start, count, 1) if i == axis else (0, length, 1) for i, length in enumerate(x.shape)])
    return P.slice(x, index=index)


def _after_one(y: Any, axis: int) -> Any:
    """1, y₀, y₁, … yₙ₋₂ along ``axis``: the running product of everything before each element."""
    one = np.ones(_kept(y.shape, (axis,)), y.dtype)
    return P.concatenate(one, _part(y, axis, 0, y.shape[axis] - 1), axis=axis)


def _prod_pullback(x: Any, y: Any, g: Any, *, axis: Shape) -> Any:
    # ∂(Π x)/∂xᵢ = Π_{j≠i} xⱼ = (product of all before i)·(product of all after i): no division, so zeros are exact.
    if x.size == 0:
        return _sum_pullback(x, y, g, axis=axis)
    order = tuple([i for i in range(x.ndim) if i not in axis]) + axis
    in_order = order == tuple(range(x.ndim))
    rows = x if in_order else P.transpose(x, axes=order)
    moved = rows.shape
    if len(axis) != 1:
        rows = P.reshape(rows, shape=(*y.shape, prod(x.shape[i] for i in axis)))
    last = y.ndim
    before = _after_one(P.cumprod(rows, axis=last), last)
    after = P.flip(_after_one(P.cumprod(P.flip(rows, axis=(last,)), axis=last), last), axis=(last,))
    result = P.reshape(g, shape=(*y.shape, 1)) * _conjugated(before * after)
    if len(axis) != 1:
        result = P.reshape(result, shape=moved)
    return result if in_order else P.transpose(result, axes=tuple([order.index(i) for i in range(x.ndim)]))


def _cumsum_pullback(x: Any, y: Any, g: Any, *, axis: int) -> Any:
    return P.flip(P.cumsum(P.flip(g, axis=(axis,)), axis=axis), axis=(axis,))


def _cumprod_pullback(x: Any, y: Any, g: Any, *, axis: int) -> Any:
    # yₖ = Π_{j≤k} xⱼ, so the gradient of xᵢ is yᵢ₋₁·sᵢ with sᵢ = Σ_{k≥i} gₖ Π_{i<j≤k} xⱼ = gᵢ + xᵢ₊₁ sᵢ₊₁. That
    # recurrence is solved by doubling (Kogge and Stone, 1973): after each round every s covers twice as many terms.
    count = x.shape[axis]
    if count <= 1:
        return g
    s, factor = g, _earlier(_conjugated(x), axis, 1)
    step = 1
    while step < count:
        s = s + P.chain(_earlier(s, axis, step), factor)  # an overflowing factor of a zero sum contributes nothing
        step *= 2
        if step < count:
            factor = P.chain(factor, _earlier(factor, axis, step // 2))
    return s * _conjugated(_after_one(y, axis))


def _earlier(x: Any, axis: int, step: int) -> Any:
    """``x`` moved ``step`` places towards the start of ``axis``; zeros come in at the end."""
    rest = x.shape[axis] - step
    index = tuple([(0, rest, 1) if i == axis else (0, length, 1) for i, length in enumerate(x.shape)])
    return P.pad(_part(x, axis, step, rest), shape=x.shape, index=index)


def _norm_pullback(x: Any, y: Any, g: Any, *, axis: Shape) -> Any:
    # x/‖x‖ is the same for x/s, whose squares neither over- nor underflow when s is the largest |xᵢ|. So s counts as a
    # constant; and y, which did underflow where NumPy's squares did, is not used.
    if x.size == 0:
        return P.cast(_sum_pullback(x, y, g, axis=axis), dtype=x.dtype)
    size = P.hypot(P.real(x), P.imag(x)) if x.dtype.kind == "c" else P.absolute(x)
    largest = P.stop_gradient(P.max(size, axis=axis))
    largest = _restore(largest, x.shape, axis)
    zero = P.equal(largest, 0)
    unit = P.where(zero, 0, x / P.where(zero, 1, largest))
    squares = P.square(P.real(unit)) + P.square(P.imag(unit)) if x.dtype.kind == "c" else P.square(unit)
    length = P.sqrt(P.where(zero, 1, _restore(P.sum(squares, axis=axis), x.shape, axis)))
    return _restore(g, x.shape, axis) * (unit / length)


def _logsumexp_pullback(x: Any, y: Any, g: Any, *, axis: Shape) -> Any:
    return _restore(g, x.shape, axis) * P.softmax(x, axis=axis)


def _softmax_pullback(x: Any, y: Any, g: Any, *, axis: Shape) -> Any:
    # ∂yᵢ/∂xⱼ = yᵢ(δᵢⱼ - yⱼ): symmetric, and written with y alone, which is finite whatever x is.
    weighted = y * g
    return weighted - y * _restore(P.sum(weighted, axis=axis), x.shape, axis)


_PACKED = 1 << 20  # words up to which their numbers take at most 20 of 64 bits


def _order(x: Any, *, axis: int) -> Any:
    """Equal numbers keep their order. Words of 64 bits, which permutations are made from, have their numbers put into
    their lowest bits and are sorted themselves: a fifth of the time. Where the rest is equal, that is of no use."""
    if x.dtype == np.uint64 and x.ndim == 1 and 256 < len(x) <= _PACKED:
        low = np.uint64((1 << (len(x) - 1).bit_length()) - 1)
        packed = (x & ~low) | np.arange(len(x), dtype=np.uint64)
        packed.sort()
        high = packed & ~low
        if not np.any(high[1:] == high[:-1]):
            return (packed & low).astype(np.int64)
    return np.argsort(x, axis=axis, kind="stable")


def _sort_pullback(x: Any, y: Any, g: Any, *, axis: int) -> Any:
    rank = P.argsort(P.argsort(x, axis=axis), axis=axis)  # where each element went: the inverse permutation
    indices = [
        rank if i == axis else np.broadcast_to(np.arange(length).reshape(_line(i, x.ndim, length)), x.shape)
        for i, length in enumerate(x.shape)
    ]
    return P.gather(g, *indices)


def _line(axis: int, ndim: int, length: int) -> Shape:
    return tuple([length if i == axis else 1 for i in range(ndim)])


# -- Batch rules -------------------------------------------------------------------------------------------------


def _batch_axes(name: str) -> Any:
    return lambda batched, x, *, axis: getattr(P, name)(x, axis=tuple([i + 1 for i in axis]))


def _batch_axis(name: str) -> Any:
    return lambda batched, x, *, axis: getattr(P, name)(x, axis=axis + 1)


# -- Samples -----------------------------------------------------------------------------------------------------


def _numbers(*shape: int) -> Any:
    """Distinct numbers of both signs, in no order, none of them 0."""
    return np.sin(np.arange(1.0, prod(shape) + 1)).reshape(shape)


def _reductions(empty: bool) -> Any:
    def samples() -> list[Sample]:
        found = [
            Sample((_numbers(4),), {"axis": (0,)}),
            Sample((_numbers(2, 3),), {"axis": (1,)}),
            Sample((_numbers(2, 3),), {"axis": (0, 1)}),
            Sample((_numbers(2, 3, 2),), {"axis": (0, 2)}),
            Sample((_numbers(2, 1, 3),), {"axis": (1,)}),
            Sample((_numbers(0, 3),), {"axis": (1,)}),
        ]
        return [*found, Sample((_numbers(0, 3),), {"axis": (0,)})] if empty else found

    return samples


def _products() -> list[Sample]:
    zero = np.array([[1.5, 0.0, -2.0], [0.0, 3.0, 0.0]])
    return [*_reductions(True)(), Sample((zero,), {"axis": (1,)}), Sample((zero,), {"axis": (0, 1)})]


def _scans() -> list[Sample]:
    return [
        Sample((_numbers(5),), {"axis": 0}),
        Sample((_numbers(2, 4),), {"axis": 1}),
        Sample((_numbers(3, 2),), {"axis": 0}),
        Sample((_numbers(2, 1),), {"axis": 1}),
        Sample((_numbers(0, 2),), {"axis": 0}),
    ]


def _positions() -> list[Sample]:
    return _scans()[:-1]


def _running_products() -> list[Sample]:
    return [*_scans(), Sample((np.array([2.0, 0.0, -1.5, 0.0, 3.0]),), {"axis": 0})]


def _truths() -> list[Sample]:
    truth = np.array([[True, False, True], [False, False, False]])
    return [Sample((truth,), {"axis": axis}) for axis in ((0,), (1,), (0, 1))] + [Sample((truth[:0],), {"axis": (0,)})]


def _no_gradient(name: str, value: Any, combine: str, why: Why, samples: Any, *, scan_axis: bool = False) -> Structural:
    """A fold whose result jumps: true or false, or a position."""
    return Structural(
        name=name,
        value=value,
        shape=(lambda x, *, axis: _dropped(x, axis=(axis,))) if scan_axis else _dropped,
        pullback=(None,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce(combine, (axis,) if scan_axis else axis),
        why=why,
        samples=samples,
        batch=_batch_axis(name) if scan_axis else _batch_axes(name),
        complex=True,
    )


P.enter(
    Structural(
        name="sum",
        value=lambda x, *, axis: np.add.reduce(x, axis=axis),
        shape=_dropped,
        pullback=(_sum_pullback,),
        linear_in=(0,),
        kernel=lambda x, *, axis: Reduce("add", axis),
        why=Why(
            "Every term moves the sum by exactly as much as it moves itself, so each receives the whole gradient.",
            "每一项变多少，和就变多少，所以每一项都得到完整的梯度。",
        ),
        samples=_reductions(True),
        batch=_batch_axes("sum"),
        complex=True,
    ),
    Structural(
        name="prod",
        value=lambda x, *, axis: np.multiply.reduce(x, axis=axis),
        shape=_dropped,
        pullback=(_prod_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce("multiply", axis),
        why=Why(
            "A factor counts as much as the product of all the others: a lone zero has a gradient only for itself.",
            "一个因子的分量是其余因子的乘积；所以恰有一个零时，只有那个零自己有梯度。",
        ),
        samples=_products,
        batch=_batch_axes("prod"),
        complex=True,
    ),
    Structural(
        name="max",
        value=_extremum("max", np.maximum),
        shape=_dropped,
        pullback=(_extremum_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce("maximum", axis),
        why=Why(
            "Only the largest number decides the result and takes the whole gradient; equal largest ones share it.",
            "结果只由最大的数决定，所以梯度全归它；若有几个并列最大，就平均分。",
        ),
        samples=_reductions(False),
        at_kink="split evenly among equal maxima",
        batch=_batch_axes("max"),
        complex=True,
    ),
    Structural(
        name="min",
        value=_extremum("min", np.minimum),
        shape=_dropped,
        pullback=(_extremum_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce("minimum", axis),
        why=Why(
            "Only the smallest number decides the result and takes the whole gradient; equal smallest ones share it.",
            "结果只由最小的数决定，所以梯度全归它；若有几个并列最小，就平均分。",
        ),
        samples=_reductions(False),
        at_kink="split evenly among equal minima",
        batch=_batch_axes("min"),
        complex=True,
    ),
    Structural(
        name="norm",
        value=_norm,
        shape=_dropped,
        pullback=(_norm_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce("hypot", axis),
        why=Why(
            "A length grows when pulled the way its arrow points: the gradient is that direction, x over its norm.",
            "沿箭头所指的方向拉，长度才会增长，所以梯度就是这个方向：x 除以它的范数。",
        ),
        samples=_reductions(True),
        at_kink="0 at the origin, the tip of a cone",
        batch=_batch_axes("norm"),
        complex=True,
    ),
    Structural(
        name="logsumexp",
        value=_logsumexp,
        shape=_dropped,
        pullback=(_logsumexp_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce("logaddexp", axis),
        why=Why(
            "A smooth maximum: each number's share of the gradient is its exponential's share of the sum, its softmax.",
            "它是光滑的最大值：每个数的指数在总和里占多大份额（即 softmax），就分到多大份额的梯度。",
        ),
        samples=_reductions(False),
        at_kink="0 where all are -inf; split evenly among +inf",
        batch=_batch_axes("logsumexp"),
    ),
    Structural(
        name="softmax",
        value=_softmax,
        shape=lambda x, *, axis: x,
        pullback=(_softmax_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Library("softmax"),
        why=Why(
            "The shares always sum to one, so one rises at the others' cost: only g minus its weighted mean counts.",
            "各份额之和恒为一，一个涨别的就跌；所以只有 g 偏离其加权平均的部分起作用。",
        ),
        samples=_reductions(False),
        at_kink="0 where all are -inf; evenly shared among +inf",
        batch=_batch_axes("softmax"),
    ),
    _no_gradient(
        "any",
        lambda x, *, axis: np.logical_or.reduce(x, axis=axis),
        "logical_or",
        Why(
            "The answer is yes or no and does not move when a number moves a little, so no gradient flows.",
            "答案只有是或否，数稍微变一点它也不变，所以没有梯度。",
        ),
        _truths,
    ),
    _no_gradient(
        "all",
        lambda x, *, axis: np.logical_and.reduce(x, axis=axis),
        "logical_and",
        Why(
            "It says whether every entry is true, a step that stays flat under small changes, so no gradient flows.",
            "它只回答是否全部为真，小的变化不会改变这个台阶，所以没有梯度。",
        ),
        _truths,
    ),
    _no_gradient(
        "argmax",
        _position("argmax", np.argmax),
        "argmax",
        Why(
            "A position is a whole number: it stays put under small changes and then jumps, so its derivative is zero.",
            "位置是整数：小的变化下它不动，然后突然一跳，所以导数为零。",
        ),
        _positions,
        scan_axis=True,
    ),
    _no_gradient(
        "argmin",
        _position("argmin", np.argmin),
        "argmin",
        Why(
            "It says where the smallest number is, not how small; the place does not slide, so its derivative is zero.",
            "它说的是最小的数在哪里，而不是有多小；位置不会连续移动，所以导数为零。",
        ),
        _positions,
        scan_axis=True,
    ),
    Structural(
        name="cumsum",
        value=lambda x, *, axis: np.add.accumulate(x, axis=axis),
        shape=lambda x, *, axis: x,
        pullback=(_cumsum_pullback,),
        linear_in=(0,),
        kernel=lambda x, *, axis: Reduce("add", (axis,), scan=True),
        why=Why(
            "A number is part of every running total from its place on, so it collects the gradients of all of those.",
            "一个数从它的位置起进入其后的每个累加和，所以它收集后面所有累加和的梯度。",
        ),
        samples=_scans,
        batch=_batch_axis("cumsum"),
        complex=True,
    ),
    Structural(
        name="cumprod",
        value=lambda x, *, axis: np.multiply.accumulate(x, axis=axis),
        shape=lambda x, *, axis: x,
        pullback=(_cumprod_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Reduce("multiply", (axis,), scan=True),
        why=Why(
            "A factor scales every running product from its place on, each by that product's other factors.",
            "一个因子从它的位置起缩放每个累乘积，对每个积的影响是该积里其余因子之积。",
        ),
        samples=_running_products,
        batch=_batch_axis("cumprod"),
        complex=True,
    ),
    Structural(
        name="sort",
        value=lambda x, *, axis: np.sort(x, axis=axis, kind="stable"),
        shape=lambda x, *, axis: x,
        pullback=(_sort_pullback,),
        linear_in=(),
        kernel=lambda x, *, axis: Library("sort"),
        why=Why(
            "Sorting only rearranges: every gradient travels back along the arrow by which its number came.",
            "排序只是重新排列：每份梯度沿着那个数来时的箭头走回去。",
        ),
        samples=_scans,
        at_kink="equal numbers keep their order (stable)",
        batch=_batch_axis("sort"),
        complex=True,
    ),
    Structural(
        name="argsort",
        value=_order,
        shape=lambda x, *, axis: x,
        pullback=(None,),
        linear_in=(),
        kernel=lambda x, *, axis: Library("argsort"),
        why=Why(
            "An order is a list of whole numbers that holds still until two values swap, so no gradient flows.",
            "次序是一串整数，在两个值交换之前都不变，所以梯度不从它流过。",
        ),
        samples=_scans,
        at_kink="equal numbers keep their order (stable)",
        batch=_batch_axis("argsort"),
        complex=True,
    ),
)
