"""Event files, read by a decoder that shares nothing with what writes them."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pretended import Model, Variable, fit

from backlight.train import callbacks
from backlight.train.callbacks import events, tensorboard

# -- A decoder -------------------------------------------------------------------------------------------------------


def checksum(data: bytes) -> int:
    """CRC-32C by its definition: the remainder of a division of polynomials, bit by bit, then TensorFlow's mask."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            top = (crc ^ (byte >> bit)) & 1
            crc = (crc >> 1) ^ (0x82F63B78 if top else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def records(path: Path) -> Iterator[bytes]:
    data, place = path.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        assert struct.unpack_from("<I", data, place + 8) == (checksum(data[place : place + 8]),)
        body = data[place + 12 : place + 12 + length]
        assert len(body) == length
        assert struct.unpack_from("<I", data, place + 12 + length) == (checksum(body),)
        yield body
        place += 16 + length


def decode(data: bytes) -> dict[int, list[Any]]:
    """Field numbers -> raw values."""
    found: dict[int, list[Any]] = {}
    place = 0

    def varint() -> int:
        nonlocal place
        value = 0
        for shift in itertools.count(0, 7):
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise AssertionError

    while place < len(data):
        field, kind = divmod(varint(), 8)
        if kind == 0:
            value: Any = varint()
        elif kind == 1:
            (value,) = struct.unpack_from("<d", data, place)
            place += 8
        elif kind == 2:
            length = varint()
            value = data[place : place + length]
            place += length
            assert len(value) == length
        else:
            raise AssertionError(kind)
        found.setdefault(field, []).append(value)
    return found


def tensor(data: bytes) -> Any:
    fields = decode(data)
    (kind,) = fields[1]
    shape = [decode(dim)[1][0] for dim in decode(fields[2][0]).get(2, [])]
    if kind == 7:
        assert len(fields[8]) == np.prod(shape, dtype=int)
        return fields[8]
    return np.frombuffer(fields[4][0], {1: "<f4", 2: "<f8"}[kind]).reshape(shape)


def read(folder: Path) -> list[tuple[int, str, str, Any]]:
    """(step, tag, plugin, value) of the event files in a folder."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        first, *others = map(decode, records(path))
        assert first[3] == [b"brain.Event:2"]
        times = [first[1][0]]
        for event in others:
            times += event[1]
            for value in decode(event[5][0])[1]:
                summary = decode(value)
                metadata = decode(summary[9][0])
                plugin = decode(metadata[1][0])[1][0].decode()
                classes = {"scalars": [1], "histograms": [2], "text": [2], "images": [3], "graph_keras_model": None}
                assert metadata.get(4) == classes[plugin]
                found.append((event[2][0], summary[1][0].decode(), plugin, tensor(summary[8][0])))
        assert times == sorted(times)
    return found


def scalars(folder: Path, start: str = "") -> list[tuple[int, str, float]]:
    found = [(step, tag, float(value)) for step, tag, plugin, value in read(folder) if plugin == "scalars"]
    return [row for row in found if row[1].startswith(start)]


# -- The encoding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
    ids=["zeros", "ones", "rising", "falling", "nothing"],
)
def test_checksums_are_those_of_the_standard(data: bytes, crc: int) -> None:
    assert events.crc32c(data) == crc


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)])
def test_whole_numbers_come_back(number: int) -> None:
    assert decode(events.encode({5: number, 1000: number})) == {5: [number % 2**64], 1000: [number % 2**64]}


def test_messages_come_back() -> None:
    long = "长" * 300
    found = decode(events.encode({1: [0.5, -2.0], 2: {3: {4: long}}, 6: b"\0\xff", 7: [], 8: ["a", "b"]}))
    assert found[1] == [0.5, -2.0]
    assert decode(decode(found[2][0])[3][0]) == {4: [long.encode()]}
    assert found[6] == [b"\0\xff"]
    assert found[8] == [b"a", b"b"]
    assert 7 not in found


@pytest.mark.parametrize("seed", range(20))
def test_histograms_count_everything_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=rng.integers(1, 200)), [np.nan, np.inf, -np.inf][: seed % 4]])
    x = np.round(x, 1) if seed % 2 else x
    rows = tensor(events.encode(events.histogram("w", x.astype(np.float32))[8]))
    seen = x[np.isfinite(x)].astype(np.float32).astype(float)
    assert rows.shape == (30, 3)
    assert rows[:, 2].sum() == len(seen)
    assert (rows[0, 0], rows[-1, 1]) == (seen.min(), seen.max())
    np.testing.assert_array_equal(rows[1:, 0], rows[:-1, 1])
    if seen.min() < seen.max():
        widths = rows[:, 1] - rows[:, 0]
        np.testing.assert_allclose(widths, (seen.max() - seen.min()) / 30, rtol=1e-9)
        for left, right, count in rows[:-1]:
            assert count == np.sum((seen >= left) & (seen < right))


@pytest.mark.parametrize(("values", "point", "count"), [([3.0] * 5, 3.0, 5), ([], 0.0, 0), ([np.nan], 0.0, 0)])
def test_histograms_of_a_point(values: Any, point: float, count: int) -> None:
    rows = tensor(events.encode(events.histogram("w", values)[8]))
    np.testing.assert_array_equal(rows[:, :2], point)
    np.testing.assert_array_equal(rows[:, 2], [0] * 29 + [count])


def picture(data: bytes) -> Any:
    """The bytes of an unfiltered PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, body, head = 8, b"", (0, 0, 0, 0)
    while place < len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        chunk = data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length) == (zlib.crc32(name + chunk),)
        if name == b"IHDR":
            head = struct.unpack_from(">IIBB", chunk)
        body += chunk if name == b"IDAT" else b""
        place += 12 + length
    width, height, depth, kind = head
    assert depth == 8
    channels = {0: 1, 2: 3, 6: 4}[kind]
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + width * channels)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_are_pictures(channels: int) -> None:
    x = np.random.default_rng(channels).uniform(-0.2, 1.2, (2, 3, 5, channels))
    x[0, 0, 0, 0] = np.nan
    width, height, *pictures = tensor(events.encode(events.image("w", x)[8]))
    assert (width, height, len(pictures)) == (b"5", b"3", 2)
    for seen, each in zip(pictures, np.nan_to_num(x), strict=True):
        np.testing.assert_array_equal(picture(seen), np.rint(np.clip(each, 0, 1) * 255))


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((7,), (1, 7, 1, 1)),
        ((3, 5), (1, 3, 5, 1)),
        ((5, 3), (1, 3, 5, 1)),
        ((2, 3, 4), (4, 2, 3, 1)),
        ((3, 3, 1, 8), (8, 3, 3, 1)),
        ((2, 3, 4, 3), (2, 3, 4, 3)),
        ((2, 3, 4, 5), None),
        ((), None),
    ],
)
def test_weights_as_images(shape: Any, shown: Any) -> None:
    found = tensorboard._pixels(np.zeros(shape))
    assert (None if found is None else found.shape) == shown


