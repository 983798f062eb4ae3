# PYTHON: the interpreter to make the virtual environment with. TORCH: cpu, or cuda for the build with CUDA.
PYTHON ?= python3
TORCH ?= cpu

VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# PyPI has the CUDA build (several GB). pip goes on without this index where it cannot be reached.
TORCH_INDEX := $(if $(filter cpu,$(TORCH)),--retries 0 --extra-index-url https://download.pytorch.org/whl/cpu)

.DEFAULT_GOAL := help
.PHONY: help demo test test-kafka test-generated nightly check bench gpu-check chaos clean

help:
	@echo "make demo   start the embedded stack, publish a sample, match it live, show the matches"
	@echo "make test   lint, types, import direction, every test"
	@echo "make test-kafka KAFKA_HOME=path/to/kafka: the stack tests on Apache Kafka (needs Java 17)"
	@echo "make test-generated  generate code from the JSON Schemas, compile it, read events with it (needs npm)"
	@echo "make nightly  2,000 random histories of erasures, lost indexes and match lists (make test runs 100)"
	@echo "make check  lint, types, import direction"
	@echo "make chaos  one fault after another while events flow: nothing may be lost (about 20 minutes)"
	@echo "make bench  DATA=path/to/data: speed and quality figures"
	@echo "make gpu-check  DATA=path/to/data: test, time and train the encoder on a GPU (at most 8 minutes)"
	@echo
	@echo "PYTHON=python3.13 takes another Python; TORCH=cuda takes the build of torch with CUDA"

$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH_INDEX) $$(grep '^torch==' constraints.txt)
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) --constraint constraints.txt --editable '.[embedded]'
	@touch $@

$(STAMP): $(VENV)/.demo
	$(PIP) --constraint constraints.txt --editable '.[embedded,training,dev]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/rolecall demo

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	env -u KAFKA_HOME $(BIN)/pytest

test-kafka: $(STAMP)
	KAFKA_HOME=$(abspath $(KAFKA_HOME)) $(BIN)/pytest tests/stack

test-generated: $(STAMP)
	ROLECALL_TEST_GENERATED=1 $(BIN)/pytest tests/generated

nightly: $(STAMP)
	ROLECALL_TEST_HISTORIES=2000 $(BIN)/pytest --timeout=14400 tests/bench/test_bench_erasure.py \
		tests/streams/worker/test_lists_model.py tests/streams/index/contract/test_market.py

bench: $(STAMP)
	$(BIN)/python -m bench.pipeline --vacancies $(DATA)/vacancies/open_jobs.csv --onet $(DATA)/onet
	$(BIN)/python -m bench.quality --data $(DATA)

gpu-check: $(STAMP)
	$(BIN)/python -m bench.gpu_check pack .rolecall/gpu-check --data $(DATA)
	$(BIN)/python -m bench.gpu_check run .rolecall/gpu-check

chaos: $(STAMP)
	$(BIN)/python -m bench.chaos

clean:
	rm -rf .venv .venv-* .rolecall build *.egg-info
