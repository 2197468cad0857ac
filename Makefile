# The template's own words; the generated project has its own Makefile.
.DEFAULT_GOAL := help
.PHONY: help setup tools demo check test test-fast test-slow test-full figures tables bench faults drill rollouts sync lock clean

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo
KIT := "{{cookiecutter.project_slug}}/vendor"

help:  ## show the words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: .venv/.ready  ## install the template's own tools into .venv (on demand)

.venv/.ready: requirements/dev.txt tests/ci/package-lock.json
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 or newer is needed and $(PYTHON) is not found; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed and $(PYTHON) is " + sys.version.split()[0] + "; name another: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@echo "Setting up .venv"
	@$(BIN)/python -c "" 2> /dev/null || rm -rf .venv
	@if command -v uv > /dev/null; then \
	  { [ -d .venv ] || uv venv --quiet --python $(PYTHON) .venv; } && \
	  uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt; \
	else \
	  $(PYTHON) -m venv --clear .venv && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
	fi
	@if command -v npm > /dev/null; then \
	  npm ci --silent --no-audit --no-fund --prefix tests/ci; \
	else \
	  echo "npm is missing: the tests that run workflows are skipped"; \
	fi
	@touch $@

tools:  ## install what the tests need besides Python: docker, wrk, node, groovy ... (Debian; root or sudo)
	@tools/install.sh

demo: setup  ## generate a project with the default answers and run its whole life cycle
	@rm -rf $(DEMO)
	@$(BIN)/cookiecutter --no-input --default-config --output-dir $(DEMO) .
	@cd $(DEMO)/* && git init --quiet && git add --all && \
	  git -c user.name=Example -c user.email=demo@example.com commit --quiet -m "Start"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(MAKE) --no-print-directory -C $(DEMO)/* run
	@echo "project:  $$(echo $(DEMO)/*)"

check: setup  ## style and types of the template's own code, style of the kit; copier.yml, SHA256SUMS of the kit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd $(KIT) && ruff=$(CURDIR)/$(BIN)/ruff && $$ruff check --no-cache . && $$ruff format --no-cache --check .
	$(BIN)/mypy
	$(BIN)/python tools/sync_copier.py --check
	$(BIN)/python tools/moved.py --check
	$(BIN)/python tools/sums.py --check

test: check  ## everything that proves the template; what is skipped is said at the end
	$(BIN)/pytest -n 2 --dist loadgroup

test-fast: setup  ## rendering, parity, answers, hooks, files, updates (minutes)
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow"

test-slow: setup  ## projects really set up, checked, tested and run
	$(BIN)/pytest -n 2 --dist loadgroup -m slow

test-full: export FULL_MATRIX := 1
test-full: export SCHEMATHESIS_REQUESTS := 10000
test-full: test  ## the long form: every combination of answers, 10,000 hostile requests

figures: setup  ## measure, and write docs/figures.md (minutes; on a quiet machine)
	PYTHONPATH=tests $(BIN)/python tools/figures.py

tables: setup  ## a table of each kind adopted and run, estimators side by side (minutes), and write docs/figures.md; WORDS=estimators
	PYTHONPATH=tests $(BIN)/python tools/tables.py $(WORDS)

bench: setup  ## measure the service next to its rivals (needs wrk), and write docs/figures.md; WORDS="soak" DURATION=1800
	PYTHONPATH=tests $(BIN)/python tools/bench.py $(WORDS) $(DURATION)

faults: setup  ## plant every fault, and write docs/figures.md (minutes)
	PYTHONPATH=tests $(BIN)/python tools/fault_table.py $(NAMES)

drill: setup  ## the whole loop on this machine, from nothing to a bad release that goes back (minutes); docs/figures.md
	PYTHONPATH=tests $(BIN)/python tools/drill.py

rollouts: setup  ## simulate rollouts, run their drills (minutes; on a quiet machine), and write docs/figures.md; WORDS=load
	PYTHONPATH=tests $(BIN)/python tools/rollouts.py $(WORDS)

sync: setup  ## write copier.yml from cookiecutter.json, and SHA256SUMS of the rooms of the kit
	$(BIN)/python tools/sync_copier.py
	$(BIN)/python tools/moved.py
	$(BIN)/python tools/sums.py

COMPILE := uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes

lock: setup  ## renew the locks of the template, of what runs apart, and of its projects
	PATH="$(CURDIR)/$(BIN):$$PATH" && \
	  for name in dev bench checkov; do \
	    $(COMPILE) requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	  done && \
	  cd "{{cookiecutter.project_slug}}/requirements" && \
	  for name in dev serve; do \
	    $(COMPILE) --no-header $$([ $$name = dev ] || echo --constraint dev.txt) $$name.in -o $$name.txt && \
	    { echo "# Compiled by the template from $$name.in; do not edit. Your own packages go to extra.in."; \
	      cat $$name.txt; } > $$name.new && mv $$name.new $$name.txt || exit 1; \
	  done

clean:  ## delete .venv, build/ and caches
	rm -rf .venv build tests/ci/node_modules .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
