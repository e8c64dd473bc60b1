"""``backlight demo``: train, explain one step, derive one weight, write the page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import backlight
from backlight.demo.network import cross_entropy, probabilities
from backlight.demo.training import SETTINGS, Data, Training, load
from backlight.explain import Derivation, Explanation, derive, explain
from backlight.explain.page import Bars, Both, Curve, Picture, Story, page
from backlight.explain.table import backward_lines, backward_table
from backlight.explain.words import choose, derivation_text, number

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Trained", "explain_step", "run", "story", "train"]

WIDE = 118  # columns that the table needs
RATE = 1.0  # of the one step that is explained: the gradient itself is subtracted
STYLES = {"head": "bold", "why": "dim italic", "symbols": "dim", "term": "", "numbers": "yellow", "same": "dim"}
INDENTS = {"head": "", "why": "  ", "symbols": "  ", "term": "      ", "numbers": "  ", "same": "  "}


class Trained(NamedTuple):
    """What training gave."""

    data: Data
    parameters: dict[str, Any]
    loss: tuple[float, ...]  # after every epoch, the mean over its batches
    accuracy: tuple[float, ...]  # after every epoch, on the held-out images
    seconds: float


class Explained(NamedTuple):
    """One more training step, on the training image that is read worst."""

    image: int
    explanation: Explanation
    derivation: Derivation
    before: np.ndarray[Any, Any]
    after: np.ndarray[Any, Any]


def train(name: str, seed: int, epochs: int | None, console: Console) -> Trained:
    """Train on the data set called ``name`` and show how it goes."""
    data = load(name, seed)
    settings = SETTINGS[name] if epochs is None else SETTINGS[name]._replace(epochs=epochs)
    training = Training(data, settings, seed)
    losses: list[float] = []
    accuracies: list[float] = []
    epoch_losses: list[float] = []
    start = time.perf_counter()
    with _bar(console) as bar:
        task = bar.add_task("", total=settings.epochs * training.batches)
        for step in training:
            epoch_losses.append(step.loss)
            bar.advance(task)
            if step.accuracy is not None:
                losses.append(float(np.mean(epoch_losses)))
                accuracies.append(step.accuracy)
                epoch_losses = []
                epoch = choose("epoch {k}/{n}", "第 {k}/{n} 轮").format(k=step.epoch, n=settings.epochs)
                said = choose(
                    "{epoch}  loss {loss:.3f}  held out {share:.1%}", "{epoch}  损失 {loss:.3f}  留出 {share:.1%}"
                )
                text = said.format(epoch=epoch, loss=losses[-1], share=step.accuracy)
                bar.update(task, description=text)
                if not console.is_terminal and (step.epoch % 10 == 0 or step.epoch == settings.epochs):
                    console.print(text, highlight=False)
    return Trained(data, training.parameters, tuple(losses), tuple(accuracies), time.perf_counter() - start)


def _bar(console: Console) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = [TextColumn("{task.description}"), BarColumn(bar_width=None if console.width < 80 else 32)]
    return Progress(*columns, console=console, disable=not console.is_terminal, expand=console.width < 80)


def explain_step(trained: Trained) -> Explained:
    """Take one more step, on the training image with the largest loss, and keep how its gradient came about."""
    data = trained.data
    shares = probabilities(trained.parameters, data.x)
    image = int(shares[np.arange(len(data.labels)), data.labels].argmin())
    x, labels = data.x[image : image + 1], data.labels[image : image + 1]
    parameters = {name: backlight.array(value, name=name) for name, value in trained.parameters.items()}
    loss = cross_entropy(parameters, backlight.array(x, name="x"), labels)
    explanation = explain(loss, list(parameters.values()))
    gradients = {name: explanation.gradients[parameters[name].node].value for name in parameters}
    stepped = {name: value - RATE * gradients[name] for name, value in trained.parameters.items()}
    largest = np.unravel_index(np.abs(gradients["W1"]).argmax(), gradients["W1"].shape)
    derivation = derive(explanation, "W1", tuple(int(i) for i in largest))
    return Explained(image, explanation, derivation, shares[image], probabilities(stepped, x)[0])


def story(name: str, trained: Trained, explained: Explained) -> Story:
    """What stands around the graph on the page."""
    data = trained.data
    truth = int(data.labels[explained.image])
    read = int(explained.before.argmax())
    share, rose = explained.before[truth], explained.after[truth]
    source = {"digits": Both("UCI handwritten digits", "UCI 手写数字"), "mnist": Both("MNIST", "MNIST")}[name]
    examined, learnt = len(data.held_out_x), len(data.x)
    final = trained.accuracy[-1]
    title = Both("How one training step came about", "一次训练步骤是如何发生的")
    introduction = Both(
        f"A network of {data.side**2}, 32 and 10 units learnt from {learnt:,} images ({source.en}), and reads "
        f"{final:.1%} of {examined:,} images it had never seen. Here it takes one more step, on the training image it "
        "finds hardest: every value on the way to the loss, and every gradient on the way back.",
        f"一个 {data.side**2}-32-10 的网络用 {learnt:,} 幅图像（{source.zh}）学习，"
        f"能认出 {examined:,} 幅从未见过的图像中的 {final:.1%}。"
        "这里它在最难的一幅训练图像上再走一步：通往损失的每个数值，以及回程中的每个梯度。",
    )
    if read == truth:
        seen = Both(
            f"Labelled {truth}. The network agrees, but hesitates most over this one.",
            f"标签是 {truth}。网络认对了，但对它最为犹豫。",
        )
    else:
        seen = Both(f"Labelled {truth}; the network reads {read}.", f"标签是 {truth}，网络却认成 {read}。")
    believes = Both(
        f"Before the step (grey) and after it. The right answer, {truth}, goes from {share:.1%} to {rose:.1%}.",
        f"步骤之前（灰）与之后。正确答案 {truth} 从 {share:.1%} 变为 {rose:.1%}。",
    )
    learning = Both(
        f"{len(trained.loss)} epoch{'s' if len(trained.loss) > 1 else ''} in {trained.seconds:.1f} s.",
        f"{len(trained.loss)} 轮，用时 {trained.seconds:.1f} 秒。",
    )
    return Story(
        title,
        introduction,
        Picture(data.x[explained.image].reshape(data.side, data.side), seen),
        Bars(tuple("0123456789"), explained.before, explained.after, truth, believes),
        Curve(trained.loss, trained.accuracy, learning),
    )


def run(
    console: Console, name: str = "digits", seed: int = 0, epochs: int | None = None, out: Path | None = None
) -> Trained:
    """The whole demo: train, explain, print, and write the page to ``out`` (no page if it is ``None``)."""
    trained = train(name, seed, epochs, console)
    examined = len(trained.data.held_out_x)
    result = choose(
        "Reads {share:.2%} of {n:,} held-out images rightly, after {seconds:.1f} s.",
        "正确识别 {n:,} 幅留出图像中的 {share:.2%}，用时 {seconds:.1f} 秒。",
    ).format(share=trained.accuracy[-1], n=examined, seconds=trained.seconds)
    console.print(result, style="bold green", highlight=False)
    explained = explain_step(trained)
    _print_table(console, trained, explained)
    _print_derivation(console, explained)
    if out is not None:
        out.write_text(page(explained.explanation, story(name, trained, explained), explained.derivation), "utf-8")
        console.print()
        console.print(
            choose(
                "Wrote {out}. Open it in a browser; it needs no network.", "已写出 {out}。用浏览器打开即可，无需联网。"
            ).format(out=out),
            style="bold",
            highlight=False,
            soft_wrap=True,
        )
    return trained


def _print_table(console: Console, trained: Trained, explained: Explained) -> None:
    truth = int(trained.data.labels[explained.image])
    _title(console, choose("One training step, backwards", "一次训练步骤的反向传播"))
    about = choose(
        "One more step, on the training image that the network finds hardest: a {truth}, to which it gives "
        "{share:.1%}. Every edge from the loss to the first weights; of an array, the smallest … the largest entry.",
        "在网络觉得最难的训练图像上再走一步：数字 {truth}，网络只给了 {share:.1%}。"
        "从损失到第一层权重的每条边；数组写作 最小值 … 最大值。",
    ).format(truth=truth, share=explained.before[truth])
    console.print(about, highlight=False)
    console.print()
    record = explained.explanation.record
    if console.is_terminal and console.width >= WIDE:
        console.print(backward_table(record))
    else:
        for line in backward_lines(record):
            console.print(
                line,
                style="bold" if not line.startswith(" ") else "",
                highlight=False,
                markup=False,
                soft_wrap=not console.is_terminal,
            )


def _print_derivation(console: Console, explained: Explained) -> None:
    from rich.padding import Padding
    from rich.text import Text

    derivation = explained.derivation
    name = f"{derivation.label}[{', '.join(map(str, derivation.index))}]"
    _title(
        console,
        choose("Why the gradient of {name} is {value}", "{name} 的梯度为什么是 {value}").format(
            name=name, value=number(derivation.value)
        ),
    )
    for role, line in derivation_text(explained.explanation, derivation):
        if console.is_terminal:
            console.print(Padding(Text(line, STYLES[role]), (0, 0, 0, len(INDENTS[role]))))
        else:
            console.print(INDENTS[role] + line, highlight=False, markup=False, soft_wrap=True)


def _title(console: Console, text: str) -> None:
    console.print()
    if console.is_terminal:
        console.rule(f"[bold]{text}", align="left", style="yellow")
    else:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    console.print()
