"""Files: what is written is read back, what is published is read as published, what is damaged is refused."""

from __future__ import annotations

import contextlib
import gzip
import os
import struct
import sys
import wave

import numpy as np
import pytest
from bounded import bounded

from backlight.data import ImageFolder, csv_rows, read_csv, read_idx, read_image, read_wav, write_idx, write_wav
from backlight.errors import ArgumentError, BacklightError, DataError, DTypeError, RangeError, ShapeError

REAL = os.environ.get("BACKLIGHT_DATA", "")


def real(name):
    path = os.path.join(REAL, name)
    if not REAL or not os.path.exists(path):
        pytest.skip(f"BACKLIGHT_DATA has no {name}")
    return path


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")


# -- CSV ---------------------------------------------------------------------------------------------------------------


def written(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TABLES = [
    ("a,b\n1,2\n3,4\n", {}, {"a": [1.0, 3.0], "b": [2.0, 4.0]}),
    ("a,b\r\n1,x\r\n,\r\n", {}, {"a": [1.0, np.nan], "b": ["x", ""]}),
    ("a,b\n1,2", {}, {"a": [1.0], "b": [2.0]}),
    ('a,b\n"1","x, ""y""\nz"\n', {}, {"a": [1.0], "b": ['x, "y"\nz']}),
    ("\ufeffa\n1\n", {}, {"a": [1.0]}),
    ("a, b \n 1 , x \n", {}, {"a": [1.0], "b": [" x "]}),
    ("1,2\n3,4\n", {"header": False}, {"column_0": [1.0, 3.0], "column_1": [2.0, 4.0]}),
    ("1;2\n", {"header": False, "delimiter": ";", "names": ["p", "q"]}, {"p": [1.0], "q": [2.0]}),
    (",b\n1,2\n", {}, {"column_0": [1.0], "b": [2.0]}),
    ("a\n\n1\n\n", {}, {"a": [1.0]}),
    ("a\n1e3\n-inf\n", {}, {"a": [1000.0, -np.inf]}),
    ("a\n1_000\n", {}, {"a": ["1_000"]}),
    ("a,b\n-9,0\n", {"missing": ["-9"]}, {"a": [np.nan], "b": [0.0]}),
    ("a,b\n", {}, {"a": [], "b": []}),
    ("a\n007\n", {"types": {"a": str}}, {"a": ["007"]}),
    ("a\n'x,y'\n", {"quote": "'"}, {"a": ["x,y"]}),
    ("é\n1\n".encode("latin-1"), {"encoding": "latin-1"}, {"é": [1.0]}),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "options", "expected"), TABLES, ids=range(len(TABLES)))
def test_tables(tmp_path, content, options, expected, packed):
    data = content.encode() if isinstance(content, str) else content
    path = written(tmp_path, gzip.compress(data) if packed else data)
    found = read_csv(path, **options)
    assert list(found) == list(expected)
    for name, values in expected.items():
        strings = bool(values) and isinstance(values[0], str)
        assert found[name].dtype == (object if strings else np.float64)
        np.testing.assert_array_equal(found[name], np.array(values, object if strings else float))
    rows = list(csv_rows(path, **options))
    for k, row in enumerate(rows):
        assert list(row) == list(expected)
        for name, values in expected.items():
            np.testing.assert_equal(row[name], values[k])
    assert len(rows) == len(next(iter(expected.values())))


def test_types_are_kept(tmp_path):
    path = written(tmp_path, "n,flag,word,x\n9223372036854775807,true,1,2\n-3,0,2,\n")
    found = read_csv(path, {"n": int, "flag": bool, "word": str, "x": float})
    assert found["n"].dtype == np.int64
    assert found["n"].tolist() == [2**63 - 1, -3]
    assert found["flag"].dtype == np.bool_
    assert found["flag"].tolist() == [True, False]
    assert found["word"].tolist() == ["1", "2"]
    np.testing.assert_array_equal(found["x"], [2.0, np.nan])


