"""Mappings that only move numbers: broadcasting, casting, reshaping, slicing and their adjoints.

An ``index`` has one entry per axis, as `layout.py` describes.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from backlight.layout import contiguous_strides, inverse_permutation, selected_shape
from backlight.primitive import REGISTRY as P
from backlight.primitive import Each, Map, Move, Piece, Sample, Structural, Why

__all__ = ["with_examples", "zeros"]

Shape = tuple[int, ...]
Index = tuple[Any, ...]

SMALL = 4096  # numbers below which copying is faster than NumPy's machinery for stride-0 views


@lru_cache(maxsize=1024)
def zeros(shape: Shape, dtype: Any) -> np.ndarray[Any, Any]:
    """A read-only array of zeros that occupies one number (every stride is 0), to be used as a constant.

    >>> zeros((2, 3), np.float32).strides
    (0, 0)
    """
    return np.broadcast_to(np.zeros((), dtype), shape)


@lru_cache(maxsize=4096)
def _key(index: Index) -> tuple[Any, ...]:
    """``index`` as NumPy spells it."""
    return tuple(entry if type(entry) is not tuple else _slice(*entry) for entry in index)


def _slice(start: int, count: int, step: int) -> slice:
    stop = start + count * step
    return slice(0, 0) if count == 0 else slice(start, None if stop < 0 else stop, step)


def _identity_piece(position: int, shape: Shape) -> Piece:
    strides = contiguous_strides(shape)
    return Piece(position, shape, 0, strides, 0, strides)


def _window(index: Index, shape: Shape) -> tuple[int, Shape]:
    """Offset and strides, in elements, of the selection of ``index`` within a contiguous array of ``shape``."""
    offset = 0
    strides = []
    for entry, stride in zip(index, contiguous_strides(shape), strict=True):
        if type(entry) is tuple:
            offset += entry[0] * stride if entry[1] else 0
            strides.append(entry[2] * stride)
        else:
            offset += entry * stride
    return offset, tuple(strides)


def _put_piece(position: int, index: Index, shape: Shape) -> Piece:
    """Input number ``position`` copied to the selection of ``index`` in an output of ``shape``."""
    selected = selected_shape(index)
    return Piece(position, selected, 0, contiguous_strides(selected), *_window(index, shape))


# -- Values ------------------------------------------------------------------------------------------------------


def _broadcast(x: Any, *, shape: Shape) -> Any:
    if prod(shape) > SMALL:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def _cast(x: Any, *, dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        x = x.real
    if x.dtype.kind == "b" or (x.dtype.kind == dtype.kind and x.dtype.itemsize <= dtype.itemsize):
        return x.astype(dtype)
    with np.errstate(all="ignore"):  # what does not fit becomes ±inf, nan or a wrapped integer, as in NumPy
        return x.astype(dtype)


def _complex(re: Any, im: Any) -> Any:
    out = np.empty(re.shape, np.result_type(re.dtype, np.complex64))
    out.real, out.imag = re, im  # re + 1j * im would turn an infinite part into nan
    return out


def _pad(x: Any, *, shape: Shape, index: Index) -> Any:
    out = np.zeros(shape, x.dtype)
    out[_key(index)] = x
    return out


def _update(x: Any, v: Any, *, index: Index) -> Any:
    out = np.array(x)
    out[_key(index)] = v
    return out


# -- Pullbacks and batch rules -----------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _copied_axes(small: Shape, large: Shape) -> Shape:
    """The axes of ``large`` along which broadcasting ``small`` made copies (or axes that were not there before)."""
    lead = len(large) - len(small)
    inner = tuple(lead + i for i, length in enumerate(small) if length == 1 != large[lead + i])
    return inner if not inner and prod(large) == 1 else (*range(lead), *inner)


def _broadcast_pullback(x: Any, y: Any, g: Any, *, shape: Shape) -> Any:
    axes = _copied_axes(x.shape, shape)
    if axes:
        g = P.sum(g, axis=axes)
    return g if g.shape == x.shape else P.reshape(g, shape=x.shape)


def _concatenate_pullback(i: int, xs: Any, y: Any, g: Any, *, axis: int) -> Any:
    start = sum(x.shape[axis] for x in xs[:i])
    index = tuple((start if k == axis else 0, length, 1) for k, length in enumerate(xs[i].shape))
    return P.slice(g, index=index)


def _broadcast_batch(batched: Any, x: Any, *, shape: Shape) -> Any:
    lead = len(shape) - (x.ndim - 1)
    if lead:
        x = P.reshape(x, shape=(x.shape[0], *(1,) * lead, *x.shape[1:]))
    return P.broadcast_to(x, shape=(x.shape[0], *shape))


def with_examples(batched: tuple[bool, ...], xs: tuple[Any, ...]) -> list[Any]:
    """``xs`` with every unbatched one repeated, so that all have the leading axis of examples."""
    count = next(x.shape[0] for x, is_batched in zip(xs, batched, strict=True) if is_batched)
    return [
        x if is_batched else P.broadcast_to(x, shape=(count, *x.shape))
        for x, is_batched in zip(xs, batched, strict=True)
    ]


def _concatenate_batch(batched: Any, *xs: Any, axis: int) -> Any:
    return P.concatenate(*with_examples(batched, xs), axis=axis + 1)


def _update_batch(batched: Any, x: Any, v: Any, *, index: Index) -> Any:
    x, v = with_examples(batched, (x, v))
    return P.update(x, v, index=((0, x.shape[0], 1), *index))


# -- Kernels -----------------------------------------------------------------------------------------------------


def _broadcast_kernel(x: Shape, *, shape: Shape) -> Move:
    lead = len(shape) - len(x)
    strides = [0 if length == 1 else stride for length, stride in zip(x, contiguous_strides(x), strict=True)]
    return Move((Piece(0, shape, 0, (*(0,) * lead, *strides), 0, contiguous_strides(shape)),))


def _transpose_kernel(x: Shape, *, axes: Shape) -> Move:
    strides = contiguous_strides(x)
    shape = tuple(x[axis] for axis in axes)
    return Move((Piece(0, shape, 0, tuple(strides[axis] for axis in axes), 0, contiguous_strides(shape)),))


def _flip_kernel(x: Shape, *, axis: Shape) -> Move:
    index = tuple((length - 1, length, -1) if k in axis else (0, length, 1) for k, length in enumerate(x))
    return _slice_kernel(x, index=index)


def _slice_kernel(x: Shape, *, index: Index) -> Move:
    selected = selected_shape(index)
    return Move((Piece(0, selected, *_window(index, x), 0, contiguous_strides(selected)),))


def _concatenate_kernel(*shapes: Shape, axis: int) -> Move:
    whole = _concatenate_shape(*shapes, axis=axis)
    pieces = []
    start = 0
    for i, shape in enumerate(shapes):
        index = tuple((start if k == axis else 0, length, 1) for k, length in enumerate(shape))
        pieces.append(_put_piece(i, index, whole))
        start += shape[axis]
    return Move(tuple(pieces))


def _concatenate_shape(*shapes: Shape, axis: int) -> Shape:
    first = shapes[0]
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


# -- Samples -----------------------------------------------------------------------------------------------------


def _numbers(*shape: int) -> Any:
    """Distinct numbers of both signs, in no order."""
    return np.sin(np.arange(1.0, prod(shape) + 1)).reshape(shape)


_INDICES: tuple[tuple[Shape, Index], ...] = (
    ((4,), (2,)),
    ((5,), ((3, 2, -2),)),
    ((3, 4), (1, (0, 2, 3))),
    ((2, 3), ((0, 2, 1), (2, 3, -1))),
    ((2, 3), ((0, 0, 1), (0, 3, 1))),
    ((), ()),
)


def _slice_samples() -> list[Sample]:
    return [Sample((_numbers(*shape),), {"index": index}) for shape, index in _INDICES]


def _pad_samples() -> list[Sample]:
    return [Sample((_numbers(*selected_shape(index)),), {"shape": shape, "index": index}) for shape, index in _INDICES]


def _update_samples() -> list[Sample]:
    return [
        Sample((_numbers(*shape), 2 + _numbers(*selected_shape(index))), {"index": index}) for shape, index in _INDICES
    ]


def _cast_samples() -> list[Sample]:
    real = _numbers(2, 3)
    return [Sample((real,), {"dtype": np.dtype(name)}) for name in ("float64", "complex128")] + [
        Sample((real + 1j * real[::-1],), {"dtype": np.dtype(name)}) for name in ("float64", "complex128")
    ]


P.enter(
    Structural(
        name="broadcast_to",
        value=_broadcast,
        shape=lambda x, *, shape: shape,
        pullback=(_broadcast_pullback,),
        linear_in=(0,),
        kernel=_broadcast_kernel,
        why=Why(
            "One number was copied to many places and answers for all of them: what arrives at the copies is summed.",
            "一个数被复制到许多位置，它要为所有副本负责，所以各副本收到的梯度加在一起。",
        ),
        samples=lambda: [
            Sample((_numbers(3),), {"shape": (2, 3)}),
            Sample((_numbers(2, 1),), {"shape": (2, 3)}),
            Sample((_numbers(),), {"shape": (2, 2)}),
            Sample((_numbers(1, 2),), {"shape": (3, 1, 2)}),
            Sample((_numbers(1),), {"shape": (1, 1)}),
            Sample((_numbers(1, 2),), {"shape": (0, 2)}),
        ],
        batch=_broadcast_batch,
        complex=True,
    ),
    Structural(
        name="cast",
        value=_cast,
        shape=lambda x, *, dtype: x,
        pullback=(lambda x, y, g, *, dtype: P.cast(g, dtype=x.dtype),),
        linear_in=(0,),
        kernel=lambda x, *, dtype: Map("x0"),
        why=Why(
            "Only the storage of the number changes, so the gradient passes through, back in the input's precision.",
            "数值不变，只换了存储格式，所以梯度原样通过，并换回输入的精度。",
        ),
        samples=_cast_samples,
        batch=lambda batched, x, *, dtype: P.cast(x, dtype=dtype),
        complex=True,
    ),
    Structural(
        name="complex",
        value=_complex,
        shape=lambda re, im: re,
        pullback=(lambda re, im, y, g: P.real(g), lambda re, im, y, g: P.imag(g)),
        linear_in=(),  # jointly linear: moving one part leaves zero, not the other part, in the tangent
        kernel=lambda re, im: Map(("complex", "x0", "x1")),
        why=Why(
            "Two real numbers side by side make one complex number, and each takes back its own part of the gradient.",
            "两个实数并在一起成为一个复数，各自取回梯度中属于自己的那一部分。",
        ),
        samples=lambda: [Sample((_numbers(2, 3), 1 + _numbers(2, 3)), {}), Sample((_numbers(), 1 + _numbers()), {})],
        batch=lambda batched, re, im: P.complex(*with_examples(batched, (re, im))),
    ),
    Structural(
        name="reshape",
        value=lambda x, *, shape: x.reshape(shape),
        shape=lambda x, *, shape: shape,
        pullback=(lambda x, y, g, *, shape: P.reshape(g, shape=x.shape),),
        linear_in=(0,),
        kernel=lambda x, *, shape: Move((Piece(0, (prod(x),), 0, (1,), 0, (1,)),)),
        why=Why(
            "The same numbers in the same order, only counted in other rows and columns; the gradient is counted back.",
            "还是那些数、还是那个顺序，只是重新分了行列；梯度按原来的行列排回去。",
        ),
        samples=lambda: [
            Sample((_numbers(2, 3),), {"shape": (3, 2)}),
            Sample((_numbers(6),), {"shape": (1, 2, 3)}),
            Sample((_numbers(1, 1),), {"shape": ()}),
            Sample((_numbers(),), {"shape": (1,)}),
            Sample((_numbers(0, 3),), {"shape": (3, 0, 2)}),
        ],
        batch=lambda batched, x, *, shape: P.reshape(x, shape=(x.shape[0], *shape)),
        complex=True,
    ),
    Structural(
        name="transpose",
        value=lambda x, *, axes: x.transpose(axes),
        shape=lambda x, *, axes: tuple([x[axis] for axis in axes]),
        pullback=(lambda x, y, g, *, axes: P.transpose(g, axes=inverse_permutation(axes)),),
        linear_in=(0,),
        kernel=_transpose_kernel,
        why=Why(
            "Each number moved to the place with permuted coordinates; its gradient moves back the opposite way.",
            "每个数按坐标的置换搬了位置；它的梯度按逆置换搬回来。",
        ),
        samples=lambda: [
            Sample((_numbers(2, 3),), {"axes": (1, 0)}),
            Sample((_numbers(2, 3, 2),), {"axes": (2, 0, 1)}),
            Sample((_numbers(3),), {"axes": (0,)}),
            Sample((_numbers(),), {"axes": ()}),
            Sample((_numbers(0, 2),), {"axes": (1, 0)}),
        ],
        batch=lambda batched, x, *, axes: P.transpose(x, axes=(0, *[axis + 1 for axis in axes])),
        complex=True,
    ),
    Structural(
        name="flip",
        value=lambda x, *, axis: x[tuple(slice(None, None, -1) if k in axis else slice(None) for k in range(x.ndim))],
        shape=lambda x, *, axis: x,
        pullback=(lambda x, y, g, *, axis: P.flip(g, axis=axis),),
        linear_in=(0,),
        kernel=_flip_kernel,
        why=Why(
            "Flipping reverses the order along an axis; flipping the gradient once more puts each part back.",
            "翻转把一条轴上的顺序倒过来；把梯度再翻转一次，每一份就回到原处。",
        ),
        samples=lambda: [
            Sample((_numbers(4),), {"axis": (0,)}),
            Sample((_numbers(2, 3),), {"axis": (1,)}),
            Sample((_numbers(2, 3),), {"axis": (0, 1)}),
            Sample((_numbers(2, 1),), {"axis": ()}),
            Sample((_numbers(0, 2),), {"axis": (0,)}),
        ],
        batch=lambda batched, x, *, axis: P.flip(x, axis=tuple(k + 1 for k in axis)),
        complex=True,
    ),
    Structural(
        name="concatenate",
        value=lambda *xs, axis: np.concatenate(xs, axis),
        shape=_concatenate_shape,
        pullback=Each(_concatenate_pullback),
        linear_in=(),  # jointly linear: moving one input leaves zeros, not the others, in the tangent
        kernel=_concatenate_kernel,
        why=Why(
            "The inputs lie side by side in the result, so each one takes back its own stretch of the gradient.",
            "各个输入在结果里首尾相接，所以每个输入取回属于自己的那一段梯度。",
        ),
        samples=lambda: [
            Sample((_numbers(2), 1 + _numbers(3)), {"axis": 0}),
            Sample((_numbers(2, 1), 1 + _numbers(2, 3), 2 + _numbers(2, 0)), {"axis": 1}),
            Sample((_numbers(1, 2),), {"axis": 0}),
        ],
        batch=_concatenate_batch,
        complex=True,
    ),
    Structural(
        name="item",
        value=lambda x, *, k: x[k],
        shape=lambda x, *, k: x[k],
        pullback=(None,),  # `differentiate` collects the gradients of all outputs before the mapping itself is reached
        linear_in=(0,),
        kernel=lambda x, *, k: Move((_identity_piece(k, x[k]),)),  # the outputs of the mapping count as inputs here
        why=Why(
            "It picks one of several results: the gradient belongs to that one, and the others get none from here.",
            "它从多个结果中挑出一个，所以梯度只属于这一个，别的结果从这里得不到梯度。",
        ),
        samples=list,  # its input is a tuple; every mapping with several outputs tests it
        complex=True,
    ),
    Structural(
        name="slice",
        value=lambda x, *, index: x[_key(index)],
        shape=lambda x, *, index: selected_shape(index),
        pullback=(lambda x, y, g, *, index: P.pad(g, shape=x.shape, index=index),),
        linear_in=(0,),
        kernel=_slice_kernel,
        why=Why(
            "Only the selected part was used, so it receives the gradient, and everything left out receives zero.",
            "只有被选中的部分参与了后面的计算，梯度就回到那里；没被选中的部分得到零。",
        ),
        samples=_slice_samples,
        batch=lambda batched, x, *, index: P.slice(x, index=((0, x.shape[0], 1), *index)),
        complex=True,
    ),
    Structural(
        name="pad",
        value=_pad,
        shape=lambda x, *, shape, index: shape,
        pullback=(lambda x, y, g, *, shape, index: P.slice(g, index=index),),
        linear_in=(0,),
        kernel=lambda x, *, shape, index: Move((_put_piece(0, index, shape),)),
        why=Why(
            "The input sits inside a frame of zeros; the frame is constant, so only the gradient inside it comes back.",
            "输入放在一圈零里面；零是常数，所以只有里面那部分的梯度传回来。",
        ),
        samples=_pad_samples,
        batch=lambda batched, x, *, shape, index: P.pad(
            x, shape=(x.shape[0], *shape), index=((0, x.shape[0], 1), *index)
        ),
        complex=True,
    ),
    Structural(
        name="update",
        value=_update,
        shape=lambda x, v, *, index: x,
        pullback=(
            lambda x, v, y, g, *, index: P.update(g, zeros(v.shape, g.dtype), index=index),
            lambda x, v, y, g, *, index: P.slice(g, index=index),
        ),
        linear_in=(),  # jointly linear, as concatenate
        kernel=lambda x, v, *, index: Move((_identity_piece(0, x), _put_piece(1, index, x))),
        why=Why(
            "New numbers replaced old ones: the gradient there belongs to the new, and the overwritten get zero.",
            "新的数覆盖了旧的数：那个位置的梯度归新的数，被覆盖的旧数得到零。",
        ),
        samples=_update_samples,
        batch=_update_batch,
        complex=True,
    ),
)
