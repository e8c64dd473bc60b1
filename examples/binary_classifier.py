"""A binary classifier in Keras's style, on labels that are pure chance.

Nothing can be learnt from random labels but the examples themselves: after 50 epochs the network knows the 1,000 it
was trained on by heart, and is right about others as often as a coin. A held-out accuracy far from 0.5, such as the
0.728 that some tutorials print for a program like this one, is not possible: there the data that were held out must
have been trained on as well. Takes about 3 s.

    python examples/binary_classifier.py
"""

import numpy as np

from backlight import keras


def main(epochs: int = 50, verbose: int | str = "auto") -> tuple[list[float], list[float]]:
    """Train, and give (loss, accuracy) on the training set and on examples that were held out."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x_train, x_test = rng.normal(size=(1000, 100)), rng.normal(size=(1000, 100))
    y_train, y_test = rng.integers(2, size=(1000, 1)), rng.integers(2, size=(1000, 1))

    model = keras.Sequential(
        [
            keras.layers.Dense(64, activation="relu", input_shape=(100,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=epochs, batch_size=32, validation_data=(x_test, y_test), verbose=verbose)
    return model.evaluate(x_train, y_train, verbose=0), model.evaluate(x_test, y_test, verbose=0)


if __name__ == "__main__":
    (train_loss, train_accuracy), (loss, accuracy) = main()
    print(f"trained on: loss {train_loss:.3f}, accuracy {train_accuracy:.3f}")
    print(f"held out:   loss {loss:.3f}, accuracy {accuracy:.3f}")
