"""The error function's family and the gamma function's as straight lines of vector instructions.

All but erf, which networks use, compute in double precision and round to single at the end.
"""

from __future__ import annotations

from backlight.compiler.ir import Function, Value
from backlight.compiler.math_angles import sine_and_cosine_of_turns
from backlight.compiler.math_exponentials import exp, exp2_pair, one_less_exp2
from backlight.compiler.math_logarithms import log, log1p, log2_pair
from backlight.compiler.math_tools import SINGLE, Pair, at_least, at_most, fast_sum, form, polynomial, product, refined
from backlight.ops.random import _CENTRE, _FAR, _TAIL

__all__ = ["digamma", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "gamma", "gammaln", "log_ndtr"]

INF, NAN = float("inf"), float("nan")
_ROOT_HALF = 0.7071067811865476


# -- The error function --------------------------------------------------------------------------------------------

# fit: -log₂(erfc(x)) / x, 0 <= x <= 3.93, for single precision; error of erf 2⁻²⁷·³
_ERF_SINGLE = (
    1.6279070377349854,
    0.9184473752975464,
    0.14828044176101685,
    -0.02764839492738247,
    -0.0001941839000210166,
    0.002360840793699026,
    -0.0008849760633893311,
    0.0001607699232408777,
    -1.2227395018271636e-05,
)
# fit: erf(x) / x in x², |x| <= 0.51; error 2⁻⁵⁷·³
_ERF_NEAR = (
    1.1283791670955126,
    -0.37612638903183365,
    0.11283791670915369,
    -0.026866170629475467,
    0.005223977316128313,
    -0.0008548292631963262,
    0.00012053080944942765,
    -1.4839308691011361e-05,
    1.4657747003996699e-06,
)
# fit: (1 + 2x) · exp(x²) · erfc(x) in t = (x - 3.75)/(x + 3.75), 0 <= x (Shepherd & Laframboise, 1981); error 2⁻⁵⁸·²
_ERFCX = (
    1.2375126308378275,
    -0.14024059858554697,
    0.0035854154854647736,
    0.08227673849014676,
    -0.10880393014176583,
    0.09230432116033627,
    -0.05869339858931091,
    0.028362277419458782,
    -0.009746579561249885,
    0.0017556258494997822,
    0.00029371368431207394,
    -0.0002901540665427567,
    5.164903008902402e-05,
    2.2384202145811793e-05,
    -1.1443980139833511e-05,
    -9.734958318575153e-07,
    1.7513706513546792e-06,
    -5.7290464878117694e-08,
    -2.583854633990334e-07,
    2.3314605961431778e-08,
    3.8485301082390415e-08,
    -3.7647985658096164e-09,
    -5.100779178532565e-09,
    3.147479627035735e-10,
    4.1281943226757443e-10,
)


def erf(b: Function, x: Value) -> Value:
    """The error function: in single precision 1 - 2^(-x · p(x)), which neither cancels nor passes 1."""
    size = b.intrinsic("fabs", x)
    if form(x) is SINGLE:
        size = at_most(size, 3.93)
        return b.intrinsic("copysign", one_less_exp2(b, size * polynomial(size, _ERF_SINGLE)), x)
    far = b.intrinsic("copysign", 1.0 - _tail(b, size), x)
    return size.lt(0.5).select(_near(x), far)


def _scaled_tail(b: Function, size: Value) -> Value:
    """exp(x²) · erfc(x) for x = size >= 0."""
    held = at_most(size, 1e100)
    t = (held - 3.75) / (held + 3.75)
    return polynomial(t, _ERFCX) * 0.5 / (size + 0.5)


def _exp_square(b: Function, x: Value, factor: float) -> Value:
    """exp(factor · x²) for a power of two; what x² was rounded by is made good."""
    square = x * x
    lost = b.fma(x, x, -square)
    return exp(b, square * factor) * b.fma(lost, factor, 1.0)


def _tail(b: Function, size: Value) -> Value:
    """erfc(x) for x = size >= 0; from 27 on it is 0."""
    size = at_most(size, 28.0)
    return _exp_square(b, size, -1.0) * _scaled_tail(b, size)


def _near(x: Value) -> Value:
    """erf(x) for |x| <= 1/2."""
    return x * polynomial(x * x, _ERF_NEAR)


@refined
def erfc(b: Function, x: Value) -> Value:
    """1 - erf(x); erfc(-x) = 2 - erfc(x)."""
    size = b.intrinsic("fabs", x)
    y = _tail(b, size)
    return size.lt(0.5).select(1.0 - _near(x), x.lt(0.0).select(2.0 - y, y))


@refined
def erfcx(b: Function, x: Value) -> Value:
    """exp(x²) · erfc(x); for negative x it is 2 exp(x²) less that of |x|."""
    y = _scaled_tail(b, b.intrinsic("fabs", x))
    e = _exp_square(b, at_most(at_least(x, -27.0), 0.0), 1.0)
    return x.lt(0.0).select(b.fma(e, 2.0, -y), y)