BAD_TABLES = [
    ("", {}, DataError, "empty"),
    ("a,b\n1,2\n3\n", {}, DataError, "line 3 has 1 cells"),
    ('a\n1\n"2\n', {}, DataError, "line 3"),
    ('a\n"1"2\n', {}, DataError, "line 2"),
    ("a\n1\n2\nx\n", {"types": {"a": float}}, DataError, "line 4, column 'a': 'x'"),
    ("a\n1.5\n", {"types": {"a": int}}, DataError, "line 2"),
    ("a,b\n,1\n", {"types": {"a": int}}, DataError, "line 2"),
    ("a\n9223372036854775808\n", {"types": {"a": int}}, DataError, "line 2"),
    ("a\nmaybe\n", {"types": {"a": bool}}, DataError, "line 2"),
    (b"a\nx\n\xff\xfe\n", {}, DataError, "line 3"),
    ("a,a\n1,2\n", {}, DataError, "'a'"),
    ("a,b\n1,2\n", {"names": ["x"]}, DataError, "line 1"),
    ("a\n" + "x" * 200_000 + "\n", {}, DataError, "line 2"),
    ("a\n" + "x," * 600_000 + "\n", {}, DataError, "line 2"),
    ("a\n1\n", {"types": {"b": int}}, ArgumentError, "'b'"),
    ("a\n1\n", {"types": {"a": list}}, ArgumentError, "'a'"),
    ("a\n1\n", {"delimiter": ",,"}, ArgumentError, "delimiter"),
    ("a\n1\n", {"encoding": "no such"}, ArgumentError, "encoding"),
    ("a\n1\n", {"encoding": None}, ArgumentError, "encoding"),
    ("a,b\n1,2\n".encode("utf-16"), {"encoding": "utf-16"}, ArgumentError, "not UTF-16"),
    ("a\n1\n", {"quote": ","}, ArgumentError, "different"),
    ("a\n1\n", {"delimiter": "\n"}, ArgumentError, "delimiter"),
    ("a\n1\n", {"types": {"a": []}}, ArgumentError, "'a'"),
    ("a\n1\n", {"types": ["a"]}, ArgumentError, "dictionary"),
]


@pytest.mark.parametrize(("content", "options", "kind", "words"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_bad_tables_name_the_line(tmp_path, content, options, kind, words):
    path = written(tmp_path, content)
    with pytest.raises(kind, match=words):
        read_csv(path, **options)
    with pytest.raises(kind, match=words):
        list(csv_rows(path, **options))


def test_a_table_that_unpacks_to_more_than_agreed_is_refused(tmp_path):
    path = written(tmp_path, gzip.compress(b"a\n" + b"1\n" * 100_000))
    assert path.stat().st_size < 1000
    with pytest.raises(DataError, match=r"200001 bytes.*\n.*most="):
        read_csv(path, most=200_001)
    assert len(read_csv(path, most=200_002)["a"]) == 100_000
    assert sum(1 for _ in csv_rows(path)) == 100_000


def test_columns_are_compared_once_with_each_other(tmp_path):
    names = [f"a{k}" for k in range(100_000)]
    path = written(tmp_path, ",".join([*names, names[-1]]) + "\n")
    with bounded(100 << 20), pytest.raises(DataError, match="'a99999'"):  # comparing each with each took a minute
        read_csv(path)


def test_published_tables():
    penguins = read_csv(real("tabular/penguins.csv"))
    assert {len(column) for column in penguins.values()} == {344}
    numeric = [name for name, column in penguins.items() if column.dtype == np.float64]
    assert len(numeric) >= 4
    iris = read_csv(real("sklearn-toy/iris.csv"), header=False)
    assert len(iris) == 5


# -- IDX ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int32", "float32", "float64", ">f8"])
@pytest.mark.parametrize("shape", [(1,), (0,), (3, 4), (2, 0, 3), (2, 1, 2, 1, 2, 1, 2, 1)])
def test_idx_is_read_as_written(tmp_path, name, kind, shape):
    array = np.random.default_rng(0).integers(-100, 100, shape).astype(kind)
    write_idx(tmp_path / name, array)
    found = read_idx(tmp_path / name)
    assert found.dtype == np.dtype(kind).newbyteorder("=")
    np.testing.assert_array_equal(found, array)
    assert os.listdir(tmp_path) == [name]


def test_idx_is_the_published_format(tmp_path):
    write_idx(tmp_path / "a", np.array([[1, -2]], np.int16))
    assert (tmp_path / "a").read_bytes() == b"\0\0\x0b\x02" + struct.pack(">IIhh", 1, 2, 1, -2)


def test_an_idx_bomb_is_refused(tmp_path):
    path = written(tmp_path, gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 10**7) + bytes(10**7)))
    assert path.stat().st_size < 20_000
    with pytest.raises(DataError, match="at most 1000"):
        read_idx(path, most=1000)
    assert read_idx(path, most=10**7).shape == (10**7,)


