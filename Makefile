# Everything that installs, runs, checks and measures. `make` alone says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The system's own interpreter where it will do: a distribution builds it with all optimisations (a quarter less CPU a
# message than a plain build) and mends it. Debian's may lack its venv module: then whatever is first in PATH.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
# The account that runs the service may not write beside the code, and would compile all of it at each start.
COMPILE := $(BIN)/python -m compileall -q mailgov
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
UV_VERSION := 0.13.9
# A test run goes on with what it can do; these two say which part.
# Three processes, a file of tests to each: most of the time a test waits for a real program. The files in
# their own order: the long stories come first, so that no process is left with one at the end.
TEST_WORKERS ?= 3
SHARED := -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder
UNIT := -m "not slow and not bench" $(SHARED)
FULL := -m "not bench" $(SHARED)
# Of all fuzzing campaigns together (tests/fuzz/budget.py).
FUZZ_SECONDS ?= 3600
# Kills of the crash campaign, ten seconds and more apart (tests/e2e/test_crash.py).
CRASH_KILLS ?= 50
CRASH_SEED ?= 1

export PIP_NO_INPUT := 1
# Hundreds of processes import the package in a test run: they need not compile it each time, nor the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-full fuzz crash outage check bench bench-import bench-keep bench-memory bench-queue profile clean lock system-packages

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /make \1 – /p' Makefile

run: .venv/.installed ## start everything on loopback ports; a demo province on first use; Ctrl-C stops it
	@[ -f mailgov.toml ] || $(BIN)/mailgov init --demo --domain caobang.gov.vn --config mailgov.toml
	@imap=--imap; $(BIN)/python -m mailgov.imap.programs || imap=; \
	  exec $(BIN)/mailgov serve --config mailgov.toml $$imap

test: .venv/.installed-dev system-packages ## the tests, in at most 10 minutes
	@$(BIN)/python -m pytest $(UNIT) $(PYTEST_ARGS) </dev/null

test-full: .venv/.installed-fuzz system-packages ## the tests and the long campaigns, in at most 60 minutes
	@$(BIN)/python -m pytest $(FULL) $(PYTEST_ARGS) </dev/null

fuzz: .venv/.installed-fuzz ## an hour of fuzzing, or FUZZ_SECONDS; what it finds is kept in .fuzz/
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest tests/fuzz -m slow -o faulthandler_timeout=0 $(PYTEST_ARGS) </dev/null

crash: .venv/.installed-dev ## ten minutes of load and SIGKILL, or CRASH_KILLS of them; CRASH_SEED for other chances; CAMPAIGN_WRITE=1 notes it
	@CRASH_KILLS=$(CRASH_KILLS) CRASH_SEED=$(CRASH_SEED) $(BIN)/python -m pytest -q tests/e2e/test_crash.py -m slow $(PYTEST_ARGS) </dev/null

outage: .venv/.installed-dev ## an hour without next hops and a queue of 50,000, and next hops that hang at each step
	@$(BIN)/python -m pytest -q tests/e2e/test_outage.py -m slow $(PYTEST_ARGS) </dev/null

check: .venv/.installed-dev ## lint, format, types, import contracts; no network once installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/.installed-dev system-packages ## messages a second and CPU beside Postfix with OpenDKIM or rspamd, and Exim; 45 minutes
	@$(BIN)/python -m tests.bench.relay $(BENCH_ARGS) </dev/null

bench-import: .venv/.installed-dev ## seconds for ten thousand accounts to come in from a file
	@$(BIN)/python -m tests.bench.directory $(BENCH_ARGS) </dev/null

bench-keep: .venv/.installed-dev ## microseconds of CPU that spool and ledger cost a message
	@$(BIN)/python -m tests.bench.keep $(BENCH_ARGS) </dev/null

bench-memory: .venv/.installed-dev ## memory under a hundred messages of 50 MB at once; needs 12 GB of disk for a while
	@$(BIN)/python -m tests.bench.memory $(BENCH_ARGS) </dev/null

bench-queue: .venv/.installed-dev ## a million deferred recipients, and a next hop that hangs beside others
	@$(BIN)/python -m tests.bench.queue $(BENCH_ARGS) </dev/null

profile: .venv/.installed-dev system-packages ## where the microseconds of a message go: by process, thread, stage and function
	@$(BIN)/python -m tests.bench.profile $(BENCH_ARGS) </dev/null

clean: ## remove what was built; var/ and mailgov.toml, the data, stay
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz bench-work
	@find mailgov tests -name __pycache__ -prune -exec rm -rf {} +
	@if [ -e var ] || [ -e mailgov.toml ]; then echo "kept: var/ and mailgov.toml (delete them yourself for a fresh start)"; fi

lock: .venv/.created ## resolve the dependencies again into the three lock files
	@$(PIP) install uv==$(UV_VERSION)
	@for set in "requirements.lock" "requirements-dev.lock --extra dev" \
	  "requirements-fuzz.lock --extra dev --extra fuzz"; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url \
	    --generate-hashes --custom-compile-command "make lock" pyproject.toml --group build -o $$set; done

system-packages:
	@tests/support/install-system-packages.sh </dev/null

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "mailgov needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." \
	    "Name another one: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "the venv module is missing or incomplete: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.installed: requirements.lock pyproject.toml | .venv/.created
	@echo "installing into .venv …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(COMPILE)
	@touch $@

# Holds all that .installed holds.
.venv/.installed-dev: requirements-dev.lock pyproject.toml | .venv/.created
	@echo "installing into .venv …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(COMPILE)
	@touch .venv/.installed $@

# And this one all that .installed-dev holds.
.venv/.installed-fuzz: requirements-fuzz.lock pyproject.toml | .venv/.created
	@echo "installing into .venv …"
	@$(PIP) install --require-hashes -r requirements-fuzz.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch .venv/.installed .venv/.installed-dev $@
