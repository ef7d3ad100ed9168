# `make reproduce` and `make test` set themselves up. ENVIRONMENT=gpu takes the GPU requirement set.
ENVIRONMENT ?= cpu
PYTHON ?= python3
# jobs side by side; one that times something runs alone
CORES ?= 2
FROM ?= ../shared
VENV := .venv
BIN := $(VENV)/bin
IN := $(if $(STUDY),--directory studies/$(STUDY))
DVC := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc $(if $(STUDY),--cd studies/$(STUDY))
READY := $(VENV)/ready-$(ENVIRONMENT)
TEST_READY := $(VENV)/ready-test
REQUIREMENTS := requirements/$(ENVIRONMENT).txt $(addprefix requirements/locked/,$(ENVIRONMENT).txt common.txt build.txt uv.txt) requirements/install.sh

# where it is set (in many containers), every process compiles torch and transformers anew: 10 s each
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup reproduce studies study remeasure plan raw repro sync pull push compare experiments calibration-study upgrade-check results library lock sbom advisories report docs browser test long-test lint typecheck-tensorrt \
	benchmark matrix gpu-test clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20
	@echo
	@echo "temper COMMAND [-C studies/NAME]   of a study of yours; source .venv/bin/activate puts it on the path, --help explains each:"
	@echo "  init plan run table report check studies  optimize predict package serve  experiment experiments compare diagnose calibration-study upgrade"
	@echo "  forget  raw pull push verify-remote results track commit sync clean remove"

$(READY): $(REQUIREMENTS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Temper needs Python 3.11 or newer; set PYTHON=…")'
	@echo "Installing pinned packages into $(VENV), once: 2.2 GB, about a minute."
	@$(PYTHON) -m venv $(VENV)
	@sh requirements/install.sh $(BIN) requirements/$(ENVIRONMENT).txt
	@touch $@

$(TEST_READY): $(READY) requirements/locked/test.txt
	@echo "Installing what the tests need."
	@sh requirements/install.sh $(BIN) requirements/test.txt
	@touch $@

lock:  ## write requirements/locked/ anew, after an edit of requirements/: needs the package index
	@sh requirements/lock.sh $(BIN)

sbom: $(TEST_READY)  ## write requirements/locked/sbom.json (CycloneDX) and docs/licences.md anew, after make lock
	@$(BIN)/python requirements/sbom.py

$(VENV)/audit/ready: requirements/audit.txt
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check -r requirements/audit.txt
	@touch $@

advisories: $(VENV)/audit/ready  ## ask PyPI's index for advisories on what is locked; needs a network, and says where it could not ask
	@$(VENV)/audit/bin/python requirements/audit.py $(VENV)/audit/bin/pip-audit

setup: $(READY)  ## the environment in .venv

reproduce: $(READY)  ## the embedded study: params.yaml, no GPU, no network
	@$(BIN)/temper run --cores $(CORES)

studies: $(READY)  ## the studies, a line each: what each needs, what was last measured where
	@$(BIN)/temper studies

study: $(READY) need-STUDY  ## a study of its own: make study STUDY=digits-resnet
	@$(BIN)/temper run --directory studies/$(STUDY) --cores $(CORES)

remeasure: $(READY)  ## take once more what a busy machine disturbed or left unmeasured (STUDY=name)
	@$(BIN)/temper run $(IN) --cores $(CORES) --again remeasure

plan: $(READY)  ## what would run, and why (STUDY=name for a study of its own)
	@$(BIN)/temper plan $(IN)

raw: $(READY) need-STUDY  ## copy the outside files of a study into its data/raw/ (FROM=folder; FORCE=1 writes over others)
	$(BIN)/temper raw --directory studies/$(STUDY) --from $(FROM) $(if $(FORCE),--force)

repro: $(READY)  ## the same through DVC (STUDY=name for a study of its own)
	@$(BIN)/temper track $(IN)
	$(DVC) repro dvc.yaml

sync: $(READY)  ## after dvc checkout or apply, and after a killed run: check every artifact, tell Snakemake
	@$(BIN)/temper sync $(IN)

pull: $(READY)  ## fetch one study's artifacts from DVC's remote, and take those made elsewhere as they are
	@$(BIN)/temper pull $(IN) $(if $(FORCE),--force)

push: $(READY)  ## store one study's artifacts on DVC's remote
	$(DVC) push

experiments: $(READY)  ## what each experiment of this commit changed, and what was chosen then (ALL=1: every column of DVC)
	@$(BIN)/temper experiments $(IN) $(if $(ALL),--all)

compare: $(READY)  ## experiments, commits or candidates pair by pair, and a plot (EXPERIMENTS="name name" for some)
	@$(BIN)/temper compare $(IN) $(EXPERIMENTS)

calibration-study: $(READY)  ## methods × sample counts as experiments (STUDY=name; default sst2-minilm; FORCE=1 replaces those there are)
	@$(BIN)/temper calibration-study --directory studies/$(or $(STUDY),sst2-minilm) $(if $(FORCE),--force)

upgrade-check: $(READY) need-LIBRARY need-VERSION  ## plan, run and compare another version: make upgrade-check LIBRARY=tensorrt_rtx VERSION=1.5.0.114
	@$(BIN)/temper upgrade $(IN) --cores $(CORES) $(LIBRARY) $(VERSION)

report: $(READY)  ## the report as a page, in a browser (STUDY=name; AGAINST=experiment, commit or folder)
	@$(BIN)/temper report $(IN) $(if $(AGAINST),--against $(AGAINST))

results: $(READY) need-MACHINE  ## file this machine's records: make results MACHINE=cpu-2c (STUDY=name)
	@$(BIN)/temper results $(IN) --machine $(MACHINE) $(if $(FORCE),--force)

library: $(READY) need-PACKAGE need-VERSION  ## another version of a library: make library PACKAGE=tensorrt-rtx-cu13 VERSION=1.5.0.114
	$(BIN)/pip install --quiet --disable-pip-version-check --target $(VENV)/libraries/$(PACKAGE)-$(VERSION) $(PACKAGE)==$(VERSION)

test: $(TEST_READY)  ## the tests of every change; no GPU
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

browser:  ## Debian's Chromium, for the tests of pages (apt-get, as root; half a minute); without it they are skipped
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; }