@pytest.mark.parametrize(
    ("array", "kind"),
    [(np.ones(2, np.int64), DTypeError), (np.ones(2, bool), DTypeError), (np.float32(1), ShapeError),
     (np.ones((1,) * 9, np.uint8), ShapeError)],
)  # fmt: skip
def test_what_idx_cannot_hold(tmp_path, array, kind):
    with pytest.raises(kind):
        write_idx(tmp_path / "a", array)
    assert not os.listdir(tmp_path)


# -- WAV ---------------------------------------------------------------------------------------------------------------

BYTES = {1: [0, 128, 255], 2: [-32768, 0, 32767], 3: [-(1 << 23), 0, (1 << 23) - 1], 4: [-(1 << 31), 0, 1 << 30]}


@pytest.mark.parametrize("width", BYTES)
def test_wav_of_every_width(tmp_path, width):
    raw = b"".join(k.to_bytes(width, "little", signed=width > 1) for k in BYTES[width])
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(raw)
    samples, rate = read_wav(tmp_path / "a.wav")
    last = {1: 127 / 128, 2: 1 - 2**-15, 3: 1 - 2**-23, 4: 0.5}[width]
    np.testing.assert_array_equal(samples, np.array([[-1], [0], [last]], np.float32))
    assert (samples.dtype, rate) == (np.float32, 8000)


def test_wav_of_two_channels_is_read_as_written(tmp_path):
    samples = np.array([[0.5, -0.25], [-1, 1], [2, -2]])
    write_wav(tmp_path / "a.wav", samples, 44100)
    found, rate = read_wav(tmp_path / "a.wav")
    top = 32767 / 32768
    np.testing.assert_array_equal(found, np.array([[0.5, -0.25], [-1, top], [top, -1]], np.float32))
    assert rate == 44100


FLOATS = np.array([[0.5, -2.0], [1e-3, 1.0]])


def riff(*chunks):
    inside = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(inside)) + b"WAVE" + inside


def described(kind, bits, channels=2):
    block = bits // 8 * channels
    return struct.pack("<HHIIHH", kind, channels, 16000, 16000 * block, block, bits)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("extensible", [False, True])
def test_wav_of_floats_and_chunks_nobody_asked_for(tmp_path, bits, extensible):
    head = (
        described(0xFFFE if extensible else 3, bits) + (struct.pack("<HHIH", 22, bits, 3, 3) + bytes(14)) * extensible
    )
    content = riff(
        (b"LIST", b"odd"), (b"fmt ", head), (b"fact", b"1234"), (b"data", FLOATS.astype(f"<f{bits // 8}").tobytes())
    )
    (tmp_path / "a.wav").write_bytes(content + b"LIST\0")
    found, rate = read_wav(tmp_path / "a.wav")
    np.testing.assert_array_equal(found, FLOATS.astype(np.float32))
    assert (found.dtype, rate) == (np.float32, 16000)


PCM16 = (b"fmt ", described(1, 16))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (riff((b"data", b"1234")), "fmt"),
        (riff(PCM16), "data"),
        (riff(PCM16, (b"data", b"123456")), "data: 6"),
        (riff((b"fmt ", described(6, 8)), (b"data", b"12")), "fmt: 6"),
        (riff((b"fmt ", b"too short"), (b"data", b"12")), "fmt: 10"),
        (riff(PCM16)[:-8] + b"data" + b"\xff" * 4, "RIFF|fmt|data"),
        (b"RIFF\0\0\0\0WAVE" + bytes(40 << 20), "> 1000"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff", "junk"),
    ],
    ids=["no fmt", "no data", "half a sample", "companded", "short fmt", "announced", "empty chunks", "junk"],
)
def test_wav_of_another_kind_is_refused(tmp_path, content, words):
    (tmp_path / "a.wav").write_bytes(content)
    with bounded(8 << 20, seconds=2), pytest.raises(DataError, match=words):
        read_wav(tmp_path / "a.wav")


