# One entry for everything: `make` lists the targets. Every target sets up what it needs: a
# virtual environment in .venv with exactly the packages of requirements.lock.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet --quiet
# pip with a line that says how far it is
INSTALL := $(PY) -m tools.install
STAMP := $(VENV)/.installed
# uv only resolves versions for `make lock`; nothing else needs it.
UV_VERSION := 0.13.9
# What `make torch` installs. Of a version, pip takes the build that its index offers, on Linux one
# for CUDA: gigabytes. TORCH=/path/of/a.whl installs a smaller one for CPUs.
TORCH ?= torch==2.13.0
ARRAY_API ?= array-api-compat==1.16.0
# The tools of `make bitstream`: vivado or openxc7.
FLOW ?= vivado
# Options for the command behind the target: make train ARGS="--seed 3"
ARGS ?=

# Amaranth shall use the Yosys that its wheel brings, never one that happens to be on PATH.
export AMARANTH_USE_YOSYS := builtin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help train test test-armhf lint generate bitstream synth bench lock torch clean

help: ## list the targets
	@echo 'make TARGET [ARGS="options of the command"]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo
	@echo 'Example: make train ARGS="--seed 3". All options: $(VENV)/bin/fractrain train --help'

train: $(STAMP) ## train a ResNet on handwritten digits through the accelerator model
	@$(VENV)/bin/fractrain train --recipe short $(ARGS)

# One thread a process for BLAS and PyTorch: two test processes share the cores, more would only spin.
test: $(STAMP) ## run all tests, RTL co-simulations included
	$(check_tools)
	$(check_test_tools)
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal $(ARGS)

test-armhf: $(STAMP) ## run what the board runs on Debian's Python for armhf, under qemu
	@$(PY) -m tests.armhf.check build/armhf

lint: $(STAMP) ## check style, types and import directions
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

generate: $(STAMP) ## write the Verilog of the ZC706 machine to build/zc706
	@$(VENV)/bin/fractrain generate --config zc706 --out build/zc706 $(ARGS)

bitstream: $(STAMP) ## make the ZC706 bitstream in build/bitstream-zc706; FLOW=vivado or openxc7
	@$(VENV)/bin/fractrain bitstream --config zc706 --flow $(FLOW) $(ARGS)

synth: $(STAMP) ## synthesize it for area and logic depth, and compare with the budget
	@$(VENV)/bin/fractrain synth --config zc706 --check $(ARGS)

bench: $(STAMP) ## measure simulation, training and packing speed
	$(check_tools)
	@$(VENV)/bin/fractrain bench $(ARGS)

torch: $(STAMP) ## add PyTorch, for `fractrain train --backend torch` and its tests
	@$(INSTALL) '$(TORCH)' '$(ARRAY_API)'

lock: $(STAMP) ## resolve requirements.lock anew from pyproject.toml
	$(PIP) install uv==$(UV_VERSION)
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 \
	    --extra train --extra hardware --extra dev \
	    --generate-hashes --no-emit-index-url --no-annotate --upgrade \
	    --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: ## remove the virtual environment, caches and everything generated
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- set-up ------------------------------------------------------------------------------------

# $(call need,command that tells,what it is,Debian package): stops with one line.
need = $(if $(shell $(1) >/dev/null 2>&1 && echo yes),,$(error $(2) is missing. Install it: apt-get install $(3)))
define check_tools
$(call need,command -v g++,g++ (compiles the simulations),g++)
$(call need,command -v perl,perl (Verilator runs on it),perl)
endef
define check_test_tools
$(call need,command -v tclsh,tclsh (runs the Vivado script in tests),tcl)
$(call need,command -v dtc,dtc (compiles the device tree in tests),device-tree-compiler)
endef
define check_python
$(call need,$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3$(comma) 11))',Python 3.11 or newer (as $(PYTHON)),python3)
$(call need,$(PYTHON) -c 'import ensurepip$(comma) venv',the venv module of $(PYTHON),python3-venv)
endef
comma := ,

# Scripts in a virtual environment carry its path: a tree that was moved or copied needs a new one.
AT_HOME := $(shell grep -qs ' $(CURDIR)/$(VENV)$$' $(VENV)/pyvenv.cfg && echo yes)
ifneq ($(AT_HOME),yes)
.PHONY: $(STAMP)
endif

# The stamp is written last, so whatever interrupts set-up makes the next call resume it.
$(STAMP): requirements.lock pyproject.toml
	$(check_python)
	$(check_tools)
	@echo "Setting up $(VENV) with the packages of requirements.lock (once, a minute or two) ..."
	@rm -f $@
	@if [ "$(AT_HOME)" != yes ] || ! $(PY) -m pip --version >/dev/null 2>&1; then \
	    $(PYTHON) -m venv --clear $(VENV); fi
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Set-up is done."
