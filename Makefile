# Needs python3 (3.11 or later) with venv and pip, make, and a package index. Nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint typecheck models clean

demo: $(VENV)/demo.stamp
	$(BIN)/blazeposer demo

test: lint typecheck
	$(BIN)/pytest

lint: $(VENV)/all.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

typecheck: $(VENV)/all.stamp
	$(BIN)/mypy

models: $(VENV)/all.stamp # from the data in BLAZEPOSER_DATA, over an hour on two cores
	$(BIN)/blazeposer train
	$(BIN)/blazeposer quantize
	$(BIN)/blazeposer evaluate --record
	$(BIN)/blazeposer evaluate --record --model models/blazeposer_float.tflite

clean:
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[demo]'
	touch $@

$(VENV)/all.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[demo,train,dev]'
	touch $@ $(VENV)/demo.stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Python 3.11 or later is needed: run make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
