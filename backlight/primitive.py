"""What a primitive is: one frozen record, the neutral kernels it may name, and the registry of all of them.

Vocabulary, the same everywhere and always in this order: ``x`` an input, ``y`` the output, ``g`` the gradient
arriving at ``y``; ``local`` = ∂y/∂x along one edge; ``contribution`` = g · local; ``partials`` give the local
derivatives of an elementwise mapping; a ``pullback`` carries ``g`` through a structural one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

from backlight.errors import RecordError

__all__ = [
    "REGISTRY",
    "All",
    "Contract",
    "Draw",
    "Each",
    "Elementwise",
    "Gather",
    "Kernel",
    "Library",
    "Loop",
    "Map",
    "Move",
    "Piece",
    "Primitive",
    "Reduce",
    "Registry",
    "Sample",
    "Scatter",
    "Structural",
    "Why",
    "Window",
]


class Why(NamedTuple):
    """One plain sentence of intuition, in English and in Chinese."""

    en: str
    zh: str


class Sample(NamedTuple):
    """Inputs and parameters on which a structural record is tested."""

    inputs: tuple[Any, ...]
    params: dict[str, Any]


# -- Kernels: what a backend has to do, as data ------------------------------------------------------------------


class Map(NamedTuple):
    """``y[i] = expression(x0[i], x1[i], …)``; nested tuples ``("mul", "x0", ("exp", "x1"))`` over scalar operations.

    The leaves are inputs ``"x0"``, ``"x1"``, … and Python numbers; the operations, a closed set:

    - arithmetic ``neg abs add sub mul div pow fmod copysign``; ``min max`` (nan wins); ``floor ceil rint trunc``
    - comparison ``lt le gt ge eq``, ``isnan isinf isfinite signbit``, ``truth`` (is it not 0?) and
      ``("select", condition, then, else)``, which looks at one branch only
    - logic and bits ``and or xor not``, ``invert shl shr``
    - powers ``sqrt cbrt exp exp2 expm1 log log1p log2 log10``
    - angles ``sin cos tan arcsin arccos arctan atan2 sinh cosh tanh arcsinh arccosh arctanh``
    - complex ``conj real imag``, ``complex`` (of a real and an imaginary part)
    - special ``erf erfc erfcx erfinv erfcinv log_ndtr gamma gammaln digamma polygamma zeta iv jv``, as SciPy names them
    """

    expression: Any


class Reduce(NamedTuple):
    """Fold ``combine`` over ``axes`` (``scan=True`` keeps the running results)."""

    combine: str
    axes: tuple[int, ...]
    scan: bool = False


class Contract(NamedTuple):
    """Sum of products over labelled axes: ``inputs`` and ``output`` are tuples of integer labels."""

    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


class Window(NamedTuple):
    """Fold ``combine`` over sliding windows of the trailing axes of ``x`` (N, C, *S), padded (cropped where negative).

    ``maximum`` and ``mean`` fold each window (padding counts as -∞ and as 0), ``argmax`` says where the first largest
    element stands in ``x`` read as one row, and ``multiply_add`` sums
    ``w[o, c, k] · x[n, c, strides·p + dilation·k - lo]`` over a group's channels and the window. ``transposed`` adds
    ``w[o, c, k] · x[n, o, p]`` into that place instead; ``output_padding`` elements are appended to its output.
    """

    combine: str
    size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False
    output_padding: tuple[int, ...] = ()


class Piece(NamedTuple):
    """For every index of ``shape``: ``y[out_offset + out_strides·i] = x_input[in_offset + in_strides·i]``, flat."""

    input: int
    shape: tuple[int, ...]
    in_offset: int
    in_strides: tuple[int, ...]
    out_offset: int
    out_strides: tuple[int, ...]


class Move(NamedTuple):
    """Fill ``y`` with ``fill``, then copy each piece; inputs and output are taken as contiguous."""

    pieces: tuple[Piece, ...]
    fill: float = 0.0


class Gather(NamedTuple):
    """``y[i…, j…] = x0[x1[i…], x2[i…], …, j…]`` with ``indices`` index inputs."""

    indices: int


class Scatter(NamedTuple):
    """``y = x0``, then ``y[x1[i…], …, j…] combine= x_last[i…, j…]`` in order; ``combine`` is ``add`` or ``set``."""

    combine: str
    indices: int


class Draw(NamedTuple):
    """Random numbers, each a function of the key and its position alone (Philox4x32-10)."""

    distribution: str


class Loop(NamedTuple):
    """Repeat ``body`` (a Graph), carrying ``carries`` values; ``kind`` is ``scan`` or ``while``."""

    kind: str
    carries: int


class Library(NamedTuple):
    """A named dense linear-algebra or sorting routine over the trailing axes, left to a numerical library."""

    routine: str


Kernel = Map | Reduce | Contract | Window | Move | Gather | Scatter | Draw | Loop | Library


# -- Records -----------------------------------------------------------------------------------------------------


class Each(NamedTuple):
    """One pullback for a mapping with any number of inputs: ``rule(i, xs, y, g, **params)`` for input ``i``."""

    rule: Callable[..., Any]


class All(NamedTuple):
    """One pullback that gives all contributions at once: ``rule(xs, y, g, needed, **params)``, a list of them.

    ``needed[i]`` says whether input ``i`` wants one; where it does not, anything may stand in its place.
    """

    rule: Callable[..., Any]


class _Hook:
    """What earlier modules need of later ones; each fills in its own, so that imports flow one way."""

    elementwise: Callable[..., Any]
    structural: Callable[..., Any]
    ufunc: Callable[..., Any]
    known: Callable[..., Any]
    backward: Callable[..., Any]
    plain: Callable[..., Any]
    as_array: Callable[..., Any]
    array: Any
    flat: Callable[..., Any]
    softmax: Callable[..., Any]
    log_softmax: Callable[..., Any]


HOOK = _Hook()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Elementwise:
    """A mapping of each number on its own: ``y[i] = value(x[i], …)``.

    ``partials`` holds one rule per input, ``local = rule(x…, y)``, written in Backlight's own operations; ``None``
    says that the derivative is zero wherever it exists. Rules for complex numbers are the complex derivative; the
    gradient uses its conjugate, so that it points in the direction of steepest ascent (PyTorch's convention).
    """

    name: str
    value: Callable[..., Any]
    partials: tuple[Callable[..., Any] | None, ...]
    kernel: Map
    why: Why
    samples: tuple[tuple[float, ...], ...]
    kinks: tuple[float, ...] = ()  # inputs where the derivative jumps (for two inputs: of x1 - x2)
    at_kink: str = ""  # the derivative used there: the number, then words
    domain: str = "real"  # where value is finite: a key of ops.samples.DOMAINS
    preserves_zero: bool = False  # value(0, …) == 0
    singular: bool = False  # local may be infinite or nan: the edge multiplies with chain, where 0 · ∞ = 0
    operands: str = "same"  # "same": inputs have the output's dtype; "common": they share one of their own;
    #                         "condition": the first is boolean, the rest like the output
    complex: bool = False  # defined, and holomorphic, on complex numbers
    transient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(self)
        if len(self.partials) != len(self.samples):
            raise RecordError(f"{self.name}: {len(self.partials)} partials but {len(self.samples)} sample sets")
        if self.kinks and not self.at_kink:
            raise RecordError(f"{self.name}: kinks without at_kink, the derivative used there")

    def __call__(self, *inputs: Any) -> Any:
        return HOOK.elementwise(self, *inputs)

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Structural:
    """A mapping of whole arrays: shapes change, elements move or are combined.

    ``pullback`` holds one rule per input, ``contribution = rule(x…, y, g, **params)``, or ``Each`` for any number of
    inputs, or ``All`` where they are computed together; ``None`` where no gradient flows. ``linear_in`` names the
    inputs it is linear in, one at a time: there the pushforward is the mapping itself; elsewhere it is the transpose of
    the pullback.
    """

    name: str
    value: Callable[..., Any]
    shape: Callable[..., Any]  # shape(shape of x…, **params) -> shape of y (a tuple of shapes for several outputs)
    pullback: tuple[Callable[..., Any] | None, ...] | Each | All
    linear_in: tuple[int, ...] | str  # input positions, or "all"
    kernel: Callable[..., Kernel]  # kernel(shape of x…, **params)
    why: Why
    samples: Callable[[], list[Sample]]
    at_kink: str = ""  # the convention at ties and kinks, in words
    domain: str = "real"
    outputs: int = 1  # more than one: value returns a tuple (0: as many as it returns)
    dtypes: Callable[..., Any] | None = None  # the dtypes of the outputs, for a mapping that may be run later
    batch: Callable[..., Any] | None = None  # batch(batched, *xs, **params): the same with a leading axis of examples
    complex: bool = False
    transient: bool = False  # made at run time, for one call: belongs to no table
    inside: Callable[..., Any] | None = None  # inside(xs): what a transient mapping is made of, recorded on Arrays

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        return HOOK.structural(self, *inputs, **params)

    def __repr__(self) -> str:
        return self.name


Primitive = Elementwise | Structural

_REQUIRED = ("name", "value", "kernel", "why", "samples")


def _check(record: Primitive) -> None:
    for field in fields(record):
        if field.name in _REQUIRED and not getattr(record, field.name):
            raise RecordError(f"{record.name or 'a primitive'}: the field {field.name!r} is missing")
    if not (record.why.en.strip() and record.why.zh.strip()):
        raise RecordError(f"{record.name}: why must be given in English and in Chinese")


class Registry:
    """All primitives by name; ``REGISTRY.tanh`` is the record of tanh.

    >>> from backlight.primitive import REGISTRY
    >>> import backlight
    >>> REGISTRY.tanh.preserves_zero
    True
    """

    def __init__(self) -> None:
        self._records: dict[str, Primitive] = {}
        self._later: list[str] = []

    def enter(self, *records: Primitive) -> None:
        """Enter records, each name once."""
        for record in records:
            if record.name in self._records:
                raise RecordError(f"{record.name}: defined twice")
            self._records[record.name] = record
            setattr(self, record.name, record)

    def enter_later(self, *modules: str) -> None:
        """Tables that few programs need: imported when one of their records, or all records, are asked for."""
        self._later += modules

    def _complete(self) -> None:
        while self._later:
            import_module(self._later.pop())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not self._later:
            raise AttributeError(f"there is no primitive named {name!r}")
        self._complete()
        return getattr(self, name)

    def __iter__(self) -> Iterator[Primitive]:
        self._complete()
        return iter(sorted(self._records.values(), key=lambda record: record.name))

    def __len__(self) -> int:
        self._complete()
        return len(self._records)

    def __contains__(self, name: object) -> bool:
        """Whether there is a record of this name among the tables imported so far."""
        return name in self._records


REGISTRY = Registry()
