# Two commands matter: `make demo` installs and fits real data, `make test` installs and passes all tests.
# Everything goes into ./.venv; nothing outside this folder changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint docs bench toolchain clean

demo: toolchain $(BIN)/python
	$(BIN)/pip install --quiet '.[plot]'
	$(BIN)/marquardt demo --out demo

test: toolchain $(BIN)/python
	$(BIN)/pip install --quiet '.[test]'
	cargo test --release --quiet -p marquardt-core
	$(BIN)/python -m pytest
	MARQUARDT_CPU=baseline $(BIN)/python -m pytest tests/certified tests/solve tests/expr/test_core.py

lint: toolchain $(BIN)/python
	$(BIN)/pip install --quiet '.[lint]'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt --all --check
	cargo clippy --release --all-targets --quiet -- -D warnings

# Run the pages in docs/ and write what they print and draw into them.
docs: toolchain $(BIN)/python
	$(BIN)/pip install --quiet '.[test]'
	$(BIN)/python -m tests.pages

bench: toolchain $(BIN)/python
	$(BIN)/pip install --quiet '.[bench]'
	$(BIN)/python benchmarks/tape.py
	$(BIN)/python benchmarks/curve.py
	$(BIN)/python benchmarks/nist.py
	$(BIN)/python benchmarks/mgh.py
	$(BIN)/python benchmarks/compat.py
	$(BIN)/python benchmarks/hard.py
	$(BIN)/python benchmarks/many.py
	$(BIN)/python benchmarks/large.py  # with Ceres where libceres-dev is installed; --data FOLDER for real problems

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "marquardt needs Python 3.10 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

# The native core is built from source: say what is missing before pip does.
toolchain:
	@sh tools/check_toolchain.sh

clean:
	rm -rf $(VENV) target demo
