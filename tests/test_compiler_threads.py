"""Threads meet where they must, jobs are done exactly once, and nothing is left hanging: forks, Ctrl-C, the end."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from backlight import value_and_grad
from backlight.compiler import processor, sync, threads
from backlight.compiler.build import compile_text
from backlight.compiler.native import Native
from backlight.compiler.processor import available_cores, available_threads
from backlight.compiler.recording import trace_call
from backlight.compiler.sync import asked_text, barrier_text, pool_text
from backlight.compiler.threads import MOST_THREADS, default_threads, launch, set_threads
from backlight.errors import ArgumentError

HEAD = "(ptr %arguments, i64 %thread, i64 %threads, ptr %sync, ptr %scratch)"

PROGRAMS = f"""
{barrier_text()}
{asked_text()}
; arguments: steps, then the table[step][thread]. In every step each thread writes 1 + the sum of what all threads wrote
; in the step before, which is right only if all of them have written by then.
define void @phases{HEAD} {{
entry:
  %steps = load i64, ptr %arguments
  %table = getelementptr i64, ptr %arguments, i64 1
  br label %step
step:
  %i = phi i64 [ 1, %entry ], [ %next, %finish ]
  %previous = sub i64 %i, 1
  %row = mul i64 %previous, %threads
  br label %sum
sum:
  %j = phi i64 [ 0, %step ], [ %following, %sum ]
  %total = phi i64 [ 1, %step ], [ %added, %sum ]
  %at = add i64 %row, %j
  %place = getelementptr i64, ptr %table, i64 %at
  %value = load i64, ptr %place
  %added = add i64 %total, %value
  %following = add i64 %j, 1
  %rest = icmp ult i64 %following, %threads
  br i1 %rest, label %sum, label %finish
finish:
  %base = mul i64 %i, %threads
  %own = add i64 %base, %thread
  %target = getelementptr i64, ptr %table, i64 %own
  store i64 %added, ptr %target
  call void @barrier(ptr %sync, i64 %thread, i64 %threads)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %steps
  br i1 %more, label %step, label %done
done:
  ret void
}}

; Says which threads ran how often: counts[thread] += 1, counts[MOST + thread] = threads, and where its scratch is.
define void @census{HEAD} {{
  %place = getelementptr i64, ptr %arguments, i64 %thread
  %count = atomicrmw add ptr %place, i64 1 seq_cst
  %second = getelementptr i64, ptr %place, i64 {MOST_THREADS}
  store i64 %threads, ptr %second
  %third = getelementptr i64, ptr %place, i64 {2 * MOST_THREADS}
  %address = ptrtoint ptr %scratch to i64
  store i64 %address, ptr %third
  ret void
}}

; Counts until it shall end. Thread 0 asks and tells the others, in one of two places by turns.
define void @endless{HEAD} {{
entry:
  %told = getelementptr i64, ptr %arguments, i64 1
  %first = icmp eq i64 %thread, 0
  br label %again
again:
  %step = phi i64 [ 0, %entry ], [ %next, %meet ]
  %count = atomicrmw add ptr %arguments, i64 1 monotonic
  %turn = and i64 %step, 1
  %place = getelementptr i64, ptr %told, i64 %turn
  br i1 %first, label %decide, label %meet
decide:
  %stop = call i64 @asked(ptr %sync)
  store i64 %stop, ptr %place
  br label %meet
meet:
  call void @barrier(ptr %sync, i64 %thread, i64 %threads)
  %next = add i64 %step, 1
  %decided = load i64, ptr %place
  %go = icmp eq i64 %decided, 0
  br i1 %go, label %again, label %done
done:
  ret void
}}

