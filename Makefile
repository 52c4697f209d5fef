# One entry for everything: `make` lists the targets. Every target sets up what it needs: a
# virtual environment in .venv with exactly the packages of requirements.lock.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet --quiet
FRACTRAIN := $(PY) -m fractrain
# pip with a line that says how far it is
INSTALL := $(PY) -m tools.install
STAMP := $(VENV)/.installed
# uv only resolves versions for `make lock`; nothing else needs it.
UV_VERSION := 0.13.9
# What `make torch` installs. Of a version, pip takes the build that its index offers, on Linux one
# for CUDA: gigabytes. TORCH=/path/of/a.whl installs a smaller one for CPUs.
TORCH ?= torch==2.13.0
ARRAY_API ?= array-api-compat==1.16.0
# The machine of generate, bitstream and synth: a preset or a file.
CONFIG = zc706
# The tools of `make bitstream`: vivado or openxc7.
FLOW = vivado
# Options for the command behind the target: make train ARGS="--seed 3"
ARGS =

# Amaranth shall use the Yosys that its wheel brings, never one that happens to be on PATH.
export AMARANTH_USE_YOSYS := builtin
# Python and pip as this file wants them, whatever the shell has set: packages come from $(VENV) and
# go there. Indexes, proxies, certificates and caches stay the user's.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONINSPECT PYTHONPLATLIBDIR __PYVENV_LAUNCHER__
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_REQUIREMENT PIP_CONSTRAINT PIP_EDITABLE
unexport PIP_NO_DEPS PIP_NO_BINARY PIP_ONLY_BINARY PIP_REQUIRE_HASHES PIP_DRY_RUN PIP_UPGRADE
unexport PIP_IGNORE_INSTALLED PIP_FORCE_REINSTALL PIP_PLATFORM PIP_PYTHON_VERSION PIP_ABI
export PIP_USER := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help train test test-slow test-armhf lint generate bitstream synth bench lock torch clean

help: ## list the targets
	@echo 'make TARGET [ARGS="options of the command"]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo
	@echo 'Example: make train ARGS="--seed 3". All options: $(VENV)/bin/fractrain train --help'

train: $(STAMP) ## train a ResNet on handwritten digits through the accelerator model
	@$(FRACTRAIN) train --recipe short $(ARGS)

# One thread a process for BLAS and PyTorch: two test processes share the cores, more would only spin.
# Where a test asks PyTorch for two, the one that waits sleeps.
TEST_THREADS := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
test: $(STAMP) ## run all tests, RTL co-simulations included
	$(check_tools)
	$(check_test_tools)
	@$(TEST_THREADS) $(PY) -m pytest -n 2 --dist worksteal $(ARGS)

test-slow: $(STAMP) ## run what `make test` leaves out: training steps of whole networks on the RTL
	$(check_tools)
	@$(TEST_THREADS) $(PY) -m pytest -n 2 -m slow $(ARGS)

test-armhf: $(STAMP) ## run what the board runs on Debian's Python for armhf, under qemu
	@$(PY) -m tests.armhf.check build/armhf

lint: $(STAMP) ## check style, types and import directions
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()'

generate: $(STAMP) ## write the Verilog of a machine to build/CONFIG; CONFIG=zc706 or another
	@$(FRACTRAIN) generate --config $(CONFIG) $(ARGS)

bitstream: $(STAMP) ## make its bitstream in build/bitstream-CONFIG; FLOW=vivado or openxc7
	@$(FRACTRAIN) bitstream --config $(CONFIG) --flow $(FLOW) $(ARGS)

synth: $(STAMP) ## synthesize it for area and logic depth, and compare with the budget
	@$(FRACTRAIN) synth --config $(CONFIG) --check $(ARGS)

bench: $(STAMP) ## measure simulation, training and packing speed
	$(check_tools)
	@$(FRACTRAIN) bench $(ARGS)

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
$(call need,$(PYTHON) -E -c 'import sys; sys.exit(sys.version_info < (3$(comma) 11))',Python 3.11 or newer (as $(PYTHON)),python3)
$(call need,$(PYTHON) -E -c 'import ensurepip$(comma) venv',the venv module of $(PYTHON),python3-venv)
endef
define check_path
$(if $(UNSUPPORTED),$(error the path of this folder has $(UNSUPPORTED), which Python's virtual environments or setuptools cannot have in a path: move or clone it to another folder))
endef
comma := ,

define newline


endef
# What venv, setuptools and the first lines of scripts take for something else.
UNSUPPORTED := $(strip $(foreach character,: $$ { } " \ `,$(findstring $(character),$(CURDIR))) \
    $(if $(findstring $(newline),$(CURDIR)),a line break))

# Scripts in a virtual environment carry its path: a tree that was moved or copied needs a new one.
at_home = case "$$(sed -n 's/^command = //p' $(VENV)/pyvenv.cfg 2>/dev/null)" in \
    (*" $$(pwd -P)/$(VENV)") true ;; (*) false ;; esac
ifneq ($(shell $(at_home) && echo yes),yes)
.PHONY: $(STAMP)
endif

# Python reads *.pth in the encoding of whatever locale it is started in: a relative path is ASCII.
# The stamp is written last, so whatever interrupts set-up makes the next call resume it. One at a
# time: another that was begun meanwhile waits, and finds it done.
$(STAMP): requirements.lock pyproject.toml
	$(check_path)
	$(check_python)
	$(check_tools)
	@exec 9>>requirements.lock; \
	if command -v flock >/dev/null && ! flock --nonblock 9; then \
	    echo "Waiting for another make, which sets up $(VENV) ..."; \
	    flock 9; \
	fi; \
	up_to_date() { [ $@ -nt requirements.lock ] && [ $@ -nt pyproject.toml ]; }; \
	if up_to_date && $(at_home); then exit 0; fi; \
	set -e; \
	echo "Setting up $(VENV) with the packages of requirements.lock (once, a minute or two) ..."; \
	rm -f $@; \
	if ! { $(at_home); } || ! $(PY) -m pip --version >/dev/null 2>&1; then \
	    $(PYTHON) -m venv --clear $(VENV); \
	fi; \
	$(INSTALL) --require-hashes -r requirements.lock; \
	$(INSTALL) --no-deps --no-build-isolation --editable .; \
	for each in $(VENV)/lib/python3.*/site-packages/__editable__.fractrain_fpga-*.pth; do \
	    if [ -f "$$each" ]; then echo ../../../.. >"$$each"; fi; \
	done; \
	touch $@; \
	echo "Set-up is done."
