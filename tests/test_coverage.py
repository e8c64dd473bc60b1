"""The coverage table says the truth about every public name of the installed NumPy."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import backlight
from backlight.array import FUNCTIONS, Array
from backlight.errors import BacklightError, UnsupportedError
from backlight.numpy_api import coverage
from backlight.numpy_api.reasons import CATEGORIES, UNSUPPORTED

ROWS = {row.name: row for row in coverage.table()}


def function_of(name: str) -> Any:
    prefix, _, last = name.rpartition(".")
    return getattr(coverage.MODULES[prefix], last)


def test_every_public_name_has_one_row() -> None:
    public = [
        f"{prefix}.{name}"
        for prefix, module in coverage.MODULES.items()
        for name in dir(module)
        if not name.startswith("_") and callable(getattr(module, name))
    ]
    assert sorted(ROWS) == sorted(public)
    assert len(coverage.table()) == len(public)
    assert sum(coverage.counts().values()) == len(public)


def test_every_row_gives_its_reason_in_both_languages() -> None:
    for row in ROWS.values():
        assert row.status in coverage.STATUSES
        assert row.en
        assert row.zh
        assert row.en != row.zh


def test_every_reason_is_used() -> None:
    """A reason for a name that NumPy no longer has, or that is supported by now, is a mistake."""
    named = {name for name in UNSUPPORTED if "*" not in name}
    assert named - {"np.in1d", "np.row_stack", "np.trapz"} <= set(ROWS)  # old names, which some versions still have
    used = {(row.en, row.zh) for row in ROWS.values()}
    assert set(CATEGORIES.values()) <= used


def test_nothing_is_unsupported_without_a_reason_of_its_own() -> None:
    general = UNSUPPORTED["*"][0]
    assert [row.name for row in ROWS.values() if row.en == general] == []


def test_a_differentiable_function_is_registered() -> None:
    for row in ROWS.values():
        if row.status == "differentiable":
            assert function_of(row.name) in FUNCTIONS, row.name


def dispatches(function: Any) -> bool:
    """Whether NumPy asks an Array before it does anything else."""
    return isinstance(function, np.ufunc | type(np.sum))


UNSUPPORTED_ROWS = [row for row in ROWS.values() if row.status == "unsupported" and dispatches(function_of(row.name))]


@pytest.mark.parametrize("row", UNSUPPORTED_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_unsupported_function_says_why(row: coverage.Row, language: str, monkeypatch: Any) -> None:
    """The protocol is called as NumPy calls it: whatever the arguments, the answer is the same."""
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    x, function = backlight.array([1.0, 2.0]), function_of(row.name)
    if isinstance(function, np.ufunc):
        called, arguments = x.__array_ufunc__, (function, "__call__", x)
    else:
        called, arguments = x.__array_function__, (function, (Array,), (x,), {})
    with pytest.raises(UnsupportedError) as caught:
        called(*arguments)
    assert (row.zh if language == "zh" else row.en) in str(caught.value)
    assert row.nearest in str(caught.value)
    assert __file__ in str(caught.value)


CONVERSIONS = [np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.asarray_chkfinite]


@pytest.mark.parametrize("function", CONVERSIONS, ids=lambda function: function.__name__)
def test_a_conversion_to_a_plain_array_is_refused(function: Any) -> None:
    with pytest.raises(BacklightError):
        function(backlight.array([1.0, 2.0]))


def test_the_nearest_function_exists() -> None:
    """Where the table names one function of NumPy's to use instead, it is supported."""
    for row in ROWS.values():
        if row.nearest in ROWS:
            assert ROWS[row.nearest].status != "unsupported", row


def test_an_unknown_ufunc_is_refused_with_a_suggestion() -> None:
    unknown = np.frompyfunc(lambda x: x, 1, 1)
    with pytest.raises(UnsupportedError, match="custom_gradient"):
        unknown(backlight.array([1.0]))


def test_the_document_is_current() -> None:
    """Run ``backlight coverage --markdown > docs/coverage.md`` after a change."""
    path = Path(__file__).parent.parent / "docs" / "coverage.md"
    written, current = path.read_text(encoding="utf-8").splitlines(), coverage.coverage_markdown().splitlines()
    if written[2] == current[2]:
        assert written == current
    else:  # another version of NumPy: other names, but what is said of the common ones is the same
        ours, theirs = (
            {line.split("`")[1]: line for line in lines if line.startswith("| `")} for lines in (written, current)
        )
        common = ours.keys() & theirs.keys()
        assert len(common) > 500
        assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}


@pytest.mark.parametrize(("language", "heading"), [("en", "use instead"), ("zh", "可改用")])
def test_the_terminal_table(language: str, heading: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("BACKLIGHT_LANG", language)
    console = Console(width=200, record=True, file=StringIO())
    console.print(coverage.rich_table("unsupported"))
    text = console.export_text()
    assert heading in text
    assert "np.save" in text
    assert "np.tanh" not in text
