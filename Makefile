# `make reproduce` and `make test` set themselves up. ENVIRONMENT=gpu takes the GPU requirement set.
ENVIRONMENT ?= cpu
PYTHON ?= python3
CORES ?= 1
FROM ?= ../shared
VENV := .venv
BIN := $(VENV)/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
READY := $(VENV)/ready-$(ENVIRONMENT)
TEST_READY := $(VENV)/ready-test
REQUIREMENTS := requirements/$(ENVIRONMENT).txt requirements/common.txt requirements/constraints.txt

.PHONY: help setup reproduce study plan raw test lint library benchmark gpu-test clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): $(REQUIREMENTS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Temper needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/$(ENVIRONMENT).txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(TEST_READY): $(READY) requirements/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/test.txt
	@touch $@

setup: $(READY)  ## the environment in .venv

reproduce: $(READY)  ## the embedded study: params.yaml, no GPU, no network
	$(SNAKEMAKE)
	@$(BIN)/temper table

study: $(READY) need-STUDY  ## a study of its own: make study STUDY=digits-resnet
	$(SNAKEMAKE) --directory studies/$(STUDY)
	@$(BIN)/temper table --directory studies/$(STUDY)

plan: $(READY)  ## what would run, and why (STUDY=name for a study of its own)
	@$(BIN)/temper plan $(if $(STUDY),--directory studies/$(STUDY))

raw: $(READY) need-STUDY  ## copy the outside files of a study into its data/raw/ (FROM=folder)
	$(BIN)/temper raw --directory studies/$(STUDY) --from $(FROM)

library: $(READY) need-PACKAGE need-VERSION  ## another version of a library: make library PACKAGE=tensorrt-rtx-cu13 VERSION=1.5.0.114
	$(BIN)/pip install --quiet --disable-pip-version-check --target libraries/$(PACKAGE)-$(VERSION) $(PACKAGE)==$(VERSION)

test: $(TEST_READY)  ## every test that needs no GPU
	$(BIN)/python -m pytest

gpu-test: $(TEST_READY)  ## the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest tests/gpu

lint: $(TEST_READY)  ## ruff, mypy --strict, the closed schema, snakemake --lint
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/temper check params.yaml studies/*/params.yaml
	$(BIN)/temper lint

benchmark: $(TEST_READY)  ## overhead, no-op time, memory and harness cost of the embedded study, as ratios
	$(BIN)/python benchmarks/overhead.py

clean:  ## remove what the embedded study made
	rm -rf data artifacts logs .snakemake

need-%:
	@test -n "$($*)" || { echo "make needs $*=… here; 'make help' shows how" >&2; exit 2; }
