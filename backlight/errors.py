"""Every exception Backlight raises, then what they say, in English and Chinese.

    BacklightError
    ├── ShapeError (ValueError)          shapes that do not fit together
    ├── DTypeError (TypeError)           a dtype that has no derivative, or cannot be written where asked
    ├── UnsupportedError (TypeError)     a NumPy function or option Backlight has no mapping for
    ├── ArgumentError (ValueError)       an argument of Backlight's own functions that makes no sense
    ├── NonScalarError (ValueError)      a gradient asked of something that is not one number
    ├── MatrixError (LinAlgError)        a matrix that is singular, or not positive definite
    ├── RangeError (IndexError)          an index outside the array
    │   └── AxisError (np.exceptions.AxisError)  an axis the array does not have
    ├── CallError (TypeError)            a call with the wrong number or kinds of arguments
    ├── LeakError (RuntimeError)         a traced value used outside the trace it belongs to
    ├── ConversionError (TypeError)      a traced value handed to code that wants a plain number or array
    ├── DerivativeError (ValueError)     a user-made derivative with the wrong shape, count or value
    ├── DataError (ValueError)           a data file that is missing or damaged
    ├── StateError (ValueError)          a saved model that is missing, damaged, or another model's
    ├── TrainingError (RuntimeError)     a training that cannot go on
    ├── CompileError (TypeError)         a function that cannot be compiled, where strict=True asks for it
    └── RecordError (TypeError)          an incomplete record in a primitive table

    CompileWarning (UserWarning)         a function that runs as it is because it cannot be compiled
    TrainingWarning (UserWarning)        something that is allowed, and probably not what was meant

Each message states where (the user's line), what came, what was expected and what to write instead.
``BACKLIGHT_LANG`` (``en`` or ``zh``) chooses the language; without it the locale does.
"""

from __future__ import annotations

import os

import numpy as np

from backlight.messages import MESSAGES

__all__ = [
    "ArgumentError",
    "AxisError",
    "BacklightError",
    "CallError",
    "CompileError",
    "CompileWarning",
    "ConversionError",
    "DTypeError",
    "DataError",
    "DerivativeError",
    "LeakError",
    "MatrixError",
    "NonScalarError",
    "RangeError",
    "RecordError",
    "ShapeError",
    "StateError",
    "TrainingError",
    "TrainingWarning",
    "UnsupportedError",
    "language",
    "message",
]


class BacklightError(Exception):
    """The base of every exception that Backlight raises on purpose."""


class ShapeError(BacklightError, ValueError):
    """Shapes that do not fit together."""


class DTypeError(BacklightError, TypeError):
    """A dtype that has no derivative, or that cannot be stored where it was asked to go."""


class UnsupportedError(BacklightError, TypeError):
    """A NumPy function, or one of its options, that Backlight has no mapping for."""


class ArgumentError(BacklightError, ValueError):
    """An argument of one of Backlight's own functions that makes no sense."""


class NonScalarError(BacklightError, ValueError):
    """A gradient asked of an output that is not one real number."""


class MatrixError(BacklightError, np.linalg.LinAlgError):
    """A matrix that the routine has no answer for: singular, or not positive definite."""


class RangeError(BacklightError, IndexError):
    """An index outside the array it points into."""


class AxisError(RangeError, np.exceptions.AxisError):
    """An axis that the array does not have."""


class CallError(BacklightError, TypeError):
    """A call with the wrong number or the wrong kinds of arguments."""


class LeakError(BacklightError, RuntimeError):
    """A traced value used after the trace it belongs to has ended."""


class ConversionError(BacklightError, TypeError):
    """A traced value handed to code that wants a plain number or a plain array."""


class DerivativeError(BacklightError, ValueError):
    """A user-made derivative that is wrong in count, shape or value."""


class DataError(BacklightError, ValueError):
    """A data file that is missing, damaged or not what its name says."""


class StateError(BacklightError, ValueError):
    """A model that cannot be saved, or a saved one that is missing, damaged or does not fit."""


class TrainingError(BacklightError, RuntimeError):
    """A training that cannot go on: its loss is NaN or infinite, where that was to be an error."""


class CompileError(BacklightError, TypeError):
    """A function that cannot be compiled, where ``strict=True`` says that it must be."""


class CompileWarning(UserWarning):
    """A function runs as it is, because it cannot be compiled, or is traced again and again."""


class TrainingWarning(UserWarning):
    """Something that is allowed, and probably not what was meant."""


class RecordError(BacklightError, TypeError):
    """A record in a primitive table that is incomplete or contradicts itself."""


def language() -> str:
    """The language messages are written in: ``"en"`` or ``"zh"``.

    ``BACKLIGHT_LANG`` decides; without it the first of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` that is set.

    >>> language() in ("en", "zh")
    True
    """
    names = ("BACKLIGHT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    wanted = next((os.environ[name] for name in names if os.environ.get(name)), "en")
    return "zh" if wanted.lower().startswith(("zh", "chinese")) else "en"


def message(key: str, where: str = "", **facts: object) -> str:
    """The catalogue's sentence ``key`` in the current language, filled with ``facts``, after the user's line."""
    english, chinese = MESSAGES[key]
    text = (chinese if language() == "zh" else english).format(**facts)
    return f"{where}\n{text}" if where else text
