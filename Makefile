# `make demo` and `make test` need Python 3.11+ with venv, and nothing else. Paths with spaces are fine.
PYTHON ?= python3
BIN := .venv/bin
ILLNESS ?= learning-rate-too-high

# the example stays out: its rule and its reader would join every diagnosis; its tests install it elsewhere
ADAPTERS := $(filter-out %-example/pyproject.toml,$(wildcard plugins/*/pyproject.toml))

.PHONY: demo test setup adapters format lint types contracts pytest bench samples clean

demo: setup
	@$(BIN)/trainhealth demo --illness "$(ILLNESS)"

test: lint types contracts pytest

setup: .venv/.ready

# torch is pinned in constraints.txt: any other version may download gigabytes
.venv/.ready: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "setting up .venv (once; about a minute) …" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[torch,demo]" --group dev
	@touch $@

adapters: .venv/.adapters

.venv/.adapters: .venv/.ready $(ADAPTERS)
	@echo "setting up the frameworks that the adapters are tested with (once; about a minute) …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group adapters
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(ADAPTERS:%/pyproject.toml=--editable ./%)
	@touch $@

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: adapters
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

pytest: adapters
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

bench: setup
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/overhead.py

samples: setup
	$(BIN)/python sample_logs/make.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
