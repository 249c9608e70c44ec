# Each target sets up what it needs. The first set-up takes some minutes; later ones take none.
#
#   make demo TORCH="--index-url URL torch==2.13.0"   another index for torch (a CPU or CUDA build of your choice)
#   make demo VENV_FLAGS=--system-site-packages TORCH= use the torch that this Python already has

PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

BASE ?= sd-2.1
READY_KEYWORD ?= bomux

.PHONY: sd21-check demo run playground test test-all lint docs bench notebooks ready-style clean

demo: $(VENV)/ready
	$(BIN)/python -m bot playground --demo

run: $(VENV)/ready
	$(BIN)/python -m bot

playground: $(VENV)/ready
	$(BIN)/python -m bot playground

# Two files at a time, each on one core: they wait for processes and networks as much as they work.
test: $(VENV)/ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=20

test-all: $(VENV)/ready-dev
	$(BIN)/python -m pytest -q -m "slow or not slow"

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs:  # writes docs/files.md from the first line of every module; needs no set-up
	$(PYTHON) docs/make_files.py

# The figures of the bundled base and its cut-out. docs/figures.md has the commands of all others.
bench: $(VENV)/ready-pretrain
	$(BIN)/python -m lora.pretrain.drawings fetch
	$(BIN)/python -m lora.pretrain.drawings render
	$(BIN)/python -m benchmarks.sticker_nano
	$(BIN)/python -m benchmarks.cutout

# The ready-made style of the bot: an adapter of rank 8 in float16, 1.5 MB, trained on data/demo. Some minutes.
ready-style: $(VENV)/ready
	rm -rf data/ready-style
	$(BIN)/python -m lora train --train_data_dir=data/demo --keyword=$(READY_KEYWORD) --rank=8 --output_dir=data/ready-style
	$(BIN)/python -m lora export data/ready-style --format diffusers --half --out lora/bundled/ready-style.safetensors

notebooks: $(VENV)/ready-dev  # runs them on the bundled base, some minutes, and keeps them with their output
	rm -rf data/notebook-run
	$(BIN)/python -m notebooks.execute

sd21-check: $(VENV)/ready  # BASE=sd-2.1-base, or a folder or file of yours
	$(BIN)/python -m lora doctor --base $(BASE)

clean:
	rm -rf $(VENV) data/cache data/demo-out data/notebook-run data/playground

# torch first and by itself, so that nothing else pulls another build of it.
$(VENV)/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(if $(TORCH),$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH))
	$(PIP) -e .
	touch $@

$(VENV)/ready-dev: $(VENV)/ready
	$(PIP) -e .[dev]
	touch $@

$(VENV)/ready-pretrain: $(VENV)/ready
	$(PIP) onnx resvg-py
	touch $@
