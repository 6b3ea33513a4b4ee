# Everything a newcomer or a build machine needs; each target sets up what it uses.
# uv where it is installed, else a venv with pip: the same packages either way.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: demo test lint format bench soak wheel clean help

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --editable . --group dev
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
endif
	@touch $@

demo: $(STAMP)  ## the main job on a sample file, with a sandbox in place of a paid service
	@$(BIN)/batchd demo

test: $(STAMP)  ## all tests, from the source and from the built wheel
	$(BIN)/python -m pytest -q -n auto --dist loadgroup
	$(BIN)/python tests/wheel/run.py

lint: $(STAMP)  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## throughput and memory against a straight script and cp; counting of tokens
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/tokens.py

soak: $(STAMP)  ## a thousand kills at random instants; takes long
	$(BIN)/python bench/soak.py --kills 1000

wheel: $(STAMP)  ## the wheel and the source archive, in dist/
	$(BIN)/python -m build

clean:  ## forget everything that was installed or built
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
