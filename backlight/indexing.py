"""What ``x[key]`` and ``x[key] = value`` mean: NumPy's indexing as slices, gathers and their writing counterparts.

A key is first read as a list of *terms*, one for each thing it says: an integer, a slice, a new axis, an index array.
Without index arrays the result is a view, and its numbers lie in the memory of what it was read from; with them it is
a copy. Where the axes of the index arrays go is NumPy's rule: in place of the first of them if they stand side by
side (integers count as index arrays then), in front if anything stands between them.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.errors import ArgumentError, DTypeError, RangeError, ShapeError, message
from backlight.layout import contiguous_strides, dense_strides, inverse_permutation, selected_shape, whole
from backlight.primitive import HOOK
from backlight.primitive import REGISTRY as P
from backlight.refusal import describe
from backlight.trace import state, user_source

__all__ = ["Window", "broadcast_value", "read", "strides_of", "written"]

Shape = tuple[int, ...]


class Window(NamedTuple):
    """The lens of a basic index: ``selection`` is taken from the base (``None``: everything) and shown as ``shape``.

    ``strides``, in bytes, are those NumPy's view would have; they decide whether reshaping the view can be a view.
    """

    selection: tuple[Any, ...] | None
    shape: Shape
    strides: Shape

    def get(self, base: Any) -> Any:
        """The view, read out of ``base``."""
        y = base if self.selection is None else P.slice(base, index=self.selection)
        return y if y.shape == self.shape else P.reshape(y, shape=self.shape)

    def put(self, base: Any, new: Any) -> Any:
        """``base`` with the view replaced by ``new``."""
        inner = base.shape if self.selection is None else selected_shape(self.selection)
        if new.shape != inner:
            new = P.reshape(new, shape=inner)
        if self.selection is None and not new.node.is_scalar:
            return new
        return P.update(base, new, index=self.selection or whole(base.shape))  # a number becomes an array of no axes


def strides_of(x: Any) -> Shape:
    """The strides, in bytes, that NumPy's array would have in place of ``x``: those of its memory, or of its view."""
    if x._root is not None:
        return tuple(x._lens.strides)
    if hasattr(x, "_layout"):
        return tuple(x._layout)
    node = x.node
    if node._value is None:
        return tuple(node.dtype.itemsize * stride for stride in contiguous_strides(node.shape))
    value = node.value
    if type(value) is not np.ndarray or value.flags.c_contiguous:
        return tuple(value.strides)
    return dense_strides(value.shape, value.strides, value.itemsize)  # memory has no holes; a copied view's value may


# -- From a key to terms -----------------------------------------------------------------------------------------


class Term(NamedTuple):
    """One thing that a key says.

    ``kind`` is ``int`` (``value``: which element), ``slice`` (``value``: start, count, step), ``new`` (an axis of
    length 1), ``array`` (``value``: an integer index array, plain or traced), ``flag`` (``value``: one truth value,
    which adds an axis of length 1 or 0), or ``gap`` (an ellipsis that stands for no axis, but still stands between).
    """

    kind: str
    value: Any = None


def _where() -> str:
    return str(user_source() or "")


class Terms(NamedTuple):
    """A key against an array of a certain shape."""

    terms: list[Term]
    advanced: bool  # there are index arrays or single truth values
    dots: bool  # there is an ellipsis: then even one number comes as an array (of no axes)


