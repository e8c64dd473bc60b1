"""What the documents say is so: examples run, links lead somewhere, files that must exist are there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from backlight.explain.primitives import entries, primitives_markdown
from backlight.primitive import REGISTRY, Elementwise

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "backlight" / "demo" / "DIGITS.md"])


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_LANG", "en")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_examples_run(document):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, _ = doctest.testfile(str(document), module_relative=False, optionflags=flags, encoding="utf-8")
    assert not failed


def test_the_readme_has_examples_and_opens_with_the_two_commands():
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.count(">>> ") > 20
    assert 0 < text.index("make demo") < text.index("make test") < 250


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LOG.md", "docs/architecture.md"])
def test_documents_exist(name):
    assert len((ROOT / name).read_text("utf-8")) > 500


def test_the_table_of_primitives_is_current():
    written = (ROOT / "docs" / "primitives.md").read_text("utf-8")
    assert written == primitives_markdown(), "run: backlight primitives --markdown > docs/primitives.md"


def test_every_primitive_shows_its_rule():
    found = {entry.name: entry for entry in entries()}
    assert set(found) == {record.name for record in REGISTRY if not record.transient}
    for name, entry in found.items():
        record = getattr(REGISTRY, name)
        rules = record.partials if isinstance(record, Elementwise) else record.pullback
        flows = not isinstance(rules, tuple) or any(rule is not None for rule in rules)
        assert bool(entry.rules) == (flows or name == "item"), name  # an item's rule is part of the walk itself
        for rule in entry.rules:
            assert rule.text.strip()
            assert not rule.text.endswith("…")


def test_licence_is_complete():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert text.count("\n") == 202


def test_files_named_in_the_architecture_exist():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
        assert any((ROOT / "backlight" / folder / name).exists() for folder in ("", "explain", "demo", "compiler")), (
            name
        )
