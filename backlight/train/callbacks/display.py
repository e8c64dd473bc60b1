"""How numbers, times and a bar look, on terminals of any width."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["duration", "number", "picture"]

_LONGEST, _SHORTEST = 20, 4  # letters of a bar


def number(value: float) -> str:
    """A number as people read it.

    >>> [number(x) for x in (0.12345, 0.00001234, 0.0, 123456.0, float("nan"))]
    ['0.1235', '1.2340e-05', '0.0000', '1.2346e+05', 'nan']
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4e}"


def duration(seconds: float) -> str:
    """A time as people read it.

    >>> [duration(t) for t in (2.4e-5, 0.0026, 1.23, 75.0, 3723.0)]
    ['24 µs', '2.6 ms', '1.2 s', '1:15', '1:02:03']
    """
    if seconds < 59.95:
        scale, unit = (1e6, "µs") if seconds < 9.995e-4 else (1e3, "ms") if seconds < 0.9995 else (1.0, "s")
        scaled = seconds * scale
        return f"{scaled:.0f} {unit}" if scaled >= 9.95 else f"{scaled:.1f} {unit}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def picture(title: str, done: int, total: int | None, pieces: Iterable[str], width: int, letters: str = "━─") -> Any:
    """A title, a bar, a count and pieces of text, filled into lines no wider than ``width``; a ``rich.text.Text``.

    ``letters`` are what the bar is drawn with: its done part, and the rest.

    >>> print(picture("Epoch 3/50", 5, 10, ["loss 0.1234", "accuracy 0.9712"], 40))
    Epoch 3/50 ━━━━━━━━━━────────── 5/10
    loss 0.1234  accuracy 0.9712
    """
    from rich.cells import cell_len
    from rich.text import Text

    count = f"{done}/{total}" if total else f"{done}" if done else ""
    head = Text(title, "bold")
    length = min(_LONGEST, width - cell_len(title) - cell_len(count) - 2)
    if total and length >= _SHORTEST:
        full = min(length, length * done // total)
        head.append(" ").append(letters[0] * full, "not bold green")
        head.append(letters[1] * (length - full), "not bold bright_black")
    if count:
        head.append(f" {count}", "not bold")
    lines = [head]
    for piece in pieces:
        if lines[-1].cell_len + 2 + cell_len(piece) <= width:
            lines[-1].append(f"  {piece}", "not bold")
        else:
            lines.append(Text(piece))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)
