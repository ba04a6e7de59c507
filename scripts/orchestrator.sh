#!/bin/sh
# Runs the orchestrator from the root of the project: the binary in ORCHESTRATOR_BIN, else the workspace's own.
# What ORCHESTRATOR_BIN names may be a file or a command on the PATH.
set -eu

bin=${ORCHESTRATOR_BIN:-}
case $bin in
    */*) bin=$(cd "$(dirname "$bin")" && pwd)/$(basename "$bin") ;; # still found after the next line
esac
cd "$(dirname "$0")/.."

if [ -n "$bin" ]; then
    exec "$bin" "$@"
fi
exec cargo run --quiet --package orchestrator -- "$@"
