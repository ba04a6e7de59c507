#!/bin/sh
# Migrates all services in dependency order. The POSIX counterpart of run-all-migrations.ps1.
# Accepts the parameters of run-migrations.sh, except -Service.
set -eu

exec "$(dirname "$0")/run-migrations.sh" -Service all "$@"
