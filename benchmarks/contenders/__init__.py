"""Who takes part: Backlight and its peers, each with a number of threads, in a process of its own.

A contender's class takes a workload and its data. ``reset`` goes back to the initial parameters; ``prepared`` makes of
some rows of ``Data.batches`` what ``run`` takes; ``run`` trains on them and may return before the work is done;
``losses`` waits for it and gives the losses of the steps (or only their mean); ``parameters`` are those after them, in
the layout of ``workloads.py``. With ``whole_epochs``, all rows go into one native call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.workloads import GPT, LSTM, MLP, Convolutional, Workload

__all__ = ["BACKLIGHT", "Contender", "contenders", "load"]

ALL = (MLP, Convolutional, LSTM, GPT)
BACKLIGHT = "Backlight"


class Contender(NamedTuple):
    """Where its class is, what has to be installed, and what its process's environment says."""

    name: str
    module: str
    kind: str
    package: str
    threads: int  #: 0 is as many as it takes by itself
    models: tuple[type, ...] = ALL

    @property
    def is_peer(self) -> bool:
        return self.package != "backlight"

    def fits(self, workload: Workload) -> bool:
        return isinstance(workload.model, self.models)

    def environment(self) -> dict[str, str]:
        """What tells the number of threads to everything that may read it."""
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax"}
        quiet |= {"TORCHINDUCTOR_COMPILE_THREADS": "1"}  # compilers of several workloads run side by side already
        if not self.threads:
            return quiet
        names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"]
        names += ["BACKLIGHT_THREADS", "NPROC", "PJRT_NPROC"]
        return quiet | {name: str(self.threads) for name in names}


def contenders(cores: int) -> list[Contender]:
    """Everyone, with 1 thread and with one for each core."""
    found = [Contender(BACKLIGHT, "backlight_peer", "Backlight", "backlight", 0)]
    several: list[tuple[str, str, str, str, tuple[type, ...]]] = [
        (BACKLIGHT, "backlight_peer", "Backlight", "backlight", ALL),
        ("PyTorch", "torch_peer", "Eager", "torch", ALL),
        ("PyTorch compile", "torch_peer", "compiled", "torch", ALL),
        ("JAX jit", "jax_peer", "JitStep", "jax", ALL),
        ("JAX scan", "jax_peer", "EpochScan", "jax", ALL),
        ("NumPy", "numpy_peer", "NumPy", "numpy", ALL),
        ("autograd", "autograd_peer", "Autograd", "autograd", (MLP, LSTM, GPT)),
    ]
    for name, module, kind, package, models in several:
        for threads in sorted({1, cores}):
            if package != "backlight" or threads < cores:
                found.append(Contender(label(name, threads), module, kind, package, threads, models))
    return [*found, Contender("Keras", "keras_peer", "Keras", "keras", 0, (MLP, Convolutional, LSTM))]


def label(name: str, threads: int) -> str:
    """What a contender with so many threads is called."""
    return f"{name}, {threads} thread{'s' * (threads > 1)}"


def load(contender: Contender) -> Any:
    """Its class. ``ImportError`` where it is not installed."""
    from importlib import import_module

    return getattr(import_module(f"benchmarks.contenders.{contender.module}"), contender.kind)
