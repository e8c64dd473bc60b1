"""Training that a kill interrupts goes on from its file exactly: bit for bit, within an epoch, on any threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, os, signal, sys
import numpy as np
from backlight import keras, load
from backlight.data import Batches
from backlight.nn import naming

path, source, kind, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
x = np.random.default_rng(0).normal(size=(150, 6)).astype(np.float32)
y = (x[:, :1] > 0).astype(np.float32)
layers = keras.layers


class Own(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data) | {"norm": np.sum(self.trainable_variables[0] ** 2)}


class Kill(keras.callbacks.Callback):
    left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.model.save(path)
            os.kill(os.getpid(), signal.SIGKILL)


if os.path.exists(path):
    model = load(path, {"Own": Own})
else:
    naming.set_random_seed(3)
    model = (Own if kind == "own" else keras.Sequential)([
        layers.Dense(8, activation="relu", input_shape=(6,)), layers.BatchNormalization(), layers.Dropout(0.3),
        layers.Dense(1, activation="sigmoid"),
    ])
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 20), use_ema=kind == "ema")
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"], jit_compile=kind != "python")
data = {"x": x, "y": y, "batch_size": 32}
if source == "batches":
    data = {"x": Batches((x, y), 32, shuffle=True, key=1, prefetch=2)}
history = model.fit(**data, validation_data=(x, y), epochs=5, verbose=0, resume=True, callbacks=[Kill()])
everything = [*model.get_weights(), *map(np.asarray, model.optimizer.variables)]
print(hashlib.sha256(b"".join(w.tobytes() for w in everything)).hexdigest(), history.epoch, history.history)
"""


def ended(path: Path, source: str, kind: str, steps: int, threads: str = "2") -> str:
    """What the program prints; nothing where it was killed after so many steps."""
    environment = os.environ | {"BACKLIGHT_THREADS": threads, "BACKLIGHT_LANG": "en"}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(path), source, kind, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == (-signal.SIGKILL if steps else 0), done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(("source", "kind"), [("arrays", "ema"), ("batches", "own"), ("arrays", "python")])
def test_after_kills_training_ends_as_if_there_had_been_none(source: str, kind: str, tmp_path: Path) -> None:
    expected = ended(tmp_path / "whole", source, kind, 0)
    path = tmp_path / "killed"
    ended(path, source, kind, 7)  # in the second of five epochs with five steps each
    ended(path, source, kind, 8, threads="1")  # with the last step of an epoch
    ended(path, source, kind, 1, threads="3")
    assert ended(path, source, kind, 0, threads="1") == expected