@refined
def log_ndtr(b: Function, x: Value) -> Value:
    """log of half of erfc(-x/√2): log(erfcx(s)/2) - x²/2 for negative x and log1p(-erfc(s)/2) else, s = |x|/√2."""
    size = b.intrinsic("fabs", x)
    half = _scaled_tail(b, size * _ROOT_HALF) * 0.5
    left = x.lt(0.0)
    # The logarithm is a trifle beside x²/2 where half of erfcx is beyond the last digit of 1.
    argument = left.select(at_least(half, 2.0**-50) - 1.0, -(_exp_square(b, at_most(size, 40.0), -0.5) * half))
    y = log1p(b, argument)
    return left.select(b.fma(x * -0.5, x, y), y)


def _quantile(b: Function, twice: Value, lower: Value) -> Value:
    """Φ⁻¹(1/2 + q) / √2 of 2q, where lower = 1/2 - |q|: Wichura's rational functions (1988), as ``normal_quantile``."""
    q = twice * 0.5
    r = b.intrinsic("sqrt", -log(b, lower))
    centre, tail, far = (
        [polynomial(argument, row[::-1]) for row in rows]
        for rows, argument in ((_CENTRE, b.fma(-q, q, 0.180625)), (_TAIL, r - 1.6), (_FAR, r - 5.0))
    )
    middle, further = b.intrinsic("fabs", q).le(0.425), r.gt(5.0)
    above, below = (middle.select(c, further.select(f, t)) for c, t, f in zip(centre, tail, far, strict=True))
    ratio = lower.eq(0.0).select(INF, above / below)
    scale = middle.select(b.const(q.kind, 0.5 * _ROOT_HALF), _ROOT_HALF)
    return ratio * scale * middle.select(twice, b.intrinsic("copysign", b.const(q.kind, 1.0), q))


@refined
def erfinv(b: Function, x: Value) -> Value:
    """The inverse of erf: Φ⁻¹((1 + x)/2) / √2."""
    return _quantile(b, x, b.fma(b.intrinsic("fabs", x), -0.5, 0.5))


@refined
def erfcinv(b: Function, x: Value) -> Value:
    """The inverse of erfc: Φ⁻¹(1 - x/2) / √2."""
    return _quantile(b, 1.0 - x, x.lt(1.0).select(x, 2.0 - x) * 0.5)


# -- The gamma function --------------------------------------------------------------------------------------------

# Lanczos' approximation with g = 6.0246… and 13 terms, the coefficients of Boost (N = 13, 53 digits):
# Γ(x) = L(x) · t^(x - 1/2) · e^(-t), t = x + g - 1/2, L = _LANCZOS / (x (x + 1) … (x + 11)).
_SHIFT = 5.524680040776729583740234375  # g - 1/2
_LANCZOS = (
    23531376880.410759688572,
    42919803642.649098768957,
    35711959237.355668049440,
    17921034426.037209699919,
    6039542586.3520280050642,
    1439720407.3117216736632,
    248874557.86205415651146,
    31426415.585400194380614,
    2876370.6289353724412254,
    186056.26539522349504029,
    8071.6720023658162106380,
    210.8242777515793458725,
    2.5066282746310002701649,
)
_RISING_12 = (0, 39916800, 120543840, 150917976, 105258076, 45995730, 13339535, 2637558, 357423, 32670, 1925, 66, 1)
_RISING_7 = (0, 720, 1764, 1624, 735, 175, 21, 1)  # x (x + 1) … (x + 6)
_PI = 3.141592653589793
_LOG_PI = 1.1447298858494002
# fit: log Γ(u + 2) / (u (u + 1)), |u| <= 1; error 2⁻⁵⁶·⁹
_GAMMALN = (
    0.42278433509846713,
    -0.1003173016743539,
    0.03296500062115698,
    -0.012384192193374458,
    0.0049986411646230095,
    -0.0021081308338253735,
    0.0009153769241300861,
    -0.0004057074000031409,
    0.00018255261434611589,
    -8.309509932713096e-05,
    3.816908378192182e-05,
    -1.766185918316566e-05,
    8.221202891862138e-06,
    -3.846499591205285e-06,
    1.8114834481503065e-06,
    -8.555212211641702e-07,
    3.9570774101033385e-07,
    -1.8605760518652926e-07,
    1.0446086463746053e-07,
    -5.213467959996301e-08,
    5.671981970102185e-09,
    -7.01291778164435e-10,
    1.6337334665523375e-08,
    -9.00061394278917e-09,
    -4.3623683095359726e-09,
    2.485721871228748e-09,
    1.582353516446734e-09,
    -8.214319293725346e-10,
)
# fit: ψ(u + 2) / (u + 2 - root), |u| <= 1; error 2⁻⁵⁷·⁵
_DIGAMMA = (
    (
        0.7853075386041053,
        0.9257974079270139,
        0.42024247847923457,
        0.09289627489688826,
        0.010339284343018677,
        0.0005317172139350328,
        9.437192813403283e-06,
        1.1419931688409271e-08,
    ),
    (
        1.0,
        1.510919358700032,
        0.8979897186685134,
        0.2698282051822564,
        0.04359248738508409,
        0.003685793619594436,
        0.00014378577729965377,
        1.8063140280675655e-06,
    ),
)
_DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)
# ψ(x) = log x - 1/(2x) - Σ B(2k) / (2k x²ᵏ) (DLMF 5.11.2)
_DIGAMMA_FAR = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


