#!/bin/sh
# Writes an empty migration and its revert; the twin of generate-migration.ps1.
set -eu

usage() {
    cat <<'TEXT'
usage: scripts/generate-migration.sh -Service NAME -MigrationName NAME [-DryRun] [-- OPTION...]

  -Service, --service                policy, control, ...
  -MigrationName, --migration-name   what the migration does, such as AddPolicyTemplates
  -DryRun, --dry-run                 show the files, and write nothing
  --                                 what follows goes to the orchestrator, such as --no-transaction

The exit code is the orchestrator's.
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
            [ $# -gt 1 ] || wrong "$1 needs the name of a service"
            service=$2
            shift
            ;;
        --service=*) service=${1#*=} ;;
        -[Mm]igration[Nn]ame | --migration-name)
            [ $# -gt 1 ] || wrong "$1 needs a name, such as AddPolicyTemplates"
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
[ -n "$service" ] || wrong 'which service? name it with -Service'
[ -n "$name" ] || wrong 'what does it do? say it with -MigrationName, such as AddPolicyTemplates'

if [ -n "$dry_run" ]; then
    set -- --dry-run "$@"
fi
exec "$(dirname "$0")/orchestrator.sh" generate "$service" "$name" "$@"
