"""Text becomes machine code that is right, is freed, and is found again on the disk; a bad cache never matters."""

from __future__ import annotations

import ctypes
import gc
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backlight.cli import main
from backlight.compiler import build, cache
from backlight.compiler.build import compile_text, load
from backlight.compiler.ir import Module
from backlight.compiler.processor import available_cores, available_threads, processor

KEY = cache.key("an example")
PAYLOAD = bytes(range(256)) * 3
FACTS = {"name": "step", "entries": ["run"]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BACKLIGHT_CACHE_LIMIT", raising=False)
    monkeypatch.delenv("BACKLIGHT_WIDTH", raising=False)
    return tmp_path / "cache"


# -- The processor


@pytest.mark.parametrize("width", [None, 4, 8, 16, 64])
def test_a_width_narrows_the_vectors_and_never_widens_them(width):
    native, narrow = processor(), processor(width)
    assert narrow.width == (min(native.width, width) if width else native.width)
    assert narrow.lanes(64) * 2 == narrow.lanes(32) == narrow.width
    assert (narrow.key == native.key) == (narrow == native)
    if narrow.width < 16:
        assert "+avx512" not in narrow.features


def test_the_width_can_come_from_outside(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_WIDTH", "4")
    assert processor() == processor(4)
    monkeypatch.setenv("BACKLIGHT_WIDTH", "wide")
    assert processor() == processor(0)


def test_what_the_processor_is_makes_sense():
    found = processor()
    assert found.l1 <= found.l2 <= found.l3
    assert found.l1 >= 4096
    assert found.registers in (16, 32)
    assert 1 <= available_cores() <= available_threads() <= (os.cpu_count() or 1)


# -- Translating


def scaled(module, name, factor):
    """A function x[i] *= factor for i < n, by vectors where there are enough elements."""
    width = processor().width
    b = module.function(name, [("x", "ptr"), ("n", "i64")])
    whole = b["n"] - b["n"] % width
    for step, start, stop in ((width, 0, whole), (1, whole, b["n"])):
        kind = f"<{width} x float>" if step > 1 else "float"
        with b.loop(stop, start, step) as i:
            place = b.at(b["x"], i, "float")
            b.store(b.load(place, kind) * factor, place)
    b.end()


def call(address, x):
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)(x.ctypes.data, len(x))


@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_code_does_what_the_text_says(width, count, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_WIDTH", str(width))
    module = Module()
    scaled(module, "scale", 3.0)
    machine = compile_text(str(module), ("scale",), name="scale")
    x = np.arange(count, dtype=np.float32)
    call(machine["scale"], x)
    assert np.array_equal(x, np.arange(count, dtype=np.float32) * 3)


def many(count):
    """Functions that call one another over the borders of parts, and a helper to be inlined into each."""
    lines = [
        "@table = private constant [2 x double] [double 2.0, double 3.0]",
        "define internal double @twice(double %x) alwaysinline {\n  %y = fadd double %x, %x\n  ret double %y\n}",
        "define double @f0(double %x) {\n  %t = load double, ptr @table\n  ret double %t\n}",
    ]
    for number in range(1, count):
        lines.append(
            f"define double @f{number}(double noundef %x) #0 {{\nentry:\n"
            f"  %y = call double @f{number - 1}(double %x)\n  %z = call double @twice(double %x)\n"
            + "".join(f"  %w{k} = fadd double %{f'w{k - 1}' if k else 'y'}, {float(k)}\n" for k in range(20))
            + "  %s = fadd double %w19, %z\n  ret double %s\n}"
        )
    return "\n".join([*lines, "attributes #0 = { nounwind }"])


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_module_cut_into_parts_is_the_same_program(parts, ending, monkeypatch):
    monkeypatch.setattr(build, "available_threads", lambda: parts)
    monkeypatch.setattr(build, "_MOST_PARTS", 100)
    monkeypatch.setattr(build, "_LINES_PER_PART", 1)
    text = many(12) + ending
    machine = compile_text(text, ("f0", "f11"), cached=False)
    assert len(build._unpack(machine.code)) == min(parts, 12)
    for name, expected in (("f0", 2.0), ("f11", 2.0 + 11 * (sum(range(20)) + 2 * 5.0))):
        assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(machine[name])(5.0) == expected


@pytest.mark.parametrize(
    "first",
    ["define void @f() { ret void }", "@shared = global i64 3\ndefine void @f() {\n  ret void\n}"],
    ids=["one line", "a variable that all see"],
)
def test_text_in_another_layout_is_not_cut(first):
    text = f"{first}\ndefine void @g() {{\n  ret void\n}}\n"
    assert build._split(text, 4) == [text]


def test_functions_of_the_system_are_found():
    text = """
declare double @fmod(double, double)
declare ptr @memset(ptr, i32, i64)
define double @rest(double %x) {
  %memory = alloca [64 x i8]
  %same = call ptr @memset(ptr %memory, i32 0, i64 64)
  %y = call double @fmod(double %x, double 1.5)
  %z = frem double %y, 0.75
  ret double %z
}
"""
    machine = compile_text(text, ("rest",), cached=False)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(machine["rest"])(5.0) == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "no text at all",
        "define void @run() {\n  call void @missing()\n  ret void\n}",
        "define i32 @run(i32 %x) {\n  br i1 true, label %a, label %b\na:\n  %y = add i32 %x, 1\n  br label %b\n"
        "b:\n  ret i32 %y\n}",
        "declare void @nowhere_to_be_found()\ndefine void @run() {\n  call void @nowhere_to_be_found()\n  ret void\n}",
        "define void @other() {\n  ret void\n}",
    ],
    ids=["syntax", "undeclared", "dominance", "unresolved", "no entry"],
)
def test_faulty_text_is_an_error_and_no_crash(text, folder, capfd):
    with pytest.raises(RuntimeError):
        compile_text(text, ("run",))
    assert not cache.entries()
    assert capfd.readouterr() == ("", "")


