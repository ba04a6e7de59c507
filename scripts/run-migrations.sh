#!/bin/sh
# Migrates one service or all services. The POSIX counterpart of run-migrations.ps1.
set -eu

usage() {
    cat <<'TEXT'
usage: scripts/run-migrations.sh -Service NAME|all [-Show | -Revert] [-DryRun] [-- OPTION...]

  -Service, --service   policy, control, ... or all
  -Show, --show         show applied and pending migrations
  -Revert, --revert     revert the last applied migration of each named service
  -DryRun, --dry-run    print the SQL that would run without running it
  --                    pass the remaining arguments to the orchestrator, such as --yes or --with-dependencies

Exits with the orchestrator's exit code.
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
            [ $# -gt 1 ] || wrong "$1 requires a service name or all"
            service=$2
            shift
            ;;
        --service=*) service=${1#*=} ;;
        -[Ss]how | --show)
            [ $action != revert ] || wrong '-Show and -Revert cannot be combined'
            action=show
            ;;
        -[Rr]evert | --revert)
            [ $action != show ] || wrong '-Show and -Revert cannot be combined'
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
[ -n "$service" ] || wrong 'missing -Service NAME or -Service all'

# `show` never writes, so that -DryRun makes no difference.
if [ -n "$dry_run" ] && [ $action != show ]; then
    set -- --dry-run "$@"
fi
exec "$(dirname "$0")/orchestrator.sh" $action "$service" "$@"
