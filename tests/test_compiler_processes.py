"""Processes: a forked child goes on by itself whatever other threads were doing, and Ctrl-C ends what takes long."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import backlight
from tests.compiled import WAYS

ROOT = Path(__file__).parent.parent


def run(code: str, cache: Path, *arguments: str) -> str:
    """What a script prints that ends well and says nothing else."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "BACKLIGHT_CACHE": str(cache / "cache")}
    made = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", code, *arguments],
        capture_output=True, text=True, timeout=120, env=environment,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert not made.stderr
    return made.stdout


# -- Forks ---------------------------------------------------------------------------------------------------------

# Where another thread stands still when the process forks: what it does, and the function in which it stops.
STAGES = {
    "running": ("old(x)", "native", "launch"),
    "tracing": ("old(np.ones(4))", "run", "trace_call"),
    "planning": ("old(np.ones(4))", "native", "hoisted"),
    "measuring tiles": ("tuning.measured_steps(4)", "tuning", "_steps"),
    "measuring the machine": ("roofline.peak(1)", "roofline", "_peaks"),
    "remembering a gradient": ("gradient(x)", "memo", "_memory"),
}
FORKED = """
import os, signal, sys, threading
import numpy as np
import backlight
from backlight import memo
from backlight.compiler import native, roofline, run, tuning

doing, module, name = sys.argv[1:]
old, gradient = backlight.compile(lambda x: np.tanh(x) * 2), backlight.grad(lambda x: np.sum(x * x))
x = np.arange(3.0)
old(x), [gradient(x) for _ in range(3)]

there, stuck = threading.Event(), threading.Thread(target=lambda: eval(doing), daemon=True)
module = globals()[module]
real = getattr(module, name)

class Stopping(type(real) if isinstance(real, dict) else object):
    def __call__(self, *args, **kwargs):
        self.stop()
        return real(*args, **kwargs)
    def __contains__(self, key):
        self.stop()
        return super().__contains__(key)
    def stop(self):
        if threading.current_thread() is stuck:
            there.set()
            threading.Event().wait()

setattr(module, name, Stopping(real) if isinstance(real, dict) else Stopping())
stuck.start()
assert there.wait(30)
child = os.fork()
if not child:
    signal.alarm(20)
    eval(doing)
    assert np.allclose(old(x), np.tanh(x) * 2) and np.allclose(gradient(x), 2 * x)
    new = backlight.compile(lambda x: np.exp(x @ x), strict=True)
    assert np.allclose(new(np.ones((40, 40))), np.exp(40))
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("stage", STAGES)
def test_a_child_goes_on_where_another_thread_stood_still(stage: str, tmp_path: Path) -> None:
    assert run(FORKED, tmp_path, *STAGES[stage]) == "0\n"


BUSY = """
import os, signal, threading
import numpy as np
import backlight

functions = [backlight.compile(lambda x, k=k: np.tanh(x @ x) + k) for k in range(2)]
x, stopped = np.full((60, 60), 0.01), False
expected = np.tanh(x @ x)

def work(k):
    while not stopped:
        functions[k](x)
        backlight.compile(lambda x: x * np.sin(x))(x[0])

threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
for each in threads:
    each.start()
ends = []
for _ in range(10):
    child = os.fork()
    if not child:
        signal.alarm(20)
        assert all(np.allclose(f(x), expected + k) for k, f in enumerate(functions))
        assert np.allclose(backlight.compile(lambda x: np.cos(x) * x)(x), np.cos(x) * x)
        os._exit(0)
    ends.append(os.waitpid(child, 0)[1])
stopped = True
print(ends)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_of_a_process_whose_threads_compile_and_compute(tmp_path: Path) -> None:
    assert run(BUSY, tmp_path) == f"{[0] * 10}\n"


