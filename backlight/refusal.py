"""What a primitive says when it cannot be applied: the user's line, variables, shapes, and what to write instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from copy import copy
from types import TracebackType
from typing import Any

import numpy as np

from backlight.errors import (
    ArgumentError,
    AxisError,
    BacklightError,
    CallError,
    ConversionError,
    DTypeError,
    LeakError,
    MatrixError,
    RangeError,
    ShapeError,
    UnsupportedError,
    message,
)
from backlight.primitive import Elementwise, Primitive
from backlight.trace import is_user_file, user_frame, user_source, user_variable
from backlight.tree import flatten, unflatten

__all__ = ["call_plainly", "describe", "refuse", "refuse_call", "warn"]


def describe(x: Any) -> str:
    """An operand in the user's terms: its variable name if known, dtype and shape."""
    node = getattr(x, "node", None)
    if node is not None:
        name = node.name or user_variable(x)
        source = node.source
        made = "" if name or source is None or source == user_source() else message("made_at", source=source)
        return f"{_quoted(name)}{node.dtype} {node.shape}{made}"
    if isinstance(x, np.ndarray | np.generic):
        return f"{_quoted(user_variable(x))}{x.dtype} {x.shape}"
    return f"{type(x).__name__} {x!r}" if isinstance(x, int | float | complex | bool) else type(x).__name__


def _quoted(name: str | None) -> str:
    return f"`{name}` " if name else ""


def warn(text: str, category: type[Warning]) -> None:
    """Say ``text`` at the line where the user's code is now."""
    frame = user_frame()
    if frame is None:
        warnings.warn(text, category, stacklevel=2)
        return
    where = (frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__"))
    warnings.warn_explicit(text, category, *where, frame.f_globals.setdefault("__warningregistry__", {}))


def refuse(primitive: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], error: Exception) -> BacklightError:
    """Turn NumPy's refusal into Backlight's error."""
    where = str(user_source() or "")
    operands = ", ".join(describe(x) for x in inputs)
    shapes = [tuple(np.shape(getattr(x, "value", x))) for x in inputs]
    if isinstance(error, IndexError):
        return RangeError(message("failed", where, operation=primitive.name, operands=operands, reason=error))
    if isinstance(error, np.linalg.LinAlgError):
        fix = message("fix_definite" if primitive.name == "cholesky" else "fix_singular")
        return MatrixError(message("matrix", where, operation=primitive.name, operands=operands, reason=error, fix=fix))
    if isinstance(primitive, Elementwise) and not _broadcastable(shapes):
        fix = _broadcast_fix(shapes)
        expected = message("expected_broadcast")
        return ShapeError(
            message("shapes", where, operation=primitive.name, operands=operands, expected=expected, fix=fix)
        )
    kind: type[BacklightError] = DTypeError if isinstance(error, TypeError) else ShapeError
    if isinstance(error, OverflowError):
        kind = _also(DTypeError, OverflowError)  # a Python integer that the dtype cannot hold
    return kind(message("failed", where, operation=primitive.name, operands=operands, reason=error))


def refuse_call(numpys: Callable[..., Any], args: Any, kwargs: Any, error: Exception) -> Exception:
    """What to raise where one of NumPy's functions failed on Arrays: an exception of Backlight's, of NumPy's kind too.

    NumPy is asked what it says of the same call on plain values. What a function of the user's raised stays as it is.
    """
    if isinstance(error, Warning | LeakError | ConversionError) or _raised_by_user(error.__traceback__):
        return error
    said = _numpys_refusal(numpys, args, kwargs)
    refusal = _refusal(numpys, said, error)
    if refusal is not error:
        refusal.__cause__ = None if said is not None else error  # NumPy has no objection: tell what went wrong inside
    return refusal


def _refusal(numpys: Callable[..., Any], said: Exception | None, error: Exception) -> Exception:
    if isinstance(error, BacklightError):
        return error if said is None or isinstance(error, type(said)) else _also(type(error), type(said))(*error.args)
    where = str(user_source() or "")
    name = getattr(numpys, "__name__", str(numpys))
    if said is None:
        return UnsupportedError(message("numpy_unsupported", where, function=name, reason=error))
    kind = next((ours for theirs, ours in _KINDS if isinstance(said, theirs)), BacklightError)
    text = message("numpy_refused", where, function=name, reason=said)
    return (kind if issubclass(kind, type(said)) else _also(kind, type(said)))(text)


_KINDS = (
    (np.exceptions.AxisError, AxisError),
    (np.linalg.LinAlgError, MatrixError),
    (IndexError, RangeError),
    (ValueError, ArgumentError),
    (TypeError, CallError),
)


def _also(ours: type[BacklightError], theirs: type[Exception]) -> type[BacklightError]:
    """Backlight's class, made to be caught as NumPy's as well."""
    base = next((kind for kind in theirs.__mro__ if kind.__module__ == "builtins"), Exception)
    if issubclass(ours, base):
        return ours
    if (ours, base) not in _both:
        _both[ours, base] = type(ours.__name__, (ours, base), {"__module__": ours.__module__})
    return _both[ours, base]


_both: dict[tuple[type[Exception], type[Exception]], type[BacklightError]] = {}


def _numpys_refusal(numpys: Callable[..., Any], args: Any, kwargs: Any) -> Exception | None:
    """The exception that NumPy raises for the same call on plain values; nothing where it has no objection, or where
    asking would call a function of the user's a second time."""
    leaves, _ = flatten((args, kwargs))
    if any(callable(leaf) and not isinstance(leaf, type | np.ufunc) for leaf in leaves if not hasattr(leaf, "node")):
        return None
    try:
        call_plainly(numpys, args, kwargs)
    except Exception as said:  # whatever NumPy says is the answer
        return said
    return None


def call_plainly(numpys: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """NumPy's own function on plain copies of the values, without its warnings: to hear what it objects to."""
    leaves, structure = flatten((args, kwargs))
    plain = [np.array(leaf.node.value)[()] if hasattr(leaf, "node") else copy(leaf) for leaf in leaves]
    again, options = unflatten(structure, plain)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return numpys(*again, **options)


def _raised_by_user(trace: TracebackType | None) -> bool:
    """Whether the exception comes from code of the user's that one of NumPy's functions called."""
    files = [step.tb_frame.f_code.co_filename for step in _steps(trace)]
    return any(is_user_file(file) for file in files)


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _broadcastable(shapes: list[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def _broadcast_fix(shapes: list[tuple[int, ...]]) -> str:
    """Adding one axis of length 1 is what is meant most often: say so when it helps."""
    for k, shape in enumerate(shapes):
        for axis in range(len(shape) + 1):
            longer = (*shape[:axis], 1, *shape[axis:])
            if _broadcastable([*shapes[:k], longer, *shapes[k + 1 :]]):
                index = ", ".join("None" if i == axis else ":" for i in range(len(longer)))
                return message("fix_newaxis", position=k + 1, index=index, shape=longer)
    return message("fix_reshape")
