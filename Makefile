# make demo      the quickstart, set-up included
# make test      the whole test suite, set-up included
# make peers     the other simulators that `recsim bench env` compares with, each in .peers; needs PYTHON=python3.11
# make PYTHON=python3.12 demo
#                another Python, 3.11 or 3.12
# make TORCH_INDEX_URL=<url> demo
#                another index for torch, such as the CPU wheels that pytorch.org names: on Linux, PyPI has the CUDA build

PYTHON ?= python3
TORCH_INDEX_URL ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
TORCH_INDEX := $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))
PINS := pyproject.toml constraints.txt

.PHONY: venv demo test lint peers clean
.DELETE_ON_ERROR:

venv: $(VENV)/installed

demo: $(VENV)/installed
	$(BIN)/recsim run experiments/quickstart.yaml --out runs/quickstart --overwrite

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "slow or not slow" -n 2 --dist loadfile --durations=10

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

peers:
	$(PYTHON) scripts/install_peers.py $(TORCH_INDEX)

clean:
	rm -rf $(VENV) .peers build dist *.egg-info runs .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else \
	"recsim needs Python 3.11 or 3.12, and $(PYTHON) is %d.%d: name another one, as in  make PYTHON=python3.11 demo" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(PINS) | $(BIN)/python
	@echo "Installing torch and recsim into $(VENV): one to several minutes, about 2 GB."
	$(INSTALL) $(TORCH_INDEX) torch setuptools
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV)."
	$(INSTALL) --no-build-isolation --editable ".[dev,text-image]"
	@touch $@
