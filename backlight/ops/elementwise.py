"""Mappings of each number on its own: one record per function, the derivative in one line.

Every rule but a constant is ``singular``: the edge multiplies with ``chain``, where 0 · ∞ = 0 and 0 · nan = 0. So a
value that was masked out (gradient 0) never poisons a gradient, however wild the local derivative is there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backlight.ops.samples import ABOVE_ONE, INTEGERS, POSITIVE, REAL, UNIT
from backlight.primitive import REGISTRY as P
from backlight.primitive import Elementwise, Map, Why

__all__: list[str] = []

LN2 = math.log(2.0)
LN10 = math.log(10.0)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


def _as_float(x: Any) -> Any:
    """Integers and booleans as float64, Python numbers as NumPy's; what is floating or complex stays as it is."""
    x = np.asarray(x)[()]
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _sigmoid(x: Any) -> Any:
    with np.errstate(over="ignore"):  # exp(-x) = inf gives 1 / inf = 0, which is right
        return np.reciprocal(1 + np.exp(-_as_float(x)))


def _sech_squared(x: Any) -> Any:
    x = _as_float(x)
    e = np.exp(-2 * (np.where(np.signbit(x.real), -x, x)[()] if x.dtype.kind == "c" else np.abs(x)))
    return 4 * e / np.square(1 + e)


def _root_of_one_minus_square(x: Any) -> Any:
    """√(1 - x²) in factors, so that nothing cancels near ±1.

    A complex x has a root of each factor: their product has the branch cuts of arcsin, where the sign of an imaginary
    zero says on which side x lies. ``x - 1`` keeps that sign (-0 - 0 = -0), ``1 - x`` and ``x + 1`` lose it
    (Kahan, "Branch cuts for complex elementary functions", 1987).
    """
    if x.dtype.kind == "c":
        return P.sqrt(-(x - 1)) * P.sqrt(x - (-1))
    return P.sqrt((1 - x) * (1 + x))


def _arctan_slope(x: Any) -> Any:
    """1/(1 + x²), without a square that overflows, or cancels 1 near ±i."""
    if x.dtype.kind == "c":
        return P.reciprocal(x - 1j) * P.reciprocal(x + 1j)
    return P.square(P.reciprocal(P.hypot(1.0, x)))


def _arcsinh_slope(x: Any, y: Any) -> Any:
    """1/√(1 + x²), without a square that overflows; cosh y is that root on the side of the branch cut that y is on."""
    return P.reciprocal(P.cosh(y) if x.dtype.kind == "c" else P.hypot(1.0, x))


# erf(x) = x·p(x²) for |x| < 1 and 1 - exp(-x²)·q((x - 2)/(x + 2)) for 1 <= x <= 6; the coefficients interpolate at
# Chebyshev nodes in 50-digit arithmetic, with errors of 8e-18 (p) and 4e-17 (q). Beyond 6, erf(x) rounds to 1.
ERF_NEAR = (
    1.1283791670955126,
    -0.37612638903183543,
    0.11283791670945006,
    -0.02686617064323777,
    0.0052239776071164225,
    -0.0008548325975389692,
    0.00012055294904839707,
    -1.492473690741966e-05,
    1.6447424703317362e-06,
    -1.6208483801871705e-07,
    1.3720064546777686e-08,
    -7.795898827002142e-10,
)
ERF_FAR = (
    0.2553956763105057,
    -0.4271858474139585,
    0.24165819424248763,
    -0.07897858101571269,
    0.0037328924016564484,
    0.006997461739200575,
    -0.0008471431229415333,
    -0.0009819771114740715,
    4.355265359817883e-05,
    0.00017436477257256738,
    2.7560352756678313e-05,
    -2.7640727821912852e-05,
    -1.4166339069117108e-05,
    1.859427387429402e-06,
    4.146302183268488e-06,
    -2.22812957637235e-07,
)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Horner's scheme, highest coefficient last."""
    y = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        y *= x
        y += c
    return y


def _erf(x: Any) -> Any:
    given = _as_float(x)
    if given.dtype.kind == "c":
        raise TypeError("erf is defined for real numbers only")
    x = np.asarray(given, np.float64)
    size = np.minimum(np.abs(x), 6.0)
    near = x * _polynomial(ERF_NEAR, np.minimum(size, 1.0) ** 2)
    far = np.copysign(1 - np.exp(-size * size) * _polynomial(ERF_FAR, (size - 2) / (size + 2)), x)
    return np.where(size < 1, near, far).astype(given.dtype)[()]


