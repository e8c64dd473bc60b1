"""Map expressions on Values (first version: being replaced)."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.compiler.ir import Function, Value, lanes, scalar, vector


def compilable(dtype: Any) -> bool:
    return dtype.kind in "fiub" and not (dtype.kind == "f" and dtype.itemsize not in (4, 8))


def unsupported(expression: Any, dtypes: Any) -> str:
    return ""


def register_kind(d: Any) -> str:
    d = np.dtype(d)
    return "i1" if d.kind == "b" else {"f4": "float", "f8": "double"}.get(d.str[1:], f"i{8 * d.itemsize}")


def memory_kind(d: Any) -> str:
    return "i8" if np.dtype(d).kind == "b" else register_kind(d)


def load_as(b: Function, x: Value, d: Any) -> Value:
    return x.ne(0) if np.dtype(d).kind == "b" else x


def store_as(b: Function, x: Value, d: Any) -> Value:
    return x.to_int("i8", False) if np.dtype(d).kind == "b" else x


def convert(b: Function, x: Value, s: Any, t: Any) -> Value:
    s, t = np.dtype(s), np.dtype(t)
    if s == t:
        return x
    if t.kind == "b":
        return x.ne(0)
    if t.kind == "f":
        return x.to_float(register_kind(t), s.kind != "u")
    return x.to_int(register_kind(t), s.kind != "u")


def identity(n: str, d: Any) -> Any:
    d = np.dtype(d)
    top = np.inf if d.kind == "f" else 0 if d.kind == "b" else np.iinfo(d).max
    low = -np.inf if d.kind == "f" else 0 if d.kind == "b" else np.iinfo(d).min
    return {"add": 0, "multiply": 1, "maximum": low, "minimum": top, "logical_or": 0, "logical_and": 1}[n]


def combine(b: Function, n: str, x: Value, y: Value, d: Any) -> Value:
    if n == "add":
        return x + y
    if n == "multiply":
        return x * y
    if n == "maximum":
        return (x.gt(y) | x.isnan()).select(x, y)
    if n == "minimum":
        return (x.lt(y) | x.isnan()).select(x, y)
    return x | y if n == "logical_or" else x & y


def exp(b: Function, x: Value) -> Value:
    k = x.kind
    t = x * 1.4426950408889634
    n = b.intrinsic("rint", t)
    r = b.fma(n, b.const(k, -0.693359375), x)
    r = b.fma(n, b.const(k, 2.12194440e-4), r)
    p = b.const(k, 1 / 5040)
    for c in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        p = b.fma(p, r, c)
    i = n.to_int("i32" if scalar(k) == "float" else "i64")
    s = ((i + 127) << 23).bitcast("float") if scalar(k) == "float" else ((i + 1023) << 52).bitcast("double")
    return p * s


def evaluate(b: Function, e: Any, xs: Any, ds: Any, out: Any) -> Value:
    fl = next((np.dtype(d) for d in ds if np.dtype(d).kind == "f"), np.dtype(out))
    n = lanes(xs[0].kind)

    def ev(e: Any) -> Value:
        if isinstance(e, str):
            return xs[int(e[1:])]
        if not isinstance(e, tuple):
            return b.const(vector(register_kind(fl), n), e)
        o, *a = e
        v = [ev(q) for q in a]
        f: Any = {
            "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
            "neg": lambda x: -x, "lt": lambda x, y: x.lt(y), "le": lambda x, y: x.le(y), "gt": lambda x, y: x.gt(y),
            "ge": lambda x, y: x.ge(y), "eq": lambda x, y: x.eq(y),
            "max": lambda x, y: (x.gt(y) | x.isnan()).select(x, y), "min": lambda x, y: (x.lt(y) | x.isnan()).select(x, y),
            "abs": lambda x: b.intrinsic("fabs", x), "sqrt": lambda x: b.intrinsic("sqrt", x), "exp": lambda x: exp(b, x),
            "log": lambda x: b.intrinsic("log", x), "log1p": lambda x: b.intrinsic("log", x + 1.0),
            "and": lambda x, y: x & y, "or": lambda x, y: x | y, "not": lambda x: ~x,
            "truth": lambda x: x if scalar(x.kind) == "i1" else x.ne(0),
            "isinf": lambda x: b.intrinsic("fabs", x).eq(float("inf")), "isnan": lambda x: x.isnan(),
            "tanh": lambda x: 1.0 - 2.0 / (exp(b, x * 2.0) + 1.0), "pow": lambda x, y: b.intrinsic("pow", x, y),
        }  # fmt: skip
        if o == "select":
            c, t, u = v
            return (c if scalar(c.kind) == "i1" else c.ne(0)).select(t, u)
        return f[o](*v)

    r = ev(e)
    src = [d for d in map(np.dtype, ds)]
    if r.kind != vector(register_kind(out), n):
        d0 = next(
            d
            for d in (*src, np.dtype(bool), np.dtype("f4"), np.dtype("f8"), np.dtype("i8"))
            if register_kind(d) == scalar(r.kind)
        )
        r = convert(b, r, d0, out)
    return r