def test_the_text_and_the_assembly_can_be_read():
    module = Module()
    scaled(module, "scale", 3.0)
    machine = compile_text(str(module), ("scale",))
    assert machine.llvm == str(module)
    assert "scale:" in machine.assembly
    again = load(machine.code, ("scale",), lambda: str(module))
    assert again.assembly == machine.assembly


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_machines_that_nobody_refers_to_are_freed():
    # Half a megabyte of code each: the leak of a few would show.
    text = '@data = internal constant [524288 x i8] c"' + "x" * 524288 + '"\ndefine ptr @run() {\n  ret ptr @data\n}\n'
    code = compile_text(text, ("run",), cached=False).code
    for _ in range(3):
        load(code, ("run",))
    gc.collect()
    before = resident()
    for _ in range(30):
        machine = load(code, ("run",))
        assert ctypes.string_at(ctypes.CFUNCTYPE(ctypes.c_void_p)(machine["run"])(), 4) == b"xxxx"
    del machine
    gc.collect()
    assert resident() - before < 4 << 20


def test_importing_backlight_imports_neither_the_compiler_nor_llvm():
    code = "import sys, backlight; print([m for m in sys.modules if m.startswith(('backlight.compiler', 'llvmlite'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- The cache


def test_what_was_compiled_is_loaded_from_the_disk(monkeypatch):
    module = Module()
    scaled(module, "scale", 3.0)
    first = compile_text(str(module), ("scale",), name="scaling")
    monkeypatch.setattr(build, "_translate", lambda *_: pytest.fail("translated twice"))
    second = compile_text(str(module), ("scale",))
    assert second.code == first.code
    x = np.ones(20, np.float32)
    call(second["scale"], x)
    assert (x == 3).all()
    assert [entry.name for entry in cache.entries()] == ["scaling"]


def test_an_entry_says_for_what_it_was_made():
    keys = [
        cache.key("a"), cache.key("b"), cache.key("a", "b"), cache.key("ab"), cache.key("b", "a"), cache.key("a", ""),
        cache.key("a", processor(4).key), cache.key("a", processor(4)._replace(name="other").key),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert cache.key("a", b"b") == cache.key("a", "b")


@pytest.mark.parametrize("payload", [b"", b"x", PAYLOAD])
def test_what_is_stored_is_found(payload):
    assert cache.load(KEY) is None
    assert cache.store(KEY, payload, FACTS)
    assert cache.load(KEY) == (payload, FACTS)
    assert cache.load(cache.key("another")) is None
    (entry,) = cache.entries()
    assert entry[:2] == (KEY, "step")
    assert entry.size == cache.size() > len(payload)
    assert abs(entry.used - time.time()) < 60
    assert cache.clear() == 1
    assert cache.load(KEY) is None
    assert cache.entries() == []


@pytest.mark.parametrize("key", ["", "../../x", "a" * 63, "A" * 64, KEY + "\n", f"{KEY}/x"])
def test_only_names_that_key_makes_are_names(key):
    assert not cache.store(key, PAYLOAD, FACTS)
    assert cache.load(key) is None


def damaged():
    """Every way to damage an entry: each byte of the head, some of the rest, every length, and other content."""
    cache.store(KEY, PAYLOAD, FACTS)
    whole = (cache.directory() / KEY).read_bytes()
    head = len(whole) - len(PAYLOAD)
    for position in [*range(head), *range(head, len(whole), 97), len(whole) - 1]:
        for flipped in (1, 128):
            yield whole[:position] + bytes([whole[position] ^ flipped]) + whole[position + 1 :]
    for length in [*range(head + 2), len(whole) - 1]:
        yield whole[:length]
    yield whole + b"\0"
    yield whole + whole
    yield os.urandom(len(whole))
    yield b"\0" * len(whole)
    yield b"\xff" * len(whole)
    yield PAYLOAD


def test_a_damaged_entry_is_removed_and_never_returned():
    count = 0
    for content in list(damaged()):
        path = cache.directory() / KEY
        path.write_bytes(content)
        path.chmod(0o600)
        assert cache.load(KEY) is None
        assert not path.exists()
        count += 1
    assert count > 300
    assert cache.store(KEY, PAYLOAD, FACTS)
    assert cache.load(KEY) == (PAYLOAD, FACTS)


def test_an_entry_under_another_name_is_not_believed(folder):
    cache.store(KEY, PAYLOAD, FACTS)
    other = cache.key("another")
    (folder / KEY).rename(folder / other)
    assert cache.load(other) is None


def test_a_damaged_entry_is_compiled_anew(folder):
    module = Module()
    scaled(module, "scale", 3.0)
    code = compile_text(str(module), ("scale",)).code
    (path,) = folder.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:-100] + b"\xcc" * 100)
    machine = compile_text(str(module), ("scale",))
    assert machine.code == code
    assert path.read_bytes() == good
    x = np.ones(20, np.float32)
    call(machine["scale"], x)
    assert (x == 3).all()


