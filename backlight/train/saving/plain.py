"""Plain data as strict JSON: what is no number of JSON's (NaN, ∞), and arrays, have a form of their own.

    NaN, ∞, -∞   {"$float": "nan"}, {"$float": "inf"}, {"$float": "-inf"}
    an array     {"$array": [[…], …], "dtype": "float32"}

Read is what is exactly one value: no key twice, no number that is none, no depth that exhausts a reader.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from backlight.errors import message

__all__ = ["Malformed", "parsed", "read_plain", "written"]

DEEPEST = 200  # arrays and objects inside each other
LONGEST = 20  # digits of a whole number: 64 bits
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)  # strings, and brackets outside them
FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
DTYPES = frozenset({"bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))})
DTYPES |= {"float16", "float32", "float64"}


class Malformed(ValueError):
    """Text or data that is not what it should be: ``place`` in it and the ``reason``."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place, self.reason = place, reason


# -- Writing ---------------------------------------------------------------------------------------------------------


def written(value: Any, place: str = "") -> str:
    """Plain data as JSON.

    >>> written({"rate": np.float32(0.5), "shape": (2, None), "loss": [float("nan")]})
    '{"rate":0.5,"shape":[2,null],"loss":[{"$float":"nan"}]}'

    Raises ``Malformed`` for what has no plain form, with its place.
    """
    return json.dumps(_plain(value, place), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(value: Any, place: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise Malformed(place, message("state_not_plain", came=repr(value)[:80]))
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed(place, message("state_not_plain", came=repr(value)[:80])) from None
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(each, f"{place}[{k}]") for k, each in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: _plain(each, f"{place}.{key}".lstrip(".")) for key, each in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
        return {"$array": _plain(value.tolist(), place), "dtype": value.dtype.name}
    raise Malformed(place, message("state_not_plain", came=f"{type(value).__name__} {value!r}"[:80]))


# -- Reading ---------------------------------------------------------------------------------------------------------


def parsed(text: str) -> Any:
    """The one value that a JSON text is.

    >>> parsed('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}

    Raises ``Malformed`` for what is no JSON, for a key that comes twice and for numbers beyond 64 bits.
    """
    _check_depth(text)
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_int=_whole, parse_float=_real, parse_constant=_no_constant
        )
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("", message("state_no_json", reason=error)) from None


def _check_depth(text: str) -> None:
    """Whether no more brackets are open than anyone needs; brackets inside strings do not count."""
    depth = 0
    for found in TOKENS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > DEEPEST:
            raise Malformed("", message("state_depth", most=DEEPEST))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Malformed("", message("state_twice", name=twice[:80]))
    return found


def _whole(digits: str) -> int:
    if len(digits) > LONGEST:
        raise Malformed("", message("state_number", came=digits[:40]))
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Malformed("", message("state_number", came=digits[:40]))
    return value


def _no_constant(name: str) -> Any:
    raise Malformed("", message("state_number", came=name))


def read_plain(text: str) -> Any:
    """What ``written`` wrote.

    >>> read_plain('{"loss":[{"$float":"inf"}]}')
    {'loss': [inf]}

    Raises ``Malformed``.
    """
    return _restored(parsed(text), "")


def _restored(value: Any, place: str) -> Any:
    if isinstance(value, list):
        return [_restored(each, f"{place}[{k}]") for k, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$float"} and isinstance(value["$float"], str) and value["$float"] in FLOATS:
        return FLOATS[value["$float"]]
    if set(value) == {"$array", "dtype"} and isinstance(value["dtype"], str) and value["dtype"] in DTYPES:
        return _array(_restored(value["$array"], place), value["dtype"], place)
    if any(key.startswith("$") for key in value):
        raise Malformed(place, message("state_form", came=", ".join(value)[:80]))
    return {key: _restored(each, f"{place}.{key}".lstrip(".")) for key, each in value.items()}


def _array(nested: Any, dtype: str, place: str) -> Any:
    try:
        return np.array(nested, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise Malformed(place, message("state_form", came=f"$array {error}"[:80])) from None
