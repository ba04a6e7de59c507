//! `revert --run --give-up`: keeps what a run applied, although undoing it has started.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::CheckedRevert;
use crate::command::interrupt::watch_stops;
use crate::command::refuse::refuse_run;
use crate::command::{Context, Selected, confirm, gather};
use domain::{
    Diagnostic, Direction, EventKind, ExitStatus, ServiceName, Version, commented, suggest,
};
use engine::dispatch::{Operation, Start, Stops};
use engine::inspect::{ServiceError, Target};
use pg_session::LockedSession;
use store::{Attempt, AttemptOutcome, forget_owed, record_failed};

/// Removes the recorded reverts of a compensation from the selected services, one database at a time, each under its lock.
/// Runs no migration and no revert. The journals record the decision.
pub(super) async fn give_up(
    context: &Context,
    selected: &Selected,
    asked: &CheckedRevert,
    run_id: Uuid,
) -> Result<ExitStatus, Diagnostic> {
    let stops = watch_stops(context.configuration.engine().stop_grace);
    let preparation = async {
        let targets = context.targets(&selected.names, selected, false).await?;
        let gathered = gather(&context.connections(), &targets).await?;
        Ok::<_, Diagnostic>((targets, gathered))
    };
    let Some(prepared) = stops.unless_asked(preparation).await else {
        return refuse_run(context, "revert", Diagnostic::cancelled());
    };
    let (targets, gathered) = prepared?;
    if let Some((_, error)) = gathered.stopped.first() {
        return Err(error.diagnostic());
    }
    let owed: Vec<(Arc<Target>, Vec<Version>)> = targets
        .into_iter()
        .filter_map(|(name, target)| {
            let owed = gathered.histories.get(&name)?.owed.iter();
            let ours = owed.filter(|owed| owed.run_id == run_id);
            let versions: Vec<Version> = ours.map(|owed| owed.version).collect();
            (!versions.is_empty()).then_some((target, versions))
        })
        .collect();
    drop(gathered);
    if owed.is_empty() {
        return Err(Diagnostic::usage(
            format!("these services have no pending reverts of run {run_id}"),
            commented(suggest(["status"]), "see what is applied"),
        ));
    }
    let what = format!("keep what run {run_id} applied");
    if let Err(error) = confirm(context, asked.args.yes, &what).await {
        return refuse_run(context, "revert", error);
    }
    Ok(keep(context, &owed, run_id, stops).await)
}

async fn keep(
    context: &Context,
    owed: &[(Arc<Target>, Vec<Version>)],
    run_id: Uuid,
    stops: Stops,
) -> ExitStatus {
    let services = owed.iter().map(|(target, _)| target.service.name.clone());
    let start = Start {
        // No migration is undone.
        steps: 0,
        labels_next: false,
        ..Start::of("revert", services.collect())
    };
    let mut reporter = context.reporter();
    let mut operation = Operation::begin(reporter.as_mut(), stops, start);
    for (target, versions) in owed {
        let service = &target.service.name;
        match keep_one(context, target, versions, run_id, &mut operation).await {
            Ok(()) => operation.service(
                service,
                EventKind::CompensationGivenUp {
                    of_run: run_id,
                    versions: versions.clone(),
                },
            ),
            Err(error) => drop(operation.service_failed(service, error.diagnostic())),
        }
    }
    operation.end(owed.len())
}

async fn keep_one(
    context: &Context,
    target: &Target,
    versions: &[Version],
    of_run: Uuid,
    operation: &mut Operation<'_>,
) -> Result<(), ServiceError> {
    let connections = context.connections();
    let (address, table) = (&target.address, &target.history_table);
    let service: &ServiceName = &target.service.name;
    let session = connections.session(address, table).await?;
    let wait = context.configuration.engine().advisory_lock_wait;
    let mut halted = operation.stops().times.clone();
    let locked = LockedSession::acquire(session, wait, &mut halted, |holder| {
        operation.service(service, EventKind::LockWaiting { holder });
    })
    .await
    .map_err(|source| ServiceError::lock(target, source))?;
    locked.session().refuse_unwritable()?;
    let message = format!("what run {of_run} applied is kept");
    let worked = async {
        for version in versions {
            // A journal row needs the name and the checksum of the file.
            let Some(migration) = target.service.migration(*version) else {
                continue;
            };
            let attempt = Attempt {
                run: operation.identity(),
                service,
                version: *version,
                name: &migration.name,
                direction: Direction::Down,
                checksum: migration.checksum,
                outcome: AttemptOutcome::Kept,
                duration: Duration::ZERO,
                attempts: 1,
                statements: None,
                sqlstate: None,
                message: Some(&message),
            };
            record_failed(locked.session(), &attempt).await?;
        }
        forget_owed(locked.session().client(), service, of_run).await
    };
    let worked = worked.await;
    drop(locked.release().await);
    worked.map_err(|error| ServiceError::query(address, error))
}
