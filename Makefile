# make demo: an audit of a drawn dataset, from nothing to the report. make test: what CI runs.
# Both make their own virtual environment in .venv and need nothing but Python 3.11 or newer and a package index.

VENV   := .venv
RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name $(RECENT) 2>/dev/null && echo $$name && break; done)
BIN    := $(VENV)/bin
FLAGS  := --quiet --disable-pip-version-check

.PHONY: help demo test test-fast test-lowest lint fetch browser clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install, draw a dataset with a planted shortcut, audit it, print the report's path"
	@echo "make test   install, check style and types, run the tests"
	@echo "make test-fast  the tests that need no Prefect server, no browser and no whole audit"
	@echo "make test-lowest  the same and whole audits, with the oldest packages that pyproject.toml allows"
	@echo "make lint   style and types only"
	@echo "make clean  remove the virtual environment, the demo and caches"

demo: $(VENV)/.installed
	$(BIN)/bias-audit fetch
	$(BIN)/bias-audit demo demo
	$(BIN)/bias-audit run demo/train --out demo/audits \
		--set model.fine_tune=head --set 'expected_cues=[clothing]'

# A file's tests stay together, for they share what its fixtures make; one thread each, so that none waits for another's.
test: lint fetch browser
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

# What the inner loop can do without: whole audits, servers, browsers, drawn datasets, benchmarks, and long simulations.
SLOW := tests/bench tests/demo tests/flows tests/selfaudit tests/verification tests/test_pipeline.py \
	tests/test_changed.py tests/test_uniform.py tests/test_file_audit.py tests/test_ways_in.py tests/test_edited.py tests/test_keys.py \
	tests/test_reads.py tests/test_api.py tests/test_vgg16.py tests/data/test_outputs.py tests/store/test_private.py \
	tests/reports/test_browser.py tests/detection/test_photographs.py tests/cues/test_appearance_groups.py tests/cues/test_names.py tests/attributes/test_audit.py \
	tests/explain/test_sanity_checks.py tests/findings/test_previous_audit.py tests/model/test_checkpoint.py \
	tests/findings/test_severity_grid.py tests/measures/test_leakage.py tests/plan/picking/test_pick.py
test-fast: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadfile $(SLOW:%=--ignore=%)

# The lower ends of the ranges in pyproject.toml, in an environment of their own; the oldest Python, too.
LOWEST        := .venv-lowest
LOWEST_PYTHON ?= python3.11
test-lowest: $(LOWEST)/.installed
	OMP_NUM_THREADS=1 $(LOWEST)/bin/pytest -q -n auto --maxprocesses 4 --dist loadfile \
		$(patsubst %,--ignore=%,$(filter-out tests/test_api.py,$(SLOW)))

$(LOWEST)/.installed: pyproject.toml tests/lowest.txt
	$(LOWEST_PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install $(FLAGS) --constraint tests/lowest.txt --editable '.[dev]'
	@touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fetch: $(VENV)/.installed-dev
	$(BIN)/bias-audit fetch

# The report's browser tests skip themselves where there is no Chromium and no right to install it.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
		echo "No Chromium: the report's browser tests will be skipped."

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer; install one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install $(FLAGS) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install $(FLAGS) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) $(LOWEST) demo audits build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
