# `make demo` runs the demo, `make test` the tests; `make help` lists all targets.
# PYTHON=python3.12 selects another interpreter, PROMETHEUS=/folder and POSTGRES=/folder
# other programs for the tests, ARGS=... is passed on.

BIN := .venv/bin
RUN_LOCKS := requirements.lock
DEV_LOCKS := requirements.lock requirements-dev.lock requirements-tools.lock requirements-build.lock
COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

IMAGE ?= sagemaker-exporter
NUMBER = $(or $(VERSION),$(error make $@ needs a version: make $@ VERSION=0.2.0))

export PYTHON PROMETHEUS POSTGRES

.PHONY: help demo test unit long coverage image-test check lock soak chaos bench bench-dashboards docs dashboards pictures getting-started manifests wheel image chart \
	release-check release-prepare release-notes release-tag clean programs run-environment dev-environment

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

demo: run-environment ## run the exporter on a simulated SageMaker, at http://localhost:9841
	@$(BIN)/python -m exporter demo $(ARGS)

# Hundreds of tests start the exporter, which would otherwise be compiled by each of them.
test unit long coverage: export PYTHONDONTWRITEBYTECODE :=
# Many tests wait for sockets and processes: two for each processor keep it busy.
test unit long coverage: export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))

test: dev-environment programs ## run the tests, in four minutes; ARGS=tests/x.py runs only these
	@$(BIN)/python -m pytest $(ARGS)

unit: dev-environment ## the tests that start no process, in a minute; ARGS=tests/http only these
	@$(BIN)/python -m pytest -m "not process and not slow and not long and not soak" $(ARGS)

# By file, because tests share what took long to make.
long: dev-environment programs ## the tests that take too long for make test
	@$(BIN)/python -m pytest --timeout 600 --dist loadfile -m long $(ARGS)

coverage: dev-environment ## the tests that start no process, also long ones, with branch coverage
	@$(BIN)/python -m pytest --cov -m "not process and not soak and not no_cover" $(ARGS)

image-test: dev-environment ## build the container image and scrape it; needs root, buildah and mmdebstrap
	@hack/prometheus.sh > /dev/null
	@$(BIN)/python -m pytest -n0 -m image tests/deploy/test_image.py

check: dev-environment ## check lint, format, types, import boundaries and generated documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m exporter metrics --format markdown | diff -u docs/metrics.md - || \
		{ echo "docs/metrics.md does not match the catalogue: make docs" >&2; exit 1; }

docs: dev-environment ## generate docs/metrics.md from the catalogue
	@$(BIN)/python -m exporter metrics --format markdown > docs/metrics.md.new
	@mv docs/metrics.md.new docs/metrics.md

dashboards: dev-environment ## generate deploy/grafana/*.json from the code beside them
	@$(BIN)/python -m deploy.grafana

pictures: dev-environment ## draw docs/images from the demo; needs npm, chromium and pngquant; ARGS=minutes
	@hack/prometheus.sh > /dev/null
	@$(BIN)/python -m hack.panels.pictures $(ARGS)

getting-started: dev-environment ## follow docs/getting-started.md without Docker, and measure its steps
	@hack/prometheus.sh > /dev/null
	@$(BIN)/python -m hack.getting_started

manifests: ## generate the PrometheusRules of deploy/kustomize from deploy/prometheus
	@hack/prometheusrule.sh > prometheusrule.yaml.new
	@mv prometheusrule.yaml.new deploy/kustomize/components/monitoring/prometheusrule.yaml
	@hack/prometheusrule.sh jobs > prometheusrule.yaml.new
	@mv prometheusrule.yaml.new deploy/kustomize/components/monitoring/prometheusrule-jobs.yaml
	@hack/prometheusrule.sh rates > prometheusrule.yaml.new
	@mv prometheusrule.yaml.new deploy/kustomize/components/rates/prometheusrule.yaml

soak: dev-environment ## run the fault harness on many seeds: SEEDS=1000, or on one: SEED=17
	@SOAK_SEEDS=$(or $(SEEDS),1000) SOAK_SEED=$(SEED) $(BIN)/python -m pytest --timeout 0 -m soak tests/ledger $(ARGS)

# Most of a seed is waiting.
chaos: export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))
chaos: dev-environment ## replicas on PostgreSQL, and what may happen to them, on many seeds: SEEDS=20, or on one: SEED=17
	@hack/postgres.sh > /dev/null
	@CHAOS_SEEDS=$(or $(SEEDS),20) CHAOS_SEED=$(SEED) $(BIN)/python -m pytest --timeout 0 -m soak tests/chaos $(ARGS)

bench: dev-environment ## measure polls and scrapes and compare them, in eleven minutes; ARGS="--jobs 100" for less
	@hack/postgres.sh > /dev/null
	@$(BIN)/python -m benchmarks $(ARGS)

bench-dashboards: dev-environment ## time the dashboards on 10,000 jobs in Prometheus, in 20 minutes, for docs/scaling.md
	@hack/prometheus.sh > /dev/null
	@$(BIN)/python -m benchmarks.dashboards --document docs/scaling.md $(ARGS)

lock: ## update the lock files (needs uv); UPGRADE=1 upgrades everything
	@command -v uv > /dev/null || { echo "make lock needs uv: pipx install uv" >&2; exit 1; }
	$(COMPILE) pyproject.toml --extra postgres -o requirements.lock
	$(COMPILE) -c requirements.lock pyproject.toml --extra postgres --group dev --group deploy -o requirements-dev.lock
	$(COMPILE) --no-deps --group tools -o requirements-tools.lock
	sed -n 's/^requires = \[\(.*\)\]$$/\1/p' pyproject.toml | tr -d '" ' | tr , '\n' | $(COMPILE) -c requirements-dev.lock - -o requirements-build.lock

wheel: dev-environment ## build the package as a wheel in dist/, with the version of the newest tag
	@$(BIN)/python -m hatchling build -t wheel

image: dev-environment ## build the container image with docker, with the version of the newest tag; IMAGE=registry/name
	@version=$$($(BIN)/python -m hatchling version) && docker build -t "$(IMAGE):$$(echo "$$version" | tr + _)" \
		--build-arg VERSION="$$version" --build-arg REVISION="$$(git rev-parse HEAD)" \
		--build-arg SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct)" .

chart: dev-environment ## package the Helm chart in dist/: VERSION=0.2.0 IMAGE=registry/name
	@$(BIN)/python -m hack.release chart $(NUMBER) $(IMAGE)

release-check: dev-environment ## check that the whole tree has VERSION=0.2.0
	@$(BIN)/python -m hack.release check $(NUMBER)

release-prepare: dev-environment ## write VERSION=0.2.0 into the chart, the manifests, the documents and the changelog
	@$(BIN)/python -m hack.release prepare $(NUMBER)

release-notes: dev-environment ## print the changelog of VERSION=0.2.0
	@$(BIN)/python -m hack.release notes $(NUMBER)

release-tag: release-check ## tag the last commit as VERSION=0.2.0
	@git diff --quiet HEAD || { echo "There are uncommitted changes: git status" >&2; exit 1; }
	@git tag --annotate v$(NUMBER) --message "sagemaker-exporter $(NUMBER)"
	@echo "Now: git push origin v$(NUMBER)"

clean: ## remove everything that was generated, including .venv
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage* build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

programs:
	@for program in prometheus postgres; do hack/$$program.sh > /dev/null || [ -z "$$CI" ] || exit 1; done

run-environment:
	@hack/venv.sh $(RUN_LOCKS)

dev-environment:
	@hack/venv.sh $(DEV_LOCKS)
