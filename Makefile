# One command per intent; `.ci/run` calls the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ARGS ?=
PYTHON ?= python3
UV := .uv/bin/uv
INSTALLED := .venv/.installed
SYNCED := .venv/.synced
PLACES := .venv/share/troth/places/versions.txt

.PHONY: help places run test journeys check prove format bench bench-governing bench-policy bench-people bench-storing bench-agreeing bench-guarding bench-intake advisories releases clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Start troth; options go in ARGS="--port 18443 --data DIR"
	@$(MAKE) places
	@exec .venv/bin/troth serve $(ARGS)

test: $(SYNCED) ## Run every test, the browser's included (installs Chromium and other clients when absent)
	@.ci/chromium
	@.ci/clients
	@$(MAKE) places
	@.venv/bin/pytest -n 2 --dist loadgroup $(ARGS)

journeys: $(SYNCED) ## Run only the browser journeys
	@.ci/chromium
	@.venv/bin/pytest tests/journeys $(ARGS)

check: $(SYNCED) ## Read the code: format, lint, types, rooms, migrations, our own lints; and what is known of its libraries
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/squawk --config .squawk.toml $$(find src -path '*/migrations/*.sql' | sort)
	@.venv/bin/pytest -q tests/architecture
	@.ci/advisories

prove: $(SYNCED) ## Ask an oracle about thousands of policies, and take every compiled thing away (TROTH_PROVE=N cases)
	@TROTH_PROVE=$${TROTH_PROVE:-3000} .venv/bin/pytest tests/proof -q -n 2 --dist loadgroup
	@.venv/bin/python -m tests.mutations.proofs
	@.venv/bin/python -m tests.mutations.prove

format: $(SYNCED) ## Put the code into its canonical form
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: bench-governing bench-policy bench-people bench-storing bench-agreeing bench-guarding bench-intake ## Measure everything that has a benchmark

bench-governing: $(SYNCED) ## Measure what governing costs, as ratios
	@.venv/bin/python -m benchmarks.governing $(ARGS)

bench-agreeing: $(SYNCED) ## Measure publishing to a million people, their mails, and writing a consent down
	@.venv/bin/python -m benchmarks.agreeing $(ARGS)

bench-guarding: $(SYNCED) ## Measure what looking through free text costs, as a ratio to judging without it
	@.venv/bin/python -m benchmarks.guarding $(ARGS)

bench-intake: $(SYNCED) ## Measure what taking an event costs, against a server that parses and copies (needs wrk)
	@.venv/bin/python -m benchmarks.intake $(ARGS)

bench-people: $(SYNCED) ## Measure large organizations against small ones, and what signing in and a page cost
	@.venv/bin/python -m benchmarks.people $(ARGS)

bench-policy: $(SYNCED) ## Measure compiling a policy and applying a version over up to a million people
	@.venv/bin/python -m benchmarks.policy $(ARGS)

bench-storing: $(SYNCED) ## Measure COPY against unnest behind the stamp trigger, and BRIN against btree
	@.venv/bin/python -m benchmarks.storing $(ARGS)

advisories: | $(UV) ## Name the libraries of uv.lock that have a known hole (asks osv.dev)
	@.ci/advisories $(ARGS)

releases: $(SYNCED) ## Name the libraries of which a newer release than the locked one is out (asks the registry)
	@$(UV) lock --upgrade --dry-run

clean: ## Remove what was built (the data folder stays)
	@rm -rf .uv .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Without them everything works but what is told about places; so nothing fails where they cannot be fetched.
places: $(PLACES)
	@:

$(PLACES): src/troth/cli/places.py
	@PATH="$$PWD/.uv/bin:$$PATH" .venv/bin/troth places fetch || \
	  echo "troth: there are no free databases of places; \`make places\` tries again." >&2

$(UV):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "troth: there is no \`$(PYTHON)\` here; install Python (Debian: apt-get install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "troth: \`$(PYTHON)\` cannot make virtual environments; install its venv package (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "troth: fetching uv into .uv"
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

# To run, the development tools need not be fetched; to test, they are added. All is compiled at once, also where
# Python is told to write no bytecode: a start that compiles takes twice as long.
$(INSTALLED): SYNC := --no-dev --inexact
$(INSTALLED) $(SYNCED): uv.lock pyproject.toml .python-version | $(UV)
	@$(UV) python find --quiet --no-project 3.13 >/dev/null 2>&1 || $(UV) python install 3.13 || { \
	  echo "troth: there is no Python 3.13 that uv can find or fetch; install it (Debian 13: apt-get install python3.13) and try again." >&2; exit 1; }
	@echo "troth: installing the packages of uv.lock into .venv"
	@$(UV) sync --frozen --quiet --compile-bytecode $(SYNC) || { \
	  echo "troth: the packages of uv.lock could not be installed; uv says why above." >&2; exit 1; }
	@.venv/bin/python -m compileall -q src
	@touch $@
