"""Mappings that change no number: they start, or stop, the flow of gradients."""

from __future__ import annotations

from backlight.ops.samples import REAL
from backlight.primitive import REGISTRY, Elementwise, Map, Why

REGISTRY.enter(
    Elementwise(
        name="identity",
        value=lambda x: x,
        partials=(lambda x, y: 1,),
        kernel=Map("x0"),
        why=Why(
            "Nothing happens to the number, so the gradient passes through unchanged.",
            "数值没有变化，梯度原样通过。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        complex=True,
    ),
    Elementwise(
        name="stop_gradient",
        value=lambda x: x,
        partials=(None,),
        kernel=Map("x0"),
        why=Why(
            "The value goes on, but from here it counts as a constant: no gradient comes back through it.",
            "数值继续向前，但从此被当作常数：梯度不会从这里传回。",
        ),
        samples=(REAL,),
        preserves_zero=True,
        complex=True,
    ),
)
