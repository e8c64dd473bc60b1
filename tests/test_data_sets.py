"""Published sets: where they are looked for, how they are fetched, and what comes out. No network but the loopback."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest
from bounded import bounded
from refused import names_all

from backlight.compiler import cache
from backlight.data import cifar10, digits, fashion_mnist, mnist, names, shakespeare, write_idx
from backlight.data.fetch import Published, cached, download, find
from backlight.errors import DataError

SETS = (mnist, fashion_mnist, cifar10, shakespeare, names)
CONTENT = b"what was published " * 10_000
REAL = os.environ.get("BACKLIGHT_DATA", "")


class Answers(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        Answers.asked.append(self.path)
        if self.path == "/gone":
            self.send_error(404)
            return
        body = {"/good": CONTENT, "/other": CONTENT[:-1] + b"!", "/large": CONTENT * 50}.get(self.path, CONTENT[:5000])
        self.send_response(200)
        if self.path != "/silent":
            self.send_header("Content-Length", str(len(CONTENT) if self.path == "/broken" else len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the reader may have seen enough
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch, request):
    Answers.asked.clear()
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BACKLIGHT_DOWNLOAD", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if "real" not in request.node.name:
        monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path / "mine"))


def published(*urls):
    return Published("file.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), urls)


def test_a_good_file_is_fetched_once(server, tmp_path):
    file = published(f"{server}/good")
    (path,) = find("Set", "folder", (file,))
    assert path == tmp_path / "cache" / "data" / "folder" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert find("Set", "folder", (file,)) == [path]
    assert Answers.asked == ["/good"]
    assert [item.name for item in path.parent.iterdir()] == ["file.bin"]


def test_what_the_user_has_comes_first_and_nothing_is_fetched(server, tmp_path):
    mine = tmp_path / "mine" / "folder" / "file.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"my own")
    assert find("Set", "folder", (published(f"{server}/good"),)) == [mine]
    assert not Answers.asked


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/other", "SHA-256"),
        ("/broken", "5000 came"),
        ("/short", "5000 came"),
        ("/silent", "5000 came"),
        ("/large", "more than the 190000"),
        ("/gone", "404"),
    ],
)
def test_what_is_not_the_published_file_leaves_nothing(server, tmp_path, path, words):
    target = tmp_path / "file.bin"
    with pytest.raises(DataError, match=words):
        download(published(server + path), target)
    assert [item for item in tmp_path.iterdir() if item.is_file()] == []
    with pytest.raises(DataError, match=words) as error:
        find("Set", "folder", (published(server + path),))
    assert str(tmp_path / "mine" / "folder" / "file.bin") in str(error.value)
    assert cached("folder").is_dir()
    assert not list(cached("folder").iterdir())


def test_the_next_address_is_tried(server, tmp_path):
    download(published(f"{server}/gone", f"{server}/other", f"{server}/good"), tmp_path / "file.bin")
    assert Answers.asked == ["/gone", "/other", "/good"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_file_of_another_length_in_the_cache_is_fetched_again(server):
    cached("folder").mkdir(parents=True)
    (cached("folder") / "file.bin").write_bytes(b"half")
    (path,) = find("Set", "folder", (published(f"{server}/good"),))
    assert path.read_bytes() == CONTENT


def test_a_file_in_the_cache_that_was_damaged_is_fetched_again(server, tmp_path):
    cached("folder").mkdir(parents=True)
    (cached("folder") / "file.bin").write_bytes(CONTENT[:-1] + b"?")
    (path,) = find("Set", "folder", (published(f"{server}/good"),))
    assert path.read_bytes() == CONTENT


@pytest.mark.skipif(sys.platform == "win32", reason="the folder for local data is the user's own there")
def test_plans_can_still_be_kept_where_a_set_was_fetched_first(server):
    before = os.umask(0o002)  # files for the whole group, where no plan is read from
    try:
        find("Set", "folder", (published(f"{server}/good"),))
    finally:
        os.umask(before)
    assert cache.usable()
    assert cache.store("0" * 64, b"plan", {})


def test_the_home_folder_can_be_written_short(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("BACKLIGHT_DATA", "~/mine")
    (tmp_path / "mine" / "folder").mkdir(parents=True)
    (tmp_path / "mine" / "folder" / "file.bin").write_bytes(b"my own")
    assert find("Set", "folder", (published(),)) == [tmp_path / "mine" / "folder" / "file.bin"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_one_line_without_a_terminal(server, tmp_path, monkeypatch, capsys, lang):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    download(published(f"{server}/good"), tmp_path / "file.bin")
    line = capsys.readouterr().err
    names_all(line, ("file.bin", "0.2 MiB", f"{server}/good"), lang)
    assert line.count("\n") == 1


def test_progress_on_a_terminal(server, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    download(published(f"{server}/good"), tmp_path / "file.bin")
    assert "file.bin" in sys.stderr.getvalue()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("data", SETS, ids=lambda data: data.folder)
@pytest.mark.parametrize("off", ["BACKLIGHT_DOWNLOAD", "BACKLIGHT_CACHE"])
def test_without_a_network_it_is_said_which_file_to_put_where(data, lang, off, monkeypatch, tmp_path):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    monkeypatch.setenv(off, "off")
    with pytest.raises(DataError) as error:
        data.load_data()
    for file in data.files:
        assert str(tmp_path / "mine" / data.folder / file.name) in str(error.value)
        assert file.urls[0] in str(error.value)
    assert f"{off}=off" in str(error.value)
    assert "BACKLIGHT_DATA" in str(error.value)


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9"):
        download(published("http://127.0.0.1:9/file"), tmp_path / "file.bin")


@pytest.mark.parametrize("data", SETS, ids=lambda data: data.folder)
def test_addresses_are_encrypted_and_files_pinned(data):
    for file in data.files:
        assert file.urls
        assert all(url.startswith("https://") and url.endswith(file.name) for url in file.urls)
        assert len(bytes.fromhex(file.sha256)) == 32
        assert 0 < file.size < 1 << 28


# -- What comes out ----------------------------------------------------------------------------------------------------


def archive(path, members, packed=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if packed else "w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return path


def cifar_members():
    members = {"readme.html": b"read me"}
    for k, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        pixels = np.arange(2 * 3072).reshape(2, 3072) % 251
        members[name] = np.concatenate([[[k], [k + 1]], pixels], axis=1).astype(np.uint8).tobytes()
    return members


def test_cifar_has_keras_shapes(tmp_path):
    archive(tmp_path / "mine" / "cifar10" / "cifar-10-binary.tar.gz", cifar_members())
    (x, y), (x_test, y_test) = cifar10.load_data()
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((10, 32, 32, 3), np.uint8, (10, 1), np.uint8)
    assert (x_test.shape, y_test.ravel().tolist()) == ((2, 32, 32, 3), [5, 6])
    assert y.ravel().tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    # Pixel (row, column) of colour c is number 1024 c + 32 row + column of its picture.
    assert x[0, 3, 5].tolist() == [(1024 * c + 101) % 251 for c in range(3)]


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("test_batch.bin"),
        lambda members: members.update({"data_batch_1.bin": b"x" * 100}),
        lambda members: members.update({"data_batch_1.bin": b""}),
        lambda members: members.update({"data_batch_1.bin": b"\x0a" * 3073}),
        lambda members: members.update({"deeper/test_batch.bin": members["test_batch.bin"]}),
        lambda members: members.update({"test_batch.bin": bytes(3073 * 10_001)}),
    ],
    ids=["missing", "half a record", "empty", "label", "twice", "long"],
)
def test_what_is_not_cifar_is_refused(tmp_path, change):
    members = cifar_members()
    change(members)
    archive(tmp_path / "mine" / "cifar10" / "cifar-10-binary.tar.gz", members)
    with pytest.raises(DataError, match="cifar-10-binary"):
        cifar10.load_data()


def test_a_sparse_file_makes_no_room_for_what_it_announces(tmp_path):
    path = tmp_path / "mine" / "cifar10" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(parents=True)
    head = bytearray(tarfile.TarInfo("data_batch_1.bin").tobuf(tarfile.GNU_FORMAT))
    head[156:157] = tarfile.GNUTYPE_SPARSE
    head[483:495] = b"%011o\0" % (3073 * 10_000)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    path.write_bytes(gzip.compress(bytes(head) * 1000 + bytes(1024)))
    with bounded(16 << 20), pytest.raises(DataError, match="cifar-10-binary"):
        cifar10.load_data()


def test_archives_with_edited_headers(tmp_path):
    path = archive(tmp_path / "mine" / "cifar10" / "cifar-10-binary.tar.gz", cifar_members())
    plain = gzip.decompress(path.read_bytes())
    heads = [k for k in range(0, len(plain), 512) if plain[k + 257 : k + 262] == b"ustar"]
    draw = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(plain)
        for place in draw.choice(heads, 2) + draw.integers(0, 512, 2):
            data[place] = draw.choice([0, 32, 48, 55, 76, 83, 120, 128, 255])
        head = int(draw.choice(heads))
        data[head + 148 : head + 156] = b" " * 8
        data[head + 148 : head + 156] = b"%06o\0 " % sum(data[head : head + 512])
        path.write_bytes(gzip.compress(data, 1))
        with bounded(64 << 20), contextlib.suppress(DataError):
            cifar10.load_data()


def test_a_damaged_archive_is_refused(tmp_path):
    path = archive(tmp_path / "mine" / "cifar10" / "cifar-10-binary.tar.gz", cifar_members())
    good = path.read_bytes()
    plain = gzip.decompress(good)
    long = gzip.compress(plain + bytes(1 << 20))  # with blocks after the last file, which nobody needs
    for data in (b"", good[:100], good[:-50], long[:-4], long[:-8] + bytes(8), b"no archive" * 100,
                 gzip.compress(plain[:2000]), gzip.compress(plain[:1100] + b"9" * 100 + plain[1200:])):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(DataError, match="cifar-10-binary"):
            cifar10.load_data()


@pytest.mark.parametrize("data", [mnist, fashion_mnist], ids=lambda data: data.folder)
def test_mnist_has_keras_shapes(tmp_path, data):
    folder = tmp_path / "mine" / data.folder
    folder.mkdir(parents=True)
    for part, count in (("train", 4), ("t10k", 3)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", np.full((count, 28, 28), count, np.uint8))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8))
    (x, y), (x_test, y_test) = data.load_data()
    assert (x.shape, x.dtype, x.max(), y.dtype) == ((4, 28, 28), np.uint8, 4, np.uint8)
    assert (x_test.shape, x_test.max(), y_test.tolist()) == ((3, 28, 28), 3, [0, 1, 2])


def test_texts(tmp_path):
    for folder, name, content in (
        ("tinyshakespeare", "input.txt", "To be,\nor not\n"),
        ("names", "names.txt", "emma\r\nolivia\n\nzoé"),
    ):
        (tmp_path / "mine" / folder).mkdir(parents=True)
        (tmp_path / "mine" / folder / name).write_bytes(content.encode())
    assert shakespeare.load_data() == "To be,\nor not\n"
    assert names.load_data() == ["emma", "olivia", "zoé"]
    (tmp_path / "mine" / "names" / "names.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"names\.txt"):
        names.load_data()


def test_digits_are_split():
    (x, y), (x_test, y_test) = digits.load_data()
    images, labels = digits()
    np.testing.assert_array_equal(np.concatenate([x, x_test]) / 16, images)
    np.testing.assert_array_equal(np.concatenate([y, y_test]), labels)
    assert (x.dtype, y.dtype, len(x_test)) == (np.uint8, np.uint8, 450)


@pytest.mark.parametrize("data", [mnist, fashion_mnist, shakespeare, names], ids=lambda data: data.folder)
def test_real_files_are_the_pinned_ones(data):
    for file in data.files:
        path = os.path.join(REAL, data.folder, file.name)
        if not REAL or not os.path.exists(path):
            pytest.skip(f"BACKLIGHT_DATA has no {data.folder}/{file.name}")
        with open(path, "rb") as content:
            assert (os.path.getsize(path), hashlib.file_digest(content, "sha256").hexdigest()) == (
                file.size, file.sha256
            )  # fmt: skip


def test_real_sets():
    if not REAL or not os.path.isdir(os.path.join(REAL, "mnist")):
        pytest.skip("BACKLIGHT_DATA is not set, or has no mnist")
    (x, y), (x_test, y_test) = mnist.load_data()
    assert (x.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert y[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    text = shakespeare.load_data()
    assert (len(text), len(set(text)), len(names.load_data())) == (1115394, 65, 32033)
