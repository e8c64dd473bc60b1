"""Mappings of two numbers at a time (and ``where``, of three): arithmetic, comparison, choice, logic and bits.

Where both inputs tie, the gradient is shared half and half. At points where no derivative exists but the value does
(``hypot`` and ``arctan2`` at the origin, ``copysign`` at 0) the local derivative is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backlight.ops.samples import FLAGS, INTEGERS, OTHER, OTHER_INTEGERS, POSITIVE, REAL, SHIFTS
from backlight.primitive import REGISTRY as P
from backlight.primitive import Elementwise, Map, Why

__all__: list[str] = []

LN2 = math.log(2.0)


def _chain(g: Any, local: Any) -> Any:
    out = g * local
    total: Any = np.vdot(out, out) if type(out) is np.ndarray else out  # the cheapest question whether all are finite:
    if total - total == 0:  # ∞ - ∞ and nan - nan are nan; a sum of squares that overflows only costs time
        return out
    return np.where((g == 0) | (local == 0), np.zeros_like(out), out)[()]


def _where(c: Any, x1: Any, x2: Any) -> Any:
    chosen: Any = np.where(c, x1, x2)
    return chosen[()]


def _won(x1: Any, x2: Any, y: Any, first: Any) -> Any:
    """The local derivative of a choice between two: 1 for the winner, 0 for the loser, half each at a tie."""
    return P.where(x1 == x2, y.dtype.type(0.5), first)


def _length(x1: Any, x2: Any) -> Any:
    """The length of (x1, x2) to divide by: 1 at the origin, where it is 0."""
    y = P.hypot(x1, x2)
    return P.where(y == 0, 1, y)


def _share(x1: Any, x2: Any, rate: float = 1) -> Any:
    """The share of the first term in exp(x1) + exp(x2): sigmoid(x1 - x2), with ∞ - ∞ taken as 0."""
    tied = P.logical_and(P.isinf(x1), x1 == x2)
    return P.sigmoid(rate * P.where(tied, 0, x1 - x2))


def _log_sum(rest: tuple[Any, ...], at_tie: float) -> Map:
    """max + rest, rest = log(1 + exp(-|x1 - x2|)), cannot overflow; with at_tie = log 2 no ∞ - ∞ appears at a tie."""
    return Map(("select", ("eq", "x0", "x1"), ("add", "x0", at_tie), ("add", ("max", "x0", "x1"), rest)))


_DISTANCE = ("neg", ("abs", ("sub", "x0", "x1")))
_LARGER, _SMALLER = ("max", ("abs", "x0"), ("abs", "x1")), ("min", ("abs", "x0"), ("abs", "x1"))
_SLOPE = ("div", _SMALLER, _LARGER)
_DIAGONAL = ("mul", _LARGER, ("sqrt", ("add", 1, ("mul", _SLOPE, _SLOPE))))
_REST = ("fmod", "x0", "x1")  # C's remainder, with the sign of x0; Python's has the sign of x1
_WHOLE = ("div", ("sub", "x0", _REST), "x1")
_BELOW = ("and", ("not", ("eq", _REST, 0)), ("xor", ("lt", _REST, 0), ("lt", "x1", 0)))

P.enter(
    # -- Arithmetic --------------------------------------------------------------------------------------------------
    Elementwise(
        name="add",
        value=np.add,
        partials=(lambda x1, x2, y: 1, lambda x1, x2, y: 1),
        kernel=Map(("add", "x0", "x1")),
        why=Why(
            "A sum moves exactly as much as either of its terms, so both receive the gradient unchanged.",
            "任何一项变多少，和就变多少，所以两项都原样收到梯度。",
        ),
        samples=(REAL, OTHER),
        preserves_zero=True,
        complex=True,
    ),
    Elementwise(
        name="subtract",
        value=np.subtract,
        partials=(lambda x1, x2, y: 1, lambda x1, x2, y: -1),
        kernel=Map(("sub", "x0", "x1")),
        why=Why(
            "A difference grows with what it starts from and shrinks with what is taken away.",
            "差随被减数增大，随减数减小。",
        ),
        samples=(REAL, OTHER),
        preserves_zero=True,
        complex=True,
    ),
    Elementwise(
        name="multiply",
        value=np.multiply,
        partials=(lambda x1, x2, y: x2, lambda x1, x2, y: x1),
        kernel=Map(("mul", "x0", "x1")),
        why=Why(
            "How much one factor matters is decided by the other: each factor's slope is its partner.",
            "一个因数有多重要由另一个决定：每个因数的斜率就是它的搭档。",
        ),
        samples=(REAL, OTHER),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="divide",
        value=np.divide,
        partials=(lambda x1, x2, y: P.reciprocal(x2), lambda x1, x2, y: -y / x2),
        kernel=Map(("div", "x0", "x1")),
        why=Why(
            "More to share makes every portion larger by 1/x2; one more to share with makes it smaller by y/x2.",
            "要分的多了，每份就多 1/x2；分的人多了，每份就少 y/x2。",
        ),
        samples=(REAL, OTHER),
        domain="nonzero divisor",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="power",
        value=np.power,
        # chain: 0 · 0⁻¹ = 0 where the exponent is 0. The derivative by the exponent is taken as 0 at base 0.
        partials=(
            lambda x1, x2, y: P.chain(x2, P.power(x1, x2 - 1)),
            lambda x1, x2, y: P.chain(y, P.log(P.where(x1 == 0, 1, x1))),
        ),
        kernel=Map(("pow", "x0", "x1")),
        why=Why(
            "x multiplied with itself x2 times can be nudged in any of its x2 places, leaving x2 - 1 factors.",
            "x 自乘 x2 次，可以在这 x2 个位置的任意一处轻推，剩下 x2 - 1 个因数。",
        ),
        samples=(POSITIVE, OTHER),
        domain="power",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="remainder",
        value=np.remainder,
        partials=(lambda x1, x2, y: 1, lambda x1, x2, y: -P.floor_divide(x1, x2)),
        kernel=Map(
            ("select", ("eq", _REST, 0), ("copysign", 0.0, "x1"), ("select", _BELOW, ("add", _REST, "x1"), _REST))
        ),
        why=Why(
            "What is left over follows x1 one to one, and loses one step for every whole x2 that fits.",
            "余数与 x1 一比一地变化；x2 每整除进去一次，x2 的变化就被减去一次。",
        ),
        samples=(REAL, OTHER),
        domain="nonzero divisor",
        at_kink="1, as between two jumps",
        singular=True,
    ),
    Elementwise(
        name="floor_divide",
        value=np.floor_divide,
        partials=(None, None),
        kernel=Map(
            ("select", ("eq", "x1", 0), ("div", "x0", "x1"), ("rint", ("select", _BELOW, ("sub", _WHOLE, 1), _WHOLE)))
        ),
        why=Why(
            "How many whole times x2 fits into x1 is a count, and a count does not move under a nudge.",
            "x1 里能放下几个完整的 x2 是个计数，而计数不会因轻推而改变。",
        ),
        samples=(REAL, OTHER),
        domain="nonzero divisor",
    ),
    Elementwise(
        name="fmod",
        value=np.fmod,
        partials=(lambda x1, x2, y: 1, lambda x1, x2, y: P.rint((y - x1) / x2)),  # (y - x1)/x2 is whole: -trunc(x1/x2)
        kernel=Map(_REST),
        why=Why(
            "The remainder of C: it keeps the sign of x1 and drops the whole steps counted towards zero.",
            "C 语言的余数：保留 x1 的符号，去掉向零计数的整步。",
        ),
        samples=(REAL, OTHER),
        domain="nonzero divisor",
        at_kink="1, as between two jumps",
        singular=True,
    ),
    # -- Choosing between numbers ------------------------------------------------------------------------------------
    Elementwise(
        name="maximum",
        value=np.maximum,
        partials=(lambda x1, x2, y: _won(x1, x2, y, x1 > x2), lambda x1, x2, y: _won(x1, x2, y, x2 > x1)),
        kernel=Map(("max", "x0", "x1")),
        why=Why(
            "Only the larger of the two decides the output, so it alone receives the gradient.",
            "只有较大的那个决定输出，所以梯度全归它。",
        ),
        samples=(REAL, OTHER),
        kinks=(0.0,),
        at_kink="0.5 to each of the two that tie",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="minimum",
        value=np.minimum,
        partials=(lambda x1, x2, y: _won(x1, x2, y, x1 < x2), lambda x1, x2, y: _won(x1, x2, y, x2 < x1)),
        kernel=Map(("min", "x0", "x1")),
        why=Why(
            "The smaller number is the bottleneck: easing it helps, touching the other changes nothing.",
            "较小的数是瓶颈：放宽它才有用，动另一个毫无影响。",
        ),
        samples=(REAL, OTHER),
        kinks=(0.0,),
        at_kink="0.5 to each of the two that tie",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="fmax",
        value=np.fmax,
        partials=(
            lambda x1, x2, y: _won(x1, x2, y, P.logical_or(x1 > x2, P.isnan(x2))),
            lambda x1, x2, y: _won(x1, x2, y, P.logical_or(x2 > x1, P.isnan(x1))),
        ),
        kernel=Map(("select", ("isnan", "x0"), "x1", ("select", ("isnan", "x1"), "x0", ("max", "x0", "x1")))),
        why=Why(
            "The larger number wins, a missing value (nan) never does, and the winner takes the gradient.",
            "较大的数胜出，缺失值（nan）永远不胜，梯度归胜者。",
        ),
        samples=(REAL, OTHER),
        kinks=(0.0,),
        at_kink="0.5 to each of the two that tie",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="fmin",
        value=np.fmin,
        partials=(
            lambda x1, x2, y: _won(x1, x2, y, P.logical_or(x1 < x2, P.isnan(x2))),
            lambda x1, x2, y: _won(x1, x2, y, P.logical_or(x2 < x1, P.isnan(x1))),
        ),
        kernel=Map(("select", ("isnan", "x0"), "x1", ("select", ("isnan", "x1"), "x0", ("min", "x0", "x1")))),
        why=Why(
            "The smaller number is kept and missing values (nan) are passed over; only what was kept can matter.",
            "保留较小的数，跳过缺失值（nan）；只有被保留的才起作用。",
        ),
        samples=(REAL, OTHER),
        kinks=(0.0,),
        at_kink="0.5 to each of the two that tie",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="where",
        value=_where,
        partials=(
            None,
            lambda c, x1, x2, y: P.cast(c, dtype=y.dtype),
            lambda c, x1, x2, y: P.cast(P.logical_not(c), dtype=y.dtype),
        ),
        kernel=Map(("select", "x0", "x1", "x2")),
        why=Why(
            "A switch: the branch that was chosen is wired to the output, the other one is not connected at all.",
            "一个开关：被选中的分支接到输出，另一个根本没有连上。",
        ),
        samples=(FLAGS, REAL, OTHER),
        preserves_zero=True,
        singular=True,
        operands="condition",
        complex=True,
    ),
    # -- Lengths, angles and logarithms of sums ----------------------------------------------------------------------
    Elementwise(
        name="hypot",
        value=np.hypot,
        partials=(lambda x1, x2, y: x1 / P.where(y == 0, 1, y), lambda x1, x2, y: x2 / P.where(y == 0, 1, y)),
        kernel=Map(
            ("select", ("or", ("isinf", "x0"), ("isinf", "x1")), math.inf, ("select", ("eq", _LARGER, 0), 0, _DIAGONAL))
        ),
        why=Why(
            "Lengthening one leg stretches the diagonal by the cosine between them: leg over diagonal.",
            "拉长一条直角边，斜边按它们夹角的余弦伸长：直角边比斜边。",
        ),
        samples=(REAL, OTHER),
        at_kink="0 at the origin, the tip of a cone",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="arctan2",
        value=np.arctan2,
        partials=(
            lambda x1, x2, y: x2 / _length(x1, x2) / _length(x1, x2),
            lambda x1, x2, y: -x1 / _length(x1, x2) / _length(x1, x2),
        ),
        kernel=Map(("atan2", "x0", "x1")),
        why=Why(
            "Only movement across the line of sight turns the angle, and the further away, the less it turns.",
            "只有横穿视线的移动才会转动角度，而且离得越远转得越少。",
        ),
        samples=(REAL, OTHER),
        at_kink="0 at the origin, where there is no direction",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="logaddexp",
        value=np.logaddexp,
        partials=(lambda x1, x2, y: _share(x1, x2), lambda x1, x2, y: _share(x2, x1)),
        kernel=_log_sum(("log1p", ("exp", _DISTANCE)), LN2),
        why=Why(
            "A soft maximum: each input receives the share that its exponential has in the sum.",
            "柔和的最大值：每个输入按自己的指数在总和中所占的份额分得梯度。",
        ),
        samples=(REAL, OTHER),
        singular=True,
    ),
    Elementwise(
        name="logaddexp2",
        value=np.logaddexp2,
        partials=(lambda x1, x2, y: _share(x1, x2, LN2), lambda x1, x2, y: _share(x2, x1, LN2)),
        kernel=_log_sum(("div", ("log1p", ("exp2", _DISTANCE)), LN2), 1.0),
        why=Why(
            "Adds numbers kept as powers of two: the larger power owns the larger share of sum and gradient.",
            "把以 2 的幂保存的数相加：幂越大，在和里占的份额越大，分得的梯度也越多。",
        ),
        samples=(REAL, OTHER),
        singular=True,
    ),
    Elementwise(
        name="copysign",
        value=np.copysign,
        partials=(lambda x1, x2, y: P.sign(x1) * P.copysign(1.0, x2), None),
        kernel=Map(("copysign", "x0", "x1")),
        why=Why(
            "The size comes from x1, the sign from x2: x1 is mirrored or not, x2 only says which.",
            "大小取自 x1，符号取自 x2：x1 要么被镜像要么不变，x2 只决定是哪一种。",
        ),
        samples=(REAL, OTHER),
        at_kink="0 where x1 = 0, the middle of -1 and 1",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="heaviside",
        value=np.heaviside,
        partials=(None, lambda x1, x2, y: P.cast(x1 == 0, dtype=y.dtype)),
        kernel=Map(
            ("select", ("lt", "x0", 0), 0, ("select", ("gt", "x0", 0), 1, ("select", ("eq", "x0", 0), "x1", "x0")))
        ),
        why=Why(
            "A step from 0 to 1: flat on both sides, and x2 shows only where x1 is exactly zero.",
            "从 0 到 1 的台阶：两边都是平的，只有 x1 恰好为零时才显出 x2。",
        ),
        samples=(REAL, OTHER),
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="chain",
        value=_chain,
        partials=(lambda x1, x2, y: x2, lambda x1, x2, y: x1),
        kernel=Map(("select", ("or", ("eq", "x0", 0), ("eq", "x1", 0)), 0, ("mul", "x0", "x1"))),
        why=Why(
            "The chain rule's product, gradient times local derivative, in which zero wins even against infinity.",
            "链式法则的乘积：梯度乘局部导数，其中零连无穷大也能压住。",
        ),
        samples=(REAL, OTHER),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    # -- Comparisons -------------------------------------------------------------------------------------------------
    Elementwise(
        name="equal",
        value=np.equal,
        partials=(None, None),
        kernel=Map(("eq", "x0", "x1")),
        why=Why(
            "Two numbers are equal or they are not; the answer is a jump, and jumps carry no gradient.",
            "两个数要么相等要么不等；答案是跳变，跳变不传梯度。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        operands="common",
    ),
    Elementwise(
        name="not_equal",
        value=np.not_equal,
        partials=(None, None),
        kernel=Map(("not", ("eq", "x0", "x1"))),
        why=Why(
            "It says whether two numbers differ, not by how much, so there is no slope.",
            "它只说两个数是否不同，不说差多少，所以没有斜率。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="less",
        value=np.less,
        partials=(None, None),
        kernel=Map(("lt", "x0", "x1")),
        why=Why(
            "Asking which is smaller gives a yes or no; a hard decision has derivative zero.",
            "问哪个更小，答案是“是”或“否”；生硬的判断导数为零。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="less_equal",
        value=np.less_equal,
        partials=(None, None),
        kernel=Map(("le", "x0", "x1")),
        why=Why(
            "At most as large, or larger: the verdict flips at one point and is constant everywhere else.",
            "不超过，还是超过：判断只在一点翻转，其余各处都是常数。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        operands="common",
    ),
    Elementwise(
        name="greater",
        value=np.greater,
        partials=(None, None),
        kernel=Map(("gt", "x0", "x1")),
        why=Why(
            "A threshold answers true or false and hides how far past it a number lies.",
            "阈值只回答真或假，看不出一个数超过了多少。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="greater_equal",
        value=np.greater_equal,
        partials=(None, None),
        kernel=Map(("ge", "x0", "x1")),
        why=Why(
            "At least as large, or not: between the two verdicts there is no middle ground to differentiate.",
            "是否至少一样大：两种判断之间没有可以求导的中间地带。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        operands="common",
    ),
    # -- Logic -------------------------------------------------------------------------------------------------------
    Elementwise(
        name="logical_and",
        value=np.logical_and,
        partials=(None, None),
        kernel=Map(("and", ("truth", "x0"), ("truth", "x1"))),
        why=Why(
            "True when both are; truth values do not vary smoothly, so gradients stop here.",
            "两个都为真才为真；真假值不会平滑变化，所以梯度到此为止。",
        ),
        samples=((0.0, 1.0, -2.0), FLAGS),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="logical_or",
        value=np.logical_or,
        partials=(None, None),
        kernel=Map(("or", ("truth", "x0"), ("truth", "x1"))),
        why=Why(
            "One true input is enough; how true it is makes no difference, and no gradient.",
            "只要有一个为真就够了；“多真”没有区别，也就没有梯度。",
        ),
        samples=((0.0, 1.0, -2.0), FLAGS),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="logical_xor",
        value=np.logical_xor,
        partials=(None, None),
        kernel=Map(("xor", ("truth", "x0"), ("truth", "x1"))),
        why=Why(
            "True when exactly one input is: a combination of yes and no, which has nothing to differentiate.",
            "恰好一个为真时为真：是与否的组合，没有什么可以求导。",
        ),
        samples=((0.0, 1.0, -2.0), FLAGS),
        operands="common",
        preserves_zero=True,
    ),
    # -- Bits --------------------------------------------------------------------------------------------------------
    Elementwise(
        name="bitwise_and",
        value=np.bitwise_and,
        partials=(None, None),
        kernel=Map(("and", "x0", "x1")),
        why=Why(
            "Keeps the bits that both numbers have; whole numbers and their bits have no derivative.",
            "保留两个数都有的比特；整数和它们的比特没有导数。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        preserves_zero=True,
    ),
    Elementwise(
        name="bitwise_or",
        value=np.bitwise_or,
        partials=(None, None),
        kernel=Map(("or", "x0", "x1")),
        why=Why(
            "Sets every bit that either number has; bits switch on and off, nothing in between.",
            "置上任一个数有的每个比特；比特只有开和关，没有中间。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        preserves_zero=True,
    ),
    Elementwise(
        name="bitwise_xor",
        value=np.bitwise_xor,
        partials=(None, None),
        kernel=Map(("xor", "x0", "x1")),
        why=Why(
            "Marks the bits in which two numbers differ; it is exact bookkeeping, not a slope.",
            "标出两个数不同的比特；这是精确的记账，不是斜率。",
        ),
        samples=(INTEGERS, OTHER_INTEGERS),
        preserves_zero=True,
    ),
    Elementwise(
        name="left_shift",
        value=np.left_shift,
        partials=(None, None),
        kernel=Map(("shl", "x0", "x1")),
        why=Why(
            "Moves the bits up by whole places, doubling each time; it is defined for whole numbers alone.",
            "把比特整位左移，每移一位翻一倍；只对整数有定义。",
        ),
        samples=(INTEGERS, SHIFTS),
        preserves_zero=True,
    ),
    Elementwise(
        name="right_shift",
        value=np.right_shift,
        partials=(None, None),
        kernel=Map(("shr", "x0", "x1")),
        why=Why(
            "Moves the bits down and drops those that fall off: halving whole numbers, without a derivative.",
            "把比特右移并丢掉移出的：整数减半取整，没有导数。",
        ),
        samples=(INTEGERS, SHIFTS),
        preserves_zero=True,
    ),
)
