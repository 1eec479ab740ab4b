# Everything here sets itself up: Python 3.11+ with venv is all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench clean

demo: $(READY)
	$(BIN)/gitopsd demo

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	cd tests && ../$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -m "not benchmark" -n 2 --dist worksteal

# Under half a minute: what to run before each commit.
check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pytest -q -x -m "not slow and not contract and not benchmark" tests/model tests/plugin tests/reconcile tests/config tests/architecture

bench: $(READY)
	$(BIN)/pytest -q -s -m benchmark tests/benchmark

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $(READY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