$(VENV)/docs/ready: requirements/docs.txt
	@$(PYTHON) -m venv $(VENV)/docs
	@$(VENV)/docs/bin/pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	@touch $@

docs: $(VENV)/docs/ready  ## the documentation as a site that opens from a folder: .venv/site/index.html; every link is checked
	@NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict --quiet
	@echo .venv/site/index.html

gpu-test: $(TEST_READY)  ## the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest tests/gpu

lint: $(TEST_READY)  ## ruff, mypy --strict, the closed schema, snakemake --lint
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/temper check params.yaml studies/*/params.yaml
	$(BIN)/temper lint

typecheck-tensorrt: $(TEST_READY)  ## the code for TensorRT 10 against its stubs; the library itself is not needed
	rm -rf $(VENV)/stubs
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/stubs tensorrt-stubs==10.13.0.35.1
	@# what of the stubs is no Python: a parameter called `in`, one without a default after one with
	sed -i -E 's/([(, ])in: /\1in_: /g; s/(= None, channel_axis: int)\)/\1 = ...)/' $(VENV)/stubs/tensorrt_bindings/tensorrt.pyi
	MYPYPATH=$(VENV)/stubs $(BIN)/mypy --cache-dir $(VENV)/stubs/cache

long-test: $(TEST_READY)  ## the other tests without a GPU, hours: every study cut down and run, 236 kills, 60 full disks, 52 limits of memory, the table of runs and jobs
	$(BIN)/python -m pytest -m long

benchmark: $(TEST_READY)  ## overhead, no-op time, memory and harness cost of the embedded study, as ratios
	$(BIN)/python benchmarks/overhead.py

matrix: $(TEST_READY)  ## which model families go through which conversion on which runtime: docs/matrix.md (FAMILIES="BERT Swin" for some)
	$(BIN)/python benchmarks/matrix.py $(FAMILIES)

clean:  ## remove what Temper made of a study, after asking (STUDY=name; YES=1 does not ask)
	@test -x $(BIN)/temper || { echo "make clean looks which files are Temper's own: make setup first" >&2; exit 2; }
	@$(BIN)/temper clean $(IN) $(if $(YES),--yes)

need-%:
	@test -n "$($*)" || { echo "make needs $*=… here; 'make help' shows how" >&2; exit 2; }
