# What a person does with this project. Everything else is `metricpress --help`.

BIN := .venv/bin
TEST_PROCESSES := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
DBT_PARSE := cd dbt_project && ../$(BIN)/dbt --quiet --warn-error parse

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-fast test-long lint bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## virtual environment from the pinned lock, libraries for PDF; nothing to do: at once
	@scripts/setup.sh

demo: setup ## shipped data in, marts built, due reports in a folder
	@$(BIN)/metricpress demo

dev: setup ## Dagster UI on the same data, on port 3000
	@$(BIN)/python -m orchestration.dev

test: setup ## all tests, on the embedded PostgreSQL, in up to four processes
	@$(BIN)/pytest $(TEST_PROCESSES)

test-fast: setup ## tests without a database and without whole programs
	@$(BIN)/pytest -m "not integration and not e2e"

test-long: setup ## 300 fresh random histories of the marts (SEED=n repeats a run), planted bugs, 100 kills, 10,000 due
	@$(BIN)/pytest tests/integration/exact/test_differential.py -s --histories 300 $(if $(SEED),--histories-seed $(SEED))
	@$(BIN)/pytest tests/integration/exact/test_planted_bugs.py -s --histories 25
	@$(BIN)/pytest tests/integration/delivery/faults -s --long -m long

lint: setup ## ruff, mypy, sqlfluff, dbt parse; FIX=1 puts Python and SQL into form first
ifdef FIX
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests
endif
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(DBT_PARSE)
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

bench: setup ## what the marts cost, as ratios in one run; PART=load, delivery, reports; ARGS="--scale 1"
	@$(BIN)/python -m benchmarks.bench_$(or $(PART),marts) $(ARGS)

clean: ## remove caches and the virtual environment; the database stays (metricpress db remove)
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@rm -rf dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
