"""Why a name of NumPy's is constant by nature, or not supported: the sentences behind the coverage table."""

from __future__ import annotations

from typing import Any

import numpy as np

from backlight.numpy_api.common import CONSTANT

__all__ = ["CATEGORIES", "UNSUPPORTED", "category_of"]

CATEGORIES: dict[str, tuple[str, str]] = {
    "staircase": (
        "piecewise constant: its derivative is zero wherever it exists",
        "分段常数：在导数存在的地方导数都为零",
    ),
    "truth": ("its result is true or false", "结果是真或假"),
    "position": ("its result is positions or counts", "结果是位置或计数"),
    "whole": ("its result is whole numbers or bits", "结果是整数或二进制位"),
    "creation": ("makes numbers that depend on no array", "产生不依赖任何数组的数"),
    "question": (
        "answers a question about shape, dtype or memory, or prints",
        "回答关于形状、类型或内存的问题，或用于打印",
    ),
    "random": (
        "draws plain random numbers; backlight.random draws inside a trace",
        "产生普通随机数；在追踪中抽样请用 backlight.random",
    ),
    "type": ("a type, not a function of arrays", "是一个类型，不是数组的函数"),
    "setting": ("a setting or a tool of NumPy's own", "NumPy 自身的设置或工具"),
}

_NAMES = {
    "staircase": "round around fix floor ceil rint trunc sign floor_divide heaviside spacing",
    "truth": """all allclose any array_equal array_equiv equal greater greater_equal isclose iscomplex isfinite isin
        isinf isnan isneginf isposinf isreal less less_equal logical_and logical_not logical_or logical_xor not_equal
        signbit""",
    "position": """argmax argmin argpartition argsort argwhere count_nonzero diag_indices diag_indices_from digitize
        flatnonzero indices ix_ lexsort mask_indices matrix_rank nanargmax nanargmin ndindex nonzero ravel_multi_index
        searchsorted tril_indices tril_indices_from triu_indices triu_indices_from unravel_index einsum_path""",
    "whole": """bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
        bitwise_xor gcd invert lcm left_shift packbits right_shift unpackbits""",
    "creation": """arange bartlett blackman empty empty_like eye fftfreq frombuffer fromfile fromfunction fromiter
        fromregex fromstring genfromtxt hamming hanning identity kaiser load loadtxt ones ones_like rfftfreq tri zeros
        zeros_like""",
    "question": """array2string array_repr array_str base_repr binary_repr broadcast_shapes can_cast common_type
        format_float_positional format_float_scientific iscomplexobj isdtype isfortran isrealobj isscalar issubdtype
        iterable may_share_memory min_scalar_type mintypecode ndim promote_types result_type shape shares_memory size
        typename""",
    "setting": """errstate get_include get_printoptions getbufsize geterr geterrcall info printoptions
        set_default_printstyle set_printoptions setbufsize seterr seterrcall show_config show_runtime test
        datetime_data""",
}

_CATEGORY = {name: category for category, names in _NAMES.items() for name in names.split()}


def category_of(prefix: str, name: str, found: Any) -> str | None:
    """The category of a name that is constant by nature, ``None`` for any other."""
    if prefix == "np.random":
        return "random"
    if name in _CATEGORY and prefix != "np.strings":
        return _CATEGORY[name]
    if isinstance(found, type):
        return "type"
    return "staircase" if isinstance(found, np.ufunc) and found in CONSTANT else None


_PLAIN = (
    "it would make a plain array, which has no history (it works with like=x)",
    "它会产生没有历史的普通数组（加上 like=x 则可用）",
)
_DATES = ("dates have no derivative", "日期没有导数")
_FILE = ("a file cannot remember where a number came from", "文件无法记住一个数从何而来")
_TEXT = ("text has no derivative", "文本没有导数", "")
_LOOP = (
    "it hands elements to Python one at a time, as plain numbers",
    "它把元素作为普通数逐个交给 Python",
)
_MATRIX = ("np.matrix is deprecated in favour of ordinary arrays", "np.matrix 已被普通数组取代")
_OLD = ("an old name, on its way out of NumPy", "旧名称，NumPy 即将移除")
_CLASS = (
    "it keeps plain numbers inside an object of NumPy's own",
    "它在 NumPy 自己的对象中保存普通数",
)

UNSUPPORTED: dict[str, tuple[str, str, str]] = {
    "*": (
        "Backlight knows no derivative for it",
        "Backlight 不知道它的导数",
        "",
    ),
    "np.strings.*": _TEXT,
    "np.array": (*_PLAIN, "np.stack or backlight.array"),
    "np.asarray": (*_PLAIN, "x itself, or x.value"),
    "np.asanyarray": (*_PLAIN, "x itself, or x.value"),
    "np.asarray_chkfinite": (*_PLAIN, "x itself, and np.isfinite(x).all()"),
    "np.ascontiguousarray": (*_PLAIN, "x itself, or x.value"),
    "np.asfortranarray": (*_PLAIN, "x itself, or x.value"),
    "np.require": (*_PLAIN, "x itself, or x.value"),
    "np.from_dlpack": (*_PLAIN, "backlight.array"),
    "np.asmatrix": (*_MATRIX, "x itself and the operator @"),
    "np.bmat": (*_MATRIX, "np.block"),
    "np.matrix": (*_MATRIX, "x itself and the operator @"),
    "np.memmap": (*_FILE, "backlight.array(np.memmap(...))"),
    "np.save": (*_FILE, "np.save(file, x.value)"),
    "np.savetxt": (*_FILE, "np.savetxt(file, x.value)"),
    "np.savez": (*_FILE, "np.savez(file, x=x.value)"),
    "np.savez_compressed": (*_FILE, "np.savez_compressed(file, x=x.value)"),
    "np.busday_count": (*_DATES, "np.diff"),
    "np.busday_offset": (*_DATES, "np.add"),
    "np.datetime_as_string": (*_DATES, "np.array2string"),
    "np.is_busday": (*_DATES, "np.isin"),
    "np.isnat": (*_DATES, "np.isnan"),
    "np.nditer": (*_LOOP, "for v in x.flat"),
    "np.nested_iters": (*_LOOP, "np.ndindex(x.shape)"),
    "np.ndenumerate": (*_LOOP, "for i in np.ndindex(x.shape): x[i]"),
    "np.flatiter": (*_LOOP, "x.flat"),
    "np.broadcast": (*_LOOP, "np.broadcast_arrays"),
    "np.vectorize": (*_LOOP, "the function itself on the whole array, or np.apply_along_axis"),
    "np.frompyfunc": (*_LOOP, "the function itself on the whole array, or np.apply_along_axis"),
    "np.poly1d": (*_CLASS, "np.polyval"),
    "np.in1d": (*_OLD, "np.isin"),
    "np.row_stack": (*_OLD, "np.vstack"),
    "np.trapz": (*_OLD, "np.trapezoid"),
    "np.lib.stride_tricks.as_strided": (
        "it reads memory by address, and a traced value has none",
        "它按地址读内存，而被追踪的值没有地址",
        "np.lib.stride_tricks.sliding_window_view",
    ),
    **{
        f"np.polynomial.{name}": (*_CLASS, "np.polyval")
        for name in ("Chebyshev", "Hermite", "HermiteE", "Laguerre", "Legendre", "Polynomial")
    },
}
