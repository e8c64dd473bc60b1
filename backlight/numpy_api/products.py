"""NumPy's products of arrays (``@``, ``einsum``, ``tensordot``, ``dot``, …) from two primitives.

Two matrices of one dtype are one ``matmul`` node. Everything else becomes an ``einsum`` in its normal form: axes of
length 1 that are broadcast are dropped, diagonals are taken and labels of one operand alone are summed beforehand,
each by a visible node of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlight.array import FUNCTIONS, Array
from backlight.errors import ArgumentError, ShapeError, message
from backlight.numpy_api.common import axis_of, deliver, here, operand, promote, raveled
from backlight.primitive import REGISTRY as P
from backlight.refusal import describe

__all__ = ["dot", "einsum", "inner", "kron", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot", "vecmat"]

Labels = tuple[int, ...]


def shape_error(operation: str, operands: Sequence[Any], expected: str, fix: str, **facts: Any) -> ShapeError:
    """``expected`` and ``fix`` name messages of the catalogue, filled with ``facts``."""
    return ShapeError(
        message(
            "shapes",
            here(),
            operation=operation,
            operands=", ".join(describe(x) for x in operands),
            expected=message(expected, **facts),
            fix=message(fix, **facts),
        )
    )


# -- Matrix products ---------------------------------------------------------------------------------------------


def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product ``y[…, i, j] = Σ_k x1[…, i, k] x2[…, k, j]``, as ``np.matmul`` and ``@``.

    A 1-D operand is a row on the left and a column on the right; leading axes broadcast. Raises ``ShapeError`` when
    the summed axes differ in length.

    >>> import backlight
    >>> matmul(backlight.array([[1.0, 2.0], [3.0, 4.0]]), [10.0, 1.0])
    backlight.array([12., 34.])
    """
    if type(x1) is not Array and type(x1) is not np.ndarray:
        x1 = operand(x1)
    if type(x2) is not Array and type(x2) is not np.ndarray:
        x2 = operand(x2)
    s1, s2 = x1.shape, x2.shape
    if len(s1) == 2 == len(s2) and s1[1] == s2[0] and x1.dtype is x2.dtype:  # NumPy's own dtypes are unique objects
        return P.matmul(x1, x2)
    if not s1 or not s2:
        raise shape_error("matmul", (x1, x2), "expected_matmul_axes", "fix_matmul_scalar")
    if s1[-1] != s2[-2 if len(s2) > 1 else 0]:
        fix = _transpose_fix(s1, s2)
        raise shape_error("matmul", (x1, x2), "expected_matmul", fix, k1=s1[-1], k2=s2[-2 if len(s2) > 1 else 0])
    a, b = promote(x1, x2)
    if len(s1) == 1 or len(s2) == 1:
        return _vector_product(a, b)
    if s1[:-2] == s2[:-2]:
        return P.matmul(a, b)
    if len(s2) == 2:  # one tall product instead of many small ones
        flat = P.matmul(P.reshape(a, shape=(prod(s1[:-1]), s1[-1])), b)
        return P.reshape(flat, shape=(*s1[:-1], s2[-1]))
    lead1, lead2 = s1[:-2], s2[:-2]
    depth = max(len(lead1), len(lead2))
    i, j, k = depth, depth + 1, depth + 2
    labels1 = (*range(depth - len(lead1), depth), i, k)
    labels2 = (*range(depth - len(lead2), depth), k, j)
    return contraction("matmul", (a, b), (labels1, labels2), (*range(depth), i, j), frozenset(range(depth)))


def _transpose_fix(s1: tuple[int, ...], s2: tuple[int, ...]) -> str:
    if len(s1) == 2 == len(s2):
        if s1[1] == s2[1]:
            return "fix_matmul_second"
        if s1[0] == s2[0]:
            return "fix_matmul_first"
        if s1[0] == s2[1]:
            return "fix_matmul_order"
    return "fix_matmul_reshape"