def _lanczos(size: Value) -> Value:
    return polynomial(size, _LANCZOS) / polynomial(size, [float(c) for c in _RISING_12])


@refined
def gamma(b: Function, x: Value) -> Value:
    """Γ(x); for negative x by reflection, Γ(-a) = -π / (a · sin(πa) · Γ(a)), with the powers left as exponents."""
    actual = b.intrinsic("fabs", x)
    size = at_most(actual, 200.0)
    t = size + _SHIFT
    lost = (size - t) + _SHIFT  # what t was rounded by, for size below; above, it does not matter
    exponent = _stirling_exponent(b, size, t, lost)
    negative = x.lt(0.0)
    sign = negative.select(b.const(x.kind, -1.0), 1.0)
    power = exp2_pair(b, Pair(exponent.high * sign, exponent.low * sign))
    factor = _lanczos(size)
    sine, _ = sine_and_cosine_of_turns(b, size)
    reflected = -_PI / (size * factor * sine)
    y = negative.select(reflected, factor) * power
    y = (actual.gt(180.0) & ~negative).select(INF, y)
    y = actual.gt(190.0).select(negative.select(b.const(x.kind, 0.0), y), y)
    y = (negative & b.intrinsic("floor", x).eq(x)).select(NAN, y)
    return actual.lt(2.0**-60).select(1.0 / x, y)


def _stirling_exponent(b: Function, size: Value, t: Value, lost: Value) -> Pair:
    """log₂ of t^(size - 1/2) · e^(-t) for t + lost."""
    steps = size - 0.5
    per = 1.4426950408889634
    first = product(b, Pair(steps, (size - steps) - 0.5), log2_pair(b, t))
    second = product(b, Pair(t, lost), Pair(b.const(t.kind, per), b.const(t.kind, 2.0355273740931033e-17)))
    total = first.high - second.high
    back = total - first.high
    error = (first.high - (total - back)) - (second.high + back)
    correction = lost * per * (steps / t)  # t + lost under the logarithm
    return fast_sum(total, error + (first.low - second.low) + correction)


@refined
def gammaln(b: Function, x: Value) -> Value:
    """log |Γ(x)|: up to 3 a polynomial that has the zeros 1 and 2, then Lanczos' approximation, below 0 reflection."""
    size = b.intrinsic("fabs", x)
    low, high = size.lt(1.0), size.gt(3.0)
    u = low.select(size - 1.0, at_most(size, 3.0) - 2.0)
    near = u * low.select(size, u + 1.0) * polynomial(u, _GAMMALN)
    # One logarithm for two uses: of L, and of x to come from Γ(x + 1) to Γ(x).
    side = log(b, high.select(_lanczos(at_most(at_least(size, 3.0), 1e20)), size))
    far = b.fma(size - 0.5, log(b, size + _SHIFT) - 1.0, side - (_SHIFT + 0.5))
    y = high.select(far, near + low.select(-side, 0.0))
    sine, _ = sine_and_cosine_of_turns(b, at_most(size, 2.0**50))
    reflected = (_LOG_PI - log(b, size * b.intrinsic("fabs", sine))) - y
    return (x.lt(0.0) & size.gt(2.0**-60)).select(reflected, y)


@refined
def digamma(b: Function, x: Value) -> Value:
    """ψ(x): near its zero a rational function, from 3 on a series, below 0 reflection, ψ(1 - x) - π / tan(πx)."""
    negative = x.lt(0.0)
    z = negative.select(1.0 - x, x)
    low = z.lt(1.0)
    u = low.select(z - 1.0, at_most(z, 3.0) - 2.0)
    distance = (u - (_DIGAMMA_ROOT[0] - 2.0)) - _DIGAMMA_ROOT[1]
    near = distance * (polynomial(u, _DIGAMMA[0]) / polynomial(u, _DIGAMMA[1])) - low.select(1.0 / z, 0.0)
    short = z.lt(10.0)  # the series needs 10: seven steps up, whose reciprocals are P'/P of P = z (z + 1) … (z + 6)
    held = at_most(at_least(z, 1.0), 10.0)
    slope = [float(k * c) for k, c in enumerate(_RISING_7)][1:]
    steps = polynomial(held, slope) / polynomial(held, [float(c) for c in _RISING_7])
    w = short.select(z + 7.0, z)
    inverse = 1.0 / w
    square = inverse * inverse
    tail = b.fma(square, polynomial(square, _DIGAMMA_FAR), inverse * 0.5)
    far = (log(b, w) - tail) - short.select(steps, 0.0)
    y = z.gt(3.0).select(far, near)
    held = at_least(x, -(2.0**50))
    sine, cosine = sine_and_cosine_of_turns(b, held)
    y = negative.select(y - _PI * cosine / sine, y)
    return (negative & b.intrinsic("floor", x).eq(x)).select(NAN, y)
