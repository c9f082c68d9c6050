# `make demo` and `make test` need only Python >= 3.11, make, git and a package index.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python

unexport PYTHONDONTWRITEBYTECODE  # tests start many processes: compiling all modules in each takes seconds

.PHONY: demo test check suite compiled simulator install lock

install: .venv/installed

# uv takes seconds; pip knows its own index settings. The lock is complete: nothing need be asked about it.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) uv
	$(UV) --no-deps -r requirements.lock || $(PIP) --no-deps -r requirements.lock
	$(UV) --no-deps -e . || $(PIP) --no-deps -e .
	touch $@

demo: install  ## simulate a shop, predict, write the reports into ./demo
	$(BIN)/likelier demo --home demo

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: install
	$(MAKE) --no-print-directory --jobs=2 check suite

suite: compiled simulator
	$(BIN)/pytest -n 4 --no-loadscope-reorder  # pages, Java, and processes to be killed, wait for half their time

compiled: install  # what otherwise every worker of the suite compiles: all modules, and what Numba makes machine code of
	$(BIN)/pytest -m compiles --ignore tests/simulate

simulator: install
	$(BIN)/pytest tests/simulate -m compiles

lock:  # writes requirements.lock anew from pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock
