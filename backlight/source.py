"""From a code object and an instruction to what the user reads: line numbers, statements, variable names."""

from __future__ import annotations

import linecache
from functools import lru_cache
from types import CodeType

__all__ = ["assigned_name", "line_of", "statement", "stores_item"]

_STORES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR")
_SKIPPED = ("CACHE", "NOP", "EXTENDED_ARG", "COPY", "PRECALL")


@lru_cache(maxsize=4096)
def line_of(code: CodeType, lasti: int) -> int:
    """The line of the instruction at offset ``lasti`` (a call spread over lines counts from its first)."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            line = number
    return line


@lru_cache(maxsize=4096)
def assigned_name(code: CodeType, lasti: int) -> str | None:
    """The variable that receives the result of the instruction at ``lasti``, if the next step is to store it."""
    import dis  # needed only when somebody asks for a name

    instructions = [i for i in dis.get_instructions(code) if i.offset > lasti and i.opname not in _SKIPPED]
    if instructions and instructions[0].opname in _STORES:
        return str(instructions[0].argval)
    return None


@lru_cache(maxsize=4096)
def stores_item(code: CodeType, lasti: int) -> bool:
    """Whether the instruction at ``lasti`` is the assignment of ``a[i] = v``."""
    from opcode import opmap  # needed only when Python reads a traced number

    return code.co_code[lasti] == opmap["STORE_SUBSCR"]


def statement(code: CodeType, lasti: int) -> str:
    """The text of the user's line, or an empty string where the source is not at hand."""
    return linecache.getline(code.co_filename, line_of(code, lasti)).strip()
