"""Small arrays written out: every element is a scalar of its own, and every kernel a list of scalar instructions.

A value is *held*, a NumPy array of scalars in registers, which can be moved, broadcast, reshaped and sliced without an
instruction; or it is in ``Memory``, whose elements are loaded when somebody asks for them. The same scalar is written
once, loads included. Sums are taken pairwise; products in chains of four multiply-adds, whose results are added
pairwise:

    Σ xᵢ = ((x₀ + x₁) + (x₂ + x₃)) + …      Σ xᵢyᵢ = fma(x₃, y₃, fma(x₂, y₂, fma(x₁, y₁, x₀y₀))) + …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlight.compiler.expression import combine, evaluate, identity, load_as, memory_kind, register_kind, store_as
from backlight.compiler.ir import Function, Value, bits, is_float, vector
from backlight.compiler.views import Digits, View, contiguous, over, rearranged, refined, tidy
from backlight.layout import contiguous_strides
from backlight.primitive import Piece

__all__ = ["Held", "Memory", "Scalars", "fills", "held", "is_simple", "is_uniform"]

Shape = tuple[int, ...]
Held = np.ndarray[Any, Any]

CHAIN = 4  # multiply-adds that wait for each other; as long as one takes on common processors
MANY = 16  # equal elements that are stored by a loop
FEW = 64  # elements that tell most arrays from uniform ones
ROOM = 64  # bytes on which work areas begin

SIMPLE = {"neg", "abs", "add", "sub", "mul", "div", "sqrt", "min", "max", "floor", "ceil", "rint", "trunc", "copysign"}
SIMPLE |= {"lt", "le", "gt", "ge", "eq", "isnan", "isinf", "isfinite", "signbit", "truth", "select"}
SIMPLE |= {"and", "or", "xor", "not", "invert", "shl", "shr"}
"""Operations of one or a few instructions; all others are long enough to be worth computing in a vector."""

BOOL, INDEX = np.dtype(bool), np.dtype(np.int64)


class Memory(NamedTuple):
    """An array whose elements stand in memory where ``view`` says; ``view.tensor`` is the address it counts from."""

    view: View
    shape: Shape
    dtype: Any

    @property
    def place(self) -> Value:
        place: Value = self.view.tensor
        return place

    @property
    def size(self) -> int:
        return prod(self.shape)

    @classmethod
    def at(cls, place: Value, shape: Shape, dtype: Any) -> Memory:
        """All elements in order from ``place`` on."""
        return cls(View(place, 0, contiguous(prod(shape))), shape, np.dtype(dtype))


def held(values: Sequence[Any], shape: Shape) -> Held:
    """The scalars, in reading order, as an array."""
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def is_uniform(array: Any) -> bool:
    """Whether all elements are the same bits."""
    if not any(array.strides):
        return True
    flat = np.ascontiguousarray(array).reshape(-1)
    rows = flat.view(np.uint8).reshape(flat.size, -1)
    return bool((rows[:FEW] == rows[:1]).all() and (rows == rows[:1]).all())


def is_simple(expression: Any) -> bool:
    """Whether an expression is made of simple operations alone."""
    if not isinstance(expression, tuple):
        return True
    return expression[0] in SIMPLE and all(map(is_simple, expression[1:]))


class Scalars:
    """Writes scalar instructions into ``b``; ``width`` is how many float32 numbers a vector register holds.

    What needs memory takes it from the work area at ``scratch``, ``used`` bytes in the end. ``outside`` remembers
    whether an index was out of range.
    """

    def __init__(self, b: Function, width: int, scratch: Value) -> None:
        self.b = b
        self.width = width
        self.scratch = scratch
        self.used = 0
        self.outside = b.variable("i1", False)
        self._known: list[dict[Any, Value]] = [{}]

    # -- Scalars

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Scalars that are made inside, in a loop, are not known outside."""
        self._known.append({})
        yield
        self._known.pop()

    def _find(self, key: Any) -> Value | None:
        return next((known[key] for known in reversed(self._known) if key in known), None)

    def once(self, key: Any, write: Callable[[], Value]) -> Value:
        """What ``write`` makes, or has made where the key was the same."""
        found = self._find(key)
        if found is None:
            found = self._known[-1][key] = write()
        return found

    def number(self, value: Any, dtype: Any) -> Value:
        """A number as a constant."""
        return self.b.const(register_kind(dtype), value)

    def constant(self, array: Any) -> Held:
        """A constant array as numbers in the instructions themselves."""
        array = np.asarray(array)
        if is_uniform(array) and array.size:
            return np.broadcast_to(held([self.number(array.reshape(-1)[0], array.dtype)], ()), array.shape)
        return held([self.number(each, array.dtype) for each in array.reshape(-1)], array.shape)

    def value(self, expression: Any, xs: Sequence[Value], dtypes: Sequence[Any], dtype: Any) -> Value:
        """One scalar of a ``Map`` expression."""
        key = ("map", expression, *dtypes, dtype, *[x.text for x in xs])
        return self.once(key, lambda: evaluate(self.b, expression, xs, dtypes, dtype))

    def convert(self, x: Held, source: Any, target: Any) -> Held:
        """The elements in another dtype."""
        return x if source == target else self.map("x0", [x], [source], target, x.shape)

    def tree(self, parts: Sequence[Value], name: str, dtype: Any) -> Value:
        """The parts combined pairwise, neighbours first."""
        if not parts:
            return self.number(identity(name, dtype), dtype)
        parts = list(parts)
        while len(parts) > 1:
            pairs = [self.combined(name, x, y, dtype) for x, y in zip(parts[::2], parts[1::2], strict=False)]
            parts = pairs + parts[len(pairs) * 2 :]
        return parts[0]

    def combined(self, name: str, x: Value, y: Value, dtype: Any) -> Value:
        """``combine(x, y)``, a step of a fold."""
        return self.once((name, dtype, x.text, y.text), lambda: combine(self.b, name, x, y, dtype))

    def dot(self, terms: Sequence[Sequence[Value]], dtype: Any) -> Value:
        """The sum of the products of each term's factors."""
        chains = [self._chain(terms[k : k + CHAIN], dtype) for k in range(0, len(terms), CHAIN)]
        return self.tree(chains, "add", dtype)

    def _chain(self, terms: Sequence[Sequence[Value]], dtype: Any) -> Value:
        total: Value | None = None
        for *factors, last in terms:
            if not factors:
                total = last if total is None else self.combined("add", total, last, dtype)
                continue
            x = factors[0]
            for each in factors[1:]:
                x = self.combined("multiply", x, each, dtype)
            if total is not None and is_float(last.kind):
                total = self._fused(x, last, total)
            else:
                product = self.combined("multiply", x, last, dtype)
                total = product if total is None else self.combined("add", total, product, dtype)
        assert total is not None
        return total

    def _fused(self, x: Value, y: Value, z: Value) -> Value:
        return self.once(("fma", x.kind, x.text, y.text, z.text), lambda: self.b.fma(x, y, z))

    # -- Maps

    def map(self, expression: Any, xs: Sequence[Held], dtypes: Sequence[Any], dtype: Any, shape: Shape) -> Held:
        """``expression`` of every element; one with functions is computed for several elements at once, in a vector."""
        if not prod(shape):
            return held([], shape)
        columns = [np.broadcast_to(x, shape).reshape(-1).tolist() for x in xs]
        head = ("map", expression, *dtypes, dtype)
        keys = [(*head, *[x.text for x in row]) for row in zip(*columns, strict=True)]
        found: dict[Any, Value] = {}
        missing: dict[Any, tuple[Value, ...]] = {}
        for key, row in zip(keys, zip(*columns, strict=True), strict=True):
            if key not in found and key not in missing:
                known = self._find(key)
                if known is None:
                    missing[key] = row
                else:
                    found[key] = known
        if len(missing) > 1 and not is_simple(expression):
            made = self._packed(expression, list(missing.values()), dtypes, dtype)
        else:
            made = [evaluate(self.b, expression, row, dtypes, dtype) for row in missing.values()]
        self._known[-1].update(zip(missing, made, strict=True))
        found.update(zip(missing, made, strict=True))
        return held([found[key] for key in keys], shape)

    def _packed(
        self, expression: Any, rows: Sequence[Sequence[Value]], dtypes: Sequence[Any], dtype: Any
    ) -> list[Value]:
        b = self.b
        widest = max(bits(register_kind(each)) for each in (*dtypes, dtype))
        most = max(2, self.width * 32 // max(widest, 32))
        made: list[Value] = []
        for start in range(0, len(rows), most):
            part = rows[start : start + most]
            if len(part) == 1:
                made.append(evaluate(b, expression, part[0], dtypes, dtype))
                continue
            lanes = 1 << (len(part) - 1).bit_length()
            ys = evaluate(b, expression, [self._pack(x, lanes) for x in zip(*part, strict=True)], dtypes, dtype)
            made += [b.lane(ys, k) for k in range(len(part))]
        return made

    def _pack(self, xs: Sequence[Value], lanes: int) -> Value:
        """The scalars in the first lanes of a vector; the rest repeat one of them, so that no lane holds nonsense."""
        b = self.b
        if all(x.text == xs[0].text for x in xs):
            return b.splat(xs[0], lanes)
        if not any(x.text.startswith("%") for x in xs):
            texts = [xs[min(k, len(xs) - 1)].text for k in range(lanes)]
            return Value(b, vector(xs[0].kind, lanes), "<" + ", ".join(f"{xs[0].kind} {text}" for text in texts) + ">")
        packed = b.splat(xs[0], lanes)
        for k, x in enumerate(xs):
            if x.text != xs[0].text:
                packed = b.put_lane(packed, k, x)
        return packed

    # -- Memory

    def load(self, place: Value, position: int, dtype: Any) -> Value:
        """Element ``position`` behind an address, loaded once."""
        b, kind = self.b, memory_kind(dtype)
        key = ("load", kind, place.text, position, dtype)
        return self.once(key, lambda: load_as(b, b.load(b.at(place, position, kind), kind), dtype))

    def store(self, xs: Held, place: Value, dtype: Any) -> None:
        """All elements in order from ``place`` on."""
        b, kind = self.b, memory_kind(dtype)
        for k, x in enumerate(xs.reshape(-1).tolist()):
            b.store(store_as(b, x, dtype), b.at(place, k, kind))

    def room(self, count: int) -> Value:
        """The next ``count`` bytes of the work area."""
        place = self.b.at(self.scratch, self.used, "i8")
        self.used += -(-count // ROOM) * ROOM
        return place

    def area(self, shape: Shape, dtype: Any) -> Memory:
        """Memory for an array of ``shape``."""
        return Memory.at(self.room(prod(shape) * np.dtype(dtype).itemsize), shape, dtype)

    def elements(self, x: Held | Memory) -> Held:
        """The elements in registers."""
        if not isinstance(x, Memory):
            return x
        offsets = _offsets(x.view.offset, x.view.digits) if x.size else []
        return held([self.load(x.place, int(k), x.dtype) for k in offsets], x.shape)

    def in_memory(self, x: Held | Memory, dtype: Any) -> Memory:
        """The same elements where a computed index can find them."""
        if isinstance(x, Memory):
            return x

        def written() -> Value:
            area = self.area(x.shape, dtype)
            self.fill(area, x)
            return area.place

        key = ("memory", dtype, *[each.text for each in x.flat])
        return Memory.at(self.once(key, written), x.shape, dtype)

    def fill(self, target: Memory, source: Held | Memory) -> None:
        """Write ``source`` to ``target``, whose elements stand in order."""
        b, kind = self.b, memory_kind(target.dtype)
        if isinstance(source, Memory):
            start = b.at(source.place, source.view.offset, kind)
            self._copy(source.view.digits, start, target.place, kind)
        elif source.size > MANY and len({x.text for x in source.flat}) == 1:
            x = store_as(b, source.flat[0], target.dtype)
            with b.loop(source.size) as i:
                b.store(x, b.at(target.place, i, kind))
        else:
            self.store(source, target.place, target.dtype)

    def _copy(self, digits: Digits, source: Value, target: Value, kind: str) -> None:
        b = self.b
        if not digits:
            b.store(b.load(source, kind), target)
            return
        (length, stride), *rest = digits
        with b.loop(length) as i:
            inner = prod(n for n, _ in rest)
            self._copy(tuple(rest), b.at(source, i * stride, kind), b.at(target, i * inner, kind), kind)

    def in_order(self, x: Memory) -> Memory:
        """The same elements, laid out in order."""
        area = self.area(x.shape, x.dtype)
        self.fill(area, x)
        return area

    def rows(self, x: Memory, axes: int) -> tuple[Memory, tuple[int, ...]]:
        """The memory ``x``, and how far apart in it the entries of each of its first ``axes`` axes are."""
        strides = _strides(x, axes)
        if strides is None:
            x = self.in_order(x)
            strides = contiguous_strides(x.shape)[:axes]
        return x, strides

    def row(self, x: Memory, strides: Sequence[int], indices: Sequence[Value]) -> Memory:
        """What stands at the i64 ``indices`` of the first axes."""
        kind = memory_kind(x.dtype)
        shift: Value | None = None
        for index, stride in zip(indices, strides, strict=True):
            part = self._times(index, stride)
            shift = part if shift is None else shift + part
        assert shift is not None
        key = ("row", kind, x.place.text, shift.text)
        place = self.once(key, lambda: self.b.at(x.place, shift, kind))
        shape = x.shape[len(strides) :]
        lengths = refined(x.view.digits, x.shape)
        assert lengths is not None
        inner = _last(lengths, over(x.view.digits, lengths), prod(shape))
        return Memory(View(place, x.view.offset, inner), shape, x.dtype)

    def _times(self, index: Value, stride: int) -> Value:
        return self.once(("times", index.text, stride), lambda: index * stride)

    # -- Moves

    def move(self, pieces: Sequence[Piece], fill: Any, xs: Sequence[Held | Memory], shape: Shape, dtype: Any) -> Any:
        """The pieces copied into an array of ``fill``; where one piece is all, what is in memory stays there."""
        size = prod(shape)
        if len(pieces) == 1 and size:
            (piece,) = pieces
            x = xs[piece.input]
            if isinstance(x, Memory) and fills(piece, size):
                view = rearranged(x.view, piece)
                if view is not None:
                    return Memory(view, shape, dtype)
        out = np.full(size, None, object)
        out[:] = self.number(fill, dtype)
        for piece in pieces:
            if prod(piece.shape):
                sources = _offsets(piece.in_offset, tuple(zip(piece.shape, piece.in_strides, strict=True)))
                targets = _offsets(piece.out_offset, tuple(zip(piece.shape, piece.out_strides, strict=True)))
                out[targets] = self._picked(xs[piece.input], sources)
        return out.reshape(shape)

    def _picked(self, x: Held | Memory, positions: Any) -> Any:
        if not isinstance(x, Memory):
            return x.reshape(-1)[positions]
        where = _offsets(x.view.offset, x.view.digits)[positions]
        return held([self.load(x.place, int(k), x.dtype) for k in where], positions.shape)


# -- Positions


def _offsets(offset: int, digits: Digits) -> Any:
    """Where the elements stand, in order."""
    places = np.asarray(offset)
    for n, stride in digits:
        places = places[..., None] + np.arange(n) * stride
    return places.reshape(-1)


def fills(piece: Piece, size: int) -> bool:
    """Whether the piece writes all of the output in order."""
    if prod(piece.shape) != size or piece.out_offset:
        return False
    inner = contiguous_strides(piece.shape)
    return all(n == 1 or a == b for n, a, b in zip(piece.shape, piece.out_strides, inner, strict=True))


def _strides(x: Memory, axes: int) -> tuple[int, ...] | None:
    """The stride of each of the first ``axes`` axes; ``None`` where one of them has none."""
    lengths = refined(x.view.digits, x.shape) if x.size else None
    if lengths is None:
        return None
    strides = over(x.view.digits, lengths)
    rest = list(zip(lengths, strides, strict=True))
    found: list[int] = []
    for length in reversed(x.shape):
        part: list[tuple[int, int]] = []
        while length > 1:
            part.insert(0, rest.pop())
            length //= part[0][0]
        digits = tidy(part)
        found.insert(0, digits[0][1] if digits else 0)
        if len(digits) > 1 and len(x.shape) - len(found) < axes:
            return None
    return tuple(found[:axes])


def _last(lengths: Sequence[int], strides: Sequence[int], size: int) -> Digits:
    """The innermost digits, which count to ``size``."""
    part: list[tuple[int, int]] = []
    rest = list(zip(lengths, strides, strict=True))
    while size > 1:
        part.insert(0, rest.pop())
        size //= part[0][0]
    return tidy(part)