def _vector_product(a: Any, b: Any) -> Any:
    """A product with a 1-D operand, as one einsum: nothing has to be reshaped."""
    depth = max(a.ndim, b.ndim)
    rows = tuple(range(a.ndim - 1))
    batch, columns = tuple(range(max(b.ndim - 2, 0))), (depth + 1,) if b.ndim > 1 else ()
    inputs = ((*rows, depth), (*batch, depth, *columns))
    return P.einsum(a, b, inputs=inputs, output=(*(rows or batch), *columns))


# -- einsum ------------------------------------------------------------------------------------------------------


def contraction(
    operation: str,
    xs: Sequence[Any],
    inputs: Sequence[Labels],
    output: Labels,
    broadcast: frozenset[int] | None = None,
) -> Any:
    """``einsum`` over integer labels, brought to the normal form of the primitive.

    Axes of length 1 broadcast against the others of their label (only the labels in ``broadcast``, where given).
    """
    size: dict[int, int] = {}
    for x, labels in zip(xs, inputs, strict=True):
        for length, label in zip(x.shape, labels, strict=True):
            known = size.setdefault(label, length)
            if known != length:
                alike = len({n for n, other in zip(x.shape, labels, strict=True) if other == label}) == 1
                stretched = alike and 1 in (known, length) and (broadcast is None or label in broadcast)
                if not stretched:
                    raise shape_error(operation, xs, "expected_labels", "fix_match_axes", a=known, b=length)
                size[label] = length if known == 1 else known
    operands, forms = [], []
    for x, labels in zip(xs, inputs, strict=True):
        x, labels = _without_repeats(*_without_stretched(x, labels, size))
        operands.append(x)
        forms.append(labels)
    for n, labels in enumerate(forms):
        needed = {*output, *(label for m, other in enumerate(forms) if m != n for label in other)}
        alone = tuple(axis for axis, label in enumerate(labels) if label not in needed)
        if alone:
            dtype = operands[n].dtype
            total = P.sum(operands[n], axis=alone)  # NumPy widens small integers in a sum, but not in an einsum
            operands[n] = total if total.dtype == dtype else P.cast(total, dtype=dtype)
            forms[n] = tuple(label for label in labels if label in needed)
    numbers = {
        label: n for n, label in enumerate(dict.fromkeys(label for labels in (*forms, output) for label in labels))
    }
    small = tuple(tuple(numbers[label] for label in labels) for labels in forms)
    if len(operands) == 1:
        axes = tuple(forms[0].index(label) for label in output)
        return operands[0] if axes == tuple(range(len(axes))) else P.transpose(operands[0], axes=axes)
    return P.einsum(*operands, inputs=small, output=tuple(numbers[label] for label in output))


def _without_stretched(x: Any, labels: Labels, size: dict[int, int]) -> tuple[Any, Labels]:
    """Drop the axes of length 1 whose label is longer elsewhere: a product with them is a product with the element."""
    kept = [axis for axis, label in enumerate(labels) if x.shape[axis] == size[label]]
    if len(kept) == len(labels):
        return x, labels
    return P.reshape(x, shape=tuple(x.shape[axis] for axis in kept)), tuple(labels[axis] for axis in kept)


def _without_repeats(x: Any, labels: Labels) -> tuple[Any, Labels]:
    """Take the diagonal over axes that share a label."""
    if len(set(labels)) == len(labels):
        return x, labels
    for label in dict.fromkeys(labels):
        axes = [axis for axis, other in enumerate(labels) if other == label]
        if len(axes) > 1:
            rest = [axis for axis in range(len(labels)) if axis not in axes]
            x = P.transpose(x, axes=(*axes, *rest))
            along = np.arange(x.shape[0])
            x = P.gather(x, *[along] * len(axes))
            labels = (label, *(labels[axis] for axis in rest))
    return x, labels