# -- What is written when --------------------------------------------------------------------------------------------

LOGS = [{"loss": 0.5, "acc": 0.75, "val_loss": 0.25}, {"loss": 0.125, "acc": 1.0, "val_loss": 2.0}]


def test_numbers_of_epochs_go_to_two_runs(tmp_path: Path) -> None:
    fit(callbacks.TensorBoard(tmp_path / "logs"), LOGS, steps=3)
    rate = float(np.float32(0.1))
    assert scalars(tmp_path / "logs" / "train") == [
        (0, "epoch_acc", 0.75),
        (0, "epoch_loss", 0.5),
        (0, "epoch_learning_rate", rate),
        (1, "epoch_acc", 1.0),
        (1, "epoch_loss", 0.125),
        (1, "epoch_learning_rate", rate),
    ]
    assert scalars(tmp_path / "logs" / "validation", "epoch") == [(0, "epoch_loss", 0.25), (1, "epoch_loss", 2.0)]
    assert scalars(tmp_path / "logs" / "validation", "evaluation") == [
        (0, "evaluation_loss_vs_iterations", 0.25),
        (0, "evaluation_loss_vs_iterations", 2.0),  # the pretended optimiser takes no steps
    ]


@pytest.mark.parametrize("every", [1, 2, 3, 4, 7])
def test_numbers_of_steps(every: int, tmp_path: Path) -> None:
    steps, marks = 5, [step for step in range(1, 11) if step % every == 0]
    for chunk in {1, every}:
        folder = tmp_path / str(chunk)
        fit(callbacks.TensorBoard(folder, update_freq=every), LOGS, steps, chunk)
        found = scalars(folder / "train", "batch")
        assert [(step, tag) for step, tag, _ in found] == [(step, "batch_loss") for step in marks]
        np.testing.assert_allclose([value for *_, value in found], [1 / step for step in marks], rtol=1e-6)


