//! A file in one transaction, together with its history row and its journal row.

use super::fault::Fault;
use super::observer::{Moment, observe, run_file_before};
use super::reading::{CheckTime, check_reading};
use super::step::StepContext;
use domain::with_causes;
use pg_session::LockedSession;
use store::{Attempt, record_done};

/// One attempt. After an error that the server reported, the transaction has been rolled back.
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
        observe(context, locked.session(), Moment::BeforeCommit).await
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

/// What follows a file in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The commit.
    Commits,
    /// Possibly another file.
    Continues,
}

/// Runs a file and writes its history row and its journal row, in the current transaction.
pub(super) async fn inside<'a>(
    locked: &LockedSession,
    context: &StepContext<'_>,
    attempt: impl Fn() -> Attempt<'a>,
    ending: Ending,
) -> Result<(), Fault> {
    let session = locked.session();
    check_reading(session, context, CheckTime::BeforeFile).await?;
    run_file_before(context, session).await?;
    if ending == Ending::Continues {
        session.leave_file_within().await.map_err(Fault::of)?;
    }
    let leave_file = async {
        match ending {
            Ending::Commits => session.leave_file_in_transaction().await,
            Ending::Continues => Ok(()),
        }
    };
    let applied_on = context.applied_on();
    let attempt = attempt();
    // One round trip: the client pipelines queries that are polled together, and the server answers in order. `biased`: of several
    // errors the first is the cause; the later ones only report that the transaction is aborted.
    let ((), (), held, ()) = tokio::try_join!(
        biased;
        check_reading(session, context, CheckTime::AfterFile),
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

/// Checks that the file has not released the advisory lock, if its text mentions such locks. A lock that is lost in another way
/// is noticed when it is released.
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
