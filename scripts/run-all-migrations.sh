#!/bin/sh
# Migrates all services in the order of their dependencies; the twin of run-all-migrations.ps1.
# Takes the parameters of run-migrations.sh, except -Service.
set -eu

exec "$(dirname "$0")/run-migrations.sh" -Service all "$@"
