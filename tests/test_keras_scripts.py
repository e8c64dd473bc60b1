"""Scripts that were written for Keras run with their import line changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backlight

SCRIPT = """
import numpy as np
from backlight import keras
from backlight.keras import layers
from backlight.keras.layers import Dense

keras.utils.set_random_seed(1)
x = np.random.rand(120, 8, 8, 1)
y = keras.utils.to_categorical(np.random.randint(3, size=120), 3)
inputs = keras.Input(shape=(8, 8, 1))
h = layers.Conv2D(4, 3, activation="relu")(inputs)
h = layers.MaxPooling2D()(h)
h = layers.Flatten()(h)
h = layers.Dropout(0.2)(h)
outputs = Dense(3, activation="softmax", kernel_regularizer=keras.regularizers.L2(1e-4))(h)
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), momentum=0.9),
    loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(2, name="top2")],
)
history = model.fit(
    x, y, batch_size=32, epochs=3, validation_split=0.25, verbose=0,
    callbacks=[keras.callbacks.EarlyStopping(patience=5), keras.callbacks.TerminateOnNaN()],
)
score = model.evaluate(x, y, verbose=0)
answer = model.predict(x[:5], verbose=0)
"""


def test_a_keras_script_runs_with_its_import_line_changed() -> None:
    names: dict[str, Any] = {}
    exec(compile(SCRIPT, "script", "exec"), names)
    assert set(names["history"].history) == {"loss", "accuracy", "top2", "val_loss", "val_accuracy", "val_top2"}
    assert len(names["score"]) == 3
    np.testing.assert_allclose(names["answer"].sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in backlight.keras.__all__ if n.islower()])
def test_every_namespace_holds_what_it_lists(name: str) -> None:
    namespace = getattr(backlight.keras, name)
    assert namespace.__all__
    assert all(getattr(namespace, each) is not None for each in namespace.__all__)


@pytest.mark.parametrize(
    ("namespace", "name", "known"),
    [
        ("layers", "MaxPool2D", "MaxPooling2D"),
        ("layers", "GlobalAvgPool1D", "GlobalAveragePooling1D"),
        ("layers", "Convolution2D", "Conv2D"),
        ("regularizers", "l2", "L2"),
        ("regularizers", "l1_l2", "L1L2"),
        ("constraints", "max_norm", "MaxNorm"),
        ("initializers", "he_normal", "HeNormal"),
    ],
)
def test_second_names_are_the_same_things(namespace: str, name: str, known: str) -> None:
    names = getattr(backlight.keras, namespace)
    assert getattr(names, name) is getattr(names, known)
    assert name in names.__all__
