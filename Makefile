# Each target installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin

# pytest caches its compiled tests, wherever bytecode is disabled by default.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test quick lowest check bench clean

demo: .venv/cli.done
	@mkdir -p build
	@$(BIN)/python -m examples.interrupted_export build/inventory.jsonl

test: .venv/development.done
	$(BIN)/pytest

quick: .venv/development.done
	$(BIN)/pytest -m 'not slow'

lowest: .venv/lowest.done
	.venv/lowest/bin/python -m pytest tests/http tests/records tests/inventory tests/audit tests/fleet tests/cli \
	    tests/test_client.py tests/test_paging.py -m 'not slow'

check: .venv/development.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/development.done benchmarks/node_modules
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache benchmarks/node_modules

# Optional: without it, the table reports the JavaScript client as missing.
benchmarks/node_modules: benchmarks/package.json
	-npm install --prefix benchmarks --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error

.venv/cli.done: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required; run: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[cli,report]'
	@touch $@

.venv/lowest.done: .venv/cli.done tests/support/lowest_versions.py
	$(PYTHON) -m venv --clear .venv/lowest
	.venv/lowest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(PYTHON) -m tests.support.lowest_versions > .venv/lowest/constraints.txt
	.venv/lowest/bin/python -m pip install --quiet --constraint .venv/lowest/constraints.txt --editable '.[all]' --group test
	@touch $@

.venv/development.done: .venv/cli.done
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group check
	@touch $@
