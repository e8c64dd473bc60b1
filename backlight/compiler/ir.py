"""LLVM's language as Python values: what the emitters write with.

A ``Value`` is a typed name in a function being written; arithmetic on values writes instructions, numbers become
constants of the other operand's type, and everything works alike on scalars and on vectors (``float``,
``<16 x float>``). ``Function`` adds memory, loops and branches. The text is made directly because a plan is thousands
of instructions long and must be compiled while somebody waits.

    module = Module()
    b = module.function("double_all", [("x", "ptr"), ("n", "i64")])
    with b.loop(b["n"]) as i:
        place = b.at(b["x"], i, "float")
        b.store(b.load(place, "float") * 2.0, place)
    b.end()
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["Function", "Module", "Value", "Variable", "bits", "is_float", "lanes", "scalar", "vector"]

_BITS = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64, "half": 16, "float": 32, "double": 64, "ptr": 64}
_INTRINSIC = {"half": "f16", "float": "f32", "double": "f64", "ptr": "p0"}


@lru_cache(maxsize=256)
def scalar(kind: str) -> str:
    """The type of one lane: ``"float"`` of ``"<16 x float>"``."""
    return kind[kind.index(" x ") + 3 : -1] if kind[0] == "<" else kind


@lru_cache(maxsize=256)
def lanes(kind: str) -> int:
    """How many lanes a type has; 0 for a scalar."""
    return int(kind[1 : kind.index(" x ")]) if kind[0] == "<" else 0


def vector(kind: str, count: int) -> str:
    """The type of ``count`` lanes like ``kind``'s; 0 gives the scalar."""
    return f"<{count} x {scalar(kind)}>" if count else scalar(kind)


def bits(kind: str) -> int:
    """The size of one lane in bits."""
    return _BITS[scalar(kind)]


def is_float(kind: str) -> bool:
    """Whether the lanes are floating-point numbers."""
    return scalar(kind) in ("float", "double", "half")


def _literal(kind: str, value: Any) -> str:
    return _written(kind, value) if value else _written.__wrapped__(kind, value)  # 0 and -0 are equal, but not the same


@lru_cache(maxsize=4096, typed=True)
def _written(kind: str, value: Any) -> str:
    one = scalar(kind)
    if one == "i1":
        text = "true" if value else "false"
    elif one == "ptr":
        text = "null"
    elif is_float(one):
        value = float(value)
        if one == "float":  # written as the double that has exactly its value
            value = struct.unpack("<f", struct.pack("<f", value))[0] if abs(value) < 3.4028235677973366e38 else value
            if value == value and abs(value) >= 3.4028235677973366e38:
                value = float("inf") if value > 0 else float("-inf")
        if one == "half":
            text = f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
        else:
            text = f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    else:
        text = str(int(value))
    return text if one == kind else f"splat ({one} {text})"


