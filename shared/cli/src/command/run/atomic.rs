//! `--atomic`: checks before the run that a plan can be one atomic release.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FailureChoice, RunArgs};
use crate::command::{Context, Selected};
use domain::{
    Diagnostic, Plan, Refusal, RefusalKind, Script, ServiceName, called, commented, suggest,
};
use engine::inspect::{ServiceError, Target};
use pg_address::DatabaseAddress;
use pg_session::{PreparedSlots, read_prepared_slots};

/// The alternative that each of these refusals suggests.
const OTHERWISE: &str = "--on-failure revert undoes the applied migrations when a step fails";

/// Refuses flags that contradict each other.
pub(super) fn check_flags(args: &RunArgs) -> Result<(), Diagnostic> {
    if args.atomic && args.on_failure != FailureChoice::Stop {
        return Err(Diagnostic::usage(
            "--atomic cannot be combined with --on-failure: a failed atomic release is rolled back completely",
            called().without_flag("--atomic").to_string(),
        ));
    }
    Ok(())
}

/// Refuses a plan that cannot be one atomic release.
pub(super) async fn check_plan(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    plan: &Plan,
) -> Result<(), Diagnostic> {
    for step in &plan.steps {
        let migration = targets
            .get(&step.service)
            .and_then(|target| target.service.migration(step.version));
        if let Some(migration) = migration
            && let Some(problem) = problem(migration.script(step.direction))
        {
            return Err(refusal(Some(&step.service), problem, OTHERWISE).into());
        }
    }
    check_servers(context, targets, plan).await
}

/// Why a file cannot be part of an atomic release.
fn problem(script: &Script) -> Option<String> {
    let path = &script.path;
    if script.directives.no_transaction {
        return Some(format!(
            "{path} is no-transaction: its statements commit immediately, so it cannot be part of an atomic release"
        ));
    }
    // The plan has already refused a script that cannot be split.
    let statements = pg_sql::split(&script.text).unwrap_or_default();
    statements.iter().find_map(|statement| {
        let what = pg_sql::unpreparable(statement)?;
        let line = pg_sql::position_at(&script.text, statement.offset).line;
        Some(format!(
            "{path}:{line}: PostgreSQL cannot prepare a transaction with {what}, so the file cannot be part of an atomic release"
        ))
    })
}

/// Each database requires one prepared transaction on its server. A single database commits without preparing.
async fn check_servers(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    plan: &Plan,
) -> Result<(), Diagnostic> {
    let mut servers: BTreeMap<String, (&DatabaseAddress, BTreeSet<String>)> = BTreeMap::new();
    for name in plan.services() {
        if let Some(target) = targets.get(name) {
            let address = &target.address;
            let (_, databases) = servers
                .entry(address.server_key())
                .or_insert_with(|| (address, BTreeSet::new()));
            databases.insert(address.database_key());
        }
    }
    let all: usize = servers.values().map(|(_, databases)| databases.len()).sum();
    if all < 2 {
        return Ok(());
    }
    for (server, (address, databases)) in servers {
        let slots = slots(context, address).await?;
        let needed = databases.len();
        if slots.most.saturating_sub(slots.taken) >= needed {
            continue;
        }
        let taken = match slots.taken {
            0 => String::new(),
            taken => format!(" ({taken} in use)"),
        };
        let message = format!(
            "{server}: max_prepared_transactions is {}{taken}, but an atomic release over {} requires {needed} on this server",
            slots.most,
            report::units::count(all, "database"),
        );
        let least = needed + slots.taken;
        let next = format!(
            "{OTHERWISE}; or set max_prepared_transactions to at least {least} and restart the server"
        );
        return Err(refusal(None, message, &next).into());
    }
    Ok(())
}

/// Uses the maintenance database, because a service's database may not exist yet.
async fn slots(
    context: &Context,
    address: &DatabaseAddress,
) -> Result<PreparedSlots, ServiceError> {
    let connection = context.connections().keep(address).await?;
    read_prepared_slots(&connection.client)
        .await
        .map_err(|error| ServiceError::query(address, error))
}

fn refusal(service: Option<&ServiceName>, message: String, next: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::NotAtomic,
        service: service.cloned(),
        message,
        next: commented(called().without_flag("--atomic").to_string(), next),
    }
}

/// The command that reruns the same release.
pub(super) fn rerun_release(selected: &Selected) -> String {
    if selected.all {
        return suggest(["all", "--atomic"]);
    }
    let names = selected.names.iter().map(ServiceName::as_str);
    suggest(std::iter::once("run").chain(names).chain(["--atomic"]))
}
