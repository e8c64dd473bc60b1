"""An LSTM that makes up given names, having read 32,033 of them.

It learns to say, after each letter, which letter comes next, or that the name is over. Expected: a loss of 1.90 per
letter on a thousand names that it has not seen (makemore's multilayer perceptron has 2.17, its transformer 1.92), after
5 min of processor time.

    python examples/names_lstm.py
"""

import argparse

import numpy as np

import backlight
from backlight import keras
from backlight.data import names

LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # 0 begins and ends a name
END, NOTHING = 0, -1  # and -1 stands behind the end, where nothing is to be learnt


def tables(words: list[str], length: int):
    """Letters (names, length) and the letters that follow them: ".emma" and "emma."."""
    x, y = np.zeros((len(words), length), np.int32), np.full((len(words), length), NOTHING, np.int32)
    for row, word in enumerate(words):
        numbers = [LETTERS.index(letter) for letter in word]
        x[row, 1 : len(word) + 1] = numbers
        y[row, : len(word) + 1] = [*numbers, END]
    return x, y


def make_model(length: int, units: int, width: int = 64) -> keras.Sequential:
    """Letters in, at every place a score for each letter that may be next."""
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            keras.layers.Embedding(len(LETTERS), width),
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(len(LETTERS)),
        ]
    )


def invent(model, count: int, length: int, rng: np.random.Generator) -> list[str]:
    """New names: all of them grow by a letter at a time, drawn with the probabilities that the model gives."""
    shares = backlight.compile(lambda x: backlight.softmax(model(x)))
    x = np.zeros((count, length), np.int32)
    for place in range(length - 1):
        p = shares(x)[:, place].astype(float)
        x[:, place + 1] = [rng.choice(len(LETTERS), p=row / row.sum()) for row in p]
    return ["".join(LETTERS[k] for k in row[1:]).split(".")[0] for row in x]


def main(
    epochs: int = 15, units: int = 256, seed: int = 0, verbose: int | str = "auto"
) -> tuple[float, list[str], set[str]]:  # fmt: skip
    """Train; the loss per letter on a thousand names held out, 20 new names, and all that it has read."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    words = names.load_data()
    words = [words[k] for k in rng.permutation(len(words))]
    length = max(map(len, words)) + 1
    held_out, train = tables(words[:1000], length), tables(words[1000:], length)

    model = make_model(length, units)
    steps = epochs * -(-len(train[0]) // 64)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=NOTHING),
    )
    model.fit(*train, batch_size=64, epochs=epochs, validation_data=held_out, verbose=verbose)
    loss = model.evaluate(*held_out, batch_size=1000, verbose=0)  # in one batch: the mean over all letters
    return loss, invent(model, 20, length, rng), set(words[1000:])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    loss, invented, read = main(chosen.epochs, seed=chosen.seed)
    print(f"held-out loss {loss:.4f} per letter; names made up, with a * those that it has read:")
    print(", ".join(f"{name}*" if name in read else name for name in invented))
