"""Keras's namespaces: a script that uses only what stands here runs with its import line changed.

    from backlight import keras

    model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")

Everything is defined elsewhere: layers, losses and their kin in ``nn``, optimisers in ``optim``, models, metrics and
callbacks in ``train``, data in ``data``.
"""

from backlight.keras import (
    activations,
    callbacks,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    utils,
)
from backlight.nn.layers import Input
from backlight.train.model import Model, Sequential
from backlight.variable import Variable

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "Variable",
    "activations",
    "callbacks",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "saving",
    "utils",
]
