# Every target and what it does: `make help`. A fresh machine needs make and Python 3.11 or 3.12; `make` installs the rest into $(VENV).
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --python $(BIN)/python --no-deps --compile-bytecode
PROJECT := pyproject.toml requirements/pipelines.txt requirements/behavior.txt requirements/serving.txt

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test data-checks test-cloud emulators engines prism workers test-prism test-flink test-deploy lint format
.PHONY: templates template-build template-run lock bench-report clean collector

help:  ## print this list
	@awk -F ':.*## ' '/^[a-zA-Z%-]+:.*## / {sub("%", "NAME", $$1); printf "make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

DOCS := .cache/docs

demo: $(VENV)/.installed-demo  ## simulate a shop, then do the whole job: events to a published model and its report, in demo/
	$(BIN)/augury demo

test: $(VENV)/.installed-test lint collector engines emulators data-checks $(DOCS)/.installed  ## check the sources and run every test
	$(BIN)/python -m pytest --ignore=tests/models/attention --ignore=tests/models/creative
	$(BIN)/python -m pytest tests/models/attention tests/models/creative  # TensorFlow and torch never meet in one process

lint: $(VENV)/.installed-test  ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.installed-test  ## mend what `make lint` says about style and format, where a machine can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The browser library: everything it needs is Node's; what a machine lacks is said, left out, and an error with CI=1.
collector:  ## check and test the browser library; find or install a Chromium for the tests in pages
	@sh collector/check.sh

EMULATORS := .cache/emulators

test-cloud: $(VENV)/.installed-test emulators  ## run the tests against the emulators of BigQuery, Cloud Storage and Pub/Sub
	$(BIN)/python -m pytest tests/cloud

emulators: $(VENV)/.installed-uv  ## install the BigQuery emulator that tests/cloud needs; what is left out is said
	@[ $(EMULATORS)/.installed -nt requirements/emulators.txt ] || PYTHON313="$(PYTHON313)" sh requirements/emulators.sh $(EMULATORS) $(BIN)/uv

# Engines besides Beam's local one: what a machine lacks is said and left out.
engines: $(VENV)/.installed-test  ## what the tests of engines need: Prism, if Go is there to build it, and an environment for workers
	@VENV=$(VENV) sh tests/engines/make.sh

prism:  ## build Prism, Beam's portable runner, with Go, in the version of Beam that is pinned
	@REQUIRE=1 sh tests/engines/make.sh prism

workers: $(VENV)/.installed-uv  ## make an environment of the built wheel and the extra `pipelines`, as a worker has it, in .cache/workers
	@VENV=$(VENV) REQUIRE=1 sh tests/engines/make.sh workers

test-prism: $(VENV)/.installed-test prism workers  ## run the pipelines on Prism and its job service; the same examples as anywhere
	AUGURY_ENGINES=all $(BIN)/python -m pytest tests/engines

test-flink: $(VENV)/.installed-test  ## run the pipelines on Flink, where FLINK_JOB_SERVER_JAR names Beam's job server
	@test -n "$$FLINK_JOB_SERVER_JAR" || echo "untried: Flink. FLINK_JOB_SERVER_JAR names no jar of Beam's job server, so nothing is run on it" >&2
	$(BIN)/python -m pytest tests/engines/test_flink.py

bench-engines: $(VENV)/.installed-test prism workers emulators  ## count identical examples of the engines, and measure the environment of a worker
	$(BIN)/python -m benchmarks.engines $(ARGS)

bench-report: $(VENV)/.installed-test  ## print every benchmark's figures as one table
	$(BIN)/python -m benchmarks.report

BENTOML := .cache/bentoml

bench-predict: $(VENV)/.installed-test $(BENTOML)/.installed  ## measure predictions, and the same model behind BentoML
	$(BIN)/python -m benchmarks.predict --bentoml $(BENTOML)/bin/python

bench-%: $(VENV)/.installed-test  ## run one benchmark, with ARGS if given, and write benchmarks/results/NAME.json
	$(BIN)/python -m benchmarks.$(subst -,_,$*) $(ARGS)

# The provider whose word counts is built once, since no registry of providers need be reachable: some 8 minutes on one core.
PROVIDER := .cache/bin/terraform-provider-google
PROVIDER_SOURCE := github.com/hashicorp/terraform-provider-google@v1.20.1-0.20260828184646-f3721fb45fa3
CHECKOV := .cache/checkov

