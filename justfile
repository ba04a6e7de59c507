# `just` lists the recipes.

[private]
default:
    @just --list --unsorted

# Migrate every service
all *options:
    cargo run --quiet -p orchestrator -- all {{ options }}

# Migrate one service and its dependencies
run service *options:
    cargo run --quiet -p orchestrator -- run {{ service }} --with-dependencies {{ options }}

# Show applied and pending migrations
status *services:
    cargo run --quiet -p orchestrator -- status {{ services }}

# Revert the last migration of a service
revert service *options:
    cargo run --quiet -p orchestrator -- revert {{ service }} {{ options }}

# Generate an empty migration and its revert
generate service name *options:
    cargo run --quiet -p orchestrator -- generate {{ service }} {{ name }} {{ options }}

# Check migrations and reverts against docs/rules, with a rehearsal
check *options:
    cargo run --quiet -p orchestrator -- check {{ options }}

# Manage the local PostgreSQL: start, stop, status, reset, psql
local command:
    cargo run --quiet -p orchestrator -- local {{ command }}

# Run all tests: with cargo-nextest, where it is installed
test *options:
    if command -v cargo-nextest >/dev/null; then cargo nextest run --workspace {{ options }}; else cargo test --workspace {{ options }}; fi

# Run all tests on another PostgreSQL, such as 14 or 18
test-on major *options:
    scripts/install-postgres {{ major }}
    TEST_POSTGRES={{ major }} cargo test --workspace {{ options }}

# Run the tests with a new seed, and the faults at all points, as every night: hours
test-all *suite:
    scripts/test-all {{ suite }}

# Format the code
format:
    cargo fmt --all

# Run the lints as in CI
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Run all CI checks
ci:
    .ci/run

# Check licenses, banned and duplicate crates, and sources
deny:
    $(scripts/install-cargo-tool deny)/cargo-deny --locked check licenses bans sources

# Benchmark against psql
bench *options:
    scripts/bench {{ options }}
