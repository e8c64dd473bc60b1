"""The records of SciPy's special functions. ``special.py`` imports this when one of them is first needed."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
from scipy import special as scipy

from backlight.errors import UnsupportedError, message
from backlight.ops.samples import ORDERS, POSITIVE, PROBABILITIES, REAL, UNIT
from backlight.primitive import REGISTRY as P
from backlight.primitive import Elementwise, Map, Why
from backlight.trace import user_source

__all__ = ["UFUNCS"]

UFUNCS = (
    *("logit", "log_expit", "gamma", "gammaln", "beta", "betaln"),
    *("erfc", "erfcx", "erfinv", "erfcinv", "ndtr", "log_ndtr", "ndtri"),
    *("xlogy", "xlog1py", "entr", "rel_entr", "kl_div"),
    *("i0", "i1", "i0e", "i1e", "iv", "ive", "j0", "j1", "jv"),
)
"""The ufuncs of ``scipy.special`` that have a record of the same name here."""

SQRT_PI = math.sqrt(math.pi)
SQRT_2 = math.sqrt(2.0)
SQRT_2PI = math.sqrt(2.0 * math.pi)


def _no_order(function: str) -> Any:
    """A partial for an order or exponent by which no closed derivative is known."""

    def refuse(*arguments: Any) -> NoReturn:
        raise UnsupportedError(message("no_order_derivative", str(user_source() or ""), operation=function))

    return refuse


def _polygamma(n: Any, x: Any) -> Any:
    x = np.asarray(x)
    return np.asarray(scipy.polygamma(n, x)).astype(x.dtype if x.dtype.kind == "f" else np.float64)[()]


def _erfcx_slope(x: Any, y: Any) -> Any:
    """2x·erfcx(x) - 2/√π; for large x, where that cancels, its asymptotic series in u = 1/(2x²) (DLMF 7.12.1)."""
    far = x > 20
    u = P.where(far, 0.5 * P.square(P.reciprocal(P.where(far, x, 1))), 0)
    series = u * (-1 + u * (3 + u * (-15 + u * (105 + u * (-945 + u * (10395 - 135135 * u))))))
    return P.where(far, 2 / SQRT_PI * series, 2 * x * y - 2 / SQRT_PI)


def _log_where_it_counts(x1: Any, inside: Any) -> Any:
    """log(inside), but 0 where x1 = 0 multiplies a logarithm that does not exist."""
    void = P.logical_and(x1 == 0, inside <= 0)
    return P.log(P.where(void, 1, inside))


def _log_ratio(x1: Any, x2: Any, more: float) -> Any:
    """log(x1/x2) + more, but 0 where both are 0."""
    void = P.logical_and(x1 == 0, x2 == 0)
    return P.where(void, 0, P.log(x1 / P.where(void, 1, x2)) + more)


_X_LOG_RATIO = ("select", ("eq", "x0", 0), 0, ("mul", "x0", ("log", ("div", "x0", "x1"))))

P.enter(
    # -- Probabilities and their logarithms --------------------------------------------------------------------------
    Elementwise(
        name="logit",
        value=scipy.logit,
        partials=(lambda x, y: P.reciprocal(x) + P.reciprocal(1 - x),),
        kernel=Map(("log", ("div", "x0", ("sub", 1, "x0")))),
        why=Why(
            "It turns a probability into log-odds; near 0 and 1 each further step of certainty costs ever more odds.",
            "它把概率变成对数几率；越靠近 0 和 1，再确定一点所需的几率就越多。",
        ),
        samples=(PROBABILITIES,),
        domain="open probability",
        singular=True,
    ),
    Elementwise(
        name="log_expit",
        value=scipy.log_expit,
        partials=(lambda x, y: P.sigmoid(-x),),
        kernel=Map(("sub", ("min", "x0", 0), ("log1p", ("exp", ("neg", ("abs", "x0")))))),
        why=Why(
            "The logarithm of a sigmoid improves only while there is doubt left: its slope is the probability of no.",
            "sigmoid 的对数只有在尚存疑问时才会变好：斜率就是“否”的概率。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="xlogy",
        value=scipy.xlogy,
        partials=(lambda x1, x2, y: _log_where_it_counts(x1, x2), lambda x1, x2, y: P.chain(x1, P.reciprocal(x2))),
        kernel=Map(("select", ("eq", "x0", 0), 0, ("mul", "x0", ("log", "x1")))),
        why=Why(
            "A logarithm with a weight in front: where the weight is 0, even log 0 counts for nothing.",
            "前面带权重的对数：权重为 0 的地方，连 log 0 也不算数。",
        ),
        samples=(REAL, POSITIVE),
        domain="x log y",
        at_kink="0 where x1 = 0 and x2 <= 0",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="xlog1py",
        value=scipy.xlog1py,
        partials=(
            lambda x1, x2, y: P.log1p(P.where(P.logical_and(x1 == 0, x2 <= -1), 0, x2)),
            lambda x1, x2, y: P.chain(x1, P.reciprocal(1 + x2)),
        ),
        kernel=Map(("select", ("eq", "x0", 0), 0, ("mul", "x0", ("log1p", "x1")))),
        why=Why(
            "A weighted log(1 + x2), exact for tiny x2; the weight decides how much the logarithm matters.",
            "加权的 log(1 + x2)，x2 极小时也精确；权重决定对数有多重要。",
        ),
        samples=(REAL, POSITIVE),
        domain="x log1p y",
        at_kink="0 where x1 = 0 and x2 <= -1",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="entr",
        value=scipy.entr,
        partials=(lambda x, y: -P.log(x) - 1,),
        kernel=Map(("select", ("eq", "x0", 0), 0, ("neg", ("mul", "x0", ("log", "x0"))))),
        why=Why(
            "The surprise that an outcome of probability x brings on average; the rarer it is, the faster it grows.",
            "概率为 x 的结果平均带来的惊讶；越罕见，增长得越快。",
        ),
        samples=(POSITIVE,),
        domain="nonnegative",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="rel_entr",
        value=scipy.rel_entr,
        partials=(lambda x1, x2, y: _log_ratio(x1, x2, 1), lambda x1, x2, y: -P.chain(x1, P.reciprocal(x2))),
        kernel=Map(_X_LOG_RATIO),
        why=Why(
            "The price of expecting x2 when x1 is true: it rises with how many times x2 falls short of x1.",
            "真实是 x1 却预期 x2 的代价：x2 比 x1 小的倍数越大，代价越高。",
        ),
        samples=(POSITIVE, (0.3, 0.8, 1.6)),
        domain="relative entropy",
        at_kink="0 by x1 where both are 0",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="kl_div",
        value=scipy.kl_div,
        partials=(lambda x1, x2, y: _log_ratio(x1, x2, 0), lambda x1, x2, y: 1 - P.chain(x1, P.reciprocal(x2))),
        kernel=Map(("add", ("sub", _X_LOG_RATIO, "x0"), "x1")),
        why=Why(
            "A divergence that is smallest, and flat, where x1 and x2 agree: both slopes vanish there.",
            "x1 与 x2 一致时散度最小，而且是平的：两个斜率都消失。",
        ),
        samples=(POSITIVE, (0.3, 0.8, 1.6)),
        domain="relative entropy",
        at_kink="0 by x1 where both are 0",
        preserves_zero=True,
        singular=True,
    ),
    # -- The bell curve and its area ---------------------------------------------------------------------------------
    Elementwise(
        name="erfc",
        value=scipy.erfc,
        partials=(lambda x, y: -2 / SQRT_PI * P.exp(-P.square(x)),),
        kernel=Map(("erfc", "x0")),
        why=Why(
            "What is left of the area under the bell curve beyond x; moving x to the right cuts a strip off.",
            "钟形曲线下 x 右边剩下的面积；x 向右移就切掉一条。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="erfcx",
        value=scipy.erfcx,
        partials=(_erfcx_slope,),
        kernel=Map(("erfcx", "x0")),
        why=Why(
            "The tail of the bell curve magnified by exp(x²), so that it fades as gently as 1/x and never underflows.",
            "用 exp(x²) 放大的钟形曲线尾部，像 1/x 那样缓慢减小，不会下溢。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="erfinv",
        value=scipy.erfinv,
        partials=(lambda x, y: SQRT_PI / 2 * P.exp(P.square(y)),),
        kernel=Map(("erfinv", "x0")),
        why=Why(
            "Where the bell curve is low, a little more area takes a long way: one over the height at y.",
            "钟形曲线低矮的地方，多一点面积就要走很远：斜率是 y 处高度的倒数。",
        ),
        samples=(UNIT,),
        domain="open unit interval",
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="erfcinv",
        value=scipy.erfcinv,
        partials=(lambda x, y: -SQRT_PI / 2 * P.exp(P.square(y)),),
        kernel=Map(("erfcinv", "x0")),
        why=Why(
            "It finds the point with area x beyond it; more area means a point further to the left.",
            "它找出右侧面积为 x 的点；面积越大，点就越靠左。",
        ),
        samples=((0.1, 0.6, 1.3, 1.8),),
        domain="between zero and two",
        singular=True,
    ),
    Elementwise(
        name="ndtr",
        value=scipy.ndtr,
        partials=(lambda x, y: P.exp(-0.5 * P.square(x)) / SQRT_2PI,),
        kernel=Map(("mul", 0.5, ("erfc", ("div", ("neg", "x0"), SQRT_2)))),
        why=Why(
            "The probability that a standard normal number is below x grows by the density at x.",
            "标准正态随机数小于 x 的概率，增长的速度就是 x 处的密度。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="log_ndtr",
        value=scipy.log_ndtr,
        # density / probability = √(2/π) / erfcx(-x/√2), which neither cancels nor underflows (inverse Mills ratio)
        partials=(lambda x, y: SQRT_2 / SQRT_PI / P.erfcx(x / -SQRT_2),),
        kernel=Map(("log_ndtr", "x0")),
        why=Why(
            "Its slope is density over probability: far in the left tail it grows like -x, however tiny both are.",
            "斜率是密度除以概率：在左尾深处，无论两者多小，它都像 -x 那样增长。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="ndtri",
        value=scipy.ndtri,
        partials=(lambda x, y: SQRT_2PI * P.exp(0.5 * P.square(y)),),
        kernel=Map(("mul", -SQRT_2, ("erfcinv", ("mul", 2, "x0")))),
        why=Why(
            "It finds the quantile: where few numbers lie, a little more probability moves it far.",
            "它求分位数：数据稀少的地方，概率多一点点，分位数就移动很远。",
        ),
        samples=(PROBABILITIES,),
        domain="open probability",
        singular=True,
    ),
    # -- Factorials between the whole numbers ------------------------------------------------------------------------
    Elementwise(
        name="gamma",
        value=scipy.gamma,
        partials=(lambda x, y: y * P.digamma(x),),
        kernel=Map(("gamma", "x0")),
        why=Why(
            "The factorial made smooth: it grows in proportion to itself, at the rate digamma(x).",
            "平滑的阶乘：按自身大小成比例增长，比率是 digamma(x)。",
        ),
        samples=(REAL,),
        domain="off the poles",
        singular=True,
    ),
    Elementwise(
        name="gammaln",
        value=scipy.gammaln,
        partials=(lambda x, y: P.digamma(x),),
        kernel=Map(("gammaln", "x0")),
        why=Why(
            "The logarithm of a factorial gains about log x with each step, and that rate is digamma.",
            "阶乘的对数每走一步大约增加 log x，这个速度就是 digamma。",
        ),
        samples=(REAL,),
        domain="off the poles",
        singular=True,
    ),
    Elementwise(
        name="digamma",
        value=scipy.psi,
        partials=(lambda x, y: P.polygamma(1, x),),
        kernel=Map(("digamma", "x0")),
        why=Why(
            "A smooth relative of the harmonic numbers 1 + 1/2 + 1/3 + …, growing ever more slowly.",
            "调和数 1 + 1/2 + 1/3 + … 的平滑亲戚，增长越来越慢。",
        ),
        samples=(REAL,),
        domain="off the poles",
        singular=True,
    ),
    Elementwise(
        name="polygamma",
        value=_polygamma,
        partials=(None, lambda x1, x2, y: P.polygamma(x1 + 1, x2)),
        kernel=Map(("polygamma", "x0", "x1")),
        why=Why(
            "The next rung of a ladder: each polygamma is the derivative of the one before it.",
            "梯子的下一级：每个 polygamma 都是前一个的导数。",
        ),
        samples=(ORDERS, POSITIVE),
        domain="second off the poles",
        singular=True,
    ),
    Elementwise(
        name="zeta",
        value=scipy.zeta,
        partials=(_no_order("zeta"), lambda x1, x2, y: -x1 * P.zeta(x1 + 1, x2)),
        kernel=Map(("zeta", "x0", "x1")),
        why=Why(
            "A sum of powers (k + x2)^-x1; moving the start x2 moves every term, each by the next lower power.",
            "幂 (k + x2)^-x1 的和；起点 x2 一动，每一项都按低一次的幂跟着动。",
        ),
        samples=((1.5, 2.0, 3.5), POSITIVE),
        domain="zeta",
        singular=True,
    ),
    Elementwise(
        name="beta",
        value=scipy.beta,
        partials=(
            lambda x1, x2, y: y * (P.digamma(x1) - P.digamma(x1 + x2)),
            lambda x1, x2, y: y * (P.digamma(x2) - P.digamma(x1 + x2)),
        ),
        kernel=Map(("div", ("mul", ("gamma", "x0"), ("gamma", "x1")), ("gamma", ("add", "x0", "x1")))),
        why=Why(
            "The area under t^(x1 - 1)·(1 - t)^(x2 - 1): raising either power presses the curve down.",
            "曲线 t^(x1 - 1)·(1 - t)^(x2 - 1) 下的面积：升高任何一个幂都会把曲线压低。",
        ),
        samples=(POSITIVE, (0.4, 1.1, 2.3)),
        domain="both positive",
        singular=True,
    ),
    Elementwise(
        name="betaln",
        value=scipy.betaln,
        partials=(
            lambda x1, x2, y: P.digamma(x1) - P.digamma(x1 + x2),
            lambda x1, x2, y: P.digamma(x2) - P.digamma(x1 + x2),
        ),
        kernel=Map(("sub", ("add", ("gammaln", "x0"), ("gammaln", "x1")), ("gammaln", ("add", "x0", "x1")))),
        why=Why(
            "Log-factorials of the parts minus that of the whole, so the slopes are differences of digammas.",
            "各部分阶乘的对数减去整体的，所以斜率是 digamma 之差。",
        ),
        samples=(POSITIVE, (0.4, 1.1, 2.3)),
        domain="both positive",
        singular=True,
    ),
    # -- Bessel functions (DLMF 10.6.1 and 10.29.1) --------------------------------------------------------------------
    Elementwise(
        name="i0",
        value=scipy.i0,
        partials=(lambda x, y: P.i1(x),),
        kernel=Map(("iv", 0, "x0")),
        why=Why(
            "Bowl-shaped and flat at its bottom; how fast it rises is told by its neighbour i1.",
            "形状像碗，底部是平的；上升得多快由它的邻居 i1 给出。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="i1",
        value=scipy.i1,
        partials=(lambda x, y: 0.5 * (P.i0(x) + P.iv(2, x)),),
        kernel=Map(("iv", 1, "x0")),
        why=Why(
            "Its slope is the average of the neighbours above and below it, i0 and i2.",
            "它的斜率是上下两个邻居 i0 与 i2 的平均。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="i0e",
        value=scipy.i0e,
        partials=(lambda x, y: P.i1e(x) - P.sign(x) * y,),
        kernel=Map(("mul", ("iv", 0, "x0"), ("exp", ("neg", ("abs", "x0"))))),
        why=Why(
            "i0 with its exponential growth divided out: the rise of i0 minus the fall of exp(-|x|).",
            "除去指数增长的 i0：i0 的上升减去 exp(-|x|) 的下降。",
        ),
        samples=(REAL,),
        kinks=(0.0,),
        at_kink="0, the middle of 1 and -1",
        singular=True,
    ),
    Elementwise(
        name="i1e",
        value=scipy.i1e,
        partials=(lambda x, y: 0.5 * (P.i0e(x) + P.ive(2, x)) - P.sign(x) * y,),
        kernel=Map(("mul", ("iv", 1, "x0"), ("exp", ("neg", ("abs", "x0"))))),
        why=Why(
            "i1 kept in range by exp(-|x|): the average of its neighbours, less its own share of the damping.",
            "用 exp(-|x|) 压住的 i1：邻居的平均，减去阻尼中属于自己的那一份。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="iv",
        value=scipy.iv,
        partials=(_no_order("iv"), lambda x1, x2, y: 0.5 * (P.iv(x1 - 1, x2) + P.iv(x1 + 1, x2))),
        kernel=Map(("iv", "x0", "x1")),
        why=Why(
            "In the family of modified Bessel functions each one's slope is the mean of the orders below and above.",
            "在修正贝塞尔函数族里，每一个的斜率都是低一阶与高一阶的平均。",
        ),
        samples=(ORDERS, POSITIVE),
        singular=True,
    ),
    Elementwise(
        name="ive",
        value=scipy.ive,
        partials=(
            _no_order("ive"),
            lambda x1, x2, y: 0.5 * (P.ive(x1 - 1, x2) + P.ive(x1 + 1, x2)) - P.sign(x2) * y,
        ),
        kernel=Map(("mul", ("iv", "x0", "x1"), ("exp", ("neg", ("abs", "x1"))))),
        why=Why(
            "A modified Bessel function scaled so as not to overflow; the scaling takes away one copy of itself.",
            "缩放后不会溢出的修正贝塞尔函数；缩放使斜率减去它自身一份。",
        ),
        samples=(ORDERS, POSITIVE),
        singular=True,
    ),
    Elementwise(
        name="j0",
        value=scipy.j0,
        partials=(lambda x, y: -P.j1(x),),
        kernel=Map(("jv", 0, "x0")),
        why=Why(
            "A fading wave, as on a struck drum; it turns where the companion wave j1 crosses zero.",
            "像鼓面上渐弱的波；在伴随的波 j1 过零的地方转向。",
        ),
        samples=(REAL,),
        singular=True,
    ),
    Elementwise(
        name="j1",
        value=scipy.j1,
        partials=(lambda x, y: 0.5 * (P.j0(x) - P.jv(2, x)),),
        kernel=Map(("jv", 1, "x0")),
        why=Why(
            "Half the gap between its neighbours j0 and j2, as the cosine's place is between two sines.",
            "邻居 j0 与 j2 之差的一半，就像余弦处在两个正弦之间。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        singular=True,
    ),
    Elementwise(
        name="jv",
        value=scipy.jv,
        partials=(_no_order("jv"), lambda x1, x2, y: 0.5 * (P.jv(x1 - 1, x2) - P.jv(x1 + 1, x2))),
        kernel=Map(("jv", "x0", "x1")),
        why=Why(
            "Each Bessel wave is pushed up by the order below it and pulled down by the order above.",
            "每个贝塞尔波都被低一阶的波推高，被高一阶的波拉低。",
        ),
        samples=(ORDERS, POSITIVE),
        singular=True,
    ),
)
