# make demo: install, run the whole path on the embedded model, say where the report is.
# make test: install, then lint, types and tests.
# make quick: the tests that need neither a browser nor more than about a second each; all in under a minute.
# make faults: inject faults into the real commands, as docs/reliability.md describes.
# make bench: every benchmark of speed beside its plain alternative; writes docs/benchmarks.json, .md and .svg.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test quick faults bench lint format clean

demo: $(INSTALLED)
	$(BIN)/python train.py configs/demo.yaml --overwrite
	@echo "Open runs/demo/report.html in a browser."

# Two processes, a file's tests in one of them: what they share is made once. In the order of tests/conftest.py.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST)

quick: $(INSTALLED)
	$(PYTEST) -m "not slow and not browser and not gpu"

# Faults injected into the real commands; docs/reliability.md says which.
faults: $(INSTALLED)
	$(BIN)/python -m faults

# Nothing else should run meanwhile. With less: .venv/bin/python benchmarks/bench.py --help
bench: $(INSTALLED)
	$(BIN)/python benchmarks/bench.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Installs again only when what is to be installed has changed.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(INSTALLED)

clean:
	rm -rf $(VENV) runs
