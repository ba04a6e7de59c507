//! `--atomic`: what keeps a plan from being one atomic release, found before anything is done. Floor 4.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{CommandError, Context, FailureChoice, RunArgs, Selected};
use crate::config::DatabaseAddress;
use crate::domain::{Plan, Refusal, RefusalKind, Script, ServiceName, called, commented, suggest};
use crate::inspect::{ServiceError, Target};
use crate::planning;
use crate::postgres::{PreparedSlots, read_prepared_slots};
use crate::sql;

/// The way out of each of these refusals.
const OTHERWISE: &str = "--on-failure revert undoes what was applied when a step fails";

/// Refuses flags that contradict each other.
pub(super) fn check_flags(args: &RunArgs) -> Result<(), CommandError> {
    if args.atomic && args.on_failure != FailureChoice::Stop {
        return Err(CommandError::usage(
            "--atomic and --on-failure exclude each other: after a failure all of an atomic release is rolled back",
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
) -> Result<(), CommandError> {
    for step in &plan.steps {
        let migration = targets
            .get(&step.service)
            .and_then(|target| target.service.migration(step.version));
        if let Some(migration) = migration
            && let Some(problem) = problem(planning::script(migration, step.direction))
        {
            return Err(refusal(Some(&step.service), problem, OTHERWISE).into());
        }
    }
    check_servers(context, targets, plan).await
}

/// What in a file forbids it.
fn problem(script: &Script) -> Option<String> {
    let path = &script.path;
    if script.directives.no_transaction {
        return Some(format!(
            "{path} is no-transaction: what it does commits at once, and cannot be part of an atomic release"
        ));
    }
    // What cannot be split is refused by the plan already.
    let statements = sql::split(&script.text).unwrap_or_default();
    statements.iter().find_map(|statement| {
        let what = sql::unpreparable(statement)?;
        let line = sql::position_at(&script.text, statement.offset).line;
        Some(format!(
            "{path}:{line}: PostgreSQL prepares no transaction with {what}, so it cannot be part of an atomic release"
        ))
    })
}

/// Each database takes one prepared transaction of its server. With one database only there is nothing to prepare.
async fn check_servers(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    plan: &Plan,
) -> Result<(), CommandError> {
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
            taken => format!(", of which {taken} are taken"),
        };
        let message = format!(
            "{server}: max_prepared_transactions is {}{taken}, and an atomic release over {} needs {needed} here",
            slots.most,
            crate::report::units::count(all, "database"),
        );
        let least = needed + slots.taken;
        let next = format!(
            "{OTHERWISE}; or set max_prepared_transactions to at least {least} there and restart that server"
        );
        return Err(refusal(None, message, &next).into());
    }
    Ok(())
}

/// Asked in the maintenance database: that of a service may not be there yet.
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

/// The command that begins the same release again.
pub(super) fn run_again(selected: &Selected) -> String {
    if selected.all {
        return suggest(["all", "--atomic"]);
    }
    let names = selected.names.iter().map(ServiceName::as_str);
    suggest(std::iter::once("run").chain(names).chain(["--atomic"]))
}
