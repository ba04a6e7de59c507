//! `revert --run --give-up`: keeps what a run applied, although undoing it has started.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::interrupt::watch_stops;
use super::refuse::refuse_run;
use super::run::refused;
use super::{CheckedRevert, CommandError, Context, Selected, confirm, gather};
use crate::dispatch::{Recorder, Stops};
use crate::domain::{
    Direction, EVENT_SCHEMA, EventKind, ExitStatus, ServiceName, Totals, Verdict, Version,
    commented, suggest,
};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{
    Attempt, AttemptOutcome, LockedSession, RunIdentity, forget_owed, record_failed,
};

/// Removes the recorded reverts of a compensation from the selected services, one database at a time, each under its lock.
/// Runs no migration and no revert. The journals record the decision.
pub(super) async fn give_up(
    context: &Context,
    selected: &Selected,
    asked: &CheckedRevert,
    run_id: Uuid,
) -> Result<ExitStatus, CommandError> {
    let stops = watch_stops(context.configuration.engine().stop_grace);
    let preparation = async {
        let targets = context.targets(&selected.names, selected, false).await?;
        let gathered = gather(&context.connections(), &targets).await?;
        Ok::<_, CommandError>((targets, gathered))
    };
    let Some(prepared) = stops.unless_asked(preparation).await else {
        return refuse_run(context, "revert", CommandError::Cancelled);
    };
    let (targets, gathered) = prepared?;
    if let Some((_, error)) = gathered.stopped.first() {
        return Err(refused(error));
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
        return Err(CommandError::usage(
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
    let started = std::time::Instant::now();
    let identity = RunIdentity::of_this_process();
    let mut reporter = context.reporter();
    let mut recorder = Recorder::new(reporter.as_mut(), identity.run_id);
    let name = |target: &Target| target.service.name.clone();
    recorder.run(EventKind::RunStarted {
        schema: EVENT_SCHEMA,
        command: "revert",
        services: owed.iter().map(|(target, _)| name(target)).collect(),
        unchanged: Vec::new(),
        // No migration is undone.
        steps: 0,
        program_version: identity.program_version,
        undoes_on_failure: false,
    });
    let mut status = ExitStatus::Done;
    let mut next = Vec::new();
    for (target, versions) in owed {
        let service = name(target);
        let kept = keep_one(
            context,
            target,
            versions,
            (&identity, run_id),
            &stops,
            &mut recorder,
        );
        match kept.await {
            Ok(()) => recorder.service(
                &service,
                EventKind::CompensationGivenUp {
                    of_run: run_id,
                    versions: versions.clone(),
                },
            ),
            Err(error) => {
                status = status.or_worse(error.exit_status());
                next.extend(error.next());
                recorder.service(
                    &service,
                    EventKind::ServiceFailed {
                        message: error.chain(),
                        next: error.next(),
                        refusal: None,
                        exit_code: error.exit_status(),
                    },
                );
            }
        }
    }
    recorder.run(EventKind::RunFinished {
        verdict: Verdict::of(status, owed.len()),
        exit_code: status,
        totals: Totals::default().lasting(started.elapsed()),
        next,
        anchors: Vec::new(),
        backup: None,
    });
    status
}

async fn keep_one(
    context: &Context,
    target: &Target,
    versions: &[Version],
    (identity, of_run): (&RunIdentity, Uuid),
    stops: &Stops,
    recorder: &mut Recorder<'_>,
) -> Result<(), ServiceError> {
    let connections = context.connections();
    let (address, table) = (&target.address, &target.history_table);
    let service: &ServiceName = &target.service.name;
    let session = connections.session(address, table).await?;
    let wait = context.configuration.engine().advisory_lock_wait;
    let mut halted = stops.times.clone();
    let locked = LockedSession::acquire(session, wait, &mut halted, |holder| {
        recorder.service(service, EventKind::LockWaiting { holder });
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
                run: identity,
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