def _parse(array: Any, key: Any) -> Terms:
    entries = [_entry(array, entry) for entry in (key if isinstance(key, tuple) else (key,))]
    dots = sum(entry is Ellipsis for entry in entries)
    if dots > 1:
        raise RangeError(message("index_ellipsis", _where(), operand=describe(array)))
    wanted = sum(map(_axes_taken, entries))
    missing = array.ndim - wanted
    if missing < 0:
        raise RangeError(message("index_count", _where(), operand=describe(array), axes=array.ndim, came=wanted))
    if not dots:
        entries.append(Ellipsis)
    terms: list[Term] = []
    axis = 0
    for entry in entries:
        if entry is None:
            terms.append(Term("new"))
            continue
        if entry is Ellipsis:
            terms += [Term("slice", (0, length, 1)) for length in array.shape[axis : axis + missing]]
            if not missing and dots:
                terms.append(Term("gap"))
            axis += missing
        elif isinstance(entry, int):
            terms.append(Term("int", _in_range(array, entry, axis)))
            axis += 1
        elif isinstance(entry, slice):
            terms.append(Term("slice", _steps(entry, array.shape[axis])))
            axis += 1
        elif entry.dtype.kind == "b":
            terms += _mask_terms(array, entry, axis)
            axis += entry.ndim
        else:
            terms.append(Term("array", entry))
            axis += 1
    return Terms(terms, any(term.kind in ("array", "flag") for term in terms), bool(dots))


def _entry(array: Any, entry: Any) -> Any:
    """One member of a key as ``None``, ``...``, a slice, a Python integer, or an array of integers or truth values."""
    if entry is None or entry is Ellipsis or isinstance(entry, slice) or type(entry) is int:
        return entry
    if isinstance(entry, list) and not isinstance(entry, HOOK.array):
        entry = _listed(array, entry)
    elif isinstance(entry, bool | np.bool_):
        entry = np.asarray(entry)
    if isinstance(entry, np.ndarray | HOOK.array):
        if entry.dtype.kind in "iub":
            return entry
    elif hasattr(entry, "__index__"):
        return entry.__index__()
    raise RangeError(message("index_kind", _where(), operand=describe(array), came=describe(entry)))


def _listed(array: Any, entry: list[Any]) -> Any:
    """A list as an index array; an empty one holds integers."""
    try:
        found = HOOK.plain(entry)
    except (TypeError, ValueError):
        raise RangeError(message("index_kind", _where(), operand=describe(array), came=repr(entry))) from None
    if isinstance(found, HOOK.array):
        return HOOK.as_array(found)
    return found.astype(np.intp) if found.size == 0 and found.dtype.kind == "f" else found