; 1e-310 / 2, which is 0 where somebody has switched the smallest numbers off.
define void @tiny{HEAD} {{
  %x = load volatile double, ptr %arguments
  %y = fmul double %x, 0.5
  %place = getelementptr double, ptr %arguments, i64 %thread
  %target = getelementptr double, ptr %place, i64 1
  store volatile double %y, ptr %target
  ret void
}}
"""
NAMES = ("phases", "census", "endless", "tiny")


@pytest.fixture(scope="module")
def machine():
    return compile_text(PROGRAMS, NAMES, cached=False)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    monkeypatch.delenv("BACKLIGHT_THREADS", raising=False)
    yield
    set_threads(None)


def phases(machine, count, steps):
    """The table that ``phases`` fills with that many threads."""
    table = np.zeros(1 + steps * count, np.int64)
    table[0] = steps
    launch(machine["phases"], table.ctypes.data, count)
    return table[1:].reshape(steps, count)


def expected_phases(count, steps):
    """Row by row: every thread writes 1 + the sum of the row before."""
    table = np.zeros((steps, count), np.int64)
    for step in range(1, steps):
        table[step] = 1 + table[step - 1].sum()
    return table


def census(machine, count):
    counts = np.zeros((3, MOST_THREADS), np.int64)
    launch(machine["census"], counts.ctypes.data, count, 1000)
    return counts


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_thread_sees_what_all_wrote_before_the_barrier(machine, count):
    for steps in (2, 20, 60):  # the sums grow like count ** steps, and wrap around alike in both
        found = phases(machine, count, steps)
        assert np.array_equal(found, expected_phases(count, steps))


def test_every_thread_runs_once_with_a_work_area_of_its_own(machine):
    for count in (1, 2, 5, 3, 1, 8, 2):
        ran, told, scratch = census(machine, count)
        assert ran.tolist() == [1] * count + [0] * (MOST_THREADS - count)
        assert set(told[:count]) == {count}
        places = np.sort(scratch[:count])
        assert (places % 64 == 0).all()
        assert (np.diff(places) >= 1000).all()


def test_the_number_of_threads_is_bounded(machine, monkeypatch):
    assert census(machine, 0)[0].sum() == 1
    monkeypatch.setattr(threads, "MOST_THREADS", 5)
    assert census(machine, 1000)[0].sum() == 5


def test_many_calls_use_the_same_workers(machine):
    census(machine, 3)
    before = threading.active_count()
    for _ in range(2000):
        census(machine, 3)
    assert threading.active_count() == before


def test_workers_that_have_gone_to_sleep_wake_up(machine):
    for _ in range(30):
        time.sleep(0.002)
        assert census(machine, 4)[0].sum() == 4


def test_several_threads_of_python_call_at_once(machine):
    wrong = []

    def work(number):
        for count in (1, 2, 3, 4) * 25:
            if not np.array_equal(phases(machine, count, 12), expected_phases(count, 12)):
                wrong.append((number, count))

    callers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_without_more_threads_it_runs_on_the_calling_one(machine, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    threads.shutdown()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    ran, told, _ = census(machine, 4)
    assert ran.sum() == ran[0] == told[0] == 1


def test_control_c_while_workers_begin_leaves_none_that_nobody_knows(machine, monkeypatch):
    """Two that look into one mailbox would do a job twice."""
    start = threading.Thread.start

    def interrupted(self):
        start(self)
        raise KeyboardInterrupt

    threads.shutdown()
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        census(machine, 4)
    monkeypatch.undo()
    assert census(machine, 4)[0].tolist()[:5] == [1, 1, 1, 1, 0]
    for _ in range(1000):
        count = sum(thread.name == "backlight" for thread in threading.enumerate())
        if count == 3:
            break
        time.sleep(0.01)
    assert count == 3


def test_the_status_word_comes_back_and_starts_at_nothing(machine):
    text = f"""define void @report{HEAD} {{
  %word = load i64, ptr %arguments
  %status = getelementptr i8, ptr %sync, i64 {sync.STATUS}
  %before = load i64, ptr %status
  %after = add i64 %before, %word
  store i64 %after, ptr %status
  ret void
}}
"""
    own = compile_text(text, ("report",), cached=False)
    for word in (5, 0, -3):
        value = ctypes.c_int64(word)
        assert launch(own["report"], ctypes.byref(value), 1) == word


def test_the_smallest_numbers_count_whatever_mode_the_caller_is_in(machine):
    flush = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define i32 @swap(i32 %mode) {
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %old = load i32, ptr %place
  store i32 %mode, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret i32 %old
}
"""
    if sync._architecture() != "x86_64":
        pytest.skip("written for x86")
    own = compile_text(flush, ("swap",), cached=False)
    swap = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)(own["swap"])
    table = np.zeros(5)
    table[0] = 1e-310
    threads.shutdown()  # new workers inherit the mode of the thread that starts them
    before = swap(0x1F80 | 0x8040)  # flush to zero, denormals are zero
    try:
        launch(machine["tiny"], table.ctypes.data, 4)
    finally:
        after = swap(before)
    assert after & 0xFFC0 == (0x1F80 | 0x8040) & 0xFFC0
    assert (table[1:] == 0.5e-310).all()


