# Everything runs in .venv, which the first target that needs it creates.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AS_ROOT = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: help install train test test-slow test-browser check format docs bench learning clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[box2d,mujoco,dev]'
	@touch $@

install: $(VENV)/.installed  ## create .venv and install axiomrl

train: $(VENV)/.installed  ## train PPO on CartPole to the end (CONFIG=… for another preset)
	$(BIN)/axiomrl train --config $(or $(CONFIG),configs/ppo/cartpole.yaml)

# The tests start a hundred processes: none compiles again what another one has compiled.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.installed-dev  ## the fast tests
	$(BIN)/python -m pytest -m "not slow and not browser" -n logical --maxprocesses 8 --dist worksteal $(ARGS)

test-slow: $(VENV)/.installed-dev  ## the tests that train for minutes
	$(BIN)/python -m pytest -m slow $(ARGS)

test-browser: $(VENV)/.installed-dev  ## pages in a real browser; gets Debian's chromium if there is none
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  $(AS_ROOT) apt-get update -q && $(AS_ROOT) apt-get install -q -y --no-install-recommends chromium; }
	$(BIN)/python -m pytest -m browser $(ARGS)

check: $(VENV)/.installed-dev  ## ruff, mypy --strict, and whether the generated docs are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

format: $(VENV)/.installed-dev  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev  ## write the generated pages of docs/reference
	$(BIN)/python docs/generate.py

bench: $(VENV)/.installed-dev  ## speed against Stable-Baselines3 (in .venv-bench) and CleanRL
	bash benchmarks/setup_peers.sh
	$(BIN)/python benchmarks/speed.py $(ARGS)

learning: $(VENV)/.installed-dev  ## train the presets over seeds and write docs/reference/results.md
	$(BIN)/python benchmarks/learning.py $(ARGS)

clean:  ## remove what the other targets made, runs excepted
	rm -rf $(VENV) .venv-bench .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
