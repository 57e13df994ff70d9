# make help tells what there is. Needs Go, Node.js 20.19 or newer with npm, make and git; whatever else a target
# needs it installs from Debian's packages when run as root, or names it.

SHELL    := /bin/bash
GO       ?= go
SECONDS  ?= 60
KEEP     ?=
DATA     ?= $(CURDIR)/.data
PORT     ?= 8092
FILES    ?= 8091
QUICK    ?=
NOUI     ?=
BUILD     = CGO_ENABLED=0 $(GO) build

# What the web UI is built of, and what says that it is.
UI_SOURCE = $(shell find ui \( -path ui/node_modules -o -path ui/dist -o -path ui/e2e \) -prune -o -type f ! -name '*.go' ! -name '*.test.*' -print)
UI_TOOLS  = ui/node_modules/.package-lock.json
UI_BUILT  = ui/dist/index.html

.PHONY: help build clients demo run test race lint fuzz bench bench-ui soak clean

help:
	@echo "make build   bin/drp (also as bin/drpcli and bin/drpjq), bin/drp-server with the web UI, and bin/callback;"
	@echo "             NOUI=1 leaves the web UI out and needs no Node.js"
	@echo "make clients bin/drpcli.ARCH.OS for the machines that drp-server serves"
	@echo "make demo    five machines elect one leader and finish a workflow; KEEP=1 leaves it running;"
	@echo "             DEMO='--chaos-server 10 --chaos-runner 10' kills them on the way"
	@echo "make run     a server for real use, its data in DATA=$(DATA), API on PORT=$(PORT)"
	@echo "make test    all tests: those of the web UI, those of Go with the race detector, and the web UI in"
	@echo "             Chromium (CHROMIUM=/path/to/it) against real servers"
	@echo "make lint    tsc, gofmt, go vet, staticcheck, govulncheck (VULNDB=file:///... for a copy of its database)"
	@echo "make fuzz    every fuzz target for SECONDS=$(SECONDS) each; FUZZ=REGEX for some of them"
	@echo "make bench   drp-server beside etcd and PocketBase, which it builds; QUICK=1 for a short run,"
	@echo "             BENCH='--only a,b --json figures.json' for some of the rows"
	@echo "make bench-ui  the web UI with 10,000 machines and 100 events a second for UI_SECONDS=600"
	@echo "make soak    load and kill -9 for SECONDS=$(SECONDS); nothing acknowledged may be lost, all must be"
	@echo "             linearizable; SOAK='--seed 7' repeats the faults of a run"
	@echo "make clean   removes bin/, the built web UI and the pictures of its tests"

build: $(if $(NOUI),,$(UI_BUILT))
	$(BUILD) -o bin/drp ./cli/drp
	$(BUILD) $(if $(NOUI),-tags noui) -o bin/drp-server ./server/drp-server
	$(BUILD) -o bin/callback ./server/plugins/callback
	@ln -sf drp bin/drpcli && ln -sf drp bin/drpjq

$(UI_TOOLS): ui/package.json ui/package-lock.json
	@.ci/node
	@echo "== what the web UI is built with"
	cd ui && npm ci --no-audit --no-fund
	@touch $@

$(UI_BUILT): $(UI_TOOLS) $(UI_SOURCE)
	@.ci/node
	@echo "== the web UI"
	cd ui && npm run build
	@touch $@

clients:
	for p in amd64.darwin amd64.linux amd64.windows arm64.linux ppc64le.linux; do \
		GOARCH=$${p%.*} GOOS=$${p#*.} $(BUILD) -o bin/drpcli.$$p ./cli/drp || exit 1; done

demo: build
	@.ci/need bash=bash
	$(BUILD) -o bin/drp-demo ./cli/demo
	bin/drp-demo $(if $(KEEP),--keep) $(DEMO)

run: build
	@mkdir -p $(DATA)
	bin/drp-server --base-root $(DATA) --api-port $(PORT) --static-port $(FILES)

test race: build
	@.ci/need bash=bash "gcc=gcc libc6-dev" $(if $(NOUI)$(CHROMIUM),,chromium=chromium)
ifeq ($(NOUI),)
	@echo "== the logic of the web UI"
	cd ui && npm run check && npm test
endif
	@echo "== Go, with the race detector"
	CGO_ENABLED=1 $(GO) test -race -timeout 14m $(if $(NOUI),-tags noui) ./...
ifeq ($(NOUI),)
	@echo "== the web UI in Chromium, against real servers with real runners"
	cd ui && npm run e2e
endif

lint: $(if $(NOUI),,$(UI_TOOLS))
	$(if $(NOUI),,cd ui && npm run check)
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt would change these files"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -checks all,-ST1000,-ST1003,-ST1005,-ST1016,-ST1020,-ST1021,-ST1022 ./...
	GO="$(GO)" .ci/vuln $(VULNDB)

fuzz:
	@GO="$(GO)" .ci/fuzz $(SECONDS) '$(FUZZ)'

bench: build
	$(BUILD) -o bin/drp-bench ./cli/bench
	@echo "building etcd and PocketBase; the first time that takes a few minutes" >&2
	cd cli/bench/peers && GOTOOLCHAIN=auto $(BUILD) -o $(CURDIR)/bin/ ./...
	bin/drp-bench $(if $(QUICK),--quick) $(BENCH)

bench-ui: build
	@.ci/need $(if $(CHROMIUM),,chromium=chromium)
	cd ui && UI_SECONDS=$(or $(UI_SECONDS),600) npm run e2e -- e2e/scale.e2e.ts

soak: build
	$(BUILD) -o bin/drp-soak ./cli/soak
	bin/drp-soak --seconds $(SECONDS) $(SOAK)

clean:
	rm -rf bin ui/e2e/out
	find ui/dist -mindepth 1 ! -name .keep -delete
