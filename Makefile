# The Airflow versions this package is tested on: one lock each in .ci/locks. That of the oldest has the lowest version
# of everything that pyproject.toml names.
TESTED := 2.11.0 2.11.2 3.1.8 3.2.2 3.3.2
NEWEST := 3.3.2
OLDEST := 2.11.0
# The next Airflow, which has no release yet: it has a lock, and `make test-beta`, which no change must pass.
BETA := 3.4.0b2

# The user's choices: make test ARGS="-k token" VERSIONS="3.3.2" PYTHON=python3.12
ARGS ?=
VERSIONS ?=
# Many tests wait for another process for a part of their time, so one worker more than there are processors is faster.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
export PYTHON

IN_NEWEST := .ci/env airflow-$(NEWEST)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help demo demo-all test test-fast test-all test-beta lint lint-ruff lint-format lint-types lint-layout docs screenshots bench costs locks clean tools newest

help:  ## this list
	@echo "All of these set up what they need, below build/; a Python 3.11+ is enough."
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'Choices: ARGS="-k token" (for pytest), VERSIONS="3.3.2" (Airflow), PYTHON=python3.12, WORKERS=1 (for the tests), UPGRADE=1 (for locks).'

demo: newest  ## a sync of people into a segment, end to end, against the sandbox: no account needed
	@$(IN_NEWEST) python example_dags/demo/run.py $(ARGS)

demo-all: newest  ## every example DAG against the sandbox, and a table of what was right: no account needed
	@$(IN_NEWEST) python example_dags/demo/all.py $(ARGS)

test: $(addprefix test-,$(or $(VERSIONS),$(NEWEST) $(OLDEST)))  ## the tests on the newest and the oldest Airflow

# Parsers, parameters and plans: nothing of it opens a socket or has Airflow run a task.
FAST := tests/conformance tests/http tests/provider tests/vendors tests/test_public_names.py \
	$(addprefix tests/cli/ledger/test_,formulas.py id_list.py) \
	$(addprefix tests/hooks/test_,walkme_pages.py zendesk_pages.py) \
	$(addprefix tests/operators/test_,ledger_variable.py sync_context.py sync_members_parameters.py user_ids.py zendesk_arguments.py) \
	$(addprefix tests/sources/test_,batches.py database_errors.py drivers.py files.py files_paths.py id_set.py ids.py limits.py sql.py \
	statement.py values.py) \
	$(addprefix tests/sync/test_,guard.py report.py segment_key.py staging.py sync.py)

test-fast: newest  ## parsers, parameters and plans, in half a minute
	@$(IN_NEWEST) python -m pytest -n 2 --dist worksteal -m "not slow and not socket" $(FAST) $(ARGS)

test-all: $(addprefix test-,$(or $(VERSIONS),$(TESTED)))  ## all tests on every Airflow supported, and the slow ones on the newest
test-all: ALL := yes

test-beta: test-$(BETA)  ## the tests on the next Airflow, before its release; a change need not pass them

# What knows little of Airflow, or is known by the rest as well: `make test` runs it on the newest version only.
APART := tests/benchmarks tests/conformance tests/contract/test_contract.py tests/cli/contract tests/faults tests/hooks \
	tests/http tests/cli/ledger tests/operators/test_too_few.py tests/sync tests/targets tests/vendors tests/packaging tests/sandbox tests/unusual \
	tests/demo/test_demo_all.py \
	$(addprefix tests/docs/test_,commands.py how_to.py links.py readme.py reference.py tutorial.py) \
	$(addprefix tests/sources/test_,batches.py case.py database_errors.py files.py files_damage.py files_load.py files_memory.py files_paths.py \
	id_set.py ids.py statement.py values.py)
LEFT_OUT = $(if $(ALL)$(ARGS)$(filter-out $(OLDEST),$*),,$(APART:%=--ignore=%))
NOT_SLOW = $(if $(and $(ALL),$(filter $(NEWEST),$*)),,-m "not slow$(if $(and $(ALL),$(filter $(OLDEST),$*)), or scheduler)")

test-%: tools
	@.ci/env airflow-$*
	@echo "[test] Airflow $*"
	@.ci/env airflow-$* python -m pytest -n $(WORKERS) --dist worksteal $(NOT_SLOW) $(LEFT_OUT) $(ARGS)

docs: tools  ## these pages as HTML, off line: build/docs/index.html
	@.ci/env docs-$(NEWEST) python -m sphinx -b html -W --keep-going -n -q -d build/docs-doctrees docs build/docs $(ARGS)
	@echo "[docs] build/docs/index.html"

screenshots: newest  ## the pictures in docs/images, of a real Airflow in Chromium, in some minutes
	@PICTURES=docs/images $(IN_NEWEST) python -m pytest -n 0 tests/newcomer/test_first_day.py $(ARGS)

lint: lint-ruff lint-format lint-types lint-layout  ## style, formatting, types, and who may import whom

lint-ruff: newest
	@echo "[lint] ruff check"
	@$(IN_NEWEST) ruff check .

lint-format: newest
	@echo "[lint] ruff format"
	@$(IN_NEWEST) ruff format --check .

lint-types: newest
	@echo "[lint] mypy"
	@$(IN_NEWEST) mypy

lint-layout: newest
	@echo "[lint] import-linter"
	@$(IN_NEWEST) lint-imports --no-logo

costs: newest  ## the requests and minutes of a sync for each vendor, as in docs/vendors
	@$(IN_NEWEST) python -m tests.packaging.costs

bench: tools  ## time and memory, beside other providers; writes build/bench.json
	@.ci/env bench-$(NEWEST) python -m tests.benchmarks $(ARGS)

# Airflow 2.11.0, and the task API of 3.2.2, do not work with later releases of what is held back here.
# Pins stay where they still fit; UPGRADE=1 takes the newest of everything.
COMPILE = .ci/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header $(if $(UPGRADE),--upgrade)

locks: tools  ## writes the locks in .ci/locks anew from pyproject.toml
	@for version in $(TESTED) $(BETA); do \
		echo "[locks] Airflow $$version"; \
		more="--group test" below=; \
		case $$version in \
			$(NEWEST)) more="$$more --group lint" ;; \
			$(OLDEST)) more="$$more --resolution lowest-direct" below="universal-pathlib<0.3 flask-jwt-extended<4.7.2" ;; \
			3.2.2) below="fastapi<0.139 svcs<26" ;; \
		esac; \
		printf "%s\n" "apache-airflow==$$version" $$below | $(COMPILE) pyproject.toml $$more --extra sandbox \
			--constraints - --output-file .ci/locks/airflow-$$version.txt >/dev/null || exit 1; \
	done
	@echo "[locks] benchmarks"
	@$(COMPILE) pyproject.toml --group test --group lint --group bench --extra sandbox \
		--constraints .ci/locks/airflow-$(NEWEST).txt --output-file .ci/locks/bench-$(NEWEST).txt >/dev/null
	@echo "[locks] pages"
	@$(COMPILE) pyproject.toml --group docs \
		--constraints .ci/locks/airflow-$(NEWEST).txt --output-file .ci/locks/docs-$(NEWEST).txt >/dev/null
	@echo "[locks] tools"
	@$(COMPILE) --group tools --output-file .ci/locks/tools.txt >/dev/null

clean:  ## removes everything that the other commands made
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find airflow_segments_provider example_dags tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

tools:
	@.ci/tools

newest: tools
	@$(IN_NEWEST)