FORKING = """
import os
import numpy as np
import backlight

child = None

def function(x):
    global child
    if child is None:
        child = os.fork()
    return x + 1

compiled = backlight.compile(function)
assert (compiled(np.ones(2)) == 2).all() and (compiled(np.zeros(2)) == 1).all()
if not child:
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_function_may_fork_while_it_is_traced(tmp_path: Path) -> None:
    assert run(FORKING, tmp_path) == "7\n"


def test_every_lock_is_one_that_survives_a_fork() -> None:
    for path in Path(backlight.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace("held_by_forks(threading.RLock())", "")
        found = re.search(r"\b(R?Lock|Condition|Semaphore)\(|@cached_property", text)
        # What reads ahead has a thread of its own, which is not in the child either.
        assert path.name in ("locks.py", "ahead.py") or not found, path


# -- Ctrl-C --------------------------------------------------------------------------------------------------------

# A call that was quick says nothing about the next one.
INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
import backlight
from backlight.compiler.epoch import Epoch
from tests.compiled import way

W = np.full((64, 64), 1 / 64)

def add(c):
    return c[0] + 1, np.sin(c[1]) + 1

def mix(c):
    return c[0] + 1, np.tanh(c[1] @ W)

def to(n):
    return lambda x: backlight.while_loop(lambda c: c[0] < n, add, (0 * n, x))[1]

def seconds(call, *args):
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    start = time.perf_counter()
    try:
        call(*args)
    except KeyboardInterrupt:
        return time.perf_counter() - start

signal.signal(signal.SIGALRM, signal.default_int_handler)
with way(sys.argv[1]):
    {body}
"""
BODIES = {
    "while_loop": """
    f = backlight.compile(lambda n: backlight.while_loop(lambda c: c[0] < n, add, (0 * n, 0.0)), strict=True)
    f(np.int64(3)), f(np.int64(3))
    print(seconds(f, np.int64(10**13)) < 1.3, int(f(np.int64(5))[0]))
""",
    "a while_loop of matrices": """
    f = backlight.compile(lambda n: backlight.while_loop(lambda c: c[0] < n, mix, (0 * n, W)), strict=True, threads=2)
    f(np.int64(3)), f(np.int64(3))
    print(seconds(f, np.int64(10**13)) < 1.3, int(f(np.int64(5))[0]))
""",
    "a scan": """
    f = backlight.compile(
        lambda n, x: backlight.scan(lambda c, t: (to(n)(c), c), x, np.arange(500))[0], strict=True
    )
    f(np.int64(2), 0.5), f(np.int64(2), 0.5)
    print(seconds(f, np.int64(300_000), 0.5) < 1.3, 5)
""",
    "an epoch": """
    epoch, state, rows = Epoch(lambda s, i, n: (to(n)(s + i), s)), np.array(0.5), np.arange(500.0)
    epoch(state, rows, np.int64(2)), epoch(state, rows, np.int64(2))
    start = state.copy()
    print(seconds(epoch, state, rows, np.int64(300_000)) < 1.3, end=" ")
    steps, metrics = epoch.finished, epoch.metrics
    assert 0 < steps < 500 and metrics.shape == (steps,) and metrics[0] == start
    epoch(start.copy(), rows[:steps], np.int64(2))
    epoch(start, rows[:steps], np.int64(300_000))
    print(5 if start == state else (start, state))
""",
    "an epoch with a bad index": """
    def step(s, i, n, x):
        return to(n)(s + x[i]), s
    epoch, state, rows, x = Epoch(step), np.array(0.5), np.arange(500), np.ones(500)
    epoch(state, rows, np.int64(2), x), epoch(state, rows, np.int64(2), x)
    start = state.copy()
    rows[0] = 500
    try:
        print(seconds(epoch, state, rows, np.int64(300_000), x), end=" ")
    except IndexError:
        print(True, 5 if state == start else (start, state))
""",
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals of POSIX")
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("loop", BODIES)
def test_ctrl_c_ends_a_run_that_takes_much_longer_than_the_last_one(loop: str, ways: str, tmp_path: Path) -> None:
    assert run(INTERRUPTED.replace("    {body}\n", BODIES[loop]), tmp_path, ways) == "True 5\n"
