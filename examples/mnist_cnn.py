"""A convolutional network for handwritten digits: 32 and 64 kernels of 3 × 3, each with pooling, then a dense layer.

Every picture is shifted and turned a little, anew in each epoch, which is as good as having more of them. The learning
rate falls to 0 along half a cosine. Expected: 99.4 % of the held-out digits, after 4 min of processor time.

    python examples/mnist_cnn.py
"""

import argparse

from backlight import keras


def make_model() -> keras.Sequential:
    """Pictures (28, 28, 1) in, ten shares out."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.RandomTranslation(0.07, 0.07, fill_mode="constant"),  # at most 2 pixels
            layers.RandomRotation(0.02, fill_mode="constant"),  # at most 7 degrees
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(epochs: int = 10, examples: int = 60000, seed: int = 0, verbose: int | str = "auto") -> float:
    """Train, and give the share of the held-out digits that are read rightly."""
    keras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    x_train, y_train = x_train[:examples, ..., None].astype("float32") / 255, y_train[:examples]
    x_test = x_test[..., None].astype("float32") / 255

    model = make_model()
    model.summary()
    steps = epochs * -(-len(x_train) // 64)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_data=(x_test, y_test), verbose=verbose)
    return model.evaluate(x_test, y_test, verbose=0)[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(f"{main(chosen.epochs, seed=chosen.seed):.2%} of 10,000 held-out digits")
