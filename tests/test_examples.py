"""The example programs, shortened, on small data of the same form: each reaches what a broken part would miss.

The digits that ship with the package are written as MNIST's files; a text and a list of names are drawn by rules, so
that it is known how well anybody can predict them.
"""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backlight
from backlight.data import digits, write_idx

EXAMPLES = Path(__file__).parent.parent / "examples"
WORDS = ("all", "the", "world", "is", "a", "stage", "and", "players")
SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sa", "te", "vi")


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("data")
    for part, (images, labels) in zip(("train", "t10k"), digits.load_data(), strict=True):
        large = np.kron(images * np.uint8(15), np.ones((3, 3), np.uint8))  # 24 × 24, and a margin of 2
        for name in ("mnist", "fashion_mnist"):
            (made / name).mkdir(exist_ok=True)
            write_idx(made / name / f"{part}-images-idx3-ubyte.gz", np.pad(large, ((0, 0), (2, 2), (2, 2))))
            write_idx(made / name / f"{part}-labels-idx1-ubyte.gz", labels)
    rng = np.random.default_rng(0)
    text = " ".join(WORDS[k] for k in rng.integers(len(WORDS), size=8000))
    names = "\n".join("".join(SYLLABLES[k] for k in rng.integers(8, size=rng.integers(1, 4))) for _ in range(5000))
    for name, file, content in (("tinyshakespeare", "input.txt", text), ("names", "names.txt", names)):
        (made / name).mkdir()
        (made / name / file).write_text(content, encoding="utf-8")
    return made


@pytest.fixture(autouse=True)
def data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_DATA", str(folder))


def test_every_example_is_tested_and_says_what_to_expect() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'example("{path.stem}")' in source, path.name
        text = path.read_text(encoding="utf-8")
        assert re.search(r"\d+ (s|min)\b", text.split('"""')[1]), f"{path.name} does not say how long it takes"


def test_random_labels_teach_nothing_about_others() -> None:
    (_, seen), (loss, held_out) = example("binary_classifier").main(verbose=0)
    assert seen > 0.9
    assert 0.42 < held_out < 0.58  # 1000 coins: five standard deviations
    assert loss > 0.69


def test_digits_from_scratch() -> None:
    assert example("mnist_from_scratch").main(epochs=10) > 0.9
    assert len((EXAMPLES / "mnist_from_scratch.py").read_text(encoding="utf-8").splitlines()) < 40


def test_digits_with_fit() -> None:
    assert example("mnist_fit").main(epochs=10, verbose=0) > 0.9


def test_a_step_with_a_tape_is_the_same_compiled() -> None:
    right, apart = example("mnist_tape").main(epochs=10)
    assert right > 0.85
    assert 0 < apart < 1e-4


def test_a_derivative_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    module = example("own_derivative")
    assert 1 / module.stable_rate() == pytest.approx(6 + math.sqrt(34))  # half of the Hessian is [[11, 3], [3, 1]]
    (w, b, error), wrong, report = module.main()
    assert (w, b, error) == pytest.approx((2, 0, 0), abs=1e-6)
    assert wrong[2] > 1e20
    assert (report.ok, report.name, report.function) == (False, "w", "wrong_error")
    assert report.reverse == pytest.approx(-report.numerical)
    assert module.descend(module.error, 1.1 * module.stable_rate(), 400)[-1][2] > 1e6
    assert module.descend(module.error, 0.9 * module.stable_rate(), 400)[-1][2] < 1e-3


def test_dead_units_are_why_xor_fails(capsys: pytest.CaptureFixture[str]) -> None:
    module = example("xor")
    counted = module.main(runs=60)
    (learnt, off), *others = counted.values()
    assert 5 < learnt < 30
    assert off > 60 - learnt - off  # most failures have a dead unit
    assert all(count > learnt for count, _ in others)
    assert counted["16 hidden units"][0] >= 58
    assert "is dead" in capsys.readouterr().out
    plain = module.SETTINGS[0]
    for seed in range(20):
        p = module.first_weights(plain, seed)
        gradient = backlight.grad(module.loss)(p, plain)
        for unit in np.flatnonzero(module.always_off(p)):
            assert not np.any(gradient["W1"][:, unit])
            assert gradient["b1"][unit] == gradient["W2"][unit, 0] == 0


def test_convolutions_read_digits() -> None:
    assert example("mnist_cnn").main(epochs=5, verbose=0) > 0.8


def test_convolutions_name_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert example("fashion_mnist_cnn").main(epochs=4, verbose=0) > 0.7
    assert capsys.readouterr().out.count("taken for") == 5


def test_a_gpt_predicts_as_well_as_can_be() -> None:
    loss, text = example("shakespeare_gpt").main(steps=400, blocks=1, width=64, letters=150, verbose=0)
    best = math.log(len(WORDS)) / np.mean([len(word) + 1 for word in WORDS])  # per letter, once a word is recognised
    assert best < loss < 1.3 * best
    assert np.mean([word in WORDS for word in text.split()[1:-1]]) > 0.8


def test_an_lstm_predicts_names_as_well_as_can_be() -> None:
    loss, invented, read = example("names_lstm").main(epochs=3, units=64, verbose=0)
    # One to three syllables of two letters and an end: ln 8 for each syllable, ln 3 for their number.
    best = (2 * math.log(8) + math.log(3)) / 5
    assert 0.9 * best < loss < 1.1 * best
    assert np.mean([re.fullmatch("(" + "|".join(SYLLABLES) + "){1,3}", name) is not None for name in invented]) > 0.6
    assert read