# -- How many threads


def test_the_number_of_threads_can_be_chosen(monkeypatch):
    assert default_threads() == available_cores()
    monkeypatch.setenv("BACKLIGHT_THREADS", "3")
    assert default_threads() == 3
    for text in ("", "0", "many", "-1"):
        monkeypatch.setenv("BACKLIGHT_THREADS", text)
        assert default_threads() == available_cores()
    monkeypatch.setenv("BACKLIGHT_THREADS", "3")
    set_threads(2)
    assert default_threads() == 2
    set_threads(None)
    assert default_threads() == 3


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("came", [0, -1, 2.0, "2", True, MOST_THREADS + 1])
def test_a_number_of_threads_that_makes_no_sense_is_refused(came, lang, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    with pytest.raises(ArgumentError, match="线程数" if lang == "zh" else "number of threads"):
        set_threads(came)


def test_cores_quota_and_affinity_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_SYSTEM", tmp_path)
    monkeypatch.setattr(processor, "_allowed", lambda: {0, 1, 2, 3, 4, 5})
    assert (available_cores(), available_threads()) == (6, 6)
    for number in range(6):
        folder = tmp_path / f"devices/system/cpu/cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number // 2 * 2}-{number // 2 * 2 + 1}\n")
    assert (available_cores(), available_threads()) == (3, 6)
    quota = tmp_path / "fs/cgroup/cpu.max"
    quota.parent.mkdir(parents=True)
    for text, cores, all_threads in (
        ("max 100000\n", 3, 6),
        ("150000 100000\n", 2, 2),
        ("10000 100000\n", 1, 1),
        ("damaged", 3, 6),
    ):
        quota.write_text(text)
        assert (available_cores(), available_threads()) == (cores, all_threads)


# -- Other systems


@pytest.mark.parametrize("system", ["linux", "darwin", "win32", "freebsd14"])
@pytest.mark.parametrize(
    ("architecture", "triple"), [("x86_64", ""), ("AMD64", ""), ("arm64", "aarch64"), ("riscv64", "")]
)
def test_the_text_for_other_systems_is_sound(system, architecture, triple, monkeypatch):
    import llvmlite.binding as llvm

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sync, "machine", lambda: architecture)
    text = pool_text()
    with llvm.create_context() as context, llvm.parse_assembly(text, context) as module:
        module.verify()
        assert ("futex" in text or "@syscall" in text) == (system == "linux" and architecture != "riscv64")


# -- Processes


def python(code, **options):
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}, **options,
    )  # fmt: skip


COMMON = "import os, signal, sys, threading, time\nfrom test_compiler_threads import *\n"
COMMON += "machine = compile_text(PROGRAMS, NAMES, cached=False)\n"


