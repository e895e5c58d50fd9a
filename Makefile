# make quick   runs every myth on built-in data and writes the report
# make test    lints and tests
# make MYTH PROFILE=laptop   runs one myth; see README.md

PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
ARGS ?=
BIN := $(VENV)/bin
# pip shows progress on a terminal only
QUIET := $(shell test -t 2 || echo --quiet)
# A dead worker is replaced, a hanging test fails after 300 s, and a hanging process is killed after 330 s
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 8 \
	--timeout 300 -o faulthandler_timeout=330 -o faulthandler_exit_on_timeout=true
MYTHS := hessian-cost dataset-bias cifar10-1 forgetting fixup lightweight-conv saliency order wiring

.PHONY: quick test pytest all frameworks bench bench-compare matrix report site screenshots data lint release clean $(MYTHS)

quick: $(VENV)/.base
	$(BIN)/myths run --profile quick --report $(ARGS)

$(MYTHS): $(VENV)/.base
	$(BIN)/myths run $@ --profile $(PROFILE) --report $(ARGS)

all: $(VENV)/.base
	$(BIN)/myths run --profile $(PROFILE) --report $(ARGS)

test: lint pytest

pytest: $(VENV)/.test
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python -m pytest benchmarks -o addopts= --benchmark-only --benchmark-autosave --benchmark-columns=median,iqr,rounds --benchmark-group-by=group --benchmark-sort=mean --benchmark-warmup=off $(ARGS)

# The quick profile and the contract tests by instruction set, torch and threads; the table is docs/machines.md
matrix: $(VENV)/.test
	$(BIN)/python benchmarks/matrix.py $(CELLS)

bench-compare: $(VENV)/.test
	$(BIN)/pytest-benchmark compare --columns=median,iqr --sort=name

report: $(VENV)/.base
	$(BIN)/myths report

# The pages of the published runs, in one folder for any static web server
site: $(VENV)/.base
	$(BIN)/myths site site

# Screenshots of the report for the README, taken by a headless chromium
screenshots: $(VENV)/.test
	$(BIN)/python docs/screenshots.py

data: $(VENV)/.base
	$(BIN)/myths data list

# The frameworks that myth 1 compares: JAX, asdex, TensorFlow, autograd, PyTensor, CasADi, SymPy
frameworks: $(VENV)/.base
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --constraint constraints.txt --editable '.[frameworks]'

# The sdist and the wheel, checked: their metadata, and the commands of the wheel outside this folder
release: $(VENV)/.test
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	MYTHS_WHEEL=$$(ls dist/*.whl) $(BIN)/python -m pytest tests/test_wheel.py

clean:
	rm -rf build dist site results/local results/report .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

# An environment that already has torch is used as it is: make quick VENV=/path/to/environment
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing torch and the other packages into $(VENV): some gigabytes, a few minutes"
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/.base