class Value:
    """A typed name in the function ``b`` that is being written."""

    __slots__ = ("b", "kind", "text")

    def __init__(self, b: Function, kind: str, text: str) -> None:
        self.b = b
        self.kind = kind
        self.text = text

    def __repr__(self) -> str:
        return f"{self.kind} {self.text}"

    def _other(self, other: Any) -> Value:
        if isinstance(other, Value):
            if other.kind != self.kind:
                raise TypeError(f"{self.kind} meets {other.kind}")
            return other
        return self.b.const(self.kind, other)

    def _arithmetic(self, other: Any, integer: str, floating: str, swapped: bool = False) -> Value:
        other = self._other(other)
        x, y = (other, self) if swapped else (self, other)
        operation = floating if is_float(self.kind) else integer
        return self.b.write(self.kind, f"{operation} {self.kind} {x.text}, {y.text}")

    def __add__(self, other: Any) -> Value:
        return self._arithmetic(other, "add", "fadd")

    def __radd__(self, other: Any) -> Value:
        return self._arithmetic(other, "add", "fadd", True)

    def __sub__(self, other: Any) -> Value:
        return self._arithmetic(other, "sub", "fsub")

    def __rsub__(self, other: Any) -> Value:
        return self._arithmetic(other, "sub", "fsub", True)

    def __mul__(self, other: Any) -> Value:
        return self._arithmetic(other, "mul", "fmul")

    def __rmul__(self, other: Any) -> Value:
        return self._arithmetic(other, "mul", "fmul", True)

    def __truediv__(self, other: Any) -> Value:
        return self._arithmetic(other, "sdiv", "fdiv")

    def __rtruediv__(self, other: Any) -> Value:
        return self._arithmetic(other, "sdiv", "fdiv", True)

    def __floordiv__(self, other: Any) -> Value:
        """Unsigned division of indices."""
        return self._arithmetic(other, "udiv", "fdiv")

    def __mod__(self, other: Any) -> Value:
        """Unsigned remainder of indices."""
        return self._arithmetic(other, "urem", "frem")

    def __and__(self, other: Any) -> Value:
        return self._arithmetic(other, "and", "and")

    def __or__(self, other: Any) -> Value:
        return self._arithmetic(other, "or", "or")

    def __xor__(self, other: Any) -> Value:
        return self._arithmetic(other, "xor", "xor")

    def __lshift__(self, other: Any) -> Value:
        return self._arithmetic(other, "shl", "shl")

    def __rshift__(self, other: Any) -> Value:
        """The logical shift; ``ashr`` keeps the sign."""
        return self._arithmetic(other, "lshr", "lshr")

    def ashr(self, other: Any) -> Value:
        """The shift to the right that keeps the sign."""
        return self._arithmetic(other, "ashr", "ashr")

    def __invert__(self) -> Value:
        return self ^ (1 if scalar(self.kind) == "i1" else -1)

    def __neg__(self) -> Value:
        if is_float(self.kind):
            return self.b.write(self.kind, f"fneg {self.kind} {self.text}")
        return 0 - self

    def _compare(self, other: Any, integer: str, floating: str) -> Value:
        other = self._other(other)
        word = f"fcmp {floating}" if is_float(self.kind) else f"icmp {integer}"
        return self.b.write(vector("i1", lanes(self.kind)), f"{word} {self.kind} {self.text}, {other.text}")

    # Ordered comparisons: false where an operand is nan. ``ne`` is true there.
    def lt(self, other: Any) -> Value:
        """``<``, signed."""
        return self._compare(other, "slt", "olt")

    def le(self, other: Any) -> Value:
        """``<=``, signed."""
        return self._compare(other, "sle", "ole")

    def gt(self, other: Any) -> Value:
        """``>``, signed."""
        return self._compare(other, "sgt", "ogt")

    def ge(self, other: Any) -> Value:
        """``>=``, signed."""
        return self._compare(other, "sge", "oge")

    def eq(self, other: Any) -> Value:
        """``==``."""
        return self._compare(other, "eq", "oeq")

    def ne(self, other: Any) -> Value:
        """``!=``: true where an operand is nan."""
        return self._compare(other, "ne", "une")

    def below(self, other: Any) -> Value:
        """Unsigned ``<``: for indices, also false where this one is negative."""
        return self._compare(other, "ult", "olt")

    def isnan(self) -> Value:
        """Whether it is nan."""
        return self._compare(self, "ne", "uno")

    def select(self, then: Any, otherwise: Any) -> Value:
        """``then`` in the lanes where this i1 is true; at least one of the two must be a Value."""
        like = then if isinstance(then, Value) else otherwise
        then, otherwise = like._other(then), like._other(otherwise)
        return self.b.write(
            like.kind, f"select {self.kind} {self.text}, {like.kind} {then.text}, {like.kind} {otherwise.text}"
        )

    # -- Conversions: ``kind`` is a scalar type, the number of lanes stays
    def _convert(self, word: str, kind: str) -> Value:
        kind = vector(kind, lanes(self.kind))
        return self if kind == self.kind else self.b.write(kind, f"{word} {self.kind} {self.text} to {kind}")

    def bitcast(self, kind: str) -> Value:
        """The same bits as another type of the same size."""
        return self._convert("bitcast", kind)

    def to_float(self, kind: str, signed: bool = True) -> Value:
        """An integer (or i1), or a floating-point number of another size, as a ``kind``."""
        if is_float(self.kind):
            return self._convert("fptrunc" if bits(self.kind) > bits(kind) else "fpext", kind)
        return self._convert("sitofp" if signed and scalar(self.kind) != "i1" else "uitofp", kind)

    def to_int(self, kind: str, signed: bool = True) -> Value:
        """Truncated towards zero (poison where it does not fit), or an integer of another size."""
        if is_float(self.kind):
            return self._convert("fptosi" if signed else "fptoui", kind)
        if bits(self.kind) > bits(kind):
            return self._convert("trunc", kind)
        return self._convert("sext" if signed and scalar(self.kind) != "i1" else "zext", kind)