test-deploy: $(VENV)/.installed-test $(PROVIDER) $(CHECKOV)/.installed  ## check deploy/ with Terraform, the real Google provider and checkov
	REQUIRE_TERRAFORM=1 $(BIN)/python -m pytest tests/deploy

bench-terraform-plan: $(VENV)/.installed-test $(PROVIDER)  ## plan deploy/ with the real provider and count the errors
	$(BIN)/python -m benchmarks.terraform_plan

$(PROVIDER):
	@command -v go >/dev/null || { echo "Go is not installed, and the Google provider is built with it: install Go 1.26 or later" >&2; exit 1; }
	GOBIN=$(CURDIR)/.cache/bin go install $(PROVIDER_SOURCE)

$(CHECKOV)/.installed: $(VENV)/.installed-uv requirements/checkov.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CHECKOV)
	$(BIN)/uv pip install --python $(CHECKOV)/bin/python --no-deps --require-hashes -r requirements/checkov.txt
	@touch $@

TFDV := .cache/tfdv

data-checks: $(VENV)/.installed-uv  ## install TensorFlow Data Validation, which `augury retrain` asks about new data, in .cache/tfdv
	@[ $(TFDV)/.installed -nt requirements/tfdv.txt ] || sh requirements/tfdv.sh $(TFDV) $(BIN)/uv

templates: $(VENV)/.installed-demo  ## write the metadata of the Flex Templates again from the pipelines' options
	$(BIN)/python -m dataflow_templates.generate

# Variables of the command line reach the module through the environment: TEMPLATE, IMAGES, TEMPLATES, TAG, ...
template-build: $(VENV)/.installed-demo  ## build TEMPLATE's image and file with docker and gcloud; PRINT_ONLY=1 only prints the commands
	@$(BIN)/python -m dataflow_templates.commands build

template-run: $(VENV)/.installed-demo  ## launch a job of TEMPLATE with gcloud; PRINT_ONLY=1 only prints the command, BODY=1 the request
	@$(BIN)/python -m dataflow_templates.commands run

.PHONY: docs docs-serve

# The pages that are made of the code need the project's environment, MkDocs has one of its own. (The makers of its theme look
# after it until May 2027, and the warning that is turned off says so; Zensical, their successor, reads the same mkdocs.yml.)
MKDOCS := NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs

docs: $(VENV)/.installed-demo $(DOCS)/.installed  ## build the documentation site in build/site; a broken link is an error
	$(BIN)/python -m website.pages
	$(MKDOCS) build --strict
	@echo "open build/site/index.html"

docs-serve: $(VENV)/.installed-demo $(DOCS)/.installed  ## show the site on http://127.0.0.1:8001/ and build it again when a page changes
	$(BIN)/python -m website.pages
	$(MKDOCS) serve --dev-addr 127.0.0.1:8001

$(DOCS)/.installed: $(VENV)/.installed-uv requirements/docs.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(DOCS)
	$(BIN)/uv pip install --python $(DOCS)/bin/python --no-deps --compile-bytecode --require-hashes -r requirements/docs.txt
	@touch $@

lock: $(VENV)/.installed-uv  ## resolve pyproject.toml again into requirements/*.txt; UPGRADE=1 takes the newest versions
	$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

clean:  ## remove the environment, the caches and what the demo wrote
	rm -rf $(VENV) .cache .hypothesis build dist demo collector/node_modules collector/dist

$(VENV)/.installed-demo: $(VENV)/.installed-uv $(PROJECT)
	$(INSTALL) --require-hashes -r requirements/pipelines.txt -r requirements/behavior.txt -r requirements/serving.txt
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed-demo requirements/attention.txt requirements/creative.txt requirements/scrape.txt requirements/dev.txt
	$(INSTALL) --require-hashes -r requirements/attention.txt -r requirements/creative.txt -r requirements/scrape.txt -r requirements/dev.txt
	@touch $@

$(BENTOML)/.installed: $(VENV)/.installed-uv requirements/bentoml.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(BENTOML)
	$(BIN)/uv pip install --python $(BENTOML)/bin/python --no-deps --compile-bytecode --require-hashes -r requirements/bentoml.txt
	@touch $@

$(VENV)/.installed-uv: requirements/build.txt
	@sh requirements/environment.sh $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --only-binary :all: --require-hashes -r requirements/build.txt
	@touch $@
