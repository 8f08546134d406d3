# Everything here works in a private virtual environment, .venv, which holds the tree itself (an editable install):
# what runs is always the current state of the files.

PYTHON ?= python3
VENV ?= .venv
DATA ?= ./data
TESTS ?= tests
# One more than there are processors: many tests wait for processes, databases and timers.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

# Hundreds of tests start processes, which would otherwise compile all modules each time.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
DECLARED := setup.cfg setup.py pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help environment run test bench crash fuzz soak api proofs screenshots lint format wheel constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## Start the broker on DATA (default ./data); the first time, install what it needs
	@echo
	@echo "The broker starts on $(DATA). It is up when it says which ports are open; Ctrl-C stops it. In another terminal:"
	@echo "  $(BIN)/broker --data $(DATA) user add NAME    make an account (there is none, and no default password)"
	@echo "  $(BIN)/broker --data $(DATA) status           how it is; top follows it, check tells what would go wrong"
	@echo "  $(BIN)/broker --help                          all commands, with examples"
	@echo
	@exec $(BIN)/broker run --data $(DATA) --pidfile $(DATA)/broker.pid

test: $(VENV)/.test ## Run the tests, on each processor and one beside them; FAST=1 leaves out slow and system ones; JOBS=1 TESTS="tests/xml -k frames"
	@echo "== Tests"
	@$(BIN)/python -m pytest $(if $(filter 1,$(JOBS)),,--numprocesses $(JOBS) --dist worksteal) \
	  $(if $(FAST),-m "not slow and not system") $(TESTS)

crash: $(VENV)/.test ## Kill the broker in KILLS rounds (default 200) or for SECONDS while clients talk; SEED=7 STORE=sqlite repeat a run; MANAGERS=0 without managers, BOSH=1 with clients over BOSH
	@$(BIN)/python -m tests.campaign --kills $(or $(KILLS),200) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(STORE),--store $(STORE)) $(if $(MANAGERS),--managers $(MANAGERS)) \
	  $(if $(filter 1,$(BOSH)),--bosh)

bench: $(VENV)/.test ## Measure it beside others; ROUNDS=5 CASES='native-*' SYSTEMS=broker QUICK=1 UPDATE=1 OUTPUT=dir
	@$(BIN)/python -m bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(CASES),--cases '$(CASES)') $(if $(QUICK),--quick) $(if $(UPDATE),--update) \
	  $(if $(SYSTEMS),--systems '$(SYSTEMS)') $(if $(OUTPUT),--output '$(OUTPUT)')

fuzz: $(VENV)/.fuzz ## Fuzz all parsers, SECONDS each (default 60), or one TARGET; then attack a running broker
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(TARGET),--target $(TARGET))
	@$(if $(TARGET),,$(BIN)/python -m tests.campaign.hostile)

soak: $(VENV)/.test ## Feed a broker STANZAS (default 1000000) with ever new names and LOGINS (10000), and watch its memory
	@$(BIN)/python -m tests.campaign.soak $(if $(STANZAS),--stanzas $(STANZAS)) $(if $(LOGINS),--logins $(LOGINS))

api: $(VENV)/.test ## Ask the API of a broker with requests made of its description, SECONDS (default 120) as each of three roles; SEED=7
	@$(BIN)/python -m tests.campaign.generated --seconds $(or $(SECONDS),120) $(if $(SEED),--seed $(SEED))

proofs: $(VENV)/.test ## Run the tests of administration in the sizes that docs/operations-checks.md promises (about forty minutes)
	@BROKER_TEST_SIZES=full $(BIN)/python -m pytest tests/system/test_entries_crash.py tests/system/test_why.py \
	  tests/system/test_tls_reload.py tests/admin/costs_of_listing.py

screenshots: $(VENV)/.test ## Take pictures of the console for docs/console, in light and dark; needs Chromium
	@$(BIN)/python -m tests.page.screenshots docs/console

environment: $(VENV)/.test $(VENV)/.dev ## Install all that the tests and the tools need, and do no more

lint: $(VENV)/.test $(VENV)/.dev ## Check style, types and the direction of imports
	@echo "== ruff check"
	@$(BIN)/ruff check .
	@echo "== ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "== mypy --strict"
	@$(BIN)/mypy
	@echo "== lint-imports"
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

wheel: $(VENV)/.dev ## Build the wheel and the source distribution into dist/
	@echo "== Wheel"
	@rm -rf dist build/lib build/bdist.*
	@$(BIN)/python -m build --outdir dist . > build.log 2>&1 || { cat build.log; exit 1; }
	@rm -f build.log
	@ls -1 dist

constraints: $(VENV)/.created ## Pin the newest versions that setup.cfg allows in constraints.txt
	@echo "== Resolving into build/constraints"
	@rm -rf build/constraints && mkdir -p build && $(PYTHON) -m venv build/constraints
	@build/constraints/bin/python -m pip --quiet --disable-pip-version-check install --upgrade ".[test,browser,dev,fuzz]"
	@{ echo "# The versions that the tests run with; written by \`make constraints\`."; \
	   build/constraints/bin/python -m pip freeze --all --exclude xmlbroker --exclude pip; } > constraints.txt
	@rm -rf build/constraints

clean: ## Remove everything that was made here, except the data
	rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "The broker needs Python 3.11 or newer, and \"$(PYTHON)\" is not. Name another: make PYTHON=/path/to/python3"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "\"$(PYTHON)\" cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"; \
	  exit 1; }
	@echo "== Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.created $(DECLARED)
	@echo "== Installing the broker and the libraries that it runs on (about half a minute)"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.created $(DECLARED)
	@echo "== Installing the broker and what its tests need (about a minute)"
	@$(PIP) install -c constraints.txt -e ".[test,browser]"
	@touch $@ $(VENV)/.runtime

$(VENV)/.fuzz: $(VENV)/.created $(DECLARED)
	@echo "== Installing what the fuzz targets need"
	@$(PIP) install -c constraints.txt -e ".[fuzz]"
	@touch $@ $(VENV)/.runtime

$(VENV)/.dev: $(VENV)/.created $(DECLARED)
	@echo "== Installing the tools that check and build it"
	@$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.runtime
