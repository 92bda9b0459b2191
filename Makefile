# A few words do everything: demo, test, check, bench, docs, site. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV ?= .venv
# Pinned: where no GPU is at hand this is a CPU build of some 200 MB; a newer torch would bring GBs of CUDA.
TORCH ?= torch==2.13.0
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check bench docs site
demo: $(VENV)/ready
	$(VENV)/bin/isheep run lamb

test: $(VENV)/ready-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(VENV)/ready-dev
	$(VENV)/bin/python benchmarks/overlap.py --million
	$(VENV)/bin/python benchmarks/judging.py
	$(VENV)/bin/python benchmarks/iteration.py
	$(VENV)/bin/python benchmarks/generation.py
	$(VENV)/bin/python benchmarks/sft.py
	$(VENV)/bin/python benchmarks/stage_overhead.py
	$(VENV)/bin/python benchmarks/startup.py
	$(VENV)/bin/python benchmarks/workers.py
	$(VENV)/bin/python benchmarks/records.py --million
	$(VENV)/bin/python benchmarks/growth.py --sizes 1000 10000 100000
	$(VENV)/bin/python benchmarks/contamination.py
	$(VENV)/bin/python benchmarks/coverage.py
	$(VENV)/bin/python benchmarks/ifeval_agreement.py
	$(VENV)/bin/python benchmarks/lamb_targets.py --store isheep-bench
	$(VENV)/bin/python benchmarks/lamb_families.py isheep-seed10 --store isheep-bench

docs: $(VENV)/ready-dev
	$(VENV)/bin/python docs/generate.py

site: docs
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

$(VENV)/ready: pyproject.toml
	@echo "setting up $(VENV) (about two minutes, once)"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "isheep needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) --editable .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	$(PIP) --editable '.[dev]'
	@touch $@
