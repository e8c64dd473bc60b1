# Two commands do everything on a fresh machine with Python 3.11 and make:  make demo  and  make test
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench parity clean

demo: .venv/installed
	$(BIN)/backlight demo

test: .venv/installed-dev
	$(BIN)/python -m pytest -n auto

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py -n 0

bench: .venv/installed-bench
	$(BIN)/python -m benchmarks

parity: .venv/installed-bench
	$(BIN)/python -m benchmarks.parity

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: pyproject.toml .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

.venv/installed-bench: pyproject.toml .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,bench]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
