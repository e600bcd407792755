# The two commands: `make demo` shows the main job, `make test` proves it.
PYTHON ?= python3
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export KERAS_BACKEND = torch

.PHONY: demo test lint types contract gallery clean

.venv/.ok: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install -q -c constraints.txt -e ".[test]"
	touch .venv/.ok

demo: .venv/.ok
	.venv/bin/riata demo

test: .venv/.ok
	.venv/bin/python -m pytest -n 2

lint: .venv/.ok
	.venv/bin/ruff check src tests benchmarks docs
	.venv/bin/ruff format --check src tests benchmarks docs

types: .venv/.ok
	.venv/bin/mypy

contract: .venv/.ok
	.venv/bin/lint-imports

gallery: .venv/.ok
	.venv/bin/python docs/gallery.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache riata-out
