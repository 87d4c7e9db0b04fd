# Each target installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test quick check bench clean

demo: .venv/cli.done
	@mkdir -p build
	@$(BIN)/python -m examples.interrupted_export build/inventory.jsonl

test: .venv/development.done
	$(BIN)/pytest

quick: .venv/development.done
	$(BIN)/pytest -m 'not slow'

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
	$(BIN)/python -m pip install --quiet --editable '.[cli]'
	@touch $@

.venv/development.done: .venv/cli.done
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group check
	@touch $@
