# make sample     a stem for the bundled context, by the bundled model -> outputs/sample
# make demo       the page on http://127.0.0.1:7860
# make test       the quick tests, for every change; without torch
# make test-slow  the tests that make test leaves out
# make test-all   both
# make topology   the paper's programs, compiled for a TPU pod that is not here
# make docs       the API reference -> build/docs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
POD_VENV := .venv-topology
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install -q --disable-pip-version-check
export JAX_PLATFORMS ?= cpu

.PHONY: sample demo test test-slow test-all topology lint format golden parity bench docs \
  doctor clean

$(VENV)/.base: pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

# tinysoundfont names pyaudio as a need; it never imports it and pyaudio does not build
$(VENV)/.test: $(VENV)/.base
	$(PIP) -e ".[train,midi,demo,dev]"
	$(PIP) --no-deps tinysoundfont
	touch $@

$(VENV)/.parity: $(VENV)/.test
	$(PIP) -e ".[parity]"
	touch $@

sample: $(VENV)/.base
	$(PY) sample.py --preset fast --out outputs/sample

$(VENV)/.demo: $(VENV)/.base
	$(PIP) -e ".[demo,midi]"
	touch $@

demo: $(VENV)/.demo
	$(PY) -m stemjax demo

# Two workers on two cores: with more BLAS threads they would wait for each other.
PYTEST := OPENBLAS_NUM_THREADS=1 $(PY) -m pytest -q -n 2 --dist worksteal

test: $(VENV)/.test
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.test
	$(PYTEST) -m slow

test-all: $(VENV)/.test
	$(PYTEST)

# of its own: where libtpu is installed, jax speaks on stderr at every start
$(POD_VENV)/.tpu: pyproject.toml
	test -x $(POD_VENV)/bin/python || $(PYTHON) -m venv $(POD_VENV)
	$(POD_VENV)/bin/python -m pip install -q --disable-pip-version-check -e ".[tpu,dev]"
	touch $@

# compiled as a user's programs are, where tests/conftest.py hurries
topology parity: export JAX_DISABLE_MOST_OPTIMIZATIONS ?= 0

# the paper's programs compiled for a TPU pod; minutes, nothing is run
topology: $(POD_VENV)/.tpu
	$(POD_VENV)/bin/python -m pytest -q tests/topology/compile_for_pods.py

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

golden: $(VENV)/.parity
	$(PY) -m tests.codec.make_golden

parity: $(VENV)/.parity
	$(PY) -m pytest -q -m parity

# on a CPU; benchmarks/gpu.py is the one script for an accelerator
bench: $(VENV)/.parity
	for b in $(filter-out benchmarks/gpu.py,$(wildcard benchmarks/*.py)); do \
	  $(PY) $$b || exit 1; done

$(VENV)/.docs: $(VENV)/.base
	$(PIP) -e ".[docs]"
	touch $@

docs: $(VENV)/.docs
	$(PY) -m pdoc -o build/docs stemjax stemjax.api stemjax.eval stemjax.codec

doctor: $(VENV)/.base
	$(PY) -m stemjax doctor

clean:
	rm -rf outputs build dist *.egg-info .pytest_cache .ruff_cache
