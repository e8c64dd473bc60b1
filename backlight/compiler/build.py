"""LLVM text becomes machine code: translating, loading, and letting go again.

Nothing of LLVM is imported before the first program is built. Instruction selection is where the time goes (nine
tenths of it), so a long text is cut into parts that are translated side by side, and what was translated once is
loaded from the disk the next time.
"""

from __future__ import annotations

import ctypes
import re
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

from backlight.compiler import cache
from backlight.compiler.processor import LLVM, Processor, available_threads, native_llvm, processor

__all__ = ["Machine", "Processor", "compile_text", "llvm_version", "load", "processor"]

_LINES_PER_PART = 500  # opening a part costs as much as translating forty lines
_MOST_PARTS = 8

_FUNCTION = re.compile(r"^define [^\n]*\{\n.*?^\}\n?", re.M | re.S)
_DEFINE = re.compile(r"^\s*define ", re.M)
_SHARED = re.compile(r"^@[\w.$-]+ = (?!private |internal )", re.M)
_SYMBOL = re.compile(r'@(?:[\w.$-]+|"[^"]*")')

Result = TypeVar("Result")


def llvm_version() -> str:
    """The version of the LLVM that is used, and of llvmlite around it."""
    import llvmlite

    return f"{'.'.join(map(str, native_llvm().llvm_version_info))} {llvmlite.__version__}"


class Machine:
    """Loaded machine code: ``machine["run"]`` is the address of the entry ``run``.

    The code is freed when the last reference goes, so whoever calls an address holds the machine until it returns.
    """

    __slots__ = ("_addresses", "_linked", "_target", "_text", "code")

    def __init__(
        self, addresses: dict[str, int], code: bytes, text: str | Callable[[], str], target: Processor, linked: Any
    ) -> None:
        self._addresses = addresses
        self._text = text
        self._target = target
        self._linked = linked
        self.code = code  #: what ``load`` takes

    def __getitem__(self, entry: str) -> int:
        return self._addresses[entry]

    @property
    def llvm(self) -> str:
        """The LLVM text that this was made from."""
        return self._text if isinstance(self._text, str) else self._text()

    @property
    def assembly(self) -> str:
        """The machine code, readable."""
        with LLVM:
            return _with_module(self.llvm, self._target, lambda machine, module: str(machine.emit_assembly(module)))


def compile_text(
    text: str, entries: Sequence[str], *, name: str = "", target: Processor | None = None, cached: bool = True
) -> Machine:
    """The machine code of the LLVM ``text``, loaded; ``entries`` are the functions that will be called.

    It comes from the disk where the same text was compiled before (unless ``cached`` is false) under a ``name`` that
    ``backlight cache`` shows. Faulty text raises ``RuntimeError`` with LLVM's words.
    """
    target = target or processor()
    key = cache.key("text", text, target.key, llvm_version()) if cached else ""
    if cached and (found := cache.load(key)):
        # What links on one system may not on another that shares its folder; then it is made anew.
        with suppress(RuntimeError):
            return load(found.payload, entries, text, target)
    code = _translate(text, target)
    machine = load(code, entries, text, target)
    if cached:
        cache.store(key, code, {"name": name or entries[0]})
    return machine


def load(
    code: bytes, entries: Sequence[str], text: str | Callable[[], str] = "", target: Processor | None = None
) -> Machine:
    """Load the ``code`` of another machine, made for this processor; ``text`` is asked for only to be shown."""
    target = target or processor()
    llvm = native_llvm()
    with LLVM:
        # One linker for each machine: letting it go frees everything, which taking code out of a shared one does not.
        windows = sys.platform == "win32"
        machine = _target_machine(target) if windows else None
        linker = llvm.create_lljit_compiler(machine, use_jit_link=not windows, suppress_errors=True)
        library = llvm.JITLibraryBuilder().add_current_process()
        for part in _unpack(code):
            library.add_object_img(part)
        for entry in entries:
            library.export_symbol(entry)
        linked = library.link(linker, "program")
    return Machine({entry: linked[entry] for entry in entries}, code, text, target, linked)


def _pack(parts: Sequence[bytes]) -> bytes:
    return struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts)) + b"".join(parts)


def _unpack(code: bytes) -> list[bytes]:
    (count,) = struct.unpack_from("<Q", code)
    sizes = struct.unpack_from(f"<{count}Q", code, 8)
    if 8 + 8 * count + sum(sizes) != len(code):
        raise ValueError("damaged machine code")
    parts, start = [], 8 + 8 * count
    for size in sizes:
        parts.append(code[start : start + size])
        start += size
    return parts


def _target_machine(target: Processor) -> Any:
    # Position-independent code in the small model: the loader puts it wherever there is room, and calls to memcpy
    # and the like go through its own table. The levels of code generation above 1 give the same code here.
    machine = native_llvm().Target.from_triple(target.triple)
    return machine.create_target_machine(target.name, target.features, opt=2, reloc="pic", codemodel="small")


