//! Plans the compensation of runs: for `--on-failure revert`, `revert --run`, and after a killed run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::gather::gather_histories;
use super::revert::{inspect_more, refuse_required, requiring_services};
use super::{Context, Gathered, Selected, invocation};
use domain::{Diagnostic, Direction, Plan, ServiceName, rerun};
use engine::dispatch::{Compensation, Migrations, PlanReverts, Reverts};
use engine::inspect::{ServiceError, Target};
use engine::planning;
use engine::planning::Order;
use engine::reconcile::reconcile;
use engine::revert;
use pg_session::{ConnectError, Connections};
use store::{RunTraces, read_traces};

/// The reason of a compensation that is not recorded yet.
const ASKED_FOR: &str = "asked for with --run";

/// What one run applied and is not undone yet.
pub(super) struct Left {
    /// Whether any of the databases has a record of the run.
    pub(super) known: bool,
    migrations: Migrations,
    because: String,
}

/// The runs that still have migrations to undo, newest first.
pub(super) fn owed_runs(selected: &Selected, gathered: &Gathered) -> Vec<Uuid> {
    let runs: BTreeSet<Uuid> = gathered
        .histories
        .iter()
        .filter(|(name, _)| selected.names.contains(*name))
        .flat_map(|(_, history)| history.outstanding().map(|owed| owed.run_id))
        .collect();
    // Run IDs are UUIDv7: they sort by time.
    runs.into_iter().rev().collect()
}

/// Reads what a run applied, and what it has recorded to undo.
pub(super) async fn left_by(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    gathered: &mut Gathered,
    run_id: Uuid,
) -> Result<Left, Diagnostic> {
    let mut left = Left {
        known: false,
        migrations: Migrations::new(),
        because: ASKED_FOR.to_owned(),
    };
    for (name, history) in &gathered.histories {
        for owed in history.outstanding().filter(|owed| owed.run_id == run_id) {
            left.known = true;
            left.because.clone_from(&owed.because);
            let versions = left.migrations.entry(name.clone()).or_default();
            versions.insert(owed.version);
        }
    }
    let mut reading = JoinSet::new();
    for (name, target) in targets {
        if gathered.histories.contains_key(name) {
            let (name, target) = (name.clone(), Arc::clone(target));
            let connections = Arc::clone(connections);
            reading.spawn(async move { (name, traces(&connections, &target, run_id).await) });
        }
    }
    while let Some(joined) = reading.join_next().await {
        let (name, traces) = joined
            .map_err(|error| Diagnostic::failed("inspecting a database was interrupted", &error))?;
        match traces {
            Ok(traces) => {
                left.known |= traces.known;
                if !traces.left.is_empty() {
                    let versions = left.migrations.entry(name).or_default();
                    versions.extend(traces.left);
                }
            }
            Err(error) => gathered.stopped.push((name, error)),
        }
    }
    Ok(left)
}

async fn traces(
    connections: &Connections,
    target: &Target,
    run_id: Uuid,
) -> Result<RunTraces, ServiceError> {
    let (address, table) = (&target.address, &target.history_table);
    let session = match connections.session(address, table).await {
        Ok(session) => session,
        Err(ConnectError::DatabaseMissing { .. }) => return Ok(RunTraces::default()),
        Err(error) => return Err(error.into()),
    };
    let read = read_traces(&session, &target.service.name, run_id).await;
    read.map_err(|error| ServiceError::query(address, error))
}

/// Plans the reverts of these migrations, in order, and lists the services that prevent it. Inspects further databases when
/// migrations of other services require what would be undone.
pub(super) async fn planned_compensation(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    migrations: &Migrations,
    order: &dyn Order,
) -> Result<(Plan, Vec<(ServiceName, ServiceError)>), Diagnostic> {
    let mut stopped = Vec::new();
    let needed = requiring_services(context, migrations.keys());
    inspect_more(context, selected, gathered, targets, &mut stopped, &needed).await?;
    let mut steps = Vec::new();
    let mut undone = BTreeMap::new();
    for (name, versions) in migrations {
        let (Some(service), Some(history)) =
            (context.fleet.service(name), gathered.histories.get(name))
        else {
            continue;
        };
        match revert::select_these(service, &reconcile(service, history), versions) {
            Ok(migrations) => {
                undone.insert(name, migrations.iter().map(|it| it.version).collect());
                for migration in migrations {
                    steps.push(planning::step(service, migration, Direction::Down)?);
                }
            }
            Err(refusal) => stopped.push((name.clone(), refusal.into())),
        }
    }
    refuse_required(context, gathered, &undone, &mut stopped);
    let plan = order.arrange(&context.fleet, steps, Direction::Down);
    Ok((plan, stopped))
}

