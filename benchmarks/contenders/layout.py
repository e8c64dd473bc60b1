"""Convolutional parameters in the layout of frameworks that keep an image's channels last."""

from __future__ import annotations

from benchmarks.workloads import Convolutional, Parameters, Workload

__all__ = ["channels_first", "channels_last"]


def channels_last(workload: Workload, p: Parameters) -> Parameters:
    """Filters (K, K, C, O), and the first dense layer's rows in the order of a flattened (H, W, C)."""
    if not isinstance(workload.model, Convolutional):
        return p
    channels, side = workload.model.filters[-1][0], workload.model.planes()[-1][2]
    p = {name: value.transpose(2, 3, 1, 0) if value.ndim == 4 else value for name, value in p.items()}
    rows = p["w0"].reshape(channels, side, side, -1).transpose(1, 2, 0, 3)
    return p | {"w0": rows.reshape(p["w0"].shape)}


def channels_first(workload: Workload, p: Parameters) -> Parameters:
    """The way back."""
    if not isinstance(workload.model, Convolutional):
        return p
    channels, side = workload.model.filters[-1][0], workload.model.planes()[-1][2]
    p = {name: value.transpose(3, 2, 0, 1) if value.ndim == 4 else value for name, value in p.items()}
    rows = p["w0"].reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
    return p | {"w0": rows.reshape(p["w0"].shape)}
