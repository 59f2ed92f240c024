# Thin: each target says what it runs. Works with GNU make 3.81 and in a path with spaces.
# Set PYTHON=/path/to/python3.12 to choose the interpreter of .venv.

SETUP = "$${PYTHON:-python3}" scripts/setup.py
BIN = .venv/bin
# On two cores. Tests of processes take a hundred times as long as others: who is done takes over some.
PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal

# Commands and tests start many processes: what Python has compiled is kept, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all chaos check bench image compose-check compose-up compose-down clean-data

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -e 's/:.*## /|/' | awk -F '|' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup:  ## put everything into .venv; does only what is not current there
	@$(SETUP)

run:  ## start supplier, worker and sandbox gateway, and follow a sample problem
	@$(SETUP) --quiet
	@exec $(BIN)/supplier-api run

test:  ## run the tests, without those that are slow by nature
	@$(SETUP) --quiet
	$(PYTEST) -m 'not slow'

test-all:  ## run all tests, as .ci/run does
	@$(SETUP) --quiet
	$(PYTEST)

# TEST_CHAOS_PROBLEMS=200 is quicker; TEST_CHAOS_ROUNDS sets the rounds of four kills, TEST_SEED the chance.
chaos:  ## the proof at full size: 2,000 problems while everything breaks, on PostgreSQL and SQLite
	@$(SETUP) --quiet
	TEST_CHAOS_PROBLEMS=$${TEST_CHAOS_PROBLEMS:-2000} $(BIN)/python -m pytest -s tests/system/test_chaos.py

check:  ## ruff, mypy --strict, import-linter, the wire contract
	@$(SETUP) --quiet
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_contract.py

# ONLY="creates calls" measures only these; ROWS=1000000 adds full_table, SOAK=600 soak: they take their time.
bench:  ## measure how fast we are, into docs/performance.md
	@$(SETUP) --quiet
	@$(BIN)/python -m scripts.bench $(ONLY) $(if $(SOAK),--soak $(SOAK)) $(if $(ROWS),--rows $(ROWS))

# PLUGINS=plugins.txt takes in the packages that config/plugins.txt names.
image:  ## build the container image supplier_api
	docker build $(foreach arg,PYTHON_IMAGE PLUGINS,$(if $($(arg)),--build-arg $(arg)=$($(arg)))) -t supplier_api .

compose-check:  ## compose.yaml against its schema; docker compose config and hadolint where they are
	@$(SETUP) --quiet
	@$(BIN)/python scripts/check_compose.py

compose-up:  ## start the chain in containers, on PostgreSQL; makes the secrets that are missing
	docker compose up --build --detach --wait

compose-down:  ## stop and remove those containers; the data stays in their volumes
	docker compose down

clean-data:  ## remove the data of `make run` (var/)
	rm -rf var
