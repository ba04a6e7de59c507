# One-line recipes: `just` lists them.

[private]
default:
    @just --list --unsorted

# Migrate every service
all *options:
    cargo run --quiet -p orchestrator -- all {{ options }}

# Migrate one service, after its dependencies
run service *options:
    cargo run --quiet -p orchestrator -- run {{ service }} --with-dependencies {{ options }}

# What is applied, what is pending
status *services:
    cargo run --quiet -p orchestrator -- status {{ services }}

# Take back the last migration of a service
revert service *options:
    cargo run --quiet -p orchestrator -- revert {{ service }} {{ options }}

# Write an empty migration and its revert
generate service name *options:
    cargo run --quiet -p orchestrator -- generate {{ service }} {{ name }} {{ options }}

# Hold migrations and reverts to docs/rules, with a rehearsal
check *options:
    cargo run --quiet -p orchestrator -- check {{ options }}

# The project's own PostgreSQL: start, stop, status, reset, psql
local command:
    cargo run --quiet -p orchestrator -- local {{ command }}

# All tests
test *options:
    cargo test --workspace {{ options }}

# All tests on another PostgreSQL, such as 14 or 18
test-on major *options:
    scripts/install-postgres {{ major }}
    TEST_POSTGRES={{ major }} cargo test --workspace {{ options }}

# Format the code
format:
    cargo fmt --all

# The lints, as CI sees them
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Everything that CI checks
ci:
    .ci/run

# Licenses, banned and duplicate crates, sources
deny:
    $(scripts/install-cargo-deny)/cargo-deny --locked check licenses bans sources

# Speed against psql
bench *options:
    scripts/bench {{ options }}
