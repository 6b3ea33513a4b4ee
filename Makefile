# Everything a newcomer or a build machine needs; each target sets up what it uses.
# uv where it is installed, else a venv with pip: the same packages either way.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: demo test lint format bench soak faults power-cuts folders wheel clean help

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

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

bench: $(STAMP)  ## throughput, memory, checks and counting, against straight scripts and cp
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/tokens.py
	$(BIN)/python bench/validating.py

soak: $(STAMP)  ## a thousand kills at random instants; takes long
	$(BIN)/python -m bench.soak --kills 1000

faults: $(STAMP)  ## killed, or told of an error, at hundreds of system calls; needs strace, takes long
	$(BIN)/python -m tests.durability.syscall_faults

power-cuts: $(STAMP)  ## the power cut 150 times, and two builds that must not survive it; needs root
	$(BIN)/python -m tests.durability.power_cuts --cuts 150

folders: $(STAMP)  ## the tests of the folders in their long form: 20,000 files, 200 stops; takes an hour
	BATCHD_LONG=1 $(BIN)/python -m pytest -q -rs -s tests/folders

wheel: $(STAMP)  ## the wheel and the source archive, in dist/
	$(BIN)/python -m build

clean:  ## forget everything that was installed or built
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
