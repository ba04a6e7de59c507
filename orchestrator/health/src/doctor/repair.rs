//! Makes the repair of a finding.

use pg_sql::quote_identifier;
use std::sync::Arc;
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, rerun, with_causes};
use engine::inspect::{ServiceError, Target};
use pg_session::{LockedSession, SessionSettings};
use service_cli::command::{Context, Selected, resolve_in_doubt};
use tokio::sync::watch;

use super::{Repair, finding::Remedy};

/// The longest wait for a lock or for old transactions.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The outcome of a repair.
#[derive(Debug)]
pub enum Repaired {
    /// The repair was made.
    Done,
    /// The repair failed, with the cause.
    Failed(Diagnostic),
}

/// Makes a repair in the database of a target, until `cancelled`.
pub async fn repair(
    context: &Context,
    target: &Arc<Target>,
    remedy: &Remedy,
    cancelled: &mut watch::Receiver<u32>,
) -> Repaired {
    let done = match &remedy.repair {
        Repair::Locked(sql) => locked(context, target, sql, cancelled).await,
        Repair::Terminate(sql) => terminate(context, target, sql).await,
        Repair::ResolveRelease => return release(context, target, cancelled.clone()).await,
        Repair::DropScratch(address) => context
            .connections()
            .drop_database(address)
            .await
            .map_err(ServiceError::from),
    };
    match done {
        Ok(()) => Repaired::Done,
        Err(error) => Repaired::Failed(error.into()),
    }
}

/// Finishes a release in all its databases. Does nothing if the repair of another finding has finished it already.
async fn release(
    context: &Context,
    target: &Arc<Target>,
    halted: watch::Receiver<u32>,
) -> Repaired {
    let name = &target.service.name;
    let selected = Selected {
        named: [name.clone()].into(),
        names: [name.clone()].into(),
        all: false,
    };
    let resolved = resolve_in_doubt(context, &selected, [target], Duration::ZERO, halted).await;
    match resolved {
        Ok(resolved) => match resolved.iter().flat_map(|it| &it.left).next() {
            Some(left) => Repaired::Failed(Diagnostic::new(
                ExitStatus::Unavailable,
                format!("cannot connect to the database of {left}"),
                rerun("when the server is reachable"),
            )),
            None => Repaired::Done,
        },
        Err(error) => Repaired::Failed(error),
    }
}

async fn terminate(context: &Context, target: &Target, sql: &str) -> Result<(), ServiceError> {
    let connections = context.connections();
    let session = connections
        .session(&target.address, &target.history_table)
        .await?;
    let ended = session.client().query_typed(sql, &[]).await;
    ended.map(drop).map_err(|error| {
        let user = quote_identifier(target.address.user());
        ServiceError::query(&target.address, error)
            .given_by(|| format!("GRANT pg_signal_backend TO {user}"))
    })
}

/// Runs a statement under the lock of a run, so that it cannot interfere with one.
async fn locked(
    context: &Context,
    target: &Target,
    sql: &str,
    cancelled: &mut watch::Receiver<u32>,
) -> Result<(), ServiceError> {
    let connections = context.connections();
    let session = connections
        .session(&target.address, &target.history_table)
        .await?;
    let mut locked = LockedSession::acquire(session, Duration::ZERO, cancelled, |_| {})
        .await
        .map_err(|error| ServiceError::lock(target, error))?;
    let engine = context.configuration.engine();
    let settings = SessionSettings {
        // CONCURRENTLY waits for old transactions without blocking others; a queued strong lock blocks every later session.
        lock_timeout: if sql.contains(" CONCURRENTLY ") {
            engine.concurrently_timeout.min(LONGEST_WAIT)
        } else {
            engine.lock_timeout
        },
        statement_timeout: Duration::ZERO,
    };
    let done = async {
        locked.session_mut().prepare(&settings).await?;
        let cancel = locked.session().cancel_handle();
        let repairing = locked.session().client().batch_execute(sql);
        tokio::pin!(repairing);
        // The count is read-locked as long as its value is kept, and the next signal could not be counted.
        let signal = async { cancelled.wait_for(|times| *times > 0).await.map(drop) };
        tokio::select! {
            biased;
            repaired = &mut repairing => repaired,
            Ok(()) = signal => {
                let cancelling = async {
                    if let Err(error) = cancel.cancel().await {
                        tracing::warn!(error = %with_causes(&error), "cannot cancel the repair");
                    }
                };
                // The repair is awaited meanwhile: only then is a server that no longer responds given up.
                tokio::select! {
                    repaired = &mut repairing => repaired,
                    () = cancelling => repairing.await,
                }
            }
        }
    }
    .await;
    drop(locked.release().await);
    done.map_err(|error| ServiceError::query(&target.address, error))
}
