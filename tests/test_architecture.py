"""The house keeps its shape: one-way imports, pinned public names, small files, everything documented, fast import."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import backlight
from backlight.primitive import REGISTRY, Elementwise

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "backlight"

ORDER = [
    # A module imports only what stands before it: this is the order in which data flows.
    "messages",
    "errors",
    "tree",
    "layout",
    "locks",
    "primitive",
    "infer",
    "source",
    "graph",
    "trace",
    "refusal",
    "philox",
    "ops",
    "indexing",
    "methods",
    "array",
    "variable",
    "views",
    "numpy_api",
    "functions",
    "windows",
    "differentiate",
    "simplify",
    "interpret",
    "lifting",
    "memo",
    "batching",
    "transforms",
    "custom",
    "tape",
    "checking",
    "loops",
    "random",
    "compiler",
    "data",
    "optim",
    "nn",
    "train",
    "keras",
    "explain",
    "demo",
    "cli",
]

PUBLIC = {
    "Array", "BacklightError", "CheckReport", "GradientTape", "array", "average_pool", "check",
    "checkpoint", "compile", "cond", "convolution", "convolution_transpose", "custom_gradient", "erf",
    "fori_loop", "gelu", "grad", "hessian", "hvp", "jacobian", "jvp", "keras", "load", "log_softmax", "logsumexp",
    "max_pool", "one_hot", "polygamma", "random", "relu", "scan", "scope", "sigmoid", "silu",
    "softmax", "softplus", "stop_gradient", "tree_map", "value_and_grad", "vjp", "vmap",
    "while_loop",
}  # fmt: skip


# A folder of one machine or person; written in pieces, so that this file does not name one either.
MACHINE_PATHS = re.compile(
    r"(?<![\w.~-])(?:/" + "|/".join(("home", "Users", "root", "work", "tmp", "mnt", "opt")) + r")/\w+"
)


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def place(module: str) -> int:
    """The position of a module's family in the order."""
    return ORDER.index(module.split(".")[1])


def imports(path: Path) -> list[tuple[str, int]]:
    """The modules of Backlight that a file imports, wherever in the file, except for type checkers alone."""
    found = []
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names if alias.name.startswith("backlight.")]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "backlight":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                name = name if name in MODULES else node.module
                if name != "backlight":
                    found.append((name, node.lineno))
    return found


@pytest.mark.parametrize("module", [name for name in MODULES if name != "backlight"])
def test_imports_flow_one_way(module: str) -> None:
    for imported, line in imports(MODULES[module]):
        assert place(imported) <= place(module), f"{module}:{line} imports {imported}, which stands later in the order"


def test_every_module_has_a_place_and_the_documentation_tells_it() -> None:
    families = {name.split(".")[1] for name in MODULES if "." in name}
    assert families == set(ORDER)
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    positions = [text.find(f"`{family}") for family in ORDER]
    assert -1 not in positions, f"not in docs/architecture.md: {ORDER[positions.index(-1)]}"


def test_public_names_are_pinned() -> None:
    assert set(backlight.__all__) == PUBLIC
    assert list(backlight.__all__) == sorted(backlight.__all__)
    for name in PUBLIC:
        assert getattr(backlight, name) is not None
        assert name in dir(backlight)


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_small(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= 700, f"{module} has {lines} lines: split it by what it is about"


def documented(module: Any) -> list[tuple[str, Any]]:
    found = []
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if callable(thing) and getattr(thing, "__module__", None) == module.__name__:
            found.append((name, thing))
            if isinstance(thing, type):
                found += [
                    (f"{name}.{attribute}", value)
                    for attribute, value in vars(thing).items()
                    if callable(value) and not attribute.startswith("_")
                ]
    return found


NDARRAY = set(dir(__import__("numpy").ndarray))  # methods that do what NumPy documents need no text of their own


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_documented(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__doc__, f"{module} does not say what it is for"
    for name, thing in documented(loaded):
        if name.split(".")[-1] not in NDARRAY:
            assert (thing.__doc__ or "").strip(), f"{module}.{name} has no docstring"


@pytest.mark.parametrize("name", sorted(PUBLIC - {"keras", "random", "BacklightError", "CheckReport"}))
def test_public_names_come_with_an_example(name: str) -> None:
    examples = doctest.DocTestFinder(recurse=False).find(getattr(backlight, name), name)
    assert any(test.examples for test in examples), f"backlight.{name} has no runnable example"


def test_every_primitive_explains_itself() -> None:
    assert len(REGISTRY) >= 60
    for record in REGISTRY:
        assert record.why.en.endswith((".", "?", "!")), record.name
        assert any("\u4e00" <= letter <= "\u9fff" for letter in record.why.zh), record.name
        if isinstance(record, Elementwise) and record.kinks:
            assert record.at_kink, record.name


def test_importing_costs_little_more_than_numpy() -> None:
    """At most 1.5 times; the ratio of interleaved runs, compiled files included in both."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(ROOT)}

        def seconds(module: str) -> float:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)
            return time.perf_counter() - start

        seconds("backlight")
        seconds("backlight")
        ratios = []
        for _ in range(9):
            numpy, ours = seconds("numpy"), seconds("backlight")
            ratios.append(ours / numpy)
    assert statistics.median(ratios) <= 1.5


def test_heavy_modules_are_not_imported() -> None:
    code = "import sys, backlight; print(sorted({'rich', 'scipy', 'argparse', 'json', 'html'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_no_text_names_a_place_on_one_machine() -> None:
    """What is written here is read, and run, elsewhere."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    kinds = {".py", ".md", ".toml", ".css", ".js", ".html", ""}
    files = [ROOT / name for name in listed] or [*PACKAGE.rglob("*"), *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    texts = [path for path in files if path.is_file() and path.suffix in kinds]
    assert len(texts) > 50
    for path in texts:
        found = MACHINE_PATHS.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(ROOT)} names {found and found[0]}"
