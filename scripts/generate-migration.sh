#!/bin/sh
# Generates the migration to a service's schema.sql and its revert. The POSIX counterpart of generate-migration.ps1.
set -eu

usage() {
    cat <<'TEXT'
usage: scripts/generate-migration.sh -Service NAME -MigrationName NAME [-DryRun] [-- OPTION...]

  -Service, --service                policy, control, ...
  -MigrationName, --migration-name   what the migration does, such as AddPolicyTemplates
  -DryRun, --dry-run                 show the files without writing them
  --                                 pass the remaining arguments to the orchestrator, such as --empty

Exits with the orchestrator's exit code.
TEXT
}

wrong() {
    echo "generate-migration: $1" >&2
    usage >&2
    exit 2
}

service='' name='' dry_run=
while [ $# -gt 0 ]; do
    case $1 in
        -[Ss]ervice | --service)
            [ $# -gt 1 ] || wrong "$1 requires a service name"
            service=$2
            shift
            ;;
        --service=*) service=${1#*=} ;;
        -[Mm]igration[Nn]ame | --migration-name)
            [ $# -gt 1 ] || wrong "$1 requires a name, such as AddPolicyTemplates"
            name=$2
            shift
            ;;
        --migration-name=*) name=${1#*=} ;;
        -[Dd]ry[Rr]un | --dry-run) dry_run=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        --)
            shift
            break
            ;;
        *) wrong "unknown parameter: $1" ;;
    esac
    shift
done
[ -n "$service" ] || wrong 'missing -Service NAME'
[ -n "$name" ] || wrong 'missing -MigrationName NAME, such as AddPolicyTemplates'

if [ -n "$dry_run" ]; then
    set -- --dry-run "$@"
fi
exec "$(dirname "$0")/orchestrator.sh" generate "$service" "$name" "$@"