P.enter(
    # -- Signs, sizes and powers -------------------------------------------------------------------------------------
    Elementwise(
        name="negative",
        value=np.negative,
        partials=(lambda x, y: -1,),
        kernel=Map(("neg", "x0")),
        why=Why(
            "Flipping the sign of the input flips the output by exactly as much, so the gradient only changes sign.",
            "输入变多少，输出就反向变多少，所以梯度只是变号。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        complex=True,
    ),
    Elementwise(
        name="absolute",
        value=np.absolute,
        partials=(lambda x, y: P.sign(x),),
        kernel=Map(("abs", "x0")),
        why=Why(
            "To the right of zero the distance grows with x, to the left it shrinks: the slope is the sign of x.",
            "在零的右边，距离随 x 增大；在左边则减小：斜率就是 x 的符号。",
        ),
        samples=(REAL,),
        kinks=(0.0,),
        at_kink="0, the middle of -1 and 1",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="sign",
        value=np.sign,
        partials=(None,),
        kernel=Map(("select", ("gt", "x0", 0), 1, ("select", ("lt", "x0", 0), -1, "x0"))),
        why=Why(
            "A small nudge does not change which side of zero x is on, so the output does not move at all.",
            "轻轻一推不会改变 x 在零的哪一边，所以输出纹丝不动。",
        ),
        samples=(REAL,),
        kinks=(0.0,),
        at_kink="0, as on both sides of the jump",
        preserves_zero=True,
    ),
    Elementwise(
        name="square",
        value=np.square,
        partials=(lambda x, y: 2 * x,),
        kernel=Map(("mul", "x0", "x0")),
        why=Why(
            "A square of side x grows along two of its edges, each x long: 2x.",
            "边长为 x 的正方形沿两条边同时长大，每条边长 x，所以是 2x。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="sqrt",
        value=np.sqrt,
        partials=(lambda x, y: 0.5 / y,),
        kernel=Map(("sqrt", "x0")),
        why=Why(
            "The root climbs steeply near zero and ever more gently after: half of one over the root itself.",
            "平方根在零附近很陡，之后越来越平缓：斜率是根自身倒数的一半。",
        ),
        samples=(POSITIVE,),
        domain="nonnegative",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="cbrt",
        value=np.cbrt,
        partials=(lambda x, y: P.reciprocal(3 * P.square(y)),),
        kernel=Map(("cbrt", "x0")),
        why=Why(
            "A cube of side y grows on three faces of area y², so one more unit of volume adds 1/(3y²) to y.",
            "边长 y 的立方体在三个面积为 y² 的面上长大，所以体积每增加一份，边长只增加 1/(3y²)。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="reciprocal",
        value=np.reciprocal,
        partials=(lambda x, y: -P.square(y),),
        kernel=Map(("div", 1, "x0")),
        why=Why(
            "Sharing one cake among more people makes each piece smaller, by the square of the piece.",
            "一块蛋糕分给更多的人，每份就变小，减小的速度是每份大小的平方。",
        ),
        samples=(REAL,),
        domain="nonzero",
        singular=True,
        complex=True,
    ),
    # -- Exponentials and logarithms ---------------------------------------------------------------------------------
    Elementwise(
        name="exp",
        value=np.exp,
        partials=(lambda x, y: y,),
        kernel=Map(("exp", "x0")),
        why=Why(
            "The exponential is the function that grows at the rate of its own size: its slope is its value.",
            "指数函数增长的速度正好等于它自身的大小：斜率就是函数值。",
        ),
        samples=(REAL,),
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="exp2",
        value=np.exp2,
        partials=(lambda x, y: LN2 * y,),
        kernel=Map(("exp2", "x0")),
        why=Why(
            "One step of x doubles the output; growth stays proportional to size, with the factor ln 2.",
            "x 每走一步，输出翻一倍；增长与自身大小成正比，比例是 ln 2。",
        ),
        samples=(REAL,),
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="expm1",
        value=np.expm1,
        partials=(lambda x, y: P.exp(x),),
        kernel=Map(("expm1", "x0")),
        why=Why(
            "Taking 1 away from exp(x) moves the curve down but leaves its slope, exp(x), as it was.",
            "从 exp(x) 减去 1 只是把曲线下移，斜率仍然是 exp(x)。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="log",
        value=np.log,
        partials=(lambda x, y: P.reciprocal(x),),
        kernel=Map(("log", "x0")),
        why=Why(
            "A logarithm measures relative change: adding 1 matters much when x is small and little when x is large.",
            "对数衡量相对变化：x 小的时候加 1 影响很大，x 大的时候影响很小。",
        ),
        samples=(POSITIVE,),
        domain="positive",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="log2",
        value=np.log2,
        partials=(lambda x, y: P.reciprocal(LN2 * x),),
        kernel=Map(("log2", "x0")),
        why=Why(
            "It counts doublings, and the larger x is, the more must be added for one more doubling.",
            "它数的是翻倍的次数；x 越大，再翻一倍需要添的就越多。",
        ),
        samples=(POSITIVE,),
        domain="positive",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="log10",
        value=np.log10,
        partials=(lambda x, y: P.reciprocal(LN10 * x),),
        kernel=Map(("log10", "x0")),
        why=Why(
            "It counts decimal digits: one more digit needs ten times as much, so the slope falls as 1/x.",
            "它数的是十进制的位数：多一位就要大十倍，所以斜率按 1/x 下降。",
        ),
        samples=(POSITIVE,),
        domain="positive",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="log1p",
        value=np.log1p,
        partials=(lambda x, y: P.reciprocal(1 + x),),
        kernel=Map(("log1p", "x0")),
        why=Why(
            "The logarithm seen from 1: for small x it follows x itself, then relative change takes over.",
            "从 1 处看对数：x 很小时它几乎就是 x，之后由相对变化主导。",
        ),
        samples=(POSITIVE,),
        domain="above minus one",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    # -- Trigonometric functions -------------------------------------------------------------------------------------
    Elementwise(
        name="sin",
        value=np.sin,
        partials=(lambda x, y: P.cos(x),),
        kernel=Map(("sin", "x0")),
        why=Why(
            "For a point moving round the unit circle, the height changes as fast as the point moves upwards: cos x.",
            "点沿单位圆运动时，高度变化的快慢就是它向上的速度：cos x。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="cos",
        value=np.cos,
        partials=(lambda x, y: -P.sin(x),),
        kernel=Map(("cos", "x0")),
        why=Why(
            "As the point on the unit circle climbs, it moves inwards by its height: the slope is -sin x.",
            "单位圆上的点越往上升就越往里靠，靠拢的速度是它的高度：斜率是 -sin x。",
        ),
        samples=(REAL,),
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="tan",
        value=np.tan,
        partials=(lambda x, y: P.square(P.reciprocal(P.cos(x))),),
        kernel=Map(("tan", "x0")),
        why=Why(
            "The beam of a turning lighthouse runs along a wall ever faster as it points along the wall: 1/cos² x.",
            "转动的灯塔光束越接近与墙平行，光点在墙上跑得越快：1/cos² x。",
        ),
        samples=((-1.2, -0.5, 0.4, 1.1),),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="arcsin",
        value=np.arcsin,
        partials=(lambda x, y: P.reciprocal(_root_of_one_minus_square(x)),),
        kernel=Map(("arcsin", "x0")),
        why=Why(
            "Near ±1 the sine barely moves, so a small change of x needs a large change of the angle.",
            "在 ±1 附近正弦几乎不动，所以 x 的一点变化需要角度变化很多。",
        ),
        samples=(UNIT,),
        domain="unit interval",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="arccos",
        value=np.arccos,
        partials=(lambda x, y: -P.reciprocal(_root_of_one_minus_square(x)),),
        kernel=Map(("arccos", "x0")),
        why=Why(
            "It is a right angle minus arcsin x, so it falls exactly as fast as arcsin climbs.",
            "它等于直角减去 arcsin x，所以 arcsin 上升多快，它就下降多快。",
        ),
        samples=(UNIT,),
        domain="unit interval",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="arctan",
        value=np.arctan,
        partials=(lambda x, y: _arctan_slope(x),),
        kernel=Map(("arctan", "x0")),
        why=Why(
            "A slope that is already steep must grow a lot to turn the line a little further: 1/(1 + x²).",
            "已经很陡的斜率要增大很多，直线才会再转一点点：1/(1 + x²)。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    # -- Hyperbolic functions ----------------------------------------------------------------------------------------
    Elementwise(
        name="sinh",
        value=np.sinh,
        partials=(lambda x, y: P.cosh(x),),
        kernel=Map(("sinh", "x0")),
        why=Why(
            "Half of exp(x) minus half of exp(-x): differentiating turns the minus into a plus, which is cosh.",
            "它是 exp(x) 与 exp(-x) 之差的一半：求导把减号变成加号，就成了 cosh。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="cosh",
        value=np.cosh,
        partials=(lambda x, y: P.sinh(x),),
        kernel=Map(("cosh", "x0")),
        why=Why(
            "A hanging chain is level at its lowest point and steeper the further out you go: its slope is sinh x.",
            "悬链线在最低点是水平的，离得越远越陡：斜率是 sinh x。",
        ),
        samples=(REAL,),
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="tanh",
        value=np.tanh,
        partials=(lambda x, y: P.sech_squared(x),),  # 1 - y² would lose every digit for large |x|
        kernel=Map(("tanh", "x0")),
        why=Why(
            "It follows x near zero and saturates at ±1: once it is full, nudging x hardly moves it.",
            "它在零附近紧跟 x，到 ±1 就饱和：一旦饱和，再推 x 也几乎不动。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="sech_squared",
        value=_sech_squared,
        partials=(lambda x, y: -2 * y * P.tanh(x),),
        kernel=Map(("div", 1, ("mul", ("cosh", "x0"), ("cosh", "x0")))),
        why=Why(
            "The slope of tanh: a bump of height 1 that fades like 4 exp(-2|x|), by its own size times -2 tanh x.",
            "tanh 的斜率：高为 1 的小丘，像 4 exp(-2|x|) 那样消退；它的斜率是自身大小乘 -2 tanh x。",
        ),
        samples=(REAL,),
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="arcsinh",
        value=np.arcsinh,
        partials=(_arcsinh_slope,),
        kernel=Map(("arcsinh", "x0")),
        why=Why(
            "Like x near zero and like a logarithm far out, in both directions: the slope goes from 1 to 1/|x|.",
            "在零附近像 x，远处向两边都像对数：斜率从 1 过渡到 1/|x|。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="arccosh",
        value=np.arccosh,
        partials=(lambda x, y: P.reciprocal(P.sqrt(x - 1) * P.sqrt(x - (-1))),),
        kernel=Map(("arccosh", "x0")),
        why=Why(
            "The hanging chain is level at its lowest point, so undoing it starts with an infinite slope at 1.",
            "悬链线在最低点是水平的，所以反过来求时，在 1 处以无穷大的斜率起步。",
        ),
        samples=(ABOVE_ONE,),
        domain="at least one",
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="arctanh",
        value=np.arctanh,
        partials=(lambda x, y: P.reciprocal(1 - x) * P.reciprocal(1 + x),),
        kernel=Map(("arctanh", "x0")),
        why=Why(
            "It undoes a saturation: close to ±1 the tiniest step of x stands for a long way before the squashing.",
            "它还原饱和：在 ±1 附近，x 的一小步对应压缩之前的一大段。",
        ),
        samples=(UNIT,),
        domain="open unit interval",
        preserves_zero=True,
        singular=True,
        complex=True,
    ),
    # -- Functions that networks use ---------------------------------------------------------------------------------
    Elementwise(
        name="sigmoid",
        value=_sigmoid,
        partials=(lambda x, y: y * P.sigmoid(-x),),  # 1 - y would lose every digit for large x
        kernel=Map(("div", 1, ("add", 1, ("exp", ("neg", "x0"))))),
        why=Why(
            "The output is a probability, and it moves most when undecided: yes times no, y(1 - y).",
            "输出是一个概率，最犹豫时变化最大：“是”的概率乘“否”的概率，y(1 - y)。",
        ),
        samples=(REAL,),
        singular=True,
        complex=True,
    ),
    Elementwise(
        name="relu",
        value=lambda x: np.maximum(x, 0),
        partials=(lambda x, y: P.sign(y),),  # the sign of the output: 1 where it is positive, 0 where it is cut off
        kernel=Map(("max", "x0", 0)),
        why=Why(
            "A gate: where x is positive the gradient passes unchanged, where it is cut off nothing gets through.",
            "一道闸门：x 为正时梯度原样通过，被截断时什么也过不去。",
        ),
        samples=(REAL,),
        kinks=(0.0,),
        at_kink="0, the slope of the side that is cut off",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="erf",
        value=_erf,
        partials=(lambda x, y: TWO_OVER_SQRT_PI * P.exp(-P.square(x)),),
        kernel=Map(("erf", "x0")),
        why=Why(
            "It adds up the area under the bell curve, so it grows as fast as the bell is high: 2/√π · exp(-x²).",
            "它累加钟形曲线下的面积，所以增长的速度就是钟形曲线的高度：2/√π · exp(-x²)。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
    ),
    # -- Rounding ----------------------------------------------------------------------------------------------------
    Elementwise(
        name="floor",
        value=np.floor,
        partials=(None,),
        kernel=Map(("floor", "x0")),
        why=Why(
            "A staircase is flat wherever you stand on it: rounding down passes no gradient.",
            "站在楼梯的哪一级上都是平的：向下取整不传递梯度。",
        ),
        samples=(REAL,),
        preserves_zero=True,
    ),
    Elementwise(
        name="ceil",
        value=np.ceil,
        partials=(None,),
        kernel=Map(("ceil", "x0")),
        why=Why(
            "Rounding up gives whole numbers only, and between two of them nothing changes: the derivative is zero.",
            "向上取整只给出整数，两个整数之间没有变化：导数为零。",
        ),
        samples=(REAL,),
        preserves_zero=True,
    ),
    Elementwise(
        name="rint",
        value=np.rint,
        partials=(None,),
        kernel=Map(("rint", "x0")),
        why=Why(
            "The nearest whole number stays the same under a small nudge, so no gradient comes back.",
            "轻轻一推，最近的整数不会变，所以没有梯度传回来。",
        ),
        samples=(REAL,),
        preserves_zero=True,
    ),
    Elementwise(
        name="trunc",
        value=np.trunc,
        partials=(None,),
        kernel=Map(("trunc", "x0")),
        why=Why(
            "Dropping the digits after the point hides every small change, and its gradient with it.",
            "去掉小数部分，就把一切微小的变化连同梯度一起藏掉了。",
        ),
        samples=(REAL,),
        preserves_zero=True,
    ),
    # -- Questions about one number ----------------------------------------------------------------------------------
    Elementwise(
        name="isnan",
        value=np.isnan,
        partials=(None,),
        kernel=Map(("isnan", "x0")),
        why=Why(
            "Whether a value is not a number is a yes or a no, and yes and no have no slope.",
            "一个值是不是 NaN，答案只有是或否，而是与否没有斜率。",
        ),
        samples=(REAL,),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="isinf",
        value=np.isinf,
        partials=(None,),
        kernel=Map(("isinf", "x0")),
        why=Why(
            "Infinite or not: the answer does not slide from one to the other, so nothing flows back.",
            "是否无穷大：答案不会渐渐地从一个变成另一个，所以没有东西往回流。",
        ),
        samples=(REAL,),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="isfinite",
        value=np.isfinite,
        partials=(None,),
        kernel=Map(("isfinite", "x0")),
        why=Why(
            "It checks that a value is an ordinary number; a check passes or fails and has no derivative.",
            "它检查一个值是不是普通的数；检查只有通过或不通过，没有导数。",
        ),
        samples=(REAL,),
        operands="common",
    ),
    Elementwise(
        name="signbit",
        value=np.signbit,
        partials=(None,),
        kernel=Map(("signbit", "x0")),
        why=Why(
            "It reads the one bit that holds the sign, and a bit cannot change by a little.",
            "它读取存放符号的那一个比特，而比特不会只变一点点。",
        ),
        samples=(REAL,),
        operands="common",
        preserves_zero=True,
    ),
    Elementwise(
        name="logical_not",
        value=np.logical_not,
        partials=(None,),
        kernel=Map(("eq", "x0", 0)),
        why=Why(
            "It turns true into false and false into true; there is nothing in between to differentiate.",
            "它把真变假、把假变真；中间没有什么可以求导。",
        ),
        samples=((0.0, 1.0, -2.0),),
        operands="common",
    ),
    Elementwise(
        name="invert",
        value=np.invert,
        partials=(None,),
        kernel=Map(("invert", "x0")),
        why=Why(
            "Every bit is flipped; whole numbers move in jumps, so there is no slope to follow.",
            "每个比特都翻转；整数只能跳着变，所以没有斜率可循。",
        ),
        samples=(INTEGERS,),
    ),
)
