"""Processes: a child forked while other threads are busy goes on by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import backlight

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
        assert path.name == "locks.py" or not found, path
