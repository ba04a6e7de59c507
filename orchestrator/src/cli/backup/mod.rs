//! The `backup` command.

mod args;
mod lines;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, Refusal, RefusalKind, ServiceName, commented, suggest};
use engine::dispatch::{Operation, Start, Stopped, under_locks};
use engine::inspect::{ServiceError, Target};
use service_cli::command::{Context, gather, select, watch_stops};

pub(super) use args::{BackupArgs, backup_folder};
use backup::Backup;
pub(super) use lines::BackupLines;

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

pub(super) async fn backup(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &args.services, false)?;
    let backup = args.backup.backup(context).await?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let start = Start {
        labels_next: false,
        ..Start::of("backup", targets.keys().cloned().collect())
    };
    let mut reporter = context.reporter_with(Some(Box::new(BackupLines::new(context))));
    let stops = watch_stops(Duration::ZERO);
    let mut operation = Operation::begin(reporter.as_mut(), stops, start);
    let taken = take(context, &backup, &targets, &mut operation).await;
    let mut done = 0;
    match taken {
        Ok(manifest) => {
            done = manifest.as_ref().map_or(0, |_| targets.len());
            operation.backup = manifest;
        }
        Err((_, error)) if error.exit_code() == ExitStatus::Cancelled => operation.cancelled(),
        Err((service, error)) => {
            let outcome = operation.service_failed(&service, error.diagnostic());
            operation.service_finished(&service, outcome);
        }
    }
    Ok(operation.end(done))
}

async fn take(
    context: &Context,
    backup: &Backup,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    operation: &mut Operation<'_>,
) -> Result<Option<String>, Stopped> {
    let connections = context.connections();
    let Some(name) = targets.keys().next() else {
        return Ok(None);
    };
    match operation
        .stops()
        .unless_asked(gather(&connections, targets))
        .await
    {
        None => return Err((name.clone(), ServiceError::Cancelled)),
        Some(Err(error)) => {
            return Err((name.clone(), error.into()));
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
    under_locks(targets, &connections, engine, backup, operation).await
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
