"""A small GPT that writes like Shakespeare, letter by letter: nanoGPT's recipe for a CPU, in Keras's words.

4 blocks of 4 heads, 128 numbers wide, see 64 letters back. 2,000 steps of 12 passages each, AdamW with a learning rate
that climbs for 100 steps and falls along half a cosine, weight decay on matrices alone, gradients clipped to norm 1.
Expected: a loss of 1.87 on the last tenth of the text, which it has not seen (nanoGPT: 1.88), after 3 to 4 min of
processor time, and a text that looks like a play.

    python examples/shakespeare_gpt.py
"""

import argparse

import numpy as np

import backlight
from backlight import keras
from backlight.data import CharacterTokenizer, shakespeare

CONTEXT, BATCH = 64, 12


def make_model(letters: int, blocks: int, width: int, heads: int = 4) -> keras.Sequential:
    """Letters (context,) in; out comes, at every place, a score for each letter that may be next."""
    layers, normal = keras.layers, keras.initializers.RandomNormal(stddev=0.02)
    return keras.Sequential(
        [
            keras.Input((CONTEXT,), dtype="int32"),
            layers.TokenAndPositionEmbedding(letters, CONTEXT, width, embeddings_initializer=normal),
            *(
                layers.TransformerDecoder(
                    4 * width, heads, activation="gelu", normalize_first=True, kernel_initializer=normal
                )
                for _ in range(blocks)
            ),
            layers.LayerNormalization(epsilon=1e-5),
            layers.Dense(letters, use_bias=False, kernel_initializer=normal),
        ]
    )


def passages(tokens: np.ndarray, rng: np.random.Generator):
    """Batches without end: passages from anywhere in the text, and the same passages one letter later."""
    while True:
        places = rng.integers(len(tokens) - CONTEXT, size=(BATCH, 1)) + np.arange(CONTEXT)
        yield tokens[places], tokens[places + 1]


def in_order(tokens: np.ndarray):
    """The whole text, passage by passage."""
    count = (len(tokens) - 1) // CONTEXT
    return tokens[: count * CONTEXT].reshape(count, CONTEXT), tokens[1 : count * CONTEXT + 1].reshape(count, CONTEXT)


def write(model, tokens: list[int], length: int, rng: np.random.Generator) -> list[int]:
    """Go on with a text, drawing each next letter with the probability that the model gives it."""
    shares = backlight.compile(lambda window: backlight.softmax(model(window)[0]))
    for _ in range(length):
        last = tokens[-CONTEXT:]
        window = np.zeros((1, CONTEXT), np.int32)  # what stands behind the last letter is not looked at
        window[0, : len(last)] = last
        p = shares(window)[len(last) - 1].astype(float)
        tokens = [*tokens, int(rng.choice(len(p), p=p / p.sum()))]
    return tokens


def main(
    steps: int = 2000, blocks: int = 4, width: int = 128, letters: int = 500, seed: int = 1337,
    verbose: int | str = "auto",
) -> tuple[float, str]:  # fmt: skip
    """Train; the loss on the last tenth of the text, which training did not see, and a text of the model's own."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    text = shakespeare.load_data()
    tokenizer = CharacterTokenizer.train(text)
    tokens = np.array(tokenizer.encode(text), np.int32)
    train, held_out = np.split(tokens, [len(tokens) * 9 // 10])

    model = make_model(tokenizer.vocabulary_size, blocks, width)
    climb = steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - climb, alpha=0.1, warmup_target=1e-3, warmup_steps=climb
    )  # fmt: skip
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(
        passages(train, rng),
        steps_per_epoch=steps // 8,
        epochs=8,
        validation_data=in_order(held_out),
        verbose=verbose,
    )
    loss = model.evaluate(*in_order(held_out), verbose=0)
    return loss, tokenizer.decode(write(model, [int(held_out[0])], letters, rng))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1337)
    chosen = parser.parse_args()
    loss, sample = main(chosen.steps, seed=chosen.seed)
    print(f"validation loss {loss:.4f}\n{sample}")
