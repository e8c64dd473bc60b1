"""Loops as single mappings: ``scan`` (a known number of steps) and ``while_loop`` (until a condition fails).

The step of a loop is a *body*: a graph from (carry…, x…, captured…) to (carry…, y…, term…) that can be called on
plain values, and that can make the body of its own reverse loop (``backlight/loops.py``). What the body reads from
outside, ``captured``, is an input of the loop like any other, so gradients flow to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from backlight.primitive import REGISTRY, All, Loop, Sample, Structural, Why

__all__ = ["SAMPLES", "Layout"]

P = REGISTRY

SAMPLES: dict[str, Callable[[], list[Sample]]] = {}
"""Sample loops by name; filled by ``backlight/loops.py``, which can trace bodies."""


class Layout(NamedTuple):
    """What the inputs and outputs of a scan are: how many of each kind, in the order body, inputs and outputs have.

    The first ``carries`` go from step to step; ``sequences`` inputs are read one row a step; the remaining inputs are
    captured. After the carries the body gives rows, which are stacked, and as many ``sums`` terms, which are added up.
    With ``history`` the carries before each step are stacked as well: what the way back needs. A native loop that is
    ``open_ended`` is told when it runs how many steps to take, at most ``length`` if it stacks anything.
    """

    carries: int
    sequences: int
    sums: int = 0
    length: int = 0
    reverse: bool = False
    history: bool = True
    open_ended: bool = False

    def steps(self) -> range:
        """The step numbers in the order they run."""
        return range(self.length - 1, -1, -1) if self.reverse else range(self.length)


def _scan(*inputs: Any, body: Any, layout: Layout) -> tuple[Any, ...]:
    """c₍ₜ₊₁₎, yₜ, sₜ = body(cₜ, xₜ, captured)  ↦  c_T, [y₀ … y_{T-1}], Σ sₜ, [c₀ … c_{T-1}]."""
    carries, terms = layout.carries, len(body.graph.outputs) - layout.sums
    carry: Sequence[Any] = inputs[:carries]
    xs = inputs[carries : carries + layout.sequences]
    captured = inputs[carries + layout.sequences :]
    befores = [np.empty((layout.length, *x.shape), x.dtype) for x in carry] if layout.history else []
    ys, totals = _room(body.graph.outputs, carries, terms, layout.length)
    for number, t in enumerate(layout.steps()):
        for before, x in zip(befores, carry, strict=False):
            before[t] = x
        out = body(*carry, *[x[t] for x in xs], *captured)
        carry = out[:carries]
        if number == 0:
            ys, totals = _room(out, carries, terms, layout.length)
        for y, row in zip(ys, out[carries:terms], strict=True):
            y[t] = row
        for total, term in zip(totals, out[terms:], strict=True):
            total += term
    return (*map(_own, carry), *ys, *(total[()] for total in totals), *befores)


def _room(like: Sequence[Any], carries: int, terms: int, length: int) -> tuple[list[Any], list[Any]]:
    """Where the rows and the sums go, for outputs of one step ``like`` these."""
    ys = [np.empty((length, *row.shape), row.dtype) for row in like[carries:terms]]
    return ys, [np.zeros(term.shape, term.dtype) for term in like[terms:]]


def _own(x: Any) -> Any:
    """A copy: what comes out of a loop shares no memory with what went in."""
    return np.array(x) if x.ndim else x[()]


def _scan_shape(*shapes: Any, body: Any, layout: Layout) -> tuple[Any, ...]:
    carries, terms = layout.carries, len(body.graph.outputs) - layout.sums
    outputs = [node.shape for node in body.graph.outputs]
    stacked = [(layout.length, *shape) for shape in outputs[carries:terms]]
    befores = [(layout.length, *shape) for shape in shapes[:carries]] if layout.history else []
    return (*shapes[:carries], *stacked, *outputs[terms:], *befores)


def _scan_dtypes(*dtypes: Any, body: Any, layout: Layout) -> tuple[Any, ...]:
    made = tuple(node.dtype for node in body.graph.outputs)
    return (*made, *(dtypes[: layout.carries] if layout.history else ()))


def _scan_pullback(
    xs: Sequence[Any], y: Sequence[Any], g: Sequence[Any], needed: Sequence[bool], *, body: Any, layout: Layout
) -> list[Any]:
    befores = y[len(y) - layout.carries :] if layout.carries else ()
    gradients = [None if _absent(gradient) else gradient for gradient in g]
    return _reverse(xs, befores, gradients, needed, body, layout)


def _reverse(
    xs: Sequence[Any], befores: Sequence[Any], g: Sequence[Any], needed: Sequence[bool], body: Any, layout: Layout
) -> list[Any]:
    """Backpropagation through time (Werbos 1990): the loop walked the other way, with the body's pullback as its body.

    Its carry is the gradient of the carry; it reads the carries, the xs and the gradients of every step; its rows are
    the gradients of the xs, and the gradients of captured values are summed over the steps. ``g`` holds ``None`` where
    no gradient came.
    """
    contributions: list[Any] = [None] * len(xs)
    if all(gradient is None for gradient in g):
        return contributions
    back = body.backward(layout, tuple(needed), tuple(gradient is not None for gradient in g))
    if back is None:
        return body.backward_unrolled(layout, xs, befores, g, needed)  # type: ignore[no-any-return]
    carries, ends = layout.carries, len(body.graph.outputs)
    start = [np.zeros(xs[k].shape, xs[k].dtype) if g[k] is None else g[k] for k in back.carried]
    rows, totals, at_befores = (
        [gradient for gradient in part if gradient is not None]
        for part in (g[carries : ends - layout.sums], g[ends - layout.sums : ends], g[ends:])
    )
    along = [*befores, *xs[carries : carries + layout.sequences], *rows, *at_befores]
    out = P.scan(
        *start,
        *along,
        *xs[carries + layout.sequences :],
        *totals,
        body=back.body,
        layout=Layout(len(start), len(along), back.sums, layout.length, not layout.reverse),
    )
    for position, contribution in zip(back.targets, out, strict=False):
        contributions[position] = contribution
    return contributions


def _scan_batch(batched: Sequence[bool], *xs: Any, body: Any, layout: Layout) -> tuple[Any, ...]:
    """One scan whose body works on all examples at once; every carry has its own value for each of them."""
    size = _examples(batched, xs)
    carries, stepped = layout.carries, layout.carries + layout.sequences
    columns = [
        _swapped(x) if flag else x for x, flag in zip(xs[carries:stepped], batched[carries:stepped], strict=True)
    ]
    together = body.batched((*(True,) * carries, *batched[carries:]), size)
    out = P.scan(*_per_example(batched, xs, carries, size), *columns, *xs[stepped:], body=together, layout=layout)
    terms, ends = len(body.graph.outputs) - layout.sums, len(body.graph.outputs)
    return tuple(_swapped(y) if carries <= k < terms or k >= ends else y for k, y in enumerate(out))


def _examples(batched: Sequence[bool], xs: Sequence[Any]) -> int:
    return next(int(x.shape[0]) for x, flag in zip(xs, batched, strict=True) if flag)


def _per_example(batched: Sequence[bool], xs: Sequence[Any], carries: int, size: int) -> list[Any]:
    """The first carries, those that all examples share repeated for each."""
    first = list(zip(xs, batched, strict=True))[:carries]
    return [x if flag else P.broadcast_to(x, shape=(size, *x.shape)) for x, flag in first]


def _swapped(x: Any) -> Any:
    """Steps and examples, the two leading axes, exchanged."""
    return P.transpose(x, axes=(1, 0, *range(2, x.ndim)))


def _absent(g: Any) -> bool:
    """Whether ``g`` is the zero that stands for "no gradient came": a constant, and zero everywhere."""
    return g.dtype.kind not in "fc" or (g.node.kind == "constant" and not g.node.value.any())


def _while_loop(*inputs: Any, condition: Any, body: Any, carries: int, watched: int) -> tuple[Any, ...]:
    """Repeat ``carry = body(carry, captured)`` while ``condition(carry, watched)``; last comes the number of steps."""
    carry: Sequence[Any] = inputs[:carries]
    seen = inputs[carries : carries + watched]
    captured = inputs[carries + watched :]
    steps = 0
    while condition(*carry, *seen)[0]:
        carry = body(*carry, *captured)
        steps += 1
    return (*map(_own, carry), np.int64(steps))


def _while_pullback(
    xs: Sequence[Any],
    y: Sequence[Any],
    g: Sequence[Any],
    needed: Sequence[bool],
    *,
    condition: Any,
    body: Any,
    carries: int,
    watched: int,
) -> list[Any]:
    """Once it has run, the loop is a scan of known length: that scan is run again, keeping its carries, and reversed.

    Reading the number of steps is a guard of the trace, since the graph of the gradient holds for that number only.
    """
    layout = Layout(carries, 0, length=int(y[-1]))
    own = [*range(carries), *range(carries + watched, len(xs))]
    inputs = [xs[k] for k in own]
    again = P.scan(*inputs, body=body, layout=layout)
    gradients = [None if _absent(gradient) else gradient for gradient in g[:carries]] + [None] * carries
    found = _reverse(inputs, again[carries:], gradients, [needed[k] for k in own], body, layout)
    contributions: list[Any] = [None] * len(xs)
    for k, contribution in zip(own, found, strict=True):
        contributions[k] = contribution
    return contributions


def _while_batch(
    batched: Sequence[bool], *xs: Any, condition: Any, body: Any, carries: int, watched: int
) -> tuple[Any, ...]:
    """One loop for all examples, until the condition fails for the last of them; who has finished stands still.

    A finished example is computed on, from where it stands, and the result is not used: a warning would be false.
    """
    size = _examples(batched, xs)
    start = _per_example(batched, xs, carries, size)
    seen, captured = xs[carries : carries + watched], xs[carries + watched :]
    flags = ((True,) * carries, tuple(batched[carries : carries + watched]), tuple(batched[carries + watched :]))
    test, step = body.for_each(condition, flags, size)
    with np.errstate(all="ignore"):
        out = P.while_loop(
            *start,
            np.zeros(size, np.int64),
            *seen,
            *captured,
            *seen,
            condition=test,
            body=step,
            carries=carries + 1,
            watched=watched,
        )
    return tuple(out[: carries + 1])


REGISTRY.enter(
    Structural(
        name="scan",
        value=_scan,
        shape=_scan_shape,
        pullback=All(_scan_pullback),
        linear_in=(),
        kernel=lambda *shapes, body, layout: Loop("scan", layout.carries),
        why=Why(
            "The same step runs again and again, each starting from what the last one left; its gradient walks the "
            "steps backwards, and a weight used in every step collects what each of them sends back.",
            "同一步反复执行，每一步都从上一步留下的结果开始；梯度沿着这些步骤倒着走，每一步都用到的权重把各步传回的梯度累加起来。",
        ),
        samples=lambda: SAMPLES["scan"](),
        outputs=0,
        dtypes=_scan_dtypes,
        batch=_scan_batch,
        complex=True,
    ),
    Structural(
        name="while_loop",
        value=_while_loop,
        shape=lambda *shapes, carries, **rest: (*shapes[:carries], ()),
        pullback=All(_while_pullback),
        linear_in=(),
        kernel=lambda *shapes, carries, **rest: Loop("while", carries),
        why=Why(
            "A step repeats until the condition fails; how often is an integer, which a small change of the input "
            "does not alter, so the gradient goes back through just the steps that ran.",
            "一步反复执行，直到条件不成立；执行的次数是整数，输入的微小变化不会改变它，所以梯度只沿实际执行过的步骤返回。",
        ),
        samples=lambda: SAMPLES["while_loop"](),
        outputs=0,
        batch=_while_batch,
        complex=True,
    ),
)