def test_steps_in_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.25
        return now[0]

    monkeypatch.setattr(tensorboard, "_clock", clock)
    fit(callbacks.TensorBoard(tmp_path / "a", write_steps_per_second=True, update_freq=1), LOGS[:1], steps=3)
    assert [value for *_, value in scalars(tmp_path / "a" / "train", "batch_steps")] == [4.0, 4.0, 4.0]
    assert [value for *_, value in scalars(tmp_path / "a" / "train", "epoch_steps")] == [3.0]
    fit(callbacks.TensorBoard(tmp_path / "b", write_steps_per_second=True), LOGS[:1], steps=3, chunk=0)
    assert [value for *_, value in scalars(tmp_path / "b" / "train", "epoch_steps")] == [12.0]


class Wide(Model):
    """Two weights, and what a built model says of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.trainable_variables += [Variable("dense/kernel:0", np.arange(6.0).reshape(2, 3))]

    def gradients_of(self) -> list[Any]:
        return [None, np.ones((2, 3))]

    def to_json(self) -> str:
        return '{"class_name": "Sequential"}'

    def summary(self, print_fn: Any) -> None:
        print_fn("Dense")
        print_fn("Total 6\nend", line_break=True)


def test_distributions(tmp_path: Path) -> None:
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True, write_gradients=True)
    fit(board, LOGS[:1] * 3, model=Wide())
    found = {(step, tag): value for step, tag, plugin, value in read(tmp_path / "train") if plugin == "histograms"}
    tags = ["steps/histogram", "dense/kernel_0/histogram", "dense/kernel_0/gradient"]
    assert list(found) == [(step, tag) for step in (0, 2) for tag in tags]
    assert [found[step, "steps/histogram"][-1].tolist() for step in (0, 2)] == [[1, 1, 1], [3, 3, 1]]
    assert found[0, "dense/kernel_0/histogram"][:, 2].sum() == 6
    images = [(step, tag, value[:2]) for step, tag, plugin, value in read(tmp_path / "train") if plugin == "images"]
    assert images == [(step, "dense/kernel_0/image", [b"3", b"2"]) for step in (0, 2)]


@pytest.mark.parametrize("given", [{"a": np.zeros(3), "b": None}, [None, np.zeros((2, 3))]], ids=["names", "order"])
def test_gradients_from_a_function_of_the_users(given: Any, tmp_path: Path) -> None:
    model = Wide()
    asked = []

    def gradients(of: Any) -> Any:
        asked.append(of)
        return given

    fit(callbacks.TensorBoard(tmp_path, histogram_freq=1, write_gradients=gradients), LOGS[:1], model=model)
    tags = [tag for _, tag, plugin, _ in read(tmp_path / "train") if tag.endswith("gradient")]
    assert tags == (["a/gradient"] if isinstance(given, dict) else ["dense/kernel_0/gradient"])
    assert asked == [model]


def test_what_the_model_is_made_of(tmp_path: Path) -> None:
    fit(callbacks.TensorBoard(tmp_path / "a"), LOGS[:1], model=Wide())
    found = {tag: (plugin, value) for _, tag, plugin, value in read(tmp_path / "a" / "train")}
    assert found["keras"] == ("graph_keras_model", [b'{"class_name": "Sequential"}'])
    assert found["model"] == ("text", [b"    Dense\n    Total 6\n    end"])
    fit(callbacks.TensorBoard(tmp_path / "b", write_graph=False), LOGS[:1], model=Wide())
    assert not {"keras", "model"} & {tag for _, tag, *_ in read(tmp_path / "b" / "train")}


def test_every_training_has_files_of_its_own(tmp_path: Path) -> None:
    board = callbacks.TensorBoard(tmp_path)
    for count in (1, 2):
        fit(board, LOGS)
        assert len(list((tmp_path / "train").iterdir())) == count
    assert [step for step, *_ in scalars(tmp_path / "train", "epoch_loss")] == [0, 1, 0, 1]


def test_what_is_done_can_be_read_while_training_goes_on(tmp_path: Path) -> None:
    seen = []
    look = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(len(scalars(tmp_path / "train", "epoch_loss")))
    )
    fit([callbacks.TensorBoard(tmp_path), look], LOGS)
    assert seen == [1, 2]


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    logs = {"loss": np.array([0.5]), "matrix": np.zeros((2, 2)), "name": "x", "large": 1e300, "nan": np.nan}
    fit(callbacks.TensorBoard(tmp_path, write_graph=False), [logs])
    found = {tag: value for _, tag, value in scalars(tmp_path / "train")}
    assert set(found) == {f"epoch_{name}" for name in ("loss", "large", "nan", "learning_rate")}
    assert found["epoch_large"] == np.inf


def test_evaluating_alone(tmp_path: Path) -> None:
    board = callbacks.TensorBoard(tmp_path)
    board.set_model(SimpleNamespace(optimizer=SimpleNamespace(iterations=np.array(7), learning_rate=0.1)))
    board.on_test_begin()
    board.on_test_end({"loss": 0.5})
    assert scalars(tmp_path / "validation") == [(7, "evaluation_loss_vs_iterations", 0.5)]


def test_gradients_of_a_model_that_is_trained(tmp_path: Path) -> None:
    """Two weights and a bias under the mean square: the gradients are known, and asking for them changes nothing."""
    from backlight import keras

    x, y = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), np.array([[1.0], [0.0], [2.0]])
    ends = []
    for board in ([], [callbacks.TensorBoard(tmp_path, histogram_freq=1, write_gradients=True)]):
        model = keras.Sequential(
            [keras.layers.Dense(1, kernel_initializer="ones", input_shape=(2,)), keras.layers.Dropout(0.4, seed=1)]
        )
        model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"])
        history = model.fit(x, y, epochs=2, verbose=0, shuffle=False, callbacks=board)
        ends.append((model.get_weights()[0].tobytes(), history.history))
    assert ends[0] == ends[1]
    error = 2 * (x.astype(np.float32) @ model.get_weights()[0] + model.get_weights()[1] - y) / 3
    kernel, bias = model.gradients_of()
    np.testing.assert_allclose(kernel, x.T @ error, rtol=1e-5)
    np.testing.assert_allclose(bias, error.sum(0), rtol=1e-5)
    kernel, bias = model.gradients_of(x[:1], y[:1])
    np.testing.assert_allclose(kernel, 3 * x[:1].T @ error[:1], rtol=1e-5)
    tags = [(step, tag) for step, tag, plugin, _ in read(tmp_path / "train") if tag.endswith("gradient")]
    assert [step for step, _ in tags] == [0, 0, 1, 1]