def test_an_entry_that_does_not_link_here_is_compiled_anew():
    module = Module()
    scaled(module, "scale", 3.0)
    other = Module()
    scaled(other, "elsewhere", 3.0)
    key = cache.key("text", str(module), processor().key, build.llvm_version())
    cache.store(key, compile_text(str(other), ("elsewhere",), cached=False).code, FACTS)
    machine = compile_text(str(module), ("scale",))
    assert machine["scale"]
    assert cache.load(key).payload == machine.code


def test_the_folder_and_its_entries_are_private(folder):
    old = os.umask(0)
    try:
        cache.store(KEY, PAYLOAD, FACTS)
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600


posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_what_others_may_write_is_not_executed(mode, folder):
    cache.store(KEY, PAYLOAD, FACTS)
    (folder / KEY).chmod(mode)
    assert cache.load(KEY) is None
    (folder / KEY).chmod(0o600)
    assert cache.load(KEY)
    folder.chmod(mode | 0o700)
    assert cache.load(KEY) is None
    assert not cache.store(KEY, PAYLOAD, FACTS)
    assert cache.entries() == []
    assert not cache.usable()
    folder.chmod(0o700)
    assert cache.load(KEY)


@posix
def test_what_belongs_to_someone_else_is_not_executed(monkeypatch):
    cache.store(KEY, PAYLOAD, FACTS)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    assert cache.load(KEY) is None
    assert not cache.store(KEY, PAYLOAD, FACTS)
    monkeypatch.undo()


@posix
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_plain_files_are_read(kind, folder, tmp_path):
    cache.store(KEY, PAYLOAD, FACTS)
    elsewhere = tmp_path / "elsewhere"
    (folder / KEY).rename(elsewhere)
    if kind == "link":
        (folder / KEY).symlink_to(elsewhere)
    elif kind == "folder":
        (folder / KEY).mkdir()
    else:
        os.mkfifo(folder / KEY, 0o600)
    assert cache.load(KEY) is None
    assert elsewhere.exists()


