# Everything that a new contributor or a build machine needs. Each target installs what it uses, with uv if that is
# installed, else with a venv and pip: the packages are the same.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements-dev.lock
UV := $(shell command -v uv 2>/dev/null)
# Two for each core: the slow tests wait for processes and clocks for half of their time, and each worker takes some ten
# seconds of a core for its imports and for finding the tests.
TEST_WORKERS ?= $(shell expr 2 '*' $$(nproc 2>/dev/null || echo 2))

# Keeps the compiled modules and rewritten tests. Without them each run starts some ten seconds later, and each of the
# many processes that the tests start takes a fraction of a second longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast test-pythons lint format lock bench ratios bench-peers bench-live bench-cluster cluster-demo cluster-tests nfs-guest soak faults power-cuts field properties folders picture schema answers site recording wheel installers deb deb-test release clean help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The versions are those of the lock file, checked by hash. The project itself is installed in place. Nothing is compiled
# ahead: of the many modules few are ever imported, and those are compiled then.
$(STAMP): pyproject.toml $(LOCK)
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement $(LOCK)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --no-build-isolation --editable .
endif
	@touch $@

lock:  ## write the newest versions of all packages into the lock file
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && uv='$(UV)' && \
	if [ -z "$$uv" ]; then $(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --quiet uv && uv="$$tools/bin/uv"; fi && \
	"$$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --python $(PYTHON) --group dev --all-extras \
	    --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --output-file $(LOCK) pyproject.toml

demo: $(STAMP)  ## the main job on a sample file, with a sandbox in place of a paid service
	@$(BIN)/batchd demo

demo-live: $(STAMP)  ## the same with a sandbox that has no batches: a call a row
	@$(BIN)/batchd demo --live batchd-demo-live

test-fast: $(STAMP)  ## the tests to run before each commit: about a minute; tests/README.md says which
	$(BIN)/python -m pytest -q -n auto -m "not slow and not speed and not outside" $(FAST_ARGUMENTS)

# On a clean checkout one process compiles everything that the tests import, or each worker would.
test: $(STAMP)  ## all tests, from the source and from the built wheel
	@wheel=$$(mktemp); $(BIN)/python tests/wheel/run.py $(if $(WHEEL),--wheel $(WHEEL)) >"$$wheel" 2>&1 & beside=$$!; \
	ls tests/__pycache__/conftest.*pytest*.pyc >/dev/null 2>&1 || $(BIN)/python -m pytest --collect-only -qq >/dev/null || true; \
	status=0; $(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist worksteal || status=1; \
	wait $$beside || status=1; cat "$$wheel"; rm "$$wheel"; exit $$status

test-pythons:  ## the fast tests with each other supported Python on this machine
	@$(PYTHON) tests/pythons.py $(PYTHONS)

lint: $(STAMP)  ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## fix style automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## throughput, memory, validation and token counting, compared with plain scripts and cp
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/start.py
	$(BIN)/python bench/stages.py
	$(BIN)/python bench/stages_collect.py
	$(BIN)/python bench/reuse.py
	$(BIN)/python bench/small_files.py
	$(BIN)/python bench/look.py
	$(BIN)/python bench/idle.py
	$(BIN)/python bench/tokens.py
	$(BIN)/python bench/validating.py
	-$(BIN)/python bench/files.py
	-$(BIN)/python bench/sinks.py

ratios: $(STAMP)  ## a short form of the benches: fails where a ratio is much worse than it should be
	$(BIN)/python bench/stages.py --rows 20000 --within 1.5
	$(BIN)/python bench/stages_collect.py --rows 20000 --within 1.5
	$(BIN)/python bench/tokens.py --rows 40000 --within 2
	$(BIN)/python bench/start.py --rounds 3 --within 1.75

bench-peers: $(STAMP)  ## the same rows through the plain script and through another package, which is installed for it
	$(BIN)/python bench/peers.py

bench-live: $(STAMP)  ## live calls against the SDK, aiohttp and flexllm, the delay of the loop, and memory; takes minutes
	$(BIN)/python bench/live.py --memory

cluster-demo: $(STAMP)  ## a cluster on this machine works on 50,000 rows and loses a node; under three minutes
	$(BIN)/python -m bench.cluster_demo

bench-cluster: $(STAMP)  ## what a task on a node costs, and what 2 and 4 nodes do; two minutes
	$(BIN)/python -m bench.cluster

cluster-tests: $(STAMP)  ## nodes, scheduler, daemon and shared folder lost, in their long form; takes minutes
	BATCHD_LONG=1 $(BIN)/python -m pytest -q -rs tests/dask_plugin

nfs-guest: $(STAMP)  ## working files on a real NFS mount whose server goes away; root and apt, eight minutes
	tests/dask_plugin/nfs/run.sh $(abspath $(BIN))/python

soak: $(STAMP)  ## a thousand kills at random instants; takes long
	$(BIN)/python -m bench.soak --kills 1000
	$(BIN)/python -m bench.soak --kills 100 --live

faults: $(STAMP)  ## a kill or an error at hundreds of system calls; needs strace, takes long
	$(BIN)/python -m tests.durability.syscall_faults
	$(BIN)/python -m tests.durability.syscall_faults --live --target daemon

power-cuts: $(STAMP)  ## 150 power cuts, and two sabotaged builds that must fail; needs root
	$(BIN)/python -m tests.durability.power_cuts --cuts 150
	$(BIN)/python -m tests.durability.power_cuts --cuts 50 --live

pace: $(STAMP)  ## the pace of live calls against eleven services with hidden limits, in virtual time; takes minutes
	BATCHD_LONG=1 $(BIN)/python -m pytest -q -n $(TEST_WORKERS) tests/sending/test_pace.py

servers:  ## servers of others for the tests, into .servers: llama.cpp, one that plays a service, S3; 550 MB
	$(PYTHON) -m venv .servers
	.servers/bin/python -m pip install --quiet xllamacpp==2026.10.11549 gguf==0.19.0 fakellm==0.3.5 "moto[server,s3]==5.2.5"
	-npm install --silent --no-audit --no-fund --prefix .servers/axe axe-core@4.14.1

field: $(STAMP)  ## what real services, files and people do, with a table of how much of it holds
	BATCHD_EVERY_CASE=1 $(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist worksteal -m field

properties: $(STAMP)  ## the property tests, each with 1,500 new examples
	$(BIN)/python -m pytest -q -n $(TEST_WORKERS) -m hypothesis --hypothesis-profile thorough

folders: $(STAMP)  ## the folder tests in their long form: 20,000 files, 200 stops; takes an hour
	BATCHD_LONG=1 $(BIN)/python -m pytest -q -rs -s tests/folders

picture: $(STAMP)  ## the picture of the layers in docs/architecture.md, from the imports
	$(BIN)/python -m tests.structure.picture

schema: $(STAMP)  ## the whole schema of the database, from its steps; after a new step
	$(BIN)/python -m tests.store.whole_schema

answers: $(STAMP)  ## the table of shapes in docs/answers.md, from the tests
	$(BIN)/python -m tests.provider_faults.shape_table

site: $(STAMP)  ## the docs site, in .site/html; every link in it is followed
	$(BIN)/python -m tests.docs.site

recording: $(STAMP)  ## the picture of the demo in README.md
	$(BIN)/python -m tests.docs.recording

wheel: $(STAMP)  ## the wheel and the source archive, in dist/
	$(BIN)/python -m build

installers: $(STAMP)  ## the wheel installed by uv, pipx and pip, each with its dependencies from a registry
	$(BIN)/python tests/wheel/run.py --installers

release:  ## say what a release takes and what is missing; ARGUMENTS=--do builds, checks and tags it
	$(PYTHON) packaging/release.py $(ARGUMENTS)

deb: $(STAMP)  ## a package for this Debian, in dist/: with its own packages, for exactly its Python
	$(BIN)/python packaging/deb.py

deb-test: $(STAMP)  ## that package under a real systemd: installed, started, upgraded, purged; needs root, takes minutes
	$(BIN)/python -m tests.packages.run

clean:  ## delete everything that was installed or built
	rm -rf $(VENV) .site .pythons .flexllm .servers .hadolint dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
