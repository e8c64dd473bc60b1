"""The functions of the ``Map`` vocabulary as vector kernels, and what is promised of their accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from backlight.compiler import math_angles, math_exponentials, math_logarithms, math_special
from backlight.compiler.ir import Function, Value
from backlight.compiler.math_exponentials import exp
from backlight.compiler.math_tools import form

__all__ = ["ACCURACY", "FUNCTIONS", "Accuracy", "accuracy_markdown", "exp", "fmod"]

INF = float("inf")


def fmod(b: Function, x: Value, y: Value) -> Value:
    """C's remainder x - trunc(x/y) · y, exactly.

    Of quotients below 2^fraction, rounding can make the whole part one too large and nothing else. Beyond, and where
    there is no remainder, LLVM's own instruction takes over, which calls the system's library.
    """
    of = form(x)
    size, divisor = b.intrinsic("fabs", x), b.intrinsic("fabs", y)
    ratio = size / divisor
    rest = b.fma(-b.intrinsic("trunc", ratio), divisor, size)
    rest = rest.lt(0.0).select(rest + divisor, rest)
    rest = size.lt(divisor).select(size, rest)
    result = b.variable(x.kind, b.intrinsic("copysign", rest, x))
    inside = ratio.lt(2.0**of.fraction)
    with b.when(~(b.intrinsic("vector.reduce.and", inside, returns="i1") if x.kind[0] == "<" else inside)):
        slow = b.write(x.kind, f"frem {x.kind} {x.text}, {y.text}")
        result.set(inside.select(result.get(), slow))
    return result.get()


def _sqrt(b: Function, x: Value) -> Value:
    """√x, as the processor rounds it."""
    return b.intrinsic("sqrt", x)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "fmod": fmod,
    "pow": math_logarithms.power,
    "sqrt": _sqrt,
    "cbrt": math_logarithms.cbrt,
    "exp": math_exponentials.exp,
    "exp2": math_exponentials.exp2,
    "expm1": math_exponentials.expm1,
    "log": math_logarithms.log,
    "log1p": math_logarithms.log1p,
    "log2": math_logarithms.log2,
    "log10": math_logarithms.log10,
    "sin": math_angles.sin,
    "cos": math_angles.cos,
    "tan": math_angles.tan,
    "arcsin": math_angles.arcsin,
    "arccos": math_angles.arccos,
    "arctan": math_angles.arctan,
    "atan2": math_angles.arctan2,
    "sinh": math_exponentials.sinh,
    "cosh": math_exponentials.cosh,
    "tanh": math_exponentials.tanh,
    "arcsinh": math_logarithms.arcsinh,
    "arccosh": math_logarithms.arccosh,
    "arctanh": math_logarithms.arctanh,
    **{
        name: getattr(math_special, name)
        for name in ("erf", "erfc", "erfcx", "erfinv", "erfcinv", "log_ndtr", "gamma", "gammaln", "digamma")
    },
    "one_plus_exp": math_exponentials.one_plus_exp,
    "sech_squared": math_exponentials.sech_squared,
}
"""The kernel of each operation, of singles or doubles; the last two stand for two operations in one."""


class Accuracy(NamedTuple):
    """How far a result can be from the true one where ``low <= x <= high``, in units in the last place (ULP)."""

    domain: str
    low: float
    high: float
    single: float
    double: float


ACCURACY: dict[str, Accuracy] = {
    "sqrt": Accuracy("x >= 0", 0.0, INF, 0.5, 0.5),
    "cbrt": Accuracy("any number", -INF, INF, 1.0, 1.0),
    "pow": Accuracy("any two numbers", -INF, INF, 1.0, 1.0),
    "fmod": Accuracy("any two numbers", -INF, INF, 0.0, 0.0),
    "exp": Accuracy("any number", -INF, INF, 1.0, 1.0),
    "exp2": Accuracy("any number", -INF, INF, 1.0, 1.5),
    "expm1": Accuracy("any number", -INF, INF, 2.0, 2.5),
    "one_plus_exp": Accuracy("any number", -INF, INF, 1.5, 1.5),
    "log": Accuracy("x > 0", 0.0, INF, 1.0, 1.5),
    "log1p": Accuracy("x > -1", -1.0, INF, 1.5, 1.5),
    "log2": Accuracy("x > 0", 0.0, INF, 2.5, 2.0),
    "log10": Accuracy("x > 0", 0.0, INF, 1.5, 1.0),
    "sin": Accuracy("any number", -INF, INF, 2.5, 1.0),
    "cos": Accuracy("any number", -INF, INF, 2.5, 1.0),
    "tan": Accuracy("any number", -INF, INF, 4.0, 2.5),
    "arcsin": Accuracy("-1 <= x <= 1", -1.0, 1.0, 2.5, 2.5),
    "arccos": Accuracy("-1 <= x <= 1", -1.0, 1.0, 1.5, 1.5),
    "arctan": Accuracy("any number", -INF, INF, 1.5, 2.0),
    "atan2": Accuracy("any two numbers", -INF, INF, 2.0, 2.0),
    "sinh": Accuracy("any number", -INF, INF, 2.0, 2.0),
    "cosh": Accuracy("any number", -INF, INF, 1.5, 1.5),
    "tanh": Accuracy("any number", -INF, INF, 3.5, 3.5),
    "sech_squared": Accuracy("any number", -INF, INF, 4.5, 4.0),
    "arcsinh": Accuracy("any number", -INF, INF, 2.0, 2.5),
    "arccosh": Accuracy("x >= 1", 1.0, INF, 2.5, 2.5),
    "arctanh": Accuracy("-1 < x < 1", -1.0, 1.0, 2.5, 2.5),
    "erf": Accuracy("any number", -INF, INF, 3.0, 2.0),
    "erfc": Accuracy("any number", -INF, INF, 1.0, 5.0),
    "erfcx": Accuracy("x > -26", -26.0, INF, 1.0, 6.0),
    "erfinv": Accuracy("-1 < x < 1", -1.0, 1.0, 1.0, 6.0),
    "erfcinv": Accuracy("0 < x < 2", 0.0, 2.0, 1.0, 6.0),
    "log_ndtr": Accuracy("any number", -INF, INF, 1.0, 8.0),
    "gamma": Accuracy("-170 < x < 171.6, off the poles", -170.0, 171.6, 1.0, 12.0),
    "gammaln": Accuracy("x > 0", 0.0, INF, 1.0, 16.0),
    "digamma": Accuracy("x > 0", 0.0, INF, 1.0, 8.0),
}
"""What is guaranteed of each kernel; the tests hold it to that, on every width of vectors."""


def accuracy_markdown(measured: Mapping[tuple[str, str], float]) -> str:
    """The table as ``docs/accuracy.md`` holds it; ``measured`` are the largest errors found, by name and dtype."""
    lines = [
        "# How accurate the compiled functions are",
        "",
        "Compiled programs compute these functions with kernels of their own, which give the same bits for every",
        "width of vectors. The *bound* is guaranteed in the domain; the largest error *found* in a dense sample stands",
        "beside it. Both are in units in the last place (ULP): 0.5 is the best that any function can do. Overflow,",
        "underflow, zeros with their sign, infinities and nan are as in NumPy.",
        "",
        "Written by `python tests/test_compiler_math.py`; a test keeps names, domains and bounds current.",
        "",
        "| function | domain | float32: bound | found | float64: bound | found |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in ACCURACY.items():
        found = [f"{measured[name, dtype]:.2f}" for dtype in ("float32", "float64")]
        lines.append(
            f"| `{_TITLES.get(name, name)}` | {row.domain} | {row.single} | {found[0]} | {row.double} | {found[1]} |"
        )
    return "\n".join(lines) + "\n"


_TITLES = {"one_plus_exp": "1 + exp(x)", "sech_squared": "1 / cosh² x"}