/// Plans the compensation of one run, and lists the services that prevent it.
pub(super) async fn compensation(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    (of_run, left): (Uuid, &Left),
    order: &dyn Order,
) -> Result<(Compensation, Vec<(ServiceName, ServiceError)>), Diagnostic> {
    let migrations = &left.migrations;
    let (plan, stopped) =
        planned_compensation(context, selected, gathered, targets, migrations, order).await?;
    let because = left.because.clone();
    let compensation = Compensation {
        of_run,
        because,
        plan,
    };
    Ok((compensation, stopped))
}

/// Plans the unfinished compensations of earlier runs, which come before anything new is applied, and lists the services
/// that prevent them. Changes the histories to their state after these compensations.
pub(super) async fn undone_first(
    context: &Context,
    selected: &Selected,
    gathered: &mut Gathered,
    targets: &mut BTreeMap<ServiceName, Arc<Target>>,
    order: &dyn Order,
) -> Result<(Vec<Compensation>, Vec<(ServiceName, ServiceError)>), Diagnostic> {
    let mut first = Vec::new();
    let mut stopped = Vec::new();
    for of_run in owed_runs(selected, gathered) {
        let left = left_by(&context.connections(), targets, gathered, of_run).await?;
        let found = (of_run, &left);
        let (compensation, in_the_way) =
            compensation(context, selected, gathered, targets, found, order).await?;
        stopped.extend(in_the_way);
        for (name, versions) in &left.migrations {
            if let Some(history) = gathered.histories.get_mut(name) {
                *history = history.without(versions);
            }
        }
        first.push(compensation);
    }
    Ok((first, stopped))
}

/// How a run of these services plans and suggests its reverts.
pub(super) fn reverts<'c>(
    context: &'c Context,
    selected: &'c Selected,
    first: Vec<Compensation>,
    order: &'c dyn Order,
) -> Reverts<'c> {
    let plan: PlanReverts<'c> = Box::new(move |migrations: Migrations| {
        Box::pin(async move {
            match plan_now(context, selected, &migrations, order).await {
                Ok((plan, stopped)) if stopped.is_empty() => Ok(plan),
                Ok((_, stopped)) => Err(stopped),
                Err(error) => Err(unplanned(&migrations, &error)),
            }
        })
    });
    Reverts {
        first,
        plan,
        resume: Box::new(move |of_run| invocation::undo(selected.only(), of_run)),
        restore: Box::new(invocation::restore),
        restore_from: None,
    }
}

/// Plans the reverts from the current state of the databases.
async fn plan_now(
    context: &Context,
    selected: &Selected,
    migrations: &Migrations,
    order: &dyn Order,
) -> Result<(Plan, Vec<(ServiceName, ServiceError)>), Diagnostic> {
    let mut targets = context.targets(migrations.keys(), selected, false).await?;
    let mut gathered = gather_histories(&context.connections(), &targets).await?;
    let unreachable = std::mem::take(&mut gathered.stopped);
    if !unreachable.is_empty() {
        return Ok((Plan::default(), unreachable));
    }
    planned_compensation(
        context,
        selected,
        &mut gathered,
        &mut targets,
        migrations,
        order,
    )
    .await
}

fn unplanned(migrations: &Migrations, error: &Diagnostic) -> Vec<(ServiceName, ServiceError)> {
    let error = || {
        let cause = error.clone().within("cannot plan the reverts");
        cause.or_next(|| rerun("after fixing that")).into()
    };
    let first = migrations.keys().next();
    first
        .map(|name| (name.clone(), error()))
        .into_iter()
        .collect()
}
