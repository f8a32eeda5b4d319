# Everything a person does here. Nothing needs an activated environment: the commands use .venv, which they make themselves.
PYTHON := .venv/bin/python
READY := .venv/.ready
ARGS ?=
GATEWAY ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-live up worker down reset status bench check format lock

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install what the lock file pins (the other targets do it when needed)

$(READY): requirements-dev.lock devstack/setup.sh
	@sh devstack/setup.sh

demo: $(READY) ## run real checkouts through the whole system and check every promise
	@$(PYTHON) -m devstack.demo $(ARGS)

# A file's tests stay in one process: two stacks of tests/devstack that start at once may choose the same port.
test: $(READY) ## run the tests, three at a time; ARGS="tests/api -k refund" goes to pytest instead
	@$(PYTHON) -m pytest $(or $(ARGS),--numprocesses 3 --dist loadfile --no-loadscope-reorder)

test-live: $(READY) ## run the gateways' common tests against a real test account; GATEWAY=stripe, its test keys in the environment
	@test -n "$(GATEWAY)" || { echo "which one? make test-live GATEWAY=stripe"; exit 2; }
	@PAYSAGA_LIVE_GATEWAY=$(GATEWAY) $(PYTHON) -m pytest tests/gateways -m live -rs $(ARGS)

up: $(READY) ## run the whole system until Ctrl-C; ARGS="--workers 2 --build v1"
	@$(PYTHON) -m devstack up $(ARGS)

worker: $(READY) ## run one more worker beside a running system; ARGS="--build v2" for another build of the code
	@$(PYTHON) -m devstack worker $(ARGS)

down: $(READY) ## stop a running system, or what one has left behind
	@$(PYTHON) -m devstack down $(ARGS)

reset: $(READY) ## stop it and remove its data
	@$(PYTHON) -m devstack reset $(ARGS)

status: $(READY) ## tell what runs
	@$(PYTHON) -m devstack status $(ARGS)

bench: $(READY) ## measure the whole path next to bare ones
	@$(PYTHON) -m devstack.bench $(ARGS)

check: $(READY) ## lint, format, types, import contracts
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

format: $(READY) ## let ruff fix and format
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

lock: $(READY) ## pin requirements*.in anew, with hashes and without any index address
	@for name in requirements requirements-dev; do \
		$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-header --no-emit-index-url $$name.in --output-file $$name.lock || exit 1; \
	done
