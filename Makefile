# Frostline. `make help` lists what can be made; nothing needs an activated environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := uv==0.13.9
PORT ?= 5000
DURATION ?= 600
SEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help setup lock sweep test test-lora test-lowest test-faults test-chaos test-broad test-slow lint ui benchmark benchmark-full gpu docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv with the pinned versions (again only when they change)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Frostline needs Python 3.11 or newer; \`$(PYTHON)\` is $$($(PYTHON) -V 2>&1). Point at another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "setting up $(VENV) (the first time this downloads some gigabytes of PyTorch)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --compile-bytecode -r requirements.txt
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

sweep: $(READY) ## the main job: two pretrained backbones, four depths, on the built-in leaves
	$(BIN)/python -m src.train -m backbone=tf_efficientnet_lite0,tf_efficientnet_lite1 freeze=0,2,4,all image_size=96

# peft stands apart: with it comes transformers, which torchmetrics then imports in every command.
EXTRAS = $(shell $(BIN)/python -c "import tomllib; print(*('--extra ' + name for name in tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'] if name != 'lora'))")
COMPILE = $(BIN)/uv pip compile --quiet $(UPGRADE) pyproject.toml $(EXTRAS) --no-annotate --no-header -o requirements.all.txt

lock: $(READY) ## write requirements*.txt anew from pyproject.toml (make lock UPGRADE=--upgrade for newer versions)
	@cp requirements.txt requirements.all.txt # present pins are kept where they fit
	$(COMPILE)
	@# PyTorch pins its CUDA packages itself, for the platforms that have them.
	grep -vE '^(nvidia-|triton|cuda-)' requirements.all.txt > requirements.txt
	@cat requirements.txt requirements-lora.txt > requirements.all.txt
	$(COMPILE) --extra lora
	grep -vE '^(nvidia-|triton|cuda-)' requirements.all.txt | grep -vxFf requirements.txt > requirements-lora.txt
	@rm requirements.all.txt

test: $(READY) ## the tests, offline, each in its own store
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-faults: $(READY) ## real faults in real commands, as in CI
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "faults and not slow" -n 2 --dist worksteal tests/faults

test-lora: $(READY) ## freeze=lora, with peft in a folder of its own (.lora)
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --target .lora -r requirements-lora.txt
	OMP_NUM_THREADS=1 PYTHONPATH=.lora $(BIN)/python -m pytest -n 2 tests/training/test_adapters.py tests/inference/test_run_of_adapters.py

# PyTorch 2.6 writes ONNX only with an onnxscript of its time (docs/install.md).
test-lowest: $(READY) ## the lowest versions that pyproject.toml allows, in an environment of its own (.lowest)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .lowest
	@$(BIN)/uv pip install --python .lowest/bin/python --quiet --resolution lowest-direct --editable '.[weights,export]' onnx-ir==0.1.12 'pytest>=8' 'pytest-xdist>=3.6' 'pytest-timeout>=2.3'
	OMP_NUM_THREADS=1 .lowest/bin/python -m pytest -n 2 --dist worksteal tests/stats tests/reporting tests/inference tests/test_command.py

test-chaos: $(READY) ## random faults for DURATION seconds (600) by SEED (0), then proofs that nothing is lost or wrong
	$(BIN)/python -m tests.faults.chaos --seconds $(DURATION) --seed $(SEED)

test-broad: $(READY) ## the contracts over 112 backbones at every depth, the documents' commands, as in CI
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 --dist worksteal tests/contracts tests/documents tests/integration tests/experiments

test-slow: $(READY) ## all slow tests: the broad runs, launchers, servers, long faults
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 --dist worksteal

lint: $(READY) ## ruff, mypy --strict, and that rooms import downwards only
	$(BIN)/ruff check src tests benchmarks experiments examples docs/*.py
	$(BIN)/ruff format --check src tests benchmarks experiments examples docs/*.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

ui: $(READY) ## MLflow's pages over the local store, on 127.0.0.1 (PORT=5000)
	$(BIN)/python -m src.ui --port $(PORT)

benchmark: $(READY) ## sweeps against what people do and a tuned loop, as ratios (under 15 minutes)
	$(BIN)/python -m benchmarks.run

benchmark-full: $(READY) ## the larger sizes, added to the same table (hours on two cores)
	$(BIN)/python -m benchmarks.run --only W1,W2,W3,W4 --sizes 1000x5 --rounds 2 --minutes 600
	$(BIN)/python -m benchmarks.run --only W2,W3 --sizes 3000x5 --rounds 2 --minutes 600

gpu: $(READY) ## everything that computes on a GPU, checked and timed there (under 9 minutes)
	$(BIN)/python -m benchmarks.gpu

docs: $(READY) ## the pages of docs/, README and the studies as a site in site/, which opens offline
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet && echo "open site/index.html"

clean: ## remove the environment (runs and results stay)
	rm -rf $(VENV)
