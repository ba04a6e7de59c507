//! A file in one transaction, together with its history row and its journal row.

use super::fault::Fault;
use super::script::run_file;
use super::step::StepContext;
use crate::postgres::{Attempt, LockedSession, record_done};

/// One attempt. On an error that the server reported, the transaction has been rolled back.
pub(super) async fn attempt<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
) -> Result<(), Fault> {
    let client = locked.session().client();
    client.batch_execute("BEGIN").await.map_err(Fault::of)?;
    match inside(locked, context, attempt).await {
        Ok(()) => client
            .batch_execute("COMMIT")
            .await
            .map_err(Fault::while_committing),
        Err(fault) => {
            if !matches!(fault, Fault::Lost { .. })
                && let Err(error) = client.batch_execute("ROLLBACK").await
            {
                tracing::debug!(%error, "the connection was lost during ROLLBACK");
            }
            Err(fault)
        }
    }
}

async fn inside<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
) -> Result<(), Fault> {
    let session = locked.session();
    run_file(session.client(), &context.script().text).await?;
    // Deferred constraints speak up here rather than in COMMIT, where the server names no statement.
    session
        .client()
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
        .await
        .map_err(Fault::of)?;
    session.become_bookkeeper().await.map_err(Fault::of)?;
    if !locked.is_held().await.map_err(Fault::of)? {
        return Err(Fault::LockGone { progress: None });
    }
    record_done(
        session,
        context.history_table,
        &context.applied_on(),
        &attempt(),
    )
    .await
    .map_err(Fault::of)
}
