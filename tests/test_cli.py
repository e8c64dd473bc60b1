"""The command line: what it does, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from backlight.cli import main


def refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"backlight \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["demo", "--help"], ["coverage", "--help"], ["primitives", "--help"]]
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_help(words, lang, capsys, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    if words:
        with pytest.raises(SystemExit, match="0"):
            main(words)
    else:
        assert main(words) == 0
    text = capsys.readouterr().out
    assert ("用法" if lang == "zh" else "Usage") in text
    if lang == "zh":
        assert not re.search(r"usage|options:|show this", text)
    if words == ["demo", "--help"]:
        assert all(option in text for option in ("--data", "--seed", "--epochs", "--out", "--no-page"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dmeo"], "demo"),
        (["demo", "--sed", "3"], "--seed"),
        (["demo", "--seed", "x"], "whole number"),
        (["demo", "--seed", "-1"], "whole number"),
        (["demo", "--seed", "1.5"], "whole number"),
        (["demo", "--seed"], "expected one argument"),
        (["demo", "--epochs", "0"], "whole number from 1"),
        (["demo", "--data", "cifar"], "digits or mnist"),
        (["demo", "extra"], "extra"),
        (["--versoin"], "--version"),
    ],
)
def test_mistakes_are_named(words, said, capsys):
    text = refused(words, capsys)
    assert said in text
    assert "--help" in text


def test_mistakes_in_chinese(capsys, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    assert "整数" in refused(["demo", "--seed", "x"], capsys)
    assert "需要一个值" in refused(["demo", "--seed"], capsys)
    assert "是否想输入 demo" in refused(["dmeo"], capsys)


def test_missing_folder_is_said_before_training(capsys, tmp_path):
    assert main(["demo", "--out", str(tmp_path / "no" / "page.html")]) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_that_cannot_be_written_is_said_before_training(lang, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", lang)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert main(["demo", "--out", str(tmp_path / ("x" * 300))]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert ("文件夹" if lang == "zh" else "is a folder") in said.err
    assert ("无法写入" if lang == "zh" else "cannot be written") in said.err
    assert not list(tmp_path.iterdir())


def test_a_terminal_without_the_letters_gets_question_marks():
    code = "from backlight.cli import main; raise SystemExit(main(['demo', '--epochs', '1', '--no-page']))"
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "BACKLIGHT_LANG": "zh"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"?loss/?W1[" in done.stdout


def test_missing_data_is_said_without_a_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path))
    monkeypatch.setenv("BACKLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BACKLIGHT_DOWNLOAD", "off")
    assert main(["demo", "--data", "mnist", "--no-page"]) == 1
    text = capsys.readouterr().err
    assert "train-images-idx3-ubyte.gz" in text
    assert "Traceback" not in text


def test_demo_writes_the_page(capsys, tmp_path):
    out = tmp_path / "page.html"
    assert main(["demo", "--epochs", "1", "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    assert out.stat().st_size > 50_000


@pytest.mark.parametrize("words", [["coverage"], ["coverage", "--markdown"]])
def test_coverage(words, capsys):
    assert main(words) == 0
    assert "np.tanh" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["primitives"], ["primitives", "--markdown"]])
def test_primitives(words, capsys):
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "∂y/∂x = cos(x)" in text
    assert "x2 ← x1ᵀ @ g" in text


def test_importing_backlight_does_not_import_the_terminal():
    code = "import sys, backlight; print([m for m in sys.modules if m.split('.')[0] in ('rich', 'argparse')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
