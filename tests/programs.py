"""Random small programs in plain NumPy, for laws that any way of running them must obey (hypothesis).

``programs()`` is a strategy for ``Program``: readable source, inputs for it, and the function itself. What they compute
is tame on purpose, so that two ways of computing it may be compared to within rounding:

- every value has a known bound, denominators keep away from 0, nothing overflows;
- what jumps (comparisons, ``max``, ``relu``, ``abs``, ``floor``, ``argmax``) is asked only of *exact* values, sums and
  products of short binary fractions that no rounding has touched, so that ties are ties in every order of computing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, log2, prod
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import backlight
from backlight.array import Array, as_array
from backlight.graph import Graph
from backlight.simplify import simplify
from backlight.trace import Trace, input_node, state
from backlight.tree import flatten

__all__ = ["Program", "programs", "recorded"]

Shape = tuple[int, ...]

LARGEST = 64.0  # bound on the size of any value
EXACT_BITS = 22  # of the 24 that a float32 has


class Program(NamedTuple):
    """A function of arrays: ``source`` is its code, whose last line gives a tuple."""

    source: str
    inputs: tuple[Any, ...]
    function: Callable[..., Any]

    def __repr__(self) -> str:
        given = "\n".join(f"# x{k} = {x!r}" for k, x in enumerate(self.inputs))
        return f"\n{given}\n{self.source}"


def recorded(function: Callable[..., Any], inputs: Sequence[Any]) -> Graph:
    """The simplified graph of ``function``, every leaf of ``inputs`` an input, every leaf of the result an output.

    Nothing is computed: loops are recorded, not run.
    """
    before, state.postpone = state.postpone, True
    try:
        with Trace("a program"):
            leaves, _ = flatten(tuple(inputs))
            nodes = [input_node(np.array(leaf)[()], f"x{k}") for k, leaf in enumerate(leaves)]
            from backlight.tree import unflatten

            given = unflatten(flatten(tuple(inputs))[1], [Array(node) for node in nodes])
            outputs = [as_array(leaf).node for leaf in flatten(function(*given))[0]]
    finally:
        state.postpone = before
    return simplify(Graph(nodes, outputs))[0]


class Known(NamedTuple):
    """What is known of a value before it is computed.

    ``digits`` counts the binary digits behind the point of an exact value; it is ``None`` where rounding has been.
    """

    shape: Shape
    kind: str  # "f", "i" (an index for axes of length ``bound``) or "b"
    bound: float = 1.0
    digits: int | None = None

    @property
    def exact(self) -> bool:
        return self.digits is not None

    @property
    def size(self) -> int:
        return prod(self.shape)

    def of(self, shape: Shape, bound: float | None = None) -> Known:
        """The same kind of numbers in another shape."""
        return self._replace(shape=shape, bound=self.bound if bound is None else bound)

    def rounded(self, bound: float, shape: Shape | None = None) -> Known:
        """Numbers up to ``bound`` that have been rounded."""
        return Known(self.shape if shape is None else shape, "f", bound)

    def checked(self) -> Known:
        """Not exact any more where the digits would not fit."""
        fits = self.digits is not None and self.digits + log2(max(self.bound, 1.0)) <= EXACT_BITS
        return self if fits else self._replace(digits=None)


# -- The operations ------------------------------------------------------------------------------------------------

SMOOTH: dict[str, Callable[[float], float]] = {
    # of any number up to the bound; the bound of the result
    "np.tanh({0})": lambda a: 1,
    "np.sin({0})": lambda a: 1,
    "np.cos({0})": lambda a: 1,
    "backlight.sigmoid({0})": lambda a: 1,
    "backlight.softplus({0})": lambda a: a + 1,
    "np.sqrt({0} * {0} + 1)": lambda a: a + 1,
    "np.log({0} * {0} + 0.5)": lambda a: 2 * log2(a + 1) + 1,
    "np.log1p({0} ** 2)": lambda a: 2 * log2(a + 1),
    "np.exp({0} / 8)": lambda a: np.exp(a / 8),
    "np.exp(-{0} ** 2)": lambda a: 1,
    "np.expm1({0} / 16)": lambda a: np.exp(a / 16),
    "1 / (1.5 + np.tanh({0}))": lambda a: 2,
    "np.arctan({0})": lambda a: 2,
    "backlight.gelu({0})": lambda a: a,
    "{0} ** 3 / 64": lambda a: a**3 / 64,
}
EXACT: dict[str, Callable[[Known], Known]] = {
    # of exact numbers, jumps and kinks included
    "backlight.relu({0})": lambda x: x,
    "np.abs({0})": lambda x: x,
    "np.floor({0})": lambda x: x._replace(bound=x.bound + 1, digits=0),
    "np.sign({0})": lambda x: x._replace(bound=1, digits=0),
    "np.clip({0}, -0.5, 0.75)": lambda x: x._replace(bound=1),
    "-{0}": lambda x: x,
    "{0} * 0.5": lambda x: x._replace(bound=x.bound / 2, digits=x.digits + 1),
    "{0} ** 2": lambda x: x._replace(bound=x.bound**2, digits=2 * x.digits),
}
PAIRS: dict[str, Callable[[float, float], float]] = {
    "{0} + {1}": lambda a, b: a + b,
    "{0} - {1}": lambda a, b: a + b,
    "{0} * {1}": lambda a, b: a * b,
    "{0} / ({1} * {1} + 0.5)": lambda a, b: 2 * a,
    "np.arctan2({0}, {1} * {1} + 1)": lambda a, b: 2,
    "np.hypot({0}, {1} * {1} + 1)": lambda a, b: a + b * b + 1,
    "np.logaddexp({0}, {1})": lambda a, b: a + b + 1,
}
EXACT_PAIRS: dict[str, Callable[[Known, Known], Known]] = {
    "np.maximum({0}, {1})": lambda a, b: a._replace(bound=max(a.bound, b.bound), digits=max(a.digits, b.digits)),
    "np.minimum({0}, {1})": lambda a, b: a._replace(bound=max(a.bound, b.bound), digits=max(a.digits, b.digits)),
    "{0} + {1}": lambda a, b: a._replace(bound=a.bound + b.bound, digits=max(a.digits, b.digits)),
    "{0} - {1}": lambda a, b: a._replace(bound=a.bound + b.bound, digits=max(a.digits, b.digits)),
    "{0} * {1}": lambda a, b: a._replace(bound=a.bound * b.bound, digits=a.digits + b.digits),
}
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
CHOICES = ("np.where({c}, {0}, {1})", "np.where({c}, {0}, -{1})", "{0} * {c} + {1}")


class _Writer:
    """A program while it is written: the lines so far, and what is known of each value."""

    def __init__(self, draw: Any, largest: int) -> None:
        self.draw = draw
        self.largest = largest
        self.values: dict[str, Known] = {}
        self.lines: list[str] = []

    def any(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(list(options)))

    def name(self, kind: str = "f", exact: bool = False, shape: Shape | None = None, dims: int = 0) -> str | None:
        """Some value of this kind, late ones first when it shrinks."""
        fitting = [
            name
            for name, x in self.values.items()
            if x.kind == kind
            and (x.exact or not exact)
            and (shape is None or _joined(x.shape, shape) is not None)
            and len(x.shape) >= dims
        ]
        return self.any(fitting[::-1]) if fitting else None

    def put(self, text: str, known: Known) -> None:
        """A new line, unless its value would be too large."""
        if known.size <= self.largest and (known.kind != "f" or known.bound <= LARGEST):
            name = f"v{len(self.lines)}"
            self.lines.append(f"{name} = {text}")
            self.values[name] = known.checked() if known.kind == "f" else known

    def axis(self, x: Known) -> int:
        return int(self.draw(st.integers(-len(x.shape), len(x.shape) - 1)))

    # -- Kinds of lines

    def unary(self) -> None:
        name = self.name()
        assert name is not None
        x = self.values[name]
        text = self.any(SMOOTH)
        if x.exact and self.draw(st.booleans()):
            text = self.any(EXACT)
            self.put(text.format(name), EXACT[text](x))
        else:
            self.put(text.format(name), x.rounded(float(SMOOTH[text](x.bound))))

    def binary(self) -> None:
        exact = self.draw(st.booleans())
        first = self.name(exact=exact)
        if first is None:
            return
        a = self.values[first]
        second = self.name(exact=exact, shape=a.shape)
        assert second is not None
        b = self.values[second]
        shape = _joined(a.shape, b.shape)
        assert shape is not None
        if exact:
            text = self.any(EXACT_PAIRS)
            self.put(text.format(first, second), EXACT_PAIRS[text](a, b)._replace(shape=shape))
        else:
            text = self.any(PAIRS)
            self.put(text.format(first, second), a.rounded(float(PAIRS[text](a.bound, b.bound)), shape))

    def compare(self) -> None:
        first = self.name(exact=True)
        if first is None:
            return
        shape = self.values[first].shape
        second = self.any([self.name(exact=True, shape=shape), "0", "0.25"])
        other = self.values[second].shape if second in self.values else ()
        joined = _joined(shape, other)
        assert joined is not None
        self.put(f"{first} {self.any(COMPARISONS)} {second}", Known(joined, "b"))

    def choose(self) -> None:
        condition = self.name("b")
        if condition is None:
            self.compare()
            return
        shape = self.values[condition].shape
        first = self.name(shape=shape)
        if first is None:
            return
        shape = _joined(shape, self.values[first].shape)
        second = self.name(shape=shape)
        if second is None:
            return
        a, b = self.values[first], self.values[second]
        shape = _joined(shape, b.shape)
        text = self.any(CHOICES).format(first, second, c=condition)
        self.put(text, a.rounded(a.bound + b.bound, shape))

    def logic(self) -> None:
        first = self.name("b")
        if first is None:
            return
        x = self.values[first]
        second = self.name("b", shape=x.shape)
        assert second is not None
        joined = _joined(x.shape, self.values[second].shape)
        assert joined is not None
        text, shape = self.any(
            [
                (f"{first} & {second}", joined),
                (f"{first} | {second}", joined),
                (f"{first} ^ {second}", joined),
                (f"~{first}", x.shape),
                (f"np.any({first})", ()),
                *([(f"np.all({first}, axis=0)", x.shape[1:])] if x.shape else []),
            ]
        )
        self.put(text, Known(shape, "b"))

    def product(self) -> None:
        name = self.name(dims=1)
        if name is None:
            return
        x = self.values[name]
        inner = x.shape[-1]
        bound = x.bound**2 * inner
        options = [(f"np.sum({name} * {name}, axis=-1)", x.shape[:-1], bound)]
        if len(x.shape) > 1:
            rows = x.shape[-2]
            options += [
                (f"{name} @ np.swapaxes({name}, -1, -2)", (*x.shape[:-1], rows), bound),
                (f"np.swapaxes({name}, -1, -2) @ {name}", (*x.shape[:-2], inner, inner), x.bound**2 * rows),
                (f"np.einsum('...ij,...ij->...i', {name}, {name})", x.shape[:-1], bound),
            ]
        else:
            options += [(f"{name} @ {name}", (), bound), (f"np.outer({name}, {name})", (inner, inner), x.bound**2)]
        columns = self.draw(st.integers(1, 3))
        weights = f"(np.arange({inner * columns}, dtype={name}.dtype).reshape({inner}, {columns}) - 1.5) / 8"
        options.append((f"{name} @ ({weights})", (*x.shape[:-1], columns), x.bound * inner * (inner * columns) / 8))
        other = self.name(dims=2)
        if other is not None and len(self.values[other].shape) == 2 and self.values[other].shape[0] == inner:
            w = self.values[other]
            options.append((f"{name} @ {other}", (*x.shape[:-1], w.shape[1]), x.bound * w.bound * inner))
        text, shape, bound = self.any(options[::-1])
        self.put(text, x.rounded(bound, shape))

    def fold(self) -> None:
        name = self.name(dims=1)
        if name is None:
            return
        x = self.values[name]
        some = self.draw(st.sets(st.integers(0, len(x.shape) - 1), min_size=1))
        keep = self.draw(st.booleans())
        axes = tuple(sorted(some))
        shape = tuple(1 if k in axes else n for k, n in enumerate(x.shape) if keep or k not in axes)
        count = prod(x.shape[k] for k in axes)
        (one, *_) = axes
        line = tuple(n for k, n in enumerate(x.shape) if k != one)
        options = [
            (f"np.sum({name}, axis={axes}, keepdims={keep})", x.of(shape, x.bound * count)),
            (f"np.mean({name}, axis={axes}, keepdims={keep})", x.rounded(x.bound, shape)),
            (f"np.var({name}, axis={axes}, keepdims={keep})", x.rounded(x.bound**2, shape)),
            (f"backlight.logsumexp({name}, axis={one})", x.rounded(x.bound + log2(count + 1), line)),
            (f"backlight.softmax({name}, axis={one})", x.rounded(1, x.shape)),
            (f"np.cumsum({name}, axis={one})", x.of(x.shape, x.bound * x.shape[one])),
            (f"np.prod({name} / {x.bound}, axis={one})", x.rounded(1, line)),
            (f"np.linalg.norm({name}, axis={one}) + 1", x.rounded(x.bound * x.shape[one] + 1, line))
            if x.bound < 0
            else (f"np.sqrt(np.sum({name} ** 2, axis={one}) + 1)", x.rounded(x.bound * x.shape[one] + 1, line)),
        ]
        if x.exact:
            options += [
                (f"np.max({name}, axis={axes}, keepdims={keep})", x.of(shape)),
                (f"np.min({name}, axis={axes}, keepdims={keep})", x.of(shape)),
                (f"np.argmax({name}, axis={one})", Known(line, "i", x.shape[one])),
                (f"np.argmin({name}, axis={one})", Known(line, "i", x.shape[one])),
            ]
        text, known = self.any(options)
        self.put(text, known)

    def move(self) -> None:
        name = self.name()
        assert name is not None
        x = self.values[name]
        shape = x.shape
        options: list[tuple[str, Shape]] = [
            (f"{name}.reshape(-1)", (x.size,)),
            (f"{name}[None]", (1, *shape)),
            (f"np.broadcast_to({name}, {(2, *shape)})", (2, *shape)),
        ]
        if shape:
            order = tuple(self.draw(st.permutations(range(len(shape)))))
            n = shape[0]
            options += [
                (f"np.transpose({name}, {order})", tuple(shape[k] for k in order)),
                (f"{name}[::-1]", shape),
                (f"{name}[..., ::2]", (*shape[:-1], ceil(shape[-1] / 2))),
                (f"{name}[1:]", (n - 1, *shape[1:])) if n > 1 else (f"{name}[0]", shape[1:]),
                (f"{name}[-1]", shape[1:]),
                (f"np.concatenate([{name}, {name}[:1]])", (n + 1, *shape[1:])),
                (f"np.pad({name}, 1)", tuple(k + 2 for k in shape)),
                (f"np.repeat({name}, 2, axis=-1)", (*shape[:-1], 2 * shape[-1])),
                (f"np.stack([{name}, {name}], axis=-1)", (*shape, 2)),
                (f"np.roll({name}, 1, axis=0)", shape),
            ]
        alike = [other for other, y in self.values.items() if y.kind == "f" and y.shape == shape and shape]
        if alike:
            other = self.any(alike)
            y = self.values[other]
            joined = x.rounded(max(x.bound, y.bound), (2 * shape[0], *shape[1:]))
            if self.draw(st.booleans()):
                self.put(f"np.concatenate([{name}, {other}], axis=0)", joined)
                return
        text, shape = self.any(options)
        self.put(text, x.of(shape))

    def index(self) -> None:
        name = self.name(dims=1)
        if name is None:
            return
        x = self.values[name]
        n = x.shape[0]
        options = [(f"{name}[[0, -1, 0]]", (3, *x.shape[1:]))]
        found = [other for other, i in self.values.items() if i.kind == "i" and i.bound <= n]
        if found:
            chosen = self.any(found)
            lead = self.values[chosen].shape
            options.append((f"{name}[{chosen}]", (*lead, *x.shape[1:])))
            if len(x.shape) > 1:
                rows = f"np.arange({prod(lead)}).reshape({lead}) % {x.shape[1]}"
                options.append((f"{name}[{chosen}, {rows}]", (*lead, *x.shape[2:])))
                options.append((f"np.swapaxes({name}, 0, 1)[{rows}, {chosen}]", (*lead, *x.shape[2:])))
        else:
            count = self.draw(st.integers(1, 3))
            picked = f"np.arange({name}.size)[:{count}] % {n}"
            options.append((f"{name}[{picked}]", (min(count, x.size), *x.shape[1:])))
        text, shape = self.any(options[::-1])
        self.put(text, x.of(shape))

    def whole(self) -> None:
        name = self.name("i")
        if name is None:
            return
        x = self.values[name]
        text = self.any(
            [f"({name} * 3 + 1) % {int(x.bound)}", f"{name} // 2", f"np.maximum({name}, 0)", f"-1 - {name}"]
        )
        self.put(text, x)

    def scan(self) -> None:
        name = self.name(dims=1)
        if name is None or self.values[name].bound > 4:
            return
        x = self.values[name]
        reverse = self.draw(st.booleans())
        step = "lambda c, x: (np.tanh(c * 0.5 + x), c * x)"
        k = self.draw(st.integers(0, 1))
        self.put(
            f"backlight.scan({step}, {name}[0] * 0, {name}, reverse={reverse})[{k}]",
            x.rounded(4, x.shape if k else x.shape[1:]),
        )


def _joined(a: Shape, b: Shape) -> Shape | None:
    """The shape of two operands broadcast together."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


