# Farthing: one entry for everything. `make help` lists it.
GO      ?= go
BIN     := bin/farthing
RACE    ?= -race
DATA    ?= $(or $(FARTHING_DATA),../shared/data)
export FARTHING_DATA := $(abspath $(DATA))

.PHONY: help run build test lint fuzz bench e2e data-test toolchain redis

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build and start the gateway, with no configuration needed
	./$(BIN) serve

build: toolchain ## build bin/farthing
	$(GO) build -o $(BIN) ./gateway

test: toolchain redis ## run every test; a skipped one fails
	$(GO) vet ./...
	@.ci/go-test $(RACE) ./...

lint: ## gofumpt, vet, staticcheck
	@out=$$($(GO) tool gofumpt -l gateway providers policies localengine dashboards); test -z "$$out" || { echo "not gofumpt-ed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME (30s)
	@.ci/fuzz $(FUZZTIME)

bench: toolchain redis ## estimate, decide, hold and settle, whole requests against a bare proxy; writes bench.json
	$(GO) run ./gateway/bench -json bench.json

e2e: build redis ## the official npm and Go clients against the running gateway
	.ci/e2e

data-test: toolchain redis ## tests over recorded data in FARTHING_DATA (default ../shared/data)
	@if [ -d "$(FARTHING_DATA)" ]; then .ci/data-test; else echo "no data: FARTHING_DATA=$(FARTHING_DATA) does not exist; nothing was tested"; fi

toolchain:
	@command -v $(GO) >/dev/null || { echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl/"; exit 1; }
	@{ command -v cc && command -v c++; } >/dev/null || test "$$CGO_ENABLED" = 0 || { \
	  echo "A C and a C++ compiler are missing (the embedded engine needs them)."; \
	  echo "Debian, Ubuntu: apt-get install gcc g++    macOS: xcode-select --install    Fedora: dnf install gcc gcc-c++"; \
	  echo "Without them: CGO_ENABLED=0 make run builds a gateway without the embedded engine."; exit 1; }

redis:
	@test -n "$$REDIS_URL" || command -v redis-server >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server >/dev/null; } || { \
	  echo "The tests need a redis-server: set REDIS_URL to one that may be emptied, or install it"; \
	  echo "(Debian, Ubuntu: apt-get install redis-server    macOS: brew install redis)."; exit 1; }
