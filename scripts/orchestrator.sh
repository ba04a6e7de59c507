#!/bin/sh
# Runs the orchestrator from the project root: the binary in ORCHESTRATOR_BIN (a file, or a command on the PATH), or the
# workspace's own through cargo.
set -eu

bin=${ORCHESTRATOR_BIN:-}
case $bin in
    */*) bin=$(cd "$(dirname "$bin")" && pwd)/$(basename "$bin") ;; # absolute, because of the next line
esac
cd "$(dirname "$0")/.."

if [ -n "$bin" ]; then
    exec "$bin" "$@"
fi
exec cargo run --quiet --package orchestrator -- "$@"