LINES = [
    _Writer.unary, _Writer.binary, _Writer.product, _Writer.fold, _Writer.move, _Writer.index, _Writer.choose,
    _Writer.compare, _Writer.logic, _Writer.whole, _Writer.scan, _Writer.unary, _Writer.binary, _Writer.fold,
]  # fmt: skip


@st.composite
def programs(
    draw: Any, side: int = 4, largest: int = 72, lines: int = 10, dtypes: Sequence[Any] = (np.float32, np.float64)
) -> Program:
    """Programs of up to ``lines`` lines whose inputs have axes up to ``side`` long and values ``largest`` elements.

    About half of them return the gradient of what they compute by their floating-point inputs.
    """
    writer = _Writer(draw, largest)
    dtype = np.dtype(draw(st.sampled_from(list(dtypes))))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs: list[Any] = []
    for k in range(draw(st.integers(1, 3))):
        shape = tuple(draw(st.lists(st.integers(1, side), max_size=3)))
        inputs.append(np.asarray(random.integers(-12, 13, shape) / 8, dtype))
        writer.values[f"x{k}"] = Known(shape, "f", 1.5, 3)
    floats = len(inputs)
    if draw(st.booleans()):
        length = draw(st.integers(1, side))
        shape = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
        whole = draw(st.sampled_from([np.int64, np.int32, np.int8]))
        writer.values[f"x{len(inputs)}"] = Known(shape, "i", length)
        inputs.append(np.asarray(random.integers(-length, length, shape), whole))
    for _ in range(draw(st.integers(2, lines))):
        draw(st.sampled_from(LINES))(writer)
    results = [name for name, x in writer.values.items() if name.startswith("v")][-3:] or ["x0"]
    parameters = ", ".join(f"x{k}" for k in range(len(inputs)))
    code = [f"def f({parameters}):", *(f"    {line}" for line in writer.lines)]
    smooth = [name for name in results if writer.values[name].kind == "f"]
    if smooth and draw(st.sampled_from([True, True, False])):
        total = " + ".join(f"np.mean(np.sin({name} + {k}))" for k, name in enumerate(smooth))
        names = tuple(range(floats))
        code += [f"    return {total}", f"f = backlight.value_and_grad(f, {names})"]
    else:
        code.append(f"    return {', '.join(results)},")
    source = "\n".join(code)
    namespace: dict[str, Any] = {"np": np, "backlight": backlight}
    exec(compile(source, "<program>", "exec"), namespace)
    return Program(source, tuple(inputs), namespace["f"])