def test_what_was_used_longest_ago_makes_room(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_CACHE_LIMIT", "8K")
    keys = [cache.key(str(number)) for number in range(12)]
    for age, key in enumerate(keys):
        assert cache.store(key, bytes(1500), FACTS)
        for older, each in enumerate(keys[: age + 1]):
            path = cache.directory() / each
            if path.exists() and each != keys[0]:
                os.utime(path, (1e9 + older, 1e9 + older))
        assert cache.load(keys[0]), "what is in use goes last"
        assert cache.size() <= 8192
    kept = {entry.key for entry in cache.entries()}
    assert kept == {keys[0], *keys[-4:]}
    assert not cache.store(cache.key("too large"), bytes(9000), FACTS)
    assert {entry.key for entry in cache.entries()} == kept


def test_the_folder_is_looked_through_once_for_every_few_mebibytes():
    keys = [cache.key(str(k)) for k in range(4000)]
    looks = sum(cache._looks(key, 32 << 10, 256 << 20) for key in keys)
    assert 10 < looks < 80  # of 125 MiB, once for every 4 MiB
    assert all(cache._looks(key, 1 << 10, 64 << 10) for key in keys)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("", 256 << 20), ("4096", 4096), ("64M", 64 << 20), ("1 GiB", 1 << 30), ("8kb", 8192), ("much", 256 << 20),
     ("-1", 256 << 20), ("0", 0)],
)  # fmt: skip
def test_the_limit_is_read(text, bytes_, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_CACHE_LIMIT", text)
    assert cache.limit() == bytes_


def test_what_a_writer_left_behind_is_removed(folder):
    cache.store(KEY, PAYLOAD, FACTS)
    left, fresh = folder / f"{KEY}.1.2.new", folder / f"{KEY}.3.4.new"
    for path in (left, fresh):
        path.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    assert [entry.key for entry in cache.entries()] == [KEY]
    assert not left.exists()
    assert fresh.exists()


def unwritable(folder, tmp_path, monkeypatch):
    """A folder below a file: not even the administrator can make that."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "file" / "cache"))


def full(folder, tmp_path, monkeypatch):
    """The disk is full when the entry is to be written."""

    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)


def off(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_CACHE", "OFF")


def homeless(folder, tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("BACKLIGHT_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", no_home)


@pytest.mark.parametrize("trouble", [unwritable, full, off, homeless])
def test_without_a_cache_everything_works(trouble, folder, tmp_path, monkeypatch):
    trouble(folder, tmp_path, monkeypatch)
    module = Module()
    scaled(module, "scale", 3.0)
    for _ in range(2):
        x = np.ones(20, np.float32)
        machine = compile_text(str(module), ("scale",))
        call(machine["scale"], x)
        assert (x == 3).all()
    assert not cache.store(KEY, PAYLOAD, FACTS)
    assert cache.load(KEY) is None
    assert (cache.entries(), cache.size(), cache.clear()) == ([], 0, 0)
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    ("platform", "settings", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/backlight"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/h/.cache/backlight"),
        ("linux", {}, "/h/.cache/backlight"),
        ("darwin", {}, "/h/Library/Caches/backlight"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/backlight/cache"),
        ("linux", {"BACKLIGHT_CACHE": "/mine"}, "/mine"),
        ("linux", {"BACKLIGHT_CACHE": "~/mine"}, "/h/mine"),
    ],
)
def test_the_folder_is_where_the_platform_keeps_such_things(platform, settings, expected, monkeypatch):
    for name in ("BACKLIGHT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/h", **settings}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache.directory() == Path(expected)


WRITER = """
import random, sys
from backlight.compiler import cache
random.seed(int(sys.argv[1]))
keys = [cache.key(str(number)) for number in range(6)]
found = 0
for _ in range(150):
    number = random.randrange(6)
    if random.random() < 0.5:
        cache.store(keys[number], bytes([number]) * (500 + 300 * number), {"number": number})
    else:
        entry = cache.load(keys[number])
        if entry:
            assert entry == (bytes([number]) * (500 + 300 * number), {"number": number}), number
            found += 1
    if random.random() < 0.02:
        cache.clear()
assert found
"""


def test_processes_share_the_cache(folder):
    environment = os.environ | {"BACKLIGHT_CACHE_LIMIT": "4K"}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(seed)], env=environment, stderr=subprocess.PIPE, text=True)
        for seed in range(4)
    ]
    for writer in writers:
        assert not writer.communicate()[1]
        assert writer.returncode == 0
    assert not [path for path in folder.iterdir() if path.suffix == ".new"]


# -- The command


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_shows_and_clears(lang, capsys, monkeypatch, folder):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    cache.store(KEY, bytes(5000), {"name": "epoch[bold]\x1b[31m of a network"})
    os.utime(folder / KEY, (time.time() - 7300,) * 2)
    assert main(["cache"]) == 0
    said = capsys.readouterr().out
    assert "epoch[bold][31m of a network" in said
    assert "5.0 KiB" in said
    assert "256.0 MiB" in said
    assert ("2 小时前" if lang == "zh" else "2 h ago") in said
    assert str(folder) in said
    assert main(["cache", "clear"]) == 0
    assert ("删除 1 个" if lang == "zh" else "Removed 1 ") in capsys.readouterr().out
    assert not list(folder.iterdir())
    assert main(["cache"]) == 0
    assert main(["cache", "clear"]) == 0
    monkeypatch.setenv("BACKLIGHT_CACHE", "off")
    capsys.readouterr()
    assert main(["cache"]) == 0
    assert ("关闭" if lang == "zh" else "off") in capsys.readouterr().out


@posix
def test_the_command_says_why_a_folder_is_not_used(capsys, folder):
    cache.store(KEY, PAYLOAD, FACTS)
    folder.chmod(0o777)
    assert main(["cache"]) == 0
    assert "others may write" in " ".join(capsys.readouterr().out.split())


def test_the_command_says_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["cache", "claer"])
    assert "clear" in capsys.readouterr().err