def einsum(
    *operands: Any, out: Any = None, dtype: Any = None, order: str = "K", casting: str = "safe", optimize: Any = False
) -> Any:
    """Einstein's summation, ``y[output] = Σ Π xn[subscripts n]`` over the labels missing in the output.

    Everything ``np.einsum`` reads: ``"ij,jk->ik"``, implicit output, ``...``, repeated labels (diagonals), and the
    interleaved form ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. ``optimize`` and ``order`` are accepted and change
    nothing: pairs are always multiplied as matrices. Raises ``ArgumentError`` for subscripts that do not fit the
    operands and ``ShapeError`` for lengths that differ.

    >>> import backlight
    >>> x = backlight.array([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ii->i", x), einsum("ij,j", x, [1.0, 10.0])
    (backlight.array([1., 4.]), backlight.array([21., 43.]))
    """
    xs, terms, output = _subscripts(operands)
    inputs, output = _labels(xs, terms, output)
    xs = promote(*xs, dtype=dtype)
    return deliver(contraction("einsum", xs, inputs, output), out)


Term = tuple[Any, ...]  # labels, and at most one Ellipsis


def _subscripts(operands: Sequence[Any]) -> tuple[list[Any], list[Term], Term | None]:
    """The operands, one term of labels for each, and the output's (``None`` where it is implicit)."""
    if operands and isinstance(operands[0], str):
        text = operands[0].replace(" ", "")
        xs = [operand(x) for x in operands[1:]]
        before, arrow, after = text.partition("->")
        terms = [_letters(term, len(xs)) for term in before.split(",")]
        output = _letters(after, len(xs)) if arrow else None
    else:
        xs = [operand(x) for x in operands[: len(operands) // 2 * 2 : 2]]
        terms = [tuple(term) for term in operands[1::2]]
        output = tuple(operands[-1]) if len(operands) % 2 else None
    if len(terms) != len(xs):
        raise _refused(len(xs), "einsum_counts", terms=len(terms))
    return xs, terms, output


def _letters(term: str, operands: int) -> Term:
    before, dots, after = term.partition("...")
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            raise _refused(operands, "einsum_letter", label=letter)
    return (*map(ord, before), *((...,) if dots else ()), *map(ord, after))


def _refused(operands: int, problem: str, **facts: Any) -> ArgumentError:
    text = message("expected_einsum", count=operands, problem=message(problem, **facts))
    return ArgumentError(message("einsum_refused", here(), expected=text))


def _spelled(term: Term) -> str:
    return "".join("..." if label is ... else chr(label) if label > 51 else f"[{label}]" for label in term)


def _labels(xs: Sequence[Any], terms: Sequence[Term], output: Term | None) -> tuple[list[Labels], Labels]:
    """Integer labels for every axis; the axes behind an ellipsis are counted from the right: -1, -2, …"""
    inputs: list[Labels] = []
    depth = 0
    for x, term in zip(xs, terms, strict=True):
        hidden = x.ndim - (len(term) - term.count(...))
        if hidden < 0 or (hidden and ... not in term) or term.count(...) > 1:
            raise _refused(len(xs), "einsum_axes", term=_spelled(term), named=len(term) - term.count(...), axes=x.ndim)
        depth = max(depth, hidden)
        inputs.append(_expanded(term, hidden))
    every = [label for labels in inputs for label in labels]
    if output is None:
        named = sorted(label for label in set(every) if label >= 0 and every.count(label) == 1)
        return inputs, (*range(-depth, 0), *named)
    made = _expanded(output, depth)
    for label in made:
        if made.count(label) > 1 or label not in every:
            raise _refused(len(xs), "einsum_output", label=_spelled((label,)))
    if depth and ... not in output:
        raise _refused(len(xs), "einsum_output", label="...")
    return inputs, made


def _expanded(term: Term, hidden: int) -> Labels:
    return tuple(label for part in term for label in (range(-hidden, 0) if part is ... else (int(part),)))


# -- NumPy's other products --------------------------------------------------------------------------------------


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum over pairs of axes: the last ``axes`` of ``a`` with the first of ``b``, or the two given lists of axes.

    >>> import backlight
    >>> tensordot(backlight.array([1.0, 2.0]), [3.0, 4.0], axes=1)
    backlight.array(11.)
    """
    a, b = promote(operand(a), operand(b))
    if isinstance(axes, Sequence | np.ndarray):
        wanted = [_axis_list(part) for part in axes]
    else:
        wanted = [list(range(-int(axes), 0)), list(range(int(axes)))]
    try:
        first = [range(a.ndim)[axis] for axis in wanted[0]]
        second = [range(b.ndim)[axis] for axis in wanted[1]]
        fits = len(first) == len(second) == len(set(first)) == len(set(second))
    except IndexError:
        fits = False
    if not fits:
        raise shape_error("tensordot", (a, b), "expected_tensordot", "fix_tensordot", first=wanted[0], second=wanted[1])
    labels_a = tuple(range(a.ndim))
    labels_b = tuple(first[second.index(axis)] if axis in second else a.ndim + axis for axis in range(b.ndim))
    output = tuple(x for x in labels_a if x not in first) + tuple(x for x in labels_b if x >= a.ndim)
    return contraction("tensordot", (a, b), (labels_a, labels_b), output, frozenset())


def _axis_list(axes: Any) -> list[int]:
    return [int(axis) for axis in axes] if np.ndim(axes) else [int(axes)]


def dot(a: Any, b: Any, out: Any = None) -> Any:
    """``np.dot``: the sum over the last axis of ``a`` and the last but one of ``b``; a plain product with a number.

    >>> import backlight
    >>> dot(backlight.array([1.0, 2.0]), [3.0, 4.0])
    backlight.array(11.)
    """
    if out is None and getattr(a, "ndim", 0) == 2 == getattr(b, "ndim", 0):
        return matmul(a, b)  # the ordinary call, without detours
    a, b = operand(a), operand(b)
    if not a.ndim or not b.ndim:
        return deliver(P.multiply(a, b), out)
    if a.ndim <= 2 and b.ndim <= 2:
        return deliver(matmul(a, b), out)
    a, b = promote(a, b)
    k = a.ndim - 1
    columns = tuple(range(a.ndim, a.ndim + b.ndim - 1))
    labels_b = (*columns[:-1], k, columns[-1]) if b.ndim > 1 else (k,)
    labels = (tuple(range(a.ndim)), labels_b)
    return deliver(contraction("dot", (a, b), labels, (*range(k), *columns), frozenset()), out)


def inner(a: Any, b: Any) -> Any:
    """``np.inner``: the sum over the last axes of both; a plain product with a number.

    >>> import backlight
    >>> inner(backlight.array([[1.0, 2.0], [3.0, 4.0]]), [10.0, 1.0])
    backlight.array([12., 34.])
    """
    a, b = operand(a), operand(b)
    if not a.ndim or not b.ndim:
        return P.multiply(a, b)
    a, b = promote(a, b)
    k = a.ndim + b.ndim
    labels_a, labels_b = (*range(a.ndim - 1), k), (*range(a.ndim, k - 1), k)
    return contraction("inner", (a, b), (labels_a, labels_b), (*labels_a[:-1], *labels_b[:-1]), frozenset())


def outer(a: Any, b: Any, out: Any = None) -> Any:
    """``y[i, j] = a[i] · b[j]`` of two arrays read as vectors.

    >>> import backlight
    >>> outer(backlight.array([1.0, 2.0]), [3.0, 4.0])
    backlight.array([[3., 4.],
           [6., 8.]])
    """
    a, b = promote(operand(a), operand(b))
    return deliver(P.einsum(raveled(a), raveled(b), inputs=((0,), (1,)), output=(0, 1)), out)


def conjugated(x: Any) -> Any:
    """The complex conjugate, without a node where there is nothing to conjugate."""
    return P.conjugate(x) if x.dtype.kind == "c" else x


def vdot(a: Any, b: Any) -> Any:
    """``Σ conj(a) · b`` over all elements, as ``np.vdot``.

    >>> import backlight
    >>> vdot(backlight.array([1.0, 2.0]), [3.0, 4.0])
    backlight.array(11.)
    """
    a, b = (raveled(x) for x in promote(operand(a), operand(b)))
    if a.shape != b.shape:
        raise shape_error("vdot", (a, b), "expected_labels", "fix_match_axes", a=a.shape[0], b=b.shape[0])
    return P.einsum(conjugated(a), b, inputs=((0,), (0,)), output=())


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: every element of ``a`` times the whole of ``b``, laid out as blocks.

    >>> import backlight
    >>> kron(backlight.array([1.0, 10.0]), [1.0, 2.0])
    backlight.array([ 1.,  2., 10., 20.])
    """
    a, b = promote(operand(a), operand(b))
    depth = max(a.ndim, b.ndim)
    shape_a, shape_b = ((1,) * (depth - x.ndim) + x.shape for x in (a, b))
    labels_a = tuple(2 * axis for axis in range(depth - a.ndim, depth))
    labels_b = tuple(2 * axis + 1 for axis in range(depth - b.ndim, depth))
    y = contraction("kron", (a, b), (labels_a, labels_b), tuple(sorted(labels_a + labels_b)))
    return P.reshape(y, shape=tuple(m * n for m, n in zip(shape_a, shape_b, strict=True)))


def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    """``Σ conj(x1) · x2`` along ``axis``, with the other axes broadcast.

    >>> import backlight
    >>> vecdot(backlight.array([[1.0, 2.0], [3.0, 4.0]]), [10.0, 1.0])
    backlight.array([12., 34.])
    """
    a, b = promote(operand(x1), operand(x2))
    a, b = _axis_last(a, axis), _axis_last(b, axis)
    return _batched("vecdot", conjugated(a), b, ((), ()), ())


def matvec(x1: Any, x2: Any) -> Any:
    """Matrices times vectors, ``y[…, i] = Σ_k x1[…, i, k] x2[…, k]``.

    >>> import backlight
    >>> matvec(backlight.array([[1.0, 2.0], [3.0, 4.0]]), [10.0, 1.0])
    backlight.array([12., 34.])
    """
    a, b = promote(operand(x1), operand(x2))
    return _batched("matvec", a, b, ((0,), ()), (0,))


def vecmat(x1: Any, x2: Any) -> Any:
    """Vectors times matrices, ``y[…, j] = Σ_k conj(x1[…, k]) x2[…, k, j]``.

    >>> import backlight
    >>> vecmat(backlight.array([10.0, 1.0]), [[1.0, 2.0], [3.0, 4.0]])
    backlight.array([13., 24.])
    """
    a, b = promote(operand(x1), operand(x2))
    return _batched("vecmat", conjugated(a), _axis_last(b, -2), ((), (0,)), (0,))


def _axis_last(x: Any, axis: int) -> Any:
    axis = axis_of(axis, x.ndim)
    order = [k for k in range(x.ndim) if k != axis]
    return x if axis == x.ndim - 1 else P.transpose(x, axes=(*order, axis))


def _batched(operation: str, a: Any, b: Any, core: tuple[Labels, Labels], made: Labels) -> Any:
    """Sum over the last axes, with ``core`` labels before them and broadcasting in front of those."""
    k = 1
    lead_a, lead_b = a.ndim - 1 - len(core[0]), b.ndim - 1 - len(core[1])
    if lead_a < 0 or lead_b < 0:
        raise shape_error(operation, (a, b), "expected_matmul_axes", "fix_matmul_scalar")
    depth = max(lead_a, lead_b)
    labels = [(*range(2 + depth - lead, 2 + depth), *own, k) for lead, own in ((lead_a, core[0]), (lead_b, core[1]))]
    whole = range(2, 2 + depth)
    return contraction(operation, (a, b), labels, (*whole, *made), frozenset(whole))


FUNCTIONS.update(
    {
        np.matmul: matmul,
        np.einsum: einsum,
        np.tensordot: tensordot,
        np.dot: dot,
        np.inner: inner,
        np.outer: outer,
        np.vdot: vdot,
        np.kron: kron,
        np.vecdot: vecdot,
        np.linalg.matmul: matmul,
        np.linalg.tensordot: tensordot,
        np.linalg.vecdot: vecdot,
    }
)
for _name, _function in (("matvec", matvec), ("vecmat", vecmat)):  # NumPy 2.2
    if hasattr(np, _name):
        FUNCTIONS[getattr(np, _name)] = _function
