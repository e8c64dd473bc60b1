"""What is seen of a training: on terminals of any width, in files, however much or little is reported."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest
from pretended import Model
from rich.cells import cell_len
from rich.console import Console

from backlight.train import callbacks
from backlight.train.callbacks import display, progress

LOGS = {"loss": 0.125, "accuracy": 0.75, "val_loss": 0.25, "val_accuracy": 0.5}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "_clock", made)
    monkeypatch.setenv("BACKLIGHT_LANG", "en")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return made


class Terminal(Console):
    """A terminal that keeps what it is sent."""

    def __init__(self, width: int = 80, encoding: str = "utf-8", **named: Any) -> None:
        self.bytes = io.BytesIO()
        self.sink = io.TextIOWrapper(self.bytes, encoding, write_through=True, newline="")
        super().__init__(file=self.sink, width=width, height=24, force_terminal=True, color_system=None, **named)

    def sent(self) -> str:
        return self.bytes.getvalue().decode(self.sink.encoding)

    def screen(self) -> list[str]:
        """The lines that stand there in the end, and every line that ever did, no wider than the terminal."""
        lines, row = [""], 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", self.sent()):
            if part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif part == "\x1b[2K":
                lines[row] = ""
            elif match := re.fullmatch(r"\x1b\[(\d+)A", part):
                row -= int(match[1])
            elif part[0] not in "\x1b\r":
                lines[row] += part
                assert cell_len(lines[row]) < self.width
        assert self.sent().count("\x1b[?25l") == self.sent().count("\x1b[?25h")  # the cursor is back
        return [line for line in lines if line]


def run(
    clock: Clock,
    console: Any = None,
    epochs: int = 2,
    steps: Any = 100,
    step: float = 0.01,
    chunk: int = 1,
    verbose: Any = "auto",
    logs: Any = LOGS,
    model: Any = None,
) -> None:
    model = Model(0.001) if model is None else model
    bar = callbacks.ProgressBar(console=console)
    with callbacks.CallbackList(bar, model=model, epochs=epochs, steps=steps, verbose=verbose) as every:
        every.on_train_begin()
        for epoch in range(epochs):
            every.on_epoch_begin(epoch)
            for number in range(steps or 100):
                clock.now += step
                if chunk and (number + 1) % chunk == 0:
                    every.on_train_batch_end(number, {"loss": 0.5})
            every.on_test_begin()
            clock.now += 10 * step
            every.on_test_end({"loss": 0.25})
            every.on_epoch_end(epoch, dict(logs))
            if model.stop_training:
                break
        every.on_train_end()


LAST = "Epoch 2/2 ━━━━━━━━━━━━━━━━━━━━ 100/100"
TIMES = "rate 0.001  10 ms/step  1.1 s"
SCREENS: dict[int, list[str]] = {
    24: [
        "Epoch 2/2 ━━━━━ 100/100",
        "loss 0.1250",
        "accuracy 0.7500",
        "val_loss 0.2500",
        "val_accuracy 0.5000",
        "rate 0.001  10 ms/step",
        "1.1 s",
    ],
    40: [LAST, "loss 0.1250  accuracy 0.7500", "val_loss 0.2500  val_accuracy 0.5000", TIMES],
    80: [f"{LAST}  loss 0.1250  accuracy 0.7500", f"val_loss 0.2500  val_accuracy 0.5000  {TIMES}"],
    160: [f"{LAST}  loss 0.1250  accuracy 0.7500  val_loss 0.2500  val_accuracy 0.5000  {TIMES}"],
}


@pytest.mark.parametrize("chunk", [1, 7, 100, 0])
@pytest.mark.parametrize("width", SCREENS)
def test_a_terminal_shows_every_epoch_once(width: int, chunk: int, clock: Clock) -> None:
    terminal = Terminal(width)
    run(clock, terminal, chunk=chunk)
    last = SCREENS[width]
    assert terminal.screen() == [line.replace("Epoch 2", "Epoch 1") for line in last] + last


@pytest.mark.parametrize("width", [1, 10, 40])
def test_chinese_fits_as_well(width: int, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    terminal = Terminal(width)
    run(clock, terminal, logs={"a_metric_with_a_name_that_is_longer_than_the_terminal": 1.0})
    assert width < 40 or "第 2/2 轮" in "\n".join(terminal.screen())


def test_what_is_seen_while_training_goes_on(clock: Clock) -> None:
    terminal = Terminal(160)
    run(clock, terminal, epochs=2, steps=100, step=0.1)
    sent = terminal.sent()
    assert "Epoch 1/2 ──────────────────── 0/100  rate 0.001" in sent
    assert "Epoch 1/2 ━━━━━━━━━━────────── 50/100  loss 0.5000  rate 0.001  100 ms/step  15 s left" in sent
    assert "validating" in sent
    assert "validating" not in "".join(terminal.screen())


@pytest.mark.parametrize("step", [1e-6, 1e-4, 0.01, 1.0])
def test_pictures_are_few(step: float, clock: Clock) -> None:
    """About ten a second, and for every epoch that is seen to begin one when it does and one when it ends."""
    terminal = Terminal(160)
    before = clock.now
    run(clock, terminal, epochs=30, steps=20, step=step)
    pictures = terminal.sent().count("Epoch ")
    shown = len(terminal.screen())
    assert pictures <= (clock.now - before) / progress.INTERVAL + 3 * shown + 1
    assert terminal.screen()[-1].startswith("Epoch 30/30")
    assert shown == 30 or step < 0.001


def test_the_last_epoch_is_shown_wherever_it_ends(clock: Clock) -> None:
    terminal, model = Terminal(), Model()
    model.stop_training = True
    run(clock, terminal, epochs=50, steps=2, step=1e-6, model=model)
    assert terminal.screen()[-2].startswith("Epoch 1/50")


def test_an_epoch_that_is_one_long_call_is_seen_to_begin(clock: Clock) -> None:
    terminal = Terminal(160)
    run(clock, terminal, epochs=3, chunk=0)
    for epoch in (1, 2, 3):
        assert f"Epoch {epoch}/3 ──────────────────── 0/100" in terminal.sent()


def test_steps_that_nobody_counted(clock: Clock) -> None:
    terminal = Terminal(160)
    run(clock, terminal, steps=None)
    assert re.search(r"Epoch 1/2 \d\d  loss", terminal.sent())
    assert re.search(r"Epoch 2/2 ━+─+ \d\d/100  loss", terminal.sent())
    assert len(terminal.screen()) == 2


def interrupted(every: Any) -> None:
    every.on_train_begin()
    every.on_epoch_begin(0)
    raise KeyboardInterrupt


def test_an_interruption_leaves_the_terminal_as_it_was(clock: Clock) -> None:
    terminal = Terminal()
    output = sys.stdout
    bar = callbacks.ProgressBar(console=terminal)
    every = callbacks.CallbackList(bar, model=Model(), epochs=2, steps=4, verbose=1)
    with pytest.raises(KeyboardInterrupt), every:
        interrupted(every)
    assert sys.stdout is output
    assert terminal.screen() == ["Epoch 1/2 ──────────────────── 0/4  rate 0.1"]


def test_what_others_say_stands_above_the_bar(clock: Clock) -> None:
    terminal = Terminal(160)
    told = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: sys.stdout.write("a word\n"))
    bar = callbacks.ProgressBar(1, terminal)
    with callbacks.CallbackList([told, bar], model=Model(), epochs=1, steps=1) as every:
        every.on_train_begin()
        every.on_epoch_begin(0)
        clock.now += 1
        every.on_epoch_end(0, {"loss": 1.0})
        every.on_train_end()
    assert [line[:9] for line in terminal.screen()] == ["a word", "Epoch 1/1"]


def test_letters_that_a_terminal_does_not_have(clock: Clock) -> None:
    terminal = Terminal(60, "ascii")
    run(clock, terminal)
    assert terminal.screen()[0] == "Epoch 1/2 ==================== 100/100  loss 0.1250"


# -- Lines -----------------------------------------------------------------------------------------------------------

LINE = "loss 0.1250 - accuracy 0.7500 - val_loss 0.2500 - val_accuracy 0.5000 - rate 0.001 - 10 ms/step - 1.1 s"


@pytest.mark.parametrize("verbose", [1, 2, "auto", True])
@pytest.mark.parametrize("chunk", [1, 0])
def test_elsewhere_every_epoch_is_a_line(
    verbose: Any, chunk: int, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    run(clock, verbose=verbose, chunk=chunk)
    assert capsys.readouterr().out.splitlines() == [f"Epoch 1/2 - {LINE} - 1.1 s left", f"Epoch 2/2 - {LINE}"]


def test_a_line_for_every_epoch_on_a_terminal_too(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    run(clock, terminal, epochs=20, step=1e-6, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 20
    assert terminal.sent() == ""


@pytest.mark.parametrize("verbose", [0, False])
def test_silence(verbose: Any, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    run(clock, terminal, verbose=verbose)
    assert terminal.sent() + capsys.readouterr().out == ""


def test_letters_that_a_file_does_not_have(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", file)
    monkeypatch.setenv("BACKLIGHT_LANG", "zh")
    run(clock, verbose=2, step=1e-6)
    file.seek(0)
    assert "loss 0.1250" in file.read()


@pytest.mark.parametrize(("phase", "title"), [("test", "Evaluating"), ("predict", "Predicting")])
def test_outside_of_training(phase: str, title: str, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(160)
    logs = {"loss": 0.5} if phase == "test" else None
    said = "  loss 0.5000" if logs else ""
    for console in (terminal, None):
        every = callbacks.CallbackList(callbacks.ProgressBar("auto", console), steps=10, model=Model())
        getattr(every, f"on_{phase}_begin")()
        for number in range(10):
            clock.now += 0.25
            getattr(every, f"on_{phase}_batch_end")(number, logs)
        getattr(every, f"on_{phase}_end")(logs)
    assert terminal.screen() == [f"{title} ━━━━━━━━━━━━━━━━━━━━ 10/10{said}  250 ms/step  2.5 s"]
    assert capsys.readouterr().out == f"{title}{said.replace('  ', ' - ')} - 250 ms/step - 2.5 s\n"


def test_numbers_that_were_made_up_are_read_easily() -> None:
    assert [display.number(x) for x in (-0.5, 1e-3, 9.99e-4, -1e-9, 99999.0, 1e5, float("inf"))] == [
        "-0.5000",
        "0.0010",
        "9.9900e-04",
        "-1.0000e-09",
        "99999.0000",
        "1.0000e+05",
        "inf",
    ]
    times = (0.0, 9.94e-6, 9.96e-6, 9.99e-4, 1e-3, 0.9994, 0.9996, 59.9, 59.96, 3599.4, 3599.6)
    wanted = ["0.0 µs", "9.9 µs", "10 µs", "999 µs", "1.0 ms", "999 ms", "1.0 s", "60 s", "1:00", "59:59", "1:00:00"]
    assert [display.duration(t) for t in times] == wanted