class Variable(NamedTuple):
    """A place on the stack that LLVM turns into a register: how loops carry values."""

    b: Function
    kind: str
    place: Value

    def get(self) -> Value:
        """The value it has here."""
        return self.b.load(self.place, self.kind)

    def set(self, value: Any) -> None:
        """Give it a Value, or a number."""
        self.b.store(value if isinstance(value, Value) else self.b.const(self.kind, value), self.place)


class Module:
    """Functions, and the declarations and constants they use; ``str()`` is the text LLVM reads."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.declared: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.helpers: set[str] = set()

    def first_use(self, name: str) -> bool:
        """Whether the helper function ``name`` is still to be written: true the first time."""
        new = name not in self.helpers
        self.helpers.add(name)
        return new

    def function(
        self, name: str, parameters: Sequence[tuple[str, str]], returns: str = "void", *, inline: bool = False
    ) -> Function:
        """Start a function; a parameter's type may carry attributes (``"ptr noalias"``)."""
        return Function(self, name, parameters, returns, inline)

    def __str__(self) -> str:
        parts = [*self.constants.values(), *self.declared.values(), *self.functions]
        parts.append('attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }')
        return "\n".join(parts)


class Function:
    """A function being written, instruction by instruction; ``b["x"]`` is its parameter ``x``."""

    def __init__(
        self, module: Module, name: str, parameters: Sequence[tuple[str, str]], returns: str, inline: bool
    ) -> None:
        self.module = module
        self.name = name
        self._head = f"define {'internal ' if inline else ''}{returns} @{name}(" + ", ".join(
            f"{kind} %{each}" for each, kind in parameters
        )
        self._head += ")" + (" alwaysinline" if inline else "") + " #0 {"
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self.block = "body"
        self.parameters = {each: Value(self, kind.split(" ")[0], f"%{each}") for each, kind in parameters}

    def __getitem__(self, name: str) -> Value:
        return self.parameters[name]

    # -- Instructions

    def name_new(self) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"%v{self._count}"

    def write(self, kind: str, text: str) -> Value:
        """An instruction with a result of type ``kind``."""
        self._count += 1
        name = f"%v{self._count}"
        self._lines.append(f"  {name} = {text}")
        return Value(self, kind, name)

    def line(self, text: str) -> None:
        """An instruction without a result."""
        self._lines.append("  " + text)

    def const(self, kind: str, value: Any) -> Value:
        """A constant, the same in every lane."""
        return Value(self, kind, _literal(kind, value))

    def number(self, n: Any) -> Value:
        """An i64: a Python int as a constant, a Value as it is."""
        return n if isinstance(n, Value) else self.const("i64", n)

    def constants(self, kind: str, values: Sequence[Any]) -> Value:
        """A vector constant, one value per lane."""
        one = scalar(kind)
        return Value(
            self, vector(kind, len(values)), "<" + ", ".join(f"{one} {_literal(one, v)}" for v in values) + ">"
        )

    def intrinsic(self, name: str, *arguments: Value, returns: str = "", overload: Sequence[str] = ()) -> Value:
        """``llvm.name`` overloaded on the types in ``overload`` (by default the first argument's)."""
        kinds = overload or (arguments[0].kind,)
        suffix = ".".join(
            (f"v{lanes(kind)}" if lanes(kind) else "") + _INTRINSIC.get(scalar(kind), scalar(kind)) for kind in kinds
        )
        return self.call(f"llvm.{name}.{suffix}", returns or arguments[0].kind, *arguments)

    def call(self, name: str, returns: str, *arguments: Value) -> Value:
        """Call a function, declared here unless this module defines it."""
        if name not in self.module.declared and not name.startswith("k."):
            kinds = ", ".join(argument.kind for argument in arguments)
            self.module.declared[name] = f"declare {returns} @{name}({kinds})"
        passed = ", ".join(f"{argument.kind} {argument.text}" for argument in arguments)
        if returns == "void":
            self.line(f"call void @{name}({passed})")
            return Value(self, "void", "")
        return self.write(returns, f"call {returns} @{name}({passed})")

    def fma(self, x: Value, y: Any, z: Any) -> Value:
        """x · y + z, rounded once."""
        return self.intrinsic("fma", x, x._other(y), x._other(z))

    # -- Lanes

    def splat(self, x: Value, count: int) -> Value:
        """The scalar ``x`` in every one of ``count`` lanes; 0 leaves it a scalar."""
        if not count:
            return x
        if not x.text.startswith("%"):
            return Value(self, vector(x.kind, count), f"splat ({x.kind} {x.text})")
        kind = vector(x.kind, count)
        first = self.write(kind, f"insertelement {kind} poison, {x.kind} {x.text}, i64 0")
        return self.write(kind, f"shufflevector {kind} {first.text}, {kind} poison, <{count} x i32> zeroinitializer")

    def lane(self, x: Value, position: int) -> Value:
        """The lane at ``position``, a scalar."""
        return self.write(scalar(x.kind), f"extractelement {x.kind} {x.text}, i64 {position}")

    def put_lane(self, x: Value, position: int, one: Value) -> Value:
        """``x`` with the scalar ``one`` in the lane at ``position``."""
        return self.write(x.kind, f"insertelement {x.kind} {x.text}, {one.kind} {one.text}, i64 {position}")

    def shuffle(self, x: Value, y: Value, places: Sequence[int]) -> Value:
        """Lanes of ``x`` (0 …) and ``y`` (after x's) in the order of ``places``."""
        kind = vector(x.kind, len(places))
        mask = "<" + ", ".join(f"i32 {place}" for place in places) + ">"
        return self.write(kind, f"shufflevector {x.kind} {x.text}, {y.kind} {y.text}, <{len(places)} x i32> {mask}")

    def fold(self, x: Value, combine: Any) -> Value:
        """All lanes combined by ``combine(a, b)``: halves on halves, always in the same order."""
        count = lanes(x.kind)
        while count > 1:
            half = count // 2
            low = self.shuffle(x, x, range(half))
            high = self.shuffle(x, x, range(half, count))
            x, count = combine(low, high), half
        return self.lane(x, 0)

    # -- Memory

    def at(self, place: Value, index: Any, kind: str) -> Value:
        """The address ``index`` elements of type ``kind`` behind ``place``."""
        if isinstance(index, int):
            if index == 0:
                return place
            index = self.const("i64", index)
        return self.write("ptr", f"getelementptr {kind}, ptr {place.text}, {index.kind} {index.text}")

    def load(self, place: Value, kind: str, align: int = 0) -> Value:
        """The ``kind`` at an address; ``align`` is in bytes, by default that of one lane."""
        return self.write(kind, f"load {kind}, ptr {place.text}, align {align or max(bits(kind) // 8, 1)}")

    def load_atomic(self, place: Value, kind: str) -> Value:
        """A word that another thread may be writing."""
        return self.write(kind, f"load atomic {kind}, ptr {place.text} monotonic, align {bits(kind) // 8}")

    def store(self, value: Value, place: Value, align: int = 0) -> None:
        """Write ``value`` to an address."""
        self.line(f"store {value.kind} {value.text}, ptr {place.text}, align {align or max(bits(value.kind) // 8, 1)}")

    def prefetch(self, place: Value) -> None:
        """Ask for the line of the cache around an address, which may be anywhere: nothing is read yet."""
        name = "llvm.prefetch.p0"
        self.module.declared.setdefault(name, f"declare void @{name}(ptr, i32, i32, i32)")
        self.line(f"call void @{name}(ptr {place.text}, i32 0, i32 3, i32 1)")

    def masked_load(self, place: Value, kind: str, mask: Value, otherwise: Value | None = None) -> Value:
        """A vector whose unmasked lanes are not read: they are ``otherwise``, or 0."""
        rest = otherwise or self.const(kind, 0)
        align = max(bits(kind) // 8, 1)
        name = f"llvm.masked.load.v{lanes(kind)}{_INTRINSIC.get(scalar(kind), scalar(kind))}.p0"
        self.module.declared.setdefault(name, f"declare {kind} @{name}(ptr, {mask.kind}, {kind})")
        return self.write(
            kind, f"call {kind} @{name}(ptr align {align} {place.text}, {mask.kind} {mask.text}, {kind} {rest.text})"
        )

    def masked_store(self, value: Value, place: Value, mask: Value) -> None:
        """Write the lanes inside the mask; nothing else is touched."""
        kind, align = value.kind, max(bits(value.kind) // 8, 1)
        if mask.text.count("i1 true") == 1 and mask.text[0] == "<":
            # LLVM 22 stores too many bytes where only one lane, known beforehand, of a truncated value is stored.
            only = mask.text.strip("<>").split(", ").index("i1 true")
            self.store(self.lane(value, only), self.at(place, only, scalar(kind)))
            return
        if bits(kind) * lanes(kind) <= 256 and lanes(kind) > 1:
            if mask.text[0] == "<" and "i1 true" not in mask.text.partition("i1 false")[2]:
                self._store_first(value, place, mask.text.count("i1 true"))
            else:
                self._store_in_parts(value, place, mask)
            return
        name = f"llvm.masked.store.v{lanes(kind)}{_INTRINSIC.get(scalar(kind), scalar(kind))}.p0"
        self.module.declared.setdefault(name, f"declare void @{name}({kind}, ptr, {mask.kind})")
        self.line(f"call void @{name}({kind} {value.text}, ptr align {align} {place.text}, {mask.kind} {mask.text})")

    def _store_first(self, value: Value, place: Value, count: int) -> None:
        """Store the first ``count`` lanes, as few powers of two as there can be."""
        start, kind = 0, scalar(value.kind)
        while start < count:
            size = 1 << (count - start).bit_length() - 1
            part = value if size == lanes(value.kind) else self.shuffle(value, value, range(start, start + size))
            self.store(part if size > 1 else self.lane(value, start), self.at(place, start, kind))
            start += size

    def _store_in_parts(self, value: Value, place: Value, mask: Value) -> None:
        """A masked store of a short vector: whole where the mask is full, otherwise by halves.

        Without AVX-512 the processor's own masked store takes 18 cycles (measured on Zen 3), a whole one takes 2.
        """
        count = lanes(value.kind)
        held = self.write(f"i{count}", f"bitcast {mask.kind} {mask.text} to i{count}")
        name = f"k.stored.{count}.{scalar(value.kind)}"
        if self.module.first_use(name):
            b = self.module.function(name, [("value", value.kind), ("place", "ptr"), ("held", f"i{count}")])
            b._store_parts(Value(b, value.kind, "%value"), b["place"], b["held"])
            b.end()
        full = held.eq(-1)
        label = self.new_label("whole")
        self.line(f"br i1 {full.text}, label %{label}, label %{label}.parts")
        self.label(label)
        self.store(value, place)
        self.line(f"br label %{label}.exit")
        self.label(f"{label}.parts")
        self.call(name, "void", value, place, held)
        self.line(f"br label %{label}.exit")
        self.label(f"{label}.exit")

    def _store_parts(self, value: Value, place: Value, held: Value) -> None:
        """Store those lanes whose bit is set in ``held``: the first half in one go where all of it is there."""
        count, kind = lanes(value.kind), scalar(value.kind)
        half = count // 2

        def each(places: Sequence[int]) -> None:
            for k in places:
                with self.when((held & (1 << k if k < count - 1 else -1 << k)).ne(0)):
                    self.store(self.lane(value, k), self.at(place, k, kind))

        name = self.new_label("first")
        ones = (1 << half) - 1
        self.line(f"br i1 {(held & ones).eq(ones).text}, label %{name}, label %{name}.each")
        self.label(name)
        self.store(self.shuffle(value, value, range(half)), self.at(place, 0, kind))
        self.line(f"br label %{name}.exit")
        self.label(f"{name}.each")
        each(range(half))
        self.line(f"br label %{name}.exit")
        self.label(f"{name}.exit")
        each(range(half, count))

    def gather(self, places: Value, kind: str, mask: Value) -> Value:
        """The elements at a vector of addresses; unmasked lanes are not read, they are 0."""
        align = max(bits(kind) // 8, 1)
        name = f"llvm.masked.gather.v{lanes(kind)}{_INTRINSIC.get(scalar(kind), scalar(kind))}.v{lanes(kind)}p0"
        self.module.declared.setdefault(name, f"declare {kind} @{name}({places.kind}, {mask.kind}, {kind})")
        rest = self.const(kind, 0)
        return self.write(
            kind,
            f"call {kind} @{name}({places.kind} align {align} {places.text}, {mask.kind} {mask.text}, "
            f"{kind} {rest.text})",
        )

    def scatter(self, value: Value, places: Value, mask: Value) -> None:
        """Store the lanes of ``value`` at a vector of addresses; unmasked lanes are not written."""
        kind, align = value.kind, max(bits(value.kind) // 8, 1)
        name = f"llvm.masked.scatter.v{lanes(kind)}{_INTRINSIC.get(scalar(kind), scalar(kind))}.v{lanes(kind)}p0"
        self.module.declared.setdefault(name, f"declare void @{name}({kind}, {places.kind}, {mask.kind})")
        self.line(
            f"call void @{name}({kind} {value.text}, {places.kind} align {align} {places.text}, "
            f"{mask.kind} {mask.text})"
        )

    def first_lanes(self, count: Any, width: int) -> Value:
        """A mask of ``width`` lanes, true in the first ``count`` (a Python int or an i64 Value)."""
        if isinstance(count, int):
            return self.constants("i1", [lane < count for lane in range(width)])
        narrow = "i32" if width <= 16 else "i64"
        if narrow == "i32":
            count = count.to_int("i32")
        return self.constants(narrow, range(width)).lt(self.splat(count, width))

    def variable(self, kind: str, start: Any = None) -> Variable:
        """A value that changes: ``get`` and ``set``."""
        self._count += 1
        name = f"%s{self._count}"
        self._entry.append(f"  {name} = alloca {kind}, align 64")
        made = Variable(self, kind, Value(self, "ptr", name))
        if start is not None:
            made.set(start)
        return made

    # -- Control

    def label(self, name: str) -> None:
        """Go on in the block ``name``, which a branch must have named."""
        self._lines.append(f"{name}:")
        self.block = name

    def new_label(self, word: str) -> str:
        """The name of a new block."""
        self._count += 1
        return f"{word}{self._count}"

    @contextmanager
    def loop(self, stop: Any, start: Any = 0, step: int = 1, unroll: bool = False) -> Iterator[Value]:
        """The instructions inside run for i = start, start + step, … < stop (Python ints or i64 Values)."""
        first, last = self.number(start), self.number(stop)
        name = self.new_label("loop")
        if isinstance(stop, int) and isinstance(start, int):
            if start >= stop:
                self.line(f"br i1 false, label %{name}, label %{name}.exit")
            else:
                self.line(f"br label %{name}")
        else:
            enter = first.lt(last)
            self.line(f"br i1 {enter.text}, label %{name}, label %{name}.exit")
        before = self.block
        self.label(name)
        self._lines.append(f"  %{name}.i = phi i64 [ {first.text}, %{before} ], [ %{name}.next, %{name}.latch ]")
        yield Value(self, "i64", f"%{name}.i")
        self.line(f"br label %{name}.latch")
        self.label(f"{name}.latch")
        self._lines.append(f"  %{name}.next = add nsw i64 %{name}.i, {step}")
        self._lines.append(f"  %{name}.more = icmp slt i64 %{name}.next, {last.text}")
        self.line(f"br i1 %{name}.more, label %{name}, label %{name}.exit")
        self.label(f"{name}.exit")

    def leave(self, i: Value, condition: Value) -> None:
        """Leave the loop that counts ``i`` if the i1 ``condition`` is true."""
        name = self.new_label("stay")
        self.line(f"br i1 {condition.text}, label {i.text[:-2]}.exit, label %{name}")
        self.label(name)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """The instructions inside run only if the i1 ``condition`` is true."""
        name = self.new_label("when")
        self.line(f"br i1 {condition.text}, label %{name}, label %{name}.exit")
        self.label(name)
        yield
        self.line(f"br label %{name}.exit")
        self.label(f"{name}.exit")

    def end(self, value: Value | None = None) -> None:
        """Return, and hand the function to its module."""
        self.line(f"ret {value.kind} {value.text}" if value else "ret void")
        self.module.functions.append(
            "\n".join([self._head, "entry:", *self._entry, "  br label %body", "body:", *self._lines, "}"])
        )
