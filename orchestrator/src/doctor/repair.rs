//! Doing what resolves a finding.

use std::time::Duration;

use shared::command::{Context, watch_signals};
use shared::inspect::{ServiceError, Target};
use shared::postgres::{LockError, LockedSession, SessionSettings};

use super::{Repair, finding::Remedy};

/// How a repair ended.
#[derive(Debug)]
pub enum Repaired {
    /// It is done.
    Done,
    /// A run holds the lock of the database: it may be at work on the very same thing.
    RunAtWork,
    /// It failed, and why.
    Failed(String),
}

/// Does what a remedy says, in the database of a target.
pub async fn repair(context: &Context, target: &Target, remedy: &Remedy) -> Repaired {
    let done = match &remedy.repair {
        Repair::Locked(sql) => locked(context, target, sql).await,
        Repair::Terminate(sql) => terminate(context, target, sql).await,
        Repair::DropScratch(address) => context
            .connections()
            .drop_database(address)
            .await
            .map_err(ServiceError::from),
    };
    match done {
        Ok(()) => Repaired::Done,
        Err(ServiceError::Lock { source, .. }) if matches!(*source, LockError::TimedOut { .. }) => {
            Repaired::RunAtWork
        }
        Err(error) => Repaired::Failed(error.chain()),
    }
}

async fn terminate(context: &Context, target: &Target, sql: &str) -> Result<(), ServiceError> {
    let connections = context.connections();
    let session = connections
        .session(&target.address, &target.history_table)
        .await?;
    let ended = session.client().query_typed(sql, &[]).await;
    ended
        .map(drop)
        .map_err(|error| ServiceError::query(&target.address, error))
}

/// Under the lock of a run, so that none begins meanwhile, and none that is at work is disturbed.
async fn locked(context: &Context, target: &Target, sql: &str) -> Result<(), ServiceError> {
    let connections = context.connections();
    let session = connections
        .session(&target.address, &target.history_table)
        .await?;
    let mut cancelled = watch_signals();
    let mut locked = LockedSession::acquire(
        session,
        &connections,
        Duration::ZERO,
        &mut cancelled,
        |_| {},
    )
    .await
    .map_err(|error| ServiceError::lock(target, error))?;
    let engine = context.configuration.engine();
    let settings = SessionSettings {
        // Waiting for old transactions blocks no one; waiting for a lock does.
        lock_timeout: if sql.contains(" CONCURRENTLY ") {
            engine.concurrently_timeout
        } else {
            engine.lock_timeout
        },
        statement_timeout: Duration::ZERO,
    };
    let done = async {
        locked.session_mut().prepare(&settings).await?;
        locked.session().client().batch_execute(sql).await
    }
    .await;
    drop(locked.release().await);
    done.map_err(|error| ServiceError::query(&target.address, error))
}
