VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check bench gpu-check chaos clean

help:
	@echo "make demo   start the embedded stack, publish a sample, match it live, show the matches"
	@echo "make test   lint, types, import direction, every test"
	@echo "make check  lint, types, import direction"
	@echo "make chaos  faults upon faults while events flow: nothing may be lost (some 20 minutes)"
	@echo "make bench  DATA=path/to/data: speed and quality figures"
	@echo "make gpu-check  DATA=path/to/data: test, time and train the encoder on a GPU (at most 8 minutes)"

$(VENV)/.torch: constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded]'
	@touch $@

$(STAMP): $(VENV)/.demo
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,training,dev]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/rolecall demo

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

bench: $(STAMP)
	$(BIN)/python -m bench.pipeline --vacancies $(DATA)/vacancies/open_jobs.csv --onet $(DATA)/onet
	$(BIN)/python -m bench.quality --data $(DATA)

gpu-check: $(STAMP)
	$(BIN)/python -m bench.gpu_check pack .rolecall/gpu-check --data $(DATA)
	$(BIN)/python -m bench.gpu_check run .rolecall/gpu-check

chaos: $(STAMP)
	$(BIN)/python -m bench.chaos

clean:
	rm -rf $(VENV) .rolecall build *.egg-info
