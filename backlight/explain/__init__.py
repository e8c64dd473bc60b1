"""Explanation: joins forward and backward nodes into steps and shows them in words, tables, drawings and pages."""

from __future__ import annotations

from backlight.explain.derivation import Derivation, Line, derive
from backlight.explain.record import Edge, Explanation, Record, Step, explain

__all__ = ["Derivation", "Edge", "Explanation", "Line", "Record", "Step", "derive", "explain"]
