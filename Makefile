# Everything a newcomer or a build machine needs; each target sets up what it uses.
# uv where it is installed, else a venv with pip: the same packages either way.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements-dev.lock
UV := $(shell command -v uv 2>/dev/null)

# Python keeps what it compiled and pytest the tests that it rewrote; without them each run begins some ten seconds later,
# and each of the many processes that the tests start a part of a second.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast test-pythons lint format lock bench soak faults power-cuts folders house wheel clean help

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The versions are those of the lock file, checked by their hashes; the project itself is linked and not copied.
$(STAMP): pyproject.toml $(LOCK)
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement $(LOCK)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
endif
	@touch $@

lock:  ## the newest versions of everything into the lock file; commit it with what made it necessary
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && uv='$(UV)' && \
	if [ -z "$$uv" ]; then $(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --quiet uv && uv="$$tools/bin/uv"; fi && \
	"$$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --python $(PYTHON) --group dev --all-extras \
	    --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --output-file $(LOCK) pyproject.toml

demo: $(STAMP)  ## the main job on a sample file, with a sandbox in place of a paid service
	@$(BIN)/batchd demo

test-fast: $(STAMP)  ## the tests to run before each commit: about a minute; tests/README.md says which
	$(BIN)/python -m pytest -q -n auto --hypothesis-profile fast -m "not slow and not speed and not outside"

test: $(STAMP)  ## all tests, from the source and from the built wheel
	$(BIN)/python -m pytest -q -n auto --dist loadgroup
	$(BIN)/python tests/wheel/run.py $(if $(WHEEL),--wheel $(WHEEL))

test-pythons:  ## the fast tests under each other supported Python that is on this machine
	@$(PYTHON) tests/pythons.py

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

house: $(STAMP)  ## the picture of the house in docs/architecture.md, from the imports
	$(BIN)/python -m tests.structure.house

wheel: $(STAMP)  ## the wheel and the source archive, in dist/
	$(BIN)/python -m build

clean:  ## forget everything that was installed or built
	rm -rf $(VENV) .pythons dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
