# make demo   set up, then run the whole pipeline on the embedded models; prints where the report is
# make test   set up, then run every test
# make setup  the set-up alone, into .venv; a second call does nothing
# make check  lint, types and tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where PyPI's torch is a CUDA build and there is no GPU, name PyTorch's CPU index: make setup TORCH_ARGS="--index-url ADDRESS"
TORCH_ARGS ?=
DEMO := demo-workspace
# Tests share the processors, a file at a time; each worker computes with one thread.
TEST_ARGS ?= -n logical --maxprocesses 4 --dist loadfile
ifneq ($(wildcard ../shared/data),)
export GOLDSMITH_DATA ?= $(abspath ../shared/data)
endif
export DO_NOT_TRACK := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: setup test demo check lint types clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Goldsmith needs Python 3.11 or newer; name one with make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH_ARGS) "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	$(BIN)/goldsmith models install
	@touch $(READY)

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TEST_ARGS)

demo: setup
	@test -f $(DEMO)/goldsmith.toml || $(BIN)/goldsmith init $(DEMO) --config configs/demo.toml
	$(BIN)/goldsmith run -w $(DEMO)

lint: setup
	$(BIN)/ruff check src tests benchmarks demo
	$(BIN)/ruff format --check src tests benchmarks demo

types: setup
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(DEMO) .pytest_cache .mypy_cache .ruff_cache
