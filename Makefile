# Presage. Every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.8
SAM_VERSION := 1.170.0
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export PYTHONPATH := shared:.

# A version manager's shim is no interpreter: ask each candidate who it really is.
CANDIDATES := $(UV_PYTHON) python3.13 python3 python $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) \
	/usr/local/bin/python3.13 /opt/homebrew/bin/python3.13
FIND_PYTHON = for c in $(CANDIDATES); do \
	found=$$($$c -c 'import sys; print(sys.executable if sys.version_info[:2] == (3, 13) else "")' 2>/dev/null || true); \
	if [ -n "$$found" ]; then echo "$$found"; break; fi; done

UV := .uv/bin/uv
RUN := .venv/bin/python

help: ## List the targets
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(UV):
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Presage needs Python 3.13 and none was found on PATH or in ~/.pyenv/versions." >&2; \
		echo "Install it (python.org, your package manager, or 'pyenv install 3.13'), or name one: make UV_PYTHON=/path/to/python3.13" >&2; \
		exit 1; \
	fi; \
	echo "setting up uv $(UV_VERSION) with $$python"; \
	"$$python" -m venv .uv; \
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: $(UV) pyproject.toml uv.lock
	@echo "installing dependencies"
	@UV_PYTHON=$$(.uv/bin/python -c 'import sys; print(sys._base_executable)') $(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

.uv/sam: $(UV)
	@echo "setting up aws-sam-cli $(SAM_VERSION)"
	@UV_TOOL_DIR=$(CURDIR)/.uv/tools UV_TOOL_BIN_DIR=$(CURDIR)/.uv/bin \
		$(UV) tool install --quiet --python $$(.uv/bin/python -c 'import sys; print(sys._base_executable)') \
		aws-sam-cli==$(SAM_VERSION)
	@touch $@

setup: .venv/.ready ## Install the interpreter's tools and dependencies

dev: setup ## Serve the platform on embedded servers (RESET=1 starts over, SEED=0 seeds nothing)
	@$(RUN) -m infra.local.dev $(if $(RESET),--reset) $(if $(filter 0,$(SEED)),--no-seed) \
		$(if $(DISPATCH),--dispatch $(DISPATCH))

test: setup ## Run the tests (ARGS="-k book" to choose)
	@$(RUN) -m pytest -n 2 --dist loadfile $(ARGS)

soak: setup ## Run the long tests
	@$(RUN) -m pytest -n 2 -m soak $(ARGS)

check: setup ## Lint, types, template and generated files
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/cfn-lint template.yaml
	@$(RUN) -m infra.docs --check

docs: setup ## Write the generated files: README's tables, openapi.json, schema.sql
	@$(RUN) -m infra.docs

demo: setup ## A market's life in under a minute, told in plain text
	@$(RUN) -m infra.local.demo

replay: setup ## Trade a real day: MARKETS=<jsonl.gz> PRICES=<csv.gz> [LIMIT=n] [GROUP=n]
	@$(RUN) -m infra.local.replay --markets "$(MARKETS)" --prices "$(PRICES)" $(if $(LIMIT),--limit $(LIMIT)) $(if $(GROUP),--group $(GROUP))

bench: setup ## Measure against named peers, one JSON line a figure (BENCH=name for one, BENCH_FULL=1 for large sizes)
	@$(RUN) -m infra.bench $(BENCH)

migrate: setup ## Bring DATABASE_URL_OWNER to the present schema (DRY=1 only says what it would do)
	@$(RUN) -m infra.db.migrate $(if $(DRY),--dry-run)

reindex: setup ## Rebuild what the chain's events add up to, from chain_events (DATABASE_URL_OWNER)
	@$(RUN) -m infra.reindex

schedules: setup ## Make QStash's schedules those of infra/schedules.toml (DRY=1 only shows the difference)
	@$(RUN) -m infra.schedules $(if $(DRY),--dry-run)

lock: $(UV) ## Resolve the dependencies anew and export the layer's
	@UV_PYTHON=$$(.uv/bin/python -c 'import sys; print(sys._base_executable)') $(UV) lock
	@# The Lambda runtime brings boto3; the layer stays small without it.
	@$(UV) export --frozen --quiet --no-default-groups --no-hashes --no-header --no-annotate \
		--no-emit-package boto3 --no-emit-package botocore --no-emit-package s3transfer \
		--output-file shared/requirements.txt

build: setup .uv/sam ## Validate the template and build layers and functions (no container)
	@export PATH="$(CURDIR)/.uv/bin:$$PATH" PRESAGE_PYTHON="$(CURDIR)/$(RUN)" SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1; \
		sam validate --lint && sam build --cached

clean: ## Remove what the targets made
	@rm -rf .venv .uv .aws-sam .dev .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help setup dev test soak check docs demo replay bench migrate reindex schedules lock build clean
