# IA-0. `make` alone lists what there is; docs/development.md says more.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

ifneq ($(words $(CURDIR)),1)
$(error The path of this clone has a blank in it ($(CURDIR)), which make and venv cannot cope with; move the clone)
endif

# What may come from the environment, from .env, or behind the target (make up IA0_PORT=9090). The
# environment is stronger than .env, as with other tools that read one.
NAMES := ENGINE IA0_DIR IA0_ENGINE_PORT IA0_KEY IA0_PORT LOG_LEVEL MAX_TOKENS MODEL_LLAMA MODEL_QWEN2 OLLAMA_HOST TIMEOUT
$(foreach name,$(NAMES),$(if $(filter environment,$(origin $(name))),$(eval override $(name) := $$($(name)))))
-include .env

# Ansible refuses to run in a locale that is not UTF-8.
export LC_ALL := C.UTF-8

VENV := .venv
PYTHON_RUN := $(VENV)/bin/python3
SERVICES := $(or $(IA0_DIR),$(CURDIR)/.ia0)/etc/services
LOGS := $(or $(IA0_DIR),$(CURDIR)/.ia0)/log
# Quotes that .env may hold around a value are not part of it.
HANDED_ON = $(foreach name,$(NAMES),$(if $($(name)),$(name)='$(patsubst "%",%,$($(name)))'))
PLAYBOOK = $(HANDED_ON) $(VENV)/bin/ansible-playbook -i inventory/local
PYTEST = $(PYTHON_RUN) -m pytest --junitxml=.cache/junit/$@.xml
COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help
help: ## List the targets
	@echo "IA-0: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2} /^##@ /{printf "\n%s\n", substr($$0, 5)}' Makefile

##@ The service on this machine

.PHONY: up
up: $(VENV)/.run ## Provision this machine and send one real prompt
	@$(PLAYBOOK) playbooks/local.yml

.PHONY: down
down: $(VENV)/.run ## Stop everything that `make up` started
	@$(PLAYBOOK) playbooks/local-down.yml

.PHONY: status
status: $(VENV)/.run ## Say what runs
	@$(PYTHON_RUN) -m ia0_daemon.local_services status $(SERVICES)/ia0.toml $(SERVICES)/engine.toml

.PHONY: logs
logs: ## Follow the logs of the daemon and the engine
	@ls $(LOGS)/*.log > /dev/null 2>&1 || { echo "There are no logs in $(LOGS) yet: run make up first." >&2; exit 1; }
	@tail -n 20 -F $(LOGS)/*.log

##@ Tests

.PHONY: test
test: lint typecheck unit contract ## Everything below up to provisioning
	@# These mostly wait, for the engine and for Ansible: the two short ones take no longer than the long one beside them.
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target conformance integration provisioning

.PHONY: lint
lint: $(VENV)/.dev ## ruff, yamllint, ansible-lint
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/yamllint --strict .
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/ansible-lint --offline --strict

.PHONY: typecheck
typecheck: $(VENV)/.dev ## mypy --strict
	$(VENV)/bin/mypy

.PHONY: unit
unit: $(VENV)/.dev ## Parts of the package, with fakes
	$(PYTEST) tests/unit

.PHONY: contract
contract: $(VENV)/.dev ## Roles, settings, errors, metrics and docs held against each other
	$(PYTEST) tests/contract

.PHONY: conformance
conformance: $(VENV)/.dev ## The embedded engine held against Ollama's behaviour
	$(PYTEST) tests/conformance

.PHONY: integration
integration: $(VENV)/.dev ## Over the wire, with real weights
	$(PYTEST) tests/integration --ignore=tests/integration/provisioning

.PHONY: provisioning
provisioning: $(VENV)/.dev ## make up, down and what lies between
	$(PYTEST) tests/integration/provisioning

.PHONY: chaos
chaos: $(VENV)/.dev ## Restart, kill and stop the engine under load: is a request lost?
	$(PYTHON_RUN) -m tests.chaos

.PHONY: cost
cost: $(VENV)/.dev ## Measure what the idle daemon costs, supervisor included
	$(PYTHON_RUN) -m tests.chaos.cost

.PHONY: soak
soak: $(VENV)/.dev ## Measure the daemon's memory over 22,000 requests
	$(PYTHON_RUN) -m tests.soak

.PHONY: bench
bench: $(VENV)/.dev ## Measure the daemon beside LiteLLM, Portkey and HAProxy; PART=plain, PEERS="litellm", QUICK=1 for less
	@$(PYTHON_RUN) -m tests.bench $(if $(PART),--part $(PART)) $(if $(PEERS),--peers $(PEERS)) $(if $(QUICK),--quick)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Send 2,000 bad requests to every route: a failure, a hung connection, a traceback? SHOTS=2000 SEED=1
	$(PYTHON_RUN) -m tests.fuzz $(if $(SHOTS),--shots $(SHOTS)) $(if $(SEED),--seed $(SEED))

.PHONY: load
load: $(VENV)/.dev ## Drive a mixed day of traffic with Locust; USERS=20 MINUTES=5, or URL=... KEY=... of a daemon that runs
	$(PYTHON_RUN) -m tests.load $(if $(USERS),--users $(USERS)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(URL),--url $(URL)) $(if $(KEY),--key $(KEY))

.PHONY: hosts
hosts: $(VENV)/.dev ## Provision, upgrade, break and restore hosts that boot systemd (root, podman); SCENARIO=upgrade for one
	@$(PYTHON_RUN) -m tests.hosts $(if $(STEP),--step $(STEP)) $(if $(JOBS),--jobs $(JOBS)) $(SCENARIO)

##@ Housekeeping

.PHONY: format
format: $(VENV)/.dev ## Format the Python code
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

.PHONY: venv
venv: $(VENV)/.dev ## Make .venv with everything locked, tests' and linters' packages too

.PHONY: lock
lock: $(VENV)/.dev ## Write the lock files again from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements/daemon.txt
	$(COMPILE) --extra provision pyproject.toml -o requirements.txt
	$(COMPILE) --extra provision --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) --no-deps requirements/embedded.in -o requirements/embedded.txt

.PHONY: clean
clean: ## Stop the service, then remove .ia0, .venv and caches
	@if [ -e $(VENV)/.run ]; then $(MAKE) --no-print-directory down; fi
	rm -rf .ia0 .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .ansible
	find . -name __pycache__ -prune -exec rm -r {} +

$(VENV)/.run: requirements.txt requirements/embedded.txt requirements/install.sh pyproject.toml
	@echo "Installing the locked packages into $(VENV) (about 170 MB the first time)"
	@requirements/install.sh run
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@requirements/install.sh dev
	@touch $@
