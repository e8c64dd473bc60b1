"""Handwritten digits in plain NumPy: 784 pixels, 100 sigmoids, softmax over ten classes, and no derivative anywhere.

The loss is the cross-entropy plus a little of the squared weights (L2). Expected: 97.8 % of the held-out digits in
about 25 s; ``backlight.compile(backlight.grad(loss))`` trains several times as fast.
"""

import numpy as np

import backlight
from backlight.data import mnist


def scores(p, x):
    return backlight.sigmoid(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]


def loss(p, x, labels):
    log_shares = backlight.log_softmax(scores(p, x))  # the log of softmax in one piece, so that no share becomes log(0)
    cross_entropy = -np.mean(log_shares[np.arange(len(labels)), labels])
    return cross_entropy + 2e-5 * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2))


def main(epochs=15, examples=60000, seed=0):
    train, test, rng = mnist("train"), mnist("test"), np.random.default_rng(seed)
    x, x_test, labels = train.images[:examples].reshape(-1, 784), test.images.reshape(-1, 784), train.labels[:examples]
    first = {"W1": rng.normal(size=(784, 100)) / 28, "W2": rng.normal(size=(100, 10)) / 10}  # 1/√(numbers that go in)
    p = backlight.tree_map(np.float32, first | {"b1": np.zeros(100), "b2": np.zeros(10)})
    gradient = backlight.grad(loss)
    for epoch in range(epochs):
        for rows in np.split(rng.permutation(len(x)), range(64, len(x), 64)):
            p = backlight.tree_map(lambda w, g: w - g, p, gradient(p, x[rows], labels[rows]))  # a learning rate of 1
        accuracy = np.mean(np.argmax(scores(p, x_test), axis=1) == test.labels)
        print(f"epoch {epoch + 1}: {accuracy:.2%} of {len(x_test)} held-out digits")
    return float(accuracy)


if __name__ == "__main__":
    main()
