#!/bin/sh
# Migrates one service or all of them; the twin of run-migrations.ps1.
set -eu

usage() {
    cat <<'TEXT'
usage: scripts/run-migrations.sh -Service NAME|all [-Show | -Revert] [-DryRun] [-- OPTION...]

  -Service, --service   policy, control, ... or all
  -Show, --show         what is applied and what is pending
  -Revert, --revert     take back the last applied migration of each named service
  -DryRun, --dry-run    print the SQL that would run, and write nothing
  --                    what follows goes to the orchestrator, such as --yes or --with-dependencies

The exit code is the orchestrator's.
TEXT
}

wrong() {
    echo "run-migrations: $1" >&2
    usage >&2
    exit 2
}

service='' action=run dry_run=
while [ $# -gt 0 ]; do
    case $1 in
        -[Ss]ervice | --service)
            [ $# -gt 1 ] || wrong "$1 needs the name of a service, or all"
            service=$2
            shift
            ;;
        --service=*) service=${1#*=} ;;
        -[Ss]how | --show)
            [ $action != revert ] || wrong 'either -Show or -Revert'
            action=show
            ;;
        -[Rr]evert | --revert)
            [ $action != show ] || wrong 'either -Show or -Revert'
            action=revert
            ;;
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
[ -n "$service" ] || wrong 'which service? name it with -Service, or say -Service all'

# Showing never writes, so that a dry run of it is the same.
if [ -n "$dry_run" ] && [ $action != show ]; then
    set -- --dry-run "$@"
fi
exec "$(dirname "$0")/orchestrator.sh" $action "$service" "$@"
