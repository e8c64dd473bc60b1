"""A convolutional network that tells ten kinds of clothing apart, and which of them it confuses.

Written between symbols rather than as a list of layers. A shirt seen in a mirror is a shirt, so half of the pictures
are turned left to right, anew in each epoch. Expected: 92.6 % of the held-out pictures, after 6 min of processor time.
The five commonest mistakes, nearly half of all, are among T-shirts, pullovers, coats and shirts, which are hard to tell
apart at 28 × 28 pixels for people, too.

    python examples/fashion_mnist_cnn.py
"""

import argparse

import numpy as np

from backlight import keras

KINDS = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def make_model() -> keras.Model:
    """Pictures (28, 28, 1) in, ten shares out."""
    layers = keras.layers
    inputs = keras.Input((28, 28, 1))
    x = layers.RandomFlip("horizontal")(inputs)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def main(epochs: int = 12, examples: int = 60000, seed: int = 0, verbose: int | str = "auto") -> float:
    """Train, print what is confused most, and give the share of the held-out pictures that are named rightly."""
    keras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    x_train, y_train = x_train[:examples, ..., None].astype("float32") / 255, y_train[:examples]
    x_test = x_test[..., None].astype("float32") / 255

    model = make_model()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * -(-len(x_train) // 64))
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_data=(x_test, y_test), verbose=verbose)

    named = model.predict(x_test, verbose=0).argmax(axis=1)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (y_test, named), 1)
    np.fill_diagonal(counts, 0)
    for place in np.argsort(counts, axis=None)[:-6:-1]:
        kind, other = divmod(int(place), 10)
        print(f"{counts[kind, other]:4d} × {KINDS[kind]} taken for {KINDS[other]}")
    return float(np.mean(named == y_test))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(f"{main(chosen.epochs, seed=chosen.seed):.2%} of 10,000 held-out pictures")
