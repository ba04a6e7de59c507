//! The `backup` command.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use shared::command::{CommandError, Context, gather, select, watch_signals};
use shared::dispatch::{Recorder, Stopped, Stops, under_locks};
use shared::domain::{
    EVENT_SCHEMA, EventKind, ExitStatus, Refusal, RefusalKind, ServiceName, ServiceOutcome,
    StopCause, Totals, Verdict, commented, suggest,
};
use shared::inspect::{ServiceError, Target};
use shared::postgres::RunIdentity;

use super::backup_args::BackupArgs;
use crate::backup::Backup;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator backup all
  orchestrator backup policy --verify restore
  orchestrator backup all --keep 7
  orchestrator backup all --backup-format directory --dump-jobs 4
  orchestrator run all --backup                   back up what the run will change, then run

pg_dump dumps each database while the advisory lock is held, so no migration runs meanwhile; reads and writes continue.
The manifest is written last, after all dumps are verified. A folder without a manifest is not a backup, and the next backup
removes it.")]
pub(super) struct Args {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    backup: BackupArgs,
}

pub(super) async fn backup(context: &Context, args: &Args) -> Result<ExitStatus, CommandError> {
    let selected = select(&context.fleet, &args.services, false)?;
    let backup = args.backup.backup(context).await?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let stops = Stops::counted(watch_signals());
    let identity = RunIdentity::of_this_process();
    let mut reporter = context.reporter();
    let mut recorder = Recorder::new(reporter.as_mut(), identity.run_id);
    let started = Instant::now();
    recorder.run(EventKind::RunStarted {
        schema: EVENT_SCHEMA,
        command: "backup",
        services: targets.keys().cloned().collect(),
        unchanged: Vec::new(),
        steps: targets.len(),
        program_version: identity.program_version,
        undoes_on_failure: false,
    });
    let taken = take(context, &backup, &targets, &identity, &mut recorder, &stops).await;
    let mut end = End::default();
    match taken {
        Ok(manifest) => end.manifest = manifest,
        Err((service, error)) => end.fail(&mut recorder, &service, &error, &stops),
    }
    let done = end.manifest.as_ref().map_or(0, |_| targets.len());
    recorder.run(EventKind::RunFinished {
        verdict: Verdict::of(end.status, done),
        exit_code: end.status,
        totals: Totals::default().lasting(started.elapsed()),
        next: end.next,
        anchors: Vec::new(),
        backup: end.manifest,
    });
    Ok(end.status)
}

async fn take(
    context: &Context,
    backup: &Backup,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    identity: &RunIdentity,
    recorder: &mut Recorder<'_>,
    stops: &Stops,
) -> Result<Option<String>, Stopped> {
    let connections = context.connections();
    let Some(name) = targets.keys().next() else {
        return Ok(None);
    };
    match stops.unless_asked(gather(&connections, targets)).await {
        None => return Err((name.clone(), ServiceError::Cancelled)),
        Some(Err(error)) => {
            return Err((name.clone(), error.diagnostic().into()));
        }
        Some(Ok(gathered)) => {
            if let Some(stopped) = gathered.stopped.into_iter().next() {
                return Err(stopped);
            }
            if let Some(absent) = gathered.absent.first() {
                return Err((absent.clone(), nothing_there(absent, &targets[absent])));
            }
        }
    }
    let engine = *context.configuration.engine();
    under_locks(
        targets,
        identity.run_id,
        &connections,
        engine,
        backup,
        recorder,
        stops,
    )
    .await
}

fn nothing_there(name: &ServiceName, target: &Target) -> ServiceError {
    Refusal {
        kind: RefusalKind::Empty,
        service: Some(name.clone()),
        message: format!("{} does not exist: nothing to back up", target.address),
        next: commented(suggest(["status"]), "shows which databases exist"),
    }
    .into()
}

/// The outcome of the backup.
struct End {
    status: ExitStatus,
    manifest: Option<String>,
    next: Vec<String>,
}

impl Default for End {
    fn default() -> Self {
        Self {
            status: ExitStatus::Done,
            manifest: None,
            next: Vec::new(),
        }
    }
}

impl End {
    fn fail(
        &mut self,
        recorder: &mut Recorder<'_>,
        service: &ServiceName,
        error: &ServiceError,
        stops: &Stops,
    ) {
        self.status = error.exit_status();
        if self.status == ExitStatus::Cancelled {
            recorder.run(EventKind::CancelRequested {
                times: 1,
                cause: (*stops.cause.borrow()).unwrap_or(StopCause::Interrupt),
                cancels_in_ms: None,
            });
            return;
        }
        let refusal = match error {
            ServiceError::Refused(refusal) => Some(Box::new(refusal.clone())),
            _ => None,
        };
        self.next.extend(error.next());
        recorder.service(
            service,
            EventKind::ServiceFailed {
                message: error.chain(),
                next: error.next(),
                refusal,
                exit_code: self.status,
            },
        );
        recorder.service(
            service,
            EventKind::ServiceFinished {
                outcome: match self.status {
                    ExitStatus::Refused => ServiceOutcome::Refused,
                    ExitStatus::Unavailable => ServiceOutcome::Unavailable,
                    _ => ServiceOutcome::Failed,
                },
                applied: 0,
                reverted: 0,
                duration_ms: 0,
            },
        );
    }
}
