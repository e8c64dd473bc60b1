"""What a model is made of, as a table."""

from __future__ import annotations

import io
from typing import Any

from backlight.errors import message
from backlight.nn.layer import Layer

__all__ = ["summary_of"]


def summary_of(model: Any, width: int | None = None, nested: bool = False) -> str:
    """Layers, output shapes and numbers of parameters; what is shared is counted once in the sums."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SQUARE, header_style="bold")
    for key in ("summary_layer", "summary_shape"):
        table.add_column(message(key), overflow="fold")
    table.add_column(message("summary_parameters"), justify="right")
    shapes = _shapes(model)
    for layer, depth in _rows(model, nested, 0):
        name = f"{'  ' * depth}{layer.name} ({type(layer).__name__})"
        count = f"{layer.count_params():,}" if layer.built else message("summary_unbuilt")
        table.add_row(name, shapes.get(id(layer), "?"), count)
    total, trained = model.count_params(), sum(v.size for v in model.trainable_variables)
    optimizer = sum(v.size for v in model.optimizer.variables) if model.optimizer is not None else 0
    text = io.StringIO()
    console = Console(file=text, width=width or _width(), force_terminal=False, no_color=True)
    console.print(f'{type(model).__name__} "{model.name}"')
    console.print(table)
    size = sum(v.nbytes for v in model.weights)
    facts = {"total": f"{total:,}", "size": _bytes(size), "trained": f"{trained:,}", "others": f"{total - trained:,}"}
    console.print(message("summary_totals", **facts))
    if optimizer:
        console.print(message("summary_optimizer", count=f"{optimizer:,}"))
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def _width() -> int:
    import shutil

    return max(40, min(100, shutil.get_terminal_size((80, 24)).columns))


def _rows(model: Any, nested: bool, depth: int) -> list[tuple[Layer, int]]:
    found = []
    for layer in model.layers:
        found.append((layer, depth))
        if nested and hasattr(layer, "layers"):
            found += _rows(layer, nested, depth + 1)
    return found


def _shapes(model: Any) -> dict[int, str]:
    """The output shapes by layer, where the model is a network of symbols."""
    network = model._network
    if network is None:
        return {}
    found = {id(start.call.layer): str(start.shape) for start in network.starts if start.call is not None}
    for call in network.calls:
        found[id(call.layer)] = ", ".join(str(symbol.shape) for symbol in call.outputs)
        if hasattr(call.layer, "_network") and call.layer._network is not None:
            found |= _shapes(call.layer)
    return found


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.2f} {unit}" if unit != "B" else f"{count} B"
        size /= 1024
    return ""