def test_damaged_wav_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros(100), 8000)
    good = path.read_bytes()
    for k in range(0, len(good), 7):
        path.write_bytes(good[:k])
        with pytest.raises(DataError, match=r"a\.wav"):
            read_wav(path)
    for position, value in [(34, 40), (22, 0), (20, 3), (0, 0)]:
        path.write_bytes(good[:position] + bytes([value]) + good[position + 1 :])
        with pytest.raises(DataError, match=r"a\.wav"):
            read_wav(path)
    with pytest.raises(DataError):
        read_wav(tmp_path / "none.wav")


@pytest.mark.parametrize("samples", [[np.nan], [[[0.0]]], ["a"], np.zeros((2, 0))])
def test_samples_that_are_none(tmp_path, samples):
    with pytest.raises(ArgumentError):
        write_wav(tmp_path / "a.wav", np.asarray(samples), 8000)


# -- Pictures ----------------------------------------------------------------------------------------------------------


def test_without_pillow_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match="pip install pillow"):
        read_image(tmp_path / "a.png")


def save(path, array):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(array).save(path)


def test_folders_are_classes(tmp_path):
    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 255
    save(tmp_path / "b" / "1.png", red)
    save(tmp_path / "b" / "deeper" / "2.bmp", red // 2)
    save(tmp_path / "a" / "3.png", np.full((4, 6), 100, np.uint8))
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    folder = ImageFolder(tmp_path, size=(2, 3))
    assert folder.class_names == ["a", "b"]
    assert folder.labels.tolist() == [0, 1, 1]
    images, labels = zip(*folder, strict=True)
    assert labels == (0, 1, 1)
    assert all(image.dtype == np.float32 and image.shape == (2, 3, 3) for image in images)
    np.testing.assert_array_equal(images[0], np.full((2, 3, 3), 100))
    np.testing.assert_array_equal(images[1], red)
    grey = read_image(tmp_path / "a" / "3.png", color_mode="grayscale")
    assert grey.shape == (4, 6, 1)
    with pytest.raises(RangeError):
        folder[3]


def test_damaged_pictures_are_refused(tmp_path):
    save(tmp_path / "a.png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    good = (tmp_path / "a.png").read_bytes()
    for data in (b"", good[:20], good[:-30], b"GIF89a", b"P5 99999 99999 255\n"):
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(DataError, match=r"a\.png"):
            read_image(tmp_path / "a.png")


def test_no_other_program_is_started_for_a_picture(tmp_path):
    pytest.importorskip("PIL.Image")
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(DataError, match=r"a\.png"):
        read_image(path)


def test_of_sixteen_bits_the_upper_ones_are_kept(tmp_path):
    save(tmp_path / "a.png", np.array([[0, 255], [256, 65535]], np.uint16))
    assert read_image(tmp_path / "a.png", color_mode="grayscale")[..., 0].tolist() == [[0, 0], [1, 255]]
    assert read_image(tmp_path / "a.png")[1, 1].tolist() == [255, 255, 255]


def test_a_picture_larger_than_agreed_is_not_unpacked(tmp_path):
    pytest.importorskip("PIL.Image")
    path = tmp_path / "a.pgm"
    for side in (10_000, 100_000):  # above the bound, and above the one that Pillow has
        path.write_bytes(f"P5 {side} {side} 255\n".encode())
        with bounded(1 << 22), pytest.raises(DataError, match=r"a\.pgm"):
            read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "ppm"])
def test_edited_pictures(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    draw = np.random.default_rng(0)
    save(path, draw.integers(0, 256, (12, 9, 3), np.uint8))
    good = path.read_bytes()
    for _ in range(60):
        data = bytearray(good)
        for place in draw.integers(0, len(data), draw.integers(1, 6)):
            data[place] = draw.integers(0, 256)
        path.write_bytes(bytes(data[: draw.integers(0, len(data) + 1)] if draw.random() < 0.3 else data))
        with bounded(16 << 20), contextlib.suppress(DataError):
            assert read_image(path, (5, 5)).shape == (5, 5, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"color_mode": "cmyk"},
        {"size": (0, 1)},
        {"size": (2.5, 1)},
        {"size": (1,)},
        {"size": 64},
        {"size": (1 << 20,) * 2},
    ],
    ids=["mode", "zero", "half", "one", "number", "huge"],
)
def test_picture_options(tmp_path, options):
    with pytest.raises(BacklightError):
        ImageFolder(tmp_path, **options)
