"""Who trains: each class takes a job, and ``epochs(n)`` trains so many more, with progress on."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from benchmarks.fit.jobs import Job
from benchmarks.workloads import GPT, LSTM, MLP, Convolutional

__all__ = ["FITTERS", "Fitter", "load"]

ALL = (MLP, Convolutional, LSTM, GPT)


class Fitter(NamedTuple):
    """Where its class is, and what its process's environment says."""

    name: str
    module: str
    kind: str
    backend: str = ""  #: of Keras
    models: tuple[type, ...] = ALL
    threads: int = 0  #: 0 is as many as it takes by itself

    @property
    def is_peer(self) -> bool:
        return self.kind != "Backlight"

    def fits(self, job: Job) -> bool:
        return isinstance(job.workload.model, self.models)

    def environment(self) -> dict[str, str]:
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
        quiet |= {"KERAS_BACKEND": self.backend} if self.backend else {}
        return quiet | ({"OMP_NUM_THREADS": str(self.threads)} if self.threads else {})


FITTERS = (
    Fitter("Backlight", "keras_style", "Backlight"),
    Fitter("Keras, JAX", "keras_style", "Keras", "jax"),
    Fitter("Keras, PyTorch", "keras_style", "Keras", "torch"),
    Fitter("PyTorch loop", "torch_loop", "Loop"),
    Fitter("PyTorch loop, 1 thread", "torch_loop", "Loop", threads=1),
    Fitter("scikit-learn", "sklearn_fit", "Classifier", models=(MLP,)),
)


def load(fitter: Fitter) -> Any:
    """Its class. ``ImportError`` where it is not installed."""
    return getattr(import_module(f"benchmarks.fit.{fitter.module}"), fitter.kind)
