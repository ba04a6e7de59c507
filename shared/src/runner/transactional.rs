//! A file in one transaction, together with its history row and its journal row.

use super::fault::Fault;
use super::observer::{Moment, look, run_file_before};
use super::reading::{Looked, check_reading};
use super::step::StepContext;
use crate::domain::with_causes;
use crate::postgres::{Attempt, LockedSession, record_done};

/// One attempt. On an error that the server reported, the transaction has been rolled back.
pub(super) async fn attempt<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
) -> Result<(), Fault> {
    let client = locked.session().client();
    locked.session().begin_file().await.map_err(Fault::of)?;
    let ran = async {
        inside(locked, context, attempt, Ending::Commits).await?;
        context.check_gates().await?;
        look(context, locked.session(), Moment::BeforeCommit).await
    };
    match ran.await {
        Ok(()) => client
            .batch_execute("COMMIT")
            .await
            .map_err(Fault::while_committing),
        Err(fault) => {
            if !matches!(fault, Fault::Lost { .. })
                && let Err(error) = client.batch_execute("ROLLBACK").await
            {
                tracing::debug!(error = %with_causes(&error), "the connection was lost during ROLLBACK");
            }
            Err(fault)
        }
    }
}

/// What comes after a file in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its commit.
    Commits,
    /// Perhaps another file.
    GoesOn,
}

/// A file with its history row and its journal row, in the transaction at hand.
pub(super) async fn inside<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
    ending: Ending,
) -> Result<(), Fault> {
    let session = locked.session();
    check_reading(session, context, Looked::BeforeFile).await?;
    run_file_before(context, session).await?;
    if ending == Ending::GoesOn {
        session.leave_file_within().await.map_err(Fault::of)?;
    }
    let leave_file = async {
        match ending {
            Ending::Commits => session.leave_file_in_transaction().await,
            Ending::GoesOn => Ok(()),
        }
    };
    let applied_on = context.applied_on();
    let attempt = attempt();
    // One round trip: the client pipelines what is polled together, and the server answers in order. `biased`: of
    // several errors the first is the cause, those after it only say that the transaction is aborted.
    let ((), (), held, ()) = tokio::try_join!(
        biased;
        check_reading(session, context, Looked::AfterFile),
        async { leave_file.await.map_err(Fault::of) },
        async { still_held(locked, context).await.map_err(Fault::of) },
        async {
            let clears = context.clears_progress();
            let table = context.history_table;
            let written = record_done(session, table, &applied_on, &attempt, clears).await;
            context.check_written(written)
        },
    )?;
    if held {
        Ok(())
    } else {
        Err(Fault::LockGone { progress: None })
    }
}

/// Whether the file left the advisory lock alone. Looking is worth its while only for a file that speaks of such locks;
/// what else could lose it shows when it is given back.
async fn still_held(
    locked: &LockedSession,
    context: &StepContext<'_>,
) -> Result<bool, tokio_postgres::Error> {
    if context
        .script()
        .text
        .to_ascii_lowercase()
        .contains("advisory")
    {
        locked.is_held().await
    } else {
        Ok(true)
    }
}