def _axes_taken(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if not isinstance(entry, int | slice) and entry.dtype.kind == "b" else 1


def _steps(entry: slice, length: int) -> tuple[int, int, int]:
    try:
        start, stop, step = entry.indices(length)
    except (TypeError, ValueError) as error:
        raise RangeError(message("index_slice", _where(), came=entry, reason=error)) from None
    count = len(range(start, stop, step))
    return (start, count, step) if count > 1 else (start if count else 0, count, 1)


def _in_range(array: Any, i: int, axis: int) -> int:
    length = array.shape[axis]
    if not -length <= i < length:
        raise _outside(array, i, axis)
    return i + length if i < 0 else i


def _indices_in_range(array: Any, indices: Any, axis: int) -> Any:
    """Index arrays are checked; plain ones are made non-negative, traced ones stay as the user computed them."""
    traced = isinstance(indices, HOOK.array)
    if traced and state.postpone:
        return indices  # whoever runs the trace checks
    values = np.asarray(indices.node.value if traced else indices)
    length = array.shape[axis]
    if values.size:
        low, high = int(values.min()), int(values.max())
        if low < -length or high >= length:
            raise _outside(array, high if high >= length else low, axis)
        if low < 0 and not traced:
            return np.where(values < 0, values + length, values)
    return indices


def _outside(array: Any, i: int, axis: int) -> RangeError:
    length = array.shape[axis]
    key = "index_range" if length else "index_empty"
    return RangeError(
        message(key, _where(), operand=describe(array), index=i, axis=axis, size=length, low=-length, high=length - 1)
    )


def _mask_terms(array: Any, mask: Any, axis: int) -> list[Term]:
    """A mask as the positions where it is true; reading a traced one is noted as a guard of the trace."""
    wanted = array.shape[axis : axis + mask.ndim]
    if any(came not in (0, length) for came, length in zip(mask.shape, wanted, strict=True)):  # NumPy lets 0 pass
        raise RangeError(
            message("index_mask", _where(), operand=describe(array), came=mask.shape, expected=wanted, axis=axis)
        )
    if isinstance(mask, HOOK.array):
        mask = np.array(mask.tolist(), bool).reshape(mask.shape)
    if mask.ndim == 0:
        return [Term("flag", bool(mask))]
    return [Term("array", positions) for positions in mask.nonzero()]


# -- Basic indexing: views ---------------------------------------------------------------------------------------


def _window(array: Any, terms: list[Term]) -> Window:
    base_strides = strides_of(array)
    index: list[Any] = []
    shape: list[int] = []
    strides: list[int] = []
    for kind, value in terms:
        if kind == "int":
            index.append(value)
        elif kind == "slice":
            shape.append(value[1])
            strides.append(value[2] * base_strides[len(index)])
            index.append(value)
        elif kind == "new":
            shape.append(1)
            strides.append(0)
    if not shape and index:  # x[0, ...]: a view of one number is a 0-d array, where x[0] is a number
        index = [(i, 1, 1) for i in index]
    selected = tuple(index)
    return Window(None if selected == whole(array.shape) else selected, tuple(shape), tuple(strides))


def read(array: Any, key: Any) -> Any:
    """``array[key]``: a view where NumPy gives one, else a copy; differentiable with respect to ``array``.

    Raises ``RangeError`` for an index that is outside, of the wrong kind, or one of too many.

    >>> import backlight
    >>> x = backlight.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> x[0, ::-1], x[:, [2, 0]], x[x > 4]
    (backlight.array([3., 2., 1.]), backlight.array([[3., 1.],
           [6., 4.]]), backlight.array([5., 6.]))
    """
    if type(key) is int and len(array.shape) == 1:  # the commonest key, without ado
        return P.slice(array, index=(_in_range(array, key, 0),))
    terms, advanced, dots = _parse(array, key)
    if advanced:
        result = _Arrangement.of(array, terms).read(array)
        return result if result.shape or not dots else P.broadcast_to(result, shape=())
    if not dots and all(term.kind == "int" for term in terms):
        return P.slice(array, index=tuple([term.value for term in terms]))
    lens = _window(array, terms)
    result = lens.get(array)
    if result is array:
        result = HOOK.array(array.node)
    return result if array.node.is_scalar else result.as_view(array, lens)


# -- Advanced indexing: gather and scatter -----------------------------------------------------------------------


class _Arrangement(NamedTuple):
    """How an array with index arrays in its key is laid out for ``gather`` (and back).

    inner:    the basic part of the key (``P.slice``'s index); integers are dropped, all other axes stay
    flagged:  shape after that, with an axis of length 1 for each single truth value
    order:    axes with those that index arrays address in front
    indices:  the index arrays, broadcast to ``lead``
    back:     axes of the gathered array in the order of the result
    shape:    the result's shape, new axes included
    """

    inner: tuple[Any, ...]
    flagged: Shape
    order: Shape
    indices: tuple[Any, ...]
    lead: Shape
    back: Shape
    shape: Shape

    @classmethod
    def of(cls, array: Any, terms: list[Term]) -> _Arrangement:
        inner: list[Any] = []
        flagged: list[int] = []
        addressed: list[int] = []
        kept: list[int] = []
        arrays: list[tuple[Any, int | None]] = []
        for kind, value in terms:
            if kind in ("int", "slice"):
                inner.append(value)
            elif kind == "array":
                inner.append((0, array.shape[len(inner)], 1))
            if kind in ("array", "flag"):
                addressed.append(len(flagged))
                arrays.append((value, len(inner) - 1) if kind == "array" else (np.zeros(int(value), np.intp), None))
                flagged.append(inner[-1][1] if kind == "array" else 1)
            elif kind == "slice":
                kept.append(len(flagged))
                flagged.append(value[1])
        lead = _lead(array, [i for i, _ in arrays])
        front = _front(terms)
        slices = sum(term.kind == "slice" for term in terms[:front])
        s = len(lead)
        back = (*range(s, s + slices), *range(s), *range(s + slices, s + len(kept)))
        rest = [term.value[1] if term.kind == "slice" else 1 for term in terms if term.kind in ("slice", "new")]
        before = sum(term.kind in ("slice", "new") for term in terms[:front])
        checked = [
            i if axis is None or (0 in lead and i.ndim) else _indices_in_range(array, i, axis) for i, axis in arrays
        ]  # as in NumPy, index arrays that pair with nothing are not looked at
        indices = tuple([_broadcast(i, lead) for i in checked])
        order = (*addressed, *kept)
        return cls(tuple(inner), tuple(flagged), order, indices, lead, back, (*rest[:before], *lead, *rest[before:]))

    def _arranged(self, array: Any) -> Any:
        if self.inner != whole(array.shape):
            array = P.slice(array, index=self.inner)
        return _transposed(_reshaped(array, self.flagged), self.order)

    def read(self, array: Any) -> Any:
        gathered = P.gather(self._arranged(array), *self.indices)
        return _reshaped(_transposed(gathered, self.back), self.shape)

    def written(self, array: Any, value: Any) -> Any:
        x = self._arranged(array)
        rest = x.shape[len(self.indices) :]
        flat = (*self.lead, *rest)
        value = _transposed(_reshaped(value, tuple([flat[axis] for axis in self.back])), inverse_permutation(self.back))
        x = _transposed(P.scatter_set(x, *self.indices, value), inverse_permutation(self.order))
        if self.inner == whole(array.shape):
            return _reshaped(x, array.shape)
        return P.update(array, _reshaped(x, selected_shape(self.inner)), index=self.inner)


def _front(terms: list[Term]) -> int:
    """Which term the axes of the index arrays take the place of: the first of them, or the very front."""
    places = [k for k, term in enumerate(terms) if term.kind in ("int", "array", "flag")]
    return places[0] if places[-1] - places[0] == len(places) - 1 else 0


def _lead(array: Any, arrays: list[Any]) -> Shape:
    try:
        return np.broadcast_shapes(*[i.shape for i in arrays])
    except ValueError:
        shapes = ", ".join(str(i.shape) for i in arrays)
        raise RangeError(message("index_shapes", _where(), operand=describe(array), shapes=shapes)) from None


def _broadcast(indices: Any, shape: Shape) -> Any:
    if indices.shape == shape:
        return indices
    if isinstance(indices, np.ndarray):
        return np.broadcast_to(indices, shape)
    return P.broadcast_to(indices, shape=shape)


def _reshaped(x: Any, shape: Shape) -> Any:
    return x if x.shape == shape else P.reshape(x, shape=shape)


def _transposed(x: Any, axes: Shape) -> Any:
    return x if axes == tuple(range(len(axes))) else P.transpose(x, axes=axes)


# -- Writing -----------------------------------------------------------------------------------------------------


def written(array: Any, key: Any, value: Any) -> Any:
    """The Array that ``array`` becomes by ``array[key] = value``; same shape and dtype.

    The overwritten elements get gradient zero, ``value`` gets the gradient of the places it was written to (summed
    where it was repeated; where an index occurs twice, the last write counts).

    Raises ``RangeError`` for a bad key, ``ShapeError`` for a value that does not fit the selection, ``DTypeError`` for
    a traced float that an integer array cannot hold and for complex numbers in a real array.

    >>> import backlight
    >>> x = backlight.array([1.0, 2.0, 3.0])
    >>> x[1:] = x[:-1] * 10
    >>> x[x > 15] = 0.0
    >>> x
    backlight.array([ 1., 10.,  0.])
    """
    if array.node.is_scalar:
        raise DTypeError(message("write_number", _where(), target=describe(array)))
    value = _stored(array, value)
    mask = _lone_mask(array, key)
    if mask is not None:
        result = _masked(array, *mask, value)
        if result is not None:
            return result
    terms, advanced, _ = _parse(array, key)
    if advanced:
        arrangement = _Arrangement.of(array, terms)
        return arrangement.written(array, broadcast_value(array, value, arrangement.shape))
    lens = _window(array, terms)
    if _is_that_view(value, array, lens):
        return array  # `x[key] += v` has written through the view already
    return lens.put(array, broadcast_value(array, value, lens.shape))


def _is_that_view(value: Any, array: Any, lens: Window) -> bool:
    return isinstance(value, HOOK.array) and value._root is not None and value._base is array and value._lens == lens


def _stored(array: Any, value: Any) -> Any:
    """``value`` in the dtype of ``array``."""
    dtype = array.dtype
    found = value if isinstance(value, HOOK.array) else HOOK.plain(value)
    traced = isinstance(found, HOOK.array)
    came = found.dtype if traced or isinstance(found, np.ndarray | np.generic) else np.asarray(found).dtype
    if (came.kind == "c" and dtype.kind != "c") or (traced and came.kind == "f" and dtype.kind in "iub"):
        raise DTypeError(message("write_dtype", _where(), target=describe(array), came=came))
    if traced:
        return found if came == dtype else P.cast(found, dtype=dtype)
    return np.asarray(found).astype(dtype) if isinstance(found, np.ndarray | np.generic) else np.asarray(found, dtype)


def broadcast_value(array: Any, value: Any, shape: Shape) -> Any:
    """``value`` repeated to ``shape`` for writing into ``array``; leading axes of length 1 may be too many."""
    came = value.shape
    surplus = len(came) - len(shape)
    if surplus > 0 and prod(came[:surplus]) == 1:
        value = value.reshape(came[surplus:]) if isinstance(value, np.ndarray) else _reshaped(value, came[surplus:])
    if value.shape != shape:
        try:
            fits = np.broadcast_shapes(value.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(message("write_selection", _where(), target=describe(array), shape=shape, came=came))
        value = _broadcast(value, shape)
    return HOOK.as_array(value)


def _lone_mask(array: Any, key: Any) -> tuple[Any, int] | None:
    """A mask and its first axis, if the key is a mask that fits and otherwise takes everything."""
    entries = key if isinstance(key, tuple) else (key,)
    masks = [entry for entry in entries if _is_mask(array, entry)]
    others = [entry for entry in entries if not _is_mask(array, entry)]
    if len(masks) != 1 or not all(entry is Ellipsis or _is_full(entry) for entry in others):
        return None
    if sum(entry is Ellipsis for entry in others) > 1:
        return None
    mask = masks[0]
    axis = 0
    for entry in entries:
        if _is_mask(array, entry):
            break
        axis += array.ndim - mask.ndim - (len(entries) - 2) if entry is Ellipsis else 1
    return (mask, axis) if mask.ndim and mask.shape == array.shape[axis : axis + mask.ndim] else None


def _is_mask(array: Any, entry: Any) -> bool:
    return isinstance(entry, np.ndarray | HOOK.array) and entry.dtype.kind == "b"


def _is_full(entry: Any) -> bool:
    return isinstance(entry, slice) and entry == slice(None)


def _masked(array: Any, mask: Any, axis: int, value: Any) -> Any:
    """``where(mask, value, array)`` if the same value goes to every true place of the mask, else ``None``.

    Nothing has to be read from the mask then, so the mapping stays the same when the mask changes.
    """
    after = array.ndim - axis - mask.ndim
    place = value.ndim - after - 1  # the axis of value that runs over the true places
    if place > axis or (place >= 0 and value.shape[place] != 1):
        return None
    if place >= 0:
        value = _reshaped(value, (*value.shape[:place], *(1,) * mask.ndim, *value.shape[place + 1 :]))
    try:
        if np.broadcast_shapes(value.shape, array.shape) != array.shape:
            return None
    except ValueError:
        return None
    if after:
        mask = _reshaped(mask, (*mask.shape, *(1,) * after))
    return P.where(mask, value, array)


def read_only(base: Any, new: Any) -> Any:
    """The writing half of a view that NumPy does not let one write to."""
    raise ArgumentError(message("read_only", _where(), target=describe(new)))