def finish(process):
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert not errors
    return out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_workers_of_its_own():
    code = (
        COMMON
        + """
import warnings
warnings.simplefilter("ignore")
assert census(machine, 4)[0].sum() == 4
for _ in range(5):
    child = os.fork()
    assert census(machine, 4)[0].sum() == 4
    assert np.array_equal(phases(machine, 3, 10), expected_phases(3, 10))
    if not child:
        own = compile_text(PROGRAMS, NAMES, cached=False)
        assert census(own, 4)[0].sum() == 4
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("done")
"""
    )
    assert finish(python(code)) == "done\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("count", [1, 3])
def test_control_c_stops_a_long_job_between_its_steps(count):
    code = (
        COMMON
        + f"""
value = (ctypes.c_int64 * 3)()
print("ready", flush=True)
try:
    launch(machine["endless"], ctypes.byref(value), {count})
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopped = value[0]
    assert stopped > 0 and stopped % {count} == 0
    time.sleep(0.05)
    assert value[0] == stopped
    assert census(machine, 4)[0].sum() == 4
    print("interrupted")
"""
    )
    process = python(code)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert finish(process) == "interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("count", [1, 3])
def test_handlers_are_called_during_a_job_and_what_they_raise_ends_it(machine, count):
    value, calls = (ctypes.c_int64 * 3)(), []

    def handle(number, frame):
        calls.append(value[0])
        assert np.array_equal(phases(machine, count, 10), expected_phases(count, 10))  # another job meanwhile
        if len(calls) == 2:
            raise TimeoutError("enough")

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.3)
    try:
        with pytest.raises(TimeoutError, match="enough") as caught:
            launch(machine["endless"], ctypes.byref(value), count)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught.traceback[-1].name == "handle"
    assert 0 < calls[0] < calls[1] <= value[0]
    assert census(machine, count)[0].sum() == count


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "os._exit(0)", "threads.shutdown()"])
def test_the_process_ends_at_once_with_workers_awake_or_asleep(ending):
    for pause in (0, 0.01):
        code = COMMON + f"census(machine, 4)\ncensus(machine, 2)\ntime.sleep({pause})\n{ending}\n"
        assert finish(python(code)) == ""


def test_the_process_ends_while_a_job_runs():
    code = (
        COMMON
        + """
value = (ctypes.c_int64 * 3)()
job = lambda: launch(machine["endless"], ctypes.byref(value), 2)
threading.Thread(target=job, daemon=True).start()
while not value[0]:
    time.sleep(0.001)
"""
    )
    assert finish(python(code)) == ""


def test_workers_end_when_they_are_told_to(machine):
    census(machine, 4)
    before = {thread for thread in threading.enumerate() if thread.name == "backlight"}
    assert before
    threads.shutdown()
    assert not {thread for thread in threading.enumerate() if thread.name == "backlight"} & before
    assert census(machine, 4)[0].sum() == 4


# Networks whose steps were measured on one thread and on two, in turn: which was faster in both rounds (see LOG.md).
FASTER = [
    ((16, 32, 8), 16, 1),
    ((32, 64, 10), 32, 1),
    ((28, 28), 64, 1),
    ((48, 48, 10), 32, 1),
    ((96, 64, 10), 64, 2),
    ((100, 64, 64, 1), 32, 2),
    ((64, 64, 10), 128, 2),
]


@pytest.mark.parametrize(("sizes", "batch", "faster"), FASTER, ids=str)
def test_a_second_thread_is_taken_where_it_was_measured_to_help(sizes, batch, faster):
    weights = [np.ones((m, n), np.float32) for m, n in itertools.pairwise(sizes)]

    def loss(weights, x):
        for w in weights[:-1]:
            x = np.maximum(x @ w, 0)
        return np.mean((x @ weights[-1]) ** 2)

    def step(weights, x):
        value, gradients = value_and_grad(loss)(weights, x)
        return [w - np.float32(0.1) * g for w, g in zip(weights, gradients, strict=True)], value

    native = Native(trace_call(step, (weights, np.ones((batch, sizes[0]), np.float32)), {}).graph)
    assert native.built.best[:2] == [1, faster]