def _with_module(text: str, target: Processor, emit: Callable[[Any, Any], Result]) -> Result:
    """``emit(target machine, module)`` of the text after what emitters count on: helpers inlined, variables in
    registers, no empty blocks.

    All of LLVM's objects are let go here, in order: the garbage collector might take a context before its module.
    """
    llvm = native_llvm()
    with (
        _target_machine(target) as machine,
        llvm.create_context() as context,
        llvm.parse_assembly(text, context) as module,
        llvm.create_pipeline_tuning_options(speed_level=2) as options,
        llvm.create_pass_builder(machine, options) as builder,
        llvm.create_new_module_pass_manager() as passes,
    ):
        module.verify()
        passes.add_always_inliner_pass()
        passes.add_global_dead_code_eliminate_pass()
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        passes.run(module, builder)
        return emit(machine, module)


def _translate(text: str, target: Processor) -> bytes:
    parts = _split(text, min(_MOST_PARTS, available_threads(), 1 + text.count("\n") // _LINES_PER_PART))
    done: list[bytes | BaseException] = [b""] * len(parts)

    def translate(number: int) -> None:
        try:
            done[number] = _with_module(parts[number], target, _emit)
        except BaseException as error:
            done[number] = error

    with LLVM:
        workers = [threading.Thread(target=translate, args=(number,)) for number in range(1, len(parts))]
        for worker in workers:
            worker.start()
        translate(0)
        for worker in workers:
            worker.join()
    objects = []
    for each in done:
        if isinstance(each, BaseException):
            raise each
        objects.append(each)
    return _pack(objects)


def _split(text: str, count: int) -> list[str]:
    """The module as at most ``count`` modules of about the same length, to be linked together again.

    Functions that are ``internal`` (helpers to be inlined, the barrier) and everything that is not a function are in
    every part; each other function is defined in one part and declared where it is called.
    """
    if count <= 1:
        return [text]
    found = list(_FUNCTION.finditer(text))
    if len(found) != len(_DEFINE.findall(text)) or _SHARED.search(text):  # not in the form that ``ir.Module`` writes
        return [text]
    functions = [each[0] for each in found if not each[0].startswith("define internal ")]
    others = _FUNCTION.sub(lambda each: each[0] if each[0].startswith("define internal ") else "", text)
    parts: list[list[int]] = [[] for _ in range(min(count, len(functions)))]
    sizes = [0] * len(parts)
    for number in sorted(range(len(functions)), key=lambda number: (-len(functions[number]), number)):
        smallest = sizes.index(min(sizes))
        parts[smallest].append(number)
        sizes[smallest] += len(functions[number])
    made = []
    for part in parts:
        bodies = "".join(functions[number] for number in sorted(part))
        named = set(_SYMBOL.findall(bodies)) | set(_SYMBOL.findall(others))
        declared = ""
        for number, function in enumerate(functions):
            head = function[: function.index("\n")].removesuffix("{")
            if number not in part and _SYMBOL.findall(head)[0] in named:
                declared += head.replace("define", "declare", 1) + "\n"
        made.append(others + declared + bodies)
    return made


@lru_cache(maxsize=1)
def _unlocked() -> Any:
    """The functions of llvmlite's library that emit code, without the lock that llvmlite puts around every call.

    Two modules in two contexts share nothing, so they may be translated at the same time.
    """
    library = ctypes.CDLL(native_llvm().ffi.lib._name)
    text = ctypes.POINTER(ctypes.c_char_p)
    for name, result, *arguments in (
        ("LLVMPY_TargetMachineEmitToMemory", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, text),
        ("LLVMPY_GetBufferStart", ctypes.c_void_p, ctypes.c_void_p),
        ("LLVMPY_GetBufferSize", ctypes.c_size_t, ctypes.c_void_p),
        ("LLVMPY_DisposeMemoryBuffer", None, ctypes.c_void_p),
        ("LLVMPY_DisposeString", None, ctypes.c_char_p),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _emit(machine: Any, module: Any) -> bytes:
    library, said = _unlocked(), ctypes.c_char_p()
    machine_pointer = ctypes.cast(machine._ptr, ctypes.c_void_p)
    module_pointer = ctypes.cast(module._ptr, ctypes.c_void_p)
    buffer = library.LLVMPY_TargetMachineEmitToMemory(machine_pointer, module_pointer, 1, ctypes.byref(said))
    if not buffer:
        raise RuntimeError((said.value or b"no machine code").decode(errors="replace"))
    try:
        return ctypes.string_at(library.LLVMPY_GetBufferStart(buffer), library.LLVMPY_GetBufferSize(buffer))
    finally:
        library.LLVMPY_DisposeMemoryBuffer(buffer)
