# Needs python3 (3.11 or later) with venv and pip, make, and a package index. Nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPREAD := --numprocesses auto --dist worksteal # a process for each core, which takes over what others have left

.PHONY: demo check test lint typecheck docs models m7 decode-time page-latency search-gain page-pictures soak clean

demo: $(VENV)/demo.stamp
	$(BIN)/blazeposer demo

check: lint typecheck # what is quick
	$(BIN)/pytest $(SPREAD) -m "not slow"

test: lint typecheck
	$(BIN)/pytest $(SPREAD)

lint: $(VENV)/all.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo --no-cache

typecheck: $(VENV)/all.stamp
	$(BIN)/mypy
	$(BIN)/mypy --config-file board/mypy.ini

docs: $(VENV)/docs.stamp # the site, into out/docs; the commands of extras that are missing are named alone
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --fresh-env --quiet docs out/docs
	@echo "The site: open $(abspath out/docs/index.html)"

models: $(VENV)/all.stamp # from the data in BLAZEPOSER_DATA, two to five hours on two cores
	$(BIN)/blazeposer train
	$(BIN)/blazeposer quantize --plain
	$(BIN)/blazeposer evaluate --record --sheet
	$(BIN)/blazeposer evaluate --record --looks 2
	$(BIN)/blazeposer evaluate --record --model models/blazeposer_float.tflite
	$(BIN)/blazeposer evaluate --record --dataset biwi_dev
	$(BIN)/blazeposer evaluate --record --dataset biwi_dev --looks 2
	$(BIN)/blazeposer evaluate --record --dataset biwi_dev --model models/blazeposer_float.tflite
	$(BIN)/blazeposer evaluate --record --dataset val --sheet
	$(BIN)/blazeposer compare-detection --record
	$(BIN)/blazeposer bench --data "$(BLAZEPOSER_DATA)" --output docs/bench.md
	$(BIN)/blazeposer figures README.md models/README.md CHANGELOG.md

m7: $(VENV)/demo.stamp # heap on an emulated Cortex-M7, see tests/m7/README.md; MICROPYTHON=folder of its source
	@cd tests && $(abspath $(BIN))/python -m m7.emulation $(if $(MICROPYTHON),"$(abspath $(MICROPYTHON))")

decode-time: $(VENV)/demo.stamp
	@cd tests && $(abspath $(BIN))/python -m decode_time

page-latency: $(VENV)/all.stamp # needs Chromium
	@cd tests && $(abspath $(BIN))/python -m page_latency $(if $(PICTURE),"$(abspath $(PICTURE))")

search-gain: $(VENV)/all.stamp # small faces found by `detect`, and its time, on the data in BLAZEPOSER_DATA
	@cd tests && $(abspath $(BIN))/python -m search_gain

page-pictures: $(VENV)/all.stamp # of the page, into OUT; needs Chromium
	@cd tests && $(abspath $(BIN))/python -m page_pictures "$(abspath $(or $(OUT),out/page))"

soak: $(VENV)/all.stamp # watches the virtual camera for MINUTES, by default ten
	@cd tests && $(abspath $(BIN))/python -m soak $(MINUTES)

clean:
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/demo.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[demo]'
	touch $@

$(VENV)/docs.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[docs]'
	touch $@

$(VENV)/all.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[demo,peers,train,dev]'
	touch $@ $(VENV)/demo.stamp $(VENV)/docs.stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Python 3.11 or later is needed: run make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
